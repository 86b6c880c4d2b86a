//! SDK clients: AWS itself, or a built-in service behind a function URL.

use std::{collections::HashMap, time::Duration};

use aws_config::{BehaviorVersion, SdkConfig, timeout::TimeoutConfig};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_types::{Document, endpoint::Endpoint};

use crate::http_client::OneHttpClient;

/// Time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Loads the SDK configuration of a function from its environment.
///
/// The timeouts leave API Gateway's 29 seconds room for a retry.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(25))
        .build();
    let connector = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .http_client(OneHttpClient::ready_for(&connector))
        .load()
        .await
}

/// Makes the Comprehend client: of AWS, or of the built-in classifier at `url`.
pub fn comprehend(config: &SdkConfig, url: Option<&str>) -> aws_sdk_comprehend::Client {
    let mut builder = aws_sdk_comprehend::config::Builder::from(config);
    if let Some(url) = url {
        builder = builder.endpoint_resolver(FunctionUrl::new(config, url));
    }
    aws_sdk_comprehend::Client::from_conf(builder.build())
}

/// Makes a client of Comprehend's protocol that speaks to another service at `url`, in a Region.
pub(crate) fn of_service(
    config: &SdkConfig,
    url: &str,
    service: &str,
    region: &str,
) -> aws_sdk_comprehend::Client {
    let place = FunctionUrl(signed_for(url, service, Some(region)));
    let builder = aws_sdk_comprehend::config::Builder::from(config).endpoint_resolver(place);
    aws_sdk_comprehend::Client::from_conf(builder.build())
}

/// Makes the A2I client: of AWS, or of the built-in review service at `url`.
pub fn a2i(config: &SdkConfig, url: Option<&str>) -> aws_sdk_sagemakera2iruntime::Client {
    let mut builder = aws_sdk_sagemakera2iruntime::config::Builder::from(config);
    if let Some(url) = url {
        builder = builder.endpoint_resolver(FunctionUrl::new(config, url));
    }
    aws_sdk_sagemakera2iruntime::Client::from_conf(builder.build())
}

/// Environment variable with the base of function URLs on an emulator of AWS, which cannot answer at their names.
const FUNCTION_URL_BASE: &str = "FUNCTION_URL_BASE";

/// A function URL, or the address of another service, as an SDK endpoint.
///
/// A function URL accepts only requests signed for the service `lambda`, whatever protocol their
/// body speaks; the endpoint says so to the signer.
#[derive(Debug)]
struct FunctionUrl(Endpoint);

impl FunctionUrl {
    fn new(config: &SdkConfig, url: &str) -> Self {
        let url = match std::env::var(FUNCTION_URL_BASE) {
            Ok(base) if !base.is_empty() => below(&base, url),
            _ => url.to_owned(),
        };
        let region = config.region().map(AsRef::as_ref);
        Self(signed_for(&url, "lambda", region))
    }
}

/// Returns an endpoint whose requests are signed for a service, and for a Region where it is known.
fn signed_for(url: &str, service: &str, region: Option<&str>) -> Endpoint {
    let mut scheme = HashMap::from([
        ("name".to_owned(), Document::from("sigv4")),
        ("signingName".to_owned(), Document::from(service)),
    ]);
    if let Some(region) = region {
        scheme.insert("signingRegion".to_owned(), Document::from(region));
    }
    Endpoint::builder()
        .url(url.trim_end_matches('/').to_owned())
        .property("authSchemes", vec![Document::from(scheme)])
        .build()
}

/// Returns where an emulator serves a function URL: `<base>/<id>` for `https://<id>.lambda-url.<region>.on.aws/`. Another
/// URL stays as it is.
fn below(base: &str, url: &str) -> String {
    let host = url.strip_prefix("https://").unwrap_or_default();
    match host.split_once(".lambda-url.") {
        Some((id, _)) => format!("{}/{id}", base.trim_end_matches('/')),
        None => url.to_owned(),
    }
}

impl aws_sdk_comprehend::config::endpoint::ResolveEndpoint for FunctionUrl {
    fn resolve_endpoint<'a>(
        &'a self,
        _: &'a aws_sdk_comprehend::config::endpoint::Params,
    ) -> aws_sdk_comprehend::config::endpoint::EndpointFuture<'a> {
        aws_sdk_comprehend::config::endpoint::EndpointFuture::ready(Ok(self.0.clone()))
    }
}

impl aws_sdk_sagemakera2iruntime::config::endpoint::ResolveEndpoint for FunctionUrl {
    fn resolve_endpoint<'a>(
        &'a self,
        _: &'a aws_sdk_sagemakera2iruntime::config::endpoint::Params,
    ) -> aws_sdk_sagemakera2iruntime::config::endpoint::EndpointFuture<'a> {
        aws_sdk_sagemakera2iruntime::config::endpoint::EndpointFuture::ready(Ok(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_url_is_looked_for_below_the_base_of_an_emulator_and_no_other_url_is() {
        let base = "http://127.0.0.1:4566/_aws/lambda-url/";

        let moved = below(base, "https://abc123.lambda-url.us-east-1.on.aws/");
        let kept = below(base, "http://127.0.0.1:4000/_aws/lambda-url/abc123/");

        assert_eq!(moved, "http://127.0.0.1:4566/_aws/lambda-url/abc123");
        assert_eq!(kept, "http://127.0.0.1:4000/_aws/lambda-url/abc123/");
    }
}
