//! Tables of the console.

use super::form::Form;

/// A table; the first cell of a row is its heading.
#[derive(Debug)]
pub(super) struct Table {
    pub caption: String,
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
}

/// A cell.
#[derive(Debug)]
pub(super) enum Cell {
    /// Words of the console itself.
    Text(String),
    /// What somebody wrote: of whatever language, and of whatever direction.
    Written(String),
    /// A name of many digits, such as that of a task: its beginning, and all of it on pointing at it.
    Name(String),
    /// A link to something that has a name or a text: address and what is shown.
    Link(String, String),
    /// Buttons.
    Forms(Vec<Form>),
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn written(text: impl Into<String>) -> Self {
        Self::Written(text.into())
    }
}
