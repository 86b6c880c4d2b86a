//! What pages of the console are made of.

use askama::Template;

use super::chart::Chart;
use crate::pages::SessionView;

/// A page of the console.
#[derive(Debug, Template)]
#[template(path = "console/page.html")]
pub(super) struct ConsolePage {
    /// Who is signed in.
    pub session: SessionView,
    /// What leads from the page to the first level: nothing, or `../`.
    pub root: &'static str,
    /// The pages there are.
    pub navigation: Vec<NavigationItem>,
    /// Heading.
    pub title: String,
    /// What was done just now.
    pub note: Option<String>,
    /// Content.
    pub blocks: Vec<Block>,
    /// Address of the same as JSON, for pages that have one.
    pub json: Option<String>,
}

/// A link to a page.
#[derive(Debug)]
pub(super) struct NavigationItem {
    pub address: &'static str,
    pub name: &'static str,
    pub is_here: bool,
}

/// A part of a page.
#[derive(Debug)]
pub(super) enum Block {
    /// A paragraph.
    Text(String),
    /// Heading of what follows.
    Heading(String),
    /// Names with values.
    Figures(Vec<(String, String)>),
    /// A table with its caption.
    Table(Table),
    /// A form of its own.
    Form(Form),
    /// A link on a line of its own: address and text.
    Link(String, String),
    /// A list of links: address and text.
    Links(Vec<(String, String)>),
    /// What somebody wrote.
    Quote(String),
    /// A chart, with its table.
    Chart(Chart),
    /// A table whose head is data.
    Matrix {
        caption: String,
        head: Vec<String>,
        rows: Vec<Vec<Cell>>,
    },
    /// Something to copy: what it is, and the text.
    Copy(String, String),
}

impl Block {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn heading(text: impl Into<String>) -> Self {
        Self::Heading(text.into())
    }
}

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

/// A form that begins an action, or confirms it.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// Address that it is sent to.
    pub action: &'static str,
    /// What is sent along: name and value.
    pub hidden: Vec<(&'static str, String)>,
    /// What is asked for.
    pub fields: Vec<Field>,
    /// The button.
    pub button: String,
    /// What the button is about, for who does not see where it stands.
    pub about: String,
}

/// A field of a form.
#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub label: &'static str,
    /// What may be chosen: value and text; free text where it is empty.
    pub options: Vec<(String, String)>,
}
