//! Answers that a healthy service seldom gives, for tests: refusals, outages, and a record of the calls.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use axum::{
    Router,
    body::{Body, to_bytes},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tokio::time::sleep;
use tower::ServiceExt;

use crate::transport;

/// Stands before the services: answers the operations that it was told to answer, passes on the others.
///
/// An operation is named as it shows on the wire: by the last part of `X-Amz-Target`, for example
/// `PutRecord`, or else by method and path, of which a beginning is enough: `GET /bucket/`.
#[derive(Clone, Debug, Default)]
pub struct Script(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    answers: Vec<Answer>,
    calls: Vec<(String, Bytes)>,
    /// Operations whose calls wait until one of another has come.
    holds: Vec<(String, String)>,
}

#[derive(Debug)]
struct Answer {
    operation: String,
    times: usize,
    /// `None` passes the call on.
    answer: Option<(StatusCode, String)>,
}

impl Script {
    /// Answers the next `times` calls of an operation; those after are passed on.
    ///
    /// # Panics
    ///
    /// When `status` is no HTTP status.
    pub fn answer(&self, times: usize, operation: &str, status: u16, body: impl Into<String>) {
        self.lines().answers.push(Answer {
            operation: operation.to_owned(),
            times,
            answer: Some((StatusCode::from_u16(status).expect("an HTTP status"), body.into())),
        });
    }

    /// Passes on the next `times` calls of an operation, whatever is said of those after them.
    pub fn pass(&self, times: usize, operation: &str) {
        self.lines().answers.push(Answer {
            operation: operation.to_owned(),
            times,
            answer: None,
        });
    }

    /// Answers all calls of an operation.
    ///
    /// # Panics
    ///
    /// When `status` is no HTTP status.
    pub fn always(&self, operation: &str, status: u16, body: impl Into<String>) {
        self.answer(usize::MAX, operation, status, body);
    }

    /// Lets the calls of an operation wait until one of another has come: they go out together, or the first never ends.
    pub fn hold(&self, operation: &str, until: &str) {
        self.lines().holds.push((operation.to_owned(), until.to_owned()));
    }

    /// Returns the bodies of all calls of an operation, in their order.
    pub fn calls(&self, operation: &str) -> Vec<Bytes> {
        let lines = self.lines();
        let calls = lines.calls.iter().filter(|(name, _)| name.starts_with(operation));
        calls.map(|(_, body)| body.clone()).collect()
    }

    /// Returns an SDK configuration of the user `test` that speaks to `services` through this script.
    pub fn sdk_config(&self, services: Router) -> SdkConfig {
        let script = self.clone();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (script, services) = (script.clone(), services.clone());
            async move { script.play(request, services).await }
        });
        transport::sdk_config(router, Credentials::new("test", "test", None, None, "script"))
    }

    async fn play(&self, request: Request<Body>, services: Router) -> Response<Body> {
        let operation = operation(&request);
        let (head, body) = request.into_parts();
        let body = match to_bytes(body, usize::MAX).await {
            Ok(body) => body,
            Err(error) => return refuse(StatusCode::BAD_REQUEST, error.to_string()),
        };
        while self.lines().holds_back(&operation) {
            sleep(Duration::from_millis(1)).await;
        }
        if let Some(answer) = self.lines().play(operation, body.clone()) {
            return answer;
        }
        let request = Request::from_parts(head, Body::from(body));
        services
            .oneshot(request)
            .await
            .unwrap_or_else(|never| match never {})
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn holds_back(&self, operation: &str) -> bool {
        let has_come = |until: &String| self.calls.iter().any(|(name, _)| name.starts_with(until));
        self.holds
            .iter()
            .any(|(held, until)| operation.starts_with(held) && !has_come(until))
    }

    fn play(&mut self, operation: String, body: Bytes) -> Option<Response<Body>> {
        let fits = |answer: &&mut Answer| answer.times > 0 && operation.starts_with(&answer.operation);
        let answer = self.answers.iter_mut().find(fits).and_then(|answer| {
            answer.times -= 1;
            answer.answer.clone()
        });
        let answer = answer.map(|(status, body)| refuse(status, body));
        self.calls.push((operation, body));
        answer
    }
}

fn operation(request: &Request<Body>) -> String {
    let target = request.headers().get("x-amz-target");
    match target.and_then(|target| target.to_str().ok()?.rsplit('.').next()) {
        Some(target) => target.to_owned(),
        None => format!("{} {}", request.method(), request.uri().path()),
    }
}

fn refuse(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
}
