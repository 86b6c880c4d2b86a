//! Starts the services and gives them what the template describes.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use local_aws::{
    LocalAws,
    cloudformation::{OutputSpec, ResourceSpec, StackSpec},
    store::{OpenError, Store},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    plan::{Plan, Programs, plan},
    problems::{Problems, Refused},
    stack::{REGION, STACK_NAME, Stack},
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
    server: JoinHandle<io::Result<()>>,
    stop_server: oneshot::Sender<()>,
}

/// Starts a stack on its state folder and goes on where it was stopped.
///
/// # Errors
///
/// [`BootError`]; nothing runs then.
pub async fn start(settings: &Settings) -> Result<Running, BootError> {
    let listener = listen(settings).await?;
    let address = listener
        .local_addr()
        .map_err(|error| BootError::Port(settings.port, error))?;
    let endpoint_url = endpoint_url(address);
    make_private(&settings.state_dir).map_err(|error| OpenError::Io(settings.state_dir.clone(), error))?;
    let aws = LocalAws::open(&settings.state_dir, REGION, &endpoint_url)?;
    let stack = Stack::open(&settings.state_dir, &endpoint_url)
        .map_err(|error| BootError::Identity(settings.state_dir.clone(), error))?;

    let problems = Problems::default();
    let resolved = template::resolve(&settings.template, &settings.parameters, &stack, &problems);
    let (programs, files) = (&settings.programs, &settings.template_files);
    let plan = plan(&resolved, &stack, programs, files, &problems);
    let plan = problems.or(plan)?;
    provide(&aws, &plan)?;
    aws.cloudformation.put_stack(description(&stack, &resolved));

    let (stop_server, stopped) = oneshot::channel();
    let service = (aws.router()).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(async {
        // A dropped sender is a stop too.
        let _ = stopped.await;
    });
    let server = tokio::spawn(async move { server.await });
    aws.start();
    Ok(Running {
        aws,
        endpoint_url,
        outputs: resolved.outputs,
        plan,
        server,
        stop_server,
    })
}

impl Running {
    /// Stops: running invocations end first, while the services still answer them.
    pub async fn stop(self) {
        self.aws.shutdown().await;
        // The receiver is gone only if the server has ended by itself.
        let _ = self.stop_server.send(());
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

/// Makes a folder that only its owner may look into: it holds what people wrote.
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
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
    for secret in &plan.secrets {
        check(aws.secrets.put_secret(secret).map_err(|error| error.to_string()));
    }
    let lambda = plan
        .functions
        .iter()
        .map(|function| ("lambda", &function.role_arn));
    let firehose = plan
        .delivery_streams
        .iter()
        .map(|stream| ("firehose", &stream.role_arn));
    let states = plan
        .state_machines
        .iter()
        .map(|machine| ("states", &machine.role_arn));
    let scheduler = plan
        .schedules
        .iter()
        .map(|schedule| ("scheduler", &schedule.role_arn));
    for (service, role) in lambda.chain(firehose).chain(states).chain(scheduler) {
        let service = format!("{service}.amazonaws.com");
        if !aws.iam.may_assume(&service, role) {
            problems.report("", format!("{role} does not let {service} assume it"));
        }
    }
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
    }
    for group in &plan.log_groups {
        aws.logs.put_log_group(group.clone());
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

#[cfg(test)]
mod tests {
    use aws_sdk_s3::{Client, primitives::ByteStream};

    use super::*;

    const TEMPLATE: &str =
        "{Resources: {Data: {Type: AWS::S3::Bucket}}, Outputs: {Name: {Value: !Ref Data}}}";

    fn settings(state_dir: &Path) -> Settings {
        Settings {
            port: 0,
            state_dir: state_dir.to_owned(),
            template: TEMPLATE.to_owned(),
            template_files: TemplateFiles::Folder(state_dir.to_owned()),
            parameters: BTreeMap::new(),
            programs: Programs {
                executable: "/bin/false".into(),
                names: &[],
            },
        }
    }

    fn s3(stack: &Running) -> Client {
        Client::new(&stack.aws.sdk_config())
    }

    /// A blocking write that nobody waits for may hold the folder a moment longer than the stack.
    async fn start_when_free(settings: &Settings) -> Running {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            match start(settings).await {
                Err(BootError::State(OpenError::InUse(_))) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcome => return outcome.expect("it starts again"),
            }
        }
    }

    #[tokio::test]
    async fn a_stack_goes_on_where_it_was_stopped() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = start(&settings(folder.path())).await.expect("it starts");
        let bucket = first.outputs["Name"].clone();
        let put = s3(&first).put_object().bucket(&bucket).key("a");
        put.body(ByteStream::from_static(b"1"))
            .send()
            .await
            .expect("stored");
        first.stop().await;

        let second = start_when_free(&settings(folder.path())).await;
        let object = s3(&second).get_object().bucket(&bucket).key("a").send().await;
        let bytes = object.expect("there").body.collect().await.expect("readable");
        second.stop().await;

        assert_eq!(bytes.to_vec(), b"1");
    }

    #[tokio::test]
    async fn a_second_start_on_the_same_folder_or_port_says_so() {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("temporary folder"));
        let running = start(&settings(folders[0].path())).await.expect("it starts");
        let port = running.endpoint_url.rsplit(':').next().expect("a port");
        let port = port.parse().expect("a number");

        let same_folder = start(&settings(folders[0].path())).await.err();
        let same_both = start(&Settings {
            port,
            ..settings(folders[0].path())
        })
        .await
        .err();
        let same_port = start(&Settings {
            port,
            ..settings(folders[1].path())
        })
        .await
        .err();
        running.stop().await;

        for error in [same_folder, same_both] {
            assert!(
                matches!(error, Some(BootError::State(OpenError::InUse(_)))),
                "{error:?}"
            );
        }
        assert!(
            matches!(same_port, Some(BootError::PortInUse(_))),
            "{same_port:?}"
        );
    }

    #[test]
    fn the_port_of_the_scheme_is_left_out_of_urls() {
        let url = |port| endpoint_url(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));

        assert_eq!(
            [url(80), url(4566)],
            ["http://127.0.0.1", "http://127.0.0.1:4566"]
        );
    }

    #[tokio::test]
    async fn a_template_that_is_refused_leaves_the_folder_free() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let template = "{Resources: {Data: {Type: AWS::SQS::Queue}}}".to_owned();
        let refused = start(&Settings {
            template,
            ..settings(folder.path())
        })
        .await
        .err();

        let started = start(&settings(folder.path())).await;

        let words = refused.expect("refused").to_string();
        assert_eq!(
            words,
            "the template cannot be started:\n  Resources.Data.Type: AWS::SQS::Queue is not supported by local-stack"
        );
        started.expect("it starts").stop().await;
    }

    const MACHINE: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{ Effect: Allow, Principal: { Service: states.amazonaws.com }, Action: sts:AssumeRole }]
      Policies:
        - PolicyName: publish
          PolicyDocument: { Statement: [{ Effect: Allow, Action: sns:Publish, Resource: !Ref Topic }] }
  Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: news } }
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: build
      RoleArn: !GetAtt Role.Arn
      DefinitionS3Location: build.asl.json
      DefinitionSubstitutions: { TopicArn: !Ref Topic }
Outputs: { Machine: { Value: !Ref Machine } }
"#;
    const DEFINITION: &str = r#"{"StartAt": "Tell", "States": {"Tell": {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"TopicArn": "${TopicArn}", "Message.$": "$.message"},
        "End": true
    }}}"#;

    #[tokio::test]
    async fn a_state_machine_runs_from_the_file_beside_the_template() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("build.asl.json"), DEFINITION).expect("written");
        let settings = Settings {
            template: MACHINE.to_owned(),
            ..settings(folder.path())
        };
        let stack = start(&settings).await.expect("it starts");
        let input = r#"{"message": "built"}"#.to_owned();

        let started = stack
            .aws
            .step_functions
            .start_execution(&stack.outputs["Machine"], None, input);

        started.expect("it starts");
        let log = folder.path().join("logs/news.log");
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while !std::fs::read_to_string(&log).is_ok_and(|log| log.contains(r#""message":"built""#)) {
            assert!(tokio::time::Instant::now() < deadline, "the message is published");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stack.stop().await;
    }

    #[tokio::test]
    async fn a_role_that_step_functions_cannot_assume_is_refused_at_start() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("build.asl.json"), DEFINITION).expect("written");
        let template = MACHINE.replace("states.amazonaws.com", "lambda.amazonaws.com");

        let refused = start(&Settings {
            template,
            ..settings(folder.path())
        })
        .await
        .err();

        let words = refused.expect("refused").to_string();
        assert!(
            words.contains("does not let states.amazonaws.com assume it"),
            "{words}"
        );
    }
}
