//! What becomes of a prediction beside the answer: people are asked, or it is accepted as a label.

use std::time::Duration;

use active_learning_aws::{
    self as aws,
    asked_before::{Decided, NotAsked},
    bucket::JSON_LINES,
    failure::chain,
    metrics,
};
use active_learning_core::feedback::{FeedbackRecord, Review, prediction::Prediction};
use chrono::{DateTime, Utc};
use lambda_http::tracing::{error, warn};
use tokio::time::timeout;

use crate::{Classify, answer::ReviewAnswer};

/// Time for each of the two ways to store feedback.
const FEEDBACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Time to accept a label, all in all: a trusted prediction is not kept from the caller for longer.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(3);

/// Time for the list of erased texts.
const ERASED_TIMEOUT: Duration = Duration::from_secs(1);

impl Classify {
    /// Sends a text to people where the policy or the lack of a model asks for it; else it may become a label by itself.
    /// One that was erased at a person's wish is not stored. Where that is not known it is: it would be lost, while delivery
    /// takes out what was erased.
    pub(crate) async fn review(
        &self,
        (classifier, utterance): (&str, &str),
        prediction: Option<&Prediction>,
        review: Option<Review>,
        prediction_id: &str,
        now: DateTime<Utc>,
    ) -> Option<ReviewAnswer> {
        let at = aws::rfc3339(now);
        let record = match (prediction, review) {
            // No model serves yet: each label brings the first one nearer.
            (None, _) => FeedbackRecord::without_model(classifier, utterance, prediction_id, &at),
            (Some(prediction), Some(review)) => {
                let model = self.model_arn.get().await;
                FeedbackRecord {
                    is_of_all: self.config.policy.reviews_all(),
                    ..FeedbackRecord::predicted(
                        classifier,
                        utterance,
                        prediction,
                        review,
                        prediction_id,
                        model,
                        &at,
                    )
                }
            }
            (Some(prediction), None) => {
                count(&[("Classified", 1)], Some(prediction.confidence));
                let accepting = self.accept(classifier, utterance, prediction, prediction_id, now);
                if timeout(ACCEPT_TIMEOUT, accepting).await.is_err() {
                    warn!(
                        prediction.id = prediction_id,
                        "the prediction was not accepted as a label in time"
                    );
                }
                return None;
            }
        };
        Some(match self.is_erased(&record).await {
            Some(true) => ReviewAnswer::not_queued(&record, NotAsked::Erased),
            Some(false) | None => self.queue(&record, prediction_id, now).await,
        })
    }

    /// Stores a trusted prediction as a label, if what is promised of its model covers it.
    ///
    /// Whatever fails, or is broken off for want of time, costs at most the label; only what was stored is counted.
    async fn accept(
        &self,
        classifier: &str,
        utterance: &str,
        prediction: &Prediction,
        prediction_id: &str,
        now: DateTime<Utc>,
    ) {
        let Some(automated_labelling) = &self.automated_labelling else {
            return;
        };
        let Some(model_arn) = self.model_arn.get().await else {
            return;
        };
        let threshold = automated_labelling.threshold(&model_arn).await;
        let Some(threshold) = threshold.filter(|threshold| prediction.confidence > *threshold) else {
            return;
        };
        let record = FeedbackRecord::accepted(
            classifier,
            utterance,
            prediction,
            threshold,
            prediction_id,
            model_arn,
            &aws::rfc3339(now),
        );
        // Without the list nothing is stored: what was lost is one label.
        if self.is_erased(&record).await != Some(false) {
            return;
        }
        if self.publish(&record).await || self.store_directly(&record, prediction_id, now).await {
            metrics::count("classify", &[("MachineLabels", 1)]);
        }
    }

    /// Stores the record for review; a loss is counted and logged, and does not cost the caller the prediction.
    async fn queue(&self, record: &FeedbackRecord, prediction_id: &str, now: DateTime<Utc>) -> ReviewAnswer {
        let store =
            async { self.publish(record).await || self.store_directly(record, prediction_id, now).await };
        let (stored, known) = tokio::join!(store, self.asked_before.why_not(record, None));
        count(
            &[
                ("Classified", 1),
                ("Reviews", 1),
                ("FeedbackLost", u64::from(!stored)),
            ],
            record.confidence,
        );
        let not_queued_because = if stored { known } else { Some(NotAsked::NotStored) };
        let queued = not_queued_because.is_none();
        let waits_for = self.asked_before.waits_for(record).filter(|_| queued);
        ReviewAnswer {
            reason: record.signal,
            queued,
            decided: Decided::later(queued),
            selection_probability: record.selection_probability,
            not_queued_because,
            waits_for,
        }
    }

    /// Returns whether a text was erased; `None` where that cannot be told.
    async fn is_erased(&self, record: &FeedbackRecord) -> Option<bool> {
        match timeout(ERASED_TIMEOUT, self.erased.contains(&record.utterance)).await {
            Ok(Ok(is_erased)) => Some(is_erased),
            Ok(Err(error)) => {
                warn!(
                    record.id,
                    error = chain(&error),
                    "it is not known whether a text was erased"
                );
                None
            }
            Err(_) => {
                warn!(record.id, "it was not known in time whether a text was erased");
                None
            }
        }
    }

    async fn publish(&self, record: &FeedbackRecord) -> bool {
        match timeout(FEEDBACK_TIMEOUT, self.feedback.publish(record)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                warn!(record.id, error = chain(&error), "the feedback stream is down");
                false
            }
            Err(_) => {
                warn!(record.id, "the feedback stream did not answer in time");
                false
            }
        }
    }

    /// Writes the record where it is found like one that the stream delivered.
    async fn store_directly(&self, record: &FeedbackRecord, prediction_id: &str, now: DateTime<Utc>) -> bool {
        let key = format!(
            "feedback/direct/{}/{prediction_id}.jsonl",
            now.format("%Y/%m/%d/%H")
        );
        let put = self.bucket.put(&key, JSON_LINES, record.to_line());
        match timeout(FEEDBACK_TIMEOUT, put).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                error!(record.id, error = chain(&error), "feedback is lost");
                false
            }
            Err(_) => {
                error!(record.id, "feedback is lost: the bucket did not answer in time");
                false
            }
        }
    }
}

/// Counts what was classified, with how sure the model was, as a distribution; nothing of that before the first model.
fn count(counts: &[(&str, u64)], confidence: Option<f32>) {
    let confidence = confidence.map(|confidence| ("Confidence", f64::from(confidence)));
    metrics::count_with("classify", counts, confidence.as_slice());
}
