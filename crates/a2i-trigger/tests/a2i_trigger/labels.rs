//! The label set: what reviewers choose from, and what a change of it asks again.

use active_learning_core::{
    feedback::record_id,
    keys,
    labels::{
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin, version_key},
        question::{Question, State},
        vote::{Vote, VoteSource},
    },
};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::harness::{BUCKET, Services, TRAINING_BUCKET, asked, line, loops, starting};

pub(crate) const AT: &str = "2026-11-28T07:00:00.000Z";
pub(crate) const LATER: &str = "2026-11-29T07:00:00.000Z";

impl Services {
    pub(crate) async fn put_set(&self, set: &LabelSet) {
        let put = self.s3.put_object().bucket(TRAINING_BUCKET).key(LABEL_SET_KEY);
        let body = ByteStream::from(set.to_json());
        put.body(body).send().await.expect("an upload");
    }

    pub(crate) async fn question_about(&self, text: &str) -> Question {
        let key = keys::question(&record_id("news", text));
        Question::parse(self.get(&key).await.as_bytes()).expect("a question")
    }

    /// Has a reviewer say that no label fits.
    pub(crate) async fn nothing_fits(&self, text: &str, at: &str) {
        let mut question = self.question_about(text).await;
        question.answer_with(&[Vote {
            worker: "w1".to_owned(),
            answer: Answer::NoneFits,
            source: VoteSource::HumanReview,
            at: at.to_owned(),
            seconds: None,
            note: Default::default(),
        }]);
        let key = keys::question(&question.record.id);
        let put = self.s3.put_object().bucket(BUCKET).key(key);
        let body = ByteStream::from(question.to_json());
        put.body(body).send().await.expect("an upload");
    }
}

/// The line by which a change of the label set at this time asks about a text anew.
pub(crate) fn anew(text: &str, at: &str) -> String {
    let mut line: Value = serde_json::from_str(&line(text, "relabel", 0.2)).expect("JSON");
    line["receivedAt"] = at.into();
    format!("{line}\n")
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
    let again = |at: &str| anew("One", at);

    let split = services.deliver("feedback/relabel/2", again(AT)).await;
    let asked_again = services.work_off(&split).await;
    let twice = services.work_off(&split).await;
    let other = services.deliver("feedback/relabel/2-b", again(AT)).await;
    let same_version = services.work_off(&other).await;
    services.nothing_fits("One", "2026-11-28T08:00:00.000Z").await;
    let later = services.deliver("feedback/relabel/3", again(LATER)).await;
    let next_version = services.work_off(&later).await;

    assert_eq!(asked(&[&asked_again]), ["One"]);
    assert_eq!(asked(&[&asked_again, &twice]), ["One"]);
    assert!(asked(&[&same_version]).is_empty());
    assert_eq!(asked(&[&next_version]), ["One"]);
}

/// Two texts that no label fitted.
async fn without_label() -> Services {
    let services = Services::start();
    let lines = ["One", "Two"].map(|text| line(text, "low-confidence", 0.2));
    let first = services.deliver("feedback/a", lines.concat()).await;
    services.work_off(&first).await;
    for text in ["One", "Two"] {
        services.nothing_fits(text, "2026-11-20T11:00:00.000Z").await;
    }
    services
}

#[tokio::test]
async fn what_two_changes_in_a_row_put_in_doubt_is_asked_once_as_of_the_later_one() {
    let services = without_label().await;
    let of = |texts: &[&str], at: &str| -> String { texts.iter().map(|text| anew(text, at)).collect() };
    let one = services
        .deliver("feedback/relabel/2", of(&["One", "Two"], AT))
        .await;
    let two = services
        .deliver("feedback/relabel/3", of(&["One", "Two", "Three"], LATER))
        .await;

    let first = services.work_off(&one).await;
    let second = services.work_off(&two).await;
    let asked_once = services.question_about("One").await;
    services.nothing_fits("One", "2026-11-29T08:00:00.000Z").await;
    let again = [services.work_off(&one).await, services.work_off(&two).await];

    assert_eq!(asked(&[&first]), ["One", "Two"]);
    assert_eq!(asked(&[&second]), ["Three"]);
    assert_eq!(asked_once.record.received_at, LATER);
    assert_eq!(
        asked_once.human_loop,
        loops(&first).first().map(|(name, _)| name.clone())
    );
    assert_eq!(services.question_about("One").await.state, State::Answered);
    let [one, two] = &again;
    assert_eq!(asked(&[&first, one]), ["One", "Two"], "by the same loop");
    assert_eq!(asked(&[&second, two]), ["Three"]);
}

#[tokio::test]
async fn changes_that_are_worked_off_at_once_show_each_text_on_one_page() {
    let services = without_label().await;
    let of = |at: &str| anew("One", at) + &anew("Two", at);
    let one = services.deliver("feedback/relabel/2", of(AT)).await;
    let two = services.deliver("feedback/relabel/3", of(LATER)).await;
    let script = starting();
    let functions = [services.function(&script), services.function(&script)];

    let done = futures::join!(functions[0].handle(one), functions[1].handle(two));

    assert!(done.0.is_ok() && done.1.is_ok(), "{done:?}");
    for text in ["One", "Two"] {
        let question = services.question_about(text).await;
        let loops = loops(&script);
        let showing = loops
            .iter()
            .filter(|(name, input)| input.contains(text) && !question.is_taken_off(name));
        assert_eq!(showing.count(), 1, "{text}");
    }
}

#[tokio::test]
async fn who_answers_by_the_labels_before_the_later_change_is_asked_about_as_of_that_change() {
    let services = without_label().await;
    let one = services.deliver("feedback/relabel/2", anew("One", AT)).await;
    services.work_off(&one).await;
    let two = services.deliver("feedback/relabel/3", anew("One", LATER)).await;
    let joined = services.work_off(&two).await;
    services.nothing_fits("One", "2026-11-28T08:00:00.000Z").await;

    // As label-collection delivers it when the answer comes in.
    let late = services
        .deliver("feedback/relabel/review-1", anew("One", LATER))
        .await;
    let asked_anew = services.work_off(&late).await;
    let twice = services.work_off(&late).await;

    assert!(asked(&[&joined]).is_empty());
    assert_eq!(asked(&[&asked_anew, &twice]), ["One"]);
}
