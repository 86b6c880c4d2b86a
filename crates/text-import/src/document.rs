//! One JSON document: its texts, wherever they lie in it, and what it says of all of them.

use std::collections::BTreeSet;

use active_learning_core::repeated_field::{RepeatedField, read_once};
use serde_json::Value;

use crate::{
    Refusal,
    class_names::{FEATURES, class_names},
    collect::{COMMA, opened, twice},
    collected::Collected,
    columnwise,
    draft::{DraftVote, Fields, text_of},
    elements::{Head, Wanted, elements},
    labels::Written,
    names::{is_label_name, is_text_name},
    objects::{Found, Objects},
    source::{Source, WRAPPERS, damage},
};

/// Fields of a document that are said of all its texts.
const WHOLE_FILE_FIELDS: [&str; 5] = ["label", "labels", "user", "annotator", "classifier"];

/// Said of a document that is damaged in its midst.
pub(crate) const NOTHING_BEHIND: &str = "nothing behind it was read";
/// Said of what stands between objects.
pub(crate) const NO_JSON: &str = "not valid JSON: no object begins here";
/// Said of an object without an end.
pub(crate) const ENDLESS: &str = "not valid JSON: the object that begins here never ends, or has more than 1 MiB; nothing \
    behind its beginning was read";

/// The array that names the columns of rows that are lists: pandas, `orient="split"`.
const COLUMNS: &str = "columns";

impl Collected<'_> {
    /// Reads one JSON document; returns the classifier that it names.
    pub(crate) fn document(&mut self, bytes: &[u8], source: Source<'_>) -> Result<Option<String>, Refusal> {
        let head = match Head::read(opened(bytes, self.options)?.content) {
            Ok(head) => head,
            Err(error) => {
                return Err(Refusal::Damaged(
                    damage(&error).unwrap_or_else(|| error.to_string()),
                ));
            }
        };
        if let Some(name) = field_twice(&head) {
            return Err(Refusal::Damaged(format!(
                "field `{name}` of the document is given twice: which is meant cannot be told"
            )));
        }
        let field = texts_field(&head);
        if may_be_columnwise(&head, field.as_deref())
            && let Some((rows, note)) = self.whole(bytes)?.as_ref().and_then(columnwise::rows)
        {
            self.notes.push(note.to_owned());
            self.objects = (1..).zip(rows).collect();
            self.tables()?;
            return Ok(None);
        }
        if field.is_some() && head.arrays.iter().any(|array| array == COLUMNS) {
            self.names_of_columns(bytes)?;
        }

        let mut take = |number: u64, element: &str| {
            self.element(number, element);
            true
        };
        let read = match (&field, head.is_object) {
            (Some(field), true) => elements(source.content, Wanted::Field(field), &mut take),
            (None, true) => {
                self.one_object(source);
                Ok(())
            }
            (_, false) => elements(source.content, Wanted::Itself, &mut take),
        };
        if let Err(error) = read {
            let last = self.drafts.len() + self.objects.len() + self.rejected.len();
            let place = format!(
                "the document ends or is damaged here: line {}, column {}",
                error.line(),
                error.column()
            );
            self.reject(
                last as u64 + 1,
                match error.is_eof() {
                    true => place,
                    false => format!("{place}; {NOTHING_BEHIND}"),
                },
            );
        }
        if head.arrays.iter().any(|array| array == FEATURES) {
            self.name_classes(bytes)?;
        }
        self.tables()?;
        Ok(field.and_then(|field| self.whole_file_fields(&head, &field)))
    }

    /// Reads objects that are spread over several lines, one behind the other.
    fn one_object(&mut self, source: Source<'_>) {
        let mut objects = Objects::new(source.content);
        let mut count = 0;
        loop {
            count += 1;
            match objects.next() {
                Ok(Some(Found::Value(json))) => {
                    if objects.had_comma {
                        self.counted.add(COMMA, count);
                    }
                    self.element(count, &String::from_utf8_lossy(&json));
                }
                Ok(Some(Found::Rest(_))) => self.reject(count, NO_JSON),
                Ok(Some(Found::Endless(_))) => self.reject(count, ENDLESS),
                Ok(None) => break,
                Err(error) => {
                    self.broken(&error, count - 1);
                    break;
                }
            }
        }
        count -= 1;
        if count == 1 {
            self.notes
                .push("the document is one object, which was read as one text".to_owned());
        }
    }

    /// Reads the whole document; none where it is damaged or no object.
    fn whole(&self, bytes: &[u8]) -> Result<Option<Fields>, Refusal> {
        match read_once(opened(bytes, self.options)?.content) {
            Ok(Value::Object(fields)) => Ok(Some(fields)),
            Ok(_) | Err(None) => Ok(None),
            Err(Some(field)) => {
                let RepeatedField { line, column, .. } = field;
                let twice = twice(&field);
                Err(Refusal::Damaged(format!(
                    "{twice} (line {line}, column {column})"
                )))
            }
        }
    }

    /// Gives the classes of the rows the names that the document has for their numbers.
    fn name_classes(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let document = self.whole(bytes)?.unwrap_or_default();
        for classes in class_names(&document) {
            self.objects.iter_mut().for_each(|(_, row)| classes.name(row));
            self.notes.push(classes.note());
        }
        Ok(())
    }

    /// Lets the first row be the names of the columns.
    fn names_of_columns(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let mut names: Vec<String> = Vec::new();
        let content = opened(bytes, self.options)?.content;
        // A damaged document is told when its texts are read.
        let _ = elements(content, Wanted::Field(COLUMNS), &mut |_, name| {
            names.extend(serde_json::from_str::<String>(name).ok());
            true
        });
        self.lists.push((0, names));
        Ok(())
    }

    /// Gives the fields of a document to those of its rows that have none of their own; returns its
    /// classifier. `read` is the array of its texts.
    fn whole_file_fields(&mut self, head: &Head, read: &str) -> Option<String> {
        let field = |name: &str| {
            head.fields
                .iter()
                .rev()
                .find(|(other, _)| other == name)
                .map(|(_, value)| value)
        };
        let written = field("label").or_else(|| field("labels")).map(Written::of_value);
        let written = match written.transpose() {
            Ok(written) => written.flatten(),
            Err(reason) => {
                self.notes
                    .push(format!("the label of the document was not read: {reason}"));
                None
            }
        };
        let by = text_of(field("user").or_else(|| field("annotator")));
        for (_, draft) in &mut self.drafts {
            if let (true, Some(written)) = (draft.is_unlabelled(), &written) {
                draft.votes.push(DraftVote {
                    written: written.clone(),
                    by: None,
                    at: None,
                });
            }
            let answers = draft
                .answers
                .iter_mut()
                .filter_map(|answer| answer.said.as_mut().ok());
            for vote in draft.votes.iter_mut().chain(answers) {
                vote.by = vote.by.take().or_else(|| by.clone());
            }
        }

        let fields = head.fields.iter().map(|(name, _)| name.as_str());
        let fields = fields.filter(|name| !WHOLE_FILE_FIELDS.contains(name));
        let arrays = head.arrays.iter().map(String::as_str);
        let arrays = arrays.filter(|name| ![read, COLUMNS, FEATURES, "index"].contains(name));
        let unused: Vec<String> = fields.chain(arrays).map(|name| format!("`{name}`")).collect();
        if !unused.is_empty() {
            self.notes.push(format!(
                "fields of the document that were not used: {}",
                unused.join(", ")
            ));
        }
        text_of(field("classifier"))
    }
}

/// Returns a field of those that are said of all texts, or one of texts, that a document gives twice.
fn field_twice(head: &Head) -> Option<&str> {
    let names = head.fields.iter().map(|(name, _)| name).chain(&head.arrays);
    let mut seen = BTreeSet::new();
    let is_field = |name: &str| {
        WHOLE_FILE_FIELDS.contains(&name)
            || WRAPPERS.contains(&name)
            || is_text_name(name)
            || is_label_name(name)
    };
    let mut twice = names.filter(|name| !seen.insert(name.as_str()) && is_field(name));
    twice.next().map(String::as_str)
}

/// Returns the array that holds a document's texts: one of a known name, or the only one.
fn texts_field(head: &Head) -> Option<String> {
    let known = WRAPPERS
        .iter()
        .find(|name| head.arrays.iter().any(|array| array == *name));
    let only = || (head.arrays.len() == 1).then(|| head.arrays[0].clone());
    known.map(|name| (*name).to_owned()).or_else(only)
}

/// Returns whether each field of a document may be a column.
fn may_be_columnwise(head: &Head, texts: Option<&str>) -> bool {
    let has_labels = || head.arrays.iter().any(|array| is_label_name(array));
    head.is_object && texts.is_none_or(|texts| is_text_name(texts) && has_labels())
}
