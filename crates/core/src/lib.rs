//! The feedback record, the review policy, batch formats and human-loop shapes: pure functions over data.
//!
//! Nothing here knows the AWS SDK, the clock, the environment or chance; what changes from call to
//! call comes in as an argument.

pub mod advise;
pub mod agreement;
pub mod audit;
pub mod batch;
pub mod confidence;
pub mod consolidation;
pub mod copies;
pub mod dataset;
pub mod delivery;
pub mod evaluation;
pub mod feedback;
pub mod human_loop;
pub mod labelled;
pub mod prediction;
pub mod promise;
pub mod query_strategy;
pub mod random;
pub mod review_budget;
pub mod review_policy;
pub mod selection;
pub mod statistics;

/// Longest utterance that is classified or reviewed, in bytes of UTF-8.
///
/// Comprehend's limit for one real-time text is published as 10 KB; its sibling operations count in
/// thousands, so the smaller reading is the safe one. Source: Amazon Comprehend guide, quotas.
pub const MAX_UTTERANCE_BYTES: usize = 10_000;

/// Longest classifier name that is accepted, in bytes: the limit of a Comprehend ARN.
pub const MAX_CLASSIFIER_BYTES: usize = 256;
