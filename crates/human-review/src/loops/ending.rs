//! Ending loops, and telling of it.

use active_learning_aws::bucket::Replaced;
use active_learning_aws::failure::chain;
use active_learning_aws::metrics;
use chrono::{DateTime, Duration, Utc};
use futures::future::{BoxFuture, FutureExt, join};
use lambda_runtime::tracing::{error, warn};

use super::{LoopError, Loops};
use crate::human_loop::{Due, HumanLoop, Status};
use crate::marks::DueMark;
use crate::status_events::StatusEvents;

/// Longest time from the end of a loop to its output, where nothing breaks.
pub(super) const DELIVERY: Duration = Duration::minutes(1);

/// A loop that has ended is delivered again for so long, where somebody asks for it: the sweep does, every hour. After it,
/// as long as its mark says that its output may be missing.
const DELIVERED_AGAIN: Duration = Duration::hours(2);

/// Which time it is that an output is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Delivery {
    /// By who has just ended the loop.
    First,
    /// By a reviewer who has just ended it, and goes on to the next task: its mark leaves the queue with others.
    InStep,
    /// By who found the loop ended: the output is there already, unless somebody came no further.
    Again,
}

impl Delivery {
    /// Returns whether it is by who has just ended the loop.
    pub(super) fn is_first(self) -> bool {
        match self {
            Self::First | Self::InStep => true,
            Self::Again => false,
        }
    }
}

impl Loops {
    /// Tells when a loop has ended.
    #[must_use]
    pub fn with_status_events(self, status_events: StatusEvents) -> Self {
        Self {
            status_events: Some(status_events),
            ..self
        }
    }

    /// Carries out what is due of this version of a loop; without anything that is done.
    pub(super) async fn carry_out(
        &self,
        mut human_loop: HumanLoop,
        etag: &str,
        now: DateTime<Utc>,
    ) -> Result<Replaced, LoopError> {
        let status = match human_loop.due(now) {
            None => return Ok(Replaced::Written { etag: None }),
            Some(Due::Expire) => Status::Failed,
            Some(Due::Stop) => Status::Stopped,
            Some(Due::Complete) => Status::Completed,
        };
        human_loop.end(status, now);
        let replaced = self.records.replace_loop(&human_loop, etag).await?;
        self.remember(human_loop.clone(), None);
        if replaced.is_written() {
            self.deliver_if_possible(&human_loop, Delivery::First, now).await;
        }
        Ok(replaced)
    }

    /// Writes the output of a loop that has ended, tells of its end and takes it off the queue. Done again, it changes
    /// nothing and tells nobody.
    ///
    /// # Errors
    ///
    /// [`LoopError`]; the mark stays, by which it is done again.
    pub(super) fn deliver<'a>(
        &'a self,
        human_loop: &'a HumanLoop,
        delivery: Delivery,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<(), LoopError>> {
        async move {
            match self.write_output(human_loop, delivery, now).await {
                Ok(is_new) => match delivery {
                    Delivery::InStep => {
                        self.tell_if(is_new, human_loop).await;
                        self.leave_queue_soon(human_loop, now).await;
                        Ok(())
                    }
                    Delivery::First | Delivery::Again => self.end(human_loop, is_new).await,
                },
                Err(LoopError::Output { uri, reason }) => {
                    let fail = |current: &mut HumanLoop| {
                        if current.id != human_loop.id {
                            return Err(LoopError::NotFound);
                        }
                        current.fail_for_output(&uri, &reason);
                        Ok(())
                    };
                    let failed = self.change(&human_loop.name, now, fail).await?;
                    self.end(&failed, true).await
                }
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    /// Delivers a loop. That it has ended is stored: what fails is logged and counted, and done again by who finds its mark in
    /// the queue, or by the sweep.
    pub(super) async fn deliver_if_possible(
        &self,
        human_loop: &HumanLoop,
        delivery: Delivery,
        now: DateTime<Utc>,
    ) {
        if let Err(error) = self.deliver(human_loop, delivery, now).await {
            is_late(human_loop, &error);
            self.passed.forget(&human_loop.id);
            if delivery.is_first() && !human_loop.is_of_labelling_job() {
                self.have_it_swept(human_loop, now).await;
            }
        }
    }

    /// Has the sweep deliver a loop, should nobody come by its mark in the queue.
    async fn have_it_swept(&self, human_loop: &HumanLoop, now: DateTime<Utc>) {
        let mark = DueMark::at(human_loop, now + DELIVERY);
        if let Err(error) = self.records.put_due_mark(&mark).await {
            warn!(
                human_loop.name = human_loop.name,
                error = chain(&error),
                "a late output waits for who finds its mark in the queue"
            );
        }
    }

    /// Delivers a loop again that has ended lately, or whose mark is still in the queue: whoever ended it may not have come
    /// further.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`], [`LoopError::OutputLater`].
    pub async fn deliver_again(&self, human_loop: &HumanLoop, now: DateTime<Utc>) -> Result<(), LoopError> {
        match human_loop.output_due_since() {
            Some(at) if now - at < DELIVERED_AGAIN || self.records.is_in_queue(human_loop).await? => {
                self.deliver(human_loop, Delivery::Again, now).await
            }
            _ => Ok(()),
        }
    }

    /// Does what is left to do of a loop that has ended and is still in the queue.
    pub(super) async fn tidy_up(&self, human_loop: &HumanLoop, now: DateTime<Utc>) -> Result<(), LoopError> {
        match human_loop.output_due_since() {
            // Somebody is about to, or the queue was listed before they did.
            Some(at) if now - at < DELIVERY => Ok(()),
            Some(_) => self.deliver(human_loop, Delivery::Again, now).await,
            None => self.leave_queue(human_loop).await,
        }
    }

    /// Stops a loop: at once, or when the reviewers who hold it are done.
    ///
    /// # Errors
    ///
    /// [`LoopError::NotFound`]; [`LoopError::WrongStatus`] unless it is in progress.
    pub async fn stop(&self, name: &str, now: DateTime<Utc>) -> Result<(), LoopError> {
        let stop = |human_loop: &mut HumanLoop| {
            if human_loop.status != Status::InProgress {
                return Err(LoopError::WrongStatus(human_loop.status));
            }
            human_loop.status = Status::Stopping;
            Ok(())
        };
        let read = self.find_version(name, now).await?;
        if let Some(until) = read.0.held_until(now)
            && !read.0.is_of_labelling_job()
        {
            // Whoever holds it may never come back. A mark too many says nothing wrong.
            let mark = DueMark::at(&read.0, until);
            self.records.put_due_mark(&mark).await?;
        }
        self.change_from(Some(read), name, now, stop).await?;
        // Without a reviewer at it the stop is already due.
        self.settle(name, None, now).await
    }

    /// Stops a loop at once, whoever holds it: what is answered afterwards is not taken. One that has ended, or is not there,
    /// is left alone.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn shut(&self, name: &str, now: DateTime<Utc>) -> Result<(), LoopError> {
        let shut = |human_loop: &mut HumanLoop| {
            if human_loop.status.is_in_flight() {
                human_loop.status = Status::Stopping;
                human_loop.leases.clear();
            }
            Ok(())
        };
        match self.change(name, now, shut).await {
            Ok(_) => self.settle(name, None, now).await,
            Err(LoopError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn end(&self, human_loop: &HumanLoop, is_told: bool) -> Result<(), LoopError> {
        let tell = self.tell_if(is_told, human_loop);
        let ((), removed) = join(tell, self.leave_queue(human_loop)).await;
        removed
    }

    async fn tell_if(&self, is_told: bool, human_loop: &HumanLoop) {
        if let Some(events) = self.status_events.as_ref().filter(|_| is_told) {
            events.tell(&self.flow_definition_arn, human_loop).await;
        }
    }

    /// Takes a loop off the queue that has ended, and does what else is left to do of it; returns whether it has.
    ///
    /// # Errors
    ///
    /// [`LoopError`], but not for a loop that there is not.
    pub async fn leave_queue_if_ended(&self, name: &str, now: DateTime<Utc>) -> Result<bool, LoopError> {
        match self.find_version(name, now).await {
            Ok((human_loop, _)) if human_loop.status.is_in_flight() => Ok(false),
            Ok((human_loop, _)) => self.tidy_up(&human_loop, now).await.map(|()| true),
            Err(LoopError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a loop off the queue.
    pub(super) async fn leave_queue(&self, human_loop: &HumanLoop) -> Result<(), LoopError> {
        self.head.leave_out(&human_loop.id);
        Ok(self.records.remove_from_queue(human_loop).await?)
    }
}

/// Notes that the output of a loop is late.
pub(super) fn is_late(human_loop: &HumanLoop, reason: &LoopError) {
    error!(
        human_loop.name = human_loop.name,
        error = chain(reason),
        "an output could not be written: it is tried again"
    );
    metrics::count("human-review", &[("OutputsLate", 1)]);
}
