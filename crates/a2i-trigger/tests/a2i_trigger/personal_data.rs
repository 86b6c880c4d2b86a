//! Personal data in what other producers put into the stream.

use active_learning_core::feedback::record_id;
use serde_json::{Value, json};

use crate::harness::*;

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
