//! The state machine's file as it is, run by the local Step Functions, with the function as a process.

use std::net::SocketAddr;

use axum::{Router, body::Body};
use http::Request;
use local_aws::{
    LocalAws,
    iam::RoleSpec,
    lambda::FunctionSpec,
    sns::{TopicSpec, topic_arn},
    stepfunctions::{StateMachineSpec, StepFunctions},
};
use model_building::{Followed, Outcome, follow, start_build, start_roll_back};
use serde_json::json;
use tokio::net::TcpListener;

use crate::world::{MACHINE_ARN, World, champion};

const MACHINE: &str = include_str!("../../../../infra/model-building.asl.json");

fn role(name: &str, service: &str, actions: &[&str]) -> RoleSpec {
    RoleSpec {
        name: name.to_owned(),
        arn: format!("arn:aws:iam::000000000000:role/{name}"),
        trust_policy: json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"},
        ]}),
        policies: vec![json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": "*"},
        ]})],
    }
}

/// The services on a port, Comprehend on another.
async fn world(folder: &std::path::Path) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let aws = LocalAws::open(folder, "us-east-1", &url).expect("a new folder");
    let service = aws.router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let world = World::on(aws).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let classifier_url = format!("http://{}", listener.local_addr().expect("an address"));
    let (comprehend, s3) = (world.comprehend.clone(), world.s3.clone());
    let router = Router::new().fallback(move |request: Request<Body>| {
        let (comprehend, s3) = (comprehend.clone(), s3.clone());
        async move { comprehend.answer(&s3, request).await }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });

    let function = role("function", "lambda.amazonaws.com", &["s3:*", "states:*"]);
    let machine = role(
        "machine",
        "states.amazonaws.com",
        &["lambda:InvokeFunction", "sns:Publish"],
    );
    let mut environment = world.environment();
    environment.insert("CLASSIFIER_URL", &classifier_url);
    let environment = environment.into_iter();
    let aws = &world.aws;
    aws.lambda.put_function(FunctionSpec {
        name: "model-building".to_owned(),
        role_arn: function.arn.clone(),
        environment: environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        timeout_seconds: 60,
        memory_megabytes: 1_024,
        json_logs: true,
        reserved_concurrency: None,
        command: vec![env!("CARGO_BIN_EXE_model-building").into()],
    });
    aws.sns.put_topic(TopicSpec {
        name: "news".to_owned(),
    });
    let definition = MACHINE
        .replace(
            "${ModelBuildingFunctionArn}",
            "arn:aws:lambda:us-east-1:000000000000:function:model-building",
        )
        .replace("${NotificationTopicArn}", &topic_arn("us-east-1", "news"));
    let spec = StateMachineSpec {
        name: "model-building".to_owned(),
        definition,
        role_arn: machine.arn.clone(),
    };
    for role in [function, machine] {
        aws.iam.put_role(role).expect("a role");
    }
    aws.step_functions
        .put_state_machine(spec)
        .expect("a definition that runs here");
    aws.start();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_builds_and_another_rolls_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = world(folder.path()).await;
    let mut states = Vec::new();

    let execution = start_build(&world.sfn, MACHINE_ARN).await.expect("started");
    let built = follow(&world.bucket(), &world.sfn, &execution, |state| {
        states.push(state.to_owned())
    })
    .await;
    let Followed::Recorded(built) = built.expect("followed") else {
        panic!("{states:?}")
    };
    let back = start_roll_back(&world.sfn, MACHINE_ARN, None)
        .await
        .expect("started");
    let back = follow(&world.bucket(), &world.sfn, &back, |_| {}).await;
    world.aws.shutdown().await;

    assert_eq!(built.outcome, Outcome::Deployed, "{built:?}");
    assert_eq!(
        (
            states.first().map(String::as_str),
            states.last().map(String::as_str)
        ),
        (Some("Start"), Some("Done"))
    );
    let Followed::Recorded(back) = back.expect("followed") else {
        panic!("no record")
    };
    assert_eq!(back.outcome, Outcome::RolledBack, "{back:?}");
    assert_eq!(world.comprehend.serving(), champion());
    let told = std::fs::read_to_string(folder.path().join("logs/news.log")).expect("a log");
    assert!(
        told.contains("Deployed: model news/") && told.contains("Rolled back to model initial/"),
        "{told}"
    );
}

#[test]
fn the_file_uses_only_what_runs_on_one_machine() {
    assert_eq!(StepFunctions::validate_definition(MACHINE), Ok(()));
}
