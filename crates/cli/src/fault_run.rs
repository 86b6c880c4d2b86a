//! `fault-run`: the whole loop under faults with a seed, and a count of what was lost on the way.
//!
//! The stack runs in a process of its own, in which chance befalls calls, records and events
//! ([`local_aws::faults`]). This process is its clients and its reviewers; it kills the stack and its functions
//! without warning, and knows of each text what its label is. At the end every text that a client was told to be
//! in review must be labelled once, and rightly.

mod clients;
mod label_changes;
mod ledger;
mod reviewers;
mod stack;
mod table;
mod trouble;

use std::{
    fs, io,
    num::{NonZeroU32, NonZeroUsize},
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
use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

use self::{
    ledger::Ledger,
    stack::Stack,
    table::{Piece, Table},
    trouble::Troubles,
};
use crate::{outputs::StackOutputs, place};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Folder below the state folder; it is made anew by each run.
const FOLDER: &str = "fault-run";
/// Outputs of the template that name buckets.
const FEEDBACK: &str = "FeedbackS3Bucket";
const TRAINING: &str = "TrainingS3Bucket";
/// Folder of the switches of the endpoint, in the training bucket.
const DEPLOYMENTS: &str = "deployments/";
/// Folder of the builds, in the training bucket.
const BUILDS: &str = "builds/";
/// Labelled texts from which a build must have come to its end: one begins with every 500 new labels.
const TEXTS_FOR_A_MODEL: usize = 1_000;

/// How often the stack writes down which faults have befallen it.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// Without progress for so long nothing more comes: Lambda's last retry comes two minutes after the one before.
const PATIENCE: Duration = Duration::from_secs(240);
/// A model is waited for so long: the tick that begins a build where no labels come comes every five minutes, and a build takes
/// minutes on a busy machine.
const PATIENCE_FOR_A_MODEL: Duration = Duration::from_secs(720);

/// The command `fault-run`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Texts that clients send, in each piece
    #[arg(long, default_value_t = NonZeroUsize::new(2_000).expect("not zero"))]
    records: NonZeroUsize,
    /// Runs one after another, each with a stack of its own and the next seed; the table is of all
    #[arg(long, default_value_t = NonZeroU32::MIN)]
    pieces: NonZeroU32,
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
    /// Reviewers who are asked about each text; with several, mistakes are outvoted
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    opinions: u8,
    /// Minutes after which clients send no more, however many texts are left
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<NonZeroU32>,
    /// Lets the stack stand still for up to three seconds now and then, as where its disk does not answer
    #[arg(long)]
    slow_disk: bool,
    /// Lets the clock of the stack, not that of its functions, jump by up to a minute: with this library
    /// (libfaketimeMT.so.1 of Debian's package libfaketime)
    #[arg(long, value_name = "LIBRARY")]
    clock: Option<PathBuf>,
    /// Merges, splits and retires labels in the middle too, not only renames one
    #[arg(long)]
    label_changes: bool,
    /// Fills the disk of the state folder now and then, for two seconds; only one with less than 4 GB free
    #[arg(long)]
    full_disk: bool,
}

/// Runs it and prints what became of every text. Returns whether nothing was lost, doubled or falsified.
///
/// # Errors
///
/// When the stack does not start, or its folder cannot be used.
pub async fn run(options: &Options, state_dir: &Path) -> Result<bool, Failure> {
    let folder = state_dir.join(FOLDER);
    let mut table = Table::default();
    for piece in 0..options.pieces.get() {
        let seed = options.seed.wrapping_add(u64::from(piece));
        let of_piece = run_piece(options, seed, &folder).await?;
        if options.pieces.get() > 1 {
            eprintln!("piece {} of {}: {}", piece + 1, options.pieces, of_piece.line());
        }
        table.add(of_piece);
    }
    println!("{table}");
    Ok(table.is_clean())
}

/// Runs one piece, in a folder that is made anew.
async fn run_piece(options: &Options, seed: u64, folder: &Path) -> Result<Table, Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::create_dir_all(folder)?;
    let begin = Instant::now();
    let ledger = Ledger::new(seed, options.records.get(), options.opinions);
    let ledger = Arc::new(match options.label_changes {
        true => ledger.with_changes(),
        false => ledger,
    });
    let stack = Arc::new(Stack::new(folder, seed, options)?);
    let troubles = Troubles::new(options, seed, folder)?;
    stack.start(true).await?;
    if options.label_changes {
        label_changes::prepare(&stack).await;
    }

    let (sent, troubles) = send_under_faults(options, troubles, &stack, &ledger).await;
    eprintln!("all is sent; the stack goes on without faults");
    troubles.end()?;
    stack.kill().await;
    stack.start(false).await?;
    let exported = wait_for_all(&stack, &ledger, options.reviewers.get()).await?;
    let outputs = stack.outputs()?;
    let dead_letters = redrive::list(&bucket_of(&outputs, FEEDBACK).await).await?.len();
    let wants_models = exported.len() >= TEXTS_FOR_A_MODEL;
    let (models, refused) = wait_for_models(&outputs, wants_models).await?;
    stack.kill().await;

    Ok(Table::of_piece(Piece {
        seed,
        repeat: options.repeat(seed),
        verdict: ledger.verdict(&exported, dead_letters),
        asked_twice: ledger.asked_twice(),
        asked_again: ledger.asked_again(),
        models,
        refused,
        wants_models,
        troubles: troubles.counts(&stack),
        sent,
        whole: begin.elapsed(),
    }))
}

impl Options {
    /// Returns the command that does a piece again.
    fn repeat(&self, seed: u64) -> String {
        let numbers = [
            ("records", self.records.to_string()),
            ("seed", seed.to_string()),
            ("kill-every", self.kill_every.to_string()),
            ("clients", self.clients.to_string()),
            ("reviewers", self.reviewers.to_string()),
            ("opinions", self.opinions.to_string()),
        ];
        let minutes = self.minutes.map(|minutes| ("minutes", minutes.to_string()));
        let clock = self
            .clock
            .iter()
            .map(|library| ("clock", library.display().to_string()));
        let values = numbers.into_iter().chain(minutes).chain(clock);
        let mut words: Vec<String> = values.map(|(name, value)| format!("--{name} {value}")).collect();
        words.extend(self.full_disk.then(|| "--full-disk".to_owned()));
        words.extend(self.label_changes.then(|| "--label-changes".to_owned()));
        words.extend(self.slow_disk.then(|| "--slow-disk".to_owned()));
        format!("active-learning fault-run {}", words.join(" "))
    }
}

/// Waits, where there must be one, until a model of a build is deployed or refused by the selection, and not for ever; returns how
/// many are deployed and how many refused.
async fn wait_for_models(outputs: &StackOutputs, wants_models: bool) -> Result<(u64, u64), Failure> {
    let training = bucket_of(outputs, TRAINING).await;
    let begin = Instant::now();
    loop {
        let models = count(&training, DEPLOYMENTS, "", |switch| switch["by"] == "build").await?;
        let is_refused = |record: &Value| record["outcome"] == "refused";
        let refused = count(&training, BUILDS, "/record.json", is_refused).await?;
        if models + refused > 0 || !wants_models || begin.elapsed() > PATIENCE_FOR_A_MODEL {
            return Ok((models, refused));
        }
        sleep(Duration::from_secs(3)).await;
    }
}

/// Counts the documents in a folder whose keys end so and that are such.
async fn count(
    bucket: &Bucket,
    folder: &str,
    end: &str,
    is_such: fn(&Value) -> bool,
) -> Result<u64, Failure> {
    let mut count = 0;
    for listed in bucket.list(folder).await? {
        if listed.key.ends_with(end) {
            let document: Option<Value> = bucket.read_document(&listed.key).await?;
            count += u64::from(document.is_some_and(|document| is_such(&document)));
        }
    }
    Ok(count)
}

/// Lets faults befall a stack by chance, and writes down what they were: for the process that is started by
/// `fault-run`.
pub fn befall(faults: &Faults, seed: u64, state_dir: &Path) {
    faults.at_random(seed, Rates::high());
    let faults = faults.clone();
    let notes = state_dir.join(format!("faults-{}.json", std::process::id()));
    tokio::spawn(async move {
        loop {
            sleep(NOTE_INTERVAL).await;
            let drawn = faults.befallen().into_iter();
            let drawn = drawn.map(|(fault, count)| (format!("{fault:?}"), count));
            let seen = faults.seen().into_iter();
            let seen = seen.map(|(seen, count)| (format!("{seen:?}"), count));
            let befallen: Vec<(String, u64)> = drawn.chain(seen).collect();
            // Only a count: the next one replaces it.
            let _ = fs::write(&notes, serde_json::to_vec(&befallen).unwrap_or_default());
        }
    });
}

/// Sends all texts while reviewers answer, labels are changed and processes are killed; returns how long it took.
async fn send_under_faults(
    options: &Options,
    troubles: Troubles,
    stack: &Arc<Stack>,
    ledger: &Arc<Ledger>,
) -> (Duration, Troubles) {
    let begin = Instant::now();
    let is_over = Arc::new(AtomicBool::new(false));
    let reviewers = tokio::spawn(reviewers::answer(
        stack.clone(),
        ledger.clone(),
        options.reviewers.get(),
        is_over.clone(),
    ));
    let troubles = tokio::spawn(troubles.befall(stack.clone(), is_over.clone()));
    let changing = tokio::spawn(label_changes::make(
        stack.clone(),
        ledger.clone(),
        is_over.clone(),
    ));
    let progress = tokio::spawn({
        let ledger = ledger.clone();
        async move { show_progress(&ledger).await }
    });
    let next = Arc::new(AtomicUsize::new(0));
    let minutes = options.minutes.map(|minutes| u64::from(minutes.get()));
    let end = minutes.map(|minutes| begin + Duration::from_secs(60 * minutes));
    let mut clients = JoinSet::new();
    for _ in 0..options.clients.get() {
        clients.spawn(clients::send(stack.clone(), ledger.clone(), next.clone(), end));
    }
    clients.join_all().await;
    is_over.store(true, Ordering::Relaxed);
    // A stack that is being started again is waited for: nobody else would know its process.
    let (troubles, _, _) = tokio::join!(troubles, reviewers, changing);
    progress.abort();
    let troubles = troubles.expect("it neither panics nor is aborted");
    (begin.elapsed(), troubles)
}

async fn show_progress(ledger: &Ledger) {
    loop {
        sleep(Duration::from_secs(10)).await;
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
        sleep(Duration::from_secs(3)).await;
        let outputs = stack.outputs()?;
        let bucket = bucket_of(&outputs, FEEDBACK).await;
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

/// Returns the bucket that an output of the template names.
async fn bucket_of(outputs: &StackOutputs, output: &str) -> Bucket {
    let config = place::sdk_config(Some(&outputs.endpoint_url)).await;
    Bucket::new(aws_sdk_s3::Client::new(&config), outputs.output(output))
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
