//! A function's process, and how it dies: all its calls end at once, wherever it is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Where in an invocation a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Death {
    /// The call to a service at which it dies, counted from 0.
    pub call: usize,
    /// Whether that call is carried out.
    pub is_carried_out: bool,
}

/// What a process does at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on.
    Goes,
    /// It dies, and the call is carried out or not.
    Dies { is_carried_out: bool },
    /// It is dead.
    IsDead,
}

/// The life of a process.
#[derive(Debug, Default)]
pub struct Life {
    state: Mutex<State>,
    died: Notify,
}

#[derive(Debug, Default)]
struct State {
    calls: usize,
    /// Which of them change something.
    writes: Vec<usize>,
    death: Option<Death>,
    is_dead: bool,
}

impl Life {
    /// Begins an invocation, in which it may die.
    pub fn begin(&self, death: Option<Death>) {
        let mut state = self.state();
        state.calls = 0;
        state.writes.clear();
        state.death = death;
    }

    /// Counts a call, and says what becomes of it.
    pub fn step(&self, is_write: bool) -> Step {
        let mut state = self.state();
        if state.is_dead {
            return Step::IsDead;
        }
        let call = state.calls;
        state.calls += 1;
        if is_write {
            state.writes.push(call);
        }
        match state.death {
            Some(death) if death.call == call => Step::Dies {
                is_carried_out: death.is_carried_out,
            },
            _ => Step::Goes,
        }
    }

    /// Ends it.
    pub fn die(&self) {
        self.state().is_dead = true;
        self.died.notify_one();
    }

    /// Waits until it dies.
    pub async fn death(&self) {
        self.died.notified().await;
    }

    /// Returns the calls of this invocation that changed something, by their numbers.
    pub fn writes(&self) -> Vec<usize> {
        self.state().writes.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
