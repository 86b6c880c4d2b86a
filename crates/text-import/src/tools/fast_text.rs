//! fastText's training files: words, of which those with a prefix are labels, anywhere in a line.
//!
//! Source: fastText, "Text classification": `__label__sauce __label__cheese How much does potato starch …`.

use std::collections::BTreeSet;

use active_learning_core::dataset::{FAST_TEXT_MARK, holds_fast_text_label};

use crate::{
    draft::{Draft, DraftVote},
    labels::Written,
    names::is_text_name,
};

/// Signs that stand between columns, or between labels in one cell.
const BETWEEN: [char; 4] = [',', ';', '|', '"'];

/// Lines that are looked at.
const MAX_LINES: usize = 1_000;

/// Told of a file of it that nobody looks at before it is used.
pub(crate) const NOTE: &str = "the file was read as one of fastText: the words that begin with `__label__` are the labels of their line";

/// Told of cells with the mark, behind their number.
pub(crate) const MARKED: &str =
    "labels with `__label__` before them, as fastText has them, which were read without it";

/// Why a text with a label in it is not read.
pub(crate) const WITHIN: &str = "the text holds a label of fastText (`__label__…`), which would be learnt as a word: give the label \
     in a column of its own, or the lines as fastText has them, without columns";

/// Returns whether most lines hold a label, and no columns are told by a sign beside it.
pub(crate) fn is_one(sample: &[u8]) -> bool {
    let sample = String::from_utf8_lossy(sample);
    let lines = sample.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.take(MAX_LINES).collect();
    let labelled = lines.iter().filter(|line| holds_fast_text_label(line)).count();
    2 * labelled > lines.len() && !are_in_columns(&lines) && !names_columns(&sample)
}

/// Returns whether most lines have a sign beside their label, as between columns, and it is no part of the labels: those come
/// again with what follows it, or some lines have no sign at all.
fn are_in_columns(lines: &[&str]) -> bool {
    let words: Vec<&str> = lines.iter().filter_map(|line| beside_a_sign(line)).collect();
    // A label of several words has its sign further on: `__label__food and drink,The text`.
    let is_tight = |line: &&str| {
        let mut after = line.split(BETWEEN).skip(1);
        holds_fast_text_label(line) && after.any(|next| next.starts_with(|c: char| !c.is_whitespace()))
    };
    if 2 * words.len() <= lines.len() && !lines.iter().all(is_tight) {
        return false;
    }
    let are_quoted = words.iter().any(|word| word.contains('"'));
    let is_bare = |line: &&&str| holds_fast_text_label(line) && !line.contains(BETWEEN);
    let bare = lines.iter().filter(is_bare).count();
    let whole: BTreeSet<&str> = words.iter().copied().collect();
    let before: BTreeSet<&str> = words
        .iter()
        .filter_map(|word| word.split(BETWEEN).next())
        .collect();
    let are_labels = 3 * whole.len() <= words.len() && whole.len() <= 2 * before.len();
    let begin = words.iter().all(|word| word.starts_with(FAST_TEXT_MARK));
    are_quoted || !begin || !are_labels && 10 * bare < lines.len()
}

/// Returns whether the first line names columns with tabs between them.
fn names_columns(sample: &str) -> bool {
    let first = sample.lines().next().unwrap_or_default();
    first.contains('\t') && !first.contains(FAST_TEXT_MARK)
}

/// Returns the label of a line that stands beside a sign between columns: `__label__a,The text`, `"The text","__label__a"`.
fn beside_a_sign(line: &str) -> Option<&str> {
    let is_one = |word: &&str| word.contains(FAST_TEXT_MARK) && word.contains(BETWEEN);
    line.split_whitespace().find(is_one)
}

/// Returns whether the first line of such a file names its texts, and is none.
pub(crate) fn is_header(line: &str) -> bool {
    is_text_name(line) && !line.contains(FAST_TEXT_MARK)
}

/// Returns the labels of a cell or a field that begins with the mark.
pub(crate) fn labels(cell: &str) -> Option<Vec<String>> {
    let cell = cell.trim();
    let inside = cell.strip_prefix(FAST_TEXT_MARK)?;
    let between = |c: char| BETWEEN.contains(&c) || c.is_whitespace();
    let labels = inside
        .split(FAST_TEXT_MARK)
        .map(|label| label.trim_matches(between));
    Some(
        labels
            .filter(|label| !label.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}

/// Reads a line. Labels have no spaces there: an underscore stays what it is.
pub(crate) fn draft(line: &str) -> Draft {
    let (labels, words): (Vec<&str>, Vec<&str>) = line
        .split_whitespace()
        .partition(|word| word.len() > FAST_TEXT_MARK.len() && word.starts_with(FAST_TEXT_MARK));
    // A sign may stand between several: `__label__a,__label__b`.
    let labels: Vec<String> = labels
        .into_iter()
        .flat_map(|word| match word.matches(FAST_TEXT_MARK).count() {
            1 => vec![word[FAST_TEXT_MARK.len()..].to_owned()],
            _ => self::labels(word).unwrap_or_default(),
        })
        .collect();
    let vote = (!labels.is_empty()).then_some(DraftVote {
        written: Written::List(labels),
        by: None,
        at: None,
    });
    Draft {
        text: words.join(" "),
        votes: vote.into_iter().collect(),
        ..Draft::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_with_a_comma_are_told_from_columns() {
        let texts = [
            "The cup broke",
            "It is cold",
            "My rose died",
            "Where is it, please",
            "I like it",
        ];
        let file = |labels: [&str; 2], between: &str| -> String {
            let line = |at: usize| format!("__label__{}{between}{} ({at})\n", labels[at % 2], texts[at % 5]);
            (0..30).map(line).collect()
        };
        for (content, expected) in [
            (file(["food,drink", "home,garden"], " "), true),
            (file(["food,drink", "home"], " "), true),
            (file(["food,drink", "home,garden"], " \"So\" "), true),
            (file(["food", "home"], " "), true),
            (file(["food", "home"], ","), false),
            (file(["food", "home"], ",\""), false),
            (file(["food and drink", "home"], ","), false),
            (
                "It is late,__label__a\nIt leaks,__label__b\nIt is late,__label__a\n".repeat(4),
                false,
            ),
        ] {
            assert_eq!(is_one(content.as_bytes()), expected, "{content}");
        }
    }

    #[test]
    fn a_comma_within_a_label_is_part_of_it_and_one_between_two_labels_is_not() {
        for (line, expected) in [
            ("__label__food,drink It is cold", &["food,drink"][..]),
            ("__label__food,__label__drink It is cold", &["food", "drink"][..]),
            ("__label__food __label__drink It is cold", &["food", "drink"][..]),
        ] {
            let draft = draft(line);
            let labels: Vec<String> = draft
                .votes
                .into_iter()
                .flat_map(|vote| vote.written.names())
                .collect();
            assert_eq!(
                (labels.as_slice(), draft.text.as_str()),
                (
                    &expected.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..],
                    "It is cold"
                )
            );
        }
    }
}
