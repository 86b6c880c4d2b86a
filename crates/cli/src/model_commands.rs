//! The commands about models: what a person can ask of a stack, here or on AWS.

use std::{fs::File, io, path::PathBuf};

use active_learning_core::dataset::TrainingFileState;
use clap::{Args, Subcommand};
use model_building::{
    Outcome, describe_training_file,
    export::{ExportSummary, Format},
};

use crate::{
    models::Models,
    outputs::StackOutputs,
    place, report, status,
    wording::{counted, counted_as},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Which stack is meant.
#[derive(Debug, Args)]
pub struct Target {
    /// Training bucket of a stack on AWS (output TrainingS3Bucket) [default: the running local stack]
    #[arg(long, requires = "state_machine")]
    bucket: Option<String>,
    /// State machine of a stack on AWS (output ModelBuildingStateMachineArn)
    #[arg(long, value_name = "ARN", requires = "bucket")]
    state_machine: Option<String>,
}

/// What can be asked of models.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Builds a model from all labels now, and shows whether it is deployed and why
    #[command(after_help = "Example: active-learning build --json")]
    Build {
        /// Prints JSON
        #[arg(long)]
        json: bool,
        /// Whose
        #[command(flatten)]
        target: Target,
    },
    /// Shows the model versions with their scores and where they come from
    #[command(after_help = "Example: active-learning versions --json")]
    Versions {
        /// Prints JSON
        #[arg(long)]
        json: bool,
        /// Whose
        #[command(flatten)]
        target: Target,
    },
    /// Shows how the stack is doing: what waits, what serves and how well, and what needs a person
    #[command(after_help = "Example: active-learning status")]
    Status {
        /// Prints the figures as JSON, as the console has them at overview.json
        #[arg(long)]
        json: bool,
        /// Whose
        #[command(flatten)]
        target: Target,
    },
    /// Brings the model before the serving one back, or the one that is named
    #[command(after_help = "Example: active-learning rollback")]
    Rollback {
        /// Prints JSON
        #[arg(long)]
        json: bool,
        /// Version to bring back, as `versions` names it, or the ARN of its model
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Whose
        #[command(flatten)]
        target: Target,
    },
    /// Approves a deployment that waits for it (parameter ApproveDeployments)
    #[command(
        after_help = "Example: active-learning approve build-000001-20261128T17 --reject 'recall of billing fell'"
    )]
    Approve {
        /// Name of the build, as the notification and `versions` give it
        build: String,
        /// Refuses it instead, with a reason
        #[arg(long, value_name = "REASON")]
        reject: Option<String>,
        /// Whose
        #[command(flatten)]
        target: Target,
    },
    /// Writes what people labelled
    #[command(after_help = "Example: active-learning export --format csv --output labelled.csv")]
    Export {
        /// csv (Comprehend's training CSV), manifest (Ground Truth's augmented manifest) or jsonl (with every vote)
        #[arg(long)]
        format: Format,
        /// File to write [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Whose
        #[command(flatten)]
        target: Target,
    },
}

impl Target {
    async fn models(self, stack: impl FnOnce() -> Result<StackOutputs, Failure>) -> Result<Models, Failure> {
        match (self.bucket, self.state_machine) {
            (Some(bucket), Some(state_machine)) => Models::on_aws(bucket, state_machine).await,
            _ => {
                let stack = stack()?;
                let config = place::sdk_config(Some(&stack.endpoint_url)).await;
                Ok(Models::of_stack(&config, &stack))
            }
        }
    }
}

/// Does what was asked; `stack` finds the running stack. Returns whether it came to a good end.
///
/// # Errors
///
/// What the services refuse, in words.
pub async fn execute(
    command: Command,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<bool, Failure> {
    match command {
        Command::Build { json, target } => build(&target.models(stack).await?, json).await,
        Command::Versions { json, target } => versions(&target.models(stack).await?, json).await,
        Command::Status { json, target } => {
            let mut damaged = Vec::new();
            let stack = || {
                let mut stack = stack()?;
                damaged = std::mem::take(&mut stack.damaged_objects);
                Ok(stack)
            };
            let models = target.models(stack).await?;
            status::show(&models, damaged, json).await
        }
        Command::Rollback { json, to, target } => {
            roll_back(&target.models(stack).await?, to.as_deref(), json).await
        }
        Command::Approve {
            build,
            reject,
            target,
        } => {
            let models = target.models(stack).await?;
            models.decide(&build, reject.as_deref()).await?;
            match reject {
                None => {
                    println!("The build {build} is approved and goes on: `versions` shows what it came to.")
                }
                Some(_) => println!("The build {build} is rejected: its model is not deployed."),
            }
            Ok(true)
        }
        Command::Export {
            format,
            output,
            target,
        } => export(&target.models(stack).await?, format, output).await,
    }
}

async fn build(models: &Models, json: bool) -> Result<bool, Failure> {
    let built = models.build().await?;
    built.print(json)?;
    if !json {
        print_all(&models.dataset_warnings().await?);
    }
    Ok(built.decided)
}

async fn versions(models: &Models, json: bool) -> Result<bool, Failure> {
    let versions = models.versions().await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&versions)?);
        return Ok(true);
    }

    print!("{}", report::versions(&versions));
    let files = models.training_files().await?;
    let odd = files.iter().filter(|file| file.state != TrainingFileState::Taken);
    odd.for_each(|file| println!("! {}", describe_training_file(file)));
    let serving = versions.iter().find(|version| version.serving);
    let serving = serving.map(|version| version.model_arn.clone());
    print_all(&models.label_differences(serving).await?);
    Ok(true)
}

async fn roll_back(models: &Models, to: Option<&str>, json: bool) -> Result<bool, Failure> {
    let built = models.roll_back(to).await?;
    built.print(json)?;
    if !json {
        print_all(&models.label_differences(models.serving().await?).await?);
        let erased = models.erased_from_serving().await?;
        print_all(&Vec::from_iter(
            erased.map(|said| format!("the serving model: {said}")),
        ));
    }
    Ok(built
        .record
        .is_some_and(|record| record.outcome != Outcome::Failed))
}

async fn export(models: &Models, format: Format, output: Option<PathBuf>) -> Result<bool, Failure> {
    let summary = match output {
        Some(path) => {
            let file = File::create(&path)
                .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
            models.export(format, io::BufWriter::new(file)).await?
        }
        None => models.export(format, io::stdout().lock()).await?,
    };
    let ExportSummary {
        rows,
        copies,
        several,
        escaped,
        doubtful,
        left_out,
    } = summary;
    eprintln!(
        "{}, and {} that their answers serve",
        counted(rows, "row"),
        counted_as(copies, "copy", "copies")
    );
    if several > 0 {
        eprintln!(
            "{} several labels, between which `|` stands",
            counted_as(several, "of them has", "of them have")
        );
    }
    if escaped > 0 {
        eprintln!(
            "{} a label whose name holds `|`: it is written `\\|`",
            counted_as(escaped, "of them has", "of them have")
        );
    }
    if doubtful > 0 {
        eprintln!(
            "{} a doubtful label: by the error rates of those who gave it, it is more probably wrong than right. \
             `--format jsonl` says which (`doubtful`)",
            counted_as(doubtful, "of them has", "of them have")
        );
    }
    for (why, count) in left_out {
        eprintln!("{count} left out: {why}");
    }
    Ok(true)
}

fn print_all(warnings: &[String]) {
    for warning in warnings {
        println!("! {warning}");
    }
}
