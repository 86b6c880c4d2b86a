//! The AWS SDK's transport onto a router in this process, without a socket.

use std::{convert::Infallible, fmt};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{
    body::SdkBody,
    retry::{ReconnectMode, RetryConfig},
};
use aws_types::SdkConfig;
use axum::{Router, body::Body};
use tower::ServiceExt;

/// Where SDK clients of [`sdk_config`] believe the services are.
pub const ENDPOINT_URL: &str = "http://127.0.0.1:4566";

/// Returns an SDK configuration, Region us-east-1, whose requests `router` answers.
///
/// Request bodies are streamed; a response is collected before the client sees it.
pub fn sdk_config(router: Router, credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(ENDPOINT_URL)
        .http_client(InProcess(router))
        // There is no connection to close after an error.
        .retry_config(RetryConfig::standard().with_reconnect_mode(ReconnectMode::ReuseAllConnections))
        .build()
}

#[derive(Clone)]
struct InProcess(Router);

impl fmt::Debug for InProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let router = self.0.clone();
        HttpConnectorFuture::new(async move { answer(router, request).await.map_err(ConnectorError::io) })
    }
}

async fn answer(
    router: Router,
    request: HttpRequest,
) -> Result<HttpResponse, Box<dyn std::error::Error + Send + Sync>> {
    let mut request = request.try_into_http1x()?.map(Body::new);
    // A connection would say where to: the service checks it, as it is signed.
    if let Some(authority) = request.uri().authority().cloned() {
        let host = http::HeaderValue::from_str(authority.as_str())?;
        request.headers_mut().entry(http::header::HOST).or_insert(host);
    }
    let response: Result<_, Infallible> = router.oneshot(request).await;
    let (parts, body) = response.unwrap_or_else(|never| match never {}).into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await?;
    Ok(http::Response::from_parts(parts, SdkBody::from(bytes)).try_into()?)
}
