//! Executions without a clock, a disk or a function.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    definition::{Machine, Resource},
    execution::{Call, Execution, News, Start, Status, parse_token},
    failure::Failure,
};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:worker";

/// What an execution came to.
struct Run {
    execution: Execution,
    /// The types of its events.
    events: Vec<String>,
    /// Milliseconds that it waited in all.
    waited_ms: u64,
}

impl Run {
    fn output(&self) -> Value {
        assert_eq!(self.execution.status, Status::Succeeded, "{:?}", self.execution);
        let output = self.execution.output.as_deref().expect("it has an output");
        serde_json::from_str(output).expect("the output is JSON")
    }

    fn error(&self) -> &str {
        assert_ne!(self.execution.status, Status::Succeeded, "{:?}", self.execution);
        self.execution.error.as_deref().unwrap_or_default()
    }
}

/// Stores and reads an execution, as a restart does.
fn restarted(execution: &Execution) -> Execution {
    let json = serde_json::to_vec(execution).expect("only string keys");
    serde_json::from_slice(&json).expect("it can be read again")
}

fn start(machine: &Machine, input: Value) -> Execution {
    let start = Start {
        arn: "arn:aws:states:us-east-1:000000000000:execution:m:run".to_owned(),
        name: "run".to_owned(),
        machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m".to_owned(),
        role_arn: "arn:aws:iam::000000000000:role/m".to_owned(),
        definition: String::new(),
        input: input.to_string(),
    };
    Execution::start(start, &machine.start_at, input, 0).0
}

/// Runs a machine to its end; `answer` stands for what it calls, `None` never answers.
fn run(
    definition: &Value,
    input: Value,
    mut answer: impl FnMut(&Call) -> Option<Result<Value, Failure>>,
) -> Run {
    let machine = Machine::parse(&definition.to_string()).unwrap_or_else(|reason| panic!("{reason}"));
    let mut execution = start(&machine, input);
    let (mut events, mut now_ms, mut made) = (Vec::new(), 0, HashSet::new());
    loop {
        events.extend(
            execution
                .advance(&machine, now_ms)
                .into_iter()
                .map(|event| event.kind),
        );
        // Every turn may be the last before a crash.
        execution = restarted(&execution);
        if execution.status != Status::Running {
            return Run {
                execution,
                events,
                waited_ms: now_ms,
            };
        }
        let calls = execution.calls();
        let call = calls.iter().find(|call| made.insert(call.task_id.clone()));
        match call.map(|call| (call, answer(call))) {
            Some((call, Some(answer))) => {
                assert!(execution.note(&call.task_id, News::Answer(answer), now_ms));
            }
            Some((_, None)) => {}
            None => now_ms = now_ms.max(execution.due(&machine).expect("it waits for a time")),
        }
    }
}

fn run_without_calls(definition: &Value, input: Value) -> Run {
    run(definition, input, |call| panic!("it calls {call:?}"))
}

/// A machine of one state, behind which `Caught` shows its input.
fn one(mut state: Value) -> Value {
    let catches = state.get("Catch").is_some();
    state["End"] = json!(true);
    let mut states = json!({"S": state});
    if catches {
        states["Caught"] = json!({"Type": "Pass", "End": true});
    }
    json!({"StartAt": "S", "States": states})
}

#[test]
fn data_flows_as_the_paths_say() {
    for (state, input, expected) in [
        (json!({"Type": "Pass"}), json!({"a": 1}), json!({"a": 1})),
        (
            json!({"Type": "Pass", "Result": [1]}),
            json!({"a": 1}),
            json!([1]),
        ),
        (
            json!({"Type": "Pass", "Result": null}),
            json!({"a": 1}),
            json!(null),
        ),
        (
            json!({"Type": "Pass", "Result": 2, "ResultPath": "$.b.c"}),
            json!({"a": 1}),
            json!({"a": 1, "b": {"c": 2}}),
        ),
        (
            json!({"Type": "Pass", "Result": 2, "ResultPath": null}),
            json!({"a": 1}),
            json!({"a": 1}),
        ),
        (
            json!({"Type": "Pass", "InputPath": "$.a"}),
            json!({"a": [1]}),
            json!([1]),
        ),
        (
            json!({"Type": "Pass", "InputPath": null}),
            json!({"a": 1}),
            json!({}),
        ),
        (
            json!({"Type": "Pass", "OutputPath": "$.a", "Result": 5, "ResultPath": "$.a"}),
            json!({}),
            json!(5),
        ),
        (
            json!({"Type": "Pass", "OutputPath": null}),
            json!({"a": 1}),
            json!({}),
        ),
        (
            json!({"Type": "Pass", "InputPath": "$.a", "ResultPath": "$.p", "Parameters": {
                "x.$": "$.b", "name.$": "$$.Execution.Name", "state.$": "$$.State.Name", "whole.$": "$$.Execution.Input",
                "machine.$": "$$.StateMachine.Name", "since.$": "$$.Execution.StartTime",
            }}),
            json!({"a": {"b": 7}}),
            json!({"a": {"b": 7}, "p": {
                "x": 7, "name": "run", "state": "S", "whole": {"a": {"b": 7}}, "machine": "m",
                "since": "1970-01-01T00:00:00.000Z",
            }}),
        ),
    ] {
        let done = run_without_calls(&one(state.clone()), input);

        assert_eq!(done.output(), expected, "{state}");
    }
}

#[test]
fn what_the_data_does_not_have_fails_by_name() {
    for (state, error) in [
        (json!({"Type": "Pass", "InputPath": "$.x"}), "States.Runtime"),
        (json!({"Type": "Pass", "OutputPath": "$.x"}), "States.Runtime"),
        (
            json!({"Type": "Pass", "ResultPath": "$.a.b"}),
            "States.ResultPathMatchFailure",
        ),
        (
            json!({"Type": "Pass", "Parameters": {"a.$": "$.x"}}),
            "States.ParameterPathFailure",
        ),
        (
            json!({"Type": "Pass", "Parameters": {"a.$": "States.StringToJson('{')"}}),
            "States.IntrinsicFailure",
        ),
        (json!({"Type": "Wait", "SecondsPath": "$.a"}), "States.Runtime"),
        (json!({"Type": "Wait", "TimestampPath": "$.a"}), "States.Runtime"),
        (
            json!({"Type": "Pass", "Result": "x".repeat(262_144)}),
            "States.DataLimitExceeded",
        ),
    ] {
        let done = run_without_calls(&one(state.clone()), json!({"a": "text"}));

        assert_eq!(done.error(), error, "{state}");
    }
}

#[test]
fn a_history_tells_every_step_and_links_it_to_the_one_before() {
    let definition = json!({"StartAt": "Look", "States": {
        "Look": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 3, "Next": "Rest"}], "Default": "Refuse"},
        "Rest": {"Type": "Wait", "Seconds": 90, "Next": "Done"},
        "Refuse": {"Type": "Fail", "Error": "TooSmall", "CausePath": "States.Format('{} is small', $.n)"},
        "Done": {"Type": "Succeed", "OutputPath": "$.n"},
    }});

    let done = run_without_calls(&definition, json!({"n": 4}));
    let refused = run_without_calls(&definition, json!({"n": 3}));

    assert_eq!(done.output(), json!(4));
    assert_eq!(done.waited_ms, 90_000);
    assert_eq!(
        done.events,
        [
            "ChoiceStateEntered",
            "ChoiceStateExited",
            "WaitStateEntered",
            "WaitStateExited",
            "SucceedStateEntered",
            "SucceedStateExited",
            "ExecutionSucceeded",
        ]
    );
    assert_eq!(done.execution.events, 8, "the start is the first");
    assert_eq!(refused.error(), "TooSmall");
    assert_eq!(refused.execution.cause.as_deref(), Some("3 is small"));
    assert_eq!(
        refused.events,
        [
            "ChoiceStateEntered",
            "ChoiceStateExited",
            "FailStateEntered",
            "ExecutionFailed"
        ]
    );
}

#[test]
fn a_choice_without_a_match_or_default_fails_and_a_timestamp_is_waited_for() {
    let choice = json!({"StartAt": "S", "States": {
        "S": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": true, "Next": "T"}]},
        "T": {"Type": "Succeed"},
    }});
    let wait = one(json!({"Type": "Wait", "TimestampPath": "$.at"}));

    let chosen = run_without_calls(&choice, json!({"a": 1}));
    let waited = run_without_calls(&wait, json!({"at": "1970-01-01T01:00:00+00:00"}));
    let past = run_without_calls(&wait, json!({"at": "1960-01-01T00:00:00Z"}));

    assert_eq!(chosen.error(), "States.NoChoiceMatched");
    assert_eq!(waited.waited_ms, 3_600_000);
    assert_eq!(past.waited_ms, 0);
}

#[test]
fn a_task_calls_with_its_parameters_and_selects_from_the_result() {
    let definition = one(json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": FUNCTION, "Payload": {"operation": "check", "n.$": "$.n"}},
        "ResultSelector": {"status.$": "$.Payload.status"},
        "ResultPath": "$.checked",
        "TimeoutSeconds": 60,
    }));
    let mut calls = Vec::new();

    let done = run(&definition, json!({"n": 1}), |call| {
        calls.push((call.resource.clone(), call.request.clone()));
        Some(Ok(json!({"StatusCode": 200, "Payload": {"status": "TRAINED"}})))
    });

    assert_eq!(
        calls,
        [(
            Resource::LambdaInvoke,
            json!({"FunctionName": FUNCTION, "Payload": {"operation": "check", "n": 1}})
        )]
    );
    assert_eq!(done.output(), json!({"n": 1, "checked": {"status": "TRAINED"}}));
    assert_eq!(
        done.events,
        [
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
}

#[test]
fn a_function_is_called_by_its_arn_with_the_input() {
    let definition = one(json!({"Type": "Task", "Resource": FUNCTION, "InputPath": "$.event"}));

    let done = run(&definition, json!({"event": {"a": 1}}), |call| {
        Some(Ok(json!({"echo": call.request})))
    });

    assert_eq!(done.output(), json!({"echo": {"a": 1}}));
    assert_eq!(
        done.events[1..4],
        [
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionSucceeded"
        ]
    );
}

/// The times, seconds, at which a task that always fails with `error` is called.
fn attempts(retry: Value, error: &str) -> (usize, u64) {
    let mut attempts = 0;
    let definition = one(json!({"Type": "Task", "Resource": FUNCTION, "Retry": retry}));
    let done = run(&definition, json!({}), |_| {
        attempts += 1;
        Some(Err(Failure::new(error, "why")))
    });
    assert_eq!(done.error(), error);
    assert_eq!(done.execution.cause.as_deref(), Some("why"));
    (attempts, done.waited_ms / 1000)
}

#[test]
fn failures_are_retried_as_the_retriers_say() {
    for (retry, error, expected) in [
        (json!([]), "Busy", (1, 0)),
        (json!([{"ErrorEquals": ["States.ALL"]}]), "Busy", (4, 1 + 2 + 4)),
        (
            json!([{"ErrorEquals": ["Busy", "Slow"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 1.5}]),
            "Busy",
            (3, 7),
        ),
        (
            json!([{"ErrorEquals": ["Busy"], "MaxAttempts": 4, "BackoffRate": 10, "MaxDelaySeconds": 5}]),
            "Busy",
            (5, 1 + 5 + 5 + 5),
        ),
        (json!([{"ErrorEquals": ["Other"]}]), "Busy", (1, 0)),
        (
            json!([{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1}]),
            "Busy",
            (2, 1),
        ),
        (
            json!([{"ErrorEquals": ["States.TaskFailed"]}]),
            "States.Timeout",
            (1, 0),
        ),
        (
            json!([{"ErrorEquals": ["Busy"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]),
            "Busy",
            (1, 0),
        ),
        (json!([{"ErrorEquals": ["States.ALL"]}]), "States.Runtime", (1, 0)),
        (
            json!([{"ErrorEquals": ["States.ALL"]}]),
            "States.DataLimitExceeded",
            (1, 0),
        ),
    ] {
        assert_eq!(attempts(retry.clone(), error), expected, "{retry} {error}");
    }
    let jitter = json!([{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 10, "MaxAttempts": 1, "JitterStrategy": "FULL"}]);
    let (made, waited) = attempts(jitter, "Busy");
    assert!(made == 2 && waited <= 10, "{made} {waited}");
}

#[test]
fn a_failure_that_passes_is_forgotten_with_the_next_state() {
    let retry = json!([{"ErrorEquals": ["Busy"], "MaxAttempts": 1}]);
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": FUNCTION, "Retry": retry, "Next": "B"},
        "B": {"Type": "Task", "Resource": FUNCTION, "Retry": retry, "End": true},
    }});
    let mut attempts = 0;

    let done = run(&definition, json!({}), |_| {
        attempts += 1;
        Some(if attempts % 2 == 1 {
            Err(Failure::new("Busy", ""))
        } else {
            Ok(json!(attempts))
        })
    });

    assert_eq!((done.output(), attempts), (json!(4), 4));
}

#[test]
fn a_failure_is_caught_with_its_error_and_cause() {
    let caught = |catch: Value| {
        let task = json!({"Type": "Task", "Resource": FUNCTION, "Catch": catch});
        run(&one(task), json!({"a": 1}), |_| {
            Some(Err(Failure::new("Refused", "why")))
        })
    };

    let kept = caught(
        json!([{"ErrorEquals": ["Other"], "Next": "Caught"}, {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]),
    );
    let replaced = caught(json!([{"ErrorEquals": ["Refused"], "Next": "Caught"}]));
    let not = run(
        &one(
            json!({"Type": "Task", "Resource": FUNCTION, "Catch": [{"ErrorEquals": ["Other"], "Next": "Caught"}]}),
        ),
        json!({}),
        |_| Some(Err(Failure::new("Refused", "why"))),
    );

    assert_eq!(
        kept.output(),
        json!({"a": 1, "error": {"Error": "Refused", "Cause": "why"}})
    );
    assert_eq!(replaced.output(), json!({"Error": "Refused", "Cause": "why"}));
    assert_eq!(not.error(), "Refused");
    assert_eq!(
        kept.events[3..],
        [
            "LambdaFunctionFailed",
            "TaskStateExited",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
}

#[test]
fn a_call_that_takes_too_long_is_a_timeout() {
    let fixed = one(json!({"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 20,
        "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "Caught"}]}));
    let by_path = one(json!({"Type": "Task", "Resource": FUNCTION, "TimeoutSecondsPath": "$.limit"}));
    let mut whole = one(json!({"Type": "Wait", "Seconds": 100}));
    whole["TimeoutSeconds"] = json!(30);

    let fixed = run(&fixed, json!({}), |_| None);
    let by_path = run(&by_path, json!({"limit": 7}), |_| None);
    let whole = run_without_calls(&whole, json!({}));

    assert_eq!(fixed.output()["Error"], "States.Timeout");
    assert_eq!(fixed.waited_ms, 20_000);
    assert_eq!((by_path.error(), by_path.waited_ms), ("States.Timeout", 7_000));
    assert_eq!(by_path.execution.status, Status::Failed);
    assert_eq!(
        (whole.execution.status, whole.waited_ms),
        (Status::TimedOut, 30_000)
    );
}

#[test]
fn branches_run_side_by_side_and_their_outputs_are_a_list() {
    let definition = one(json!({"Type": "Parallel", "ResultPath": "$.both", "Branches": [
        {"StartAt": "A", "States": {
            "A": {"Type": "Wait", "Seconds": 10, "Next": "B"},
            "B": {"Type": "Pass", "Parameters": {"champion.$": "$.n"}, "End": true}}},
        {"StartAt": "C", "States": {"C": {"Type": "Task", "Resource": FUNCTION, "Next": "D"}, "D": {"Type": "Wait", "Seconds": 15, "End": true}}},
    ]}));

    let done = run(&definition, json!({"n": 1}), |call| {
        Some(Ok(json!({"challenger": call.request["n"]})))
    });

    assert_eq!(
        done.output(),
        json!({"n": 1, "both": [{"champion": 1}, {"challenger": 1}]})
    );
    assert_eq!(done.waited_ms, 15_000);
    assert_eq!(done.events[..2], ["ParallelStateEntered", "ParallelStateStarted"]);
}

#[test]
fn a_branch_that_fails_fails_all_and_may_be_retried_or_caught() {
    let branches = json!([
        {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1000, "End": true}}},
        {"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": FUNCTION, "End": true}}},
    ]);
    let definition = one(json!({"Type": "Parallel", "Branches": branches,
        "Retry": [{"ErrorEquals": ["Broken"], "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]}));
    let mut calls = 0;

    let done = run(&definition, json!({}), |_| {
        calls += 1;
        Some(Err(Failure::new("Broken", "")))
    });

    assert_eq!(done.output(), json!({"error": {"Error": "Broken", "Cause": ""}}));
    assert_eq!((calls, done.waited_ms), (2, 1_000));
    assert!(done.events.contains(&"ParallelStateFailed".to_owned()));
}

#[test]
fn a_map_gives_every_item_to_its_processor() {
    let map = |concurrency: usize| {
        one(
            json!({"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": concurrency,
            "ItemSelector": {"index.$": "$$.Map.Item.Index", "item.$": "$$.Map.Item.Value", "all.$": "$.all"},
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "W", "States": {
                "W": {"Type": "Wait", "Seconds": 5, "Next": "T"},
                "T": {"Type": "Task", "Resource": FUNCTION, "End": true}}}}),
        )
    };
    let input = json!({"items": ["a", "b", "c"], "all": true});
    let echo = |call: &Call| Some(Ok(call.request.clone()));

    let together = run(&map(0), input.clone(), echo);
    let one_by_one = run(&map(1), input.clone(), echo);
    let empty = run(&map(0), json!({"items": [], "all": true}), echo);
    let none = run(&map(0), json!({"items": 5, "all": true}), echo);

    let expected = json!([
        {"index": 0, "item": "a", "all": true},
        {"index": 1, "item": "b", "all": true},
        {"index": 2, "item": "c", "all": true},
    ]);
    assert_eq!((together.output(), together.waited_ms), (expected.clone(), 5_000));
    assert_eq!((one_by_one.output(), one_by_one.waited_ms), (expected, 15_000));
    assert_eq!(empty.output(), json!([]));
    assert_eq!(none.error(), "States.Runtime");
}

fn token_machine() -> Machine {
    let definition = one(json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "worker", "Payload": {"token.$": "$$.Task.Token"}},
        "HeartbeatSeconds": 60,
        "TimeoutSeconds": 3_600,
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
    }));
    Machine::parse(&definition.to_string()).expect("the definition is sound")
}

/// An execution that waits for a token, with the id of its task.
fn waiting(machine: &Machine) -> (Execution, String) {
    let mut execution = start(machine, json!({}));
    execution.advance(machine, 0);
    let [call] = execution.calls().try_into().expect("one call");
    let token = call.request["Payload"]["token"].as_str().expect("a token");
    assert_eq!(
        parse_token(token),
        Some((execution.arn.clone(), call.task_id.clone()))
    );
    assert!(execution.note(&call.task_id, News::Answer(Ok(json!({"StatusCode": 200}))), 0));
    execution.advance(machine, 0);
    let execution = restarted(&execution);
    assert_eq!(execution.calls(), [], "the call is not made again");
    (execution, call.task_id)
}

#[test]
fn a_task_that_waits_for_its_token_ends_with_what_comes_by_it() {
    let machine = token_machine();
    for (outcome, expected) in [
        (Ok(json!({"approved": true})), json!({"approved": true})),
        (
            Err(Failure::new("Rejected", "no")),
            json!({"Error": "Rejected", "Cause": "no"}),
        ),
    ] {
        let (mut execution, task_id) = waiting(&machine);

        assert!(execution.note(&task_id, News::Outcome(outcome), 1));
        execution.advance(&machine, 1);

        assert_eq!(execution.status, Status::Succeeded);
        assert_eq!(execution.output, Some(expected.to_string()));
        assert!(!execution.note(&task_id, News::Heartbeat, 2), "the task is over");
    }
}

#[test]
fn a_heartbeat_keeps_a_task_waiting_and_its_absence_ends_it() {
    let machine = token_machine();
    let (mut execution, task_id) = waiting(&machine);
    assert_eq!(execution.due(&machine), Some(60_000));

    assert!(execution.note(&task_id, News::Heartbeat, 59_000));
    let early = execution.advance(&machine, 60_000);
    execution.advance(&machine, 119_000);

    assert_eq!(early, []);
    let output = execution.output.expect("the timeout is caught");
    assert!(output.contains("States.Timeout"), "{output}");
}

#[test]
fn the_same_calls_are_made_again_after_a_restart() {
    let definition = one(json!({"Type": "Task", "Resource": FUNCTION, "TimeoutSeconds": 60}));
    let machine = Machine::parse(&definition.to_string()).expect("the definition is sound");
    let mut execution = start(&machine, json!({"a": 1}));
    execution.advance(&machine, 0);
    let before = execution.calls();

    let mut execution = restarted(&execution);
    let events = execution.advance(&machine, 30_000);

    assert_eq!(before.len(), 1);
    assert_eq!(execution.calls(), before);
    assert_eq!(events, [], "nothing new has happened");
    assert_eq!(
        execution.due(&machine),
        Some(60_000),
        "the timeout stays where it was"
    );
}

#[test]
fn a_loop_without_an_end_is_stopped_at_the_limit_of_events() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "B"}], "Default": "C"},
        "B": {"Type": "Succeed"},
        "C": {"Type": "Pass", "Next": "A"},
    }});

    let done = run_without_calls(&definition, json!({}));

    assert_eq!(done.error(), "States.Runtime");
    assert!(done.execution.events <= 25_000, "{}", done.execution.events);
}
