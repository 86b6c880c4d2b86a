//! Which texts people label next: query strategies of pool-based active learning.
//!
//! A strategy gives each text a value, [`QueryStrategy::value`]; [`select`] puts the most valuable first. Two
//! strategies also look at the texts themselves, so that a batch does not ask the same thing many times over.
//! What each is worth depends on the texts: `simulate` measures it on a user's own. Sources:
//!
//! - B. Settles, "Active Learning Literature Survey" (2009): pool-based sampling, least confidence, margin, entropy.
//! - K. Wei, R. Iyer and J. Bilmes, "Submodularity in Data Subset Selection and Active Learning" (ICML 2015): the
//!   most uncertain texts are filtered out, and a batch is chosen that covers them (facility location).
//! - O. Sener and S. Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach" (ICLR 2018):
//!   a batch that covers the pool. Theirs is k-centre, for the farthest text; ours is k-median, for all texts.

mod coverage;

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    feedback::{
        FeedbackRecord,
        prediction::{ClassScore, Prediction},
    },
    random::Random,
    text::Vector,
};

/// Most valuable texts that a covering batch is chosen from, per text to choose.
const COMPARED_PER_CHOICE: usize = 80;

/// Most texts that are compared with one another, whatever the batch: with those below, their similarities take 36 MB.
const MAX_COMPARED: usize = 2_000;

/// Most texts asked about before, the latest, that a covering batch looks at.
pub const MAX_ASKED_BEFORE: usize = 1_000;

/// Share of the texts that chance chooses beside a strategy: they tell what the confidence is worth on the traffic, of
/// which texts that a model doubts are no sample.
const CHANCE_SHARE: f64 = 0.2;

/// Sum of scores above which classes cannot be shares of one, with room for rounding.
const MAX_SUM_OF_SHARES: f32 = 1.01;

/// How texts are chosen for people to label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueryStrategy {
    /// Uncertain texts, those of rare classes more so, that stand for many others and for nothing that was asked
    /// before: see [`QueryStrategy::value`].
    #[default]
    Representative,
    /// The least distance between the best two classes.
    Margin,
    /// The least confidence in the best class.
    LeastConfidence,
    /// The greatest entropy over all classes. Biased where an answer names the best classes only.
    Entropy,
    /// Margin, weighted by how rare the expected class is among the labels so far.
    ClassBalanced,
    /// Texts that stand for all others, whatever a model says: for a start without any model.
    Diversity,
    /// Pure chance: what a strategy must beat.
    Random,
}

/// A name that no strategy has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no strategy; there are {names}", names = QueryStrategy::ALL.map(QueryStrategy::name).join(", "))]
pub struct UnknownStrategy(String);

/// A text that might be labelled.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate<'a> {
    /// The text.
    pub text: &'a str,
    /// What a model says of it; `None` if nothing is known.
    pub prediction: Option<Prediction>,
    /// What a text encoder makes of it, where that is at hand.
    pub vector: Option<&'a Vector>,
}

/// Labels that people have given so far, counted by class; empty if unknown.
pub type LabelCounts = BTreeMap<String, u64>;

/// What is known of the questions so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedBefore<'a> {
    /// Answers.
    pub labels: LabelCounts,
    /// Texts, the latest last; of more than [`MAX_ASKED_BEFORE`] the latest count. A covering batch does not cover once
    /// more what they stand for.
    pub texts: Vec<&'a str>,
    /// Their vectors in the same order; without one for each, a covering batch compares words.
    pub vectors: Vec<&'a Vector>,
}

impl<'a> Candidate<'a> {
    /// Takes text and prediction from a feedback record.
    ///
    /// Classes with scores that sum to more than 1 are those of a multi-label model. A record with a confidence alone
    /// knows of its one class.
    pub fn of(record: &'a FeedbackRecord) -> Self {
        let named = || {
            let name = record.prediction.clone()?;
            let score = record.confidence?;
            Some(ClassScore { name, score })
        };
        let sum: f32 = record.classes.iter().map(|class| class.score).sum();
        let prediction = if record.classes.is_empty() {
            Prediction::multi_class(named().into_iter().collect())
        } else if sum > MAX_SUM_OF_SHARES {
            Prediction::multi_label(record.classes.clone())
        } else {
            Prediction::multi_class(record.classes.clone())
        };
        Self {
            text: &record.utterance,
            prediction,
            vector: None,
        }
    }
}

impl QueryStrategy {
    /// All strategies, the default first.
    pub const ALL: [Self; 7] = [
        Self::Representative,
        Self::Margin,
        Self::LeastConfidence,
        Self::Entropy,
        Self::ClassBalanced,
        Self::Diversity,
        Self::Random,
    ];

    /// Returns the name on the command line and in parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Representative => "representative",
            Self::Margin => "margin",
            Self::LeastConfidence => "least-confidence",
            Self::Entropy => "entropy",
            Self::ClassBalanced => "class-balanced",
            Self::Diversity => "diversity",
            Self::Random => "random",
        }
    }

    /// Returns what a label for a text with this prediction is worth: 0 or more, higher is better.
    ///
    /// [`QueryStrategy::ClassBalanced`] and [`QueryStrategy::Representative`]: (1 − margin) × how much rarer than the average
    /// the expected class is among the labels so far.
    /// Only values of one strategy can be compared. A text without a prediction counts as wholly uncertain.
    /// `labelled` matters to [`QueryStrategy::ClassBalanced`] and [`QueryStrategy::Representative`] only.
    pub fn value(self, prediction: Option<&Prediction>, labelled: &LabelCounts) -> f64 {
        let Some(prediction) = prediction else {
            return 1.0;
        };
        let close = 1.0 - f64::from(prediction.margin);
        match self {
            Self::Margin => close,
            Self::LeastConfidence => 1.0 - f64::from(prediction.confidence),
            Self::Entropy => entropy(&prediction.classes),
            Self::Representative | Self::ClassBalanced => close * rarity(&prediction.classes, labelled),
            Self::Diversity | Self::Random => 1.0,
        }
    }

    /// Returns whether a batch is chosen to cover others, not by value alone.
    pub fn covers(self) -> bool {
        match self {
            Self::Representative | Self::Diversity => true,
            Self::Margin | Self::LeastConfidence | Self::Entropy | Self::ClassBalanced | Self::Random => {
                false
            }
        }
    }
}

impl fmt::Display for QueryStrategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for QueryStrategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|strategy| strategy.name() == text);
        named.ok_or_else(|| UnknownStrategy(text.to_owned()))
    }
}

/// Chooses `count` of the candidates, all if there are fewer; returns their indexes, the best choice first.
///
/// Chance decides between equal values. The same arguments always give the same choice: of each candidate it is
/// certain whether it is chosen, so that its selection probability is 1.
/// Covering batches compare vectors where all texts have one, else words.
/// Time grows with candidates × logarithm, and for covering batches with the square of the texts compared: the
/// most valuable eighty per choice, at most 2,000, and at most 1,000 that were asked about before.
pub fn select(
    strategy: QueryStrategy,
    candidates: &[Candidate],
    before: &AskedBefore,
    count: usize,
    seed: u64,
) -> Vec<usize> {
    let values: Vec<f64> = candidates
        .iter()
        .map(|candidate| strategy.value(candidate.prediction.as_ref(), &before.labels))
        .collect();
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    Random::new(seed).shuffle(&mut order);
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    if strategy.covers() {
        let compared = COMPARED_PER_CHOICE.saturating_mul(count).min(MAX_COMPARED);
        let most_valuable = &order[..compared.min(order.len())];
        let weights: Vec<f32> = most_valuable.iter().map(|&index| values[index] as f32).collect();
        let similarities = similarities(candidates, most_valuable, before);
        let mut chosen = coverage::choose(&similarities, &weights, count);
        if strategy == QueryStrategy::Diversity {
            chosen = coverage::exchange(&similarities, &weights, chosen);
        }
        let mut place = vec![usize::MAX; candidates.len()];
        for (rank, chosen) in chosen.into_iter().enumerate() {
            place[most_valuable[chosen]] = rank;
        }
        // Stable: what was not chosen follows by value.
        order.sort_by_key(|&index| place[index]);
    }
    order.truncate(count);
    order
}

/// A text that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its index among the candidates.
    pub index: usize,
    /// Whether a model's doubt chose it: then it is no sample of the candidates.
    pub by_doubt: bool,
}

/// Chooses as [`select`] does, but a fifth by chance, where a model has a say in the choice.
///
/// The number that is left of a whole text comes by chance too. Those by chance come last.
pub fn select_with_chance(
    strategy: QueryStrategy,
    candidates: &[Candidate],
    before: &AskedBefore,
    count: usize,
    seed: u64,
) -> Vec<Choice> {
    let is_judged = candidates.iter().any(|candidate| candidate.prediction.is_some());
    let by_doubt = is_judged && !matches!(strategy, QueryStrategy::Random | QueryStrategy::Diversity);
    let mut random = Random::new(seed);
    let by_chance = match by_doubt {
        true => (count as f64 * CHANCE_SHARE + random.next_f64()) as usize,
        false => 0,
    };

    let by_value = select(strategy, candidates, before, count - by_chance.min(count), seed);
    let mut is_left = vec![true; candidates.len()];
    by_value.iter().for_each(|&index| is_left[index] = false);
    let mut rest: Vec<usize> = (0..candidates.len()).filter(|&index| is_left[index]).collect();
    random.shuffle(&mut rest);
    rest.truncate(by_chance);
    let choice = |by_doubt| move |index| Choice { index, by_doubt };
    let chosen = by_value.into_iter().map(choice(by_doubt));
    chosen.chain(rest.into_iter().map(choice(false))).collect()
}

/// Returns how alike the candidates are to one another, and what was asked before to them: by their vectors if all
/// have one, else by their words.
fn similarities(candidates: &[Candidate], compared: &[usize], before: &AskedBefore) -> Vec<Vec<f32>> {
    let first = before.texts.len().saturating_sub(MAX_ASKED_BEFORE);
    let of_candidates = compared.iter().map(|&index| candidates[index].vector);
    let vectors: Option<Vec<&Vector>> = of_candidates.collect();
    match vectors {
        Some(mut vectors) if before.vectors.len() == before.texts.len() => {
            vectors.extend(&before.vectors[first..]);
            coverage::similarities_of_vectors(&vectors, compared.len())
        }
        Some(_) | None => {
            let mut texts: Vec<&str> = compared.iter().map(|&index| candidates[index].text).collect();
            texts.extend(&before.texts[first..]);
            coverage::similarities(&texts)
        }
    }
}

/// Returns the entropy of the classes from 0 to 1, where 1 is that of equal shares.
///
/// What the named classes leave of 1 counts as one more class: less than the truth where it is several.
fn entropy(classes: &[ClassScore]) -> f64 {
    let sum: f64 = classes.iter().map(|class| f64::from(class.score)).sum();
    let shares = classes.iter().map(|class| f64::from(class.score) / sum.max(1.0));
    let entropy: f64 = shares
        .chain([(1.0 - sum).max(0.0)])
        .filter(|share| *share > 0.0)
        .map(|share| -share * share.ln())
        .sum();
    entropy / (classes.len() as f64 + 1.0).ln()
}

/// Returns how much rarer than the average the class of a text is expected to be among the labels so far: 1 for
/// the average or where no labels are counted, 2 for a class with half as many labels.
fn rarity(classes: &[ClassScore], labelled: &LabelCounts) -> f64 {
    let scores: f64 = classes.iter().map(|class| f64::from(class.score)).sum();
    if labelled.is_empty() || scores <= 0.0 {
        return 1.0;
    }
    // One more of each: a class without labels is rare, not infinitely so.
    let average = labelled.values().sum::<u64>() as f64 / labelled.len() as f64 + 1.0;
    let of = |class: &ClassScore| {
        let labels = labelled.get(&class.name).copied().unwrap_or(0) as f64 + 1.0;
        f64::from(class.score) / scores * average / labels
    };
    classes.iter().map(of).sum()
}

#[cfg(test)]
mod tests;
