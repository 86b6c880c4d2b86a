//! Starts the services and gives them what the template describes.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use local_aws::{
    LocalAws,
    cloudformation::{OutputSpec, ResourceSpec, StackSpec},
    lambda::FunctionSpec,
    listener::{self, Limits},
    store::{OpenError, Store},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    plan::{Plan, Programs, plan},
    problems::{Problems, Refused},
    stack::{IDENTITY, REGION, STACK_NAME, Stack},
    template::{self, Resolved, Resource},
    template_files::TemplateFiles,
};

/// How long open connections may last once the stack stops.
const CONNECTIONS_GRACE: Duration = Duration::from_secs(2);

/// What a stack is started from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Port on 127.0.0.1; 0 for a free one.
    pub port: u16,
    /// Names or addresses of this machine, beside those of its loopback interface, under which it is asked.
    pub allowed_hosts: Vec<String>,
    /// Folder that holds everything the stack keeps.
    pub state_dir: PathBuf,
    /// Text of the template.
    pub template: String,
    /// The files that it names.
    pub template_files: TemplateFiles,
    /// Parameters of the template that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
    /// What functions run.
    pub programs: Programs,
    /// URLs of HTTP servers that stand behind SageMaker endpoints, by the endpoints' names.
    pub model_endpoints: BTreeMap<String, String>,
}

/// Why a stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Another program listens there.
    #[error("port {0} is in use; choose another one with --port (0 picks a free one)")]
    PortInUse(u16),
    /// The port cannot be opened.
    #[error("port {0} cannot be opened")]
    Port(u16, #[source] io::Error),
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] OpenError),
    /// The identity of the stack cannot be kept.
    #[error("stack.json in the state folder {0} cannot be read or written")]
    Identity(PathBuf, #[source] io::Error),
    /// There is data, but nothing says whose it is: under another identity its buckets would be out of reach.
    #[error(
        "the state folder {0} holds data, but its {IDENTITY} is gone, without which the buckets cannot be found; nothing \
         was changed. Put the file back from a copy of the folder, or choose another folder to begin anew"
    )]
    IdentityLost(PathBuf),
    /// What says whose the data is cannot be understood.
    #[error(
        "{IDENTITY} in the state folder {0} is damaged; nothing was changed. Put the file back from a copy of the folder, or \
         choose another folder to begin anew"
    )]
    IdentityDamaged(PathBuf, #[source] io::Error),
    /// The data is of another identity: its buckets would be out of reach.
    #[error(
        "the state folder {0} holds the data of another stack than its {IDENTITY} says: of the buckets of this stack it has \
         none, but {1}. Nothing was changed. Put the file back from a copy of the folder, start with the template of \
         before, or choose another folder to begin anew"
    )]
    IdentityOfAnother(PathBuf, String),
    /// A server cannot stand behind a SageMaker endpoint.
    #[error("{0}")]
    ModelEndpoint(String),
    /// The template has something in it that is wrong or not understood.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// A stack whose services answer.
pub struct Running {
    /// The services.
    pub aws: LocalAws,
    /// Where they answer, without a slash at the end.
    pub endpoint_url: String,
    /// Every output of the template.
    pub outputs: BTreeMap<String, String>,
    /// What the services provide.
    pub plan: Plan,
    /// When it was started: what is older was done by an earlier run.
    pub started_at: SystemTime,
    server: JoinHandle<()>,
    stop_server: CancellationToken,
}

/// Starts a stack on its state folder and goes on where it was stopped.
///
/// # Errors
///
/// [`BootError`]; nothing runs then.
pub async fn start(settings: &Settings) -> Result<Running, BootError> {
    let started_at = SystemTime::now();
    let listener = listen(settings).await?;
    let address = listener
        .local_addr()
        .map_err(|error| BootError::Port(settings.port, error))?;
    let endpoint_url = endpoint_url(address);
    let aws = open(&settings.state_dir, &endpoint_url)?;
    let stack = Stack::open(&settings.state_dir, &endpoint_url).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => BootError::IdentityDamaged(settings.state_dir.clone(), error),
        _ => BootError::Identity(settings.state_dir.clone(), error),
    })?;

    let problems = Problems::default();
    let resolved = template::resolve(&settings.template, &settings.parameters, &stack, &problems);
    let (programs, files) = (&settings.programs, &settings.template_files);
    let plan = plan(&resolved, &stack, programs, files, &problems);
    let plan = problems.or(plan)?;
    check_identity(&aws, &plan, &settings.state_dir)?;
    provide(&aws, &plan)?;
    for (name, url) in &settings.model_endpoints {
        let put = aws.sagemaker_runtime.put_endpoint(name, url);
        put.map_err(BootError::ModelEndpoint)?;
    }
    for name in &settings.allowed_hosts {
        aws.allow_host(name);
    }
    aws.cloudformation.put_stack(description(&stack, &resolved));

    let stop_server = CancellationToken::new();
    let server = listener::serve(listener, aws.router(), Limits::default(), stop_server.clone());
    let server = tokio::spawn(server);
    aws.start();
    Ok(Running {
        aws,
        endpoint_url,
        outputs: resolved.outputs,
        plan,
        started_at,
        server,
        stop_server,
    })
}

impl Running {
    /// Stops: running invocations end first, while the services still answer them.
    pub async fn stop(self) {
        self.aws.shutdown().await;
        self.stop_server.cancel();
        let abort = self.server.abort_handle();
        if tokio::time::timeout(CONNECTIONS_GRACE, self.server)
            .await
            .is_err()
        {
            abort.abort();
        }
    }
}

async fn listen(settings: &Settings) -> Result<TcpListener, BootError> {
    let port = settings.port;
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(port_in_use(port, &settings.state_dir)),
        Err(error) => Err(BootError::Port(port, error)),
    }
}

/// Clients leave out the port of the scheme in the `Host` header, which is signed.
fn endpoint_url(address: SocketAddr) -> String {
    match address.port() {
        80 => format!("http://{}", address.ip()),
        _ => format!("http://{address}"),
    }
}

/// Opens the services on a state folder that is new, or whole.
fn open(state_dir: &Path, endpoint_url: &str) -> Result<LocalAws, BootError> {
    let index = |error| OpenError::Index(state_dir.to_owned(), error);
    let has_index = std::fs::metadata(state_dir.join("index.redb")).is_ok_and(|file| file.len() > 0);
    if Stack::is_known(state_dir) && !has_index {
        return Err(OpenError::IndexLost(state_dir.to_owned()).into());
    }
    let aws = LocalAws::open(state_dir, REGION, endpoint_url)?;
    if !Stack::is_known(state_dir) && !aws.s3.bucket_names().map_err(index)?.is_empty() {
        return Err(BootError::IdentityLost(state_dir.to_owned()));
    }
    Ok(aws)
}

/// Refuses a state folder whose buckets are all of another stack: names of buckets have the identity in them. A folder
/// with none, or a template that has none, cannot tell.
fn check_identity(aws: &LocalAws, plan: &Plan, state_dir: &Path) -> Result<(), BootError> {
    let stored = aws.s3.bucket_names();
    let stored = stored.map_err(|error| OpenError::Index(state_dir.to_owned(), error))?;
    let is_planned = |name: &String| plan.buckets.iter().any(|bucket| bucket.name == *name);
    match stored.first() {
        Some(first) if !plan.buckets.is_empty() && !stored.iter().any(is_planned) => {
            Err(BootError::IdentityOfAnother(state_dir.to_owned(), first.clone()))
        }
        _ => Ok(()),
    }
}

/// Tells a second start on the same folder from a port that another program has.
fn port_in_use(port: u16, state_dir: &Path) -> BootError {
    match Store::open(state_dir) {
        Err(error @ OpenError::InUse(_)) => error.into(),
        _ => BootError::PortInUse(port),
    }
}

/// Describes the stack as CloudFormation does.
fn description(stack: &Stack, resolved: &Resolved) -> StackSpec {
    let output = |(key, value): (&String, &String)| {
        let description = resolved.output_descriptions.get(key).cloned();
        let output = OutputSpec {
            value: value.clone(),
            description: description.unwrap_or_default(),
        };
        (key.clone(), output)
    };
    let resource = |(id, resource): (&String, &Resource)| {
        let spec = ResourceSpec {
            physical_id: resource.reference.clone(),
            type_name: resource.type_name.clone(),
        };
        (id.clone(), spec)
    };
    StackSpec {
        id: stack.id(),
        name: STACK_NAME.to_owned(),
        description: resolved.description.clone(),
        created: stack.created(),
        parameters: resolved.parameters.clone(),
        outputs: resolved.outputs.iter().map(output).collect(),
        resources: resolved.resources.iter().map(resource).collect(),
    }
}

/// Tells the services what to provide. What was there before keeps its data.
fn provide(aws: &LocalAws, plan: &Plan) -> Result<(), Refused> {
    let problems = Problems::default();
    let check = |outcome: Result<(), String>| {
        if let Err(reason) = outcome {
            problems.report("", reason);
        }
    };
    for role in &plan.roles {
        check(aws.iam.put_role(role.clone()));
    }
    for (service, role) in roles_of_services(plan) {
        if !aws.iam.may_assume(&service, role) {
            check(Err(format!("{role} does not let {service} assume it")));
        }
    }

    provide_functions(aws, plan);
    for secret in &plan.secrets {
        check(aws.secrets.put_secret(secret).map_err(|error| error.to_string()));
    }
    for bucket in &plan.buckets {
        check((aws.s3.put_bucket(bucket.clone())).map_err(|error| error.to_string()));
    }
    for stream in &plan.delivery_streams {
        check(aws.firehose.put_stream(stream.clone()));
    }
    for topic in &plan.topics {
        aws.sns.put_topic(topic.clone());
    }
    for machine in &plan.state_machines {
        check(aws.step_functions.put_state_machine(machine.clone()));
    }
    for bus in &plan.event_buses {
        aws.events.put_event_bus(bus.clone());
    }
    for connection in &plan.connections {
        check(aws.events.put_connection(connection.clone()));
    }
    for destination in &plan.api_destinations {
        check(aws.events.put_api_destination(destination.clone()));
    }
    for rule in &plan.rules {
        check(aws.events.put_rule(rule.clone()));
    }
    for schedule in &plan.schedules {
        check(aws.scheduler.put_schedule(schedule.clone()));
    }
    for api in &plan.rest_apis {
        check(aws.api_gateway.put_rest_api(api.clone()));
    }
    for key in &plan.api_keys {
        check(aws.api_gateway.put_api_key(key.clone()));
    }
    for usage_plan in &plan.usage_plans {
        check(aws.api_gateway.put_usage_plan(usage_plan.clone()));
    }
    problems.or(())
}

/// Returns the services that act with a role, each with the role.
fn roles_of_services(plan: &Plan) -> impl Iterator<Item = (String, &String)> {
    let lambda = plan.functions.iter().map(|it| ("lambda", &it.role_arn));
    let firehose = plan.delivery_streams.iter().map(|it| ("firehose", &it.role_arn));
    let states = plan.state_machines.iter().map(|it| ("states", &it.role_arn));
    let scheduler = plan.schedules.iter().map(|it| ("scheduler", &it.role_arn));
    let targets = plan.rules.iter().flat_map(|rule| rule.targets.values());
    let events = targets.filter_map(|it| Some(("events", it.role_arn.as_ref()?)));
    let roles = lambda
        .chain(firehose)
        .chain(states)
        .chain(scheduler)
        .chain(events);
    roles.map(|(service, role)| (format!("{service}.amazonaws.com"), role))
}

fn provide_functions(aws: &LocalAws, plan: &Plan) {
    for function in &plan.functions {
        aws.lambda.put_function(function.clone());
    }
    for event_invoke in &plan.event_invokes {
        aws.lambda.put_event_invoke(event_invoke.clone());
    }
    for permission in &plan.permissions {
        aws.lambda.add_permission(permission.clone());
    }
    for url in &plan.function_urls {
        aws.lambda.put_url(url.clone());
    }
    for (name, url_id) in &plan.signing_names {
        aws.serve_signing_name(name, url_id);
        let url = plan.function_urls.iter().find(|url| url.id == *url_id);
        let is_it = |function: &&FunctionSpec| url.is_some_and(|url| url.function_name == function.name);
        if let Some(function) = plan.functions.iter().find(is_it) {
            let service = format!("{name}.amazonaws.com");
            aws.iam.stand_for(&function.role_arn, &service);
        }
    }
    for group in &plan.log_groups {
        aws.logs.put_log_group(group.clone());
    }
}

#[cfg(test)]
mod tests;
