//! Texts that are erased while they are on their way.

use active_learning_core::{
    erasure::{ErasedTexts, erased_item},
    feedback::Signal,
    keys,
    labels::prediction_result::{KeptPrediction, Status},
};
use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::harness::*;

const TEXTS: [&str; 3] = [
    "I live in 4 Elm Street.",
    "The minister met her colleagues in Geneva.",
    "Shares of the club fell after the defeat.",
];

fn line(text: &str) -> String {
    let record = json!({"schemaVersion": 1, "classifier": "news", "utterance": text, "prediction": "World", "confidence": 0.4,
        "source": "implicit", "signal": "low-confidence", "receivedAt": "2026-11-19T08:00:00.000Z"});
    format!("{record}\n")
}

/// Returns the keys of what waits in the backlog, drawn by chance or not.
async fn waiting_keys(services: &Services) -> Vec<String> {
    let mut keys = services.keys("backlog/").await;
    keys.retain(|key| key.starts_with("backlog/2-") || key.starts_with("backlog/3-"));
    keys
}

pub(crate) async fn erase(services: &Services, text: &str) {
    let mut erased = ErasedTexts::default();
    erased.insert(text);
    let put = services.s3.put_object().bucket(BUCKET).key(keys::ERASED_TEXTS);
    put.body(erased.write().into()).send().await.expect("stored");
}

#[tokio::test]
async fn an_object_that_is_rewritten_while_it_is_worked_off_asks_nobody_twice() {
    let services = Services::start();
    let lines = TEXTS.map(line);
    let event = services.deliver("feedback/a", lines.concat()).await;
    let once = services.work_off(&event).await;
    assert_eq!(once.calls(START).len(), 1, "one loop of three items");

    erase(&services, TEXTS[0]).await;
    let event = services.deliver("feedback/a", lines[1..].concat()).await;
    let again = services.work_off(&event).await;

    assert_eq!(again.calls(START).len(), 0);
    assert_eq!(services.keys("asked/").await.len(), 1);
}

#[tokio::test]
async fn an_object_that_is_rewritten_before_its_loops_are_started_has_them_started() {
    let services = Services::start();
    let lines = TEXTS.map(line);
    let event = services.deliver("feedback/a", lines.concat()).await;
    let refused = refusing(usize::MAX, 403, "AccessDeniedException");
    let outcome = services.function(&refused).handle(event).await;
    assert!(outcome.is_err());
    let key = services.keys("asked/").await.remove(0);
    // As an erasure leaves it.
    erase(&services, TEXTS[0]).await;
    let mut asked: serde_json::Value = serde_json::from_str(&services.get(&key).await).expect("JSON");
    let item = &mut asked["comprehendPredictions"][0];
    *item = erased_item(item);
    let put = services.s3.put_object().bucket(BUCKET).key(&key);
    put.body(asked.to_string().into_bytes().into())
        .send()
        .await
        .expect("stored");

    let event = services.deliver("feedback/a", lines[1..].concat()).await;
    let again = services.work_off(&event).await;

    let (name, input) = loops(&again).pop_first().expect("a loop");
    assert_eq!(key, format!("asked/{name}.json"));
    assert_eq!(input, asked.to_string());
    assert_eq!(again.calls(START).len(), 1);
}

/// Keeps a prediction of a text that people are asked about.
async fn keep_prediction(services: &Services, id: &str, text: &str) {
    let review = Some(Signal::LowConfidence);
    let kept = KeptPrediction::new(id, ("news", text), None, review, "2026-11-19T08:00:00Z");
    let json = serde_json::to_vec(&kept).expect("JSON");
    let put = services.s3.put_object().bucket(BUCKET).key(keys::prediction(id));
    put.body(json.into()).send().await.expect("stored");
}

async fn status(services: &Services, id: &str) -> Status {
    let kept = services.get(&keys::prediction(id)).await;
    let kept = KeptPrediction::parse(kept.as_bytes()).expect("kept");
    kept.result(None, None).status
}

#[tokio::test]
async fn a_client_is_told_of_a_text_that_was_erased_while_it_was_in_the_stream_and_of_no_other() {
    let services = Services::start();
    let [own, other, waits] = [1, 2, 3].map(|n| format!("82edcc00-a237-4925-ab3a-0a792b391dd{n}"));
    for (id, text) in [(&own, TEXTS[0]), (&other, TEXTS[1]), (&waits, TEXTS[2])] {
        keep_prediction(&services, id, text).await;
    }
    erase(&services, TEXTS[0]).await;
    let of = |text: &str, id: &str| {
        let mut record: serde_json::Value = serde_json::from_str(&line(text)).expect("JSON");
        record["predictionId"] = id.into();
        format!("{record}\n")
    };
    // Feedback may name a prediction of another text, or none of ours.
    let lines = [
        of(TEXTS[0], &own),
        of(TEXTS[0], &other),
        of(TEXTS[0], "../x"),
        of(TEXTS[2], &waits),
    ];
    let event = services.deliver("feedback/a", lines.concat()).await;

    services.work_off(&event).await;

    let told = [
        status(&services, &own).await,
        status(&services, &other).await,
        status(&services, &waits).await,
    ];
    assert_eq!(told, [Status::Erased, Status::InReview, Status::InReview]);
}

#[tokio::test]
async fn what_waits_in_the_backlog_is_not_asked_once_it_was_erased() {
    let services = Services::start();
    let event = services
        .deliver("feedback/a", line(TEXTS[0]) + &line(TEXTS[1]))
        .await;
    let script = starting();
    let function = services.function_with_budget(&script, "1");
    function.handle(event).await.expect("worked off");
    assert_eq!(script.calls(START).len(), 1);
    let waiting = waiting_keys(&services).await;
    let waiting: serde_json::Value = serde_json::from_str(&services.get(&waiting[0]).await).expect("JSON");

    erase(&services, waiting["utterance"].as_str().expect("a text")).await;
    let tomorrow = Utc::now() + TimeDelta::days(1);
    let select = json!({"operation": "select"});
    function.handle_at(select, tomorrow).await.expect("selected");

    assert_eq!(script.calls(START).len(), 1);
    assert!(waiting_keys(&services).await.is_empty());
}

#[tokio::test]
async fn a_selection_that_was_paid_before_asks_what_is_left_of_it() {
    let services = Services::start();
    let event = services
        .deliver("feedback/a", line(TEXTS[0]) + &line(TEXTS[1]))
        .await;
    let refused = refusing(usize::MAX, 403, "AccessDeniedException");
    let outcome = services.function_with_budget(&refused, "2").handle(event).await;
    assert!(outcome.is_err(), "the selection stays open");
    for key in services.keys("asked/").await {
        services
            .s3
            .delete_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .expect("deleted");
    }

    erase(&services, TEXTS[0]).await;
    let script = starting();
    let select = json!({"operation": "select"});
    let function = services.function_with_budget(&script, "2");
    function.handle(select).await.expect("selected");

    assert_eq!(utterances(&loops(&script)), [TEXTS[1]]);
    let before = services.get("backlog/asked-before.json").await;
    assert!(!before.contains("Elm Street"), "{before}");
}
