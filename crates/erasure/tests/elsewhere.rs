//! Outputs of the review service in buckets that are not the stack's: they are named and stay.

use active_learning_aws::bucket::Bucket;
use chrono::{TimeDelta, Utc};
use erasure::erase::{self, Buckets, Job};
use human_review::human_loop::{FlowRules, HumanLoop, LoopFlow, Status};
use local_aws::{LocalAws, s3::BucketSpec};
use serde_json::{Value, json};

const TEXT: &str = "I live in 4 Elm Street, next to the old mill.";
const OTHER: &str = "Something that another person has said.";
/// Buckets of others.
const MINE: &str = "mine";
const GONE: &str = "gone";

fn buckets(aws: &LocalAws) -> Buckets {
    for name in ["batch", "feedback", "review", "training", MINE] {
        let name = name.to_owned();
        let spec = BucketSpec {
            name,
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(spec).expect("the index works");
    }
    let batch = Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), "batch");
    Buckets {
        feedback: batch.other("feedback"),
        review: batch.other("review"),
        training: batch.other("training"),
        batch,
    }
}

async fn put(bucket: &Bucket, key: &str, content: &Value) {
    let content = content.to_string() + "\n";
    bucket
        .put(key, "application/json", content)
        .await
        .expect("stored");
}

/// Makes a flow definition that writes to `out/` of a bucket.
async fn put_flow(review: &Bucket, name: &str, bucket: &str) {
    let flow = json!({
        "FlowDefinitionName": name,
        "FlowDefinitionArn": format!("arn:aws:sagemaker:us-east-1:000000000000:flow-definition/{name}"),
        "CreationTime": Utc::now(),
        "HumanLoopConfig": {"WorkteamArn": "arn:team/all", "HumanTaskUiArn": "arn:ui", "TaskTitle": "t",
            "TaskDescription": "d", "TaskCount": 1},
        "OutputConfig": {"S3OutputPath": format!("s3://{bucket}/out")},
        "RoleArn": "arn:aws:iam::000000000000:role/flow",
        "TemplateKey": "t.html", "OutputBucket": bucket, "OutputPrefix": "out/",
    });
    let key = format!("human-review/flow-definitions/{name}.json");
    put(review, &key, &flow).await;
}

/// Leaves the state of a loop that was deleted, of a flow definition that is gone too.
async fn put_deleted_loop(review: &Bucket) {
    let rules = FlowRules {
        task_count: 1,
        availability: TimeDelta::days(30),
        time_limit: TimeDelta::minutes(10),
        excluded_workers: Vec::new(),
    };
    let mut state = HumanLoop::start("id".to_owned(), "old", "{}", Utc::now(), &rules);
    state.status = Status::Deleted;
    let flow = LoopFlow {
        arn: "arn:aws:sagemaker:us-east-1:000000000000:flow-definition/before".to_owned(),
        title: String::new(),
        description: String::new(),
        template_key: String::new(),
        output_bucket: GONE.to_owned(),
        output_prefix: String::new(),
        role_arn: String::new(),
        time_limit_seconds: 600,
        team: None,
    };
    state.flow = Some(flow);
    put(review, "human-review/loops/old.json", &json!(state)).await;
}

/// Makes a labelling job that has ended, and wrote to `jobs/` of a bucket.
async fn put_job(review: &Bucket, name: &str, bucket: &str) {
    let job = json!({
        "name": name, "arn": format!("arn:aws:sagemaker:us-east-1:000000000000:labeling-job/{name}"),
        "created_at": Utc::now(), "modified_at": Utc::now(), "status": "Completed", "request": {},
        "settings": {"attribute": "label", "role_arn": "", "manifest": format!("s3://{bucket}/in.manifest"),
            "categories": null, "output": format!("s3://{bucket}/jobs"), "template": "BuiltIn", "task": "SingleLabel",
            "pre_annotation": null, "consolidation": null, "workers": 1, "time_limit_seconds": 600,
            "availability_seconds": 3600, "max_concurrent": 10, "title": "t", "description": "d",
            "max_human_labelled": null, "max_percentage": null},
    });
    let key = format!("human-review/labelling-jobs/{name}.json");
    put(review, &key, &job).await;
}

fn output(text: &str) -> Value {
    json!({"humanLoopName": "l", "inputContent": {"text": text}, "humanAnswers": [{"answerContent": {"label": "A"}}]})
}

async fn found(buckets: &Buckets) -> Job {
    let found = erase::find(buckets, &[TEXT.to_owned()], &[], Utc::now()).await;
    found.expect("looked through")
}

#[tokio::test]
async fn what_the_service_has_written_into_other_buckets_is_named_and_stays() {
    let aws = LocalAws::in_memory();
    let buckets = buckets(&aws);
    let (review, mine) = (&buckets.review, buckets.review.other(MINE));
    put_flow(review, "senti", MINE).await;
    put_deleted_loop(review).await;
    put_job(review, "erj", MINE).await;
    put(
        &mine,
        "out/senti/2026/11/29/10/00/00/er-5/output.json",
        &output(TEXT),
    )
    .await;
    put(
        &mine,
        "out/senti/2026/11/29/10/00/00/er-6/output.json",
        &output(OTHER),
    )
    .await;
    let manifest = "jobs/erj/manifests/output/output.manifest";
    put(&mine, manifest, &json!({"source": TEXT, "label": 0})).await;
    let request = json!([{"datasetObjectId": "0", "dataObject": {"content": TEXT}, "annotations": []}]);
    let consolidation = "jobs/erj/annotations/consolidation-request/iteration-1/a.json";
    put(&mine, consolidation, &request).await;
    put(
        &mine,
        "jobs/other/manifests/output/output.manifest",
        &json!({"source": TEXT}),
    )
    .await;

    let job = found(&buckets).await;
    let preview = erase::preview(&buckets, job.clone())
        .await
        .expect("looked through");
    let report = erase::erase(&buckets, job).await.expect("erased");
    let again = erase::find(&buckets, &[], &[], Utc::now())
        .await
        .expect("looked through");
    let again = erase::preview(&buckets, again).await.expect("looked through");

    assert!(again.elsewhere.is_empty(), "{again:?}");
    for report in [preview, report, again] {
        let named = report.elsewhere.union(&report.of_earlier_elsewhere);
        let named: Vec<&str> = named.map(String::as_str).collect();
        let expected = [
            &format!("s3://mine/{consolidation}"),
            &format!("s3://mine/{manifest}"),
            "s3://mine/out/senti/2026/11/29/10/00/00/er-5/output.json",
        ];
        assert_eq!(named, expected);
        assert!(
            report.unread_elsewhere.is_empty(),
            "nothing is left in a bucket that was deleted: {report:?}"
        );
        assert!(
            report.is_complete(),
            "what is somebody else's is not the stack's to erase"
        );
    }
    let stays = mine
        .read(manifest, 1 << 20)
        .await
        .expect("S3 answers")
        .expect("it stays");
    assert!(String::from_utf8_lossy(&stays.bytes).contains(TEXT));
}

#[tokio::test]
async fn what_holds_a_text_of_an_earlier_erasure_is_not_said_to_hold_one_of_this_one() {
    let aws = LocalAws::in_memory();
    let buckets = buckets(&aws);
    let mine = buckets.review.other(MINE);
    put_flow(&buckets.review, "senti", MINE).await;
    for (name, text) in [("er-5", TEXT), ("er-6", OTHER)] {
        let key = format!("out/senti/2026/11/29/10/00/00/{name}/output.json");
        put(&mine, &key, &output(text)).await;
    }
    erase::erase(&buckets, found(&buckets).await)
        .await
        .expect("erased");

    let other = erase::find(&buckets, &[OTHER.to_owned()], &[], Utc::now()).await;
    let report = erase::preview(&buckets, other.expect("looked through")).await;

    let report = report.expect("looked through");
    let last = |uris: &std::collections::BTreeSet<String>| {
        let uris: Vec<String> = uris.iter().cloned().collect();
        uris.join(" ")
    };
    let key = |name: &str| format!("s3://mine/out/senti/2026/11/29/10/00/00/{name}/output.json");
    assert_eq!(last(&report.elsewhere), key("er-6"));
    assert_eq!(last(&report.of_earlier_elsewhere), key("er-5"));
}

#[tokio::test]
async fn outputs_in_the_buckets_of_the_stack_are_rewritten_and_not_named() {
    let aws = LocalAws::in_memory();
    let buckets = buckets(&aws);
    put_flow(&buckets.review, "senti", "training").await;
    let key = "out/senti/2026/11/29/10/00/00/er-5/output.json";
    put(&buckets.training, key, &output(TEXT)).await;

    let job = found(&buckets).await;
    let report = erase::erase(&buckets, job).await.expect("erased");

    assert!(report.elsewhere.is_empty() && report.unread_elsewhere.is_empty());
    let left = buckets.training.read(key, 1 << 20).await.expect("S3 answers");
    let left = left.map_or_else(String::new, |left| {
        String::from_utf8_lossy(&left.bytes).into_owned()
    });
    assert!(!left.contains("Elm"), "{left}");
}
