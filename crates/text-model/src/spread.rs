//! Labels spread over texts that nobody has labelled, by the likeness of their vectors.
//!
//! Texts are joined to the most alike ones; the labels of some flow along these joints to all, and linear weights are
//! fitted to where they came to. Worth most below a hundred labels, of which each then speaks for the texts around it.
//! Sources: D. Zhou et al., "Learning with Local and Global Consistency" (NIPS 2003); A. E. Hoerl and R. W. Kennard,
//! "Ridge regression" (1970).

use active_learning_core::text::Vector;

use crate::{
    squares::{Factor, Squares},
    vectors::{DenseWeights, Inputs},
};

/// Most alike texts that a text is joined to.
const NEIGHBOURS: usize = 15;
/// How far labels flow.
const ROUNDS: usize = 15;
/// Share that a text takes from its neighbours in a round; the rest is its own label.
const FLOW: f32 = 0.9;
/// Ridge, as a share of the mean square of a dimension times the texts.
const RIDGE: f32 = 1.0;
/// Labels that each known class is given beyond its own before its share of all texts is guessed: chance deals few labels out
/// unevenly, and texts that were chosen are no sample.
const LABELS_BESIDE: f32 = 5.0;
/// Largest value of a direction as it is compared.
const MAX_COMPARED: f32 = 1_000.0;

/// Labelled and unlabelled texts, each joined to the most alike ones; the labelled ones come first.
pub(crate) struct Spread {
    inputs: Inputs,
    /// For each text the texts that it is joined to, and how closely.
    joints: Vec<Vec<(u32, f32)>>,
    /// Of the sum of squares of all texts, with its ridge.
    factor: Factor,
}

impl Spread {
    /// Joins texts; takes time in proportion to the square of their number.
    pub(crate) fn of(vectors: &[&Vector]) -> Self {
        let inputs = Inputs::of(vectors);
        let joints = joints(&inputs);
        let mut squares = Squares::zero(inputs.dimensions());
        inputs.rows().for_each(|values| squares.add(values));
        let mean = squares.trace() / inputs.dimensions().max(1) as f32;
        let factor = squares.factorised(RIDGE * mean);
        Self {
            inputs,
            joints,
            factor,
        }
    }

    /// Learns from the classes of the first texts; `None` where it is not known.
    ///
    /// Classes of which no label is known keep a weight of 0.
    pub(crate) fn fit(&self, known: &[Option<u32>], classes: usize) -> DenseWeights {
        let shares = self.spread(known, classes);
        let dimensions = self.inputs.dimensions();
        let mut rows = vec![0.0; dimensions * classes];
        let mut mean = vec![0.0; classes];
        for row in shares.chunks_exact(classes) {
            mean.iter_mut().zip(row).for_each(|(mean, share)| *mean += share);
        }
        let texts = self.joints.len() as f32;
        mean.iter_mut().for_each(|mean| *mean /= texts);
        for (values, shares) in self.inputs.rows().zip(shares.chunks_exact(classes)) {
            for (value, row) in values.iter().zip(rows.chunks_exact_mut(classes)) {
                let sums = row.iter_mut().zip(shares.iter().zip(&mean));
                sums.for_each(|(sum, (share, mean))| *sum += value * (share - mean));
            }
        }
        self.factor.solve(&mut rows, classes);
        self.inputs.weights(mean, rows)
    }

    /// Returns for each text the share of each class in what has come to it.
    fn spread(&self, known: &[Option<u32>], classes: usize) -> Vec<f32> {
        let mut own = vec![0.0; self.joints.len() * classes];
        let mut counts = vec![0.0_f32; classes];
        for class in known.iter().flatten() {
            counts[*class as usize] += 1.0;
        }
        for (row, class) in own.chunks_exact_mut(classes).zip(known) {
            if let Some(class) = class {
                row[*class as usize] = 1.0 - FLOW;
            }
        }
        let mut now = own.clone();
        for _ in 0..ROUNDS {
            let mut next = own.clone();
            for (row, joints) in next.chunks_exact_mut(classes).zip(&self.joints) {
                for &(text, weight) in joints {
                    let from = &now[text as usize * classes..][..classes];
                    let flows = row.iter_mut().zip(from);
                    flows.for_each(|(value, from)| *value += FLOW * weight * from);
                }
            }
            now = next;
        }
        balance(&mut now, &counts);
        now
    }
}

/// Turns what has come to the texts into shares: of each class as much in all as there are labels of it, with
/// [`LABELS_BESIDE`].
fn balance(flown: &mut [f32], counts: &[f32]) {
    let classes = counts.len();
    let held = |count: &f32| match *count > 0.0 {
        true => count + LABELS_BESIDE,
        false => 0.0,
    };
    let counts: Vec<f32> = counts.iter().map(held).collect();
    let mut sums = vec![0.0; classes];
    for row in flown.chunks_exact(classes) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let known: f32 = counts.iter().sum();
    let even = 1.0 / counts.iter().filter(|count| **count > 0.0).count().max(1) as f32;
    for row in flown.chunks_exact_mut(classes) {
        for (value, (sum, count)) in row.iter_mut().zip(sums.iter().zip(&counts)) {
            *value *= count / known / sum.max(f32::MIN_POSITIVE);
        }
        let all: f32 = row.iter().sum();
        for (value, count) in row.iter_mut().zip(&counts) {
            *value = match (all > 0.0, *count > 0.0) {
                (true, _) => *value / all,
                (false, true) => even,
                (false, false) => 0.0,
            };
        }
    }
}

/// Joins each text to the most alike ones, and these to it, weighted so that a text of many joints gives less to each.
fn joints(inputs: &Inputs) -> Vec<Vec<(u32, f32)>> {
    let directions: Vec<Vec<i16>> = inputs.rows().map(direction).collect();
    let mut joints: Vec<Vec<(u32, f32)>> = vec![Vec::new(); directions.len()];
    let mut likeness = vec![0_i32; directions.len()];
    for (text, direction) in directions.iter().enumerate() {
        for (likeness, other) in likeness.iter_mut().zip(&directions) {
            *likeness = dot(direction, other);
        }
        likeness[text] = i32::MIN;
        for other in nearest(&likeness) {
            let alike = likeness[other].max(0) as f32 / MAX_COMPARED.powi(2);
            joints[text].push((other as u32, alike));
            joints[other].push((text as u32, alike));
        }
    }
    for joints in &mut joints {
        joints.sort_unstable_by_key(|(other, _)| *other);
        joints.dedup_by_key(|(other, _)| *other);
    }
    let degree = |joints: &Vec<(u32, f32)>| joints.iter().map(|(_, alike)| alike).sum::<f32>();
    let degrees: Vec<f32> = joints.iter().map(degree).collect();
    for (joints, own) in joints.iter_mut().zip(&degrees) {
        for (other, weight) in joints {
            let product = own * degrees[*other as usize];
            *weight /= product.sqrt().max(f32::MIN_POSITIVE);
        }
    }
    joints
}

/// Returns the places of the greatest values, of equal ones the first.
fn nearest(likeness: &[i32]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..likeness.len()).collect();
    let wanted = NEIGHBOURS.min(places.len().saturating_sub(1));
    let closer = |&text: &usize| (std::cmp::Reverse(likeness[text]), text);
    if wanted < places.len() {
        places.select_nth_unstable_by_key(wanted, closer);
        places.truncate(wanted);
    }
    places
}

/// Returns a vector's direction in whole numbers, so that likeness is the same on every processor.
fn direction(row: &[f32]) -> Vec<i16> {
    let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
    let factor = MAX_COMPARED / length.max(f32::MIN_POSITIVE);
    row.iter().map(|value| (value * factor).round() as i16).collect()
}

fn dot(left: &[i16], right: &[i16]) -> i32 {
    let products = left.iter().zip(right);
    products
        .map(|(&left, &right)| i32::from(left) * i32::from(right))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_label_a_group_speaks_for_the_group() {
        let vector = |n: usize| {
            let noise = (n * 7 % 11) as f32 / 10.0 - 0.5;
            let group = if n.is_multiple_of(2) { 1.0 } else { -1.0 };
            Vector::of(&[group, noise, (n * 5 % 13) as f32 / 12.0 - 0.5])
        };
        let vectors: Vec<Vector> = (0..60).map(vector).collect();
        let spread = Spread::of(&vectors.iter().collect::<Vec<_>>());

        let weights = spread.fit(&[Some(1), Some(0)], 3);

        for (n, vector) in vectors.iter().enumerate() {
            let scores = weights.scores(vector);
            let right = 1 - n % 2;
            assert!(
                scores[right] > scores[1 - right] && scores[2] == 0.0,
                "{n} {scores:?}"
            );
        }
    }
}
