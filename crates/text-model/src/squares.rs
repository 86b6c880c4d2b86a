//! Sums of squares, and systems of equations of them, by Cholesky's method.

/// Least that is under a root, as a share of the ridge: rounding may leave less than nothing.
const LEAST: f32 = f32::EPSILON;

/// The sum of the products of each two values of rows: a symmetric matrix, of which the lower triangle is kept.
pub(crate) struct Squares {
    dimensions: usize,
    matrix: Vec<f32>,
}

/// A matrix and its ridge, factorised: what solves systems of equations of it.
pub(crate) struct Factor {
    dimensions: usize,
    /// The lower triangle, row by row.
    triangle: Vec<f32>,
}

impl Squares {
    pub(crate) fn zero(dimensions: usize) -> Self {
        Self {
            dimensions,
            matrix: vec![0.0; dimensions * dimensions],
        }
    }

    /// Adds a row; takes time in proportion to the square of its length.
    pub(crate) fn add(&mut self, values: &[f32]) {
        for (row, value) in values.iter().enumerate() {
            let cells = self.matrix[row * self.dimensions..][..=row]
                .iter_mut()
                .zip(values);
            cells.for_each(|(cell, other)| *cell += value * other);
        }
    }

    /// Returns the sum of the squares.
    pub(crate) fn trace(&self) -> f32 {
        (0..self.dimensions)
            .map(|at| self.matrix[at * self.dimensions + at])
            .sum()
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Returns the product with a column.
    pub(crate) fn times(&self, column: &[f32]) -> Vec<f32> {
        let mut product = vec![0.0; self.dimensions];
        for (at, value) in column.iter().enumerate() {
            let (before, own) = self.matrix[at * self.dimensions..][..=at].split_at(at);
            let mut sum = own[0] * value;
            for ((product, cell), other) in product.iter_mut().zip(before).zip(column) {
                *product += cell * value;
                sum += cell * other;
            }
            product[at] += sum;
        }
        product
    }

    /// Adds the ridge to each square, and factorises.
    pub(crate) fn factorised(self, ridge: f32) -> Factor {
        let Self {
            dimensions,
            mut matrix,
        } = self;
        let ridge = ridge.max(f32::MIN_POSITIVE);
        for at in 0..dimensions {
            matrix[at * dimensions + at] += ridge;
            let (done, rest) = matrix.split_at_mut(at * dimensions);
            let row = &mut rest[..=at];
            for column in 0..at {
                let other = &done[column * dimensions..][..=column];
                let known: f32 = row[..column].iter().zip(other).map(|(a, b)| a * b).sum();
                row[column] = (row[column] - known) / other[column];
            }
            let known: f32 = row[..at].iter().map(|value| value * value).sum();
            row[at] = (row[at] - known).max(ridge * LEAST).sqrt();
        }
        Factor {
            dimensions,
            triangle: matrix,
        }
    }
}

impl Factor {
    /// Solves for as many right sides as a row has columns, in place.
    pub(crate) fn solve(&self, rows: &mut [f32], columns: usize) {
        let cell = |row: usize, column: usize| self.triangle[row * self.dimensions + column];
        for at in 0..self.dimensions {
            let (done, rest) = rows.split_at_mut(at * columns);
            let row = &mut rest[..columns];
            for (before, other) in done.chunks_exact(columns).enumerate() {
                subtract(row, other, cell(at, before));
            }
            row.iter_mut().for_each(|value| *value /= cell(at, at));
        }
        for at in (0..self.dimensions).rev() {
            let (start, done) = rows.split_at_mut((at + 1) * columns);
            let row = &mut start[at * columns..];
            for (after, other) in done.chunks_exact(columns).enumerate() {
                subtract(row, other, cell(at + 1 + after, at));
            }
            row.iter_mut().for_each(|value| *value /= cell(at, at));
        }
    }
}

fn subtract(row: &mut [f32], other: &[f32], factor: f32) {
    row.iter_mut()
        .zip(other)
        .for_each(|(value, other)| *value -= factor * other);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factorised_system_is_solved() {
        let mut squares = Squares::zero(2);
        squares.add(&[1.0, 0.5]);
        squares.add(&[-0.25, 1.0]);

        assert_eq!(squares.trace(), 2.3125);

        assert_eq!(squares.times(&[2.0, 1.0]), [2.375, 1.75]);

        // With a ridge of 1: 2.0625 and 0.25, 0.25 and 2.25.
        let mut rows = vec![3.0, -2.0];
        squares.factorised(1.0).solve(&mut rows, 1);

        let [first, second] = rows[..] else {
            unreachable!("there are two")
        };
        assert!((2.0625 * first + 0.25 * second - 3.0).abs() < 1e-5, "{rows:?}");
        assert!((0.25 * first + 2.25 * second + 2.0).abs() < 1e-5, "{rows:?}");
    }

    #[test]
    fn rows_that_say_nothing_do_no_harm() {
        let mut rows = vec![0.0, 0.0];

        Squares::zero(2).factorised(0.0).solve(&mut rows, 1);

        assert_eq!(rows, [0.0, 0.0]);
    }
}
