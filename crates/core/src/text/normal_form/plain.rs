//! What folds one character at a time: entities, compatibility forms, case.

use unicode_normalization::UnicodeNormalization;

use crate::text::{decode_entities_with, entity_text};

/// Names of HTML entities beyond those that [`decode_entities`](crate::text::decode_entities) knows, which never learns more.
const ENTITIES: [(&str, &str); 39] = [
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("sbquo", "‚"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("bdquo", "„"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("ndash", "–"),
    ("mdash", "—"),
    ("minus", "−"),
    ("hellip", "…"),
    ("prime", "′"),
    ("Prime", "″"),
    ("iquest", "¿"),
    ("iexcl", "¡"),
    ("euro", "€"),
    ("pound", "£"),
    ("yen", "¥"),
    ("cent", "¢"),
    ("deg", "°"),
    ("permil", "‰"),
    ("plusmn", "±"),
    ("times", "×"),
    ("divide", "÷"),
    ("ne", "≠"),
    ("le", "≤"),
    ("ge", "≥"),
    ("infin", "∞"),
    ("frac12", "½"),
    ("frac14", "¼"),
    ("frac34", "¾"),
    ("sup2", "²"),
    ("sup3", "³"),
    ("hearts", "♥"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("szlig", "ß"),
];

/// Accents by the ends of the names of HTML entities: `eacute` is `é`.
const ACCENTS: [(&str, char); 7] = [
    ("acute", '\u{301}'),
    ("grave", '\u{300}'),
    ("circ", '\u{302}'),
    ("tilde", '\u{303}'),
    ("uml", '\u{308}'),
    ("ring", '\u{30a}'),
    ("cedil", '\u{327}'),
];

/// Folds what one character is at a time.
pub(super) fn plain(text: &str) -> String {
    let is_of_feed = has_entity_at_word(text);
    let text = decode_entities_with(text, |name, has_ampersand| match has_ampersand {
        true => numeric_entity(name)
            .or_else(|| entity_text(name))
            .or_else(|| rarer_entity(name)),
        false => numeric_entity(name).filter(|text| is_of_feed && text.chars().all(is_mark)),
    });
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let asks_by_semicolon = is_greek(&text);
    let mut spelt = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ';' if asks_by_semicolon => spelt.push('?'),
            _ if is_question_mark(c) => spelt.push('?'),
            _ => push_compatible(&mut spelt, c),
        }
    }
    let folded: String = spelt.nfkc().flat_map(fold_case).nfc().collect();
    let folded = fold_sharp_s(folded);
    // What a capital I with a dot becomes elsewhere.
    folded.replace("i\u{307}", "i")
}

/// Returns whether a text is one of a feed that drops the `&` of entities: one stands at a word, as in `#39;s`, or is the
/// apostrophe of a plural, as in `banks #39; profits`. Elsewhere `#12;` is a number, as in `Ticket #12; never came`.
fn has_entity_at_word(text: &str) -> bool {
    text.match_indices('#').any(|(place, _)| {
        let (before, from) = text.split_at(place);
        let Some((name, after)) = from.split_once(';') else {
            return false;
        };
        let is_entity = || numeric_entity(name).is_some_and(|text| text.chars().all(is_mark));
        let beside = [before.chars().next_back(), after.chars().next()];
        let is_at_word = beside.into_iter().flatten().any(char::is_alphanumeric);
        let word = before.trim_end().trim_end_matches("&nbsp;");
        let is_of_plural = name == "#39" && word.ends_with(['s', 'S']);
        (is_at_word || is_of_plural) && !before.ends_with('&') && is_entity()
    })
}

/// Returns whether an entity without `&` may stand for a character: never for a control, a letter or a digit.
fn is_mark(c: char) -> bool {
    !c.is_control() && !c.is_alphanumeric()
}

/// Returns what a numeric entity stands for, as browsers read it: from 128 to 159 by Windows-1252.
fn numeric_entity(name: &str) -> Option<String> {
    const WINDOWS_1252: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    let is_number = name.starts_with('#') && name.len() <= 8;
    let text = is_number.then(|| entity_text(name)).flatten()?;
    let c = text.chars().next()?;
    let of_windows = (u32::from(c) as usize)
        .checked_sub(0x80)
        .and_then(|place| WINDOWS_1252.chars().nth(place));
    Some(of_windows.unwrap_or(c).to_string())
}

fn rarer_entity(name: &str) -> Option<String> {
    let listed = ENTITIES.iter().find(|(entity, _)| *entity == name);
    let accented = || {
        let letter = name.chars().next().filter(char::is_ascii_alphabetic)?;
        let (_, accent) = ACCENTS.iter().find(|(accent, _)| name[1..] == **accent)?;
        Some(String::from_iter([letter, *accent]))
    };
    listed.map(|(_, text)| (*text).to_owned()).or_else(accented)
}

/// Returns whether a text is mostly Greek: its semicolon asks, and a raised point does what a semicolon does elsewhere.
fn is_greek(text: &str) -> bool {
    let is_greek_letter = |c: &char| matches!(c, '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}');
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    text.contains(';') && 2 * letters().filter(is_greek_letter).count() > letters().count()
}

/// Question marks of all scripts. NFKC makes `?` of full-width, small, vertical and double ones itself; and a semicolon of the
/// Greek one.
fn is_question_mark(c: char) -> bool {
    matches!(
        c,
        '\u{37e}'
            | '՞'
            | '؟'
            | '፧'
            | '᥅'
            | '‽'
            | '⳺'
            | '⳻'
            | '⸮'
            | '⹔'
            | '꘏'
            | '꛷'
            | '\u{11143}'
            | '\u{1e95f}'
    )
}

/// Adds a character so that NFKC does not run it into the digits beside it.
fn push_compatible(spelt: &mut String, c: char) {
    match c {
        '⁰' | '¹' | '²' | '³' | '⁴'..='⁹' | '⁺' | '⁻' | '⁼' | 'ⁿ' => {
            if !spelt.ends_with(is_superscript) {
                spelt.push('^');
            }
            spelt.push(c);
        }
        '¼'..='¾' | '⅐'..='⅞' | '↉' => {
            if spelt.ends_with(char::is_numeric) {
                spelt.push(' ');
            }
            spelt.extend(c.nfkc().map(|c| if c == '⁄' { '/' } else { c }));
        }
        // Square and cubic units in one character.
        '\u{339f}'..='\u{33a6}' | '\u{33a8}' | '\u{33af}' => {
            for c in c.nfkc() {
                spelt.extend(c.is_numeric().then_some('^'));
                spelt.push(c);
            }
        }
        '⁄' => spelt.push('/'),
        // Arabic ones of these, and the dash of ranges in Japanese.
        '٪' => spelt.push('%'),
        '؉' => spelt.push('‰'),
        '؊' => spelt.push('‱'),
        '〜' => spelt.push('~'),
        _ => spelt.push(c),
    }
}

fn is_superscript(c: char) -> bool {
    matches!(c, '⁰' | '¹' | '²' | '³' | '⁴'..='⁹' | '⁺' | '⁻' | '⁼' | 'ⁿ')
}

/// Words, and ends of words, that `ß` tells from others with `ss`: `Maßen` from `Massen`, `Bußen` from `Bussen`.
const ENDS_WITH_SHARP_S: [&str; 9] = [
    "maße", "maßen", "maßes", "buße", "bußen", "ruße", "rußen", "rußes", "flöße",
];
const WORDS_WITH_SHARP_S: [&str; 9] = [
    "floß", "floßes", "floße", "flößen", "schoß", "schoße", "schoßes", "schöße", "aß",
];

/// Writes `ss` for `ß` as capitals do, but in words that it tells from others.
fn fold_sharp_s(text: String) -> String {
    if !text.contains('ß') {
        return text;
    }
    let is_letter = |c: char| c.is_alphabetic();
    let is_told_by_it = |word: &str| {
        WORDS_WITH_SHARP_S.contains(&word) || ENDS_WITH_SHARP_S.iter().any(|end| word.ends_with(end))
    };
    let parts = text.split_inclusive(|c: char| !is_letter(c));
    let folded = parts.map(
        |part| match is_told_by_it(part.trim_end_matches(|c| !is_letter(c))) {
            true => part.to_owned(),
            false => part.replace('ß', "ss"),
        },
    );
    folded.collect()
}

/// Folds the case of a character as Unicode does: the final sigma is a sigma, the capital `ẞ` a small one, and the capital
/// I with a dot is an i. Accents stay.
fn fold_case(c: char) -> impl Iterator<Item = char> {
    let folded = match c {
        'ς' => ['σ', '\0'],
        'ẞ' => ['ß', '\0'],
        'İ' => ['i', '\0'],
        _ => ['\0', '\0'],
    };
    let as_usual = (folded[0] == '\0').then(|| c.to_lowercase());
    let folded = folded.into_iter().filter(|c| *c != '\0');
    folded.chain(as_usual.into_iter().flatten())
}
