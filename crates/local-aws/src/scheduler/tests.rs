use std::path::Path;

use super::*;
use crate::{LocalAws, iam::RoleSpec, stepfunctions::StateMachineSpec, transport::ENDPOINT_URL};

const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:build";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:sweep";
const MINUTE: u64 = 60_000;

fn open(folder: &Path, statements: serde_json::Value) -> LocalAws {
    let aws = LocalAws::open(folder, "us-east-1", ENDPOINT_URL).expect("the folder is free");
    let trust_policy = json!({"Statement": {
        "Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole",
    }});
    let role = RoleSpec {
        name: "clock".to_owned(),
        arn: "arn:aws:iam::000000000000:role/clock".to_owned(),
        trust_policy,
        policies: vec![json!({"Statement": statements})],
    };
    aws.iam.put_role(role).expect("the policies are implemented");
    let machine = StateMachineSpec {
        name: "build".to_owned(),
        definition: r#"{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}"#.to_owned(),
        role_arn: "arn:aws:iam::000000000000:role/build".to_owned(),
    };
    aws.step_functions
        .put_state_machine(machine)
        .expect("the definition is sound");
    aws
}

fn both_rights() -> serde_json::Value {
    json!([
        {"Effect": "Allow", "Action": "states:StartExecution", "Resource": MACHINE},
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": FUNCTION},
    ])
}

fn schedule(name: &str, target: &str) -> ScheduleSpec {
    ScheduleSpec {
        name: name.to_owned(),
        expression: "rate(5 minutes)".to_owned(),
        enabled: true,
        target_arn: target.to_owned(),
        role_arn: "arn:aws:iam::000000000000:role/clock".to_owned(),
        input: Some(r#"{"at": "<aws.scheduler.scheduled-time>"}"#.to_owned()),
    }
}

fn queued(aws: &LocalAws) -> Vec<String> {
    let events = aws.queue.list().expect("the queue is readable");
    events.into_iter().map(|(_, event)| event.payload).collect()
}

#[test]
fn a_rate_counts_from_the_first_start_and_survives_restarts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    {
        let aws = open(folder.path(), both_rights());
        aws.scheduler
            .put_schedule_at(schedule("sweep", FUNCTION), 0)
            .expect("supported");
        assert_eq!(aws.scheduler.run_due(4 * MINUTE), 5 * MINUTE);
        assert_eq!(queued(&aws), [""; 0]);
    }

    let aws = open(folder.path(), both_rights());
    aws.scheduler
        .put_schedule_at(schedule("sweep", FUNCTION), 4 * MINUTE)
        .expect("supported");
    let next = aws.scheduler.run_due(5 * MINUTE);
    let again = aws.scheduler.run_due(5 * MINUTE);

    assert_eq!((next, again), (10 * MINUTE, 10 * MINUTE));
    assert_eq!(queued(&aws), [r#"{"at": "1970-01-01T00:05:00Z"}"#]);
}

#[test]
fn a_time_that_a_clock_which_was_ahead_has_set_is_due_now() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let day = 24 * 60 * MINUTE;
    {
        let aws = open(folder.path(), both_rights());
        aws.scheduler
            .put_schedule_at(schedule("sweep", FUNCTION), day)
            .expect("supported");
    }

    let aws = open(folder.path(), both_rights());
    aws.scheduler
        .put_schedule_at(schedule("sweep", FUNCTION), MINUTE)
        .expect("supported");
    let next = aws.scheduler.run_due(MINUTE);
    let again = aws.scheduler.run_due(2 * MINUTE);

    assert_eq!((next, again), (6 * MINUTE, 6 * MINUTE));
    assert_eq!(queued(&aws), [r#"{"at": "1970-01-01T00:01:00Z"}"#]);
}

#[test]
fn a_clock_that_is_put_back_a_little_calls_nothing_twice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = open(folder.path(), both_rights());
    aws.scheduler
        .put_schedule_at(schedule("sweep", FUNCTION), 10 * MINUTE)
        .expect("supported");

    let next = aws.scheduler.run_due(9 * MINUTE);

    assert_eq!(next, 15 * MINUTE);
    assert_eq!(queued(&aws), [""; 0]);
}

#[test]
fn times_that_have_passed_are_made_up_for_by_one_call() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = open(folder.path(), both_rights());
    aws.scheduler
        .put_schedule_at(schedule("sweep", FUNCTION), 0)
        .expect("supported");

    let next = aws.scheduler.run_due(23 * MINUTE);

    assert_eq!(next, 25 * MINUTE);
    assert_eq!(queued(&aws).len(), 1);
}

#[tokio::test]
async fn a_state_machine_is_started_once_for_a_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = open(folder.path(), both_rights());
    aws.scheduler
        .put_schedule_at(schedule("build", MACHINE), 0)
        .expect("supported");
    let due = aws.scheduler.schedules.read().expect("no panic")["build"].clone();

    aws.scheduler.run_due(5 * MINUTE);
    // As if this process had ended before it stored the next time.
    aws.scheduler.call(&due, 10 * MINUTE).expect("stored");

    let name = format!("{}-build", 5 * MINUTE);
    let started = aws
        .step_functions
        .start_execution(MACHINE, Some(name), "{}".to_owned());
    assert!(
        matches!(started, Err(StartError::AlreadyExists(_))),
        "{started:?}"
    );
    let log = std::fs::read_to_string(folder.path().join("logs/build.log")).expect("a log");
    assert_eq!(log.matches("ExecutionStarted").count(), 1);
}

#[test]
fn a_role_without_the_right_calls_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = open(folder.path(), json!([]));
    aws.scheduler
        .put_schedule_at(schedule("sweep", FUNCTION), 0)
        .expect("supported");

    let next = aws.scheduler.run_due(5 * MINUTE);

    assert_eq!(next, 10 * MINUTE);
    assert_eq!(queued(&aws), [""; 0]);
}

#[test]
fn a_disabled_schedule_rests_and_counts_anew_when_it_is_enabled() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = open(folder.path(), both_rights());
    let disabled = ScheduleSpec {
        enabled: false,
        ..schedule("sweep", FUNCTION)
    };
    aws.scheduler
        .put_schedule_at(schedule("sweep", FUNCTION), 0)
        .expect("supported");
    aws.scheduler
        .put_schedule_at(disabled, MINUTE)
        .expect("supported");

    let resting = aws.scheduler.run_due(60 * MINUTE);
    aws.scheduler
        .put_schedule_at(schedule("sweep", FUNCTION), 60 * MINUTE)
        .expect("supported");
    let enabled = aws.scheduler.run_due(60 * MINUTE);

    assert_eq!((resting, enabled), (u64::MAX, 65 * MINUTE));
    assert_eq!(queued(&aws), [""; 0]);
}

#[test]
fn expressions_and_targets_that_are_not_supported_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = open(folder.path(), both_rights());
    for (expression, every) in [
        ("rate(1 minute)", Some(1)),
        ("rate(2 hours)", Some(120)),
        ("rate(7 days)", Some(7 * 24 * 60)),
        ("rate(0 minutes)", None),
        ("rate(5)", None),
        ("rate(5 seconds)", None),
        ("rate(-1 minutes)", None),
        ("cron(0 12 * * ? *)", None),
        ("at(2026-11-21T00:00:00)", None),
    ] {
        assert_eq!(
            parse_rate(expression).ok(),
            every.map(|it| it * MINUTE),
            "{expression}"
        );
    }

    let target = aws
        .scheduler
        .put_schedule(schedule("queue", "arn:aws:sqs:us-east-1:000000000000:q"));

    assert_eq!(
        target,
        Err(
            "schedule queue: the target arn:aws:sqs:us-east-1:000000000000:q is no state machine or function"
                .to_owned()
        )
    );
}
