//! Ties and unanswered records go back to people, a bounded number of times.

use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        consolidation::{Consensus, DecidedBy},
        human_loop::Answer,
        question::{Opinion, Question, State},
        vote::{Vote, VoteSource},
    },
};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::harness::{BUILT_IN_OUTPUT, FEEDBACK, LOOP, START, Services, TRAINING, input, output};

fn again(round: u8) -> String {
    format!("{LOOP}-again-{round}")
}

fn utterances(input: &str) -> Vec<String> {
    let input: Value = serde_json::from_str(input).expect("JSON");
    let items = input["comprehendPredictions"].as_array().expect("items");
    items
        .iter()
        .map(|item| item["utterance"].as_str().expect("text").to_owned())
        .collect()
}

fn agreed(label: &str, confidence: f64) -> Consensus {
    Consensus::Agreed {
        answer: Answer::labels([label]),
        confidence,
    }
}

impl Services {
    fn asked(&self, name: &str) -> String {
        self.review.loops().get(name).expect("a loop").input.clone()
    }
}

#[tokio::test]
async fn a_tie_and_what_nobody_could_tell_alone_are_asked_again_with_the_same_choices_and_the_merged_votes_decide()
 {
    let services = Services::start();

    services.answered(LOOP, BUILT_IN_OUTPUT).await;
    let asked = services.asked(&again(1));
    services
        .answered(
            &again(1),
            output(&again(1), &asked, &[("w3", 1, &["Sports", "Sports"])]),
        )
        .await;

    assert_eq!(
        utterances(&asked),
        ["asdf qwer", "The minister, a keen cyclist, opened the velodrome."],
        "of the first nobody could tell what it is"
    );
    let (asked, first): (Value, Value) = (serde_json::from_str(&asked).expect("JSON"), input());
    for kept in ["labels", "bucketName", "keyName"] {
        assert_eq!(asked[kept], first[kept]);
    }
    assert_eq!(asked["rowCount"], 2);
    let lines = services.labelled(&again(1)).await;
    assert_eq!(lines[0].consensus, agreed("Sports", 1.0));
    assert_eq!(lines[1].consensus, agreed("Sports", 2.0 / 3.0));
    assert_eq!(lines[1].votes.len(), 1, "earlier votes stay in their own object");
    assert!(services.open().await.is_empty());
    assert_eq!(services.review.loops().len(), 1);
}

#[tokio::test]
async fn a_user_who_is_contradicted_does_not_veto_the_only_reviewer() {
    let services = Services::start();
    let mut one = input();
    one["comprehendPredictions"] = Value::from(vec![one["comprehendPredictions"][2].clone()]);

    services
        .answered(LOOP, output(LOOP, &one.to_string(), &[("w1", 1, &["Business"])]))
        .await;

    let lines = services.labelled(LOOP).await;
    assert_eq!(lines[0].votes.len(), 2, "the record shows the user's vote");
    assert_eq!(lines[0].consensus, agreed("Business", 1.0));
    assert_eq!(lines[0].decided_by, Some(DecidedBy::SingleReviewer));
    assert!(services.review.loops().is_empty());
}

#[tokio::test]
async fn what_a_page_left_out_since_it_was_taken_back_or_is_asked_elsewhere_is_neither_labelled_nor_asked_again()
 {
    let services = Services::start();
    let asked = input();
    let record = |place: usize| {
        let line = asked["comprehendPredictions"][place].to_string();
        FeedbackRecord::parse(line.as_bytes()).expect("a record")
    };
    let elsewhere = format!("review-{}", "0".repeat(40));
    let mut withdrawn = Question::asked(record(0), LOOP, 3);
    withdrawn.state = State::Withdrawn;
    let moved = Question::asked(record(1), &elsewhere, 1);
    for question in [&withdrawn, &moved] {
        services
            .put(FEEDBACK, &keys::question(&question.record.id), question.to_json())
            .await;
    }
    let mut answers = vec!["World"; asked["comprehendPredictions"].as_array().expect("items").len()];
    let mut output: Value =
        serde_json::from_str(&output(LOOP, &asked.to_string(), &[("w1", 1, &answers)])).expect("JSON");
    for question in [&withdrawn, &moved] {
        let content = output["humanAnswers"][0]["answerContent"].as_object_mut();
        content.expect("an object").remove(&question.record.id);
    }

    services.answered(LOOP, output.to_string()).await;

    answers.truncate(answers.len() - 2);
    assert_eq!(services.labelled(LOOP).await.len(), answers.len());
    assert!(services.review.loops().is_empty() && services.open().await.is_empty());
    for question in [withdrawn, moved] {
        let kept = services.get(FEEDBACK, &keys::question(&question.record.id)).await;
        assert_eq!(Question::parse(kept.as_bytes()), Some(question));
    }
}

#[tokio::test]
async fn what_a_merge_has_settled_and_who_had_the_page_open_contradicts_is_on_the_page_of_the_next_round() {
    let services = Services::start();
    let mut one = input();
    one["comprehendPredictions"] = Value::from(vec![one["comprehendPredictions"][0].clone()]);
    let line = one["comprehendPredictions"][0].to_string();
    let said = |worker: &str, label: &str| Vote {
        worker: worker.to_owned(),
        answer: Answer::labels([label]),
        source: VoteSource::HumanReview,
        at: "2026-11-20T11:00:00.000Z".to_owned(),
        seconds: None,
        note: Default::default(),
    };
    let mut settled = Question::asked(FeedbackRecord::parse(line.as_bytes()).expect("a record"), LOOP, 1);
    settled.votes.clear();
    settled.answer_with(&[said("w1", "World"), said("w2", "World"), said("w3", "Sports")]);
    settled.human_loop = None;
    assert!(settled.state == State::Answered && settled.is_taken_off(&again(1)));
    let key = keys::question(&settled.record.id);
    services.put(FEEDBACK, &key, settled.to_json()).await;

    let contrary = output(&again(1), &one.to_string(), &[("w4", 1, &["Sports"])]);
    services.answered(&again(1), contrary).await;

    let question = Question::parse(services.get(FEEDBACK, &key).await.as_bytes()).expect("a question");
    assert_eq!(question.consensus, Some(Consensus::Tie));
    assert_eq!(services.open().await, [again(2)]);
    assert!(!question.is_taken_off(&again(2)), "somebody can answer it");
}

#[tokio::test]
async fn a_further_round_asks_one_more_and_nobody_who_has_answered() {
    let services = Services::start();

    services.answered(LOOP, BUILT_IN_OUTPUT).await;

    let asked: Value = serde_json::from_str(&services.asked(&again(1))).expect("JSON");
    let output: Value = serde_json::from_str(BUILT_IN_OUTPUT).expect("JSON");
    let answers = output["humanAnswers"].as_array().expect("answers");
    let mut workers: Vec<&Value> = answers.iter().map(|answer| &answer["workerId"]).collect();
    workers.sort_by_key(|worker| worker.to_string());
    assert_eq!(asked["excludedWorkers"], json!(workers));
    assert_eq!(asked["taskCount"], 1);
}

#[tokio::test]
async fn rounds_are_bounded_and_what_people_do_not_agree_on_waits_for_an_adjudicator() {
    let services = Services::start();
    let mut one = input();
    one["comprehendPredictions"] = Value::from(vec![one["comprehendPredictions"][3].clone()]);

    let split: &[(&str, u32, &[&str])] = &[("w1", 1, &["Business"]), ("w2", 1, &["World"])];
    services
        .answered(LOOP, output(LOOP, &one.to_string(), split))
        .await;
    for (round, label) in [(1, "Sports"), (2, "SciTech")] {
        let asked = services.asked(&again(round));
        let worker = format!("w{}", round + 2);
        services
            .answered(
                &again(round),
                output(&again(round), &asked, &[(worker.as_str(), 2, &[label])]),
            )
            .await;
    }

    assert_eq!(services.labelled(&again(2)).await[0].consensus, Consensus::Tie);
    assert_eq!(services.review.loops().len(), 2, "no third round");
    assert!(services.open().await.is_empty());
    let id = one["comprehendPredictions"][0]["id"].as_str().expect("an id");
    let disputed = services.get(TRAINING, &format!("disputed/{id}.json")).await;
    let disputed: Value = serde_json::from_str(&disputed).expect("JSON");
    assert_eq!(disputed["votes"].as_array().map(Vec::len), Some(4));
}

/// The input of a loop about one text that no user has labelled.
fn about_one_text() -> (String, String) {
    let mut one = input();
    one["comprehendPredictions"] = Value::from(vec![one["comprehendPredictions"][3].clone()]);
    let id = one["comprehendPredictions"][0]["id"].as_str().expect("an id");
    (id.to_owned(), one.to_string())
}

impl Services {
    async fn question(&self, id: &str) -> Question {
        let question = self.get(FEEDBACK, &keys::question(id)).await;
        Question::parse(question.as_bytes()).expect("a question")
    }
}

#[tokio::test]
async fn what_the_only_reviewer_cannot_tell_is_asked_of_somebody_else_whose_answer_counts() {
    let services = Services::start();
    let (id, one) = about_one_text();

    services
        .answered(LOOP, output(LOOP, &one, &[("w1", 1, &["__unsure__"])]))
        .await;
    let asked = services.asked(&again(1));
    let before = services.question(&id).await;
    services
        .answered(&again(1), output(&again(1), &asked, &[("w2", 2, &["Sports"])]))
        .await;

    let input: Value = serde_json::from_str(&asked).expect("JSON");
    assert_eq!(
        (&input["excludedWorkers"], &input["taskCount"]),
        (&json!(["w1"]), &json!(1))
    );
    assert_eq!((before.state, before.decided_by), (State::Asked, None));
    let after = services.question(&id).await;
    assert_eq!(after.answer(), Some(&Answer::labels(["Sports"])));
    assert_eq!(
        services.labelled(&again(1)).await[0].consensus,
        agreed("Sports", 1.0)
    );
    assert!(services.open().await.is_empty());
}

#[tokio::test]
async fn what_nobody_can_tell_in_any_round_waits_for_an_adjudicator() {
    let services = Services::start();
    let (id, one) = about_one_text();
    let unsure: &[&str] = &["__unsure__"];

    services
        .answered(LOOP, output(LOOP, &one, &[("w1", 1, unsure)]))
        .await;
    for round in [1, 2] {
        let (asked, worker) = (services.asked(&again(round)), format!("w{}", round + 1));
        let answers = [(worker.as_str(), 2, unsure)];
        services
            .answered(&again(round), output(&again(round), &asked, &answers))
            .await;
    }

    assert_eq!(services.review.loops().len(), 2, "no third round");
    let disputed = services.get(TRAINING, &keys::disputed(&id)).await;
    let disputed: Value = serde_json::from_str(&disputed).expect("JSON");
    assert_eq!(disputed["votes"].as_array().map(Vec::len), Some(3));
    assert_eq!(services.question(&id).await.state, State::Disputed);
}

#[tokio::test]
async fn a_vote_that_came_while_people_were_asked_counts_with_theirs() {
    let services = Services::start();
    let mut one = input();
    one["comprehendPredictions"] = Value::from(vec![one["comprehendPredictions"][3].clone()]);
    let record =
        FeedbackRecord::parse(one["comprehendPredictions"][0].to_string().as_bytes()).expect("a record");
    let mut question = Question::asked(record.clone(), LOOP, 1);
    let suggestion = FeedbackRecord {
        suggested_label: Some("World".to_owned()),
        user: Some("bob".to_owned()),
        ..record.clone()
    };
    question.hear(&Opinion::of(&suggestion));
    services
        .put(FEEDBACK, &keys::question(&record.id), question.to_json())
        .await;

    let split: &[(&str, u32, &[&str])] = &[("w1", 1, &["Business"]), ("w2", 1, &["World"])];
    services
        .answered(LOOP, output(LOOP, &one.to_string(), split))
        .await;

    let lines = services.labelled(LOOP).await;
    assert_eq!(lines[0].consensus, agreed("World", 0.5));
    assert_eq!(lines[0].decided_by, Some(DecidedBy::UserBrokeTie));
}

#[tokio::test]
async fn a_tie_that_a_user_has_broken_since_waits_for_no_adjudicator_where_nobody_else_can_tell() {
    let services = Services::start();
    let (id, one) = about_one_text();
    let unsure: &[&str] = &["__unsure__"];
    let split: &[(&str, u32, &[&str])] = &[("w1", 1, &["Business"]), ("w2", 1, &["World"])];

    services.answered(LOOP, output(LOOP, &one, split)).await;
    for round in [1, 2] {
        let (asked, worker) = (services.asked(&again(round)), format!("w{}", round + 2));
        let mut question = services.question(&id).await;
        if round == 2 {
            let suggestion = FeedbackRecord {
                suggested_label: Some("World".to_owned()),
                user: Some("bob".to_owned()),
                received_at: "2026-11-20T12:00:00Z".to_owned(),
                ..question.record.clone()
            };
            question.hear(&Opinion::of(&suggestion));
            let key = keys::question(&id);
            services.put(FEEDBACK, &key, question.to_json()).await;
        }
        let answers = [(worker.as_str(), 2, unsure)];
        services
            .answered(&again(round), output(&again(round), &asked, &answers))
            .await;
    }

    let question = services.question(&id).await;
    assert_eq!(question.answer(), Some(&Answer::labels(["World"])));
    assert_eq!(question.decided_by, Some(DecidedBy::UserBrokeTie));
    assert!(services.keys(TRAINING, "disputed/").await.is_empty());
}

#[tokio::test]
async fn what_nobody_answered_is_asked_again() {
    let services = Services::start();

    services
        .answered(
            LOOP,
            output(LOOP, &input().to_string(), &[("w1", 1, &["Business", "Sports"])]),
        )
        .await;

    assert_eq!(utterances(&services.asked(&again(1))).len(), 4);
    assert_eq!(
        services.labelled(LOOP).await[2].consensus,
        Consensus::Unanswered,
        "a user's label is no review"
    );
}

#[tokio::test]
async fn rounds_of_a_loop_that_was_started_again_know_its_votes() {
    let services = Services::start();
    let retried = format!("{LOOP}-retry-2");
    services
        .answered(&retried, BUILT_IN_OUTPUT.replace(LOOP, &retried))
        .await;
    let asked = services.asked(&again(1));
    let retried_round = format!("{}-retry-1", again(1));

    services
        .answered(
            &retried_round,
            output(&retried_round, &asked, &[("w3", 1, &["World", "World"])]),
        )
        .await;

    assert_eq!(
        services.labelled(&retried_round).await[1].consensus,
        agreed("World", 2.0 / 3.0)
    );
}

#[tokio::test(start_paused = true)]
async fn labels_do_not_wait_for_a_review_service_that_is_down_and_the_next_event_asks() {
    let services = Services::start();
    let down = r#"{"__type": "InternalServerException"}"#;
    services.script.answer(15, START, 500, down);
    let event = services.output(LOOP, BUILT_IN_OUTPUT).await;

    let failed = services
        .function()
        .handle(event.clone())
        .await
        .expect_err("not asked");
    let lines = services.labelled(LOOP).await.len();
    services.function().handle(event).await.expect("the redelivery");

    assert_eq!(
        (Diagnostic::from(failed).error_type.as_str(), lines),
        ("NotNow", 6)
    );
    assert_eq!(services.review.status(&again(1)).as_deref(), Some("InProgress"));
}
