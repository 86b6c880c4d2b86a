//! The labels that a task offers, found by any of their spellings.

use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};

use crate::labels::{
    label_key::label_key,
    label_set::{LabelSet, Resolution},
};

/// The labels that a task offers.
///
/// Found by a look into a table: a page with a thousand labels names each of them many times.
#[derive(Debug)]
pub struct OfferedLabels {
    labels: HashSet<String>,
    /// The first label of each key; made when a name is in another spelling.
    by_key: OnceCell<HashMap<String, String>>,
    in_order: Vec<String>,
}

impl OfferedLabels {
    /// Takes labels in the order in which they are offered.
    pub fn new(labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let in_order: Vec<String> = labels.into_iter().map(Into::into).collect();
        Self {
            labels: in_order.iter().cloned().collect(),
            by_key: OnceCell::new(),
            in_order,
        }
    }

    /// Returns them in the order in which they are offered.
    pub fn in_order(&self) -> &[String] {
        &self.in_order
    }

    /// Returns the offered label that a name means, if any; where nothing is offered, every name is a label.
    pub fn resolve(&self, name: &str) -> Option<String> {
        if self.labels.is_empty() || self.labels.contains(name) {
            return Some(name.to_owned());
        }
        let key = label_key(name);
        if key.is_empty() {
            return None;
        }
        self.by_key().get(&key).cloned()
    }

    /// Returns the label that a name means in an answer: one that the task offered, or else one of the label set in use, by any
    /// of its names. The page offers the labels of the day on which it is answered.
    pub fn resolve_by(&self, name: &str, set: Option<&LabelSet>) -> Option<String> {
        let of_set = || match set?.resolve(name) {
            Resolution::Label(label) => Some(label.to_owned()),
            Resolution::Retired(_) | Resolution::Split(_) | Resolution::Proposed(_) => None,
        };
        self.resolve(name).or_else(of_set)
    }

    fn by_key(&self) -> &HashMap<String, String> {
        self.by_key.get_or_init(|| {
            let mut by_key = HashMap::new();
            for label in &self.in_order {
                by_key.entry(label_key(label)).or_insert_with(|| label.clone());
            }
            by_key
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_label_that_is_written_so_or_else_the_first_in_another_spelling() {
        let offered = OfferedLabels::new(["World", "WORLD", "Sci / Tech", " "]);

        assert_eq!(offered.resolve("WORLD").as_deref(), Some("WORLD"));
        assert_eq!(offered.resolve(" world").as_deref(), Some("World"));
        assert_eq!(offered.resolve("SCI / tech").as_deref(), Some("Sci / Tech"));
        assert_eq!(offered.resolve("Weather"), None);
        assert_eq!(offered.resolve("\u{200b}"), None);
    }

    #[test]
    fn where_nothing_is_offered_every_name_is_a_label() {
        let none = OfferedLabels::new(Vec::<String>::new());

        assert_eq!(none.resolve("Weather").as_deref(), Some("Weather"));
    }
}
