//! Labels that stand within the lines of texts, beside a sign: `Billing: The invoice is wrong`, `It is late@negative`.

use std::collections::BTreeSet;

use active_learning_core::dataset::WordsBeside;

/// Lines from which ids in front of them are told.
const MIN_LINES: usize = 6;

/// Says that each line begins or ends with one of few words beside a sign, which may be labels.
pub(crate) fn note(lines: &[&str]) -> Option<String> {
    if let Some(words) = words_behind_ids(lines) {
        return Some(format!(
            "each line begins with another id and one of {words} words, as lines for MALLET do, which were read as part of \
             the text: if the words are labels, put ids, labels and texts into columns"
        ));
    }
    let mut words = WordsBeside::default();
    lines.iter().for_each(|line| words.add(line));
    let told = words.told()?;
    Some(format!(
        "each line {told}, which was read as part of the text: if these are labels, put them into a column of their own"
    ))
}

/// Counts the words that stand second in lines of which each begins with another id; none where they may be texts. An id has a
/// digit or a sign of a path in it, and each of the words comes twice or more on the average.
///
/// Source: MALLET, `import-file`: `[name] [label] [data]`.
fn words_behind_ids(lines: &[&str]) -> Option<usize> {
    let pair = |line: &&str| {
        let mut words = line.split_whitespace();
        let (id, word) = (words.next()?.to_owned(), words.next()?.to_owned());
        let is_id = id.contains(|c: char| c.is_ascii_digit() || matches!(c, '/' | '_'));
        let is_word = word.chars().all(|c| c.is_alphabetic() || matches!(c, '_' | '-'));
        (is_id && is_word && words.count() > 1).then_some((id, word))
    };
    let pairs: Vec<(String, String)> = lines.iter().map(pair).collect::<Option<_>>()?;
    let ids: BTreeSet<&String> = pairs.iter().map(|(id, _)| id).collect();
    let words: BTreeSet<&String> = pairs.iter().map(|(_, word)| word).collect();
    let may_be = pairs.len() >= MIN_LINES && ids.len() == pairs.len();
    (may_be && words.len() > 1 && 2 * words.len() <= pairs.len()).then_some(words.len())
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
            (
                |at| format!("doc{at} {} The story goes on and on", label(at)),
                "another id and one of 3 words",
            ),
        ] {
            let notes = told(line);
            assert!(notes.iter().any(|note| note.contains(words)), "{notes:?}");
        }
        for line in [
            (|at| format!("The story of item {at}: it goes on")) as fn(usize) -> String,
            |at| format!("Note: the story of item {at}"),
            |at| format!("{at} times I called and no one came"),
            |at| {
                format!(
                    "{} {} is my order",
                    at + 100,
                    ["what", "where", "when", "who", "why", "how"][at % 6]
                )
            },
        ] {
            let notes = told(line);
            assert!(
                !notes
                    .iter()
                    .any(|note| note.contains("beside") || note.contains("id")),
                "{notes:?}"
            );
        }
    }
}
