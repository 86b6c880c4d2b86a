//! The fields of a rendered task page, found without a browser.
//!
//! What a template's script adds later is not seen. Differs from a browser in that markup within scripts,
//! styles and comments is passed over as a whole, and nesting plays no part but for `select` and
//! `crowd-radio-group`.

mod relaxed_json;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use active_learning_core::labels::{human_loop::ExclusionCategories, label_key::label_key};
use serde_json::Value;

use self::relaxed_json::relaxed_json;

/// The crowd elements that the portal has; see `assets/crowd-html-elements.js`.
const KNOWN_ELEMENTS: [&str; 17] = [
    "crowd-alert",
    "crowd-button",
    "crowd-card",
    "crowd-checkbox",
    "crowd-classifier",
    "crowd-classifier-multi-select",
    "crowd-form",
    "crowd-input",
    "crowd-instructions",
    "crowd-modal",
    "crowd-radio-button",
    "crowd-radio-group",
    "crowd-slider",
    "crowd-tab",
    "crowd-tabs",
    "crowd-text-area",
    "crowd-toggle-button",
];

/// What a field can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values {
    /// One of these texts.
    Select(Vec<String>),
    /// One of these, as `{"label": "X"}`.
    Classifier(Vec<String>),
    /// Some of these, as `{"labels": ["X"]}`.
    MultiClassifier(Vec<String>),
    /// A box or button of this value, as `{"X": true}`; of the buttons of one group one is chosen.
    Mark {
        /// Its value.
        value: String,
        /// The group, if it is a radio button.
        group: Option<String>,
    },
    /// Any text; it begins as this one.
    Text(String),
    /// A text that nobody sees or changes by hand.
    Hidden(String),
}

/// A named field of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// Name under which it is submitted.
    pub name: String,
    /// What it can say.
    pub values: Values,
}

/// What a page consists of, as far as answers are concerned.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Its fields, in their order.
    pub fields: Vec<FormField>,
    /// Where the tag of each field ends in the page, in bytes.
    pub places: Vec<usize>,
    /// By place of a list among the fields, the choice that it has before anybody chooses.
    pub preselected: BTreeMap<usize, String>,
    /// What nobody sees of the page, in bytes: scripts, styles, templates and comments.
    pub unseen: Vec<Range<usize>>,
    /// Names of crowd elements that the portal does not have.
    pub unknown_elements: BTreeSet<String>,
    /// By name of a field, the category of its own that says that no label fits.
    pub exclusions: ExclusionCategories,
}

impl Form {
    /// Returns why nobody could answer on such a page, if it is so: it has no field, maybe since the portal lacks its elements.
    pub fn why_without_field(&self) -> Option<String> {
        if !self.fields.is_empty() {
            return None;
        }
        let unknown: Vec<&str> = self.unknown_elements.iter().map(String::as_str).collect();
        Some(match unknown.is_empty() {
            true => "no field for an answer".to_owned(),
            false => format!(
                "no field for an answer that the portal has: it does not have {}",
                unknown.join(", ")
            ),
        })
    }
}

/// An open tag.
#[derive(Debug, Default)]
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        let mut named = self.attributes.iter().filter(|(own, _)| own == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// Returns the name under which it is submitted, if it is.
    fn field_name(&self) -> Option<String> {
        let name = self
            .get("name")
            .filter(|name| !name.is_empty() && !name.starts_with("portal:"));
        name.filter(|_| self.get("disabled").is_none()).map(str::to_owned)
    }
}

/// Reads the fields of a page.
pub fn read_form(html: &str) -> Form {
    let mut form = Form::default();
    let mut rest = html;
    let mut select: Option<usize> = None;
    // The list, if one of it is always chosen.
    let mut single: Option<usize> = None;
    let mut group: Option<String> = None;
    let mut groups = 0;
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("<!--") {
            let start = html.len() - rest.len();
            rest = after.split_once("-->").map_or("", |(_, after)| after);
            form.unseen.push(start..html.len() - rest.len());
            continue;
        }
        if rest.starts_with("</") {
            match closed(rest).as_str() {
                "select" => (select, single) = (None, None),
                "crowd-radio-group" => group = None,
                _ => {}
            }
            rest = &rest[2..];
            continue;
        }
        let Some((tag, after)) = open_tag(rest) else {
            rest = &rest[1..];
            continue;
        };
        rest = after;
        let end = html.len() - rest.len();
        match tag.name.as_str() {
            "script" | "style" | "template" => {
                rest = after_end(rest, &tag.name);
                form.unseen.push(end..html.len() - rest.len());
            }
            "textarea" => add(
                &mut form,
                &tag,
                Values::Text(text_until(rest, "</").trim().to_owned()),
            ),
            "crowd-text-area" => {
                let own = text_until(rest, "</").trim().to_owned();
                let value = initial_value(&tag).unwrap_or(own);
                add(&mut form, &tag, Values::Text(value));
            }
            "select" => {
                let before = form.fields.len();
                add(&mut form, &tag, Values::Select(Vec::new()));
                select = (form.fields.len() > before).then_some(before);
                let is_single = tag.get("multiple").is_none() && tag.get("size").is_none();
                single = select.filter(|_| is_single);
            }
            "option" => {
                let own = || text_until(rest, "<").trim().to_owned();
                let value = tag.get("value").map_or_else(own, str::to_owned);
                if let Some(place) = single {
                    preselect(&mut form, place, &tag, &value);
                }
                let options = select.and_then(|place| form.fields.get_mut(place));
                if let Some(FormField {
                    values: Values::Select(options),
                    ..
                }) = options
                    && !value.trim().is_empty()
                    && tag.get("disabled").is_none()
                {
                    options.push(value);
                }
            }
            "crowd-radio-group" => {
                groups += 1;
                group = Some(format!("group {groups}"));
            }
            _ => add_control(&mut form, &tag, group.as_deref()),
        }
        form.places.resize(form.fields.len(), end);
    }
    form
}

/// Notes an option of a list that is chosen before anybody chooses: the one that the page says, or else the first. One that is
/// disabled is not sent.
fn preselect(form: &mut Form, place: usize, tag: &Tag, value: &str) {
    let (is_selected, is_disabled) = (tag.get("selected").is_some(), tag.get("disabled").is_some());
    if is_selected || !is_disabled && !form.preselected.contains_key(&place) {
        let sent = if is_disabled { "" } else { value };
        form.preselected.insert(place, sent.to_owned());
    }
}

fn add(form: &mut Form, tag: &Tag, values: Values) {
    let field = tag.field_name().map(|name| FormField { name, values });
    form.fields.extend(field);
}

fn add_control(form: &mut Form, tag: &Tag, group: Option<&str>) {
    let value = || tag.get("value").unwrap_or_default().to_owned();
    let mark = || {
        tag.get("value")
            .filter(|value| !value.is_empty())
            .unwrap_or("on")
            .to_owned()
    };
    let radio_group = || Some(group.or(tag.get("name")).unwrap_or_default().to_owned());
    let is_classifier = matches!(
        tag.name.as_str(),
        "crowd-classifier" | "crowd-classifier-multi-select"
    );
    if let Some(name) = tag.field_name().filter(|_| is_classifier) {
        let exclusion = exclusion_category(tag).filter(|word| !is_listed(tag, word));
        form.exclusions.extend(exclusion.map(|word| (name, word)));
    }
    let values = match tag.name.as_str() {
        "input" => match tag.get("type").unwrap_or("text").to_ascii_lowercase().as_str() {
            "radio" => Values::Mark {
                value: mark(),
                group: radio_group(),
            },
            "checkbox" => Values::Mark {
                value: mark(),
                group: None,
            },
            "hidden" => Values::Hidden(value()),
            "submit" | "button" | "reset" | "image" | "file" | "range" | "number" => return,
            _ => Values::Text(value()),
        },
        "crowd-input" => Values::Text(initial_value(tag).unwrap_or_default()),
        "crowd-radio-button" => Values::Mark {
            value: mark(),
            group: radio_group(),
        },
        "crowd-checkbox" => Values::Mark {
            value: mark(),
            group: None,
        },
        "crowd-toggle-button" => Values::Mark {
            value: "on".to_owned(),
            group: None,
        },
        "crowd-classifier" => Values::Classifier(categories(tag)),
        "crowd-classifier-multi-select" => Values::MultiClassifier(categories(tag)),
        name if name.starts_with("crowd-") && !KNOWN_ELEMENTS.contains(&name) => {
            form.unknown_elements.insert(name.to_owned());
            return;
        }
        _ => return,
    };
    add(form, tag, values);
}

/// Returns the text that a crowd element begins with. Where the template passes it through `to_json`, which the rendering
/// marks, its quotes are no part of it.
fn initial_value(tag: &Tag) -> Option<String> {
    let named = |name| tag.get(name).filter(|value| !value.is_empty());
    if let Some(value) = named("value") {
        return Some(value.to_owned());
    }
    let initial = named("initial-value")?;
    let is_json = tag.get("json-initial-value").is_some();
    match relaxed_json(initial.trim()).filter(|_| is_json) {
        Some(Value::String(text)) => Some(text),
        _ => Some(initial.to_owned()),
    }
}

/// Returns what can be chosen in a classifier.
fn categories(tag: &Tag) -> Vec<String> {
    let mut categories = listed_categories(tag);
    categories.extend(exclusion_category(tag));
    categories.retain(|category| !category.is_empty());
    categories
}

fn listed_categories(tag: &Tag) -> Vec<String> {
    let listed = tag.get("categories").unwrap_or_default();
    match relaxed_json(listed) {
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect(),
        // Labels that the input does not have.
        Some(Value::Null) => Vec::new(),
        _ => listed.split(',').map(|item| item.trim().to_owned()).collect(),
    }
}

/// Returns the words of the choice that no label fits.
fn exclusion_category(tag: &Tag) -> Option<String> {
    let exclusion = tag.get("exclusion-category")?;
    let parsed = relaxed_json(exclusion);
    let text = parsed
        .as_ref()
        .and_then(|parsed| parsed.get("text").unwrap_or(parsed).as_str());
    Some(text.unwrap_or(exclusion).to_owned()).filter(|text| !text.is_empty())
}

/// Returns whether a word is among the labels of a classifier: then it is one, whatever else it is called.
fn is_listed(tag: &Tag, word: &str) -> bool {
    let key = label_key(word);
    listed_categories(tag).iter().any(|label| label_key(label) == key)
}

/// Returns the name in an end tag.
fn closed(rest: &str) -> String {
    let name = rest[2..]
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .next();
    name.unwrap_or_default().to_ascii_lowercase()
}

/// Returns what follows the end tag of an element whose content is no markup.
fn after_end<'a>(rest: &'a str, name: &str) -> &'a str {
    // ASCII lower case keeps byte positions.
    let end = rest.to_ascii_lowercase().find(&format!("</{name}"));
    end.map_or("", |end| &rest[end..])
}

fn text_until(rest: &str, end: &str) -> String {
    htmlize::unescape(rest.split(end).next().unwrap_or_default()).into_owned()
}

/// Reads an open tag and returns it with what follows.
fn open_tag(rest: &str) -> Option<(Tag, &str)> {
    let after = rest.strip_prefix('<')?;
    let length = after
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .unwrap_or(after.len());
    if !after.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut tag = Tag {
        name: after[..length].to_ascii_lowercase(),
        attributes: Vec::new(),
    };
    let mut rest = &after[length..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return Some((tag, rest));
        }
        if let Some(after) = rest.strip_prefix('>') {
            return Some((tag, after));
        }
        let is_end = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/');
        // A stray equals sign is part of the name, as in a browser.
        let length = rest.char_indices().skip(1).find(|(_, c)| is_end(*c));
        let length = length.map_or(rest.len(), |(place, _)| place);
        let name = rest[..length].to_ascii_lowercase();
        rest = rest[length..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = attribute_value(after.trim_start());
        }
        tag.attributes
            .push((name, htmlize::unescape_attribute(value).into_owned()));
    }
}

fn attribute_value(rest: &str) -> (&str, &str) {
    match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest[1..].split_once(quote).unwrap_or((&rest[1..], "")),
        _ => rest.split_at(
            rest.find(|c: char| c.is_whitespace() || c == '>')
                .unwrap_or(rest.len()),
        ),
    }
}

#[cfg(test)]
mod tests;
