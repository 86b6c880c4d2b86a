//! Reads a CloudFormation template and resolves it: parameters, mappings, conditions, functions.
//!
//! What is not understood is reported by its path, never skipped. Different from CloudFormation: a
//! URL of an API of this stack (`https://<api-id>.execute-api.<region>.amazonaws.com`) becomes its
//! local address; there are no exports of other stacks, transforms or dynamic references.

pub(crate) mod attributes;
mod conditions;
mod document;
mod functions;
pub(crate) mod parameters;
mod resolver;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::{problems::Problems, stack::Stack};
pub(crate) use document::join;
use resolver::Resolver;

/// A template whose every value is known.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The resources whose condition holds, by logical id.
    pub resources: BTreeMap<String, Resource>,
    /// The outputs whose condition holds.
    pub outputs: BTreeMap<String, String>,
    /// Descriptions of the outputs that have one.
    pub output_descriptions: BTreeMap<String, String>,
    /// Values of the parameters; of one with `NoEcho`, stars.
    pub parameters: BTreeMap<String, String>,
    /// Description of the template.
    pub description: String,
}

/// One resource of a resolved template.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Logical id.
    pub logical_id: String,
    /// For example `AWS::S3::Bucket`.
    pub type_name: String,
    /// Properties as they are written, with their functions.
    pub written: Value,
    /// Properties, without functions.
    pub properties: Map<String, Value>,
    /// Whether every property could be resolved; if not, there are none and the reason is reported.
    pub sound: bool,
    /// Metadata, as it is written.
    pub metadata: Value,
    /// What `Ref` gives.
    pub reference: String,
    /// Logical ids of the resources that it refers to or depends on.
    pub dependencies: BTreeSet<String>,
}

impl Resource {
    /// Returns the path of the resource in the template.
    pub fn path(&self) -> String {
        join("Resources", &self.logical_id)
    }
}

impl Resolved {
    /// Returns whether `resource` is made after `other`, directly or through others.
    pub fn depends_on(&self, resource: &str, other: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![resource];
        while let Some(id) = open.pop() {
            let Some(resource) = self.resources.get(id) else {
                continue;
            };
            if resource.dependencies.contains(other) {
                return true;
            }
            open.extend(
                resource
                    .dependencies
                    .iter()
                    .map(String::as_str)
                    .filter(|id| seen.insert(*id)),
            );
        }
        false
    }
}

/// Resolves a template. What is wrong is reported; the rest is resolved all the same.
pub fn resolve(
    text: &str,
    arguments: &BTreeMap<String, String>,
    stack: &Stack,
    problems: &Problems,
) -> Resolved {
    let document = document::read(text, problems);
    let Value::Object(sections) = &document else {
        if !document.is_null() {
            problems.report("", "Template format error: the template is not an object");
        }
        return Resolved::default();
    };
    check_sections(sections, problems);
    let values = parameters::resolve(section(sections, "Parameters", problems), arguments, problems);
    let resources = section(sections, "Resources", problems);
    if resources.is_empty() {
        problems.report(
            "",
            "Template format error: At least one Resources member must be defined.",
        );
    }
    let shown = parameters::shown(section(sections, "Parameters", problems), &values);
    let resolved = Resolver {
        parameters: values,
        mappings: section(sections, "Mappings", problems),
        conditions: section(sections, "Conditions", problems),
        declarations: resources,
        stack,
        problems,
        decided: BTreeMap::new(),
        resolved: BTreeMap::new(),
        under_way: Vec::new(),
        dependencies: BTreeSet::new(),
    }
    .run(
        section(sections, "Rules", problems),
        section(sections, "Outputs", problems),
    );
    let description = sections.get("Description").and_then(Value::as_str);
    Resolved {
        parameters: shown,
        description: description.unwrap_or_default().to_owned(),
        ..resolved
    }
}

/// Reports the sections that nobody knows, and another version of the format.
fn check_sections(sections: &Map<String, Value>, problems: &Problems) {
    for section in sections.keys() {
        match section.as_str() {
            "AWSTemplateFormatVersion"
            | "Description"
            | "Metadata"
            | "Parameters"
            | "Mappings"
            | "Rules"
            | "Conditions"
            | "Resources"
            | "Outputs" => {}
            "Transform" | "Hooks" => {
                problems.report(section, "this section is not supported by local-stack");
            }
            _ => problems.report("", format!("Invalid template property or properties [{section}]")),
        }
    }
    if sections
        .get("AWSTemplateFormatVersion")
        .is_some_and(|version| version != "2010-09-09")
    {
        problems.report(
            "AWSTemplateFormatVersion",
            "Template format error: unsupported value",
        );
    }
}

static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

fn section<'a>(sections: &'a Map<String, Value>, name: &str, problems: &Problems) -> &'a Map<String, Value> {
    match sections.get(name) {
        Some(Value::Object(section)) => section,
        None => &EMPTY,
        Some(_) => {
            problems.report(
                name,
                format!("Template format error: {name} section is not an object"),
            );
            &EMPTY
        }
    }
}

/// Returns a scalar as text: CloudFormation takes `10` for `"10"` and `true` for `"true"`.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
