//! A request of the feedback API, and an element of a batch file.

use serde::{Deserialize, Serialize};

use super::{
    FeedbackRecord, InvalidFeedback, Signal, Source,
    fields::{check_texts, confidence, parse_object, probability, text},
    record::{SCHEMA_VERSION, UNKNOWN_PREDICTION, record_id},
};

/// What a user says of a prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Opinion {
    /// The prediction is right.
    Like,
    /// The prediction is wrong; what no opinion means.
    #[default]
    Dislike,
}

/// A request of the feedback API, and an element of a batch file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedbackRequest {
    /// Name of the classifier.
    #[serde(default, deserialize_with = "text")]
    pub classifier: String,
    /// The text; `utterance` is understood as well, so that a record can be sent again.
    #[serde(default, alias = "utterance", deserialize_with = "text")]
    pub sentence: String,
    /// Like or dislike; dislike if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Opinion>,
    /// The label that was predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// Its confidence.
    #[serde(
        default,
        deserialize_with = "confidence",
        skip_serializing_if = "Option::is_none"
    )]
    pub confidence: Option<f32>,
    /// The label that the user holds right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Id of the prediction, from the classification answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction_id: Option<String>,
    /// Who gives the feedback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Longest label, prediction id or user name, in bytes.
const MAX_FIELD_BYTES: usize = 5_000;

impl FeedbackRequest {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// [`InvalidFeedback::Json`] when it is no JSON object with these fields.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidFeedback> {
        parse_object(body)
    }

    /// Checks the request and turns it into a record.
    ///
    /// # Errors
    ///
    /// [`InvalidFeedback`] naming the field that is missing, too long or out of range.
    pub fn into_record(self, source: Source, received_at: &str) -> Result<FeedbackRecord, InvalidFeedback> {
        check_texts(&self.classifier, &self.sentence)?;
        let fields = [
            ("prediction", &self.prediction),
            ("label", &self.label),
            ("predictionId", &self.prediction_id),
            ("user", &self.user),
        ];
        for (field, value) in fields {
            if value.as_ref().is_some_and(|value| value.len() > MAX_FIELD_BYTES) {
                return Err(InvalidFeedback::FieldTooLong {
                    field,
                    limit: MAX_FIELD_BYTES,
                });
            }
        }
        let known = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
        Ok(FeedbackRecord {
            schema_version: SCHEMA_VERSION,
            id: record_id(&self.classifier, &self.sentence),
            prediction: known(self.prediction).filter(|label| label != UNKNOWN_PREDICTION),
            confidence: probability(self.confidence)?,
            classifier: self.classifier,
            utterance: self.sentence,
            classes: Vec::new(),
            source,
            signal: match self.feedback.unwrap_or_default() {
                Opinion::Like => Signal::Like,
                Opinion::Dislike => Signal::Dislike,
            },
            suggested_label: known(self.label),
            prediction_id: known(self.prediction_id),
            model_arn: None,
            selection_probability: None,
            accepted_above: None,
            user: known(self.user),
            received_at: received_at.to_owned(),
        })
    }
}
