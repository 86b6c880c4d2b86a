//! The arguments: every command with its options, and what all of them take.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    advise, audit, beginning, disputes, encoder, erase, failed_events, fault_run, import, labels,
    model_commands, reviewers, sign_in, simulate,
};

/// Keeps a text classifier fresh with people in the loop.
#[derive(Debug, Parser)]
#[command(name = "active-learning", version)]
pub struct Arguments {
    /// What every command takes.
    #[command(flatten)]
    pub options: Options,
    /// What is to be done; to run the stack where there is none.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Options {
    /// Folder that keeps everything from start to start
    #[arg(long, global = true, default_value = ".local-stack", value_name = "FOLDER")]
    pub state_dir: PathBuf,
    /// Says only what was asked for, and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Logs what is done to standard error; twice for every detail
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// How a stack is started.
    #[command(flatten)]
    pub stack: StackOptions,
}

/// How a stack is started.
#[derive(Clone, Debug, Default, Args)]
pub struct StackOptions {
    /// Port on 127.0.0.1 for everything; 0 picks a free one [default: 4566]
    #[arg(long)]
    pub port: Option<u16>,
    /// Name or address of this machine under which it may be asked, beside localhost and 127.0.0.1; may be repeated
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// Template [default: infra/template.yaml here or in a folder above]
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Value of a template parameter; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub param: Vec<(String, String)>,
    /// What the classifier learns from, Comprehend CSV (label,text) [default: the sample news, the first time]
    #[arg(long, value_name = "FILE")]
    pub training_data: Option<PathBuf>,
    /// Text encoder of the built-in classifier: built-in, none, or a folder, which is put into the stack [default: as
    /// the parameter TextEncoder]
    #[arg(long, value_name = "ENCODER")]
    pub encoder: Option<encoder::Choice>,
    /// HTTP server behind a SageMaker endpoint, such as a Hugging Face container; the stack classifies with the only one
    /// that is named here, or with that of the parameter SageMakerEndpointName; may be repeated
    #[arg(long, value_name = "NAME=URL", value_parser = key_and_value)]
    pub endpoint: Vec<(String, String)>,
    /// Seed of faults by chance that befall the services
    #[arg(long, value_name = "SEED", hide = true)]
    pub faults: Option<u64>,
}

impl StackOptions {
    /// Adds what stands before the command; what stands after it wins.
    pub fn after(self, before: &Self) -> Self {
        Self {
            port: self.port.or(before.port),
            allow_host: [before.allow_host.clone(), self.allow_host].concat(),
            template: self.template.or_else(|| before.template.clone()),
            param: [before.param.clone(), self.param].concat(),
            training_data: self.training_data.or_else(|| before.training_data.clone()),
            encoder: self.encoder.or_else(|| before.encoder.clone()),
            endpoint: [before.endpoint.clone(), self.endpoint].concat(),
            faults: self.faults.or(before.faults),
        }
    }

    /// Refuses an encoder that cannot be used, before anything is started.
    pub fn check_encoder(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match &self.encoder {
            Some(choice) => choice.check(),
            None => Ok(()),
        }
    }

    /// Returns the first of the options that was given.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (self.port.is_some(), "--port"),
            (!self.allow_host.is_empty(), "--allow-host"),
            (self.template.is_some(), "--template"),
            (!self.param.is_empty(), "--param"),
            (self.training_data.is_some(), "--training-data"),
            (self.encoder.is_some(), "--encoder"),
            (!self.endpoint.is_empty(), "--endpoint"),
        ];
        given
            .into_iter()
            .find_map(|(is_given, name)| is_given.then_some(name))
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
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
        /// Labelled texts to send, label,text, read as training data; every tenth is kept as an exam for each
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
    Models(model_commands::Command),
    /// Shows and changes the labels there are, of the running stack or of one on AWS
    #[command(after_help = "Example: active-learning labels rename Sport Sports")]
    Labels(labels::Options),
    /// Shows the texts on which people do not agree, and their votes
    #[command(after_help = "Example: active-learning disputed --json")]
    Disputed(disputes::Listing),
    /// Decides what people do not agree on, for good
    #[command(after_help = "Example: active-learning adjudicate 0f8c… --label billing --by ann")]
    Adjudicate(disputes::Adjudication),
    /// Has a random share of the labels looked at again, and says how many are wrong
    #[command(after_help = "Example: active-learning audit start spring --output s3://my-audits --share 0.1")]
    Audit(audit::Options),
    /// Advises the threshold that keeps a promised accuracy; exits with 3 where there is none
    #[command(after_help = "Example: active-learning advise --target-accuracy 0.95")]
    Advise(advise::Options),
    /// Serves one function; the stack starts these by itself
    #[command(hide = true)]
    Lambda {
        /// Name of the function
        name: String,
    },
    /// Says which text encoder is part of the program and which the running stack uses, or checks a folder before it is put
    /// under encoder/
    #[command(after_help = "Example: active-learning encoder ./multilingual-e5-small")]
    Encoder {
        /// Folder of a sentence encoder, as the hub lays it out
        folder: Option<PathBuf>,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes a person's texts out of everything that is stored, of the running stack or of one on AWS
    #[command(after_help = "Example: active-learning erase --user jane --preview")]
    Erase(erase::Options),
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
    SignInLink(sign_in::Options),
    /// Shows who may sign in to the portal, invites them and keeps them out, here or on AWS
    #[command(after_help = "Example: active-learning reviewers invite ann")]
    Reviewers(reviewers::Options),
}

impl Command {
    /// Returns whether the command starts a stack, and so takes the options for it.
    pub fn starts_a_stack(&self) -> bool {
        matches!(self, Self::Run { .. } | Self::Demo { .. })
    }
}

fn key_and_value(argument: &str) -> Result<(String, String), String> {
    let (key, value) = argument.split_once('=').ok_or("expected a name, = and a value")?;
    Ok((key.to_owned(), value.to_owned()))
}
