//! Lines that begin as JSON and are none. Where one names a text or a user, it goes as a whole; where that cannot be told, its
//! object is named.

use std::collections::BTreeSet;

use serde_json::Value;
use text_import::feedback::{decoded, transcoded};

use crate::{
    json::RAW,
    loose::{begins_as_json, trimmed, unescaped, values},
    rewrite::{GZIP, Left, decompressed},
    uploads::is_json,
    wanted::Wanted,
    written,
};

/// Returns whether a line that is no JSON has what is to be erased as one of its values, or a long text anywhere.
pub(crate) fn holds(line: &str, wanted: &Wanted) -> bool {
    let is_value = || {
        values(line).iter().any(|value| {
            let name = value.name.as_deref();
            wanted.is_value(name, &value.text)
                || name.is_some_and(|name| wanted.is_own_name(name))
                || value.is_cut_off && wanted.is_beginning(&format!("{}…", value.text))
        })
    };
    is_value() || wanted.is_within_form(&unescaped(line))
}

/// Returns whether what is to be erased may stand in a line that is no JSON, though it is no value that can be told.
fn may_hold(line: &str, wanted: &Wanted) -> bool {
    let is_begun = || {
        values(line)
            .iter()
            .any(|value| value.is_cut_off && wanted.may_begin(&value.text))
    };
    wanted.is_mentioned(&unescaped(line)) || is_begun()
}

/// Returns the lines of a file with their ends, whatever these are.
pub(crate) fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    let ends_at = |at: usize| match bytes[at] {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    let (mut lines, mut begin) = (Vec::new(), 0);
    for end in (0..bytes.len()).filter(|at| ends_at(*at)) {
        lines.push(&bytes[begin..=end]);
        begin = end + 1;
    }
    lines.extend((begin < bytes.len()).then(|| &bytes[begin..]));
    lines
}

/// Returns the records of a file of which `lines` are about something: the objects that the lines are part of, by how they are
/// indented. All are numbers from 0.
pub(crate) fn records_around(all: &[String], lines: impl Iterator<Item = usize>) -> BTreeSet<usize> {
    let mut around = BTreeSet::new();
    for line in lines {
        match begin_of(all, line) {
            Some(begin) => around.extend(begin..=end_of(all, begin).max(line)),
            None => {
                around.insert(line);
            }
        }
    }
    around
}

fn indent(line: &str) -> usize {
    line.chars()
        .take_while(|c| c.is_whitespace() || *c == '\u{feff}')
        .count()
}

/// Returns whether an object begins with a line: `{`, also behind the end of the one before.
fn begins_an_object(line: &str) -> bool {
    trimmed(line)
        .trim_start_matches(['}', ']', ',', ' ', '['])
        .starts_with('{')
}

fn begin_of(all: &[String], line: usize) -> Option<usize> {
    if begins_an_object(&all[line]) {
        return Some(line);
    }
    let own = indent(&all[line]);
    let mut ended = BTreeSet::new();
    for above in (0..line).rev() {
        let (text, indent) = (trimmed(&all[above]), indent(&all[above]));
        let goes_on = !text.ends_with(['}', ',']);
        let begins = goes_on && (begins_an_object(text) || text.ends_with('{'));
        let is_around = begins && !ended.remove(&indent) && begins_an_object(text);
        if is_around && indent <= own {
            return Some(above);
        }
        if text.starts_with('}') {
            ended.insert(indent);
        }
    }
    None
}

/// Returns the last line of an object: the one that closes it, or the one before what is not part of it.
fn end_of(all: &[String], begin: usize) -> usize {
    let own = indent(&all[begin]);
    if trimmed(&all[begin]).chars().count() > 3 {
        // What stands on a line by itself ends with it, unless it goes on further in.
        let goes_on = all.get(begin + 1).is_some_and(|next| indent(next) > own);
        if !goes_on {
            return begin;
        }
    }
    for (place, line) in all.iter().enumerate().skip(begin + 1) {
        if indent(line) > own || trimmed(line).is_empty() {
            continue;
        }
        match trimmed(line).chars().next() {
            Some('}') if !begins_an_object(line) => return place,
            Some('"' | '\'') => {}
            _ => return place - 1,
        }
    }
    all.len() - 1
}

/// Returns the lines of an object that are no JSON though they begin so, or though the file does, with their numbers from 1;
/// also those that were set aside as they were found.
fn unread(bytes: &[u8]) -> Vec<(u64, String)> {
    if bytes.starts_with(&GZIP) {
        return decompressed(bytes)
            .map(|plain| unread(&plain))
            .unwrap_or_default();
    }
    let other = match std::str::from_utf8(bytes) {
        Ok(_) => None,
        Err(_) => transcoded(bytes),
    };
    let bytes = other.as_deref().unwrap_or(bytes);
    let is_json_file = is_json(bytes);
    if is_json_file && let Some(unread) = unread_values(bytes) {
        return unread;
    }
    let mut unread = Vec::new();
    for (line, number) in lines(bytes).into_iter().zip(1..) {
        let line = decoded(line);
        let text = trimmed(&line).trim_end_matches(',');
        match written::value(text) {
            Some(value) => unread.extend(set_aside(&value).map(|raw| (number, raw))),
            None if text.is_empty() || !is_json_file && !begins_as_json(text) => {}
            None => unread.push((number, text.to_owned())),
        }
    }
    unread
}

/// Does the same for a file that is all JSON; none where it is not.
fn unread_values(bytes: &[u8]) -> Option<Vec<(u64, String)>> {
    let mut unread = Vec::new();
    for (document, number) in written::documents(bytes).zip(1..) {
        unread.extend(set_aside(&document?.value).map(|raw| (number, raw)));
    }
    Some(unread)
}

/// Returns what a rejected record was, where that begins as JSON and is none.
fn set_aside(value: &Value) -> impl Iterator<Item = String> {
    let raw = RAW.iter().filter_map(|name| value.get(*name)?.as_str());
    let broken = raw.filter(|raw| begins_as_json(raw) && written::value(trimmed(raw)).is_none());
    broken.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// Returns how many lines that begin as JSON and are none went from an object.
pub(crate) fn gone(before: &[u8], left: &Left) -> u64 {
    let count = |bytes: &[u8]| unread(bytes).len() as u64;
    match left {
        Left::All | Left::Unread { .. } => 0,
        Left::Nothing { .. } => count(before),
        Left::Rest { bytes, .. } => count(before).saturating_sub(count(bytes)),
    }
}

/// Says of what is left of an object that something may stand in it which cannot be told.
pub(crate) fn undecided(bytes: &[u8], wanted: &Wanted) -> Option<String> {
    let unread = unread(bytes);
    let (line, _) = unread.iter().find(|(_, line)| may_hold(line, wanted))?;
    Some(format!(
        "line {line} is no JSON, and what is to be erased may stand in it"
    ))
}

#[cfg(test)]
mod tests {
    use active_learning_core::erasure::ErasedTexts;

    use super::*;

    fn around(file: &str, line: usize) -> Vec<usize> {
        let all: Vec<String> = file.lines().map(str::to_owned).collect();
        records_around(&all, std::iter::once(line)).into_iter().collect()
    }

    #[test]
    fn a_line_of_a_printed_object_takes_the_object_with_it_and_no_other() {
        let printed = "[\n  {\n    \"message\": \"a\",\n    \"meta\": {\n      \"n\": 1\n    },\n    \"user\": \"jane\",\n  },\n  {\n    \"message\": \"b\"\n  }\n]";

        assert_eq!(around(printed, 6), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(around(printed, 9), [8, 9, 10]);
        assert_eq!(
            around("{\n\"a\": 1,\n\"user\": \"jane\",\n}\n{\n\"a\": 2\n}", 2),
            [0, 1, 2, 3]
        );
        assert_eq!(around("{\"a\": 1\n{\"user\": \"jane\"\n{\"a\": 2", 1), [1]);
        assert_eq!(around("[\"a\",\n\"b\",\n", 1), [1]);
    }

    #[test]
    fn what_cannot_be_decided_is_told_by_its_line() {
        let wanted = Wanted::new(&["Elm 4".to_owned()], ErasedTexts::default());
        let wanted = wanted.of_users(&["Jane".to_owned()], "erased");
        let said = |line: &str| undecided(format!("{{\"a\": 1}}\n{line}\n").as_bytes(), &wanted);

        for line in [
            r#"{"sentence": "not elm 4 again", "user": "bob""#,
            r#"{"sentence": "Other", "from": "jane <j@x>""#,
            r#"{"sentence": "Elm"#,
        ] {
            let expected = "line 2 is no JSON, and what is to be erased may stand in it";
            assert_eq!(said(line).as_deref(), Some(expected), "{line}");
        }
        for line in [
            r#"{"sentence": "Other", "user": "janet""#,
            r#"{"sentence": "Elm 4 b"}"#,
            "nonsense",
        ] {
            assert_eq!(said(line), None, "{line}");
        }
    }
}
