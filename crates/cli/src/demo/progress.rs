//! Progress on the terminal.

use std::io::{IsTerminal, Write};

/// One stage on the terminal: a line that counts up, or its end alone where the output is a file.
pub(super) struct Progress {
    stage: &'static str,
    total: usize,
    terminal: bool,
}

impl Progress {
    pub(super) fn new(stage: &'static str, total: usize) -> Self {
        Self {
            stage,
            total,
            terminal: std::io::stdout().is_terminal(),
        }
    }

    pub(super) fn show(&self, done: usize) {
        if self.terminal {
            print!("\r  {:<18}{done:>4} of {}", self.stage, self.total);
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stdout().flush();
        } else if done == self.total {
            print!("  {:<18}{done:>4} of {}", self.stage, self.total);
        }
    }

    pub(super) fn end(&self) {
        println!();
    }
}
