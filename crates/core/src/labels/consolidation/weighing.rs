//! How probable answers are by the error rates of those who voted, which are learned from the votes themselves.

use std::collections::BTreeMap;

use super::{Ballot, MAX_ESTIMATES, Observation, Record, SMOOTHING, Settings, Votes, dawid_skene};
use crate::labels::human_loop::Answer;

/// What everybody's error rates make of each set of votes.
pub(super) struct Weighing<'a> {
    votes: &'a Votes,
    /// Annotator of each worker: reviewers are numbered, users are [`USERS`].
    annotators: Vec<usize>,
    /// How probable each answer is, by the number of what it says.
    probabilities: BTreeMap<Vec<Observation>, Vec<f64>>,
}

/// The annotator that all users are.
pub(super) const USERS: usize = 0;

impl<'a> Weighing<'a> {
    /// Fits the model; `None` where too few records overlap, or it would take too much memory.
    pub(super) fn of(votes: &'a Votes, settings: Settings) -> Option<Self> {
        let annotators = annotators(votes);
        let count = annotators.iter().max()? + 1;
        let all_answers = votes.answers();
        let answers = all_answers.len();
        let sure_answers = all_answers
            .iter()
            .filter(|answer| ***answer != Answer::Unsure)
            .count();
        if sure_answers < 2 || count.saturating_mul(answers * answers) > MAX_ESTIMATES {
            return None;
        }
        let mut weighing = Self {
            votes,
            annotators,
            probabilities: BTreeMap::new(),
        };
        let mut records_with: BTreeMap<Vec<Observation>, usize> = BTreeMap::new();
        for (_, ballots) in votes.records() {
            *records_with.entry(weighing.observations(ballots)).or_default() += 1;
        }
        let overlapping: usize = records_with
            .iter()
            .filter(|(votes, _)| votes.len() > 1)
            .map(|(_, count)| count)
            .sum();
        let few = overlapping < settings.overlap_per_answer * sure_answers;
        if few || records_with.len() * answers > MAX_ESTIMATES {
            return None;
        }
        let records: Vec<Record> = records_with
            .into_iter()
            .map(|(votes, count)| Record { votes, count })
            .collect();
        let posteriors = dawid_skene(&records, count, answers, SMOOTHING).posteriors;
        let sets = records.into_iter().map(|record| record.votes);
        weighing.probabilities = sets.zip(posteriors).collect();
        Some(weighing)
    }

    fn observations(&self, ballots: &[Ballot]) -> Vec<Observation> {
        let mut observations: Vec<Observation> = ballots
            .iter()
            .filter(|ballot| *self.votes.answer(ballot) != Answer::Unsure)
            .map(|ballot| Observation {
                worker: annotator(&self.annotators, ballot),
                answer: self.votes.meaning(ballot),
            })
            .collect();
        observations.sort_unstable();
        observations
    }

    /// Returns how probable an answer to a record is; `None` where nobody gave it, so that nothing is known of it.
    pub(super) fn probability(&self, ballots: &[Ballot], answer: &Answer) -> Option<f64> {
        let gave_it = |ballot: &&Ballot| self.votes.answer(ballot).says_the_same(answer);
        let meaning = self.votes.meaning(ballots.iter().find(gave_it)?);
        let probabilities = self.probabilities.get(&self.observations(ballots))?;
        probabilities.get(meaning).copied()
    }
}

/// Returns who gave a ballot: who has answered one record may be a mere witness of another.
pub(super) fn annotator(annotators: &[usize], ballot: &Ballot) -> usize {
    match ballot.is_review() {
        true => annotators[ballot.worker as usize],
        false => USERS,
    }
}

/// Numbers the reviewers from 1.
pub(super) fn annotators(votes: &Votes) -> Vec<usize> {
    let mut is_reviewer = vec![false; votes.workers.len()];
    for (_, ballots) in votes.records() {
        for ballot in ballots.iter().filter(|ballot| ballot.is_review()) {
            is_reviewer[ballot.worker as usize] = true;
        }
    }
    let mut reviewers = USERS;
    is_reviewer
        .into_iter()
        .map(|is_reviewer| {
            reviewers += usize::from(is_reviewer);
            if is_reviewer { reviewers } else { USERS }
        })
        .collect()
}
