//! A JSONPath of the simple kind: members, places in arrays, and all of them.

use std::str::FromStr;

use serde_json::Value;

/// A path such as `$.predictions[0].label` or `$[*]['label']`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Place(usize),
    All,
}

/// Not a path of the simple kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a JSONPath of members, places and stars, such as $.predictions[0].label or $[*].score")]
pub struct InvalidJsonPath;

impl FromStr for JsonPath {
    type Err = InvalidJsonPath;

    fn from_str(text: &str) -> Result<Self, InvalidJsonPath> {
        let mut rest = text.strip_prefix('$').ok_or(InvalidJsonPath)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = next_step(rest).ok_or(InvalidJsonPath)?;
            steps.push(step);
            rest = after;
        }
        Ok(Self(steps))
    }
}

fn next_step(text: &str) -> Option<(Step, &str)> {
    if let Some(text) = text.strip_prefix('.') {
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        return match name {
            "" => None,
            "*" => Some((Step::All, rest)),
            name if name.contains([']', '\'', '"', '*', ' ']) => None,
            name => Some((Step::Member(name.to_owned()), rest)),
        };
    }
    let text = text.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(text) = text.strip_prefix(quote) {
            let (name, rest) = text.split_once(quote)?;
            return Some((Step::Member(name.to_owned()), rest.strip_prefix(']')?));
        }
    }
    let (place, rest) = text.split_once(']')?;
    match place {
        "*" => Some((Step::All, rest)),
        place => Some((Step::Place(place.parse().ok()?), rest)),
    }
}

impl JsonPath {
    /// Returns what the path leads to, in the order of the document; nothing where it leads nowhere.
    pub(super) fn select<'a>(&self, value: &'a Value) -> Vec<Selected<'a>> {
        let place = Vec::new();
        let mut selected = vec![Selected { place, value }];
        for step in &self.0 {
            selected = selected.into_iter().flat_map(|one| one.next(step)).collect();
        }
        selected
    }
}

/// What a path leads to.
#[derive(Clone, Debug)]
pub(super) struct Selected<'a> {
    /// Which place, or member, each star of the path stands for.
    pub(super) place: Vec<Place<'a>>,
    /// The value.
    pub(super) value: &'a Value,
}

/// What a star stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Item(usize),
    Member(&'a str),
}

impl<'a> Selected<'a> {
    /// Returns what one more step leads to.
    fn next(self, step: &Step) -> Vec<Self> {
        let to = |value| Self {
            place: self.place.clone(),
            value,
        };
        let to_each = |(place, value)| Self {
            place: self.place.iter().copied().chain([place]).collect(),
            value,
        };
        match (step, self.value) {
            (Step::Member(name), Value::Object(members)) => members.get(name).into_iter().map(to).collect(),
            (Step::Place(place), Value::Array(items)) => items.get(*place).into_iter().map(to).collect(),
            (Step::All, Value::Array(items)) => {
                let items = items.iter().enumerate();
                let places = items.map(|(place, item)| (Place::Item(place), item));
                places.map(to_each).collect()
            }
            (Step::All, Value::Object(members)) => {
                let places = members.iter().map(|(name, value)| (Place::Member(name), value));
                places.map(to_each).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_places_and_stars_are_followed() {
        let document = json!({"a": [{"b.c": 1}, {"b.c": 2}], "d": {"e": 3}});
        let select = |path: &str| -> Vec<Value> {
            let path: JsonPath = path.parse().expect("a path");
            path.select(&document)
                .into_iter()
                .map(|one| one.value.clone())
                .collect()
        };

        assert_eq!(select("$.a[*]['b.c']"), [1, 2]);
        assert_eq!(select("$.a[1][\"b.c\"]"), [2]);
        assert_eq!(select("$.d.*"), [3]);
        assert_eq!(select("$"), std::slice::from_ref(&document));
        assert!(select("$.a.b").is_empty() && select("$.a[7]").is_empty());
    }

    #[test]
    fn what_is_no_simple_path_is_refused() {
        for text in [
            "",
            "a",
            "$..label",
            "$.",
            "$[",
            "$[a]",
            "$[-1]",
            "$['a",
            "$['a'",
            "$.a b",
            "$[?(@.a)]",
        ] {
            assert_eq!(text.parse::<JsonPath>(), Err(InvalidJsonPath), "{text}");
        }
    }
}
