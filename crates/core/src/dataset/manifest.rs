//! What is in a dataset version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Mode, Row};

/// What is in one file of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSummary {
    /// Rows.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
    /// Rows of each class; of several labels each counts.
    pub classes: BTreeMap<String, u64>,
}

impl FileSummary {
    /// Counts a row.
    pub(super) fn count(&mut self, row: &Row) {
        self.rows += 1;
        for label in &row.labels {
            *self.classes.entry(label.clone()).or_default() += 1;
        }
    }
}

/// A file of a dataset version and where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetFile {
    /// Key of the object.
    pub key: String,
    /// What is in it.
    #[serde(flatten)]
    pub summary: FileSummary,
}

/// A training file of predictions that were accepted as labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineLabelledFile {
    /// The file.
    #[serde(flatten)]
    pub file: DatasetFile,
    /// Key of the object that says, a JSON line for every row, which model gave the label and with what confidence.
    pub provenance: String,
    /// Rows by the ARN of the model.
    pub models: BTreeMap<String, u64>,
}

impl DatasetManifest {
    /// Returns what the keys of all training files begin with, and that of no other object: Comprehend reads as
    /// training data every object whose key begins with what it is given.
    pub fn training_prefix(&self) -> &str {
        let key = self.train.key.as_str();
        match self.machine_labelled {
            Some(_) => key.strip_suffix(".csv").unwrap_or(key),
            None => key,
        }
    }
}

/// The manifest of an immutable dataset version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetManifest {
    /// Name of the version, see [`dataset_version`].
    pub version: String,
    /// The version before it, if any.
    pub parent: Option<String>,
    /// When it was built, RFC 3339 in UTC.
    pub created_at: String,
    /// One label a text or several.
    pub mode: Mode,
    /// What stands between the labels of a text, in no label itself; none where texts have one, and `|` in older manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_delimiter: Option<char>,
    /// Rows to train on.
    pub train: DatasetFile,
    /// Rows held out.
    pub test: DatasetFile,
    /// More rows to train on, which people did not label; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_labelled: Option<MachineLabelledFile>,
    /// Rows by where they come from.
    pub sources: BTreeMap<String, u64>,
    /// Further texts that the answers in its rows serve: copies of them that nobody was asked about, counted when
    /// the version was first assembled. A row is one row however many copies its text has.
    #[serde(default)]
    pub copies: u64,
    /// Rows and answers that are in neither file, by why: nothing is left out in silence.
    #[serde(default)]
    pub left_out: BTreeMap<String, u64>,
}

/// Names a version by what it holds: the same rows make the same name, so that nothing is trained twice.
///
/// `machine` is the training file of accepted predictions, if there is one. 16 hex digits: fit for Comprehend's
/// `VersionName`.
pub fn dataset_version(train: &FileSummary, test: &FileSummary, machine: Option<&FileSummary>) -> String {
    let mut hash = Sha256::new();
    hash.update(train.sha256.as_bytes());
    hash.update([0]);
    hash.update(test.sha256.as_bytes());
    if let Some(machine) = machine {
        hash.update([0]);
        hash.update(machine.sha256.as_bytes());
    }
    hex::encode(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn summary(sha256: &str) -> FileSummary {
        FileSummary {
            rows: 2,
            bytes: 10,
            sha256: sha256.into(),
            classes: [("World".into(), 2)].into(),
        }
    }

    #[test]
    fn a_version_is_named_by_its_content() {
        let version = dataset_version(&summary("a"), &summary("b"), None);

        assert_eq!(version, dataset_version(&summary("a"), &summary("b"), None));
        assert_ne!(version, dataset_version(&summary("b"), &summary("a"), None));
        assert_ne!(
            version,
            dataset_version(&summary("a"), &summary("b"), Some(&summary("c")))
        );
        assert_eq!(version.len(), 16);
    }

    #[test]
    fn the_manifest_reads_as_plain_json() {
        let mut manifest = DatasetManifest {
            version: "v2".into(),
            parent: Some("v1".into()),
            created_at: "2026-11-20T10:00:00Z".into(),
            mode: Mode::MultiClass,
            label_delimiter: None,
            train: DatasetFile {
                key: "datasets/v2/train.csv".into(),
                summary: summary("a"),
            },
            test: DatasetFile {
                key: "datasets/v2/test.csv".into(),
                summary: summary("b"),
            },
            machine_labelled: None,
            sources: [("human-review".into(), 4)].into(),
            copies: 3,
            left_out: [("near-copy".into(), 1)].into(),
        };

        let json = serde_json::to_value(&manifest).expect("JSON");

        assert_eq!(
            json["train"],
            json!({"key": "datasets/v2/train.csv", "rows": 2, "bytes": 10, "sha256": "a", "classes": {"World": 2}})
        );
        assert_eq!(
            (&json["leftOut"], &json["mode"]),
            (&json!({"near-copy": 1}), &json!("MULTI_CLASS"))
        );
        assert_eq!(json.get("machineLabelled"), None);
        assert_eq!(
            serde_json::from_value::<DatasetManifest>(json).ok().as_ref(),
            Some(&manifest)
        );
        assert_eq!(manifest.training_prefix(), "datasets/v2/train.csv");
        manifest.machine_labelled = Some(MachineLabelledFile {
            file: DatasetFile {
                key: "datasets/v2/train-machine-labelled.csv".into(),
                summary: summary("c"),
            },
            provenance: "datasets/v2/machine-labelled.jsonl".into(),
            models: [("arn".into(), 2)].into(),
        });
        let json = serde_json::to_value(&manifest).expect("JSON");
        assert_eq!(json["machineLabelled"]["rows"], 2);
        assert_eq!(manifest.training_prefix(), "datasets/v2/train");
        assert_eq!(
            serde_json::from_value::<DatasetManifest>(json).ok(),
            Some(manifest)
        );
    }
}
