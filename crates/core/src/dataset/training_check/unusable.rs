//! Why the rows of a file cannot be meant.

/// Why labelled texts cannot be used. Safe to show: it holds no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Labels and texts are exchanged, or the labels are no classes.
    #[error(
        "line 1: nearly every row is its own class ({classes} classes in {rows} rows): \
         the label comes first, then the text; are the columns swapped?"
    )]
    SwappedColumns {
        /// Different labels.
        classes: u64,
        /// Rows.
        rows: u64,
    },
    /// What stands in the place of the texts comes again and again, each time with another label.
    #[error(
        "line {line}: the text of line {other} has another label here, and {labels} different labels stand beside {texts} \
         different texts in {rows} rows: the label comes first, then the text; are the columns swapped?"
    )]
    RepeatedTexts {
        /// A line.
        line: u64,
        /// The first one with the same text, which has another label.
        other: u64,
        /// Different labels, or sets of several.
        labels: u64,
        /// Different texts.
        texts: u64,
        /// Rows.
        rows: u64,
    },
    /// Each text has different labels: none is left.
    #[error(
        "line {line}: the text of line {other} has another label here, and so it is with every text ({texts} in {rows} \
         rows): nothing is left to learn from; give each text the same labels wherever it stands"
    )]
    OnlyConflicts {
        /// A line.
        line: u64,
        /// The first one with the same text, which has another label.
        other: u64,
        /// Different texts.
        texts: u64,
        /// Rows.
        rows: u64,
    },
}
