//! One reviewer's answer to one item, in any shape that worker task templates produce.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{feedback::prediction::LABEL_DELIMITER, labels::label_key::label_key};

/// The answer "none of the labels fits", as the shipped worker task template sends it.
pub const NONE_FITS: &str = "__none__";
/// The answer "I cannot tell", as worker task templates send it.
pub const UNSURE: &str = "__unsure__";

/// What a person answered for one item.
///
/// Ordered and comparable, so that equal answers of several people can be counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Answer {
    /// These labels fit; several only for multi-label tasks. Sorted, without duplicates, never empty.
    Labels {
        /// Names of the labels.
        labels: Vec<String>,
    },
    /// None of the labels fits.
    NoneFits,
    /// A label that was not offered: it may become a class, but is none yet.
    NewLabel {
        /// The proposed label; several are joined by [`LABEL_DELIMITER`].
        label: String,
    },
    /// The reviewer could not tell.
    Unsure,
}

impl Answer {
    /// Makes the answer that names these labels, in any order.
    pub fn labels(labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut labels: Vec<String> = labels.into_iter().map(Into::into).collect();
        labels.sort();
        labels.dedup();
        Self::Labels { labels }
    }

    /// Turns labels that were not offered into a proposal, and gives offered ones their exact spelling.
    ///
    /// Spelling does not tell labels apart, since a reviewer may have typed one: see [`label_key`]. Where nothing was offered, every
    /// label stands. A multi-label answer with one new label is a proposal as a whole: without a class for
    /// the new label, the row would be wrong.
    pub(crate) fn among(self, offered: &[String]) -> Self {
        let Self::Labels { labels } = self else {
            return self;
        };
        if offered.is_empty() {
            return Self::Labels { labels };
        }
        let keys: Vec<String> = offered.iter().map(|known| label_key(known)).collect();
        let spelled = |label: &String| {
            let key = label_key(label);
            let found = keys.iter().position(|known| *known == key)?;
            Some(offered[found].clone())
        };
        match labels.iter().map(spelled).collect::<Option<Vec<_>>>() {
            Some(known) => Self::labels(known),
            None => Self::NewLabel {
                label: labels.join(&LABEL_DELIMITER.to_string()),
            },
        }
    }
}

/// Reads the answer to one item in any shape that worker task templates produce.
///
/// A text is a label; an object with `label` or `labels` names them; an object of booleans names the
/// keys that are true. White space at the ends does not count. `None` when the item was not answered.
/// Whether a label was offered is not known here: [`Answer::NewLabel`] comes from
/// [`HumanLoopOutput`](super::HumanLoopOutput) only.
pub fn read_answer(value: &Value) -> Option<Answer> {
    let labels: Vec<&str> = match value {
        Value::String(label) => vec![label],
        Value::Object(fields) => match (fields.get("label"), fields.get("labels")) {
            (Some(Value::String(label)), _) => vec![label],
            (_, Some(Value::Array(labels))) => labels.iter().filter_map(Value::as_str).collect(),
            _ => {
                let chosen = fields.iter().filter(|(_, chosen)| **chosen == Value::Bool(true));
                chosen.map(|(label, _)| label.as_str()).collect()
            }
        },
        _ => return None,
    };
    let labels: Vec<&str> = labels
        .into_iter()
        .map(str::trim)
        .filter(|label| !label.is_empty())
        .collect();
    match labels.as_slice() {
        [] => None,
        labels if labels.contains(&UNSURE) => Some(Answer::Unsure),
        labels if labels.contains(&NONE_FITS) => Some(Answer::NoneFits),
        labels => Some(Answer::labels(labels.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_answer_shape_is_read() {
        let world = || Some(Answer::labels(["World"]));
        for shape in [
            json!("World"),
            json!(" World\n"),
            json!({"label": "World"}),
            json!({"labels": ["World"]}),
            json!({"World": true, "Sports": false}),
        ] {
            assert_eq!(read_answer(&shape), world(), "{shape}");
        }
        let both = Some(Answer::labels(["Sports", "World"]));
        assert_eq!(
            read_answer(&json!({"labels": ["World", "Sports", "World"]})),
            both
        );
        assert_eq!(read_answer(&json!({"World": true, "Sports": true})), both);
    }

    #[test]
    fn none_fits_and_unsure_are_no_labels_in_any_shape() {
        for (word, answer) in [(NONE_FITS, Answer::NoneFits), (UNSURE, Answer::Unsure)] {
            for shape in [
                json!(word),
                json!({"label": word}),
                json!({"labels": [word]}),
                json!({word: true, "World": false}),
            ] {
                assert_eq!(read_answer(&shape), Some(answer.clone()), "{shape}");
            }
        }
    }

    #[test]
    fn what_was_not_answered_is_no_answer() {
        for unanswered in [
            json!(""),
            json!("  "),
            json!({}),
            json!({"labels": []}),
            json!({"World": false}),
            json!({"label": null}),
            json!(null),
            json!(3),
        ] {
            assert_eq!(read_answer(&unanswered), None, "{unanswered}");
        }
    }

    #[test]
    fn a_label_that_was_not_offered_is_a_proposal() {
        let offered = ["World", "Sports"].map(str::to_owned);

        assert_eq!(
            Answer::labels(["world"]).among(&offered),
            Answer::labels(["World"])
        );
        let weather = Answer::NewLabel {
            label: "Weather".into(),
        };
        assert_eq!(Answer::labels(["Weather"]).among(&offered), weather);
        let mixed = Answer::NewLabel {
            label: "Weather|World".into(),
        };
        assert_eq!(Answer::labels(["World", "Weather"]).among(&offered), mixed);
        assert_eq!(
            Answer::labels(["Weather"]).among(&[]),
            Answer::labels(["Weather"])
        );
        assert_eq!(Answer::NoneFits.among(&offered), Answer::NoneFits);
    }
}
