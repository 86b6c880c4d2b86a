//! What becomes of the objects of a job.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record::PartSummary;

/// Who labelled an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelledBy {
    /// Reviewers.
    People,
    /// The model.
    Machine,
    /// Somebody before this job: the input line has the label.
    Earlier,
}

/// What became of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ObjectState {
    /// It has not been asked.
    Waiting {
        /// Calls for it that failed.
        #[serde(default)]
        tries: u32,
        /// When the next one is made, where one has failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<DateTime<Utc>>,
    },
    /// It is not in a round yet: a model may label it.
    Withheld,
    /// Reviewers are asked.
    Asked {
        /// When its task is over.
        expires_at: DateTime<Utc>,
        /// Consolidations of its answers that failed.
        #[serde(default)]
        tries: u32,
        /// When the next one is made, where one has failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<DateTime<Utc>>,
    },
    /// It has its label.
    Labelled {
        /// Who gave it.
        by: LabelledBy,
        /// What the output has of it, beside the input line.
        content: Map<String, Value>,
    },
    /// It is not to be labelled: filtered, or the job was stopped before.
    Passed,
    /// It has the text of another object, whose label it gets when that has one.
    Same {
        /// Number of the other object, which comes before it.
        object: usize,
    },
    /// Its text was erased at a person's wish: it is not in the output.
    Erased,
    /// It could not be labelled.
    Failed {
        /// Why, for `failure-reason`.
        reason: String,
        /// Calls for it that failed.
        tries: u32,
    },
}

impl ObjectState {
    /// An object that waits to be asked, and of which nothing has failed.
    pub const WAITING: Self = Self::Waiting {
        tries: 0,
        not_before: None,
    };
}

/// Up to [`PART_OBJECTS`](super::record::PART_OBJECTS) objects.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Their states, in the order of the input.
    pub objects: Vec<ObjectState>,
    /// Of a part by a version before, of objects whose text others have too: who is not asked about any of them, by worker id.
    /// Else the line itself says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excluded: BTreeMap<usize, Vec<String>>,
    /// How many others, of this part or another, have the text of an object of it and get its label when the job ends. A part
    /// by a version before does not say it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub copies: BTreeMap<usize, usize>,
}

impl Part {
    /// Returns what a job remembers of it.
    pub fn summary(&self) -> PartSummary {
        let mut summary = PartSummary::default();
        let counts = &mut summary.counts;
        let mut paused = 0;
        let (mut expires_at, mut resumes_at) = (None, None);
        for object in &self.objects {
            match object {
                ObjectState::Waiting { not_before, .. } => {
                    counts.waiting += 1;
                    resumes_at = earliest(resumes_at, *not_before);
                }
                ObjectState::Withheld => counts.withheld += 1,
                ObjectState::Asked {
                    not_before: Some(next),
                    ..
                } => {
                    (counts.asked, paused) = (counts.asked + 1, paused + 1);
                    resumes_at = earliest(resumes_at, Some(*next));
                }
                ObjectState::Asked { expires_at: end, .. } => {
                    counts.asked += 1;
                    expires_at = earliest(expires_at, Some(*end));
                }
                ObjectState::Labelled { by, .. } => match by {
                    LabelledBy::People => counts.human += 1,
                    LabelledBy::Machine => counts.machine += 1,
                    LabelledBy::Earlier => counts.earlier += 1,
                },
                ObjectState::Passed | ObjectState::Erased => counts.passed += 1,
                ObjectState::Failed { .. } => counts.failed += 1,
                ObjectState::Same { .. } => counts.same += 1,
            }
        }
        for (at, copies) in &self.copies {
            match self.objects.get(*at) {
                Some(ObjectState::Labelled { .. }) => counts.same_labelled += copies,
                Some(ObjectState::Asked { .. }) => counts.same_asked += copies,
                _ => {}
            }
        }
        PartSummary {
            expires_at,
            paused,
            resumes_at,
            ..summary
        }
    }
}

fn earliest(first: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    first.into_iter().chain(other).min()
}
