//! JSON that holds a table otherwise than as a list of objects: a list a row, or one object of rows or of columns.
//!
//! Source: pandas, `DataFrame.to_json` with each `orient`; Hugging Face `Dataset.to_dict`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    draft::Fields,
    grouped::{by_label, pairs_by_part},
    names::{is_label_name, is_text_name},
};

/// Told of such a document.
const NOTE: &str =
    "the document is one object that holds a table, by its columns or by the numbers or names of its rows";

/// Told of a document that names its texts.
const BY_TEXT: &str = "the document is one object, whose names were read as texts and whose values as \
    their labels";

/// Told of a document that names its labels.
const BY_LABEL: &str =
    "the document is one object, whose names were read as labels and whose lists as their texts";

/// Told of a document of several lists of rows.
const BY_PART: &str =
    "the document is one object of several parts of a data set, which were read one behind the other";

/// Returns the rows of an object, and what is said of it: one whose fields hold columns: `{"text": ["…"], "label": ["…"]}`, or with the numbers of
/// the rows, `{"text": {"0": "…"}, "label": {"0": "…"}}`; or of one that holds rows by their numbers. None where it is
/// another one.
pub(crate) fn rows(fields: &Fields) -> Option<(Vec<Fields>, &'static str)> {
    let table = numbered(fields)
        .or_else(|| named(fields))
        .or_else(|| columns(fields))
        .map(|rows| (rows, NOTE));
    table
        .or_else(|| by_text(fields).map(|rows| (rows, BY_TEXT)))
        .or_else(|| by_label(fields).map(|rows| (rows, BY_LABEL)))
        .or_else(|| pairs_by_part(fields).map(|rows| (rows, BY_PART)))
}

/// Longest way from a document to a list of its rows, in fields.
const MAX_DEPTH: usize = 4;

/// Returns the only rows that lie deeper in an object which has no text itself, and the path to them: Elasticsearch's
/// `hits.hits`, Rasa's `rasa_nlu_data.common_examples`, or `tickets` by their ids. An object with a label and a text within is
/// a row itself.
///
/// # Errors
///
/// The paths, where there are several of such, or a labelled text beside them.
pub(crate) fn within(fields: &Fields) -> Result<Option<(Vec<Fields>, String)>, Vec<String>> {
    let mut own = Vec::new();
    add_texts("", fields, MAX_DEPTH, &mut own);
    if has_text(fields) || has_label(fields) && !own.is_empty() {
        return Ok(None);
    }
    let mut found = Vec::new();
    add_within("", fields, MAX_DEPTH, &mut found);
    let labelled = own.into_iter().filter(|(_, is_labelled)| *is_labelled);
    let labelled: Vec<String> = labelled.map(|(path, _)| path).collect();
    match (found.len(), labelled.len()) {
        (0, _) => Ok(None),
        (1, 0) => Ok(found.pop()),
        _ => Err(found.into_iter().map(|(_, path)| path).chain(labelled).collect()),
    }
}

/// Says which fields beside those that were read from a path were not used.
pub(crate) fn unused(fields: &Fields, path: &str) -> Option<String> {
    let read = |name: &str| path == name || path.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    let unused = fields.keys().filter(|name| !read(name));
    let unused: Vec<String> = unused.map(|name| format!("`{name}`")).collect();
    (!unused.is_empty()).then(|| format!("fields of the document that were not used: {}", unused.join(", ")))
}

fn has_text(fields: &Fields) -> bool {
    let is_text = |(name, value): (&String, &Value)| is_text_name(name) && value.is_string();
    fields.iter().any(is_text)
}

fn has_label(fields: &Fields) -> bool {
    let is_label = |(name, value): (&String, &Value)| {
        is_label_name(name) && (value.is_string() || value.is_number() || value.is_boolean())
    };
    fields.iter().any(is_label)
}

/// Adds the objects within an object that have a text, and whether it has a label beside it.
fn add_texts(path: &str, fields: &Fields, depth: usize, found: &mut Vec<(String, bool)>) {
    for (name, value) in fields {
        let Value::Object(inner) = value else { continue };
        let path = format!("{path}{name}");
        if has_text(inner) {
            found.push((path, has_label(inner)));
        } else if depth > 0 && numbered(inner).or_else(|| named(inner)).is_none() {
            add_texts(&format!("{path}."), inner, depth - 1, found);
        }
    }
}

fn add_within(path: &str, fields: &Fields, depth: usize, found: &mut Vec<(Vec<Fields>, String)>) {
    for (name, value) in fields {
        let path = format!("{path}{name}");
        match value {
            Value::Array(values) => {
                let rows: Option<Vec<Fields>> =
                    values.iter().map(|value| value.as_object().cloned()).collect();
                found.extend(rows.filter(|rows| have_texts(rows)).map(|rows| (rows, path)));
            }
            Value::Object(inner) => match numbered(inner).or_else(|| named(inner)) {
                Some(rows) => found.push((rows, path)),
                None if depth > 0 => add_within(&format!("{path}."), inner, depth - 1, found),
                None => {}
            },
            _ => {}
        }
    }
}

/// Returns whether each object has a field of texts, or one within an object of it.
fn have_texts(rows: &[Fields]) -> bool {
    let have_one = |row: &Fields| {
        let mut inner = row.values().filter_map(Value::as_object);
        has_text(row) || inner.any(has_text)
    };
    !rows.is_empty() && rows.iter().all(have_one)
}

/// Returns the rows of an object whose names are texts and whose values are their labels: `{"The invoice is wrong":
/// "billing"}`. Labels come again, or are shorter than the texts.
fn by_text(fields: &Fields) -> Option<Vec<Fields>> {
    let is_known = |name: &String| is_text_name(name) || is_label_name(name);
    let labels: Vec<&str> = fields.values().map(Value::as_str).collect::<Option<_>>()?;
    if fields.len() < 2 || fields.keys().any(is_known) {
        return None;
    }
    let distinct: BTreeSet<&str> = labels.iter().copied().collect();
    let length =
        |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.chars().count()).sum::<usize>();
    let are_shorter = length(&mut labels.iter().copied()) < length(&mut fields.keys().map(String::as_str));
    let has_sentence = fields.keys().any(|text| text.split_whitespace().count() > 1);
    if !(are_shorter && has_sentence || distinct.len() < labels.len()) {
        return None;
    }
    let row = |(text, label): (&String, &Value)| {
        [
            ("text".to_owned(), Value::from(text.as_str())),
            ("label".to_owned(), label.clone()),
        ]
        .into_iter()
        .collect()
    };
    Some(fields.iter().map(row).collect())
}

/// Returns the rows of an object that holds them by their numbers: `{"0": {"text": "…", "label": "…"}}`.
fn numbered(fields: &Fields) -> Option<Vec<Fields>> {
    let row = |(name, value): (&String, &Value)| {
        let number = name.parse::<u64>().ok()?;
        Some((number, value.as_object()?.clone()))
    };
    let mut rows: Vec<(u64, Fields)> = fields.iter().map(row).collect::<Option<_>>()?;
    rows.sort_by_key(|(number, _)| *number);
    (!rows.is_empty()).then(|| rows.into_iter().map(|(_, row)| row).collect())
}

/// Returns the rows of an object that holds them by names, such as a table's index: all have the same fields, among them a
/// known one of texts.
fn named(fields: &Fields) -> Option<Vec<Fields>> {
    let rows: Vec<&Fields> = fields.values().map(Value::as_object).collect::<Option<_>>()?;
    let (first, others) = rows.split_first()?;
    let are_alike = others.iter().all(|row| row.keys().eq(first.keys()));
    let has_text = first
        .iter()
        .any(|(name, value)| is_text_name(name) && !value.is_object());
    (!others.is_empty() && are_alike && has_text).then(|| rows.into_iter().cloned().collect())
}

fn columns(fields: &Fields) -> Option<Vec<Fields>> {
    let columns: Vec<(&String, Vec<(String, &Value)>)> = fields
        .iter()
        .map(|(name, value)| Some((name, places(value)?)))
        .collect::<Option<_>>()?;
    let (_, first) = columns.first()?;
    let are_alike = columns.iter().all(|(_, cells)| {
        cells.len() == first.len()
            && cells
                .iter()
                .zip(first)
                .all(|((place, _), (other, _))| place == other)
    });
    let is_known = |name: &String| is_text_name(name) || is_label_name(name);
    if !are_alike || first.is_empty() || !columns.iter().any(|(name, _)| is_known(name)) {
        return None;
    }

    let row = |at: usize| {
        let cells = columns
            .iter()
            .map(|(name, cells)| ((*name).clone(), cells[at].1.clone()));
        cells.collect()
    };
    Some((0..first.len()).map(row).collect())
}

/// Returns the values of a column with their places.
fn places(column: &Value) -> Option<Vec<(String, &Value)>> {
    match column {
        Value::Array(values) => {
            let place = |(at, value): (usize, _)| (at.to_string(), value);
            Some(values.iter().enumerate().map(place).collect())
        }
        Value::Object(values) if values.values().all(|value| !value.is_object()) => {
            Some(values.iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        _ => None,
    }
}

/// Returns the fields of a row that is a text with its categories, as spaCy is trained: `["…", {"cats": {"POS": 1.0}}]`.
pub(crate) fn with_categories(values: &[Value]) -> Option<Fields> {
    let [Value::String(text), Value::Object(annotations)] = values else {
        return None;
    };
    let categories = annotations.get("cats").filter(|cats| cats.is_object())?;
    let fields = [("text", Value::from(text.as_str())), ("cats", categories.clone())];
    Some(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// Returns the cells of a row that is a list.
pub(crate) fn cells(values: &[Value]) -> Vec<String> {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    values.iter().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(document: Value) -> Option<usize> {
        rows(document.as_object().expect("an object")).map(|(rows, _)| rows.len())
    }

    #[test]
    fn columns_of_the_same_places_are_rows_and_everything_else_is_not() {
        assert_eq!(told(json!({"text": ["a", "b"], "label": ["x", null]})), Some(2));
        assert_eq!(
            told(json!({"text": {"0": "a", "7": "b"}, "label": {"0": "x", "7": "y"}})),
            Some(2)
        );
        assert_eq!(
            told(json!({"0": {"text": "a"}, "10": {"text": "b"}, "2": {"text": "c"}})),
            Some(3)
        );
        assert_eq!(
            told(json!({"T-1": {"text": "a", "label": "x"}, "T-2": {"text": "b", "label": null}})),
            Some(2)
        );
        assert_eq!(
            told(json!({"text": {"T-1": "a", "2026-11-20": "b"}, "label": {"T-1": "x", "2026-11-20": "y"}})),
            Some(2)
        );
        assert_eq!(told(json!({"A": {"text": "a"}, "B": {"title": "b"}})), None);
        assert_eq!(told(json!({"text": {"a": "x"}, "label": {"b": "y"}})), None);
        assert_eq!(told(json!({"text": "a", "label": ["x"]})), None);
        assert_eq!(told(json!({"text": ["a", "b"], "label": ["x"]})), None);
        assert_eq!(told(json!({"World": ["a"], "Sports": ["b"]})), None);
        assert_eq!(told(json!({})), None);
    }

    #[test]
    fn rows_that_lie_deeper_in_a_document_are_read_and_never_taken_for_one_text() {
        let rows = json!([{"text": "It is late", "label": "Delivery"}, {"text": "Charged twice", "label": "Billing"}]);
        let sources = json!([{"_id": "1", "_source": {"text": "It is late", "label": "Delivery"}},
            {"_id": "2", "_source": {"text": "Charged twice", "label": "Billing"}}]);
        let tickets = json!({"T-1": rows[0], "T-2": rows[1]});
        for (document, path) in [
            (json!({"hits": {"total": 2, "hits": sources}}), "hits.hits"),
            (json!({"response": {"docs": rows}}), "response.docs"),
            (
                json!({"rasa_nlu_data": {"common_examples": rows, "lookup_tables": []}}),
                "rasa_nlu_data.common_examples",
            ),
            (json!({"version": 1, "tickets": tickets}), "tickets"),
        ] {
            for content in [document.to_string(), format!("{document:#}")] {
                let import = crate::read(content.as_bytes(), &crate::Options::default()).expect(path);
                let labels = import
                    .rows
                    .iter()
                    .flat_map(|row| &row.votes)
                    .map(|vote| vote.labels.join("|"));
                assert_eq!(labels.collect::<Vec<_>>(), ["Delivery", "Billing"], "{content}");
                let told = format!("the texts were read from `{path}` within the document");
                assert!(import.notes.contains(&told), "{:?}", import.notes);
            }
        }
        let ticket = json!({"text": "It is late", "comments": {"list": [{"body": "Sorry"}]}}).to_string();
        let ticket = crate::read(ticket.as_bytes(), &crate::Options::default()).expect("one text");
        assert_eq!(ticket.rows.len(), 1);
        let beside = json!({"history": [{"text": "Hi"}, {"text": "So?"}]});
        let row = json!({"data": {"text": "It is late"}, "label": "Delivery", "thread": beside}).to_string();
        let row = crate::read(row.as_bytes(), &crate::Options::default()).expect("one row");
        assert_eq!(
            (row.rows[0].text.as_str(), row.rows[0].votes[0].labels.join("|")),
            ("It is late", "Delivery".to_owned())
        );
        let both =
            json!({"ticket": {"text": "It is late", "label": "Delivery"}, "thread": beside}).to_string();
        let refused = crate::read(both.as_bytes(), &crate::Options::default()).expect_err("a row and a list");
        assert!(
            refused.to_string().contains("`thread.history`, `ticket`"),
            "{refused}"
        );
        let other = json!({"thread": beside, "intent": "greet"}).to_string();
        let other = crate::read(other.as_bytes(), &crate::Options::default()).expect("a list");
        assert!(
            other
                .notes
                .iter()
                .any(|note| note.ends_with("not used: `intent`")),
            "{:?}",
            other.notes
        );
        let two = json!({"a": {"open": rows}, "b": {"closed": rows}}).to_string();
        let refused = crate::read(two.as_bytes(), &crate::Options::default()).expect_err("two lists");
        assert!(refused.to_string().contains("`a.open`, `b.closed`"), "{refused}");
    }

    #[test]
    fn numbers_are_no_texts_where_nothing_says_so() {
        for content in [
            "{\"total\": 6, \"took\": 3}\n",
            "[{\"id\": 1, \"parts\": [{\"a\": 1}]}]",
        ] {
            let refused = crate::read(content.as_bytes(), &crate::Options::default());
            assert_eq!(refused, Err(crate::Refusal::NoText), "{content}");
        }
    }

    #[test]
    fn an_object_of_texts_and_their_labels_is_told_from_one_text_with_fields() {
        assert_eq!(
            told(json!({"The invoice is wrong": "billing", "I cannot log in": "login"})),
            Some(2)
        );
        assert_eq!(told(json!({"👍": "good", "👎": "bad", "❤": "good"})), Some(3));
        assert_eq!(
            told(json!({"subject": "The invoice is wrong", "from": "ada@example.com"})),
            None
        );
        assert_eq!(
            told(json!({"text": "The invoice is wrong", "tag": "billing"})),
            None
        );
        assert_eq!(
            told(json!({"The invoice is wrong": 3, "I cannot log in": 4})),
            None
        );
    }
}
