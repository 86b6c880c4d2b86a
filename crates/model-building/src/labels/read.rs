//! Reading the labels: lines of packs and of objects that are new, in whatever order they come.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    sync::Arc,
};

use active_learning_aws::{bucket::Bucket, erased::ErasedList, label_set::LabelSets};
use active_learning_core::{
    dataset::{ContentId, TextId, one_line},
    erasure::ErasedTexts,
    feedback::Signal,
    keys::Packs,
    labels::{
        consolidation::Ballots,
        human_loop::Answer,
        label_set::{LabelSet, Mapped},
        labelled::{LabelledRecord, occurrence_of_vote},
        vote::{Vote, VoteSource},
    },
    sampling::{
        duplicates::{self, KeptCopy},
        review_budget::selected_by,
    },
    text::is_blank,
};
use tracing::warn;

use super::{
    Keep, Labels, LabelsError, Line, NEW_LABEL, copies,
    packs::{self, Packing},
    time_of,
};
use crate::spool::Spool;

/// Reads all labels, from packs what they hold and many objects at a time.
///
/// A line that is damaged or of a newer version is left out, counted, and named in the log. Where a text may not have
/// `several` labels, an answer that names several is a proposal.
pub(crate) async fn read(
    bucket: &Bucket,
    keep: Keep,
    several: bool,
    packing: Packing,
) -> Result<Labels, LabelsError> {
    let sets = LabelSets::new(bucket.clone()).with_several_labels(several);
    let mut readers = [Reader::new(bucket, keep, sets.current().await?).await?];
    read_into(bucket, packing, &mut readers).await?;
    let copies = copies::read(bucket, packing).await?;
    let [reader] = readers;
    reader.finish_with(copies)
}

/// Reads all labels as [`read`] does, by a label set that need not be the current one. Copies are not counted.
pub(crate) async fn read_by(
    bucket: &Bucket,
    keep: Keep,
    set: Option<Arc<LabelSet>>,
    packing: Packing,
) -> Result<Labels, LabelsError> {
    let mut readers = [Reader::new(bucket, keep, set).await?];
    read_into(bucket, packing, &mut readers).await?;
    let [reader] = readers;
    reader.finish().map_err(LabelsError::Disk)
}

/// Reads all labels once, by the label set before a change and by the one after it. Copies are not counted.
pub(crate) async fn read_before_and_after(
    bucket: &Bucket,
    sets: [Arc<LabelSet>; 2],
) -> Result<[Labels; 2], LabelsError> {
    let [before, after] = sets;
    let mut readers = [
        Reader::new(bucket, Keep::Line, Some(before)).await?,
        Reader::new(bucket, Keep::Line, Some(after)).await?,
    ];
    read_into(bucket, Packing::AsItIs, &mut readers).await?;
    let [before, after] = readers;
    let finished = |reader: Reader| reader.finish().map_err(LabelsError::Disk);
    Ok([finished(before)?, finished(after)?])
}

async fn read_into(bucket: &Bucket, packing: Packing, readers: &mut [Reader]) -> Result<(), LabelsError> {
    packs::read(bucket, Packs::LABELLED, packing, |place, key, content| {
        let mut readers = readers.iter_mut();
        readers.try_for_each(|reader| reader.take(place, key, content))
    })
    .await
}

/// Returns a number by which names are told apart in this run.
fn number_of(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

struct Reader {
    ballots: Ballots,
    lines: Vec<Line>,
    spool: Spool,
    unreadable: u64,
    erased: Arc<ErasedTexts>,
    /// Lines of erased texts.
    left_out: u64,
    keep: Keep,
    set: Option<Arc<LabelSet>>,
    /// When records were asked anew that reviewers have answered since: what they said before is in doubt.
    asked_anew: HashMap<u128, String>,
}

impl Reader {
    async fn new(bucket: &Bucket, keep: Keep, set: Option<Arc<LabelSet>>) -> Result<Self, LabelsError> {
        Ok(Self {
            ballots: Ballots::default(),
            lines: Vec::new(),
            spool: Spool::new().map_err(LabelsError::Disk)?,
            unreadable: 0,
            erased: ErasedList::new(bucket.clone()).current().await?,
            left_out: 0,
            keep,
            set,
            asked_anew: HashMap::new(),
        })
    }

    /// Takes the lines of an object, whose place among all is `place`.
    fn take(&mut self, place: u32, key: &str, content: &[u8]) -> io::Result<()> {
        for (line, number) in content.split(|byte| *byte == b'\n').zip(1..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let reason = match LabelledRecord::parse(line) {
                Ok(labelled) if self.push((place, number), &labelled)? => continue,
                Ok(_) => "the text holds nothing that can be seen".to_owned(),
                Err(reason) => reason.to_string(),
            };
            warn!(key, line = number, reason, "the label cannot be used");
            self.unreadable += 1;
        }
        Ok(())
    }

    /// Takes a label; returns whether there is a text.
    fn push(&mut self, place: (u32, u32), labelled: &LabelledRecord) -> io::Result<bool> {
        let text = one_line(&labelled.record.utterance);
        if is_blank(&text) {
            return Ok(false);
        }
        if self.erased.contains(&text) {
            self.left_out += 1;
            return Ok(true);
        }
        let id = u128::from_str_radix(&labelled.record.id, 16).expect("an id is 32 hex digits");
        let (votes, not_in_use) = self.votes(labelled);
        for vote in &votes {
            self.ballots.add(id, vote);
        }
        let reviewed = votes
            .iter()
            .any(|vote| vote.counts_as().is_review() && vote.answer != Answer::Unsure);
        let mut reviews = labelled.votes.iter().filter(|vote| vote.source.is_review());
        let record = &labelled.record;
        if reviewed && record.signal == Signal::Relabel {
            let since = self.asked_anew.entry(id).or_default();
            *since = std::mem::take(since).max(record.received_at.clone());
        }
        let kept = match self.keep {
            Keep::Text => self.spool.push(&text)?,
            Keep::Line => self.spool.push(&labelled.to_line())?,
        };
        self.lines.push(Line {
            id,
            text_id: TextId::of(&text),
            content: ContentId::of(&text),
            answered_at: time_of(&labelled.labelled_at),
            is_sample: matches!(labelled.record.signal, Signal::Audit | Signal::Unlabelled),
            selected_by: selected_by(&labelled.record),
            reviewed,
            not_in_use,
            was_asked: labelled.votes.iter().any(|vote| vote.source.is_review()),
            is_import: reviews.clone().next().is_some()
                && reviews.all(|vote| vote.source == VoteSource::Import),
            classifier: number_of(&labelled.record.classifier),
            // A user's vote on a text that was asked is kept among the copies too, and is none.
            occurrence: occurrence_of_vote(&labelled.human_loop)
                .unwrap_or_else(|| duplicates::occurrence(&labelled.record)),
            place,
            kept,
        });
        Ok(true)
    }

    /// Returns the votes of a line by the label set, and why one of a file does not count.
    fn votes(&self, labelled: &LabelledRecord) -> (Vec<Vote>, Option<&'static str>) {
        let Some(set) = &self.set else {
            return (labelled.votes.clone(), None);
        };
        let (mut votes, mut not_in_use) = (Vec::new(), None);
        for vote in &labelled.votes {
            match set.map(&labelled.record, vote) {
                Mapped::Answer(answer) => {
                    let mapped = vote.clone().written_as(answer);
                    if mapped.source != mapped.counts_as() {
                        not_in_use = Some(NEW_LABEL);
                    }
                    votes.push(mapped);
                }
                // Whose last word it is does not vote: what they said before is no vote again.
                Mapped::Retired | Mapped::Split if !vote.source.is_review() => votes.push(vote.abstaining()),
                Mapped::Retired if vote.source == VoteSource::Import => {
                    not_in_use = Some(Mapped::RETIRED);
                    votes.push(vote.abstaining());
                }
                // What people answered stays their answer, until it is answered anew where it was split.
                Mapped::Retired | Mapped::Split => {
                    votes.push(set.canonical(&labelled.record, vote.clone()));
                }
            }
        }
        (votes, not_in_use)
    }

    /// Ends reading, and counts the copies that the answers serve.
    fn finish_with(self, copies: Vec<KeptCopy>) -> Result<Labels, LabelsError> {
        let mut labels = self.finish().map_err(LabelsError::Disk)?;
        let occurrences = |id| {
            let first = labels.lines.partition_point(|line| line.id < id);
            let of_record = labels.lines[first..].iter().take_while(|line| line.id == id);
            of_record.map(|line| line.occurrence).collect()
        };
        let served = duplicates::count(copies, occurrences);
        labels.copies = served.counts;
        labels.served = served.ids;
        Ok(labels)
    }

    fn finish(mut self) -> io::Result<Labels> {
        let set = self.set.as_deref();
        let standing = |answer: &Answer| set.and_then(|set| set.standing(answer));
        self.ballots.forget_reviews_until(&self.asked_anew, standing);
        for line in &mut self.lines {
            let asked_anew = self.asked_anew.get(&line.id);
            if asked_anew.is_some_and(|time| line.answered_at <= time_of(time)) {
                (line.reviewed, line.not_in_use) = (false, None);
            }
        }
        // Of two answers at the same instant the one in the later object counts as the later. What users say later is no
        // answer: the last line of a record is that of the last one.
        self.lines
            .sort_unstable_by_key(|line| (line.id, line.was_asked, line.answered_at, line.place));
        Ok(Labels {
            votes: self.ballots.count(),
            lines: self.lines,
            kept: self.spool.finish()?,
            copies: HashMap::new(),
            served: HashSet::new(),
            unreadable: self.unreadable,
            erased: self.left_out,
            set: self.set,
        })
    }
}
