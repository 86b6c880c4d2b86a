//! `fault-run`: the whole loop under faults with a seed, and a count of what was lost on the way.
//!
//! The stack runs in a process of its own, in which chance befalls calls, records and events
//! ([`local_aws::faults`]). This process is its clients and its reviewers; it kills the stack and its functions
//! without warning, and knows of each text what its label is. At the end every text that a client was told to be
//! in review must be labelled once, and rightly.

mod clients;
mod ledger;
mod reviewers;
mod stack;

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use active_learning_aws::{bucket::Bucket, redrive};
use clap::Args;
use local_aws::faults::{Faults, Rates};
use tokio::task::JoinSet;

use self::{
    ledger::{Ledger, Verdict},
    stack::Stack,
};
use crate::{outputs::StackOutputs, place};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Folder below the state folder; it is made anew by each run.
const FOLDER: &str = "fault-run";

/// How often the stack writes down which faults have befallen it.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// Without progress for so long nothing more comes: Lambda's last retry comes two minutes after the one before.
const PATIENCE: Duration = Duration::from_secs(240);

/// The command `fault-run`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Texts that clients send
    #[arg(long, default_value_t = NonZeroUsize::new(2_000).expect("not zero"))]
    records: NonZeroUsize,
    /// Decides texts, faults and kills
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds between two kills, on average; 0 kills nothing
    #[arg(long, default_value_t = 8, value_name = "SECONDS")]
    kill_every: u32,
    /// Clients that send at a time
    #[arg(long, default_value_t = NonZeroUsize::new(4).expect("not zero"))]
    clients: NonZeroUsize,
    /// Reviewers who answer at a time
    #[arg(long, default_value_t = NonZeroUsize::new(4).expect("not zero"))]
    reviewers: NonZeroUsize,
}

/// Runs it and prints what became of every text. Returns whether nothing was lost, doubled or falsified.
///
/// # Errors
///
/// When the stack does not start, or its folder cannot be used.
pub async fn run(options: &Options, state_dir: &Path) -> Result<bool, Failure> {
    let folder = state_dir.join(FOLDER);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::create_dir_all(&folder)?;
    let begin = Instant::now();
    let ledger = Arc::new(Ledger::new(options.seed, options.records.get()));
    let stack = Arc::new(Stack::new(&folder, options.seed)?);
    stack.start(true).await?;

    let sent = send_under_faults(options, &stack, &ledger).await;
    eprintln!("all is sent; the stack goes on without faults");
    stack.kill().await;
    stack.start(false).await?;
    let exported = wait_for_all(&stack, &ledger, options.reviewers.get()).await?;
    let outputs = stack.outputs()?;
    let dead_letters = redrive::list(&feedback_bucket(&outputs).await).await?.len();
    stack.kill().await;

    let verdict = ledger.verdict(&exported, dead_letters);
    println!("{}", table(options, &verdict, &stack, sent, begin.elapsed()));
    for text in ledger.asked_twice() {
        println!("  asked twice: {text}");
    }
    Ok(verdict.is_clean())
}

/// Lets faults befall a stack by chance, and writes down what they were: for the process that is started by
/// `fault-run`.
pub fn befall(faults: &Faults, seed: u64, state_dir: &Path) {
    faults.at_random(seed, Rates::high());
    let faults = faults.clone();
    let notes = state_dir.join(format!("faults-{}.json", std::process::id()));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(NOTE_INTERVAL).await;
            let befallen: Vec<(String, u64)> = faults
                .befallen()
                .into_iter()
                .map(|(fault, count)| (format!("{fault:?}"), count))
                .collect();
            // Only a count: the next one replaces it.
            let _ = fs::write(&notes, serde_json::to_vec(&befallen).unwrap_or_default());
        }
    });
}

/// Sends all texts while reviewers answer and processes are killed; returns how long it took.
async fn send_under_faults(options: &Options, stack: &Arc<Stack>, ledger: &Arc<Ledger>) -> Duration {
    let begin = Instant::now();
    let is_over = Arc::new(AtomicBool::new(false));
    let reviewers = tokio::spawn(reviewers::answer(
        stack.clone(),
        ledger.clone(),
        options.reviewers.get(),
        is_over.clone(),
    ));
    let killer = tokio::spawn({
        let (stack, options, is_over) = (stack.clone(), options.clone(), is_over.clone());
        async move {
            let (seed, seconds) = (options.seed, options.kill_every);
            stack.kill_at_random(seed, seconds, &is_over).await;
        }
    });
    let progress = tokio::spawn({
        let ledger = ledger.clone();
        async move { show_progress(&ledger).await }
    });
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..options.clients.get() {
        clients.spawn(clients::send(stack.clone(), ledger.clone(), next.clone()));
    }
    clients.join_all().await;
    is_over.store(true, Ordering::Relaxed);
    // A stack that is being started again is waited for: nobody else would know its process.
    let _ = (killer.await, reviewers.await);
    progress.abort();
    begin.elapsed()
}

async fn show_progress(ledger: &Ledger) {
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        eprintln!("{}", ledger.progress());
    }
}

/// Lets reviewers answer until every text is labelled that must be, or nothing changes any more; failed events are
/// sent again. Returns the exported rows.
async fn wait_for_all(
    stack: &Arc<Stack>,
    ledger: &Arc<Ledger>,
    reviewers: usize,
) -> Result<Vec<(String, String)>, Failure> {
    let is_over = Arc::new(AtomicBool::new(false));
    let answering = reviewers::answer(stack.clone(), ledger.clone(), reviewers, is_over.clone());
    let answering = tokio::spawn(answering);
    let mut exported = Vec::new();
    let mut last_change = Instant::now();
    while last_change.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let outputs = stack.outputs()?;
        let bucket = feedback_bucket(&outputs).await;
        redrive::redrive(&bucket, redrive::list(&bucket).await?).await;
        let now = stack.export().await?;
        if now.len() != exported.len() {
            last_change = Instant::now();
            eprintln!("{} of {} labelled", now.len(), ledger.expected());
        }
        exported = now;
        // What was labelled wrongly by mistake may not be corrected yet.
        if ledger.missing(&exported) == 0 && ledger.mispaired(&exported) == 0 {
            break;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    answering.await?;
    Ok(exported)
}

async fn feedback_bucket(outputs: &StackOutputs) -> Bucket {
    let config = place::sdk_config(Some(&outputs.endpoint_url)).await;
    Bucket::new(
        aws_sdk_s3::Client::new(&config),
        outputs.output("FeedbackS3Bucket"),
    )
}

fn table(options: &Options, verdict: &Verdict, stack: &Stack, sent: Duration, whole: Duration) -> String {
    let mut rows = vec![
        ("texts acknowledged", verdict.acknowledged as u64),
        ("of these to be labelled", verdict.expected as u64),
        ("labelled", verdict.labelled as u64),
        ("lost", verdict.lost as u64),
        ("labelled twice", verdict.twice as u64),
        ("with another text's label", verdict.mispaired as u64),
        ("asked twice", verdict.asked_twice as u64),
        ("dead letters left", verdict.dead_letters as u64),
        ("kills of the stack", stack.kills()),
        ("kills of functions", stack.function_kills()),
    ];
    let faults = stack.faults();
    rows.extend(faults.iter().map(|(name, count)| (name.as_str(), *count)));
    let rows = rows
        .into_iter()
        .map(|(name, count)| format!("  {name:<28}{count:>10}\n"));
    let rows: String = rows.collect();
    let (sent, whole) = (sent.as_secs(), whole.as_secs());
    let verdict = match verdict.is_clean() {
        true => "Nothing was lost, doubled or falsified.",
        false => "This must not be. The same seed sends the same texts and kills as often.",
    };
    format!(
        "\n{rows}\n  seed {}, {sent} s under faults, {whole} s in all\n  {verdict}",
        options.seed
    )
}

/// Returns the files in which each start of the stack wrote down its faults.
fn files_of_faults(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            name.starts_with("faults-")
        })
        .collect()
}
