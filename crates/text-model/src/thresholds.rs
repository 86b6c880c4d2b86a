//! From which probability on a label is given: each label of a multi-label model has a threshold of its own.
//!
//! A rare label is seldom more likely than not, and so would never be given from a half on. Where it is given instead is
//! where F1 on held-out texts is best. That is never above a half: of probabilities that are as often right as they say,
//! the best threshold is half the best F1. Above it chance alone speaks.
//!
//! Readers of scores know one threshold, [`LABEL_THRESHOLD`]. So a probability from a label's own
//! threshold on is raised to it, the threshold itself exactly; from [`AS_IT_IS`] on it stays as it is, and so does all below
//! the threshold. The order of texts stays. Confidence of a raised label says that it is in doubt, as it is.
//!
//! Source: Z. C. Lipton, C. Elkan and B. Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure" (ECML
//! PKDD 2014).

use active_learning_core::dataset::Mode;

use crate::{calibration::Judged, doubt::LEAST_CEILING_OF_HALVES, metrics::LABEL_THRESHOLD};

/// Fewest held-out texts with a label, and without it, that say where it is to be given; of fewer it is from a half on.
const MIN_TEXTS: usize = 20;
/// Least threshold: a label that is right once in ten times is not given.
const LEAST: f32 = 0.1;
/// Probability from which on nothing is raised. Not more than what doubt leaves of a label that is given.
const AS_IT_IS: f32 = LEAST_CEILING_OF_HALVES;

/// One threshold a label, each from [`LEAST`] to [`LABEL_THRESHOLD`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thresholds(Vec<f32>);

impl Thresholds {
    /// Learns from the probabilities of held-out texts; `None` where every label is given from a half on.
    pub(crate) fn of(mode: Mode, judged: &[Judged], probabilities: &[Vec<f32>]) -> Option<Self> {
        let classes = probabilities.first().map_or(0, Vec::len);
        if mode == Mode::MultiClass {
            return None;
        }
        let of_class = |class: usize| {
            let texts = judged.iter().zip(probabilities);
            let texts = texts.map(|(text, probabilities)| Decision {
                probability: probabilities[class],
                is_right: text.truth.contains(&(class as u32)),
                weight: text.weight,
            });
            best_threshold(texts.collect())
        };
        Self::stored((0..classes).map(of_class).collect())
            .filter(|thresholds| thresholds.0.iter().any(|threshold| *threshold < LABEL_THRESHOLD))
    }

    /// Takes thresholds from a file; `None` where one can be none.
    pub(crate) fn stored(thresholds: Vec<f32>) -> Option<Self> {
        let fits = |threshold: &f32| (LEAST..=LABEL_THRESHOLD).contains(threshold);
        thresholds.iter().all(fits).then_some(Self(thresholds))
    }

    /// Returns the thresholds, one a label.
    pub(crate) fn of_labels(&self) -> &[f32] {
        &self.0
    }

    /// Has each label be given from [`LABEL_THRESHOLD`] on.
    pub(crate) fn raise(&self, probabilities: &mut [f32]) {
        for (probability, threshold) in probabilities.iter_mut().zip(&self.0) {
            *probability = raised(*probability, *threshold);
        }
    }
}

fn raised(probability: f32, threshold: f32) -> f32 {
    if threshold >= LABEL_THRESHOLD || !(threshold..AS_IT_IS).contains(&probability) {
        return probability;
    }
    let share = (probability - threshold) / (AS_IT_IS - threshold);
    (LABEL_THRESHOLD + share * (AS_IT_IS - LABEL_THRESHOLD)).min(AS_IT_IS)
}

/// What is known of a label of one text.
struct Decision {
    probability: f32,
    is_right: bool,
    /// For how many texts of the traffic it stands.
    weight: f64,
}

/// Returns the threshold of the best F1, the highest of equally good ones.
fn best_threshold(mut texts: Vec<Decision>) -> f32 {
    let positives = texts.iter().filter(|text| text.is_right).count();
    if positives.min(texts.len() - positives) < MIN_TEXTS {
        return LABEL_THRESHOLD;
    }
    texts.sort_by(|left, right| right.probability.total_cmp(&left.probability));
    let right: f64 = texts
        .iter()
        .filter(|text| text.is_right)
        .map(|text| text.weight)
        .sum();
    let from_half = texts.partition_point(|text| text.probability >= LABEL_THRESHOLD);
    let (mut given, mut given_and_right) = (0.0, 0.0);
    for text in &texts[..from_half] {
        given += text.weight;
        given_and_right += if text.is_right { text.weight } else { 0.0 };
    }

    let f1 = |given: f64, given_and_right: f64| 2.0 * given_and_right / (given + right);
    let (mut best, mut best_f1) = (LABEL_THRESHOLD, f1(given, given_and_right));
    let below = &texts[from_half..];
    for (place, text) in below.iter().enumerate() {
        given += text.weight;
        given_and_right += if text.is_right { text.weight } else { 0.0 };
        let next = below.get(place + 1).map_or(0.0, |next| next.probability);
        let is_between = next < text.probability;
        let threshold = f32::midpoint(text.probability, next).max(LEAST);
        if is_between && threshold <= text.probability && f1(given, given_and_right) > best_f1 + f64::EPSILON
        {
            (best, best_f1) = (threshold, f1(given, given_and_right));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many texts of a label and others, each with one probability.
    fn texts(of: &[(usize, usize, f32)]) -> (Vec<Judged>, Vec<Vec<f32>>) {
        let one = |truth: Vec<u32>, probability: f32| {
            let judged = Judged {
                scores: Vec::new(),
                truth,
                weight: 1.0,
            };
            (judged, vec![probability, 0.9])
        };
        let alike = |&(with, without, probability): &(usize, usize, f32)| {
            let with = std::iter::repeat_n(vec![0, 1], with);
            let all = with.chain(std::iter::repeat_n(vec![1], without));
            all.map(move |truth| one(truth, probability))
        };
        of.iter().flat_map(alike).unzip()
    }

    fn thresholds(of: &[(usize, usize, f32)]) -> Option<Thresholds> {
        let (judged, probabilities) = texts(of);
        Thresholds::of(Mode::MultiLabel, &judged, &probabilities)
    }

    #[test]
    fn a_label_is_given_from_where_its_f1_is_best() {
        let found = thresholds(&[(30, 60, 0.34), (3, 97, 0.04)]).expect("below a half");

        // Between the two; the other label has no text without it, so a half.
        assert!((found.of_labels()[0] - 0.19).abs() < 1e-6, "{found:?}");
        assert_eq!(found.of_labels()[1], 0.5);
        // Both are given where that is best, but not below a tenth.
        let all = thresholds(&[(30, 60, 0.3), (30, 60, 0.12)]).expect("below a half");
        assert_eq!(all.of_labels()[0], 0.1);
    }

    #[test]
    fn a_label_that_is_told_apart_at_a_half_is_given_from_a_half_on() {
        assert_eq!(thresholds(&[(40, 10, 0.8), (5, 95, 0.05)]), None);
    }

    #[test]
    fn a_label_of_few_texts_is_given_from_a_half_on() {
        assert_eq!(thresholds(&[(19, 38, 0.34), (0, 100, 0.04)]), None);
        assert!(thresholds(&[(20, 40, 0.34), (0, 100, 0.04)]).is_some());
    }

    #[test]
    fn texts_that_doubt_chose_count_as_they_weigh() {
        let (mut judged, probabilities) = texts(&[(40, 20, 0.4), (30, 10, 0.2), (0, 300, 0.02)]);
        let all = Thresholds::of(Mode::MultiLabel, &judged, &probabilities).expect("below a half");
        judged[60..90].iter_mut().for_each(|text| text.weight = 0.01);
        let fewer = Thresholds::of(Mode::MultiLabel, &judged, &probabilities).expect("below a half");

        assert!((all.of_labels()[0] - 0.11).abs() < 1e-6, "{all:?}");
        assert!((fewer.of_labels()[0] - 0.3).abs() < 1e-6, "{fewer:?}");
    }

    #[test]
    fn the_threshold_lies_at_a_half_and_what_is_far_from_it_stays() {
        let thresholds = Thresholds::stored(vec![0.3, 0.5]).expect("thresholds");
        let raised = |probability: f32| {
            let mut probabilities = [probability; 2];
            thresholds.raise(&mut probabilities);
            assert_eq!(probabilities[1], probability, "the other label stays");
            probabilities[0]
        };

        assert_eq!(raised(0.3), 0.5);
        assert_eq!([0.0, 0.29, 0.6, 0.9, 1.0].map(raised), [0.0, 0.29, 0.6, 0.9, 1.0]);
        assert!((raised(0.45) - 0.55).abs() < 1e-6, "{}", raised(0.45));
        let steps: Vec<f32> = (0..=1_000_u16)
            .map(|step| raised(f32::from(step) / 1_000.0))
            .collect();
        assert!(steps.is_sorted_by(|left, right| left < right));
    }

    #[test]
    fn what_can_be_no_threshold_is_not_read() {
        for bad in [f32::NAN, 0.05, 0.51] {
            assert_eq!(Thresholds::stored(vec![0.5, bad]), None);
        }
    }
}
