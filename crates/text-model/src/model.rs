//! A trained model: what it predicts. Its file is in `model_file`.

use std::fmt;

use active_learning_core::{dataset::Mode, text::Vector};

use crate::{
    calibration::{Calibration, to_probabilities},
    doubt::{Doubt, Likeness, least_ceiling},
    features::{self, Features, GROUPS, Revision, WORDS},
    fit::Fit,
    model_format::ModelError,
    plan::Plan,
    thresholds::Thresholds,
    vectors::add,
};

/// Most bytes of weights: the file of a model of up to about 100 classes stays below 2 MB.
pub(crate) const MAX_WEIGHT_BYTES: usize = 1_700_000;
/// Fewest buckets that a model of many classes may keep.
const MIN_ROWS: usize = 16_384;
/// Largest weight as it is stored.
const MAX_STORED: f32 = i8::MAX as f32;

/// A linear classifier with calibrated probabilities.
#[derive(Clone, PartialEq)]
pub struct Model {
    pub(crate) mode: Mode,
    pub(crate) labels: Vec<String>,
    /// What it sees of a text.
    pub(crate) revision: Revision,
    /// What a weight of 1 counts, for each group of features.
    pub(crate) scales: [f32; GROUPS],
    pub(crate) bias: Vec<f32>,
    pub(crate) rows: Rows,
    /// Of a model that looks at vectors too.
    pub(crate) vectors: Option<VectorWeights>,
    /// Of which texts it is not to be sure; a model of a release before is as sure of all.
    pub(crate) doubt: Option<Doubt>,
    /// From where on it gives each label, where that is not a half for all.
    pub(crate) thresholds: Option<Thresholds>,
}

/// The part of a model that looks at vectors.
#[derive(Clone, PartialEq)]
pub(crate) struct VectorWeights {
    /// Identity of the encoder that made the vectors.
    pub encoder: String,
    /// A row of classes for each dimension.
    pub weights: Vec<f32>,
}

/// The weights of the buckets that matter, a row of classes each.
#[derive(Clone, PartialEq)]
pub(crate) struct Rows {
    index: Vec<Block>,
    pub weights: Vec<i8>,
}

/// 64 neighbouring buckets.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Block {
    /// One bit a bucket: whether it has a row.
    present: u64,
    /// Rows of all blocks before.
    before: u32,
}

/// One class or label of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<'a> {
    /// Name of the class.
    pub label: &'a str,
    /// Probability from 0 to 1, the scale of Comprehend's `Score`. A multi-label model gives a label from 0.5 on, whatever
    /// threshold it has learnt for it.
    pub score: f32,
}

impl Model {
    /// Joins all experts, drops the buckets that matter least and rounds their weights; held-out texts say which others it
    /// doubts.
    pub(crate) fn of(plan: &Plan<'_>, fit: &Fit, calibration: &Calibration, held_out: &[Likeness]) -> Self {
        let classes = plan.labels.len();
        let [machine_factor, bayes_factor, ..] = calibration.factors[..] else {
            unreachable!("there are two experts on n-grams");
        };
        let of_class = calibration.of_class.iter().cycle();
        let weights = fit.machine.rows.iter().zip(&fit.bayes.rows);
        let joined: Vec<f32> = weights
            .zip(of_class)
            .map(|((machine, bayes), of_class)| of_class * (machine_factor * machine + bayes_factor * bayes))
            .collect();
        let row = |bucket: usize| &joined[bucket * classes..][..classes];
        let kept = heaviest(
            &fit.weighting.texts,
            row,
            (plan.max_weight_bytes / classes).max(MIN_ROWS),
        );
        // Words of which no weight is kept count as unknown.
        let has_all_words = kept.len() == fit.weighting.seen();
        let region = fit.dense.as_ref().map(|dense| &dense.region);
        let doubt = Doubt::of(held_out, region, has_all_words, least_ceiling(plan.mode, classes));
        let largest = kept
            .iter()
            .flat_map(|&bucket| row(bucket))
            .fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        let step = if largest > 0.0 { largest / MAX_STORED } else { 1.0 };
        let mut present = vec![0_u64; fit.weighting.texts.len() / 64];
        let mut weights = Vec::with_capacity(kept.len() * classes);
        for bucket in kept {
            present[bucket / 64] |= 1 << (bucket % 64);
            weights.extend(row(bucket).iter().map(|weight| (weight / step).round() as i8));
        }
        let bias = fit.machine.bias.iter().zip(&calibration.bias);
        let mut bias: Vec<f32> = bias
            .zip(&calibration.of_class)
            .map(|((machine, bias), of_class)| of_class * machine_factor * machine + bias)
            .collect();
        Self {
            mode: plan.mode,
            revision: Revision::Signs,
            labels: plan.labels.to_vec(),
            scales: fit.weighting.groups.map(|scale| scale * step),
            vectors: plan
                .encoder
                .and_then(|encoder| VectorWeights::of(encoder, fit, calibration, &mut bias)),
            bias,
            rows: Rows::new(&present, weights),
            doubt,
            thresholds: None,
        }
    }

    /// Returns whether the model gives one class or any number of labels.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the labels in alphabetical order.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Returns the identity of the encoder whose vectors the model looks at; `None` if at none.
    #[must_use]
    pub fn encoder(&self) -> Option<&str> {
        self.vectors.as_ref().map(|vectors| vectors.encoder.as_str())
    }

    /// Checks that the encoder at hand, if any, is the one that the model was trained with; one that looks at no
    /// vectors takes any.
    ///
    /// # Errors
    ///
    /// [`ModelError::OtherEncoder`].
    pub fn check_encoder(&self, at_hand: Option<&str>) -> Result<(), ModelError> {
        match self.encoder() {
            Some(needed) if at_hand != Some(needed) => Err(ModelError::OtherEncoder {
                needed: needed.to_owned(),
                at_hand: at_hand.unwrap_or("none").to_owned(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Classifies a text by its n-grams: every label with its probability, best first.
    ///
    /// A text without a letter, digit or sign gets what the training data makes likely on its own.
    #[must_use]
    pub fn predict(&self, text: &str) -> Vec<Prediction<'_>> {
        self.predict_with(text, None)
    }

    /// Classifies a text by its n-grams and its vector, which must be of the model's encoder; without one as if it
    /// said nothing.
    #[must_use]
    pub fn predict_with(&self, text: &str, vector: Option<&Vector>) -> Vec<Prediction<'_>> {
        let mut sums = Sums::zero(self.labels.len());
        features::visit(text, self.revision, |group, hash| {
            sums.add(&self.rows, group, hash, 1)
        });
        let probabilities = self.finish(&sums, vector);
        let mut predictions: Vec<_> = self
            .labels
            .iter()
            .zip(probabilities)
            .map(|(label, score)| Prediction { label, score })
            .collect();
        predictions.sort_by(|left, right| right.score.total_cmp(&left.score));
        predictions
    }

    /// Returns the probability of each label, in the order of [`Model::labels`], for a text whose features are
    /// at hand: the same as [`Model::predict_with`] says, of a model that was trained by this release.
    #[must_use]
    pub fn probabilities(&self, features: &Features, vector: Option<&Vector>) -> Vec<f32> {
        let mut sums = Sums::zero(self.labels.len());
        for (group, counted) in features.groups().enumerate() {
            for (hash, count) in counted.iter() {
                sums.add(&self.rows, group, hash, count);
            }
        }
        self.finish(&sums, vector)
    }

    fn finish(&self, sums: &Sums, vector: Option<&Vector>) -> Vec<f32> {
        let mut scores = self.bias.clone();
        let classes = scores.len();
        for (group, scale) in self.scales.iter().enumerate() {
            let scale = scale / (sums.sizes[group].max(1) as f32).sqrt();
            let weights = &sums.weights[group * classes..][..classes];
            for (score, &weight) in scores.iter_mut().zip(weights) {
                *score += scale * weight;
            }
        }
        if let (Some(own), Some(vector)) = (&self.vectors, vector) {
            add(&mut scores, &own.weights, vector.unit());
        }
        to_probabilities(self.mode, &mut scores);
        let distance = self.doubt.as_ref().and_then(|doubt| doubt.distance(vector));
        let likeness = Likeness {
            known_words: sums.known_words,
            distance,
        };
        self.say(likeness, &mut scores);
        scores
    }

    /// Has calibrated probabilities say which labels are given, and how sure that is of a text.
    pub(crate) fn say(&self, likeness: Likeness, probabilities: &mut [f32]) {
        if let Some(thresholds) = &self.thresholds {
            thresholds.raise(probabilities);
        }
        if let Some(doubt) = &self.doubt {
            doubt.dampen(likeness, self.mode, probabilities);
        }
    }
}

impl VectorWeights {
    /// Joins the experts on vectors, and their biases with those of all.
    fn of(encoder: &str, fit: &Fit, calibration: &Calibration, bias: &mut [f32]) -> Option<Self> {
        let dense = fit.dense.as_ref()?;
        let mut weights = vec![0.0; dense.experts.first().map_or(0, |expert| expert.rows.len())];
        for (expert, factor) in dense.experts.iter().zip(&calibration.factors[2..]) {
            let of_class = || calibration.of_class.iter().cycle();
            let joined = weights.iter_mut().zip(expert.rows.iter().zip(of_class()));
            joined.for_each(|(joined, (weight, of_class))| *joined += of_class * factor * weight);
            let joined = bias.iter_mut().zip(expert.bias.iter().zip(of_class()));
            joined.for_each(|(joined, (bias, of_class))| *joined += of_class * factor * bias);
        }
        Some(Self {
            encoder: encoder.to_owned(),
            weights,
        })
    }
}

/// Weights of a text's n-grams, summed up for each group and class: whole numbers, whose order does not count
/// in texts of up to a hundred thousand n-grams.
struct Sums {
    weights: Vec<f32>,
    /// n-grams of each group.
    sizes: [u32; GROUPS],
    known_words: u32,
    classes: usize,
}

impl Sums {
    fn zero(classes: usize) -> Self {
        Self {
            weights: vec![0.0; GROUPS * classes],
            sizes: [0; GROUPS],
            known_words: 0,
            classes,
        }
    }

    fn add(&mut self, rows: &Rows, group: usize, hash: u32, count: u32) {
        self.sizes[group] += count;
        if let Some(row) = rows.find(hash, self.classes) {
            self.known_words += if group == WORDS { count } else { 0 };
            let sums = &mut self.weights[group * self.classes..][..self.classes];
            // Four at a time: the compiler makes one instruction of them.
            let (fours, rest) = row.as_chunks::<4>();
            let (sum_fours, sum_rest) = sums.as_chunks_mut::<4>();
            for (sums, weights) in sum_fours.iter_mut().zip(fours) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum += count as f32 * f32::from(weight);
                }
            }
            for (sum, &weight) in sum_rest.iter_mut().zip(rest) {
                *sum += count as f32 * f32::from(weight);
            }
        }
    }
}

impl Rows {
    /// Takes one bit a bucket, whether it has a row; a power of two of words.
    pub(crate) fn new(present: &[u64], weights: Vec<i8>) -> Self {
        let mut rows = 0;
        let block = |&present: &u64| {
            let before = rows;
            rows += present.count_ones();
            Block { present, before }
        };
        Self {
            index: present.iter().map(block).collect(),
            weights,
        }
    }

    /// Returns one bit a bucket: whether it has a row.
    pub(crate) fn present(&self) -> impl ExactSizeIterator<Item = u64> {
        self.index.iter().map(|block| block.present)
    }

    pub(crate) fn find(&self, hash: u32, classes: usize) -> Option<&[i8]> {
        let block = self.index[(hash as usize / 64) & (self.index.len() - 1)];
        let bit = 1_u64 << (hash % 64);
        if block.present & bit == 0 {
            return None;
        }
        let row = block.before + (block.present & (bit - 1)).count_ones();
        self.weights.get(row as usize * classes..)?.get(..classes)
    }
}

/// Returns the buckets that matter most, ascending: by weight and by how many texts have them.
fn heaviest<'a>(texts: &[u32], row: impl Fn(usize) -> &'a [f32], limit: usize) -> Vec<usize> {
    let heaviness = |bucket: usize| texts[bucket] as f32 * row(bucket).iter().map(|w| w * w).sum::<f32>();
    let mut buckets: Vec<(f32, usize)> = (0..texts.len())
        .filter(|&bucket| texts[bucket] > 0)
        .map(|bucket| (heaviness(bucket), bucket))
        .collect();
    if buckets.len() > limit {
        buckets.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        buckets.truncate(limit);
    }
    let mut buckets: Vec<usize> = buckets.into_iter().map(|(_, bucket)| bucket).collect();
    buckets.sort_unstable();
    buckets
}

/// A model's weights would fill the screen.
impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Model")
            .field("mode", &self.mode)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}
