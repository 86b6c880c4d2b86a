//! One replay: label, train, test, choose, again and again.

use std::{collections::HashMap, fmt};

use active_learning_core::{
    dataset::Row,
    feedback::{
        prediction::{ClassScore, Prediction},
        review_policy::ReviewPolicy,
    },
    model::evaluation::{LabelNames, TestPrediction, evaluate},
    sampling::{
        query_strategy::{AskedBefore, Candidate, Choice, QueryStrategy, select_with_chance},
        selection::{SelectedBy, SelectedTexts},
    },
    text::vector_id,
};
use text_model::{Features, Mode, Model, TrainingDataError, TrainingSet, train};

use super::{SimulateError, stream::Stream};
use crate::{encoder::Vectors, labelled_texts::training_set};

/// The same for every model, as in production: a model depends on its training data alone.
const TRAINING_SEED: u64 = 1;

/// Confidence thresholds that are tried.
pub(super) const THRESHOLDS: [&str; 8] = ["0", "0.5", "0.6", "0.7", "0.8", "0.9", "0.95", "0.99"];

/// How texts are chosen, and whether choice and models look through the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    /// The strategy.
    pub strategy: QueryStrategy,
    /// Whether there are vectors.
    pub encoder: bool,
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoder = if self.encoder { "+encoder" } else { "" };
        write!(formatter, "{}{encoder}", self.strategy)
    }
}

/// What is seen of all texts, made once.
pub(super) struct Seen {
    features: HashMap<String, Features>,
    vectors: Option<Vectors>,
}

impl Seen {
    /// Looks at texts.
    pub(super) fn of<'a>(texts: impl Iterator<Item = &'a str>, vectors: Option<Vectors>) -> Self {
        Self {
            features: texts.map(|text| (text.to_owned(), Features::of(text))).collect(),
            vectors,
        }
    }

    fn features(&self, text: &str) -> &Features {
        &self.features[text]
    }
}

/// What became of one strategy on one stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Replay {
    /// How texts were chosen and looked at.
    pub way: Way,
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
    /// How well the confidence tells right from wrong; `None` where all are right or all are wrong.
    pub auroc: Option<f64>,
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
            auroc: evaluation.auroc,
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
    way: Way,
    budgets: &[usize],
    seen: &Seen,
) -> Result<Replay, SimulateError> {
    let mode = stream.mode;
    let look = Look { seen, way, mode };
    let (mut labelled, mut open) = look.start(stream, budgets[0]);
    let mut points = Vec::new();
    let mut judged = Vec::new();
    for (round, &labels) in budgets.iter().enumerate() {
        let model = look.train_on(&labelled, &open)?;
        judged = look.judge(&model, &stream.test);
        points.push(Point::of(labels, &judged));
        if let Some(next) = budgets.get(round + 1) {
            let seed = (stream.seed << 32) + round as u64;
            let chosen = look.choose(way.strategy, Some(&model), &open, &labelled, next - labels, seed);
            take(chosen, &mut open, &mut labelled);
        }
    }
    Ok(Replay {
        way,
        seed: stream.seed,
        points,
        trusted: THRESHOLDS
            .iter()
            .map(|threshold| trusted(threshold, &judged))
            .collect(),
    })
}

/// Returns what a model does that has learned all labels of a stream, through the encoder if there is one.
///
/// # Errors
///
/// Labels that the classifier refuses.
pub(super) fn with_all_labels(stream: &Stream, seen: &Seen) -> Result<Point, SimulateError> {
    let way = Way {
        strategy: QueryStrategy::Random,
        encoder: seen.vectors.is_some(),
    };
    let mode = stream.mode;
    let look = Look { seen, way, mode };
    let selected_by = SelectedBy::Chance;
    let all: Vec<Answered> = stream
        .pool
        .iter()
        .map(|&row| Answered { row, selected_by })
        .collect();
    let model = look.train_on(&all, &[])?;
    Ok(Point::of(all.len(), &look.judge(&model, &stream.test)))
}

/// A text that was labelled.
#[derive(Clone, Copy)]
struct Answered<'a> {
    row: &'a Row,
    /// Chance, also at the start, or a model's doubt.
    selected_by: SelectedBy,
}

/// How one replay looks at texts.
struct Look<'a> {
    seen: &'a Seen,
    way: Way,
    mode: Mode,
}

impl Look<'_> {
    /// Returns the texts that are labelled before there is a model, and the others: by chance, or with vectors those that
    /// cover the texts, for a strategy that covers.
    ///
    /// They are of two classes at least: chance took care of that, and has the last word here too.
    fn start<'a>(&self, stream: &Stream<'a>, count: usize) -> (Vec<Answered<'a>>, Vec<&'a Row>) {
        let (mut labelled, mut open) = (Vec::new(), stream.pool.clone());
        if self.way.encoder && self.way.strategy.covers() {
            let cover = QueryStrategy::Diversity;
            let mut chosen = self.choose(cover, None, &open, &[], count, stream.seed);
            // Texts that stand for others are unlike one another: no sample either.
            chosen.iter_mut().for_each(|choice| choice.by_doubt = true);
            take(chosen, &mut open, &mut labelled);
        }
        let first = labelled.first();
        if first.is_none_or(|first| labelled.iter().all(|other| other.row.labels == first.row.labels)) {
            (labelled, open) = (Vec::new(), stream.pool.clone());
            let by_chance = (0..count).map(|index| Choice {
                index,
                by_doubt: false,
            });
            take(by_chance.collect(), &mut open, &mut labelled);
        }
        (labelled, open)
    }

    /// Trains as production does: on the CSV that a dataset version would hold.
    fn train_on(&self, labelled: &[Answered], open: &[&Row]) -> Result<Model, SimulateError> {
        let refused = |source| SimulateError::Training {
            labels: labelled.len(),
            source,
        };
        let set = self.training_set(labelled, open).map_err(refused)?;
        Ok(train(&set, TRAINING_SEED).model)
    }

    fn training_set(&self, labelled: &[Answered], open: &[&Row]) -> Result<TrainingSet, TrainingDataError> {
        let mut set = training_set(labelled.iter().map(|answered| answered.row), self.mode)?;
        set.set_selected(&selected(labelled));
        if let Some(vectors) = self.vectors() {
            vectors.give_to(&mut set);
            set.unlabelled = open
                .iter()
                .filter_map(|row| vectors.get(&row.text))
                .cloned()
                .collect();
        }
        Ok(set)
    }

    fn judge(&self, model: &Model, test: &[&Row]) -> Vec<(TestPrediction, Prediction)> {
        let judge_one = |row: &&Row| {
            let prediction = self.predict(model, &row.text);
            let outcome = TestPrediction {
                actual: LabelNames::of(row.labels.iter().cloned()),
                predicted: LabelNames::of(prediction.labels.iter().cloned()),
                confidence: f64::from(prediction.confidence),
            };
            (outcome, prediction)
        };
        test.iter().map(judge_one).collect()
    }

    fn predict(&self, model: &Model, text: &str) -> Prediction {
        let vector = self.vectors().and_then(|vectors| vectors.get(text));
        let scores = model.probabilities(self.seen.features(text), vector);
        let class = |(name, score): (&String, f32)| ClassScore {
            name: name.clone(),
            score,
        };
        let mut classes: Vec<ClassScore> = model.labels().iter().zip(scores).map(class).collect();
        classes.sort_by(|left, right| right.score.total_cmp(&left.score));
        match model.mode() {
            Mode::MultiClass => Prediction::multi_class(classes),
            Mode::MultiLabel => Prediction::multi_label(classes),
        }
        .expect("a model has two labels with finite scores at least")
    }

    fn choose(
        &self,
        strategy: QueryStrategy,
        model: Option<&Model>,
        open: &[&Row],
        labelled: &[Answered],
        count: usize,
        seed: u64,
    ) -> Vec<Choice> {
        let vector = |text: &str| self.vectors().and_then(|vectors| vectors.get(text));
        let candidates: Vec<Candidate> = open
            .iter()
            .map(|row| Candidate {
                text: &row.text,
                prediction: model.map(|model| self.predict(model, &row.text)),
                vector: vector(&row.text),
            })
            .collect();
        let texts: Vec<&str> = labelled
            .iter()
            .map(|answered| answered.row.text.as_str())
            .collect();
        let mut before = AskedBefore {
            vectors: texts.iter().filter_map(|text| vector(text)).collect(),
            texts,
            ..AskedBefore::default()
        };
        for label in labelled.iter().flat_map(|answered| &answered.row.labels) {
            *before.labels.entry(label.clone()).or_default() += 1;
        }
        select_with_chance(strategy, &candidates, &before, count, seed)
    }

    /// Returns what the encoder made of the texts, if models look through it.
    fn vectors(&self) -> Option<&Vectors> {
        self.seen.vectors.as_ref().filter(|_| self.way.encoder)
    }
}

/// People label the chosen texts.
fn take<'a>(chosen: Vec<Choice>, open: &mut Vec<&'a Row>, labelled: &mut Vec<Answered<'a>>) {
    let answered = |choice: &Choice| Answered {
        row: open[choice.index],
        selected_by: match choice.by_doubt {
            true => SelectedBy::Choice,
            false => SelectedBy::Chance,
        },
    };
    labelled.extend(chosen.iter().map(answered));
    let mut is_open = vec![true; open.len()];
    chosen
        .into_iter()
        .for_each(|choice| is_open[choice.index] = false);
    let mut is_open = is_open.into_iter();
    open.retain(|_| is_open.next().unwrap_or(true));
}

fn selected(labelled: &[Answered]) -> SelectedTexts {
    let selected = |answered: &Answered| (vector_id(&answered.row.text), answered.selected_by);
    labelled.iter().map(selected).collect()
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
