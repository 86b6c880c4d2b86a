//! Training: linear classifiers, joined and calibrated on texts held out in turn.
//!
//! Deterministic: the same training set and seed give the same model, bit by bit, however many cores there are.

use std::{
    num::NonZero,
    ops::RangeInclusive,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use active_learning_core::{
    dataset::Mode,
    model::evaluation::{self, TestPrediction},
    random::Random,
    sampling::selection::SelectedBy,
    text::Vector,
};
use serde::{Deserialize, Serialize};

use crate::{
    calibration::{Calibration, Judged},
    doubt::Likeness,
    features::Features,
    fit::{Fit, fit},
    labelled::Labelled,
    metrics::{self, EvaluationMetrics, Outcome},
    model::{MAX_WEIGHT_BYTES, Model},
    plan::Plan,
    spread::Spread,
    thresholds::Thresholds,
    training_data::{Example, TrainingSet},
    weighing,
    weights::buckets_for,
};

/// Parts of the training set, each held out once to measure and to calibrate.
const FOLDS: usize = 5;
/// The same of [`FEW_TEXTS`] with vectors.
///
/// A model of four fifths of few texts is worse than that of all, so what it says of the others makes the confidence too low:
/// after 300 chosen labels of news the calibration error was 3.4 ± 0.9 % with five parts and 3.0 ± 0.6 % with ten (ten seeds).
const FOLDS_OF_FEW: usize = 10;
/// Numbers of texts that are few. With 20 the error of news was 7.2 % with five parts and 8.0 % with ten.
const FEW_TEXTS: RangeInclusive<usize> = 50..=1_000;
/// From so many texts on only one part is held out: it says enough.
const MANY_TEXTS: usize = 50_000;
/// One text in so many is held out where there is no test set, as by Comprehend.
const TEST_SHARE: usize = 10;
/// Most texts held out where there is no test set, as by Comprehend.
const MAX_TEST_TEXTS: usize = 10_000;

/// Most labelled texts whose labels are spread over others: more say enough by themselves.
const MAX_SPREAD_FROM: usize = 1_000;
/// Fewest texts without labels that say something.
const MIN_UNLABELLED: usize = 100;
/// Most texts without labels that are looked at; of more, chance takes so many.
pub const MAX_UNLABELLED: usize = 2_000;

/// A model and what held-out texts say about it.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Trained on all texts.
    pub model: Model,
    /// Cross-validated: each text judged by a model that has not seen it.
    pub metrics: EvaluationMetrics,
    /// What the confidence is worth, on the same texts.
    ///
    /// A few numbers of the calibration, and a multi-label model's thresholds, are fitted on them too, so it flatters a little.
    pub confidence: Confidence,
    /// Texts that were held out once. A class's only text never is.
    pub held_out: usize,
    /// What was said of each of these.
    pub outcomes: Vec<Outcome>,
}

/// What a model's confidence is worth. Of a multi-label model: in each single decision about a label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confidence {
    /// Expected calibration error over 15 bins of equal size, 0 to 1.
    pub calibration_error: f64,
    /// Mean squared distance of the confidence from being right (1) or wrong (0).
    pub brier_score: f64,
    /// Probability that a right prediction has a higher confidence than a wrong one; unknown where all are
    /// right or all are wrong.
    pub auroc: Option<f64>,
}

/// Trains a model.
///
/// Takes time in proportion to texts × length × classes, five times over for the calibration (ten times of 50 to 1,000 texts with vectors), on all
/// cores.
/// Needs at most 64 MB beyond the training set for each core and set of weights.
#[must_use]
pub fn train(set: &TrainingSet, seed: u64) -> Trained {
    train_within(set, MAX_WEIGHT_BYTES, seed)
}

/// Trains a model whose weights take at most so many bytes of its file: to see what size is worth.
#[must_use]
pub fn train_within(set: &TrainingSet, max_weight_bytes: usize, seed: u64) -> Trained {
    let texts: Vec<_> = set.examples.iter().map(Example::labelled).collect();
    let plan = Plan {
        mode: set.mode,
        labels: &set.labels,
        encoder: set.encoder.as_deref(),
        names: &set.names,
        unlabelled: &set.unlabelled,
        max_weight_bytes,
        seed,
    };
    train_on(&plan, &texts)
}

/// Trains a multi-class model on texts whose features are at hand, each with the number of its class.
///
/// The same as [`train()`] on a file of these rows. For many trainings on parts of the same texts.
///
/// # Panics
///
/// Where the number of a class is that of none.
#[must_use]
pub fn train_classes(classes: &[String], texts: &[(&Features, usize)], seed: u64) -> Trained {
    let numbers: Vec<u32> = (0..classes.len()).map(|class| class as u32).collect();
    let labelled = |&(features, class): &(_, usize)| Labelled {
        features,
        labels: &numbers[class..=class],
        vector: None,
        selected_by: SelectedBy::Chance,
    };
    let texts: Vec<_> = texts.iter().map(labelled).collect();
    let plan = Plan {
        mode: Mode::MultiClass,
        labels: classes,
        encoder: None,
        names: &[],
        unlabelled: &[],
        max_weight_bytes: MAX_WEIGHT_BYTES,
        seed,
    };
    train_on(&plan, &texts)
}

fn train_on(plan: &Plan<'_>, texts: &[Labelled<'_>]) -> Trained {
    let &Plan { mode, seed, .. } = plan;
    let classes = plan.labels.len();
    let ngrams = texts.iter().map(|text| text.features.len()).sum();
    let buckets = buckets_for(ngrams, classes);
    let folds = folds(texts, plan.encoder.is_some(), seed);
    tracing::info!(texts = texts.len(), classes, ngrams, buckets, "training begins");
    let work = Work {
        texts,
        names: plan.names,
        spread: spread(plan, texts),
        classes,
        buckets,
        seed,
    };
    let (all, judged) = work.fit_all(&folds);
    let (mut judged, likeness): (Vec<Judged>, Vec<Likeness>) = judged.into_iter().unzip();
    let mut calibration = Calibration::of(&judged, mode, classes, &all.trust());
    let selected = folds.iter().flatten().map(|&text| texts[text].selected_by);
    if weighing::weigh(&mut judged, selected, weighing::chosen_count_as(plan)) {
        calibration = calibration.sure_as(&judged, mode);
    }
    let probabilities = judged.iter().map(|text| calibration.probabilities(mode, text));
    let probabilities: Vec<Vec<f32>> = probabilities.collect();
    let mut model = Model::of(plan, &all, &calibration, &likeness);
    model.thresholds = Thresholds::of(mode, &judged, &probabilities);
    let outcomes = outcomes(&model, judged, probabilities, &likeness);
    let metrics = metrics::evaluate(mode, classes, &outcomes);
    let confidence = Confidence::of(mode, &outcomes);
    tracing::info!(
        held_out = outcomes.len(),
        accuracy = metrics.accuracy,
        macro_f1 = metrics.f1_score,
        calibration_error = confidence.calibration_error,
        brier_score = confidence.brier_score,
        auroc = confidence.auroc,
        "training ends"
    );
    Trained {
        model,
        metrics,
        confidence,
        held_out: outcomes.len(),
        outcomes,
    }
}

/// Returns what the model says of held-out texts, of whose probabilities only the calibration is known yet.
fn outcomes(
    model: &Model,
    judged: Vec<Judged>,
    probabilities: Vec<Vec<f32>>,
    likeness: &[Likeness],
) -> Vec<Outcome> {
    let texts = judged.into_iter().zip(probabilities).zip(likeness);
    let outcome = |((text, mut probabilities), likeness): ((Judged, Vec<f32>), &Likeness)| {
        model.say(*likeness, &mut probabilities);
        Outcome {
            probabilities,
            truth: text.truth.into_iter().map(|class| class as usize).collect(),
        }
    };
    texts.map(outcome).collect()
}

impl Confidence {
    /// Measures outcomes on texts that the model has not seen.
    pub fn of(mode: Mode, outcomes: &[Outcome]) -> Self {
        let predictions: Vec<TestPrediction> = outcomes
            .iter()
            .flat_map(|outcome| outcome.decisions(mode))
            .collect();
        let evaluation = evaluation::evaluate(&predictions);
        Self {
            calibration_error: evaluation.expected_calibration_error,
            brier_score: evaluation.brier_score,
            auroc: evaluation.auroc,
        }
    }
}

/// Takes a tenth of the texts out of the set, at most 10,000, as a test.
///
/// A label never loses all of its texts.
pub fn split_test(set: &mut TrainingSet, seed: u64) -> Vec<Example> {
    let texts: Vec<_> = set.examples.iter().map(Example::labelled).collect();
    let folds = assign_folds(&texts, seed, TEST_SHARE);
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
pub fn judge(model: &Model, test: &[Example]) -> Vec<Outcome> {
    let judge_one = |example: &Example| Outcome {
        probabilities: model.probabilities(&example.features, example.vector.as_ref()),
        truth: example
            .labels
            .iter()
            .copied()
            .map(|class| class as usize)
            .collect(),
    };
    test.iter().map(judge_one).collect()
}

/// Returns the parts to hold out, each by the numbers of its texts.
fn folds(texts: &[Labelled<'_>], have_vectors: bool, seed: u64) -> Vec<Vec<usize>> {
    let (parts, used) = match texts.len() {
        MANY_TEXTS.. => (TEST_SHARE, 1),
        few if have_vectors && FEW_TEXTS.contains(&few) => (FOLDS_OF_FEW, FOLDS_OF_FEW),
        _ => (FOLDS, FOLDS),
    };
    let mut folds = vec![Vec::new(); used];
    for (index, fold) in assign_folds(texts, seed, parts).into_iter().enumerate() {
        if let Some(fold) = fold.and_then(|fold| folds.get_mut(fold)) {
            fold.push(index);
        }
    }
    folds.retain(|fold| !fold.is_empty());
    folds
}

/// Deals the texts of each set of labels out over the folds; one that is alone stays with all.
fn assign_folds(texts: &[Labelled<'_>], seed: u64, folds_wanted: usize) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    Random::new(seed).shuffle(&mut order);
    order.sort_by_key(|&index| texts[index].labels);
    let mut folds = vec![None; order.len()];
    let mut fold = 0;
    for alike in order.chunk_by(|&a, &b| texts[a].labels == texts[b].labels) {
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

/// Joins the texts with those that nobody has labelled, where labels are few enough for these to say something.
fn spread(plan: &Plan<'_>, texts: &[Labelled<'_>]) -> Option<Spread> {
    let fits = plan.mode == Mode::MultiClass && texts.len() <= MAX_SPREAD_FROM;
    if !fits || plan.unlabelled.len() < MIN_UNLABELLED {
        return None;
    }
    let mut vectors: Vec<&Vector> = texts.iter().map(|text| text.vector).collect::<Option<_>>()?;
    let mut places: Vec<usize> = (0..plan.unlabelled.len()).collect();
    Random::new(plan.seed).shuffle(&mut places);
    places.truncate(MAX_UNLABELLED);
    vectors.extend(places.into_iter().map(|place| &plan.unlabelled[place]));
    Some(Spread::of(&vectors))
}

/// What all parts of a training share.
struct Work<'a> {
    texts: &'a [Labelled<'a>],
    names: &'a [Vector],
    spread: Option<Spread>,
    classes: usize,
    buckets: usize,
    seed: u64,
}

impl Work<'_> {
    /// Fits all texts, and for each fold all but its own, which are judged; on all cores.
    fn fit_all(&self, folds: &[Vec<usize>]) -> (Fit, Vec<(Judged, Likeness)>) {
        let all = Mutex::new(None);
        let judged: Vec<Mutex<Vec<(Judged, Likeness)>>> = folds.iter().map(|_| Mutex::default()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            // Number 0 is the fit of all texts: the longest comes first.
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number == 0 {
                    *lock(&all) = Some(self.fit_without(&[]));
                } else if let Some(fold) = folds.get(number - 1) {
                    *lock(&judged[number - 1]) = self.judge_fold(fold);
                } else {
                    return;
                }
                tracing::info!(
                    done = number + 1,
                    of = folds.len() + 1,
                    "a part of the training is done"
                );
            }
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 1..cores.min(folds.len() + 1) {
                scope.spawn(work);
            }
            work();
        });
        let judged = judged
            .into_iter()
            .flat_map(|judged| std::mem::take(&mut *lock(&judged)));
        let all = lock(&all).take().expect("number 0 is taken first");
        (all, judged.collect())
    }

    fn judge_fold(&self, fold: &[usize]) -> Vec<(Judged, Likeness)> {
        let fit = self.fit_without(fold);
        let judge = |&index: &usize| {
            let text = &self.texts[index];
            let judged = Judged {
                scores: fit.scores(text),
                truth: text.labels.to_vec(),
                weight: 1.0,
            };
            (judged, fit.likeness(text))
        };
        fold.iter().map(judge).collect()
    }

    fn fit_without(&self, fold: &[usize]) -> Fit {
        let mut held_out = vec![false; self.texts.len()];
        for &index in fold {
            held_out[index] = true;
        }
        let both = || self.texts.iter().zip(&held_out);
        let kept: Vec<_> = both()
            .filter(|(_, held_out)| !**held_out)
            .map(|(text, _)| *text)
            .collect();
        let known: Vec<Option<u32>> = both()
            .map(|(text, held_out)| text.labels.first().copied().filter(|_| !held_out))
            .collect();
        let spread = self.spread.as_ref().map(|spread| (spread, &known[..]));
        fit(&kept, self.names, spread, self.classes, self.buckets, self.seed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("a panic in a thread ends the scope")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_few_texts_with_vectors_is_held_out_in_turn_and_a_fifth_of_others() {
        let classes: [[u32; 1]; 2] = [[0], [1]];
        let features = Features::of("a text");
        let parts = |texts: usize, have_vectors| {
            let text = |number: usize| Labelled {
                features: &features,
                labels: &classes[number % 2],
                vector: None,
                selected_by: SelectedBy::Chance,
            };
            let texts: Vec<_> = (0..texts).map(text).collect();
            folds(&texts, have_vectors, 1).len()
        };

        assert_eq!(
            [49, 50, 1_000, 1_001].map(|texts| parts(texts, true)),
            [5, 10, 10, 5]
        );
        assert_eq!([49, 50, 1_000].map(|texts| parts(texts, false)), [5; 3]);
    }
}
