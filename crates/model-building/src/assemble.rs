//! Dataset versions: what there is to learn from becomes an immutable training file and test file.
//!
//! ```text
//! initial/*.csv, labelled/*.jsonl      what there is
//! datasets/split.json, datasets/split/ what is held out and what was ever trained on, for good
//! machine-labelled/*.jsonl             what was accepted without people, if automated labelling is on
//! datasets/<version>/                  train.csv, chosen.bin, test.csv, agreement.json, and last manifest.json;
//!                                      train-machine-labelled.csv and, on every row of it, machine-labelled.jsonl
//! datasets/newest.json                 the version that was assembled last
//! ```
//!
//! A version is there once its manifest is; it is named by its content. A build that breaks off anywhere is
//! made good by the next one, and leaves no test text in any training file.
//!
//! Rows are streamed through the temporary folder, which takes about three times the size of all texts. In memory
//! are 300 bytes a row while rows are chosen.

mod check;
mod files;
mod initial;
mod machine_labels;
mod row;
mod rows;
mod split;

use std::{
    collections::{BTreeMap, HashSet},
    io,
    sync::Arc,
};

use active_learning_aws::{
    bucket::{BINARY, Bucket, BucketError, CSV},
    label_set::LabelSets,
};
use active_learning_core::{
    dataset::{
        ContentId, DatasetFile, DatasetManifest, FileSummary, HeldOut, Mode, NearCopies, TrainingFileReport,
        dataset_version, one_line, report_key,
    },
    keys,
    labels::label_set::LabelSet,
    text::vector_id,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use tokio_util::io::SyncIoBridge;
use tracing::{info, warn};

pub use check::{check_dataset, warnings};
use initial::{Initial, InitialRows};
use machine_labels::{MachineFile, MachineLabels};
use row::Row;
pub use rows::LabelReport;
use rows::Rows;
use split::Split;

use crate::{
    labels::{self, Keep, LabelsError},
    training_files::{self, InitialFile},
};

/// Key of the document that names the newest version.
pub(crate) const NEWEST_KEY: &str = "datasets/newest.json";
/// Texts that are held out at most, roughly: of these many candidates a smaller share is.
///
/// Tells accuracies apart that differ by a third of a point, at 0.4 percentage points of standard error, and keeps the
/// index of near copies below 150 MB. Comprehend's own split takes at most 10,000.
pub const MAX_HELD_OUT: usize = 20_000;
/// Builds at the same time that one of them may meet before it gives up.
const MAX_TRIES: usize = 3;

/// What decides how a dataset is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AssemblePolicy {
    /// Share of the candidates that is held out, from 0 to 1. With 0, a class needs no test row.
    pub test_share: f64,
    /// Texts that are held out at most, roughly; [`MAX_HELD_OUT`] suits a function of 1 GB.
    pub max_held_out: usize,
    /// Training rows that a class needs which no initial row has: with fewer, its rows wait.
    pub min_rows_per_class: u64,
    /// Whether no model serves yet. Where there are no initial rows either, every row is wanted and nothing is held
    /// out: the model is measured by cross-validation.
    pub is_first_model: bool,
    /// One label a text or several; `None`: several if texts may have several, or if any initial label holds the
    /// delimiter.
    pub mode: Option<Mode>,
    /// Whether a text may have several labels: then datasets are multi-label from the first one, as an endpoint keeps the
    /// mode of its first model. Initial rows with several say so too.
    pub several_labels: bool,
    /// Accuracy that must be promised of a model for the labels that it gave to be trained on; none trains on people's
    /// labels alone.
    pub automated_labelling: Option<f64>,
}

/// A dataset version.
#[derive(Clone, Debug, PartialEq)]
pub struct Assembled {
    /// What is in it.
    pub manifest: DatasetManifest,
    /// Texts that are in no earlier version.
    pub new_texts: u64,
    /// Rows and answers that are in neither file now, by why. The manifest has those of the time when the same
    /// content was first assembled.
    pub left_out: BTreeMap<String, u64>,
}

/// Why there is no dataset. Names objects and rows, never a text.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The training bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The temporary folder is full or cannot be used.
    #[error("the temporary folder could not be used")]
    Disk(#[source] io::Error),
    /// There are no rows.
    #[error("there is nothing to train on: no row under initial/ and no agreed label under labelled/")]
    Empty,
    /// Other builds keep changing what is held out.
    #[error("another build is assembling a dataset at the same time; try again later")]
    Busy,
}

impl From<LabelsError> for AssembleError {
    fn from(error: LabelsError) -> Self {
        match error {
            LabelsError::Bucket(error) => Self::Bucket(error),
            LabelsError::Disk(error) => Self::Disk(error),
        }
    }
}

/// Makes the dataset version of everything there is to learn from now.
///
/// Idempotent: the same content makes the same version and writes nothing new. Candidates to be held out are the
/// initial rows, imported labels, the answers to audited predictions and to texts of the pool, and the answers with a class of which
/// nothing is held out yet: a test without it would fail. Of these [`AssemblePolicy::test_share`] is held out by content, at least
/// one of each class. What is held out is never trained on again, nor any near copy of it; what was ever trained on
/// is never held out.
///
/// # Errors
///
/// [`AssembleError`]; nothing that training reads was written then.
pub async fn assemble(
    bucket: &Bucket,
    policy: &AssemblePolicy,
    now: DateTime<Utc>,
) -> Result<Assembled, AssembleError> {
    for _ in 1..MAX_TRIES {
        match try_assemble(bucket, policy, now).await {
            Err(AssembleError::Busy) => info!("another build came in between: once more"),
            outcome => return outcome,
        }
    }
    try_assemble(bucket, policy, now).await
}

async fn try_assemble(
    bucket: &Bucket,
    policy: &AssemblePolicy,
    now: DateTime<Utc>,
) -> Result<Assembled, AssembleError> {
    let set = LabelSets::new(bucket.clone()).current().await?;
    let mode = policy.mode.or(policy.several_labels.then_some(Mode::MultiLabel));
    let (initial, reports) = read_initial(bucket, mode, set.clone()).await?;
    write_reports(bucket, reports, now).await?;
    let several = policy.several_labels || initial.has_several(set.as_deref());
    let labels = labels::read(bucket, Keep::Text, several).await?;
    let rows = blocking(move || Rows::choose(initial, labels)).await?;
    if rows.rows.is_empty() {
        return Err(AssembleError::Empty);
    }
    let mut policy = *policy;
    if policy.is_first_model && rows.rows.iter().all(|row| row.source != row::Source::Initial) {
        policy.test_share = 0.0;
    }
    let split = Split::read(bucket).await?;
    let candidates = candidates(&rows, &split, &policy).map_err(AssembleError::Disk)?;
    let new = split.remove_near_copies_of_trained(bucket, candidates).await?;
    let machine = match policy.automated_labelling {
        Some(target) => Some(MachineLabels::read(bucket, target).await?),
        None => None,
    };
    let files = blocking(move || Files::write(rows, machine, split, new, &policy)).await?;
    publish(bucket, files, now).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, AssembleError> {
    let done = spawn_blocking(work).await;
    done.expect("the work neither panics nor is cancelled")
        .map_err(AssembleError::Disk)
}

async fn read_initial(
    bucket: &Bucket,
    mode: Option<Mode>,
    set: Option<Arc<LabelSet>>,
) -> Result<(InitialRows, Vec<TrainingFileReport>), AssembleError> {
    let mut initial = Initial::new(mode, set).map_err(AssembleError::Disk)?;
    for InitialFile { key, etag } in training_files::list(bucket).await? {
        // One that is gone was taken away on purpose.
        let Some(body) = bucket.open(&key).await? else {
            continue;
        };
        let body = SyncIoBridge::new(body.into_async_read());
        let uri = bucket.uri(&key);
        let reading = spawn_blocking(move || initial.read(&key, &etag, &uri, body).map(|()| initial));
        initial = reading.await.expect("reading neither panics nor is cancelled")?;
    }
    Ok(initial.finish())
}

/// Says beside each training file that is not learnt from why it is not.
async fn write_reports(
    bucket: &Bucket,
    reports: Vec<TrainingFileReport>,
    now: DateTime<Utc>,
) -> Result<(), AssembleError> {
    for mut report in reports {
        let key = report_key(&report.key);
        warn!(report.key, report.state = ?report.state, report.reason, "a training file is not learnt from");
        report.at = active_learning_aws::rfc3339(now);
        bucket.put_document(&key, &report).await?;
    }
    Ok(())
}

/// Returns the texts that are to be held out and are not yet: candidates first, then others of classes that would
/// be without a test row.
fn candidates(rows: &Rows, split: &Split, policy: &AssemblePolicy) -> io::Result<HeldOut> {
    let mut chosen = HeldOut::default();
    if policy.test_share <= 0.0 {
        return Ok(chosen);
    }
    let held_out: HashSet<ContentId> = split.held_out.iter().map(ContentId::of_normalised).collect();
    let is_held_out = |row: &&Row| held_out.contains(&row.content);
    let is_free = |row: &&Row| !held_out.contains(&row.content) && !split.trained.contains(&row.content);
    let mut tested: HashSet<&String> = HashSet::new();
    for row in rows.rows.iter().filter(is_held_out) {
        tested.extend(rows.labels(row));
    }
    // So many of them that no more than the greatest number is held out.
    let share = policy
        .test_share
        .min(policy.max_held_out as f64 / rows.rows.len().max(1) as f64);
    for row in rows.rows.iter().filter(|row| row.candidate).filter(is_free) {
        if row.content.is_test(share) {
            chosen.insert(&rows.text(row)?);
            tested.extend(rows.labels(row));
        }
    }
    // Of each class without a test row the text that comes first, should none fall into the share.
    let mut first: BTreeMap<&String, &Row> = BTreeMap::new();
    for row in rows.rows.iter().filter(is_free) {
        for label in rows.labels(row).iter().filter(|label| !tested.contains(label)) {
            if row.content.is_test(share) {
                chosen.insert(&rows.text(row)?);
            }
            let first = first.entry(label).or_insert(row);
            if row.content < first.content {
                *first = row;
            }
        }
    }
    for row in first.into_values() {
        chosen.insert(&rows.text(row)?);
    }
    Ok(chosen)
}

/// What becomes of a row.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Train,
    Test,
    /// It is a near copy of a held-out text.
    NearCopy,
    /// Its class is new and has too few rows.
    Waiting,
}

/// The files of a version, in the temporary folder, and what they add to the split.
struct Files {
    split: Split,
    new_held_out: HeldOut,
    new_trained: files::List,
    train: (NamedTempFile, FileSummary),
    /// Ids of the training rows that doubt chose.
    chosen: Vec<u8>,
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
    fn write(
        rows: Rows,
        machine: Option<MachineLabels>,
        mut split: Split,
        new_held_out: HeldOut,
        policy: &AssemblePolicy,
    ) -> io::Result<Self> {
        split.held_out.append(new_held_out.clone());
        let near_copies = NearCopies::of(&split.held_out);
        let fates = fates(&rows, &split, &near_copies, policy)?;
        let mut new_trained = files::ListFile::new()?;
        let (mut train, mut test) = (
            files::CsvFile::new(rows.delimiter()?)?,
            files::CsvFile::new(rows.delimiter()?)?,
        );
        let delimiter = rows.delimiter()?;
        let mut sources: BTreeMap<String, u64> = BTreeMap::new();
        let mut left_out = rows.left_out.clone();
        let (mut copies, mut chosen) = (0, Vec::new());
        for (row, fate) in rows.rows.iter().zip(&fates) {
            let reason = match fate {
                Fate::Train => {
                    let with_text = rows.with_text(row)?;
                    train.write(&with_text)?;
                    if row.is_chosen {
                        chosen.extend(vector_id(&one_line(&with_text.text)));
                    }
                    if !split.trained.contains(&row.content) {
                        new_trained.write(&with_text.text)?;
                    }
                    *sources.entry(row.source.name().to_owned()).or_default() += 1;
                    copies += row.copies;
                    continue;
                }
                Fate::Test => {
                    test.write(&rows.with_text(row)?)?;
                    *sources.entry(row.source.name().to_owned()).or_default() += 1;
                    copies += row.copies;
                    continue;
                }
                Fate::NearCopy => "near-copy",
                Fate::Waiting => "waiting-class",
            };
            *left_out.entry(reason.to_owned()).or_default() += 1;
        }
        let mut machine_file = None;
        if let Some(machine) = machine {
            let share = policy.test_share;
            let (file, not_used) =
                machine.write(&rows, &fates, &split, &near_copies, share, &mut new_trained)?;
            left_out.extend(not_used.0);
            if let Some(file) = &file {
                sources.insert("machine".to_owned(), file.rows.1.rows);
            }
            machine_file = file;
        }
        Ok(Self {
            machine: machine_file,
            split,
            new_held_out,
            new_trained: new_trained.finish()?,
            train: train.finish()?,
            chosen,
            test: test.finish()?,
            mode: rows.mode,
            delimiter,
            report: rows.report,
            sources,
            copies,
            left_out,
        })
    }
}

/// Decides on each row, the split being final.
fn fates(
    rows: &Rows,
    split: &Split,
    near_copies: &NearCopies,
    policy: &AssemblePolicy,
) -> io::Result<Vec<Fate>> {
    let held_out: HashSet<ContentId> = split.held_out.iter().map(ContentId::of_normalised).collect();
    let fate = |row: &Row| {
        Ok(if held_out.contains(&row.content) {
            Fate::Test
        } else if split.trained.contains(&row.content) || !near_copies.contains(&rows.text(row)?) {
            // Nothing was held out that is near a text which was ever trained on.
            Fate::Train
        } else {
            Fate::NearCopy
        })
    };
    let mut fates: Vec<Fate> = rows.rows.iter().map(fate).collect::<io::Result<_>>()?;
    let waiting = waiting_classes(rows, &fates, policy);
    for (row, fate) in rows.rows.iter().zip(&mut fates) {
        if rows.labels(row).iter().any(|label| waiting.contains(label)) && *fate != Fate::NearCopy {
            *fate = Fate::Waiting;
        }
    }
    Ok(fates)
}

/// Returns the classes that no initial row has and that cannot be trained and tested yet.
///
/// One answer with a class that was just added would otherwise stop all builds until there are more.
fn waiting_classes<'a>(rows: &'a Rows, fates: &[Fate], policy: &AssemblePolicy) -> HashSet<&'a String> {
    let needs_test_rows = policy.test_share > 0.0;
    let mut counts: BTreeMap<&String, (u64, u64)> = BTreeMap::new();
    let mut initial: HashSet<&String> = HashSet::new();
    for (row, fate) in rows.rows.iter().zip(fates) {
        for label in rows.labels(row) {
            let (train, test) = counts.entry(label).or_default();
            *train += u64::from(*fate == Fate::Train);
            *test += u64::from(*fate == Fate::Test);
            if row.source == row::Source::Initial {
                initial.insert(label);
            }
        }
    }
    counts
        .into_iter()
        .filter(|(label, (train, test))| {
            let too_few = *train < policy.min_rows_per_class || needs_test_rows && *test == 0;
            !initial.contains(label) && too_few
        })
        .map(|(label, _)| label)
        .collect()
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Newest {
    pub(crate) version: String,
}

async fn publish(bucket: &Bucket, files: Files, now: DateTime<Utc>) -> Result<Assembled, AssembleError> {
    let machine = files.machine.as_ref().map(|machine| &machine.rows.1);
    let version = dataset_version(&files.train.1, &files.test.1, machine);
    let key = |name: &str| format!("datasets/{version}/{name}");
    let newest = bucket.read_document::<Newest>(NEWEST_KEY).await?;
    let newest = newest.map(|newest| newest.version);
    let new_texts = files.new_held_out.len() as u64 + files.new_trained.count;
    files
        .split
        .add(bucket, &files.new_held_out, &files.new_trained)
        .await?;
    let known: Option<DatasetManifest> = bucket.read_document(&key("manifest.json")).await?;
    let manifest = match known {
        Some(manifest) => manifest,
        None => {
            // What is there already is the same: its name stands for its content.
            let _ = bucket
                .put_file(&key("train.csv"), CSV, files.train.0.path())
                .await?;
            let _ = bucket
                .put_file(&key("test.csv"), CSV, files.test.0.path())
                .await?;
            let _ = bucket
                .create_document(&key("agreement.json"), &files.report)
                .await?;
            if !files.chosen.is_empty() {
                let _ = bucket
                    .create(&keys::chosen_texts(&version), BINARY, files.chosen)
                    .await?;
            }
            let machine_labelled = match &files.machine {
                Some(machine) => Some(machine.upload(bucket, key).await?),
                None => None,
            };
            let file = |name, summary| DatasetFile {
                key: key(name),
                summary,
            };
            let manifest = DatasetManifest {
                parent: newest.clone().filter(|newest| *newest != version),
                created_at: now.to_rfc3339_opts(SecondsFormat::Millis, true),
                mode: files.mode,
                label_delimiter: files.delimiter,
                train: file("train.csv", files.train.1),
                test: file("test.csv", files.test.1),
                machine_labelled,
                sources: files.sources,
                copies: files.copies,
                left_out: files.left_out.clone(),
                version: version.clone(),
            };
            let _ = bucket.create_document(&key("manifest.json"), &manifest).await?;
            manifest
        }
    };
    if newest.as_ref() != Some(&version) {
        let newest = Newest {
            version: version.clone(),
        };
        bucket.put_document(NEWEST_KEY, &newest).await?;
    }
    info!(
        dataset.version = version,
        train = manifest.train.summary.rows,
        test = manifest.test.summary.rows,
        new_texts,
        left_out = ?files.left_out,
        "dataset assembled"
    );
    Ok(Assembled {
        manifest,
        new_texts,
        left_out: files.left_out,
    })
}
