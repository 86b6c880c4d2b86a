//! The entry of a function: its environment, and the Lambda runtime around its handler.

use std::{
    convert::Infallible,
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use aws_config::SdkConfig;
use lambda_http::{Body, Request, Response};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    clients,
    env::{ConfigError, Env},
};

/// How long Lambda may take to hear what is wrong with a configuration.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts logging, and returns the environment of the process with the SDK's configuration.
///
/// Logging is as the function's logging configuration says: level and JSON or text, to stdout.
pub async fn start() -> (Env, SdkConfig) {
    lambda_runtime::tracing::init_default_subscriber();
    (Env::from_process(), clients::sdk_config().await)
}

/// Passes on the configuration of a function, and tells Lambda what is wrong with it: whoever invokes the function reads it
/// then, where an exit status says nothing.
///
/// # Errors
///
/// That of the configuration.
///
/// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes", initialization error.
pub fn configured<T>(env: &Env, config: Result<T, ConfigError>) -> Result<T, ConfigError> {
    if let Err(error) = &config
        && let Ok(Some(runtime_api)) = env.optional::<String>("AWS_LAMBDA_RUNTIME_API")
    {
        // Unheard, it is still the reason with which the process ends.
        let _ = tell_init_error(&runtime_api, error);
    }
    config
}

fn tell_init_error(runtime_api: &str, error: &ConfigError) -> io::Result<()> {
    const ERROR_TYPE: &str = "Configuration";
    let document =
        json!({ "errorType": ERROR_TYPE, "errorMessage": error.to_string(), "stackTrace": [] }).to_string();
    let request = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: {runtime_api}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: {ERROR_TYPE}\r\n\
         Content-Length: {}\r\n\r\n{document}",
        document.len()
    );
    let mut stream = TcpStream::connect(runtime_api)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    // Its answer says that it was heard.
    stream.read(&mut [0; 64]).map(drop)
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_configuration_is_told_to_lambda() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let lambda = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut heard = [0; 4_096];
            let length = stream.read(&mut heard).expect("a request");
            stream
                .write_all(b"HTTP/1.1 202 Accepted\r\n\r\n")
                .expect("an answer");
            String::from_utf8_lossy(&heard[..length]).into_owned()
        });
        let env = Env::from([("AWS_LAMBDA_RUNTIME_API", address.as_str()), ("ITEMS", "many")]);

        let config = configured(&env, env.required::<u32>("ITEMS"));

        let heard = lambda.join().expect("it heard something");
        assert!(config.is_err());
        assert!(
            heard.starts_with("POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"),
            "{heard}"
        );
        assert!(heard.contains("environment variable ITEMS is invalid"), "{heard}");
    }
}
