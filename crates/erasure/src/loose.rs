//! What can be told of JSON that is none: a brace is missing, a comma too many, quotes are single or not closed.

/// A value of such a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loose {
    /// The name that stands before it.
    pub(crate) name: Option<String>,
    /// Its text, without quotes and escapes.
    pub(crate) text: String,
    /// Whether the line ends within its quotes.
    pub(crate) is_cut_off: bool,
}

/// Letters before the quotes of a text, as Python writes them.
const PREFIXES: &str = "ubrUBR";
/// What ends a word without quotes.
const ENDS: &str = ",:={}[]\"\n\r\t";

/// Returns whether a line begins as JSON does, or as what a program prints of its objects.
pub(crate) fn begins_as_json(line: &str) -> bool {
    let line = trimmed(line);
    let second = line.get(1..).unwrap_or_default().trim_start().chars().next();
    line.starts_with(['{', '[']) && second.is_none_or(|second| "\"'{[}".contains(second))
}

/// Returns a line without white space around it, and without the mark that begins a file.
pub(crate) fn trimmed(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Returns the values of a line, without the names. Quotes within a text may or may not close it, so that it is read both ways.
pub(crate) fn values(line: &str) -> Vec<Loose> {
    let characters: Vec<char> = line.chars().collect();
    let mut all = read(&characters, false);
    for value in read(&characters, true) {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

/// Returns a line without the escapes of JSON and of Python.
pub(crate) fn unescaped(line: &str) -> String {
    let characters: Vec<char> = line.chars().collect();
    let (mut text, mut at) = (String::with_capacity(line.len()), 0);
    while at < characters.len() {
        at = push(&characters, at, &mut text);
    }
    text
}

/// Reads values; where `is_sure`, a quote closes a text only where a value may end.
fn read(characters: &[char], is_sure: bool) -> Vec<Loose> {
    let mut values: Vec<Loose> = Vec::new();
    let (mut name, mut depth, mut at) = (None, 0_usize, 0);
    while let Some(&c) = characters.get(at) {
        let is_prefix = PREFIXES.contains(c) && matches!(characters.get(at + 1), Some('"' | '\''));
        match c {
            ':' | '=' => {
                name = values.pop().map(|value| value.text).or(name);
                depth = 0;
            }
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => name = None,
            '"' | '\'' => {
                let (text, end, is_cut_off) = quoted(characters, at, is_sure);
                values.push(Loose {
                    name: name.clone(),
                    text,
                    is_cut_off,
                });
                at = end;
                continue;
            }
            _ if is_prefix || c.is_whitespace() || "{},>".contains(c) => {}
            _ => {
                let (text, end) = bare(characters, at);
                values.push(Loose {
                    name: name.clone(),
                    text,
                    is_cut_off: false,
                });
                at = end;
                continue;
            }
        }
        at += 1;
    }
    values
}

/// Reads a word without quotes; returns where it ends.
fn bare(characters: &[char], begin: usize) -> (String, usize) {
    let rest = &characters[begin + 1..];
    let length = rest.iter().position(|c| ENDS.contains(*c)).unwrap_or(rest.len());
    let end = begin + 1 + length;
    let text: String = characters[begin..end].iter().collect();
    (unescaped(text.trim()), end)
}

/// Reads what stands in quotes; returns where it ends, and whether the line does.
fn quoted(characters: &[char], begin: usize, is_sure: bool) -> (String, usize, bool) {
    let (mut text, mut at) = (String::new(), begin + 1);
    while let Some(&c) = characters.get(at) {
        if c == characters[begin] && (!is_sure || may_end(&characters[at + 1..])) {
            return (text, at + 1, false);
        }
        at = push(characters, at, &mut text);
    }
    (text, at, true)
}

/// Returns whether a value may end before this.
fn may_end(rest: &[char]) -> bool {
    let next = rest.iter().find(|c| !c.is_whitespace());
    next.is_none_or(|c| ",:=}]".contains(*c))
}

/// Appends a character, or what an escape stands for; returns where the next one begins.
fn push(characters: &[char], at: usize, text: &mut String) -> usize {
    let next = characters.get(at + 1).copied();
    let (c, length) = match (characters[at], next) {
        ('\\', Some('u')) => return push_utf_16(characters, at, text),
        ('\\', Some('U')) => by_number(characters, at, 8),
        ('\\', Some('x')) => by_number(characters, at, 2),
        ('\\', Some('n')) => ('\n', 2),
        ('\\', Some('r')) => ('\r', 2),
        ('\\', Some('t')) => ('\t', 2),
        ('\\', Some('b' | 'f')) => (' ', 2),
        ('\\', Some(c)) => (c, 2),
        (c, _) => (c, 1),
    };
    text.push(c);
    at + length
}

/// Appends what `\u` and four digits stand for, or two of them.
fn push_utf_16(characters: &[char], at: usize, text: &mut String) -> usize {
    let unit = |at: usize| match characters.get(at..at + 2) {
        Some(['\\', 'u']) => number(characters, at + 2, 4).and_then(|unit| u16::try_from(unit).ok()),
        _ => None,
    };
    let Some(first) = unit(at) else {
        text.push('\\');
        return at + 1;
    };
    let units = match unit(at + 6) {
        Some(second) if (0xd800..0xdc00).contains(&first) => vec![first, second],
        _ => vec![first],
    };
    text.extend(char::decode_utf16(units.iter().copied()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    at + 6 * units.len()
}

fn by_number(characters: &[char], at: usize, digits: usize) -> (char, usize) {
    match number(characters, at + 2, digits).and_then(char::from_u32) {
        Some(c) => (c, 2 + digits),
        None => ('\\', 1),
    }
}

fn number(characters: &[char], begin: usize, digits: usize) -> Option<u32> {
    let digits = characters.get(begin..begin + digits)?;
    u32::from_str_radix(&digits.iter().collect::<String>(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(line: &str) -> Vec<(Option<String>, String)> {
        values(line)
            .into_iter()
            .map(|value| (value.name, value.text))
            .collect()
    }

    fn of(name: &str, text: &str) -> (Option<String>, String) {
        (Some(name.to_owned()), text.to_owned())
    }

    #[test]
    fn values_are_told_whatever_is_wrong_with_the_line() {
        for line in [
            r#"{"sentence": "Elm 4", "user": "jane""#,
            r#"{"sentence": "Elm 4", "user": "jane",}"#,
            r#"{'sentence': 'Elm 4', 'user': u'jane'}"#,
            r#"{sentence: "Elm 4", user: jane}"#,
            r#"{"sentence" => "Elm\u00204", "user" => "ja\x6ee"}"#,
        ] {
            let all = read_as(line);

            assert_eq!(all[..2], [of("sentence", "Elm 4"), of("user", "jane")], "{line}");
        }
    }

    #[test]
    fn quotes_within_a_text_are_read_both_ways() {
        let all = read_as(r#"{"sentence": "Say "hi" to me", "user": "jane"}"#);

        assert!(all.contains(&of("sentence", "Say \"hi\" to me")), "{all:?}");
        assert!(all.contains(&of("user", "jane")), "{all:?}");
    }

    #[test]
    fn a_text_that_the_end_of_the_line_cuts_off_is_told() {
        let all = values(r#"{"labels": ["a", "b"], "sentence": "I live in"#);

        assert_eq!(
            all[1],
            Loose {
                name: Some("labels".into()),
                text: "b".into(),
                is_cut_off: false
            }
        );
        assert_eq!(
            all[2],
            Loose {
                name: Some("sentence".into()),
                text: "I live in".into(),
                is_cut_off: true
            }
        );
    }

    #[test]
    fn escapes_stand_for_letters_and_what_is_none_stays() {
        assert_eq!(
            unescaped(r"caf\u00e9 \ud83d\ude00 1\/2\n\q \u12 \ud83d"),
            "café 😀 1/2\nq \\u12 \u{fffd}"
        );
    }

    #[test]
    fn brackets_around_a_word_are_no_json() {
        for line in ["{\"a\": 1", "\u{feff} [{", "{'a'", "[\"a\", ", "{"] {
            assert!(begins_as_json(line), "{line}");
        }
        for line in ["[urgent] a,b", "{curly} x", "a", "", "\"a\""] {
            assert!(!begins_as_json(line), "{line}");
        }
    }
}
