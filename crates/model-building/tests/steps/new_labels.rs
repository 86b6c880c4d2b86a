//! What a tick reads of the labels: what is new, each once, whatever breaks off.

use active_learning_aws::labelled;
use active_learning_core::keys::{NEW_LABELS_FOLDER, TALLY, labelled as labelled_key, mark_of_labelled};
use local_aws::script::Script;
use serde_json::{Value, json};

use crate::world::{BUCKET, World, champion};

const TICK: &str = include_str!("../../../../events/model-building/tick.json");
const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";

async fn tick(world: &World) -> Script {
    let script = Script::default();
    let tick = serde_json::from_str(TICK).expect("JSON");
    world.function_by(&script).handle(tick).await.expect("a tick");
    script
}

async fn tally(world: &World) -> Value {
    world.read(TALLY).await.expect("sums")
}

/// Has the hour be over in which objects are listed beside their marks.
async fn be_long_listed(world: &World) {
    let mut tally = tally(world).await;
    tally["listedAt"] = json!("2026-01-01T00:00:00Z");
    world.put(TALLY, tally.to_string().into_bytes()).await;
}

async fn marks(world: &World) -> usize {
    world.keys(NEW_LABELS_FOLDER).await.len()
}

#[tokio::test]
async fn a_tick_asks_s3_as_often_with_three_thousand_old_objects_as_with_thirty() {
    let mut calls = Vec::new();
    for old in [30, 3_000] {
        let world = World::new().await;
        for number in 0..old {
            let human_loop = format!("old-{number}");
            world.put(&labelled_key(&human_loop), b"{}".to_vec()).await;
        }
        tick(&world).await;
        be_long_listed(&world).await;
        let idle = tick(&world).await;
        world.label("new", &champion(), 0..7, 7).await;
        let busy = tick(&world).await;

        assert_eq!(tally(&world).await["labels"], 7);
        calls.push((idle.calls("").len(), busy.calls("").len()));
        let of_old = busy.calls(&format!("GET /{BUCKET}/labelled/old-"));
        assert!(of_old.is_empty());
    }
    assert_eq!(calls[0], calls[1]);
    // The object, the sums, the mark.
    assert_eq!(calls[0].1, calls[0].0 + 3);
}

#[tokio::test]
async fn labels_of_a_version_without_marks_are_listed_once_and_counted() {
    let world = World::new().await;
    world.put_labels("old", &champion(), 0..5, 5).await;
    world
        .put(
            TALLY,
            br#"{"labels": 0, "since": null, "through": null, "recent": {}, "models": {}}"#.to_vec(),
        )
        .await;

    tick(&world).await;
    world.put_labels("late", &champion(), 10..12, 2).await;
    tick(&world).await;

    assert_eq!(
        tally(&world).await["labels"],
        7,
        "that of a function of the version before too"
    );
    be_long_listed(&world).await;
    world.put_labels("unmarked", &champion(), 20..22, 2).await;
    tick(&world).await;
    assert_eq!(tally(&world).await["labels"], 7, "nothing is listed any more");
}

#[tokio::test]
async fn a_mark_waits_for_its_object_and_goes_when_it_is_counted() {
    let world = World::new().await;
    tick(&world).await;
    be_long_listed(&world).await;
    let mark = mark_of_labelled("slow", "w-1");
    world.put(&mark, Vec::new()).await;

    tick(&world).await;
    assert_eq!(world.keys(NEW_LABELS_FOLDER).await, [mark]);
    world.label("slow", &champion(), 0..3, 3).await;
    assert_eq!(
        marks(&world).await,
        2,
        "the write that broke off and the one that did not"
    );
    tick(&world).await;

    assert_eq!(tally(&world).await["labels"], 3);
    assert_eq!(marks(&world).await, 0);
}

#[tokio::test]
async fn what_is_written_again_long_after_it_was_counted_counts_no_second_time() {
    let world = World::new().await;
    tick(&world).await;
    be_long_listed(&world).await;
    world.label("twice", &champion(), 0..3, 3).await;
    tick(&world).await;
    let mut forgotten = tally(&world).await;
    assert_eq!(
        forgotten["recent"].as_object().map(|recent| recent.len()),
        Some(1)
    );
    forgotten["recent"] = json!({});
    world.put(TALLY, forgotten.to_string().into_bytes()).await;

    // The same event once more: its object is there, and stays.
    let again = labelled::create(&world.bucket(), "twice", "other".to_owned()).await;
    again.map(drop).expect("told");
    assert_eq!(marks(&world).await, 1);
    tick(&world).await;

    assert_eq!(tally(&world).await["labels"], 3);
    assert_eq!(marks(&world).await, 0);
}

#[tokio::test]
async fn a_label_counts_once_wherever_ticks_break_off() {
    for calls in 0..30 {
        let world = World::new().await;
        world.label("first", &champion(), 0..4, 4).await;
        tick(&world).await;
        be_long_listed(&world).await;
        world.label("second", &champion(), 10..13, 3).await;
        world.label("third", &champion(), 20..22, 2).await;
        let script = Script::default();
        script.pass(calls, "");
        script.always("", 403, DENIED);

        let tick_event = serde_json::from_str(TICK).expect("JSON");
        let broken_off = world.function_by(&script).handle(tick_event).await;
        tick(&world).await;
        tick(&world).await;

        let tally = tally(&world).await;
        assert_eq!(tally["labels"], 9, "after {calls} calls: {broken_off:?}");
        assert_eq!(tally["models"][champion()]["judged"], 9);
        assert_eq!(marks(&world).await, 0);
    }
}

#[tokio::test]
async fn the_first_count_of_all_labels_counts_each_once_wherever_it_breaks_off() {
    for calls in 0..30 {
        let world = World::new().await;
        world.put_labels("old", &champion(), 0..4, 4).await;
        world.label("new", &champion(), 10..13, 3).await;
        let script = Script::default();
        script.pass(calls, "");
        script.always("", 403, DENIED);

        let tick_event = serde_json::from_str(TICK).expect("JSON");
        let broken_off = world.function_by(&script).handle(tick_event).await;
        tick(&world).await;
        be_long_listed(&world).await;
        tick(&world).await;

        assert_eq!(
            tally(&world).await["labels"],
            7,
            "after {calls} calls: {broken_off:?}"
        );
        assert_eq!(marks(&world).await, 0);
    }
}

#[tokio::test]
async fn sums_that_are_gone_are_made_anew_from_all_labels_with_marks_and_without() {
    let world = World::new().await;
    world.label("counted", &champion(), 0..4, 4).await;
    tick(&world).await;
    world.label("marked", &champion(), 10..13, 3).await;
    // A write that found its object there.
    world.put(&mark_of_labelled("counted", "late"), Vec::new()).await;
    world.bucket().delete(TALLY).await.expect("deleted");

    tick(&world).await;

    assert_eq!(tally(&world).await["labels"], 7);
    assert_eq!(marks(&world).await, 0);
}

#[tokio::test]
async fn more_than_a_page_of_marks_is_counted_in_one_tick() {
    let world = World::new().await;
    tick(&world).await;
    be_long_listed(&world).await;
    for number in 0..1_050 {
        world
            .put(&mark_of_labelled(&format!("a-{number:04}"), "w"), Vec::new())
            .await;
    }
    world.label("z", &champion(), 0..3, 3).await;

    tick(&world).await;

    assert_eq!(tally(&world).await["labels"], 3);
}

#[tokio::test]
async fn answers_count_by_day_and_by_what_the_model_took_them_for_once_however_many_ticks_there_are() {
    let world = World::new().await;
    world.label("first", &champion(), 0..7, 5).await;

    for _ in 0..3 {
        tick(&world).await;
    }
    be_long_listed(&world).await;
    world.label("second", &champion(), 10..12, 2).await;
    for _ in 0..2 {
        tick(&world).await;
    }

    let tally = tally(&world).await;
    let days = tally["answered"]["days"].as_object().expect("days");
    let sum = |name: &str| days.values().filter_map(|day| day[name].as_u64()).sum::<u64>();
    assert_eq!((sum("texts"), sum("items"), sum("tasks")), (9, 9, 2), "{tally}");
    let confusion = &tally["confusions"][champion()];
    assert_eq!(confusion["texts"], 9, "{tally}");
    let rows = confusion["pairs"].as_object().expect("pairs");
    let all = rows.iter().flat_map(|(predicted, row)| {
        let row = row.as_object().expect("a row");
        row.iter()
            .map(move |(said, texts)| (predicted == said, texts.as_u64().expect("a count")))
    });
    let wrong = all.filter(|(is_right, _)| !is_right).map(|(_, texts)| texts);
    assert_eq!(wrong.sum::<u64>(), 2);
}
