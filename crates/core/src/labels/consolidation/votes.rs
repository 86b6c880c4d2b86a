//! The votes on many records, kept small.

use std::collections::{BTreeMap, HashMap};

use super::{binds, counted_as, per_label::has_several};
use crate::labels::{
    human_loop::{Answer, Meaning},
    vote::{Standing, UNSIGNED, Vote, VoteSource},
};

/// Bytes of an RFC 3339 time that are kept: down to the millisecond.
const TIME_BYTES: usize = 24;

/// The kept bytes of a time.
pub(super) type Time = [u8; TIME_BYTES];

/// Collects votes; [`Ballots::count`] ends it.
///
/// Memory: 64 bytes a vote, and each worker and each different answer once. A million votes fit in 100 MB.
#[derive(Clone, Debug, Default)]
pub struct Ballots {
    workers: BTreeMap<String, u32>,
    answers: BTreeMap<Answer, u32>,
    /// Labels of which votes say nothing, see [`Note::silent_on`](crate::labels::vote::Note).
    silences: BTreeMap<Vec<String>, u32>,
    ballots: Vec<Ballot>,
}

/// A vote with worker and answer as numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ballot {
    id: u128,
    pub(super) at: Time,
    pub(crate) worker: u32,
    pub(crate) answer: u32,
    silence: u32,
    /// Not a number where it is unknown.
    seconds: f32,
    pub(crate) source: VoteSource,
    /// Whether an imported file proposed the label, which is one by now.
    proposed: bool,
}

impl Ballot {
    /// Whether a reviewer gave it, not a user with feedback.
    pub(crate) fn is_review(&self) -> bool {
        self.source.is_review()
    }

    pub(crate) fn seconds(&self) -> Option<f64> {
        (!self.seconds.is_nan()).then_some(f64::from(self.seconds))
    }
}

impl Ballots {
    /// Adds a vote on the record of that id, in any order: a record's human loops may lie far apart.
    pub fn add(&mut self, id: u128, vote: &Vote) {
        self.ballots.push(Ballot {
            id,
            at: kept_time(&vote.at),
            worker: number(&mut self.workers, &vote.voter().into_owned()),
            answer: number(&mut self.answers, &vote.answer),
            silence: number(&mut self.silences, &vote.note.silent_on),
            seconds: vote.seconds.map_or(f32::NAN, |seconds| seconds as f32),
            source: vote.counts_as(),
            proposed: vote.note.proposed,
        });
    }

    /// Drops what reviewers answered on some records up to a time: they were asked anew then. Of the last answer of a reviewer
    /// there stays what is `standing` of it: what was not in doubt, or all where the doubt is gone.
    pub fn forget_reviews_until(
        &mut self,
        times: &HashMap<u128, String>,
        standing: impl Fn(&Answer) -> Option<Standing>,
    ) {
        let mut left: Vec<Option<(u32, u32)>> = vec![None; self.answers.len()];
        for (answer, place) in self.answers.clone() {
            left[place as usize] = standing(&answer).map(|standing| {
                let answer = number(&mut self.answers, &standing.answer);
                (answer, number(&mut self.silences, &standing.silent_on))
            });
        }
        let whole = number(&mut self.silences, &Vec::new());
        let is_old = |ballot: &Ballot| {
            (times.get(&ballot.id)).is_some_and(|time| ballot.is_review() && ballot.at <= kept_time(time))
        };
        let mut last: HashMap<(u128, u32), Time> = HashMap::new();
        for ballot in self.ballots.iter().filter(|ballot| is_old(ballot)) {
            let at = last.entry((ballot.id, ballot.worker)).or_insert(ballot.at);
            *at = ballot.at.max(*at);
        }
        let is_last = |ballot: &Ballot| last.get(&(ballot.id, ballot.worker)) == Some(&ballot.at);
        self.ballots.retain_mut(|ballot| {
            if !is_old(ballot) {
                return true;
            }
            let stays = left[ballot.answer as usize].filter(|_| is_last(ballot));
            if let Some((answer, silence)) = stays {
                (ballot.answer, ballot.silence) = (answer, silence);
                // What is left of a final word is no final word.
                if silence != whole && ballot.source == VoteSource::Adjudicator {
                    ballot.source = VoteSource::HumanReview;
                }
            }
            stays.is_some()
        });
    }

    /// Reduces the votes to the last one of each worker on each record; of two at the same instant the greater.
    ///
    /// So a label that a user suggested counts once, in however many human loops the record was.
    pub fn count(self) -> Votes {
        let (workers, new_workers) = in_order(self.workers);
        let (answers, new_answers) = in_order(self.answers);
        let (silences, new_silences) = in_order(self.silences);
        let mut ballots = self.ballots;
        for ballot in &mut ballots {
            ballot.worker = new_workers[ballot.worker as usize];
            ballot.answer = new_answers[ballot.answer as usize];
            ballot.silence = new_silences[ballot.silence as usize];
        }
        ballots.sort_unstable_by(|a, b| {
            (a.id, a.worker)
                .cmp(&(b.id, b.worker))
                .then_with(|| (b.at, b.answer).cmp(&(a.at, a.answer)))
                .then_with(|| b.seconds.total_cmp(&a.seconds))
        });
        ballots.dedup_by_key(|ballot| (ballot.id, ballot.worker));
        for of_record in ballots.chunk_by_mut(|a, b| a.id == b.id) {
            let is_answer = |vote: &Ballot| {
                silences[vote.silence as usize].is_empty()
                    && binds(vote.source, vote.proposed, &answers[vote.answer as usize])
            };
            let is_answered = of_record.iter().any(is_answer);
            for ballot in of_record {
                ballot.source = counted_as(ballot.source, ballot.proposed, is_answered);
            }
        }
        Votes {
            meanings: meanings(&answers),
            workers,
            answers,
            silences,
            ballots,
        }
    }
}

/// Numbers what answers say, those that say the same alike, in the order of the answers.
fn meanings(answers: &[Answer]) -> Vec<u32> {
    let mut numbers: BTreeMap<Meaning, u32> = BTreeMap::new();
    let meanings = answers.iter().map(Answer::meaning);
    meanings.map(|meaning| number(&mut numbers, &meaning)).collect()
}

fn kept_time(time: &str) -> Time {
    let mut kept = [0; TIME_BYTES];
    kept.iter_mut()
        .zip(time.bytes())
        .for_each(|(kept, byte)| *kept = byte);
    kept
}

fn number<T: Ord + Clone>(numbers: &mut BTreeMap<T, u32>, value: &T) -> u32 {
    if let Some(number) = numbers.get(value) {
        return *number;
    }
    let next = u32::try_from(numbers.len()).expect("fewer different values than memory holds");
    numbers.insert(value.clone(), next);
    next
}

/// Returns the values in their order, and the new number of each old one.
fn in_order<T: Ord>(numbers: BTreeMap<T, u32>) -> (Vec<T>, Vec<u32>) {
    let mut new_numbers = vec![0; numbers.len()];
    for (old, new) in numbers.values().zip(0..) {
        new_numbers[*old as usize] = new;
    }
    (numbers.into_keys().collect(), new_numbers)
}

/// The last vote of each worker on each record, by record id.
///
/// Neither the order in which votes came in nor their repetition makes a difference.
#[derive(Clone, Debug)]
pub struct Votes {
    /// Sorted; ballots number them.
    pub(crate) workers: Vec<String>,
    /// Sorted; ballots number them.
    answers: Vec<Answer>,
    /// Number of what each answer says, see [`Votes::meaning`].
    meanings: Vec<u32>,
    /// Labels of which votes say nothing; ballots number them.
    silences: Vec<Vec<String>>,
    /// By record, then by worker.
    ballots: Vec<Ballot>,
}

impl Votes {
    /// Returns each record's id with its votes, in the order of ids. Records without any vote are not among them.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u128, &[Ballot])> {
        self.ballots
            .chunk_by(|a, b| a.id == b.id)
            .map(|ballots| (ballots[0].id, ballots))
    }

    /// Counts the votes on a record that propose what is no label.
    pub fn proposals(&self, id: u128) -> usize {
        let is_proposal = |ballot: &&Ballot| matches!(self.answer(ballot), Answer::NewLabel { .. });
        self.of_record(id).filter(is_proposal).count()
    }

    /// Returns whether a user or a file holds something else right than the answer to a record.
    pub fn contradict(&self, id: u128, answer: &Answer) -> bool {
        let mut doubts = (self.of_record(id))
            .filter(|ballot| ballot.proposed || ballot.source == VoteSource::Feedback)
            .map(|ballot| self.answer(ballot));
        doubts.any(|doubt| *doubt != Answer::Unsure && !doubt.says_the_same(answer))
    }

    fn of_record(&self, id: u128) -> impl Iterator<Item = &Ballot> {
        let first = self.ballots.partition_point(|ballot| ballot.id < id);
        self.ballots[first..]
            .iter()
            .take_while(move |ballot| ballot.id == id)
    }

    /// Returns the labels that imported files proposed for a record, and that are labels by now.
    pub fn proposed(&self, id: u128) -> impl Iterator<Item = &Answer> {
        let proposed = self.of_record(id).filter(|ballot| ballot.proposed);
        proposed.map(|ballot| self.answer(ballot))
    }

    pub(crate) fn answer(&self, ballot: &Ballot) -> &Answer {
        &self.answers[ballot.answer as usize]
    }

    /// Returns the labels of which a ballot says nothing.
    pub(crate) fn silent_on(&self, ballot: &Ballot) -> &[String] {
        &self.silences[ballot.silence as usize]
    }

    /// Returns whether a ballot is all that its voter answered, and not what stands of that since a label was split.
    pub(crate) fn is_whole(&self, ballot: &Ballot) -> bool {
        self.silent_on(ballot).is_empty()
    }

    /// Returns the number of what a ballot says: the same for all spellings of an answer.
    pub(crate) fn meaning(&self, ballot: &Ballot) -> usize {
        self.meanings[ballot.answer as usize] as usize
    }

    /// Returns whether a reviewer names several labels of a text: then texts may have several.
    pub(crate) fn have_several_labels(&self) -> bool {
        let mut reviews = self.ballots.iter().filter(|ballot| ballot.is_review());
        reviews.any(|ballot| has_several(self.answer(ballot)) || !self.is_whole(ballot))
    }

    /// Returns an answer of each meaning, by its number: the first in the order of answers.
    pub(crate) fn answers(&self) -> Vec<&Answer> {
        let mut answers: Vec<&Answer> = Vec::new();
        for (answer, meaning) in self.answers.iter().zip(&self.meanings) {
            // They are numbered as they come.
            if *meaning as usize == answers.len() {
                answers.push(answer);
            }
        }
        answers
    }

    /// Returns whether a ballot is the word of somebody who looked at the text because they were asked, here or elsewhere: of a
    /// reviewer, or of a file that says whose it is. Who adjudicates has seen what the others said.
    pub(crate) fn is_independent(&self, ballot: &Ballot) -> bool {
        match ballot.source {
            VoteSource::HumanReview => true,
            VoteSource::Import => self.is_signed(ballot),
            VoteSource::Adjudicator | VoteSource::Feedback => false,
        }
    }

    /// Returns whether it is known whose ballot it is.
    pub(crate) fn is_signed(&self, ballot: &Ballot) -> bool {
        ballot.source != VoteSource::Import || self.workers[ballot.worker as usize] != UNSIGNED
    }
}
