//! Who is asked about the objects of labelling jobs, and how often.

use serde_json::{Value, json};

use crate::harness::Review;
use crate::labelling_jobs::{
    BUILT_IN, answer_all, create, describe, drive, label, output, put, request, sources, started,
};

fn topic(page: &str) -> Value {
    label(match page.to_lowercase() {
        page if page.contains("cup final") => "Sports",
        page if page.contains("rates rise") => "Business",
        _ => "World",
    })
}

#[tokio::test]
async fn what_shows_nothing_is_not_asked_about_and_fails_in_each_of_its_lines() {
    let several =
        json!({ "AnnotationConsolidationLambdaArn": format!("{BUILT_IN}ACS-TextMultiClassMultiLabel") });
    let several = json!({
        "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{BUILT_IN}PRE-TextMultiClassMultiLabel"),
        "HumanTaskConfig.AnnotationConsolidationConfig": several,
    });
    for changes in [json!({}), several] {
        let review = Review::new();
        let lines = sources(&["Cup final", "\u{200b}", " ", "\u{1}"]);
        started(&review, &lines, &request("blank", changes)).await;

        answer_all(&review.sign_in("ada").await, topic).await;
        drive(&review).await;

        let done = describe(&review, "blank").await;
        assert_eq!(done["LabelCounters"]["FailedNonRetryableError"], 3, "{done}");
        assert_eq!(done["LabelCounters"]["TotalLabeled"], 1, "{done}");
        for line in &output(&review, "blank").await[1..] {
            let reason = line["topic-metadata"]["failure-reason"].to_string();
            assert!(reason.contains("holds nothing that can be seen"), "{line}");
        }
    }
}


#[tokio::test]
async fn spellings_of_one_label_and_what_is_none_fail_a_job_before_anybody_is_asked() {
    for (labels, words) in [
        (
            r#"[{"label": "World"}, {"label": "world"}]"#,
            "are one label in two spellings",
        ),
        (
            r#"[{"label": "World"}, {"label": "\u200b"}]"#,
            "holds nothing that can be seen",
        ),
        (
            r#"[{"label": "World"}, {"label": "__none__"}]"#,
            "is a word of the review page",
        ),
    ] {
        let review = Review::new();
        put(
            &review,
            "in.manifest",
            &json!({ "source": "Cup final" }).to_string(),
        )
        .await;
        put(&review, "labels.json", &format!(r#"{{"labels": {labels}}}"#)).await;

        create(&review, &request("labels", json!({}))).await;
        drive(&review).await;

        let failed = describe(&review, "labels").await;
        assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
        let reason = failed["FailureReason"].as_str().expect("a reason");
        assert!(
            reason.contains("LabelCategoryConfigS3Uri: ") && reason.contains(words),
            "{reason}"
        );
        assert!(review.keys("human-review/queue/").await.is_empty());
    }
}
