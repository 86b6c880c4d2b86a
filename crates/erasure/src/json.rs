//! What is left of JSON: records of a text go, what only names it loses it.

mod rows;

use std::collections::BTreeSet;

use active_learning_core::erasure::{
    erased_item, is_erased_item, is_name_of_task_text, is_name_of_text, text_of_task,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};
use text_import::feedback::decoded;

use crate::{
    broken,
    loose::{begins_as_json, trimmed},
    rewrite::{Left, Shape, rewrite},
    uploads::has_cell,
    wanted::{ERASED_MARK, Wanted},
    written::{self, gone},
};

/// Ids of this length or longer are also found within longer names of fields.
const MIN_EMBEDDED_ID: usize = 8;

/// A member that lists texts.
pub(crate) const SENTENCES: &str = "sentences";

/// Items of a human loop, which answers may name by their numbers.
const ITEMS: &str = "comprehendPredictions";
/// Where an output has the input of its human loop.
const INPUT: &str = "inputContent";
/// Members without which an object is of no use: the record of a question, of a labelled record or of an item of the backlog;
/// what an output is about; the object of answers that are consolidated.
const ESSENTIAL: [&str; 3] = ["record", INPUT, "dataObject"];

/// What a reviewer has answered.
const ANSWER: &str = "answerContent";

/// Members that hold what was found, letter by letter.
pub(crate) const RAW: [&str; 3] = ["raw", "line", "unusable"];
/// Members that hold it as bytes.
const RAW_BYTES: [&str; 2] = ["rawData", "rawBase64"];

/// Which members of JSON hold texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Those of records.
    Records,
    /// Those of records, of which some hold the beginning only.
    Remarks,
    /// Those of what people are asked too.
    Tasks,
    /// Those of everything that somebody may upload, in whatever case.
    Uploads,
}

/// Where elements of arrays count by their place: they are replaced and not removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Places {
    Free,
    Kept,
}

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// A part of it is gone: so many pieces.
    Changed(u64),
    /// It is about what is to be erased.
    Goes,
}

/// Takes out of JSON what is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Scrubber<'a> {
    pub(crate) wanted: &'a Wanted,
    pub(crate) names: Names,
    pub(crate) places: Places,
}

impl Scrubber<'_> {
    /// Rewrites JSON documents, one after the other. What is not erased stays as it is written, also beside what is.
    pub(crate) fn documents(self, bytes: &[u8]) -> Left {
        let (mut rest, mut pieces, mut begin) = (Vec::new(), 0, 0);
        for document in written::documents(bytes) {
            let Some(mut document) = document else {
                return self.lines(bytes);
            };
            let (start, end) = (document.range.start, document.range.end);
            // The only one is all of a document, whose values are the rows.
            let is_row = !document.value.is_array() || begin > 0 || !bytes[end..].trim_ascii().is_empty();
            let fate = match is_row && self.is_row_gone(&document.value) {
                true => Fate::Goes,
                false => self.scrub(&mut document.value, true),
            };
            match fate {
                Fate::Stays => rest.extend_from_slice(&bytes[begin..end]),
                Fate::Goes => pieces += 1,
                Fate::Changed(count) => {
                    pieces += count;
                    rest.extend_from_slice(&bytes[begin..start]);
                    rest.extend_from_slice(document.written().as_bytes());
                }
            }
            begin = end;
        }
        rest.extend_from_slice(&bytes[begin..]);
        Left::of(rest.trim_ascii_start().to_vec(), pieces)
    }

    /// Rewrites lines whose numbers count: one that goes leaves an empty object.
    pub(crate) fn numbered_lines(self, bytes: &[u8]) -> Left {
        let (mut rest, mut pieces) = (Vec::new(), 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match self.documents(line.trim_ascii_end()) {
                Left::All | Left::Unread { .. } => rest.extend_from_slice(line),
                Left::Nothing { .. } => {
                    pieces += 1;
                    rest.extend_from_slice(b"{}\n");
                }
                Left::Rest { bytes, pieces: some } => {
                    pieces += some;
                    rest.extend_from_slice(&bytes);
                    rest.push(b'\n');
                }
            }
        }
        Left::of(rest, pieces)
    }

    /// Scrubs a value. What another person has written stays as it is, also where a text that is erased stands in it; so a
    /// string that may be one (`is_text`) is left alone here.
    fn scrub(self, value: &mut Value, is_text: bool) -> Fate {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Fate::Stays,
            Value::String(text) if !is_text && self.wanted.is_within(text) => {
                *text = self.wanted.replaced_within(text);
                Fate::Changed(1)
            }
            Value::String(_) => Fate::Stays,
            Value::Array(values) => self.scrub_array(values, is_text),
            Value::Object(members) => self.scrub_object(members),
        }
    }

    fn scrub_array(self, values: &mut [Value], are_texts: bool) -> Fate {
        let mut pieces = 0;
        for value in values {
            match self.scrub_element(value, are_texts) {
                Fate::Stays => {}
                Fate::Changed(count) => pieces += count,
                Fate::Goes => {
                    pieces += 1;
                    *value = match self.places {
                        Places::Kept => ERASED_MARK.into(),
                        Places::Free => gone(),
                    };
                }
            }
        }
        changed(pieces)
    }

    fn scrub_element(self, value: &mut Value, is_text: bool) -> Fate {
        match (is_text || value.is_array()) && self.is_row_gone(value) {
            true => Fate::Goes,
            false => self.scrub(value, is_text),
        }
    }

    /// Scrubs the items of a human loop: one that goes leaves its place, since answers may name the others by their numbers.
    fn scrub_items(self, items: &mut [Value]) -> Fate {
        let mut pieces = 0;
        for item in items.iter_mut() {
            match self.scrub(item, true) {
                Fate::Stays => {}
                Fate::Changed(count) => pieces += count,
                Fate::Goes => {
                    pieces += 1;
                    *item = erased_item(item);
                }
            }
        }
        match items.iter().all(is_erased_item) && !items.is_empty() {
            true => Fate::Goes,
            false => changed(pieces),
        }
    }

    fn scrub_object(self, members: &mut Map<String, Value>) -> Fate {
        if self.is_about(members) {
            return Fate::Goes;
        }
        let mut pieces = take_user_out(members, self.wanted);
        if self.names == Names::Uploads {
            pieces += take_names_out(members, self.wanted);
            if pieces > 0 && members.is_empty() {
                return Fate::Goes;
            }
        }
        let before = erased_ids(members);
        for (name, value) in members.iter_mut() {
            let fate = match (name.as_str(), &mut *value) {
                (ITEMS, Value::Array(items)) => self.scrub_items(items),
                ("dataObject", Value::Object(data)) if self.is_content(data) => Fate::Goes,
                (name, value) => self.scrub(value, self.holds_text(name)),
            };
            match fate {
                Fate::Stays => {}
                Fate::Changed(count) => pieces += count,
                Fate::Goes if self.is_essential(name) => return Fate::Goes,
                Fate::Goes => {
                    pieces += 1;
                    *value = ERASED_MARK.into();
                }
            }
        }
        let mut gone = erased_ids(members);
        gone.retain(|id| !before.contains(id));
        if !gone.is_empty() {
            forget_items(members, &gone);
        }
        changed(pieces)
    }

    /// Returns whether an object is of no use without a member: so is every task without what it asks about.
    fn is_essential(self, name: &str) -> bool {
        let is_task = self.names == Names::Tasks && self.places == Places::Free;
        name == ITEMS || ESSENTIAL.contains(&name) || is_task && name != ANSWER
    }

    /// Returns whether a member holds texts, or what was found letter by letter: that is looked at as a whole.
    fn holds_text(self, name: &str) -> bool {
        let is_of_task = self.is_of_tasks() && is_name_of_task_text(name);
        is_of_task || name == SENTENCES || is_name_of_text(name) || RAW.contains(&name)
    }

    /// Returns whether this is the text of an object whose answers are consolidated.
    fn is_content(self, data: &Map<String, Value>) -> bool {
        let content = data.get("content").and_then(Value::as_str);
        content.is_some_and(|content| self.wanted.is_text(content))
    }

    fn is_about(self, members: &Map<String, Value>) -> bool {
        let wanted = self.wanted;
        let text = |name: &&str| members.get(*name).and_then(Value::as_str);
        let is_wanted =
            |text: &str| wanted.is_text(text) || self.names == Names::Remarks && wanted.is_beginning(text);
        let is_in_bytes = |data: &str| {
            let bytes = BASE64_STANDARD.decode(data);
            bytes.is_ok_and(|bytes| is_in_raw(&decoded(&bytes), wanted))
        };
        let mut texts = members.iter().filter(|(name, _)| is_name_of_text(name));
        texts.any(|(_, text)| text.as_str().is_some_and(is_wanted))
            || self.is_about_task(members)
            || self.names == Names::Uploads && self.has_field_in(members)
            || RAW.iter().filter_map(text).any(|raw| is_in_raw(raw, wanted))
            || RAW_BYTES.iter().filter_map(text).any(is_in_bytes)
    }

    fn is_of_tasks(self) -> bool {
        matches!(self.names, Names::Tasks | Names::Uploads)
    }

    fn is_about_task(self, members: &Map<String, Value>) -> bool {
        let text = text_of_task(members).filter(|_| self.is_of_tasks());
        text.is_some_and(|text| self.wanted.is_text(text))
    }
}

/// Rewrites a document that is a list of texts.
pub(crate) fn texts(bytes: &[u8], wanted: &Wanted) -> Left {
    let Some(mut document) = written::document(bytes) else {
        return rewrite(Shape::Json, bytes, wanted);
    };
    let texts = document.value.as_array_mut();
    let Some(texts) = texts.filter(|texts| texts.iter().all(Value::is_string)) else {
        return rewrite(Shape::Json, bytes, wanted);
    };
    match take_texts_out(texts, wanted) {
        0 => Left::All,
        pieces => Left::Rest {
            bytes: document.written_in(bytes),
            pieces,
        },
    }
}

/// Takes texts out of a list; returns how many.
pub(crate) fn take_texts_out(list: &mut [Value], wanted: &Wanted) -> u64 {
    let mut pieces = 0;
    for text in list {
        if text.as_str().is_some_and(|text| wanted.is_text(text)) {
            *text = gone();
            pieces += 1;
        }
    }
    pieces
}

fn changed(pieces: u64) -> Fate {
    match pieces {
        0 => Fate::Stays,
        pieces => Fate::Changed(pieces),
    }
}

/// Returns the ids of the items whose text was erased, of a human loop's input or of the input within its output.
fn erased_ids(members: &Map<String, Value>) -> BTreeSet<String> {
    let input = members.get(INPUT).and_then(Value::as_object).unwrap_or(members);
    let items = input.get(ITEMS).and_then(Value::as_array);
    let erased = items.into_iter().flatten().filter(|item| is_erased_item(item));
    let ids = erased.filter_map(|item| item["id"].as_str());
    ids.map(str::to_owned).collect()
}

/// Takes out what else a human loop knows of items that are gone, by their ids.
fn forget_items(members: &mut Map<String, Value>, gone: &BTreeSet<String>) {
    let is_of = |name: &str, id: &String| {
        let comment_or_flag = name.strip_suffix(id.as_str());
        let is_long = id.len() >= MIN_EMBEDDED_ID;
        name == id || comment_or_flag.is_some_and(|kind| kind.ends_with(':')) || is_long && name.contains(id)
    };
    let is_left = |name: &String, _: &mut Value| !gone.iter().any(|id| is_of(name, id));
    let answers = members.get_mut("humanAnswers").and_then(Value::as_array_mut);
    for answer in answers.into_iter().flatten() {
        if let Some(content) = answer.get_mut(ANSWER).and_then(Value::as_object_mut) {
            content.retain(is_left);
        }
    }
    let input = match members.contains_key(INPUT) {
        true => members.get_mut(INPUT).and_then(Value::as_object_mut),
        false => Some(members),
    };
    let words = input.and_then(|input| input.get_mut("words"));
    if let Some(words) = words.and_then(Value::as_object_mut) {
        words.retain(is_left);
    }
}

/// Takes the user's name off a record or a vote that stays; returns how often.
fn take_user_out(members: &mut Map<String, Value>, wanted: &Wanted) -> u64 {
    let mut pieces = 0;
    if members
        .get("user")
        .and_then(Value::as_str)
        .is_some_and(|user| wanted.is_user(user))
    {
        members.remove("user");
        pieces += 1;
    }
    let worker = members.get("worker").and_then(Value::as_str);
    if let Some(alias) = worker.and_then(|worker| wanted.alias_of_voter(worker)) {
        members.insert("worker".to_owned(), alias.into());
        pieces += 1;
    }
    pieces
}

/// Returns whether a text that is the object of a program, printed as text, has what is to be erased.
pub(crate) fn is_in_printed(text: &str, wanted: &Wanted) -> bool {
    begins_as_json(text) && is_in_raw(text, wanted)
}

/// Takes members out that are called as a text or a user: those of a list by texts.
fn take_names_out(members: &mut Map<String, Value>, wanted: &Wanted) -> u64 {
    let before = members.len();
    members.retain(|name, _| !wanted.is_own_name(name));
    (before - members.len()) as u64
}

/// Returns whether something that was set aside as it was found is about a text or of a user. JSON is read as such; of other
/// lines, whose text cannot be told from the rest, those go too in which the text only stands.
pub(crate) fn is_in_raw(raw: &str, wanted: &Wanted) -> bool {
    let json = trimmed(raw);
    match written::value(json).filter(|_| json.starts_with(['{', '['])) {
        Some(row) => {
            let (names, places) = (Names::Uploads, Places::Free);
            let scrubber = Scrubber {
                wanted,
                names,
                places,
            };
            scrubber.is_row_gone(&row) || rewrite(Shape::Upload, json.as_bytes(), wanted) != Left::All
        }
        None => {
            let is_found = wanted.is_text(raw) || wanted.is_within(raw) || has_cell(raw.as_bytes(), wanted);
            is_found || begins_as_json(raw) && broken::holds(json, wanted)
        }
    }
}
