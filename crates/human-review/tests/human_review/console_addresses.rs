//! What holds at every address of the console, and of the portal, by the lists of the code: a new one is among them.

use active_learning_core::labels::human_loop::NONE_FITS;
use human_review::console::{confirmed_actions, page_addresses, searches};
use serde_json::{Value, json};

use crate::console::{log, put};
use crate::console_pages::dispute;
use crate::harness::{BUCKET, FEEDBACK_BUCKET, Review, TRAINING_BUCKET, config, two_items};
use crate::teams::add_teams;

#[tokio::test]
async fn a_reviewer_gets_403_on_every_page_and_action_and_an_anonymous_visitor_sees_nothing() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;
    let ann = review.sign_in("ann").await;
    let token = ann.get("queue").await.field("portal:csrf");
    let before = review.object("human-review/loops/tc-1.json").await;

    for page in page_addresses() {
        for address in [page.clone(), format!("{page}.json")] {
            let refused = ann.get(&address).await;
            assert_eq!(
                (refused.status(), refused.code()),
                (403, "admins_only"),
                "{address}"
            );
            let anonymous = review.portal("GET", &address, None, &[]).await;
            assert_eq!(
                (anonymous.status(), anonymous.code()),
                (401, "sign_in_required"),
                "{address}"
            );
        }
    }
    for action in confirmed_actions().chain(searches()) {
        let form = [
            ("portal:csrf", token.as_str()),
            ("subject", "tc-1"),
            ("value", "admin"),
            ("confirmed", "yes"),
        ];
        let refused = ann.post(action, &form).await;
        assert_eq!(
            (refused.status(), refused.code()),
            (403, "admins_only"),
            "{action}"
        );
        let anonymous = review.portal("POST", action, None, &form).await;
        assert_eq!(anonymous.status(), 401, "{action}");
    }

    assert_eq!(review.object("human-review/loops/tc-1.json").await, before);
    assert!(log(&review).await.is_empty());
    assert!(!ann.get("queue").await.body().contains("id=\"console\""));
}

#[tokio::test]
async fn pages_and_forms_of_reviewers_are_shut_to_an_anonymous_visitor() {
    let review = Review::new();
    review.start("tc-1", &two_items()).await;

    for page in [
        "",
        "queue",
        "next",
        "task?loop=tc-1",
        "session",
        "history",
        "guide",
        "queue.json",
    ] {
        let refused = review.portal("GET", page, None, &[]).await;
        assert_eq!(
            (refused.status(), refused.code()),
            (401, "sign_in_required"),
            "{page}"
        );
    }
    for form in ["submit", "release", "renew", "give-back", "sign-out"] {
        let refused = review
            .portal("POST", form, None, &[("portal:loop", "tc-1")])
            .await;
        assert_eq!(refused.status(), 401, "{form}");
    }
}

/// Returns what an action may be done to, and the choice that goes with it.
fn example(action: &str, record: &str) -> (String, &'static str) {
    let (subject, value) = match action {
        "release-task" | "stop-task" => ("tc-1", ""),
        "invite" => ("zoe", "reviewer"),
        "pause-reviewer" | "resume-reviewer" | "revoke-sessions" => ("ann", ""),
        "end-session" => ("ann", "0123456789abcdef0123456789abcdef"),
        "set-role" => ("ann", "admin"),
        "join-team" | "leave-team" => ("ann", "mail"),
        "adjudicate" => (record, "Sports"),
        "adjudicate-none-fits" => (record, ""),
        "accept-label" | "refuse-label" => ("Football", ""),
        "merge-label" => ("Football", "Sports"),
        "remove-synonym" => ("Sports", "Football"),
        "label-up" | "edit-guideline" => ("Sports", ""),
        "approve-build" => ("b-1", ""),
        "reject-build" => ("b-1", "not now"),
        "roll-back" => ("the model before", ""),
        "send-again" => ("aws/lambda/async/f/one", ""),
        "start-audit" => ("spring", "s3://my-audits"),
        new => panic!("say here what {new} may be done to"),
    };
    (subject.to_owned(), value)
}

/// Returns the keys and ETags of all objects.
async fn all_objects(review: &Review) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    for bucket in [BUCKET, TRAINING_BUCKET, FEEDBACK_BUCKET] {
        let page = review
            .s3
            .list_objects_v2()
            .bucket(bucket)
            .send()
            .await
            .expect("a list");
        let objects = page.contents().iter();
        all.extend(objects.map(|object| {
            let key = object.key().expect("a key");
            (format!("{bucket}/{key}"), object.e_tag().map(str::to_owned))
        }));
    }
    all
}

#[tokio::test]
async fn no_action_changes_anything_before_it_is_confirmed() {
    let review = Review::new();
    add_teams(&review).await;
    review.start("tc-1", &two_items()).await;
    let record = dispute(&review, "Cup final tonight").await;
    let tally = json!({ "labels": 1, "proposed": { "Football": 3 } });
    put(&review, TRAINING_BUCKET, "builds/tally.json", &tally).await;
    let failed = "aws/lambda/async/f/one";
    put(&review, FEEDBACK_BUCKET, failed, &json!({})).await;
    let (ann, admin) = (review.sign_in("ann").await, review.sign_in_admin("ada").await);
    ann.open("tc-1").await;
    let token = admin.get("overview").await.field("portal:csrf");
    let before = all_objects(&review).await;

    for action in confirmed_actions() {
        let (subject, value) = example(action, &record);
        let form = [
            ("portal:csrf", token.as_str()),
            ("subject", subject.as_str()),
            ("value", value),
            ("version", ""),
            ("role", "arn:aws:iam::123456789012:role/audits"),
        ];
        let asked = admin.post(action, &form).await;

        assert_eq!(asked.status(), 200, "{action}: {}", asked.body());
        assert_eq!(asked.field("confirmed"), "yes", "{action}");
        assert_eq!(all_objects(&review).await, before, "{action}");
    }
    assert!(log(&review).await.is_empty());
}

/// Returns the form of an answer, a skip, or another thing that is done to a task.
fn form<'a>(token: &'a str, name: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut form = vec![("portal:csrf", token), ("portal:loop", name)];
    form.extend_from_slice(more);
    form
}

#[tokio::test]
async fn nothing_that_a_reviewer_gets_names_another() {
    let mut settings = config();
    settings.task_count = 2;
    let review = Review::with(settings);
    for name in ["tc-1", "tc-2", "tc-3"] {
        review.start(name, &two_items()).await;
    }
    let (bea, cyd) = (review.sign_in("beatrix-q").await, review.sign_in("cyd-q").await);
    let admin = review.sign_in_admin("adalbert-q").await;
    let token = admin.get("guideline").await.field("portal:csrf");
    let guided = [
        ("portal:csrf", token.as_str()),
        ("subject", ""),
        ("version", ""),
        ("introduction", "Read to the end."),
        ("confirmed", "yes"),
    ];
    assert_eq!(admin.post("edit-guideline", &guided).await.status(), 303);
    // Both hold the first, which is full then; one answers the second, and skips the third.
    bea.open("tc-1").await;
    cyd.open("tc-1").await;
    let opened = bea.open("tc-2").await;
    let answer = json!({ "r-2": "World", "r-10": NONE_FITS, "comment:r-2": "a peculiar text" });
    assert_eq!(bea.submit(&opened, &answer).await.status(), 303);
    let opened = bea.open("tc-3").await;
    let token = opened.field("portal:csrf");
    let skipped = bea
        .post("release", &form(&token, "tc-3", &[("portal:reason", "no time")]))
        .await;
    assert_eq!(skipped.status(), 303);
    let agreement = json!({ "records": 1, "answers": 2, "percentAgreement": 1.0, "alpha": null });
    let own = json!({ "answers": 2, "unsure": 0, "compared": 1, "agreement": 1.0, "medianSeconds": 1.5 });
    let ids = ["beatrix-q", "cyd-q", "ann-q"].map(human_review::worker_id);
    let reviewers: Value = ids.iter().map(|id| (id.clone(), own.clone())).collect();
    let report = json!({ "overall": agreement, "byLabel": {}, "reviewers": reviewers });
    put(
        &review,
        TRAINING_BUCKET,
        "datasets/newest.json",
        &json!({ "version": "d-1" }),
    )
    .await;
    put(&review, TRAINING_BUCKET, "datasets/d-1/agreement.json", &report).await;

    let ann = review.sign_in("ann-q").await;
    let mut got = Vec::new();
    for page in [
        "queue",
        "queue.json",
        "task?loop=tc-1",
        "task?loop=tc-2",
        "task?loop=tc-3",
        "task?loop=tc-2&correct=yes",
        "session",
        "guide",
        "guide.json",
    ] {
        got.push((page, ann.get(page).await));
    }
    let opened = ann.open("tc-2").await;
    got.push((
        "submit",
        ann.submit_by_script(&opened, &json!({ "r-2": "World", "r-10": "World" }))
            .await,
    ));
    for page in ["history", "history.json", "next"] {
        got.push((page, ann.get(page).await));
    }
    let token = opened.field("portal:csrf");
    got.push(("renew", ann.post("renew", &form(&token, "tc-1", &[])).await));

    assert_eq!(got[2].1.code(), "task_held", "{:?}", got[2].1);
    for (page, reply) in &got {
        for other in [
            "beatrix-q",
            "cyd-q",
            "adalbert-q",
            ids[0].as_str(),
            ids[1].as_str(),
            "no time",
            "peculiar",
        ] {
            assert!(
                !reply.0.to_string().contains(other),
                "{other} on {page}: {reply:?}"
            );
        }
    }
}
