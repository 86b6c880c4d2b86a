//! What pages of the console are made of.

use askama::Template;

use super::chart::Chart;
use super::form::Form;
use super::table::{Cell, Table};
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
