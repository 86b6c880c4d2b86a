//! Sorts the lines of a delivered object, and counts what was found.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use active_learning_aws::{
    metrics,
    rejected::{RejectedLines, RejectedObject},
    s3_event::S3Object,
};
use active_learning_core::{
    erasure::ErasedTexts,
    feedback::{FeedbackRecord, Signal, arrivals::DayOfArrivals, delivery::Line},
};
use lambda_runtime::tracing::info;

use crate::{FUNCTION, machine_labels::MachineLabels, opinions::Heard};

/// What was found in a delivered object.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    records: u64,
    likes: u64,
    duplicates: u64,
    /// Records of texts that were erased at a person's wish.
    pub(crate) erased: u64,
    /// Questions that another object has claimed.
    pub(crate) asked_before: u64,
    /// Copies of another question.
    pub(crate) near_duplicates: u64,
    /// Questions that wait for their turn.
    pub(crate) backlogged: u64,
    pub(crate) human_loops: u64,
    /// What feedback said of questions that were asked already.
    pub(crate) heard: Heard,
}

/// Sorts the lines of one object into what is to be asked, what is a label, what is counted only, and what is bad.
#[derive(Default)]
pub(crate) struct Sorter {
    /// Questions that wait to be asked.
    pub(crate) records: Vec<FeedbackRecord>,
    /// Ids of those of them whose texts were erased. Nobody is asked; but their places stay, so that the pages of the others are
    /// the same as when this object was delivered before.
    pub(crate) in_place: BTreeSet<String>,
    /// Questions that this object has asked already.
    pub(crate) repeated: Vec<FeedbackRecord>,
    /// Likes of a prediction, or with a label: votes, where people were asked.
    pub(crate) likes: Vec<FeedbackRecord>,
    /// Records of erased texts, whose predictions wait for an answer.
    pub(crate) to_end: Vec<FeedbackRecord>,
    /// Texts of this object that the model may still be asked about.
    pub(crate) to_judge: usize,
    /// Questions of this object so far, by id.
    seen: HashSet<u128>,
    pub(crate) rejected: RejectedLines,
    pub(crate) machine_labels: MachineLabels,
    pub(crate) counts: Counts,
    /// What came for review.
    pub(crate) came: DayOfArrivals,
    /// Texts that nobody is asked about again.
    pub(crate) erased: Arc<ErasedTexts>,
}

impl Sorter {
    /// Makes one for an object of which the model may be asked about so many texts, and no one about those that were erased.
    pub(crate) fn judging(to_judge: usize, erased: Arc<ErasedTexts>) -> Self {
        Self {
            to_judge,
            erased,
            ..Self::default()
        }
    }

    /// Sorts some lines; returns objects of bad lines that are full.
    pub(crate) fn sort(&mut self, lines: Vec<Line>) -> Vec<RejectedObject> {
        let mut full = Vec::new();
        for line in lines {
            match line.content {
                Err(bad) => full.extend(self.rejected.push(line.number, &bad)),
                Ok(record) => self.take(record),
            }
        }
        full
    }

    fn take(&mut self, record: FeedbackRecord) {
        self.counts.records += 1;
        if self.erased.contains(&record.utterance) {
            self.counts.erased += 1;
            self.to_end.push(record.clone());
            if record.signal.needs_review() && self.seen.insert(number_of(&record)) {
                self.in_place.insert(record.id.clone());
                self.records.push(record);
            }
            return;
        }
        self.came.count_prediction(&record);
        if record.signal == Signal::Accepted {
            self.machine_labels.push(&record);
        } else if !record.signal.needs_review() {
            self.counts.likes += 1;
            self.likes.push(record);
        } else if self.seen.insert(number_of(&record)) {
            self.records.push(record);
        } else {
            self.counts.duplicates += 1;
            self.repeated.push(record);
        }
    }

    /// Logs and counts what was found, at the end of the object.
    pub(crate) fn report(&self, object: &S3Object) {
        let counts = &self.counts;
        info!(
            object.key,
            counts.records, counts.human_loops, counts.asked_before, "worked off"
        );
        metrics::count(
            FUNCTION,
            &[
                ("FeedbackRecords", counts.records),
                ("Likes", counts.likes),
                ("MachineLabels", self.machine_labels.count),
                ("Duplicates", counts.duplicates),
                ("ErasedRecords", counts.erased),
                ("AskedBefore", counts.asked_before),
                ("NearDuplicates", counts.near_duplicates),
                ("Backlogged", counts.backlogged),
                ("RejectedLines", self.rejected.count),
                ("HumanLoops", counts.human_loops),
                ("Votes", counts.heard.votes),
                ("Reopened", counts.heard.reopened),
                ("Withdrawn", counts.heard.withdrawn),
            ],
        );
    }
}

/// Returns the id of a record as a number.
fn number_of(record: &FeedbackRecord) -> u128 {
    u128::from_str_radix(&record.id, 16).expect("an id is 32 hex digits")
}
