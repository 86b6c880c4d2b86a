//! How many labels are wrong, as a second look at a random share of them says: in all, by label and by reviewer.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::statistics::{Interval, clopper_pearson};

/// Probability with which an interval holds the true error rate.
pub const CONFIDENCE: f64 = 0.95;

/// How many labels were looked at, and how many of them were wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorRate {
    /// Looked at again.
    pub audited: u64,
    /// Of these, wrong.
    pub wrong: u64,
}

impl ErrorRate {
    fn add(&mut self, is_wrong: bool) {
        self.audited += 1;
        self.wrong += u64::from(is_wrong);
    }

    /// Returns the share that was wrong; none where nothing was looked at.
    pub fn rate(&self) -> Option<f64> {
        (self.audited > 0).then(|| self.wrong as f64 / self.audited as f64)
    }

    /// Returns the exact interval of the true error rate at [`CONFIDENCE`].
    pub fn interval(&self) -> Interval {
        clopper_pearson(self.wrong, self.audited, CONFIDENCE)
    }
}

/// What a second look says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelAudit {
    /// All labels.
    pub all: ErrorRate,
    /// By the label that was looked at.
    pub by_label: BTreeMap<String, ErrorRate>,
    /// By who gave it.
    pub by_reviewer: BTreeMap<String, ErrorRate>,
    /// How often one label became another: before, after.
    pub changes: BTreeMap<(String, String), u64>,
}

impl LabelAudit {
    /// Adds a label that was looked at again: what it was, what it should be, and who gave it.
    pub fn add<'a>(&mut self, before: &str, after: &str, reviewers: impl IntoIterator<Item = &'a str>) {
        let is_wrong = before != after;
        self.all.add(is_wrong);
        self.by_label.entry(before.to_owned()).or_default().add(is_wrong);
        for reviewer in reviewers {
            self.by_reviewer
                .entry(reviewer.to_owned())
                .or_default()
                .add(is_wrong);
        }
        if is_wrong {
            let change = (before.to_owned(), after.to_owned());
            *self.changes.entry(change).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_in_all_by_label_and_by_reviewer() {
        let mut audit = LabelAudit::default();
        audit.add("World", "World", ["ann"]);
        audit.add("World", "Sports", ["ann", "bob"]);
        audit.add("Sports", "Sports", []);

        assert_eq!(audit.all, ErrorRate { audited: 3, wrong: 1 });
        assert_eq!(audit.by_label["World"], ErrorRate { audited: 2, wrong: 1 });
        assert_eq!(audit.by_reviewer["ann"], ErrorRate { audited: 2, wrong: 1 });
        assert_eq!(audit.by_reviewer["bob"], ErrorRate { audited: 1, wrong: 1 });
        assert_eq!(audit.changes[&("World".to_owned(), "Sports".to_owned())], 1);
        assert_eq!(ErrorRate::default().rate(), None);
        assert_eq!(ErrorRate::default().interval(), Interval { low: 0.0, high: 1.0 });
    }
}
