//! Step Functions: executions over the wire, with functions, roles and restarts.

use std::{path::Path, time::Duration};

use local_aws::{LocalAws, iam::RoleSpec, sns::TopicSpec, stepfunctions::StateMachineSpec};
use serde_json::{Value, json};

use crate::setup::{Answer, Call, FUNCTION_ARN, post, put_role, put_worker, role_arn, session, user};

const MACHINE_ARN: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:build";
const TOPIC_ARN: &str = "arn:aws:sns:us-east-1:000000000000:news";
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(folder: &Path) -> LocalAws {
    LocalAws::open(folder, "us-east-1", local_aws::transport::ENDPOINT_URL).expect("the folder is free")
}

/// Provisions the function `worker`, a topic, and the machine `build` with a role that has these rights.
fn provision(aws: &LocalAws, definition: &Value, statements: Value) {
    put_worker(aws);
    aws.sns.put_topic(TopicSpec {
        name: "news".to_owned(),
    });
    let trust_policy = json!({"Statement": {
        "Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole",
    }});
    let role = RoleSpec {
        name: "builder".to_owned(),
        arn: role_arn("builder"),
        trust_policy,
        policies: vec![json!({"Statement": statements})],
    };
    aws.iam.put_role(role).expect("the policies are implemented");
    let machine = StateMachineSpec {
        name: "build".to_owned(),
        definition: definition.to_string(),
        role_arn: role_arn("builder"),
    };
    aws.step_functions
        .put_state_machine(machine)
        .expect("the definition is sound");
}

fn all_rights() -> Value {
    json!([
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": FUNCTION_ARN},
        {"Effect": "Allow", "Action": "sns:Publish", "Resource": TOPIC_ARN},
    ])
}

fn one(mut state: Value) -> Value {
    state["End"] = json!(true);
    json!({"StartAt": "S", "States": {"S": state}})
}

/// Calls the worker with an event of this path.
fn task(path: &str) -> Value {
    json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": FUNCTION_ARN, "Payload": {"path": path, "input.$": "$", "token.$": "$$.Execution.Id"}},
    })
}

async fn call(aws: &LocalAws, operation: &str, body: Value) -> Answer {
    call_as(aws, operation, body, user()).await
}

async fn call_as(
    aws: &LocalAws,
    operation: &str,
    body: Value,
    credentials: aws_credential_types::Credentials,
) -> Answer {
    let target = format!("AWSStepFunctions.{operation}");
    let headers = [
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", target.as_str()),
    ];
    let body = body.to_string();
    let call = Call {
        headers: &headers,
        ..post("/", &body)
    };
    call.send_as(aws, "states", credentials).await
}

async fn start(aws: &LocalAws, name: &str, input: &str) -> String {
    let body = json!({"stateMachineArn": MACHINE_ARN, "name": name, "input": input});
    let answer = call(aws, "StartExecution", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["executionArn"].as_str().expect("an ARN").to_owned()
}

/// Waits until a description of the execution fits.
async fn described(aws: &LocalAws, execution_arn: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let polling = async {
        loop {
            let answer = call(aws, "DescribeExecution", json!({"executionArn": execution_arn})).await;
            let description = answer.json();
            if fits(&description) {
                return description;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polling)
        .await
        .expect("it comes to that")
}

async fn ended(aws: &LocalAws, execution_arn: &str) -> Value {
    described(aws, execution_arn, |it| it["status"] != "RUNNING").await
}

async fn events(aws: &LocalAws, execution_arn: &str) -> Vec<String> {
    let answer = call(aws, "GetExecutionHistory", json!({"executionArn": execution_arn})).await;
    let events = answer.json()["events"].as_array().cloned().unwrap_or_default();
    events
        .iter()
        .filter_map(|event| event["type"].as_str().map(str::to_owned))
        .collect()
}

/// Reopens a folder: what was stopped may hold it a moment longer.
async fn reopened(folder: &Path) -> LocalAws {
    let polling = async {
        loop {
            match LocalAws::open(folder, "us-east-1", local_aws::transport::ENDPOINT_URL) {
                Ok(aws) => return aws,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, polling)
        .await
        .expect("the folder is free again")
}

#[tokio::test]
async fn an_execution_is_started_described_and_told_step_by_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = open(folder.path());
    provision(&aws, &one(task("/echo")), all_rights());

    let arn = start(&aws, "first", r#"{"n": 1}"#).await;
    let description = ended(&aws, &arn).await;
    let history = call(
        &aws,
        "GetExecutionHistory",
        json!({"executionArn": arn, "maxResults": 2}),
    )
    .await;
    let last =
        json!({"executionArn": arn, "reverseOrder": true, "includeExecutionData": false, "maxResults": 1});
    let last = call(&aws, "GetExecutionHistory", last).await.json();
    let bare = json!({"executionArn": arn, "includeExecutionData": false});
    let bare = call(&aws, "GetExecutionHistory", bare).await.json();
    let machine = arn.replace(":execution:", ":stateMachine:").replace(":first", "");
    let tags = call(&aws, "ListTagsForResource", json!({"resourceArn": machine})).await;

    assert_eq!(arn, "arn:aws:states:us-east-1:000000000000:execution:build:first");
    assert_eq!(description["status"], "SUCCEEDED", "{description}");
    assert_eq!(description["input"], r#"{"n": 1}"#);
    let output: Value = serde_json::from_str(description["output"].as_str().expect("text")).expect("JSON");
    assert_eq!(output["StatusCode"], 200);
    let event: Value = serde_json::from_str(output["Payload"]["body"].as_str().expect("text")).expect("JSON");
    assert_eq!(event, json!({"path": "/echo", "input": {"n": 1}, "token": arn}));
    assert_eq!(history.headers["content-type"], "application/x-amz-json-1.0");
    let history = history.json();
    let first = &history["events"][0];
    assert_eq!((&first["id"], &first["previousEventId"]), (&json!(1), &json!(0)));
    assert_eq!(first["executionStartedEventDetails"]["input"], r#"{"n": 1}"#);
    assert_eq!(history["events"][1]["stateEnteredEventDetails"]["name"], "S");
    assert_eq!(history["nextToken"], "2");
    assert_eq!(last["events"][0]["type"], "ExecutionSucceeded");
    assert!(
        last["events"][0]["executionSucceededEventDetails"]
            .get("output")
            .is_none()
    );
    // What the service's model requires of an event is there without its data too.
    let scheduled = bare["events"].as_array().expect("events").iter();
    let scheduled = scheduled
        .clone()
        .find(|event| event["type"] == "TaskScheduled")
        .expect("a task");
    let details = &scheduled["taskScheduledEventDetails"];
    for member in ["resourceType", "resource", "region", "parameters"] {
        assert!(details[member].is_string(), "{member}: {details}");
    }
    assert_eq!(details["parameters"], "{}");
    assert_eq!((tags.status, tags.json()), (200, json!({"tags": []})));
    let log = std::fs::read_to_string(folder.path().join("logs/build.log")).expect("a log");
    assert!(
        log.lines()
            .any(|line| line.ends_with("first 2 TaskStateEntered S")),
        "{log}"
    );
    assert!(!log.contains("echo"), "no data is logged: {log}");
}

#[tokio::test]
async fn the_same_name_starts_one_execution() {
    let aws = LocalAws::in_memory();
    provision(
        &aws,
        &one(json!({"Type": "Wait", "SecondsPath": "$.s"})),
        all_rights(),
    );
    let start_again = |input: &str| {
        call(
            &aws,
            "StartExecution",
            json!({"stateMachineArn": MACHINE_ARN, "name": "once", "input": input}),
        )
    };

    let first = start_again(r#"{"s": 600}"#).await.json();
    let same = start_again(r#"{"s": 600}"#).await.json();
    let other_input = start_again(r#"{"s": 1}"#).await;
    let arn = json!({"executionArn": first["executionArn"], "error": "Enough", "cause": "of it"});
    let stopped = call(&aws, "StopExecution", arn).await;
    let after_the_end = start_again(r#"{"s": 600}"#).await;
    let listed = call(
        &aws,
        "ListExecutions",
        json!({"stateMachineArn": MACHINE_ARN, "statusFilter": "ABORTED"}),
    )
    .await
    .json();

    assert_eq!(first, same);
    assert_eq!(other_input.json()["__type"], "ExecutionAlreadyExists");
    assert_eq!(after_the_end.json()["__type"], "ExecutionAlreadyExists");
    assert!(stopped.json()["stopDate"].is_number(), "{}", stopped.body);
    let description = ended(&aws, first["executionArn"].as_str().expect("an ARN")).await;
    assert_eq!(
        (
            &description["status"],
            &description["error"],
            &description["cause"]
        ),
        (&json!("ABORTED"), &json!("Enough"), &json!("of it"))
    );
    assert_eq!(listed["executions"].as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn a_function_that_fails_gives_its_error_type_and_document() {
    let aws = LocalAws::in_memory();
    provision(&aws, &one(task("/fail")), all_rights());

    let arn = start(&aws, "fails", "{}").await;
    let description = ended(&aws, &arn).await;

    assert_eq!(description["status"], "FAILED");
    let cause: Value = serde_json::from_str(description["cause"].as_str().expect("text")).expect("JSON");
    assert_eq!(cause["errorMessage"], "this request cannot be handled");
    assert_eq!(description["error"], cause["errorType"]);
    assert!(events(&aws, &arn).await.contains(&"TaskFailed".to_owned()));
}

#[tokio::test]
async fn a_machine_does_only_what_its_role_may() {
    let publish = one(json!({"Type": "Task", "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"TopicArn": TOPIC_ARN, "Subject": "A build", "Message": {"what.$": "$.n"}}}));
    for (definition, action) in [
        (one(task("/echo")), "lambda:InvokeFunction"),
        (publish.clone(), "sns:Publish"),
    ] {
        let aws = LocalAws::in_memory();
        provision(&aws, &definition, json!([]));

        let description = ended(&aws, &start(&aws, "denied", r#"{"n": 1}"#).await).await;

        assert_eq!(description["error"], "States.Permissions");
        let cause = description["cause"].as_str().expect("text");
        assert!(
            cause.contains(&format!("builder/local is not authorized to perform: {action}")),
            "{cause}"
        );
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = open(folder.path());
    provision(&aws, &publish, all_rights());

    let description = ended(&aws, &start(&aws, "allowed", r#"{"n": 1}"#).await).await;

    assert_eq!(description["status"], "SUCCEEDED", "{description}");
    let log = std::fs::read_to_string(folder.path().join("logs/news.log")).expect("a log");
    let line: Value = serde_json::from_str(log.trim_end()).expect("one line of JSON");
    assert_eq!(
        (&line["subject"], &line["message"]),
        (&json!("A build"), &json!(r#"{"what":1}"#))
    );

    // Without the trust of the role, even its rights are of no use.
    put_role(
        &aws,
        "builder",
        vec![json!({"Effect": "Allow", "Action": "*", "Resource": "*"})],
    );
    let description = ended(&aws, &start(&aws, "untrusted", r#"{"n": 1}"#).await).await;
    assert_eq!(description["error"], "States.Permissions");
}

#[tokio::test]
async fn a_wait_keeps_its_time_over_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let definition = one(json!({"Type": "Wait", "TimestampPath": "$.until"}));
    let until = chrono::Utc::now() + chrono::TimeDelta::seconds(2);
    let aws = open(folder.path());
    provision(&aws, &definition, all_rights());
    aws.start();
    let arn = start(&aws, "waits", &json!({"until": until.to_rfc3339()}).to_string()).await;
    let later = start(&aws, "waits-longer", r#"{"until": "2100-01-01T00:00:00Z"}"#).await;
    aws.shutdown().await;
    drop(aws);

    let aws = reopened(folder.path()).await;
    provision(&aws, &definition, all_rights());
    aws.start();
    let description = ended(&aws, &arn).await;

    assert_eq!(description["status"], "SUCCEEDED");
    let stopped = description["stopDate"].as_f64().expect("a time");
    assert!(
        stopped >= until.timestamp_millis() as f64 / 1000.0,
        "{description}"
    );
    assert_eq!(
        events(&aws, &arn).await,
        [
            "ExecutionStarted",
            "WaitStateEntered",
            "WaitStateExited",
            "ExecutionSucceeded"
        ]
    );
    let later = call(&aws, "DescribeExecution", json!({"executionArn": later}))
        .await
        .json();
    assert_eq!(later["status"], "RUNNING");
    aws.shutdown().await;
}

#[tokio::test]
async fn a_task_under_way_is_called_again_after_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let marker = folder.path().join("called");
    let definition = one(task("/hang-once"));
    let aws = open(folder.path());
    provision(&aws, &definition, all_rights());
    aws.start();
    let arn = start(&aws, "hangs", &json!({"marker": marker}).to_string()).await;
    let called = async {
        while !marker.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, called)
        .await
        .expect("the function is called");
    aws.shutdown().await;
    drop(aws);

    let aws = reopened(folder.path()).await;
    provision(&aws, &definition, all_rights());
    aws.start();
    let description = ended(&aws, &arn).await;

    assert_eq!(description["status"], "SUCCEEDED", "{description}");
    assert!(
        description["output"]
            .as_str()
            .is_some_and(|it| it.contains("called again")),
        "{description}"
    );
    assert_eq!(
        events(&aws, &arn).await,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded",
        ]
    );
    aws.shutdown().await;
}

#[tokio::test]
async fn a_person_ends_a_task_by_its_token_once() {
    let aws = LocalAws::in_memory();
    let definition = one(json!({
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "worker", "Payload": {"token.$": "$$.Task.Token"}},
    }));
    provision(&aws, &definition, all_rights());
    let arn = start(&aws, "asks", "{}").await;
    let submitted = async {
        while !events(&aws, &arn).await.contains(&"TaskSubmitted".to_owned()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, submitted)
        .await
        .expect("the function answers");
    let history = call(&aws, "GetExecutionHistory", json!({"executionArn": arn}))
        .await
        .json();
    let parameters = history["events"][2]["taskScheduledEventDetails"]["parameters"]
        .as_str()
        .expect("text");
    let parameters: Value = serde_json::from_str(parameters).expect("JSON");
    let token = &parameters["Payload"]["token"];

    let beat = call(&aws, "SendTaskHeartbeat", json!({"taskToken": token})).await;
    let wrong = call(
        &aws,
        "SendTaskSuccess",
        json!({"taskToken": "wrong", "output": "{}"}),
    )
    .await;
    let bad_output = call(
        &aws,
        "SendTaskSuccess",
        json!({"taskToken": token, "output": "{"}),
    )
    .await;
    let success = call(
        &aws,
        "SendTaskSuccess",
        json!({"taskToken": token, "output": "{\"approved\": true}"}),
    )
    .await;
    let again = call(
        &aws,
        "SendTaskFailure",
        json!({"taskToken": token, "error": "Late"}),
    )
    .await;
    let description = ended(&aws, &arn).await;

    assert_eq!((beat.status, success.status), (200, 200));
    assert_eq!(wrong.json()["__type"], "InvalidToken");
    assert_eq!(bad_output.json()["__type"], "InvalidOutput");
    assert_eq!(again.json()["__type"], "TaskTimedOut");
    assert_eq!(description["output"], r#"{"approved":true}"#);
}

#[tokio::test]
async fn requests_that_cannot_be_served_say_why() {
    let aws = LocalAws::in_memory();
    provision(&aws, &one(json!({"Type": "Pass"})), all_rights());
    let execution = MACHINE_ARN.replace("stateMachine", "execution") + ":none";
    for (operation, body, expected) in [
        ("StartExecution", json!({}), "ValidationException"),
        (
            "StartExecution",
            json!({"stateMachineArn": "arn:none"}),
            "StateMachineDoesNotExist",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE_ARN, "name": "a/b"}),
            "InvalidName",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE_ARN, "name": "n".repeat(81)}),
            "InvalidName",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE_ARN, "input": "{"}),
            "InvalidExecutionInput",
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE_ARN, "input": "1".repeat(262_145)}),
            "InvalidExecutionInput",
        ),
        (
            "DescribeExecution",
            json!({"executionArn": execution}),
            "ExecutionDoesNotExist",
        ),
        (
            "GetExecutionHistory",
            json!({"executionArn": execution}),
            "ExecutionDoesNotExist",
        ),
        (
            "StopExecution",
            json!({"executionArn": execution}),
            "ExecutionDoesNotExist",
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": "arn:none"}),
            "StateMachineDoesNotExist",
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": MACHINE_ARN, "maxResults": 1001}),
            "ValidationException",
        ),
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": "arn:none"}),
            "StateMachineDoesNotExist",
        ),
        ("ListStateMachines", json!({"nextToken": "x"}), "InvalidToken"),
        ("StartExecution", json!([]), "SerializationException"),
        ("CreateStateMachine", json!({}), "NotImplemented"),
    ] {
        let answer = call(&aws, operation, body.clone()).await;

        assert_eq!(
            answer.json()["__type"],
            expected,
            "{operation} {body}: {}",
            answer.body
        );
    }
    let machines = call(&aws, "ListStateMachines", json!({})).await.json();
    let machine = call(
        &aws,
        "DescribeStateMachine",
        json!({"stateMachineArn": MACHINE_ARN}),
    )
    .await
    .json();
    let longest = start(&aws, &"n".repeat(80), "{}").await;

    assert_eq!(machines["stateMachines"][0]["name"], "build");
    assert_eq!(machine["roleArn"], role_arn("builder"));
    assert_eq!(ended(&aws, &longest).await["status"], "SUCCEEDED");
}

#[tokio::test]
async fn callers_need_the_right_for_the_machine() {
    let aws = LocalAws::in_memory();
    provision(&aws, &one(json!({"Type": "Pass"})), all_rights());
    let right = json!({"Effect": "Allow", "Action": "states:StartExecution", "Resource": MACHINE_ARN});
    put_role(&aws, "caller", vec![right]);
    let body = json!({"stateMachineArn": MACHINE_ARN});

    let start = call_as(&aws, "StartExecution", body.clone(), session(&aws, "caller")).await;
    let list = call_as(&aws, "ListExecutions", body.clone(), session(&aws, "caller")).await;
    let target = [("x-amz-target", "AWSStepFunctions.StartExecution")];
    let text = body.to_string();
    let unsigned = Call {
        headers: &target,
        ..post("/", &text)
    };
    let unsigned = unsigned.send(&aws).await;

    assert_eq!(start.status, 200, "{}", start.body);
    assert_eq!(list.json()["__type"], "AccessDeniedException");
    assert!(list.body.contains("states:ListExecutions"), "{}", list.body);
    assert_eq!(unsigned.json()["__type"], "MissingAuthenticationTokenException");
    assert_eq!(unsigned.headers["content-type"], "application/x-amz-json-1.0");
}
