//! The services that functions call, in this process: S3 in memory, the review service, which is a function itself, and
//! short answers for what else there is.

use axum::body::{Body, to_bytes};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Method, Request, Response, StatusCode, request::Parts};
use local_aws::faults::{Fault, Protocol};
use serde_json::{Value, json};

use crate::{
    function_url::{HUMAN_LOOPS, reply, reply_of, url_event},
    process::{Life, Step},
    world::World,
};

/// What every text is predicted as, in doubt.
const PREDICTION: &str = "World";

impl World {
    /// Answers a call of a process, which may die at it.
    pub async fn answer(&self, life: &Life, request: Request<Body>) -> Response<Body> {
        let step = life.step(request.method() != Method::GET && request.method() != Method::HEAD);
        if matches!(
            step,
            Step::IsDead
                | Step::Dies {
                    is_carried_out: false
                }
        ) {
            life.die();
            return std::future::pending().await;
        }
        let protocol = protocol(&request);
        let headers = request.headers();
        let has_condition = protocol == Protocol::S3
            && (headers.contains_key("if-match") || headers.contains_key("if-none-match"));
        let faults = self.faults().clone();
        let answer = faults
            .around(protocol, has_condition, self.carry_out(protocol, request))
            .await;
        if step != Step::Goes {
            life.die();
            return std::future::pending().await;
        }
        answer
    }

    async fn carry_out(&self, protocol: Protocol, request: Request<Body>) -> Response<Body> {
        if protocol == Protocol::S3 {
            return self.store(request).await;
        }
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        match protocol {
            Protocol::RestJson => self.human_loops(&head, body).await,
            _ => match head.headers.get("x-amz-target") {
                Some(target) => self.answer_json(target.to_str().unwrap_or_default(), &body),
                None => {
                    let message = "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>";
                    reply(StatusCode::OK, message.to_owned())
                }
            },
        }
    }

    /// Has S3 answer, and tells the functions that are to be told of it.
    async fn store(&self, request: Request<Body>) -> Response<Body> {
        let path = percent_encoding::percent_decode_str(request.uri().path());
        let path = path.decode_utf8_lossy().into_owned();
        let event = match *request.method() {
            Method::PUT => Some("ObjectCreated:Put"),
            Method::DELETE if self.memory().body(&path).is_some() => Some("ObjectRemoved:Delete"),
            _ => None,
        };
        let answer = self.memory().answer(request).await;
        if let Some(event) = event
            && answer.status().is_success()
        {
            self.tell(event, &path);
        }
        answer
    }

    async fn human_loops(&self, head: &Parts, body: String) -> Response<Body> {
        // A function that is ended in the middle is what a function URL answers 502 to.
        match Box::pin(self.invoke_review(url_event(head, &body))).await {
            Ok(answer) => reply_of(&answer),
            Err(_) => reply(StatusCode::BAD_GATEWAY, "{}".to_owned()),
        }
    }

    fn answer_json(&self, target: &str, body: &str) -> Response<Body> {
        let (_, operation) = target.split_once('.').unwrap_or_default();
        let answer = match operation {
            "ClassifyDocument" => prediction(),
            "PutRecord" | "PutRecordBatch" => self.take(body),
            "DescribeEndpoint" => endpoint(body),
            "PutEvents" => json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] }),
            "StartExecution" => {
                json!({ "executionArn": "arn:aws:states:us-east-1:0:execution:x:y", "startDate": 1 })
            }
            // The built-in classifier has operations of its own, which Amazon Comprehend does not know.
            _ if target.starts_with("Comprehend") => {
                let error = json!({ "__type": "UnknownOperationException" });
                return reply(StatusCode::BAD_REQUEST, error.to_string());
            }
            _ => panic!("{target} is not known here"),
        };
        reply(StatusCode::OK, answer.to_string())
    }

    /// Takes records into the delivery stream; of a batch, chance leaves some out.
    fn take(&self, body: &str) -> Value {
        let sent: Value = serde_json::from_str(body).expect("the SDK sends JSON");
        let data = |record: &Value| {
            let data = record["Data"].as_str().expect("data");
            BASE64_STANDARD.decode(data).expect("base64")
        };
        let Some(batch) = sent["Records"].as_array() else {
            self.stream(&data(&sent["Record"]));
            return json!({ "RecordId": "1", "Encrypted": true });
        };
        let answers: Vec<Value> = batch
            .iter()
            .map(|record| match self.faults().befalls(Fault::LostRecord) {
                true => json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." }),
                false => {
                    self.stream(&data(record));
                    json!({ "RecordId": "1" })
                }
            })
            .collect();
        let failed = answers.iter().filter(|answer| !answer["ErrorCode"].is_null());
        json!({ "FailedPutCount": failed.count(), "RequestResponses": answers })
    }
}

fn protocol(request: &Request<Body>) -> Protocol {
    if request.headers().contains_key("x-amz-target") || request.uri().path() == "/" {
        Protocol::Json
    } else if request.uri().path().contains(HUMAN_LOOPS) {
        Protocol::RestJson
    } else {
        Protocol::S3
    }
}

fn prediction() -> Value {
    let others = ["Sports", "Business", "SciTech"].map(|name| json!({ "Name": name, "Score": 0.19 }));
    let mut classes = vec![json!({ "Name": PREDICTION, "Score": 0.43 })];
    classes.extend(others);
    json!({ "Classes": classes })
}

fn endpoint(body: &str) -> Value {
    let asked: Value = serde_json::from_str(body).unwrap_or_default();
    let model = "arn:aws:comprehend:us-east-1:000000000000:document-classifier/one/version/1";
    json!({ "EndpointProperties": {
        "EndpointArn": asked["EndpointArn"], "Status": "IN_SERVICE", "ModelArn": model, "DesiredModelArn": model,
        "DesiredInferenceUnits": 1, "CurrentInferenceUnits": 1,
    }})
}
