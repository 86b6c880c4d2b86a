//! How sums are made.

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(200)
}

fn object(key: &str, minute: i64) -> Listed {
    Listed {
        key: key.to_owned(),
        etag: String::new(),
        size: 1,
        modified: DateTime::UNIX_EPOCH + TimeDelta::minutes(minute),
    }
}

fn add(tally: &mut Tally, object: &Listed, records: &[LabelledRecord]) {
    tally.add(&object.key, object.modified, records, now());
}

#[test]
fn an_object_counts_once_also_if_it_shows_late() {
    let mut tally = Tally::default();
    for object in tally.missing(vec![object("b", 100), object("a", 95)]) {
        add(&mut tally, &object, &[]);
    }
    tally.forget_old(&BTreeSet::new());

    let missing = tally.missing(vec![
        object("a", 95),
        object("b", 100),
        object("late", 93),
        object("next", 101),
    ]);

    let keys: Vec<&str> = missing.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["late", "next"]);
    assert_eq!(tally.since, Some(object("a", 95).modified));
}

#[test]
fn an_object_of_the_future_counts_and_hides_nothing_that_comes_after_it() {
    let mut tally = Tally::default();
    let ahead = object("ahead", 9_000);
    add(&mut tally, &ahead, &[]);
    tally.forget_old(&BTreeSet::new());

    let missing = tally.missing(vec![ahead, object("next", 201)]);

    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].key, "next");
    assert!(!tally.is_of_future(now()));
}

#[test]
fn sums_whose_mark_lies_in_the_future_are_made_anew() {
    let through = object("o", 9_000).modified;
    let tally = Tally {
        through: Some(through),
        ..Tally::default()
    };

    assert!(tally.is_of_future(now()));
    assert!(!tally.is_of_future(through));
}

#[test]
fn sums_of_the_release_before_are_read() {
    let stored = r#"{"labels": 9, "since": "2026-11-20T10:00:00Z", "through": "2026-11-20T10:00:00Z", "recent": {},
        "models": {"arn": {"judged": 2, "audited": 1, "right": [3.0, 5.0], "wrong": [0.0, 0.0]}}}"#;

    let tally: Tally = serde_json::from_str(stored).expect("older sums");

    assert_eq!(tally.labels, 9);
    assert_eq!(tally.accuracy("arn").map(|accuracy| accuracy.judged), Some(2));
    assert_eq!(tally.confidence("arn"), None);
    assert!(tally.audits().is_empty());
}

#[test]
fn votes_for_a_new_label_are_counted_by_its_name() {
    let record: LabelledRecord = serde_json::from_value(serde_json::json!({
        "schemaVersion": 1, "consensus": { "state": "tie" }, "humanLoop": "h", "flowDefinitionArn": "",
        "labelledAt": "2026-11-19T08:00:00.000Z",
        "record": {
            "schemaVersion": 1, "classifier": "news", "utterance": "t", "prediction": "World", "confidence": 0.4,
            "source": "implicit", "signal": "low-confidence", "receivedAt": "2026-11-19T08:00:00.000Z",
        },
        "votes": [
            { "worker": "a", "answer": { "kind": "new-label", "label": "Weather " }, "source": "human-review", "at": "" },
            { "worker": "b", "answer": { "kind": "new-label", "label": "Weather" }, "source": "human-review", "at": "" },
            { "worker": "c", "answer": { "kind": "none-fits" }, "source": "human-review", "at": "" },
        ],
    }))
    .expect("a labelled record");
    let mut tally = Tally::default();

    add(&mut tally, &object("o", 0), &[record]);

    assert_eq!(tally.proposed, BTreeMap::from([("Weather".to_owned(), 2)]));
}

#[test]
fn only_recent_keys_are_remembered() {
    let mut tally = Tally::default();
    for minute in 0..100 {
        add(&mut tally, &object(&minute.to_string(), minute), &[]);
    }
    tally.forget_old(&BTreeSet::new());

    assert_eq!(tally.recent.len(), 11);
    let all = (0..100).map(|minute| object(&minute.to_string(), minute));
    assert!(tally.missing(all.collect()).is_empty());
}

/// A line about one audited prediction of `World`: what was said of it before, its labels and what these replace.
fn audit(was_right: Option<bool>, label: &str, replaces: &[&str]) -> LabelledRecord {
    let mut line = serde_json::json!({
        "schemaVersion": 1, "humanLoop": "h", "flowDefinitionArn": "", "votes": [], "replaces": replaces,
        "consensus": { "state": "agreed", "answer": { "kind": "labels", "labels": [label] }, "confidence": 1.0 },
        "labelledAt": "2026-11-19T08:00:00.000Z",
        "record": {
            "schemaVersion": 1, "classifier": "news", "utterance": "t", "prediction": "World", "confidence": 0.9,
            "source": "implicit", "signal": "audit", "receivedAt": "2026-11-19T08:00:00.000Z",
            "selectionProbability": 0.01, "modelArn": "arn",
        },
    });
    if let Some(was_right) = was_right {
        line["wasRight"] = was_right.into();
    }
    serde_json::from_value(line).expect("a labelled record")
}

#[test]
fn a_corrected_answer_counts_once_for_its_model_and_its_label_and_a_comment_is_no_label_more() {
    let mut tally = Tally::default();
    let lines = [
        audit(None, "World", &[]),
        audit(Some(true), "Sports", &["World"]),
        audit(Some(false), "Sports", &["Sports"]),
        audit(Some(false), "Business", &["Sports"]),
    ];
    for (minute, line) in lines.into_iter().enumerate() {
        add(&mut tally, &object(&minute.to_string(), minute as i64), &[line]);
    }

    let accuracy = tally.accuracy("arn").expect("an audit");
    assert_eq!(
        (accuracy.judged, accuracy.audited, accuracy.accuracy),
        (1, 1, 0.0)
    );
    assert_eq!(tally.confidence("arn").map(|quality| quality.judged), Some(1));
    let audits = tally.audits()["arn"].above(0.0);
    assert_eq!((audits.audited, audits.wrong), (1, 1));
    let by_label = [("Business", 1), ("Sports", 0), ("World", 0)];
    let by_label = by_label.map(|(label, count)| (label.to_owned(), count));
    assert_eq!(tally.by_label, BTreeMap::from(by_label));
    assert_eq!(tally.labels, 3, "each answer that says something new");
}

#[test]
fn a_prediction_belongs_to_the_week_in_which_it_was_made() {
    let now = "2026-11-26T10:00:00Z".parse().expect("a time");

    let weeks = [
        "2026-11-23T00:00:00.000Z",
        "2026-11-22T23:59:59.999Z",
        "2026-12-24T08:00:00.000Z",
        "no time",
    ]
    .map(|at| week_of(at, now));

    assert_eq!(weeks, ["2026-11-23", "2026-11-16", "2026-11-23", "2026-11-23"]);
}

#[test]
fn judged_predictions_are_summed_by_week_and_sums_of_a_release_before_have_none() {
    let mut tally: Tally =
        serde_json::from_str(r#"{"labels": 9, "recent": {}, "models": {}}"#).expect("older sums");
    let now = "2026-11-26T10:00:00Z".parse().expect("a time");

    tally.add("o", now, &[audit(None, "World", &[])], now);
    let stored = serde_json::to_value(&tally).expect("JSON");

    let week = &stored["byWeek"]["2026-11-16"]["arn"];
    assert_eq!(week["accuracy"]["judged"], 1, "{stored}");
    assert_eq!(stored["byWeek"].as_object().map(serde_json::Map::len), Some(1));
}
