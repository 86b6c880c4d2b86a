//! Copies of a question: texts whose answer is another text's answer, so that people are asked once.
//!
//! Two texts of one classifier are copies
//!
//! - of *form*, if their [normal form](crate::text::normal_form) is the same: case, spacing, quotes, HTML entities and
//!   trailing punctuation do not count, symbols, emoji, signs of numbers and `?` do ([`same_form`] names them alike), or
//! - by a *small change*, if one is the other cut off (it ends with `...` and is at least 4/9 of it), or the other with a
//!   few words before or after it ([`RecentTexts`] finds these).
//!
//! [`near copies`](crate::dataset::NearCopies) keep training and test rows apart, where one pair too many costs
//! a row; here one pair too many gives a text the answer to another one. So a small change must carry no content: no
//! word within is replaced, added or left out; the words at an end deny nothing and hold no number or sign; **and** the
//! model gives both texts the same class with nearly the same scores; **and** no user holds another label right.
//! Where no scores are known, as with explicit feedback, only the form counts.
//!
//! Every copy is kept ([`KeptCopy`]), so that the row of a labelled text can say how many texts its answer serves
//! ([`count`]).

mod kept;

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_segmentation::UnicodeSegmentation;

pub use kept::{COPIES_PREFIX, KeptCopy, Served, count, occurrence};

use crate::{
    feedback::{ClassScore, FeedbackRecord},
    labels::label_key::label_key,
    text::normal_form,
};

/// Words of the shortest text that has copies by a small change.
const MIN_WORDS: usize = 9;

/// Words at the beginning or the end by which candidates are found.
///
/// Copies share at least 4/9 of all words of both, thus eight or more, in two runs: one has four or more.
const ANCHOR_WORDS: usize = 4;

/// Most that the score of any class may differ between copies by a small change.
const MAX_SCORE_CHANGE: f32 = 0.15;

/// The same where one was cut by its length: less to see makes a model less sure, or more.
const MAX_SCORE_CHANGE_OF_CUT: f32 = 0.5;

/// Words of a text that is cut off by its length, at least.
const WORDS_CUT_BY_LENGTH: usize = 16;

/// Words after a cut, and at the end, that take a text back if one of them denies something.
const WORDS_THAT_TAKE_BACK: usize = 2;

/// Longest half of an HTML entity in normal form, in bytes: ` & # 8217`.
const MAX_ENTITY_BYTES: usize = 11;

/// Bytes of a score, as JSON.
const SCORE_BYTES: usize = 32;

/// Words that deny what stands beside them, in the languages that are written most. The model has to see the same as well.
const DENIALS: &[&str] = &[
    "no",
    "not",
    "never",
    "none",
    "nothing",
    "nobody",
    "neither",
    "nor",
    "without",
    "false",
    "fake",
    "wrong",
    "untrue",
    "lie",
    "lies",
    "hoax",
    "denied",
    "denies",
    "deny",
    "cancelled",
    "canceled",
    "unless",
    "but",
    "however",
    "except",
    "isn't",
    "wasn't",
    "don't",
    "doesn't",
    "didn't",
    "can't",
    "cannot",
    "won't",
    "wouldn't",
    "nein",
    "nicht",
    "kein",
    "keine",
    "keinen",
    "nie",
    "niemals",
    "ohne",
    "aber",
    "falsch",
    "non",
    "pas",
    "jamais",
    "sans",
    "mais",
    "faux",
    "nunca",
    "nada",
    "sin",
    "pero",
    "falso",
    "não",
    "nem",
    "sem",
    "mas",
    "niet",
    "geen",
    "nooit",
    "maar",
    "zonder",
    "nie",
    "bez",
    "ale",
    "не",
    "нет",
    "ни",
    "никогда",
    "без",
    "но",
    "لا",
    "ليس",
    "لم",
    "لن",
    "ما",
    "नहीं",
    "मत",
];

/// The same for scripts and languages that write it together with other words.
const DENYING_PARTS: &[&str] = &[
    "n't",
    "不",
    "没",
    "沒",
    "无",
    "無",
    "非",
    "未",
    "别",
    "ない",
    "ません",
    "なかった",
    "ไม่",
    "않",
    "못",
    "없",
    "아니",
];

/// Bytes of texts that are remembered, with what is known of them: about 8,000 news items.
const MAX_BYTES: usize = 2_500_000;

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
    /// Whether it ends as what was cut off does: `...` or `…`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_cut_off: bool,
    /// What the model made of it. Texts that an older version remembered have none, and no copies by a small change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    classes: Vec<ClassScore>,
    /// What a user holds right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suggested_label: Option<String>,
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
            text: normal_form(&record.utterance),
            is_cut_off: ends_cut_off(&record.utterance),
            classes: record.classes.clone(),
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
        self.id.len() + self.classifier.len() + prediction + self.text.len() + classes
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
    a.classifier == b.classifier
        && !contradict(a, b)
        && small_change(a, b).is_some_and(|change| model_sees_the_same(a, b, change.max_score_change()))
}

/// What one text has beyond another, where that carries no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SmallChange {
    /// A few words before or after it, or nothing.
    Words,
    /// What follows where the other was cut off.
    CutOff,
    /// The same, where the other was cut within a word and what follows denies something.
    CutBeforeDenial,
}

impl SmallChange {
    /// Returns how far the score of a class may move: what was cut off leaves the model with less to see.
    fn max_score_change(self) -> f32 {
        match self {
            Self::Words | Self::CutBeforeDenial => MAX_SCORE_CHANGE,
            Self::CutOff => MAX_SCORE_CHANGE_OF_CUT,
        }
    }
}

/// Returns whether a model gave both the same class, and no class a score that differs by more than this; not where no
/// scores are known.
fn model_sees_the_same(a: &RecentText, b: &RecentText, max_change: f32) -> bool {
    let score = |text: &RecentText, name: &str| {
        let class = text.classes.iter().find(|class| class.name == name);
        class.map_or(0.0, |class| class.score)
    };
    let names = a
        .classes
        .iter()
        .chain(&b.classes)
        .map(|class| class.name.as_str());
    let near = |name: &str| (score(a, name) - score(b, name)).abs() <= max_change;
    !a.classes.is_empty()
        && !b.classes.is_empty()
        && a.prediction == b.prediction
        && names.into_iter().all(near)
}

/// Returns whether what users hold right tells the texts apart: a label for either speaks against the class of both,
/// unless it is that class.
fn contradict(a: &RecentText, b: &RecentText) -> bool {
    let predicted = a.prediction.as_deref().map(label_key);
    let held_right = [&a.suggested_label, &b.suggested_label];
    held_right
        .into_iter()
        .flatten()
        .any(|label| Some(label_key(label)) != predicted)
}

/// Returns how one text is the other with something cut off, or added, that denies nothing; `None` where it is not.
fn small_change(a: &RecentText, b: &RecentText) -> Option<SmallChange> {
    if a.text == b.text {
        return Some(SmallChange::Words);
    }
    let (short, long) = if a.text.len() < b.text.len() {
        (a, b)
    } else {
        (b, a)
    };
    match tail(&short.text, &long.text).filter(|_| short.is_cut_off) {
        Some(tail) => cut(&short.text, tail),
        None => has_harmless_words_more(&long.text, &short.text).then_some(SmallChange::Words),
    }
}

/// Returns how a text was cut off before `tail`; `None` where it may be a text of its own.
///
/// Who cuts a text by its length cuts within a word; who goes on after dots may take everything back. A sign at the end
/// makes a question of the whole, or turns its tone.
fn cut(short: &str, tail: &str) -> Option<SmallChange> {
    let was_cut_by_length = was_cut_by_length(tail, words(short).len());
    let last = tail.split_whitespace().next_back()?;
    let turns = turns_a_text(last) && !(was_cut_by_length && last == "?");
    let is_most = 9 * short.len() >= 4 * (short.len() + tail.len());
    let is_within_word = !tail.starts_with(' ');
    match takes_back(tail, was_cut_by_length) {
        _ if turns || !is_most => None,
        false => Some(SmallChange::CutOff),
        true => is_within_word.then_some(SmallChange::CutBeforeDenial),
    }
}

/// Returns whether a text is another with a few words before or after it that deny nothing.
fn has_harmless_words_more(long: &str, short: &str) -> bool {
    let rest = match (long.strip_suffix(short), long.strip_prefix(short)) {
        (Some(before), _) if before.ends_with(' ') => before,
        (_, Some(after)) if after.starts_with(' ') => after,
        _ => return false,
    };
    5 * short.len() >= 4 * long.len() && rest.split_whitespace().all(is_harmless)
}

/// Returns whether many words are left of a text, and what goes on is a good part of a sentence or more: it was cut by its
/// length, wherever that fell.
fn was_cut_by_length(tail: &str, kept: usize) -> bool {
    kept >= WORDS_CUT_BY_LENGTH && tail.split_whitespace().count() > 2 * WORDS_THAT_TAKE_BACK
}

/// Returns whether a text goes on from where it may have ended with what may take it back.
///
/// Who goes on after a whole sentence says so at once or at the end. Where a text was cut by its length, what is denied
/// elsewhere in the rest is something else.
fn takes_back(tail: &str, was_cut_by_length: bool) -> bool {
    // What is left of a word that was cut in two is none.
    let words: Vec<&str> = match tail.starts_with(' ') {
        true => tail.split_whitespace().collect(),
        false => tail.split_whitespace().skip(1).collect(),
    };
    let denies_at = |place: &usize| denies(words[*place]) && !is_number(&words[*place..]);
    let ends = if was_cut_by_length {
        WORDS_THAT_TAKE_BACK
    } else {
        words.len()
    };
    let is_at_end = |place: &usize| *place < ends || *place + ends >= words.len();
    (0..words.len()).filter(is_at_end).any(|place| denies_at(&place))
}

/// Returns whether words begin with a number in a list: `No. 13`.
fn is_number(words: &[&str]) -> bool {
    let is_of_digits = |word: &&str| word.chars().all(|c| c.is_ascii_digit());
    words[0] == "no" && words.get(1).is_some_and(is_of_digits)
}

/// Returns what a text has beyond one that is cut off; `None` if they do not begin alike.
fn tail<'a>(cut_off: &str, whole: &'a str) -> Option<&'a str> {
    if let Some(tail) = whole.strip_prefix(cut_off) {
        return Some(tail);
    }
    // Cut within an HTML entity, half of one is left: `# 39` of `#39;s`. A sign of the text itself would stand in both.
    let start = [" &", " #"]
        .iter()
        .filter_map(|sign| cut_off.rfind(sign))
        .max()
        .map(|start| match cut_off[..start].strip_suffix(" &") {
            Some(before) => before.len(),
            None => start,
        })?;
    let half = &cut_off[start..];
    let is_half = half.len() <= MAX_ENTITY_BYTES && !half.contains('?');
    let tail = whole.strip_prefix(&cut_off[..start])?;
    (is_half && tail.starts_with(' ') && !tail.starts_with(&half[..2])).then_some(tail)
}

/// Returns whether a word that stands before or after a text neither denies nor asks, counts nor shows a feeling.
fn is_harmless(word: &str) -> bool {
    word.chars().all(char::is_alphabetic) && !denies(word)
}

/// Returns whether a sign at the end of a text asks or shows a feeling.
fn turns_a_text(word: &str) -> bool {
    let is_face = word.starts_with([':', ';', '=', '<']) && word.len() > 1;
    is_face
        || word
            .chars()
            .any(|c| c == '?' || !(c.is_ascii() || c.is_alphanumeric()))
}

fn denies(word: &str) -> bool {
    DENIALS.contains(&word) || DENYING_PARTS.iter().any(|part| word.contains(part))
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
        let record = request.into_record(Source::ExplicitApi, "2026-11-20T10:00:00Z");
        FeedbackRecord {
            prediction: Some("Business".into()),
            ..scored(record.expect("complete"), 0.6)
        }
    }

    /// A record that a model has seen, with the score of its class.
    fn scored(record: FeedbackRecord, score: f32) -> FeedbackRecord {
        let class = |name: &str, score| ClassScore {
            name: name.into(),
            score,
        };
        FeedbackRecord {
            classes: vec![class("Business", score), class("World", 1.0 - score)],
            ..record
        }
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
        assert_ne!(form("rates rise"), form("rates rise?"));
        assert_ne!(form("\u{1f44d}"), form("\u{1f44e}"));
        let mut other = record("rates rise");
        other.classifier = "mail".into();
        assert_ne!(same_form(&other), form("rates rise"));
    }

    fn is_copy(copy: &FeedbackRecord, of: &FeedbackRecord) -> bool {
        let mut recent = RecentTexts::default();
        recent.insert(of);
        recent.original(copy).is_some()
    }

    #[test]
    fn a_small_change_without_content_makes_a_copy() {
        let recent = recent(&["Something else that has nothing to do with any of it", STORY]);

        for copy in [
            format!("{STORY} (Agency)"),
            format!("Agency report: {STORY}"),
            format!("{}...", &STORY[..60]),
            format!("{}…", &STORY[..57]),
        ] {
            assert_eq!(
                recent.original(&record(&copy)),
                Some(record(STORY).id.as_str()),
                "{copy}"
            );
        }
    }

    #[test]
    fn what_may_mean_something_else_is_a_question_of_its_own() {
        let story = record(STORY);

        for other in [
            STORY.replace("Monday", "Tuesday"),
            STORY.replace("rose", "fell"),
            STORY.replace("were halted", "were not halted"),
            STORY.replace("fifty", "sixty"),
            format!("{STORY}?"),
            format!("{STORY} \u{1f44e}"),
            format!("{STORY} - not"),
            format!("Fake: {STORY}"),
            format!("UPDATE 2: {STORY}"),
            format!("{STORY}, and nobody at the ministry of energy could say when they would resume"),
            STORY[..60].to_owned(),
            format!("{}...", &STORY[..40]),
        ] {
            assert!(!is_copy(&record(&other), &story), "{other}");
        }
        let dots = record("The engine of this car is quiet and it runs well on long trips...");
        let taken_back =
            record("The engine of this car is quiet and it runs well on long trips ... but it is slow");
        assert!(!is_copy(&dots, &taken_back) && !is_copy(&taken_back, &dots));
    }

    #[test]
    fn what_moves_the_model_is_no_copy_and_where_no_scores_are_known_only_the_form_counts() {
        let (story, copy) = (record(STORY), record(&format!("{STORY} (Agency)")));

        assert!(is_copy(&scored(copy.clone(), 0.69), &story));
        assert!(!is_copy(&scored(copy.clone(), 0.8), &story));
        let unscored = FeedbackRecord {
            classes: Vec::new(),
            ..copy.clone()
        };
        assert!(!is_copy(&unscored, &story) && !is_copy(&story, &unscored));
        let other_class = FeedbackRecord {
            prediction: Some("World".into()),
            ..copy.clone()
        };
        assert!(!is_copy(&other_class, &story));
        let other_classifier = FeedbackRecord {
            classifier: "mail".into(),
            ..copy
        };
        assert!(!is_copy(&other_classifier, &story));
    }

    #[test]
    fn a_cut_may_leave_a_model_less_sure_unless_what_follows_denies_something() {
        let whole = "The delivery was quick and the driver was friendly and I would order there again";
        let (whole, copy) = (record(whole), record(&format!("{}...", &whole[..59])));
        let denied = "The delivery was quick and the driver was friendly and I would never order there again";
        let (denied, cut) = (record(denied), record(&format!("{}...", &denied[..59])));

        assert!(is_copy(&scored(copy.clone(), 0.95), &whole));
        assert!(
            !is_copy(&scored(copy, 0.05), &whole),
            "another meaning to the model"
        );
        assert!(is_copy(&scored(cut.clone(), 0.65), &denied));
        assert!(!is_copy(&scored(cut, 0.8), &denied));
        let number =
            record("Our parcel was left at the door of the neighbours in house No. 13 of the street");
        let cut = record("Our parcel was left at the door of the neighbours in house ...");
        assert!(is_copy(&cut, &number), "a number is no denial");
    }

    #[test]
    fn users_who_hold_another_label_right_keep_texts_apart() {
        let story = record(STORY);
        let says = |label: &str| FeedbackRecord {
            suggested_label: Some(label.into()),
            ..record(&format!("{STORY} (Agency)"))
        };

        assert!(
            is_copy(&says("business "), &story),
            "the class, however it is spelt"
        );
        assert!(!is_copy(&says("World"), &story));
        assert!(!is_copy(&story, &says("World")));
    }

    #[test]
    fn texts_that_an_older_version_remembered_are_read() {
        let line = br#"{"id":"0123456789abcdef0123456789abcdef","classifier":"news","text":"one two three four five six seven eight nine"}"#;

        let recent = RecentTexts::read(line).expect("an old line");

        assert_eq!(
            recent.original(&record("Agency: one two three four five six seven eight nine")),
            None
        );
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
        assert!((245..=265).contains(&read.texts.len()), "{}", read.texts.len());
        assert_eq!(RecentTexts::read(b"{}\n").map(|_| ()), Err(DamagedTexts(1)));
    }

    fn edited() -> impl Strategy<Value = String> {
        let words = proptest::collection::vec("[ab]", 7..16);
        (words, "(\\.\\.\\.)?").prop_map(|(words, end)| words.join(" ") + &end)
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
