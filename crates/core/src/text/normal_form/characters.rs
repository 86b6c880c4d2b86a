//! What a character is to the normal form.

use unicode_normalization::char::is_combining_mark;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

pub(super) fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || (is_combining_mark(c) && c != '\u{20e3}') || c == '^'
}

/// Returns whether punctuation stands within a number and belongs to it.
pub(super) fn is_kept_within(before: char, c: char, after: char) -> bool {
    matches!(c, '.' | ',' | ':' | '/' | '·' | '٫' | '٬') && before.is_numeric() && after.is_numeric()
}

pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '`' | '´' | 'ʼ' | '‛' | '׳')
}

/// Returns whether a character is an apostrophe, or the prime that is written for one.
pub(super) fn is_single_mark(c: char) -> bool {
    is_apostrophe(c) || c == '′'
}

pub(super) fn is_double_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '«' | '»')
}

pub(super) fn is_minus(c: char) -> bool {
    matches!(c, '-' | '−' | '‐' | '‑' | '‒' | '–' | '—' | '﹣')
}

/// Skin tones, and the keycap that makes an emoji of a digit.
pub(super) fn is_modifier(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}' | '\u{20e3}' | '\u{e0020}'..='\u{e007f}')
}

/// Letters that make a flag in pairs.
pub(super) fn is_regional(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

pub(super) fn is_symbol(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Symbol && !is_apostrophe(c)
}

pub(super) fn is_math_or_currency(c: char) -> bool {
    let category = c.general_category();
    matches!(
        category,
        GeneralCategory::MathSymbol | GeneralCategory::CurrencySymbol
    ) && !is_minus(c)
}
