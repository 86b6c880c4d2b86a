//! Having labels looked at again: a random share of them becomes a labelling job, whose output says how many are wrong.
//!
//! The job is the review service's own, by `CreateLabelingJob`: the label that is there is chosen already, whoever gave it
//! is not asked, and what another reviewer holds right is written beside it.

mod append;
mod labels;
mod only;
mod report;
mod rows;

use active_learning_aws::bucket::{Bucket, BucketError, Created, JSON, JSON_LINES};
use active_learning_aws::label_set::LabelSets;
use clap::{Args, Subcommand};
use human_review::operations::Operation;
use human_review::stack_audit::{AFTER, AuditJob, BEFORE, LOCAL_ROLE, categories, draw, unreadable_lines};
use serde_json::{Value, json};

use crate::{outputs::StackOutputs, place::Place, portal_function::PortalFunction, wording::counted};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The command `audit`.
#[derive(Debug, Args)]
pub struct Options {
    /// Training bucket of a stack on AWS (output TrainingS3Bucket) [default: the running local stack]
    #[arg(long, global = true)]
    bucket: Option<String>,
    /// Function of the portal of a stack on AWS (output ReviewPortalFunction) [default: the running local stack's]
    #[arg(long, global = true, value_name = "NAME", requires = "bucket")]
    function: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Draws labelled texts at random and asks reviewers about them again
    #[command(after_help = "Example: active-learning audit start spring --output s3://my-audits --share 0.1")]
    Start(Start),
    /// Says how many labels are wrong, with an exact interval
    #[command(after_help = "Example: active-learning audit report spring --output s3://my-audits")]
    Report {
        /// Name of the audit
        name: String,
        /// Where it was put
        #[arg(long, value_name = "S3_URI")]
        output: String,
        /// Appends the adjusted labels to those of the stack, where they count from then on
        #[arg(long)]
        append: bool,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Start {
    /// Name of the audit: letters, digits and hyphens
    name: String,
    /// Where its input and output go, in a bucket of your own
    #[arg(long, value_name = "S3_URI")]
    output: String,
    /// Share of the labelled texts that is looked at, from 0 to 1
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    share: f64,
    #[command(flatten)]
    only: only::Only,
    /// Reviewers who look at each
    #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=9))]
    reviewers: u8,
    /// Role with whose rights the job reads and writes there; needed on AWS
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
}

/// Does what was asked; `stack` finds the running stack.
///
/// # Errors
///
/// When no stack runs, a bucket cannot be read or written, or the review service refuses; in words.
pub async fn execute(
    options: Options,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<(), Failure> {
    let running = match (&options.bucket, &options.function) {
        (Some(_), Some(_)) => None,
        (Some(_), None) => return Err("name the portal's function with --function".into()),
        (None, _) => Some(stack()?),
    };
    let portal = match (&running, options.function) {
        (Some(stack), _) => PortalFunction::of_stack(stack).await?,
        (None, function) => PortalFunction::on_aws(function.unwrap_or_default()).await,
    };
    let no_stack = || Err::<StackOutputs, Failure>("no stack runs".into());
    let place = match running {
        Some(stack) => Place::of(None, None, || Ok(stack)).await?,
        None => Place::of(options.bucket.as_deref(), None, no_stack).await?,
    };
    match options.action {
        Action::Start(start) => begin(&place, &portal, options.bucket.is_none(), start).await,
        Action::Report {
            name,
            output,
            append,
            json,
        } => {
            let folder = Folder::of(&place, &output, &name)?;
            let how = report::How {
                appends: append,
                as_json: json,
            };
            report::print(&place, &folder, &portal, &name, how).await
        }
    }
}

/// Where an audit lies.
struct Folder {
    bucket: Bucket,
    /// What its keys begin with, a slash at the end.
    prefix: String,
}

impl Folder {
    fn of(place: &Place, output: &str, name: &str) -> Result<Self, Failure> {
        let rest = output
            .strip_prefix("s3://")
            .unwrap_or_default()
            .trim_end_matches('/');
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(format!("--output `{output}` is not s3:// with a bucket").into());
        }
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        Ok(Self {
            bucket: place.training.other(bucket),
            prefix: format!("{prefix}{name}/"),
        })
    }

    fn uri(&self, name: &str) -> String {
        self.bucket.uri(&self.key(name))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Says why nothing can be written there.
    fn refusal(&self, error: BucketError) -> Failure {
        let bucket = self.bucket.name();
        match error.code() {
            Some("NoSuchBucket") => format!(
                "the bucket {bucket} of --output does not exist: make it first, as by `aws s3 mb s3://{bucket}`"
            )
            .into(),
            _ => error.into(),
        }
    }
}

async fn begin(place: &Place, portal: &PortalFunction, is_local: bool, start: Start) -> Result<(), Failure> {
    if !(start.share > 0.0 && start.share <= 1.0) {
        return Err(format!("--share {} is not above 0 and at most 1", start.share).into());
    }
    let role = match (&start.role_arn, is_local) {
        (Some(role), _) => role.clone(),
        (None, true) => LOCAL_ROLE.to_owned(),
        (None, false) => return Err("name the role of the job with --role-arn".into()),
    };
    // Nothing is written for a name that cannot be had.
    check_name(portal, &start.name).await?;
    let set = LabelSets::new(place.training.clone()).current().await?;
    let set = set.ok_or("there are no labels yet")?;
    let only = start.only.into();
    let stack = (&*set, place.several_labels);
    let (all, unreadable) = rows::labelled(&place.training, stack, &only).await?;
    if let Some(told) = unreadable_lines(unreadable) {
        eprintln!("{told}");
    }
    let drawn = draw(&all, start.share, &start.name);
    if drawn.is_empty() {
        return Err(
            "no text that people have labelled was drawn: none matches --label, --given-by, --predicted and --since, or the \
             share is too small"
                .into(),
        );
    }

    let folder = Folder::of(place, &start.output, &start.name)?;
    let team = own_team(portal).await?;
    let labels: Vec<&str> = set.active().collect();
    let job = AuditJob {
        name: &start.name,
        output: start.output.trim_end_matches('/'),
        role_arn: &role,
        team: &team,
        reviewers: start.reviewers,
        several: place.several_labels,
        unreadable,
    };
    let input = (job.manifest(&drawn, &labels), categories(&labels));
    let written = write_input(&folder, &start.name, input).await?;
    let answer = call(portal, "CreateLabelingJob", job.request()).await?;
    if answer["status"] != 200 {
        let stays = take_back(&folder, &written).await;
        return Err(format!("{}{stays}", refusal(&answer)).into());
    }
    println!(
        "{} of {} wait for another reviewer in the portal. When they are done:\n  \
         active-learning audit report {} --output {}",
        drawn.len(),
        counted(all.len(), "labelled text"),
        start.name,
        start.output
    );
    Ok(())
}

/// Checks that no audit, nor another labelling job, has or had a name, and that one can have it.
async fn check_name(portal: &PortalFunction, name: &str) -> Result<(), Failure> {
    let described = call(portal, "DescribeLabelingJob", json!({ "LabelingJobName": name })).await?;
    match (described["status"].as_u64(), described["body"]["__type"].as_str()) {
        (Some(200), _) => Err(format!("an audit {name} was started before: take another name").into()),
        (_, Some("ResourceNotFound")) => Ok(()),
        _ => Err(refusal(&described).into()),
    }
}

/// Writes the input of the job; returns the keys of what was not there before.
async fn write_input(
    folder: &Folder,
    name: &str,
    (manifest, categories): (String, Value),
) -> Result<Vec<String>, Failure> {
    let key = folder.key("audit/in.manifest");
    let created = folder.bucket.create(&key, JSON_LINES, manifest.clone()).await;
    let created = created.map_err(|error| folder.refusal(error))?;
    let is_same = async || match folder.bucket.read(&key, manifest.len() as u64 + 1).await {
        Ok(Some(there)) => there.bytes == manifest.as_bytes(),
        Ok(None) | Err(_) => false,
    };
    // The same again is an attempt that broke off.
    if created == Created::Exists && !is_same().await {
        return Err(format!(
            "an audit {name} was started before, {}: take another name",
            folder.uri("audit/in.manifest")
        )
        .into());
    }
    let labels_key = folder.key("audit/labels.json");
    folder
        .bucket
        .put(&labels_key, JSON, categories.to_string())
        .await?;
    match created {
        Created::Created => Ok(vec![key, labels_key]),
        Created::Exists => Ok(Vec::new()),
    }
}

/// Removes the input that was written for a job that is none; says what stays.
async fn take_back(folder: &Folder, written: &[String]) -> String {
    let mut is_gone = !written.is_empty();
    for key in written {
        is_gone &= folder.bucket.delete(key).await.is_ok();
    }
    match is_gone {
        true => String::new(),
        false => format!("; the input stays below {}", folder.uri("audit/")),
    }
}

/// Returns the team of the stack, of whom everybody who may sign in is one.
async fn own_team(portal: &PortalFunction) -> Result<String, Failure> {
    let teams = control_plane(portal, "ListWorkteams", json!({})).await?;
    let arn = teams["Workteams"][0]["WorkteamArn"].as_str();
    Ok(arn.ok_or("the review service has no team")?.to_owned())
}

async fn control_plane(portal: &PortalFunction, operation: &str, request: Value) -> Result<Value, Failure> {
    let mut answer = call(portal, operation, request).await?;
    match answer["status"].as_u64() {
        Some(200) => Ok(answer["body"].take()),
        _ => Err(refusal(&answer).into()),
    }
}

async fn call(portal: &PortalFunction, operation: &str, request: Value) -> Result<Value, Failure> {
    let call = operation.to_owned();
    Ok(portal.call(&Operation::ControlPlane { call, request }).await?)
}

fn refusal(answer: &Value) -> String {
    let reason = answer["body"]["message"].as_str().unwrap_or("it gave no reason");
    format!("the review service refused: {reason}")
}
