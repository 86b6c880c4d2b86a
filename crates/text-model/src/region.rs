//! Where the vectors of the training texts lie, and how far from there another one does.
//!
//! Distance counts less along the directions in which the training texts differ from one another, and fully across them:
//! Mahalanobis' distance with a covariance of few directions. Source: M. E. Tipping and C. M. Bishop, "Probabilistic
//! principal component analysis" (Journal of the Royal Statistical Society B, 1999).

use active_learning_core::text::Vector;

use crate::{squares::Squares, vectors::Inputs};

/// Directions that are told apart; the texts are taken to differ alike in all others.
const DIRECTIONS: usize = 64;
/// Rounds of the search for them.
const ROUNDS: usize = 8;
/// By how much more texts are taken to differ in each direction than they were seen to, as a share of the mean of all
/// directions: with few texts most directions were not seen.
const RIDGE: f32 = 1.0;
/// Largest value as it is stored.
const MAX_STORED: f32 = i8::MAX as f32;
/// Shortest length that has a direction.
const LEAST_LENGTH: f32 = 1e-6;

/// Where vectors lie.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Region {
    pub mean: Vec<f32>,
    /// What a value of 1 counts in `directions`.
    pub scale: f32,
    /// One after the other, each as long as the share of the distance along it that does not count.
    pub directions: Vec<i8>,
}

impl Region {
    pub(crate) fn of(inputs: &Inputs) -> Self {
        let dimensions = inputs.dimensions();
        let mut squares = Squares::zero(dimensions);
        inputs.rows().for_each(|values| squares.add(values));
        let count = DIRECTIONS.min(dimensions);
        let (mut directions, variances) = widest(&squares, count);

        let rest = (squares.trace() - variances.iter().sum::<f32>()).max(0.0);
        let rest = rest / (dimensions - count).max(1) as f32;
        let ridge = RIDGE * squares.trace() / dimensions.max(1) as f32;
        let rows = directions.chunks_exact_mut(dimensions.max(1));
        for (direction, variance) in rows.zip(variances) {
            let along = variance + ridge;
            let share = match along > 0.0 {
                true => ((variance - rest) / along).max(0.0),
                false => 0.0,
            };
            let length = share.sqrt();
            direction.iter_mut().for_each(|value| *value *= length);
        }
        let largest = directions
            .iter()
            .fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / MAX_STORED } else { 1.0 };
        let stored = |value: &f32| (value / scale).round() as i8;
        Self {
            mean: inputs.mean().to_vec(),
            scale,
            directions: directions.iter().map(stored).collect(),
        }
    }

    /// Returns how far a vector is away; `None` of one that says nothing.
    pub(crate) fn distance(&self, vector: &Vector) -> Option<f32> {
        let values = vector.unit().zip(&self.mean);
        let rest: Vec<f32> = values.map(|(value, mean)| value - mean).collect();
        if vector.unit().all(|value| value == 0.0) {
            return None;
        }
        let mut square: f32 = rest.iter().map(|value| value * value).sum();
        for direction in self.directions.chunks_exact(rest.len().max(1)) {
            let along = direction.iter().zip(&rest);
            let along: f32 = along
                .map(|(&direction, value)| f32::from(direction) * value)
                .sum();
            square -= (along * self.scale).powi(2);
        }
        Some(square.max(0.0).sqrt())
    }
}

/// Returns the directions in which the rows differ most, one after the other, and by how much: subspace iteration.
fn widest(squares: &Squares, count: usize) -> (Vec<f32>, Vec<f32>) {
    let dimensions = squares.dimensions();
    let mut directions = vec![0.0; count * dimensions];
    for (number, direction) in directions.chunks_exact_mut(dimensions.max(1)).enumerate() {
        direction[number * dimensions / count] = 1.0;
    }
    let mut variances = vec![0.0; count];
    for _ in 0..ROUNDS {
        let mut next = Vec::with_capacity(directions.len());
        let rows = directions.chunks_exact(dimensions.max(1));
        for (direction, variance) in rows.zip(&mut variances) {
            let turned = squares.times(direction);
            *variance = dot(&turned, direction);
            next.extend(turned);
        }
        directions = next;
        separate(&mut directions, dimensions);
    }
    (directions, variances)
}

/// Gives each direction a length of 1 and turns it away from those before (Gram–Schmidt, twice for the sake of rounding); of
/// one that lies within those before nothing is left.
fn separate(directions: &mut [f32], dimensions: usize) {
    for number in 0..directions.len() / dimensions.max(1) {
        let (before, rest) = directions.split_at_mut(number * dimensions);
        let direction = &mut rest[..dimensions];
        let length = dot(direction, direction).sqrt();
        for _ in 0..2 {
            for other in before.chunks_exact(dimensions) {
                let along = dot(direction, other);
                let values = direction.iter_mut().zip(other);
                values.for_each(|(value, other)| *value -= along * other);
            }
        }
        let left = dot(direction, direction).sqrt();
        let factor = if left > LEAST_LENGTH * length {
            1.0 / left
        } else {
            0.0
        };
        direction.iter_mut().for_each(|value| *value *= factor);
    }
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts that differ in the first two of many directions.
    fn flat(n: usize) -> Vector {
        let mut values = vec![0.02; 100];
        values[0] = (n * 7 % 11) as f32 / 10.0 - 0.5;
        values[1] = (n * 5 % 13) as f32 / 12.0 - 0.5;
        values[2] = 1.0;
        Vector::of(&values)
    }

    fn region() -> Region {
        let vectors: Vec<Vector> = (0..60).map(flat).collect();
        Region::of(&Inputs::of(&vectors.iter().collect::<Vec<_>>()))
    }

    #[test]
    fn what_differs_as_the_training_texts_do_is_nearer_than_what_differs_otherwise() {
        let mut otherwise = vec![0.02; 100];
        (otherwise[2], otherwise[50]) = (1.0, 0.5);
        let mut alike = vec![0.02; 100];
        (alike[2], alike[0]) = (1.0, 0.5);

        let distance = |values: &[f32]| region().distance(&Vector::of(values)).expect("says something");

        assert!(distance(&otherwise) > 3.0 * distance(&alike));
    }

    #[test]
    fn a_vector_that_says_nothing_has_no_distance() {
        assert_eq!(region().distance(&Vector::of(&[0.0; 100])), None);
    }

    #[test]
    fn texts_that_are_all_the_same_have_no_direction() {
        let same = [flat(1), flat(1)];
        let region = Region::of(&Inputs::of(&same.iter().collect::<Vec<_>>()));

        assert!(region.directions.iter().all(|value| *value == 0));
        assert!(region.distance(&flat(1)).expect("says something") < 0.01);
    }
}
