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

#[test]
fn the_exact_interval_is_that_of_the_textbooks() {
    // R: binom.test(c(4, 36))$conf.int, binom.test(0, 10), binom.test(10, 10).
    for (events, n, low, high) in [
        (4, 40, 0.027_925, 0.236_637),
        (0, 10, 0.0, 0.308_497),
        (10, 10, 0.691_503, 1.0),
    ] {
        let interval = clopper_pearson(events, n, 0.95);

        assert!((interval.low - low).abs() < 1e-5, "{events} of {n}: {interval:?}");
        assert!(
            (interval.high - high).abs() < 1e-5,
            "{events} of {n}: {interval:?}"
        );
    }
    assert_eq!(clopper_pearson(0, 0, 0.95), Interval { low: 0.0, high: 1.0 });
}
