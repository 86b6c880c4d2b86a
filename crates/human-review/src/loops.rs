//! Human loops in S3, safe under any number of concurrent functions.
//!
//! The order of writes makes a crash harmless. A start writes input and marks before the state, so a loop
//! that exists is always in the queue; a mark without its loop is passed over, and swept when old. An
//! answer is in the state, or written before the state names it. The last one that a loop needs completes it in the same
//! write; then comes the output, and last the mark goes, some of them together. A loop that ends otherwise ends in the same
//! order, so that of two who end it at once one decides with what answers. So a mark of a loop that has ended says that
//! its output may be missing: who finds one writes it, and so does who asks for the loop or sends the answer
//! again. Whoever reads a loop next carries out what is due.
//!
//! An output that cannot be written now holds up its own loop alone: it is logged, and the mark stays.

mod answering;
mod ending;
mod erasing;
mod in_flight;
mod known;
mod leases;
mod leaving_marks;
mod listing;
mod operating;
mod outputs;
mod overdue;
mod passed;
mod queue;
mod queue_head;
mod starting;

pub use answering::{Given, Taken};
pub use erasing::erase;
pub use listing::{Listing, Page};
pub use queue::{Next, Queue, Waiting, Wish};

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use active_learning_aws::backoff::Tries;
use active_learning_aws::bucket::{Bucket, BucketError, Replaced};
use chrono::{DateTime, Duration, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use self::ending::is_late;
use self::in_flight::LastCount;
use self::known::Known;
use self::leaving_marks::LeavingMarks;
use self::outputs::Outputs;
use self::passed::Passed;
use self::queue_head::QueueHead;
use crate::human_loop::{FlowRules, HumanLoop, Refusal, Status};
use crate::marks::Mark;
use crate::output::sorted;
use crate::recent::Recent;
use crate::records::Records;
use crate::status_events::StatusEvents;

/// Loops that may be in flight in one flow definition. Source: A2I quotas.
pub const MAX_LOOPS_IN_FLIGHT: usize = 5_000;
/// A labelling job starts no loop while so many are in flight: the other half is left to flow definitions.
pub const MAX_LOOPS_FOR_JOBS: usize = MAX_LOOPS_IN_FLIGHT / 2;
/// A mark without its loop may belong to a start that is under way; older than this it is swept.
const STALE_MARK_AGE: Duration = Duration::hours(1);
/// Objects read at a time.
const CONCURRENT_READS: usize = 16;
/// States of loops that reviewers hold which are kept: two or three for each of them. Each has up to 8 kB of input.
const KEPT_TAKEN: usize = 96;

/// Why an operation on a loop was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// Another loop has the name.
    #[error("a human loop with this name and another input exists")]
    Conflict,
    /// [`MAX_LOOPS_IN_FLIGHT`] loops are in flight.
    #[error("too many human loops are in flight")]
    QuotaExceeded,
    /// No such loop.
    #[error("the human loop does not exist")]
    NotFound,
    /// The loop's state does not allow the operation.
    #[error("the human loop is {}", .0.as_str())]
    WrongStatus(Status),
    /// The reviewer may not do this now.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The output of another flow definition than the stack's own cannot be written.
    #[error("the output cannot be written to {uri}: {reason}")]
    Output {
        /// Where it should be.
        uri: String,
        /// Why it cannot.
        reason: String,
    },
    /// The same, at this moment only: its mark stays in the queue, and it is tried again.
    #[error("the output cannot be written to {uri} now: {reason}")]
    OutputLater {
        /// Where it should be.
        uri: String,
        /// Why it cannot.
        reason: String,
    },
    /// Too many others change the same loop at this moment.
    #[error("the human loop is being changed by too many callers")]
    Contention,
    /// S3 failed.
    #[error(transparent)]
    Storage(#[from] BucketError),
}

/// A loop as it was read, and the ETag of what was read.
pub type Version = (HumanLoop, String);

/// The human loops: those of the stack's own flow definition and of those that the API made.
#[derive(Debug, Clone)]
pub struct Loops {
    records: Records,
    outputs: Outputs,
    flow_definition_arn: String,
    rules: FlowRules,
    status_events: Option<StatusEvents>,
    last_count: LastCount,
    /// Inputs by id: what was shown is soon answered.
    shown: Recent<Value>,
    /// States by name: what was taken, too.
    taken: Recent<Version>,
    /// States of those that nobody holds.
    known: Known,
    head: QueueHead,
    passed: Passed,
    leaving: LeavingMarks,
    /// Ids of loops that have a mark of their own for what is due of them, as they were listed last.
    with_due_mark: Arc<Mutex<BTreeSet<String>>>,
    /// Loops of the stack's own flow definition that were started until then were looked at for their end.
    looked_until: Arc<Mutex<Option<DateTime<Utc>>>>,
}

impl Loops {
    /// Returns the loops that live in a bucket.
    pub fn new(bucket: Bucket, flow_definition_arn: String, rules: FlowRules) -> Self {
        Self {
            outputs: Outputs::new(bucket.clone()),
            records: Records::new(bucket),
            flow_definition_arn,
            rules,
            last_count: LastCount::default(),
            shown: Recent::default(),
            taken: Recent::of(KEPT_TAKEN),
            known: Known::default(),
            head: QueueHead::default(),
            passed: Passed::default(),
            leaving: LeavingMarks::default(),
            with_due_mark: Arc::default(),
            looked_until: Arc::default(),
            status_events: None,
        }
    }

    /// Returns a loop, with what was due carried out.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`].
    pub async fn find(&self, name: &str, now: DateTime<Utc>) -> Result<HumanLoop, LoopError> {
        let (human_loop, _) = self.find_version(name, now).await?;
        Ok(human_loop)
    }

    /// Deletes a loop and all that it holds but its output.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`]; [`LoopError::WrongStatus`] while it is in flight; [`LoopError::OutputLater`].
    pub async fn delete(&self, name: &str, now: DateTime<Utc>) -> Result<(), LoopError> {
        let human_loop = self.find(name, now).await?;
        if human_loop.status.is_in_flight() {
            return Err(LoopError::WrongStatus(human_loop.status));
        }
        self.deliver_again(&human_loop, now).await?;
        // A loop in a final state changes no more, so its parts can go first: a crash leaves it deletable.
        self.records.remove_answers(&human_loop.id).await?;
        self.records.forget_remarks(&human_loop.id).await?;
        self.shown.forget(&human_loop.id);
        let deleted = self
            .change(name, now, |current| {
                if current.id != human_loop.id {
                    return Err(LoopError::NotFound);
                }
                current.status = Status::Deleted;
                current.answers.clear();
                current.input = None;
                Ok(())
            })
            .await?;
        Ok(self.records.remove_input_and_marks(&Mark::of(&deleted)).await?)
    }

    /// Returns the input content of a loop as this process saw it last: to check an answer by, not to be shown.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`] when it was deleted meanwhile.
    pub async fn input_shown(&self, human_loop: &HumanLoop) -> Result<Value, LoopError> {
        match self.shown.get(&human_loop.id) {
            Some(input) if human_loop.input.is_none() => Ok(input),
            _ => self.input_now(human_loop).await,
        }
    }

    /// Returns the input content of a loop as it is now, or as it was when this state was read, which holds it: texts may have
    /// been erased from it since it was shown.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`] when it was deleted meanwhile.
    pub async fn input_now(&self, human_loop: &HumanLoop) -> Result<Value, LoopError> {
        if let Some(input) = &human_loop.input {
            return Ok(input.clone());
        }
        let input = self.records.input(&human_loop.id).await?;
        let input = input.ok_or(LoopError::NotFound)?;
        self.shown.keep(&human_loop.id, input.clone());
        Ok(input)
    }

    /// Returns the input content of a loop as its output has it: with the numbers that were sent, which a document may not keep.
    pub(crate) async fn input_written(
        &self,
        human_loop: &HumanLoop,
        input: Value,
    ) -> Result<String, LoopError> {
        let as_sent = match &human_loop.input {
            Some(_) => None,
            None => self.records.input_as_sent(&human_loop.id).await?,
        };
        Ok(as_sent.unwrap_or_else(|| sorted(input)))
    }

    /// Returns a loop that is not deleted, with what was due carried out, and its ETag.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`].
    pub async fn find_version(&self, name: &str, now: DateTime<Utc>) -> Result<Version, LoopError> {
        let mut tries = Tries::default();
        while tries.again().await {
            let (human_loop, etag) = self.version(name).await?;
            if human_loop.due(now).is_none() {
                return Ok((human_loop, etag));
            }
            self.carry_out(human_loop, &etag, now).await.map(drop)?;
        }
        Err(LoopError::Contention)
    }

    /// Carries out what is due of a loop, at first of a version that was just read or written.
    async fn settle(
        &self,
        name: &str,
        mut known: Option<Version>,
        now: DateTime<Utc>,
    ) -> Result<(), LoopError> {
        let mut tries = Tries::default();
        while tries.again().await {
            let (human_loop, etag) = match known.take() {
                Some(known) => known,
                None => self.version(name).await?,
            };
            if self.carry_out(human_loop, &etag, now).await?.is_written() {
                return Ok(());
            }
        }
        Err(LoopError::Contention)
    }

    async fn version(&self, name: &str) -> Result<Version, LoopError> {
        let found = self.records.read_loop(name).await?;
        let found = found.filter(|(human_loop, _)| human_loop.status != Status::Deleted);
        let (mut human_loop, etag) = found.ok_or(LoopError::NotFound)?;
        self.wait_as_now(&mut human_loop);
        Ok((human_loop, etag))
    }

    /// Has a loop wait as long as the stack lets tasks wait now, whatever it was when this one was started.
    fn wait_as_now(&self, human_loop: &mut HumanLoop) {
        if human_loop.flow.is_none() {
            human_loop.expires_at = human_loop.created_at + self.rules.availability;
        }
    }

    /// Changes a loop's state, again from the start whenever somebody else was faster.
    async fn change(
        &self,
        name: &str,
        now: DateTime<Utc>,
        change: impl Fn(&mut HumanLoop) -> Result<(), LoopError>,
    ) -> Result<HumanLoop, LoopError> {
        let (human_loop, _) = self.change_from(None, name, now, change).await?;
        Ok(human_loop)
    }

    /// Changes a loop's state, at first from a version that was just read; returns the ETag too, where it is known.
    async fn change_from(
        &self,
        mut known: Option<Version>,
        name: &str,
        now: DateTime<Utc>,
        change: impl Fn(&mut HumanLoop) -> Result<(), LoopError>,
    ) -> Result<(HumanLoop, Option<String>), LoopError> {
        let mut tries = Tries::default();
        while tries.again().await {
            let (before, etag) = match known.take() {
                Some(known) => known,
                None => self.find_version(name, now).await?,
            };
            let mut after = before.clone();
            change(&mut after)?;
            if after == before {
                return Ok((after, Some(etag)));
            }
            if let Replaced::Written { etag } = self.records.replace_loop(&after, &etag).await? {
                self.remember(after.clone(), etag.clone());
                return Ok((after, etag));
            }
            self.remember(before, None);
        }
        Err(LoopError::Contention)
    }

    /// Returns the loop of each mark, or none where the mark has no loop, or one whose state cannot be read.
    async fn loops_of(
        &self,
        marks: &[Mark],
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<HumanLoop>>, LoopError> {
        let versions = self.versions_of(marks, now).await?;
        let loop_of = |version: Option<Version>| version.map(|(human_loop, _)| human_loop);
        Ok(versions.into_iter().map(loop_of).collect())
    }

    async fn versions_of(
        &self,
        marks: &[Mark],
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<Version>>, LoopError> {
        let reads: Vec<_> = marks.iter().map(|mark| self.version_of(mark, now)).collect();
        stream::iter(reads).buffered(CONCURRENT_READS).try_collect().await
    }

    async fn version_of(&self, mark: &Mark, now: DateTime<Utc>) -> Result<Option<Version>, LoopError> {
        match self.find_version(&mark.name, now).await {
            Ok((human_loop, etag)) if human_loop.id == mark.id => {
                if mark.rank.is_some()
                    && !human_loop.status.is_in_flight()
                    && let Err(error) = self.tidy_up(&human_loop, now).await
                {
                    is_late(&human_loop, &error);
                }
                match human_loop.leases.is_empty() {
                    true => self.remember(human_loop.clone(), Some(etag.clone())),
                    false => self.known.forget(&human_loop),
                }
                Ok(Some((human_loop, etag)))
            }
            Ok(_) | Err(LoopError::NotFound) => {
                if now - mark.created_at > STALE_MARK_AGE {
                    // A start that did not finish, or a deletion that did not.
                    self.records.remove_input_and_marks(mark).await?;
                }
                Ok(None)
            }
            // It costs nobody else their task.
            Err(LoopError::Storage(reason)) if reason.is_damaged() => {
                self.head.leave_out(&mark.id);
                self.records.pass_over(&mark.name, &reason).await;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
