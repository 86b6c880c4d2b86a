//! Measures the function: `cargo run --release -p text-classifier --example request_speed -- ROWS.csv [none]`.
//!
//! Trains on the file's first 500 rows (`label,text`), classifies the texts of the next 200 rows one by one, and as many as 5,000
//! as a job. Each text is cut to 38 words, about 50 tokens. Prints CPU time, of the process and all its threads, which other
//! programs hardly change; the local S3 is in it. With `none` models look through no encoder. For one core: `taskset -c 0`.

#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::{env, fs, sync::Arc};

use aws_credential_types::Credentials;
use axum::{Router, body::Body};
use http::Request;
use lambda_runtime::{Context, LambdaEvent};
use local_aws::{
    iam::Iam,
    invocation_queue::InvocationQueue,
    s3::{BucketSpec, FunctionNotification, S3},
    store::Store,
    transport::sdk_config,
};
use serde_json::{Value, json};
use text_classifier::{Config, TextClassifier, TextEncoder};

const BUCKET: &str = "example-training";
const ENDPOINT: &str = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/speed";
const ROLE: &str = "arn:aws:iam::123456789012:role/comprehend-data";
const TRAINED: usize = 500;
const CLASSIFIED: usize = 200;
const IN_A_JOB: usize = 5_000;
const WORDS: usize = 38;

struct World {
    classifier: TextClassifier,
    s3: aws_sdk_s3::Client,
    queue: InvocationQueue,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(text_encoder: TextEncoder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let queue = InvocationQueue::new(store.clone());
        let service = S3::new(store, Arc::new(Iam::default()), queue.clone(), "us-east-1".into()).unwrap();
        let notification = |prefix: &str| FunctionNotification {
            event: "s3:ObjectCreated:*".into(),
            function_arn: "arn:aws:lambda:us-east-1:000000000000:function:text-classifier".into(),
            prefix: prefix.into(),
            suffix: String::new(),
        };
        service
            .put_bucket(BucketSpec {
                name: BUCKET.into(),
                notifications: vec![notification("initial/"), notification("text-classifier/jobs/")],
                ..BucketSpec::default()
            })
            .unwrap();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let service = service.clone();
            async move { service.handle(request).await }
        });
        let credentials = Credentials::from_keys("test", "test", None);
        let s3 = aws_sdk_s3::Client::new(&sdk_config(router, credentials));
        let config = Config {
            training_bucket: BUCKET.into(),
            endpoint_arn: ENDPOINT.parse().unwrap(),
            test_share: 0.0,
            classes: Vec::new(),
            several_labels: false,
            text_encoder,
        };
        Self {
            classifier: TextClassifier::new(config, s3.clone()),
            s3,
            queue,
            _folder: folder,
        }
    }

    async fn put(&self, key: &str, content: String) {
        let put = self.s3.put_object().bucket(BUCKET).key(key);
        put.body(content.into_bytes().into()).send().await.unwrap();
    }

    /// Does all work that waits, as Lambda would.
    async fn work(&self) {
        for (key, event) in self.queue.list().unwrap() {
            self.queue.complete(key).unwrap();
            let event = serde_json::from_str(&event.payload).unwrap();
            let mut context = Context::default();
            let deadline = chrono::Utc::now() + chrono::TimeDelta::hours(1);
            context.deadline = deadline.timestamp_millis().try_into().unwrap();
            let working = self.classifier.handle(LambdaEvent::new(event, context));
            Box::pin(working).await.unwrap();
        }
    }

    async fn call(&self, operation: &str, body: &Value) -> Value {
        let event = json!({
            "version": "2.0",
            "rawPath": "/",
            "headers": {
                "content-type": "application/x-amz-json-1.1",
                "x-amz-target": format!("Comprehend_20171127.{operation}"),
            },
            "requestContext": {"timeEpoch": 0, "http": {"method": "POST", "path": "/"}},
            "body": body.to_string(),
            "isBase64Encoded": false,
        });
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), Context::default());
        let answer = Box::pin(self.classifier.handle(event)).await.unwrap().unwrap();
        let answer = serde_json::to_value(answer).unwrap();
        assert_eq!(answer["statusCode"], 200, "{answer}");
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
    }
}

/// CPU seconds of this process, all threads.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let ticks = after.split_whitespace().skip(11).take(2);
    ticks.map(|n| n.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// Returns the first words of a row's text.
fn cut(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(WORDS).collect();
    words.join(" ")
}

#[tokio::main]
async fn main() {
    let file = fs::read(env::args().nth(1).unwrap()).unwrap();
    let encoder = match env::args().nth(2).as_deref() {
        Some("none") => TextEncoder::None,
        _ => TextEncoder::BuiltIn,
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(&file[..]);
    let rows: Vec<(String, String)> = reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            (row[0].to_owned(), cut(&row[1]))
        })
        .collect();
    let (trained, rest) = rows.split_at(TRAINED);
    let (classified, rest) = rest.split_at(CLASSIFIED);
    let world = World::new(encoder);
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (label, text) in trained {
        writer.write_record([label, text]).unwrap();
    }
    let train = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    world.put("initial/rows.csv", train).await;
    world.work().await;
    world
        .call(
            "ClassifyDocument",
            &json!({"EndpointArn": ENDPOINT, "Text": "warm"}),
        )
        .await;

    let start = cpu();
    for (_, text) in classified {
        world
            .call(
                "ClassifyDocument",
                &json!({"EndpointArn": ENDPOINT, "Text": text}),
            )
            .await;
    }
    let each = (cpu() - start) * 1_000.0 / classified.len() as f64;
    println!("ClassifyDocument, warm: {each:.1} ms");

    let in_job: Vec<&str> = rest
        .iter()
        .take(IN_A_JOB)
        .map(|(_, text)| text.as_str())
        .collect();
    world.put("in/texts.txt", in_job.join("\n")).await;
    let endpoint = world
        .call("DescribeEndpoint", &json!({"EndpointArn": ENDPOINT}))
        .await;
    let request = json!({
        "DocumentClassifierArn": endpoint["EndpointProperties"]["ModelArn"],
        "InputDataConfig": {"S3Uri": format!("s3://{BUCKET}/in/"), "InputFormat": "ONE_DOC_PER_LINE"},
        "OutputDataConfig": {"S3Uri": format!("s3://{BUCKET}/out")},
        "DataAccessRoleArn": ROLE,
    });
    let start = cpu();
    let job = world.call("StartDocumentClassificationJob", &request).await;
    world.work().await;
    let rate = in_job.len() as f64 / (cpu() - start);
    let job = world
        .call(
            "DescribeDocumentClassificationJob",
            &json!({"JobId": job["JobId"]}),
        )
        .await;
    let status = &job["DocumentClassificationJobProperties"]["JobStatus"];
    println!(
        "job of {} texts: {status}, {rate:.0} texts/s and core",
        in_job.len()
    );
}
