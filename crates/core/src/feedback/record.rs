//! The feedback record: the JSON line that every function reads or writes.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    ClassScore, InvalidFeedback, Prediction, Review, Signal, Source,
    fields::{Known, check_lengths, check_line_fields, confidence, parse_object, probability},
    prediction::{cut_labels, split_labels},
    schema::{SCHEMA_VERSION, UNKNOWN_PREDICTION},
};

/// One line of feedback.
///
/// On the wire a JSON object with camel-case keys. Lines of the reference sample
/// (`utterance`, `prediction`, `confidence`, `classifier` alone) are read as well.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedbackRecord {
    /// Version of the line's shape.
    pub schema_version: u32,
    /// Identity of the question "which class has this utterance?": see [`record_id`].
    pub id: String,
    /// Name of the classifier, as the client gave it.
    pub classifier: String,
    /// The text, at most [`MAX_UTTERANCE_BYTES`](crate::MAX_UTTERANCE_BYTES) long.
    pub utterance: String,
    /// The predicted label, if known.
    pub prediction: Option<String>,
    /// Confidence of the prediction from 0 to 1, if known.
    pub confidence: Option<f32>,
    /// Scores of the classes that the classifier returned, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassScore>,
    /// Where the feedback comes from.
    pub source: Source,
    /// What it says.
    pub signal: Signal,
    /// The label that a user holds right; a vote, not the truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_label: Option<String>,
    /// Id of the prediction, from the classification answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction_id: Option<String>,
    /// ARN of the model that predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_arn: Option<String>,
    /// Probability with which the prediction was selected by chance, 1 for what is always selected; none where a
    /// user complained, or where a [review budget](crate::sampling::review_budget) chose it by its rank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection_probability: Option<f64>,
    /// Threshold that the confidence of an accepted prediction exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_above: Option<f32>,
    /// Whether every prediction was asked about when this one was, whatever its confidence: then those that people judged
    /// stand for all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_of_all: bool,
    /// Who gave the feedback, as the client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// When it was received, RFC 3339 in UTC; empty in old lines.
    pub received_at: String,
}

/// Derives the id of a question: the first 32 hex digits of SHA-256 over classifier and utterance.
///
/// White space at the ends of the utterance does not count. The same question has the same id
/// whoever asks it, so that a person is not asked twice.
pub fn record_id(classifier: &str, utterance: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(classifier.as_bytes());
    hash.update([0]);
    hash.update(utterance.trim().as_bytes());
    hex::encode(&hash.finalize()[..16])
}

impl FeedbackRecord {
    /// Returns the name by which its question is claimed. What a change of the label set asks again is a question of its
    /// own: one for each version of the set, whose time the record has.
    pub fn claim_name(&self) -> String {
        match self.signal {
            Signal::Relabel => {
                let time = self.received_at.chars().filter(char::is_ascii_digit);
                format!("relabel-{}-{}", time.collect::<String>(), self.id)
            }
            _ => self.id.clone(),
        }
    }

    /// Returns the record of the same text under another classifier: another question.
    #[must_use]
    pub fn of_classifier(self, classifier: &str) -> Self {
        Self {
            id: record_id(classifier, &self.utterance),
            classifier: classifier.to_owned(),
            ..self
        }
    }

    /// Makes the record that asks about a text anew since the label set changed at a time. What its user said is in its
    /// first record.
    #[must_use]
    pub fn asked_anew(&self, at: &str) -> Self {
        Self {
            signal: Signal::Relabel,
            suggested_label: None,
            prediction_id: None,
            selection_probability: None,
            accepted_above: None,
            is_of_all: false,
            user: None,
            received_at: at.to_owned(),
            ..self.clone()
        }
    }

    /// Returns the labels that are predicted, by the names of the classes where they are known: a class whose name holds
    /// the delimiter is one.
    pub fn predicted_labels(&self) -> Vec<String> {
        let Some(prediction) = &self.prediction else {
            return Vec::new();
        };
        let class_of = |name: &str| self.classes.iter().find(|class| class.name.trim() == name.trim());
        let known = |name: &str| class_of(name).map(|class| class.name.clone());
        cut_labels(prediction, known).unwrap_or_else(|| split_labels(prediction))
    }

    /// Makes the record of a prediction that the review policy selected.
    pub fn predicted(
        classifier: &str,
        utterance: &str,
        prediction: &Prediction,
        review: Review,
        prediction_id: &str,
        model_arn: Option<String>,
        received_at: &str,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            id: record_id(classifier, utterance),
            classifier: classifier.to_owned(),
            utterance: utterance.to_owned(),
            prediction: Some(prediction.label.clone()),
            confidence: Some(prediction.confidence),
            classes: prediction.classes.clone(),
            source: Source::Implicit,
            signal: review.signal,
            suggested_label: None,
            prediction_id: Some(prediction_id.to_owned()),
            model_arn,
            selection_probability: Some(review.selection_probability),
            accepted_above: None,
            is_of_all: false,
            user: None,
            received_at: received_at.to_owned(),
        }
    }

    /// Makes the record of a text that came before the first model.
    pub fn without_model(classifier: &str, utterance: &str, prediction_id: &str, received_at: &str) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            id: record_id(classifier, utterance),
            classifier: classifier.to_owned(),
            utterance: utterance.to_owned(),
            prediction: None,
            confidence: None,
            classes: Vec::new(),
            source: Source::Implicit,
            signal: Signal::Unlabelled,
            suggested_label: None,
            prediction_id: Some(prediction_id.to_owned()),
            model_arn: None,
            selection_probability: None,
            accepted_above: None,
            is_of_all: false,
            user: None,
            received_at: received_at.to_owned(),
        }
    }

    /// Gives a text of a file that names nothing that could be wrong the signal of a text to label.
    ///
    /// Neither a label, nor a prediction, nor its id stands with it, so that a dislike says no more than none does. Lines of
    /// before have a dislike there.
    #[must_use]
    pub(super) fn with_signal_of_text(mut self) -> Self {
        let is_text_of_file = self.source == Source::ExplicitBatch && self.signal == Signal::Dislike;
        let names_nothing =
            self.prediction.is_none() && self.suggested_label.is_none() && self.prediction_id.is_none();
        if is_text_of_file && names_nothing {
            self.signal = Signal::Unlabelled;
        }
        self
    }

    /// Returns whether this is a text to label: nobody has said anything of it, no model and no user.
    pub fn is_unlabelled(&self) -> bool {
        self.signal == Signal::Unlabelled && self.prediction.is_none() && self.suggested_label.is_none()
    }

    /// Returns whether a user says that something said of the text is wrong.
    pub fn is_complaint(&self) -> bool {
        self.signal == Signal::Dislike
    }

    /// Makes the record of a prediction that is accepted as a label, since its confidence exceeds `threshold`.
    pub fn accepted(
        classifier: &str,
        utterance: &str,
        prediction: &Prediction,
        threshold: f32,
        prediction_id: &str,
        model_arn: String,
        received_at: &str,
    ) -> Self {
        let nobody = Review {
            signal: Signal::Accepted,
            selection_probability: 0.0,
        };
        let model_arn = Some(model_arn);
        Self {
            selection_probability: None,
            accepted_above: Some(threshold),
            is_of_all: false,
            ..Self::predicted(
                classifier,
                utterance,
                prediction,
                nobody,
                prediction_id,
                model_arn,
                received_at,
            )
        }
    }

    /// Returns whether a record that says so is an accepted prediction.
    fn is_accepted(&self) -> bool {
        let above = self.confidence.zip(self.accepted_above);
        self.source == Source::Implicit
            && self.prediction.is_some()
            && self.model_arn.is_some()
            && above.is_some_and(|(confidence, threshold)| confidence > threshold)
    }

    /// Reads one line.
    ///
    /// # Errors
    ///
    /// [`InvalidFeedback`] when the line is no feedback, or of a newer schema version.
    pub fn parse(line: &[u8]) -> Result<Self, InvalidFeedback> {
        let line: Line = parse_object(line)?;
        let schema_version = line.schema_version.unwrap_or(0);
        if schema_version > SCHEMA_VERSION {
            return Err(InvalidFeedback::NewerSchema(schema_version));
        }
        check_lengths(&line.classifier, &line.utterance).map_err(|invalid| match invalid {
            InvalidFeedback::Missing("sentence") => InvalidFeedback::Missing("utterance"),
            other => other,
        })?;
        let prediction = line
            .prediction
            .filter(|label| !label.is_empty() && label != UNKNOWN_PREDICTION);
        let confidence = probability(line.confidence)?;
        let explicit = prediction.is_none();
        let record = Self {
            schema_version: SCHEMA_VERSION,
            id: record_id(&line.classifier, &line.utterance),
            source: line.source.unwrap_or(if explicit {
                Source::ExplicitApi
            } else {
                Source::Implicit
            }),
            signal: line.signal.unwrap_or(if explicit {
                Signal::Dislike
            } else {
                Signal::LowConfidence
            }),
            classifier: line.classifier,
            utterance: line.utterance,
            prediction,
            confidence,
            classes: line.classes.unwrap_or_default(),
            suggested_label: line.suggested_label.filter(|label| !label.is_empty()),
            prediction_id: line.prediction_id,
            model_arn: line.model_arn,
            selection_probability: line.selection_probability,
            accepted_above: line.accepted_above,
            is_of_all: line.is_of_all.unwrap_or_default(),
            user: line.user,
            received_at: line.received_at.unwrap_or_default(),
        };
        if record.signal == Signal::Accepted && !record.is_accepted() {
            return Err(InvalidFeedback::NotAccepted);
        }
        Ok(record.with_signal_of_text())
    }

    /// Reads one line as [`FeedbackRecord::parse`] does, and refuses what other producers misspell: nothing that they say is
    /// passed over.
    ///
    /// # Errors
    ///
    /// As [`FeedbackRecord::parse`], and [`InvalidFeedback::UnknownField`] naming a field that nobody reads.
    pub fn parse_strictly(line: &[u8]) -> Result<Self, InvalidFeedback> {
        let record = Self::parse(line);
        // What is missing may be there by another name.
        if matches!(record, Ok(_) | Err(InvalidFeedback::Missing(_))) {
            check_line_fields(line, &LINE_FIELDS)?;
        }
        record
    }

    /// Writes the record as one line with its line feed: Firehose puts nothing between records.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("a record has only string keys and finite numbers");
        line.push('\n');
        line
    }
}

impl<'de> Deserialize<'de> for FeedbackRecord {
    /// Reads a record inside another document, as [`FeedbackRecord::parse`] reads a line.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let record = Value::deserialize(deserializer)?;
        Self::parse(record.to_string().as_bytes()).map_err(D::Error::custom)
    }
}

/// The fields of a line.
const LINE_FIELDS: [Known; 17] = [
    ("classifier", "classifier"),
    ("utterance", "utterance"),
    ("prediction", "prediction"),
    ("confidence", "confidence"),
    ("source", "source"),
    ("signal", "signal"),
    ("suggestedLabel", "suggestedLabel"),
    ("user", "user"),
    ("predictionId", "predictionId"),
    ("modelArn", "modelArn"),
    ("classes", "classes"),
    ("selectionProbability", "selectionProbability"),
    ("acceptedAbove", "acceptedAbove"),
    ("isOfAll", "isOfAll"),
    ("receivedAt", "receivedAt"),
    ("schemaVersion", "schemaVersion"),
    ("id", "id"),
];

/// The wire shape of a line, before its meaning is checked. `null` reads as absent everywhere.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    schema_version: Option<u32>,
    #[serde(default)]
    classifier: String,
    #[serde(default)]
    utterance: String,
    prediction: Option<String>,
    #[serde(default, deserialize_with = "confidence")]
    confidence: Option<f32>,
    classes: Option<Vec<ClassScore>>,
    source: Option<Source>,
    signal: Option<Signal>,
    suggested_label: Option<String>,
    prediction_id: Option<String>,
    model_arn: Option<String>,
    selection_probability: Option<f64>,
    accepted_above: Option<f32>,
    is_of_all: Option<bool>,
    user: Option<String>,
    received_at: Option<String>,
}
