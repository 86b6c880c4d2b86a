//! Audits that are started from the console.

use std::sync::Mutex;

use active_learning_core::feedback::FeedbackRecord;
use active_learning_core::labels::human_loop::Answer;
use active_learning_core::labels::labelled::LabelledRecord;
use active_learning_core::labels::vote::{Vote, VoteSource};
use human_review::worker_id;
use serde_json::{Value, json};

use crate::console::{log, put};
use crate::harness::{FEEDBACK_BUCKET, Review, TRAINING_BUCKET, config};
use crate::labelling_jobs::{answer_all, describe, drive, keys, read};

/// Puts texts that ann has labelled.
async fn put_labelled(review: &Review, texts: &[(&str, &[&str])]) {
    let set = json!({
        "schemaVersion": 1, "version": 1, "origin": "edited", "updatedAt": "2026-11-01T00:00:00.000Z",
        "labels": [{ "name": "World" }, { "name": "Sports" }],
    });
    put(review, TRAINING_BUCKET, "label-set.json", &set).await;
    for (number, (text, labels)) in texts.iter().enumerate() {
        let record = json!({ "classifier": "news", "utterance": text });
        let record = FeedbackRecord::parse(record.to_string().as_bytes()).expect("a record");
        let vote = Vote {
            worker: worker_id("ann"),
            answer: Answer::labels(labels.iter().copied()),
            source: VoteSource::HumanReview,
            at: "2026-11-19T10:00:00.000Z".to_owned(),
            seconds: None,
            note: Default::default(),
        };
        let line = LabelledRecord::new(record, vec![vote], "loop-1", "arn:flow").to_line();
        let line: Value = serde_json::from_str(&line).expect("JSON");
        put(
            review,
            TRAINING_BUCKET,
            &format!("labelled/loop-{number}.jsonl"),
            &line,
        )
        .await;
    }
}

#[tokio::test]
async fn an_audit_is_started_from_the_console_once_it_is_confirmed_and_is_written_down() {
    let review = Review::new();
    let texts: [(&str, &[&str]); 3] = [
        ("Summit ends", &["World"]),
        ("Cup final", &["World"]),
        ("Chess at night", &["Sports"]),
    ];
    put_labelled(&review, &texts).await;
    let admin = review.sign_in_admin("ada").await;
    let token = admin.get("audits").await.field("portal:csrf");
    let output = format!("s3://{FEEDBACK_BUCKET}/audits/");
    let mut form = vec![
        ("portal:csrf", token.as_str()),
        ("subject", "spring"),
        ("value", output.as_str()),
        ("share", "1"),
        ("label", "world"),
        ("role", "arn:aws:iam::123456789012:role/audits"),
    ];

    let asked = admin.post("start-audit", &form).await;
    let before = keys(&review, "audits/").await;
    form.push(("confirmed", "yes"));
    let started = admin.post("start-audit", &form).await;
    drive(&review).await;
    let again = admin.post("start-audit", &form).await;

    assert!(
        asked.body().contains("1 of the texts with the label world"),
        "{}",
        asked.body()
    );
    assert_eq!(before, Vec::<String>::new());
    assert_eq!(started.header("location"), "audits?done=start-audit");
    let manifest = read(&review, "audits/spring/audit/in.manifest").await;
    let lines: Vec<Value> = (manifest.lines())
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2, "{manifest}");
    assert!(
        lines
            .iter()
            .all(|line| line["excluded-workers"] == json!([worker_id("ann")]))
    );
    let job = describe(&review, "spring").await;
    assert_eq!(job["LabelingJobStatus"], "InProgress", "{job}");
    assert_eq!(job["LabelCounters"]["Unlabeled"], 2, "{job}");
    let log = log(&review).await;
    assert!(
        log[0]["value"]
            .as_str()
            .is_some_and(|value| value.contains("role/audits")),
        "{log:?}"
    );
    let noted: Vec<_> = log
        .iter()
        .map(|entry| (&entry["by"], &entry["action"], &entry["subject"]))
        .collect();
    assert_eq!(noted, [(&json!("ada"), &json!("start-audit"), &json!("spring"))]);
    assert_eq!(again.status(), 400);
    assert!(again.body().contains("take another name"), "{}", again.body());
}

#[tokio::test]
async fn an_audit_of_texts_with_several_labels_asks_about_all_of_them_and_counts_each() {
    let mut settings = config();
    settings.show_rules.several_labels = true;
    let review = Review::with(settings);
    let texts: [(&str, &[&str]); 2] = [
        ("Cup final abroad", &["World", "Sports"]),
        ("Chess at night", &["Sports"]),
    ];
    put_labelled(&review, &texts).await;
    let admin = review.sign_in_admin("ada").await;
    let token = admin.get("audits").await.field("portal:csrf");
    let output = format!("s3://{FEEDBACK_BUCKET}/audits");
    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", "spring"),
        ("value", output.as_str()),
        ("share", "1"),
        ("role", "arn:aws:iam::123456789012:role/audits"),
        ("confirmed", "yes"),
    ];
    let started = admin.post("start-audit", &form).await;
    drive(&review).await;

    let shown = Mutex::new(String::new());
    let answered = answer_all(&review.sign_in("bob").await, |page| {
        shown.lock().expect("no panic").push_str(page);
        json!({ "label": { "labels": ["Sports"] } })
    })
    .await;
    drive(&review).await;
    let result = admin.get("audits/spring.json").await.json()["result"].take();

    assert_eq!(started.header("location"), "audits?done=start-audit");
    assert_eq!(answered, 2);
    let page = admin.get("audits/spring").await;
    for own_direction in [
        "<th scope=\"row\" dir=\"auto\" lang=\"\">Sports, World</th>",
        "<td dir=\"auto\" lang=\"\">Sports</td>",
    ] {
        assert!(page.body().contains(own_direction), "{}", page.body());
    }
    let shown = shown.into_inner().expect("no panic");
    assert!(
        shown.contains("Label so far: <strong>World, Sports</strong>"),
        "{shown}"
    );
    let rate = |of: &Value| (of["audited"].as_u64(), of["wrong"].as_u64());
    assert_eq!(rate(&result["all"]), (Some(2), Some(1)), "{result}");
    assert_eq!(rate(&result["byLabel"]["World"]), (Some(1), Some(1)), "{result}");
    assert_eq!(rate(&result["byLabel"]["Sports"]), (Some(2), Some(0)), "{result}");
    let change = &result["changes"][0];
    assert_eq!(
        (&change["before"], &change["after"]),
        (&json!("Sports, World"), &json!("Sports"))
    );
}

#[tokio::test]
async fn an_audit_that_cannot_be_started_says_why_and_is_not_there() {
    let review = Review::new();
    put_labelled(&review, &[("Summit ends", &["World"])]).await;
    let admin = review.sign_in_admin("ada").await;
    let token = admin.get("audits").await.field("portal:csrf");
    let output = format!("s3://{FEEDBACK_BUCKET}/audits");
    let role = "arn:aws:iam::123456789012:role/audits";

    for (name, value, share, label, role, told) in [
        ("two words", output.as_str(), "1", "", role, "the name must have"),
        ("spring", "my-audits", "1", "", role, "must be s3://"),
        ("spring", &output, "2", "", role, "the share must be"),
        ("spring", &output, "1", "", "", "name the role"),
        (
            "spring",
            &output,
            "1",
            "Sports",
            role,
            "no text with such a label",
        ),
        ("spring", &output, "1", "", "nobody", "roleArn"),
    ] {
        let form = [
            ("portal:csrf", token.as_str()),
            ("subject", name),
            ("value", value),
            ("share", share),
            ("label", label),
            ("role", role),
            ("confirmed", "yes"),
        ];
        let refused = admin.post("start-audit", &form).await;
        assert_eq!(refused.status(), 400, "{told}");
        assert!(refused.body().contains(told), "{told}: {}", refused.body());
    }

    assert!(
        admin.get("audits.json").await.json()["audits"]
            .as_array()
            .is_some_and(Vec::is_empty)
    );
}

#[tokio::test]
async fn an_audit_writes_over_no_input_of_another_that_lies_in_the_same_folder() {
    let review = Review::new();
    put_labelled(&review, &[("Summit ends", &["World"])]).await;
    let admin = review.sign_in_admin("ada").await;
    let token = admin.get("audits").await.field("portal:csrf");
    let output = format!("s3://{FEEDBACK_BUCKET}/audits");
    let key = "audits/spring/audit/in.manifest";
    let other = json!({ "source": "Of another stack" });
    put(&review, FEEDBACK_BUCKET, key, &other).await;
    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", "spring"),
        ("value", output.as_str()),
        ("share", "1"),
        ("role", "arn:aws:iam::123456789012:role/audits"),
        ("confirmed", "yes"),
    ];

    let refused = admin.post("start-audit", &form).await;

    assert_eq!(refused.status(), 400);
    assert!(refused.body().contains("take another name"), "{}", refused.body());
    assert_eq!(read(&review, key).await, other.to_string());
    let audits = admin.get("audits.json").await.json()["audits"].take();
    assert_eq!(audits, json!([]));
}

#[tokio::test]
async fn for_a_role_that_is_none_nothing_is_written() {
    let review = Review::new();
    put_labelled(&review, &[("Summit ends", &["World"])]).await;
    let admin = review.sign_in_admin("ada").await;
    let token = admin.get("audits").await.field("portal:csrf");
    let output = format!("s3://{FEEDBACK_BUCKET}/audits");
    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", "spring"),
        ("value", output.as_str()),
        ("role", "nobody"),
        ("confirmed", "yes"),
    ];

    let refused = admin.post("start-audit", &form).await;

    assert_eq!(refused.status(), 400);
    assert_eq!(keys(&review, "audits/").await, Vec::<String>::new());
}
