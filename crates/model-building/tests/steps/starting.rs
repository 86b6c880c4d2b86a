//! What starts executions: labels, time, audits; and the lock.

use serde_json::{Value, json};

use crate::{
    walk::Walk,
    world::{MACHINE_ARN, World, champion},
};

const LABELS_CREATED: &str = include_str!("../../../../events/model-building/labels-created.json");
const TICK: &str = include_str!("../../../../events/model-building/tick.json");
const BEGIN: &str = include_str!("../../../../events/model-building/begin.json");

fn event(json: &str) -> Value {
    serde_json::from_str(json).expect("JSON")
}

async fn started(world: &World) -> Vec<Value> {
    world
        .executions()
        .await
        .into_iter()
        .map(|(_, input)| input)
        .collect()
}

#[tokio::test]
async fn enough_new_labels_start_one_build_however_often_they_are_told() {
    let world = World::new().await;
    let function = world.function();
    let event = event(LABELS_CREATED);
    world.put_labels("loop-1", &champion(), 1_000..1_009, 9).await;
    function.handle(event.clone()).await.expect("considered");
    assert!(started(&world).await.is_empty(), "nine of ten");

    world.put_labels("loop-2", &champion(), 1_100..1_101, 1).await;
    let both = Box::pin(futures::future::join(
        function.handle(event.clone()),
        function.handle(event.clone()),
    ))
    .await;
    both.0.and(both.1).expect("considered");
    function.handle(event).await.expect("considered");

    assert_eq!(
        started(&world).await,
        [json!({"action": "build", "reason": "new-labels"})]
    );
}

#[tokio::test]
async fn the_labels_of_a_build_are_not_new_to_the_next() {
    let world = World::new().await;
    world.put_labels("loop-1", &champion(), 1_000..1_020, 20).await;
    Walk::new(&world, "first").build().await;
    // A walk began an hour ago: nothing but the labels holds the next build back.
    let tick = event(TICK);

    world.function().handle(tick.clone()).await.expect("considered");
    let before = started(&world).await;
    world.put_labels("loop-2", &champion(), 1_100..1_110, 10).await;
    world.function().handle(tick).await.expect("considered");

    assert!(before.is_empty());
    assert_eq!(started(&world).await.len(), 1);
}

#[tokio::test]
async fn objects_that_are_no_labels_and_foreign_payloads_start_nothing() {
    let world = World::new().await;
    let function = world.function();
    let mut dataset = event(LABELS_CREATED);
    dataset["Records"][0]["s3"]["object"]["key"] = "datasets/x/train.csv".into();

    function.handle(dataset).await.expect("left alone");
    for payload in [
        json!({}),
        json!({"operation": "destroy"}),
        json!([1]),
        json!({"operation": "begin"}),
    ] {
        let error = function.handle(payload).await.expect_err("no step").to_string();
        assert!(
            error.starts_with("the payload is neither a step, a tick nor an S3 event"),
            "{error}"
        );
    }

    assert!(started(&world).await.is_empty());
}

#[tokio::test]
async fn a_build_ends_quietly_while_another_runs_and_takes_over_from_one_that_is_gone() {
    let world = World::new().await;
    let start = world.sfn.start_execution();
    let start = start.state_machine_arn(MACHINE_ARN).name("other");
    let running = start.send().await.expect("started").execution_arn;
    let lock = |arn: &str| {
        json!({"executionArn": arn, "since": "2026-11-21T09:00:00Z"})
            .to_string()
            .into_bytes()
    };
    world.put("builds/running.json", lock(&running)).await;

    let busy = Walk::new(&world, "second").build().await;
    world
        .put("builds/running.json", lock(&format!("{running}-that-never-was")))
        .await;
    let after = Walk::new(&world, "third").build().await;
    world.put("builds/running.json", lock(&running)).await;
    let wanted = json!({"taskToken": "token"}).to_string();
    world.put("builds/other/approval.json", wanted.into_bytes()).await;
    let waiting = Walk::new(&world, "fourth").build().await;

    assert_eq!(busy.state, "AnotherBuildRuns");
    assert!(busy.why().starts_with("the build other is under way") && busy.told.is_empty());
    assert!(
        waiting
            .why()
            .contains("waits for a person: active-learning approve other"),
        "{}",
        waiting.why()
    );
    assert!(world.keys("builds/second/").await.is_empty());
    assert_eq!(after.build["status"], "deployed", "{after:?}");
}

#[tokio::test]
async fn a_build_that_finds_an_erasure_once_it_has_the_lock_gives_it_back() {
    let mut world = World::new().await;
    world.erases_at_lock = true;

    let end = Walk::new(&world, "first").build().await;

    assert_eq!(end.state, "AnotherBuildRuns", "{end:?}");
    assert!(end.why().contains("texts are being erased"), "{}", end.why());
    assert!(world.keys("builds/running.json").await.is_empty());
    assert!(world.keys("datasets/").await.is_empty());
}

#[tokio::test]
async fn a_version_that_audits_show_to_be_worse_is_rolled_back_once() {
    let world = World::new().await;
    Walk::new(&world, "first").build().await;
    let challenger = world.comprehend.serving();
    let tick = || async { world.function().handle(event(TICK)).await.expect("watched") };
    world.put_labels("before", &champion(), 1_000..1_200, 190).await;
    world.put_labels("since", &challenger, 2_000..2_029, 10).await;
    tick().await;
    let roll_backs = |started: Vec<(String, Value)>| {
        let roll_back = |(_, input): &(String, Value)| input["action"] == "roll-back";
        started.into_iter().filter(roll_back).collect::<Vec<_>>()
    };
    assert!(roll_backs(world.executions().await).is_empty(), "too few audited");

    world.put_labels("more", &challenger, 2_100..2_200, 60).await;
    tick().await;
    tick().await;
    let started = roll_backs(world.executions().await);

    let input = json!({"action": "roll-back", "reason": "accuracy", "modelArn": champion()});
    assert_eq!(
        started.iter().map(|(_, input)| input).collect::<Vec<_>>(),
        [&input]
    );
    let end = Walk::new(&world, &started[0].0).run(input).await;
    assert_eq!(end.build["status"], "rolled-back", "{end:?}");
    assert_eq!(world.comprehend.serving(), champion());
    let last = world.deployments().await.pop().expect("a deployment");
    assert_eq!(last["by"], "automatic-roll-back");
    assert!(end.told[0].1.contains("significantly worse"), "{:?}", end.told);
    tick().await;
    assert_eq!(
        roll_backs(world.executions().await).len(),
        1,
        "what was rolled back to is not watched"
    );
}

#[tokio::test]
async fn a_sample_of_the_first_step_begins_a_build() {
    let world = World::new().await;

    let build = world.function().handle(event(BEGIN)).await.expect("begun");

    assert_eq!(
        (&build["status"], &build["champion"]),
        (&json!("build"), &json!(champion()))
    );
    let last: Value = world.read("builds/last.json").await.expect("the attempt");
    assert_eq!((&last["id"], &last["number"]), (&build["id"], &json!(1)));
}

#[tokio::test]
async fn a_confidence_that_does_not_rank_is_told_once() {
    let world = World::new().await;
    let tick = || async { world.function().handle(event(TICK)).await.expect("watched") };
    let warnings = || async {
        let started = world.executions().await.into_iter();
        started
            .filter(|(name, _)| name.starts_with("confidence-warning-"))
            .collect::<Vec<_>>()
    };
    // Every confidence is the same: it tells nothing.
    world.put_labels("loop-1", &champion(), 1_000..1_019, 10).await;
    tick().await;
    assert!(warnings().await.is_empty(), "nine wrong ones are too few to say");

    world.put_labels("loop-2", &champion(), 1_100..1_110, 5).await;
    tick().await;
    world.put_labels("loop-3", &champion(), 1_200..1_210, 5).await;
    tick().await;

    let warnings = warnings().await;
    let [(name, input)] = &warnings[..] else {
        panic!("{warnings:?}")
    };
    let end = Walk::new(&world, name).run(input.clone()).await;
    assert_eq!(end.states, ["Start", "IsMessage", "Tell"]);
    let (subject, message) = &end.told[0];
    assert!(
        subject.starts_with("The confidence does not rank: model initial/version/v0"),
        "{subject}"
    );
    assert!(message.contains("AUROC 0.50"), "{message}");
}
