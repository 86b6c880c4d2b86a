//! What a browser carries of its reviewer's history, so that not each answer writes it.
//!
//! The last answers that are not noted in the bucket yet come back with the next request, in a cookie that the portal has
//! signed. A browser that brings none has each answer noted at once.

use serde::{Deserialize, Serialize};

use super::{Answered, OwnHistory};

/// Answers that are noted together.
pub const NOTED_TOGETHER: usize = 5;
/// Name of the cookie.
pub const HISTORY_COOKIE: &str = "review-history";
/// What tells it from other things that are signed.
pub const KIND: &str = "history";
/// How long a browser keeps it, in seconds: 30 days.
const LIFETIME_SECONDS: u32 = 2_592_000;

/// A history as its last answer left it, and what of it is not in the bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Carried {
    /// Whose it is.
    pub worker_id: String,
    /// The history.
    pub history: OwnHistory,
    /// Ids of the answered tasks that the bucket does not know of.
    pub unstored: Vec<String>,
}

impl Carried {
    /// Reads what a cookie held.
    pub fn read(content: &[u8]) -> Option<Self> {
        serde_json::from_slice(content).ok()
    }

    /// Returns the answers that the bucket does not know of, the oldest first.
    pub fn entries(&self) -> Vec<Answered> {
        let is_unstored = |answered: &&Answered| self.unstored.contains(&answered.id);
        let unstored = self.history.answered.iter().filter(is_unstored);
        unstored.rev().cloned().collect()
    }

    /// Adds an answer, unless the history has it or is beyond it.
    pub(super) fn add(&mut self, answered: Answered) {
        let before = self.history.answered.clone();
        let id = answered.id.clone();
        self.history.note(answered);
        if self.history.answered != before && !self.unstored.contains(&id) {
            self.unstored.push(id);
        }
    }

    /// Returns whether it is time to note what it carries.
    pub(super) fn is_full(&self) -> bool {
        self.unstored.len() >= NOTED_TOGETHER
    }
}

/// Returns the `Set-Cookie` header with a signed token of what is carried.
pub fn set_history_cookie(token: &str, https: bool) -> String {
    let secure = if https { "; Secure" } else { "" };
    format!("{HISTORY_COOKIE}={token}; Max-Age={LIFETIME_SECONDS}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration, Utc};

    use super::*;

    fn answered(number: i64) -> Answered {
        let noon: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().expect("a time");
        Answered {
            human_loop: format!("tc-{number}"),
            id: number.to_string(),
            at: noon + Duration::seconds(number),
        }
    }

    #[test]
    fn what_a_history_has_already_is_not_carried_again_and_counts_once() {
        let mut carried = Carried::default();
        (0..12).for_each(|number| carried.history.note(answered(number)));

        for number in [0, 5, 11, 12, 12] {
            carried.add(answered(number));
        }

        assert_eq!(carried.unstored, ["12"]);
        assert_eq!(carried.entries(), [answered(12)]);
        assert_eq!(carried.history.done, 13);
        assert_eq!(carried.history.answered.len(), 10);
    }
}
