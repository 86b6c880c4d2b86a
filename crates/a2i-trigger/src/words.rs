//! The words that drove the predictions that people are asked about, from the built-in classifier.

use active_learning_aws::driving_words::{DrivingWordsError, MAX_TEXTS, Predicted, driving_words};
use active_learning_core::{
    feedback::{FeedbackRecord, Signal},
    labels::{human_loop::DrivingWords, label_set::LabelSet},
};
use lambda_runtime::tracing::warn;

use crate::A2iTrigger;

impl A2iTrigger {
    /// Returns the words of each record with a prediction; none where Comprehend classifies, of audits, whose reviewers
    /// are to judge for themselves, and where the classifier does not answer: that is logged, and people are asked
    /// without. The classifier is asked by the names that its classes have in the model.
    pub(crate) async fn driving_words(
        &self,
        records: &[FeedbackRecord],
        labels: &LabelSet,
        classes: &[String],
    ) -> DrivingWords {
        let mut words = DrivingWords::new();
        if self.config.classifier.url.is_none() {
            return words;
        }
        let predicted: Vec<&FeedbackRecord> = records
            .iter()
            .filter(|record| record.prediction.is_some() && record.signal != Signal::Audit)
            .collect();
        for records in predicted.chunks(MAX_TEXTS) {
            match self.words_of(records, labels, classes).await {
                Ok(found) => words.extend(found),
                Err(error) => {
                    warn!(%error, texts = records.len(), "people are asked without the words that drove the predictions");
                    break;
                }
            }
        }
        words
    }

    async fn words_of(
        &self,
        records: &[&FeedbackRecord],
        labels: &LabelSet,
        classes: &[String],
    ) -> Result<DrivingWords, DrivingWordsError> {
        let predicted: Vec<Predicted<'_>> = records
            .iter()
            .map(|record| Predicted {
                text: &record.utterance,
                classes: of_model(record.predicted_labels(), labels, classes),
            })
            .collect();
        let found = driving_words(&self.comprehend, &self.config.classifier.endpoint_arn, &predicted).await?;
        let ids = records.iter().map(|record| record.id.clone());
        Ok(ids.zip(found).filter(|(_, words)| !words.is_empty()).collect())
    }
}

/// Returns the classes of a model that labels are predicted by: a label that was renamed, or that another was merged into, has
/// other names there.
fn of_model(predicted: Vec<String>, labels: &LabelSet, classes: &[String]) -> Vec<String> {
    let means = |label: &str| {
        let meaning = classes.iter().filter(|class| labels.own_name(class) == label);
        meaning.cloned().collect::<Vec<_>>()
    };
    let known = predicted.into_iter().map(|label| match means(&label) {
        classes if classes.is_empty() => vec![label],
        classes => classes,
    });
    known.flatten().collect()
}
