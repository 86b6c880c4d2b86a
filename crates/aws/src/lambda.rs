//! The entry of a function: its environment, and the Lambda runtime around its handler.

use std::convert::Infallible;

use aws_config::SdkConfig;
use lambda_http::{Body, Request, Response};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};

use crate::{clients, env::Env};

/// Starts logging, and returns the environment of the process with the SDK's configuration.
///
/// Logging is as the function's logging configuration says: level and JSON or text, to stdout.
pub async fn start() -> (Env, SdkConfig) {
    lambda_runtime::tracing::init_default_subscriber();
    (Env::from_process(), clients::sdk_config().await)
}

/// Gives events to a handler until the environment ends.
///
/// What fails is told to Lambda as a [`Diagnostic`], which holds no causes: the runtime would log them in full.
///
/// # Errors
///
/// The Lambda runtime's own failure.
pub async fn run_events<A, R, E, F>(handle: impl Fn(LambdaEvent<A>) -> F) -> Result<(), Error>
where
    A: DeserializeOwned,
    R: Serialize,
    E: Into<Diagnostic>,
    F: Future<Output = Result<R, E>>,
{
    let handle = &handle;
    // Boxed: the compiler refuses to lay out the SDK's futures inside the runtime's.
    let service = move |event| Box::pin(async move { handle(event).await.map_err(Into::<Diagnostic>::into) });
    lambda_runtime::run(service_fn(service)).await
}

/// Gives HTTP requests to a handler, which has an answer to each, until the environment ends.
///
/// # Errors
///
/// The Lambda runtime's own failure.
pub async fn run_http<F>(handle: impl Fn(Request) -> F) -> Result<(), Error>
where
    F: Future<Output = Response<Body>> + Send,
{
    let handle = &handle;
    let service = move |request| {
        let answer = handle(request);
        async move { Ok::<_, Infallible>(answer.await) }
    };
    lambda_http::run(service_fn(service)).await
}
