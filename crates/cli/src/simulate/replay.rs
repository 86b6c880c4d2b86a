//! One replay: label, train, test, choose, again and again.

use active_learning_core::{
    dataset::{CsvWriter, Row},
    feedback::{
        prediction::{ClassScore, Prediction},
        review_policy::ReviewPolicy,
    },
    model::evaluation::{LabelNames, TestPrediction, evaluate},
    sampling::query_strategy::{AskedBefore, Candidate, QueryStrategy, select},
};
use text_model::{Mode, Model, TrainingDataError, TrainingSet, train};

use super::stream::Stream;
use crate::encoder::{self, Vectors};

/// The same for every model, as in production: a model depends on its training data alone.
const TRAINING_SEED: u64 = 1;

/// Confidence thresholds that are tried.
pub(super) const THRESHOLDS: [&str; 8] = ["0", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95", "0.99"];

/// What became of one strategy on one stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Replay {
    /// The strategy.
    pub strategy: QueryStrategy,
    /// The stream's seed.
    pub seed: u64,
    /// The models, by number of labels.
    pub points: Vec<Point>,
    /// What the last model does at each of [`THRESHOLDS`].
    pub trusted: Vec<Trusted>,
}

/// A model on the held-out texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Labels that it was trained on.
    pub labels: usize,
    /// Share of the texts whose labels are all right.
    pub accuracy: f64,
    /// Mean F1 of the classes.
    pub macro_f1: f64,
    /// Expected calibration error of the confidence.
    pub calibration_error: f64,
    /// How well the confidence tells right from wrong; 0.5, as chance does, where all are right or all are wrong.
    pub auroc: f64,
}

impl Point {
    fn of(labels: usize, judged: &[(TestPrediction, Prediction)]) -> Self {
        let rows: Vec<TestPrediction> = judged.iter().map(|(row, _)| row.clone()).collect();
        let evaluation = evaluate(&rows);
        Self {
            labels,
            accuracy: evaluation.accuracy,
            macro_f1: evaluation.macro_f1,
            calibration_error: evaluation.expected_calibration_error,
            auroc: evaluation.auroc.unwrap_or(0.5),
        }
    }
}

/// What a threshold does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trusted {
    /// Share of the predictions that a person reviews.
    pub reviewed: f64,
    /// Share of the others that is right; `None` if there are none.
    pub accuracy: Option<f64>,
    /// Share of all wrong predictions that a person sees; `None` if there are none.
    pub errors_caught: Option<f64>,
}

/// Replays a stream with a model at each of the ascending budgets, the first of which is the start.
///
/// # Errors
///
/// Labels that the classifier refuses.
pub(super) fn replay(
    stream: &Stream,
    strategy: QueryStrategy,
    budgets: &[usize],
    vectors: Option<&Vectors>,
) -> Result<Replay, TrainingDataError> {
    let (mut labelled, mut open) = start(stream, strategy, budgets[0], vectors);
    let mut points = Vec::new();
    let mut judged = Vec::new();
    for (round, &labels) in budgets.iter().enumerate() {
        let model = train_on(&labelled, vectors)?;
        judged = judge(&model, &stream.test, vectors);
        points.push(Point::of(labels, &judged));
        if let Some(next) = budgets.get(round + 1) {
            let seed = (stream.seed << 32) + round as u64;
            let chosen = choose(
                strategy,
                Some(&model),
                &open,
                &labelled,
                next - labels,
                seed,
                vectors,
            );
            take(chosen, &mut open, &mut labelled);
        }
    }
    Ok(Replay {
        strategy,
        seed: stream.seed,
        points,
        trusted: THRESHOLDS
            .iter()
            .map(|threshold| trusted(threshold, &judged))
            .collect(),
    })
}

/// Returns what a model does that has learned all labels of a stream.
///
/// # Errors
///
/// Labels that the classifier refuses.
pub(super) fn with_all_labels(
    stream: &Stream,
    vectors: Option<&Vectors>,
) -> Result<Point, TrainingDataError> {
    let model = train_on(&stream.pool, vectors)?;
    Ok(Point::of(
        stream.pool.len(),
        &judge(&model, &stream.test, vectors),
    ))
}

/// Returns the texts that are labelled before there is a model, and the others: by chance, or with vectors those that
/// cover the texts, for a strategy that covers.
///
/// They are of two classes at least: chance took care of that, and has the last word here too.
fn start<'a>(
    stream: &Stream<'a>,
    strategy: QueryStrategy,
    count: usize,
    vectors: Option<&Vectors>,
) -> (Vec<&'a Row>, Vec<&'a Row>) {
    let (mut labelled, mut open) = (stream.pool[..count].to_vec(), stream.pool[count..].to_vec());
    if vectors.is_none() || !strategy.covers() {
        return (labelled, open);
    }
    let mut all = stream.pool.clone();
    let chosen = choose(
        QueryStrategy::Diversity,
        None,
        &all,
        &[],
        count,
        stream.seed,
        vectors,
    );
    let mut covering = Vec::new();
    take(chosen, &mut all, &mut covering);
    if covering.iter().any(|row| row.labels != covering[0].labels) {
        (labelled, open) = (covering, all);
    }
    (labelled, open)
}

/// Trains as production does: on the CSV that a dataset version would hold.
fn train_on(labelled: &[&Row], vectors: Option<&Vectors>) -> Result<Model, TrainingDataError> {
    let mut csv = CsvWriter::new(Vec::new());
    for row in labelled {
        csv.write(row).map_err(TrainingDataError::Read)?;
    }
    let (csv, _) = csv.finish().map_err(TrainingDataError::Read)?;
    let mut set = TrainingSet::read_csv(&csv[..])?;
    if let Some(vectors) = vectors {
        vectors.give_to(&mut set);
    }
    Ok(train(&set, TRAINING_SEED).model)
}

fn judge(model: &Model, test: &[&Row], vectors: Option<&Vectors>) -> Vec<(TestPrediction, Prediction)> {
    let judge_one = |row: &&Row| {
        let prediction = predict(model, &row.text, vectors);
        let outcome = TestPrediction {
            actual: LabelNames::of(row.labels.iter().cloned()),
            predicted: LabelNames::of(prediction.labels.iter().cloned()),
            confidence: f64::from(prediction.confidence),
        };
        (outcome, prediction)
    };
    test.iter().map(judge_one).collect()
}

fn predict(model: &Model, text: &str, vectors: Option<&Vectors>) -> Prediction {
    let class = |class: text_model::Prediction| ClassScore {
        name: class.label.to_owned(),
        score: class.score,
    };
    let classes = encoder::predict(model, text, vectors);
    let classes = classes.into_iter().map(class).collect();
    match model.mode() {
        Mode::MultiClass => Prediction::multi_class(classes),
        Mode::MultiLabel => Prediction::multi_label(classes),
    }
    .expect("a model has two labels with finite scores at least")
}

fn choose(
    strategy: QueryStrategy,
    model: Option<&Model>,
    open: &[&Row],
    labelled: &[&Row],
    count: usize,
    seed: u64,
    vectors: Option<&Vectors>,
) -> Vec<usize> {
    let vector = |row: &&Row| vectors.and_then(|vectors| vectors.get(&row.text));
    let candidates: Vec<Candidate> = open
        .iter()
        .map(|row| Candidate {
            text: &row.text,
            prediction: model.map(|model| predict(model, &row.text, vectors)),
            vector: vector(row),
        })
        .collect();
    let mut before = AskedBefore {
        texts: labelled.iter().map(|row| row.text.as_str()).collect(),
        vectors: labelled.iter().filter_map(vector).collect(),
        ..AskedBefore::default()
    };
    for label in labelled.iter().flat_map(|row| &row.labels) {
        *before.labels.entry(label.clone()).or_default() += 1;
    }
    select(strategy, &candidates, &before, count, seed)
}

/// People label the chosen texts.
fn take<'a>(chosen: Vec<usize>, open: &mut Vec<&'a Row>, labelled: &mut Vec<&'a Row>) {
    labelled.extend(chosen.iter().map(|&index| open[index]));
    let mut is_open = vec![true; open.len()];
    chosen.into_iter().for_each(|index| is_open[index] = false);
    let mut is_open = is_open.into_iter();
    open.retain(|_| is_open.next().unwrap_or(true));
}

fn trusted(threshold: &str, judged: &[(TestPrediction, Prediction)]) -> Trusted {
    let policy = ReviewPolicy {
        threshold: threshold.parse().expect("a number from 0 to 1"),
        margin: "0".parse().expect("a number from 0 to 1"),
        audit_rate: "0".parse().expect("a number from 0 to 1"),
    };
    let (reviewed, accepted): (Vec<_>, Vec<_>) = judged
        .iter()
        .partition(|(_, prediction)| policy.decide(prediction, 0.0).is_some());
    let wrong = |rows: &[&(TestPrediction, Prediction)]| {
        rows.iter().filter(|(outcome, _)| !outcome.is_right()).count() as f64
    };
    let (caught, missed) = (wrong(&reviewed), wrong(&accepted));
    Trusted {
        reviewed: reviewed.len() as f64 / judged.len() as f64,
        accuracy: (!accepted.is_empty()).then(|| 1.0 - missed / accepted.len() as f64),
        errors_caught: (caught + missed > 0.0).then(|| caught / (caught + missed)),
    }
}
