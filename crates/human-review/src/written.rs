//! What a reviewer wrote in a field of the shipped page, read by the labels of the task.

use active_learning_core::{
    feedback::prediction::{LABEL_DELIMITER, cut_labels, split_labels},
    labels::{
        human_loop::{OfferedLabels, answer_word},
        label_key::label_key,
        label_set::LabelSet,
    },
};
use serde_json::{Map, Value};

use crate::answer::{AnswerError, field_of};
use crate::erased_items::left;

/// Stands between labels that are written in one field, beside [`LABEL_DELIMITER`].
const COMMA: char = ',';

/// The labels by which an answer to a task is read.
pub struct Written<'a> {
    input: &'a Value,
    offered: OfferedLabels,
    set: Option<&'a LabelSet>,
    has_several: bool,
    is_by_script: bool,
}

impl<'a> Written<'a> {
    /// Reads answers to a task with this input as its page shows it. Without the page's script no new label can be named.
    pub fn new(input: &'a Value, set: Option<&'a LabelSet>, is_by_script: bool) -> Self {
        let labels = input["labels"].as_array().into_iter().flatten();
        Self {
            offered: OfferedLabels::new(labels.filter_map(Value::as_str)),
            has_several: input["severalLabels"] == true,
            input,
            set,
            is_by_script,
        }
    }

    /// Returns whether something in an answer may be what a user proposes: it can be told only with what the page offers of
    /// that.
    pub fn may_be_suggested(&self, answer: &Map<String, Value>) -> bool {
        let is_open = |text: &str| !self.is_known(text) && answer_word(text).is_none();
        let may_be = |text: &str| is_open(text) && (!self.is_by_script || text.contains(LABEL_DELIMITER));
        self.items()
            .filter_map(|(number, item)| answer.get(&field_of(item, number)))
            .any(|value| texts(value).is_some_and(|texts| texts.into_iter().any(may_be)))
    }

    /// Writes an answer by the words and labels of the page: what says that none fits or that its reviewer cannot tell is the
    /// page's word for it, and several labels that are written in one field are a list.
    ///
    /// # Errors
    ///
    /// [`AnswerError::NotOfList`] where no script has sent what the page does not offer: it may be a typing error.
    /// [`AnswerError::JoinsLabels`].
    pub fn read(&self, answer: &mut Map<String, Value>) -> Result<(), AnswerError> {
        for (number, item) in self.items() {
            let Some(value) = answer.get_mut(&field_of(item, number)) else {
                continue;
            };
            let Some(given) = texts(value) else { continue };
            let mut read = Vec::with_capacity(given.len());
            for text in &given {
                let names = self.names(item, number, text)?;
                // In a list a bar is part of a name; in one text it stands between several.
                let joins = |name: &String| self.set.is_some_and(|set| set.joins_labels(name));
                if value.is_array() && self.has_several && names.iter().any(joins) {
                    return Err(AnswerError::JoinsLabels);
                }
                read.extend(names);
            }
            if read != given {
                *value = match (read.as_slice(), value.is_array()) {
                    ([name], false) => Value::from(name.as_str()),
                    _ => Value::from(read),
                };
            }
        }
        Ok(())
    }

    /// Returns the items of the page; one where the input is of another kind.
    fn items(&self) -> impl Iterator<Item = (usize, &'a Value)> {
        let other = (!self.input["comprehendPredictions"].is_array()).then_some((1, &Value::Null));
        left(self.input).chain(other)
    }

    fn names(&self, item: &Value, number: usize, text: &str) -> Result<Vec<String>, AnswerError> {
        if label_key(text).is_empty() || self.is_known(text) {
            return Ok(vec![text.to_owned()]);
        }
        if let Some(word) = answer_word(text) {
            return Ok(vec![word.to_owned()]);
        }
        if self.offered.in_order().is_empty() {
            return Ok(vec![text.to_owned()]);
        }
        if is_suggested(item, text) {
            return Ok(match self.has_several {
                true => split_labels(text),
                false => vec![text.to_owned()],
            });
        }
        let labels = self.has_several.then(|| self.several(text)).flatten();
        if let Some(labels) = labels.filter(|_| !self.is_by_script || text.contains(LABEL_DELIMITER)) {
            return Ok(labels);
        }
        match self.is_by_script {
            true => Ok(vec![text.to_owned()]),
            false => Err(AnswerError::NotOfList(number)),
        }
    }

    /// Returns the labels that are written with bars or commas between them, if each part is one.
    fn several(&self, text: &str) -> Option<Vec<String>> {
        let bars = cut_labels(text, |name| self.label(name));
        bars.or_else(|| {
            // A label may have a comma in its name: read in as few pieces as there can be.
            let written = text.replace(COMMA, &LABEL_DELIMITER.to_string());
            let is_list = text.contains(COMMA) && !text.contains(LABEL_DELIMITER);
            let name = |part: &str| self.label(&part.replace(LABEL_DELIMITER, &COMMA.to_string()));
            is_list.then(|| cut_labels(&written, name)).flatten()
        })
    }

    fn label(&self, name: &str) -> Option<String> {
        self.offered.resolve_by(name, self.set)
    }

    /// Returns whether a text is a label of the page or of the label set, also one that is no longer in use.
    fn is_known(&self, text: &str) -> bool {
        let is_offered = !self.offered.in_order().is_empty() && self.offered.resolve(text).is_some();
        is_offered || self.set.is_some_and(|set| set.find(text).is_some())
    }
}

/// Returns whether the page offers a text as what a user proposes for an item.
fn is_suggested(item: &Value, text: &str) -> bool {
    let all = item["suggestions"].as_array().into_iter().flatten();
    let mut all = all
        .map(|said| &said["label"])
        .chain(std::iter::once(&item["suggestedLabel"]));
    all.any(|label| label.as_str() == Some(text))
}

/// Returns the texts of a value: one, or those of a list; nothing where it is of another shape.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(several: bool, is_by_script: bool, said: &Value) -> Result<Value, AnswerError> {
        let input = json!({
            "labels": ["class 5", "class 6", "Home, garden", "Sport|Spiel"],
            "severalLabels": several,
            "comprehendPredictions": [{ "id": "a", "suggestedLabel": "Rain" }, { "id": "b", "suggestedLabel": r"x\|y|Rain" }],
        });
        let answer = json!({ "b": said });
        let mut answer = answer.as_object().expect("an object").clone();
        let written = Written::new(&input, None, is_by_script);
        written.read(&mut answer).map(|()| answer["b"].clone())
    }

    #[test]
    fn what_says_none_fits_or_i_cannot_tell_in_any_spelling_is_the_word_of_the_page_with_a_script_and_without()
     {
        for is_by_script in [true, false] {
            for text in [
                "I cannot tell",
                " i CANNOT  tell",
                "cannot tell",
                "unsure",
                "Can’t tell",
            ] {
                assert_eq!(
                    read(false, is_by_script, &json!(text)),
                    Ok(json!("__unsure__")),
                    "{text}"
                );
                assert_eq!(
                    read(true, is_by_script, &json!([text])),
                    Ok(json!(["__unsure__"])),
                    "{text}"
                );
            }
            for text in ["None of these fits", "none fits", "NONE"] {
                assert_eq!(
                    read(false, is_by_script, &json!(text)),
                    Ok(json!("__none__")),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn without_a_script_what_is_no_label_is_refused_with_the_number_of_its_text_and_with_one_it_is_a_proposal()
     {
        for text in [
            "clas 5",
            "class5",
            "class 5, class 6",
            "class 5|class 6",
            "class 5;class 6",
        ] {
            assert_eq!(
                read(false, false, &json!(text)),
                Err(AnswerError::NotOfList(2)),
                "{text}"
            );
            assert_eq!(read(false, true, &json!(text)), Ok(json!(text)), "{text}");
        }
        for text in ["CLASS  5", "class 5", r"x\|y|Rain", "", " "] {
            assert_eq!(read(false, false, &json!(text)), Ok(json!(text)), "{text}");
        }
    }

    #[test]
    fn several_labels_in_one_field_are_a_list_where_each_part_is_a_label() {
        for (text, labels) in [
            ("class 5, class 6", json!(["class 5", "class 6"])),
            ("class 5|CLASS 6", json!(["class 5", "class 6"])),
            ("class 5, home, Garden", json!(["class 5", "Home, garden"])),
            (r"class 6|Sport\|Spiel", json!(["class 6", "Sport|Spiel"])),
            (r"x\|y|Rain", json!(["x|y", "Rain"])),
        ] {
            assert_eq!(read(true, false, &json!(text)), Ok(labels), "{text}");
        }
        for text in [
            "class 5, class 7",
            "class 5, I cannot tell",
            "AC|DC",
            "class 5|new",
            "class 5,",
        ] {
            assert_eq!(
                read(true, false, &json!(text)),
                Err(AnswerError::NotOfList(2)),
                "{text}"
            );
        }
        assert_eq!(
            read(true, true, &json!(["AC|DC", "class 5"])),
            Ok(json!(["AC|DC", "class 5"]))
        );
    }
}
