//! The words that drove the predictions that people are asked about, from the built-in classifier.

use active_learning_aws::driving_words::{DrivingWordsError, MAX_TEXTS, Predicted, driving_words};
use active_learning_core::{
    feedback::{FeedbackRecord, Signal},
    labels::human_loop::DrivingWords,
};
use lambda_runtime::tracing::warn;

use crate::A2iTrigger;

impl A2iTrigger {
    /// Returns the words of each record with a prediction; none where Comprehend classifies, of audits, whose reviewers
    /// are to judge for themselves, and where the classifier does not answer: that is logged, and people are asked
    /// without.
    pub(crate) async fn driving_words(&self, records: &[FeedbackRecord]) -> DrivingWords {
        let mut words = DrivingWords::new();
        if self.config.classifier.url.is_none() {
            return words;
        }
        let predicted: Vec<&FeedbackRecord> = records
            .iter()
            .filter(|record| record.prediction.is_some() && record.signal != Signal::Audit)
            .collect();
        for records in predicted.chunks(MAX_TEXTS) {
            match self.words_of(records).await {
                Ok(found) => words.extend(found),
                Err(error) => {
                    warn!(%error, texts = records.len(), "people are asked without the words that drove the predictions");
                    break;
                }
            }
        }
        words
    }

    async fn words_of(&self, records: &[&FeedbackRecord]) -> Result<DrivingWords, DrivingWordsError> {
        let predicted: Vec<Predicted<'_>> = records
            .iter()
            .map(|record| Predicted {
                text: &record.utterance,
                classes: record.predicted_labels(),
            })
            .collect();
        let found = driving_words(&self.comprehend, &self.config.classifier.endpoint_arn, &predicted).await?;
        let ids = records.iter().map(|record| record.id.clone());
        Ok(ids.zip(found).filter(|(_, words)| !words.is_empty()).collect())
    }
}
