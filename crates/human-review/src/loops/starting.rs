//! Starting loops.

use active_learning_aws::backoff::Tries;
use active_learning_aws::bucket::Replaced;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::in_flight::started_before;
use super::{LoopError, Loops, MAX_LOOPS_FOR_JOBS, MAX_LOOPS_IN_FLIGHT, Version};
use crate::human_loop::{FlowRules, HumanLoop, LoopFlow, Status, sha256};
use crate::labelling_jobs::JOB_ARN_PART;
use crate::marks::Mark;

impl Loops {
    /// Starts a loop in a flow definition that the API made, with its rules, or else in that of the stack; the same name
    /// and input again is the same loop.
    ///
    /// # Errors
    ///
    /// [`LoopError::Conflict`], also for a loop of that name in another flow definition; [`LoopError::WrongStatus`] for one
    /// that was stopped or has failed; [`LoopError::QuotaExceeded`], for a labelling job at [`MAX_LOOPS_FOR_JOBS`].
    pub async fn start(
        &self,
        flow: Option<(LoopFlow, FlowRules)>,
        name: &str,
        input: &str,
        now: DateTime<Utc>,
    ) -> Result<(), LoopError> {
        let (mut flow, rules) = flow.map_or((None, self.rules.clone()), |(flow, rules)| (Some(flow), rules));
        // The team of the stack is everybody.
        if let Some(flow) = &mut flow {
            flow.team = flow.team.take().filter(|team| team != self.own_team());
        }
        let arn = flow.as_ref().map(|flow| flow.arn.clone());
        let is_of_job = arn.as_ref().is_some_and(|arn| arn.contains(JOB_ARN_PART));
        let quota = if is_of_job {
            MAX_LOOPS_FOR_JOBS
        } else {
            MAX_LOOPS_IN_FLIGHT
        };
        let mut existing = None;
        if !self.has_room(quota, now).await? {
            // The same again needs no room.
            existing = self.records.read_loop(name).await?;
            if !existing.as_ref().is_some_and(is_there) {
                return Err(LoopError::QuotaExceeded);
            }
        }
        let mut tries = Tries::default();
        while tries.again().await {
            if let Some((human_loop, _)) = existing.as_mut().filter(|existing| is_there(existing)) {
                self.wait_as_now(human_loop);
                let same = human_loop.input_sha256 == sha256(input)
                    && human_loop.flow.as_ref().map(|flow| &flow.arn) == arn.as_ref();
                return started_before(human_loop, same, now);
            }
            let id = Uuid::new_v4().simple().to_string();
            let human_loop = match flow.clone() {
                None => HumanLoop::start(id, name, input, now, &rules),
                Some(flow) => HumanLoop::start_in(flow, id, name, input, now, &rules),
            };
            // Hardly ever there is one of that name: it is not read before, and what was written for nothing is removed.
            self.records.write_input_and_marks(&human_loop, input).await?;
            let deleted = existing.take().map(|(_, etag)| etag);
            let written = self.records.write_loop(&human_loop, deleted.as_deref()).await?;
            if let Replaced::Written { etag } = written {
                self.head.take_in(&Mark::of(&human_loop));
                self.remember(human_loop, etag);
                return Ok(());
            }
            existing = self.records.read_loop(name).await?;
            // The answer to the write may have been lost, and a reviewer have taken the loop since.
            if existing
                .as_ref()
                .is_some_and(|(there, _)| there.id == human_loop.id)
            {
                self.head.take_in(&Mark::of(&human_loop));
                return Ok(());
            }
            let mark = Mark::of(&human_loop);
            self.records.remove_input_and_marks(&mark).await?;
        }
        Err(LoopError::Contention)
    }

    /// Returns the name of the team of the stack, which its flow definition has too.
    fn own_team(&self) -> &str {
        self.flow_definition_arn.rsplit('/').next().unwrap_or_default()
    }
}

/// Returns whether a loop that was read is not deleted.
fn is_there(existing: &Version) -> bool {
    existing.0.status != Status::Deleted
}
