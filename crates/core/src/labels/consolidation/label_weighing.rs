//! How probable each label of a text is by the error rates that people have on that label.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Ballot, DawidSkene, MAX_ESTIMATES, Observation, Record, SMOOTHING, Settings, Votes, dawid_skene,
    per_label::NamedLabels,
    weighing::{annotator, annotators},
};
use crate::labels::human_loop::Answer;

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

    /// Returns how probable an answer to a record is, of several labels that of the least probable one: that it fits where the
    /// answer names it, and that it does not where only somebody else does. `None` where nothing is known: what stands of an
    /// answer since a label was split says too little.
    pub(super) fn probability(&self, ballots: &[Ballot], answer: &Answer) -> Option<f64> {
        if ballots.iter().any(|ballot| !self.votes.is_whole(ballot)) {
            return None;
        }
        let fitting = self.labels.named_in(answer);
        let reviews = self.sure(ballots).filter(|ballot| ballot.is_review());
        let named: BTreeSet<usize> = reviews
            .flat_map(|ballot| self.named_by(ballot))
            .copied()
            .collect();
        let probabilities = named.into_iter().map(|label| {
            let posterior = self.models[label].posterior(&self.observations(label, ballots));
            posterior[usize::from(fitting.contains(&label))]
        });
        probabilities.reduce(f64::min)
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
