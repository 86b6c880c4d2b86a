//! Several people's votes on a record become one consensus.

mod dawid_skene;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use dawid_skene::{DawidSkene, Observation, SMOOTHING, dawid_skene};

use crate::{
    human_loop::Answer,
    labelled::{Vote, VoteSource},
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

/// What the votes on one record come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Consensus {
    /// One answer stands out.
    Agreed {
        /// The answer; [`Answer::Unsure`] only where nobody could tell.
        answer: Answer,
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
        let votes = last_vote_of_each_worker(votes);
        let mut counts: BTreeMap<&Answer, usize> = BTreeMap::new();
        for answer in votes.values().filter(|answer| ***answer != Answer::Unsure) {
            *counts.entry(answer).or_default() += 1;
        }
        let Some(most) = counts.values().copied().max() else {
            return match votes.is_empty() {
                true => Self::Unanswered,
                false => Self::Agreed {
                    answer: Answer::Unsure,
                    confidence: 1.0,
                },
            };
        };
        let mut best = counts.iter().filter(|(_, count)| **count == most);
        match (best.next(), best.next()) {
            (Some((answer, _)), None) => Self::Agreed {
                answer: (*answer).clone(),
                confidence: most as f64 / counts.values().sum::<usize>() as f64,
            },
            _ => Self::Tie,
        }
    }

    /// Returns the labels that people agreed on; nothing for every other outcome.
    pub fn labels(&self) -> Option<&[String]> {
        match self {
            Self::Agreed {
                answer: Answer::Labels { labels },
                ..
            } => Some(labels),
            Self::Agreed {
                answer: Answer::NoneFits | Answer::NewLabel { .. } | Answer::Unsure,
                ..
            }
            | Self::Tie
            | Self::Unanswered => None,
        }
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

/// Consolidates the votes on many records, by record id: by Dawid–Skene once enough of them overlap, else
/// by majority.
///
/// Deterministic; neither the order of records nor that of votes counts. An answer that nobody gave is never
/// the consensus, whatever the model holds: the record is a tie.
pub fn consolidate(votes: &BTreeMap<String, Vec<Vote>>, settings: Settings) -> BTreeMap<String, Consensus> {
    let by_majority = || {
        votes
            .iter()
            .map(|(id, votes)| (id.clone(), Consensus::by_majority(votes)))
            .collect()
    };
    let given: BTreeMap<&String, BTreeMap<&str, &Answer>> = votes
        .iter()
        .map(|(id, votes)| {
            let mut last = last_vote_of_each_worker(votes);
            last.retain(|_, answer| **answer != Answer::Unsure);
            (id, last)
        })
        .collect();
    let answers = numbered(given.values().flat_map(|votes| votes.values().copied()));
    let overlapping = given.values().filter(|votes| votes.len() > 1).count();
    if answers.len() < 2 || overlapping < settings.overlap_per_answer * answers.len() {
        return by_majority();
    }
    let workers = numbered(given.values().flat_map(|votes| votes.keys().copied()));
    let observations: Vec<Vec<Observation>> = given
        .values()
        .map(|votes| {
            let observation = |(worker, answer): (&&str, &&Answer)| Observation {
                worker: workers[worker],
                answer: answers[answer],
            };
            votes.iter().map(observation).collect()
        })
        .collect();
    let model = dawid_skene(&observations, workers.len(), answers.len(), SMOOTHING);
    let by_number: Vec<&Answer> = answers.into_keys().collect();
    votes
        .iter()
        .zip(observations.iter().zip(&model.posteriors))
        .map(|((id, votes), (observed, posterior))| {
            let best = posterior.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
            let consensus = match best {
                _ if observed.is_empty() => Consensus::by_majority(votes),
                Some((answer, &confidence))
                    if confidence > settings.min_posterior
                        && observed.iter().any(|vote| vote.answer == answer) =>
                {
                    Consensus::Agreed {
                        answer: by_number[answer].clone(),
                        confidence,
                    }
                }
                _ => Consensus::Tie,
            };
            (id.clone(), consensus)
        })
        .collect()
}

/// Numbers the different values in their order.
fn numbered<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut numbers: BTreeMap<T, usize> = values.map(|value| (value, 0)).collect();
    numbers
        .values_mut()
        .zip(0..)
        .for_each(|(number, next)| *number = next);
    numbers
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
    fn with_an_adversary(records: usize) -> BTreeMap<String, Vec<Vote>> {
        (0..records)
            .map(|number| {
                let (right, wrong) = if number % 2 == 0 { ("X", "Y") } else { ("Y", "X") };
                let slip = number % 10 == 0;
                let votes = vec![
                    vote("good", right),
                    vote("fair", if slip { wrong } else { right }),
                    vote("adversary", wrong),
                ];
                (format!("{number:03}"), votes)
            })
            .collect()
    }

    #[test]
    fn an_adversary_who_outvotes_with_a_slip_is_outweighed_by_dawid_skene() {
        let votes = with_an_adversary(60);

        let consensus = consolidate(&votes, Settings::default());

        assert_eq!(
            Consensus::by_majority(&votes["000"]),
            agreed("Y", 2.0 / 3.0),
            "the majority is wrong here"
        );
        for (number, (id, consensus)) in consensus.iter().enumerate() {
            let right = vote("", if number % 2 == 0 { "X" } else { "Y" }).answer;
            assert!(
                matches!(consensus, Consensus::Agreed { answer, confidence } if *answer == right && *confidence > 0.8),
                "{id}: {consensus:?}"
            );
        }
    }

    #[test]
    fn too_little_overlap_is_left_to_the_majority() {
        let mut votes = with_an_adversary(19);
        votes.insert("single".into(), vec![vote("good", "X")]);

        let consensus = consolidate(&votes, Settings::default());

        assert!(
            consensus
                .iter()
                .all(|(id, consensus)| *consensus == Consensus::by_majority(&votes[id]))
        );
    }

    #[test]
    fn an_answer_that_nobody_gave_is_no_consensus() {
        let mut votes = with_an_adversary(60);
        votes.insert("alone".into(), vec![vote("adversary", "X")]);
        votes.insert("unsure".into(), vec![vote("good", "?")]);
        votes.insert("nobody".into(), vec![]);

        let consensus = consolidate(&votes, Settings::default());

        assert_eq!(consensus["alone"], Consensus::Tie);
        assert_eq!(consensus["unsure"], agreed("?", 1.0));
        assert_eq!(consensus["nobody"], Consensus::Unanswered);
    }

    proptest! {
        #[test]
        fn neither_the_order_of_votes_nor_their_repetition_counts(
            labels in proptest::collection::vec(proptest::collection::vec(0usize..4, 3), 30..60), rotation in 0usize..3,
        ) {
            let votes = |rotation: usize, twice: bool| -> BTreeMap<String, Vec<Vote>> {
                labels.iter().enumerate().map(|(record, labels)| {
                    let mut votes: Vec<Vote> = labels.iter().enumerate()
                        .map(|(worker, label)| vote(["a", "b", "c"][worker], ["X", "Y", "-", "?"][*label])).collect();
                    votes.rotate_left(rotation);
                    if twice { votes.extend(votes.clone()) }
                    (record.to_string(), votes)
                }).collect()
            };
            let settings = Settings { overlap_per_answer: 1, ..Settings::default() };

            prop_assert_eq!(consolidate(&votes(0, false), settings), consolidate(&votes(rotation, true), settings));
        }

        #[test]
        fn perfect_workers_are_always_agreed(truth in proptest::collection::vec(0usize..3, 30..80)) {
            let votes: BTreeMap<String, Vec<Vote>> = truth.iter().enumerate().map(|(record, label)| {
                (record.to_string(), ["a", "b", "c"].map(|worker| vote(worker, ["X", "Y", "Z"][*label])).to_vec())
            }).collect();

            let consensus = consolidate(&votes, Settings { overlap_per_answer: 1, ..Settings::default() });

            for (record, label) in truth.iter().enumerate() {
                let right = vote("", ["X", "Y", "Z"][*label]).answer;
                let consensus = &consensus[&record.to_string()];
                prop_assert!(matches!(consensus, Consensus::Agreed { answer, .. } if *answer == right), "{consensus:?}");
            }
        }
    }
}
