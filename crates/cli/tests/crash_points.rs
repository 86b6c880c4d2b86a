//! Texts go the whole way through the shipped functions, and in each run one function dies: of every invocation, before its
//! first call to a service and after each call that changes something. Each time every text is labelled once, and rightly.

#[path = "crash_points/full_queue.rs"]
mod full_queue;
#[path = "../examples/crashes/function.rs"]
mod function;
#[path = "../examples/growth/function_url.rs"]
mod function_url;
#[expect(dead_code, reason = "`fault-run` takes more of it")]
#[path = "../src/fault_run/ledger.rs"]
mod ledger;
#[expect(dead_code, reason = "the benchmark `portal-load` takes more of it")]
#[path = "../../human-review/examples/portal-load/memory.rs"]
mod memory;
#[path = "../examples/crashes/people.rs"]
mod people;
#[path = "../../human-review/examples/portal-load/portal_event.rs"]
mod portal_event;
#[path = "../examples/crashes/process.rs"]
mod process;
#[expect(dead_code, reason = "the example `crashes` prints more of it")]
#[path = "../examples/crashes/run.rs"]
mod run;
#[expect(dead_code, reason = "the benchmark `growth` takes more of it")]
#[path = "../../human-review/examples/portal-load/series.rs"]
mod series;
#[path = "../examples/crashes/services.rs"]
mod services;
#[expect(dead_code, reason = "the benchmark `growth` takes more of it")]
#[path = "../examples/growth/stack.rs"]
mod stack;
#[path = "../../human-review/examples/portal-load/wire.rs"]
mod wire;
mod wording {
    pub use active_learning_core::text::counted;
}
#[path = "../examples/crashes/world.rs"]
mod world;

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::Arc,
    thread::{available_parallelism, scope},
};

use ledger::{Kind, Ledger, Verdict};
use people::{Reviewer, send, send_block};
use process::Death;
use run::{exported, has_labels, settle};
use stack::Shipped;
use world::{Fate, Invocation, World};

/// Texts of this seed.
const SEED: u64 = 1;
/// First text of a block that is uploaded as a file.
const FILE: usize = 10;

/// Returns a text of each kind that people are asked about.
fn texts(ledger: &Ledger) -> Vec<usize> {
    [Kind::Classify, Kind::Correct, Kind::Dislike]
        .map(|kind| {
            let number = (0..FILE).find(|number| ledger.kind(*number) == kind);
            number.expect("there is one of each kind")
        })
        .into()
}

/// Has one text of each kind and a file of one go the whole way, one thing after the other.
async fn go(shipped: Arc<Shipped>, deaths: BTreeMap<usize, Death>) -> (Verdict, World) {
    let world = World::new(shipped, Fate::Chosen(deaths));
    has_labels(&world).await;
    let ledger = Ledger::new(SEED, FILE + 1, 1);
    for number in texts(&ledger) {
        ledger.will_send(number);
        send(&world, &ledger, number).await;
    }
    send_block(&world, &ledger, FILE).await;
    let dead_letters = settle(&world, &ledger, &mut [Reviewer::new("ann")]).await;
    let verdict = ledger.verdict(&exported(&world).await, dead_letters);
    (verdict, world)
}

fn tried(shipped: &Arc<Shipped>, deaths: BTreeMap<usize, Death>) -> (Verdict, World) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    let way = Box::pin(go(shipped.clone(), deaths));
    runtime.expect("a runtime").block_on(way)
}

#[test]
fn a_function_that_dies_at_any_of_its_calls_loses_doubles_and_falsifies_nothing() {
    let shipped = Arc::new(Shipped::read());
    let (verdict, world) = tried(&shipped, BTreeMap::new());
    let invocations = world.invocations();
    let whole = Verdict {
        acknowledged: 4,
        expected: 4,
        labelled: 4,
        ..Verdict::default()
    };
    assert_eq!(verdict, whole);
    let functions = [
        "classify",
        "feedback-api",
        "batch-feedback",
        "a2i-trigger",
        "human-review",
        "label-collection",
        "review-events",
    ];
    for function in functions {
        let writes = invocations
            .iter()
            .any(|it| it.function == function && !it.writes.is_empty());
        assert!(writes, "{function}");
    }

    let deaths = deaths(&invocations);
    let workers = available_parallelism().map_or(1, NonZeroUsize::get);
    let faults: Vec<String> = scope(|scope| {
        let (deaths, shipped, whole, invocations) = (&deaths, &shipped, &whole, &invocations);
        let try_some = move |worker: usize| {
            let own = deaths.iter().skip(worker).step_by(workers);
            let fault = |(number, death): &(usize, Death)| {
                let (verdict, world) = tried(shipped, BTreeMap::from([(*number, *death)]));
                let died = world.deaths() == 1;
                (verdict != *whole || !died).then(|| {
                    let function = &invocations[*number].function;
                    format!("{function}, invocation {number}, {death:?}: {verdict:?}, died: {died}")
                })
            };
            own.filter_map(fault).collect::<Vec<_>>()
        };
        let running: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || try_some(worker)))
            .collect();
        let ended = running
            .into_iter()
            .map(|worker| worker.join().expect("it does not panic"));
        ended.flatten().collect()
    });
    println!("{} deaths in {} invocations", deaths.len(), invocations.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn texts_that_go_together_while_functions_die_and_calls_fail_are_each_labelled_once_and_rightly() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    let run = Box::pin(run::run(Arc::new(Shipped::read()), SEED, 60));
    let outcome = runtime.expect("a runtime").block_on(run);

    assert!(outcome.verdict.is_clean(), "{outcome:?}");
    assert_eq!(outcome.verdict.acknowledged, 60);
    assert!(outcome.verdict.expected > 40, "{outcome:?}");
    assert!(
        outcome.deaths > 0 && outcome.faults.values().sum::<u64>() > 10,
        "{outcome:?}"
    );
}

/// Returns the deaths that differ: before anything was done, and after each write. A read changes nothing.
fn deaths(invocations: &[Invocation]) -> Vec<(usize, Death)> {
    let of = |(number, invocation): (usize, &Invocation)| {
        let before = Death {
            call: 0,
            is_carried_out: false,
        };
        let after = invocation.writes.iter().map(|call| Death {
            call: *call,
            is_carried_out: true,
        });
        let all: Vec<_> = std::iter::once(before)
            .chain(after)
            .map(|death| (number, death))
            .collect();
        all
    };
    invocations.iter().enumerate().flat_map(of).collect()
}
