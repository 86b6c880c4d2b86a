//! The rows of the training files under `initial/`.
//!
//! A file that cannot be used is left out whole and told; so is sample data beside a user's own. One class
//! in several spellings is joined over all files.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io::{self, Read},
    sync::Arc,
};

use active_learning_aws::bucket::BucketError;
use active_learning_core::{
    dataset::{
        ContentId, Mode, ONLY_LABEL, RowError, Rules, SAMPLE_IGNORED, Spellings, TextId, TrainingCheck,
        TrainingFileReport, TrainingFileState, TrainingRows, is_shipped_sample, one_line,
        only_label_out_of_use, text_id,
    },
    erasure::ErasedTexts,
    feedback::prediction::{LABEL_DELIMITER, cut_labels, join_labels, split_labels},
    labels::{
        label_key::label_key,
        label_set::{LabelSet, is_written_as_others},
        missing::is_missing,
    },
    sampling::selection::SelectedBy,
};
use sha2::{Digest, Sha256};

use super::{
    AssembleError,
    row::{LabelSets, Row, Source},
};
use crate::spool::Spool;

/// The files that were read, in order.
pub(super) struct Initial {
    files: Vec<File>,
    /// Labels as they are written.
    label_sets: LabelSets,
    texts: Spool,
    mode: Option<Mode>,
    /// Whether a file may have more labels than the built-in classifier and Comprehend take.
    is_hosted: bool,
    /// Tells names that hold the delimiter.
    set: Option<Arc<LabelSet>>,
    /// Texts that are not learnt again.
    erased: Arc<ErasedTexts>,
    reports: Vec<TrainingFileReport>,
    left_out: BTreeMap<&'static str, u64>,
}

/// A file that can be used.
struct File {
    key: String,
    etag: String,
    rows: Vec<Row>,
    is_sample: bool,
}

/// The rows of all files.
pub(crate) struct InitialRows {
    pub(super) rows: Vec<Row>,
    pub(super) label_sets: LabelSets,
    pub(super) texts: Spool,
    pub(super) mode: Option<Mode>,
    /// Rows and files that were left out, by why.
    pub(super) left_out: BTreeMap<&'static str, u64>,
}

impl InitialRows {
    /// Returns the texts whose row has a label, in the order of the files; of several rows of a text the last counts.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(crate) fn texts_of(
        self,
        label: &str,
        set: &LabelSet,
        is_wanted: impl Fn(TextId) -> bool,
    ) -> io::Result<Vec<String>> {
        let names_label = |written: &String| {
            let classes = set.classes_of_row(written, Mode::MultiLabel).unwrap_or_default();
            classes.iter().any(|class| class == label)
        };
        let is_meant: Vec<bool> = self.label_sets.by_number().iter().map(names_label).collect();
        let texts = self.texts.finish()?;
        let mut seen = HashSet::new();
        let rows = self.rows.iter().rev();
        let rows =
            rows.filter(|row| seen.insert(row.id) && is_meant[row.labels as usize] && is_wanted(row.id));
        let mut found = rows
            .map(|row| texts.read(row.text))
            .collect::<io::Result<Vec<_>>>()?;
        found.reverse();
        Ok(found)
    }

    /// Returns whether a text has several labels, by the label set and otherwise by the delimiter.
    pub(super) fn has_several(&self, set: Option<&LabelSet>) -> bool {
        match set {
            Some(set) => self.label_sets.any_of_several(set),
            None => self.label_sets.any_of_several(&LabelSet::none()),
        }
    }
}

impl Initial {
    /// Starts without files; where no mode is given, labels with a delimiter make it multi-label.
    pub(super) fn new(
        mode: Option<Mode>,
        is_hosted: bool,
        set: Option<Arc<LabelSet>>,
        erased: Arc<ErasedTexts>,
    ) -> io::Result<Self> {
        Ok(Self {
            files: Vec::new(),
            label_sets: LabelSets::default(),
            texts: Spool::new()?,
            mode,
            is_hosted,
            set,
            erased,
            reports: Vec::new(),
            left_out: BTreeMap::new(),
        })
    }

    /// Reads a file. A row that cannot be used refuses the file: half of it would train a wrong model.
    ///
    /// # Errors
    ///
    /// The bucket or the disk failed.
    pub(super) fn read(
        &mut self,
        key: &str,
        etag: &str,
        uri: &str,
        file: impl Read,
    ) -> Result<(), AssembleError> {
        let mut hashed = Hashed {
            inner: file,
            hash: Sha256::new(),
        };
        match self.rows(&mut hashed) {
            Ok((rows, conflicting)) => {
                let sha256 = hex::encode(hashed.hash.finalize());
                self.count("conflicting-initial-row", conflicting);
                self.files.push(File {
                    key: key.to_owned(),
                    etag: etag.to_owned(),
                    rows,
                    is_sample: is_shipped_sample(key, &sha256),
                });
                Ok(())
            }
            Err(Refusal::Reason(reason)) => {
                self.count("refused-initial-file", 1);
                self.report(key, etag, TrainingFileState::Refused, reason);
                Ok(())
            }
            Err(Refusal::Read(source)) => Err(AssembleError::Bucket(BucketError::Broken {
                uri: uri.to_owned(),
                source: source.into(),
            })),
            Err(Refusal::Disk(error)) => Err(AssembleError::Disk(error)),
        }
    }

    fn rows(&mut self, file: impl Read) -> Result<(Vec<Row>, u64), Refusal> {
        let mut check = TrainingCheck::default();
        let (mut rows, mut texts) = (Vec::new(), Vec::new());
        let (mut erased, mut unlabelled) = (0, 0);
        for row in TrainingRows::new(file, Some(LABEL_DELIMITER))? {
            let row = row?;
            if self.erased.contains(&row.text) {
                erased += 1;
                continue;
            }
            let bad = |reason: &str| Refusal::Reason(format!("line {}: {reason}", row.line));
            let mut labels = self.names_in(&row.label);
            labels.retain(|label| !is_missing(label) || self.is_known(label));
            if labels.is_empty() {
                unlabelled += 1;
                continue;
            }
            if self.mode == Some(Mode::MultiClass) && labels.len() > 1 {
                return Err(bad(
                    "the label holds the delimiter `|`, but texts have one class each (in a name it is written `\\|`)",
                ));
            }
            if labels.iter().any(String::is_empty) {
                return Err(bad("the label is empty"));
            }
            let names = labels.iter().map(String::as_str);
            check.add_meaning(names, |name| self.own_name(name), &row.text, row.line);
            texts.push(text_id(&row.text));
            let text = one_line(&row.text);
            let kept = Row {
                id: TextId::of(&text),
                content: ContentId::of(&text),
                text: self.texts.push(&text).map_err(Refusal::Disk)?,
                labels: self.label_sets.number(join_labels(&labels)),
                source: Source::Initial,
                candidate: true,
                selected_by: SelectedBy::Chance,
                copies: 0,
            };
            rows.push(kept);
        }
        let findings = check
            .finish()
            .map_err(|unusable| Refusal::Reason(unusable.to_string()))?;
        self.count("erased", erased);
        self.count("unlabelled-initial-row", unlabelled);
        let mut texts = texts.into_iter();
        let before = rows.len();
        rows.retain(|_| texts.next().is_some_and(|text| !findings.is_conflicting(text)));
        let conflicting = before - rows.len();
        self.check_labels(&rows)?;
        Ok((rows, conflicting as u64))
    }

    /// Refuses what the built-in classifier refuses of the labels of a file; any number of them where a model learns that is
    /// hosted elsewhere.
    fn check_labels(&self, rows: &[Row]) -> Result<(), Refusal> {
        let written = self.label_sets.by_number();
        let used: BTreeSet<u32> = rows.iter().map(|row| row.labels).collect();
        let used = used.iter().map(|number| split_labels(&written[*number as usize]));
        let used: Vec<Vec<String>> = used.collect();
        let several = self.mode == Some(Mode::MultiLabel) || used.iter().any(|labels| labels.len() > 1);
        let mode = if several {
            Mode::MultiLabel
        } else {
            Mode::MultiClass
        };
        let limit = match self.is_hosted {
            true => usize::MAX,
            false => Rules::comprehend(mode).max_classes,
        };
        let names = used.into_iter().flatten();
        let names: BTreeMap<String, String> = names
            .map(|name| (label_key(self.own_name(&name)), name))
            .collect();
        let is_known = |name: &str| names.contains_key(&label_key(name));
        let refused = match names.values().find(|name| is_written_as_others(name, is_known)) {
            _ if names.len() > limit => format!(
                "the file has {} different labels, at most {limit} are supported (label first, then the text?)",
                names.len()
            ),
            Some(label) if several => format!(
                "the label `{label}` could not be told from several labels of one text, which are written with a bar (|) \
                 between them, and each part of it is a label: rename it"
            ),
            _ => return Ok(()),
        };
        Err(Refusal::Reason(refused))
    }

    /// Cuts a label column into names: where a part is none of the label set, at each delimiter that is not escaped.
    fn names_in(&self, label: &str) -> Vec<String> {
        let known = |part: &str| self.set.as_ref()?.find(part).map(|_| part.to_owned());
        cut_labels(label, known).unwrap_or_else(|| split_labels(label))
    }

    /// Returns whether the label set has a label.
    fn is_known(&self, label: &str) -> bool {
        self.set.as_ref().is_some_and(|set| set.find(label).is_some())
    }

    /// Returns the name that the label set has for a label now.
    fn own_name<'n>(&'n self, name: &'n str) -> &'n str {
        self.set.as_ref().map_or(name, |set| set.own_name(name))
    }

    /// Leaves sample data out where there is other data, and joins what is one class.
    pub(super) fn finish(mut self) -> (InitialRows, Vec<TrainingFileReport>) {
        self.see_to_only_labels();
        if self.files.iter().any(|file| !file.is_sample) {
            let (samples, own): (Vec<File>, Vec<File>) =
                self.files.into_iter().partition(|file| file.is_sample);
            self.files = own;
            for sample in samples {
                self.count("sample-row", sample.rows.len() as u64);
                let reason = SAMPLE_IGNORED.to_owned();
                self.report(&sample.key, &sample.etag, TrainingFileState::Ignored, reason);
            }
        }
        let written = self.label_sets.by_number();
        let mut counts = vec![0; written.len()];
        for row in self.files.iter().flat_map(|file| &file.rows) {
            counts[row.labels as usize] += 1;
        }
        let mut spellings = Spellings::default();
        for (labels, rows) in written.iter().zip(&counts).filter(|(_, rows)| **rows > 0) {
            let labels = split_labels(labels);
            labels.iter().for_each(|label| spellings.add(label, *rows));
        }
        let (spellings, _) = spellings.finish();
        let mut label_sets = LabelSets::default();
        let mut rows = Vec::new();
        for row in self.files.into_iter().flat_map(|file| file.rows) {
            let labels = split_labels(&written[row.labels as usize]);
            let joined = join_labels(labels.iter().map(|label| spellings.of(label)));
            let labels = label_sets.number(joined);
            rows.push(Row { labels, ..row });
        }
        let initial = InitialRows {
            rows,
            label_sets,
            texts: self.texts,
            mode: self.mode,
            left_out: self.left_out,
        };
        (initial, self.reports)
    }

    /// Reports the user's own files whose rows all have one label. Where there is no other to tell it from, they are left out.
    fn see_to_only_labels(&mut self) {
        let written = self.label_sets.by_number();
        let labels_of = |file: &File| -> BTreeSet<String> {
            let numbers: BTreeSet<u32> = file.rows.iter().map(|row| row.labels).collect();
            let labels = numbers
                .iter()
                .map(|number| split_labels(&written[*number as usize]));
            let labels = labels.flatten();
            labels.map(|label| label_key(self.own_name(&label))).collect()
        };
        let labels: Vec<Option<BTreeSet<String>>> = self
            .files
            .iter()
            .map(|file| (!file.is_sample).then(|| labels_of(file)))
            .collect();
        let all: BTreeSet<&String> = labels.iter().flatten().flatten().collect();
        let set = self.set.clone();
        let is_told_apart =
            |label: &str| all.len() > 1 || set.as_ref().is_some_and(|set| set.has_labels_beside(label));
        let mut files = Vec::new();
        for (file, labels) in std::mem::take(&mut self.files).into_iter().zip(&labels) {
            let labels = labels.as_ref().filter(|labels| labels.len() == 1);
            let Some(label) = labels.and_then(|labels| labels.first()) else {
                files.push(file);
                continue;
            };
            let refused = match set.as_ref().and_then(|set| set.out_of_use(label)) {
                Some(label) => only_label_out_of_use(label),
                None if is_told_apart(label) => {
                    let mut report = TrainingFileReport::of(&file.key, &file.etag, TrainingFileState::Taken);
                    report.repairs.push(ONLY_LABEL.to_owned());
                    self.reports.push(report);
                    files.push(file);
                    continue;
                }
                None => "the file has 1 different label, at least two are needed".to_owned(),
            };
            self.count("refused-initial-file", 1);
            self.report(&file.key, &file.etag, TrainingFileState::Refused, refused);
        }
        self.files = files;
    }

    fn count(&mut self, why: &'static str, count: u64) {
        if count > 0 {
            *self.left_out.entry(why).or_default() += count;
        }
    }

    fn report(&mut self, key: &str, etag: &str, state: TrainingFileState, reason: String) {
        let mut report = TrainingFileReport::of(key, etag, state);
        report.reason = Some(reason);
        self.reports.push(report);
    }
}

/// Why a file gives no rows.
enum Refusal {
    Reason(String),
    Read(io::Error),
    Disk(io::Error),
}

impl From<RowError> for Refusal {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Read(error) => Self::Read(error),
            RowError::Bad(bad) => Self::Reason(bad.to_string()),
        }
    }
}

/// Hashes what is read.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
