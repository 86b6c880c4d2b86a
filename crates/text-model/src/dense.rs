//! The experts on vectors of a sentence encoder: a support vector machine, centroids and, where there are texts without
//! labels, what [`crate::spread`] makes of them.
//!
//! Both see a vector relative to the mean of all texts, in a scale in which its mean squared length is 1. The
//! machine is the better one on thousands of texts, centroids on dozens.

use active_learning_core::{random::Random, text::Vector};

use crate::{
    labelled::{Labelled, class_costs},
    spread::Spread,
    vectors::{DenseWeights, Inputs, add},
};

/// Cost of an error of the machine: lower than on n-grams, of which there are many more.
const COST: f32 = 0.2;
const EPOCHS: usize = 12;
/// How much each expert has to say before a text has been judged: machine, centroids and spread labels.
///
/// A machine that has seen twenty texts is right of fewer than the others, and so are those on n-grams, of which each
/// counts as 1.
const TRUST: [f64; 3] = [1.0, 2.0, 2.0];

/// What was learned from the vectors of one set of texts.
pub(crate) struct DenseFit {
    /// Always in the same order.
    pub experts: Vec<DenseWeights>,
}

impl DenseFit {
    /// Learns from texts that all have a vector; `None` if one has not.
    ///
    /// With the texts to spread labels over comes the class of each labelled one of them, if it is to be known.
    pub(crate) fn of(
        texts: &[Labelled<'_>],
        spread: Option<(&Spread, &[Option<u32>])>,
        classes: usize,
        seed: u64,
    ) -> Option<Self> {
        let vectors: Vec<&Vector> = texts.iter().map(|text| text.vector).collect::<Option<_>>()?;
        let inputs = Inputs::of(&vectors);
        let mut experts = vec![
            inputs.support_vectors(texts, classes, seed),
            inputs.centroids(texts, classes),
        ];
        experts.extend(spread.map(|(spread, known)| spread.fit(known, classes)));
        Some(Self { experts })
    }

    /// Returns how much each expert has to say before a text has been judged.
    pub(crate) fn trust(&self) -> impl Iterator<Item = f64> {
        TRUST.into_iter().take(self.experts.len())
    }
}

impl Inputs {
    /// One machine a class against the rest, as on n-grams.
    fn support_vectors(&self, texts: &[Labelled<'_>], classes: usize, seed: u64) -> DenseWeights {
        let mut bias = vec![0.0; classes];
        let mut rows = vec![0.0; self.dimensions() * classes];
        let costs = class_costs(texts, classes, COST);
        let length = |row: &[f32]| 1.0 + row.iter().map(|value| value * value).sum::<f32>();
        let lengths: Vec<f32> = self.rows().map(length).collect();
        let mut alphas = vec![0.0_f32; texts.len() * classes];
        let mut order: Vec<usize> = (0..texts.len()).collect();
        let mut random = Random::new(seed);
        let mut changes = vec![0.0; classes];
        for _ in 0..EPOCHS {
            random.shuffle(&mut order);
            for &index in &order {
                let row = self.row(index);
                let mut scores = bias.clone();
                add(&mut scores, &rows, row.iter().copied());
                let mut changed = false;
                for (class, alpha) in alphas[index * classes..][..classes].iter_mut().enumerate() {
                    let (sign, cost) = match texts[index].has(class) {
                        true => (1.0, costs[class]),
                        false => (-1.0, COST),
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
                bias.iter_mut()
                    .zip(&changes)
                    .for_each(|(bias, change)| *bias += change);
                for (value, weights) in row.iter().zip(rows.chunks_exact_mut(classes)) {
                    weights
                        .iter_mut()
                        .zip(&changes)
                        .for_each(|(weight, change)| *weight += value * change);
                }
            }
        }
        self.weights(bias, rows)
    }

    /// The direction in which a class' texts lie from the mean of all.
    fn centroids(&self, texts: &[Labelled<'_>], classes: usize) -> DenseWeights {
        let mut rows = vec![0.0; self.dimensions() * classes];
        for (text, values) in texts.iter().zip(self.rows()) {
            for &label in text.labels {
                let column = rows.iter_mut().skip(label as usize).step_by(classes);
                column.zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        let mut squares = vec![0.0; classes];
        for row in rows.chunks_exact(classes) {
            squares
                .iter_mut()
                .zip(row)
                .for_each(|(square, sum)| *square += sum * sum);
        }
        for row in rows.chunks_exact_mut(classes) {
            for (sum, square) in row.iter_mut().zip(&squares) {
                *sum /= square.sqrt().max(f32::MIN_POSITIVE);
            }
        }
        self.weights(vec![0.0; classes], rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Features;

    #[test]
    fn both_experts_tell_directions_apart() {
        let features = Features::of("");
        let vectors: Vec<Vector> = (0..40_u16)
            .map(|n| {
                let noise = f32::from(n * 7 % 11) / 20.0;
                Vector::of(&[if n % 2 == 0 { 1.0 } else { -0.5 }, 2.0, noise])
            })
            .collect();
        let labels = [[0_u32], [1]];
        let texts: Vec<Labelled<'_>> = vectors
            .iter()
            .enumerate()
            .map(|(n, vector)| Labelled {
                features: &features,
                labels: &labels[n % 2],
                vector: Some(vector),
                is_chosen: false,
            })
            .collect();

        let fit = DenseFit::of(&texts, None, 2, 1).expect("all have vectors");

        for (text, vector) in texts.iter().zip(&vectors) {
            for expert in &fit.experts {
                let scores = expert.scores(vector);
                let right = text.labels[0] as usize;
                assert!(scores[right] > scores[1 - right], "{scores:?}");
            }
        }
    }
}
