//! Likes that came before people were asked about their text: they are votes on its question once there is one, as those
//! are that come after. Nobody is asked because of them, and without a question nothing reads them.

use serde::{Deserialize, Serialize};

use super::vote::Vote;

/// Version of the shape that is written.
const SCHEMA_VERSION: u32 = 1;

/// People whose votes are kept of one text.
pub const MAX_VOTERS: usize = 200;

/// The likes of a text that came early, in whatever spelling: the content of `claims/liked-<form>`. It holds no text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlyVotes {
    schema_version: u32,
    votes: Vec<EarlyVote>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlyVote {
    /// What was said.
    pub vote: Vote,
    /// Tells feedback on the same text apart: see [`occurrence`](crate::sampling::duplicates::occurrence).
    pub occurrence: u64,
}

/// What became of a vote that was to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept now.
    New,
    /// It was kept before, or its user has said something since.
    Known,
    /// It is not kept, since [`MAX_VOTERS`] others are.
    Full,
}

impl Default for EarlyVotes {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            votes: Vec::new(),
        }
    }
}

impl EarlyVotes {
    /// Keeps a vote; of each user the last one.
    pub fn keep(&mut self, vote: Vote, occurrence: u64) -> Kept {
        let early = EarlyVote { vote, occurrence };
        let is_full = self.votes.len() >= MAX_VOTERS;
        let is_own = |other: &&mut EarlyVote| other.vote.voter() == early.vote.voter();
        match self.votes.iter_mut().find(is_own) {
            Some(own) if own.vote.at >= early.vote.at => Kept::Known,
            Some(own) => {
                *own = early;
                Kept::New
            }
            None if is_full => Kept::Full,
            None => {
                self.votes.push(early);
                Kept::New
            }
        }
    }

    /// Returns the votes, in the order in which their users came.
    pub fn votes(&self) -> &[EarlyVote] {
        &self.votes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::{human_loop::Answer, vote::VoteSource};

    fn vote(user: &str, label: &str, at: &str) -> Vote {
        Vote {
            worker: format!("user:{user}"),
            answer: Answer::labels([label]),
            source: VoteSource::Feedback,
            at: at.to_owned(),
            seconds: None,
            note: Default::default(),
        }
    }

    #[test]
    fn of_each_user_the_last_vote_is_kept_in_whatever_order_they_come() {
        let mut early = EarlyVotes::default();

        let kept = [
            early.keep(vote("ada", "World", "2026-11-20T10:00:02Z"), 1),
            early.keep(vote(" ADA", "Sports", "2026-11-20T10:00:01Z"), 2),
            early.keep(vote("ada", "World", "2026-11-20T10:00:02Z"), 1),
            early.keep(vote("bob", "World", "2026-11-20T10:00:01Z"), 3),
            early.keep(vote("ada", "Sports", "2026-11-20T10:00:03Z"), 4),
        ];

        assert_eq!(kept, [Kept::New, Kept::Known, Kept::Known, Kept::New, Kept::New]);
        let occurrences: Vec<u64> = early.votes().iter().map(|early| early.occurrence).collect();
        assert_eq!(occurrences, [4, 3]);
    }

    #[test]
    fn a_text_that_very_many_like_has_as_many_votes_as_one_object_may_hold() {
        let mut early = EarlyVotes::default();
        let user = |number: usize| vote(&number.to_string(), "World", "2026-11-20T10:00:00Z");

        let all_kept = (0..MAX_VOTERS).all(|number| early.keep(user(number), 0) == Kept::New);

        assert!(all_kept);
        assert_eq!(early.keep(user(MAX_VOTERS), 0), Kept::Full);
        assert_eq!(early.votes().len(), MAX_VOTERS);
    }
}
