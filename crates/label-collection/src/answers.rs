//! What people answered, as it is read by the labels of today.

use std::sync::Arc;

use active_learning_core::labels::{
    human_loop::{Answer, HumanLoopOutput, ReviewedItem},
    label_set::LabelSet,
    vote::Vote,
};

/// The answers of an output, matched to its records.
#[derive(Debug)]
pub(crate) struct Answers {
    /// The label set by which they were read.
    pub(crate) labels: Option<Arc<LabelSet>>,
    /// The records with their votes.
    pub(crate) items: Vec<ReviewedItem>,
    /// What of the forms was not read.
    pub(crate) fields: Fields,
}

/// How much of the forms of an output was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Reviewers who entered something of which nothing can be read.
    pub(crate) unreadable: usize,
    /// Fields that belong to no record.
    pub(crate) unmatched: usize,
}

impl Answers {
    /// Matches the answers to the records. A name is the label that the task offered, or else one of the label set.
    pub(crate) fn read(output: &HumanLoopOutput, labels: Option<Arc<LabelSet>>) -> Self {
        let offered = output.offered_labels();
        let resolve = |name: &str| offered.resolve_by(name, labels.as_deref());
        let items = output.reviewed_by(&resolve);
        let fields = Fields {
            unreadable: output.unreadable_answers_by(&resolve),
            unmatched: output.unmatched_fields_by(&resolve).len(),
        };
        Self {
            items,
            fields,
            labels,
        }
    }

    /// Returns whether somebody answered, and nothing of any answer can be read.
    pub(crate) fn are_unreadable(&self) -> bool {
        self.fields.unreadable > 0 && self.items.iter().all(|item| item.votes.is_empty())
    }

    /// Returns whether everything that was entered is read, and names labels that are known.
    pub(crate) fn are_all_known(&self) -> bool {
        let is_unknown = |vote: &Vote| matches!(vote.answer, Answer::NewLabel { .. });
        let mut votes = self.items.iter().flat_map(|item| &item.votes);
        self.fields.unreadable == 0 && !votes.any(is_unknown)
    }
}
