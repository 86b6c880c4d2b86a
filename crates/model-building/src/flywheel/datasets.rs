//! What of a dataset version is new to the flywheel.

use std::collections::BTreeSet;

use active_learning_aws::bucket::CSV;
use active_learning_core::{
    dataset::{CsvWriter, DatasetFile, DatasetManifest, Mode, Row, read_delimited_csv},
    feedback::prediction::LABEL_DELIMITER,
};
use aws_sdk_comprehend::types::{
    DatasetDataFormat, DatasetDocumentClassifierInputDataConfig, DatasetInputDataConfig, DatasetStatus,
    DatasetType,
};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use tokio_util::io::SyncIoBridge;
use tracing::info;

use crate::{ModelBuilding, build::Build, deployment::token, error::StepError};

/// Hex digits of a dataset version.
const VERSION_DIGITS: usize = 16;
/// Hex digits by which the datasets of a build are told from those of others.
const BUILD_DIGITS: usize = 8;

/// Which of the two files of a dataset version.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    of: fn(&DatasetManifest) -> &DatasetFile,
}

/// In the order in which they are put into the lake: where there are rows of a version to train on, those to test with are
/// there as well.
const KINDS: [Kind; 2] = [
    Kind {
        name: "test",
        of: |manifest| &manifest.test,
    },
    Kind {
        name: "train",
        of: |manifest| &manifest.train,
    },
];

impl Kind {
    fn dataset_type(self) -> DatasetType {
        match self.name {
            "test" => DatasetType::Test,
            _ => DatasetType::Train,
        }
    }
}

/// Names a dataset of a flywheel by the version and the build that puts it there: Comprehend gives no name twice, also not
/// where the first attempt failed.
fn dataset_name(version: &str, build: &Build, kind: &str) -> String {
    let build = &token(&[&build.execution_arn])[..BUILD_DIGITS];
    format!("{version}-{build}-{kind}")
}

/// Returns the version that [`dataset_name`] names.
fn version_of(name: &str) -> Option<&str> {
    let version = name.split('-').next()?;
    is_version(version).then_some(version)
}

fn is_version(name: &str) -> bool {
    name.len() == VERSION_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A dataset that another build has put into the lake.
#[derive(Debug)]
struct Known {
    is_test: bool,
    is_complete: bool,
    created: Option<i128>,
    version: String,
}

/// Returns the version whose rows of a kind the lake has: that of the newest dataset of this kind, or of those to train on
/// where no build has had new rows to test with.
fn version_in_lake(known: &[Known], kind: Kind) -> Option<&str> {
    let newest = |is_test: bool| {
        let of_kind = known.iter().filter(|it| it.is_test == is_test && it.is_complete);
        of_kind.max_by_key(|it| (it.created, &it.version))
    };
    let is_test = kind.name == "test";
    let of_own_kind = newest(is_test);
    let has_none = !known.iter().any(|it| it.is_test);
    let found = of_own_kind.or_else(|| newest(false).filter(|_| is_test && has_none));
    found.map(|it| it.version.as_str())
}

/// Identity of a row.
fn row_id(row: &Row) -> [u8; 16] {
    let hash = Sha256::digest(row.to_json_line());
    *hash.first_chunk().expect("a digest has 32 bytes")
}

impl ModelBuilding {
    /// Puts the rows that the lake has not into it; returns the ARNs of the datasets. Rows that were labelled by models are
    /// not among them: a promise may break, and nothing leaves a lake.
    pub(super) async fn put_datasets(
        &self,
        build: &Build,
        flywheel: &str,
        active_model: Option<&str>,
        manifest: &DatasetManifest,
    ) -> Result<Vec<String>, StepError> {
        let mut datasets = Vec::new();
        for kind in KINDS {
            let base = self.base(build, flywheel, active_model, kind, manifest).await?;
            let key = build.key(&format!("flywheel/{}.csv", kind.name));
            let rows = self.write_new(manifest, base.as_ref(), kind, &key).await?;
            info!(
                dataset.version = manifest.version,
                kind = kind.name,
                rows,
                "new to the flywheel"
            );
            if rows > 0 {
                datasets.push(self.create_dataset(build, flywheel, manifest, kind, &key).await?);
            }
        }
        Ok(datasets)
    }

    /// Returns the version whose rows the lake has, as datasets that other builds have put there say, else that which the
    /// active model was trained on.
    async fn base(
        &self,
        build: &Build,
        flywheel: &str,
        active_model: Option<&str>,
        kind: Kind,
        manifest: &DatasetManifest,
    ) -> Result<Option<DatasetManifest>, StepError> {
        let list = self.comprehend.list_datasets().flywheel_arn(flywheel);
        let mut pages = list.into_paginator().send();
        let own = KINDS.map(|kind| dataset_name(&manifest.version, build, kind.name));
        let mut known = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                let what = format!("the datasets of the flywheel {flywheel} could not be listed");
                StepError::refused(&what, error)
            })?;
            for dataset in page.dataset_properties_list.unwrap_or_default() {
                let name = dataset.dataset_name.unwrap_or_default();
                let Some(version) = version_of(&name).filter(|_| !own.contains(&name)) else {
                    continue;
                };
                known.push(Known {
                    is_test: dataset.dataset_type == Some(DatasetType::Test),
                    is_complete: dataset.status == Some(DatasetStatus::Completed),
                    created: dataset.creation_time.map(|time| time.as_nanos()),
                    version: version.to_owned(),
                });
            }
        }
        let trained_on = active_model.and_then(|model| model.rsplit('/').next());
        let version = version_in_lake(&known, kind).or(trained_on.filter(|name| is_version(name)));
        match version {
            Some(version) => {
                let key = format!("datasets/{version}/manifest.json");
                Ok(self.bucket.read_document(&key).await?)
            }
            None => Ok(None),
        }
    }

    /// Writes the rows of a file that are not in that of the version before; returns how many.
    async fn write_new(
        &self,
        manifest: &DatasetManifest,
        base: Option<&DatasetManifest>,
        kind: Kind,
        key: &str,
    ) -> Result<u64, StepError> {
        let before = match base {
            Some(base) => self.row_ids(base, kind).await?,
            None => BTreeSet::new(),
        };
        let file = (kind.of)(manifest);
        let (body, mode) = (self.open_rows(&file.key).await?, manifest.mode);
        let delimiter = manifest.label_delimiter.unwrap_or(LABEL_DELIMITER);
        let writing = spawn_blocking(move || {
            let joined = (mode == Mode::MultiLabel).then_some(delimiter);
            let mut file = CsvWriter::with_delimiter(NamedTempFile::new()?, joined);
            for row in read_delimited_csv(body, mode, delimiter) {
                let row = row.map_err(std::io::Error::other)?;
                if !before.contains(&row_id(&row)) {
                    file.write(&row)?;
                }
            }
            file.finish()
        });
        let written = writing.await.expect("writing neither panics nor is cancelled");
        let (written, summary) = written.map_err(|error| {
            StepError::Failed(format!(
                "the new rows of {} could not be written: {error}",
                file.key
            ))
        })?;
        if summary.rows > 0 {
            // What an attempt before this one wrote is the same.
            let _ = self.bucket.put_file(key, CSV, written.path()).await?;
        }
        Ok(summary.rows)
    }

    async fn row_ids(&self, manifest: &DatasetManifest, kind: Kind) -> Result<BTreeSet<[u8; 16]>, StepError> {
        let file = (kind.of)(manifest);
        let (body, mode) = (self.open_rows(&file.key).await?, manifest.mode);
        let delimiter = manifest.label_delimiter.unwrap_or(LABEL_DELIMITER);
        let reading = spawn_blocking(move || {
            let rows = read_delimited_csv(body, mode, delimiter);
            rows.map(|row| row.map(|row| row_id(&row)))
                .collect::<Result<_, _>>()
        });
        let read = reading.await.expect("reading neither panics nor is cancelled");
        read.map_err(|bad| StepError::Failed(format!("the rows {} cannot be read: {bad}", file.key)))
    }

    async fn open_rows(&self, key: &str) -> Result<impl std::io::Read + Send + 'static, StepError> {
        let body = self.bucket.open(key).await?;
        let gone = || StepError::Failed(format!("the rows {key} are gone"));
        Ok(SyncIoBridge::new(body.ok_or_else(gone)?.into_async_read()))
    }

    /// Idempotent: the same build and version make the same dataset.
    async fn create_dataset(
        &self,
        build: &Build,
        flywheel: &str,
        manifest: &DatasetManifest,
        kind: Kind,
        key: &str,
    ) -> Result<String, StepError> {
        let name = dataset_name(&manifest.version, build, kind.name);
        let what = || format!("the dataset {name} of the flywheel could not be made");
        let delimiter = match manifest.mode {
            Mode::MultiClass => None,
            Mode::MultiLabel => Some(manifest.label_delimiter.unwrap_or(LABEL_DELIMITER).to_string()),
        };
        let classes = DatasetDocumentClassifierInputDataConfig::builder()
            .s3_uri(self.bucket.uri(key))
            .set_label_delimiter(delimiter)
            .build()
            .map_err(|error| StepError::Failed(format!("{}: {error}", what())))?;
        let input = DatasetInputDataConfig::builder()
            .data_format(DatasetDataFormat::ComprehendCsv)
            .document_classifier_input_data_config(classes)
            .build();
        let create = self.comprehend.create_dataset().flywheel_arn(flywheel);
        let create = create
            .dataset_name(&name)
            .dataset_type(kind.dataset_type())
            .input_data_config(input)
            .client_request_token(token(&[&build.execution_arn, &name]));
        let created = create.send().await;
        let created = created.map_err(|error| StepError::refused(&what(), error))?;
        created
            .dataset_arn
            .ok_or_else(|| StepError::Failed(format!("{}: the service gave it no ARN", what())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_to_test_with_are_in_the_lake_where_a_build_had_new_ones_to_train_on_alone() {
        let dataset = |is_test, is_complete, created, version: &str| Known {
            is_test,
            is_complete,
            created: Some(created),
            version: version.to_owned(),
        };
        let [test, train] = KINDS;

        let of_train = [dataset(false, true, 2, "b"), dataset(false, true, 1, "a")];
        assert_eq!(version_in_lake(&of_train, test), Some("b"));
        assert_eq!(version_in_lake(&of_train, train), Some("b"));
        let failed = [dataset(false, true, 2, "b"), dataset(true, false, 2, "b")];
        assert_eq!(version_in_lake(&failed, test), None);
        let of_test = [dataset(true, true, 1, "a"), dataset(false, true, 2, "b")];
        assert_eq!(version_in_lake(&of_test, test), Some("a"));
        assert_eq!(version_in_lake(&of_test[..1], train), None);
    }

    #[test]
    fn a_dataset_of_ours_names_its_version_and_others_name_none() {
        assert_eq!(
            version_of("0123456789abcdef-89abcdef-train"),
            Some("0123456789abcdef")
        );
        for other in ["new-tickets", "2026", "", "0123456789abcdeg-89abcdef-train"] {
            assert_eq!(version_of(other), None, "{other}");
        }
    }
}
