//! What the demo's clients do: classify, like and dislike, upload files. Notes what must come of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use active_learning_aws::bucket::{BINARY, Bucket};
use active_learning_core::feedback::{FeedbackRequest, Source, prediction::split_labels, record_id};
use serde_json::{Value, json};
use text_import::feedback;

use super::{
    Failure,
    progress::Progress,
    samples::{Labelled, are_labels},
};
use crate::{http_client::send, outputs::StackOutputs};

/// Name of the classifier that the traffic is sent to.
const CLASSIFIER: &str = "news";
const CLASSIFICATIONS: [&str; 2] = [
    include_str!("../../../../events/classify/confident.json"),
    include_str!("../../../../events/classify/low-confidence.json"),
];
const FEEDBACK: [&str; 3] = [
    include_str!("../../../../events/feedback-api/like.json"),
    include_str!("../../../../events/feedback-api/dislike.json"),
    include_str!("../../../../events/feedback-api/correction.json"),
];
/// Default of the template's parameter `DefaultClassifierName`.
const DEFAULT_CLASSIFIER: &str = "default";

const FILES: [(&str, &str); 3] = [
    (
        "sentences.json",
        include_str!("../../../../events/batch-feedback/files/sentences.json"),
    ),
    (
        "feedback.jsonl",
        include_str!("../../../../events/batch-feedback/files/feedback.jsonl"),
    ),
    (
        "feedback.csv",
        include_str!("../../../../events/batch-feedback/files/feedback.csv"),
    ),
];

/// A classification as the client saw it.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) text: String,
    pub(super) prediction: String,
    pub(super) confidence: f64,
}

/// What was sent, and what must come back.
#[derive(Default)]
pub(super) struct Played {
    pub(super) classified: usize,
    pub(super) trusted: usize,
    pub(super) likes: usize,
    pub(super) rejected: usize,
    /// Ids of the records that must be answered.
    pub(super) expected: BTreeSet<String>,
    /// How many go to review, by reason.
    pub(super) reasons: BTreeMap<String, usize>,
    /// The right labels, by record id, as far as they are known.
    pub(super) labels: BTreeMap<String, String>,
    /// The wrong prediction that went to review with the least confidence.
    pub(super) doubtful: Option<Seen>,
}

impl Played {
    fn expect(&mut self, reason: &str, id: String) {
        *self.reasons.entry(reason.to_owned()).or_default() += 1;
        self.expected.insert(id);
    }

    /// Notes what must become of a user's feedback. The reviewer agrees with the label that a user gave.
    fn count(&mut self, request: FeedbackRequest, source: Source) {
        match request.into_record(source, "") {
            Ok(record) if record.signal.needs_review() => {
                if let Some(label) = record.suggested_label {
                    self.labels.insert(record.id.clone(), label);
                }
                let signal = serde_json::to_value(record.signal).unwrap_or_default();
                self.expect(signal.as_str().unwrap_or_default(), record.id);
            }
            Ok(_) => self.likes += 1,
            Err(_) => self.rejected += 1,
        }
    }

    fn note_doubt(&mut self, seen: Seen, label: &str) {
        let least = self
            .doubtful
            .as_ref()
            .map_or(f64::INFINITY, |least| least.confidence);
        let is_right = are_labels(label, std::slice::from_ref(&seen.prediction))
            || are_labels(label, &split_labels(&seen.prediction));
        if !is_right && seen.confidence < least {
            self.doubtful = Some(seen);
        }
    }
}

/// Classifies texts whose labels are known.
pub(super) async fn classify(
    outputs: &StackOutputs,
    labelled: &[Labelled],
    played: &mut Played,
) -> Result<(), Failure> {
    let progress = Progress::new("Classify", labelled.len());
    for (done, (label, text)) in labelled.iter().enumerate() {
        let (seen, reason) = classify_one(outputs, CLASSIFIER, text, played).await?;
        played.labels.insert(record_id(CLASSIFIER, text), label.clone());
        if reason.is_some() {
            played.note_doubt(seen, label);
        }
        progress.show(done + 1);
    }
    progress.end();
    Ok(())
}

/// Classifies the sample events.
pub(super) async fn classify_samples(outputs: &StackOutputs, played: &mut Played) -> Result<(), Failure> {
    for event in CLASSIFICATIONS {
        let event: Value = serde_json::from_str(event)?;
        let body = event["body"].as_str().unwrap_or_default();
        let request = FeedbackRequest::parse(body.as_bytes())?;
        classify_one(outputs, &request.classifier, &request.sentence, played).await?;
    }
    Ok(())
}

async fn classify_one(
    outputs: &StackOutputs,
    classifier: &str,
    text: &str,
    played: &mut Played,
) -> Result<(Seen, Option<String>), Failure> {
    let (seen, reason) = ask(outputs, classifier, text).await?;
    played.classified += 1;
    match &reason {
        Some(reason) => played.expect(reason, record_id(classifier, text)),
        None => played.trusted += 1,
    }
    Ok((seen, reason))
}

/// Asks for a text of the traffic once more.
pub(super) async fn ask_again(outputs: &StackOutputs, text: &str) -> Result<Seen, Failure> {
    Ok(ask(outputs, CLASSIFIER, text).await?.0)
}

async fn ask(
    outputs: &StackOutputs,
    classifier: &str,
    text: &str,
) -> Result<(Seen, Option<String>), Failure> {
    let body = json!({"classifier": classifier, "sentence": text});
    let answer = post(outputs, "TextClassificationApiGatewayID", &body).await?;
    let seen = Seen {
        text: text.to_owned(),
        prediction: answer["prediction"].as_str().unwrap_or_default().to_owned(),
        confidence: answer["confidence"].as_f64().unwrap_or_default(),
    };
    Ok((seen, answer["review"]["reason"].as_str().map(str::to_owned)))
}

/// Sends the sample likes and dislikes.
pub(super) async fn give_feedback(outputs: &StackOutputs, played: &mut Played) -> Result<(), Failure> {
    let progress = Progress::new("Like and dislike", FEEDBACK.len());
    for (done, event) in FEEDBACK.iter().enumerate() {
        let event: Value = serde_json::from_str(event)?;
        let body: Value = serde_json::from_str(event["body"].as_str().unwrap_or_default())?;
        post(outputs, "FeedbackAPIGatewayID", &body).await?;
        let request = FeedbackRequest::parse(body.to_string().as_bytes())?;
        played.count(request, Source::ExplicitApi);
        progress.show(done + 1);
    }
    progress.end();
    Ok(())
}

/// Uploads the sample files.
pub(super) async fn upload_files(bucket: &Bucket, played: &mut Played) -> Result<(), Failure> {
    let progress = Progress::new("Upload files", FILES.len());
    for (done, (name, content)) in FILES.iter().enumerate() {
        let whole = feedback::whole(content.as_bytes())??;
        feedback::read(content.as_bytes(), &whole, DEFAULT_CLASSIFIER, &mut |item| {
            match item.content {
                Ok(request) => played.count(request, Source::ExplicitBatch),
                Err(_) => played.rejected += 1,
            }
            ControlFlow::Continue(())
        })?;
        // In no folder, which would name a classifier.
        bucket.put(&format!("demo-{name}"), BINARY, *content).await?;
        progress.show(done + 1);
    }
    progress.end();
    Ok(())
}

async fn post(outputs: &StackOutputs, api: &str, body: &Value) -> Result<Value, Failure> {
    let request = http::Request::post(outputs.output(api))
        .header("x-api-key", &outputs.api_key_value)
        .header("content-type", "application/json")
        .body(body.to_string())?;
    let response = send(request).await?;
    if response.status() != 200 {
        return Err(format!("{api} answered {}: {}", response.status(), response.body()).into());
    }
    Ok(serde_json::from_str(response.body())?)
}
