//! What a training is to make.

use active_learning_core::{dataset::Mode, text::Vector};

/// What is the same for all texts of a training.
pub(crate) struct Plan<'a> {
    pub mode: Mode,
    pub labels: &'a [String],
    /// What made the texts' vectors, if they have any.
    pub encoder: Option<&'a str>,
    /// Vectors of the labels' names, if they have any.
    pub names: &'a [Vector],
    /// Vectors of texts without labels.
    pub unlabelled: &'a [Vector],
    pub max_weight_bytes: usize,
    pub seed: u64,
}
