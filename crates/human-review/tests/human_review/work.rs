//! What each reviewer did, for the operator; and what a reviewer sees of their own work and of what waits.

use std::sync::atomic::Ordering;

use chrono::Duration;
use serde_json::{Value, json};

use crate::console::{HOSTILE, assert_harmless, put};
use crate::console_pages::question;
use crate::harness::{FEEDBACK_BUCKET, Reply, Review, Session, TRAINING_BUCKET, two_items};

async fn skip(session: &Session<'_>, task: &Reply, reason: &str) -> Reply {
    let (token, name) = (task.field("portal:csrf"), task.field("portal:loop"));
    let form = [
        ("portal:csrf", token.as_str()),
        ("portal:loop", name.as_str()),
        ("portal:reason", reason),
    ];
    session.post("release", &form).await
}

/// Returns what the page of reviewers says of somebody.
fn work_of(page: &Value, name: &str) -> Value {
    let people = page["reviewers"].as_array().expect("people");
    let person = people.iter().find(|person| person["name"] == name);
    person.expect("they are listed")["work"].clone()
}

/// Puts the report of a dataset that has figures of one reviewer.
async fn put_report(review: &Review, name: &str) -> Value {
    let own = json!({ "answers": 9, "unsure": 1, "compared": 4, "agreement": 0.75, "medianSeconds": 3.5 });
    let agreement = json!({ "records": 7, "answers": 20, "percentAgreement": 0.9, "alpha": 0.8 });
    let reviewers = json!({ human_review::worker_id(name): own });
    let report = json!({ "overall": agreement, "byLabel": {}, "reviewers": reviewers });
    put(
        review,
        TRAINING_BUCKET,
        "datasets/newest.json",
        &json!({ "version": "d-1" }),
    )
    .await;
    put(review, TRAINING_BUCKET, "datasets/d-1/agreement.json", &report).await;
    own
}

#[tokio::test]
async fn the_page_of_reviewers_has_answers_speed_agreement_unsure_skipped_and_last_active_of_each() {
    let review = Review::new();
    for name in ["tc-1", "tc-2"] {
        review.start(name, &two_items()).await;
    }
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    review.sign_in("bea").await;
    let none = admin.get("reviewers").await;
    let report = put_report(&review, "ann").await;
    let task = ann.open("tc-2").await;
    ann.submit(&task, &json!({ "r-2": "World", "r-10": "Sports" }))
        .await;
    review.wait(Duration::hours(1));
    for reason in ["too long", "still too long"] {
        let task = ann.open("tc-1").await;
        skip(&ann, &task, reason).await;
    }

    let page = admin.get("reviewers").await;
    let figures = admin.get("reviewers.json").await.json();

    assert!(
        none.body()
            .contains("are counted when a dataset is assembled: none was yet")
    );
    let at = review.now();
    assert_eq!(
        work_of(&figures, "ann"),
        json!({ "lastActiveAt": at, "doneToday": 1, "skipped": 1, "report": report }),
        "one task was skipped, twice"
    );
    assert_eq!(
        work_of(&figures, "bea"),
        json!({ "lastActiveAt": null, "doneToday": 0, "skipped": 0, "report": null })
    );
    assert_eq!(figures["dataset"], "d-1");
    for text in [
        "What they did",
        "75.0 % of 4",
        "3.5 s",
        "2026-11-20 10:59 UTC",
        "not yet",
    ] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
}

#[tokio::test]
async fn why_tasks_were_skipped_is_shown_with_the_task_the_text_and_among_the_newest() {
    let review = Review::new();
    let id = active_learning_core::feedback::record_id("news", "Rates rise again");
    review.start("tc-1", &two_items()).await;
    review.start("tc-2", &two_items()).await;
    put(
        &review,
        FEEDBACK_BUCKET,
        &format!("questions/{id}.json"),
        &question("Rates rise again"),
    )
    .await;
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    let none = admin.get("quality").await;
    let task = ann.open("tc-1").await;
    skip(&ann, &task, HOSTILE).await;
    let task = ann.open("tc-2").await;
    skip(&ann, &task, " ").await;

    let tasks = admin.get("tasks.json").await.json();
    let text = admin.get(&format!("data.json?id={id}")).await.json();
    let newest = admin.get("quality.json").await.json()["skips"].take();

    let said = json!([{ "name": "ann", "reason": HOSTILE }]);
    let of_task = |name: &str| {
        let tasks = tasks["tasks"].as_array().expect("tasks");
        let task = tasks.iter().find(|task| task["name"] == name).expect("waits");
        (task["skippedBy"].clone(), task["skips"].clone())
    };
    assert_eq!(of_task("tc-1"), (json!(1), said.clone()));
    assert_eq!(
        of_task("tc-2"),
        (json!(1), json!([{ "name": "ann", "reason": null }]))
    );
    assert_eq!(text["skippedBy"], said);
    assert_eq!(newest.as_array().map(Vec::len), Some(1), "{newest}");
    assert_eq!(
        (&newest[0]["reason"], &newest[0]["text"], &newest[0]["humanLoop"]),
        (&json!(HOSTILE), &json!("Rates rise again"), &json!("tc-1"))
    );
    assert!(none.body().contains("Nobody has skipped a task and said why."));
    for page in ["tasks", "quality", &format!("data?id={id}")] {
        let shown = admin.get(page).await;
        assert_harmless(shown.body(), page);
        assert!(
            shown.body().contains("&#60;script&#62;alert"),
            "{page}: {}",
            shown.body()
        );
    }
    review.stop("tc-1").await;
    assert_eq!(review.delete("tc-1").await.status(), 200);
    assert_eq!(admin.get("quality.json").await.json()["skips"], json!([]));
}

#[tokio::test]
async fn what_a_browser_carries_of_a_history_has_no_skips_and_takes_none_away() {
    let review = Review::new();
    for number in 0..3 {
        review.start(&format!("tc-{number}"), &two_items()).await;
    }
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    let task = ann.open("tc-0").await;
    skip(&ann, &task, "").await;
    for name in ["tc-1", "tc-2"] {
        let task = ann.open(name).await;
        ann.submit(&task, &json!({ "r-2": "World", "r-10": "Sports" }))
            .await;
    }

    let figures = admin.get("reviewers.json").await.json();

    assert_eq!(work_of(&figures, "ann")["skipped"], 1);
    assert_eq!(work_of(&figures, "ann")["doneToday"], 2);
}

fn one_item(text: &str, signal: &str) -> Value {
    let item =
        json!({ "id": "r-1", "utterance": text, "prediction": "World", "confidence": 0.4, "signal": signal });
    json!({ "comprehendPredictions": [item], "labels": ["World", "Sports"] })
}

#[tokio::test]
async fn a_reviewer_sees_why_each_task_is_asked_and_how_it_begins_and_filters_by_that() {
    let review = Review::new();
    for (name, signal, text) in [("tc-1", "audit", "Rates rise"), ("tc-2", "dislike", HOSTILE)] {
        review.start(name, &one_item(text, signal)).await;
        review.wait(Duration::seconds(1));
    }
    let ann = review.sign_in("ann").await;

    let all = ann.get("queue").await;
    let audits = ann.get("queue?why=audit").await;
    let document = ann.get("queue.json?why=dislike").await;
    let none = ann
        .get(&format!("queue?why={}", "%22%3E%3Cscript%3Ealert(1)"))
        .await;

    for text in ["Rates rise", "queue?why=audit", "Only dislike", "<td>audit</td>"] {
        assert!(all.body().contains(text), "{text}: {}", all.body());
    }
    assert_harmless(all.body(), "queue");
    assert_harmless(none.body(), "queue");
    assert!(audits.body().contains("task?loop=tc-1") && !audits.body().contains("task?loop=tc-2"));
    assert!(
        audits.body().contains("data-waiting=\"2\""),
        "all that wait are counted"
    );
    let document = document.json();
    let tasks = document["tasks"].as_array().expect("tasks");
    assert_eq!(tasks.len(), 1, "{document}");
    assert_eq!(
        (&tasks[0]["loop"], &tasks[0]["reasons"], &document["why"]),
        (&json!("tc-2"), &json!(["dislike"]), &json!("dislike"))
    );
}

#[tokio::test]
async fn the_queue_reads_the_inputs_of_25_long_tasks_and_lists_the_others_without_their_words() {
    let review = Review::new();
    let long = "long ".repeat(2_000);
    for number in 0..28 {
        review
            .start(&format!("tc-{number}"), &one_item(&long, "audit"))
            .await;
    }
    let ann = review.sign_in("ann").await;
    ann.get("queue").await;
    let before = review.reads.load(Ordering::Relaxed);

    let document = ann.get("queue.json").await.json();

    let reads = review.reads.load(Ordering::Relaxed) - before;
    let tasks = document["tasks"].as_array().expect("tasks");
    let with_words = tasks.iter().filter(|task| task["text"] != "").count();
    assert_eq!((tasks.len(), with_words), (28, 25));
    assert!(reads < 28 + 25 + 8, "{reads} objects were read");
}

#[tokio::test]
async fn the_first_page_of_a_reviewer_has_their_last_answers() {
    let review = Review::new();
    for name in ["tc-1", "tc-2"] {
        review.start(name, &two_items()).await;
    }
    let (ann, bea) = (review.sign_in("ann").await, review.sign_in("bea").await);
    let task = ann.open("tc-1").await;
    ann.submit(&task, &json!({ "r-2": "World", "r-10": "Sports" }))
        .await;

    let (own, other) = (ann.get("queue").await, bea.get("queue").await);
    let document = ann.get("queue.json").await.json();

    assert!(own.body().contains("id=\"last-answers\""), "{}", own.body());
    assert!(own.body().contains("task?loop=tc-1&amp;correct=yes"));
    assert!(!other.body().contains("id=\"last-answers\""));
    assert_eq!(document["answers"][0]["answer"], "World · Sports");
}

/// Puts a text that people have labelled at a time; returns the id of its record.
async fn put_labelled(review: &Review, text: &str, at: &str) -> String {
    let asked = question(text);
    let id = asked["record"]["id"].as_str().expect("an id").to_owned();
    let name = format!("loop-{}", &id[..8]);
    let labels = json!({ "kind": "labels", "labels": ["World"] });
    let line = json!({
        "schemaVersion": 1, "humanLoop": name, "flowDefinitionArn": "f", "labelledAt": at, "record": asked["record"],
        "consensus": { "state": "agreed", "answer": labels, "confidence": 1.0 }, "votes": asked["votes"],
    });
    let mut asked = asked;
    asked["humanLoop"] = json!(name);
    put(review, FEEDBACK_BUCKET, &format!("questions/{id}.json"), &asked).await;
    put(review, TRAINING_BUCKET, &format!("labelled/{name}.jsonl"), &line).await;
    id
}

#[tokio::test]
async fn whether_a_text_is_held_out_cannot_be_told_where_a_list_is_missing_or_there_are_too_many() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let id = put_labelled(&review, "Rates rise again!", "2026-11-10T08:00:00.000Z").await;
    let list = |number: usize| format!("datasets/split/held-out-{number}.txt");
    for number in 0..51 {
        let texts = match number {
            20 => "rates rise again\n",
            _ => "cup final\n",
        };
        let texts = aws_sdk_s3::primitives::ByteStream::from_static(texts.as_bytes());
        let stored = review.s3.put_object().bucket(TRAINING_BUCKET).key(list(number));
        stored.body(texts).send().await.expect("stored");
    }

    let mut told = Vec::new();
    for lists in [
        (0..20).map(list).collect::<Vec<_>>(),
        (0..51).map(list).collect(),
        (0..20).chain(60..61).map(list).collect(),
        (20..21).chain(60..61).map(list).collect(),
        (0..20).chain(0..20).chain(0..11).map(list).collect(),
    ] {
        let split = json!({ "heldOut": lists });
        put(&review, TRAINING_BUCKET, "datasets/split.json", &split).await;
        let found = admin.get(&format!("data.json?id={id}")).await.json();
        told.push(found["datasets"]["heldOut"].clone());
    }
    let page = admin.get(&format!("data?id={id}")).await;

    assert_eq!(json!(told), json!([false, true, null, true, null]));
    assert!(
        page.body().contains("Whether it is held out cannot be told"),
        "{}",
        page.body()
    );
}

#[tokio::test]
async fn the_way_of_a_text_ends_with_the_dataset_that_took_it_in_and_whether_it_is_held_out() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let early = put_labelled(&review, "Rates rise again!", "2026-11-10T08:00:00.000Z").await;
    let none = admin.get(&format!("data.json?id={early}")).await.json();
    for (version, parent, at) in [
        ("d-1", Value::Null, "2026-11-09T08:00:00.000Z"),
        ("d-2", json!("d-1"), "2026-11-11T08:00:00.000Z"),
        ("d-3", json!("d-2"), "2026-11-15T08:00:00.000Z"),
    ] {
        let manifest = json!({ "version": version, "parent": parent, "createdAt": at });
        put(
            &review,
            TRAINING_BUCKET,
            &format!("datasets/{version}/manifest.json"),
            &manifest,
        )
        .await;
    }
    put(
        &review,
        TRAINING_BUCKET,
        "datasets/newest.json",
        &json!({ "version": "d-3" }),
    )
    .await;
    let list = "datasets/split/held-out-1.txt";
    let split = json!({ "heldOut": [list], "trained": ["datasets/split/trained-1.txt"] });
    put(&review, TRAINING_BUCKET, "datasets/split.json", &split).await;
    let texts = aws_sdk_s3::primitives::ByteStream::from_static(b"cup final\nrates rise again\n");
    let stored = review
        .s3
        .put_object()
        .bucket(TRAINING_BUCKET)
        .key(list)
        .body(texts);
    stored.send().await.expect("stored");
    let late = put_labelled(&review, "A bank fails", "2026-11-16T08:00:00.000Z").await;

    let held_out = admin.get(&format!("data.json?id={early}")).await.json();
    let next = admin.get(&format!("data.json?id={late}")).await.json();
    let page = admin.get(&format!("data?id={early}")).await;

    assert_eq!(
        none["datasets"],
        json!({ "first": null, "mayBeEarlier": false, "newest": null, "heldOut": false })
    );
    assert_eq!(
        held_out["datasets"],
        json!({ "first": "d-2", "mayBeEarlier": false, "newest": "d-3", "heldOut": true })
    );
    assert_eq!(
        next["datasets"],
        json!({ "first": null, "mayBeEarlier": false, "newest": "d-3", "heldOut": false })
    );
    for text in [
        "The dataset d-2 is the first",
        "models are tested on it, and none is ever trained on it",
    ] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
}
