//! Proposals of files that become labels after reviewers have answered, by command, through the whole stack.

use std::{cell::RefCell, path::Path};

use active_learning_cli::{demo::reviewer::Reviewer, sign_in};
use active_learning_core::{feedback::record_id, labels::human_loop::NONE_FITS};
use human_review::session::Role;
use serde_json::json;

use crate::{
    console::Operator,
    disputes::answer,
    harness::{self, exported_labels, until},
    new_models::{BY_HAND, Stack, news},
};

const CONTRADICTED: &str = "The harbour was closed for the storm, and the insurers waited.";
const ALONE: &str = "Rain is expected in the whole north until Friday night.";

/// Writes a file that says `Weather` of each of these texts; returns its path.
fn file_of(folder: &Path, texts: &[&str]) -> String {
    let rows = texts.iter().map(|text| format!("\"{text}\",Weather\n"));
    let file = folder.join("weather.csv");
    std::fs::write(&file, format!("text,label\n{}", rows.collect::<String>())).expect("written");
    file.to_string_lossy().into_owned()
}

/// Imports these texts, each as a proposal of `Weather`.
async fn import(folder: &Path, texts: &[&str]) {
    let file = file_of(folder, texts);
    let command = ["import", &file, "--classifier", "news", "--yes"];
    let (done, printed) = harness::command(folder, &command).await;
    assert!(done, "{printed}");
}

async fn reviewer(stack: &Stack, person: &str) -> Reviewer {
    let link = sign_in::create_link(&stack.outputs, person)
        .await
        .expect("a link");
    Reviewer::sign_in(&link).await.expect("signed in")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_proposal_keeps_the_reviewer_s_row_and_asks_one_more_reviewer_as_the_command_said_before()
{
    let folder = tempfile::tempdir().expect("temporary folder");
    let parameters = [&BY_HAND[..], &[("ItemsPerTask", "1")]].concat();
    let stack = Stack::start(folder.path(), &news()[..24], &parameters).await;
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    let is_exported = async |text: &str, label: &str| {
        let labels = exported_labels(folder.path()).await;
        labels.get(text).is_some_and(|of_text| *of_text == [label])
    };
    import(folder.path(), &[CONTRADICTED]).await;
    answer(&stack, "ann", "World").await;
    until(async || is_exported(CONTRADICTED, "World").await).await;
    import(folder.path(), &[CONTRADICTED, ALONE]).await;

    let synonym = run(&["labels", "synonym", "Business", "weather", "--json"]).await;
    let plan = run(&["labels", "accept", "weather", "--json"]).await;
    let slip = run(&["labels", "refuse", "wether", "--yes"]).await;
    assert!(
        !slip.0
            && slip
                .1
                .contains("nobody proposed `wether`; proposed are `Weather`"),
        "{}",
        slip.1
    );
    let split = run(&["labels", "split", "Sports", "Weather", "Racing", "--json"]).await;
    let accepted = run(&["labels", "accept", "weather", "--yes"]).await;
    let human_loop = {
        let mut asked = Vec::new();
        until(async || {
            let feedback = stack.outputs.output("FeedbackS3Bucket");
            asked = harness::json_objects(&stack.s3, feedback, "asked/", ".json").await;
            asked.retain(|input| input["comprehendPredictions"][0]["utterance"] == json!(CONTRADICTED));
            !asked.is_empty()
        })
        .await;
        asked.remove(0)
    };
    let meanwhile = exported_labels(folder.path()).await;
    // Ann is offered the other text, which nobody has answered, and not this one.
    let offered = RefCell::new(Vec::new());
    let mut ann = reviewer(&stack, "ann").await;
    let choose = |id: &str, _: &str| {
        offered.borrow_mut().push(id.to_owned());
        Some("Weather".to_owned())
    };
    while ann.answer_next(choose).await.expect("the portal answers") {}
    answer(&stack, "bob", "Weather").await;
    until(async || is_exported(CONTRADICTED, "Weather").await).await;
    let disputed = run(&["disputed", "--json"]).await;
    stack.stop().await;

    let votes =
        |gained: &str| format!("By this 2 texts have a vote for it: {gained} new, 0 rows get another label.");
    let contradicted = "In 1 text votes contradict one another then, and one more reviewer is asked";
    for (done, text) in [&synonym, &plan] {
        assert!(!done && text.contains(&votes("1 row is")), "{text}");
        assert!(
            text.contains(contradicted) && text.contains("\"contradicted\": 1"),
            "{text}"
        );
        assert!(
            text.contains("\"version\": null"),
            "nothing is changed before: {text}"
        );
    }
    let of_part = "By this 2 texts have a vote for a part of it: 1 row is new, 0 rows get another label.";
    assert!(
        split.1.contains(of_part) && split.1.contains(contradicted),
        "{}",
        split.1
    );
    assert!(
        accepted.0 && accepted.1.contains("Contradicted: 1 text."),
        "{}",
        accepted.1
    );
    assert_eq!(human_loop["taskCount"], 1);
    assert_eq!(
        meanwhile[CONTRADICTED],
        ["World"],
        "the reviewer's word counts meanwhile"
    );
    assert_eq!(meanwhile[ALONE], ["Weather"]);
    assert!(
        !offered.borrow().contains(&record_id("news", CONTRADICTED)),
        "who has answered is not asked again"
    );
    assert_eq!(disputed.1.trim(), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_counts_as_the_command_does_and_changes_no_other_set_than_it_has_counted() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let parameters = [&BY_HAND[..], &[("ItemsPerTask", "1")]].concat();
    let stack = Stack::start(folder.path(), &news()[..24], &parameters).await;
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    import(folder.path(), &[CONTRADICTED]).await;
    answer(&stack, "ann", "World").await;
    until(async || exported_labels(folder.path()).await.contains_key(CONTRADICTED)).await;
    import(folder.path(), &[CONTRADICTED, ALONE]).await;
    let ada = Operator::sign_in_as(&stack, "ada", Role::Admin).await;
    let change = [("subject", "Weather"), ("value", "Business")];
    let version_of = |page: &str| {
        let (_, after) = page.split_once("name=\"version\" value=\"").expect("a version");
        after.split('"').next().expect("a number").to_owned()
    };
    let confirmed = async |page: &str| {
        let version = version_of(page);
        let yes = [("version", version.as_str()), ("confirmed", "yes")];
        ada.send("merge-label", &[&change[..], &yes].concat()).await
    };

    let (_, said) = run(&["labels", "synonym", "Business", "Weather", "--json"]).await;
    let (_, before) = ada.send("merge-label", &change).await;
    let other = run(&["labels", "add", "Rain", "--yes"]).await;
    let refused = confirmed(&before).await;
    let (_, again) = ada.send("merge-label", &change).await;
    let done = confirmed(&again).await;
    stack.stop().await;

    for counted in [
        "By this 2 texts have a vote for it: 1 row is new, 0 rows get another label.",
        "In 1 text votes contradict one another then, and one more reviewer is asked",
    ] {
        assert!(said.contains(counted), "{said}");
        for page in [&before, &again] {
            assert!(page.contains(counted), "{page}");
            assert!(!page.contains("was not counted"), "{page}");
        }
    }
    assert!(other.0, "{}", other.1);
    assert_eq!(refused.0, 400);
    assert!(
        refused.1.contains("somebody else has changed the label set"),
        "{}",
        refused.1
    );
    assert_eq!(done.0, 303, "{}", done.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_adds_labels_says_before_where_votes_contradict_and_asks_one_more_reviewer() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let parameters = [&BY_HAND[..], &[("ItemsPerTask", "1")]].concat();
    let stack = Stack::start(folder.path(), &news()[..24], &parameters).await;
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    import(folder.path(), &[CONTRADICTED]).await;
    answer(&stack, "ann", "World").await;
    until(async || {
        let labels = exported_labels(folder.path()).await;
        labels
            .get(CONTRADICTED)
            .is_some_and(|of_text| *of_text == ["World"])
    })
    .await;
    let file = file_of(folder.path(), &[ALONE]);
    let import = ["import", &file, "--classifier", "news", "--add-labels"];

    let preview = run(&[&import[..], &["--json"]].concat()).await;
    let proposed = run(&["import", &file, "--classifier", "news", "--json"]).await;
    let imported = run(&[&import[..], &["--yes"]].concat()).await;
    until(async || {
        let feedback = stack.outputs.output("FeedbackS3Bucket");
        let mut asked = harness::json_objects(&stack.s3, feedback, "asked/", ".json").await;
        asked.retain(|input| input["comprehendPredictions"][0]["utterance"] == json!(CONTRADICTED));
        asked.iter().any(|input| input["taskCount"] == 1)
    })
    .await;
    let disputed = run(&["disputed"]).await;
    stack.stop().await;

    assert!(preview.1.contains("\"contradicted\": 1"), "{}", preview.1);
    assert!(proposed.1.contains("\"contradicted\": null"), "{}", proposed.1);
    assert!(imported.0, "{}", imported.1);
    for said in [
        "By this 1 text has a vote for it",
        "In 1 text votes contradict one another then, and one more reviewer is asked",
    ] {
        assert!(imported.1.contains(said), "{said}: {}", imported.1);
    }
    assert!(
        disputed
            .1
            .contains("for one more opinion, of somebody who has not answered."),
        "{}",
        disputed.1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_adds_labels_asks_texts_again_that_no_label_fitted_as_it_said_before() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let parameters = [&BY_HAND[..], &[("ItemsPerTask", "1")]].concat();
    let stack = Stack::start(folder.path(), &news()[..24], &parameters).await;
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    import(folder.path(), &[CONTRADICTED]).await;
    answer(&stack, "ann", NONE_FITS).await;
    let file = file_of(folder.path(), &[ALONE]);
    let import = ["import", &file, "--classifier", "news", "--add-labels"];

    let mut preview = String::new();
    until(async || {
        preview = run(&[&import[..], &["--json"]].concat()).await.1;
        preview.contains("\"askedAgain\": 1")
    })
    .await;
    let imported = run(&[&import[..], &["--yes"]].concat()).await;
    until(async || {
        let feedback = stack.outputs.output("FeedbackS3Bucket");
        let asked = harness::json_objects(&stack.s3, feedback, "asked/", ".json").await;
        let items = asked.iter().map(|input| &input["comprehendPredictions"][0]);
        let mut signals = items.filter(|item| item["utterance"] == CONTRADICTED);
        signals.any(|item| item["signal"] == "relabel")
    })
    .await;
    stack.stop().await;

    assert!(
        preview.contains("\"contradicted\": 0"),
        "who is asked again is not asked for one more opinion: {preview}"
    );
    assert!(imported.0, "{}", imported.1);
    for said in [
        "Of the texts that no label fitted 1 text will be asked again, the most doubtful first.",
        "Asked again: 1 text.",
    ] {
        assert!(imported.1.contains(said), "{said}: {}", imported.1);
    }
}
