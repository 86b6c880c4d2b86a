//! The few statistics that decisions rest on.

use serde::{Deserialize, Serialize};

/// A range that holds the true value with a stated confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Returns the Wilson score interval of a share (0 to 1) observed on `n` trials, `n` > 0 and not always whole.
///
/// `confidence` is two-sided, such as 0.95. Never degenerate, even where all trials agree. Source: E. B. Wilson,
/// "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
pub fn wilson(share: f64, n: f64, confidence: f64) -> Interval {
    let z = normal_quantile(f64::midpoint(1.0, confidence));
    let z2 = z * z / n;
    let centre = (share + z2 / 2.0) / (1.0 + z2);
    let half = z / (1.0 + z2) * (share * (1.0 - share) / n + z2 / (4.0 * n)).sqrt();
    Interval {
        low: (centre - half).clamp(0.0, share),
        high: (centre + half).clamp(share, 1.0),
    }
}

/// Returns the value below which a standard normal variable lies with this probability, 0 < `probability` < 1.
pub fn normal_quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    // Halving 80 times exhausts the 52 bits of the result.
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if libm::erfc(-middle / std::f64::consts::SQRT_2) / 2.0 < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// Returns how far the confidence interval of a mean reaches to either side, from independent measurements of it.
///
/// `confidence` is two-sided, such as 0.95. `None` for fewer than two measurements, which tell nothing of their spread.
/// Source: Student, "The probable error of a mean", Biometrika 6 (1908).
pub fn half_interval_of_mean(measurements: &[f64], confidence: f64) -> Option<f64> {
    let n = measurements.len() as f64;
    let degrees = u32::try_from(measurements.len()).ok()?.checked_sub(1)?;
    let mean = measurements.iter().sum::<f64>() / n;
    let squares: f64 = measurements.iter().map(|value| (value - mean).powi(2)).sum();
    (degrees > 0).then(|| student_t(confidence, degrees) * (squares / f64::from(degrees) / n).sqrt())
}

/// Returns the distance from 0 within which Student's t lies with this probability, 0 < `probability` < 1.
fn student_t(probability: f64, degrees: u32) -> f64 {
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if student_t_within(middle, degrees) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// Returns the probability that Student's t is at most `t` away from 0, a finite sum.
/// Source: M. Abramowitz and I. Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4.
fn student_t_within(t: f64, degrees: u32) -> f64 {
    let angle = (t / f64::from(degrees).sqrt()).atan();
    let cos2 = angle.cos().powi(2);
    let odd = degrees % 2 == 1;
    let (mut term, mut sum) = if odd { (angle.cos(), 0.0) } else { (1.0, 0.0) };
    for k in (if odd { 3 } else { 2 }..=degrees).step_by(2) {
        sum += term;
        term *= cos2 * f64::from(k - 1) / f64::from(k);
    }
    if odd {
        (angle + angle.sin() * sum) * std::f64::consts::FRAC_2_PI
    } else {
        angle.sin() * sum
    }
}

/// Returns the exact two-sided p-value of McNemar's test from the numbers of discordant pairs.
///
/// Twice the tail of the binomial distribution with probability one half, at most 1; 1 without any
/// discordant pair. Relative error below 1e-7 up to a million pairs.
/// Source: Q. McNemar, Psychometrika 12 (1947); exact form: binomial sign test.
pub fn mcnemar_p_value(only_first: u64, only_second: u64) -> f64 {
    let (n, fewer) = (only_first + only_second, only_first.min(only_second));
    (2.0 * binomial_at_most(fewer, n, 0.5)).min(1.0)
}

/// Returns the probability of at most `events` in `n` independent trials of this probability, 0 < `probability` < 1.
///
/// Exact: the side of the distribution whose terms fall away from `events` is summed, its greatest term by logarithms.
pub fn binomial_at_most(events: u64, n: u64, probability: f64) -> f64 {
    if events >= n {
        return 1.0;
    }
    let odds = probability / (1.0 - probability);
    let ln_factorial = |k: u64| libm::lgamma(k as f64 + 1.0);
    let ln_term = |k: u64| {
        ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
            + k as f64 * probability.ln()
            + (n - k) as f64 * (-probability).ln_1p()
    };
    if (events as f64) < n as f64 * probability {
        let ratios = (1..=events).rev().map(|k| k as f64 / ((n - k + 1) as f64 * odds));
        (ln_term(events) + series(ratios).ln()).exp().min(1.0)
    } else {
        let ratios = (events + 1..n).map(|k| (n - k) as f64 * odds / (k + 1) as f64);
        (1.0 - (ln_term(events + 1) + series(ratios).ln()).exp()).max(0.0)
    }
}

/// Sums 1 and the terms after it, each given by its ratio, below 1 and falling, to the one before.
fn series(ratios: impl Iterator<Item = f64>) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for ratio in ratios {
        term *= ratio;
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

/// Returns the exact one-sided lower bound of the probability of an event that was seen in all but `missed` of
/// `n` trials.
///
/// Whatever the true probability, the bound lies above it with a probability of at most `significance`; 0 without
/// trials. Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934).
pub fn clopper_pearson_low(missed: u64, n: u64, significance: f64) -> f64 {
    if missed >= n {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    // Halving 60 times exhausts the 52 bits of the result.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if binomial_at_most(missed, n, 1.0 - middle) < significance {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Returns the exact two-sided interval of the probability of an event that was seen `events` times in `n` trials; from
/// 0 to 1 without trials.
///
/// It holds the true probability with at least `confidence`, such as 0.95. Source: as [`clopper_pearson_low`].
pub fn clopper_pearson(events: u64, n: u64, confidence: f64) -> Interval {
    let each_side = (1.0 - confidence) / 2.0;
    Interval {
        low: clopper_pearson_low(n - events.min(n), n, each_side),
        high: 1.0 - clopper_pearson_low(events, n, each_side),
    }
}

/// Returns how strongly `events` among `n` trials speak for events rarer than `probability`, 0 < `probability` < 1.
///
/// An e-value: it may be looked at after every trial, as often as one likes. If events are not rarer, it ever exceeds
/// `1 / significance` with a probability of at most `significance` (Ville's inequality); 1 without trials. It is the mean
/// likelihood ratio over all rarer probabilities, `near` = 1 weighting them equally and a greater one the near ones more:
/// that of a beta distribution with parameters `near` and 1 for their ratio to `probability`. Sources: H. Robbins, Annals of
/// Mathematical Statistics 41 (1970); A. Ramdas et al., "Game-theoretic statistics and safe anytime-valid
/// inference", Statistical Science 38 (2023).
pub fn evidence_of_fewer(events: u64, n: u64, probability: f64, near: u32) -> f64 {
    let (power, others) = (events + u64::from(near) - 1, n - events);
    let all = power + others + 1;
    let ln_factorial = |k: u64| libm::lgamma(k as f64 + 1.0);
    let ln_ratio = f64::from(near).ln() + ln_factorial(power) + ln_factorial(others)
        - ln_factorial(all)
        - (power + 1) as f64 * probability.ln()
        - others as f64 * (-probability).ln_1p();
    (ln_ratio + binomial_at_most(others, all, 1.0 - probability).ln()).exp()
}

/// Returns a lower bound of the probability of an event that was seen in all but `missed` of `n` trials, which
/// holds however often one looks.
///
/// It ever lies above the true probability with a probability of at most `significance`: the greatest one that
/// [`evidence_of_fewer`] misses speaks for.
pub fn lower_bound_at_any_time(missed: u64, n: u64, significance: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Halving 60 times exhausts the 52 bits of the result.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if evidence_of_fewer(missed, n, 1.0 - middle, 1) >= 1.0 / significance {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests;
