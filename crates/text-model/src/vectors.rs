//! Vectors of texts as the experts see them, and linear scores of vectors.

use active_learning_core::text::Vector;

/// Linear scores of a vector of length 1: the mean and the scale are already in them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DenseWeights {
    pub bias: Vec<f32>,
    /// A row of classes for each dimension.
    pub rows: Vec<f32>,
}

impl DenseWeights {
    /// Returns a score for each class.
    pub(crate) fn scores(&self, vector: &Vector) -> Vec<f32> {
        let mut scores = self.bias.clone();
        add(&mut scores, &self.rows, vector.unit());
        scores
    }
}

/// Adds the rows of weights, each times a value of the vector.
pub(crate) fn add(scores: &mut [f32], rows: &[f32], values: impl Iterator<Item = f32>) {
    for (value, row) in values.zip(rows.chunks_exact(scores.len())) {
        scores
            .iter_mut()
            .zip(row)
            .for_each(|(score, weight)| *score += value * weight);
    }
}

/// Vectors relative to their mean, in the scale of all.
pub(crate) struct Inputs {
    values: Vec<f32>,
    mean: Vec<f32>,
    scale: f32,
}

impl Inputs {
    pub(crate) fn of(vectors: &[&Vector]) -> Self {
        let dimensions = vectors.first().map_or(0, |vector| vector.dimensions());
        let mut values = Vec::with_capacity(vectors.len() * dimensions);
        let mut mean = vec![0.0; dimensions];
        for vector in vectors {
            values.extend(vector.unit());
        }
        for row in values.chunks_exact(dimensions.max(1)) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
        }
        mean.iter_mut().for_each(|mean| *mean /= vectors.len() as f32);

        let mut squares = 0.0_f64;
        for row in values.chunks_exact_mut(dimensions.max(1)) {
            row.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean);
            squares += f64::from(row.iter().map(|value| value * value).sum::<f32>());
        }
        let scale = if squares > 0.0 {
            (vectors.len() as f64 / squares).sqrt() as f32
        } else {
            0.0
        };
        values.iter_mut().for_each(|value| *value *= scale);
        Self { values, mean, scale }
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.mean.len()
    }

    pub(crate) fn mean(&self) -> &[f32] {
        &self.mean
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.mean.len().max(1))
    }

    /// Makes weights for vectors as they are out of those for vectors as they were learned from.
    pub(crate) fn weights(&self, mut bias: Vec<f32>, mut rows: Vec<f32>) -> DenseWeights {
        rows.iter_mut().for_each(|weight| *weight *= self.scale);
        add(&mut bias, &rows, self.mean.iter().map(|mean| -mean));
        DenseWeights { bias, rows }
    }
}
