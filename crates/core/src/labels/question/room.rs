//! How many votes of users a question keeps: it is read and written whole with each of them.

use super::Question;
use crate::labels::vote::{Vote, VoteSource};

/// Users whose votes a question keeps.
pub const MAX_USERS: usize = 200;

impl Question {
    /// Makes room for a vote of a user where as many are kept as may be: of each user the newest vote takes the place of those
    /// before it. Returns whether there is room. Who has voted here may change their mind.
    pub(super) fn makes_room_for(&mut self, vote: &Vote) -> bool {
        let of_users = |votes: &[Vote]| votes.iter().filter(|vote| is_of_user(vote)).count();
        if !is_of_user(vote) || of_users(&self.votes) < MAX_USERS {
            return true;
        }
        self.forget_earlier_votes();
        let is_known = |known: &Vote| is_of_user(known) && known.voter() == vote.voter();
        of_users(&self.votes) < MAX_USERS || self.votes.iter().any(is_known)
    }

    /// Forgets the votes of users that are not their last.
    fn forget_earlier_votes(&mut self) {
        let mut newest: Vec<(String, String)> = Vec::new();
        for vote in self.votes.iter().filter(|vote| is_of_user(vote)) {
            let voter = vote.voter();
            match newest.iter_mut().find(|(known, _)| *known == voter) {
                Some((_, at)) if *at < vote.at => at.clone_from(&vote.at),
                Some(_) => {}
                None => newest.push((voter.into_owned(), vote.at.clone())),
            }
        }
        let is_last = |vote: &Vote| {
            let voter = vote.voter();
            let mut all = newest.iter();
            all.any(|(known, at)| *known == voter && *at == vote.at)
        };
        self.votes.retain(|vote| !is_of_user(vote) || is_last(vote));
    }
}

fn is_of_user(vote: &Vote) -> bool {
    vote.source == VoteSource::Feedback
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        feedback::{FeedbackRequest, Source},
        labels::{
            human_loop::Answer,
            question::{Effect, Opinion},
        },
    };

    fn question() -> Question {
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: "Text".into(),
            ..FeedbackRequest::default()
        };
        let record = request.into_record(Source::ExplicitApi, "2026-11-20T10:00:00.000Z");
        Question::asked(record.expect("complete"), "review-1", 1)
    }

    fn vote(user: usize, label: &str, minute: usize) -> Vote {
        Vote {
            worker: format!("user:{user}"),
            answer: Answer::labels([label]),
            source: VoteSource::Feedback,
            at: format!("2026-11-20T{:02}:{:02}:00.000Z", 11 + minute / 60, minute % 60),
            seconds: None,
            note: Default::default(),
        }
    }

    #[test]
    fn the_votes_of_one_user_who_changes_their_mind_without_end_are_bounded_and_the_last_one_counts() {
        let mut question = question();

        for minute in 0..3 * MAX_USERS {
            let label = if minute % 2 == 0 { "World" } else { "Sports" };
            assert_eq!(
                question.hear(&Opinion::For(vote(1, label, minute))),
                Effect::Counted
            );
        }

        assert!(question.votes.len() <= MAX_USERS, "{}", question.votes.len());
        assert_eq!(question.users_hold(), [(&Answer::labels(["Sports"]), 1)]);
        assert_eq!(question.votes_left_out, 0);
    }

    #[test]
    fn one_user_more_than_are_kept_is_left_out_and_counted_and_who_is_known_still_votes() {
        let mut question = question();
        for user in 0..MAX_USERS {
            question.hear(&Opinion::For(vote(user, "World", 0)));
        }

        let one_more = question.hear(&Opinion::For(vote(MAX_USERS, "Sports", 1)));
        let json = String::from_utf8(question.to_json()).expect("UTF-8");
        let known = question.hear(&Opinion::For(vote(7, "Sports", 2)));
        question.answer_with(&[Vote {
            source: VoteSource::HumanReview,
            worker: "w1".into(),
            ..vote(0, "World", 3)
        }]);

        assert_eq!((one_more, known), (Effect::LeftOut, Effect::Counted));
        assert!(json.contains("\"votesLeftOut\":1"), "{json}");
        let held: usize = question.users_hold().iter().map(|(_, users)| users).sum();
        assert_eq!(held, MAX_USERS);
        assert_eq!(question.reviewers(), ["w1"], "reviewers have room");
    }

    #[test]
    fn a_question_of_the_version_before_with_more_votes_is_read_and_becomes_smaller_with_the_next_vote() {
        let mut question = question();
        let votes: Vec<Vote> = (0..2 * MAX_USERS)
            .map(|minute| vote(1, "World", minute))
            .collect();
        question.add(&votes);
        let mut read = Question::parse(&question.to_json()).expect("a question");

        read.hear(&Opinion::For(vote(2, "World", 1)));

        assert_eq!(read.votes.len(), 2);
    }
}
