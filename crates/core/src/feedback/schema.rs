//! The version of a line's shape, and the words of lines that are older than versions.

/// Version of the line that is written; lines of a later version are refused, older ones are read.
pub const SCHEMA_VERSION: u32 = 1;

/// How old lines say that a prediction is unknown.
pub(super) const UNKNOWN_PREDICTION: &str = "CLASSIFY";
/// How old lines say that a confidence is unknown.
pub(super) const UNKNOWN_CONFIDENCE: &str = "NONE";
