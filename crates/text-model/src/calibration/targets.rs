//! What probabilities should be, by texts that were judged.

use active_learning_core::dataset::Mode;

use super::Judged;

/// What probabilities should be.
pub(super) struct Targets {
    right: f64,
    wrong: f64,
    /// Added to the count of each class.
    pub doubt: f64,
    /// Share of each class, 0 to 1, both excluded.
    pub shares: Vec<f64>,
}

impl Targets {
    pub(super) fn of(judged: &[Judged], mode: Mode, classes: usize, wrong_texts: f64) -> Self {
        let softened = wrong_texts / (all_weights(judged) + 2.0);
        let wrong = match mode {
            Mode::MultiClass => softened / (classes - 1) as f64,
            Mode::MultiLabel => softened,
        };
        let mut shares = vec![1.0; classes];
        for text in judged {
            for &class in &text.truth {
                shares[class as usize] += text.weight;
            }
        }
        let all = all_weights(judged) + classes as f64;
        shares.iter_mut().for_each(|share| *share /= all);
        Self {
            right: 1.0 - softened,
            wrong,
            doubt: 1.0,
            shares,
        }
    }

    pub(super) fn of_class(&self, text: &Judged, class: usize) -> f64 {
        let right = text.truth.iter().any(|&right| right as usize == class);
        if right { self.right } else { self.wrong }
    }
}

pub(super) fn all_weights(judged: &[Judged]) -> f64 {
    judged.iter().map(|text| text.weight).sum()
}
