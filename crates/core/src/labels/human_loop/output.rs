//! `output.json`: what the reviewers of a human loop answered.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{HumanLoopInput, read_answer};
use crate::{
    feedback::FeedbackRecord,
    labels::vote::{Vote, VoteSource},
};

/// Prefixes of numbered input names that templates are known to use: the reference sample's and the shipped one's.
const NUMBERED_FIELDS: [&str; 2] = ["textCategory", "item-"];

/// Why an output cannot be used. Safe to show: it never holds a text of the loop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOutput {
    /// Not a JSON object of the shape that A2I writes.
    #[error("not the output of a human loop (line {line}, column {column})")]
    Json {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error, from 1.
        column: usize,
    },
    /// The loop was not started with the input of [`HumanLoopInput`](super::HumanLoopInput).
    #[error("the human loop's input has no `comprehendPredictions`")]
    NoItems,
    /// An item of the input is no feedback record.
    #[error("item {number} of the human loop's input is no feedback record: {reason}")]
    Item {
        /// Its number, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The output of a finished human loop with a custom task type.
///
/// Source: Amazon A2I, "Output data from custom task types". There is no status in it.
#[derive(Clone, Debug, PartialEq)]
pub struct HumanLoopOutput {
    /// Name of the loop.
    pub human_loop_name: String,
    /// ARN of the flow definition.
    pub flow_definition_arn: String,
    /// What the loop was started with, parsed.
    pub input_content: Value,
    /// One entry per worker.
    pub answers: Vec<WorkerAnswer>,
    items: Vec<Item>,
}

/// What one worker sent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerAnswer {
    /// Id of the worker.
    pub worker_id: String,
    /// When they submitted, RFC 3339 in UTC.
    pub submission_time: String,
    /// Seconds they spent on the whole task; older outputs do not say.
    #[serde(rename = "timeSpentInSeconds")]
    pub seconds: Option<f64>,
    /// Input name to value.
    pub answer_content: Map<String, Value>,
}

#[derive(Clone, Debug, PartialEq)]
struct Item {
    /// The id by which the template named its input; without one, the record's own.
    id: String,
    record: FeedbackRecord,
}

/// A record of the loop with its votes; nobody answered it if there are none.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewedItem {
    /// The record that was asked about.
    pub record: FeedbackRecord,
    /// At most one vote per worker, in the order of the output.
    pub votes: Vec<Vote>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    flow_definition_arn: String,
    human_loop_name: String,
    human_answers: Vec<WorkerAnswer>,
    input_content: Value,
}

impl HumanLoopOutput {
    /// Reads an `output.json`.
    ///
    /// # Errors
    ///
    /// [`InvalidOutput`] when it is no output, or of a loop that this workflow did not start.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidOutput> {
        let document: Document = serde_json::from_slice(json).map_err(|error| InvalidOutput::Json {
            line: error.line(),
            column: error.column(),
        })?;
        let items = document
            .input_content
            .get("comprehendPredictions")
            .and_then(Value::as_array);
        let items = items.ok_or(InvalidOutput::NoItems)?;
        let items = items.iter().zip(1..).map(|(value, number)| {
            let line = value.to_string();
            let record = FeedbackRecord::parse(line.as_bytes()).map_err(|error| InvalidOutput::Item {
                number,
                reason: error.to_string(),
            })?;
            let id = value
                .get("id")
                .and_then(Value::as_str)
                .unwrap_or(&record.id)
                .to_owned();
            Ok(Item { id, record })
        });
        Ok(Self {
            human_loop_name: document.human_loop_name,
            flow_definition_arn: document.flow_definition_arn,
            items: items.collect::<Result<_, _>>()?,
            answers: document.human_answers,
            input_content: document.input_content,
        })
    }

    /// Returns the labels that reviewers could choose from; empty where the input names none.
    pub fn offered_labels(&self) -> Vec<String> {
        let labels = self.input_content.get("labels").and_then(Value::as_array);
        labels
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// Returns the delivered object that the loop asks about, `<bucket>/<key>`: what claimed its records.
    pub fn origin(&self) -> String {
        let text = |name| self.input_content.get(name).and_then(Value::as_str);
        let [bucket, key] = ["bucketName", "keyName"].map(|name| text(name).unwrap_or_default());
        format!("{bucket}/{key}")
    }

    /// Returns the input of a loop that asks somebody else about some of the records, with the same choices and origin.
    pub fn asking_again(
        &self,
        records: Vec<FeedbackRecord>,
        excluded_workers: Vec<String>,
    ) -> HumanLoopInput {
        let text = |name| self.input_content.get(name).and_then(Value::as_str);
        HumanLoopInput {
            labels: self.offered_labels(),
            row_count: records.len(),
            bucket_name: text("bucketName").unwrap_or_default().to_owned(),
            key_name: text("keyName").unwrap_or_default().to_owned(),
            comprehend_predictions: records,
            excluded_workers,
            task_count: Some(1),
        }
    }

    /// Matches the answers to the records, in the order of the input.
    ///
    /// A field named by a record's id belongs to that record. Fields of templates that number their inputs
    /// (`textCategory1`, `item-2`) belong to the item of that number, read as a number, from 1, or from 0 where
    /// there is a field of number 0. The order of
    /// keys never counts: A2I sorts them as texts, `textCategory10` before `textCategory2`. Of records that
    /// occur twice in a loop both get the answer.
    pub fn reviewed(&self) -> Vec<ReviewedItem> {
        let offered = self.offered_labels();
        let mut votes: Vec<Vec<Vote>> = vec![Vec::new(); self.items.len()];
        for answer in &self.answers {
            let fields = self.fields(answer);
            for (votes, field) in votes.iter_mut().zip(fields) {
                let Some(given) = field.and_then(|name| read_answer(&answer.answer_content[name])) else {
                    continue;
                };
                votes.push(Vote {
                    worker: answer.worker_id.clone(),
                    answer: given.among(&offered),
                    source: VoteSource::HumanReview,
                    at: answer.submission_time.clone(),
                    seconds: answer.seconds.map(|seconds| seconds / self.items.len() as f64),
                });
            }
        }
        let records = self.items.iter().map(|item| item.record.clone());
        records
            .zip(votes)
            .map(|(record, votes)| ReviewedItem { record, votes })
            .collect()
    }

    /// Returns the answered fields that belong to no record, such as a comment: never read as a label.
    pub fn unmatched_fields(&self) -> BTreeSet<String> {
        let mut unmatched = BTreeSet::new();
        for answer in &self.answers {
            let matched: BTreeSet<&str> = self.fields(answer).into_iter().flatten().collect();
            let names = answer.answer_content.keys();
            unmatched.extend(names.filter(|name| !matched.contains(name.as_str())).cloned());
        }
        unmatched
    }

    /// Returns the field of each item.
    fn fields<'a>(&self, answer: &'a WorkerAnswer) -> Vec<Option<&'a str>> {
        let by_number = numbered_fields(answer.answer_content.keys(), &self.items);
        let field = |(item, number): (&Item, usize)| {
            let by_id = [&item.id, &item.record.id].into_iter();
            let mut named = by_id.filter_map(|id| answer.answer_content.get_key_value(id));
            named
                .next()
                .map(|(name, _)| name.as_str())
                .or_else(|| by_number.get(&number).copied())
        };
        self.items.iter().zip(1..).map(field).collect()
    }
}

/// Returns the numbered fields by number: those with a known prefix, or with the only prefix there is.
fn numbered_fields<'a>(names: impl Iterator<Item = &'a String>, items: &[Item]) -> BTreeMap<usize, &'a str> {
    let mut by_prefix: BTreeMap<&str, BTreeMap<usize, &str>> = BTreeMap::new();
    for name in names {
        let prefix = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_id = prefix.chars().any(|c| c.is_ascii_digit()) || items.iter().any(|item| item.id == *name);
        if let Ok(number) = name[prefix.len()..].parse()
            && !is_id
        {
            by_prefix.entry(prefix).or_default().insert(number, name);
        }
    }
    let known = NUMBERED_FIELDS.iter().find_map(|prefix| by_prefix.remove(prefix));
    let fields = match known {
        Some(fields) => fields,
        None if by_prefix.len() == 1 => by_prefix.into_values().next().unwrap_or_default(),
        None => BTreeMap::new(),
    };
    let first = usize::from(!fields.contains_key(&0));
    fields
        .into_iter()
        .map(|(number, name)| (number.saturating_add(1 - first), name))
        .collect()
}

#[cfg(test)]
mod tests {
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
}
