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
    /// Text.
    Text(String),
    /// A link: address and text.
    Link(String, String),
    /// Buttons.
    Forms(Vec<Form>),
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}
