//! The votes on many records, decided together.

use serde::{Deserialize, Serialize};

use super::{
    Ballot, Consensus, DecidedBy, Decision, Given, OVERLAP_PER_ANSWER, Votes, decide,
    label_weighing::LabelWeighing, votes::Time, weighing::Weighing,
};
use crate::labels::human_loop::Answer;

/// When error rates are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Records with several votes, per answer that occurs, from which Dawid–Skene is used.
    pub overlap_per_answer: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            overlap_per_answer: OVERLAP_PER_ANSWER,
        }
    }
}

/// How it is found how sure a consensus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The share of those who voted.
    Majority,
    /// Its probability by everybody's estimated error rates.
    DawidSkene,
}

/// Probability of an answer below which it is doubtful: it is less probable than all others together.
const DOUBTFUL_BELOW: f64 = 0.5;

/// What the votes on many records come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Consolidated<'a> {
    /// How it was found how sure each is.
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

    /// Returns whether an answer is more probably wrong than right, by the error rates of those who gave it: somebody else should
    /// look at it. Never where error rates are unknown, nor of an adjudicator's answer.
    pub fn is_doubtful(&self, id: u128) -> bool {
        let is_improbable = |decision: &Decision<'_>| {
            matches!(decision.0, Consensus::Agreed { confidence, .. } if confidence < DOUBTFUL_BELOW)
                && decision.1 != Some(DecidedBy::Adjudicator)
        };
        self.method == Method::DawidSkene && self.decision(id).is_some_and(is_improbable)
    }

    fn decision(&self, id: u128) -> Option<&Decision<'a>> {
        let place = self.records.binary_search_by_key(&id, |(id, _)| *id);
        place.ok().map(|place| &self.records[place].1)
    }
}

/// Consolidates the votes on many records, each by majority, as its question is: a text has one label wherever it is looked at.
///
/// How sure an answer is, is its probability by Dawid–Skene once enough records overlap, else the share of votes. Error rates
/// choose no other answer than people gave: who is estimated from other texts has not spoken on this one.
///
/// Deterministic. All users are one annotator, whose error rates are learned like anybody's: weak before they
/// overlap with reviewers. Records with the same votes
/// are estimated once, so memory grows with the different sets of votes. Where texts may have several labels, error rates are
/// those on each label: whether they name it where it fits, and where it does not.
pub fn consolidate(votes: &Votes, settings: Settings) -> Consolidated<'_> {
    if votes.have_several_labels() {
        if let Some(weighing) = LabelWeighing::of(votes, settings) {
            return weighed(votes, |ballots, answer| weighing.probability(ballots, answer));
        }
    } else if let Some(weighing) = Weighing::of(votes, settings) {
        return weighed(votes, |ballots, answer| weighing.probability(ballots, answer));
    }
    decided(votes, Method::Majority, |ballots| by_majority(votes, ballots))
}

/// Decides on every record by majority, and says how probable its answer is.
fn weighed<'a>(
    votes: &'a Votes,
    probability: impl Fn(&[Ballot], &Answer) -> Option<f64>,
) -> Consolidated<'a> {
    decided(votes, Method::DawidSkene, |ballots| {
        let (mut consensus, rule) = by_majority(votes, ballots);
        if let Consensus::Agreed { answer, confidence } = &mut consensus
            && rule.is_some_and(|rule| rule != DecidedBy::Adjudicator)
            && let Some(probability) = probability(ballots, answer)
        {
            *confidence = probability;
        }
        (consensus, rule)
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
fn by_majority<'a>(votes: &'a Votes, ballots: &[Ballot]) -> Decision<'a> {
    let meanings = ballots.iter().map(|ballot| votes.meaning(ballot));
    decide(given(votes, ballots), meanings)
}

/// Returns what was given to one record, in the order of its ballots.
fn given<'a>(votes: &'a Votes, ballots: &[Ballot]) -> Vec<Given<'a, Time>> {
    let given = ballots.iter().map(|ballot| Given {
        source: ballot.source,
        at: ballot.at,
        answer: votes.answer(ballot),
        silent_on: votes.silent_on(ballot),
    });
    given.collect()
}
