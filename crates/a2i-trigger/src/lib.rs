//! Lambda: delivered feedback into human loops.
//!
//! Each record that a person should look at is claimed for the delivered object; what somebody else
//! has claimed is being asked already. The object's own claims become human loops whose names and
//! input depend on nothing but the object's content, so that the same event again starts nothing new.

mod reader;

use std::{collections::HashSet, future::ready, num::NonZeroUsize, sync::Arc, time::Duration};

use active_learning_aws::{
    self as aws,
    claims::{ClaimError, Claims},
    clients,
    env::{ConfigError, Env},
    human_loops::{AskError, HumanLoops},
    metrics, objects,
    rejected::{self, RejectedLines, RejectedObject},
    s3_event::{self, InvalidEvent, S3Object},
};
use active_learning_core::{
    batch::ReadError, delivery::Line, feedback::FeedbackRecord, human_loop::human_loops,
};
use aws_config::SdkConfig;
use aws_sdk_s3::error::BoxError;
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::{
    Diagnostic, LambdaEvent, service_fn,
    tracing::{info, warn},
};
use serde_json::Value;
use tokio::sync::mpsc;

/// Claims that are under way to S3 at a time.
const CLAIMS_IN_FLIGHT: usize = 16;

/// Human loops that are started at a time; A2I does not publish its request rates.
const LOOPS_IN_FLIGHT: usize = 4;

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// What an operator decides.
#[derive(Clone, Debug)]
pub struct Config {
    workflow_arn: String,
    human_review_url: Option<String>,
    feedback_bucket: String,
    items_per_task: NonZeroUsize,
    classes: Vec<String>,
    claim_retention: Duration,
}

impl Config {
    /// Reads the configuration from the function's environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let retention_days: u32 = env.required("CLAIM_RETENTION_DAYS")?;
        Ok(Self {
            workflow_arn: env.required("HUMAN_REVIEW_WORKFLOW_ARN")?,
            human_review_url: env.optional("HUMAN_REVIEW_URL")?,
            feedback_bucket: env.required("FEEDBACK_BUCKET_NAME")?,
            items_per_task: env.required("ITEMS_PER_TASK")?,
            classes: env.list("CLASSES")?,
            claim_retention: Duration::from_secs(u64::from(retention_days) * SECONDS_A_DAY),
        })
    }
}

/// Why an event could not be worked off; Lambda gives it again, and in the end to the failure destination.
#[derive(Debug, thiserror::Error)]
pub enum A2iTriggerError {
    /// The payload is not what S3 sends.
    #[error(transparent)]
    InvalidEvent(#[from] InvalidEvent),
    /// The delivered object could not be fetched to its end.
    #[error("the delivered object could not be read")]
    Read(#[source] BoxError),
    /// A record could not be claimed.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Lines that cannot be used could not be set aside.
    #[error("rejected lines could not be written")]
    Rejected(#[source] BoxError),
    /// People could not be asked; the event is left for redelivery.
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl From<A2iTriggerError> for Diagnostic {
    fn from(error: A2iTriggerError) -> Self {
        let error_type = match &error {
            A2iTriggerError::InvalidEvent(_) => "InvalidEvent",
            A2iTriggerError::Read(_) => "Read",
            A2iTriggerError::Claim(_) => "Claim",
            A2iTriggerError::Rejected(_) => "Rejected",
            A2iTriggerError::Ask(error) => error.error_type(),
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// What was found in a delivered object.
#[derive(Debug, Default)]
struct Counts {
    records: u64,
    likes: u64,
    duplicates: u64,
    /// Questions that another object has claimed.
    asked_before: u64,
    human_loops: u64,
}

/// The function.
#[derive(Debug)]
pub struct A2iTrigger {
    s3: aws_sdk_s3::Client,
    claims: Claims,
    human_loops: HumanLoops,
    config: Config,
}

impl A2iTrigger {
    /// Makes the function with clients of its own.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::Client::new(sdk);
        Self {
            claims: Claims::new(s3.clone(), config.feedback_bucket.clone(), config.claim_retention),
            human_loops: HumanLoops::new(
                s3.clone(),
                config.feedback_bucket.clone(),
                clients::a2i(sdk, config.human_review_url.as_deref()),
                config.workflow_arn.clone(),
            ),
            s3,
            config,
        }
    }

    /// Works off all objects that an S3 event names; one that fails does not hold back the others.
    ///
    /// Idempotent: the same object again starts no further human loop, also after a run that broke off.
    ///
    /// # Errors
    ///
    /// [`A2iTriggerError`], that of the first object that failed.
    pub async fn handle(&self, payload: Value) -> Result<(), A2iTriggerError> {
        s3_event::for_each(payload, async |object| self.work_off(&object).await).await
    }

    async fn work_off(&self, object: &S3Object) -> Result<(), A2iTriggerError> {
        // Without its ETag: whatever lies there is what was delivered.
        let body = objects::open(&self.s3, &object.bucket, &object.key, "").await;
        let Some(body) = body.map_err(A2iTriggerError::Read)? else {
            warn!(object.bucket, object.key, "the delivered object is gone");
            return Ok(());
        };
        let (sender, mut receiver) = mpsc::channel(1);
        let reading = reader::start(body, sender);
        let mut sorter = Sorter::default();
        while let Some(lines) = receiver.recv().await {
            for rejected in sorter.sort(lines) {
                self.set_aside(object, rejected).await?;
            }
            self.ask(object, &mut sorter).await?;
        }
        reader::finished(reading)
            .await
            .map_err(|error: ReadError| A2iTriggerError::Read(error.into()))?;
        if let Some(rejected) = sorter.rejected.finish() {
            self.set_aside(object, rejected).await?;
        }
        report(object, &sorter);
        Ok(())
    }

    /// Claims the records at hand and starts human loops for those that are this object's.
    async fn ask(&self, object: &S3Object, sorter: &mut Sorter) -> Result<(), A2iTriggerError> {
        let records = std::mem::take(&mut sorter.records);
        let wanted = records.len();
        let mine = self.claim(object, records).await?;
        let loops = human_loops(
            &mine,
            self.config.items_per_task.get(),
            &self.config.classes,
            &object.bucket,
            &object.key,
        );
        sorter.counts.asked_before += (wanted - mine.len()) as u64;
        sorter.counts.human_loops += loops.len() as u64;
        stream::iter(&loops)
            .map(|human_loop| self.human_loops.ask(&human_loop.name, &human_loop.input_content))
            .buffer_unordered(LOOPS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await?;
        Ok(())
    }

    /// Returns the records that are this object's to ask, in their order.
    async fn claim(
        &self,
        object: &S3Object,
        records: Vec<FeedbackRecord>,
    ) -> Result<Vec<FeedbackRecord>, ClaimError> {
        let owner = &format!("{}/{}", object.bucket, object.key);
        stream::iter(records)
            .map(|record| async move {
                let mine = self.claims.claim(&record.id, owner).await?;
                Ok(mine.then_some(record))
            })
            .buffered(CLAIMS_IN_FLIGHT)
            .try_filter_map(|record| ready(Ok(record)))
            .try_collect()
            .await
    }

    async fn set_aside(&self, object: &S3Object, lines: RejectedObject) -> Result<(), A2iTriggerError> {
        let name = objects::result_name(&object.bucket, &object.key, &object.etag);
        let bucket = &self.config.feedback_bucket;
        rejected::put(&self.s3, bucket, "a2i-trigger", &name, lines)
            .await
            .map_err(A2iTriggerError::Rejected)
    }
}

/// Sorts the lines of one object into what is to be asked, what is counted only, and what is bad.
#[derive(Default)]
struct Sorter {
    /// Questions that wait to be asked.
    records: Vec<FeedbackRecord>,
    /// Questions of this object so far, by id.
    seen: HashSet<u128>,
    rejected: RejectedLines,
    counts: Counts,
}

impl Sorter {
    /// Sorts some lines; returns objects of bad lines that are full.
    fn sort(&mut self, lines: Vec<Line>) -> Vec<RejectedObject> {
        let mut full = Vec::new();
        for line in lines {
            match line.content {
                Err(bad) => full.extend(self.rejected.push(line.number, &bad)),
                Ok(record) => self.take(record),
            }
        }
        full
    }

    fn take(&mut self, record: FeedbackRecord) {
        self.counts.records += 1;
        let id = u128::from_str_radix(&record.id, 16).expect("an id is 32 hex digits");
        if !record.signal.needs_review() {
            self.counts.likes += 1;
        } else if self.seen.insert(id) {
            self.records.push(record);
        } else {
            self.counts.duplicates += 1;
        }
    }
}

fn report(object: &S3Object, sorter: &Sorter) {
    let counts = &sorter.counts;
    info!(
        object.key,
        counts.records, counts.human_loops, counts.asked_before, "worked off"
    );
    metrics::count(
        "a2i-trigger",
        &[
            ("FeedbackRecords", counts.records),
            ("Likes", counts.likes),
            ("Duplicates", counts.duplicates),
            ("AskedBefore", counts.asked_before),
            ("RejectedLines", sorter.rejected.count),
            ("HumanLoops", counts.human_loops),
        ],
    );
}

/// Runs the function in its Lambda environment.
///
/// # Errors
///
/// A wrong configuration, or the Lambda runtime's own failure.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    aws::init_tracing();
    let config = Config::from_env(&Env::from_process())?;
    let a2i_trigger = Arc::new(A2iTrigger::new(config, &clients::sdk_config().await));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let a2i_trigger = a2i_trigger.clone();
        async move {
            // A diagnostic holds no causes, which the runtime would log in full.
            let result = a2i_trigger.handle(event.payload).await;
            result.map_err(Diagnostic::from)
        }
    }))
    .await
}
