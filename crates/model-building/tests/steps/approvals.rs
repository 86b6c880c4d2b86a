//! Deployments that a person approves.

use model_building::{ApprovalError, BuildRecord, approve, reject};
use serde_json::{Value, json};

use crate::{
    walk::Walk,
    world::{World, champion},
};

async fn world() -> World {
    let mut world = World::new().await;
    world.settings.insert("APPROVE_DEPLOYMENTS", "true");
    world
}

#[tokio::test]
async fn an_approved_challenger_is_deployed() {
    let world = world().await;

    let end = Walk::new(&world, "first")
        .approval(Ok(json!({"approvedBy": "ann"})))
        .build()
        .await;

    assert_eq!(end.build["status"], "deployed", "{end:?}");
    let record: BuildRecord = world.read("builds/first/record.json").await.expect("a record");
    assert_eq!(record.approved_by.as_deref(), Some("ann"));
    assert!(
        end.told[0].1.contains("active-learning approve first"),
        "{:?}",
        end.told
    );
    let kept: Value = world.read("builds/first/approval.json").await.expect("a token");
    assert_eq!(kept["taskToken"], "token");
}

#[tokio::test]
async fn a_rejected_or_forgotten_challenger_is_refused() {
    for (error, cause, why) in [
        (
            "Rejected",
            "too risky today",
            "a person rejected it: too risky today",
        ),
        ("States.Timeout", "", "nobody approved it in time"),
    ] {
        let world = world().await;

        let end = Walk::new(&world, "first")
            .approval(Err((error, cause)))
            .build()
            .await;

        assert_eq!(
            (end.state.as_str(), &end.build["status"]),
            ("Done", &json!("refused"))
        );
        assert_eq!(end.why(), why);
        assert_eq!(world.comprehend.serving(), champion());
    }
}

#[tokio::test]
async fn only_a_build_that_waits_can_be_answered() {
    let world = world().await;
    Walk::new(&world, "first").build().await;

    let unknown = approve(&world.bucket(), &world.sfn, "unknown", "ann").await;
    let over = reject(&world.bucket(), &world.sfn, "first", "late").await;

    assert!(matches!(unknown, Err(ApprovalError::NotWanted(id)) if id == "unknown"));
    assert!(matches!(over, Err(ApprovalError::Over(id)) if id == "first"));
}
