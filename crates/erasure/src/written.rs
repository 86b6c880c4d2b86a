//! JSON as it is written: where its values stand in the bytes, so that one can be taken out while the others stay as they are,
//! with their numbers, their order and their spaces.

use std::ops::Range;

use serde_json::{Map, Value, value::RawValue};

use crate::loose::unescaped;

/// Levels of arrays and objects that are read: as many as other readers take.
const MAX_LEVELS: usize = 127;

/// Stands in a list for an element that is to be taken out of it. No text has this character.
const GONE: &str = "\u{ffff}gone";

/// A document, and where it stands.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    /// As it is written.
    raw: &'a str,
    /// Where.
    pub(crate) range: Range<usize>,
    /// What it says. A number that no number type writes the same way is a string of its digits.
    pub(crate) value: Value,
}

impl Document<'_> {
    /// Writes the document as its value says now. What is the same stays as it is written.
    pub(crate) fn written(&self) -> String {
        match read(self.raw, 0) {
            Some(before) => spliced(self.raw, &before, &self.value),
            None => self.value.to_string(),
        }
    }

    /// Writes the bytes that the document is part of, in the same way.
    pub(crate) fn written_in(&self, bytes: &[u8]) -> Vec<u8> {
        let (before, after) = (&bytes[..self.range.start], &bytes[self.range.end..]);
        [before, self.written().as_bytes(), after].concat()
    }

    /// Returns where a member of it stands.
    pub(crate) fn member(&self, name: &str) -> Option<Range<usize>> {
        self.value.as_object()?;
        let mut parts = parts(self.raw).into_iter();
        let part = parts.find(|part| part.name.as_deref() == Some(name))?;
        Some(self.range.start + part.value.start..self.range.start + part.value.end)
    }
}

/// Returns the element that stands for one that is to be taken out of its list.
pub(crate) fn gone() -> Value {
    Value::from(GONE)
}

/// Reads documents that stand one after the other; `None` ends them where one is no JSON.
pub(crate) fn documents(bytes: &[u8]) -> impl Iterator<Item = Option<Document<'_>>> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>();
    std::iter::from_fn(move || {
        let raw = values.next()?;
        let end = values.byte_offset();
        Some(raw.ok().and_then(|raw| {
            let raw = raw.get();
            Some(Document {
                raw,
                range: end - raw.len()..end,
                value: read(raw, 0)?,
            })
        }))
    })
}

/// Reads one document; `None` where there is another one, or it is no JSON.
pub(crate) fn document(bytes: &[u8]) -> Option<Document<'_>> {
    let mut all = documents(bytes);
    let first = all.next()??;
    all.next().is_none().then_some(first)
}

/// Reads what one document says; `None` where there is another one, or it is no JSON.
pub(crate) fn value(text: &str) -> Option<Value> {
    Some(document(text.as_bytes())?.value)
}

/// An element of a list, or a member of an object.
struct Part {
    /// Where it begins.
    begin: usize,
    /// Its name, if it has one.
    name: Option<String>,
    /// Where its value stands.
    value: Range<usize>,
}

/// Reads valid JSON; `None` where it is nested too deep, or a member is given twice.
fn read(raw: &str, level: usize) -> Option<Value> {
    let inner = |part: &Part| read(&raw[part.value.clone()], level + 1);
    match raw.as_bytes().first()? {
        b'{' | b'[' if level >= MAX_LEVELS => None,
        b'{' => {
            let mut members = Map::new();
            for part in parts(raw) {
                let value = inner(&part)?;
                // A member that is given twice says two things, of which a map would forget one.
                if members.insert(part.name.unwrap_or_default(), value).is_some() {
                    return None;
                }
            }
            Some(Value::Object(members))
        }
        b'[' => parts(raw)
            .iter()
            .map(inner)
            .collect::<Option<_>>()
            .map(Value::Array),
        b'"' => Some(Value::String(string(raw))),
        b't' | b'f' | b'n' => serde_json::from_str(raw).ok(),
        _ => Some(number(raw)),
    }
}

/// Reads a string; what is half of a character is one that says so.
fn string(raw: &str) -> String {
    let inner = || unescaped(raw.get(1..raw.len() - 1).unwrap_or_default());
    serde_json::from_str(raw).unwrap_or_else(|_| inner())
}

fn number(raw: &str) -> Value {
    let number = serde_json::from_str::<Value>(raw).ok();
    let is_as_written = |number: &Value| number.to_string().as_str() == raw;
    number.filter(is_as_written).unwrap_or_else(|| raw.into())
}

/// Returns the elements or members of a valid array or object.
fn parts(raw: &str) -> Vec<Part> {
    let bytes = raw.as_bytes();
    let is_object = bytes.first() == Some(&b'{');
    let mut parts = Vec::new();
    let mut at = after_space(bytes, 1);
    while at + 1 < bytes.len() {
        let begin = at;
        let mut name = None;
        if is_object {
            let end = end_of(bytes, at);
            name = Some(string(&raw[at..end]));
            at = after_space(bytes, after_space(bytes, end) + 1);
        }
        let end = end_of(bytes, at);
        let value = at..end;
        parts.push(Part { begin, name, value });
        at = after_space(bytes, after_space(bytes, end) + 1);
    }
    parts
}

fn after_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// Returns where a value ends that begins here.
fn end_of(bytes: &[u8], begin: usize) -> usize {
    let (mut at, mut depth) = (begin, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' => (at, depth) = (at + 1, depth.saturating_sub(1)),
            _ if depth > 0 => at += 1,
            _ => {
                let is_inner = |byte: &&u8| !byte.is_ascii_whitespace() && !b",:]}".contains(byte);
                at += bytes[at..].iter().take_while(is_inner).count().max(1);
            }
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn end_of_string(bytes: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Writes a value as it is now. Of a name that stands twice in an object the last one counts, and is all that is left.
fn spliced(raw: &str, before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => spliced_object(raw, before, after),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            spliced_array(raw, before, after)
        }
        _ if before == after => raw.to_owned(),
        _ => after.to_string(),
    }
}

fn spliced_array(raw: &str, before: &[Value], after: &[Value]) -> String {
    let parts = parts(raw);
    let values = before.iter().zip(after).zip(&parts);
    let values = values.map(|((before, after), part)| {
        let is_gone = before != after && after.as_str() == Some(GONE);
        (!is_gone).then(|| spliced(&raw[part.value.clone()], before, after))
    });
    joined(raw, &parts, values.collect(), Vec::new())
}

fn spliced_object(raw: &str, before: &Map<String, Value>, after: &Map<String, Value>) -> String {
    let parts = parts(raw);
    let values = parts.iter().map(|part| {
        let name = part.name.as_deref()?;
        Some(spliced(
            &raw[part.value.clone()],
            before.get(name)?,
            after.get(name)?,
        ))
    });
    let added = after
        .iter()
        .filter(|(name, _)| !before.contains_key(name.as_str()));
    let added = added.map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
    joined(raw, &parts, values.collect(), added.collect())
}

/// Writes what is left of the parts of an array or object, with what stands between them, and what was added.
fn joined(raw: &str, parts: &[Part], values: Vec<Option<String>>, added: Vec<String>) -> String {
    let mut rest = String::with_capacity(raw.len());
    rest.push_str(&raw[..parts.first().map_or(1, |part| part.begin)]);
    let (mut is_first, mut end_before) = (true, 0);
    for (part, value) in parts.iter().zip(values) {
        if let Some(value) = value {
            // The first one that is left begins where the first of all did.
            let begin = if is_first { part.begin } else { end_before };
            rest.push_str(&raw[begin..part.value.start]);
            rest.push_str(&value);
            is_first = false;
        }
        end_before = part.value.end;
    }
    for member in added {
        if !is_first {
            rest.push(',');
        }
        rest.push_str(&member);
        is_first = false;
    }
    rest.push_str(&raw[parts.last().map_or(1, |part| part.value.end)..]);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `x` out of objects and lists, wherever it stands.
    fn take_out(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("x");
                members.values_mut().for_each(take_out);
            }
            Value::Array(values) => {
                for value in values {
                    match value.as_str() == Some("x") {
                        true => *value = gone(),
                        false => take_out(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn without_x(text: &str) -> String {
        let mut document = document(text.as_bytes()).expect("JSON");
        take_out(&mut document.value);
        String::from_utf8(document.written_in(text.as_bytes())).expect("UTF-8")
    }

    #[test]
    fn what_is_taken_out_leaves_the_rest_as_it_is_written() {
        for (text, expected) in [
            (r#"{"x":1,"z":1.10,"a":1e400}"#, r#"{"z":1.10,"a":1e400}"#),
            (r#"{"z" : 1.10 , "x":1,"a":[ ] }"#, r#"{"z" : 1.10,"a":[ ] }"#),
            (
                r#"{"z":123456789012345678901234567890,"x":{"y":[1,2]}}"#,
                r#"{"z":123456789012345678901234567890}"#,
            ),
            ("[\n  \"x\",\n  1.0,\n  \"b\"\n]\n", "[\n  1.0,\n  \"b\"\n]\n"),
            (r#"["a", "x"]"#, r#"["a"]"#),
            (r#"["x"]"#, "[]"),
            (r#"{"x":"}"}"#, "{}"),
            (
                r#" {"b":{"x":1},"a":"\ud800 caf\u00e9 \"]","e":1E2}"#,
                r#" {"b":{},"a":"\ud800 caf\u00e9 \"]","e":1E2}"#,
            ),
            (r#"[-0, 1.10, true, null, "x"]"#, r#"[-0, 1.10, true, null]"#),
        ] {
            assert_eq!(without_x(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_changed_or_added_stands_where_it_did_or_at_the_end() {
        let text = br#"{ "n": 1.50, "text": "secret", "list": [1.0, 2] }"#;
        let mut document = document(text).expect("JSON");

        document.value["text"] = "gone".into();
        document.value["list"][1] = true.into();
        document.value["more"] = "a\"b".into();

        let expected = r#"{ "n": 1.50, "text": "gone", "list": [1.0, true],"more":"a\"b" }"#;
        assert_eq!(document.written(), expected);
        assert_eq!(document.member("n"), Some(7..11));
        assert_eq!(document.member("none"), None);
    }

    #[test]
    fn documents_are_read_one_after_the_other_up_to_what_is_none() {
        let text = b"{\"a\":1e400}\n12345678901234567890123 \"b\"[1]{\"a\":01}";
        let read: Vec<Option<String>> = documents(text)
            .map(|document| document.map(|document| document.raw.to_owned()))
            .collect();

        let expected = ["{\"a\":1e400}", "12345678901234567890123", "\"b\"", "[1]"];
        let mut expected: Vec<_> = expected.map(|raw| Some(raw.to_owned())).into();
        expected.push(None);
        assert_eq!(read, expected);
        assert_eq!(
            value("{\"id\":12345678901234567890123}").expect("JSON")["id"],
            "12345678901234567890123"
        );
        assert_eq!(value("{} {}"), None);
    }

    #[test]
    fn what_is_nested_deeper_than_others_read_is_no_document() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);

        assert!(
            value(&nested(MAX_LEVELS)).is_some()
                && serde_json::from_str::<Value>(&nested(MAX_LEVELS)).is_ok()
        );
        assert_eq!(value(&nested(MAX_LEVELS + 1)), None);
        assert_eq!(value(&nested(100_000)), None);
    }
}
