//! What users say of texts that differ from an asked one by a small change, or of copies of these: it is said of the
//! question whose answer they get.

use active_learning_aws::{
    asked_before::{AskedBefore, NotAsked, Settings},
    bucket::Bucket,
    class_names::ClassNames,
    env::Env,
};
use active_learning_core::{
    feedback::{FeedbackRecord, record_id},
    keys,
    labels::{
        human_loop::Answer,
        question::{Question, State},
        vote::{Vote, VoteSource},
    },
};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::harness::{BUCKET, Services, TRAINING_BUCKET, asked, line};

const STORY: &str =
    "Oil prices rose above fifty dollars a barrel on Monday as exports from the north were halted again";

/// The story with a tag, and another spelling of that.
fn copies() -> [String; 2] {
    [
        format!("{STORY} (Agency)"),
        STORY.replace("again", "AGAIN, (Agency)"),
    ]
}

/// A line of explicit feedback on a text, with these fields beside.
fn feedback(text: &str, fields: Value) -> String {
    let mut line = json!({
        "classifier": "news", "utterance": text, "prediction": "World", "source": "explicit-api", "signal": "dislike",
        "user": "ada", "receivedAt": "2026-11-20T11:00:00.000Z",
    });
    for (name, value) in fields.as_object().expect("fields") {
        line[name] = value.clone();
    }
    format!("{line}\n")
}

async fn question(services: &Services) -> Question {
    let question = services.get(&keys::question(&record_id("news", STORY))).await;
    Question::parse(question.as_bytes()).expect("a question")
}

async fn put_question(services: &Services, id: &str, question: &Question) {
    let put = services.s3.put_object().bucket(BUCKET).key(keys::question(id));
    let body = ByteStream::from(question.to_json());
    put.body(body).send().await.expect("an upload");
}

/// The story was asked and answered by this label, and its copies were delivered.
async fn answered(label: &str) -> Services {
    let services = Services::start();
    let [tagged, respelt] = copies();
    for (key, text) in [
        ("feedback/1", STORY),
        ("feedback/2", &tagged),
        ("feedback/3", &respelt),
    ] {
        let event = services.deliver(key, line(text, "low-confidence", 0.1)).await;
        services.work_off(&event).await;
    }
    let mut question = question(&services).await;
    question.answer_with(&[Vote {
        worker: "w1".to_owned(),
        answer: Answer::labels([label]),
        source: VoteSource::HumanReview,
        at: "2026-11-20T10:30:00Z".to_owned(),
        seconds: None,
        note: Default::default(),
    }]);
    put_question(&services, &question.record.id, &question).await;
    services
}

/// What the API answers to this feedback.
async fn told_by_api(services: &Services, line: &str) -> Option<NotAsked> {
    let env = Env::from([
        ("FEEDBACK_BUCKET_NAME", BUCKET),
        ("CLAIM_RETENTION_DAYS", "90"),
        ("REVIEW_BUDGET_PER_DAY", "0"),
        ("POOL_TEXTS_IN_REVIEW", "0"),
    ]);
    let settings = Settings::from_env(&env).expect("complete");
    let record = FeedbackRecord::parse(line.trim_end().as_bytes()).expect("a record");
    let names = ClassNames::new(Bucket::new(services.s3.clone(), TRAINING_BUCKET), false);
    AskedBefore::new(services.s3.clone(), settings)
        .why_not(&record, Some(&names))
        .await
}

#[tokio::test]
async fn what_contradicts_the_answer_to_a_copy_opens_the_question_of_its_original_again() {
    let cases = [
        ("Sports", json!({"suggestedLabel": "Business"})),
        ("World", json!({})),
    ];
    for (answer, said) in cases {
        for copy in copies() {
            let services = answered(answer).await;
            let line = feedback(&copy, said.clone());

            let told = told_by_api(&services, &line).await;
            let event = services.deliver("feedback/4", line).await;
            let script = services.work_off(&event).await;

            assert_eq!(told, None, "somebody will be asked: {copy}");
            assert_eq!(asked(&[&script]), [STORY], "{copy}");
            let question = question(&services).await;
            assert_eq!((question.state, question.reopened), (State::Asked, 1), "{copy}");
            assert_eq!(services.keys("questions/").await.len(), 1, "{copy}");
        }
    }
}

#[tokio::test]
async fn what_agrees_with_the_answer_to_a_copy_is_a_vote_on_the_question_of_its_original() {
    for copy in copies() {
        let services = answered("Sports").await;
        let like = json!({"signal": "like", "prediction": "Sports"});
        let line = feedback(&copy, json!({"suggestedLabel": "Sports"}));

        let told = told_by_api(&services, &line).await;
        let event = services.deliver("feedback/4", feedback(&copy, like)).await;
        let script = services.work_off(&event).await;

        assert_eq!(told, Some(NotAsked::Duplicate), "{copy}");
        assert!(asked(&[&script]).is_empty(), "{copy}");
        let question = question(&services).await;
        assert_eq!(question.state, State::Answered);
        assert_eq!(question.votes.last().expect("a vote").worker, "user:ada");
        assert!(services.keys("claims/liked-").await.is_empty());
    }
}

#[tokio::test]
async fn a_like_that_came_before_its_text_was_a_copy_is_a_vote_on_the_question_of_the_original() {
    for (said, is_contradicted) in [
        (json!({"signal": "like"}), false),
        (
            json!({"signal": "like", "prediction": null, "suggestedLabel": "Sports"}),
            true,
        ),
    ] {
        let services = Services::start();
        let [copy, _] = copies();
        let like = feedback(&copy, said.clone());
        for (key, lines) in [
            ("feedback/1", line(STORY, "low-confidence", 0.1)),
            ("feedback/2", like),
        ] {
            let event = services.deliver(key, lines).await;
            services.work_off(&event).await;
        }
        let mut asked_first = question(&services).await;
        asked_first.answer_with(&[Vote {
            worker: "w1".to_owned(),
            answer: Answer::labels(["World"]),
            source: VoteSource::HumanReview,
            at: "2026-11-20T10:30:00Z".to_owned(),
            seconds: None,
            note: Default::default(),
        }]);
        put_question(&services, &asked_first.record.id, &asked_first).await;

        let event = services
            .deliver("feedback/3", line(&copy, "low-confidence", 0.1))
            .await;
        let first = services.work_off(&event).await;
        let again = services.work_off(&event).await;

        let question = question(&services).await;
        let users: Vec<&str> = question.votes.iter().map(|vote| vote.worker.as_str()).collect();
        assert_eq!(users, ["w1", "user:ada"], "{said}");
        assert_eq!(question.reopened, u8::from(is_contradicted), "{said}");
        assert_eq!(
            asked(&[&first, &again]).len(),
            usize::from(is_contradicted),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_question_that_an_earlier_version_made_of_a_copy_keeps_no_later_vote_from_its_original() {
    let services = answered("Sports").await;
    let [copy, _] = copies();
    let earlier = feedback(
        &copy,
        json!({"suggestedLabel": "Business", "user": "bob", "id": record_id("news", &copy)}),
    );
    let record = FeedbackRecord::parse(earlier.trim_end().as_bytes()).expect("a record");
    let made = Question::known(record);
    assert_eq!((made.state, made.votes.len()), (State::Asked, 1));
    put_question(&services, &made.record.id, &made).await;
    let line = feedback(&copy, json!({"suggestedLabel": "Business"}));

    let told = told_by_api(&services, &line).await;
    let event = services.deliver("feedback/4", line).await;
    let script = services.work_off(&event).await;

    assert_eq!(told, None);
    assert_eq!(asked(&[&script]), [STORY]);
}
