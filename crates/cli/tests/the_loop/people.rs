//! What waits for people: deployments that somebody must approve, questions that nobody answered in time, and
//! copies of a question that is asked once.

use active_learning_aws::bucket::Bucket;
use active_learning_core::feedback::record_id;
use model_building::{BuildRecord, Followed, Outcome};
use serde_json::json;

use crate::{
    harness::{self, boot, items_of_loops, template, until},
    new_models::{BY_HAND, EASY_TO_WIN, Stack, news, put_labels},
};

/// A build that somebody started.
pub struct Started<'a> {
    stack: &'a Stack,
    sfn: aws_sdk_sfn::Client,
    execution: String,
}

impl<'a> Started<'a> {
    /// Starts a build and waits until it waits for an approval.
    pub async fn until_it_waits(stack: &'a Stack) -> Self {
        let sfn = aws_sdk_sfn::Client::new(&stack.running.aws.sdk_config());
        let machine = stack.outputs.output("ModelBuildingStateMachineArn");
        let execution = model_building::start_build(&sfn, machine).await.expect("started");
        let build = Self {
            stack,
            sfn,
            execution,
        };
        let key = format!("builds/{}/approval.json", build.id());
        until(async || {
            let head = stack.s3.head_object().bucket(stack.bucket()).key(&key);
            head.send().await.is_ok()
        })
        .await;
        build
    }

    pub fn id(&self) -> &str {
        self.execution.rsplit(':').next().expect("an ARN has parts")
    }

    pub async fn record(&self) -> BuildRecord {
        let (s3, bucket) = (&self.stack.s3, self.stack.bucket());
        let followed = model_building::follow(
            &Bucket::new(s3.clone(), bucket),
            &self.sfn,
            &self.execution,
            |_| {},
        )
        .await;
        match followed.expect("followed") {
            Followed::Recorded(record) => *record,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_waits_for_a_person_whose_rejection_keeps_the_champion_and_whose_approval_switches() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = [&BY_HAND[..], &EASY_TO_WIN, &[("ApproveDeployments", "true")]].concat();
    let stack = Stack::start(folder.path(), &rows[..60], &parameters).await;
    let models = stack.models();
    let champion = models.serving().await.expect("an endpoint");

    put_labels(&stack.s3, stack.bucket(), "first", &rows[60..150]).await;
    let build = Started::until_it_waits(&stack).await;
    let while_waiting = models.serving().await.expect("an endpoint");
    let reject = ["approve", build.id(), "--reject", "too risky today"];
    let (done, printed) = harness::command(folder.path(), &reject).await;
    let rejected = build.record().await;
    let (done_twice, printed_twice) = harness::command(folder.path(), &reject).await;

    assert!(done, "{printed}");
    assert_eq!(while_waiting, champion);
    assert_eq!(rejected.outcome, Outcome::Refused);
    assert_eq!(rejected.why, "a person rejected it: too risky today");
    assert_eq!(rejected.serving, champion);
    assert!(
        !done_twice && printed_twice.contains("waits no longer"),
        "{printed_twice}"
    );

    put_labels(&stack.s3, stack.bucket(), "second", &rows[150..250]).await;
    let build = Started::until_it_waits(&stack).await;
    let (done, printed) = harness::command(folder.path(), &["approve", build.id()]).await;
    let approved = build.record().await;

    let serving = models.serving().await.expect("an endpoint");
    stack.running.stop().await;
    assert!(done, "{printed}");
    assert_eq!(approved.outcome, Outcome::Deployed, "{}", approved.why);
    assert!(approved.approved_by.is_some());
    assert_eq!((&approved.champion, &approved.serving), (&champion, &serving));
    assert_ne!(serving, champion);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduled_sweep_asks_again_what_nobody_answered_in_time() {
    let folder = tempfile::tempdir().expect("temporary folder");
    // People get a minute at least.
    let bounds = ["MinValue: 60", "MinValue: 1"].map(|min| format!("    {min}\n    MaxValue: 31536000"));
    let template = template().replacen(&bounds[0], &bounds[1], 1);
    let parameters = [("FeedbackBufferSeconds", "1"), ("TaskAvailabilitySeconds", "1")];
    let stack = boot(folder.path(), &template, &parameters).await;
    let s3 = aws_sdk_s3::Client::new(&stack.aws.sdk_config());
    let (review, feedback) = (
        &stack.outputs["ReviewS3Bucket"],
        &stack.outputs["FeedbackS3Bucket"],
    );
    let (status, body) = harness::post(
        &stack.outputs["FeedbackAPIGatewayID"],
        &stack.plan.api_keys[0].value,
        &json!({"classifier": "news", "sentence": "Nobody looks at this"}),
    )
    .await;
    assert_eq!(status, 200, "{body}");
    until(async || items_of_loops(&s3, review).await.len() == 1).await;
    let schedules = &stack.plan.schedules;
    let sweep = schedules
        .iter()
        .find(|schedule| schedule.target_arn.contains("TrainingData"))
        .expect("the sweep is scheduled");
    let function = sweep.target_arn.rsplit(':').next().expect("an ARN has parts");
    let payload = sweep.input.clone().expect("it has an input");

    until(async || {
        let invoked = stack.aws.lambda.invoke(function, payload.clone().into()).await;
        let invoked = invoked.expect("invoked");
        assert!(invoked.function_error.is_none(), "{:?}", invoked.payload);
        items_of_loops(&s3, review).await.len() == 2
    })
    .await;

    let items = items_of_loops(&s3, review).await;
    let open = s3.list_objects_v2().bucket(feedback).prefix("asked/");
    let open = open.send().await.expect("listed");
    stack.stop().await;
    let id = record_id("news", "Nobody looks at this");
    assert_eq!(items, [id.clone(), id]);
    let keys: Vec<&str> = open.contents().iter().filter_map(|object| object.key()).collect();
    assert!(
        matches!(keys[..], [key] if key.ends_with("-retry-1.json")),
        "{keys:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_serves_a_text_that_comes_three_times_and_the_export_counts_the_others() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let threshold = [("ComprehendClassificationScoreThreshold", "1")];
    let parameters = [&BY_HAND[..], &threshold].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let (label, text) = rows[24].clone();

    stack.classify(&text).await;
    // Asked before the other spelling comes: whichever is delivered first is the question.
    until(async || {
        let bucket = stack.outputs.output("ReviewS3Bucket");
        !harness::items_of_loops(&stack.s3, bucket).await.is_empty()
    })
    .await;
    stack.classify(&text.to_uppercase()).await;
    stack.review(&[(label, text)], |label, _| label.to_owned()).await;
    let mut exported = String::new();
    until(async || {
        let (done, printed) = harness::command(folder.path(), &["export", "--format", "jsonl"]).await;
        assert!(done, "{printed}");
        exported = printed;
        exported.contains("\"copies\":2")
    })
    .await;

    stack.running.stop().await;
    assert!(
        exported.contains("1 row, and 2 copies that their answers serve"),
        "{exported}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_are_told_of_new_work_at_the_topic_of_the_stack_without_its_text() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = [&BY_HAND[..], &[("ComprehendClassificationScoreThreshold", "1")]].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let topic = stack.outputs.output("ReviewTopicArn").rsplit(':').next();
    let log = folder
        .path()
        .join(format!("logs/{}.log", topic.expect("a topic")));

    stack.classify(&rows[100].1).await;
    until(async || {
        let bucket = stack.outputs.output("ReviewS3Bucket");
        items_of_loops(&stack.s3, bucket).await.len() == 1
    })
    .await;
    stack
        .invoke("HumanReview", &json!({"operation": "measure"}))
        .await;
    let told = std::fs::read_to_string(log).expect("somebody is told");
    stack.stop().await;

    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("1 task waits for reviewers"), "{told}");
    assert!(!told.contains(&rows[100].1), "{told}");
}
