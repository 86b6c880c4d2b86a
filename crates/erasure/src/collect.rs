//! What there is of a text or of a user: looked for before anything is erased.

use std::collections::{BTreeSet, HashSet};

use active_learning_core::{dataset::TextId, feedback::record_id, labels::label_key::broad_key};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};
use text_import::feedback::{decoded, field};

use crate::{
    rewrite::{GZIP, decompressed},
    rules::Rule,
    uploads::{items, unread_rows},
    written,
};

/// Members that hold the text of a record.
const TEXTS: [&str; 3] = ["utterance", "sentence", "text"];

/// Whose texts there are.
#[derive(Debug, Default)]
pub struct Owners {
    /// By their keys.
    users: HashSet<String>,
    /// Texts of the users.
    own: HashSet<TextId>,
    /// Texts that others, by a name of their own, have sent.
    of_others: HashSet<TextId>,
}

impl Owners {
    /// Looks for the texts of these users.
    pub fn of(users: &[String]) -> Self {
        Self {
            users: users.iter().map(|user| broad_key(user)).collect(),
            ..Self::default()
        }
    }

    /// Looks through an object.
    pub fn look(&mut self, rule: Rule, bytes: &[u8]) {
        each_record(rule, bytes, &mut |record| {
            let user = record.user.map(broad_key).filter(|user| !user.is_empty());
            let Some(user) = user else { return };
            let id = TextId::of(record.text);
            match self.users.contains(&user) {
                true => self.own.insert(id),
                false => self.of_others.insert(id),
            };
        });
    }

    /// Returns the texts that are the users' alone.
    pub fn alone(&self) -> HashSet<TextId> {
        self.own.difference(&self.of_others).copied().collect()
    }

    /// Returns how many of the users' texts somebody else has sent as well.
    pub fn shared(&self) -> usize {
        self.own.intersection(&self.of_others).count()
    }
}

/// How the texts to erase are written, and the ids of their records.
#[derive(Debug, Default)]
pub struct Spellings {
    wanted: HashSet<TextId>,
    /// Every way in which one of them is written.
    pub texts: BTreeSet<String>,
    /// Ids of their records, by the classifier that they are of.
    pub records: BTreeSet<String>,
}

impl Spellings {
    /// Looks for the texts of these identities, and for those that are given.
    pub fn of(wanted: HashSet<TextId>, given: &[String]) -> Self {
        let mut spellings = Self {
            wanted,
            ..Self::default()
        };
        for text in given {
            spellings.wanted.insert(TextId::of(text));
            spellings.texts.insert(text.clone());
        }
        spellings
    }

    /// Looks through an object.
    pub fn look(&mut self, rule: Rule, bytes: &[u8]) {
        each_record(rule, bytes, &mut |record| {
            if self.wanted.contains(&TextId::of(record.text)) {
                self.texts.insert(record.text.to_owned());
                let id = record
                    .classifier
                    .map(|classifier| record_id(classifier, record.text));
                self.records.extend(id);
            }
        });
    }

    /// Returns how many texts are wanted, however they are written.
    pub fn count(&self) -> usize {
        self.wanted.len()
    }
}

/// What looks like a record.
struct Record<'a> {
    text: &'a str,
    user: Option<&'a str>,
    classifier: Option<&'a str>,
}

/// Hands over everything in an object that looks like a record.
fn each_record(rule: Rule, bytes: &[u8], take: &mut dyn FnMut(Record<'_>)) {
    if bytes.starts_with(&GZIP) {
        if let Some(plain) = decompressed(bytes) {
            each_record(rule, &plain, take);
        }
        return;
    }
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        for line in values(bytes) {
            of_value(&line, rule == Rule::Upload, take);
        }
    }
    if rule == Rule::Upload {
        let items = items(bytes);
        for row in unread_rows(bytes, &items) {
            let cell = |column: Option<usize>| row.cells.as_ref()?.get(column?).map(String::as_str);
            if let Some(text) = cell(row.text) {
                take(Record {
                    text,
                    user: cell(row.user),
                    classifier: None,
                });
            }
        }
        for item in &items {
            if let Ok(request) = &item.content {
                take(Record {
                    text: &request.sentence,
                    user: request.user.as_deref(),
                    classifier: Some(&request.classifier),
                });
            }
        }
    }
}

/// Reads the JSON values of an object: one after the other, or, where some are none, those of its lines.
fn values(bytes: &[u8]) -> Vec<Value> {
    let all = |bytes| {
        let documents = written::documents(bytes);
        documents
            .map(|document| Some(document?.value))
            .collect::<Option<Vec<Value>>>()
    };
    all(bytes).unwrap_or_else(|| {
        let lines = bytes.split(|byte| *byte == b'\n');
        lines.filter_map(all).flatten().collect()
    })
}

fn of_value(value: &Value, is_upload: bool, take: &mut dyn FnMut(Record<'_>)) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| of_value(value, is_upload, take)),
        Value::Object(members) => {
            of_object(members, take);
            if is_upload {
                of_other_names(members, take);
            }
            members
                .values()
                .for_each(|value| of_value(value, is_upload, take));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Looks for texts in an object that was refused, since it names its members otherwise than a request does.
fn of_other_names(members: &Map<String, Value>, take: &mut dyn FnMut(Record<'_>)) {
    let of = |wanted: &'static str| {
        let named = members
            .iter()
            .filter(move |(name, _)| field(name) == Some(wanted));
        named.filter_map(|(_, value)| value.as_str())
    };
    let user = of("user").next();
    for text in of("sentence") {
        take(Record {
            text,
            user,
            classifier: None,
        });
    }
}

fn of_object(members: &Map<String, Value>, take: &mut dyn FnMut(Record<'_>)) {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if let Some(found) = TEXTS.iter().find_map(|name| text(name)) {
        take(Record {
            text: found,
            user: text("user"),
            classifier: text("classifier"),
        });
    }
    // What was set aside as it was found.
    for raw in ["raw", "line", "unusable"].iter().filter_map(|name| text(name)) {
        values(raw.as_bytes())
            .iter()
            .for_each(|value| of_value(value, true, take));
    }
    for data in ["rawData", "rawBase64"].iter().filter_map(|name| text(name)) {
        let bytes = BASE64_STANDARD.decode(data).unwrap_or_default();
        values(decoded(&bytes).as_bytes())
            .iter()
            .for_each(|value| of_value(value, true, take));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_that_somebody_else_has_sent_by_name_is_not_the_user_s_alone() {
        let mut owners = Owners::of(&["Jane".to_owned()]);
        let lines = [
            json!({"utterance": "Mine", "user": "jane "}),
            json!({"utterance": "OURS.", "user": "jane"}),
            json!({"record": {"utterance": "Ours", "user": "bob"}}),
            json!({"utterance": "Nobody's"}),
            json!({"line": 3, "reason": "r", "raw": "{\"sentence\": \"Rejected\", \"user\": \"jane\"}"}),
        ];
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();

        owners.look(Rule::Delivered, lines.as_bytes());

        let alone = HashSet::from(["mine", "rejected"].map(TextId::of));
        assert_eq!((owners.alone(), owners.shared()), (alone, 1));
    }

    #[test]
    fn the_spellings_of_a_text_and_its_records_are_found_in_uploaded_tables_too() {
        let mut spellings = Spellings::of(HashSet::from([TextId::of("mine")]), &[]);

        spellings.look(
            Rule::Delivered,
            json!({"utterance": "Mine!", "classifier": "n"})
                .to_string()
                .as_bytes(),
        );
        spellings.look(Rule::Upload, b"sentence,user\nMINE,jane\nOther,bob\n");

        assert_eq!(
            spellings.texts,
            BTreeSet::from(["MINE".to_owned(), "Mine!".to_owned()])
        );
        assert!(spellings.records.contains(&record_id("n", "Mine!")));
    }
}
