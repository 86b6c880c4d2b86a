//! The normal form of a text.

use unicode_normalization::UnicodeNormalization;

/// Names of the HTML entities that texts on the web hold most.
const ENTITIES: [(&str, &str); 6] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
];

/// Reduces a text to its words: HTML entities decoded, compatibility forms unified (NFKC), lower case, and
/// everything that is neither letter nor digit reads as one space.
///
/// Copies that differ in case, white space, punctuation or entities become the same text. A text without
/// any letter or digit, such as one of emoji, keeps its symbols.
pub fn normalise(text: &str) -> String {
    let plain: String = decode_entities(text).nfkc().collect::<String>().to_lowercase();
    let words = plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let words = words.collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        words
    }
}

/// Decodes HTML entities once; what is no entity stays. News feeds drop the `&` of numeric ones (`#39;`).
pub fn decode_entities(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['&', '#']) {
        let (before, from) = rest.split_at(start);
        decoded.push_str(before);
        let body = from.trim_start_matches('&');
        let entity = body
            .split_once(';')
            .filter(|(name, _)| name.len() <= 8 && from.len() - body.len() <= 1);
        match entity.and_then(|(name, after)| Some((entity_text(name)?, after))) {
            Some((character, after)) => {
                decoded.push_str(&character);
                rest = after;
            }
            None => {
                decoded.push_str(&from[..1]);
                rest = &from[1..];
            }
        }
    }
    decoded + rest
}

fn entity_text(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?).map(String::from);
    }
    ENTITIES
        .iter()
        .find(|(entity, _)| *entity == name)
        .map(|(_, text)| (*text).to_owned())
}
