//! Audits that are started from the console.

use std::sync::Mutex;

use active_learning_core::feedback::FeedbackRecord;
use active_learning_core::labels::human_loop::Answer;
use active_learning_core::labels::label_set::{LabelSet, Origin};
use active_learning_core::labels::labelled::LabelledRecord;
use active_learning_core::labels::vote::{Vote, VoteSource};
use human_review::worker_id;
use serde_json::{Value, json};

use crate::console::{log, put};
use crate::harness::{FEEDBACK_BUCKET, Reply, Review, Session, TRAINING_BUCKET, config};
use crate::labelling_jobs::{
    answer_all, audit, create, describe, drive, keys, label, labelled, read, request, started,
};

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
    let tenth: Vec<_> = (form.iter())
        .map(|(name, value)| (*name, if *name == "share" { "0.1" } else { *value }))
        .collect();
    let asked_of_a_tenth = admin.post("start-audit", &tenth).await;
    let before = keys(&review, "audits/").await;
    form.push(("confirmed", "yes"));
    let started = admin.post("start-audit", &form).await;
    drive(&review).await;
    let again = admin.post("start-audit", &form).await;

    assert!(
        asked.body().contains("all of the texts with the label world"),
        "{}",
        asked.body()
    );
    assert!(
        asked_of_a_tenth
            .body()
            .contains("10 % of the texts with the label world"),
        "{}",
        asked_of_a_tenth.body()
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

const ROLE: &str = "arn:aws:iam::123456789012:role/audits";

/// Asks for an audit of all texts with the rights of a role.
async fn start(admin: &Session<'_>, name: &str, role: &str) -> Reply {
    let token = admin.get("audits").await.field("portal:csrf");
    let output = format!("s3://{FEEDBACK_BUCKET}/audits");
    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", name),
        ("value", output.as_str()),
        ("share", "1"),
        ("role", role),
        ("confirmed", "yes"),
    ];
    admin.post("start-audit", &form).await
}

#[tokio::test]
async fn an_audit_counts_by_the_names_that_labels_have_now_also_one_that_a_version_before_has_counted() {
    let review = Review::new();
    let mut set = LabelSet::seed(
        ["World", "Sports", "Football"],
        Origin::Edited,
        "2026-11-01T00:00:00Z",
    );
    let texts: [(&str, &[&str]); 2] = [("Cup final", &["Football"]), ("Summit ends", &["World"])];
    put_labelled(&review, &texts).await;
    let stored = |set: &LabelSet| serde_json::to_value(set).expect("JSON");
    put(&review, TRAINING_BUCKET, "label-set.json", &stored(&set)).await;
    start(&review.sign_in_admin("ada").await, "spring", ROLE).await;
    drive(&review).await;
    answer_all(&review.sign_in("bob").await, |_| label("Sports")).await;
    drive(&review).await;
    let kept = "human-review/audit-results/spring.json";
    let counted = json!({
        "all": { "audited": 2, "wrong": 2 }, "byLabel": { "Football": { "audited": 1, "wrong": 1 } },
        "byReviewer": {}, "changes": [[["Football", "Sports"], 1]],
    });
    let page = async |review: &Review| {
        let admin = review.sign_in_admin("ada").await;
        admin.get("audits/spring.json").await.json()
    };

    let then = page(&review).await["result"]["all"].take();
    set.merge("Football", "Sports").expect("both in use");
    set.rename("World", "Welt").expect("free");
    put(&review, TRAINING_BUCKET, "label-set.json", &stored(&set)).await;
    let review = review.restarted(config());
    let now = page(&review).await["result"].take();
    review.put(kept, &counted.to_string()).await;
    let again = page(&review).await["result"].take();
    review.put(kept, &counted.to_string()).await;
    let output = review.s3.delete_object().bucket(FEEDBACK_BUCKET);
    let output = output.key("audits/spring/manifests/output/output.manifest");
    output.send().await.expect("removed");
    let without_output = page(&review).await;

    assert_eq!((&then["audited"], &then["wrong"]), (&json!(2), &json!(2)));
    assert_eq!(
        (&now["all"]["audited"], &now["all"]["wrong"]),
        (&json!(2), &json!(1)),
        "{now}"
    );
    assert_eq!(now["byLabel"]["Sports"]["wrong"], 0, "{now}");
    assert_eq!(
        now["changes"],
        json!([{ "before": "Welt", "after": "Sports", "count": 1 }])
    );
    assert_eq!(again, now);
    assert_eq!(without_output["result"]["all"]["wrong"], 2, "{without_output}");
    let problem = without_output["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("as they were when it ended"), "{without_output}");
}

#[tokio::test]
async fn an_audit_of_another_manifest_keeps_the_names_of_that_whatever_the_stack_calls_its_own() {
    let review = Review::new();
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-01T00:00:00Z");
    set.rename("World", "Welt").expect("free");
    let stored = serde_json::to_value(&set).expect("JSON");
    put(&review, TRAINING_BUCKET, "label-set.json", &stored).await;
    let lines = [labelled("Summit ends", "World")];
    let tags = json!([{ "Key": "active-learning:audit", "Value": "topic" }]);
    let changes = json!({ "LabelAttributeName": "again", "Tags": tags });
    started(&review, &lines, &audit("other", "Adjustment", changes)).await;
    answer_all(&review.sign_in("bob").await, |_| label("Sports")).await;
    drive(&review).await;

    let found = review
        .sign_in_admin("ada")
        .await
        .get("audits/other.json")
        .await
        .json();

    assert_eq!(found["result"]["changes"][0]["before"], "World", "{found}");
}

#[tokio::test]
async fn an_admin_may_name_only_roles_that_the_stack_lets_the_portal_use() {
    let review = Review::new();
    put_labelled(&review, &[("Summit ends", &["World"])]).await;
    let admin = review.sign_in_admin("ada").await;

    let refused = start(&admin, "spring", "arn:aws:iam::123456789012:role/labels").await;
    let begins_alike = start(&admin, "spring", &format!("{ROLE}-of-others")).await;
    let nothing = keys(&review, "audits/").await;
    let taken = start(&admin, "spring", ROLE).await;

    for refused in [refused, begins_alike] {
        assert_eq!(refused.status(), 400);
        assert!(refused.body().contains("AuditRoleArns"), "{}", refused.body());
    }
    assert_eq!(nothing, Vec::<String>::new());
    assert_eq!(taken.header("location"), "audits?done=start-audit");
}

#[tokio::test]
async fn of_an_audit_that_is_refused_nothing_is_left() {
    let review = Review::new();
    put_labelled(&review, &[("Summit ends", &["World"])]).await;
    for number in 0..20 {
        create(&review, &request(&format!("open-{number}"), json!({}))).await;
    }
    let admin = review.sign_in_admin("ada").await;

    let refused = start(&admin, "spring", ROLE).await;

    assert_eq!(refused.status(), 400);
    assert!(
        refused.body().contains("in progress already"),
        "{}",
        refused.body()
    );
    assert_eq!(keys(&review, "audits/").await, Vec::<String>::new());
}

#[tokio::test]
async fn input_that_stays_of_an_audit_that_is_not_started_is_told() {
    let review = Review::new();
    put_labelled(&review, &[("Summit ends", &["World"])]).await;
    let admin = review.sign_in_admin("ada").await;
    review.deny_puts_to(Some("/audit/labels.json"));

    let refused = start(&admin, "spring", ROLE).await;

    assert_eq!(refused.status(), 400);
    let told = format!("stays below s3://{FEEDBACK_BUCKET}/audits/spring/audit/");
    assert!(refused.body().contains(&told), "{}", refused.body());
    assert_eq!(
        keys(&review, "audits/").await,
        ["audits/spring/audit/in.manifest"],
        "what is told is so"
    );
}

#[tokio::test]
async fn lines_of_labels_that_cannot_be_read_are_told_when_an_audit_starts_and_with_what_it_has_found() {
    let review = Review::new();
    put_labelled(&review, &[("Summit ends", &["World"])]).await;
    put(
        &review,
        TRAINING_BUCKET,
        "labelled/damaged.jsonl",
        &json!({ "x": 1 }),
    )
    .await;
    let admin = review.sign_in_admin("ada").await;

    let started = start(&admin, "spring", ROLE).await;
    let list = admin.get(started.header("location")).await;
    let page = admin.get("audits/spring").await;

    assert_eq!(started.header("location"), "audits?done=start-audit&unreadable=1");
    for shown in [list, page] {
        let body = shown.body();
        assert!(body.contains("1 line of labels could not be read"), "{body}");
    }
}
