//! More tasks are open than the review service takes: what has no room waits, is said, and is asked as room comes.

use active_learning_aws::human_loops::without_room;
use active_learning_core::keys;
use http::Request;
use serde_json::{Value, json};

use crate::{
    function_url::{HUMAN_LOOPS, url_event},
    ledger::{BLOCK, Ledger, Verdict},
    people::{Reviewer, send_block},
    run::{exported, has_labels, rename, settle},
    stack::Shipped,
    world::{Fate, REVIEW, World},
};

/// Most tasks in flight. Source: Amazon A2I quotas.
const QUOTA: usize = 5_000;
/// Room that is left for texts.
const ROOM: usize = 10;
/// Texts, each in a task of its own. Who counts at the same time finds the same room, so some more than fit are asked.
const TEXTS: usize = 6 * BLOCK;

fn filler(number: usize) -> String {
    format!("filler-{number:04}")
}

/// Calls the review service; returns whether it did as it was told.
async fn review(world: &World, path: &str, body: Value) -> bool {
    let request = Request::post(format!("{HUMAN_LOOPS}{path}"));
    let (head, ()) = request.body(()).expect("a request").into_parts();
    let answer = world.invoke_review(url_event(&head, &body.to_string())).await;
    let answer = answer.expect("no fault befalls");
    answer["statusCode"].as_u64().is_some_and(|status| status < 300)
}

/// Starts a task, and puts so many more beside it that are the same but for their names.
async fn fill(world: &World, workflow: &str, count: usize) {
    let first = filler(0);
    let input = json!({ "InputContent": "{\"taskObject\": \"one of many\"}" });
    let start = json!({ "HumanLoopName": first, "FlowDefinitionArn": workflow, "HumanLoopInput": input });
    assert!(review(world, "", start).await);

    let bucket = world.bucket_name("review").to_owned();
    let of_first = world.memory().objects(&bucket).into_iter();
    let of_first: Vec<_> = of_first.filter(|(path, _)| path.contains(&first)).collect();
    for number in 1..count {
        for (path, body) in &of_first {
            let named = |text: &str| text.replace(&first, &filler(number));
            let body = named(&String::from_utf8_lossy(body));
            world.memory().place(named(path), body.into_bytes());
        }
    }
    // The process that started the first one has counted the room before there were others.
    world.end_idle(REVIEW);
}

/// Stops tasks, as who started them does.
async fn stop(world: &World, fillers: std::ops::Range<usize>) {
    for number in fillers {
        assert!(review(world, "/stop", json!({ "HumanLoopName": filler(number) })).await);
    }
    // A process that has seen the queue full believes it for some seconds.
    world.end_idle(REVIEW);
}

/// Has all tasks go that are there to fill the queue.
fn remove_fillers(world: &World) {
    let bucket = world.bucket_name("review").to_owned();
    for (path, _) in world.memory().objects(&bucket) {
        if path.contains("filler-") {
            world.memory().remove(&path);
        }
    }
    world.end_idle(REVIEW);
}

/// How many questions wait since there is no room, once the sweep has asked what it can.
async fn kept_after_sweep(world: &World) -> usize {
    let swept = world
        .invoke("label-collection", json!({ "operation": "sweep" }))
        .await;
    swept.expect("no fault befalls");
    kept(world).await
}

async fn kept(world: &World) -> usize {
    let [feedback, review] = ["feedback", "review"].map(|kind| world.bucket(kind));
    without_room(&feedback, &review).await.expect("no fault befalls")
}

async fn go() -> (Vec<usize>, Verdict) {
    let mut shipped = Shipped::read();
    shipped.set_variable("a2i-trigger", "ITEMS_PER_TASK", "1");
    let workflow = shipped
        .variable("a2i-trigger", "HUMAN_REVIEW_WORKFLOW_ARN")
        .to_owned();
    let world = World::new(shipped.into(), Fate::Chosen([].into()));
    has_labels(&world).await;
    fill(&world, &workflow, QUOTA - ROOM).await;
    let ledger = Ledger::new(crate::SEED, TEXTS, 1);
    for first in (0..TEXTS).step_by(BLOCK) {
        send_block(&world, &ledger, first).await;
    }
    let dead_letters = settle(&world, &ledger, &mut []).await;
    let mut waiting = vec![dead_letters, kept(&world).await];

    stop(&world, 0..2 * ROOM).await;
    waiting.push(kept_after_sweep(&world).await);
    remove_fillers(&world);
    waiting.push(kept_after_sweep(&world).await);

    // As in every run of these texts.
    rename(&world).await;
    let dead_letters = settle(&world, &ledger, &mut [Reviewer::new("ann")]).await;
    let marks = world.bucket("review").list(keys::QUEUE_FOLDER).await;
    waiting.push(marks.expect("no fault befalls").len());
    (waiting, ledger.verdict(&exported(&world).await, dead_letters))
}

#[test]
fn beyond_5000_open_tasks_questions_wait_are_counted_and_are_asked_as_room_comes() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();

    let (waiting, verdict) = runtime.expect("a runtime").block_on(Box::pin(go()));

    let [dead_letters, at_first, later, at_last, open] = waiting[..] else {
        panic!("{waiting:?}");
    };
    assert!(
        at_first <= verdict.expected - ROOM && 0 < later && later < at_first,
        "{waiting:?}"
    );
    assert_eq!((dead_letters, at_last, open), (0, 0, 0));
    assert_eq!(verdict.labelled, verdict.expected);
    assert!(verdict.is_clean(), "{verdict:?}");
}
