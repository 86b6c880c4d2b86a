use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use local_aws::{
    iam::Principal,
    lambda::{FunctionError, InvokeError, PermissionSpec, Timing},
};
use serde_json::{Value, json};

use crate::setup::{
    QUICK, ROLE, body, call, eventually, get, invoke, invoke_as, lines_of, open, spec, temporary_folder,
};

#[tokio::test]
async fn a_function_answers_with_what_its_handler_returns() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let event = json!({ "do": "echo", "text": "naïve 文字 \u{0}" });

    let response = invoke(&lambda, "RequestResponse", event.clone()).await;

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["x-amz-executed-version"], "$LATEST");
    assert!(!response.headers().contains_key("x-amz-function-error"));
    assert_eq!(body(response).await, event);
}

#[tokio::test]
async fn a_function_learns_its_request_its_arn_and_its_deadline() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    let response = invoke(&lambda, "RequestResponse", json!({ "do": "context" })).await;

    let request_id = response.headers()["x-amzn-requestid"].clone();
    let context = body(response).await;
    assert_eq!(context["requestId"], request_id.to_str().expect("text"));
    assert_eq!(
        context["functionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:worker"
    );
    let left = context["millisecondsLeft"].as_i64().expect("a number");
    assert!((0..=60_000).contains(&left), "{left}");
    let trace = context["traceId"].as_str().expect("text");
    assert!(trace.starts_with("Root=1-"), "{trace}");
}

#[tokio::test]
async fn a_process_is_used_again() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    let (_, first) = call(&lambda, json!({ "do": "context" })).await;
    let (_, second) = call(&lambda, json!({ "do": "context" })).await;

    assert_eq!(first["pid"], second["pid"]);
    assert_ne!(first["requestId"], second["requestId"]);
}

#[tokio::test]
async fn an_error_of_the_handler_is_a_function_error() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    let (error, payload) = call(&lambda, json!({ "do": "fail" })).await;

    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(payload["errorMessage"], "this event cannot be handled");
}

#[tokio::test]
async fn a_panic_is_a_function_error() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    let (error, payload) = call(&lambda, json!({ "do": "panic" })).await;

    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(payload["errorMessage"], "Lambda panicked: a bug");
}

#[tokio::test]
async fn after_a_crash_the_next_event_finds_a_new_process() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    let crash = invoke(&lambda, "RequestResponse", json!({ "do": "exit" })).await;
    let (error, answer) = call(&lambda, json!({ "do": "echo" })).await;

    assert_eq!(crash.headers()["x-amz-function-error"], "Unhandled");
    let request_id = crash.headers()["x-amzn-requestid"].clone();
    let request_id = request_id.to_str().expect("text");
    assert_eq!(
        body(crash).await,
        json!({
            "errorType": "Runtime.ExitError",
            "errorMessage": format!("RequestId: {request_id} Error: Runtime exited with error: exit status 1"),
        })
    );
    assert_eq!((error, answer), (None, json!({ "do": "echo" })));
}

#[tokio::test]
async fn a_function_that_cannot_start_is_told_with_its_last_whole_line() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    for (name, start) in [
        ("whole", "complain and exit"),
        ("broken-off", "complain and break off"),
    ] {
        let mut function = spec(folder.path(), name);
        function.environment.insert("START".to_owned(), start.to_owned());
        lambda.put_function(function);
    }

    let mut after = Vec::new();
    for _ in 0..2 {
        for name in ["broken-off", "whole"] {
            invoke_as(&lambda, Principal::Root, name, "RequestResponse", "{}".to_owned()).await;
        }
        after.push(lambda.failed_starts());
    }

    let said = "the variable FLAVOUR is missing";
    let told = ["broken-off", "whole"].map(|name| (name.to_owned(), said.to_owned()));
    assert_eq!(after, [vec![], told.to_vec()]);
}

#[tokio::test]
async fn a_function_that_ends_before_its_first_event_is_a_function_error() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let mut function = spec(folder.path(), "worker");
    function.environment.insert("START".to_owned(), "exit".to_owned());
    lambda.put_function(function);

    let (error, payload) = call(&lambda, json!({})).await;

    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(payload["errorType"], "Runtime.ExitError");
    let message = payload["errorMessage"].as_str().expect("text");
    assert!(message.ends_with("exit status 3"), "{message}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_function_error() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let mut function = spec(folder.path(), "worker");
    function.command = vec!["/nowhere/bootstrap".into()];
    lambda.put_function(function);

    let (error, payload) = call(&lambda, json!({})).await;

    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(payload["errorType"], "Runtime.InvalidEntrypoint");
}

#[tokio::test]
async fn a_role_that_lambda_cannot_assume_starts_nothing() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let mut function = spec(folder.path(), "worker");
    function.role_arn = "arn:aws:iam::000000000000:role/other".to_owned();
    lambda.put_function(function);

    let (_, payload) = call(&lambda, json!({})).await;

    let message = payload["errorMessage"].as_str().expect("text");
    assert!(
        message.ends_with("Lambda cannot assume the function's role"),
        "{message}"
    );
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_ended() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let mut function = spec(folder.path(), "worker");
    function.timeout_seconds = 1;
    lambda.put_function(function);

    let (error, payload) = call(&lambda, json!({ "do": "listen", "hang": true })).await;

    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(payload["errorType"], "Sandbox.Timedout");
    let message = payload["errorMessage"].as_str().expect("text");
    assert!(
        message.ends_with(" Error: Task timed out after 1.00 seconds"),
        "{message}"
    );
    process_is_gone(folder.path()).await;
}

#[tokio::test]
async fn two_events_run_in_two_processes() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let event = |write, wait| json!({ "do": "write and wait", "write": write, "wait": wait });

    let (first, second) = tokio::join!(call(&lambda, event("a", "b")), call(&lambda, event("b", "a")));

    assert_eq!((first.0, second.0), (None, None));
}

#[tokio::test]
async fn an_event_beyond_the_concurrency_is_throttled() {
    let folder = temporary_folder();
    let timing = Timing {
        patience: Duration::ZERO,
        ..QUICK
    };
    let lambda = open(folder.path(), timing).lambda;
    let mut function = spec(folder.path(), "worker");
    function.reserved_concurrency = Some(1);
    lambda.put_function(function);
    let busy = {
        let lambda = lambda.clone();
        let event = json!({ "do": "write and wait", "write": "started", "wait": "go" });
        tokio::spawn(async move { call(&lambda, event).await })
    };
    lines_of(&folder.path().join("started"), 1).await;

    let throttled = invoke(&lambda, "RequestResponse", json!({ "do": "echo" })).await;
    fs::write(folder.path().join("go"), "").expect("the folder is there");

    assert_eq!(throttled.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        throttled.headers()["x-amzn-errortype"],
        "TooManyRequestsException"
    );
    assert_eq!(busy.await.expect("no panic"), (None, Value::Null));
}

#[tokio::test]
async fn an_invocation_runs_to_its_end_though_nobody_waits() {
    let folder = temporary_folder();
    let mut function = spec(folder.path(), "worker");
    function.reserved_concurrency = Some(1);
    let lambda = open(folder.path(), QUICK).lambda;
    lambda.put_function(function);
    let event = json!({ "do": "write and wait", "write": "started", "wait": "go" });

    let started = folder.path().join("started");

    tokio::select! {
        _ = call(&lambda, event) => panic!("it waits for a file"),
        _ = lines_of(&started, 1) => {}
    }
    fs::write(folder.path().join("go"), "").expect("the folder is there");
    let (_, context) = call(&lambda, json!({ "do": "context" })).await;
    let (_, again) = call(&lambda, json!({ "do": "context" })).await;

    assert_eq!(context["pid"], again["pid"]);
}

#[tokio::test]
async fn a_function_sees_the_template_and_lambda_in_its_environment_and_nothing_else() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    let (_, environment) = call(&lambda, json!({ "do": "environment" })).await;

    let mut environment: BTreeMap<String, String> =
        serde_json::from_value(environment).expect("names and values");
    // Set by the Rust runtime for the event.
    environment.remove("_X_AMZN_TRACE_ID");
    let names: Vec<&str> = environment.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "AWS_ACCESS_KEY_ID",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_LOG_FORMAT",
            "AWS_LAMBDA_LOG_GROUP_NAME",
            "AWS_LAMBDA_LOG_STREAM_NAME",
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "FOLDER",
            "LAMBDA_TASK_ROOT",
            "LANG",
            "LOCAL_AWS_STDIN_OF_THE_SERVICE",
            "PATH",
            "TZ",
            "_HANDLER",
        ]
    );
    assert_eq!(environment["AWS_ENDPOINT_URL"], "http://127.0.0.1:4566");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");
}

#[tokio::test]
async fn what_a_function_prints_is_in_its_log_file() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    call(&lambda, json!({ "do": "print" })).await;

    let log = folder.path().join("state/logs/worker.log");
    eventually("the lines are in the log", || {
        let text = fs::read_to_string(&log).ok()?;
        text.contains("one line\nanother\n").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_answer_above_6_mb_is_a_function_error_and_the_process_goes_on() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let (_, before) = call(&lambda, json!({ "do": "context" })).await;

    let (just_fits, _) = call(&lambda, json!({ "do": "answer of bytes", "bytes": 6_291_554 })).await;
    let (error, payload) = call(&lambda, json!({ "do": "answer of bytes", "bytes": 6_291_555 })).await;

    assert_eq!(just_fits, None);
    assert_eq!(error.as_deref(), Some("Unhandled"));
    assert_eq!(payload["errorType"], "Function.ResponseSizeTooLarge");
    let (_, after) = call(&lambda, json!({ "do": "context" })).await;
    assert_eq!(before["pid"], after["pid"]);
}

#[tokio::test]
async fn an_event_above_the_limit_is_refused() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let event = |bytes: usize| json!("x".repeat(bytes - 2));

    let synchronous = invoke(&lambda, "RequestResponse", event(6_291_457)).await;
    let asynchronous = invoke(&lambda, "Event", event(1_048_577)).await;
    let just_fits = invoke(&lambda, "Event", event(1_048_576)).await;

    assert_eq!(synchronous.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(asynchronous.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        asynchronous.headers()["x-amzn-errortype"],
        "RequestTooLargeException"
    );
    assert_eq!(just_fits.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn an_event_that_is_not_json_is_refused_without_being_quoted() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    for payload in ["{\"secret\"", "\"secret\" 1", "secret"] {
        let response = invoke_as(&lambda, Principal::Root, "worker", "RequestResponse", payload).await;

        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(
            response.headers()["x-amzn-errortype"],
            "InvalidRequestContentException"
        );
        let message = body(response).await.to_string();
        assert!(!message.contains("secret"), "{message}");
    }
    let not_utf8: &[u8] = b"\"\xff\"";
    let response = invoke_as(&lambda, Principal::Root, "worker", "Event", not_utf8).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_function_goes_by_name_partial_arn_and_arn() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    for function in [
        "worker",
        "worker:$LATEST",
        "000000000000:function:worker",
        "arn:aws:lambda:us-east-1:000000000000:function:worker",
        "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aworker%3A%24LATEST",
    ] {
        let response = invoke_as(&lambda, Principal::Root, function, "DryRun", "").await;

        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{function}");
    }
}

#[tokio::test]
async fn a_function_or_version_that_does_not_exist_is_not_found() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    for function in [
        "other",
        "worker:7",
        "arn:aws:lambda:us-east-1:000000000000:function:x",
    ] {
        for invocation_type in ["RequestResponse", "Event", "DryRun"] {
            let response = invoke_as(&lambda, Principal::Root, function, invocation_type, "{}").await;

            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{function}");
            assert_eq!(
                response.headers()["x-amzn-errortype"],
                "ResourceNotFoundException"
            );
        }
    }
    let in_process = lambda.invoke("other", Bytes::from_static(b"{}")).await;
    assert!(matches!(in_process, Err(InvokeError::NotFound(_))));
}

#[tokio::test]
async fn a_role_without_permission_may_not_invoke_until_the_function_lets_it() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let role = || Principal::Role { arn: ROLE.to_owned() };
    let event = json!({ "do": "echo" }).to_string();

    let refused = invoke_as(&lambda, role(), "worker", "RequestResponse", event.clone()).await;
    lambda.add_permission(permission(ROLE, None));
    let allowed = invoke_as(&lambda, role(), "worker", "RequestResponse", event).await;

    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(refused.headers()["x-amzn-errortype"], "AccessDeniedException");
    assert_eq!(allowed.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_permission_holds_for_its_service_and_its_source() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    let pattern = "arn:aws:execute-api:us-east-1:000000000000:abc/*/POST/classify";
    lambda.add_permission(permission("apigateway.amazonaws.com", Some(pattern)));
    let may = |service, source: &str| {
        let action = "lambda:InvokeFunction";
        lambda.may_invoke("worker", service, source, "000000000000", action)
    };

    let method = "arn:aws:execute-api:us-east-1:000000000000:abc/dev/POST/classify";
    let other = "arn:aws:execute-api:us-east-1:000000000000:abc/dev/POST/feedback";

    assert!(may("apigateway.amazonaws.com", method));
    assert!(!may("apigateway.amazonaws.com", other));
    assert!(!may("s3.amazonaws.com", method));
    assert!(!lambda.may_invoke(
        "other",
        "apigateway.amazonaws.com",
        method,
        "000000000000",
        "lambda:InvokeFunction"
    ));
    assert!(!lambda.may_invoke(
        "worker",
        "apigateway.amazonaws.com",
        method,
        "000000000000",
        "lambda:InvokeFunctionUrl"
    ));
}

#[tokio::test]
async fn the_functions_can_be_listed_and_looked_at() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    lambda.add_permission(permission("s3.amazonaws.com", None));

    let all = body(get(&lambda, "/2015-03-31/functions/").await).await;
    let one = body(get(&lambda, "/2015-03-31/functions/worker").await).await;
    let policy = body(get(&lambda, "/2015-03-31/functions/worker/policy").await).await;
    let layers = get(&lambda, "/2018-10-31/layers").await;

    assert_eq!(all["Functions"][0], one["Configuration"]);
    assert_eq!(one["Configuration"]["Timeout"], 60);
    let policy = policy["Policy"].as_str().expect("JSON in text");
    assert!(policy.contains("s3.amazonaws.com"), "{policy}");
    assert_eq!(layers.status(), StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn an_in_process_caller_learns_how_the_function_failed() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;

    let failed = lambda
        .invoke("worker", Bytes::from_static(b"{\"do\":\"fail\"}"))
        .await;
    let exited = lambda
        .invoke("worker", Bytes::from_static(b"{\"do\":\"exit\"}"))
        .await;

    let error =
        |output: Result<local_aws::lambda::InvokeOutput, _>| output.expect("the function ran").function_error;
    assert_eq!(error(failed), Some(FunctionError::Reported));
    assert_eq!(error(exited), Some(FunctionError::Exited));
}

#[tokio::test]
async fn after_shutdown_nothing_runs_and_nothing_is_invoked() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    call(&lambda, json!({ "do": "listen" })).await;

    lambda.shutdown().await;

    process_is_gone(folder.path()).await;
    let refused = lambda.invoke("worker", Bytes::from_static(b"{}")).await;
    assert_eq!(refused, Err(InvokeError::Stopping));
}

#[tokio::test]
async fn a_process_without_work_is_ended_after_a_while() {
    let folder = temporary_folder();
    let timing = Timing {
        keep_warm: Duration::ZERO,
        ..QUICK
    };
    let lambda = open(folder.path(), timing).lambda;
    call(&lambda, json!({ "do": "listen" })).await;

    lambda.start();

    process_is_gone(folder.path()).await;
}

fn permission(principal: &str, source_arn: Option<&str>) -> PermissionSpec {
    PermissionSpec {
        function_name: "worker".to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: principal.to_owned(),
        source_arn: source_arn.map(str::to_owned),
        source_account: None,
    }
}

/// Waits for the end of the process that listened.
async fn process_is_gone(folder: &Path) {
    let port = fs::read_to_string(folder.join("port")).expect("it has listened");
    eventually("the process has gone", || {
        std::net::TcpStream::connect(format!("127.0.0.1:{port}")).err()
    })
    .await;
}

#[tokio::test]
async fn functions_are_listed_page_by_page() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    for name in ["a", "b"] {
        lambda.put_function(spec(folder.path(), name));
    }
    let names = |page: &Value| {
        let functions = page["Functions"].as_array().expect("functions").iter();
        let names = functions.map(|function| function["FunctionName"].as_str().expect("a name").to_owned());
        names.collect::<Vec<_>>()
    };

    let first = body(get(&lambda, "/2015-03-31/functions/?MaxItems=2").await).await;
    let marker = first["NextMarker"].as_str().expect("there is more").to_owned();
    let rest = format!("/2015-03-31/functions/?MaxItems=2&Marker={marker}");
    let rest = body(get(&lambda, &rest).await).await;
    let wrong = get(&lambda, "/2015-03-31/functions/?MaxItems=0").await;

    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(names(&rest), ["worker"]);
    assert!(rest.get("NextMarker").is_none());
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_invocation_gives_back_what_was_logged_where_it_is_asked_to() {
    let folder = temporary_folder();
    let lambda = open(folder.path(), QUICK).lambda;
    call(&lambda, json!({ "do": "echo" })).await;

    let mut request = http::Request::post("/2015-03-31/functions/worker/invocations")
        .header("x-amz-log-type", "Tail")
        .body(axum::body::Body::from(json!({ "do": "print" }).to_string()))
        .expect("a request");
    request.extensions_mut().insert(Principal::Root);
    let answer = lambda.handle(request).await;

    let log = answer.headers()["x-amz-log-result"].to_str().expect("text");
    let log = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, log).expect("base64");
    assert_eq!(String::from_utf8_lossy(&log), "one line\nanother\n");
}
