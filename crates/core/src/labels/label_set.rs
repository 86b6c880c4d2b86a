//! The label set: the one list that says which labels there are, and what every other name means.
//!
//! It stands in the training bucket, readable by anyone who has the bucket: [`LABEL_SET_KEY`] is the current one,
//! [`version_key`] each one there ever was. Names are compared by [`label_key`], so that spelling never makes another
//! label; no key belongs to two labels.

mod change;
mod changes;
mod mapping;
#[cfg(test)]
mod tests;

pub use change::{ChangeCount, ChangeCounted, LabelChange};
pub use changes::{LabelSetError, can_be_label, can_be_proposed, check_suggestion, is_written_as_others};
pub use mapping::{Difference, Mapped, delimiter};

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::label_key::{
    DOTLESS_I, broad_key, has_open_capital, in_other_digits, label_key, may_be_one, other_number,
};

/// Key of the current label set, in the training bucket.
pub const LABEL_SET_KEY: &str = "label-set.json";

/// Prefix of the label sets there have been, in the training bucket; never changed, never removed.
pub const LABEL_SETS_PREFIX: &str = "label-sets/";

/// Version of the shape that is written; a later one is refused.
const SCHEMA_VERSION: u32 = 1;

/// Active labels of a set at most. Source: Amazon Comprehend quotas, classes of a multi-class model.
pub const MAX_ACTIVE_LABELS: usize = 1_000;

/// Longest name of a label, in bytes.
pub const MAX_NAME_BYTES: usize = 5_000;

/// Returns the key of one version of the label set.
pub fn version_key(version: u64) -> String {
    format!("{LABEL_SETS_PREFIX}{version:08}.json")
}

/// Where a label set comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The template parameter: a guess, which own training data replaces.
    Parameter,
    /// The labels of a training file.
    InitialData,
    /// A person has changed it.
    Edited,
}

/// What became of a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is a class and a choice.
    #[default]
    Active,
    /// It is neither; its rows are left out.
    Retired,
    /// Its rows are those of another label.
    MergedInto(String),
    /// Its rows are asked again, since they may belong to any of these.
    Split {
        /// Names of the labels that took its place.
        into: Vec<String>,
    },
}

/// One label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Label {
    /// Its name, as it is shown and trained.
    pub name: String,
    /// What belongs to it, for reviewers; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Other names for it, earlier ones too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub synonyms: Vec<String>,
    /// Whether it is in use.
    #[serde(default)]
    pub state: State,
}

impl Label {
    /// Makes an active label.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Returns whether it is a class and a choice.
    pub fn is_active(&self) -> bool {
        self.state == State::Active
    }
}

/// The labels there are, in the order in which they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Stored", into = "Stored")]
pub struct LabelSet {
    version: u64,
    origin: Origin,
    updated_at: String,
    /// When it was changed last by the clock of whoever did it, where that was behind.
    said_at: Option<String>,
    labels: Vec<Label>,
    refused: Vec<Refused>,
    /// Index of the label that has each key.
    by_key: HashMap<String, usize>,
    /// Whether one of the keys has an `ı`: see [`LabelSet::index`].
    has_dotless: bool,
    /// Whether a text may have several labels: the stack is set so, or the data has them.
    several: bool,
    /// Whether the data has texts with several labels, whatever the stack is set to.
    several_in_data: bool,
}

/// A proposed name that somebody has refused.
#[derive(Clone, Debug, PartialEq)]
struct Refused {
    name: String,
    /// When, RFC 3339 in UTC; none while the change is being made.
    at: Option<String>,
}

/// A label set as it stands in S3.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    schema_version: u32,
    version: u64,
    origin: Origin,
    updated_at: String,
    /// When it was changed last by the clock of whoever did it, where that was behind. None in sets of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said_at: Option<String>,
    labels: Vec<Label>,
    /// Proposed names that somebody has refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<String>,
    /// When, by name. Without a time, as in sets of the version before: not after the set was changed last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    refused_at: BTreeMap<String, String>,
    /// Whether training data has texts with several labels. None in sets of the version before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    several_labels: bool,
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution<'a> {
    /// This label, which is active.
    Label(&'a str),
    /// A label that is no longer used.
    Retired(&'a str),
    /// A label that was split: which of its parts is meant, nobody knows.
    Split(&'a str),
    /// No label of the set: a proposal, until somebody accepts it. Trimmed.
    Proposed(&'a str),
}

impl LabelSet {
    /// Makes the first version of a set. Names that are no labels, or meet an earlier one, are left out.
    pub fn seed(names: impl IntoIterator<Item = impl Into<String>>, origin: Origin, at: &str) -> Self {
        let mut set = Self {
            version: 1,
            origin,
            updated_at: at.to_owned(),
            said_at: None,
            labels: Vec::new(),
            refused: Vec::new(),
            by_key: HashMap::new(),
            has_dotless: false,
            several: true,
            several_in_data: false,
        };
        for name in names {
            // One that meets another is the same label in other letters.
            let _ = set.insert(&name.into(), "");
        }
        set
    }

    /// Returns a set without labels, which stands for one that is not there.
    pub fn none() -> Self {
        Self {
            version: 0,
            ..Self::seed(Vec::<String>::new(), Origin::Edited, "")
        }
    }

    /// Reads a set.
    ///
    /// # Errors
    ///
    /// That it is damaged, of a newer version, or has two labels with one name: never its content.
    pub fn parse(json: &[u8]) -> Result<Self, LabelSetError> {
        let stored: Stored = serde_json::from_slice(json).map_err(|_| LabelSetError::Damaged)?;
        stored.try_into()
    }

    /// Writes the set, to be read by people too.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a label set has string keys")
    }

    /// Says whether the stack lets a text have several labels, as unless it is said otherwise. Where it may not, and the
    /// training data has no such text either, what names several is one proposal, so that nothing that people say makes a
    /// classifier of single labels one of several.
    #[must_use]
    pub fn with_several_labels(self, several: bool) -> Self {
        Self {
            several: several || self.several_in_data,
            ..self
        }
    }

    /// Says whether the training data that it is made of has texts with several labels.
    #[must_use]
    pub fn with_several_in_data(self, several: bool) -> Self {
        Self {
            several: self.several || several,
            several_in_data: several,
            ..self
        }
    }

    /// Returns whether training data has texts with several labels.
    pub fn has_several_in_data(&self) -> bool {
        self.several_in_data
    }

    /// Returns whether a text may have several labels.
    pub fn has_several_labels(&self) -> bool {
        self.several
    }

    /// Returns its version, from 1.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns where it comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Returns when it was changed last, RFC 3339 in UTC; never before the time of the version before.
    pub fn updated_at(&self) -> &str {
        &self.updated_at
    }

    /// Returns whether it was made by the change that whoever made it says is of this time: their clock may be behind.
    pub fn was_made_at(&self, at: &str) -> bool {
        self.said_at.as_deref().unwrap_or(&self.updated_at) == at
    }

    /// Returns all labels, also those no longer in use, in their order.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Returns the names of the active labels, in their order.
    pub fn active(&self) -> impl Iterator<Item = &str> {
        let active = self.labels.iter().filter(|label| label.is_active());
        active.map(|label| label.name.as_str())
    }

    /// Returns whether texts of this label alone can be learnt from, since there are other labels to tell it from. Those of
    /// the parameter are others only where it names this one too: otherwise data takes their place.
    pub fn has_labels_beside(&self, label: &str) -> bool {
        let own = self.own_name(label);
        let is_of_data = self.origin != Origin::Parameter || self.find(label).is_some();
        is_of_data && self.active().any(|other| other != own)
    }

    /// Returns the label that a name means, where it is retired or split; `None` where its rows count.
    pub fn out_of_use<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        match self.resolve(name) {
            Resolution::Retired(label) | Resolution::Split(label) => Some(label),
            Resolution::Label(_) | Resolution::Proposed(_) => None,
        }
    }

    /// Returns whether somebody has refused this name as a label.
    pub fn is_refused(&self, name: &str) -> bool {
        self.refusal(name).is_some()
    }

    /// Returns whether a vote of this time that proposes a name was given before the name was refused: it proposes nothing
    /// any more. Who proposes it later proposes it again.
    pub fn was_refused_since(&self, name: &str, voted_at: &str) -> bool {
        let refusal = self.refusal(name);
        refusal.is_some_and(|refused| refused.at.as_deref().is_none_or(|at| voted_at <= at))
    }

    /// Returns when a name was refused, in RFC 3339; `None` where it was not, or by a version that noted no time.
    pub fn refused_at(&self, name: &str) -> Option<&str> {
        self.refusal(name)?.at.as_deref()
    }

    fn refusal(&self, name: &str) -> Option<&Refused> {
        let key = label_key(name);
        self.refused
            .iter()
            .find(|refused| label_key(&refused.name) == key)
    }

    /// Returns what a name means, however it is spelt: by key, then synonyms, then merges.
    pub fn resolve<'a>(&'a self, name: &'a str) -> Resolution<'a> {
        let mut label = match self.find(name) {
            Some(label) => label,
            None => return Resolution::Proposed(name.trim()),
        };
        for _ in 0..self.labels.len() {
            match &label.state {
                State::Active => return Resolution::Label(&label.name),
                State::Retired => return Resolution::Retired(&label.name),
                State::Split { .. } => return Resolution::Split(&label.name),
                State::MergedInto(target) => match self.find(target) {
                    Some(target) => label = target,
                    None => return Resolution::Retired(&label.name),
                },
            }
        }
        // Merged in a circle, which no change makes.
        Resolution::Retired(&label.name)
    }

    /// Returns the label that has a name, as it stands in the set: merges are not followed. Where no label is called `1.0`, it
    /// is `1`, and the other way round; so it is with the digits of other scripts: `٤` is `4` where no label is called so. Where
    /// several labels are that number in other digits, none is meant.
    pub fn find(&self, name: &str) -> Option<&Label> {
        let found = self.index(name).or_else(|| self.index(&other_number(name)?));
        let found = found.or_else(|| self.index_in_other_digits(name));
        found.map(|index| &self.labels[index])
    }

    /// Returns whether a label is called so, and not only what stands for the same number.
    pub fn has_name(&self, name: &str) -> bool {
        self.index(name).is_some()
    }

    fn index_in_other_digits(&self, name: &str) -> Option<usize> {
        let mut found = in_other_digits(name).filter_map(|other| self.index(&other));
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }

    /// Returns the index of the label that a name means, by its key. Where two labels differ only by `ı` and `i`, capitals that
    /// may be those of both mean neither, unless one of them is written so. Where there is only one of them, the other spelling
    /// means it too: not every keyboard has an `ı`.
    fn index(&self, name: &str) -> Option<usize> {
        let key = label_key(name);
        let exact = self.by_key.get(&key).copied();
        if !key.contains(['i', DOTLESS_I]) || exact.is_some() && !(self.has_dotless && has_open_capital(name))
        {
            return exact;
        }
        let mut others = self.named_alike(&key);
        let other = others.next();
        match (exact, other) {
            (Some(index), Some(other)) if index != other && !self.is_written(index, name) => None,
            (Some(index), _) => Some(index),
            (None, Some(other)) => others.all(|one| one == other).then_some(other),
            (None, None) => None,
        }
    }

    /// Returns the labels with names that differ from a key by `ı` and `i` alone.
    fn named_alike<'a>(&'a self, key: &'a str) -> impl Iterator<Item = usize> + 'a {
        let broad = broad_key(key);
        let undotted = match self.has_dotless {
            true => None,
            // No name has an `ı`: there is one key to look for.
            false => self.by_key.get_key_value(&broad),
        };
        let all = self.has_dotless.then_some(&self.by_key).into_iter().flatten();
        let alike = undotted.into_iter().chain(all);
        let alike = alike.filter(move |(other, _)| *other != key && other.replace(DOTLESS_I, "i") == broad);
        alike.map(|(_, index)| *index)
    }

    /// Returns whether a label has a name in just this spelling.
    fn is_written(&self, index: usize, name: &str) -> bool {
        let label = &self.labels[index];
        let mut names = std::iter::once(&label.name).chain(&label.synonyms);
        names.any(|own| own.trim() == name.trim())
    }

    /// Returns the label of which a new name would be another spelling.
    fn index_of_same(&self, name: &str) -> Option<usize> {
        let key = label_key(name);
        if let Some(index) = self.by_key.get(&key) {
            return Some(*index);
        }
        let is_same = |index: &usize| {
            let label = &self.labels[*index];
            let mut names = std::iter::once(&label.name).chain(&label.synonyms);
            names.any(|own| may_be_one(own, name))
        };
        self.named_alike(&key).find(is_same)
    }

    /// Gives a key to a label.
    fn set_key(&mut self, key: String, index: usize) {
        self.has_dotless |= key.contains(DOTLESS_I);
        self.by_key.insert(key, index);
    }
}

impl From<LabelSet> for Stored {
    fn from(set: LabelSet) -> Self {
        let times = set.refused.iter();
        let times = times.filter_map(|refused| Some((refused.name.clone(), refused.at.clone()?)));
        Self {
            schema_version: SCHEMA_VERSION,
            version: set.version,
            origin: set.origin,
            updated_at: set.updated_at,
            said_at: set.said_at,
            labels: set.labels,
            refused_at: times.collect(),
            several_labels: set.several_in_data,
            refused: set.refused.into_iter().map(|refused| refused.name).collect(),
        }
    }
}

impl TryFrom<Stored> for LabelSet {
    type Error = LabelSetError;

    fn try_from(stored: Stored) -> Result<Self, LabelSetError> {
        if stored.schema_version > SCHEMA_VERSION {
            return Err(LabelSetError::NewerSchema(stored.schema_version));
        }
        let mut by_key = HashMap::new();
        for (index, label) in stored.labels.iter().enumerate() {
            for name in std::iter::once(&label.name).chain(&label.synonyms) {
                if by_key
                    .insert(label_key(name), index)
                    .is_some_and(|other| other != index)
                {
                    return Err(LabelSetError::TwoLabels);
                }
            }
        }
        let refused = stored.refused.into_iter().map(|name| {
            let at = stored.refused_at.get(&name).unwrap_or(&stored.updated_at);
            Refused {
                at: Some(at.clone()).filter(|at| !at.is_empty()),
                name,
            }
        });
        Ok(Self {
            refused: refused.collect(),
            version: stored.version,
            origin: stored.origin,
            updated_at: stored.updated_at,
            said_at: stored.said_at,
            labels: stored.labels,
            has_dotless: by_key.keys().any(|key| key.contains(DOTLESS_I)),
            by_key,
            several: true,
            several_in_data: stored.several_labels,
        })
    }
}
