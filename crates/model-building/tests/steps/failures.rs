//! Whatever goes wrong: the champion serves, the record says why, the lock is given back.

use model_building::{BuildRecord, Outcome};
use serde_json::{Value, json};

use crate::{
    walk::{End, Walk},
    world::{World, champion},
};

async fn fails(world: &World, end: &End, why: &str) {
    assert_eq!(end.state, "Failed", "{end:?}");
    let record: BuildRecord = world
        .read(&format!("builds/{}/record.json", "first"))
        .await
        .expect("a record");
    assert_eq!(record.outcome, Outcome::Failed);
    assert!(record.why.contains(why), "{}", record.why);
    assert!(end.told[0].1.contains(why), "{:?}", end.told);
    assert_eq!(world.comprehend.serving(), champion());
    assert!(world.keys("builds/running.json").await.is_empty());
}

#[tokio::test]
async fn a_training_that_fails_or_is_stopped_says_why() {
    for (status, message, why) in [
        (
            "IN_ERROR",
            "too few documents",
            "ended in an error: too few documents",
        ),
        ("STOPPED", "", "ended by somebody: its status is STOPPED"),
        ("DELETING", "", "ended by somebody: its status is DELETING"),
    ] {
        let world = World::new().await;
        world.comprehend.state().training = Some((status, message));

        let end = Walk::new(&world, "first").build().await;

        fails(&world, &end, why).await;
    }
}

#[tokio::test]
async fn a_training_with_a_warning_is_a_training() {
    let world = World::new().await;
    world.comprehend.state().training = Some(("TRAINED_WITH_WARNING", "some documents were skipped"));

    let end = Walk::new(&world, "first").build().await;

    assert_eq!(end.build["status"], "deployed", "{end:?}");
}

#[tokio::test]
async fn an_evaluation_that_fails_says_why() {
    let world = World::new().await;
    world.comprehend.state().job_failure = Some("CLASSIFIER_INVALID_INPUT: no access");

    let end = Walk::new(&world, "first").build().await;

    fails(&world, &end, "failed: CLASSIFIER_INVALID_INPUT: no access").await;
}

#[tokio::test]
async fn a_champion_that_cannot_be_loaded_is_replaced_by_a_model_better_than_a_guess_and_only_by_such() {
    let reason = "the model cannot be loaded: the model was trained with text encoder a, in use is b";
    let mut ends = Vec::new();
    for (name, wrong) in [("good", 10), ("bad", 95)] {
        let world = World::new().await;
        world.comprehend.state().unusable = [(champion(), reason)].into();
        world.comprehend.state().wrong_of_new = wrong;

        let end = Walk::new(&world, name).build().await;
        let decision: Value = world
            .read(&format!("builds/{name}/decision.json"))
            .await
            .expect("a decision");
        ends.push((end.build["status"].clone(), decision.to_string()));
    }

    let [(good, said), (bad, said_of_bad)] = &ends[..] else {
        unreachable!("two builds")
    };
    assert_eq!(
        (good, bad),
        (&json!("deployed"), &json!("refused")),
        "{said} {said_of_bad}"
    );
    for said in [said, said_of_bad] {
        assert!(
            said.contains("could not be compared: the model cannot be loaded"),
            "{said}"
        );
        assert!(
            said.contains("on the held-out rows") && said.contains("with the commonest label"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn an_evaluation_without_any_prediction_says_so() {
    let world = World::new().await;
    world.comprehend.state().lines_left_out = usize::MAX;

    let end = Walk::new(&world, "first").build().await;

    fails(&world, &end, "has no prediction for any of").await;
}

#[tokio::test]
async fn an_endpoint_that_falls_back_is_left_with_the_champion() {
    let world = World::new().await;
    world.comprehend.state().update_failure = Some("the model cannot be loaded");

    let end = Walk::new(&world, "first").every_step(2).build().await;

    fails(
        &world,
        &end,
        "the model cannot be loaded; the model before serves again",
    )
    .await;
    let updates = world.comprehend.calls("UpdateEndpoint");
    assert_eq!(
        updates.last().expect("updates")["DesiredModelArn"],
        json!(champion())
    );
    assert!(
        world.deployments().await.is_empty(),
        "the challenger never served"
    );
}

#[tokio::test]
async fn a_model_that_answers_otherwise_at_the_endpoint_is_switched_back_and_never_deployed_again() {
    let world = World::new().await;
    world.comprehend.state().lies = true;

    let end = Walk::new(&world, "first").build().await;
    fails(
        &world,
        &end,
        "of 10 known rows otherwise than its model did; the model before serves again",
    )
    .await;
    world.comprehend.state().lies = false;
    let again = Walk::new(&world, "second").build().await;

    let switches: Vec<_> = world
        .deployments()
        .await
        .into_iter()
        .map(|it| it["by"].clone())
        .collect();
    assert_eq!(switches, ["build", "roll-back"]);
    assert_eq!(again.build["status"], "refused");
    assert!(
        again.why().contains("served before and was rolled back"),
        "{}",
        again.why()
    );
}

#[tokio::test]
async fn a_busy_service_is_asked_again_and_a_refusal_is_not() {
    let busy = World::new().await;
    for (operation, code) in [
        ("CreateDocumentClassifier", "ResourceLimitExceededException"),
        ("StartDocumentClassificationJob", "TooManyRequestsException"),
        ("UpdateEndpoint", "ResourceInUseException"),
        ("DescribeEndpoint", "InternalServerException"),
    ] {
        busy.comprehend.state().refusals.push((operation, code));
    }
    let refusing = World::new().await;
    let refusal = ("CreateDocumentClassifier", "KmsKeyValidationException");
    refusing.comprehend.state().refusals.push(refusal);

    let deployed = Walk::new(&busy, "first").build().await;
    let refused = Walk::new(&refusing, "first").build().await;

    assert_eq!(deployed.build["status"], "deployed", "{deployed:?}");
    fails(
        &refusing,
        &refused,
        "could not be made: refused with KmsKeyValidationException",
    )
    .await;
    assert_eq!(refusing.comprehend.calls("CreateDocumentClassifier").len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_somebody_else_switched_is_left_alone() {
    let world = World::new().await;
    let other = crate::comprehend::model_arn("other", "v9");
    let mut walk = Walk::new(&world, "first");
    walk.before_deploy = Some(Box::new({
        let (comprehend, other) = (world.comprehend.clone(), other.clone());
        move || {
            let mut state = comprehend.state();
            let endpoint = state.endpoint.as_mut().expect("an endpoint");
            endpoint["ModelArn"] = other.clone().into();
            endpoint["DesiredModelArn"] = other.clone().into();
        }
    }));

    let end = walk.build().await;

    assert_eq!(end.state, "Failed");
    assert!(
        end.why().contains("switched by somebody else meanwhile"),
        "{}",
        end.why()
    );
    assert_eq!(world.comprehend.serving(), other);
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_created_that_costs_money() {
    let world = World::new().await;
    world.comprehend.state().endpoint = None;

    let end = Walk::new(&world, "first").build().await;

    assert_eq!(end.state, "Failed");
    assert!(
        end.why().contains("there is no endpoint") && end.why().contains("create it"),
        "{}",
        end.why()
    );
    assert!(world.comprehend.calls("CreateEndpoint").is_empty());
    assert!(world.comprehend.calls("CreateDocumentClassifier").is_empty());
}

#[tokio::test]
async fn an_input_that_is_no_request_is_recorded_as_a_failure() {
    let world = World::new().await;
    for input in [
        json!({}),
        json!("build"),
        json!({"action": "build", "reason": "whim"}),
    ] {
        let end = Walk::new(&world, "first").run(input).await;

        fails(&world, &end, "the execution's input must be").await;
    }
}
