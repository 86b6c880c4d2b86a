//! The Runtime API that one function process polls: one event at a time.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
};
use tokio_util::task::AbortOnDropHandle;

use super::payload::{MAX_RESPONSE_BYTES, collect};

/// One event on its way to the process.
pub(super) struct Delivery {
    pub request_id: String,
    pub deadline_ms: u64,
    pub payload: Bytes,
    /// Where the process's answer goes.
    pub reply: oneshot::Sender<Reply>,
}

/// What the process posted for an event.
#[derive(Debug)]
pub(super) enum Reply {
    Response(Bytes),
    /// The error document of the function, JSON.
    Error(Bytes),
    ResponseTooLarge,
    /// The process streams its answer, which is not implemented here.
    Streaming,
}

/// How far the process has come with its start.
#[derive(Debug, Clone)]
pub(super) enum Init {
    Running,
    /// It has asked for its first event.
    Done,
    /// It has posted this error document.
    Failed(Bytes),
}

/// The listener of one process. It closes when this is dropped.
pub(super) struct RuntimeApi {
    /// Where it listens: the value of `AWS_LAMBDA_RUNTIME_API`.
    pub address: SocketAddr,
    pub init: watch::Receiver<Init>,
    pub deliveries: mpsc::Sender<Delivery>,
    _server: AbortOnDropHandle<()>,
}

struct Shared {
    function_arn: String,
    init: watch::Sender<Init>,
    deliveries: tokio::sync::Mutex<mpsc::Receiver<Delivery>>,
    in_flight: Mutex<Option<InFlight>>,
}

struct InFlight {
    request_id: String,
    invocation_id: String,
    reply: oneshot::Sender<Reply>,
}

impl RuntimeApi {
    /// Opens the listener on a free port of the loopback interface.
    pub(super) async fn open(function_arn: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (shared, init, deliveries) = Shared::new(function_arn);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router(shared)).await {
                tracing::error!(%error, "the listener of a function process failed");
            }
        });
        Ok(Self {
            address,
            init,
            deliveries,
            _server: AbortOnDropHandle::new(server),
        })
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{request_id}/response",
            post(response),
        )
        .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(shared)
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    if shared.in_flight().is_some() {
        return refusal(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "the invocation before has no response yet",
        );
    }
    shared.init.send_replace(Init::Done);
    let Some(delivery) = shared.deliveries.lock().await.recv().await else {
        return refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "ShuttingDown",
            "the service ends this process",
        );
    };
    let invocation_id = uuid::Uuid::new_v4().to_string();
    let response = http::Response::builder()
        .header("content-type", "application/json")
        .header("lambda-runtime-aws-request-id", &delivery.request_id)
        .header("lambda-runtime-deadline-ms", delivery.deadline_ms)
        .header("lambda-runtime-invoked-function-arn", &shared.function_arn)
        .header("lambda-runtime-trace-id", new_trace_id())
        .header("lambda-runtime-invocation-id", &invocation_id)
        .body(Body::from(delivery.payload))
        .expect("ids and ARNs are header values");
    *shared.in_flight() = Some(InFlight {
        request_id: delivery.request_id,
        invocation_id,
        reply: delivery.reply,
    });
    response
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let streams = headers
        .get("lambda-runtime-function-response-mode")
        .is_some_and(|mode| mode == "streaming");
    let body = collect(body, MAX_RESPONSE_BYTES).await;
    shared.complete(
        &request_id,
        &headers,
        match body {
            _ if streams => Reply::Streaming,
            Some(body) => Reply::Response(body),
            None => Reply::ResponseTooLarge,
        },
    )
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let reply = match collect(body, MAX_RESPONSE_BYTES).await {
        Some(body) => Reply::Error(body),
        None => Reply::ResponseTooLarge,
    };
    shared.complete(&request_id, &headers, reply)
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Body) -> Response {
    let document = collect(body, MAX_RESPONSE_BYTES).await.unwrap_or_default();
    let started = shared.init.send_if_modified(|init| {
        let running = matches!(init, Init::Running);
        if running {
            *init = Init::Failed(document);
        }
        running
    });
    if started {
        accepted()
    } else {
        refusal(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "the function has already started",
        )
    }
}

impl Shared {
    fn new(function_arn: &str) -> (Arc<Self>, watch::Receiver<Init>, mpsc::Sender<Delivery>) {
        let (init_sender, init) = watch::channel(Init::Running);
        let (deliveries, receiver) = mpsc::channel(1);
        let shared = Self {
            function_arn: function_arn.to_owned(),
            init: init_sender,
            deliveries: tokio::sync::Mutex::new(receiver),
            in_flight: Mutex::new(None),
        };
        (Arc::new(shared), init, deliveries)
    }

    fn in_flight(&self) -> std::sync::MutexGuard<'_, Option<InFlight>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&self, request_id: &str, headers: &HeaderMap, reply: Reply) -> Response {
        let mut in_flight = self.in_flight();
        let Some(current) = in_flight.take_if(|current| current.request_id == request_id) else {
            return refusal(
                StatusCode::BAD_REQUEST,
                "InvalidRequestID",
                "this request id is not in progress",
            );
        };
        let echoed = headers.get("lambda-runtime-invocation-id");
        if echoed.is_some_and(|id| id != current.invocation_id.as_str()) {
            *in_flight = Some(current);
            return refusal(
                StatusCode::BAD_REQUEST,
                "InvalidInvocationId",
                "this invocation id is not in progress",
            );
        }
        let too_large = matches!(reply, Reply::ResponseTooLarge);
        // The invoker may be gone: then nobody waits for the answer.
        let _ = current.reply.send(reply);
        if too_large {
            return refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "the response is larger than 6 MB",
            );
        }
        accepted()
    }
}

fn accepted() -> Response {
    json_response(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn refusal(status: StatusCode, error_type: &str, message: &str) -> Response {
    let body = json!({ "errorType": error_type, "errorMessage": message });
    json_response(status, &body)
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    http::Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .expect("the headers are constants")
}

fn new_trace_id() -> String {
    let root = uuid::Uuid::new_v4().simple().to_string();
    let (time, unique) = root.split_at(8);
    let parent = uuid::Uuid::new_v4().simple().to_string();
    format!("Root=1-{time}-{unique};Parent={};Sampled=0", &parent[..16])
}

#[cfg(test)]
mod tests {
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn call(shared: &Arc<Shared>, request: http::request::Builder, body: &str) -> Response {
        let body = Body::from(body.to_owned());
        let request = request.body(body).expect("the request is well formed");
        let response = router(shared.clone()).oneshot(request).await;
        response.unwrap_or_else(|never| match never {})
    }

    fn path(rest: &str) -> String {
        format!("/2018-06-01/runtime/{rest}")
    }

    /// Lets the process take an event with the request id `id`; returns what `next` answered.
    async fn take_event(
        shared: &Arc<Shared>,
        deliveries: &mpsc::Sender<Delivery>,
    ) -> (Response, oneshot::Receiver<Reply>) {
        let (reply, answer) = oneshot::channel();
        let delivery = Delivery {
            request_id: "id".to_owned(),
            deadline_ms: 1,
            payload: Bytes::from_static(b"{}"),
            reply,
        };
        deliveries.send(delivery).await.expect("the API is open");
        let next = call(shared, Request::get(path("invocation/next")), "").await;
        (next, answer)
    }

    #[tokio::test]
    async fn an_answer_counts_once_and_only_for_the_event_in_progress() {
        let (shared, _, deliveries) = Shared::new("arn");
        let (next, answer) = take_event(&shared, &deliveries).await;
        let post = |id: &str| Request::post(path(&format!("invocation/{id}/response")));

        let other = call(&shared, post("other"), "1").await;
        let stale = post("id").header("lambda-runtime-invocation-id", "stale");
        let stale = call(&shared, stale, "2").await;
        let invocation_id = &next.headers()["lambda-runtime-invocation-id"];
        let right = post("id").header("lambda-runtime-invocation-id", invocation_id);
        let right = call(&shared, right, "3").await;
        let again = call(&shared, post("id"), "4").await;

        let statuses = [&other, &stale, &right, &again].map(|it| it.status().as_u16());
        assert_eq!(statuses, [400, 400, 202, 400]);
        let reply = answer.await.expect("it was answered");
        assert!(matches!(reply, Reply::Response(body) if body == "3"));
    }

    #[tokio::test]
    async fn a_process_that_asks_for_a_second_event_before_it_answered_is_refused() {
        let (shared, _, deliveries) = Shared::new("arn");
        let (_, _answer) = take_event(&shared, &deliveries).await;

        let second = call(&shared, Request::get(path("invocation/next")), "").await;

        assert_eq!(second.status(), StatusCode::FORBIDDEN);
    }

    #[tokio::test]
    async fn a_start_can_fail_only_before_the_first_event() {
        let (failing, init, _) = Shared::new("arn");
        let (running, _, deliveries) = Shared::new("arn");
        let (_, _answer) = take_event(&running, &deliveries).await;

        let failed = call(&failing, Request::post(path("init/error")), "{}").await;
        let too_late = call(&running, Request::post(path("init/error")), "{}").await;

        assert_eq!(failed.status(), StatusCode::ACCEPTED);
        assert!(matches!(&*init.borrow(), Init::Failed(document) if document == "{}"));
        assert_eq!(too_late.status(), StatusCode::FORBIDDEN);
    }

    #[tokio::test]
    async fn a_streamed_answer_is_not_taken_for_a_whole_one() {
        let (shared, _, deliveries) = Shared::new("arn");
        let (_, answer) = take_event(&shared, &deliveries).await;

        let post = Request::post(path("invocation/id/response"))
            .header("lambda-runtime-function-response-mode", "streaming");
        call(&shared, post, "{}").await;

        assert!(matches!(answer.await, Ok(Reply::Streaming)));
    }
}
