//! Labels as a cell or a field gives them: one, several, a list, or ways through a tree.
//!
//! What does not surely name the labels of a text is refused with what to do: it is never guessed.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::{
    dataset::{VECTOR, unnamed_labels},
    labels::label_key::label_key,
};
use serde_json::Value;

pub(crate) use crate::named::name;
use crate::{
    draft::{Draft, Fields},
    named::{NAMELESS, is_label_field, is_nothing, names_of},
    tools::fast_text,
};

/// Fields of an object that say how much a label holds.
const SCORES: [&str; 5] = ["score", "confidence", "probability", "prob", "confidenceScore"];

/// Why labels that mark words are none of a text.
pub(crate) const PARTS: &str = "its labels mark parts of the text, not the whole";

/// Why labels with scores are not read.
pub(crate) const WITH_SCORES: &str = "its labels have scores, which do not say surely which of them hold: leave those \
    that do, without scores, or give each the score 1 or 0";

/// Why two numbers are not read where nothing tells whether they are ids.
pub(crate) const ZERO_AND_ONE: &str = "its labels are the numbers 0 and 1, which are ids of labels, or say no and yes of \
    two: write the names of its labels";

/// Why a list in the notation of a program is not read.
const NO_LIST: &str = "its labels are a list in the notation of a program, which was not understood: write it as JSON, \
    such as [\"one\", \"two\"], or the names with a `|` between them";

/// What stands between the names of a way through a tree.
const BETWEEN: &str = " / ";

/// Labels as one cell or field gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// As one text, which may hold several.
    Cell(String),
    /// As a list.
    List(Vec<String>),
    /// As ways from the root of a tree of labels, the label itself last; none is empty.
    Paths(Vec<Vec<String>>),
}

/// What is read of labels; none where there are no labels, an error where they are not named.
type Read = Result<Option<Written>, &'static str>;

impl Written {
    /// Reads a cell of a table: a list where it holds one as JSON.
    pub(crate) fn of_cell(cell: &str) -> Read {
        let cell = cell.trim();
        if cell.is_empty() {
            return Ok(None);
        }
        if let Some(labels) = fast_text::labels(cell) {
            return Ok((!labels.is_empty()).then_some(Self::List(labels)));
        }
        let is_json = cell.starts_with('[') && cell.ends_with(']')
            || ["{\"choices\"", "{\"taxonomy\""]
                .iter()
                .any(|begin| cell.starts_with(begin));
        let parsed = is_json
            .then(|| serde_json::from_str::<Value>(cell).ok())
            .flatten();
        let python = || {
            is_json
                .then(|| serde_json::from_str::<Value>(&cell.replace('\'', "\"")).ok())
                .flatten()
        };
        match parsed.or_else(python) {
            Some(value) => Self::of_value(&value),
            None if ["['", "[\"", "{'", "('", "array("]
                .iter()
                .any(|begin| cell.starts_with(begin)) =>
            {
                Err(NO_LIST)
            }
            None => match unnamed_labels(cell) {
                Some(reason) => Err(reason),
                None => Ok(Some(Self::Cell(cell.to_owned()))),
            },
        }
    }

    /// Reads a field of an object; none where there is nothing in it.
    pub(crate) fn of_value(value: &Value) -> Read {
        match value {
            Value::Null => Ok(None),
            Value::Array(values) => of_list(values),
            Value::Object(fields) => match fields.get("choices").or_else(|| fields.get("taxonomy")) {
                Some(choices) => Self::of_value(choices),
                None if marks_part(value) => Err(PARTS),
                None => {
                    if let Some(likely) = of_scores(value)? {
                        return Ok((!likely.is_empty()).then_some(Self::List(likely)));
                    }
                    match (name(value), only_array(fields)) {
                        (Some(_), _) => of_list(std::slice::from_ref(value)),
                        (None, Some(array)) => Self::of_value(array),
                        (None, None) if is_nothing(value) => Ok(None),
                        (None, None) => Err(NAMELESS),
                    }
                }
            },
            Value::String(text) => match fast_text::labels(text) {
                Some(labels) => Ok((!labels.is_empty()).then_some(Self::List(labels))),
                None => match unnamed_labels(text) {
                    Some(reason) => Err(reason),
                    None => {
                        let text = text.trim();
                        Ok((!text.is_empty()).then(|| Self::Cell(text.to_owned())))
                    }
                },
            },
            Value::Bool(_) | Value::Number(_) => Ok(name(value).map(Self::Cell)),
        }
    }
}

impl Written {
    /// Reads a list of numbers that are ids.
    pub(crate) fn of_ids(ids: &Value) -> Option<Self> {
        let parsed = || serde_json::from_str::<Value>(ids.as_str()?).ok();
        let list = ids
            .as_array()
            .cloned()
            .or_else(|| parsed()?.as_array().cloned())?;
        Some(Self::List(list.iter().filter_map(name).collect()))
    }

    /// Adds what one person answered beside it to the same question.
    pub(crate) fn extend(&mut self, more: Self) {
        match (self, more) {
            (Self::List(labels), Self::List(more)) => labels.extend(more),
            (Self::Paths(paths), Self::Paths(more)) => paths.extend(more),
            // One question has answers of one kind.
            (_, _) => {}
        }
    }

    /// Returns whether it holds no label.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Cell(cell) => cell.is_empty(),
            Self::List(labels) => labels.is_empty(),
            Self::Paths(paths) => paths.is_empty(),
        }
    }

    /// Returns the labels as they are written, those of a tree with those above them.
    pub(crate) fn names(self) -> Vec<String> {
        match self {
            Self::Cell(cell) => vec![cell],
            Self::List(labels) => labels,
            Self::Paths(paths) => paths.iter().map(|path| path_name(path)).collect(),
        }
    }
}

/// Reads a list: of names, of objects that name labels, or of ways through a tree.
fn of_list(values: &[Value]) -> Read {
    if values.iter().any(marks_part) {
        return Err(PARTS);
    }
    if values.iter().any(Value::is_array) {
        return of_paths(values)
            .map(|paths| Some(paths).filter(|paths| !paths.is_empty()))
            .ok_or(PARTS);
    }
    if is_vector(values) {
        return Err(match values {
            [one, other] if one != other && values.iter().all(Value::is_u64) => ZERO_AND_ONE,
            _ => VECTOR,
        });
    }
    let labels: Vec<String> = match scored(values)? {
        Some(labels) => labels,
        None => names_of(values)?,
    };
    Ok((!labels.is_empty()).then_some(Written::List(labels)))
}

/// Returns whether a list says of each label how much it holds, and names none: `[0, 1, 0]`, `[true, false]`, `["0", "0"]`.
fn is_vector(values: &[Value]) -> bool {
    let share = |value: &Value| match value {
        Value::Bool(flag) => Some(f64::from(*flag)),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let shares: Option<Vec<f64>> = values.iter().map(share).collect();
    let Some(shares) = shares.filter(|shares| shares.len() > 1) else {
        return false;
    };
    let are_shares = shares.iter().all(|share| (0.0..=1.0).contains(share));
    // Two labels may be called `0` and `1`, as texts.
    let is_list_of_names =
        || values.iter().all(Value::is_string) && shares.len() == 2 && shares[0] != shares[1];
    are_shares && !is_list_of_names()
}

/// Returns whether a cell is a list of ids of labels: of one, or with a number above 1.
pub(crate) fn are_ids(cell: &str) -> bool {
    let ids = Some(cell.trim()).filter(|cell| cell.starts_with('['));
    let ids = ids.and_then(|cell| serde_json::from_str::<Vec<u64>>(cell).ok());
    ids.is_some_and(|ids| ids.len() == 1 || ids.iter().any(|id| *id > 1))
}

/// Returns whether a cell holds the two numbers 0 and 1: two labels that are called so, or a number for each of two labels.
pub(crate) fn is_zero_and_one(cell: &str) -> bool {
    let numbers: Vec<&str> = cell
        .split([',', ';', ' '])
        .filter(|part| !part.is_empty())
        .collect();
    matches!(&numbers[..], ["0", "1"] | ["1", "0"])
}

/// Returns whether cells hold a number for each label: one of them surely does, or two have 0 and 1 in another order.
pub(crate) fn are_vectors(cells: &[&String]) -> bool {
    let cells: BTreeSet<&str> = cells.iter().map(|cell| cell.trim()).collect();
    let pairs = cells.iter().filter(|cell| is_zero_and_one(cell)).count();
    pairs > 1 || pairs > 0 && cells.iter().any(|cell| unnamed_labels(cell) == Some(VECTOR))
}

/// Returns whether a label is of a part of the text: it says where it begins, `[0, 5, "PER"]` or
/// `{"start": 0, "end": 5}`.
fn marks_part(value: &Value) -> bool {
    let has = |name: &str| value.get(name).is_some_and(Value::is_number);
    let is_place = |values: &Vec<Value>| values.iter().any(Value::is_number);
    value.as_array().is_some_and(is_place) || has("start_offset") || has("start") && has("end")
}

/// Reads ways through a tree, `[["Goods", "Other"], ["Service"]]`.
fn of_paths(values: &[Value]) -> Option<Written> {
    let path = |value: &Value| {
        let names: Option<Vec<String>> = value.as_array()?.iter().map(name).collect();
        names.filter(|names| !names.is_empty())
    };
    let paths: Option<Vec<Vec<String>>> = values.iter().map(path).collect();
    paths.map(Written::Paths)
}

/// Returns the only array of an object, such as `{"type": "tag.list", "tags": [{"name": "vip"}]}`.
fn only_array(fields: &Fields) -> Option<&Value> {
    let mut arrays = fields.values().filter(|value| value.is_array());
    arrays.next().filter(|_| arrays.next().is_none())
}

/// Reads labels with a score each, `[{"label": "World", "score": 1}, {"label": "Sports", "score": 0}]`: those that hold. One by
/// itself is a label if it holds more likely than not. None where one has no score.
fn scored(values: &[Value]) -> Result<Option<Vec<String>>, &'static str> {
    let number = |score: &Value| match score {
        Value::Bool(holds) => Some(f64::from(*holds)),
        Value::String(text) => text.trim().parse().ok(),
        score => score.as_f64(),
    };
    let score = |value: &Value| {
        let score = SCORES.iter().find_map(|field| value.get(*field));
        Some((name(value)?, number(score?)?))
    };
    let scores: Vec<Option<(String, f64)>> = values.iter().map(score).collect();
    match &scores[..] {
        [] => Ok(None),
        scores if scores.iter().all(Option::is_none) => Ok(None),
        [Some((name, score))] if *score > 0.5 && *score <= 1.0 => Ok(Some(vec![name.clone()])),
        scores => match scores.iter().cloned().collect::<Option<Vec<_>>>() {
            Some(scores) => holding(scores).map(Some),
            None => Err(WITH_SCORES),
        },
    }
}

/// Reads labels with scores, `{"World": 1.0, "Sports": 0.0}`: those that hold. An object such as `{"id": 1}` names a label.
fn of_scores(value: &Value) -> Result<Option<Vec<String>>, &'static str> {
    let Some(fields) = value.as_object() else {
        return Ok(None);
    };
    if fields.is_empty() || fields.keys().all(|name| is_label_field(name)) {
        return Ok(None);
    }
    let score = |(name, score): (&String, &Value)| {
        Some((
            name.clone(),
            score.as_f64().or_else(|| score.as_bool().map(f64::from))?,
        ))
    };
    let scores: Option<Vec<(String, f64)>> = fields.iter().map(score).collect();
    match scores.filter(|scores| scores.iter().all(|(_, score)| (0.0..=1.0).contains(score))) {
        Some(scores) => holding(scores).map(Some),
        None => Ok(None),
    }
}

/// Returns the labels whose score is 1; the others must have 0.
fn holding(scores: Vec<(String, f64)>) -> Result<Vec<String>, &'static str> {
    match scores.iter().all(|(_, score)| [0.0, 1.0].contains(score)) {
        false => Err(WITH_SCORES),
        true => {
            let holding = scores.into_iter().filter(|(_, score)| *score == 1.0);
            Ok(holding.map(|(name, _)| name).collect())
        }
    }
}

/// Returns the name of a label of a tree with the names of those above it: `Goods / Other`.
pub(crate) fn path_name(path: &[String]) -> String {
    path.join(BETWEEN)
}

/// Makes names of the ways through a tree of all rows: that of the label itself, with those above it where several labels of the
/// tree are called so. Says it.
pub(crate) fn name_paths<'a>(drafts: impl Iterator<Item = &'a mut Draft>) -> Option<String> {
    let mut written: Vec<&mut Written> = drafts
        .flat_map(|draft| &mut draft.votes)
        .map(|vote| &mut vote.written)
        .collect();
    let mut places: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
    for written in &written {
        if let Written::Paths(paths) = &**written {
            for path in paths {
                let keys: Vec<String> = path.iter().map(|name| label_key(name)).collect();
                places
                    .entry(keys[keys.len() - 1].clone())
                    .or_default()
                    .insert(keys);
            }
        }
    }
    if places.is_empty() {
        return None;
    }
    let mut with_path = BTreeSet::new();
    let mut named = |path: &Vec<String>| {
        let last = &path[path.len() - 1];
        let is_one = places.get(&label_key(last)).is_none_or(|places| places.len() < 2);
        if !is_one && path.len() > 1 {
            with_path.insert(path_name(path));
        }
        match is_one {
            true => last.clone(),
            false => path_name(path),
        }
    };
    for written in &mut written {
        if let Written::Paths(paths) = &**written {
            let names = paths.iter().map(&mut named).collect();
            **written = Written::List(names);
        }
    }
    let note = "labels of a tree were read by their own name";
    Some(match with_path.first() {
        None => note.to_owned(),
        Some(first) => format!(
            "{note}, and with those above it where several have that name, such as `{first}` ({} so)",
            with_path.len()
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(names: &[&str]) -> Read {
        Ok(Some(Written::List(
            names.iter().map(|name| (*name).to_owned()).collect(),
        )))
    }

    #[test]
    fn lists_numbers_booleans_and_scores_are_labels() {
        for (value, names) in [
            (
                json!(["A, B", 1, true, null, {"name": "C"}]),
                &["A, B", "1", "true", "C"][..],
            ),
            (json!({"World": 1.0, "Sports": 0.0}), &["World"][..]),
            (json!({"id": 1}), &["1"][..]),
            (json!({"value": 1.0}), &["1"][..]),
            (json!({"choices": ["A", "B"]}), &["A", "B"][..]),
            (json!(["0", "1"]), &["0", "1"][..]),
            (json!([27, 1]), &["27", "1"][..]),
            (json!([1]), &["1"][..]),
        ] {
            assert_eq!(Written::of_value(&value), list(names), "{value}");
        }
        let cell = |text: &str| -> Read { Ok(Some(Written::Cell(text.to_owned()))) };
        assert_eq!(Written::of_value(&json!(2.0)), cell("2"));
        assert_eq!(Written::of_value(&json!(2.5)), cell("2.5"));
        assert_eq!(Written::of_value(&json!([])), Ok(None));
        assert_eq!(Written::of_cell("[urgent]"), cell("[urgent]"));
        assert_eq!(Written::of_cell(r#"{"choices": ["A", "B"]}"#), list(&["A", "B"]));
        assert_eq!(Written::of_cell("['a', 'b']"), list(&["a", "b"]));
    }

    #[test]
    fn of_labels_with_scores_those_with_one_hold_and_what_lies_between_is_refused() {
        let scored = |one: f64, other: f64| {
            Written::of_value(
                &json!([{"label": "defect", "score": one}, {"label": "shipping", "score": other}]),
            )
        };
        assert_eq!(scored(1.0, 0.0), list(&["defect"]));
        assert_eq!(scored(0.0, 0.0), Ok(None));
        for refused in [
            scored(0.9, 0.1),
            scored(90.0, 10.0),
            Written::of_value(&json!([{"label": "defect", "score": 1}, {"label": "shipping"}])),
            Written::of_value(&json!([{"name": "defect", "confidence": 0.4}])),
            Written::of_value(&json!({"defect": 0.9, "shipping": 0.1})),
        ] {
            assert_eq!(refused, Err(WITH_SCORES));
        }
        for [yes, no] in [[json!(true), json!(false)], [json!("1"), json!("0.0")]] {
            let written = json!([{"label": "defect", "score": yes}, {"label": "shipping", "score": no}]);
            assert_eq!(Written::of_value(&written), list(&["defect"]), "{written}");
        }
        let one = json!({"label": "defect", "confidence": 0.9});
        assert_eq!(Written::of_value(&one), list(&["defect"]));
    }

    #[test]
    fn a_number_for_each_label_names_none_in_whatever_notation() {
        for value in [
            json!([0, 1, 0]),
            json!([1, 1]),
            json!([1.0, 0.0]),
            json!([true, false]),
            json!([0.9, 0.1]),
            json!(["0", "1", "0"]),
            json!("1|0|0"),
        ] {
            assert_eq!(Written::of_value(&value), Err(VECTOR), "{value}");
        }
        for cell in [
            "[0, 1, 0]",
            "[1 0 0]",
            "[1. 0. 0.]",
            "1,0,0",
            "1 0 0",
            "0|1|0",
            "[True, False]",
        ] {
            assert_eq!(Written::of_cell(cell), Err(VECTOR), "{cell}");
        }
        assert_eq!(Written::of_value(&json!([0, 1])), Err(ZERO_AND_ONE));
        for cell in ["['a' 'b']", "{'a'}", "array(['a'])"] {
            assert_eq!(Written::of_cell(cell), Err(NO_LIST), "{cell}");
        }
        assert_eq!(Written::of_value(&json!([[0, 5, "PER"]])), Err(PARTS));
        assert_eq!(
            Written::of_value(&json!([{"start": 0, "end": 5, "text": "Alice", "labels": ["PER"]}])),
            Err(PARTS)
        );
    }
}
