//! The head of the queue as it was listed seconds ago: each step looks for the next task there first.
//!
//! A task that another process has started or ended since is not seen for as long. Nothing is taken by it alone: the
//! state of a loop decides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::records::QueueMarks;

/// How long a listing is used.
const FRESH: Duration = Duration::from_secs(3);

/// The last listing of this process.
#[derive(Debug, Clone, Default)]
pub(super) struct QueueHead(Arc<Mutex<Option<(Instant, QueueMarks)>>>);

impl QueueHead {
    /// Returns the listing if it is fresh and not used up.
    pub(super) fn recent(&self) -> Option<QueueMarks> {
        let kept = self.kept();
        let (listed_at, marks) = kept.as_ref()?;
        (listed_at.elapsed() < FRESH && !marks.marks.is_empty()).then(|| marks.clone())
    }

    pub(super) fn keep(&self, marks: QueueMarks) {
        *self.kept() = Some((Instant::now(), marks));
    }

    /// Leaves out a loop that has ended.
    pub(super) fn leave_out(&self, id: &str) {
        if let Some((_, marks)) = self.kept().as_mut() {
            marks.marks.retain(|mark| mark.id != id);
        }
    }

    pub(super) fn forget(&self) {
        *self.kept() = None;
    }

    fn kept(&self) -> MutexGuard<'_, Option<(Instant, QueueMarks)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
