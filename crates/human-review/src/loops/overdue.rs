//! Ending the loops whose time is over though nobody looks at them.
//!
//! A loop of the stack's own flow definition is overdue once its mark in the queue is as old as the stack lets a task wait.
//! When the others are, and when a loop is to stop that somebody holds, marks of their own say.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use chrono::{DateTime, Duration, Utc};
use futures::stream::{self, StreamExt};

use super::ending::{DELIVERY, is_late};
use super::{CONCURRENT_READS, LoopError, Loops, STALE_MARK_AGE};
use crate::labelling_jobs::record::is_named_by_job;
use crate::marks::{DueMark, Mark, Order};

/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const LISTED_AT_ONCE: usize = 1_000;
/// How far back the look of each minute goes in a process that has made none: one of them may have failed.
const LATELY: Duration = Duration::minutes(2);
/// The look after it goes back a little further than to the one before: the name of a mark cuts its time off.
const OVERLAP: Duration = Duration::seconds(1);

impl Loops {
    /// Ends the loops whose time came lately, which is told: for every minute. Those are at the head of one listing, or stand
    /// in another where the stack's time to wait ends. What it misses [`end_overdue`](Self::end_overdue) finds.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`]: that of the first that could not be ended; the others are.
    pub async fn end_just_due(&self, now: DateTime<Utc>) -> Result<(), LoopError> {
        let by_due_marks = self.end_by_due_marks(now).await;
        by_due_marks.and(self.end_by_creation(now).await)
    }

    /// Those of the stack's own flow definition that were started as long ago as it lets them wait, since the look before.
    async fn end_by_creation(&self, now: DateTime<Utc>) -> Result<(), LoopError> {
        let oldest = now - self.rules.availability;
        let looked_at = *self.looked_until();
        let from = looked_at.map_or(oldest - LATELY, |until| until.max(oldest - LATELY));
        let mut after = Order::Ascending.first(Some(from), None);
        let mut result = Ok(());
        loop {
            let names = self
                .records
                .listing_marks(None, Order::Ascending, &after, LISTED_AT_ONCE)
                .await?;
            let listed = names.iter();
            let listed = listed.filter_map(|name| Mark::parse_listing(Order::Ascending, name));
            let (due, later): (Vec<Mark>, Vec<Mark>) = listed.partition(|mark| mark.created_at <= oldest);
            result = result.and(self.end_each(&due, now).await);
            match names.last() {
                Some(last) if names.len() == LISTED_AT_ONCE && later.is_empty() => after.clone_from(last),
                _ => break,
            }
        }
        if result.is_ok() {
            *self.looked_until() = Some(oldest - OVERLAP);
        }
        result
    }

    /// Ends the loops whose time is over, which is told. Whoever looks at one does the same.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`]: that of the first that could not be ended; the others are.
    pub async fn end_overdue(&self, now: DateTime<Utc>) -> Result<(), LoopError> {
        self.remove_leaving_if(true, now).await;
        let by_due_marks = self.end_by_due_marks(now).await;
        by_due_marks.and(self.end_by_queue(now).await)
    }

    /// Those of other flow definitions than the stack's own that a version before has started are ended by this alone. The
    /// others, however old they are, are found when they are due: by marks of their own, or by their labelling job.
    async fn end_by_queue(&self, now: DateTime<Utc>) -> Result<(), LoopError> {
        let oldest = now - self.rules.availability;
        let (mut seen, mut after) = (0, String::new());
        let mut result = Ok(());
        loop {
            let page = self.listed(&after, LISTED_AT_ONCE).await?;
            seen += page.marks.len();
            let mut overdue = page.marks;
            overdue.retain(|mark| mark.created_at <= oldest && !is_named_by_job(&mark.name));
            self.leave_out_with_due_marks(&mut overdue).await?;
            result = result.and(self.end_each(&overdue, now).await);
            match page.last {
                // More than the quota may be in flight, where several processes start them.
                Some(last) => after = last,
                None => {
                    // The next start need not count.
                    self.note_count(seen, 0, now);
                    return result;
                }
            }
        }
    }

    /// Ends the loops of marks whose time is over. One that cannot be ended holds up none of the others.
    async fn end_each(&self, marks: &[Mark], now: DateTime<Utc>) -> Result<(), LoopError> {
        let ends: Vec<_> = marks.iter().map(|mark| self.version_of(mark, now)).collect();
        let ended = stream::iter(ends).buffer_unordered(CONCURRENT_READS);
        ended
            .fold(Ok(()), async |result, end| result.and(end.map(drop)))
            .await
    }

    /// Leaves out the loops that are found when they are due by marks of their own. Those are listed only where one is old of
    /// which this process does not know that it has such a mark: it is ended then, or known from now on.
    async fn leave_out_with_due_marks(&self, overdue: &mut Vec<Mark>) -> Result<(), LoopError> {
        {
            let known = self.known_due_marks();
            overdue.retain(|mark| !known.contains(&mark.id));
        }
        if overdue.is_empty() {
            return Ok(());
        }
        let listed = self.with_due_marks().await?;
        overdue.retain(|mark| !listed.contains(&mark.id));
        *self.known_due_marks() = listed;
        Ok(())
    }

    /// Returns the ids of the loops that have a mark of their own for what is due of them.
    async fn with_due_marks(&self) -> Result<BTreeSet<String>, LoopError> {
        let (mut ids, mut after) = (BTreeSet::new(), String::new());
        loop {
            let (listed, last) = self.records.due_marks(&after, LISTED_AT_ONCE).await?;
            ids.extend(listed.into_iter().map(|mark| mark.id));
            match last {
                Some(last) => after = last,
                None => return Ok(ids),
            }
        }
    }

    async fn end_by_due_marks(&self, now: DateTime<Utc>) -> Result<(), LoopError> {
        let (mut after, mut result) = (String::new(), Ok(()));
        loop {
            let (listed, last) = self.records.due_marks(&after, LISTED_AT_ONCE).await?;
            let due = listed.iter().filter(|mark| mark.at <= now);
            let ends: Vec<_> = due.map(|mark| self.end_by_due_mark(mark, now)).collect();
            let are_all_due = ends.len() == listed.len();
            let ended = stream::iter(ends).buffer_unordered(CONCURRENT_READS);
            result = ended.fold(result, async |result, end| result.and(end)).await;
            match last {
                Some(last) if are_all_due => after = last,
                _ => return result,
            }
        }
    }

    /// Does what is due of a loop. Its mark stays as long as there may be more to do.
    async fn end_by_due_mark(&self, mark: &DueMark, now: DateTime<Utc>) -> Result<(), LoopError> {
        let human_loop = match self.find_version(&mark.name, now).await {
            Ok((human_loop, _)) if human_loop.id == mark.id => human_loop,
            // A start that did not finish, or a deletion that did not.
            Ok(_) | Err(LoopError::NotFound) if now - mark.at > STALE_MARK_AGE => {
                return self.remove_due_mark(mark).await;
            }
            Ok(_) | Err(LoopError::NotFound) => return Ok(()),
            Err(LoopError::Storage(reason)) if reason.is_damaged() => {
                self.records.pass_over(&mark.name, &reason).await;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let is_new = human_loop.ended_at.is_some_and(|at| now - at < DELIVERY);
        if human_loop.status.is_in_flight() || is_new {
            return Ok(());
        }
        match self.tidy_up(&human_loop, now).await {
            Ok(()) => self.remove_due_mark(mark).await?,
            Err(error) => is_late(&human_loop, &error),
        }
        Ok(())
    }

    /// Removes such a mark. A mark of the queue that its loop may still have is looked at by its age from then on.
    async fn remove_due_mark(&self, mark: &DueMark) -> Result<(), LoopError> {
        self.records.remove_due_mark(mark).await?;
        self.known_due_marks().remove(&mark.id);
        Ok(())
    }

    fn looked_until(&self) -> MutexGuard<'_, Option<DateTime<Utc>>> {
        self.looked_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_due_marks(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.with_due_mark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
