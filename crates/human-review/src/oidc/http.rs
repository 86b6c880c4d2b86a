//! Requests to the provider. Redirects are not followed.

use std::time::Duration;

use active_learning_aws::http::HttpClient;
use http::{Request, request::Builder};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

/// Time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for an answer; of several API Gateway waits 29 seconds in all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(7);
/// Largest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A status and a body.
pub(super) type Answer = (u16, Vec<u8>);

pub(super) struct Http(HttpClient);

impl Http {
    pub(super) fn new() -> Self {
        Self(HttpClient::new(CONNECT_TIMEOUT, ANSWER_TIMEOUT))
    }

    /// Gets a document; none where there is no answer.
    pub(super) async fn get(&self, url: &str, bearer: Option<&str>) -> Option<Answer> {
        let authorization = bearer.map(|token| format!("Bearer {token}"));
        self.send(Request::get(url), authorization, String::new()).await
    }

    /// Posts a form; none where there is no answer.
    pub(super) async fn post_form(
        &self,
        url: &str,
        authorization: Option<String>,
        form: String,
    ) -> Option<Answer> {
        let request = Request::post(url).header("content-type", "application/x-www-form-urlencoded");
        self.send(request, authorization, form).await
    }

    async fn send(&self, request: Builder, authorization: Option<String>, body: String) -> Option<Answer> {
        let mut request = request
            .header("accept", "application/json")
            .header("user-agent", "active-learning");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }

        let response = self.0.send(request.body(body.into()).ok()?).await.ok()?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
        let body = timeout(ANSWER_TIMEOUT, body).await.ok()?;
        Some((status, body.ok()?.to_bytes().to_vec()))
    }
}
