//! What is new in the votes on a question. A correction repeats its whole page: what somebody says again is no news.

use super::Question;
use crate::labels::vote::Vote;

impl Question {
    /// Returns when somebody who was asked has last said something else than before.
    pub fn newest_review(&self) -> Option<&str> {
        let says_the_same =
            |last: &Vote, vote: &Vote| (&last.answer, &last.note) == (&vote.answer, &vote.note);
        newest(self.reviews(), says_the_same)
    }

    /// Returns when somebody, asked or not, has last given another answer than before.
    pub fn newest_answer(&self) -> Option<&str> {
        newest(self.votes.iter(), gives_the_same_answer)
    }

    /// Returns whether a reviewer has answered since a change of the label set asked it anew. Who says again what they
    /// answered before, and what is not in doubt, has not.
    pub fn is_answered_anew(&self) -> bool {
        newest(self.reviews(), gives_the_same_answer) > Some(self.record.received_at.as_str())
    }

    fn reviews(&self) -> impl Iterator<Item = &Vote> {
        self.votes.iter().filter(|vote| vote.source.is_review())
    }
}

fn gives_the_same_answer(last: &Vote, vote: &Vote) -> bool {
    last.answer == vote.answer
}

/// Returns the time of the newest vote that does not say the same as the last one of its worker before it.
fn newest<'a>(
    votes: impl Iterator<Item = &'a Vote>,
    says_the_same: impl Fn(&Vote, &Vote) -> bool,
) -> Option<&'a str> {
    let mut votes: Vec<&Vote> = votes.collect();
    votes.sort_by(|one, other| (one.voter(), &one.at).cmp(&(other.voter(), &other.at)));
    let mut before: Option<&Vote> = None;
    votes.retain(|vote| {
        let last = before.replace(*vote);
        let last = last.filter(|last| (last.voter(), last.source) == (vote.voter(), vote.source));
        !last.is_some_and(|last| says_the_same(last, vote))
    });
    votes.into_iter().map(|vote| vote.at.as_str()).max()
}
