//! What is done to a template's text before it is parsed.

use liquid_core::{Error, Language};

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

/// Deepest blocks within blocks.
const MAX_DEPTH: usize = 64;
/// Tag that counts the turns of a loop.
pub const TURN: &str = "count_turn";
/// Tag that checks the length of a range.
pub const RANGE_CHECK: &str = "check_range";

/// Tags that print an output, by how its value is escaped.
const PRINT: &str = "print";
const PRINT_ONCE: &str = "print_once";
const PRINT_RAW: &str = "print_raw";
/// Tags that are put into a template.
const OWN_TAGS: [&str; 5] = [TURN, RANGE_CHECK, PRINT, PRINT_ONCE, PRINT_RAW];

/// Digits of the length of a loop's body, which is known at its end only.
const LENGTH_DIGITS: usize = 10;

/// Turns every output `{{ … }}` outside raw and comment blocks into a tag of [`super::language`] that escapes, and has
/// the turns of loops counted.
///
/// # Errors
///
/// Where blocks lie in blocks deeper than any page needs, or a filter is none of the language.
pub fn prepared(template: &str, language: &Language) -> liquid_core::Result<String> {
    let mut source = Source::default();
    let mut rest = template;
    loop {
        let output = rest.find("{{").filter(|_| source.verbatim.is_none());
        let Some(start) = output.into_iter().chain(rest.find("{%")).min() else {
            break;
        };
        source.text.push_str(&rest[..start]);
        rest = &rest[start..];
        let is_output = rest.starts_with("{{");
        let Some(length) = end_of_markup(rest, if is_output { "}}" } else { "%}" }) else {
            break;
        };
        let (markup, after) = rest.split_at(length);
        rest = after;
        if source.verbatim.is_none() && (is_output || tag_name(markup) == "assign") {
            check_filters(markup, language)?;
        }
        match is_output {
            true => {
                mark_json(&mut source.text, markup);
                source.text.push_str(&print_tag(markup));
            }
            false => source.push_tag(markup)?,
        }
    }
    source.text.push_str(rest);
    Ok(source.text)
}

/// Attributes that are texts, and JSON where the template passes the text through `to_json`.
const TEXT_ATTRIBUTES: [&str; 2] = ["initial-value", "header"];

/// Says in an attribute of its own, `json-<name>`, that the value of the attribute which the template has begun is JSON: by the
/// value alone a text that is quoted as a whole would look the same.
fn mark_json(before: &mut String, output: &str) {
    if !filters(&output[2..output.len() - 2]).contains(&"to_json") {
        return;
    }
    let begun = before.trim_end_matches(['"', '\'']).trim_end().strip_suffix('=');
    let begun = begun.map(str::trim_end).unwrap_or_default();
    // In a tag of a crowd element: scripts may have the same words.
    let is_in_tag = begun
        .rfind('<')
        .is_some_and(|at| begun[at..].starts_with("<crowd-"));
    let is_named = |name: &&str| {
        let rest = begun.strip_suffix(*name);
        rest.is_some_and(|rest| rest.ends_with(char::is_whitespace))
    };
    let named = TEXT_ATTRIBUTES
        .into_iter()
        .find(|name| is_in_tag && is_named(name));
    if let Some(name) = named {
        before.insert_str(begun.len() - name.len(), &format!("json-{name} "));
    }
}

fn tag_name(markup: &str) -> &str {
    let name = markup[2..].trim_start_matches('-').split_whitespace().next();
    name.unwrap_or_default().trim_end_matches(['-', '%', '}'])
}

/// Refuses a filter that is none: the parser would say only that it expected a filter.
fn check_filters(markup: &str, language: &Language) -> liquid_core::Result<()> {
    let inner = &markup[2..markup.len() - 2];
    let mut quote = None;
    for (position, character) in inner.char_indices() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, '|') => check_filter(&inner[position + 1..], language)?,
            _ => {}
        }
    }
    Ok(())
}

/// Refuses the name that a text begins with, where it is that of no filter.
fn check_filter(text: &str, language: &Language) -> liquid_core::Result<()> {
    let text = text.trim_start();
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    let name = text[..end].trim_end_matches('-');
    if name.is_empty() || language.filters.get(name).is_some() {
        return Ok(());
    }
    let mut known: Vec<&str> = language.filters.plugin_names().collect();
    known.sort_unstable();
    let known = known.join(", ");
    Err(Error::with_msg(format!(
        "There is no filter `{name}`; those that there are: {known}"
    )))
}

/// Says an error in the words of the template itself: without what was put into it before it was parsed.
///
/// Columns, and marks below a line, would point beside the place: they are left out.
pub fn in_own_words(error: Error, nonce: &str) -> Error {
    let said = error.to_string();
    let own = unprepared(&said).replace(&format!(" nonce={nonce}"), "");
    let own: Vec<String> = own.lines().filter_map(own_line).collect();
    let own = own.join("\n");
    match own == said.trim_end() {
        true => error,
        false => Error::with_msg(own.trim_start_matches("liquid: ").to_owned()),
    }
}

/// Says a line of an error without places, and without tags that no template has; `None` where nothing is left.
fn own_line(line: &str) -> Option<String> {
    let marks = line.trim_start().trim_start_matches('|').trim();
    if !marks.is_empty() && marks.chars().all(|c| matches!(c, '^' | '-')) {
        return None;
    }
    if let Some((before, place)) = line.split_once("--> ") {
        let number = place.split(':').next().unwrap_or_default();
        return Some(format!("{before}--> line {number}"));
    }
    let Some((before, tags)) = line.split_once("available tags=") else {
        return Some(line.to_owned());
    };
    let tags: Vec<&str> = tags.split(", ").filter(|tag| !OWN_TAGS.contains(tag)).collect();
    Some(format!("{before}available tags={}", tags.join(", ")))
}

/// Takes out of a text what [`prepared`] puts into it.
fn unprepared(text: &str) -> String {
    let mut own = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{%") {
        let Some(length) = end_of_markup(&rest[start..], "%}") else {
            break;
        };
        let (before, from) = rest.split_at(start);
        let (markup, after) = from.split_at(length);
        let inner = markup[2..markup.len() - 2]
            .trim_start_matches('-')
            .trim_end_matches('-');
        let (name, expression) = inner.trim().split_once(' ').unwrap_or((inner.trim(), ""));
        own.push_str(before);
        match name {
            TURN | RANGE_CHECK => {}
            PRINT | PRINT_ONCE | PRINT_RAW => {
                let trims = |is_trimmed: bool| if is_trimmed { "-" } else { "" };
                let (left, right) = (trims(markup.starts_with("{%-")), trims(markup.ends_with("-%}")));
                own.push_str(&format!("{{{{{left} {} {right}}}}}", expression.trim()));
            }
            _ => own.push_str(markup),
        }
        rest = after;
    }
    own.push_str(rest);
    for name in TEXT_ATTRIBUTES {
        own = own.replace(&format!("json-{name} "), "");
    }
    own
}

/// What of a template has been prepared.
#[derive(Default)]
struct Source {
    text: String,
    /// Name of the end tag that ends the raw or comment block we are in.
    verbatim: Option<&'static str>,
    /// Where the bodies of the blocks begin that we are in; of loops only.
    bodies: Vec<Option<usize>>,
}

impl Source {
    fn push_tag(&mut self, markup: &str) -> liquid_core::Result<()> {
        let name = tag_name(markup);
        if let Some(end) = self.verbatim {
            self.text.push_str(markup);
            self.verbatim = Some(end).filter(|end| *end != name);
            return Ok(());
        }
        match name {
            "for" | "tablerow" => self.push_loop(markup),
            "endfor" | "endtablerow" => self.push_end_of_loop(markup),
            _ => {
                self.text.push_str(markup);
                match name {
                    "raw" => self.verbatim = Some("endraw"),
                    "comment" => self.verbatim = Some("endcomment"),
                    "if" | "unless" | "case" | "capture" | "ifchanged" => self.bodies.push(None),
                    "endif" | "endunless" | "endcase" | "endcapture" | "endifchanged" => {
                        self.bodies.pop();
                    }
                    _ => {}
                }
            }
        }
        match self.bodies.len() <= MAX_DEPTH {
            true => Ok(()),
            false => Err(liquid_core::Error::with_msg(format!(
                "The blocks of the template are more than {MAX_DEPTH} deep"
            ))),
        }
    }

    fn push_loop(&mut self, markup: &str) {
        if let Some((start, end)) = range(markup) {
            let tag = like(markup, &format!("{RANGE_CHECK} {start} {end}"), true);
            self.text.push_str(&tag);
        }
        self.text.push_str(markup);
        self.bodies.push(Some(self.text.len()));
        let counter = format!("{TURN} {}", "0".repeat(LENGTH_DIGITS));
        self.text.push_str(&like(markup, &counter, false));
    }

    fn push_end_of_loop(&mut self, markup: &str) {
        if let Some(start) = self.bodies.pop().flatten() {
            let body = &self.text[start..];
            let digits = start + body.find(TURN).unwrap_or_default() + TURN.len() + 1;
            let length = format!("{:0LENGTH_DIGITS$}", body.len());
            self.text.replace_range(digits..digits + LENGTH_DIGITS, &length);
        }
        self.text.push_str(markup);
    }
}

/// Returns the ends of the range in the tag of a loop over one: `{% for i in (1..n) %}`.
fn range(markup: &str) -> Option<(&str, &str)> {
    let (_, rest) = markup.split_once('(')?;
    let (range, _) = rest.split_once(')')?;
    let (start, end) = range.split_once("..")?;
    Some((start.trim(), end.trim_start_matches('.').trim()))
}

/// Returns a tag that trims the white space around a tag as that one does: before it, or behind it.
fn like(markup: &str, tag: &str, is_before: bool) -> String {
    let trims = match is_before {
        true => markup.starts_with("{%-"),
        false => markup.ends_with("-%}"),
    };
    match trims {
        true => format!("{{%- {tag} -%}}"),
        false => format!("{{% {tag} %}}"),
    }
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
    // A lone apostrophe in a comment or in raw text: take the first end behind the opening.
    let position = text.get(2..)?.find(end)?;
    Some(2 + position + end.len())
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
        Escaping::Full => PRINT,
        Escaping::Once => PRINT_ONCE,
        Escaping::None => PRINT_RAW,
    };
    format!("{open} {tag} {} {close}", inner.trim())
}

/// Returns how the result of an expression must be escaped, given the filters that it ends in.
fn escaping_of(expression: &str) -> Escaping {
    let filters = filters(expression);
    match filters.last() {
        Some(&("escape" | "escape_once" | "skip_autoescape" | "to_json")) => Escaping::None,
        _ if filters.iter().any(|filter| filter.starts_with("escape")) => Escaping::Once,
        _ => Escaping::Full,
    }
}

/// Returns the names of the filters of an expression.
fn filters(expression: &str) -> Vec<&str> {
    split_outside_quotes(expression, '|')
        .into_iter()
        .skip(1)
        .map(|filter| {
            let name = filter.trim().split([':', ' ']).next().unwrap_or_default();
            name.trim_end_matches('-')
        })
        .collect()
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
