//! What requests about labelling jobs must keep, and what they are told.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{BUCKET, FEEDBACK_BUCKET, Review};
use crate::labelling_jobs::{call, create, request};

const TEXTS: &str =
    "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/text-classification";

async fn refused(review: &Review, operation: &str, body: &Value) -> (String, String) {
    let reply = call(review, operation, body).await;
    assert_eq!(reply.status(), 400, "{operation}: {reply:?}");
    let document = reply.json();
    let member = |name: &str| document[name].as_str().expect(name).to_owned();
    (member("__type"), member("Message"))
}

#[tokio::test]
async fn a_request_that_breaks_a_rule_is_refused_by_member_and_reason() {
    let review = Review::new();
    let function = "arn:aws:lambda:us-east-1:432418664414:function:PRE-BoundingBox";
    for (changes, words) in [
        (json!({ "LabelingJobName": "bad_name" }), "labelingJobName"),
        (
            json!({ "LabelAttributeName": "topic-metadata" }),
            "labelAttributeName",
        ),
        (
            json!({ "LabelAttributeName": null }),
            "Value null at 'labelAttributeName'",
        ),
        (
            json!({ "InputConfig.DataSource": { "SnsDataSource": {} } }),
            "SnsDataSource",
        ),
        (
            json!({ "InputConfig.DataSource": { "S3DataSource": { "ManifestS3Uri": "x" } } }),
            "manifestS3Uri",
        ),
        (
            json!({ "OutputConfig.S3OutputPath": "https://x" }),
            "s3OutputPath",
        ),
        (json!({ "OutputConfig.KmsKeyId": "key" }), "KmsKeyId"),
        (
            json!({ "LabelingJobAlgorithmsConfig": {
                "LabelingJobAlgorithmSpecificationArn": TEXTS,
                "LabelingJobResourceConfig": { "VolumeKmsKeyId": "key" },
            } }),
            "LabelingJobAlgorithmsConfig.LabelingJobResourceConfig.VolumeKmsKeyId is not supported",
        ),
        (
            json!({ "HumanTaskConfig.UiConfig": { "HumanTaskUiArn": "none" } }),
            "'humanTaskConfig.uiConfig.humanTaskUiArn'",
        ),
        (
            json!({ "Tags": [{ "Key": "active-learning:sho", "Value": "x" }] }),
            "Value 'active-learning:sho' at 'tags.key'",
        ),
        (json!({ "RoleArn": "role" }), "roleArn"),
        (
            json!({ "LabelCategoryConfigS3Uri": null }),
            "labelCategoryConfigS3Uri",
        ),
        (
            json!({ "StoppingConditions": { "MaxPercentageOfInputDatasetLabeled": 101 } }),
            "maxPercentageOfInputDatasetLabeled",
        ),
        (
            json!({ "LabelingJobAlgorithmsConfig": {} }),
            "labelingJobAlgorithmSpecificationArn",
        ),
        (
            json!({ "HumanTaskConfig.NumberOfHumanWorkersPerDataObject": 10 }),
            "numberOfHumanWorkersPerDataObject",
        ),
        (
            json!({ "HumanTaskConfig.TaskTimeLimitInSeconds": 29 }),
            "taskTimeLimitInSeconds",
        ),
        (
            json!({ "HumanTaskConfig.TaskTimeLimitInSeconds": 28_801 }),
            "taskTimeLimitInSeconds",
        ),
        (
            json!({ "HumanTaskConfig.TaskAvailabilityLifetimeInSeconds": 59 }),
            "taskAvailabilityLifetimeInSeconds",
        ),
        (
            json!({ "HumanTaskConfig.MaxConcurrentTaskCount": 0 }),
            "maxConcurrentTaskCount",
        ),
        (json!({ "HumanTaskConfig.TaskTitle": "" }), "taskTitle"),
        (
            json!({ "HumanTaskConfig.WorkteamArn": "none" }),
            "The specified Workteam",
        ),
        (
            json!({ "HumanTaskConfig.PreHumanTaskLambdaArn": function }),
            "preHumanTaskLambdaArn",
        ),
        (
            json!({ "HumanTaskConfig.PublicWorkforceTaskPrice": {} }),
            "public workforce",
        ),
        (
            json!({ "Tags": [{ "Key": "active-learning:only-where", "Value": "topic" }] }),
            "only-where",
        ),
    ] {
        let (code, message) = refused(&review, "CreateLabelingJob", &request("job", changes.clone())).await;

        assert_eq!(code, "ValidationException", "{changes}");
        assert!(message.contains(words), "{changes}: {message}");
    }
}

#[tokio::test]
async fn what_the_service_keeps_for_itself_is_neither_read_nor_written_by_a_job() {
    let review = Review::new();
    let manifest = json!({ "S3DataSource": { "ManifestS3Uri": format!("s3://{BUCKET}/human-review/x") } });
    let labels = format!("s3://{BUCKET}/x");
    let changes = json!({ "InputConfig.DataSource": manifest, "LabelCategoryConfigS3Uri": labels });
    create(&review, &request("spy", changes)).await;

    review
        .handle(json!({ "operation": "drive-labelling-jobs" }))
        .await;

    let described = call(
        &review,
        "DescribeLabelingJob",
        &json!({ "LabelingJobName": "spy" }),
    )
    .await
    .json();
    assert_eq!(described["LabelingJobStatus"], "Failed");
    assert!(
        described["FailureReason"]
            .to_string()
            .contains("use one of your own"),
        "{described}"
    );
}

#[tokio::test]
async fn jobs_are_unique_by_name_and_listed_by_pages_and_status() {
    let review = Review::new();
    for name in ["first", "second", "third"] {
        create(&review, &request(name, json!({}))).await;
        review.wait(Duration::seconds(1));
    }
    let stop = call(
        &review,
        "StopLabelingJob",
        &json!({ "LabelingJobName": "second" }),
    )
    .await;

    let twice = refused(&review, "CreateLabelingJob", &request("first", json!({}))).await;
    let none = refused(
        &review,
        "DescribeLabelingJob",
        &json!({ "LabelingJobName": "none" }),
    )
    .await;
    let first = call(&review, "ListLabelingJobs", &json!({ "MaxResults": 2 }))
        .await
        .json();
    let rest = json!({ "MaxResults": 2, "NextToken": first["NextToken"] });
    let rest = call(&review, "ListLabelingJobs", &rest).await.json();
    let stopping = call(
        &review,
        "ListLabelingJobs",
        &json!({ "StatusEquals": "Stopping" }),
    )
    .await
    .json();

    let names = |page: &Value| -> Vec<String> {
        let jobs = page["LabelingJobSummaryList"].as_array().expect("jobs").iter();
        jobs.map(|job| job["LabelingJobName"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(stop.status(), 200);
    assert_eq!(
        (twice.0.as_str(), none.0.as_str()),
        ("ResourceInUse", "ResourceNotFound")
    );
    assert_eq!(
        (names(&first), names(&rest)),
        (vec!["first".into(), "second".into()], vec!["third".into()]),
        "from the oldest on, as SageMaker's API says of the default"
    );
    assert_eq!(names(&stopping), ["second"]);
    let summary = &first["LabelingJobSummaryList"][0];
    assert_eq!(
        summary["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"],
        format!("s3://{FEEDBACK_BUCKET}/in.manifest")
    );
    assert_eq!(summary["LabelCounters"]["TotalLabeled"], 0);
}
