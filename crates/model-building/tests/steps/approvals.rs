//! Deployments that a person approves.

use model_building::{ApprovalError, BuildRecord, approve, reject, versions};
use serde_json::{Value, json};

use crate::{
    walk::Walk,
    world::{MACHINE_ARN, World, champion},
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

/// What a build leaves that was stopped while it waited for a person.
async fn stopped() -> World {
    let world = world().await;
    Walk::new(&world, "first").build().await;
    let record = world.bucket().delete("builds/first/record.json").await;
    record.expect("removed");
    world
}

#[tokio::test]
async fn a_build_that_was_stopped_while_it_waited_waits_for_no_approval() {
    let world = stopped().await;
    let start = world.sfn.start_execution();
    let start = start.state_machine_arn(MACHINE_ARN).name("running");
    let running = start.send().await.expect("started").execution_arn;
    let lock = json!({"executionArn": running, "since": "2026-11-21T09:00:00Z"});
    world
        .put("builds/running.json", lock.to_string().into_bytes())
        .await;
    let tick = json!({"operation": "tick"});

    world.function().handle(tick.clone()).await.expect("a tick");
    let while_it_runs: Option<Value> = world.read("builds/first/approval.json").await;
    let unlocked = world.bucket().delete("builds/running.json").await;
    unlocked.expect("removed");
    world.function().handle(tick).await.expect("a tick");
    let after: Option<Value> = world.read("builds/first/approval.json").await;

    assert!(while_it_runs.is_some() && after.is_none());
}

#[tokio::test]
async fn a_build_before_the_last_is_not_listed_as_waiting_for_approval() {
    let world = stopped().await;
    let is_waiting = async || {
        let versions = versions(&world.bucket(), None).await.expect("versions");
        versions.iter().any(|version| version.waits_for_approval)
    };
    let before = is_waiting().await;
    let mut last: Value = world.read("builds/last.json").await.expect("the last build");
    last["id"] = "second".into();
    world.put("builds/last.json", last.to_string().into_bytes()).await;

    let after = is_waiting().await;

    assert!(before && !after);
}
