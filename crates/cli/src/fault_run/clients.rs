//! Clients of the two APIs, who send again until they are told that it is stored.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use active_learning_aws::bucket::{BINARY, Bucket};
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    Failure,
    ledger::{BLOCK, CLASSIFIER, Kind, Ledger},
    stack::Stack,
};
use crate::{http_client::send as send_request, place};

/// API Gateway's limit and a second for the way.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(300);

/// Of so many texts the first answer to one is not heard, as where the connection breaks: it is sent again.
const TEXTS_PER_UNHEARD_ANSWER: usize = 24;

/// Sends texts, the next ones of all clients each time, until there are none or the end has come.
///
/// # Panics
///
/// Where a request is refused: the fault is then in this program.
pub(super) async fn send(
    stack: Arc<Stack>,
    ledger: Arc<Ledger>,
    next: Arc<AtomicUsize>,
    end: Option<Instant>,
) {
    loop {
        let first = next.fetch_add(BLOCK, Ordering::Relaxed);
        let is_over = end.is_some_and(|end| Instant::now() >= end);
        if is_over || first >= ledger.records() {
            return;
        }
        let block = first..ledger.records().min(first + BLOCK);
        block.clone().for_each(|number| ledger.will_send(number));
        if ledger.is_file(first) {
            until_it_succeeds(|| upload(&stack, &ledger, block.clone())).await;
            block.for_each(|number| ledger.acknowledge(number, true));
            continue;
        }
        for number in block {
            if number.is_multiple_of(TEXTS_PER_UNHEARD_ANSWER) {
                until_it_succeeds(|| post(&stack, &ledger, number)).await;
            }
            let is_asked = until_it_succeeds(|| post(&stack, &ledger, number)).await;
            ledger.acknowledge(number, is_asked);
        }
    }
}

/// What failed may have been stored: the same text is one question however often it is sent.
async fn until_it_succeeds<T, F: Future<Output = Result<T, Failure>>>(request: impl Fn() -> F) -> T {
    loop {
        match timeout(ANSWER_TIMEOUT, request()).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(_)) | Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Uploads texts as a file of dislikes.
async fn upload(stack: &Stack, ledger: &Ledger, block: Range<usize>) -> Result<(), Failure> {
    let outputs = stack.outputs()?;
    let config = place::sdk_config(Some(&outputs.endpoint_url)).await;
    let uploads = Bucket::new(
        aws_sdk_s3::Client::new(&config),
        outputs.output("BatchUploadS3Bucket"),
    );
    let key = format!("{CLASSIFIER}/{}.jsonl", block.start);
    let lines = block.map(|number| dislike(ledger, number).to_string());
    let file = lines.collect::<Vec<_>>().join("\n");
    Ok(uploads.put(&key, BINARY, file).await?)
}

/// Sends a text once; returns whether people will be asked.
async fn post(stack: &Stack, ledger: &Ledger, number: usize) -> Result<bool, Failure> {
    let (text, label) = (ledger.text(number), ledger.label(number));
    let (api, body) = match ledger.kind(number) {
        Kind::Classify => (
            "TextClassificationApiGatewayID",
            json!({"classifier": CLASSIFIER, "sentence": text}),
        ),
        Kind::Correct => (
            "FeedbackAPIGatewayID",
            json!({"classifier": CLASSIFIER, "sentence": text, "feedback": "dislike", "label": label}),
        ),
        Kind::Dislike => ("FeedbackAPIGatewayID", dislike(ledger, number)),
        Kind::Like => (
            "FeedbackAPIGatewayID",
            json!({"classifier": CLASSIFIER, "sentence": text, "feedback": "like"}),
        ),
    };
    let outputs = stack.outputs()?;
    let request = Request::post(outputs.output(api))
        .header("x-api-key", &outputs.api_key_value)
        .header("content-type", "application/json")
        .body(body.to_string())?;
    let answer = send_request(request).await?;
    let is_refused = answer.status().is_client_error() && answer.status() != StatusCode::TOO_MANY_REQUESTS;
    assert!(
        !is_refused,
        "{api} answered {}: {}",
        answer.status(),
        answer.body()
    );
    if answer.status() != StatusCode::OK {
        return Err(format!("{api} answered {}", answer.status()).into());
    }
    let answer: Value = serde_json::from_str(answer.body())?;
    // Feedback that was stored when it was sent before is not asked about again, but it was.
    Ok(match ledger.kind(number) {
        Kind::Like => false,
        Kind::Correct | Kind::Dislike => true,
        Kind::Classify => !answer["review"].is_null(),
    })
}

/// Dislikes a wrong prediction.
fn dislike(ledger: &Ledger, number: usize) -> Value {
    let (text, wrong) = (ledger.text(number), ledger.disliked(number));
    json!({"classifier": CLASSIFIER, "sentence": text, "feedback": "dislike", "prediction": wrong})
}
