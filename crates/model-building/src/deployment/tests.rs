use super::*;

fn switch(by: SwitchedBy, from: &str, to: &str) -> Deployment {
    Deployment {
        at: DateTime::UNIX_EPOCH,
        model_arn: to.to_owned(),
        previous_model_arn: Some(from.to_owned()),
        by,
        reason: String::new(),
        build_id: format!("{from}-{to}"),
    }
}

#[test]
fn rolling_back_twice_goes_back_two_versions_and_never_forward() {
    let mut deployments = vec![
        switch(SwitchedBy::Build, "a", "b"),
        switch(SwitchedBy::Build, "b", "c"),
    ];
    assert_eq!(model_before(&deployments, "c"), Some("b"));

    deployments.push(switch(SwitchedBy::RollBack, "c", "b"));

    assert_eq!(model_before(&deployments, "b"), Some("a"));
    assert_eq!(
        model_before(&deployments, "a"),
        None,
        "no build deployed the first model"
    );
}

#[test]
fn a_model_is_rolled_back_until_somebody_brings_it_back() {
    let mut deployments = vec![switch(SwitchedBy::Build, "a", "b")];
    assert!(!was_rolled_back(&deployments, "b") && !was_rolled_back(&deployments, "a"));

    deployments.push(switch(SwitchedBy::AutomaticRollBack, "b", "a"));
    assert!(was_rolled_back(&deployments, "b"));

    deployments.push(switch(SwitchedBy::RollBack, "a", "b"));
    assert!(!was_rolled_back(&deployments, "b") && was_rolled_back(&deployments, "a"));
}

#[test]
fn a_roll_back_that_its_own_execution_has_undone_counts_for_nothing() {
    let there_and_back = |by, name: &str| {
        let there = switch(by, "b", "a");
        let back = switch(SwitchedBy::RollBack, "a", "b");
        [there, back].map(|switch| Deployment {
            build_id: name.to_owned(),
            ..switch
        })
    };
    let mut deployments = vec![switch(SwitchedBy::Build, "a", "b")];
    deployments.extend(there_and_back(SwitchedBy::RollBack, "one"));
    deployments.extend(there_and_back(SwitchedBy::AutomaticRollBack, "two"));

    assert_eq!(lasting(&deployments), [&deployments[0]]);
    assert_eq!(served(&deployments), ["b", "a"]);
    assert!(!was_rolled_back(&deployments, "a") && !was_rolled_back(&deployments, "b"));
}

#[test]
fn a_model_of_an_initial_file_is_rolled_back_like_any_other() {
    let mut deployments = vec![
        switch(SwitchedBy::Build, "a", "b"),
        switch(SwitchedBy::InitialFile, "b", "c"),
    ];
    assert_eq!(model_before(&deployments, "c"), Some("b"));
    assert!(!was_rolled_back(&deployments, "b"), "a new file is no roll-back");

    deployments.push(switch(SwitchedBy::RollBack, "c", "b"));

    assert!(was_rolled_back(&deployments, "c") && !was_rolled_back(&deployments, "b"));
}

#[test]
fn a_switch_by_an_initial_file_is_read_as_the_classifier_writes_it() {
    let line = serde_json::json!({
        "at": "2026-11-21T09:00:00.000Z", "modelArn": "arn:c", "previousModelArn": "arn:b", "by": "initial-file",
        "reason": "the training file initial/a.csv was put there", "buildId": "initial-c",
    });

    let switch: Deployment = serde_json::from_value(line).expect("a switch");

    assert_eq!(switch.by, SwitchedBy::InitialFile);
}

#[test]
fn keys_of_deployments_sort_by_time() {
    let key = |at: &str| {
        let at = at.parse().expect("a time");
        Deployment {
            at,
            build_id: "b".to_owned(),
            ..switch(SwitchedBy::Build, "a", "b")
        }
        .key()
    };

    assert_eq!(
        key("2026-11-21T09:00:00Z"),
        "deployments/2026-11-21T09:00:00.000Z-b.json"
    );
    assert!(key("2026-11-21T09:00:00.5Z") < key("2026-11-21T10:00:00Z"));
}
