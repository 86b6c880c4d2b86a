//! A model behind a SageMaker endpoint: a server that answers as the Hugging Face container does classifies, and builds
//! end at the dataset version.

use std::{collections::BTreeMap, net::Ipv4Addr, path::Path, sync::Arc};

use active_learning_aws::{bucket::Bucket, label_set::LabelSets};
use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use model_building::Outcome;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    harness::{command, post as post_json, until},
    new_models::{BY_HAND, Rows, Stack, news},
};

const LABELS: [&str; 4] = ["World", "Sports", "Business", "SciTech"];
const ENDPOINT_ARN: &str = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/news-bert";

/// What the Hugging Face inference toolkit serves: `GET /ping` and `POST /invocations`.
async fn container(rows: &Rows) -> (String, JoinHandle<()>) {
    let known: BTreeMap<String, usize> = rows
        .iter()
        .filter_map(|(label, text)| Some((text.clone(), LABELS.iter().position(|known| known == label)?)))
        .collect();
    let known = Arc::new(known);
    let invocations = move |request: String| {
        let known = known.clone();
        async move {
            let request: Value = serde_json::from_str(&request).unwrap_or_default();
            let text = request["inputs"].as_str().unwrap_or_default();
            match known.get(text) {
                Some(label) => Ok(json!([{"label": format!("LABEL_{label}"), "score": 0.5625}]).to_string()),
                None => Err((
                    StatusCode::BAD_REQUEST,
                    format!("{{\"message\": \"what is {text}\"}}"),
                )),
            }
        }
    };
    let router = Router::new()
        .route("/ping", get(|| async { StatusCode::OK }))
        .route("/invocations", post(invocations));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    (url, server)
}

/// Starts a stack whose classifier is the endpoint, and says what its classes are called here.
async fn stack(folder: &Path) -> Stack {
    let hosted = [
        ("SageMakerEndpointName", "news-bert"),
        ("ComprehendClassificationScoreThreshold", "1"),
    ];
    let stack = Stack::start(folder, &[], &[&BY_HAND[..], &hosted].concat()).await;
    let labels = LabelSets::new(Bucket::new(stack.s3.clone(), stack.bucket()));
    let names = LABELS.map(str::to_owned);
    labels
        .current_or_seed(&names, "2026-11-20T10:00:00.000Z")
        .await
        .expect("seeded");
    labels
        .edit("2026-11-20T10:00:01.000Z", |set| {
            let mut numbered = LABELS.iter().enumerate();
            numbered.try_for_each(|(number, label)| set.add_synonym(label, &format!("LABEL_{number}")))
        })
        .await
        .expect("synonyms");
    stack
}

fn dataset_events(folder: &Path, stack: &Stack) -> Vec<Value> {
    let bus = stack.outputs.output("EventBusName");
    let log = std::fs::read_to_string(folder.join(format!("logs/event-bus-{bus}.log"))).unwrap_or_default();
    let events = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events
        .filter(|event| event["detail-type"] == "Dataset Ready")
        .collect()
}

async fn is_there(stack: &Stack, uri: &Value) -> bool {
    let prefix = format!("s3://{}/", stack.bucket());
    let key = uri
        .as_str()
        .expect("a URI")
        .strip_prefix(&prefix)
        .expect("in the training bucket");
    let head = stack.s3.head_object().bucket(stack.bucket()).key(key);
    head.send().await.is_ok()
}

/// The event as the guide shows it.
fn event_of_the_guide() -> Value {
    let page = include_str!("../../../guide/how-to/bring-a-classifier.md");
    let blocks = page
        .split("```json")
        .skip(1)
        .filter_map(|block| block.split("```").next());
    let mut events = blocks.filter_map(|block| serde_json::from_str::<Value>(block).ok());
    events
        .find(|event| event["detail-type"] == "Dataset Ready")
        .expect("the guide shows the event")
}

/// Checks that an event has the members that the guide shows, of the same kinds: `parent` is null of a first version.
fn assert_same_shape(event: &Value, guide: &Value) {
    let shape = |event: &Value| {
        let members = event["detail"].as_object().expect("a detail").iter();
        let members = members.filter(|(name, _)| *name != "parent");
        let kind = |value: &Value| match value {
            Value::String(_) => "text",
            Value::Number(_) => "number",
            _ => "null",
        };
        members
            .map(|(name, value)| (name.clone(), kind(value)))
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(event), shape(guide));
    let digits = |name: &Value| {
        let name = name.as_str().expect("text").chars();
        name.map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect::<String>()
    };
    assert_eq!(
        digits(&event["detail"]["buildId"]),
        digits(&guide["detail"]["buildId"])
    );
    assert_eq!(event["source"], guide["source"]);
    assert_eq!(event["detail"]["mode"], guide["detail"]["mode"]);
    assert_eq!(guide["resources"], json!([guide["detail"]["endpointArn"]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_names_the_endpoint_from_the_start_and_counts_the_classes_that_are_no_labels() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = stack(folder.path()).await;
    let invocations = || async { r#"[{"label":"space","score":0.99}]"# };
    let router = Router::new().route("/invocations", post(invocations));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let endpoints = &stack.running.aws.sagemaker_runtime;
    endpoints.put_endpoint("news-bert", &url).expect("a URL");
    let status = async || command(folder.path(), &["status"]).await.1;
    let serving = |status: &str| {
        let line = status.lines().find(|line| line.starts_with("Serving model"));
        line.expect("the model is told").to_owned()
    };

    let at_the_start = status().await;
    let mut answers = Vec::new();
    for text in ["Rover lands on the moon", "A probe is lost"] {
        answers.push(stack.classify(text).await);
    }
    let told = "space` (2 texts)";
    until(async || status().await.contains(told)).await;
    let as_json = command(folder.path(), &["status", "--json"]).await.1;
    let synonym = command(folder.path(), &["labels", "synonym", "SciTech", "space", "--yes"]).await;
    let mended = status().await;

    let line = serving(&at_the_start);
    assert!(line.contains("news-bert, hosted elsewhere"), "{at_the_start}");
    for answer in &answers {
        assert_eq!(answer["review"]["reason"], "unknown-label", "{answer}");
    }
    let as_json: Value = serde_json::from_str(&as_json).expect("JSON");
    assert_eq!(as_json["unknownClasses"][0]["name"], "space");
    assert_eq!(as_json["unknownClasses"][0]["texts"]["count"], 2);
    assert!(synonym.0 && !mended.contains("`space`"), "{mended}");
    server.abort();
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hugging_face_container_classifies_and_a_build_hands_its_dataset_over() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news()[..40].to_vec();
    let stack = stack(folder.path()).await;
    let (url, server) = container(&rows).await;
    stack
        .running
        .aws
        .sagemaker_runtime
        .put_endpoint("news-bert", &url)
        .expect("a URL");

    let (labels, trusted) = stack.ask(&rows).await;
    stack
        .answer(&labels, |label, predicted| {
            assert_eq!(label, predicted);
            label.to_owned()
        })
        .await;
    let models = stack.models();
    let built = models.build().await.expect("followed").record.expect("a record");
    let again = models.build().await.expect("followed").record.expect("a record");
    let back = models
        .roll_back(None)
        .await
        .expect("followed")
        .record
        .expect("a record");
    stack.invoke("ModelBuilding", &json!({"operation": "tick"})).await;
    let versions = models.versions().await.expect("listed");
    let (_, status) = command(folder.path(), &["status"]).await;

    assert_eq!((labels.len(), trusted.len()), (40, 0));
    assert_eq!(
        (built.outcome, built.serving.as_deref()),
        (Outcome::DatasetReady, Some(ENDPOINT_ARN))
    );
    assert_eq!(again.outcome, Outcome::NothingNew, "{}", again.why);
    assert_eq!(back.outcome, Outcome::Failed);
    assert!(back.why.contains("hosted elsewhere"), "{}", back.why);
    let events = dataset_events(folder.path(), &stack);
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    let detail = &event["detail"];
    assert_eq!(event["resources"], json!([ENDPOINT_ARN]));
    assert_eq!(detail["version"], built.dataset.clone().expect("a dataset"));
    assert_same_shape(event, &event_of_the_guide());
    for file in ["manifestS3Uri", "trainS3Uri", "testS3Uri"] {
        assert!(is_there(&stack, &detail[file]).await, "{file}");
    }
    let dataset = versions
        .iter()
        .find(|version| version.outcome == Some(Outcome::DatasetReady));
    assert_eq!(
        Some(&dataset.expect("it is listed").version),
        built.dataset.as_ref()
    );
    let serving = versions
        .iter()
        .find(|version| version.serving)
        .expect("one serves");
    assert_eq!(serving.model_arn, ENDPOINT_ARN);
    assert!(
        status.contains("news-bert since") && status.contains("hosted elsewhere"),
        "{status}"
    );
    server.abort();
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_refuses_or_is_gone_costs_an_answer_in_plain_words_and_no_text_in_a_log() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = stack(folder.path()).await;
    let (url, server) = container(&news()[..1].to_vec()).await;
    let endpoints = &stack.running.aws.sagemaker_runtime;
    let api = stack.outputs.output("TextClassificationApiGatewayID");
    let ask = async |text: &str| {
        let body = json!({"classifier": "news", "sentence": text});
        post_json(api, &stack.outputs.api_key_value, &body).await
    };

    let before = ask("A secret before there is an endpoint").await;
    endpoints.put_endpoint("news-bert", &url).expect("a URL");
    let refused = ask("A secret that it does not know").await;
    server.abort();
    endpoints
        .put_endpoint("news-bert", "http://127.0.0.1:1")
        .expect("a URL");
    let gone = ask("Another secret").await;

    assert_eq!((before.0, &before.1["prediction"]), (200, &Value::Null));
    assert_eq!((refused.0, &refused.1["code"]), (502, &json!("model_failed")));
    assert!(
        refused.1["detail"]
            .as_str()
            .expect("words")
            .contains("status 400"),
        "{}",
        refused.1
    );
    assert_eq!((gone.0, &gone.1["code"]), (502, &json!("model_failed")));
    let detail = gone.1["detail"].as_str().expect("words");
    assert!(
        detail.contains("nothing listens") && !detail.contains("CloudWatch"),
        "{detail}"
    );
    let functions = std::fs::read_dir(folder.path().join("logs")).expect("logs");
    for log in functions {
        let log = std::fs::read_to_string(log.expect("a file").path()).expect("text");
        assert!(!log.contains("secret"), "{log}");
    }
    stack.stop().await;
}
