//! States of waiting loops that this process wrote or read itself, with their ETags: who takes one writes over just this
//! one, so that it need not be read again. Nothing is refused by what is known here.
//!
//! What another process has changed meanwhile is no longer there under its ETag: that write fails, and all is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Loops, Version};
use crate::human_loop::{HumanLoop, Status};
use crate::marks::Mark;
use crate::records::QueueMarks;

/// States that are kept: those that come first in the queue. Each has up to 8 kB of input.
const KEPT: usize = 256;

/// So many of them may come before where a listing begins: those are nothing for who lists it.
const KEPT_BEFORE: usize = KEPT / 2;

/// States of loops that nobody holds, by the names of their marks.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<BTreeMap<String, Version>>>);

impl Known {
    /// Returns the state of a mark's loop, if it is known.
    pub(super) fn get(&self, mark: &Mark) -> Option<Version> {
        self.kept().get(&mark.queue_key()?).cloned()
    }

    /// Keeps a state, unless so many come before it.
    pub(super) fn keep(&self, version: Version) {
        let Some(key) = Mark::of(&version.0).queue_key() else {
            return;
        };
        let mut kept = self.kept();
        kept.insert(key, version);
        if kept.len() > KEPT {
            kept.pop_last();
        }
    }

    pub(super) fn forget(&self, human_loop: &HumanLoop) {
        if let Some(key) = Mark::of(human_loop).queue_key() {
            self.kept().remove(&key);
        }
    }

    /// Forgets the loops that are no more in the queue, as far as it was listed: else they would stay, since they come first.
    /// Of those that come before the listing only the first are kept, so that there is room for what it holds.
    pub(super) fn keep_listed(&self, after: &str, page: &QueueMarks) {
        let listed: BTreeSet<String> = page.marks.iter().filter_map(Mark::queue_key).collect();
        let is_beyond = |key: &String| page.last.as_ref().is_some_and(|last| key > last);
        let mut before = 0;
        self.kept().retain(|key, _| {
            let is_before = key.as_str() <= after;
            before += usize::from(is_before);
            (is_before && before <= KEPT_BEFORE) || (!is_before && (is_beyond(key) || listed.contains(key)))
        });
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Version>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loops {
    /// Keeps a state that this process wrote or read, for the next write to it.
    pub(super) fn remember(&self, human_loop: HumanLoop, etag: Option<String>) {
        let Some(etag) = etag.filter(|_| human_loop.status == Status::InProgress) else {
            self.taken.forget(&human_loop.name);
            self.known.forget(&human_loop);
            return;
        };
        if human_loop.leases.is_empty() {
            self.taken.forget(&human_loop.name);
            self.known.keep((human_loop, etag));
        } else {
            self.known.forget(&human_loop);
            let name = human_loop.name.clone();
            self.taken.keep(&name, (human_loop, etag));
        }
    }
}
