//! The function over local services, with a receiver behind a socket.

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use active_learning_core::{
    feedback::{FeedbackRecord, Review, Signal, prediction::Prediction},
    keys,
    labels::{
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        question::Question,
        vote::{Vote, VoteSource},
    },
};
use aws_sdk_s3::primitives::ByteStream;
use axum::{
    Router,
    http::{HeaderMap, StatusCode, header::LOCATION},
    response::IntoResponse,
};
use local_aws::{
    LocalAws,
    eventbridge::EventBusSpec,
    s3::BucketSpec,
    secretsmanager::{GenerateSecretString, SecretSpec, secret_arn},
    transport,
};
use review_events::{Config, ReviewEvents, ReviewEventsError};
use serde_json::{Value, json};

const FEEDBACK: &str = "feedback-123456789012";
const TRAINING: &str = "training-123456789012";
const TEXT: &str = "Rates rise";

/// Messages that a receiver got: headers and body.
type Received = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// Receives webhooks; answers with these statuses, one after the other, the last of them again and again.
async fn receiver(statuses: &'static [u16]) -> (String, Received) {
    let received = Received::default();
    let kept = received.clone();
    let take = move |headers: HeaderMap, body: String| {
        let mut kept = kept.lock().expect("not poisoned");
        let status = statuses[kept.len().min(statuses.len() - 1)];
        kept.push((headers, body));
        let status = StatusCode::from_u16(status).expect("a status");
        async move { (status, [(LOCATION, "http://127.0.0.1:9/elsewhere")]).into_response() }
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
    (url, received)
}

struct Stack {
    aws: LocalAws,
    s3: aws_sdk_s3::Client,
    folder: tempfile::TempDir,
}

impl Stack {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let aws = LocalAws::open(folder.path(), "us-east-1", transport::ENDPOINT_URL).expect("it is free");
        for name in [FEEDBACK, TRAINING] {
            let name = name.to_owned();
            let bucket = BucketSpec {
                name,
                ..BucketSpec::default()
            };
            aws.s3.put_bucket(bucket).expect("the index works");
        }
        aws.events.put_event_bus(EventBusSpec {
            name: "reviewed".to_owned(),
            description: None,
        });
        let generate = GenerateSecretString {
            length: 64,
            exclude_punctuation: true,
        };
        let name = "webhook".to_owned();
        aws.secrets
            .put_secret(&SecretSpec { name, generate })
            .expect("stored");
        let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
        Self { aws, s3, folder }
    }

    fn function(&self, webhook: &str) -> ReviewEvents {
        let secret = secret_arn("us-east-1", "webhook");
        let env = [
            ("FEEDBACK_BUCKET_NAME", FEEDBACK),
            ("TRAINING_BUCKET_NAME", TRAINING),
            ("SEVERAL_LABELS", "false"),
            ("EVENT_BUS_NAME", "reviewed"),
            ("RESULT_WEBHOOK_URL", webhook),
            ("RESULT_WEBHOOK_SECRET_ARN", &secret),
        ];
        let env = env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect();
        let config = Config::from_env(&env).expect("a configuration");
        ReviewEvents::new(config, &self.aws.sdk_config()).with_first_pause(Duration::from_millis(5))
    }

    async fn put(&self, bucket: &str, key: &str, body: Vec<u8>) {
        let put = self.s3.put_object().bucket(bucket).key(key);
        put.body(ByteStream::from(body)).send().await.expect("stored");
    }

    async fn get(&self, key: &str) -> Option<String> {
        let object = self.s3.get_object().bucket(FEEDBACK).key(key).send().await.ok()?;
        let bytes = object.body.collect().await.expect("readable").to_vec();
        Some(String::from_utf8(bytes).expect("text"))
    }

    /// Returns the events of the bus.
    fn events(&self) -> Vec<Value> {
        let log = self.folder.path().join(Path::new("logs/event-bus-reviewed.log"));
        let log = std::fs::read_to_string(log).unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

fn question(prediction_id: &str) -> Question {
    let prediction = Prediction::multi_class(vec![active_learning_core::feedback::ClassScore {
        name: "World".to_owned(),
        score: 0.4,
    }]);
    let review = Review {
        signal: Signal::LowConfidence,
        selection_probability: 1.0,
    };
    let at = "2026-11-20T10:00:00Z";
    let prediction = prediction.expect("a class");
    let record = FeedbackRecord::predicted("news", TEXT, &prediction, review, prediction_id, None, at);
    Question::asked(record, "review-1", 1)
}

fn answered(prediction_id: &str) -> Question {
    let mut question = question(prediction_id);
    question.answer_with(&[Vote {
        worker: "w1".to_owned(),
        answer: Answer::labels(["Business"]),
        source: VoteSource::HumanReview,
        at: "2026-11-20T11:00:00Z".to_owned(),
        seconds: None,
        note: Default::default(),
    }]);
    question
}

/// What S3 tells of an object.
fn event(key: &str) -> Value {
    let sample = include_str!("../../../events/review-events/object-created.json");
    let mut event: Value = serde_json::from_str(sample).expect("JSON");
    event["Records"][0]["s3"]["object"]["key"] = json!(key);
    event
}

#[tokio::test]
async fn an_answer_is_told_to_bus_and_webhook_with_all_predictions_that_it_is_the_answer_to() {
    let stack = Stack::new();
    let (url, received) = receiver(&[200]).await;
    let question = answered("p-first");
    let id = question.record.id.clone();
    let copy = "c".repeat(32);
    stack
        .put(FEEDBACK, &keys::question(&id), question.to_json())
        .await;
    stack
        .put(FEEDBACK, &keys::prediction_of(&id, "p-again"), Vec::new())
        .await;
    stack
        .put(FEEDBACK, &keys::prediction_of(&copy, "p-copy"), Vec::new())
        .await;
    stack
        .put(
            FEEDBACK,
            &keys::prediction_of(&"d".repeat(32), "p-other"),
            Vec::new(),
        )
        .await;
    for occurrence in ["01", "02"] {
        stack
            .put(
                TRAINING,
                &format!("copies/{id}/{copy}-{occurrence}.json"),
                Vec::new(),
            )
            .await;
        stack
            .put(
                TRAINING,
                &format!("copies/{id}/{id}-{occurrence}.json"),
                Vec::new(),
            )
            .await;
    }

    let function = stack.function(&url);
    for _ in 0..2 {
        function.handle(event(&keys::question(&id))).await.expect("told");
    }

    let events = stack.events();
    let (first, second) = (&events[0], &events[1]);
    assert_eq!(
        (&first["source"], &first["detail-type"]),
        (&json!("active-learning"), &json!("Prediction Reviewed"))
    );
    assert_eq!(
        first["detail"]["predictionIds"],
        json!(["p-again", "p-copy", "p-first"])
    );
    assert_eq!(
        (&first["detail"]["label"], &first["detail"]["recordId"]),
        (&json!("Business"), &json!(id))
    );
    assert_eq!(first["detail"]["id"], second["detail"]["id"]);
    let received = received.lock().expect("not poisoned");
    let (headers, body) = &received[0];
    let message: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(message["type"], "prediction.reviewed");
    assert_eq!(message["timestamp"], "2026-11-20T10:12:30.512Z");
    assert_eq!(message["data"], first["detail"]);
    assert_eq!(
        headers["webhook-id"],
        first["detail"]["id"].as_str().expect("an id")
    );
    assert!(
        headers["webhook-signature"]
            .to_str()
            .expect("ASCII")
            .starts_with("v1,")
    );
    assert!(!format!("{events:?}{body}").contains(TEXT));
    assert_eq!(received[1].1, *body, "a repetition is the same message");
}

/// Returns the event about a question with so many duplicates, of which each has a prediction.
async fn told_of_duplicates(count: usize) -> Value {
    let stack = Stack::new();
    let question = answered("p-first");
    let id = question.record.id.clone();
    stack
        .put(FEEDBACK, &keys::question(&id), question.to_json())
        .await;
    for number in 0..count {
        let copy = format!("{number:032x}");
        let key = format!("copies/{id}/{copy}-01.json");
        stack.put(TRAINING, &key, Vec::new()).await;
        let mark = keys::prediction_of(&copy, &format!("p-{number}"));
        stack.put(FEEDBACK, &mark, Vec::new()).await;
    }

    let told = stack.function("").handle(event(&keys::question(&id))).await;

    told.expect("told");
    stack.events()[0]["detail"].clone()
}

#[tokio::test]
async fn the_predictions_of_many_duplicates_are_named_and_that_there_are_more_is_said() {
    let few = told_of_duplicates(150).await;
    let many = told_of_duplicates(520).await;

    let named = |event: &Value| event["predictionIds"].as_array().expect("ids").len();
    assert_eq!((named(&few), few.get("morePredictions")), (151, None));
    assert_eq!((named(&many), &many["morePredictions"]), (500, &json!(true)));
}

#[tokio::test]
async fn a_receiver_that_fails_twice_gets_the_event_by_the_same_id() {
    let stack = Stack::new();
    let (url, received) = receiver(&[503, 429, 204]).await;
    let question = answered("p-1");
    let key = keys::question(&question.record.id);
    stack.put(FEEDBACK, &key, question.to_json()).await;

    let outcome = stack.function(&url).handle(event(&key)).await;

    assert!(outcome.is_ok(), "{outcome:?}");
    let received = received.lock().expect("not poisoned");
    let ids: Vec<_> = received
        .iter()
        .map(|(headers, _)| &headers["webhook-id"])
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test]
async fn a_receiver_that_is_down_to_the_end_fails_the_invocation_after_the_bus_has_the_event() {
    let stack = Stack::new();
    let (url, received) = receiver(&[500]).await;
    let question = answered("p-1");
    let key = keys::question(&question.record.id);
    stack.put(FEEDBACK, &key, question.to_json()).await;

    let answer = stack.function(&url).handle(event(&key)).await;
    let nobody = stack
        .function("http://127.0.0.1:9/hook")
        .handle(event(&key))
        .await;

    for outcome in [answer, nobody] {
        assert!(
            matches!(outcome, Err(ReviewEventsError::Webhook(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(received.lock().expect("not poisoned").len(), 4);
    assert_eq!(stack.events().len(), 2);
}

#[tokio::test]
async fn what_the_receiver_refuses_for_good_is_set_aside_and_no_redirect_is_followed() {
    for (statuses, status) in [(&[410], 410), (&[302], 302), (&[401], 401)] {
        let stack = Stack::new();
        let (url, received) = receiver(statuses).await;
        let question = answered("p-1");
        let key = keys::question(&question.record.id);
        stack.put(FEEDBACK, &key, question.to_json()).await;

        let outcome = stack.function(&url).handle(event(&key)).await;

        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(received.lock().expect("not poisoned").len(), 1);
        let id = stack.events()[0]["detail"]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let rejected = stack
            .get(&keys::rejected("review-events", &id, 1))
            .await
            .expect("set aside");
        let line: Value = serde_json::from_str(&rejected).expect("JSON");
        assert_eq!(
            line["reason"],
            format!("the receiver of the webhook answered HTTP {status}")
        );
        assert!(line["raw"].as_str().expect("a text").contains("Business"));
    }
}

#[tokio::test]
async fn nothing_is_told_while_people_are_asked_or_of_what_was_kept_aside() {
    let stack = Stack::new();
    let question = question("p-1");
    let key = keys::question(&question.record.id);
    stack.put(FEEDBACK, &key, question.to_json()).await;
    let damaged = keys::damaged_question(&question.record.id, b"x");
    stack.put(FEEDBACK, &damaged, b"x".to_vec()).await;

    let function = stack.function("");
    for key in [&key, &damaged, "questions/gone.json", "elsewhere/x.json"] {
        function.handle(event(key)).await.expect("nothing to do");
    }

    assert_eq!(stack.events(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_duplicate_of_a_text_that_was_answered_is_told_on_its_own() {
    let stack = Stack::new();
    let question = answered("p-1");
    let original = &question.record.id;
    let copy = "c".repeat(32);
    stack
        .put(FEEDBACK, &keys::question(original), question.to_json())
        .await;
    stack
        .put(FEEDBACK, &keys::prediction_of(&copy, "p-late"), Vec::new())
        .await;
    let duplicate = json!({"original": original}).to_string();
    stack
        .put(FEEDBACK, &keys::duplicate(&copy), duplicate.into_bytes())
        .await;

    stack
        .function("")
        .handle(event(&keys::duplicate(&copy)))
        .await
        .expect("told");

    let events = stack.events();
    assert_eq!(events.len(), 1);
    let detail = &events[0]["detail"];
    assert_eq!(
        (&detail["recordId"], &detail["predictionIds"]),
        (&json!(copy), &json!(["p-late"]))
    );
    assert_eq!(
        (&detail["label"], &detail["predictionId"]),
        (&json!("Business"), &json!("p-1"))
    );
}

#[tokio::test]
async fn a_copy_of_a_copy_of_a_text_that_was_answered_is_told_the_answer() {
    let stack = Stack::new();
    let question = answered("p-1");
    let (copy, another) = ("c".repeat(32), "d".repeat(32));
    stack
        .put(FEEDBACK, &keys::question(&question.record.id), question.to_json())
        .await;
    stack
        .put(FEEDBACK, &keys::prediction_of(&another, "p-late"), Vec::new())
        .await;
    for (id, original) in [(&copy, &question.record.id), (&another, &copy)] {
        let duplicate = json!({"original": original}).to_string();
        stack
            .put(FEEDBACK, &keys::duplicate(id), duplicate.into_bytes())
            .await;
    }

    let function = stack.function("");
    let handled = function.handle(event(&keys::duplicate(&another))).await;

    handled.expect("told");
    let detail = &stack.events()[0]["detail"];
    assert_eq!(
        (&detail["recordId"], &detail["label"]),
        (&json!(another), &json!("Business"))
    );
}

#[tokio::test]
async fn an_answer_to_a_prediction_from_before_a_rename_is_told_by_the_names_of_now() {
    let stack = Stack::new();
    let mut set = LabelSet::seed(["World", "Business"], Origin::Edited, "2026-11-20T10:00:00.000Z");
    set.rename("World", "World news").expect("free");
    set.merge("Business", "World news").expect("active");
    stack.put(TRAINING, LABEL_SET_KEY, set.to_json()).await;
    let question = answered("p-1");
    let key = keys::question(&question.record.id);
    stack.put(FEEDBACK, &key, question.to_json()).await;

    stack.function("").handle(event(&key)).await.expect("told");

    let detail = &stack.events()[0]["detail"];
    let (now, told) = (json!("World news"), (&detail["prediction"], &detail["label"]));
    assert_eq!(told, (&now, &now), "{detail}");
}
