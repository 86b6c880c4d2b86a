//! Classification jobs that put down their output part by part, over several invocations.

use std::path::Path;

use serde_json::{Value, json};
use text_classifier::TextEncoder;

use crate::harness::{BUCKET, Function, PETS_CSV, ROLE_ARN, delivery};

const PARTS: &str = "text-classifier/parts/";
/// More time than a job of a test takes, in seconds.
const LONG: i64 = 3_600;

/// Starts a job on what lies under `docs/`; returns its id.
async fn start(function: &Function, model: &str, format: &str) -> String {
    let request = json!({
        "DocumentClassifierArn": model,
        "InputDataConfig": {"S3Uri": format!("s3://{BUCKET}/docs/"), "InputFormat": format},
        "OutputDataConfig": {"S3Uri": format!("s3://{BUCKET}/out")},
        "DataAccessRoleArn": ROLE_ARN,
    });
    let started = function.call("StartDocumentClassificationJob", &request).await;
    started.body["JobId"].as_str().expect("an id").to_owned()
}

async fn describe(function: &Function, id: &str) -> Value {
    let described = function
        .call("DescribeDocumentClassificationJob", &json!({"JobId": id}))
        .await;
    described.body["DocumentClassificationJobProperties"].clone()
}

/// Delivers the one event that waits, to an invocation of so many seconds. One of 0 seconds makes a single part.
async fn deliver(function: &Function, seconds: i64) {
    assert!(try_deliver(function, seconds).await, "an event waits");
}

/// Does so if one waits, and returns whether one did.
async fn try_deliver(function: &Function, seconds: i64) -> bool {
    let Some((request_id, event)) = function.waiting_events().pop() else {
        return false;
    };
    let delivered = Box::pin(function.classifier.handle(delivery(&event, &request_id, seconds))).await;
    delivered.expect("work is done");
    true
}

/// Returns name and content of the output of a job that is done.
async fn unpacked(function: &Function, id: &str) -> (String, String) {
    let properties = describe(function, id).await;
    assert_eq!(properties["JobStatus"], "COMPLETED", "{properties}");
    let uri = properties["OutputDataConfig"]["S3Uri"].as_str().expect("URI");
    function.output(uri).await
}

async fn lines(function: &Function, id: &str) -> Vec<Value> {
    let properties = describe(function, id).await;
    assert_eq!(properties["JobStatus"], "COMPLETED", "{properties}");
    let uri = properties["OutputDataConfig"]["S3Uri"].as_str().expect("URI");
    let (_, content) = function.output(uri).await;
    content
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Returns file, line and class or error of each document.
fn told(lines: &[Value]) -> Value {
    let told: Vec<_> = lines
        .iter()
        .map(|line| (&line["File"], &line["Line"], &line["Classes"][0]["Name"]))
        .collect();
    json!(told)
}

#[tokio::test]
async fn a_job_goes_on_in_as_many_invocations_as_it_takes_and_its_output_is_that_of_one() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function
        .put_quietly("docs/a.txt", "it barks\r\n\nit purrs\n\n")
        .await;
    function.put_quietly("docs/b.txt", "\n").await;
    function.put_quietly("docs/c.txt", "a puppy\na kitten").await;
    let whole = start(&function, &model, "ONE_DOC_PER_LINE").await;
    function.work().await;
    let function = function.with_parts_of(1);

    let id = start(&function, &model, "ONE_DOC_PER_LINE").await;
    let mut kept = Vec::new();
    while describe(&function, &id).await["JobStatus"] != "COMPLETED" {
        deliver(&function, 0).await;
        kept.push(function.keys(PARTS).await.len());
    }

    // More invocations than a job has attempts.
    assert_eq!(kept, [1, 2, 3, 4, 5, 6, 0]);
    assert_eq!(unpacked(&function, &id).await, unpacked(&function, &whole).await);
    assert_eq!(
        told(&lines(&function, &id).await),
        json!([
            ["a.txt", "0", "Dog"],
            ["a.txt", "1", null],
            ["a.txt", "2", "Cat"],
            ["a.txt", "3", null],
            ["b.txt", "0", null],
            ["c.txt", "0", "Dog"],
            ["c.txt", "1", "Cat"],
        ])
    );
    assert_eq!(function.waiting_events().len(), 0);
}

#[tokio::test]
async fn an_attempt_classifies_only_what_the_one_that_died_before_it_had_not_put_down() {
    let function = Function::with_encoder(TextEncoder::S3);
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../text-encoder/tests/tiny");
    for name in text_encoder::FILES {
        if let Ok(file) = std::fs::read(tiny.join(name)) {
            function.put_bytes_quietly(&format!("encoder/{name}"), file).await;
        }
    }
    let function = function.with_parts_of(2);
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function
        .put_quietly("docs/a.txt", "it barks\nit purrs\na puppy\na kitten\nit barks\n")
        .await;
    let id = start(&function, &model, "ONE_DOC_PER_LINE").await;
    let (request_id, event) = function.waiting_events().pop().expect("an event");
    let deliver = || {
        let delivery = delivery(&event, &request_id, LONG);
        Box::pin(function.classifier.handle(delivery))
    };

    function.refuse_put("/000001.jsonl");
    deliver().await.expect_err("the second part cannot be written");
    // What was put down is told by another name: so it shows in the output.
    let parts = function.keys(PARTS).await;
    let part = function.object(&parts[0]).await.expect("a part");
    let part = String::from_utf8(part).expect("UTF-8");
    function
        .put_quietly(&parts[0], &part.replace("a.txt", "A.TXT"))
        .await;
    deliver().await.expect("done");

    assert_eq!(parts, [format!("{PARTS}{id}/000000.jsonl")]);
    let lines = lines(&function, &id).await;
    let named: Vec<_> = lines.iter().map(|line| (&line["File"], &line["Line"])).collect();
    assert_eq!(
        json!(named),
        json!([
            ["A.TXT", "0"],
            ["A.TXT", "1"],
            ["a.txt", "2"],
            ["a.txt", "3"],
            ["a.txt", "4"]
        ])
    );
    assert!(lines.iter().all(|line| line["Classes"].is_array()), "{lines:?}");
    assert_eq!(function.keys(PARTS).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_job_whose_input_was_replaced_between_two_attempts_begins_anew() {
    let function = Function::new().with_parts_of(1);
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function.put_quietly("docs/a.txt", "it barks\nit barks\n").await;
    let id = start(&function, &model, "ONE_DOC_PER_LINE").await;
    deliver(&function, 0).await;

    function.put_quietly("docs/a.txt", "it purrs\nit purrs\n").await;
    deliver(&function, LONG).await;

    assert_eq!(
        told(&lines(&function, &id).await),
        json!([["a.txt", "0", "Cat"], ["a.txt", "1", "Cat"]])
    );
}

#[tokio::test]
async fn a_job_whose_input_changes_before_each_invocation_ends_and_says_why() {
    let function = Function::new().with_parts_of(1);
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function.put_quietly("docs/0.txt", "it barks\nit purrs\n").await;
    let id = start(&function, &model, "ONE_DOC_PER_LINE").await;

    let mut invocations = 0;
    while invocations < 30 && try_deliver(&function, 0).await {
        invocations += 1;
        let file = format!("docs/{invocations}.txt");
        function.put_quietly(&file, "it barks\nit purrs\n").await;
    }

    assert_eq!(
        invocations, 5,
        "one begins, three begin anew, and the next ends it"
    );
    let properties = describe(&function, &id).await;
    assert_eq!(properties["JobStatus"], "FAILED");
    assert_eq!(
        properties["Message"],
        format!(
            "CLASSIFIER_INVALID_INPUT: what is at s3://{BUCKET}/docs/ changed 4 times while the job read it; start the job again \
             on files to which none is added until it is done"
        )
    );
    assert_eq!(function.keys(PARTS).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_job_whose_kept_parts_are_gone_fails_and_says_so() {
    let function = Function::new().with_parts_of(1);
    let model = function.trained_classifier("v1", PETS_CSV).await;
    function.put_quietly("docs/a.txt", "it barks\nit purrs\n").await;
    let id = start(&function, &model, "ONE_DOC_PER_LINE").await;
    deliver(&function, 0).await;

    let key = function.keys(PARTS).await.remove(0);
    let delete = function.s3.delete_object().bucket(BUCKET).key(key);
    delete.send().await.expect("deleted");
    deliver(&function, LONG).await;

    let properties = describe(&function, &id).await;
    assert_eq!(properties["JobStatus"], "FAILED");
    assert_eq!(
        properties["Message"],
        "parts of the output that were kept are gone: start the job again"
    );
}

#[tokio::test]
async fn files_are_documents_over_several_parts_too() {
    let function = Function::new().with_parts_of(2);
    let model = function.trained_classifier("v1", PETS_CSV).await;
    for (key, text) in [
        ("docs/a.txt", "it barks\nand barks"),
        ("docs/b.txt", ""),
        ("docs/c.txt", "it purrs"),
        ("docs/d.txt", "a puppy"),
        ("docs/e.txt", "a kitten"),
    ] {
        function.put_quietly(key, text).await;
    }
    let id = start(&function, &model, "ONE_DOC_PER_FILE").await;

    deliver(&function, 0).await;
    let kept = function.keys(PARTS).await.len();
    deliver(&function, LONG).await;

    assert_eq!(kept, 1);
    assert_eq!(
        told(&lines(&function, &id).await),
        json!([
            ["a.txt", null, "Dog"],
            ["b.txt", null, null],
            ["c.txt", null, "Cat"],
            ["d.txt", null, "Dog"],
            ["e.txt", null, "Cat"],
        ])
    );
}

#[tokio::test]
async fn a_line_longer_than_what_is_read_at_a_time_is_one_document() {
    let function = Function::new();
    let model = function.trained_classifier("v1", PETS_CSV).await;
    let blank = " ".repeat(9 << 20);
    function
        .put_quietly("docs/a.txt", &format!("it barks\n{blank}\nit purrs"))
        .await;

    let id = start(&function, &model, "ONE_DOC_PER_LINE").await;
    deliver(&function, LONG).await;

    assert_eq!(
        told(&lines(&function, &id).await),
        json!([["a.txt", "0", "Dog"], ["a.txt", "1", null], ["a.txt", "2", "Cat"]])
    );
}
