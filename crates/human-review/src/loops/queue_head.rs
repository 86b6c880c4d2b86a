//! The head of the queue as it was listed seconds ago: each step looks for the next task there first.
//!
//! A task that another process has started or ended since is not seen for as long. Nothing is taken by it alone: the
//! state of a loop decides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::marks::Mark;
use crate::records::QueueMarks;

/// How long a listing is used.
const FRESH: Duration = Duration::from_secs(3);
/// Listings that are kept: for most reviewers the queue begins at the same place.
const KEPT: usize = 16;

/// The last listings of this process, newest first.
#[derive(Debug, Clone, Default)]
pub(super) struct QueueHead(Arc<Mutex<Vec<Head>>>);

#[derive(Debug, Clone)]
struct Head {
    after: String,
    listed_at: Instant,
    page: QueueMarks,
}

impl QueueHead {
    /// Returns the listing after a mark if it is fresh and not used up.
    pub(super) fn recent(&self, after: &str) -> Option<QueueMarks> {
        let kept = self.kept();
        let head = kept.iter().find(|head| head.after == after)?;
        (head.listed_at.elapsed() < FRESH && !head.page.marks.is_empty()).then(|| head.page.clone())
    }

    pub(super) fn keep(&self, after: &str, page: QueueMarks) {
        let mut kept = self.kept();
        kept.retain(|head| head.after != after);
        let head = Head {
            after: after.to_owned(),
            listed_at: Instant::now(),
            page,
        };
        kept.insert(0, head);
        kept.truncate(KEPT);
    }

    /// Leaves out a loop that has ended.
    pub(super) fn leave_out(&self, id: &str) {
        for head in self.kept().iter_mut() {
            head.page.marks.retain(|mark| mark.id != id);
        }
    }

    /// Takes in a loop that was started.
    pub(super) fn take_in(&self, mark: &Mark) {
        let Some(key) = mark.queue_key() else {
            return;
        };
        for Head { after, page, .. } in self.kept().iter_mut() {
            let is_in = key > *after && page.last.as_ref().is_none_or(|last| key < *last);
            if is_in {
                // It may have been listed since its mark was written.
                page.marks.retain(|there| there.id != mark.id);
                let place = page
                    .marks
                    .partition_point(|there| there.queue_key().as_ref() < Some(&key));
                page.marks.insert(place, mark.clone());
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Head>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
