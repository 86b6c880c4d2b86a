use super::*;

const POLICY: SelectionPolicy = SelectionPolicy {
    min_macro_f1_gain: 0.01,
    significance: 0.05,
    max_recall_loss: 0.1,
};

/// Predictions on 100 rows of each of two classes, of which so many are right.
fn predictions(right_a: usize, right_b: usize) -> Vec<TestPrediction> {
    let row = |actual: &str, other: &str, right: bool| TestPrediction {
        actual: actual.into(),
        predicted: if right { actual } else { other }.into(),
        confidence: 0.8,
    };
    let a = (0..100).map(|n| row("A", "B", n < right_a));
    a.chain((0..100).map(|n| row("B", "A", n < right_b))).collect()
}

fn candidate<'a>(model_arn: &'a str, classes: &[&str], predictions: &'a [TestPrediction]) -> Candidate<'a> {
    Candidate {
        model_arn,
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        predictions,
        has_to_go: None,
    }
}

#[test]
fn a_champion_that_has_to_go_gives_way_to_what_is_not_worse_by_more_than_chance() {
    let decide = |old: (usize, usize), new: (usize, usize), has_to_go: Option<String>| {
        let (old, new) = (predictions(old.0, old.1), predictions(new.0, new.1));
        let champion = Candidate {
            has_to_go,
            ..candidate("champion", &["a", "b"], &old)
        };
        Decision::make(
            POLICY,
            Some(&champion),
            &candidate("challenger", &["a", "b"], &new),
            &[],
        )
    };
    let why = || Some("it learnt from 3 rows that were erased".to_owned());

    let a_little_worse = decide((48, 48), (47, 46), why());

    assert!(a_little_worse.deploy, "{:?}", a_little_worse.reasons);
    assert!(
        a_little_worse
            .reasons
            .iter()
            .any(|reason| reason.text.contains("no gain is needed") && reason.text.contains("3 rows"))
    );
    assert!(!decide((48, 48), (47, 46), None).deploy);
    assert!(!decide((48, 48), (20, 20), why()).deploy, "that is no chance");
}

fn decide(old: (usize, usize), new: (usize, usize)) -> Decision {
    let (old, new) = (predictions(old.0, old.1), predictions(new.0, new.1));
    Decision::make(
        POLICY,
        Some(&candidate("old", &["A", "B"], &old)),
        &candidate("new", &["A", "B"], &new),
        &[],
    )
}

fn refusals(decision: &Decision) -> Vec<&str> {
    assert_eq!(
        decision.deploy,
        decision.reasons.iter().all(|reason| reason.in_favour)
    );
    decision
        .reasons
        .iter()
        .filter(|reason| !reason.in_favour)
        .map(|reason| reason.text.as_str())
        .collect()
}

#[test]
fn a_better_challenger_is_deployed_and_the_numbers_are_readable() {
    let decision = decide((80, 80), (90, 85));

    assert!(decision.deploy);
    let json = serde_json::to_value(&decision).expect("JSON");
    assert_eq!(
        json["reasons"][2]["text"],
        "macro F1 went from 0.8000 to 0.8749 (+0.0749); a gain of 0.01 is needed"
    );
    assert_eq!(json["mcnemar"]["onlyChallengerRight"], 15);
    assert_eq!(json["champion"]["modelArn"], "old");
    assert_eq!(json["challenger"]["evaluation"]["accuracy"], 0.875);
    assert_eq!(serde_json::from_value::<Decision>(json).ok(), Some(decision));
}

#[test]
fn of_several_labels_micro_f1_and_subset_accuracy_stand_beside_macro_f1() {
    let row = |predicted: &[&str]| TestPrediction {
        actual: LabelNames::of(["A", "B"]),
        predicted: LabelNames::of(predicted.iter().copied()),
        confidence: 0.9,
    };
    let (old, new) = (
        [row(&["A"]), row(&["A"]), row(&["B"])],
        [row(&["A", "B"]), row(&["A"]), row(&["A", "B"])],
    );

    let decision = Decision::make(
        POLICY,
        Some(&candidate("old", &["A", "B"], &old)),
        &candidate("new", &["A", "B"], &new),
        &[],
    );

    let said = &decision.reasons[2].text;
    assert!(
        said.ends_with(
            "; beside it micro F1 went from 0.6667 to 0.9091, and the share of rows with all labels right (subset \
             accuracy) from 0.0000 to 0.6667"
        ),
        "{said}"
    );
}

#[test]
fn too_small_a_gain_is_refused() {
    assert_eq!(
        refusals(&decide((80, 80), (81, 80))),
        ["macro F1 went from 0.8000 to 0.8050 (+0.0050); a gain of 0.01 is needed"]
    );
    assert!(refusals(&decide((80, 80), (80, 80)))[0].contains("(+0.0000)"));
}

#[test]
fn a_class_that_loses_recall_is_refused_whatever_the_others_gain() {
    assert_eq!(
        refusals(&decide((80, 60), (69, 90))),
        ["classes lost more recall than 0.1, the parameter MaxRecallLoss: `A` -0.1100"]
    );
    assert!(
        decide((80, 60), (70, 90)).deploy,
        "a loss of the parameter itself is allowed"
    );
}

#[test]
fn the_recall_of_a_champion_that_says_one_class_of_every_text_is_no_hindrance() {
    let decision = decide((100, 0), (85, 95));
    let nearly = decide((98, 3), (85, 95));

    assert!(decision.deploy && nearly.deploy, "{:?}", refusals(&decision));
    let said = decision
        .reasons
        .iter()
        .find(|reason| reason.text.contains("recall"));
    assert_eq!(
        said.expect("a rule").text,
        "no class lost more recall than 0.1; the champion gives nearly every text this label, so its recall counts for \
         nothing: `A` -0.1500"
    );
}

#[test]
fn a_significantly_worse_challenger_has_the_test_against_it() {
    let decision = decide((90, 90), (83, 83));

    assert!(
        decision
            .mcnemar
            .is_some_and(|test| test.is_against_challenger(0.05))
    );
    assert!(refusals(&decision)[0].starts_with("McNemar's test is against the challenger"));
}

#[test]
fn a_class_that_the_challenger_does_not_know_is_refused() {
    let (old, new) = (predictions(80, 80), predictions(90, 90));

    let decision = Decision::make(
        POLICY,
        Some(&candidate("old", &["A", "B", "C"], &old)),
        &candidate("new", &["A", "B"], &new),
        &[],
    );

    assert_eq!(refusals(&decision), ["the challenger does not know `C`"]);
}

#[test]
fn models_measured_on_other_rows_are_not_compared() {
    let (old, new) = (predictions(80, 80), predictions(90, 90));
    let old_candidate = candidate("old", &["A"], &old[..150]);

    let other_rows = Decision::make(POLICY, Some(&old_candidate), &candidate("new", &["A"], &new), &[]);
    let no_rows = Decision::make(
        POLICY,
        Some(&candidate("old", &["A"], &[])),
        &candidate("new", &["A"], &[]),
        &[],
    );

    assert!(refusals(&other_rows).contains(&"champion and challenger were not measured on the same rows"));
    assert!(refusals(&no_rows).contains(&"there are no test rows to compare on"));
}

#[test]
fn the_first_model_needs_a_good_dataset_only() {
    let new = predictions(50, 50);
    let problem = |severity| Problem {
        severity,
        message: "class `A` has 3 rows".into(),
    };
    let decide =
        |problems: &[Problem]| Decision::make(POLICY, None, &candidate("new", &["A", "B"], &new), problems);

    assert!(decide(&[problem(Severity::Warning)]).deploy);
    assert_eq!(
        refusals(&decide(&[problem(Severity::Error), problem(Severity::Error)])),
        ["the dataset did not pass its check: class `A` has 3 rows; class `A` has 3 rows"]
    );
}
