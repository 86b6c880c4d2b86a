//! The file of a model: self-contained, little-endian, each array aligned to 8 bytes from the start of the file.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `txtmodel` |
//! | 4 | format version |
//! | 4 | length of the header |
//! | … | header: JSON, padded with spaces to a multiple of 8 |
//! | 4 × 3 | `f32`: what a weight of 1 counts in words, pairs, character n-grams |
//! | 4 × classes | `f32`: biases; padded with zeros to a multiple of 8 together with the line above |
//! | 4 × dimensions × classes | `f32`: weights of vectors, where the header names an encoder; padded likewise |
//! | 4 × dimensions | `f32`: the mean vector, where the header says which vectors are far away; padded likewise |
//! | dimensions × directions | `i8`: in what the texts differ; padded likewise |
//! | buckets ÷ 8 | `u64`: one bit a bucket, whether it has a row |
//! | rows × classes | `i8`: weights |
//! | 4 | CRC-32 of all before |
//!
//! A file that differs in one bit is refused.

use active_learning_core::dataset::Mode;
use serde::{Deserialize, Serialize};

use crate::{
    doubt::{Doubt, Far, FewerWords, LEAST_CEILING_OF_HALVES},
    features::{GROUPS, HASH_BITS, Revision},
    model::{Model, Rows, VectorWeights},
    model_format::{
        BY_VECTORS, FORMAT_VERSION, ModelError, WITHOUT_DOUBT, WITHOUT_SIGNS, WITHOUT_THRESHOLDS,
        WITHOUT_VECTORS,
    },
    region::Region,
    thresholds::Thresholds,
};

const MAGIC: &[u8; 8] = b"txtmodel";
const CHECKSUM_BYTES: usize = 4;
const ALIGNMENT: usize = 8;

#[derive(Serialize, Deserialize)]
struct Header {
    mode: Mode,
    labels: Vec<String>,
    buckets: usize,
    rows: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoder: Option<EncoderHeader>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<DoubtHeader>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thresholds: Option<Vec<f32>>,
}

#[derive(Serialize, Deserialize)]
struct EncoderHeader {
    identity: String,
    dimensions: usize,
}

#[derive(Serialize, Deserialize)]
struct DoubtHeader {
    enough_words: f32,
    #[serde(default = "least_of_the_format_before")]
    least: f32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    far: Option<FarHeader>,
}

#[derive(Serialize, Deserialize)]
struct FarHeader {
    usual: f32,
    limit: f32,
    scale: f32,
    dimensions: usize,
    directions: usize,
    /// 0, as the next one, in the format before: words do not count.
    #[serde(default)]
    middle_words: f32,
    #[serde(default)]
    half_of_words: f32,
}

fn least_of_the_format_before() -> f32 {
    LEAST_CEILING_OF_HALVES
}

impl DoubtHeader {
    fn of(doubt: &Doubt) -> Self {
        let of_far = |far: &Far| FarHeader {
            usual: far.usual,
            limit: far.limit,
            scale: far.region.scale,
            dimensions: far.region.mean.len(),
            directions: far.region.directions.len() / far.region.mean.len().max(1),
            middle_words: far.words.middle,
            half_of_words: far.words.of_half,
        };
        Self {
            enough_words: doubt.enough_words,
            least: doubt.least,
            far: doubt.far.as_ref().map(of_far),
        }
    }
}

impl Model {
    /// Returns the model as a file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = serde_json::to_vec(&Header {
            mode: self.mode,
            labels: self.labels.clone(),
            buckets: self.rows.present().len() * 64,
            rows: self.rows.weights.len() / self.labels.len(),
            encoder: self.vectors.as_ref().map(|vectors| EncoderHeader {
                identity: vectors.encoder.clone(),
                dimensions: vectors.weights.len() / self.labels.len(),
            }),
            doubt: self.doubt.as_ref().map(DoubtHeader::of),
            thresholds: self.thresholds.as_ref().map(|them| them.of_labels().to_vec()),
        })
        .expect("strings and numbers always serialise");
        header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
        let mut file = MAGIC.to_vec();
        let version = match (self.revision, &self.vectors, &self.doubt) {
            (Revision::Words, _, _) => WITHOUT_SIGNS,
            (Revision::Signs, _, _) if self.thresholds.is_some() => FORMAT_VERSION,
            (Revision::Signs, _, Some(_)) => WITHOUT_THRESHOLDS,
            (Revision::Signs, Some(_), None) => WITHOUT_DOUBT,
            (Revision::Signs, None, None) => WITHOUT_VECTORS,
        };
        file.extend(version.to_le_bytes());
        file.extend((header.len() as u32).to_le_bytes());
        file.extend(header);
        file.extend(
            self.scales
                .iter()
                .chain(&self.bias)
                .flat_map(|float| float.to_le_bytes()),
        );
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        if let Some(vectors) = &self.vectors {
            file.extend(vectors.weights.iter().flat_map(|float| float.to_le_bytes()));
            file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        }
        if let Some(Far { region, .. }) = self.doubt.as_ref().and_then(|doubt| doubt.far.as_ref()) {
            file.extend(region.mean.iter().flat_map(|float| float.to_le_bytes()));
            file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
            file.extend(region.directions.iter().map(|value| value.cast_unsigned()));
            file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        }
        file.extend(self.rows.present().flat_map(u64::to_le_bytes));
        file.extend(self.rows.weights.iter().map(|weight| weight.cast_unsigned()));
        let checksum = crc32fast::hash(&file);
        file.extend(checksum.to_le_bytes());
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
        let revision = match version {
            WITHOUT_SIGNS => Revision::Words,
            WITHOUT_VECTORS | WITHOUT_DOUBT | BY_VECTORS | WITHOUT_THRESHOLDS | FORMAT_VERSION => {
                Revision::Signs
            }
            _ => return Err(ModelError::UnsupportedFormat(version)),
        };
        let (body, checksum) = file
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(ModelError::Damaged)?;
        if crc32fast::hash(body).to_le_bytes() != *checksum {
            return Err(ModelError::Damaged);
        }
        let body = rest.strip_suffix(checksum).ok_or(ModelError::Damaged)?;
        read_body(body, revision).ok_or(ModelError::Damaged)
    }
}

/// Reads what follows the version; `None` where it contradicts itself.
fn read_body(mut rest: &[u8], revision: Revision) -> Option<Model> {
    let header_length = take_u32(&mut rest).ok()? as usize;
    let Header {
        mode,
        labels,
        buckets,
        rows,
        encoder,
        doubt,
        thresholds,
    } = serde_json::from_slice(rest.split_off(..header_length)?).ok()?;
    let classes = labels.len();
    let sorted = labels.is_sorted_by(|left, right| left < right);
    if classes < 2 || !sorted || !buckets.is_power_of_two() || !(64..=1 << HASH_BITS).contains(&buckets) {
        return None;
    }
    let mut scales = [0.0; GROUPS];
    let mut bias = take_floats(&mut rest, GROUPS + classes)?;
    scales
        .iter_mut()
        .zip(bias.drain(..GROUPS))
        .for_each(|(scale, float)| *scale = float);
    let vectors = match encoder {
        Some(encoder) => Some(VectorWeights {
            weights: take_floats(&mut rest, encoder.dimensions.checked_mul(classes)?)?,
            encoder: encoder.identity,
        }),
        None => None,
    };
    let doubt = match doubt {
        Some(header) => Some(take_doubt(&mut rest, header, vectors.as_ref(), classes)?),
        None => None,
    };
    let thresholds = match thresholds {
        Some(thresholds) if thresholds.len() == classes => Some(Thresholds::stored(thresholds)?),
        Some(_) => return None,
        None => None,
    };
    let (words, _) = rest.split_off(..buckets / 8)?.as_chunks();
    let present: Vec<u64> = words.iter().map(|&bytes| u64::from_le_bytes(bytes)).collect();
    let set: usize = present.iter().map(|word| word.count_ones() as usize).sum();
    if set != rows || rows.checked_mul(classes)? != rest.len() {
        return None;
    }
    let weights = rest.iter().map(|byte| byte.cast_signed()).collect();
    Some(Model {
        mode,
        labels,
        revision,
        scales,
        bias,
        rows: Rows::new(&present, weights),
        vectors,
        doubt,
        thresholds,
    })
}

/// Takes what a model doubts; `None` where it contradicts itself or the weights of vectors.
fn take_doubt(
    rest: &mut &[u8],
    header: DoubtHeader,
    vectors: Option<&VectorWeights>,
    classes: usize,
) -> Option<Doubt> {
    let far = match header.far {
        Some(far) => {
            let words = FewerWords {
                middle: far.middle_words,
                of_half: far.half_of_words,
            };
            let numbers = [far.usual, far.limit, far.scale, words.middle, words.of_half];
            let fits = vectors?.weights.len() == far.dimensions.checked_mul(classes)?;
            if !fits
                || far.limit < far.usual
                || words.middle < 0.0
                || !numbers.iter().all(|number| number.is_finite())
            {
                return None;
            }
            let mean = take_floats(rest, far.dimensions)?;
            let values = far.dimensions.checked_mul(far.directions)?;
            let padded = rest.split_off(..values.checked_next_multiple_of(ALIGNMENT)?)?;
            let directions = padded.iter().take(values).map(|byte| byte.cast_signed());
            Some(Far {
                region: Region {
                    mean,
                    scale: far.scale,
                    directions: directions.collect(),
                },
                words,
                usual: far.usual,
                limit: far.limit,
            })
        }
        None => None,
    };
    let fits = header.enough_words.is_finite() && (0.0..=1.0).contains(&header.least);
    fits.then_some(Doubt {
        enough_words: header.enough_words,
        least: header.least,
        far,
    })
}

/// Takes so many finite numbers, and what pads them.
fn take_floats(rest: &mut &[u8], count: usize) -> Option<Vec<f32>> {
    let padded = count.checked_next_multiple_of(ALIGNMENT / size_of::<f32>())?;
    let (floats, _) = rest
        .split_off(..padded.checked_mul(size_of::<f32>())?)?
        .as_chunks();
    let floats = floats.iter().map(|&bytes| f32::from_le_bytes(bytes));
    let floats: Vec<f32> = floats.take(count).collect();
    floats.iter().all(|float| float.is_finite()).then_some(floats)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, ModelError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(ModelError::Damaged)?;
    *rest = after;
    Ok(u32::from_le_bytes(*bytes))
}
