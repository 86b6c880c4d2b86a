use proptest::prelude::*;

use super::*;
use crate::model::evaluation::{TestPrediction, evaluate};

fn judged(right: bool, selection_probability: f64) -> JudgedPrediction {
    JudgedPrediction {
        right,
        selection_probability,
        audited: selection_probability < 1.0,
        of_all: false,
    }
}

fn tally(predictions: &[(f32, bool, f64)]) -> ConfidenceTally {
    let mut tally = ConfidenceTally::default();
    for &(confidence, right, chance) in predictions {
        tally.add(judged(right, chance), confidence);
    }
    tally
}

fn quality(predictions: &[(f32, bool, f64)]) -> ConfidenceQuality {
    tally(predictions).quality().expect("something judged")
}

/// `groups`: how many, confidence, how many of them wrong.
fn groups(groups: &[(usize, f32, usize)], chance: f64) -> Vec<(f32, bool, f64)> {
    let group = |&(count, confidence, wrong): &(usize, f32, usize)| {
        (0..count).map(move |number| (confidence, number >= wrong, chance))
    };
    groups.iter().flat_map(group).collect()
}

#[test]
fn an_exact_confidence_has_no_calibration_error_and_no_warning() {
    let quality = quality(&groups(&[(100, 0.9, 10), (100, 0.6, 40)], 1.0));

    assert_eq!(quality.judged, 200);
    assert!(quality.expected_calibration_error < 1e-6);
    assert!((quality.brier_score - (0.09 + 0.24) / 2.0).abs() < 1e-6);
    assert!(quality.brier_interval.low < 0.165 && quality.brier_interval.high > 0.165);
    // 90·40 pairs right, 60·10 wrong, the others tied, of 150·50.
    let ranking = quality.ranking.expect("enough of each");
    assert!((ranking.auroc - (3_600.0 + (900.0 + 2_400.0) / 2.0) / 7_500.0).abs() < 1e-9);
    assert!(
        ranking.interval.low > 0.6 && ranking.interval.high < 0.8,
        "{ranking:?}"
    );
    assert_eq!(quality.warning(), None);
}

#[test]
fn a_prediction_that_is_judged_otherwise_by_now_counts_once_and_as_it_is_judged_now() {
    let mut changed = tally(&groups(&[(30, 0.9, 3), (30, 0.6, 12)], 0.1));
    for _ in 0..5 {
        changed.remove(judged(false, 0.1), 0.6);
        changed.add(judged(true, 0.1), 0.6);
    }
    let straight = quality(&groups(&[(30, 0.9, 3), (30, 0.6, 7)], 0.1));

    let now = changed.quality().expect("something judged");

    assert_eq!(now.judged, 60);
    for (now, straight) in [
        (
            now.expected_calibration_error,
            straight.expected_calibration_error,
        ),
        (now.brier_score, straight.brier_score),
        (now.brier_interval.high, straight.brier_interval.high),
        (
            now.ranking.expect("enough").auroc,
            straight.ranking.expect("enough").auroc,
        ),
    ] {
        assert!((now - straight).abs() < 1e-9, "{now} {straight}");
    }
    let mut only = tally(&[(0.9, true, 0.1)]);
    only.remove(judged(false, 0.1), 0.9);
    assert_eq!(only, tally(&[(0.9, true, 0.1)]), "none such was added");
    only.remove(judged(true, 0.1), 0.9);
    assert_eq!(only.quality(), None);
}

#[test]
fn weights_restore_the_traffic_that_the_policy_selected_from() {
    // Traffic of 2,000: half doubtful, all reviewed; half sure, every tenth audited.
    let doubtful = groups(&[(1_000, 0.5, 500)], 1.0);
    let traffic = |sure| quality(&[doubtful.clone(), sure].concat());

    let audited = traffic(groups(&[(100, 0.95, 20)], 0.1));
    let all = traffic(groups(&[(1_000, 0.95, 200)], 1.0));

    assert!((audited.expected_calibration_error - 0.075).abs() < 1e-6);
    assert!((audited.expected_calibration_error - all.expected_calibration_error).abs() < 1e-9);
    assert!((audited.brier_score - all.brier_score).abs() < 1e-9);
    let (few, many) = (audited.ranking.expect("enough"), all.ranking.expect("enough"));
    assert!((few.auroc - many.auroc).abs() < 1e-9);
    assert!(few.interval.high - few.interval.low > many.interval.high - many.interval.low);
    assert!(audited.calibration_error_by_chance > all.calibration_error_by_chance);
}

#[test]
fn a_confidence_that_does_not_rank_is_warned_of() {
    let worthless = quality(&groups(&[(100, 0.9, 30), (100, 0.6, 30)], 1.0));
    let upside_down = quality(&groups(&[(100, 0.9, 60), (100, 0.6, 10)], 1.0));
    let few = quality(&groups(&[(100, 0.9, 9)], 1.0));

    let warning = worthless.warning().expect("a warning");
    assert!(
        warning.contains("AUROC 0.50") && warning.contains("200 judged"),
        "{warning}"
    );
    assert!(upside_down.warning().is_some());
    assert_eq!(
        (few.ranking, few.warning()),
        (None, None),
        "too few wrong ones to say"
    );
}

#[test]
fn a_perfect_ranking_is_not_certainty() {
    let ranking = quality(&groups(&[(50, 0.9, 0), (20, 0.6, 20)], 1.0))
        .ranking
        .expect("enough");

    assert_eq!(ranking.auroc, 1.0);
    assert!(ranking.interval.low < 0.95, "{ranking:?}");
}

#[test]
fn nothing_judged_is_no_quality_and_the_ends_of_the_scale_are_fine() {
    assert_eq!(ConfidenceTally::default().quality(), None);
    let ends = quality(&[(0.0, false, 1.0), (1.0, true, 0.001)]);
    assert!(ends.expected_calibration_error.abs() < 1e-12 && ends.brier_score == 0.0);
}

#[test]
fn a_tally_is_stored_as_json() {
    let stored = tally(&groups(&[(10, 0.75, 1), (10, 0.5, 4)], 0.25));

    let json = serde_json::to_string(&stored).expect("numbers");

    assert_eq!(
        serde_json::from_str::<ConfidenceTally>(&json).expect("a tally"),
        stored
    );
}

fn predictions() -> impl Strategy<Value = Vec<(f32, bool, f64)>> {
    let chance = prop::sample::select(vec![1.0, 0.5, 0.125]);
    prop::collection::vec((0.0f32..=1.0, any::<bool>(), chance), 1..300)
}

proptest! {
    #[test]
    fn merged_tallies_are_the_tally_of_all(predictions in predictions(), at in 0usize..300) {
        let (first, second) = predictions.split_at(at.min(predictions.len()));

        let mut merged = tally(first);
        merged.merge(&tally(second));

        // Powers of two sum without rounding, confidences do not.
        let (merged, all) = (merged.quality().expect("judged"), quality(&predictions));
        prop_assert_eq!(merged.judged, all.judged);
        prop_assert!((merged.brier_score - all.brier_score).abs() < 1e-9);
        prop_assert!((merged.expected_calibration_error - all.expected_calibration_error).abs() < 1e-9);
        prop_assert_eq!(merged.ranking, all.ranking);
    }

    #[test]
    fn without_weights_it_is_the_evaluation_of_the_same_rows(predictions in predictions()) {
        let unweighted: Vec<_> = predictions.iter().map(|(confidence, right, _)| (*confidence, *right, 1.0)).collect();
        let rows: Vec<TestPrediction> = predictions
            .iter()
            .map(|(confidence, right, _)| TestPrediction {
                actual: if *right { "A" } else { "B" }.into(),
                predicted: "A".into(),
                confidence: f64::from(*confidence),
            })
            .collect();

        let (quality, evaluation) = (quality(&unweighted), evaluate(&rows));

        prop_assert!((quality.brier_score - evaluation.brier_score).abs() < 1e-9);
        if let Some(ranking) = quality.ranking {
            // Classes of nearly equal confidence count as ties.
            prop_assert!((ranking.auroc - evaluation.auroc.expect("both kinds")).abs() < 0.02);
            prop_assert!(ranking.interval.low <= ranking.auroc && ranking.auroc <= ranking.interval.high);
        }
        prop_assert!((0.0..=1.0).contains(&quality.expected_calibration_error));
    }
}
