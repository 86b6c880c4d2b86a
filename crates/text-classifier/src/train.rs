//! Training: logistic regression with Adagrad, then calibration on texts held out in turn.
//!
//! Deterministic: the same training set and seed give the same model, bit by bit, on the same machine.

use crate::{
    metrics::{self, EvaluationMetrics, Outcome},
    model::{Model, Weights, to_probabilities},
    training_data::{Example, Mode, TrainingSet},
};

// Chosen by cross-validation on news texts: 236 of ours and 1,200 of agencies.
const EPOCHS: usize = 6;
const LEARNING_RATE: f32 = 0.05;
/// Start of Adagrad's sum of squared gradients, next to nothing: a rare word's first step is as long as
/// a frequent one's, which does the work of inverse document frequency.
const INITIAL_SQUARES: f32 = 1e-6;
/// Parts of the training set, each held out once to measure and to calibrate.
const FOLDS: usize = 5;
/// One text in so many is held out where there is no test set, as by Comprehend.
const TEST_SHARE: usize = 10;
/// Most texts held out where there is no test set, as by Comprehend.
const MAX_TEST_TEXTS: usize = 10_000;

/// A model and what held-out texts say about it.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Trained on all texts.
    pub model: Model,
    /// Cross-validated: each text judged by a model that has not seen it.
    pub metrics: EvaluationMetrics,
    /// Expected calibration error of the calibrated scores on the same texts, 0 to 1.
    ///
    /// One temperature is fitted on them too, so it flatters a little.
    pub calibration_error: f64,
    /// Texts that were held out once. A class's only text never is.
    pub held_out: usize,
}

/// Trains a model.
///
/// Takes time in proportion to texts × length × classes, six times over for the calibration.
#[must_use]
pub fn train(set: &TrainingSet, seed: u64) -> Trained {
    let mut held_out = held_out_scores(set, seed);
    let temperature = fit_temperature(set.mode, &held_out);
    for outcome in &mut held_out {
        outcome
            .probabilities
            .iter_mut()
            .for_each(|score| *score /= temperature);
        to_probabilities(set.mode, &mut outcome.probabilities);
    }
    let mut weights = fit(set, set.examples.iter().collect(), seed);
    weights
        .bias
        .iter_mut()
        .chain(&mut weights.rows)
        .for_each(|weight| *weight /= temperature);
    Trained {
        metrics: metrics::evaluate(set.mode, set.labels.len(), &held_out),
        calibration_error: metrics::calibration_error(set.mode, &held_out),
        held_out: held_out.len(),
        model: Model {
            mode: set.mode,
            labels: set.labels.clone(),
            weights,
        },
    }
}

/// Takes a tenth of the texts out of the set, at most [`MAX_TEST_TEXTS`], as a test.
///
/// A label never loses all of its texts.
pub(crate) fn split_test(set: &mut TrainingSet, seed: u64) -> Vec<Example> {
    let folds = assign_folds(set, seed, TEST_SHARE);
    let mut test = Vec::new();
    let mut kept = Vec::new();
    for (example, fold) in set.examples.drain(..).zip(folds) {
        let held_out = fold == Some(0) && test.len() < MAX_TEST_TEXTS;
        if held_out { &mut test } else { &mut kept }.push(example);
    }
    set.examples = kept;
    test
}

/// Has the model judge texts whose labels are known.
pub(crate) fn judge(model: &Model, test: &[Example]) -> Vec<Outcome> {
    let judge_one = |example: &Example| {
        let mut probabilities = model.weights.scores(&example.features);
        to_probabilities(model.mode, &mut probabilities);
        Outcome {
            probabilities,
            truth: example.labels.clone(),
        }
    };
    test.iter().map(judge_one).collect()
}

/// Returns the raw scores of each text by a model that was trained without it.
fn held_out_scores(set: &TrainingSet, seed: u64) -> Vec<Outcome> {
    let folds = assign_folds(set, seed, FOLDS);
    let mut outcomes = Vec::new();
    for fold in 0..FOLDS {
        if !folds.contains(&Some(fold)) {
            continue;
        }
        let (held_out, kept): (Vec<_>, Vec<_>) = set
            .examples
            .iter()
            .zip(&folds)
            .partition(|(_, of)| **of == Some(fold));
        let kept = kept.into_iter().map(|(example, _)| example).collect();
        let weights = fit(set, kept, seed);
        outcomes.extend(held_out.into_iter().map(|(example, _)| Outcome {
            probabilities: weights.scores(&example.features),
            truth: example.labels.clone(),
        }));
    }
    outcomes
}

/// Deals the texts of each set of labels out over the folds; one that is alone stays with all.
fn assign_folds(set: &TrainingSet, seed: u64, folds_wanted: usize) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..set.examples.len()).collect();
    Random(seed).shuffle(&mut order);
    order.sort_by_key(|&index| &set.examples[index].labels);
    let mut folds = vec![None; order.len()];
    let mut fold = 0;
    for alike in order.chunk_by(|&a, &b| set.examples[a].labels == set.examples[b].labels) {
        if alike.len() < 2 {
            continue;
        }
        for &index in alike {
            folds[index] = Some(fold % folds_wanted);
            fold += 1;
        }
    }
    folds
}

fn fit(set: &TrainingSet, mut examples: Vec<&Example>, seed: u64) -> Weights {
    let mut weights = Weights::zero(set.labels.len());
    let mut squares = Weights::zero(set.labels.len());
    let mut random = Random(seed);
    for _ in 0..EPOCHS {
        random.shuffle(&mut examples);
        for example in &examples {
            step(set.mode, &mut weights, &mut squares, example);
        }
    }
    weights
}

/// Moves the weights along the gradient of one text's log loss.
fn step(mode: Mode, weights: &mut Weights, squares: &mut Weights, example: &Example) {
    // Probability minus truth: the gradient by the score, for softmax and sigmoid alike.
    let mut errors = weights.scores(&example.features);
    to_probabilities(mode, &mut errors);
    for &label in &example.labels {
        errors[label] -= 1.0;
    }
    let classes = errors.len();
    descend(&mut weights.bias, &mut squares.bias, &errors, 1.0);
    for &feature in &example.features {
        let row = weights.row_start(feature);
        descend(
            &mut weights.rows[row..row + classes],
            &mut squares.rows[row..row + classes],
            &errors,
            feature.value,
        );
    }
}

fn descend(weights: &mut [f32], squares: &mut [f32], errors: &[f32], value: f32) {
    for ((weight, squares), error) in weights.iter_mut().zip(squares).zip(errors) {
        let gradient = error * value;
        *squares += gradient * gradient;
        *weight -= LEARNING_RATE * gradient / (INITIAL_SQUARES + *squares).sqrt();
    }
}

/// Returns the number by which scores must be divided for their probabilities to be honest.
///
/// Minimises the log loss over its logarithm, a function with one valley; 1 without held-out texts.
/// As in Platt's method the truth is softened by the number of texts, so that a few lucky hits do not
/// make the model certain.
fn fit_temperature(mode: Mode, held_out: &[Outcome]) -> f32 {
    if held_out.is_empty() {
        return 1.0;
    }
    let (mut low, mut high) = (-4.0_f32, 4.0_f32);
    for _ in 0..40 {
        let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if log_loss(mode, held_out, left.exp()) <= log_loss(mode, held_out, right.exp()) {
            high = right;
        } else {
            low = left;
        }
    }
    ((low + high) / 2.0).exp()
}

fn log_loss(mode: Mode, held_out: &[Outcome], temperature: f32) -> f64 {
    let doubt = 1.0 / (held_out.len() + 2) as f64;
    let mut loss = 0.0;
    for outcome in held_out {
        let mut probabilities: Vec<f32> = outcome
            .probabilities
            .iter()
            .map(|score| score / temperature)
            .collect();
        to_probabilities(mode, &mut probabilities);
        let classes = probabilities.len();
        for (class, probability) in probabilities.into_iter().enumerate() {
            let right = outcome.truth.contains(&class);
            let log = |probability: f32| f64::from(probability.max(f32::MIN_POSITIVE)).ln();
            loss -= match mode {
                Mode::MultiClass if right => (1.0 - doubt) * log(probability),
                Mode::MultiClass => doubt / (classes - 1) as f64 * log(probability),
                Mode::MultiLabel => {
                    let truth = if right { 1.0 - doubt } else { doubt };
                    truth * log(probability) + (1.0 - truth) * log(1.0 - probability)
                }
            };
        }
    }
    loss
}

/// SplitMix64: all the randomness that shuffling needs, the same in every release.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
    }
}
