//! What clients and other producers send, as they send it: bodies without a classifier, records without a line feed.

use active_learning_core::feedback::record_id;
use aws_sdk_firehose::{primitives::Blob, types::Record};
use serde_json::{Value, json};

use crate::{
    harness::{self, items_of_loops, json_objects, until},
    new_models::{BY_HAND, Stack, news},
};

const PARAMETERS: [(&str, &str); 2] = [
    ("ComprehendClassificationScoreThreshold", "1"),
    ("DefaultClassifierName", "tickets"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_body_with_an_empty_classifier_and_one_without_it_are_of_the_default_classifier_in_both_apis() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let parameters = [&BY_HAND[..], &PARAMETERS].concat();
    let stack = Stack::start(folder.path(), &news()[..24], &parameters).await;
    let (classify, feedback) = (
        stack.outputs.output("TextClassificationApiGatewayID"),
        stack.outputs.output("FeedbackAPIGatewayID"),
    );
    let key = &stack.outputs.api_key_value;
    let texts = [
        "The city wants to buy the club a new stadium.",
        "Shares fell after the merger was called off.",
        "A probe landed on the far side of the Moon.",
        "Voters go to the polls on Sunday, for the third time this year.",
    ];
    let with_empty = |text: &str| json!({"classifier": "", "sentence": text});
    let without = |text: &str| json!({"sentence": text});

    let classified = [
        harness::post(classify, key, &with_empty(texts[0])).await,
        harness::post(classify, key, &without(texts[1])).await,
    ];
    let disliked = [
        harness::post(feedback, key, &with_empty(texts[2])).await,
        harness::post(feedback, key, &without(texts[3])).await,
    ];
    let blank = [
        harness::post(classify, key, &with_empty("")).await,
        harness::post(feedback, key, &with_empty("")).await,
    ];
    let mut expected = texts.map(|text| record_id("tickets", text)).to_vec();
    expected.sort();
    let mut asked = Vec::new();
    until(async || {
        asked = items_of_loops(&stack.s3, stack.outputs.output("ReviewS3Bucket")).await;
        asked.sort();
        asked.len() >= expected.len()
    })
    .await;
    stack.stop().await;

    for ((status, answer), text) in classified.iter().zip(&texts[..2]) {
        assert_eq!(
            (*status, &answer["classifier"]),
            (200, &json!("tickets")),
            "{answer}"
        );
        assert_eq!(answer["utterance"], json!(text));
        assert_eq!(answer["review"]["queued"], json!(true), "{answer}");
    }
    for (status, answer) in &disliked {
        assert_eq!(*status, 200, "{answer}");
    }
    for (status, problem) in &blank {
        assert_eq!((*status, &problem["code"]), (400, &json!("invalid_request")));
        assert_eq!(problem["detail"], "field `sentence` is missing or empty");
    }
    assert_eq!(asked, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_another_producer_puts_into_the_stream_without_a_line_feed_are_asked_one_by_one() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let stack = Stack::start(folder.path(), &news()[..24], &BY_HAND).await;
    let firehose = aws_sdk_firehose::Client::new(&stack.running.aws.sdk_config());
    let streams = firehose.list_delivery_streams().send().await.expect("listed");
    let stream = &streams.delivery_stream_names()[0];
    let line = |text: &str| json!({"classifier": "news", "utterance": text}).to_string();
    let record = |data: String| Record::builder().data(Blob::new(data)).build().expect("data");
    let texts = [
        "An eel was found in the cellar of the town hall.",
        "Nobody knows who painted the bridge at night.",
        "The bakery sells bread of acorns again.",
        "Two ferries swapped their captains by mistake.",
        "A choir of nurses won the radio prize.",
    ];
    let damaged = "{\"classifier\": \"news\", \"utterance\": \"cut o";

    let batch = firehose.put_record_batch().delivery_stream_name(stream);
    let put = batch
        .records(record(line(texts[0])))
        .records(record(format!("{}{}", line(texts[1]), line(texts[2]))))
        .records(record(damaged.to_owned()))
        .records(record(line(texts[3])))
        .send()
        .await
        .expect("taken");
    let key = &stack.outputs.api_key_value;
    let api = stack.outputs.output("FeedbackAPIGatewayID");
    let own = harness::post(api, key, &json!({"classifier": "news", "sentence": texts[4]})).await;
    let mut expected = texts.map(|text| record_id("news", text)).to_vec();
    expected.sort();
    let mut asked = Vec::new();
    until(async || {
        asked = items_of_loops(&stack.s3, stack.outputs.output("ReviewS3Bucket")).await;
        asked.sort();
        asked.len() >= expected.len()
    })
    .await;
    let bucket = stack.outputs.output("FeedbackS3Bucket");
    let mut rejected: Vec<Value> = Vec::new();
    until(async || {
        rejected = json_objects(&stack.s3, bucket, "rejected/a2i-trigger/", ".jsonl").await;
        !rejected.is_empty()
    })
    .await;
    stack.stop().await;

    assert_eq!((put.failed_put_count(), own.0), (0, 200));
    assert_eq!(asked, expected, "each once, the damaged one took none with it");
    assert_eq!(rejected.len(), 1, "{rejected:?}");
    assert!(rejected[0].to_string().contains("cut o"), "{}", rejected[0]);
}
