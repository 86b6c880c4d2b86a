//! What people answer where they are asked whether something is right, and it is not.

use super::label_key::label_key;

/// What says no only where it is asked, as label keys.
const BARE: [&str; 11] = [
    "no",
    "false",
    "0",
    "nein",
    "non",
    "nej",
    "nee",
    "não",
    "нет",
    "いいえ",
    "否",
];

/// Returns whether a word, however it is spelt, says no where it is asked whether something is right.
///
/// One list for forms, worker task templates and the jobs of other tools: what denies a label in one of them denies it in all.
/// A label may be called so too: who has labels looks for them first.
pub fn says_no(word: &str) -> bool {
    BARE.contains(&label_key(word).as_str()) || calls_wrong(word)
}

/// Words that call something wrong wherever they stand, as label keys: who says one of them need not have been asked.
const WRONG: [&str; 11] = [
    "incorrect",
    "not correct",
    "wrong",
    "not right",
    "disagree",
    "reject",
    "rejected",
    "falsch",
    "faux",
    "falso",
    "incorrecto",
];

/// Returns whether a word, however it is spelt, calls something wrong, whatever is asked.
pub fn calls_wrong(word: &str) -> bool {
    WRONG.contains(&label_key(word).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_something_wrong_says_no_too_and_a_bare_no_calls_nothing_wrong() {
        for word in WRONG {
            assert!(calls_wrong(word) && says_no(word), "{word}");
        }
        for word in ["no", "false", "0", "nein", "right", ""] {
            assert!(!calls_wrong(word), "{word:?}");
        }
    }

    #[test]
    fn a_no_is_one_in_any_language_and_spelling_and_nothing_else_is() {
        for word in BARE.into_iter().chain(WRONG) {
            assert!(says_no(word), "each word is its own key: {word}");
        }
        for word in [" No\u{a0}", "ＮＥＩＮ", "Not  Correct", "НЕТ"] {
            assert!(says_no(word), "{word:?}");
        }
        for word in [
            "yes", "correct", "right", "ja", "nothing", "none", "note", "", "10",
        ] {
            assert!(!says_no(word), "{word:?}");
        }
    }
}
