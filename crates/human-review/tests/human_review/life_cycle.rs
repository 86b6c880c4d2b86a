//! Leases, several reviewers, and the ways in which a loop ends.

use chrono::Duration;
use serde_json::{Value, json};

use crate::console::act;
use crate::harness::{BUCKET, FLOW, Review, config, two_items};

fn answer() -> Value {
    json!({ "r-2": "Business", "r-10": "Sports" })
}

const OUTPUT: &str = "tc-review/2026/11/20/09/59/00/tc-1/output.json";

#[tokio::test]
async fn two_reviewers_never_hold_one_task() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    review.start("tc-2", &json!({ "text": "x" })).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);

    let (for_ann, for_bea) = tokio::join!(ann.get("next"), bea.get("next"));

    assert_ne!(for_ann.header("location"), for_bea.header("location"));
    let (mine, taken) = match for_ann.header("location") {
        "task?loop=tc-1" => ("tc-1", "tc-2"),
        _ => ("tc-2", "tc-1"),
    };
    assert_eq!(ann.open(mine).await.status(), 200);
    let held = ann.open(taken).await;
    assert_eq!((held.status(), held.code()), (409, "task_held"));
    assert!(bea.get("queue").await.body().contains("data-waiting=\"1\""));
}

#[tokio::test]
async fn each_reviewer_has_their_own_times_where_another_process_showed_them_the_page() {
    let review = Review::with(human_review::Config {
        task_count: 2,
        ..config()
    });
    review.start("tc-1", &two_items()).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let key = "human-review/loops/tc-1.json";
    let anns_page = ann.open("tc-1").await;
    // What this process knows of the loop is what Bea took, and Ann took it in another one.
    let mut state: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    let anns_lease = state["leases"][0].clone();
    state["leases"] = json!([]);
    review.put(key, &state.to_string()).await;
    let beas_page = bea.open("tc-1").await;
    let mut state: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    let leases = state["leases"].as_array_mut().expect("leases");
    assert_eq!(leases.len(), 1);
    leases.push(anns_lease);
    review.put(key, &state.to_string()).await;
    review.wait(Duration::seconds(30));

    ann.submit(&anns_page, &answer()).await;
    bea.submit(&beas_page, &answer()).await;

    let output: Value = serde_json::from_str(&review.object(OUTPUT).await).expect("JSON");
    for given in output["humanAnswers"].as_array().expect("answers") {
        assert_eq!(given["timeSpentInSeconds"], json!(30.0), "{given}");
    }
}

#[tokio::test]
async fn whose_turn_an_operator_has_ended_keeps_the_times_of_their_own_work() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let (admin, ann) = (review.sign_in_admin("ada").await, review.sign_in("ann").await);
    let task = ann.open("tc-1").await;
    review.wait(Duration::seconds(300));
    let ended = act(&admin, "release-task", "tc-1", "").await;
    review.wait(Duration::seconds(20));

    let submitted = ann.submit(&task, &answer()).await;

    assert_eq!((ended.status(), submitted.status()), (303, 303));
    let output: Value = serde_json::from_str(&review.object(OUTPUT).await).expect("JSON");
    assert_eq!(output["humanAnswers"][0]["timeSpentInSeconds"], json!(320.0));
}

#[tokio::test]
async fn a_late_answer_counts_if_nobody_took_the_task_meanwhile() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    review.wait(Duration::seconds(700));

    let reply = ann.submit(&task, &answer()).await;

    assert_eq!(reply.status(), 303);
    let output: Value = serde_json::from_str(&review.object(OUTPUT).await).expect("JSON");
    assert_eq!(output["humanAnswers"][0]["timeSpentInSeconds"], json!(700.0));
}

#[tokio::test]
async fn who_lost_the_task_to_somebody_else_votes_beside_them() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let task = ann.open("tc-1").await;
    review.wait(Duration::seconds(600));
    let taken = bea.open("tc-1").await;

    let late = ann.submit(&task, &answer()).await;
    let good = bea.submit(&taken, &answer()).await;
    let again = bea.submit(&taken, &answer()).await;

    assert_eq!((late.status(), good.status(), again.status()), (303, 303, 303));
    assert_eq!(answers(&review, OUTPUT).await, [("ann".to_owned(), answer())]);
    let keys = review.keys(&OUTPUT.replace("output.json", "corrections/")).await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_eq!(answers(&review, &keys[0]).await, [("bea".to_owned(), answer())]);
}

#[tokio::test]
async fn who_lost_the_task_to_somebody_else_keeps_the_times_of_their_own_work() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let task = ann.open("tc-1").await;
    review.wait(Duration::seconds(600));
    let taken = bea.open("tc-1").await;
    review.wait(Duration::seconds(20));

    ann.submit(&task, &answer()).await;
    bea.submit(&taken, &answer()).await;

    let keys = review.keys(&OUTPUT.replace("output.json", "corrections/")).await;
    for (key, opened, spent) in [
        (OUTPUT, "2026-11-20T09:59:00", 620.0),
        (&keys[0], "2026-11-20T10:09:00", 20.0),
    ] {
        let output: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
        let given = &output["humanAnswers"][0];
        assert_eq!(given["timeSpentInSeconds"], json!(spent), "{given}");
        let accepted = given["acceptanceTime"].as_str().expect("a time");
        assert!(accepted.starts_with(opened), "{given}");
    }
}

#[tokio::test]
async fn the_same_answer_sent_again_changes_nothing() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    ann.submit(&task, &answer()).await;
    let first = review.object(OUTPUT).await;

    review.wait(Duration::seconds(5));
    let again = ann
        .submit(&task, &json!({ "r-2": "World", "r-10": "World" }))
        .await;

    assert_eq!((again.status(), again.header("location")), (303, "next"));
    assert_eq!(review.object(OUTPUT).await, first);
}

#[tokio::test]
async fn a_double_click_stores_one_answer() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;

    let answers = answer();
    let replies = futures::future::join_all((0..4).map(|_| ann.submit(&task, &answers))).await;

    assert!(replies.iter().all(|reply| reply.status() == 303), "{replies:?}");
    let output: Value = serde_json::from_str(&review.object(OUTPUT).await).expect("JSON");
    assert_eq!(output["humanAnswers"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn with_a_task_count_of_two_both_answer_once_before_anything_is_written() {
    let review = Review::with(human_review::Config {
        task_count: 2,
        ..config()
    });
    review.start("tc-1", &two_items()).await;
    let (ann, bea, cleo) = (
        review.sign_in("ann").await,
        review.sign_in("bea").await,
        review.sign_in("cleo").await,
    );
    let (first, second) = (ann.open("tc-1").await, bea.open("tc-1").await);
    assert_eq!(cleo.open("tc-1").await.code(), "task_held");

    ann.submit(&first, &answer()).await;

    assert_eq!(review.status("tc-1").await, "InProgress");
    assert_eq!(review.keys("tc-review/").await, Vec::<String>::new());
    assert_eq!(ann.open("tc-1").await.code(), "task_answered");
    assert!(ann.get("queue").await.body().contains("id=\"empty-queue\""));
    bea.submit(&second, &json!({ "r-2": "__none__", "r-10": "World" }))
        .await;
    assert_eq!(review.status("tc-1").await, "Completed");
    let output: Value = serde_json::from_str(&review.object(OUTPUT).await).expect("JSON");
    let workers: Vec<&Value> = output["humanAnswers"]
        .as_array()
        .expect("answers")
        .iter()
        .map(|answer| &answer["workerMetadata"]["identityData"]["sub"])
        .collect();
    assert_eq!(workers, ["ann", "bea"]);
}

#[tokio::test]
async fn a_skipped_task_comes_last_for_who_skipped_it() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    review.start("tc-2", &json!({ "text": "x" })).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let task = ann.open("tc-1").await;

    let skipped = ann.release(&task).await;
    let other = ann.open("tc-2").await;
    let all_skipped = ann.release(&other).await;

    assert_eq!(skipped.header("location"), "task?loop=tc-2");
    assert_eq!(all_skipped.header("location"), "queue");
    assert!(ann.get("queue").await.body().contains("skipped by you"));
    assert_eq!(ann.get("next").await.header("location"), "task?loop=tc-1");
    assert_eq!(bea.get("next").await.header("location"), "task?loop=tc-2");
}

#[tokio::test]
async fn an_unanswered_loop_fails_as_expired() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    review.wait(Duration::seconds(86_400));
    let ann = review.sign_in("ann").await;

    let described = review.api("GET", "/human-loops/tc-1", "").await.json();
    let listed = review
        .api("GET", &format!("/human-loops?FlowDefinitionArn={FLOW}"), "")
        .await
        .json();
    let token = ann.get("queue").await.field("portal:csrf");
    let id = task.field("portal:loop-id");
    let form = [
        ("portal:csrf", token.as_str()),
        ("portal:loop", "tc-1"),
        ("portal:loop-id", &id),
        ("portal:answer", r#"{"r-2":"World","r-10":"World"}"#),
    ];
    let late = ann.post("submit", &form).await;

    assert_eq!(
        (&described["HumanLoopStatus"], &described["FailureCode"]),
        (&json!("Failed"), &json!("Expired"))
    );
    assert!(described["FailureReason"].is_string());
    assert_eq!(
        listed["HumanLoopSummaries"][0]["FailureReason"],
        described["FailureReason"]
    );
    assert_eq!(listed["HumanLoopSummaries"][0].get("FailureCode"), None);
    assert_eq!((late.status(), late.code()), (410, "task_closed"));
    assert_eq!(review.keys("tc-review/").await, Vec::<String>::new());
    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
    assert_eq!(review.delete("tc-1").await.status(), 200);
}

#[tokio::test]
async fn stopping_waits_for_the_reviewer_at_work_whose_answer_counts() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let task = ann.open("tc-1").await;

    assert_eq!(review.stop("tc-1").await.status(), 200);

    assert_eq!(review.status("tc-1").await, "Stopping");
    assert_eq!(
        review.stop("tc-1").await.header("x-amzn-errortype"),
        "ValidationException"
    );
    assert_eq!(bea.open("tc-1").await.code(), "task_closed");
    assert_eq!(ann.open("tc-1").await.status(), 200);
    assert_eq!(ann.submit(&task, &answer()).await.status(), 303);
    assert_eq!(review.status("tc-1").await, "Stopped");
    let output: Value = serde_json::from_str(&review.object(OUTPUT).await).expect("JSON");
    assert_eq!(output["humanAnswers"][0]["answerContent"], answer());
}

#[tokio::test]
async fn stopping_ends_when_the_reviewers_time_is_over_or_they_skip() {
    let review = Review::new();
    let ann = review.sign_in("ann").await;
    for (name, skips) in [("tc-1", false), ("tc-2", true)] {
        review.start(name, &two_items()).await;
        let task = ann.open(name).await;
        review.stop(name).await;
        assert_eq!(review.status(name).await, "Stopping");

        if skips {
            ann.release(&task).await;
        } else {
            review.wait(Duration::seconds(600));
        }

        assert_eq!(review.status(name).await, "Stopped");
    }
    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_for_a_deleted_loop_never_lands_in_the_new_one_of_the_name() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    ann.release(&task).await;
    review.stop("tc-1").await;
    review.delete("tc-1").await;
    let mut other = two_items();
    other["comprehendPredictions"][0]["utterance"] = json!("another text");
    review.start("tc-1", &other).await;

    let reply = ann.submit(&task, &answer()).await;

    assert_eq!((reply.status(), reply.code()), (404, "task_not_found"));
    assert_eq!(review.status("tc-1").await, "InProgress");
}

fn of_two() -> human_review::Config {
    human_review::Config {
        task_count: 2,
        ..config()
    }
}

async fn answers(review: &Review, key: &str) -> Vec<(String, Value)> {
    let output: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    let answers = output["humanAnswers"].as_array().expect("answers").iter();
    answers
        .map(|answer| {
            let reviewer = &answer["workerMetadata"]["identityData"]["sub"];
            (
                reviewer.as_str().expect("a name").to_owned(),
                answer["answerContent"].clone(),
            )
        })
        .collect()
}

#[tokio::test]
async fn the_answers_of_a_loop_that_expired_or_was_stopped_are_votes() {
    for stops in [true, false] {
        let review = Review::with(of_two());
        review.start("tc-1", &two_items()).await;
        let ann = review.sign_in("ann").await;
        let task = ann.open("tc-1").await;
        ann.submit(&task, &answer()).await;

        if stops {
            review.stop("tc-1").await;
        } else {
            review.wait(Duration::seconds(86_400));
        }

        let ended = if stops { "Stopped" } else { "Failed" };
        assert_eq!(review.status("tc-1").await, ended);
        assert_eq!(answers(&review, OUTPUT).await, [("ann".to_owned(), answer())]);
        let described = review.api("GET", "/human-loops/tc-1", "").await.json();
        let uri = described["HumanLoopOutput"]["OutputS3Uri"].as_str();
        assert_eq!(uri, Some(format!("s3://review-bucket/{OUTPUT}").as_str()));
    }
}

#[tokio::test]
async fn an_answer_that_comes_after_the_stop_says_that_it_was_not_taken() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    review.stop("tc-1").await;
    review.wait(Duration::seconds(600));

    let late = ann.submit(&task, &answer()).await;

    assert_eq!((late.status(), late.code()), (410, "task_closed"));
    assert!(late.body().contains("is not taken"), "{}", late.body());
    assert_eq!(review.keys("tc-review/").await, Vec::<String>::new());
}

#[tokio::test]
async fn who_corrects_an_answer_before_the_loop_is_complete_replaces_their_own() {
    let review = Review::with(of_two());
    review.start("tc-1", &two_items()).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let first = ann.open("tc-1").await;
    ann.submit(&first, &answer()).await;
    let link = ann.open("tc-1").await;
    assert!(
        link.body().contains("task?loop=tc-1&amp;correct=yes"),
        "{}",
        link.body()
    );
    let corrected = json!({ "r-2": "World", "r-10": "World" });

    let again = ann.get("task?loop=tc-1&correct=yes").await;
    ann.submit(&again, &corrected).await;
    let second = bea.open("tc-1").await;
    bea.submit(&second, &answer()).await;

    let expected = [("ann".to_owned(), corrected), ("bea".to_owned(), answer())];
    assert_eq!(answers(&review, OUTPUT).await, expected);
    assert_eq!(review.keys("tc-review/").await, [OUTPUT]);
}

#[tokio::test]
async fn a_correction_of_a_completed_loop_is_a_newer_answer_beside_the_output() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    ann.submit(&task, &answer()).await;
    let first = review.object(OUTPUT).await;
    let corrected = json!({ "r-2": "World", "r-10": "World" });

    review.wait(Duration::seconds(5));
    ann.submit(&task, &corrected).await;
    review.wait(Duration::seconds(5));
    ann.submit(&task, &corrected).await;
    review.wait(Duration::seconds(5));
    ann.submit(&task, &answer()).await;

    assert_eq!(review.object(OUTPUT).await, first);
    let folder = OUTPUT.replace("output.json", "corrections/");
    let keys = review.keys(&folder).await;
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!(answers(&review, &keys[0]).await, [("ann".to_owned(), corrected)]);
    assert_eq!(answers(&review, &keys[1]).await, [("ann".to_owned(), answer())]);
    for key in keys {
        let of = active_learning_core::labels::human_loop::loop_of_correction(&key);
        assert_eq!(of, Some("tc-1"));
    }
}

#[tokio::test]
async fn a_reviewer_who_never_answered_corrects_nothing() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let task = ann.open("tc-1").await;
    ann.submit(&task, &answer()).await;

    assert_eq!(bea.get("task?loop=tc-1&correct=yes").await.code(), "task_closed");
    assert_eq!(bea.submit(&task, &answer()).await.status(), 403);
    assert_eq!(review.keys("tc-review/").await, [OUTPUT]);
}

#[tokio::test]
async fn who_has_answered_a_text_is_not_offered_it_again_and_the_loop_waits() {
    let review = Review::new();
    let ann_id = human_review::human_loop::Worker::of("ann").id;
    let mut input = two_items();
    input["excludedWorkers"] = json!([ann_id]);
    review.start("tc-1", &input).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);

    let refused = ann.open("tc-1").await;

    assert_eq!((refused.status(), refused.code()), (403, "task_for_others"));
    assert!(ann.get("queue").await.body().contains("id=\"empty-queue\""));
    assert_eq!(ann.get("next").await.header("location"), "queue");
    let task = bea.open("tc-1").await;
    let (token, id) = (
        ann.get("queue").await.field("portal:csrf"),
        task.field("portal:loop-id"),
    );
    let sent = answer().to_string();
    let form = [
        ("portal:csrf", token.as_str()),
        ("portal:loop", "tc-1"),
        ("portal:loop-id", &id),
        ("portal:answer", &sent),
    ];
    assert_eq!(ann.post("submit", &form).await.code(), "task_for_others");
    assert_eq!(review.status("tc-1").await, "InProgress");
    assert_eq!(bea.submit(&task, &answer()).await.status(), 303);
    assert_eq!(review.status("tc-1").await, "Completed");
}

#[tokio::test]
async fn an_input_may_ask_for_fewer_answers_than_the_flow_definition() {
    let review = Review::with(of_two());
    let mut input = two_items();
    input["taskCount"] = json!(1);
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;

    let task = ann.open("tc-1").await;
    ann.submit(&task, &answer()).await;

    assert_eq!(review.status("tc-1").await, "Completed");
}

#[tokio::test]
async fn a_page_that_the_storage_does_not_give_is_not_skipped_by_its_reviewer() {
    let review = Review::with(of_two());
    // So large that it is an object of its own.
    let mut input = two_items();
    input["padding"] = json!("x".repeat(9_000));
    review.start("tc-1", &input).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let task = ann.open("tc-1").await;
    ann.submit(&task, &answer()).await;
    review.fail_gets_to(Some(("/inputs/", "KMS.KeyUnavailableException")));

    let failed = [
        ann.get("task?loop=tc-1&correct=yes").await,
        bea.open("tc-1").await,
    ];
    review.fail_gets_to(None);
    let state = review.object("human-review/loops/tc-1.json").await;
    let state: Value = serde_json::from_str(&state).expect("JSON");
    let next = bea.get("next").await;

    assert_eq!(failed.map(|reply| reply.status()), [503, 503]);
    assert_eq!((&state["skipped_by"], &state["leases"]), (&json!([]), &json!([])));
    assert_eq!(next.header("location"), "task?loop=tc-1");
}

#[tokio::test]
async fn the_queue_is_there_where_the_last_answers_of_its_reviewer_cannot_be_read() {
    let review = Review::with(of_two());
    // So large that it is an object of its own.
    let mut input = two_items();
    input["padding"] = json!("x".repeat(9_000));
    review.start("tc-1", &input).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    ann.submit(&task, &answer()).await;
    review.start("tc-2", &two_items()).await;
    let whole = ann.get("queue").await;
    review.fail_gets_to(Some(("/inputs/", "KMS.KeyUnavailableException")));

    let queue = ann.get("queue").await;
    review.fail_gets_to(None);

    let own = "task?loop=tc-1&amp;correct=yes";
    assert!(whole.body().contains(own), "{}", whole.body());
    assert_eq!(queue.status(), 200, "{queue:?}");
    assert!(queue.body().contains("data-waiting=\"1\""), "{}", queue.body());
    assert!(!queue.body().contains(own), "{}", queue.body());
}

#[tokio::test]
async fn what_a_correction_leaves_blank_stays_as_it_was_while_the_loop_is_open() {
    let review = Review::with(of_two());
    review.start("tc-1", &two_items()).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let task = ann.open("tc-1").await;
    let said =
        json!({ "r-2": "Business", "r-10": "Sports", "comment:r-10": "a final", "comment:r-2": "dull" });
    ann.submit(&task, &said).await;

    let again = ann.get("task?loop=tc-1&correct=yes").await;
    ann.submit(&again, &json!({ "r-2": "World", "r-10": "" })).await;
    let task = bea.open("tc-1").await;
    bea.submit(&task, &answer()).await;

    let corrected = json!({ "r-2": "World", "r-10": "Sports", "comment:r-10": "a final" });
    let expected = [("ann".to_owned(), corrected), ("bea".to_owned(), answer())];
    assert_eq!(answers(&review, OUTPUT).await, expected);
}

#[tokio::test]
async fn what_a_correction_of_a_completed_loop_leaves_blank_stays_as_it_was() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    ann.submit(&task, &answer()).await;

    for corrected in [json!({ "r-2": "World" }), json!({ "r-10": "World" })] {
        review.wait(Duration::seconds(5));
        ann.submit(&task, &corrected).await;
    }
    let history = ann.get("history").await;
    review.wait(Duration::seconds(5));
    ann.submit(&task, &json!({ "r-2": "World" })).await;

    let keys = review.keys(&OUTPUT.replace("output.json", "corrections/")).await;
    assert_eq!(keys.len(), 2, "the last says nothing new: {keys:?}");
    let last = json!({ "r-2": "World", "r-10": "World" });
    assert_eq!(answers(&review, &keys[1]).await, [("ann".to_owned(), last)]);
    assert!(!history.body().contains("no answer"), "{history:?}");
}

#[tokio::test]
async fn an_answer_to_a_loop_that_was_erased_meanwhile_leaves_nothing() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    let bucket = active_learning_aws::bucket::Bucket::new(review.s3.clone(), BUCKET);
    human_review::loops::erase(&bucket, "tc-1").await.expect("erased");

    let reply = ann.submit(&task, &answer()).await;

    assert_eq!((reply.status(), reply.code()), (404, "task_not_found"));
    assert_eq!(review.keys("human-review/answers/").await, Vec::<String>::new());
}
