//! Labelling jobs from manifest to manifest, with reviewers who answer in the portal.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use active_learning_aws::bucket::Bucket;
use active_learning_aws::personal_data::Settings;
use active_learning_core::erasure::ErasedTexts;
use active_learning_core::keys::ERASED_TEXTS;
use active_learning_core::text::personal_data::Treatment;
use axum::{Router, body::Bytes, http::StatusCode};
use chrono::Duration;
use human_review::Config;
use serde_json::{Value, json};

use crate::harness::{BUCKET, FEEDBACK_BUCKET, Reply, Review, Session, config, url_event};

const SCOPE: &str = "arn:aws:sagemaker:us-east-1:123456789012";
pub const TEAM: &str = "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/tc-review";
pub const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:";
pub const LABELS: &str = r#"{"labels": [{"label": "World"}, {"label": "Sports"}, {"label": "Business"}]}"#;

pub async fn call(review: &Review, operation: &str, body: &Value) -> Reply {
    let mut event = url_event("POST", "/", &body.to_string());
    event["headers"]["x-amz-target"] = json!(format!("SageMaker.{operation}"));
    Reply(review.handle(event).await)
}

/// Writes an object into the bucket of the job's owner.
pub async fn put(review: &Review, key: &str, body: &str) {
    let body = aws_sdk_s3::primitives::ByteStream::from(body.as_bytes().to_vec());
    let put = review.s3.put_object().bucket(FEEDBACK_BUCKET).key(key).body(body);
    put.send().await.expect("stored");
}

pub async fn read(review: &Review, key: &str) -> String {
    let object = review
        .s3
        .get_object()
        .bucket(FEEDBACK_BUCKET)
        .key(key)
        .send()
        .await;
    let body = object.unwrap_or_else(|error| panic!("{key}: {error}")).body;
    String::from_utf8(body.collect().await.expect("bytes").to_vec()).expect("text")
}

pub async fn keys(review: &Review, prefix: &str) -> Vec<String> {
    let list = review.s3.list_objects_v2().bucket(FEEDBACK_BUCKET).prefix(prefix);
    let list = list.send().await.expect("a list");
    let keys = list.contents().iter().filter_map(|object| object.key());
    keys.map(str::to_owned).collect()
}

/// Returns the lines of the output manifest of a job.
pub async fn output(review: &Review, job: &str) -> Vec<Value> {
    let manifest = read(review, &format!("out/{job}/manifests/output/output.manifest")).await;
    manifest
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

pub fn request(name: &str, changes: Value) -> Value {
    let manifest = format!("s3://{FEEDBACK_BUCKET}/in.manifest");
    let mut request = json!({
        "LabelingJobName": name,
        "LabelAttributeName": "topic",
        "InputConfig": { "DataSource": { "S3DataSource": { "ManifestS3Uri": manifest } } },
        "OutputConfig": { "S3OutputPath": format!("s3://{FEEDBACK_BUCKET}/out/") },
        "RoleArn": "arn:aws:iam::123456789012:role/labels",
        "LabelCategoryConfigS3Uri": format!("s3://{FEEDBACK_BUCKET}/labels.json"),
        "HumanTaskConfig": {
            "WorkteamArn": TEAM,
            "UiConfig": {},
            "TaskTitle": "Topic",
            "TaskDescription": "What is the text about?",
            "NumberOfHumanWorkersPerDataObject": 1,
            "TaskTimeLimitInSeconds": 600,
        },
    });
    for (name, value) in changes.as_object().expect("an object") {
        match name.split_once('.') {
            Some((outer, inner)) => request[outer][inner] = value.clone(),
            None => request[name] = value.clone(),
        }
    }
    request
}

pub async fn create(review: &Review, request: &Value) {
    let reply = call(review, "CreateLabelingJob", request).await;
    assert_eq!(reply.status(), 200, "{reply:?}");
}

pub async fn describe(review: &Review, name: &str) -> Value {
    let reply = call(review, "DescribeLabelingJob", &json!({ "LabelingJobName": name })).await;
    assert_eq!(reply.status(), 200, "{reply:?}");
    reply.json()
}

pub async fn drive(review: &Review) {
    review
        .handle(json!({ "operation": "drive-labelling-jobs" }))
        .await;
}

/// Starts a job over these input lines.
pub async fn started(review: &Review, lines: &[Value], request: &Value) {
    let manifest: String = lines.iter().map(|line| format!("{line}\n")).collect();
    put(review, "in.manifest", &manifest).await;
    put(review, "labels.json", LABELS).await;
    create(review, request).await;
    drive(review).await;
}

pub fn sources(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| json!({ "source": text })).collect()
}

/// Answers every task that the reviewer is given, by what its page shows; returns how many there were.
pub async fn answer_all(session: &Session<'_>, answer: impl Fn(&str) -> Value) -> usize {
    let mut answered = 0;
    loop {
        let next = session.get("next").await;
        let address = next.header("location").to_owned();
        if !address.starts_with("task") {
            return answered;
        }
        let task = session.get(&address).await;
        let submitted = session.submit(&task, &answer(task.body())).await;
        assert_eq!(submitted.status(), 303, "{submitted:?}");
        answered += 1;
    }
}

pub fn label(name: &str) -> Value {
    json!({ "label": { "label": name } })
}

fn by_text(page: &str) -> Value {
    label(match page {
        page if page.contains("Cup final") => "Sports",
        page if page.contains("Rates rise") => "Business",
        _ => "World",
    })
}

#[tokio::test]
async fn a_job_goes_from_manifest_to_manifest() {
    let review = Review::new();
    put(&review, "texts/1.txt", "Rates rise again").await;
    let lines = [
        json!({ "source": "Cup final tonight", "id": 7 }),
        json!({ "source-ref": format!("s3://{FEEDBACK_BUCKET}/texts/1.txt") }),
    ];

    started(&review, &lines, &request("news", json!({}))).await;
    let begun = describe(&review, "news").await;
    let answered = answer_all(&review.sign_in("ada").await, by_text).await;
    drive(&review).await;

    assert_eq!(begun["LabelingJobStatus"], "InProgress", "{begun}");
    assert_eq!(begun["LabelCounters"]["Unlabeled"], 2);
    assert_eq!(answered, 2);
    let done = describe(&review, "news").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    let counters = json!({
        "TotalLabeled": 2, "HumanLabeled": 2, "MachineLabeled": 0, "FailedNonRetryableError": 0, "Unlabeled": 0,
    });
    assert_eq!(done["LabelCounters"], counters);
    assert_eq!(done["LabelAttributeName"], "topic");
    assert_eq!(
        done["LabelingJobOutput"]["OutputDatasetS3Uri"],
        format!("s3://{FEEDBACK_BUCKET}/out/news/manifests/output/output.manifest")
    );
    let metadata = |class: &str| {
        json!({
            "class-name": class, "confidence": 0.0, "job-name": "labeling-job/news", "human-annotated": "yes",
            "creation-date": "2026-11-20T09:59:00.123000", "type": "groundtruth/text-classification",
            "worker-ids": [format!("private.us-east-1.{}", human_review::worker_id("ada"))],
        })
    };
    let mut expected = lines.clone();
    (expected[0]["topic"], expected[0]["topic-metadata"]) = (json!(1), metadata("Sports"));
    (expected[1]["topic"], expected[1]["topic-metadata"]) = (json!(2), metadata("Business"));
    assert_eq!(output(&review, "news").await, expected);
}

#[tokio::test]
async fn answers_and_their_consolidation_are_written_as_ground_truth_writes_them() {
    let review = Review::new();
    let changes = json!({ "HumanTaskConfig.NumberOfHumanWorkersPerDataObject": 3 });
    started(
        &review,
        &sources(&["Cup final tonight"]),
        &request("news", changes),
    )
    .await;

    for (reviewer, says) in [("ada", "Sports"), ("bob", "World"), ("eve", "Sports")] {
        let session = review.sign_in(reviewer).await;
        assert_eq!(answer_all(&session, |_| label(says)).await, 1);
        assert_eq!(
            answer_all(&session, |_| label(says)).await,
            0,
            "nobody answers twice"
        );
    }
    drive(&review).await;

    let [line] = output(&review, "news").await.try_into().expect("one line");
    assert_eq!(
        (&line["topic"], &line["topic-metadata"]["confidence"]),
        (&json!(1), &json!(2.0 / 3.0))
    );
    let [response] = keys(&review, "out/news/annotations/worker-response/iteration-1/0/")
        .await
        .try_into()
        .expect("one file");
    let response: Value = serde_json::from_str(&read(&review, &response).await).expect("JSON");
    let answers = response["answers"].as_array().expect("answers");
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0]["answerContent"], label("Sports"));
    assert!(answers[0]["workerId"].is_string() && answers[0]["submissionTime"].is_string());
    let consolidated = "out/news/annotations/consolidated-annotation";
    let [asked] = keys(
        &review,
        &format!("{consolidated}/consolidation-request/iteration-1/"),
    )
    .await
    .try_into()
    .expect("one file");
    let asked: Value = serde_json::from_str(&read(&review, &asked).await).expect("JSON");
    assert_eq!(asked[0]["datasetObjectId"], "0");
    assert_eq!(asked[0]["annotations"].as_array().expect("annotations").len(), 3);
    assert_eq!(
        keys(&review, &format!("{consolidated}/consolidation-response/"))
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn own_functions_are_called_as_documented_and_what_they_say_counts() {
    let calls: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let seen = calls.clone();
    let review = Review::with_functions(config(), move |function, event| {
        let name = function
            .rsplit(&['/', ':'][..])
            .next()
            .unwrap_or_default()
            .to_owned();
        seen.lock()
            .expect("not poisoned")
            .push((name.clone(), event.clone()));
        Some(match name.as_str() {
            "pre" => match event["dataObject"]["skip"].as_bool() {
                Some(true) => json!({ "humanAnnotationRequired": "false" }),
                _ => {
                    json!({ "taskInput": { "taskObject": event["dataObject"]["source"], "labels": ["Yes", "No"] } })
                }
            },
            _ => json!([
                { "datasetObjectId": "0", "consolidatedAnnotation": { "content": {
                    "topic": { "votes": 1 }, "topic-metadata": { "confidence": 0.7 } } } },
            ]),
        })
    })
    .await;
    let lines = [
        json!({ "source": "One" }),
        json!({ "source": "Two", "skip": true }),
    ];
    let changes = json!({
        "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre"),
        "HumanTaskConfig.AnnotationConsolidationConfig": { "AnnotationConsolidationLambdaArn": format!("{FUNCTION}post") },
    });

    started(&review, &lines, &request("own", changes)).await;
    assert_eq!(
        answer_all(&review.sign_in("ada").await, |_| label("Yes")).await,
        1
    );
    drive(&review).await;

    let done = describe(&review, "own").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert_eq!(
        (
            &done["LabelCounters"]["HumanLabeled"],
            &done["LabelCounters"]["Unlabeled"]
        ),
        (&json!(1), &json!(1))
    );
    let all = output(&review, "own").await;
    assert_eq!(all[0]["topic"], json!({ "votes": 1 }));
    assert_eq!(all[0]["topic-metadata"]["type"], "groundtruth/custom");
    assert_eq!(all[0]["topic-metadata"]["confidence"], 0.7);
    assert_eq!(all[0]["topic-metadata"]["job-name"], "labeling-job/own");
    assert_eq!(all[1], lines[1]);
    let calls = calls.lock().expect("not poisoned").clone();
    let arn = format!("{SCOPE}:labeling-job/own");
    let mut pre: Vec<Value> = Vec::new();
    let mut post = Value::Null;
    for (name, event) in calls {
        if name == "pre" {
            pre.push(event)
        } else {
            post = event
        }
    }
    pre.sort_by_key(|event| event["dataObject"]["source"].to_string());
    assert_eq!(
        pre[0],
        json!({ "version": "2018-10-16", "labelingJobArn": arn, "dataObject": lines[0] })
    );
    let payload = post["payload"]["s3Uri"].as_str().expect("a URI").to_owned();
    let expected = json!({
        "version": "2018-10-16", "labelingJobArn": arn, "labelCategories": ["World", "Sports", "Business"],
        "labelAttributeName": "topic", "roleArn": "arn:aws:iam::123456789012:role/labels",
        "payload": { "s3Uri": payload },
    });
    assert_eq!(post, expected);
    let payload = read(
        &review,
        payload
            .strip_prefix(&format!("s3://{FEEDBACK_BUCKET}/"))
            .expect("its bucket"),
    )
    .await;
    let payload: Value = serde_json::from_str(&payload).expect("JSON");
    assert_eq!(payload[0]["dataObject"], json!({ "content": "One" }));
    let content = payload[0]["annotations"][0]["annotationData"]["content"]
        .as_str()
        .expect("a text");
    assert_eq!(
        serde_json::from_str::<Value>(content).expect("JSON"),
        label("Yes")
    );
    let worker = payload[0]["annotations"][0]["workerId"]
        .as_str()
        .expect("a worker");
    assert!(worker.starts_with("private.us-east-1."), "{worker}");
}

#[tokio::test]
async fn an_object_that_fails_is_named_with_its_reason_and_the_others_go_on() {
    let review = Review::with_functions(config(), |_, event| {
        let text = &event["dataObject"]["source"];
        let input = json!({ "taskObject": text, "labels": ["World", "Sports"] });
        (text != "Broken").then(|| json!({ "taskInput": input }))
    })
    .await;
    let lines = sources(&["Fine", "Broken", " "]);
    let changes = json!({ "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre") });
    started(&review, &lines, &request("some", changes)).await;

    for _ in 0..3 {
        drive(&review).await;
        review.wait(Duration::minutes(15));
    }
    answer_all(&review.sign_in("ada").await, |_| label("World")).await;
    drive(&review).await;

    let done = describe(&review, "some").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert_eq!(done["LabelCounters"]["FailedNonRetryableError"], 2, "{done}");
    let all = output(&review, "some").await;
    assert_eq!(all[0]["topic-metadata"]["class-name"], "World");
    let failed = &all[1]["topic-metadata"];
    assert!(all[1].get("topic").is_none(), "{}", all[1]);
    let reason = failed["failure-reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("ClientError: ") && reason.contains("has failed: see its log"),
        "{reason}"
    );
    let blank = all[2]["topic-metadata"]["failure-reason"].to_string();
    assert!(blank.contains("the task would be empty"), "{blank}");
    assert_eq!(
        (&failed["retry-count"], &failed["job-name"]),
        (&json!(3), &json!("labeling-job/some"))
    );
}

#[tokio::test]
async fn texts_that_were_erased_are_neither_asked_about_nor_in_the_output_which_says_how_many() {
    let review = Review::new();
    let mut erased = ErasedTexts::default();
    erased.insert("Rates rise");
    let erased = aws_sdk_s3::primitives::ByteStream::from(erased.write());
    let put = review.s3.put_object().bucket(FEEDBACK_BUCKET).key(ERASED_TEXTS);
    put.body(erased).send().await.expect("stored");
    let lines = sources(&["A minister", "rates RISE!", "Cup final"]);
    started(&review, &lines, &request("some", json!({}))).await;
    // One more is erased while it is asked: its line, then its task.
    let input = review.keys("human-review/labelling-job-input/").await.remove(0);
    let kept = review.object(&input).await;
    assert!(!kept.contains("RISE"), "{kept}");
    review
        .put(&input, &kept.replace(&lines[0].to_string(), "{}"))
        .await;
    let bucket = Bucket::new(review.s3.clone(), BUCKET);
    let tasks = review.keys("human-review/loops/job-").await;
    assert_eq!(tasks.len(), 2, "{tasks:?}");
    let name = tasks[0]
        .rsplit('/')
        .next()
        .and_then(|name| name.strip_suffix(".json"));
    human_review::loops::erase(&bucket, name.expect("a name"))
        .await
        .expect("erased");

    let answered = answer_all(&review.sign_in("ada").await, by_text).await;
    drive(&review).await;

    let done = describe(&review, "some").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert_eq!(
        done["FailureReason"],
        "2 texts were erased at a person's wish and are not in the output."
    );
    let all = output(&review, "some").await;
    assert_eq!((answered, all.len()), (1, 1));
    assert_eq!(
        (&all[0]["source"], &all[0]["topic-metadata"]["class-name"]),
        (&json!("Cup final"), &json!("Sports"))
    );
}

#[tokio::test]
async fn objects_whose_texts_were_erased_are_not_in_the_output_and_have_not_failed() {
    let review = Review::new();
    for (key, text) in [
        ("a.txt", "A minister"),
        ("b.txt", "Rates rise"),
        ("c.txt", "Cup final"),
    ] {
        put(&review, key, text).await;
    }
    let of = |key: &str| json!({ "source-ref": format!("s3://{FEEDBACK_BUCKET}/{key}"), "k": 1 });
    let mut erased = ErasedTexts::default();
    erased.insert("Rates rise");
    let erased = aws_sdk_s3::primitives::ByteStream::from(erased.write());
    let list = review.s3.put_object().bucket(FEEDBACK_BUCKET).key(ERASED_TEXTS);
    list.body(erased).send().await.expect("stored");
    let lines = ["a.txt", "b.txt", "c.txt"].map(of);
    started(&review, &lines, &request("some", json!({}))).await;
    let bucket = Bucket::new(review.s3.clone(), BUCKET);
    let tasks = review.keys("human-review/loops/job-").await;
    let names: Vec<&str> = tasks.iter().filter_map(|key| key.rsplit('/').next()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    // One more is erased while it is asked.
    let name = names[0].strip_suffix(".json").expect("a name");
    human_review::loops::erase(&bucket, name).await.expect("erased");

    let answered = answer_all(&review.sign_in("ada").await, by_text).await;
    drive(&review).await;

    let done = describe(&review, "some").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert_eq!(
        done["FailureReason"],
        "2 texts were erased at a person's wish and are not in the output."
    );
    assert_eq!(
        (
            &done["LabelCounters"]["FailedNonRetryableError"],
            &done["LabelCounters"]["TotalLabeled"]
        ),
        (&json!(0), &json!(1))
    );
    let all = output(&review, "some").await;
    assert_eq!((answered, all.len()), (1, 1));
    assert_eq!(all[0]["source-ref"], lines[2]["source-ref"]);
}

#[tokio::test]
async fn a_text_that_is_not_there_or_not_answered_in_time_fails_alone() {
    let review = Review::new();
    let lines = [
        json!({ "source-ref": format!("s3://{FEEDBACK_BUCKET}/none.txt") }),
        json!({ "source": "Late" }),
    ];
    let changes = json!({ "HumanTaskConfig.TaskAvailabilityLifetimeInSeconds": 60 });
    started(&review, &lines, &request("late", changes)).await;

    review.wait(Duration::seconds(61));
    drive(&review).await;

    let all = output(&review, "late").await;
    let reason = |line: &Value| {
        line["topic-metadata"]["failure-reason"]
            .as_str()
            .expect("a reason")
            .to_owned()
    };
    assert!(reason(&all[0]).contains("/none.txt does not exist"), "{}", all[0]);
    assert!(
        reason(&all[1]).contains("TaskAvailabilityLifetimeInSeconds"),
        "{}",
        all[1]
    );
}

#[tokio::test]
async fn texts_may_have_several_labels() {
    let review = Review::new();
    let aws = "arn:aws:lambda:us-east-1:432418664414:function:";
    let changes = json!({
        "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{aws}PRE-TextMultiClassMultiLabel"),
        "HumanTaskConfig.AnnotationConsolidationConfig":
            { "AnnotationConsolidationLambdaArn": format!("{aws}ACS-TextMultiClassMultiLabel") },
    });
    started(
        &review,
        &sources(&["Cup final shares"]),
        &request("multi", changes),
    )
    .await;

    let session = review.sign_in("ada").await;
    let shown = session.get(session.get("next").await.header("location")).await;
    assert!(
        shown.body().contains("crowd-classifier-multi-select"),
        "{}",
        shown.body()
    );
    session
        .submit(&shown, &json!({ "label": { "labels": ["Business", "Sports"] } }))
        .await;
    drive(&review).await;

    let [line] = output(&review, "multi").await.try_into().expect("one line");
    assert_eq!(line["topic"], json!([1, 2]));
    let metadata = &line["topic-metadata"];
    assert_eq!(metadata["class-map"], json!({ "1": "Sports", "2": "Business" }));
    assert_eq!(metadata["type"], "groundtruth/text-classification-multilabel");
}

#[tokio::test]
async fn a_template_of_the_jobs_own_shows_the_objects() {
    let review = Review::new();
    let template = r#"<crowd-form><p>Own: {{ task.input.taskObject }}</p><crowd-classifier name="pick"
        categories="{{ task.input.labels | to_json | escape }}" header="?"></crowd-classifier></crowd-form>"#;
    put(&review, "own.liquid.html", template).await;
    let ui = json!({ "UiTemplateS3Uri": format!("s3://{FEEDBACK_BUCKET}/own.liquid.html") });
    started(
        &review,
        &sources(&["Cup final"]),
        &request("ui", json!({ "HumanTaskConfig.UiConfig": ui })),
    )
    .await;

    let session = review.sign_in("ada").await;
    let shown = session.get(session.get("next").await.header("location")).await;
    session
        .submit(&shown, &json!({ "pick": { "label": "Sports" } }))
        .await;
    drive(&review).await;

    assert!(shown.body().contains("Own: Cup final"), "{}", shown.body());
    assert!(shown.body().contains("Topic"), "the title of the task");
    assert_eq!(
        output(&review, "ui").await[0]["topic-metadata"]["class-name"],
        "Sports"
    );
}

#[tokio::test]
async fn a_large_job_has_a_window_of_open_tasks_and_asks_nothing_twice_when_runs_are_cut_off() {
    let review = Review::new();
    let texts: Vec<String> = (0..130).map(|number| format!("Text number {number}.")).collect();
    let lines: Vec<Value> = texts.iter().map(|text| json!({ "source": text })).collect();
    let changes = json!({ "HumanTaskConfig.MaxConcurrentTaskCount": 40 });
    started(&review, &lines, &request("large", changes)).await;
    let open = review.keys("human-review/queue/").await.len();

    let session = review.sign_in("ada").await;
    let mut seen = Vec::new();
    for lost in ["labelling-job-objects", "labelling-jobs/", "human-review/loops/"]
        .into_iter()
        .cycle()
        .take(5)
    {
        let shown = Mutex::new(Vec::new());
        answer_all(&session, |page| {
            let at = page.find("Text number ").expect("its text");
            let text = page[at..].split('.').next().unwrap_or_default();
            shown.lock().expect("not poisoned").push(text.to_owned());
            label("World")
        })
        .await;
        seen.extend(shown.into_inner().expect("not poisoned"));
        assert!(review.keys("human-review/queue/").await.is_empty());
        review.lose_next_answer_to(lost);
        drive(&review).await;
        // A run that broke off holds the job until its lease is over.
        review.wait(Duration::seconds(200));
        drive(&review).await;
    }

    assert_eq!(open, 40);
    assert_eq!(describe(&review, "large").await["LabelingJobStatus"], "Completed");
    assert_eq!(seen.len(), 130, "each once");
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 130);
    let all = output(&review, "large").await;
    let order: Vec<&str> = all
        .iter()
        .map(|line| line["source"].as_str().expect("a text"))
        .collect();
    assert_eq!(order, texts);
    assert!(all.iter().all(|line| line["topic"] == 0));
    assert!(
        review.keys("human-review/labelling-job-").await.is_empty(),
        "its parts are removed"
    );
    assert!(review.keys("human-review/open-labelling-jobs/").await.is_empty());
}

#[tokio::test]
async fn a_job_that_is_stopped_keeps_what_is_labelled_and_takes_its_tasks_back() {
    let review = Review::new();
    started(
        &review,
        &sources(&["Cup final", "Rates rise", "Else"]),
        &request("stop", json!({})),
    )
    .await;
    let session = review.sign_in("ada").await;
    let task = session.get(session.get("next").await.header("location")).await;
    session.submit(&task, &by_text(task.body())).await;
    let held = review.sign_in("bob").await;
    let held_task = held.get(held.get("next").await.header("location")).await;

    let stopped = call(&review, "StopLabelingJob", &json!({ "LabelingJobName": "stop" })).await;
    drive(&review).await;
    let stopping = describe(&review, "stop").await["LabelingJobStatus"].clone();
    held.submit(&held_task, &by_text(held_task.body())).await;
    review.wait(Duration::seconds(601));
    drive(&review).await;

    assert_eq!((stopped.status(), stopping), (200, json!("Stopping")));
    let done = describe(&review, "stop").await;
    assert_eq!(done["LabelingJobStatus"], "Stopped", "{done}");
    assert_eq!(done["LabelCounters"]["HumanLabeled"], 2, "what was begun counts");
    let labelled = output(&review, "stop")
        .await
        .iter()
        .filter(|line| line.get("topic").is_some())
        .count();
    assert_eq!(labelled, 2);
    assert!(review.keys("human-review/queue/").await.is_empty());
    let again = call(&review, "StopLabelingJob", &json!({ "LabelingJobName": "stop" })).await;
    assert!(again.body().contains("in status Stopped"), "{again:?}");
}

#[tokio::test]
async fn a_job_ends_when_its_stopping_condition_holds() {
    let review = Review::new();
    let changes = json!({ "StoppingConditions": { "MaxHumanLabeledObjectCount": 2 } });
    started(
        &review,
        &sources(&["One", "Two", "Three"]),
        &request("few", changes),
    )
    .await;

    let answered = answer_all(&review.sign_in("ada").await, |_| label("World")).await;
    for _ in 0..2 {
        drive(&review).await;
    }

    assert_eq!(answered, 2, "no more are asked than may be labelled");
    assert_eq!(describe(&review, "few").await["LabelingJobStatus"], "Stopped");
}

#[tokio::test]
async fn lines_of_one_text_count_for_the_share_of_a_stopping_condition_once_that_is_labelled() {
    let review = Review::new();
    let changes = json!({ "StoppingConditions": { "MaxPercentageOfInputDatasetLabeled": 50 } });
    let lines = sources(&["Cup final", "cup final", "CUP FINAL", "Two", "Three", "Four"]);
    started(&review, &lines, &request("half", changes)).await;

    let answered = answer_all(&review.sign_in("ada").await, |_| label("World")).await;
    for _ in 0..2 {
        drive(&review).await;
    }

    assert_eq!(answered, 1, "it labels three of six");
    let stopped = describe(&review, "half").await;
    assert_eq!(stopped["LabelingJobStatus"], "Stopped", "{stopped}");
    assert_eq!(stopped["LabelCounters"]["HumanLabeled"], 3, "{stopped}");
}

#[tokio::test]
async fn a_job_goes_on_until_its_share_is_labelled_where_the_last_text_stands_in_more_lines_than_it_takes() {
    let review = Review::new();
    let changes = json!({ "StoppingConditions": { "MaxPercentageOfInputDatasetLabeled": 40 } });
    let lines = sources(&["One", "Cup final", "cup final", "CUP FINAL", "Last"]);
    started(&review, &lines, &request("more", changes)).await;

    let answered = answer_all(&review.sign_in("ada").await, |_| label("World")).await;
    for _ in 0..2 {
        drive(&review).await;
    }

    assert_eq!(answered, 2);
    let stopped = describe(&review, "more").await;
    assert_eq!(stopped["LabelingJobStatus"], "Stopped", "{stopped}");
    assert_eq!(stopped["LabelCounters"]["HumanLabeled"], 4, "{stopped}");
}

#[tokio::test]
async fn a_job_whose_every_object_is_labelled_is_completed_whatever_its_stopping_condition_says() {
    let review = Review::new();
    for (name, condition) in [
        ("count", json!({ "MaxHumanLabeledObjectCount": 2 })),
        ("share", json!({ "MaxPercentageOfInputDatasetLabeled": 100 })),
    ] {
        let changes = json!({ "StoppingConditions": condition });
        started(&review, &sources(&["One", "Two"]), &request(name, changes)).await;

        answer_all(&review.sign_in("ada").await, |_| label("World")).await;
        for _ in 0..2 {
            drive(&review).await;
        }

        assert_eq!(
            describe(&review, name).await["LabelingJobStatus"],
            "Completed",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_job_goes_on_where_whoever_ended_its_last_task_came_no_further() {
    let review = Review::new();
    let changes = json!({ "LabelCategoryConfigS3Uri": format!("s3://{FEEDBACK_BUCKET}/told.json") });
    let told = LABELS.trim_end_matches('}').to_owned()
        + r#", "instructions": {"fullInstruction": "Read <b>all</b> of it."}}"#;
    put(&review, "told.json", &told).await;
    started(&review, &sources(&["One"]), &request("news", changes)).await;
    let [mark] = review
        .keys("human-review/queue/")
        .await
        .try_into()
        .expect("one mark");
    let ada = review.sign_in("ada").await;
    let page = ada.get(ada.get("next").await.header("location")).await;
    assert!(
        page.body().contains("Read &lt;b&gt;all&lt;/b&gt; of it."),
        "{}",
        page.body()
    );
    ada.submit(&page, &label("World")).await;
    // As if the process had died between the answer and this.
    review.put(&mark, "").await;

    for _ in 0..2 {
        drive(&review).await;
    }

    assert_eq!(describe(&review, "news").await["LabelingJobStatus"], "Completed");
    assert_eq!(review.keys("human-review/queue/").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_output_of_a_job_is_the_input_of_the_next_which_may_ask_about_a_part_of_it() {
    let review = Review::new();
    started(
        &review,
        &sources(&["Cup final", "Rates rise", "Else"]),
        &request("first", json!({})),
    )
    .await;
    answer_all(&review.sign_in("ada").await, by_text).await;
    drive(&review).await;
    let second = request(
        "second",
        json!({
            "LabelAttributeName": "sport",
            "InputConfig": { "DataSource": { "S3DataSource": {
                "ManifestS3Uri": format!("s3://{FEEDBACK_BUCKET}/out/first/manifests/output/output.manifest") } } },
            "LabelCategoryConfigS3Uri": format!("s3://{FEEDBACK_BUCKET}/sports.json"),
            "Tags": [
                { "Key": "active-learning:only-where", "Value": "topic=Sports" },
                { "Key": "active-learning:show", "Value": "topic" },
            ],
        }),
    );
    put(
        &review,
        "sports.json",
        r#"{"labels": [{"label": "Football"}, {"label": "Chess"}]}"#,
    )
    .await;

    create(&review, &second).await;
    drive(&review).await;
    let session = review.sign_in("bob").await;
    let answered = answer_all(&session, |page| {
        assert!(page.contains("Label so far: <strong>Sports</strong>"), "{page}");
        label("Football")
    })
    .await;
    drive(&review).await;

    assert_eq!(answered, 1);
    let all = output(&review, "second").await;
    assert_eq!(
        all[0]["topic-metadata"]["class-name"], "Sports",
        "both are in one manifest"
    );
    assert_eq!(all[0]["sport-metadata"]["class-name"], "Football");
    assert_eq!(all[1]["topic-metadata"]["class-name"], "Business");
    assert!(all[1].get("sport").is_none() && all[2].get("sport").is_none());
}

#[tokio::test]
async fn an_object_that_has_the_label_already_is_not_asked_again() {
    let review = Review::new();
    let lines = [
        json!({ "source": "Cup final", "topic": 1, "topic-metadata": { "class-name": "Sports" } }),
        json!({ "source": "Rates rise" }),
    ];

    started(&review, &lines, &request("rest", json!({}))).await;
    let answered = answer_all(&review.sign_in("ada").await, by_text).await;
    drive(&review).await;

    assert_eq!(answered, 1);
    let all = output(&review, "rest").await;
    assert_eq!(all[0], lines[0]);
    assert_eq!(all[1]["topic"], 2);
}

#[tokio::test]
async fn a_job_that_cannot_go_on_fails_with_the_reason() {
    for (name, manifest, labels, reason) in [
        (
            "a",
            "{\n",
            LABELS,
            "line 1 of the input manifest is not a JSON object",
        ),
        ("b", "{\"source\": \"x\"}\n", "{}", "LabelCategoryConfigS3Uri"),
        ("c", "\n", LABELS, "the input manifest has no objects"),
        (
            "d",
            "{\"source\": \"x\", \"excluded-workers\": \"ann\"}\n",
            LABELS,
            "line 1 of the input manifest has `excluded-workers` that are no list of worker ids",
        ),
        (
            "e",
            "{\"source\": \"x\"}\n{\"source\": \"y\", \"excluded-workers\": [\"a\", 1]}\n",
            LABELS,
            "line 2 of the input manifest has `excluded-workers` that are no list of worker ids",
        ),
    ] {
        let review = Review::new();
        put(&review, "in.manifest", manifest).await;
        put(&review, "labels.json", labels).await;
        create(&review, &request(name, json!({}))).await;

        drive(&review).await;

        let failed = describe(&review, name).await;
        assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
        let found = failed["FailureReason"].as_str().expect("a reason");
        assert!(
            found.starts_with("ClientError: ") && found.contains(reason),
            "{found}"
        );
    }
    let review = Review::new();
    let changes = json!({ "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre") });
    started(&review, &sources(&["One"]), &request("d", changes)).await;
    let failed = describe(&review, "d").await;
    assert!(
        failed["FailureReason"].to_string().contains("cannot be invoked"),
        "{failed}"
    );
    assert!(review.keys("human-review/queue/").await.is_empty());
}

#[tokio::test]
async fn tasks_of_jobs_are_not_among_the_human_loops_of_the_stack_and_have_no_output() {
    let review = Review::new();
    started(&review, &sources(&["Cup final"]), &request("own", json!({}))).await;

    let listed = review.list_names("").await;
    let session = review.sign_in("ada").await;
    let address = session.get("next").await.header("location").to_owned();
    let task = session.get(&address).await;
    session.submit(&task, &label("Sports")).await;
    let corrected = session.submit(&task, &label("World")).await;

    assert!(listed.is_empty(), "{listed:?}");
    assert_eq!(corrected.code(), "task_closed", "{corrected:?}");
    let outputs: Vec<String> = (review.keys("").await.into_iter())
        .filter(|key| key.ends_with("output.json"))
        .collect();
    assert!(outputs.is_empty(), "{outputs:?}");
}

pub const BUILT_IN: &str = "arn:aws:lambda:us-east-1:432418664414:function:";

pub fn audit(name: &str, kind: &str, changes: Value) -> Value {
    let mut changes = changes;
    changes["HumanTaskConfig.PreHumanTaskLambdaArn"] = json!(format!("{BUILT_IN}PRE-{kind}TextMultiClass"));
    let consolidation =
        json!({ "AnnotationConsolidationLambdaArn": format!("{BUILT_IN}ACS-{kind}TextMultiClass") });
    changes["HumanTaskConfig.AnnotationConsolidationConfig"] = consolidation;
    request(name, changes)
}

pub fn labelled(text: &str, class: &str) -> Value {
    json!({ "source": text, "topic": 0, "topic-metadata": { "class-name": class } })
}

#[tokio::test]
async fn a_label_is_adjusted_beside_the_old_one_which_is_chosen_already() {
    let review = Review::new();
    let lines = [
        labelled("Cup final", "Sports"),
        labelled("Rates rise", "World"),
        json!({ "source": "No label" }),
    ];
    let tags = json!([{ "Key": "active-learning:audit", "Value": "topic" }]);
    let request = audit(
        "adjust",
        "Adjustment",
        json!({ "LabelAttributeName": "topic-adjusted", "Tags": tags }),
    );
    started(&review, &lines, &request).await;

    let pages = Mutex::new(Vec::new());
    let answered = answer_all(&review.sign_in("bob").await, |page| {
        pages.lock().expect("not poisoned").push(page.to_owned());
        by_text(page)
    })
    .await;
    drive(&review).await;

    assert_eq!(answered, 2, "what has no label is not asked");
    let pages = pages.into_inner().expect("not poisoned");
    assert!(
        pages.iter().any(|page| page.contains("initial-value=\"World\"")),
        "{pages:?}"
    );
    let all = output(&review, "adjust").await;
    let status = |line: &Value| line["topic-adjusted-metadata"]["adjustment-status"].clone();
    assert_eq!(
        (status(&all[0]), status(&all[1])),
        (json!("unadjusted"), json!("adjusted"))
    );
    assert_eq!(
        all[1]["topic-metadata"]["class-name"], "World",
        "the old one stays"
    );
    assert_eq!(all[1]["topic-adjusted-metadata"]["class-name"], "Business");
    assert_eq!(all[2], lines[2]);
}

#[tokio::test]
async fn that_no_label_applied_is_looked_at_again_too() {
    let review = Review::new();
    let line = |text: &str, topic: Value, classes: Value| {
        let metadata = json!({ "class-map": classes });
        json!({ "source": text, "topic": topic, "topic-metadata": metadata })
    };
    let lines = [
        line("Cup final", json!([]), json!({})),
        line("Rates rise", json!([2]), json!({ "2": "Business" })),
        json!({ "source": "Failed", "topic-metadata": { "failure-reason": "no answer" } }),
    ];
    let changes = json!({
        "LabelAttributeName": "again",
        "Tags": [{ "Key": "active-learning:audit", "Value": "topic" }],
    });
    started(&review, &lines, &audit("adjust", "Adjustment", changes)).await;
    let mut request = audit("multi", "Adjustment", json!({ "LabelAttributeName": "again" }));
    for name in ["PreHumanTaskLambdaArn", "AnnotationConsolidationConfig"] {
        let task = &mut request["HumanTaskConfig"][name];
        let arn = task
            .to_string()
            .replace("TextMultiClass", "TextMultiClassMultiLabel");
        *task = serde_json::from_str(&arn).expect("JSON");
    }
    request["Tags"] = json!([{ "Key": "active-learning:audit", "Value": "topic" }]);
    let single = answer_all(&review.sign_in("ada").await, by_text).await;
    started(&review, &lines, &request).await;

    let pages = Mutex::new(Vec::new());
    let answered = answer_all(&review.sign_in("bob").await, |page| {
        pages.lock().expect("not poisoned").push(page.to_owned());
        match page.contains("Cup final") {
            true => json!({ "label": { "labels": ["Sports"] } }),
            false => json!({ "label": { "labels": [] } }),
        }
    })
    .await;
    drive(&review).await;

    assert_eq!((single, answered), (2, 2));
    let pages = pages.into_inner().expect("not poisoned");
    let shown = |text: &str| pages.iter().any(|page| page.contains(text));
    assert!(shown("Label so far: <strong>(no label)</strong>"), "{pages:?}");
    assert!(shown("Label so far: <strong>Business</strong>"), "{pages:?}");
    let all = output(&review, "multi").await;
    let found = |line: &Value| {
        let metadata = &line["again-metadata"];
        (
            metadata["class-map"].clone(),
            metadata["adjustment-status"].clone(),
        )
    };
    assert_eq!(found(&all[0]), (json!({ "1": "Sports" }), json!("adjusted")));
    assert_eq!(found(&all[1]), (json!({}), json!("adjusted")));
    assert_eq!(all[2], lines[2]);
}

#[tokio::test]
async fn a_function_of_a_job_does_not_say_how_many_are_asked_or_who() {
    let excluded = human_review::human_loop::Worker::of("ada").id;
    let review = Review::with_functions(config(), move |_, event| {
        let text = &event["dataObject"]["source"];
        let mut input = json!({ "taskObject": text, "labels": ["World", "Sports", "Business"] });
        (input["taskCount"], input["excludedWorkers"]) = (json!(1), json!([excluded]));
        Some(json!({ "taskInput": input }))
    })
    .await;
    let bob = human_review::human_loop::Worker::of("bob").id;
    let line = json!({ "source": "Rates rise", "excluded-workers": [bob] });
    let changes = json!({
        "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre"),
        "HumanTaskConfig.NumberOfHumanWorkersPerDataObject": 2,
    });

    started(&review, &[line], &request("own", changes)).await;

    let mut answered = Vec::new();
    for name in ["ada", "bob", "eve", "kim"] {
        answered.push(answer_all(&review.sign_in(name).await, |_| label("World")).await);
    }
    assert_eq!(
        answered,
        [1, 0, 1, 0],
        "two, and who the line excludes is none of them"
    );
}

#[tokio::test]
async fn a_text_with_several_labels_is_not_adjusted_to_one() {
    let review = Review::new();
    let several = json!({
        "source": "Rates rise", "topic": [0, 2],
        "topic-metadata": { "class-map": { "0": "World", "2": "Business" } },
    });
    let changes = json!({
        "LabelAttributeName": "again",
        "Tags": [{ "Key": "active-learning:audit", "Value": "topic" }],
    });
    let lines = [labelled("Cup final", "Sports"), several];

    started(&review, &lines, &audit("adjust", "Adjustment", changes)).await;

    let failed = describe(&review, "adjust").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let reason = failed["FailureReason"].as_str().expect("a reason");
    assert!(
        reason.contains("line 2 of the input manifest has several labels of topic"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_label_that_is_not_among_the_choices_is_not_adjusted() {
    let review = Review::new();
    let changes = json!({
        "LabelAttributeName": "again",
        "Tags": [{ "Key": "active-learning:audit", "Value": "topic" }],
    });
    let lines = [
        labelled("Cup final", "sports"),
        labelled("Rain tomorrow", "Weather"),
        labelled("A new album", "Music"),
        labelled("More rain", "Weather"),
    ];

    started(&review, &lines, &audit("adjust", "Adjustment", changes)).await;

    let failed = describe(&review, "adjust").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let reason = failed["FailureReason"].as_str().expect("a reason");
    assert!(
        reason.contains("line 2 of the input manifest has a label of topic that is not among the choices")
            && reason.ends_with("the labels that are missing: `Music`, `Weather`."),
        "{reason}"
    );
}

#[tokio::test]
async fn only_what_is_drawn_for_the_share_needs_a_choice() {
    let review = Review::new();
    let changes = json!({
        "LabelAttributeName": "again",
        "Tags": [
            { "Key": "active-learning:audit", "Value": "topic" },
            { "Key": "active-learning:share", "Value": "0.5" },
        ],
    });
    let texts: Vec<String> = (0..40).map(|number| format!("Text {number}")).collect();
    let lines: Vec<Value> = texts.iter().map(|text| labelled(text, "Sports")).collect();
    let request = audit("share", "Adjustment", changes);
    started(&review, &lines, &request).await;
    let asked = Mutex::new(Vec::new());
    answer_all(&review.sign_in("bob").await, |page| {
        asked.lock().expect("not poisoned").push(page.to_owned());
        label("Sports")
    })
    .await;
    let asked = asked.into_inner().expect("not poisoned");
    let is_asked = |text: &String| asked.iter().any(|page| page.contains(&format!("{text}<")));
    assert!(
        texts.iter().any(is_asked) && !texts.iter().all(is_asked),
        "{}",
        asked[0]
    );

    // Of the same name and time, which are what the share is drawn by.
    for (is_among, status) in [(false, "InProgress"), (true, "Failed")] {
        let other = Review::new();
        let lines: Vec<Value> = (texts.iter())
            .map(|text| {
                labelled(
                    text,
                    if is_asked(text) == is_among {
                        "Weather"
                    } else {
                        "Sports"
                    },
                )
            })
            .collect();
        started(&other, &lines, &request).await;

        let job = describe(&other, "share").await;
        assert_eq!(job["LabelingJobStatus"], status, "{job}");
    }
}

#[tokio::test]
async fn who_is_excluded_by_the_id_that_the_job_itself_writes_is_not_asked() {
    let review = Review::new();
    let ada = human_review::human_loop::Worker::of("ada").id;
    let line = json!({ "source": "Rates rise", "excluded-workers": [format!("private.us-east-1.{ada}")] });
    let nobody = json!({ "source": "Cup final", "excluded-workers": null });
    started(&review, &[line, nobody], &request("some", json!({}))).await;

    let own = answer_all(&review.sign_in("ada").await, by_text).await;
    let others = answer_all(&review.sign_in("bob").await, by_text).await;

    assert_eq!((own, others), (1, 1));
}

#[tokio::test]
async fn a_label_is_verified_by_those_who_have_not_given_it() {
    let review = Review::new();
    let ada = human_review::human_loop::Worker::of("ada").id;
    let mut line = labelled("Cup final", "Business");
    line["excluded-workers"] = json!([ada]);
    let changes = json!({
        "LabelAttributeName": "verdict", "LabelCategoryConfigS3Uri": null,
        "Tags": [{ "Key": "active-learning:audit", "Value": "topic" }],
    });
    started(&review, &[line], &audit("verify", "Verification", changes)).await;

    let own = answer_all(&review.sign_in("ada").await, |_| label("correct")).await;
    let others = answer_all(&review.sign_in("bob").await, |page| {
        assert!(page.contains("Label so far: <strong>Business</strong>"), "{page}");
        label("incorrect")
    })
    .await;
    drive(&review).await;

    assert_eq!((own, others), (0, 1));
    let [line] = output(&review, "verify").await.try_into().expect("one line");
    assert_eq!(line["verdict-metadata"]["class-name"], "incorrect");
    assert_eq!(line["verdict-metadata"]["type"], "groundtruth/label-verification");
}

#[tokio::test]
async fn a_random_share_is_asked_about() {
    let review = Review::new();
    let lines: Vec<Value> = (0..200)
        .map(|number| labelled(&format!("Text {number}"), "World"))
        .collect();
    let tags = json!([
        { "Key": "active-learning:audit", "Value": "topic" }, { "Key": "active-learning:share", "Value": "0.1" },
    ]);
    started(
        &review,
        &lines,
        &audit(
            "share",
            "Adjustment",
            json!({ "LabelAttributeName": "again", "Tags": tags }),
        ),
    )
    .await;

    let asked = review.keys("human-review/queue/").await.len();

    // With a chance of 0.1 the number of 200 is within these by all but one in a hundred thousand names.
    assert!((5..=45).contains(&asked), "{asked}");
}

#[tokio::test]
async fn the_first_round_of_a_random_share_is_as_large_as_that_of_all_objects() {
    let review = Review::new();
    let specification =
        "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/text-classification";
    let changes = json!({
        "LabelingJobAlgorithmsConfig": { "LabelingJobAlgorithmSpecificationArn": specification },
        "Tags": [{ "Key": "active-learning:share", "Value": "0.5" }],
    });
    let texts: Vec<String> = (0..1_000).map(|number| format!("Text {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();

    started(&review, &sources(&texts), &request("auto", changes)).await;

    let job = review.object("human-review/labelling-jobs/auto.json").await;
    let job: Value = serde_json::from_str(&job).expect("JSON");
    let count = |state: &str| -> u64 {
        let parts = job["parts"].as_array().expect("parts");
        parts.iter().filter_map(|part| part[state].as_u64()).sum()
    };
    let asked = count("asked") + count("waiting");
    assert!(
        (430..=570).contains(&(asked + count("withheld"))),
        "half of 1,000"
    );
    assert!((140..=260).contains(&asked), "200 are a round: {asked}");
}

#[tokio::test]
async fn an_audit_of_no_label_fails_with_the_reason() {
    let review = Review::new();
    started(
        &review,
        &[labelled("Cup", "Sports")],
        &audit("what", "Adjustment", json!({ "LabelAttributeName": "again" })),
    )
    .await;

    let failed = describe(&review, "what").await;

    assert!(
        failed["FailureReason"]
            .to_string()
            .contains("auditLabelAttributeName is missing"),
        "{failed}"
    );
}

#[tokio::test]
async fn a_model_labels_what_it_is_sure_of_and_people_the_rest() {
    let review = Review::new();
    let text = |number: usize| match number % 2 {
        0 => format!("The cup final, match {number}: the goalkeeper saved a penalty before the whistle"),
        _ => format!("Rates rise, note {number}: the bank lends money at more interest to its debtors"),
    };
    let lines: Vec<Value> = (0..400).map(|number| json!({ "source": text(number) })).collect();
    let specification =
        "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/text-classification";
    let changes =
        json!({ "LabelingJobAlgorithmsConfig": { "LabelingJobAlgorithmSpecificationArn": specification } });
    started(&review, &lines, &request("auto", changes)).await;

    let session = review.sign_in("ada").await;
    let topic = |page: &str| {
        label(if page.contains("cup final") {
            "Sports"
        } else {
            "Business"
        })
    };
    let mut answered = 0;
    // A busy machine needs several runs: each takes up new work for some seconds.
    for _ in 0..100 {
        answered += answer_all(&session, topic).await;
        drive(&review).await;
        if describe(&review, "auto").await["LabelingJobStatus"] == "Completed" {
            break;
        }
    }

    let done = describe(&review, "auto").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert!((150..250).contains(&answered), "about 200 are drawn: {answered}");
    assert_eq!(done["LabelCounters"]["HumanLabeled"], answered);
    assert_eq!(done["LabelCounters"]["MachineLabeled"], 400 - answered, "{done}");
    let all = output(&review, "auto").await;
    assert!(
        all.iter()
            .zip(0..)
            .all(|(line, number)| line["topic"] == if number % 2 == 0 { 1 } else { 2 })
    );
    let machine = all
        .iter()
        .find(|line| line["topic-metadata"]["human-annotated"] == "no")
        .expect("one");
    assert!(
        machine["topic-metadata"]["confidence"].as_f64() > Some(0.5),
        "{machine}"
    );
}

#[tokio::test]
async fn the_model_of_a_level_learns_from_the_texts_of_its_parent_alone() {
    let review = Review::new();
    let text = |number: usize| match number % 4 {
        0 => format!("The cup final, match {number}: the goalkeeper saved a penalty before the whistle"),
        2 => format!("The queen is lost, game {number}: the bishop gives check and the clock runs out"),
        _ => format!("Rates rise, note {number}: the bank lends money at more interest to its debtors"),
    };
    let topic = |number: usize| {
        if number.is_multiple_of(2) {
            "Sports"
        } else {
            "Business"
        }
    };
    let lines: Vec<Value> = (0..800)
        .map(|number| labelled(&text(number), topic(number)))
        .collect();
    let specification =
        "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/text-classification";
    let changes = json!({
        "LabelAttributeName": "sport",
        "LabelCategoryConfigS3Uri": format!("s3://{FEEDBACK_BUCKET}/sports.json"),
        "LabelingJobAlgorithmsConfig": { "LabelingJobAlgorithmSpecificationArn": specification },
        "Tags": [{ "Key": "active-learning:only-where", "Value": "topic=Sports" }],
    });
    put(
        &review,
        "sports.json",
        r#"{"labels": [{"label": "Football"}, {"label": "Chess"}]}"#,
    )
    .await;
    started(&review, &lines, &request("level", changes)).await;

    let session = review.sign_in("ada").await;
    let sport = |page: &str| {
        label(if page.contains("cup final") {
            "Football"
        } else {
            "Chess"
        })
    };
    let mut answered = 0;
    // A busy machine needs several runs: each takes up new work for some seconds.
    for _ in 0..100 {
        answered += answer_all(&session, sport).await;
        drive(&review).await;
        if describe(&review, "level").await["LabelingJobStatus"] == "Completed" {
            break;
        }
    }

    let done = describe(&review, "level").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert!(
        (150..250).contains(&answered),
        "200 of the 400 of the parent are drawn: {answered}"
    );
    assert_eq!(done["LabelCounters"]["MachineLabeled"], 400 - answered, "{done}");
    let all = output(&review, "level").await;
    for (number, line) in all.iter().enumerate() {
        let expected = match number % 4 {
            0 => json!(0),
            2 => json!(1),
            _ => Value::Null,
        };
        assert_eq!(line["sport"], expected, "{line}");
    }
}

/// Comprehend: it finds the name Jane, and refuses while it is told to.
fn comprehend(is_shut: Arc<AtomicBool>, calls: Arc<AtomicUsize>) -> Router {
    Router::new().fallback(async move |body: Bytes| {
        calls.fetch_add(1, Ordering::Relaxed);
        if is_shut.load(Ordering::Relaxed) {
            let error = json!({ "__type": "AccessDeniedException", "Message": "not yet" });
            return (StatusCode::BAD_REQUEST, error.to_string());
        }
        let request: Value = serde_json::from_slice(&body).expect("JSON");
        let text = request["Text"].as_str().expect("a text");
        let found = text.find("Jane").map(|at| {
            let begin = text[..at].chars().count();
            json!({ "Type": "NAME", "BeginOffset": begin, "EndOffset": begin + 4, "Score": 0.9 })
        });
        let found: Vec<Value> = found.into_iter().collect();
        (StatusCode::OK, json!({ "Entities": found }).to_string())
    })
}

#[tokio::test]
async fn what_comprehend_finds_in_texts_of_a_job_is_masked_before_it_is_kept_or_shown() {
    let (is_shut, calls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let review = Review::with_comprehend(asking_comprehend(), comprehend(is_shut.clone(), calls.clone()));
    put(&review, "texts/1.txt", "Jane again").await;
    let lines = [
        json!({ "source": "Refund Jane her ticket" }),
        json!({ "source": "Nothing of anybody" }),
        json!({ "source-ref": format!("s3://{FEEDBACK_BUCKET}/texts/1.txt") }),
    ];

    started(&review, &lines, &request("asked", json!({}))).await;
    let waiting = describe(&review, "asked").await;
    let kept_before = review.keys("human-review/labelling-job-input/").await;
    is_shut.store(false, Ordering::Relaxed);
    for _ in 0..2 {
        drive(&review).await;
    }
    let begun = calls.load(Ordering::Relaxed);
    let session = review.sign_in("ada").await;
    let shown = Mutex::new(String::new());
    let answered = answer_all(&session, |page| {
        shown.lock().expect("no panic").push_str(page);
        label("Sports")
    })
    .await;
    drive(&review).await;

    assert_eq!(waiting["LabelingJobStatus"], "Initializing", "{waiting}");
    let reason = waiting["FailureReason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("Comprehend") && reason.contains("AccessDeniedException") && !reason.contains("Jane"),
        "{waiting}"
    );
    assert_eq!(describe(&review, "asked").await.get("FailureReason"), None);
    assert_eq!(kept_before, Vec::<String>::new(), "nothing is kept unmasked");
    assert!(begun > 3, "once while it was shut, and once for each text");
    assert_eq!(answered, 3);
    let shown = shown.into_inner().expect("no panic");
    assert!(
        !shown.contains("Jane") && shown.contains("Refund [NAME] her ticket"),
        "{shown}"
    );
    assert!(shown.contains("[NAME] again"), "{shown}");
    let all = output(&review, "asked").await;
    assert_eq!(all[0]["source"], "Refund [NAME] her ticket");
    assert_eq!(all[1]["source"], "Nothing of anybody");
}

#[tokio::test]
async fn a_job_says_that_comprehend_asks_to_slow_down_until_it_has_looked_through_the_text() {
    let is_busy = Arc::new(AtomicBool::new(true));
    let busy = is_busy.clone();
    let throttling = Router::new().fallback(async move || match busy.load(Ordering::Relaxed) {
        true => {
            let error = json!({ "__type": "ThrottlingException", "Message": "Jane" });
            (StatusCode::BAD_REQUEST, error.to_string())
        }
        false => (StatusCode::OK, json!({ "Entities": [] }).to_string()),
    });
    let review = Review::with_comprehend(asking_comprehend(), throttling);
    put(&review, "texts/1.txt", "\u{feff}Cup final").await;
    let line = json!({ "source-ref": format!("s3://{FEEDBACK_BUCKET}/texts/1.txt") });

    started(&review, &[line], &request("slow", json!({}))).await;
    let slow = describe(&review, "slow").await;
    drive(&review).await;
    let still = describe(&review, "slow").await;
    is_busy.store(false, Ordering::Relaxed);
    review.wait(Duration::minutes(1));
    drive(&review).await;
    let asked = describe(&review, "slow").await;

    for told in [slow, still] {
        let reason = told["FailureReason"].as_str().unwrap_or_default();
        assert_eq!(told["LabelingJobStatus"], "InProgress", "{told}");
        assert!(
            reason.contains("Comprehend")
                && reason.contains("ThrottlingException")
                && !reason.contains("Jane"),
            "{told}"
        );
    }
    assert_eq!(asked.get("FailureReason"), None, "{asked}");
    let shown = Mutex::new(String::new());
    let answered = answer_all(&review.sign_in("ada").await, |page| {
        shown.lock().expect("no panic").push_str(page);
        label("Sports")
    })
    .await;
    assert_eq!(answered, 1);
    assert!(!shown.into_inner().expect("no panic").contains('\u{feff}'));
}

fn asking_comprehend() -> Config {
    Config {
        personal_data: Settings::new(Treatment::Comprehend, "en").expect("a language of Comprehend"),
        ..config()
    }
}

/// Comprehend: it finds nothing, but refuses call 101 with this error.
fn refusing_one(error: &'static str, calls: Arc<AtomicUsize>) -> Router {
    Router::new().fallback(async move || match calls.fetch_add(1, Ordering::Relaxed) {
        100 => {
            let refusal = json!({ "__type": error, "Message": "Jane" });
            (StatusCode::BAD_REQUEST, refusal.to_string())
        }
        _ => (StatusCode::OK, json!({ "Entities": [] }).to_string()),
    })
}

#[tokio::test]
async fn a_run_goes_on_after_the_parts_that_comprehend_has_looked_through_unless_the_manifest_is_another() {
    for (is_changed, asked) in [(false, 1), (true, 101)] {
        let calls = Arc::new(AtomicUsize::new(0));
        let comprehend = refusing_one("AccessDeniedException", calls.clone());
        let review = Review::with_comprehend(asking_comprehend(), comprehend);
        let texts: Vec<String> = (0..=100)
            .map(|number| format!("Text of number {number}"))
            .collect();
        let mut lines: Vec<Value> = texts.iter().map(|text| json!({ "source": text })).collect();
        started(&review, &lines, &request("long", json!({}))).await;
        let before = calls.load(Ordering::Relaxed);
        lines[0]["source"] = json!("Of another manifest");
        if is_changed {
            let manifest: String = lines.iter().map(|line| format!("{line}\n")).collect();
            put(&review, "in.manifest", &manifest).await;
        }

        drive(&review).await;

        assert_eq!(before, 101);
        assert_eq!(calls.load(Ordering::Relaxed) - before, asked, "{is_changed}");
        assert_eq!(describe(&review, "long").await["LabelingJobStatus"], "InProgress");
        let kept = review
            .object("human-review/labelling-job-input/long/0000.jsonl")
            .await;
        assert_eq!(kept.contains("Of another manifest"), is_changed, "{kept}");
    }
}

#[tokio::test]
async fn a_text_that_comprehend_takes_never_fails_its_job_with_the_number_of_the_object() {
    let comprehend = refusing_one("InvalidRequestException", Arc::new(AtomicUsize::new(100)));
    let review = Review::with_comprehend(asking_comprehend(), comprehend);

    started(&review, &sources(&["Jane"]), &request("odd", json!({}))).await;

    let failed = describe(&review, "odd").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let reason = failed["FailureReason"].as_str().expect("a reason");
    assert!(
        reason.contains("object 0") && reason.contains("InvalidRequestException") && !reason.contains("Jane"),
        "{reason}"
    );
}

#[tokio::test]
async fn input_that_an_earlier_version_kept_as_it_came_is_looked_through_all_the_same() {
    let (is_shut, calls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let review = Review::with_comprehend(asking_comprehend(), comprehend(is_shut.clone(), calls));
    let line = json!({ "source": "Refund Jane her ticket" });
    started(
        &review,
        std::slice::from_ref(&line),
        &request("before", json!({})),
    )
    .await;
    // That version wrote its input, and was ended before the job knew of it.
    review
        .put(
            "human-review/labelling-job-input/before/0000.jsonl",
            &format!("{line}\n"),
        )
        .await;
    is_shut.store(false, Ordering::Relaxed);

    for _ in 0..2 {
        drive(&review).await;
    }
    let kept = review
        .object("human-review/labelling-job-input/before/0000.jsonl")
        .await;
    let shown = Mutex::new(String::new());
    let answered = answer_all(&review.sign_in("ada").await, |page| {
        shown.lock().expect("no panic").push_str(page);
        label("Sports")
    })
    .await;

    assert_eq!(answered, 1);
    let shown = shown.into_inner().expect("no panic");
    assert!(shown.contains("Refund [NAME] her ticket"), "{shown}");
    assert!(!shown.contains("Jane") && !kept.contains("Jane"), "{kept}");
}

#[tokio::test]
async fn personal_data_in_texts_of_a_job_is_masked_before_it_is_kept_or_shown() {
    let review = Review::with(Config {
        personal_data: Settings::new(Treatment::Mask, "en").expect("any language"),
        ..config()
    });
    put(&review, "texts/1.txt", "Call +49 30 901820 about the cup final").await;
    let lines = [
        json!({ "id": 7, "source": "Refund jane@example.com her ticket", "note": "by jane@example.com" }),
        json!({ "source": "Nothing of anybody" }),
        json!({ "source-ref": format!("s3://{FEEDBACK_BUCKET}/texts/1.txt") }),
    ];
    started(&review, &lines, &request("masked", json!({}))).await;

    let session = review.sign_in("ada").await;
    let shown = Mutex::new(String::new());
    let answered = answer_all(&session, |page| {
        shown.lock().expect("no panic").push_str(page);
        label("Sports")
    });
    let answered = answered.await;
    drive(&review).await;

    let shown = shown.into_inner().expect("no panic");
    assert_eq!(answered, 3);
    assert!(
        shown.contains("Refund [EMAIL] her ticket") && shown.contains("Call [PHONE] about"),
        "{shown}"
    );
    let all = output(&review, "masked").await;
    let texts: Vec<&Value> = all.iter().map(|line| &line["source"]).collect();
    assert_eq!(
        texts,
        [
            &json!("Refund [EMAIL] her ticket"),
            &json!("Nothing of anybody"),
            &Value::Null
        ]
    );
    assert_eq!(
        (&all[0]["id"], &all[0]["note"]),
        (&json!(7), &json!("by jane@example.com")),
        "other members stay"
    );
    for key in review.keys("human-review/").await {
        let kept = review.object(&key).await;
        assert!(
            !kept.contains("Refund jane") && !kept.contains("901820"),
            "{key}: {kept}"
        );
    }
}
