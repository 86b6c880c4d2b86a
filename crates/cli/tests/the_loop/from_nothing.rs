//! A stack that begins without training data: labels, texts, people, and then a model.

use std::{collections::BTreeMap, path::Path};

use active_learning_cli::{demo::reviewer::Reviewer, sign_in};
use active_learning_core::{
    dataset::is_test, feedback::record_id, labels::labelled::LabelledRecord, model::first_model::FirstModel,
};
use serde_json::{Value, json};

use crate::{
    harness::{Killable, command, json_objects, post, until},
    new_models::objects,
};

/// Support mail in three classes, in two languages.
fn tickets() -> Vec<(&'static str, String)> {
    let billing = [
        "invoice",
        "refund",
        "charged twice",
        "Rechnung",
        "payment",
        "Lastschrift",
    ];
    let delivery = [
        "parcel",
        "courier",
        "Paket",
        "tracking number",
        "Lieferung",
        "shipment",
    ];
    let login = [
        "password",
        "reset mail",
        "Anmeldung",
        "two-factor code",
        "Passwort",
        "locked account",
    ];
    let about = [
        "is wrong",
        "did not arrive",
        "fehlt seit gestern",
        "needs an answer",
        "is a problem again",
    ];
    let mut tickets = Vec::new();
    for (label, words) in [("billing", billing), ("delivery", delivery), ("login", login)] {
        for (number, word) in words.iter().enumerate() {
            for (other, rest) in about.iter().enumerate() {
                let second = words[(number + other + 1) % words.len()];
                tickets.push((
                    label,
                    format!("The {word} {rest}, also the {second} of order {number}{other}"),
                ));
            }
        }
    }
    tickets
}

/// A spreadsheet's file: semicolons, a header line, a column that nobody needs.
fn write_csv(path: &Path, tickets: &[(&str, String)]) {
    let rows = tickets.iter().enumerate();
    let rows = rows.map(|(number, (_, text))| format!("{number};\"{text}\";open\r\n"));
    let file = format!("id;message;state\r\n{}", rows.collect::<String>());
    std::fs::write(path, file).expect("written");
}

async fn progress(stack: &Killable) -> Option<FirstModel> {
    let bucket = stack.outputs.output("TrainingS3Bucket");
    let found: Vec<FirstModel> = objects(&stack.s3().await, bucket, "builds/first-model", ".json").await;
    found.into_iter().next()
}

async fn classify(stack: &Killable, text: &str) -> (u16, Value) {
    let url = stack.outputs.output("TextClassificationApiGatewayID");
    post(url, &stack.outputs.api_key_value, &json!({"sentence": text})).await
}

async fn labelled(stack: &Killable) -> Vec<LabelledRecord> {
    let bucket = stack.outputs.output("TrainingS3Bucket");
    let s3 = stack.s3().await;
    let mut records = Vec::new();
    let list = s3
        .list_objects_v2()
        .bucket(bucket)
        .prefix("labelled/")
        .send()
        .await;
    for object in list.expect("listed").contents() {
        let key = object.key().unwrap_or_default();
        let body = s3
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .expect("read")
            .body;
        let bytes = body.collect().await.expect("read").into_bytes();
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        records.extend(lines.map(|line| LabelledRecord::parse(line).expect("a record")));
    }
    records
}

/// Returns the versions as soon as the build of the first one is written down: it serves a moment before.
async fn versions_once_deployed(state: &Path) -> Vec<Value> {
    let mut versions = Vec::new();
    until(async || {
        let (done, printed) = command(state, &["versions", "--json"]).await;
        assert!(done, "{printed}");
        let mut documents = serde_json::Deserializer::from_str(&printed).into_iter::<Vec<Value>>();
        versions = documents.next().expect("a document").expect("JSON");
        versions.iter().any(|version| version["outcome"] == "deployed")
    })
    .await;
    versions
}

/// Runs a first start to the end, which writes its errors into a file; returns what it said there before it was ready.
async fn said_by_a_first_start(state: &Path, file: &Path) -> String {
    let errors = std::fs::File::create(file).expect("a file");
    let stack = Killable::run_saying(state, &[], &[], errors.into());
    let said = std::fs::read_to_string(file).expect("text");
    stack.kill();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_says_that_it_trains_and_the_next_one_has_nothing_to_wait_for() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (state, file) = (folder.path().join("state"), folder.path().join("errors"));

    let first = said_by_a_first_start(&state, &file).await;
    let next = said_by_a_first_start(&state, &file).await;

    let of_training = |said: &str| {
        said.lines()
            .filter(|line| line.contains("Training the first model"))
            .count()
    };
    assert_eq!(of_training(&first), 1, "{first}");
    assert_eq!(of_training(&next), 0, "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_without_training_data_asks_people_until_it_has_a_model_and_ranks_what_waits_by_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state = folder.path().join("state");
    let tickets = tickets();
    let file = folder.path().join("tickets.csv");
    write_csv(&file, &tickets);
    let file = file.to_str().expect("UTF-8");
    let start = ["start", "--labels", "billing,delivery,login", "--texts", file];
    let parameters = [
        "FeedbackBufferSeconds=1",
        "PoolTextsInReview=20",
        "AuditSampleRate=0",
    ];
    let stack = Killable::run(&state, &start, &parameters);

    // Before the first model.
    let first = progress(&stack).await.expect("it is said how far it is");
    // Delivered before the file it is all that waits: one of the test set would be asked then.
    let question = "Where is my parcel with the shoes?";
    assert!(!is_test(question, 0.2));
    let (status, answer) = classify(&stack, question).await;
    let (_, again) = classify(&stack, question).await;

    assert_eq!(
        first.describe(),
        "0 of 15 labels to the first model; still needed: 5 billing, 5 delivery, 5 login"
    );
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["prediction"], Value::Null);
    assert_eq!(answer["confidence"], Value::Null);
    assert_eq!(answer["review"]["reason"], "unlabelled");
    assert_eq!(answer["review"]["queued"], true);
    assert_eq!(answer["review"]["waitsFor"], "pool");
    assert!(again["review"]["queued"].is_boolean(), "{again}");

    // People answer until a model serves.
    let default = |text: &str| record_id("default", text);
    let mut right: BTreeMap<String, &str> = BTreeMap::new();
    for (label, text) in &tickets {
        right.insert(default(text), label);
    }
    right.insert(answer_id(&answer), "delivery");
    let link = sign_in::create_link(&stack.outputs, "ann").await.expect("a link");
    let mut reviewer = Reviewer::sign_in(&link).await.expect("signed in");
    until(async || {
        // Whoever waits for the model asks for no more: else a slow machine would have all answered before it serves.
        let first = progress(&stack).await;
        if first.is_some_and(|first| !first.is_complete() || first.refused.is_some()) {
            let answer = |id: &str, _: &str| right.get(id).map(|label| (*label).to_owned());
            let _ = reviewer.answer_next(answer).await.expect("the portal answers");
        }
        let (_, answer) = classify(&stack, "The invoice is wrong, I want a refund").await;
        answer["prediction"] == "billing"
    })
    .await;
    let mut before_the_model = labelled(&stack).await;
    before_the_model.sort_by(|a, b| a.labelled_at.cmp(&b.labelled_at));
    let versions = versions_once_deployed(&state).await;

    assert!(
        before_the_model.len() < tickets.len(),
        "not all had to be labelled"
    );
    assert!(
        before_the_model
            .iter()
            .take(15)
            .all(|record| !is_test(&record.record.utterance, 0.2))
    );
    let [first_model] = &versions[..] else {
        panic!("one model was built: {versions:?}");
    };
    assert_eq!(
        (
            &first_model["serving"],
            &first_model["outcome"],
            &first_model["champion"]
        ),
        (&json!(true), &json!("deployed"), &Value::Null)
    );
    assert_eq!(
        first_model["testRows"],
        json!(0),
        "nothing is held out yet: {first_model}"
    );
    let why = first_model["why"].as_str().unwrap_or_default();
    assert!(
        why.contains("nothing is held out yet: in cross-validation"),
        "{first_model}"
    );

    // What waits is ranked by the model now, and a part of it is held out to compare models on.
    until(async || {
        let answer = |id: &str, _: &str| right.get(id).map(|label| (*label).to_owned());
        let _ = reviewer.answer_next(answer).await.expect("the portal answers");
        labelled(&stack).await.len() >= tickets.len()
    })
    .await;
    let all = labelled(&stack).await;

    assert!(progress(&stack).await.is_none(), "a model serves");
    assert!(
        all.iter().any(|record| record.record.model_arn.is_some()),
        "none was ranked by a model"
    );
    assert!(all.iter().any(|record| is_test(&record.record.utterance, 0.2)));
    let built = command(&state, &["build"]).await.1;
    assert!(built.contains("champion"), "{built}");

    // The next start goes on, without a word about news.
    stack.kill();
    let stack = Killable::start_with(&state, &parameters);
    let (_, answer) = classify(&stack, "The invoice is wrong, I want a refund").await;
    assert_eq!(answer["prediction"], "billing");
    let initial = json_objects(
        &stack.s3().await,
        stack.outputs.output("TrainingS3Bucket"),
        "initial/",
        ".csv",
    )
    .await;
    assert!(initial.is_empty());
}

/// Five topics of twelve texts. No text shares a word with another, so that by their words all are as far from one another:
/// five by chance are one of each topic once in 22 times.
const TOPICS: [[&str; 12]; 5] = [
    [
        "lasagne",
        "noodle soup",
        "roast chicken",
        "omelette",
        "cheese sandwich",
        "fried rice",
        "apple pie",
        "pancakes",
        "grilled salmon",
        "potato salad",
        "chocolate cake",
        "beef stew",
    ],
    [
        "basketball",
        "goalkeeper",
        "tennis final",
        "marathon runner",
        "swimming championship",
        "hockey league",
        "boxing",
        "cycling race",
        "volleyball",
        "gymnastics",
        "rugby",
        "penalty shootout",
    ],
    [
        "violin",
        "grand piano",
        "trumpet",
        "electric guitar",
        "flute",
        "drums",
        "cello",
        "saxophone",
        "clarinet",
        "trombone",
        "symphony orchestra",
        "harp",
    ],
    [
        "pneumonia",
        "high fever",
        "sore throat",
        "diabetes",
        "migraine",
        "asthma",
        "measles",
        "broken leg",
        "influenza",
        "allergy",
        "chronic cough",
        "infection",
    ],
    [
        "winter coat",
        "leather shoes",
        "jeans",
        "woollen sweater",
        "silk tie",
        "gloves",
        "skirt",
        "cotton shirt",
        "trousers",
        "scarf",
        "jacket",
        "socks",
    ],
];

#[tokio::test(flavor = "multi_thread")]
async fn the_first_texts_that_people_are_asked_about_are_chosen_by_what_they_mean() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state = folder.path().join("state");
    let file = folder.path().join("topics.csv");
    let texts = TOPICS.as_flattened().iter();
    let texts: Vec<(&str, String)> = texts.map(|text| ("", (*text).to_owned())).collect();
    write_csv(&file, &texts);
    let file = file.to_str().expect("UTF-8");
    let start = [
        "start",
        "--labels",
        "food,sport,music,health,clothes",
        "--texts",
        file,
    ];
    let parameters = [
        "FeedbackBufferSeconds=1",
        "PoolTextsInReview=5",
        "TextEncoder=built-in",
    ];

    let stack = Killable::run(&state, &start, &parameters);

    let s3 = stack.s3().await;
    let list = async |prefix: &str| {
        let bucket = stack.outputs.output("FeedbackS3Bucket");
        let list = s3.list_objects_v2().bucket(bucket).prefix(prefix).send().await;
        let keys = list.expect("listed").contents().to_vec().into_iter();
        keys.filter_map(|object| object.key).collect::<Vec<String>>()
    };
    let mut asked = String::new();
    let by_topic = |asked: &str| {
        let is_asked = |text: &&&str| asked.contains(&format!("\"{text}\""));
        TOPICS.map(|topic| topic.iter().filter(is_asked).count())
    };
    until(async || {
        let bucket = stack.outputs.output("FeedbackS3Bucket");
        let loops = json_objects(&s3, bucket, "asked/", ".json").await;
        asked = json!(loops).to_string();
        by_topic(&asked).iter().sum::<usize>() >= 5
    })
    .await;
    assert_eq!(by_topic(&asked), [1; 5], "{asked}");
    let identity = text_encoder::Encoder::built_in_identity();
    assert_eq!(
        list("backlog/vectors/").await,
        [format!("backlog/vectors/{identity}.bin")],
        "the classifier was asked for vectors before it had a model"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_file_that_is_refused_does_not_keep_the_next_start_waiting() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state = folder.path().join("state");
    let start = ["start", "--labels", "billing,delivery"];
    let stack = Killable::run(&state, &start, &[]);
    let bucket = stack.outputs.output("TrainingS3Bucket").to_owned();
    let s3 = stack.s3().await;
    let put = s3.put_object().bucket(&bucket).key("initial/broken.csv");
    let put = put.body(b"a line without a label\n".to_vec().into());
    put.send().await.expect("stored");
    until(async || {
        let reports = json_objects(&s3, &bucket, "initial-reports/", ".json").await;
        reports.iter().any(|report| report["state"] == "refused")
    })
    .await;

    stack.kill();
    let stack = Killable::start_with(&state, &[]);
    let (status, answer) = classify(&stack, "Where is the parcel with my shoes?").await;

    assert_eq!((status, &answer["prediction"]), (200, &Value::Null), "{answer}");
}

fn answer_id(answer: &Value) -> String {
    let classifier = answer["classifier"].as_str().expect("a name");
    record_id(classifier, answer["utterance"].as_str().expect("the text"))
}
