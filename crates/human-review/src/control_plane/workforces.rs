//! The one workforce: everybody who may sign in to the portal.

use serde::Deserialize;
use serde_json::{Value, json};

use super::listing::ListRequest;
use super::{ControlError, ControlPlane, checked_name, epoch};
use crate::flows::Workforce;
use crate::networks::AllowedNetworks;
use crate::oidc::OidcSettings;

/// Its name, as SageMaker's console names the one that it makes.
pub(super) const WORKFORCE: &str = "default";
/// How a provider of OpenID Connect is changed.
const BY_PARAMETERS: &str = "The provider that signs in is of the stack: update it with the parameters OidcIssuer, OidcClientId \
    and OidcClientSecretArn, or with CreateUserPool";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForceRequest {
    workforce_name: Option<String>,
    source_ip_config: Option<SourceIpConfig>,
    oidc_config: Option<Value>,
    workforce_vpc_config: Option<Value>,
    ip_address_type: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SourceIpConfig {
    cidrs: Vec<String>,
}

impl ControlPlane<'_> {
    pub(super) async fn describe_workforce(&self, request: ForceRequest) -> Result<Value, ControlError> {
        let name = checked_name(request.workforce_name, "workforceName", true)?;
        match name == WORKFORCE {
            true => Ok(json!({ "Workforce": self.workforce_document(&self.flows.workforce().await?) })),
            false => Err(no_workforce(&name)),
        }
    }

    pub(super) async fn list_workforces(&self, request: ListRequest) -> Result<Value, ControlError> {
        let request = request.sorted_by(&["Name", "CreateDate"])?;
        if !request.wants_only(WORKFORCE)? {
            return Ok(json!({ "Workforces": [] }));
        }
        let document = self.workforce_document(&self.flows.workforce().await?);
        Ok(json!({ "Workforces": [document] }))
    }

    /// Changes from where the portal may be reached; it takes effect within half a minute.
    pub(super) async fn update_workforce(&self, request: ForceRequest) -> Result<Value, ControlError> {
        let name = checked_name(request.workforce_name, "workforceName", true)?;
        if name != WORKFORCE {
            return Err(no_workforce(&name));
        }
        if let Some(config) = &request.oidc_config {
            self.check_provider(config)?;
        }
        let refused = [
            (
                "WorkforceVpcConfig",
                request.workforce_vpc_config.is_some(),
                "The portal is an API of the stack: say by SourceIpConfig from where it may be reached.",
            ),
            (
                "IpAddressType",
                request.ip_address_type.is_some(),
                "The portal has the addresses of its API in Amazon API Gateway; networks of IPv6 may stand in SourceIpConfig.",
            ),
        ];
        if let Some((member, _, advice)) = refused.iter().find(|(_, is_given, _)| *is_given) {
            return Err(ControlError::Validation(format!(
                "{member} is not supported: leave it out. {advice}"
            )));
        }
        let mut workforce = self.flows.workforce().await?;
        if let Some(config) = request.source_ip_config {
            let networks = AllowedNetworks::of(config.cidrs.iter().map(String::as_str));
            networks.map_err(|error| ControlError::Validation(format!("SourceIpConfig.Cidrs: {error}.")))?;
            workforce = Workforce {
                last_updated_date: Some(self.now),
                cidrs: config.cidrs,
            };
            self.flows.put_workforce(&workforce).await?;
        }
        Ok(json!({ "Workforce": self.workforce_document(&workforce) }))
    }

    fn workforce_document(&self, workforce: &Workforce) -> Value {
        let mut document = json!({
            "WorkforceName": WORKFORCE,
            "WorkforceArn": self.flows.arn("workforce", WORKFORCE),
            "LastUpdatedDate": workforce.last_updated_date.map(epoch),
            "SourceIpConfig": { "Cidrs": workforce.cidrs },
            "SubDomain": self.sub_domain(),
            "Status": "Active",
        });
        if let Some(OidcSettings {
            issuer, client_id, ..
        }) = self.oidc
        {
            match user_pool(issuer) {
                Some(pool) => {
                    document["CognitoConfig"] = json!({ "UserPool": pool, "ClientId": client_id });
                }
                None => document["OidcConfig"] = json!({ "Issuer": issuer, "ClientId": client_id }),
            }
        }
        document
    }
}

impl ControlPlane<'_> {
    /// Takes the provider that signs in already, and no other.
    fn check_provider(&self, config: &Value) -> Result<(), ControlError> {
        let is_in_use = self.oidc.is_some_and(|settings| {
            config["Issuer"] == settings.issuer.as_str() && config["ClientId"] == settings.client_id.as_str()
        });
        match is_in_use {
            true => Ok(()),
            false => Err(ControlError::Validation(format!(
                "OidcConfig does not name the provider in use, and cannot change it. {BY_PARAMETERS}."
            ))),
        }
    }
}

/// Returns the id of the user pool whose issuer this is, if it is one of Amazon Cognito.
fn user_pool(issuer: &str) -> Option<&str> {
    let rest = issuer.strip_prefix("https://cognito-idp.")?;
    rest.rsplit_once('/').map(|(_, pool)| pool)
}

/// Returns the error of an operation that makes or deletes a workforce.
pub(super) fn is_of_the_stack(operation: &str) -> ControlError {
    ControlError::Validation(format!(
        "{operation}: there is one workforce, `{WORKFORCE}`, which is of the stack. UpdateWorkforce changes from where it \
         may come. {BY_PARAMETERS}."
    ))
}

pub(super) fn no_workforce(name: &str) -> ControlError {
    ControlError::Validation(format!(
        "The Workforce {name} does not exist: there is one, `{WORKFORCE}`."
    ))
}
