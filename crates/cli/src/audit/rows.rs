//! The labelled texts of a stack, and a random share of them.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_aws::bucket::{Bucket, BucketError, MAX_DOCUMENT_BYTES};
use active_learning_core::{
    keys,
    labels::{
        label_set::{LabelSet, Resolution},
        labelled::LabelledRecord,
        vote::VoteSource,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::BEFORE;

const READS_IN_FLIGHT: usize = 16;

/// A text with one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub record: String,
    pub text: String,
    pub label: String,
    /// Workers who gave the text a label in the portal.
    pub reviewers: BTreeSet<String>,
}

impl Row {
    /// Returns its line of the manifest.
    pub(super) fn line(&self, labels: &[&str]) -> Value {
        let number = labels.iter().position(|label| *label == self.label);
        json!({
            "source": self.text,
            "record": self.record,
            BEFORE: number,
            format!("{BEFORE}-metadata"): { "class-name": self.label, "type": "groundtruth/text-classification" },
            "reviewers": self.reviewers,
            "excluded-workers": self.reviewers,
        })
    }
}

/// Returns the texts on which people agree on one label that is in use, by the newest word on each.
pub(super) async fn labelled(
    training: &Bucket,
    set: &LabelSet,
    only: &[String],
) -> Result<Vec<Row>, BucketError> {
    let listed = training.list(keys::LABELLED_FOLDER).await?;
    let reads: Vec<_> = listed
        .iter()
        .map(|listed| training.read(&listed.key, MAX_DOCUMENT_BYTES))
        .collect();
    let objects: Vec<_> = stream::iter(reads)
        .buffered(READS_IN_FLIGHT)
        .try_collect()
        .await?;
    let mut newest: BTreeMap<String, (LabelledRecord, BTreeSet<String>)> = BTreeMap::new();
    for object in objects.into_iter().flatten() {
        for line in object.bytes.split(|byte| *byte == b'\n') {
            // What cannot be read is told by whoever builds.
            if let Ok(labelled) = LabelledRecord::parse(line) {
                add(&mut newest, labelled);
            }
        }
    }
    let rows = newest
        .into_values()
        .filter_map(|(labelled, reviewers)| row(&labelled, reviewers, set));
    Ok(rows
        .filter(|row| only.is_empty() || only.contains(&row.label))
        .collect())
}

fn add(newest: &mut BTreeMap<String, (LabelledRecord, BTreeSet<String>)>, labelled: LabelledRecord) {
    let reviewers = (labelled.votes.iter())
        .filter(|vote| vote.source == VoteSource::HumanReview)
        .map(|vote| vote.worker.clone());
    let reviewers: BTreeSet<String> = reviewers.collect();
    match newest.get_mut(&labelled.record.id) {
        None => {
            newest.insert(labelled.record.id.clone(), (labelled, reviewers));
        }
        Some((known, all)) => {
            all.extend(reviewers);
            if labelled.supersedes(known) {
                *known = labelled;
            }
        }
    }
}

fn row(labelled: &LabelledRecord, reviewers: BTreeSet<String>, set: &LabelSet) -> Option<Row> {
    let [label] = labelled.consensus.labels()? else {
        return None;
    };
    let Resolution::Label(label) = set.resolve(label) else {
        return None;
    };
    Some(Row {
        record: labelled.record.id.clone(),
        text: labelled.record.utterance.clone(),
        label: label.to_owned(),
        reviewers,
    })
}

/// Draws a share of the rows, one at least: the same ones for the same name.
pub(super) fn draw(rows: &[Row], share: f64, name: &str) -> Vec<Row> {
    let place = |row: &&Row| Sha256::digest(format!("audit:{name}:{}", row.record)).to_vec();
    let mut drawn: Vec<&Row> = rows.iter().collect();
    drawn.sort_by_cached_key(place);
    // No more than there are.
    drawn.truncate((rows.len() as f64 * share).ceil() as usize);
    drawn.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<Row> {
        let row = |number| Row {
            record: format!("r-{number}"),
            text: "text".to_owned(),
            label: "World".to_owned(),
            reviewers: BTreeSet::new(),
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn another_name_draws_other_rows_and_the_same_name_the_same() {
        let all = rows(100);

        let drawn = draw(&all, 0.1, "spring");

        assert_eq!(drawn.len(), 10);
        assert_eq!(drawn, draw(&all, 0.1, "spring"));
        assert_ne!(drawn, draw(&all, 0.1, "summer"));
        assert_eq!(draw(&all, 0.001, "spring").len(), 1);
        assert_eq!(draw(&all, 1.0, "spring").len(), 100);
    }
}
