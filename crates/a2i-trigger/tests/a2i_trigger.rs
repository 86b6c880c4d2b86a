//! The function over local S3; the review service answers as each test says.

use std::{collections::BTreeSet, io::Write};

use a2i_trigger::{A2iTrigger, A2iTriggerError, Config};
use active_learning_aws::env::Env;
use aws_sdk_s3::{Client, primitives::ByteStream};
use flate2::{Compression, write::GzEncoder};
use lambda_runtime::Diagnostic;
use local_aws::{LocalAws, s3::BucketSpec, script::Script};
use serde_json::{Value, json};

const OBJECT_CREATED: &str = include_str!("../../../events/a2i-trigger/object-created.json");
const DELIVERED: &str = include_str!("../../../events/a2i-trigger/files/delivered.jsonl");
const BUCKET: &str = "feedback-123456789012";
const START: &str = "POST /human-loops";
const STARTED: &str = r#"{"HumanLoopArn":"arn:aws:sagemaker:us-east-1:123456789012:human-loop/x"}"#;

struct Services {
    aws: LocalAws,
    s3: Client,
}

impl Services {
    fn start() -> Self {
        let aws = LocalAws::in_memory();
        let bucket = BucketSpec {
            name: BUCKET.into(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(bucket).expect("a bucket");
        let s3 = Client::new(&aws.sdk_config());
        Self { aws, s3 }
    }

    fn function(&self, script: &Script) -> A2iTrigger {
        let env = Env::from([
            (
                "HUMAN_REVIEW_WORKFLOW_ARN",
                "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/review",
            ),
            ("HUMAN_REVIEW_URL", ""),
            ("FEEDBACK_BUCKET_NAME", BUCKET),
            ("ITEMS_PER_TASK", "3"),
            ("CLASSES", "World,Sports,Business,SciTech"),
            ("CLAIM_RETENTION_DAYS", "90"),
        ]);
        let config = Config::from_env(&env).expect("complete");
        A2iTrigger::new(config, &script.sdk_config(self.aws.router()))
    }

    /// Stores an object and returns the event that S3 sends.
    async fn deliver(&self, key: &str, content: impl Into<Vec<u8>>) -> Value {
        let content = content.into();
        let size = content.len();
        let put = self.s3.put_object().bucket(BUCKET).key(key);
        let put = put
            .body(ByteStream::from(content))
            .send()
            .await
            .expect("an upload");
        let mut event: Value = serde_json::from_str(OBJECT_CREATED).expect("JSON");
        let object = &mut event["Records"][0]["s3"]["object"];
        object["key"] = key.into();
        object["size"] = size.into();
        object["eTag"] = put.e_tag().expect("an ETag").trim_matches('"').into();
        event
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(BUCKET).prefix(prefix);
        let list = list.send().await.expect("a list");
        list.contents()
            .iter()
            .filter_map(|object| object.key().map(str::to_owned))
            .collect()
    }

    async fn get(&self, key: &str) -> String {
        let object = self.s3.get_object().bucket(BUCKET).key(key).send().await;
        let body = object.expect("an object").body.collect().await.expect("a body");
        String::from_utf8(body.to_vec()).expect("UTF-8")
    }
}

fn starting() -> Script {
    let script = Script::default();
    script.always(START, 201, STARTED);
    script
}

fn refusing(times: usize, status: u16, code: &str) -> Script {
    let script = Script::default();
    let body = json!({"__type": code, "Message": "Value 'The minister' is wrong"});
    script.answer(times, START, status, body.to_string());
    script.always(START, 201, STARTED);
    script
}

/// Name and input of every call that starts a human loop, each once.
fn loops(script: &Script) -> BTreeSet<(String, String)> {
    let calls = script.calls(START);
    let read = |call: &bytes::Bytes| {
        let call: Value = serde_json::from_slice(call).expect("JSON");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (
            text(&call["HumanLoopName"]),
            text(&call["HumanLoopInput"]["InputContent"]),
        )
    };
    calls.iter().map(read).collect()
}

fn utterances(loops: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut utterances = Vec::new();
    for (_, input) in loops {
        let input: Value = serde_json::from_str(input).expect("JSON");
        for item in input["comprehendPredictions"].as_array().expect("items") {
            utterances.push(item["utterance"].as_str().expect("text").to_owned());
        }
    }
    utterances.sort();
    utterances
}

#[tokio::test]
async fn what_is_to_be_reviewed_becomes_human_loops_and_nothing_else_does() {
    let services = Services::start();
    let key = "feedback/2026/11/20/10/feedback-1-2026-11-20-10-00-00-5f3c1a52.jsonl";
    let event = services.deliver(key, DELIVERED).await;
    let sample: Value = serde_json::from_str(OBJECT_CREATED).expect("JSON");
    assert_eq!(event, sample, "the sample event is the one of the sample file");
    let script = starting();

    services
        .function(&script)
        .handle(event)
        .await
        .expect("worked off");

    let loops = loops(&script);
    assert_eq!(loops.len(), 2);
    assert_eq!(
        utterances(&loops),
        [
            "Fans queued overnight for the new phone.",
            "Shares of the club fell after the defeat.",
            "The champion will study astronomy, her club said.",
            "The city wants to buy the club a new stadium.",
        ]
    );
    assert!(loops.iter().all(|(name, _)| name.len() <= 63));
    let input: Value = serde_json::from_str(&loops.first().expect("a loop").1).expect("JSON");
    assert_eq!(
        (&input["bucketName"], &input["keyName"]),
        (&json!(BUCKET), &json!(key))
    );
    assert_eq!(input["labels"], json!(["World", "Sports", "Business", "SciTech"]));
    assert_eq!(services.keys("claims/").await.len(), 4);
    let rejected = services.keys("rejected/a2i-trigger/").await;
    let line: Value = serde_json::from_str(&services.get(&rejected[0]).await).expect("one line");
    assert_eq!(
        (&line["line"], &line["raw"]),
        (&json!(5), &json!("this line is no feedback"))
    );
}

#[tokio::test]
async fn the_same_event_three_times_makes_one_set_of_human_loops() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let (once, thrice) = (starting(), starting());

    services
        .function(&once)
        .handle(event.clone())
        .await
        .expect("worked off");
    for _ in 0..3 {
        services
            .function(&thrice)
            .handle(event.clone())
            .await
            .expect("worked off");
    }

    assert_eq!(thrice.calls(START).len(), 6);
    assert_eq!(loops(&thrice), loops(&once));
}

#[tokio::test]
async fn what_a_loop_asks_is_kept_before_it_is_started() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let script = refusing(usize::MAX, 403, "AccessDeniedException");

    let outcome = services.function(&script).handle(event).await;

    assert!(outcome.is_err());
    for (name, input) in loops(&script) {
        assert_eq!(services.get(&format!("asked/{name}.json")).await, input);
    }
    assert!(!loops(&script).is_empty());
}

#[tokio::test]
async fn a_question_that_another_object_asked_is_not_asked_again() {
    let services = Services::start();
    let first = services.deliver("feedback/a", DELIVERED).await;
    let more = r#"{"utterance":"A new one","prediction":"CLASSIFY","confidence":"NONE","classifier":"news"}"#;
    let second = services
        .deliver("feedback/b", format!("{DELIVERED}{more}\n"))
        .await;
    let script = starting();

    services
        .function(&starting())
        .handle(first)
        .await
        .expect("worked off");
    services
        .function(&script)
        .handle(second)
        .await
        .expect("worked off");

    assert_eq!(utterances(&loops(&script)), ["A new one"]);
}

#[tokio::test]
async fn a_compressed_object_is_known_by_its_content() {
    let services = Services::start();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(DELIVERED.as_bytes())
        .expect("a vector takes everything");
    let content = encoder.finish().expect("a vector takes everything");
    let event = services.deliver("feedback/a", content).await;
    let script = starting();

    services
        .function(&script)
        .handle(event)
        .await
        .expect("worked off");

    assert_eq!(utterances(&loops(&script)).len(), 4);
}

#[tokio::test]
async fn many_records_are_asked_about_in_parts_and_each_once() {
    let services = Services::start();
    let line = |number: usize| json!({"utterance": format!("Text {number}"), "prediction": "World", "confidence": 0.3, "classifier": "news"});
    let content: String = (0..1_200)
        .chain(0..10)
        .map(|number| format!("{}\n", line(number)))
        .collect();
    let event = services.deliver("feedback/a", content).await;
    let script = starting();

    services
        .function(&script)
        .handle(event)
        .await
        .expect("worked off");

    let asked = utterances(&loops(&script));
    assert_eq!(asked.len(), 1_200);
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), 1_200);
}

#[tokio::test(start_paused = true)]
async fn a_busy_review_service_is_asked_again() {
    for (status, code) in [
        (429, "ThrottlingException"),
        (402, "ServiceQuotaExceededException"),
        (500, "InternalServerException"),
    ] {
        let services = Services::start();
        let event = services.deliver("feedback/a", DELIVERED).await;
        let script = refusing(4, status, code);

        services.function(&script).handle(event).await.expect(code);

        assert_eq!(loops(&script).len(), 2, "{code}");
        assert!(script.calls(START).len() > 2, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_stays_exceeded_leaves_the_event_for_redelivery() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let script = refusing(usize::MAX, 402, "ServiceQuotaExceededException");
    let healthy = starting();

    let error = services
        .function(&script)
        .handle(event.clone())
        .await
        .expect_err("over quota");
    services
        .function(&healthy)
        .handle(event)
        .await
        .expect("the redelivery");

    assert_eq!(Diagnostic::from(error).error_type, "NotNow");
    assert_eq!(
        utterances(&loops(&healthy)).len(),
        4,
        "the claims are still this object's"
    );
}

#[tokio::test]
async fn a_name_that_is_taken_was_started_before() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let script = refusing(usize::MAX, 409, "ConflictException");

    services
        .function(&script)
        .handle(event)
        .await
        .expect("worked off");

    assert_eq!(script.calls(START).len(), 2);
}

#[tokio::test]
async fn a_refusal_for_good_says_what_to_check_and_quotes_nothing() {
    for (status, code) in [(400, "ValidationException"), (403, "AccessDeniedException")] {
        let services = Services::start();
        let event = services.deliver("feedback/a", DELIVERED).await;

        let function = services.function(&refusing(usize::MAX, status, code));
        let error = function.handle(event).await.expect_err("refused");

        assert!(!format!("{error:?}").contains("The minister"));
        let diagnostic = Diagnostic::from(error);
        assert_eq!(diagnostic.error_type, "Refused");
        assert!(diagnostic.error_message.contains("HUMAN_REVIEW_WORKFLOW_ARN"));
    }
}

#[tokio::test]
async fn an_object_that_is_gone_is_nothing_to_do_and_one_that_cannot_be_read_is_an_error() {
    let services = Services::start();
    let mut event = services.deliver("feedback/a", DELIVERED).await;
    event["Records"][0]["s3"]["object"]["key"] = "feedback/b".into();
    let (gone, denied) = (starting(), starting());
    denied.always(
        &format!("GET /{BUCKET}/feedback/"),
        403,
        "<Error><Code>AccessDenied</Code></Error>",
    );

    services
        .function(&gone)
        .handle(event.clone())
        .await
        .expect("nothing to do");
    let outcome = services.function(&denied).handle(event).await;

    assert!(matches!(outcome, Err(A2iTriggerError::Read(_))));
    assert_eq!(gone.calls(START).len(), 0);
}

#[tokio::test]
async fn a_claim_that_cannot_be_made_starts_nothing() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let script = starting();
    script.always(
        &format!("PUT /{BUCKET}/claims/"),
        403,
        "<Error><Code>AccessDenied</Code></Error>",
    );

    let outcome = services.function(&script).handle(event).await;

    assert!(matches!(outcome, Err(A2iTriggerError::Claim(_))));
    assert_eq!(script.calls(START).len(), 0);
}
