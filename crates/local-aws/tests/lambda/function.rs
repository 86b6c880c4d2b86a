//! The function: what it does with an event says the event's `do`.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[test]
#[ignore = "the program that the other tests start as their function"]
fn function_process() {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    match std::env::var("START").as_deref() {
        Ok("exit") => std::process::exit(3),
        Ok("complain and exit") => {
            eprintln!("the variable FLAVOUR is missing\n");
            std::process::exit(1)
        }
        // As a process that is killed in the middle of its last words.
        Ok("complain and break off") => {
            eprint!("the variable FLAVOUR is missing\nerror: ");
            std::process::exit(1)
        }
        Ok("end with the service") => local_aws::lambda::end_with_the_service(),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the runtime starts");
    runtime
        .block_on(lambda_runtime::run(service_fn(handle)))
        .expect("the service answers until it ends");
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    match event["do"].as_str().unwrap_or_default() {
        "echo" => Ok(event),
        "context" => Ok(json!({
            "requestId": context.request_id,
            "functionArn": context.invoked_function_arn,
            "traceId": context.xray_trace_id,
            "millisecondsLeft": context.deadline as i64 - now_ms(),
            "pid": std::process::id(),
        })),
        "environment" => Ok(json!(
            std::env::vars().collect::<std::collections::BTreeMap<_, _>>()
        )),
        "fail" => Err("this event cannot be handled".into()),
        "panic" => panic!("a bug"),
        "exit" => std::process::exit(1),
        "print" => {
            println!("one line\nanother");
            Ok(Value::Null)
        }
        "answer of bytes" => Ok(json!("x".repeat(event["bytes"].as_u64().unwrap_or(0) as usize))),
        "write" => {
            append(&folder().join("attempts"), &context.request_id);
            Ok(Value::Null)
        }
        "write and fail" => {
            append(&folder().join("attempts"), &context.request_id);
            Err("this event cannot be handled".into())
        }
        "write and wait" => {
            append(&folder().join(text(&event, "write")), &context.request_id);
            wait_for(&folder().join(text(&event, "wait"))).await;
            if event["fail"] == true {
                return Err("this event cannot be handled".into());
            }
            Ok(Value::Null)
        }
        "listen" => {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            let port = listener.local_addr()?.port().to_string();
            fs::write(folder().join("port.part"), port)?;
            fs::rename(folder().join("port.part"), folder().join("port"))?;
            if event["hang"] == true {
                std::future::pending::<()>().await;
            }
            std::mem::forget(listener);
            Ok(Value::Null)
        }
        other => Err(format!("there is no such thing to do: {other}").into()),
    }
}

fn folder() -> PathBuf {
    std::env::var_os("FOLDER").expect("the test sets it").into()
}

fn text<'a>(event: &'a Value, member: &str) -> &'a str {
    event[member].as_str().expect("the event names it")
}

fn append(path: &Path, line: &str) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("the folder is there");
    writeln!(file, "{line}").expect("the disk takes it");
}

async fn wait_for(path: &Path) {
    while !path.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn now_ms() -> i64 {
    std::time::UNIX_EPOCH
        .elapsed()
        .expect("it is later than 1970")
        .as_millis() as i64
}
