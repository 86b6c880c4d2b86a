//! Must hold of the promise of automated labelling, however often it is looked at: a model that does not keep the
//! target is seldom switched on, a promise that holds is seldom broken, and one that no longer holds is broken soon.
//!
//! A deployment audits predictions one after the other and looks at the promise after every few of them. The truth
//! is known from the model's formula.

use active_learning_core::{
    model::accuracy_guarantee::{AuditGrid, Promise, PromiseState},
    random::Random,
};

const DEPLOYMENTS: u64 = 200;
/// The most that may go wrong: 5 %.
const MAX_WRONG: u64 = DEPLOYMENTS / 20;
/// Audits between two looks.
const AUDITS_A_LOOK: u64 = 10;
const TARGET: f64 = 0.95;

/// Confidence, and probability of being right, for a uniform draw.
type Model = fn(f64) -> (f64, f64);

/// Confidence from 1/3 to 1, mostly high; as often right as it says.
const CALIBRATED: Model = |draw| {
    let confidence = 1.0 - (1.0 - draw).powi(2) * 2.0 / 3.0;
    (confidence, confidence)
};
/// The confidence says nothing; just below the target everywhere: the hardest case to refuse.
const JUST_BELOW: Model = |draw| (draw, 0.949);
/// Just at the target everywhere: the hardest promise to let stand.
const JUST_AT: Model = |draw| (draw, 0.95);
/// Says 0.99 and more nearly always, right in three of four.
const OVERCONFIDENT: Model = |draw| (1.0 - (1.0 - draw).powi(6) * 2.0 / 3.0, 0.5 + draw / 2.0);
const GOOD: Model = |draw| (draw, 0.99);
const WORSE: Model = |draw| (draw, 0.9);
const BAD: Model = |draw| (draw, 0.75);

struct Deployment {
    random: Random,
    audits: AuditGrid,
    promise: Promise,
}

impl Deployment {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            audits: AuditGrid::default(),
            promise: Promise::waiting(TARGET, "2026-11-21T10:00:00Z"),
        }
    }

    /// Audits predictions until the promise stands so; returns after how many, or nothing if it never does.
    fn audit_until(&mut self, state: PromiseState, model: Model, most: u64) -> Option<u64> {
        for number in 1..=most {
            let (confidence, right) = model(self.random.next_f64());
            let right = self.random.next_f64() < right;
            self.audits.add(confidence as f32, right);
            if number % AUDITS_A_LOOK == 0 {
                self.promise.look(&self.audits, "2026-11-21T10:05:00Z");
                if self.promise.state == state {
                    return Some(number);
                }
            }
        }
        None
    }

    /// Returns whether what the threshold accepts is right as often as was promised, by the midpoint rule.
    fn holds(&self, model: Model) -> bool {
        const STEPS: u32 = 2_000;
        let draws = (0..STEPS).map(|step| (f64::from(step) + 0.5) / f64::from(STEPS));
        let threshold = self.promise.threshold.expect("it is on");
        let accepted = draws
            .map(model)
            .filter(|(confidence, _)| *confidence as f32 > threshold);
        let (all, right) = accepted.fold((0.0, 0.0), |sum, (_, right)| (sum.0 + 1.0, sum.1 + right));
        right / all >= TARGET
    }
}

fn count(happens: impl Fn(&mut Deployment) -> bool) -> u64 {
    let happened = (0..DEPLOYMENTS).filter(|seed| happens(&mut Deployment::new(*seed)));
    happened.count() as u64
}

#[test]
fn a_model_that_does_not_keep_the_target_is_seldom_switched_on_however_often_one_looks() {
    let on = count(|deployment| {
        deployment
            .audit_until(PromiseState::On, JUST_BELOW, 2_000)
            .is_some()
    });

    println!("switched on just below the target: {on} of {DEPLOYMENTS}");
    assert!(on <= MAX_WRONG, "{on}");
}

#[test]
fn what_is_switched_on_keeps_the_target() {
    for (model, at_least) in [(CALIBRATED, DEPLOYMENTS * 95 / 100), (OVERCONFIDENT, 0)] {
        let (mut on, mut wrong) = (0, 0);
        for seed in 0..DEPLOYMENTS {
            let mut deployment = Deployment::new(seed);
            if deployment.audit_until(PromiseState::On, model, 2_000).is_some() {
                on += 1;
                wrong += u64::from(!deployment.holds(model));
            }
        }

        println!("switched on: {on} of {DEPLOYMENTS}, {wrong} of them below the target");
        assert!(
            on >= at_least && wrong <= MAX_WRONG,
            "{on} on, {wrong} of them wrong"
        );
    }
}

#[test]
fn a_promise_that_holds_is_seldom_broken_however_often_one_looks() {
    for model in [GOOD, JUST_AT] {
        let broken = count(|deployment| {
            deployment
                .audit_until(PromiseState::On, GOOD, 5_000)
                .expect("a good model is switched on");
            deployment
                .audit_until(PromiseState::Broken, model, 5_000)
                .is_some()
        });

        println!("broken while it holds: {broken} of {DEPLOYMENTS}");
        assert!(broken <= MAX_WRONG, "{broken}");
    }
}

#[test]
fn a_promise_that_no_longer_holds_is_broken_soon_however_long_it_held() {
    for (name, model, most) in [
        ("90 %", WORSE, [(0, 250), (200, 350), (1_000, 500)]),
        ("75 %", BAD, [(0, 50), (200, 70), (1_000, 100)]),
    ] {
        for (good, median_at_most) in most {
            let mut took: Vec<u64> = (0..DEPLOYMENTS)
                .filter_map(|seed| {
                    let mut deployment = Deployment::new(seed);
                    deployment
                        .audit_until(PromiseState::On, GOOD, 5_000)
                        .expect("a good model is switched on");
                    while deployment.promise.watched.audited < good {
                        let broken = deployment.audit_until(PromiseState::Broken, GOOD, AUDITS_A_LOOK);
                        if broken.is_some() {
                            return None;
                        }
                    }
                    let before = deployment.promise.watched.audited;
                    deployment
                        .audit_until(PromiseState::Broken, model, 20_000)
                        .expect("it is broken");
                    Some(deployment.promise.watched.audited - before)
                })
                .collect();
            took.sort_unstable();

            let (median, last) = (took[took.len() / 2], took[took.len() - 1]);
            println!(
                "after {good} good audits, {name}: broken after {median}, half of the time; at most {last}"
            );
            assert!(took.len() as u64 >= DEPLOYMENTS - MAX_WRONG, "{}", took.len());
            assert!(median <= median_at_most, "{median}");
            assert!(last <= 6 * median_at_most, "{last}");
        }
    }
}
