//! The human loops that a question was asked in.

use super::{Question, State};

impl Question {
    /// Returns whether a loop has asked the question already, whatever asks it by now.
    pub fn was_asked_in(&self, human_loop: &str) -> bool {
        self.first_loop.as_deref() == Some(human_loop) || self.asked_in.iter().any(|name| name == human_loop)
    }

    /// Returns whether people are to answer it in this loop, or in a further round or a repetition of it.
    pub fn is_asked_in(&self, human_loop: &str) -> bool {
        self.state == State::Asked && self.human_loop.is_some() && !self.is_asked_elsewhere(human_loop)
    }

    /// Remembers in which loops an earlier question about the same text was asked.
    pub fn remember_loops_of(&mut self, earlier: &Self) {
        let mut asked_in = earlier.asked_in.clone();
        asked_in.extend(earlier.first_loop.clone());
        asked_in.append(&mut self.asked_in);
        for name in asked_in {
            if !self.asked_in.contains(&name) {
                self.asked_in.push(name);
            }
        }
    }

    /// Gives up asking. Where people had agreed before a vote opened the question again, an adjudicator decides: their answer
    /// is contradicted still.
    pub fn give_up(&mut self) {
        if let State::Asked | State::Abandoned = self.state {
            self.state = match self.reopened {
                0 => State::Abandoned,
                _ => State::Disputed,
            };
        }
    }
}
