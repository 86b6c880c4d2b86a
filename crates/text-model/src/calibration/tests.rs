use active_learning_core::{sampling::selection::SelectedBy, text::Vector};

use super::*;
use crate::{
    features::Features, fit::fit, labelled::Labelled, model::Model, plan::Plan, weights::buckets_for,
};

fn judged(machine: &[f32], bayes: &[f32], truth: &[u32]) -> Judged {
    Judged {
        scores: vec![machine.to_vec(), bayes.to_vec()],
        truth: truth.to_vec(),
        weight: 1.0,
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

    let calibration = Calibration::of(&texts, Mode::MultiClass, 2, &[1.0, 1.0]);

    let probability = calibration.probabilities(Mode::MultiClass, &texts[0])[0];
    assert!((probability - 0.75).abs() < 0.02, "{probability}");
}

#[test]
fn a_small_sample_that_is_right_as_often_as_all_texts_changes_nothing() {
    // Three of four are right.
    let texts = |count: usize| -> Vec<Judged> {
        let text = |n: usize| {
            let said = [[9.0, -9.0], [-9.0, 9.0]][n % 2];
            let is_right = n % 8 < 6;
            judged(
                &said,
                &said,
                &[if is_right { n as u32 % 2 } else { 1 - n as u32 % 2 }],
            )
        };
        (0..count).map(text).collect()
    };
    let all = Calibration::of(&texts(400), Mode::MultiClass, 2, &[1.0, 1.0]);

    let sure = all.sure_as(&texts(16), Mode::MultiClass);

    let probability =
        |calibration: &Calibration| calibration.probabilities(Mode::MultiClass, &texts(1)[0])[0];
    let [before, after] = [&all, &sure].map(probability);
    assert!((before - after).abs() < 0.005, "{before} {after}");
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

    let calibration = Calibration::of(&texts, Mode::MultiClass, 2, &[1.0, 1.0]);

    assert!(
        calibration.factors[0] > 5.0 * calibration.factors[1],
        "{calibration:?}"
    );
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

    let calibration = Calibration::of(&texts, Mode::MultiLabel, 2, &[1.0, 1.0]);

    let given = calibration.probabilities(Mode::MultiLabel, &texts[0]);
    assert!(given[0] < 0.2 && given[1] > 0.8, "{given:?}");
}

/// Of three classes, the scores of the last say less than those of the others, and as loudly.
fn last_class_is_hard() -> Vec<Judged> {
    let text = |n: usize| {
        let truth = n % 3;
        let said = if truth == 2 || n.is_multiple_of(5) {
            n / 3 % 3
        } else {
            truth
        };
        let mut scores = [-2.0; 3];
        scores[said] = 2.0;
        judged(&scores, &scores, &[truth as u32])
    };
    (0..900).map(text).collect()
}

#[test]
fn a_class_whose_scores_say_less_has_a_smaller_factor() {
    let texts = last_class_is_hard();

    let calibration = Calibration::of(&texts, Mode::MultiClass, 3, &[1.0, 1.0]);

    let [first, second, last] = calibration.of_class[..] else {
        panic!("three classes")
    };
    assert!(last < 0.8 * first && last < 0.8 * second, "{calibration:?}");
    assert!((first * second * last - 1.0).abs() < 1e-4, "{calibration:?}");
    let of_labels = Calibration::of(&texts, Mode::MultiLabel, 3, &[1.0, 1.0]);
    assert_eq!(of_labels.of_class, [1.0; 3]);
}

#[test]
fn a_few_texts_leave_the_factors_of_the_classes_at_one() {
    let texts = &last_class_is_hard()[..9];

    let calibration = Calibration::of(texts, Mode::MultiClass, 3, &[1.0, 1.0]);

    for factor in &calibration.of_class {
        assert!((0.9..1.1).contains(factor), "{calibration:?}");
    }
}

#[test]
fn a_sample_keeps_the_factors_of_the_classes() {
    let texts = last_class_is_hard();
    let calibration = Calibration::of(&texts, Mode::MultiClass, 3, &[1.0, 1.0]);

    let sure = calibration.sure_as(&texts, Mode::MultiClass);

    assert_eq!(sure.of_class, calibration.of_class);
    let [before, after] =
        [&calibration, &sure].map(|calibration| calibration.probabilities(Mode::MultiClass, &texts[0]));
    for (before, after) in before.iter().zip(&after) {
        assert!((before - after).abs() < 0.02, "{before} {after}");
    }
}

#[test]
fn a_model_says_what_its_calibration_says_of_its_experts() {
    let written = ["late goal in the cup", "shares fall at noon", "a new phone chip"];
    let features: Vec<Features> = written.iter().map(|text| Features::of(text)).collect();
    let vectors = [[1.0, 0.2, 0.1], [-0.3, 1.0, 0.0], [0.1, -0.2, 1.0]].map(|values| Vector::of(&values));
    let numbers = [0, 1, 2];
    let text = |n: usize| Labelled {
        features: &features[n],
        labels: &numbers[n..=n],
        vector: Some(&vectors[n]),
        selected_by: SelectedBy::Chance,
    };
    let texts = [0, 1, 2].map(text);
    let ngrams = texts.iter().map(|text| text.features.len()).sum();
    let all = fit(&texts, &[], None, 3, buckets_for(ngrams, 3), 1);
    let calibration = Calibration {
        factors: vec![1.5, 0.02, 0.7, 0.9],
        of_class: vec![2.0, 1.0, 0.5],
        bias: vec![-1.0, -0.5, 0.2],
    };
    let plan = Plan {
        mode: Mode::MultiClass,
        labels: &["Sports", "Business", "SciTech"].map(str::to_owned),
        encoder: Some("an encoder"),
        names: &[],
        unlabelled: &[],
        max_weight_bytes: 1_000_000,
        seed: 1,
    };

    let model = Model::of(&plan, &all, &calibration, &[]);

    for text in &texts {
        let judged = Judged {
            scores: all.scores(text),
            truth: text.labels.to_vec(),
            weight: 1.0,
        };
        let wanted = calibration.probabilities(Mode::MultiClass, &judged);
        let said = model.probabilities(text.features, text.vector);
        for (said, wanted) in said.iter().zip(&wanted) {
            // The file keeps eight bits of a weight.
            assert!((said - wanted).abs() < 0.01, "{said} {wanted}");
        }
    }
}

#[test]
fn nothing_judged_leaves_the_scores_alone() {
    let calibration = Calibration::of(&[], Mode::MultiClass, 3, &[1.0, 1.0]);

    assert_eq!(calibration.factors, [1.0, 1.0]);
}

#[test]
fn a_trusted_expert_has_more_to_say_until_texts_have_been_judged() {
    // The second expert is right of three texts of four, the first of all.
    let factors = |texts: u32| {
        let texts: Vec<Judged> = (0..texts)
            .map(|n| {
                let right = [[1.0, -1.0], [-1.0, 1.0]][n as usize % 2];
                let wrong = [-right[0], -right[1]];
                let trusted = if n % 8 < 6 { right } else { wrong };
                judged(&right, &trusted, &[n % 2])
            })
            .collect();
        Calibration::of(&texts, Mode::MultiClass, 2, &[1.0, 2.0]).factors
    };

    let [few, many] = [factors(6), factors(400)];

    assert!((few[1] / few[0] - 2.0).abs() < 0.2, "{few:?}");
    assert!(many[0] > 2.0 * many[1], "{many:?}");
}

#[test]
fn a_step_that_is_too_long_keeps_its_direction() {
    let step = shortened(vec![8.0, -2.0, 0.5]);

    assert_eq!(step, [1.0, -0.25, 0.0625]);
    assert_eq!(shortened(vec![0.5, -1.0]), [0.5, -1.0]);
}
