use serde_json::json;

use super::*;

fn refusal(state: Value) -> String {
    let definition = json!({"StartAt": "S", "States": {"S": state, "T": {"Type": "Succeed"}}});
    Machine::parse(&definition.to_string()).expect_err("it is refused")
}

#[test]
fn what_is_not_supported_is_refused_with_the_name_of_its_state() {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    for (state, expected) in [
        (
            json!({"Type": "Passs", "End": true}),
            "state S: unknown variant `Passs`",
        ),
        (
            json!({"Type": "Pass", "End": true, "Assign": {}}),
            "state S: unknown field `Assign`",
        ),
        (
            json!({"Type": "Pass"}),
            "state S: it needs either Next or End: true",
        ),
        (
            json!({"Type": "Pass", "Next": "T", "End": true}),
            "state S: it needs either",
        ),
        (
            json!({"Type": "Pass", "Next": "X"}),
            "S: the next state X is not defined",
        ),
        (
            json!({"Type": "Pass", "End": true}),
            "state T: nothing leads to it",
        ),
        (
            json!({"Type": "Pass", "Next": "T", "QueryLanguage": "JSONata"}),
            "state S: unknown variant `JSONata`",
        ),
        (
            json!({"Type": "Pass", "Next": "T", "Parameters": {"a.$": "States.MathRandom(1, 2)"}}),
            "state S: the intrinsic function States.MathRandom is not supported",
        ),
        (
            json!({"Type": "Pass", "Next": "T", "InputPath": "$..a"}),
            "state S: the path `$..a` is not supported",
        ),
        (
            json!({"Type": "Pass", "Next": "T", "ResultPath": "$$.a"}),
            "state S: a ResultPath cannot be",
        ),
        (
            json!({"Type": "Pass", "Next": "T", "Retry": []}),
            "state S: unknown field `Retry`",
        ),
        (
            json!({"Type": "Succeed", "End": true}),
            "state S: unknown field `End`",
        ),
        (
            json!({"Type": "Fail", "InputPath": "$"}),
            "state S: unknown field `InputPath`",
        ),
        (
            json!({"Type": "Wait", "Next": "T"}),
            "state S: it needs one of Seconds",
        ),
        (
            json!({"Type": "Wait", "Next": "T", "Seconds": 1, "SecondsPath": "$.a"}),
            "state S: it needs one of",
        ),
        (
            json!({"Type": "Wait", "Next": "T", "Timestamp": "soon"}),
            "state S: the Timestamp soon is not",
        ),
        (
            json!({"Type": "Choice", "Choices": [], "Default": "T"}),
            "state S: Choices is empty",
        ),
        (
            json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "IsOdd": true, "Next": "T"}]}),
            "state S: the comparison IsOdd",
        ),
        (
            json!({"Type": "Task", "Next": "T", "Resource": "arn:aws:states:::aws-sdk:comprehend:createEndpoint"}),
            "state S: the resource arn:aws:states:::aws-sdk:comprehend:createEndpoint is not supported",
        ),
        (
            json!({"Type": "Task", "Next": "T", "Resource": "arn:aws:states:::lambda:invoke"}),
            "state S: its Parameters need FunctionName",
        ),
        (
            json!({"Type": "Task", "Next": "T", "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "f", "LogType": "Tail"}}),
            "state S: the parameter LogType is not supported",
        ),
        (
            json!({"Type": "Task", "Next": "T", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {"FunctionName": "f"}}),
            "state S: its Parameters must hand on $$.Task.Token",
        ),
        (
            json!({"Type": "Task", "Next": "T", "Resource": function, "TimeoutSeconds": 0}),
            "state S: its times are out of range",
        ),
        (
            json!({"Type": "Task", "Next": "T", "Resource": function, "Credentials": {}}),
            "state S: unknown field `Credentials`",
        ),
        (
            json!({"Type": "Task", "Next": "T", "Resource": function,
                "Catch": [{"ErrorEquals": ["States.ALL", "X"], "Next": "T"}]}),
            "state S: ErrorEquals needs names",
        ),
        (
            json!({"Type": "Task", "Next": "T", "Resource": function,
                "Retry": [{"ErrorEquals": ["X"], "BackoffRate": 0.5}]}),
            "state S: the numbers of a Retry",
        ),
        (
            json!({"Type": "Task", "Next": "T", "Resource": function,
                "Retry": [{"ErrorEquals": ["X"], "JitterStrategy": "SOME"}]}),
            "state S: unknown variant `SOME`",
        ),
        (
            json!({"Type": "Parallel", "Next": "T", "Branches": [
                {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true, "Output": 1}}}]}),
            "state S: state B: unknown field `Output`",
        ),
        (
            json!({"Type": "Parallel", "Next": "T", "Branches": [
                {"StartAt": "T", "States": {"T": {"Type": "Succeed"}}}]}),
            "state T: another state has the same name",
        ),
        (
            json!({"Type": "Map", "Next": "T", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"},
                "StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}}}),
            "state S: only the ProcessorConfig",
        ),
    ] {
        let reason = refusal(state.clone());

        assert!(reason.starts_with(expected), "{state}: {reason}");
    }
}

#[test]
fn a_definition_that_is_none_is_refused() {
    for (definition, expected) in [
        ("{", "the definition is not JSON"),
        ("[]", "invalid"),
        (r#"{"StartAt": "S"}"#, "missing field `States`"),
        (
            r#"{"StartAt": "S", "States": {}}"#,
            "StartAt: the next state S is not defined",
        ),
        (
            r#"{"StartAt": "S", "States": {}, "QueryLanguage": "JSONata"}"#,
            "unknown variant `JSONata`",
        ),
        (
            r#"{"StartAt": "S", "TimeoutSeconds": 18446744073709551615, "States": {"S": {"Type": "Succeed"}}}"#,
            "TimeoutSeconds is from 1 to",
        ),
    ] {
        let reason = Machine::parse(definition).expect_err("it is refused");

        assert!(reason.starts_with(expected), "{definition}: {reason}");
    }
}
