//! The command line.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
};

use active_learning_aws::{bucket::Bucket, failure::chain};
use aws_config::BehaviorVersion;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use clap_complete::{Shell, generate};
use human_review::session::Role;
use tokio::runtime;
use tracing_subscriber::EnvFilter;

use crate::{
    advise,
    beginning::{self, Beginning},
    demo::{self, demo},
    disputes, encoder, functions, import, labels, models,
    outputs::StackOutputs,
    phases,
    redrive::{self, Outcome},
    run, sign_in, simulate, training,
};
use local_stack::{boot::Settings, plan::Programs, user};

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
    /// Template [default: infra/template.yaml here or in a folder above]
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Value of a template parameter; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    param: Vec<(String, String)>,
    /// What the classifier learns from, Comprehend CSV (label,text) [default: the sample news, the first time]
    #[arg(long, value_name = "FILE")]
    training_data: Option<PathBuf>,
}

impl StackOptions {
    /// Adds what stands before the command; what stands after it wins.
    fn after(self, before: &Self) -> Self {
        Self {
            port: self.port.or(before.port),
            template: self.template.or_else(|| before.template.clone()),
            param: [before.param.clone(), self.param].concat(),
            training_data: self.training_data.or_else(|| before.training_data.clone()),
        }
    }

    /// Returns the first of the options that was given.
    fn given(&self) -> Option<&'static str> {
        let given = [
            (self.port.is_some(), "--port"),
            (self.template.is_some(), "--template"),
            (!self.param.is_empty(), "--param"),
            (self.training_data.is_some(), "--training-data"),
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
    Encoder {
        /// Folder of a sentence encoder, as the hub lays it out
        folder: Option<PathBuf>,
    },
    /// Sends events again that failed to the end, of the running stack or of one on AWS
    #[command(after_help = "Example: active-learning redrive --yes")]
    Redrive {
        /// Bucket with the failure records [default: the feedback bucket of the running stack]
        #[arg(long)]
        bucket: Option<String>,
        /// Endpoint of a local stack [default: the running stack's; with --bucket alone it is AWS]
        #[arg(long, value_name = "URL")]
        endpoint_url: Option<String>,
        /// Asks nothing
        #[arg(long)]
        yes: bool,
    },
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
    },
}

/// Returns the command line, for what describes it.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
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
                let beginning = Beginning::read(&beginning)?;
                let training_data = stack.training_data.as_deref().map(training::read).transpose()?;
                let settings = settings_of_run(&options.state_dir, &stack)?;
                run::run(&settings, training_data, &beginning).await?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Demo {
                stack,
                traffic,
                rounds,
            } => {
                let stack = stack.after(&options.stack);
                let training_data = stack.training_data.as_deref().map(training::read).transpose()?;
                let play = demo::Options {
                    training_data,
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
            Command::Encoder { folder } => {
                print!("{}", encoder::describe(folder.as_deref())?);
                Ok(ExitCode::SUCCESS)
            }
            Command::Redrive {
                bucket,
                endpoint_url,
                yes,
            } => redrive(&options.state_dir, bucket, endpoint_url, yes).await,
            Command::SignInLink { reviewer, role } => {
                let link = sign_in::create_link_as(&running(&options.state_dir)?, &reviewer, role).await?;
                println!("{link}");
                Ok(ExitCode::SUCCESS)
            }
            Command::Lambda { .. } | Command::Completions { .. } | Command::Simulate(_) => {
                unreachable!("handled above")
            }
        }
    })
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
    Ok(Settings {
        port: options.port.unwrap_or(DEFAULT_PORT),
        state_dir: state_dir.to_owned(),
        template,
        template_files,
        parameters: options.param.iter().cloned().collect(),
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
    StackOutputs::read(state_dir).map_err(|error| {
        let folder = state_dir.display();
        format!("no stack was started on the state folder {folder}: {error}").into()
    })
}

async fn redrive(
    state_dir: &Path,
    bucket: Option<String>,
    endpoint_url: Option<String>,
    yes: bool,
) -> Result<ExitCode, Failure> {
    let (bucket, endpoint_url) = match bucket {
        Some(bucket) => (bucket, endpoint_url),
        None => {
            let stack = running(state_dir)?;
            let bucket = stack.output("FeedbackS3Bucket").to_owned();
            (bucket, endpoint_url.or(Some(stack.endpoint_url)))
        }
    };
    let config = match endpoint_url {
        Some(url) => user::sdk_config(&url).await,
        None => aws_config::load_defaults(BehaviorVersion::latest()).await,
    };
    let bucket = Bucket::new(aws_sdk_s3::Client::new(&config), bucket);
    let keys = redrive::list(&bucket).await;
    let keys = keys.map_err(|error| format!("does the stack run? {}", chain(&error)))?;
    if keys.is_empty() {
        println!("No failed events in {}.", bucket.name());
        return Ok(ExitCode::SUCCESS);
    }
    if !yes && !confirmed(keys.len())? {
        return Ok(ExitCode::SUCCESS);
    }
    let Outcome {
        redriven,
        scheduled,
        kept,
    } = redrive::redrive(&bucket, keys).await;
    for (operation, count) in &scheduled {
        println!("{count} calls of `{operation}` by its schedule removed: it calls again by itself.");
    }
    println!("{redriven} sent again, {} kept.", kept.len());
    for (key, reason) in &kept {
        eprintln!("kept {key}: {reason}");
    }
    Ok(exit_code(kept.is_empty()))
}

fn confirmed(count: usize) -> io::Result<bool> {
    print!("Send {count} failed events again? [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn running_is_the_default_and_its_options_stand_on_either_side() {
        let parse = |words: &[&str]| {
            let arguments = Arguments::parse_from(words);
            let after = match arguments.command {
                Some(Command::Run { stack, .. } | Command::Demo { stack, .. }) => stack,
                _ => StackOptions::default(),
            };
            let stack = after.after(&arguments.options.stack);
            (stack.port, stack.param)
        };
        let one = |key: &str, value: &str| (key.to_owned(), value.to_owned());

        assert_eq!(
            parse(&["active-learning", "--port", "0", "--param", "A=b=c"]),
            (Some(0), vec![one("A", "b=c")])
        );
        assert_eq!(
            parse(&[
                "active-learning",
                "--param",
                "A=1",
                "demo",
                "--port",
                "0",
                "--param",
                "A=2"
            ]),
            (Some(0), vec![one("A", "1"), one("A", "2")])
        );
        assert!(Arguments::try_parse_from(["active-learning", "--param", "A"]).is_err());
    }

    #[test]
    fn a_command_takes_the_options_that_it_uses_and_no_others() {
        let refused = |words: &[&str]| Arguments::try_parse_from(words).is_err();

        assert!(refused(&["active-learning", "versions", "--port", "0"]));
        assert!(refused(&[
            "active-learning",
            "labels",
            "--training-data",
            "f.csv"
        ]));
        assert!(!refused(&[
            "active-learning",
            "versions",
            "--state-dir",
            "there",
            "-q"
        ]));
        assert!(refused(&["active-learning", "versions", "-q", "-v"]));
    }
}
