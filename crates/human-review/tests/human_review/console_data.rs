//! Finding a text in the console by what somebody has typed or copied.

use active_learning_core::feedback::record_id;
use serde_json::json;

use crate::console::put;
use crate::console_pages::question;
use crate::harness::{FEEDBACK_BUCKET, Reply, Review};

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
