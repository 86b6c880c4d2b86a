//! The command line.

mod arguments;

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use clap_complete::generate;
use tokio::runtime;
use tracing_subscriber::EnvFilter;

use self::arguments::{Arguments, Command, Options, StackOptions};
use crate::{
    advise, audit,
    beginning::{self, Beginning},
    demo::{self, demo},
    disputes, encoder, erase, failed_events, fault_run, functions, import, labels, model_commands,
    outputs::StackOutputs,
    phases, reviewers, run, sign_in, simulate, training,
};
use local_stack::{boot::Settings, plan::Programs};

/// Where LocalStack's users expect everything.
const DEFAULT_PORT: u16 = 4566;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Returns the command line, for what describes it.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
    // A function, and the stack of `fault-run`.
    local_aws::lambda::end_with_the_service();
    end_quietly_on_a_closed_pipe();
    match execute(Arguments::parse()) {
        Ok(code) => code,
        // Whoever reads has seen enough.
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

fn execute(Arguments { options, command }: Arguments) -> Result<ExitCode, Failure> {
    let command = command.unwrap_or_else(|| Command::Run {
        beginning: beginning::Options::default(),
        stack: StackOptions::default(),
    });
    if let (Some(option), false) = (options.stack.given(), command.starts_a_stack()) {
        return Err(format!("{option} is an option of `run` and `demo` only").into());
    }
    phases::be_quiet(options.quiet);

    match command {
        Command::Lambda { name } => serve(&name)?,
        Command::Completions { shell } => {
            let program = &mut Arguments::command();
            generate(shell, program, "active-learning", &mut io::stdout());
        }
        Command::Simulate(options) => simulate::run(&options)?,
        command => {
            log(&options);
            let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
            return runtime.block_on(act(command, &options));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves one function, one event at a time: one thread is enough, and small.
fn serve(function: &str) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime
        .block_on(functions::run(function))
        .map_err(|error| error as Failure)
}

/// Does what needs a stack, a network or a file.
async fn act(command: Command, options: &Options) -> Result<ExitCode, Failure> {
    let state_dir = &options.state_dir;
    let running = || StackOutputs::of_running(state_dir);
    let done = match command {
        Command::Run { beginning, stack } => {
            let stack = stack.after(&options.stack);
            stack.check_encoder()?;
            let beginning = Beginning::read(&beginning)?.with_encoder(stack.encoder.clone());
            let training_data = stack.training_data.as_deref().map(training::read).transpose()?;
            let settings = settings_of_run(state_dir, &stack)?;
            run::run(&settings, training_data, &beginning, stack.faults).await?;
            true
        }
        Command::Demo {
            stack,
            traffic,
            rounds,
        } => {
            let stack = stack.after(&options.stack);
            stack.check_encoder()?;
            let training_data = stack.training_data.as_deref().map(training::read).transpose()?;
            let play = demo::Options {
                training_data,
                encoder: stack.encoder.clone(),
                traffic,
                rounds,
            };
            demo(settings(state_dir, &stack)?, play).await?
        }
        Command::Advise(question) => return advise::run(question, state_dir).await,
        Command::FaultRun(faults) => fault_run::run(&faults, state_dir).await?,
        Command::Models(command) => model_commands::execute(command, running).await?,
        Command::Labels(labels) => labels::execute(labels, running).await?,
        Command::Import(files) => Box::pin(import::execute(files, running)).await?,
        Command::Erase(options) => Box::pin(erase::execute(options, running)).await?,
        Command::Redrive(events) => failed_events::redrive(events, running).await?,
        Command::Disputed(listing) => disputes::list(listing, running).await.map(always)?,
        Command::Adjudicate(adjudication) => disputes::adjudicate(adjudication, running).await.map(always)?,
        Command::Audit(options) => audit::execute(options, running).await.map(always)?,
        Command::Encoder { folder, json } => {
            let printing = encoder::print(folder.as_deref(), json, running);
            Box::pin(printing).await.map(always)?
        }
        Command::SignInLink(link) => sign_in::print_link(link, running).await.map(always)?,
        Command::Reviewers(reviewers) => reviewers::execute(reviewers, running).await.map(always)?,
        Command::Lambda { .. } | Command::Completions { .. } | Command::Simulate(_) => {
            unreachable!("done without a runtime")
        }
    };
    Ok(exit_code(done))
}

/// What is done once it has not failed.
fn always((): ()) -> bool {
    true
}

/// Logs to standard error from now on.
fn log(options: &Options) {
    tracing_subscriber::fmt()
        .with_env_filter(log_filter(options))
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(io::stderr)
        .init();
}

/// Ends the program where nobody reads on: `println!` panics then, which is no fault of anybody.
fn end_quietly_on_a_closed_pipe() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        if message.starts_with("failed ") && message.contains("Broken pipe") {
            std::process::exit(0);
        }
        report(panic);
    }));
}

fn exit_code(success: bool) -> ExitCode {
    if success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Returns what is logged: what the environment says, else what the options say.
///
/// s3s calls it an error of its own when a client asks for a key that is not there.
fn log_filter(options: &Options) -> EnvFilter {
    let filter = match (options.quiet, options.verbose) {
        (true, _) => "error,s3s=off",
        (false, 0) => "warn,sns=info,s3s=off",
        (false, 1) => "info,s3s=off",
        (false, _) => "debug,s3s=off",
    };
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter))
}

fn settings(state_dir: &Path, options: &StackOptions) -> Result<Settings, Failure> {
    let (template, template_files) = run::read_template(options.template.as_ref())?;
    let mut parameters: BTreeMap<String, String> = options.param.iter().cloned().collect();
    if let Some(encoder) = options.encoder.as_ref().map(encoder::Choice::parameter) {
        let before = parameters.insert(encoder::PARAMETER.to_owned(), encoder.to_owned());
        if let Some(before) = before.filter(|before| before != encoder) {
            let name = encoder::PARAMETER;
            return Err(format!(
                "--encoder means {name}={encoder}, and --param {name}={before} was given too"
            )
            .into());
        }
    }
    const CLASSIFIES: &str = "SageMakerEndpointName";
    match &options.endpoint[..] {
        [] => {}
        [(name, _)] => {
            parameters
                .entry(CLASSIFIES.to_owned())
                .or_insert_with(|| name.clone());
        }
        several if !parameters.contains_key(CLASSIFIES) => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            return Err(format!(
                "--endpoint names {}: say which one classifies, --param {CLASSIFIES}={}",
                names.join(" and "),
                names[0]
            )
            .into());
        }
        _ => {}
    }
    Ok(Settings {
        port: options.port.unwrap_or(DEFAULT_PORT),
        allowed_hosts: options.allow_host.clone(),
        state_dir: state_dir.to_owned(),
        template,
        template_files,
        parameters,
        programs: Programs {
            executable: std::env::current_exe()?,
            names: functions::NAMES,
            check: functions::check,
        },
        model_endpoints: options.endpoint.iter().cloned().collect(),
    })
}

/// Returns the settings of a stack that people work with: what they send is delivered soon.
///
/// The template's default suits an account, where each delivery costs a request.
fn settings_of_run(state_dir: &Path, options: &StackOptions) -> Result<Settings, Failure> {
    const BUFFER: &str = "FeedbackBufferSeconds";
    let mut settings = settings(state_dir, options)?;
    if settings.template.contains(BUFFER) {
        let parameters = &mut settings.parameters;
        parameters
            .entry(BUFFER.to_owned())
            .or_insert_with(|| "5".to_owned());
    }
    Ok(settings)
}
