//! Methods of paths, with their integrations.

use std::collections::BTreeMap;

use local_aws::apigateway::{Integration, MethodSpec};

use super::super::Properties;
use crate::template::Resource;

/// A method of a path.
pub(super) struct Method {
    pub(super) resource: Resource,
    pub(super) api_id: String,
    pub(super) resource_id: String,
    pub(super) validator_id: Option<String>,
    /// Model name by content type.
    pub(super) models: BTreeMap<String, String>,
    pub(super) spec: MethodSpec,
}

/// Reads a method.
pub(super) fn method(resource: &Resource, mut properties: Properties<'_>) -> Method {
    properties.ignore(&["MethodResponses", "OperationName"]);
    properties.one_of("AuthorizationType", &["NONE"]);
    let required_parameters = properties
        .texts_by_key("RequestParameters")
        .into_iter()
        .filter(|(_, required)| required == "true")
        .map(|(name, _)| name)
        .collect();
    properties.require("Integration");
    let integration = properties.nested("Integration").and_then(integration_of);
    Method {
        resource: resource.clone(),
        api_id: properties.required_text("RestApiId"),
        resource_id: properties.required_text("ResourceId"),
        validator_id: properties.text("RequestValidatorId"),
        models: properties.texts_by_key("RequestModels"),
        spec: MethodSpec {
            path: String::new(),
            http_method: properties.required_text("HttpMethod"),
            api_key_required: properties.flag("ApiKeyRequired").unwrap_or(false),
            request_models: BTreeMap::new(),
            validate_body: false,
            required_parameters,
            integration: integration.unwrap_or(Integration::Mock {
                status: 500,
                headers: BTreeMap::new(),
            }),
        },
    }
}

fn integration_of(mut properties: Properties<'_>) -> Option<Integration> {
    properties.ignore(&["PassthroughBehavior"]);
    match properties.one_of("Type", &["AWS_PROXY", "MOCK"])?.as_str() {
        "AWS_PROXY" => {
            properties.one_of("IntegrationHttpMethod", &["POST"]);
            let uri = properties.required_text("Uri");
            let function_arn = uri
                .split_once(":lambda:path/2015-03-31/functions/")
                .and_then(|(_, rest)| rest.strip_suffix("/invocations"));
            if function_arn.is_none() {
                properties.report("Uri", "is not the invocation of a function");
            }
            Some(Integration::LambdaProxy {
                function_arn: function_arn?.to_owned(),
                timeout_ms: properties
                    .integer("TimeoutInMillis", 50..=29_000)
                    .unwrap_or(29_000),
            })
        }
        "MOCK" => mock(properties),
        _ => {
            properties.ignore_all();
            None
        }
    }
}

/// Reads a fixed answer: its status and headers, in single quotes as API Gateway wants constants.
fn mock(mut properties: Properties<'_>) -> Option<Integration> {
    properties.ignore(&["RequestTemplates"]);
    let responses = properties.list("IntegrationResponses");
    if responses.len() != 1 {
        properties.report("IntegrationResponses", "must be one response");
    }
    let mut response = responses.into_iter().next()?;
    response.ignore(&["ResponseTemplates"]);
    Some(Integration::Mock {
        headers: constants(&mut response, "method.response.header."),
        status: status(&mut response)?,
    })
}

pub(super) fn status(properties: &mut Properties<'_>) -> Option<u16> {
    let status = properties.integer("StatusCode", 100..=599)?;
    u16::try_from(status).ok()
}

/// Reads `ResponseParameters` whose values are constants, by header name.
pub(super) fn constants(properties: &mut Properties<'_>, prefix: &str) -> BTreeMap<String, String> {
    let parameters = properties.texts_by_key("ResponseParameters");
    let constant = |name: &str, value: &str| {
        let name = name.strip_prefix(prefix)?;
        let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
        Some((name.to_owned(), value.to_owned()))
    };
    let mut headers = BTreeMap::new();
    for (name, value) in parameters {
        match constant(&name, &value) {
            Some((name, value)) => {
                headers.insert(name, value);
            }
            None => properties.report(
                "ResponseParameters",
                &format!("{name} must be a header and its value a constant in single quotes"),
            ),
        }
    }
    headers
}
