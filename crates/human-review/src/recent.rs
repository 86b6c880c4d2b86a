//! What this process read or wrote lately, since a task is shown, answered and written out within minutes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is kept of each kind unless it says otherwise; Amazon A2I takes inputs of 100 kB.
const KEPT: usize = 16;

/// The last things, newest first, by what names them.
#[derive(Debug)]
pub struct Recent<T> {
    kept: Arc<Mutex<VecDeque<(String, T)>>>,
    most: usize,
}

impl<T: Clone> Recent<T> {
    /// Returns a place for the last `most` things.
    pub fn of(most: usize) -> Self {
        Self {
            kept: Arc::default(),
            most,
        }
    }

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
        kept.truncate(self.most);
    }

    /// Forgets what has the name.
    pub fn forget(&self, name: &str) {
        self.kept().retain(|(kept, _)| kept != name);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(String, T)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Recent<T> {
    fn clone(&self) -> Self {
        Self {
            kept: self.kept.clone(),
            most: self.most,
        }
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            kept: Arc::default(),
            most: KEPT,
        }
    }
}
