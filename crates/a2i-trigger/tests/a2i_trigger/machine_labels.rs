//! Accepted predictions: labels, not questions.

use active_learning_core::feedback::FeedbackRecord;
use serde_json::{Value, json};

use crate::harness::*;

/// A line of an accepted prediction.
fn accepted(utterance: &str) -> Value {
    json!({
        "schemaVersion": 1, "classifier": "news", "utterance": utterance, "prediction": "World", "confidence": 0.97,
        "classes": [{"name": "World", "score": 0.97}], "source": "implicit", "signal": "accepted", "predictionId": "p-1",
        "modelArn": "arn:model", "acceptedAbove": 0.9, "receivedAt": "2026-11-20T10:00:00.000Z",
    })
}

fn lines(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

async fn labels(services: &Services) -> Vec<FeedbackRecord> {
    let mut records = Vec::new();
    for key in services.keys_in(TRAINING_BUCKET, "machine-labelled/").await {
        let object = services.get_in(TRAINING_BUCKET, &key).await;
        let parsed = object.lines().map(|line| FeedbackRecord::parse(line.as_bytes()));
        records.extend(parsed.map(|record| record.expect("a record")));
    }
    records
}

#[tokio::test]
async fn accepted_predictions_are_kept_as_labels_and_ask_nobody() {
    let services = Services::start();
    let content =
        lines(&[accepted("one"), accepted("two")]) + &line("a doubtful text", "low-confidence", 0.1);
    let event = services.deliver("feedback/2026/11/20/10/a.jsonl", content).await;
    let script = starting();

    for _ in 0..3 {
        services
            .function_with_budget(&script, "1")
            .handle(event.clone())
            .await
            .expect("worked off");
    }

    let keys = services.keys_in(TRAINING_BUCKET, "machine-labelled/").await;
    assert!(
        matches!(&keys[..], [key] if key.starts_with("machine-labelled/a.jsonl-") && key.ends_with("-00001.jsonl")),
        "{keys:?}"
    );
    let labels = labels(&services).await;
    assert_eq!(
        labels
            .iter()
            .map(|label| label.utterance.as_str())
            .collect::<Vec<_>>(),
        ["one", "two"]
    );
    assert_eq!(labels[0].accepted_above, Some(0.9));
    assert_eq!(asked(&[&script]), ["a doubtful text"]);
    assert!(
        services
            .keys("copies/")
            .await
            .iter()
            .all(|key| key.starts_with("copies/recent/"))
    );
    let claims = services.keys("claims/").await;
    assert_eq!(
        claims.len(),
        4,
        "one id, one text, one plan, and that it was worked off: {claims:?}"
    );
}

#[tokio::test]
async fn a_record_that_only_claims_to_be_accepted_is_set_aside() {
    let services = Services::start();
    let mut forged = accepted("a forged one");
    forged["source"] = "explicit-api".into();
    let mut doubtful = accepted("a doubtful one");
    doubtful["confidence"] = json!(0.9);
    let event = services.deliver("feedback/a", lines(&[forged, doubtful])).await;
    let script = starting();

    services
        .function(&script)
        .handle(event)
        .await
        .expect("worked off");

    assert!(labels(&services).await.is_empty() && loops(&script).is_empty());
    let rejected = services.keys("rejected/a2i-trigger/").await;
    let rejected = services.get(&rejected[0]).await;
    assert_eq!(rejected.lines().count(), 2);
    assert!(
        rejected.contains("an accepted prediction must come from the classification API"),
        "{rejected}"
    );
}

#[tokio::test]
async fn an_event_whose_labels_cannot_be_stored_is_left_for_redelivery() {
    let services = Services::start();
    let event = services.deliver("feedback/a", lines(&[accepted("one")])).await;
    let denied = denying(&format!("PUT /{TRAINING_BUCKET}"));

    let outcome = services.function(&denied).handle(event.clone()).await;
    let before = labels(&services).await.len();
    services
        .function(&starting())
        .handle(event)
        .await
        .expect("worked off");

    let error = outcome.expect_err("not stored");
    assert_eq!(
        lambda_runtime::Diagnostic::from(error).error_type,
        "MachineLabels"
    );
    assert_eq!((before, labels(&services).await.len()), (0, 1));
}
