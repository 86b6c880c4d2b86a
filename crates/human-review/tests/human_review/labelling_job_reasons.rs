//! What a labelling job says where it cannot mean what was asked for, or has asked nobody.

use serde_json::{Value, json};

use crate::harness::{FEEDBACK_BUCKET, Review, config};
use crate::labelling_jobs::{
    FUNCTION, answer_all, audit, create, describe, drive, label, labelled, output, put, request, sources,
    started,
};

/// Starts a job that fails at once, and returns why.
async fn failed(review: &Review, lines: &[Value], request: &Value) -> String {
    started(review, lines, request).await;
    let name = request["LabelingJobName"].as_str().expect("a name");
    let job = describe(review, name).await;
    assert_eq!(job["LabelingJobStatus"], "Failed", "{job}");
    assert!(
        review.keys("human-review/queue/").await.is_empty(),
        "nobody is asked"
    );
    job["FailureReason"].as_str().expect("a reason").to_owned()
}

fn tags(tags: &[(&str, &str)]) -> Value {
    let all = tags.iter();
    all.map(|(name, value)| json!({ "Key": format!("active-learning:{name}"), "Value": value }))
        .collect()
}

#[tokio::test]
async fn a_name_that_no_line_has_a_label_of_fails_the_job_which_says_what_there_is() {
    let mut line = labelled("Cup final", "Sports");
    (line["tone"], line["tone-metadata"]) = (json!(0), json!({ "class-name": "glad" }));
    let lines = [line, labelled("Rates rise", "Business")];
    let new = |changes: Value| {
        let mut changes = changes;
        changes["LabelAttributeName"] = json!("sport");
        changes
    };
    let adjust = |name: &str, changes: Value| audit(name, "Adjustment", changes);
    for (request, words) in [
        (
            request(
                "class",
                new(json!({ "Tags": tags(&[("only-where", "topic=Sprots")]) })),
            ),
            "active-learning:only-where: no line of the input manifest has the class Sprots of topic; the classes there \
             are: Business, Sports",
        ),
        (
            request(
                "filter",
                new(json!({ "Tags": tags(&[("only-where", "nosuch=Sports")]) })),
            ),
            "active-learning:only-where: no line of the input manifest has a label nosuch; the label attributes there \
             are: tone, topic",
        ),
        (
            request("show", new(json!({ "Tags": tags(&[("show", "nosuch")]) }))),
            "active-learning:show: no line of the input manifest has a label nosuch",
        ),
        (
            adjust("audit", new(json!({ "Tags": tags(&[("audit", "nosuch")]) }))),
            "active-learning:audit: no line of the input manifest has a label nosuch",
        ),
        (
            adjust("own", json!({ "Tags": tags(&[("audit", "topic")]) })),
            "LabelAttributeName topic is the label that is looked at",
        ),
    ] {
        let review = Review::new();

        let reason = failed(&review, &lines, &request).await;

        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_label_that_the_category_file_misnames_is_told_by_its_member() {
    let review = Review::new();
    let file = r#"{"labels": [{"label": "a"}, {"label": "b"}], "auditLabelAttributeName": "nosuch"}"#;
    put(&review, "named.json", file).await;
    let uri = format!("s3://{FEEDBACK_BUCKET}/named.json");
    let changes = json!({ "LabelAttributeName": "sport", "LabelCategoryConfigS3Uri": uri });
    let request = audit("file", "Adjustment", changes);

    let reason = failed(&review, &[labelled("Cup final", "Sports")], &request).await;

    let words = "auditLabelAttributeName: no line of the input manifest has a label nosuch; the label attributes there \
                 are: topic";
    assert!(reason.contains(words), "{reason}");
}

#[tokio::test]
async fn a_field_that_is_no_label_is_not_taken_for_one() {
    let review = Review::new();
    let lines = [
        json!({ "source": "Cup final" }),
        json!({ "source": "Rates rise", "id": 7 }),
    ];

    let reason = failed(
        &review,
        &lines,
        &request("id", json!({ "LabelAttributeName": "id" })),
    )
    .await;

    assert!(
        reason.contains("LabelAttributeName id is taken: line 2"),
        "{reason}"
    );
    assert!(reason.contains("no id-metadata"), "{reason}");
}

#[tokio::test]
async fn a_template_nobody_could_answer_fails_the_job_before_anybody_is_asked() {
    for (template, words) in [
        (
            "<p>hello</p>",
            "does not show the text: it must refer to task.input.taskObject",
        ),
        (
            "<p>{{ task.input.taskObject }}</p>",
            "takes no answer: it has no field",
        ),
        (
            "<p>{{ task.input.taskObject }}</p><crowd-classifier name='a' categories=\"['1', '2']\"></crowd-classifier>",
            "takes no answer: none of its choices is a label of the job",
        ),
        ("{% if %}", "is not valid Liquid"),
    ] {
        let review = Review::new();
        put(&review, "own.html", template).await;
        let uri = format!("s3://{FEEDBACK_BUCKET}/own.html");
        let changes = json!({ "HumanTaskConfig.UiConfig": { "UiTemplateS3Uri": uri } });

        let reason = failed(&review, &sources(&["One", "Two"]), &request("page", changes)).await;

        assert!(
            reason.contains("UiTemplateS3Uri") && reason.contains(words),
            "{template}: {reason}"
        );
    }
}

#[tokio::test]
async fn a_job_of_which_every_object_failed_is_failed_for_the_commonest_reason() {
    let review = Review::with_functions(config(), |_, event| {
        let text = event["dataObject"]["source"].clone();
        let labels = if text == "Empty" {
            json!(["World"])
        } else {
            json!(["Yes", "No"])
        };
        let shown = if text == "Empty" { json!("") } else { text };
        Some(json!({ "taskInput": { "taskObject": shown, "labels": labels } }))
    })
    .await;
    let changes = json!({ "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre") });

    let reason = failed(
        &review,
        &sources(&["Empty", "One", "Two"]),
        &request("all", changes),
    )
    .await;

    let words = "no object was labelled, and 3 failed, 2 of them for this: ClientError: the page of the task takes no \
                 answer: none of its choices is a label of the job";
    assert!(reason.contains(words), "{reason}");
    let all = output(&review, "all").await;
    assert!(
        all.iter()
            .all(|line| line["topic-metadata"]["failure-reason"].is_string()),
        "{all:?}"
    );
}

#[tokio::test]
async fn a_job_that_asks_nobody_is_completed_and_says_so() {
    let review = Review::new();
    let mut line = labelled("Cup final", "Sports");
    (line["sport"], line["sport-metadata"]) = (json!(0), json!({ "class-name": "World" }));
    let changes = json!({ "LabelAttributeName": "sport", "Tags": tags(&[("only-where", "topic=Sports")]) });

    started(
        &review,
        &[line, labelled("Rates", "Business")],
        &request("none", changes),
    )
    .await;

    let job = describe(&review, "none").await;
    assert_eq!(job["LabelingJobStatus"], "Completed", "{job}");
    let words = "Nothing was left to label: of 2 objects 1 had the label sport already, and 1 was left out by \
                 active-learning:only-where=topic=Sports.";
    assert_eq!(job["FailureReason"], words, "{job}");

    let changes = json!({
        "LabelAttributeName": "again", "Tags": tags(&[("audit", "topic"), ("share", "0.000001")]),
    });
    started(
        &review,
        &[labelled("Rates", "Business")],
        &audit("share", "Adjustment", changes),
    )
    .await;

    let job = describe(&review, "share").await;
    let words = "1 was left out by active-learning:share=0.000001 or the lack of the label topic.";
    let reason = job["FailureReason"].as_str().expect("a reason");
    assert!(reason.ends_with(words), "{reason}");
}

#[tokio::test]
async fn what_was_left_between_two_rounds_is_done_by_the_next_run() {
    let review = Review::new();
    let specification =
        "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/text-classification";
    let changes =
        json!({ "LabelingJobAlgorithmsConfig": { "LabelingJobAlgorithmSpecificationArn": specification } });
    let lines: Vec<Value> = (0..250)
        .map(|number| json!({ "source": format!("Text {number}") }))
        .collect();
    started(&review, &lines, &request("turn", changes)).await;
    let session = review.sign_in("ada").await;
    // A run on a busy machine may have no time for all tasks of the first round.
    let mut first = answer_all(&session, |_| label("World")).await;
    for _ in 0..100 {
        if first < 150 {
            drive(&review).await;
            first += answer_all(&session, |_| label("World")).await;
        }
    }
    let key = "human-review/labelling-jobs/turn.json";
    // As a run leaves it that had no more time, when the model is gone that it would go on with.
    let mut job: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    job["automation"]["turn"] = json!({ "Labelling": { "threshold": 0.5, "from": 1 } });
    review.put(key, &job.to_string()).await;

    let mut runs = 0;
    while describe(&review, "turn").await["LabelingJobStatus"] == "InProgress" && runs < 200 {
        drive(&review).await;
        answer_all(&session, |_| label("World")).await;
        runs += 1;
    }

    let done = describe(&review, "turn").await;
    assert!((150..250).contains(&first), "{first}");
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert_eq!(done["LabelCounters"]["Unlabeled"], 0, "{done}");
    let job: Value = serde_json::from_str(&review.object(key).await).expect("JSON");
    assert!(job["automation"].get("turn").is_none(), "{job}");
}

#[tokio::test]
async fn the_console_shows_what_an_audit_has_found() {
    let review = Review::new();
    let cy = human_review::human_loop::Worker::of("cy").id;
    let mut wrong = labelled("Rates rise", "World");
    (wrong["reviewers"], wrong["excluded-workers"]) = (json!([cy]), json!([cy]));
    let lines = [labelled("Cup final", "Sports"), wrong];
    let changes = json!({ "LabelAttributeName": "again", "Tags": tags(&[("audit", "topic")]) });
    started(&review, &lines, &audit("spring", "Adjustment", changes)).await;
    create(&review, &request("other", json!({}))).await;
    review.sign_in("cy").await;
    let (bob, boss) = (review.sign_in("bob").await, review.sign_in_admin("boss").await);

    let early = boss.get("audits/spring.json").await.json();
    answer_all(&bob, |page| {
        label(if page.contains("Cup") {
            "Sports"
        } else {
            "Business"
        })
    })
    .await;
    drive(&review).await;
    let list = boss.get("audits.json").await.json();
    let found = boss.get("audits/spring.json").await.json();
    let page = boss.get("audits/spring").await;

    assert_eq!(
        (&early["waiting"], early.get("result")),
        (&json!(2), None),
        "{early}"
    );
    let audits = list["audits"].as_array().expect("audits");
    assert_eq!(
        (audits.len(), &audits[0]["name"]),
        (1, &json!("spring")),
        "{list}"
    );
    let result = &found["result"];
    assert_eq!(
        (&result["all"]["audited"], &result["all"]["wrong"]),
        (&json!(2), &json!(1)),
        "{found}"
    );
    assert_eq!(result["byLabel"]["World"]["errorRate"], 1.0, "{found}");
    assert_eq!(result["byReviewer"]["cy"]["wrong"], 1, "{found}");
    assert_eq!(result["changes"][0]["after"], "Business", "{found}");
    assert!(page.body().contains("1.3 % to 98.7 %"), "{}", page.body());
    assert!(page.body().contains("href=\"../audits\""), "{}", page.body());
    // A version before has kept nothing of it: the output is read once more, and then no more.
    review.remove("human-review/audit-results/spring.json").await;
    let counted = boss.get("audits/spring.json").await.json();
    let output = review.s3.delete_object().bucket(FEEDBACK_BUCKET);
    let output = output.key("out/spring/manifests/output/output.manifest");
    output.send().await.expect("removed");
    let kept = boss.get("audits/spring.json").await.json();
    assert_eq!((&counted, &kept), (&found, &found));
    for address in ["audits", "audits/spring", "audits.json"] {
        assert_eq!(bob.get(address).await.status(), 403, "{address}");
    }
    for none in ["audits/none", "audits/other", "audits/..%2Fx"] {
        assert_eq!(boss.get(none).await.status(), 404, "{none}");
    }
}
