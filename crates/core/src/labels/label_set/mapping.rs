//! What names in answers, files and models mean by a label set.

use std::collections::BTreeSet;

use super::{LabelSet, Resolution};
use crate::{
    feedback::prediction::LABEL_DELIMITER,
    labels::{human_loop::Answer, label_key::label_key, vote::Vote},
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

/// Where the label set and the classes of a model differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Active labels that the model does not know.
    pub not_in_model: Vec<String>,
    /// Classes of the model that the set does not know.
    pub not_in_set: Vec<String>,
    /// Classes of the model that are no longer in use: renamed, merged, retired or split.
    pub outdated: Vec<String>,
}

impl Difference {
    /// Returns whether set and model have the same labels.
    pub fn is_empty(&self) -> bool {
        self.not_in_model.is_empty() && self.not_in_set.is_empty() && self.outdated.is_empty()
    }
}

impl LabelSet {
    /// Reads a text that names one label, or several joined by [`LABEL_DELIMITER`].
    ///
    /// A label whose name holds the delimiter is one label. A text with a part that means nothing is one proposal.
    pub fn read(&self, text: &str) -> Answer {
        match self.names(text) {
            Some(names) => Answer::labels(names),
            None => Answer::NewLabel {
                label: text.trim().to_owned(),
            },
        }
    }

    /// Cuts a text into names that the set knows, in as few pieces as there can be.
    fn names(&self, text: &str) -> Option<Vec<String>> {
        let parts: Vec<&str> = text.split(LABEL_DELIMITER).collect();
        // The best way to read the first parts, by their number.
        let mut best: Vec<Option<Vec<String>>> = vec![None; parts.len() + 1];
        best[0] = Some(Vec::new());
        for end in 1..=parts.len() {
            for start in 0..end {
                let name = parts[start..end].join(&LABEL_DELIMITER.to_string());
                let (Some(label), Some(before)) = (self.find(&name), &best[start]) else {
                    continue;
                };
                if best[end]
                    .as_ref()
                    .is_none_or(|known| known.len() > before.len() + 1)
                {
                    let mut names = before.clone();
                    names.push(label.name.clone());
                    best[end] = Some(names);
                }
            }
        }
        best.pop().flatten()
    }

    /// Returns what a vote's answer means. What a user says and the set does not know is a proposal; what a reviewer
    /// answered was offered, so it stands.
    pub fn map_vote(&self, vote: &Vote) -> Mapped {
        let labels = match &vote.answer {
            Answer::Labels { labels } => labels.clone(),
            Answer::NewLabel { label } => match self.names(label) {
                Some(names) => names,
                None => return Mapped::Answer(vote.answer.clone()),
            },
            Answer::NoneFits | Answer::Unsure => return Mapped::Answer(vote.answer.clone()),
        };
        let joined = labels.join(&LABEL_DELIMITER.to_string());
        // A name with the delimiter was cut where the vote was taken.
        let labels = match labels.len() > 1 {
            true => self.names(&joined).unwrap_or(labels),
            false => labels,
        };

        let mut names = Vec::new();
        for label in &labels {
            match self.resolve(label) {
                Resolution::Label(name) => names.push(name.to_owned()),
                Resolution::Retired(_) => return Mapped::Retired,
                Resolution::Split(_) => return Mapped::Split,
                Resolution::Proposed(name) if vote.source.is_review() => names.push(name.to_owned()),
                Resolution::Proposed(_) => return Mapped::Answer(Answer::NewLabel { label: joined }),
            }
        }
        Mapped::Answer(Answer::labels(names))
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
                    if name != class {
                        difference.outdated.push(class.to_owned());
                    }
                }
                Resolution::Retired(_) | Resolution::Split(_) => difference.outdated.push(class.to_owned()),
                Resolution::Proposed(_) => difference.not_in_set.push(class.to_owned()),
            }
        }
        let missing = self.active().filter(|name| !known.contains(name));
        difference.not_in_model = missing.map(str::to_owned).collect();
        difference
    }
}
