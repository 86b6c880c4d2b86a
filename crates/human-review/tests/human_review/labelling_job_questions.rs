//! Who is asked about the objects of labelling jobs, and how often: a label is looked at by those who have not given it, and
//! a text that stands in several lines is one question.

use active_learning_core::erasure::ErasedTexts;
use active_learning_core::keys::ERASED_TEXTS;
use serde_json::{Value, json};

use crate::harness::{FEEDBACK_BUCKET, Review, config};
use crate::labelling_jobs::{
    BUILT_IN, FUNCTION, answer_all, audit, call, create, describe, drive, keys, label, labelled, output, put,
    request, sources, started,
};

/// Returns the id of a reviewer as consolidation functions are given it.
fn full_id(reviewer: &str) -> String {
    format!("private.us-east-1.{}", human_review::worker_id(reviewer))
}

fn topic(page: &str) -> Value {
    label(match page.to_lowercase() {
        page if page.contains("cup final") => "Sports",
        page if page.contains("rates rise") => "Business",
        _ => "World",
    })
}

/// Returns a request for a job that adjusts the topic.
fn adjustment(name: &str, attribute: &str, of: &str) -> Value {
    let changes = json!({
        "LabelAttributeName": attribute, "Tags": [{ "Key": "active-learning:audit", "Value": of }],
    });
    audit(name, "Adjustment", changes)
}

#[tokio::test]
async fn a_label_is_looked_at_by_another_reviewer_than_those_who_gave_it_and_the_job_says_whom_it_waits_for()
{
    let review = Review::new();
    started(&review, &sources(&["Cup final"]), &request("topics", json!({}))).await;
    let ada = review.sign_in("ada").await;
    answer_all(&ada, topic).await;
    drive(&review).await;
    let first = output(&review, "topics").await;

    started(&review, &first, &adjustment("check", "topic-again", "topic")).await;
    let of_ada = answer_all(&ada, topic).await;
    let alone = describe(&review, "check").await;
    let boss = review.sign_in_admin("boss").await;
    let with_boss = describe(&review, "check").await;
    let of_boss = answer_all(&boss, |_| label("World")).await;
    drive(&review).await;
    let checked = output(&review, "check").await;
    let changes = json!({
        "LabelAttributeName": "verdict", "LabelCategoryConfigS3Uri": null,
        "Tags": [{ "Key": "active-learning:audit", "Value": "topic-again" }],
    });
    started(&review, &checked, &audit("verify", "Verification", changes)).await;
    let again = [&ada, &boss].map(async |session| answer_all(session, |_| label("correct")).await);
    let again = futures::future::join_all(again).await;
    let of_cy = answer_all(&review.sign_in("cy").await, |_| label("correct")).await;

    assert_eq!(first[0]["topic-metadata"]["worker-ids"], json!([full_id("ada")]));
    assert_eq!((of_ada, of_boss), (0, 1));
    assert_eq!(alone["LabelingJobStatus"], "InProgress", "{alone}");
    let words = alone["FailureReason"].as_str().expect("whom it waits for");
    assert!(
        words.starts_with("Up to 1 object waits for somebody else"),
        "{words}"
    );
    assert!(with_boss.get("FailureReason").is_none(), "{with_boss}");
    let mut both = [full_id("ada"), full_id("boss")];
    both.sort();
    assert_eq!(checked[0]["topic-again-metadata"]["worker-ids"], json!(both));
    assert_eq!(
        checked[0]["topic-again-metadata"]["adjustment-status"],
        "adjusted"
    );
    assert_eq!((again, of_cy), (vec![0, 0], 1));
}

#[tokio::test]
async fn the_page_of_an_audit_says_whom_it_waits_for() {
    let review = Review::new();
    let boss = review.sign_in_admin("boss").await;
    let mut line = labelled("Cup final", "Sports");
    line["excluded-workers"] = json!([human_review::worker_id("boss")]);
    started(&review, &[line], &adjustment("spring", "again", "topic")).await;

    let page = boss.get("audits/spring").await;

    assert!(
        page.body().contains("Up to 1 object waits for somebody else"),
        "{page:?}"
    );
}

#[tokio::test]
async fn a_job_whose_team_has_somebody_else_waits_for_nobody() {
    let review = Review::new();
    let mut line = labelled("Cup final", "Sports");
    line["topic-metadata"]["worker-ids"] = json!([full_id("ada")]);
    for name in ["ada", "bob"] {
        review.sign_in(name).await;
    }

    let mut of_two = adjustment("two", "again", "topic");
    of_two["HumanTaskConfig"]["NumberOfHumanWorkersPerDataObject"] = json!(2);
    let lines = [line];
    started(&review, &lines, &of_two).await;
    started(&review, &lines, &adjustment("one", "again", "topic")).await;

    let (one, two) = (describe(&review, "one").await, describe(&review, "two").await);
    assert!(one.get("FailureReason").is_none(), "{one}");
    assert!(
        two["FailureReason"].is_string(),
        "two are asked, and ada is none of them: {two}"
    );
}

#[tokio::test]
async fn who_gave_a_label_of_a_manifest_from_elsewhere_is_read_where_it_is_said_and_not_guessed() {
    let review = Review::new();
    let with = |text: &str, workers: Value| {
        let mut line = labelled(text, "Sports");
        line["topic-metadata"]["worker-ids"] = workers;
        line
    };
    let lines = [
        labelled("Nobody is named", "Sports"),
        with("In another form", json!("ada")),
        with("By halves", json!([7, full_id("ada")])),
        with("By the id alone", json!([human_review::worker_id("ada")])),
        with(
            "Somebody of another service",
            json!(["private.us-east-1.0123456789abcdef"]),
        ),
    ];
    started(&review, &lines, &adjustment("check", "again", "topic")).await;

    let of_ada = answer_all(&review.sign_in("ada").await, |page| {
        assert!(
            !page.contains("By halves") && !page.contains("By the id"),
            "{page}"
        );
        label("Sports")
    })
    .await;
    let of_bob = answer_all(&review.sign_in("bob").await, |_| label("Sports")).await;

    assert_eq!((of_ada, of_bob), (3, 2));
}

#[tokio::test]
async fn who_answered_is_named_beside_what_a_function_of_the_job_makes_of_it() {
    let review = Review::with_functions(config(), |_, _| {
        let content = |names: Value| {
            let mut content = json!({ "topic": 1, "topic-metadata": { "class-name": "Sports" } });
            if !names.is_null() {
                content["topic-metadata"]["worker-ids"] = names;
            }
            json!({ "content": content })
        };
        Some(json!([
            { "datasetObjectId": "0", "consolidatedAnnotation": content(Value::Null) },
            { "datasetObjectId": "1", "consolidatedAnnotation": content(json!(["its own"])) },
        ]))
    })
    .await;
    let changes = json!({
        "HumanTaskConfig.AnnotationConsolidationConfig":
            { "AnnotationConsolidationLambdaArn": format!("{FUNCTION}post") },
    });
    started(
        &review,
        &sources(&["Cup final", "Rates rise"]),
        &request("own", changes),
    )
    .await;

    answer_all(&review.sign_in("ada").await, topic).await;
    drive(&review).await;

    let all = output(&review, "own").await;
    let workers: Vec<&Value> = all
        .iter()
        .map(|line| &line["topic-metadata"]["worker-ids"])
        .collect();
    assert_eq!(workers, [&json!([full_id("ada")]), &json!(["its own"])]);
}

#[tokio::test]
async fn a_text_that_stands_in_several_lines_in_any_spelling_is_asked_once_and_labels_all_of_them() {
    let review = Review::new();
    let lines = sources(&["The cup final", "The cup final", "Rates rise", "the CUP final!"]);
    started(&review, &lines, &request("once", json!({}))).await;

    let begun = describe(&review, "once").await;
    let answered = answer_all(&review.sign_in("ada").await, topic).await;
    drive(&review).await;

    assert_eq!(begun["LabelCounters"]["Unlabeled"], 4, "{begun}");
    assert_eq!(answered, 2);
    let done = describe(&review, "once").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    let counters = json!({
        "TotalLabeled": 4, "HumanLabeled": 4, "MachineLabeled": 0, "FailedNonRetryableError": 0, "Unlabeled": 0,
    });
    assert_eq!(done["LabelCounters"], counters);
    let all = output(&review, "once").await;
    let found: Vec<_> = (all.iter())
        .map(|line| {
            (
                &line["source"],
                &line["topic"],
                &line["topic-metadata"]["same-text-as"],
            )
        })
        .collect();
    let expected = json!([
        ["The cup final", 1, null],
        ["The cup final", 1, 0],
        ["Rates rise", 2, null],
        ["the CUP final!", 1, 0]
    ]);
    assert_eq!(json!(found), expected);
    let answers = keys(&review, "out/once/annotations/worker-response/iteration-1/").await;
    let objects: Vec<_> = answers.iter().filter_map(|key| key.split('/').nth(5)).collect();
    assert_eq!(objects, ["0", "2"]);
}

#[tokio::test]
async fn each_of_several_people_answers_a_text_of_several_lines_once() {
    let review = Review::new();
    let changes = json!({ "HumanTaskConfig.NumberOfHumanWorkersPerDataObject": 2 });
    started(
        &review,
        &sources(&["Cup final", "cup final"]),
        &request("both", changes),
    )
    .await;

    let ada = answer_all(&review.sign_in("ada").await, topic).await;
    let bob = answer_all(&review.sign_in("bob").await, topic).await;
    drive(&review).await;

    assert_eq!((ada, bob), (1, 1));
    let all = output(&review, "both").await;
    let sure: Vec<_> = all
        .iter()
        .map(|line| &line["topic-metadata"]["confidence"])
        .collect();
    assert_eq!(json!(sure), json!([1.0, 1.0]));
}

#[tokio::test]
async fn lines_of_one_text_that_lie_in_two_parts_of_a_job_get_one_label() {
    let review = Review::new();
    let mut lines: Vec<Value> = (0..100)
        .map(|number| labelled(&format!("Known {number}"), "World"))
        .collect();
    lines[7] = json!({ "source": "Cup final" });
    lines.extend(sources(&["CUP FINAL", "Rates rise"]));
    started(&review, &lines, &request("parts", json!({}))).await;

    let answered = answer_all(&review.sign_in("ada").await, topic).await;
    drive(&review).await;

    let done = describe(&review, "parts").await;
    assert_eq!(answered, 2);
    assert_eq!(done["LabelCounters"]["TotalLabeled"], 3, "{done}");
    assert_eq!(done["LabelCounters"]["Unlabeled"], 0, "{done}");
    let all = output(&review, "parts").await;
    assert_eq!((&all[7]["topic"], &all[100]["topic"]), (&json!(1), &json!(1)));
    assert_eq!(all[100]["topic-metadata"]["same-text-as"], 7);
}

#[tokio::test]
async fn a_job_that_is_stopped_labels_all_lines_of_what_was_answered_and_the_next_one_goes_on() {
    let review = Review::new();
    let lines = sources(&["Cup final", "Rates rise", "cup final", "rates rise"]);
    let changes = json!({ "HumanTaskConfig.MaxConcurrentTaskCount": 1 });
    started(&review, &lines, &request("stopped", changes)).await;
    let ada = review.sign_in("ada").await;
    assert_eq!(answer_all(&ada, topic).await, 1);

    let stop = call(
        &review,
        "StopLabelingJob",
        &json!({ "LabelingJobName": "stopped" }),
    )
    .await;
    drive(&review).await;
    let stopped = describe(&review, "stopped").await;
    let so_far = output(&review, "stopped").await;
    started(&review, &so_far, &request("rest", json!({}))).await;
    let rest = answer_all(&ada, topic).await;
    drive(&review).await;

    assert_eq!(stop.status(), 200, "{stop:?}");
    assert_eq!(stopped["LabelingJobStatus"], "Stopped", "{stopped}");
    assert_eq!(stopped["LabelCounters"]["TotalLabeled"], 2, "{stopped}");
    assert_eq!(stopped["LabelCounters"]["Unlabeled"], 2, "{stopped}");
    let topics = |all: &[Value]| -> Vec<Value> { all.iter().map(|line| line["topic"].clone()).collect() };
    assert_eq!(json!(topics(&so_far)), json!([1, null, 1, null]));
    assert_eq!(rest, 1);
    assert_eq!(json!(topics(&output(&review, "rest").await)), json!([1, 2, 1, 2]));
}

#[tokio::test]
async fn a_text_that_is_labelled_in_another_line_is_not_asked_unless_such_lines_contradict_each_other() {
    let review = Review::new();
    let mut lines = vec![labelled("Talks go on", "World")];
    lines.extend(sources(&["TALKS go on!", "Cup final", "cup final", "Rates rise"]));
    lines.extend([
        labelled("CUP FINAL", "Sports"),
        labelled("Cup final", "sports"),
        labelled("rates rise", "World"),
        labelled("Rates rise!", "Sports"),
    ]);
    started(&review, &lines, &request("rest", json!({}))).await;

    let answered = answer_all(&review.sign_in("ada").await, topic).await;
    drive(&review).await;

    assert_eq!(answered, 1, "only that about which lines differ");
    let done = describe(&review, "rest").await;
    assert_eq!(done["LabelCounters"]["TotalLabeled"], 1, "{done}");
    assert_eq!(done["LabelCounters"]["Unlabeled"], 0, "{done}");
    let all = output(&review, "rest").await;
    let found: Vec<_> = (all.iter())
        .map(|line| {
            let metadata = &line["topic-metadata"];
            (&metadata["class-name"], &metadata["same-text-as"])
        })
        .collect();
    let expected = json!([
        ["World", null],
        ["World", 0],
        ["Sports", 5],
        ["Sports", 5],
        ["Business", null],
        ["Sports", null],
        ["sports", null],
        ["World", null],
        ["Sports", null]
    ]);
    assert_eq!(json!(found), expected);
}

#[tokio::test]
async fn a_text_that_is_labelled_in_another_line_is_asked_where_the_job_asks_each() {
    let review = Review::new();
    let lines = [labelled("Cup final", "World"), json!({ "source": "cup final" })];
    let each = json!({ "Tags": [{ "Key": "active-learning:same-text", "Value": "each" }] });
    started(&review, &lines, &request("each", each)).await;

    let answered = answer_all(&review.sign_in("ada").await, topic).await;

    assert_eq!(answered, 1);
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
async fn each_line_is_asked_about_where_the_job_says_so_or_its_own_function_prepares_it() {
    let review = Review::with_functions(config(), |_, event| {
        let input =
            json!({ "taskObject": event["dataObject"]["source"], "labels": ["World", "Sports", "Business"] });
        Some(json!({ "taskInput": input }))
    })
    .await;
    let lines = sources(&["Cup final", "cup final"]);
    let tag = |value: &str| json!({ "Tags": [{ "Key": "active-learning:same-text", "Value": value }] });
    started(&review, &lines, &request("each", tag("each"))).await;
    let own = json!({ "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{FUNCTION}pre") });
    started(&review, &lines, &request("own", own)).await;
    started(&review, &lines, &request("once", tag("once"))).await;

    let answered = answer_all(&review.sign_in("ada").await, topic).await;
    let refused = call(&review, "CreateLabelingJob", &request("never", tag("never"))).await;

    assert_eq!(answered, 2 + 2 + 1);
    assert_eq!(refused.status(), 400, "{refused:?}");
    assert!(
        refused.body().contains("must be one of [once, each]"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn lines_of_a_text_are_one_question_where_they_have_one_label_so_far_and_are_not_asked_of_the_same_people()
 {
    let review = Review::new();
    let by = |text: &str, class: &str, reviewer: &str| {
        let mut line = labelled(text, class);
        line["topic-metadata"]["worker-ids"] = json!([full_id(reviewer)]);
        line
    };
    let lines = [
        by("Cup final", "Sports", "ada"),
        by("cup final", "World", "ada"),
        by("CUP FINAL", "Sports", "ada"),
    ];
    started(&review, &lines, &adjustment("check", "again", "topic")).await;

    let mut answered = Vec::new();
    for reviewer in ["ada", "bob"] {
        answered.push(answer_all(&review.sign_in(reviewer).await, topic).await);
    }
    drive(&review).await;

    assert_eq!(answered, [0, 2], "the two of one label are one question");
    let all = output(&review, "check").await;
    let status: Vec<_> = all
        .iter()
        .map(|line| &line["again-metadata"]["adjustment-status"])
        .collect();
    assert_eq!(json!(status), json!(["unadjusted", "adjusted", "unadjusted"]));
}

#[tokio::test]
async fn a_class_of_the_manifest_is_that_class_however_it_is_spelt() {
    let review = Review::new();
    let spelt = ["Sports", "SPORTS ", "\u{ff33}ports"];
    let lines: Vec<Value> = (spelt.iter().zip(1..))
        .map(|(class, number)| labelled(&format!("Cup final {number}"), class))
        .chain([labelled("Cup final 4", "World")])
        .collect();
    started(&review, &lines, &adjustment("check", "again", "topic")).await;
    answer_all(&review.sign_in("ada").await, topic).await;
    drive(&review).await;
    let only = json!({
        "LabelAttributeName": "sport", "Tags": [{ "Key": "active-learning:only-where", "Value": "topic=sports" }],
    });
    started(&review, &lines, &request("level", only)).await;

    let asked = answer_all(&review.sign_in("bob").await, topic).await;

    let all = output(&review, "check").await;
    let status: Vec<_> = all
        .iter()
        .map(|line| &line["again-metadata"]["adjustment-status"])
        .collect();
    assert_eq!(
        json!(status),
        json!(["unadjusted", "unadjusted", "unadjusted", "adjusted"])
    );
    assert_eq!(asked, 3, "those of the class alone");
}

#[tokio::test]
async fn lines_of_a_text_that_each_somebody_may_answer_never_make_a_question_that_nobody_may() {
    let review = Review::new();
    let lines = [("Cup final", "ada"), ("cup final", "bob")].map(|(text, reviewer)| {
        let mut line = labelled(text, "Sports");
        line["topic-metadata"]["worker-ids"] = json!([full_id(reviewer)]);
        line
    });
    let sessions = [review.sign_in("ada").await, review.sign_in("bob").await];
    started(&review, &lines, &adjustment("check", "again", "topic")).await;

    let waits = describe(&review, "check").await;
    let mut answered = Vec::new();
    for session in &sessions {
        answered.push(answer_all(session, topic).await);
    }
    drive(&review).await;

    assert!(waits.get("FailureReason").is_none(), "{waits}");
    assert_eq!(answered, [1, 1], "each is asked about the line of the other");
    let done = describe(&review, "check").await;
    assert_eq!(done["LabelingJobStatus"], "Completed", "{done}");
    let all = output(&review, "check").await;
    assert!(
        all.iter()
            .all(|line| line["again-metadata"]["same-text-as"].is_null()),
        "{all:?}"
    );
}

#[tokio::test]
async fn an_erased_text_is_in_no_line_of_the_output() {
    let review = Review::new();
    let mut erased = ErasedTexts::default();
    erased.insert("Cup final");
    let erased = aws_sdk_s3::primitives::ByteStream::from(erased.write());
    let list = review.s3.put_object().bucket(FEEDBACK_BUCKET).key(ERASED_TEXTS);
    list.body(erased).send().await.expect("stored");
    let lines = sources(&["Cup final", "Rates rise", "CUP final!", "rates rise"]);
    started(&review, &lines, &request("erased", json!({}))).await;

    let answered = answer_all(&review.sign_in("ada").await, topic).await;
    drive(&review).await;

    let all = output(&review, "erased").await;
    let texts: Vec<_> = all.iter().map(|line| &line["source"]).collect();
    assert_eq!((answered, json!(texts)), (1, json!(["Rates rise", "rates rise"])));
}

#[tokio::test]
async fn a_job_that_fails_labels_all_lines_of_what_was_answered() {
    let review = Review::with_functions(config(), |_, _| Some(Value::Null)).await;
    let lines = sources(&["Cup final", "cup final", "Rates rise"]);
    started(&review, &lines, &request("failed", json!({}))).await;
    let ada = review.sign_in("ada").await;
    let address = ada.get("next").await.header("location").to_owned();
    let task = ada.get(&address).await;
    let answer = topic(task.body());
    ada.submit(&task, &answer).await;
    review.deny_roles(Some("AccessDenied"));

    drive(&review).await;

    let failed = describe(&review, "failed").await;
    assert_eq!(failed["LabelingJobStatus"], "Failed", "{failed}");
    let of_cup = answer == label("Sports");
    let labelled = if of_cup { 2 } else { 1 };
    assert_eq!(failed["LabelCounters"]["TotalLabeled"], labelled, "{failed}");
    assert_eq!(failed["LabelCounters"]["Unlabeled"], 3 - labelled, "{failed}");
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

#[tokio::test]
async fn the_confidence_of_each_label_of_a_text_is_the_share_of_the_people_who_chose_it() {
    let review = Review::new();
    let several =
        json!({ "AnnotationConsolidationLambdaArn": format!("{BUILT_IN}ACS-TextMultiClassMultiLabel") });
    let changes = json!({
        "HumanTaskConfig.PreHumanTaskLambdaArn": format!("{BUILT_IN}PRE-TextMultiClassMultiLabel"),
        "HumanTaskConfig.AnnotationConsolidationConfig": several,
        "HumanTaskConfig.NumberOfHumanWorkersPerDataObject": 3,
    });
    started(
        &review,
        &sources(&["Cup final shares"]),
        &request("several", changes),
    )
    .await;

    for (reviewer, chosen) in [
        ("ada", json!(["Sports", "Business"])),
        ("bob", json!(["Sports"])),
        ("cy", json!(["Sports", "World", "Business"])),
    ] {
        let answer = json!({ "label": { "labels": chosen } });
        assert_eq!(
            answer_all(&review.sign_in(reviewer).await, |_| answer.clone()).await,
            1
        );
    }
    drive(&review).await;

    let [line] = output(&review, "several").await.try_into().expect("one line");
    let metadata = &line["topic-metadata"];
    assert_eq!(line["topic"], json!([1, 2]));
    assert_eq!(metadata["class-map"], json!({ "1": "Sports", "2": "Business" }));
    assert_eq!(metadata["confidence-map"], json!({ "1": 1.0, "2": 2.0 / 3.0 }));
}
