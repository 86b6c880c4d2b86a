//! The experts on vectors of a sentence encoder: a support vector machine, centroids, the names of the classes and, where
//! there are texts without labels, what [`crate::spread`] makes of them.
//!
//! They see a vector relative to the mean of all texts, in a scale in which its mean squared length is 1. The
//! machine is the better one on thousands of texts, centroids on dozens, and what a class is called before there is any.

use std::iter;

use active_learning_core::{random::Random, text::Vector};

use crate::{
    labelled::{Labelled, class_costs},
    spread::Spread,
    vectors::{DenseWeights, Inputs, add},
};

/// Cost of an error of the machine: lower than on n-grams, of which there are many more.
const COST: f32 = 0.2;
const EPOCHS: usize = 12;
/// How much the machine has to say before a text has been judged.
///
/// One that has seen twenty texts is right of fewer than the other experts, and so are those on n-grams, of which each
/// counts as 1.
const MACHINE_TRUST: f64 = 1.0;
/// The same of each other expert.
const TRUST: f64 = 2.0;

/// What was learned from the vectors of one set of texts.
pub(crate) struct DenseFit {
    /// Always in the same order.
    pub experts: Vec<DenseWeights>,
}

impl DenseFit {
    /// Learns from texts that all have a vector; `None` if one has not.
    ///
    /// `names` are vectors of the classes' names; they say nothing unless each class has one. With the texts to spread labels
    /// over comes the class of each labelled one of them, if it is to be known.
    pub(crate) fn of(
        texts: &[Labelled<'_>],
        names: &[Vector],
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
        experts.extend(inputs.names(names, classes));
        experts.extend(spread.map(|(spread, known)| spread.fit(known, classes)));
        Some(Self { experts })
    }

    /// Returns how much each expert has to say before a text has been judged.
    pub(crate) fn trust(&self) -> impl Iterator<Item = f64> {
        let others = self.experts.len().saturating_sub(1);
        iter::once(MACHINE_TRUST).chain(iter::repeat_n(TRUST, others))
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
        let directions = to_directions(rows, classes);
        self.weights(vec![0.0; classes], directions)
    }

    /// The direction in which the vector of a class' name lies from the mean of all names; `None` unless each class has one.
    ///
    /// A text is about what its class is called more often than not. Where names say nothing, as numbers do, or something
    /// else, texts that were held out leave this expert little to say.
    fn names(&self, names: &[Vector], classes: usize) -> Option<DenseWeights> {
        let fits = |name: &Vector| name.dimensions() == self.dimensions();
        if names.len() != classes || !names.iter().all(fits) {
            return None;
        }
        let mut rows = vec![0.0; self.dimensions() * classes];
        for (class, name) in names.iter().enumerate() {
            let column = rows.iter_mut().skip(class).step_by(classes);
            column
                .zip(name.unit())
                .for_each(|(weight, value)| *weight = value);
        }
        for row in rows.chunks_exact_mut(classes) {
            let mean = row.iter().sum::<f32>() / classes as f32;
            row.iter_mut().for_each(|weight| *weight -= mean);
        }
        let directions = to_directions(rows, classes);
        Some(self.weights(vec![0.0; classes], directions))
    }
}

/// Gives the weights of each class a length of 1; of one that has none they stay 0.
fn to_directions(mut rows: Vec<f32>, classes: usize) -> Vec<f32> {
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
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Features;

    #[test]
    fn all_experts_tell_directions_apart() {
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

        let names = [[1.0, 0.1, 0.0], [-1.0, 0.1, 0.0]].map(|name| Vector::of(&name));

        let fit = DenseFit::of(&texts, &names, None, 2, 1).expect("all have vectors");

        assert_eq!(fit.experts.len(), 3);
        for (text, vector) in texts.iter().zip(&vectors) {
            for expert in &fit.experts {
                let scores = expert.scores(vector);
                let right = text.labels[0] as usize;
                assert!(scores[right] > scores[1 - right], "{scores:?}");
            }
        }
    }

    #[test]
    fn names_that_are_not_one_a_class_or_of_another_encoder_say_nothing() {
        let vectors = [[1.0, 0.5], [-1.0, 0.5]].map(|values| Vector::of(&values));
        let inputs = Inputs::of(&vectors.iter().collect::<Vec<_>>());

        assert!(inputs.names(&vectors, 2).is_some());
        assert!(inputs.names(&[], 2).is_none());
        assert!(inputs.names(&vectors, 3).is_none());
        assert!(
            inputs
                .names(&[Vector::of(&[1.0]), Vector::of(&[2.0])], 2)
                .is_none()
        );
    }

    #[test]
    fn names_without_a_direction_give_no_score() {
        let vectors = [[1.0, 0.5], [-1.0, 0.5]].map(|values| Vector::of(&values));
        let inputs = Inputs::of(&vectors.iter().collect::<Vec<_>>());
        let same = [[0.2, 0.4], [0.2, 0.4]].map(|values| Vector::of(&values));

        let weights = inputs.names(&same, 2).expect("one a class");

        assert_eq!(weights.scores(&vectors[0]), [0.0, 0.0]);
    }
}
