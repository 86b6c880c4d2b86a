//! The function before a model behind a SageMaker endpoint, which answers as each test says.

use active_learning_aws::env::Env;
use active_learning_core::labels::label_set::{LABEL_SET_KEY, LabelSet, LabelSetError, Origin};
use classify::{Classify, Config};
use lambda_http::{Body, Request, Response, http};
use local_aws::{LocalAws, s3::BucketSpec, script::Script};
use serde_json::{Value, json};

const INVOKE: &str = "POST /endpoints/news/invocations";
const TEXT: &str = "The minister said \"no\".";
const TRAINING_BUCKET: &str = "training-123456789012";

const DEFAULTS: &[(&str, &str)] = &[
    (
        "SAGEMAKER_ENDPOINT_ARN",
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/news",
    ),
    ("SAGEMAKER_CONTENT_TYPE", "application/json"),
    ("SAGEMAKER_REQUEST_TEMPLATE", r#"{"inputs": {{text}}}"#),
    ("SAGEMAKER_LABEL_PATH", ""),
    ("SAGEMAKER_SCORE_PATH", ""),
    ("SEVERAL_LABELS", "false"),
    ("COMPREHEND_ENDPOINT_ARN", ""),
    ("CLASSIFIER_URL", ""),
    ("FEEDBACK_STREAM_NAME", "feedback"),
    ("FEEDBACK_BUCKET_NAME", "feedback"),
    ("DEFAULT_CLASSIFIER_NAME", "house"),
    ("CLAIM_RETENTION_DAYS", "90"),
    ("PREDICTION_RETENTION_DAYS", "30"),
    ("REVIEW_BUDGET_PER_DAY", "0"),
    ("POOL_TEXTS_IN_REVIEW", "50"),
    ("TRAINING_BUCKET_NAME", TRAINING_BUCKET),
    ("AUTOMATED_LABELLING_ACCURACY", "0"),
    ("CONFIDENCE_THRESHOLD", "0.7"),
    ("MARGIN_THRESHOLD", "0"),
    ("AUDIT_SAMPLE_RATE", "0"),
    ("ALLOWED_ORIGIN", "*"),
    ("PERSONAL_DATA", "keep"),
    ("LANGUAGE_CODE", "en"),
];

fn classify(script: &Script, changed: &[(&str, &str)]) -> Classify {
    let aws = LocalAws::in_memory();
    for bucket in ["feedback", TRAINING_BUCKET] {
        let bucket = BucketSpec {
            name: bucket.to_owned(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(bucket).expect("a new bucket");
    }
    let before_first_model = [("BEFORE_FIRST_MODEL", "refuse")];
    let env = DEFAULTS.iter().chain(&before_first_model).chain(changed);
    let env: Env = env
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let config = Config::from_env(&env).expect("complete");
    Classify::new(config, &script.sdk_config(aws.router()))
}

/// An endpoint that answers.
fn endpoint(answer: &str) -> Script {
    let script = Script::default();
    script.always(INVOKE, 200, answer);
    script.always("PutRecord", 200, r#"{"RecordId":"1"}"#);
    script
}

async fn ask(classify: &Classify) -> (u16, Value, Option<String>) {
    let body = json!({"classifier": "news", "sentence": TEXT}).to_string();
    let request: Request = http::Request::builder()
        .method("POST")
        .uri("/classify")
        .body(Body::from(body))
        .expect("a request");

    let response: Response<Body> = classify.handle(request).await;

    let retry_after = response.headers().get("retry-after");
    let retry_after = retry_after.map(|value| value.to_str().expect("text").to_owned());
    let body = serde_json::from_slice(response.body()).expect("JSON");
    (response.status().as_u16(), body, retry_after)
}

#[tokio::test]
async fn a_hugging_face_container_is_asked_and_its_answer_is_the_prediction() {
    let script = endpoint(r#"[[{"label":"Sports","score":0.25},{"label":"World","score":0.75}]]"#);

    let (status, answer, _) = ask(&classify(&script, &[])).await;

    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        (&answer["prediction"], &answer["confidence"]),
        (&json!("World"), &json!(0.75))
    );
    assert_eq!(answer["classes"].as_array().expect("classes").len(), 2);
    assert_eq!(answer["review"], Value::Null);
    let sent: Value = serde_json::from_slice(&script.calls(INVOKE)[0]).expect("JSON");
    assert_eq!(sent, json!({"inputs": TEXT}));
}

#[tokio::test]
async fn a_record_for_review_names_the_endpoint_as_the_model() {
    let script = endpoint(r#"{"predictions":[{"label":"World","score":0.5}]}"#);

    let (_, answer, _) = ask(&classify(&script, &[])).await;

    assert_eq!(answer["review"]["reason"], "low-confidence");
    let sent: Value = serde_json::from_slice(&script.calls("PutRecord")[0]).expect("JSON");
    assert!(sent["Record"]["Data"].is_string());
}

#[tokio::test]
async fn own_paths_template_and_content_type_are_used() {
    let script = endpoint(r#"{"topics":[{"name":"World","p":0.9}]}"#);
    let own = [
        ("SAGEMAKER_CONTENT_TYPE", "text/plain"),
        ("SAGEMAKER_REQUEST_TEMPLATE", "classify: {{text}}"),
        ("SAGEMAKER_LABEL_PATH", "$.topics[*].name"),
        ("SAGEMAKER_SCORE_PATH", "$.topics[*].p"),
    ];

    let (_, answer, _) = ask(&classify(&script, &own)).await;

    assert_eq!(answer["prediction"], "World");
    assert_eq!(script.calls(INVOKE)[0], format!("classify: {TEXT}"));
}

#[tokio::test]
async fn classes_get_the_names_of_the_labels_whose_synonyms_they_are() {
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-20T10:00:00.000Z");
    set.add_synonym("World", "LABEL_0").expect("a free name");
    let script = endpoint(r#"[{"label":"LABEL_1","score":0.1},{"label":"LABEL_0","score":0.9}]"#);
    let labels = String::from_utf8(set.to_json()).expect("text");
    script.always(&format!("GET /{TRAINING_BUCKET}/{LABEL_SET_KEY}"), 200, labels);

    let (_, answer, _) = ask(&classify(&script, &[])).await;

    assert_eq!(answer["prediction"], "World");
    assert_eq!(answer["classes"][1]["name"], "LABEL_1");
}

#[tokio::test]
async fn several_labels_are_assigned_where_texts_may_have_them() {
    let script = endpoint(r#"{"labels":["World","Business","Sports"],"scores":[0.95,0.875,0.01]}"#);

    let (_, answer, _) = ask(&classify(&script, &[("SEVERAL_LABELS", "true")])).await;

    assert_eq!(
        (&answer["prediction"], &answer["confidence"]),
        (&json!("World|Business"), &json!(0.875))
    );
}

#[tokio::test(start_paused = true)]
async fn each_failure_of_the_endpoint_has_its_own_answer_and_quotes_nothing() {
    for (status, body, expected) in [
        (
            424,
            r#"{"__type":"ModelError","OriginalStatusCode":400,"OriginalMessage":"minister"}"#,
            (502, "model_failed", None),
        ),
        (
            424,
            r#"{"__type":"ModelError","OriginalStatusCode":503,"OriginalMessage":"minister"}"#,
            (503, "classifier_not_ready", Some("5")),
        ),
        (
            424,
            r#"{"__type":"ModelError","OriginalStatusCode":429,"OriginalMessage":"minister"}"#,
            (429, "throttled", Some("1")),
        ),
        (
            424,
            r#"{"__type":"ModelError","OriginalStatusCode":0,"OriginalMessage":"minister"}"#,
            (502, "model_failed", None),
        ),
        (
            429,
            r#"{"__type":"ModelNotReadyException"}"#,
            (503, "classifier_not_ready", Some("5")),
        ),
        (
            400,
            r#"{"__type":"ThrottlingException"}"#,
            (429, "throttled", Some("1")),
        ),
        (
            503,
            r#"{"__type":"ServiceUnavailable"}"#,
            (429, "throttled", Some("1")),
        ),
        (
            400,
            r#"{"__type":"ValidationError","Message":"Endpoint minister of account 123456789012 not found."}"#,
            (503, "classifier_not_ready", Some("30")),
        ),
        (
            400,
            r#"{"__type":"ValidationError","Message":"minister"}"#,
            (502, "classifier_unavailable", None),
        ),
        (
            403,
            r#"{"__type":"AccessDeniedException"}"#,
            (502, "classifier_unavailable", None),
        ),
        (
            530,
            r#"{"__type":"InternalDependencyException"}"#,
            (502, "classifier_unavailable", None),
        ),
        (200, "<html>minister", (502, "answer_unreadable", None)),
        (
            200,
            r#"[{"label":"minister","score":7.5}]"#,
            (502, "answer_unreadable", None),
        ),
        (
            200,
            r#"[{"label":"minister","score":0.5},{"label":"minister","score":0.4}]"#,
            (502, "answer_unreadable", None),
        ),
    ] {
        let script = Script::default();
        script.always(INVOKE, status, body);

        let (found, problem, retry_after) = ask(&classify(&script, &[])).await;

        let code = problem["code"].as_str().expect("a code");
        assert_eq!((found, code, retry_after.as_deref()), expected, "{body}");
        assert!(!problem.to_string().contains("minister"), "{problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_endpoint_texts_wait_to_be_labelled() {
    let ask_refused = async |message: &str| {
        let script = Script::default();
        let refusal = json!({"__type": "ValidationError", "Message": message});
        script.always(INVOKE, 400, refusal.to_string());
        script.always("PutRecord", 200, r#"{"RecordId":"1"}"#);
        let (status, answer, _) = ask(&classify(&script, &[("BEFORE_FIRST_MODEL", "label")])).await;
        (status, answer, script.calls("PutRecord").len())
    };

    let (status, answer, _) = ask_refused("Endpoint news of account 123456789012 not found.").await;
    let (other_status, other, sent) = ask_refused("1 validation error detected").await;

    assert_eq!((status, &answer["prediction"]), (200, &Value::Null));
    assert_eq!(answer["review"]["reason"], "unlabelled");
    assert_eq!((other_status, sent), (502, 0), "{other}");
}

#[tokio::test]
async fn a_class_that_the_label_set_does_not_know_goes_to_people_however_sure_the_hosted_model_is() {
    let answered = async |class: &str, labels: &[&str]| {
        let answer = json!([{"label": class, "score": 0.99}]);
        let script = endpoint(&answer.to_string());
        let mut set = LabelSet::seed(labels.iter().copied(), Origin::Parameter, "");
        if labels.contains(&"World") {
            set.add_synonym("World", "LABEL_0").expect("a free name");
        }
        let labels = String::from_utf8(set.to_json()).expect("text");
        script.always(&format!("GET /{TRAINING_BUCKET}/{LABEL_SET_KEY}"), 200, labels);
        let (_, answer, _) = ask(&classify(&script, &[])).await;
        answer["review"]["reason"].clone()
    };

    let unknown = answered("space", &["World", "Sports"]).await;
    let without_synonym = answered("LABEL_1", &["World", "Sports"]).await;
    let synonym = answered("label_0", &["World", "Sports"]).await;
    let without_labels = answered("space", &[]).await;

    assert_eq!(
        (unknown, without_synonym),
        (json!("unknown-label"), json!("unknown-label"))
    );
    assert_eq!((synonym, without_labels), (Value::Null, Value::Null));
}

#[tokio::test]
async fn a_class_of_a_hosted_model_that_was_retired_or_split_goes_to_people_and_a_merged_one_has_its_new_name()
 {
    type Change = fn(&mut LabelSet) -> Result<(), LabelSetError>;
    let answered = async |change: Change| {
        let answer = json!([{"label": "Space", "score": 0.99}]);
        let script = endpoint(&answer.to_string());
        let mut set = LabelSet::seed(["World", "Space", "Science"], Origin::Edited, "");
        change(&mut set).expect("allowed");
        let labels = String::from_utf8(set.to_json()).expect("text");
        script.always(&format!("GET /{TRAINING_BUCKET}/{LABEL_SET_KEY}"), 200, labels);
        let (_, answer, _) = ask(&classify(&script, &[])).await;
        (answer["prediction"].clone(), answer["review"]["reason"].clone())
    };

    let retired = answered(|set| set.retire("Space")).await;
    let split = answered(|set| set.split("Space", &["Rockets", "Stars"])).await;
    let merged = answered(|set| set.merge("Space", "Science")).await;

    assert_eq!(retired, (json!("Space"), json!("outdated-label")));
    assert_eq!(split, (json!("Space"), json!("outdated-label")));
    assert_eq!(merged, (json!("Science"), Value::Null));
}

#[tokio::test]
async fn a_container_that_nobody_runs_is_told_in_plain_words_and_no_answer_speaks_of_cloudwatch() {
    for (status, words) in [
        (0, "nothing listens where its container is"),
        (500, "failed with status 500"),
    ] {
        let script = Script::default();
        let error = json!({"__type": "ModelError", "OriginalStatusCode": status});
        script.always(INVOKE, 424, error.to_string());

        let (_, problem, _) = ask(&classify(&script, &[])).await;

        let detail = problem["detail"].as_str().expect("words");
        assert!(detail.contains(words), "{detail}");
        assert!(
            !detail.contains("CloudWatch") && !detail.contains("status 0"),
            "{detail}"
        );
    }
}
