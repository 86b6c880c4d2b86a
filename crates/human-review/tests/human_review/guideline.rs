//! The guideline, which an operator writes in the console.

use serde_json::{Value, json};

use crate::console::{HOSTILE, assert_harmless, log};
use crate::harness::{Reply, Review, Session, two_items};
use crate::label_changes::{put_set, set_of};

/// Sends a form of the guideline, with the version that a page showed.
async fn edit(admin: &Session<'_>, version: &str, fields: &[(&str, &str)]) -> Reply {
    let token = admin.get("guideline").await.field("portal:csrf");
    let mut form = vec![("portal:csrf", token.as_str()), ("version", version)];
    form.extend_from_slice(fields);
    admin.post("edit-guideline", &form).await
}

async fn stored(review: &Review) -> Value {
    serde_json::from_str(&review.object("guideline.json").await).expect("JSON")
}

#[tokio::test]
async fn an_admin_writes_the_guideline_a_label_at_a_time_and_reviewers_see_it_beside_the_task() {
    let review = Review::new();
    put_set(&review, &set_of(&["World", "Sports"])).await;
    review.start("tc-1", &two_items()).await;
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    let fields = [
        ("subject", "World"),
        ("meaning", "Politics\r\nand wars "),
        ("good", "A treaty\r\n\r\n An election "),
        ("bad", ""),
        ("edgeCases", "Trade is Business"),
    ];
    let confirmed = [&fields[..], &[("confirmed", "yes")]].concat();

    let listed = admin.get("guideline").await;
    let asked = edit(&admin, "", &fields).await;
    let before = review.keys("guideline.json").await;
    let done = edit(&admin, "", &confirmed).await;
    let version = admin.get("guideline.json").await.json()["version"].take();
    let version = version.as_str().expect("a version").to_owned();
    let introduced = edit(
        &admin,
        &version,
        &[
            ("subject", ""),
            ("introduction", "Read to the end."),
            ("confirmed", "yes"),
        ],
    )
    .await;
    let late = edit(&admin, &version, &confirmed).await;
    let task = ann.open("tc-1").await;

    assert!(listed.body().contains("guideline?label=World"), "{listed:?}");
    assert!(asked.body().contains("Are you sure?") && before.is_empty());
    assert_eq!(
        (done.status(), done.header("location")),
        (303, "guideline?done=edit-guideline")
    );
    assert_eq!(introduced.status(), 303, "{introduced:?}");
    assert_eq!((late.status(), late.code()), (400, "not_possible"));
    assert!(late.body().contains("somebody else has changed the guideline"));
    let world = json!({
        "label": "World", "meaning": "Politics\nand wars", "good": ["A treaty", "An election"], "bad": [],
        "edgeCases": ["Trade is Business"],
    });
    assert_eq!(
        stored(&review).await,
        json!({ "introduction": "Read to the end.", "labels": [world] })
    );
    for text in ["An election", "Read to the end.", "Trade is Business"] {
        assert!(task.body().contains(text), "{text}");
    }
    let entries = log(&review).await;
    let first = entries.iter().find(|entry| entry["subject"] == "World");
    let first = first.expect("an entry");
    assert_eq!(
        (&first["action"], &first["by"], &first["value"]),
        (&json!("edit-guideline"), &json!("ada"), &json!(version))
    );
}

#[tokio::test]
async fn a_label_of_which_nothing_is_said_any_more_leaves_the_guideline() {
    let review = Review::new();
    let world = json!({ "label": "World", "meaning": HOSTILE });
    let guideline = json!({ "introduction": "All", "labels": [world] });
    review.put("guideline.json", &guideline.to_string()).await;
    let admin = review.sign_in_admin("ada").await;
    let form = admin.get("guideline?label=World").await;
    let version = form.field("version");

    let empty = [("subject", "World"), ("meaning", " "), ("confirmed", "yes")];
    let (done, odd) = (
        edit(&admin, &version, &empty).await,
        admin.get("guideline?label=World").await,
    );

    assert_eq!(form.status(), 200);
    assert_harmless(form.body(), "the form");
    assert_eq!(done.status(), 303, "{done:?}");
    assert_eq!(
        stored(&review).await,
        json!({ "introduction": "All", "labels": [] })
    );
    assert_eq!(odd.status(), 404, "no set has it either");
}

#[tokio::test]
async fn a_guideline_that_cannot_be_read_is_not_edited() {
    let review = Review::new();
    review.put("guideline.json", "{\"labels\": 1}").await;
    let admin = review.sign_in_admin("ada").await;

    let page = admin.get("guideline").await;
    let token = admin.get("overview").await.field("portal:csrf");
    let form = [
        ("portal:csrf", token.as_str()),
        ("subject", ""),
        ("introduction", "x"),
        ("version", ""),
        ("confirmed", "yes"),
    ];
    let refused = admin.post("edit-guideline", &form).await;

    assert!(page.body().contains("line 1, column 12"), "{}", page.body());
    assert_eq!(refused.status(), 400);
    assert_eq!(review.object("guideline.json").await, "{\"labels\": 1}");
}
