//! One child process of a function, and what it may see.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    FunctionError,
    payload::MAX_RESPONSE_BYTES,
    runtime_api::{Delivery, Init, Reply, RuntimeApi},
};
use crate::{iam::Iam, invocation_queue::epoch_millis, log_file::LogFile};

/// Longest time from the start of a process to its first request for an event.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest time for which the last words of a process that has ended are waited for.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// Longest piece of a function's output that is logged as one line, bytes.
const MAX_LOG_LINE_BYTES: u64 = 256 * 1024;

/// Environment variable that tells a process that its standard input ends with the service.
pub const STDIN_OF_THE_SERVICE: &str = "LOCAL_AWS_STDIN_OF_THE_SERVICE";

/// What every process of a function is started with.
pub(super) struct Launch {
    pub function_name: String,
    pub function_arn: String,
    pub role_arn: String,
    pub iam: Arc<Iam>,
    pub command: Vec<OsString>,
    /// The environment but the role's credentials and the address of the Runtime API.
    pub environment: BTreeMap<String, OsString>,
    /// Where the function's output is appended.
    pub log_file: PathBuf,
}

/// One event for a function.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub request_id: String,
    pub payload: Bytes,
}

/// Why an invocation has no answer of the function.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: FunctionError,
    /// The error document that the caller gets, JSON.
    pub payload: Bytes,
}

impl Failure {
    /// Returns the message of the error document.
    pub(super) fn message(&self) -> Option<String> {
        let document: serde_json::Value = serde_json::from_slice(&self.payload).ok()?;
        document["errorMessage"].as_str().map(str::to_owned)
    }
}

/// Why an invocation ended without a result.
#[derive(Debug)]
pub(super) enum Ended {
    Failed(Failure),
    /// The service stops; the event has not been dealt with.
    Stopped,
}

/// Why a process did not come to its first request for an event.
pub(super) struct NotStarted {
    pub ended: Ended,
    /// The last line of its standard error, if it said anything.
    pub said_last: Option<String>,
}

/// A running process. It is killed when this is dropped.
pub(super) struct Process {
    child: Child,
    runtime_api: RuntimeApi,
    /// Copies its standard error.
    complaints: Option<JoinHandle<()>>,
    /// The last line of its standard error.
    last_words: Arc<Mutex<String>>,
    /// Never written to. The kernel closes it when this process ends in whatever way, so that a
    /// function that reads end-of-file from its standard input knows that it is alone.
    _stdin: Option<ChildStdin>,
}

impl Process {
    /// Starts a process and waits until it asks for its first event.
    pub(super) async fn start(
        launch: &Launch,
        event: &Event,
        stop: &CancellationToken,
    ) -> Result<Self, NotStarted> {
        let mut process = Self::spawn(launch).await.map_err(|error| NotStarted {
            ended: Ended::Failed(not_started(event, launch, &error)),
            said_last: None,
        })?;
        let mut init = process.runtime_api.init.clone();
        let ended = tokio::select! {
            biased;
            init = init.wait_for(|init| !matches!(init, Init::Running)) => match init.as_deref() {
                Ok(Init::Failed(document)) => Ended::Failed(Failure {
                    error: FunctionError::Reported,
                    payload: document.clone(),
                }),
                _ => return Ok(process),
            },
            status = process.child.wait() => Ended::Failed(exited(event, status.ok())),
            () = tokio::time::sleep(INIT_TIMEOUT) => Ended::Failed(timed_out(event, INIT_TIMEOUT)),
            () = stop.cancelled() => Ended::Stopped,
        };
        if !process.is_alive() {
            process.hear_out().await;
        }
        let said_last = process.said_last();
        Err(NotStarted { ended, said_last })
    }

    async fn spawn(launch: &Launch) -> std::io::Result<Self> {
        let runtime_api = RuntimeApi::open(&launch.function_arn).await?;
        let (program, arguments) = launch
            .command
            .split_first()
            .ok_or_else(|| std::io::Error::other("the function has no command"))?;
        let credentials = Some(&launch.role_arn)
            .filter(|role| launch.iam.may_assume("lambda.amazonaws.com", role))
            .and_then(|role| launch.iam.role_credentials(role))
            .ok_or_else(|| std::io::Error::other("Lambda cannot assume the function's role"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(&launch.environment)
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .env("AWS_SESSION_TOKEN", credentials.session_token)
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.address.to_string())
            .env(STDIN_OF_THE_SERVICE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is for the service, which then ends its functions in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        runtime_api.serve(child.id());
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(copy_log(stdout, launch.log_to(None)));
        }
        let last_words = Arc::default();
        let complaints = child.stderr.take().map(|stderr| {
            let to = launch.log_to(Some(Arc::clone(&last_words)));
            tokio::spawn(copy_log(stderr, to))
        });
        let stdin = child.stdin.take();
        Ok(Self {
            child,
            runtime_api,
            complaints,
            last_words,
            _stdin: stdin,
        })
    }

    /// Waits, a moment at most, until all is copied that a process which has ended wrote to its standard error.
    async fn hear_out(&mut self) {
        if let Some(complaints) = self.complaints.take() {
            // A child of its own may still hold the pipe.
            let _ = tokio::time::timeout(LAST_WORDS_WITHIN, complaints).await;
        }
    }

    /// Returns the last line of its standard error, if it has said anything.
    fn said_last(&self) -> Option<String> {
        let said = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        (!said.is_empty()).then(|| said.clone())
    }

    /// Returns whether the process still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Gives the process one event and waits for its answer, at most for `timeout`.
    ///
    /// A process that did not answer in time is of no further use: it is still busy.
    pub(super) async fn run(
        &mut self,
        event: &Event,
        timeout: Duration,
        stop: &CancellationToken,
    ) -> Result<Bytes, Ended> {
        let (reply, mut answer) = oneshot::channel();
        let delivery = Delivery {
            request_id: event.request_id.clone(),
            deadline_ms: epoch_millis() + timeout.as_millis() as u64,
            payload: event.payload.clone(),
            reply,
        };
        if self.runtime_api.deliveries.send(delivery).await.is_err() {
            return Err(Ended::Failed(exited(event, None)));
        }
        tokio::select! {
            biased;
            Ok(reply) = &mut answer => reply.into_result(),
            status = self.child.wait() => match answer.try_recv() {
                Ok(reply) => reply.into_result(),
                Err(_) => Err(exited(event, status.ok())),
            },
            () = tokio::time::sleep(timeout) => Err(timed_out(event, timeout)),
            () = stop.cancelled() => return Err(Ended::Stopped),
        }
        .map_err(Ended::Failed)
    }
}

impl Reply {
    fn into_result(self) -> Result<Bytes, Failure> {
        match self {
            Self::Response(payload) => Ok(payload),
            Self::Error(payload) => Err(Failure {
                error: FunctionError::Reported,
                payload,
            }),
            Self::ResponseTooLarge => Err(failure(
                FunctionError::ResponseTooLarge,
                "Function.ResponseSizeTooLarge",
                &format!(
                    "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
                ),
            )),
            Self::Streaming => Err(failure(
                FunctionError::Reported,
                "Runtime.StreamingNotImplemented",
                "response streaming is not implemented by the local Lambda service",
            )),
        }
    }
}

fn failure(error: FunctionError, error_type: &str, message: &str) -> Failure {
    let document = json!({ "errorType": error_type, "errorMessage": message });
    Failure {
        error,
        payload: document.to_string().into(),
    }
}

fn timed_out(event: &Event, timeout: Duration) -> Failure {
    let message = format!(
        "RequestId: {} Error: Task timed out after {:.2} seconds",
        event.request_id,
        timeout.as_secs_f64()
    );
    failure(FunctionError::TimedOut, "Sandbox.Timedout", &message)
}

fn exited(event: &Event, status: Option<ExitStatus>) -> Failure {
    let how = match status {
        Some(status) if !status.success() => match status.code() {
            Some(code) => format!("Runtime exited with error: exit status {code}"),
            None => format!("Runtime exited with error: {status}"),
        },
        _ => "Runtime exited without providing a reason".to_owned(),
    };
    let message = format!("RequestId: {} Error: {how}", event.request_id);
    failure(FunctionError::Exited, "Runtime.ExitError", &message)
}

fn not_started(event: &Event, launch: &Launch, error: &std::io::Error) -> Failure {
    tracing::error!(function = launch.function_name, %error, "a function process cannot be started");
    let message = format!(
        "RequestId: {} Error: the function's program cannot be started: {error}",
        event.request_id
    );
    failure(FunctionError::Exited, "Runtime.InvalidEntrypoint", &message)
}

impl Launch {
    fn log_to(&self, last_words: Option<Arc<Mutex<String>>>) -> LogTo {
        LogTo {
            function_name: self.function_name.clone().into(),
            file: self.log_file.clone(),
            last_words,
        }
    }
}

struct LogTo {
    function_name: Arc<str>,
    file: PathBuf,
    /// Where the last line is kept.
    last_words: Option<Arc<Mutex<String>>>,
}

/// Copies a function's output, line by line, to its log file and to tracing's target `lambda`.
async fn copy_log(output: impl AsyncRead + Unpin, to: LogTo) {
    let mut file = LogFile::new(to.file);
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut rest = (&mut output).take(MAX_LOG_LINE_BYTES);
        if !matches!(rest.read_until(b'\n', &mut line).await, Ok(1..)) {
            return;
        }
        let is_whole = line.last() == Some(&b'\n');
        if !is_whole {
            line.push(b'\n');
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        if let Some(last_words) = to.last_words.as_ref().filter(|_| !text.trim().is_empty()) {
            let mut last_words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
            // Who is killed in the middle of a line has said less with it than with the one before.
            if is_whole || last_words.is_empty() {
                text.trim().clone_into(&mut last_words);
            }
        }
        let bytes = std::mem::take(&mut line);
        let appended = tokio::task::spawn_blocking(move || {
            let appended = file.append(&bytes);
            (file, appended)
        });
        let Ok((same, appended)) = appended.await else {
            return;
        };
        file = same;
        if let Err(error) = appended {
            tracing::warn!(function = &*to.function_name, %error, "the function's log file cannot be written");
        }
        tracing::info!(target: "lambda", function = &*to.function_name, "{}", text.trim_end());
    }
}

/// Ends this process when the service that started it ends; for the first line of a function's program.
///
/// A function process of [`Lambda`](super::Lambda) has a pipe as standard input that closes when the
/// service ends, also by `kill -9`. Without this call a function still ends by itself when it next
/// talks to the Runtime API; with it, also while its handler runs. Does nothing in a process that
/// something else started, whose standard input may be closed from the beginning.
pub fn end_with_the_service() {
    if std::env::var_os(STDIN_OF_THE_SERVICE).is_none() {
        return;
    }
    std::thread::spawn(|| {
        // Nobody writes to the pipe: this returns only at its end.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
}
