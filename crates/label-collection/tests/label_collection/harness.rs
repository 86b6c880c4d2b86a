//! Buckets in process, and a review service whose loops end as each test says.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use active_learning_aws::env::Env;
use active_learning_core::labels::labelled::LabelledRecord;
use aws_sdk_s3::{Client, primitives::ByteStream};
use axum::{
    Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::{get, post},
};
use label_collection::{Config, LabelCollection};
use local_aws::{LocalAws, s3::BucketSpec, script::Script};
use serde_json::{Value, json};

pub const OBJECT_CREATED: &str = include_str!("../../../../events/label-collection/object-created.json");
pub const BUILT_IN_OUTPUT: &str =
    include_str!("../../../../events/label-collection/files/built-in-output.json");
pub const A2I_OUTPUT: &str = include_str!("../../../../events/label-collection/files/a2i-output.json");
pub const FEEDBACK: &str = "feedback-123456789012";
pub const REVIEW: &str = "review-123456789012";
pub const TRAINING: &str = "training-123456789012";
pub const START: &str = "POST /human-loops";
pub const LIST: &str = "GET /human-loops";
/// The loop of the built-in service's sample.
pub const LOOP: &str = "review-5b0c1f6a2d9e4738b1c0a9f8e7d6c5b4a3928170";
pub const FLOW: &str = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/text-review";

/// A human loop as the review service holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    pub status: String,
    pub input: String,
    pub created: String,
}

/// The review service, two loops on a page.
#[derive(Clone, Default)]
pub struct Review(Arc<Mutex<BTreeMap<String, Loop>>>);

impl Review {
    pub fn loops(&self) -> MutexGuard<'_, BTreeMap<String, Loop>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn status(&self, name: &str) -> Option<String> {
        self.loops().get(name).map(|human_loop| human_loop.status.clone())
    }

    pub fn set(&self, name: &str, status: &str) {
        let mut loops = self.loops();
        let human_loop = loops.get_mut(name).expect("a loop of that name");
        human_loop.status = status.to_owned();
    }

    pub fn add(&self, name: &str, status: &str, created: &str) {
        let human_loop = Loop {
            status: status.to_owned(),
            input: "{}".to_owned(),
            created: created.to_owned(),
        };
        self.loops().insert(name.to_owned(), human_loop);
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/human-loops", post(start).get(list))
            .route("/human-loops/stop", post(stop))
            .route("/human-loops/{name}", get(describe))
            .with_state(self.clone())
    }
}

async fn start(State(review): State<Review>, body: String) -> (StatusCode, String) {
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let (name, input) = (
        text(&body["HumanLoopName"]),
        text(&body["HumanLoopInput"]["InputContent"]),
    );
    assert!(name.len() <= 63, "{name}");
    let created = active_learning_aws::now();
    let status = "InProgress".to_owned();
    let mut loops = review.loops();
    let known = loops.entry(name).or_insert_with(|| Loop {
        status,
        input: input.clone(),
        created,
    });
    match known.input == input {
        true => (StatusCode::CREATED, json!({"HumanLoopArn": "arn"}).to_string()),
        false => (
            StatusCode::CONFLICT,
            json!({"__type": "ConflictException"}).to_string(),
        ),
    }
}

async fn stop(State(review): State<Review>, body: String) -> (StatusCode, String) {
    let body: Value = serde_json::from_str(&body).expect("JSON");
    review.set(body["HumanLoopName"].as_str().expect("a name"), "Stopped");
    (StatusCode::OK, "{}".to_owned())
}

async fn list(State(review): State<Review>, Query(query): Query<HashMap<String, String>>) -> String {
    assert_eq!(query["FlowDefinitionArn"], FLOW);
    let after = query.get("CreationTimeAfter").cloned().unwrap_or_default();
    let from: usize = query
        .get("NextToken")
        .map_or(0, |token| token.parse().expect("a number"));
    let loops = review.loops();
    let fits: Vec<Value> = loops
        .iter()
        .filter(|(_, human_loop)| human_loop.created > after)
        .map(|(name, human_loop)| {
            json!({"HumanLoopName": name, "HumanLoopStatus": human_loop.status,
                   "CreationTime": human_loop.created, "FlowDefinitionArn": FLOW})
        })
        .collect();
    let page: Vec<Value> = fits.iter().skip(from).take(2).cloned().collect();
    let mut answer = json!({"HumanLoopSummaries": page});
    if fits.len() > from + 2 {
        answer["NextToken"] = (from + 2).to_string().into();
    }
    answer.to_string()
}

async fn describe(State(review): State<Review>, Path(name): Path<String>) -> (StatusCode, String) {
    match review.loops().get(&name) {
        Some(human_loop) => {
            let uri = format!("s3://{REVIEW}/{}", output_key(&name));
            let answer = json!({"HumanLoopName": name, "HumanLoopStatus": human_loop.status, "HumanLoopArn": "arn",
                "CreationTime": human_loop.created, "FlowDefinitionArn": FLOW, "HumanLoopOutput": {"OutputS3Uri": uri}});
            (StatusCode::OK, answer.to_string())
        }
        None => (
            StatusCode::NOT_FOUND,
            json!({"__type": "ResourceNotFoundException"}).to_string(),
        ),
    }
}

pub fn output_key(human_loop: &str) -> String {
    format!("text-review/2026/11/20/10/00/00/{human_loop}/output.json")
}

pub struct Services {
    aws: LocalAws,
    pub s3: Client,
    pub review: Review,
    pub script: Script,
}

impl Services {
    pub fn start() -> Self {
        let aws = LocalAws::in_memory();
        for name in [FEEDBACK, REVIEW, TRAINING] {
            let name = name.into();
            aws.s3
                .put_bucket(BucketSpec {
                    name,
                    ..BucketSpec::default()
                })
                .expect("a bucket");
        }
        Self {
            s3: Client::new(&aws.sdk_config()),
            aws,
            review: Review::default(),
            script: Script::default(),
        }
    }

    /// Returns a client of S3 that the script is about.
    pub fn scripted_s3(&self) -> Client {
        Client::new(&self.script.sdk_config(self.aws.router()))
    }

    pub fn function(&self) -> LabelCollection {
        let env = Env::from([
            ("REVIEW_BUCKET_NAME", REVIEW),
            ("TRAINING_BUCKET_NAME", TRAINING),
            ("FEEDBACK_BUCKET_NAME", FEEDBACK),
            ("HUMAN_REVIEW_WORKFLOW_ARN", FLOW),
            ("HUMAN_REVIEW_URL", ""),
            ("SECOND_OPINION_WITHIN_HOURS", "72"),
            ("SEVERAL_LABELS", "false"),
        ]);
        let router = self.review.router().fallback_service(self.aws.router());
        LabelCollection::new(
            Config::from_env(&env).expect("complete"),
            &self.script.sdk_config(router),
        )
    }

    /// Writes the output of a loop and gives the function its event.
    pub async fn answered(&self, human_loop: &str, output: impl Into<Vec<u8>>) {
        let event = self.output(human_loop, output).await;
        self.function().handle(event).await.expect("worked off");
    }

    /// Writes the output of a loop and returns its event.
    pub async fn output(&self, human_loop: &str, output: impl Into<Vec<u8>>) -> Value {
        self.put(REVIEW, &output_key(human_loop), output).await;
        event(&output_key(human_loop))
    }

    pub async fn put(&self, bucket: &str, key: &str, content: impl Into<Vec<u8>>) {
        let body = ByteStream::from(content.into());
        let put = self.s3.put_object().bucket(bucket).key(key).body(body);
        put.send().await.expect("an upload");
    }

    pub async fn sweep(&self) {
        let sweep = self.function().handle(json!({"operation": "sweep"})).await;
        sweep.expect("swept");
    }

    pub async fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(bucket).prefix(prefix);
        let list = list.send().await.expect("a list");
        list.contents()
            .iter()
            .filter_map(|object| object.key().map(str::to_owned))
            .collect()
    }

    /// Names of the loops that are not done with.
    pub async fn open(&self) -> Vec<String> {
        let keys = self.keys(FEEDBACK, "asked/").await;
        let name = |key: String| key["asked/".len()..key.len() - ".json".len()].to_owned();
        keys.into_iter().map(name).collect()
    }

    pub async fn get(&self, bucket: &str, key: &str) -> String {
        let object = self.s3.get_object().bucket(bucket).key(key).send().await;
        let body = object.expect("an object").body.collect().await.expect("a body");
        String::from_utf8(body.to_vec()).expect("UTF-8")
    }

    /// Reads the labelled object of a loop.
    pub async fn labelled(&self, human_loop: &str) -> Vec<LabelledRecord> {
        let lines = self.get(TRAINING, &format!("labelled/{human_loop}.jsonl")).await;
        let line = |line: &str| LabelledRecord::parse(line.as_bytes()).expect("a labelled record");
        lines.lines().map(line).collect()
    }

    /// Reads the lines that were set aside of a loop.
    pub async fn rejected(&self, human_loop: &str) -> Vec<Value> {
        let key = format!("rejected/training-data/{human_loop}-00001.jsonl");
        let lines = self.get(FEEDBACK, &key).await;
        lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

pub fn event(key: &str) -> Value {
    let mut event: Value = serde_json::from_str(OBJECT_CREATED).expect("JSON");
    event["Records"][0]["s3"]["object"]["key"] = key.into();
    event
}

/// The output of a loop with this input, in which workers answered as given: worker, minute, answers by item.
pub fn output(human_loop: &str, input: &str, answers: &[(&str, u32, &[&str])]) -> String {
    let input: Value = serde_json::from_str(input).expect("JSON");
    let items = input["comprehendPredictions"].as_array().expect("items");
    let answer = |(worker, minute, labels): &(&str, u32, &[&str])| {
        let content: BTreeMap<&str, &str> = items
            .iter()
            .zip(*labels)
            .map(|(item, label)| (item["id"].as_str().expect("an id"), *label))
            .collect();
        json!({"answerContent": content, "submissionTime": format!("2026-11-20T12:{minute:02}:00.000Z"), "workerId": worker})
    };
    let answers: Vec<Value> = answers.iter().map(answer).collect();
    json!({"flowDefinitionArn": FLOW, "humanAnswers": answers, "humanLoopName": human_loop, "inputContent": input}).to_string()
}

/// The input of the built-in service's sample.
pub fn input() -> Value {
    let output: Value = serde_json::from_str(BUILT_IN_OUTPUT).expect("JSON");
    output["inputContent"].clone()
}
