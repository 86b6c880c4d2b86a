//! Who holds a loop, and for how long.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};

use super::passed::Past;
use super::{LoopError, Loops, Version};
use crate::human_loop::{HumanLoop, Worker};

/// Refuses a loop of a team that the reviewer is not in, as if there were none.
fn check_team(human_loop: &HumanLoop, worker: &Worker) -> Result<(), LoopError> {
    match human_loop.is_for(worker) {
        true => Ok(()),
        false => Err(LoopError::NotFound),
    }
}

impl Loops {
    /// Takes a loop for the reviewer and returns it.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`], [`LoopError::Refused`].
    pub async fn take(
        &self,
        name: &str,
        worker: &Worker,
        now: DateTime<Utc>,
    ) -> Result<HumanLoop, LoopError> {
        self.take_from(None, name, worker, false, now).await
    }

    async fn take_from(
        &self,
        known: Option<Version>,
        name: &str,
        worker: &Worker,
        is_ahead: bool,
        now: DateTime<Utc>,
    ) -> Result<HumanLoop, LoopError> {
        let (human_loop, _) = self
            .change_from(known, name, now, |human_loop| {
                check_team(human_loop, worker)?;
                let worker = worker.in_loop(human_loop);
                let time_limit = human_loop.time_limit(&self.rules);
                match is_ahead {
                    true => human_loop.take_ahead(&worker.id, now, time_limit)?,
                    false => human_loop.take(&worker.id, now, time_limit)?,
                }
                Ok(())
            })
            .await?;
        Ok(human_loop)
    }

    /// Returns a loop that the reviewer holds as this process knows it, if they may still answer it: what is written over it
    /// is written only if it is still so.
    fn known_to_hold(&self, name: &str, worker: &Worker, now: DateTime<Utc>) -> Option<Version> {
        let is_held = |taken: &HumanLoop| {
            let id = worker.in_loop(taken).id;
            // A lease that another one's state ended may be followed by a later one, of which this process knows nothing.
            taken.due(now).is_none()
                && taken.lease_expires_at(&id).is_some()
                && taken.may_answer(&id, now).is_ok()
        };
        self.taken.get(name).filter(|(taken, _)| is_held(taken))
    }

    /// Returns a loop that the reviewer is about to answer: as it was when they took it, where this process knows that.
    /// Nothing is lost if it has changed since: it is read then before the answer is noted. What this process knows of the
    /// name may be of a loop that was deleted: the id on the page tells them apart.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`], also where another loop has the name.
    pub async fn find_taken(
        &self,
        name: &str,
        id: &str,
        worker: &Worker,
        now: DateTime<Utc>,
    ) -> Result<Version, LoopError> {
        // What another reviewer took knows nothing of when this one did.
        let is_open = |taken: &HumanLoop| {
            let worker = worker.in_loop(taken);
            taken.id == id
                && taken.due(now).is_none()
                && taken.accepted_at(&worker.id).is_some()
                && taken.may_submit(&worker.id, now).is_ok()
        };
        let read = match self.taken.take(name).filter(|(taken, _)| is_open(taken)) {
            Some(known) => known,
            None => self.find_version(name, now).await?,
        };
        if read.0.id != id {
            return Err(LoopError::NotFound);
        }
        check_team(&read.0, worker)?;
        Ok(read)
    }

    /// Returns a loop as it is now.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`], also where another loop has the name.
    pub async fn find_same(&self, human_loop: &HumanLoop, now: DateTime<Utc>) -> Result<Version, LoopError> {
        let found = self.find_version(&human_loop.name, now).await?;
        match found.0.id == human_loop.id {
            true => Ok(found),
            false => Err(LoopError::NotFound),
        }
    }

    /// Gives a loop back; it comes last in this reviewer's queue from now on. Returns it, and whether this is the first time.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`].
    pub async fn release(
        &self,
        name: &str,
        worker: &Worker,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(HumanLoop, bool), LoopError> {
        let is_first = AtomicBool::new(false);
        let known = self.known_to_hold(name, worker, now);
        let (human_loop, _) = self
            .change_from(known, name, now, |human_loop| {
                check_team(human_loop, worker)?;
                let first = human_loop.skip(&worker.in_loop(human_loop).id, reason);
                is_first.store(first, Ordering::Relaxed);
                Ok(())
            })
            .await?;
        self.passed.note(worker, &human_loop.id, Past::Skipped);
        Ok((human_loop, is_first.into_inner()))
    }

    /// Gives a loop back that the reviewer has not looked at; its place in their queue stays.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`].
    pub async fn give_back(&self, name: &str, worker: &Worker, now: DateTime<Utc>) -> Result<(), LoopError> {
        self.change(name, now, |human_loop| {
            check_team(human_loop, worker)?;
            human_loop.give_back(&worker.in_loop(human_loop).id);
            Ok(())
        })
        .await?;
        // They leave, so no step of theirs may follow.
        self.remove_leaving_if(true, now).await;
        Ok(())
    }

    /// Lets the reviewer's lease run from now on.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`], [`LoopError::Refused`].
    pub async fn renew(
        &self,
        name: &str,
        worker: &Worker,
        now: DateTime<Utc>,
    ) -> Result<HumanLoop, LoopError> {
        let known = self.known_to_hold(name, worker, now);
        let (human_loop, _) = self
            .change_from(known, name, now, |human_loop| {
                check_team(human_loop, worker)?;
                let worker = worker.in_loop(human_loop);
                Ok(human_loop.renew(&worker.id, now, human_loop.time_limit(&self.rules))?)
            })
            .await?;
        Ok(human_loop)
    }

    /// Takes a loop if it is free, at first from a version that was just read.
    pub(super) async fn try_take(
        &self,
        name: &str,
        known: Option<Version>,
        worker: &Worker,
        is_ahead: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<HumanLoop>, LoopError> {
        let id = known.as_ref().map(|(human_loop, _)| human_loop.id.clone());
        match self.take_from(known, name, worker, is_ahead, now).await {
            Ok(taken) => Ok(Some(taken)),
            Err(LoopError::Refused(_) | LoopError::NotFound | LoopError::Contention) => Ok(None),
            // It has become so since its state was known, and costs nobody else their task.
            Err(LoopError::Storage(reason)) if reason.is_damaged() => {
                self.head.leave_out(&id.unwrap_or_default());
                self.records.pass_over(name, &reason).await;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
