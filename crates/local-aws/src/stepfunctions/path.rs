//! JSONPath, as far as it names one place: `$`, `$.a.b`, `$['a b']`, `$.list[0]`, and the same behind
//! `$$` in the context object.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::Failure;

/// What paths look into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Data<'a> {
    /// What `$` is.
    pub input: &'a Value,
    /// What `$$` is.
    pub context: &'a Value,
}

/// One place in the data.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Path {
    text: String,
    of_context: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let unsupported =
            || format!("the path `{text}` is not supported, only $, $.name, $['name'] and $.list[0]");
        let rest = text.strip_prefix('$').ok_or_else(unsupported)?;
        let of_context = rest.starts_with('$');
        let mut rest = rest.strip_prefix('$').unwrap_or(rest);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or_else(unsupported)?;
            steps.push(step);
            rest = after;
        }
        Ok(Self {
            text: text.to_owned(),
            of_context,
            steps,
        })
    }

    /// Returns whether the place is in the context object.
    pub(super) fn is_of_context(&self) -> bool {
        self.of_context
    }

    /// Returns the value at the place, if there is one.
    pub(super) fn find<'a>(&self, data: Data<'a>) -> Option<&'a Value> {
        let root = if self.of_context { data.context } else { data.input };
        self.steps.iter().try_fold(root, |value, step| match step {
            Step::Member(name) => value.as_object()?.get(name),
            Step::Item(index) => value.as_array()?.get(*index),
        })
    }

    /// Returns the value at the place, or the failure of the state that needs it.
    pub(super) fn get(&self, data: Data<'_>, error: &str) -> Result<Value, Failure> {
        self.find(data).cloned().ok_or_else(|| {
            let cause = format!("The JSONPath '{}' could not be found in the input.", self.text);
            Failure::new(error, cause)
        })
    }

    /// Returns `target` with a value at this place; `None` if the place cannot be made in it.
    fn place(&self, mut target: Value, value: Value) -> Option<Value> {
        let place = self
            .steps
            .iter()
            .try_fold(&mut target, |target, step| match step {
                Step::Member(name) => Some(
                    target
                        .as_object_mut()?
                        .entry(name)
                        .or_insert_with(|| Map::new().into()),
                ),
                Step::Item(index) => target.as_array_mut()?.get_mut(*index),
            })?;
        *place = value;
        Some(target)
    }
}

/// Reads the first step of a path; returns it and what is behind.
fn step(path: &str) -> Option<(Step, &str)> {
    if let Some(dotted) = path.strip_prefix('.') {
        let (name, rest) = dotted.split_at(dotted.find(['.', '[']).unwrap_or(dotted.len()));
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let is_name = !name.is_empty() && name.chars().all(is_plain);
        return is_name.then(|| (Step::Member(name.to_owned()), rest));
    }
    let bracketed = path.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(quoted) = bracketed.strip_prefix(quote) {
            let (name, rest) = quoted.split_once(quote)?;
            let is_plain = !name.is_empty() && !name.contains('\\');
            let rest = rest.strip_prefix(']').filter(|_| is_plain)?;
            return Some((Step::Member(name.to_owned()), rest));
        }
    }
    let (index, rest) = bracketed.split_once(']')?;
    Some((Step::Item(index.parse().ok()?), rest))
}

/// `InputPath`, `OutputPath` or `ResultPath`: a path, `$` if absent, or `null`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<Path>")]
pub(super) struct DataPath(Option<Path>);

impl From<Option<Path>> for DataPath {
    fn from(path: Option<Path>) -> Self {
        Self(path)
    }
}

impl Default for DataPath {
    fn default() -> Self {
        Self(Some(Path {
            text: "$".to_owned(),
            of_context: false,
            steps: Vec::new(),
        }))
    }
}

impl DataPath {
    /// Selects what an `InputPath` or `OutputPath` lets through: with `null` an empty object.
    pub(super) fn select(&self, data: Data<'_>) -> Result<Value, Failure> {
        match &self.0 {
            None => Ok(json!({})),
            Some(path) => path.get(data, Failure::RUNTIME),
        }
    }

    /// Puts a result where a `ResultPath` says: with `null` nowhere.
    pub(super) fn place(&self, input: &Value, result: Value) -> Result<Value, Failure> {
        let Some(path) = &self.0 else {
            return Ok(input.clone());
        };
        path.place(input.clone(), result).ok_or_else(|| {
            let cause = format!("Unable to apply ReferencePath {} to input.", path.text);
            Failure::new("States.ResultPathMatchFailure", cause)
        })
    }

    /// Returns whether the path is one that a result can be put at.
    pub(super) fn is_writable(&self) -> bool {
        self.0.as_ref().is_none_or(|path| !path.of_context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_one_place_or_none() {
        let input = json!({"a": {"b c": [10, {"d": null}]}});
        let context = json!({"Execution": {"Name": "run"}});
        for (path, expected) in [
            ("$", Some(input.clone())),
            ("$.a['b c'][0]", Some(json!(10))),
            ("$['a'][\"b c\"][1].d", Some(json!(null))),
            ("$.a.x", None),
            ("$.a['b c'][2]", None),
            ("$.a[0]", None),
            ("$$.Execution.Name", Some(json!("run"))),
        ] {
            let data = Data {
                input: &input,
                context: &context,
            };

            let found = Path::parse(path).expect(path).find(data).cloned();

            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn what_names_several_places_is_refused() {
        for path in [
            "",
            "a",
            "$a",
            "$.",
            "$..a",
            "$.a[*]",
            "$.*",
            "$.a[?(@.b)]",
            "$.a[-1]",
            "$.a[1",
            "$['a",
            "$['']",
            "$.a b",
            "$.length()",
        ] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_result_is_placed_where_the_path_says() {
        let input = json!({"a": 1, "list": [0, 0]});
        let place = |path: Value| {
            let path: DataPath = serde_json::from_value(path).expect("a path");
            path.place(&input, json!("new"))
        };

        assert_eq!(place(json!("$")), Ok(json!("new")));
        assert_eq!(place(json!(null)), Ok(input.clone()));
        assert_eq!(
            place(json!("$.b.c")),
            Ok(json!({"a": 1, "list": [0, 0], "b": {"c": "new"}}))
        );
        assert_eq!(place(json!("$.list[1]")), Ok(json!({"a": 1, "list": [0, "new"]})));
        for path in ["$.a.b", "$.list[2]", "$.list.x"] {
            let error = place(json!(path)).expect_err(path).error;
            assert_eq!(error, "States.ResultPathMatchFailure");
        }
    }
}
