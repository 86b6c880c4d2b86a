//! What users call wrong, and what they have said since.

use super::{MAX_USERS, Opinion, Question, State};
use crate::{
    feedback::{FeedbackRecord, Signal},
    labels::{
        human_loop::Answer,
        label_key::broad_key,
        vote::{Vote, VoteSource},
    },
};

impl Question {
    /// Remembers what users call wrong, of each of them the last complaint, of the first [`MAX_USERS`] who complain.
    pub fn remember_complaints(&mut self, complaints: &[Vote]) {
        for complaint in complaints {
            let is_full = self.complaints.len() >= MAX_USERS;
            let is_of_user = |known: &&mut Vote| known.voter() == complaint.voter();
            match self.complaints.iter_mut().find(is_of_user) {
                Some(known) if known.at > complaint.at => {}
                Some(known) => known.clone_from(complaint),
                None if is_full => {}
                None => self.complaints.push(complaint.clone()),
            }
        }
    }

    /// Returns whether a user has called wrong since what they voted for.
    pub(super) fn was_called_wrong_since(&self, vote: &Vote) -> bool {
        self.complaints.iter().any(|complaint| {
            complaint.voter() == vote.voter()
                && complaint.at > vote.at
                && (complaint.answer == Answer::Unsure || complaint.answer.says_the_same(&vote.answer))
        })
    }

    /// Returns whether a user has voted again since.
    pub(super) fn has_later_vote_than(&self, vote: &Vote) -> bool {
        let mut of_user = self
            .votes
            .iter()
            .filter(|other| other.source == VoteSource::Feedback);
        of_user.any(|other| other.voter() == vote.voter() && other.at > vote.at)
    }

    /// Returns whether the user of a record has complained or voted since.
    pub(super) fn has_later_word_than(&self, record: &FeedbackRecord) -> bool {
        let word = Vote::of_user(record, Answer::Unsure);
        let is_later = |complaint: &Vote| complaint.voter() == word.voter() && complaint.at > word.at;
        self.complaints.iter().any(is_later) || self.has_later_vote_than(&word)
    }

    /// Returns whether a like that does not say of what may speak for the user of earlier feedback: it names its user, or the
    /// prediction that people are asked about.
    pub(super) fn may_be_liked_by(&self, like: &FeedbackRecord) -> bool {
        like.user.is_some() || are_of_one_user(&self.record, like)
    }

    /// Returns whether the like that took the complaint back takes back a further complaint too, one of the same user that
    /// was not made after it.
    pub fn takes_back(&self, copy: &FeedbackRecord) -> bool {
        let is_before = |at: &String| copy.received_at <= *at;
        self.state == State::Withdrawn
            && copy.signal == Signal::Dislike
            && self.taken_back_at.as_ref().is_some_and(is_before)
            && are_of_one_user(&self.record, copy)
    }
}

/// Returns what the user of a record calls wrong, as a word of theirs; `None` where they vote, or call nothing wrong.
pub(super) fn complaint_of(record: &FeedbackRecord, opinion: &Opinion) -> Option<Vote> {
    match opinion {
        Opinion::Against(wrong) => Some(Vote::of_user(record, wrong.clone())),
        Opinion::AgainstAll => Some(Vote::of_user(record, Answer::Unsure)),
        Opinion::For(_) | Opinion::Past { .. } | Opinion::None => None,
    }
}

/// Returns whether two records are of the same named user or, where one of them names none, about the same prediction.
pub(super) fn are_of_one_user(one: &FeedbackRecord, other: &FeedbackRecord) -> bool {
    let key = |name: Option<&String>| name.map(|name| broad_key(name));
    let same =
        |of: fn(&FeedbackRecord) -> Option<&String>| of(one).is_some() && key(of(one)) == key(of(other));
    match (&one.user, &other.user) {
        (Some(_), Some(_)) => same(|record| record.user.as_ref()),
        _ => same(|record| record.prediction_id.as_ref()),
    }
}
