//! The failure of a state or an execution.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Why a state failed, as `Catch` sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    /// Error name, which `ErrorEquals` matches.
    pub error: String,
    /// Why, for people.
    pub cause: String,
}

impl Failure {
    /// What the definition asks for cannot be done with this data. Nothing catches it but its name.
    pub(super) const RUNTIME: &str = "States.Runtime";
    /// More data than a state may have.
    pub(super) const DATA_LIMIT: &str = "States.DataLimitExceeded";
    /// A task, or an execution, has taken too long.
    pub(super) const TIMEOUT: &str = "States.Timeout";

    pub(super) fn new(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            cause: cause.into(),
        }
    }

    pub(super) fn runtime(cause: impl Into<String>) -> Self {
        Self::new(Self::RUNTIME, cause)
    }

    /// Returns whether one of these names stands for the error.
    pub(super) fn is_among(&self, names: &[String]) -> bool {
        let error = self.error.as_str();
        let terminal = [Self::RUNTIME, Self::DATA_LIMIT].contains(&error);
        names.iter().any(|name| match name.as_str() {
            "States.ALL" => !terminal,
            "States.TaskFailed" => !terminal && error != Self::TIMEOUT,
            name => name == error,
        })
    }

    /// Returns what a catcher hands on.
    pub(super) fn to_json(&self) -> Value {
        json!({"Error": self.error, "Cause": self.cause})
    }
}
