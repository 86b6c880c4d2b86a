//! Several people's votes on a record become one consensus.

mod dawid_skene;
mod votes;

use std::{borrow::Borrow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

pub use dawid_skene::{DawidSkene, Observation, Record, SMOOTHING, dawid_skene};
pub(crate) use votes::Ballot;
pub use votes::{Ballots, Votes};

use crate::labels::{
    human_loop::Answer,
    vote::{Vote, VoteSource},
};

/// Records with several votes, per answer that occurs, from which Dawid–Skene takes over by default.
///
/// Each row of a worker's confusion matrix then rests on about ten records, which leaves a standard error of
/// 0.13 on a rate of 0.8. With fewer, error rates are noise and majority is the better estimate.
pub const OVERLAP_PER_ANSWER: usize = 10;

/// Posterior probability that a Dawid–Skene consensus needs by default.
///
/// Half: the answer is then more probable than all the others together.
pub const MIN_POSTERIOR: f64 = 0.5;

/// Most numbers that Dawid–Skene may have to hold: different sets of votes × answers, and workers × answers².
///
/// 32 MB twice, and a minute at the longest. Beyond, the majority decides.
const MAX_ESTIMATES: usize = 4_000_000;

/// What the votes on one record come to. Consensus on many records refers to their answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Consensus<A = Answer> {
    /// One answer stands out.
    Agreed {
        /// The answer; [`Answer::Unsure`] only where nobody could tell.
        answer: A,
        /// How sure it is, from 0 to 1: the share of votes by majority, so 1 for a single vote; the posterior
        /// probability by Dawid–Skene.
        confidence: f64,
    },
    /// No answer stands out: one more opinion is wanted.
    Tie,
    /// No reviewer answered.
    Unanswered,
}

impl Consensus {
    /// Consolidates by majority: the most frequent answer, if no other is as frequent.
    ///
    /// A worker has one vote, their last. Who is unsure does not vote. Several labels are one answer:
    /// they are right together or not at all.
    pub fn by_majority(votes: &[Vote]) -> Self {
        majority(last_vote_of_each_worker(votes).into_values()).cloned()
    }
}

impl Consensus<&Answer> {
    /// Returns the same with an answer of its own.
    pub fn cloned(self) -> Consensus {
        match self {
            Self::Agreed { answer, confidence } => Consensus::Agreed {
                answer: answer.clone(),
                confidence,
            },
            Self::Tie => Consensus::Tie,
            Self::Unanswered => Consensus::Unanswered,
        }
    }
}

impl<A: Borrow<Answer>> Consensus<A> {
    /// Returns the labels that people agreed on; nothing for every other outcome.
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Agreed { answer, .. } => match answer.borrow() {
                Answer::Labels { labels } => Some(labels),
                Answer::NoneFits | Answer::NewLabel { .. } | Answer::Unsure => None,
            },
            Self::Tie | Self::Unanswered => None,
        }
    }
}

/// Returns the most frequent answer, if no other is as frequent, of one answer a worker.
fn majority<'a>(answers: impl Iterator<Item = &'a Answer>) -> Consensus<&'a Answer> {
    let mut counts: BTreeMap<&Answer, usize> = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer).or_default() += 1;
    }
    let unsure = counts.remove_entry(&Answer::Unsure);
    let Some(most) = counts.values().copied().max() else {
        return match unsure {
            None => Consensus::Unanswered,
            Some((answer, _)) => Consensus::Agreed {
                answer,
                confidence: 1.0,
            },
        };
    };
    let mut best = counts.iter().filter(|(_, count)| **count == most);
    match (best.next(), best.next()) {
        (Some((answer, _)), None) => Consensus::Agreed {
            answer,
            confidence: most as f64 / counts.values().sum::<usize>() as f64,
        },
        _ => Consensus::Tie,
    }
}

/// Returns the last answer of each worker; of two at the same instant the greater.
///
/// None where no reviewer voted: a label that came with feedback is one vote, and no review.
pub(crate) fn last_vote_of_each_worker(votes: &[Vote]) -> BTreeMap<&str, &Answer> {
    if votes.iter().all(|vote| vote.source == VoteSource::Feedback) {
        return BTreeMap::new();
    }
    let mut last: BTreeMap<&str, (&str, &Answer)> = BTreeMap::new();
    for vote in votes {
        let given = (vote.at.as_str(), &vote.answer);
        let kept = last.entry(&vote.worker).or_insert(given);
        *kept = (*kept).max(given);
    }
    last.into_iter()
        .map(|(worker, (_, answer))| (worker, answer))
        .collect()
}

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
    /// Record id and consensus, in the order of ids.
    records: Vec<(u128, Consensus<&'a Answer>)>,
}

impl<'a> Consolidated<'a> {
    /// Returns the consensus on a record.
    pub fn of(&self, id: u128) -> Consensus<&'a Answer> {
        match self.records.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(place) => self.records[place].1,
            Err(_) => Consensus::Unanswered,
        }
    }
}

/// Consolidates the votes on many records: by Dawid–Skene once enough of them overlap, else by majority.
///
/// Deterministic. An answer that nobody gave is never the consensus, whatever the model holds: the record is a
/// tie. Records with the same votes are estimated once, so memory grows with the different sets of votes.
pub fn consolidate(votes: &Votes, settings: Settings) -> Consolidated<'_> {
    let sure = |ballots: &[Ballot]| -> Vec<Observation> {
        let sure = ballots
            .iter()
            .filter(|ballot| *votes.answer(ballot) != Answer::Unsure);
        let observation = |ballot: &Ballot| Observation {
            worker: ballot.worker as usize,
            answer: ballot.answer as usize,
        };
        sure.map(observation).collect()
    };
    let (answers, workers) = (votes.answers.len(), votes.workers.len());
    let sure_answers = votes.answers.iter().filter(|answer| **answer != Answer::Unsure);
    let sure_answers = sure_answers.count();
    let is_sure = |ballot: &&Ballot| *votes.answer(ballot) != Answer::Unsure;
    let overlapping = votes
        .records()
        .filter(|(_, ballots)| ballots.iter().filter(is_sure).nth(1).is_some())
        .count();
    let enough = sure_answers >= 2 && overlapping >= settings.overlap_per_answer * sure_answers;
    let by_majority = || Consolidated {
        method: Method::Majority,
        records: votes
            .records()
            .map(|(id, ballots)| (id, majority(ballots.iter().map(|ballot| votes.answer(ballot)))))
            .collect(),
    };
    if !enough || workers.saturating_mul(answers * answers) > MAX_ESTIMATES {
        return by_majority();
    }
    let mut records_with: BTreeMap<Vec<Observation>, usize> = BTreeMap::new();
    for (_, ballots) in votes.records() {
        *records_with.entry(sure(ballots)).or_default() += 1;
    }
    if records_with.len() * answers > MAX_ESTIMATES {
        return by_majority();
    }
    let records: Vec<Record> = records_with
        .iter()
        .map(|(votes, count)| Record {
            votes: votes.clone(),
            count: *count,
        })
        .collect();
    let model = dawid_skene(&records, workers, answers, SMOOTHING);
    let consensus_of: BTreeMap<&[Observation], Consensus<&Answer>> = records
        .iter()
        .zip(&model.posteriors)
        .map(|(record, posterior)| {
            let best = posterior.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            let consensus = match best {
                Some((answer, &confidence))
                    if confidence > settings.min_posterior
                        && record.votes.iter().any(|vote| vote.answer == answer) =>
                {
                    Consensus::Agreed {
                        answer: &votes.answers[answer],
                        confidence,
                    }
                }
                _ => Consensus::Tie,
            };
            (record.votes.as_slice(), consensus)
        })
        .collect();
    let consensus = |ballots: &[Ballot]| {
        let sure = sure(ballots);
        if sure.is_empty() {
            majority(ballots.iter().map(|ballot| votes.answer(ballot)))
        } else {
            consensus_of[sure.as_slice()]
        }
    };
    Consolidated {
        method: Method::DawidSkene,
        records: votes
            .records()
            .map(|(id, ballots)| (id, consensus(ballots)))
            .collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn vote(worker: &str, label: &str) -> Vote {
        Vote {
            worker: worker.into(),
            answer: match label {
                "?" => Answer::Unsure,
                "-" => Answer::NoneFits,
                label => Answer::labels([label]),
            },
            source: VoteSource::HumanReview,
            at: "2026-11-20T10:00:00Z".into(),
            seconds: None,
        }
    }

    fn majority(votes: &[(&str, &str)]) -> Consensus {
        let votes: Vec<Vote> = votes.iter().map(|(worker, label)| vote(worker, label)).collect();
        Consensus::by_majority(&votes)
    }

    fn agreed(label: &str, confidence: f64) -> Consensus {
        Consensus::Agreed {
            answer: vote("", label).answer,
            confidence,
        }
    }

    #[test]
    fn the_most_frequent_answer_wins_and_equal_ones_tie() {
        assert_eq!(
            majority(&[("a", "X"), ("b", "X"), ("c", "Y")]),
            agreed("X", 2.0 / 3.0)
        );
        assert_eq!(majority(&[("a", "X"), ("b", "Y")]), Consensus::Tie);
        assert_eq!(
            majority(&[("a", "X"), ("b", "-"), ("c", "-")]),
            agreed("-", 2.0 / 3.0)
        );
        assert_eq!(majority(&[("a", "X")]), agreed("X", 1.0));
        assert_eq!(majority(&[]), Consensus::Unanswered);
    }

    #[test]
    fn who_is_unsure_does_not_vote_unless_nobody_is_sure() {
        assert_eq!(majority(&[("a", "X"), ("b", "?"), ("c", "?")]), agreed("X", 1.0));
        assert_eq!(majority(&[("a", "?"), ("b", "?")]), agreed("?", 1.0));
    }

    #[test]
    fn a_worker_has_one_vote_their_last() {
        let mut later = vote("a", "Y");
        later.at = "2026-11-20T10:00:01Z".into();

        let consensus = Consensus::by_majority(&[later, vote("a", "X"), vote("a", "X")]);

        assert_eq!(consensus, agreed("Y", 1.0));
    }

    #[test]
    fn only_agreed_labels_are_labels() {
        assert_eq!(agreed("X", 0.9).labels(), Some(&["X".to_owned()][..]));
        for other in [
            agreed("-", 1.0),
            agreed("?", 1.0),
            Consensus::Tie,
            Consensus::Unanswered,
        ] {
            assert_eq!(other.labels(), None);
        }
    }

    /// Two reliable workers, and one who calls every X a Y and every Y an X.
    fn with_an_adversary(records: u128) -> BTreeMap<u128, Vec<Vote>> {
        (0..records)
            .map(|number| {
                let (right, wrong) = if number % 2 == 0 { ("X", "Y") } else { ("Y", "X") };
                let slip = number % 10 == 0;
                let votes = vec![
                    vote("good", right),
                    vote("fair", if slip { wrong } else { right }),
                    vote("adversary", wrong),
                ];
                (number, votes)
            })
            .collect()
    }

    pub(crate) fn counted(votes: &BTreeMap<u128, Vec<Vote>>) -> Votes {
        let mut ballots = Ballots::default();
        for (id, votes) in votes {
            votes.iter().for_each(|vote| ballots.add(*id, vote));
        }
        ballots.count()
    }

    #[test]
    fn an_adversary_who_outvotes_with_a_slip_is_outweighed_by_dawid_skene() {
        let votes = with_an_adversary(60);
        let counted = counted(&votes);

        let consensus = consolidate(&counted, Settings::default());

        assert_eq!(consensus.method, Method::DawidSkene);
        assert_eq!(
            Consensus::by_majority(&votes[&0]),
            agreed("Y", 2.0 / 3.0),
            "the majority is wrong here"
        );
        for id in votes.keys() {
            let right = vote("", if id % 2 == 0 { "X" } else { "Y" }).answer;
            let consensus = consensus.of(*id);
            assert!(
                matches!(consensus, Consensus::Agreed { answer, confidence } if *answer == right && confidence > 0.8),
                "{id}: {consensus:?}"
            );
        }
    }

    #[test]
    fn too_little_overlap_is_left_to_the_majority() {
        let mut votes = with_an_adversary(19);
        votes.insert(99, vec![vote("good", "X")]);
        let counted = counted(&votes);

        let consensus = consolidate(&counted, Settings::default());

        assert_eq!(consensus.method, Method::Majority);
        for (id, votes) in &votes {
            assert_eq!(consensus.of(*id).cloned(), Consensus::by_majority(votes));
        }
    }

    #[test]
    fn an_answer_that_nobody_gave_is_no_consensus() {
        let mut votes = with_an_adversary(60);
        votes.insert(100, vec![vote("adversary", "X")]);
        votes.insert(101, vec![vote("good", "?")]);
        let counted = counted(&votes);

        let consensus = consolidate(&counted, Settings::default());

        assert_eq!(consensus.of(100), Consensus::Tie);
        assert_eq!(consensus.of(101).cloned(), agreed("?", 1.0));
        assert_eq!(consensus.of(102), Consensus::Unanswered);
    }

    proptest! {
        #[test]
        fn neither_the_order_of_votes_nor_their_repetition_counts(
            labels in proptest::collection::vec(proptest::collection::vec(0usize..4, 3), 30..60), rotation in 0usize..3,
        ) {
            let votes = |rotation: usize, twice: bool| {
                counted(&labels.iter().zip(0..).map(|(labels, record)| {
                    let mut votes: Vec<Vote> = labels.iter().enumerate()
                        .map(|(worker, label)| vote(["a", "b", "c"][worker], ["X", "Y", "-", "?"][*label])).collect();
                    votes.rotate_left(rotation);
                    if twice { votes.extend(votes.clone()) }
                    (record, votes)
                }).collect())
            };
            let settings = Settings { overlap_per_answer: 1, ..Settings::default() };

            let (plain, turned) = (votes(0, false), votes(rotation, true));
            prop_assert_eq!(consolidate(&plain, settings), consolidate(&turned, settings));
        }

        #[test]
        fn perfect_workers_are_always_agreed(truth in proptest::collection::vec(0usize..3, 30..80)) {
            let votes = counted(&truth.iter().zip(0..).map(|(label, record)| {
                (record, ["a", "b", "c"].map(|worker| vote(worker, ["X", "Y", "Z"][*label])).to_vec())
            }).collect());

            let consensus = consolidate(&votes, Settings { overlap_per_answer: 1, ..Settings::default() });

            for (label, record) in truth.iter().zip(0..) {
                let right = vote("", ["X", "Y", "Z"][*label]).answer;
                let consensus = consensus.of(record);
                prop_assert!(matches!(consensus, Consensus::Agreed { answer, .. } if *answer == right), "{consensus:?}");
            }
        }
    }
}
