//! Worker task templates: Liquid and HTML as Amazon A2I renders them, over the `liquid` parser.
//!
//! The parser alone differs from A2I where it matters: it writes values unescaped and stops at unknown
//! variables. So every output `{{ … }}` becomes a tag of our own that escapes, and every
//! tag and block sees unknown variables as nil. `include` and `render` are left out.
//!
//! A template may do so much and no more (`limits.rs`): what goes beyond, or makes the library panic, is an error.
//!
//! The page's content security policy admits scripts by nonce. The nonce is put on the tags that the
//! *template* holds, before any data comes in: no data can bring a script of its own, whatever a template
//! does with it.

mod characters;
mod language;
mod limits;
mod source;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use active_learning_aws::bucket::{Bucket, BucketError};
use liquid_core::model::{Object, Value as LiquidValue};
use liquid_core::runtime::RuntimeBuilder;
use liquid_core::{Error, Language, Renderable, Template, parser};
use serde_json::Value;

use self::limits::{Page, Spent};

/// The template that this project ships.
pub const SHIPPED: &str = include_str!("../../../templates/text-classification-review.liquid.html");

/// Where templates for A2I load their elements from.
const CROWD_ELEMENTS_URL: &str = "https://assets.crowd.aws/crowd-html-elements.js";

/// Why a template cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The template is wrong, or does something with the input that does not work.
    #[error("the worker task template cannot be rendered")]
    Liquid(#[source] liquid_core::Error),
    /// Storage failed while a link was made.
    #[error(transparent)]
    Storage(#[from] BucketError),
}

/// How the value of an output is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escaping {
    /// HTML escaping.
    Full,
    /// HTML escaping of what is not yet escaped.
    Once,
    /// None: the last filter has seen to it.
    None,
}

/// Renders a template for a task input into HTML.
///
/// `nonce` is a fresh unguessable word of letters and digits. Links of `grant_read_access` are made for
/// objects of the review bucket outside `state_prefix`; other URIs are printed as they are.
///
/// # Errors
///
/// [`TemplateError`].
pub async fn render(
    template: &str,
    input: &Value,
    nonce: &str,
    bucket: &Bucket,
    state_prefix: &str,
) -> Result<String, TemplateError> {
    let (mut html, uris) = render_html(template, input, nonce).map_err(TemplateError::Liquid)?;
    let prefix = bucket.uri("");
    for (number, uri) in uris.iter().enumerate() {
        let key = uri
            .strip_prefix(&prefix)
            .filter(|key| !key.is_empty() && !key.starts_with(state_prefix));
        let link = match key {
            Some(key) => bucket.read_link(key).await?,
            None => uri.clone(),
        };
        html = html.replace(&placeholder(nonce, number), &escape(&link, Escaping::Full));
    }
    Ok(html)
}

/// Renders a template as [`render`] does, but with every URI as it is: whoever only tries a template may have no right to read
/// what its links would show.
///
/// # Errors
///
/// [`TemplateError::Liquid`].
pub fn render_without_links(template: &str, input: &Value, nonce: &str) -> Result<String, TemplateError> {
    let (mut html, uris) = render_html(template, input, nonce).map_err(TemplateError::Liquid)?;
    for (number, uri) in uris.iter().enumerate() {
        html = html.replace(&placeholder(nonce, number), &escape(uri, Escaping::Full));
    }
    Ok(html)
}

/// Renders a template; the result holds a placeholder, which holds the nonce, for each S3 URI whose link is still to be
/// made.
///
/// # Errors
///
/// What is wrong with the template, or what it does that is too much or does not work.
pub fn render_html(template: &str, input: &Value, nonce: &str) -> liquid_core::Result<(String, Vec<String>)> {
    let uris = Arc::new(Mutex::new(Vec::new()));
    let spent = Spent::default();
    let language = language::language(nonce, &uris, &spent);
    let source = template.replace(CROWD_ELEMENTS_URL, "crowd-html-elements.js");
    let source = source::prepared(&source::with_nonce(&source, nonce), &language)?;
    // The library panics at numbers that it does not expect, such as `cols: 0`.
    let html = catch_unwind(AssertUnwindSafe(|| render_source(&source, &language, input)));
    let html = html.map_err(|_| Error::with_msg("The template does something that Liquid cannot do"))?;
    let html = html.map_err(|error| source::in_own_words(error, nonce))?;
    let uris = uris.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((html, uris))
}

fn render_source(source: &str, language: &Language, input: &Value) -> liquid_core::Result<String> {
    let template = Template::new(parser::parse(source, language)?);
    let task = Object::from_iter([("input".into(), liquid_value(input))]);
    let globals = Object::from_iter([("task".into(), LiquidValue::Object(task))]);
    let runtime = RuntimeBuilder::new().set_globals(&globals).build();
    let mut page = Page::default();
    template.render_to(&mut page, &language::Lenient(&runtime))?;
    page.into_text()
}

/// Stands for a link until it is made; data cannot hold it, since it holds the nonce.
fn placeholder(nonce: &str, number: usize) -> String {
    format!("s3-link-{nonce}-{number}-")
}

fn liquid_value(value: &Value) -> LiquidValue {
    match value {
        Value::Null => LiquidValue::Nil,
        Value::Bool(flag) => LiquidValue::scalar(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => LiquidValue::scalar(integer),
            None => LiquidValue::scalar(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => LiquidValue::scalar(text.clone()),
        Value::Array(items) => LiquidValue::Array(items.iter().map(liquid_value).collect()),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone().into(), liquid_value(value)));
            LiquidValue::Object(members.collect())
        }
    }
}

/// Escapes a text for HTML, in content and in quoted attributes.
fn escape(text: &str, escaping: Escaping) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (position, character) in text.char_indices() {
        match character {
            _ if escaping == Escaping::None => escaped.push(character),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '&' if escaping == Escaping::Once && begins_entity(&text[position..]) => escaped.push('&'),
            '&' => escaped.push_str("&amp;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn begins_entity(text: &str) -> bool {
    ["&lt;", "&gt;", "&quot;", "&#39;", "&amp;"]
        .iter()
        .any(|entity| text.starts_with(entity))
}

/// Writes a value as JSON that is safe inside a script element: no `<`, `>`, `&`, `'` or line separator.
fn script_safe_json(value: &LiquidValue) -> String {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    value.sort_all_objects();
    let mut json = String::new();
    for character in value.to_string().chars() {
        match character {
            '<' | '>' | '&' | '\'' | '\u{2028}' | '\u{2029}' => {
                json.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => json.push(other),
        }
    }
    json
}

#[cfg(test)]
mod tests;
