//! The labels of people in the formats that other tools read.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    str::FromStr,
};

use active_learning_aws::bucket::{Bucket, BucketError};
use active_learning_core::{
    dataset::{CsvWriter, DatasetManifest, ManifestInfo, Mode, Row, manifest_line},
    feedback::{FeedbackRecord, prediction::LABEL_DELIMITER},
    labels::{
        consolidation::{Consensus, Consolidated, DecidedBy, Settings, consolidate},
        human_loop::Answer,
        labelled::LabelledRecord,
        vote::Vote,
    },
};
use serde::Serialize;

use crate::{
    assemble::{NEWEST_KEY, Newest},
    labels::{self, Keep, Labels, LabelsError, LastAnswers, Line, Outcome, Packing},
};

/// Name of the label attribute in an augmented manifest: what `AttributeNames` is given.
pub const MANIFEST_ATTRIBUTE: &str = "label";

/// How labels are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comprehend's training CSV: one text a row, line breaks within texts become spaces.
    ComprehendCsv,
    /// Ground Truth's augmented manifest, label attribute [`MANIFEST_ATTRIBUTE`].
    AugmentedManifest,
    /// One JSON object a record with its whole lineage, also records without an agreed label.
    JsonLines,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "csv" => Ok(Self::ComprehendCsv),
            "manifest" => Ok(Self::AugmentedManifest),
            "jsonl" => Ok(Self::JsonLines),
            other => Err(format!(
                "unknown format `{other}`: expected csv, manifest or jsonl"
            )),
        }
    }
}

/// What an export holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportSummary {
    /// Rows that were written.
    pub rows: u64,
    /// Further texts that the answers in them serve: copies of which nobody was asked.
    pub copies: u64,
    /// Rows of a CSV with several labels, between which `|` stands.
    pub several: u64,
    /// Rows of a CSV with a label whose name holds `|`, which is written `\|`.
    pub escaped: u64,
    /// Rows whose label is more probably wrong than right, by the error rates of those who gave it.
    pub doubtful: u64,
    /// Records, and lines that cannot be read, that were not written, by why.
    pub left_out: BTreeMap<String, u64>,
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The labels could not be read.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// The temporary folder failed.
    #[error("the temporary folder could not be used")]
    Disk(#[source] io::Error),
    /// The export could not be written.
    #[error("the export could not be written")]
    Write(#[source] io::Error),
}

/// A line of [`Format::JsonLines`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonLine<'a> {
    /// Empty where there is no agreed label.
    labels: &'a [String],
    text: &'a str,
    /// Copies of the text that this answer serves: nobody was asked about them.
    copies: u64,
    consensus: Consensus<&'a Answer>,
    /// Whether it is more probably wrong than right, by the error rates of those who gave it: somebody else should look at it.
    #[serde(skip_serializing_if = "is_false")]
    doubtful: bool,
    /// The rule that decided; none where nothing is agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<DecidedBy>,
    /// Where the text comes from: source, signal, model, prediction and selection probability.
    record: &'a FeedbackRecord,
    votes: Vec<&'a Vote>,
    human_loops: Vec<HumanLoop<'a>>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HumanLoop<'a> {
    name: &'a str,
    flow_definition_arn: &'a str,
    labelled_at: &'a str,
}

/// Writes the labels of people, the votes of all human loops on a record together, in the order of record ids.
///
/// In a CSV `|` stands between the labels of a text, and `\|` for one within a name, as training files and imports are read.
/// CSV and manifest hold each text once, however many copies it has, with the last answer, if reviewers agree on labels: an
/// adjudicator's before a reviewer's, and that before the label of a file; it is what
/// [`assemble`](crate::assemble::assemble) makes of the same labels; texts may have `several` labels as there, or where the
/// newest dataset has. Texts lie in the temporary folder meanwhile.
///
/// # Errors
///
/// [`ExportError`]; what was written until then is not all there is.
pub async fn export<W: Write>(
    bucket: &Bucket,
    format: Format,
    several: bool,
    writer: W,
) -> Result<ExportSummary, ExportError> {
    let several = has_several_labels(bucket, several).await;
    let several = several.map_err(LabelsError::from)?;
    let labels = labels::read(bucket, Keep::Line, several, Packing::AsItIs).await?;
    let consolidated = consolidate(&labels.votes, Settings::default());
    let export = Export::new(&labels, &consolidated);
    match format {
        Format::ComprehendCsv => export.csv(writer),
        Format::AugmentedManifest => export.manifest(writer),
        Format::JsonLines => export.json_lines(writer),
    }
}

/// Returns whether a text may have several labels: where the stack says so, or where the newest dataset has.
pub(crate) async fn has_several_labels(bucket: &Bucket, several: bool) -> Result<bool, BucketError> {
    Ok(several || newest_mode(bucket).await? == Some(Mode::MultiLabel))
}

/// Returns whether the newest dataset version has one label a text or several; `None` where there is none.
///
/// # Errors
///
/// [`BucketError`].
pub async fn newest_mode(bucket: &Bucket) -> Result<Option<Mode>, BucketError> {
    let Some(newest) = bucket.read_document::<Newest>(NEWEST_KEY).await? else {
        return Ok(None);
    };
    let key = format!("datasets/{}/manifest.json", newest.version);
    let manifest: Option<DatasetManifest> = bucket.read_document(&key).await?;
    Ok(manifest.map(|manifest| manifest.mode))
}

struct Export<'a> {
    labels: &'a Labels,
    consolidated: &'a Consolidated<'a>,
    mode: Mode,
    last_answers: LastAnswers<'a>,
}

impl<'a> Export<'a> {
    fn new(labels: &'a Labels, consolidated: &'a Consolidated<'a>) -> Self {
        let mode = labels.mode(consolidated);
        let outcome =
            |record: &[Line]| Outcome::of(record, consolidated.of(record[0].id), mode, labels.set.as_deref());
        let counting = labels.records().filter(|record| outcome(record).counts());
        Self {
            labels,
            consolidated,
            mode,
            last_answers: LastAnswers::of(counting, consolidated),
        }
    }

    fn outcome(&self, record: &[Line]) -> Outcome<'a> {
        Outcome::of(
            record,
            self.consolidated.of(record[0].id),
            self.mode,
            self.labels.set.as_deref(),
        )
    }

    /// Hands over each row of a training file with the line of its last answer, its record's id, and its copies.
    fn rows(
        &self,
        mut write: impl FnMut(&Row, &LabelledRecord, u128, u64) -> io::Result<()>,
    ) -> Result<ExportSummary, ExportError> {
        let copies = self.labels.copies_by_text();
        let mut summary = self.summary();
        for record in self.labels.records() {
            let outcome = self.outcome(record);
            let counts_not = outcome.counts().then(|| self.last_answers.why_not(record));
            let reason = match (counts_not.flatten(), outcome) {
                (Some(reason), _) | (None, Outcome::NoClass(reason) | Outcome::Open(reason)) => reason,
                (None, Outcome::Labels(labels)) => {
                    let last = &record[record.len() - 1];
                    let labelled = self.line(last)?;
                    let row = Row {
                        labels: labels.to_vec(),
                        text: labelled.record.utterance.clone(),
                    };
                    let copies = copies.get(&last.text_id).copied().unwrap_or_default();
                    write(&row, &labelled, last.id, copies).map_err(ExportError::Write)?;
                    summary.rows += 1;
                    summary.copies += copies;
                    summary.doubtful += u64::from(self.consolidated.is_doubtful(last.id));
                    continue;
                }
            };
            *summary.left_out.entry(reason.to_owned()).or_default() += 1;
        }
        Ok(summary)
    }

    fn summary(&self) -> ExportSummary {
        let mut summary = ExportSummary::default();
        if self.labels.unreadable > 0 {
            let reason = "unreadable-line".to_owned();
            summary.left_out.insert(reason, self.labels.unreadable);
        }
        summary
    }

    fn line(&self, line: &Line) -> Result<LabelledRecord, ExportError> {
        let kept = self.labels.kept.read(line.kept).map_err(ExportError::Disk)?;
        LabelledRecord::parse(kept.as_bytes()).map_err(|error| ExportError::Disk(io::Error::other(error)))
    }

    fn classes(&self) -> BTreeSet<&'a String> {
        self.labels
            .records()
            .filter_map(|record| match self.outcome(record) {
                Outcome::Labels(labels) => Some(labels),
                Outcome::NoClass(_) | Outcome::Open(_) => None,
            })
            .flatten()
            .collect()
    }

    fn csv(&self, writer: impl Write) -> Result<ExportSummary, ExportError> {
        let mut csv = CsvWriter::escaped(writer);
        let (mut several, mut escaped) = (0, 0);
        let mut summary = self.rows(|row, _, _, _| {
            several += u64::from(row.labels.len() > 1);
            escaped += u64::from(row.labels.iter().any(|label| label.contains(LABEL_DELIMITER)));
            csv.write(row)
        })?;
        (summary.several, summary.escaped) = (several, escaped);
        csv.finish().map_err(ExportError::Write)?;
        Ok(summary)
    }

    fn manifest(&self, mut writer: impl Write) -> Result<ExportSummary, ExportError> {
        let classes = self.classes();
        let classes: Vec<String> = classes.into_iter().cloned().collect();
        let summary = self.rows(|row, labelled, id, copies| {
            let confidence = match self.consolidated.of(id) {
                Consensus::Agreed { confidence, .. } => confidence,
                Consensus::Tie | Consensus::Unanswered => 0.0,
            };
            let info = ManifestInfo {
                attribute: MANIFEST_ATTRIBUTE,
                classes: &classes,
                job_name: &labelled.human_loop,
                labelled_at: &labelled.labelled_at,
                confidence,
                classifier: &labelled.record.classifier,
                copies,
            };
            writer.write_all(manifest_line(row, self.mode, &info).as_bytes())
        })?;
        writer.flush().map_err(ExportError::Write)?;
        Ok(summary)
    }

    fn json_lines(&self, mut writer: impl Write) -> Result<ExportSummary, ExportError> {
        let mut summary = self.summary();
        for record in self.labels.records() {
            let lines: Vec<LabelledRecord> = record
                .iter()
                .map(|line| self.line(line))
                .collect::<Result<_, _>>()?;
            let last = &lines[lines.len() - 1].record;
            let mut votes: Vec<&Vote> = Vec::new();
            for vote in lines.iter().flat_map(|line| &line.votes) {
                // What a user suggested is in every human loop on the record.
                if !votes.contains(&vote) {
                    votes.push(vote);
                }
            }
            // However it is spelt there.
            let is_kept = |said: &Vote| {
                let is_same = |vote: &&Vote| {
                    (&vote.worker, vote.source, &vote.at) == (&said.worker, said.source, &said.at)
                };
                votes.iter().any(is_same)
            };
            let suggested = match &self.labels.set {
                Some(set) => set.vote_of(last),
                None => Vote::of_feedback(last),
            };
            let suggested = suggested.filter(|said| !is_kept(said));
            votes.extend(&suggested);
            let line = JsonLine {
                labels: match self.outcome(record) {
                    Outcome::Labels(labels) => labels,
                    Outcome::NoClass(_) | Outcome::Open(_) => &[],
                },
                text: &last.utterance,
                copies: self.labels.copies(record),
                consensus: self.consolidated.of(record[0].id),
                doubtful: self.consolidated.is_doubtful(record[0].id),
                decided_by: self.consolidated.decided_by(record[0].id),
                record: last,
                votes,
                human_loops: lines
                    .iter()
                    .map(|line| HumanLoop {
                        name: &line.human_loop,
                        flow_definition_arn: &line.flow_definition_arn,
                        labelled_at: &line.labelled_at,
                    })
                    .collect(),
            };
            let mut json = serde_json::to_vec(&line).expect("only string keys and finite numbers");
            json.push(b'\n');
            writer.write_all(&json).map_err(ExportError::Write)?;
            summary.rows += 1;
            summary.copies += line.copies;
            summary.doubtful += u64::from(line.doubtful);
        }
        writer.flush().map_err(ExportError::Write)?;
        Ok(summary)
    }
}
