//! Outputs of loops whose place does not answer, and of loops that two end at once.

use chrono::Duration;
use human_review::HumanReview;
use serde_json::{Value, json};

use crate::control_plane::{add_flow, flow, made, start};
use crate::harness::{FEEDBACK_BUCKET, Reply, Review, config, proxy_event, start_body, two_items, url_event};

const TONE: &str = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/tone";
/// What S3 answers where a later try may succeed.
const PASSING: &str = "KMS.KeyUnavailableException";
const OWN_OUTPUT: &str = "tc-review/2026/11/20/09/59/00/tc-1/output.json";

fn positive() -> Value {
    json!({ "sentiment": { "label": "positive" } })
}

async fn outputs_of_tone(review: &Review) -> usize {
    let list = review
        .s3
        .list_objects_v2()
        .bucket(FEEDBACK_BUCKET)
        .prefix("tone/");
    list.send().await.expect("a list").contents().len()
}

async fn describe(review: &Review, name: &str) -> Reply {
    review.api("GET", &format!("/human-loops/{name}"), "").await
}

#[tokio::test]
async fn an_output_that_cannot_be_written_now_holds_up_no_other_task_and_is_written_later() {
    let review = Review::new();
    add_flow(&review).await;
    start(&review, "tone-1", TONE, &json!({ "taskObject": "Fine" })).await;
    review.start("tc-1", &two_items()).await;
    let (ann, ada) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    let task = ann.open("tone-1").await;
    review.fail_puts_to(Some(("/feedback-bucket/tone/", PASSING)));

    let submitted = ann.submit(&task, &positive()).await;
    review.wait(Duration::minutes(2));
    let next = ann.get("next").await;
    let queue = ann.get("queue").await;
    let tasks = ada.get("tasks").await;
    let measured = review.handle(json!({ "operation": "measure" })).await;
    let again = ann.get("task?loop=tone-1&correct=yes").await;
    let resent = ann.submit(&again, &positive()).await;
    let described = describe(&review, "tone-1").await;
    review.fail_puts_to(None);
    review.wait(Duration::minutes(5));
    ann.get("queue").await;

    assert_eq!((submitted.status(), resent.status()), (303, 303), "{submitted:?}");
    assert_eq!(next.header("location"), "task?loop=tc-1");
    assert!(queue.body().contains("tc-1"), "{queue:?}");
    assert_eq!(tasks.status(), 200, "{tasks:?}");
    assert!(measured["waiting"]["tasks"]["count"].is_u64(), "{measured}");
    assert_eq!(described.status(), 500, "it cannot say that all is done");
    assert_eq!(outputs_of_tone(&review).await, 1);
    assert_eq!(review.keys("human-review/queue/").await.len(), 1);
    assert_eq!(review.status("tone-1").await, "Completed");
}

#[tokio::test]
async fn a_late_output_is_written_in_a_later_step_of_who_answered_or_by_the_sweep() {
    for is_swept in [false, true] {
        let review = Review::new();
        add_flow(&review).await;
        start(&review, "tone-1", TONE, &json!({ "taskObject": "Fine" })).await;
        let ann = review.sign_in("ann").await;
        let task = ann.open("tone-1").await;
        review.fail_puts_to(Some(("/feedback-bucket/tone/", PASSING)));
        ann.submit(&task, &positive()).await;
        // Too soon: whoever ended it may be about to write it.
        ann.get("next").await;
        review.fail_puts_to(None);
        let late = outputs_of_tone(&review).await;
        review.wait(Duration::minutes(2));

        match is_swept {
            true => drop(review.handle(json!({ "operation": "measure" })).await),
            false => drop(ann.get("next").await),
        }

        assert_eq!(
            (late, outputs_of_tone(&review).await),
            (0, 1),
            "swept: {is_swept}"
        );
        assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_disabled_key_fails_its_loop_and_its_corrections_are_not_taken() {
    let review = Review::new();
    add_flow(&review).await;
    let ann = review.sign_in("ann").await;
    for name in ["tone-1", "tone-2"] {
        start(&review, name, TONE, &json!({ "taskObject": "Fine" })).await;
    }
    let task = ann.open("tone-1").await;
    ann.submit(&task, &positive()).await;
    review.fail_puts_to(Some(("/feedback-bucket/tone/", "KMS.DisabledException")));

    let task = ann.open("tone-2").await;
    let submitted = ann.submit(&task, &positive()).await;
    let task = ann.get("task?loop=tone-1&correct=yes").await;
    let corrected = ann
        .submit(&task, &json!({ "sentiment": { "label": "negative" } }))
        .await;

    assert_eq!(submitted.status(), 303);
    let described = describe(&review, "tone-2").await.json();
    assert_eq!(described["HumanLoopStatus"], "Failed");
    assert!(
        described["FailureReason"].to_string().contains("KMS.Disabled"),
        "{described}"
    );
    assert_eq!(
        (corrected.status(), corrected.code()),
        (409, "correction_refused")
    );
}

#[tokio::test]
async fn a_loop_whose_output_is_late_is_not_deleted_with_its_answers() {
    let review = Review::new();
    add_flow(&review).await;
    start(&review, "tone-1", TONE, &json!({ "taskObject": "Fine" })).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tone-1").await;
    review.fail_puts_to(Some(("/feedback-bucket/tone/", PASSING)));
    ann.submit(&task, &positive()).await;
    review.wait(Duration::hours(3));

    let refused = review.delete("tone-1").await;
    review.fail_puts_to(None);
    review.wait(Duration::minutes(1));
    let deleted = review.delete("tone-1").await;

    assert_eq!((refused.status(), deleted.status()), (500, 200));
    assert_eq!(outputs_of_tone(&review).await, 1);
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_for_a_moment_delays_an_output_and_one_that_may_not_be_fails_it() {
    let review = Review::with_functions(config(), |_, _| None).await;
    add_flow(&review).await;
    let ann = review.sign_in("ann").await;
    let mut statuses = Vec::new();
    for (name, code) in [("tone-1", "ServiceBroken"), ("tone-2", "AccessDenied")] {
        start(&review, name, TONE, &json!({ "taskObject": "Fine" })).await;
        let task = ann.open(name).await;
        review.deny_roles(Some(code));
        statuses.push(ann.submit(&task, &positive()).await.status());
        review.deny_roles(None);
        review.wait(Duration::minutes(1));
        ann.get("queue").await;
    }

    assert_eq!(statuses, [303, 303]);
    assert_eq!(review.status("tone-1").await, "Completed");
    assert_eq!(review.status("tone-2").await, "Failed");
    assert_eq!(outputs_of_tone(&review).await, 1);
}

#[tokio::test]
async fn a_flow_definition_is_not_made_while_its_role_cannot_be_tried() {
    let review = Review::with_functions(config(), |_, _| None).await;
    add_flow(&review).await;
    review.deny_roles(Some("ServiceBroken"));
    let create = async || {
        let mut event = url_event("POST", "/", &flow("mail", "tone", json!({})).to_string());
        event["headers"]["x-amz-target"] = json!("SageMaker.CreateFlowDefinition");
        Reply(review.handle(event).await)
    };

    let refused = create().await;
    review.deny_roles(None);
    let made = create().await;

    assert_eq!((refused.status(), made.status()), (500, 200), "{made:?}");
    let arn = TONE.replace("/tone", "/mail");
    let input = json!({ "taskObject": "Fine" });
    assert_eq!(start(&review, "mail-1", &arn, &input).await.status(), 200);
}

/// Has a loop of two answers expire or stop while the second of them comes: who ends it is held at a put to `held`. Returns
/// how many answers were taken, and how many are in its output.
async fn raced(held: &'static str, stops: bool) -> (usize, usize) {
    let mut config = config();
    config.task_count = 2;
    let review = Review::with(config);
    review.start("tc-1", &two_items()).await;
    let answer = json!({ "r-2": "World", "r-10": "World" });
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    ann.submit(&task, &answer).await;
    review.wait(Duration::hours(23));
    let bea = review.sign_in("bea").await;
    let task = bea.open("tc-1").await;
    if stops {
        review.stop("tc-1").await;
    }
    let before = review.now();
    let after = before + Duration::hours(2);
    let release = review.hold_next_put_to(held);

    let ends = async {
        let event = url_event("GET", "/human-loops/tc-1", "");
        Reply(review.function.handle(event, after).await.expect("answered"))
    };
    let answers = async {
        while !review.is_holding() {
            tokio::task::yield_now().await;
        }
        let reply = bea.submit(&task, &answer).await;
        release.send(()).expect("it is held");
        reply
    };
    let (_, reply) = tokio::join!(ends, answers);

    let taken = 1 + usize::from(reply.status() == 303);
    let output: Value = serde_json::from_str(&review.object(OWN_OUTPUT).await).expect("JSON");
    (taken, output["humanAnswers"].as_array().expect("answers").len())
}

#[tokio::test]
async fn an_answer_that_is_taken_while_its_loop_ends_is_in_the_output() {
    for stops in [false, true] {
        for held in ["/human-review/loops/", "/tc-review/"] {
            let (taken, written) = raced(held, stops).await;

            assert_eq!(taken, written, "{held}, stops: {stops}");
        }
    }
}

#[tokio::test]
async fn the_end_of_a_loop_that_crashed_before_its_output_is_made_good() {
    let mut config = config();
    config.task_count = 2;
    let review = Review::with(config);
    review.start("tc-1", &two_items()).await;
    let mark = review.keys("human-review/queue/").await.remove(0);
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    ann.submit(&task, &json!({ "r-2": "World", "r-10": "World" }))
        .await;
    review.stop("tc-1").await;
    let output = review.object(OWN_OUTPUT).await;
    review.remove(OWN_OUTPUT).await;
    review.put(&mark, "").await;
    review.wait(Duration::minutes(1));

    ann.get("queue").await;

    assert_eq!(review.object(OWN_OUTPUT).await, output);
    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_to_a_loop_that_another_process_has_started_anew_is_taken() {
    let review = Review::new();
    let other = HumanReview::new(config(), review.s3.clone(), b"a secret of the test");
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    // This process knows what was taken of the loop before.
    ann.open("tc-1").await;
    let now = review.now() + Duration::minutes(20);
    review.wait(Duration::minutes(20));
    for event in [
        url_event("POST", "/human-loops/stop", r#"{"HumanLoopName":"tc-1"}"#),
        url_event("DELETE", "/human-loops/tc-1", ""),
        url_event("POST", "/human-loops", &start_body("tc-1", &two_items())),
    ] {
        let reply = Reply(other.handle(event, now).await.expect("answered"));
        assert_eq!(reply.status(), 200, "{reply:?}");
    }
    let open = proxy_event("GET", "task?loop=tc-1", Some(&ann.cookie), &[]);
    let task = Reply(other.handle(open, now).await.expect("answered"));

    let reply = ann
        .submit(&task, &json!({ "r-2": "World", "r-10": "World" }))
        .await;

    assert_eq!(reply.status(), 303, "{reply:?}");
    assert_eq!(review.status("tc-1").await, "Completed");
}

#[tokio::test]
async fn a_task_that_was_taken_again_by_another_process_is_given_back_when_it_is_skipped() {
    let two = human_review::Config {
        task_count: 2,
        ..config()
    };
    let review = Review::with(two.clone());
    let other = HumanReview::new(two, review.s3.clone(), b"a secret of the test");
    review.start("tc-1", &two_items()).await;
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let task = ann.open("tc-1").await;
    ann.release(&task).await;
    ann.open("tc-1").await;
    review.wait(Duration::minutes(11));
    // This process knows only that the time of the first is over.
    bea.open("tc-1").await;
    let open = proxy_event("GET", "task?loop=tc-1", Some(&ann.cookie), &[]);
    let task = Reply(other.handle(open, review.now()).await.expect("answered"));

    let skipped = ann.release(&task).await;

    assert_eq!(skipped.status(), 303, "{skipped:?}");
    let key = review.keys("human-review/loops/").await.remove(0);
    let state: Value = serde_json::from_str(&review.object(&key).await).expect("JSON");
    assert_eq!(
        state["leases"].as_array().map(Vec::len),
        Some(1),
        "that of bea: {state}"
    );
}

#[tokio::test]
async fn where_a_role_may_only_write_corrections_are_taken_and_the_history_says_what_was_answered_first() {
    let review = Review::new();
    add_flow(&review).await;
    start(&review, "tone-1", TONE, &json!({ "taskObject": "Fine" })).await;
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tc-1").await;
    ann.submit(&task, &json!({ "r-2": "World", "r-10": "Sports" }))
        .await;
    let task = ann.open("tone-1").await;
    ann.submit(&task, &positive()).await;
    review.fail_gets_to(Some(("prefix=tone", "AccessDenied")));

    let history = ann.get("history").await;
    let task = ann.get("task?loop=tone-1&correct=yes").await;
    let negative = json!({ "sentiment": { "label": "negative" } });
    let mut replies = Vec::new();
    for answer in [negative, positive()] {
        review.wait(Duration::seconds(1));
        replies.push(ann.submit(&task, &answer).await.status());
    }
    review.fail_gets_to(None);

    assert_eq!(history.status(), 200, "{history:?}");
    for said in ["Cup final tonight", "Sports", "positive"] {
        assert!(history.body().contains(said), "{said}: {history:?}");
    }
    assert_eq!(replies, [303, 303]);
    assert_eq!(outputs_of_tone(&review).await, 3);
}

#[tokio::test]
async fn what_a_correction_leaves_blank_stays_as_it_was_first_where_a_role_may_only_write() {
    let review = Review::new();
    add_flow(&review).await;
    let page = r#"<crowd-form>{% for item in task.input.comprehendPredictions %}<p>{{ item.utterance }}</p>
        <input name="{{ item.id }}">{% endfor %}</crowd-form>"#;
    let ui = json!({ "HumanTaskUiName": "several", "UiTemplate": { "Content": page } });
    made(&review, "CreateHumanTaskUi", ui).await;
    made(
        &review,
        "CreateFlowDefinition",
        flow("several", "several", json!({})),
    )
    .await;
    let several = TONE.replace("/tone", "/several");
    start(&review, "several-1", &several, &two_items()).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("several-1").await;
    let first = json!({ "r-2": "Business", "r-10": "Sports" });
    ann.submit(&task, &first).await;
    review.fail_gets_to(Some(("prefix=tone", "AccessDenied")));
    review.wait(Duration::seconds(1));

    let corrected = ann.submit(&task, &json!({ "r-2": "World", "r-10": "" })).await;
    review.fail_gets_to(None);

    assert_eq!(corrected.status(), 303, "{corrected:?}");
    let list = review.s3.list_objects_v2().bucket(FEEDBACK_BUCKET);
    let list = list.prefix("tone/").send().await.expect("a list");
    let keys = list.contents().iter().filter_map(|object| object.key());
    let correction = keys
        .filter(|key| key.contains("/corrections/"))
        .collect::<Vec<_>>();
    let read = review.s3.get_object().bucket(FEEDBACK_BUCKET).key(correction[0]);
    let bytes = read.send().await.expect("an object").body.collect().await;
    let output: Value = serde_json::from_slice(&bytes.expect("a body").to_vec()).expect("JSON");
    assert_eq!(correction.len(), 1);
    assert_eq!(
        output["humanAnswers"][0]["answerContent"],
        json!({ "r-2": "World", "r-10": "Sports" })
    );
}

#[tokio::test]
async fn a_history_is_shown_though_a_role_of_it_cannot_be_assumed_any_more() {
    let review = Review::with_functions(config(), |_, _| None).await;
    add_flow(&review).await;
    start(&review, "tone-1", TONE, &json!({ "taskObject": "Fine" })).await;
    let ann = review.sign_in("ann").await;
    let task = ann.open("tone-1").await;
    ann.submit(&task, &positive()).await;
    review.deny_roles(Some("AccessDenied"));

    let history = ann.get("history").await;
    let same = ann.submit(&task, &positive()).await;
    let negative = json!({ "sentiment": { "label": "negative" } });
    let corrected = ann.submit(&task, &negative).await;

    assert_eq!(history.status(), 200, "{history:?}");
    assert!(history.body().contains("positive"), "{history:?}");
    assert_eq!(same.status(), 303, "{same:?}");
    assert_eq!(
        (corrected.status(), corrected.code()),
        (409, "correction_refused")
    );
}

#[tokio::test]
async fn the_numbers_of_an_input_stand_in_its_output_as_they_were_sent() {
    let review = Review::new();
    add_flow(&review).await;
    let input = r#"{"taskObject":"Fine","id":123456789012345678901234567890,"z":1.10,"e":1e2,"a":{"y":1.0}}"#;
    let body = json!({
        "HumanLoopName": "tone-1", "FlowDefinitionArn": TONE, "HumanLoopInput": { "InputContent": input },
    });
    let started = review.api("POST", "/human-loops", &body.to_string()).await;
    assert_eq!(started.status(), 200, "{started:?}");

    let ann = review.sign_in("ann").await;
    let task = ann.open("tone-1").await;
    let submitted = ann.submit(&task, &positive()).await;

    assert_eq!(submitted.status(), 303, "{submitted:?}");
    let list = review
        .s3
        .list_objects_v2()
        .bucket(FEEDBACK_BUCKET)
        .prefix("tone/");
    let listed = list.send().await.expect("a list");
    let key = listed.contents()[0].key().expect("a key");
    let output = review
        .s3
        .get_object()
        .bucket(FEEDBACK_BUCKET)
        .key(key)
        .send()
        .await;
    let output = output
        .expect("an output")
        .body
        .collect()
        .await
        .expect("a body")
        .to_vec();
    let output = String::from_utf8(output).expect("UTF-8");
    assert!(
        output.ends_with(&format!(r#""inputContent":{input}}}"#)),
        "{output}"
    );
    let document: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(document["humanAnswers"][0]["answerContent"], positive());
}
