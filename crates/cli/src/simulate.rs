//! Replays labelled texts as if people reviewed them one batch after the other: how many labels are needed, chosen
//! by which strategy, trusted from which threshold.
//!
//! What chooses, trains, decides and measures is what production runs: [`active_learning_core::sampling::query_strategy`],
//! [`text_model::train()`], [`active_learning_core::feedback::review_policy`] and
//! [`active_learning_core::model::evaluation`]. The reviewers are simulated: they give the label in the file.

mod csv_files;
mod plot;
mod replay;
mod report;
mod stream;
mod summary;

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use active_learning_core::sampling::query_strategy::QueryStrategy;
use clap::Args;
use text_encoder::EncoderError;
use text_model::TrainingDataError;

use self::{
    replay::{Replay, Seen, Way},
    stream::{Stream, Texts},
    summary::Summary,
};
use crate::{
    encoder::{self, Vectors},
    labelled_texts::tell_repairs,
    phases::{self, Counter},
    wording::counted,
};

/// What is simulated.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Labelled texts, Comprehend CSV (label,text)
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Strategies to compare: representative, margin, least-confidence, entropy, class-balanced, diversity, random
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "representative,margin,random"
    )]
    strategy: Vec<QueryStrategy>,
    /// Labels that people give in all
    #[arg(long, default_value_t = NonZeroUsize::new(500).expect("not zero"))]
    labels: NonZeroUsize,
    /// Labels before the first model [default: 20, or twice the number of classes if that is more]
    #[arg(long)]
    start: Option<NonZeroUsize>,
    /// Labels after which a new model is trained
    #[arg(long, default_value_t = NonZeroUsize::new(25).expect("not zero"))]
    batch: NonZeroUsize,
    /// Replays of each strategy, with another start each
    #[arg(long, default_value_t = NonZeroUsize::new(5).expect("not zero"))]
    seeds: NonZeroUsize,
    /// Makes the most frequent class this many times as frequent as the rarest one
    #[arg(long, value_name = "RATIO", default_value_t = 1.0, value_parser = ratio)]
    imbalance: f64,
    /// Text encoder to compare with none: built-in, none, or a folder
    #[arg(long, value_name = "ENCODER", default_value = "built-in")]
    encoder: encoder::Choice,
    /// Folder for the results as CSV and SVG; the encoder's vectors are kept there for the next run
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Why nothing can be simulated. Safe to show: it never holds a text.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The file cannot be read.
    #[error("the data {0} cannot be read")]
    Read(PathBuf, #[source] io::Error),
    /// No model can learn from it.
    #[error("the data {0} cannot be used: {1}")]
    Data(PathBuf, TrainingDataError),
    /// There is not enough to label or to test on.
    #[error(
        "the data {path} leaves {} to label and {to_test} to test on; at least {needed} (start and \
         one batch) and {needed_to_test} are needed: use a larger file, or smaller --start, --batch or --imbalance",
        counted(*to_label, "text")
    )]
    TooFewTexts {
        /// The file.
        path: PathBuf,
        /// Different texts that can be labelled.
        to_label: usize,
        /// Texts that are held out.
        to_test: usize,
        /// Fewest texts to label.
        needed: usize,
        /// Fewest texts to test on.
        needed_to_test: usize,
    },
    /// The start takes all labels.
    #[error("--labels {labels} must be more than --start {start}")]
    NoLabels {
        /// All labels.
        labels: usize,
        /// Labels at the start.
        start: usize,
    },
    /// A first model needs two labels.
    #[error("--start {0} is too few: a first model needs two labels at least")]
    Start(usize),
    /// The classifier does not learn from the labelled texts.
    #[error("no model can be trained from {labels} of the labels: begin with more of them, by --start")]
    Training {
        /// Labels so far.
        labels: usize,
        /// Why.
        source: TrainingDataError,
    },
    /// The encoder cannot be used.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The results cannot be written.
    #[error("the results cannot be written to {0}")]
    Write(PathBuf, #[source] io::Error),
}

/// Runs the simulation: progress on stderr, answers on stdout, files in the output folder.
///
/// Uses all cores. The same file and options give the same results.
///
/// # Errors
///
/// [`SimulateError`].
pub fn run(options: &Options) -> Result<(), SimulateError> {
    let mut strategies = options.strategy.clone();
    strategies.sort_unstable();
    strategies.dedup();
    let texts = Texts::read(&options.data)?;
    tell_repairs(&options.data, &texts.repairs);
    let start = options.start.map_or(texts.default_start(), NonZeroUsize::get);
    if options.labels.get() <= start {
        let labels = options.labels.get();
        return Err(SimulateError::NoLabels { labels, start });
    }
    if start < 2 {
        return Err(SimulateError::Start(start));
    }
    if let Some(folder) = &options.output {
        // Before the work, not after it.
        fs::create_dir_all(folder).map_err(|error| SimulateError::Write(folder.clone(), error))?;
    }
    let streams = streams(&texts, start, options)?;
    let least = streams.iter().map(|stream| stream.pool.len()).min();
    let labels = options.labels.get().min(least.unwrap_or(0));
    phases::note(&report::opening(&texts, &streams, options.imbalance, labels));
    let encoder = options.encoder.load()?;
    let ways = ways(&strategies, encoder.is_some());
    let vectors = encoder.map(|encoder| Vectors::kept(encoder, texts.all(), options.output.as_deref()));
    let seen = Seen::of(texts.all(), vectors);
    let budgets = budgets(start, options.batch.get(), labels);
    let replays = replay_all(&streams, &ways, &budgets, &seen)?;
    let all = streams
        .iter()
        .map(|stream| replay::with_all_labels(stream, &seen));
    let summary = Summary::of(&ways, &replays, &all.collect::<Result<Vec<_>, _>>()?);
    match options.json {
        true => println!("{:#}", report::json(&summary)),
        false => print!("{}", report::text(&summary)),
    }
    match &options.output {
        Some(folder) => write_files(folder, &summary, &replays, options.imbalance)
            .map_err(|error| SimulateError::Write(folder.clone(), error)),
        None => Ok(()),
    }
}

/// Returns each strategy as it is without the encoder, and, if there is one, with it.
fn ways(strategies: &[QueryStrategy], encoder: bool) -> Vec<Way> {
    let looks: &[bool] = if encoder { &[true, false] } else { &[false] };
    let of_look = |encoder: &bool| {
        let encoder = *encoder;
        strategies.iter().map(move |&strategy| Way { strategy, encoder })
    };
    let mut ways: Vec<Way> = looks.iter().flat_map(of_look).collect();
    ways.sort_unstable();
    ways
}

/// Makes the texts that each seed replays.
fn streams<'a>(texts: &'a Texts, start: usize, options: &Options) -> Result<Vec<Stream<'a>>, SimulateError> {
    let seeds = 0..options.seeds.get() as u64;
    let streams: Vec<Stream> = seeds
        .map(|seed| Stream::new(texts, start, options.imbalance, seed))
        .collect();
    let needed = start + options.batch.get();
    for stream in &streams {
        let (to_label, to_test) = (stream.pool.len(), stream.test.len());
        if to_label < needed || to_test < stream::FEWEST_TO_TEST {
            return Err(SimulateError::TooFewTexts {
                path: options.data.clone(),
                to_label,
                to_test,
                needed,
                needed_to_test: stream::FEWEST_TO_TEST,
            });
        }
    }
    Ok(streams)
}

/// Returns the numbers of labels at which a model is trained: the start, then each whole batch, then all.
fn budgets(start: usize, batch: usize, labels: usize) -> Vec<usize> {
    let whole = (1..)
        .map(|count| count * batch)
        .skip_while(|budget| *budget <= start);
    let mut budgets = vec![start];
    budgets.extend(whole.take_while(|budget| *budget < labels));
    budgets.push(labels);
    budgets
}

/// Replays every way on every stream, on all cores; in order of way and seed.
fn replay_all(
    streams: &[Stream],
    ways: &[Way],
    budgets: &[usize],
    seen: &Seen,
) -> Result<Vec<Replay>, SimulateError> {
    let jobs: Vec<(&Stream, Way)> = streams
        .iter()
        .flat_map(|stream| ways.iter().map(move |way| (stream, *way)))
        .collect();
    let progress = Counter::new("replays", jobs.len());
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((stream, way)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let replay = replay::replay(stream, *way, budgets, seen);
            let mut done = done.lock().expect("no replay panics while it holds the lock");
            done.push(replay);
            progress.show(done.len());
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZeroUsize::get) {
            scope.spawn(work);
        }
    });
    progress.end();
    let done = done
        .into_inner()
        .expect("no replay panics while it holds the lock");
    let mut replays: Vec<Replay> = done.into_iter().collect::<Result<_, _>>()?;
    replays.sort_by_key(|replay| (replay.way, replay.seed));
    Ok(replays)
}

fn write_files(folder: &Path, summary: &Summary, replays: &[Replay], imbalance: f64) -> io::Result<()> {
    let stream = if imbalance > 1.0 {
        format!(", {imbalance}:1 imbalanced")
    } else {
        String::new()
    };
    for (name, content) in [
        ("runs.csv", csv_files::runs_csv(replays)?),
        ("curves.csv", csv_files::curves_csv(summary)?),
        ("thresholds.csv", csv_files::thresholds_csv(summary)?),
        (
            "accuracy.svg",
            plot::svg(&format!("Accuracy{stream}"), summary, |point| &point.accuracy).into(),
        ),
        (
            "macro-f1.svg",
            plot::svg(&format!("Macro F1{stream}"), summary, |point| &point.macro_f1).into(),
        ),
    ] {
        fs::write(folder.join(name), content)?;
    }
    phases::note(&format!("The results are in {}.", folder.display()));
    Ok(())
}

fn ratio(argument: &str) -> Result<f64, String> {
    let ratio = argument.parse().ok();
    ratio
        .filter(|ratio: &f64| ratio.is_finite() && *ratio >= 1.0)
        .ok_or_else(|| format!("expected a number from 1, such as 10 for ten to one, got `{argument}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_trained_at_the_start_after_each_batch_and_at_the_end() {
        assert_eq!(budgets(20, 25, 110), [20, 25, 50, 75, 100, 110]);
        assert_eq!(budgets(20, 10, 40), [20, 30, 40]);
        assert_eq!(budgets(20, 100, 30), [20, 30]);
    }

    /// Options for a file of two classes that differ in their words.
    fn options(folder: &Path, texts: usize) -> Options {
        let row = |number: usize| {
            let (class, word) = [("a", "match"), ("b", "market")][number % 2];
            format!("{class},{word} {} {}\n", number * 7_919, number * 104_729)
        };
        let data = folder.join("data.csv");
        fs::write(&data, (0..texts).map(row).collect::<String>()).expect("space on the disk");
        let number = |number| NonZeroUsize::new(number).expect("not zero");
        Options {
            data,
            strategy: vec![QueryStrategy::Random, QueryStrategy::Representative],
            labels: number(30),
            start: Some(number(5)),
            batch: number(10),
            seeds: number(2),
            imbalance: 1.0,
            encoder: encoder::Choice::None,
            output: Some(folder.join("results")),
            json: false,
        }
    }

    #[test]
    fn the_same_options_give_the_same_files() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = options(folder.path(), 200);
        let files = || {
            run(&options).expect("a good file");
            [
                "runs.csv",
                "curves.csv",
                "thresholds.csv",
                "accuracy.svg",
                "macro-f1.svg",
            ]
            .map(|name| fs::read_to_string(folder.path().join("results").join(name)).expect("written"))
        };

        let (first, second) = (files(), files());

        assert_eq!(first, second);
        let rows: Vec<&str> = first[0].lines().collect();
        assert_eq!(rows.len(), 1 + 2 * 2 * 4, "{rows:?}");
        assert!(rows[1].starts_with("representative,without,0,5,"), "{rows:?}");
        let (_, last_accuracy) = first[1]
            .trim_end()
            .rsplit_once("30,")
            .expect("a row of 30 labels");
        assert!(last_accuracy > "0.8", "{last_accuracy}");
    }

    #[test]
    fn each_strategy_is_replayed_with_the_encoder_and_without() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../text-encoder/tests/tiny");
        let options = Options {
            encoder: encoder::Choice::Folder(tiny),
            seeds: NonZeroUsize::MIN,
            ..options(folder.path(), 200)
        };

        run(&options).expect("a good file");

        let file = fs::read_to_string(folder.path().join("results/runs.csv")).expect("written");
        let rows: Vec<Vec<&str>> = file.lines().skip(1).map(|row| row.split(',').collect()).collect();
        let ways: std::collections::BTreeSet<(&str, &str)> =
            rows.iter().map(|row| (row[0], row[1])).collect();
        let expected = ["random", "representative"];
        let expected = expected.map(|strategy| [(strategy, "with"), (strategy, "without")]);
        assert_eq!(ways, expected.into_iter().flatten().collect());
        // What a model sees shows in its numbers.
        let numbers = |way: &str| -> Vec<&[&str]> {
            let of_way = rows.iter().filter(|row| row[..2] == ["random", way]);
            of_way.map(|row| &row[4..]).collect()
        };
        assert_ne!(numbers("with"), numbers("without"));
    }

    #[test]
    fn options_that_leave_nothing_to_replay_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let reason = |options: &Options| run(options).expect_err("nothing to replay").to_string();
        let mut few = options(folder.path(), 30);

        assert!(reason(&few).contains("texts to label and"), "{}", reason(&few));
        few.start = Some(few.labels);
        assert_eq!(reason(&few), "--labels 30 must be more than --start 30");
        few.start = Some(NonZeroUsize::MIN);
        assert_eq!(
            reason(&few),
            "--start 1 is too few: a first model needs two labels at least"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_refused_before_the_work() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut few = options(folder.path(), 30);
        few.output = Some(few.data.clone());

        let refusal = run(&few).expect_err("a file is no folder");

        assert!(matches!(refusal, SimulateError::Write(..)), "{refusal}");
    }

    #[test]
    fn a_start_too_small_for_its_classes_is_refused_by_its_option_and_the_default_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut many_classes = options(folder.path(), 0);
        let rows =
            (0..800).map(|number| format!("class {},text {number} of {}\n", number % 100, number % 100));
        fs::write(&many_classes.data, rows.collect::<String>()).expect("space on the disk");
        (many_classes.strategy, many_classes.seeds) = (vec![QueryStrategy::Random], NonZeroUsize::MIN);
        (many_classes.labels, many_classes.start) =
            (NonZeroUsize::new(250).expect("not zero"), NonZeroUsize::new(11));

        let refusal = run(&many_classes).expect_err("nearly every text has a class of its own");
        many_classes.start = None;
        let by_default = run(&many_classes);

        assert_eq!(
            refusal.to_string(),
            "no model can be trained from 11 of the labels: begin with more of them, by --start"
        );
        assert!(by_default.is_ok(), "{by_default:?}");
    }

    #[test]
    fn only_ratios_from_one_are_understood() {
        assert_eq!(ratio("10"), Ok(10.0));
        for argument in ["0.5", "-1", "NaN", "inf", "10:1", ""] {
            assert!(ratio(argument).expect_err("no ratio").contains(argument));
        }
    }
}
