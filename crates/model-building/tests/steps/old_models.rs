//! Old model versions are deleted where the operator says how many stay.

use chrono::Utc;
use model_building::{BuildRecord, VersionSummary, versions};
use serde_json::json;

use crate::{
    comprehend::model_arn,
    walk::{End, Walk},
    world::{World, champion},
};

/// A world with a deployed version of ours and one that lost, from before any was to be deleted.
async fn world() -> World {
    let mut world = World::new().await;
    Walk::new(&world, "first").build().await;
    world.put_rows("more", 300..400).await;
    Walk::new(&world, "second").build().await;
    world.put_rows("even-more", 400..500).await;
    world.settings.insert("KEEP_MODEL_VERSIONS", "1");
    world
}

async fn record(world: &World, build: &str) -> BuildRecord {
    let record = world.read(&format!("builds/{build}/record.json")).await;
    record.expect("a record")
}

async fn deleted(world: &World) -> Vec<VersionSummary> {
    let serving = world.comprehend.serving();
    let versions = versions(&world.bucket(), Some(&serving)).await.expect("versions");
    let deleted = versions
        .into_iter()
        .filter(|version| version.deleted_at.is_some());
    deleted.collect()
}

#[tokio::test]
async fn versions_that_never_served_go_with_the_next_decision_and_are_shown_as_deleted() {
    let world = world().await;
    let serving = world.comprehend.serving();

    let third = Walk::new(&world, "third").every_step(2).build().await;

    assert_eq!(third.build["status"], "refused", "{third:?}");
    let left: Vec<String> = world.comprehend.state().models.keys().cloned().collect();
    assert_eq!(
        left,
        [champion(), serving],
        "the one that serves, and the one before"
    );
    let record = record(&world, "third").await;
    assert_eq!(record.deleted_models.len(), 2, "{record:?}");
    let shown: Vec<String> = deleted(&world)
        .await
        .into_iter()
        .map(|version| version.model_arn)
        .collect();
    assert_eq!(shown, record.deleted_models);
    let End { told, .. } = third;
    assert!(
        told[0].1.ends_with("2 old model versions were deleted."),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_version_that_was_made_just_now_may_be_about_to_serve_and_stays() {
    let world = world().await;
    let new = model_arn("news", "of-a-training-file");
    let old = model_arn("news", "of-an-old-file");
    let now = Utc::now().timestamp();
    for (arn, age) in [(&new, 3_000), (&old, 4_000)] {
        let mut state = world.comprehend.state();
        state.models.insert(arn.clone(), ("TRAINED".to_owned(), None));
        state.ended.insert(arn.clone(), now - age);
    }

    Walk::new(&world, "third").every_step(2).build().await;

    let left = &world.comprehend.state().models;
    assert!(left.contains_key(&new) && !left.contains_key(&old), "{left:?}");
}

#[tokio::test]
async fn without_the_parameter_nothing_is_deleted_and_nothing_listed() {
    let mut world = world().await;
    world.settings.clear();

    Walk::new(&world, "third").build().await;

    assert_eq!(world.comprehend.state().models.len(), 4);
    assert!(world.comprehend.calls("ListDocumentClassifiers").is_empty());
}

#[tokio::test]
async fn a_version_that_cannot_be_deleted_fails_no_build_and_is_not_called_deleted() {
    for (operation, code, gone) in [
        ("DeleteDocumentClassifier", "ResourceInUseException", 1),
        ("ListDocumentClassifiers", "AccessDeniedException", 0),
    ] {
        let world = world().await;
        world.comprehend.state().refusals.push((operation, code));

        let third = Walk::new(&world, "third").build().await;

        assert_eq!(third.build["status"], "refused", "{third:?}");
        assert_eq!(deleted(&world).await.len(), gone, "{operation}");
        assert_eq!(world.comprehend.state().models.len(), 4 - gone, "{operation}");
    }
}

#[tokio::test]
async fn a_roll_back_to_a_deleted_version_says_which_are_left() {
    let world = world().await;
    world.comprehend.state().models.remove(&champion());

    let back = Walk::new(&world, "back")
        .run(json!({"action": "roll-back", "reason": "manual"}))
        .await;

    assert_eq!(back.state, "Failed");
    assert!(
        back.why().contains("served once and was deleted")
            && back.why().contains("no other that served is left"),
        "{}",
        back.why()
    );
}
