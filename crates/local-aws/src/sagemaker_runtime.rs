//! Amazon SageMaker Runtime: `InvokeEndpoint`, for containers that listen on this machine.
//!
//! An endpoint is a name and the URL of any HTTP server; a request is passed on to it as SageMaker passes it on to a
//! container: `POST /invocations`. Differs from SageMaker: one container and one variant an endpoint, no streams, no
//! asynchronous or batch inference, and no API that makes endpoints.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::body::{Body, Bytes};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;

use crate::{
    ACCOUNT_ID,
    aws_error::{AwsError, Envelope, json_response},
    gateway::MAX_BODY_BYTES,
    iam::{Call, Iam},
    json_protocol,
    service::{Protocol, Service},
};

/// Time for a container's answer. Source: Amazon SageMaker, "Custom inference code with hosting services".
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Where a container takes requests.
const CONTAINER_PATH: &str = "/invocations";
/// Headers of a request that a container sees.
const PASSED_ON: [&str; 4] = [
    "content-type",
    "accept",
    "x-amzn-sagemaker-custom-attributes",
    "x-amzn-sagemaker-session-id",
];

/// The service. A clone is another handle to the same endpoints.
#[derive(Debug, Clone)]
pub struct SageMakerRuntime {
    iam: Arc<Iam>,
    region: String,
    endpoints: Arc<RwLock<BTreeMap<String, Uri>>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Service for SageMakerRuntime {
    fn name(&self) -> &'static str {
        "sagemaker"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Rest
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(async {
            let answer = self.answer(request).await;
            answer.unwrap_or_else(|error| error.into_response(Envelope::RestJson))
        })
    }

    fn takes_faults(&self) -> bool {
        true
    }
}

impl SageMakerRuntime {
    /// Makes the service without endpoints.
    pub(crate) fn new(iam: Arc<Iam>, region: String) -> Self {
        Self {
            iam,
            region,
            endpoints: Arc::default(),
            // As SageMaker: what a container broke off is not asked again.
            client: Client::builder(TokioExecutor::new())
                .retry_canceled_requests(false)
                .build_http(),
        }
    }

    /// Puts an HTTP server behind the endpoint of a name. A URL without a path stands for its `/invocations`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the URL.
    pub fn put_endpoint(&self, name: &str, url: &str) -> Result<(), String> {
        let invalid =
            || format!("the endpoint {name} needs an http URL, such as http://127.0.0.1:8080, not {url}");
        let url: Uri = url.parse().map_err(|_| invalid())?;
        if url.scheme_str() != Some("http") || url.authority().is_none() {
            return Err(invalid());
        }
        let url = match url.path() {
            "/" => {
                let authority = url.authority().map(ToString::to_string).unwrap_or_default();
                let container = format!("http://{authority}{CONTAINER_PATH}");
                container.parse().map_err(|_| invalid())?
            }
            _ => url,
        };
        let mut endpoints = self.endpoints.write().unwrap_or_else(PoisonError::into_inner);
        endpoints.insert(name.to_owned(), url);
        Ok(())
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, AwsError> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let name = path
            .strip_prefix("/endpoints/")
            .and_then(|rest| rest.strip_suffix(CONTAINER_PATH))
            .filter(|name| method == Method::POST && !name.is_empty() && !name.contains('/'))
            .ok_or_else(|| AwsError::not_implemented("sagemaker", &format!("{method} {path}")))?;
        let principal = json_protocol::caller(&request)?;
        let region = &self.region;
        let call = Call {
            principal: &principal,
            action: "sagemaker:InvokeEndpoint",
            resource: &format!(
                "arn:aws:sagemaker:{region}:{ACCOUNT_ID}:endpoint/{}",
                name.to_lowercase()
            ),
            context: &BTreeMap::new(),
            resource_policy: None,
        };
        self.iam.authorize(&call)?;

        let found = self
            .endpoints
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        let url = found.ok_or_else(|| {
            let message = format!("Endpoint {name} of account {ACCOUNT_ID} not found.");
            AwsError::new(400, "ValidationError", message)
        })?;
        Ok(self.invoke(name, url, request).await)
    }

    /// Has the container answer. Whatever it does but succeed is an error of the model.
    async fn invoke(&self, name: &str, url: Uri, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
            let error = AwsError::new(400, "ValidationError", "the body broke off");
            return error.into_response(Envelope::RestJson);
        };
        let mut passed_on = Request::new(Full::new(body));
        *passed_on.method_mut() = Method::POST;
        *passed_on.uri_mut() = url.clone();
        for name in PASSED_ON {
            if let Some(value) = parts.headers.get(name) {
                passed_on
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value.clone());
            }
        }

        let asked = tokio::time::timeout(ANSWER_TIMEOUT, self.ask(passed_on)).await;
        match asked {
            Ok(Ok((status, headers, body))) if status.is_success() => answered(&headers, body),
            Ok(Ok((status, _, body))) => {
                self.model_error(name, Some(status), &String::from_utf8_lossy(&body))
            }
            Ok(Err(reason)) => {
                let said = format!("nothing at {url} answers: {reason}");
                self.model_error(name, None, &said)
            }
            Err(_) => self.model_error(
                name,
                None,
                "Your invocation timed out while waiting for a response",
            ),
        }
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|error| in_words(&error))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|error| error.to_string())?;
        Ok((parts.status, parts.headers, body.to_bytes()))
    }

    fn model_error(&self, name: &str, status: Option<StatusCode>, said: &str) -> Response<Body> {
        let number = status.map_or(0, |status| status.as_u16());
        let whose = match status {
            Some(status) if status.is_client_error() => "client",
            _ => "server",
        };
        let body = json!({
            "Message": format!("Received {whose} error ({number}) from primary with message \"{said}\"."),
            "OriginalStatusCode": number,
            "OriginalMessage": said,
            "LogStreamArn": format!(
                "arn:aws:logs:{}:{ACCOUNT_ID}:log-group:/aws/sagemaker/Endpoints/{name}", self.region
            ),
        });
        let mut response = json_response(StatusCode::FAILED_DEPENDENCY, "application/json", &body);
        let headers = response.headers_mut();
        headers.insert("x-amzn-errortype", header::HeaderValue::from_static("ModelError"));
        response
    }
}

/// Says an error with what it comes from: that of the client alone names neither a refused connection nor a broken one.
fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let words: Vec<String> = causes.map(ToString::to_string).collect();
    words.join(": ")
}

fn answered(headers: &HeaderMap, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    for name in ["content-type", "x-amzn-sagemaker-custom-attributes"] {
        if let Some(value) = headers.get(name) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value.clone());
        }
    }
    let variant = header::HeaderValue::from_static("AllTraffic");
    response
        .headers_mut()
        .insert("x-amzn-invoked-production-variant", variant);
    response
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::post};
    use tokio::net::TcpListener;

    use super::*;
    use crate::LocalAws;

    /// Serves a container that answers with what it was sent, and `/teapot`, which is one.
    async fn container() -> String {
        let echo = |headers: HeaderMap, body: Bytes| async move {
            ([("content-type", headers["content-type"].clone())], body)
        };
        let teapot = || async { (StatusCode::IM_A_TEAPOT, "no text") };
        let router = Router::new()
            .route("/invocations", post(echo))
            .route("/teapot", post(teapot));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    async fn invoke(aws: &LocalAws, name: &str) -> (u16, HeaderMap, String) {
        let request = Request::post(format!("/endpoints/{name}/invocations"))
            .header("content-type", "application/json")
            .extension(crate::iam::Principal::Root)
            .body(Body::from(r#"{"inputs":"a"}"#))
            .expect("a request");
        let (parts, body) = aws.sagemaker_runtime.serve(request).await.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        (
            parts.status.as_u16(),
            parts.headers,
            String::from_utf8_lossy(&body).into_owned(),
        )
    }

    #[tokio::test]
    async fn a_request_goes_to_the_container_and_its_answer_comes_back() {
        let (aws, url) = (LocalAws::in_memory(), container().await);
        aws.sagemaker_runtime.put_endpoint("news", &url).expect("a URL");

        let (status, headers, body) = invoke(&aws, "news").await;

        assert_eq!((status, body.as_str()), (200, r#"{"inputs":"a"}"#));
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["x-amzn-invoked-production-variant"], "AllTraffic");
    }

    #[tokio::test]
    async fn a_container_that_closes_the_connection_is_an_error_of_the_model_at_once() {
        let aws = LocalAws::in_memory();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                drop(connection);
            }
        });
        aws.sagemaker_runtime.put_endpoint("news", &url).expect("a URL");

        let (status, _, body) = invoke(&aws, "news").await;

        assert_eq!(status, 424);
        assert!(body.contains(r#""OriginalStatusCode":0"#), "{body}");
    }

    #[tokio::test]
    async fn what_a_container_refuses_is_an_error_of_the_model_and_what_is_not_there_one_of_the_request() {
        let (aws, url) = (LocalAws::in_memory(), container().await);
        let runtime = &aws.sagemaker_runtime;
        runtime
            .put_endpoint("tea", &format!("{url}/teapot"))
            .expect("a URL");
        runtime.put_endpoint("gone", "http://127.0.0.1:1").expect("a URL");

        let refused = invoke(&aws, "tea").await;
        let gone = invoke(&aws, "gone").await;
        let unknown = invoke(&aws, "other").await;

        for (status, headers, _) in [&refused, &gone] {
            assert_eq!(*status, 424);
            assert_eq!(headers["x-amzn-errortype"], "ModelError");
        }
        assert!(refused.2.contains(r#""OriginalStatusCode":418"#), "{}", refused.2);
        assert!(gone.2.contains(r#""OriginalStatusCode":0"#), "{}", gone.2);
        assert!(
            gone.2
                .contains("nothing at http://127.0.0.1:1/invocations answers"),
            "{}",
            gone.2
        );
        assert_eq!(
            (unknown.0, &unknown.1["x-amzn-errortype"]),
            (400, &"ValidationError".parse().expect("a value"))
        );
        for url in ["127.0.0.1:8080", "https://127.0.0.1", "ftp://a", ""] {
            assert!(runtime.put_endpoint("news", url).is_err(), "{url}");
        }
    }
}
