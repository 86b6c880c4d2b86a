//! fastText's training files: words, of which those with a prefix are labels.
//!
//! Source: fastText, "Text classification": `__label__sauce __label__cheese How much does potato starch …`.

use crate::{
    draft::{Draft, DraftVote},
    labels::Written,
};

const PREFIX: &str = "__label__";

/// Returns whether most lines begin with a label.
pub(crate) fn is_one(sample: &[u8]) -> bool {
    let lines = sample.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let (mut all, mut begin) = (0, 0);
    for line in lines.filter(|line| !line.is_empty()).take(50) {
        all += 1;
        begin += usize::from(line.starts_with(PREFIX.as_bytes()));
    }
    2 * begin > all
}

/// Reads a line. Labels have no spaces there: an underscore stays what it is.
pub(crate) fn draft(line: &str) -> Draft {
    let (labels, words): (Vec<&str>, Vec<&str>) = line
        .split_whitespace()
        .partition(|word| word.len() > PREFIX.len() && word.starts_with(PREFIX));
    let labels: Vec<String> = labels
        .iter()
        .map(|label| label[PREFIX.len()..].to_owned())
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
