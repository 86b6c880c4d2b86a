//! What was decided to be asked becomes human loops.
//!
//! Pages are cut and named over all that was decided, in its order. What is not to be asked any more by then is left out of its
//! page afterwards. So a delivery that comes again, after a run that broke off, finds the pages of that run by their names.

use std::{
    collections::BTreeSet,
    future::ready,
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, Ordering},
};

use active_learning_aws::{human_loops::Asked, metrics, s3_event::S3Object};
use active_learning_core::{
    feedback::FeedbackRecord,
    labels::human_loop::{AnsweredBy, Delivery, HumanLoop, Making, human_loops},
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT, FUNCTION, sorter::Sorter};

/// Human loops that are started at a time; A2I does not publish its request rates.
const LOOPS_IN_FLIGHT: usize = 4;

/// Records of a delivered object, or of a selection, that people are to be asked about: all that was decided once.
pub(crate) struct ToAsk<'a> {
    /// The records, in their order.
    pub records: Vec<FeedbackRecord>,
    /// Who has answered before.
    pub answered_by: AnsweredBy,
    /// Ids of those that nobody is asked about any more.
    pub left_out: BTreeSet<String>,
    /// Most records of a task when it was decided; none where the version before decided.
    pub items_per_task: Option<NonZeroUsize>,
    /// Where they were delivered.
    pub delivery: Delivery<'a>,
}

/// Why a record is left out of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// A later change of the label set has taken the doubt away.
    TakenBack,
    /// An earlier change of the label set asks it.
    Joined,
}

impl A2iTrigger {
    /// Starts human loops for what came with an object, or with a selection; returns their number.
    pub(crate) async fn ask(&self, mut to_ask: ToAsk<'_>) -> Result<u64, A2iTriggerError> {
        let erased = self.erased_among(&to_ask.records, &to_ask.left_out).await?;
        to_ask.left_out.extend(erased);
        let is_asked = |record: &&FeedbackRecord| !to_ask.left_out.contains(&record.id);
        let asked: Vec<FeedbackRecord> = to_ask.records.iter().filter(is_asked).cloned().collect();
        if asked.is_empty() {
            return Ok(0);
        }
        let labels = self.labels_for(&asked).await?;
        let classes = self.serving_classes().await;
        let words = self.driving_words(&asked, &labels, &classes).await;
        let making = Making {
            labels: &labels,
            classes: &classes,
            words: &words,
            answered_by: &to_ask.answered_by,
            left_out: &to_ask.left_out,
            delivery: to_ask.delivery,
        };
        let items_per_task = to_ask.items_per_task.unwrap_or(self.config.items_per_task);
        let loops = human_loops(&to_ask.records, items_per_task.get(), &making);
        let is_full = AtomicBool::new(false);
        let started: Vec<Asked> = stream::iter(&loops)
            .map(async |human_loop| {
                // What it asked is answered, or something else asks it by now: its event came again.
                if !self.note_loop(human_loop, &asked).await? {
                    return Ok(None);
                }
                self.ask_in(human_loop, &is_full).await.map(Some)
            })
            .buffer_unordered(LOOPS_IN_FLIGHT)
            .try_filter_map(|asked| ready(Ok(asked)))
            .try_collect()
            .await?;
        let kept = started.iter().filter(|asked| **asked == Asked::Kept).count();
        metrics::count(FUNCTION, &[("LoopsWithoutRoom", kept as u64)]);
        Ok((started.len() - kept) as u64)
    }

    /// Starts a human loop, or keeps its question where there was no room for one before it.
    async fn ask_in(&self, human_loop: &HumanLoop, is_full: &AtomicBool) -> Result<Asked, A2iTriggerError> {
        let (name, input) = (&human_loop.name, &human_loop.input_content);
        if is_full.load(Ordering::Relaxed) {
            self.human_loops.keep(name, input).await?;
            return Ok(Asked::Kept);
        }
        let asked = self.human_loops.ask(name, input).await?;
        if asked == Asked::Kept {
            is_full.store(true, Ordering::Relaxed);
        }
        Ok(asked)
    }

    /// Returns the ids of those of these records that nobody is asked about any more, beside those that are known. The others are
    /// counted as asked.
    pub(crate) async fn left_out(
        &self,
        object: &S3Object,
        records: &[FeedbackRecord],
        known: &BTreeSet<String>,
        sorter: &mut Sorter,
    ) -> Result<BTreeSet<String>, A2iTriggerError> {
        let found: Vec<(&FeedbackRecord, Option<Why>)> = stream::iter(records)
            .filter(|record| ready(!known.contains(&record.id)))
            .map(async |record| {
                let why = self.why_left_out(object, record).await?;
                Ok::<_, A2iTriggerError>((record, why))
            })
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_collect()
            .await?;
        let mut left_out = BTreeSet::new();
        for (record, why) in found {
            match why {
                None => sorter.came.count_asked(record.signal),
                Some(why) => {
                    sorter.counts.asked_before += u64::from(why == Why::Joined);
                    left_out.insert(record.id.clone());
                }
            }
        }
        Ok(left_out)
    }

    async fn why_left_out(
        &self,
        object: &S3Object,
        record: &FeedbackRecord,
    ) -> Result<Option<Why>, A2iTriggerError> {
        if self.is_doubt_taken_back(record).await? {
            return Ok(Some(Why::TakenBack));
        }
        let joins = self.joins_earlier_change(object, record).await?;
        Ok(joins.then_some(Why::Joined))
    }
}
