//! Votes weighed by the error rates of those who gave them, which are learned from the votes themselves.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    Ballot, Consensus, DawidSkene, DecidedBy, Decision, MAX_ESTIMATES, Observation, Record, SMOOTHING,
    Settings, Votes, by_majority, counts, dawid_skene, given, most_frequent, spelt_alike,
};
use crate::labels::{human_loop::Answer, vote::VoteSource};

/// Everybody's error rates, and what they make of each set of votes.
pub(super) struct Weighing<'a> {
    votes: &'a Votes,
    /// Annotator of each worker: reviewers are numbered, users are [`USERS`].
    annotators: Vec<usize>,
    decisions: BTreeMap<Vec<Observation>, Weighed>,
}

/// A consensus on the number of what is said, and the rule that decided it.
type Weighed = (Consensus<usize>, Option<DecidedBy>);

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
            decisions: BTreeMap::new(),
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
        let model = dawid_skene(&records, count, answers, SMOOTHING);
        weighing.decisions = records
            .into_iter()
            .map(|record| {
                let decision = weigh(&model, &record.votes, &all_answers, settings.min_posterior);
                (record.votes, decision)
            })
            .collect();
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

    pub(super) fn decide(&self, ballots: &[Ballot]) -> Decision<'a> {
        let observations = self.observations(ballots);
        let is_final = ballots
            .iter()
            .any(|ballot| ballot.source == VoteSource::Adjudicator);
        if is_final || observations.iter().all(|vote| vote.worker == USERS) {
            return by_majority(self.votes, ballots);
        }
        match self.decisions[&observations] {
            (Consensus::Agreed { answer, confidence }, rule) => {
                let answer = Cow::Borrowed(self.as_spelt(ballots, answer));
                (Consensus::Agreed { answer, confidence }, rule)
            }
            // The question is answered, and nobody will be asked again: so their word counts, improbable as it is.
            (Consensus::Tie | Consensus::Unanswered, _) => by_majority(self.votes, ballots),
        }
    }

    /// Returns an answer to a record in the spelling that is kept there.
    fn as_spelt(&self, ballots: &[Ballot], meaning: usize) -> &'a Answer {
        let meanings = ballots.iter().map(|ballot| self.votes.meaning(ballot));
        let spelt = spelt_alike(given(self.votes, ballots), meanings);
        let mut given = spelt.into_iter().zip(ballots);
        let answer = given.find(|(_, ballot)| self.votes.meaning(ballot) == meaning);
        let (given, _) = answer.expect("only what a reviewer of the record said is chosen");
        given.answer
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

/// Decides on a set of votes: the reviewers by themselves, with the users where as many reviewers are for one answer as for
/// another. Only answers that a reviewer gave are chosen from; a tie where none is probable enough.
fn weigh(model: &DawidSkene, votes: &[Observation], answers: &[&Answer], min_posterior: f64) -> Weighed {
    let reviewers: Vec<Observation> = votes
        .iter()
        .copied()
        .filter(|vote| vote.worker != USERS)
        .collect();
    let best = |posterior: &[f64]| {
        let given = reviewers.iter().map(|vote| (posterior[vote.answer], vote.answer));
        let best = given.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        best.filter(|(probability, _)| *probability > min_posterior)
            .map(|(_, answer)| answer)
    };
    let is_tie = most_frequent(&counts(reviewers.iter().map(|vote| answers[vote.answer]))).len() > 1;
    let among_all = model.posterior(votes);
    let (alone, with_users) = (best(&model.posterior(&reviewers)), best(&among_all));
    let (answer, rule) = match (alone, with_users) {
        (Some(answer), with_users) if !is_tie || with_users == Some(answer) => {
            (answer, DecidedBy::DawidSkene)
        }
        (_, Some(answer)) => (answer, DecidedBy::UserBrokeTie),
        (_, None) => return (Consensus::Tie, None),
    };
    let agreed = Consensus::Agreed {
        answer,
        confidence: among_all[answer],
    };
    (agreed, Some(rule))
}
