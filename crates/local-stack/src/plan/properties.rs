//! Reads the properties of a resource so that none is skipped.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::{Map, Value};

use crate::{
    problems::Problems,
    template::{Resource, join, text},
};

/// Hands out properties one by one. Those that nobody asked for are reported when it is dropped.
pub(super) struct Properties<'a> {
    pub(super) path: String,
    pub(super) problems: &'a Problems,
    unread: Map<String, Value>,
}

impl Drop for Properties<'_> {
    fn drop(&mut self) {
        for key in self.unread.keys() {
            self.problems.report(
                join(&self.path, key),
                "the property is not supported by local-stack",
            );
        }
    }
}

impl<'a> Properties<'a> {
    pub(super) fn of(resource: &Resource, problems: &'a Problems) -> Self {
        Self {
            path: join(&resource.path(), "Properties"),
            problems,
            unread: resource.properties.clone(),
        }
    }

    /// Accepts properties that change nothing on one machine.
    pub(super) fn ignore(&mut self, keys: &[&str]) {
        for key in keys {
            self.unread.remove(*key);
        }
    }

    /// Accepts all properties: the resource itself does nothing on one machine.
    pub(super) fn ignore_all(&mut self) {
        self.unread.clear();
    }

    pub(super) fn json(&mut self, key: &str) -> Option<Value> {
        self.unread.remove(key)
    }

    pub(super) fn required_json(&mut self, key: &str) -> Value {
        self.require(key);
        self.json(key).unwrap_or_default()
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.parsed(key, "must be a text", Some)
    }

    pub(super) fn required_text(&mut self, key: &str) -> String {
        self.require(key);
        self.text(key).unwrap_or_default()
    }

    /// Reports a property that is absent.
    pub(super) fn require(&self, key: &str) {
        if !self.unread.contains_key(key) {
            self.report(key, "the property is required");
        }
    }

    /// Returns one of the values that local-stack can do.
    pub(super) fn one_of(&mut self, key: &str, values: &[&str]) -> Option<String> {
        let value = self.text(key)?;
        if !values.contains(&value.as_str()) {
            let values = values.join(", ");
            self.report(
                key,
                &format!("`{value}` is not supported by local-stack, only {values}"),
            );
        }
        Some(value)
    }

    pub(super) fn integer(&mut self, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let message = format!("must be a number from {} to {}", range.start(), range.end());
        self.parsed(key, &message, |text| {
            text.parse().ok().filter(|number| range.contains(number))
        })
    }

    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        self.parsed(key, "must be a number", |text| {
            text.parse().ok().filter(|number: &f64| number.is_finite())
        })
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        self.parsed(key, "must be true or false", |text| text.parse().ok())
    }

    pub(super) fn texts_by_key(&mut self, key: &str) -> BTreeMap<String, String> {
        let Some(value) = self.json(key) else {
            return BTreeMap::new();
        };
        let texts = value.as_object().and_then(|entries| {
            entries
                .iter()
                .map(|(key, value)| Some((key.clone(), text(value)?)))
                .collect()
        });
        texts.unwrap_or_else(|| {
            self.report(key, "must be an object of texts");
            BTreeMap::new()
        })
    }

    pub(super) fn nested(&mut self, key: &str) -> Option<Self> {
        let value = self.json(key)?;
        self.nest(key, value)
    }

    pub(super) fn list(&mut self, key: &str) -> Vec<Self> {
        match self.json(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .into_iter()
                .enumerate()
                .filter_map(|(index, item)| self.nest(&join(key, &index.to_string()), item))
                .collect(),
            Some(_) => {
                self.report(key, "must be a list");
                Vec::new()
            }
        }
    }

    pub(super) fn report(&self, key: &str, message: &str) {
        self.problems.report(join(&self.path, key), message);
    }

    fn nest(&self, key: &str, value: Value) -> Option<Self> {
        let Value::Object(unread) = value else {
            self.report(key, "must be an object");
            return None;
        };
        Some(Self {
            path: join(&self.path, key),
            problems: self.problems,
            unread,
        })
    }

    fn parsed<T>(&mut self, key: &str, message: &str, parse: impl Fn(String) -> Option<T>) -> Option<T> {
        let value = self.json(key)?;
        let parsed = text(&value).and_then(parse);
        if parsed.is_none() {
            self.report(key, message);
        }
        parsed
    }
}
