//! Personal data in what other producers put into the stream.

use active_learning_core::feedback::record_id;
use serde_json::{Value, json};

use crate::{erased::erase, harness::*};

const ADDRESS: &str = "jane@example.com";
const MASKED: &str = "Please send it to [EMAIL].";

/// Has a text of another producer worked off, and a line that is no record; returns what reviewers are asked.
async fn asked(services: &Services, treatment: &str) -> Vec<Value> {
    let text = format!("Please send it to {ADDRESS}.");
    let lines = [
        json!({"classifier": "news", "utterance": text}),
        json!({"classifier": "news", "utterance": MASKED}),
        json!({"classifier": "news", "utterence": text}),
    ];
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let event = services.deliver("feedback/a", lines).await;
    let script = starting();

    let function = services.function_with_personal_data(&script, treatment);
    function.handle(event).await.expect("worked off");

    let inputs = loops(&script).into_iter().map(|(_, input)| input);
    let inputs = inputs.map(|input| serde_json::from_str::<Value>(&input).expect("JSON"));
    let items = inputs.flat_map(|input| input["comprehendPredictions"].as_array().cloned());
    items.flatten().collect()
}

/// Returns the keys of what holds the address.
async fn holding(services: &Services) -> Vec<String> {
    let mut holding = Vec::new();
    for bucket in [BUCKET, TRAINING_BUCKET] {
        for key in services.keys_in(bucket, "").await {
            if services.get_in(bucket, &key).await.contains(ADDRESS) {
                holding.push(key);
            }
        }
    }
    holding
}

#[tokio::test]
async fn what_another_producer_puts_into_the_stream_is_masked_before_it_is_stored_anywhere_else() {
    let services = Services::start();

    let items = asked(&services, "mask").await;

    let [item] = items.as_slice() else {
        panic!("two spellings of one masked text are one question: {items:?}");
    };
    assert_eq!(item["utterance"], MASKED);
    assert_eq!(item["id"], record_id("news", MASKED));
    let rejected = services.keys("rejected/a2i-trigger/").await;
    assert!(services.get(&rejected[0]).await.contains("[EMAIL]"));
    assert_eq!(
        holding(&services).await,
        ["feedback/a"],
        "what was delivered itself"
    );
}

#[tokio::test]
async fn in_a_stack_that_does_not_mask_by_form_a_text_of_another_producer_stays_as_it_is() {
    for treatment in ["keep", "comprehend"] {
        let services = Services::start();

        let items = asked(&services, treatment).await;

        let mut texts: Vec<_> = items
            .iter()
            .filter_map(|item| item["utterance"].as_str())
            .collect();
        texts.sort_unstable();
        assert_eq!(
            texts,
            [MASKED, "Please send it to jane@example.com."],
            "{treatment}"
        );
    }
}

/// Has lines of an object worked off where personal data is masked; returns the texts that reviewers are asked about.
async fn asked_about(services: &Services, key: &str, lines: impl Into<Vec<u8>>) -> Vec<String> {
    let event = services.deliver(key, lines).await;
    let script = starting();
    let function = services.function_with_personal_data(&script, "mask");
    function.handle(event).await.expect("worked off");
    utterances(&loops(&script))
}

#[tokio::test]
async fn what_the_stack_delivers_again_keeps_the_text_by_which_its_question_is_known() {
    let text = format!("Please send it to {ADDRESS}.");
    let again = [
        ("feedback/relabel/2-0.jsonl", "relabel"),
        ("feedback/released/one-1.jsonl", "low-confidence"),
        ("feedback/redriven/review-1-0.jsonl", "low-confidence"),
        ("feedback/a", "relabel"),
    ];

    for (key, signal) in again {
        let services = Services::start();

        let asked = asked_about(&services, key, line(&text, signal, 0.2)).await;

        assert_eq!(asked, [text.as_str()], "{key}");
        let questions = services.keys("questions/").await;
        let id = record_id("news", &text);
        assert!(questions.iter().any(|key| key.contains(&id)), "{questions:?}");
    }
}

#[tokio::test]
async fn a_text_that_was_erased_is_known_before_it_is_masked_and_is_taken_out_of_the_object() {
    let services = Services::start();
    let text = format!("Please send it to {ADDRESS}.");
    erase(&services, &text).await;
    let lines = line(&text, "low-confidence", 0.2) + &line("Another.", "low-confidence", 0.2);

    let asked = asked_about(&services, "feedback/a", lines).await;

    assert_eq!(asked, ["Another."]);
    let left = services.get("feedback/a").await;
    assert!(left.contains("Another.") && !left.contains(ADDRESS), "{left}");
}

#[tokio::test]
async fn a_bad_line_that_cannot_be_looked_through_is_left_out_and_its_reason_says_so() {
    let services = Services::start();
    let lines = format!("{{\"utterance\": \"to\\n{ADDRESS}\n");

    let asked = asked_about(&services, "feedback/a", lines).await;

    assert!(asked.is_empty());
    assert_eq!(holding(&services).await, ["feedback/a"]);
    let rejected = services.keys("rejected/a2i-trigger/").await;
    let rejected = services.get(&rejected[0]).await;
    assert!(
        rejected.contains("cannot be looked through for personal data"),
        "{rejected}"
    );
}
