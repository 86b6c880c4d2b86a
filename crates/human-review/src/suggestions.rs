//! What users hold right of the texts of a task today, which is not what they said when it was started.

use active_learning_aws::{bucket::Bucket, questions};
use active_learning_core::{
    feedback::prediction::join_labels,
    labels::{
        human_loop::Answer,
        label_set::{LabelSet, can_be_label},
        question::Question,
    },
};
use futures::future::join_all;
use serde_json::{Value, json};

/// Sets what users suggest on each item of an input, from the votes on its question: `suggestions`, each with its `label` and
/// how many `users` hold it right, the most frequent first, which is the `suggestedLabel` too.
///
/// An item whose question is not known, or cannot be read, keeps what it was started with.
pub async fn show_suggestions(input: &mut Value, feedback: &Bucket, set: Option<&LabelSet>) {
    let items = input
        .get_mut("comprehendPredictions")
        .and_then(Value::as_array_mut);
    let shown = items.into_iter().flatten().map(async |item| {
        let id = item["id"].as_str().unwrap_or_default().to_owned();
        if id.is_empty() {
            return;
        }
        match questions::read(feedback, &id).await {
            Ok(Some(question)) => show(item, &question, set),
            Ok(None) => {}
            // The page is shown all the same.
            Err(error) => tracing::warn!(%error, record.id = id, "what users suggest cannot be read"),
        }
    });
    join_all(shown).await;
}

fn show(item: &mut Value, question: &Question, set: Option<&LabelSet>) {
    let held = question.users_hold().into_iter();
    let suggestions: Vec<Value> = held
        .filter_map(|(answer, users)| Some(json!({ "label": name(answer, set)?, "users": users })))
        .collect();
    item["suggestedLabel"] = suggestions
        .first()
        .map_or(Value::Null, |first| first["label"].clone());
    item["suggestions"] = json!(suggestions);
}

/// Returns an answer as the page names it; nothing where it can be no choice.
fn name(answer: &Answer, set: Option<&LabelSet>) -> Option<String> {
    let own_name = |label: &String| match set {
        Some(set) => set.own_name(label).to_owned(),
        None => label.clone(),
    };
    let name = match answer {
        Answer::Labels { labels } => {
            let labels: Vec<String> = labels.iter().map(own_name).collect();
            match labels.as_slice() {
                [label] => label.clone(),
                labels => join_labels(labels),
            }
        }
        Answer::NewLabel { label } => label.clone(),
        Answer::NoneFits | Answer::Unsure => return None,
    };
    can_be_label(&name).then_some(name)
}
