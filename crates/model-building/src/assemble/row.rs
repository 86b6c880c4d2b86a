//! A row of a dataset while it is assembled: its text is on the disk, and its labels are numbers.

use std::collections::HashMap;

use active_learning_core::{
    dataset::{ContentId, Mode, TextId},
    feedback::prediction::split_labels,
    labels::label_set::LabelSet,
    sampling::selection::SelectedBy,
};

use crate::spool::Piece;

/// A text with its labels; 80 bytes.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub id: TextId,
    /// Decides on which side of the split it is.
    pub content: ContentId,
    pub text: Piece,
    /// Number of its set of labels.
    pub labels: u32,
    pub source: Source,
    /// Whether it may be held out: its text is an initial row or an imported one, or chance selected it from the traffic.
    pub candidate: bool,
    /// How its text was selected.
    pub selected_by: SelectedBy,
    /// Copies of the text that its answer serves.
    pub copies: u64,
}

/// Where a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Initial,
    /// An imported file, and nobody here has answered.
    Import,
    HumanReview,
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Import => "import",
            Self::HumanReview => "human-review",
        }
    }
}

/// The different sets of labels, numbered.
#[derive(Default)]
pub(super) struct LabelSets(HashMap<String, u32>);

impl LabelSets {
    pub(super) fn number(&mut self, joined: String) -> u32 {
        let next = u32::try_from(self.0.len()).expect("fewer label sets than rows");
        *self.0.entry(joined).or_insert(next)
    }

    /// Returns the sets as they are written, by number.
    pub(super) fn by_number(&self) -> Vec<String> {
        let mut sets = vec![String::new(); self.0.len()];
        for (joined, number) in &self.0 {
            sets[*number as usize].clone_from(joined);
        }
        sets
    }

    /// Returns what the labels make of a dataset that nobody says the mode of.
    pub(super) fn mode(&self, set: &LabelSet) -> Mode {
        match self.any_of_several(set) {
            true => Mode::MultiLabel,
            false => Mode::MultiClass,
        }
    }

    /// Returns whether a label of a file names several, by the label set and otherwise by the delimiter.
    pub(super) fn any_of_several(&self, set: &LabelSet) -> bool {
        let is_several = |label: &String| match set.names(label) {
            Some(names) => names.len() > 1,
            None => split_labels(label).len() > 1,
        };
        self.0.keys().any(is_several)
    }
}
