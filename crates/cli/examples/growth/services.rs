//! AWS as far as the functions ask for it, in this process: S3 in memory, the two functions that others call, and short
//! answers for what else there is. Counts all calls.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::Utc;
use http::{Request, Response, StatusCode, request::Parts};
use human_review::HumanReview;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use text_classifier::TextClassifier;

use crate::{
    cost::process_cpu,
    function_url::{HUMAN_LOOPS, reply, reply_of, url_event},
    memory::{Memory, Requests},
};

/// What functions have asked for.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// Of S3.
    pub s3: Requests,
    /// Of other services, by operation.
    pub others: BTreeMap<String, u64>,
    /// CPU time of the classifier, by operation.
    pub elsewhere: BTreeMap<String, Duration>,
}

impl Calls {
    /// Returns what came since.
    pub fn since(&self, before: &Self) -> Self {
        let (now, then) = (self.s3, before.s3);
        let new = |(name, count): (&String, &u64)| {
            let count = count - before.others.get(name).unwrap_or(&0);
            (count > 0).then(|| (name.clone(), count))
        };
        let longer = |(name, time): (&String, &Duration)| {
            let time = *time - before.elsewhere.get(name).copied().unwrap_or_default();
            (!time.is_zero()).then(|| (name.clone(), time))
        };
        Self {
            s3: Requests {
                get: now.get - then.get,
                put: now.put - then.put,
                list: now.list - then.list,
                delete: now.delete - then.delete,
            },
            others: self.others.iter().filter_map(new).collect(),
            elsewhere: self.elsewhere.iter().filter_map(longer).collect(),
        }
    }
}

/// All services.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    memory: Memory,
    text_classifier: OnceLock<TextClassifier>,
    human_review: OnceLock<HumanReview>,
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: BTreeMap<String, u64>,
    /// Of the class that `ClassifyDocument` answers with.
    confidence: f32,
    /// Whether human loops really begin; else it is only said.
    begins_loops: bool,
    /// The latest real answer to `DescribeEndpoint`.
    endpoint: Option<String>,
    /// What the delivery stream took.
    stream: Vec<u8>,
    /// What the classifier took for others, by operation.
    elsewhere: BTreeMap<String, Duration>,
}

impl Services {
    /// Makes services over buckets.
    pub fn new(memory: Memory) -> Self {
        Self(Arc::new(Inner {
            memory,
            text_classifier: OnceLock::new(),
            human_review: OnceLock::new(),
            turn: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        }))
    }

    /// Lets the functions be called that others call.
    pub fn serve(&self, text_classifier: TextClassifier, human_review: HumanReview) {
        let _ = self.0.text_classifier.set(text_classifier);
        let _ = self.0.human_review.set(human_review);
    }

    /// Has predictions made with this confidence.
    pub fn predict_with(&self, confidence: f32) {
        self.state().confidence = confidence;
    }

    /// Has human loops really begin, or only says so.
    pub fn begin_loops(&self, really: bool) {
        self.state().begins_loops = really;
    }

    /// Returns what the delivery stream took since this was asked last.
    pub fn delivered(&self) -> Vec<u8> {
        std::mem::take(&mut self.state().stream)
    }

    /// Returns what was asked for up to now.
    pub fn calls(&self) -> Calls {
        let state = self.state();
        Calls {
            s3: self.0.memory.requests(),
            others: state.calls.clone(),
            elsewhere: state.elsewhere.clone(),
        }
    }

    /// Returns the services as the SDK's transport takes them.
    pub fn router(&self) -> Router {
        let services = self.clone();
        Router::new().fallback(move |request: Request<Body>| {
            let services = services.clone();
            async move { services.answer(request).await }
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let target = request.headers().get("x-amz-target");
        let target = target.and_then(|target| target.to_str().ok()).map(str::to_owned);
        let is_of_a2i = request.uri().path().contains(HUMAN_LOOPS);
        if target.is_none() && !is_of_a2i && request.uri().path() != "/" {
            return self.0.memory.answer(request).await;
        }
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        match target {
            Some(target) => self.answer_json(&target, &head, body).await,
            None if is_of_a2i => self.answer_a2i(&head, body).await,
            None => {
                self.count("SNS");
                let message = "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>";
                reply(StatusCode::OK, message.to_owned())
            }
        }
    }

    fn count(&self, operation: &str) {
        *self.state().calls.entry(operation.to_owned()).or_default() += 1;
    }

    async fn answer_json(&self, target: &str, head: &Parts, body: String) -> Response<Body> {
        let (_, operation) = target.split_once('.').unwrap_or_default();
        self.count(operation);
        let answer = match operation {
            "ClassifyDocument" => self.prediction(),
            "PutRecord" | "PutRecordBatch" => self.take(&body),
            "DescribeEndpoint" => return self.describe_endpoint(head, body).await,
            "PutEvents" => json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] }),
            "StartExecution" => {
                json!({ "executionArn": "arn:aws:states:us-east-1:0:execution:x:y", "startDate": 1 })
            }
            _ if target.starts_with("Comprehend") => {
                // One at a time, so that the time is that of the classifier.
                let _turn = self.0.turn.lock().await;
                let begin = process_cpu();
                let answer = self.ask_classifier(head, body).await;
                let time = process_cpu() - begin;
                *self.state().elsewhere.entry(operation.to_owned()).or_default() += time;
                return answer;
            }
            _ => panic!("the benchmark does not know {target}"),
        };
        reply(StatusCode::OK, answer.to_string())
    }

    fn prediction(&self) -> Value {
        let confidence = self.state().confidence;
        let others = ["Sports", "Business", "SciTech"]
            .map(|name| json!({ "Name": name, "Score": (1.0 - confidence) / 3.0 }));
        let mut classes = vec![json!({ "Name": "World", "Score": confidence })];
        classes.extend(others);
        json!({ "Classes": classes })
    }

    fn take(&self, body: &str) -> Value {
        let sent: Value = serde_json::from_str(body).expect("the SDK sends JSON");
        let batch = sent["Records"].as_array();
        let records = batch.cloned().unwrap_or_else(|| vec![sent["Record"].clone()]);
        let mut state = self.state();
        *state.calls.entry("records".to_owned()).or_default() += records.len() as u64;
        for record in &records {
            let data = record["Data"].as_str().expect("data");
            state.stream.extend(BASE64_STANDARD.decode(data).expect("base64"));
        }
        match batch {
            Some(_) => {
                let each = vec![json!({ "RecordId": "1" }); records.len()];
                json!({ "FailedPutCount": 0, "RequestResponses": each })
            }
            None => json!({ "RecordId": "1", "Encrypted": true }),
        }
    }

    /// Asks the classifier once: what a step costs is not what the function costs that it asks.
    async fn describe_endpoint(&self, head: &Parts, body: String) -> Response<Body> {
        let known = self.state().endpoint.clone();
        if let Some(known) = known {
            return reply(StatusCode::OK, known);
        }
        let answer = self.ask_classifier(head, body).await;
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        if body.contains("IN_SERVICE") {
            self.state().endpoint = Some(body.clone());
        }
        Response::from_parts(head, Body::from(body))
    }

    async fn ask_classifier(&self, head: &Parts, body: String) -> Response<Body> {
        let event = serde_json::from_value(url_event(head, &body)).expect("an event");
        let classifier = self.0.text_classifier.get().expect("it is served");
        let answer = classifier
            .handle(LambdaEvent::new(event, Context::default()))
            .await;
        let answer = answer.expect("requests never fail").expect("an answer");
        let answer = serde_json::to_value(answer).expect("JSON");
        reply_of(&answer)
    }

    async fn answer_a2i(&self, head: &Parts, body: String) -> Response<Body> {
        let is_start = head.method == "POST" && head.uri.path().ends_with(HUMAN_LOOPS);
        self.count(if is_start { "StartHumanLoop" } else { "HumanLoops" });
        if is_start && !self.state().begins_loops {
            let arn = json!({ "HumanLoopArn": "arn:aws:sagemaker:us-east-1:0:human-loop/x" });
            return reply(StatusCode::OK, arn.to_string());
        }
        let human_review = self.0.human_review.get().expect("it is served");
        let answer = human_review.handle(url_event(head, &body), Utc::now()).await;
        reply_of(&answer.expect("requests never fail"))
    }
}
