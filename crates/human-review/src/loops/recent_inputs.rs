//! Inputs of loops that were read lately: a task is shown, answered and written out within minutes.
//!
//! An input never changes; its id is that of one loop for ever.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// Inputs that are kept; Amazon A2I takes 100 kB each.
const KEPT: usize = 16;

/// The last inputs, newest first, by the loop's id.
#[derive(Debug, Clone, Default)]
pub(super) struct RecentInputs(Arc<Mutex<VecDeque<(String, Value)>>>);

impl RecentInputs {
    pub(super) fn get(&self, id: &str) -> Option<Value> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(kept, _)| kept == id);
        found.map(|(_, input)| input.clone())
    }

    pub(super) fn keep(&self, id: &str, input: &Value) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((id.to_owned(), input.clone()));
        kept.truncate(KEPT);
    }

    pub(super) fn forget(&self, id: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(kept, _)| kept != id);
    }
}
