//! A change of a label set, as somebody asks for it: the same for the command, the console and whoever counts what it does.

use serde::{Deserialize, Serialize};

use super::{LabelSet, LabelSetError};

/// What the function that builds models answers to who asks what a change of the label set will do. That it was not counted is an
/// answer too, and no failure of the function: a change can be made all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeCount {
    /// It was counted.
    Counted(ChangeCounted),
    /// It was not, for this reason.
    NotCounted(String),
}

/// What a change of the label set will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCounted {
    /// In words, with numbers.
    pub text: String,
    /// Version of the set that is changed.
    pub version: u64,
}

/// A change of a label set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LabelChange {
    /// Adds a label, or brings one back: see [`LabelSet::add`].
    Add {
        /// Its name.
        name: String,
        /// What belongs to it, for reviewers; may be empty.
        #[serde(default)]
        description: String,
    },
    /// Gives a label another name: see [`LabelSet::rename`].
    Rename {
        /// Its name now.
        old: String,
        /// Its name from then on.
        new: String,
    },
    /// Makes the rows of a label, or of a proposed name, those of another: see [`LabelSet::merge`].
    Merge {
        /// The label that goes.
        from: String,
        /// The label that stays.
        into: String,
    },
    /// Takes a label out of use: see [`LabelSet::retire`].
    Retire {
        /// Its name.
        name: String,
    },
    /// Puts others in the place of a label: see [`LabelSet::split`].
    Split {
        /// The label that goes.
        name: String,
        /// The labels in its place.
        into: Vec<String>,
    },
    /// Says what belongs to a label: see [`LabelSet::describe`].
    Describe {
        /// Its name.
        name: String,
        /// What belongs to it.
        description: String,
    },
    /// Puts labels first: see [`LabelSet::order`].
    Order {
        /// Their names.
        names: Vec<String>,
    },
    /// Gives a label one more name: see [`LabelSet::add_synonym`].
    Synonym {
        /// Its name.
        name: String,
        /// The other name.
        synonym: String,
    },
    /// Takes another name of a label away: see [`LabelSet::remove_synonym`].
    RemoveSynonym {
        /// Its name.
        name: String,
        /// The other name.
        synonym: String,
    },
    /// Notes that a proposed name is to be no label: see [`LabelSet::refuse`].
    Refuse {
        /// The name.
        name: String,
    },
}

impl LabelSet {
    /// Makes a change.
    ///
    /// # Errors
    ///
    /// [`LabelSetError`] where it cannot be made.
    pub fn apply(&mut self, change: &LabelChange) -> Result<(), LabelSetError> {
        match change {
            LabelChange::Add { name, description } => self.add(name, description),
            LabelChange::Rename { old, new } => self.rename(old, new),
            LabelChange::Merge { from, into } => self.merge(from, into),
            LabelChange::Retire { name } => self.retire(name),
            LabelChange::Split { name, into } => self.split(name, into),
            LabelChange::Describe { name, description } => self.describe(name, description),
            LabelChange::Order { names } => self.order(names),
            LabelChange::Synonym { name, synonym } => self.add_synonym(name, synonym),
            LabelChange::RemoveSynonym { name, synonym } => self.remove_synonym(name, synonym),
            LabelChange::Refuse { name } => self.refuse(name),
        }
    }
}
