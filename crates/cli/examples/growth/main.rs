//! What a stack costs by how much it has behind it: requests and CPU time of each step, and USD by AWS's list prices.
//!
//! Prints what the tables of the guide are made of. The functions are those of the shipped template with its defaults, all
//! in one process with S3 in memory; each history has a process of its own. One text goes the whole way, from the
//! classification to the labels; what it leaves in the buckets is the pattern of what so many have left.
//!
//! Arguments: how often each step is done (30), and prices of your own such as `lambda-requests=0.15`.

// All functions are in one process, one inside the other.
#![allow(clippy::large_futures)]

mod clock;
mod cost;
mod function_url;
mod history;
#[expect(dead_code, reason = "the benchmark `portal-load` takes more of it")]
#[path = "../../../human-review/examples/portal-load/memory.rs"]
mod memory;
#[path = "../../../human-review/examples/portal-load/portal_event.rs"]
mod portal_event;
mod prices;
#[path = "../../../human-review/examples/portal-load/series.rs"]
mod series;
mod services;
#[path = "../../../human-review/examples/portal-load/session.rs"]
mod session;
#[expect(dead_code, reason = "the example `crashes` takes more of it")]
mod stack;
mod steps;
mod tables;
#[path = "../../../human-review/examples/portal-load/wire.rs"]
mod wire;
mod world;

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use cost::{Cost, LOG_BEGINS, LOG_ENDS};
use prices::Prices;
use serde_json::Value;
use stack::Shipped;
use tables::Measured;

/// Records of history.
const HISTORIES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Begins the line that tells what a step came to.
const COST: &str = "@cost ";
/// Times that each step is done.
const TIMES: u64 = 30;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, count, times] = arguments.as_slice()
        && child == "--history"
    {
        return measure(count.parse().expect("a number"), times.parse().expect("a number"));
    }
    let (prices, times): (Vec<String>, Vec<String>) =
        arguments.into_iter().partition(|given| given.contains('='));
    let times = times
        .first()
        .map_or(TIMES, |times| times.parse().expect("a number of times"));
    let histories = HISTORIES.map(|count| (count, measured(count, times)));
    let measured = Measured {
        prices: Prices::with(&prices),
        shipped: Shipped::read(),
        histories: histories.into(),
    };
    measured.print();
}

/// Measures in this process, and tells on standard output.
fn measure(count: u64, times: u64) {
    // As in Lambda, but for the level, which is the default there.
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(Box::pin(steps::measure(count, times, |cost| {
        println!("{COST}{}", serde_json::to_string(&cost).expect("JSON"));
    })));
}

/// Has a process measure, and takes what it says; what functions log meanwhile is counted.
fn measured(count: u64, times: u64) -> Vec<Cost> {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .args(["--history", &count.to_string(), &times.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let output = BufReader::new(child.stdout.take().expect("it is piped"));
    let (mut costs, mut is_log, mut logged, mut metrics) = (Vec::new(), false, 0, BTreeSet::new());
    for line in output.lines() {
        let line = line.expect("UTF-8");
        if let Some(cost) = line.strip_prefix(COST) {
            let cost: Cost = serde_json::from_str(cost).expect("JSON");
            costs.push(Cost {
                logged: std::mem::take(&mut logged),
                metrics: std::mem::take(&mut metrics),
                ..cost
            });
        } else if line == LOG_BEGINS || line == LOG_ENDS {
            is_log = line == LOG_BEGINS;
        } else if is_log {
            logged += line.len() as u64 + 1;
            metrics.extend(metrics_of(&line));
        }
    }
    let status = child.wait().expect("it has ended");
    assert!(status.success(), "the measurement of {count} failed");
    costs
}

/// Returns the metrics that a line of the log counts.
fn metrics_of(line: &str) -> Vec<String> {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    let function = line["Function"].as_str().unwrap_or_default();
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        .as_array()
        .into_iter()
        .flatten();
    let name = |metric: &Value| format!("{function} {}", metric["Name"].as_str().unwrap_or_default());
    metrics.map(name).collect()
}
