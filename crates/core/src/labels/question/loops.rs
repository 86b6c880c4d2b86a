//! The human loops that a question was asked in.

use super::{Question, State};
use crate::{
    feedback::{FeedbackRecord, Signal},
    labels::{
        label_set::LabelSet,
        vote::{Vote, VoteSource},
    },
};

impl Question {
    /// Returns whether a loop has asked the question already, whatever asks it by now.
    pub fn was_asked_in(&self, human_loop: &str) -> bool {
        self.first_loop.as_deref() == Some(human_loop) || self.asked_in.iter().any(|name| name == human_loop)
    }

    /// Returns whether people are to answer it in this loop, or in a further round or a repetition of it.
    pub fn is_asked_in(&self, human_loop: &str) -> bool {
        self.state == State::Asked && self.human_loop.is_some() && !self.is_asked_elsewhere(human_loop)
    }

    /// Returns whether a vote that comes from a loop says only what its worker said before another loop asked the question: the
    /// page of the first does not show it any more, so that a correction of another text of that page repeats it.
    pub fn was_said_before_it_was_taken_off(&self, human_loop: &str, vote: &Vote) -> bool {
        let asked_at = self.record.received_at.as_str();
        let mut said = self.in_doubt.iter().chain(&self.votes);
        self.is_taken_off(human_loop)
            && !self.votes.contains(vote)
            && said.any(|said| {
                (&said.worker, said.source, &said.answer) == (&vote.worker, vote.source, &vote.answer)
                    && said.at.as_str() <= asked_at
            })
    }

    /// Notes that a further round asks what was taken off the page of the loop before: who had that page open has answered all the
    /// same, and others contradict. Not where another loop asks it by now.
    pub fn ask_further(&mut self, left_open_by: &str, next: &str) {
        if self.state == State::Asked && self.human_loop.is_none() {
            self.human_loop = Some(left_open_by.to_owned());
            self.asked_in.push(next.to_owned());
        }
    }

    /// Returns whether people are being asked since a change of the label set asked it anew.
    pub fn is_asked_anew(&self) -> bool {
        self.state == State::Asked && self.human_loop.is_some() && self.record.signal == Signal::Relabel
    }

    /// Joins what a change of the label set asks to what another change asks already: its loop shows the labels of today, so
    /// that it answers both. `asker`, the loop or the delivered object that was to ask it too, counts as one that has asked it.
    /// Returns whether it is so.
    pub fn join(&mut self, anew: &FeedbackRecord, asker: &str) -> bool {
        if anew.signal != Signal::Relabel || !self.is_asked_anew() {
            return false;
        }
        if anew.received_at > self.record.received_at {
            self.record.received_at.clone_from(&anew.received_at);
        }
        self.asked_in.push(asker.to_owned());
        true
    }

    /// Notes that people were still asked an earlier question about the same text, in its latest loop: this one is asked in the
    /// place of it. Returns that loop.
    pub fn take_over_from(&mut self, earlier: &Self) -> Option<String> {
        let open = earlier
            .human_loop
            .as_ref()
            .filter(|_| earlier.state == State::Asked)?;
        if !self.was_asked_in(open) {
            let latest = self.asked_in.len().saturating_sub(1);
            self.asked_in.insert(latest, open.clone());
        }
        Some(open.clone())
    }

    /// Returns the loop that asked the question before this one: this one may have taken it over from there.
    pub fn loop_before(&self, human_loop: &str) -> Option<String> {
        let place = self.asked_in.iter().position(|name| name == human_loop)?;
        self.asked_in.get(place.checked_sub(1)?).cloned()
    }

    /// Remembers in which loops an earlier question about the same text was asked, and what was written of it.
    pub fn remember_loops_of(&mut self, earlier: &Self) {
        let mut asked_in = earlier.asked_in.clone();
        asked_in.extend(earlier.first_loop.clone());
        asked_in.append(&mut self.asked_in);
        for name in asked_in {
            if !self.asked_in.contains(&name) {
                self.asked_in.push(name);
            }
        }
        let mut earlier = earlier.clone();
        earlier.remember_answer_of_before();
        self.lines = earlier.lines;
    }

    /// Gives up asking. Where people have answered, though they do not agree, or a vote has contradicted what they agreed on,
    /// an adjudicator decides, unless users have since: what they said is not dropped.
    pub fn give_up(&mut self, labels: Option<&LabelSet>) {
        if let State::Asked | State::Abandoned = self.state {
            let mut votes = self.votes.iter().chain(&self.in_doubt);
            let is_answered = votes.any(|vote| vote.source == VoteSource::HumanReview);
            if self.reopened > 0 || is_answered {
                self.state = State::Asked;
                self.wait_no_more(labels);
            } else {
                self.state = State::Abandoned;
            }
        }
    }
}
