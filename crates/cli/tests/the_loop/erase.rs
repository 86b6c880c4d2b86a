//! A person's texts, erased from everything that a whole stack has stored.

use std::{
    path::Path,
    process::{Command, Output},
};

use active_learning_cli::{demo::reviewer::Reviewer, sign_in};
use active_learning_core::{dataset::TextId, feedback::record_id};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::{
    disputes::answer,
    harness::{self, PROGRAM, until},
    new_models::{BY_HAND, EASY_TO_WIN, Stack, news},
    personal_data::{keys, objects_with},
};

/// A text that is erased, as it stands in training data.
const TEXT: &str = "The neighbour at 4 Elm Street has won the tennis cup.";
/// The user whose texts are erased.
const USER: &str = "jane.roe@example.com";
/// What only that user says; one holds what CSV has to quote.
const OWN: [&str; 3] = [
    "My striker Zebulon scored twice, I swear by 12 Oak Lane.",
    "Quarterly \"Zebulon\" shares rose,\nas 12 Oak Lane reports.",
    "Is Zebulon of 12 Oak Lane out of the final?",
];
/// What another user says as well.
const SHARED: &str = "The coach of the national team resigned after the match.";
/// What others say, some of it in the same file.
const OTHERS: [&str; 2] = [
    "Shares of \"Acme\" fell,\nanalysts say.",
    "The minister met her colleagues in Geneva.",
];

/// Runs `erase` on a stack of this process, without leaving the thread.
fn erase(folder: &Path, arguments: &[&str]) -> Output {
    block_in_place(|| {
        let mut command = Command::new(PROGRAM);
        command
            .arg("erase")
            .args(arguments)
            .arg("--state-dir")
            .arg(folder);
        command.output().expect("the program runs")
    })
}

fn said(output: &Output) -> String {
    let text = [output.stdout.clone(), output.stderr.clone()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

async fn feedback(stack: &Stack, sentence: &str, user: Option<&str>) -> (u16, Value) {
    let (url, key) = (
        stack.outputs.output("FeedbackAPIGatewayID"),
        &stack.outputs.api_key_value,
    );
    let mut body =
        json!({"classifier": "news", "sentence": sentence, "feedback": "dislike", "label": "Sports"});
    if let Some(user) = user {
        body["user"] = user.into();
    }
    harness::post(url, key, &body).await
}

async fn upload(stack: &Stack, key: &str) {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let rows = [(OWN[1], USER), (OTHERS[0], "bob"), (TEXT, ""), (OTHERS[1], "")];
    let rows = rows.map(|(text, user)| format!("{},{user}\n", quoted(text)));
    let file = format!("sentence,user\n{}", rows.concat());
    let put = stack
        .s3
        .put_object()
        .bucket(stack.outputs.output("BatchUploadS3Bucket"));
    put.key(key)
        .body(file.into_bytes().into())
        .send()
        .await
        .expect("stored");
}

/// Waits until people are asked about these texts, or have answered.
async fn asked(stack: &Stack, texts: &[&str]) {
    let bucket = stack.outputs.output("FeedbackS3Bucket");
    until(async || {
        let questions = keys(&stack.s3, bucket).await;
        let is_asked =
            |text: &&str| questions.contains(&format!("questions/{}.json", record_id("news", text)));
        texts.iter().all(is_asked)
    })
    .await;
}

/// Returns what of the erased is found anywhere.
async fn found(stack: &Stack) -> Vec<String> {
    let mut found = Vec::new();
    for text in [
        TEXT,
        "neighbour at 4 elm street",
        USER,
        "Zebulon",
        "zebulon",
        "12 Oak Lane",
    ] {
        found.extend(objects_with(stack, text).await);
    }
    found
}

async fn serving_line(stack: &Stack) -> Value {
    let versions = stack.models().versions().await.expect("listed");
    let serving = versions.into_iter().find(|version| version.serving);
    json!(serving.expect("a model serves"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_texts_of_a_user_and_a_text_go_from_everywhere_and_nothing_brings_them_back() {
    let (folder, files) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let path = folder.path();
    let rows = news();
    let mut initial = rows[..60].to_vec();
    initial.push(("Sports".to_owned(), TEXT.to_owned()));
    let all_are_doubtful = [("ComprehendClassificationScoreThreshold", "1")];
    let parameters = [&BY_HAND[..], &EASY_TO_WIN[..], &all_are_doubtful].concat();
    let stack = Stack::start(path, &initial, &parameters).await;

    // From all ways in.
    stack.classify(&TEXT.to_uppercase()).await;
    stack.classify(OWN[0]).await;
    for (text, user) in [(OWN[0], Some(USER)), (SHARED, Some(USER)), (SHARED, Some("bob"))] {
        assert_eq!(feedback(&stack, text, user).await.0, 200);
    }
    upload(&stack, "news/first.csv").await;
    let import = files.path().join("labels.csv");
    std::fs::write(
        &import,
        format!("text,label\n{TEXT},Sports\nA goal in the last minute decides.,Sports\n"),
    )
    .expect("written");
    let import = import.to_string_lossy().into_owned();
    let (imported, log) = harness::command(path, &["import", &import, "--classifier", "news", "--yes"]).await;
    assert!(imported, "{log}");
    asked(&stack, &[OWN[0], SHARED, OWN[1], OTHERS[0], OTHERS[1]]).await;
    let answered: Vec<(String, String)> = rows[60..76].to_vec();
    let (mut labels, _) = stack.ask(&answered).await;
    for text in [OWN[0], OWN[1], SHARED, OTHERS[0], OTHERS[1]] {
        labels.insert(record_id("news", text), "Sports");
    }
    stack.answer(&labels, |right, _| right.to_owned()).await;

    // Built into a model that serves.
    let built = stack.models().build().await.expect("followed");
    assert!(built.deployed, "{}", built.describe());
    let before = harness::exported_labels(path).await;
    assert!(
        before.contains_key(TEXT) && before.contains_key(OWN[0]),
        "{before:?}"
    );
    assert!(!found(&stack).await.is_empty());

    // One more waits, and its page is open while all is erased.
    assert_eq!(feedback(&stack, OWN[2], Some(USER)).await.0, 200);
    asked(&stack, &[OWN[2]]).await;
    let preview = erase(path, &["--user", USER, "--text", TEXT, "--preview", "--json"]);
    let link = sign_in::create_link(&stack.outputs, "test")
        .await
        .expect("a link");
    let mut reviewer = Reviewer::sign_in(&link).await.expect("signed in");
    let erased = std::cell::RefCell::new(None);
    let page = async |reviewer: &mut Reviewer| {
        reviewer
            .answer_next(|_, _| {
                *erased.borrow_mut() = Some(erase(path, &["--user", USER, "--text", TEXT, "--yes"]));
                Some("Sports".to_owned())
            })
            .await
    };
    let mut answer = page(&mut reviewer).await;
    while matches!(answer, Ok(false)) {
        answer = page(&mut reviewer).await;
    }
    let erased = erased.into_inner().expect("a page was open");

    let preview: Value = serde_json::from_str(&said(&preview)).expect("JSON");
    assert_eq!(
        (&preview["texts"], &preview["shared"]),
        (&json!(4), &json!(1)),
        "{preview:#}"
    );
    assert!(erased.status.success(), "{}", said(&erased));
    assert!(said(&erased).contains("1 human loop ended"), "{}", said(&erased));
    assert!(
        !said(&erased).contains(USER) && !said(&erased).contains("Elm"),
        "{}",
        said(&erased)
    );
    assert!(answer.is_err(), "the answer of the open page was taken");
    assert_eq!(found(&stack).await, Vec::<String>::new());

    // What others have said is there.
    let after = harness::exported_labels(path).await;
    let mut expected = before.clone();
    let gone = [TEXT, OWN[0], OWN[1], OWN[2]].map(TextId::of);
    expected.retain(|text, _| !gone.contains(&TextId::of(text)));
    assert_eq!(after, expected);
    let versions = harness::command(path, &["versions"]).await;
    let status = harness::command(path, &["status"]).await;
    let mark = "erased since at a person's wish";
    assert!(
        versions.1.contains(mark) && status.1.contains(mark),
        "{}\n{}",
        versions.1,
        status.1
    );

    // Nothing brings it back.
    let classified = stack.classify(TEXT).await;
    assert_eq!(classified["review"]["notQueuedBecause"], "erased", "{classified}");
    let (status, refused) = feedback(&stack, &OWN[0].to_lowercase(), Some("bob")).await;
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("erased_text")),
        "{refused}"
    );
    let (_, again) = harness::command(path, &["import", &import, "--classifier", "news", "--yes"]).await;
    assert!(again.contains("erased at a person's wish"), "{again}");
    let (_, redriven) = harness::command(path, &["redrive", "--yes"]).await;
    assert!(redriven.contains("No failed events"), "{redriven}");
    upload(&stack, "news/second.csv").await;
    let bucket = stack.outputs.output("FeedbackS3Bucket");
    let mut reports = Vec::new();
    until(async || {
        reports = harness::json_objects(&stack.s3, bucket, "batch-reports/second.csv", ".json").await;
        !reports.is_empty()
    })
    .await;
    assert_eq!(reports[0]["rejected"], 2, "{}", reports[0]);
    let second = erase(path, &["--again", "--yes"]);
    assert!(second.status.success(), "{}", said(&second));

    // A build begins, and its model is not marked.
    let built = stack.models().build().await.expect("followed");
    assert!(built.decided, "{}", built.describe());
    if built.deployed {
        assert_eq!(serving_line(&stack).await["erasedRows"], Value::Null);
    }
    assert_eq!(found(&stack).await, Vec::<String>::new());
    let third = erase(path, &["--user", USER, "--preview"]);
    assert!(said(&third).contains("0 pieces in 0 objects"), "{}", said(&third));
    let log = harness::json_objects(
        &stack.s3,
        stack.outputs.output("ReviewS3Bucket"),
        "audit-log/",
        ".json",
    )
    .await;
    let log: Vec<&Value> = log.iter().filter(|entry| entry["action"] == "erase").collect();
    assert_eq!(
        (&log[0]["subject"], &log[0]["value"]),
        (&json!("4 texts"), &json!("1 user"))
    );
    stack.stop().await;
    let on_disk = files_with(path, &["Elm Street", "Zebulon", USER]);
    assert!(on_disk.is_empty(), "{on_disk:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_text_is_erased_and_refused_as_the_stack_masks_it_before_it_stores_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let masks = [("PersonalData", "mask")];
    let stack = Stack::start(path, &news()[..60], &[&BY_HAND[..], &masks].concat()).await;
    let text = "Refund it to jane@example.com";
    assert_eq!(feedback(&stack, text, None).await.0, 200);
    asked(&stack, &["Refund it to [EMAIL]"]).await;

    let preview = erase(path, &["--text", text, "--preview"]);
    let erased = erase(path, &["--text", text, "--yes"]);

    let masked = "1 text also as the stack masks it";
    assert!(said(&preview).contains(masked), "{}", said(&preview));
    assert!(
        erased.status.success() && said(&erased).contains("1 text of 0 users"),
        "{}",
        said(&erased)
    );
    assert_eq!(objects_with(&stack, "Refund it to").await, Vec::<String>::new());
    let (status, refused) = feedback(&stack, "refund it to bob@example.com!", None).await;
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("erased_text")),
        "{refused}"
    );
    stack.stop().await;
}

/// Returns the keys of the old versions in the training bucket that hold a text, also of objects that are gone.
async fn old_versions_with(stack: &Stack, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let list = stack.s3.list_object_versions().bucket(stack.bucket());
    for version in list.send().await.expect("listed").versions() {
        let (key, id) = (
            version.key().expect("a key"),
            version.version_id().expect("an id"),
        );
        let get = stack.s3.get_object().bucket(stack.bucket()).key(key);
        let bytes = get
            .version_id(id)
            .send()
            .await
            .expect("there")
            .body
            .collect()
            .await;
        let bytes = bytes.expect("whole").to_vec();
        let holds = bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if holds && version.is_latest() == Some(false) {
            found.push(key.to_owned());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_erased_text_stays_in_no_old_version_of_a_bucket_that_keeps_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let keeps_versions = [("TrainingBucketVersionDays", "30"), ("TaskCount", "2")];
    let stack = Stack::start(path, &news()[..60], &[&BY_HAND[..], &keeps_versions].concat()).await;
    let id = record_id("news", TEXT);

    // A function deletes what is disputed when it is decided.
    let (url, key) = (
        stack.outputs.output("FeedbackAPIGatewayID"),
        &stack.outputs.api_key_value,
    );
    let said_by_user = json!({"classifier": "news", "sentence": TEXT, "label": "Weather", "user": USER});
    assert_eq!(harness::post(url, key, &said_by_user).await.0, 200);
    for (person, label) in [
        ("ann", "World"),
        ("bob", "Sports"),
        ("cy", "Business"),
        ("dee", "SciTech"),
    ] {
        answer(&stack, person, label).await;
    }
    until(async || harness::command(path, &["disputed"]).await.1.contains(&id)).await;
    let decided = harness::command(path, &["adjudicate", &id, "--label", "Business"]).await;
    assert!(decided.0, "{}", decided.1);
    let disputed = format!("disputed/{id}.json");
    until(async || !keys(&stack.s3, stack.bucket()).await.contains(&disputed)).await;
    assert!(old_versions_with(&stack, TEXT).await.contains(&disputed));

    let preview = erase(path, &["--user", USER, "--preview", "--json"]);
    let erased = erase(path, &["--user", USER, "--yes"]);

    let preview: Value = serde_json::from_str(&said(&preview)).expect("JSON");
    assert!(preview["inOldVersions"].as_u64() >= Some(1), "{preview:#}");
    assert!(
        erased.status.success() && said(&erased).contains("old version"),
        "{}",
        said(&erased)
    );
    assert_eq!(old_versions_with(&stack, TEXT).await, Vec::<String>::new());
    assert_eq!(old_versions_with(&stack, USER).await, Vec::<String>::new());
    assert_eq!(objects_with(&stack, TEXT).await, Vec::<String>::new());
    assert!(
        !old_versions_with(&stack, "{").await.is_empty(),
        "what holds nothing of it can be brought back"
    );
    stack.stop().await;
}

/// Returns the files of a state folder that hold one of these texts.
fn files_with(folder: &Path, texts: &[&str]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_with(&path, texts));
            continue;
        }
        let bytes = std::fs::read(&path).expect("readable");
        let holds = |text: &&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if texts.iter().any(holds) {
            found.push(path);
        }
    }
    found
}
