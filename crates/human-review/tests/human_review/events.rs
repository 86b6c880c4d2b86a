//! The sample invocations in `events/human-review`.

use active_learning_aws::env::Env;
use human_review::Config;
use serde_json::Value;

use crate::harness::{Reply, Review};

fn event(text: &str) -> Value {
    serde_json::from_str(text).expect("a sample is JSON")
}

#[tokio::test]
async fn the_sample_start_starts_a_loop() {
    let review = Review::new();
    let event = event(include_str!(
        "../../../../events/human-review/start-human-loop.json"
    ));

    let reply = Reply(review.handle(event).await);

    assert_eq!(reply.status(), 200, "{reply:?}");
    assert_eq!(review.status("tc-sample").await, "InProgress");
}

#[tokio::test]
async fn the_sample_visit_without_a_session_is_asked_to_sign_in() {
    let review = Review::new();
    let event = event(include_str!(
        "../../../../events/human-review/queue-without-session.json"
    ));

    let reply = Reply(review.handle(event).await);

    assert_eq!((reply.status(), reply.code()), (401, "sign_in_required"));
}

#[tokio::test]
async fn the_sample_operation_makes_a_link() {
    let review = Review::new();
    let event = event(include_str!(
        "../../../../events/human-review/create-sign-in-link.json"
    ));

    let link = review.handle(event).await;

    assert!(
        link["url"]
            .as_str()
            .is_some_and(|url| url.contains("/sign-in?token=")),
        "{link}"
    );
}

#[test]
fn the_environment_is_read_by_name_and_out_of_range_values_are_named() {
    let variables = |task_count| {
        Env::from([
            ("HUMAN_REVIEW_WORKFLOW_ARN", crate::harness::FLOW),
            ("REVIEW_ROLE_ARN", "arn:aws:iam::123456789012:role/human-review"),
            ("REVIEW_BUCKET_NAME", "review-bucket"),
            ("TRAINING_BUCKET_NAME", "training-bucket"),
            ("FEEDBACK_BUCKET_NAME", "feedback-bucket"),
            ("EVENT_BUS_NAME", "active-learning"),
            ("REVIEW_TOPIC_ARN", crate::harness::TOPIC),
            (
                "STATE_MACHINE_ARN",
                "arn:aws:states:us-east-1:123456789012:stateMachine:m",
            ),
            ("MODEL_BUILDING_FUNCTION_NAME", ""),
            ("PORTAL_URL", ""),
            (
                "SIGNING_SECRET_ARN",
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:signing",
            ),
            ("TASK_COUNT", task_count),
            ("TASK_AVAILABILITY_SECONDS", "86400"),
            ("TASK_TIME_LIMIT_SECONDS", "600"),
            ("TEXT_RETENTION_DAYS", "30"),
            ("PERSONAL_DATA", "mask"),
            ("LANGUAGE_CODE", "en"),
            ("WORKER_TASK_TEMPLATE_KEY", ""),
            ("ALLOWED_NETWORKS", "203.0.113.0/24"),
            (
                "AUDIT_ROLE_ARNS",
                "arn:aws:iam::123456789012:role/one, arn:aws:iam::123456789012:role/other",
            ),
            ("BLIND_SHARE", "0.25"),
            ("ITEMS_PER_TASK", "10"),
            ("CONFIDENCE_THRESHOLD", "0.5"),
            ("SEVERAL_LABELS", "false"),
            ("OIDC_ISSUER", "https://id.example.com"),
            ("OIDC_CLIENT_ID", "portal"),
            ("OIDC_CLIENT_SECRET_ARN", ""),
            ("OIDC_SCOPES", ""),
            ("OIDC_GROUPS_CLAIM", "groups"),
            ("OIDC_ADMIN_GROUP", ""),
            ("OIDC_REVIEWER_GROUP", ""),
        ])
    };

    let config = Config::from_env(&variables("2")).expect("all is set");
    let error = Config::from_env(&variables("4")).expect_err("too many");

    assert_eq!(
        (
            config.task_count,
            config.portal_url.as_str(),
            config.template_key.as_str()
        ),
        (2, "", "")
    );
    let roles = ["one", "other"].map(|name| format!("arn:aws:iam::123456789012:role/{name}"));
    assert_eq!(config.audit_roles, roles);
    assert_eq!(
        error.to_string(),
        "environment variable TASK_COUNT is invalid: expected a number from 1 to 3, got `4`"
    );
}
