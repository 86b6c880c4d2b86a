//! How many labels are wrong, as a second look at a random share of them says: in all, by label and by reviewer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::statistics::{Interval, clopper_pearson};

/// Probability with which an interval holds the true error rate.
pub const CONFIDENCE: f64 = 0.95;

/// Stands for the label of a text to which none applies.
pub const NO_LABEL: &str = "(no label)";

/// How many labels were looked at, and how many of them were wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelAudit {
    /// All labels.
    pub all: ErrorRate,
    /// By the label that was looked at.
    pub by_label: BTreeMap<String, ErrorRate>,
    /// By who gave it.
    pub by_reviewer: BTreeMap<String, ErrorRate>,
    /// How often one label became another: before, after.
    #[serde(with = "in_a_list")]
    pub changes: BTreeMap<(String, String), u64>,
}

/// A document has only texts for keys.
mod in_a_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    type Changes = BTreeMap<(String, String), u64>;

    pub(super) fn serialize<S: Serializer>(changes: &Changes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(changes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Changes, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

impl LabelAudit {
    /// Adds a label that was looked at again: what it was, what it should be, and who gave it.
    pub fn add<'a>(&mut self, before: &str, after: &str, reviewers: impl IntoIterator<Item = &'a str>) {
        let of = |label: &str| Classes(BTreeSet::from([label.to_owned()]));
        self.note(&of(before), &of(after), reviewers);
    }

    /// Adds a line of the output of a labelling job that adjusted the label of one attribute into that of another. Who gave
    /// it is in its `reviewers`, and is called as `name` says. A line that has not both labels was not looked at. Several
    /// labels of a text are right together, or wrong; by label, each of them is that was taken off.
    pub fn add_line(&mut self, line: &Value, before: &str, after: &str, name: impl Fn(&str) -> String) {
        let (Some(was), Some(is)) = (Classes::of(line, before), Classes::of(line, after)) else {
            return;
        };
        let reviewers = line["reviewers"].as_array().into_iter().flatten();
        let named: Vec<String> = reviewers.filter_map(Value::as_str).map(name).collect();
        self.note(&was, &is, named.iter().map(String::as_str));
    }

    fn note<'a>(&mut self, was: &Classes, is: &Classes, reviewers: impl IntoIterator<Item = &'a str>) {
        let is_wrong = was != is;
        self.all.add(is_wrong);
        for label in was.by_label() {
            let is_off = !is.by_label().contains(&label);
            self.by_label.entry(label.to_owned()).or_default().add(is_off);
        }
        for reviewer in reviewers {
            self.by_reviewer
                .entry(reviewer.to_owned())
                .or_default()
                .add(is_wrong);
        }
        if is_wrong {
            let change = (was.in_words(), is.in_words());
            *self.changes.entry(change).or_default() += 1;
        }
    }

    /// Returns it as JSON: `all`, `byLabel` and `byReviewer` with rates and intervals, and `changes`.
    pub fn to_json(&self) -> Value {
        let of = |rate: &ErrorRate| {
            let interval = rate.interval();
            json!({
                "audited": rate.audited, "wrong": rate.wrong, "errorRate": rate.rate(),
                "low": interval.low, "high": interval.high,
            })
        };
        let all = |rates: &BTreeMap<String, ErrorRate>| -> BTreeMap<String, Value> {
            let rates = rates.iter();
            rates.map(|(name, rate)| (name.clone(), of(rate))).collect()
        };
        let changes = self.changes.iter();
        let changes = changes
            .map(|((before, after), count)| json!({ "before": before, "after": after, "count": count }));
        json!({
            "confidence": CONFIDENCE,
            "all": of(&self.all),
            "byLabel": all(&self.by_label),
            "byReviewer": all(&self.by_reviewer),
            "changes": changes.collect::<Vec<Value>>(),
        })
    }
}

/// The labels that an attribute of a manifest's line names.
#[derive(PartialEq, Eq)]
struct Classes(BTreeSet<String>);

impl Classes {
    fn of(line: &Value, attribute: &str) -> Option<Self> {
        let metadata = &line[format!("{attribute}-metadata")];
        if let Some(one) = metadata["class-name"].as_str() {
            return Some(Self(BTreeSet::from([one.to_owned()])));
        }
        let several = metadata["class-map"].as_object()?.values();
        Some(Self(
            several.filter_map(Value::as_str).map(str::to_owned).collect(),
        ))
    }

    /// Returns each of them; where there is none, that none applies.
    fn by_label(&self) -> Vec<&str> {
        match self.0.is_empty() {
            true => vec![NO_LABEL],
            false => self.0.iter().map(String::as_str).collect(),
        }
    }

    fn in_words(&self) -> String {
        self.by_label().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_manifest_count_where_they_have_both_labels() {
        let line = |after: Option<&str>| {
            json!({
                "label-metadata": { "class-name": "World" }, "again-metadata": { "class-name": after },
                "reviewers": ["w-1"],
            })
        };
        let mut audit = LabelAudit::default();

        for after in [Some("World"), Some("Sports"), None] {
            audit.add_line(&line(after), "label", "again", |worker| format!("<{worker}>"));
        }

        let kept = serde_json::to_string(&audit).expect("a document");
        assert_eq!(
            serde_json::from_str::<LabelAudit>(&kept).ok(),
            Some(audit.clone())
        );
        let report = audit.to_json();
        assert_eq!(
            (&report["all"]["audited"], &report["all"]["wrong"]),
            (&json!(2), &json!(1))
        );
        assert_eq!(report["byReviewer"]["<w-1>"]["errorRate"], 0.5);
        assert_eq!(
            report["changes"],
            json!([{ "before": "World", "after": "Sports", "count": 1 }])
        );
    }

    #[test]
    fn several_labels_are_compared_whatever_their_order() {
        let line = |before: Value, after: Value| {
            json!({
                "tone-metadata": { "class-map": before }, "again-metadata": { "class-map": after },
                "reviewers": ["w-1"],
            })
        };
        let mut audit = LabelAudit::default();

        let both = json!({ "0": "glad", "2": "loud" });
        audit.add_line(
            &line(both.clone(), json!({ "0": "loud", "1": "glad" })),
            "tone",
            "again",
            str::to_owned,
        );
        audit.add_line(
            &line(both.clone(), json!({ "0": "glad" })),
            "tone",
            "again",
            str::to_owned,
        );
        audit.add_line(&line(both, json!({})), "tone", "again", str::to_owned);

        let kept = serde_json::to_string(&audit).expect("a document");
        assert_eq!(
            serde_json::from_str::<LabelAudit>(&kept).ok(),
            Some(audit.clone())
        );
        let report = audit.to_json();
        assert_eq!(
            (&report["all"]["audited"], &report["all"]["wrong"]),
            (&json!(3), &json!(2))
        );
        let by_label = |name: &str| {
            let rate = &report["byLabel"][name];
            (rate["audited"].as_u64(), rate["wrong"].as_u64())
        };
        assert_eq!(by_label("glad"), (Some(3), Some(1)));
        assert_eq!(by_label("loud"), (Some(3), Some(2)));
        assert_eq!(
            report["changes"],
            json!([
                { "before": "glad, loud", "after": "(no label)", "count": 1 },
                { "before": "glad, loud", "after": "glad", "count": 1 },
            ])
        );
    }

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
