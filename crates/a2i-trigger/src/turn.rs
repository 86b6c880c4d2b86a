//! One selector at a time: whoever comes while another selects leaves word and goes.
//!
//! Selecting looks over what waits, and each delivery would do it at once. It is safe at once, but costs each of them
//! what it costs one.

use active_learning_aws::bucket::{Bucket, BucketError, Change};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{A2iTrigger, A2iTriggerError};

/// Where it lies whose turn it is.
const SELECTOR: &str = "backlog/selector.json";

/// How long a turn lasts that is not renewed: its holder may have been ended.
const TURN: TimeDelta = TimeDelta::minutes(2);

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Turn {
    holder: String,
    until: DateTime<Utc>,
    /// Somebody has come meanwhile: there may be more to select.
    again: bool,
}

/// Frees the turn to select of a run that was ended, for a caller that knows that none runs since before `started`. Returns
/// whether there was one: what it was to select still waits.
///
/// # Errors
///
/// [`BucketError`].
pub async fn free_turn(feedback: &Bucket, started: DateTime<Utc>) -> Result<bool, BucketError> {
    let free = |turn: Option<Turn>| match turn {
        Some(turn) if turn.until > DateTime::UNIX_EPOCH && turn.until <= started + TURN => {
            Change::Write(turn.over(), true)
        }
        _ => Change::Leave(false),
    };
    feedback.change(SELECTOR, free).await
}

impl A2iTrigger {
    /// Takes the turn to select; `None` if somebody else has it, who will then look again before they end it.
    pub(crate) async fn take_turn(&self) -> Result<Option<String>, A2iTriggerError> {
        let me = uuid::Uuid::new_v4().to_string();
        let take = |turn: Option<Turn>| match turn {
            Some(turn) if turn.until > Utc::now() && turn.until <= Utc::now() + TURN => {
                let told = (!turn.again).then_some(Turn { again: true, ..turn });
                Change::to(told, None)
            }
            // Free, ended without word, or of a clock that is ahead.
            _ => Change::Write(Turn::of(&me), Some(me.clone())),
        };
        Ok(self.feedback.change(SELECTOR, take).await?)
    }

    /// Goes on with a turn; false if it has run out and somebody else has it.
    pub(crate) async fn keep_turn(&self, me: &str) -> Result<bool, A2iTriggerError> {
        let keep = |turn: Option<Turn>| match turn {
            Some(turn) if turn.holder == me => {
                let until = Utc::now() + TURN;
                Change::Write(Turn { until, ..turn }, true)
            }
            _ => Change::Leave(false),
        };
        Ok(self.feedback.change(SELECTOR, keep).await?)
    }

    /// Ends a turn; false if somebody has come meanwhile, for whom it goes on.
    pub(crate) async fn end_turn(&self, me: &str) -> Result<bool, A2iTriggerError> {
        let end = |turn: Option<Turn>| match turn {
            Some(turn) if turn.holder == me && turn.again => Change::Write(Turn::of(me), false),
            Some(turn) if turn.holder == me => Change::Write(turn.over(), true),
            _ => Change::Leave(true),
        };
        Ok(self.feedback.change(SELECTOR, end).await?)
    }

    /// Gives a turn up, for the next who comes.
    pub(crate) async fn give_turn_up(&self, me: &str) -> Result<(), A2iTriggerError> {
        let give_up = |turn: Option<Turn>| match turn {
            Some(turn) if turn.holder == me => Change::Write(turn.over(), ()),
            _ => Change::Leave(()),
        };
        Ok(self.feedback.change(SELECTOR, give_up).await?)
    }
}

impl Turn {
    fn of(holder: &str) -> Self {
        Self {
            holder: holder.to_owned(),
            until: Utc::now() + TURN,
            again: false,
        }
    }

    fn over(self) -> Self {
        Self {
            until: DateTime::UNIX_EPOCH,
            again: false,
            ..self
        }
    }
}
