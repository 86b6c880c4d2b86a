//! Connections: with what EventBridge shows itself to an HTTP endpoint.

use std::{collections::BTreeMap, fmt, sync::PoisonError};

use base64::{Engine, prelude::BASE64_STANDARD};
use redb::TableDefinition;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    EventBridge, State,
    api::{ListRequest, named},
    kept::{Kept, Resource, id_of, is_name},
};
use crate::{ACCOUNT_ID, aws_error::AwsError, iam::Principal, json_protocol::validation};

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSpec {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// `BASIC` or `API_KEY`.
    pub authorization_type: String,
    /// The credentials, and what else is sent.
    pub auth_parameters: AuthParameters,
}

/// `AuthParameters`. Its values are secret and not shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct AuthParameters {
    /// For `BASIC`.
    pub basic_auth_parameters: Option<BasicAuthParameters>,
    /// For `API_KEY`.
    pub api_key_auth_parameters: Option<ApiKeyAuthParameters>,
    /// Sent with every request; they count more than those of a target.
    pub invocation_http_parameters: ConnectionHttpParameters,
}

impl fmt::Debug for AuthParameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AuthParameters")
    }
}

/// A user's name and password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BasicAuthParameters {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// A header with a key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ApiKeyAuthParameters {
    /// Name of the header.
    pub api_key_name: String,
    /// The key.
    pub api_key_value: String,
}

/// `InvocationHttpParameters`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct ConnectionHttpParameters {
    /// Headers.
    pub header_parameters: Vec<Parameter>,
    /// Parameters of the query.
    pub query_string_parameters: Vec<Parameter>,
    /// Members of the body.
    pub body_parameters: Vec<Parameter>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Parameter {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Whether the value is not shown.
    #[serde(default)]
    pub is_value_secret: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConnectionRequest {
    name: Option<String>,
    description: Option<String>,
    authorization_type: Option<String>,
    auth_parameters: Option<Value>,
    invocation_connectivity_parameters: Option<Value>,
}

/// Returns the ARN of a connection. The id at its end, random on AWS, comes from the name.
pub fn connection_arn(region: &str, name: &str) -> String {
    format!(
        "arn:aws:events:{region}:{ACCOUNT_ID}:connection/{name}/{}",
        id_of(name)
    )
}

impl Resource for ConnectionSpec {
    const TABLE: TableDefinition<'static, &'static str, &'static [u8]> =
        TableDefinition::new("eventbridge-connections");
    const KIND: &'static str = "Connection";

    fn name(&self) -> &str {
        &self.name
    }

    fn arn(region: &str, name: &str) -> String {
        connection_arn(region, name)
    }

    fn titled(name: &str) -> String {
        format!("Connection '{name}'")
    }

    fn all(state: &State) -> &BTreeMap<String, Kept<Self>> {
        &state.connections
    }

    fn all_mut(state: &mut State) -> &mut BTreeMap<String, Kept<Self>> {
        &mut state.connections
    }
}

impl ConnectionSpec {
    pub(super) fn check(&self) -> Result<(), String> {
        let has = (
            self.auth_parameters.basic_auth_parameters.is_some(),
            self.auth_parameters.api_key_auth_parameters.is_some(),
        );
        match (self.authorization_type.as_str(), has) {
            _ if !is_name(&self.name) => Err("Connection name is not valid.".to_owned()),
            ("BASIC", (true, false)) | ("API_KEY", (false, true)) => Ok(()),
            ("BASIC" | "API_KEY", _) => Err("AuthParameters do not fit the AuthorizationType.".to_owned()),
            (other, _) => Err(format!("the authorization type {other} is not implemented")),
        }
    }

    /// Returns the header that says who asks.
    pub(super) fn authorization(&self) -> Option<(String, String)> {
        if let Some(key) = &self.auth_parameters.api_key_auth_parameters {
            return Some((key.api_key_name.clone(), key.api_key_value.clone()));
        }
        let basic = self.auth_parameters.basic_auth_parameters.as_ref()?;
        let pair = BASE64_STANDARD.encode(format!("{}:{}", basic.username, basic.password));
        Some(("authorization".to_owned(), format!("Basic {pair}")))
    }

    fn shown_parameters(&self) -> Value {
        let mut shown = json!({});
        if let Some(basic) = &self.auth_parameters.basic_auth_parameters {
            shown["BasicAuthParameters"] = json!({ "Username": basic.username });
        }
        if let Some(key) = &self.auth_parameters.api_key_auth_parameters {
            shown["ApiKeyAuthParameters"] = json!({ "ApiKeyName": key.api_key_name });
        }
        let http = &self.auth_parameters.invocation_http_parameters;
        for (member, parameters) in [
            ("HeaderParameters", &http.header_parameters),
            ("QueryStringParameters", &http.query_string_parameters),
            ("BodyParameters", &http.body_parameters),
        ] {
            let parameters = parameters
                .iter()
                .map(|parameter| match parameter.is_value_secret {
                    true => json!({ "Key": parameter.key, "IsValueSecret": true }),
                    false => json!(parameter),
                });
            let parameters: Vec<Value> = parameters.collect();
            if !parameters.is_empty() {
                shown["InvocationHttpParameters"][member] = json!(parameters);
            }
        }
        shown
    }
}

/// Reads `AuthParameters`.
///
/// # Errors
///
/// Names a member that is not implemented or wrong; never a value.
pub fn auth_parameters(parameters: Value) -> Result<AuthParameters, String> {
    for member in ["OAuthParameters", "ConnectivityParameters"] {
        if parameters.get(member).is_some() {
            return Err(format!("{member} of a connection is not implemented"));
        }
    }
    // The message of serde_json may quote a value.
    serde_json::from_value(parameters).map_err(|_| "AuthParameters are not as they must be".to_owned())
}

/// Fills what the credentials in a request do not say from those that are kept: a key may be changed without its name.
fn fill_absent(given: &mut Value, kept: &AuthParameters) {
    for (member, kept) in [
        ("BasicAuthParameters", json!(kept.basic_auth_parameters)),
        ("ApiKeyAuthParameters", json!(kept.api_key_auth_parameters)),
    ] {
        if let (Some(Value::Object(given)), Value::Object(kept)) = (given.get_mut(member), kept) {
            for (name, value) in kept {
                given.entry(name).or_insert(value);
            }
        }
    }
}

impl EventBridge {
    /// Adds or replaces a connection.
    ///
    /// # Errors
    ///
    /// Names what is wrong or not implemented.
    pub fn put_connection(&self, spec: ConnectionSpec) -> Result<(), String> {
        spec.check()
            .map_err(|reason| format!("connection {}: {reason}", spec.name))?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.connections.insert(spec.name.clone(), Kept::new(spec));
        Ok(())
    }

    /// Makes a connection, or changes the one that is there.
    pub(super) fn change_connection(
        &self,
        caller: &Principal,
        request: ConnectionRequest,
        is_new: bool,
    ) -> Result<Value, AwsError> {
        let _turn = self.turn();
        let of_type = request.authorization_type.clone();
        let mut kept = self.to_change(caller, (request.name, is_new), |name| {
            Ok(ConnectionSpec {
                name,
                description: None,
                authorization_type: named(of_type, "AuthorizationType")?,
                auth_parameters: AuthParameters::default(),
            })
        })?;
        if request.invocation_connectivity_parameters.is_some() {
            let what = "InvocationConnectivityParameters of a connection";
            return Err(AwsError::not_implemented("events", what));
        }
        let spec = &mut kept.spec;
        spec.description = request.description.or(spec.description.take());
        spec.authorization_type = request
            .authorization_type
            .unwrap_or(spec.authorization_type.clone());
        if spec.authorization_type == "OAUTH_CLIENT_CREDENTIALS" {
            let what = "the authorization type OAUTH_CLIENT_CREDENTIALS";
            return Err(AwsError::not_implemented("events", what));
        }
        if let Some(mut parameters) = request.auth_parameters {
            fill_absent(&mut parameters, &spec.auth_parameters);
            spec.auth_parameters = auth_parameters(parameters).map_err(validation)?;
        }
        spec.check().map_err(validation)?;
        let kept = self.keep_changed(kept)?;
        Ok(self.shown_connection(&kept, false))
    }

    pub(super) fn describe_connection(
        &self,
        caller: &Principal,
        request: ConnectionRequest,
    ) -> Result<Value, AwsError> {
        let name = self.permitted::<ConnectionSpec>(caller, "Describe", request.name)?;
        self.find(&name).map(|kept| self.shown_connection(&kept, true))
    }

    pub(super) fn delete_connection(
        &self,
        caller: &Principal,
        request: ConnectionRequest,
    ) -> Result<Value, AwsError> {
        let _turn = self.turn();
        let kept = self.forget(caller, request.name)?;
        let mut shown = self.shown_connection(&kept, false);
        shown["ConnectionState"] = json!("DELETING");
        Ok(shown)
    }

    pub(super) fn list_connections(
        &self,
        caller: &Principal,
        request: &ListRequest,
    ) -> Result<Value, AwsError> {
        let found = self.listed::<ConnectionSpec>(caller, request)?;
        let shown = found
            .iter()
            .map(|kept| (kept.spec.name.as_str(), self.shown_connection(kept, false)));
        request.paging.page("Connections", shown)
    }

    fn shown_connection(&self, kept: &Kept<ConnectionSpec>, is_whole: bool) -> Value {
        let spec = &kept.spec;
        let mut shown = json!({
            "ConnectionArn": connection_arn(&self.region, &spec.name),
            "Name": spec.name,
            "ConnectionState": "AUTHORIZED",
            "AuthorizationType": spec.authorization_type,
            "CreationTime": kept.created(),
            "LastModifiedTime": kept.modified(),
            "LastAuthorizedTime": kept.modified(),
        });
        if is_whole {
            shown["AuthParameters"] = spec.shown_parameters();
        }
        if let Some(description) = spec.description.as_ref().filter(|_| is_whole) {
            shown["Description"] = json!(description);
        }
        shown
    }
}
