//! Texts that stand for as many others as possible: greedy maximisation of facility location.
//!
//! A chosen text covers every text by their similarity; a text counts as covered by the best of the chosen ones.
//! Greedy choice reaches at least 63 % of the best coverage there is (G. Nemhauser, L. Wolsey and M. Fisher, 1978),
//! and need not look at all gains again, since they only fall (M. Minoux, "Accelerated greedy algorithms", 1978).
//! Where nothing but coverage counts, the choice only begins the groups of a spherical k-means (I. Dhillon and D. Modha,
//! "Concept Decompositions for Large Sparse Text Data Using Clustering", 2001), and the middle of each group is taken.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
};

use crate::text::{Vector, normalise};

/// Rounds of k-means, of which a few are enough.
const MAX_ROUNDS: usize = 20;

/// Chooses `count` texts that, with those asked about before, cover all, each text counting by its weight (0 or more);
/// best choice first.
///
/// Takes for each text, and then for each that was asked about before, how alike the texts are to it.
pub(super) fn choose(similarities: &[Vec<f32>], weights: &[f32], count: usize) -> Vec<usize> {
    let texts = weights.len();
    let mut covered = vec![0.0; texts];
    for asked in &similarities[texts..] {
        cover(&mut covered, asked);
    }
    let gain = |text: usize, covered: &[f32]| -> f32 {
        let new = similarities[text].iter().zip(covered).zip(weights);
        new.map(|((similarity, covered), weight)| (similarity - covered).max(0.0) * weight)
            .sum()
    };
    // Gains are never negative, so that their bits are in the order of their values.
    let mut gains: BinaryHeap<(u32, Reverse<usize>)> = (0..texts)
        .map(|text| (gain(text, &covered).to_bits(), Reverse(text)))
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < count
        && let Some((_, Reverse(text))) = gains.pop()
    {
        let now = gain(text, &covered).to_bits();
        if gains.peek().is_some_and(|(next, _)| *next > now) {
            gains.push((now, Reverse(text)));
            continue;
        }
        chosen.push(text);
        cover(&mut covered, &similarities[text]);
    }
    chosen
}

/// Exchanges chosen texts for the middles of the groups that the texts fall into, beginning with these; returns them in the
/// order of how much a group covers.
///
/// Greedy choice begins in the middle of all texts, where labels say least, and cannot take a choice back. A text belongs
/// to the group whose mean it is most like, which is less noisy than any text of the group; to none where it is more like
/// one that was asked about before.
pub(super) fn exchange(similarities: &[Vec<f32>], weights: &[f32], chosen: Vec<usize>) -> Vec<usize> {
    let texts = weights.len();
    let mut asked_before = vec![0.0; texts];
    for asked in &similarities[texts..] {
        cover(&mut asked_before, asked);
    }
    let mut likeness: Vec<Vec<f32>> = chosen.iter().map(|&text| similarities[text].clone()).collect();
    let mut groups = group(&likeness, &asked_before);
    for _ in 0..MAX_ROUNDS {
        for (likeness, members) in likeness.iter_mut().zip(&groups) {
            if !members.is_empty() {
                *likeness = likeness_to_mean(similarities, weights, members);
            }
        }
        let regrouped = group(&likeness, &asked_before);
        if regrouped == groups {
            break;
        }
        groups = regrouped;
    }

    let mut order: Vec<(f32, usize)> = Vec::new();
    for (group, (likeness, members)) in likeness.iter().zip(&groups).enumerate() {
        let covers = members.iter().map(|&text| likeness[text] * weights[text]).sum();
        order.push((covers, group));
    }
    order.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut middles = Vec::new();
    for (_, group) in order {
        let is_free = |text: &usize| !middles.contains(text);
        let by_likeness = |a: &usize, b: &usize| likeness[group][*a].total_cmp(&likeness[group][*b]);
        let member = groups[group].iter().copied().filter(is_free).max_by(by_likeness);
        middles.extend(member.or_else(|| (0..texts).filter(is_free).max_by(by_likeness)));
    }
    middles
}

/// Returns the members of each group, given how like all texts are to each group's mean.
fn group(likeness: &[Vec<f32>], asked_before: &[f32]) -> Vec<Vec<usize>> {
    let mut groups = vec![Vec::new(); likeness.len()];
    for (text, asked_before) in asked_before.iter().enumerate() {
        let nearest = (0..likeness.len()).max_by(|&a, &b| likeness[a][text].total_cmp(&likeness[b][text]));
        if let Some(nearest) = nearest.filter(|&nearest| likeness[nearest][text] > *asked_before) {
            groups[nearest].push(text);
        }
    }
    groups
}

/// Returns how like each text is to the weighted mean of some: their cosine, by the cosines of the texts.
fn likeness_to_mean(similarities: &[Vec<f32>], weights: &[f32], members: &[usize]) -> Vec<f32> {
    let mut sums = vec![0.0; weights.len()];
    for &member in members {
        for (sum, similarity) in sums.iter_mut().zip(&similarities[member]) {
            *sum += similarity * weights[member];
        }
    }
    let squared_length: f32 = members.iter().map(|&member| sums[member] * weights[member]).sum();
    let length = squared_length.sqrt().max(f32::MIN_POSITIVE);
    sums.iter_mut().for_each(|sum| *sum /= length);
    sums
}

/// Counts a text as chosen.
fn cover(covered: &mut [f32], similarities: &[f32]) {
    for (covered, similarity) in covered.iter_mut().zip(similarities) {
        *covered = similarity.max(*covered);
    }
}

/// Returns for each vector how alike the first `texts` of them are to it, from 0 to 1.
///
/// Cosines of what is left of a vector without the mean of all: many encoders give all texts a direction in common.
pub(super) fn similarities_of_vectors(vectors: &[&Vector], texts: usize) -> Vec<Vec<f32>> {
    let dimensions = vectors.first().map_or(0, |vector| vector.dimensions());
    let mut mean = vec![0.0; dimensions];
    for vector in vectors {
        mean.iter_mut()
            .zip(vector.unit())
            .for_each(|(mean, value)| *mean += value);
    }
    mean.iter_mut().for_each(|mean| *mean /= vectors.len() as f32);
    let centred: Vec<Vec<f32>> = vectors.iter().map(|vector| centre(vector, &mean)).collect();

    let mut similarities = vec![vec![0.0; texts]; vectors.len()];
    for row in 0..vectors.len() {
        for column in 0..texts.min(row + 1) {
            let similarity = dot(&centred[row], &centred[column]).max(0.0);
            similarities[row][column] = similarity;
            if row < texts {
                similarities[column][row] = similarity;
            }
        }
    }
    similarities
}

fn centre(vector: &Vector, mean: &[f32]) -> Vec<f32> {
    let mut centred: Vec<f32> = vector
        .unit()
        .zip(mean)
        .map(|(value, mean)| value - mean)
        .collect();
    let length = dot(&centred, &centred).sqrt();
    if length > 0.0 {
        centred.iter_mut().for_each(|value| *value /= length);
    }
    centred
}

/// Adds up in lanes, so that the compiler makes one instruction of several numbers.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let (left, left_rest) = left.as_chunks::<8>();
    let (right, right_rest) = right.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for (left, right) in left.iter().zip(right) {
        for (lane, (left, right)) in lanes.iter_mut().zip(left.iter().zip(right)) {
            *lane += left * right;
        }
    }
    let rest: f32 = left_rest
        .iter()
        .zip(right_rest)
        .map(|(left, right)| left * right)
        .sum();
    lanes.iter().sum::<f32>() + rest
}

/// Returns the cosine similarities of all pairs, from 0 to 1: words weighed by the logarithm of their count and
/// by inverse document frequency.
///
/// Time and memory grow with the square of the number of texts.
pub(super) fn similarities(texts: &[&str]) -> Vec<Vec<f32>> {
    let words: Vec<BTreeMap<u64, f32>> = texts.iter().map(|text| count_words(text)).collect();
    let mut occurrences: HashMap<u64, Vec<(usize, f32)>> = HashMap::new();
    for (text, words) in words.iter().enumerate() {
        for (&word, &count) in words {
            occurrences
                .entry(word)
                .or_default()
                .push((text, 1.0 + count.ln()));
        }
    }
    for texts_with_word in occurrences.values_mut() {
        let inverse_frequency = (1.0 + texts.len() as f32 / texts_with_word.len() as f32).ln();
        texts_with_word
            .iter_mut()
            .for_each(|(_, weight)| *weight *= inverse_frequency);
    }
    // In order of the words, not of the map: a sum of floats depends on it.
    let mut all_words: Vec<&u64> = occurrences.keys().collect();
    all_words.sort_unstable();
    let mut products = vec![vec![0.0_f32; texts.len()]; texts.len()];
    for word in all_words {
        for &(text, weight) in &occurrences[word] {
            for &(other, other_weight) in &occurrences[word] {
                products[text][other] += weight * other_weight;
            }
        }
    }
    let lengths: Vec<f32> = (0..texts.len()).map(|text| products[text][text].sqrt()).collect();
    for (row, length) in products.iter_mut().zip(&lengths) {
        for (product, other_length) in row.iter_mut().zip(&lengths) {
            *product /= (length * other_length).max(f32::MIN_POSITIVE);
        }
    }
    products
}

/// Counts the words of the normalised text, by hash.
fn count_words(text: &str) -> BTreeMap<u64, f32> {
    let mut counts = BTreeMap::new();
    for word in normalise(text).split_whitespace() {
        *counts.entry(hash(word)).or_insert(0.0) += 1.0;
    }
    counts
}

/// FNV-1a, 64 bits: only compared within one process, so any good hash would do.
fn hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_choice_stands_for_the_largest_group() {
        let texts = [
            "a lone text of its own",
            "bank raises rates",
            "bank raises interest rates",
            "central bank raises rates",
        ];

        let chosen = choose(&similarities(&texts), &[1.0; 4], 2);

        assert_eq!(chosen, [1, 0]);
    }

    #[test]
    fn what_was_asked_before_is_not_covered_again() {
        let texts = [
            "bank raises rates",
            "bank raises interest rates",
            "team wins match",
        ];

        let all: Vec<&str> = texts.into_iter().chain(["central bank raises rates"]).collect();
        assert_eq!(choose(&similarities(&all), &[1.0; 3], 1), [2]);
    }

    #[test]
    fn weight_draws_the_choice() {
        let texts = ["bank raises rates", "bank raises rates again", "team wins match"];

        let similarities = similarities(&texts);
        assert_eq!(choose(&similarities, &[0.1, 0.1, 1.0], 1), [2]);
        assert_eq!(choose(&similarities, &[0.0; 3], 3).len(), 3);
    }

    #[test]
    fn a_choice_from_between_the_groups_is_exchanged_for_the_middle_of_one() {
        // Two groups of three, and a text that is a little like all.
        let group = |text: usize| text / 3;
        let alike = |a: usize, b: usize| match (a, b) {
            _ if a == b => 1.0,
            (6, _) | (_, 6) => 0.6,
            _ if group(a) != group(b) => 0.0,
            _ if a.is_multiple_of(3) || b.is_multiple_of(3) => 0.9,
            _ => 0.5,
        };
        let similarities: Vec<Vec<f32>> = (0..7).map(|a| (0..7).map(|b| alike(a, b)).collect()).collect();
        let greedy = choose(&similarities, &[1.0; 7], 2);

        let mut exchanged = exchange(&similarities, &[1.0; 7], greedy.clone());

        exchanged.sort_unstable();
        assert_eq!(greedy[0], 6);
        assert_eq!(exchanged, [0, 3]);
    }

    #[test]
    fn texts_without_words_are_chosen_last() {
        assert_eq!(choose(&similarities(&["", " ", "word"]), &[1.0; 3], 3)[0], 2);
    }

    /// Looks at all gains at every step.
    fn greedy(texts: &[&str], weights: &[f32], count: usize) -> f32 {
        let similarities = similarities(texts);
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < count.min(texts.len()) {
            let with = |text: usize| coverage(&similarities, weights, chosen.iter().copied().chain([text]));
            let rest = (0..texts.len()).filter(|text| !chosen.contains(text));
            let best = rest.max_by(|a, b| with(*a).total_cmp(&with(*b)));
            chosen.extend(best);
        }
        coverage(&similarities, weights, chosen.into_iter())
    }

    fn coverage(
        similarities: &[Vec<f32>],
        weights: &[f32],
        chosen: impl Iterator<Item = usize> + Clone,
    ) -> f32 {
        let best = |text: usize| {
            chosen
                .clone()
                .map(|by| similarities[by][text])
                .fold(0.0, f32::max)
        };
        (0..weights.len()).map(|text| weights[text] * best(text)).sum()
    }

    proptest! {
        #[test]
        fn similarities_are_symmetric_and_one_for_a_text_itself(
            texts in proptest::collection::vec("([ab]{1,2} ){1,4}", 1..12),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let similarities = similarities(&texts);
            for (a, row) in similarities.iter().enumerate() {
                prop_assert!((row[a] - 1.0).abs() < 1e-5);
                for (b, similarity) in row.iter().enumerate() {
                    prop_assert!((-1e-6..=1.0 + 1e-5).contains(similarity));
                    prop_assert_eq!(*similarity, similarities[b][a]);
                }
            }
        }

        #[test]
        fn exchange_gives_as_many_choices_each_once(
            texts in proptest::collection::vec(("([a-d]{1,2} ){0,4}", 0.0f32..2.0), 1..12),
            asked in proptest::collection::vec("([a-d]{1,2} ){1,4}", 0..3), count in 1usize..12,
        ) {
            let (mut all, weights): (Vec<&str>, Vec<f32>) =
                texts.iter().map(|(text, weight)| (text.as_str(), *weight)).unzip();
            all.extend(asked.iter().map(String::as_str));
            let similarities = similarities(&all);
            let chosen = choose(&similarities, &weights, count);

            let mut exchanged = exchange(&similarities, &weights, chosen.clone());

            exchanged.sort_unstable();
            exchanged.dedup();
            prop_assert_eq!(exchanged.len(), chosen.len());
            prop_assert!(exchanged.iter().all(|&text| text < weights.len()));
        }

        #[test]
        fn not_looking_again_loses_no_coverage(
            texts in proptest::collection::vec(("([a-d]{1,2} ){1,4}", 0.0f32..2.0), 1..12), count in 1usize..5,
        ) {
            let (texts, weights): (Vec<&str>, Vec<f32>) =
                texts.iter().map(|(text, weight)| (text.as_str(), *weight)).unzip();
            let chosen = choose(&similarities(&texts), &weights, count);

            let lazy = coverage(&similarities(&texts), &weights, chosen.into_iter());
            let eager = greedy(&texts, &weights, count);

            // Equal gains may be taken in another order, which can end elsewhere.
            prop_assert!(lazy >= 0.9 * eager, "{lazy} {eager}");
        }
    }
}
