//! Who may sign in, seen and changed by invoking the function.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    console::log,
    harness::{Review, two_items},
};

/// The id that an earlier version made of a name, which told spellings apart.
fn earlier_id(name: &str) -> String {
    hex::encode(&Sha256::digest(format!("reviewer:{name}"))[..8])
}

fn answer() -> Value {
    json!({ "r-2": "World", "r-10": "Sports" })
}

async fn token_of_invitation(review: &Review, name: &str) -> String {
    let invited = json!({ "operation": "invite-reviewer", "reviewer": name, "by": "ada" });
    let link = review.handle(invited).await;
    let url = link["url"].as_str().expect("a URL");
    url.split_once("sign-in?token=").expect("a token").1.to_owned()
}

async fn token_of_link(review: &Review, name: &str) -> String {
    let link = json!({ "operation": "create-sign-in-link", "reviewer": name });
    let link = review.handle(link).await;
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
async fn a_link_without_an_invitation_of_the_second_in_which_older_ones_became_void_signs_in() {
    let review = Review::new();
    let void = token_of_invitation(&review, "ann").await;
    for operation in ["pause-reviewer", "resume-reviewer"] {
        review
            .handle(json!({ "operation": operation, "reviewer": "ann" }))
            .await;
    }

    let new = token_of_link(&review, "ann").await;
    let by_void = review.portal("POST", "sign-in", None, &[("token", &void)]).await;
    let by_new = review.portal("POST", "sign-in", None, &[("token", &new)]).await;

    assert_eq!((by_void.status(), by_new.status()), (403, 303));
}

#[tokio::test]
async fn a_link_for_a_paused_reviewer_says_that_they_are_paused() {
    let review = Review::new();
    token_of_invitation(&review, "ann").await;
    let change = async |operation: &str| {
        let changed = json!({ "operation": operation, "reviewer": "ann" });
        review.handle(changed).await
    };
    for link in [
        json!({ "operation": "create-sign-in-link", "reviewer": "ann" }),
        json!({ "operation": "invite-reviewer", "reviewer": "ann", "by": "ada" }),
    ] {
        change("resume-reviewer").await;

        let before = review.handle(link.clone()).await;
        change("pause-reviewer").await;
        let paused = review.handle(link.clone()).await;

        let told = (&before["paused"], &paused["paused"]);
        assert_eq!(told, (&json!(false), &json!(true)), "{link}");
    }
}

#[tokio::test]
async fn who_was_invited_keeps_the_role_of_the_invitation_when_the_provider_names_them() {
    let review = Review::new();
    let invited = json!({ "operation": "invite-reviewer", "reviewer": "ann", "role": "admin", "by": "ada" });
    review.handle(invited).await;

    for name in ["ann", "bea"] {
        review
            .handle(json!({ "operation": "add-reviewer", "reviewer": name, "role": "reviewer", "groups": [], "by": "ada" }))
            .await;
    }

    let listed = review.handle(json!({ "operation": "list-reviewers" })).await;
    let roles: Vec<&Value> = (listed["reviewers"].as_array().expect("a list").iter())
        .map(|member| &member["role"])
        .collect();
    assert!(roles.contains(&&json!("admin")), "{listed}");
    assert!(roles.contains(&&json!("reviewer")), "{listed}");
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

#[tokio::test]
async fn a_link_for_another_spelling_of_a_name_is_for_who_is_known_and_says_so() {
    let review = Review::new();
    let invite = |name: &str| json!({ "operation": "invite-reviewer", "reviewer": name, "by": "ada" });
    review.handle(invite("u1")).await;

    let again = review.handle(invite(" U1")).await;
    let link = json!({ "operation": "create-sign-in-link", "reviewer": "U1" });
    let link = review.handle(link).await;
    let paused = review
        .handle(json!({ "operation": "pause-reviewer", "reviewer": "U1" }))
        .await;
    let other = review.handle(invite("u2")).await;

    for answer in [again, link, paused] {
        assert_eq!(answer["reviewer"], "u1", "{answer}");
    }
    assert_eq!(other["reviewer"], "u2");
    let listed = review.handle(json!({ "operation": "list-reviewers" })).await;
    let reviewers = listed["reviewers"].as_array().expect("a list");
    let mut names: Vec<&Value> = reviewers.iter().map(|member| &member["name"]).collect();
    names.sort_by_key(|name| name.to_string());
    assert_eq!(names, ["u1", "u2"]);
}

#[tokio::test]
async fn a_reviewer_is_the_same_however_their_address_is_spelt() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let by_link = review.sign_in("Ann@X.org").await;
    by_link.open("tc-1").await;
    let by_provider = review.sign_in("ann@x.org").await;

    // Who has it open has it open by either name, and who answered has answered.
    let task = by_provider.open("tc-1").await;
    assert_eq!(by_provider.submit(&task, &answer()).await.status(), 303);
    let again = by_link.get("task?loop=tc-1&correct=yes").await;

    assert_eq!(again.status(), 200);
    let output: Value =
        serde_json::from_str(&review.object(&review.keys("tc-review/").await[0]).await).expect("JSON");
    let given = &output["humanAnswers"][0];
    assert_eq!(given["workerId"], earlier_id("ann@x.org"));
    assert_eq!(given["workerMetadata"]["identityData"]["sub"], "ann@x.org");
    let listed = review.handle(json!({ "operation": "list-reviewers" })).await;
    assert_eq!(listed["reviewers"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_ne!(earlier_id("Ann"), human_review::human_loop::Worker::of("ann").id);
}

#[tokio::test]
async fn what_a_reviewer_did_under_another_spelling_of_their_address_still_counts() {
    let review = Review::new();
    let before = earlier_id("Ann@X.org");
    let member = json!({ "name": "Ann@X.org", "role": "admin", "signedInAt": "2026-11-20T10:00:00Z" });
    review
        .put(
            &format!("human-review/reviewers/{before}.json"),
            &member.to_string(),
        )
        .await;
    let history = json!({ "answered": [{ "humanLoop": "tc-1", "id": "1", "at": "2026-11-20T10:00:00Z" }], "done": 3,
        "day": review.now().date_naive() });
    review
        .put(
            &format!("human-review/history/{before}.json"),
            &history.to_string(),
        )
        .await;
    let mut input = two_items();
    input["excludedWorkers"] = json!([before]);
    review.start("tc-1", &input).await;

    let ann = review.sign_in("ann@x.org").await;

    assert_eq!(ann.open("tc-1").await.code(), "task_for_others");
    assert!(ann.get("queue").await.body().contains("id=\"empty-queue\""));
    assert!(ann.get("history").await.body().contains('3'));
    let listed = review.handle(json!({ "operation": "list-reviewers" })).await;
    let ids: Vec<&Value> = listed["reviewers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| &one["workerId"])
        .collect();
    assert_eq!(ids, [&json!(earlier_id("ann@x.org"))]);
}

#[tokio::test]
async fn who_was_paused_under_another_spelling_of_their_address_stays_paused_until_somebody_lets_them_in() {
    let review = Review::new();
    let key = format!("human-review/reviewers/{}.json", earlier_id("Ann@X.org"));
    review
        .put(&key, &json!({ "name": "Ann@X.org", "paused": true }).to_string())
        .await;
    let sign_in = async || {
        let token = review.link_token("ann@x.org").await;
        review
            .portal("POST", "sign-in", None, &[("token", &token)])
            .await
            .status()
    };

    let paused = sign_in().await;
    review
        .handle(json!({ "operation": "resume-reviewer", "reviewer": "Ann@X.org" }))
        .await;
    review.wait(chrono::Duration::seconds(2));

    assert_eq!((paused, sign_in().await), (403, 303));
}
