//! A Comprehend that does what a test tells it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use aws_sdk_s3::{Client, primitives::ByteStream};
use axum::body::Body;
use flate2::{Compression, write::GzEncoder};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::world::{BUCKET, ENDPOINT_ARN};

/// What Comprehend knows and how it behaves.
#[derive(Default)]
pub struct State {
    /// `EndpointProperties`; none is an endpoint that does not exist.
    pub endpoint: Option<Value>,
    /// By ARN: status and message.
    pub models: BTreeMap<String, (String, Option<String>)>,
    /// `EndTime` of models, by ARN.
    pub ended: BTreeMap<String, i64>,
    /// `Mode` of models, by ARN.
    pub modes: BTreeMap<String, String>,
    /// Share of texts, in percent, that a model has wrong, by ARN.
    pub wrong: BTreeMap<String, u64>,
    /// That of other models.
    pub wrong_of_new: u64,
    /// What becomes of a training.
    pub training: Option<(&'static str, &'static str)>,
    /// Why evaluation jobs fail.
    pub job_failure: Option<&'static str>,
    /// Models whose evaluation jobs alone fail, by ARN, with the reason.
    pub unusable: BTreeMap<String, &'static str>,
    /// Lines that a job leaves out of its output.
    pub lines_left_out: usize,
    /// Why an update of the endpoint fails.
    pub update_failure: Option<&'static str>,
    /// Whether the endpoint serves something else than the model it claims.
    pub lies: bool,
    /// F1 and accuracy that the flywheel's iteration tells of the model that serves, and of the new one.
    pub averages: (f64, f64),
    /// Codes with which the next calls of an operation are refused.
    pub refusals: Vec<(&'static str, &'static str)>,
    jobs: BTreeMap<String, (String, String)>,
    /// All calls: operation and request.
    pub calls: Vec<(String, Value)>,
}

#[derive(Clone, Default)]
pub struct Comprehend(Arc<Mutex<State>>);

impl Comprehend {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics while it holds the state")
    }

    pub fn calls(&self, operation: &str) -> Vec<Value> {
        let state = self.state();
        let calls = state.calls.iter().filter(|(name, _)| name == operation);
        calls.map(|(_, request)| request.clone()).collect()
    }

    pub fn serving(&self) -> String {
        let state = self.state();
        let endpoint = state.endpoint.as_ref().expect("an endpoint");
        endpoint["ModelArn"].as_str().unwrap_or("none").to_owned()
    }

    pub async fn answer(&self, s3: &Client, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let target = parts.headers["x-amz-target"].to_str().expect("ASCII");
        let operation = target.rsplit('.').next().expect("an operation").to_owned();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let request: Value = serde_json::from_slice(&body).expect("JSON");
        if operation == "StartDocumentClassificationJob" {
            self.write_output(s3, &request).await;
        }
        let answer = self.state().answer(&operation, request);
        let (status, body) = match answer {
            Ok(body) => (200, body),
            Err((code, message)) => {
                let status = if code == "InternalServerException" {
                    500
                } else {
                    400
                };
                (status, json!({"__type": code, "message": message}))
            }
        };
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        response
    }

    /// Does the whole job at once.
    async fn write_output(&self, s3: &Client, request: &Value) {
        let input = request["InputDataConfig"]["S3Uri"].as_str().expect("a URI");
        let input = input
            .strip_prefix(&format!("s3://{BUCKET}/"))
            .expect("our bucket");
        let texts = s3
            .get_object()
            .bucket(BUCKET)
            .key(input)
            .send()
            .await
            .expect("texts");
        let texts = texts.body.collect().await.expect("a body").to_vec();
        let texts = String::from_utf8(texts).expect("UTF-8");
        let model = request["DocumentClassifierArn"].as_str().expect("a model");
        let (wrong, left_out) = {
            let state = self.state();
            (
                state.wrong.get(model).copied().unwrap_or(state.wrong_of_new),
                state.lines_left_out,
            )
        };
        let line = |(number, text): (usize, &str)| {
            let classes = classes(text, wrong);
            json!({"File": "texts.txt", "Line": number.to_string(), "Classes": classes}).to_string() + "\n"
        };
        // The last line first: the order is not promised.
        let mut lines: Vec<String> = texts.lines().enumerate().map(line).collect();
        lines.drain(..left_out.min(lines.len()));
        lines.reverse();
        let content = lines.concat();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let appended = archive.append_data(&mut header, "predictions.jsonl", content.as_bytes());
        appended.expect("memory");
        let archive = archive.into_inner().and_then(GzEncoder::finish).expect("memory");
        let put = s3.put_object().bucket(BUCKET).key(output_key(request));
        put.body(ByteStream::from(archive))
            .send()
            .await
            .expect("an upload");
    }
}

fn output_key(request: &Value) -> String {
    let folder = request["OutputDataConfig"]["S3Uri"].as_str().expect("a URI");
    let folder = folder
        .strip_prefix(&format!("s3://{BUCKET}/"))
        .expect("our bucket");
    let token = request["ClientRequestToken"].as_str().expect("a token");
    format!("{folder}{token}/output/output.tar.gz")
}

/// Cats have the word `cat`; a model that is wrong so many times in a hundred takes the others' class.
fn classes(text: &str, wrong: u64) -> Value {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let is_cat = text.starts_with("cat ") != (hash % 100 < wrong);
    let (first, second) = if is_cat { ("Cat", "Dog") } else { ("Dog", "Cat") };
    json!([{"Name": first, "Score": 0.8}, {"Name": second, "Score": 0.2}])
}

type Answer = Result<Value, (&'static str, String)>;

impl State {
    fn answer(&mut self, operation: &str, request: Value) -> Answer {
        self.calls.push((operation.to_owned(), request.clone()));
        if let Some(index) = self.refusals.iter().position(|(name, _)| *name == operation) {
            let (_, code) = self.refusals.remove(index);
            return Err((code, "a scripted refusal".to_owned()));
        }
        let text = |member: &str| request[member].as_str().unwrap_or_default().to_owned();
        let missing = || ("ResourceNotFoundException", "there is none".to_owned());
        match operation {
            "DescribeEndpoint" => {
                let described = self.endpoint.clone().ok_or_else(missing)?;
                self.settle();
                Ok(json!({"EndpointProperties": described}))
            }
            "UpdateEndpoint" | "CreateEndpoint" => {
                let model = text(if operation == "CreateEndpoint" {
                    "ModelArn"
                } else {
                    "DesiredModelArn"
                });
                let endpoint = self
                    .endpoint
                    .get_or_insert_with(|| json!({"EndpointArn": ENDPOINT_ARN}));
                if endpoint["Status"] == "UPDATING" {
                    return Err(("ResourceInUseException", "it is being changed".to_owned()));
                }
                endpoint["Status"] = "UPDATING".into();
                endpoint["DesiredModelArn"] = model.clone().into();
                endpoint.as_object_mut().expect("an object").remove("Message");
                Ok(json!({"EndpointArn": ENDPOINT_ARN, "DesiredModelArn": model, "ModelArn": model}))
            }
            "DeleteEndpoint" => {
                self.endpoint.take().ok_or_else(missing)?;
                Ok(json!({}))
            }
            "DescribeDocumentClassifier" => {
                let arn = text("DocumentClassifierArn");
                let model = self.models.get_mut(&arn).ok_or_else(missing)?;
                let (status, message) = model.clone();
                if status == "SUBMITTED" {
                    let (next, message) = self.training.unwrap_or(("TRAINED", ""));
                    *model = (next.to_owned(), Some(message.to_owned()));
                }
                Ok(json!({"DocumentClassifierProperties": {
                    "DocumentClassifierArn": arn, "Status": status, "Message": message,
                    "Mode": self.modes.get(&arn),
                }}))
            }
            "CreateDocumentClassifier" => {
                let arn = model_arn(&text("DocumentClassifierName"), &text("VersionName"));
                let new = ("SUBMITTED".to_owned(), None);
                self.modes.insert(arn.clone(), text("Mode"));
                if self.models.insert(arn.clone(), new).is_some() {
                    return Err(("ResourceInUseException", "it exists".to_owned()));
                }
                Ok(json!({"DocumentClassifierArn": arn}))
            }
            "ListDocumentClassifiers" => {
                let name = request["Filter"]["DocumentClassifierName"]
                    .as_str()
                    .expect("a name");
                let of_name = |arn: &&String| arn.contains(&format!("/{name}/version/"));
                let models = self.models.iter().filter(|(arn, _)| of_name(arn));
                let listed = models.map(|(arn, (status, _))| {
                    let ended = self.ended.get(arn);
                    json!({"DocumentClassifierArn": arn, "Status": status, "EndTime": ended})
                });
                Ok(json!({"DocumentClassifierPropertiesList": listed.collect::<Vec<_>>()}))
            }
            "DeleteDocumentClassifier" => {
                let arn = text("DocumentClassifierArn");
                self.models.remove(&arn).map(|_| json!({})).ok_or_else(missing)
            }
            "StartDocumentClassificationJob" => {
                let id = text("ClientRequestToken");
                let output = format!("s3://{BUCKET}/{}", output_key(&request));
                let model = text("DocumentClassifierArn");
                self.jobs.insert(id.clone(), (model, output));
                Ok(json!({"JobId": id, "JobStatus": "SUBMITTED"}))
            }
            "DescribeDocumentClassificationJob" => {
                let id = text("JobId");
                let (model, output) = self.jobs.get(&id).ok_or_else(missing)?;
                let failure = self.job_failure.or(self.unusable.get(model).copied());
                let status = if failure.is_some() { "FAILED" } else { "COMPLETED" };
                Ok(json!({"DocumentClassificationJobProperties": {
                    "JobId": id, "JobStatus": status, "Message": failure,
                    "OutputDataConfig": {"S3Uri": output},
                }}))
            }
            "ClassifyDocument" => {
                let endpoint = self.endpoint.as_ref().ok_or_else(missing)?;
                let model = endpoint["ModelArn"].as_str().unwrap_or_default();
                let wrong = self.wrong.get(model).copied().unwrap_or(self.wrong_of_new);
                let wrong = if self.lies { 100 - wrong } else { wrong };
                Ok(json!({"Classes": classes(&text("Text"), wrong)}))
            }
            _ => self.answer_of_flywheel(operation, &request),
        }
    }

    /// A flywheel that does each thing at once.
    fn answer_of_flywheel(&mut self, operation: &str, request: &Value) -> Answer {
        let served = self.endpoint.as_ref().map(|endpoint| &endpoint["ModelArn"]);
        let trained = model_arn("news", "of-the-flywheel");
        let metrics = |average: f64| json!({"AverageF1Score": average, "AverageAccuracy": average});
        Ok(match operation {
            "DescribeFlywheel" => json!({"FlywheelProperties": {
                "Status": "ACTIVE", "ActiveModelArn": served,
                "TaskConfig": {"LanguageCode": "en", "DocumentClassificationConfig": {"Mode": "MULTI_CLASS"}},
            }}),
            "ListDatasets" => json!({"DatasetPropertiesList": []}),
            "CreateDataset" => json!({"DatasetArn": request["DatasetName"]}),
            "DescribeDataset" => json!({"DatasetProperties": {"Status": "COMPLETED"}}),
            "StartFlywheelIteration" => json!({"FlywheelIterationId": "20261129T100000Z"}),
            "DescribeFlywheelIteration" => json!({"FlywheelIterationProperties": {
                "Status": "COMPLETED",
                "EvaluatedModelArn": served, "EvaluatedModelMetrics": metrics(self.averages.0),
                "TrainedModelArn": trained, "TrainedModelMetrics": metrics(self.averages.1),
            }}),
            "UpdateFlywheel" => json!({"FlywheelProperties": {"ActiveModelArn": request["ActiveModelArn"]}}),
            other => return Err(("UnsupportedOperationException", other.to_owned())),
        })
    }

    /// Ends a change that was seen under way.
    fn settle(&mut self) {
        let Some(endpoint) = self.endpoint.as_mut().filter(|it| it["Status"] == "UPDATING") else {
            return;
        };
        endpoint["Status"] = "IN_SERVICE".into();
        match self.update_failure.take() {
            Some(message) => endpoint["Message"] = message.into(),
            None => endpoint["ModelArn"] = endpoint["DesiredModelArn"].clone(),
        }
    }
}

pub fn model_arn(name: &str, version: &str) -> String {
    format!("arn:aws:comprehend:us-east-1:123456789012:document-classifier/{name}/version/{version}")
}
