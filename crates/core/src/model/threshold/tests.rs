use proptest::prelude::*;

use super::*;

fn judged(id: usize, class: &str, confidence: f32, right: bool, selection_probability: f64) -> Judged {
    Judged {
        id: id.to_string(),
        class: class.into(),
        several: false,
        confidence,
        right,
        selection_probability,
    }
}

/// `groups`: how many, confidence, how many of them wrong.
fn fully_judged(groups: &[(usize, f32, usize)]) -> Vec<Judged> {
    let group = |&(count, confidence, wrong): &(usize, f32, usize)| {
        (0..count).map(move |number| judged(number, "A", confidence, number >= wrong, 1.0))
    };
    groups.iter().flat_map(group).collect()
}

fn advised(judged: &[Judged], target: f64, max_review: f64) -> Advice {
    advise(judged, target, max_review).expect("something judged")
}

#[test]
fn the_lowest_threshold_that_keeps_the_promise_is_advised() {
    // Above 0.6: 20 of 1,000 wrong. With the doubtful ones: 120 of 1,200.
    let judged = fully_judged(&[(1_000, 0.97, 20), (200, 0.6, 100)]);

    let advice = advised(&judged, 0.95, 0.2);

    let Verdict::Met(point) = advice.verdict else {
        panic!("{:?}", advice.verdict);
    };
    assert_eq!(
        point.threshold, 0.6,
        "a confidence equal to the threshold goes to people"
    );
    assert_eq!((point.accepted, point.wrong), (1_000, 20));
    assert_eq!(point.accuracy, Some(0.98));
    assert!(
        point
            .accuracy_at_least
            .is_some_and(|bound| (0.95..0.98).contains(&bound))
    );
    assert!((point.review_share - 200.0 / 1_200.0).abs() < 1e-12);
    assert!((point.errors_caught.expect("errors") - 100.0 / 120.0).abs() < 1e-12);
    assert!((advice.accuracy - 0.9).abs() < 1e-12);
    assert_eq!((advice.judged, advice.sampled), (1_200, 1_200));
}

#[test]
fn a_promise_that_takes_too_many_people_is_not_met_and_says_at_what_price_it_is() {
    let judged = fully_judged(&[(1_000, 0.97, 20), (1_000, 0.6, 500)]);

    let advice = advised(&judged, 0.95, 0.2);

    assert_eq!(
        advice
            .beyond_max_review
            .map(|point| (point.threshold, point.review_share)),
        Some((0.6, 0.5))
    );
    // 520 of 2,000 are wrong: 74 %, less what is lost to certainty.
    let Verdict::NotGoodEnough {
        reachable: Some(reachable),
    } = advice.verdict
    else {
        panic!("{:?}", advice.verdict);
    };
    assert!((0.70..0.74).contains(&reachable), "{reachable}");
}

#[test]
fn too_little_data_says_how_much_would_do() {
    let few = fully_judged(&[(40, 0.97, 0)]);
    let wanted = |judged: &[Judged]| match advised(judged, 0.95, 0.2).verdict {
        Verdict::TooLittleData { labelled } => labelled,
        other => panic!("{other:?}"),
    };

    // 0.95^n ≤ 0.05 / 4.
    assert_eq!(wanted(&few), 86);
    assert!(matches!(
        advised(&fully_judged(&[(86, 0.97, 0)]), 0.95, 0.2).verdict,
        Verdict::Met(_)
    ));
    assert_eq!(wanted(&few[..1]), 86);
    let hopeless = advised(&fully_judged(&[(40, 0.97, 30)]), 0.95, 0.2);
    assert!(matches!(hopeless.verdict, Verdict::NotGoodEnough { .. }));
    let one_in_fifty = wanted(&fully_judged(&[(50, 0.97, 1)]));
    let enough = fully_judged(&[(one_in_fifty as usize, 0.97, one_in_fifty as usize / 50)]);
    assert!(
        matches!(advised(&enough, 0.95, 0.2).verdict, Verdict::Met(_)),
        "{one_in_fifty}"
    );
}

/// So many right predictions, of which the model is sure and unsure alike.
fn all_right(count: usize) -> Vec<Judged> {
    let confidence = |number: usize| (number as f32 + 0.5) / count as f32;
    (0..count)
        .map(|number| judged(number, "A", confidence(number), true, 1.0))
        .collect()
}

#[test]
fn right_predictions_that_no_test_reaches_need_more_than_there_are_and_are_not_tested() {
    let advice = advised(&all_right(200), 0.95, 0.2);

    // Of 226 half are above 0.5, where a search starts: 0.95^113 ≤ 0.05 / 16, and all below are tested after it.
    assert_eq!(advice.verdict, Verdict::TooLittleData { labelled: 226 });
    let verdict = |count: usize| advised(&all_right(count), 0.95, 0.2).verdict;
    assert!(matches!(verdict(226), Verdict::Met(_)));
    let point = |threshold: f32| advice.points.iter().find(|point| point.threshold == threshold);
    let bound = |threshold: f32| point(threshold).expect("shown").accuracy_at_least;
    assert!(bound(0.5).is_some_and(|bound| bound < 0.95));
    assert_eq!((bound(0.4), bound(0.0)), (None, None));
}

#[test]
fn a_model_that_is_always_wrong_can_promise_nothing() {
    let advice = advised(&fully_judged(&[(500, 0.97, 500)]), 0.95, 1.0);

    assert_eq!(advice.verdict, Verdict::NotGoodEnough { reachable: None });
    assert_eq!(advise(&[], 0.95, 0.2), None);
}

#[test]
fn a_start_with_too_few_predictions_does_not_end_the_search() {
    let judged = fully_judged(&[(3, 0.9995, 1), (1_000, 0.85, 10)]);

    let advice = advised(&judged, 0.95, 0.2);

    assert!(
        matches!(advice.verdict, Verdict::Met(point) if point.threshold < 0.85),
        "{:?}",
        advice.verdict
    );
}

#[test]
fn each_class_has_its_threshold_and_a_small_one_goes_to_people() {
    let class = |name: &'static str, count: usize, confidence: f32, wrong: usize| {
        (0..count).map(move |number| judged(number, name, confidence, number >= wrong, 1.0))
    };
    let judged: Vec<Judged> = (class("Good", 1_000, 0.8, 5))
        .chain(class("Mixed", 500, 0.95, 5))
        .chain(class("Mixed", 500, 0.7, 250))
        .chain(class("Rare", 20, 0.99, 0))
        .collect();

    let PerClass {
        classes,
        accuracy,
        review_share,
        errors_caught,
    } = advised(&judged, 0.95, 0.5).per_class.expect("one label each");

    let thresholds: Vec<_> = classes
        .iter()
        .map(|(class, point)| (class.as_str(), point.map(|point| point.threshold)))
        .collect();
    assert_eq!(
        thresholds,
        [("Good", Some(0.0)), ("Mixed", Some(0.7)), ("Rare", None)]
    );
    assert!((accuracy.expect("accepted") - 1_490.0 / 1_500.0).abs() < 1e-12);
    assert!((review_share - 520.0 / 2_020.0).abs() < 1e-12);
    assert!((errors_caught.expect("errors") - 250.0 / 260.0).abs() < 1e-12);
}

#[test]
fn what_names_several_labels_is_no_class_and_has_the_one_threshold() {
    let of_one = fully_judged(&[(1_000, 0.97, 20)]);
    let mut of_several = of_one.clone();
    (of_several[0].class, of_several[0].several) = ("A|B".to_owned(), true);

    let (one, several) = (advised(&of_one, 0.95, 0.2), advised(&of_several, 0.95, 0.2));

    assert_eq!(several.per_class, None);
    assert!(one.per_class.is_some());
    assert_eq!(several.verdict, one.verdict);
}

#[test]
fn doubtful_predictions_are_thinned_to_the_chance_of_the_others() {
    let doubtful = (0..10_000).map(|number| judged(number, "A", 0.4, number % 2 == 0, 1.0));
    let audited = (10_000..11_000).map(|number| judged(number, "A", 0.9, true, 0.1));
    let judged: Vec<Judged> = doubtful.chain(audited).collect();

    let advice = advised(&judged, 0.9, 1.0);

    // All 1,000 audited ones and about a tenth of the others: half the traffic is right, half of that half as well.
    assert!((1_900..2_100).contains(&advice.sampled), "{}", advice.sampled);
    assert!((advice.accuracy - 0.75).abs() < 1e-12);
    assert!(
        matches!(advice.verdict, Verdict::Met(point) if point.threshold == 0.4 && point.review_share == 0.5)
    );
}

fn predictions() -> impl Strategy<Value = Vec<Judged>> {
    let one = (
        0.0f32..=1.0,
        any::<bool>(),
        prop::sample::select(vec!["A", "B"]),
        prop::sample::select(vec![1.0, 0.25]),
    );
    prop::collection::vec(one, 1..400).prop_map(|all| {
        let number = |(id, (confidence, right, class, chance))| judged(id, class, confidence, right, chance);
        all.into_iter().enumerate().map(number).collect()
    })
}

proptest! {
    #[test]
    fn whatever_is_advised_keeps_what_was_asked(judged in predictions(), target in 0.05f64..0.99, max_review in 0.0f64..=1.0) {
        let advice = advised(&judged, target, max_review);

        if let Verdict::Met(point) = advice.verdict {
            prop_assert!(point.review_share <= max_review);
            prop_assert!(point.accuracy_at_least.is_some_and(|bound| bound >= target - 1e-9));
            prop_assert_eq!(advice.beyond_max_review, None);
        }
        for point in advice.points.iter().chain(&advice.beyond_max_review) {
            prop_assert!((0.0..=1.0).contains(&point.review_share));
            prop_assert!(point.errors_caught.is_none_or(|caught| (0.0..=1.0).contains(&caught)));
            match point.accuracy_at_least {
                Some(bound) if point.keeps_promise => prop_assert!(bound >= target - 1e-9),
                Some(bound) => prop_assert!(bound <= target + 1e-9),
                None => prop_assert!(!point.keeps_promise),
            }
        }
        if let Verdict::TooLittleData { labelled } = advice.verdict {
            prop_assert!(labelled > advice.sampled as u64);
        }
        prop_assert!(advice.sampled <= advice.judged);
        let per_class = advice.per_class.expect("one label each");
        prop_assert!((0.0..=1.0).contains(&per_class.review_share));
    }

    #[test]
    fn the_order_of_predictions_does_not_count(mut judged in predictions(), target in 0.1f64..0.9) {
        let advice = advised(&judged, target, 1.0);

        judged.reverse();

        let reversed = advised(&judged, target, 1.0);
        prop_assert_eq!(advice.sampled, reversed.sampled);
        let threshold = |advice: Advice| match advice.verdict {
            Verdict::Met(point) => Some(point.threshold),
            _ => None,
        };
        prop_assert_eq!(threshold(advice), threshold(reversed));
    }

    #[test]
    fn a_higher_target_never_lowers_the_threshold(judged in predictions(), target in 0.1f64..0.8) {
        let threshold = |target| match advised(&judged, target, 1.0).verdict {
            Verdict::Met(point) => point.threshold,
            _ => 1.0,
        };

        prop_assert!(threshold(target) <= threshold(target + 0.1));
    }
}
