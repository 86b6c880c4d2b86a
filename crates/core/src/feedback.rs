//! The feedback record: the JSON line that every function reads or writes, and the request it comes from.

use std::fmt::Write as _;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    MAX_CLASSIFIER_BYTES, MAX_UTTERANCE_BYTES,
    prediction::{ClassScore, Prediction},
    review_policy::Review,
};

/// Version of the line that is written; lines of a later version are refused, older ones are read.
pub const SCHEMA_VERSION: u32 = 1;

/// How old lines say that a prediction is unknown.
const UNKNOWN_PREDICTION: &str = "CLASSIFY";
/// How old lines say that a confidence is unknown.
const UNKNOWN_CONFIDENCE: &str = "NONE";

/// Where feedback comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A prediction of the classification API: the review policy selected it, or it was accepted as a label.
    Implicit,
    /// A user called the feedback API.
    ExplicitApi,
    /// A user uploaded a file.
    ExplicitBatch,
}

/// What the feedback says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// The confidence does not exceed the threshold.
    LowConfidence,
    /// The margin does not exceed its threshold.
    LowMargin,
    /// Selected at random.
    Audit,
    /// A user says that the prediction is wrong.
    Dislike,
    /// A user says that the prediction is right.
    Like,
    /// The prediction is accepted as a label without a person; see [`promise`](crate::promise).
    Accepted,
}

impl Signal {
    /// Returns whether a person should look: a like is stored and counted only, an accepted prediction is a label.
    pub fn needs_review(self) -> bool {
        match self {
            Self::LowConfidence | Self::LowMargin | Self::Audit | Self::Dislike => true,
            Self::Like | Self::Accepted => false,
        }
    }
}

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
    /// The text, at most [`MAX_UTTERANCE_BYTES`] long.
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
    /// user complained, or where a [review budget](crate::review_budget) chose it by its rank.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection_probability: Option<f64>,
    /// Threshold that the confidence of an accepted prediction exceeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_above: Option<f32>,
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

/// Why a line or a request cannot be used. Safe to show: it never holds the text itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFeedback {
    /// Not a JSON object of the expected shape.
    #[error("not valid JSON feedback: {0}")]
    Json(String),
    /// A required field is absent or blank.
    #[error("field `{0}` is missing or empty")]
    Missing(&'static str),
    /// The text is longer than [`MAX_UTTERANCE_BYTES`].
    #[error("the text is {0} bytes long; at most {MAX_UTTERANCE_BYTES} bytes of UTF-8 are accepted")]
    TooLong(usize),
    /// Another field is too long.
    #[error("field `{field}` is longer than {limit} bytes")]
    FieldTooLong {
        /// Name of the field.
        field: &'static str,
        /// Its limit in bytes.
        limit: usize,
    },
    /// The confidence is not a probability.
    #[error("field `confidence` must be a number from 0 to 1")]
    Confidence,
    /// It says that a prediction was accepted, but not which, by which model or above which threshold.
    #[error(
        "an accepted prediction must come from the classification API, with its model and a confidence above `acceptedAbove`"
    )]
    NotAccepted,
    /// The line was written by a newer version.
    #[error("schema version {0} is newer than {SCHEMA_VERSION}, the newest that is understood")]
    NewerSchema(u32),
}

impl From<serde_json::Error> for InvalidFeedback {
    /// Keeps kind and place of a JSON error, not its text: that may quote the input.
    fn from(error: serde_json::Error) -> Self {
        let mut text = match error.classify() {
            serde_json::error::Category::Data => "a field has the wrong type or value".to_owned(),
            serde_json::error::Category::Eof => "it ends too early".to_owned(),
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                "syntax error".to_owned()
            }
        };
        if error.line() > 0 {
            let _ = write!(text, " (line {}, column {})", error.line(), error.column());
        }
        Self::Json(text)
    }
}

impl FeedbackRecord {
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
            user: None,
            received_at: received_at.to_owned(),
        }
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
        check_texts(&line.classifier, &line.utterance)?;
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
            user: line.user,
            received_at: line.received_at.unwrap_or_default(),
        };
        if record.signal == Signal::Accepted && !record.is_accepted() {
            return Err(InvalidFeedback::NotAccepted);
        }
        Ok(record)
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
    user: Option<String>,
    received_at: Option<String>,
}

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

/// Reads a JSON object; an array, which would pass for an object's fields in order, is none.
///
/// # Errors
///
/// [`InvalidFeedback::Json`], which does not quote the input.
pub fn parse_object<T: DeserializeOwned>(json: &[u8]) -> Result<T, InvalidFeedback> {
    if json.trim_ascii_start().starts_with(b"[") {
        return Err(InvalidFeedback::Json("an array is no object".to_owned()));
    }
    Ok(serde_json::from_slice(json)?)
}

/// Checks the two texts that every request and record must have.
///
/// # Errors
///
/// [`InvalidFeedback::Missing`] or a length error.
pub fn check_texts(classifier: &str, sentence: &str) -> Result<(), InvalidFeedback> {
    if classifier.trim().is_empty() {
        return Err(InvalidFeedback::Missing("classifier"));
    }
    if classifier.len() > MAX_CLASSIFIER_BYTES {
        return Err(InvalidFeedback::FieldTooLong {
            field: "classifier",
            limit: MAX_CLASSIFIER_BYTES,
        });
    }
    if sentence.trim().is_empty() {
        return Err(InvalidFeedback::Missing("sentence"));
    }
    if sentence.len() > MAX_UTTERANCE_BYTES {
        return Err(InvalidFeedback::TooLong(sentence.len()));
    }
    Ok(())
}

fn probability(confidence: Option<f32>) -> Result<Option<f32>, InvalidFeedback> {
    match confidence {
        Some(number) if !(0.0..=1.0).contains(&number) => Err(InvalidFeedback::Confidence),
        other => Ok(other),
    }
}

/// Reads a number, the word for "unknown", or nothing.
fn confidence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Confidence {
        Number(f32),
        Word(String),
    }
    match Option::<Confidence>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Confidence::Number(number)) => Ok(Some(number)),
        Some(Confidence::Word(word)) if word.is_empty() || word == UNKNOWN_CONFIDENCE => Ok(None),
        Some(Confidence::Word(word)) => word.trim().parse().map(Some).map_err(serde::de::Error::custom),
    }
}

/// Reads a text; `null` is an empty one, so that it is reported as a missing field.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2026-11-20T10:00:00Z";

    fn request(json: &str) -> FeedbackRequest {
        FeedbackRequest::parse(json.as_bytes()).expect("a request")
    }

    #[test]
    fn a_line_of_the_reference_sample_is_read() {
        let line =
            br#"{"utterance":"Rates rise","prediction":"Business","confidence":0.31,"classifier":"news"}"#;

        let record = FeedbackRecord::parse(line).expect("an old line");

        assert_eq!(record.source, Source::Implicit);
        assert_eq!(record.signal, Signal::LowConfidence);
        assert_eq!(record.prediction.as_deref(), Some("Business"));
        assert_eq!(record.confidence, Some(0.31));
        assert_eq!(record.id, record_id("news", "Rates rise"));
    }

    #[test]
    fn the_sample_s_words_for_unknown_become_nothing() {
        let line =
            br#"{"utterance":"Rates rise","prediction":"CLASSIFY","confidence":"NONE","classifier":"news"}"#;

        let record = FeedbackRecord::parse(line).expect("an old line");

        assert_eq!((record.prediction, record.confidence), (None, None));
        assert_eq!(
            (record.source, record.signal),
            (Source::ExplicitApi, Signal::Dislike)
        );
    }

    #[test]
    fn a_line_of_version_one_is_read_as_it_was_written() {
        let line = concat!(
            r#"{"schemaVersion":1,"id":"x","classifier":"news","utterance":"Rates rise","prediction":"World","#,
            r#""confidence":0.4,"classes":[{"name":"World","score":0.4}],"source":"implicit","signal":"audit","#,
            r#""predictionId":"p-1","modelArn":"arn","selectionProbability":0.01,"receivedAt":"2026-11-20T10:00:00Z"}"#
        );

        let record = FeedbackRecord::parse(line.as_bytes()).expect("a line");

        assert_eq!(record.signal, Signal::Audit);
        assert_eq!(record.selection_probability, Some(0.01));
        assert_eq!(record.received_at, NOW);
        assert_eq!(record.id, record_id("news", "Rates rise"));
    }

    #[test]
    fn a_newer_line_is_refused_by_its_version() {
        let line = br#"{"schemaVersion":2,"classifier":"news","utterance":"Rates rise"}"#;

        assert_eq!(FeedbackRecord::parse(line), Err(InvalidFeedback::NewerSchema(2)));
    }

    #[test]
    fn an_accepted_prediction_survives_the_wire_and_one_that_is_made_up_is_refused() {
        let classes = vec![ClassScore {
            name: "World".into(),
            score: 0.97,
        }];
        let prediction = Prediction::multi_class(classes).expect("a class");
        let accepted =
            FeedbackRecord::accepted("news", "Rates rise", &prediction, 0.9, "p-1", "arn".into(), NOW);

        let line = accepted.to_line();

        assert!(!accepted.signal.needs_review() && accepted.selection_probability.is_none());
        assert!(line.contains(r#""signal":"accepted""#) && line.contains(r#""acceptedAbove":0.9"#));
        assert_eq!(FeedbackRecord::parse(line.as_bytes()), Ok(accepted));
        for (from, to) in [
            (r#""modelArn":"arn","#, ""),
            (r#""source":"implicit""#, r#""source":"explicit-api""#),
            (r#""acceptedAbove":0.9"#, r#""acceptedAbove":0.97"#),
            (r#""acceptedAbove":0.9,"#, ""),
            (r#""prediction":"World","#, ""),
        ] {
            let forged = line.replace(from, to);
            assert_ne!(forged, line, "{from}");
            assert_eq!(
                FeedbackRecord::parse(forged.as_bytes()),
                Err(InvalidFeedback::NotAccepted)
            );
        }
        let request = r#"{"classifier":"news","sentence":"Rates rise","signal":"accepted","modelArn":"arn"}"#;
        let claimed = FeedbackRequest::parse(request.as_bytes())
            .and_then(|request| request.into_record(Source::ExplicitApi, NOW))
            .expect("a dislike");
        assert_eq!((claimed.signal, claimed.model_arn), (Signal::Dislike, None));
        let opinion = r#"{"classifier":"news","sentence":"Rates rise","feedback":"accepted"}"#;
        assert!(FeedbackRequest::parse(opinion.as_bytes()).is_err());
    }

    #[test]
    fn feedback_without_an_opinion_is_a_dislike() {
        let record = request(r#"{"classifier":"news","sentence":"Rates rise"}"#)
            .into_record(Source::ExplicitApi, NOW)
            .expect("complete");

        assert_eq!(record.signal, Signal::Dislike);
        assert!(record.signal.needs_review());
    }

    #[test]
    fn a_like_needs_no_review() {
        let record =
            request(r#"{"classifier":"news","sentence":"Rates rise","feedback":"like","label":"Business"}"#)
                .into_record(Source::ExplicitApi, NOW)
                .expect("complete");

        assert!(!record.signal.needs_review());
        assert_eq!(record.suggested_label.as_deref(), Some("Business"));
    }

    #[test]
    fn bad_requests_are_refused_by_field_and_never_quote_the_text() {
        let long = format!(
            r#"{{"classifier":"news","sentence":"{}"}}"#,
            "x".repeat(MAX_UTTERANCE_BYTES + 1)
        );
        let cases = [
            (
                r#"{"sentence":"secret"}"#,
                "field `classifier` is missing or empty",
            ),
            (
                r#"{"classifier":"news","sentence":"  "}"#,
                "field `sentence` is missing or empty",
            ),
            (
                r#"{"classifier":"news","sentence":null}"#,
                "field `sentence` is missing or empty",
            ),
            (
                r#"{"classifier":"news","sentence":"secret","confidence":1.5}"#,
                "field `confidence` must be a number from 0 to 1",
            ),
            (
                long.as_str(),
                "the text is 10001 bytes long; at most 10000 bytes of UTF-8 are accepted",
            ),
        ];
        for (body, message) in cases {
            let error = request(body)
                .into_record(Source::ExplicitApi, NOW)
                .expect_err("bad");
            assert_eq!(error.to_string(), message);
        }
        let error = FeedbackRequest::parse(br#"{"classifier":"news","sentence":"s","feedback":"secret"}"#)
            .expect_err("no such opinion");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    proptest! {
        #[test]
        fn every_record_survives_the_wire(
            classifier in "[a-z]{1,20}", utterance in "\\PC{1,200}", confidence in proptest::option::of(0.0f32..=1.0),
            label in proptest::option::of("[A-Z][a-z]{1,9}"), like in any::<bool>(),
        ) {
            prop_assume!(!utterance.trim().is_empty());
            let request = FeedbackRequest {
                classifier, sentence: utterance, confidence, prediction: label.clone(), label,
                feedback: like.then_some(Opinion::Like), ..FeedbackRequest::default()
            };
            let record = request.into_record(Source::ExplicitBatch, NOW).expect("complete");

            let line = record.to_line();

            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(FeedbackRecord::parse(line.as_bytes()), Ok(record));
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = FeedbackRecord::parse(&bytes);
            let _ = FeedbackRequest::parse(&bytes);
        }
    }
}
