//! Copies of a question: texts whose answer is another text's answer, so that people are asked once.
//!
//! Two texts of one classifier are copies
//!
//! - of *form*, if they normalise to the same: case, white space, punctuation and HTML entities do not count
//!   ([`same_form`] names them alike), or
//! - by a *small change*, if one is at least the first half of the other, or if they have the same words in the
//!   same order but for one place ([`RecentTexts`] finds these).
//!
//! [`near copies`](crate::dataset::NearCopies) keep training and test rows apart, where one pair too many costs
//! a row; here one pair too many costs a question. So a small change has to be smaller: two places may swap
//! roles ("A beat B", "B beat A") and are never one; neither side of the place may hold a word of the other
//! (a word that moved), nor may a number be replaced (another result); texts of fewer than nine words carry
//! too much in each word; and where a model predicts another class, the change means something to it.
//! What remains: a "not" that is added to a long text, and does not move the model, passes for a small change.
//!
//! Every copy is kept ([`KeptCopy`]), so that the row of a labelled text can say how many texts its answer serves
//! ([`count`]).

mod kept;

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_segmentation::UnicodeSegmentation;

pub use kept::{COPIES_PREFIX, KeptCopy, Served, count, occurrence};

use crate::{feedback::FeedbackRecord, text::normalise};

/// Words of the shortest text that has copies by a small change.
const MIN_WORDS: usize = 9;

/// Words at the beginning or the end by which candidates are found.
///
/// Copies share at least 4/9 of all words of both, thus eight or more, in two runs: one has four or more.
const ANCHOR_WORDS: usize = 4;

/// Bytes of texts that are remembered, with what is known of them: about 8,000 news items.
const MAX_BYTES: usize = 2_500_000;

/// Names the form of a record's text: the same for all copies of form of one classifier; 32 hex digits.
pub fn same_form(record: &FeedbackRecord) -> String {
    let mut hash = Sha256::new();
    hash.update(record.classifier.as_bytes());
    hash.update([0]);
    hash.update(normalise(&record.utterance).as_bytes());
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RecentText {
    id: String,
    classifier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction: Option<String>,
    /// Normalised.
    text: String,
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
        let mut bytes = 0;
        let fits = |text: &&RecentText| {
            bytes += text.size();
            bytes <= MAX_BYTES
        };
        let kept = self.texts.iter().rev().take_while(fits).count();
        let mut lines = Vec::new();
        for text in &self.texts[self.texts.len() - kept..] {
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
        let mut originals = candidates.filter(|other| other.id != text.id && are_copies(&text, other));
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
        Self {
            id: record.id.clone(),
            classifier: record.classifier.clone(),
            prediction: record.prediction.clone(),
            text: normalise(&record.utterance),
        }
    }

    fn size(&self) -> usize {
        let prediction = self.prediction.as_ref().map_or(0, String::len);
        self.id.len() + self.classifier.len() + prediction + self.text.len()
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

fn are_copies(a: &RecentText, b: &RecentText) -> bool {
    let conflict = matches!((&a.prediction, &b.prediction), (Some(a), Some(b)) if a != b);
    a.classifier == b.classifier && !conflict && (is_cut_off(&a.text, &b.text) || differ_in_one_place(a, b))
}

/// Returns whether one text is the other's beginning, at least its half.
fn is_cut_off(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    long.starts_with(short) && 2 * short.len() >= long.len()
}

/// Returns whether the words are the same in the same order but for one small place.
///
/// Small means that the words in common are at least four fifths of all words, those in common counted once.
fn differ_in_one_place(a: &RecentText, b: &RecentText) -> bool {
    let (a, b) = (words(&a.text), words(&b.text));
    let beginning = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (a_rest, b_rest) = (&a[beginning..], &b[beginning..]);
    let end = a_rest
        .iter()
        .rev()
        .zip(b_rest.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (a_place, b_place) = (&a_rest[..a_rest.len() - end], &b_rest[..b_rest.len() - end]);
    let shared = beginning + end;
    let is_small = 5 * shared >= 4 * (a.len() + b.len() - shared);
    let replaced = !a_place.is_empty() && !b_place.is_empty();
    let mut changed = a_place.iter().chain(b_place);
    let has_number = changed.any(|word| word.contains(char::is_numeric));
    is_small && !(replaced && has_number) && !a_place.iter().any(|word| b_place.contains(word))
}

/// Returns the words of a normalised text; in scripts without spaces, such as Chinese, each character is one.
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::feedback::{FeedbackRequest, Source};

    const STORY: &str =
        "Oil prices rose above fifty dollars a barrel on Monday as exports from the north were halted again";

    fn record(utterance: &str) -> FeedbackRecord {
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: utterance.into(),
            ..FeedbackRequest::default()
        };
        request
            .into_record(Source::ExplicitApi, "2026-11-20T10:00:00Z")
            .expect("complete")
    }

    fn recent(texts: &[&str]) -> RecentTexts {
        let mut recent = RecentTexts::default();
        for text in texts {
            recent.insert(&record(text));
        }
        recent
    }

    #[test]
    fn form_is_case_space_punctuation_and_entities() {
        let form = |text: &str| same_form(&record(text));

        assert_eq!(form("AT&T's rates"), form("at&amp;t#39;s   RATES!"));
        assert_ne!(form("rates rise"), form("rates fall"));
        let mut other = record("rates rise");
        other.classifier = "mail".into();
        assert_ne!(same_form(&other), form("rates rise"));
    }

    #[test]
    fn a_small_change_makes_a_copy() {
        let recent = recent(&["Something else that has nothing to do with any of it", STORY]);

        for copy in [
            STORY.replace("Monday", "Tuesday"),
            STORY.replace("above fifty dollars", "above a hundred dollars"),
            format!("{STORY} (Agency)"),
            format!("UPDATE 1: {STORY}"),
            STORY.replace("as exports", "- London (Reuters) - as exports"),
            STORY[..60].to_owned(),
            format!("{STORY}, and nobody at the ministry of energy could say when they would resume"),
        ] {
            assert_eq!(
                recent.original(&record(&copy)),
                Some(record(STORY).id.as_str()),
                "{copy}"
            );
        }
    }

    #[test]
    fn what_means_something_else_is_no_copy() {
        let match_report =
            "In the last minute of a cold evening Ajax beat Porto 2-1 before a crowd of nine thousand";
        let recent = recent(&[
            STORY,
            match_report,
            "Ajax beat Porto",
            "the film was good",
            "Team A beats Team B 2-1",
        ]);

        for other in [
            match_report.replace("Ajax beat Porto", "Porto beat Ajax"),
            match_report.replace("2-1", "3-1"),
            match_report.replace("cold", "warm").replace("nine", "ten"),
            "the film was bad".to_owned(),
            "Team B beats Team A 2-1".to_owned(),
            STORY[..40].to_owned(),
            STORY.replace("Oil prices rose", "The price of gold and of silver rose"),
            String::new(),
        ] {
            let other = FeedbackRecord {
                utterance: other,
                ..record("x")
            };
            assert_eq!(recent.original(&other), None, "{}", other.utterance);
        }
    }

    #[test]
    fn another_prediction_or_classifier_is_another_question() {
        let asked = |prediction: Option<&str>| FeedbackRecord {
            prediction: prediction.map(str::to_owned),
            ..record(STORY)
        };
        let copy = |prediction: Option<&str>| FeedbackRecord {
            prediction: prediction.map(str::to_owned),
            ..record(&STORY.replace("Monday", "Tuesday"))
        };
        let found = |asked: &FeedbackRecord, copy: &FeedbackRecord| {
            let mut recent = RecentTexts::default();
            recent.insert(asked);
            recent.original(copy).is_some()
        };

        assert!(found(&asked(Some("World")), &copy(Some("World"))));
        assert!(found(&asked(Some("World")), &copy(None)));
        assert!(!found(&asked(Some("World")), &copy(Some("Business"))));
        let mail = FeedbackRecord {
            classifier: "mail".into(),
            ..copy(None)
        };
        assert!(!found(&asked(None), &mail));
    }

    #[test]
    fn chinese_is_compared_by_character() {
        let text = "\u{6cb9}\u{4ef7}\u{5468}\u{4e00}\u{4e0a}\u{6da8}\u{8d85}\u{8fc7}\u{4e94}\u{5341}\u{7f8e}\u{5143}\u{4e00}\u{6876}";
        let recent = recent(&[text]);

        assert!(
            recent
                .original(&record(&text.replace('\u{4e94}', "\u{516d}")))
                .is_some()
        );
        assert!(recent.original(&record(&text[..18])).is_none());
    }

    #[test]
    fn the_very_question_is_known_and_no_copy_of_itself() {
        let mut recent = recent(&[STORY]);

        assert!(recent.contains(&record(STORY)) && !recent.insert(&record(STORY)));
        assert_eq!(recent.original(&record(STORY)), None);
        assert!(!recent.insert(&record("too short to have copies")));
    }

    #[test]
    fn the_oldest_are_forgotten_when_all_do_not_fit() {
        let mut texts = RecentTexts::default();
        let text = |number: usize| {
            record(&format!(
                "number {number} {}",
                format_args!("a b c d e f g h {}", "x".repeat(9_500))
            ))
        };
        (0..300).for_each(|number| assert!(texts.insert(&text(number))));

        let read = RecentTexts::read(&texts.write()).expect("as written");

        assert!(read.contains(&text(299)) && !read.contains(&text(0)));
        assert!((250..=265).contains(&read.texts.len()), "{}", read.texts.len());
        assert_eq!(RecentTexts::read(b"{}\n").map(|_| ()), Err(DamagedTexts(1)));
    }

    fn edited() -> impl Strategy<Value = String> {
        let words = proptest::collection::vec("[ab1]", 7..16);
        words.prop_map(|words| words.join(" "))
    }

    proptest! {
        #[test]
        fn every_copy_is_found_and_copying_is_mutual(
            texts in proptest::collection::btree_set(edited(), 1..30), other in edited(),
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let other = record(&other);
            let [of_other, texts_of] = [RecentText::of(&other), RecentText::of(&other)];
            let long_enough = |text: &RecentText| words(&text.text).len() >= MIN_WORDS;
            let expected = texts.iter().map(|text| RecentText::of(&record(text))).find(|text| {
                text.id != other.id && long_enough(text) && long_enough(&of_other) && are_copies(text, &texts_of)
            });
            let recent = recent(&texts);
            prop_assert_eq!(recent.original(&other), expected.as_ref().map(|text| text.id.as_str()));
            if let Some(text) = expected {
                prop_assert!(are_copies(&of_other, &text));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = RecentTexts::read(&bytes);
        }
    }
}
