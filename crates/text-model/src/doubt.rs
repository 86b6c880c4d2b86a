//! Doubt about texts that are like none of those that were learned from.
//!
//! A linear model has an opinion of any text, chit-chat and gibberish too, and shares of probabilities make it a sure one.
//! So a text is compared with the training texts: by its vector and by how many of its words they have. Where nearly all
//! of these were, each before it was learned from, a model is as sure as it is. The further away a text is, the less sure a
//! model may be, down to [`LEAST_CEILING`]. What it says stays the same; only how surely it says it changes.
//!
//! Measured on 126 texts that are no news against held-out news: by distance alone 1 % of the news was further away than 13 %
//! of the others, with the words than none.

use active_learning_core::{dataset::Mode, text::Vector};

use crate::region::Region;

/// Fewest held-out texts that say how far texts usually are away.
const MIN_TEXTS: usize = 20;
/// Share of the held-out texts that are believed as they are, by vector and words.
///
/// Of news beyond 0.97 the model is as often right as it says: more than the strangest are not to be doubted.
const USUAL_SHARE: f64 = 0.995;
/// How far behind these a text is among the strangest, as a share of the way from the middle one to the last of them.
const STEPS: f32 = 0.3;
/// Share of the held-out texts whose distances say how far apart texts are.
const NEAR_SHARE: f64 = 0.97;
/// How much further away a text counts with half as many known words as the middle one, as a share of the way from the middle
/// distance to that of [`NEAR_SHARE`].
///
/// Of 0.2 to 0.5: with more, news cut down to four words is doubted more than it is wrong.
const FEWER_WORDS: f32 = 0.3;
/// Share of the held-out texts that have enough known words to be believed as they are.
const ENOUGH_WORDS_SHARE: f64 = 0.99;
/// Where so few are enough, their number says little, and one is.
const MIN_WORDS: f32 = 4.0;
/// Share of these at which a text is as strange as one of which no word is known.
const FEW_WORDS: f32 = 0.5;
/// How sure a model is of the strangest text at most: in doubt by the default threshold of the stack, which is 0.5.
const LEAST_CEILING: f32 = 0.45;
/// The same of two classes, whose best has a half at least, and of labels, which are given from a half on.
pub(crate) const LEAST_CEILING_OF_HALVES: f32 = 0.6;

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
    /// How sure a model is of the strangest text at most.
    pub least: f32,
    /// Of a model that looks at vectors too.
    pub far: Option<Far>,
}

/// Which texts are far away.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Far {
    pub region: Region,
    pub words: FewerWords,
    /// Distance up to which a text is believed, its words counted in.
    pub usual: f32,
    /// Distance from which on it is believed least.
    pub limit: f32,
}

/// How much further away a text counts that has fewer known words than others.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct FewerWords {
    /// Known words of the middle text.
    pub middle: f32,
    /// Distance for half of them; 0 of a model of format 6, or one that does not keep all its words.
    pub of_half: f32,
}

impl Doubt {
    /// Learns from held-out texts; `None` where they are too few to say what is usual.
    ///
    /// Where a model does not keep all its words, any known word is enough, and their number says nothing.
    pub(crate) fn of(
        held_out: &[Likeness],
        region: Option<&Region>,
        has_all_words: bool,
        least: f32,
    ) -> Option<Self> {
        if held_out.len() < MIN_TEXTS {
            return None;
        }
        let words: Vec<f32> = held_out.iter().map(|text| text.known_words as f32).collect();
        let middle_words = at_share(words.clone(), 0.5);
        let enough_words = at_share(words, 1.0 - ENOUGH_WORDS_SHARE);
        let is_enough = has_all_words && enough_words >= MIN_WORDS;
        let distances: Option<Vec<f32>> = held_out.iter().map(|text| text.distance).collect();
        let far = region.zip(distances).map(|(region, distances)| {
            let way = at_share(distances.clone(), NEAR_SHARE) - at_share(distances.clone(), 0.5);
            let words = FewerWords {
                middle: middle_words,
                of_half: if has_all_words { FEWER_WORDS * way } else { 0.0 },
            };
            let counted = distances.into_iter().zip(held_out);
            let counted = counted.map(|(distance, text)| distance + words.distance(text.known_words));
            Far::of(region, words, counted.collect())
        });
        Some(Self {
            enough_words: if is_enough { enough_words } else { 1.0 },
            least,
            far,
        })
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
                let ceiling = ceiling.max(even);
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

    /// Returns how sure a model may be of a text, from `least` to 1.
    fn ceiling(&self, text: Likeness) -> f32 {
        let beyond = match (&self.far, text.distance) {
            (Some(far), Some(distance)) => {
                let distance = distance + far.words.distance(text.known_words);
                share_of(distance, far.usual, far.limit)
            }
            (Some(_), None) | (None, _) => {
                let words = self.enough_words - text.known_words as f32;
                share_of(words, 0.0, self.enough_words * (1.0 - FEW_WORDS))
            }
        };
        1.0 - (1.0 - self.least) * beyond
    }
}

impl Far {
    /// Takes the distances of held-out texts, their words counted in.
    fn of(region: &Region, words: FewerWords, counted: Vec<f32>) -> Self {
        let middle = at_share(counted.clone(), 0.5);
        let usual = at_share(counted, USUAL_SHARE);
        Self {
            region: region.clone(),
            words,
            usual,
            limit: usual + STEPS * (usual - middle),
        }
    }
}

impl FewerWords {
    /// Returns how much further away a text counts: as much again with each half of the words.
    fn distance(self, known_words: u32) -> f32 {
        let halves = ((self.middle + 1.0) / (known_words as f32 + 1.0)).log2();
        self.of_half * halves.max(0.0)
    }
}

/// Returns how sure a model is of the strangest text at most.
pub(crate) fn least_ceiling(mode: Mode, classes: usize) -> f32 {
    match mode {
        Mode::MultiClass if classes > 2 => LEAST_CEILING,
        Mode::MultiClass | Mode::MultiLabel => LEAST_CEILING_OF_HALVES,
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

    fn of(held_out: &[Likeness], region: Option<&Region>) -> Option<Doubt> {
        Doubt::of(held_out, region, true, least_ceiling(Mode::MultiClass, 3))
    }

    /// Of texts at distances from 1 to 2, with 10 to 50 known words.
    fn doubt() -> Doubt {
        let held_out: Vec<Likeness> = (0..=40)
            .map(|n| text(10 + n, Some(1.0 + n as f32 / 40.0)))
            .collect();
        of(&held_out, Some(&region())).expect("texts enough")
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

        let sure = |distance| best_of(&doubt, text(30, Some(distance)));

        assert_eq!(sure(1.9), 0.95);
        assert!(sure(2.1) < 0.8 && sure(2.1) > sure(2.12), "{}", sure(2.1));
        assert!((sure(9.0) - 0.45).abs() < 1e-5, "{}", sure(9.0));
    }

    #[test]
    fn a_text_of_few_known_words_counts_as_further_away() {
        let doubt = doubt();

        let sure = |known_words| best_of(&doubt, text(known_words, Some(1.9)));

        // The middle one has 30, and more than these say nothing.
        assert_eq!([sure(100), sure(30), sure(20)], [0.95; 3]);
        assert!(sure(12) < 0.8 && sure(12) > sure(11), "{}", sure(12));
        assert!((sure(0) - 0.45).abs() < 1e-5, "{}", sure(0));
    }

    #[test]
    fn words_do_not_count_where_a_model_does_not_keep_all() {
        let held_out = [text(30, Some(1.0)), text(30, Some(2.0))].repeat(20);
        let doubt = Doubt::of(&held_out, Some(&region()), false, 0.45).expect("texts enough");

        assert_eq!(best_of(&doubt, text(0, Some(2.0))), 0.95);
        assert_eq!(best_of(&doubt, text(1, None)), 0.95);
    }

    #[test]
    fn two_classes_and_labels_are_not_taken_below_a_half() {
        let least = [
            (Mode::MultiClass, 2),
            (Mode::MultiLabel, 9),
            (Mode::MultiClass, 3),
        ]
        .map(|(mode, classes)| least_ceiling(mode, classes));

        assert_eq!(least, [0.6, 0.6, 0.45]);
    }

    #[test]
    fn without_a_vector_known_words_decide() {
        let doubt = doubt();

        assert_eq!(best_of(&doubt, text(20, None)), 0.95);
        assert!(best_of(&doubt, text(7, None)) < 0.85);
        assert!((best_of(&doubt, text(0, None)) - 0.45).abs() < 1e-5);
    }

    #[test]
    fn what_is_in_doubt_anyhow_stays_as_it_is() {
        let mut probabilities = vec![0.4, 0.35, 0.25];

        doubt().dampen(text(0, Some(9.0)), Mode::MultiClass, &mut probabilities);

        assert_eq!(probabilities, [0.4, 0.35, 0.25]);
    }

    #[test]
    fn a_label_that_is_given_stays_given() {
        let mut probabilities = vec![0.02, 0.95, 0.3];
        let doubt = Doubt {
            least: least_ceiling(Mode::MultiLabel, 3),
            ..doubt()
        };

        doubt.dampen(text(0, Some(9.0)), Mode::MultiLabel, &mut probabilities);

        assert!(probabilities[1] >= LABEL_THRESHOLD && probabilities[1] < 0.61);
        assert_eq!((probabilities[0], probabilities[2]), (0.02, 0.3));
    }

    #[test]
    fn where_texts_are_short_one_known_word_is_enough() {
        let doubt = of(&[text(3, None); 40], None).expect("texts enough");

        assert_eq!(best_of(&doubt, text(1, None)), 0.95);
        assert!(best_of(&doubt, text(0, None)) < 0.46);
    }

    #[test]
    fn few_texts_do_not_say_what_is_usual() {
        assert_eq!(of(&[text(1, None); 19], None), None);
    }
}
