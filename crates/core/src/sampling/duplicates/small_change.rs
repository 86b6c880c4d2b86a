//! Whether one text is another with a small change that carries no content.

use super::{
    RecentText,
    languages::{denies, is_known, names_source, retracts},
    words,
};
use crate::{labels::label_key::label_key, text::normal_form};

/// Most that the score of any class may differ between copies by a small change.
const MAX_SCORE_CHANGE: f32 = 0.2;

/// The same where one was cut off between two words: less to see makes a model less sure, or more.
const MAX_SCORE_CHANGE_OF_CUT: f32 = 0.45;

/// The same where one was cut by its length, which leaves no doubt that there was more to see.
const MAX_SCORE_CHANGE_OF_CUT_BY_LENGTH: f32 = 0.5;

/// Words that are left of a text that was cut between two words by its length, at least.
const WORDS_CUT_BY_LENGTH: usize = 16;

/// Words that are left of a text that was cut within a word although what follows denies something, at least.
const WORDS_CUT_WITHIN_WORD: usize = 12;

/// Words after a cut, and at the end, that take a text back if one of them denies something.
const WORDS_THAT_TAKE_BACK: usize = 2;

/// Words after which `no` at the end of a text is a number that was cut off, not an answer; `s` is what an entity leaves of
/// a genitive.
const BEFORE_NUMBER: [&str; 5] = ["against", "of", "over", "s", "the"];

/// Longest half of an HTML entity in normal form, in bytes: ` & # 8217`.
const MAX_ENTITY_BYTES: usize = 11;

/// What stands between a tag and a text that begins or ends with a word that negates.
const MARK: &str = " ,";

/// Returns whether two texts are copies by a small change.
pub(super) fn are_copies(a: &RecentText, b: &RecentText) -> bool {
    a.classifier == b.classifier
        && !contradict(a, b)
        && small_change(a, b).is_some_and(|change| model_sees_the_same(a, b, change.max_score_change()))
}

/// What one text has beyond another, where that carries no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SmallChange {
    /// Nothing, or a tag before or after it.
    Tag,
    /// What follows where the other was cut off, and what is left of it may be a text of its own.
    CutOff,
    /// What follows where the other was cut off by its length.
    CutByLength,
    /// The same, where it was cut within a word and what follows denies something.
    CutBeforeDenial,
}

impl SmallChange {
    /// Returns how far the score of a class may move: what was cut off leaves the model with less to see.
    fn max_score_change(self) -> f32 {
        match self {
            Self::Tag | Self::CutBeforeDenial => MAX_SCORE_CHANGE,
            Self::CutOff => MAX_SCORE_CHANGE_OF_CUT,
            Self::CutByLength => MAX_SCORE_CHANGE_OF_CUT_BY_LENGTH,
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

/// Returns how one text is the other with something cut off that denies nothing, or with a tag that names a source; `None`
/// where it is not. Nothing is cut off in languages of which it is not known what denies.
fn small_change(a: &RecentText, b: &RecentText) -> Option<SmallChange> {
    if a.text == b.text {
        return Some(SmallChange::Tag);
    }
    let (short, long) = if a.text.len() < b.text.len() {
        (a, b)
    } else {
        (b, a)
    };
    match tail(&short.text, &long.text).filter(|_| short.is_cut_off) {
        Some(tail) => cut(&short.text, tail).filter(|_| is_known(&long.text)),
        None => tag_of(long, short).map(|_| SmallChange::Tag),
    }
}

/// Returns how a text was cut off before `tail`; `None` where it may be a text of its own.
///
/// Who cuts a text by its length cuts within a word; who goes on after dots may take everything back. A sign at the end
/// makes a question of the whole, or turns its tone.
fn cut(short: &str, tail: &str) -> Option<SmallChange> {
    let words_left = words(short).len();
    let is_long = words_left >= WORDS_CUT_BY_LENGTH;
    let is_within_word = !tail.starts_with(' ');
    let is_by_length = is_within_word || (is_long && goes_on(tail));
    let last = tail.split_whitespace().next_back()?;
    let turns = turns_a_text(last) && !(is_long && is_by_length && last == "?");
    let is_most = 9 * short.len() >= 4 * (short.len() + tail.len());
    match takes_back(tail, is_by_length) {
        _ if turns || !is_most || retracts(tail) => None,
        false if is_by_length => Some(SmallChange::CutByLength),
        false => Some(SmallChange::CutOff),
        true => {
            (is_within_word && words_left >= WORDS_CUT_WITHIN_WORD).then_some(SmallChange::CutBeforeDenial)
        }
    }
}

/// Returns the [tag](Tags) that a text has beside another; `None` where it has none, or one that carries content: every
/// tag does that is not the name of a source. A language has more words that call a text false than a list holds.
fn tag_of<'a>(long: &'a RecentText, short: &RecentText) -> Option<&'a str> {
    let tag = match (
        long.text.strip_suffix(&short.text),
        long.text.strip_prefix(&short.text),
    ) {
        (Some(before), _) => before
            .strip_suffix(' ')
            .map(|tag| tag.strip_suffix(MARK).unwrap_or(tag))
            .filter(|tag| long.tags.before == *tag),
        (_, Some(after)) => after
            .strip_prefix(MARK)
            .unwrap_or(after)
            .strip_prefix(' ')
            .filter(|tag| long.tags.after == *tag),
        _ => None,
    };
    // Who names a class speaks of the text.
    let names_class = |word: &str| {
        let mut classes = long.classes.iter().chain(&short.classes);
        classes.any(|class| normal_form(&class.name).split(' ').any(|part| part == word))
    };
    let is_small = 5 * short.text.len() >= 4 * long.text.len();
    tag.filter(|tag| {
        is_small
            && tag
                .split(' ')
                .all(|word| names_source(word) && !names_class(word))
    })
}

/// Returns the words and signs of a tail, without marks between them.
fn words_of(tail: &str) -> impl Iterator<Item = &str> {
    tail.split_whitespace().filter(|word| *word != ",")
}

/// Returns whether what was cut off is a good part of a sentence or more.
fn goes_on(tail: &str) -> bool {
    words_of(tail).count() > 2 * WORDS_THAT_TAKE_BACK
}

/// Returns whether a text goes on from where it may have ended with what may take it back.
///
/// Who goes on after a whole sentence says so at once or at the end. Where a text was cut by its length, what is denied
/// elsewhere in the rest is something else.
fn takes_back(tail: &str, was_cut_by_length: bool) -> bool {
    // What is left of a word that was cut in two is none.
    let words: Vec<&str> = match tail.starts_with(' ') {
        true => words_of(tail).collect(),
        false => words_of(tail).skip(1).collect(),
    };
    let denies_at = |place: &usize| denies(words[*place]) && !is_number(&words, *place);
    let ends = if was_cut_by_length {
        WORDS_THAT_TAKE_BACK
    } else {
        words.len()
    };
    let is_at_end = |place: &usize| *place < ends || *place + ends >= words.len();
    (0..words.len()).filter(is_at_end).any(|place| denies_at(&place))
}

/// Returns whether a word stands before a number in a list: `No. 13`, or `against the country's No.` where a text ends.
fn is_number(words: &[&str], place: usize) -> bool {
    let is_of_digits = |word: &&str| word.chars().all(|c| c.is_ascii_digit());
    let wants_noun = |word: &&str| BEFORE_NUMBER.contains(word) || word.ends_with("'s");
    let before = place.checked_sub(1).map(|before| words[before]);
    words[place] == "no"
        && match words.get(place + 1) {
            Some(next) => is_of_digits(next),
            None => before.is_some_and(|before| wants_noun(&before)),
        }
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

/// Returns whether a sign at the end of a text asks or shows a feeling.
fn turns_a_text(word: &str) -> bool {
    let is_face = word.starts_with([':', ';', '=', '<']) && word.len() > 1;
    is_face
        || word
            .chars()
            .any(|c| c == '?' || !(c.is_ascii() || c.is_alphanumeric()))
}
