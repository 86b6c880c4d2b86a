//! The command line.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use clap_complete::{Shell, generate};
use human_review::session::Role;
use serde_json::json;
use tokio::runtime;
use tracing_subscriber::EnvFilter;

use crate::{
    advise,
    beginning::{self, Beginning},
    demo::{self, demo},
    disputes, encoder, failed_events, fault_run, functions, import, labels, models,
    outputs::StackOutputs,
    phases, run, sign_in, simulate, training,
};
use local_stack::{boot::Settings, plan::Programs};

/// Where LocalStack's users expect everything.
const DEFAULT_PORT: u16 = 4566;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Keeps a text classifier fresh with people in the loop.
#[derive(Debug, Parser)]
#[command(name = "active-learning", version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Options {
    /// Folder that keeps everything from start to start
    #[arg(long, global = true, default_value = ".local-stack", value_name = "FOLDER")]
    state_dir: PathBuf,
    /// Says only what was asked for, and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Logs what is done to standard error; twice for every detail
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    #[command(flatten)]
    stack: StackOptions,
}

/// How a stack is started.
#[derive(Clone, Debug, Default, Args)]
struct StackOptions {
    /// Port on 127.0.0.1 for everything; 0 picks a free one [default: 4566]
    #[arg(long)]
    port: Option<u16>,
    /// Name or address of this machine under which it may be asked, beside localhost and 127.0.0.1; may be repeated
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Template [default: infra/template.yaml here or in a folder above]
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Value of a template parameter; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    param: Vec<(String, String)>,
    /// What the classifier learns from, Comprehend CSV (label,text) [default: the sample news, the first time]
    #[arg(long, value_name = "FILE")]
    training_data: Option<PathBuf>,
    /// Text encoder of the built-in classifier: built-in, none, or a folder, which is put into the stack [default: as
    /// the parameter TextEncoder]
    #[arg(long, value_name = "ENCODER")]
    encoder: Option<encoder::Choice>,
    /// Seed of faults by chance that befall the services
    #[arg(long, value_name = "SEED", hide = true)]
    faults: Option<u64>,
}

impl StackOptions {
    /// Adds what stands before the command; what stands after it wins.
    fn after(self, before: &Self) -> Self {
        Self {
            port: self.port.or(before.port),
            allow_host: [before.allow_host.clone(), self.allow_host].concat(),
            template: self.template.or_else(|| before.template.clone()),
            param: [before.param.clone(), self.param].concat(),
            training_data: self.training_data.or_else(|| before.training_data.clone()),
            encoder: self.encoder.or_else(|| before.encoder.clone()),
            faults: self.faults.or(before.faults),
        }
    }

    /// Refuses an encoder that cannot be used, before anything is started.
    fn check_encoder(&self) -> Result<(), Failure> {
        match &self.encoder {
            Some(choice) => choice.check(),
            None => Ok(()),
        }
    }

    /// Returns the first of the options that was given.
    fn given(&self) -> Option<&'static str> {
        let given = [
            (self.port.is_some(), "--port"),
            (!self.allow_host.is_empty(), "--allow-host"),
            (self.template.is_some(), "--template"),
            (!self.param.is_empty(), "--param"),
            (self.training_data.is_some(), "--training-data"),
            (self.encoder.is_some(), "--encoder"),
        ];
        given
            .into_iter()
            .find_map(|(is_given, name)| is_given.then_some(name))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the stack until Ctrl-C (the default)
    #[command(
        visible_alias = "start",
        after_help = "Example: active-learning start --labels billing,login --texts tickets.csv"
    )]
    Run {
        #[command(flatten)]
        beginning: beginning::Options,
        #[command(flatten)]
        stack: StackOptions,
    },
    /// Plays samples through the stack, with a scripted reviewer, up to a new model that serves if it is better
    #[command(after_help = "Example: active-learning demo --rounds 2")]
    Demo {
        #[command(flatten)]
        stack: StackOptions,
        /// Labelled texts to send, label,text without a header line; every tenth is kept as an exam for each
        /// model [default: sample news]
        #[arg(long, value_name = "FILE")]
        traffic: Option<PathBuf>,
        /// Parts that the traffic is sent in; a model is built after each
        #[arg(long, default_value = "1", value_name = "NUMBER")]
        rounds: NonZeroUsize,
    },
    /// Shows what files with texts and labels hold, asks, and takes them into the running stack or one on AWS
    #[command(
        after_help = "Example: active-learning import tickets.xlsx --text-column message --label-column team"
    )]
    Import(import::Options),
    #[command(flatten)]
    Models(models::Command),
    /// Shows and changes the labels there are, of the running stack or of one on AWS
    #[command(after_help = "Example: active-learning labels rename Sport Sports")]
    Labels(labels::Options),
    /// Shows the texts on which people do not agree, and their votes
    #[command(after_help = "Example: active-learning disputed --json")]
    Disputed(disputes::Listing),
    /// Decides what people do not agree on, for good
    #[command(after_help = "Example: active-learning adjudicate 0f8c… --label billing --by ann")]
    Adjudicate(disputes::Adjudication),
    /// Advises the threshold that keeps a promised accuracy; exits with 3 where there is none
    #[command(after_help = "Example: active-learning advise --target-accuracy 0.95")]
    Advise(advise::Options),
    /// Serves one function; the stack starts these by itself
    #[command(hide = true)]
    Lambda {
        /// Name of the function
        name: String,
    },
    /// Says which text encoder is part of the program, or checks a folder before it is put under encoder/
    #[command(after_help = "Example: active-learning encoder ./multilingual-e5-small")]
    Encoder {
        /// Folder of a sentence encoder, as the hub lays it out
        folder: Option<PathBuf>,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Sends events again that failed to the end, of the running stack or of one on AWS
    #[command(after_help = "Example: active-learning redrive --yes")]
    Redrive(failed_events::Options),
    /// Drives the whole loop while chance befalls its calls and kills its processes, and counts what was lost
    #[command(after_help = "Example: active-learning fault-run --records 2000 --seed 7")]
    FaultRun(fault_run::Options),
    /// Replays labelled texts as if people reviewed them: how many labels, which strategy, what threshold
    #[command(after_help = "Example: active-learning simulate --data labelled.csv --labels 400 --batch 25")]
    Simulate(simulate::Options),
    /// Prints a script that completes commands and options in a shell
    #[command(
        after_help = "Example: active-learning completions bash > ~/.local/share/bash-completion/completions/active-learning"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints a one-time link into the reviewers' portal of the running stack
    #[command(after_help = "Example: active-learning sign-in-link --reviewer ann")]
    SignInLink {
        /// Who signs in with it
        #[arg(long, default_value = "local", value_name = "NAME")]
        reviewer: String,
        /// What they may do: reviewer answers tasks, admin runs the console as well
        #[arg(long, default_value = "reviewer", value_name = "ROLE", value_parser = role)]
        role: Role,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// Returns the command line, for what describes it.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
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
    if let Some(Command::Lambda { name }) = &command {
        local_aws::lambda::end_with_the_service();
        // One event at a time: one thread is enough, and small.
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime
            .block_on(functions::run(name))
            .map_err(|error| error as Failure)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Command::Completions { shell }) = &command {
        generate(
            *shell,
            &mut Arguments::command(),
            "active-learning",
            &mut io::stdout(),
        );
        return Ok(ExitCode::SUCCESS);
    }
    if let (Some(option), Some(command)) = (options.stack.given(), &command)
        && !matches!(command, Command::Run { .. } | Command::Demo { .. })
    {
        return Err(format!("{option} is an option of `run` and `demo` only").into());
    }
    phases::be_quiet(options.quiet);
    if let Some(Command::Simulate(options)) = &command {
        simulate::run(options)?;
        return Ok(ExitCode::SUCCESS);
    }
    tracing_subscriber::fmt()
        .with_env_filter(log_filter(&options))
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(io::stderr)
        .init();
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let run_as_it_is = || Command::Run {
            beginning: beginning::Options::default(),
            stack: StackOptions::default(),
        };
        match command.unwrap_or_else(run_as_it_is) {
            Command::Run { beginning, stack } => {
                let stack = stack.after(&options.stack);
                stack.check_encoder()?;
                let beginning = Beginning::read(&beginning)?.with_encoder(stack.encoder.clone());
                let training_data = stack.training_data.as_deref().map(training::read).transpose()?;
                let settings = settings_of_run(&options.state_dir, &stack)?;
                run::run(&settings, training_data, &beginning, stack.faults).await?;
                Ok(ExitCode::SUCCESS)
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
                Ok(exit_code(
                    demo(settings(&options.state_dir, &stack)?, play).await?,
                ))
            }
            Command::Models(command) => {
                let done = models::execute(command, || running(&options.state_dir)).await?;
                Ok(exit_code(done))
            }
            Command::Labels(options_of_labels) => {
                let done = labels::execute(options_of_labels, || running(&options.state_dir)).await?;
                Ok(exit_code(done))
            }
            Command::Import(files) => {
                let done = import::execute(files, || running(&options.state_dir)).await?;
                Ok(exit_code(done))
            }
            Command::Disputed(listing) => {
                disputes::list(listing, || running(&options.state_dir)).await?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Adjudicate(adjudication) => {
                disputes::adjudicate(adjudication, || running(&options.state_dir)).await?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Advise(question) => advise::run(question, &options.state_dir).await,
            Command::Encoder { folder, json } => {
                let described = encoder::describe(folder.as_deref())?;
                match json {
                    true => println!("{}", serde_json::to_string_pretty(&described)?),
                    false => print!("{described}"),
                }
                Ok(ExitCode::SUCCESS)
            }
            Command::Redrive(events) => {
                let done = failed_events::redrive(events, || running(&options.state_dir)).await?;
                Ok(exit_code(done))
            }
            Command::FaultRun(faults) => Ok(exit_code(fault_run::run(&faults, &options.state_dir).await?)),
            Command::SignInLink { reviewer, role, json } => {
                let link = sign_in::create_link_as(&running(&options.state_dir)?, &reviewer, role).await?;
                match json {
                    true => println!("{}", json!({"url": link, "reviewer": reviewer, "role": role})),
                    false => println!("{link}"),
                }
                Ok(ExitCode::SUCCESS)
            }
            Command::Lambda { .. } | Command::Completions { .. } | Command::Simulate(_) => {
                unreachable!("handled above")
            }
        }
    })
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
        },
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

fn role(argument: &str) -> Result<Role, &'static str> {
    Role::parse(argument).ok_or("expected reviewer or admin")
}

fn key_and_value(argument: &str) -> Result<(String, String), String> {
    let (key, value) = argument.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn running(state_dir: &Path) -> Result<StackOutputs, Failure> {
    StackOutputs::of_running(state_dir)
}
