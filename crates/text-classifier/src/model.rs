//! A trained model: what it predicts, and its file.
//!
//! The file is self-contained and little-endian: magic, format version, length of the header, header
//! (JSON), biases, bucket numbers, weights (32-bit floats, one row of classes a bucket), SHA-256 of all
//! before. A file that differs in one bit is refused.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{features, training_data::Mode};

const MAGIC: &[u8; 8] = b"txtmodel";
/// Also stands for how features are made: a change there needs a new number.
const FORMAT_VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 32;

/// Most buckets that a file keeps: with four classes it stays under 4 MB.
const MAX_STORED_BUCKETS: usize = 190_000;
/// Most weights of a model in memory (64 MB); more classes get fewer buckets.
const MAX_WEIGHTS: usize = 1 << 24;
const MAX_BUCKETS: usize = 1 << 18;

/// A linear classifier with calibrated probabilities.
#[derive(Clone, PartialEq)]
pub struct Model {
    pub(crate) mode: Mode,
    pub(crate) labels: Vec<String>,
    pub(crate) weights: Weights,
}

/// Scores are linear in the features: one bias a class, one row of classes a bucket.
#[derive(Clone, PartialEq)]
pub(crate) struct Weights {
    pub bias: Vec<f32>,
    pub rows: Vec<f32>,
}

/// One class or label of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<'a> {
    /// Name of the class.
    pub label: &'a str,
    /// Probability from 0 to 1, the scale of Comprehend's `Score`.
    pub score: f32,
}

/// Why a model file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Another kind of file, or nothing at all.
    #[error("not a model file")]
    NotAModel,
    /// Written by another release.
    #[error("model format {0} is not supported, this release reads format {FORMAT_VERSION}")]
    UnsupportedFormat(u32),
    /// Cut short or changed since it was written.
    #[error("the model file is damaged")]
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct Header {
    mode: Mode,
    labels: Vec<String>,
    buckets: usize,
    stored_buckets: usize,
}

impl Model {
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

    /// Classifies a text: every label with its probability, best first.
    ///
    /// A text without a letter or digit gets what the training data makes likely on its own.
    #[must_use]
    pub fn predict(&self, text: &str) -> Vec<Prediction<'_>> {
        let mut scores = self.weights.scores(&features::extract(text));
        to_probabilities(self.mode, &mut scores);
        let mut predictions: Vec<_> = self
            .labels
            .iter()
            .zip(scores)
            .map(|(label, score)| Prediction { label, score })
            .collect();
        predictions.sort_by(|left, right| right.score.total_cmp(&left.score));
        predictions
    }

    /// Returns the model as a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let stored = self.weights.heaviest_buckets(MAX_STORED_BUCKETS);
        let header = serde_json::to_vec(&Header {
            mode: self.mode,
            labels: self.labels.clone(),
            buckets: self.weights.buckets(),
            stored_buckets: stored.len(),
        })
        .expect("strings and numbers always serialise");
        let mut file = MAGIC.to_vec();
        file.extend(FORMAT_VERSION.to_le_bytes());
        file.extend((header.len() as u32).to_le_bytes());
        file.extend(header);
        file.extend(self.weights.bias.iter().flat_map(|bias| bias.to_le_bytes()));
        file.extend(stored.iter().flat_map(|&bucket| (bucket as u32).to_le_bytes()));
        for bucket in stored {
            file.extend(
                self.weights
                    .row(bucket)
                    .iter()
                    .flat_map(|weight| weight.to_le_bytes()),
            );
        }
        let checksum = Sha256::digest(&file);
        file.extend(checksum);
        file
    }

    /// Reads a model from its file.
    ///
    /// # Errors
    ///
    /// [`ModelError`]: another kind of file, another format version, or damage. Never panics.
    pub fn from_bytes(file: &[u8]) -> Result<Self, ModelError> {
        let mut rest = file.strip_prefix(MAGIC).ok_or(ModelError::NotAModel)?;
        let version = take_u32(&mut rest)?;
        if version != FORMAT_VERSION {
            return Err(ModelError::UnsupportedFormat(version));
        }
        let body_length = file
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .ok_or(ModelError::Damaged)?;
        let (body, checksum) = file.split_at(body_length);
        if Sha256::digest(body)[..] != *checksum {
            return Err(ModelError::Damaged);
        }
        let mut rest = body
            .get(MAGIC.len() + size_of::<u32>()..)
            .ok_or(ModelError::Damaged)?;
        let header_length = take_u32(&mut rest)? as usize;
        let header =
            serde_json::from_slice(take(&mut rest, header_length)?).map_err(|_| ModelError::Damaged)?;
        Self::from_parts(header, rest)
    }

    fn from_parts(header: Header, mut rest: &[u8]) -> Result<Self, ModelError> {
        let classes = header.labels.len();
        if classes < 2 || header.buckets != buckets_for(classes) {
            return Err(ModelError::Damaged);
        }
        let bias = take_floats(&mut rest, classes)?;
        let mut rows = vec![0.0; header.buckets * classes];
        let bucket_bytes = header
            .stored_buckets
            .checked_mul(size_of::<u32>())
            .ok_or(ModelError::Damaged)?;
        let mut stored = take(&mut rest, bucket_bytes)?;
        while !stored.is_empty() {
            let start = take_u32(&mut stored)? as usize * classes;
            let row = rows.get_mut(start..start + classes).ok_or(ModelError::Damaged)?;
            row.copy_from_slice(&take_floats(&mut rest, classes)?);
        }
        if !rest.is_empty() {
            return Err(ModelError::Damaged);
        }
        Ok(Self {
            mode: header.mode,
            labels: header.labels,
            weights: Weights { bias, rows },
        })
    }
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

impl Weights {
    /// Returns weights of zero, for as many buckets as that number of classes affords.
    pub(crate) fn zero(classes: usize) -> Self {
        Self {
            bias: vec![0.0; classes],
            rows: vec![0.0; buckets_for(classes) * classes],
        }
    }

    /// Returns where the row of a feature starts in `rows`.
    pub(crate) fn row_start(&self, feature: features::Feature) -> usize {
        (feature.hash as usize & (self.buckets() - 1)) * self.bias.len()
    }

    pub(crate) fn scores(&self, features: &[features::Feature]) -> Vec<f32> {
        let mut scores = self.bias.clone();
        for &feature in features {
            let start = self.row_start(feature);
            for (score, weight) in scores.iter_mut().zip(&self.rows[start..]) {
                *score += feature.value * weight;
            }
        }
        scores
    }

    fn buckets(&self) -> usize {
        self.rows.len() / self.bias.len()
    }

    fn row(&self, bucket: usize) -> &[f32] {
        &self.rows[bucket * self.bias.len()..][..self.bias.len()]
    }

    /// Returns the buckets that matter most, ascending; those without any weight never count.
    fn heaviest_buckets(&self, limit: usize) -> Vec<usize> {
        let heaviness = |bucket: usize| self.row(bucket).iter().map(|w| w * w).sum::<f32>();
        let mut buckets: Vec<usize> = (0..self.buckets())
            .filter(|&bucket| heaviness(bucket) > 0.0)
            .collect();
        if buckets.len() > limit {
            buckets.sort_by(|&left, &right| heaviness(right).total_cmp(&heaviness(left)));
            buckets.truncate(limit);
            buckets.sort_unstable();
        }
        buckets
    }
}

/// Returns the number of buckets, a power of two, for a number of classes.
fn buckets_for(classes: usize) -> usize {
    let affordable = MAX_WEIGHTS / classes.max(1);
    let power_of_two = 1 << affordable.max(1).ilog2();
    MAX_BUCKETS.min(power_of_two)
}

/// Turns scores into probabilities: shares of one for classes, independent ones for labels.
pub(crate) fn to_probabilities(mode: Mode, scores: &mut [f32]) {
    match mode {
        Mode::MultiClass => {
            let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            scores.iter_mut().for_each(|score| *score = (*score - best).exp());
            let sum: f32 = scores.iter().sum();
            scores.iter_mut().for_each(|score| *score /= sum);
        }
        Mode::MultiLabel => scores
            .iter_mut()
            .for_each(|score| *score = 1.0 / (1.0 + (-*score).exp())),
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], ModelError> {
    rest.split_off(..count).ok_or(ModelError::Damaged)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, ModelError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(ModelError::Damaged)?;
    *rest = after;
    Ok(u32::from_le_bytes(*bytes))
}

fn take_floats(rest: &mut &[u8], count: usize) -> Result<Vec<f32>, ModelError> {
    let bytes = take(rest, count * size_of::<f32>())?;
    let (floats, _) = bytes.as_chunks();
    let floats: Vec<f32> = floats.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    if floats.iter().all(|float| float.is_finite()) {
        Ok(floats)
    } else {
        Err(ModelError::Damaged)
    }
}
