//! Local S3, and a review service that answers as each test says.

use std::collections::BTreeSet;

use a2i_trigger::{A2iTrigger, Config};
use active_learning_aws::env::Env;
use active_learning_core::sampling::duplicates::KeptCopy;
use aws_sdk_s3::{Client, primitives::ByteStream};
use local_aws::{LocalAws, s3::BucketSpec, script::Script};
use serde_json::{Value, json};

pub const OBJECT_CREATED: &str = include_str!("../../../../events/a2i-trigger/object-created.json");
pub const DELIVERED: &str = include_str!("../../../../events/a2i-trigger/files/delivered.jsonl");
pub const BUCKET: &str = "feedback-123456789012";
pub const TRAINING_BUCKET: &str = "training-123456789012";
pub const START: &str = "POST /human-loops";
pub const STARTED: &str = r#"{"HumanLoopArn":"arn:aws:sagemaker:us-east-1:123456789012:human-loop/x"}"#;

pub struct Services {
    pub aws: LocalAws,
    pub s3: Client,
}

impl Services {
    pub fn start() -> Self {
        let aws = LocalAws::in_memory();
        for name in [BUCKET, TRAINING_BUCKET] {
            let bucket = BucketSpec {
                name: name.into(),
                ..BucketSpec::default()
            };
            aws.s3.put_bucket(bucket).expect("a bucket");
        }
        let s3 = Client::new(&aws.sdk_config());
        Self { aws, s3 }
    }

    /// The function without a review budget.
    pub fn function(&self, script: &Script) -> A2iTrigger {
        self.function_with_budget(script, "0")
    }

    pub fn function_with_budget(&self, script: &Script, budget: &str) -> A2iTrigger {
        self.function_with(script, budget, "0")
    }

    /// The function with a pool of which reviewers may have so many texts open.
    pub fn function_with_pool(&self, script: &Script, in_review: &str) -> A2iTrigger {
        self.function_with(script, "0", in_review)
    }

    pub fn function_with(&self, script: &Script, budget: &str, in_review: &str) -> A2iTrigger {
        self.function_of(script, [budget, in_review, "", "keep", "3"])
    }

    /// The function where the built-in classifier serves.
    pub fn function_with_classifier(&self, script: &Script) -> A2iTrigger {
        self.function_of(script, ["0", "0", "http://classifier.test", "keep", "3"])
    }

    /// The function of a stack that does so with personal data.
    pub fn function_with_personal_data(&self, script: &Script, treatment: &str) -> A2iTrigger {
        self.function_of(script, ["0", "0", "", treatment, "3"])
    }

    /// The function with so many texts a task at most, where it is 3 for the others.
    pub fn function_with_items(&self, script: &Script, budget: &str, items: &str) -> A2iTrigger {
        self.function_of(script, [budget, "0", "", "keep", items])
    }

    fn function_of(
        &self,
        script: &Script,
        [budget, in_review, classifier_url, personal_data, items]: [&str; 5],
    ) -> A2iTrigger {
        let env = Env::from([
            (
                "HUMAN_REVIEW_WORKFLOW_ARN",
                "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/review",
            ),
            ("HUMAN_REVIEW_URL", ""),
            ("FEEDBACK_BUCKET_NAME", BUCKET),
            ("TRAINING_BUCKET_NAME", TRAINING_BUCKET),
            ("ITEMS_PER_TASK", items),
            ("CLASSES", "World,Sports,Business,SciTech"),
            ("CLAIM_RETENTION_DAYS", "90"),
            ("REVIEW_BUDGET_PER_DAY", budget),
            ("POOL_TEXTS_IN_REVIEW", in_review),
            ("SEVERAL_LABELS", "false"),
            ("PERSONAL_DATA", personal_data),
            ("CONFIDENCE_THRESHOLD", "0.5"),
            ("MARGIN_THRESHOLD", "0"),
            ("TEST_SHARE", "0.2"),
            ("SAGEMAKER_ENDPOINT_ARN", ""),
            ("SAGEMAKER_CONTENT_TYPE", "application/json"),
            ("SAGEMAKER_REQUEST_TEMPLATE", "{{text}}"),
            ("SAGEMAKER_LABEL_PATH", ""),
            ("SAGEMAKER_SCORE_PATH", ""),
            ("CLASSIFIER_URL", classifier_url),
            (
                "COMPREHEND_ENDPOINT_ARN",
                "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/e",
            ),
        ]);
        let config = Config::from_env(&env).expect("complete");
        A2iTrigger::new(config, &script.sdk_config(self.aws.router()))
    }

    /// Has an event worked off without a review budget; returns what the review service was told.
    pub async fn work_off(&self, event: &Value) -> Script {
        let script = starting();
        let outcome = self.function(&script).handle(event.clone()).await;
        outcome.expect("worked off");
        script
    }

    /// Puts an object into the training bucket.
    pub async fn put_training(&self, key: &str, content: Vec<u8>) {
        let put = self.s3.put_object().bucket(TRAINING_BUCKET).key(key);
        put.body(ByteStream::from(content))
            .send()
            .await
            .expect("an upload");
    }

    /// Stores an object and returns the event that S3 sends.
    pub async fn deliver(&self, key: &str, content: impl Into<Vec<u8>>) -> Value {
        let content = content.into();
        let size = content.len();
        let put = self.s3.put_object().bucket(BUCKET).key(key);
        let put = put
            .body(ByteStream::from(content))
            .send()
            .await
            .expect("an upload");
        let mut event: Value = serde_json::from_str(OBJECT_CREATED).expect("JSON");
        let object = &mut event["Records"][0]["s3"]["object"];
        object["key"] = key.into();
        object["size"] = size.into();
        object["eTag"] = put.e_tag().expect("an ETag").trim_matches('"').into();
        event
    }

    /// The events of the copies that were delivered again.
    pub async fn released(&self) -> Vec<Value> {
        let mut events = Vec::new();
        for key in self.keys("feedback/released/").await {
            let content = self.get(&key).await;
            events.push(self.deliver(&key, content).await);
        }
        events
    }

    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        self.keys_in(BUCKET, prefix).await
    }

    /// The copies that were kept, in the order of their keys.
    pub async fn copies(&self) -> Vec<KeptCopy> {
        let keys = self.keys_in(TRAINING_BUCKET, "copies/").await;
        keys.iter().filter_map(|key| KeptCopy::parse(key)).collect()
    }

    pub async fn keys_in(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(bucket).prefix(prefix);
        let list = list.send().await.expect("a list");
        list.contents()
            .iter()
            .filter_map(|object| object.key().map(str::to_owned))
            .collect()
    }

    pub async fn get(&self, key: &str) -> String {
        self.get_in(BUCKET, key).await
    }

    pub async fn get_in(&self, bucket: &str, key: &str) -> String {
        let object = self.s3.get_object().bucket(bucket).key(key).send().await;
        let body = object.expect("an object").body.collect().await.expect("a body");
        String::from_utf8(body.to_vec()).expect("UTF-8")
    }
}

pub fn starting() -> Script {
    let script = Script::default();
    script.always(START, 201, STARTED);
    script
}

pub fn refusing(times: usize, status: u16, code: &str) -> Script {
    let script = Script::default();
    let body = json!({"__type": code, "Message": "Value 'The minister' is wrong"});
    script.answer(times, START, status, body.to_string());
    script.always(START, 201, STARTED);
    script
}

/// A script that refuses all calls of an S3 operation.
pub fn denying(operation: &str) -> Script {
    breaking_off(0, operation)
}

/// A script that lets some calls of an operation succeed, and refuses all after them.
pub fn breaking_off(passed: usize, operation: &str) -> Script {
    let script = Script::default();
    match operation {
        START => script.answer(passed, START, 201, STARTED),
        _ => script.pass(passed, operation),
    }
    script.always(operation, 403, "<Error><Code>AccessDenied</Code></Error>");
    script.always(START, 201, STARTED);
    script
}

/// Name and input of every call that starts a human loop, each once.
pub fn loops(script: &Script) -> BTreeSet<(String, String)> {
    let calls = script.calls(START);
    let read = |call: &bytes::Bytes| {
        let call: Value = serde_json::from_slice(call).expect("JSON");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        // One that stops a loop has no input.
        let input = call.get("HumanLoopInput")?;
        Some((text(&call["HumanLoopName"]), text(&input["InputContent"])))
    };
    calls.iter().filter_map(read).collect()
}

pub fn utterances(loops: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut utterances = Vec::new();
    for (_, input) in loops {
        let input: Value = serde_json::from_str(input).expect("JSON");
        for item in input["comprehendPredictions"].as_array().expect("items") {
            utterances.push(item["utterance"].as_str().expect("text").to_owned());
        }
    }
    utterances.sort();
    utterances
}

/// Texts of all loops that several scripts saw; a loop that two of them saw counts once.
pub fn asked(scripts: &[&Script]) -> Vec<String> {
    utterances(&scripts.iter().flat_map(|script| loops(script)).collect())
}

/// A line of feedback on a prediction with this margin between two classes.
pub fn line(utterance: &str, signal: &str, margin: f64) -> String {
    let second = (1.0 - margin) / 2.0;
    let mut line = json!({
        "classifier": "news", "utterance": utterance, "prediction": "World", "confidence": second + margin,
        "classes": [{"name": "World", "score": second + margin}, {"name": "Sports", "score": second}],
        "source": "implicit", "signal": signal, "receivedAt": "2026-11-20T10:00:00.000Z",
        "selectionProbability": if signal == "audit" { 0.01 } else { 1.0 },
    });
    if signal == "dislike" {
        line["source"] = "explicit-api".into();
        line["selectionProbability"] = Value::Null;
    }
    format!("{line}\n")
}
