//! The normal form: texts that have the same one ask the same question.
//!
//! What carries no meaning folds: case, spacing, quotes, HTML entities, full-width and other compatibility forms,
//! invisible characters, punctuation at the end and between words. What carries meaning stays: symbols, emoji with
//! their modifiers, combining marks, the signs of numbers (`-12`, `(12)`, `1.5`, `10²`), units and currencies, and `?`.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::{decode_entities, is_invisible};

const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// Punctuation by its Unicode category that is written like a symbol, and stays.
const SIGNS: &str = "#%&@*/\\_§¶‰‱†‡※";

/// Returns the normal form of a text: its words and signs in order, one space between them.
///
/// A text of nothing but punctuation, such as `!!!` or `...`, keeps it.
pub fn normal_form(text: &str) -> String {
    let plain = plain(text);
    let mut form = String::with_capacity(plain.len());
    for token in tokens(&plain, Kept::All) {
        if !form.is_empty() {
            form.push(' ');
        }
        form.push_str(&token);
    }
    if form.is_empty() {
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        form
    }
}

/// Returns the signs of a text in order, each as [`normal_form`] writes it: symbols, emoji, `?`, numbers with a sign.
pub fn signs(text: &str) -> Vec<String> {
    if !may_hold_signs(text.as_bytes()) {
        return Vec::new();
    }
    tokens(&plain(text), Kept::Signs)
}

/// Returns whether a text may hold signs: most texts hold none, and that is seen at once.
fn may_hold_signs(text: &[u8]) -> bool {
    let follows = |place: usize, signs: &[u8]| text.get(place + 1).is_some_and(|next| signs.contains(next));
    text.iter().enumerate().any(|(place, byte)| match byte {
        b'-' | b'(' => follows(place, b"0123456789-."),
        b':' | b';' => follows(place, b")(][-'dpDPoO/\\|*$@3"),
        b'"' => place > 0 && text[place - 1].is_ascii_digit(),
        b'!' => follows(place, b"="),
        _ => !byte.is_ascii() || b"?#$%&*+/<=>@\\^_|~".contains(byte),
    })
}

/// Folds what one character is at a time: entities, compatibility forms, case.
fn plain(text: &str) -> String {
    let text = decode_entities(text);
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut spelt = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Compatibility forms that would run into the digits before them.
            '⁰' | '¹' | '²' | '³' | '⁴'..='⁹' | '⁺' | '⁻' | '⁼' | 'ⁿ' => {
                spelt.extend(['^', c])
            }
            '¼'..='¾' | '⅐'..='⅞' | '↉' => spelt.extend([' ', c]),
            // Question marks of other scripts; NFKC makes a semicolon of the Greek one.
            '\u{37e}' | '؟' | '՞' | '፧' | '⸮' | '꘏' | '꛷' | '⳺' | '⳻' => spelt.push('?'),
            _ => spelt.push(c),
        }
    }
    spelt.nfkc().flat_map(char::to_lowercase).collect()
}

/// Cuts a plain text into words and signs.
fn tokens(plain: &str, kept: Kept) -> Vec<String> {
    let characters: Vec<char> = visible(plain);
    let mut tokens = Tokens::new(kept);
    let mut skip = 0;
    for (place, &c) in characters.iter().enumerate() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        if let Some(face) = emoticon(&characters, place) {
            tokens.end_word();
            tokens.done.push(face.iter().filter(|c| **c != '-').collect());
            skip = face.len() - 1;
            continue;
        }
        let before = place.checked_sub(1).map_or(' ', |place| characters[place]);
        let after = characters.get(place + 1).copied().unwrap_or(' ');
        tokens.take(before, c, after);
    }
    tokens.end_word();
    tokens.done
}

/// Returns the emoticon that begins at a place, such as `:)`, `:-(`, `;D` or `<3`: it stands by itself.
fn emoticon(characters: &[char], place: usize) -> Option<&[char]> {
    let stands_apart =
        |c: Option<&char>| c.is_none_or(|c| c.is_whitespace() || is_symbol(*c) || ".,!?".contains(*c));
    let mouth = match characters[place] {
        ':' | ';' | '=' => match characters.get(place + 1)? {
            '-' | '\'' => place + 2,
            _ => place + 1,
        },
        '<' => place + 1,
        _ => return None,
    };
    let mouths = if characters[place] == '<' {
        "3"
    } else {
        ")(][dpo/\\|*$@3"
    };
    let is_face = characters.get(mouth).is_some_and(|c| mouths.contains(*c));
    let before = place.checked_sub(1).map(|place| &characters[place]);
    let end = mouth + 1;
    (is_face && stands_apart(before) && stands_apart(characters.get(end))).then(|| &characters[place..end])
}

/// Returns the characters that can be seen, and the joiners between emoji.
fn visible(plain: &str) -> Vec<char> {
    let mut characters: Vec<char> = Vec::with_capacity(plain.len());
    let mut rest = plain.chars().peekable();
    while let Some(c) = rest.next() {
        let joins_emoji = c == ZERO_WIDTH_JOINER
            && characters.last().is_some_and(|before| is_symbol(*before))
            && rest.peek().is_some_and(|after| is_symbol(*after));
        if joins_emoji || c.is_whitespace() || !is_invisible(c) {
            characters.push(c);
        }
    }
    characters
}

/// Which tokens are kept.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    All,
    /// Not words, nor numbers without a sign.
    Signs,
}

struct Tokens {
    kept: Kept,
    done: Vec<String>,
    word: String,
    /// Whether a double quote is open: what closes it is no sign of inches.
    is_quoted: bool,
    /// Whether the number at hand stands in brackets.
    in_brackets: bool,
}

impl Tokens {
    fn new(kept: Kept) -> Self {
        Self {
            kept,
            done: Vec::new(),
            word: String::new(),
            is_quoted: false,
            in_brackets: false,
        }
    }

    fn take(&mut self, before: char, c: char, after: char) {
        let number_follows = after.is_numeric();
        let within_number = before.is_numeric() && number_follows;
        match c {
            _ if is_apostrophe(c) && is_part_of_word(before) && is_part_of_word(after) => {
                self.word.push('\'')
            }
            _ if is_part_of_word(c) || is_kept_within(before, c, after) => self.word.push(c),
            _ if is_minus(c) && within_number => self.word.push('-'),
            _ if is_minus(c) && number_follows && is_start(before) => self.begin('-'),
            '+' if number_follows && is_start(before) => self.begin('+'),
            '.' if number_follows && is_start(before) => self.begin('.'),
            '(' if number_follows || is_minus(after) => {
                self.end_word();
                self.in_brackets = true;
            }
            ')' if self.in_brackets => self.close_bracket(),
            '"' | '″' | '“' | '”' | '„' | '«' | '»' => self.take_quote(before, c),
            '?' => self.take_once("?"),
            ZERO_WIDTH_JOINER => self.join(c),
            _ if is_modifier(c) => self.join(c),
            _ if before == ZERO_WIDTH_JOINER => self.join(c),
            _ if is_regional(c) && is_regional(before) && self.has_half_a_flag() => self.join(c),
            '!' if after == '=' => self.sign(c),
            _ if is_symbol(c) || SIGNS.contains(c) => self.sign(c),
            _ => {
                self.end_word();
            }
        }
        if self.in_brackets
            && !(self.word.chars().all(|c| c.is_numeric() || "+-.,:/^".contains(c)) || c == '(')
        {
            self.in_brackets = false;
        }
    }

    fn begin(&mut self, sign: char) {
        self.end_word();
        self.word.push(sign);
    }

    fn end_word(&mut self) {
        let word = self.word.trim_matches(is_apostrophe);
        let is_sign = || !word.starts_with(char::is_alphanumeric) && !word.starts_with('.');
        if !word.is_empty() && (self.kept == Kept::All || is_sign()) {
            self.done.push(word.to_owned());
        }
        self.word.clear();
    }

    fn close_bracket(&mut self) {
        if !self.word.is_empty() {
            self.word = format!("({})", self.word);
        }
        self.end_word();
        self.in_brackets = false;
    }

    fn take_quote(&mut self, before: char, quote: char) {
        self.end_word();
        let opens = is_start(before) && !self.is_quoted;
        match quote {
            '"' | '″' if before.is_numeric() && !self.is_quoted => self.done.push("″".to_owned()),
            _ => self.is_quoted = opens,
        }
    }

    fn take_once(&mut self, sign: &str) {
        self.end_word();
        if self.done.last().is_none_or(|last| last != sign) {
            self.done.push(sign.to_owned());
        }
    }

    fn sign(&mut self, c: char) {
        self.end_word();
        self.done.push(c.to_string());
    }

    /// Adds a character to the sign before it.
    fn join(&mut self, c: char) {
        match self.done.last_mut() {
            Some(sign) if self.word.is_empty() => sign.push(c),
            _ => self.sign(c),
        }
    }

    fn has_half_a_flag(&self) -> bool {
        let last = self.done.last();
        last.is_some_and(|flag| flag.chars().count() == 1 && flag.chars().all(is_regional))
    }
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || (is_combining_mark(c) && c != '\u{20e3}') || c == '^'
}

/// Returns whether punctuation stands within a number and belongs to it.
fn is_kept_within(before: char, c: char, after: char) -> bool {
    matches!(c, '.' | ',' | ':' | '/' | '⁄') && before.is_numeric() && after.is_numeric()
}

fn is_start(before: char) -> bool {
    before.is_whitespace() || "([{<>=\"“„«'‘/*|~".contains(before) || is_symbol(before)
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '`' | '´' | 'ʼ' | '‛')
}

fn is_minus(c: char) -> bool {
    matches!(c, '-' | '−' | '‐' | '‑' | '‒' | '–' | '—' | '﹣')
}

/// Skin tones, and the keycap that makes an emoji of a digit.
fn is_modifier(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}' | '\u{20e3}' | '\u{e0020}'..='\u{e007f}')
}

/// Letters that make a flag in pairs.
fn is_regional(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

fn is_symbol(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Symbol && !is_apostrophe(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_carries_no_meaning_folds() {
        for (text, same) in [
            ("Rates rise", "  rates\u{a0}RISE.  "),
            ("Rates rise", "\u{feff}rates\u{200b} rise!"),
            ("Rates rise", "“Rates” rise …"),
            ("AT&T's rates", "at&amp;t#39;s   RATES!"),
            ("It’s a bold move", "it's a BOLD move"),
            ("the fine profit of 5 firms", "The ﬁne PROFIT of ５ firms"),
            ("100 €", "100€"),
            ("I love it 👍", "i love it👍!"),
            ("❤️", "❤"),
            ("Was it good?", "was it good ？！"),
            ("هل هو جيد؟", "هل هو جيد?"),
            ("Café", "Cafe\u{301}"),
            (
                "well-known, red; and (rather) big",
                "well known red and rather big",
            ),
            ("temperature −12", "temperature -12."),
            ("a 2–1 win", "a 2-1 win"),
            ("he said \"top 10\" twice", "he said top 10 twice"),
            ("ｶﾞ", "ガ"),
            ("good :-)", "good :)"),
            ("he said: (a) yes", "he said a yes"),
        ] {
            assert_eq!(normal_form(text), normal_form(same), "{text} {same}");
        }
    }

    #[test]
    fn what_carries_meaning_stays() {
        for (text, other) in [
            ("👍", "👎"),
            ("great 👍", "great 👎"),
            ("great 👍🏻", "great 👍🏿"),
            ("👨‍👩‍👧", "👨👩👧"),
            ("🇦🇹", "🇦🇺"),
            ("F", "F#"),
            ("C", "C++"),
            ("100 €", "100 %"),
            ("100 €", "100 $"),
            ("(12)", "-12"),
            ("(12)", "12"),
            ("-12", "12"),
            ("+5", "5"),
            ("1.5", "15"),
            ("1,5", "15"),
            ("10²", "102"),
            ("1½", "11/2"),
            ("2-1", "2 1"),
            ("12:30", "12 30"),
            ("5\"", "5'"),
            ("It was good.", "It was good?"),
            ("a < b", "a > b"),
            ("a = b", "a != b"),
            ("we're", "were"),
            ("କ", "କି"),
            ("कल", "कला"),
            ("หมา", "หม้า"),
            ("क्ष", "कष"),
            ("20 °C", "20 °F"),
            ("→", "←"),
            ("♂", "♀"),
            ("@home", "home"),
            ("☀", "☂"),
            ("x^2", "x2"),
            ("good :)", "good :("),
            ("good", "good :-)"),
            ("I <3 it", "I 3 it"),
            ("!!!", "..."),
            ("1️⃣", "2️⃣"),
        ] {
            assert_ne!(normal_form(text), normal_form(other), "{text} {other}");
        }
    }

    #[test]
    fn signs_are_what_words_do_not_tell() {
        assert_eq!(
            signs("Is it -12 or (12)? 👍🏻 100 €, F#"),
            ["-12", "(12)", "?", "👍🏻", "€", "#"]
        );
        assert!(signs("Rates rise, he said: it's \"done\". Now!").is_empty());
    }

    proptest! {
        #[test]
        fn words_and_signs_stand_one_space_apart(text in "\\PC{0,40}") {
            let form = normal_form(&text);

            prop_assert!(!form.contains("  "));
            prop_assert_eq!(form.trim(), form.as_str());
        }

        #[test]
        fn case_and_spacing_fold(words in proptest::collection::vec("[a-z]{1,8}|[0-9]{1,3}|[€%#?👍]", 1..8)) {
            let text = words.join(" ");

            prop_assert_eq!(normal_form(&text), normal_form(&text.to_uppercase().replace(' ', " \u{a0}\t")));
        }
    }
}
