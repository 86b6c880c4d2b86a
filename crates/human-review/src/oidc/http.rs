//! Requests to the provider, by the HTTP client of the AWS SDK. Redirects are not followed.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_http_client::default_connector;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt, Limited};

/// Time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for an answer; of several API Gateway waits 29 seconds in all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(7);
/// Largest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A status and a body.
pub(super) type Answer = (u16, Vec<u8>);

pub(super) struct Http(SharedHttpConnector);

impl Http {
    pub(super) fn new(sdk: &SdkConfig) -> Self {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(ANSWER_TIMEOUT)
            .build();
        Self(default_connector(&settings, sdk.sleep_impl()).expect("the connector is compiled in"))
    }

    /// Gets a document; none where there is no answer.
    pub(super) async fn get(&self, url: &str, bearer: Option<&str>) -> Option<Answer> {
        let request = HttpRequest::new(SdkBody::empty());
        let authorization = bearer.map(|token| format!("Bearer {token}"));
        self.send(request, "GET", url, authorization).await
    }

    /// Posts a form; none where there is no answer.
    pub(super) async fn post_form(
        &self,
        url: &str,
        authorization: Option<String>,
        form: String,
    ) -> Option<Answer> {
        let mut request = HttpRequest::new(SdkBody::from(form));
        let headers = request.headers_mut();
        headers.insert("content-type", "application/x-www-form-urlencoded");
        self.send(request, "POST", url, authorization).await
    }

    async fn send(
        &self,
        mut request: HttpRequest,
        method: &str,
        url: &str,
        authorization: Option<String>,
    ) -> Option<Answer> {
        request.set_method(method).ok()?;
        request.set_uri(url).ok()?;
        let headers = request.headers_mut();
        headers.insert("accept", "application/json");
        headers.insert("user-agent", "active-learning");
        if let Some(authorization) = authorization {
            headers.try_insert("authorization", authorization).ok()?;
        }

        let response = self.0.call(request).await.ok()?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await;
        Some((status, body.ok()?.to_bytes().to_vec()))
    }
}
