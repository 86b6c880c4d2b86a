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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prediction(scores: &[(&str, f32)]) -> Prediction {
        let class = |(name, score): &(&str, f32)| ClassScore {
            name: (*name).into(),
            score: *score,
        };
        Prediction::multi_class(scores.iter().map(class).collect()).expect("classes are given")
    }

    fn candidates<'a>(texts: &[(&'a str, Option<Prediction>)]) -> Vec<Candidate<'a>> {
        let candidate = |(text, prediction): &(&'a str, Option<Prediction>)| Candidate {
            text,
            prediction: prediction.clone(),
            vector: None,
        };
        texts.iter().map(candidate).collect()
    }

    fn counts(labels: &[(&str, u64)]) -> LabelCounts {
        labels
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn strategies_differ_in_what_they_hold_uncertain() {
        // Not sure of anything; torn between two; sure.
        let vague = prediction(&[("a", 0.4), ("b", 0.25), ("c", 0.2), ("d", 0.15)]);
        let torn = prediction(&[("a", 0.5), ("b", 0.49), ("c", 0.01)]);
        let sure = prediction(&[("a", 0.98), ("b", 0.01), ("c", 0.01)]);
        let pool = candidates(&[("one", Some(sure)), ("two", Some(torn)), ("three", Some(vague))]);

        for (strategy, order) in [
            (QueryStrategy::Margin, [1, 2, 0]),
            (QueryStrategy::LeastConfidence, [2, 1, 0]),
            (QueryStrategy::Entropy, [2, 1, 0]),
        ] {
            assert_eq!(
                select(strategy, &pool, &AskedBefore::default(), 3, 7),
                order,
                "{strategy}"
            );
        }
    }

    #[test]
    fn of_equally_close_texts_those_of_a_rare_class_come_first() {
        let pool = candidates(&[
            ("one", Some(prediction(&[("common", 0.6), ("rare", 0.4)]))),
            ("two", Some(prediction(&[("rare", 0.6), ("common", 0.4)]))),
        ]);
        let labelled = counts(&[("common", 99), ("rare", 9)]);

        for strategy in [QueryStrategy::ClassBalanced, QueryStrategy::Representative] {
            let before = AskedBefore {
                labels: labelled.clone(),
                ..AskedBefore::default()
            };
            assert_eq!(select(strategy, &pool, &before, 1, 7), [1], "{strategy}");
        }
        let value = |index: usize, labelled| {
            QueryStrategy::ClassBalanced.value(pool[index].prediction.as_ref(), labelled)
        };
        assert_eq!(value(0, &LabelCounts::new()), value(1, &LabelCounts::new()));
    }

    #[test]
    fn a_batch_does_not_ask_the_same_thing_twice() {
        let torn = || Some(prediction(&[("a", 0.5), ("b", 0.5)]));
        let nearly = || Some(prediction(&[("a", 0.6), ("b", 0.4)]));
        let pool = candidates(&[
            ("oil prices rise in europe", torn()),
            ("Oil prices rise in Europe!", torn()),
            ("oil prices rise in europe again", torn()),
            ("the team wins its third match", nearly()),
            ("that team loses the third match", nearly()),
        ]);

        let margin = select(QueryStrategy::Margin, &pool, &AskedBefore::default(), 2, 7);
        let representative = select(
            QueryStrategy::Representative,
            &pool,
            &AskedBefore::default(),
            2,
            7,
        );

        assert!(margin.iter().all(|&index| index < 3), "{margin:?}");
        assert!(
            representative[0] < 3 && representative[1] >= 3,
            "{representative:?}"
        );
    }

    #[test]
    fn without_predictions_every_default_choice_covers_the_texts() {
        let pool = candidates(&[
            ("shares fall on wall street", None),
            ("goal in the last minute", None),
            ("shares fall again on wall street today", None),
        ]);

        let mut chosen = select(QueryStrategy::default(), &pool, &AskedBefore::default(), 2, 7);
        chosen.sort_unstable();

        assert!(chosen == [0, 1] || chosen == [1, 2], "{chosen:?}");
    }

    #[test]
    fn with_vectors_texts_are_alike_by_what_they_mean() {
        let [bank, rates, match_, none] =
            [[9.0, 1.0], [8.0, 2.0], [1.0, 9.0], [0.0, 0.0]].map(|v| Vector::of(&v));
        let texts = [
            ("a bank", &bank),
            ("interest", &rates),
            ("the bank of the match", &match_),
        ];
        let pool = texts.map(|(text, vector)| Candidate {
            text,
            prediction: None,
            vector: Some(vector),
        });
        let before = AskedBefore {
            texts: vec!["unknown", "money"],
            vectors: vec![&none, &bank],
            ..AskedBefore::default()
        };

        assert_eq!(select(QueryStrategy::Diversity, &pool, &before, 1, 7), [2]);
    }

    #[test]
    fn chance_decides_between_equal_values_and_differs_by_seed() {
        let pool = vec![
            Candidate {
                text: "same",
                prediction: None,
                vector: None,
            };
            50
        ];
        let chosen = |seed| select(QueryStrategy::Margin, &pool, &AskedBefore::default(), 5, seed);

        assert_eq!(chosen(1), chosen(1));
        assert_ne!(chosen(1), chosen(2));
    }

    #[test]
    fn a_record_tells_what_its_model_said() {
        let line = |rest: &str| format!(r#"{{"classifier":"c","utterance":"text","prediction":"a"{rest}}}"#);
        let known = |rest: &str| {
            let record = FeedbackRecord::parse(line(rest).as_bytes()).expect("a good line");
            let prediction = Candidate::of(&record).prediction;
            prediction.map(|prediction| (prediction.confidence, prediction.margin))
        };

        assert_eq!(known(""), None);
        assert_eq!(known(r#","confidence":0.75"#), Some((0.75, 0.75)));
        let classes = r#","confidence":0.5,"classes":[{"name":"a","score":0.5},{"name":"b","score":0.25}]"#;
        assert_eq!(known(classes), Some((0.5, 0.25)));
        let labels = r#","confidence":0.75,"classes":[{"name":"a","score":1.0},{"name":"b","score":0.75}]"#;
        assert_eq!(known(labels), Some((0.75, 0.5)));
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for strategy in QueryStrategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        let error = "best".parse::<QueryStrategy>().expect_err("no such strategy");
        assert_eq!(
            error.to_string(),
            "`best` is no strategy; there are representative, margin, least-confidence, entropy, class-balanced, \
             diversity, random"
        );
    }

    fn any_prediction() -> impl Strategy<Value = Option<Prediction>> {
        let scores = proptest::collection::vec(0.0f32..=1.0, 0..5);
        (scores, any::<bool>()).prop_map(|(scores, competing)| {
            let sum = if competing {
                scores.iter().sum::<f32>().max(f32::MIN_POSITIVE)
            } else {
                1.0
            };
            let class = |(score, name): (f32, char)| ClassScore {
                name: name.into(),
                score: score / sum,
            };
            let classes = scores.into_iter().zip('a'..).map(class).collect();
            if competing {
                Prediction::multi_class(classes)
            } else {
                Prediction::multi_label(classes)
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_choice_has_no_repeats_and_is_as_long_as_asked(
            pool in proptest::collection::vec(("[ab ]{0,9}", any_prediction()), 0..40),
            labels in proptest::collection::btree_map("[a-e]", 0u64..100, 0..5),
            texts in proptest::collection::vec("[ab ]{0,9}", 0..9), count in 0usize..50, seed: u64,
        ) {
            let texts = texts.iter().map(String::as_str).collect();
            let before = AskedBefore { labels, texts, vectors: Vec::new() };
            let pool: Vec<Candidate> = pool
                .iter()
                .map(|(text, prediction)| Candidate { text, prediction: prediction.clone(), vector: None })
                .collect();
            for strategy in QueryStrategy::ALL {
                let mut chosen = select(strategy, &pool, &before, count, seed);

                prop_assert_eq!(&chosen, &select(strategy, &pool, &before, count, seed));
                chosen.sort_unstable();
                chosen.dedup();
                prop_assert_eq!(chosen.len(), count.min(pool.len()));
                prop_assert!(chosen.iter().all(|&index| index < pool.len()));
            }
        }

        #[test]
        fn a_fifth_is_chosen_by_chance_and_no_text_twice(
            predictions in proptest::collection::vec(any_prediction(), 40..60), count in 1usize..40, seed: u64,
        ) {
            let pool: Vec<Candidate> =
                predictions.into_iter().map(|prediction| Candidate { text: "text", prediction, vector: None }).collect();
            let is_judged = pool.iter().any(|candidate| candidate.prediction.is_some());

            let chosen = select_with_chance(QueryStrategy::Margin, &pool, &AskedBefore::default(), count, seed);

            let by_chance = chosen.iter().filter(|choice| !choice.by_doubt).count() as f64;
            let different: std::collections::BTreeSet<usize> = chosen.iter().map(|choice| choice.index).collect();
            prop_assert_eq!(different.len(), count);
            prop_assert!(!is_judged || (by_chance - 0.2 * count as f64).abs() <= 1.0);
        }

        #[test]
        fn plain_strategies_choose_the_greatest_values(
            predictions in proptest::collection::vec(any_prediction(), 1..40), count in 1usize..10, seed: u64,
        ) {
            let pool: Vec<Candidate> =
                predictions.into_iter().map(|prediction| Candidate { text: "text", prediction, vector: None }).collect();
            for strategy in [QueryStrategy::Margin, QueryStrategy::LeastConfidence, QueryStrategy::Entropy, QueryStrategy::ClassBalanced] {
                let value = |index: usize| strategy.value(pool[index].prediction.as_ref(), &LabelCounts::new());
                let chosen = select(strategy, &pool, &AskedBefore::default(), count, seed);

                let least = chosen.iter().map(|&index| value(index)).fold(f64::INFINITY, f64::min);
                prop_assert!((0..pool.len()).all(|index| chosen.contains(&index) || value(index) <= least));
            }
        }

        #[test]
        fn values_are_finite_and_never_negative(
            prediction in any_prediction(), labels in proptest::collection::btree_map("[a-e]", 0u64.., 0..5),
        ) {
            // Counts of all the texts in the world fit; sums of random 64-bit numbers do not.
            let labels = labels.into_iter().map(|(class, count)| (class, count >> 8)).collect();
            for strategy in QueryStrategy::ALL {
                let value = strategy.value(prediction.as_ref(), &labels);
                prop_assert!(value.is_finite() && value >= 0.0, "{} {}", strategy, value);
            }
        }
    }
}
