//! Labels that stand within the lines of texts, beside a sign: `Billing: The invoice is wrong`, `It is late@negative`.

use std::collections::BTreeSet;

/// Lines from which such labels are told.
const MIN_LINES: usize = 6;

/// Longest label, in characters.
const MAX_LABEL: usize = 30;

/// What stands between a label and its text.
const SIGNS: [&str; 5] = [": ", "@", "  ", " - ", "#"];

/// Says that each line begins or ends with one of few words beside a sign, which may be labels.
pub(crate) fn note(lines: &[&str]) -> Option<String> {
    if lines.len() < MIN_LINES {
        return None;
    }
    let are_labels = |words: Option<Vec<&str>>| {
        let words = words?;
        let different: BTreeSet<&str> = words.iter().copied().collect();
        let are_short = different
            .iter()
            .all(|word| !word.is_empty() && word.chars().count() <= MAX_LABEL);
        (are_short && different.len() > 1 && 2 * different.len() <= words.len()).then_some(different.len())
    };
    let told = |place: &str, count: usize, sign: &str| {
        format!(
            "each line {place} one of {count} words beside `{sign}`, which was read as part of the text: if these are labels, \
             put them into a column of their own"
        )
    };
    SIGNS.into_iter().find_map(|sign| {
        let first = lines
            .iter()
            .map(|line| line.split_once(sign).map(|(word, _)| word.trim()));
        let last = lines
            .iter()
            .map(|line| line.rsplit_once(sign).map(|(_, word)| word.trim()));
        are_labels(first.collect())
            .map(|count| told("begins with", count, sign))
            .or_else(|| are_labels(last.collect()).map(|count| told("ends with", count, sign)))
    })
}

#[cfg(test)]
mod tests {
    use crate::{Options, read};

    fn told(line: fn(usize) -> String) -> Vec<String> {
        let content: String = (0..8).map(|at| line(at) + "\n").collect();
        read(content.as_bytes(), &Options::default())
            .expect("lines")
            .notes
    }

    fn label(at: usize) -> &'static str {
        ["Billing", "Login", "Delivery"][at % 3]
    }

    #[test]
    fn labels_beside_a_sign_within_each_line_are_told_and_words_that_differ_are_not() {
        for (line, words) in [
            (
                (|at| format!("{}: The story of item {at}", label(at))) as fn(usize) -> String,
                "begins with one of 3 words beside `: `",
            ),
            (
                |at| format!("The story of item {at}@{}", label(at)),
                "ends with one of 3 words beside `@`",
            ),
            (
                |at| format!("The story of item {at}     {}", label(at)),
                "ends with one of 3 words beside `  `",
            ),
        ] {
            let notes = told(line);
            assert!(notes.iter().any(|note| note.contains(words)), "{notes:?}");
        }
        for line in [
            (|at| format!("The story of item {at}: it goes on")) as fn(usize) -> String,
            |at| format!("Note: the story of item {at}"),
        ] {
            let notes = told(line);
            assert!(!notes.iter().any(|note| note.contains("beside")), "{notes:?}");
        }
    }
}
