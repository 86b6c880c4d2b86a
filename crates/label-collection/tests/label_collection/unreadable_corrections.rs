//! Corrections of which nothing can be read.

use active_learning_aws::{bucket::Bucket, redrive};
use serde_json::{Value, json};

use crate::harness::{FEEDBACK, LOOP, REVIEW, Services, TRAINING, event, input, output, output_key};

/// The output of the loop, or of a correction in which its reviewer has entered this.
fn answered(minute: u32, content: Option<Value>) -> String {
    let labels = ["World"; 20];
    let output = output(LOOP, &input().to_string(), &[("w1", minute, &labels)]);
    let mut output: Value = serde_json::from_str(&output).expect("JSON");
    if let Some(content) = content {
        output["humanAnswers"][0]["answerContent"] = content;
    }
    output.to_string()
}

/// Has the loop answered and its answer corrected by this; returns the key of the correction.
async fn corrected(services: &Services, correction: &str) -> String {
    services.answered(LOOP, answered(1, None)).await;
    let key = output_key(LOOP).replace("output.json", "corrections/w1-1/output.json");
    services.put(REVIEW, &key, correction).await;
    services.function().handle(event(&key)).await.expect("worked off");
    key
}

#[tokio::test]
async fn a_correction_that_cannot_be_read_is_set_aside_with_its_reason_and_people_are_told() {
    let unmatched = answered(9, Some(json!({"topic": "World"})));
    for (correction, reason) in [
        ("no JSON", "cannot be used"),
        (unmatched.as_str(), "can be matched to an item"),
    ] {
        let services = Services::start();

        let key = corrected(&services, correction).await;

        let rejected = services.rejected(&format!("{LOOP}-corrected-w1-1")).await;
        assert_eq!(rejected.len(), 1);
        assert_eq!(rejected[0]["raw"], format!("s3://{REVIEW}/{key}"));
        let told = rejected[0]["reason"].as_str().expect("a reason");
        assert!(told.contains(reason), "{told}");
        let notices = services.keys(TRAINING, "notices/").await;
        assert!(
            notices.len() == 1 && notices[0].contains("unreadable-corrections-"),
            "{notices:?}"
        );
        let notice: Value = serde_json::from_str(&services.get(TRAINING, &notices[0]).await).expect("JSON");
        assert_eq!(notice["subject"], "A reviewer's correction cannot be read");
        let message = notice["message"].as_str().expect("a message");
        assert!(message.contains(LOOP) && message.contains("redrive"), "{message}");
    }
}

#[tokio::test]
async fn a_correction_that_was_set_aside_is_read_again_and_asks_nobody() {
    let services = Services::start();
    let key = corrected(&services, "no JSON").await;
    let feedback = Bucket::new(services.s3.clone(), FEEDBACK);
    let failed = redrive::list(&feedback).await.expect("listed");

    let outcome = redrive::redrive(&feedback, failed).await;

    assert_eq!((outcome.redriven, outcome.kept), (1, Vec::new()));
    assert!(services.keys(FEEDBACK, "rejected/").await.is_empty());
    assert!(services.keys(FEEDBACK, "feedback/redriven/").await.is_empty());
    assert_eq!(services.get(REVIEW, &key).await, "no JSON");
}

#[tokio::test]
async fn a_correction_that_says_nothing_is_no_fault() {
    let services = Services::start();

    corrected(&services, &answered(9, Some(json!({})))).await;

    assert!(services.keys(FEEDBACK, "rejected/").await.is_empty());
    assert!(services.keys(TRAINING, "notices/").await.is_empty());
}

#[tokio::test]
async fn a_correction_that_cannot_be_read_is_set_aside_though_another_answer_repeats_what_was_said() {
    let services = Services::start();
    let labels = ["World"; 20];
    let both = output(
        LOOP,
        &input().to_string(),
        &[("w1", 9, &labels), ("w2", 9, &labels)],
    );
    let mut both: Value = serde_json::from_str(&both).expect("JSON");
    both["humanAnswers"][1]["answerContent"] = json!({"topic": "Sports"});

    let key = corrected(&services, &both.to_string()).await;

    let rejected = services.rejected(&format!("{LOOP}-corrected-w1-1")).await;
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0]["raw"], format!("s3://{REVIEW}/{key}"));
}
