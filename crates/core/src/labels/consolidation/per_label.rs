//! Several labels of a text: whether each of them fits is a question of its own.

use std::{
    borrow::Cow,
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, BTreeSet},
};

use super::{DecidedBy, Decision, Given, Votes};
use crate::{
    feedback::prediction::split_labels,
    labels::{consolidation::Consensus, human_loop::Answer, label_key::label_key, vote::VoteSource},
};

/// Whether a label fits, and how sure that is; `None` where nothing decides.
type Verdict = Option<Fits>;

/// What was decided on one label.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Fits {
    fits: bool,
    /// From 0 to 1.
    confidence: f64,
    /// Whether reviewers were tied, and users decided.
    by_users: bool,
}

/// How many people say yes and no to one question.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    reviewers: usize,
    users: usize,
}

/// How often a spelling was given: by reviewers, by anybody, and first when.
type Frequency<T> = (usize, usize, Reverse<T>);

/// What is said of one label.
struct Label<'a, T> {
    yes: Count,
    /// Those who say neither that it fits nor that it does not.
    silent: Count,
    /// Whether a reviewer chose it: it is a label, and no proposal alone.
    is_chosen: bool,
    spellings: BTreeMap<Cow<'a, str>, Frequency<T>>,
}

/// What people who are sure said of the labels of one text.
struct Said<'a, T> {
    all: Count,
    none_fits: Count,
    /// By key; of those that a reviewer names.
    labels: BTreeMap<String, Label<'a, T>>,
}

/// Returns whether an answer names several labels: then a text may have several.
pub(super) fn has_several(answer: &Answer) -> bool {
    matches!(answer, Answer::Labels { labels } if labels.len() > 1)
}

/// Returns whether votes are to be counted by label: a reviewer names several labels, and another one says something else, or
/// answered before a label was split.
pub(super) fn is_by_label<T>(given: &[Given<'_, T>]) -> bool {
    let mut whole = given.iter().filter(|given| given.is_whole_review());
    let is_rest = |given: &Given<'_, T>| given.source.is_review() && !given.silent_on.is_empty();
    if given.iter().any(is_rest) {
        return whole.next().is_some();
    }
    let Some(several) = whole.clone().find(|given| has_several(given.answer)) else {
        return false;
    };
    whole.any(|given| !given.answer.says_the_same(several.answer))
}

/// Decides label by label, by the majority of reviewers; of those who are tied on one, users decide. A tie where they do not:
/// then the most frequent whole answer may count.
pub(super) fn decide<'a, T: Ord + Copy>(given: &[Given<'a, T>]) -> Decision<'a> {
    Said::of(given).decided()
}

/// Returns the labels on which reviewers are tied and users do not decide, in the order of names; none where labels are not
/// counted one by one.
pub(super) fn tied<T: Ord + Copy>(given: &[Given<'_, T>]) -> Vec<String> {
    if !is_by_label(given) {
        return Vec::new();
    }
    let said = Said::of(given);
    let is_tied = |label: &&Label<'_, T>| majority(label.yes, label.asked(said.all)).is_none();
    let mut tied: Vec<String> = said
        .labels
        .values()
        .filter(is_tied)
        .map(Label::spelling)
        .collect();
    tied.sort();
    tied
}

impl<'a, T: Ord + Copy> Said<'a, T> {
    /// Counts what is said. Who is unsure says nothing; who says that none fits, or names others, says no, but of what came in
    /// the place of a label that was split.
    fn of(given: &[Given<'a, T>]) -> Self {
        let mut said = Self {
            all: Count::default(),
            none_fits: Count::default(),
            labels: BTreeMap::new(),
        };
        let is_counted =
            |one: &&Given<'a, T>| *one.answer != Answer::Unsure && one.source != VoteSource::Adjudicator;
        for one in given.iter().filter(is_counted) {
            said.all.add(one.source);
            if *one.answer == Answer::NoneFits {
                said.none_fits.add(one.source);
            }
            for (key, name) in names(one.answer) {
                let label = said.labels.entry(key).or_insert_with(Label::new);
                label.add(
                    one.source,
                    one.at,
                    name,
                    matches!(one.answer, Answer::Labels { .. }),
                );
            }
        }
        said.labels.retain(|_, label| label.yes.reviewers > 0);
        for one in given.iter().filter(is_counted) {
            let silent_on: BTreeSet<String> = one.silent_on.iter().map(|name| label_key(name)).collect();
            for key in silent_on {
                if let Some(label) = said.labels.get_mut(&key) {
                    label.silent.add(one.source);
                }
            }
        }
        said
    }

    /// Decides on each label by majority.
    ///
    /// Where no label fits, that is the answer if most reviewers say so; else there is none.
    fn decided(&self) -> Decision<'a> {
        let mut confidence: f64 = 1.0;
        let mut by_users = false;
        let mut fitting: Vec<&Label<'a, T>> = Vec::new();
        for label in self.labels.values() {
            let Some(found) = majority(label.yes, label.asked(self.all)) else {
                return (Consensus::Tie, None);
            };
            confidence = confidence.min(found.confidence);
            by_users |= found.by_users;
            if found.fits {
                fitting.push(label);
            }
        }
        if fitting.is_empty() {
            match majority(self.none_fits, self.all) {
                Some(none) if none.fits => {
                    confidence = confidence.min(none.confidence);
                    by_users |= none.by_users;
                }
                _ => return (Consensus::Tie, None),
            }
        }
        let agreed = Consensus::Agreed {
            answer: Cow::Owned(answer_of(&fitting)),
            confidence,
        };
        let rule = match by_users {
            true => DecidedBy::UserBrokeTie,
            false => DecidedBy::Majority,
        };
        (agreed, Some(rule))
    }
}

/// Writes the labels that fit; with a name that is no label yet all of them are a proposal.
fn answer_of<T: Ord + Copy>(fitting: &[&Label<'_, T>]) -> Answer {
    let names = fitting.iter().map(|label| label.spelling());
    match () {
        () if fitting.is_empty() => Answer::NoneFits,
        () if fitting.iter().all(|label| label.is_chosen) => Answer::labels(names),
        () => Answer::proposal(names),
    }
}

impl<'a, T: Ord + Copy> Label<'a, T> {
    fn new() -> Self {
        Self {
            yes: Count::default(),
            silent: Count::default(),
            is_chosen: false,
            spellings: BTreeMap::new(),
        }
    }

    fn add(&mut self, source: VoteSource, at: T, name: Cow<'a, str>, is_label: bool) {
        self.yes.add(source);
        self.is_chosen |= is_label && source.is_review();
        let (reviewers, all, first) = self.spellings.entry(name).or_insert((0, 0, Reverse(at)));
        *reviewers += usize::from(source.is_review());
        *all += 1;
        *first = (*first).max(Reverse(at));
    }

    /// Returns how many of all say that it fits or that it does not.
    fn asked(&self, all: Count) -> Count {
        Count {
            reviewers: all.reviewers - self.silent.reviewers,
            users: all.users - self.silent.users,
        }
    }

    /// Returns the spelling of most reviewers, of as many that of most people, then the earliest, then the first in the order of
    /// characters.
    fn spelling(&self) -> String {
        // Of equal ones the last is taken, which is the first in the order of characters.
        let most = self
            .spellings
            .iter()
            .rev()
            .max_by_key(|(_, frequency)| **frequency);
        most.map_or_else(String::new, |(name, _)| name.clone().into_owned())
    }
}

impl Count {
    fn add(&mut self, source: VoteSource) {
        match source {
            VoteSource::Feedback => self.users += 1,
            VoteSource::HumanReview | VoteSource::Import | VoteSource::Adjudicator => self.reviewers += 1,
        }
    }

    /// Returns whether as many reviewers say yes as no.
    fn is_tie_of(self, all: Self) -> bool {
        self.reviewers * 2 == all.reviewers
    }
}

/// Returns what most reviewers say, of as many the users.
fn majority(yes: Count, all: Count) -> Verdict {
    let compared = |yes: usize, all: usize| (yes * 2).cmp(&all);
    let decided = match compared(yes.reviewers, all.reviewers) {
        Ordering::Equal => compared(yes.users, all.users),
        decided => decided,
    };
    let fits = match decided {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => return None,
    };
    let for_it = if fits {
        yes.reviewers
    } else {
        all.reviewers - yes.reviewers
    };
    Some(Fits {
        fits,
        confidence: for_it as f64 / all.reviewers as f64,
        by_users: yes.is_tie_of(all),
    })
}

/// Numbers of the labels that answers name, and that they propose.
pub(crate) struct NamedLabels {
    numbers: BTreeMap<String, usize>,
    by_meaning: Vec<BTreeSet<usize>>,
}

impl NamedLabels {
    /// Numbers what some votes name.
    pub(crate) fn of(votes: &Votes) -> Self {
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        let mut by_meaning = Vec::new();
        for answer in votes.answers() {
            let mut named = BTreeSet::new();
            for key in names(answer).into_keys() {
                let next = numbers.len();
                named.insert(*numbers.entry(key).or_insert(next));
            }
            by_meaning.push(named);
        }
        Self { numbers, by_meaning }
    }

    /// Returns how many labels there are.
    pub(crate) fn count(&self) -> usize {
        self.numbers.len()
    }

    /// Returns the number of the label with a key.
    pub(crate) fn number(&self, key: &str) -> Option<usize> {
        self.numbers.get(key).copied()
    }

    /// Returns what the answers of that number say, see [`Votes::meaning`].
    pub(crate) fn named_by(&self, meaning: usize) -> &BTreeSet<usize> {
        &self.by_meaning[meaning]
    }

    /// Returns what an answer names of the labels that votes name.
    pub(crate) fn named_in(&self, answer: &Answer) -> BTreeSet<usize> {
        let keys = names(answer).into_keys();
        keys.filter_map(|key| self.number(&key)).collect()
    }
}

/// Returns the names that an answer holds, each once, with their keys.
fn names(answer: &Answer) -> BTreeMap<String, Cow<'_, str>> {
    let names: Vec<Cow<'_, str>> = match answer {
        Answer::Labels { labels } => labels.iter().map(|label| Cow::Borrowed(label.as_str())).collect(),
        Answer::NewLabel { label } => split_labels(label).into_iter().map(Cow::Owned).collect(),
        Answer::NoneFits | Answer::Unsure => Vec::new(),
    };
    names.into_iter().map(|name| (label_key(&name), name)).collect()
}

#[cfg(test)]
mod tests;
