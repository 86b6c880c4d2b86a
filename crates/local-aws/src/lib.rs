//! The AWS services that a serverless application needs, on their real wire protocols, on one machine.
//!
//! [`LocalAws`] holds the services; [`LocalAws::router`] serves all of them on one port, and
//! [`LocalAws::sdk_config`] hands out an SDK configuration whose transport is that router, without a
//! socket. Each service module says at its top where it differs from AWS; what is not implemented is
//! answered with an error that names it.

mod alive;
pub mod apigateway;
mod aws_error;
pub mod cloudformation;
pub mod eventbridge;
pub mod faults;
pub mod firehose;
mod front_door;
mod function_url;
mod gateway;
mod http_event;
pub mod iam;
pub mod invocation_queue;
mod json_protocol;
pub mod lambda;
pub mod listener;
mod log_file;
pub mod logs;
pub mod s3;
pub mod sagemaker_runtime;
pub mod scheduler;
pub mod script;
pub mod secretsmanager;
mod service;
pub mod sigv4;
pub mod sns;
pub mod ssm;
pub mod stepfunctions;
pub mod store;
mod tokens;
pub mod transport;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use axum::{Router, extract::Request};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    apigateway::ApiGateway,
    cloudformation::CloudFormation,
    eventbridge::EventBridge,
    faults::Faults,
    firehose::Firehose,
    front_door::FrontDoor,
    function_url::FunctionUrls,
    iam::{Iam, Roles},
    invocation_queue::InvocationQueue,
    lambda::{FunctionUrlSpec, Lambda},
    logs::Logs,
    s3::S3,
    sagemaker_runtime::SageMakerRuntime,
    scheduler::Scheduler,
    secretsmanager::SecretsManager,
    sns::Sns,
    ssm::ParameterStore,
    stepfunctions::StepFunctions,
    store::{OpenError, Store},
    tokens::Tokens,
};

/// Account id of everything local: LocalStack's default, which users of such tools know.
pub const ACCOUNT_ID: &str = "000000000000";

/// How often the usage of API keys is saved.
const USAGE_SAVING_INTERVAL: Duration = Duration::from_secs(1);

/// How often the state folder is asked whether it still takes writes.
const STORAGE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// All services, on one state folder. A clone is another handle to the same services.
#[derive(Clone)]
pub struct LocalAws {
    /// IAM.
    pub iam: Arc<Iam>,
    /// The events that functions are yet to take.
    pub queue: InvocationQueue,
    /// Amazon S3.
    pub s3: S3,
    /// Amazon Data Firehose.
    pub firehose: Firehose,
    /// AWS Secrets Manager.
    pub secrets: SecretsManager,
    /// AWS Lambda.
    pub lambda: Arc<Lambda>,
    /// Amazon API Gateway.
    pub api_gateway: Arc<ApiGateway>,
    /// Amazon SNS.
    pub sns: Sns,
    /// AWS Step Functions.
    pub step_functions: Arc<StepFunctions>,
    /// Amazon EventBridge.
    pub events: EventBridge,
    /// Amazon EventBridge Scheduler.
    pub scheduler: Scheduler,
    /// AWS CloudFormation.
    pub cloudformation: Arc<CloudFormation>,
    /// Amazon CloudWatch Logs.
    pub logs: Arc<Logs>,
    /// Amazon SageMaker Runtime.
    pub sagemaker_runtime: SageMakerRuntime,
    /// AWS Systems Manager Parameter Store.
    pub parameters: ParameterStore,
    /// Faults by script.
    pub faults: Faults,
    tokens: Tokens,
    roles: Roles,
    function_urls: Arc<FunctionUrls>,
    front_door: FrontDoor,
    /// Function URL ids by the signing name of the service that the function serves.
    served_signing_names: Arc<RwLock<BTreeMap<String, String>>>,
    region: String,
    store: Arc<Store>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    _temporary_folder: Option<Arc<TempDir>>,
}

impl LocalAws {
    /// Opens the services on a state folder, making it if it is absent.
    ///
    /// `endpoint_url` is where functions find the services, for example `http://127.0.0.1:4566`.
    ///
    /// # Errors
    ///
    /// [`OpenError`], for example when another process has the folder open.
    pub fn open(folder: &Path, region: &str, endpoint_url: &str) -> Result<Self, OpenError> {
        let index = |error| OpenError::Index(folder.to_owned(), error);
        let store = Arc::new(Store::open(folder)?);
        let iam = Arc::new(Iam::new(region));
        let faults = Faults::default();
        let queue = InvocationQueue::new(store.clone()).with_faults(faults.clone());
        let region = region.to_owned();
        let s3 = S3::new(store.clone(), iam.clone(), queue.clone(), region.clone());
        let s3 = s3.map_err(index)?;
        let firehose = Firehose::new(
            store.clone(),
            iam.clone(),
            s3.clone(),
            region.clone(),
            faults.clone(),
        );
        let secrets = SecretsManager::new(store.clone(), iam.clone(), region.clone());
        let lambda = Arc::new(Lambda::new(
            store.clone(),
            iam.clone(),
            queue.clone(),
            Arc::new(s3.clone()),
            region.clone(),
            endpoint_url.to_owned(),
        ));
        let sns = Sns::new(store.clone(), iam.clone(), region.clone()).map_err(index)?;
        let step_functions = StepFunctions::new(
            store.clone(),
            iam.clone(),
            lambda.clone(),
            sns.clone(),
            region.clone(),
        );
        let step_functions = Arc::new(step_functions.map_err(index)?);
        let events = EventBridge::new(store.clone(), iam.clone(), queue.clone(), region.clone());
        let scheduler = Scheduler::new(
            store.clone(),
            iam.clone(),
            queue.clone(),
            lambda.clone(),
            step_functions.clone(),
            region.clone(),
        );
        let api_gateway = ApiGateway::new(store.clone(), iam.clone(), lambda.clone(), region.clone());
        let sagemaker_runtime = SageMakerRuntime::new(iam.clone(), region.clone());
        let parameters = ParameterStore::new(store.clone(), iam.clone(), region.clone());
        let logs = Logs::new(store.clone(), iam.clone(), region.clone());
        let roles = Roles::new(store.clone(), iam.clone()).map_err(index)?;
        let function_urls = FunctionUrls::new(iam.clone(), lambda.clone(), region.clone());
        Ok(Self {
            cloudformation: Arc::new(CloudFormation::new(iam.clone())),
            logs: Arc::new(logs),
            parameters: parameters.map_err(index)?,
            sagemaker_runtime,
            tokens: Tokens::new(iam.clone(), roles.clone()),
            roles,
            iam,
            queue,
            s3,
            firehose: firehose.map_err(index)?,
            secrets: secrets.map_err(index)?,
            lambda,
            api_gateway: Arc::new(api_gateway.map_err(index)?),
            sns,
            step_functions,
            events: events.map_err(index)?,
            scheduler: scheduler.map_err(index)?,
            function_urls: Arc::new(function_urls),
            faults,
            front_door: FrontDoor::default(),
            served_signing_names: Arc::default(),
            region,
            store,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            _temporary_folder: None,
        })
    }

    /// Opens the services in us-east-1 on a temporary folder, which goes with the last handle. For tests.
    ///
    /// # Panics
    ///
    /// When no temporary folder can be made.
    pub fn in_memory() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let aws = Self::open(folder.path(), "us-east-1", transport::ENDPOINT_URL)
            .expect("a new folder is no one's");
        Self {
            _temporary_folder: Some(Arc::new(folder)),
            ..aws
        }
    }

    /// Returns the router of the one port, which serves everything.
    ///
    /// Serve it with [`listener::serve`], so that functions see their callers' addresses. Requests whose `Host` is
    /// neither a name of the loopback interface nor [allowed](Self::allow_host), and those of foreign pages, are
    /// turned away.
    pub fn router(&self) -> Router {
        let aws = self.clone();
        Router::new().fallback(move |request: Request| {
            let aws = aws.clone();
            async move {
                match aws.front_door.admit(&request) {
                    Ok(()) => gateway::dispatch(&aws, request).await,
                    Err(intruder) => intruder.into_response(),
                }
            }
        })
    }

    /// Answers requests to this machine under another name or address too, and those of pages from there.
    pub fn allow_host(&self, name: &str) {
        self.front_door.allow(name);
    }

    /// Returns an SDK configuration of the user `test`, who has all rights. It needs no socket.
    pub fn sdk_config(&self) -> SdkConfig {
        let user = Credentials::new("test", "test", None, None, "local-aws");
        transport::sdk_config(self.router(), user)
    }

    /// Returns an SDK configuration with a role's credentials; `None` if there is no such role.
    pub fn sdk_config_for_role(&self, role_arn: &str) -> Option<SdkConfig> {
        let session = self.iam.role_credentials(role_arn)?;
        let credentials = Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            None,
            "local-aws",
        );
        Some(transport::sdk_config(self.router(), credentials))
    }

    /// Lets the function behind a function URL answer requests that are signed for a service, say
    /// `comprehend`, on the one port.
    pub fn serve_signing_name(&self, signing_name: &str, function_url_id: &str) {
        let names = &self.served_signing_names;
        let mut names = names.write().unwrap_or_else(PoisonError::into_inner);
        names.insert(signing_name.to_owned(), function_url_id.to_owned());
    }

    fn function_url_of(&self, signing_name: &str) -> Option<FunctionUrlSpec> {
        let names = &self.served_signing_names;
        let names = names.read().unwrap_or_else(PoisonError::into_inner);
        self.lambda.url(names.get(signing_name)?)
    }

    /// Starts the work in the background: queued events, deliveries, expirations, executions,
    /// schedules, the usage of API keys. Provision everything before.
    pub fn start(&self) {
        self.lambda.start();
        self.step_functions.start();
        let scheduler = self.scheduler.clone();
        self.spawn(async move { scheduler.run().await });
        let s3 = self.s3.clone();
        self.spawn(async move { s3.run().await });
        let firehose = self.firehose.clone();
        self.spawn(async move { firehose.run().await });
        let events = self.events.clone();
        self.spawn(async move { events.run().await });
        let logs = self.logs.clone();
        self.spawn(async move { logs.run().await });
        let api_gateway = self.api_gateway.clone();
        self.spawn(async move {
            let mut interval = tokio::time::interval(USAGE_SAVING_INTERVAL);
            loop {
                interval.tick().await;
                save_usage(api_gateway.clone()).await;
            }
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks
            .spawn(async move { stopping.run_until_cancelled(work).await });
    }

    /// Waits until the state folder takes no more writes, for example since the disk is full. Nothing can
    /// be acknowledged then before the services are opened again.
    pub async fn storage_failed(&self) {
        let mut interval = tokio::time::interval(STORAGE_CHECK_INTERVAL);
        while !self.store.has_failed() {
            interval.tick().await;
        }
    }

    /// Lets running invocations end, then stops the work in the background. What was acknowledged and
    /// is not done waits for the next start.
    pub async fn shutdown(&self) {
        self.lambda.shutdown().await;
        self.step_functions.shutdown().await;
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        save_usage(self.api_gateway.clone()).await;
    }
}

async fn save_usage(api_gateway: Arc<ApiGateway>) {
    let saved = tokio::task::spawn_blocking(move || api_gateway.save_usage()).await;
    if let Ok(Err(error)) = saved {
        tracing::error!(%error, "the usage of API keys cannot be saved");
    }
}
