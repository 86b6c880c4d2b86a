//! One reviewer's answer to one item.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    feedback::prediction::{join_labels, split_labels},
    labels::label_key::label_key,
};

/// The answer "none of the labels fits", as the shipped worker task template sends it.
pub const NONE_FITS: &str = "__none__";
/// The answer "I cannot tell", as worker task templates send it.
pub const UNSURE: &str = "__unsure__";

/// Returns whether a name, however it is spelt, is what a page answers where no label is chosen: it can be no label.
pub fn is_answer_word(name: &str) -> bool {
    let key = label_key(name);
    [NONE_FITS, UNSURE].iter().any(|word| label_key(word) == key)
}

/// What the shipped page calls its choices beside the labels, as label keys.
const PAGE_CHOICES: [&str; 2] = ["none of these fits", "i cannot tell"];

/// Returns whether a name, however it is spelt, is a choice of the shipped page beside the labels: a label of that name could not be
/// told from it there.
pub fn is_page_choice(name: &str) -> bool {
    PAGE_CHOICES.contains(&label_key(name).as_str())
}

/// What people and templates write for "none of the labels fits", as label keys.
pub(super) const NONE_WORDS: [&str; 6] = [
    "none",
    "none fits",
    "none of these",
    "none of these fits",
    "none of the above",
    "no label fits",
];

/// What people and templates write for "I cannot tell", as label keys.
const UNSURE_WORDS: [&str; 9] = [
    "i cannot tell",
    "cannot tell",
    "i can't tell",
    "can't tell",
    "i can’t tell",
    "can’t tell",
    "unsure",
    "i am unsure",
    "not sure",
];

/// Returns the word of the pages, [`NONE_FITS`] or [`UNSURE`], that says what a text says; `None` where it says neither.
///
/// A label may be called so: where a text is a label of the task, it is that label.
pub fn answer_word(text: &str) -> Option<&'static str> {
    let key = label_key(text);
    let says = |word: &str, others: &[&str]| key == label_key(word) || others.contains(&key.as_str());
    match () {
        () if says(NONE_FITS, &NONE_WORDS) => Some(NONE_FITS),
        () if says(UNSURE, &UNSURE_WORDS) => Some(UNSURE),
        () => None,
    }
}

/// By name of a field, the choice in it that says that no label fits: what a `crowd-classifier` calls its exclusion category.
pub type ExclusionCategories = BTreeMap<String, String>;

/// Begins the name of the field with the comment on an item; its id follows.
pub const COMMENT_OF: &str = "comment:";
/// Begins the name of the field that flags an item for a second look; its id follows.
pub const FLAG_OF: &str = "flag:";

/// What a person answered for one item.
///
/// Ordered and comparable, so that equal answers of several people can be counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Answer {
    /// These labels fit; several only for multi-label tasks. Sorted, without duplicates, never empty.
    Labels {
        /// Names of the labels.
        labels: Vec<String>,
    },
    /// None of the labels fits.
    NoneFits,
    /// A label that was not offered: it may become a class, but is none yet.
    NewLabel {
        /// The proposed label; several are joined by
        /// [`LABEL_DELIMITER`](crate::feedback::prediction::LABEL_DELIMITER), in the order of [`Answer::proposal`]. Where a
        /// text may have several labels, a bar within a name is written `\|`: see
        /// [`join_labels`](crate::feedback::prediction::join_labels).
        label: String,
    },
    /// The reviewer could not tell.
    Unsure,
}

/// What an answer says, however its labels are spelt and in whatever order they stand.
///
/// Ordered as answers are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// The labels with these keys fit.
    Labels(BTreeSet<String>),
    /// None of the labels fits.
    NoneFits,
    /// The names with these keys are proposed.
    NewLabel(BTreeSet<String>),
    /// The reviewer could not tell.
    Unsure,
}

impl Answer {
    /// Makes the answer that names these labels, in any order.
    pub fn labels(labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut labels: Vec<String> = labels.into_iter().map(Into::into).collect();
        labels.sort();
        labels.dedup();
        Self::Labels { labels }
    }

    /// Makes the answer that proposes these names, in any order: several of a text are a set.
    ///
    /// The order is that of the names as they are compared, so that spelling changes it as little as place does. A bar within
    /// a name does not cut it: see [`join_labels`].
    pub fn proposal(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        names.sort_by_cached_key(|name| (label_key(name), name.clone()));
        names.dedup_by_key(|name| label_key(name));
        Self::NewLabel {
            label: join_labels(names),
        }
    }

    /// Returns what it says: answers with the same meaning are one answer, and are counted together.
    ///
    /// Older votes have the names of a proposal in the order in which somebody wrote them.
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::Labels { labels } => Meaning::Labels(keys(labels)),
            Self::NoneFits => Meaning::NoneFits,
            Self::NewLabel { label } => Meaning::NewLabel(keys(&split_labels(label))),
            Self::Unsure => Meaning::Unsure,
        }
    }

    /// Returns whether two answers name the same labels, however they are spelt and in whatever order they stand.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self == other || self.meaning() == other.meaning()
    }
}

fn keys(names: &[String]) -> BTreeSet<String> {
    names.iter().map(|name| label_key(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(label: &str) -> Answer {
        Answer::NewLabel {
            label: label.to_owned(),
        }
    }

    #[test]
    fn several_proposed_names_are_one_value_in_whatever_order_they_are_named() {
        assert_eq!(
            Answer::proposal(["Refund", "billing"]),
            proposed("billing|Refund")
        );
        assert_eq!(
            Answer::proposal(["billing", "Refund"]),
            proposed("billing|Refund")
        );
        assert_eq!(Answer::proposal(["Refund", "refund"]), proposed("Refund"));
        assert_eq!(
            Answer::proposal(["Sci|Art"]),
            proposed(r"Sci\|Art"),
            "one name stays one"
        );
    }

    #[test]
    fn a_proposal_of_before_says_the_same_in_another_order_and_no_other_one_does() {
        assert!(proposed("B|A").says_the_same(&proposed("a|B")));
        assert!(!proposed("B|A").says_the_same(&proposed("A|C")));
        assert!(!proposed("A").says_the_same(&Answer::labels(["A"])));
        assert!(Answer::labels(["a", "B"]).says_the_same(&Answer::labels(["b", "A"])));
    }
}
