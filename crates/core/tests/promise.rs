//! Must hold of `advise`: over 1,000 simulated deployments the promise is kept in at least 95 %.
//!
//! A deployment judges a sample of a model's predictions, sets the advised threshold and accepts what lies above
//! it. The promise is broken where the true accuracy of that, known from the model's formula, is below the target.
//! Advising nothing keeps the promise, so each test also says how often a threshold must be found.

use active_learning_core::{
    model::threshold::{Judged, Verdict, advise},
    random::Random,
};

const DEPLOYMENTS: u64 = 1_000;
/// The most that may fail: 5 %.
const MAX_BROKEN: usize = 50;
/// Classes of a simulated model; each is predicted with its own share.
const CLASSES: [&str; 3] = ["A", "B", "C"];

/// How a model's confidence comes about and what it is worth.
#[derive(Clone, Copy)]
struct Model {
    /// Confidence for a uniform draw; grows with it.
    confidence: fn(f64) -> f64,
    /// Probability of being right, by class number and the same draw.
    right: fn(usize, f64) -> f64,
}

/// Confidence from 1/3 to 1, mostly high; as often right as it says.
const CALIBRATED: Model = Model {
    confidence: |draw| 1.0 - (1.0 - draw).powi(2) * 2.0 / 3.0,
    right: |_, draw| 1.0 - (1.0 - draw).powi(2) * 2.0 / 3.0,
};

/// Says 0.99 and more nearly always, right in three of four.
const OVERCONFIDENT: Model = Model {
    confidence: |draw| 1.0 - (1.0 - draw).powi(6) * 2.0 / 3.0,
    right: |_, draw| 0.5 + draw / 2.0,
};

/// The confidence says nothing; just below the target everywhere: the hardest case.
const USELESS: Model = Model {
    confidence: |draw| draw,
    right: |_, _| 0.949,
};

/// The surest predictions are the worst.
const UPSIDE_DOWN: Model = Model {
    confidence: |draw| draw,
    right: |_, draw| 0.99 - 0.06 * draw,
};

/// Good on two classes, bad on the third.
const UNEVEN: Model = Model {
    confidence: |draw| 0.5 + draw / 2.0,
    right: |class, draw| {
        if class == 2 {
            0.7 + 0.28 * draw
        } else {
            0.93 + 0.07 * draw
        }
    },
};

/// How the predictions come to be judged: all, or as the review policy selects them.
#[derive(Clone, Copy)]
struct Policy {
    threshold: f64,
    audit_rate: f64,
}

const ALL: Policy = Policy {
    threshold: 1.0,
    audit_rate: 1.0,
};

fn sample(model: Model, policy: Policy, traffic: usize, random: &mut Random) -> Vec<Judged> {
    let mut judged = Vec::new();
    for number in 0..traffic {
        let (draw, class) = (random.next_f64(), class_of(random.next_f64()));
        let right = random.next_f64() < (model.right)(class, draw);
        let confidence = (model.confidence)(draw);
        let selection_probability = if confidence <= policy.threshold {
            1.0
        } else {
            policy.audit_rate
        };
        if random.next_f64() < selection_probability {
            judged.push(Judged {
                id: number.to_string(),
                class: CLASSES[class].into(),
                several: false,
                confidence: confidence as f32,
                right,
                selection_probability,
            });
        }
    }
    judged
}

fn class_of(draw: f64) -> usize {
    if draw < 0.5 {
        0
    } else {
        1 + usize::from(draw > 0.75)
    }
}

const SHARES: [f64; 3] = [0.5, 0.25, 0.25];

/// True shares of accepted and of accepted and right predictions of a class, by the midpoint rule.
fn accepted(model: Model, class: usize, threshold: f32) -> (f64, f64) {
    const STEPS: usize = 2_000;
    let draws = (0..STEPS).map(|step| (step as f64 + 0.5) / STEPS as f64);
    let above = draws.filter(|draw| (model.confidence)(*draw) as f32 > threshold);
    let (all, right) = above.fold((0.0, 0.0), |(all, right), draw| {
        (all + 1.0, right + (model.right)(class, draw))
    });
    (all * SHARES[class], right * SHARES[class])
}

/// Returns whether what these classes accept is less accurate than the target.
fn is_broken(model: Model, thresholds: &[(usize, f32)], target: f64) -> bool {
    let accepted = thresholds
        .iter()
        .map(|(class, threshold)| accepted(model, *class, *threshold));
    let (all, right) = accepted.fold((0.0, 0.0), |sum, of_class| {
        (sum.0 + of_class.0, sum.1 + of_class.1)
    });
    all > 0.0 && right / all < target
}

/// How many of the deployments found a threshold and how many broke the promise, by one threshold and by one a class.
#[derive(Debug, Default)]
struct Outcome {
    found: usize,
    broken: usize,
    found_per_class: usize,
    broken_per_class: usize,
}

fn deploy(model: Model, policy: Policy, traffic: usize, target: f64) -> Outcome {
    let mut outcome = Outcome::default();
    for seed in 0..DEPLOYMENTS {
        let judged = sample(model, policy, traffic, &mut Random::new(seed));
        let advice = advise(&judged, target, 1.0).expect("something judged");
        if let Verdict::Met(point) = advice.verdict {
            let everywhere = [0, 1, 2].map(|class| (class, point.threshold));
            outcome.found += 1;
            outcome.broken += usize::from(is_broken(model, &everywhere, target));
        }
        let per_class = advice.per_class.as_ref().expect("one label each");
        let of_class = |class: usize| {
            let point = per_class.classes.get(CLASSES[class])?.as_ref()?;
            Some((class, point.threshold))
        };
        let found: Vec<(usize, f32)> = (0..3).filter_map(of_class).collect();
        outcome.found_per_class += usize::from(!found.is_empty());
        // Every class on its own must keep the promise; all of them together then do.
        outcome.broken_per_class += usize::from(found.chunks(1).any(|alone| is_broken(model, alone, target)));
    }
    outcome
}

fn assert_kept(outcome: &Outcome) {
    assert!(outcome.broken <= MAX_BROKEN, "{outcome:?}");
    assert!(outcome.broken_per_class <= MAX_BROKEN, "{outcome:?}");
}

#[test]
fn the_promise_of_a_calibrated_model_is_kept_and_nearly_always_made() {
    for (traffic, at_least) in [(500, 200), (2_000, 990)] {
        let outcome = deploy(CALIBRATED, ALL, traffic, 0.95);

        assert_kept(&outcome);
        assert!(outcome.found >= at_least, "{outcome:?}");
    }
}

#[test]
fn the_promise_of_an_overconfident_model_is_kept() {
    let outcome = deploy(OVERCONFIDENT, ALL, 2_000, 0.9);

    assert_kept(&outcome);
    assert!(outcome.found > 500, "{outcome:?}");
}

#[test]
fn a_useless_confidence_just_below_the_target_passes_by_luck_in_at_most_one_of_twenty() {
    let outcome = deploy(USELESS, ALL, 1_000, 0.95);

    assert_kept(&outcome);
    assert_eq!(outcome.found, outcome.broken, "no threshold is good enough");
}

#[test]
fn a_confidence_that_is_upside_down_is_no_way_round_the_promise() {
    let outcome = deploy(UPSIDE_DOWN, ALL, 1_000, 0.95);

    assert_kept(&outcome);
}

#[test]
fn the_promise_is_kept_where_one_class_is_worse_than_the_others() {
    let outcome = deploy(UNEVEN, ALL, 2_000, 0.95);

    assert_kept(&outcome);
    assert!(
        outcome.found > 500 && outcome.found_per_class > 500,
        "{outcome:?}"
    );
}

#[test]
fn the_promise_is_kept_by_what_the_review_policy_selected() {
    let policy = Policy {
        threshold: 0.6,
        audit_rate: 0.4,
    };

    let outcome = deploy(CALIBRATED, policy, 1_500, 0.9);

    assert_kept(&outcome);
    assert!(outcome.found > 500, "{outcome:?}");
}
