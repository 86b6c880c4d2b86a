//! `erase`: a person's texts are taken out of everything that a stack has stored, here or on AWS.

use std::time::SystemTime;

use active_learning_aws::failure::chain;
use active_learning_core::keys;
use aws_config::SdkConfig;
use aws_sdk_sfn::types::ExecutionStatus;
use clap::Args;
use erasure::erase::{self as erasing, Buckets, EraseError, Job, Report};
use human_review::audit_log::{AuditLog, Deed};
use serde_json::{Value, json};

use crate::{
    confirm::confirmed,
    outputs::StackOutputs,
    place::{Place, batch_bucket, sdk_config, sibling},
    wording::counted,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The command `erase`.
#[derive(Debug, Args)]
pub struct Options {
    /// Whose texts are erased, by the name that feedback gives; may be repeated
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// A text that is erased, whoever sent it, in whatever spelling; may be repeated
    #[arg(long, value_name = "TEXT")]
    text: Vec<String>,
    /// Looks for all texts again that were erased before, by their hashes, and ends what was broken off
    #[arg(long)]
    again: bool,
    /// Shows where it is found, and changes nothing
    #[arg(long, conflicts_with = "yes")]
    preview: bool,
    /// Asks nothing
    #[arg(long)]
    yes: bool,
    /// Prints JSON; asks nothing, and does nothing without --yes
    #[arg(long)]
    json: bool,
    /// Who erases, for the audit log
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: String,
    /// Training bucket of a stack on AWS (output TrainingS3Bucket) [default: the running local stack]
    #[arg(long)]
    bucket: Option<String>,
    /// Feedback bucket of a stack on AWS (output FeedbackS3Bucket) [default: the one of the same stack]
    #[arg(long, requires = "bucket")]
    feedback_bucket: Option<String>,
    /// Review bucket of a stack on AWS (output ReviewS3Bucket) [default: the one of the same stack]
    #[arg(long, requires = "bucket")]
    review_bucket: Option<String>,
    /// Batch bucket of a stack on AWS (output BatchUploadS3Bucket) [default: the one of the same stack]
    #[arg(long, requires = "bucket")]
    batch_bucket: Option<String>,
}

/// A stack, as far as erasing needs it.
struct Target {
    buckets: Buckets,
    sfn: aws_sdk_sfn::Client,
}

/// Erases, once whoever asked has seen what is found and agreed. Returns whether it was done, and nothing is left.
///
/// # Errors
///
/// When no stack runs, a build does, or a bucket fails. What was begun is ended by another run.
pub async fn execute(
    options: Options,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<bool, Failure> {
    if options.user.is_empty() && options.text.is_empty() && !options.again {
        return Err("say what is to be erased: --user NAME or --text TEXT; or --again".into());
    }
    if options
        .user
        .iter()
        .chain(&options.text)
        .any(|name| name.trim().is_empty())
    {
        return Err("a user or a text to erase is blank".into());
    }
    let target = Target::find(&options, stack).await?;
    let does_nothing = options.preview || options.json && !options.yes;
    let broken_off = erasing::unfinished(&target.buckets).await?;
    let now = SystemTime::now().into();
    let job = erasing::find(&target.buckets, &options.text, &options.user, now).await?;
    if does_nothing {
        let report = erasing::preview(&target.buckets, job).await?;
        print(&report, &[], broken_off.len(), options.json);
        return Ok(true);
    }
    if !options.yes {
        let report = erasing::preview(&target.buckets, job.clone()).await?;
        print(&report, &[], broken_off.len(), false);
        if !confirmed("Erase it for good?")? {
            println!("Nothing was changed.");
            return Ok(false);
        }
    }

    target.hold_builds().await?;
    let done = target.erase_all(broken_off, job, &options.by).await;
    let released = erasing::release_builds(&target.buckets).await;
    let reports = done.map_err(|error| -> Failure {
        let cause = chain(&error);
        format!("the erasure was broken off: {cause}. Run the same command again: it goes on where it was")
            .into()
    })?;
    released?;
    let (last, earlier) = reports.split_last().ok_or("there was nothing to erase")?;
    print(last, earlier, 0, options.json);
    Ok(reports.iter().all(|report| report.too_large.is_empty()))
}

impl Target {
    async fn find(
        options: &Options,
        stack: impl FnOnce() -> Result<StackOutputs, Failure>,
    ) -> Result<Self, Failure> {
        let mut local = None;
        let of_stack = || {
            let stack = stack()?;
            local = Some(stack.clone());
            Ok(stack)
        };
        let (training, feedback) = (options.bucket.as_deref(), options.feedback_bucket.as_deref());
        let place = Place::of(training, feedback, of_stack).await?;
        let named = |given: &Option<String>, output: &str, kind: &str| match (given, &local) {
            (Some(name), _) => Ok(name.clone()),
            (None, Some(stack)) => Ok(stack.output(output).to_owned()),
            (None, None) if kind == "batch" => batch_bucket(place.training.name()),
            (None, None) => sibling(place.training.name(), kind),
        };
        let review = named(&options.review_bucket, "ReviewS3Bucket", "review")?;
        let batch = named(&options.batch_bucket, "BatchUploadS3Bucket", "batch")?;
        let endpoint = local.as_ref().map(|stack| stack.endpoint_url.as_str());
        let sdk: SdkConfig = sdk_config(endpoint).await;
        Ok(Self {
            buckets: Buckets {
                batch: place.training.other(batch),
                review: place.training.other(review),
                feedback: place.feedback,
                training: place.training,
            },
            sfn: aws_sdk_sfn::Client::new(&sdk),
        })
    }

    /// Keeps builds from beginning, unless one is under way: it reads what is to be rewritten.
    async fn hold_builds(&self) -> Result<(), Failure> {
        erasing::hold_builds(&self.buckets).await?;
        let Some(execution) = self.running_build().await? else {
            return Ok(());
        };
        erasing::release_builds(&self.buckets).await?;
        let name = execution.rsplit(':').next().unwrap_or_default();
        Err(format!(
            "the build {name} is under way and reads the texts that are to be erased: nothing was changed. Run it again when \
             the build has ended; one that waits for an approval is ended by `active-learning approve {name}`, or the same \
             with --reject REASON"
        )
        .into())
    }

    async fn running_build(&self) -> Result<Option<String>, Failure> {
        let lock: Option<Value> = self.buckets.training.read_document(keys::BUILD_LOCK).await?;
        let Some(execution) = lock.and_then(|lock| lock["executionArn"].as_str().map(str::to_owned)) else {
            return Ok(None);
        };
        let described = self
            .sfn
            .describe_execution()
            .execution_arn(&execution)
            .send()
            .await;
        match described {
            Ok(described) if *described.status() == ExecutionStatus::Running => Ok(Some(execution)),
            Ok(_) => Ok(None),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|it| it.is_execution_does_not_exist()) =>
            {
                Ok(None)
            }
            Err(error) => Err(format!(
                "whether the build {execution} runs is not known, so that nothing was changed: {}",
                chain(&error)
            )
            .into()),
        }
    }

    /// Ends what was broken off, then does what was asked; each is written into the audit log.
    async fn erase_all(&self, broken_off: Vec<Job>, job: Job, by: &str) -> Result<Vec<Report>, EraseError> {
        let mut reports = Vec::new();
        for job in broken_off.into_iter().chain([job]) {
            let deed = Deed {
                action: "erase",
                subject: &counted(job.count, "text"),
                value: &counted(job.users.len(), "user"),
            };
            let log = AuditLog::of_invocation(&self.buckets.review, by, SystemTime::now().into());
            reports.push(log.record(deed, erasing::erase(&self.buckets, job)).await?);
        }
        Ok(reports)
    }
}

fn print(report: &Report, earlier: &[Report], broken_off: usize, as_json: bool) {
    if as_json {
        let mut document = json!(report);
        if !earlier.is_empty() {
            document["earlier"] = json!(earlier);
        }
        if broken_off > 0 {
            document["brokenOff"] = json!(broken_off);
        }
        println!("{document:#}");
        return;
    }
    if broken_off > 0 {
        println!(
            "! {} not ended: the next run that erases ends them.",
            counted(broken_off, "earlier erasure")
        );
    }
    for report in earlier {
        println!("An earlier erasure was broken off, and is ended now:");
        print!("{}", in_words(report));
    }
    print!("{}", in_words(report));
}

/// Says what was found, or what became of it, without a text or a name.
fn in_words(report: &Report) -> String {
    let mut lines = Vec::new();
    let total = report.total();
    lines.push(format!(
        "{} of {}: {} in {}",
        counted(report.texts, "text"),
        counted(report.users, "user"),
        counted(number(total.pieces), "piece"),
        counted(number(total.objects), "object"),
    ));
    for (place, count) in &report.found {
        let (pieces, objects) = (number(count.pieces), number(count.objects));
        lines.push(format!(
            "  {place:<34} {pieces:>7} in {}",
            counted(objects, "object")
        ));
    }
    lines.extend(beside(report));
    lines.join("\n") + "\n"
}

/// Says what else is to be known.
fn beside(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if report.shared > 0 {
        let texts = counted(report.shared, "text");
        lines.push(format!(
            "  {texts} that others have sent by their names too stay, without the name of the user"
        ));
    }
    if report.loops > 0 {
        lines.push(format!(
            "  {} ended: all that was asked is gone",
            counted(number(report.loops), "human loop")
        ));
    }
    if report.asked_themselves > 0 {
        let texts = counted(number(report.asked_themselves), "near duplicate");
        lines.push(format!(
            "  {texts} of others had no answer of their own: asked by themselves"
        ));
    }
    if report.delivered_again > 0 {
        let objects = counted(number(report.delivered_again), "object");
        lines.push(format!(
            "  {objects} had not been worked off: what is left is delivered again"
        ));
    }
    if report.old_versions > 0 {
        lines.push(format!(
            "  {} deleted",
            counted(number(report.old_versions), "old version")
        ));
    }
    for name in &report.loops_elsewhere {
        lines.push(format!(
            "! the human loop {name} of Amazon A2I still shows it: stop and delete it there"
        ));
    }
    for uri in &report.too_large {
        lines.push(format!("! {uri} is too large to be read: look at it yourself"));
    }
    for (version, rows) in &report.learnt {
        let rows = counted(number(*rows), "row");
        lines.push(format!("! model version {version} has learnt from {rows} of it: `active-learning build` makes one without"));
    }
    lines
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use erasure::erase::Count;

    use super::*;

    #[test]
    fn a_report_names_places_and_numbers() {
        let count = Count {
            objects: 1,
            pieces: 2,
        };
        let report = Report {
            texts: 1,
            users: 1,
            found: [("feedback:questions/".to_owned(), count)].into(),
            learnt: [("v1".to_owned(), 1)].into(),
            ..Report::default()
        };

        let said = in_words(&report);

        assert!(
            said.starts_with("1 text of 1 user: 2 pieces in 1 object\n  feedback:questions/ "),
            "{said}"
        );
        assert!(
            said.contains("! model version v1 has learnt from 1 row of it"),
            "{said}"
        );
    }
}
