//! What came for review, by day and by hour: sums whose size does not grow with time.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{FeedbackRecord, Signal, Source};

/// Days that are kept, the newest ones.
pub const DAYS_KEPT: usize = 35;
/// Hours that are kept, the newest ones in which something came.
pub const HOURS_KEPT: usize = 48;
/// Deliveries that are remembered, so that one that comes again counts nothing.
const DELIVERIES_KEPT: usize = 1_000;

/// What came on a day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DayOfArrivals {
    /// Texts that people are to be asked about, by what was said of them. A copy of another text is not one, nor one that
    /// was asked before.
    pub asked: BTreeMap<Signal, u64>,
    /// Predictions of the API that went to review for doubt, also of texts that came before.
    pub doubtful: u64,
    /// Predictions of the API that went to review by chance, although they are trusted.
    pub audited: u64,
    /// Trusted predictions for which the audited ones stand: each for the inverse of its probability.
    pub trusted: f64,
}

impl DayOfArrivals {
    /// Counts a prediction that went to review; nothing else is one of the API's.
    pub fn count_prediction(&mut self, record: &FeedbackRecord) {
        if record.source != Source::Implicit {
            return;
        }
        let probability = record.selection_probability.filter(|p| *p > 0.0 && *p <= 1.0);
        match (record.signal, probability) {
            (Signal::Audit, Some(probability)) => {
                self.audited += 1;
                self.trusted += probability.recip();
            }
            (Signal::LowConfidence | Signal::LowMargin | Signal::OutdatedLabel | Signal::UnknownLabel, _) => {
                self.doubtful += 1
            }
            _ => {}
        }
    }

    /// Counts a text that people are to be asked about.
    pub fn count_asked(&mut self, signal: Signal) {
        *self.asked.entry(signal).or_default() += 1;
    }

    /// Returns the number of texts that people are to be asked about.
    pub fn texts(&self) -> u64 {
        self.asked.values().sum()
    }

    /// Returns whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what came beside it.
    pub fn add(&mut self, other: &Self) {
        for (signal, count) in &other.asked {
            *self.asked.entry(*signal).or_default() += count;
        }
        self.doubtful += other.doubtful;
        self.audited += other.audited;
        self.trusted += other.trusted;
    }
}

/// What came on each of the newest [`DAYS_KEPT`] days and in each of the newest [`HOURS_KEPT`] hours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Arrivals {
    /// When the first delivery was counted, RFC 3339.
    pub since: Option<String>,
    /// What came, by day as in `2026-11-30`.
    pub days: BTreeMap<String, DayOfArrivals>,
    /// Texts that people are to be asked about, by hour as in `2026-11-30T14`; none in sums of a version before.
    pub hours: BTreeMap<String, u64>,
    /// The latest deliveries that are in these sums.
    deliveries: VecDeque<String>,
}

impl Arrivals {
    /// Adds what came with a delivery at a time in RFC 3339; returns whether it was not in the sums before.
    ///
    /// Exact, unless a delivery comes again after a thousand others.
    pub fn add(&mut self, delivery: &str, at: &str, came: &DayOfArrivals) -> bool {
        let (Some(day), Some(hour)) = (at.get(..10), at.get(..13)) else {
            return false;
        };
        if self.deliveries.iter().any(|known| known == delivery) {
            return false;
        }
        self.days.entry(day.to_owned()).or_default().add(came);
        while self.days.len() > DAYS_KEPT {
            self.days.pop_first();
        }
        *self.hours.entry(hour.to_owned()).or_default() += came.texts();
        while self.hours.len() > HOURS_KEPT {
            self.hours.pop_first();
        }
        self.deliveries.push_back(delivery.to_owned());
        while self.deliveries.len() > DELIVERIES_KEPT {
            self.deliveries.pop_front();
        }
        if self.since.as_deref().is_none_or(|since| at < since) {
            self.since = Some(at.to_owned());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(texts: u64) -> DayOfArrivals {
        DayOfArrivals {
            asked: [(Signal::LowConfidence, texts)].into(),
            ..DayOfArrivals::default()
        }
    }

    fn record(signal: &str, probability: f64) -> FeedbackRecord {
        let line = format!(
            r#"{{"schemaVersion":1,"id":"{}","classifier":"news","utterance":"One","prediction":"World","confidence":0.9,
            "source":"implicit","signal":"{signal}","selectionProbability":{probability},
            "receivedAt":"2026-11-20T10:00:00Z"}}"#,
            super::super::record_id("news", "One")
        );
        serde_json::from_str(&line).expect("a record")
    }

    #[test]
    fn a_delivery_that_comes_again_counts_nothing() {
        let mut arrivals = Arrivals::default();

        assert!(arrivals.add("d-1", "2026-11-20T23:59:00Z", &came(3)));
        assert!(!arrivals.add("d-1", "2026-11-21T00:01:00Z", &came(3)));
        assert!(arrivals.add("d-2", "2026-11-20T23:00:00Z", &came(2)));

        assert_eq!(arrivals.days["2026-11-20"].texts(), 5);
        assert_eq!(arrivals.days.len(), 1);
        assert_eq!(arrivals.hours, [("2026-11-20T23".to_owned(), 5)].into());
        assert_eq!(arrivals.since.as_deref(), Some("2026-11-20T23:00:00Z"));
    }

    #[test]
    fn neither_days_nor_hours_nor_deliveries_are_kept_for_ever() {
        let mut arrivals = Arrivals::default();

        for number in 0..2_000 {
            let (month, day) = (1 + number / 28 % 12, 1 + number % 28);
            let at = format!("{}-{month:02}-{day:02}T00:00:00Z", 2026 + number / 336);
            arrivals.add(&number.to_string(), &at, &came(1));
        }

        assert_eq!(arrivals.days.len(), DAYS_KEPT);
        assert_eq!(arrivals.hours.len(), HOURS_KEPT);
        assert_eq!(arrivals.deliveries.len(), DELIVERIES_KEPT);
        let newest = arrivals.days.last_key_value().map(|(day, _)| day.as_str());
        assert_eq!(newest, Some("2031-12-12"));
    }

    #[test]
    fn an_audit_stands_for_the_trusted_predictions_that_were_not_drawn() {
        let mut day = DayOfArrivals::default();

        for (signal, probability) in [("audit", 0.02), ("low-confidence", 1.0), ("dislike", 1.0)] {
            day.count_prediction(&record(signal, probability));
        }

        assert_eq!((day.doubtful, day.audited), (1, 1));
        assert!((day.trusted - 50.0).abs() < 1e-9);
    }

    #[test]
    fn sums_are_read_as_they_were_written() {
        let mut arrivals = Arrivals::default();
        arrivals.add("d-1", "2026-11-20T23:59:00Z", &came(3));

        let written = serde_json::to_string(&arrivals).expect("JSON");

        assert!(written.contains(r#""low-confidence":3"#), "{written}");
        assert_eq!(
            serde_json::from_str::<Arrivals>(&written).expect("sums"),
            arrivals
        );
        assert_eq!(
            serde_json::from_str::<Arrivals>("{}").expect("sums"),
            Arrivals::default()
        );
    }
}
