//! Votes on each label of a text weighed by the error rates that people have on that label.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Ballot, DawidSkene, DecidedBy, Decision, MAX_ESTIMATES, Observation, Record, SMOOTHING, Settings, Votes,
    by_majority, dawid_skene, given,
    per_label::{Fits, NamedLabels, Said, Verdict},
    weighing::{USERS, annotator, annotators},
};
use crate::labels::{consolidation::Consensus, human_loop::Answer, vote::VoteSource};

/// The answer that a label does not fit.
const NO: usize = 0;
/// The answer that it fits.
const YES: usize = 1;

/// Everybody's error rates on each label.
pub(super) struct LabelWeighing<'a> {
    votes: &'a Votes,
    /// Annotator of each worker.
    annotators: Vec<usize>,
    labels: NamedLabels,
    /// Of each label, by its number.
    models: Vec<DawidSkene>,
    min_posterior: f64,
}

impl<'a> LabelWeighing<'a> {
    /// Fits a model of each label; `None` where too few records overlap, or it would take too much memory.
    pub(super) fn of(votes: &'a Votes, settings: Settings) -> Option<Self> {
        let annotators = annotators(votes);
        let count = annotators.iter().max()? + 1;
        let mut weighing = Self {
            votes,
            annotators,
            labels: NamedLabels::of(votes),
            models: Vec::new(),
            min_posterior: settings.min_posterior,
        };
        let rates = count.saturating_mul(weighing.labels.count() * 4);
        let patterns = Patterns::of(&weighing);
        let few = patterns.overlapping < settings.overlap_per_answer * weighing.labels.count();
        if few || rates > MAX_ESTIMATES || patterns.estimates() > MAX_ESTIMATES {
            return None;
        }
        let models = (0..weighing.labels.count()).map(|label| {
            let mut model = dawid_skene(&patterns.records(label), count, 2, SMOOTHING);
            model.posteriors = Vec::new();
            model
        });
        weighing.models = models.collect();
        Some(weighing)
    }

    /// Returns what each sure person says of one label, in order; not what stands of an answer since a label was split.
    fn observations(&self, label: usize, ballots: &[Ballot]) -> Vec<Observation> {
        let mut observations: Vec<Observation> = self
            .sure(ballots)
            .map(|ballot| Observation {
                worker: annotator(&self.annotators, ballot),
                answer: match self.named_by(ballot).contains(&label) {
                    true => YES,
                    false => NO,
                },
            })
            .collect();
        observations.sort_unstable();
        observations
    }

    fn sure<'b>(&self, ballots: &'b [Ballot]) -> impl Iterator<Item = &'b Ballot> {
        let is_sure = move |ballot: &&Ballot| {
            *self.votes.answer(ballot) != Answer::Unsure && self.votes.is_whole(ballot)
        };
        ballots.iter().filter(is_sure)
    }

    fn named_by(&self, ballot: &Ballot) -> &BTreeSet<usize> {
        self.labels.named_by(self.votes.meaning(ballot))
    }

    /// Decides on one record label by label; by majority where a label was split after somebody answered, where the model
    /// finds a label improbable that all reviewers name, or finds none.
    pub(super) fn decide(&self, ballots: &[Ballot]) -> Decision<'a> {
        let is_for_majority =
            |ballot: &Ballot| ballot.source == VoteSource::Adjudicator || !self.votes.is_whole(ballot);
        if ballots.iter().any(is_for_majority) || !self.sure(ballots).any(Ballot::is_review) {
            return by_majority(self.votes, ballots);
        }
        let said = Said::of(&given(self.votes, ballots));
        let verdict = |key: &str, is_tie| {
            let found = self.verdict(self.labels.number(key)?, ballots, is_tie)?;
            (found.fits || !said.all_name(key)).then_some(found)
        };
        match said.decided(
            |key, yes, all| verdict(key, yes.is_tie_of(all)),
            DecidedBy::DawidSkene,
        ) {
            (Consensus::Tie | Consensus::Unanswered, _) => by_majority(self.votes, ballots),
            decided => decided,
        }
    }

    /// Decides on a label: the reviewers by themselves, with the users where as many are for it as against it.
    fn verdict(&self, label: usize, ballots: &[Ballot], is_tie: bool) -> Verdict {
        let votes = self.observations(label, ballots);
        let of_reviewers = votes.iter().copied().filter(|vote| vote.worker != USERS);
        let reviewers: Vec<Observation> = of_reviewers.collect();
        let model = &self.models[label];
        let probable = |posterior: &[f64]| {
            let fits = posterior[YES] > posterior[NO];
            let probability = posterior[usize::from(fits)];
            (probability > self.min_posterior).then_some(fits)
        };
        let among_all = model.posterior(&votes);
        let (alone, with_users) = (probable(&model.posterior(&reviewers)), probable(&among_all));
        let (fits, by_users) = match (alone, with_users) {
            (Some(fits), with_users) if !is_tie || with_users == Some(fits) => (fits, false),
            (_, Some(fits)) => (fits, true),
            (_, None) => return None,
        };
        Some(Fits {
            fits,
            confidence: among_all[usize::from(fits)],
            by_users,
        })
    }
}

/// What is said on how many records. Most labels are named on few of them: where nobody names one, all say no.
struct Patterns {
    /// Records by the annotators who are sure, in order.
    records: BTreeMap<Vec<usize>, usize>,
    /// Of each label the records on which somebody names it, by what is said of it.
    named: Vec<BTreeMap<Vec<Observation>, usize>>,
    /// Records with several votes.
    overlapping: usize,
}

impl Patterns {
    fn of(weighing: &LabelWeighing<'_>) -> Self {
        let mut patterns = Self {
            records: BTreeMap::new(),
            named: vec![BTreeMap::new(); weighing.labels.count()],
            overlapping: 0,
        };
        for (_, ballots) in weighing.votes.records() {
            let who = weighing.sure(ballots);
            let mut who: Vec<usize> = who
                .map(|ballot| annotator(&weighing.annotators, ballot))
                .collect();
            who.sort_unstable();
            if who.is_empty() {
                continue;
            }
            patterns.overlapping += usize::from(who.len() > 1);
            *patterns.records.entry(who).or_default() += 1;
            let named = weighing
                .sure(ballots)
                .flat_map(|ballot| weighing.named_by(ballot));
            for label in named.collect::<BTreeSet<_>>() {
                let said = weighing.observations(*label, ballots);
                *patterns.named[*label].entry(said).or_default() += 1;
            }
        }
        patterns
    }

    /// Returns how many numbers are estimated, if models are fitted to all labels.
    fn estimates(&self) -> usize {
        let named: usize = self.named.iter().map(BTreeMap::len).sum();
        2 * (named + self.named.len().saturating_mul(self.records.len()))
    }

    /// Returns what is said of one label.
    fn records(&self, label: usize) -> Vec<Record> {
        let mut unnamed = self.records.clone();
        for (votes, count) in &self.named[label] {
            let who: Vec<usize> = votes.iter().map(|vote| vote.worker).collect();
            if let Some(left) = unnamed.get_mut(&who) {
                *left -= count;
            }
        }
        let no = |worker| Observation { worker, answer: NO };
        let unnamed = unnamed.into_iter().filter(|(_, count)| *count > 0);
        let unnamed = unnamed.map(|(who, count)| Record {
            votes: who.into_iter().map(no).collect(),
            count,
        });
        let named = self.named[label].iter().map(|(votes, count)| Record {
            votes: votes.clone(),
            count: *count,
        });
        named.chain(unnamed).collect()
    }
}
