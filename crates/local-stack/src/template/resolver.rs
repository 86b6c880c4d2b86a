//! Evaluates resources and outputs, each when it is first needed. The functions in them are in [`super::functions`].

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Resolved, Resource, attributes, document::join, text};
use crate::{problems::Problems, stack::Stack};

/// Marks that the reason has been reported; there is no value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported;

/// A value; `None` stands for `AWS::NoValue`.
pub(super) type Outcome = Result<Option<Value>, Reported>;

pub(super) struct Resolver<'a> {
    pub(super) parameters: BTreeMap<String, Value>,
    pub(super) mappings: &'a Map<String, Value>,
    pub(super) conditions: &'a Map<String, Value>,
    pub(super) declarations: &'a Map<String, Value>,
    pub(super) stack: &'a Stack,
    pub(super) problems: &'a Problems,
    /// Conditions whose value is known; `None` while it is worked out.
    pub(super) decided: BTreeMap<String, Option<Result<bool, Reported>>>,
    /// Resources that are done; `None` for one whose condition is false.
    pub(super) resolved: BTreeMap<String, Option<Resource>>,
    /// Logical ids of the resources that are being worked out, outermost first.
    pub(super) under_way: Vec<String>,
    /// Resources that the innermost one of those has referred to so far.
    pub(super) dependencies: BTreeSet<String>,
}

impl<'a> Resolver<'a> {
    /// Resolves everything there is.
    pub(super) fn run(mut self, rules: &'a Map<String, Value>, outputs: &'a Map<String, Value>) -> Resolved {
        for (name, rule) in rules {
            // What a broken rule says is on record.
            let _ = self.check_rule(rule, &join("Rules", name));
        }
        for name in self.conditions.keys() {
            // A problem is on record; the value is used where the condition is named.
            let _ = self.condition(name, &join("Conditions", name));
        }
        for logical_id in self.declarations.keys() {
            self.resource(logical_id);
        }
        let descriptions = outputs
            .iter()
            .filter_map(|(name, output)| Some((name.clone(), output.get("Description").and_then(text)?)))
            .collect();
        let outputs = outputs
            .iter()
            .filter_map(|(name, output)| Some((name.clone(), self.output(name, output)?)))
            .collect();
        let resources = std::mem::take(&mut self.resolved);
        Resolved {
            resources: resources
                .into_iter()
                .filter_map(|(id, resource)| Some((id, resource?)))
                .collect(),
            outputs,
            output_descriptions: descriptions,
            ..Resolved::default()
        }
    }

    fn output(&mut self, name: &str, output: &'a Value) -> Option<String> {
        let path = join("Outputs", name);
        let settings = self.object(output, &path).ok()?;
        self.only_known(settings, &["Condition", "Description", "Export", "Value"], &path);
        if !self.holds(settings, &path) {
            return None;
        }
        let value_path = join(&path, "Value");
        let Some(value) = settings.get("Value") else {
            self.problems.report(path, "Value is missing");
            return None;
        };
        self.required_text(value, &value_path).ok()
    }

    /// Resolves a resource, once, and everything that it refers to before it.
    fn resource(&mut self, logical_id: &str) -> Option<&Resource> {
        if !self.resolved.contains_key(logical_id) {
            let path = join("Resources", logical_id);
            if !logical_id.chars().all(|char| char.is_ascii_alphanumeric()) {
                let message =
                    format!("Template format error: Resource name {logical_id} is non alphanumeric.");
                self.problems.report(&path, message);
            }
            let of_outer = std::mem::take(&mut self.dependencies);
            self.under_way.push(logical_id.to_owned());
            let resource = self.work_out(logical_id, &path);
            self.under_way.pop();
            self.dependencies = of_outer;
            self.resolved.insert(logical_id.to_owned(), resource);
        }
        self.resolved.get(logical_id)?.as_ref()
    }

    fn work_out(&mut self, logical_id: &str, path: &str) -> Option<Resource> {
        let declarations = self.declarations;
        let settings = self.object(declarations.get(logical_id)?, path).ok()?;
        self.only_known(
            settings,
            &[
                "Condition",
                "DeletionPolicy",
                "DependsOn",
                "Metadata",
                "Properties",
                "Type",
                "UpdateReplacePolicy",
            ],
            path,
        );
        if !self.holds(settings, path) {
            return None;
        }
        let type_name = settings.get("Type").and_then(Value::as_str);
        if type_name.is_none() {
            self.problems.report(path, "Type is missing");
        }
        let type_name = type_name.unwrap_or_default();
        self.depend(settings.get("DependsOn"), &join(path, "DependsOn"));
        let properties = settings
            .get("Properties")
            .map_or(Ok(Some(Value::Object(Map::new()))), |properties| {
                self.value(properties, &join(path, "Properties"))
            });
        let properties = match properties {
            Ok(Some(Value::Object(properties))) => Some(properties),
            Ok(_) => {
                self.problems
                    .report(join(path, "Properties"), "must be an object");
                None
            }
            Err(Reported) => None,
        };
        let sound = properties.is_some();
        let properties = properties.unwrap_or_default();
        Some(Resource {
            reference: attributes::reference(type_name, logical_id, &properties, self.stack),
            logical_id: logical_id.to_owned(),
            type_name: type_name.to_owned(),
            written: settings.get("Properties").cloned().unwrap_or_default(),
            properties,
            sound,
            metadata: settings.get("Metadata").cloned().unwrap_or_default(),
            dependencies: std::mem::take(&mut self.dependencies),
        })
    }

    fn depend(&mut self, on: Option<&Value>, path: &str) {
        let names = match on {
            None => return,
            Some(Value::Array(names)) => names.iter().map(Value::as_str).collect(),
            Some(name) => vec![name.as_str()],
        };
        for name in names {
            match name {
                Some(name) if self.declarations.contains_key(name) => {
                    // A circle is on record; there is no value to use.
                    let _ = self.reach(name);
                }
                Some(name) => self.problems.report(path, unresolved(name, "Resources")),
                None => self
                    .problems
                    .report(path, "must be a logical id or a list of them"),
            }
        }
    }

    /// Resolves a resource that is referred to. A circle of references is reported where it closes.
    ///
    /// `Ok(None)` is a resource whose condition is false.
    fn reach(&mut self, logical_id: &str) -> Result<Option<Resource>, Reported> {
        if let Some(start) = self.under_way.iter().position(|id| id == logical_id) {
            let mut circle = self.under_way[start..].to_vec();
            circle.sort();
            let message = format!("Circular dependency between resources: [{}]", circle.join(", "));
            self.problems.report("Resources", message);
            return Err(Reported);
        }
        let resource = self.resource(logical_id).cloned();
        if resource.is_some() {
            self.dependencies.insert(logical_id.to_owned());
        }
        Ok(resource)
    }

    /// Returns a resource that a function names.
    pub(super) fn referenced(&mut self, logical_id: &str, path: &str) -> Result<Resource, Reported> {
        let section = path.split('.').next().unwrap_or_default();
        if section == "Conditions" || !self.declarations.contains_key(logical_id) {
            return self.report(path, unresolved(logical_id, section));
        }
        match self.reach(logical_id)? {
            Some(resource) => Ok(resource),
            None => {
                let message = unresolved(logical_id, section) + " (its condition is false)";
                self.report(path, message)
            }
        }
    }

    /// Resolves any value.
    pub(super) fn value(&mut self, value: &'a Value, path: &str) -> Outcome {
        match value {
            Value::Object(object) => match object.iter().next() {
                Some((name, argument)) if object.len() == 1 && is_function(name) => {
                    self.function(name, argument, &join(path, name))
                }
                _ => self.every_entry(object, path).map(Some),
            },
            Value::Array(items) => {
                let mut outcome = Ok(Vec::new());
                for (index, item) in items.iter().enumerate() {
                    match (self.value(item, &join(path, &index.to_string())), &mut outcome) {
                        (Ok(value), Ok(values)) => values.extend(value),
                        (Ok(_), Err(Reported)) => {}
                        (Err(Reported), _) => outcome = Err(Reported),
                    }
                }
                outcome.map(|values| Some(Value::Array(values)))
            }
            Value::String(text) if text.contains("{{resolve:") => {
                self.report(path, "dynamic references are not supported by local-stack")
            }
            Value::Null => self.report(path, "[/...] 'null' values are not allowed in templates"),
            Value::String(_) | Value::Bool(_) | Value::Number(_) => Ok(Some(value.clone())),
        }
    }

    fn every_entry(&mut self, object: &'a Map<String, Value>, path: &str) -> Result<Value, Reported> {
        let mut outcome = Ok(Map::new());
        for (key, value) in object {
            let path = join(path, key);
            let value = if key.starts_with("Fn::") {
                self.report(&path, "a function must be the only key of its object")
            } else {
                self.value(value, &path)
            };
            match (value, &mut outcome) {
                (Ok(Some(value)), Ok(entries)) => {
                    entries.insert(key.clone(), value);
                }
                (Ok(_), _) => {}
                (Err(Reported), _) => outcome = Err(Reported),
            }
        }
        outcome.map(Value::Object)
    }
}

fn is_function(name: &str) -> bool {
    name == "Ref" || name.starts_with("Fn::")
}

fn unresolved(name: &str, section: &str) -> String {
    format!(
        "Template format error: Unresolved resource dependencies [{name}] in the {section} block of the template"
    )
}
