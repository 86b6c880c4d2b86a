//! What is known of the texts of a task today, which is not what was when it was started: what users hold right, and which
//! texts are not to be answered any more.

use active_learning_aws::{bucket::Bucket, questions};
use active_learning_core::{
    feedback::prediction::join_labels,
    labels::{
        human_loop::Answer,
        label_set::{LabelSet, Resolution, can_be_label},
        question::Question,
    },
};
use futures::future::join_all;
use serde_json::{Value, json};

/// Sets what users suggest on each item of an input, from the votes on its question: `suggestions`, each with its `label` and
/// how many `users` hold it right, the most frequent first, which is the `suggestedLabel` too.
///
/// A text that is asked anew since one of its labels was split says in `keptLabels` which others reviewers gave it.
/// What was taken back, or is asked by another loop by now, is marked as `withdrawn`. An item whose question is not known,
/// or cannot be read, keeps what it was started with.
pub async fn show_questions(input: &mut Value, human_loop: &str, feedback: &Bucket, set: Option<&LabelSet>) {
    let items = input
        .get_mut("comprehendPredictions")
        .and_then(Value::as_array_mut);
    let shown = items.into_iter().flatten().map(async |item| {
        let id = item["id"].as_str().unwrap_or_default().to_owned();
        if id.is_empty() {
            return;
        }
        match questions::read(feedback, &id).await {
            Ok(Some(question)) => {
                show(item, &question, set);
                if question.is_taken_off(human_loop) {
                    item["withdrawn"] = json!(true);
                }
            }
            Ok(None) => {}
            // The page is shown all the same.
            Err(error) => tracing::warn!(%error, record.id = id, "what users suggest cannot be read"),
        }
    });
    join_all(shown).await;
}

/// Leaves the items out of an input that are marked as `withdrawn`, unless that is all of them: their loop is being stopped.
/// Only for pages whose answers name the items by their ids.
pub fn leave_out_withdrawn(input: &mut Value) {
    let Some(items) = input
        .get_mut("comprehendPredictions")
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    let is_withdrawn = |item: &Value| item["withdrawn"] == json!(true) && item["id"].is_string();
    if items.iter().all(is_withdrawn) {
        return;
    }
    items.retain(|item| !is_withdrawn(item));
    input["rowCount"] = json!(items.len());
}

/// Says of the items that are marked as `withdrawn`, by number, that they need no answer.
pub fn notice_of_withdrawn(input: &Value) -> Option<String> {
    let items = input["comprehendPredictions"].as_array()?;
    let withdrawn = (1..)
        .zip(items)
        .filter(|(_, item)| item["withdrawn"] == json!(true));
    let numbers: Vec<String> = withdrawn
        .map(|(number, _): (usize, _)| number.to_string())
        .collect();
    (!numbers.is_empty()).then(|| {
        format!(
            "These items were taken back since the task was started and need no answer: {}.",
            numbers.join(", ")
        )
    })
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
    let kept = set.map_or_else(Vec::new, |set| question.labels_kept(set));
    if !kept.is_empty() {
        item["keptLabels"] = json!(kept);
    }
}

/// Returns whether one of the labels of an answer was retired or split: the page does not offer it.
fn is_out_of_use(answer: &Answer, set: Option<&LabelSet>) -> bool {
    let (Answer::Labels { labels }, Some(set)) = (answer, set) else {
        return false;
    };
    let mut resolved = labels.iter().map(|label| set.resolve(label));
    resolved.any(|label| matches!(label, Resolution::Retired(_) | Resolution::Split(_)))
}

/// Returns an answer as the page names it; nothing where it can be no choice, or none any more.
fn name(answer: &Answer, set: Option<&LabelSet>) -> Option<String> {
    if is_out_of_use(answer, set) {
        return None;
    }
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

#[cfg(test)]
mod tests {
    use active_learning_core::{
        feedback::{FeedbackRequest, Source},
        labels::vote::{Vote, VoteSource},
    };

    use super::*;

    #[test]
    fn who_is_asked_anew_since_a_label_was_split_is_told_of_the_others_that_were_given() {
        let mut set = LabelSet::none();
        for label in ["World", "Press"] {
            set.add(label, "").expect("free");
        }
        let mut set = set.with_several_labels(true);
        set.split("Press", &["Papers", "Radio"]).expect("parts");
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: "A text".into(),
            ..FeedbackRequest::default()
        };
        let record = request.into_record(Source::ExplicitApi, "2026-11-20T10:00:00Z");
        let mut question = Question::asked(record.expect("complete"), "review-1", 1);
        let shown = |question: &Question| {
            let mut item = json!({});
            show(&mut item, question, Some(&set));
            item
        };

        let before = shown(&question);
        question.in_doubt = vec![Vote {
            worker: "ann".into(),
            answer: Answer::labels(["Press", "World"]),
            source: VoteSource::HumanReview,
            at: "2026-11-20T11:00:00Z".into(),
            seconds: None,
            note: Default::default(),
        }];

        assert!(before["keptLabels"].is_null(), "{before}");
        assert_eq!(shown(&question)["keptLabels"], json!(["World"]));
    }

    #[test]
    fn a_suggested_label_that_is_out_of_use_is_none_and_one_that_was_merged_has_its_name_of_now() {
        let mut set = LabelSet::none();
        for label in ["World", "Sport", "Old", "Biz", "Business"] {
            set.add(label, "").expect("free");
        }
        set.split("Sport", &["Ball games", "Racing"]).expect("parts");
        set.retire("Old").expect("active");
        set.merge("Biz", "Business").expect("active");

        let shown = |labels: &[&str]| name(&Answer::labels(labels.iter().copied()), Some(&set));

        assert_eq!(shown(&["Biz"]).as_deref(), Some("Business"));
        for out_of_use in [&["Old"][..], &["Sport"], &["Old", "World"]] {
            assert_eq!(shown(out_of_use), None, "{out_of_use:?}");
        }
        assert_eq!(name(&Answer::labels(["Old"]), None).as_deref(), Some("Old"));
    }
}
