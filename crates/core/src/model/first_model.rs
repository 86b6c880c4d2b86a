//! How far it is to the first model of a stack that began without training data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    labels::label_set::{LabelSet, Resolution},
    sampling::query_strategy::LabelCounts,
    text::counted,
};

/// `builds/first-model.json`: what people have labelled so far, and what the first model needs. It is removed once a
/// model serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstModel {
    /// Labelled texts that each label needs.
    pub rows_per_label: u64,
    /// Labelled texts by active label, in the order of the names.
    pub labels: BTreeMap<String, u64>,
    /// Why the last attempt led to no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl FirstModel {
    /// Counts what was labelled by the labels that are active now.
    pub fn new(set: &LabelSet, labelled: &LabelCounts, rows_per_label: u64) -> Self {
        let mut labels: BTreeMap<String, u64> = set.active().map(|name| (name.to_owned(), 0)).collect();
        for (name, count) in labelled {
            if let Resolution::Label(name) = set.resolve(name)
                && let Some(labelled) = labels.get_mut(name)
            {
                *labelled += count;
            }
        }
        Self {
            rows_per_label,
            labels,
            refused: None,
        }
    }

    /// Returns how many labelled texts count: of each label no more than it needs.
    pub fn have(&self) -> u64 {
        self.labels
            .values()
            .map(|count| count.min(&self.rows_per_label))
            .sum()
    }

    /// Returns how many labelled texts are needed.
    pub fn need(&self) -> u64 {
        self.rows_per_label * self.labels.len() as u64
    }

    /// Returns whether each label has enough.
    pub fn is_complete(&self) -> bool {
        self.have() >= self.need()
    }

    /// Says how far it is, in one line: `23 of 40 labels to the first model; still needed: 2 login`.
    pub fn describe(&self) -> String {
        let (have, need) = (self.have(), self.need());
        let refused = match &self.refused {
            Some(reason) => format!(". The last attempt gave no model: {reason}"),
            None => String::new(),
        };
        if self.is_complete() {
            let next = match &self.refused {
                None => ": it is built now".to_owned(),
                Some(reason) => format!(
                    ". The last attempt gave no model: {reason}. The next one follows {}",
                    counted(self.labels.len().max(1), "more label")
                ),
            };
            return format!("{have} of {need} labels to the first model{next}");
        }
        let missing = self.labels.iter().filter_map(|(name, count)| {
            let missing = self.rows_per_label.saturating_sub(*count);
            // Names are listed with commas between them.
            let name = match name.contains(',') {
                true => format!("\"{name}\""),
                false => name.clone(),
            };
            (missing > 0).then(|| format!("{missing} {name}"))
        });
        const SHOWN: usize = 5;
        let missing: Vec<String> = missing.collect();
        // One more is told as shortly by its name.
        let shown = match missing.len() {
            all if all <= SHOWN + 1 => all,
            _ => SHOWN,
        };
        let mut still = missing[..shown].join(", ");
        if shown < missing.len() {
            still += &format!(" and {} more labels", missing.len() - shown);
        }
        format!("{have} of {need} labels to the first model; still needed: {still}{refused}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::label_set::Origin;

    fn progress(counts: &[(&str, u64)]) -> FirstModel {
        let set = LabelSet::seed(
            ["billing", "delivery", "login"],
            Origin::Parameter,
            "2026-11-28T09:00:00.000Z",
        );
        let counts = counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect();
        FirstModel::new(&set, &counts, 5)
    }

    #[test]
    fn a_label_with_many_texts_does_not_make_up_for_one_with_few() {
        let progress = progress(&[("billing", 40), ("delivery", 3)]);

        assert_eq!((progress.have(), progress.need()), (8, 15));
        assert!(!progress.is_complete());
        assert_eq!(
            progress.describe(),
            "8 of 15 labels to the first model; still needed: 2 delivery, 5 login"
        );
    }

    #[test]
    fn spellings_of_a_label_count_for_it_and_what_is_no_label_does_not() {
        let progress = progress(&[("Billing", 3), ("billing ", 2), ("unknown", 9)]);

        assert_eq!(progress.labels["billing"], 5);
        assert_eq!(progress.have(), 5);
    }

    #[test]
    fn it_is_complete_once_each_label_has_enough() {
        let progress = progress(&[("billing", 5), ("delivery", 6), ("login", 5)]);

        assert!(progress.is_complete());
        assert_eq!(
            progress.describe(),
            "15 of 15 labels to the first model: it is built now"
        );
    }

    #[test]
    fn a_name_with_a_comma_is_quoted_in_the_list() {
        let set = LabelSet::seed(
            ["Lieferung, Versand", "login"],
            Origin::Parameter,
            "2026-11-28T09:00:00.000Z",
        );

        let told = FirstModel::new(&set, &LabelCounts::new(), 5).describe();

        assert!(told.ends_with("5 \"Lieferung, Versand\", 5 login"), "{told}");
    }

    #[test]
    fn no_single_label_is_left_out_of_the_list() {
        let told = |labels: usize| {
            let names: Vec<String> = (1..=labels).map(|number| format!("l{number}")).collect();
            let names = names.iter().map(String::as_str);
            let set = LabelSet::seed(names, Origin::Parameter, "2026-11-28T09:00:00.000Z");
            FirstModel::new(&set, &LabelCounts::new(), 5).describe()
        };

        assert!(
            told(6).ends_with("5 l1, 5 l2, 5 l3, 5 l4, 5 l5, 5 l6"),
            "{}",
            told(6)
        );
        assert!(told(7).ends_with("5 l5 and 2 more labels"), "{}", told(7));
    }
}
