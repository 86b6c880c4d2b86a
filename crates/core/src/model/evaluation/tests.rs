use proptest::prelude::*;

use super::*;

fn rows(rows: &[(&str, &str, f64)]) -> Vec<TestPrediction> {
    let row = |(actual, predicted, confidence): &(&str, &str, f64)| TestPrediction {
        actual: LabelNames::of(actual.split(LABEL_DELIMITER)),
        predicted: LabelNames::of(predicted.split(LABEL_DELIMITER)),
        confidence: *confidence,
    };
    rows.iter().map(row).collect()
}

#[test]
fn metrics_are_those_computed_by_hand() {
    let evaluation = evaluate(&rows(&[
        ("A", "A", 0.9),
        ("A", "A", 0.8),
        ("A", "B", 0.6),
        ("B", "B", 0.7),
        ("B", "C", 0.5),
    ]));

    assert_eq!((evaluation.rows, evaluation.accuracy), (5, 0.6));
    let class = |number: usize| {
        let class = &evaluation.classes[number];
        (
            class.class.as_str(),
            class.support,
            class.precision,
            class.recall,
            class.f1,
        )
    };
    assert_eq!(class(0), ("A", 3, 1.0, 2.0 / 3.0, 0.8));
    assert_eq!(class(1), ("B", 2, 0.5, 0.5, 0.5));
    assert_eq!(class(2), ("C", 0, 0.0, 0.0, 0.0));
    assert!(
        (evaluation.macro_f1 - 0.65).abs() < 1e-12,
        "a class that no row has does not count"
    );
    assert_eq!(evaluation.confusion_matrix.labels, ["A", "B", "C"]);
    assert_eq!(
        evaluation.confusion_matrix.counts,
        [[2, 1, 0], [0, 1, 1], [0, 0, 0]]
    );
    // One row a bin: |0.9-1| + |0.8-1| + 0.6 + |0.7-1| + 0.5, by five.
    assert!((evaluation.expected_calibration_error - 0.34).abs() < 1e-12);
    assert!((evaluation.brier_score - (0.01 + 0.04 + 0.36 + 0.09 + 0.25) / 5.0).abs() < 1e-12);
    assert_eq!(evaluation.auroc, Some(1.0));
}

#[test]
fn ties_in_confidence_count_half() {
    let auroc = |predictions: &[(&str, &str, f64)]| evaluate(&rows(predictions)).auroc;

    assert_eq!(auroc(&[("A", "A", 0.5), ("A", "B", 0.5)]), Some(0.5));
    assert_eq!(
        auroc(&[("A", "A", 0.5), ("A", "A", 0.7), ("A", "B", 0.5)]),
        Some(0.75)
    );
    assert_eq!(auroc(&[("A", "A", 0.5)]), None);
}

#[test]
fn labels_of_a_multi_label_row_count_each_and_in_any_order() {
    let evaluation = evaluate(&rows(&[("A|B", "B|A", 0.9), ("A", "A|B", 0.9)]));

    assert_eq!(evaluation.accuracy, 0.5);
    // Three of the four labels that are given are right, and none is missing.
    assert_eq!(evaluation.micro_f1_of_several(), Some(6.0 / 7.0));
    assert_eq!(
        (evaluation.classes[0].recall, evaluation.classes[0].precision),
        (1.0, 1.0)
    );
    assert_eq!(
        (evaluation.classes[1].recall, evaluation.classes[1].precision),
        (1.0, 0.5)
    );
}

#[test]
fn where_each_row_has_one_label_micro_f1_is_accuracy_and_is_not_told() {
    let evaluation = evaluate(&rows(&[("A", "A", 0.9), ("A", "B", 0.6), ("B", "B", 0.7)]));

    assert_eq!(evaluation.micro_f1, Some(evaluation.accuracy));
    assert_eq!(evaluation.micro_f1_of_several(), None);
}

#[test]
fn an_evaluation_of_a_release_before_is_read_without_micro_f1() {
    let mut written = serde_json::to_value(evaluate(&rows(&[("A|B", "A", 0.9)]))).expect("numbers");
    let fields = written.as_object_mut().expect("an object");
    assert_eq!(fields.remove("microF1"), Some(serde_json::json!(2.0 / 3.0)));
    assert_eq!(fields.remove("severalLabels"), Some(serde_json::json!(true)));

    let read: Evaluation = serde_json::from_value(written).expect("as it was stored");

    assert_eq!((read.micro_f1, read.micro_f1_of_several()), (None, None));
    assert_eq!(read.accuracy, 0.0);
}

#[test]
fn a_class_whose_name_holds_the_delimiter_is_one_class() {
    let row = TestPrediction {
        actual: LabelNames::from("Home|Garden"),
        predicted: LabelNames::from("Home|Garden"),
        confidence: 0.9,
    };

    let evaluation = evaluate(&[row]);

    let classes: Vec<&str> = evaluation
        .classes
        .iter()
        .map(|class| class.class.as_str())
        .collect();
    assert_eq!(classes, ["Home|Garden"]);
}

#[test]
fn nothing_measured_is_nothing_proved() {
    let evaluation = evaluate(&[]);

    assert_eq!(
        (evaluation.accuracy, evaluation.macro_f1, evaluation.auroc),
        (0.0, 0.0, None)
    );
    assert_eq!(
        (evaluation.brier_score, evaluation.expected_calibration_error),
        (0.0, 0.0)
    );
}

#[test]
fn only_rows_on_which_the_models_differ_decide() {
    let truth = |right: usize| {
        (0..20)
            .map(|n| ("A", if n < right { "A" } else { "B" }, 0.5))
            .collect::<Vec<_>>()
    };
    let (good, bad) = (rows(&truth(18)), rows(&truth(8)));

    let test = McNemar::test(&good, &bad).expect("the same rows");

    assert_eq!((test.only_champion_right, test.only_challenger_right), (10, 0));
    assert!((test.p_value - 2.0_f64.powi(-9)).abs() < 1e-12);
    assert!(test.is_against_challenger(0.05));
    assert!(
        !McNemar::test(&bad, &good)
            .expect("the same rows")
            .is_against_challenger(0.05)
    );
    assert_eq!(McNemar::test(&good, &good[1..]), None);
}

proptest! {
    #[test]
    fn the_order_of_rows_never_counts_and_shares_are_shares(
        judged in proptest::collection::vec((0usize..3, 0usize..3, 0u8..10), 0..60), by in 0usize..60,
    ) {
        let mut all: Vec<TestPrediction> = judged.iter().map(|&(actual, predicted, confidence)| TestPrediction {
            actual: ["A", "B", "C"][actual].into(),
            predicted: ["A", "B", "C"][predicted].into(),
            confidence: f64::from(confidence) / 10.0,
        }).collect();
        let evaluation = evaluate(&all);
        all.rotate_left(by.min(judged.len()));
        let rotated = evaluate(&all);

        prop_assert!((evaluation.expected_calibration_error - rotated.expected_calibration_error).abs() < 1e-12);
        prop_assert_eq!(&evaluation.classes, &rotated.classes);
        prop_assert_eq!(evaluation.auroc, rotated.auroc);
        for value in [evaluation.accuracy, evaluation.macro_f1, evaluation.expected_calibration_error, evaluation.brier_score] {
            prop_assert!((0.0..=1.0).contains(&value), "{value}");
        }
        prop_assert_eq!(evaluation.confusion_matrix.counts.iter().flatten().sum::<usize>(), judged.len());
    }
}
