//! Which of the labelled texts an audit is about.

use active_learning_core::labels::label_set::LabelSet;

use super::rows::{Row, id_of};

/// What all texts of an audit have in common; everything where nothing is said.
#[derive(Debug, Default)]
pub struct Only {
    /// Texts with one of these labels.
    pub label: Vec<String>,
    /// Texts to which one of these reviewers gave the label.
    pub given_by: Vec<String>,
    /// Texts for which a model predicted one of these labels.
    pub predicted: Vec<String>,
    /// Texts that were labelled on this day or later, in UTC, as 2026-11-30.
    pub since: Option<String>,
}

impl Only {
    /// Returns whether a text is one of these. Labels are meant by the names that they have now, or had before.
    pub fn takes(&self, row: &Row, set: &LabelSet) -> bool {
        let is_of = |names: &[String], own: &[String]| {
            let is_own = |it: &String| own.iter().any(|name| set.own_name(it) == set.own_name(name));
            names.is_empty() || names.iter().any(is_own)
        };
        let gave = |name: &String| row.reviewers.contains(&id_of(name));
        is_of(&self.label, &row.labels)
            && is_of(&self.predicted, &row.predicted)
            && (self.given_by.is_empty() || self.given_by.iter().any(gave))
            && self.since.as_ref().is_none_or(|since| row.labelled_at >= *since)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::worker_id;
    use active_learning_core::labels::label_set::Origin;

    fn row(label: &str, reviewer: &str, predicted: Option<&str>, labelled_at: &str) -> Row {
        Row {
            record: format!("{label}-{reviewer}"),
            text: "text".to_owned(),
            labels: vec![label.to_owned()],
            predicted: predicted.map(str::to_owned).into_iter().collect(),
            labelled_at: labelled_at.to_owned(),
            reviewers: BTreeSet::from([worker_id(reviewer)]),
            voters: BTreeSet::new(),
        }
    }

    fn taken(only: &Only) -> Vec<bool> {
        let rows = [
            row("World", "ann", Some("World"), "2026-11-20T11:00:00.000Z"),
            row("Sports", "ann", Some("World"), "2026-11-21T00:00:00.000Z"),
            row("World", "bob", None, "2026-11-21T23:59:59.999Z"),
        ];
        let set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
        rows.iter().map(|row| only.takes(row, &set)).collect()
    }

    #[test]
    fn labels_are_found_by_the_names_of_now_and_of_before_also_as_predictions_of_before() {
        let mut set = LabelSet::seed(
            ["Sport", "World", "Racing"],
            Origin::Parameter,
            "2026-11-19T10:00:00.000Z",
        );
        set.rename("Sport", "Athletics").expect("free");
        set.merge("Racing", "Athletics").expect("both in use");
        let rows = [
            row("Athletics", "ann", Some("Sport"), ""),
            row("World", "ann", Some("Athletics"), ""),
            row("World", "ann", Some("Racing"), ""),
            row("World", "ann", Some("World"), ""),
            row("World", "ann", None, ""),
        ];
        let taken = |only: Only| rows.each_ref().map(|row| only.takes(row, &set));
        let predicted = |name: &str| {
            taken(Only {
                predicted: vec![name.to_owned()],
                ..Only::default()
            })
        };
        let label = |name: &str| {
            taken(Only {
                label: vec![name.to_owned()],
                ..Only::default()
            })
        };

        for name in ["Athletics", "Sport", "Racing"] {
            assert_eq!(predicted(name), [true, true, true, false, false], "{name}");
            assert_eq!(label(name), [true, false, false, false, false], "{name}");
        }
        assert_eq!(predicted("World"), [false, false, false, true, false]);
    }

    #[test]
    fn an_audit_is_about_the_texts_that_have_all_that_is_said() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();

        let all = taken(&Only::default());
        let of_label = taken(&Only {
            label: names(&["World"]),
            ..Only::default()
        });
        let of_ann = taken(&Only {
            given_by: names(&["ann"]),
            ..Only::default()
        });
        let of_both = taken(&Only {
            given_by: names(&["ann", "bob"]),
            ..Only::default()
        });
        let predicted = taken(&Only {
            predicted: names(&["World"]),
            ..Only::default()
        });
        let late = taken(&Only {
            since: Some("2026-11-21".to_owned()),
            ..Only::default()
        });
        let late_of_ann = taken(&Only {
            since: Some("2026-11-21".to_owned()),
            given_by: names(&["ann"]),
            ..Only::default()
        });

        assert_eq!((all, of_both), (vec![true; 3], vec![true; 3]));
        assert_eq!(of_label, [true, false, true]);
        assert_eq!(of_ann, [true, true, false]);
        assert_eq!(predicted, [true, true, false]);
        assert_eq!(late, [false, true, true]);
        assert_eq!(late_of_ann, [false, true, false]);
    }
}
