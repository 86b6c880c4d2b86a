//! Labelling jobs: SageMaker Ground Truth's job for texts, without Ground Truth.
//!
//! A job reads an input manifest, asks reviewers in the portal about its objects, consolidates what they answer and
//! writes an augmented manifest. No process waits for it: each run of [`Jobs::drive`] does what is due, and is called
//! when a job is created or stopped, when one of its tasks ends, and by the schedule.
//!
//! | object in the review bucket, below `human-review/` | holds |
//! |---|---|
//! | `labelling-jobs/<job>.json` | the job, a summary of each part, and who drives it |
//! | `open-labelling-jobs/<job>` | empty mark of a job that is not final |
//! | `labelling-jobs-by-time/<time>-<job>` | empty mark of a job, which says when it was created, and how it has ended |
//! | `labelling-jobs-newest-first/<time>-<job>` | the same, with times that count down |
//! | `labelling-job-input/<job>/<part>.jsonl` | input lines, 100 a part |
//! | `labelling-job-objects/<job>/<part>.json` | what became of each |
//!
//! One run at a time drives a job, by a lease in its document; a part is written only over the version that was read.
//! Names of human loops come from job and object, so that a run that was cut off asks nothing twice.

mod access;
pub mod answers;
pub mod audit_results;
pub mod audits;
pub mod automation;
mod beginning;
pub mod categories;
pub mod census;
mod collecting;
pub mod consolidation;
mod drive;
pub mod exclusions;
mod finishing;
pub mod functions;
mod kept_lines;
mod last_answers;
mod leasing;
pub mod listed;
pub mod manifest;
pub mod objects;
mod opening;
mod parts;
mod preparing;
pub mod record;
mod room;
mod same_texts;
pub mod settings;

use std::sync::Arc;

use active_learning_aws::bucket::{Bucket, BucketError, Change, Created};
use active_learning_aws::erased::ErasedList;
use active_learning_aws::event_bus::{Event, EventBus};
use active_learning_aws::failure::chain;
use active_learning_aws::personal_data::Masking;
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use lambda_runtime::tracing::{error, warn};
use serde_json::{Value, json};

pub use access::{Access, AccessError, split_uri};
pub use drive::Driven;
pub use leasing::Clock;
use record::{Job, JobStatus, OPEN_FOLDER, Task, job_key, open_mark};

use crate::HumanReview;
use crate::damaged::Damaged;
use crate::loops::Loops;
use crate::recent::Recent;

/// The shipped template of text labelling.
pub const BUILT_IN_TEMPLATE: &str = include_str!("../templates/labelling_job.liquid.html");
/// Source of the events of jobs.
const SOURCE: &str = "active-learning.human-review";
/// That there is more to do of a job now; a rule of the stack brings it back to this function.
const GOES_ON: &str = "Labeling Job Goes On";
/// That the status of a job has changed. Source: EventBridge events of SageMaker.
const STATE_CHANGE: &str = "SageMaker Ground Truth Labeling Job State Change";
/// What separates scope and name in the ARN of a job.
pub const JOB_ARN_PART: &str = ":labeling-job/";

/// The labelling jobs.
#[derive(Debug, Clone, Copy)]
pub struct Jobs<'a> {
    /// The review bucket.
    pub bucket: &'a Bucket,
    /// The human loops.
    pub loops: &'a Loops,
    /// Assumes the roles of jobs.
    pub sdk: Option<&'a SdkConfig>,
    /// Is told how jobs fare.
    pub bus: Option<&'a EventBus>,
    /// Texts that are not asked about.
    pub erased: &'a ErasedList,
    /// Takes personal data out of texts, as they are read; none where they stay as they are.
    pub masking: Option<&'a Masking>,
    /// What answers are checked by, by the name of the job.
    pub choices: &'a Recent<Arc<Choices>>,
    /// Request id of the invocation, where it is one of an event, at which there may be several attempts.
    pub invocation: Option<&'a str>,
}

/// What the answers to a job's tasks are checked by: it never changes, once the first of them is asked.
#[derive(Debug)]
pub struct Choices {
    /// The labels, in the order that numbers them.
    pub labels: Vec<String>,
    /// Whether an object is offered some of them only: those that its own task names.
    pub are_by_object: bool,
    /// How many of them an object gets.
    pub task: Task,
    /// Whether a function of the job's own reads the answers.
    pub is_read_by_function: bool,
}

impl HumanReview {
    pub(crate) fn jobs(&self) -> Jobs<'_> {
        Jobs {
            bucket: &self.bucket,
            loops: &self.loops,
            sdk: self.sdk.as_ref(),
            bus: self.bus.as_ref(),
            choices: &self.job_choices,
            erased: &self.erased,
            masking: self.masking.as_ref(),
            invocation: None,
        }
    }
}

impl Jobs<'_> {
    /// Returns a job by its name.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn find(&self, name: &str) -> Result<Option<Job>, BucketError> {
        self.bucket.read_document(&job_key(name)).await
    }

    /// Returns the rights of a role, with which a job reads and writes outside.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub async fn access(&self, role: &str) -> Result<Access, AccessError> {
        Access::of(self.bucket, self.sdk, role).await
    }

    /// Returns a job of a list: one that cannot be read is passed over, and told.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn readable(&self, name: &str) -> Result<Option<Job>, BucketError> {
        let damaged = Damaged::new(self.bucket.clone());
        damaged.pass_over(&job_key(name), self.find(name).await).await
    }

    /// Returns what the answers to a job's tasks are checked by.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn choices(&self, name: &str) -> Result<Option<Arc<Choices>>, BucketError> {
        if let Some(choices) = self.choices.get(name) {
            return Ok(Some(choices));
        }
        let Some(job) = self.find(name).await? else {
            return Ok(None);
        };
        let choices = Arc::new(Choices {
            labels: job.categories.labels,
            are_by_object: job.settings.parent.is_some(),
            task: job.settings.task,
            is_read_by_function: job.settings.consolidation.is_some(),
        });
        self.choices.keep(name, choices.clone());
        Ok(Some(choices))
    }

    /// Writes a job whose name none has, and has it driven.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn create(&self, job: &Job) -> Result<Created, BucketError> {
        // The marks first: a mark without its job is passed over.
        let mark = open_mark(&job.name);
        self.bucket
            .put(&mark, active_learning_aws::bucket::BINARY, Vec::new())
            .await?;
        self.note_time(job).await?;
        let created = self.bucket.create_document(&job_key(&job.name), job).await?;
        match created {
            Created::Created => {
                self.tell_status(job).await;
                self.have_driven(job).await;
            }
            Created::Exists => self.forget_time(job).await?,
        }
        Ok(created)
    }

    /// Stops a job; returns the status that it had, or none where there is no such job.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn stop(&self, name: &str, now: DateTime<Utc>) -> Result<Option<JobStatus>, BucketError> {
        let stop = |job: Option<Job>| {
            let Some(mut job) = job else {
                return Change::Leave(None);
            };
            let before = job.status;
            match before {
                JobStatus::Initializing | JobStatus::InProgress => {
                    (job.status, job.modified_at) = (JobStatus::Stopping, now);
                    Change::Write(job.clone(), Some((before, job)))
                }
                _ => Change::Leave(Some((before, job))),
            }
        };
        let Some((before, job)) = self.bucket.change(&job_key(name), stop).await? else {
            return Ok(None);
        };
        if job.status != before {
            self.tell_status(&job).await;
        }
        // Also at the second stop: the run that the first one has asked for may have been cut off.
        if job.status == JobStatus::Stopping {
            self.have_driven(&job).await;
        }
        Ok(Some(before))
    }

    /// Drives every job that is not final; what fails is logged, and due the next time.
    ///
    /// # Errors
    ///
    /// [`BucketError`] where the jobs cannot be listed.
    pub async fn drive_all(&self, now: DateTime<Utc>) -> Result<usize, BucketError> {
        let clock = Clock::starting(now);
        let open = self.open_names().await?;
        for name in &open {
            self.drive_and_go_on(name, clock).await;
        }
        Ok(open.len())
    }

    /// Has every job that is not final driven by an invocation of its own; one that cannot be told of is driven here.
    ///
    /// # Errors
    ///
    /// [`BucketError`] where the jobs cannot be listed or read.
    pub async fn have_all_driven(&self, now: DateTime<Utc>) -> Result<(), BucketError> {
        self.have_driven_where(now, |_| true).await
    }

    /// Has every job driven of which a task's time is over, or a pause: for every minute. What it misses
    /// [`have_all_driven`](Self::have_all_driven) finds.
    ///
    /// # Errors
    ///
    /// [`BucketError`] where the jobs cannot be listed or read.
    pub async fn have_due_driven(&self, now: DateTime<Utc>) -> Result<(), BucketError> {
        self.have_driven_where(now, |job| job.has_due(now)).await
    }

    async fn have_driven_where(
        &self,
        now: DateTime<Utc>,
        is_due: impl Fn(&Job) -> bool,
    ) -> Result<(), BucketError> {
        let clock = Clock::starting(now);
        for name in self.open_names().await? {
            // A mark without its job is passed over.
            if let Some(job) = self.readable(&name).await?
                && is_due(&job)
                && !self.have_driven(&job).await
            {
                self.drive_and_go_on(&name, clock).await;
            }
        }
        Ok(())
    }

    /// Returns the names of the jobs that are not final, by their marks: a name may be of a job that is not there.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn open_names(&self) -> Result<Vec<String>, BucketError> {
        let marks = self.bucket.list(OPEN_FOLDER).await?;
        let names = marks.iter().filter_map(|mark| mark.key.strip_prefix(OPEN_FOLDER));
        Ok(names.map(str::to_owned).collect())
    }

    /// Drives a job, and has it driven again where there was no time for all that is due.
    pub async fn drive_and_go_on(&self, name: &str, clock: Clock) {
        match Box::pin(self.drive(name, clock)).await {
            Ok(Driven::GoesOn(job)) => {
                self.have_driven(&job).await;
            }
            Ok(Driven::Done | Driven::Busy) => {}
            Err(error) => error!(
                job = name,
                error = chain(&error),
                "a labelling job could not be driven"
            ),
        }
    }

    /// Has a job driven by an invocation of its own; returns whether it could be told.
    async fn have_driven(&self, job: &Job) -> bool {
        // The schedule drives it too, in some minutes.
        self.tell(job, GOES_ON, json!({ "flowDefinitionArn": job.arn }))
            .await
    }

    async fn tell_status(&self, job: &Job) {
        self.tell(
            job,
            STATE_CHANGE,
            json!({ "LabelingJobStatus": job.status.as_str() }),
        )
        .await;
    }

    /// Puts an event on the bus; returns whether it is there.
    async fn tell(&self, job: &Job, detail_type: &str, detail: Value) -> bool {
        let Some(bus) = self.bus else {
            return false;
        };
        let event = Event {
            source: SOURCE,
            detail_type,
            resources: vec![job.arn.clone()],
            detail: detail.to_string(),
        };
        if let Err(error) = bus.put(&event).await {
            warn!(
                job = job.name,
                error = chain(&error),
                detail_type,
                "an event of a labelling job is not told"
            );
            return false;
        }
        true
    }
}

/// Returns the job that an event of the bus is about: that there is more to do of it, or that one of its tasks has ended.
pub fn job_of_event(event: &Value) -> Option<&str> {
    let arn = event["detail"]["flowDefinitionArn"].as_str()?;
    arn.split_once(JOB_ARN_PART).map(|(_, name)| name)
}
