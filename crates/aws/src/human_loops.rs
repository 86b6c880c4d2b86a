//! Human loops: what people are asked lies in S3 before the review service is told to ask it.

use std::{collections::HashSet, time::Duration};

use active_learning_core::keys;
use aws_sdk_s3::error::BoxError;
use aws_sdk_sagemakera2iruntime::types::HumanLoopInput;
use chrono::{DateTime, Utc};
use lambda_runtime::tracing::{debug, info, warn};
use tokio::time::sleep;

use crate::{
    backoff::full_jitter,
    bucket::{Bucket, BucketError, Created, JSON, Listed},
    failure::Refusal,
};

/// Tries to start one human loop, beyond those of the SDK.
const MAX_TRIES: u32 = 5;

/// Upper bound of the first pause between two of them, and of any.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(8);

/// Largest object of a question that is read, in bytes: `InputContent` has at most 3 MiB.
const MAX_QUESTION_BYTES: u64 = 4 << 20;

/// Tasks from which on the queue of the built-in review service is called full. It takes 5,000 (source: Amazon A2I quotas); what
/// is answered then makes room that the next hourly sweep fills.
const NEARLY_FULL: usize = 4_500;

/// Kind of the event that tells that a human loop has ended. Source: Amazon A2I, "Use Amazon CloudWatch Events".
pub const STATUS_CHANGE: &str = "SageMaker A2I HumanLoop Status Change";

/// Starts human loops, and keeps what each was started with as `asked/<human loop>.json` until it is done with.
///
/// The review service gives the input of a loop back in its output only. Of a loop that fails, or that was
/// never started because the function was ended, nothing else would know what it was to ask.
#[derive(Clone, Debug)]
pub struct HumanLoops {
    bucket: Bucket,
    a2i: aws_sdk_sagemakera2iruntime::Client,
    workflow_arn: String,
}

/// A human loop that is not done with.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenLoop {
    /// Its name.
    pub name: String,
    /// When it was written down, just before it was started.
    pub asked_at: DateTime<Utc>,
}

/// Why people could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// S3 did not answer.
    #[error("the questions below asked/ could not be read or written")]
    Store(#[source] BoxError),
    /// The review service is busy, over a quota, or down.
    #[error("human loop {name} could not be started now")]
    NotNow {
        /// Name of the human loop.
        name: String,
        /// What the service answered.
        #[source]
        source: Refusal,
    },
    /// The review service will not take this.
    #[error(
        "human loop {name} was refused: check HUMAN_REVIEW_WORKFLOW_ARN and the function's rights; \
         Amazon A2I takes no new customers, an empty HumanReviewWorkflowArn uses the built-in service"
    )]
    Refused {
        /// Name of the human loop.
        name: String,
        /// What the service answered.
        #[source]
        source: Refusal,
    },
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its loop is there.
    Started,
    /// The review service has no room for more loops. The question is kept, and the sweep of `label-collection` asks it
    /// as room comes.
    Kept,
}

impl AskError {
    /// Returns whether the review service has no room for more loops.
    pub fn is_out_of_room(&self) -> bool {
        matches!(self, Self::NotNow { source, .. } if is_quota(source))
    }

    /// Returns the name of the variant, by which alarms group.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Store(_) => "AskedStore",
            Self::NotNow { .. } => "NotNow",
            Self::Refused { .. } => "Refused",
        }
    }
}

impl HumanLoops {
    /// Keeps the questions in `bucket` and starts loops of the flow definition `workflow_arn`.
    pub fn new(bucket: Bucket, a2i: aws_sdk_sagemakera2iruntime::Client, workflow_arn: String) -> Self {
        Self {
            bucket,
            a2i,
            workflow_arn,
        }
    }

    /// Keeps the input of a loop, then starts it if there is room.
    ///
    /// Idempotent: the same name again starts nothing new.
    ///
    /// # Errors
    ///
    /// [`AskError`]; unless it is [`AskError::Store`], the question is kept, and can be started later.
    pub async fn ask(&self, name: &str, input_content: &str) -> Result<Asked, AskError> {
        self.keep(name, input_content).await?;
        self.start_kept(name, input_content).await
    }

    /// Starts a human loop whose input is kept, if there is room; else it stays kept.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), but not for want of room.
    pub async fn start_kept(&self, name: &str, input_content: &str) -> Result<Asked, AskError> {
        match self.start(name, input_content).await {
            Ok(()) => Ok(Asked::Started),
            Err(error) if error.is_out_of_room() => {
                warn!(
                    human_loop.name = name,
                    "no room for more human loops: the question is kept"
                );
                Ok(Asked::Kept)
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps the input of a loop that is to be started; one that is there stays.
    ///
    /// # Errors
    ///
    /// [`AskError::Store`].
    pub async fn keep(&self, name: &str, input_content: &str) -> Result<(), AskError> {
        self.keep_new(name, input_content).await.map(drop)
    }

    /// Keeps an input as [`HumanLoops::keep`] does. Returns whether there was none.
    ///
    /// # Errors
    ///
    /// As [`HumanLoops::keep`].
    pub async fn keep_new(&self, name: &str, input_content: &str) -> Result<Created, AskError> {
        let body = input_content.as_bytes().to_vec();
        let created = self.bucket.create(&keys::asked(name), JSON, body).await;
        created.map_err(|error| AskError::Store(error.into()))
    }

    /// Starts a human loop, also when the service is busy for a moment; one of that name is left as it is.
    ///
    /// # Errors
    ///
    /// [`AskError::NotNow`], [`AskError::Refused`].
    pub async fn start(&self, name: &str, input_content: &str) -> Result<(), AskError> {
        for attempt in 1.. {
            let Err(source) = self.try_start(name, input_content).await else {
                info!(human_loop.name = name, "started");
                return Ok(());
            };
            let name = name.to_owned();
            let quota = is_quota(&source);
            match source.code.as_deref() {
                // The name is taken by a loop of the same records: an earlier run started it.
                Some("ConflictException") => {
                    debug!(human_loop.name = name, "started before");
                    return Ok(());
                }
                _ if !quota && !source.is_transient() => return Err(AskError::Refused { name, source }),
                _ if attempt == MAX_TRIES => return Err(AskError::NotNow { name, source }),
                _ => sleep(full_jitter(attempt - 1, FIRST_PAUSE, MAX_PAUSE)).await,
            }
        }
        unreachable!("the last attempt returns")
    }

    async fn try_start(&self, name: &str, input_content: &str) -> Result<(), Refusal> {
        let input = HumanLoopInput::builder().input_content(input_content).build();
        let call = self
            .a2i
            .start_human_loop()
            .human_loop_name(name)
            .flow_definition_arn(&self.workflow_arn)
            .human_loop_input(input);
        call.send().await.map(|_| ()).map_err(Refusal::from)
    }

    /// Returns what a loop that is not done with was to be started with.
    ///
    /// # Errors
    ///
    /// [`AskError::Store`].
    pub async fn input(&self, name: &str) -> Result<Option<String>, AskError> {
        let question = self.bucket.read(&keys::asked(name), MAX_QUESTION_BYTES).await;
        let question = question.map_err(|error| AskError::Store(error.into()))?;
        let text = question
            .map(|question| String::from_utf8(question.bytes))
            .transpose();
        text.map_err(|error| AskError::Store(error.utf8_error().into()))
    }

    /// Stops a human loop; one that has ended, or is not known, is left as it is.
    ///
    /// # Errors
    ///
    /// [`AskError::NotNow`] when the review service does not do it.
    pub async fn stop(&self, name: &str) -> Result<(), AskError> {
        let outcome = self.a2i.stop_human_loop().human_loop_name(name).send().await;
        let Err(error) = outcome else {
            info!(human_loop.name = name, "stopped");
            return Ok(());
        };
        let source = Refusal::from(error);
        match source.code.as_deref() {
            Some("ResourceNotFoundException" | "ValidationException") => Ok(()),
            _ => Err(AskError::NotNow {
                name: name.to_owned(),
                source,
            }),
        }
    }

    /// Removes the input of a loop that is done with.
    ///
    /// # Errors
    ///
    /// [`AskError::Store`].
    pub async fn forget(&self, name: &str) -> Result<(), AskError> {
        let forgotten = self.bucket.delete(&keys::asked(name)).await;
        forgotten.map_err(|error| AskError::Store(error.into()))
    }

    /// Returns the loops that are not done with, in the order of their names.
    ///
    /// # Errors
    ///
    /// [`AskError::Store`].
    pub async fn open(&self) -> Result<Vec<OpenLoop>, AskError> {
        let listed = self.bucket.list(keys::ASKED_FOLDER).await;
        let listed = listed.map_err(|error| AskError::Store(error.into()))?;
        Ok(listed.into_iter().filter_map(OpenLoop::of).collect())
    }
}

/// Returns how many questions wait outside of the queue since the built-in review service had no room for their loops; none
/// while there is room. What was answered and is being collected counts too.
///
/// A request for each thousand open loops.
///
/// # Errors
///
/// [`BucketError`].
pub async fn without_room(feedback: &Bucket, review: &Bucket) -> Result<usize, BucketError> {
    // In this order: what is asked meanwhile does not count.
    let asked = feedback.list(keys::ASKED_FOLDER).await?;
    let marks = review.list(keys::QUEUE_FOLDER).await?;
    let queued: HashSet<&str> = marks
        .iter()
        .filter_map(|mark| keys::queued_loop(&mark.key))
        .collect();
    let asked = asked.iter().filter_map(|asked| keys::loop_of_asked(&asked.key));
    Ok(outside(asked, &queued))
}

/// Counts the loops that are not among those of a full queue.
fn outside<'a>(asked: impl Iterator<Item = &'a str>, queued: &HashSet<&str>) -> usize {
    match queued.len() {
        // What is asked and not queued is answered, or about to be queued.
        ..NEARLY_FULL => 0,
        NEARLY_FULL.. => asked.filter(|name| !queued.contains(name)).count(),
    }
}

fn is_quota(refusal: &Refusal) -> bool {
    refusal.code.as_deref() == Some("ServiceQuotaExceededException")
}

impl OpenLoop {
    fn of(object: Listed) -> Option<Self> {
        Some(Self {
            name: keys::loop_of_asked(&object.key)?.to_owned(),
            asked_at: object.modified,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_for_room_while_there_is_some_though_answers_are_being_collected() {
        let names: Vec<String> = (0..NEARLY_FULL).map(|number| format!("loop-{number}")).collect();
        let full: HashSet<&str> = names.iter().map(String::as_str).collect();
        let with_room: HashSet<&str> = names[1..].iter().map(String::as_str).collect();
        let asked = || ["loop-1", "loop-2", "other"].into_iter();

        assert_eq!((outside(asked(), &with_room), outside(asked(), &full)), (0, 1));
    }
}
