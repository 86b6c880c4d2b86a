//! Labelling jobs when something outside them fails: roles, rights, functions, and what expired.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::Duration;
use local_aws::{LocalAws, eventbridge::EventBusSpec, transport::ENDPOINT_URL};
use serde_json::{Value, json};

use crate::harness::{Review, config};
use crate::labelling_jobs::{
    FUNCTION, answer_all, create, describe, drive, keys, label, output, put, read, request, sources, started,
};

/// A review service whose functions ask about every text.
async fn with_functions() -> Review {
    Review::with_functions(config(), |_, event| {
        let text = &event["dataObject"]["source"];
        Some(json!({ "taskInput": { "taskObject": text, "labels": ["World", "Sports"] } }))
    })
    .await
}

async fn document(review: &Review, key: &str) -> Value {
    serde_json::from_str(&review.object(key).await).expect("JSON")
}

async fn answer_one(review: &Review, reviewer: &str) {
    let session = review.sign_in(reviewer).await;
    let task = session.get(session.get("next").await.header("location")).await;
    let submitted = session.submit(&task, &label("World")).await;
    assert_eq!(submitted.status(), 303, "{submitted:?}");
}

#[tokio::test]
async fn a_job_waits_while_sts_does_not_answer_and_fails_when_its_role_is_refused() {
    let review = with_functions().await;
    started(&review, &sources(&["One", "Two"]), &request("role", json!({}))).await;
    answer_one(&review, "ada").await;

    review.deny_roles(Some("ServiceBroken"));
    drive(&review).await;
    let waiting = describe(&review, "role").await;
    review.deny_roles(None);
    drive(&review).await;
    let counted = describe(&review, "role").await;
    review.deny_roles(Some("AccessDenied"));
    drive(&review).await;

    assert_eq!(waiting["LabelingJobStatus"], "InProgress", "{waiting}");
    let reason = waiting["FailureReason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("waits") && reason.contains("could not be assumed"),
        "{waiting}"
    );
    assert_eq!(counted.get("FailureReason"), None, "{counted}");
    assert_eq!(counted["LabelCounters"]["HumanLabeled"], 1, "{counted}");
    let failed = describe(&review, "role").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let reason = failed["FailureReason"].as_str().expect("a reason");
    assert!(reason.contains("could not be assumed"), "{reason}");
    let kept = "human-review/labelling-job-objects/role/";
    assert!(reason.contains(kept), "{reason}");
    assert!(review.object(&format!("{kept}0000.json")).await.contains("World"));
    assert!(
        review.keys("human-review/queue/").await.is_empty(),
        "its tasks are taken back"
    );
    assert!(review.keys("human-review/open-labelling-jobs/").await.is_empty());
    assert_eq!(failed["LabelCounters"]["HumanLabeled"], 1, "{failed}");
}

#[tokio::test]
async fn an_answer_to_a_task_of_a_job_that_has_failed_is_not_taken_and_its_reviewer_hears_so() {
    let review = with_functions().await;
    started(&review, &sources(&["One"]), &request("role", json!({}))).await;
    let ada = review.sign_in("ada").await;
    let task = ada.get(ada.get("next").await.header("location")).await;
    review.deny_roles(Some("AccessDenied"));
    drive(&review).await;

    let submitted = ada.submit(&task, &label("World")).await;

    assert_eq!(describe(&review, "role").await["LabelingJobStatus"], "Failed");
    assert_eq!((submitted.status(), submitted.code()), (410, "task_closed"));
    assert!(review.keys("human-review/queue/").await.is_empty());
}

#[tokio::test]
async fn tasks_of_a_failed_job_that_could_not_be_stopped_are_stopped_later() {
    let review = with_functions().await;
    started(&review, &sources(&["One", "Two"]), &request("role", json!({}))).await;
    review.deny_roles(Some("AccessDenied"));
    review.deny_puts_to(Some("/human-review/loops/"));
    drive(&review).await;
    let left = review.keys("human-review/queue/").await.len();

    review.deny_puts_to(None);
    drive(&review).await;

    assert_eq!(left, 2);
    assert!(review.keys("human-review/queue/").await.is_empty());
    assert!(review.keys("human-review/open-labelling-jobs/").await.is_empty());
}

#[tokio::test]
async fn a_job_that_fails_writes_the_labels_that_it_has() {
    let review = Review::new();
    started(&review, &sources(&["One", "Two"]), &request("half", json!({}))).await;
    answer_one(&review, "ada").await;
    drive(&review).await;
    answer_one(&review, "ada").await;

    review.deny_puts_to(Some("consolidation-request"));
    drive(&review).await;

    let failed = describe(&review, "half").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let reason = failed["FailureReason"].as_str().expect("a reason");
    assert!(reason.contains("AccessDenied"), "{reason}");
    let all = output(&review, "half").await;
    let labelled = all.iter().filter(|line| line["topic"] == json!(0)).count();
    assert_eq!(
        (all.len(), labelled),
        (2, 2),
        "also what could not be consolidated"
    );
    assert!(review.keys("human-review/labelling-job-").await.is_empty());
}

/// A review service whose function of this name is gone once the flag is set, and fails for the text "Two" before; the others
/// ask about every text.
async fn without_function(gone: &'static str) -> (Review, Arc<AtomicUsize>) {
    let is_gone = Arc::new(AtomicUsize::new(0));
    let seen = is_gone.clone();
    let review = Review::with_functions(config(), move |function, event| {
        let text = &event["dataObject"]["source"];
        match (function.ends_with(gone), seen.load(Ordering::Relaxed)) {
            (true, 1) => Some(json!("ResourceNotFoundException")),
            (true, _) if text == "Two" => None,
            _ => Some(json!({ "taskInput": { "taskObject": text, "labels": ["World", "Sports"] } })),
        }
    })
    .await;
    (review, is_gone)
}

#[tokio::test]
async fn a_label_counts_that_was_consolidated_in_the_run_in_which_the_job_fails() {
    let (review, is_gone) = without_function("pre").await;
    let changes = json!({ "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre") });
    started(&review, &sources(&["One", "Two"]), &request("gone", changes)).await;
    answer_one(&review, "ada").await;

    is_gone.store(1, Ordering::Relaxed);
    review.wait(Duration::minutes(6));
    drive(&review).await;

    let failed = describe(&review, "gone").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    assert_eq!(failed["LabelCounters"]["HumanLabeled"], 1, "{failed}");
    let all = output(&review, "gone").await;
    let topics: Vec<&Value> = all.iter().map(|line| &line["topic"]).collect();
    assert_eq!(topics, [&json!(0), &Value::Null]);
}

#[tokio::test]
async fn a_function_that_is_not_there_is_found_out_before_anybody_is_asked() {
    for (gone, changes) in [
        (
            "PreHumanTaskLambdaArn",
            json!({ "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}gone") }),
        ),
        (
            "AnnotationConsolidationLambdaArn",
            json!({ "HumanTaskConfig.AnnotationConsolidationConfig": { "AnnotationConsolidationLambdaArn": format!("{FUNCTION}gone") } }),
        ),
    ] {
        let (review, is_gone) = without_function("gone").await;
        is_gone.store(1, Ordering::Relaxed);

        started(&review, &sources(&["One", "Two"]), &request("none", changes)).await;

        let job = describe(&review, "none").await;
        let reason = job["FailureReason"].as_str().expect("a reason");
        let words = format!("ClientError: {gone}: {FUNCTION}gone could not be invoked: ");
        assert!(reason.starts_with(&words), "{reason}");
        assert!(review.keys("human-review/queue/").await.is_empty());
    }
}

#[tokio::test]
async fn answers_that_a_function_that_is_gone_was_to_consolidate_are_labels_by_their_majority_and_the_job_says_so()
 {
    let (review, is_gone) = without_function("post").await;
    let changes = json!({
        "HumanTaskConfig.AnnotationConsolidationConfig": { "AnnotationConsolidationLambdaArn": format!("{FUNCTION}post") },
    });
    started(
        &review,
        &sources(&["One", "Two", "Three"]),
        &request("post", changes),
    )
    .await;
    is_gone.store(1, Ordering::Relaxed);
    answer_one(&review, "ada").await;
    answer_one(&review, "ada").await;

    drive(&review).await;

    let failed = describe(&review, "post").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let counts = &failed["LabelCounters"];
    assert_eq!(
        (&counts["HumanLabeled"], &counts["Unlabeled"]),
        (&json!(2), &json!(1))
    );
    let reason = failed["FailureReason"].as_str().expect("a reason");
    assert!(
        reason.contains(
            "The labels of 2 objects, which its function did not consolidate, are those of most answers."
        ),
        "{reason}"
    );
    let all = output(&review, "post").await;
    let labelled = all.iter().filter(|line| line["topic"] == json!(0)).count();
    assert_eq!((all.len(), labelled), (3, 2));
    assert_eq!(
        keys(&review, "out/post/annotations/worker-response/").await.len(),
        2
    );
}

#[tokio::test]
async fn the_answer_of_the_first_of_two_reviewers_is_a_label_of_a_job_that_fails_before_the_second() {
    let review = with_functions().await;
    let changes = json!({ "HumanTaskConfig.NumberOfHumanWorkersPerDataObject": 2 });
    started(&review, &sources(&["One"]), &request("role", changes)).await;
    answer_one(&review, "ada").await;

    review.deny_roles(Some("AccessDenied"));
    drive(&review).await;

    let failed = describe(&review, "role").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    assert_eq!(failed["LabelCounters"]["HumanLabeled"], 1, "{failed}");
    let part = document(&review, "human-review/labelling-job-objects/role/0000.json").await;
    assert_eq!(part["objects"][0]["Labelled"]["content"]["topic"], 0, "{part}");
}

#[tokio::test]
async fn a_job_whose_output_may_not_be_written_keeps_its_labels() {
    let review = Review::new();
    started(&review, &sources(&["One"]), &request("kept", json!({}))).await;
    answer_one(&review, "ada").await;

    review.deny_puts_to(Some("manifests/output"));
    drive(&review).await;
    drive(&review).await;

    let failed = describe(&review, "kept").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let part = document(&review, "human-review/labelling-job-objects/kept/0000.json").await;
    assert_eq!(part["objects"][0]["Labelled"]["content"]["topic"], 0, "{part}");
}

#[tokio::test]
async fn a_job_whose_machine_labels_reach_the_limit_is_stopped() {
    let review = Review::new();
    let changes = json!({ "StoppingConditions": { "MaxPercentageOfInputDatasetLabeled": 30 } });
    started(
        &review,
        &sources(&["One", "Two", "Three"]),
        &request("most", changes),
    )
    .await;
    let machine = json!({ "Labelled": { "by": "Machine", "content": { "topic": 0 } } });
    // As a version before has stored what waits.
    let waiting = json!({ "Waiting": { "tries": 0 } });
    let part = json!({ "objects": [machine, waiting, waiting] });
    review
        .put(
            "human-review/labelling-job-objects/most/0000.json",
            &part.to_string(),
        )
        .await;
    let mut job = document(&review, "human-review/labelling-jobs/most.json").await;
    job["parts"] = json!([{
        "waiting": 2, "asked": 0, "human": 0, "machine": 1, "earlier": 0, "passed": 0, "failed": 0,
    }]);
    review
        .put("human-review/labelling-jobs/most.json", &job.to_string())
        .await;

    drive(&review).await;

    let stopped = describe(&review, "most").await;
    assert_eq!(stopped["LabelingJobStatus"], "Stopped", "{stopped}");
    assert_eq!(stopped["LabelCounters"]["MachineLabeled"], 1);
    let job = document(&review, "human-review/labelling-jobs/most.json").await;
    assert_eq!(job["parts"], json!([]), "of a final job only sums are kept");
    assert_eq!(job["totals"]["machine"], 1, "{job}");
}

#[tokio::test]
async fn a_function_that_fails_is_called_again_after_a_pause() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let review = Review::with_functions(config(), move |_, event| {
        // A dry run has no event.
        counted.fetch_add(usize::from(!event.is_null()), Ordering::Relaxed);
        None
    })
    .await;
    let changes = json!({ "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre") });

    let (mut seen, mut reasons) = (Vec::new(), Vec::new());
    started(&review, &sources(&["One"]), &request("pause", changes)).await;
    for minutes in [0, 4, 1, 14, 1] {
        review.wait(Duration::minutes(minutes));
        drive(&review).await;
        drive(&review).await;
        seen.push(calls.load(Ordering::Relaxed));
        let told = describe(&review, "pause").await["FailureReason"].take();
        reasons.push(told.as_str().unwrap_or_default().to_owned());
    }

    assert_eq!(seen, [1, 1, 2, 2, 3]);
    let done = describe(&review, "pause").await;
    let waits = |reason: &&String| reason.contains("waits") && reason.contains("has failed: see its log");
    assert_eq!(reasons.iter().filter(waits).count(), 4, "{reasons:?}");
    assert!(reasons[4].contains("no object was labelled"), "{reasons:?}");
    assert_eq!(done["LabelCounters"]["FailedNonRetryableError"], 1, "{done}");
}

#[tokio::test]
async fn the_schedule_counts_and_leaves_jobs_to_invocations_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let aws = LocalAws::open(folder.path(), "us-east-1", ENDPOINT_URL).expect("the folder is free");
    aws.events.put_event_bus(EventBusSpec {
        name: config().event_bus,
        description: None,
    });
    let review = Review::telling(config(), &aws.sdk_config());
    put(&review, "in.manifest", "{\"source\": \"One\"}\n").await;
    create(&review, &request("told", json!({}))).await;

    let measured = review.handle(json!({ "operation": "measure" })).await;

    assert_eq!(measured["waiting"]["tasks"]["count"], 0, "{measured}");
    let job = describe(&review, "told").await;
    assert_eq!(job["LabelingJobStatus"], "Initializing", "{job}");
    let log = folder
        .path()
        .join(format!("logs/event-bus-{}.log", config().event_bus));
    let log = std::fs::read_to_string(log).expect("events");
    let told = log.lines().filter(|line| line.contains("Labeling Job Goes On"));
    assert_eq!(told.count(), 2, "when it was created, and by the schedule: {log}");
}

#[tokio::test]
async fn answers_are_consolidated_again_after_a_pause() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let review = Review::with_functions(config(), move |function, event| {
        let text = &event["dataObject"]["source"];
        if function.ends_with("pre") {
            return Some(json!({ "taskInput": { "taskObject": text, "labels": ["World"] } }));
        }
        if event.is_null() {
            return None; // A dry run.
        }
        let content = json!({ "topic": 0, "topic-metadata": {} });
        let found = json!([{ "datasetObjectId": "0", "consolidatedAnnotation": { "content": content } }]);
        (counted.fetch_add(1, Ordering::Relaxed) > 0).then_some(found)
    })
    .await;
    let changes = json!({
        "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre"),
        "HumanTaskConfig.AnnotationConsolidationConfig":
            { "AnnotationConsolidationLambdaArn": format!("{FUNCTION}post") },
    });
    started(&review, &sources(&["One"]), &request("again", changes)).await;
    answer_one(&review, "ada").await;

    drive(&review).await;
    drive(&review).await;
    let before = calls.load(Ordering::Relaxed);
    review.wait(Duration::minutes(5));
    drive(&review).await;

    assert_eq!((before, calls.load(Ordering::Relaxed)), (1, 2));
    let done = describe(&review, "again").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert_eq!(done["LabelCounters"]["HumanLabeled"], 1, "{done}");
}

#[tokio::test]
async fn runs_at_the_same_time_keep_each_others_consolidations() {
    let review = Review::new();
    started(&review, &sources(&["One", "Two"]), &request("twice", json!({}))).await;

    for _ in 0..2 {
        answer_one(&review, "ada").await;
        drive(&review).await;
    }

    let folder = "out/twice/annotations/consolidated-annotation/consolidation-request/";
    let written = keys(&review, folder).await;
    assert_eq!(written.len(), 2, "{written:?}");
    let mut objects = Vec::new();
    for key in &written {
        let payload: Value = serde_json::from_str(&read(&review, key).await).expect("JSON");
        objects.push(payload[0]["datasetObjectId"].to_string());
    }
    objects.sort();
    assert_eq!(objects, ["\"0\"", "\"1\""]);
}

#[tokio::test]
async fn answers_that_have_expired_fail_their_object_alone() {
    let review = Review::new();
    started(&review, &sources(&["One", "Two"]), &request("expired", json!({}))).await;
    answer_one(&review, "ada").await;
    for key in review.keys("human-review/answers/").await {
        review.remove(&key).await;
    }
    answer_one(&review, "ada").await;

    drive(&review).await;

    let done = describe(&review, "expired").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert_eq!(done["LabelCounters"]["HumanLabeled"], 1, "{done}");
    let all = output(&review, "expired").await;
    let mut reasons = all
        .iter()
        .map(|line| line["topic-metadata"]["failure-reason"].to_string());
    assert!(
        reasons.any(|reason| reason.contains("its answers cannot be read")),
        "{all:?}"
    );
}

#[tokio::test]
async fn a_job_whose_texts_have_expired_fails_with_the_reason() {
    let review = Review::new();
    started(&review, &sources(&["One"]), &request("old", json!({}))).await;
    answer_one(&review, "ada").await;
    review
        .remove("human-review/labelling-job-input/old/0000.jsonl")
        .await;

    drive(&review).await;

    let failed = describe(&review, "old").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    assert!(
        failed["FailureReason"].to_string().contains("TextRetentionDays"),
        "{failed}"
    );
}

#[tokio::test]
async fn a_function_of_ones_own_leaves_excluded_workers_excluded() {
    let review = with_functions().await;
    let ada = human_review::human_loop::Worker::of("ada").id;
    let line = json!({ "source": "One", "excluded-workers": [ada] });
    let changes = json!({
        "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre"),
        "HumanTaskConfig.AnnotationConsolidationConfig":
            { "AnnotationConsolidationLambdaArn": format!("{FUNCTION}post") },
    });
    started(&review, &[line], &request("others", changes)).await;

    let own = answer_all(&review.sign_in("ada").await, |_| label("World")).await;
    let others = answer_all(&review.sign_in("bob").await, |_| label("World")).await;

    assert_eq!((own, others), (0, 1));
}

#[tokio::test]
async fn a_task_of_a_job_that_nobody_answered_in_time_ends_within_a_minute() {
    let review = Review::new();
    let changes = json!({ "HumanTaskConfig.TaskAvailabilityLifetimeInSeconds": 60 });
    started(&review, &sources(&["One"]), &request("late", changes)).await;
    let minute = json!({ "operation": "end-overdue" });

    review.wait(Duration::seconds(59));
    review.handle(minute.clone()).await;
    let before = describe(&review, "late").await;
    review.wait(Duration::seconds(1));
    review.handle(minute).await;

    assert_eq!(before["LabelingJobStatus"], "InProgress", "{before}");
    let after = describe(&review, "late").await;
    assert_eq!(after["LabelingJobStatus"], "Failed", "{after}");
    let reason = after["FailureReason"].as_str().unwrap_or_default();
    assert!(reason.contains("nobody answered within"), "{after}");
}
