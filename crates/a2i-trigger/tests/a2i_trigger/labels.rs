//! The label set: what reviewers choose from, and what a change of it asks again.

use active_learning_core::{
    feedback::record_id,
    keys,
    labels::{
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin, version_key},
        question::Question,
    },
};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::harness::{Services, TRAINING_BUCKET, asked, line, loops, starting};

const AT: &str = "2026-11-28T07:00:00.000Z";

impl Services {
    async fn put_set(&self, set: &LabelSet) {
        let put = self.s3.put_object().bucket(TRAINING_BUCKET).key(LABEL_SET_KEY);
        let body = ByteStream::from(set.to_json());
        put.body(body).send().await.expect("an upload");
    }
}

fn suggested(utterance: &str, label: &str) -> String {
    let mut line: Value = serde_json::from_str(&line(utterance, "dislike", 0.2)).expect("JSON");
    line["suggestedLabel"] = label.into();
    line["user"] = "ada".into();
    format!("{line}\n")
}

fn choices(script: &local_aws::script::Script) -> Vec<Value> {
    let inputs = loops(script).into_iter();
    let labels = inputs.map(|(_, input)| {
        let input: Value = serde_json::from_str(&input).expect("JSON");
        input["labels"].clone()
    });
    labels.collect()
}

#[tokio::test]
async fn the_parameter_makes_the_label_set_where_there_is_none() {
    let services = Services::start();
    let event = services
        .deliver("feedback/a", line("One", "low-confidence", 0.2))
        .await;

    services.work_off(&event).await;

    let set = services.get_in(TRAINING_BUCKET, LABEL_SET_KEY).await;
    let version = services.get_in(TRAINING_BUCKET, &version_key(1)).await;
    let parsed = LabelSet::parse(set.as_bytes()).expect("a set");
    assert_eq!(parsed.origin(), Origin::Parameter);
    assert_eq!(
        parsed.active().collect::<Vec<_>>(),
        ["World", "Sports", "Business", "SciTech"]
    );
    assert_eq!(set, version);
}

#[tokio::test]
async fn a_suggestion_that_is_no_label_is_a_button_for_nobody_and_a_proposal_in_the_vote() {
    let services = Services::start();
    let lines = suggested("One", "Weather") + &suggested("Two", "ｓｐｏｒｔｓ ");
    let event = services.deliver("feedback/a", lines).await;

    let script = services.work_off(&event).await;

    assert_eq!(
        choices(&script),
        [json!(["World", "Sports", "Business", "SciTech"])]
    );
    for (text, answer) in [
        (
            "One",
            Answer::NewLabel {
                label: "Weather".into(),
            },
        ),
        ("Two", Answer::labels(["Sports"])),
    ] {
        let key = keys::question(&record_id("news", text));
        let question = Question::parse(services.get(&key).await.as_bytes()).expect("a question");
        assert_eq!(question.votes[0].answer, answer);
    }
}

#[tokio::test]
async fn a_complaint_is_offered_a_class_that_only_the_serving_model_has() {
    let services = Services::start();
    let mut set = LabelSet::seed(["World", "Sports", "Old"], Origin::InitialData, AT);
    set.retire("Old").expect("active");
    services.put_set(&set).await;
    let model = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news/version/one";
    let state = json!({"trained": {"labels": ["World", "sports", "Old", "Weather"]}}).to_string();
    let key = "text-classifier/document-classifier/news/version/one.json";
    let put = services.s3.put_object().bucket(TRAINING_BUCKET).key(key);
    put.body(ByteStream::from(state.into_bytes()))
        .send()
        .await
        .expect("an upload");
    let complaint = json!({
        "classifier": "news", "utterance": "One", "source": "explicit-api", "signal": "dislike",
        "receivedAt": "2026-11-20T10:00:00.000Z",
    });
    let event = services.deliver("feedback/a", format!("{complaint}\n")).await;
    let script = starting();
    let described = json!({"EndpointProperties": {"ModelArn": model}}).to_string();
    script.always("DescribeEndpoint", 200, described);

    services
        .function(&script)
        .handle(event)
        .await
        .expect("worked off");

    assert_eq!(choices(&script), [json!(["World", "Sports", "Weather"])]);
}

#[tokio::test]
async fn a_thousand_labels_that_no_parameter_could_hold_are_choices() {
    let services = Services::start();
    let names: Vec<String> = (0..1_000)
        .map(|number| format!("Class | number, {number}"))
        .collect();
    services
        .put_set(&LabelSet::seed(&names, Origin::InitialData, AT))
        .await;
    let mut feedback: Value = serde_json::from_str(&line("One", "low-confidence", 0.2)).expect("JSON");
    feedback["classes"] = json!([]);
    let event = services.deliver("feedback/a", format!("{feedback}\n")).await;

    let script = services.work_off(&event).await;

    assert_eq!(choices(&script), [json!(names)]);
}

#[tokio::test]
async fn what_a_change_of_the_set_puts_in_doubt_is_asked_again_once_for_each_version() {
    let services = Services::start();
    let first = services
        .deliver("feedback/a", line("One", "low-confidence", 0.2))
        .await;
    services.work_off(&first).await;
    let again = |at: &str| {
        let mut line: Value = serde_json::from_str(&line("One", "relabel", 0.2)).expect("JSON");
        line["receivedAt"] = at.into();
        format!("{line}\n")
    };

    let split = services.deliver("feedback/relabel/2", again(AT)).await;
    let asked_again = services.work_off(&split).await;
    let twice = services.work_off(&split).await;
    let other = services.deliver("feedback/relabel/2-b", again(AT)).await;
    let same_version = services.work_off(&other).await;
    let later = services
        .deliver("feedback/relabel/3", again("2026-11-29T07:00:00.000Z"))
        .await;
    let next_version = services.work_off(&later).await;

    assert_eq!(asked(&[&asked_again]), ["One"]);
    assert_eq!(asked(&[&asked_again, &twice]), ["One"]);
    assert!(asked(&[&same_version]).is_empty());
    assert_eq!(asked(&[&next_version]), ["One"]);
}
