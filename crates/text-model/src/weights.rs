//! Linear scores: one bias a class, one row of classes a bucket.

use crate::features::{Counted, Features, GROUPS, HASH_BITS, WORDS};

/// Most weights of a model in training (64 MB); more classes get fewer buckets.
const MAX_WEIGHTS: usize = 1 << 24;
/// Fewest buckets: also very small training sets have few collisions.
const MIN_BUCKETS: usize = 1 << 14;

/// How much each n-gram of a text counts, learned from the training texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weighting {
    /// Per bucket: the importance of its n-grams; 0 for those that no text has.
    pub rarity: Vec<f32>,
    /// Per bucket: texts that have it.
    pub texts: Vec<u32>,
    /// Makes each group the same length, on average over the training texts.
    pub groups: [f32; GROUPS],
}

/// Weights of n-grams, the importance already multiplied in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights {
    pub bias: Vec<f32>,
    pub rows: Vec<f32>,
}

impl Weighting {
    /// Rarity is the inverse document frequency to the power of 1.5, better than 1 on news.
    pub(crate) fn of<'a>(texts: impl Iterator<Item = &'a Features> + Clone, buckets: usize) -> Self {
        let mut with = vec![0_u32; buckets];
        let mut count = 0;
        for features in texts.clone() {
            count += 1;
            for (hash, _) in features.groups().flat_map(|group| group.iter()) {
                with[hash as usize & (buckets - 1)] += 1;
            }
        }
        let rarity: Vec<f32> = with
            .iter()
            .map(|&with| {
                let frequency = (1 + with.min(count)) as f32 / (1 + count) as f32;
                if with == 0 {
                    0.0
                } else {
                    (1.0 - frequency.ln()).powf(1.5)
                }
            })
            .collect();
        let mut lengths = [0.0_f64; GROUPS];
        for features in texts {
            for (length, group) in lengths.iter_mut().zip(features.groups()) {
                let squares = group
                    .iter()
                    .map(|(hash, count)| (count as f32 * rarity[hash as usize & (buckets - 1)]).powi(2));
                *length += f64::from(squares.sum::<f32>() / group.size.max(1) as f32);
            }
        }
        let groups = lengths.map(|length| {
            if length > 0.0 {
                (f64::from(count) / GROUPS as f64 / length).sqrt() as f32
            } else {
                0.0
            }
        });
        Self {
            rarity,
            texts: with,
            groups,
        }
    }

    /// Returns the number of buckets that a text has.
    pub(crate) fn seen(&self) -> usize {
        self.texts.iter().filter(|&&texts| texts > 0).count()
    }

    /// Returns how many of a text's words the training texts have, each as often as it occurs.
    pub(crate) fn known_words(&self, features: &Features) -> u32 {
        let mask = self.texts.len() - 1;
        let words = features.groups().take(WORDS + 1).last();
        let words = words.into_iter().flat_map(Counted::iter);
        words
            .filter(|(hash, _)| self.texts[*hash as usize & mask] > 0)
            .map(|(_, count)| count)
            .sum()
    }

    /// Calls with the bucket and the value, before rarity, of each n-gram.
    pub(crate) fn values(&self, features: &Features, mut each: impl FnMut(usize, f32)) {
        let mask = self.rarity.len() - 1;
        for (group, scale) in features.groups().zip(self.groups) {
            let scale = scale / (group.size.max(1) as f32).sqrt();
            for (hash, count) in group.iter() {
                each(hash as usize & mask, count as f32 * scale);
            }
        }
    }
}

impl Weights {
    pub(crate) fn zero(classes: usize, buckets: usize) -> Self {
        Self {
            bias: vec![0.0; classes],
            rows: vec![0.0; buckets * classes],
        }
    }

    pub(crate) fn scores(&self, weighting: &Weighting, features: &Features) -> Vec<f32> {
        let mut scores = self.bias.clone();
        weighting.values(features, |bucket, value| {
            let row = &self.rows[bucket * scores.len()..];
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += value * weight;
            }
        });
        scores
    }
}

/// Returns the number of buckets, a power of two, for so many n-grams in training and so many classes.
pub(crate) fn buckets_for(ngrams: usize, classes: usize) -> usize {
    let affordable = (MAX_WEIGHTS / classes.max(1)).max(1);
    let wanted = ngrams.saturating_mul(2).clamp(MIN_BUCKETS, 1 << HASH_BITS);
    1 << wanted.min(affordable).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_training_texts_have_a_length_of_one_on_average() {
        let texts = [
            "oil prices rise again",
            "the match ended in a draw",
            "a b c",
            "oil",
        ]
        .map(Features::of);
        let weighting = Weighting::of(texts.iter(), 1 << HASH_BITS);

        let mut length = 0.0;
        for features in &texts {
            weighting.values(features, |bucket, value| {
                length += (value * weighting.rarity[bucket]).powi(2)
            });
        }

        assert!((length / 4.0 - 1.0).abs() < 1e-3, "{length}");
    }

    #[test]
    fn many_classes_get_fewer_buckets() {
        assert_eq!(buckets_for(usize::MAX, 4), 1 << 20);
        assert_eq!(buckets_for(100, 4), 1 << 14);
        assert_eq!(buckets_for(usize::MAX, 1_000), 1 << 14);
    }
}
