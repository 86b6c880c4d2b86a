//! Ties and unanswered records go back to people, a bounded number of times.

use active_learning_core::labels::{consolidation::Consensus, human_loop::Answer};
use lambda_runtime::Diagnostic;
use serde_json::Value;

use crate::harness::{BUILT_IN_OUTPUT, LOOP, START, Services, input, output};

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
async fn a_tie_alone_is_asked_again_with_the_same_choices_and_the_merged_votes_decide() {
    let services = Services::start();

    services.answered(LOOP, BUILT_IN_OUTPUT).await;
    let asked = services.asked(&again(1));
    services
        .answered(&again(1), output(&again(1), &asked, &[("w3", 1, &["Sports"])]))
        .await;

    assert_eq!(
        utterances(&asked),
        ["The minister, a keen cyclist, opened the velodrome."]
    );
    let (asked, first): (Value, Value) = (serde_json::from_str(&asked).expect("JSON"), input());
    for kept in ["labels", "bucketName", "keyName"] {
        assert_eq!(asked[kept], first[kept]);
    }
    assert_eq!(asked["rowCount"], 1);
    let lines = services.labelled(&again(1)).await;
    assert_eq!(lines[0].consensus, agreed("Sports", 2.0 / 3.0));
    assert_eq!(lines[0].votes.len(), 1, "earlier votes stay in their own object");
    assert!(services.open().await.is_empty());
    assert_eq!(services.review.loops().len(), 1);
}

#[tokio::test]
async fn a_user_who_is_contradicted_is_one_vote_over_all_rounds() {
    let services = Services::start();
    let mut one = input();
    one["comprehendPredictions"] = Value::from(vec![one["comprehendPredictions"][2].clone()]);

    services
        .answered(LOOP, output(LOOP, &one.to_string(), &[("w1", 1, &["Business"])]))
        .await;
    let asked = services.asked(&again(1));
    services
        .answered(&again(1), output(&again(1), &asked, &[("w2", 2, &["Business"])]))
        .await;

    let first = services.labelled(LOOP).await;
    assert_eq!((first[0].votes.len(), &first[0].consensus), (2, &Consensus::Tie));
    let second = services.labelled(&again(1)).await;
    assert_eq!(second[0].consensus, agreed("Business", 2.0 / 3.0));
    let users = first
        .iter()
        .chain(&second)
        .flat_map(|line| &line.votes)
        .filter(|vote| vote.worker == "user:ada");
    assert_eq!(users.count(), 1);
}

#[tokio::test]
async fn rounds_are_bounded_and_what_is_still_a_tie_stays_one() {
    let services = Services::start();
    let mut one = input();
    one["comprehendPredictions"] = Value::from(vec![one["comprehendPredictions"][2].clone()]);

    // One reviewer who answers the same every time: their last vote counts, against the user's.
    services
        .answered(LOOP, output(LOOP, &one.to_string(), &[("w1", 1, &["Business"])]))
        .await;
    for round in 1..=2 {
        let asked = services.asked(&again(round));
        let minute = u32::from(round) + 1;
        services
            .answered(
                &again(round),
                output(&again(round), &asked, &[("w1", minute, &["Business"])]),
            )
            .await;
    }

    assert_eq!(services.labelled(&again(2)).await[0].consensus, Consensus::Tie);
    assert_eq!(services.review.loops().len(), 2, "no third round");
    assert!(services.open().await.is_empty());
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
            output(&retried_round, &asked, &[("w3", 1, &["World"])]),
        )
        .await;

    assert_eq!(
        services.labelled(&retried_round).await[0].consensus,
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
