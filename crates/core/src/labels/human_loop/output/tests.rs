use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::labels::human_loop::Answer;

fn items(count: usize) -> Vec<Value> {
    let item = |number| {
        let text = format!("Text {number}");
        json!({"id": crate::feedback::record_id("news", &text), "classifier": "news", "utterance": text})
    };
    (1..=count).map(item).collect()
}

fn output(items: &[Value], answer_content: Value) -> HumanLoopOutput {
    let document = json!({
        "flowDefinitionArn": "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/review",
        "humanAnswers": [{
            "answerContent": answer_content,
            "submissionTime": "2026-11-20T10:00:12.345Z",
            "timeSpentInSeconds": 24.0,
            "workerId": "0123456789abcdef",
            "workerMetadata": {"identityData": {"identityProviderType": "Cognito", "issuer": "https://idp.example", "sub": "s"}},
        }],
        "humanLoopName": "review-1",
        "inputContent": {"comprehendPredictions": items, "labels": (1..=30).map(|n| format!("L{n}")).collect::<Vec<_>>()},
    });
    HumanLoopOutput::parse(document.to_string().as_bytes()).expect("an output")
}

fn labels(output: &HumanLoopOutput) -> Vec<Option<Answer>> {
    let vote = |item: ReviewedItem| item.votes.first().map(|vote| vote.answer.clone());
    output.reviewed().into_iter().map(vote).collect()
}

fn expected(count: usize) -> Vec<Option<Answer>> {
    (1..=count)
        .map(|number| Some(Answer::labels([format!("L{number}")])))
        .collect()
}

#[test]
fn twelve_answers_in_alphabetical_key_order_give_twelve_right_pairs() {
    for name in ["textCategory", "item-", "choice"] {
        let items: Vec<Value> = (1..=12)
            .map(|n| json!({"classifier": "news", "utterance": format!("Text {n}")}))
            .collect();
        let answers: BTreeMap<String, String> = (1..=12)
            .map(|n| (format!("{name}{n}"), format!("L{n}")))
            .collect();
        assert_eq!(
            answers.keys().nth(1),
            Some(&format!("{name}10")),
            "sorted as texts"
        );

        let output = output(&items, json!(answers));

        assert_eq!(labels(&output), expected(12), "{name}");
        assert!(output.unmatched_fields().is_empty());
    }
}

#[test]
fn an_item_whose_text_was_erased_keeps_its_number_and_is_no_record() {
    for name in ["textCategory", "item-"] {
        let mut items = items(4);
        items[1] = crate::erasure::erased_item(&items[1]);
        let answers: BTreeMap<String, String> =
            (1..=4).map(|n| (format!("{name}{n}"), format!("L{n}"))).collect();

        let output = output(&items, json!(answers));

        let mut others = expected(4);
        others.remove(1);
        assert_eq!(labels(&output), others, "{name}");
        assert!(output.unusable_items().is_empty());
    }
}

#[test]
fn fields_numbered_from_zero_are_read_from_zero() {
    let items = items(12);
    let answers: BTreeMap<String, String> = (0..12)
        .map(|n| (format!("textCategory{n}"), format!("L{}", n + 1)))
        .collect();

    assert_eq!(labels(&output(&items, json!(answers))), expected(12));
}

#[test]
fn fields_beside_the_answers_are_reported_not_read() {
    let items = items(2);
    let id = items[0]["id"].as_str().expect("an id");

    let output = output(
        &items,
        json!({id: "L1", "comment1": "L2", "remark2": "L3", "ffff": "L4"}),
    );

    assert_eq!(labels(&output), [Some(Answer::labels(["L1"])), None]);
    assert_eq!(
        output.unmatched_fields().into_iter().collect::<Vec<_>>(),
        ["comment1", "ffff", "remark2"]
    );
}

#[test]
fn a_vote_carries_worker_time_and_its_share_of_the_seconds() {
    let items = items(2);
    let output = output(
        &items,
        json!({"textCategory2": {"label": "Weather"}, "textCategory1": "__unsure__"}),
    );

    let reviewed = output.reviewed();

    assert_eq!(output.human_loop_name, "review-1");
    assert_eq!(
        reviewed[1].votes,
        [Vote {
            worker: "0123456789abcdef".into(),
            answer: Answer::NewLabel {
                label: "Weather".into()
            },
            source: VoteSource::HumanReview,
            at: "2026-11-20T10:00:12.345Z".into(),
            seconds: Some(12.0),
            note: Default::default(),
        }]
    );
    assert_eq!(reviewed[0].votes[0].answer, Answer::Unsure);
}

#[test]
fn an_item_without_an_answer_has_no_vote() {
    let items = items(3);
    let id = items[1]["id"].as_str().expect("an id");

    assert_eq!(
        labels(&output(&items, json!({id: {"labels": []}}))),
        [None, None, None]
    );
    assert_eq!(labels(&output(&items, json!({}))), [None, None, None]);
}

#[test]
fn an_answer_of_which_nothing_can_be_read_is_counted_and_a_blank_one_is_not() {
    let items = items(2);

    assert_eq!(output(&items, json!({"category": "L1"})).unreadable_answers(), 1);
    assert_eq!(output(&items, json!({"category": ""})).unreadable_answers(), 0);
    assert_eq!(output(&items, json!({"item-2": "L1"})).unreadable_answers(), 0);
}

#[test]
fn one_blank_item_does_not_reject_the_others_of_its_page() {
    let mut items = items(3);
    items[1] = json!({"classifier": "news", "utterance": " "});

    let output = output(&items, json!({"item-1": "L1", "item-2": "L2", "item-3": "L3"}));

    assert_eq!(
        labels(&output),
        [Some(Answer::labels(["L1"])), Some(Answer::labels(["L3"]))]
    );
    assert_eq!(output.unusable_items().len(), 1);
    assert_eq!(output.unusable_items()[0].0, 2);
}

#[test]
fn the_key_of_a_correction_names_the_loop_that_it_corrects() {
    let folder = "review/2026/11/20/10/00/00/loop-1";

    assert_eq!(
        loop_of_correction(&format!("{folder}/corrections/0f-1/output.json")),
        Some("loop-1")
    );
    for key in [
        format!("{folder}/output.json"),
        format!("{folder}/corrections/output.json"),
        format!("{folder}/corrections/a/b/output.json"),
        "loop-1/corrections/0f-1/output.json".to_owned(),
    ] {
        assert_eq!(loop_of_correction(&key), None, "{key}");
    }
    assert_eq!(
        loop_of_output(&format!("{folder}/corrections/0f-1/output.json")),
        None
    );
}

#[test]
fn an_output_of_something_else_is_refused_without_quoting_it() {
    let parse =
        |document: Value| HumanLoopOutput::parse(document.to_string().as_bytes()).expect_err("refused");
    let document = |input: Value| json!({"flowDefinitionArn": "a", "humanLoopName": "n", "humanAnswers": [], "inputContent": input});

    assert!(matches!(
        parse(json!({"secret": 1})),
        InvalidOutput::Json { line: 1, .. }
    ));
    assert_eq!(parse(document(json!({"items": []}))), InvalidOutput::NoItems);
    let blank = parse(document(
        json!({"comprehendPredictions": [{"classifier": "news", "utterance": " "}]}),
    ));
    assert!(matches!(blank, InvalidOutput::Item { number: 1, .. }), "{blank}");
}

#[test]
fn what_a_reviewer_says_beside_an_answer_stays_with_the_vote() {
    let items = items(2);
    let ids: Vec<String> = items
        .iter()
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect();
    let content = json!({
        &ids[0]: "L1", format!("comment:{}", ids[0]): " could be L2 ", format!("flag:{}", ids[0]): "yes",
        &ids[1]: "L2",
    });

    let reviewed = output(&items, content).reviewed();
    let stored = serde_json::to_value(&reviewed[0].votes[0]).expect("JSON");
    let read: Vote = serde_json::from_value(stored.clone()).expect("a vote");

    assert_eq!(stored["comment"], "could be L2");
    assert_eq!(stored["flagged"], true);
    assert_eq!(read, reviewed[0].votes[0]);
    assert_eq!(reviewed[1].votes[0].note, Note::default());
}

proptest! {
    #[test]
    fn answers_meet_their_records_whatever_the_order_of_keys_and_items(
        order in Just((1..=25usize).collect::<Vec<_>>()).prop_shuffle(), answered in 0usize..=25,
    ) {
        let all = items(25);
        let shuffled: Vec<Value> = order.iter().map(|number| all[number - 1].clone()).collect();
        let content: Map<String, Value> = (1..=answered)
            .map(|number| (all[number - 1]["id"].as_str().expect("an id").to_owned(), json!(format!("L{number}"))))
            .collect();

        let reviewed = output(&shuffled, Value::Object(content)).reviewed();

        for (item, number) in reviewed.iter().zip(order) {
            prop_assert_eq!(&item.record.utterance, &format!("Text {number}"));
            let given = item.votes.first().map(|vote| vote.answer.clone());
            prop_assert_eq!(given, (number <= answered).then(|| Answer::labels([format!("L{number}")])));
        }
    }
}

#[test]
fn the_exclusion_category_of_an_own_template_says_that_none_fits_in_whatever_words() {
    let read = |content: Value, categories: Value| {
        let document = json!({
            "flowDefinitionArn": "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/review",
            "humanAnswers": [{
                "answerContent": content, "submissionTime": "2026-11-20T10:00:12.345Z",
                "workerId": "0123456789abcdef", "exclusionCategories": categories,
            }],
            "humanLoopName": "review-1",
            "inputContent": {"comprehendPredictions": items(1), "labels": ["L1", "L2"]},
        });
        let output = HumanLoopOutput::parse(document.to_string().as_bytes()).expect("an output");
        assert_eq!(output.unreadable_answers(), 0, "{document}");
        labels(&output)
    };
    let german = json!({"category": "Keine davon"});

    for content in [
        json!({"category": {"label": "Keine davon"}}),
        json!({"category": {"label": " keine  DAVON"}, "comment": "L1"}),
        json!({"category": {"labels": ["Keine davon"]}}),
    ] {
        assert_eq!(
            read(content.clone(), german.clone()),
            [Some(Answer::NoneFits)],
            "{content}"
        );
    }
    for (content, answer) in [
        (json!({"category": {"label": "L1"}}), Answer::labels(["L1"])),
        (
            json!({"category": {"labels": ["L2", "L1"]}}),
            Answer::labels(["L1", "L2"]),
        ),
        // Somebody typed it, or chose it where it is no exclusion category.
        (
            json!({"category": "Keine davon"}),
            Answer::proposal(["Keine davon"]),
        ),
        (
            json!({"label": {"label": "Keine davon"}}),
            Answer::proposal(["Keine davon"]),
        ),
    ] {
        assert_eq!(read(content.clone(), german.clone()), [Some(answer)], "{content}");
    }
    let of_before = json!({"category": {"label": "Keine davon"}});
    assert_eq!(
        read(of_before, json!({})),
        [Some(Answer::proposal(["Keine davon"]))]
    );
}

#[test]
fn what_the_page_says_itself_is_no_answer() {
    let mut items = items(1);
    items[0]["prediction"] = json!("L2");
    let echo = items[0].to_string();
    let input = json!({ "comprehendPredictions": items });
    for (content, answer) in [
        (json!({ "meta": echo, "t": "L1" }), Some("L1")),
        (json!({ "meta": items[0], "t": "L1" }), Some("L1")),
        (json!({ "input": input, "t": "L1" }), Some("L1")),
        (json!({ "meta": echo }), Some("L2")),
        (
            json!({ "prediction": "L2", "is_correct": { "yes": false, "no": true } }),
            None,
        ),
        (json!({ "prediction": "L2", "agree": false }), None),
        (json!({ "prediction": "L2", "agree": true }), Some("L2")),
        (json!({ "prediction": "L2", "verdict": "incorrect" }), None),
        (json!({ "prediction": "L2", "is_wrong": { "on": true } }), None),
        (
            json!({ "prediction": "L2", "is_wrong": { "on": false } }),
            Some("L2"),
        ),
        (json!({ "category": "L1", "is_correct": "no" }), Some("L1")),
        (
            json!({ "category": { "label": "L2" }, "is_correct": "no" }),
            Some("L2"),
        ),
        (json!({ "category": "L2", "none_correct": false }), Some("L2")),
        (
            json!({ "input": { "comprehendPredictions": [{ "id": items[0]["id"], "label": "L1" }] } }),
            Some("L1"),
        ),
    ] {
        let output = output(&items, content.clone());

        assert_eq!(
            labels(&output),
            [answer.map(|label| Answer::labels([label]))],
            "{content}"
        );
    }
}

#[test]
fn a_repeated_prediction_that_is_denied_is_no_answer_to_its_item_of_several() {
    let mut items = items(2);
    for item in &mut items {
        item["prediction"] = json!("L2");
    }
    let id = |place: usize| items[place]["id"].as_str().expect("an id").to_owned();
    let by = |name: &dyn Fn(&str, usize) -> String| {
        json!({
            name("prediction", 0): "L2", name("is_correct", 0): "no",
            name("prediction", 1): "L2", name("is_correct", 1): "yes",
        })
    };
    for content in [
        by(&|name, place| format!("{name}-{}", place + 1)),
        by(&|name, place| format!("{name}{place}")),
        by(&|name, place| format!("{name}-{}", id(place))),
        json!({
            id(0): { "prediction": "L2", "is_correct": { "yes": false, "no": true } },
            id(1): { "prediction": "L2", "is_correct": { "yes": true, "no": false } },
        }),
    ] {
        let output = output(&items, content.clone());

        assert_eq!(labels(&output), [None, Some(Answer::labels(["L2"]))], "{content}");
    }
}

#[test]
fn an_answer_of_a_list_is_of_the_item_whose_number_it_names() {
    let items = items(4);
    for first in [0, 1] {
        let of = |number: usize| json!({ "index": number - 1 + first, "label": format!("L{number}") });
        let content = json!({ "answers": [of(4), of(2), of(1), of(3)] });

        assert_eq!(labels(&output(&items, content)), expected(4), "from {first} on");
    }
    // What is no number of an item, or not of one each.
    for numbers in [[0, 0, 2, 3], [7, 8, 9, 10]] {
        let of = |number: usize| json!({ "index": numbers[number - 1], "label": format!("L{number}") });
        let content = json!({ "answers": [of(1), of(2), of(3), of(4)] });
        assert_eq!(
            labels(&output(&items, content)),
            expected(4),
            "{numbers:?}: by place"
        );
    }
    let of = |number: usize| json!({ "label": format!("L{number}"), "labelIndex": 4 - number });
    let content = json!({ "answers": [of(1), of(2), of(3), of(4)] });
    assert_eq!(
        labels(&output(&items, content)),
        expected(4),
        "a number of the label"
    );
}
