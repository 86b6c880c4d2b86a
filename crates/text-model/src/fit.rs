//! The linear classifiers that a model is made of. On n-grams: a support vector machine and complement naive
//! Bayes; on vectors, where there are any, those of [`crate::dense`].
//!
//! The machine is the better one on thousands of texts, naive Bayes on dozens; how much each has to say is
//! decided by texts that none has seen.

use active_learning_core::{random::Random, text::Vector};

use crate::{
    dense::DenseFit,
    doubt::Likeness,
    features::Features,
    labelled::{Labelled, class_costs},
    spread::Spread,
    weights::{Weighting, Weights},
};

// Chosen by cross-validation on four fifths of 6,161 news texts.
const EPOCHS: usize = 5;
/// Cost of an error of the support vector machine.
const COST: f32 = 0.7;
/// Pseudo-count of naive Bayes.
const SMOOTHING: f32 = 0.1;
/// Pseudo-count of the ratios by which the machine's n-grams are weighted.
const RATIO_SMOOTHING: f32 = 0.3;
/// Share of an n-gram's weight that does not depend on its ratios.
const EVEN_SHARE: f32 = 0.3;

/// What was learned from one set of texts.
pub(crate) struct Fit {
    pub weighting: Weighting,
    pub machine: Weights,
    pub bayes: Weights,
    /// If all texts have a vector.
    pub dense: Option<DenseFit>,
}

impl Fit {
    /// Returns each expert's scores, always in the same order.
    pub(crate) fn scores(&self, text: &Labelled<'_>) -> Vec<Vec<f32>> {
        let mut scores = vec![
            self.machine.scores(&self.weighting, text.features),
            self.bayes.scores(&self.weighting, text.features),
        ];
        if let (Some(dense), Some(vector)) = (&self.dense, text.vector) {
            scores.extend(dense.experts.iter().map(|expert| expert.scores(vector)));
        }
        scores
    }

    /// Returns how like the texts that were learned from another one is.
    pub(crate) fn likeness(&self, text: &Labelled<'_>) -> Likeness {
        let region = self.dense.as_ref().map(|dense| &dense.region);
        let distance = region.zip(text.vector);
        Likeness {
            known_words: self.weighting.known_words(text.features),
            distance: distance.and_then(|(region, vector)| region.distance(vector)),
        }
    }

    /// Returns how much each expert has to say before a text has been judged, in proportion.
    pub(crate) fn trust(&self) -> Vec<f64> {
        let mut trust = vec![1.0, 1.0];
        trust.extend(self.dense.iter().flat_map(DenseFit::trust));
        trust
    }
}

/// Learns from texts. The same texts in the same order and the same seed give the same result.
pub(crate) fn fit(
    texts: &[Labelled<'_>],
    names: &[Vector],
    spread: Option<(&Spread, &[Option<u32>])>,
    classes: usize,
    buckets: usize,
    seed: u64,
) -> Fit {
    let weighting = Weighting::of(texts.iter().map(|text| text.features), buckets);
    let sums = class_sums(texts, classes, &weighting);
    let importance = importance(texts, &weighting, &sums);
    Fit {
        machine: support_vectors(texts, classes, &weighting, &importance, seed),
        bayes: complement_naive_bayes(sums, &weighting),
        dense: DenseFit::of(texts, names, spread, classes),
        weighting,
    }
}

/// Sums up the weighted n-grams of each class' texts.
fn class_sums(texts: &[Labelled<'_>], classes: usize, weighting: &Weighting) -> ClassSums {
    let mut sums = ClassSums {
        classes: Weights::zero(classes, weighting.rarity.len()),
        all: vec![0.0; weighting.rarity.len()],
    };
    for text in texts {
        weighting.values(text.features, |bucket, value| {
            let value = value * weighting.rarity[bucket];
            sums.all[bucket] += value;
            for &label in text.labels {
                sums.classes.rows[bucket * classes + label as usize] += value;
            }
        });
    }
    sums
}

/// How often each n-gram occurs, weighted: in the texts of each class, and in all.
struct ClassSums {
    classes: Weights,
    all: Vec<f32>,
}

impl ClassSums {
    /// Returns the sum over all n-grams and, for each class, that over its own.
    fn totals(&self) -> (f32, Vec<f32>) {
        let mut own = vec![0.0; self.classes.bias.len()];
        for row in self.classes.rows.chunks_exact(own.len()) {
            own.iter_mut().zip(row).for_each(|(total, own)| *total += own);
        }
        (self.all.iter().sum(), own)
    }
}

/// Returns how much each n-gram counts for the machine: rarity, and more where naive Bayes tells the classes apart by it.
///
/// Source: Wang and Manning, "Baselines and bigrams: simple, good sentiment and topic classification" (ACL 2012); here with the
/// root mean square of the log ratios of all classes, so that one weight serves them all.
fn importance(texts: &[Labelled<'_>], weighting: &Weighting, sums: &ClassSums) -> Vec<f32> {
    let classes = sums.classes.bias.len();
    let (all, own) = sums.totals();
    let smoothing = RATIO_SMOOTHING * weighting.seen() as f32;
    let shares: Vec<[f32; 2]> = own
        .iter()
        .map(|own| [own + smoothing, (all - own).max(0.0) + smoothing])
        .collect();
    let ratio = |(row, &all): (&[f32], &f32)| {
        let squares = row.iter().zip(&shares).map(|(own, [own_total, others_total])| {
            let others = (all - own).max(0.0);
            let own = (own + RATIO_SMOOTHING) / own_total;
            (own * others_total / (others + RATIO_SMOOTHING)).ln().powi(2)
        });
        (squares.sum::<f32>() / classes as f32).sqrt()
    };
    let ratios: Vec<f32> = sums
        .classes
        .rows
        .chunks_exact(classes)
        .zip(&sums.all)
        .zip(&weighting.texts)
        .map(|(sums, &texts)| if texts > 0 { ratio(sums) } else { 0.0 })
        .collect();
    let mean = ratios.iter().sum::<f32>() / weighting.seen().max(1) as f32;
    let even = EVEN_SHARE * mean / (1.0 - EVEN_SHARE);
    let mut importance: Vec<f32> = weighting
        .rarity
        .iter()
        .zip(ratios)
        .map(|(rarity, ratio)| rarity * (even + ratio))
        .collect();
    let squares = texts
        .iter()
        .map(|text| f64::from(squared_length(text.features, weighting, &importance)));
    let length = (squares.sum::<f64>() / texts.len().max(1) as f64).sqrt() as f32;
    if length > 0.0 {
        importance.iter_mut().for_each(|importance| *importance /= length);
    }
    importance
}

/// One machine a class against the rest, squared hinge loss, by dual coordinate descent.
///
/// Source: Hsieh et al., "A dual coordinate descent method for large-scale linear SVM" (ICML 2008).
fn support_vectors(
    texts: &[Labelled<'_>],
    classes: usize,
    weighting: &Weighting,
    importance: &[f32],
    seed: u64,
) -> Weights {
    let mut weights = Weights::zero(classes, weighting.rarity.len());
    let costs = class_costs(texts, classes, COST);
    let lengths: Vec<f32> = texts
        .iter()
        .map(|text| 1.0 + squared_length(text.features, weighting, importance))
        .collect();
    let mut alphas = vec![0.0_f32; texts.len() * classes];
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let mut random = Random::new(seed);
    let mut changes = vec![0.0; classes];
    let mut values = Vec::new();
    for _ in 0..EPOCHS {
        random.shuffle(&mut order);
        for &index in &order {
            let text = &texts[index];
            values.clear();
            weighting.values(text.features, |bucket, value| values.push((bucket, value)));
            let mut scores = weights.bias.clone();
            for &(bucket, value) in &values {
                let row = &weights.rows[bucket * classes..][..classes];
                scores
                    .iter_mut()
                    .zip(row)
                    .for_each(|(score, weight)| *score += value * weight);
            }
            let mut changed = false;
            for (class, alpha) in alphas[index * classes..][..classes].iter_mut().enumerate() {
                let (sign, cost) = if text.has(class) {
                    (1.0, costs[class])
                } else {
                    (-1.0, COST)
                };
                let slack = 0.5 / cost;
                let gradient = sign * scores[class] - 1.0 + slack * *alpha;
                let next = (*alpha - gradient / (lengths[index] + slack)).max(0.0);
                changes[class] = (next - *alpha) * sign;
                changed |= next != *alpha;
                *alpha = next;
            }
            if !changed {
                continue;
            }
            weights
                .bias
                .iter_mut()
                .zip(&changes)
                .for_each(|(bias, change)| *bias += change);
            for &(bucket, value) in &values {
                let step = value * importance[bucket].powi(2);
                let row = &mut weights.rows[bucket * classes..][..classes];
                row.iter_mut()
                    .zip(&changes)
                    .for_each(|(weight, change)| *weight += step * change);
            }
        }
    }
    weights
}

fn squared_length(features: &Features, weighting: &Weighting, importance: &[f32]) -> f32 {
    let mut sum = 0.0;
    weighting.values(features, |bucket, value| {
        sum += (value * importance[bucket]).powi(2)
    });
    sum
}

/// Weighs an n-gram for a class by how much rarer it is in the texts of all other classes than in all texts.
///
/// Source: Rennie et al., "Tackling the poor assumptions of naive Bayes text classifiers" (ICML 2003); the share in
/// all texts is the same for each class and leaves their order alone.
fn complement_naive_bayes(sums: ClassSums, weighting: &Weighting) -> Weights {
    let (all, own) = sums.totals();
    let total = all + SMOOTHING * weighting.seen() as f32;
    let totals: Vec<f32> = own.into_iter().map(|own| total - own).collect();
    let ClassSums {
        classes: mut weights,
        all,
    } = sums;
    let rows = weights.rows.chunks_exact_mut(totals.len());
    for ((row, &all), rarity) in rows.zip(&all).zip(&weighting.rarity) {
        if *rarity == 0.0 {
            continue;
        }
        let share = (all + SMOOTHING) / total;
        for (weight, total) in row.iter_mut().zip(&totals) {
            // Rounding may leave a little less than nothing.
            let others = ((all - *weight).max(0.0) + SMOOTHING) / total;
            *weight = rarity * (share / others).ln();
        }
    }
    weights
}
