//! The domain: feedback, labels, sampling, datasets and the comparison of models, as pure functions over data.
//!
//! The rooms, in the order of the data, each knowing only those before it: [`feedback`], [`labels`],
//! [`sampling`], [`dataset`], [`model`]. Below them all: [`cost`], [`keys`], [`text`], [`statistics`], [`random`],
//! [`repeated_field`].
//!
//! Nothing here knows the AWS SDK, the clock, the environment or chance; what changes from call to
//! call comes in as an argument.

pub mod cost;
pub mod dataset;
pub mod erasure;
pub mod feedback;
pub mod keys;
pub mod labels;
pub mod model;
pub mod random;
pub mod repeated_field;
pub mod sampling;
pub mod statistics;
pub mod text;

/// Longest utterance that is classified or reviewed, in bytes of UTF-8.
///
/// Comprehend's limit for one real-time text is published as 10 KB; its sibling operations count in
/// thousands, so the smaller reading is the safe one. Source: Amazon Comprehend guide, quotas.
pub const MAX_UTTERANCE_BYTES: usize = 10_000;

/// Longest classifier name that is accepted, in bytes: the limit of a Comprehend ARN.
pub const MAX_CLASSIFIER_BYTES: usize = 256;
