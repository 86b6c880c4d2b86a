//! One run of a job: what is due of it, as long as there is time.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration as Time, Instant};

use active_learning_aws::bucket::BucketError;
use chrono::{DateTime, Utc};
use lambda_runtime::tracing::{info, warn};

use super::Jobs;
use super::access::{Access, AccessError};
use super::functions::UnknownAnswers;
use super::leasing::Clock;
use super::opening::{Opened, is_over};
use super::record::{Job, JobStatus, ObjectState, PART_OBJECTS, Part, PartSummary};
use super::room::Room;
use crate::loops::LoopError;

/// How long a run takes up new work; what it has begun it ends.
const BUDGET: Time = Time::from_secs(15);
/// Tasks of a job with so few of them in flight that are looked at in each run.
const LOOKED_AT: usize = 16;
/// Runs that follow at once, since tasks ended meanwhile.
const FOLLOWING: usize = 3;

/// What came of a run.
#[derive(Debug)]
pub enum Driven {
    /// Nothing more is due now.
    Done,
    /// Another run has the job.
    Busy,
    /// There was no time for all that is due.
    GoesOn(Box<Job>),
}

/// What a run leaves to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing, as far as it has seen.
    Nothing,
    /// There was no time for it.
    GoesOn,
    /// Something outside has failed: the schedule tries it again.
    Waits,
}

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriveError {
    /// The job has failed: the reason is shown.
    #[error("{0}")]
    Job(String),
    /// Something outside does not answer now.
    #[error("{0}")]
    Outside(String),
    /// Somebody else drives the job.
    #[error("another run has the job")]
    Lost,
    /// A human loop could not be read or written.
    #[error(transparent)]
    Loop(#[from] LoopError),
    /// The review bucket failed.
    #[error(transparent)]
    Storage(#[from] BucketError),
}

impl From<AccessError> for DriveError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Definite(reason) => Self::Job(reason),
            AccessError::Passing(reason) | AccessError::Throttled(reason) => Self::Outside(reason),
        }
    }
}

/// A run of a job that has the lease.
pub(super) struct Drive<'a> {
    pub jobs: Jobs<'a>,
    pub job: Job,
    pub access: Access,
    /// Objects whose tasks are in flight.
    pub in_flight: HashSet<usize>,
    pub now: DateTime<Utc>,
    /// Why a call for an object has failed that is made again: that of the first one.
    failed: Mutex<Option<String>>,
    /// What the consolidation function has answered in this run that is not used.
    pub(super) unknown: Mutex<UnknownAnswers>,
    until: Instant,
}

impl Jobs<'_> {
    /// Does what is due of a job.
    ///
    /// # Errors
    ///
    /// [`BucketError`] where the review bucket fails; what is due stays so.
    pub async fn drive(&self, name: &str, clock: Clock) -> Result<Driven, BucketError> {
        let until = Instant::now() + BUDGET;
        for following in 1..=FOLLOWING {
            let Some((job, lease)) = self.claim(name, clock.now()).await? else {
                return Ok(Driven::Busy);
            };
            let (status, begins) = (job.status, job.parts.is_empty());
            if status.is_final() {
                self.clean(&job, clock.now()).await?;
                return Ok(Driven::Done);
            }
            let (job, left) = Box::pin(self.run(job, until, clock.began())).await?;
            let Some(job) = self.give_back(job, &lease, clock.began()).await? else {
                return Ok(Driven::Busy);
            };
            if job.status != status {
                info!(
                    job = name,
                    status = job.status.as_str(),
                    "the status of a labelling job has changed"
                );
                self.tell_status(&job).await;
            }
            if job.status.is_final() {
                self.clean(&job, clock.now()).await?;
                return Ok(Driven::Done);
            }
            match left {
                Left::Waits => return Ok(Driven::Done),
                Left::Nothing if begins && !job.parts.is_empty() => {}
                Left::GoesOn => return Ok(Driven::GoesOn(Box::new(job))),
                // Tasks that ended during this run have found the job taken.
                Left::Nothing if !job.is_due_again => return Ok(Driven::Done),
                Left::Nothing if following == FOLLOWING || Instant::now() > until => {
                    return Ok(Driven::GoesOn(Box::new(job)));
                }
                Left::Nothing => {}
            }
        }
        Ok(Driven::Done)
    }

    /// Runs a job that is not final; returns it as it is then, and what is left to be done.
    async fn run(
        &self,
        mut job: Job,
        until: Instant,
        now: DateTime<Utc>,
    ) -> Result<(Job, Left), BucketError> {
        let access = match Access::of(self.bucket, self.sdk, &job.settings.role_arn).await {
            Ok(access) => access,
            Err(AccessError::Definite(reason)) => {
                let left = self.fail(&mut job, &reason, None, now).await?;
                return Ok((job, left));
            }
            Err(AccessError::Passing(reason) | AccessError::Throttled(reason)) => {
                warn!(job = job.name, reason, "a labelling job waits");
                job.waits_for = Some(reason);
                return Ok((job, Left::Waits));
            }
        };
        let in_flight = HashSet::new();
        let mut drive = Drive {
            jobs: *self,
            job,
            access,
            in_flight,
            now,
            failed: Mutex::default(),
            unknown: Mutex::default(),
            until,
        };
        let outcome = drive.advance().await;
        let failed = drive.failed.get_mut().unwrap_or_else(PoisonError::into_inner);
        let failed = failed.take();
        let unknown = drive.unknown.get_mut().unwrap_or_else(PoisonError::into_inner);
        drive.job.unknown_answers.add(std::mem::take(unknown));
        match outcome {
            Ok(_) if failed.is_some() => drive.job.waits_for = failed,
            Ok(goes_on) => {
                // What has failed before may not have been due again.
                if !drive.job.has_paused() {
                    drive.job.waits_for = None;
                }
                let left = if goes_on { Left::GoesOn } else { Left::Nothing };
                return Ok((drive.job, left));
            }
            Err(DriveError::Job(reason)) => {
                let mut job = drive.job.clone();
                let left = self.fail(&mut job, &reason, Some(&drive), now).await?;
                return Ok((job, left));
            }
            Err(DriveError::Storage(error)) => return Err(error),
            Err(error) => {
                let reason = error.to_string();
                warn!(job = drive.job.name, reason, "a labelling job waits");
                drive.job.waits_for = Some(reason);
            }
        }
        Ok((drive.job, Left::Waits))
    }

    /// Returns the objects of a job whose tasks are in flight.
    pub(super) async fn in_flight(&self, job: &Job) -> Result<HashSet<usize>, LoopError> {
        let names = self.loops.waiting_names().await?;
        Ok(names.iter().filter_map(|name| job.object_of(name)).collect())
    }
}

impl Drive<'_> {
    /// Returns whether no new work is taken up.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() > self.until
    }

    /// Notes that a call for an object has failed, which is made again.
    pub(super) fn note_failure(&self, reason: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = reason.strip_suffix('.').unwrap_or(reason);
        failed.get_or_insert_with(|| reason.to_owned());
    }

    /// Returns whether nothing more is asked.
    pub(super) fn is_stopping(&self) -> bool {
        self.job.status == JobStatus::Stopping
    }

    /// Returns the number of the first object of a part.
    pub(super) fn first_object(&self, part: usize) -> usize {
        part * PART_OBJECTS
    }

    /// Does what is due; returns whether there was no time for all of it.
    async fn advance(&mut self) -> Result<bool, DriveError> {
        if self.job.parts.is_empty() {
            if self.begin().await? {
                return Ok(true);
            }
            if self.job.status == JobStatus::Initializing {
                self.job.status = JobStatus::InProgress;
            }
            // Stored before anything is asked: answers are read by what the job says.
            return Ok(false);
        }
        self.in_flight = self.jobs.in_flight(&self.job).await?;
        self.take_off_what_ended().await?;
        let in_flight = by_part(&self.in_flight);
        // What a model labelled counts, too: then nothing is asked, and no part would be looked at.
        self.stop_when_enough();
        let (mut goes_on, mut is_full) = (false, false);
        for number in 0..self.job.parts.len() {
            let part = self.job.parts[number];
            let room = if is_full { Room::default() } else { self.room() };
            let wants = part.counts.waiting > 0 && (self.is_stopping() || !room.is_none());
            let is_stopped = self.is_stopping() && !part.counts.is_done();
            if !wants && !is_stopped && !is_part_due(number, &part, &in_flight, self.now) {
                continue;
            }
            if self.is_over() {
                goes_on = true;
                break;
            }
            let opened = self.advance_part(number, room).await?;
            is_full |= opened.is_full;
            goes_on |= opened.goes_on | self.stop_when_enough();
        }

        if self.is_between_rounds() && !self.is_stopping() {
            self.automate().await?;
            self.stop_when_enough();
            goes_on = true;
        }
        if self.job.counts().is_done() {
            self.finish().await?;
            return Ok(false);
        }
        // What is held by reviewers ends when they are done.
        Ok(goes_on)
    }

    /// Looks at the last tasks of a job whether they have ended, and takes those off the queue: whoever ended one may not have
    /// come so far, and nobody opens the portal for it any more.
    async fn take_off_what_ended(&mut self) -> Result<(), LoopError> {
        if self.in_flight.len() > LOOKED_AT {
            return Ok(());
        }
        for object in self.in_flight.clone() {
            let name = self.job.loop_name(object);
            if self.jobs.loops.leave_queue_if_ended(&name, self.now).await? {
                self.in_flight.remove(&object);
            }
        }
        Ok(())
    }

    /// Returns whether a round of automated labelling has ended, and the next one is not open yet.
    fn is_between_rounds(&self) -> bool {
        let counts = self.job.counts();
        let has_begun = (self.job.automation).is_some_and(|automation| automation.turn.is_some());
        has_begun || (counts.withheld > 0 && counts.waiting + counts.asked == 0)
    }

    /// Stops a job of which a stopping condition holds, unless all is done; returns whether it did. Parts before are seen to
    /// by the next run.
    fn stop_when_enough(&mut self) -> bool {
        let has_enough = self.job.has_enough() && !self.job.counts().is_done();
        let stops = self.job.status == JobStatus::InProgress && has_enough;
        if stops {
            self.job.status = JobStatus::Stopping;
        }
        stops
    }

    /// Returns how many more objects may be asked about: no more than a stopping condition still allows.
    fn room(&self) -> Room {
        let settings = &self.job.settings;
        let counts = self.job.counts();
        let by_people = settings
            .max_human_labelled
            .map(|most| most.saturating_sub(counts.human));
        let by_share = settings.max_percentage.map(|share| {
            let most = (share * counts.total()).div_ceil(100);
            most.saturating_sub(counts.labelled() + counts.asked + counts.same_asked)
        });
        let most = by_people.map_or(settings.max_concurrent, |most| most.min(settings.max_concurrent));
        Room {
            tasks: most.saturating_sub(counts.asked),
            labels: by_share.unwrap_or(usize::MAX),
        }
    }

    async fn advance_part(&mut self, number: usize, room: Room) -> Result<Opened, DriveError> {
        let (mut part, etag) = self.part(number).await?;
        let lines = self.lines(number).await?;
        let before = part.clone();

        self.collect(number, &lines, &mut part.objects).await?;
        let mut opened = Ok(Opened::default());
        if self.is_stopping() {
            pass_waiting(&mut part);
        } else {
            opened = self.open(number, &lines, &mut part, room).await;
        }

        // Also where no more can be asked: what was collected is a label.
        self.job.parts[number] = match part == before {
            true => part.summary(),
            false => self.replace_part(number, &etag, &part).await?,
        };
        opened
    }
}

fn pass_waiting(part: &mut Part) {
    for state in &mut part.objects {
        if matches!(state, ObjectState::Waiting { .. } | ObjectState::Withheld) {
            *state = ObjectState::Passed;
        }
    }
}

fn by_part(objects: &HashSet<usize>) -> BTreeMap<usize, usize> {
    let mut parts = BTreeMap::new();
    for object in objects {
        *parts.entry(object / PART_OBJECTS).or_default() += 1;
    }
    parts
}

/// Returns whether a task of a part has ended.
fn is_part_due(
    number: usize,
    part: &PartSummary,
    in_flight: &BTreeMap<usize, usize>,
    now: DateTime<Utc>,
) -> bool {
    let open = in_flight.get(&number).copied().unwrap_or_default();
    let is_past = |time: Option<DateTime<Utc>>| time.is_some_and(|time| is_over(time, now));
    part.counts.asked.saturating_sub(part.paused) > open
        || is_past(part.expires_at)
        || is_past(part.resumes_at)
}
