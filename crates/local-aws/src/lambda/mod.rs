//! AWS Lambda: functions as child processes that speak the Runtime API.
//!
//! A process is started when an event finds none that is free, handles one event at a time, and stays
//! warm for some minutes. Its environment is the template's block, the variables that Lambda sets,
//! `AWS_ENDPOINT_URL` and a fixed `PATH`: nothing of the environment of this process. What it prints
//! goes to `logs/<function>.log` in the state folder and to tracing's target `lambda`.
//!
//! A function process never outlives this one: its listener of the Runtime API and the pipe on its
//! standard input close when this process ends, also by `kill -9`. `lambda_runtime` ends at its next
//! call to the Runtime API; [`end_with_the_service`] makes it end at once.
//!
//! The Runtime API of a process answers that process and those of its process group only (on Linux, by `/proc`), so
//! that nobody else on this machine can take its events or answer them, but who may act as the same user.
//!
//! Differences from AWS:
//!
//! * A function without reserved concurrency has [`DEFAULT_CONCURRENCY`], and a synchronous call waits
//!   [`Timing::patience`] for a free process before it is throttled.
//! * Queued events are retried after the seconds of [`Timing::retry_delays`], not minutes.
//! * A program runs as it is, so only on a Unix; memory is not limited; a start may take 30 s, not 10, and is not counted as the function's time.
//! * There is one version, `$LATEST`; no aliases, layers, client context or response streaming.
//! * The only on-failure destination is an S3 bucket.
//! * `Invoke` with `LogType=Tail` gives what the function has logged by then, without Lambda's own lines; other events that
//!   run at the same time are in it.
//! * The age of queued events stands still while the service is stopped.

mod api;
mod destination;
mod dispatcher;
mod function;
mod payload;
mod peer;
mod permissions;
mod process;
mod runtime_api;
mod spec;
mod timing;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::Path,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use bytes::Bytes;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use process::{STDIN_OF_THE_SERVICE, end_with_the_service};
pub use spec::{EventInvokeSpec, FunctionSpec, FunctionUrlSpec, PermissionSpec};
pub use timing::Timing;

use crate::{ACCOUNT_ID, iam::Iam, invocation_queue::InvocationQueue, s3::S3, store::Store};
use function::Function;
use process::{Ended, Event, Launch};

/// Most processes at once of a function without reserved concurrency.
pub const DEFAULT_CONCURRENCY: u32 = 10;

/// What holds for a function without `AWS::Lambda::EventInvokeConfig`: Lambda's defaults.
const DEFAULT_EVENT_INVOKE: EventInvokeSpec = EventInvokeSpec {
    function_name: String::new(),
    maximum_retry_attempts: 2,
    maximum_event_age_seconds: 21_600,
    on_failure_arn: None,
};

/// What an invocation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvokeOutput {
    /// The function's answer, or an error document `{"errorType", "errorMessage"}`.
    pub payload: Bytes,
    /// Set when the function failed (`X-Amz-Function-Error: Unhandled`).
    pub function_error: Option<FunctionError>,
}

/// How a function failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionError {
    /// Its handler or its start reported an error.
    Reported,
    /// It did not answer within its timeout.
    TimedOut,
    /// Its process ended, or could not be started.
    Exited,
    /// Its answer is larger than 6 MB.
    ResponseTooLarge,
}

/// Why a function was not invoked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// There is no such function; holds its ARN.
    #[error("Function not found: {0}")]
    NotFound(String),
    /// All processes that the function may have are busy.
    #[error("Rate Exceeded.")]
    Throttled,
    /// The service is shutting down.
    #[error("The service is shutting down.")]
    Stopping,
}

/// The functions of the template and their processes.
#[derive(Debug)]
pub struct Lambda {
    store: Arc<Store>,
    iam: Arc<Iam>,
    queue: InvocationQueue,
    s3: Arc<S3>,
    region: String,
    endpoint_url: String,
    timing: Timing,
    provisioned: RwLock<Provisioned>,
    /// No new work is taken.
    stopping: CancellationToken,
    /// Work that runs is given up.
    stopped: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Provisioned {
    functions: BTreeMap<String, Arc<Function>>,
    event_invokes: BTreeMap<String, EventInvokeSpec>,
    permissions: BTreeMap<String, Vec<PermissionSpec>>,
    urls: BTreeMap<String, FunctionUrlSpec>,
}

impl Lambda {
    /// Makes the service without functions.
    ///
    /// `endpoint_url` is what functions get as `AWS_ENDPOINT_URL`: bind the listener of the stack
    /// before, so that its port is known.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        queue: InvocationQueue,
        s3: Arc<S3>,
        region: String,
        endpoint_url: String,
    ) -> Self {
        Self {
            store,
            iam,
            queue,
            s3,
            region,
            endpoint_url,
            timing: Timing::default(),
            provisioned: RwLock::default(),
            stopping: CancellationToken::new(),
            stopped: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Replaces the waiting times.
    #[must_use]
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// Adds a function, or replaces one whose spec has changed. Its role must be known to IAM when
    /// it is first invoked.
    pub fn put_function(&self, spec: FunctionSpec) {
        let mut provisioned = self.provisioned_mut();
        let present = provisioned.functions.get(&spec.name);
        if present.is_none_or(|present| present.spec != spec) {
            let launch = self.launch(&spec);
            provisioned
                .functions
                .insert(spec.name.clone(), Arc::new(Function::new(spec, launch)));
        }
    }

    /// Sets what becomes of a function's failed events.
    pub fn put_event_invoke(&self, mut spec: EventInvokeSpec) {
        spec.function_name = function_name(&spec.function_name).to_owned();
        self.provisioned_mut()
            .event_invokes
            .insert(spec.function_name.clone(), spec);
    }

    /// Lets someone invoke a function.
    pub fn add_permission(&self, mut spec: PermissionSpec) {
        spec.function_name = function_name(&spec.function_name).to_owned();
        let mut provisioned = self.provisioned_mut();
        let permissions = provisioned
            .permissions
            .entry(spec.function_name.clone())
            .or_default();
        if !permissions.contains(&spec) {
            permissions.push(spec);
        }
    }

    /// Gives a function a URL.
    pub fn put_url(&self, mut spec: FunctionUrlSpec) {
        spec.function_name = function_name(&spec.function_name).to_owned();
        self.provisioned_mut().urls.insert(spec.id.clone(), spec);
    }

    /// Returns the functions whose last starts have all failed, each with what its process said last.
    ///
    /// An operator should be told: on AWS the function's log says it.
    pub fn failed_starts(&self) -> Vec<(String, String)> {
        let provisioned = self.provisioned();
        let functions = provisioned.functions.iter();
        functions
            .filter_map(|(name, function)| Some((name.clone(), function.why_not_started()?)))
            .collect()
    }

    /// Returns the function URL with this id.
    pub fn url(&self, id: &str) -> Option<FunctionUrlSpec> {
        self.provisioned().urls.get(id).cloned()
    }

    /// Returns the ARN that a function of this name or ARN has here.
    pub fn function_arn(&self, function: &str) -> String {
        let name = function_name(function);
        format!("arn:aws:lambda:{}:{ACCOUNT_ID}:function:{name}", self.region)
    }

    /// Invokes a function, by name or ARN, and waits for its answer.
    ///
    /// Whether the caller may, and that the event has at most 6 MB, is the caller's question. An invocation that has begun runs to its end
    /// even if the returned future is dropped.
    ///
    /// # Errors
    ///
    /// [`InvokeError`] if the function did not run. A function that fails is no error here: see
    /// [`InvokeOutput::function_error`].
    pub async fn invoke(&self, function: &str, payload: Bytes) -> Result<InvokeOutput, InvokeError> {
        let request_id = uuid::Uuid::new_v4().to_string();
        self.invoke_as(function, Event { request_id, payload }).await
    }

    async fn invoke_as(&self, function: &str, event: Event) -> Result<InvokeOutput, InvokeError> {
        let function = self
            .function(function)
            .ok_or_else(|| InvokeError::NotFound(self.function_arn(function)))?;
        let slot = function.slot(self.timing.patience);
        let slot = self.stopping.run_until_cancelled(slot).await;
        let slot = slot.ok_or(InvokeError::Stopping)?;
        let slot = slot.ok_or(InvokeError::Throttled)?;
        let stopped = self.stopped.clone();
        let run = async move { function.run(slot, &event, &stopped).await };
        match self.tasks.spawn(run).await {
            Ok(Ok(payload)) => Ok(InvokeOutput {
                payload,
                function_error: None,
            }),
            Ok(Err(Ended::Failed(failure))) => Ok(InvokeOutput {
                payload: failure.payload,
                function_error: Some(failure.error),
            }),
            Ok(Err(Ended::Stopped)) | Err(_) => Err(InvokeError::Stopping),
        }
    }

    /// Starts the delivery of queued events. Provision everything before.
    pub fn start(self: &Arc<Self>) {
        self.tasks.spawn(dispatcher::run(self.clone()));
        self.tasks.spawn(self.clone().end_idle_processes());
    }

    /// Takes no more work, waits [`Timing::shutdown_grace`] for invocations that run, then ends all processes.
    /// Queued events that have not been dealt with stay queued.
    pub async fn shutdown(&self) {
        self.stopping.cancel();
        self.tasks.close();
        if tokio::time::timeout(self.timing.shutdown_grace, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("invocations that still run are given up");
        }
        self.stopped.cancel();
        self.tasks.wait().await;
        self.end_idle(Duration::ZERO);
    }

    async fn end_idle_processes(self: Arc<Self>) {
        let mut interval = tokio::time::interval(Duration::from_secs(30));
        while self.stopping.run_until_cancelled(interval.tick()).await.is_some() {
            self.end_idle(self.timing.keep_warm);
        }
    }

    fn end_idle(&self, limit: Duration) {
        for function in self.provisioned().functions.values() {
            function.end_idle(limit);
        }
    }

    fn function(&self, function: &str) -> Option<Arc<Function>> {
        let name = function_name(function);
        self.provisioned().functions.get(name).cloned()
    }

    fn launch(&self, spec: &FunctionSpec) -> Launch {
        Launch {
            function_name: spec.name.clone(),
            function_arn: self.function_arn(&spec.name),
            role_arn: spec.role_arn.clone(),
            iam: self.iam.clone(),
            command: spec.command.clone(),
            environment: self.environment(spec),
            log_file: self.store.logs().join(format!("{}.log", spec.name)),
        }
    }

    /// Everything a process sees but its credentials and the address of its Runtime API.
    fn environment(&self, spec: &FunctionSpec) -> BTreeMap<String, OsString> {
        let program = spec.command.first().map(Path::new);
        let task_root = program.and_then(Path::parent).unwrap_or(Path::new("/"));
        let set_by_lambda: [(&str, OsString); 15] = [
            ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone().into()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
            (
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
                spec.memory_megabytes.to_string().into(),
            ),
            (
                "AWS_LAMBDA_LOG_FORMAT",
                if spec.json_logs { "JSON" } else { "Text" }.into(),
            ),
            (
                "AWS_LAMBDA_LOG_GROUP_NAME",
                format!("/aws/lambda/{}", spec.name).into(),
            ),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local".into()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
            ("AWS_REGION", self.region.clone().into()),
            ("AWS_DEFAULT_REGION", self.region.clone().into()),
            ("AWS_ENDPOINT_URL", self.endpoint_url.clone().into()),
            ("LAMBDA_TASK_ROOT", task_root.into()),
            ("_HANDLER", "bootstrap".into()),
            ("TZ", ":UTC".into()),
            ("LANG", "en_US.UTF-8".into()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
        ];
        let mut environment: BTreeMap<String, OsString> = spec
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.into()))
            .collect();
        environment.extend(set_by_lambda.map(|(name, value)| (name.to_owned(), value)));
        environment
    }

    fn provisioned(&self) -> RwLockReadGuard<'_, Provisioned> {
        self.provisioned.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn provisioned_mut(&self) -> RwLockWriteGuard<'_, Provisioned> {
        self.provisioned.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the name in a function's name, partial ARN or ARN. `$LATEST` may follow any of them.
fn function_name(function: &str) -> &str {
    let unqualified = function.strip_suffix(":$LATEST").unwrap_or(function);
    match unqualified.split_once("function:") {
        Some((_, name)) => name,
        None => unqualified,
    }
}
