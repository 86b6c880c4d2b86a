//! Forms of the console, each of which begins an action or confirms it.

/// A form that begins an action, or confirms it.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// Address that it is sent to.
    pub action: &'static str,
    /// What is sent along: name and value.
    pub hidden: Vec<(&'static str, String)>,
    /// A field whose line breaks stay, before the others: name and label.
    pub text: Option<(&'static str, &'static str)>,
    /// Fields whose line breaks stay, with what is in them; each may be empty.
    pub texts: Vec<TextField>,
    /// What is asked for.
    pub fields: Vec<Field>,
    /// Of what several may be chosen.
    pub choices: Option<Choices>,
    /// What may be looked for; each may stay empty.
    pub search: Vec<SearchField>,
    /// The button.
    pub button: String,
    /// What the button is about, for who does not see where it stands.
    pub about: String,
}

/// Check boxes, of which several may be chosen: each that is sends the name once.
#[derive(Debug)]
pub(super) struct Choices {
    pub name: &'static str,
    pub label: &'static str,
    pub options: Vec<String>,
}

/// A field of a search.
#[derive(Debug)]
pub(super) struct SearchField {
    pub name: &'static str,
    pub label: &'static str,
    pub value: String,
    /// What may be chosen: value and text; free text where it is empty.
    pub options: Vec<(&'static str, &'static str)>,
}

/// A field of several lines.
#[derive(Debug)]
pub(super) struct TextField {
    pub name: &'static str,
    pub label: &'static str,
    pub value: String,
}

/// A field of a form.
#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub label: &'static str,
    /// What may be chosen: value and text; free text where it is empty.
    pub options: Vec<(String, String)>,
}
