//! fastText's training files: words, of which those with a prefix are labels, anywhere in a line.
//!
//! Source: fastText, "Text classification": `__label__sauce __label__cheese How much does potato starch …`.

use active_learning_core::dataset::{FAST_TEXT_MARK, holds_fast_text_label};

use crate::{
    draft::{Draft, DraftVote},
    labels::Written,
    names::is_text_name,
};

/// Signs that stand between columns, or between labels in one cell.
const BETWEEN: [char; 4] = [',', ';', '|', '"'];

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
    let (mut all, mut labelled, mut in_columns) = (0, 0, 0);
    for line in lines.take(50) {
        all += 1;
        labelled += usize::from(holds_fast_text_label(line));
        in_columns += usize::from(is_beside_a_sign(line));
    }
    2 * labelled > all && 2 * in_columns <= all && !names_columns(&sample)
}

/// Returns whether the first line names columns with tabs between them.
fn names_columns(sample: &str) -> bool {
    let first = sample.lines().next().unwrap_or_default();
    first.contains('\t') && !first.contains(FAST_TEXT_MARK)
}

/// Returns whether a label stands beside a sign between columns: `__label__a,The text`, `"The text","__label__a"`.
fn is_beside_a_sign(line: &str) -> bool {
    let is_one = |word: &str| word.contains(FAST_TEXT_MARK) && word.contains(BETWEEN);
    line.split_whitespace().any(is_one)
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
