//! The user of this machine, `test`, who has all rights at a local stack.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::stack::REGION;

/// Returns the user's credentials.
pub fn credentials() -> Credentials {
    Credentials::new("test", "test", None, None, "local-stack")
}

/// Returns a configuration of SDK clients that call a local stack as the user.
///
/// Past any proxy of the environment, which the SDK's own client would ask: the stack is on this machine.
pub async fn sdk_config(endpoint_url: &str) -> SdkConfig {
    let http_client = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        .endpoint_url(endpoint_url)
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .load()
        .await
}
