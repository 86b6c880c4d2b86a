//! Copies that are kept beside the question whose answer serves them, and how many a question has.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use sha2::{Digest, Sha256};

use crate::feedback::{FeedbackRecord, Signal};

/// Where copies are kept.
pub const COPIES_PREFIX: &str = "copies/";
const SUFFIX: &str = ".json";
/// How keys end of what is kept beside copies and counts as none: see [`KeptCopy::key`].
const SAID_SUFFIX: &str = "-said.json";

/// Copies of copies that lead to an answer, at most: one for form, one for a small change, and room for questions
/// that were asked anew after their claims had expired.
pub const MAX_STEPS: usize = 8;

/// A copy by the key of its object: `copies/<id of the original>/<id of the copy>-<occurrence>.json`.
///
/// The same text again is a copy too, of itself; the same feedback, delivered twice, has the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeptCopy {
    /// Id of the question that was there first; it may be a copy itself.
    pub original: u128,
    /// Id of the copy's own question.
    pub id: u128,
    /// Tells feedback on the same text apart: see [`occurrence`].
    pub occurrence: u64,
}

impl KeptCopy {
    /// Takes a record as a copy; `None` if an id is not one of [`record_id`](crate::feedback::record_id).
    pub fn of(original: &str, copy: &FeedbackRecord) -> Option<Self> {
        Some(Self {
            original: parse_id(original)?,
            id: parse_id(&copy.id)?,
            occurrence: occurrence(copy),
        })
    }

    /// Returns the key of a record that waits for the answer to a question; `None` if an id is none.
    ///
    /// A complaint about the text that is asked goes on as a copy does where the question is given up. But it is no further
    /// text that the answer serves: its key is that of no copy.
    pub fn key(original: &str, copy: &FeedbackRecord) -> Option<String> {
        let kept = Self::of(original, copy)?;
        let key = kept.to_string();
        Some(match copy.signal == Signal::Dislike && kept.id == kept.original {
            true => key.strip_suffix(SUFFIX)?.to_owned() + SAID_SUFFIX,
            false => key,
        })
    }

    /// Reads a key; `None` if it is that of another object.
    pub fn parse(key: &str) -> Option<Self> {
        let path = key.strip_prefix(COPIES_PREFIX)?.strip_suffix(SUFFIX)?;
        let (original, copy) = path.split_once('/')?;
        let (id, occurrence) = copy.split_once('-')?;
        Some(Self {
            original: parse_id(original)?,
            id: parse_id(id)?,
            occurrence: u64::from_str_radix(occurrence, 16).ok()?,
        })
    }
}

impl fmt::Display for KeptCopy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            original,
            id,
            occurrence,
        } = self;
        write!(
            formatter,
            "{COPIES_PREFIX}{original:032x}/{id:032x}-{occurrence:016x}{SUFFIX}"
        )
    }
}

fn parse_id(id: &str) -> Option<u128> {
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(id, 16).ok().filter(|_| is_id)
}

/// Returns a number for one piece of feedback on a text: the same however often it is delivered.
///
/// Old lines that say neither when they were received nor what prediction they are about are taken for one.
pub fn occurrence(record: &FeedbackRecord) -> u64 {
    let parts = [&record.prediction_id, &record.user].map(|part| part.as_deref().unwrap_or_default());
    let identity = format!("{parts:?} {:?} {}", record.signal, record.received_at);
    let digest = Sha256::digest(identity);
    u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
}

/// Copies that answers serve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// How many each answer serves, by the id of the question that was answered.
    pub counts: HashMap<u128, u64>,
    /// Ids of the copies' own questions, of those that were not asked themselves.
    pub ids: HashSet<u128>,
}

/// Counts the copies that each answer serves.
///
/// `answered` returns the occurrences that a question was answered for, none if it was not. A copy counts for its own
/// question if that has an answer; else for the question that it is a copy of, and so on. What was asked
/// itself is no copy, and what no answer serves yet does not count.
pub fn count(mut copies: Vec<KeptCopy>, answered: impl Fn(u128) -> HashSet<u64>) -> Served {
    let originals: HashMap<u128, u128> = copies
        .iter()
        .filter(|copy| copy.id != copy.original)
        .map(|copy| (copy.id, copy.original))
        .collect();
    copies.sort_unstable_by_key(|copy| (copy.id, copy.occurrence));
    copies.dedup_by_key(|copy| (copy.id, copy.occurrence));
    let mut served = Served::default();
    for same_text in copies.chunk_by(|a, b| a.id == b.id) {
        let steps = std::iter::successors(Some(same_text[0].id), |id| originals.get(id).copied());
        let answers = steps.take(MAX_STEPS).map(|id| (id, answered(id)));
        let Some((question, asked)) = answers.into_iter().find(|(_, asked)| !asked.is_empty()) else {
            continue;
        };
        let is_copy = |copy: &&KeptCopy| copy.id != question || !asked.contains(&copy.occurrence);
        let count = same_text.iter().filter(is_copy).count() as u64;
        if count > 0 {
            *served.counts.entry(question).or_default() += count;
        }
        if same_text[0].id != question {
            served.ids.insert(same_text[0].id);
        }
    }
    served
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::{FeedbackRequest, Source};

    fn record(utterance: &str, received_at: &str) -> FeedbackRecord {
        let request = FeedbackRequest {
            classifier: "news".into(),
            sentence: utterance.into(),
            ..FeedbackRequest::default()
        };
        request
            .into_record(Source::ExplicitApi, received_at)
            .expect("complete")
    }

    fn copy(original: u128, id: u128, occurrence: u64) -> KeptCopy {
        KeptCopy {
            original,
            id,
            occurrence,
        }
    }

    /// Counts where these questions were answered, each for one occurrence.
    fn counted(copies: &[KeptCopy], answered: &[(u128, u64)]) -> Vec<(u128, u64)> {
        let occurrences = |id| {
            let of_id = answered.iter().filter(|(other, _)| *other == id);
            of_id.map(|(_, occurrence)| *occurrence).collect()
        };
        let mut counts: Vec<_> = count(copies.to_vec(), occurrences).counts.into_iter().collect();
        counts.sort_unstable();
        counts
    }

    #[test]
    fn a_key_says_what_is_a_copy_of_what() {
        let original = record("Rates rise", "2026-11-20T10:00:00Z");
        let copy = record("RATES rise!", "2026-11-20T11:00:00Z");

        let kept = KeptCopy::of(&original.id, &copy).expect("ids");

        let key = kept.to_string();
        let start = format!("copies/{}/{}-", original.id, copy.id);
        assert!(key.starts_with(&start), "{key}");
        assert_eq!(KeptCopy::parse(&key), Some(kept));
        assert_eq!(KeptCopy::key(&original.id, &copy), Some(key.clone()));
        assert_eq!(KeptCopy::of("no id", &copy), None);
        for other in [
            "copies/recent-texts.jsonl",
            "copies/1/2-3.json",
            &format!("x{key}"),
        ] {
            assert_eq!(KeptCopy::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_complaint_about_the_asked_text_waits_with_its_copies_and_is_none() {
        let asked = record("Rates rise", "2026-11-20T10:00:00Z");
        let complaint = record("Rates rise", "2026-11-20T11:00:00Z");
        let again = FeedbackRecord {
            signal: Signal::LowConfidence,
            ..complaint.clone()
        };
        let respelt = record("RATES rise!", "2026-11-20T11:00:00Z");

        let key = |copy: &FeedbackRecord| KeptCopy::key(&asked.id, copy).expect("ids");

        assert_eq!(complaint.signal, Signal::Dislike);
        assert!(key(&complaint).starts_with(&format!("copies/{}/{}-", asked.id, asked.id)));
        assert_eq!(KeptCopy::parse(&key(&complaint)), None);
        assert_eq!(KeptCopy::parse(&key(&again)), KeptCopy::of(&asked.id, &again));
        assert_eq!(KeptCopy::parse(&key(&respelt)), KeptCopy::of(&asked.id, &respelt));
    }

    #[test]
    fn the_same_feedback_is_one_occurrence_and_the_same_text_later_another() {
        let first = record("Rates rise", "2026-11-20T10:00:00Z");
        let mut later = record("Rates rise", "2026-11-20T10:00:01Z");

        assert_eq!(occurrence(&first), occurrence(&first.clone()));
        assert_ne!(occurrence(&first), occurrence(&later));
        later.received_at.clone_from(&first.received_at);
        later.user = Some("ann".into());
        assert_ne!(occurrence(&first), occurrence(&later));
    }

    #[test]
    fn copies_count_for_the_answer_that_serves_them() {
        let copies = [
            copy(1, 1, 10), // The answered one, delivered twice.
            copy(1, 1, 11),
            copy(1, 2, 20),
            copy(1, 2, 20), // The same once more.
            copy(2, 2, 21), // A repetition of a copy,
            copy(2, 3, 30), // and a copy of one.
            copy(8, 9, 90), // Nobody has answered yet.
        ];

        assert_eq!(counted(&copies, &[(1, 10)]), [(1, 4)]);
    }

    #[test]
    fn copies_that_were_not_asked_themselves_are_served_by_an_answer() {
        let copies = [
            copy(1, 1, 11),
            copy(1, 2, 20),
            copy(2, 3, 30),
            copy(1, 4, 40),
            copy(8, 9, 90),
        ];
        let answered = |id| HashSet::from_iter([1, 4].contains(&id).then_some(0));

        let served = count(copies.to_vec(), answered).ids;

        assert_eq!(served, HashSet::from([2, 3]));
    }

    #[test]
    fn a_copy_that_was_asked_itself_has_an_answer_of_its_own() {
        let copies = [copy(1, 2, 20), copy(2, 2, 21), copy(2, 3, 30)];

        assert_eq!(counted(&copies, &[(1, 10), (2, 22)]), [(2, 3)]);
        assert_eq!(counted(&copies, &[(1, 10), (2, 20)]), [(2, 2)]);
    }

    #[test]
    fn copies_of_each_other_end_and_count_for_the_one_that_was_answered() {
        let copies = [copy(1, 2, 20), copy(2, 1, 10)];

        assert_eq!(counted(&copies, &[]), []);
        assert_eq!(counted(&copies, &[(1, 11)]), [(1, 2)]);
    }
}
