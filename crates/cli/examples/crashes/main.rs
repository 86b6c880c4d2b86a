//! Texts go the whole way through the shipped functions while these die in the middle of what they do and calls to
//! services fail; at the end every text that was acknowledged is looked for.
//!
//! All is in one process, on one thread, and waiting takes no time: a function that dies is dropped at a call to a service,
//! which is carried out or not. So a million texts are tried in an hour or two. `fault-run` is the same with real processes,
//! real kills and the shipped services.
//!
//! Arguments: texts a piece (10,000), pieces (1), seed of the first piece (1). Pieces are runs of their own. The program
//! exits with 1 if anything was lost, doubled or falsified.

mod function;
#[path = "../growth/function_url.rs"]
mod function_url;
#[expect(dead_code, reason = "`fault-run` takes more of it")]
#[path = "../../src/fault_run/ledger.rs"]
mod ledger;
#[expect(dead_code, reason = "the benchmark `portal-load` takes more of it")]
#[path = "../../../human-review/examples/portal-load/memory.rs"]
mod memory;
mod people;
#[path = "../../../human-review/examples/portal-load/portal_event.rs"]
mod portal_event;
mod process;
mod run;
#[expect(dead_code, reason = "the benchmark `growth` takes more of it")]
#[path = "../../../human-review/examples/portal-load/series.rs"]
mod series;
mod services;
#[expect(dead_code, reason = "the benchmark `growth` takes more of it")]
#[path = "../growth/stack.rs"]
mod stack;
#[path = "../../../human-review/examples/portal-load/wire.rs"]
mod wire;
mod wording {
    pub use active_learning_core::text::counted;
}
mod world;

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use ledger::Verdict;
use run::Outcome;
use stack::Shipped;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| {
        let given = arguments.next();
        given.map_or(default, |given| given.parse().expect("a number"))
    };
    let (records, pieces, seed) = (number(10_000), number(1), number(1));
    let shipped = Arc::new(Shipped::read());
    let (mut sum, mut counts, mut unclean) = (Verdict::default(), BTreeMap::new(), Vec::new());
    for seed in seed..seed + pieces {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        let runtime = runtime.expect("a runtime");
        let records = usize::try_from(records).expect("a number of texts");
        let outcome = runtime.block_on(Box::pin(run::run(shipped.clone(), seed, records)));
        if pieces > 1 {
            eprintln!("seed {seed}: {:?}", outcome.verdict);
        }
        if !outcome.verdict.is_clean() {
            unclean.push(seed);
            outcome
                .asked_twice
                .iter()
                .for_each(|text| eprintln!("asked twice: {text}"));
        }
        for (name, count) in counts_of(&outcome) {
            *counts.entry(name).or_default() += count;
        }
        sum += outcome.verdict;
    }
    print(&sum, &counts);
    if unclean.is_empty() {
        println!("\nNothing was lost, doubled or falsified.");
        return ExitCode::SUCCESS;
    }
    println!("\nThis must not be: seeds {unclean:?}.");
    ExitCode::FAILURE
}

fn counts_of(outcome: &Outcome) -> Vec<(String, u64)> {
    let own = [
        ("invocations", outcome.invocations),
        ("of these ended by a death", outcome.deaths),
        ("events sent again at the end", outcome.redriven),
    ];
    let own = own.into_iter().map(|(name, count)| (name.to_owned(), count));
    let faults = outcome
        .faults
        .iter()
        .map(|(fault, count)| (format!("{fault:?}"), *count));
    own.chain(faults).collect()
}

fn print(verdict: &Verdict, counts: &BTreeMap<String, u64>) {
    println!("| | |\n|---|---|");
    for (name, count) in verdict.rows() {
        println!("| {name} | {count} |");
    }
    for (name, count) in counts {
        println!("| {name} | {count} |");
    }
}
