//! What is done with a task that is not answered: given back, kept.

use std::collections::BTreeMap;

use active_learning_aws::metrics;
use serde_json::json;

use super::task::add;
use super::{Portal, PortalError, checked_name};
use crate::event::{HttpReply, HttpRequest};
use crate::human_loop::{HumanLoop, Refusal, Worker};
use crate::loops::LoopError;
use crate::pages::document;
use crate::remarks::{Remarks, Skip};
use crate::task_template::TaskError;
use crate::worker_template::TemplateError;

/// Longest reason of a skip that is kept, in characters.
const MAX_REASON_CHARS: usize = 500;

impl Portal<'_> {
    /// Gives the task back and goes to one that this reviewer has not skipped.
    pub(super) async fn release(
        &self,
        request: &HttpRequest,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        let reason = form.get("portal:reason").map(|reason| reason.trim());
        let reason = reason.filter(|reason| !reason.is_empty());
        let reason: Option<String> = reason.map(|reason| reason.chars().take(MAX_REASON_CHARS).collect());
        match self
            .loops
            .release(name, worker, reason.as_deref(), self.now)
            .await
        {
            Ok((human_loop, is_first)) => {
                metrics::count("human-review", &[("Skipped", 1)]);
                self.note_skip(worker, &human_loop, is_first, reason.as_deref())
                    .await;
            }
            Err(LoopError::NotFound) => {}
            // Nobody gets it while it cannot be read.
            Err(LoopError::Storage(reason)) if reason.is_damaged() => {}
            Err(error) => return Err(error.into()),
        }
        if request.wants_json() {
            let mut skipped = json!({ "skipped": true });
            add(&mut skipped, self.next_members(form, worker, false).await);
            return Ok(document(200, &skipped));
        }
        self.go_on(request, worker, false, &[]).await
    }

    /// Notes a skip in its reviewer's history, and why among the newest reasons. Both are with the task in any case: where a
    /// list cannot be written that is logged.
    async fn note_skip(&self, worker: &Worker, human_loop: &HumanLoop, is_first: bool, reason: Option<&str>) {
        if is_first && let Err(error) = self.histories.note_skip(worker, self.now).await {
            tracing::warn!(%error, "a skip is missing from its reviewer's history");
        }
        if let Some(reason) = reason {
            // What was deleted or is damaged meanwhile is listed without its text.
            let input = self.loops.input_now(human_loop).await.unwrap_or_default();
            let skip = Skip::of(human_loop, worker, &input, reason, self.now);
            Remarks(self.bucket).note_skip_if_possible(&skip).await;
        }
    }

    /// Lets the reviewer's lease run from now on.
    pub(super) async fn renew(
        &self,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        let renewed = self.loops.renew(name, worker, self.now).await;
        if let Err(LoopError::Refused(Refusal::Held)) = &renewed {
            metrics::count("human-review", &[("LeaseLost", 1)]);
        }
        let human_loop = renewed?;
        let lease = json!({ "leaseSeconds": self.lease_seconds(&human_loop, worker) });
        Ok(document(200, &lease))
    }

    /// Takes back a task that lay ready for the reviewer and that they have not seen.
    pub(super) async fn give_back(
        &self,
        form: &BTreeMap<String, String>,
        worker: &Worker,
    ) -> Result<HttpReply, PortalError> {
        let name = checked_name(form.get("portal:loop"))?;
        self.loops.give_back(name, worker, self.now).await?;
        Ok(document(200, &json!({ "givenBack": true })))
    }

    /// Takes a task from a reviewer that cannot be shown. Where a later try is no better, it comes last for them: else the next
    /// task would be this one again.
    pub(super) async fn leave(&self, name: &str, worker: &Worker, error: &PortalError) {
        let left = match is_passing(error) {
            true => self.loops.give_back(name, worker, self.now).await,
            false => self.loops.release(name, worker, None, self.now).await.map(drop),
        };
        if let Err(error) = left {
            tracing::warn!(
                human_loop.name = name,
                error = &error as &dyn std::error::Error,
                "a task that cannot be shown stays with its reviewer"
            );
        }
    }
}

/// Returns whether a later try to show a task may succeed, though nobody has done anything about it.
fn is_passing(error: &PortalError) -> bool {
    match error {
        PortalError::Loop(LoopError::Storage(error))
        | PortalError::Task(TaskError::Template(TemplateError::Storage(error))) => error.is_passing(),
        PortalError::Loop(error) => matches!(error, LoopError::Contention),
        _ => false,
    }
}
