//! The normal form of a text, and what of a text can be seen.

mod counted;
mod look_alike;
mod normal_form;
pub mod personal_data;
mod vector;
mod vector_pack;

pub use counted::{counted, counted_as};
pub use look_alike::look_alike;
pub use normal_form::{normal_form, signs};
pub use vector::Vector;
pub use vector_pack::{VectorId, pack_vectors, unpack_vectors, vector_id};

use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class};

/// Names of the HTML entities that texts on the web hold most.
const ENTITIES: [(&str, &str); 6] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
];

/// Reduces a text to its words, coarser than [`normal_form`]: HTML entities decoded, compatibility forms unified (NFKC), lower case, and
/// everything that is neither letter nor digit reads as one space.
///
/// Copies that differ in case, white space, punctuation or entities become the same text. A text without
/// any letter or digit, such as one of emoji, keeps its symbols.
///
/// It decides what is held out, where one pair too many costs a row: lists of held-out texts are stored in this form, so
/// it never changes. What asks the same question is told by [`normal_form`].
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
    decode_entities_with(text, |name, _| entity_text(name))
}

/// Decodes the HTML entities once of which a text is known by their names, and by whether `&` stands before them.
fn decode_entities_with(text: &str, text_of: impl Fn(&str, bool) -> Option<String>) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['&', '#']) {
        let (before, from) = rest.split_at(start);
        decoded.push_str(before);
        let body = from.trim_start_matches('&');
        let entity = body
            .split_once(';')
            .filter(|(name, _)| name.len() <= 8 && from.len() - body.len() <= 1);
        match entity.and_then(|(name, after)| Some((text_of(name, body.len() < from.len())?, after))) {
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

/// Returns whether a text shows nothing: white space, controls and invisible characters only.
///
/// Unpaired surrogates are no characters of a Rust string; whoever reads JSON has refused or replaced them
/// before.
pub fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_whitespace() || is_invisible(c) || matches!(c, '\u{2800}' | '\u{FFFD}'))
}

/// Returns whether a character shows nothing and takes no room: controls, zero-width characters, joiners,
/// direction marks, variation selectors, fillers, tags, marks of annotations, private and unassigned "ignorable" ones.
///
/// Tags that make a flag are seen with it.
/// Source: Unicode, `Cc`, `Default_Ignorable_Code_Point` and the interlinear annotation characters.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}')
}

/// Returns whether a mark takes the vowel from the letter before it: a joiner beside it shows, and tells words apart, as the
/// Malayalam `അവന്‍` (he) from `അവന്` (to him).
pub(crate) fn is_virama(c: char) -> bool {
    const VIRAMA: u8 = 9;
    canonical_combining_class(c) == VIRAMA
}

/// Returns whether a tag makes a flag with what stands before it: after a black flag, tags alone tell England's and
/// Scotland's apart. Elsewhere they show nothing.
pub(crate) fn is_part_of_flag(before: char, c: char) -> bool {
    const BLACK_FLAG: char = '\u{1F3F4}';
    let is_tag = |c: char| matches!(c, '\u{E0020}'..='\u{E007F}');
    is_tag(c) && (before == BLACK_FLAG || is_tag(before))
}

/// Says why bytes that are to be JSON in UTF-8 are none, where it shows: they are compressed, or in another encoding.
///
/// In UTF-16 every other byte of the signs of JSON is zero, also where the bytes begin in the middle of a character.
pub fn why_no_utf8_json(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x1f\x8b") {
        Some("is compressed (gzip): unpack it")
    } else if bytes.starts_with(b"PK\x03\x04") {
        Some("is a ZIP archive: unpack it")
    } else if bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || bytes.iter().take(4).any(|byte| *byte == 0)
    {
        Some("is UTF-16: save it as UTF-8")
    } else if std::str::from_utf8(bytes).is_err() {
        Some("is not UTF-8: save it as UTF-8")
    } else if bytes.contains(&0) {
        Some("holds a zero byte, which no JSON has")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_white_space_controls_or_zero_width_characters_only_is_blank() {
        for text in [
            "",
            " \t\r\n",
            "\u{a0}\u{3000}",
            "\u{200b}\u{200d}\u{feff}",
            "\u{0}\u{1f}\u{85}",
            "\u{ad}",
            "\u{fffd}",
            "\u{e0041}\u{e0061}\u{e007f}",
            "\u{fff9}\u{fffa}\u{fffb}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["a", ".", "👍", "?", "\u{200b}x", "𐀀", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_json_are_told_by_what_they_are() {
        for (bytes, expected) in [
            (
                &b"\x1f\x8b\x08\0\0rest"[..],
                Some("is compressed (gzip): unpack it"),
            ),
            (b"PK\x03\x04\x14\0", Some("is a ZIP archive: unpack it")),
            (b"\xff\xfe{\0", Some("is UTF-16: save it as UTF-8")),
            (b"\0{\0\"\0", Some("is UTF-16: save it as UTF-8")),
            (
                b"{\"source\": \"caf\xe9\"}",
                Some("is not UTF-8: save it as UTF-8"),
            ),
            (
                b"{\"source\": \"a\0b\"}",
                Some("holds a zero byte, which no JSON has"),
            ),
            ("{\"source\": \"café\"}".as_bytes(), None),
            (b"", None),
        ] {
            assert_eq!(why_no_utf8_json(bytes), expected, "{bytes:?}");
        }
    }
}
