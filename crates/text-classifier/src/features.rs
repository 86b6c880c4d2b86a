//! Text to hashed features: word uni- and bigrams, character 3- to 5-grams within words.
//!
//! Words carry the topic; character n-grams carry names, inflections and misspellings that training
//! never saw. Hashing keeps the model's size independent of the vocabulary.

use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// Lengths of the character n-grams, in characters; a word's border counts as one.
const CHARACTER_NGRAMS: std::ops::RangeInclusive<usize> = 3..=5;

/// Euclidean length of a text's word features and of its character features: equal voices.
const GROUP_LENGTH: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// One feature of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Feature {
    /// Hash of the n-gram; a model takes as many of its low bits as it has buckets.
    pub hash: u32,
    /// Weight of the n-gram in the text: logarithm of its count, scaled to the group's length.
    pub value: f32,
}

/// Returns the features of a text; none if it holds no letter or digit.
///
/// Compatibility forms, letter case and punctuation make no difference.
pub(crate) fn extract(text: &str) -> Vec<Feature> {
    let text = text.nfkc().collect::<String>().to_lowercase();
    let mut words = Vec::new();
    let mut characters = Vec::new();
    let mut previous = None;
    for word in text.unicode_words() {
        let unigram = hash(b'w', word.as_bytes());
        words.push(fold(unigram));
        if let Some(previous) = previous {
            words.push(fold(extend(extend(unigram, b" "), &u64::to_le_bytes(previous))));
        }
        previous = Some(unigram);
        push_character_ngrams(word, &mut characters);
    }
    let mut features = weigh(words);
    features.extend(weigh(characters));
    features
}

fn push_character_ngrams(word: &str, ngrams: &mut Vec<u32>) {
    let bordered = format!(" {word} ");
    let starts: Vec<usize> = bordered
        .char_indices()
        .map(|(start, _)| start)
        .chain([bordered.len()])
        .collect();
    for length in CHARACTER_NGRAMS {
        for window in starts.windows(length + 1) {
            let ngram = &bordered.as_bytes()[window[0]..window[length]];
            ngrams.push(fold(hash(b'c', ngram)));
        }
    }
}

/// Counts equal hashes and scales the group to its length.
fn weigh(mut hashes: Vec<u32>) -> Vec<Feature> {
    hashes.sort_unstable();
    let mut features: Vec<Feature> = hashes
        .chunk_by(|left, right| left == right)
        .map(|equal| Feature {
            hash: equal[0],
            value: 1.0 + (equal.len() as f32).ln(),
        })
        .collect();
    let norm = features
        .iter()
        .map(|feature| feature.value * feature.value)
        .sum::<f32>()
        .sqrt();
    for feature in &mut features {
        feature.value *= GROUP_LENGTH / norm;
    }
    features
}

/// FNV-1a: a stored model depends on it, so it never changes with a library version.
fn hash(group: u8, bytes: &[u8]) -> u64 {
    extend(extend(0xcbf2_9ce4_8422_2325, &[group]), bytes)
}

fn extend(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Mixes all 64 bits into 32, so that any low bits can serve as the bucket.
fn fold(hash: u64) -> u32 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_punctuation_and_compatibility_forms_make_no_difference() {
        let plain = extract("the fine profit of 5 firms");

        assert_eq!(extract("The “ﬁne” PROFIT of ５ firms!"), plain);
    }

    #[test]
    fn word_order_makes_a_difference() {
        assert_ne!(extract("dog bites man"), extract("man bites dog"));
    }

    #[test]
    fn text_without_letters_or_digits_has_no_features() {
        for text in ["", " \t\n", "\0", "?!…", "🎉🎉"] {
            assert_eq!(extract(text), [], "{text:?}");
        }
    }

    #[test]
    fn length_of_a_text_does_not_change_the_length_of_its_features() {
        let squared = |text: &str| extract(text).iter().map(|f| f.value * f.value).sum::<f32>();

        for text in [
            "a",
            "goal",
            "goal goal goal",
            "北京 天气 شمس",
            &"word and another ".repeat(300),
        ] {
            assert!((squared(text) - 1.0).abs() < 1e-3, "{text:?}: {}", squared(text));
        }
    }
}
