//! What this process read or wrote lately, since a task is shown, answered and written out within minutes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is kept of each kind; Amazon A2I takes inputs of 100 kB.
const KEPT: usize = 16;

/// The last things, newest first, by what names them.
#[derive(Debug)]
pub struct Recent<T>(Arc<Mutex<VecDeque<(String, T)>>>);

impl<T: Clone> Recent<T> {
    /// Returns what has the name.
    pub fn get(&self, name: &str) -> Option<T> {
        let kept = self.kept();
        let found = kept.iter().find(|(kept, _)| kept == name);
        found.map(|(_, thing)| thing.clone())
    }

    /// Returns what has the name, and forgets it.
    pub fn take(&self, name: &str) -> Option<T> {
        let mut kept = self.kept();
        let place = kept.iter().position(|(kept, _)| kept == name)?;
        kept.remove(place).map(|(_, thing)| thing)
    }

    /// Keeps it instead of what had the name.
    pub fn keep(&self, name: &str, thing: T) {
        let mut kept = self.kept();
        kept.retain(|(kept, _)| kept != name);
        kept.push_front((name.to_owned(), thing));
        kept.truncate(KEPT);
    }

    /// Forgets what has the name.
    pub fn forget(&self, name: &str) {
        self.kept().retain(|(kept, _)| kept != name);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(String, T)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}
