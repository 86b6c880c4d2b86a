//! The votes on many records, decided together.

use serde::{Deserialize, Serialize};

use super::{
    Ballot, Consensus, DecidedBy, Decision, Given, MIN_POSTERIOR, OVERLAP_PER_ANSWER, Votes, decide,
    label_weighing::LabelWeighing, votes::Time, weighing::Weighing,
};
use crate::labels::human_loop::Answer;

/// When Dawid–Skene is used and what it needs to be believed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Records with several votes, per answer that occurs, from which Dawid–Skene is used.
    pub overlap_per_answer: usize,
    /// Posterior probability that an answer must exceed.
    pub min_posterior: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            overlap_per_answer: OVERLAP_PER_ANSWER,
            min_posterior: MIN_POSTERIOR,
        }
    }
}

/// How many votes became one consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The most frequent answer.
    Majority,
    /// The most probable answer, by everybody's estimated error rates.
    DawidSkene,
}

/// What the votes on many records come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Consolidated<'a> {
    /// How it was found.
    pub method: Method,
    /// Record id, consensus and the rule that decided it, in the order of ids.
    records: Vec<(u128, Decision<'a>)>,
}

impl<'a> Consolidated<'a> {
    /// Returns the consensus on a record.
    pub fn of(&self, id: u128) -> Consensus<&Answer> {
        let decision = self.decision(id);
        decision.map_or(Consensus::Unanswered, |(consensus, _)| consensus.borrowed())
    }

    /// Returns the rule that decided on a record; none where nothing is agreed.
    pub fn decided_by(&self, id: u128) -> Option<DecidedBy> {
        self.decision(id).and_then(|(_, rule)| *rule)
    }

    fn decision(&self, id: u128) -> Option<&Decision<'a>> {
        let place = self.records.binary_search_by_key(&id, |(id, _)| *id);
        place.ok().map(|place| &self.records[place].1)
    }
}

/// Consolidates the votes on many records: by Dawid–Skene once enough of them overlap, else by majority.
///
/// Deterministic. All users are one annotator, whose error rates are learned like anybody's: weak before they
/// overlap with reviewers. Reviewers decide; users only break what is open between them. An answer with a
/// label that no reviewer named is never the consensus, whatever the model holds; where texts may have several labels, it may
/// name labels together that no single reviewer named together. Where the model finds none of theirs probable, the
/// majority decides, as it did when the question was answered: one reviewer's word counts. What is tied by majority is a tie,
/// however reliable who is: people are asked about it, or an adjudicator is to decide. Records with the same votes
/// are estimated once, so memory grows with the different sets of votes. Where texts may have several labels, error rates are
/// those on each label: whether they name it where it fits, and where it does not.
pub fn consolidate(votes: &Votes, settings: Settings) -> Consolidated<'_> {
    if votes.have_several_labels() {
        if let Some(weighing) = LabelWeighing::of(votes, settings) {
            return weighed(votes, |ballots| weighing.decide(ballots));
        }
    } else if let Some(weighing) = Weighing::of(votes, settings) {
        return weighed(votes, |ballots| weighing.decide(ballots));
    }
    decided(votes, Method::Majority, |ballots| by_majority(votes, ballots))
}

/// Decides on every record by error rates, but for what is tied: a question knows its own votes alone, and is open by them.
fn weighed<'a>(votes: &'a Votes, weigh: impl Fn(&[Ballot]) -> Decision<'a>) -> Consolidated<'a> {
    decided(votes, Method::DawidSkene, |ballots| {
        match by_majority(votes, ballots) {
            tie @ (Consensus::Tie, _) => tie,
            _ => weigh(ballots),
        }
    })
}

/// Decides on every record.
fn decided<'a>(
    votes: &'a Votes,
    method: Method,
    decide: impl Fn(&[Ballot]) -> Decision<'a>,
) -> Consolidated<'a> {
    let records = votes.records().map(|(id, ballots)| (id, decide(ballots)));
    Consolidated {
        method,
        records: records.collect(),
    }
}

/// Decides on one record by majority.
pub(super) fn by_majority<'a>(votes: &'a Votes, ballots: &[Ballot]) -> Decision<'a> {
    let meanings = ballots.iter().map(|ballot| votes.meaning(ballot));
    decide(given(votes, ballots), meanings)
}

/// Returns what was given to one record, in the order of its ballots.
pub(super) fn given<'a>(votes: &'a Votes, ballots: &[Ballot]) -> Vec<Given<'a, Time>> {
    let given = ballots.iter().map(|ballot| Given {
        source: ballot.source,
        at: ballot.at,
        answer: votes.answer(ballot),
        silent_on: votes.silent_on(ballot),
    });
    given.collect()
}
