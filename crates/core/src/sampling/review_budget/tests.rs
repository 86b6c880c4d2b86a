use proptest::prelude::*;

use super::*;
use crate::random::Random;

const TASK: NonZeroUsize = NonZeroUsize::MIN;

#[test]
fn a_record_says_with_what_probability_it_was_selected() {
    let of = |signal: &str, more: serde_json::Value| {
        let mut line = serde_json::json!({"schemaVersion": 1, "classifier": "default", "utterance": "text",
            "prediction": "a", "confidence": 0.4, "source": "implicit", "signal": signal,
            "receivedAt": "2026-11-20T10:00:00.000Z"});
        for (name, value) in more.as_object().expect("members") {
            line[name] = value.clone();
        }
        let record = FeedbackRecord::parse(line.to_string().as_bytes()).expect("a record");
        selected_by(&record)
    };
    let none = serde_json::json!({});
    let probability = |probability: f64| serde_json::json!({"selectionProbability": probability});

    assert_eq!(of("audit", probability(0.05)), SelectedBy::Audit(0.05));
    assert_eq!(of("audit", none.clone()), SelectedBy::Chance);
    assert_eq!(of("low-confidence", probability(0.2)), SelectedBy::Policy(0.2));
    assert_eq!(of("low-margin", probability(1.0)), SelectedBy::Policy(1.0));
    assert_eq!(of("low-confidence", none.clone()), SelectedBy::Choice);
    assert_eq!(of("dislike", none.clone()), SelectedBy::Choice);
    assert_eq!(of("unlabelled", none), SelectedBy::Chance);
    let ranked = serde_json::json!({"modelArn": "arn:model"});
    assert_eq!(of("unlabelled", ranked), SelectedBy::Choice);
    let mut first = serde_json::json!({"prediction": null, "confidence": null});
    assert_eq!(of("unlabelled", first.clone()), SelectedBy::Choice);
    first["selectionProbability"] = 1.0.into();
    assert_eq!(of("unlabelled", first), SelectedBy::Chance);
}

const DAY: &str = "2026-11-20";
const NEXT_DAY: &str = "2026-11-21";

fn record(signal: &str, margin: f32) -> FeedbackRecord {
    let second = (1.0 - margin) / 2.0;
    let line = serde_json::json!({
        "classifier": "news", "utterance": format!("Text {signal} {margin}"), "prediction": "World",
        "classes": [{"name": "World", "score": second + margin}, {"name": "Sports", "score": second}],
        "source": if signal == "dislike" { "explicit-api" } else { "implicit" }, "signal": signal,
        "selectionProbability": match signal { "audit" => Some(0.01), "dislike" => None, _ => Some(1.0) },
        "receivedAt": "2026-11-20T10:00:00.123Z",
    });
    FeedbackRecord::parse(line.to_string().as_bytes()).expect("a record")
}

#[test]
fn keys_are_in_the_order_of_turns() {
    let key = |mut record: FeedbackRecord, explored| enqueue(&mut record, explored).key(&record);
    let mut later = record("audit", 0.9);
    later.received_at = "2026-11-21T00:00:00Z".into();

    let keys = [
        key(record("audit", 0.9), None),
        key(later, None),
        key(record("low-confidence", 0.9), Some(0.1)),
        key(record("dislike", 0.9), None),
        key(record("low-margin", 0.1), None),
        key(record("low-confidence", 0.2), None),
    ];

    assert!(keys.is_sorted(), "{keys:?}");
    let id = &record("audit", 0.9).id;
    assert_eq!(keys[0], format!("backlog/1-audit/20261120100000-{id}.json"));
    assert!(keys[3].starts_with("backlog/3-ranked/000000-"), "{}", keys[3]);
}

#[test]
fn only_chance_gives_a_selection_probability() {
    let probability = |signal, explored| {
        let mut record = record(signal, 0.5);
        enqueue(&mut record, explored);
        record.selection_probability
    };

    assert_eq!(probability("audit", None), Some(0.01));
    assert_eq!(probability("low-confidence", Some(0.05)), Some(0.05));
    assert_eq!(probability("low-confidence", None), None);
    assert_eq!(probability("dislike", None), None);
    assert!(!may_be_explored(&record("audit", 0.5)) && !may_be_explored(&record("dislike", 0.5)));
    assert!(may_be_explored(&record("low-margin", 0.5)));
}

#[test]
fn a_new_day_has_a_new_budget_and_a_slow_clock_spends_of_today() {
    let mut budget = ReviewBudget::default();
    let items = |count| vec![Selected::new("k".into(), record("audit", 0.5)); count];

    budget.select(DAY, items(7), TASK);
    assert_eq!(
        (budget.remaining(DAY, 10), budget.remaining(NEXT_DAY, 10)),
        (3, 10)
    );
    budget.close();
    budget.select(NEXT_DAY, items(9), TASK);

    assert_eq!(
        (budget.remaining(NEXT_DAY, 10), budget.remaining(DAY, 10)),
        (1, 1)
    );
    assert_eq!(budget.selection().map(|selection| selection.number), Some(2));
    assert_eq!(budget.remaining(NEXT_DAY, 5), 0);
}

#[test]
fn the_drawn_ones_take_their_share_of_the_budget() {
    let mut budget = ReviewBudget::default();

    assert_eq!(budget.arrive(DAY, 50, 100), EXPLORATION_SHARE);
    assert_eq!(budget.arrive(DAY, 950, 100), EXPLORATION_SHARE / 10.0);
    assert_eq!(
        budget.arrive(NEXT_DAY, 1, 100),
        EXPLORATION_SHARE / 10.0,
        "as many as the day before"
    );
    assert_eq!(budget.arrive("2026-11-22", 0, 100), EXPLORATION_SHARE);
}

#[test]
fn the_state_survives_its_file() {
    let mut budget = ReviewBudget::default();
    budget.arrive(DAY, 3, 10);
    budget.select(
        DAY,
        vec![Selected::new("k".into(), record("low-margin", 0.5))],
        TASK,
    );

    let json = serde_json::to_string(&budget).expect("JSON");

    assert_eq!(
        serde_json::from_str::<ReviewBudget>(&json).expect("as written"),
        budget
    );
}

/// Doubtful predictions, of which the ranked ones are right less often, are estimated by the drawn ones alone.
#[test]
fn what_is_explored_stands_for_all_that_is_doubtful() {
    use crate::model::audit::{AuditTally, JudgedPrediction};
    let (mut errors, mut random) = (Vec::new(), Random::new(1));
    let doubtful = record("low-confidence", 0.5);
    for _ in 0..100 {
        let (mut tally, mut truth) = (AuditTally::default(), 0.0);
        let mut budget = ReviewBudget::default();
        for _ in 0..20 {
            let draw = budget.arrive(DAY, 100, 2_000);
            for _ in 0..100 {
                let margin = random.next_f64();
                let right = random.next_f64() < 0.3 + 0.6 * margin;
                truth += f64::from(right) / 2_000.0;
                let mut record = doubtful.clone();
                enqueue(&mut record, (random.next_f64() < draw).then_some(draw));
                if let Some(selection_probability) = record.selection_probability {
                    tally.add(JudgedPrediction {
                        right,
                        selection_probability,
                        audited: true,
                        of_all: false,
                    });
                }
            }
        }
        errors.push(tally.estimate().expect("some are drawn").accuracy - truth);
    }

    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!(mean.abs() < 0.01, "{mean}");
}

proptest! {
    #[test]
    fn never_more_than_the_limit_is_spent_on_a_day(
        steps in proptest::collection::vec((0usize..2, 0u64..9), 1..40), limit in 0u64..20,
    ) {
        let mut budget = ReviewBudget::default();
        let mut spent = [0; 2];
        let mut latest = 0;
        for (day, wanted) in steps {
            let today = [DAY, NEXT_DAY][day];
            let count = wanted.min(budget.remaining(today, limit));
            if count > 0 {
                latest = latest.max(day);
                budget.select(today, vec![Selected::new("k".into(), record("audit", 0.5)); count as usize], TASK);
                spent[latest] += count;
            }
        }
        prop_assert!(spent.iter().all(|spent| *spent <= limit));
    }
}
