//! A stack that was killed goes on at its next start.

use active_learning_aws::bucket::{Bucket, JSON};
use active_learning_cli::take_over;
use active_learning_core::{
    feedback::{FeedbackRequest, Source},
    keys,
    sampling::review_budget::Queue,
};
use chrono::{TimeDelta, Utc};
use local_stack::boot::Running;
use serde_json::json;

use crate::harness::{boot, template, until};

fn feedback(stack: &Running) -> Bucket {
    let s3 = aws_sdk_s3::Client::new(&stack.aws.sdk_config());
    Bucket::new(s3, &stack.outputs["FeedbackS3Bucket"])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_asked_at_once_although_a_run_that_was_killed_holds_the_turn_to_select() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = boot(folder.path(), template(), &[]).await;
    leave_behind(&stack).await;
    stack.stop().await;

    let stack = boot(folder.path(), template(), &[]).await;
    let bucket = feedback(&stack);
    let went_on = take_over::go_on_selecting(&stack, &bucket).await;
    until(async || !bucket.list(keys::ASKED_FOLDER).await.expect("a list").is_empty()).await;
    let again = take_over::go_on_selecting(&stack, &bucket).await;
    stack.stop().await;

    assert!(went_on.expect("freed and invoked"));
    assert!(!again.expect("read"), "nobody of before holds it any more");
}

/// Leaves what a run leaves behind that is killed while it selects: a text that waits, and its turn. Holds nothing of the
/// stack afterwards, so that it can be started again.
async fn leave_behind(stack: &Running) {
    let request = FeedbackRequest {
        classifier: "news".to_owned(),
        sentence: "Rates rise".to_owned(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitApi, "2026-11-20T10:00:00.000Z");
    let record = record.expect("complete");
    let key = Queue::Ranked.key(&record);
    let bucket = feedback(stack);
    bucket.put(&key, JSON, record.to_line()).await.expect("stored");
    let until_later = Utc::now() + TimeDelta::minutes(2);
    let turn = json!({"holder": "killed", "until": until_later, "again": true});
    let put = bucket.put_document("backlog/selector.json", &turn).await;
    put.expect("stored");
}
