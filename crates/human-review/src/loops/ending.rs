//! Ending loops, and telling of it.

use active_learning_aws::bucket::Replaced;
use chrono::{DateTime, Utc};
use futures::future::join;

use super::{LoopError, Loops, MAX_LOOPS_IN_FLIGHT};
use crate::human_loop::{Due, HumanLoop, Status};
use crate::marks::Mark;
use crate::output::Answer;
use crate::status_events::StatusEvents;

/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const LISTED_AT_ONCE: usize = 1_000;

impl Loops {
    /// Tells when a loop has ended.
    #[must_use]
    pub fn with_status_events(self, status_events: StatusEvents) -> Self {
        Self {
            status_events: Some(status_events),
            ..self
        }
    }

    /// Ends the loops whose time is over, which is told. Whoever looks at one does the same.
    ///
    /// # Errors
    ///
    /// [`LoopError::Storage`].
    pub async fn end_overdue(&self, now: DateTime<Utc>) -> Result<(), LoopError> {
        let oldest = now - self.rules.availability;
        let (mut seen, mut after) = (0, String::new());
        loop {
            let page = self.records.queue_marks(&after, LISTED_AT_ONCE).await?;
            seen += page.marks.len();
            let overdue: Vec<Mark> = (page.marks.into_iter())
                .filter(|mark| mark.created_at <= oldest)
                .collect();
            self.loops_of(&overdue, now).await?;
            match page.last {
                Some(last) if seen < MAX_LOOPS_IN_FLIGHT => after = last,
                _ => return Ok(()),
            }
        }
    }

    /// Carries out what is due of this version of a loop; without anything that is done. Some of its answers may be at
    /// hand, by their ids.
    pub(super) async fn carry_out(
        &self,
        mut human_loop: HumanLoop,
        etag: &str,
        at_hand: &[(&str, &Answer)],
        now: DateTime<Utc>,
    ) -> Result<Replaced, LoopError> {
        human_loop.status = match human_loop.due(now) {
            None => return Ok(Replaced::Written { etag: None }),
            Some(Due::Expire) => Status::Failed,
            Some(Due::Stop) => Status::Stopped,
            Some(Due::Complete) => Status::Completed,
        };
        match self.write_output(&human_loop, at_hand).await {
            Err(LoopError::Output { uri, reason }) => {
                human_loop.status = Status::Failed;
                human_loop.failure = Some(format!("The output cannot be written to {uri}: {reason}."));
            }
            other => other?,
        }
        human_loop.leases.clear();
        let replaced = self.records.replace_loop(&human_loop, etag).await?;
        if replaced.is_written() {
            let tell = async {
                if let Some(events) = &self.status_events {
                    events.tell(&self.flow_definition_arn, &human_loop).await;
                }
            };
            let ((), removed) = join(tell, self.records.remove_from_queue(&human_loop)).await;
            removed?;
        }
        Ok(replaced)
    }
}
