//! What became of a prediction, for the client that asks.
//!
//! A prediction is kept without its text, under its id. What people answered stands in the question about the text; of
//! a duplicate it is the question that was asked instead.

use std::time::Duration;

use active_learning_aws::{
    bucket::{BINARY, Bucket, BucketError},
    claims::Claims,
    classifier::Classifier,
    kept_predictions::{self, PredictionId},
    originals, rfc3339,
};
use active_learning_core::{
    keys,
    labels::prediction_result::{KeptPrediction, PredictionResult},
};
use chrono::{TimeDelta, Utc};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep, sleep_until};

/// Longest that a request may wait for people, seconds. API Gateway ends a request after 29.
pub const MAX_WAIT_SECONDS: u64 = 20;

/// Time between two looks while a request waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Days within which what goes to people has a question, also where it is sent again after a failure. A question that is not
/// there after that is kept no longer.
const DELIVERED_WITHIN_DAYS: i64 = 3;

/// The predictions that were kept, and the questions they led to.
#[derive(Clone, Debug)]
pub struct Results {
    bucket: Bucket,
    claims: Claims,
    classifier: Classifier,
}

impl Results {
    /// Keeps predictions in the feedback bucket; `claim_retention` is that of the questions. Labels are called as the
    /// classifier's classes are.
    pub fn new(bucket: Bucket, claim_retention: Duration, classifier: Classifier) -> Self {
        Self {
            claims: Claims::new(bucket.clone(), claim_retention),
            bucket,
            classifier,
        }
    }

    /// Keeps a prediction.
    ///
    /// # Errors
    ///
    /// [`BucketError`] when S3 does not store it.
    pub async fn keep(&self, kept: &KeptPrediction) -> Result<(), BucketError> {
        self.bucket
            .put_document(&keys::prediction(&kept.prediction_id), kept)
            .await
    }

    /// Marks that people are asked about a record for a prediction, so that they are told what they answer.
    ///
    /// # Errors
    ///
    /// [`BucketError`] when S3 does not store it.
    pub async fn mark(&self, kept: &KeptPrediction) -> Result<(), BucketError> {
        let key = keys::prediction_of(&kept.record_id, &kept.prediction_id);
        self.bucket.put(&key, BINARY, Vec::new()).await
    }

    /// Finds a prediction; `None` if none of this id is kept.
    ///
    /// # Errors
    ///
    /// [`BucketError`] when S3 does not answer.
    pub async fn find(&self, prediction_id: &str) -> Result<Option<KeptPrediction>, BucketError> {
        match PredictionId::parse(prediction_id) {
            Some(id) => kept_predictions::find(&self.bucket, id).await,
            None => Ok(None),
        }
    }

    /// Returns what became of a prediction as soon as it is final, or is no longer what the client knows already, or
    /// at the latest at `deadline`.
    ///
    /// # Errors
    ///
    /// [`BucketError`] when S3 does not answer.
    pub async fn wait(
        &self,
        kept: &KeptPrediction,
        known: Option<&str>,
        deadline: Instant,
    ) -> Result<PredictionResult, BucketError> {
        loop {
            let result = self.look(kept).await?;
            let is_news = match known {
                Some(etag) => !matches_etag(etag, &etag_of(&result)),
                None => result.status.is_final(),
            };
            let next_look = Instant::now() + LOOK_EVERY;
            if is_news || Instant::now() >= deadline {
                return Ok(result);
            }
            if next_look < deadline {
                sleep(LOOK_EVERY).await;
            } else {
                sleep_until(deadline).await;
            }
        }
    }

    async fn look(&self, kept: &KeptPrediction) -> Result<PredictionResult, BucketError> {
        let form = format!("text-{}", kept.form);
        let asked = originals::question_of(&self.bucket, &kept.record_id, self.claims.holder(&form)).await?;
        let set = self.classifier.label_set().await;
        let asked_if_before = rfc3339(Utc::now() - TimeDelta::days(DELIVERED_WITHIN_DAYS));
        Ok(kept.result_once_asked(asked.question.as_ref(), set.as_deref(), &asked_if_before))
    }
}

/// Returns the entity tag of a result: the same as long as nothing has changed.
pub fn etag_of(result: &PredictionResult) -> String {
    let json = serde_json::to_vec(result).expect("results have only string keys and finite numbers");
    format!("\"{}\"", hex::encode(&Sha256::digest(json)[..16]))
}

/// Returns whether an `If-None-Match` names an entity tag (RFC 9110, weak comparison).
pub fn matches_etag(if_none_match: &str, etag: &str) -> bool {
    let mut tags = if_none_match.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_is_matched_among_several_weak_or_by_a_star() {
        for header in ["\"a\"", "\"b\", \"a\"", "W/\"a\"", "*"] {
            assert!(matches_etag(header, "\"a\""), "{header}");
        }
        assert!(!matches_etag("\"b\"", "\"a\"") && !matches_etag("a", "\"a\""));
    }
}
