//! Changes of the label set, by command, through the whole stack.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use active_learning_cli::{demo::reviewer::Reviewer, sign_in};
use active_learning_core::{feedback::record_id, labels::human_loop::NONE_FITS};
use serde_json::Value;

use crate::{
    harness::{self, exported_labels, until},
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

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_no_label_fitted_are_asked_again_when_a_label_is_added_as_the_command_said_before() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let threshold = [("ComprehendClassificationScoreThreshold", "1")];
    let parameters = [&BY_HAND[..], &threshold].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    let answered = &rows[24..36];
    let is_weather = |label: &str| label == "Sports";
    let without_label = answered.iter().filter(|(label, _)| is_weather(label)).count();
    let first = |label: &str, _: &str| {
        if is_weather(label) {
            NONE_FITS.to_owned()
        } else {
            label.to_owned()
        }
    };
    stack.review(answered, first).await;
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;

    let before = run(&["export", "--format", "csv"]).await;
    let (planned, plan) = run(&["labels", "add", "Weather", "--json"]).await;
    let version = run(&["labels", "list", "--json"]).await;
    let added = run(&["labels", "add", "Weather", "--yes"]).await;
    // At once, while what is asked is on its way.
    let open = format!("An earlier change asks about {without_label} texts already.");
    let another = run(&["labels", "add", "Climate", "--yes"]).await;
    let asked = RefCell::new(Vec::new());
    let right: BTreeMap<String, &str> = answered
        .iter()
        .map(|(label, text)| (record_id("news", text), label.as_str()))
        .collect();
    let link = sign_in::create_link(&stack.outputs, "test")
        .await
        .expect("a link");
    let mut reviewer = Reviewer::sign_in(&link).await.expect("signed in");
    until(async || {
        let answer = |id: &str, _: &str| {
            asked.borrow_mut().push(id.to_owned());
            right.contains_key(id).then(|| "Weather".to_owned())
        };
        while reviewer.answer_next(answer).await.expect("the portal answers") {}
        asked.borrow().len() >= without_label
    })
    .await;
    let mut labels = BTreeMap::new();
    until(async || {
        labels = exported_labels(folder.path()).await;
        labels.len() == answered.len()
    })
    .await;
    stack.stop().await;

    let said = format!("Of the texts that no label fitted {without_label} texts will be asked again");
    assert!(
        before
            .1
            .contains(&format!("{} rows", answered.len() - without_label)),
        "{}",
        before.1
    );
    assert!(!planned && plan.contains(&said), "{plan}");
    assert!(
        version.0 && !version.1.contains("Weather"),
        "nothing was changed before: {}",
        version.1
    );
    assert!(added.0 && added.1.contains(&said), "{}", added.1);
    assert!(
        added.1.contains(&format!("Asked again: {without_label} texts.")),
        "{}",
        added.1
    );
    assert!(another.0 && another.1.contains(&open), "{}", another.1);
    let mut asked = asked.into_inner();
    asked.sort();
    let ids = right
        .iter()
        .filter(|(_, label)| is_weather(label))
        .map(|(id, _)| id.clone());
    assert_eq!(asked, ids.collect::<Vec<_>>(), "each once, and no other");
    for (label, text) in answered {
        let label = if is_weather(label) { "Weather" } else { label };
        assert_eq!(labels[text], [label], "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_asks_the_rows_of_a_split_label_again_from_the_least_to_the_most_confident() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let others = [
        ("ComprehendClassificationScoreThreshold", "1"),
        ("ItemsPerTask", "1"),
    ];
    let parameters = [&BY_HAND[..], &others].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    stack.review(&rows[24..84], |label, _| label.to_owned()).await;
    let of_sports = |rows: &[(String, String)]| {
        let sports = rows.iter().filter(|(label, _)| label == "Sports");
        sports
            .map(|(_, text)| record_id("news", text))
            .collect::<Vec<_>>()
    };
    let (of_files, of_people) = (of_sports(&rows[..24]), of_sports(&rows[24..84]));
    let labelled = harness::json_objects(&stack.s3, stack.bucket(), "labelled/", ".jsonl").await;
    let confidence = |id: &str| {
        let record = labelled
            .iter()
            .map(|line| &line["record"])
            .find(|record| record["id"] == id)?;
        record["confidence"].as_f64()
    };

    let (split, printed) = harness::command(
        folder.path(),
        &["labels", "split", "Sports", "Ball games", "Racing", "--yes"],
    )
    .await;
    let review = stack.outputs.output("ReviewS3Bucket");
    let waiting = of_files.len() + of_people.len();
    until(async || {
        let page = stack
            .s3
            .list_objects_v2()
            .bucket(review)
            .prefix("human-review/queue/")
            .send()
            .await;
        page.expect("listed").contents().len() == waiting
    })
    .await;
    // The portal lists the head of the queue once in three seconds: it may have done so before all were there.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let asked = RefCell::new(Vec::new());
    let link = sign_in::create_link(&stack.outputs, "test")
        .await
        .expect("a link");
    let mut reviewer = Reviewer::sign_in(&link).await.expect("signed in");
    let answer = |id: &str, _: &str| {
        asked.borrow_mut().push(id.to_owned());
        Some("Racing".to_owned())
    };
    while reviewer.answer_next(answer).await.expect("the portal answers") {}
    stack.stop().await;

    assert!(split, "{printed}");
    let asked = asked.into_inner();
    let (judged, unjudged) = asked.split_at(of_people.len());
    let confidences: Vec<f64> = judged
        .iter()
        .map(|id| confidence(id).expect("the model judged it"))
        .collect();
    assert!(
        confidences.is_sorted() && confidences.len() > 2,
        "{confidences:?}"
    );
    assert!(confidences.first() < confidences.last(), "{confidences:?}");
    let sorted = |ids: &[String]| {
        let mut ids = ids.to_vec();
        ids.sort();
        ids
    };
    assert_eq!(sorted(judged), sorted(&of_people));
    assert_eq!(
        sorted(unjudged),
        sorted(&of_files),
        "rows of training files come last"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_split_asks_is_asked_no_more_when_the_label_comes_back_but_for_what_was_answered() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let others = [
        ("ComprehendClassificationScoreThreshold", "1"),
        ("ItemsPerTask", "3"),
    ];
    let parameters = [&BY_HAND[..], &others].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    stack.review(&rows[24..36], |label, _| label.to_owned()).await;
    let sports = rows[..36].iter().filter(|(label, _)| label == "Sports").count();
    let of_people = rows[24..36].iter().filter(|(label, _)| label == "Sports").count();
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    let review = stack.outputs.output("ReviewS3Bucket");
    let waiting = async || {
        let queue = stack
            .s3
            .list_objects_v2()
            .bucket(review)
            .prefix("human-review/queue/");
        queue.send().await.expect("listed").contents().len()
    };

    let split = run(&["labels", "split", "Sports", "Ball games", "Racing", "--yes"]).await;
    until(async || waiting().await == sports.div_ceil(3)).await;
    let link = sign_in::create_link(&stack.outputs, "test")
        .await
        .expect("a link");
    let mut reviewer = Reviewer::sign_in(&link).await.expect("signed in");
    let answered = RefCell::new(0);
    let answer = |_: &str, _: &str| {
        *answered.borrow_mut() += 1;
        Some("Racing".to_owned())
    };
    assert!(
        reviewer.answer_next(answer).await.expect("the portal answers"),
        "one page"
    );
    let answered = answered.into_inner();
    until(async || {
        exported_labels(folder.path())
            .await
            .values()
            .any(|labels| labels == &["Racing"])
    })
    .await;
    let (planned, plan) = run(&["labels", "add", "Sports", "--json"]).await;
    let back = run(&["labels", "add", "Sports", "--yes"]).await;
    until(async || waiting().await == 0).await;
    let exported = run(&["export", "--format", "csv"]).await;
    stack.stop().await;

    let left = sports - answered;
    assert!(split.0 && back.0 && !planned, "{split:?} {back:?}");
    let said = format!("{left} texts whose tasks are not complete will be asked no more");
    assert!(
        plan.contains(&said) && plan.contains(&format!("\"withdrawn\": {left}")),
        "{plan}"
    );
    assert!(
        back.1.contains(&format!("Asked no more: {left} texts.")),
        "{}",
        back.1
    );
    let counted = |label: &str| exported.1.lines().filter(|line| line.starts_with(label)).count();
    assert_eq!(counted("Racing,"), answered, "an answer counts: {}", exported.1);
    assert!(
        counted("Sports,") >= of_people.saturating_sub(answered),
        "{}",
        exported.1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_label_that_comes_back_after_the_other_was_split_takes_its_own_texts_off_the_queue() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let others = [
        ("ComprehendClassificationScoreThreshold", "1"),
        ("ItemsPerTask", "1"),
    ];
    let parameters = [&BY_HAND[..], &others].concat();
    let stack = Stack::start(folder.path(), &rows[..24], &parameters).await;
    stack.review(&rows[24..36], |label, _| label.to_owned()).await;
    let count =
        |rows: &[(String, String)], name: &str| rows.iter().filter(|(label, _)| label == name).count();
    let (world, sports) = (count(&rows[..36], "World"), count(&rows[..36], "Sports"));
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    let waiting = async || {
        let queue = stack.s3.list_objects_v2();
        let queue = queue.bucket(stack.outputs.output("ReviewS3Bucket"));
        let queue = queue.prefix("human-review/queue/").send().await;
        queue.expect("listed").contents().len()
    };

    let merged = run(&["labels", "merge", "World", "Sports", "--yes"]).await;
    let split = run(&["labels", "split", "Sports", "Ball games", "Racing", "--yes"]).await;
    until(async || waiting().await == world + sports).await;
    let back = run(&["labels", "add", "World", "--yes"]).await;
    until(async || waiting().await == sports).await;
    let exported = run(&["export", "--format", "csv"]).await;
    stack.stop().await;

    assert!(merged.0 && split.0 && back.0, "{merged:?} {split:?} {back:?}");
    let said = format!("{world} texts whose tasks are not complete will be asked no more");
    assert!(back.1.contains(&said), "{}", back.1);
    let exported: Vec<&str> = exported.1.lines().collect();
    let of_world = exported.iter().filter(|line| line.starts_with("World,")).count();
    assert_eq!(of_world, count(&rows[24..36], "World"), "{exported:?}");
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
    let given_before = rows[..48].iter().filter(|(of, _)| of == "Sports").count();
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;

    let (untouched, planned) = run(&["labels", "rename", "sports", "Sport|Games", "--json"]).await;
    let renamed = run(&["labels", "rename", "sports", "Sport|Games", "--yes"]).await;
    let freed = run(&["labels", "remove-synonym", "Sport|Games", "Sports", "--yes"]).await;
    let (_, given) = run(&["labels", "rename", "World", "Sports", "--json"]).await;
    let back = run(&["labels", "synonym", "Sport|Games", "Sports", "--yes"]).await;
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

    for (done, printed) in [
        &renamed, &freed, &back, &merged, &retired, &versions, &exported, &built,
    ] {
        assert!(done, "{printed}");
    }
    let called_so = format!(
        "{} answers and {given_before} rows of training files are called `Sports` already",
        answered("Sports")
    );
    for said in [&given, &back.1] {
        assert!(said.contains(&called_so), "{called_so}: {said}");
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
    assert!(of(r"Sport\|Games,") >= answered("Sports"), "{}", exported.1);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_merged_or_retired_label_comes_back_with_its_rows_as_the_command_said_before() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let rows = news();
    let stack = Stack::start(folder.path(), &rows[..48], &BY_HAND).await;
    put_labels(&stack.s3, stack.bucket(), "review-1", &rows[48..144]).await;
    let count = |rows: &[(String, String)], label: &str| rows.iter().filter(|(of, _)| of == label).count();
    let counts = |label: &str| {
        let (answers, initial) = (count(&rows[48..144], label), count(&rows[..48], label));
        format!("{answers} answers and {initial} rows of training files")
    };
    let run = async |arguments: &[&str]| harness::command(folder.path(), arguments).await;
    let merged = run(&["labels", "merge", "Business", "World", "--yes"]).await;
    let retired = run(&["labels", "retire", "SciTech", "--yes"]).await;

    let (changed, plan) = run(&["labels", "add", "business", "--json"]).await;
    let business = run(&["labels", "add", "business", "--yes"]).await;
    let science = run(&["labels", "add", "SciTech", "--yes"]).await;
    let blank = run(&["labels", "add", " ", "--yes"]).await;
    let exported = run(&["export", "--format", "csv"]).await;
    stack.stop().await;

    assert!(
        merged.0 && retired.0 && business.0 && science.0,
        "{business:?} {science:?}"
    );
    let said = format!("{} move from `World` to it", counts("Business"));
    assert!(!changed && plan.contains(&said), "{plan}");
    assert!(business.1.contains(&said), "{}", business.1);
    let said = format!("{} that were left out count again", counts("SciTech"));
    assert!(science.1.contains(&said), "{}", science.1);
    assert!(!blank.0 && !blank.1.contains("``"), "{}", blank.1);
    let of = |label: &str| exported.1.lines().filter(|line| line.starts_with(label)).count();
    for label in ["Business", "SciTech"] {
        assert_eq!(
            of(&format!("{label},")),
            count(&rows[48..144], label),
            "{}",
            exported.1
        );
    }
}
