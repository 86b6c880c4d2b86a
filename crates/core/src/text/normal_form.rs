//! The normal form: texts that have the same one ask the same question.
//!
//! What carries no meaning folds: case, spacing, quotes, HTML entities, full-width and other compatibility forms,
//! invisible characters, punctuation at the end and between words. What carries meaning stays: symbols, emoji with
//! their modifiers, faces, combining marks, the signs of numbers (`-12`, `- 5 %`, `- five`, `(12)`, `-€12`, `1.5`, `10²`, `5″`), a minus
//! after a grade or a blood group or by itself, units and currencies, a mark beside a word that negates, and `?` in every script.

mod amounts;
mod characters;
mod emoticon;
mod negations;
mod number_words;
mod plain;

use super::{is_invisible, is_part_of_flag, is_virama};
use amounts::{
    amount_after_unit, amount_in_brackets, has_trailing_minus, is_dash_between_amounts, is_dash_of_a_range,
    is_minus_apart, is_minus_by_itself, is_minus_of_number_word,
};
use characters::{
    is_apostrophe, is_double_quote, is_kept_within, is_math_or_currency, is_minus, is_modifier,
    is_of_script_without_spaces, is_part_of_word, is_regional, is_single_mark, is_symbol, opens,
};
use emoticon::{emoticon, mouth_without_eyes, unmatched_brackets};
use negations::is_negation;
use plain::plain;

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
    (0..text.len()).any(|place| match text[place] {
        byte if !byte.is_ascii() => true,
        byte => may_be_sign(
            place.checked_sub(1).map(|before| text[before]),
            byte,
            text.get(place + 1).copied(),
        ),
    })
}

/// Returns whether an ASCII character may be a sign or begin one.
fn may_be_sign(before: Option<u8>, byte: u8, after: Option<u8>) -> bool {
    let is_word = |c: u8| c.is_ascii_alphanumeric();
    match byte {
        b'-' => {
            let is_within_word = before.is_some_and(is_word) && after.is_some_and(is_word);
            !is_within_word || after.is_some_and(|c| c.is_ascii_digit())
        }
        b'(' | b')' => true,
        b':' | b';' => after.is_some_and(|c| b")(][-'dpDPoO/\\|*$@3".contains(&c)),
        b'"' | b'\'' => before.is_some_and(|c| c.is_ascii_digit()),
        b'!' => after.is_some_and(|c| c == b'=' || is_word(c)),
        _ => b"?#$%&*+/<=>@\\^_|~".contains(&byte),
    }
}

/// Marks that set words apart from one another, wherever they stand.
const MARKS_APART: &str = ",;!:،؛।॥۔፣።՝։、。၊။";

/// The mark that is kept beside a [negation](is_negation), whichever was written.
const MARK: &str = ",";

/// What stands before a number as well: `No. 5`.
const NUMBER: &str = "no";

/// Cuts a plain text into words and signs.
fn tokens(plain: &str, kept: Kept) -> Vec<String> {
    let characters: Vec<char> = visible(plain);
    let brackets = unmatched_brackets(&characters);
    let mut tokens = Tokens::new(kept);
    let mut place = 0;
    while place < characters.len() {
        let face = emoticon(&characters, place);
        match face.or_else(|| mouth_without_eyes(&characters, place, &brackets)) {
            Some((face, length)) => {
                tokens.end_word();
                tokens.done.push(face);
                place += length;
            }
            None => {
                tokens.take(Place::at(&characters, place));
                place += 1;
            }
        }
    }
    tokens.end()
}

fn is_number(word: &str) -> bool {
    word.starts_with(char::is_numeric)
}

/// Returns the characters that can be seen, one space for white space, and the joiners between emoji and beside a virama.
fn visible(plain: &str) -> Vec<char> {
    let mut characters: Vec<char> = Vec::with_capacity(plain.len());
    let mut rest = plain.chars().peekable();
    while let Some(c) = rest.next() {
        let joins_emoji = c == ZERO_WIDTH_JOINER
            && characters.last().is_some_and(|before| is_symbol(*before))
            && rest.peek().is_some_and(|after| is_symbol(*after));
        let before = characters.last().copied().unwrap_or(' ');
        let joins_letters = c == ZERO_WIDTH_JOINER
            && (is_virama(before) || rest.peek().is_some_and(|after| is_virama(*after)));
        let makes_flag = |c: char| is_part_of_flag(before, c);
        if c.is_whitespace() {
            characters.extend((characters.last() != Some(&' ')).then_some(' '));
        } else if joins_emoji || joins_letters || !is_invisible(c) || makes_flag(c) {
            characters.push(c);
        }
    }
    characters
}

/// A character of a text, with what stands around it.
#[derive(Clone, Copy)]
struct Place<'a> {
    characters: &'a [char],
    place: usize,
    before: char,
    c: char,
    after: char,
}

impl<'a> Place<'a> {
    fn at(characters: &'a [char], place: usize) -> Self {
        Self {
            characters,
            place,
            before: place.checked_sub(1).map_or(' ', |before| characters[before]),
            c: characters[place],
            after: characters.get(place + 1).copied().unwrap_or(' '),
        }
    }

    /// Returns the character this many places on; a space beyond the end.
    fn ahead(&self, steps: usize) -> char {
        let ahead = self.characters.get(self.place + steps);
        ahead.copied().unwrap_or(' ')
    }

    /// Returns whether a number begins after this character: `5`, or `.5`.
    fn number_follows(&self) -> bool {
        self.after.is_numeric() || (self.after == '.' && self.ahead(2).is_numeric())
    }

    /// Returns whether a mark here sets the words before it apart from those behind it. A full stop does so without a space too:
    /// `No.Funciona`.
    fn sets_apart(&self) -> bool {
        MARKS_APART.contains(self.c) || self.c == '.'
    }

    /// Returns whether a dash here stands between words: `No - I like it`, `No—I like it`.
    fn is_dash_apart(&self) -> bool {
        let is_open = self.after.is_whitespace() || is_minus(self.after);
        self.c == '—' || (self.before.is_whitespace() && is_open)
    }

    /// Returns whether dots stand this many places on: what a text is cut off at may be half of a word.
    fn is_cut_off(&self, steps: usize) -> bool {
        self.ahead(steps) == '.' && self.ahead(steps + 1) == '.'
    }

    /// Returns whether something begins here that stands apart from what was before.
    fn is_start(&self) -> bool {
        let c = self.before;
        c.is_whitespace() || opens(c) || "<>=\"'/*|~,;:»›!、。・".contains(c) || is_symbol(c)
    }

    /// Returns whether a minus here belongs to what follows: a number, an amount with its currency or unit before it, a symbol
    /// such as `∞`, or a letter by itself such as `x`. Where words stand without spaces, a number after one begins anew.
    fn is_sign_of_what_follows(&self) -> bool {
        let is_letter = self.after.is_alphabetic()
            && !is_part_of_word(self.ahead(2))
            && !self.is_cut_off(2)
            && matches!(self.c, '-' | '−');
        let is_amount = self.number_follows()
            || is_math_or_currency(self.after)
            || (self.c != '—' && amount_after_unit(self.characters, self.place + 1).is_some());
        let is_start = self.is_start();
        let is_start_of_amount = is_start || (self.c != '—' && is_of_script_without_spaces(self.before));
        (is_start_of_amount && is_amount) || (is_start && is_letter)
    }
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
    /// Whether a single quote is open: what closes it is no sign of feet.
    is_single_quoted: bool,
    /// Whether `¿` stood there, and no `?` yet.
    asks: bool,
    /// Where the brackets around an amount end.
    bracket_ends: Option<usize>,
    /// How many tokens there were at the last mark that sets words apart.
    apart_at: Option<usize>,
    /// Whether one of the marks there is more than a full stop or a colon, which an abbreviation may have: `No. 5`, `No.: 5`.
    is_firm: bool,
}

impl Tokens {
    fn new(kept: Kept) -> Self {
        Self {
            kept,
            done: Vec::new(),
            word: String::new(),
            is_quoted: false,
            is_single_quoted: false,
            asks: false,
            bracket_ends: None,
            apart_at: None,
            is_firm: false,
        }
    }

    fn take(&mut self, at: Place) {
        let Place { before, c, after, .. } = at;
        match c {
            _ if is_single_mark(c) && is_part_of_word(before) && is_part_of_word(after) => {
                self.word.push('\'')
            }
            _ if is_part_of_word(c) || is_kept_within(before, c, after) => self.word.push(c),
            // It tells consonants apart that stand by themselves.
            ZERO_WIDTH_JOINER if is_virama(before) || is_virama(after) => self.word.push(c),
            _ if is_minus(c) => self.take_minus(at),
            '+' if after.is_numeric() && at.is_start() => self.begin('+'),
            '.' if after.is_numeric() && at.is_start() => self.begin('.'),
            // `.NET` is a name; `...and` goes on.
            '.' if after.is_alphabetic() && before.is_whitespace() => self.begin('.'),
            '(' if amount_in_brackets(at.characters, at.place).is_some() => {
                self.bracket_ends = amount_in_brackets(at.characters, at.place);
                self.sign(c);
            }
            ')' if self.bracket_ends == Some(at.place) => self.sign(c),
            _ if is_double_quote(c) => self.take_quote(at),
            _ if is_single_mark(c) => self.take_single_mark(at),
            _ => self.take_sign(at),
        }
    }

    fn take_minus(&mut self, at: Place) {
        let within_number = at.before.is_numeric() && at.after.is_numeric();
        if within_number || is_dash_of_a_range(at.characters, at.place) {
            self.word.push('-');
        } else if is_minus_apart(at.characters, at.place) {
            match at.ahead(2).is_numeric() {
                true => self.begin('-'),
                false => self.sign('-'),
            }
        } else if at.is_sign_of_what_follows() || is_dash_between_amounts(at.characters, at.place, &self.word)
        {
            match at.number_follows() {
                true => self.begin('-'),
                false => self.sign('-'),
            }
        } else if is_minus_of_number_word(at.characters, at.place)
            || at.c != '—' && !at.is_cut_off(1) && has_trailing_minus(&self.word, at.before, at.after)
            || is_minus_by_itself(at.characters, at.place)
        {
            self.sign('-');
        } else if is_symbol(at.c) && !is_part_of_word(at.before) {
            self.sign(at.c);
        } else if at.is_dash_apart() {
            self.set_apart(at.c);
        } else {
            self.end_word();
        }
    }

    fn take_sign(&mut self, at: Place) {
        let Place { before, c, after, .. } = at;
        match c {
            ' ' if is_dash_of_a_range(at.characters, at.place + 1) => {}
            ' ' if at.place > 0 && is_dash_of_a_range(at.characters, at.place - 1) => {}
            ' ' if at.place > 0 && is_minus_apart(at.characters, at.place - 1) => {}
            '?' => self.take_question_mark(),
            '¿' | '⸘' => {
                self.end_word();
                self.asks = true;
            }
            ZERO_WIDTH_JOINER => self.join(c),
            _ if is_modifier(c) => self.join(c),
            _ if before == ZERO_WIDTH_JOINER => self.join(c),
            _ if is_regional(c) && is_regional(before) && self.has_half_a_flag() => self.join(c),
            '!' if after == '=' || (before.is_whitespace() && after.is_alphanumeric()) => self.sign(c),
            _ if is_symbol(c) || SIGNS.contains(c) => self.sign(c),
            _ if at.sets_apart() => self.set_apart(c),
            _ => self.end_word(),
        }
    }

    fn begin(&mut self, sign: char) {
        self.end_word();
        self.word.push(sign);
    }

    fn end_word(&mut self) {
        let word = self.word.trim_matches(is_apostrophe);
        let is_sign = || !word.starts_with(char::is_alphanumeric) && !word.starts_with('.');
        if !word.is_empty() && self.kept == Kept::All {
            let is_after_mark = self.apart_at == Some(self.done.len());
            let is_of_number = is_number(word) && !(is_after_mark && self.is_firm);
            if is_of_number && self.done.ends_with(&[MARK.to_owned(), NUMBER.to_owned()]) {
                self.done.remove(self.done.len() - 2);
                self.apart_at = None;
            }
            if self.apart_at == Some(self.done.len()) && self.has_negation_at_mark(word) {
                self.done.push(MARK.to_owned());
            }
            self.done.push(word.to_owned());
        } else if !word.is_empty() && is_sign() {
            self.done.push(word.to_owned());
        }
        self.word.clear();
    }

    /// Takes a mark that sets words apart.
    fn set_apart(&mut self, mark: char) {
        self.end_word();
        let is_one_of_several = self.apart_at == Some(self.done.len());
        self.is_firm = !matches!(mark, '.' | ':') || is_one_of_several && self.is_firm;
        self.apart_at = Some(self.done.len());
    }

    /// Returns whether the word before the last mark negates, or this one behind it. `No. 5` is a number, and `No, 5` an answer.
    fn has_negation_at_mark(&self, word: &str) -> bool {
        let before = self
            .done
            .last()
            .filter(|last| last.starts_with(char::is_alphanumeric));
        before.is_some_and(|last| {
            let is_of_number = last == NUMBER && is_number(word) && !self.is_firm;
            (is_negation(last) && !is_of_number) || is_negation(word)
        })
    }

    fn end(mut self) -> Vec<String> {
        self.end_word();
        if self.asks {
            self.take_question_mark();
        }
        self.done
    }

    /// Takes a double quote: inches where it follows a number and closes nothing.
    fn take_quote(&mut self, at: Place) {
        self.end_word();
        if at.before.is_numeric() && !self.is_quoted && !matches!(at.c, '“' | '„' | '«') {
            self.done.push("″".to_owned());
        } else {
            let opens = matches!(at.c, '“' | '„' | '«') || !at.before.is_alphanumeric();
            self.is_quoted = !self.is_quoted && opens && !at.after.is_whitespace();
        }
    }

    /// Takes an apostrophe or a prime at the end of a word: feet or inches after a number, a prime after a word; or a
    /// quote round words.
    fn take_single_mark(&mut self, at: Place) {
        let is_measured = at.before.is_numeric() || (at.c == '′' && at.before.is_alphabetic());
        let is_second = at.place > 0 && is_single_mark(at.before) && self.word.is_empty();
        self.end_word();
        match self.done.last_mut() {
            Some(feet) if is_second && feet == "′" => *feet = "″".to_owned(),
            _ if is_measured && !self.is_single_quoted => self.done.push("′".to_owned()),
            _ => {
                let is_decade = at.after.is_numeric() && at.ahead(2).is_numeric() && at.ahead(3) == 's';
                let opens = !at.before.is_alphanumeric() && !at.after.is_whitespace() && !is_decade;
                self.is_single_quoted = !self.is_single_quoted && opens;
            }
        }
    }

    fn take_question_mark(&mut self) {
        self.end_word();
        self.asks = false;
        if self.done.last().is_none_or(|last| last != "?") {
            self.done.push("?".to_owned());
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

#[cfg(test)]
mod tests;
