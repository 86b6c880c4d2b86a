//! Likes that are delivered before people are asked about their text.

use active_learning_core::{
    feedback::record_id,
    keys,
    labels::{
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        labelled::LabelledRecord,
        question::{Question, State},
        vote::Vote,
    },
};
use serde_json::{Value, json};

use crate::harness::{Services, TRAINING_BUCKET, asked, line, loops};

const TEXT: &str = "The minister opened the velodrome.";

/// A line of explicit feedback on the text, with these fields beside.
fn feedback(fields: Value) -> String {
    let mut line = json!({
        "classifier": "news", "utterance": TEXT, "prediction": "World", "source": "explicit-api", "signal": "like",
        "receivedAt": "2026-11-20T11:00:00.000Z",
    });
    for (name, value) in fields.as_object().expect("fields") {
        line[name] = value.clone();
    }
    format!("{line}\n")
}

/// Votes of the question about a text, and those that training counts beside its answers.
async fn votes(services: &Services, text: &str) -> (Vec<Vote>, Vec<Vote>) {
    let question = services.get(&keys::question(&record_id("news", text))).await;
    let question = Question::parse(question.as_bytes()).expect("a question");
    assert_eq!(question.state, State::Asked);
    let mut kept = Vec::new();
    for key in services.keys_in(TRAINING_BUCKET, "labelled/vote-").await {
        let line = services.get_in(TRAINING_BUCKET, &key).await;
        let labelled = LabelledRecord::parse(line.trim_end().as_bytes()).expect("a labelled record");
        assert_eq!(labelled.record.id, question.record.id);
        kept.extend(labelled.votes);
    }
    (question.votes, kept)
}

/// Delivers these objects one after the other, each twice, and has them worked off.
async fn deliver_all(services: &Services, objects: [(&str, &str); 2]) {
    for (key, lines) in objects {
        let event = services.deliver(key, lines).await;
        services.work_off(&event).await;
        services.work_off(&event).await;
    }
}

#[tokio::test]
async fn a_like_is_a_vote_whether_it_is_delivered_before_or_after_its_text_is_asked() {
    let like = feedback(json!({"user": "ada"}));
    let labelled = feedback(json!({"user": "ada", "prediction": null, "suggestedLabel": " sports"}));
    for (like, answer) in [(like, "World"), (labelled, "Sports")] {
        for asked_text in [TEXT, "the MINISTER opened the velodrome"] {
            let question = line(asked_text, "low-confidence", 0.1);
            let (early, late) = (Services::start(), Services::start());

            let [first, second] = [("feedback/1.gz", &*like), ("feedback/2.gz", &*question)];
            deliver_all(&early, [first, second]).await;
            deliver_all(&late, [second, first]).await;

            let (of_question, of_training) = votes(&early, asked_text).await;
            let said: Vec<(&str, &Answer)> = (of_question.iter())
                .map(|vote| (vote.worker.as_str(), &vote.answer))
                .collect();
            assert_eq!(said, [("user:ada", &Answer::labels([answer]))], "{asked_text}");
            assert_eq!(of_training, of_question, "once, and training counts it too");
            assert_eq!(votes(&late, asked_text).await, (of_question, of_training));
        }
    }
}

#[tokio::test]
async fn a_like_of_a_text_that_nobody_is_asked_about_asks_nobody_and_keeps_no_text() {
    let services = Services::start();
    let event = services
        .deliver("feedback/1.gz", feedback(json!({"user": "ada"})))
        .await;

    let script = services.work_off(&event).await;

    assert!(loops(&script).is_empty());
    assert!(services.keys("questions/").await.is_empty());
    assert!(services.keys_in(TRAINING_BUCKET, "labelled/").await.is_empty());
    let kept = services.keys("claims/liked-").await;
    assert_eq!(kept.len(), 1);
    assert!(!services.get(&kept[0]).await.contains("minister"));
}

#[tokio::test]
async fn who_likes_a_prediction_and_then_complains_of_it_does_not_vote_for_it() {
    let services = Services::start();
    let like = feedback(json!({"user": "ada"}));
    let others = feedback(json!({"user": "bob"}));
    let complaint =
        feedback(json!({"user": "ada", "signal": "dislike", "receivedAt": "2026-11-20T12:00:00.000Z"}));
    let event = services.deliver("feedback/1.gz", like + &others).await;
    services.work_off(&event).await;

    let event = services.deliver("feedback/2.gz", complaint).await;
    let script = services.work_off(&event).await;

    assert_eq!(asked(&[&script]), [TEXT]);
    let (of_question, _) = votes(&services, TEXT).await;
    let mut last: Vec<(&str, &str, &Answer)> = (of_question.iter())
        .map(|vote| (vote.worker.as_str(), vote.at.as_str(), &vote.answer))
        .collect();
    last.sort_unstable_by_key(|(worker, at, _)| (*worker, *at));
    let world = Answer::labels(["World"]);
    let (early, late) = ("2026-11-20T11:00:00.000Z", "2026-11-20T12:00:00.000Z");
    assert_eq!(
        last,
        [
            ("user:ada", early, &world),
            ("user:ada", late, &Answer::Unsure),
            ("user:bob", early, &world),
        ]
    );
}

#[tokio::test]
async fn a_like_by_the_name_that_a_label_had_is_a_vote_for_it_and_is_taken_back_by_its_new_name() {
    let services = Services::start();
    let mut set = LabelSet::seed(["World", "Sports"], Origin::Edited, "2026-11-20T10:00:00.000Z");
    put_set(&services, &set).await;
    let likes = ["ada", "bob"]
        .map(|user| feedback(json!({"user": user})))
        .concat();
    let event = services.deliver("feedback/1.gz", likes).await;
    services.work_off(&event).await;
    set.rename("World", "Earth").expect("free");
    put_set(&services, &set).await;

    let later = "2026-11-20T12:00:00.000Z";
    let complaint = json!({"user": "ada", "prediction": "Earth", "signal": "dislike", "receivedAt": later});
    let event = services.deliver("feedback/2.gz", feedback(complaint)).await;
    services.work_off(&event).await;

    let (mut of_question, of_training) = votes(&services, TEXT).await;
    of_question.sort_by(|a, b| (&a.worker, &a.at).cmp(&(&b.worker, &b.at)));
    let said: Vec<(&str, &Answer)> = (of_question.iter())
        .map(|vote| (vote.worker.as_str(), &vote.answer))
        .collect();
    let earth = Answer::labels(["Earth"]);
    assert_eq!(
        said,
        [
            ("user:ada", &earth),
            ("user:ada", &Answer::Unsure),
            ("user:bob", &earth)
        ]
    );
    assert!(
        of_training
            .iter()
            .all(|vote| vote.answer != Answer::labels(["World"]))
    );
}

async fn put_set(services: &Services, set: &LabelSet) {
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
}
