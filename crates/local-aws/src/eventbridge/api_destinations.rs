//! API destinations: HTTP endpoints that get events.

use std::{collections::BTreeMap, sync::PoisonError};

use redb::TableDefinition;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::{
    EventBridge, State,
    api::{ListRequest, named},
    connections::{ConnectionSpec, connection_arn},
    kept::{Kept, Resource, id_of, is_name},
};
use crate::{
    ACCOUNT_ID, aws_error::AwsError, front_door::is_loopback, iam::Principal, json_protocol::validation,
};

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

impl Resource for ApiDestinationSpec {
    const TABLE: TableDefinition<'static, &'static str, &'static [u8]> =
        TableDefinition::new("eventbridge-api-destinations");
    const KIND: &'static str = "ApiDestination";

    fn name(&self) -> &str {
        &self.name
    }

    fn arn(region: &str, name: &str) -> String {
        api_destination_arn(region, name)
    }

    fn titled(name: &str) -> String {
        format!("An api-destination '{name}'")
    }

    fn all(state: &State) -> &BTreeMap<String, Kept<Self>> {
        &state.destinations
    }

    fn all_mut(state: &mut State) -> &mut BTreeMap<String, Kept<Self>> {
        &mut state.destinations
    }
}

impl ApiDestinationSpec {
    pub(super) fn check(&self) -> Result<(), String> {
        let endpoint = Url::parse(&self.invocation_endpoint).ok();
        let is_safe = endpoint.is_some_and(|url| match url.scheme() {
            "https" => true,
            "http" => is_loopback(url.authority()),
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
        let _turn = self.turn();
        let (connection, endpoint, method) = (
            request.connection_arn.clone(),
            request.invocation_endpoint.clone(),
            request.http_method.clone(),
        );
        let mut kept = self.to_change(caller, (request.name, is_new), |name| {
            Ok(ApiDestinationSpec {
                name,
                connection_arn: named(connection, "ConnectionArn")?,
                invocation_endpoint: named(endpoint, "InvocationEndpoint")?,
                http_method: named(method, "HttpMethod")?,
                ..ApiDestinationSpec::default()
            })
        })?;
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
        let kept = self.keep_changed(kept)?;
        Ok(self.shown_destination(&kept))
    }

    pub(super) fn describe_destination(
        &self,
        caller: &Principal,
        request: DestinationRequest,
    ) -> Result<Value, AwsError> {
        let name = self.permitted::<ApiDestinationSpec>(caller, "Describe", request.name)?;
        self.find(&name).map(|kept| self.shown_destination(&kept))
    }

    pub(super) fn delete_destination(
        &self,
        caller: &Principal,
        request: DestinationRequest,
    ) -> Result<Value, AwsError> {
        let _turn = self.turn();
        self.forget::<ApiDestinationSpec>(caller, request.name)?;
        Ok(json!({}))
    }

    pub(super) fn list_destinations(
        &self,
        caller: &Principal,
        request: &ListRequest,
    ) -> Result<Value, AwsError> {
        let found = self.listed::<ApiDestinationSpec>(caller, request)?;
        let connection = request.connection_arn.as_ref();
        let is_of_it =
            |kept: &&Kept<ApiDestinationSpec>| connection.is_none_or(|arn| *arn == kept.spec.connection_arn);
        let found = found.iter().filter(is_of_it);
        let shown = found.map(|kept| (kept.spec.name.as_str(), self.shown_destination(kept)));
        request.paging.page("ApiDestinations", shown)
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
