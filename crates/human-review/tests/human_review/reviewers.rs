//! Who may sign in, seen and changed by invoking the function.

use serde_json::{Value, json};

use crate::{console::log, harness::Review};

async fn token_of_invitation(review: &Review, name: &str) -> String {
    let invited = json!({ "operation": "invite-reviewer", "reviewer": name, "by": "ada" });
    let link = review.handle(invited).await;
    let url = link["url"].as_str().expect("a URL");
    url.split_once("sign-in?token=").expect("a token").1.to_owned()
}

#[tokio::test]
async fn a_link_of_the_second_in_which_older_ones_became_void_signs_in() {
    let review = Review::new();
    let void = token_of_invitation(&review, "ann").await;
    for operation in ["pause-reviewer", "resume-reviewer"] {
        review
            .handle(json!({ "operation": operation, "reviewer": "ann" }))
            .await;
    }

    let new = token_of_invitation(&review, "ann").await;
    let by_void = review.portal("POST", "sign-in", None, &[("token", &void)]).await;
    let by_new = review.portal("POST", "sign-in", None, &[("token", &new)]).await;

    assert_eq!((by_void.status(), by_new.status()), (403, 303));
}

#[tokio::test]
async fn who_is_changed_must_be_known_and_the_attempt_is_in_the_log() {
    let review = Review::new();
    let pause = json!({ "operation": "pause-reviewer", "reviewer": "ann" });

    let refused = review.function.handle(pause, review.now()).await;

    assert_eq!(
        refused.expect_err("unknown").to_string(),
        "nobody of this name is known"
    );
    let failures: Vec<Value> = log(&review)
        .await
        .into_iter()
        .map(|entry| json!([entry["by"], entry["invoked"], entry["failed"]]))
        .collect();
    assert_eq!(failures.len(), 2);
    assert!(failures.contains(&json!(["operator", true, "nobody of this name is known"])));
    let listed = review.handle(json!({ "operation": "list-reviewers" })).await;
    assert_eq!(listed, json!({ "reviewers": [], "next": null }));
}
