//! What is left of JSON: records of a text go, what only names it loses it.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use crate::{
    rewrite::{Left, Shape, rewrite},
    wanted::{ERASED_MARK, Wanted},
};

/// Members that hold the text that an object is about.
pub(crate) const TEXTS: [&str; 4] = ["utterance", "sentence", "text", "source"];

/// Members that hold what was found, letter by letter.
const RAW: [&str; 2] = ["raw", "line"];
/// Members that hold it as bytes.
const RAW_BYTES: [&str; 2] = ["rawData", "rawBase64"];

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

/// Rewrites JSON documents, one after the other; each stays as it is written where nothing of it is erased.
pub(crate) fn documents(bytes: &[u8], wanted: &Wanted, places: Places) -> Left {
    let (mut rest, mut pieces) = (Vec::new(), 0);
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
    let mut begin = 0;
    while let Some(value) = values.next() {
        let Ok(mut value) = value else {
            return lines(bytes, wanted, places);
        };
        let end = values.byte_offset();
        match scrub(&mut value, wanted, places) {
            Fate::Stays => rest.extend_from_slice(&bytes[begin..end]),
            Fate::Goes => pieces += 1,
            Fate::Changed(count) => {
                pieces += count;
                let space = bytes[begin..end]
                    .iter()
                    .take_while(|byte| byte.is_ascii_whitespace());
                rest.extend_from_slice(&bytes[begin..begin + space.count()]);
                rest.extend_from_slice(value.to_string().as_bytes());
            }
        }
        begin = end;
    }
    rest.extend_from_slice(&bytes[begin..]);
    Left::of(rest.trim_ascii_start().to_vec(), pieces)
}

/// Rewrites lines of which some are no JSON: those in which a text stands go.
fn lines(bytes: &[u8], wanted: &Wanted, places: Places) -> Left {
    let (mut rest, mut pieces) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match serde_json::from_slice::<Value>(line) {
            Ok(mut value) => match scrub(&mut value, wanted, places) {
                Fate::Stays => rest.extend_from_slice(line),
                Fate::Goes => pieces += 1,
                Fate::Changed(count) => {
                    pieces += count;
                    rest.extend_from_slice(value.to_string().as_bytes());
                    rest.push(b'\n');
                }
            },
            Err(_) => {
                let text = String::from_utf8_lossy(line);
                match wanted.is_within(&text) || wanted.is_text(&text) {
                    true => pieces += 1,
                    false => rest.extend_from_slice(line),
                }
            }
        }
    }
    Left::of(rest, pieces)
}

/// Rewrites lines whose numbers count: one that goes leaves an empty object.
pub(crate) fn numbered_lines(bytes: &[u8], wanted: &Wanted) -> Left {
    let (mut rest, mut pieces) = (Vec::new(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match documents(line.trim_ascii_end(), wanted, Places::Kept) {
            Left::All => rest.extend_from_slice(line),
            Left::Nothing { .. } | Left::Rest { .. } => {
                pieces += 1;
                rest.extend_from_slice(b"{}\n");
            }
        }
    }
    Left::of(rest, pieces)
}

/// Rewrites a document that is a list of texts.
pub(crate) fn texts(bytes: &[u8], wanted: &Wanted) -> Left {
    let Ok(texts) = serde_json::from_slice::<Vec<String>>(bytes) else {
        return documents(bytes, wanted, Places::Free);
    };
    let rest: Vec<&String> = texts.iter().filter(|text| !wanted.is_text(text)).collect();
    let pieces = (texts.len() - rest.len()) as u64;
    let rest = serde_json::to_vec(&rest).unwrap_or_default();
    match pieces {
        0 => Left::All,
        pieces => Left::Rest { bytes: rest, pieces },
    }
}

fn changed(pieces: u64) -> Fate {
    match pieces {
        0 => Fate::Stays,
        pieces => Fate::Changed(pieces),
    }
}

fn scrub(value: &mut Value, wanted: &Wanted, places: Places) -> Fate {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Fate::Stays,
        Value::String(text) if wanted.is_within(text) => {
            *text = wanted.replaced_within(text);
            Fate::Changed(1)
        }
        Value::String(_) => Fate::Stays,
        Value::Array(values) => scrub_array(values, wanted, places),
        Value::Object(members) => scrub_object(members, wanted, places),
    }
}

fn scrub_array(values: &mut Vec<Value>, wanted: &Wanted, places: Places) -> Fate {
    let mut pieces = 0;
    values.retain_mut(|value| match scrub(value, wanted, places) {
        Fate::Stays => true,
        Fate::Changed(count) => {
            pieces += count;
            true
        }
        Fate::Goes => {
            pieces += 1;
            if places == Places::Kept {
                *value = ERASED_MARK.into();
            }
            places == Places::Kept
        }
    });
    changed(pieces)
}

fn scrub_object(members: &mut Map<String, Value>, wanted: &Wanted, places: Places) -> Fate {
    if is_about(members, wanted) {
        return Fate::Goes;
    }
    let mut pieces = take_user_out(members, wanted);
    let items = item_ids(members);
    for (name, value) in members.iter_mut() {
        match scrub(value, wanted, places) {
            Fate::Stays => {}
            Fate::Changed(count) => pieces += count,
            // The record of a question, a labelled record or an item of the backlog; what an output is about.
            Fate::Goes if name == "record" || name == "inputContent" => return Fate::Goes,
            Fate::Goes => {
                pieces += 1;
                *value = ERASED_MARK.into();
            }
        }
    }
    let gone: Vec<String> = items.difference(&item_ids(members)).cloned().collect();
    if !gone.is_empty() && !forget_items(members, &gone) {
        return Fate::Goes;
    }
    changed(pieces)
}

/// Returns the ids of the items of a human loop's input, or of the input within its output.
fn item_ids(members: &Map<String, Value>) -> BTreeSet<String> {
    let input = members
        .get("inputContent")
        .and_then(Value::as_object)
        .unwrap_or(members);
    let items = input.get("comprehendPredictions").and_then(Value::as_array);
    let ids = items.into_iter().flatten().filter_map(|item| item["id"].as_str());
    ids.map(str::to_owned).collect()
}

/// Takes out what else a human loop knows of items that are gone; returns whether any is left.
fn forget_items(members: &mut Map<String, Value>, gone: &[String]) -> bool {
    let of_gone = |name: &String| gone.iter().any(|id| name.contains(id.as_str()));
    for answer in members
        .get_mut("humanAnswers")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(content) = answer.get_mut("answerContent").and_then(Value::as_object_mut) {
            content.retain(|name, _| !of_gone(name));
        }
    }
    let input = match members.contains_key("inputContent") {
        true => members.get_mut("inputContent").and_then(Value::as_object_mut),
        false => Some(members),
    };
    let Some(input) = input else { return true };
    if let Some(words) = input.get_mut("words").and_then(Value::as_object_mut) {
        words.retain(|name, _| !of_gone(name));
    }
    let left = input
        .get("comprehendPredictions")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    if input.contains_key("rowCount") {
        input.insert("rowCount".to_owned(), left.into());
    }
    left > 0
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

fn is_about(members: &Map<String, Value>, wanted: &Wanted) -> bool {
    let text = |name: &&str| members.get(*name).and_then(Value::as_str);
    let is_wanted = |text: &str| wanted.is_text(text) || wanted.is_beginning(text);
    let is_in = |text: &str| {
        let is_all = rewrite(Shape::Json, text.as_bytes(), wanted) == Left::All;
        wanted.is_text(text) || wanted.is_within(text) || !is_all
    };
    let is_in_bytes = |data: &str| {
        let bytes = BASE64_STANDARD.decode(data);
        bytes.is_ok_and(|bytes| is_in(&String::from_utf8_lossy(&bytes)))
    };
    TEXTS.iter().filter_map(text).any(is_wanted)
        || RAW.iter().filter_map(text).any(is_in)
        || RAW_BYTES.iter().filter_map(text).any(is_in_bytes)
}
