//! Texts to learn from.

use active_learning_core::{sampling::selection::SelectedBy, text::Vector};

use crate::features::Features;

/// Rare classes' errors cost at most so many times more.
const MAX_CLASS_COST: f32 = 10.0;

/// A text to learn from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labelled<'a> {
    pub features: &'a Features,
    /// Numbers of its classes, ascending.
    pub labels: &'a [u32],
    /// What an encoder made of it.
    pub vector: Option<&'a Vector>,
    /// How it was selected.
    pub selected_by: SelectedBy,
}

impl Labelled<'_> {
    pub(crate) fn has(&self, class: usize) -> bool {
        self.labels.iter().any(|&label| label as usize == class)
    }
}

/// Errors on a class cost more the rarer it is, by the square root.
pub(crate) fn class_costs(texts: &[Labelled<'_>], classes: usize, cost: f32) -> Vec<f32> {
    let mut counts = vec![0_u32; classes];
    for &label in texts.iter().flat_map(|text| text.labels) {
        counts[label as usize] += 1;
    }
    let mean = counts.iter().sum::<u32>() as f32 / classes as f32;
    let of_class = |count: u32| cost * (mean / count.max(1) as f32).sqrt().clamp(1.0, MAX_CLASS_COST);
    counts.into_iter().map(of_class).collect()
}
