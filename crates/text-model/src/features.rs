//! Text to hashed features: words, pairs of neighbouring words, character 3- to 5-grams within words.
//!
//! Words carry the topic; character n-grams carry names, inflections and misspellings that training
//! never saw. Hashing keeps the model's size independent of the vocabulary. Of scripts that do not
//! separate words (Chinese, Japanese, Thai, …) each character counts as a word, and character n-grams run
//! across the whole phrase. Signs count as words too: emoji, symbols, `?`, numbers with a sign.

use std::borrow::Cow;

use active_learning_core::text::{decode_entities, signs};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Kinds of features: words, pairs, character n-grams.
pub(crate) const GROUPS: usize = 3;
pub(crate) const WORDS: usize = 0;
pub(crate) const PAIRS: usize = 1;
pub(crate) const CHARACTERS: usize = 2;

/// Lengths of the character n-grams, in characters; a word's border counts as one.
const MIN_NGRAM: usize = 3;
const MAX_NGRAM: usize = 5;

/// Bits of a feature's hash; a model takes as many of the low ones as it has buckets.
pub(crate) const HASH_BITS: u32 = 20;

/// Longest tag that is taken for markup, in bytes.
const MAX_TAG_BYTES: usize = 200;

/// Start of the hash of each group.
const SEEDS: [u64; GROUPS] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
];

/// Start of the hash of a sign, which is one of the words.
const SIGN_SEED: u64 = 0xa409_3822_299f_31d1;

/// What a model sees of a text: how often it holds each hashed n-gram.
///
/// Takes about 2 bytes for each different n-gram: 4 times an English text's own size. Letter case, most punctuation,
/// HTML entities, markup and compatibility forms make no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// A group after the other, each ascending by hash: twice the distance to the hash before, plus one if a count
    /// of more than one follows; seven bits a byte, the low ones first, the eighth set in all but the last.
    packed: Box<[u8]>,
    groups: [Group; GROUPS],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Group {
    /// Where it ends in `packed`.
    end: u32,
    /// n-grams, each as often as it occurs.
    size: u32,
}

impl Features {
    /// Returns the features of a text; none if it holds no letter, digit or sign.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut hashes: [Vec<u32>; GROUPS] = Default::default();
        visit(text, Revision::Signs, |group, hash| hashes[group].push(hash));
        let mut packed = Vec::new();
        let groups = hashes.map(|mut hashes| {
            hashes.sort_unstable();
            let mut before = 0;
            for equal in hashes.chunk_by(|left, right| left == right) {
                let (hash, count) = (equal[0], equal.len() as u32);
                pack(&mut packed, (hash - before) << 1 | u32::from(count > 1));
                if count > 1 {
                    pack(&mut packed, count);
                }
                before = hash;
            }
            Group {
                end: packed.len() as u32,
                size: hashes.len() as u32,
            }
        });
        Self {
            packed: packed.into_boxed_slice(),
            groups,
        }
    }

    /// Returns how alike two texts are in their n-grams, from 0 (none in common) to 1 (the same).
    ///
    /// Mean over words, pairs and character n-grams of the cosine between the counts.
    #[must_use]
    pub fn similarity(&self, other: &Self) -> f32 {
        let cosines = self.groups().zip(other.groups()).map(|(left, right)| {
            let length = left.squared_length() * right.squared_length();
            if length > 0.0 {
                dot(left.iter(), right.iter()) / length.sqrt()
            } else {
                0.0
            }
        });
        let present = self
            .groups
            .iter()
            .zip(&other.groups)
            .filter(|(left, right)| left.size.max(right.size) > 0);
        let present = present.count().max(1);
        (cosines.sum::<f32>() / present as f32).clamp(0.0, 1.0)
    }

    /// Returns the number of different n-grams.
    pub(crate) fn len(&self) -> usize {
        self.groups().map(|group| group.iter().count()).sum()
    }

    /// Returns the groups in order; empty ones too.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Counted<'_>> {
        let mut start = 0;
        self.groups.iter().map(move |group| {
            let packed = &self.packed[start..group.end as usize];
            start = group.end as usize;
            Counted {
                packed,
                size: group.size,
            }
        })
    }
}

/// The n-grams of one group.
#[derive(Clone, Copy)]
pub(crate) struct Counted<'a> {
    packed: &'a [u8],
    /// n-grams, each as often as it occurs.
    pub size: u32,
}

impl<'a> Counted<'a> {
    /// Returns each hash with its count, ascending.
    pub(crate) fn iter(self) -> impl Iterator<Item = (u32, u32)> + 'a {
        let mut packed = self.packed;
        let mut hash = 0;
        std::iter::from_fn(move || {
            if packed.is_empty() {
                return None;
            }
            let distance = unpack(&mut packed);
            hash += distance >> 1;
            let count = if distance & 1 == 1 { unpack(&mut packed) } else { 1 };
            Some((hash, count))
        })
    }

    fn squared_length(self) -> f32 {
        self.iter().map(|(_, count)| (count as f32).powi(2)).sum()
    }
}

fn pack(packed: &mut Vec<u8>, mut number: u32) {
    while number > LOW_BITS {
        packed.push((number & LOW_BITS) as u8 | MORE);
        number >>= 7;
    }
    packed.push(number as u8);
}

/// Takes a number off the front of what [`pack`] wrote.
fn unpack(packed: &mut &[u8]) -> u32 {
    let mut number = 0;
    let mut shift = 0;
    while let [byte, rest @ ..] = packed {
        *packed = rest;
        number |= (u32::from(*byte) & LOW_BITS) << shift;
        if byte & MORE == 0 {
            break;
        }
        shift += 7;
    }
    number
}

const LOW_BITS: u32 = 0x7f;
const MORE: u8 = 0x80;

fn dot(left: impl Iterator<Item = (u32, u32)>, right: impl Iterator<Item = (u32, u32)>) -> f32 {
    let mut right = right.peekable();
    let mut sum = 0.0;
    for (hash, count) in left {
        while right.next_if(|&(other, _)| other < hash).is_some() {}
        if let Some((_, other)) = right.next_if(|&(other, _)| other == hash) {
            sum += count as f32 * other as f32;
        }
    }
    sum
}

/// What a model was trained to see: it sees the same ever after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revision {
    /// Words only: model files of format 3.
    Words,
    /// Signs too.
    Signs,
}

/// Calls with the group and the hash of each n-gram of the text, in order, as often as it occurs.
pub(crate) fn visit(text: &str, revision: Revision, mut each: impl FnMut(usize, u32)) {
    if revision == Revision::Signs {
        for sign in signs(text) {
            let hash = sign.chars().fold(SIGN_SEED, |hash, c| extend(hash, c as u64));
            each(WORDS, fold(hash));
        }
    }
    let letters = letters(text);
    let mut previous = None;
    let mut start = 0;
    while let Some(length) = letters[start + 1..].iter().position(|&letter| letter == ' ') {
        let word = &letters[start + 1..][..length];
        let bordered = &letters[start..][..length + 2];
        start += length + 1;
        let separate = word.len() > 1 && is_unsegmented(word[0]);
        for part in word.chunks(if separate { 1 } else { word.len().max(1) }) {
            let unigram = part
                .iter()
                .fold(SEEDS[WORDS], |hash, &letter| extend(hash, letter as u64));
            each(WORDS, fold(unigram));
            if let Some(previous) = previous {
                each(PAIRS, fold(extend(extend(SEEDS[PAIRS], previous), unigram)));
            }
            previous = Some(unigram);
        }
        for ngrams in bordered
            .windows(MIN_NGRAM)
            .enumerate()
            .map(|(at, _)| &bordered[at..])
        {
            let mut hash = SEEDS[CHARACTERS];
            for (length, &letter) in (1..).zip(ngrams.iter().take(MAX_NGRAM)) {
                hash = extend(hash, letter as u64);
                if length >= MIN_NGRAM {
                    each(CHARACTERS, fold(hash));
                }
            }
        }
    }
}

/// Reduces a text to lower-case words with one space before, between and after them.
fn letters(text: &str) -> Vec<char> {
    let text = if text.contains(['&', '#', '<']) {
        Cow::Owned(without_tags(&decode_entities(text)))
    } else {
        Cow::Borrowed(text)
    };
    let mut letters = Vec::with_capacity(text.len() + 2);
    letters.push(' ');
    let mut last = ' ';
    let mut push = |letter| {
        if letter != ' ' || last != ' ' {
            letters.push(letter);
        }
        last = letter;
    };
    if text.is_ascii() {
        for byte in text.bytes() {
            let letter = byte.is_ascii_alphanumeric();
            push(if letter {
                char::from(byte.to_ascii_lowercase())
            } else {
                ' '
            });
        }
    } else {
        let mut unsegmented = false;
        for letter in text.nfkc().flat_map(char::to_lowercase) {
            let mark = is_combining_mark(letter);
            if !mark && is_unsegmented(letter) != unsegmented {
                unsegmented = !unsegmented;
                push(' ');
            }
            push(if mark || letter.is_alphanumeric() {
                letter
            } else {
                ' '
            });
        }
    }
    push(' ');
    letters
}

/// Replaces what looks like an HTML tag by a space.
fn without_tags(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, from) = rest.split_at(start);
        plain.push_str(before);
        let tag = from[1..]
            .find(['<', '>'])
            .filter(|&end| end <= MAX_TAG_BYTES && from.as_bytes()[end + 1] == b'>')
            .filter(|_| {
                from[1..].starts_with(|next: char| next.is_ascii_alphabetic() || matches!(next, '/' | '!'))
            });
        plain.push(' ');
        rest = &from[tag.map_or(1, |end| end + 2)..];
    }
    plain + rest
}

/// Returns whether the character is of a script that does not separate words.
pub(crate) fn is_unsegmented(letter: char) -> bool {
    matches!(letter,
        '\u{e00}'..='\u{eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3005}'..='\u{30ff}' // kana
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}') // Han
}

/// A stored model depends on it, so it never changes with a library version.
/// Source: FxHash, as in Firefox.
fn extend(hash: u64, next: u64) -> u64 {
    (hash.rotate_left(5) ^ next).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// The high bits are the well-mixed ones.
fn fold(hash: u64) -> u32 {
    (hash >> (u64::BITS - HASH_BITS)) as u32
}

#[cfg(test)]
mod tests;
