//! Marks of loops that were completed in steps of reviewers: they leave the queue together, with one request for some.
//!
//! Until then this process passes them over. Another one may meet such a mark, as it may where a process was ended: it
//! reads the state, which says that the loop has ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use active_learning_aws::bucket::BucketError;
use active_learning_aws::failure::chain;
use chrono::{DateTime, Duration, Utc};
use lambda_runtime::tracing::warn;

use super::Loops;
use crate::human_loop::HumanLoop;
use crate::records::{QueueMarks, keys_in_queue};

/// Loops whose marks leave together at most.
const TOGETHER: usize = 8;
/// How long a mark stays at most while reviewers go on.
const STAYS: Duration = Duration::seconds(30);

/// The marks that are to leave.
#[derive(Debug, Clone, Default)]
pub(super) struct LeavingMarks(Arc<Mutex<Vec<Leaving>>>);

#[derive(Debug, Clone)]
struct Leaving {
    id: String,
    keys: Vec<String>,
    since: DateTime<Utc>,
}

impl LeavingMarks {
    /// Has the mark of a loop leave with others.
    fn add(&self, human_loop: &HumanLoop, now: DateTime<Utc>) {
        self.all().push(Leaving {
            id: human_loop.id.clone(),
            keys: keys_in_queue(human_loop),
            since: now,
        });
    }

    /// Leaves the loops out of a listing that have ended.
    pub(super) fn leave_out_of(&self, page: &mut QueueMarks) {
        let all = self.all();
        page.marks
            .retain(|mark| all.iter().all(|leaving| leaving.id != mark.id));
    }

    fn are_due(&self, now: DateTime<Utc>) -> bool {
        let all = self.all();
        let is_old = |leaving: &Leaving| !(leaving.since..leaving.since + STAYS).contains(&now);
        all.len() >= TOGETHER || all.first().is_some_and(is_old)
    }

    fn all(&self) -> MutexGuard<'_, Vec<Leaving>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loops {
    /// Takes a loop off the queue with others that have ended.
    pub(super) async fn leave_queue_soon(&self, human_loop: &HumanLoop, now: DateTime<Utc>) {
        self.head.leave_out(&human_loop.id);
        self.leaving.add(human_loop, now);
        self.remove_leaving_if(false, now).await;
    }

    /// Removes the marks of loops that have ended: all of them, or only where one has stayed for long. Where that fails it
    /// is logged, and done later.
    pub(super) async fn remove_leaving_if(&self, all: bool, now: DateTime<Utc>) {
        if (all || self.leaving.are_due(now))
            && let Err(error) = self.remove_leaving().await
        {
            warn!(
                error = chain(&error),
                "marks of loops that have ended are still in the queue"
            );
        }
    }

    /// Removes them some at a time: where one is refused, those of other requests go all the same.
    async fn remove_leaving(&self) -> Result<(), BucketError> {
        let leaving = self.leaving.all().clone();
        let mut result = Ok(());
        for some in leaving.chunks(TOGETHER) {
            let keys: Vec<String> = some.iter().flat_map(|leaving| leaving.keys.clone()).collect();
            let removed = self.records.remove_keys(&keys).await;
            if removed.is_ok() {
                let is_gone = |one: &Leaving| some.iter().any(|gone| gone.id == one.id);
                self.leaving.all().retain(|one| !is_gone(one));
            }
            result = result.and(removed);
        }
        result
    }
}
