//! A request of the feedback API, and an element of a batch file.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::labels::{label_key::label_key, label_set::LabelSet, prediction_result::KeptPrediction};

use super::{
    FeedbackRecord, InvalidFeedback, Signal, Source,
    fields::{
        Fields, Known, check_texts, kind, parse_fields, probability, take_confidence, take_label, take_name,
        take_text,
    },
    prediction::split_labels,
    record::record_id,
    schema::{SCHEMA_VERSION, UNKNOWN_PREDICTION},
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
///
/// Of a JSON object every field must be one of these, by its exact name, and may be given once; `null` is
/// the same as leaving a field out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedbackRequest {
    /// Name of the classifier; empty means the default one.
    pub classifier: String,
    /// Whether it names no classifier itself: see [`FeedbackRequest::or_classifier`].
    #[serde(skip)]
    pub classifier_is_default: bool,
    /// The text; `utterance` is understood as well, so that a record can be sent again.
    pub sentence: String,
    /// Like or dislike; dislike if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Opinion>,
    /// The label that was predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// Its confidence.
    #[serde(skip_serializing_if = "Option::is_none")]
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

/// The fields of a request, and what they may be called.
pub const FIELDS: [Known; 9] = [
    ("classifier", "classifier"),
    ("sentence", "sentence"),
    ("utterance", "sentence"),
    ("feedback", "feedback"),
    ("prediction", "prediction"),
    ("confidence", "confidence"),
    ("label", "label"),
    ("predictionId", "predictionId"),
    ("user", "user"),
];

impl FeedbackRequest {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// [`InvalidFeedback`] naming the field that is unknown, given twice or of another kind.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidFeedback> {
        Self::of(parse_fields(body, &FIELDS)?)
    }

    /// Reads the fields of a request.
    ///
    /// # Errors
    ///
    /// [`InvalidFeedback`] naming the field that is of another kind.
    pub fn of(mut fields: Fields) -> Result<Self, InvalidFeedback> {
        let opinion = fields
            .remove("feedback")
            .map(|value| opinion(&value))
            .transpose()?;
        Ok(Self {
            classifier: take_name(&mut fields, "classifier")?.unwrap_or_default(),
            classifier_is_default: false,
            sentence: take_text(&mut fields, "sentence")?.unwrap_or_default(),
            feedback: opinion,
            prediction: take_label(&mut fields, "prediction")?,
            confidence: take_confidence(&mut fields)?,
            label: take_label(&mut fields, "label")?,
            prediction_id: take_name(&mut fields, "predictionId")?,
            user: take_name(&mut fields, "user")?,
        })
    }

    /// Names the classifier where the request leaves it open.
    #[must_use]
    pub fn or_classifier(mut self, default: &str) -> Self {
        if self.classifier.trim().is_empty() {
            default.clone_into(&mut self.classifier);
            self.classifier_is_default = true;
        }
        self
    }

    /// Returns the prediction that the request names by its label.
    pub fn known_prediction(&self) -> Option<&str> {
        let prediction = self.prediction.as_deref()?;
        (!prediction.trim().is_empty() && prediction != UNKNOWN_PREDICTION).then_some(prediction)
    }

    /// Holds the request against the prediction that it names by id: what was predicted is taken from there where the request
    /// leaves it open, and so is its classifier.
    ///
    /// # Errors
    ///
    /// As [`KeptPrediction::check`] and [`KeptPrediction::classifier_of`].
    pub fn hold_against(
        &mut self,
        kept: &KeptPrediction,
        set: Option<&LabelSet>,
    ) -> Result<(), InvalidFeedback> {
        kept.check(&self.sentence, self.known_prediction(), set)?;
        let said = if self.classifier_is_default {
            ""
        } else {
            &self.classifier
        };
        self.classifier = kept.classifier_of(said)?.to_owned();
        if self.known_prediction().is_none() {
            self.prediction.clone_from(&kept.prediction);
            self.confidence = self.confidence.or(kept.confidence);
        }
        Ok(())
    }

    /// Checks the request and turns it into a record. Labels are compared as they are spelt: see
    /// [`FeedbackRequest::into_record_by`].
    ///
    /// # Errors
    ///
    /// [`InvalidFeedback`] naming the field that is missing, too long or out of range.
    pub fn into_record(self, source: Source, received_at: &str) -> Result<FeedbackRecord, InvalidFeedback> {
        self.into_record_by(None, source, received_at)
    }

    /// Checks the request and turns it into a record. By a label set the earlier names of a label are that label: what was
    /// predicted before a rename or a merge may be liked by either name.
    ///
    /// # Errors
    ///
    /// As [`FeedbackRequest::into_record`].
    pub fn into_record_by(
        self,
        set: Option<&LabelSet>,
        source: Source,
        received_at: &str,
    ) -> Result<FeedbackRecord, InvalidFeedback> {
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
        let mut record = FeedbackRecord {
            schema_version: SCHEMA_VERSION,
            id: record_id(&self.classifier, &self.sentence),
            prediction: known(self.prediction).filter(|label| label != UNKNOWN_PREDICTION),
            confidence: probability(self.confidence)?,
            classifier: self.classifier,
            utterance: self.sentence,
            classes: Vec::new(),
            source,
            signal: Signal::Dislike,
            suggested_label: known(self.label),
            prediction_id: known(self.prediction_id),
            model_arn: None,
            selection_probability: None,
            accepted_above: None,
            is_of_all: false,
            user: known(self.user),
            received_at: received_at.to_owned(),
        };
        take_opinion(&mut record, self.feedback, set)?;
        Ok(record.with_signal_of_text())
    }
}

/// Takes what a user says of a prediction into its record. Who says nothing and gives the predicted label holds it right.
///
/// A like must hold right what was predicted, and a dislike something else, where both are known: otherwise one of two words
/// is wrong, and nobody can tell which. Names that mean one label by a set are the same.
///
/// # Errors
///
/// [`InvalidFeedback::Contradiction`], [`InvalidFeedback::DislikedLabel`].
pub fn take_opinion(
    record: &mut FeedbackRecord,
    said: Option<Opinion>,
    set: Option<&LabelSet>,
) -> Result<(), InvalidFeedback> {
    let both = record
        .suggested_label
        .as_deref()
        .zip(record.prediction.as_deref());
    let is_predicted = both.map(|(label, prediction)| is_same_prediction(label, prediction, set));
    record.signal = match (said, is_predicted) {
        (Some(Opinion::Like), Some(false)) => return Err(InvalidFeedback::Contradiction),
        (Some(Opinion::Dislike), Some(true)) => return Err(InvalidFeedback::DislikedLabel),
        (Some(Opinion::Like), _) | (None, Some(true)) => Signal::Like,
        (Some(Opinion::Dislike), _) | (None, _) => Signal::Dislike,
    };
    Ok(())
}

/// Returns whether two texts name the same labels, however they are spelt, and by a set by whichever of their names.
pub fn is_same_prediction(one: &str, other: &str, set: Option<&LabelSet>) -> bool {
    let names = |label: &str| set.map_or_else(|| split_labels(label), |set| set.prediction_names(label));
    let keys =
        |label: &str| -> BTreeSet<String> { names(label).iter().map(|name| label_key(name)).collect() };
    keys(one) == keys(other)
}

/// Reads an opinion: its two words only, since whatever else is said might mean the opposite.
fn opinion(value: &Value) -> Result<Opinion, InvalidFeedback> {
    match value.as_str() {
        Some("like") => Ok(Opinion::Like),
        Some("dislike") => Ok(Opinion::Dislike),
        Some(_) => Err(InvalidFeedback::Opinion("another text")),
        None => Err(InvalidFeedback::Opinion(kind(value))),
    }
}
