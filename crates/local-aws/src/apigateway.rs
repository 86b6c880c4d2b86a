//! Amazon API Gateway, REST APIs (v1): `/_aws/execute-api/<api>/<stage>/…`.
//!
//! A request passes, in this order: route, API key, throttle, quota, validation, integration. Each
//! refusal is a gateway response, which the template may customise.
//!
//! Differences from AWS:
//! - Header names reach the function in lower case, as they do from HTTP/2 clients on AWS.
//! - A request body that is not UTF-8 reaches the function in base64, and an answer marked as base64 is
//!   decoded, whatever the API's binary media types.
//! - Quotas are counted in memory and saved every second, so that a crash may forget the last second.
//! - `X-Forwarded-Proto` says `http`.

mod control;
mod gateway_response;
mod methods;
mod plans;
mod proxy;
mod spec;
#[cfg(test)]
mod tests;
mod usage;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use chrono::Utc;
use http::{Request, Response, header::HeaderName, request::Parts};
use uuid::Uuid;

pub use self::spec::{
    ApiKeySpec, GatewayResponseSpec, Integration, MethodSpec, Period, Quota, RestApiSpec, Throttle,
    UsagePlanSpec,
};
use self::{
    gateway_response::{Cause, GatewayError},
    methods::{Method, Resource},
    usage::{Limiter, Usage, limiter},
};
use crate::{
    ACCOUNT_ID,
    http_event::MAX_EVENT_BYTES,
    iam::Iam,
    lambda::{InvokeError, Lambda},
    store::Store,
};

/// Largest request body.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// The REST APIs, their keys and usage plans.
#[derive(Debug)]
pub struct ApiGateway {
    iam: Arc<Iam>,
    lambda: Arc<Lambda>,
    region: String,
    usage: Usage,
    apis: RwLock<BTreeMap<String, Arc<Api>>>,
    keys: RwLock<BTreeMap<String, ApiKeySpec>>,
    plans: RwLock<BTreeMap<String, Arc<Plan>>>,
}

#[derive(Debug)]
struct Api {
    spec: RestApiSpec,
    resources: Vec<Resource>,
    limiter: Option<Limiter>,
}

#[derive(Debug)]
struct Plan {
    spec: UsagePlanSpec,
    limiters: BTreeMap<String, Limiter>,
}

/// A request that has found its method.
struct Exchange<'a> {
    api: &'a RestApiSpec,
    method: &'a Method,
    /// Path without the stage, as sent.
    path: &'a str,
    path_parameters: BTreeMap<String, String>,
    /// Set if the method requires one.
    api_key: Option<ApiKeySpec>,
    parts: &'a Parts,
    body: Bytes,
    request_id: &'a str,
    extended_request_id: &'a str,
}

impl ApiGateway {
    /// Opens the service without APIs, with the usage that earlier runs have counted.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        lambda: Arc<Lambda>,
        region: String,
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            iam,
            lambda,
            region,
            usage: Usage::open(store)?,
            apis: RwLock::default(),
            keys: RwLock::default(),
            plans: RwLock::default(),
        })
    }

    /// Adds or replaces a REST API.
    ///
    /// # Errors
    ///
    /// Names what is malformed or not implemented: a model, a template's variable, a throttle.
    pub fn put_rest_api(&self, spec: RestApiSpec) -> Result<(), String> {
        let in_api = |error: String| format!("REST API {}: {error}", spec.name);
        for (kind, response) in &spec.gateway_responses {
            gateway_response::validate(response)
                .map_err(|error| in_api(format!("gateway response {kind}: {error}")))?;
        }
        let api = Api {
            resources: methods::resources(&spec.methods).map_err(in_api)?,
            limiter: spec.throttle.map(limiter).transpose().map_err(in_api)?,
            spec: spec.clone(),
        };
        let mut apis = self.apis.write().unwrap_or_else(PoisonError::into_inner);
        apis.insert(spec.id, Arc::new(api));
        Ok(())
    }

    /// Adds or replaces an API key.
    ///
    /// # Errors
    ///
    /// When the value is not of 20 to 128 characters.
    pub fn put_api_key(&self, spec: ApiKeySpec) -> Result<(), String> {
        if !(20..=128).contains(&spec.value.len()) {
            return Err(format!(
                "the value of API key {} must have 20 to 128 characters",
                spec.name
            ));
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(spec.id.clone(), spec);
        Ok(())
    }

    /// Adds or replaces a usage plan. What was used of its quota stays counted.
    ///
    /// # Errors
    ///
    /// When its throttle is out of range.
    pub fn put_usage_plan(&self, spec: UsagePlanSpec) -> Result<(), String> {
        let mut limiters = BTreeMap::new();
        if let Some(throttle) = spec.throttle {
            for key in &spec.key_ids {
                let limiter =
                    limiter(throttle).map_err(|error| format!("usage plan {}: {error}", spec.id))?;
                limiters.insert(key.clone(), limiter);
            }
        }
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        plans.insert(spec.id.clone(), Arc::new(Plan { spec, limiters }));
        Ok(())
    }

    /// Saves the usage counted since the last call, if any.
    ///
    /// # Errors
    ///
    /// Whatever the index reports; the next call tries again.
    pub fn save_usage(&self) -> Result<(), redb::Error> {
        self.usage.save()
    }

    /// Answers a request to `/_aws/execute-api/<api>/<stage>/…`.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let request_id = Uuid::new_v4().to_string();
        let extended_request_id = extended_request_id();
        let (parts, body) = request.into_parts();
        let (api_id, stage, path) = address(parts.uri.path());
        let api = {
            let apis = self.apis.read().unwrap_or_else(PoisonError::into_inner);
            apis.get(api_id).filter(|api| api.spec.stage == stage).cloned()
        };

        let result = match &api {
            Some(api) => {
                let ids = (request_id.as_str(), extended_request_id.as_str());
                self.answer(api, path, &parts, body, ids).await
            }
            None => Err(Cause::UnknownStage.into()),
        };
        let mut response = result.unwrap_or_else(|error| {
            let customised = api.as_ref().map(|api| &api.spec.gateway_responses);
            error.into_response(customised, &request_id)
        });
        for (name, value) in [
            ("x-amzn-requestid", &request_id),
            ("x-amz-apigw-id", &extended_request_id),
        ] {
            let value = value.parse().expect("an id is ASCII");
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
        response
    }

    async fn answer(
        &self,
        api: &Api,
        path: &str,
        parts: &Parts,
        body: Body,
        (request_id, extended_request_id): (&str, &str),
    ) -> Result<Response<Body>, GatewayError> {
        let body = axum::body::to_bytes(body, MAX_BODY_BYTES)
            .await
            .map_err(|_| Cause::RequestTooLarge)?;
        let (method, path_parameters) =
            methods::find(&api.resources, &parts.method, path).ok_or(Cause::MissingAuthenticationToken)?;
        let api_key = if method.spec.api_key_required {
            Some(self.admit_key(api, parts)?)
        } else {
            None
        };
        if api
            .limiter
            .as_ref()
            .is_some_and(|limiter| limiter.check().is_err())
        {
            return Err(Cause::Throttled.into());
        }
        method.validate(parts, &body, &path_parameters)?;
        let exchange = Exchange {
            api: &api.spec,
            method,
            path,
            path_parameters,
            api_key,
            parts,
            body,
            request_id,
            extended_request_id,
        };
        match &method.spec.integration {
            Integration::Mock { status, headers } => Ok(proxy::mock(*status, headers)),
            Integration::LambdaProxy {
                function_arn,
                timeout_ms,
            } => self.call_function(&exchange, function_arn, *timeout_ms).await,
        }
    }

    /// Finds the key of a request and a plan that admits it, and counts the request.
    fn admit_key(&self, api: &Api, parts: &Parts) -> Result<ApiKeySpec, GatewayError> {
        let value = parts.headers.get("x-api-key").ok_or(Cause::InvalidApiKey)?;
        let key = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let key = keys
                .values()
                .find(|key| key.enabled && key.value.as_bytes() == value.as_bytes());
            key.cloned().ok_or(Cause::InvalidApiKey)?
        };
        let plan = {
            let stage = (api.spec.id.clone(), api.spec.stage.clone());
            let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
            let plan = plans
                .values()
                .find(|plan| plan.spec.key_ids.contains(&key.id) && plan.spec.stages.contains(&stage));
            plan.cloned().ok_or(Cause::InvalidApiKey)?
        };
        if plan
            .limiters
            .get(&key.id)
            .is_some_and(|limiter| limiter.check().is_err())
        {
            return Err(Cause::Throttled.into());
        }
        if let Some(quota) = plan.spec.quota
            && !self.usage.take(&plan.spec.id, &key.id, quota, Utc::now())
        {
            tracing::warn!(
                plan = plan.spec.id,
                quota = quota.limit,
                "the quota of a usage plan is used up: its clients get 429 until the next period, or until it is raised"
            );
            return Err(Cause::QuotaExceeded.into());
        }
        Ok(key)
    }

    async fn call_function(
        &self,
        exchange: &Exchange<'_>,
        function_arn: &str,
        timeout_ms: u32,
    ) -> Result<Response<Body>, GatewayError> {
        let source_arn = format!(
            "arn:aws:execute-api:{}:{ACCOUNT_ID}:{}/{}/{}{}",
            self.region,
            exchange.api.id,
            exchange.api.stage,
            exchange.parts.method,
            exchange.path.trim_end_matches('/'),
        );
        let (service, action) = ("apigateway.amazonaws.com", "lambda:InvokeFunction");
        if !self
            .lambda
            .may_invoke(function_arn, service, &source_arn, ACCOUNT_ID, action)
        {
            tracing::warn!(
                function = function_arn,
                source = source_arn,
                "no permission of the function lets API Gateway invoke it"
            );
            return Err(Cause::ApiConfiguration.into());
        }
        let event = proxy::event(exchange, Utc::now());
        let event = serde_json::to_vec(&event).expect("an event has only string keys");
        if event.len() > MAX_EVENT_BYTES {
            return Err(Cause::RequestTooLarge.into());
        }
        let invocation = self.lambda.invoke(function_arn, event.into());
        let timeout = Duration::from_millis(timeout_ms.into());
        let output = match tokio::time::timeout(timeout, invocation).await {
            Err(_) => return Err(Cause::IntegrationTimeout.into()),
            Ok(Err(error @ (InvokeError::NotFound(_) | InvokeError::Throttled))) => {
                tracing::warn!(function = function_arn, %error, "a function was not invoked");
                return Err(Cause::ApiConfiguration.into());
            }
            Ok(Err(InvokeError::Stopping)) => return Err(Cause::IntegrationFailure.into()),
            Ok(Ok(output)) => output,
        };
        if output.function_error.is_some() {
            return Err(Cause::BadAnswer.into());
        }
        proxy::response(&output.payload).map_err(|problem| {
            tracing::warn!(
                function = function_arn,
                problem,
                "malformed Lambda proxy response"
            );
            Cause::BadAnswer.into()
        })
    }
}

/// Splits `/_aws/execute-api/<api>/<stage>/<path>`; the path keeps its first slash.
fn address(path: &str) -> (&str, &str, &str) {
    let path = path.strip_prefix("/_aws/execute-api/").unwrap_or_default();
    let (api, path) = path.split_once('/').unwrap_or((path, ""));
    match path.find('/') {
        Some(at) => (api, &path[..at], &path[at..]),
        None => (api, path, "/"),
    }
}

/// Makes an id of the form that `x-amz-apigw-id` has.
fn extended_request_id() -> String {
    format!("{}=", &Uuid::new_v4().simple().to_string()[..15])
}
