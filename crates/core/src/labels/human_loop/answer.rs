//! One reviewer's answer to one item.

use serde::{Deserialize, Serialize};

use crate::labels::label_key::label_key;

/// The answer "none of the labels fits", as the shipped worker task template sends it.
pub const NONE_FITS: &str = "__none__";
/// The answer "I cannot tell", as worker task templates send it.
pub const UNSURE: &str = "__unsure__";

/// Returns whether a name, however it is spelt, is what a page answers where no label is chosen: it can be no label.
pub fn is_answer_word(name: &str) -> bool {
    let key = label_key(name);
    [NONE_FITS, UNSURE].iter().any(|word| label_key(word) == key)
}

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
        /// [`LABEL_DELIMITER`](crate::feedback::prediction::LABEL_DELIMITER).
        label: String,
    },
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
}
