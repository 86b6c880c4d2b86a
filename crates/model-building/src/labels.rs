//! The labels of people: every line under `labelled/`, with the votes of all human loops on a record together.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
};

use crate::spool::{Piece, Texts};
use active_learning_aws::bucket::{Bucket, BucketError};
use active_learning_core::{
    dataset::{ContentId, Mode, TextId},
    labels::{
        consolidation::{Consensus, Consolidated, DecidedBy, Votes},
        human_loop::Answer,
        label_set::{LabelSet, Mapped, Resolution},
    },
    sampling::selection::SelectedBy,
};

mod copies;
mod packs;
mod read;

pub(crate) use packs::{Packing, read as read_packed};
pub(crate) use read::{read, read_before_and_after, read_by};

/// Bytes of an RFC 3339 time that are kept: down to the millisecond.
pub(crate) const TIME_BYTES: usize = 24;

/// Why the labels could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// The training bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The temporary folder is full or cannot be used.
    #[error("the temporary folder could not be used")]
    Disk(#[source] io::Error),
}

/// Why rows are left out whose label is a proposal.
pub(crate) const NEW_LABEL: &str = "new-label";

/// One line: a record in one human loop.
pub(crate) struct Line {
    /// Id of the record.
    pub id: u128,
    pub text_id: TextId,
    pub content: ContentId,
    /// When its last vote was given.
    pub answered_at: [u8; TIME_BYTES],
    /// Whether chance selected it: an audited prediction, or a text of the pool that belongs to the test set by its
    /// content, of which none is ranked.
    pub is_sample: bool,
    /// How it was selected, and so for how many texts of the traffic it stands.
    pub selected_by: SelectedBy,
    /// Whether a reviewer gave an answer, not only a user with feedback.
    pub reviewed: bool,
    /// Whether somebody was asked, and not only users said something later.
    was_asked: bool,
    /// Why what a file says does not count: its label is no longer in use, or not yet.
    not_in_use: Option<&'static str>,
    /// Whether what reviewers say in it comes from a file only.
    pub is_import: bool,
    /// Tells the classifiers of texts apart.
    classifier: u64,
    /// Tells feedback on the same text apart.
    occurrence: u64,
    /// Place of its object among all by their keys, and its number in it.
    place: (u32, u32),
    /// What was kept of the line.
    pub kept: Piece,
}

/// What of a line is kept on disk.
#[derive(Clone, Copy)]
pub(crate) enum Keep {
    /// The text, on one line.
    Text,
    /// The line as it is.
    Line,
}

/// All labels. Memory: about 180 bytes a line and 100 a copy; texts lie on disk.
pub(crate) struct Labels {
    pub votes: Votes,
    /// By record, those of a record by the time of the answer.
    pub lines: Vec<Line>,
    pub kept: Texts,
    /// Copies that the answer to a record serves, by record id; at the time of reading, since they go on coming.
    copies: HashMap<u128, u64>,
    /// Ids of these copies.
    pub served: HashSet<u128>,
    /// Lines that are damaged or of a newer version.
    pub unreadable: u64,
    /// Lines of texts that were erased at a person's wish, which are left out.
    pub erased: u64,
    /// The label set that the answers were read by.
    pub set: Option<Arc<LabelSet>>,
}

impl Labels {
    /// Returns the lines of each record, by record id.
    pub(crate) fn records(&self) -> impl Iterator<Item = &[Line]> {
        self.lines.chunk_by(|a, b| a.id == b.id)
    }

    /// Returns whether texts have several labels or one, by what people agree on.
    pub(crate) fn mode(&self, consolidated: &Consolidated<'_>) -> Mode {
        let has_several = |line: &Line| {
            let labels = consolidated.of(line.id);
            labels.labels().is_some_and(|labels| labels.len() > 1)
        };
        match self.lines.iter().any(has_several) {
            true => Mode::MultiLabel,
            false => Mode::MultiClass,
        }
    }

    /// Returns how many copies the answer to a record serves, which nobody was asked about.
    pub(crate) fn copies(&self, record: &[Line]) -> u64 {
        self.copies.get(&record[0].id).copied().unwrap_or_default()
    }

    /// Returns how many copies the answers to each text serve, those of other classifiers too; nothing for none.
    pub(crate) fn copies_by_text(&self) -> HashMap<TextId, u64> {
        let mut copies = HashMap::new();
        let with_copies = self.records().filter(|record| self.copies(record) > 0);
        for record in with_copies {
            *copies.entry(record[0].text_id).or_default() += self.copies(record);
        }
        copies
    }
}

/// Why the answer to a record is no row: people answered the same text once more.
const OLDER_ANSWER: &str = "older-answer";
/// Why it is none: the word of somebody who comes before is another one, whenever it was given.
const OVERRULED_ANSWER: &str = "overruled-answer";
/// Why it is none: the same text has another label under another classifier.
const OTHER_CLASSIFIER: &str = "other-classifier-answer";

/// Tells the lines of a record that has the answer to a text which counts from those of others.
///
/// Records of another classifier, or whose texts have the same normal form, ask about the same text. An adjudicator's word
/// counts before that of reviewers, and theirs before that of files; among equals the last.
pub(crate) struct LastAnswers<'a> {
    by_text: HashMap<TextId, Answered>,
    consolidated: &'a Consolidated<'a>,
}

/// Whose word the answer to a record is; the greater counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    File,
    Reviewers,
    Adjudicator,
}

impl Word {
    fn of(record: &[Line], decided_by: Option<DecidedBy>) -> Self {
        let is_of_reviewer = |line: &Line| line.reviewed && !line.is_import;
        match decided_by {
            Some(DecidedBy::Adjudicator) => Self::Adjudicator,
            _ if record.iter().any(is_of_reviewer) => Self::Reviewers,
            _ => Self::File,
        }
    }
}

/// By whom and when a record was answered; of two at the same instant the greater id is the later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Answered {
    word: Word,
    at: [u8; TIME_BYTES],
    id: u128,
    classifier: u64,
}

impl Answered {
    fn of(record: &[Line], consolidated: &Consolidated<'_>) -> Self {
        let last = &record[record.len() - 1];
        Self {
            word: Word::of(record, consolidated.decided_by(last.id)),
            at: last.answered_at,
            id: last.id,
            classifier: last.classifier,
        }
    }
}

impl<'a> LastAnswers<'a> {
    /// Takes the records whose answers count.
    pub(crate) fn of<'l>(
        records: impl Iterator<Item = &'l [Line]>,
        consolidated: &'a Consolidated<'a>,
    ) -> Self {
        let mut by_text: HashMap<TextId, Answered> = HashMap::new();
        for record in records {
            let answered = Answered::of(record, consolidated);
            let last = by_text.entry(text_of(record)).or_insert(answered);
            *last = answered.max(*last);
        }
        Self {
            by_text,
            consolidated,
        }
    }

    /// Returns why the answer on a record is not the one that counts of its text; `None` where it is.
    pub(crate) fn why_not(&self, record: &[Line]) -> Option<&'static str> {
        let last = self.by_text.get(&text_of(record))?;
        let own = Answered::of(record, self.consolidated);
        if last.id == own.id {
            return None;
        }
        Some(match self.say_the_same(last.id, own.id) {
            false if last.word > own.word => OVERRULED_ANSWER,
            false if last.classifier != own.classifier => OTHER_CLASSIFIER,
            _ => OLDER_ANSWER,
        })
    }

    fn say_the_same(&self, one: u128, other: u128) -> bool {
        match (self.consolidated.of(one), self.consolidated.of(other)) {
            (Consensus::Agreed { answer: one, .. }, Consensus::Agreed { answer: other, .. }) => {
                one.says_the_same(other)
            }
            _ => false,
        }
    }
}

fn text_of(record: &[Line]) -> TextId {
    record[record.len() - 1].text_id
}

/// What the votes on a record mean for training.
pub(crate) enum Outcome<'a> {
    /// These labels, on which people agree.
    Labels(&'a [String]),
    /// An answer that no class is right.
    NoClass(&'static str),
    /// No answer.
    Open(&'static str),
}

impl<'a> Outcome<'a> {
    /// Reads a consensus by the label set. A label that is no longer in use was answered all the same: nobody who said
    /// something else, and nothing that its reviewers said before, takes its place.
    pub(crate) fn of(
        record: &[Line],
        consensus: Consensus<&'a Answer>,
        mode: Mode,
        set: Option<&LabelSet>,
    ) -> Self {
        let not_in_use = record.iter().rev().find_map(|line| line.not_in_use);
        let is_alone = |reason: &&str| {
            let is_reviewed = record.iter().any(|line| line.reviewed);
            !is_reviewed || (*reason != NEW_LABEL && matches!(consensus, Consensus::Unanswered))
        };
        if let Some(reason) = not_in_use.filter(is_alone) {
            return Self::NoClass(reason);
        }
        let answer = match consensus {
            Consensus::Agreed { answer, .. } => answer,
            Consensus::Tie => return Self::Open("tie"),
            Consensus::Unanswered => return Self::Open("unanswered"),
        };
        if let Some(reason) = why_not_in_use(answer, set) {
            return Self::NoClass(reason);
        }
        match answer {
            Answer::Unsure => Self::Open("unsure"),
            // Anyone could otherwise teach the model anything.
            _ if !record.iter().any(|line| line.reviewed) => Self::Open("not-reviewed"),
            Answer::NoneFits => Self::NoClass("none-fits"),
            Answer::NewLabel { .. } => Self::NoClass(NEW_LABEL),
            Answer::Labels { labels } if mode == Mode::MultiClass && labels.len() > 1 => {
                Self::Open("several-labels")
            }
            Answer::Labels { labels } if labels.iter().any(|label| unusable(label)) => {
                Self::Open("unusable-label")
            }
            Answer::Labels { labels } => Self::Labels(labels),
        }
    }

    /// Returns whether it takes the place of older answers.
    pub(crate) fn counts(&self) -> bool {
        match self {
            Self::Labels(_) | Self::NoClass(_) => true,
            Self::Open(_) => false,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Labels(_) => "labels",
            Self::NoClass(name) | Self::Open(name) => name,
        }
    }
}

/// Returns why an answer is no class any more, if one of its labels is out of use.
fn why_not_in_use(answer: &Answer, set: Option<&LabelSet>) -> Option<&'static str> {
    let Answer::Labels { labels } = answer else {
        return None;
    };
    labels.iter().find_map(|label| match set?.resolve(label) {
        Resolution::Retired(_) => Some(Mapped::RETIRED),
        Resolution::Split(_) => Some(Mapped::SPLIT),
        Resolution::Label(_) | Resolution::Proposed(_) => None,
    })
}

/// Returns whether a label cannot stand in a training file.
pub(crate) fn unusable(label: &str) -> bool {
    label.trim().is_empty() || label.contains(char::is_control)
}

/// Returns the bytes of an RFC 3339 time that are kept.
pub(crate) fn time_of(time: &str) -> [u8; TIME_BYTES] {
    let mut kept = [0; TIME_BYTES];
    let bytes = kept.iter_mut().zip(time.bytes());
    bytes.for_each(|(kept, byte)| *kept = byte);
    kept
}

/// Lists the keys of objects with something in them, in order.
async fn list(bucket: &Bucket, prefix: &str, suffix: &str) -> Result<Vec<String>, BucketError> {
    let mut keys = Vec::new();
    bucket
        .list_each(prefix, |object| {
            if object.size > 0 && object.key.ends_with(suffix) {
                keys.push(object.key);
            }
        })
        .await?;
    Ok(keys)
}
