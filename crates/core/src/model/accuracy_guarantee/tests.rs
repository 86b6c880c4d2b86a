use super::*;

const NOW: &str = "2026-11-21T10:00:00.000Z";
const LATER: &str = "2026-11-22T10:00:00.000Z";

/// `groups`: how many, confidence, how many of them wrong.
fn add(audits: &mut AuditGrid, groups: &[(u64, f32, u64)]) {
    for &(count, confidence, wrong) in groups {
        (0..count).for_each(|number| audits.add(confidence, number >= wrong));
    }
}

fn audits(groups: &[(u64, f32, u64)]) -> AuditGrid {
    let mut audits = AuditGrid::default();
    add(&mut audits, groups);
    audits
}

fn on(groups: &[(u64, f32, u64)]) -> (Promise, AuditGrid) {
    let audits = audits(groups);
    let mut promise = Promise::waiting(0.95, NOW);
    promise.look(&audits, NOW);
    assert_eq!(promise.state, PromiseState::On, "{promise:?}");
    (promise, audits)
}

#[test]
fn audits_above_a_threshold_are_those_that_exceed_it() {
    let audits = audits(&[(5, 0.9, 1), (3, 0.901, 2), (1, 0.0, 0), (2, 1.0, 0)]);

    let above = |threshold| audits.above(threshold);
    assert_eq!((above(0.9).audited, above(0.9).wrong), (5, 2));
    assert_eq!((above(0.89).audited, above(0.89).wrong), (10, 3));
    assert_eq!(above(0.0).audited, 10, "a confidence of 0 exceeds nothing");
    assert_eq!(above(0.9999).audited, 2);
    let json = serde_json::to_string(&audits).expect("numbers");
    assert_eq!(serde_json::from_str::<AuditGrid>(&json).ok(), Some(audits));
}

#[test]
fn an_audit_that_is_judged_otherwise_by_now_counts_once_and_as_it_is_judged_now() {
    let mut changed = audits(&[(5, 0.9, 1), (1, 0.97, 0)]);
    changed.remove(0.9, true);
    changed.add(0.9, false);
    changed.remove(0.97, true);
    changed.remove(0.5, true);

    assert_eq!(changed, audits(&[(5, 0.9, 2)]));
}

#[test]
fn a_promise_waits_until_audits_show_it() {
    let mut promise = Promise::waiting(0.95, NOW);

    promise.look(&audits(&[(80, 0.97, 0)]), LATER);
    assert_eq!((promise.state, promise.threshold), (PromiseState::Waiting, None));
    assert!(
        promise
            .reason
            .starts_with("80 audited predictions, 0 of them wrong")
    );
    assert_eq!(promise.since, NOW);

    promise.look(&audits(&[(160, 0.97, 0)]), LATER);
    assert_eq!((promise.state, promise.since.as_str()), (PromiseState::On, LATER));
    assert_eq!(
        promise.threshold,
        Some(0.96),
        "below lies nothing that was audited"
    );
    assert_eq!(
        promise.evidence,
        AuditCounts {
            audited: 160,
            wrong: 0
        }
    );
    assert!(
        promise
            .accuracy_at_least
            .is_some_and(|low| (0.95..1.0).contains(&low))
    );
    assert!(!promise.told);
}

#[test]
fn the_lowest_threshold_that_keeps_the_target_is_taken() {
    let (promise, _) = on(&[(400, 0.995, 1), (400, 0.855, 4), (200, 0.6, 80)]);

    assert_eq!(promise.threshold, Some(0.85));
    assert_eq!(
        promise.evidence,
        AuditCounts {
            audited: 800,
            wrong: 5
        }
    );
}

#[test]
fn a_model_that_is_not_good_enough_waits_for_ever() {
    let mut promise = Promise::waiting(0.95, NOW);

    promise.look(&audits(&[(100_000, 0.99, 6_000)]), LATER);

    assert_eq!(promise.state, PromiseState::Waiting);
}

#[test]
fn audits_since_it_was_switched_on_break_a_promise_for_good() {
    let (mut promise, mut audits) = on(&[(1_000, 0.97, 5)]);

    // Below the threshold errors are none of its business.
    add(&mut audits, &[(100, 0.5, 100), (20, 0.97, 1)]);
    promise.look(&audits, LATER);
    assert_eq!(promise.state, PromiseState::On);
    assert_eq!(
        promise.watched,
        AuditCounts {
            audited: 20,
            wrong: 1
        }
    );
    promise.told = true;

    // Over all time 96.9 % are right: what counts is what came since.
    add(&mut audits, &[(80, 0.97, 28)]);
    promise.look(&audits, LATER);
    assert_eq!(
        (promise.state, promise.since.as_str(), promise.told),
        (PromiseState::Broken, LATER, false)
    );
    assert!(
        promise.reason.contains("of 100 predictions") && promise.reason.contains("29 are wrong"),
        "{}",
        promise.reason
    );

    add(&mut audits, &[(100_000, 0.97, 0)]);
    promise.look(&audits, "2026-11-23T10:00:00.000Z");
    assert_eq!(
        (promise.state, promise.since.as_str()),
        (PromiseState::Broken, LATER)
    );
}

#[test]
fn a_broken_promise_is_not_mended_by_another_target_and_back() {
    let mut grid = audits(&[(500, 0.97, 1)]);
    let mut promises = Promises::default();
    let look = |promises: &mut Promises, target, grid: &AuditGrid| {
        promises.look(
            Some("arn"),
            target,
            &[("arn".to_owned(), grid.clone())].into(),
            LATER,
        );
        promises.0["arn"].clone()
    };
    look(&mut promises, 0.95, &grid);
    add(&mut grid, &[(100, 0.97, 30)]);
    let broken = look(&mut promises, 0.95, &grid);
    assert_eq!(broken.state, PromiseState::Broken, "{broken:?}");

    // Of all audits 94.8 % are right, but those until then say nothing for a lower target.
    let waiting = look(&mut promises, 0.9, &grid);
    assert_eq!((waiting.state, waiting.threshold), (PromiseState::Waiting, None));
    let raised = look(&mut promises, 0.97, &grid);
    let back = look(&mut promises, 0.95, &grid);
    for again in [raised, back] {
        assert_eq!(
            (again.state, again.threshold, again.told),
            (PromiseState::Broken, None, true)
        );
        assert_eq!((&again.since, &again.reason), (&broken.since, &broken.reason));
    }

    look(&mut promises, 0.9, &grid);
    add(&mut grid, &[(300, 0.97, 3)]);
    let on = look(&mut promises, 0.9, &grid);
    assert_eq!((on.state, on.evidence.audited), (PromiseState::On, 300));
    assert_eq!(look(&mut promises, 0.95, &grid).state, PromiseState::Broken);
    look(&mut promises, 0.9, &grid);
    assert_eq!(look(&mut promises, 0.9, &grid).state, PromiseState::On);
    add(&mut grid, &[(60, 0.97, 60)]);
    let lower = look(&mut promises, 0.9, &grid);
    assert_eq!(lower.broken.map(|broken| broken.target), Some(0.9));
    assert_eq!(look(&mut promises, 0.92, &grid).state, PromiseState::Broken);
}

#[test]
fn counts_that_were_lost_count_again_once_there_are_more() {
    let (mut promise, _) = on(&[(1_000, 0.97, 5)]);
    promise.look(&audits(&[(1_050, 0.97, 7)]), LATER);
    let before = promise.clone();

    for lost in [
        audits(&[]),
        audits(&[(900, 0.97, 40)]),
        audits(&[(1_010, 0.97, 40)]),
    ] {
        promise.look(&lost, LATER);
        assert_eq!(promise, before);
    }
    promise.look(&audits(&[(1_051, 0.97, 7)]), LATER);

    assert_eq!((promise.watched.audited, promise.watched.wrong), (51, 2));
}

#[test]
fn promises_that_were_stored_before_changes_were_watched_are_read() {
    let (promise, _) = on(&[(300, 0.97, 1)]);
    let mut json = serde_json::to_value(&promise).expect("JSON");
    json.as_object_mut().expect("an object").remove("sinceChange");

    assert_eq!(serde_json::from_value::<Promise>(json).ok(), Some(promise));
}

#[test]
fn each_version_and_each_target_has_a_promise_of_its_own() {
    let grids: BTreeMap<String, AuditGrid> = [
        ("good".to_owned(), audits(&[(500, 0.97, 1)])),
        ("other".to_owned(), audits(&[(500, 0.97, 1)])),
    ]
    .into();
    let mut promises = Promises::default();

    promises.look(Some("good"), 0.95, &grids, NOW);
    promises.look(Some("new"), 0.95, &grids, LATER);

    assert_eq!(promises.threshold("good", 0.95), Some(0.96));
    assert_eq!(promises.threshold("good", 0.9), Some(0.96), "more than is asked");
    assert_eq!(promises.threshold("good", 0.96), None, "less than is asked");
    assert_eq!(promises.threshold("new", 0.95), None);
    assert_eq!(promises.threshold("other", 0.95), None, "it never served");
    promises.look(Some("new"), 0.999, &grids, LATER);
    assert_eq!(promises.0["good"].state, PromiseState::Waiting);
    assert_eq!(promises.threshold("good", 0.95), None);
}

#[test]
fn an_accuracy_of_nothing_is_off_and_certainty_is_refused() {
    let get = |text: &str| text.parse::<AcceptedAccuracy>().map(AcceptedAccuracy::get);

    assert_eq!((get("0"), get("0.95")), (Ok(None), Ok(Some(0.95))));
    for text in ["1", "95%", "-0.1", "NaN", ""] {
        let error = get(text).expect_err("no accuracy").to_string();
        assert_eq!(
            error,
            format!("expected a number from 0 (off) to 0.999, got `{text}`")
        );
    }
}

#[test]
fn promises_are_plain_json() {
    let (promise, _) = on(&[(300, 0.97, 1)]);
    let promises = Promises([("arn".to_owned(), promise)].into());

    let json = serde_json::to_value(&promises).expect("JSON");

    assert_eq!(json["arn"]["state"], "on");
    assert_eq!(json["arn"]["evidence"]["audited"], 300);
    assert_eq!(serde_json::from_value::<Promises>(json).ok(), Some(promises));
}
