//! The events of an execution's history.

use serde_json::{Value, json};

use super::definition::Resource;

/// One event: its type, and its form in `GetExecutionHistory`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub id: u64,
    pub at_ms: u64,
    pub kind: String,
    pub wire: Value,
}

impl Event {
    pub(super) fn new(id: u64, previous: u64, at_ms: u64, kind: String, details: Value) -> Self {
        let mut wire = json!({
            "id": id,
            "previousEventId": previous,
            "timestamp": seconds(at_ms),
            "type": kind,
        });
        if !details.is_null() {
            wire[details_member(&kind)] = details;
        }
        Self {
            id,
            at_ms,
            kind,
            wire,
        }
    }

    pub(super) fn execution_started(at_ms: u64, input: &str, role_arn: &str) -> Self {
        let details = json!({"input": input, "inputDetails": {"truncated": false}, "roleArn": role_arn});
        Self::new(1, 0, at_ms, "ExecutionStarted".to_owned(), details)
    }

    /// Returns the event as a line for people, without any data.
    pub(super) fn line(&self, execution: &str) -> String {
        let details = &self.wire[details_member(&self.kind)];
        let shown = ["name", "resource", "error", "cause"].map(|member| details[member].as_str());
        let shown: Vec<_> = shown
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .collect();
        // A cause is often a document of several lines.
        let shown = shown.join(" ").replace('\n', " ");
        format!("{execution} {} {} {shown}", self.id, self.kind)
            .trim_end()
            .to_owned()
    }
}

/// Returns a time as the JSON protocols write it.
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn details_member(kind: &str) -> String {
    if kind.ends_with("StateEntered") {
        return "stateEnteredEventDetails".to_owned();
    } else if kind.ends_with("StateExited") {
        return "stateExitedEventDetails".to_owned();
    }
    let (first, rest) = kind.split_at(1);
    format!("{}{rest}EventDetails", first.to_lowercase())
}

/// Returns the type of a task's event: function ARNs have types of their own.
pub(super) fn task_event(resource: &Resource, what: &str) -> String {
    match resource {
        Resource::Function(_) => format!("LambdaFunction{what}"),
        Resource::LambdaInvoke | Resource::LambdaInvokeAndWait | Resource::SnsPublish => {
            format!("Task{what}")
        }
    }
}

/// Returns the details of a task's event, with what all of them say about the resource.
pub(super) fn task_details(resource: &Resource, mut details: Value) -> Value {
    let (kind, action) = match resource {
        Resource::Function(_) => return details,
        Resource::LambdaInvoke => ("lambda", "invoke"),
        Resource::LambdaInvokeAndWait => ("lambda", "invoke.waitForTaskToken"),
        Resource::SnsPublish => ("sns", "publish"),
    };
    details["resourceType"] = kind.into();
    details["resource"] = action.into();
    details
}
