//! The backlog: what waits until people have time for it, and the selection of who is next.
//!
//! Each item is an object whose key says when its turn is, so that the next ones are found without reading the
//! others, however many wait. Selecting and paying is one conditional write of `backlog/budget.json`, which holds the
//! selection itself: whoever comes next finishes asking it before selecting more. `backlog/asked-before.json` has the
//! texts of the latest selections, so that the next one asks something else.

use std::{collections::BTreeSet, future::ready};

use active_learning_aws::{
    bucket::{BucketError, Change, JSON, Listed},
    metrics, originals,
    rejected::{self, RejectedLines},
};
use active_learning_core::{
    feedback::{FeedbackRecord, batch::BadItem},
    keys,
    labels::{
        human_loop::{Answer, Delivery},
        question::Question,
    },
    sampling::{
        duplicates::same_form,
        query_strategy::MAX_ASKED_BEFORE,
        review_budget::{Queue, ReviewBudget, Selected, Selection, enqueue},
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{debug, error, info, warn};

use crate::{
    A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT, FUNCTION,
    asking::ToAsk,
    plan::{answered_by, may_be_copy},
};

/// Where the state of the budget lies.
const BUDGET: &str = "backlog/budget.json";

/// Where the texts lie that were selected lately, the latest last.
const ASKED_BEFORE: &str = "backlog/asked-before.json";

/// Largest item that is read, in bytes.
const MAX_ITEM_BYTES: u64 = 1 << 20;

/// Items that are selected at a time.
const MAX_SELECTED: usize = 100;

/// Items with the highest value that the query strategy chooses from, per item to choose, and in all.
const CHOICES_PER_ITEM: usize = 10;
const MAX_CHOICES: usize = 1_000;

/// A record that is to wait for its turn.
pub(crate) struct Waiting {
    pub(crate) record: FeedbackRecord,
    /// Probability of the draw, if it was drawn.
    pub(crate) explored: Option<f64>,
    /// Whether it is a text to label of which the serving model is not sure.
    pub(crate) is_doubtful: bool,
}

/// The next items.
#[derive(Default)]
pub(crate) struct Next {
    items: Vec<Selected>,
    /// Items that were removed, since they are asked already or damaged.
    removed: usize,
}

impl A2iTrigger {
    /// Puts records where they wait for their turn.
    pub(crate) async fn put_in_backlog(&self, waiting: Vec<Waiting>) -> Result<(), A2iTriggerError> {
        if waiting.is_empty() {
            return Ok(());
        }
        let erased = self.erased.current().await?;
        let is_erased = |waiting: &Waiting| erased.contains(&waiting.record.utterance);
        let (gone, waiting): (Vec<Waiting>, Vec<Waiting>) = waiting.into_iter().partition(is_erased);
        let gone: Vec<FeedbackRecord> = gone.into_iter().map(|waiting| waiting.record).collect();
        self.end_predictions(&gone).await?;
        stream::iter(waiting)
            .map(async |waiting| {
                let mut record = waiting.record;
                let queue = match waiting.is_doubtful {
                    true => Queue::Ranked,
                    false => enqueue(&mut record, waiting.explored),
                };
                let key = queue.key(&record);
                if !self.note_waiting(&record).await? {
                    return Ok(());
                }
                let put = self.feedback.put(&key, JSON, record.to_line()).await;
                put.map_err(A2iTriggerError::Store)
            })
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await
    }

    /// Asks about what waits, as long as there is budget left today; all of it if there is no limit. Who comes while
    /// another run does it leaves it to that run.
    ///
    /// Idempotent, and safe to run many times at once.
    pub(crate) async fn select(&self, today: &str) -> Result<(), A2iTriggerError> {
        let Some(turn) = self.take_turn().await? else {
            debug!("another run selects from the backlog");
            return Ok(());
        };
        loop {
            if let Err(error) = self.select_in_turn(today, &turn).await {
                if let Err(error) = self.give_turn_up(&turn).await {
                    warn!(%error, "a turn to select ends by itself");
                }
                return Err(error);
            }
            if self.end_turn(&turn).await? {
                return Ok(());
            }
        }
    }

    async fn select_in_turn(&self, today: &str, turn: &str) -> Result<(), A2iTriggerError> {
        let limit = match self.config.review_budget {
            0 => u64::MAX,
            limit => limit,
        };
        let (mut selected, mut human_loops) = (0, 0);
        while self.keep_turn(turn).await? {
            let budget = self.change_budget(|budget| budget.clone()).await?;
            if let Some(selection) = budget.selection() {
                human_loops += self.ask_selected(selection).await?;
                selected += selection.items.len() as u64;
                continue;
            }
            let left = usize::try_from(budget.remaining(today, limit)).unwrap_or(usize::MAX);
            let number = budget.next_number();
            let Next { items, removed } = self.next(left.min(MAX_SELECTED), number).await?;
            if items.is_empty() && removed == 0 {
                break;
            }
            if !items.is_empty() {
                // Another run may have selected the same items meanwhile.
                let pay = |budget: &mut ReviewBudget| {
                    if budget.next_number() == number && budget.remaining(today, limit) >= items.len() as u64
                    {
                        budget.select(today, items.clone(), self.config.items_per_task);
                    }
                };
                self.change_budget(pay).await?;
            }
        }
        info!(selected, human_loops, "selected from the backlog");
        metrics::count(FUNCTION, &[("Selected", selected), ("HumanLoops", human_loops)]);
        Ok(())
    }

    /// Counts doubtful predictions that come in, and returns the probability with which each is to be drawn.
    ///
    /// Where too many deliveries do so at once, those of one are not counted: the draw is by what was counted last.
    pub(crate) async fn arrive(
        &self,
        today: &str,
        doubtful: u64,
        limit: u64,
    ) -> Result<f64, A2iTriggerError> {
        let arrive = |budget: &mut ReviewBudget| budget.arrive(today, doubtful, limit);
        match self.change_budget(arrive).await {
            Err(A2iTriggerError::Store(error @ BucketError::Contended { .. })) => {
                warn!(%error, doubtful, "what came in is not counted for the review budget");
                let budget = self.feedback.read_document::<ReviewBudget>(BUDGET).await;
                let mut budget = budget.map_err(A2iTriggerError::Store)?.unwrap_or_default();
                Ok(arrive(&mut budget))
            }
            drawn => drawn,
        }
    }

    /// Reads the state of the budget, changes it, and writes it back if it has become another one.
    pub(crate) async fn change_budget<T>(
        &self,
        mut change: impl FnMut(&mut ReviewBudget) -> T,
    ) -> Result<T, A2iTriggerError> {
        let change = |before: Option<ReviewBudget>| {
            let before = before.unwrap_or_default();
            let mut after = before.clone();
            let value = change(&mut after);
            Change::to((after != before).then_some(after), value)
        };
        let changed = self.feedback.change(BUDGET, change).await;
        changed.map_err(A2iTriggerError::Store)
    }

    /// Starts the human loops of a selection, removes its items from the backlog, and closes it.
    async fn ask_selected(&self, selection: &Selection) -> Result<u64, A2iTriggerError> {
        let bucket = self.feedback.name();
        let key = format!("backlog/selection-{:08}", selection.number);
        let records: Vec<FeedbackRecord> = selection.items.iter().map(|item| item.record.clone()).collect();
        let answered_by = selection.items.iter().filter(|item| !item.answered_by.is_empty());
        let answered_by = answered_by
            .map(|item| (item.record.id.clone(), item.answered_by.clone()))
            .collect();
        let delivery = Delivery { bucket, key: &key };
        let to_ask = ToAsk {
            records: records.clone(),
            answered_by,
            left_out: BTreeSet::new(),
            items_per_task: selection.items_per_task,
            delivery,
        };
        let human_loops = self.ask(to_ask).await?;
        let owner = &format!("{bucket}/{key}");
        stream::iter(&selection.items)
            .map(async |item| {
                // Before it is removed: should an event that came to a stop put it there again, it is known.
                self.claims.hand_over(&item.record.claim_name(), owner).await?;
                let removed = self.feedback.delete(&item.key).await;
                removed.map_err(A2iTriggerError::Store)
            })
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await?;
        self.remember(&self.not_erased(records).await?).await?;
        let close = |budget: &mut ReviewBudget| {
            if budget
                .selection()
                .is_some_and(|open| open.number == selection.number)
            {
                budget.close();
            }
        };
        self.change_budget(close).await?;
        Ok(human_loops)
    }

    /// Returns the texts that were selected lately; none where they cannot be used, which costs a choice its breadth only.
    pub(crate) async fn asked_before(&self) -> Result<Vec<String>, A2iTriggerError> {
        match self.feedback.read_document(ASKED_BEFORE).await {
            Ok(texts) => Ok(texts.unwrap_or_default()),
            Err(error @ (BucketError::TooLarge { .. } | BucketError::Damaged { .. })) => {
                warn!(%error, "the texts that were selected lately begin anew");
                Ok(Vec::new())
            }
            Err(error) => Err(A2iTriggerError::Store(error)),
        }
    }

    /// Adds the texts of a selection to those that were selected lately, each once.
    async fn remember(&self, records: &[FeedbackRecord]) -> Result<(), A2iTriggerError> {
        let mut asked = self.asked_before().await?;
        asked.retain(|text| records.iter().all(|record| record.utterance != *text));
        asked.extend(records.iter().map(|record| record.utterance.clone()));
        asked.drain(..asked.len().saturating_sub(MAX_ASKED_BEFORE));
        // Of two runs that finish the same selection both write the same.
        let put = self.feedback.put_document(ASKED_BEFORE, &asked).await;
        put.map_err(A2iTriggerError::Store)
    }

    /// Returns the items whose turn it is, at most `count`.
    async fn next(&self, count: usize, seed: u64) -> Result<Next, A2iTriggerError> {
        let mut next = Next::default();
        for queue in Queue::IN_ORDER {
            let wanted = count - next.items.len();
            if wanted == 0 {
                break;
            }
            let choices = match queue {
                Queue::Audit | Queue::Exploration | Queue::Pool => wanted,
                Queue::Ranked => (CHOICES_PER_ITEM * wanted).min(MAX_CHOICES),
            };
            let mut items = self.first_items(queue, choices, &mut next).await?;
            if queue == Queue::Ranked {
                items = self.best(&items, wanted, seed).await?;
            }
            for item in items {
                self.take(item, &mut next).await?;
            }
        }
        let wanted = count - next.items.len();
        if wanted > 0 {
            self.next_of_pool(wanted, seed, &mut next).await?;
        }
        Ok(next)
    }

    /// Returns the first items of a queue; those that are damaged are set aside.
    async fn first_items(
        &self,
        queue: Queue,
        count: usize,
        next: &mut Next,
    ) -> Result<Vec<Selected>, A2iTriggerError> {
        let listed = self.feedback.list_after(queue.prefix(), "", count).await?;
        self.read_items(listed, next).await
    }

    /// Reads items of the backlog; those that are damaged are set aside.
    pub(crate) async fn read_items(
        &self,
        listed: Vec<Listed>,
        next: &mut Next,
    ) -> Result<Vec<Selected>, A2iTriggerError> {
        let read: Vec<_> = stream::iter(listed)
            .map(async |item| {
                let content = self.feedback.read(&item.key, MAX_ITEM_BYTES).await;
                (item.key, content)
            })
            .buffered(CALLS_IN_FLIGHT)
            .collect()
            .await;
        let mut items = Vec::new();
        for (key, content) in read {
            match content {
                Ok(None) => {} // Another run has removed it.
                Ok(Some(item)) => match FeedbackRecord::parse(&item.bytes) {
                    Ok(record) => items.push(Selected::new(key, record)),
                    Err(invalid) => {
                        self.set_item_aside(&key, &item.bytes, invalid.to_string())
                            .await?;
                        next.removed += 1;
                    }
                },
                // Too large to be moved in memory: it stays, and the others go on.
                Err(BucketError::TooLarge { limit, .. }) => {
                    error!(key, limit, "an item of the backlog is too large");
                }
                Err(error) => return Err(A2iTriggerError::Store(error)),
            }
        }
        Ok(items)
    }

    /// Takes an item unless it was selected before, since a run that broke off may have put it there twice, its user has taken
    /// the complaint back, its text was erased, or has got its label meanwhile. Where that is the label of another spelling, it
    /// is kept as a copy of that.
    pub(crate) async fn take(&self, mut item: Selected, next: &mut Next) -> Result<(), A2iTriggerError> {
        let owner = self.claims.owner(&item.record.claim_name()).await?;
        let selected = format!("{}/backlog/", self.feedback.name());
        let was_selected = owner.is_some_and(|owner| owner.starts_with(&selected));
        let is_erased = self.not_erased(vec![item.record.clone()]).await?.is_empty();
        let question = self.questions.read(&item.record.id).await?;
        let question = question.as_ref();
        let is_over = was_selected || is_erased || self.is_taken_back(question, &item.record).await?;
        let labelled = match is_over {
            true => None,
            false => self.labelled_meanwhile(question, &item.record).await?,
        };
        if let Some(original) = labelled.as_ref().filter(|id| **id != item.record.id) {
            // Before it is removed: should the run break off, the next one does it again.
            self.keep_copies(vec![(original.clone(), item.record.clone())])
                .await?;
        }
        if is_over || labelled.is_some() {
            let removed = self.feedback.delete(&item.key).await;
            removed.map_err(A2iTriggerError::Store)?;
            next.removed += 1;
        } else if next.items.iter().all(|other| other.record.id != item.record.id) {
            if let Some(question) = question {
                let labels = self.labels_for(std::slice::from_ref(&item.record)).await?;
                item.answered_by = answered_by(question, &item.record, &labels);
            }
            next.items.push(item);
        }
        Ok(())
    }

    /// Returns whose label a text that nobody doubts has got while it waited, by an import say: the id of its own record, or
    /// of that whose spelling has its form. An audited record is asked whatever else was.
    async fn labelled_meanwhile(
        &self,
        question: Option<&Question>,
        record: &FeedbackRecord,
    ) -> Result<Option<String>, A2iTriggerError> {
        if record.is_complaint() || !may_be_copy(record) {
            return Ok(None);
        }
        // An answer from before is of an asking that has expired.
        let own = question.filter(|question| question.record.received_at == record.received_at);
        if own.is_some_and(has_labels) {
            return Ok(Some(record.id.clone()));
        }
        let form = format!("text-{}", same_form(record));
        let holder = self.claims.holder(&form).await?;
        let Some(holder) = holder.filter(|holder| *holder != record.id) else {
            return Ok(None);
        };
        let original = originals::follow(&self.feedback, holder).await?;
        let is_labelled = original.id != record.id && original.question.as_ref().is_some_and(has_labels);
        Ok(is_labelled.then_some(original.id))
    }

    async fn set_item_aside(&self, key: &str, content: &[u8], reason: String) -> Result<(), A2iTriggerError> {
        error!(key, reason, "an item of the backlog is set aside");
        let raw = content.to_vec();
        let mut lines = RejectedLines::default();
        let full = lines.push(1, &BadItem { reason, raw });
        if let Some(object) = full.or_else(|| lines.finish()) {
            let name = keys::result_name(self.feedback.name(), key, "");
            let put = rejected::put(&self.feedback, FUNCTION, &name, object).await;
            put.map_err(A2iTriggerError::Rejected)?;
        }
        let removed = self.feedback.delete(key).await;
        removed.map_err(A2iTriggerError::Store)?;
        metrics::count(FUNCTION, &[("RejectedLines", 1)]);
        Ok(())
    }
}

/// Returns whether people agree on labels of a text.
fn has_labels(question: &Question) -> bool {
    matches!(question.answer(), Some(Answer::Labels { .. }))
}
