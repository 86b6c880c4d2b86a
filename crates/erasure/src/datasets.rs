//! Dataset versions, each rewritten as a whole: its files, what tells of their rows, and its manifest.

use active_learning_aws::bucket::{BucketError, Leaving, MAX_DOCUMENT_BYTES, Object};
use active_learning_core::{
    dataset::{DatasetManifest, FileSummary, Mode, read_delimited_csv},
    feedback::prediction::LABEL_DELIMITER,
    keys::{self, BucketName},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    erase::{Erase, EraseError},
    rewrite::{Left, Shape, rewrite, rows},
};

/// Column of the labels in the files of a dataset.
const LABELS: usize = 0;
/// Largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Folders beside the dataset versions: the lists of the split, and packs of labels.
const NO_VERSIONS: [&str; 3] = ["labels", "machine-labels", "split"];

impl Erase<'_> {
    /// Goes through all dataset versions.
    pub(crate) async fn datasets(&mut self) -> Result<(), EraseError> {
        for folder in self.buckets.training.folders("datasets/").await? {
            if let Some(version) = keys::dataset_of(&folder).filter(|version| !NO_VERSIONS.contains(version))
            {
                self.keep_hold().await?;
                self.dataset(version).await?;
            }
        }
        Ok(())
    }

    async fn dataset(&mut self, version: &str) -> Result<(), EraseError> {
        let key = |name: &str| format!("datasets/{version}/{name}");
        self.whole(&key("agreement.json"), Shape::Json).await?;
        self.whole(&keys::selected_texts(version), Shape::Ids).await?;
        let train = self.rows(&key("train.csv"), Some(version)).await?;
        let machine = self.machine_rows(version).await?;
        let test = self.rows(&key("test.csv"), None).await?;
        if self.is_preview {
            return Ok(());
        }

        let manifest = key("manifest.json");
        let Some(mut document) = self.buckets.training.read_document::<Value>(&manifest).await? else {
            return Ok(()); // It is not a version yet; the build that made it writes it anew.
        };
        let Ok(known) = serde_json::from_value::<DatasetManifest>(document.clone()) else {
            return Ok(());
        };
        let mut is_new = false;
        let files = [("train", train), ("test", test), ("machineLabelled", machine)];
        for (member, content) in files {
            let sha256 = document[member]["sha256"].as_str().unwrap_or_default().to_owned();
            let Some(summary) = content.map(|content| summary(&content, &known)) else {
                continue;
            };
            if document[member].is_object() && summary.sha256 != sha256 {
                let gone = document[member]["rows"].as_u64().unwrap_or_default() - summary.rows;
                let before = document["leftOut"]["erased"].as_u64().unwrap_or_default();
                document["leftOut"]["erased"] = (before + gone).into();
                for (name, value) in [
                    ("rows", summary.rows.into()),
                    ("bytes", summary.bytes.into()),
                    ("sha256", summary.sha256.into()),
                    ("classes", Value::from_iter(summary.classes)),
                ] {
                    document[member][name] = value;
                }
                is_new = true;
            }
        }
        if is_new {
            self.buckets.training.put_document(&manifest, &document).await?;
            self.forget_versions(BucketName::Training, &manifest).await?;
        }
        Ok(())
    }

    /// Reads a file; one that is too large is told, and stays as it is.
    async fn read(&mut self, key: &str, limit: u64) -> Result<Option<Object>, EraseError> {
        match self.buckets.training.read(key, limit).await {
            Err(BucketError::TooLarge { uri, .. }) => {
                self.report.too_large.insert(uri);
                Ok(None)
            }
            read => Ok(read?),
        }
    }

    /// Rewrites an object; an empty one stays.
    async fn whole(&mut self, key: &str, shape: Shape) -> Result<(), EraseError> {
        if let Some(object) = self.read(key, MAX_DOCUMENT_BYTES).await? {
            let left = rewrite(shape, &object.bytes, &self.wanted);
            self.put(key, &object, left).await?;
        }
        Ok(())
    }

    /// Rewrites rows, that a model of this version may have learnt from; returns what is left.
    async fn rows(&mut self, key: &str, learnt_by: Option<&str>) -> Result<Option<Vec<u8>>, EraseError> {
        let Some(object) = self.read(key, MAX_FILE_BYTES).await? else {
            return Ok(None);
        };
        let (left, _) = rows(&object.bytes, &self.wanted, LABELS);
        if let Some(version) = learnt_by.filter(|_| left != Left::All) {
            self.note_learnt(version, left.pieces()).await?;
        }
        self.put(key, &object, left.clone()).await?;
        Ok(Some(match left {
            Left::All | Left::Unread { .. } => object.bytes,
            Left::Nothing { .. } => Vec::new(),
            Left::Rest { bytes, .. } => bytes,
        }))
    }

    /// Rewrites the rows that were labelled automatically, and the lines that say by which model: one for each row.
    async fn machine_rows(&mut self, version: &str) -> Result<Option<Vec<u8>>, EraseError> {
        let key = format!("datasets/{version}/train-machine-labelled.csv");
        let Some(object) = self.read(&key, MAX_FILE_BYTES).await? else {
            return Ok(None);
        };
        let (left, gone) = rows(&object.bytes, &self.wanted, LABELS);
        if left != Left::All {
            let count = read_rows(&object.bytes, Mode::MultiClass, LABEL_DELIMITER);
            self.provenance(version, &gone, count).await?;
        }
        self.rows(&key, Some(version)).await
    }

    /// Takes the lines of rows out, unless a run that was broken off has done so: then there are fewer than rows.
    async fn provenance(&mut self, version: &str, gone: &[usize], rows: usize) -> Result<(), EraseError> {
        let key = format!("datasets/{version}/machine-labelled.jsonl");
        let Some(object) = self.read(&key, MAX_FILE_BYTES).await? else {
            return Ok(());
        };
        let lines: Vec<&[u8]> = object.bytes.split_inclusive(|byte| *byte == b'\n').collect();
        if lines.len() != rows {
            return Ok(());
        }
        let kept = lines
            .iter()
            .enumerate()
            .filter(|(number, _)| !gone.contains(number));
        let bytes: Vec<u8> = kept.flat_map(|(_, line)| line.iter().copied()).collect();
        let pieces = gone.len() as u64;
        self.put(&key, &object, Left::Rest { bytes, pieces }).await
    }

    async fn put(&mut self, key: &str, object: &Object, left: Left) -> Result<(), EraseError> {
        let pieces = left.pieces();
        let rest = match left {
            Left::All | Left::Unread { .. } => return Ok(()),
            Left::Nothing { .. } => Vec::new(),
            Left::Rest { bytes, .. } => bytes,
        };
        self.count(BucketName::Training, key, pieces);
        if self.is_preview {
            return Ok(());
        }
        // Nobody else writes it: no build runs.
        let written = self
            .buckets
            .training
            .leave(key, &object.etag, rest, false)
            .await?;
        if written == Leaving::Changed {
            return Err(EraseError::Busy);
        }
        self.forget_versions(BucketName::Training, key).await
    }
}

fn read_rows(content: &[u8], mode: Mode, delimiter: char) -> usize {
    read_delimited_csv(content, mode, delimiter)
        .filter(Result::is_ok)
        .count()
}

/// Sums up a file as its manifest does.
fn summary(content: &[u8], manifest: &DatasetManifest) -> FileSummary {
    let delimiter = manifest.label_delimiter.unwrap_or(LABEL_DELIMITER);
    let mut summary = FileSummary {
        bytes: content.len() as u64,
        sha256: hex::encode(Sha256::digest(content)),
        ..FileSummary::default()
    };
    for row in read_delimited_csv(content, manifest.mode, delimiter).flatten() {
        summary.rows += 1;
        for label in row.labels {
            *summary.classes.entry(label).or_default() += 1;
        }
    }
    summary
}
