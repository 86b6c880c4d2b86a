//! People who do not agree, up to an adjudicator, through the whole stack.

use active_learning_cli::{demo::reviewer::Reviewer, sign_in};
use active_learning_core::feedback::record_id;
use serde_json::{Value, json};

use crate::{
    harness::{self, until},
    new_models::{BY_HAND, Stack, news},
};

const TEXT: &str = "The minister, a keen cyclist, opened the velodrome that a bank had paid for.";

/// Answers the question as one person, as soon as it is put to them.
async fn answer(stack: &Stack, person: &str, label: &str) {
    let link = sign_in::create_link(&stack.outputs, person).await;
    let mut reviewer = Reviewer::sign_in(&link.expect("a link"))
        .await
        .expect("signed in");
    until(async || {
        let choose = |_: &str, _: &str| Some(label.to_owned());
        reviewer.answer_next(choose).await.expect("the portal answers")
    })
    .await;
}

/// Tries to answer as one person; returns whether anything was put to them.
async fn is_asked(stack: &Stack, person: &str) -> bool {
    let link = sign_in::create_link(&stack.outputs, person).await;
    let mut reviewer = Reviewer::sign_in(&link.expect("a link"))
        .await
        .expect("signed in");
    let choose = |_: &str, _: &str| Some("World".to_owned());
    reviewer.answer_next(choose).await.expect("the portal answers")
}

async fn say(stack: &Stack, fields: Value) -> u16 {
    let mut body = json!({"classifier": "news", "sentence": TEXT});
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    let key = &stack.running.plan.api_keys[0].value;
    harness::post(stack.outputs.output("FeedbackAPIGatewayID"), key, &body)
        .await
        .0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_reviewers_a_user_and_two_more_do_not_agree_on_an_adjudicator_decides_for_good() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = [&BY_HAND[..], &[("TaskCount", "2")]].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let id = record_id("news", TEXT);

    let status = say(&stack, json!({"label": "Weather", "user": "ada"})).await;
    answer(&stack, "ann", "World").await;
    answer(&stack, "bob", "Sports").await;
    answer(&stack, "cy", "Business").await;
    let ann_again = is_asked(&stack, "ann").await;
    answer(&stack, "dee", "SciTech").await;
    let mut shown = String::new();
    until(async || {
        shown = harness::command(folder.path(), &["disputed"]).await.1;
        shown.contains(&id)
    })
    .await;
    let unknown = harness::command(folder.path(), &["adjudicate", &id, "--label", "Weather"]).await;
    let decided = harness::command(folder.path(), &["adjudicate", &id, "--label", " business"]).await;
    let again = harness::command(folder.path(), &["adjudicate", &id, "--label", "World"]).await;
    let contradicted = say(&stack, json!({"label": "World", "user": "bea"})).await;
    let left = harness::command(folder.path(), &["disputed", "--json"]).await;
    let exported = harness::command(folder.path(), &["export", "--format", "csv"]).await;
    stack.stop().await;

    assert_eq!((status, contradicted), (200, 200));
    assert!(!ann_again, "nobody who has answered is asked again");
    for said in [
        "user:ada",
        "Weather",
        "World",
        "Sports",
        "Business",
        "SciTech",
        "velodrome",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(
        !unknown.0 && unknown.1.contains("no label of the label set"),
        "{}",
        unknown.1
    );
    assert!(
        decided.0 && decided.1.contains("Decided: Business"),
        "{}",
        decided.1
    );
    assert!(!again.0 && again.1.contains("nothing is disputed"), "{}", again.1);
    assert!(left.0 && left.1.trim() == "[]", "{}", left.1);
    let of_text: Vec<&str> = exported
        .1
        .lines()
        .filter(|line| line.contains("velodrome"))
        .collect();
    assert_eq!(of_text.len(), 1, "{}", exported.1);
    assert!(of_text[0].starts_with("Business,"), "{}", of_text[0]);
}

/// Returns the lines of an export that hold the text.
async fn exported(folder: &std::path::Path) -> Vec<String> {
    let (done, printed) = harness::command(folder, &["export", "--format", "csv"]).await;
    assert!(done, "{printed}");
    let of_text = printed.lines().filter(|line| line.contains("velodrome"));
    of_text.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_after_consolidation_is_what_the_export_holds_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::start(folder.path(), &news()[..24], &BY_HAND).await;
    say(&stack, json!({"user": "ada"})).await;
    answer(&stack, "ann", "World").await;
    until(async || {
        exported(folder.path())
            .await
            .iter()
            .any(|line| line.starts_with("World,"))
    })
    .await;
    let labelled = stack
        .s3
        .list_objects_v2()
        .bucket(stack.bucket())
        .prefix("labelled/review-");
    let labelled = labelled.send().await.expect("a list");
    let key = labelled.contents()[0].key().expect("a key").to_owned();
    let human_loop = key["labelled/".len()..key.len() - ".jsonl".len()].to_owned();

    let link = sign_in::create_link(&stack.outputs, "ann").await.expect("a link");
    let mut ann = Reviewer::sign_in(&link).await.expect("signed in");
    let corrected = ann.correct(&human_loop, |_, _| Some("Sports".to_owned())).await;
    let mut lines = Vec::new();
    until(async || {
        lines = exported(folder.path()).await;
        lines.iter().any(|line| line.starts_with("Sports,"))
    })
    .await;
    stack.stop().await;

    assert!(corrected.expect("the portal answers"));
    assert_eq!(lines.len(), 1, "{lines:?}");
}
