//! A training bucket with what people said in it.

use std::collections::BTreeMap;

use active_learning_aws as aws;
use active_learning_core::{
    dataset::{DatasetManifest, Mode, Row, read_csv},
    feedback::{FeedbackRecord, Signal, Source, record_id},
    labels::{
        human_loop::Answer,
        labelled::{LabelledRecord, object_key},
        vote::{Vote, VoteSource},
    },
    sampling::duplicates::KeptCopy,
};
use aws_sdk_s3::Client;
use chrono::{DateTime, Utc};
use local_aws::{LocalAws, s3::BucketSpec, script::Script};
use model_building::assemble::{AssembleError, AssemblePolicy, Assembled, MAX_HELD_OUT, assemble};

pub const BUCKET: &str = "training-123456789012";
pub const FEEDBACK: &str = "feedback-123456789012";

pub const POLICY: AssemblePolicy = AssemblePolicy {
    test_share: 0.2,
    max_held_out: MAX_HELD_OUT,
    min_rows_per_class: 1,
    is_first_model: false,
    mode: None,
    several_labels: false,
    automated_labelling: None,
    is_hosted: false,
};

pub struct Bucket {
    pub s3: Client,
    pub script: Script,
    aws: LocalAws,
}

/// One answer of a reviewer.
pub struct Answered<'a> {
    pub text: &'a str,
    pub label: &'a str,
    pub signal: Signal,
}

pub fn doubted<'a>(text: &'a str, label: &'a str) -> Answered<'a> {
    Answered {
        text,
        label,
        signal: Signal::LowConfidence,
    }
}

pub fn audited<'a>(text: &'a str, label: &'a str) -> Answered<'a> {
    Answered {
        text,
        label,
        signal: Signal::Audit,
    }
}

pub fn record(text: &str, signal: Signal) -> FeedbackRecord {
    FeedbackRecord {
        schema_version: 1,
        id: record_id("news", text),
        classifier: "news".into(),
        utterance: text.into(),
        prediction: Some("World".into()),
        confidence: Some(0.4),
        classes: vec![],
        source: Source::Implicit,
        signal,
        suggested_label: None,
        prediction_id: Some("p-1".into()),
        model_arn: Some(
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news/version/1".into(),
        ),
        selection_probability: Some(0.05),
        accepted_above: None,
        user: None,
        is_of_all: false,
        received_at: "2026-11-20T10:00:00.000Z".into(),
    }
}

/// A vote; `-` means that none of the labels fits, `?` that the worker cannot tell, `+X` proposes X.
pub fn vote(worker: &str, label: &str, minute: usize) -> Vote {
    Vote {
        worker: worker.into(),
        answer: match label {
            "-" => Answer::NoneFits,
            "?" => Answer::Unsure,
            label => match label.strip_prefix('+') {
                Some(label) => Answer::NewLabel { label: label.into() },
                None => Answer::labels(label.split('|')),
            },
        },
        source: VoteSource::HumanReview,
        at: time(minute),
        seconds: Some(3.0),
        note: Default::default(),
    }
}

pub fn time(minute: usize) -> String {
    let start: DateTime<Utc> = "2026-11-20T11:00:00Z".parse().expect("a time");
    let time = start + chrono::TimeDelta::minutes(i64::try_from(minute).expect("a few"));
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

pub fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().expect("a time")
}

impl Bucket {
    pub fn new() -> Self {
        let aws = LocalAws::in_memory();
        for name in [BUCKET, FEEDBACK] {
            let bucket = BucketSpec {
                name: name.into(),
                ..BucketSpec::default()
            };
            aws.s3.put_bucket(bucket).expect("a bucket");
        }
        let script = Script::default();
        Self {
            s3: Client::new(&script.sdk_config(aws.router())),
            script,
            aws,
        }
    }

    pub async fn put(&self, key: &str, content: impl Into<Vec<u8>>) {
        let put = self.s3.put_object().bucket(BUCKET).key(key);
        put.body(content.into().into()).send().await.expect("an upload");
    }

    pub async fn put_feedback(&self, key: &str, content: impl Into<Vec<u8>>) {
        let put = self.s3.put_object().bucket(FEEDBACK).key(key);
        put.body(content.into().into()).send().await.expect("an upload");
    }

    /// Stores what one human loop came to.
    pub async fn label(&self, human_loop: &str, records: &[LabelledRecord]) {
        let lines: String = records.iter().map(LabelledRecord::to_line).collect();
        self.put(&object_key(human_loop), lines).await;
    }

    /// Stores a human loop in which one reviewer gave these answers.
    pub async fn answer(&self, human_loop: &str, minute: usize, answers: &[Answered<'_>]) {
        let labelled = |answer: &Answered| {
            let votes = vec![vote("ada", answer.label, minute)];
            LabelledRecord::new(record(answer.text, answer.signal), votes, human_loop, "arn:flow")
        };
        let records: Vec<LabelledRecord> = answers.iter().map(labelled).collect();
        self.label(human_loop, &records).await;
    }

    /// Keeps a copy of a text, as a2i-trigger does.
    pub async fn copy(&self, original: &str, copy: &str, minute: usize) {
        let mut copy = record(copy, Signal::LowConfidence);
        copy.received_at = time(minute);
        let kept = KeptCopy::of(&record_id("news", original), &copy).expect("ids");
        self.put(&kept.to_string(), copy.to_line()).await;
    }

    pub async fn get(&self, key: &str) -> Vec<u8> {
        let object = self.s3.get_object().bucket(BUCKET).key(key).send().await;
        let body = object.expect("an object").body.collect().await;
        body.expect("a body").to_vec()
    }

    /// Returns all objects below a prefix, by key.
    pub async fn objects(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let list = self.s3.list_objects_v2().bucket(BUCKET).prefix(prefix);
        let mut objects = BTreeMap::new();
        for object in list.send().await.expect("a list").contents() {
            let key = object.key().expect("a key");
            objects.insert(key.to_owned(), self.get(key).await);
        }
        objects
    }

    /// Returns the bucket as the function sees it.
    pub fn bucket(&self) -> aws::bucket::Bucket {
        aws::bucket::Bucket::new(self.s3.clone(), BUCKET)
    }

    /// Returns the feedback bucket beside it.
    pub fn feedback(&self) -> aws::bucket::Bucket {
        aws::bucket::Bucket::new(self.s3.clone(), FEEDBACK)
    }

    /// Assembles in a function whose calls are answered as a script says.
    pub async fn assemble_by(&self, script: &Script) -> Result<Assembled, AssembleError> {
        let s3 = Client::new(&script.sdk_config(self.aws.router()));
        assemble(&aws::bucket::Bucket::new(s3, BUCKET), &POLICY, now()).await
    }

    pub async fn try_assemble(&self, policy: &AssemblePolicy) -> Result<Assembled, AssembleError> {
        assemble(&self.bucket(), policy, now()).await
    }

    pub async fn assemble(&self, policy: &AssemblePolicy) -> DatasetManifest {
        self.try_assemble(policy).await.expect("a dataset").manifest
    }

    pub async fn train(&self, manifest: &DatasetManifest) -> Vec<Row> {
        self.rows(&manifest.train.key, manifest.mode).await
    }

    pub async fn test(&self, manifest: &DatasetManifest) -> Vec<Row> {
        self.rows(&manifest.test.key, manifest.mode).await
    }

    async fn rows(&self, key: &str, mode: Mode) -> Vec<Row> {
        let file = self.get(key).await;
        read_csv(&file[..], mode)
            .collect::<Result<_, _>>()
            .expect("good rows")
    }

    /// Returns labels by text, of both files.
    pub async fn labels(&self, manifest: &DatasetManifest) -> BTreeMap<String, String> {
        let rows = [self.train(manifest).await, self.test(manifest).await].concat();
        rows.into_iter()
            .map(|row| (row.text, row.labels.join("|")))
            .collect()
    }

    /// Returns how many objects were written so far.
    pub fn writes(&self) -> usize {
        self.script.calls("PUT ").len()
    }
}
