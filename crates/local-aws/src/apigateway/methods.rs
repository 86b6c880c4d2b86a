//! Which method a request is for, and whether it is well formed.

use std::collections::BTreeMap;

use http::{header::CONTENT_TYPE, request::Parts};
use jsonschema::{Draft, Validator};

use super::{
    MethodSpec,
    gateway_response::{Cause, GatewayError},
};
use crate::http_event::{decode, query_pairs};

/// A resource: a path and what answers on it.
#[derive(Debug)]
pub(super) struct Resource {
    segments: Vec<Segment>,
    methods: BTreeMap<String, Method>,
}

/// The parts of a resource's path, most specific first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Exact(String),
    Parameter(String),
    /// `{name+}`: all the rest, at least one segment.
    Greedy(String),
}

/// A method of a resource.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) spec: MethodSpec,
    /// By content type, or `$default`.
    validators: BTreeMap<String, Validator>,
}

/// Groups methods by resource, the most specific path first.
pub(super) fn resources(methods: &[MethodSpec]) -> Result<Vec<Resource>, String> {
    let mut by_path: BTreeMap<Vec<Segment>, BTreeMap<String, Method>> = BTreeMap::new();
    for spec in methods {
        let method =
            Method::new(spec).map_err(|error| format!("{} {}: {error}", spec.http_method, spec.path))?;
        let methods = by_path.entry(segments(&spec.path)?).or_default();
        methods.insert(spec.http_method.clone(), method);
    }
    Ok(by_path
        .into_iter()
        .map(|(segments, methods)| Resource { segments, methods })
        .collect())
}

/// Finds the method of a request and its path parameters: the path decides first, then the method.
pub(super) fn find<'a>(
    resources: &'a [Resource],
    http_method: &http::Method,
    path: &str,
) -> Option<(&'a Method, BTreeMap<String, String>)> {
    let path: Vec<&str> = path_segments(path);
    let (resource, parameters) = resources
        .iter()
        .find_map(|resource| Some((resource, resource.matches(&path)?)))?;
    let methods = &resource.methods;
    let method = methods.get(http_method.as_str()).or_else(|| methods.get("ANY"))?;
    Some((method, parameters))
}

fn path_segments(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        Vec::new()
    } else {
        path.split('/').collect()
    }
}

fn segments(path: &str) -> Result<Vec<Segment>, String> {
    let names = path_segments(path);
    let last = names.len().saturating_sub(1);
    names
        .into_iter()
        .enumerate()
        .map(|(at, segment)| {
            let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            match name.map(|name| (name, name.strip_suffix('+'))) {
                None => Ok(Segment::Exact(segment.to_owned())),
                Some((_, Some(greedy))) if at == last => Ok(Segment::Greedy(greedy.to_owned())),
                Some((_, Some(_))) => Err(format!("{path}: {segment} must be the last part")),
                Some((name, None)) => Ok(Segment::Parameter(name.to_owned())),
            }
        })
        .collect()
}

impl Resource {
    fn matches(&self, path: &[&str]) -> Option<BTreeMap<String, String>> {
        let mut parameters = BTreeMap::new();
        let mut rest = path;
        for segment in &self.segments {
            match segment {
                Segment::Greedy(name) => {
                    if rest.is_empty() {
                        return None;
                    }
                    parameters.insert(name.clone(), decode(&rest.join("/")));
                    return Some(parameters);
                }
                Segment::Exact(expected) => {
                    let (actual, after) = rest.split_first()?;
                    if decode(actual) != *expected {
                        return None;
                    }
                    rest = after;
                }
                Segment::Parameter(name) => {
                    let (actual, after) = rest.split_first()?;
                    parameters.insert(name.clone(), decode(actual));
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(parameters)
    }
}

impl Method {
    fn new(spec: &MethodSpec) -> Result<Self, String> {
        let mut validators = BTreeMap::new();
        for (content_type, schema) in &spec.request_models {
            let validator = jsonschema::options()
                .with_draft(Draft::Draft4)
                .build(schema)
                .map_err(|error| format!("model for {content_type}: {error}"))?;
            validators.insert(content_type.to_ascii_lowercase(), validator);
        }
        for name in &spec.required_parameters {
            Parameter::parse(name)?;
        }
        Ok(Self {
            spec: spec.clone(),
            validators,
        })
    }

    /// Checks required parameters, then the body.
    pub(super) fn validate(
        &self,
        parts: &Parts,
        body: &[u8],
        path_parameters: &BTreeMap<String, String>,
    ) -> Result<(), GatewayError> {
        let query = query_pairs(parts.uri.query());
        let missing: Vec<&str> = self
            .spec
            .required_parameters
            .iter()
            .filter_map(|name| Parameter::parse(name).ok())
            .filter(|parameter| match parameter {
                Parameter::Header(name) => !parts.headers.contains_key(*name),
                Parameter::Query(name) => !query.iter().any(|(key, _)| key == name),
                Parameter::Path(name) => !path_parameters.contains_key(*name),
            })
            .map(|parameter| parameter.name())
            .collect();
        if !missing.is_empty() {
            return Err(GatewayError {
                cause: Cause::BadRequestParameters,
                detail: missing.join(", "),
            });
        }
        if self.spec.validate_body {
            self.validate_body(parts, body).map_err(|detail| GatewayError {
                cause: Cause::BadRequestBody,
                detail,
            })?;
        }
        Ok(())
    }

    /// A body whose content type has no model is not checked, as on AWS.
    fn validate_body(&self, parts: &Parts, body: &[u8]) -> Result<(), String> {
        let content_type = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media_type = content_type
            .unwrap_or("application/json")
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let validator = self
            .validators
            .get(&media_type)
            .or_else(|| self.validators.get("$default"));
        let Some(validator) = validator else {
            return Ok(());
        };
        let body = serde_json::from_slice(body).map_err(|_| "the body is not JSON".to_owned())?;
        let errors: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| match error.instance_path().as_str() {
                "" => error.masked().to_string(),
                path => format!("{path}: {}", error.masked()),
            })
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(format!("[{}]", errors.join(", ")))
        }
    }
}

/// A request parameter by its name in the template, `method.request.<place>.<name>`.
enum Parameter<'a> {
    Header(&'a str),
    Query(&'a str),
    Path(&'a str),
}

impl<'a> Parameter<'a> {
    fn parse(name: &'a str) -> Result<Self, String> {
        let place = name
            .strip_prefix("method.request.")
            .and_then(|rest| rest.split_once('.'));
        match place {
            Some(("header", name)) => Ok(Self::Header(name)),
            Some(("querystring", name)) => Ok(Self::Query(name)),
            Some(("path", name)) => Ok(Self::Path(name)),
            _ => Err(format!("request parameter {name} is not implemented")),
        }
    }

    fn name(&self) -> &'a str {
        match *self {
            Self::Header(name) | Self::Query(name) | Self::Path(name) => name,
        }
    }
}
