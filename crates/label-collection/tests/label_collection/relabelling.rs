//! Changes of the label set that were left between the change and the delivery of what they ask.

use active_learning_aws::{bucket::Bucket, label_set::LabelSets, relabelling::Relabelling};
use active_learning_core::{
    feedback::{FeedbackRecord, FeedbackRequest, Signal, Source},
    labels::label_set::{LabelSet, Origin},
};
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::harness::*;

const AT: &str = "2026-11-20T10:00:00.000Z";

struct Change {
    services: Services,
    sets: LabelSets,
    relabelling: Relabelling,
    records: Vec<FeedbackRecord>,
}

/// A stack with a label set, and what a split of `Sports` will ask.
async fn before_a_split() -> Change {
    let services = Services::start();
    let feedback = Bucket::new(services.s3.clone(), FEEDBACK);
    let training = Bucket::new(services.s3.clone(), TRAINING);
    let set = LabelSet::seed(["Sports", "World"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
    services.put(TRAINING, "label-set.json", set.to_json()).await;
    let request = FeedbackRequest {
        classifier: "news".into(),
        sentence: "They won the cup.".into(),
        ..FeedbackRequest::default()
    };
    let record = request.into_record(Source::ExplicitApi, AT).expect("complete");
    Change {
        services,
        sets: LabelSets::new(training.clone()),
        relabelling: Relabelling::new(feedback, training),
        records: vec![record],
    }
}

impl Change {
    /// Writes down what is asked, and splits the label; nothing is delivered.
    async fn split(&self) {
        let set = self.sets.current().await.expect("a set").expect("a set");
        let planned = self.relabelling.plan(&set, AT, &self.records).await;
        planned.expect("written");
        let split = |set: &mut LabelSet| set.split("Sports", &["Ball games", "Racing"]);
        self.sets.edit(AT, split).await.expect("split");
    }

    async fn sweep(&self, at: &str) {
        let now: DateTime<Utc> = at.parse().expect("a time");
        let function = self.services.function();
        let swept = function.handle_at(json!({"operation": "sweep"}), now).await;
        swept.expect("swept");
    }

    async fn delivered(&self) -> Vec<String> {
        self.services.keys(FEEDBACK, "feedback/relabel/").await
    }

    async fn planned(&self) -> Vec<String> {
        self.services.keys(FEEDBACK, "relabel/").await
    }
}

#[tokio::test]
async fn what_a_change_was_to_ask_is_asked_by_the_sweep_where_its_command_was_stopped() {
    let change = before_a_split().await;
    change.split().await;

    change.sweep("2026-11-20T10:05:00Z").await;
    let first = change.delivered().await;
    change.sweep("2026-11-20T11:05:00Z").await;

    assert_eq!(first, ["feedback/relabel/00000002-20261120100000000-0000.jsonl"]);
    assert_eq!(change.delivered().await, first, "twice is once");
    assert_eq!(change.planned().await, [""; 0]);
    let asked = change.services.get(FEEDBACK, &first[0]).await;
    assert_eq!(asked, change.records[0].to_line());
}

#[tokio::test]
async fn a_change_is_found_although_the_set_was_changed_again_since() {
    let change = before_a_split().await;
    change.split().await;
    let add = |set: &mut LabelSet| set.add("Health", "");
    let later = change.sets.edit("2026-11-20T10:01:00.000Z", add).await;
    later.expect("added");

    change.sweep("2026-11-20T10:05:00Z").await;

    assert_eq!(change.delivered().await.len(), 1);
}

#[tokio::test]
async fn a_delivery_that_broke_off_is_finished() {
    let change = before_a_split().await;
    change.split().await;
    let part = "relabel/00000002-20261120100000000-0000.jsonl";
    let lines = change.services.get(FEEDBACK, part).await;
    let delivered = "feedback/relabel/00000002-20261120100000000-0000.jsonl";
    change.services.put(FEEDBACK, delivered, lines.as_bytes()).await;

    change.sweep("2026-11-20T10:05:00Z").await;

    assert_eq!(change.delivered().await, [delivered]);
    assert_eq!(change.planned().await, [""; 0]);
}

#[tokio::test]
async fn a_change_that_was_planned_and_not_made_asks_nothing_and_is_dropped_after_an_hour() {
    let change = before_a_split().await;
    let set = change.sets.current().await.expect("a set").expect("a set");
    let planned = change.relabelling.plan(&set, AT, &change.records).await;
    planned.expect("written");

    change.sweep("2026-11-20T10:30:00Z").await;
    let while_it_may_be_made = change.planned().await.len();
    change.sweep("2026-11-20T11:30:00Z").await;

    assert_eq!(while_it_may_be_made, 2);
    assert_eq!(change.planned().await, [""; 0]);
    assert_eq!(change.delivered().await, [""; 0]);
}

#[tokio::test]
async fn an_answer_with_a_label_that_was_split_while_its_page_was_open_is_asked_anew() {
    let services = Services::start();
    let mut set = LabelSet::seed(["Sports", "World"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
    set.split("Sports", &["Ball games", "Racing"]).expect("split");
    services.put(TRAINING, "label-set.json", set.to_json()).await;
    let asked = input();
    let mut answers = vec!["World"; 20];
    answers[0] = " sports";
    let output = output(LOOP, &asked.to_string(), &[("w1", 1, &answers)]);

    for _ in 0..2 {
        services.answered(LOOP, output.clone()).await;
    }

    let delivered = services.keys(FEEDBACK, "feedback/relabel/").await;
    assert_eq!(delivered, [format!("feedback/relabel/{LOOP}-0000.jsonl")]);
    let lines = services.get(FEEDBACK, &delivered[0]).await;
    let anew = FeedbackRecord::parse(lines.trim_end().as_bytes()).expect("one record");
    assert_eq!(json!(anew.id), asked["comprehendPredictions"][0]["id"]);
    assert_eq!(anew.signal, Signal::Relabel);
    assert_eq!(anew.received_at, set.updated_at());
}
