//! Asynchronous classification jobs.

use aws_sdk_comprehend::{
    operation::start_document_classification_job::StartDocumentClassificationJobOutput,
    types::{InputDataConfig, InputFormat, JobStatus, OutputDataConfig},
};
use serde_json::{Value, json};

use crate::harness::{BUCKET, Function, PETS_CSV, ROLE_ARN, SCOPE};

async fn start(
    function: &Function,
    model: &str,
    input: &str,
    format: InputFormat,
) -> StartDocumentClassificationJobOutput {
    let input = InputDataConfig::builder()
        .s3_uri(format!("s3://{BUCKET}/{input}"))
        .input_format(format);
    let output = OutputDataConfig::builder().s3_uri(format!("s3://{BUCKET}/out"));
    function
        .comprehend()
        .start_document_classification_job()
        .job_name("a job")
        .document_classifier_arn(model)
        .input_data_config(input.build().expect("a URI"))
        .output_data_config(output.build().expect("a URI"))
        .data_access_role_arn(ROLE_ARN)
        .send()
        .await
        .expect("started")
}

async fn describe(function: &Function, id: &str) -> Value {
    let described = function
        .call("DescribeDocumentClassificationJob", &json!({"JobId": id}))
        .await;
    described.body["DocumentClassificationJobProperties"].clone()
}

async fn predictions(function: &Function, id: &str) -> Vec<Value> {
    let properties = describe(function, id).await;
    assert_eq!(properties["JobStatus"], "COMPLETED", "{properties}");
    let uri = properties["OutputDataConfig"]["S3Uri"].as_str().expect("URI");
    let (name, content) = function.output(uri).await;
    assert_eq!(name, "predictions.jsonl");
    content
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn each_line_of_each_file_is_a_document() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function
        .put_quietly("docs/a.txt", "it barks\r\n\nit purrs\n")
        .await;
    function.put_quietly("docs/b.txt", "a puppy").await;

    let started = start(&function, &model, "docs/", InputFormat::OneDocPerLine).await;
    function.work().await;

    assert_eq!(started.job_status(), Some(&JobStatus::Submitted));
    assert_eq!(started.document_classifier_arn(), Some(model.as_str()));
    let id = started.job_id().expect("id");
    assert_eq!(
        started.job_arn(),
        Some(format!("{SCOPE}:document-classification-job/{id}").as_str())
    );
    let lines = predictions(&function, id).await;
    let found: Vec<_> = lines
        .iter()
        .map(|line| (&line["File"], &line["Line"], &line["Classes"][0]["Name"]))
        .collect();
    assert_eq!(
        json!(found),
        json!([
            ["a.txt", "0", "Dog"],
            ["a.txt", "1", null],
            ["a.txt", "2", "Cat"],
            ["b.txt", "0", "Dog"],
        ])
    );
    assert_eq!(lines[1]["ErrorMessage"], "the document is empty");
}

#[tokio::test]
async fn each_file_is_a_document() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function.put_quietly("docs/a.txt", "it barks\nand barks\n").await;

    let started = start(&function, &model, "docs/a.txt", InputFormat::OneDocPerFile).await;
    function.work().await;

    let lines = predictions(&function, started.job_id().expect("id")).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["File"], "a.txt");
    assert_eq!(lines[0].get("Line"), None);
    assert_eq!(lines[0]["Classes"][0]["Name"], "Dog");
}

#[tokio::test]
async fn a_file_in_which_nothing_is_seen_is_a_document_with_its_error() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    for (key, text) in [
        ("docs/", ""),
        ("docs/a.txt", "it barks"),
        ("docs/empty.txt", ""),
        ("docs/unseen.txt", "\u{200b}\u{1}"),
    ] {
        function.put_quietly(key, text).await;
    }

    let started = start(&function, &model, "docs/", InputFormat::OneDocPerFile).await;
    function.work().await;

    let lines = predictions(&function, started.job_id().expect("id")).await;
    let found: Vec<_> = lines
        .iter()
        .map(|line| (&line["File"], &line["ErrorCode"]))
        .collect();
    assert_eq!(
        json!(found),
        json!([
            ["a.txt", null],
            ["empty.txt", "INVALID_DOCUMENT"],
            ["unseen.txt", "INVALID_DOCUMENT"]
        ])
    );
    assert_eq!(lines[1]["ErrorMessage"], "the document is empty");
}

#[tokio::test]
async fn a_job_without_documents_fails_and_keeps_its_model_only_while_it_is_open() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    let started = start(&function, &model, "nothing/", InputFormat::OneDocPerLine).await;
    let delete = json!({"DocumentClassifierArn": model});

    let in_use = function.call("DeleteDocumentClassifier", &delete).await;
    function.work().await;
    let deleted = function.call("DeleteDocumentClassifier", &delete).await;

    assert_eq!(in_use.body["__type"], "ResourceInUseException");
    assert_eq!(deleted.status, 200);
    let properties = describe(&function, started.job_id().expect("id")).await;
    assert_eq!(properties["JobStatus"], "FAILED");
    assert_eq!(
        properties["Message"],
        "CLASSIFIER_INVALID_INPUT: there are no documents at s3://example-training/nothing/"
    );
    assert!(properties["EndTime"].is_f64());
}

#[tokio::test]
async fn a_job_is_done_once_however_often_its_event_comes() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function.put_quietly("docs/a.txt", "it barks").await;
    let started = start(&function, &model, "docs/", InputFormat::OneDocPerLine).await;
    let (request_id, event) = function.waiting_events().remove(0);
    let deliver = |request_id: &str| {
        let delivery = crate::harness::delivery(&event, request_id, 60);
        function.classifier.handle(delivery)
    };
    deliver(&request_id).await.expect("done");
    let first = describe(&function, started.job_id().expect("id")).await;

    deliver(&request_id).await.expect("nothing to do");
    deliver("another").await.expect("nothing to do");

    assert_eq!(first["JobStatus"], "COMPLETED");
    assert_eq!(describe(&function, started.job_id().expect("id")).await, first);
}

#[tokio::test]
async fn the_eleventh_job_at_a_time_is_too_many() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    for _ in 0..10 {
        start(&function, &model, "nothing/", InputFormat::OneDocPerLine).await;
    }

    let request = json!({
        "DocumentClassifierArn": model,
        "InputDataConfig": {"S3Uri": "s3://example-training/nothing"},
        "OutputDataConfig": {"S3Uri": "s3://example-training/out"},
        "DataAccessRoleArn": ROLE_ARN,
    });
    let refused = function.call("StartDocumentClassificationJob", &request).await;

    assert_eq!(refused.body["__type"], "TooManyRequestsException");
}

#[tokio::test]
async fn a_model_is_deleted_once_no_job_needs_it_and_jobs_that_are_done_are_not_read_for_that() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function.put_quietly("docs/a.txt", "it barks").await;
    start(&function, &model, "docs/", InputFormat::OneDocPerLine).await;
    // The state of one that was done long ago; whoever reads it fails.
    let old = "text-classifier/document-classification-job/old.json";
    function.put_quietly(old, "no job").await;
    let delete = json!({"DocumentClassifierArn": model});

    let early = function.call("DeleteDocumentClassifier", &delete).await;
    function.work().await;
    let late = function.call("DeleteDocumentClassifier", &delete).await;

    assert_eq!(early.body["__type"], "ResourceInUseException");
    assert_eq!(late.status, 200, "{}", late.body);
}
