//! Changes of a label set. Each refuses what would make two labels one, or leave none.

use std::collections::HashSet;

use super::{Label, LabelSet, MAX_ACTIVE_LABELS, MAX_NAME_BYTES, Origin, Refused, State};
use crate::{
    feedback::{
        FeedbackRecord, InvalidFeedback,
        prediction::{LABEL_DELIMITER, cut_labels, cut_names, split_labels, unknown_names},
    },
    labels::{
        human_loop::{is_answer_word, is_page_choice},
        label_key::{DOTLESS_I, label_key},
    },
    text::is_blank,
};

/// Why a set cannot be read, or not be changed in this way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelSetError {
    /// Not a label set.
    #[error("it is not a label set")]
    Damaged,
    /// Written by a newer version.
    #[error("schema version {0} of the label set is newer than what is understood")]
    NewerSchema(u32),
    /// Two labels of a stored set have the same name.
    #[error("two labels of the set have the same name or synonym")]
    TwoLabels,
    /// A word that answers have a use for.
    #[error("`{0}` cannot be a label: as an answer it has a meaning of its own; choose another name")]
    Reserved(String),
    /// Nothing that can be seen.
    #[error("a label needs a name with something that can be seen in it")]
    Blank,
    /// A name that is too long.
    #[error("`{0}...` cannot be a label: a name has at most {MAX_NAME_BYTES} bytes")]
    TooLong(String),
    /// A name with a line break, a tab or another control character.
    #[error("{0} cannot be a label: a name has no line break, tab or other control character")]
    Control(String),
    /// A name with a character that turns the direction of what is written after it.
    #[error(
        "{0} cannot be a label: what is written there as `\\u{{...}}` turns the direction of what follows; leave it out"
    )]
    TurnsDirection(String),
    /// The name belongs to a label that is there.
    #[error("`{name}` is a name of the label `{label}` already")]
    Taken {
        /// The name that was given.
        name: String,
        /// The label that has it.
        label: String,
    },
    /// The name is another name of a label that is in use: where it is one of before, its rows are that label's.
    #[error(
        "`{name}` is another name of the label `{label}` already; `active-learning labels remove-synonym` with `{label}` \
         and `{name}` takes it away, and says before what becomes of the rows that are called so"
    )]
    Synonym {
        /// The name that was given.
        name: String,
        /// The label that has it as another name.
        label: String,
    },
    /// The label has no such other name.
    #[error("`{name}` is no other name of the label `{label}`")]
    NoSynonym {
        /// The name that was given.
        name: String,
        /// The label.
        label: String,
    },
    /// A label cannot be without its own name.
    #[error("`{0}` is the label's own name: `active-learning labels rename` gives it another")]
    OwnName(String),
    /// Labels would stand beside one another of which the one is written as the others together.
    #[error(
        "`{name}` could not be told from several labels of one text, which are written with a bar (|) between them, and \
         each part of it is a label; choose another name, such as `{other}`"
    )]
    Ambiguous {
        /// The name that is written as others.
        name: String,
        /// One that would not be.
        other: String,
    },
    /// A name is how several labels of one text are written, and one of them is a label.
    #[error(
        "`{name}` is how several labels of one text are written, and `{label}` is a label: make `{new}` one, or choose \
         another name, such as `{other}`"
    )]
    JoinsLabels {
        /// The name that was given.
        name: String,
        /// The part of it that is a label.
        label: String,
        /// The part of it that is none.
        new: String,
        /// A name that joins nothing.
        other: String,
    },
    /// A label that is there would be written as several labels of one text.
    #[error(
        "once `{name}` is a label, the label `{label}` could not be told from several labels of one text, which are \
         written with a bar (|) between them; `active-learning labels retire` with `{label}` makes way: what was labelled \
         by it then has its parts as labels"
    )]
    InTheWay {
        /// The name that was given.
        name: String,
        /// The label that is written as it and others together.
        label: String,
    },
    /// There is no such label in use.
    #[error("there is no active label `{0}`; `active-learning labels accept` makes a proposed one a label")]
    Unknown(String),
    /// There is such a label, but it is not in use.
    #[error(
        "the label `{name}` is not in use any more: it was {fate}; `active-learning labels add` brings it back"
    )]
    NotInUse {
        /// The label.
        name: String,
        /// What became of it.
        fate: String,
    },
    /// The name is another name of a label that is not in use.
    #[error(
        "`{name}` is another name of the label `{label}`, which is not in use any more: it was {fate}; \
         `active-learning labels add` with the name `{label}` brings that back; a label of its own needs a name that is \
         not taken"
    )]
    OtherName {
        /// The name that was given.
        name: String,
        /// The label that has it.
        label: String,
        /// What became of the label.
        fate: String,
    },
    /// A label cannot be merged into, or split into, itself.
    #[error("`{0}` cannot be merged or split into itself")]
    Itself(String),
    /// A label is named twice where each has one place.
    #[error("`{0}` is named twice: each label has one place")]
    Twice(String),
    /// A split needs parts.
    #[error("a label is split into at least two labels")]
    OnePart,
    /// Nothing would be left to choose.
    #[error("`{0}` is the only active label")]
    LastLabel(String),
    /// More than a model can have.
    #[error("a set has at most {MAX_ACTIVE_LABELS} active labels")]
    TooMany,
}

/// Characters of a name that cannot be one which a message shows.
const SHOWN_CHARACTERS: usize = 80;

impl LabelSet {
    /// Marks the next version, made by a person.
    pub fn edited(&mut self, at: &str) {
        self.renew(Origin::Edited, at);
    }

    /// Marks the next version, made from data or by a person. Where the clock of who makes it is behind, the time of the version
    /// before stays: what was answered by that one is not younger than this one.
    pub(super) fn renew(&mut self, origin: Origin, at: &str) {
        self.version += 1;
        self.origin = origin;
        let is_behind = at < self.updated_at.as_str();
        self.said_at = is_behind.then(|| at.to_owned());
        if !is_behind {
            at.clone_into(&mut self.updated_at);
        }
        for refused in self.refused.iter_mut().filter(|refused| refused.at.is_none()) {
            refused.at = Some(self.updated_at.clone());
        }
    }

    /// Adds a label, or brings one back that was retired, merged or split: what was labelled so is so again.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where the name is none, or another label's.
    pub fn add(&mut self, name: &str, description: &str) -> Result<(), LabelSetError> {
        match self.unused(name) {
            Some(index) if self.is_only_joined(name) => Err(ambiguous(&self.labels[index].name)),
            Some(_) if self.active().count() >= MAX_ACTIVE_LABELS => Err(LabelSetError::TooMany),
            Some(index) => {
                let label = &mut self.labels[index];
                label.state = State::Active;
                if !description.is_empty() {
                    description.clone_into(&mut label.description);
                }
                Ok(())
            }
            None => {
                let name = checked_of_person(name)?;
                self.joins_none(name, None)?;
                self.insert(name, description)
            }
        }
    }

    /// Returns the label that [`LabelSet::add`] brings back for a name; `None` where it makes a new one, or refuses the name.
    pub fn brought_back(&self, name: &str) -> Option<&Label> {
        self.unused(name).map(|index| &self.labels[index])
    }

    fn unused(&self, name: &str) -> Option<usize> {
        self.index_of_same(name).filter(|index| {
            let label = &self.labels[*index];
            // Another name of a label that went into others may be meant for one of these.
            label.state == State::Retired || (!label.is_active() && label_key(&label.name) == label_key(name))
        })
    }

    /// Takes in the labels of a training file: those of a set that only the parameter made are replaced, otherwise what
    /// means nothing yet is added. Where its texts have `several` labels, every text may have from then on, until a file of
    /// single labels is taken in. Returns whether anything changed.
    pub fn take_data<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
        several: bool,
        at: &str,
    ) -> bool {
        let names: Vec<&str> = names.into_iter().collect();
        let mut after = match self.origin {
            Origin::Parameter => Self::seed(names, Origin::InitialData, at).with_several_labels(self.several),
            Origin::InitialData | Origin::Edited => {
                let mut after = self.clone();
                for name in names {
                    // What is there already, under whatever name and state, stays as people left it.
                    let _ = after.insert(name, "");
                }
                after
            }
        };
        (after.several, after.several_in_data) = (self.several || several, several);
        let is_known = after.labels == self.labels && after.origin == self.origin;
        if after.labels.is_empty() || (is_known && several == self.several_in_data) {
            return false;
        }
        let origin = after.origin;
        after.version = self.version;
        after.updated_at.clone_from(&self.updated_at);
        after.renew(origin, at);
        *self = after;
        true
    }

    /// Notes that training data has texts with several labels: every text may have from then on. Returns whether that is new.
    pub fn take_several_labels(&mut self, at: &str) -> bool {
        if self.several_in_data {
            return false;
        }
        (self.several, self.several_in_data) = (true, true);
        self.renew(self.origin, at);
        true
    }

    /// Gives a label another name; the old one stays as a synonym, so that old rows are its rows.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where there is no such label, or the new name is none or another label's.
    pub fn rename(&mut self, old: &str, new: &str) -> Result<(), LabelSetError> {
        let index = self.active_index(old)?;
        let new = checked_of_person(new)?;
        self.free(new, Some(index))?;
        self.joins_none(new, Some(index))?;
        self.unambiguous(new)?;
        let label = &mut self.labels[index];
        let old_name = std::mem::replace(&mut label.name, new.to_owned());
        let key = label_key(new);
        label.synonyms.retain(|synonym| label_key(synonym) != key);
        if label_key(&old_name) != key {
            label.synonyms.push(old_name.clone());
        }
        self.set_key(key, index);
        let own = self.labels[index].name.clone();
        self.rename_in_states(&old_name, &own);
        Ok(())
    }

    /// Has labels that were merged into one, or split into it, follow its name.
    fn rename_in_states(&mut self, old: &str, new: &str) {
        for label in &mut self.labels {
            match &mut label.state {
                State::MergedInto(name) if name == old => new.clone_into(name),
                State::Split { into } => {
                    let same = into.iter_mut().filter(|name| *name == old);
                    same.for_each(|name| new.clone_into(name));
                }
                State::MergedInto(_) | State::Active | State::Retired => {}
            }
        }
    }

    /// Makes the rows of one label those of another. A name that is no label, but was proposed, becomes another name of it.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where one of them is not active, or both are the same.
    pub fn merge(&mut self, from: &str, into: &str) -> Result<(), LabelSetError> {
        // A name that is no label may be a proposal: the other must be a label in any case.
        if self.index(from).is_none() {
            return self.add_synonym(into, from);
        }
        let (from, into) = (self.active_index(from)?, self.active_index(into)?);
        if from == into {
            return Err(LabelSetError::Itself(self.labels[from].name.clone()));
        }
        self.labels[from].state = State::MergedInto(self.labels[into].name.clone());
        Ok(())
    }

    /// Takes a label out of use: its rows are left out.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where it is not active, or the last one.
    pub fn retire(&mut self, name: &str) -> Result<(), LabelSetError> {
        let index = self.active_index(name)?;
        if self.active().count() == 1 {
            return Err(LabelSetError::LastLabel(self.labels[index].name.clone()));
        }
        self.labels[index].state = State::Retired;
        Ok(())
    }

    /// Puts others in the place of a label; those that are not there yet are added where it stood.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where there is no such label, fewer than two parts, or one that cannot be a label.
    pub fn split(&mut self, name: &str, into: &[impl AsRef<str>]) -> Result<(), LabelSetError> {
        let mut after = self.clone();
        let index = after.active_index(name)?;
        let mut parts: Vec<String> = Vec::new();
        for part in into.iter().map(AsRef::as_ref) {
            let part = match after.index_of_same(part) {
                Some(same) if same == index => return Err(LabelSetError::Itself(part.to_owned())),
                Some(known) if after.labels[known].is_active() => after.labels[known].name.clone(),
                Some(known) => return Err(after.taken(part, known)),
                None => {
                    let part = checked_of_person(part)?;
                    after.joins_none(part, None)?;
                    after.insert(part, "")?;
                    part.trim().to_owned()
                }
            };
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        if parts.len() < 2 {
            return Err(LabelSetError::OnePart);
        }
        after.labels[index].state = State::Split { into: parts };
        *self = after;
        Ok(())
    }

    /// Says what belongs to a label.
    ///
    /// # Errors
    ///
    /// [`LabelSetError::Unknown`] where there is no such label.
    pub fn describe(&mut self, name: &str, description: &str) -> Result<(), LabelSetError> {
        let index = self.active_index(name)?;
        description.trim().clone_into(&mut self.labels[index].description);
        Ok(())
    }

    /// Gives a label one more name.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where there is no such label, or the name is none or taken.
    pub fn add_synonym(&mut self, name: &str, synonym: &str) -> Result<(), LabelSetError> {
        let index = self.active_index(name)?;
        let synonym = checked_of_person(synonym)?;
        self.free(synonym, None)?;
        self.joins_none(synonym, None)?;
        self.unambiguous(synonym)?;
        let key = label_key(synonym);
        self.refused.retain(|refused| label_key(&refused.name) != key);
        self.set_key(key, index);
        self.labels[index].synonyms.push(synonym.to_owned());
        Ok(())
    }

    /// Takes another name of a label away, which may be that of another one from then on. What is proposed by it is a proposal
    /// again; what reviewers chose by it, as what a training file or a model calls so, is of a class of that name.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where there is no such label, or it has no such other name.
    pub fn remove_synonym(&mut self, name: &str, synonym: &str) -> Result<(), LabelSetError> {
        let index = self.active_index(name)?;
        let (key, label) = (label_key(synonym), &mut self.labels[index]);
        if label_key(&label.name) == key {
            return Err(LabelSetError::OwnName(label.name.clone()));
        }
        let before = label.synonyms.len();
        label.synonyms.retain(|other| label_key(other) != key);
        if label.synonyms.len() == before {
            return Err(LabelSetError::NoSynonym {
                name: synonym.trim().to_owned(),
                label: label.name.clone(),
            });
        }
        self.by_key.remove(&key);
        self.has_dotless = self.by_key.keys().any(|key| key.contains(DOTLESS_I));
        Ok(())
    }

    /// Notes that a proposed name is to be no label: who has proposed it until now proposes it no more.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where it is a label, or cannot be a name.
    pub fn refuse(&mut self, name: &str) -> Result<(), LabelSetError> {
        let name = checked(name)?;
        self.free(name, None)?;
        let key = label_key(name);
        self.refused.retain(|refused| label_key(&refused.name) != key);
        self.refused.push(Refused {
            name: name.to_owned(),
            at: None,
        });
        Ok(())
    }

    /// Puts active labels first, in this order; the others follow as they stood.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where one is not active, or is named twice.
    pub fn order(&mut self, first: &[impl AsRef<str>]) -> Result<(), LabelSetError> {
        let mut order = Vec::with_capacity(self.labels.len());
        for name in first {
            let index = self.active_index(name.as_ref())?;
            if order.contains(&index) {
                return Err(LabelSetError::Twice(self.labels[index].name.clone()));
            }
            order.push(index);
        }
        let named: HashSet<usize> = order.iter().copied().collect();
        order.extend((0..self.labels.len()).filter(|index| !named.contains(index)));

        let mut places = vec![0; order.len()];
        for (place, index) in order.iter().enumerate() {
            places[*index] = place;
        }
        self.labels = order.iter().map(|index| self.labels[*index].clone()).collect();
        self.by_key.values_mut().for_each(|index| *index = places[*index]);
        Ok(())
    }

    /// Moves an active label before the active label that stands before it; the first one stays.
    ///
    /// # Errors
    ///
    /// As [`LabelSet::order`].
    pub fn move_up(&mut self, name: &str) -> Result<(), LabelSetError> {
        let index = self.active_index(name)?;
        let name = self.labels[index].name.clone();
        let mut names: Vec<String> = self.active().map(str::to_owned).collect();
        if let Some(place) = names
            .iter()
            .position(|other| *other == name)
            .filter(|place| *place > 0)
        {
            names.swap(place - 1, place);
        }
        self.order(&names)
    }

    /// Adds an active label at the end.
    pub(super) fn insert(&mut self, name: &str, description: &str) -> Result<(), LabelSetError> {
        let name = checked(name)?;
        self.free(name, None)?;
        self.unambiguous(name)?;
        if self.active().count() >= MAX_ACTIVE_LABELS {
            return Err(LabelSetError::TooMany);
        }
        let key = label_key(name);
        self.refused.retain(|refused| label_key(&refused.name) != key);
        self.set_key(key, self.labels.len());
        self.labels.push(Label {
            description: description.trim().to_owned(),
            ..Label::named(name)
        });
        Ok(())
    }

    /// Finds an active label by any of its names.
    fn active_index(&self, name: &str) -> Result<usize, LabelSetError> {
        match self.index(name) {
            Some(index) if self.labels[index].is_active() => Ok(index),
            Some(index) => Err(self.not_in_use(name, index)),
            None if label_key(name).is_empty() => Err(LabelSetError::Blank),
            None => Err(LabelSetError::Unknown(name.trim().to_owned())),
        }
    }

    /// Checks that a name is no label's, or that of this one.
    fn free(&self, name: &str, of: Option<usize>) -> Result<(), LabelSetError> {
        match self.index_of_same(name) {
            Some(index) if Some(index) != of => Err(self.taken(name, index)),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns whether a name joins a label with others, where a text may have several: then it can be none.
    pub fn joins_labels(&self, name: &str) -> bool {
        self.joins_none(name, None).is_err()
    }

    /// Checks that a name that a person gives does not join a label with others, where a text may have several. The label whose
    /// name it becomes may be a part of it.
    fn joins_none(&self, new: &str, of: Option<usize>) -> Result<(), LabelSetError> {
        let new = new.trim();
        if !self.several || !new.contains(LABEL_DELIMITER) || self.find(new).is_some() {
            return Ok(());
        }
        let known = |part: &str| self.find(part).map(|label| label.name.clone());
        let unknown = unknown_names(new, known);
        let label = cut_names(new, known)
            .into_iter()
            .find(|name| self.index(name).is_some_and(|index| Some(index) != of));
        match (label, unknown.into_iter().next()) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(ambiguous(new)),
            (Some(label), Some(part)) => Err(LabelSetError::JoinsLabels {
                name: new.to_owned(),
                label,
                new: part,
                other: new.replace(LABEL_DELIMITER, "/"),
            }),
        }
    }

    /// Checks that no name would be written as other names together, once there is a new one.
    fn unambiguous(&self, new: &str) -> Result<(), LabelSetError> {
        if !self.several {
            return Ok(());
        }
        let new_key = label_key(new);
        let is_known = |name: &str| {
            let key = label_key(name);
            key == new_key || self.by_key.contains_key(&key)
        };
        let is_ambiguous =
            |name: &str| name.contains(LABEL_DELIMITER) && is_written_as_others(name, is_known);
        if is_ambiguous(new) {
            return Err(ambiguous(new));
        }
        // A name is written with the new one only if that is a part of it. That of a retired label means its parts then.
        let holding_it = self
            .by_key
            .iter()
            .filter(|(key, index)| key.contains(&new_key) && self.labels[**index].state != State::Retired);
        let in_the_way = holding_it.map(|(_, index)| &self.labels[*index]).find(|label| {
            let mut names = std::iter::once(&label.name).chain(&label.synonyms);
            names.any(|name| is_ambiguous(name))
        });
        match in_the_way {
            Some(label) => Err(LabelSetError::InTheWay {
                name: new.trim().to_owned(),
                label: label.name.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Says what became of the label that has a name, and what brings it back.
    fn not_in_use(&self, name: &str, index: usize) -> LabelSetError {
        let label = &self.labels[index];
        let fate = match &label.state {
            State::MergedInto(into) => format!("merged into `{into}`"),
            State::Split { into } => format!("split into `{}`", into.join("`, `")),
            State::Active | State::Retired => "retired".to_owned(),
        };
        // A retired label comes back by any of its names.
        if label.state == State::Retired || label_key(name) == label_key(&label.name) {
            return LabelSetError::NotInUse {
                name: label.name.clone(),
                fate,
            };
        }
        LabelSetError::OtherName {
            name: name.trim().to_owned(),
            label: label.name.clone(),
            fate,
        }
    }

    fn taken(&self, name: &str, index: usize) -> LabelSetError {
        if !self.labels[index].is_active() {
            return self.not_in_use(name, index);
        }
        let (name, label) = (name.trim().to_owned(), self.labels[index].name.clone());
        match label_key(&name) == label_key(&label) {
            true => LabelSetError::Taken { name, label },
            false => LabelSetError::Synonym { name, label },
        }
    }
}

fn ambiguous(name: &str) -> LabelSetError {
    LabelSetError::Ambiguous {
        name: name.to_owned(),
        other: name.replace(LABEL_DELIMITER, "/"),
    }
}

/// Returns whether a name is written as several other names of one text are, of those that are known.
pub fn is_written_as_others(name: &str, is_known: impl Fn(&str) -> bool) -> bool {
    let key = label_key(name);
    let other = |part: &str| (label_key(part) != key && is_known(part)).then(|| part.to_owned());
    cut_labels(name, other).is_some()
}

/// Returns whether a label can be called so.
pub fn can_be_label(name: &str) -> bool {
    checked(name).is_ok()
}

/// Returns whether a person may propose a label of this name: whether it can be accepted.
pub fn can_be_proposed(name: &str) -> bool {
    checked_of_person(name).is_ok()
}

/// Checks the label that a user suggests, or several: what can be no label is no suggestion.
///
/// # Errors
///
/// [`InvalidFeedback::NoLabel`].
pub fn check_suggestion(record: &FeedbackRecord) -> Result<(), InvalidFeedback> {
    let suggested = record.suggested_label.as_deref().map(split_labels);
    match suggested.is_none_or(|names| (names.iter()).all(|name| can_be_label(name) && !is_page_choice(name)))
    {
        true => Ok(()),
        false => Err(InvalidFeedback::NoLabel("label")),
    }
}

/// Trims a name, and checks that it can be one.
fn checked(name: &str) -> Result<&str, LabelSetError> {
    let name = name.trim();
    if is_answer_word(name) {
        return Err(LabelSetError::Reserved(name.to_owned()));
    }
    if is_blank(name) || label_key(name).is_empty() {
        return Err(LabelSetError::Blank);
    }
    let shown = || name.chars().take(SHOWN_CHARACTERS);
    if name.len() > MAX_NAME_BYTES {
        return Err(LabelSetError::TooLong(shown().collect()));
    }
    if name.contains(char::is_control) {
        return Err(LabelSetError::Control(escaped(shown())));
    }
    Ok(name)
}

/// Checks a name that a person gives a label: it is shown in lists and on pages, whose other words it may not turn. What a
/// file brings is taken as it is, since its rows name it so.
fn checked_of_person(name: &str) -> Result<&str, LabelSetError> {
    match checked(name)? {
        name if is_page_choice(name) => Err(LabelSetError::Reserved(name.to_owned())),
        name if name.contains(['\u{2028}', '\u{2029}']) => Err(LabelSetError::Control(escaped(
            name.chars().take(SHOWN_CHARACTERS),
        ))),
        name if name.contains(turns_direction) => Err(LabelSetError::TurnsDirection(escaped(
            name.chars().take(SHOWN_CHARACTERS),
        ))),
        name => Ok(name),
    }
}

/// Returns whether a character embeds, overrides or isolates a direction. Marks for a single place (U+200E, U+200F, U+061C) do
/// not: names in Hebrew and Arabic have them.
///
/// Source: Unicode Standard Annex 9, explicit directional formatting.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Writes a name so that what cannot be seen of it is: in backticks, with escapes.
fn escaped(name: impl Iterator<Item = char>) -> String {
    let escape = |c: char| match c.is_control() || turns_direction(c) || matches!(c, '\u{2028}' | '\u{2029}')
    {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    format!("`{}`", name.map(escape).collect::<String>())
}
