//! The experts on vectors of a sentence encoder: linear discriminants, centroids, the names of the classes and, where there
//! are texts without labels, what [`crate::spread`] makes of them.
//!
//! They see a vector relative to the mean of all texts, in a scale in which its mean squared length is 1.
//! Discriminants are the better ones on thousands of texts, centroids on dozens, and what a class is called before there
//! is any.

use std::iter;

use active_learning_core::text::Vector;

use crate::{
    labelled::Labelled,
    region::Region,
    spread::Spread,
    squares::Squares,
    vectors::{DenseWeights, Inputs},
};

/// Least by which texts of one class are taken to differ, in squared length.
const LEAST_RIDGE: f32 = 1e-6;
/// How much the discriminants have to say before a text has been judged; they agree with the centroids then.
const DISCRIMINANTS_TRUST: f64 = 1.0;
/// The same of each other expert: those on n-grams, of which each counts as 1, are right of fewer texts while they have
/// seen few.
const TRUST: f64 = 2.0;

/// What was learned from the vectors of one set of texts.
pub(crate) struct DenseFit {
    /// Always in the same order.
    pub experts: Vec<DenseWeights>,
    /// Where the texts lie.
    pub region: Region,
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
    ) -> Option<Self> {
        let vectors: Vec<&Vector> = texts.iter().map(|text| text.vector).collect::<Option<_>>()?;
        let inputs = Inputs::of(&vectors);
        let mut experts = vec![
            inputs.discriminants(texts, classes),
            inputs.centroids(texts, classes),
        ];
        experts.extend(inputs.names(names, classes));
        experts.extend(spread.map(|(spread, known)| spread.fit(known, classes)));
        Some(Self {
            experts,
            region: Region::of(&inputs),
        })
    }

    /// Returns how much each expert has to say before a text has been judged.
    pub(crate) fn trust(&self) -> impl Iterator<Item = f64> {
        let others = self.experts.len().saturating_sub(1);
        iter::once(DISCRIMINANTS_TRUST).chain(iter::repeat_n(TRUST, others))
    }
}

impl Inputs {
    /// The direction in which a class' texts lie from the mean of all classes, turned to where texts of one class differ little:
    /// a linear discriminant. Of a class without a text there is none.
    ///
    /// Before there are texts they are taken to differ alike in all directions, with the weight of as many texts as there are
    /// dimensions: with few it says what centroids say. Source: J. H. Friedman, "Regularized discriminant analysis" (JASA 1989).
    fn discriminants(&self, texts: &[Labelled<'_>], classes: usize) -> DenseWeights {
        let mut means = self.sums(texts, classes);
        let mut counts = vec![0.0_f32; classes];
        let labels = texts.iter().flat_map(|text| text.labels);
        labels.for_each(|&label| counts[label as usize] += 1.0);
        for row in means.chunks_exact_mut(classes) {
            let sums = row.iter_mut().zip(&counts);
            sums.for_each(|(sum, count)| *sum /= count.max(1.0));
        }

        let mut within = Squares::zero(self.dimensions());
        let mut rest = vec![0.0; self.dimensions()];
        for (text, values) in texts.iter().zip(self.rows()) {
            for &label in text.labels {
                let mean = means.iter().skip(label as usize).step_by(classes);
                let values = rest.iter_mut().zip(values.iter().zip(mean));
                values.for_each(|(rest, (value, mean))| *rest = value - mean);
                within.add(&rest);
            }
        }
        let ridge = within.trace() / counts.iter().sum::<f32>().max(1.0);
        let factor = within.factorised(ridge.max(LEAST_RIDGE));

        let known = counts.iter().filter(|count| **count > 0.0).count().max(1) as f32;
        for row in means.chunks_exact_mut(classes) {
            let middle = row.iter().sum::<f32>() / known;
            let means = row.iter_mut().zip(&counts).filter(|(_, count)| **count > 0.0);
            means.for_each(|(mean, _)| *mean -= middle);
        }
        factor.solve(&mut means, classes);
        self.weights(vec![0.0; classes], to_directions(means, classes))
    }

    /// The direction in which a class' texts lie from the mean of all.
    fn centroids(&self, texts: &[Labelled<'_>], classes: usize) -> DenseWeights {
        let sums = self.sums(texts, classes);
        self.weights(vec![0.0; classes], to_directions(sums, classes))
    }

    /// Sums up the values of each class' texts: a row of classes for each dimension.
    fn sums(&self, texts: &[Labelled<'_>], classes: usize) -> Vec<f32> {
        let mut rows = vec![0.0; self.dimensions() * classes];
        for (text, values) in texts.iter().zip(self.rows()) {
            for &label in text.labels {
                let column = rows.iter_mut().skip(label as usize).step_by(classes);
                column.zip(values).for_each(|(sum, value)| *sum += value);
            }
        }
        rows
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
    use active_learning_core::sampling::selection::SelectedBy;

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
                selected_by: SelectedBy::Chance,
            })
            .collect();
        let names = [[1.0, 0.1, 0.0], [-1.0, 0.1, 0.0]].map(|name| Vector::of(&name));

        let fit = DenseFit::of(&texts, &names, None, 2).expect("all have vectors");

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

    #[test]
    fn a_discriminant_looks_away_from_where_texts_of_one_class_differ() {
        let features = Features::of("");
        let vectors: Vec<Vector> = (0..200)
            .map(|n| {
                let (class, other) = (
                    if n % 2 == 0 { 0.3 } else { -0.3 },
                    (n * 7 % 11) as f32 / 5.0 - 1.0,
                );
                Vector::of(&[class, other, 1.0])
            })
            .collect();
        let labels = [[0_u32], [1]];
        let texts: Vec<Labelled<'_>> = vectors
            .iter()
            .enumerate()
            .map(|(n, vector)| Labelled {
                features: &features,
                // The other thing goes with the class more often than not.
                labels: &labels[n % 2],
                vector: Some(vector),
                selected_by: SelectedBy::Chance,
            })
            .filter(|text| {
                let other = text
                    .vector
                    .map_or(0.0, |vector| vector.unit().nth(1).unwrap_or(0.0));
                let goes_with = if text.labels[0] == 0 { other } else { -other };
                goes_with > -0.4
            })
            .collect();
        let inputs = Inputs::of(&texts.iter().filter_map(|text| text.vector).collect::<Vec<_>>());

        let [turned, plain] = [inputs.discriminants(&texts, 2), inputs.centroids(&texts, 2)];

        let share = |weights: &DenseWeights| (weights.rows[0] / weights.rows[2]).abs();
        assert!(
            share(&turned) > 2.0 * share(&plain),
            "{} {}",
            share(&turned),
            share(&plain)
        );
    }

    #[test]
    fn a_class_without_a_text_has_no_discriminant() {
        let features = Features::of("");
        let vectors = [[1.0, 0.5], [-1.0, 0.5]].map(|values| Vector::of(&values));
        let labels = [[0_u32], [2]];
        let text = |n: usize| Labelled {
            features: &features,
            labels: &labels[n],
            vector: Some(&vectors[n]),
            selected_by: SelectedBy::Chance,
        };
        let inputs = Inputs::of(&vectors.iter().collect::<Vec<_>>());

        let scores = inputs.discriminants(&[text(0), text(1)], 3).scores(&vectors[0]);

        assert!(
            scores[0] > 0.5 && scores[1] == 0.0 && scores[2] < -0.5,
            "{scores:?}"
        );
    }
}
