//! Scores to probabilities: how much either classifier has to say, and how sure they may be together.

use active_learning_core::dataset::Mode;

/// What both factors are before a text has been judged, of scores whose spread is 1.
const PRIOR: f64 = 1.0;
/// How strongly they are held there: decides while few texts have been judged, of which chance may say anything.
const PRIOR_STRENGTH: f64 = 3.0;
/// Texts of each class that a bias of 0 counts for.
const TEXTS_WITHOUT_BIAS: f64 = 5.0;
const ROUNDS: usize = 30;
/// Most a score's factor changes in a round.
const MAX_STEP: f64 = 2.0;

/// What both classifiers say of a text that they were not trained on, and what is right.
pub(crate) struct Judged {
    pub machine: Vec<f32>,
    pub bayes: Vec<f32>,
    /// Numbers of the right classes.
    pub truth: Vec<u32>,
}

/// Probabilities are those of `machine × its scores + bayes × its scores + bias`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Calibration {
    pub machine: f32,
    pub bayes: f32,
    pub bias: Vec<f32>,
}

impl Calibration {
    /// Fits the least log loss on texts that were held out, by Newton's method; the biases make each class as
    /// frequent in the predictions as it is in truth.
    ///
    /// As in Platt's method the truth is softened by the number of texts, so that a few lucky hits do not make
    /// the model certain.
    pub(crate) fn of(judged: &[Judged], mode: Mode, classes: usize) -> Self {
        let mut fitted = Self {
            machine: 1.0,
            bayes: 1.0,
            bias: vec![0.0; classes],
        };
        if judged.is_empty() {
            return fitted;
        }
        let scales = [
            spread(judged, |text| &text.machine),
            spread(judged, |text| &text.bayes),
        ];
        let mut factors = [PRIOR; 2];
        let hold = 1.0 + TEXTS_WITHOUT_BIAS * classes as f64 / judged.len() as f64;
        let targets = Targets::of(judged, mode, classes);
        for _ in 0..ROUNDS {
            fitted.machine = (factors[0] / scales[0]) as f32;
            fitted.bayes = (factors[1] / scales[1]) as f32;
            let (gradient, curvature, given) = fitted.derivatives(judged, mode, &targets, scales);
            for (bias, (given, wanted)) in fitted.bias.iter_mut().zip(given.iter().zip(&targets.shares)) {
                let change = match mode {
                    Mode::MultiClass => (wanted / given).ln(),
                    Mode::MultiLabel => (wanted / (1.0 - wanted) * (1.0 - given) / given).ln(),
                };
                *bias = ((f64::from(*bias) + change) / hold) as f32;
            }
            factors = newton(factors, gradient, curvature);
        }
        fitted.machine = (factors[0] / scales[0]) as f32;
        fitted.bayes = (factors[1] / scales[1]) as f32;
        fitted
    }

    /// Turns the scores of both classifiers into probabilities.
    pub(crate) fn probabilities(&self, mode: Mode, judged: &Judged) -> Vec<f32> {
        let scores = judged.machine.iter().zip(&judged.bayes).zip(&self.bias);
        let mut scores: Vec<f32> = scores
            .map(|((machine, bayes), bias)| self.machine * machine + self.bayes * bayes + bias)
            .collect();
        to_probabilities(mode, &mut scores);
        scores
    }

    /// Returns gradient and curvature of the log loss by both factors, and each class' mean probability.
    fn derivatives(
        &self,
        judged: &[Judged],
        mode: Mode,
        targets: &Targets,
        scales: [f64; 2],
    ) -> ([f64; 2], [f64; 3], Vec<f64>) {
        let mut gradient = [0.0; 2];
        let mut curvature = [0.0; 3];
        let mut given = vec![targets.doubt; self.bias.len()];
        for text in judged {
            let probabilities = self.probabilities(mode, text);
            let scores = |class: usize| {
                [
                    f64::from(text.machine[class]) / scales[0],
                    f64::from(text.bayes[class]) / scales[1],
                ]
            };
            let mut mean = [0.0; 2];
            if mode == Mode::MultiClass {
                for (class, &probability) in probabilities.iter().enumerate() {
                    let [machine, bayes] = scores(class);
                    mean[0] += f64::from(probability) * machine;
                    mean[1] += f64::from(probability) * bayes;
                }
            }
            for (class, &probability) in probabilities.iter().enumerate() {
                let probability = f64::from(probability);
                let [machine, bayes] = scores(class);
                let error = probability - targets.of_class(text, class);
                gradient[0] += error * machine;
                gradient[1] += error * bayes;
                let weight = match mode {
                    Mode::MultiClass => probability,
                    Mode::MultiLabel => probability * (1.0 - probability),
                };
                let (machine, bayes) = (machine - mean[0], bayes - mean[1]);
                curvature[0] += weight * machine * machine;
                curvature[1] += weight * machine * bayes;
                curvature[2] += weight * bayes * bayes;
                given[class] += probability;
            }
        }
        let all = judged.len() as f64 + targets.doubt * self.bias.len() as f64;
        given.iter_mut().for_each(|given| *given /= all);
        (gradient, curvature, given)
    }
}

/// What probabilities should be.
struct Targets {
    right: f64,
    wrong: f64,
    /// Added to the count of each class.
    doubt: f64,
    /// Share of each class, 0 to 1, both excluded.
    shares: Vec<f64>,
}

impl Targets {
    fn of(judged: &[Judged], mode: Mode, classes: usize) -> Self {
        let softened = 1.0 / (judged.len() + 2) as f64;
        let wrong = match mode {
            Mode::MultiClass => softened / (classes - 1) as f64,
            Mode::MultiLabel => softened,
        };
        let mut shares = vec![1.0; classes];
        for &class in judged.iter().flat_map(|text| &text.truth) {
            shares[class as usize] += 1.0;
        }
        let all = (judged.len() + classes) as f64;
        shares.iter_mut().for_each(|share| *share /= all);
        Self {
            right: 1.0 - softened,
            wrong,
            doubt: 1.0,
            shares,
        }
    }

    fn of_class(&self, text: &Judged, class: usize) -> f64 {
        let right = text.truth.iter().any(|&right| right as usize == class);
        if right { self.right } else { self.wrong }
    }
}

/// A step of Newton's method that never leaves the positive numbers: a classifier is not read backwards.
fn newton(factors: [f64; 2], gradient: [f64; 2], curvature: [f64; 3]) -> [f64; 2] {
    let gradient = [0, 1].map(|at| gradient[at] + PRIOR_STRENGTH * (factors[at] - PRIOR));
    let [a, b, c] = [
        curvature[0] + PRIOR_STRENGTH,
        curvature[1],
        curvature[2] + PRIOR_STRENGTH,
    ];
    let determinant = a * c - b * b;
    let step = [
        (c * gradient[0] - b * gradient[1]) / determinant,
        (a * gradient[1] - b * gradient[0]) / determinant,
    ];
    let mut next = [0, 1].map(|at| factors[at] - step[at].clamp(-MAX_STEP, MAX_STEP));
    // At the border the other factor moves alone.
    for at in [0, 1] {
        if next[at] < MIN_FACTOR {
            next[at] = MIN_FACTOR;
            let other = 1 - at;
            let moved = gradient[other] + b * (MIN_FACTOR - factors[at]);
            let step = moved / [a, c][other];
            next[other] = (factors[other] - step.clamp(-MAX_STEP, MAX_STEP)).max(MIN_FACTOR);
        }
    }
    next
}

/// Least factor of a classifier: with less there would be no order between the classes.
const MIN_FACTOR: f64 = 0.01;

/// Root mean square of the scores around the mean of their text; never 0.
fn spread(judged: &[Judged], scores: impl Fn(&Judged) -> &[f32]) -> f64 {
    let mut squares = 0.0;
    let mut count = 0;
    for text in judged {
        let scores = scores(text);
        let mean = scores.iter().sum::<f32>() / scores.len() as f32;
        squares += scores
            .iter()
            .map(|score| f64::from(score - mean).powi(2))
            .sum::<f64>();
        count += scores.len();
    }
    (squares / f64::from(u32::try_from(count).unwrap_or(u32::MAX)))
        .sqrt()
        .max(1e-6)
}

/// Turns scores into probabilities: shares of one for classes, independent ones for labels.
pub(crate) fn to_probabilities(mode: Mode, scores: &mut [f32]) {
    match mode {
        Mode::MultiClass => {
            let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            scores.iter_mut().for_each(|score| *score = (*score - best).exp());
            let sum: f32 = scores.iter().sum();
            scores.iter_mut().for_each(|score| *score /= sum);
        }
        Mode::MultiLabel => scores
            .iter_mut()
            .for_each(|score| *score = 1.0 / (1.0 + (-*score).exp())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(machine: &[f32], bayes: &[f32], truth: &[u32]) -> Judged {
        Judged {
            machine: machine.to_vec(),
            bayes: bayes.to_vec(),
            truth: truth.to_vec(),
        }
    }

    #[test]
    fn confidence_becomes_the_share_of_right_answers() {
        // Both always say class 0 or 1 with the same force; three of four times they are right.
        let texts: Vec<Judged> = (0..400)
            .map(|n| {
                let said = [[9.0, -9.0], [-9.0, 9.0]][n % 2];
                judged(
                    &said,
                    &said,
                    &[if n % 8 < 6 { n as u32 % 2 } else { 1 - n as u32 % 2 }],
                )
            })
            .collect();

        let calibration = Calibration::of(&texts, Mode::MultiClass, 2);

        let probability = calibration.probabilities(Mode::MultiClass, &texts[0])[0];
        assert!((probability - 0.75).abs() < 0.02, "{probability}");
    }

    #[test]
    fn the_better_classifier_has_more_to_say() {
        let texts: Vec<Judged> = (0..200)
            .map(|n| {
                let right = [[1.0, -1.0], [-1.0, 1.0]][n % 2];
                let chance = [[1.0, -1.0], [-1.0, 1.0]][n / 2 % 2];
                judged(&right, &chance, &[n as u32 % 2])
            })
            .collect();

        let calibration = Calibration::of(&texts, Mode::MultiClass, 2);

        assert!(calibration.machine > 5.0 * calibration.bayes, "{calibration:?}");
    }

    #[test]
    fn labels_are_as_frequent_as_in_truth() {
        let texts: Vec<Judged> = (0..100)
            .map(|n| {
                judged(
                    &[0.5, -0.5],
                    &[0.1, -0.1],
                    if n % 10 == 0 { &[0, 1] } else { &[1] },
                )
            })
            .collect();

        let calibration = Calibration::of(&texts, Mode::MultiLabel, 2);

        let given = calibration.probabilities(Mode::MultiLabel, &texts[0]);
        assert!(given[0] < 0.2 && given[1] > 0.8, "{given:?}");
    }

    #[test]
    fn nothing_judged_leaves_the_scores_alone() {
        let calibration = Calibration::of(&[], Mode::MultiClass, 3);

        assert_eq!((calibration.machine, calibration.bayes), (1.0, 1.0));
    }
}
