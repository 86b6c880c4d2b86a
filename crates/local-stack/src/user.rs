//! The user of this machine, `test`, who has all rights at a local stack.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;

use crate::stack::REGION;

/// Returns the user's credentials.
pub fn credentials() -> Credentials {
    Credentials::new("test", "test", None, None, "local-stack")
}

/// Returns a configuration of SDK clients that call a local stack as the user.
pub async fn sdk_config(endpoint_url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint_url)
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .load()
        .await
}
