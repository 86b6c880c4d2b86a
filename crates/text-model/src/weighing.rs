//! For how many texts of the traffic a judged one stands.
//!
//! Texts that were chosen because a model was in doubt are harder than the traffic: a confidence that is right of them is
//! too low of all others. Who has more to say is learned from all texts alike, since that is what they were chosen
//! for; how sure the model may be, and how frequent its classes are, from those that chance chose. All chosen texts
//! together count there as [`CHOSEN_COUNT_AS`]: they decide while few others are at hand, and hardly later.

use crate::calibration::Judged;

/// Texts of the traffic that all chosen ones stand for at most.
///
/// Of 5 to all of them: the calibration error after 25 to 100 labels of news falls up to here, and after 300 no more.
const CHOSEN_COUNT_AS: f64 = 40.0;

/// Weighs texts, of which it is known whether they were chosen; returns whether some were, and others not.
pub(crate) fn weigh(judged: &mut [Judged], is_chosen: impl Iterator<Item = bool>) -> bool {
    let is_chosen: Vec<bool> = is_chosen.collect();
    let chosen = is_chosen.iter().filter(|is_chosen| **is_chosen).count();
    let weight = (CHOSEN_COUNT_AS / chosen as f64).min(1.0);
    for (text, is_chosen) in judged.iter_mut().zip(is_chosen) {
        text.weight = if is_chosen { weight } else { 1.0 };
    }
    chosen > 0 && chosen < judged.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_chosen_texts_together_count_as_forty() {
        let judged = || Judged {
            scores: vec![vec![1.0, -1.0]],
            truth: vec![0],
            weight: 1.0,
        };
        let mut texts: Vec<Judged> = (0..100).map(|_| judged()).collect();

        let any = weigh(&mut texts, (0..100).map(|n| n >= 20));

        let weights = texts.iter().map(|text| text.weight);
        assert!(any);
        assert!((weights.sum::<f64>() - 60.0).abs() < 1e-9);
        assert!(!weigh(&mut texts, (0..100).map(|_| false)));
        assert!(texts.iter().all(|text| text.weight == 1.0));
    }
}
