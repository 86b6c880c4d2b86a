//! `erase`: a person's texts are taken out of everything that a stack has stored, here or on AWS.

mod words;

use std::time::SystemTime;

use active_learning_aws::{failure::chain, personal_data::Kinds};
use active_learning_core::{dataset::TextId, keys};
use aws_config::SdkConfig;
use aws_sdk_sfn::types::ExecutionStatus;
use clap::Args;
use erasure::erase::{self as erasing, Buckets, EraseError, Job, Report};
use human_review::audit_log::{AuditLog, Deed};
use serde_json::Value;

use crate::{
    confirm::confirmed,
    outputs::StackOutputs,
    personal_data,
    place::{Place, batch_bucket, sdk_config, sibling},
    wording::counted,
};
use words::print;

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
    /// An object that cannot be read, as `s3://BUCKET/KEY`, that you have looked at: nothing of it is in there. It is named, and
    /// does not make the command fail; may be repeated
    #[arg(long, value_name = "S3-URI")]
    looked_at: Vec<String>,
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
    /// What the stack runs with, where it runs here.
    local: Option<StackOutputs>,
    sdk: SdkConfig,
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
    let (texts, masked) = target.with_masked_forms(&options.text).await?;
    let mut job = erasing::find(&target.buckets, &texts, &options.user, now).await?;
    job.count -= masked;
    job.masked = masked;
    if does_nothing {
        let mut report = erasing::preview(&target.buckets, job).await?;
        report.note_looked_at(&options.looked_at);
        print(&report, &[], broken_off.len(), options.json);
        return Ok(true);
    }
    if !options.yes {
        let mut report = erasing::preview(&target.buckets, job.clone()).await?;
        report.note_looked_at(&options.looked_at);
        print(&report, &[], broken_off.len(), false);
        if !confirmed("Erase it for good?")? {
            println!("Nothing was changed.");
            return Ok(false);
        }
    }

    target.hold_builds(&job.id).await?;
    let ids: Vec<String> = broken_off
        .iter()
        .chain([&job])
        .map(|job| job.id.clone())
        .collect();
    let done = Box::pin(target.erase_all(broken_off, job, &options.by)).await;
    let mut released = Ok(());
    for id in &ids {
        released = released.and(erasing::release_builds(&target.buckets, id).await);
    }
    let mut reports = done.map_err(|error| -> Failure {
        let cause = chain(&error);
        format!("the erasure was broken off: {cause}. Run the same command again: it goes on where it was")
            .into()
    })?;
    released?;
    for report in &mut reports {
        report.note_looked_at(&options.looked_at);
    }
    let (last, earlier) = reports.split_last().ok_or("there was nothing to erase")?;
    print(last, earlier, 0, options.json);
    Ok(reports.iter().all(Report::is_complete))
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
            local,
            sdk,
        })
    }

    /// Returns texts together with what the stack makes of them before it stores one, and how many it makes another of. One
    /// of which nothing but masks is left says nothing, so that it is not looked for.
    async fn with_masked_forms(&self, texts: &[String]) -> Result<(Vec<String>, usize), Failure> {
        let mut all = texts.to_vec();
        if texts.is_empty() {
            return Ok((all, 0));
        }
        let masking = match &self.local {
            Some(stack) => personal_data::of_running(stack, &self.sdk)?,
            None => personal_data::of_bucket(&self.buckets.training, &self.sdk).await?,
        };
        for text in texts {
            let mut masked = text.clone();
            let kinds = masking.apply(&mut masked).await?;
            if says_something(&masked, &kinds)
                && !all.iter().any(|known| TextId::of(known) == TextId::of(&masked))
            {
                all.push(masked);
            }
        }
        let count = all.len() - texts.len();
        Ok((all, count))
    }

    /// Keeps builds from beginning, unless one is under way: it reads what is to be rewritten.
    async fn hold_builds(&self, id: &str) -> Result<(), Failure> {
        erasing::hold_builds(&self.buckets, id).await?;
        let Some(execution) = self.running_build().await? else {
            return Ok(());
        };
        erasing::release_builds(&self.buckets, id).await?;
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
            reports.push(
                log.record(deed, Box::pin(erasing::erase(&self.buckets, job)))
                    .await?,
            );
        }
        Ok(reports)
    }
}

/// Returns whether a text in which these kinds of personal data were masked has a word left beside the masks.
fn says_something(masked: &str, kinds: &Kinds) -> bool {
    let rest = kinds.iter().fold(masked.to_owned(), |rest, kind| {
        rest.replace(&format!("[{kind}]"), " ")
    });
    !kinds.is_empty() && rest.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_text_is_looked_for_only_where_a_word_is_left() {
        let kinds = Kinds::from(["EMAIL".to_owned()]);

        assert!(says_something("Refund it to [EMAIL]", &kinds));
        assert!(!says_something("[EMAIL], [EMAIL]!", &kinds));
        assert!(
            !says_something("Refund it", &Kinds::default()),
            "nothing was masked"
        );
    }
}
