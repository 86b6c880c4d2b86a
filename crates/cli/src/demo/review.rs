//! The scripted reviewer's work, followed to the labelled records that come of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use active_learning_aws::bucket::{Bucket, MAX_DOCUMENT_BYTES};
use active_learning_core::labels::{
    human_loop::NONE_FITS,
    labelled::{self, LabelledRecord},
};
use tokio::time::Instant;

use super::{Failure, progress::Progress, reviewer::Reviewer, traffic::Played};
use crate::{outputs::StackOutputs, sign_in};

/// How long the last answer may take to arrive.
const PATIENCE: Duration = Duration::from_secs(180);
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// The labelled records of the training bucket.
#[derive(Default)]
pub(super) struct Answers {
    /// Whether people agree on labels, by record id.
    pub(super) records: BTreeMap<String, bool>,
    /// Human loops that were read.
    loops: BTreeSet<String>,
    /// Object of the first of them.
    pub(super) first_key: String,
}

impl Answers {
    /// Returns how many human loops were answered.
    pub(super) fn human_loops(&self) -> usize {
        self.loops.len()
    }

    /// Returns how many of these records were answered.
    pub(super) fn of(&self, ids: &BTreeSet<String>) -> usize {
        ids.iter().filter(|id| self.records.contains_key(*id)).count()
    }

    /// Returns on how many of these records people agree.
    pub(super) fn agreed(&self, ids: &BTreeSet<String>) -> usize {
        ids.iter()
            .filter(|id| self.records.get(*id) == Some(&true))
            .count()
    }

    /// Reads the objects that came since the last time.
    async fn read_new(&mut self, training: &Bucket) -> Result<(), Failure> {
        let folder = labelled::object_key("");
        let folder = folder.split_inclusive('/').next().unwrap_or_default();
        for object in training.list(folder).await? {
            if !self.loops.insert(object.key.clone()) {
                continue;
            }
            if self.first_key.is_empty() {
                self.first_key.clone_from(&object.key);
            }
            let lines = training.read(&object.key, MAX_DOCUMENT_BYTES).await?;
            let lines = lines.map(|object| object.bytes).unwrap_or_default();
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let labelled = LabelledRecord::parse(line)?;
                let agreed = labelled.consensus.labels().is_some();
                self.records.insert(labelled.record.id, agreed);
            }
        }
        Ok(())
    }
}

/// Answers tasks as they come until every expected item is a labelled record, or patience ends.
pub(super) async fn review(
    training: &Bucket,
    outputs: &StackOutputs,
    played: &Played,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let mut reviewer = Reviewer::sign_in(&sign_in::create_link(outputs, "demo").await?).await?;
    let progress = Progress::new("Review", played.expected.len());
    // Patience is with the next answer, not with all of them.
    let mut deadline = Instant::now() + PATIENCE;
    let mut last = 0;
    loop {
        // What people left open in the same state folder is theirs to answer.
        let choose = |id: &str, prediction: &str| match played.labels.get(id) {
            _ if !played.expected.contains(id) => None,
            Some(label) => Some(label.clone()),
            None if prediction.is_empty() => Some(NONE_FITS.to_owned()),
            None => Some(prediction.to_owned()),
        };
        let worked = reviewer.answer_next(choose).await?;
        if !worked {
            answers.read_new(training).await?;
        }
        let arrived = answers.of(&played.expected);
        progress.show(arrived);
        if arrived > last {
            (last, deadline) = (arrived, Instant::now() + PATIENCE);
        }
        if arrived == played.expected.len() || Instant::now() > deadline {
            progress.end();
            return Ok(());
        }
        if !worked {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}
