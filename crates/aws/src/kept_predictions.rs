//! Predictions that `classify` keeps, found by their ids.

use active_learning_core::{keys, labels::prediction_result::KeptPrediction};
use uuid::Uuid;

use crate::bucket::{Bucket, BucketError, MAX_DOCUMENT_BYTES};

/// The id of a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PredictionId(Uuid);

impl PredictionId {
    /// Reads an id; `None` of what no prediction can have, which is no key either.
    pub fn parse(id: &str) -> Option<Self> {
        Uuid::try_parse(id).ok().map(Self)
    }
}

/// Finds a prediction in the feedback bucket; `None` if none of this id is kept.
///
/// # Errors
///
/// [`BucketError`] when S3 does not answer.
pub async fn find(
    feedback: &Bucket,
    PredictionId(id): PredictionId,
) -> Result<Option<KeptPrediction>, BucketError> {
    let key = keys::prediction(&id.to_string());
    let object = feedback.read(&key, MAX_DOCUMENT_BYTES).await?;
    Ok(object.and_then(|object| KeptPrediction::parse(&object.bytes)))
}
