//! Changes of the label set, by command, through the whole stack.

use std::collections::BTreeMap;

use active_learning_cli::{demo::reviewer::Reviewer, sign_in};
use active_learning_core::feedback::record_id;
use serde_json::Value;

use crate::{
    harness::{self, until},
    new_models::{BY_HAND, EASY_TO_WIN, Stack, news, put_labels},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_split_class_is_asked_again_and_the_export_holds_each_text_once_with_the_right_label() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let threshold = [("ComprehendClassificationScoreThreshold", "1")];
    let parameters = [&BY_HAND[..], &threshold].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    stack.review(&rows[24..36], |label, _| label.to_owned()).await;
    let of_sports = |rows: &[(String, String)]| rows.iter().filter(|(label, _)| label == "Sports").count();
    let (initial, answered) = (of_sports(&rows[..24]), of_sports(&rows[24..36]));
    let split = ["labels", "split", "sports ", "Ball games", "Racing", "--yes"];

    let (done, printed) = harness::command(folder.path(), &split).await;
    let (again, refused) = harness::command(folder.path(), &split).await;
    answer_all(&stack, &rows[..36]).await;
    let mut exported = String::new();
    until(async || {
        let (done, printed) = harness::command(folder.path(), &["export", "--format", "csv"]).await;
        assert!(done, "{printed}");
        exported = printed;
        exported.contains(&format!("{} rows", 12 + initial))
    })
    .await;

    stack.running.stop().await;
    assert!(done, "{printed}");
    let number = initial + answered;
    assert!(
        printed.contains(&format!("{number} texts will be asked again")),
        "{printed}"
    );
    assert!(
        !again && refused.contains("the label `Sports` is not in use any more: it was split into"),
        "{refused}"
    );
    let texts = exported
        .lines()
        .filter_map(|line| line.split_once(','))
        .map(|(_, text)| text);
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    texts.for_each(|text| *times.entry(text).or_default() += 1);
    assert!(times.values().all(|times| *times == 1), "{exported}");
    let counted = |label: &str| exported.lines().filter(|line| line.starts_with(label)).count();
    assert_eq!(
        (counted("Racing,"), counted("Sports,")),
        (number, 0),
        "{exported}"
    );
}

/// Answers everything that is asked: what was `Sports` is `Racing` now.
async fn answer_all(stack: &Stack, rows: &[(String, String)]) {
    let labels: BTreeMap<String, &str> = rows
        .iter()
        .map(|(label, text)| (record_id("news", text), label.as_str()))
        .collect();
    let wanted = rows.iter().filter(|(label, _)| label == "Sports").count();
    let link = sign_in::create_link(&stack.outputs, "test")
        .await
        .expect("a link");
    let mut reviewer = Reviewer::sign_in(&link).await.expect("signed in");
    let answered = std::cell::Cell::new(0);
    until(async || {
        let answer = |id: &str, _: &str| {
            answered.set(answered.get() + 1);
            Some(match *labels.get(id)? {
                "Sports" => "Racing".to_owned(),
                label => label.to_owned(),
            })
        };
        while reviewer.answer_next(answer).await.expect("the portal answers") {}
        answered.get() >= wanted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renamed_merged_and_retired_labels_are_told_mapped_and_no_longer_asked_of_a_model() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let parameters = [&BY_HAND[..], &EASY_TO_WIN].concat();
    let stack = Stack::start(folder.path(), &rows[..48], &parameters).await;
    put_labels(&stack.s3, stack.bucket(), "review-1", &rows[48..144]).await;
    let answered = |label: &str| rows[48..144].iter().filter(|(of, _)| of == label).count();
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;

    let (untouched, planned) = run(&["labels", "rename", "sports", "Sport|Games", "--json"]).await;
    let renamed = run(&["labels", "rename", "sports", "Sport|Games", "--yes"]).await;
    let merged = run(&["labels", "merge", "Business", "World", "--yes"]).await;
    let retired = run(&["labels", "retire", "SciTech", "--yes"]).await;
    let status = run(&["status"]).await;
    let versions = run(&["versions"]).await;
    let exported = run(&["export", "--format", "csv"]).await;
    let built = run(&["build"]).await;
    let after = run(&["versions"]).await;
    let listed = run(&["labels", "list", "--json"]).await;
    let built_again = run(&["build", "--json"]).await;
    let link = run(&["sign-in-link", "--json"]).await;
    stack.stop().await;

    // The progress of a build follows, from standard error.
    let json = |text: &str| {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        values.next().expect("a document").expect("JSON")
    };
    assert!(!untouched && json(&planned)["version"].is_null(), "{planned}");
    assert_eq!(
        json(&listed.1)["labels"][1]["name"],
        "Sport|Games",
        "{}",
        listed.1
    );
    assert_eq!(
        json(&built_again.1)["record"]["outcome"],
        "nothing-new",
        "{}",
        built_again.1
    );
    assert_eq!(json(&link.1)["role"], "reviewer", "{}", link.1);

    for (done, printed) in [&renamed, &merged, &retired, &versions, &exported, &built] {
        assert!(done, "{printed}");
    }
    assert!(
        renamed.1.contains(&format!("{} answers", answered("Sports"))),
        "{}",
        renamed.1
    );
    assert!(
        merged.1.contains(&format!("{} answers", answered("Business"))),
        "{}",
        merged.1
    );
    assert!(
        retired.1.contains(&format!("{} answers", answered("SciTech"))),
        "{}",
        retired.1
    );
    for said in [&status.1, &versions.1] {
        for difference in [
            "called otherwise now: Sports (now Sport|Games)",
            "merged into others since: Business (now World)",
            "retired since (what it predicts so goes to people): SciTech",
        ] {
            assert!(said.contains(difference), "{difference}: {said}");
        }
    }
    let of = |label: &str| exported.1.lines().filter(|line| line.starts_with(label)).count();
    assert!(of("Sport|Games,") >= answered("Sports"), "{}", exported.1);
    assert_eq!(
        (of("Sports,"), of("Business,"), of("SciTech,")),
        (0, 0, 0),
        "{}",
        exported.1
    );
    assert!(
        built.1.contains("may be missing: retired or split since"),
        "{}",
        built.1
    );
    assert!(
        !after.1.contains("classes of the serving model that"),
        "{}",
        after.1
    );
}
