//! The control plane, as far as users look into it: API keys, usage plans, usage and APIs, read only.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::{ApiGateway, ApiKeySpec, RestApiSpec};
use crate::{
    aws_error::{AwsError, Envelope, json_response},
    http_event::{decode, query_pairs},
    iam::{Call, Principal},
    json_protocol,
    service::{Protocol, Service},
};

impl Service for Arc<ApiGateway> {
    fn name(&self) -> &'static str {
        "apigateway"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Rest
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async move { self.handle_control(&request) })
    }
}

impl ApiGateway {
    /// Answers a control-plane request: `GET` of `/apikeys`, `/restapis` or `/usageplans`, of one of them, and of
    /// `keys` and `usage` of a plan.
    ///
    /// The caller's [`Principal`] must be in the request's extensions.
    pub fn handle_control(&self, request: &Request<Body>) -> Response<Body> {
        match self.control(request) {
            Ok(body) => json_response(StatusCode::OK, "application/json", &body),
            Err(error) => error.into_response(Envelope::RestJson),
        }
    }

    fn control(&self, request: &Request<Body>) -> Result<Value, AwsError> {
        let path = request.uri().path();
        if request.method() != Method::GET {
            return Err(AwsError::not_implemented(
                "apigateway",
                &format!("{} {path}", request.method()),
            ));
        }
        self.authorize(request)?;
        let query = query_pairs(request.uri().query());
        check_query(path, &query)?;
        let asks_for = |name: &str| query.iter().any(|(key, value)| key == name && value == "true");
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let apis = self.apis.read().unwrap_or_else(PoisonError::into_inner);
        let (collection, id) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let id = decode(id);
        match (collection, id.as_str()) {
            ("apikeys", "") => {
                let include = asks_for("includeValues");
                let named = keys.values().filter(|key| has_name(&query, &key.name));
                page(named.map(|key| self.key(key, include)).collect(), &query)
            }
            ("apikeys", id) => keys
                .get(id)
                .map(|key| self.key(key, asks_for("includeValue")))
                .ok_or_else(|| {
                    AwsError::new(404, "NotFoundException", "Invalid API Key identifier specified")
                }),
            ("restapis", "") => page(apis.values().map(|api| rest_api(&api.spec)).collect(), &query),
            ("restapis", id) if !id.contains('/') => apis
                .get(id)
                .map(|api| rest_api(&api.spec))
                .ok_or_else(|| AwsError::new(404, "NotFoundException", "Invalid API identifier specified")),
            ("usageplans", id) => self.usage_plans(id, &query),
            _ => Err(AwsError::not_implemented("apigateway", &format!("GET {path}"))),
        }
    }

    fn authorize(&self, request: &Request<Body>) -> Result<(), AwsError> {
        let principal = request
            .extensions()
            .get::<Principal>()
            .ok_or_else(AwsError::unsigned)?;
        let resource = format!("arn:aws:apigateway:{}::{}", self.region, request.uri().path());
        let call = Call {
            principal,
            action: "apigateway:GET",
            resource: &resource,
            context: &BTreeMap::new(),
            resource_policy: None,
        };
        let decision = self.iam.authorize(&call);
        decision.map_err(|denied| AwsError::new(403, "AccessDeniedException", denied.to_string()))
    }

    fn key(&self, key: &ApiKeySpec, include_value: bool) -> Value {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        let plans = plans.values().filter(|plan| plan.spec.key_ids.contains(&key.id));
        let stages: Vec<String> = plans
            .flat_map(|plan| &plan.spec.stages)
            .map(|(api, stage)| format!("{api}/{stage}"))
            .collect();
        let mut json = json!({
            "id": key.id,
            "name": key.name,
            "enabled": key.enabled,
            "stageKeys": stages,
        });
        if include_value {
            json["value"] = json!(key.value);
        }
        json
    }
}

/// Most items in one answer, and as many as there are unless the request says otherwise.
///
/// Source: Amazon API Gateway API Reference, `limit` of `GetRestApis`.
const MAX_PAGE: usize = 500;
const DEFAULT_PAGE: usize = 25;

/// Refuses a parameter that would be ignored.
fn check_query(path: &str, query: &[(String, String)]) -> Result<(), AwsError> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let known: &[&str] = match parts[..] {
        ["apikeys"] => &["limit", "position", "nameQuery", "includeValues"],
        ["apikeys", _] => &["includeValue"],
        ["restapis"] => &["limit", "position"],
        ["usageplans"] => &["limit", "position", "keyId"],
        ["usageplans", _, "keys"] => &["limit", "position", "nameQuery"],
        ["usageplans", _, "usage"] => &["keyId", "startDate", "endDate"],
        _ => &[],
    };
    match query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(AwsError::not_implemented(
            "apigateway",
            &format!("GET {path} with {name}"),
        )),
        None => Ok(()),
    }
}

fn parameter<'a>(query: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    let found = query.iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.as_str())
}

/// Returns whether a name begins as `nameQuery` says.
pub(super) fn has_name(query: &[(String, String)], name: &str) -> bool {
    parameter(query, "nameQuery").is_none_or(|start| name.starts_with(start))
}

/// Returns the page of a list that is asked for.
pub(super) fn page(items: Vec<Value>, query: &[(String, String)]) -> Result<Value, AwsError> {
    let bad = |message: &str| AwsError::new(400, "BadRequestException", message);
    let limit = match parameter(query, "limit") {
        None => DEFAULT_PAGE,
        Some(limit) => limit
            .parse::<usize>()
            .ok()
            .filter(|limit| (1..=MAX_PAGE).contains(limit))
            .ok_or_else(|| bad("limit must be from 1 to 500"))?,
    };
    let page = json_protocol::page(items, parameter(query, "position"), limit);
    let (items, next) = page.ok_or_else(|| bad("Invalid position parameter specified"))?;
    let mut answer = json!({ "item": items });
    if let Some(position) = next {
        answer["position"] = position.into();
    }
    Ok(answer)
}

fn rest_api(spec: &RestApiSpec) -> Value {
    json!({
        "id": spec.id,
        "name": spec.name,
        "apiKeySource": "HEADER",
        "endpointConfiguration": { "types": ["REGIONAL"] },
    })
}
