//! Where feedback comes from and what it says.

use serde::{Deserialize, Serialize};

/// Where feedback comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A prediction of the classification API: the review policy selected it, or it was accepted as a label.
    Implicit,
    /// A user called the feedback API.
    ExplicitApi,
    /// A user uploaded a file.
    ExplicitBatch,
}

/// What the feedback says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// The confidence does not exceed the threshold.
    LowConfidence,
    /// The margin does not exceed its threshold.
    LowMargin,
    /// The predicted label is split or retired by now: the model is older than the label set.
    OutdatedLabel,
    /// The predicted label is none of the label set: a model that is hosted elsewhere has classes of its own.
    UnknownLabel,
    /// Selected at random.
    Audit,
    /// An operator changed the label set, which puts the answer in doubt: it is asked again, of anybody.
    Relabel,
    /// Nobody complains and no model has judged the text: one to label, of a file or of the time before the first model.
    Unlabelled,
    /// A user says that the prediction is wrong.
    Dislike,
    /// A user says that the prediction is right.
    Like,
    /// The prediction is accepted as a label without a person; see [`promise`](crate::model::accuracy_guarantee).
    Accepted,
}

impl Signal {
    /// Returns whether a person should look: a like is stored and counted only, an accepted prediction is a label.
    pub fn needs_review(self) -> bool {
        match self {
            Self::LowConfidence
            | Self::LowMargin
            | Self::OutdatedLabel
            | Self::UnknownLabel
            | Self::Audit
            | Self::Relabel
            | Self::Unlabelled
            | Self::Dislike => true,
            Self::Like | Self::Accepted => false,
        }
    }
}
