//! One step of the search for the best fit.

/// Most that a factor's logarithm or the level changes in a round.
const MAX_STEP: f64 = 1.0;

/// How strongly the logarithms of the classes' own factors are held at 0.
///
/// Of 5, 20 and 60: after 4,900 labels of news they do alike (AUROC 0.840, 0.840 and 0.839), after 20 and 50 labels the accuracy
/// was 0.6, 0.2 and 0.1 points below that without such factors, and of 77 bank intents a greater one leaves more of the error.
pub(super) const OF_CLASS_STRENGTH: f64 = 20.0;

/// Shortens a step to [`MAX_STEP`] without turning it: each unknown cut by itself may lead uphill, and no fraction of such
/// a step is better than none.
pub(super) fn shortened(mut step: Vec<f64>) -> Vec<f64> {
    let longest = step
        .iter()
        .fold(MAX_STEP, |longest, step| step.abs().max(longest));
    step.iter_mut().for_each(|step| *step *= MAX_STEP / longest);
    step
}

/// Returns the unknowns after a step.
pub(super) fn after(unknowns: &[f64], step: &[f64]) -> Vec<f64> {
    let steps = unknowns.iter().zip(step);
    steps.map(|(unknown, step)| unknown - step).collect()
}

/// Returns the step of the classes' factors: all else held, and together they neither grow nor fall.
pub(super) fn class_step(derivatives: &[(f64, f64)], unknowns: &[f64]) -> Vec<f64> {
    let step = |(&(gradient, curvature), unknown): (&(f64, f64), &f64)| {
        (gradient + OF_CLASS_STRENGTH * unknown) / (curvature + OF_CLASS_STRENGTH)
    };
    let mut steps: Vec<f64> = derivatives.iter().zip(unknowns).map(step).collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    steps.iter_mut().for_each(|step| *step -= mean);
    steps
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
