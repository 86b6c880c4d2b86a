//! The promise of automated labelling: made, watched and broken by audits, told to people, and kept by datasets.

use active_learning_core::{
    feedback::{
        FeedbackRecord,
        prediction::{ClassScore, Prediction},
    },
    model::accuracy_guarantee::{PROMISES_KEY, PromiseState, Promises},
};
use model_building::versions;
use serde_json::{Value, json};

use crate::{
    walk::Walk,
    world::{BUCKET, World, champion, text},
};

async fn world() -> World {
    let mut world = World::new().await;
    world.settings.insert("AUTOMATED_LABELLING_ACCURACY", "0.8");
    world
}

async fn tick(world: &World) {
    let tick = json!({"operation": "tick"});
    world.function().handle(tick).await.expect("ticked");
}

async fn promises(world: &World) -> Promises {
    world.read(PROMISES_KEY).await.unwrap_or_default()
}

/// What people are told of promises, oldest first.
async fn told(world: &World) -> Vec<Value> {
    let executions = world.executions().await.into_iter().rev();
    let of_promises = executions.filter(|(name, _)| name.starts_with("promise-"));
    of_promises
        .map(|(_, input)| input["notification"].clone())
        .collect()
}

/// Stores predictions that were accepted, with a confidence of 0.97.
async fn accept(world: &World, numbers: std::ops::Range<u64>) {
    let line = |number| {
        let (label, text) = text(number);
        let classes = vec![ClassScore {
            name: label.to_owned(),
            score: 0.97,
        }];
        let prediction = Prediction::multi_class(classes).expect("a class");
        let now = "2026-11-21T10:00:00.000Z";
        FeedbackRecord::accepted("news", &text, &prediction, 0.5, "p-1", champion(), now).to_line()
    };
    let lines: String = numbers.map(line).collect();
    world.put("machine-labelled/a.jsonl", lines.into_bytes()).await;
}

#[tokio::test]
async fn audits_switch_a_promise_on_and_later_ones_break_it_and_people_are_told_once() {
    let world = world().await;
    world.put_labels("loop-1", &champion(), 1_000..1_020, 20).await;
    tick(&world).await;
    let waiting = promises(&world).await.0[&champion()].clone();
    assert_eq!((waiting.state, waiting.threshold), (PromiseState::Waiting, None));
    assert!(told(&world).await.is_empty());

    world.put_labels("loop-2", &champion(), 1_100..1_160, 60).await;
    for _ in 0..3 {
        tick(&world).await;
    }
    let on = promises(&world).await.0[&champion()].clone();
    assert_eq!(
        (on.state, on.threshold, on.told),
        (PromiseState::On, Some(0.74), true)
    );
    assert_eq!((on.evidence.audited, on.watched.audited), (80, 0));

    world.put_labels("loop-3", &champion(), 1_200..1_240, 0).await;
    for _ in 0..3 {
        tick(&world).await;
    }
    let broken = promises(&world).await.0[&champion()].clone();
    assert_eq!((broken.state, broken.told), (PromiseState::Broken, true));
    assert_eq!((broken.watched.audited, broken.watched.wrong), (40, 40));
    let told = told(&world).await;
    let [first, second] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        first["subject"],
        "Automated labelling is on: model initial/version/v0"
    );
    assert_eq!(
        second["subject"],
        "Automated labelling is off: model initial/version/v0"
    );
    assert!(
        second["message"]
            .as_str()
            .expect("a text")
            .contains("40 are wrong"),
        "{second}"
    );

    world.put_labels("loop-4", &champion(), 2_000..2_500, 500).await;
    tick(&world).await;
    assert_eq!(
        promises(&world).await.0[&champion()].state,
        PromiseState::Broken,
        "for good"
    );
    let versions = versions(&world.bucket(), Some(&champion()))
        .await
        .expect("versions");
    let shown = versions[0].promise.as_ref().expect("a promise");
    assert_eq!(shown.state, PromiseState::Broken);
}

#[tokio::test]
async fn a_build_trains_on_accepted_predictions_by_their_common_prefix_until_audits_break_the_promise() {
    let world = world().await;
    world.put_labels("loop-1", &champion(), 1_000..1_080, 80).await;
    tick(&world).await;
    accept(&world, 5_000..5_100).await;

    let first = Walk::new(&world, "first").every_step(2).build().await;
    // No tick in between: the build looks at the newest audits itself.
    world.put_labels("loop-2", &champion(), 1_200..1_260, 0).await;
    Walk::new(&world, "second").build().await;

    let created = world.comprehend.calls("CreateDocumentClassifier");
    let [with, .., without] = &created[..] else {
        panic!("{created:?}")
    };
    let version = |call: &Value| call["VersionName"].as_str().expect("a version").to_owned();
    assert_eq!(
        with["InputDataConfig"]["S3Uri"],
        format!("s3://{BUCKET}/datasets/{}/train", version(with))
    );
    assert_eq!(
        without["InputDataConfig"]["S3Uri"],
        format!("s3://{BUCKET}/datasets/{}/train.csv", version(without))
    );
    let keys = world.keys(&format!("datasets/{}/train", version(with))).await;
    assert_eq!(keys.len(), 2, "{keys:?}");
    let manifest: Value = world
        .read(&format!("datasets/{}/manifest.json", version(with)))
        .await
        .expect("a manifest");
    let rows = manifest["machineLabelled"]["rows"]
        .as_u64()
        .expect("machine rows");
    assert!((50..=100).contains(&rows), "{manifest}");
    let message = &first.told.last().expect("told").1;
    assert!(
        message.contains(&format!("of people and {rows} that were labelled automatically")),
        "{message}"
    );
    let versions = versions(&world.bucket(), None).await.expect("versions");
    assert!(versions.iter().any(|shown| shown.machine_rows == Some(rows)));
}

#[tokio::test]
async fn machine_labels_never_start_a_build() {
    let world = world().await;
    accept(&world, 5_000..5_500).await;

    tick(&world).await;

    assert!(world.executions().await.is_empty());
}

#[tokio::test]
async fn a_tick_describes_the_endpoint_once() {
    for accuracy in ["0", "0.8"] {
        let mut world = World::new().await;
        world.settings.insert("AUTOMATED_LABELLING_ACCURACY", accuracy);

        tick(&world).await;

        assert_eq!(world.comprehend.calls("DescribeEndpoint").len(), 1, "{accuracy}");
    }
}

#[tokio::test]
async fn with_automated_labelling_off_nothing_is_promised() {
    let world = World::new().await;
    world.put_labels("loop-1", &champion(), 1_000..1_080, 80).await;

    tick(&world).await;

    assert!(world.keys("automated-labelling/").await.is_empty());
    assert!(told(&world).await.is_empty());
}

#[tokio::test]
async fn two_ticks_at_a_time_make_one_promise() {
    let world = world().await;
    world.put_labels("loop-1", &champion(), 1_000..1_080, 80).await;

    Box::pin(futures::future::join(tick(&world), tick(&world))).await;
    tick(&world).await;

    assert_eq!(promises(&world).await.0[&champion()].state, PromiseState::On);
    assert_eq!(told(&world).await.len(), 1);
}
