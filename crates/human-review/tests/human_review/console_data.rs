//! Finding texts in the console by what somebody has typed or copied, and by what was said of them.

use active_learning_core::feedback::record_id;
use active_learning_core::labels::label_set::{LabelSet, Origin};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::console::{HOSTILE, assert_harmless, put};
use crate::console_pages::question;
use crate::harness::{FEEDBACK_BUCKET, Reply, Review, Session, TRAINING_BUCKET};

/// Keeps a question about a text, and looks for what is typed; returns the page that comes and whether it is of the text.
async fn looked_for(kept: &str, typed: &str) -> (Reply, bool) {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let id = record_id("news", kept);
    let mut question = question(kept);
    question["record"]["id"] = json!(id);
    put(
        &review,
        FEEDBACK_BUCKET,
        &format!("questions/{id}.json"),
        &question,
    )
    .await;
    let data = admin.get("data").await;
    assert!(
        data.body().contains("<textarea name=\"subject\""),
        "{}",
        data.body()
    );
    let token = data.field("portal:csrf");
    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", typed),
        ("value", "news"),
    ];

    let found = admin.post("find-text", &form).await;

    let page = admin.get(found.header("location")).await;
    let is_of_text = page.body().contains(&format!("Record {id}"));
    (page, is_of_text)
}

#[tokio::test]
async fn a_text_of_several_lines_is_found_whatever_ends_its_lines() {
    for kept in ["Dear all\nthe lift is broken", "Dear all\r\nthe lift is broken"] {
        let (page, is_found) = looked_for(kept, "Dear all\r\nthe lift is broken\r\n").await;
        assert!(is_found, "{kept:?}: {}", page.body());
    }
}

#[tokio::test]
async fn a_text_that_was_masked_is_found_by_what_it_was_before_and_as_it_is_kept() {
    let kept = "Write to [EMAIL] about the lift";
    for typed in ["Write to ann@example.com about the lift", kept] {
        let (page, is_found) = looked_for(kept, typed).await;
        assert!(is_found, "{typed:?}: {}", page.body());
    }
}

#[tokio::test]
async fn a_text_that_is_not_found_is_not_said_to_have_been_asked_of_nobody() {
    let (page, is_found) = looked_for("Cup final tonight", "Cup final today").await;

    assert!(!is_found);
    assert!(
        page.body().contains("No text of exactly these words was found"),
        "{}",
        page.body()
    );
    assert!(!page.body().contains("not asked"), "{}", page.body());
}

/// A labelled record: a text, what was predicted, what its worker said.
fn labelled(text: &str, predicted: &str, answer: &Value, worker: &str) -> Value {
    json!({
        "schemaVersion": 1, "humanLoop": "tc-1", "flowDefinitionArn": "f", "labelledAt": "2026-11-19T09:00:00.000Z",
        "record": {
            "schemaVersion": 1, "id": record_id("news", text), "classifier": "news", "utterance": text,
            "prediction": predicted, "confidence": 0.4, "source": "implicit", "signal": "low-confidence",
            "receivedAt": "2026-11-19T08:00:00.000Z",
        },
        "consensus": { "state": "agreed", "answer": answer, "confidence": 1.0 },
        "votes": [{ "worker": worker, "answer": answer, "source": "human-review", "at": "2026-11-19T09:00:00.000Z" }],
    })
}

fn label(name: &str) -> Value {
    json!({ "kind": "labels", "labels": [name] })
}

async fn put_labelled(review: &Review, human_loop: &str, records: &[Value]) {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    let key = format!("labelled/{human_loop}.jsonl");
    let put = review.s3.put_object().bucket(TRAINING_BUCKET).key(key);
    let body = ByteStream::from(lines.into_bytes());
    put.body(body).send().await.expect("stored");
}

/// The texts of a search by address.
async fn texts(admin: &Session<'_>, query: &str) -> Vec<String> {
    let found = admin.get(&format!("data.json?{query}")).await.json();
    let texts = found["texts"].as_array().expect("texts").iter();
    texts
        .map(|text| text["utterance"].as_str().expect("a text").to_owned())
        .collect()
}

async fn look(admin: &Session<'_>, fields: &[(&str, &str)]) -> Reply {
    let token = admin.get("data").await.field("portal:csrf");
    let mut form = vec![("portal:csrf", token.as_str())];
    form.extend(fields);
    admin.post("find-texts", &form).await
}

#[tokio::test]
async fn labelled_texts_are_found_by_label_prediction_reviewer_source_and_answer() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    review.sign_in("ann").await;
    let ann = human_review::worker_id("ann");
    let records = [
        labelled("Cup final tonight", "World", &label("Sports"), &ann),
        labelled("Talks go on", "World", &label("World"), "fedcba9876543210"),
        labelled("Lift is broken", "Sports", &json!({ "kind": "none-fits" }), &ann),
    ];
    put_labelled(&review, "tc-1", &records).await;

    assert_eq!(texts(&admin, "label=sports").await, ["Cup final tonight"]);
    assert_eq!(
        texts(&admin, "predicted=World&label=Sports").await,
        ["Cup final tonight"]
    );
    assert_eq!(texts(&admin, "answer=none").await, ["Lift is broken"]);
    assert_eq!(
        texts(&admin, "reviewer=Ann").await,
        ["Cup final tonight", "Lift is broken"]
    );
    assert_eq!(texts(&admin, "source=implicit").await.len(), 3);
    assert!(texts(&admin, "source=explicit-batch").await.is_empty());
    let page = admin.get("data?label=Sports").await;
    for text in [
        "1 row of 3 that were looked through",
        ">ann<",
        &format!("data?id={}", record_id("news", "Cup final tonight")),
        "value=\"Sports\"",
    ] {
        assert!(page.body().contains(text), "{text}: {}", page.body());
    }
}

#[tokio::test]
async fn a_label_that_was_renamed_or_merged_is_found_and_shown_by_its_name_of_now() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let mut set = LabelSet::seed(
        ["Outage", "Delivery", "Parcel"],
        Origin::Edited,
        "2026-11-19T10:00:00Z",
    );
    set.rename("Outage", "Technical").expect("free");
    set.merge("Parcel", "Delivery").expect("active");
    let document = serde_json::to_value(&set).expect("JSON");
    put(&review, TRAINING_BUCKET, "label-set.json", &document).await;
    let records = [
        labelled("It is down", "Outage", &label("Outage"), "w"),
        labelled("It is down again", "Outage", &label("Technical"), "w"),
        labelled("Where is it", "Technical", &label("Parcel"), "w"),
    ];
    put_labelled(&review, "tc-1", &records).await;

    let both = ["It is down", "It is down again"];
    assert_eq!(texts(&admin, "label=Technical").await, both);
    assert_eq!(texts(&admin, "label=outage").await, both, "by its old name too");
    assert_eq!(texts(&admin, "label=Delivery").await, ["Where is it"]);
    assert_eq!(texts(&admin, "predicted=Technical").await.len(), 3);
    let shown = admin.get("data.json?source=").await.json();
    let said = |number: usize| {
        (
            &shown["texts"][number]["said"],
            &shown["texts"][number]["predicted"],
        )
    };
    assert_eq!(said(0), (&json!("Technical"), &json!("Technical")));
    assert_eq!(said(2), (&json!("Delivery"), &json!("Technical")));
}

#[tokio::test]
async fn the_row_of_a_user_s_vote_is_not_said_to_wait_for_an_answer() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let mut vote = labelled("It is down", "World", &label("Sports"), "user:u1");
    vote["consensus"] = json!({ "state": "unanswered" });
    vote["votes"][0]["source"] = json!("feedback");
    let mut unsure = labelled("Where is it", "World", &json!({ "kind": "unsure" }), "w");
    unsure["consensus"] = json!({ "state": "unanswered" });
    put_labelled(&review, "tc-1", &[vote, unsure]).await;

    let shown = admin.get("data.json?source=").await.json();

    let said = |number: usize| shown["texts"][number]["said"].as_str();
    assert_eq!(said(0), Some("a vote by itself, which decides nothing"));
    assert_eq!(said(1), Some("nobody has answered"));
}

#[tokio::test]
async fn a_word_is_found_whatever_its_case_and_stands_in_no_address() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let records = [
        labelled("Cup FINAL tonight", "World", &label("Sports"), "w"),
        labelled("Talks go on", "World", &label("World"), "w"),
    ];
    put_labelled(&review, "tc-1", &records).await;

    let found = look(&admin, &[("word", "final")]).await;
    let without = look(&admin, &[("label", "World")]).await;
    let refused = admin.get("data?word=final").await;

    assert_eq!(found.status(), 200, "shown at once");
    assert!(found.body().contains("Cup FINAL tonight"), "{}", found.body());
    assert!(!found.body().contains("Talks go on"));
    assert_eq!(
        (without.status(), without.header("location")),
        (303, "data?source=&label=World")
    );
    assert_eq!((refused.status(), refused.code()), (400, "not_possible"));
}

#[tokio::test]
async fn every_text_is_shown_once_on_one_of_the_pages_however_many_objects_and_lines_there_are() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let of = |folder: &str, count: usize| -> Vec<Value> {
        let texts = (0..count).map(|number| format!("{folder} {number}"));
        texts
            .map(|text| labelled(&text, "World", &label("World"), "w"))
            .collect()
    };
    put_labelled(&review, "a-large", &of("large", 250)).await;
    for number in 0..120 {
        put_labelled(
            &review,
            &format!("b-{number:03}"),
            &of(&format!("small {number}"), 1),
        )
        .await;
    }
    put_labelled(&review, "c-last", &of("last", 3)).await;

    let (mut seen, mut pages, mut query) = (Vec::new(), 0, "source=".to_owned());
    loop {
        let found = admin.get(&format!("data.json?{query}")).await.json();
        let texts = found["texts"].as_array().expect("texts");
        assert!(texts.len() <= 100);
        seen.extend(texts.iter().map(|text| text["utterance"].to_string()));
        pages += 1;
        match found["next"].as_str() {
            Some(next) => query = format!("source=&after={}", next.replace('/', "%2F")),
            None => break,
        }
    }

    assert_eq!((seen.len(), pages), (373, 4));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 373);
    let first = admin.get("data?source=").await;
    assert!(first.body().contains("Look further"), "{}", first.body());
    assert!(admin.get("data?after=nowhere").await.status() == 400);
}

#[tokio::test]
async fn what_is_shown_is_exported_and_what_cannot_be_read_is_named() {
    let review = Review::new();
    let admin = review.sign_in_admin("ada").await;
    let records = [
        labelled("=HYPERLINK(\"x\")", "World", &label("World"), "w"),
        json!({ "schemaVersion": 1, "secret": "kept out" }),
        labelled(HOSTILE, "World", &label(HOSTILE), "w"),
    ];
    put_labelled(&review, "tc-1", &records).await;

    let page = admin.get("data?predicted=World").await;
    let csv = look(&admin, &[("predicted", "World"), ("format", "csv")]).await;
    let lines = look(&admin, &[("word", "hyperlink"), ("format", "jsonl")]).await;

    assert_harmless(page.body(), "data");
    assert!(
        page.body().contains("a line of labelled/tc-1.jsonl"),
        "{}",
        page.body()
    );
    assert!(!page.body().contains("kept out"));
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"texts.csv\""
    );
    assert_eq!(csv.body().lines().count(), 3, "{}", csv.body());
    assert!(
        csv.body().contains("\"'=HYPERLINK(\"\"x\"\")\""),
        "{}",
        csv.body()
    );
    let text: Value = serde_json::from_str(lines.body().trim()).expect("one line");
    assert_eq!(text["utterance"], "=HYPERLINK(\"x\")");
}
