//! The review budget: how many items a day people have time for, and which of those that wait come first.
//!
//! An item waits in one of four queues, and they are served in this order:
//!
//! 1. [`Queue::Audit`]: what the review policy selected by chance, oldest first.
//! 2. [`Queue::Exploration`]: doubtful predictions drawn by chance as they came in, oldest first. About
//!    [`EXPLORATION_SHARE`] of the budget.
//! 3. [`Queue::Ranked`]: everything else, the most valuable by the default query strategy first. What a user
//!    dislikes counts as wholly uncertain, since the model is said to be wrong.
//! 4. [`Queue::Pool`]: texts to label, without a prediction. Only so many are asked that reviewers have about as many
//!    open as they are meant to; which ones is decided anew each time.
//!
//! Estimates of a model's accuracy (see [`audit`](crate::model::audit)) stay unbiased: an item is a sample of the traffic
//! only if its selection probability was known before anybody looked at it. An audited item keeps its own; one that is
//! explored has that of the policy times that of the draw, and stands for the doubtful ones that were not drawn; one that
//! is chosen by rank has none, and says nothing of others. A probability for ranks would be wrong as soon as the
//! rest is reconsidered: who is passed over today may be asked tomorrow, and would then be counted twice.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::{
    feedback::{FeedbackRecord, Signal, Source},
    sampling::{
        query_strategy::{Candidate, LabelCounts, QueryStrategy},
        selection::{SelectedBy, is_probability},
    },
};

/// Share of the budget that goes to doubtful predictions drawn by chance.
pub const EXPLORATION_SHARE: f64 = 0.1;

/// Digits by which ranked items are ordered.
const RANK_DIGITS: usize = 6;

/// Where an item waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// Selected by chance among all predictions.
    Audit,
    /// Selected by chance among the doubtful ones.
    Exploration,
    /// Chosen by value.
    Ranked,
    /// Texts to label, in no order.
    Pool,
}

impl Queue {
    /// The queues whose items have a turn, in the order in which they are served.
    pub const IN_ORDER: [Self; 3] = [Self::Audit, Self::Exploration, Self::Ranked];

    /// Returns what the keys of its items begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Audit => "backlog/1-audit/",
            Self::Exploration => "backlog/2-exploration/",
            Self::Ranked => "backlog/3-ranked/",
            Self::Pool => "backlog/4-pool/",
        }
    }

    /// Returns the key of a waiting item. In the order of their keys, items are in the order of their turn; in the
    /// pool in that of their ids, which are digests: wherever one begins to read, what follows is a random sample.
    pub fn key(self, record: &FeedbackRecord) -> String {
        let turn = match self {
            Self::Audit | Self::Exploration => {
                let digits = record.received_at.chars().filter(char::is_ascii_digit);
                digits.take("20261120100000".len()).collect()
            }
            Self::Ranked => {
                let value = QueryStrategy::default()
                    .value(candidate(record).prediction.as_ref(), &LabelCounts::new());
                let highest = 10_f64.powi(RANK_DIGITS as i32) - 1.0;
                format!("{:0RANK_DIGITS$.0}", (1.0 - value.clamp(0.0, 1.0)) * highest)
            }
            Self::Pool => return format!("{}{}.json", self.prefix(), record.id),
        };
        format!("{}{turn}-{}.json", self.prefix(), record.id)
    }
}

/// Returns whether a record is a doubtful prediction, of which some are drawn by chance.
pub fn may_be_explored(record: &FeedbackRecord) -> bool {
    record.source == Source::Implicit
        && !matches!(
            record.signal,
            Signal::Audit | Signal::OutdatedLabel | Signal::UnknownLabel
        )
        && record.selection_probability.is_some()
}

/// Puts a record into its queue and states its selection probability.
///
/// `explored` is the probability of the draw if it was drawn; see [`ReviewBudget::arrive`].
pub fn enqueue(record: &mut FeedbackRecord, explored: Option<f64>) -> Queue {
    if record.signal == Signal::Audit {
        return Queue::Audit;
    }
    if record.is_unlabelled() {
        record.selection_probability = None;
        return Queue::Pool;
    }
    record.selection_probability = match (explored, record.selection_probability) {
        (Some(draw), Some(policy)) => Some(draw * policy),
        _ => None,
    };
    if explored.is_some() {
        Queue::Exploration
    } else {
        Queue::Ranked
    }
}

/// Returns how a record was selected.
///
/// The audit and the review policy state their probability; a policy's is that of the draw too, where a text was explored.
/// Chance chose texts to label that were asked without a choice, which have a probability, and those of the pool with a
/// prediction that names no model. Imported labels are what their file is. All else was chosen: by a model's doubt or a
/// user's, or to stand for others.
pub fn selected_by(record: &FeedbackRecord) -> SelectedBy {
    let probability = record
        .selection_probability
        .filter(|number| is_probability(*number));
    let chosen = |is_chosen: bool| match is_chosen {
        true => SelectedBy::Choice,
        false => SelectedBy::Chance,
    };
    match record.signal {
        Signal::Audit => probability.map_or(SelectedBy::Chance, SelectedBy::Audit),
        Signal::Accepted => SelectedBy::Chance,
        Signal::Unlabelled => chosen(match record.prediction {
            Some(_) => record.model_arn.is_some(),
            None => record.selection_probability.is_none(),
        }),
        Signal::LowConfidence | Signal::LowMargin => {
            probability.map_or(SelectedBy::Choice, SelectedBy::Policy)
        }
        Signal::Dislike | Signal::Like | Signal::Relabel | Signal::OutdatedLabel | Signal::UnknownLabel => {
            SelectedBy::Choice
        }
    }
}

/// Returns what the query strategy is told of a record.
pub fn candidate(record: &FeedbackRecord) -> Candidate<'_> {
    let mut candidate = Candidate::of(record);
    if matches!(
        record.signal,
        Signal::Dislike | Signal::OutdatedLabel | Signal::UnknownLabel
    ) {
        candidate.prediction = None;
    }
    candidate
}

/// A waiting item that was selected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selected {
    /// Its key in the backlog.
    pub key: String,
    /// The record to ask about.
    pub record: FeedbackRecord,
    /// Ids of the workers who answered the text before its question was given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered_by: Vec<String>,
}

impl Selected {
    /// Makes an item that nobody has answered.
    pub fn new(key: String, record: FeedbackRecord) -> Self {
        Self {
            key,
            record,
            answered_by: Vec::new(),
        }
    }
}

/// Items that are paid for and being asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    /// Its number, from 1.
    pub number: u64,
    /// The items.
    pub items: Vec<Selected>,
    /// Most items of a task when they were selected; none in selections of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_per_task: Option<NonZeroUsize>,
}

/// What of the budget is spent. Whoever changes it must be sure that nobody else has since it was read.
///
/// Paying and selecting are one change, and there is at most one selection at a time: it must be asked before the
/// next one is made. So no item is selected twice, and never more than the budget is spent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewBudget {
    /// Day that the numbers are of, `YYYY-MM-DD` in UTC. It never goes back: a clock that is slow spends of today.
    day: String,
    /// Items selected on that day.
    spent: u64,
    /// Doubtful predictions that came in on that day.
    arrived: u64,
    /// The same of the last day before.
    arrived_before: u64,
    /// Number of selections so far.
    selections: u64,
    /// The selection that is being asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    selection: Option<Selection>,
}

impl ReviewBudget {
    /// Counts doubtful predictions that come in, and returns the probability with which each is to be drawn.
    ///
    /// So many that the drawn ones take [`EXPLORATION_SHARE`] of the daily `limit`, if the day brings as many as the
    /// day before, or as it has brought already.
    pub fn arrive(&mut self, today: &str, doubtful: u64, limit: u64) -> f64 {
        self.turn_to(today);
        self.arrived += doubtful;
        let expected = self.arrived.max(self.arrived_before).max(1);
        EXPLORATION_SHARE * limit.min(expected) as f64 / expected as f64
    }

    /// Returns how many items may still be selected today.
    pub fn remaining(&self, today: &str, limit: u64) -> u64 {
        let spent = if today > self.day.as_str() { 0 } else { self.spent };
        limit.saturating_sub(spent)
    }

    /// Returns the selection that must be asked before the next one is made.
    pub fn selection(&self) -> Option<&Selection> {
        self.selection.as_ref()
    }

    /// Returns the number of the next selection.
    pub fn next_number(&self) -> u64 {
        self.selections + 1
    }

    /// Pays for items and selects them; the selection before must be closed.
    pub fn select(&mut self, today: &str, items: Vec<Selected>, items_per_task: NonZeroUsize) {
        self.turn_to(today);
        self.spent += items.len() as u64;
        self.selections = self.next_number();
        self.selection = Some(Selection {
            number: self.selections,
            items,
            items_per_task: Some(items_per_task),
        });
    }

    /// Notes that everything selected is asked.
    pub fn close(&mut self) {
        self.selection = None;
    }

    fn turn_to(&mut self, today: &str) {
        if today > self.day.as_str() {
            self.day = today.to_owned();
            self.spent = 0;
            self.arrived_before = std::mem::take(&mut self.arrived);
        }
    }
}

#[cfg(test)]
mod tests;
