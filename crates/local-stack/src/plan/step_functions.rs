//! `AWS::StepFunctions::StateMachine`.

use std::collections::BTreeMap;

use local_aws::stepfunctions::{StateMachineSpec, StepFunctions};
use serde_json::Value;

use super::Properties;
use crate::{template::Resource, template_files::TemplateFiles};

pub(super) fn state_machine(
    resource: &Resource,
    mut properties: Properties<'_>,
    files: &TemplateFiles,
) -> StateMachineSpec {
    // The history of an execution is here without logging it, and in logs/<machine>.log.
    properties.ignore(&[
        "LoggingConfiguration",
        "StateMachineName",
        "Tags",
        "TracingConfiguration",
    ]);
    properties.one_of("StateMachineType", &["STANDARD"]);
    let role_arn = properties.required_text("RoleArn");
    let substitutions = properties.texts_by_key("DefinitionSubstitutions");
    let definition = definition(&mut properties, &substitutions, files);
    let name = resource.reference.rsplit(':').next().unwrap_or_default();
    StateMachineSpec {
        name: name.to_owned(),
        definition,
        role_arn,
    }
}

/// Reads the definition, wherever it stands, and makes its substitutions. What is wrong is reported.
fn definition(
    properties: &mut Properties<'_>,
    substitutions: &BTreeMap<String, String>,
    files: &TemplateFiles,
) -> String {
    const SOURCES: [&str; 3] = ["Definition", "DefinitionString", "DefinitionS3Location"];
    let given = SOURCES.map(|source| properties.json(source).map(|value| (source, value)));
    let mut given = given.into_iter().flatten();
    let (Some((source, value)), None) = (given.next(), given.next()) else {
        properties.report(
            "Definition",
            "give one of Definition, DefinitionString and DefinitionS3Location",
        );
        return String::new();
    };
    let text = match (source, value) {
        ("Definition", definition @ Value::Object(_)) => Ok(definition.to_string()),
        ("DefinitionString", Value::String(text)) => Ok(text),
        ("DefinitionS3Location", Value::String(path)) => files.read(&path).map_err(|error| error.to_string()),
        ("DefinitionS3Location", _) => {
            Err("must be a path relative to the template, as before packaging".to_owned())
        }
        _ => Err("is not a definition".to_owned()),
    };
    let definition = text
        .and_then(|text| substitute(text, substitutions))
        .and_then(|text| {
            StepFunctions::validate_definition(&text)?;
            Ok(text)
        });
    definition.unwrap_or_else(|reason| {
        properties.report(source, &reason);
        String::new()
    })
}

/// Replaces each `${Name}`.
fn substitute(mut definition: String, substitutions: &BTreeMap<String, String>) -> Result<String, String> {
    for (name, value) in substitutions {
        definition = definition.replace(&format!("${{{name}}}"), value);
    }
    match definition
        .split_once("${")
        .and_then(|(_, rest)| rest.split_once('}'))
    {
        None => Ok(definition),
        Some((name, _)) => Err(format!("${{{name}}} is not among the DefinitionSubstitutions")),
    }
}
