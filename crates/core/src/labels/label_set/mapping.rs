//! What names in answers, files and models mean by a label set.

use std::collections::BTreeSet;

use super::{LabelSet, Resolution, State, changes::is_written_as_others};
use crate::{
    dataset::Mode,
    feedback::{
        FeedbackRecord, Signal,
        prediction::{
            ClassScore, LABEL_DELIMITER, apart, cut_labels, join_as_written, merged, single_label,
            split_labels, unknown_names,
        },
    },
    labels::{
        consolidation::Consensus,
        human_loop::Answer,
        label_key::label_key,
        question::{Opinion, Question},
        vote::{Note, Standing, Vote, VoteSource},
    },
};

/// Delimiters that Comprehend allows, the customary one first. Source: Amazon Comprehend API, `LabelDelimiter`.
const DELIMITERS: &str = "|~^;\t!*+=\\>?@#$%:/_-";

/// Returns a delimiter for labels in training files that no name contains; `None` where the names leave none.
pub fn delimiter<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<char> {
    let used: BTreeSet<char> = names.into_iter().flat_map(str::chars).collect();
    DELIMITERS.chars().find(|delimiter| !used.contains(delimiter))
}

/// What an answer means by the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// This answer, with the labels' own names.
    Answer(Answer),
    /// It names a label that is retired.
    Retired,
    /// It names a label that was split: it no longer counts.
    Split,
}

impl Mapped {
    /// Why rows of a retired label are left out of datasets.
    pub const RETIRED: &'static str = "retired-label";
    /// Why rows of a split label are left out of datasets until they are answered again.
    pub const SPLIT: &'static str = "split-label";
}

/// Where the label set and the classes of a model differ. How a class is spelt is no difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Active labels that the model does not know.
    pub not_in_model: Vec<String>,
    /// Classes of the model that the set does not know.
    pub not_in_set: Vec<String>,
    /// Classes of the model that are another name of a label by now, each with the label's own name.
    pub renamed: Vec<(String, String)>,
    /// Classes of the model whose rows are another label's by now, each with that label.
    pub merged: Vec<(String, String)>,
    /// Classes of the model that are no longer in use.
    pub retired: Vec<String>,
    /// Classes of the model in whose place there are others.
    pub split: Vec<String>,
}

impl Difference {
    /// Returns whether set and model have the same labels.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl LabelSet {
    /// Reads a text that names one label, or several joined by [`LABEL_DELIMITER`].
    ///
    /// A label whose name holds the delimiter is one label. A text with a part that means nothing is one proposal; so is
    /// one that names several where a text has one label. The order of several does not matter. A proposal of one name is
    /// that name; where a text may have several, with a backslash before each of its bars, and else without.
    pub fn read(&self, text: &str) -> Answer {
        let is_one_name = || !self.several || split_labels(text).len() == 1;
        match self.names(text) {
            Some(names) if self.allows(&names) => Answer::labels(names),
            Some(_) => self.proposal_of(text),
            None if is_one_name() => self.proposal([single_label(text)]),
            None => self.proposal_of(text),
        }
    }

    /// Returns the proposal of a text that names several, in their order: as it is written where that order would make one
    /// name of two.
    fn proposal_of(&self, text: &str) -> Answer {
        let cut = |text: &str| apart(text, |name| self.known(name));
        let keys =
            |names: &[String]| -> BTreeSet<String> { names.iter().map(|name| label_key(name)).collect() };
        let names = cut(text);
        let proposal = self.proposal(&names);
        match &proposal {
            Answer::NewLabel { label } if keys(&cut(label)) == keys(&names) => proposal,
            _ => Answer::NewLabel {
                label: text.trim().to_owned(),
            },
        }
    }

    /// Returns the proposal of names: where a text may have several labels, a bar within one of them does not cut it.
    pub fn proposal(&self, names: impl IntoIterator<Item = impl Into<String>>) -> Answer {
        match (self.several, Answer::proposal(names)) {
            (false, Answer::NewLabel { label }) => Answer::NewLabel {
                label: join_as_written(split_labels(&label)),
            },
            (_, proposal) => proposal,
        }
    }

    /// Returns the names of a proposal that are no labels, each once: these are what is proposed. Where a text may have
    /// several labels, a bar stands between them; else a proposal is one name, whatever it holds.
    pub fn proposed_names(&self, proposal: &str) -> Vec<String> {
        let mut names = match self.several {
            true => unknown_names(proposal, |name| self.known(name)),
            false if self.find(proposal).is_some() => Vec::new(),
            false => vec![single_label(proposal)],
        };
        let mut seen = BTreeSet::new();
        names.retain(|name| self.find(name).is_none() && seen.insert(label_key(name)));
        names
    }

    /// Returns the name, as the set spells it, of what it knows.
    fn known(&self, name: &str) -> Option<String> {
        let label = self.find(name)?;
        (!self.is_only_joined(name)).then(|| label.name.clone())
    }

    /// Returns whether a name stands for several labels of one text, since the label that had it is retired: it was made of
    /// their names joined together.
    pub(super) fn is_only_joined(&self, name: &str) -> bool {
        let is_retired = || self.find(name).is_some_and(|label| label.state == State::Retired);
        let is_known = |part: &str| self.find(part).is_some();
        self.several && name.contains(LABEL_DELIMITER) && is_retired() && is_written_as_others(name, is_known)
    }

    /// Returns the labels that names of an answer mean, of those that only join others these.
    fn apart(&self, labels: &[String]) -> Vec<String> {
        let apart = labels.iter().flat_map(|label| match self.is_only_joined(label) {
            true => self.names(label).unwrap_or_else(|| vec![label.clone()]),
            false => vec![label.clone()],
        });
        apart.collect()
    }

    /// Cuts a text into names as [`LabelSet::names`] does; `None` too where they are more than a text may have.
    fn names_allowed(&self, text: &str) -> Option<Vec<String>> {
        self.names(text).filter(|names| self.allows(names))
    }

    /// Returns whether a text may have all these labels.
    pub fn allows(&self, names: &[impl PartialEq]) -> bool {
        self.several || names.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Cuts a text into names that the set knows, in as few pieces as there can be; `None` where a part means nothing.
    pub fn names(&self, text: &str) -> Option<Vec<String>> {
        cut_labels(text, |name| self.known(name))
    }

    /// Returns the vote that a feedback record carries, by the labels' own names.
    pub fn vote_of(&self, record: &FeedbackRecord) -> Option<Vote> {
        let vote = Vote::of_feedback(record)?;
        Some(self.canonical(record, vote))
    }

    /// Writes a vote on a record with the labels' own names, as far as the set knows them: also of those that are no
    /// longer in use.
    pub fn canonical(&self, record: &FeedbackRecord, vote: Vote) -> Vote {
        let said = Vote {
            answer: self.said(record, &vote),
            ..vote
        };
        let answer = match self.map_vote(&said) {
            Mapped::Answer(answer) => answer,
            // It is that label's again when the label comes back.
            Mapped::Retired | Mapped::Split => self.answer_now(&said.answer),
        };
        said.written_as(answer)
    }

    /// Returns whether an answer names labels of the set, all of them in use.
    pub fn is_in_use(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Labels { labels } => labels
                .iter()
                .all(|label| matches!(self.resolve(label), Resolution::Label(_))),
            Answer::NoneFits | Answer::NewLabel { .. } | Answer::Unsure => false,
        }
    }

    /// Returns what stands of an answer that was given before a text was asked anew: all of one by labels in use. Of several
    /// labels of which one was split the others stand, and nothing is said of those in its place. `None` where nothing stands.
    pub fn standing(&self, answer: &Answer) -> Option<Standing> {
        let Answer::Labels { labels } = answer else {
            return None;
        };
        if self.is_in_use(answer) {
            return Some(Standing {
                answer: answer.clone(),
                silent_on: Vec::new(),
            });
        }
        let (mut left, mut is_split) = (Vec::new(), false);
        for label in self.apart(labels) {
            match self.resolve(&label) {
                Resolution::Label(name) | Resolution::Proposed(name) => left.push(name.to_owned()),
                Resolution::Split(_) => is_split = true,
                Resolution::Retired(_) => {}
            }
        }
        if left.is_empty() || !is_split {
            return None;
        }
        let mut silent_on = self.parts(answer);
        silent_on.retain(|part| !left.contains(part));
        Some(Standing {
            answer: Answer::labels(left),
            silent_on,
        })
    }

    /// Returns the vote that is left of one in doubt, if not all of it was: it is a reviewer's, and nobody's final word.
    pub fn left_of(&self, vote: &Vote) -> Option<Vote> {
        let standing = self.standing(&vote.answer).filter(|_| vote.source.is_review())?;
        let is_rest = !standing.silent_on.is_empty();
        is_rest.then(|| Vote {
            answer: standing.answer,
            source: match vote.source {
                VoteSource::Adjudicator => VoteSource::HumanReview,
                source => source,
            },
            note: Note {
                silent_on: standing.silent_on,
                ..vote.note.clone()
            },
            ..vote.clone()
        })
    }

    /// Returns whether a vote is in doubt where a record is asked anew: a reviewer gave it, by a label that is out of use now
    /// or by none.
    pub fn puts_in_doubt(&self, record: &FeedbackRecord, vote: &Vote) -> bool {
        let is_in_use =
            || matches!(self.map(record, vote), Mapped::Answer(answer) if self.is_in_use(&answer));
        record.signal == Signal::Relabel && vote.source.is_review() && !is_in_use()
    }

    /// Writes a reviewer's vote for keeping: spelt as the set spells its labels, but a label that was merged stays its own,
    /// so that its rows come back with it.
    pub fn as_answered(&self, record: &FeedbackRecord, vote: Vote) -> Vote {
        let own = |name: &String| self.find(name);
        let is_merged =
            |name: &String| own(name).is_some_and(|label| matches!(label.state, State::MergedInto(_)));
        match &vote.answer {
            Answer::Labels { labels } if vote.source.is_review() && labels.iter().any(is_merged) => {
                let names = labels
                    .iter()
                    .map(|name| own(name).map_or(name.as_str(), |label| &label.name));
                let answer = Answer::labels(names);
                Vote { answer, ..vote }
            }
            _ => self.canonical(record, vote),
        }
    }

    /// Writes an answer as an import of today writes it: labels that are out of use are a proposal, by the set's own names.
    pub fn as_imported(&self, answer: &Answer) -> Answer {
        match self.names_in_use(answer.clone()) {
            now @ Answer::Labels { .. } if self.is_in_use(&now) => now,
            Answer::Labels { labels } => self.proposal(labels),
            other => other,
        }
    }

    /// Writes votes on a record with the labels' own names, each once. They remember how they were given: what a name means may
    /// change once more.
    pub fn canonical_votes(&self, record: &FeedbackRecord, votes: &mut Vec<Vote>) {
        let mut canonical: Vec<Vote> = Vec::with_capacity(votes.len());
        for vote in votes.drain(..) {
            let said = vote.said().clone();
            let vote = self.canonical(record, vote).remembering(said);
            if !canonical.contains(&vote) {
                canonical.push(vote);
            }
        }
        *votes = canonical;
    }

    /// Returns votes, written with the labels' own names, as they count today. What a user said last by a label that is
    /// out of use is their last word all the same: they do not vote, and nothing that they said before takes its place. So it
    /// is with what an imported file says of a retired label; what it says of one that was split is asked anew, and stays
    /// the answer until then.
    pub fn counting(&self, votes: &[Vote]) -> Vec<Vote> {
        let counted = votes.iter().map(|vote| match self.abstains(vote) {
            true => vote.abstaining(),
            false => vote.clone(),
        });
        counted.collect()
    }

    /// Returns whether somebody does not vote by their last word, since it names a label that is out of use.
    fn abstains(&self, vote: &Vote) -> bool {
        match (vote.source, self.map_vote(vote)) {
            (VoteSource::Feedback, Mapped::Retired | Mapped::Split) => true,
            (VoteSource::Import, Mapped::Retired) => true,
            (VoteSource::Feedback | VoteSource::Import, _) => false,
            (VoteSource::HumanReview | VoteSource::Adjudicator, _) => false,
        }
    }

    /// Writes what a question holds by the names that labels have now, so that what is said today is held against it: the
    /// prediction, votes, each once, complaints and the answer. An answer by a label that was split or retired stays that label's.
    pub fn use_own_names(&self, question: &mut Question) {
        self.canonical_votes(&question.record, &mut question.votes);
        question.record = self.with_own_names(question.record.clone());
        for complaint in &mut question.complaints {
            let said = complaint.said().clone();
            complaint.answer = self.answer_now(&said);
            *complaint = complaint.clone().remembering(said);
        }
        if let Some(Consensus::Agreed { answer, .. }) = &mut question.consensus {
            *answer = self.answer_now(answer);
        }
    }

    /// Writes a user's opinion with the labels' own names, so that spelling is no disagreement. A vote remembers how it was given.
    pub fn opinion(&self, record: &FeedbackRecord, opinion: Opinion) -> Opinion {
        match (opinion, &record.prediction) {
            (Opinion::For(vote), _) => {
                let (mapped, said) = (self.map(record, &vote), vote.said().clone());
                let vote = self.canonical(record, vote).remembering(said);
                match mapped {
                    Mapped::Answer(_) => Opinion::For(vote),
                    Mapped::Retired => Opinion::Past { vote, parts: None },
                    Mapped::Split => {
                        let parts = Some(self.parts(&vote.answer));
                        Opinion::Past { vote, parts }
                    }
                }
            }
            (Opinion::Against(answer), Some(prediction)) => match self.read(prediction) {
                Answer::NewLabel { .. } => Opinion::Against(answer),
                read => Opinion::Against(self.names_in_use(read)),
            },
            (opinion, _) => opinion,
        }
    }

    /// Returns the labels, in use or not, that an answer may mean since some of its own were split: theirs and their parts.
    fn parts(&self, answer: &Answer) -> Vec<String> {
        let Answer::Labels { labels } = answer else {
            return Vec::new();
        };
        let mut parts: Vec<String> = Vec::new();
        let mut open: Vec<String> = labels.clone();
        while let Some(name) = open.pop() {
            let name = self.own_name(&name).to_owned();
            if parts.contains(&name) {
                continue;
            }
            if let Some(State::Split { into }) = self.find(&name).map(|label| &label.state) {
                open.extend(into.iter().cloned());
            }
            parts.push(name);
        }
        parts.sort();
        parts
    }

    /// Returns the name that a class of a model has now, as far as renames and merges lead to one; its own where the set
    /// does not know it.
    pub fn own_name<'a>(&'a self, class: &'a str) -> &'a str {
        match self.resolve(class) {
            Resolution::Label(name) | Resolution::Retired(name) | Resolution::Split(name) => name,
            Resolution::Proposed(name) => name,
        }
    }

    /// Returns what a class of a model is called here: the label in use whose name it is, in whatever spelling, or whose
    /// synonym, or that was renamed or merged since; else as the model calls it.
    pub fn class_name<'a>(&'a self, class: &'a str) -> &'a str {
        match self.resolve(class) {
            Resolution::Label(label) => label,
            Resolution::Retired(_) | Resolution::Split(_) | Resolution::Proposed(_) => class,
        }
    }

    /// Returns the names that the labels of a prediction have now, each once: see [`LabelSet::class_name`].
    pub fn prediction_names(&self, prediction: &str) -> Vec<String> {
        let known = |name: &str| match self.find(name) {
            None if name.contains(LABEL_DELIMITER) => None,
            _ => Some(self.class_name(name).trim().to_owned()),
        };
        let mut names = cut_labels(prediction, known).unwrap_or_else(|| vec![prediction.trim().to_owned()]);
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// Writes a record's prediction by the names that labels have now: an answer that came after a rename or a merge is held
    /// against what was predicted before it. Its classes have these names too, and those that became one label are one, as
    /// in the answers of the model: see [`merged`]. What was predicted, and how sure the model was of it, stays.
    #[must_use]
    pub fn with_own_names(&self, record: FeedbackRecord) -> FeedbackRecord {
        let predicted = record.predicted_labels();
        let mut called: Vec<String> = Vec::with_capacity(predicted.len());
        for label in &predicted {
            let name = self.own_name(label);
            if called.iter().all(|other| other != name) {
                called.push(name.to_owned());
            }
        }
        let prediction = match called == predicted {
            true => record.prediction,
            false => Some(join_as_written(called)),
        };
        let is_renamed = |class: &ClassScore| self.own_name(&class.name) != class.name;
        let classes = match record.classes.iter().any(is_renamed) {
            true => {
                let own = record.classes.into_iter().map(|class| ClassScore {
                    name: self.own_name(&class.name).to_owned(),
                    ..class
                });
                merged(own.collect(), self.several)
            }
            false => record.classes,
        };
        FeedbackRecord {
            prediction,
            classes,
            ..record
        }
    }

    /// Writes an answer of people by the names that labels have now: renames and merges are followed, and a proposal that
    /// was accepted since is its label. What is no longer in use stays what they answered.
    pub fn answer_now(&self, answer: &Answer) -> Answer {
        match answer {
            Answer::NewLabel { label } => self.names_in_use(self.read(label)),
            answer => self.names_in_use(answer.clone()),
        }
    }

    /// Follows renames and merges in an answer, as far as they lead to a label in use.
    fn names_in_use(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Labels { labels } => Answer::labels(labels.iter().map(|name| self.own_name(name))),
            other => other,
        }
    }

    /// Returns what a vote on a record means.
    pub fn map(&self, record: &FeedbackRecord, vote: &Vote) -> Mapped {
        self.map_vote(&Vote {
            answer: self.said(record, vote),
            ..vote.clone()
        })
    }

    /// Returns what a vote says, as it was given. What the record itself said is read anew, whole.
    fn said(&self, record: &FeedbackRecord, vote: &Vote) -> Answer {
        let is_of_record =
            vote.source == VoteSource::Feedback && Vote::of_feedback(record).as_ref() == Some(vote);
        let said = record.suggested_label.as_ref().or(record.prediction.as_ref());
        match said.filter(|_| is_of_record) {
            Some(said) => self.read(said),
            None => vote.said().clone(),
        }
    }

    /// Returns what a vote's answer means. What a user says and the set does not know is a proposal; what a reviewer
    /// answered was offered, so it stands.
    pub fn map_vote(&self, vote: &Vote) -> Mapped {
        let labels = match &vote.answer {
            Answer::Labels { labels } => self.apart(labels),
            Answer::NewLabel { label } => match self.names_allowed(label) {
                Some(names) => names,
                None => return Mapped::Answer(self.read(label)),
            },
            Answer::NoneFits | Answer::Unsure => return Mapped::Answer(vote.answer.clone()),
        };
        let joined = join_as_written(&labels);
        // A name with the delimiter was cut where the vote was taken; what names labels of the set was not.
        let was_cut = labels.len() > 1 && labels.iter().any(|label| self.find(label).is_none());
        let labels = match was_cut {
            true => self.names(&joined).unwrap_or(labels),
            false => labels,
        };
        if !self.allows(&labels) {
            return Mapped::Answer(self.proposal(labels));
        }

        let mut names = Vec::new();
        for label in &labels {
            match self.resolve(label) {
                Resolution::Label(name) => names.push(name.to_owned()),
                Resolution::Retired(_) => return Mapped::Retired,
                Resolution::Split(_) => return Mapped::Split,
                Resolution::Proposed(name) if vote.source.is_review() => names.push(name.to_owned()),
                Resolution::Proposed(_) => return Mapped::Answer(self.proposal(&labels)),
            }
        }
        Mapped::Answer(Answer::labels(names))
    }

    /// Returns the classes that the label of a training row names; the reason why its row is left out where one of them
    /// is no longer in use. Names that the set does not know stand: the data says what there is.
    ///
    /// # Errors
    ///
    /// The reason, as datasets count it.
    pub fn classes_of_row(&self, label: &str, mode: Mode) -> Result<Vec<String>, &'static str> {
        let names = match (self.names(label), mode) {
            (Some(names), _) => names,
            (None, Mode::MultiClass) => vec![single_label(label)],
            (None, Mode::MultiLabel) => split_labels(label),
        };
        let mut classes = names
            .iter()
            .map(|name| match self.resolve(name) {
                Resolution::Label(name) | Resolution::Proposed(name) => Ok(name.to_owned()),
                Resolution::Retired(_) => Err(Mapped::RETIRED),
                Resolution::Split(_) => Err(Mapped::SPLIT),
            })
            .collect::<Result<Vec<_>, _>>()?;
        classes.sort();
        classes.dedup();
        Ok(classes)
    }

    /// Returns what reviewers choose from: the active labels, then classes of the serving model that mean none of them.
    ///
    /// A class that is merged, retired or split is no choice of its own.
    pub fn choices<'a>(&'a self, classes: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut choices: Vec<String> = self.active().map(str::to_owned).collect();
        let mut keys = BTreeSet::new();
        for class in classes {
            if let Resolution::Proposed(name) = self.resolve(class)
                && !name.is_empty()
                && keys.insert(label_key(name))
            {
                choices.push(name.to_owned());
            }
        }
        choices
    }

    /// Returns where the set and the classes of a model differ.
    pub fn difference<'a>(&'a self, classes: impl IntoIterator<Item = &'a str>) -> Difference {
        let mut known = BTreeSet::new();
        let mut difference = Difference::default();
        for class in classes {
            match self.resolve(class) {
                Resolution::Label(name) => {
                    known.insert(name);
                    let pair = || (class.to_owned(), name.to_owned());
                    match self.find(class) {
                        Some(label) if label.name != name => difference.merged.push(pair()),
                        _ if label_key(class) != label_key(name) => difference.renamed.push(pair()),
                        _ => {}
                    }
                }
                Resolution::Retired(_) => difference.retired.push(class.to_owned()),
                Resolution::Split(_) => difference.split.push(class.to_owned()),
                Resolution::Proposed(_) => difference.not_in_set.push(class.to_owned()),
            }
        }
        let missing = self.active().filter(|name| !known.contains(name));
        difference.not_in_model = missing.map(str::to_owned).collect();
        difference
    }
}
