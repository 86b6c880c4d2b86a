//! Buckets that a request names, used with the rights of the role that it names.

use std::error::Error;

use aws_config::{SdkConfig, sts::AssumeRoleProvider};
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError,
};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

use crate::failure::chain;

/// Codes of STS that a later try does not change.
const DEFINITE: [&str; 3] = ["AccessDenied", "RegionDisabledException", "ValidationError"];

/// A role that could not be assumed. Safe to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the role {role} could not be assumed")]
pub struct NotAssumed {
    role: String,
    /// Code of STS's refusal, if it answered.
    code: Option<String>,
}

impl NotAssumed {
    /// Returns whether a later try is refused as well: neither throttled, nor failed inside, nor without an answer.
    pub fn is_definite(&self) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| DEFINITE.contains(&code))
    }

    fn new(role: &str, error: &CredentialsError) -> Self {
        let refused = error
            .source()
            .and_then(|source| source.downcast_ref::<SdkError<AssumeRoleError>>());
        Self {
            role: role.to_owned(),
            code: refused.and_then(|error| error.code()).map(str::to_owned),
        }
    }
}

/// Returns a client of S3 with the rights of a role, for as long as its credentials last: an hour.
///
/// `session_name` says in the account's logs who assumed it.
///
/// # Errors
///
/// [`NotAssumed`]; the reason is logged.
pub async fn s3_as(sdk: &SdkConfig, role: &str, session_name: &str) -> Result<Client, NotAssumed> {
    Box::pin(assume(sdk, role, session_name))
        .await
        .map(|sdk| Client::new(&sdk))
}

/// Returns a configuration of clients with the rights of a role, as [`s3_as`].
///
/// # Errors
///
/// [`NotAssumed`]; the reason is logged.
pub async fn assume(sdk: &SdkConfig, role: &str, session_name: &str) -> Result<SdkConfig, NotAssumed> {
    let provider = AssumeRoleProvider::builder(role)
        .session_name(session_name)
        .configure(sdk)
        .build()
        .await;
    let credentials = provider
        .provide_credentials()
        .await
        .map_err(|error: CredentialsError| {
            lambda_runtime::tracing::warn!(role, error = chain(&error), "a role could not be assumed");
            NotAssumed::new(role, &error)
        })?;
    let credentials = SharedCredentialsProvider::new(credentials);
    Ok(sdk.to_builder().credentials_provider(credentials).build())
}
