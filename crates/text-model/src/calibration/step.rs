//! One step of the search for the best fit.

/// Most that a factor's logarithm or the level changes in a round.
const MAX_STEP: f64 = 1.0;

/// Shortens a step to [`MAX_STEP`] without turning it: each unknown cut by itself may lead uphill, and no fraction of such
/// a step is better than none.
pub(super) fn shortened(mut step: Vec<f64>) -> Vec<f64> {
    let longest = step
        .iter()
        .fold(MAX_STEP, |longest, step| step.abs().max(longest));
    step.iter_mut().for_each(|step| *step *= MAX_STEP / longest);
    step
}

/// Solves a positive definite system of equations.
pub(super) fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let unknowns = right.len();
    for at in 0..unknowns {
        let (pivot, pivot_right) = (matrix[at].clone(), right[at]);
        for (row, right) in matrix.iter_mut().zip(&mut right).skip(at + 1) {
            let factor = row[at] / pivot[at];
            row.iter_mut()
                .zip(&pivot)
                .for_each(|(cell, above)| *cell -= factor * above);
            *right -= factor * pivot_right;
        }
    }
    for at in (0..unknowns).rev() {
        let known: f64 = (at + 1..unknowns)
            .map(|after| matrix[at][after] * right[after])
            .sum();
        right[at] = (right[at] - known) / matrix[at][at];
    }
    right
}
