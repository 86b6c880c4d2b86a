//! Copies of a question: texts whose answer is another text's answer, so that people are asked once.
//!
//! Two texts of one classifier are copies
//!
//! - of *form*, if their [normal form](crate::text::normal_form) is the same: case, spacing, quotes, HTML entities and
//!   trailing punctuation do not count, symbols, emoji, signs of numbers and `?` do ([`same_form`] names them alike), or
//! - by a *small change*, if one is the other cut off (it ends with `...` and is at least 4/9 of it), or the other with a
//!   tag before or after it, such as `Agency report:` or `(Agency)` ([`RecentTexts`] finds these).
//!
//! [`near copies`](crate::dataset::NearCopies) keep training and test rows apart, where one pair too many costs
//! a row; here one pair too many gives a text the answer to another one. So a small change must carry no content: no
//! word within is replaced, added or left out; the words at an end deny nothing, name no class and hold no number or
//! sign, and it is known what denies in the language of the text, or that a tag names a source only; **and** the model
//! gives both texts the same class with nearly the same scores, of which a cut, that leaves it less to see, may move more;
//! **and** no user holds another label right. Where no scores are known, as with explicit feedback, and in other languages
//! only the form counts.
//!
//! Every copy is kept ([`KeptCopy`]), so that the row of a labelled text can say how many texts its answer serves
//! ([`count`]).

mod change;
mod kept;
mod languages;
mod small_change;

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_segmentation::UnicodeSegmentation;

pub use change::{Becomes, CopiesChange};
pub use kept::{COPIES_PREFIX, KeptCopy, MAX_STEPS, Served, count, occurrence};

use crate::{
    feedback::{ClassScore, FeedbackRecord},
    text::normal_form,
};

/// Words of the shortest text that has copies by a small change.
const MIN_WORDS: usize = 9;

/// Words at the beginning or the end by which candidates are found.
///
/// Copies share at least 4/9 of all words of both, thus eight or more, in two runs: one has four or more.
const ANCHOR_WORDS: usize = 4;

/// Bytes of a score, as JSON.
const SCORE_BYTES: usize = 32;

/// Smallest score of a class that is remembered. By a model of single labels, whose scores come to 1, no text has more than
/// twenty of them, however many classes there are. A class that is left out counts as one of score 0: where the other score is
/// larger, they are found up to this much farther apart; where both are left out they differ by less than this.
const MIN_SCORE: f32 = 0.05;

/// Bytes of texts that are remembered, with what is known of them: about 8,000 news items.
const MAX_BYTES: usize = 2_500_000;

/// Parts into which texts are sorted by their first words, and again by their last ones. More parts let more deliveries
/// remember texts at once, and cost a large delivery more requests.
const PARTS: u64 = 32;

/// Bytes of texts that are remembered in a part: about 250 news items, so that all parts together have as many as one object had.
pub const MAX_BYTES_OF_PART: usize = 80_000;

/// Names the parts in which a record's text is remembered, by its first words and then by its last ones: copies by a small
/// change share one of the two. `None` where the text is too short to have any.
pub fn parts_of(record: &FeedbackRecord) -> Option<[String; 2]> {
    let [first, last] = RecentText::of(record).anchors()?;
    Some([
        format!("first-{:02x}", first % PARTS),
        format!("last-{:02x}", last % PARTS),
    ])
}

/// Where a duplicate's answer comes from, the content of `duplicates/<record id>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Duplicate {
    /// Id of the record whose question is asked instead.
    pub original: String,
}

/// Names the form of a record's text: see [`form_of`].
pub fn same_form(record: &FeedbackRecord) -> String {
    form_of(&record.classifier, &record.utterance)
}

/// Names the form of a text: the same for all copies of form of one classifier; 32 hex digits.
pub fn form_of(classifier: &str, utterance: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(classifier.as_bytes());
    hash.update([0]);
    hash.update(normal_form(utterance).as_bytes());
    hex::encode(&hash.finalize()[..16])
}

/// Texts that people were asked about, as many as fit in 2.5 MB; the oldest are forgotten.
///
/// Finds copies by a small change exactly, not by chance as MinHash would: all copies share their first or their
/// last four words, and those that do are compared word by word.
#[derive(Clone, Debug, Default)]
pub struct RecentTexts {
    /// Oldest first.
    texts: Vec<RecentText>,
    by_id: HashMap<String, usize>,
    /// Numbers of the texts that begin or end with these words.
    by_anchor: HashMap<u64, Vec<usize>>,
}

/// A text that was asked about: a line of what [`RecentTexts::write`] writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RecentText {
    id: String,
    classifier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction: Option<String>,
    /// In normal form.
    text: String,
    /// Texts that an older version remembered have none.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    tags: Tags,
    /// Whether it ends as what was cut off does: `...` or `…`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_cut_off: bool,
    /// What the model made of it: the most likely class, those of at least [`MIN_SCORE`], and those that a tag names. Texts
    /// that an older version remembered have all, or none, and then no copies by a small change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classes: Vec<ClassScore>,
    /// What a user holds right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suggested_label: Option<String>,
}

/// Words that are set apart from a text, in normal form; empty where there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Tags {
    /// Up to a colon, a dash with spaces or a bar, or in brackets: `Agency report: `, `LONDON (Agency) - `, `[Agency] `.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    before: String,
    /// In brackets: ` (Agency)`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    after: String,
}

/// Returns whether brackets hold a name: `(Agency)`, and not a remark, as `(resolved)` or `(just kidding)`.
fn is_written_as_a_name(brackets: &str) -> bool {
    let first = brackets.chars().find(|c| c.is_alphabetic());
    first.is_none_or(|first| !first.is_lowercase())
}

impl Tags {
    fn of(text: &str) -> Self {
        let text = text.trim();
        let ends = [": ", " - ", " \u{2013} ", " \u{2014} ", " | ", "] ", ") "];
        let before = ends
            .iter()
            .filter_map(|end| Some(&text[..text.find(end)? + end.len()]))
            .min_by_key(|before| before.len());
        let after = match text.chars().next_back() {
            Some(')') => text.rfind('('),
            Some(']') => text.rfind('['),
            _ => None,
        };
        Self {
            // The dash that ends a tag is none of its words.
            before: before
                .map(|before| normal_form(before.trim_end_matches([' ', '-', '\u{2013}', '\u{2014}'])))
                .unwrap_or_default(),
            after: after
                .filter(|start| is_written_as_a_name(&text[*start..]))
                .map(|start| normal_form(&text[start..]))
                .unwrap_or_default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// Returns whether one of the words is one of a class's name.
    fn name(&self, class: &str) -> bool {
        let class = normal_form(class);
        let mut words = self.before.split(' ').chain(self.after.split(' '));
        words.any(|word| !word.is_empty() && class.split(' ').any(|part| part == word))
    }
}

impl RecentTexts {
    /// Reads what [`RecentTexts::write`] wrote.
    ///
    /// # Errors
    ///
    /// Place and kind of the first damage, without a text.
    pub fn read(lines: &[u8]) -> Result<Self, DamagedTexts> {
        let mut texts = Self::default();
        for (line, number) in lines.split(|byte| *byte == b'\n').zip(1..) {
            if !line.is_empty() {
                texts.remember(serde_json::from_slice(line).map_err(|_| DamagedTexts(number))?);
            }
        }
        Ok(texts)
    }

    /// Writes the texts as JSON Lines, without the oldest if all do not fit.
    pub fn write(&self) -> Vec<u8> {
        self.write_within(MAX_BYTES)
    }

    /// Writes the texts as JSON Lines, without the oldest if they take more than so many bytes, and without each that takes more
    /// by itself.
    pub fn write_within(&self, max_bytes: usize) -> Vec<u8> {
        let mut bytes = 0;
        let fits = |text: &&RecentText| {
            bytes += text.size();
            bytes <= max_bytes
        };
        // One that does not fit by itself is left out, and not all the others for its sake.
        let may_fit = || self.texts.iter().filter(move |text| text.size() <= max_bytes);
        let kept = may_fit().rev().take_while(fits).count();
        let forgotten = may_fit().count() - kept;
        let mut lines = Vec::new();
        for text in may_fit().skip(forgotten) {
            serde_json::to_writer(&mut lines, text).expect("texts are always JSON");
            lines.push(b'\n');
        }
        lines
    }

    /// Returns whether this very question is among the texts.
    pub fn contains(&self, record: &FeedbackRecord) -> bool {
        self.by_id.contains_key(&record.id)
    }

    /// Remembers a record's text; returns whether that changed anything. Texts too short to have copies are left out.
    pub fn insert(&mut self, record: &FeedbackRecord) -> bool {
        let text = RecentText::of(record);
        let new = !self.contains(record) && words(&text.text).len() >= MIN_WORDS;
        if new {
            self.remember(text);
        }
        new
    }

    /// Forgets a record's text; returns whether that changed anything.
    pub fn forget(&mut self, id: &str) -> bool {
        if !self.by_id.contains_key(id) {
            return false;
        }
        let texts = std::mem::take(self).texts;
        texts
            .into_iter()
            .filter(|text| text.id != id)
            .for_each(|text| self.remember(text));
        true
    }

    /// Returns the id of a text of which this record's text is a copy by a small change; the oldest of several.
    pub fn original(&self, record: &FeedbackRecord) -> Option<&str> {
        let text = RecentText::of(record);
        let anchors = text.anchors()?.into_iter();
        let candidates: BTreeSet<usize> = anchors
            .filter_map(|anchor| self.by_anchor.get(&anchor))
            .flatten()
            .copied()
            .collect();
        let candidates = candidates.into_iter().map(|number| &self.texts[number]);
        let mut originals =
            candidates.filter(|other| other.id != text.id && small_change::are_copies(&text, other));
        originals.next().map(|original| original.id.as_str())
    }

    fn remember(&mut self, text: RecentText) {
        let number = self.texts.len();
        for anchor in text.anchors().into_iter().flatten() {
            self.by_anchor.entry(anchor).or_default().push(number);
        }
        self.by_id.insert(text.id.clone(), number);
        self.texts.push(text);
    }
}

/// Recent texts that cannot be read. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is no recent text")]
pub struct DamagedTexts(usize);

impl RecentText {
    fn of(record: &FeedbackRecord) -> Self {
        let tags = Tags::of(&record.utterance);
        Self {
            id: record.id.clone(),
            classifier: record.classifier.clone(),
            prediction: record.prediction.clone(),
            text: normal_form(&record.utterance),
            is_cut_off: ends_cut_off(&record.utterance),
            classes: classes_that_count(&record.classes, &tags),
            tags,
            suggested_label: record.suggested_label.clone(),
        }
    }

    fn size(&self) -> usize {
        let prediction = self.prediction.as_ref().map_or(0, String::len);
        let classes: usize = self
            .classes
            .iter()
            .map(|class| class.name.len() + SCORE_BYTES)
            .sum();
        let tags = self.tags.before.len() + self.tags.after.len();
        self.id.len() + self.classifier.len() + prediction + self.text.len() + tags + classes
    }

    /// Returns hashes of the first and of the last words; nothing of a text that is too short.
    fn anchors(&self) -> Option<[u64; 2]> {
        let words = words(&self.text);
        let enough = words.len() >= MIN_WORDS;
        enough.then(|| {
            let ends = [&words[..ANCHOR_WORDS], &words[words.len() - ANCHOR_WORDS..]];
            ends.map(|end| hash(&self.classifier, end))
        })
    }
}

/// Returns the classes that tell a text from others.
fn classes_that_count(classes: &[ClassScore], tags: &Tags) -> Vec<ClassScore> {
    let most_likely = classes.iter().map(|class| class.score).fold(0.0, f32::max);
    let counts = |class: &&ClassScore| {
        class.score >= MIN_SCORE.min(most_likely) || (!tags.is_empty() && tags.name(&class.name))
    };
    classes.iter().filter(counts).cloned().collect()
}

/// Returns whether a text ends as what was cut off does.
fn ends_cut_off(text: &str) -> bool {
    let end = text.trim_end();
    end.ends_with("...") || end.ends_with('…')
}

/// Returns the words of a text in normal form; in scripts without spaces, such as Chinese, each character is one.
fn words(text: &str) -> Vec<&str> {
    text.unicode_words().collect()
}

/// FNV-1a, 64 bits: only finds what is compared afterwards.
fn hash(classifier: &str, words: &[&str]) -> u64 {
    let parts = std::iter::once(classifier).chain(words.iter().copied());
    let bytes = parts.flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
