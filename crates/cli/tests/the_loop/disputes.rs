//! People who do not agree, up to an adjudicator, through the whole stack.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use active_learning_cli::{demo::reviewer::Reviewer, sign_in};
use active_learning_core::feedback::record_id;
use serde_json::{Value, json};

use crate::{
    harness::{self, exported_labels, until},
    new_models::{BY_HAND, Stack, news},
    predictions::result,
};

const TEXT: &str = "The minister, a keen cyclist, opened the velodrome that a bank had paid for.";

/// Answers the question as one person, as soon as it is put to them.
pub async fn answer(stack: &Stack, person: &str, label: &str) {
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

/// Answers these questions as one person, as soon as they are put to them. Tasks have one text each.
async fn answer_each(stack: &Stack, person: &str, labels: &BTreeMap<String, &str>) {
    let link = sign_in::create_link(&stack.outputs, person).await;
    let mut reviewer = Reviewer::sign_in(&link.expect("a link"))
        .await
        .expect("signed in");
    let answered = Cell::new(0);
    until(async || {
        let choose = |id: &str, _: &str| {
            let label = labels.get(id)?;
            answered.set(answered.get() + 1);
            Some((*label).to_owned())
        };
        while reviewer.answer_next(choose).await.expect("the portal answers") {}
        answered.get() == labels.len()
    })
    .await;
}

/// Answers one question as one person.
async fn answer_about(stack: &Stack, person: &str, id: &str, label: &str) {
    answer_each(stack, person, &BTreeMap::from([(id.to_owned(), label)])).await;
}

/// Corrects what one person has answered.
async fn correct(stack: &Stack, person: &str, human_loop: &str, label: &str) {
    let link = sign_in::create_link(&stack.outputs, person).await;
    let mut reviewer = Reviewer::sign_in(&link.expect("a link"))
        .await
        .expect("signed in");
    let corrected = reviewer.correct(human_loop, |_| Some(label.to_owned())).await;
    assert!(corrected.expect("the portal answers"), "{person}");
}

async fn say(stack: &Stack, fields: Value) -> u16 {
    say_of(stack, TEXT, fields).await
}

async fn say_of(stack: &Stack, text: &str, fields: Value) -> u16 {
    let mut body = json!({"classifier": "news", "sentence": text});
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
    let joined = harness::command(folder.path(), &["adjudicate", &id, "--label", "World|Sports"]).await;
    let decided = harness::command(folder.path(), &["adjudicate", &id, "--label", " business"]).await;
    let again = harness::command(folder.path(), &["adjudicate", &id, "--label", "World"]).await;
    let other = record_id("news", "Nobody was asked about this.");
    let other = harness::command(folder.path(), &["adjudicate", &other, "--label", "World"]).await;
    let contradicted = say(&stack, json!({"label": "Sports", "user": "bea"})).await;
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
        !joined.0 && joined.1.contains("--label 'World' --label 'Sports'") && joined.1.contains("one label"),
        "{}",
        joined.1
    );
    assert!(
        decided.0 && decided.1.contains("Decided: Business"),
        "{}",
        decided.1
    );
    assert!(
        again.0 && again.1.contains("Decided: World"),
        "the newest answer is final: {}",
        again.1
    );
    assert!(!other.0 && other.1.contains("nothing is disputed"), "{}", other.1);
    assert!(left.0 && left.1.trim() == "[]", "{}", left.1);
    let of_text: Vec<&str> = exported
        .1
        .lines()
        .filter(|line| line.contains("velodrome"))
        .collect();
    assert_eq!(of_text.len(), 1, "{}", exported.1);
    assert!(of_text[0].starts_with("World,"), "{}", of_text[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_or_a_merge_settles_is_exported_told_to_its_client_and_disputed_no_more() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let others = [
        ("ComprehendClassificationScoreThreshold", "1"),
        ("TaskCount", "2"),
        ("ItemsPerTask", "1"),
    ];
    let stack = Stack::start(folder.path(), &rows[..24], &[&BY_HAND[..], &others].concat()).await;
    let texts = [TEXT, "A bank bought the club of the striker."];
    let predicted = [stack.classify(texts[0]).await, stack.classify(texts[1]).await];
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    let disputed = async |text: &str| {
        let id = record_id("news", text);
        run(&["disputed"]).await.1.contains(&id)
    };
    let told = async |place: usize| {
        let id = predicted[place]["predictionId"].as_str().expect("an id");
        let (_, _, told) = result(&stack, id, None).await;
        (told["status"].clone(), told["label"].clone())
    };

    for (person, label) in [
        ("ann", "World"),
        ("bob", "Sports"),
        ("cy", "Business"),
        ("dee", "SciTech"),
    ] {
        let labels = texts.map(|text| (record_id("news", text), label));
        answer_each(&stack, person, &BTreeMap::from(labels)).await;
    }
    until(async || disputed(texts[0]).await && disputed(texts[1]).await).await;
    let before = (told(0).await, exported_labels(folder.path()).await);
    say_of(&stack, texts[1], json!({"label": "Sports", "user": "ada"})).await;
    until(async || !disputed(texts[1]).await).await;
    let by_user = told(1).await;
    let merged = run(&["labels", "merge", "Business", "World", "--yes"]).await;
    until(async || !disputed(texts[0]).await).await;
    let by_merge = told(0).await;
    let exported = exported_labels(folder.path()).await;
    stack.stop().await;

    assert_eq!(before, ((json!("disputed"), Value::Null), BTreeMap::new()));
    assert_eq!(by_user, (json!("answered"), json!("Sports")));
    assert!(
        merged.1.contains("1 text waits for an adjudicator no more."),
        "{}",
        merged.1
    );
    assert_eq!(by_merge, (json!("answered"), json!("World")));
    assert_eq!(exported[texts[0]], ["World"]);
    // Two of five hold `World` right by now, and one with a user `Sports`: the user outvotes nobody.
    assert_eq!(exported[texts[1]], ["World"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_only_reviewer_cannot_tell_is_asked_of_somebody_else_and_their_answer_is_exported() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let stack = Stack::start(folder.path(), &rows[..24], &BY_HAND).await;

    let status = say(&stack, json!({"label": "Weather", "user": "ada"})).await;
    answer(&stack, "ann", "__unsure__").await;
    let ann_again = is_asked(&stack, "ann").await;
    answer(&stack, "bob", "World").await;
    let mut lines = Vec::new();
    until(async || {
        lines = exported(folder.path()).await;
        !lines.is_empty()
    })
    .await;
    stack.stop().await;

    assert_eq!(status, 200);
    assert!(!ann_again, "who could not tell is not asked again");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("World,"), "{}", lines[0]);
}

/// Returns the lines of an export that hold the text.
async fn exported(folder: &Path) -> Vec<String> {
    let (done, printed) = harness::command(folder, &["export", "--format", "csv"]).await;
    assert!(done, "{printed}");
    let of_text = printed.lines().filter(|line| line.contains("velodrome"));
    of_text.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_label_that_contradicts_an_answer_is_disputed_and_said_so() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let stack = Stack::start(folder.path(), &rows[..24], &BY_HAND).await;
    say(&stack, json!({})).await;
    answer(&stack, "ann", "World").await;
    until(async || exported(folder.path()).await.len() == 1).await;
    let file = folder.path().join("other.csv");
    std::fs::write(&file, format!("text,label\n\"{TEXT}\",Sports\n")).expect("written");
    let file = file.to_string_lossy().into_owned();
    let import = |end: &'static str| {
        let file = file.clone();
        let folder = folder.path().to_owned();
        async move { harness::command(&folder, &["import", &file, "--classifier", "news", end]).await }
    };

    let preview = import("--preview").await;
    let first = import("--yes").await;
    let again = import("--yes").await;
    let disputed = harness::command(folder.path(), &["disputed"]).await;
    let id = record_id("news", TEXT);
    let decided = harness::command(folder.path(), &["adjudicate", &id, "--label", "Sports"]).await;
    let rows = exported(folder.path()).await;
    stack.stop().await;

    assert!(
        preview.1.contains("1 contradicts what people answered here") && !preview.1.contains("1 trains"),
        "{}",
        preview.1
    );
    assert!(
        first.1.contains("1 text for an adjudicator") && !first.1.contains("trains the next model"),
        "{}",
        first.1
    );
    assert!(
        again
            .1
            .contains("Labels for 0 new texts, beside 1 text with known labels"),
        "{}",
        again.1
    );
    assert!(disputed.1.contains("velodrome"), "{}", disputed.1);
    assert!(decided.0, "{}", decided.1);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].starts_with("Sports,"), "{}", rows[0]);
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
    let corrected = ann.correct(&human_loop, |_| Some("Sports".to_owned())).await;
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

const OTHER: &str = "Forty boats left the harbour at dawn, and the insurers held their breath.";

#[tokio::test(flavor = "multi_thread")]
async fn through_three_rounds_an_adjudicator_corrections_and_a_split_each_text_is_exported_once_and_right() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let initial = &rows[..24];
    let parameters = [&BY_HAND[..], &[("TaskCount", "2"), ("ItemsPerTask", "1")]].concat();
    let stack = Stack::start(folder.path(), initial, &parameters).await;
    let (text, other) = (record_id("news", TEXT), record_id("news", OTHER));
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    let is_exported = async |text: &str, label: &str| {
        let labels = exported_labels(folder.path()).await;
        labels.get(text).is_some_and(|of_text| *of_text == [label])
    };

    // Two reviewers and a user disagree; three rounds; an adjudicator.
    say(&stack, json!({"label": "Weather", "user": "ada"})).await;
    for (person, label) in [
        ("ann", "World"),
        ("bob", "Sports"),
        ("cy", "Business"),
        ("dee", "SciTech"),
    ] {
        answer_about(&stack, person, &text, label).await;
    }
    until(async || run(&["disputed"]).await.1.contains(&text)).await;
    let undecided = exported_labels(folder.path()).await;
    let decided = run(&["adjudicate", &text, "--label", "Sports"]).await;
    until(async || is_exported(TEXT, "Sports").await).await;

    // Two agree, and both correct themselves after consolidation.
    say_of(&stack, OTHER, json!({"user": "ada"})).await;
    answer_about(&stack, "ann", &other, "World").await;
    answer_about(&stack, "bob", &other, "World").await;
    until(async || is_exported(OTHER, "World").await).await;
    let labelled = harness::json_objects(&stack.s3, stack.bucket(), "labelled/", ".jsonl").await;
    let of_other = labelled
        .iter()
        .find(|line| line["record"]["id"] == other.as_str());
    let human_loop = of_other.expect("labelled")["humanLoop"]
        .as_str()
        .expect("a name")
        .to_owned();
    correct(&stack, "ann", &human_loop, "Sports").await;
    until(async || run(&["disputed"]).await.1.contains(&other)).await;
    let of_two_minds = exported_labels(folder.path()).await;
    correct(&stack, "bob", &human_loop, "Sports").await;
    until(async || is_exported(OTHER, "Sports").await).await;
    let settled = run(&["disputed", "--json"]).await;

    // Their label is split, and everybody is asked again whom it concerns.
    let sports: BTreeSet<&str> = initial
        .iter()
        .filter(|(label, _)| label == "Sports")
        .map(|(_, text)| text.as_str())
        .collect();
    let split = run(&["labels", "split", "Sports", "Ball games", "Racing", "--yes"]).await;
    let mut right: BTreeMap<String, &str> = BTreeMap::new();
    for sport in &sports {
        right.insert(record_id("news", sport), "Ball games");
    }
    right.extend([(text, "Racing"), (other, "Racing")]);
    // Not ann: she called one of them World, and that stands.
    for person in ["eve", "bob"] {
        answer_each(&stack, person, &right).await;
    }
    until(async || {
        let labels = exported_labels(folder.path()).await;
        let is = |text: &str, label: &str| labels.get(text).is_some_and(|labels| labels[..] == [label]);
        is(TEXT, "Racing") && is(OTHER, "Racing") && sports.iter().all(|sport| is(sport, "Ball games"))
    })
    .await;
    let labels = exported_labels(folder.path()).await;
    let left = run(&["disputed", "--json"]).await;
    stack.stop().await;

    assert!(!undecided.contains_key(TEXT), "a disputed text has no label");
    assert!(
        decided.0 && decided.1.contains("Decided: Sports"),
        "{}",
        decided.1
    );
    assert!(!of_two_minds.contains_key(OTHER), "{of_two_minds:?}");
    assert_eq!((settled.1.trim(), left.1.trim()), ("[]", "[]"));
    let again = format!("{} texts will be asked again", sports.len() + 2);
    assert!(split.0 && split.1.contains(&again), "{}", split.1);
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for sport in &sports {
        expected.insert((*sport).to_owned(), vec!["Ball games".to_owned()]);
    }
    for text in [TEXT, OTHER] {
        expected.insert(text.to_owned(), vec!["Racing".to_owned()]);
    }
    assert_eq!(labels, expected);
}
