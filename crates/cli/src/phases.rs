//! How far a build or a training is, on the terminal: one line that changes.

use std::{
    cell::Cell,
    io::{IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

/// Whether progress is shown.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// Shows no progress from now on.
pub fn be_quiet(quiet: bool) {
    IS_QUIET.store(quiet, Ordering::Relaxed);
}

/// Says on standard error what happens, unless it is to be quiet.
pub fn note(text: &str) {
    if !IS_QUIET.load(Ordering::Relaxed) {
        eprintln!("{text}");
    }
}

/// How many of many things are done, on standard error.
///
/// On a terminal one line changes; elsewhere each tenth is a line of its own.
pub struct Counter {
    what: &'static str,
    all: usize,
    is_terminal: bool,
}

impl Counter {
    /// Returns a counter of so many things.
    pub fn new(what: &'static str, all: usize) -> Self {
        Self {
            what,
            all,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Shows that so many are done.
    pub fn show(&self, done: usize) {
        let (what, all) = (self.what, self.all);
        if IS_QUIET.load(Ordering::Relaxed) {
            return;
        }
        if self.is_terminal {
            eprint!("\r  {done} of {all} {what} ");
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        } else if is_tenth(done, all) {
            eprintln!("  {done} of {all} {what}");
        }
    }

    /// Ends the line.
    pub fn end(&self) {
        if self.is_terminal && !IS_QUIET.load(Ordering::Relaxed) {
            eprintln!();
        }
    }
}

/// Returns whether a whole tenth of all things is done with this one.
fn is_tenth(done: usize, all: usize) -> bool {
    done * 10 / all.max(1) > done.saturating_sub(1) * 10 / all.max(1)
}

/// The phases of a build, shown on standard error.
///
/// On a terminal one line changes, with the seconds of the phase; elsewhere each phase is a line of its own.
pub struct Phases {
    phase: Cell<Option<(&'static str, Instant)>>,
    is_terminal: bool,
}

impl Default for Phases {
    fn default() -> Self {
        Self {
            phase: Cell::new(None),
            is_terminal: std::io::stderr().is_terminal(),
        }
    }
}

impl Phases {
    /// Takes in that a state of the state machine was entered.
    pub fn enter(&self, state: &str) {
        if let Some(phase) = phase_of(state) {
            self.begin(phase);
        }
    }

    /// Begins a phase, unless it is the current one.
    pub fn begin(&self, phase: &'static str) {
        if IS_QUIET.load(Ordering::Relaxed) {
            return;
        }
        if self.phase.get().is_some_and(|(current, _)| current == phase) {
            return;
        }
        self.end();
        self.phase.set(Some((phase, Instant::now())));
        if self.is_terminal {
            self.show();
        } else {
            eprintln!("  {phase}");
        }
    }

    /// Brings the seconds up to date, on a terminal.
    pub fn show(&self) {
        if let (Some((phase, since)), true) = (self.phase.get(), self.is_terminal) {
            eprint!("\r  {phase} … {} s ", since.elapsed().as_secs());
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    }

    /// Ends the line of the phase.
    pub fn end(&self) {
        self.show();
        if self.phase.take().is_some() && self.is_terminal {
            eprintln!();
        }
    }
}

/// Returns what people call the part of a build that a state belongs to; nothing for those in between.
fn phase_of(state: &str) -> Option<&'static str> {
    Some(match state {
        "Assemble" | "Check" => "Assembling the dataset",
        "Train" | "WaitForTraining" | "DescribeTraining" => "Training",
        "StartEvaluation" | "WaitForEvaluation" | "DescribeEvaluation" => "Evaluating on the test set",
        "Select" => "Comparing with the champion",
        "AskForApproval" | "WaitForApproval" => "Waiting for an approval",
        "Deploy" | "WaitForEndpoint" | "DescribeDeployment" | "SwitchBack" => "Deploying",
        "Verify" | "Record" => "Recording",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_a_terminal_ten_lines_at_most_say_how_far_it_is() {
        let lines = |all: usize| (1..=all).filter(|&done| is_tenth(done, all)).collect::<Vec<_>>();

        assert_eq!(lines(3), [1, 2, 3]);
        assert_eq!(lines(20), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
        assert_eq!(lines(1_234).len(), 10);
    }

    #[test]
    fn every_task_and_wait_of_the_state_machine_belongs_to_a_phase_or_is_over_at_once() {
        let machine = include_str!("../../../infra/model-building.asl.json");
        let machine: serde_json::Value = serde_json::from_str(machine).expect("JSON");
        let states = machine["States"].as_object().expect("states");

        let without: Vec<&String> = states
            .iter()
            .filter(|(_, state)| matches!(state["Type"].as_str(), Some("Wait" | "Task")))
            .map(|(name, _)| name)
            .filter(|name| phase_of(name).is_none())
            .collect();

        assert_eq!(without, ["Begin", "Notify", "Tell"]);
    }
}
