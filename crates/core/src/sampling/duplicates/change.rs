//! What is about to become of copies, so that a build finds what changed since the one before.

use serde::{Deserialize, Serialize};

use super::KeptCopy;

/// What becomes of copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Becomes {
    /// They are kept beside their question.
    Kept,
    /// They go on to people, or their user has taken back what they say.
    Removed,
}

/// A change of some copies, written before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesChange {
    /// What becomes of them.
    pub becomes: Becomes,
    /// Keys of the copies.
    pub copies: Vec<String>,
}

impl CopiesChange {
    /// Returns the copies that it names.
    pub fn copies(&self) -> impl Iterator<Item = KeptCopy> {
        self.copies.iter().filter_map(|key| KeptCopy::parse(key))
    }

    /// Returns whether a copy is to be there once the change is made.
    pub fn keeps(&self) -> bool {
        self.becomes == Becomes::Kept
    }
}
