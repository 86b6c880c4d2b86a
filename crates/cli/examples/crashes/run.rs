//! A run: many texts at once, with deaths and faults by chance, and what became of the texts.

use std::{cell::Cell, collections::BTreeMap, sync::Arc, time::Duration};

use active_learning_aws::label_set::LabelSets;
use active_learning_core::random::Random;
use chrono::Utc;
use futures::future::{LocalBoxFuture, join_all};
use local_aws::faults::{Fault, Rates};
use model_building::export::{Format, export};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    ledger::{BLOCK, Ledger, RENAMED, Verdict},
    people::{Reviewer, send_block},
    stack::Shipped,
    world::{Event, Fate, World},
};

/// Of a hundred invocations, those that may end with the death of their process.
const DEATHS_PERCENT: u64 = 20;
const CLIENTS: usize = 3;
const REVIEWERS: usize = 3;
/// Events that are worked off at a time.
const WORKERS: usize = 4;
/// Attempts at an event, as Lambda makes them.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);
/// How often the delivery stream delivers.
const DELIVERY: Duration = Duration::from_secs(2);
/// How often what the clock calls for is done.
const CLOCK: Duration = Duration::from_secs(60);

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    pub verdict: Verdict,
    pub invocations: u64,
    pub deaths: u64,
    /// Events that failed three times, and were sent again at the end.
    pub redriven: u64,
    pub faults: BTreeMap<Fault, u64>,
    /// Texts of which the portal took more than one answer.
    pub asked_twice: Vec<String>,
}

/// Has so many texts go the whole way while processes die and calls fail by chance; at the end all goes well, until nothing
/// is left to do.
pub async fn run(shipped: Arc<Shipped>, seed: u64, records: usize) -> Outcome {
    let fate = Fate::Chance {
        percent: DEATHS_PERCENT,
        random: Random::new(seed),
    };
    let world = World::new(shipped, fate);
    has_labels(&world).await;
    let run = Run {
        world,
        ledger: Ledger::new(seed, records, 1),
        is_over: Cell::new(false),
        next: Cell::new(0),
        given_up: Cell::default(),
    };
    run.world.faults().at_random(seed, Rates::high());
    let mut reviewers: Vec<Reviewer> = (0..REVIEWERS)
        .map(|number| Reviewer::new(&format!("reviewer-{number}")))
        .collect();
    run.under_faults(seed, &mut reviewers).await;

    let faults = run.world.faults().befallen();
    run.world.faults().at_random(seed, Rates::default());
    run.world.spare_all();
    let given_up = run.given_up.take();
    let redriven = given_up.len() as u64;
    given_up.into_iter().for_each(|event| run.world.put_back(event));
    let dead_letters = settle(&run.world, &run.ledger, &mut reviewers).await;
    let verdict = run.ledger.verdict(&exported(&run.world).await, dead_letters);
    Outcome {
        verdict,
        invocations: run.world.invocations().len() as u64,
        deaths: run.world.deaths(),
        redriven,
        faults,
        asked_twice: run.ledger.asked_twice(),
    }
}

struct Run {
    world: World,
    ledger: Ledger,
    is_over: Cell<bool>,
    /// The first text that no client has taken yet.
    next: Cell<usize>,
    given_up: Cell<Vec<Event>>,
}

impl Run {
    async fn under_faults(&self, seed: u64, reviewers: &mut [Reviewer]) {
        let mut all: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
        for number in 0..WORKERS as u64 {
            all.push(Box::pin(self.work(Random::new(seed ^ (number << 32)))));
        }
        for reviewer in reviewers {
            all.push(Box::pin(self.review(reviewer)));
        }
        all.push(Box::pin(self.stream()));
        all.push(Box::pin(self.clock()));
        let clients = join_all((0..CLIENTS).map(|_| self.send()));
        all.push(Box::pin(async {
            clients.await;
            self.is_over.set(true);
        }));
        join_all(all).await;
    }

    async fn send(&self) {
        loop {
            let first = self.next.get();
            if first >= self.ledger.records() {
                return;
            }
            self.next.set(first + BLOCK);
            send_block(&self.world, &self.ledger, first).await;
            if first * 2 < self.ledger.records() && self.next.get() * 2 >= self.ledger.records() {
                rename(&self.world).await;
            }
        }
    }

    /// Works events off in an order by chance, until it is over.
    async fn work(&self, mut random: Random) {
        loop {
            let place = random.next_u64() as usize % self.world.waiting().max(1);
            let Some(event) = self.world.take_event(place) else {
                if self.is_over.get() {
                    return;
                }
                sleep(PAUSE).await;
                continue;
            };
            if self.world.faults().befalls(Fault::RepeatedEvent) {
                self.world.put_back(event.clone());
            }
            if let Some(failed) = attempt(&self.world, event).await {
                match failed.failures < ATTEMPTS {
                    true => self.world.put_back(failed),
                    false => {
                        let mut given_up = self.given_up.take();
                        given_up.push(failed);
                        self.given_up.set(given_up);
                    }
                }
            }
        }
    }

    async fn review(&self, reviewer: &mut Reviewer) {
        while !self.is_over.get() {
            if !reviewer.step(&self.world, &self.ledger).await {
                sleep(PAUSE).await;
            }
        }
    }

    async fn stream(&self) {
        let mut number = 0;
        while !self.is_over.get() {
            sleep(DELIVERY).await;
            self.world.deliver(number);
            number += 1;
        }
    }

    async fn clock(&self) {
        while !self.is_over.get() {
            sleep(CLOCK).await;
            for (function, operation) in [("a2i-trigger", "select"), ("label-collection", "sweep")] {
                // The next one comes.
                let _ = self
                    .world
                    .invoke(function, json!({ "operation": operation }))
                    .await;
            }
        }
    }
}

/// Has a label set, as a stack has one from its start.
pub async fn has_labels(world: &World) {
    let names = ["World", "Sports", "Business", "SciTech"].map(str::to_owned);
    let sets = LabelSets::new(world.bucket("training"));
    sets.take_data(&names, false, &active_learning_aws::now())
        .await
        .expect("there is none yet");
}

/// Renames a label, as an operator does; tries until it is done.
pub async fn rename(world: &World) {
    let (old, new) = RENAMED;
    loop {
        let sets = LabelSets::new(world.bucket("training"));
        let renamed = sets
            .edit(&active_learning_aws::now(), |set| set.rename(old, new))
            .await;
        let set = LabelSets::new(world.bucket("training")).current().await;
        if renamed.is_ok() || set.is_ok_and(|set| set.is_some_and(|set| set.active().any(|name| name == new)))
        {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// Attempts an event; returns it if it failed.
async fn attempt(world: &World, event: Event) -> Option<Event> {
    let outcome = world.invoke(&event.function, event.payload.clone()).await;
    outcome.err().map(|_| Event {
        failures: event.failures + 1,
        ..event
    })
}

/// Works on until there is nothing more to do; returns how many events cannot be worked off.
pub async fn settle(world: &World, ledger: &Ledger, reviewers: &mut [Reviewer]) -> usize {
    let (mut quiet, mut left) = (0, 0);
    // Beyond all deliveries that there were.
    for number in u64::from(u32::MAX).. {
        let mut is_busy = world.deliver(number);
        while let Some(event) = world.take_event(0) {
            is_busy = true;
            match attempt(world, event).await {
                Some(failed) if failed.failures <= 2 * ATTEMPTS => world.put_back(failed),
                Some(_) => left += 1,
                None => {}
            }
        }
        for reviewer in &mut *reviewers {
            while reviewer.step(world, ledger).await {
                is_busy = true;
            }
        }
        if !is_busy {
            // As the start of a stack does, which knows that none selects.
            a2i_trigger::free_turn(&world.bucket("feedback"), Utc::now())
                .await
                .expect("no fault befalls");
            for (function, operation) in [("a2i-trigger", "select"), ("label-collection", "sweep")] {
                let called = world.invoke(function, json!({ "operation": operation })).await;
                is_busy |= called.is_err();
            }
        }
        quiet = if is_busy { 0 } else { quiet + 1 };
        if quiet == 2 {
            break;
        }
    }
    left
}

/// Returns the labelled rows, label and text.
pub async fn exported(world: &World) -> Vec<(String, String)> {
    let mut file = Vec::new();
    let exported = export(&world.bucket("training"), Format::ComprehendCsv, false, &mut file).await;
    exported.expect("no fault befalls");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(file.as_slice());
    reader.deserialize().collect::<Result<_, _>>().expect("rows")
}
