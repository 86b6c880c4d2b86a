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

/// Returns whether a character opens what stands behind it: brackets, quotes, Spanish marks.
pub(super) fn opens(c: char) -> bool {
    let category = c.general_category();
    let is_opening = matches!(
        category,
        GeneralCategory::OpenPunctuation | GeneralCategory::InitialPunctuation
    );
    is_opening || matches!(c, '¿' | '¡')
}

/// Returns whether a letter is of a script that is written without spaces between words.
pub(super) fn is_of_script_without_spaces(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' // Thai and Lao.
        | '\u{1000}'..='\u{109f}' // Burmese.
        | '\u{1780}'..='\u{17ff}' // Khmer.
        | '\u{3040}'..='\u{30ff}' // Kana.
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        && c.is_alphanumeric() | is_combining_mark(c)
        && !c.is_ascii_digit()
}
