//! API destinations: HTTP endpoints that get events.

use std::sync::PoisonError;

use redb::TableDefinition;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Host, Url};

use super::{
    EventBridge,
    api::{ListRequest, named},
    connections::{ConnectionSpec, connection_arn},
    kept::{Kept, id_of, is_name},
};
use crate::{ACCOUNT_ID, aws_error::AwsError, iam::Principal, json_protocol::validation};

pub(super) const DESTINATIONS: TableDefinition<&str, &[u8]> =
    TableDefinition::new("eventbridge-api-destinations");

const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// An API destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiDestinationSpec {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// ARN of its connection.
    pub connection_arn: String,
    /// Where events go: an https URL, or an http URL of this machine; `*` stands for a path parameter of the target.
    pub invocation_endpoint: String,
    /// How they are sent.
    pub http_method: String,
    /// Requests a second; kept and shown, but nothing waits here.
    pub rate_limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DestinationRequest {
    name: Option<String>,
    description: Option<String>,
    connection_arn: Option<String>,
    invocation_endpoint: Option<String>,
    http_method: Option<String>,
    invocation_rate_limit_per_second: Option<u32>,
}

/// Returns the ARN of an API destination. The id at its end, random on AWS, comes from the name.
pub fn api_destination_arn(region: &str, name: &str) -> String {
    format!(
        "arn:aws:events:{region}:{ACCOUNT_ID}:api-destination/{name}/{}",
        id_of(name)
    )
}

/// Returns whether an ARN is that of an API destination.
pub(super) fn is_arn(arn: &str) -> bool {
    arn.starts_with("arn:aws:events:") && arn.contains(":api-destination/")
}

/// Returns the name in the ARN of a connection or an API destination.
pub(super) fn name_in(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or_default()
}

impl ApiDestinationSpec {
    pub(super) fn check(&self) -> Result<(), String> {
        let endpoint = Url::parse(&self.invocation_endpoint).ok();
        let is_safe = endpoint.is_some_and(|url| match url.scheme() {
            "https" => true,
            "http" => is_loopback(&url),
            _ => false,
        });
        if !is_name(&self.name) {
            Err("ApiDestination name is not valid.".to_owned())
        } else if !is_safe {
            Err("the InvocationEndpoint must be https, or http on this machine".to_owned())
        } else if !METHODS.contains(&self.http_method.as_str()) {
            Err(format!(
                "the HttpMethod {} is none of {}",
                self.http_method,
                METHODS.join(", ")
            ))
        } else if self.rate_limit == Some(0) {
            Err("InvocationRateLimitPerSecond is at least 1".to_owned())
        } else {
            Ok(())
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl EventBridge {
    /// Adds or replaces an API destination.
    ///
    /// # Errors
    ///
    /// Names what is wrong, or that there is no such connection.
    pub fn put_api_destination(&self, spec: ApiDestinationSpec) -> Result<(), String> {
        let refused = |reason: String| format!("API destination {}: {reason}", spec.name);
        spec.check().map_err(refused)?;
        if !self.has_connection(&spec.connection_arn) {
            return Err(refused(format!("there is no connection {}", spec.connection_arn)));
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.destinations.insert(spec.name.clone(), Kept::new(spec));
        Ok(())
    }

    fn has_connection(&self, arn: &str) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let name = name_in(arn);
        state.connections.contains_key(name) && connection_arn(&self.region, name) == arn
    }

    /// Returns an API destination and its connection.
    pub(super) fn destination_at(&self, arn: &str) -> Option<(ApiDestinationSpec, ConnectionSpec)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let destination = state.destinations.get(name_in(arn))?.spec.clone();
        let connection = state
            .connections
            .get(name_in(&destination.connection_arn))?
            .spec
            .clone();
        let is_it = api_destination_arn(&self.region, &destination.name) == arn
            && connection_arn(&self.region, &connection.name) == destination.connection_arn;
        is_it.then_some((destination, connection))
    }

    /// Makes an API destination, or changes the one that is there.
    pub(super) fn change_destination(
        &self,
        caller: &Principal,
        request: DestinationRequest,
        is_new: bool,
    ) -> Result<Value, AwsError> {
        let action = match is_new {
            true => "events:CreateApiDestination",
            false => "events:UpdateApiDestination",
        };
        let name = self.destination_name(caller, action, request.name)?;
        let mut kept = match self.destination(&name) {
            Ok(_) if is_new => {
                let message = format!("An api-destination '{name}' already exists.");
                return Err(AwsError::new(400, "ResourceAlreadyExistsException", message));
            }
            Ok(before) => before,
            Err(_) if is_new => Kept::new(ApiDestinationSpec {
                name,
                connection_arn: named(request.connection_arn.clone(), "ConnectionArn")?,
                invocation_endpoint: named(request.invocation_endpoint.clone(), "InvocationEndpoint")?,
                http_method: named(request.http_method.clone(), "HttpMethod")?,
                ..ApiDestinationSpec::default()
            }),
            Err(missing) => return Err(missing),
        };
        let spec = &mut kept.spec;
        spec.description = request.description.or(spec.description.take());
        spec.rate_limit = request.invocation_rate_limit_per_second.or(spec.rate_limit);
        for (value, given) in [
            (&mut spec.connection_arn, request.connection_arn),
            (&mut spec.invocation_endpoint, request.invocation_endpoint),
            (&mut spec.http_method, request.http_method),
        ] {
            *value = given.unwrap_or(std::mem::take(value));
        }
        spec.check().map_err(validation)?;
        if !self.has_connection(&spec.connection_arn) {
            let message = format!("Connection '{}' does not exist.", spec.connection_arn);
            return Err(AwsError::new(400, "ResourceNotFoundException", message));
        }
        let kept = kept.changed();
        self.keep_spec(DESTINATIONS, &kept.spec.name, &kept)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.destinations.insert(kept.spec.name.clone(), kept.clone());
        drop(state);
        Ok(self.shown_destination(&kept))
    }

    pub(super) fn describe_destination(
        &self,
        caller: &Principal,
        request: DestinationRequest,
    ) -> Result<Value, AwsError> {
        let name = self.destination_name(caller, "events:DescribeApiDestination", request.name)?;
        self.destination(&name).map(|kept| self.shown_destination(&kept))
    }

    pub(super) fn delete_destination(
        &self,
        caller: &Principal,
        request: DestinationRequest,
    ) -> Result<Value, AwsError> {
        let name = self.destination_name(caller, "events:DeleteApiDestination", request.name)?;
        self.destination(&name)?;
        self.forget(DESTINATIONS, &name)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.destinations.remove(&name);
        Ok(json!({}))
    }

    pub(super) fn list_destinations(
        &self,
        caller: &Principal,
        request: &ListRequest,
    ) -> Result<Value, AwsError> {
        self.authorize(caller, "events:ListApiDestinations", "*")?;
        let prefix = request.name_prefix.as_deref().unwrap_or_default();
        let found: Vec<Kept<ApiDestinationSpec>> = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let found = state.destinations.values().filter(|kept| {
                let connection = request.connection_arn.as_ref();
                kept.spec.name.starts_with(prefix)
                    && connection.is_none_or(|arn| *arn == kept.spec.connection_arn)
            });
            found.cloned().collect()
        };
        let found: Vec<Value> = found.iter().map(|kept| self.shown_destination(kept)).collect();
        Ok(json!({ "ApiDestinations": found }))
    }

    fn destination_name(
        &self,
        caller: &Principal,
        action: &str,
        name: Option<String>,
    ) -> Result<String, AwsError> {
        let name = named(name, "Name")?;
        self.authorize(caller, action, &api_destination_arn(&self.region, &name))?;
        Ok(name)
    }

    fn destination(&self, name: &str) -> Result<Kept<ApiDestinationSpec>, AwsError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let kept = state.destinations.get(name).cloned();
        kept.ok_or_else(|| {
            let message = format!("An api-destination '{name}' does not exist.");
            AwsError::new(400, "ResourceNotFoundException", message)
        })
    }

    fn shown_destination(&self, kept: &Kept<ApiDestinationSpec>) -> Value {
        let spec = &kept.spec;
        let arn = api_destination_arn(&self.region, &spec.name);
        let mut shown = json!({
            "ApiDestinationArn": arn,
            "Name": spec.name,
            "ApiDestinationState": if self.destination_at(&arn).is_some() { "ACTIVE" } else { "INACTIVE" },
            "ConnectionArn": spec.connection_arn,
            "InvocationEndpoint": spec.invocation_endpoint,
            "HttpMethod": spec.http_method,
            "InvocationRateLimitPerSecond": spec.rate_limit.unwrap_or(300),
            "CreationTime": kept.created(),
            "LastModifiedTime": kept.modified(),
        });
        if let Some(description) = &spec.description {
            shown["Description"] = json!(description);
        }
        shown
    }
}
