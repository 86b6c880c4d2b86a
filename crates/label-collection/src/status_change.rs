//! The review service tells that a human loop has ended: what is due is done at once, and not by the next sweep.
//!
//! Amazon A2I tells it as EventBridge does, at best effort; the built-in review service does likewise. The sweep stays.

use active_learning_aws::{human_loops::STATUS_CHANGE, s3_event::InvalidEvent};
use active_learning_core::labels::human_loop::LoopName;
use lambda_runtime::tracing::{debug, info};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    LabelCollection, LabelCollectionError,
    sweep::{Done, Room, report},
};

/// The detail of an event "SageMaker A2I HumanLoop Status Change", as far as it counts here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusChange {
    human_loop_name: String,
    flow_definition_arn: String,
}

impl StatusChange {
    /// Reads a payload; `None` where it is another event.
    pub(crate) fn of(payload: &Value) -> Result<Option<Self>, InvalidEvent> {
        if payload["detail-type"] != STATUS_CHANGE {
            return Ok(None);
        }
        let detail = Self::deserialize(&payload["detail"]);
        detail.map(Some).map_err(|_| InvalidEvent::NotAnEvent)
    }
}

impl LabelCollection {
    /// Sees to a loop that has ended, if it is one of ours that is not done with. Idempotent.
    pub(crate) async fn see_to_ended(&self, change: &StatusChange) -> Result<(), LabelCollectionError> {
        let name = change.human_loop_name.as_str();
        let is_ours =
            change.flow_definition_arn == self.config.workflow_arn && LoopName::parse(name).is_some();
        if !is_ours || self.human_loops.input(name).await?.is_none() {
            debug!(human_loop.name = name, "nothing is due about it");
            return Ok(());
        }
        let done: Done = self.see_to(name, &Room::default()).await?;
        info!(human_loop.name = name, ?done, "its end was told");
        report(&[done]);
        Ok(())
    }
}
