//! JSON that holds texts by their labels: an object for each label with a list of its texts, as chatbots are trained, or one
//! object whose names are the labels.
//!
//! Source: Amazon Lex V2, `sampleUtterances`; Dialogflow, `trainingPhrases`; the `intents.json` of many tutorials, `patterns`.

use serde_json::Value;

use crate::{
    draft::Fields,
    names::{folded, is_label_name, is_text_name},
};

/// Longest way from a document to a list of groups, in fields.
const MAX_DEPTH: usize = 4;
/// Names of lists of texts that are examples of a label, folded.
const EXAMPLES: [&str; 9] = [
    "patterns",
    "examples",
    "utterances",
    "sampleutterances",
    "samples",
    "phrases",
    "trainingphrases",
    "trainingexamples",
    "usersays",
];
/// Names of a label beside a list of examples, folded.
const NAMES: [&str; 3] = ["name", "displayname", "intentname"];
/// Names of the parts that a data set is split into, folded.
const PARTS: [&str; 9] = [
    "train",
    "training",
    "test",
    "testing",
    "val",
    "valid",
    "validation",
    "dev",
    "eval",
];

/// Rows that were read from groups, and what is said of that.
pub(crate) struct Grouped {
    pub(crate) rows: Vec<Fields>,
    pub(crate) notes: Vec<String>,
}

/// Reads objects that are a label with a list of its texts each; `None` where one of them is something else.
pub(crate) fn groups<'a>(objects: impl Iterator<Item = &'a Fields>) -> Option<Grouped> {
    let groups: Vec<Group<'_>> = objects.map(Group::of).collect::<Option<_>>()?;
    let first = groups.first()?;
    let rows: Vec<Fields> = groups
        .iter()
        .flat_map(|group| group.texts.iter().map(|text| row(text, group.label)))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let mut notes = vec![format!(
        "each object holds a label (`{}`) and a list of its texts (`{}`): each text was read as a row",
        first.label_field, first.texts_field
    )];
    let empty: Vec<String> = (groups.iter())
        .filter(|group| group.texts.is_empty())
        .map(|group| format!("`{}`", group.label))
        .collect();
    if !empty.is_empty() {
        notes.push(format!("labels without a text: {}", empty.join(", ")));
    }
    Some(Grouped { rows, notes })
}

/// Reads the only list of such objects that lies within an object.
pub(crate) fn within(fields: &Fields) -> Option<Grouped> {
    let mut found = Vec::new();
    add_within("", fields, MAX_DEPTH, &mut found);
    let (mut grouped, path) = found.pop().filter(|_| found.is_empty())?;
    grouped.notes.insert(
        0,
        format!("the texts were read from `{path}` within the document"),
    );
    Some(grouped)
}

fn add_within(path: &str, fields: &Fields, depth: usize, found: &mut Vec<(Grouped, String)>) {
    for (name, value) in fields {
        let path = format!("{path}{name}");
        match value {
            Value::Array(values) => {
                let objects: Option<Vec<&Fields>> = values.iter().map(Value::as_object).collect();
                let grouped = objects.and_then(|objects| groups(objects.into_iter()));
                found.extend(grouped.map(|grouped| (grouped, path)));
            }
            Value::Object(inner) => match groups_by_name(inner) {
                Some(grouped) => found.push((grouped, path)),
                None if depth > 0 => add_within(&format!("{path}."), inner, depth - 1, found),
                None => {}
            },
            _ => {}
        }
    }
}

/// Reads an object whose names are labels, each with an object that holds examples: `{"greet": {"utterances": ["…"]}}`.
///
/// Source: Snips NLU, `dataset.json`.
fn groups_by_name(fields: &Fields) -> Option<Grouped> {
    let mut rows = Vec::new();
    let mut examples_field = "";
    for (label, group) in fields {
        let (name, texts) = examples(group.as_object()?)?;
        rows.extend(texts.iter().map(|text| row(text, label)));
        examples_field = name;
    }
    let note = format!(
        "the names of objects were read as labels, and the list of each (`{examples_field}`) as their texts: each text was \
         read as a row"
    );
    (!rows.is_empty()).then_some(Grouped {
        rows,
        notes: vec![note],
    })
}

/// Returns the list of examples that an object holds, with its name.
fn examples(fields: &Fields) -> Option<(&str, Vec<String>)> {
    let are_examples = |name: &str| EXAMPLES.contains(&folded(name).as_str());
    let mut lists = fields.iter().filter(|(name, _)| are_examples(name));
    lists.find_map(|(name, value)| Some((name.as_str(), texts(value)?)))
}

/// Reads an object whose names are labels and whose lists are their texts: `{"billing": ["…", "…"], "login": ["…"]}`.
pub(crate) fn by_label(fields: &Fields) -> Option<Vec<Fields>> {
    let is_known =
        |name: &String| is_text_name(name) || is_label_name(name) || PARTS.contains(&folded(name).as_str());
    if fields.len() < 2 || fields.keys().any(is_known) {
        return None;
    }
    let mut rows = Vec::new();
    for (label, texts) in fields {
        let texts = texts.as_array().filter(|texts| !texts.is_empty())?;
        for text in texts {
            rows.push((text.as_str()?, label));
        }
    }
    let has_sentence = rows.iter().any(|(text, _)| text.contains(char::is_whitespace));
    let length = |texts: &mut dyn Iterator<Item = &str>| {
        let (characters, count) = texts.fold((0, 0), |(characters, count), text| {
            (characters + text.chars().count(), count + 1)
        });
        characters / usize::max(count, 1)
    };
    let are_longer =
        length(&mut rows.iter().map(|(text, _)| *text)) > length(&mut fields.keys().map(String::as_str));
    let rows = rows.into_iter().map(|(text, label)| row(text, label));
    (has_sentence || are_longer).then(|| rows.collect())
}

/// Reads an object whose lists are the parts of a data set, each row a text and its label: `{"train": [["…", "billing"]],
/// "test": […]}`. Labels come again, and are shorter.
///
/// Source: CLINC150, `data_full.json`.
pub(crate) fn pairs_by_part(fields: &Fields) -> Option<Vec<Fields>> {
    let mut rows = Vec::new();
    for part in fields.values() {
        for pair in part.as_array()? {
            let [Value::String(one), Value::String(other)] = pair.as_array()?.as_slice() else {
                return None;
            };
            rows.push([one.as_str(), other.as_str()]);
        }
    }
    let looks = |at: usize| {
        let mut cells: Vec<&str> = rows.iter().map(|row| row[at]).collect();
        let length: usize = cells.iter().map(|cell| cell.chars().count()).sum();
        cells.sort_unstable();
        cells.dedup();
        (cells.len(), length)
    };
    let ((first, first_length), (second, second_length)) = (looks(0), looks(1));
    let label = match (
        first_length > second_length,
        second < rows.len(),
        first < rows.len(),
    ) {
        (true, true, _) => 1,
        (false, _, true) => 0,
        _ => return None,
    };
    Some(
        rows.iter()
            .map(|pair| row(pair[1 - label], pair[label]))
            .collect(),
    )
}

/// A label with its texts.
struct Group<'a> {
    label: &'a str,
    label_field: &'a str,
    texts: Vec<String>,
    texts_field: &'a str,
}

impl<'a> Group<'a> {
    fn of(fields: &'a Fields) -> Option<Self> {
        let is_text = |(name, value): (&String, &Value)| is_text_name(name) && value.is_string();
        if fields.iter().any(is_text) {
            return None;
        }
        let other_texts = || {
            let mut lists = fields.iter().filter(|(name, _)| is_text_name(name));
            lists.find_map(|(name, value)| Some((name.as_str(), texts(value)?)))
        };
        let examples = examples(fields);
        let labels = |is_name: fn(&str) -> bool| {
            let labels = fields.iter().filter(move |(name, _)| is_name(name));
            let mut labels = labels.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
            labels.find(|(_, label)| !label.trim().is_empty())
        };
        // A name is a label beside examples only: a person's name may stand beside messages.
        let is_name = |name: &str| NAMES.contains(&folded(name).as_str());
        let label = labels(is_label_name).or_else(|| examples.is_some().then(|| labels(is_name))?);
        let (label_field, label) = label?;
        let (texts_field, texts) = examples.or_else(other_texts)?;
        Some(Self {
            label,
            label_field,
            texts,
            texts_field,
        })
    }
}

/// Returns the texts of a list; `None` where one of its elements is none.
fn texts(list: &Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(text).collect()
}

/// Returns a text, or that of an object: its own, or its parts one behind the other, of which some may be marked.
fn text(value: &Value) -> Option<String> {
    let fields = match value {
        Value::String(text) => return Some(text.clone()),
        value => value.as_object()?,
    };
    let own = fields.iter().find(|(name, _)| is_text_name(name));
    if let Some((_, Value::String(text))) = own {
        // What has a label of its own is not of that of the list.
        let has_label = fields
            .iter()
            .any(|(name, value)| is_label_name(name) && !value.is_null());
        return (!has_label).then(|| text.clone());
    }
    let parts = fields.get("parts").or_else(|| fields.get("data"))?.as_array()?;
    let parts: Option<Vec<&str>> = parts.iter().map(|part| part.get("text")?.as_str()).collect();
    parts.map(|parts| parts.concat())
}

fn row(text: &str, label: &str) -> Fields {
    [("text", text), ("label", label)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect()
}

#[cfg(test)]
mod tests;
