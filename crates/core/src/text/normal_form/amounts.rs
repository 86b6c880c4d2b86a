//! Minus, brackets and dashes where they belong to an amount.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::{is_minus, is_symbol};

/// Characters of the longest amount that is looked for in brackets.
const MAX_AMOUNT: usize = 32;

/// Letters of a unit, a currency code or a multiple beside a number: `km`, `EUR`, `bn`.
const MAX_UNIT: usize = 3;

/// Letters of a word that a minus at its end belongs to: `O-`, `A-`, `Rh-`, `HIV-`. After longer words it is a dash.
const MAX_WORD_WITH_MINUS: usize = 3;

/// Returns where the brackets end that open at a place, if they hold one amount and nothing else: `(12)`, `($12)`,
/// `(12 %)`, `(1.5 bn)`. Book-keepers write what is negative so.
pub(super) fn amount_in_brackets(characters: &[char], opening: usize) -> Option<usize> {
    let inside = characters[opening + 1..].iter().take(MAX_AMOUNT);
    let length = inside.clone().position(|c| *c == ')')?;
    let inside = &characters[opening + 1..][..length];
    let letters = inside.iter().filter(|c| c.is_alphabetic()).count();
    let numbers = inside
        .split(|c| !c.is_numeric() && !".,'/·٫٬:^".contains(*c))
        .filter(|part| part.iter().any(|c| c.is_numeric()));
    let is_amount =
        letters <= MAX_UNIT && inside.iter().all(|c| is_part_of_amount(*c)) && numbers.count() == 1;
    is_amount.then_some(opening + 1 + length)
}

fn is_part_of_amount(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || is_minus(c) || is_unit(c) || "+.,'/·٫٬:^°".contains(c)
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

/// Returns whether a minus after a word belongs to it: a grade, a blood group, an amount.
pub(super) fn has_trailing_minus(word: &str, before: char, after: char) -> bool {
    let ends = after.is_whitespace() || (!after.is_alphanumeric() && !is_minus(after) && !is_symbol(after));
    let is_amount = word.ends_with(char::is_numeric) || is_unit(before);
    let is_short = !word.is_empty() && word.chars().count() <= MAX_WORD_WITH_MINUS;
    ends && (is_amount || is_short)
}
