//! Minus, brackets and dashes where they belong to an amount.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::{
    characters::{is_apostrophe, is_minus, is_part_of_word, is_symbol, opens},
    number_words::is_number_word,
};

/// Characters of the longest amount that is looked for in brackets.
const MAX_AMOUNT: usize = 40;

/// Letters of a unit, a currency code or a multiple beside a number: `km`, `EUR`, `bn`.
const MAX_UNIT: usize = 3;

/// Letters of a word that a minus at its end belongs to: `O-`, `A-`, `Rh-`, `HIV-`. After longer words it is a dash.
const MAX_WORD_WITH_MINUS: usize = 3;

/// Words after the number of an amount in brackets: `(1.5 billion euros)`.
const MAX_WORDS_AFTER: usize = 2;

/// Letters of the word between two of them, which is one more: `(1,5 millones de euros)`, `(1.5 billion US dollars)`.
const MAX_WORD_BETWEEN: usize = 2;

/// Digits of the groups that large numbers are written in: `12 345`.
const DIGITS_OF_GROUP: usize = 3;

/// What is written within a number, for hundred to a million millions: `1億2000万`.
const MULTIPLES: &str = "百千万萬亿億兆백천만억조";

/// Returns where the brackets end that open at a place, if they hold one amount and nothing else: `(12)`, `($12)`,
/// `(12 %)`, `(1.5 bn)`, `(USD 1.5 billion)`. Book-keepers write what is negative so.
///
/// Which words are units differs by language: what has one number, a currency before it at most and a word or two after
/// it, is taken for an amount.
pub(super) fn amount_in_brackets(characters: &[char], opening: usize) -> Option<usize> {
    let inside = characters[opening + 1..].iter().take(MAX_AMOUNT);
    let length = inside.clone().position(|c| *c == ')')?;
    let inside = &characters[opening + 1..][..length];
    let is_amount = inside.iter().all(|c| is_part_of_amount(*c)) && is_one_number(inside);
    (is_amount && has_words_of_amount(inside)).then_some(opening + 1 + length)
}

/// Returns whether there is one number, whose groups may be set apart by spaces or multiples.
fn is_one_number(inside: &[char]) -> bool {
    let is_of_number = |place: &usize| inside[*place].is_numeric() || ".,'/·٫٬:^".contains(inside[*place]);
    let places: Vec<usize> = (0..inside.len()).filter(is_of_number).collect();
    let parts: Vec<&[usize]> = places
        .chunk_by(|one, next| one + 1 == *next)
        .filter(|part| part.iter().any(|place| inside[*place].is_numeric()))
        .collect();
    let goes_on = |pair: &[&[usize]]| {
        let (end, start) = (pair[0][pair[0].len() - 1] + 1, pair[1][0]);
        let is_multiple = |c: &char| *c == ' ' || MULTIPLES.contains(*c);
        let has_multiple = inside[end..start].iter().any(|c| *c != ' ');
        is_group(inside, pair[0], pair[1]) || (has_multiple && inside[end..start].iter().all(is_multiple))
    };
    !parts.is_empty() && parts.windows(2).all(goes_on)
}

/// Returns whether the second part of a number is a group of three digits, a space behind the first: `12 345,67`.
fn is_group(inside: &[char], first: &[usize], second: &[usize]) -> bool {
    let is_digit = |place: &&usize| inside[**place].is_numeric();
    let digits = second.iter().take_while(is_digit).count();
    first[first.len() - 1] + 2 == second[0]
        && inside[second[0] - 1] == ' '
        && first.len() <= DIGITS_OF_GROUP
        && first.iter().all(|place| is_digit(&place))
        && digits == DIGITS_OF_GROUP
}

/// Returns whether the words around a number are few enough to be its currency, multiple and unit.
fn has_words_of_amount(inside: &[char]) -> bool {
    let first = inside.iter().position(|c| c.is_numeric()).unwrap_or(0);
    let last = inside.iter().rposition(|c| c.is_numeric()).unwrap_or(first);
    let words = |part: &[char]| -> Vec<usize> {
        let words = part.split(|c| !is_part_of_word(*c) || c.is_numeric());
        words.map(<[char]>::len).filter(|length| *length > 0).collect()
    };
    let (before, after) = (words(&inside[..first]), words(&inside[last..]));
    let are_few_after = after.len() <= MAX_WORDS_AFTER
        || (after.len() == MAX_WORDS_AFTER + 1 && after[1] <= MAX_WORD_BETWEEN);
    before.len() <= 1 && before.iter().all(|length| *length <= MAX_UNIT) && are_few_after
}

fn is_part_of_amount(c: char) -> bool {
    is_part_of_word(c)
        || c.is_whitespace()
        || is_minus(c)
        || is_apostrophe(c)
        || is_unit(c)
        || "+.,/·٫٬:^°".contains(c)
}

fn is_unit(c: char) -> bool {
    matches!(c, '%' | '‰' | '‱') || c.general_category() == GeneralCategory::CurrencySymbol
}

/// Returns whether a dash between two numbers has a space on both sides: `5 - 10` is `5-10`.
pub(super) fn is_dash_of_a_range(characters: &[char], place: usize) -> bool {
    let at = |place: Option<usize>| place.and_then(|place| characters.get(place)).copied();
    let is_space = |place| at(place) == Some(' ');
    let is_number = |place| at(place).is_some_and(char::is_numeric);
    at(Some(place)).is_some_and(|c| is_minus(c) && c != '—')
        && is_space(place.checked_sub(1))
        && is_space(Some(place + 1))
        && is_number(place.checked_sub(2))
        && is_number(Some(place + 2))
}

/// Returns whether a minus stands apart from an amount and still belongs to it: `- 5 %`, `- € 12`, `Change: - 12`, `5 kg - 10 kg`.
///
/// What is an amount is told by its currency or unit, or where the minus begins something, by nothing but a word or two
/// standing after it: `Change: - 12 EUR`. A dash between words, such as `it rose - 5 firms say`, is none, nor is the one of a
/// list, such as `- 5 firms say so`.
pub(super) fn is_minus_apart(characters: &[char], place: usize) -> bool {
    let at = |place: usize| characters.get(place).copied().unwrap_or(' ');
    let before = place.checked_sub(1).map_or(' ', at);
    if !is_minus(at(place)) || at(place) == '—' || before.is_alphanumeric() || at(place + 1) != ' ' {
        return false;
    }
    let start = place + 2;
    if let Some(number) = amount_after_unit(characters, start) {
        let is_alone = || end_of_number(characters, number).is_some_and(|end| ends_clause(characters, end));
        return is_unit(at(start)) || (begins_something(characters, place) && is_alone());
    }
    let Some(end) = end_of_number(characters, start) else {
        return false;
    };
    let unit = if at(end) == ' ' { end + 1 } else { end };
    is_unit(at(unit))
        || at(unit) == '°'
        || (begins_something(characters, place) && ends_amount(characters, end))
        || (has_letters_as_unit(characters, unit) && follows_amount(characters, place))
}

/// Returns whether a minus stands by itself, as results do: in brackets, or where nothing goes on behind it: `Rh(-)`, `Test: -`,
/// `Strep A -, fever`, `HIV: - HCV: +`. What is cut off behind a dash is no result.
pub(super) fn is_minus_by_itself(characters: &[char], place: usize) -> bool {
    let (before, after) = (&characters[..place], &characters[place + 1..]);
    if !is_minus(characters[place]) {
        return false;
    }
    let is_bracketed =
        before.last().is_some_and(|c| "([".contains(*c)) && after.first().is_some_and(|c| ")]".contains(*c));
    let is_apart = before.last().is_some_and(|c| " :=".contains(*c));
    let has_words = || before.iter().any(|c| c.is_alphanumeric());
    let ends = || nothing_goes_on(after) || is_between_results(before, after);
    is_bracketed || (is_apart && characters[place] != '—' && has_words() && ends())
}

/// Returns whether a colon stands before a minus, and another one behind the next word: `HIV: - HCV: +`.
fn is_between_results(before: &[char], after: &[char]) -> bool {
    let is_mark = |c: &char| ":=".contains(*c);
    let last = before.iter().rev().find(|c| **c != ' ');
    let mut rest = after
        .iter()
        .skip_while(|c| **c == ' ')
        .skip_while(|c| c.is_alphanumeric());
    last.is_some_and(is_mark) && after.first() == Some(&' ') && rest.next().is_some_and(is_mark)
}

/// Returns whether a clause ends here, and was not cut off.
fn nothing_goes_on(rest: &[char]) -> bool {
    let mut rest = rest.iter().skip_while(|c| **c == ' ');
    match rest.next() {
        None => true,
        Some('.') => rest.next() != Some(&'.'),
        Some(c) => ")],;!".contains(*c),
    }
}

/// Returns where the number of an amount begins whose currency or unit stands before it, from `start`: `€12`, `%5`, `USD 5`,
/// `HK$5`, `Rs. 500`.
pub(super) fn amount_after_unit(characters: &[char], start: usize) -> Option<usize> {
    let at = |place: usize| characters.get(place).copied().unwrap_or(' ');
    let letters = (start..characters.len())
        .take_while(|place| at(*place).is_alphabetic())
        .count();
    if letters == 1 || letters > MAX_UNIT {
        return None;
    }
    let end = start + letters;
    let mark = usize::from(is_unit(at(end)) || (letters > 0 && at(end) == '.'));
    let number = end + mark + usize::from(at(end + mark) == ' ');
    (letters + mark > 0 && at(number).is_numeric()).then_some(number)
}

/// Returns where the number ends that begins at a place; its groups may be set apart: `12 000`.
fn end_of_number(characters: &[char], start: usize) -> Option<usize> {
    let is_digit = |place: usize| characters.get(place).is_some_and(|c| c.is_numeric());
    if !is_digit(start) {
        return None;
    }
    let mut end = start;
    while is_digit(end) || (" .,'·٫٬".contains(*characters.get(end)?) && is_digit(end + 1)) {
        end += 1;
        if end == characters.len() {
            break;
        }
    }
    Some(end)
}

/// Returns whether a minus begins something and belongs to an amount in words: `Change: - five euros`.
pub(super) fn is_minus_of_number_word(characters: &[char], place: usize) -> bool {
    let space = characters.get(place + 1).take_if(|c| **c == ' ');
    let start = place + 1 + usize::from(space.is_some());
    let end = end_of_word(characters, start);
    let word: String = characters[start.min(end)..end].iter().collect();
    characters[place] != '—'
        && begins_something(characters, place)
        && is_number_word(&word)
        && ends_amount(characters, end)
}

/// Returns whether nothing stands before a place that it could go on, such as a word.
fn begins_something(characters: &[char], place: usize) -> bool {
    let mut before = characters[..place].iter().rev().skip_while(|c| **c == ' ');
    before
        .next()
        .is_none_or(|c| "<>=\":;|/。".contains(*c) || opens(*c))
}

/// Returns whether an amount ends here, or after its multiple and unit.
fn ends_amount(characters: &[char], end: usize) -> bool {
    let mut place = end;
    for _ in 0..MAX_WORDS_AFTER {
        if ends_clause(characters, place) {
            return true;
        }
        let start = place + usize::from(characters.get(place) == Some(&' '));
        place = end_of_word(characters, start);
        if place == start {
            return false;
        }
    }
    ends_clause(characters, place)
}

fn end_of_word(characters: &[char], start: usize) -> usize {
    let start = start.min(characters.len());
    let letters = characters[start..].iter().take_while(|c| c.is_alphabetic());
    start + letters.count()
}

fn ends_clause(characters: &[char], end: usize) -> bool {
    let rest = &characters[end..];
    let marks = rest.iter().take_while(|c| ".,;:!?)]\"”".contains(**c)).count();
    rest.get(marks).is_none_or(|c| marks > 0 && *c == ' ')
}

fn has_letters_as_unit(characters: &[char], start: usize) -> bool {
    let letters = characters[start.min(characters.len())..].iter();
    (1..=MAX_UNIT).contains(&letters.take_while(|c| is_part_of_word(**c)).count())
}

/// Returns whether the words before a dash end with an amount with its unit: `5 kg - `, `1980s - `.
fn follows_amount(characters: &[char], place: usize) -> bool {
    let before = characters[..place].iter().rev().skip_while(|c| **c == ' ');
    let mut letters = before
        .skip_while(|c| is_part_of_word(**c) && !c.is_numeric())
        .skip_while(|c| **c == ' ');
    letters.next().is_some_and(|c| c.is_numeric())
}

/// Returns whether a dash stands between two amounts, each with its unit or currency: `5%-10%`, `$5-$10`, `5kg-10kg`.
pub(super) fn is_dash_between_amounts(characters: &[char], place: usize, word: &str) -> bool {
    let at = |place: usize| characters.get(place).copied().unwrap_or(' ');
    let before = place.checked_sub(1).map_or(' ', at);
    let is_after_amount = is_unit(before) || word.starts_with(char::is_numeric);
    let is_currency = at(place + 1).general_category() == GeneralCategory::CurrencySymbol;
    at(place) != '—'
        && is_after_amount
        && (at(place + 1).is_numeric() || (is_currency && at(place + 2).is_numeric()))
}

/// Returns whether a minus after a word belongs to it: a grade, a blood group, an amount.
pub(super) fn has_trailing_minus(word: &str, before: char, after: char) -> bool {
    let ends = after.is_whitespace() || (!after.is_alphanumeric() && !is_minus(after) && !is_symbol(after));
    let is_amount = word.ends_with(char::is_numeric) || is_unit(before);
    let is_short = !word.is_empty() && word.chars().count() <= MAX_WORD_WITH_MINUS;
    ends && (is_amount || is_short)
}
