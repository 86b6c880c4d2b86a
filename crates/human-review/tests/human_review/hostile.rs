//! What anybody can write, wherever the portal or the console shows it: as text, of its own direction.

use serde_json::{Value, json};

use crate::console::{HOSTILE, assert_harmless, put};
use crate::console_pages::{dispute, question};
use crate::harness::{FEEDBACK_BUCKET, Review, Session, TRAINING_BUCKET};

const ARABIC: &str = "فاز الفريق بالمباراة";

/// Starts a task whose fields all say the same.
async fn start(review: &Review, name: &str, text: &str) {
    let item = json!({
        "id": "r-1", "utterance": text, "prediction": text, "confidence": 0.4, "signal": "audit", "classifier": text,
    });
    let input = json!({ "comprehendPredictions": [item], "labels": [text, "Sports"] });
    review.start(name, &input).await;
}

/// Skips a task for a reason.
async fn skip(session: &Session<'_>, name: &str, reason: &str) {
    let token = session.open(name).await.field("portal:csrf");
    let form = [
        ("portal:csrf", token.as_str()),
        ("portal:loop", name),
        ("portal:reason", reason),
    ];
    assert_eq!(session.post("release", &form).await.status(), 303);
}

/// Puts a dispute whose votes have this comment; returns the id of its record.
async fn dispute_with_comment(review: &Review, comment: &str) -> String {
    let id = dispute(review, "Cup final tonight").await;
    let mut commented = question("Cup final tonight");
    for vote in commented["votes"].as_array_mut().into_iter().flatten() {
        vote["comment"] = json!(comment);
        vote["flagged"] = json!(true);
    }
    for (bucket, folder) in [(TRAINING_BUCKET, "disputed"), (FEEDBACK_BUCKET, "questions")] {
        put(review, bucket, &format!("{folder}/{id}.json"), &commented).await;
    }
    id
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn reasons_comments_keys_and_words_of_an_address_are_shown_as_text() {
    let review = Review::new();
    start(&review, "tc-1", HOSTILE).await;
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    skip(&ann, "tc-1", HOSTILE).await;
    let id = dispute_with_comment(&review, HOSTILE).await;
    let rejected = format!("rejected/batch-feedback/{HOSTILE}.jsonl");
    let line = json!({ "line": 1, "reason": HOSTILE, "raw": HOSTILE });
    put(&review, FEEDBACK_BUCKET, &rejected, &line).await;
    put(
        &review,
        FEEDBACK_BUCKET,
        &format!("aws/lambda/async/{HOSTILE}"),
        &json!({}),
    )
    .await;
    let odd = encoded(HOSTILE);

    for page in [
        "tasks".to_owned(),
        "quality".to_owned(),
        "operations".to_owned(),
        format!("data?id={id}"),
        format!("report?key={}", encoded(&rejected)),
    ] {
        let shown = admin.get(&page).await;
        assert_eq!(shown.status(), 200, "{page}: {}", shown.body());
        assert_harmless(shown.body(), &page);
        assert!(
            shown.body().contains("&#60;script&#62;"),
            "{page}: {}",
            shown.body()
        );
    }
    for address in [
        "tasks?why=",
        "tasks?after=",
        "data?reviewer=",
        "data?label=",
        "data?id=",
        "data?source=",
        "data?after=",
        "versions?after=",
        "quality?after=",
        "reviewers?after=",
        "guideline?label=",
        "report?key=",
        "overview?done=",
        "versions/",
        "audits/",
    ] {
        let shown = admin.get(&format!("{address}{odd}")).await;
        assert!(
            [200, 303, 400, 404].contains(&shown.status()),
            "{address}: {}",
            shown.body()
        );
        assert_harmless(shown.body(), address);
    }
    for address in ["queue", "task?loop=tc-1", "queue?why=", "task?loop="] {
        let shown = ann.get(&format!("{address}{odd}")).await;
        assert_harmless(shown.body(), address);
    }
}

#[tokio::test]
async fn what_somebody_wrote_has_its_own_direction_and_no_language_is_claimed_of_it() {
    let review = Review::new();
    start(&review, "tc-1", ARABIC).await;
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    skip(&ann, "tc-1", ARABIC).await;
    let id = dispute_with_comment(&review, ARABIC).await;
    review.sign_in("ليلى").await;

    let people = admin.get("reviewers").await;
    let name = "<th scope=\"row\" dir=\"auto\" lang=\"\">ليلى</th>";
    assert_eq!(people.body().matches(name).count(), 2, "{}", people.body());
    let cell = format!("dir=\"auto\" lang=\"\">{ARABIC}</t");
    for page in ["tasks".to_owned(), "quality".to_owned(), format!("data?id={id}")] {
        let shown = admin.get(&page).await;
        assert!(shown.body().contains(&cell), "{page}: {}", shown.body());
    }
    let document: Value = admin.get("tasks.json").await.json();
    assert_eq!(document["tasks"][0]["text"], ARABIC, "{document}");
}
