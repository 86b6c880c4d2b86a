//! The function over local S3 and Firehose.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use active_learning_aws::env::Env;
use active_learning_core::{
    feedback::prediction::{ClassScore, Prediction},
    keys,
    labels::prediction_result::KeptPrediction,
};
use aws_sdk_s3::{Client, primitives::ByteStream};
use axum::{Router, body::Body, extract::Request, response::Response};
use batch_feedback::{BatchFeedback, BatchFeedbackError, Config};
use chrono::{TimeDelta, Utc};
use flate2::{Compression, write::GzEncoder};
use lambda_runtime::Diagnostic;
use local_aws::{LocalAws, firehose::DeliveryStreamSpec, iam::RoleSpec, s3::BucketSpec, script::Script};
use serde_json::{Value, json};

const OBJECT_CREATED: &str = include_str!("../../../events/batch-feedback/object-created.json");
const TEST_EVENT: &str = include_str!("../../../events/batch-feedback/test-event.json");
const SENTENCES_JSON: &[u8] = include_bytes!("../../../events/batch-feedback/files/sentences.json");
const FEEDBACK_JSONL: &[u8] = include_bytes!("../../../events/batch-feedback/files/feedback.jsonl");
const FEEDBACK_CSV: &[u8] = include_bytes!("../../../events/batch-feedback/files/feedback.csv");

const BATCH_BUCKET: &str = "batch-uploads-123456789012";
const ROLE: &str = "arn:aws:iam::000000000000:role/delivery";

/// Both buckets, and a stream that delivers when a test says so.
struct Services {
    aws: LocalAws,
    script: Script,
    s3: Client,
}

impl Services {
    fn start() -> Self {
        let aws = LocalAws::in_memory();
        for name in [BATCH_BUCKET, "feedback"] {
            let bucket = BucketSpec {
                name: name.into(),
                ..BucketSpec::default()
            };
            aws.s3.put_bucket(bucket).expect("a bucket");
        }
        let role = RoleSpec {
            name: "delivery".into(),
            arn: ROLE.into(),
            trust_policy: json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "firehose.amazonaws.com"}, "Action": "sts:AssumeRole",
            }]}),
            policies: vec![json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
            ]})],
        };
        aws.iam.put_role(role).expect("a role");
        let stream = DeliveryStreamSpec {
            name: "feedback".into(),
            role_arn: ROLE.into(),
            bucket_arn: "arn:aws:s3:::feedback".into(),
            prefix: "feedback/".into(),
            error_output_prefix: "errors/".into(),
            buffer_seconds: 900,
            buffer_mebibytes: 128,
            gzip: false,
            delimiter: None,
            file_extension: None,
        };
        aws.firehose.put_stream(stream).expect("a stream");
        let s3 = Client::new(&aws.sdk_config());
        let script = Script::default();
        Self { aws, script, s3 }
    }

    fn function(&self) -> BatchFeedback {
        self.function_treating("keep")
    }

    fn function_treating(&self, personal_data: &str) -> BatchFeedback {
        let env = Env::from([
            ("FEEDBACK_STREAM_NAME", "feedback"),
            ("FEEDBACK_BUCKET_NAME", "feedback"),
            ("TRAINING_BUCKET_NAME", "training"),
            ("SEVERAL_LABELS", "false"),
            ("DEFAULT_CLASSIFIER_NAME", "house"),
            ("PERSONAL_DATA", personal_data),
            ("LANGUAGE_CODE", "en"),
            ("CLAIM_RETENTION_DAYS", "90"),
        ]);
        let config = Config::from_env(&env).expect("complete");
        BatchFeedback::new(config, &self.script.sdk_config(self.aws.router()))
    }

    /// Uploads a file and returns the event that S3 sends.
    async fn upload(&self, key: &str, content: impl Into<Vec<u8>>) -> Value {
        let content = content.into();
        let size = content.len();
        let put = self.s3.put_object().bucket(BATCH_BUCKET).key(key);
        let put = put
            .body(ByteStream::from(content))
            .send()
            .await
            .expect("an upload");
        let mut event: Value = serde_json::from_str(OBJECT_CREATED).expect("JSON");
        let object = &mut event["Records"][0]["s3"]["object"];
        object["key"] = key.replace(' ', "+").into();
        object["size"] = size.into();
        object["eTag"] = put.e_tag().expect("an ETag").trim_matches('"').into();
        event
    }

    async fn objects(&self, prefix: &str) -> Vec<(String, String)> {
        let list = self.s3.list_objects_v2().bucket("feedback").prefix(prefix);
        let mut objects = Vec::new();
        for object in list.send().await.expect("a list").contents() {
            let key = object.key().expect("a key");
            let object = self.s3.get_object().bucket("feedback").key(key).send().await;
            let body = object.expect("an object").body.collect().await.expect("a body");
            objects.push((key.to_owned(), String::from_utf8(body.to_vec()).expect("UTF-8")));
        }
        objects
    }

    async fn reports(&self) -> Vec<Value> {
        let reports = self.objects("batch-reports/").await;
        let reports = reports.iter();
        reports
            .map(|(_, report)| serde_json::from_str(report).expect("JSON"))
            .collect()
    }

    async fn only_report(&self) -> Value {
        let mut reports = self.reports().await;
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports.remove(0)
    }

    /// All lines that the stream has taken.
    async fn delivered(&self) -> Vec<Value> {
        self.aws.firehose.flush("feedback").await.expect("a delivery");
        let objects = self.objects("feedback/").await;
        let lines = objects.iter().flat_map(|(_, content)| content.lines());
        lines
            .map(|line| serde_json::from_str(line).expect("a line"))
            .collect()
    }
}

fn counts(report: &Value) -> [u64; 3] {
    ["accepted", "rejected", "duplicates"].map(|name| report[name].as_u64().expect("a number"))
}

const KEPT: &str = "11111111-1111-4111-8111-111111111111";
const GONE: &str = "22222222-2222-4222-8222-222222222222";

#[tokio::test]
async fn what_a_line_says_of_a_prediction_is_held_against_the_one_that_it_names() {
    for personal_data in ["keep", "mask"] {
        let services = Services::start();
        let predicted = Prediction::multi_class(vec![ClassScore {
            name: "World".into(),
            score: 0.9,
        }]);
        let text = ("news", "Rates rise");
        let kept = KeptPrediction::new(KEPT, text, predicted.as_ref(), None, "2026-11-20T10:00:00Z");
        let body = serde_json::to_vec(&kept).expect("JSON");
        let put = services.s3.put_object().bucket("feedback");
        let put = put.key(keys::prediction(KEPT)).body(ByteStream::from(body));
        put.send().await.expect("it is kept");
        let line = |user: &str, id: &str, fields: Value| {
            let mut line =
                json!({"classifier": "news", "sentence": "Rates rise", "user": user, "predictionId": id});
            line.as_object_mut()
                .expect("an object")
                .extend(fields.as_object().expect("fields").clone());
            line.to_string()
        };
        let file = [
            line("ann", KEPT, json!({"label": "World"})),
            line("bob", KEPT, json!({"feedback": "like"})),
            line("cy", KEPT, json!({"feedback": "dislike"})),
            line("dan", KEPT, json!({"prediction": "Sports"})),
            line("eve", KEPT, json!({"sentence": "Another text"})),
            line("fay", KEPT, json!({"feedback": "like", "label": "Sports"})),
            line("gus", GONE, json!({"feedback": "like"})),
            line("hal", KEPT, json!({"classifier": null, "feedback": "like"})),
            line("ivo", KEPT, json!({"classifier": "mail", "feedback": "like"})),
        ];
        let event = services.upload("said.jsonl", file.join("\n")).await;

        services
            .function_treating(personal_data)
            .handle(event)
            .await
            .expect("worked off");

        let report = services.only_report().await;
        assert_eq!(counts(&report), [5, 4, 0], "{personal_data}: {report}");
        let repairs = report["repairs"].to_string();
        assert!(
            repairs.contains("is not kept") && repairs.contains("1 item"),
            "{repairs}"
        );
        let mut delivered: Vec<Value> = services.delivered().await;
        delivered.sort_by_key(|record| record["user"].to_string());
        let told: Vec<_> = delivered
            .iter()
            .map(|record| json!([record["user"], record["signal"], record["prediction"]]))
            .collect();
        assert_eq!(
            json!(told),
            json!([
                ["ann", "like", "World"],
                ["bob", "like", "World"],
                ["cy", "dislike", "World"],
                ["gus", "like", null],
                ["hal", "like", "World"]
            ])
        );
        let (_, rejected) = services.objects("rejected/").await.remove(0);
        let lines: Vec<u64> = rejected
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).expect("JSON")["line"]
                    .as_u64()
                    .expect("a number")
            })
            .collect();
        assert_eq!(lines, [4, 5, 6, 9]);
        assert!(
            delivered
                .iter()
                .all(|record| record["utterance"] != "Rates rise" || record["classifier"] == "news"),
            "{delivered:?}"
        );
        // Cy's complaint asks people about it, and its client is told what they say.
        let marks = services.objects("predictions-of/").await;
        assert_eq!(marks.len(), 1);
        assert!(marks[0].0.ends_with(KEPT), "{marks:?}");
    }
}

#[tokio::test]
async fn an_id_that_no_prediction_can_have_is_told_as_one_that_is_not_kept() {
    let services = Services::start();
    let line = json!({"sentence": "Rates rise", "predictionId": "p-17", "feedback": "like"});
    let event = services.upload("said.jsonl", line.to_string()).await;

    services.function().handle(event).await.expect("worked off");

    let report = services.only_report().await;
    assert_eq!(counts(&report), [1, 0, 0]);
    let repairs = report["repairs"].to_string();
    assert!(
        repairs.contains("is not kept") && repairs.contains("1 item"),
        "{repairs}"
    );
}

#[tokio::test]
async fn good_lines_go_on_bad_ones_are_set_aside_and_a_report_counts_both() {
    let services = Services::start();
    let event = services
        .upload("weekly feedback/feedback.jsonl", FEEDBACK_JSONL)
        .await;
    let sample: Value = serde_json::from_str(OBJECT_CREATED).expect("JSON");
    assert_eq!(event, sample, "the sample event is the one of the sample file");

    services.function().handle(event).await.expect("worked off");

    let report = services.only_report().await;
    assert_eq!(counts(&report), [5, 3, 1]);
    assert_eq!(report["key"], "weekly feedback/feedback.jsonl");
    let rejected = services.objects("rejected/").await;
    assert_eq!(report["rejectedKeys"], json!([rejected[0].0]));
    let rejected: Vec<Value> = rejected[0]
        .1
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let lines: Vec<_> = rejected
        .iter()
        .map(|bad| bad["line"].as_u64().expect("a number"))
        .collect();
    assert_eq!(lines, [4, 6, 8]);
    assert_eq!(rejected[1]["reason"], "field `sentence` is missing or empty");
    assert_eq!(
        rejected[0]["raw"],
        r#"{"classifier":"news","sentence":"This line ends in the middle"#
    );
    let delivered = services.delivered().await;
    assert_eq!(delivered.len(), 5);
    assert_eq!(
        delivered[4]["classifier"], "weekly feedback",
        "what names none has that of its folder"
    );
    assert_eq!(delivered[1]["signal"], "like");
    assert_eq!(delivered[2]["suggestedLabel"], "Business");
    assert!(
        delivered
            .iter()
            .all(|record| record["source"] == "explicit-batch")
    );
}

#[tokio::test]
async fn personal_data_is_masked_in_records_and_in_lines_that_are_set_aside() {
    let services = Services::start();
    let lines = concat!(
        "{\"sentence\":\"Mail jane@example.com\"}\n{\"sentence\":\"Mail bob@example.com\"}\n",
        "{\"sentence\":\"Ring +49 30 1234567\"}\n{\"sentence\":\"\",\"user\":\"jane@example.com\"}\n",
    );
    let event = services.upload("feedback.jsonl", lines).await;

    services
        .function_treating("mask")
        .handle(event)
        .await
        .expect("worked off");

    let report = services.only_report().await;
    assert_eq!(counts(&report), [2, 1, 1], "{report}");
    assert_eq!(report["masked"], json!({"EMAIL": 1, "PHONE": 1}));
    let delivered = services.delivered().await;
    let texts: Vec<_> = delivered.iter().map(|record| &record["utterance"]).collect();
    assert_eq!(texts, ["Mail [EMAIL]", "Ring [PHONE]"]);
    let rejected = services.objects("rejected/").await;
    assert!(!rejected[0].1.contains("jane@example.com"), "{rejected:?}");
    assert!(rejected[0].1.contains("[EMAIL]"), "{rejected:?}");
}

#[tokio::test]
async fn a_file_that_comprehend_cannot_look_through_is_tried_again_and_nothing_of_it_is_stored() {
    let services = Services::start();
    let refused = r#"{"__type":"AccessDeniedException"}"#;
    services.script.always("DetectPiiEntities", 400, refused);
    let event = services
        .upload("feedback.jsonl", "{\"sentence\":\"secret\"}\n")
        .await;

    let failed = services.function_treating("comprehend").handle(event).await;

    assert!(
        matches!(failed, Err(BatchFeedbackError::NotPrepared(_))),
        "{failed:?}"
    );
    assert_eq!(services.reports().await.len(), 0);
    assert_eq!(services.delivered().await.len(), 0);
}

#[tokio::test]
async fn every_format_is_read_by_its_suffix_compressed_or_not() {
    let gzip = |content: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).expect("a vector takes everything");
        encoder.finish().expect("a vector takes everything")
    };
    let crlf = |content: &[u8]| {
        let text = String::from_utf8(content.to_vec())
            .expect("UTF-8")
            .replace('\n', "\r\n");
        [b"\xEF\xBB\xBF", text.as_bytes()].concat()
    };
    let backwards = br#"{"sentences":["One","Two"],"classifier":"news"}"#;
    for (key, content, expected) in [
        ("a.json", SENTENCES_JSON.to_vec(), [5, 0, 0]),
        ("a.csv", FEEDBACK_CSV.to_vec(), [4, 0, 0]),
        ("windows.CSV", crlf(FEEDBACK_CSV), [4, 0, 0]),
        ("windows.jsonl", crlf(FEEDBACK_JSONL), [5, 3, 1]),
        ("a.json.gz", gzip(SENTENCES_JSON), [5, 0, 0]),
        ("a.jsonl.gz", gzip(FEEDBACK_JSONL), [5, 3, 1]),
        ("backwards.json", backwards.to_vec(), [2, 0, 0]),
        ("nameless.json", br#"{"sentences":["One"]}"#.to_vec(), [1, 0, 0]),
        ("empty.json", Vec::new(), [0, 0, 0]),
        ("broken.gz.json", b"\x1f\x8bnonsense".to_vec(), [0, 1, 0]),
        ("a.xlsx", b"whatever".to_vec(), [0, 1, 0]),
    ] {
        let services = Services::start();
        let event = services.upload(key, content).await;

        services.function().handle(event).await.expect("worked off");

        let report = services.only_report().await;
        assert_eq!(counts(&report), expected, "{key}");
        assert_eq!(services.delivered().await.len() as u64, expected[0], "{key}");
        assert_eq!(
            services.objects("rejected/").await.is_empty(),
            expected[1] == 0,
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_report_names_the_classifier_of_its_records_and_counts_several() {
    let several = "classifier,sentence\nnews,One\nmail,Two\nnews,Three\n";
    for (key, content, classifier, classifiers) in [
        (
            "a.csv",
            "classifier,sentence\nnews,One\nnews,Two\n",
            json!("news"),
            Value::Null,
        ),
        ("b.csv", several, Value::Null, json!({"mail": 1, "news": 2})),
        ("mail/c.csv", "sentence\nOne\n", json!("mail"), Value::Null),
        ("d.csv", "sentence\nOne\n", json!("house"), Value::Null),
        ("e.jsonl", "{\"sentence\":\"\"}\n", Value::Null, Value::Null),
    ] {
        let services = Services::start();
        let event = services.upload(key, content).await;

        services.function().handle(event).await.expect("worked off");

        let report = services.only_report().await;
        assert_eq!(report["classifier"], classifier, "{key}");
        assert_eq!(report["classifiers"], classifiers, "{key}");
    }
}

#[tokio::test]
async fn every_text_of_which_a_file_says_nothing_has_the_signal_of_a_text_to_label() {
    let services = Services::start();
    let lines = [
        r#"{"sentence":"One"}"#,
        r#"{"sentence":"Two","feedback":"dislike"}"#,
        r#"{"sentence":"Three","prediction":"World"}"#,
        r#"{"sentence":"Four","predictionId":"p-1"}"#,
        r#"{"sentence":"Five","label":"World"}"#,
    ];
    let event = services.upload("a.jsonl", lines.join("\n")).await;

    services.function().handle(event).await.expect("worked off");

    let delivered = services.delivered().await;
    let signals: Vec<&Value> = delivered.iter().map(|record| &record["signal"]).collect();
    assert_eq!(
        signals,
        ["unlabelled", "unlabelled", "dislike", "dislike", "dislike"]
    );
}

#[tokio::test]
async fn the_same_event_again_changes_nothing() {
    let services = Services::start();
    let event = services.upload("a.json", SENTENCES_JSON).await;
    let function = services.function();

    function.handle(event.clone()).await.expect("worked off");
    let report = services.only_report().await;
    function.handle(event).await.expect("nothing to do");

    assert_eq!(services.delivered().await.len(), 5);
    assert_eq!(services.only_report().await, report);
}

#[tokio::test]
async fn all_records_of_an_event_are_worked_off_though_one_object_is_gone() {
    let services = Services::start();
    let mut event = services.upload("gone.json", SENTENCES_JSON).await;
    let gone = services.s3.delete_object().bucket(BATCH_BUCKET).key("gone.json");
    gone.send().await.expect("a deletion");
    let mut there = services.upload("there.csv", FEEDBACK_CSV).await;
    event["Records"]
        .as_array_mut()
        .expect("records")
        .push(there["Records"][0].take());

    services.function().handle(event).await.expect("worked off");

    let reports = services.reports().await;
    let of = |key: &str| {
        reports
            .iter()
            .find(|report| report["key"] == key)
            .expect("a report")
    };
    assert_eq!(counts(of("gone.json")), [0, 0, 0]);
    assert_eq!(
        of("gone.json")["unread"],
        "the file was replaced or removed before it was read"
    );
    assert!(of("there.csv").get("unread").is_none());
}

#[tokio::test]
async fn a_file_that_was_replaced_is_left_to_its_own_event() {
    let services = Services::start();
    let old = services.upload("a.csv", FEEDBACK_CSV).await;
    let new = services
        .upload("a.csv", "classifier,sentence\nnews,Only one\n")
        .await;
    let function = services.function();

    function.handle(old.clone()).await.expect("it says so");
    function.handle(new).await.expect("worked off");

    let reports = services.reports().await;
    let unread: Vec<_> = reports
        .iter()
        .filter(|report| report.get("unread").is_some())
        .collect();
    assert_eq!((reports.len(), unread.len()), (2, 1));
    assert_eq!(unread[0]["etag"], old["Records"][0]["s3"]["object"]["eTag"]);
}

#[tokio::test]
async fn the_report_of_a_file_that_was_read_stays_where_a_run_at_the_same_time_finds_the_file_replaced() {
    let services = Services::start();
    let event = services.upload("a.csv", "classifier,sentence\nnews,One\n").await;
    let function = services.function();
    function.handle(event.clone()).await.expect("worked off");
    services.upload("a.csv", "classifier,sentence\nnews,Two\n").await;
    // It has looked for a report before the first run wrote one.
    let nothing = "<Error><Code>NoSuchKey</Code></Error>";
    services
        .script
        .answer(1, "GET /feedback/batch-reports/", 404, nothing);

    function.handle(event).await.expect("worked off");

    let report = services.only_report().await;
    assert_eq!((&report["accepted"], report.get("unread")), (&json!(1), None));
}

#[tokio::test]
async fn a_file_that_was_unread_is_read_when_it_is_uploaded_again() {
    let services = Services::start();
    let first = services.upload("a.csv", "classifier,sentence\nnews,One\n").await;
    services.upload("a.csv", "classifier,sentence\nnews,Two\n").await;
    let function = services.function();
    function.handle(first).await.expect("it says so");
    let again = services.upload("a.csv", "classifier,sentence\nnews,One\n").await;

    function.handle(again).await.expect("worked off");

    let report = services.only_report().await;
    assert_eq!(counts(&report), [1, 0, 0]);
    assert!(report.get("unread").is_none());
}

#[tokio::test]
async fn the_same_file_is_read_again_once_what_it_asked_is_forgotten() {
    let services = Services::start();
    let event = services.upload("a.csv", "classifier,sentence\nnews,One\n").await;
    let function = services.function();
    function.handle(event.clone()).await.expect("worked off");
    let (key, report) = services.objects("batch-reports/").await.remove(0);
    let mut report: Value = serde_json::from_str(&report).expect("JSON");
    let mut finish = async |days| {
        let at = Utc::now() - TimeDelta::days(days);
        report["finishedAt"] = json!(at.to_rfc3339());
        let put = services.s3.put_object().bucket("feedback").key(&key);
        let body = ByteStream::from(report.to_string().into_bytes());
        put.body(body).send().await.expect("stored");
    };

    finish(89).await;
    function.handle(event.clone()).await.expect("known");
    let known = services.delivered().await.len();
    finish(91).await;
    function.handle(event).await.expect("worked off");

    assert_eq!((known, services.delivered().await.len()), (1, 2));
}

#[tokio::test]
async fn test_events_and_folders_are_ignored_and_foreign_events_refused() {
    let services = Services::start();
    let function = services.function();
    let folder = services.upload("folder/", "").await;

    function
        .handle(serde_json::from_str(TEST_EVENT).expect("JSON"))
        .await
        .expect("ignored");
    function.handle(folder).await.expect("ignored");
    let foreign = function.handle(json!({"Records": [{"Sns": {}}]})).await;

    assert!(matches!(foreign, Err(BatchFeedbackError::InvalidEvent(_))));
    assert_eq!(services.objects("").await, []);
}

#[tokio::test]
async fn records_that_the_stream_refuses_are_sent_again_and_arrive_once() {
    let services = Services::start();
    let partial = json!({"FailedPutCount": 5, "RequestResponses": vec![json!({"ErrorCode": "Busy"}); 5]});
    services
        .script
        .answer(1, "PutRecordBatch", 200, partial.to_string());
    let event = services.upload("a.json", SENTENCES_JSON).await;

    services.function().handle(event).await.expect("worked off");

    assert_eq!(services.script.calls("PutRecordBatch").len(), 2);
    assert_eq!(services.delivered().await.len(), 5);
}

#[tokio::test]
async fn a_stream_that_refuses_fails_the_event_and_the_next_try_succeeds() {
    let services = Services::start();
    let denied = r#"{"__type":"AccessDeniedException"}"#;
    services.script.answer(1, "PutRecordBatch", 400, denied);
    let event = services.upload("a.json", SENTENCES_JSON).await;
    let received_at = event["Records"][0]["eventTime"].clone();
    let function = services.function();

    let error = function
        .handle(event.clone())
        .await
        .expect_err("the stream refuses");
    let reports = services.objects("batch-reports/").await;
    function.handle(event).await.expect("worked off");

    let diagnostic = Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, "NotStored");
    assert_eq!(diagnostic.error_message, "5 feedback records were not stored");
    assert_eq!(reports, []);
    assert_eq!(counts(&services.only_report().await), [5, 0, 0]);
    let delivered = services.delivered().await;
    assert!(
        delivered.iter().all(|record| record["receivedAt"] == received_at),
        "each try makes the same records: {delivered:?}"
    );
}

#[tokio::test]
async fn a_feedback_bucket_that_is_down_fails_the_event() {
    let services = Services::start();
    services
        .script
        .always("PUT /feedback/", 403, "<Error><Code>AccessDenied</Code></Error>");
    let event = services.upload("a.json", SENTENCES_JSON).await;

    let outcome = services.function().handle(event).await;

    assert!(matches!(outcome, Err(BatchFeedbackError::FeedbackBucket(_))));
}

/// Answers `PutRecordBatch`, however slowly, and remembers how many records came and how many at once.
#[derive(Clone, Default)]
struct SlowStream {
    records: Arc<AtomicUsize>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl SlowStream {
    async fn take(self, request: Request) -> Response {
        let body = axum::body::to_bytes(request.into_body(), usize::MAX)
            .await
            .expect("a body");
        let records = body.windows(7).filter(|window| window == b"\"Data\":").count();
        self.records.fetch_add(records, Ordering::Relaxed);
        let now = self.now.fetch_add(records, Ordering::Relaxed) + records;
        self.most.fetch_max(now, Ordering::Relaxed);
        tokio::task::yield_now().await;
        self.now.fetch_sub(records, Ordering::Relaxed);
        Response::new(Body::from(r#"{"FailedPutCount":0,"RequestResponses":[]}"#))
    }
}

#[tokio::test]
async fn a_large_file_is_never_in_memory_as_a_whole() {
    const LINES: usize = 5_000;
    let services = Services::start();
    let text = "x".repeat(4_000);
    let mut content = String::with_capacity(LINES * 4_100);
    for number in 0..LINES {
        content.push_str(&format!(
            "{{\"classifier\":\"news\",\"sentence\":\"{number} {text}\"}}\n"
        ));
    }
    let event = services.upload("large.jsonl", content).await;
    let (stream, router) = (SlowStream::default(), services.aws.router());
    let (taking, passing) = (stream.clone(), router.clone());
    let router = Router::new().fallback(move |request: Request| {
        let (taking, passing) = (taking.clone(), passing.clone());
        async move {
            if request.headers().contains_key("x-amz-target") {
                taking.take(request).await
            } else {
                tower::ServiceExt::oneshot(passing, request)
                    .await
                    .unwrap_or_else(|never| match never {})
            }
        }
    });
    let env = Env::from([
        ("FEEDBACK_STREAM_NAME", "feedback"),
        ("FEEDBACK_BUCKET_NAME", "feedback"),
        ("TRAINING_BUCKET_NAME", "training"),
        ("SEVERAL_LABELS", "false"),
        ("DEFAULT_CLASSIFIER_NAME", "house"),
        ("PERSONAL_DATA", "keep"),
        ("LANGUAGE_CODE", "en"),
        ("CLAIM_RETENTION_DAYS", "90"),
    ]);
    let config = Config::from_env(&env).expect("complete");
    let function = BatchFeedback::new(config, &services.script.sdk_config(router));

    function.handle(event).await.expect("worked off");

    assert_eq!(counts(&services.only_report().await), [LINES as u64, 0, 0]);
    assert_eq!(stream.records.load(Ordering::Relaxed), LINES);
    assert!(stream.most.load(Ordering::Relaxed) <= 4 * 500);
}

#[tokio::test]
async fn nobody_can_say_that_a_prediction_was_accepted_as_a_label() {
    let services = Services::start();
    let claim = json!({
        "classifier": "news", "sentence": "Rates rise", "prediction": "World", "confidence": 0.99, "signal": "accepted",
    });
    let opinion = json!({"classifier": "news", "sentence": "Rates rise", "feedback": "accepted"});
    let event = services
        .upload("claims.jsonl", format!("{claim}\n{opinion}\n"))
        .await;

    services.function().handle(event).await.expect("worked off");

    assert!(services.delivered().await.is_empty());
    assert_eq!(counts(&services.only_report().await), [0, 2, 0]);
}

#[tokio::test]
async fn a_report_tells_what_was_repaired_and_a_refused_file_why() {
    for (content, expected, repairs) in [
        ("Text,Feedback\nOne,like\n", [1, 0, 0], 2),
        ("sentence,feedback\nOne,like\n", [1, 0, 0], 0),
        ("sentence,lable\nOne,World\n", [0, 1, 0], 0),
    ] {
        let services = Services::start();
        let event = services.upload("a.csv", content).await;

        services.function().handle(event).await.expect("worked off");

        let report = services.only_report().await;
        assert_eq!(counts(&report), expected, "{content}");
        assert_eq!(
            report["repairs"].as_array().map(Vec::len),
            Some(repairs),
            "{report}"
        );
    }
}
