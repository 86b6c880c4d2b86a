//! What became of a prediction, as its client is told, through the whole stack.

use std::collections::BTreeMap;

use active_learning_cli::http_client;
use active_learning_core::feedback::record_id;
use serde_json::{Value, json};

use crate::{
    harness::{self, until},
    new_models::{BY_HAND, Stack, news},
};

const TEXT: &str = "The minister, a keen cyclist, opened the velodrome that a bank had paid for.";

/// Asks what became of a prediction. Returns status, entity tag and body.
pub async fn result(stack: &Stack, path: &str, etag: Option<&str>) -> (u16, String, Value) {
    let url = format!("{}/{path}", stack.outputs.output("PredictionsApiUrl"));
    let mut request = http::Request::get(url).header("x-api-key", &stack.outputs.api_key_value);
    if let Some(etag) = etag {
        request = request.header("if-none-match", etag);
    }
    let answer = http_client::send(request.body(String::new()).expect("a valid URL")).await;
    let answer = answer.expect("an answer");
    let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok());
    (
        answer.status().as_u16(),
        etag.unwrap_or_default().to_owned(),
        serde_json::from_str(answer.body()).unwrap_or_default(),
    )
}

/// Sends a request with such a key, or without any. Returns status, headers and body.
async fn with_key(
    stack: &Stack,
    (method, path): (&str, &str),
    key: Option<&str>,
) -> (u16, http::HeaderMap, Value) {
    let url = format!("{}/{path}", stack.outputs.output("PredictionsApiUrl"));
    let mut request = http::Request::builder().method(method).uri(url);
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    let answer = http_client::send(request.body(String::new()).expect("a valid URL")).await;
    let (head, body) = answer.expect("an answer").into_parts();
    let body = serde_json::from_str(&body).unwrap_or_default();
    (head.status.as_u16(), head.headers, body)
}

fn id(answer: &Value) -> &str {
    answer["predictionId"].as_str().expect("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_hears_what_people_answered_and_so_does_one_with_a_duplicate() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let threshold = [("ComprehendClassificationScoreThreshold", "1")];
    let parameters = [&BY_HAND[..], &threshold].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let labels = BTreeMap::from([(record_id("news", TEXT), "Sports")]);

    let predicted = stack.classify(TEXT).await;
    let (before, etag, waiting) = result(&stack, id(&predicted), None).await;
    let (unchanged, ..) = result(&stack, id(&predicted), Some(&etag)).await;
    let long_poll = format!("{}?wait=20", id(&predicted));
    let (news, ()) = tokio::join!(
        result(&stack, &long_poll, Some(&etag)),
        stack.answer(&labels, |label, _| label.to_owned())
    );
    let spelt_otherwise = TEXT.to_uppercase();
    let duplicate = stack.classify(&spelt_otherwise).await;
    let mut of_duplicate = Value::Null;
    until(async || {
        of_duplicate = result(&stack, id(&duplicate), None).await.2;
        of_duplicate["status"] == "answered"
    })
    .await;
    let unknown = result(&stack, "82edcc00-a237-4925-ab3a-0a792b391ddf", None).await;
    let no_id = result(&stack, "..%2fquestions%2fx", None).await;
    let too_long = result(&stack, &format!("{}?wait=60", id(&predicted)), None).await;
    let (without_key, _, forbidden) = with_key(&stack, ("GET", id(&predicted)), None).await;
    let (wrong_key, ..) = with_key(&stack, ("GET", id(&predicted)), Some("another-key")).await;
    let (preflight, headers, _) = with_key(&stack, ("OPTIONS", id(&predicted)), None).await;
    stack.stop().await;

    assert_eq!((before, unchanged), (200, 304));
    assert_eq!(waiting["status"], "in-review", "{waiting}");
    let (status, new_etag, answered) = news;
    assert_eq!(status, 200);
    assert_ne!(new_etag, etag);
    assert_eq!(
        (&answered["status"], &answered["label"]),
        (&json!("answered"), &json!("Sports"))
    );
    assert_eq!(
        (&answered["votes"], &answered["agreement"]),
        (&json!(1), &json!(1.0))
    );
    assert_eq!(answered["prediction"], predicted["prediction"]);
    assert!(answered["answeredAt"].is_string(), "{answered}");
    assert_eq!(of_duplicate["label"], "Sports", "{of_duplicate}");
    assert_eq!(
        (unknown.0, &unknown.2["code"]),
        (404, &json!("unknown_prediction"))
    );
    assert_eq!(no_id.0, 404);
    assert_eq!((without_key, wrong_key), (403, 403));
    assert_eq!(forbidden, json!({"message": "Forbidden"}));
    let allowed = &headers["access-control-allow-methods"];
    assert!(
        preflight < 300 && allowed.to_str().expect("text").contains("GET"),
        "{headers:?}"
    );
    assert_eq!(
        (too_long.0, &too_long.2["code"]),
        (400, &json!("invalid_request"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classification_may_wait_for_people_and_a_trusted_one_becomes_a_question_by_a_complaint() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    // Nothing is doubtful, and nothing is drawn for an audit.
    let trusting = [
        ("ComprehendClassificationScoreThreshold", "0"),
        ("AuditSampleRate", "0"),
    ];
    let parameters = [&BY_HAND[..], &trusting].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let labels = BTreeMap::from([(record_id("news", TEXT), "World")]);
    let key = &stack.outputs.api_key_value;
    let say = json!({"classifier": "news", "sentence": TEXT});

    let trusted = stack.classify(TEXT).await;
    let at_once = result(&stack, &format!("{}?wait=20", id(&trusted)), None).await;
    let feedback = stack.outputs.output("FeedbackAPIGatewayID");
    let (complained, _) = harness::post(feedback, key, &say).await;
    let mut asked = Value::Null;
    until(async || {
        asked = result(&stack, id(&trusted), None).await.2;
        asked["status"] == "in-review"
    })
    .await;
    stack.answer(&labels, |label, _| label.to_owned()).await;
    let answered = result(&stack, id(&trusted), None).await;
    stack.stop().await;

    assert_eq!(at_once.2["status"], "predicted", "{}", at_once.2);
    assert_eq!((complained, answered.0), (200, 200));
    assert_eq!(answered.2["label"], "World", "{}", answered.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prediction_from_before_a_rename_is_told_and_liked_by_the_new_name_and_liked_by_the_old_one_too() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let trusting = [
        ("ComprehendClassificationScoreThreshold", "0"),
        ("AuditSampleRate", "0"),
    ];
    let parameters = [&BY_HAND[..], &trusting].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let predicted = stack.classify(TEXT).await;
    let old = predicted["prediction"].as_str().expect("a label").to_owned();
    let rename = ["labels", "rename", &old, "Another name", "--yes"];

    let (renamed, printed) = harness::command(folder.path(), &rename).await;
    let mut told = Value::Null;
    // Functions know a set for ten seconds.
    until(async || {
        told = result(&stack, id(&predicted), None).await.2;
        told["prediction"] == "Another name"
    })
    .await;
    let like = async |label: &str| {
        let body = json!({
            "classifier": "news", "sentence": TEXT, "feedback": "like", "label": label,
            "predictionId": predicted["predictionId"],
        });
        let url = stack.outputs.output("FeedbackAPIGatewayID");
        harness::post(url, &stack.outputs.api_key_value, &body).await.0
    };
    let liked = [
        like("Another name").await,
        like(&old).await,
        like("Neither").await,
    ];
    stack.stop().await;

    assert!(renamed, "{printed}");
    assert_eq!(told["status"], "predicted", "{told}");
    assert_eq!(liked, [200, 200, 400]);
}
