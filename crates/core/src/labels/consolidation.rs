//! Several people's votes on a record become one consensus.

mod dawid_skene;
mod label_weighing;
mod many;
mod per_label;
mod spelling;
mod votes;
mod weighing;

use std::{
    borrow::{Borrow, Cow},
    collections::BTreeMap,
};

use serde::{Deserialize, Serialize};

pub use dawid_skene::{DawidSkene, Observation, Record, SMOOTHING, dawid_skene};
pub use many::{Consolidated, Method, Settings, consolidate};
pub(crate) use per_label::NamedLabels;
use spelling::spelt_alike;
pub(crate) use votes::Ballot;
pub use votes::{Ballots, Votes};

use crate::labels::{
    human_loop::Answer,
    vote::{Vote, VoteSource},
};

/// Records with several votes, per answer that occurs, from which error rates say how sure an answer is.
///
/// Each row of a worker's confusion matrix then rests on about ten records, which leaves a standard error of
/// 0.13 on a rate of 0.8. With fewer, error rates are noise and the share of votes is the better estimate.
pub const OVERLAP_PER_ANSWER: usize = 10;

/// Answers of reviewers from which the most frequent one decides as a whole where its labels one by one are tied.
///
/// Of three or fewer none is more frequent than the others without a majority for each of its labels.
const MIN_WHOLE_ANSWERS: usize = 4;

/// Most numbers that Dawid–Skene may have to hold: different sets of votes × answers, and workers × answers².
///
/// 32 MB twice, and a minute at the longest. Beyond, the share of votes says how sure an answer is.
const MAX_ESTIMATES: usize = 4_000_000;

/// What the votes on one record come to. Consensus on many records refers to their answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Consensus<A = Answer> {
    /// One answer stands out.
    Agreed {
        /// The answer; [`Answer::Unsure`] only where nobody could tell: then somebody else is to be asked.
        answer: A,
        /// How sure it is, from 0 to 1: the share of votes, so 1 for a single vote; where error rates are known the posterior
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
    /// The most frequent answer of several reviewers. Where earlier versions stored that error rates had decided, that is read
    /// as this.
    #[serde(alias = "dawid-skene")]
    Majority,
    /// Reviewers gave different answers with equal weight, and users hold one of these right.
    UserBrokeTie,
}

impl Consensus {
    /// Consolidates by majority, and names the rule that decided; none where nothing is agreed.
    ///
    /// A worker has one vote, their last. Who is unsure does not vote. An adjudicator's answer is final. Otherwise the most
    /// frequent answer of the reviewers counts; what users hold right breaks their ties and decides nothing else. An imported
    /// proposal that is a label by now counts as a reviewer's answer where there is none, else as a user's word.
    /// Answers that name the same labels are one, however these are spelt; of the spellings that reviewers gave the most
    /// frequent is kept, of equal ones the earliest.
    ///
    /// Where a reviewer names several labels and another one differs, each label is a question of its own: those fit that more
    /// reviewers name than not. On a label that is tied users decide. Where they do not, and where nobody's labels have a
    /// majority and not most say that none fits, the most frequent of four or more whole answers counts; else it is a tie.
    ///
    /// Of an answer with a label that was split, [what stands](super::label_set::LabelSet::standing) says nothing of the labels in its place,
    /// and counts for the others once a reviewer has answered anew.
    ///
    /// [`LabelSet::standing`]: crate::labels::label_set::LabelSet::standing
    pub fn by_majority(votes: &[Vote]) -> (Self, Option<DecidedBy>) {
        let given = last_vote_of_each_worker(votes);
        let meanings: Vec<_> = given.iter().map(|given| given.answer.meaning()).collect();
        let (consensus, rule) = decide(given, meanings.into_iter());
        (consensus.borrowed().cloned(), rule)
    }
}

/// Returns the labels of a text on which reviewers are tied, in the order of names: those that one more opinion is asked for.
/// None where each answer counts as a whole, or one stands out.
pub fn tied_labels(votes: &[Vote]) -> Vec<String> {
    match Consensus::by_majority(votes).0 {
        Consensus::Tie => per_label::tied(&last_vote_of_each_worker(votes)),
        Consensus::Agreed { .. } | Consensus::Unanswered => Vec::new(),
    }
}

impl<'a> Consensus<&'a Answer> {
    fn as_given(self) -> Consensus<Cow<'a, Answer>> {
        match self {
            Self::Agreed { answer, confidence } => Consensus::Agreed {
                answer: Cow::Borrowed(answer),
                confidence,
            },
            Self::Tie => Consensus::Tie,
            Self::Unanswered => Consensus::Unanswered,
        }
    }

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
    /// Returns the same with its answer borrowed.
    pub fn borrowed(&self) -> Consensus<&Answer> {
        match self {
            Self::Agreed { answer, confidence } => Consensus::Agreed {
                answer: answer.borrow(),
                confidence: *confidence,
            },
            Self::Tie => Consensus::Tie,
            Self::Unanswered => Consensus::Unanswered,
        }
    }

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
#[derive(Clone, Copy)]
struct Given<'a, T> {
    source: VoteSource,
    at: T,
    answer: &'a Answer,
    /// Labels of which it says nothing: see [`Note::silent_on`](crate::labels::vote::Note).
    silent_on: &'a [String],
}

impl<T> Given<'_, T> {
    /// Returns whether it is a reviewer's, who is sure, and all of their answer.
    fn is_whole_review(&self) -> bool {
        self.source.is_review() && self.silent_on.is_empty() && *self.answer != Answer::Unsure
    }
}

/// Decides by majority, of one answer a worker: by label where a text may have several, else of whole answers. `meanings` are
/// what each of them says; those that say the same are [spelt alike](spelt_alike).
fn decide<'a, T: Ord + Copy, M: Ord>(
    given: Vec<Given<'a, T>>,
    meanings: impl Iterator<Item = M>,
) -> Decision<'a> {
    let is_final = |given: &Given<'a, T>| given.source == VoteSource::Adjudicator;
    let is_by_label = !given.iter().any(is_final) && per_label::is_by_label(&given);
    let by_label = is_by_label.then(|| per_label::decide(&given));
    let whole = given
        .into_iter()
        .zip(meanings)
        .filter(|(given, _)| given.silent_on.is_empty());
    let (whole, meanings): (Vec<_>, Vec<_>) = whole.unzip();
    let whole = || spelt_alike(whole, meanings.into_iter());
    match by_label {
        None => {
            let (consensus, rule) = decide_on_whole(whole());
            (consensus.as_given(), rule)
        }
        Some((Consensus::Tie, _)) => most_frequent_whole(whole()),
        Some(by_label) => by_label,
    }
}

/// Decides by majority of whole answers where labels one by one came to nothing, as versions did that counted no labels: what
/// they stored stays an answer. Only of [`MIN_WHOLE_ANSWERS`] or more, and nothing that users had to decide.
fn most_frequent_whole<'a, T: Ord>(given: Vec<Given<'a, T>>) -> Decision<'a> {
    let sure = given.iter().filter(|given| given.is_whole_review()).count();
    match decide_on_whole(given) {
        (consensus, rule @ Some(DecidedBy::Majority)) if sure >= MIN_WHOLE_ANSWERS => {
            (consensus.as_given(), rule)
        }
        _ => (Consensus::Tie, None),
    }
}

/// Decides by majority of whole answers.
fn decide_on_whole<'a, T: Ord>(given: Vec<Given<'a, T>>) -> (Consensus<&'a Answer>, Option<DecidedBy>) {
    let (mut last_word, mut reviewers, mut users) = (None, Vec::new(), Vec::new());
    for Given {
        source, at, answer, ..
    } in given
    {
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

/// Returns the last answer of each worker, and what it counts as; of two at the same instant the greater.
fn last_vote_of_each_worker(votes: &[Vote]) -> Vec<Given<'_, &str>> {
    let last = last_votes(votes);
    let is_answer =
        |vote: &&Vote| vote.is_whole() && binds(vote.counts_as(), vote.note.proposed, &vote.answer);
    let is_answered = last.iter().any(is_answer);
    let given = last.into_iter().map(|vote| Given {
        source: counted_as(vote.counts_as(), vote.note.proposed, is_answered),
        at: vote.at.as_str(),
        answer: &vote.answer,
        silent_on: &vote.note.silent_on,
    });
    given.collect()
}

/// Returns what users hold right: the last answer of each of them, and when it was given.
pub(crate) fn held_by_users(votes: &[Vote]) -> impl Iterator<Item = (&str, &Answer)> {
    let given = last_vote_of_each_worker(votes).into_iter();
    let of_users = given.filter(|given| given.source == VoteSource::Feedback);
    of_users.map(|given| (given.at, given.answer))
}

/// Returns the last vote of each worker; of two at the same instant the one with the greater answer, and of the same answer the
/// one that names a label which there was.
pub(crate) fn last_votes(votes: &[Vote]) -> Vec<&Vote> {
    let mut last: BTreeMap<Cow<'_, str>, &Vote> = BTreeMap::new();
    for vote in votes {
        let kept = last.entry(vote.voter()).or_insert(vote);
        if order(vote) > order(kept) {
            *kept = vote;
        }
    }
    last.into_values().collect()
}

/// Returns votes without those that their reviewers have corrected since, which say nothing any more. What a user said before stays
/// known: it may be delivered again.
pub fn without_corrected(votes: &[Vote]) -> impl Iterator<Item = &Vote> {
    let last = last_votes(votes);
    let is_last = move |vote: &&Vote| last.contains(vote);
    votes
        .iter()
        .filter(move |vote| !vote.source.is_review() || is_last(vote))
}

fn order(vote: &Vote) -> (&str, &Answer, bool) {
    (&vote.at, &vote.answer, !vote.note.proposed)
}

/// Returns whether a vote is an answer beside which imported proposals decide nothing.
fn binds(source: VoteSource, proposed: bool, answer: &Answer) -> bool {
    source.is_review() && !proposed && *answer != Answer::Unsure
}

/// Returns what a vote counts as: a proposal of a file that is a label by now is evidence as a user's word is, once somebody
/// has answered.
fn counted_as(source: VoteSource, proposed: bool, is_answered: bool) -> VoteSource {
    match source {
        VoteSource::Import if proposed && is_answered => VoteSource::Feedback,
        source => source,
    }
}

/// A consensus and the rule that decided it; none where nothing is agreed. The answer is made where its labels were decided one
/// by one.
type Decision<'a> = (Consensus<Cow<'a, Answer>>, Option<DecidedBy>);

#[cfg(test)]
pub(crate) mod tests;
