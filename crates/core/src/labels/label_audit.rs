//! How many labels are wrong, as a second look at a random share of them says: in all, by label and by reviewer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::manifest_classes::classes_of_label;
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
    fn add(&mut self, is_wrong: bool, count: u64) {
        self.audited += count;
        self.wrong += if is_wrong { count } else { 0 };
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
    /// Looked at by several who were divided: no label has more than half of the votes, and one that was there stays among
    /// equals. Of texts with one label each.
    #[serde(default)]
    pub divided: u64,
}

/// A document has only texts for keys.
mod in_a_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, S: Serializer>(
        counts: &BTreeMap<K, u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(counts)
    }

    pub(super) fn deserialize<'de, K: Deserialize<'de> + Ord, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<K, u64>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

/// Labels that were looked at again, by the names that they had then: [`audit`](Self::audit) counts them by others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondLooks {
    #[serde(with = "in_a_list")]
    looks: BTreeMap<Look, u64>,
}

/// A second look at the labels of a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Look {
    before: BTreeSet<String>,
    after: BTreeSet<String>,
    /// Who gave what was there before.
    reviewers: BTreeSet<String>,
    /// Whether no label got more than half of several votes. None in looks that an earlier version kept.
    #[serde(default)]
    is_divided: bool,
}

impl SecondLooks {
    /// Adds a line of the output of a labelling job that adjusted the label of one attribute into that of another. Who gave
    /// it is in its `reviewers`. A line that has not both labels was not looked at.
    pub fn add_line(&mut self, line: &Value, before: &str, after: &str) {
        let votes = line[format!("{after}-metadata")]["confidence"].as_f64();
        let (Some(before), Some(after)) = (classes_of(line, before), classes_of(line, after)) else {
            return;
        };
        let reviewers = line["reviewers"].as_array().into_iter().flatten();
        let reviewers = reviewers.filter_map(Value::as_str).map(str::to_owned).collect();
        let look = Look {
            before,
            after,
            reviewers,
            // One vote alone has confidence 0.
            is_divided: votes.is_some_and(|share| share > 0.0 && share <= 0.5),
        };
        *self.looks.entry(look).or_default() += 1;
    }

    /// Returns who gave labels that were looked at.
    pub fn reviewers(&self) -> BTreeSet<&str> {
        let all = self.looks.keys().flat_map(|look| &look.reviewers);
        all.map(String::as_str).collect()
    }

    /// Counts them by what labels and reviewers are called: labels of one name are one. Reviewers of one name are told apart by
    /// their ids, as is who has none among `names`. Several labels of a text are right together, or wrong; by label, each of them
    /// is that was taken off.
    pub fn audit(&self, label: impl Fn(&str) -> String, names: &BTreeMap<String, String>) -> LabelAudit {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for name in self.reviewers().into_iter().filter_map(|id| names.get(id)) {
            *times.entry(name.as_str()).or_default() += 1;
        }
        let is_of_one = |name: &&String| !name.is_empty() && times.get(name.as_str()) == Some(&1);
        let reviewer = |id: &String| names.get(id).filter(is_of_one).unwrap_or(id).clone();

        let mut audit = LabelAudit::default();
        for (look, count) in &self.looks {
            let named =
                |classes: &BTreeSet<String>| Classes(classes.iter().map(|name| label(name)).collect());
            let reviewers = look.reviewers.iter().map(&reviewer);
            audit.note(&named(&look.before), &named(&look.after), reviewers, *count);
            audit.divided += if look.is_divided { *count } else { 0 };
        }
        audit
    }
}

impl LabelAudit {
    fn note(&mut self, was: &Classes, is: &Classes, reviewers: impl Iterator<Item = String>, count: u64) {
        let is_wrong = was != is;
        self.all.add(is_wrong, count);
        for label in was.by_label() {
            let is_off = !is.by_label().contains(&label);
            self.by_label
                .entry(label.to_owned())
                .or_default()
                .add(is_off, count);
        }
        for reviewer in reviewers {
            self.by_reviewer.entry(reviewer).or_default().add(is_wrong, count);
        }
        if is_wrong {
            let change = (was.in_words(), is.in_words());
            *self.changes.entry(change).or_default() += count;
        }
    }

    /// Says of how many texts the reviewers were divided; none where they agreed.
    pub fn of_divided(&self) -> Option<String> {
        let texts = match self.divided {
            0 => return None,
            1 => "Of 1 text".to_owned(),
            count => format!("Of {count} texts"),
        };
        Some(format!(
            "{texts} no label has more than half of the votes: the one that was there stays where none has more votes."
        ))
    }

    /// Returns it as JSON: `all`, `byLabel` and `byReviewer` with rates and intervals, `changes`, and how many were `divided`.
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
            "divided": self.divided,
        })
    }
}

/// Returns the labels that an attribute of a manifest's line names; none where it names no label, nor that none applies.
fn classes_of(line: &Value, attribute: &str) -> Option<BTreeSet<String>> {
    let metadata = &line[format!("{attribute}-metadata")];
    let classes = classes_of_label(metadata, line.get(attribute))?;
    Some(classes.into_iter().collect())
}

/// The labels of a text.
#[derive(PartialEq, Eq)]
struct Classes(BTreeSet<String>);

impl Classes {
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

    fn counted(looks: &SecondLooks) -> LabelAudit {
        let kept = serde_json::to_string(looks).expect("a document");
        let kept: SecondLooks = serde_json::from_str(&kept).expect("as it was kept");
        assert_eq!(&kept, looks);
        let reviewers = kept.reviewers().into_iter();
        let names = reviewers.map(|id| (id.to_owned(), format!("<{id}>"))).collect();
        kept.audit(str::to_owned, &names)
    }

    fn one(before: &str, after: Option<&str>, reviewers: &[&str]) -> Value {
        json!({
            "label-metadata": { "class-name": before }, "again-metadata": { "class-name": after },
            "reviewers": reviewers,
        })
    }

    #[test]
    fn lines_of_a_manifest_count_where_they_have_both_labels() {
        let mut looks = SecondLooks::default();

        for after in [Some("World"), Some("Sports"), None] {
            looks.add_line(&one("World", after, &["w-1"]), "label", "again");
        }

        let report = counted(&looks).to_json();
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
    fn texts_of_which_reviewers_were_divided_are_counted() {
        let mut looks = SecondLooks::default();

        for share in [0.0, 0.5, 1.0 / 3.0, 2.0 / 3.0] {
            let mut line = one("World", Some("World"), &["w-1"]);
            line["again-metadata"]["confidence"] = json!(share);
            looks.add_line(&line, "label", "again");
        }

        let audit = counted(&looks);
        assert_eq!((audit.all.audited, audit.all.wrong, audit.divided), (4, 0, 2));
        let said = audit.of_divided().expect("said");
        assert!(said.starts_with("Of 2 texts no label has"), "{said}");
        assert_eq!(LabelAudit::default().of_divided(), None);
    }

    #[test]
    fn several_labels_are_compared_whatever_their_order() {
        let mut looks = SecondLooks::default();
        let both = json!({ "0": "glad", "2": "loud" });

        for after in [
            json!({ "0": "loud", "1": "glad" }),
            json!({ "0": "glad" }),
            json!({}),
        ] {
            let line = json!({
                "tone-metadata": { "class-map": both }, "again-metadata": { "class-map": after },
                "reviewers": ["w-1"],
            });
            looks.add_line(&line, "tone", "again");
        }

        let report = counted(&looks).to_json();
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
        let mut looks = SecondLooks::default();
        let lines = [
            one("World", Some("World"), &["ann"]),
            one("World", Some("Sports"), &["ann", "bob"]),
            one("Sports", Some("Sports"), &[]),
        ];
        lines
            .iter()
            .for_each(|line| looks.add_line(line, "label", "again"));

        let audit = counted(&looks);

        assert_eq!(audit.all, ErrorRate { audited: 3, wrong: 1 });
        assert_eq!(audit.by_label["World"], ErrorRate { audited: 2, wrong: 1 });
        assert_eq!(audit.by_reviewer["<ann>"], ErrorRate { audited: 2, wrong: 1 });
        assert_eq!(audit.by_reviewer["<bob>"], ErrorRate { audited: 1, wrong: 1 });
        assert_eq!(audit.changes[&("World".to_owned(), "Sports".to_owned())], 1);
        assert_eq!(ErrorRate::default().rate(), None);
        assert_eq!(ErrorRate::default().interval(), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn labels_that_have_one_name_by_now_are_one_and_were_not_wrong() {
        let mut looks = SecondLooks::default();
        let lines = [
            one("Football", Some("Sports"), &["ann"]),
            one("Football", Some("Sports"), &["ann"]),
            one("World", Some("Football"), &["ann"]),
        ];
        lines
            .iter()
            .for_each(|line| looks.add_line(line, "label", "again"));

        let audit = looks.audit(
            |label| label.replace("Football", "Sports").replace("World", "Welt"),
            &BTreeMap::new(),
        );

        assert_eq!(audit.all, ErrorRate { audited: 3, wrong: 1 });
        assert_eq!(audit.by_label["Sports"], ErrorRate { audited: 2, wrong: 0 });
        assert_eq!(audit.by_reviewer["ann"], ErrorRate { audited: 3, wrong: 1 });
        let changes: Vec<_> = audit.changes.into_iter().collect();
        assert_eq!(changes, [(("Welt".to_owned(), "Sports".to_owned()), 1)]);
    }
}
