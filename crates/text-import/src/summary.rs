//! What a file's labels and texts come to: for a person who looks before anything is done.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use active_learning_core::{
    dataset::{Spellings, TextId, one_line},
    labels::label_key::{broad_key, label_key},
};
use serde::Serialize;

use crate::Row;

/// Texts and labels, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Texts with labels, and each text counted once.
    pub labelled: usize,
    /// Texts without labels, each text counted once.
    pub unlabelled: usize,
    /// Votes: labels of one text by several people count several times.
    pub votes: usize,
    /// The labels with the votes for each, the most frequent first.
    pub labels: Vec<LabelCount>,
    /// Spellings of one label that were joined, in sentences.
    pub joined: Vec<String>,
    /// Rows whose text stands in an earlier row.
    pub duplicates: usize,
    /// Texts with different labels.
    pub conflicts: Vec<Conflict>,
    /// Votes by who gave them, a name in any case as it is written first; the empty name where the file does not say.
    pub annotators: BTreeMap<String, usize>,
}

/// A label and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelCount {
    /// Its most frequent spelling.
    pub name: String,
    /// Votes for it.
    pub votes: u64,
}

/// A text with different labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The rows that have it.
    pub lines: Vec<u64>,
    /// What they say, joined by `|`.
    pub labels: Vec<String>,
}

struct Seen {
    lines: Vec<u64>,
    /// What is said of it, by the keys of the labels.
    said: BTreeMap<Vec<String>, String>,
}

impl Summary {
    /// Counts rows, of one file or of several. A text is another one under each classifier that a row names.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        Self::knowing(&[], rows)
    }

    /// Counts rows as [`Summary::of`] does, beside the labels that there are: one that is called `1.0` is not `1`.
    pub fn knowing<'a>(known: &[String], rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut summary = Self::default();
        let mut texts: HashMap<(Option<&str>, TextId), Seen> = HashMap::new();
        let mut order = Vec::new();
        let mut spellings = Spellings::knowing(known.iter().map(String::as_str));
        let mut names: HashMap<String, String> = HashMap::new();
        let mut counts: BTreeMap<String, (String, u64)> = BTreeMap::new();
        for row in rows {
            let id = (row.classifier.as_deref(), TextId::of(&one_line(&row.text)));
            let seen = texts.entry(id).or_insert_with(|| {
                order.push(id);
                Seen {
                    lines: Vec::new(),
                    said: BTreeMap::new(),
                }
            });
            summary.duplicates += usize::from(!seen.lines.is_empty());
            seen.lines.push(row.line);
            for vote in &row.votes {
                summary.votes += 1;
                let by = vote.by.as_deref().unwrap_or_default().trim();
                let name = names.entry(broad_key(by)).or_insert_with(|| by.to_owned());
                *summary.annotators.entry(name.clone()).or_default() += 1;
                let keys: BTreeSet<String> = vote.labels.iter().map(|label| label_key(label)).collect();
                seen.said
                    .entry(keys.into_iter().collect())
                    .or_insert_with(|| vote.labels.join("|"));
                for label in &vote.labels {
                    spellings.add(label, 1);
                    counts
                        .entry(label_key(label))
                        .or_insert_with(|| (label.clone(), 0))
                        .1 += 1;
                }
            }
        }
        for id in order {
            let seen = &texts[&id];
            match seen.said.len() {
                0 => summary.unlabelled += 1,
                1 => summary.labelled += 1,
                _ => {
                    summary.labelled += 1;
                    let labels = seen.said.values().cloned().collect();
                    summary.conflicts.push(Conflict {
                        lines: seen.lines.clone(),
                        labels,
                    });
                }
            }
        }
        let (spelling, joined) = spellings.finish();
        let mut votes_of: BTreeMap<String, u64> = BTreeMap::new();
        for (name, votes) in counts.into_values() {
            *votes_of.entry(spelling.of(&name).to_owned()).or_default() += votes;
        }
        let count = |(name, votes): (String, u64)| LabelCount { name, votes };
        summary.labels = votes_of.into_iter().map(count).collect();
        summary
            .labels
            .sort_by(|a, b| b.votes.cmp(&a.votes).then_with(|| a.name.cmp(&b.name)));
        summary.joined = joined;
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vote;

    #[test]
    fn an_annotator_is_one_person_in_any_case() {
        let vote = |by: &str| Vote {
            labels: vec!["Billing".to_owned()],
            by: Some(by.to_owned()),
            at: None,
        };
        let row = Row {
            line: 2,
            text: "The invoice is wrong".to_owned(),
            classifier: None,
            votes: vec![vote("Ann "), vote("ann"), vote("bob")],
        };

        let summary = Summary::of([&row]);

        let expected = [("Ann".to_owned(), 2), ("bob".to_owned(), 1)];
        assert_eq!(summary.annotators, BTreeMap::from(expected));
    }
}
