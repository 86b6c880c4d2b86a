//! Dataset versions: what there is to learn from becomes an immutable training file and test file.
//!
//! ```text
//! initial/*.csv, labelled/*.jsonl      what there is
//! datasets/labels.json, datasets/labels/ packs of the labelled objects that builds have read, each read once
//! datasets/split.json, datasets/split/ what is held out and what was ever trained on, for good
//! machine-labelled/*.jsonl             what was accepted without people, if automated labelling is on
//! datasets/machine-labels.json, datasets/machine-labels/ packs of these, as of the labelled objects
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
mod fates;
mod files;
mod initial;
mod machine_labels;
mod row;
mod rows;
mod split;
mod version;

use std::{collections::BTreeMap, io, sync::Arc};

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    erased::ErasedList,
    label_set::LabelSets,
};
use active_learning_core::{
    dataset::{DatasetManifest, Mode, ONLY_LABEL, TrainingFileReport, TrainingFileState, report_key},
    labels::label_set::LabelSet,
};
use chrono::{DateTime, Utc};
use tokio::task::spawn_blocking;
use tokio_util::io::SyncIoBridge;
use tracing::{info, warn};

pub use check::{check_dataset, warnings};
use fates::candidates;
use initial::Initial;
pub(crate) use initial::InitialRows;
use machine_labels::MachineLabels;
pub use rows::LabelReport;
use rows::Rows;
use split::Split;
use version::{Files, publish};
pub(crate) use version::{NEWEST_KEY, Newest};

use crate::{
    labels::{self, Keep, LabelsError, Packing},
    training_files::{self, InitialFile},
};

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
    /// Whether the model that learns from it is hosted elsewhere: then files may have any number of labels.
    pub is_hosted: bool,
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
    let sets = LabelSets::new(bucket.clone());
    let set = sets.current().await?;
    let is_in_data = set.as_ref().is_some_and(|set| set.has_several_in_data());
    let several_labels = policy.several_labels || is_in_data;
    let mode = policy.mode.or(several_labels.then_some(Mode::MultiLabel));
    let (initial, reports) = read_initial(bucket, mode, policy.is_hosted, set.clone()).await?;
    write_reports(bucket, reports, now).await?;
    let has_several = initial.has_several(set.as_deref());
    if has_several && !is_in_data && set.is_some() {
        // What people say is read by it from now on.
        sets.take_several_labels(&active_learning_aws::rfc3339(now))
            .await?;
    }
    let several = several_labels || has_several;
    let labels = labels::read(bucket, Keep::Text, several, Packing::Renewed).await?;
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

/// Reads the training files, as datasets take them: without refused ones, and without sample data beside other data.
pub(crate) async fn read_initial(
    bucket: &Bucket,
    mode: Option<Mode>,
    is_hosted: bool,
    set: Option<Arc<LabelSet>>,
) -> Result<(InitialRows, Vec<TrainingFileReport>), AssembleError> {
    let erased = ErasedList::new(bucket.clone()).current().await?;
    let mut initial = Initial::new(mode, is_hosted, set, erased).map_err(AssembleError::Disk)?;
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

/// Says beside each training file that is not learnt from why it is not, and of one that was refused before that it is now. What
/// else was told of the same file stays: what was repaired in it, and which model has learnt from it.
async fn write_reports(
    bucket: &Bucket,
    reports: Vec<TrainingFileReport>,
    now: DateTime<Utc>,
) -> Result<(), AssembleError> {
    for mut report in reports {
        let key = report_key(&report.key);
        let told: Option<TrainingFileReport> = match bucket.read_document(&key).await {
            // It is written anew.
            Err(BucketError::Damaged { .. }) => None,
            told => told?,
        };
        let is_taken = report.state == TrainingFileState::Taken;
        report.at = active_learning_aws::rfc3339(now);
        // Another file came in its place meanwhile, and was looked at.
        if told
            .as_ref()
            .is_some_and(|told| told.etag != report.etag && told.at > report.at)
        {
            continue;
        }
        if !is_taken {
            warn!(report.key, report.state = ?report.state, report.reason, "a training file is not learnt from");
        }
        if let Some(told) = told.filter(|told| told.etag == report.etag) {
            // One that waits for the encoder still waits: nothing is wrong with it, and its model is yet to be made.
            if is_taken && [TrainingFileState::Taken, TrainingFileState::Waiting].contains(&told.state) {
                continue;
            }
            let mut repairs = told.repairs;
            repairs.retain(|repair| repair != ONLY_LABEL);
            repairs.append(&mut report.repairs);
            report.repairs = repairs;
            report.erased_rows = told.erased_rows;
            report.model_arn = told.model_arn;
        }
        bucket.put_document(&key, &report).await?;
    }
    Ok(())
}
