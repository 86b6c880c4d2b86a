//! Doubt about texts that are like none of those that were learned from.
//!
//! A linear model has an opinion of any text, chit-chat and gibberish too, and shares of probabilities make it a sure one.
//! So a text is compared with the training texts: by its vector, or else by how many of its words they have. Where nearly all
//! of these were, each before it was learned from, a model is as sure as it is. The further away a text is, the less sure a
//! model may be, down to [`LEAST_CEILING`]. What it says stays the same; only how surely it says it changes.

use active_learning_core::{dataset::Mode, text::Vector};

use crate::region::Region;

/// Fewest held-out texts that say how far texts usually are away.
const MIN_TEXTS: usize = 20;
/// Share of the held-out texts whose vectors are believed as they are.
const USUAL_SHARE: f64 = 0.97;
/// How far behind these a text is among the strangest, as a share of the way from the middle one to the last of them.
const STEPS: f32 = 0.5;
/// Share of the held-out texts that have enough known words to be believed as they are.
const ENOUGH_WORDS_SHARE: f64 = 0.99;
/// Where so few are enough, their number says little, and one is.
const MIN_WORDS: f32 = 4.0;
/// Share of these at which a text is as strange as one of which no word is known.
const FEW_WORDS: f32 = 0.5;
/// How sure a model is of the strangest text at most: in doubt by thresholds above it, which the default of the stack is not,
/// and above that of a label.
///
/// Of held-out news that are this far away some 70 % are right: on these the calibration error hardly grows.
const LEAST_CEILING: f32 = 0.6;

/// How like the training texts a text is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Likeness {
    /// Its words that they have, each as often as it occurs.
    pub known_words: u32,
    /// How far its vector is from theirs, if both have some.
    pub distance: Option<f32>,
}

/// Which texts a model doubts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Doubt {
    /// Known words of a text, from which on it is believed.
    pub enough_words: f32,
    /// Of a model that looks at vectors too.
    pub far: Option<Far>,
}

/// Which vectors are far away.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Far {
    pub region: Region,
    /// Distance up to which a text is believed.
    pub usual: f32,
    /// Distance from which on it is believed least.
    pub limit: f32,
}

impl Doubt {
    /// Learns from held-out texts; `None` where they are too few to say what is usual.
    pub(crate) fn of(held_out: &[Likeness], region: Option<&Region>) -> Option<Self> {
        if held_out.len() < MIN_TEXTS {
            return None;
        }
        let words = held_out.iter().map(|text| text.known_words as f32).collect();
        let enough_words = at_share(words, 1.0 - ENOUGH_WORDS_SHARE);
        let distances: Option<Vec<f32>> = held_out.iter().map(|text| text.distance).collect();
        Some(Self {
            enough_words: if enough_words < MIN_WORDS {
                1.0
            } else {
                enough_words
            },
            far: region.zip(distances).map(|(region, distances)| {
                let middle = at_share(distances.clone(), 0.5);
                let usual = at_share(distances, USUAL_SHARE);
                Far {
                    region: region.clone(),
                    usual,
                    limit: usual + STEPS * (usual - middle),
                }
            }),
        })
    }

    /// Has any known word be enough.
    pub(crate) fn of_no_known_word(self) -> Self {
        Self {
            enough_words: 1.0,
            ..self
        }
    }

    /// Returns how far the vector of a text is away, if the model looks at vectors.
    pub(crate) fn distance(&self, vector: Option<&Vector>) -> Option<f32> {
        self.far.as_ref()?.region.distance(vector?)
    }

    /// Has no probability exceed what a text is like the training texts; their order stays.
    pub(crate) fn dampen(&self, text: Likeness, mode: Mode, probabilities: &mut [f32]) {
        let ceiling = self.ceiling(text);
        match mode {
            Mode::MultiClass => {
                let best = probabilities.iter().copied().fold(0.0, f32::max);
                let even = 1.0 / probabilities.len() as f32;
                if best > ceiling {
                    let factor = (ceiling - even) / (best - even);
                    probabilities
                        .iter_mut()
                        .for_each(|probability| *probability = even + factor * (*probability - even));
                }
            }
            Mode::MultiLabel => probabilities
                .iter_mut()
                .for_each(|probability| *probability = probability.min(ceiling)),
        }
    }

    /// Returns how sure a model may be of a text, from [`LEAST_CEILING`] to 1.
    fn ceiling(&self, text: Likeness) -> f32 {
        let beyond = match (&self.far, text.distance) {
            (Some(far), Some(distance)) => share_of(distance, far.usual, far.limit),
            (Some(_), None) | (None, _) => {
                let words = self.enough_words - text.known_words as f32;
                share_of(words, 0.0, self.enough_words * (1.0 - FEW_WORDS))
            }
        };
        1.0 - (1.0 - LEAST_CEILING) * beyond
    }
}

/// Returns how far a value is on the way between two others: 0 up to the first, 1 from the second on.
fn share_of(value: f32, from: f32, to: f32) -> f32 {
    if value <= from {
        return 0.0;
    }
    ((value - from) / (to - from).max(f32::MIN_POSITIVE)).min(1.0)
}

/// Returns the value that is not exceeded by this share of all.
fn at_share(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_by(f32::total_cmp);
    let last = values.len().saturating_sub(1);
    let place = (share * last as f64).round() as usize;
    values.get(place.min(last)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::LABEL_THRESHOLD;

    fn text(known_words: u32, distance: Option<f32>) -> Likeness {
        Likeness {
            known_words,
            distance,
        }
    }

    fn region() -> Region {
        Region {
            mean: vec![0.0; 2],
            scale: 1.0,
            directions: vec![0; 2],
        }
    }

    /// Of texts at distances from 1 to 2, with 10 to 50 known words.
    fn doubt() -> Doubt {
        let held_out: Vec<Likeness> = (0..=40)
            .map(|n| text(10 + n, Some(1.0 + n as f32 / 40.0)))
            .collect();
        Doubt::of(&held_out, Some(&region())).expect("texts enough")
    }

    fn best_of(doubt: &Doubt, text: Likeness) -> f32 {
        let mut probabilities = vec![0.02, 0.95, 0.03];
        doubt.dampen(text, Mode::MultiClass, &mut probabilities);
        let sum: f32 = probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "{probabilities:?}");
        assert!(probabilities[1] > probabilities[2] && probabilities[2] > probabilities[0]);
        probabilities[1]
    }

    #[test]
    fn the_further_a_text_is_from_the_training_texts_the_less_sure_it_is() {
        let doubt = doubt();

        let sure = |distance| best_of(&doubt, text(0, Some(distance)));

        assert_eq!(sure(1.9), 0.95);
        assert!(sure(2.1) < 0.9 && sure(2.1) > sure(2.2), "{}", sure(2.1));
        assert!((sure(9.0) - 0.6).abs() < 1e-5, "{}", sure(9.0));
    }

    #[test]
    fn without_a_vector_known_words_decide() {
        let doubt = doubt();

        assert_eq!(best_of(&doubt, text(20, None)), 0.95);
        assert!(best_of(&doubt, text(7, None)) < 0.85);
        assert!((best_of(&doubt, text(0, None)) - 0.6).abs() < 1e-5);
    }

    #[test]
    fn what_is_in_doubt_anyhow_stays_as_it_is() {
        let mut probabilities = vec![0.55, 0.45];

        doubt().dampen(text(0, Some(9.0)), Mode::MultiClass, &mut probabilities);

        assert_eq!(probabilities, [0.55, 0.45]);
    }

    #[test]
    fn a_label_that_is_given_stays_given() {
        let mut probabilities = vec![0.02, 0.95, 0.3];

        doubt().dampen(text(0, Some(9.0)), Mode::MultiLabel, &mut probabilities);

        assert!(probabilities[1] >= LABEL_THRESHOLD && probabilities[1] < 0.61);
        assert_eq!((probabilities[0], probabilities[2]), (0.02, 0.3));
    }

    #[test]
    fn where_texts_are_short_one_known_word_is_enough() {
        let doubt = Doubt::of(&[text(3, None); 40], None).expect("texts enough");

        assert_eq!(best_of(&doubt, text(1, None)), 0.95);
        assert!(best_of(&doubt, text(0, None)) < 0.61);
    }

    #[test]
    fn few_texts_do_not_say_what_is_usual() {
        assert_eq!(Doubt::of(&[text(1, None); 19], None), None);
    }
}
