//! What answers to the tasks of labelling jobs may say, and until when they may be changed.

use serde_json::{Value, json};

use crate::harness::{FEEDBACK_BUCKET, Reply, Review, Session, config, proxy_event};
use crate::labelling_jobs::{
    BUILT_IN, FUNCTION, audit, create, describe, drive, label, labelled, output, put, read, request, sources,
    started,
};

async fn task_of(session: &Session<'_>) -> (String, Reply) {
    let address = session.get("next").await.header("location").to_owned();
    let task = session.get(&address).await;
    (address, task)
}

async fn history(session: &Session<'_>) -> Value {
    let mut event = proxy_event("GET", "history", Some(&session.cookie), &[]);
    event["headers"]["accept"] = json!("application/json");
    Reply(session.review.handle(event).await).json()
}

#[tokio::test]
async fn an_answer_that_is_a_label_is_nowhere_offered_to_be_changed() {
    let review = Review::new();
    started(&review, &sources(&["Cup final"]), &request("one", json!({}))).await;
    let ada = review.sign_in("ada").await;
    let (address, task) = task_of(&ada).await;

    ada.submit(&task, &label("Sports")).await;
    let again = ada.submit(&task, &label("Sports")).await;
    let other = ada.submit(&task, &label("World")).await;
    let page = ada.get("history").await;
    let opened = ada.get(&address).await;
    let form = ada.get(&format!("{address}&correct=yes")).await;

    assert_eq!(again.status(), 303, "a second click is no correction: {again:?}");
    assert_eq!((other.status(), other.code()), (410, "task_closed"), "{other:?}");
    assert_eq!(history(&ada).await["answers"][0]["canBeCorrected"], false);
    assert!(!page.body().contains("correct=yes"), "{}", page.body());
    assert_eq!(
        (opened.status(), opened.code()),
        (410, "task_closed"),
        "{opened:?}"
    );
    assert!(!opened.body().contains("correct=yes"), "{}", opened.body());
    assert_eq!((form.status(), form.code()), (410, "task_closed"), "{form:?}");
    assert!(
        task.body().contains("data-counts="),
        "the page's script offers no undo"
    );
}

#[tokio::test]
async fn an_answer_can_be_changed_while_others_still_answer() {
    let review = Review::new();
    let changes = json!({ "HumanTaskConfig.NumberOfHumanWorkersPerDataObject": 2 });
    started(&review, &sources(&["Cup final"]), &request("two", changes)).await;
    let (ada, bob) = (review.sign_in("ada").await, review.sign_in("bob").await);
    let (address, task) = task_of(&ada).await;
    ada.submit(&task, &label("World")).await;

    let offered = history(&ada).await;
    let form = ada.get(&format!("{address}&correct=yes")).await;
    let corrected = ada.submit(&form, &label("Sports")).await;
    let (_, task) = task_of(&bob).await;
    bob.submit(&task, &label("Sports")).await;
    drive(&review).await;

    assert_eq!(offered["answers"][0]["canBeCorrected"], true, "{offered}");
    assert_eq!((form.status(), corrected.status()), (200, 303), "{corrected:?}");
    let [line] = output(&review, "two").await.try_into().expect("one line");
    assert_eq!(line["topic-metadata"]["class-name"], "Sports");
    assert_eq!(line["topic-metadata"]["confidence"], 1.0, "both say so");
}

#[tokio::test]
async fn an_answer_that_names_no_label_of_the_job_is_refused_by_name_and_the_task_stays() {
    let review = Review::new();
    started(&review, &sources(&["Cup final"]), &request("names", json!({}))).await;
    let ada = review.sign_in("ada").await;
    let (_, task) = task_of(&ada).await;

    for (answer, words) in [
        (label("Nonsense"), "“Nonsense” is no label of this job"),
        (label(""), "No label was chosen"),
        (json!({ "World": false, "Sports": false }), "No label was chosen"),
        (json!({ "World": true, "Sports": true }), "One label is asked for"),
    ] {
        let refused = ada.submit(&task, &answer).await;

        assert_eq!(
            (refused.status(), refused.code()),
            (400, "no_label_of_job"),
            "{answer}"
        );
        assert!(refused.body().contains(words), "{answer}: {}", refused.body());
        assert!(
            refused.body().contains("World, Sports, Business"),
            "{}",
            refused.body()
        );
    }
    let by_script = ada.submit_by_script(&task, &label("Nonsense")).await;
    assert_eq!(by_script.json()["code"], "no_label_of_job", "{by_script:?}");
    let taken = ada
        .submit(&task, &json!({ "Sports": true, "World": false }))
        .await;
    drive(&review).await;

    assert_eq!(taken.status(), 303, "{taken:?}");
    let done = describe(&review, "names").await;
    assert_eq!(done["LabelCounters"]["HumanLabeled"], 1, "{done}");
    assert_eq!(
        output(&review, "names").await[0]["topic-metadata"]["class-name"],
        "Sports"
    );
}

#[tokio::test]
async fn a_label_is_meant_however_it_is_spelt() {
    let review = Review::new();
    started(&review, &sources(&["Rates rise"]), &request("spelt", json!({}))).await;
    let ada = review.sign_in("ada").await;
    let (_, task) = task_of(&ada).await;

    let taken = ada.submit(&task, &label(" business ")).await;
    drive(&review).await;

    assert_eq!(taken.status(), 303, "{taken:?}");
    let [line] = output(&review, "spelt").await.try_into().expect("one line");
    assert_eq!(
        (&line["topic"], &line["topic-metadata"]["class-name"]),
        (&json!(2), &json!("Business"))
    );
}

#[tokio::test]
async fn answers_that_a_function_of_ones_own_reads_may_say_anything() {
    let review = Review::with_functions(config(), |_, _| {
        let content = json!({ "topic": "seen" });
        Some(json!([{ "datasetObjectId": "0", "consolidatedAnnotation": { "content": content } }]))
    })
    .await;
    let changes = json!({ "HumanTaskConfig.AnnotationConsolidationConfig":
        { "AnnotationConsolidationLambdaArn": format!("{FUNCTION}post") } });
    started(&review, &sources(&["One"]), &request("free", changes)).await;
    let ada = review.sign_in("ada").await;
    let (_, task) = task_of(&ada).await;

    let taken = ada.submit(&task, &json!({ "span": [1, 2] })).await;
    drive(&review).await;

    assert_eq!(taken.status(), 303, "{taken:?}");
    assert_eq!(output(&review, "free").await[0]["topic"], "seen");
}

#[tokio::test]
async fn a_null_is_no_label_and_answers_to_objects_that_are_not_in_the_request_are_told_of() {
    let review = Review::with_functions(config(), |_, _| {
        let of = |id: &str, topic: Value| json!({ "datasetObjectId": id, "consolidatedAnnotation": { "content": { "topic": topic } } });
        Some(json!([of("0", Value::Null), of("1", json!("seen")), of("7", json!("seen"))]))
    })
    .await;
    let changes = json!({ "HumanTaskConfig.AnnotationConsolidationConfig":
        { "AnnotationConsolidationLambdaArn": format!("{FUNCTION}post") } });
    started(&review, &sources(&["One", "Two"]), &request("stray", changes)).await;
    let ada = review.sign_in("ada").await;
    for _ in 0..2 {
        let (_, task) = task_of(&ada).await;
        ada.submit(&task, &label("Sports")).await;
    }

    drive(&review).await;

    let job = describe(&review, "stray").await;
    let reason = job["FailureReason"].as_str().unwrap_or_default();
    assert!(reason.contains("returned null as the label"), "{job}");
    assert!(reason.contains("to objects that it was not asked about"), "{job}");
    assert_eq!(job["LabelCounters"]["HumanLabeled"], 1, "{job}");
}

#[tokio::test]
async fn whatever_else_a_line_holds_is_in_the_output_as_it_was_written() {
    let review = Review::with_functions(config(), |_, event| {
        assert_eq!(event["dataObject"]["d"].to_string(), "1.1", "it is the number");
        Some(json!({ "taskInput": { "taskObject": event["dataObject"]["source"], "labels": ["World", "Sports"] } }))
    })
    .await;
    let rest = r#""z":12345678901234567890123,"d":1.10,"n":1E5,"e":-0,"half":"\ud800","in":{"y":1.0,"b":18446744073709551616}"#;
    let line = format!(r#"{{{rest},"source":"Cup final"}}"#);
    put(&review, "in.manifest", &format!("{line}\n")).await;
    put(&review, "labels.json", crate::labelling_jobs::LABELS).await;
    create(&review, &request("kept", json!({}))).await;
    drive(&review).await;
    let ada = review.sign_in("ada").await;
    let (_, task) = task_of(&ada).await;

    ada.submit(&task, &label("Sports")).await;
    drive(&review).await;

    let manifest = read(&review, "out/kept/manifests/output/output.manifest").await;
    let (before, after) = manifest
        .split_once(r#","topic":1,"topic-metadata":"#)
        .expect("its label");
    assert_eq!(format!("{before}}}"), line);
    assert!(after.contains("\"class-name\":\"Sports\""), "{after}");
}

#[tokio::test]
async fn a_verification_asks_whether_the_label_is_right() {
    let review = Review::new();
    let changes = json!({
        "LabelAttributeName": "verdict", "LabelCategoryConfigS3Uri": null,
        "Tags": [{ "Key": "active-learning:audit", "Value": "topic" }],
    });
    let line = labelled("Cup final", "Sports");
    started(&review, &[line], &audit("right", "Verification", changes)).await;
    let ada = review.sign_in("ada").await;

    let (_, task) = task_of(&ada).await;

    assert!(
        task.body().contains("header=\"Is this label right?\""),
        "{}",
        task.body()
    );
    assert!(!task.body().contains("Which label is right"), "{}", task.body());
    assert!(!task.body().contains("template of your own"), "{}", task.body());
}

#[tokio::test]
async fn boxes_named_by_labels_are_a_multi_label_answer() {
    let review = Review::new();
    let template = r#"<crowd-form><p>{{ task.input.taskObject }}</p>{% for label in task.input.labels %}
        <input type="checkbox" name="{{ label }}">{% endfor %}</crowd-form>"#;
    put(&review, "boxes.html", template).await;
    let ui = json!({ "UiTemplateS3Uri": format!("s3://{FEEDBACK_BUCKET}/boxes.html") });
    let consolidation = format!("{BUILT_IN}ACS-TextMultiClassMultiLabel");
    let changes = json!({
        "HumanTaskConfig.UiConfig": ui,
        "HumanTaskConfig.AnnotationConsolidationConfig": { "AnnotationConsolidationLambdaArn": consolidation },
    });
    started(&review, &sources(&["One", "Two"]), &request("boxes", changes)).await;
    let ada = review.sign_in("ada").await;
    let on = json!({ "World": { "on": true }, "Sports": { "on": false }, "Business": { "on": true } });
    let off = json!({ "World": { "on": false }, "Sports": { "on": false }, "Business": { "on": false } });

    for answer in [on, off] {
        let (_, task) = task_of(&ada).await;
        let taken = ada.submit(&task, &answer).await;
        assert_eq!(taken.status(), 303, "{taken:?}");
    }
    drive(&review).await;

    let all = output(&review, "boxes").await;
    let mut found: Vec<&Value> = all.iter().map(|line| &line["topic"]).collect();
    found.sort_by_key(|labels| labels.to_string());
    assert_eq!(found, [&json!([0, 2]), &json!([])]);
}

#[tokio::test]
async fn the_exclusion_category_of_an_own_page_says_that_no_label_applies() {
    let review = Review::new();
    let template = r#"<crowd-form><crowd-classifier-multi-select name="topics"
        categories="{{ task.input.labels | to_json | escape }}" exclusion-category="{ text: 'Keine davon' }">
        {{ task.input.taskObject }}</crowd-classifier-multi-select></crowd-form>"#;
    put(&review, "classifier.html", template).await;
    let ui = json!({ "UiTemplateS3Uri": format!("s3://{FEEDBACK_BUCKET}/classifier.html") });
    let consolidation = format!("{BUILT_IN}ACS-TextMultiClassMultiLabel");
    let changes = json!({
        "HumanTaskConfig.UiConfig": ui,
        "HumanTaskConfig.AnnotationConsolidationConfig": { "AnnotationConsolidationLambdaArn": consolidation },
    });
    started(&review, &sources(&["One", "Two"]), &request("excluded", changes)).await;
    let ada = review.sign_in("ada").await;

    for labels in [["Keine davon"], ["Sports"]] {
        let (_, task) = task_of(&ada).await;
        let taken = ada
            .submit(&task, &json!({ "topics": { "labels": labels } }))
            .await;
        assert_eq!(taken.status(), 303, "{taken:?}");
    }
    drive(&review).await;

    let all = output(&review, "excluded").await;
    let mut found: Vec<&Value> = all.iter().map(|line| &line["topic"]).collect();
    found.sort_by_key(|labels| labels.to_string());
    assert_eq!(found, [&json!([1]), &json!([])]);
}
