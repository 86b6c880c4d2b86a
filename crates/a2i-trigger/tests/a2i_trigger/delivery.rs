//! Delivered objects: what is asked, once, and what is set aside.

use std::{collections::BTreeSet, io::Write};

use a2i_trigger::A2iTriggerError;
use flate2::{Compression, write::GzEncoder};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::harness::*;

#[tokio::test]
async fn what_is_to_be_reviewed_becomes_human_loops_and_nothing_else_does() {
    let services = Services::start();
    let key = "feedback/2026/11/20/10/feedback-1-2026-11-20-10-00-00-5f3c1a52.jsonl";
    let event = services.deliver(key, DELIVERED).await;
    let sample: Value = serde_json::from_str(OBJECT_CREATED).expect("JSON");
    assert_eq!(event, sample, "the sample event is the one of the sample file");

    let script = services.work_off(&event).await;

    let loops = loops(&script);
    assert_eq!(loops.len(), 2);
    assert_eq!(
        utterances(&loops),
        [
            "Fans queued overnight for the new phone.",
            "Shares of the club fell after the defeat.",
            "The champion will study astronomy, her club said.",
            "The city wants to buy the club a new stadium.",
        ]
    );
    assert!(loops.iter().all(|(name, _)| name.len() <= 63));
    let input: Value = serde_json::from_str(&loops.first().expect("a loop").1).expect("JSON");
    assert_eq!(
        (&input["bucketName"], &input["keyName"]),
        (&json!(BUCKET), &json!(key))
    );
    assert_eq!(input["labels"], json!(["World", "Sports", "Business", "SciTech"]));
    assert_eq!(services.keys("claims/text-").await.len(), 4);
    assert_eq!(
        services.keys("claims/").await.len(),
        11,
        "four ids, four texts, the plan, that it was worked off, and a like of a text that nobody is asked about"
    );
    let rejected = services.keys("rejected/a2i-trigger/").await;
    let line: Value = serde_json::from_str(&services.get(&rejected[0]).await).expect("one line");
    assert_eq!(
        (&line["line"], &line["raw"]),
        (&json!(5), &json!("this line is no feedback"))
    );
}

#[tokio::test]
async fn the_same_event_three_times_makes_one_set_of_human_loops() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let thrice = starting();

    let once = services.work_off(&event).await;
    for _ in 0..3 {
        services
            .function(&thrice)
            .handle(event.clone())
            .await
            .expect("worked off");
    }

    assert_eq!(thrice.calls(START).len(), 6);
    assert_eq!(loops(&thrice), loops(&once));
}

#[tokio::test]
async fn what_a_loop_asks_is_kept_before_it_is_started() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let script = refusing(usize::MAX, 403, "AccessDeniedException");

    let outcome = services.function(&script).handle(event).await;

    assert!(outcome.is_err());
    for (name, input) in loops(&script) {
        assert_eq!(services.get(&format!("asked/{name}.json")).await, input);
    }
    assert!(!loops(&script).is_empty());
}

#[tokio::test]
async fn a_question_that_another_object_asked_is_not_asked_again() {
    let services = Services::start();
    let first = services.deliver("feedback/a", DELIVERED).await;
    let more = r#"{"utterance":"A new one","prediction":"CLASSIFY","confidence":"NONE","classifier":"news"}"#;
    let second = services
        .deliver("feedback/b", format!("{DELIVERED}{more}\n"))
        .await;

    services.work_off(&first).await;
    let script = services.work_off(&second).await;

    assert_eq!(utterances(&loops(&script)), ["A new one"]);
}

#[tokio::test]
async fn a_compressed_object_is_known_by_its_content() {
    let services = Services::start();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(DELIVERED.as_bytes())
        .expect("a vector takes everything");
    let content = encoder.finish().expect("a vector takes everything");
    let event = services.deliver("feedback/a", content).await;

    let script = services.work_off(&event).await;

    assert_eq!(utterances(&loops(&script)).len(), 4);
}

#[tokio::test]
async fn many_records_are_asked_about_in_parts_and_each_once() {
    let services = Services::start();
    let line = |number: usize| json!({"utterance": format!("Text {number}"), "prediction": "World", "confidence": 0.3, "classifier": "news"});
    let content: String = (0..1_200)
        .chain(0..10)
        .map(|number| format!("{}\n", line(number)))
        .collect();
    let event = services.deliver("feedback/a", content).await;

    let script = services.work_off(&event).await;

    let asked = utterances(&loops(&script));
    assert_eq!(asked.len(), 1_200);
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), 1_200);
}

#[tokio::test(start_paused = true)]
async fn a_busy_review_service_is_asked_again() {
    for (status, code) in [
        (429, "ThrottlingException"),
        (402, "ServiceQuotaExceededException"),
        (500, "InternalServerException"),
    ] {
        let services = Services::start();
        let event = services.deliver("feedback/a", DELIVERED).await;
        let script = refusing(4, status, code);

        services.function(&script).handle(event).await.expect(code);

        assert_eq!(loops(&script).len(), 2, "{code}");
        assert!(script.calls(START).len() > 2, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_stays_exceeded_keeps_every_question_for_the_sweep() {
    let services = Services::start();
    let line = |number: usize| json!({"utterance": format!("Text {number}"), "prediction": "World", "confidence": 0.3, "classifier": "news"});
    let content: String = (0..300).map(|number| format!("{}\n", line(number))).collect();
    let event = services.deliver("feedback/a", content).await;
    let script = refusing(usize::MAX, 402, "ServiceQuotaExceededException");
    let function = services.function(&script);

    function.handle(event.clone()).await.expect("nothing is lost");
    let calls = script.calls(START).len();
    function.handle(event).await.expect("nor asked twice");

    assert_eq!(services.keys("asked/").await.len(), 100);
    assert!(calls <= 20, "once there is no room no more are tried: {calls}");
}

#[tokio::test]
async fn a_name_that_is_taken_was_started_before() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let script = refusing(usize::MAX, 409, "ConflictException");

    services
        .function(&script)
        .handle(event)
        .await
        .expect("worked off");

    assert_eq!(script.calls(START).len(), 2);
}

#[tokio::test]
async fn a_refusal_for_good_says_what_to_check_and_quotes_nothing() {
    for (status, code) in [(400, "ValidationException"), (403, "AccessDeniedException")] {
        let services = Services::start();
        let event = services.deliver("feedback/a", DELIVERED).await;

        let function = services.function(&refusing(usize::MAX, status, code));
        let error = function.handle(event).await.expect_err("refused");

        assert!(!format!("{error:?}").contains("The minister"));
        let diagnostic = Diagnostic::from(error);
        assert_eq!(diagnostic.error_type, "Refused");
        assert!(diagnostic.error_message.contains("HUMAN_REVIEW_WORKFLOW_ARN"));
    }
}

#[tokio::test]
async fn an_object_that_is_gone_is_nothing_to_do_and_one_that_cannot_be_read_is_an_error() {
    let services = Services::start();
    let mut event = services.deliver("feedback/a", DELIVERED).await;
    event["Records"][0]["s3"]["object"]["key"] = "feedback/b".into();
    let (gone, denied) = (starting(), denying(&format!("GET /{BUCKET}/feedback/")));

    services
        .function(&gone)
        .handle(event.clone())
        .await
        .expect("nothing to do");
    let outcome = services.function(&denied).handle(event).await;

    assert!(matches!(outcome, Err(A2iTriggerError::Read(_))));
    assert_eq!(gone.calls(START).len(), 0);
}

#[tokio::test]
async fn a_claim_that_cannot_be_made_starts_nothing() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let script = denying(&format!("PUT /{BUCKET}/claims/"));

    let outcome = services.function(&script).handle(event).await;

    assert!(matches!(outcome, Err(A2iTriggerError::Claim(_))));
    assert_eq!(script.calls(START).len(), 0);
}

#[tokio::test]
async fn an_operation_that_does_not_exist_is_refused() {
    let services = Services::start();

    let outcome = services
        .function(&starting())
        .handle(json!({"operation": "sweep"}))
        .await;

    let error = Diagnostic::from(outcome.expect_err("no such operation"));
    assert_eq!(error.error_message, "the function has no such operation");
}
