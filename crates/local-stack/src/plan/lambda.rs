//! `AWS::Lambda::…`.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use local_aws::lambda::{EventInvokeSpec, FunctionSpec, FunctionUrlSpec, PermissionSpec};

use super::Properties;
use crate::{
    problems::Problems,
    stack::Stack,
    template::{Resource, attributes::function_url_id, join, parameters},
    template_files::TemplateFiles,
};

/// Variable in which a function finds the folder of its package.
const TASK_ROOT: &str = "LAMBDA_TASK_ROOT";

/// The programs that functions run.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The executable, started as `<executable> lambda <name>`.
    pub executable: PathBuf,
    /// The names that it knows.
    pub names: &'static [&'static str],
    /// Says what is wrong with the environment of the function of a name, so that a value that no function takes is refused
    /// before anything runs.
    pub check: fn(&str, &BTreeMap<String, String>) -> Result<(), WrongVariable>,
}

/// A variable of a function's environment that the function cannot use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongVariable {
    /// Name of the variable.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

pub(super) fn function(
    resource: &Resource,
    mut properties: Properties<'_>,
    (programs, files): (&Programs, &TemplateFiles),
) -> FunctionSpec {
    // The process is of this machine's architecture and has its disk.
    properties.ignore(&[
        "Architectures",
        "Description",
        "EphemeralStorage",
        "FunctionName",
        "Handler",
        "Tags",
        "TracingConfig",
    ]);
    properties.one_of("PackageType", &["Zip"]);
    properties.one_of("Runtime", &["provided.al2023", "provided.al2"]);
    let mut environment = properties.nested("Environment");
    let mut environment = environment
        .as_mut()
        .map(|environment| environment.texts_by_key("Variables"))
        .unwrap_or_default();
    let mut logging = properties.nested("LoggingConfig");
    let log_format = logging.as_mut().and_then(|logging| {
        // Logs lie in the state folder.
        logging.ignore(&["LogGroup"]);
        logging.one_of("LogFormat", &["JSON", "Text"])
    });
    let command = command(&mut properties, programs, files);
    if let ([program], None) = (command.as_slice(), environment.get(TASK_ROOT)) {
        let folder = Path::new(program).parent().unwrap_or(Path::new("/"));
        environment.insert(TASK_ROOT.to_owned(), folder.to_string_lossy().into_owned());
    }
    check_environment(resource, &properties, programs, &command, &environment);
    FunctionSpec {
        name: resource.reference.clone(),
        role_arn: properties.required_text("Role"),
        environment,
        timeout_seconds: properties.integer("Timeout", 1..=900).unwrap_or(3),
        memory_megabytes: properties.integer("MemorySize", 128..=10_240).unwrap_or(128),
        json_logs: log_format.as_deref() == Some("JSON"),
        reserved_concurrency: properties.integer("ReservedConcurrentExecutions", 0..=1_000),
        command,
    }
}

/// Reports a variable that the function cannot use, by the parameter that it is taken from, if it is from one.
fn check_environment(
    resource: &Resource,
    properties: &Properties<'_>,
    programs: &Programs,
    command: &[OsString],
    environment: &BTreeMap<String, String>,
) {
    let name = command.last().and_then(|name| name.to_str()).unwrap_or_default();
    if !programs.names.contains(&name) {
        return;
    }
    let Err(WrongVariable { name, reason }) = (programs.check)(name, environment) else {
        return;
    };
    let written = resource
        .written
        .pointer(&format!("/Environment/Variables/{name}/Ref"));
    let parameter = written.and_then(|name| name.as_str());
    match parameter.filter(|name| !resource.dependencies.contains(*name)) {
        Some(parameter) if properties.problems.is_parameter_refused(parameter) => {}
        Some(parameter) => properties
            .problems
            .refuse_parameter(parameter, parameters::refused(parameter, &reason)),
        None => properties.report(&format!("Environment.Variables.{name}"), &reason),
    }
}

/// Finds the program by the last component of the package's path: `../target/lambda/classify`,
/// `classify.zip` or, as cargo-lambda lays it out, `classify/bootstrap.zip`. A package of another name is a function of
/// one's own, in the folder of the template.
fn command(properties: &mut Properties<'_>, programs: &Programs, files: &TemplateFiles) -> Vec<OsString> {
    let package = properties.required_text("Code");
    let mut path = PathBuf::from(package.strip_suffix(".zip").unwrap_or(&package));
    if path.ends_with("bootstrap") {
        path.pop();
    }
    let name = path.file_name().unwrap_or_default();
    if !package.is_empty() && !programs.names.iter().any(|known| name == *known) {
        if let Some(own) = files.program(&package) {
            return vec![own.into()];
        }
        let known = programs.names.join(", ");
        properties.report(
            "Code",
            &format!(
                "`{package}` names none of the functions in this program ({known}), nor a program beside the template, \
                 or a folder with one that is called bootstrap"
            ),
        );
    }
    vec![
        programs.executable.clone().into(),
        "lambda".into(),
        name.to_owned(),
    ]
}

pub(super) fn event_invoke(mut properties: Properties<'_>) -> EventInvokeSpec {
    properties.one_of("Qualifier", &["$LATEST"]);
    let mut destinations = properties.nested("DestinationConfig");
    let mut on_failure = destinations
        .as_mut()
        .and_then(|destinations| destinations.nested("OnFailure"));
    EventInvokeSpec {
        function_name: name_of(&properties.required_text("FunctionName")),
        maximum_retry_attempts: properties.integer("MaximumRetryAttempts", 0..=2).unwrap_or(2),
        maximum_event_age_seconds: properties
            .integer("MaximumEventAgeInSeconds", 60..=21_600)
            .unwrap_or(21_600),
        on_failure_arn: on_failure
            .as_mut()
            .map(|on_failure| on_failure.required_text("Destination")),
    }
}

pub(super) fn permission(mut properties: Properties<'_>) -> PermissionSpec {
    properties.one_of("FunctionUrlAuthType", &["AWS_IAM", "NONE"]);
    properties.flag("InvokedViaFunctionUrl");
    PermissionSpec {
        function_name: name_of(&properties.required_text("FunctionName")),
        action: properties.required_text("Action"),
        principal: properties.required_text("Principal"),
        source_arn: properties.text("SourceArn"),
        source_account: properties.text("SourceAccount"),
    }
}

pub(super) fn function_url(
    resource: &Resource,
    mut properties: Properties<'_>,
    stack: &Stack,
) -> FunctionUrlSpec {
    properties.one_of("InvokeMode", &["BUFFERED"]);
    let auth_type = properties.required_text("AuthType");
    if !["AWS_IAM", "NONE"].contains(&auth_type.as_str()) {
        properties.report("AuthType", "must be AWS_IAM or NONE");
    }
    FunctionUrlSpec {
        id: function_url_id(stack, &resource.logical_id),
        function_name: name_of(&properties.required_text("TargetFunctionArn")),
        iam_auth: auth_type == "AWS_IAM",
    }
}

/// Reads `Metadata: { LocalStack: { ServesSigningName: comprehend } }` of a function URL: requests
/// on the one port that are signed for that service are passed on to it.
pub(super) fn serves_signing_name(
    resource: &Resource,
    url: &FunctionUrlSpec,
    problems: &Problems,
) -> Option<(String, String)> {
    let settings = resource.metadata.get("LocalStack")?;
    let name = settings.get("ServesSigningName").and_then(|it| it.as_str());
    if name.is_none() || settings.as_object().is_some_and(|it| it.len() > 1) {
        problems.report(
            join(&resource.path(), "Metadata.LocalStack"),
            "must be one ServesSigningName",
        );
    }
    Some((name?.to_owned(), url.id.clone()))
}

/// Returns the name of a function, given its name or ARN.
fn name_of(name_or_arn: &str) -> String {
    match name_or_arn.split_once(":function:") {
        Some((_, name)) => name.to_owned(),
        None => name_or_arn.to_owned(),
    }
}
