//! The whole loop, from the template that is deployed: functions as processes, requests over sockets.

mod accepted_proposals;
mod alarms;
mod alarms_of_reviewers;
mod automated_labelling;
mod console;
mod disputes;
mod erase;
mod faults;
mod flywheel;
mod formats;
mod from_nothing;
mod harness;
mod hosted_model;
mod import;
mod killed;
mod labelling_jobs;
mod labels;
mod new_models;
mod people;
mod personal_data;
mod predictions;
mod producers;
mod results_pushed;
mod reviewers;
mod several_labels;
mod upgrade;

use std::collections::BTreeMap;

use active_learning_core::feedback::record_id;
use harness::{Killable, boot, items_of_loops, template, until};
use serde_json::{Value, json};

#[test]
fn the_demo_follows_every_item_to_its_answer_and_asks_nothing_twice() {
    let folder = tempfile::tempdir().expect("temporary folder");

    // With another model, other texts would be doubtful.
    let same_model = ["MinMacroF1Gain=1"];
    let first = harness::demo(folder.path(), &same_model);
    let second = harness::demo(folder.path(), &same_model);

    assert!(first.contains("Every item arrived."), "{first}");
    assert!(second.contains("Every item arrived."), "{second}");
    let loops = |output: &str| {
        output
            .lines()
            .find(|line| line.contains("human loops"))
            .map(str::to_owned)
    };
    assert!(loops(&first).is_some());
    assert_eq!(loops(&first), loops(&second));
    assert!(first.contains("Not deployed"), "{first}");
    assert!(second.contains("Nothing new to learn"), "{second}");
}

#[test]
fn the_demo_ends_with_a_better_model_that_serves() {
    let folder = tempfile::tempdir().expect("temporary folder");

    let output = harness::demo(folder.path(), &[]);

    assert!(output.contains("Every item arrived."), "{output}");
    assert!(output.contains("Deployed\n"), "{output}");
    assert!(
        output.contains("before  ") && output.contains("now  "),
        "{output}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_and_becomes_one_review_item() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let texts = |range: std::ops::Range<u32>| range.map(|number| format!("Text number {number}"));
    let mut expected: Vec<String> = texts(0..20).map(|text| record_id("news", &text)).collect();
    expected.sort();

    // Tasks are open when the first process dies, feedback is in the buffer when the second one does.
    let first = Killable::start(folder.path(), "1");
    for text in texts(0..10) {
        first.dislike(&text).await;
    }
    let s3 = first.s3().await;
    let bucket = first.outputs.output("ReviewS3Bucket").to_owned();
    until(async || items_of_loops(&s3, &bucket).await.len() == 10).await;
    first.kill();
    let second = Killable::start(folder.path(), "900");
    for text in texts(10..20) {
        second.dislike(&text).await;
    }
    second.kill();
    let third = Killable::start(folder.path(), "1");
    let items = third.review_everything(20).await;

    assert_eq!(items, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_s3_event_three_times_makes_one_set_of_human_loops() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = boot(folder.path(), template(), &[("FeedbackBufferSeconds", "900")]).await;
    let s3 = aws_sdk_s3::Client::new(&stack.aws.sdk_config());
    let bucket = &stack.outputs["FeedbackS3Bucket"];
    let lines: String = (0..25)
        .map(|number| {
            format!(
                "{}\n",
                json!({"classifier": "news", "utterance": format!("Text {number}")})
            )
        })
        .collect();
    // Outside `feedback/`, so that the only events are the three below.
    let put = s3.put_object().bucket(bucket).key("elsewhere/one.jsonl");
    put.body(lines.clone().into_bytes().into())
        .send()
        .await
        .expect("stored");
    let copied = s3
        .copy_object()
        .bucket(bucket)
        .copy_source(format!("{bucket}/elsewhere/one.jsonl"));
    copied.key("feedback/one.jsonl").send().await.expect("copied");
    let review = &stack.outputs["ReviewS3Bucket"];
    until(async || items_of_loops(&s3, review).await.len() == 25).await;
    let event = json!({"Records": [{
        "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1",
        "eventTime": "2026-11-20T10:00:00.000Z", "eventVersion": "2.1", "userIdentity": {}, "requestParameters": {},
        "responseElements": {}, "s3": {"bucket": {"name": bucket}, "object": {"key": "feedback/one.jsonl", "size": lines.len()}},
    }]});
    let trigger = (stack
        .plan
        .functions
        .iter()
        .find(|function| function.name.contains("A2iTrigger")))
    .expect("there");

    for _ in 0..3 {
        let invoked = stack
            .aws
            .lambda
            .invoke(&trigger.name, event.to_string().into())
            .await
            .expect("invoked");
        assert!(invoked.function_error.is_none(), "{:?}", invoked.payload);
    }

    let items = items_of_loops(&s3, review).await;
    stack.stop().await;
    assert_eq!(items.len(), 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_policy_lacks_an_action_is_denied_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let role = template()
        .find("  FeedbackApiFunctionRole:")
        .expect("the role is in the template");
    let (before, after) = template().split_at(role);
    let template = format!(
        "{before}{}",
        after.replacen("firehose:PutRecord", "firehose:DescribeDeliveryStream", 1)
    );
    let stack = boot(folder.path(), &template, &[]).await;

    let (status, body) = harness::post(
        &stack.outputs["FeedbackAPIGatewayID"],
        &stack.plan.api_keys[0].value,
        &json!({"classifier": "news", "sentence": "A text"}),
    )
    .await;

    stack.stop().await;
    assert_eq!(status, 503);
    assert_eq!(body["code"], "feedback_unavailable");
    let logs = std::fs::read_dir(folder.path().join("logs")).expect("logs are kept");
    let logs: String = logs
        .map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("text"))
        .collect();
    assert!(logs.contains("AccessDenied"), "{logs}");
    assert!(!logs.contains("A text"), "the log holds what a user wrote");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_reach_the_functions() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = boot(
        folder.path(),
        template(),
        &[("ComprehendClassificationScoreThreshold", "1")],
    )
    .await;
    active_learning_cli::training::prepare(&stack, None, active_learning_cli::training::SAMPLE_DATA)
        .await
        .expect("a model");

    let (status, body) = harness::post(
        &stack.outputs["TextClassificationApiGatewayID"],
        &stack.plan.api_keys[0].value,
        &json!({"classifier": "news", "sentence": "The striker scored twice in the final."}),
    )
    .await;

    stack.stop().await;
    assert_eq!(status, 200, "{body}");
    let review: BTreeMap<String, Value> =
        serde_json::from_value(body["review"].clone()).expect("it is reviewed");
    assert_eq!(review["reason"], "low-confidence");
    assert_eq!(review["queued"], true);
}
