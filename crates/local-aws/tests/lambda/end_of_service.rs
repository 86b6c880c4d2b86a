//! The service's process is killed: its functions end, and what it had accepted is delivered later.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::setup::{QUICK, eventually, invoke, lines_of, open, spec, temporary_folder};

#[tokio::test]
#[ignore = "the program that the other tests start as a service, and kill"]
async fn service_process() {
    let Some(folder) = std::env::var_os("SERVICE_FOLDER").map(PathBuf::from) else {
        return;
    };
    let text = |name| std::env::var(name).expect("the test sets it");
    let lambda = open(&folder, QUICK).lambda;
    let mut function = spec(&folder, "worker");
    function.environment.insert("START".to_owned(), text("START"));
    lambda.put_function(function);
    lambda.start();
    let event: Value = serde_json::from_str(&text("EVENT")).expect("the test sends JSON");
    invoke(&lambda, "Event", event).await;
    std::future::pending().await
}

fn start_service(folder: &Path, start: &str, event: &Value) -> Child {
    Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["end_of_service::service_process", "--exact", "--ignored"])
        .env("SERVICE_FOLDER", folder)
        .env("START", start)
        .env("EVENT", event.to_string())
        .stdout(Stdio::null())
        .spawn()
        .expect("this program can be started")
}

fn kill(mut service: Child) {
    service.kill().expect("the service runs");
    service.wait().expect("the service has ended");
}

#[tokio::test]
async fn an_idle_process_ends_when_the_service_is_killed() {
    let event = json!({ "do": "listen", "hang": false });
    function_ends_with_the_service("normally", &event).await;
}

#[tokio::test]
async fn a_busy_process_that_watches_its_input_ends_when_the_service_is_killed() {
    let event = json!({ "do": "listen", "hang": true });
    function_ends_with_the_service("end with the service", &event).await;
}

async fn function_ends_with_the_service(start: &str, event: &Value) {
    let folder = temporary_folder();
    let service = start_service(folder.path(), start, event);
    let port = eventually("the function listens", || {
        std::fs::read_to_string(folder.path().join("port")).ok()
    })
    .await;
    let address = format!("127.0.0.1:{port}");
    TcpStream::connect(&address).expect("the function runs");

    kill(service);

    eventually("the function has ended", || TcpStream::connect(&address).err()).await;
}

#[tokio::test]
async fn an_event_in_progress_is_delivered_again_when_the_service_was_killed() {
    let folder = temporary_folder();
    let event = json!({ "do": "write and wait", "write": "attempts", "wait": "go" });
    let service = start_service(folder.path(), "end with the service", &event);
    lines_of(&folder.path().join("attempts"), 1).await;

    kill(service);
    std::fs::write(folder.path().join("go"), "").expect("the folder is there");
    let service = open(folder.path(), QUICK);
    service.lambda.start();

    let attempts = lines_of(&folder.path().join("attempts"), 2).await;
    assert_eq!(attempts[0], attempts[1]);
}
