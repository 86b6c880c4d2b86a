//! Trying a worker task template with a made-up answer, before anybody works for nothing.

use std::collections::BTreeMap;

use active_learning_core::labels::human_loop::{HumanLoopOutput, OfferedLabels};
use serde_json::{Map, Value, json};

use crate::answer::AnswerError;
use crate::form::{FormField, Values, read_form};

/// Longest list of items that a notice names.
const MAX_NAMED_ITEMS: usize = 5;

/// Told of a page whose choices are other words than the labels, such as numbers.
const OTHER_CHOICES: &str = "No choice of this page is a label of the task: what is chosen is kept as a proposed label, \
    and is no answer until somebody accepts it.";

/// What the trial of a page found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// What the reviewer should know, one sentence each.
    pub notices: Vec<String>,
    /// Whether an answer of this page could not be matched: then it must not be sent.
    pub is_withheld: bool,
}

/// Tries a page that was rendered for an input: whether an answer of it could be read for each item.
///
/// Of an input that is not of our kind only the presence of a field is looked at: who started it reads its
/// answer.
pub fn try_page(html: &str, input: &Value) -> Trial {
    let form = read_form(html);
    let mut trial = Trial::default();
    if !form.unknown_elements.is_empty() {
        let names: Vec<&str> = form.unknown_elements.iter().map(String::as_str).collect();
        let names = names.join(", ");
        let sentence = format!("This page uses elements that this portal does not have: {names}.");
        trial.notices.push(sentence);
    }
    let problem = if form.fields.is_empty() {
        Some("This page has no field for an answer.".to_owned())
    } else if input.get("comprehendPredictions").is_some() {
        unmatched(&made_up_answers(&form.fields, input), input)
    } else {
        None
    };
    if problem.is_none()
        && input.get("comprehendPredictions").is_some()
        && offers_other_words(&form.fields, input)
    {
        trial.notices.push(OTHER_CHOICES.to_owned());
    }
    trial.is_withheld = problem.is_some();
    trial.notices.extend(problem);
    trial
}

/// Checks that the answer of a page says something about an item of the task; of an input that is not of our
/// kind everything is taken.
///
/// # Errors
///
/// [`AnswerError::Unreadable`] when something was entered that cannot be matched,
/// [`AnswerError::Incomplete`] when nothing was.
pub fn check_answer(answer: &Map<String, Value>, input: &Value) -> Result<(), AnswerError> {
    let Some(output) = output(answer, input) else {
        return Ok(());
    };
    if output.unreadable_answers() > 0 {
        return Err(AnswerError::Unreadable);
    }
    if output.reviewed().iter().all(|item| item.votes.is_empty()) {
        return Err(AnswerError::Incomplete);
    }
    Ok(())
}

/// Says which items an answer could not be matched to, if any.
fn unmatched(answers: &[Map<String, Value>], input: &Value) -> Option<String> {
    let mut missing = Vec::new();
    for answer in answers {
        let Some(output) = output(answer, input) else {
            return Some("The items of this task cannot be read.".to_owned());
        };
        let items = (1..).zip(output.reviewed());
        missing.extend(
            items
                .filter(|(_, item)| item.votes.is_empty())
                .map(|(number, _)| number),
        );
    }
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return None;
    }
    let named: Vec<String> = missing
        .iter()
        .take(MAX_NAMED_ITEMS)
        .map(usize::to_string)
        .collect();
    let more = if missing.len() > MAX_NAMED_ITEMS {
        ", …"
    } else {
        ""
    };
    let reason = "no field of this page can be matched to them, by id or by number";
    Some(format!(
        "An answer to these items could not be read: {}{more}; {reason}.",
        named.join(", ")
    ))
}

/// Returns whether there are choices on a page, and none of them is a label.
fn offers_other_words(fields: &[FormField], input: &Value) -> bool {
    let labels = labels_of(input);
    let is_choice = |field: &FormField| match &field.values {
        Values::Select(_) | Values::Classifier(_) | Values::MultiClassifier(_) => true,
        Values::Mark { group, .. } => group.is_some(),
        Values::Text(_) | Values::Hidden(_) => false,
    };
    let made_up = MadeUp {
        labels: &labels,
        shift: 0,
    };
    !labels.in_order().is_empty()
        && fields.iter().any(is_choice)
        && !fields.iter().any(|field| made_up.offers_a_label(field))
}

fn labels_of(input: &Value) -> OfferedLabels {
    let labels = input["labels"].as_array().into_iter().flatten();
    OfferedLabels::new(labels.filter_map(Value::as_str))
}

/// Returns the output of a loop about items of these ids, whatever their texts are.
pub(crate) fn output(answer: &Map<String, Value>, input: &Value) -> Option<HumanLoopOutput> {
    let items = input["comprehendPredictions"].as_array()?.iter().zip(1..);
    let items = items.map(|(item, number)| {
        let mut record = json!({ "classifier": "trial", "utterance": format!("text {number}") });
        if let Some(id) = item.get("id") {
            record["id"] = id.clone();
        }
        record
    });
    let items: Vec<Value> = items.collect();
    let document = json!({
        "flowDefinitionArn": "trial",
        "humanLoopName": "trial",
        "humanAnswers": [{ "workerId": "trial", "submissionTime": "", "answerContent": answer }],
        "inputContent": { "comprehendPredictions": items, "labels": input["labels"] },
    });
    HumanLoopOutput::parse(document.to_string().as_bytes()).ok()
}

/// Fills a page in two ways, so that a field that always says the same as another shows.
fn made_up_answers(fields: &[FormField], input: &Value) -> Vec<Map<String, Value>> {
    let labels = labels_of(input);
    (0..labels.in_order().len().clamp(1, 2))
        .map(|shift| {
            MadeUp {
                labels: &labels,
                shift,
            }
            .fill(fields)
        })
        .collect()
}

/// A person who knows the labels only.
struct MadeUp<'a> {
    labels: &'a OfferedLabels,
    shift: usize,
}

impl MadeUp<'_> {
    fn fill(&self, fields: &[FormField]) -> Map<String, Value> {
        let has_choice = fields.iter().any(|field| self.offers_a_label(field));
        let mut groups: BTreeMap<&str, Vec<&FormField>> = BTreeMap::new();
        let mut answer = Map::new();
        for field in fields {
            let value = match &field.values {
                Values::Select(options) => self.choose(options).map(Value::from),
                Values::Classifier(options) => self.choose(options).map(|label| json!({ "label": label })),
                Values::MultiClassifier(options) => {
                    self.choose(options).map(|label| json!({ "labels": [label] }))
                }
                Values::Hidden(text) if !text.is_empty() => Some(Value::from(text.as_str())),
                // Whoever chooses leaves the texts as they are, and they are sent all the same.
                Values::Text(text) | Values::Hidden(text) if has_choice => Some(Value::from(text.as_str())),
                Values::Text(_) | Values::Hidden(_) => Some(Value::from(self.label())),
                Values::Mark { group, .. } => {
                    let group = group.as_deref().unwrap_or("boxes");
                    groups.entry(group).or_default().push(field);
                    None
                }
            };
            answer.extend(value.map(|value| (field.name.clone(), value)));
        }
        for buttons in groups.values() {
            self.mark(buttons, &mut answer);
        }
        answer
    }

    /// Chooses one of a group of buttons; of boxes one for each name.
    fn mark(&self, buttons: &[&FormField], answer: &mut Map<String, Value>) {
        let meant = |button: &&FormField| match &button.values {
            Values::Mark { value, .. } if self.is_label(value) => value.clone(),
            _ => button.name.clone(),
        };
        let is_radio = |button: &FormField| matches!(&button.values, Values::Mark { group: Some(_), .. });
        let options: Vec<String> = buttons.iter().map(meant).collect();
        let chosen = self.choose(&options);
        let mut done: Vec<&str> = Vec::new();
        for button in buttons {
            let Values::Mark { value, .. } = &button.values else {
                continue;
            };
            let wanted = chosen.as_ref() == Some(&meant(button));
            let is_chosen = wanted && !(is_radio(button) && done.contains(&"group"));
            if is_chosen {
                done.push("group");
            }
            let entry = answer.entry(button.name.clone()).or_insert_with(|| json!({}));
            entry[value.as_str()] = json!(is_chosen);
        }
    }

    fn offers_a_label(&self, field: &FormField) -> bool {
        match &field.values {
            Values::Select(options) | Values::Classifier(options) | Values::MultiClassifier(options) => {
                options.iter().any(|option| self.is_label(option))
            }
            Values::Mark { value, .. } => self.is_label(value) || self.is_label(&field.name),
            Values::Text(_) | Values::Hidden(_) => false,
        }
    }

    /// Chooses a label of the task if there is one among the options, or else the first of them.
    fn choose(&self, options: &[String]) -> Option<String> {
        let labels: Vec<&String> = options.iter().filter(|option| self.is_label(option)).collect();
        match labels.as_slice() {
            [] => options.first().cloned(),
            labels => Some(labels[self.shift % labels.len()].clone()),
        }
    }

    fn label(&self) -> &str {
        match self.labels.in_order() {
            [] => "label",
            labels => &labels[self.shift % labels.len()],
        }
    }

    fn is_label(&self, name: &str) -> bool {
        self.labels.resolve(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(items: usize) -> Value {
        let items: Vec<Value> = (1..=items)
            .map(|number| json!({ "id": format!("r-{number}"), "classifier": "news", "utterance": format!("Text {number}") }))
            .collect();
        json!({ "comprehendPredictions": items, "labels": ["World", "Sports"] })
    }

    const OPTIONS: &str = "<option value=''>?</option><option>World</option><option>Sports</option></select>";

    #[test]
    fn pages_whose_answers_can_be_matched_may_be_sent() {
        for (items, html) in [
            (1, format!("<select name=category>{OPTIONS}<textarea name=comment></textarea>")),
            (1, "<crowd-classifier name=x categories=\"['World','Sports']\" exclusion-category=\"{ text: 'None' }\"></crowd-classifier>".into()),
            (1, "<crowd-classifier-multi-select name=x categories='[\"World\",\"Sports\"]'></crowd-classifier-multi-select>".into()),
            (1, "<crowd-radio-group><crowd-radio-button name=World value=World>W</crowd-radio-button>\
                 <crowd-radio-button name=Sports value=Sports>S</crowd-radio-button></crowd-radio-group>".into()),
            (1, "<crowd-checkbox name=World>W</crowd-checkbox><crowd-checkbox name=Sports>S</crowd-checkbox>".into()),
            (1, "<input type=radio name=t value=World><input type=radio name=t value=Sports>".into()),
            (1, "<input name=whatever>".into()),
            (2, format!("<select name=r-1>{OPTIONS}<select name=r-2>{OPTIONS}")),
            (2, format!("<select name=label_0>{OPTIONS}<select name=label_1>{OPTIONS}")),
            (2, "<input type=radio name=q1 value=World><input type=radio name=q2 value=Sports>".into()),
        ] {
            assert_eq!(try_page(&html, &task(items)), Trial::default(), "{html}");
        }
    }

    #[test]
    fn a_page_whose_answer_could_not_be_matched_is_withheld_and_says_for_which_items() {
        for (html, says) in [
            (format!("<select name=category>{OPTIONS}"), "1, 2"),
            (
                format!("<select name=r-1>{OPTIONS}"),
                "items could not be read: 2;",
            ),
            ("<p>No field</p>".to_owned(), "no field for an answer"),
            (
                "<crowd-entity-annotation name=x></crowd-entity-annotation>".to_owned(),
                "no field for an answer",
            ),
        ] {
            let trial = try_page(&html, &task(2));

            assert!(trial.is_withheld, "{html}");
            assert!(trial.notices.join(" ").contains(says), "{trial:?}");
        }
    }

    #[test]
    fn a_text_that_begins_as_a_label_beside_the_choice_is_found_before_anybody_chooses_otherwise() {
        let beside = |name: &str| {
            format!(
                "<select name=category>{OPTIONS}<crowd-input name={name} initial-value=World></crowd-input>"
            )
        };

        let (rival, comment) = (
            try_page(&beside("other"), &task(1)),
            try_page(&beside("comment"), &task(1)),
        );

        assert!(
            rival.is_withheld && rival.notices[0].contains("could not be read: 1;"),
            "{rival:?}"
        );
        assert_eq!(comment, Trial::default(), "a comment is no answer");
    }

    #[test]
    fn a_page_whose_choices_are_no_labels_says_that_they_are_kept_as_proposals() {
        let numbers =
            "<select name=category><option value=0>World</option><option value=1>Sports</option></select>";
        let radio = "<input type=radio name=t value=a><input type=radio name=t value=b><input name=comment>";

        for html in [numbers, radio] {
            let trial = try_page(html, &task(1));

            assert_eq!(
                (trial.is_withheld, &trial.notices[..]),
                (false, &[OTHER_CHOICES.to_owned()][..])
            );
        }
    }

    #[test]
    fn an_unknown_element_beside_the_answer_is_named_and_the_page_may_be_sent() {
        let html = format!("<crowd-keypoint></crowd-keypoint><select name=category>{OPTIONS}");

        let trial = try_page(&html, &task(1));

        assert!(
            !trial.is_withheld && trial.notices[0].contains("crowd-keypoint"),
            "{trial:?}"
        );
    }

    #[test]
    fn the_shipped_template_passes_its_own_trial() {
        let (html, _) = crate::worker_template::render_html(crate::worker_template::SHIPPED, &task(3), "n0")
            .expect("HTML");

        assert_eq!(try_page(&html, &task(3)), Trial::default());
    }
}
