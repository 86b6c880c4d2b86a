//! The function over local services; Comprehend and Firehose answer as each test says.

use active_learning_aws::env::Env;
use active_learning_core::{
    erasure::ErasedTexts,
    feedback::FeedbackRecord,
    keys,
    labels::{
        human_loop::Answer,
        label_set::{LabelSet, LabelSetError, Origin},
        question::{Question, State},
        vote::{Vote, VoteSource},
    },
};
use classify::{Classify, Config};
use lambda_http::{Body, Request, Response, http};
use local_aws::{LocalAws, s3::BucketSpec, script::Script};
use serde_json::{Value, json};

const LOW_CONFIDENCE: &str = include_str!("../../../events/classify/low-confidence.json");
const CONFIDENT: &str = include_str!("../../../events/classify/confident.json");
const MISSING_FIELD: &str = include_str!("../../../events/classify/missing-field.json");
const STREAM_DOWN: &str = r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#;

const TRAINING_BUCKET: &str = "training-123456789012";
const PROMISES: &str = "GET /training-123456789012/automated-labelling/promises.json";

/// A healthy Firehose, and a Comprehend that returns three of four classes, the best with `score`.
fn script(score: &str) -> Script {
    let script = Script::default();
    let classes = format!(
        r#"{{"Classes":[{{"Name":"Business","Score":{score}}},{{"Name":"Sports","Score":0.19}},{{"Name":"World","Score":0.01}}]}}"#
    );
    script.always("ClassifyDocument", 200, classes);
    script.always(
        "DescribeEndpoint",
        200,
        r#"{"EndpointProperties":{"ModelArn":"arn:model"}}"#,
    );
    script
}

fn healthy(score: &str) -> Script {
    let script = script(score);
    script.always("PutRecord", 200, r#"{"RecordId":"1"}"#);
    script
}

/// A Comprehend that refuses with `code`.
fn refusing(status: u16, code: &str) -> Script {
    let script = Script::default();
    let body = json!({"__type": code, "Message": "Value 'The minister' at 'text' is wrong"});
    script.always("ClassifyDocument", status, body.to_string());
    script
}

fn classify_auditing(script: &Script, aws: &LocalAws, audit_rate: &str) -> Classify {
    classify_accepting(script, aws, audit_rate, "0")
}

fn classify_accepting(script: &Script, aws: &LocalAws, audit_rate: &str, accuracy: &str) -> Classify {
    classify_with(script, aws, audit_rate, accuracy, "0")
}

fn classify_with(
    script: &Script,
    aws: &LocalAws,
    audit_rate: &str,
    accuracy: &str,
    budget: &str,
) -> Classify {
    classify_before_first_model(script, aws, (audit_rate, accuracy, budget), "refuse")
}

fn classify_treating(script: &Script, personal_data: &str) -> Classify {
    let aws = with_feedback_bucket();
    classify_by(script, &aws, ("0", "0", "0"), "refuse", personal_data)
}

fn classify_before_first_model(
    script: &Script,
    aws: &LocalAws,
    settings: (&str, &str, &str),
    before_first_model: &str,
) -> Classify {
    classify_by(script, aws, settings, before_first_model, "keep")
}

fn classify_by(
    script: &Script,
    aws: &LocalAws,
    (audit_rate, accuracy, budget): (&str, &str, &str),
    before_first_model: &str,
    personal_data: &str,
) -> Classify {
    classify_keeping(
        script,
        aws,
        (audit_rate, accuracy, budget),
        (before_first_model, personal_data),
        "30",
    )
}

/// The function that keeps predictions for so many days.
fn classify_keeping(
    script: &Script,
    aws: &LocalAws,
    (audit_rate, accuracy, budget): (&str, &str, &str),
    (before_first_model, personal_data): (&str, &str),
    prediction_days: &str,
) -> Classify {
    let env = Env::from([
        (
            "COMPREHEND_ENDPOINT_ARN",
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news",
        ),
        ("CLASSIFIER_URL", ""),
        ("SAGEMAKER_ENDPOINT_ARN", ""),
        ("SAGEMAKER_CONTENT_TYPE", "application/json"),
        ("SAGEMAKER_REQUEST_TEMPLATE", "{{text}}"),
        ("SAGEMAKER_LABEL_PATH", ""),
        ("SAGEMAKER_SCORE_PATH", ""),
        ("SEVERAL_LABELS", "false"),
        ("FEEDBACK_STREAM_NAME", "feedback"),
        ("FEEDBACK_BUCKET_NAME", "feedback"),
        ("DEFAULT_CLASSIFIER_NAME", "house"),
        ("PERSONAL_DATA", personal_data),
        ("LANGUAGE_CODE", "en"),
        ("CLAIM_RETENTION_DAYS", "90"),
        ("PREDICTION_RETENTION_DAYS", prediction_days),
        ("REVIEW_BUDGET_PER_DAY", budget),
        ("POOL_TEXTS_IN_REVIEW", "50"),
        ("BEFORE_FIRST_MODEL", before_first_model),
        ("TRAINING_BUCKET_NAME", TRAINING_BUCKET),
        ("AUTOMATED_LABELLING_ACCURACY", accuracy),
        ("CONFIDENCE_THRESHOLD", "0.7"),
        ("MARGIN_THRESHOLD", "0"),
        ("AUDIT_SAMPLE_RATE", audit_rate),
        ("ALLOWED_ORIGIN", "https://example.com"),
    ]);
    let config = Config::from_env(&env).expect("complete");
    Classify::new(config, &script.sdk_config(aws.router()))
}

fn classify(script: &Script) -> Classify {
    classify_auditing(script, &with_feedback_bucket(), "0")
}

fn event(text: &str) -> Request {
    lambda_http::request::from_str(text).expect("an API Gateway event")
}

fn post(body: impl Into<Body>) -> Request {
    let request = http::Request::builder().method("POST").uri("/classify");
    request.body(body.into()).expect("a request")
}

fn sentence(text: &str) -> Request {
    post(json!({"classifier": "news", "sentence": text}).to_string())
}

fn body(response: &Response<Body>) -> Value {
    serde_json::from_slice(response.body()).expect("JSON")
}

/// Status, code and `Retry-After` of a problem.
fn problem(response: &Response<Body>) -> (u16, String, Option<&str>) {
    let headers = response.headers();
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["access-control-allow-origin"], "https://example.com");
    let retry_after = headers.get("retry-after");
    (
        response.status().as_u16(),
        body(response)["code"].as_str().expect("a code").to_owned(),
        retry_after.map(|value| value.to_str().expect("text")),
    )
}

#[tokio::test]
async fn a_confident_prediction_is_answered_and_not_reviewed() {
    let script = healthy("0.8");

    let response = classify(&script).handle(event(CONFIDENT)).await;

    assert_eq!(response.status(), 200);
    let mut answer = body(&response);
    let id = answer["predictionId"].take();
    assert_eq!(id.as_str().expect("an id").len(), 36);
    assert_eq!(
        answer,
        json!({
            "utterance": "The striker scored twice in the second half and the home side won the cup.",
            "prediction": "Business",
            "confidence": 0.8,
            "classifier": "news",
            "predictionId": null,
            "review": null,
            "classes": [
                {"name": "Business", "score": 0.8}, {"name": "Sports", "score": 0.19}, {"name": "World", "score": 0.01}
            ],
        })
    );
    assert_eq!(script.calls("PutRecord").len(), 0);
    assert_eq!(script.calls("DescribeEndpoint").len(), 0);
}

#[tokio::test]
async fn a_confidence_equal_to_the_threshold_is_queued_for_review_with_all_that_is_known() {
    let script = healthy("0.7");

    let response = classify(&script).handle(event(LOW_CONFIDENCE)).await;

    let answer = body(&response);
    assert_eq!(
        answer["review"],
        json!({"reason": "low-confidence", "queued": true, "decided": "on-delivery", "selectionProbability": 1.0})
    );
    let sent = record_sent(&script);
    assert_eq!(sent["predictionId"], answer["predictionId"]);
    assert_eq!(sent["modelArn"], "arn:model");
    assert_eq!(sent["source"], "implicit");
    assert_eq!(sent["confidence"], 0.7);
    assert_eq!(sent["classes"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_record_says_whether_every_prediction_goes_to_review() {
    let (some, all) = (healthy("0.7"), healthy("0.7"));

    classify(&some).handle(event(LOW_CONFIDENCE)).await;
    let auditing = classify_auditing(&all, &with_feedback_bucket(), "1");
    auditing.handle(event(LOW_CONFIDENCE)).await;

    assert_eq!(record_sent(&some)["isOfAll"], Value::Null);
    assert_eq!(record_sent(&all)["isOfAll"], true);
}

fn record_sent(script: &Script) -> Value {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let calls = script.calls("PutRecord");
    let call: Value = serde_json::from_slice(calls.last().expect("a call")).expect("JSON");
    let data = call["Record"]["Data"].as_str().expect("data");
    let line = BASE64_STANDARD.decode(data).expect("base64");
    assert_eq!(line.last(), Some(&b'\n'));
    serde_json::from_slice(&line).expect("a line")
}

#[tokio::test]
async fn personal_data_is_masked_before_a_text_is_classified_and_queued() {
    let script = healthy("0.3");

    let response = classify_treating(&script, "mask")
        .handle(sentence("Refund to jane@example.com"))
        .await;

    let answer = body(&response);
    assert_eq!(answer["utterance"], "Refund to [EMAIL]");
    assert_eq!(answer["masked"], json!(["EMAIL"]));
    assert_eq!(record_sent(&script)["utterance"], "Refund to [EMAIL]");
    assert_eq!(script.calls("DetectPiiEntities").len(), 0);
    let asked: Value = serde_json::from_slice(&script.calls("ClassifyDocument")[0]).expect("JSON");
    assert_eq!(asked["Text"], "Refund to [EMAIL]");
}

#[tokio::test]
async fn comprehend_says_what_is_masked_where_it_is_asked() {
    let script = healthy("0.8");
    let found = r#"{"Entities":[{"Type":"NAME","BeginOffset":3,"EndOffset":7,"Score":0.99}]}"#;
    script.always("DetectPiiEntities", 200, found);

    let response = classify_treating(&script, "comprehend")
        .handle(sentence("ß: Jane"))
        .await;

    assert_eq!(body(&response)["utterance"], "ß: [NAME]");
    assert_eq!(body(&response)["masked"], json!(["NAME"]));
}

#[tokio::test(start_paused = true)]
async fn a_text_that_cannot_be_looked_through_is_neither_classified_nor_stored() {
    let script = healthy("0.3");
    script.always("DetectPiiEntities", 400, r#"{"__type":"ThrottlingException"}"#);

    let response = classify_treating(&script, "comprehend")
        .handle(sentence("Refund to Jane"))
        .await;

    let expected = (503, "personal_data_unavailable".to_owned(), Some("1"));
    assert_eq!(problem(&response), expected);
    assert_eq!(script.calls("ClassifyDocument").len(), 0);
    assert_eq!(script.calls("PutRecord").len(), 0);
}

#[tokio::test]
async fn a_text_that_its_masks_make_too_long_is_refused() {
    let script = healthy("0.3");
    let text = "a@b.de ".repeat(1_428);

    let response = classify_treating(&script, "mask").handle(sentence(&text)).await;

    assert_eq!(problem(&response).1, "text_too_long");
    assert_eq!(script.calls("ClassifyDocument").len(), 0);
}

#[tokio::test]
async fn the_audit_reviews_a_confident_prediction() {
    let script = healthy("0.8");

    let response = classify_auditing(&script, &LocalAws::in_memory(), "1")
        .handle(event(CONFIDENT))
        .await;

    assert_eq!(body(&response)["review"]["reason"], "audit");
    assert_eq!(record_sent(&script)["signal"], "audit");
}

#[tokio::test]
async fn labels_of_a_multi_label_endpoint_are_joined() {
    let script = Script::default();
    let labels = r#"{"Labels":[{"Name":"World","Score":0.95},{"Name":"Business","Score":0.9}]}"#;
    script.always("ClassifyDocument", 200, labels);

    let response = classify(&script).handle(event(CONFIDENT)).await;

    assert_eq!(body(&response)["prediction"], "World|Business");
}

#[tokio::test]
async fn the_model_is_asked_for_once_and_may_be_unknown() {
    let script = Script::default();
    script.always(
        "ClassifyDocument",
        200,
        r#"{"Classes":[{"Name":"World","Score":0.3}]}"#,
    );
    script.always("DescribeEndpoint", 400, r#"{"__type":"AccessDeniedException"}"#);
    script.always("PutRecord", 200, r#"{"RecordId":"1"}"#);
    let classify = classify(&script);

    classify.handle(event(LOW_CONFIDENCE)).await;
    classify.handle(event(LOW_CONFIDENCE)).await;

    assert_eq!(script.calls("DescribeEndpoint").len(), 1);
    assert_eq!(record_sent(&script).get("modelArn"), None);
}

#[tokio::test]
async fn a_record_that_the_stream_refuses_is_written_to_the_bucket() {
    let (script, aws) = (script("0.3"), LocalAws::in_memory());
    script.always("PutRecord", 503, STREAM_DOWN);
    let bucket = BucketSpec {
        name: "feedback".into(),
        ..BucketSpec::default()
    };
    aws.s3.put_bucket(bucket).expect("a bucket");

    let response = classify_auditing(&script, &aws, "0")
        .handle(event(LOW_CONFIDENCE))
        .await;

    let answer = body(&response);
    assert_eq!(
        (response.status().as_u16(), &answer["review"]["queued"]),
        (200, &json!(true))
    );
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    let list = s3.list_objects_v2().bucket("feedback").prefix("feedback/direct/");
    let list = list.send().await.expect("a list");
    let key = list.contents()[0].key().expect("a key");
    let id = answer["predictionId"].as_str().expect("an id");
    assert!(key.ends_with(&format!("/{id}.jsonl")), "{key}");
    assert_eq!(key.split('/').count(), 7, "{key}");
    let object = s3
        .get_object()
        .bucket("feedback")
        .key(key)
        .send()
        .await
        .expect("the object");
    let line = object.body.collect().await.expect("its body").to_vec();
    let record: Value = serde_json::from_slice(&line).expect("a record");
    assert_eq!(record["predictionId"], answer["predictionId"]);
}

#[tokio::test]
async fn a_text_of_which_is_not_known_whether_it_was_erased_is_stored_and_held_against_the_list_on_delivery()
{
    let script = healthy("0.3");
    script.always(
        "GET /feedback/erased/",
        500,
        "<Error><Code>InternalError</Code></Error>",
    );

    let response = classify(&script).handle(event(LOW_CONFIDENCE)).await;

    assert_eq!(body(&response)["review"]["queued"], true);
    assert_eq!(script.calls("PutRecord").len(), 1);
}

#[tokio::test]
async fn with_stream_and_bucket_down_the_prediction_is_answered_and_the_loss_shown() {
    let script = script("0.3");
    script.always("PutRecord", 503, STREAM_DOWN);
    script.always(
        "PUT /feedback/",
        503,
        "<Error><Code>ServiceUnavailable</Code></Error>",
    );

    let response = classify(&script).handle(event(LOW_CONFIDENCE)).await;

    assert_eq!(response.status(), 200);
    assert_eq!(body(&response)["prediction"], "Business");
    assert_eq!(body(&response)["review"]["queued"], false);
    assert_eq!(body(&response)["review"]["notQueuedBecause"], "not-stored");
}

#[tokio::test]
async fn what_is_no_request_is_answered_with_400() {
    let script = healthy("0.8");
    let classify = classify(&script);

    let missing = classify.handle(event(MISSING_FIELD)).await;
    let bodies = [
        "",
        "{",
        "null",
        "7",
        r#"["news","text"]"#,
        r#"{"classifier":"news","sentence":" \n"}"#,
        r#"{"classifier":"news","sentence":"\ud800"}"#,
        r#"{"classifier":"news","sentence":"\u200b\u0001"}"#,
        r#"{"classifier":"news","sentence":"x","sentence":"y"}"#,
        r#"{"classifier":"news","Sentence":"x"}"#,
        r#"{"classifier":"news","sentence":"x","feedback":"like"}"#,
        r#"{"classifier":"news","sentence":7}"#,
    ];

    assert_eq!(problem(&missing), (400, "invalid_request".into(), None));
    assert_eq!(body(&missing)["detail"], "field `sentence` is missing or empty");
    for text in bodies {
        let response = classify.handle(post(text)).await;
        assert_eq!(
            problem(&response),
            (400, "invalid_request".into(), None),
            "{text}"
        );
    }
    let not_utf8 = classify.handle(post(b"{\"classifier\":\"\xff\"}".to_vec())).await;
    assert_eq!(problem(&not_utf8).0, 400);
    assert_eq!(script.calls("ClassifyDocument").len(), 0);
}

#[tokio::test]
async fn each_fault_of_a_request_has_a_detail_of_its_own_that_names_the_field() {
    let classify = classify(&healthy("0.8"));
    for (text, detail) in [
        (
            r#"{"Sentence":"secret"}"#,
            "unknown field `Sentence`: did you mean `sentence`?",
        ),
        (
            r#"{"text":"secret"}"#,
            "unknown field `text`: did you mean `sentence`?",
        ),
        (
            r#"{"sentence":"secret","label":"x"}"#,
            "unknown field `label`: the fields are `classifier`, `sentence`, `wait`",
        ),
        (
            r#"{"sentence":"secret","sentence":"x"}"#,
            "field `sentence` is given more than once",
        ),
        (
            r#"{"sentence":true}"#,
            "field `sentence` must be a text, not true or false",
        ),
        (
            r#"{"sentence":"x","classifier":7}"#,
            "field `classifier` must be a text, not a number",
        ),
        (
            r#"{"sentence":"\u200b"}"#,
            "field `sentence` is blank: it holds only white space, control or zero-width characters",
        ),
        ("[]", "not a JSON object, but an array"),
    ] {
        let response = classify.handle(post(text)).await;

        assert_eq!(problem(&response).0, 400);
        assert_eq!(body(&response)["detail"], detail);
    }
}

#[tokio::test]
async fn a_classifier_that_is_absent_null_or_blank_is_the_default_one() {
    let classify = classify(&healthy("0.8"));
    for text in [
        r#"{"sentence":"x"}"#,
        r#"{"classifier":null,"sentence":"x"}"#,
        r#"{"classifier":"","sentence":"x"}"#,
        r#"{"classifier":" ","sentence":"x"}"#,
    ] {
        let response = classify.handle(post(text)).await;

        assert_eq!(body(&response)["classifier"], "house", "{text}");
    }
}

/// The answer's `review` on a text of which this is written in the feedback bucket, by keys.
async fn review_after(written: &[(String, Value)], budget: &str) -> Value {
    let (script, aws) = (healthy("0.3"), LocalAws::in_memory());
    let bucket = BucketSpec {
        name: "feedback".into(),
        ..BucketSpec::default()
    };
    aws.s3.put_bucket(bucket).expect("a bucket");
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    for (key, content) in written {
        let content = content.to_string().into_bytes();
        let put = s3.put_object().bucket("feedback").key(key).body(content.into());
        put.send().await.expect("stored");
    }
    let classify = classify_with(&script, &aws, "0", "0", budget);

    let response = classify.handle(sentence("Rates rise")).await;

    assert_eq!(
        script.calls("PutRecord").len(),
        1,
        "it is stored whatever was asked"
    );
    body(&response)["review"].take()
}

/// Key and content of a claim on `name`.
fn claim(name: &str, owner: &str, claimed_at: &str) -> (String, Value) {
    (
        format!("claims/{name}"),
        json!({"owner": owner, "claimedAt": claimed_at}),
    )
}

#[tokio::test]
async fn a_text_that_will_not_be_asked_again_says_why() {
    let (now, long_ago) = (active_learning_aws::now(), "2020-01-01T00:00:00Z");
    let id = active_learning_core::feedback::record_id("news", "Rates rise");
    let line = json!({"classifier": "news", "utterance": "Rates rise"}).to_string();
    let record = active_learning_core::feedback::FeedbackRecord::parse(line.as_bytes()).expect("a record");
    let form = format!(
        "text-{}",
        active_learning_core::sampling::duplicates::same_form(&record)
    );
    let question = |state: &str| {
        let record: Value = serde_json::from_str(&record.to_line()).expect("JSON");
        let question = json!({"schemaVersion": 1, "state": state, "record": record});
        (format!("questions/{id}.json"), question)
    };
    let mut in_pool = question("asked");
    for (name, value) in [("source", "explicit-api"), ("signal", "unlabelled")] {
        in_pool.1["record"][name] = value.into();
    }
    let review = |why: Option<&str>, waits: bool| {
        let mut review =
            json!({"reason": "low-confidence", "queued": why.is_none(), "selectionProbability": 1.0});
        match why {
            Some(why) => review["notQueuedBecause"] = why.into(),
            None => review["decided"] = "on-delivery".into(),
        }
        if waits {
            review["waitsFor"] = "budget".into();
        }
        review
    };
    for (written, budget, expected) in [
        (vec![], "0", review(None, false)),
        (vec![], "5", review(None, true)),
        (
            vec![claim(&id, "feedback/feedback/a", &now)],
            "0",
            review(Some("already-asked"), false),
        ),
        (
            vec![claim(&id, "feedback/feedback/a", long_ago)],
            "0",
            review(None, false),
        ),
        (
            vec![claim(&id, "feedback/feedback/a", &now)],
            "5",
            review(Some("budget"), false),
        ),
        (
            vec![claim(&id, "feedback/backlog/selection-1", &now)],
            "5",
            review(Some("already-asked"), false),
        ),
        (
            vec![
                claim(&form, "another id", &now),
                claim("another id", "feedback/feedback/a", &now),
            ],
            "0",
            review(Some("duplicate"), false),
        ),
        // What was asked first has expired.
        (vec![claim(&form, "another id", &now)], "0", review(None, false)),
        (vec![claim(&form, &id, &now)], "0", review(None, false)),
        (vec![question("asked")], "0", review(Some("already-asked"), false)),
        (
            vec![question("asked"), claim(&id, "feedback/feedback/a", &now)],
            "5",
            review(Some("budget"), false),
        ),
        (
            vec![question("answered")],
            "0",
            review(Some("already-answered"), false),
        ),
        (vec![question("abandoned")], "0", review(None, false)),
        (
            vec![in_pool, claim(&id, "feedback/feedback/a", &now)],
            "0",
            review(Some("pool"), false),
        ),
    ] {
        assert_eq!(
            review_after(&written, budget).await,
            expected,
            "{written:?} {budget}"
        );
    }
}

#[tokio::test]
async fn a_text_may_have_10_000_bytes_but_not_one_more() {
    let classify = classify(&healthy("0.8"));
    let longest = "é".repeat(5_000);

    let accepted = classify.handle(sentence(&longest)).await;
    let refused = classify.handle(sentence(&format!("{longest}."))).await;

    assert_eq!(accepted.status(), 200);
    assert_eq!(problem(&refused), (413, "text_too_long".into(), None));
}

#[tokio::test(start_paused = true)]
async fn each_refusal_of_the_classifier_has_its_own_status_and_code() {
    for (status, code, expected) in [
        (400, "ThrottlingException", (429, "throttled", Some("1"))),
        (400, "ThrottleException", (429, "throttled", Some("1"))),
        (400, "TooManyRequestsException", (429, "throttled", Some("1"))),
        (
            400,
            "ProvisionedThroughputExceededException",
            (429, "throttled", Some("1")),
        ),
        (
            400,
            "ResourceUnavailableException",
            (503, "classifier_not_ready", Some("30")),
        ),
        (
            404,
            "ResourceUnavailableException",
            (503, "classifier_not_ready", Some("30")),
        ),
        (
            400,
            "TextSizeLimitExceededException",
            (413, "text_too_long", None),
        ),
        (
            400,
            "InvalidRequestException",
            (502, "classifier_unavailable", None),
        ),
        (
            400,
            "AccessDeniedException",
            (502, "classifier_unavailable", None),
        ),
        (
            500,
            "InternalServerException",
            (502, "classifier_unavailable", None),
        ),
    ] {
        let response = classify(&refusing(status, code)).handle(event(CONFIDENT)).await;

        let (status, found, retry_after) = problem(&response);
        assert_eq!((status, found.as_str(), retry_after), expected, "{code}");
        assert!(!String::from_utf8_lossy(response.body()).contains("The minister"));
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_first_model_a_text_is_answered_without_a_prediction_and_waits_to_be_labelled() {
    for (status, code) in [
        (400, "ResourceUnavailableException"),
        (404, "ResourceUnavailableException"),
    ] {
        let script = refusing(status, code);
        script.always("PutRecord", 200, r#"{"RecordId":"1"}"#);
        let aws = LocalAws::in_memory();
        let classify = classify_before_first_model(&script, &aws, ("0", "0", "0"), "label");

        let response = classify.handle(sentence("Where is my parcel?")).await;

        assert_eq!(response.status(), 200);
        let answer = body(&response);
        assert_eq!(answer["utterance"], "Where is my parcel?");
        assert_eq!(
            (&answer["prediction"], &answer["confidence"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(answer["classes"], json!([]));
        assert_eq!(
            answer["review"],
            json!({"reason": "unlabelled", "queued": true, "decided": "on-delivery", "waitsFor": "pool"})
        );
        let records = script.calls("PutRecord");
        assert_eq!(records.len(), 1);
        assert!(!answer["predictionId"].as_str().unwrap_or_default().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_tried_again_before_the_client_hears_of_it() {
    let script = Script::default();
    script.answer(1, "ClassifyDocument", 400, r#"{"__type":"ThrottlingException"}"#);
    script.always(
        "ClassifyDocument",
        200,
        r#"{"Classes":[{"Name":"World","Score":0.9}]}"#,
    );

    let response = classify(&script).handle(event(CONFIDENT)).await;

    assert_eq!(response.status(), 200);
    assert_eq!(script.calls("ClassifyDocument").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn nonsense_from_the_classifier_is_answered_with_502() {
    for (answer, code) in [
        ("{}", "no_prediction"),
        (r#"{"Classes":[{"Score":0.9}]}"#, "no_prediction"),
        ("<html>", "classifier_unavailable"),
    ] {
        let script = Script::default();
        script.always("ClassifyDocument", 200, answer);

        let response = classify(&script).handle(event(CONFIDENT)).await;

        assert_eq!(problem(&response), (502, code.into(), None), "{answer}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered_and_other_methods_are_refused() {
    let classify = classify(&healthy("0.8"));
    let with = |method: &str| {
        let request = http::Request::builder().method(method).uri("/classify");
        request.body(Body::Empty).expect("a request")
    };

    let preflight = classify.handle(with("OPTIONS")).await;
    let get = classify.handle(with("GET")).await;

    assert_eq!(preflight.status(), 204);
    assert_eq!(
        preflight.headers()["access-control-allow-methods"],
        "POST,OPTIONS"
    );
    assert_eq!(problem(&get), (405, "method_not_allowed".into(), None));
    assert_eq!(get.headers()["allow"], "POST, OPTIONS");
}

#[tokio::test]
async fn a_body_in_base64_is_decoded() {
    let mut encoded: Value = serde_json::from_str(CONFIDENT).expect("JSON");
    // {"classifier":"news","sentence":"x"}
    encoded["body"] = json!("eyJjbGFzc2lmaWVyIjoibmV3cyIsInNlbnRlbmNlIjoieCJ9");
    encoded["isBase64Encoded"] = json!(true);

    let response = classify(&healthy("0.8"))
        .handle(event(&encoded.to_string()))
        .await;

    assert_eq!(body(&response)["utterance"], "x");
}

/// Promises of the model that serves.
fn promises(state: &str, target: f64, threshold: f64) -> String {
    let counts = json!({"audited": 200, "wrong": 1});
    let promise = json!({
        "target": target, "state": state, "since": "2026-11-21T10:00:00.000Z", "reason": "audits", "threshold": threshold,
        "evidence": counts, "accuracyAtLeast": 0.96, "watched": counts, "told": true,
    });
    json!({"arn:model": promise}).to_string()
}

/// An audit rate that watches and, in a test, as good as never selects.
const SELDOM: &str = "0.000000001";

/// What is sent for a prediction with a confidence of 0.8, promised a target of 0.95 and audited with this rate.
async fn accepted(promises: &str, audit_rate: &str) -> (Value, Script) {
    let script = healthy("0.8");
    script.always(PROMISES, 200, promises);
    let classify = classify_accepting(&script, &LocalAws::in_memory(), audit_rate, "0.95");
    let response = classify.handle(event(CONFIDENT)).await;
    assert_eq!(response.status(), 200);
    (body(&response), script)
}

#[tokio::test]
async fn a_confidence_above_the_promise_is_accepted_as_a_label_and_the_answer_stays_the_same() {
    let (answer, script) = accepted(&promises("on", 0.95, 0.79), SELDOM).await;

    assert_eq!(answer["review"], Value::Null);
    let sent = record_sent(&script);
    assert_eq!(
        (&sent["signal"], &sent["acceptedAbove"], &sent["modelArn"]),
        (&json!("accepted"), &json!(0.79), &json!("arn:model"))
    );
    assert_eq!(sent["predictionId"], answer["predictionId"]);
    assert!(sent.get("selectionProbability").is_none(), "it is no sample");
}

#[tokio::test]
async fn nothing_is_accepted_without_a_promise_that_covers_it() {
    for promises in [
        promises("on", 0.95, 0.8),
        promises("waiting", 0.95, 0.1),
        promises("broken", 0.95, 0.1),
        promises("on", 0.9, 0.1),
        promises("on", 0.95, 0.1).replace("arn:model", "arn:other"),
        "{}".to_owned(),
        "damaged".to_owned(),
    ] {
        let (answer, script) = accepted(&promises, SELDOM).await;

        assert_eq!(answer["review"], Value::Null);
        assert_eq!(script.calls("PutRecord").len(), 0, "{promises}");
    }
}

#[tokio::test]
async fn without_audits_nobody_watches_and_nothing_is_accepted() {
    let (answer, script) = accepted(&promises("on", 0.95, 0.1), "0").await;

    assert_eq!(answer["review"], Value::Null);
    assert_eq!(
        (script.calls("PutRecord").len(), script.calls(PROMISES).len()),
        (0, 0)
    );
}

#[tokio::test]
async fn an_audit_comes_before_the_promise() {
    let (answer, script) = accepted(&promises("on", 0.95, 0.1), "1").await;

    assert_eq!(answer["review"]["reason"], "audit");
    assert_eq!(record_sent(&script)["signal"], "audit");
    assert_eq!(script.calls(PROMISES).len(), 0);
}

#[tokio::test]
async fn promises_are_read_once_a_minute_and_not_at_all_when_automated_labelling_is_off() {
    let script = healthy("0.8");
    script.always(PROMISES, 200, promises("on", 0.95, 0.1));
    let aws = LocalAws::in_memory();
    let (on, off) = (
        classify_accepting(&script, &aws, SELDOM, "0.95"),
        classify_accepting(&script, &aws, SELDOM, "0"),
    );

    off.handle(event(CONFIDENT)).await;
    assert_eq!(
        (
            script.calls(PROMISES).len(),
            script.calls("DescribeEndpoint").len()
        ),
        (0, 0)
    );
    for _ in 0..3 {
        on.handle(event(CONFIDENT)).await;
    }

    assert_eq!(
        (
            script.calls(PROMISES).len(),
            script.calls("DescribeEndpoint").len()
        ),
        (1, 1)
    );
    assert_eq!(script.calls("PutRecord").len(), 3);
}

#[tokio::test]
async fn promises_that_cannot_be_read_and_labels_that_cannot_be_stored_cost_the_caller_nothing() {
    let (denied, down) = (healthy("0.8"), script("0.8"));
    denied.always(PROMISES, 403, "<Error><Code>AccessDenied</Code></Error>");
    down.always(PROMISES, 200, promises("on", 0.95, 0.1));
    down.always("PutRecord", 503, STREAM_DOWN);
    down.always("PUT /feedback/", 403, "<Error><Code>AccessDenied</Code></Error>");

    for script in [&denied, &down] {
        let classify = classify_accepting(script, &LocalAws::in_memory(), SELDOM, "0.95");
        let response = classify.handle(event(CONFIDENT)).await;

        assert_eq!(response.status(), 200);
        assert_eq!(body(&response)["review"], Value::Null);
    }
    assert_eq!(denied.calls("PutRecord").len(), 0);
    assert!(!down.calls("PUT /feedback/").is_empty());
}

/// A request for what became of a prediction, as API Gateway passes it on.
fn get_result(prediction_id: &str, query: &str) -> Request {
    let event = json!({
        "resource": "/predictions/{predictionId}",
        "path": format!("/predictions/{prediction_id}"),
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": if query.is_empty() { Value::Null } else { json!({"wait": query}) },
        "multiValueQueryStringParameters": if query.is_empty() { Value::Null } else { json!({"wait": [query]}) },
        "pathParameters": {"predictionId": prediction_id},
        "stageVariables": null,
        "requestContext": {"stage": "dev", "httpMethod": "GET", "identity": {"sourceIp": "127.0.0.1"}},
        "body": null,
        "isBase64Encoded": false,
    });
    event_of(&event)
}

fn event_of(value: &Value) -> Request {
    event(&value.to_string())
}

fn with_feedback_bucket() -> LocalAws {
    let aws = LocalAws::in_memory();
    let bucket = BucketSpec {
        name: "feedback".to_owned(),
        ..BucketSpec::default()
    };
    aws.s3.put_bucket(bucket).expect("a bucket");
    aws
}

#[tokio::test]
async fn what_became_of_a_prediction_is_kept_without_its_text() {
    let aws = with_feedback_bucket();
    let classify = classify_auditing(&healthy("0.8"), &aws, "0");

    let answer = body(&classify.handle(event(CONFIDENT)).await);
    let id = answer["predictionId"].as_str().expect("an id");
    let result = classify.handle(get_result(id, "")).await;
    let wrong_wait = classify.handle(get_result(id, "soon")).await;

    assert!(answer.get("resultKept").is_none(), "{answer}");
    assert_eq!(result.status(), 200);
    assert!(result.headers().contains_key("etag"));
    assert_eq!(body(&result)["status"], "predicted");
    assert_eq!(body(&result)["prediction"], "Business");
    assert!(body(&result).get("utterance").is_none());
    assert_eq!(problem(&wrong_wait).0, 400);
}

#[tokio::test]
async fn a_result_is_not_sent_again_to_who_knows_it_on_whichever_line_of_the_header() {
    let aws = with_feedback_bucket();
    let classify = classify_auditing(&healthy("0.8"), &aws, "0");
    let answer = body(&classify.handle(event(CONFIDENT)).await);
    let id = answer["predictionId"].as_str().expect("an id");
    let etag = classify.handle(get_result(id, "")).await.headers()["etag"].clone();

    let known = |tags: &[&str]| {
        let mut request = get_result(id, "");
        for tag in tags {
            let tag = tag.parse().expect("a header");
            request.headers_mut().append("if-none-match", tag);
        }
        request
    };
    let etag = etag.to_str().expect("ASCII");
    let second = classify.handle(known(&[r#""other""#, etag])).await;
    let first = classify.handle(known(&[etag, r#""other""#])).await;
    let none = classify.handle(known(&[r#""other""#, r#""third""#])).await;

    let statuses = [second, first, none].map(|response| response.status().as_u16());
    assert_eq!(statuses, [304, 304, 200]);
}

#[tokio::test]
async fn where_no_predictions_are_kept_nothing_is_stored_and_nobody_finds_one() {
    let aws = with_feedback_bucket();
    let script = healthy("0.4");
    let classify = classify_keeping(&script, &aws, ("0", "0", "0"), ("refuse", "keep"), "0");

    let answer = body(&classify.handle(sentence("Rates rise")).await);
    let id = answer["predictionId"].as_str().expect("an id");
    let result = classify.handle(get_result(id, "")).await;

    assert_eq!(answer["review"]["queued"], true);
    assert!(answer.get("resultKept").is_none(), "{answer}");
    assert_eq!(problem(&result).0, 404);
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    let stored = s3
        .list_objects_v2()
        .bucket("feedback")
        .send()
        .await
        .expect("listed");
    assert!(stored.contents().is_empty(), "{stored:?}");
}

/// A request to classify a text, and to wait for people.
fn waiting(text: &str, wait: Value) -> Request {
    post(json!({"classifier": "news", "sentence": text, "wait": wait}).to_string())
}

#[tokio::test]
async fn a_classification_that_waits_is_answered_with_what_people_said() {
    let aws = with_feedback_bucket();
    let script = healthy("0.4");
    let classify = classify_auditing(&script, &aws, "0");
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    let answering = async {
        // It has been queued for people by then, and waits for them.
        while script.calls("PutRecord").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let record = FeedbackRecord::parse(record_sent(&script).to_string().as_bytes()).expect("a record");
        let mut question = Question::asked(record.clone(), "review-1", 1);
        question.answer_with(&[Vote {
            source: VoteSource::HumanReview,
            ..Vote::of_user(&record, Answer::labels(["Sports"]))
        }]);
        let put = s3.put_object().bucket("feedback").key(keys::question(&record.id));
        put.body(question.to_json().into()).send().await.expect("stored");
    };

    let (response, ()) = tokio::join!(classify.handle(waiting("Rates rise", json!(true))), answering);

    let answer = body(&response);
    assert_eq!(answer["prediction"], "Business");
    assert_eq!(answer["result"]["status"], "answered", "{answer}");
    assert_eq!(answer["result"]["label"], "Sports");
    assert_eq!(answer["result"]["predictionId"], answer["predictionId"]);
}

/// Stores the question of the one record that was queued, in this state, and its answer where there is one.
async fn store_question(aws: &LocalAws, script: &Script, label: Option<&str>) {
    let record = FeedbackRecord::parse(record_sent(script).to_string().as_bytes()).expect("a record");
    let mut question = Question::asked(record.clone(), "review-1", 1);
    if let Some(label) = label {
        question.answer_with(&[Vote {
            source: VoteSource::HumanReview,
            ..Vote::of_user(&record, Answer::labels([label]))
        }]);
    }
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    let put = s3.put_object().bucket("feedback").key(keys::question(&record.id));
    put.body(question.to_json().into()).send().await.expect("stored");
}

#[tokio::test]
async fn a_text_that_people_have_answered_has_their_answer_at_once() {
    let aws = with_feedback_bucket();
    let script = healthy("0.4");
    let classify = classify_auditing(&script, &aws, "0");
    let first = body(&classify.handle(sentence("Rates rise")).await);
    store_question(&aws, &script, Some("Sports")).await;

    let again = body(&classify.handle(sentence("Rates rise")).await);

    assert_eq!(first.get("result"), None, "{first}");
    assert_eq!(again["review"]["notQueuedBecause"], "already-answered", "{again}");
    assert_eq!(
        (&again["result"]["status"], &again["result"]["label"]),
        (&json!("answered"), &json!("Sports"))
    );
    assert_eq!(again["result"]["predictionId"], again["predictionId"]);
}

#[tokio::test]
async fn a_text_about_which_people_are_asked_already_is_waited_for_where_that_is_wanted() {
    let aws = with_feedback_bucket();
    let script = healthy("0.4");
    let classify = classify_auditing(&script, &aws, "0");
    classify.handle(sentence("Rates rise")).await;
    store_question(&aws, &script, None).await;

    let unasked = body(&classify.handle(sentence("Rates rise")).await);
    let waited = body(&classify.handle(waiting("Rates rise", json!(1))).await);

    assert_eq!(
        unasked["review"]["notQueuedBecause"], "already-asked",
        "{unasked}"
    );
    assert_eq!(unasked.get("result"), None);
    assert_eq!(waited["result"]["status"], "in-review", "{waited}");
}

#[tokio::test]
async fn a_classification_waits_too_where_people_are_or_were_asked_about_its_text_already() {
    let line = json!({"classifier": "news", "utterance": "Rates rise"}).to_string();
    let record = FeedbackRecord::parse(line.as_bytes()).expect("a record");
    for is_answered in [false, true] {
        let aws = with_feedback_bucket();
        let classify = classify_auditing(&healthy("0.4"), &aws, "0");
        let mut question = Question::asked(record.clone(), "review-1", 1);
        if is_answered {
            question.answer_with(&[Vote {
                source: VoteSource::HumanReview,
                ..Vote::of_user(&record, Answer::labels(["Sports"]))
            }]);
        }
        let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
        let put = s3.put_object().bucket("feedback").key(keys::question(&record.id));
        put.body(question.to_json().into()).send().await.expect("stored");

        let answer = body(&classify.handle(waiting("Rates rise", json!(1))).await);

        let (why, status) = match is_answered {
            false => ("already-asked", "in-review"),
            true => ("already-answered", "answered"),
        };
        assert_eq!(answer["review"]["notQueuedBecause"], why, "{answer}");
        assert_eq!(answer["result"]["status"], status, "{answer}");
    }
}

#[tokio::test]
async fn a_wait_ends_when_its_time_is_over_and_does_not_begin_where_nobody_is_asked() {
    let (doubtful, sure) = (healthy("0.4"), healthy("0.8"));

    let in_vain = classify(&doubtful).handle(waiting("Rates rise", json!(1))).await;
    let trusted = classify(&sure).handle(waiting("Rates rise", json!(true))).await;

    assert_eq!(body(&in_vain)["result"]["status"], "in-review");
    assert_eq!(trusted.status(), 200);
    assert_eq!(body(&trusted).get("result"), None);
}

#[tokio::test]
async fn a_dispute_and_a_complaint_that_was_taken_back_are_told_to_who_asks() {
    for (state, told) in [(State::Disputed, "disputed"), (State::Withdrawn, "withdrawn")] {
        let aws = with_feedback_bucket();
        let script = healthy("0.4");
        let classify = classify_auditing(&script, &aws, "0");
        let answer = body(&classify.handle(sentence("Rates rise")).await);
        let record = FeedbackRecord::parse(record_sent(&script).to_string().as_bytes()).expect("a record");
        let key = keys::question(&record.id);
        let question = Question {
            state,
            ..Question::asked(record, "review-1", 1)
        };
        let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
        let put = s3.put_object().bucket("feedback").key(key);
        put.body(question.to_json().into()).send().await.expect("stored");

        let id = answer["predictionId"].as_str().expect("an id");
        // Nothing more is waited for.
        let result = body(&classify.handle(get_result(id, "20")).await);

        assert_eq!(result["status"], told, "{result}");
    }
}

#[tokio::test]
async fn who_waits_for_a_prediction_whose_question_is_kept_no_longer_is_told_so_at_once() {
    let aws = with_feedback_bucket();
    let classify = classify_auditing(&healthy("0.4"), &aws, "0");
    let answer = body(&classify.handle(sentence("Rates rise")).await);
    let id = answer["predictionId"].as_str().expect("an id");
    let on_its_way = body(&classify.handle(get_result(id, "")).await);
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    let object = || {
        s3.get_object()
            .bucket("feedback")
            .key(format!("predictions/{id}.json"))
    };
    let kept = object()
        .send()
        .await
        .expect("kept")
        .body
        .collect()
        .await
        .expect("a body");
    let mut kept: Value = serde_json::from_slice(&kept.to_vec()).expect("JSON");
    kept["predictedAt"] = "2020-01-01T00:00:00.000Z".into();
    let put = s3
        .put_object()
        .bucket("feedback")
        .key(format!("predictions/{id}.json"));
    let put = put.body(kept.to_string().into_bytes().into());
    put.send().await.expect("stored");

    let result = body(&classify.handle(get_result(id, "20")).await);

    assert_eq!(on_its_way["status"], "in-review");
    assert_eq!(result["status"], "expired", "{result}");
    assert_eq!(result["prediction"], on_its_way["prediction"]);
}

/// Whose answer a prediction's result gives, where the form of its text is held by `owner` and these are written.
async fn result_of_copy(owner: &str, written: &[(String, Value)]) -> Value {
    let aws = with_feedback_bucket();
    let classify = classify_auditing(&healthy("0.4"), &aws, "0");
    let answer = body(&classify.handle(sentence("Rates rise")).await);
    let line = json!({"classifier": answer["classifier"], "utterance": "Rates rise"}).to_string();
    let record = FeedbackRecord::parse(line.as_bytes()).expect("a record");
    let form = active_learning_core::sampling::duplicates::same_form(&record);
    let owner = if owner == "own" { &record.id } else { owner };
    let duplicate = |written: &(String, Value)| (written.0.replace("own", &record.id), written.1.clone());
    let written = written.iter().map(duplicate);
    let claimed = claim(&format!("text-{form}"), owner, &active_learning_aws::now());
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    for (key, content) in written.chain([claimed]) {
        let put = s3.put_object().bucket("feedback").key(key);
        let body = content.to_string().into_bytes();
        put.body(body.into()).send().await.expect("stored");
    }

    let id = answer["predictionId"].as_str().expect("an id");
    body(&classify.handle(get_result(id, "")).await)
}

#[tokio::test]
async fn the_answer_to_a_copy_is_that_of_the_text_at_the_end_of_the_way() {
    let record = |text: &str| {
        let line = json!({"classifier": "news", "utterance": text}).to_string();
        FeedbackRecord::parse(line.as_bytes()).expect("a record")
    };
    let vote = |answer: &str, source| Vote {
        worker: "w1".to_owned(),
        answer: Answer::labels([answer]),
        source,
        at: "2026-11-20T10:30:00Z".to_owned(),
        seconds: None,
        note: Default::default(),
    };
    let key = |id: &str| format!("questions/{id}.json");
    let json_of = |question: Question| serde_json::from_slice::<Value>(&question.to_json()).expect("JSON");
    let mut answered = Question::asked(record("Rates rise again"), "review-1", 1);
    answered.answer_with(&[vote("Sports", VoteSource::HumanReview)]);
    let mut made_of_votes = Question::known(record("Rates rise"));
    made_of_votes.add(&[vote("World", VoteSource::Feedback)]);
    let answered = (key("o"), json_of(answered));
    let made_of_votes = (key("own"), json_of(made_of_votes));
    let duplicate =
        |id: &str, original: &str| (format!("duplicates/{id}.json"), json!({"original": original}));
    let turning = [duplicate("c", "d"), duplicate("d", "c")];
    let mut given_up = Question::asked(record("Rates rise"), "review-2", 1);
    given_up.give_up(None);
    let given_up = (key("own"), json_of(given_up));

    for (owner, written, status) in [
        ("o", vec![answered.clone()], "answered"),
        ("own", vec![answered.clone(), duplicate("own", "o")], "answered"),
        ("c", vec![answered.clone(), duplicate("c", "o")], "answered"),
        (
            "own",
            vec![answered.clone(), made_of_votes.clone(), duplicate("own", "o")],
            "answered",
        ),
        // Its question was given up, and a copy of it went on.
        ("o", vec![answered.clone(), given_up.clone()], "answered"),
        ("own", vec![answered.clone(), given_up], "abandoned"),
        ("own", vec![answered, made_of_votes], "in-review"),
        ("c", turning.to_vec(), "in-review"),
    ] {
        let result = result_of_copy(owner, &written).await;

        assert_eq!(result["status"], status, "{owner} {written:?} {result}");
    }
}

#[tokio::test]
async fn what_people_answered_in_another_spelling_counts_before_what_a_file_says_of_this_one() {
    let question = |text: &str, human_loop: Option<&str>, label: &str, source| {
        let line = json!({"classifier": "news", "utterance": text}).to_string();
        let mut question = Question::known(FeedbackRecord::parse(line.as_bytes()).expect("a record"));
        question.human_loop = human_loop.map(str::to_owned);
        question.answer_with(&[Vote {
            worker: "w1".to_owned(),
            answer: Answer::labels([label]),
            source,
            at: "2026-11-20T10:30:00Z".to_owned(),
            seconds: None,
            note: Default::default(),
        }]);
        serde_json::from_slice::<Value>(&question.to_json()).expect("JSON")
    };
    let key = |id: &str| format!("questions/{id}.json");
    let of_people = question("RATES rise!", Some("review-1"), "Sports", VoteSource::HumanReview);
    let of_file = || question("Rates rise", None, "World", VoteSource::Import);
    let of_other_file = question("RATES rise!", None, "Sports", VoteSource::Import);

    for (owner, other, label) in [
        ("o", Some(of_people), "Sports"),
        ("o", Some(of_other_file), "World"),
        ("o", None, "World"),
        ("own", None, "World"),
    ] {
        let other = other.map(|question| (key("o"), question));
        let written: Vec<_> = other.into_iter().chain([(key("own"), of_file())]).collect();

        let result = result_of_copy(owner, &written).await;

        assert_eq!(
            (&result["status"], &result["label"]),
            (&json!("answered"), &json!(label))
        );
    }
}

#[tokio::test]
async fn a_text_that_was_erased_is_not_waited_for() {
    let aws = with_feedback_bucket();
    let mut erased = ErasedTexts::default();
    erased.insert("I live in 4 Elm Street");
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    let put = s3.put_object().bucket("feedback").key(keys::ERASED_TEXTS);
    put.body(erased.write().into()).send().await.expect("stored");
    let classify = classify_auditing(&healthy("0.4"), &aws, "0");

    let answer = body(&classify.handle(sentence("I live in 4 elm street!")).await);
    let id = answer["predictionId"].as_str().expect("an id");
    let result = body(&classify.handle(get_result(id, "")).await);

    assert_eq!(answer["review"]["notQueuedBecause"], "erased", "{answer}");
    assert_eq!(result["status"], "erased", "{result}");
}

#[tokio::test]
async fn a_text_that_could_not_be_stored_for_people_is_not_waited_for() {
    let aws = with_feedback_bucket();
    let script = script("0.4");
    script.always("PutRecord", 503, STREAM_DOWN);
    script.always(
        "PUT /feedback/feedback/direct/",
        503,
        "<Error><Code>ServiceUnavailable</Code></Error>",
    );
    let classify = classify_auditing(&script, &aws, "0");

    let answer = body(&classify.handle(sentence("The ship left port")).await);
    let id = answer["predictionId"].as_str().expect("an id");
    let result = body(&classify.handle(get_result(id, "")).await);

    assert_eq!(answer["review"]["notQueuedBecause"], "not-stored", "{answer}");
    assert!(answer.get("resultKept").is_none(), "{answer}");
    assert_eq!(result["status"], "not-stored", "{result}");
    assert_eq!(result["review"], "low-confidence", "{result}");
}

#[tokio::test]
async fn a_prediction_that_cannot_be_kept_is_still_answered_and_says_so() {
    let without_bucket = LocalAws::in_memory();
    let classify = classify_auditing(&healthy("0.8"), &without_bucket, "0");

    let answer = classify.handle(event(CONFIDENT)).await;

    assert_eq!(answer.status(), 200);
    assert_eq!(body(&answer)["resultKept"], false, "{}", body(&answer));
}

#[tokio::test]
async fn only_get_is_understood_where_results_are() {
    let mut request = get_result("82edcc00-a237-4925-ab3a-0a792b391ddf", "");
    *request.method_mut() = http::Method::POST;

    let response = classify(&healthy("0.8")).handle(request).await;

    assert_eq!(problem(&response), (405, "method_not_allowed".into(), None));
    assert_eq!(response.headers()["allow"], "GET, OPTIONS");
}

#[tokio::test]
async fn a_class_that_was_split_or_retired_since_goes_to_people_however_sure_the_model_is() {
    for change in [
        |set: &mut LabelSet| set.split("Business", &["Markets", "Companies"]),
        |set: &mut LabelSet| set.retire("Business"),
    ] {
        let mut set = LabelSet::seed(["Business", "Sports", "World"], Origin::Edited, "");
        change(&mut set).expect("allowed");
        let script = healthy("0.99");
        let json = String::from_utf8(set.to_json()).expect("UTF-8");
        script.always("GET /training-123456789012/label-set.json", 200, json);

        let response = classify(&script).handle(event(CONFIDENT)).await;

        let answer = body(&response);
        assert_eq!(answer["prediction"], "Business");
        assert_eq!(answer["review"]["reason"], "outdated-label");
        assert_eq!(answer["review"]["queued"], true);
        assert_eq!(record_sent(&script)["signal"], "outdated-label");
    }
}

/// What is answered where the label set has changed since the model was trained.
async fn answer_after(
    change: impl FnOnce(&mut LabelSet) -> Result<(), LabelSetError>,
    script: &Script,
) -> Value {
    let mut set = LabelSet::seed(["Business", "Sports", "World"], Origin::Edited, "");
    change(&mut set).expect("allowed");
    let json = String::from_utf8(set.to_json()).expect("UTF-8");
    script.always("GET /training-123456789012/label-set.json", 200, json);
    body(&classify(script).handle(event(CONFIDENT)).await)
}

#[tokio::test]
async fn a_class_that_was_renamed_since_is_trusted_and_called_by_its_new_name_before_the_next_build() {
    let answer = answer_after(|set| set.rename("Business", "Economy"), &healthy("0.8")).await;
    let without = classify(&healthy("0.8")).handle(event(CONFIDENT)).await;

    assert_eq!(answer["review"], Value::Null);
    assert_eq!(answer["prediction"], "Economy");
    assert_eq!(answer["confidence"], json!(0.8));
    let names: Vec<&Value> = answer["classes"]
        .as_array()
        .expect("classes")
        .iter()
        .map(|class| &class["name"])
        .collect();
    assert_eq!(names, ["Economy", "Sports", "World"]);
    assert_eq!(body(&without)["review"], Value::Null);
    assert_eq!(body(&without)["prediction"], "Business");
}

#[tokio::test]
async fn classes_that_were_merged_since_are_one_with_the_sum_of_their_scores() {
    let answer = answer_after(|set| set.merge("Sports", "Business"), &healthy("0.625")).await;

    assert_eq!(answer["prediction"], "Business");
    assert_eq!(
        answer["review"],
        Value::Null,
        "0.815 is above the threshold of 0.7"
    );
    let confidence = answer["confidence"].as_f64().expect("a number");
    assert!((confidence - 0.815).abs() < 1e-6, "{confidence}");
    assert_eq!(answer["classes"].as_array().expect("classes").len(), 2);
}

#[tokio::test]
async fn what_is_queued_and_kept_of_a_renamed_class_has_its_new_name() {
    let script = healthy("0.5");

    let answer = answer_after(|set| set.rename("Business", "Economy"), &script).await;

    let sent = record_sent(&script);
    assert_eq!(answer["review"]["reason"], "low-confidence");
    assert_eq!(sent["prediction"], "Economy");
    assert_eq!(sent["classes"][0]["name"], "Economy");
}

#[tokio::test]
async fn a_prediction_from_before_a_rename_a_merge_or_an_accepted_proposal_is_told_by_the_names_of_now() {
    let aws = with_feedback_bucket();
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    let script = healthy("0.8");
    let kept = body(
        &classify_auditing(&script, &aws, "0")
            .handle(event(CONFIDENT))
            .await,
    );
    let id = kept["predictionId"].as_str().expect("an id");
    let text = kept["utterance"].as_str().expect("a text");
    let mut set = LabelSet::seed(["Business", "Sports", "World"], Origin::Edited, "");
    set.rename("Business", "Economy").expect("free");
    set.add("Weather", "").expect("accepted");
    let json = String::from_utf8(set.to_json()).expect("UTF-8");
    script.always("GET /training-123456789012/label-set.json", 200, json);
    let told = async || {
        // One that knows nothing of the set from before.
        let classify = classify_auditing(&script, &aws, "0");
        body(&classify.handle(get_result(id, "")).await)
    };

    let before = told().await;
    let mut answers = Vec::new();
    for answer in [
        Answer::labels(["Business"]),
        Answer::NewLabel {
            label: "weather".to_owned(),
        },
    ] {
        let line = json!({"classifier": "news", "utterance": text, "prediction": "Business"}).to_string();
        let record = FeedbackRecord::parse(line.as_bytes()).expect("a record");
        let mut question = Question::asked(record, "review-1", 1);
        question.answer_with(&[Vote {
            worker: "w1".to_owned(),
            answer,
            source: VoteSource::HumanReview,
            at: "2026-11-28T11:00:00.000Z".to_owned(),
            seconds: None,
            note: Default::default(),
        }]);
        let put = s3
            .put_object()
            .bucket("feedback")
            .key(keys::question(&question.record.id));
        put.body(question.to_json().into()).send().await.expect("stored");
        answers.push(told().await);
    }

    assert_eq!(kept["prediction"], "Business");
    assert_eq!(
        (&before["prediction"], &before["status"]),
        (&json!("Economy"), &json!("predicted"))
    );
    let seen: Vec<(&Value, &Value, &Value)> = (answers.iter())
        .map(|told| (&told["prediction"], &told["answer"], &told["label"]))
        .collect();
    let (economy, labels, weather) = (json!("Economy"), json!("labels"), json!("Weather"));
    assert_eq!(
        seen,
        [(&economy, &labels, &economy), (&economy, &labels, &weather)]
    );
}

#[tokio::test]
async fn what_is_stored_and_what_is_looked_up_goes_out_together() {
    for until in ["GET /feedback/claims/", "PUT /feedback/predictions/"] {
        let script = healthy("0.5");
        script.hold("PutRecord", until);

        let response = classify(&script).handle(event(LOW_CONFIDENCE)).await;

        assert_eq!(response.status(), 200, "{until}");
        assert_eq!(body(&response)["review"]["queued"], true, "{until}");
        // One that waited for the other would have been given up, and stored in another way.
        assert_eq!(script.calls("PutRecord").len(), 1, "{until}");
        assert!(script.calls("PUT /feedback/feedback/").is_empty(), "{until}");
    }
}
