//! Edits of texts that make copies, and such that change what a text means.

pub mod before;

use active_learning_core::text::normal_form;

/// Makes a copy of a text; words come from the other text, places from the number.
pub type Edit = fn(text: &str, other: &str, number: usize) -> String;

/// Edits that make a copy of form.
pub const FORM: [(&str, Edit); 3] = [
    ("case", |text, _, _| text.to_lowercase()),
    ("punctuation", |text, _, _| {
        format!(
            "\u{201c}{}\u{201d}!",
            text.replace(", ", " \u{2014} ").replace(". ", " \u{2026} ")
        )
    }),
    // What is an entity already stays one.
    ("entities", |text, _, _| {
        let text = text.replace("& ", "&amp; ").replace('\'', "&#39;");
        text.replace('"', "&quot;").replace(' ', "&nbsp; ")
    }),
];

/// Edits that make a copy by a small change.
pub const CHANGES: [(&str, Edit); 3] = [
    ("truncated to 50 to 95 %", |text, _, number| {
        let characters: Vec<char> = text.chars().collect();
        let kept = characters.len() * (51 + number * 31 % 45) / 100;
        format!("{}...", characters[..kept].iter().collect::<String>())
    }),
    ("words added before", |text, _, _| {
        format!("Agency report: {text}")
    }),
    ("words added after", |text, _, _| {
        format!("{text} (Full story here)")
    }),
];

/// Edits that may change what a text means.
pub const CONTRASTS: [(&str, Edit); 4] = [
    ("one word replaced", |text, other, number| {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let others: Vec<&str> = other.split_whitespace().collect();
        let place = number * 7_919 % words.len();
        let letters = |word: &str| word.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
        let from = number * 104_729 % others.len();
        let mut choices = others[from..].iter().chain(&others[..from]);
        let is_other = |word: &&&str| !letters(word).is_empty() && letters(word) != letters(words[place]);
        words[place] = choices.find(is_other).expect("texts differ in a word");
        words.join(" ")
    }),
    ("a not within", |text, _, number| {
        let mut words: Vec<&str> = text.split(' ').collect();
        words.insert(1 + number * 7_919 % (words.len() - 1), "not");
        words.join(" ")
    }),
    (
        "a question of a statement, or a statement of a question",
        |text, _, _| match normal_form(text).ends_with('?') {
            true => text.replace('?', ""),
            false => format!("{}?", text.trim_end_matches('.')),
        },
    ),
    ("an emoji after", |text, _, _| format!("{text} \u{1f44e}")),
];
