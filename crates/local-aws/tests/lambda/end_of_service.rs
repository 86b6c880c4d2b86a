//! A function process ends when the service's process is killed.

use std::{
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::setup::{QUICK, eventually, open, spec, temporary_folder};

#[tokio::test]
#[ignore = "the program that the other tests start as a service, and kill"]
async fn service_process() {
    let Some(folder) = std::env::var_os("SERVICE_FOLDER").map(PathBuf::from) else {
        return;
    };
    let lambda = open(&folder, QUICK).lambda;
    let start = std::env::var("START").expect("the test sets it");
    let mut function = spec(&folder, "worker");
    function
        .environment
        .insert("START".to_owned(), start.clone());
    lambda.put_function(function);
    let event = json!({ "do": "listen", "hang": start == "end with the service" });
    let _ = lambda.invoke("worker", event.to_string().into()).await;
    std::future::pending().await
}

#[tokio::test]
async fn an_idle_process_ends_when_the_service_is_killed() {
    function_ends_with_the_service("normally").await;
}

#[tokio::test]
async fn a_busy_process_that_watches_its_input_ends_when_the_service_is_killed() {
    function_ends_with_the_service("end with the service").await;
}

async fn function_ends_with_the_service(start: &str) {
    let folder = temporary_folder();
    let mut service = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["end_of_service::service_process", "--exact", "--ignored"])
        .env("SERVICE_FOLDER", folder.path())
        .env("START", start)
        .stdout(Stdio::null())
        .spawn()
        .expect("this program can be started");
    let port = eventually("the function listens", || {
        std::fs::read_to_string(folder.path().join("port")).ok()
    })
    .await;
    let address = format!("127.0.0.1:{port}");
    TcpStream::connect(&address).expect("the function runs");

    service.kill().expect("the service runs");
    service.wait().expect("the service has ended");

    eventually("the function has ended", || {
        TcpStream::connect(&address).err()
    })
    .await;
}
