//! What reviewers answered, by day and by hour: sums whose size does not grow with time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::feedback::Signal;

use super::{consolidation::Consensus, human_loop::Answer, labelled::LabelledRecord, vote::VoteSource};

/// Days that are kept, the newest ones.
const DAYS_KEPT: usize = 35;
/// Hours that are kept, the newest ones in which something was answered.
const HOURS_KEPT: usize = 48;

/// What was answered on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DayOfAnswers {
    /// Texts that a human loop decided: people agree, and can tell. One that a label change asks anew counts again; a correction
    /// does not.
    pub texts: u64,
    /// Texts of the human loops that were answered, decided or not.
    pub items: u64,
    /// Human loops that were answered.
    pub tasks: u64,
}

/// What was answered on each of the newest 35 days and in each of the newest 48 hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnsweredDays {
    /// Since when answers are counted, RFC 3339; none before the first of them.
    pub since: Option<String>,
    /// What was answered, by day as in `2026-11-30`.
    pub days: BTreeMap<String, DayOfAnswers>,
    /// Texts that a human loop decided, by hour as in `2026-11-30T14`; none in sums of a version before.
    pub hours: BTreeMap<String, u64>,
}

impl AnsweredDays {
    /// Adds what a human loop gave. Imports and what users say are no answers of reviewers.
    ///
    /// `since` is when counting began, for the first of them; what claims to be of a later day than `today` is of today.
    pub fn add(&mut self, records: &[LabelledRecord], since: &str, today: &str) {
        let answered = |record: &&LabelledRecord| {
            let mut sources = record.votes.iter().map(|vote| vote.source);
            let was_answered = record.was_right.is_some() || !record.replaces.is_empty();
            let is_asked_anew = record.record.signal == Signal::Relabel;
            sources.any(|source| source == VoteSource::HumanReview) && (!was_answered || is_asked_anew)
        };
        let mut is_task = true;
        for record in records.iter().filter(answered) {
            let of_record = record.labelled_at.get(..10).filter(|day| is_day(day));
            let day = of_record.unwrap_or(today).min(today);
            // Of what has no true day no hour is known.
            let hour = record
                .labelled_at
                .get(..13)
                .filter(|hour| hour.starts_with(day) && is_hour(hour));
            if let (Some(hour), true) = (hour, is_decided(&record.consensus)) {
                *self.hours.entry(hour.to_owned()).or_default() += 1;
            }
            let counts = self.days.entry(day.to_owned()).or_default();
            counts.tasks += u64::from(std::mem::take(&mut is_task));
            counts.items += 1;
            counts.texts += u64::from(is_decided(&record.consensus));
            self.since.get_or_insert_with(|| since.to_owned());
        }
        while self.days.len() > DAYS_KEPT {
            self.days.pop_first();
        }
        while self.hours.len() > HOURS_KEPT {
            self.hours.pop_first();
        }
    }
}

fn is_decided(consensus: &Consensus) -> bool {
    match consensus {
        Consensus::Agreed { answer, .. } => *answer != Answer::Unsure,
        Consensus::Tie | Consensus::Unanswered => false,
    }
}

/// Returns whether a text may be a day, as in `2026-11-30`.
fn is_day(text: &str) -> bool {
    let mut bytes = text.bytes().enumerate();
    bytes.all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    })
}

/// Returns whether what follows a day is the hour of a time in RFC 3339, as in `2026-11-30T14`.
fn is_hour(text: &str) -> bool {
    let hour = text.get(10..).unwrap_or_default();
    hour.starts_with('T')
        && hour
            .get(1..)
            .is_some_and(|hour| hour < "24" && hour.bytes().all(|it| it.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labelled(at: &str, source: &str, answer: &serde_json::Value) -> LabelledRecord {
        let id = crate::feedback::record_id("news", at);
        serde_json::from_value(json!({
            "schemaVersion": 1, "humanLoop": "l", "flowDefinitionArn": "f", "labelledAt": at,
            "record": {
                "schemaVersion": 1, "id": id, "classifier": "news", "utterance": at, "source": "implicit",
                "signal": "audit", "receivedAt": at,
            },
            "consensus": { "state": "agreed", "answer": answer, "confidence": 1.0 },
            "votes": [{ "worker": "w", "answer": answer, "source": source, "at": at }],
        }))
        .expect("a labelled record")
    }

    #[test]
    fn what_reviewers_decided_counts_on_the_day_of_the_last_vote() {
        let label = json!({ "kind": "labels", "labels": ["World"] });
        let unsure = json!({ "kind": "unsure" });
        let mut answered = AnsweredDays::default();

        let of_loop = [
            labelled("2026-11-20T10:00:00Z", "human-review", &label),
            labelled("2026-11-20T10:00:01Z", "human-review", &unsure),
        ];
        answered.add(&of_loop, "2026-11-19T00:00:00Z", "2026-11-21");
        let others = [
            labelled("2026-11-20T10:00:02Z", "import", &label),
            labelled("2026-11-20T10:00:03Z", "feedback", &label),
        ];
        answered.add(&others, "2026-11-20T00:00:00Z", "2026-11-21");

        let counts = DayOfAnswers {
            texts: 1,
            items: 2,
            tasks: 1,
        };
        assert_eq!(answered.days, [("2026-11-20".to_owned(), counts)].into());
        assert_eq!(answered.hours, [("2026-11-20T10".to_owned(), 1)].into());
        assert_eq!(answered.since.as_deref(), Some("2026-11-19T00:00:00Z"));
    }

    #[test]
    fn a_clock_that_is_ahead_hides_no_later_day_and_old_days_go() {
        let label = json!({ "kind": "labels", "labels": ["World"] });
        let mut answered = AnsweredDays::default();

        for at in ["2099-01-01T00:00:00Z", "no time"] {
            answered.add(&[labelled(at, "human-review", &label)], "s", "2026-11-21");
        }
        for day in 1..29 {
            for month in [7, 8] {
                let at = format!("2026-{month:02}-{day:02}T00:00:00Z");
                answered.add(&[labelled(&at, "human-review", &label)], "s", "2026-11-21");
            }
        }

        assert_eq!(answered.days["2026-11-21"].texts, 2);
        let ahead = answered.hours.keys().any(|hour| hour.as_str() > "2026-11-21");
        assert!(!ahead, "{:?}", answered.hours);
        assert_eq!(answered.hours.len(), HOURS_KEPT);
        assert_eq!(answered.days.len(), DAYS_KEPT);
    }
}
