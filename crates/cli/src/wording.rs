//! Counts, lists and beginnings of texts, as sentences have them.

pub use active_learning_core::text::{counted, counted_as};

/// Most things that are listed; the rest is counted.
const MAX_LISTED: usize = 20;

/// Lists things by name, as many as can be read.
pub fn listed<T>(things: &[T], name: impl Fn(&T) -> String) -> String {
    let mut names: Vec<String> = things.iter().take(MAX_LISTED).map(name).collect();
    if things.len() > names.len() {
        names.push(format!("… and {} more", things.len() - names.len()));
    }
    names.join(", ")
}

/// Shortens a text to a line of the terminal.
pub fn one_line(text: &str) -> String {
    const MAX_CHARACTERS: usize = 100;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
