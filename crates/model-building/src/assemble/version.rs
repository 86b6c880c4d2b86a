//! The files of a dataset version: written to the temporary folder, then uploaded.

use std::{collections::BTreeMap, io};

use active_learning_aws::bucket::{BINARY, Bucket, CSV};
use active_learning_core::{
    dataset::{
        DatasetFile, DatasetManifest, FileSummary, HeldOut, Mode, NearCopies, dataset_version, one_line,
    },
    keys,
    sampling::selection::{SelectedBy, SelectedTexts},
    text::{VectorId, vector_id},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tracing::info;

use super::{
    AssembleError, AssemblePolicy, Assembled,
    fates::{Fate, fates, share_of_candidates},
    files::{CsvFile, List, ListFile},
    machine_labels::{MachineFile, MachineLabels},
    row::Row,
    rows::{LabelReport, Rows},
    split::Split,
};

/// Key of the document that names the newest version.
pub(crate) const NEWEST_KEY: &str = keys::NEWEST_DATASET;

/// The files of a version, in the temporary folder, and what they add to the split.
pub(super) struct Files {
    split: Split,
    new_held_out: HeldOut,
    new_trained: List,
    train: (NamedTempFile, FileSummary),
    /// How the training rows were selected.
    selected: SelectedTexts,
    test: (NamedTempFile, FileSummary),
    machine: Option<MachineFile>,
    mode: Mode,
    delimiter: Option<char>,
    report: LabelReport,
    sources: BTreeMap<String, u64>,
    copies: u64,
    left_out: BTreeMap<String, u64>,
}

impl Files {
    /// Writes the rows into the temporary folder.
    pub(super) fn write(
        rows: Rows,
        machine: Option<MachineLabels>,
        mut split: Split,
        new_held_out: HeldOut,
        policy: &AssemblePolicy,
    ) -> io::Result<Self> {
        split.held_out.append(new_held_out.clone());
        let near_copies = NearCopies::of(&split.held_out);
        let fates = fates(&rows, &split, &near_copies, policy)?;
        let trained_share = 1.0 - share_of_candidates(&rows, policy);
        let mut written = Written::new(rows.delimiter()?, rows.left_out.clone(), trained_share)?;
        for (row, fate) in rows.rows.iter().zip(&fates) {
            written.write(&rows, row, *fate, &split)?;
        }

        let mut machine_file = None;
        if let Some(machine) = machine {
            let (share, trained) = (policy.test_share, &mut written.new_trained);
            let (file, not_used) = machine.write(&rows, &fates, &split, &near_copies, share, trained)?;
            written.left_out.extend(not_used.0);
            if let Some(file) = &file {
                written.sources.insert("machine".to_owned(), file.rows.1.rows);
            }
            machine_file = file;
        }
        Ok(Self {
            machine: machine_file,
            split,
            new_held_out,
            new_trained: written.new_trained.finish()?,
            train: written.train.finish()?,
            selected: written.selected.into_iter().collect(),
            test: written.test.finish()?,
            mode: rows.mode,
            delimiter: written.delimiter,
            report: rows.report,
            sources: written.sources,
            copies: written.copies,
            left_out: written.left_out,
        })
    }

    /// Uploads what a version is made of, last its manifest. What is there already is the same: its name stands for its
    /// content.
    async fn upload(
        self,
        bucket: &Bucket,
        version: &str,
        newest: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<DatasetManifest, AssembleError> {
        let key = |name: &str| format!("datasets/{version}/{name}");
        let (train, test) = (self.train.0.path(), self.test.0.path());
        let _ = bucket.put_file(&key("train.csv"), CSV, train).await?;
        let _ = bucket.put_file(&key("test.csv"), CSV, test).await?;
        let _ = bucket
            .create_document(&key("agreement.json"), &self.report)
            .await?;
        if !self.selected.is_empty() {
            let key = keys::selected_texts(version);
            let _ = bucket.create(&key, BINARY, self.selected.to_bytes()).await?;
        }
        let machine_labelled = match &self.machine {
            Some(machine) => Some(machine.upload(bucket, key).await?),
            None => None,
        };

        let file = |name, summary| DatasetFile {
            key: key(name),
            summary,
        };
        let manifest = DatasetManifest {
            parent: newest.filter(|newest| *newest != version),
            created_at: now.to_rfc3339_opts(SecondsFormat::Millis, true),
            mode: self.mode,
            label_delimiter: self.delimiter,
            train: file("train.csv", self.train.1),
            test: file("test.csv", self.test.1),
            machine_labelled,
            sources: self.sources,
            copies: self.copies,
            left_out: self.left_out,
            version: version.to_owned(),
        };
        let _ = bucket.create_document(&key("manifest.json"), &manifest).await?;
        Ok(manifest)
    }
}

/// The files while rows are written into them.
struct Written {
    train: CsvFile,
    test: CsvFile,
    new_trained: ListFile,
    selected: Vec<(VectorId, SelectedBy)>,
    /// Of the candidates for the test set, how many are trained on: 0 to 1.
    trained_share: f64,
    delimiter: Option<char>,
    sources: BTreeMap<String, u64>,
    copies: u64,
    left_out: BTreeMap<String, u64>,
}

impl Written {
    fn new(delimiter: Option<char>, left_out: BTreeMap<String, u64>, trained_share: f64) -> io::Result<Self> {
        Ok(Self {
            train: CsvFile::new(delimiter)?,
            test: CsvFile::new(delimiter)?,
            new_trained: ListFile::new()?,
            selected: Vec::new(),
            trained_share,
            delimiter,
            sources: BTreeMap::new(),
            copies: 0,
            left_out,
        })
    }

    fn write(&mut self, rows: &Rows, row: &Row, fate: Fate, split: &Split) -> io::Result<()> {
        let reason = match fate {
            Fate::Train => {
                let with_text = rows.with_text(row)?;
                self.train.write(&with_text)?;
                self.note_selection(row, &with_text.text);
                if !split.trained.contains(&row.content) {
                    self.new_trained.write(&with_text.text)?;
                }
                return self.count(row);
            }
            Fate::Test => {
                self.test.write(&rows.with_text(row)?)?;
                return self.count(row);
            }
            Fate::NearCopy => "near-copy",
            Fate::Waiting => "waiting-class",
        };
        *self.left_out.entry(reason.to_owned()).or_default() += 1;
        Ok(())
    }

    /// Notes how the text of a training row was selected. Of those that may be held out the ones that are not stand for all.
    fn note_selection(&mut self, row: &Row, text: &str) {
        let selected_by = match row.candidate {
            true => row.selected_by.of_share(self.trained_share),
            false => row.selected_by,
        };
        if selected_by != SelectedBy::Chance {
            self.selected.push((vector_id(&one_line(text)), selected_by));
        }
    }

    fn count(&mut self, row: &Row) -> io::Result<()> {
        *self.sources.entry(row.source.name().to_owned()).or_default() += 1;
        self.copies += row.copies;
        Ok(())
    }
}

#[derive(Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Newest {
    pub(crate) version: String,
    /// What the last assembly left out: of the same version another one may have left out something else. Earlier versions did
    /// not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left_out: Option<BTreeMap<String, u64>>,
}

/// Makes the files a version, unless they are one; what they hold out and were trained on is noted first.
pub(super) async fn publish(
    bucket: &Bucket,
    files: Files,
    now: DateTime<Utc>,
) -> Result<Assembled, AssembleError> {
    let machine = files.machine.as_ref().map(|machine| &machine.rows.1);
    let version = dataset_version(&files.train.1, &files.test.1, machine);
    let before = bucket.read_document::<Newest>(NEWEST_KEY).await?;
    let newest = before.as_ref().map(|newest| newest.version.clone());
    let new_texts = files.new_held_out.len() as u64 + files.new_trained.count;
    let (held_out, trained) = (&files.new_held_out, &files.new_trained);
    files.split.add(bucket, held_out, trained).await?;

    let left_out = files.left_out.clone();
    let manifest = format!("datasets/{version}/manifest.json");
    let known: Option<DatasetManifest> = bucket.read_document(&manifest).await?;
    let manifest = match known {
        Some(manifest) => manifest,
        None => files.upload(bucket, &version, newest.clone(), now).await?,
    };
    let newest = Newest {
        version: version.clone(),
        left_out: Some(left_out.clone()),
    };
    if before.as_ref() != Some(&newest) {
        bucket.put_document(NEWEST_KEY, &newest).await?;
    }
    info!(
        dataset.version = version,
        train = manifest.train.summary.rows,
        test = manifest.test.summary.rows,
        new_texts,
        ?left_out,
        "dataset assembled"
    );
    Ok(Assembled {
        manifest,
        new_texts,
        left_out,
    })
}
