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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f64, b: f64, relative: f64) -> bool {
        (a - b).abs() <= relative * b.abs()
    }

    #[test]
    fn mcnemar_is_exact() {
        // Computed with exact fractions.
        let exact = [
            (0, 0, 1.0),
            (5, 5, 1.0),
            (4, 2, 0.6875),
            (1, 9, 0.021484375),
            (10, 2, 0.03857421875),
            (25, 15, 0.1538599441628321),
            (121, 59, 4.434449263755176e-6),
            (59, 6, 4.964650327128617e-12),
            (4900, 5100, 0.04658552770494739),
            (0, 1000, 2.0_f64.powi(-999)),
        ];

        for (b, c, p) in exact {
            assert!(
                close(mcnemar_p_value(b, c), p, 1e-9),
                "{b} {c}: {}",
                mcnemar_p_value(b, c)
            );
        }
    }

    #[test]
    fn mcnemar_of_a_million_pairs_agrees_with_its_normal_limit() {
        // Continuity-corrected: (2,000 − 1) / √1,000,000 standard deviations, two-sided.
        let limit = libm::erfc(1.999 / std::f64::consts::SQRT_2);

        let p = mcnemar_p_value(499_000, 501_000);

        assert!(close(p, limit, 1e-5), "{p} {limit}");
    }

    #[test]
    fn the_binomial_distribution_is_exact() {
        // Computed with exact fractions.
        let exact = [
            (0, 59, 0.05, 0.048494525249423),
            (0, 58, 0.05, 0.051046868683603),
            (13, 400, 0.05, 0.061361899750285),
            (25, 400, 0.05, 0.893530739453092),
            (3, 10, 0.3, 0.6496107184),
            (10, 10, 0.3, 1.0),
        ];

        for (events, n, probability, expected) in exact {
            let found = binomial_at_most(events, n, probability);
            assert!(close(found, expected, 1e-9), "{events} of {n}: {found}");
        }
    }

    #[test]
    fn the_lower_bound_is_that_of_clopper_and_pearson() {
        // 59 of 59 is the smallest sample without an error that shows 95 % with 95 % confidence.
        assert!(clopper_pearson_low(0, 59, 0.05) >= 0.95 && clopper_pearson_low(0, 58, 0.05) < 0.95);
        // Two-sided 95 % interval of 81 of 263 in Newcombe (1998), table I: its lower end is one-sided at 0.025.
        assert!((clopper_pearson_low(182, 263, 0.025) - 0.2527).abs() < 5e-5);
        assert_eq!(clopper_pearson_low(7, 7, 0.05), 0.0);
        assert_eq!(clopper_pearson_low(0, 0, 0.05), 0.0);
    }

    /// The integral that `evidence_of_fewer` is in closed form, by the midpoint rule.
    fn mean_likelihood_ratio(events: u64, n: u64, probability: f64, near: u32) -> f64 {
        const STEPS: u32 = 200_000;
        let ratio = |ratio: f64| {
            let density = f64::from(near) * ratio.powi(near as i32 - 1);
            let others = ((1.0 - ratio * probability) / (1.0 - probability)).powi((n - events) as i32);
            density * ratio.powi(events as i32) * others
        };
        let draws = (0..STEPS).map(|step| (f64::from(step) + 0.5) / f64::from(STEPS));
        draws.map(ratio).sum::<f64>() / f64::from(STEPS)
    }

    #[test]
    fn evidence_is_the_mean_likelihood_ratio() {
        for (events, n, probability, near) in [
            (0, 0, 0.05, 1),
            (0, 120, 0.05, 1),
            (3, 200, 0.05, 1),
            (40, 100, 0.05, 1),
            (85, 100, 0.95, 10),
            (99, 100, 0.95, 10),
            (0, 12, 0.6, 10),
        ] {
            let found = evidence_of_fewer(events, n, probability, near);
            let expected = mean_likelihood_ratio(events, n, probability, near);
            assert!(
                close(found, expected, 1e-6),
                "{events} of {n}: {found} {expected}"
            );
        }
        assert!(evidence_of_fewer(50_000, 1_000_000, 0.06, 1) > 1e100);
        assert!(evidence_of_fewer(70_000, 1_000_000, 0.06, 1) < 1e-3);
    }

    #[test]
    fn a_bound_that_holds_at_any_time_lies_below_that_of_a_single_look() {
        for (missed, n) in [(0, 10), (0, 500), (20, 400), (5, 5)] {
            let bound = lower_bound_at_any_time(missed, n, 0.05);
            let single = clopper_pearson_low(missed, n, 0.05);
            assert!(
                bound < single || single == 0.0 && bound == 0.0,
                "{bound} {single}"
            );
            assert!(n < 100 || single - bound < 0.02, "{bound} {single}");
        }
        assert_eq!(lower_bound_at_any_time(0, 0, 0.05), 0.0);
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        assert!((normal_quantile(0.975) - 1.959963984540054).abs() < 1e-12);
        assert!((normal_quantile(0.5)).abs() < 1e-12);
        assert!((normal_quantile(0.01) + 2.3263478740408408).abs() < 1e-12);
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (degrees, t) in [
            (1, 12.706_204_7),
            (2, 4.302_652_7),
            (3, 3.182_446_3),
            (4, 2.776_445_1),
            (9, 2.262_157_2),
            (30, 2.042_272_5),
            (1_000, 1.962_339_1),
        ] {
            let found = student_t(0.95, degrees);
            assert!((found - t).abs() < 1e-6, "{degrees}: {found}");
        }
    }

    #[test]
    fn one_measurement_has_no_interval_and_equal_ones_a_narrow_one() {
        assert_eq!(half_interval_of_mean(&[], 0.95), None);
        assert_eq!(half_interval_of_mean(&[0.5], 0.95), None);
        assert_eq!(half_interval_of_mean(&[0.5, 0.5], 0.95), Some(0.0));
        let half = half_interval_of_mean(&[1.0, 2.0, 3.0], 0.95).expect("three measurements");
        assert!((half - 4.302_652_7 / 3.0_f64.sqrt()).abs() < 1e-6, "{half}");
    }

    #[test]
    fn wilson_is_that_of_the_literature() {
        // Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I: 81 of 263, 0 of 20, 29 of 29.
        for (successes, n, low, high) in [
            (81.0, 263.0, 0.2553, 0.3662),
            (0.0, 20.0, 0.0, 0.1611),
            (29.0, 29.0, 0.8830, 1.0),
        ] {
            let interval = wilson(successes / n, n, 0.95);
            assert!(
                (interval.low - low).abs() < 5e-5 && (interval.high - high).abs() < 5e-5,
                "{interval:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn p_values_are_probabilities_and_fall_with_the_difference(pairs in 1u64..100_000, first in 0u64..100_000) {
            let first = first % (pairs / 2 + 1);

            let p = mcnemar_p_value(first, pairs - first);

            prop_assert!((0.0..=1.0).contains(&p));
            prop_assert_eq!(p, mcnemar_p_value(pairs - first, first));
            prop_assert!(first == 0 || mcnemar_p_value(first - 1, pairs - first + 1) <= p);
        }

        #[test]
        fn the_binomial_distribution_grows_with_events_and_falls_with_probability(
            n in 1u64..5_000, events in 0u64..5_000, probability in 0.001f64..0.999,
        ) {
            let events = events % n;

            let at_most = binomial_at_most(events, n, probability);

            prop_assert!((0.0..=1.0).contains(&at_most));
            prop_assert!(binomial_at_most(events + 1, n, probability) >= at_most - 1e-9);
            prop_assert!(binomial_at_most(events, n, probability * 0.9) >= at_most - 1e-9);
            // The events that happen and those that do not are the same trials.
            let mirrored = 1.0 - binomial_at_most(n - events - 1, n, 1.0 - probability);
            prop_assert!((at_most - mirrored).abs() < 1e-9, "{at_most} {mirrored}");
        }

        #[test]
        fn an_interval_holds_the_share_and_narrows_with_n(share in 0.0f64..=1.0, n in 1.0f64..10_000.0) {
            let interval = wilson(share, n, 0.95);
            let more = wilson(share, n * 4.0, 0.95);

            prop_assert!(0.0 <= interval.low && interval.low <= share && share <= interval.high && interval.high <= 1.0);
            prop_assert!(more.high - more.low < interval.high - interval.low);
        }
    }
}
