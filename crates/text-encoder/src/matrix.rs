//! Multiplication of matrices and the arithmetic around it, in `f32`.

/// A matrix inside a slice: where it starts and how far its rows and columns are apart.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub values: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    /// From a row to the next.
    pub row_step: usize,
    /// From a column to the next.
    pub column_step: usize,
}

impl<'a> View<'a> {
    /// Rows that follow one another, each `row_step` long, of which the first columns count.
    pub(crate) fn rows(values: &'a [f32], rows: usize, columns: usize, row_step: usize) -> Self {
        Self {
            values,
            rows,
            columns,
            row_step,
            column_step: 1,
        }
    }

    /// The same numbers, rows for columns.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
            ..self
        }
    }

    fn is_inside(self) -> bool {
        let last = |count: usize, step: usize| count.saturating_sub(1) * step;
        self.rows == 0
            || self.columns == 0
            || last(self.rows, self.row_step) + last(self.columns, self.column_step) < self.values.len()
    }
}

/// Writes `left × right × factor` to the rows of `out`, each `out_step` after the one before.
///
/// A row of the result does not depend on which other rows there are.
///
/// # Panics
///
/// Where a matrix is larger than the slice that it is in, or the two do not fit each other.
pub(crate) fn multiply(left: View<'_>, right: View<'_>, factor: f32, out: &mut [f32], out_step: usize) {
    let (rows, inner, columns) = (left.rows, left.columns, right.columns);
    let written = View::rows(out, rows, columns, out_step);
    assert!(left.is_inside() && right.is_inside() && written.is_inside());
    assert!(inner == right.rows && columns <= out_step);
    let step = |step: usize| isize::try_from(step).expect("a slice is shorter than that");

    #[expect(
        unsafe_code,
        reason = "the crate takes pointers; all three lie inside their slices, as asserted above"
    )]
    // SAFETY: the largest offset of each matrix is below the length of its slice, and `out` is borrowed
    // alone.
    unsafe {
        matrixmultiply::sgemm(
            rows,
            inner,
            columns,
            factor,
            left.values.as_ptr(),
            step(left.row_step),
            step(left.column_step),
            right.values.as_ptr(),
            step(right.row_step),
            step(right.column_step),
            0.0,
            out.as_mut_ptr(),
            step(out_step),
            1,
        );
    }
}

/// Numbers added up in so many lanes, in the same order on every machine.
const LANES: usize = 8;

pub(crate) fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += of(value);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += of(value);
    }
    lanes.iter().sum()
}

/// Makes the numbers' mean 0 and their spread 1, then weighs and shifts each.
pub(crate) fn normalise_layer(row: &mut [f32], weights: &[f32], biases: &[f32], epsilon: f32) {
    let count = row.len() as f32;
    let mean = sum(row, |value| value) / count;
    let variance = sum(row, |value| (value - mean).powi(2)) / count;
    let factor = 1.0 / (variance + epsilon).sqrt();
    for ((value, weight), bias) in row.iter_mut().zip(weights).zip(biases) {
        *value = (*value - mean) * factor * weight + bias;
    }
}

/// Makes a vector's length 1; one without any stays as it is.
pub(crate) fn normalise(vector: &mut [f32]) {
    let length = sum(vector, |value| value * value).sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}

/// Turns scores into shares of 1.
pub(crate) fn softmax(row: &mut [f32]) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|value| *value = exp(*value - most));
    let total = sum(row, |value| value);
    row.iter_mut().for_each(|value| *value /= total);
}

/// The exponential of a number that is not above 0; within 2 units in the last place.
///
/// Written out, so that the compiler makes one instruction of several numbers, and so that every machine gets
/// the same result. Source: Cephes, `expf`.
fn exp(x: f32) -> f32 {
    /// Adding it rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let power = rounded - ROUND;
    let rest = x - power * 0.693_359_4 + power * 2.121_944_4e-4;
    let mut sum = 1.987_569_1e-4;
    for term in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = sum * rest + term;
    }
    let fraction = sum * rest * rest + rest + 1.0;
    let exponent = (rounded.to_bits() << 23).wrapping_add(127 << 23);
    fraction * f32::from_bits(exponent)
}

/// Gaussian error linear unit, by the error function as BERT has it.
pub(crate) fn gelu(row: &mut [f32]) {
    row.iter_mut()
        .for_each(|x| *x = 0.5 * *x * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2)));
}

/// The error function, within 3 units in the last place. Source: Eigen, `generic_fast_erf_float`.
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let mut above = -2.726_142_3e-10;
    for term in [
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ] {
        above = above * square + term;
    }
    let mut below = -1.456_607_2e-5;
    for term in [-2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2] {
        below = below * square + term;
    }
    x * above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_does_not_depend_on_the_other_rows() {
        let left: Vec<f32> = (0..7 * 40).map(|n| (n as f32 * 0.37).sin()).collect();
        let right: Vec<f32> = (0..40 * 9).map(|n| (n as f32 * 0.11).cos()).collect();
        let right = View::rows(&right, 40, 9, 9);
        let (mut all, mut one) = (vec![0.0; 7 * 9], vec![0.0; 9]);

        multiply(View::rows(&left, 7, 40, 40), right, 1.0, &mut all, 9);
        multiply(View::rows(&left[4 * 40..], 1, 40, 40), right, 1.0, &mut one, 9);

        assert_eq!(all[4 * 9..5 * 9], one);
        let expected: f32 = (0..40).map(|k| left[4 * 40 + k] * right.values[k * 9]).sum();
        assert!((one[0] - expected).abs() < 1e-4);
    }

    #[test]
    fn a_transposed_matrix_multiplies_by_its_columns() {
        let left = [1.0, 2.0, 3.0, 4.0];
        let right = [5.0, 6.0, 7.0, 8.0];
        let mut out = [0.0; 4];

        let right = View::rows(&right, 2, 2, 2).transposed();
        multiply(View::rows(&left, 2, 2, 2), right, 2.0, &mut out, 2);

        assert_eq!(out, [34.0, 46.0, 78.0, 106.0]);
    }

    #[test]
    fn exponential_and_error_function_are_exact_to_six_digits() {
        for step in 0..1_000 {
            let x = -0.087 * step as f32;
            assert!((exp(x) - x.exp()).abs() <= 3e-7 * x.exp(), "{x}: {}", exp(x));
        }
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_9),
            (-1.0, -0.842_700_8),
            (3.0, 0.999_977_9),
        ] {
            assert!((erf(x) - expected).abs() < 1e-6, "{x}: {}", erf(x));
        }
    }
}
