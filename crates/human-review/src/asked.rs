//! What a waiting task asks, in one line: how it begins, and why people are asked.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::erased_items::left;

/// Characters of a text that are shown.
const FIRST_CHARS: usize = 60;

/// Returns the beginning of the first text of a task that was not erased.
pub fn first_words(input: &Value) -> String {
    let first = left(input).next();
    let text = first.and_then(|(_, item)| item["utterance"].as_str());
    text.or(input["taskObject"].as_str())
        .unwrap_or_default()
        .chars()
        .take(FIRST_CHARS)
        .collect()
}

/// Returns why people are asked, each reason once.
pub fn reasons(input: &Value) -> Vec<String> {
    let signals = left(input).filter_map(|(_, item)| item["signal"].as_str());
    let signals: BTreeSet<&str> = signals.collect();
    signals.into_iter().map(str::to_owned).collect()
}
