//! The Runtime API that one function process polls: one event at a time.
//!
//! A connection is served only if the process holds its other end, and a request only if it is for the loopback
//! interface and of no page: what others on this machine send, and what pages send by a browser, is turned away.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    payload::{MAX_RESPONSE_BYTES, collect},
    peer,
};
use crate::front_door::is_loopback;

/// How long a second request for an event waits for the end of the first: a process that has given up a connection
/// asks again at once.
const SECOND_POLL_PATIENCE: Duration = Duration::from_millis(500);

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
    /// Whose connections are served, once it is known; none before.
    process: watch::Sender<Option<u32>>,
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
        let (process, known) = watch::channel(None);
        let server = tokio::spawn(serve(listener, address, router(shared), known));
        Ok(Self {
            address,
            init,
            deliveries,
            process,
            _server: AbortOnDropHandle::new(server),
        })
    }

    /// Serves the connections of a process; `None` if it has ended already.
    pub(super) fn serve(&self, process: Option<u32>) {
        self.process.send_replace(process);
    }
}

async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    process: watch::Receiver<Option<u32>>,
) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection = connection(stream, (peer, address), router.clone(), process.clone());
                connections.spawn(connection);
            }
            Err(error) => {
                tracing::error!(%error, "the listener of a function process failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(
    stream: TcpStream,
    (peer, local): (SocketAddr, SocketAddr),
    router: Router,
    mut process: watch::Receiver<Option<u32>>,
) {
    let Ok(Some(process)) = process.wait_for(Option::is_some).await.map(|process| *process) else {
        return;
    };
    let is_its = tokio::task::spawn_blocking(move || peer::is_of_group(process, peer, local));
    if !is_its.await.unwrap_or(false) {
        tracing::warn!(process, %peer, "a connection of another process to a function's Runtime API was closed");
        return;
    }
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(process, %error, "a connection of a function process broke");
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
        .layer(middleware::from_fn(only_programs))
}

/// Turns away what a browser sends for a page, by whatever name of this machine.
async fn only_programs(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let is_of_page = headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site");
    let hosts = headers.get_all(header::HOST).iter();
    let is_for_here = hosts
        .map(|host| String::from_utf8_lossy(host.as_bytes()))
        .all(|host| is_loopback(&host));
    if is_of_page || !is_for_here {
        let message = "only a function process may call its Runtime API";
        return refusal(StatusCode::FORBIDDEN, "Forbidden", message);
    }
    next.run(request).await
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    if shared.in_flight().is_some() {
        return refusal(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "the invocation before has no response yet",
        );
    }
    let polling = tokio::time::timeout(SECOND_POLL_PATIENCE, shared.deliveries.lock());
    let Ok(mut deliveries) = polling.await else {
        return refusal(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "another request waits for the next invocation",
        );
    };
    shared.init.send_replace(Init::Done);
    let Some(delivery) = deliveries.recv().await else {
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
mod tests;
