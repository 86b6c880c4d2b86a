//! The words that drove a prediction, beside the text that people are asked about.

use active_learning_core::labels::label_set::{LABEL_SET_KEY, LabelSet, Origin};
use local_aws::script::Script;
use serde_json::{Value, json};

use crate::harness::*;

const EXPLAIN: &str = "ExplainDocuments";

/// A line of a delivered object.
fn line(text: &str, signal: &str) -> String {
    let line = json!({
        "classifier": "news", "utterance": text, "prediction": "Sports", "confidence": 0.4, "source": "implicit",
        "signal": signal, "receivedAt": "2026-11-20T10:00:00.000Z",
    });
    line.to_string() + "\n"
}

/// What the loop that was started shows.
fn shown(script: &Script) -> Value {
    let calls = script.calls(START);
    let call: Value = serde_json::from_slice(&calls[0]).expect("JSON");
    let input = call["HumanLoopInput"]["InputContent"].as_str().expect("text");
    serde_json::from_str(input).expect("JSON")
}

#[tokio::test]
async fn reviewers_see_the_words_that_drove_a_prediction_but_not_those_of_an_audit() {
    let services = Services::start();
    let script = starting();
    script.always(EXPLAIN, 200, r#"{"Words":[["goal","cup"]]}"#);
    let delivered = line("A late goal wins the cup", "low-confidence") + &line("The match is over", "audit");
    let event = services.deliver("feedback/texts", delivered).await;

    let function = services.function_with_classifier(&script);
    function.handle(event).await.expect("worked off");

    let asked: Value = serde_json::from_slice(&script.calls(EXPLAIN)[0]).expect("JSON");
    let documents = json!([{"Text": "A late goal wins the cup", "Classes": ["Sports"]}]);
    let input = shown(&script);
    let id = input["comprehendPredictions"][0]["id"].as_str().expect("an id");
    assert_eq!(asked["Documents"], documents);
    assert_eq!(input["words"], json!({id: ["goal", "cup"]}));
}

#[tokio::test]
async fn a_class_that_is_called_otherwise_now_is_asked_about_by_its_name_in_the_model() {
    let services = Services::start();
    let mut set = LabelSet::seed(
        ["World", "Games"],
        Origin::InitialData,
        "2026-11-20T10:00:00.000Z",
    );
    set.rename("Games", "Sports").expect("free");
    let model = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news/version/one";
    let state = json!({"trained": {"labels": ["World", "Games"]}}).to_string();
    for (key, body) in [
        (LABEL_SET_KEY, set.to_json()),
        (
            "text-classifier/document-classifier/news/version/one.json",
            state.into_bytes(),
        ),
    ] {
        let put = services.s3.put_object().bucket(TRAINING_BUCKET).key(key);
        put.body(body.into()).send().await.expect("an upload");
    }
    let script = starting();
    let described = json!({"EndpointProperties": {"ModelArn": model}}).to_string();
    script.always("DescribeEndpoint", 200, described);
    script.always(EXPLAIN, 200, r#"{"Words":[["goal"]]}"#);
    let event = services
        .deliver("feedback/texts", line("A late goal", "low-confidence"))
        .await;

    let function = services.function_with_classifier(&script);
    function.handle(event).await.expect("worked off");

    let asked: Value = serde_json::from_slice(&script.calls(EXPLAIN)[0]).expect("JSON");
    assert_eq!(asked["Documents"][0]["Classes"], json!(["Games"]));
}

#[tokio::test]
async fn without_an_answer_people_are_asked_all_the_same() {
    for (status, answer) in [(400, r#"{"__type":"ResourceUnavailableException"}"#), (200, "{}")] {
        let services = Services::start();
        let script = starting();
        script.always(EXPLAIN, status, answer);
        let event = services
            .deliver("feedback/texts", line("A late goal", "low-confidence"))
            .await;

        let function = services.function_with_classifier(&script);
        function.handle(event).await.expect("worked off");

        assert_eq!(shown(&script).get("words"), None, "{status}");
    }
}

#[tokio::test]
async fn comprehend_is_not_asked_for_words() {
    let services = Services::start();
    let event = services
        .deliver("feedback/texts", line("A late goal", "low-confidence"))
        .await;

    let script = services.work_off(&event).await;

    assert_eq!(script.calls(EXPLAIN).len(), 0);
    assert_eq!(shown(&script).get("words"), None);
}
