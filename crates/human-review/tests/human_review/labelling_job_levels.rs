//! A tree of labels: one job on a level below another one, which offers each text the labels within its own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{FEEDBACK_BUCKET, Review};
use crate::labelling_jobs::{
    FUNCTION, answer_all, audit, call, describe, drive, label, labelled, output, put, request, started,
};

const TREE: &str = r#"{"labels": [
    {"label": "Sports", "labels": [{"label": "Football"}, {"label": "Chess"}, {"label": "Other"}]},
    {"label": "Business", "labels": [{"label": "Banks"}, {"label": "Other"}]},
    {"label": "World"}]}"#;

/// Returns a request for a job below the topic.
fn below(name: &str, changes: Value) -> Value {
    let mut all = json!({
        "LabelAttributeName": "subtopic",
        "LabelCategoryConfigS3Uri": format!("s3://{FEEDBACK_BUCKET}/tree.json"),
        "Tags": [{ "Key": "active-learning:parent", "Value": "topic" }],
    });
    for (name, value) in changes.as_object().expect("an object") {
        all[name] = value.clone();
    }
    request(name, all)
}

#[tokio::test]
async fn one_job_offers_each_text_the_labels_within_its_own_and_no_others() {
    let review = Review::new();
    put(&review, "tree.json", TREE).await;
    let lines = [
        labelled("Cup final", "Sports"),
        labelled("Rates rise", "business"),
        labelled("Cup FINAL", "Business"),
        labelled("Election", "World"),
        json!({ "source": "No topic" }),
    ];
    started(&review, &lines, &below("levels", json!({}))).await;
    let ada = review.sign_in("ada").await;

    let answered = answer_all(&ada, |page| {
        let of = ["Football", "Chess", "Banks", "Other"].map(|name| page.contains(name));
        match of {
            [true, true, false, true] => label("Chess"),
            [false, false, true, true] => label("Other"),
            _ => panic!("{page}"),
        }
    })
    .await;
    drive(&review).await;

    let done = describe(&review, "levels").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    assert_eq!(answered, 3, "a text of two parents is two questions");
    let all = output(&review, "levels").await;
    let found: Vec<_> = (all.iter())
        .map(|line| (&line["subtopic"], &line["subtopic-metadata"]["class-name"]))
        .collect();
    let expected = json!([
        [1, "Chess"],
        [4, "Other"],
        [4, "Other"],
        [null, null],
        [null, null]
    ]);
    assert_eq!(json!(found), expected);
}

#[tokio::test]
async fn a_label_within_another_one_is_refused_for_a_text_that_has_not_that() {
    let review = Review::new();
    put(&review, "tree.json", TREE).await;
    started(
        &review,
        &[labelled("Cup final", "Sports")],
        &below("levels", json!({})),
    )
    .await;
    let ada = review.sign_in("ada").await;
    let address = ada.get("next").await.header("location").to_owned();
    let task = ada.get(&address).await;

    let refused = ada.submit(&task, &label("Banks")).await;
    let taken = ada.submit(&task, &label("football")).await;

    assert_eq!((refused.status(), refused.code()), (400, "no_label_of_job"));
    assert!(refused.body().contains("Football, Chess, Other"), "{refused:?}");
    assert_eq!(taken.status(), 303, "{taken:?}");
}

#[tokio::test]
async fn a_label_within_another_one_is_refused_for_a_long_text_as_well() {
    let review = Review::new();
    put(&review, "tree.json", TREE).await;
    let long = "Cup final. ".repeat(1_000);
    started(&review, &[labelled(&long, "Sports")], &below("long", json!({}))).await;
    let ada = review.sign_in("ada").await;
    let address = ada.get("next").await.header("location").to_owned();
    let task = ada.get(&address).await;

    let refused = ada.submit(&task, &label("Banks")).await;
    let taken = ada.submit(&task, &label("Football")).await;

    assert_eq!((refused.status(), refused.code()), (400, "no_label_of_job"));
    assert!(refused.body().contains("Football, Chess, Other"), "{refused:?}");
    assert_eq!(taken.status(), 303, "{taken:?}");
}

#[tokio::test]
async fn a_line_whose_class_is_nowhere_in_the_tree_fails_the_job_with_its_number() {
    let review = Review::new();
    put(&review, "tree.json", TREE).await;
    let mut done = labelled("Old news", "Weather");
    done["subtopic"] = json!(4);
    done["subtopic-metadata"] = json!({ "class-name": "Other" });
    let lines = [
        done,
        labelled("Election", "World"),
        labelled("Cup final", "Football"),
        labelled("It rains", "Weather"),
    ];
    started(&review, &lines, &below("outside", json!({}))).await;

    let failed = describe(&review, "outside").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let reason = failed["FailureReason"].as_str().expect("a reason");
    assert!(
        reason.contains("line 4 of the input manifest has the class `Weather` of topic"),
        "{reason}"
    );
    assert!(review.keys("human-review/queue/").await.is_empty());
}

#[tokio::test]
async fn what_a_field_without_metadata_holds_is_not_told() {
    let review = Review::new();
    put(&review, "tree.json", TREE).await;
    let lines = [
        labelled("Cup final", "Sports"),
        json!({ "source": "It rains", "topic": "Jane Doe" }),
    ];
    started(&review, &lines, &below("untold", json!({}))).await;

    let failed = describe(&review, "untold").await;
    let reason = failed["FailureReason"].as_str().expect("a reason");
    assert!(
        reason.contains("line 2 of the input manifest has a class of topic") && !reason.contains("Jane"),
        "{reason}"
    );
}

#[tokio::test]
async fn the_same_file_is_that_of_the_level_above() {
    let review = Review::new();
    put(&review, "tree.json", TREE).await;
    let tree = json!({ "LabelCategoryConfigS3Uri": format!("s3://{FEEDBACK_BUCKET}/tree.json") });
    started(
        &review,
        &[json!({ "source": "Election" })],
        &request("topics", tree),
    )
    .await;

    answer_all(&review.sign_in("ada").await, |page| {
        assert!(!page.contains("Football"), "{page}");
        label("World")
    })
    .await;
    drive(&review).await;

    assert_eq!(output(&review, "topics").await[0]["topic"], 2);
}

#[tokio::test]
async fn a_level_that_cannot_be_is_refused_with_the_reason() {
    let review = Review::new();
    put(&review, "tree.json", TREE).await;
    put(
        &review,
        "flat.json",
        r#"{"labels": [{"label": "a"}, {"label": "b"}]}"#,
    )
    .await;
    let parent = |value: &str| json!({ "Tags": [{ "Key": "active-learning:parent", "Value": value }] });
    let mut flat = parent("topic");
    flat["LabelCategoryConfigS3Uri"] = json!(format!("s3://{FEEDBACK_BUCKET}/flat.json"));

    let mut reasons = BTreeSet::new();
    for (name, changes, words) in [
        (
            "a",
            parent("topix"),
            "no line of the input manifest has a label topix",
        ),
        ("b", parent("subtopic"), "is the label of the level above"),
        ("c", flat, "has no labels within a label"),
    ] {
        started(&review, &[labelled("Cup final", "Sports")], &below(name, changes)).await;
        let failed = describe(&review, name).await;
        assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
        let reason = failed["FailureReason"].as_str().expect("a reason").to_owned();
        assert!(reason.contains(words), "{reason}");
        reasons.insert(reason);
    }
    let own = json!({ "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre") });
    let refused = call(&review, "CreateLabelingJob", &below("d", own)).await;
    let tags = json!([
        { "Key": "active-learning:parent", "Value": "topic" },
        { "Key": "active-learning:audit", "Value": "subtopic" },
    ]);
    let tree = format!("s3://{FEEDBACK_BUCKET}/tree.json");
    let verifying = json!({ "LabelAttributeName": "right", "Tags": tags, "LabelCategoryConfigS3Uri": tree });
    let verifying = audit("e", "Verification", verifying);
    let verified = call(&review, "CreateLabelingJob", &verifying).await;

    assert_eq!(reasons.len(), 3);
    assert_eq!(verified.status(), 400, "{verified:?}");
    assert!(verified.body().contains("offers none of a level"), "{verified:?}");
    assert_eq!(refused.status(), 400, "{refused:?}");
    assert!(
        refused.body().contains("no PreHumanTaskLambdaArn of your own"),
        "{refused:?}"
    );
}

/// Returns a request that adjusts the subtopic below the topic.
fn adjusting(name: &str) -> Value {
    let changes = json!({
        "LabelAttributeName": "again",
        "LabelCategoryConfigS3Uri": format!("s3://{FEEDBACK_BUCKET}/tree.json"),
        "Tags": [
            { "Key": "active-learning:parent", "Value": "topic" },
            { "Key": "active-learning:audit", "Value": "subtopic" },
        ],
    });
    audit(name, "Adjustment", changes)
}

/// Returns a line with labels of two levels.
fn of_two_levels(text: &str, topic: &str, subtopic: &str) -> Value {
    let mut line = labelled(text, topic);
    line["subtopic"] = json!(0);
    line["subtopic-metadata"] = json!({ "class-name": subtopic });
    line
}

#[tokio::test]
async fn a_label_of_a_level_is_adjusted_among_those_within_its_own() {
    let review = Review::new();
    let tree = TREE.replacen("Other", "OTHER", 1);
    put(&review, "tree.json", &tree).await;
    let lines = [of_two_levels("Rates rise", "business", "other")];
    started(&review, &lines, &adjusting("again")).await;

    let answered = answer_all(&review.sign_in("bob").await, |page| {
        assert!(
            page.contains("initial-value=\"Other\""),
            "as it is offered: {page}"
        );
        label("Banks")
    })
    .await;
    drive(&review).await;

    assert_eq!(answered, 1);
    let all = output(&review, "again").await;
    let metadata = &all[0]["again-metadata"];
    assert_eq!(
        (&metadata["class-name"], &metadata["adjustment-status"]),
        (&json!("Banks"), &json!("adjusted"))
    );
}

#[tokio::test]
async fn a_label_of_a_level_that_is_within_another_class_alone_is_not_adjusted() {
    let review = Review::new();
    put(&review, "tree.json", TREE).await;
    let lines = [
        of_two_levels("Election", "World", "Votes"),
        of_two_levels("Cup final", "Sports", "football"),
        of_two_levels("Chess club", "Business", "Chess"),
        of_two_levels("Rates rise", "Sports", "Banks"),
    ];

    started(&review, &lines, &adjusting("again")).await;

    let failed = describe(&review, "again").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let reason = failed["FailureReason"].as_str().expect("a reason");
    assert!(
        reason.contains("line 3 of the input manifest has a label of subtopic that is not among the choices")
            && reason.ends_with(
                "the labels that are missing: `Banks` within `Sports`, `Chess` within `Business`."
            ),
        "{reason}"
    );
}
