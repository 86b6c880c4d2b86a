//! What reviewers are told of new work.

use std::path::Path;

use chrono::Duration;
use local_aws::{LocalAws, sns::TopicSpec, transport::ENDPOINT_URL};
use serde_json::{Value, json};

use crate::control_plane::{add_flow, flow, made, start};
use crate::harness::{PORTAL_URL, Review, TOPIC, config, two_items};
use crate::labelling_jobs;

const TEAM_TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:mail-team";
const SCOPE: &str = "arn:aws:sagemaker:us-east-1:123456789012";

/// Starts services with both topics, and a review service that tells its reviewers there.
fn services(folder: &Path) -> (LocalAws, Review) {
    let aws = LocalAws::open(folder, "us-east-1", ENDPOINT_URL).expect("the folder is free");
    for topic in [TOPIC, TEAM_TOPIC] {
        aws.sns.put_topic(TopicSpec {
            name: name(topic).to_owned(),
        });
    }
    let review = Review::with_topics(config(), &aws.sdk_config());
    (aws, review)
}

fn name(topic: &str) -> &str {
    topic.rsplit(':').next().expect("a name")
}

fn told(folder: &Path, topic: &str) -> Vec<String> {
    let log = std::fs::read_to_string(folder.join(format!("logs/{}.log", name(topic))));
    let log = log.unwrap_or_default();
    let message = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["message"].as_str().expect("a message").to_owned()
    };
    log.lines().map(message).collect()
}

async fn measure(review: &Review) {
    review.handle(json!({"operation": "measure"})).await;
}

#[tokio::test]
async fn reviewers_are_told_once_of_new_work_and_again_when_there_was_none_and_an_hour_is_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    measure(&review).await;
    let without_work = told(folder.path(), TOPIC).len();

    review.start("tc-1", &two_items()).await;
    measure(&review).await;
    review.start("tc-2", &two_items()).await;
    review.wait(Duration::hours(2));
    measure(&review).await;
    let of_the_first = told(folder.path(), TOPIC);
    review.stop("tc-1").await;
    review.stop("tc-2").await;
    measure(&review).await;
    review.start("tc-3", &two_items()).await;
    measure(&review).await;

    let all = told(folder.path(), TOPIC);
    assert_eq!(
        (without_work, of_the_first.len(), all.len()),
        (0, 1, 2),
        "{all:?}"
    );
    assert!(
        all[0].starts_with("1 task waits") && all[0].contains(PORTAL_URL),
        "{all:?}"
    );
    assert!(!all[0].contains("Rates rise"), "no text is told");
}

#[tokio::test]
async fn work_that_comes_back_within_an_hour_is_told_when_the_hour_is_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    review.start("tc-1", &two_items()).await;
    measure(&review).await;
    review.stop("tc-1").await;
    measure(&review).await;
    review.start("tc-2", &two_items()).await;
    review.wait(Duration::minutes(30));
    measure(&review).await;
    let too_soon = told(folder.path(), TOPIC).len();
    review.wait(Duration::minutes(31));

    measure(&review).await;

    assert_eq!((too_soon, told(folder.path(), TOPIC).len()), (1, 2));
}

#[tokio::test]
async fn what_was_being_told_when_the_process_died_is_told_by_a_later_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    review.start("tc-1", &two_items()).await;
    measure(&review).await;
    let [key] = review
        .keys("human-review/notices/")
        .await
        .try_into()
        .expect("one topic");
    let after: Value = serde_json::from_str(&review.object(&key).await).expect("JSON");
    // As it stands between the mark and the answer of the topic.
    let mut telling = after.clone();
    telling["tellingSince"] = after["at"].clone();
    review.put(&key, &telling.to_string()).await;

    measure(&review).await;
    let at_once = told(folder.path(), TOPIC).len();
    review.wait(Duration::minutes(5));
    measure(&review).await;
    let later = told(folder.path(), TOPIC).len();
    review.wait(Duration::minutes(5));
    measure(&review).await;

    assert_eq!(after.get("tellingSince"), None, "it was taken: {after}");
    assert_eq!((at_once, later, told(folder.path(), TOPIC).len()), (1, 2, 2));
}

#[tokio::test]
async fn a_team_with_a_topic_of_its_own_is_told_there_of_its_own_tasks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    let team = json!({
        "WorkteamName": "Mail", "Description": "Mail",
        "MemberDefinitions": [{ "OidcMemberDefinition": { "Groups": ["mail"] } }],
        "NotificationConfiguration": { "NotificationTopicArn": TEAM_TOPIC },
    });
    made(&review, "CreateWorkteam", team).await;
    add_flow(&review).await;
    let of_team = json!({ "HumanLoopConfig.WorkteamArn": format!("{SCOPE}:workteam/private-crowd/Mail") });
    made(&review, "CreateFlowDefinition", flow("mail", "tone", of_team)).await;

    let arn = format!("{SCOPE}:flow-definition/mail");
    start(&review, "mail-1", &arn, &json!({ "taskObject": "Fine" })).await;
    measure(&review).await;
    let of_team = (
        told(folder.path(), TOPIC).len(),
        told(folder.path(), TEAM_TOPIC).len(),
    );
    review.start("tc-1", &two_items()).await;
    measure(&review).await;

    assert_eq!(of_team, (0, 1));
    assert_eq!(
        (
            told(folder.path(), TOPIC).len(),
            told(folder.path(), TEAM_TOPIC).len()
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_team_with_a_topic_of_its_own_is_told_there_of_the_tasks_of_its_labelling_jobs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    let team = json!({
        "WorkteamName": "Mail", "Description": "Mail",
        "MemberDefinitions": [{ "OidcMemberDefinition": { "Groups": ["mail"] } }],
        "NotificationConfiguration": { "NotificationTopicArn": TEAM_TOPIC },
    });
    made(&review, "CreateWorkteam", team).await;
    let of_team = json!({ "HumanTaskConfig.WorkteamArn": format!("{SCOPE}:workteam/private-crowd/Mail") });
    labelling_jobs::started(
        &review,
        &[json!({ "source": "Cup final" })],
        &labelling_jobs::request("topics", of_team),
    )
    .await;

    measure(&review).await;

    assert_eq!(
        (
            told(folder.path(), TOPIC).len(),
            told(folder.path(), TEAM_TOPIC).len()
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn what_a_topic_did_not_take_is_told_by_the_next_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = LocalAws::open(folder.path(), "us-east-1", ENDPOINT_URL).expect("the folder is free");
    let review = Review::with_topics(config(), &aws.sdk_config());
    review.start("tc-1", &two_items()).await;
    measure(&review).await;
    aws.sns.put_topic(TopicSpec {
        name: name(TOPIC).to_owned(),
    });

    measure(&review).await;

    assert_eq!(told(folder.path(), TOPIC).len(), 1);
}

#[tokio::test]
async fn a_team_of_a_labelling_job_is_told_whatever_waits_before_its_tasks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_aws, review) = services(folder.path());
    let team = json!({
        "WorkteamName": "Mail", "Description": "Mail",
        "MemberDefinitions": [{ "OidcMemberDefinition": { "Groups": ["mail"] } }],
        "NotificationConfiguration": { "NotificationTopicArn": TEAM_TOPIC },
    });
    made(&review, "CreateWorkteam", team).await;
    let of_team = json!({ "HumanTaskConfig.WorkteamArn": format!("{SCOPE}:workteam/private-crowd/Mail") });
    let texts = [
        json!({ "source": "Cup final" }),
        json!({ "source": "Rates rise" }),
    ];
    labelling_jobs::started(&review, &texts, &labelling_jobs::request("topics", of_team)).await;
    // More than a page of them, of tasks that come before those of jobs.
    for number in 0..1_001 {
        let time = review.now().timestamp_millis();
        let mark = format!("human-review/queue/00001-{time:013}-{number:032x}-tc-{number}");
        review.put(&mark, "").await;
    }

    measure(&review).await;

    let [told] = told(folder.path(), TEAM_TOPIC).try_into().expect("one message");
    assert!(told.starts_with("2 tasks wait"), "{told}");
}

#[tokio::test]
async fn a_topic_that_can_be_none_is_refused() {
    let review = Review::new();
    for topic in [
        "foo",
        "arn:aws:sqs:us-east-1:000000000000:mail",
        "arn:aws:sns:us-east-1:1:mail",
    ] {
        let team = json!({
            "WorkteamName": "Mail", "Description": "Mail",
            "MemberDefinitions": [{ "OidcMemberDefinition": { "Groups": ["mail"] } }],
            "NotificationConfiguration": { "NotificationTopicArn": topic },
        });

        let refused = labelling_jobs::call(&review, "CreateWorkteam", &team).await;

        assert_eq!(refused.status(), 400, "{topic}: {refused:?}");
        let message = refused.json()["Message"].to_string();
        assert!(
            message.contains("notificationTopicArn") && message.contains(topic),
            "{message}"
        );
    }
}
