//! What people answered, as its client is told unasked: by the event bus and by the webhook.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use active_learning_core::feedback::record_id;
use axum::{
    Router,
    http::{HeaderMap, StatusCode},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    harness::{self, until},
    new_models::{BY_HAND, Stack, news},
};

const TEXT: &str = "The minister, a keen cyclist, opened the velodrome that a bank had paid for.";

/// A receiver of webhooks that is out of order for some requests.
struct Receiver {
    url: String,
    /// Headers and body of what it took.
    taken: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    failures: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start(failures: usize) -> Self {
        let taken = Arc::<Mutex<Vec<(HeaderMap, String)>>>::default();
        let failures = Arc::new(AtomicUsize::new(failures));
        let (kept, left) = (taken.clone(), failures.clone());
        let take = move |headers: HeaderMap, body: String| {
            let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if fails.is_err() {
                kept.lock().expect("not poisoned").push((headers, body));
            }
            async move {
                if fails.is_ok() {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    StatusCode::NO_CONTENT
                }
            }
        };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let url = format!("http://{}/reviewed", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
        Self { url, taken, failures }
    }

    fn taken(&self) -> Vec<(HeaderMap, String)> {
        self.taken.lock().expect("not poisoned").clone()
    }

    /// Returns what it was told about a record, once it was.
    async fn told(&self, record_id: &str) -> (HeaderMap, String) {
        let mut told = None;
        until(async || {
            told = self
                .taken()
                .into_iter()
                .find(|(_, body)| body.contains(record_id));
            told.is_some()
        })
        .await;
        told.expect("it was told")
    }
}

/// Starts a stack of which everything is reviewed, and which tells a receiver.
async fn stack(folder: &Path, receiver: &Receiver) -> Stack {
    let parameters = [
        ("ComprehendClassificationScoreThreshold", "1"),
        ("ResultWebhookUrl", receiver.url.as_str()),
    ];
    Stack::start(folder, &news()[..24], &[&BY_HAND[..], &parameters].concat()).await
}

async fn answer(stack: &Stack, text: &str, label: &str) {
    let labels = BTreeMap::from([(record_id("news", text), label)]);
    stack.answer(&labels, |label, _| label.to_owned()).await;
}

async fn secret(stack: &Stack) -> Vec<u8> {
    let client = aws_sdk_secretsmanager::Client::new(&stack.running.aws.sdk_config());
    let arn = stack.outputs.output("ResultWebhookSecretArn");
    let secret = client
        .get_secret_value()
        .secret_id(arn)
        .send()
        .await
        .expect("a secret");
    BASE64_STANDARD
        .decode(secret.secret_string().expect("a text"))
        .expect("base64")
}

/// Signs as a receiver does that checks.
fn signature(secret: &[u8], headers: &HeaderMap, body: &str) -> String {
    let of = |name: &str| headers[name].to_str().expect("ASCII");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.update(format!("{}.{}.{body}", of("webhook-id"), of("webhook-timestamp")).as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// Returns the events of the stack's bus.
fn events(folder: &Path, stack: &Stack) -> Vec<Value> {
    let bus = stack.outputs.output("EventBusName");
    let log = std::fs::read_to_string(folder.join(format!("logs/event-bus-{bus}.log"))).unwrap_or_default();
    log.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn id(answer: &Value) -> &str {
    answer["predictionId"].as_str().expect("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_twice_is_told_what_people_answered_to_every_prediction_of_a_text() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let receiver = Receiver::start(2).await;
    let stack = stack(folder.path(), &receiver).await;
    let record = record_id("news", TEXT);

    let first = stack.classify(TEXT).await;
    let again = stack.classify(TEXT).await;
    answer(&stack, TEXT, "Sports").await;
    let (headers, body) = receiver.told(&record).await;
    let late = stack.classify(&TEXT.to_uppercase()).await;
    let (_, of_late) = receiver.told(&record_id("news", &TEXT.to_uppercase())).await;

    let secret = secret(&stack).await;
    let events = events(folder.path(), &stack);
    stack.stop().await;
    let told: Value = serde_json::from_str(&body).expect("JSON");
    let mut predictions = [id(&first), id(&again)];
    predictions.sort_unstable();
    assert_eq!(told["data"]["predictionIds"], json!(predictions), "{told}");
    assert_eq!(
        (&told["data"]["label"], &told["data"]["status"]),
        (&json!("Sports"), &json!("answered"))
    );
    assert_eq!(
        headers["webhook-signature"],
        signature(&secret, &headers, &body).as_str()
    );
    let of_late: Value = serde_json::from_str(&of_late).expect("JSON");
    assert_eq!(of_late["data"]["predictionIds"], json!([id(&late)]));
    assert_eq!(of_late["data"]["label"], "Sports");
    let event = events
        .iter()
        .find(|event| event["detail"]["recordId"] == record.as_str());
    let event = event.expect("it is on the bus");
    assert_eq!(
        (&event["source"], &event["detail-type"], &event["detail"]),
        (
            &json!("active-learning"),
            &json!("Prediction Reviewed"),
            &told["data"]
        )
    );
    assert!(
        !format!("{events:?}{body}").contains("velodrome"),
        "it holds the text"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_missed_while_it_was_down_is_sent_again_by_redrive() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let receiver = Receiver::start(usize::MAX).await;
    let stack = stack(folder.path(), &receiver).await;
    let bucket = stack.outputs.output("FeedbackS3Bucket").to_owned();

    stack.classify(TEXT).await;
    answer(&stack, TEXT, "Sports").await;
    until(async || {
        let failed = harness::json_objects(&stack.s3, &bucket, "aws/lambda/async/", "").await;
        !failed.is_empty()
    })
    .await;
    let missed = receiver.taken().len();
    receiver.failures.store(0, Ordering::SeqCst);
    let (redriven, output) = harness::command(folder.path(), &["redrive", "--yes"]).await;
    let (_, body) = receiver.told(&record_id("news", TEXT)).await;
    stack.stop().await;

    assert_eq!((missed, redriven), (0, true), "{output}");
    assert!(body.contains(r#""label":"Sports""#), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_human_loop_that_was_stopped_is_seen_to_when_its_event_comes_and_its_client_is_told() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let receiver = Receiver::start(0).await;
    let stack = stack(folder.path(), &receiver).await;
    let a2i = aws_sdk_sagemakera2iruntime::Client::new(&stack.running.aws.sdk_config());
    let flow = stack.outputs.output("HumanReviewWorkflowArnInUse");

    let predicted = stack.classify(TEXT).await;
    let mut name = String::new();
    until(async || {
        let loops = a2i
            .list_human_loops()
            .flow_definition_arn(flow)
            .send()
            .await
            .expect("listed");
        let first = loops.human_loop_summaries().first();
        name = first
            .and_then(|it| it.human_loop_name())
            .unwrap_or_default()
            .to_owned();
        !name.is_empty()
    })
    .await;
    a2i.stop_human_loop()
        .human_loop_name(&name)
        .send()
        .await
        .expect("stopped");
    let (_, body) = receiver.told(id(&predicted)).await;
    let events = events(folder.path(), &stack);
    stack.stop().await;

    assert!(body.contains(r#""status":"abandoned""#), "{body}");
    let event = events
        .iter()
        .find(|event| event["source"] == "active-learning.human-review");
    let detail = &event.expect("it is on the bus")["detail"];
    assert_eq!(
        (&detail["humanLoopName"], &detail["humanLoopStatus"]),
        (&json!(name), &json!("Stopped"))
    );
}
