//! Several people's votes on a record become one consensus.

mod dawid_skene;
mod votes;

use std::{
    borrow::{Borrow, Cow},
    collections::BTreeMap,
};

use serde::{Deserialize, Serialize};

pub use dawid_skene::{DawidSkene, Observation, Record, SMOOTHING, dawid_skene};
pub(crate) use votes::Ballot;
use votes::Time;
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
        /// The answer; [`Answer::Unsure`] only where nobody could tell: then somebody else is to be asked.
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

/// The rule that decided a consensus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecidedBy {
    /// An adjudicator: the newest of their answers is final.
    Adjudicator,
    /// The only reviewer who was sure.
    SingleReviewer,
    /// The most frequent answer of several reviewers.
    Majority,
    /// Reviewers, weighed by everybody's estimated error rates.
    DawidSkene,
    /// Reviewers gave different answers with equal weight, and users hold one of these right.
    UserBrokeTie,
}

impl Consensus {
    /// Consolidates by majority, and names the rule that decided; none where nothing is agreed.
    ///
    /// A worker has one vote, their last. Who is unsure does not vote. Several labels are one answer:
    /// they are right together or not at all. An adjudicator's answer is final. Otherwise the most frequent
    /// answer of the reviewers counts; what users hold right breaks their ties and decides nothing else.
    pub fn by_majority(votes: &[Vote]) -> (Self, Option<DecidedBy>) {
        let (consensus, rule) = decide(last_vote_of_each_worker(votes).into_iter());
        (consensus.cloned(), rule)
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
    /// Returns whether an answer came out of it: one stands out, and it is not that nobody can tell.
    pub fn is_answer(&self) -> bool {
        match self {
            Self::Agreed { answer, .. } => *answer.borrow() != Answer::Unsure,
            Self::Tie | Self::Unanswered => false,
        }
    }

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

/// An answer, where it comes from and when it was given.
type Given<'a, T> = (VoteSource, T, &'a Answer);

/// Decides by majority, of one answer a worker.
fn decide<'a, T: Ord>(
    given: impl Iterator<Item = Given<'a, T>>,
) -> (Consensus<&'a Answer>, Option<DecidedBy>) {
    let (mut last_word, mut reviewers, mut users) = (None, Vec::new(), Vec::new());
    for (source, at, answer) in given {
        match source {
            VoteSource::Adjudicator => last_word = last_word.max(Some((at, answer))),
            VoteSource::HumanReview | VoteSource::Import => reviewers.push(answer),
            VoteSource::Feedback => users.push(answer),
        }
    }
    if let Some((_, answer)) = last_word {
        return (certain(answer), Some(DecidedBy::Adjudicator));
    }
    let sure = reviewers
        .iter()
        .filter(|answer| ***answer != Answer::Unsure)
        .count();
    let consensus = match majority(reviewers.iter().copied()) {
        Consensus::Tie => {
            let tied = most_frequent(&counts(reviewers.iter().copied()));
            let among_tied = users.into_iter().filter(|answer| tied.contains(answer));
            return match majority(among_tied) {
                Consensus::Agreed { answer, .. } => {
                    let votes = reviewers.iter().filter(|other| **other == answer).count();
                    let confidence = votes as f64 / sure as f64;
                    let agreed = Consensus::Agreed { answer, confidence };
                    (agreed, Some(DecidedBy::UserBrokeTie))
                }
                Consensus::Tie | Consensus::Unanswered => (Consensus::Tie, None),
            };
        }
        other => other,
    };
    let rule = match consensus {
        Consensus::Agreed { .. } if sure > 1 => Some(DecidedBy::Majority),
        Consensus::Agreed { .. } if sure == 1 => Some(DecidedBy::SingleReviewer),
        Consensus::Agreed { .. } => None, // All are unsure, which decides nothing.
        Consensus::Tie | Consensus::Unanswered => None,
    };
    (consensus, rule)
}

fn certain(answer: &Answer) -> Consensus<&Answer> {
    Consensus::Agreed {
        answer,
        confidence: 1.0,
    }
}

fn counts<'a>(answers: impl Iterator<Item = &'a Answer>) -> BTreeMap<&'a Answer, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer).or_default() += 1;
    }
    counts
}

/// Returns the answers that were given most often; of those who are unsure none.
fn most_frequent<'a>(counts: &BTreeMap<&'a Answer, usize>) -> Vec<&'a Answer> {
    let sure = || counts.iter().filter(|(answer, _)| ***answer != Answer::Unsure);
    let most = sure().map(|(_, count)| *count).max();
    sure()
        .filter(|(_, count)| Some(**count) == most)
        .map(|(answer, _)| *answer)
        .collect()
}

/// Returns the most frequent answer, if no other is as frequent.
fn majority<'a>(answers: impl Iterator<Item = &'a Answer>) -> Consensus<&'a Answer> {
    let counts = counts(answers);
    let sure: usize = counts
        .iter()
        .filter(|(answer, _)| ***answer != Answer::Unsure)
        .map(|(_, count)| count)
        .sum();
    match (most_frequent(&counts).as_slice(), counts.keys().next()) {
        ([answer], _) => Consensus::Agreed {
            answer,
            confidence: counts[answer] as f64 / sure as f64,
        },
        ([], Some(unsure)) => certain(unsure),
        ([], None) => Consensus::Unanswered,
        _ => Consensus::Tie,
    }
}

/// Returns the last answer of each worker; of two at the same instant the greater.
pub(crate) fn last_vote_of_each_worker(votes: &[Vote]) -> Vec<Given<'_, &str>> {
    let mut last: BTreeMap<Cow<'_, str>, (&str, &Answer, VoteSource)> = BTreeMap::new();
    for vote in votes {
        let given = (vote.at.as_str(), &vote.answer, vote.counts_as());
        let kept = last.entry(vote.voter()).or_insert(given);
        if (given.0, given.1) > (kept.0, kept.1) {
            *kept = given;
        }
    }
    last.into_values()
        .map(|(at, answer, source)| (source, at, answer))
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
    /// Record id, consensus and the rule that decided it, in the order of ids.
    records: Vec<(u128, Decision<'a>)>,
}

/// A consensus and the rule that decided it; none where nothing is agreed.
type Decision<'a> = (Consensus<&'a Answer>, Option<DecidedBy>);

impl<'a> Consolidated<'a> {
    /// Returns the consensus on a record.
    pub fn of(&self, id: u128) -> Consensus<&'a Answer> {
        self.decision(id).0
    }

    /// Returns the rule that decided on a record; none where nothing is agreed.
    pub fn decided_by(&self, id: u128) -> Option<DecidedBy> {
        self.decision(id).1
    }

    fn decision(&self, id: u128) -> Decision<'a> {
        match self.records.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(place) => self.records[place].1,
            Err(_) => (Consensus::Unanswered, None),
        }
    }
}

/// Consolidates the votes on many records: by Dawid–Skene once enough of them overlap, else by majority.
///
/// Deterministic. All users are one annotator, whose error rates are learned like anybody's: weak before they
/// overlap with reviewers. Reviewers decide; users only break what is open between them. An answer that no
/// reviewer gave is never the consensus, whatever the model holds: the record is a tie. Records with the same votes are
/// estimated once, so memory grows with the different sets of votes.
pub fn consolidate(votes: &Votes, settings: Settings) -> Consolidated<'_> {
    match Weighing::of(votes, settings) {
        None => Consolidated {
            method: Method::Majority,
            records: votes
                .records()
                .map(|(id, ballots)| (id, decide(given(votes, ballots))))
                .collect(),
        },
        Some(weighing) => Consolidated {
            method: Method::DawidSkene,
            records: votes
                .records()
                .map(|(id, ballots)| (id, weighing.decide(ballots)))
                .collect(),
        },
    }
}

fn given<'a>(votes: &'a Votes, ballots: &[Ballot]) -> impl Iterator<Item = Given<'a, Time>> {
    ballots
        .iter()
        .map(|ballot| (ballot.source, ballot.at, votes.answer(ballot)))
}

/// Everybody's error rates, and what they make of each set of votes.
struct Weighing<'a> {
    votes: &'a Votes,
    /// Annotator of each worker: reviewers are numbered, users are [`USERS`].
    annotators: Vec<usize>,
    decisions: BTreeMap<Vec<Observation>, Decision<'a>>,
}

/// The annotator that all users are.
const USERS: usize = 0;

impl<'a> Weighing<'a> {
    /// Fits the model; `None` where too few records overlap, or it would take too much memory.
    fn of(votes: &'a Votes, settings: Settings) -> Option<Self> {
        let annotators = annotators(votes);
        let count = annotators.iter().max()? + 1;
        let answers = votes.answers.len();
        let sure_answers = votes
            .answers
            .iter()
            .filter(|answer| **answer != Answer::Unsure)
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
                let decision = weigh(&model, &record.votes, &votes.answers, settings.min_posterior);
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
                worker: self.annotators[ballot.worker as usize],
                answer: ballot.answer as usize,
            })
            .collect();
        observations.sort_unstable();
        observations
    }

    fn decide(&self, ballots: &[Ballot]) -> Decision<'a> {
        let observations = self.observations(ballots);
        let is_final = ballots
            .iter()
            .any(|ballot| ballot.source == VoteSource::Adjudicator);
        if is_final || observations.iter().all(|vote| vote.worker == USERS) {
            return decide(given(self.votes, ballots));
        }
        self.decisions[&observations]
    }
}

/// Numbers the reviewers from 1.
fn annotators(votes: &Votes) -> Vec<usize> {
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
/// another. Only answers that a reviewer gave are chosen from.
fn weigh<'a>(
    model: &DawidSkene,
    votes: &[Observation],
    answers: &'a [Answer],
    min_posterior: f64,
) -> Decision<'a> {
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
    let is_tie = most_frequent(&counts(reviewers.iter().map(|vote| &answers[vote.answer]))).len() > 1;
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
        answer: &answers[answer],
        confidence: among_all[answer],
    };
    (agreed, Some(rule))
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
            note: Default::default(),
        }
    }

    fn majority(votes: &[(&str, &str)]) -> Consensus {
        let votes: Vec<Vote> = votes.iter().map(|(worker, label)| vote(worker, label)).collect();
        Consensus::by_majority(&votes).0
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
    fn that_nobody_can_tell_is_no_answer_and_decided_by_no_rule() {
        let (unsure, rule) = Consensus::by_majority(&[vote("a", "?")]);

        assert_eq!((unsure.is_answer(), rule), (false, None));
        assert!(majority(&[("a", "?"), ("b", "X")]).is_answer());
        assert!(!majority(&[("a", "X"), ("b", "Y")]).is_answer());
    }

    #[test]
    fn a_worker_has_one_vote_their_last() {
        let mut later = vote("a", "Y");
        later.at = "2026-11-20T10:00:01Z".into();

        let (consensus, _) = Consensus::by_majority(&[later, vote("a", "X"), vote("a", "X")]);

        assert_eq!(consensus, agreed("Y", 1.0));
    }

    #[test]
    fn a_user_whose_name_is_typed_in_another_way_is_the_same_user() {
        let tie = [vote("r", "X"), vote("s", "Y")];
        let mut later = user("ann", "Y");
        later.at = "2026-11-20T10:00:01Z".into();
        let votes = [&tie[..], &[user(" Ann ", "X"), later]].concat();
        let counted = counted(&BTreeMap::from([(1, votes.clone())]));

        let expected = (agreed("Y", 0.5), Some(DecidedBy::UserBrokeTie));

        assert_eq!(Consensus::by_majority(&votes), expected);
        let consensus = consolidate(&counted, Settings::default());
        assert_eq!(consensus.of(1).cloned(), expected.0);
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

    fn user(name: &str, label: &str) -> Vote {
        Vote {
            source: VoteSource::Feedback,
            ..vote(&format!("user:{name}"), label)
        }
    }

    fn adjudicator(label: &str) -> Vote {
        Vote {
            source: VoteSource::Adjudicator,
            ..vote("adjudicator:lea", label)
        }
    }

    #[test]
    fn with_one_reviewer_the_reviewer_s_word_counts_however_many_users_differ() {
        let votes = [user("a", "Y"), user("b", "Y"), vote("r", "X")];

        let decided = Consensus::by_majority(&votes);

        assert_eq!(decided, (agreed("X", 1.0), Some(DecidedBy::SingleReviewer)));
    }

    #[test]
    fn users_break_a_tie_of_reviewers_and_add_no_answer_of_their_own() {
        let tie = [vote("r", "X"), vote("s", "Y")];
        let with = |users: &[Vote]| Consensus::by_majority(&[&tie, users].concat());

        assert_eq!(
            with(&[user("a", "Y"), user("b", "Z"), user("c", "Z")]),
            (agreed("Y", 0.5), Some(DecidedBy::UserBrokeTie))
        );
        assert_eq!(with(&[user("a", "Z")]), (Consensus::Tie, None));
        assert_eq!(with(&[user("a", "X"), user("b", "Y")]), (Consensus::Tie, None));
    }

    #[test]
    fn a_user_alone_is_no_review() {
        assert_eq!(
            Consensus::by_majority(&[user("a", "X")]),
            (Consensus::Unanswered, None)
        );
    }

    #[test]
    fn an_adjudicator_is_final_also_against_dawid_skene() {
        let mut votes = with_an_adversary(60);
        votes.insert(100, vec![vote("good", "X"), vote("fair", "X"), adjudicator("Y")]);
        let counted = counted(&votes);

        let consensus = consolidate(&counted, Settings::default());

        assert_eq!(consensus.method, Method::DawidSkene);
        assert_eq!(consensus.of(100).cloned(), agreed("Y", 1.0));
        assert_eq!(consensus.decided_by(100), Some(DecidedBy::Adjudicator));
        assert_eq!(
            Consensus::by_majority(&votes[&100]),
            (agreed("Y", 1.0), Some(DecidedBy::Adjudicator))
        );
    }

    /// A reliable reviewer on every record, and users who are right or never right.
    fn with_users(right: bool) -> BTreeMap<u128, Vec<Vote>> {
        (0..60)
            .map(|number| {
                let (truth, other) = if number % 2 == 0 { ("X", "Y") } else { ("Y", "X") };
                let said = if right { truth } else { other };
                let users = user(&format!("{number}"), said);
                (number, vec![vote("good", truth), vote("fair", truth), users])
            })
            .collect()
    }

    #[test]
    fn users_are_one_annotator_that_is_learned_and_outvotes_no_reviewer() {
        for (right, expected) in [(true, "X"), (false, "Y")] {
            let mut votes = with_users(right);
            votes.insert(100, vec![vote("new", "X"), vote("newer", "Y"), user("u", "X")]);
            votes.insert(101, vec![vote("good", "X"), user("u", "Y"), user("v", "Y")]);
            let counted = counted(&votes);

            let consensus = consolidate(&counted, Settings::default());

            assert_eq!(consensus.method, Method::DawidSkene);
            let broken = consensus.of(100);
            assert!(
                matches!(broken, Consensus::Agreed { answer, .. } if *answer == vote("", expected).answer),
                "{right}: {broken:?}"
            );
            let outvoted = consensus.of(101);
            assert!(
                matches!(outvoted, Consensus::Agreed { answer, .. } if *answer == vote("", "X").answer),
                "{right}: {outvoted:?}"
            );
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
            Consensus::by_majority(&votes[&0]).0,
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
            assert_eq!(consensus.of(*id).cloned(), Consensus::by_majority(votes).0);
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
