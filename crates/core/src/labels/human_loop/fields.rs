//! The fields of a submitted form, in any shape that worker task templates produce.
//!
//! | element | what A2I sends for the field |
//! |---|---|
//! | `select`, `input`, `textarea`, `crowd-input`, `crowd-text-area` | a text |
//! | `select multiple` | a list of texts |
//! | `crowd-classifier` | `{"label": "X"}` |
//! | `crowd-classifier-multi-select` | `{"labels": ["X", "Y"]}` |
//! | radio buttons and check boxes, native and crowd | `{"<value or on>": true, …}` |
//!
//! Templates nest these in objects and lists of their own (`annotations`), also as JSON in a hidden input.

use serde_json::{Map, Number, Value};

use super::answer::{
    Answer, COMMENT_OF, ExclusionCategories, FLAG_OF, NONE_FITS, NONE_WORDS, UNSURE, answer_word,
    is_answer_word,
};
use crate::{
    feedback::prediction::{LABEL_DELIMITER, cut_labels},
    labels::label_key::label_key,
};

/// Deepest nesting that is looked into; deeper values are no answers.
const MAX_DEPTH: usize = 8;

/// What boxes and buttons without a value send in its place.
const NAMELESS_VALUES: [&str; 4] = ["on", "true", "yes", "1"];

/// A word in the names of fields in which people explain themselves; part of others, such as `Notebook`.
const NOTE: &str = "note";

/// Parts of the names of fields in which people explain themselves.
const COMMENT_NAMES: [&str; 7] = [
    "comment",
    "remark",
    "reason",
    "explanation",
    "feedback",
    "justification",
    "rationale",
];

/// Parts of the names of fields that are there for the answer.
const ANSWER_NAMES: [&str; 8] = [
    "category",
    "label",
    "class",
    "choice",
    "answer",
    "item-",
    "prediction",
    "sentiment",
];

/// Returns whether a field of this name is one in which people explain themselves, unless it is a label's: it answers only
/// where nothing else does.
pub fn is_comment_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    COMMENT_NAMES.iter().any(|part| lower.contains(part))
        || words(name).any(|word| word.starts_with(NOTE) && word.len() <= NOTE.len() + 1)
}

/// Returns those exclusion categories of a page that an answer of it chooses.
pub fn chosen_exclusions(
    content: &Map<String, Value>,
    categories: &ExclusionCategories,
) -> ExclusionCategories {
    let fields = fields(content);
    let is_chosen = |(name, word): &(&String, &String)| {
        let mut of_name = fields.iter().filter(|field| field.root() == name.as_str());
        of_name.any(|field| field.chooses(word))
    };
    let chosen = categories.iter().filter(is_chosen);
    chosen.map(|(name, word)| (name.clone(), word.clone())).collect()
}

/// Returns the words of a name, in lower case: `reviewerNote_1` has `reviewer`, `note` and `1`.
pub(super) fn words(name: &str) -> impl Iterator<Item = String> {
    let mut parted = String::new();
    let mut last_is_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || last_is_lower && c.is_uppercase() {
            parted.push(' ');
        }
        if c.is_alphanumeric() {
            parted.extend(c.to_lowercase());
        }
        last_is_lower = c.is_lowercase();
    }
    let words: Vec<String> = parted.split_whitespace().map(str::to_owned).collect();
    words.into_iter()
}

/// Tells which label a text means; nothing where it means none.
pub(crate) type Resolve<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What kind of input a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// Typed or selected: a text.
    Text,
    /// Boxes or buttons.
    Marks,
    /// A choice among labels.
    Choice,
}

/// One value of a form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// Names from the outermost to its own; a place in a list is `[3]`, or the ids of what lies there.
    pub path: Vec<String>,
    /// What it says; empty where it was left blank.
    pub given: Vec<String>,
    /// What kind of input it comes from.
    pub shape: Shape,
    /// What could have been chosen, of boxes and buttons, which are sent whether they are chosen or not.
    pub offered: Vec<String>,
}

impl Field {
    /// Returns its own name.
    pub fn name(&self) -> &str {
        self.path.last().map(String::as_str).unwrap_or_default()
    }

    /// Returns the name under which it was submitted.
    pub fn root(&self) -> &str {
        self.path.first().map(String::as_str).unwrap_or_default()
    }

    /// Returns whether a word is chosen among labels.
    fn chooses(&self, word: &str) -> bool {
        let key = label_key(word);
        self.shape == Shape::Choice && self.given.iter().any(|given| label_key(given) == key)
    }

    /// Has the choice of a word say that no label fits.
    fn exclude(&mut self, word: &str) {
        if self.chooses(word) {
            let key = label_key(word);
            for given in self.given.iter_mut().filter(|given| label_key(given) == key) {
                *given = NONE_FITS.to_owned();
            }
        }
    }

    /// Returns whether it says that no label fits, or that its reviewer cannot tell, and something else as well.
    fn contradicts_itself(&self) -> bool {
        let mut keys: Vec<String> = self.given.iter().map(|word| label_key(word)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len() > 1 && self.given.iter().any(|word| is_answer_word(word))
    }

    /// Returns whether nothing was entered.
    pub fn is_blank(&self) -> bool {
        self.given.is_empty()
    }

    /// Returns whether people explain themselves in it: it answers only where nothing else does. A box that is named by a
    /// label is for that label, whatever it is called.
    pub fn is_comment(&self, resolve: Resolve<'_>) -> bool {
        resolve(self.name()).is_none() && self.path.iter().any(|name| is_comment_name(name))
    }

    /// Returns whether its name, its kind, or a label among its buttons says that it is there for the answer.
    pub fn is_for_answer(&self, resolve: Resolve<'_>) -> bool {
        let offers_a_label = || self.offered.iter().any(|name| resolve(name).is_some());
        !self.is_comment(resolve)
            && (self.shape == Shape::Choice || self.is_named(&ANSWER_NAMES) || offers_a_label())
    }

    /// Returns whether labels could be chosen in it, whether or not one was: what a text beside it says is none then.
    pub fn is_choice_of_labels(&self, resolve: Resolve<'_>) -> bool {
        let is_box_of_label = || self.shape == Shape::Marks && resolve(self.name()).is_some();
        self.shape != Shape::Text && (self.is_for_answer(resolve) || is_box_of_label())
    }

    /// Returns whether somebody typed something that the form does not ask as the answer.
    pub fn is_typed_aside(&self, resolve: Resolve<'_>) -> bool {
        self.shape == Shape::Text && !self.is_for_answer(resolve)
    }

    fn is_named(&self, parts: &[&str]) -> bool {
        let name = self.path.join(".").to_lowercase();
        parts.iter().any(|part| name.contains(part))
    }

    /// Returns the answer that it means if everything it says is a label or a word with a meaning of its own.
    pub fn answer(&self, resolve: Resolve<'_>) -> Option<Answer> {
        let given = self.given.as_slice();
        if given.is_empty() {
            return None;
        }
        let says = |answer: &str| given.iter().any(|word| label_key(word) == label_key(answer));
        if self.contradicts_itself() {
            return None;
        }
        if says(UNSURE) {
            return Some(Answer::Unsure);
        }
        if says(NONE_FITS) {
            return Some(Answer::NoneFits);
        }
        if let Some(label) = self.label_of_its_name(resolve) {
            return Some(Answer::labels([label]));
        }
        if let Some(labels) = all_labels(given.iter().map(String::as_str), resolve) {
            return Some(Answer::labels(labels));
        }
        match given {
            [word] if word.contains(LABEL_DELIMITER) => cut_labels(word, resolve).map(Answer::labels),
            [_] if self.stands_for_its_name() && NONE_WORDS.contains(&label_key(self.name()).as_str()) => {
                Some(Answer::NoneFits)
            }
            [word] if self.shape == Shape::Marks && NAMELESS_VALUES.contains(&word.as_str()) => {
                resolve(self.name()).map(|label| Answer::labels([label]))
            }
            [word] if NONE_WORDS.contains(&label_key(word).as_str()) => Some(Answer::NoneFits),
            _ => None,
        }
    }

    /// Returns the label that a chosen mark without a value of its own is named by. A label may be called `on` itself.
    fn label_of_its_name(&self, resolve: Resolve<'_>) -> Option<String> {
        self.stands_for_its_name().then(|| resolve(self.name())).flatten()
    }

    /// Returns whether it is a chosen mark without a value of its own: it says what its name says.
    fn stands_for_its_name(&self) -> bool {
        let is_nameless = |word: &String| NAMELESS_VALUES.contains(&word.as_str());
        let is_mark = self.shape == Shape::Marks && self.offered.len() <= 1;
        is_mark && self.given.len() == 1 && self.given.iter().all(is_nameless)
    }

    /// Returns the answer that it means, or what it says as the proposal of a new label.
    pub fn answer_or_proposal(&self, resolve: Resolve<'_>) -> Option<Answer> {
        if self.is_blank() || self.contradicts_itself() {
            return None;
        }
        self.answer(resolve).or_else(|| self.proposal(resolve))
    }

    /// Returns what it says, which is no label, as a proposal. A bar within what is chosen or added is part of the name; in
    /// what is typed as one text it stands between several, unless a backslash is before it. What people write for "I cannot
    /// tell" is that, and no label's name.
    fn proposal(&self, resolve: Resolve<'_>) -> Option<Answer> {
        if self.stands_for_its_name() {
            return Some(Answer::proposal([self.name()]));
        }
        let says = |word: &String| answer_word(word).filter(|_| resolve(word).is_none());
        match self.given.as_slice() {
            [word] if says(word) == Some(UNSURE) => Some(Answer::Unsure),
            [word] if self.shape == Shape::Text => Some(Answer::NewLabel { label: word.clone() }),
            given if given.iter().any(|word| says(word).is_some()) => None,
            given => Some(Answer::proposal(given)),
        }
    }
}

fn all_labels<'a>(words: impl Iterator<Item = &'a str>, resolve: Resolve<'_>) -> Option<Vec<String>> {
    words.map(resolve).collect()
}

/// Returns the fields of a form that may be answers; what is an exclusion category says that no label fits.
pub(crate) fn fields_with(content: &Map<String, Value>, exclusions: &ExclusionCategories) -> Vec<Field> {
    let mut fields = fields(content);
    for field in &mut fields {
        if let Some(word) = exclusions.get(field.root()) {
            field.exclude(word);
        }
    }
    fields
}

/// Returns the fields of a form that may be answers: what is said about an item beside its answer is none.
pub(crate) fn fields(content: &Map<String, Value>) -> Vec<Field> {
    let mut fields = Vec::new();
    let is_note = |name: &&String| name.starts_with(COMMENT_OF) || name.starts_with(FLAG_OF);
    for (name, value) in content.iter().filter(|(name, _)| !is_note(name)) {
        collect(std::slice::from_ref(name), value, &mut fields);
    }
    fields
}

fn collect(path: &[String], value: &Value, fields: &mut Vec<Field>) {
    if path.len() > MAX_DEPTH {
        return;
    }
    let name = path.last().map(String::as_str).unwrap_or_default();
    match value {
        Value::String(text) => match nested_json(text) {
            Some(nested) => collect(path, &nested, fields),
            None => fields.push(field(path, [text.as_str()], Shape::Text)),
        },
        Value::Bool(chosen) => fields.push(field(path, chosen.then_some(name), Shape::Marks)),
        Value::Array(list) => match list.iter().map(word).collect::<Option<Vec<String>>>() {
            Some(words) => fields.push(field(path, words.iter().map(String::as_str), Shape::Choice)),
            None => {
                let numbers = numbers_of(list).unwrap_or_else(|| (0..list.len() as u64).collect());
                for (number, element) in numbers.into_iter().zip(list) {
                    let ids = ids(element);
                    let own = match ids.is_empty() {
                        true => vec![format!("[{number}]")],
                        false => ids,
                    };
                    collect(&[path, &own].concat(), element, fields);
                }
            }
        },
        Value::Object(members) => collect_object(path, members, fields),
        Value::Number(number) => {
            fields.push(field(path, [written(number).as_str()], Shape::Text));
        }
        Value::Null => fields.push(field(path, None, Shape::Text)),
    }
}

/// Returns what an element of a list may be called by: the members that are ids by their names, as text.
fn ids(element: &Value) -> Vec<String> {
    let members = element.as_object().into_iter().flatten();
    let is_id = |name: &str| {
        let lower = name.to_lowercase();
        let ends = ["Id", "ID"].iter().any(|end| name.ends_with(end));
        matches!(lower.as_str(), "id" | "item" | "key" | "name") || ends || lower.ends_with("_id")
    };
    members
        .filter(|(name, _)| is_id(name))
        .filter_map(|(_, value)| word(value))
        .collect()
}

/// Returns the numbers by which the elements of a list say which items they are about: each has one of the same name, and all
/// are different.
fn numbers_of(list: &[Value]) -> Option<Vec<u64>> {
    let is_number = |name: &str| {
        let lower = name.to_lowercase();
        [
            "index",
            "number",
            "position",
            "itemindex",
            "itemnumber",
            "item_index",
            "item_number",
        ]
        .contains(&lower.as_str())
    };
    let first = list.first()?.as_object()?;
    let name = first.keys().find(|name| is_number(name))?;
    let number = |element: &Value| match element.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let numbers: Vec<u64> = list.iter().map(number).collect::<Option<_>>()?;
    let mut different = numbers.clone();
    different.sort_unstable();
    different.dedup();
    let is_in_range = |number: &u64| *number <= list.len() as u64;
    (different.len() == numbers.len() && numbers.iter().all(is_in_range)).then_some(numbers)
}

/// Returns a text, or a number as people write it.
pub(super) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(written(number)),
        _ => None,
    }
}

/// Writes a number as people name a class by it: `4`, also where a form sends `4.0`.
fn written(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
        _ => number.to_string(),
    }
}

fn collect_object(path: &[String], members: &Map<String, Value>, fields: &mut Vec<Field>) {
    match (members.get("label"), members.get("labels")) {
        (Some(Value::String(label)), _) => fields.push(field(path, [label.as_str()], Shape::Choice)),
        (_, Some(Value::Array(labels))) => {
            let labels: Vec<String> = labels.iter().filter_map(word).collect();
            fields.push(field(path, labels.iter().map(String::as_str), Shape::Choice));
        }
        _ if members.values().all(Value::is_boolean) => {
            let chosen = members.iter().filter(|(_, chosen)| **chosen == Value::Bool(true));
            fields.push(Field {
                offered: members.keys().cloned().collect(),
                ..field(path, chosen.map(|(name, _)| name.as_str()), Shape::Marks)
            });
        }
        _ => {
            for (name, value) in members {
                collect(&[path, std::slice::from_ref(name)].concat(), value, fields);
            }
        }
    }
}

fn field<'a>(path: &[String], given: impl IntoIterator<Item = &'a str>, shape: Shape) -> Field {
    // Nothing that can be seen is nothing.
    let given = given
        .into_iter()
        .map(str::trim)
        .filter(|word| !label_key(word).is_empty());
    Field {
        path: path.to_vec(),
        given: given.map(str::to_owned).collect(),
        shape,
        offered: Vec::new(),
    }
}

/// Reads the value of a hidden input in which a template's script keeps answers as JSON.
pub(super) fn nested_json(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::feedback::prediction::split_labels;

    fn resolve(name: &str) -> Option<String> {
        ["World", "Sports"]
            .into_iter()
            .find(|label| label_key(label) == label_key(name))
            .map(str::to_owned)
    }

    fn answers(content: Value) -> Vec<Option<Answer>> {
        let fields = fields(content.as_object().expect("an object"));
        fields.iter().map(|field| field.answer(&resolve)).collect()
    }

    #[test]
    fn every_answer_shape_is_read() {
        for shape in [
            json!("World"),
            json!(" world\n"),
            json!("ＷＯＲＬＤ"),
            json!(["World"]),
            json!({"label": "World"}),
            json!({"labels": ["World"]}),
            json!({"World": true, "Sports": false}),
            json!("{\"label\":\"World\"}"),
        ] {
            assert_eq!(
                answers(json!({"field": shape})),
                [Some(Answer::labels(["World"]))],
                "{shape}"
            );
        }
    }

    #[test]
    fn a_number_is_the_class_of_that_name() {
        let resolve = |name: &str| ["1", "4", "-2", "0.5"].contains(&name).then(|| name.to_owned());
        for (shape, label) in [
            (json!(4), "4"),
            (json!(4.0), "4"),
            (json!(-2), "-2"),
            (json!(0.5), "0.5"),
            (json!({"rating": 4}), "4"),
            (json!("{\"rating\":4}"), "4"),
            (json!(["4"]), "4"),
            (json!([4]), "4"),
            (json!({"labels": [4]}), "4"),
            (json!({"labels": [4.0]}), "4"),
        ] {
            let content = json!({"field": shape, "secondsSpent": 12});
            let fields = fields(content.as_object().expect("an object"));
            let answers: Vec<_> = fields.iter().filter_map(|field| field.answer(&resolve)).collect();
            assert_eq!(answers, [Answer::labels([label])], "{shape}");
        }
    }

    #[test]
    fn the_words_of_pages_are_no_proposals_however_they_are_spelt_and_what_cannot_be_seen_is_nothing() {
        let answer = |value: Value| {
            let content = json!({ "item-1": value });
            let all = fields(content.as_object().expect("an object"));
            all[0].answer_or_proposal(&resolve)
        };

        assert_eq!(answer(json!(" __NONE__")), Some(Answer::NoneFits));
        assert_eq!(answer(json!("__Unsure__")), Some(Answer::Unsure));
        assert_eq!(answer(json!("\u{200b}")), None);
        assert_eq!(
            answer(json!("Rain")),
            Some(Answer::NewLabel { label: "Rain".into() })
        );
    }

    #[test]
    fn several_labels_are_read_as_one_answer() {
        for shape in [
            json!({"labels": ["World", "Sports", "World"]}),
            json!({"World": true, "Sports": true}),
            json!(["Sports", "World"]),
            json!("World|Sports"),
        ] {
            assert_eq!(
                answers(json!({"field": shape})),
                [Some(Answer::labels(["Sports", "World"]))],
                "{shape}"
            );
        }
    }

    #[test]
    fn a_bar_within_what_is_added_to_a_list_cuts_no_name_and_in_a_typed_text_it_stands_between_names() {
        let proposed = |value: Value| {
            let content = json!({ "item-1": value });
            let all = fields(content.as_object().expect("an object"));
            match all[0].answer_or_proposal(&resolve) {
                Some(Answer::NewLabel { label }) => split_labels(&label),
                other => panic!("no proposal: {other:?}"),
            }
        };

        assert_eq!(proposed(json!(["AC|DC"])), ["AC|DC"]);
        assert_eq!(proposed(json!(["World", "rock|roll"])), ["rock|roll", "World"]);
        assert_eq!(proposed(json!({"label": "AC|DC"})), ["AC|DC"]);
        assert_eq!(proposed(json!({"AC|DC": true, "World": false})), ["AC|DC"]);
        assert_eq!(proposed(json!("AC|DC")), ["AC", "DC"]);
        assert_eq!(proposed(json!(r"AC\|DC")), ["AC|DC"]);
    }

    #[test]
    fn what_people_write_for_i_cannot_tell_is_no_new_label_unless_it_is_a_label() {
        let answer = |value: Value, resolve: Resolve<'_>| {
            let content = json!({ "item-1": value });
            let all = fields(content.as_object().expect("an object"));
            all[0].answer_or_proposal(resolve)
        };

        for word in [
            "I cannot tell",
            " CANNOT  tell",
            "can’t tell",
            "I can't tell",
            "Unsure",
            "not sure",
        ] {
            assert_eq!(answer(json!(word), &resolve), Some(Answer::Unsure), "{word}");
            assert_eq!(answer(json!([word]), &resolve), Some(Answer::Unsure), "{word}");
            assert_eq!(answer(json!([word, "World"]), &resolve), None, "{word}");
        }
        let has_unsure = |name: &str| (name == "Unsure").then(|| name.to_owned());
        assert_eq!(
            answer(json!("Unsure"), &has_unsure),
            Some(Answer::labels(["Unsure"]))
        );
    }

    #[test]
    fn a_button_without_a_value_says_its_name() {
        assert_eq!(
            answers(json!({"Sports": {"on": true}, "World": {"on": false}})),
            [Some(Answer::labels(["Sports"])), None]
        );
        let none = json!({"label": {"None of these": {"on": true}, "World": {"on": false}}});
        assert_eq!(answers(none), [Some(Answer::NoneFits), None]);
        let other = json!({"label": {"Cooking": {"on": true}}});
        let all = fields(other.as_object().expect("an object"));
        assert_eq!(
            all[0].answer_or_proposal(&resolve),
            Some(Answer::NewLabel {
                label: "Cooking".into()
            })
        );
    }

    #[test]
    fn a_mark_that_is_named_by_a_label_is_that_label_though_another_is_called_like_its_value() {
        let resolve = |name: &str| {
            ["On", "Off", "true"]
                .contains(&name)
                .then(|| name.to_owned())
                .or_else(|| (name == "on").then(|| "On".to_owned()))
        };
        let read = |content: Value| {
            let fields = fields(content.as_object().expect("an object"));
            fields
                .iter()
                .map(|field| field.answer(&resolve))
                .collect::<Vec<_>>()
        };

        assert_eq!(
            read(json!({"Off": {"on": true}, "On": {"on": false}})),
            [Some(Answer::labels(["Off"])), None]
        );
        assert_eq!(
            read(json!({"switch": {"On": false, "Off": true}})),
            [Some(Answer::labels(["Off"]))]
        );
        assert_eq!(
            read(json!({"switch": {"on": true}})),
            [Some(Answer::labels(["On"]))]
        );
    }

    #[test]
    fn a_name_with_a_word_for_comments_is_that_of_a_comment() {
        for name in [
            "comment",
            "reviewerNote_1",
            "notes",
            "Your feedback",
            "item-1-reason",
        ] {
            assert!(is_comment_name(name), "{name}");
        }
        for name in ["Notebook", "footnotes", "label", "denoted"] {
            assert!(!is_comment_name(name), "{name}");
        }
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
                assert_eq!(
                    answers(json!({"field": shape})),
                    [Some(answer.clone())],
                    "{shape}"
                );
            }
        }
        assert_eq!(
            answers(json!({"field": {"label": "None of the above"}})),
            [Some(Answer::NoneFits)]
        );
    }

    #[test]
    fn what_says_none_or_unsure_and_a_label_is_no_answer_and_no_proposal() {
        for word in [NONE_FITS, UNSURE] {
            for shape in [
                json!(["World", word]),
                json!({"labels": [word, "Rain"]}),
                json!({word: true, "World": true}),
            ] {
                let content = json!({ "item-1": shape });
                let all = fields(content.as_object().expect("an object"));
                assert_eq!(all[0].answer_or_proposal(&resolve), None, "{shape}");
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
            json!(null),
        ] {
            assert_eq!(answers(json!({"field": unanswered})), [None], "{unanswered}");
        }
    }
}
