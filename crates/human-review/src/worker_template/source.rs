//! What is done to a template's text before it is parsed.

use super::Escaping;

/// Elements that the page's content security policy admits by nonce.
const NONCE_ELEMENTS: [&str; 3] = ["<script", "<style", "<link"];

/// Adds the nonce to the template's own script, style and link tags.
pub fn with_nonce(template: &str, nonce: &str) -> String {
    // ASCII lower case keeps byte positions.
    let lower = template.to_ascii_lowercase();
    let mut result = String::with_capacity(template.len());
    let mut done = 0;
    while let Some(start) = lower[done..].find('<').map(|offset| done + offset) {
        let tag = NONCE_ELEMENTS.iter().find(|tag| {
            let rest = lower[start..].strip_prefix(**tag);
            rest.is_some_and(|rest| {
                rest.starts_with(|next: char| next.is_ascii_whitespace() || next == '>' || next == '/')
            })
        });
        let end = start + tag.map_or(1, |tag| tag.len());
        result.push_str(&template[done..end]);
        if tag.is_some() {
            // Without quotes, so that it does not end a string of a script that writes such a tag.
            result.push_str(&format!(" nonce={nonce}"));
            if template[end..].starts_with('/') {
                result.push(' ');
            }
        }
        done = end;
    }
    result.push_str(&template[done..]);
    result
}

/// Turns every output `{{ … }}` outside raw and comment blocks into a tag of [`super::language`] that escapes.
pub fn with_print_tags(template: &str) -> String {
    let mut result = String::with_capacity(template.len());
    let mut rest = template;
    // Name of the end tag that ends the raw or comment block we are in.
    let mut verbatim: Option<&str> = None;
    loop {
        let output = rest.find("{{").filter(|_| verbatim.is_none());
        let Some(start) = output.into_iter().chain(rest.find("{%")).min() else {
            break;
        };
        result.push_str(&rest[..start]);
        rest = &rest[start..];
        let is_output = rest.starts_with("{{");
        let Some(length) = end_of_markup(rest, if is_output { "}}" } else { "%}" }) else {
            break;
        };
        let (markup, after) = rest.split_at(length);
        rest = after;
        if is_output {
            result.push_str(&print_tag(markup));
            continue;
        }
        result.push_str(markup);
        let name = markup[2..].trim_start_matches('-').split_whitespace().next();
        let name = name.unwrap_or_default().trim_end_matches(['-', '%', '}']);
        verbatim = match (verbatim, name) {
            (None, "raw") => Some("endraw"),
            (None, "comment") => Some("endcomment"),
            (Some(end), name) if end == name => None,
            (state, _) => state,
        };
    }
    result.push_str(rest);
    result
}

/// Returns the length of the markup at the start of a text, passing over quoted strings.
fn end_of_markup(text: &str, end: &str) -> Option<usize> {
    let mut quote = None;
    for (position, character) in text.char_indices().skip(2) {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, _) if text[position..].starts_with(end) => return Some(position + end.len()),
            _ => {}
        }
    }
    // A lone apostrophe in a comment or in raw text: take the first end there is.
    text.find(end).map(|position| position + end.len())
}

/// Turns `{{- expression -}}` into `{%- print expression -%}`.
fn print_tag(output: &str) -> String {
    let inner = &output[2..output.len() - 2];
    let (open, inner) = inner
        .strip_prefix('-')
        .map_or(("{%", inner), |inner| ("{%-", inner));
    let (inner, close) = inner
        .strip_suffix('-')
        .map_or((inner, "%}"), |inner| (inner, "-%}"));
    let tag = match escaping_of(inner) {
        Escaping::Full => "print",
        Escaping::Once => "print_once",
        Escaping::None => "print_raw",
    };
    format!("{open} {tag} {} {close}", inner.trim())
}

/// Returns how the result of an expression must be escaped, given the filters that it ends in.
fn escaping_of(expression: &str) -> Escaping {
    let filters: Vec<&str> = split_outside_quotes(expression, '|')
        .into_iter()
        .skip(1)
        .map(|filter| filter.trim().split([':', ' ']).next().unwrap_or_default())
        .collect();
    match filters.last() {
        Some(&("escape" | "escape_once" | "skip_autoescape" | "to_json")) => Escaping::None,
        _ if filters.iter().any(|filter| filter.starts_with("escape")) => Escaping::Once,
        _ => Escaping::Full,
    }
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quote = None;
    text.split(|character| match quote {
        None if character == '"' || character == '\'' => {
            quote = Some(character);
            false
        }
        Some(open) if open == character => {
            quote = None;
            false
        }
        None => character == separator,
        Some(_) => false,
    })
    .collect()
}
