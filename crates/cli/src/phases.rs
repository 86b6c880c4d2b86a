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
