//! What users say of texts that differ from an asked one by a small change, or of copies of these: it is said of the
//! question whose answer they get, or, where it speaks against that answer, makes the text a question of its own.

use active_learning_aws::{
    asked_before::{AskedBefore, NotAsked, Settings},
    bucket::Bucket,
    class_names::ClassNames,
    env::Env,
    originals,
};
use active_learning_core::{
    feedback::{FeedbackRecord, record_id},
    keys,
    labels::{
        human_loop::Answer,
        label_set::{LABEL_SET_KEY, LabelSet, Origin},
        question::{Question, State},
        vote::{Vote, VoteSource},
    },
    sampling::duplicates::KeptCopy,
};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::{
    copies::give_up,
    harness::{BUCKET, Services, TRAINING_BUCKET, asked, line},
};

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
    question_about(services, STORY).await
}

async fn question_about(services: &Services, text: &str) -> Question {
    let question = services.get(&keys::question(&record_id("news", text))).await;
    Question::parse(question.as_bytes()).expect("a question")
}

async fn put_question(services: &Services, id: &str, question: &Question) {
    let put = services.s3.put_object().bucket(BUCKET).key(keys::question(id));
    let body = ByteStream::from(question.to_json());
    put.body(body).send().await.expect("an upload");
}

/// The story was asked, and its copies were delivered.
async fn delivered() -> Services {
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
    services
}

/// A reviewer has answered the story by this label.
async fn answer_story(services: &Services, label: &str) {
    answer(services, STORY, label).await;
}

async fn answer(services: &Services, text: &str, label: &str) {
    let mut question = question_about(services, text).await;
    question.answer_with(&[Vote {
        worker: "w1".to_owned(),
        answer: Answer::labels([label]),
        source: VoteSource::HumanReview,
        at: "2026-11-20T10:30:00Z".to_owned(),
        seconds: None,
        note: Default::default(),
    }]);
    put_question(services, &question.record.id, &question).await;
}

/// The story was asked and answered by this label, and its copies were delivered.
async fn answered(label: &str) -> Services {
    let services = delivered().await;
    answer_story(&services, label).await;
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

/// Works off what was delivered again; returns the texts of which people are asked.
async fn asked_of_released(services: &Services) -> Vec<String> {
    let mut texts = Vec::new();
    for event in services.released().await {
        let script = services.work_off(&event).await;
        texts.extend(asked(&[&script]));
    }
    texts
}

#[tokio::test]
async fn what_contradicts_the_answer_to_a_near_duplicate_makes_it_a_question_of_its_own() {
    let cases = [
        (Some("Sports"), json!({"suggestedLabel": "Business"})),
        (Some("World"), json!({})),
        (None, json!({"suggestedLabel": "Sports"})),
        (None, json!({})),
    ];
    for (answer, said) in cases {
        for copy in copies() {
            let services = delivered().await;
            if let Some(answer) = answer {
                answer_story(&services, answer).await;
            }
            let line = feedback(&copy, said.clone());

            let told = told_by_api(&services, &line).await;
            let event = services.deliver("feedback/4", line).await;
            let script = services.work_off(&event).await;
            let texts = asked_of_released(&services).await;
            let again = services.work_off(&event).await;

            assert_eq!(told, None, "somebody will be asked: {copy}");
            assert_eq!(texts, [copy.as_str()], "{said}");
            assert!(asked(&[&script, &again]).is_empty(), "{copy}");
            assert_eq!(question(&services).await.reopened, 0, "{copy}");
            assert_eq!(services.keys("questions/").await.len(), 2, "{copy}");
            // What came of the two spellings is a copy of the new question, none of the story.
            let of_story = u128::from_str_radix(&record_id("news", STORY), 16).expect("an id");
            let kept = services.copies().await;
            let tagged = u128::from_str_radix(&record_id("news", &copies()[0]), 16).expect("an id");
            let is_of_tagged = |copy: &&KeptCopy| copy.original == of_story && copy.id == tagged;
            assert_eq!(kept.iter().filter(is_of_tagged).count(), 0, "{copy}");
        }
    }
}

#[tokio::test]
async fn a_like_that_contradicts_the_answer_to_a_near_duplicate_makes_it_a_question_of_its_own() {
    let services = answered("Sports").await;
    let [tagged, _] = copies();
    let like = feedback(&tagged, json!({"signal": "like"}));

    let event = services.deliver("feedback/4", like).await;
    services.work_off(&event).await;
    let texts = asked_of_released(&services).await;

    assert_eq!(texts, [tagged.as_str()]);
    let own = services.get(&keys::question(&record_id("news", &tagged))).await;
    let own = Question::parse(own.as_bytes()).expect("a question");
    let users: Vec<&str> = own.votes.iter().map(|vote| vote.worker.as_str()).collect();
    assert_eq!(users, ["user:ada"]);
}

#[tokio::test]
async fn a_vote_on_the_original_that_contradicts_what_near_duplicates_were_told_makes_them_questions_of_their_own()
 {
    for (answer, said, apart) in [
        (None, "Sports", true),
        (Some("World"), "Sports", true),
        (None, "World", false),
        (Some("Sports"), "Sports", false),
    ] {
        let services = delivered().await;
        if let Some(answer) = answer {
            answer_story(&services, answer).await;
        }
        let [tagged, _] = copies();
        let line = feedback(STORY, json!({ "suggestedLabel": said }));

        let event = services.deliver("feedback/4", line).await;
        services.work_off(&event).await;
        let texts = asked_of_released(&services).await;
        services.work_off(&event).await;

        let expected: &[&str] = if apart { &[tagged.as_str()] } else { &[] };
        assert_eq!(texts, expected, "{answer:?} {said}");
        assert_eq!(services.keys("questions/").await.len(), 1 + expected.len());
    }
}

#[tokio::test]
async fn a_vote_for_a_label_that_is_retired_sets_no_near_duplicate_apart() {
    let services = delivered().await;
    let mut set = LabelSet::seed(["World", "Old"], Origin::Edited, "2026-11-20T09:00:00.000Z");
    set.retire("Old").expect("active");
    services.put_training(LABEL_SET_KEY, set.to_json()).await;
    let line = feedback(STORY, json!({ "suggestedLabel": "Old" }));

    let event = services.deliver("feedback/4", line).await;
    services.work_off(&event).await;

    assert_eq!(asked_of_released(&services).await, [""; 0]);
    assert_eq!(services.keys("questions/").await.len(), 1);
}

#[tokio::test]
async fn what_contradicts_the_answer_to_another_spelling_opens_its_question_again() {
    let services = answered("Sports").await;
    let respelt = STORY.replace("again", "AGAIN!");
    let line = feedback(&respelt, json!({"suggestedLabel": "Business"}));

    let told = told_by_api(&services, &line).await;
    let event = services.deliver("feedback/4", line).await;
    let script = services.work_off(&event).await;

    assert_eq!(told, None);
    assert_eq!(asked(&[&script]), [STORY]);
    assert_eq!(question(&services).await.reopened, 1);
    // What was told to the near duplicate is contradicted as well: it is asked by itself.
    let [tagged, _] = copies();
    assert_eq!(asked_of_released(&services).await, [tagged]);
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
async fn a_like_that_came_before_a_near_duplicate_is_a_vote_on_the_question_of_the_original_unless_it_contradicts()
 {
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

        let on_story = question(&services).await;
        let users: Vec<&str> = on_story.votes.iter().map(|vote| vote.worker.as_str()).collect();
        let expected: &[&str] = if is_contradicted {
            &["w1"]
        } else {
            &["w1", "user:ada"]
        };
        assert_eq!(users, expected, "{said}");
        assert_eq!(on_story.reopened, 0, "{said}");
        let texts = asked(&[&first, &again]);
        match is_contradicted {
            true => assert_eq!(texts, [copy.as_str()], "a question of its own"),
            false => assert!(texts.is_empty(), "{said}"),
        }
    }
}

#[tokio::test]
async fn a_near_duplicate_of_which_an_earlier_version_made_a_question_is_asked_where_it_is_contradicted() {
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
    assert!(asked(&[&script]).is_empty());
    assert_eq!(asked_of_released(&services).await, [copy]);
}

#[tokio::test]
async fn what_is_said_of_a_text_that_was_given_up_counts_for_the_near_duplicate_that_went_on_unless_it_contradicts()
 {
    let like = |label: &str| json!({"signal": "like", "prediction": label});
    let business = || json!({"suggestedLabel": "Business"});
    // Whether the text came once more before, whether it is asked then, and whether it gets the copy's answer and votes on it.
    let cases = [
        (like("World"), false, false, true),
        (like("Sports"), false, false, false),
        (business(), false, true, false),
        (business(), true, true, false),
    ];
    for (said, came_again, is_asked, is_one) in cases {
        let services = Services::start();
        let [tagged, _] = copies();
        for (key, text) in [("feedback/1", STORY), ("feedback/2", &tagged)] {
            let event = services.deliver(key, line(text, "low-confidence", 0.1)).await;
            services.work_off(&event).await;
        }
        for event in give_up(&services, STORY).await {
            services.work_off(&event).await;
        }
        answer(&services, &tagged, "World").await;
        if came_again {
            let again = line(STORY, "low-confidence", 0.1).replace("T10:00", "T10:40");
            let event = services.deliver("feedback/3", again).await;
            assert!(asked(&[&services.work_off(&event).await]).is_empty());
        }
        let served_by = async || {
            let (bucket, none) = (Bucket::new(services.s3.clone(), BUCKET), async { Ok(None) });
            let asked = originals::question_of(&bucket, &record_id("news", STORY), none).await;
            asked.expect("read").id
        };
        let before = served_by().await;

        let event = services
            .deliver("feedback/4", feedback(STORY, said.clone()))
            .await;
        let mut texts = asked(&[&services.work_off(&event).await]);
        texts.extend(asked_of_released(&services).await);

        let copy = question_about(&services, &tagged).await;
        assert_eq!(before, copy.record.id, "{said}");
        assert_eq!(texts.len(), usize::from(is_asked), "{said} {texts:?}");
        assert!(texts.iter().all(|text| text == STORY), "{said} {texts:?}");
        assert_eq!(served_by().await == copy.record.id, is_one, "{said}");
        assert_eq!(
            copy.votes.len(),
            1 + usize::from(is_one),
            "{said} {:?}",
            copy.votes
        );
        assert_eq!((copy.state, copy.reopened), (State::Answered, 0), "{said}");
    }
}

#[tokio::test]
async fn a_text_that_was_given_up_after_somebody_spoke_of_it_is_asked_when_it_comes_again_and_is_no_copy_of_its_copy()
 {
    for is_liked in [true, false] {
        let services = Services::start();
        let [tagged, _] = copies();
        let like = feedback(STORY, json!({"signal": "like"}));
        let mut came = vec![
            line(STORY, "low-confidence", 0.1),
            line(&tagged, "low-confidence", 0.1),
        ];
        came.extend(is_liked.then_some(like));
        for (lines, number) in came.into_iter().zip(1..) {
            let event = services.deliver(&format!("feedback/{number}"), lines).await;
            services.work_off(&event).await;
        }
        for event in give_up(&services, STORY).await {
            assert_eq!(asked(&[&services.work_off(&event).await]), [tagged.as_str()]);
        }

        let again = line(STORY, "low-confidence", 0.1).replace("T10:00", "T12:00");
        let event = services.deliver("feedback/9", again).await;
        let texts = asked(&[&services.work_off(&event).await]);

        // Of the one of which nobody has said anything the answer to the other is told.
        let expected: &[&str] = if is_liked { &[STORY] } else { &[] };
        assert_eq!(texts, expected);
        let duplicate = keys::duplicate(&record_id("news", STORY));
        let is_told_of_copy = services.keys("duplicates/").await.contains(&duplicate);
        assert_eq!(is_told_of_copy, !is_liked);
    }
}
