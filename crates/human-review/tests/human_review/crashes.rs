//! What a crash between two writes leaves behind, and how it is made good.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Review, Session, two_items};

const ID: &str = "0123456789abcdef0123456789abcdef";

/// Marks and input of a start that crashed before the loop itself was written.
async fn half_a_start(review: &Review) {
    let time = review.now().timestamp_millis();
    review.put(&format!("human-review/inputs/{ID}.json"), "{}").await;
    review
        .put(&format!("human-review/queue/00001-{time}-{ID}-tc-1"), "")
        .await;
    review
        .put(&format!("human-review/listing/ascending/{time}-{ID}-tc-1"), "")
        .await;
    review
        .put(
            &format!(
                "human-review/listing/descending/{}-{ID}-tc-1",
                9_999_999_999_999 - time
            ),
            "",
        )
        .await;
}

#[tokio::test]
async fn a_start_that_crashed_is_invisible_and_the_repeated_one_complete() {
    let review = Review::new();
    half_a_start(&review).await;
    let ann = review.sign_in("ann").await;

    assert_eq!(review.list_names("").await, Vec::<String>::new());
    assert_eq!(ann.get("next").await.header("location"), "queue");
    assert_eq!(review.start("tc-1", &two_items()).await.status(), 200);

    assert_eq!(review.list_names("").await, ["tc-1"]);
    assert_eq!(ann.get("next").await.header("location"), "task?loop=tc-1");
    assert!(ann.get("queue").await.body().contains("data-waiting=\"1\""));
}

#[tokio::test]
async fn what_a_crashed_start_left_is_swept_after_an_hour_and_not_before() {
    let review = Review::new();
    half_a_start(&review).await;
    let ann = review.sign_in("ann").await;
    ann.get("queue").await;
    assert_eq!(review.keys("human-review/queue/").await.len(), 1);

    review.wait(Duration::minutes(61));
    ann.get("queue").await;

    for folder in ["queue", "listing", "inputs"] {
        assert_eq!(
            review.keys(&format!("human-review/{folder}/")).await,
            Vec::<String>::new(),
            "{folder}"
        );
    }
}

#[tokio::test]
async fn an_output_that_a_crash_of_the_version_before_prevented_is_written_when_the_loop_is_next_read() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    ann.submit(&task, &json!({ "r-2": "World", "r-10": "World" }))
        .await;
    let output = "tc-review/2026/11/20/09/59/00/tc-1/output.json";
    let expected = review.object(output).await;
    // Back to the moment after the answer was noted.
    let mut state: Value =
        serde_json::from_str(&review.object("human-review/loops/tc-1.json").await).expect("JSON");
    state["status"] = json!("InProgress");
    review
        .put("human-review/loops/tc-1.json", &state.to_string())
        .await;
    review.remove(output).await;
    review.wait(Duration::days(2));

    assert_eq!(review.status("tc-1").await, "Completed");

    assert_eq!(review.object(output).await, expected);
}

/// A loop whose reviewer's answer completed it, and nothing after: its mark is there, its output is not. Returns what the
/// output was.
async fn half_a_completion(review: &Review, ann: &Session<'_>) -> String {
    review.start("tc-1", &two_items()).await;
    let mark = review.keys("human-review/queue/").await.remove(0);
    let task = ann.open("tc-1").await;
    ann.submit(&task, &answer()).await;
    let output = review.object(OUTPUT).await;
    review.remove(OUTPUT).await;
    review.put(&mark, "").await;
    output
}

const OUTPUT: &str = "tc-review/2026/11/20/09/59/00/tc-1/output.json";

fn answer() -> Value {
    json!({ "r-2": "World", "r-10": "World" })
}

#[tokio::test]
async fn a_completed_loop_without_output_gets_it_from_who_finds_its_mark_a_minute_later() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;
    let expected = half_a_completion(&review, &ann).await;

    ann.get("queue").await;
    let at_once = review.keys("tc-review/").await;
    review.wait(Duration::minutes(1));
    ann.get("queue").await;

    assert_eq!(at_once, Vec::<String>::new(), "its reviewer is about to write it");
    assert_eq!(review.object(OUTPUT).await, expected);
    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_completed_loop_without_output_gets_it_from_who_asks_for_the_loop() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;
    let expected = half_a_completion(&review, &ann).await;
    review.wait(Duration::minutes(59));

    assert_eq!(review.status("tc-1").await, "Completed");

    assert_eq!(review.object(OUTPUT).await, expected);
    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_completed_loop_without_output_gets_it_from_the_same_answer_again() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;
    let expected = half_a_completion(&review, &ann).await;
    let task = ann.get("task?loop=tc-1&correct=yes").await;

    let reply = ann.submit(&task, &answer()).await;

    assert_eq!(reply.status(), 303);
    assert_eq!(review.object(OUTPUT).await, expected);
    assert_eq!(review.keys("tc-review/").await, [OUTPUT], "no correction");
}

#[tokio::test]
async fn an_output_that_was_removed_long_after_is_not_written_again() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;
    half_a_completion(&review, &ann).await;
    let mark = review.keys("human-review/queue/").await.remove(0);
    review.remove(&mark).await;
    review.wait(Duration::hours(2));

    assert_eq!(review.status("tc-1").await, "Completed");
    ann.get("history").await;

    assert_eq!(review.keys("tc-review/").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_that_was_stored_but_not_noted_can_be_sent_again() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    let id = task.field("portal:loop-id");
    review
        .put(&format!("human-review/answers/{id}/{ID}.json"), "{\"half\":")
        .await;

    let reply = ann
        .submit(&task, &json!({ "r-2": "World", "r-10": "World" }))
        .await;

    assert_eq!(reply.status(), 303);
    assert_eq!(review.status("tc-1").await, "Completed");
    review.delete("tc-1").await;
    assert_eq!(review.keys("human-review/answers/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_queue_mark_of_a_finished_loop_is_passed_over_and_removed() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let mark = review.keys("human-review/queue/").await.remove(0);
    review.stop("tc-1").await;
    review.put(&mark, "").await;
    let ann = review.sign_in("ann").await;

    assert!(ann.get("queue").await.body().contains("id=\"empty-queue\""));

    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_start_whose_first_answer_was_lost_on_the_way_keeps_its_input_and_its_place() {
    let review = Review::new();
    review.lose_next_answer_to("/human-review/loops/");

    let reply = review.start("tc-1", &two_items()).await;

    assert_eq!(reply.status(), 200);
    let ann = review.sign_in("ann").await;
    assert_eq!(ann.get("next").await.header("location"), "task?loop=tc-1");
    assert_eq!(ann.open("tc-1").await.status(), 200);
}

#[tokio::test]
async fn a_completed_loop_without_output_gets_it_however_late_somebody_asks_for_the_loop() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;
    let expected = half_a_completion(&review, &ann).await;
    review.wait(Duration::hours(3));

    assert_eq!(review.status("tc-1").await, "Completed");

    assert_eq!(review.object(OUTPUT).await, expected);
    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
}
