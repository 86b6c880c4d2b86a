//! JSON in the notation of JavaScript, as templates write it into attributes.

use serde_json::Value;

/// Reads JSON as templates write it into attributes: also with single quotes, and with names without quotes.
pub(super) fn relaxed_json(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let mut json = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\'' => json.push_str(&quoted(character, &mut characters)),
            c if c.is_alphabetic() || c == '_' || c == '$' => {
                let mut word = c.to_string();
                while let Some(next) = characters.next_if(|c| c.is_alphanumeric() || *c == '_' || *c == '$') {
                    word.push(next);
                }
                match word.as_str() {
                    "true" | "false" | "null" => json.push_str(&word),
                    _ => json.push_str(&Value::from(word).to_string()),
                }
            }
            ']' | '}' => {
                let kept = json.trim_end().trim_end_matches(',').len();
                json.truncate(kept);
                json.push(character);
            }
            other => json.push(other),
        }
    }
    serde_json::from_str(&json).ok()
}

/// Reads a text up to its closing quote and returns it as JSON.
fn quoted(quote: char, characters: &mut impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('u') => {
                    let digits: String = characters.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    text.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Some(escaped) => text.push(escaped),
                None => {}
            },
            end if end == quote => break,
            other => text.push(other),
        }
    }
    Value::from(text).to_string()
}
