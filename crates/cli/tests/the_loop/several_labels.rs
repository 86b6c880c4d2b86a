//! Texts with several labels through the whole stack, where only the training file has them.

use std::collections::BTreeMap;

use model_building::Outcome;
use serde_json::{Value, json};

use crate::{
    disputes::answer,
    harness::{self, exported_labels, until},
    new_models::{BY_HAND, EASY_TO_WIN, Stack, news},
};

const TEXT: &str = "Fog over the harbour kept the ministers on their ship until noon.";

/// Rows of which each label has some with a second one, and some without.
fn rows() -> Vec<(String, String)> {
    let rows = news().into_iter().take(24).zip(0..);
    rows.map(|((label, text), place)| match place / 4 % 2 {
        0 => (format!("{label}|Press"), text),
        _ => (label, text),
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_several_labels_lets_people_give_several_and_of_these_the_new_one_is_accepted() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let parameters = [&BY_HAND[..], &[("ItemsPerTask", "1")]].concat();
    let stack = Stack::start_with_own(folder.path(), &rows(), &parameters).await;
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    let proposed = async || {
        let (done, text) = run(&["labels", "proposed", "--json"]).await;
        assert!(done, "{text}");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let body = json!({"classifier": "news", "sentence": TEXT, "label": "Weather|World", "user": "ada"});
    let key = &stack.running.plan.api_keys[0].value;
    let (status, said) = harness::post(stack.outputs.output("FeedbackAPIGatewayID"), key, &body).await;

    answer(&stack, "ann", "World|Weather").await;
    let weather = json!([{"name": "Weather", "votes": 2}]);
    until(async || proposed().await == weather).await;
    let joined = run(&["labels", "accept", "Weather|World", "--yes"]).await;
    let accepted = run(&["labels", "accept", "weather", "--yes"]).await;
    let exported = exported_labels(folder.path()).await;
    let left = proposed().await;
    stack.stop().await;

    assert_eq!(status, 200, "{said}");
    assert!(
        !joined.0 && joined.1.contains("make `Weather` one"),
        "{}",
        joined.1
    );
    assert!(
        accepted.0 && accepted.1.contains("1 row is new"),
        "{}",
        accepted.1
    );
    assert_eq!(
        exported.get(TEXT).map(Vec::as_slice),
        Some(&["Weather|World".to_owned()][..])
    );
    assert_eq!(left, json!([]));
}

const VELODROME: &str = "The minister, a keen cyclist, opened the velodrome that a bank had paid for.";

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_who_differ_in_one_of_two_labels_are_joined_by_a_third_label_by_label() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let several = [
        ("ReviewSeveralLabels", "true"),
        ("TaskCount", "2"),
        ("ItemsPerTask", "1"),
    ];
    let parameters = [&BY_HAND[..], &several].concat();
    let stack = Stack::start(folder.path(), &news()[..24], &parameters).await;
    let body = json!({"classifier": "news", "sentence": VELODROME, "user": "ada"});
    let key = &stack.running.plan.api_keys[0].value;
    let (status, said) = harness::post(stack.outputs.output("FeedbackAPIGatewayID"), key, &body).await;

    answer(&stack, "ann", "World|Business").await;
    answer(&stack, "bob", "World").await;
    answer(&stack, "cy", "Sports|Business").await;
    let mut exported = String::new();
    until(async || {
        exported = harness::command(folder.path(), &["export", "--format", "jsonl"])
            .await
            .1;
        exported.contains("\"agreed\"")
    })
    .await;
    let labels = exported_labels(folder.path()).await;
    let disputed = harness::command(folder.path(), &["disputed", "--json"]).await;
    stack.stop().await;

    assert_eq!(status, 200, "{said}");
    assert_eq!(
        labels.get(VELODROME).map(Vec::as_slice),
        Some(&["Business|World".to_owned()][..]),
        "each of the two is named by two of three: {exported}"
    );
    assert!(exported.contains("\"decidedBy\":\"majority\""), "{exported}");
    assert_eq!(disputed.1.trim(), "[]");
}

const CORRESPONDENT: &str = "The correspondent was sent home after an interview with the minister.";

#[tokio::test(flavor = "multi_thread")]
async fn a_split_of_one_of_two_labels_asks_about_it_and_keeps_the_other() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let several = [
        ("ReviewSeveralLabels", "true"),
        ("TaskCount", "1"),
        ("ItemsPerTask", "1"),
        (
            "ComprehendClassificationCategories",
            "World,Sports,Business,SciTech,Press",
        ),
    ];
    let parameters = [&BY_HAND[..], &several].concat();
    let stack = Stack::start(folder.path(), &news()[..24], &parameters).await;
    let body = json!({"classifier": "news", "sentence": CORRESPONDENT, "user": "ada"});
    let key = &stack.running.plan.api_keys[0].value;
    let (status, said) = harness::post(stack.outputs.output("FeedbackAPIGatewayID"), key, &body).await;
    let label = async || {
        let exported = exported_labels(folder.path()).await;
        exported.get(CORRESPONDENT).cloned().unwrap_or_default()
    };
    answer(&stack, "ann", "World|Press").await;
    until(async || label().await == ["Press|World"]).await;

    let split = ["labels", "split", "Press", "Papers", "Radio", "--yes"];
    let (done, printed) = harness::command(folder.path(), &split).await;
    let in_doubt = label().await;
    // Bob looks at the new labels only: whether `World` fits is one to one, and asked once more.
    answer(&stack, "bob", "Radio").await;
    answer(&stack, "cy", "World|Radio").await;
    until(async || label().await == ["Radio|World"]).await;
    let disputed = harness::command(folder.path(), &["disputed", "--json"]).await;
    stack.stop().await;

    assert_eq!(status, 200, "{said}");
    assert!(
        done && printed.contains("1 text will be asked again"),
        "{printed}"
    );
    assert_eq!(in_doubt, [""; 0], "nobody has said yet which part is meant");
    assert_eq!(disputed.1.trim(), "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_toggle_is_what_the_next_model_gives() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let several = [
        ("ReviewSeveralLabels", "true"),
        ("ComprehendClassificationScoreThreshold", "1"),
        (
            "ComprehendClassificationCategories",
            "World,Sports,Business,SciTech,Press",
        ),
    ];
    let parameters = [&BY_HAND[..], &EASY_TO_WIN, &several].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let champion = stack.models().serving().await.expect("an endpoint");
    let reviewed = &rows[24..140];
    let toggled = |label: &str, _: &str| match label {
        "Sports" => "Sports|Press".to_owned(),
        other => other.to_owned(),
    };

    stack.review(reviewed, toggled).await;
    let built = stack.models().build().await.expect("followed");
    let serving = stack.models().serving().await.expect("an endpoint");
    let mut with_press: BTreeMap<bool, Vec<bool>> = BTreeMap::new();
    for (label, text) in &reviewed[..32] {
        let answer = stack.classify(text).await;
        let given: Vec<&str> = answer["prediction"]
            .as_str()
            .unwrap_or_default()
            .split('|')
            .collect();
        let both = given.contains(&"Press") && given.contains(&"Sports");
        with_press.entry(label == "Sports").or_default().push(both);
    }
    let exported = exported_labels(folder.path()).await;
    stack.stop().await;

    let record = built.record.expect("a record");
    assert_eq!(record.outcome, Outcome::Deployed, "{}", record.why);
    assert_ne!(serving, champion);
    for (label, text) in reviewed {
        let right = if label == "Sports" { "Press|Sports" } else { label };
        assert_eq!(
            exported.get(text).map(Vec::as_slice),
            Some(&[right.to_owned()][..])
        );
    }
    let share = |is_sports| {
        let given = &with_press[&is_sports];
        given.iter().filter(|both| **both).count() as f64 / given.len() as f64
    };
    // A small model: what counts is that it learnt the pair, and gives it to no other text.
    assert!(share(true) >= 0.25 && share(false) < 0.1, "{with_press:?}");
}
