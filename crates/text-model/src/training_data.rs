//! Training data on its way into a model: Comprehend's CSV, `LABEL,text` or `LABEL|LABEL,text`, or
//! augmented manifests. A bar within a name is written `\|`.
//!
//! How rows are read is told at [`TrainingRows`]; what is wrong with one refuses the file with the line's
//! number: a model trained on half a file helps nobody. What can be understood is taken and told in
//! [`TrainingSet::repairs`]. Texts are turned into features row by row; they themselves are kept as long as an
//! encoder may ask for them ([`MAX_ENCODED`]). Features take roughly four times the text's size.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
};

use active_learning_core::{
    dataset::{
        BadRow, Findings, Mode, RowError, TrainingCheck, TrainingRows, Unusable, label_problem, text_id,
        warn_of_single_rows,
    },
    feedback::prediction::{cut_labels, split_labels},
    labels::{
        label_key::label_key,
        label_set::is_written_as_others,
        missing::{MissingLabels, is_missing},
    },
    sampling::selection::{SelectedBy, SelectedTexts},
    text::{Vector, VectorId, counted, counted_as, is_blank, look_alike, vector_id},
};

use crate::{features::Features, labelled::Labelled};

pub use self::texts::LabelledTexts;

mod texts;

/// Separates the labels of a row in a multi-label file.
pub const LABEL_DELIMITER: char = '|';
/// Most classes of a multi-class model, as in Comprehend.
pub const MAX_CLASSES: usize = 1_000;
/// Most labels of a multi-label model, as in Comprehend.
pub const MAX_LABELS: usize = 100;

/// Most texts whose vectors a model learns from: with more of them n-grams alone are as good, and vectors take minutes.
pub const MAX_ENCODED: usize = 20_000;

/// Texts between two lines of the log.
const PROGRESS_EVERY: usize = 100_000;

/// Labelled texts, ready to train on.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingSet {
    /// Whether a text has one label or several.
    pub mode: Mode,
    /// Sorted, without duplicates.
    pub labels: Vec<String>,
    /// The texts, in the order of the file.
    pub examples: Vec<Example>,
    /// What was read otherwise than it is written, and what to mind, in sentences; they name no text.
    pub repairs: Vec<String>,
    /// Identity of the encoder that made the texts' vectors, if they have any.
    pub encoder: Option<String>,
    /// Vectors, of the same encoder, of the labels' names, in their order; none, or one a label.
    pub names: Vec<Vector>,
    /// Vectors, of the same encoder, of texts that nobody has labelled; as many as there are at hand.
    pub unlabelled: Vec<Vector>,
}

/// Labelled texts to test a model with.
#[derive(Debug, Clone, PartialEq)]
pub struct TestSet {
    /// The texts, in the order of the files.
    pub examples: Vec<Example>,
    /// What was read otherwise than it is written, in sentences; they name no text.
    pub repairs: Vec<String>,
}

/// One labelled text.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Indexes into [`TrainingSet::labels`], ascending; exactly one in multi-class mode.
    pub labels: Box<[u32]>,
    /// What the model sees of the text.
    pub features: Features,
    /// Identity of the text.
    pub id: VectorId,
    /// The text itself, unless there are more than [`MAX_ENCODED`].
    pub text: Option<Box<str>>,
    /// What an encoder made of it.
    pub vector: Option<Vector>,
    /// How it was selected, and so for how many texts of the traffic it stands.
    pub selected_by: SelectedBy,
}

impl Example {
    pub(crate) fn labelled(&self) -> Labelled<'_> {
        Labelled {
            features: &self.features,
            labels: &self.labels,
            vector: self.vector.as_ref(),
            selected_by: self.selected_by,
        }
    }
}

/// Why a training file is refused. Messages name the line, never its text.
#[derive(Debug, thiserror::Error)]
pub enum TrainingDataError {
    /// The source failed, not the data.
    #[error("the training file could not be read")]
    Read(#[source] io::Error),
    /// A row, or the file, cannot be used.
    #[error(transparent)]
    Bad(#[from] BadRow),
    /// The rows together cannot be meant.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// Some bytes of the line are not UTF-8.
    #[error("line {line}: not valid UTF-8")]
    NotUtf8 {
        /// The line, from 1.
        line: u64,
    },
    /// No label, or an empty one between delimiters.
    #[error("line {line}: the label is empty")]
    EmptyLabel {
        /// Line on which the row starts, from 1.
        line: u64,
    },
    /// A label that can be none.
    #[error("line {line}: {reason}")]
    BadLabel {
        /// Line on which the row starts, from 1.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// No text, or only what cannot be seen.
    #[error("line {line}: the text is empty")]
    EmptyText {
        /// Line on which the row starts, from 1.
        line: u64,
    },
    /// Nothing to tell apart.
    #[error(
        "the file has {} different {}, at least two are needed",
        .labels.len(),
        if .labels.len() == 1 { "label" } else { "labels" }
    )]
    TooFewLabels {
        /// Different labels in the file.
        labels: Vec<String>,
        /// What was read otherwise than it is written.
        repairs: Vec<String>,
    },
    /// Nothing to tell apart, once the texts with different labels are left out.
    #[error(
        "only {} different {} left, at least two are needed: {conflicts}",
        .labels.len(),
        if .labels.len() == 1 { "label is" } else { "labels are" }
    )]
    TooFewLabelsLeft {
        /// Different labels that are left.
        labels: Vec<String>,
        /// What was read otherwise than it is written.
        repairs: Vec<String>,
        /// Which texts have different labels, by their lines.
        conflicts: String,
    },
    /// The rows of a test set together cannot be meant.
    #[error("the test set cannot be used: {0}")]
    UnusableTestSet(#[source] Unusable),
    /// More than [`MAX_CLASSES`] or [`MAX_LABELS`].
    #[error(
        "the file has {found} different labels, at most {limit} are supported (label first, then the text?)"
    )]
    TooManyLabels {
        /// Different labels in the file.
        found: usize,
        /// Most labels in the file's mode.
        limit: usize,
    },
    /// Labels stand beside one another of which the one is written as the others together.
    #[error(
        "the label `{label}` could not be told from several labels of one text, which are written with a bar (|) between \
         them, and each part of it is a label: rename it"
    )]
    AmbiguousLabel {
        /// The label.
        label: String,
    },
    /// A test set names labels that the training set does not have.
    #[error("the test set has {unknown} labels that the training set does not have")]
    UnknownLabels {
        /// Different labels that are new in it.
        unknown: usize,
    },
    /// A line of an augmented manifest is not a JSON object with a text and the labels of an attribute.
    #[error("line {line}: {reason}")]
    Manifest {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
}

impl TrainingDataError {
    /// Returns the label of rows that have nothing wrong but that it is the only one, and what was repaired in them.
    pub fn only_label(self) -> Result<(String, Vec<String>), Self> {
        match self {
            Self::TooFewLabels { mut labels, repairs }
            | Self::TooFewLabelsLeft {
                mut labels, repairs, ..
            } if labels.len() == 1 => Ok((labels.remove(0), repairs)),
            other => Err(other),
        }
    }
}

impl From<RowError> for TrainingDataError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Read(error) => Self::Read(error),
            RowError::Bad(bad) => Self::Bad(bad),
        }
    }
}

/// How many labels a row may have, and what separates them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelSyntax {
    /// One, unless a label somewhere holds [`LABEL_DELIMITER`].
    Detect,
    /// One, whatever characters it holds.
    One,
    /// Any number, separated by a character.
    Several(char),
}

/// Labels that are told one by one.
const SHOWN_NAMES: usize = 20;

/// Labelled texts on their way into a set: any number of files, in order.
#[derive(Debug)]
pub struct Collector {
    syntax: LabelSyntax,
    mode: Mode,
    label_ids: BTreeMap<String, u32>,
    rows: Vec<Collected>,
    check: TrainingCheck,
    repairs: Vec<String>,
    /// Whether what programs write where there is no label is left out.
    leaves_out_missing: bool,
    /// Whether nothing but the texts themselves is wanted of them, all of them.
    keeps_texts_alone: bool,
    /// Rows that were found to have several labels.
    cut_rows: u64,
    /// Labels as they are written, with the name that they got, and their rows.
    renamed: BTreeMap<(String, String), u64>,
}

/// A row that was read.
#[derive(Debug)]
struct Collected {
    /// Numbers of its labels, as they are spelt.
    labels: Box<[u32]>,
    /// Tells texts apart: see [`text_id`].
    text: u64,
    id: VectorId,
    /// None of a text that is not trained on.
    features: Option<Features>,
    /// The text itself, as long as there are few.
    kept: Option<Box<str>>,
}

/// What is left of all rows once they are known.
struct Joined {
    /// Sorted, in the spelling that is used.
    labels: Vec<String>,
    /// What was read otherwise than it is written, and what to mind.
    repairs: Vec<String>,
}

impl TrainingSet {
    /// Reads Comprehend CSV row by row; it is multi-label if any label holds [`LABEL_DELIMITER`].
    ///
    /// # Errors
    ///
    /// The first row that cannot be used, or too few or too many labels in the whole file.
    /// Source: Amazon Comprehend, "Preparing classifier training data".
    pub fn read_csv(reader: impl Read) -> Result<Self, TrainingDataError> {
        let mut collector = Collector::new(LabelSyntax::Detect);
        collector.read_csv(reader)?;
        collector.training_set()
    }

    /// Reads Comprehend CSV as [`TrainingSet::read_csv`] does, and leaves texts out that are not to be
    /// trained on.
    ///
    /// Labels are those of the whole file: one may be without an example. `own_name` returns the name that a label has
    /// elsewhere, which it gets here too; what it knows is one label although it holds the delimiter. What programs write
    /// where there is none, such as `NaN`, is left out and told, unless it is known. With
    /// [`Mode::MultiLabel`] the set is of that mode also where each text has one label.
    ///
    /// # Errors
    ///
    /// As [`TrainingSet::read_csv`].
    pub fn read_csv_where(
        reader: impl Read,
        mode: Mode,
        own_name: &dyn Fn(&str) -> Option<String>,
        is_wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Self, TrainingDataError> {
        let mut collector = Collector::new(LabelSyntax::Detect);
        collector.mode = mode;
        collector.leaves_out_missing = true;
        collector.read_csv_where(reader, own_name, is_wanted)?;
        collector.training_set()
    }

    /// Returns how many examples each label has.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.labels.len()];
        for label in self.examples.iter().flat_map(|example| &example.labels) {
            counts[*label as usize] += 1;
        }
        counts
    }

    /// Returns the texts in order, for an encoder; `None` if there are more than [`MAX_ENCODED`].
    #[must_use]
    pub fn texts(&self) -> Option<Vec<&str>> {
        texts(&self.examples)
    }

    /// Has the model learn from vectors too: one for each text, in order, all of the encoder with that identity.
    ///
    /// # Panics
    ///
    /// Where there are not as many as texts.
    pub fn set_vectors(&mut self, encoder: &str, vectors: Vec<Vector>) {
        set_vectors(&mut self.examples, vectors);
        self.encoder = Some(encoder.to_owned());
    }

    /// Has the model learn from what its labels are called too: vectors of [`TrainingSet::labels`] as they are written, in order,
    /// of the same encoder as [`TrainingSet::set_vectors`] took. Worth most while few texts have a label.
    ///
    /// # Panics
    ///
    /// Where there are not as many as labels.
    pub fn set_name_vectors(&mut self, names: Vec<Vector>) {
        assert_eq!(names.len(), self.labels.len(), "one a label");
        self.names = names;
    }

    /// Notes how the texts were selected, however many there are: the confidence is to be that of the traffic.
    pub fn set_selected(&mut self, selected: &SelectedTexts) {
        for example in &mut self.examples {
            example.selected_by = selected.of(&example.id);
        }
    }

    /// Returns the number of labelled texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Returns whether there is no labelled text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }
}

/// Cuts a label column into names: where a part is no name that is known, at each delimiter that is not escaped.
fn names_in(label: &str, own_name: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let known = |part: &str| own_name(part).map(|_| part.to_owned());
    let parts = split_labels(label);
    match parts.len() {
        1 => parts,
        _ => cut_labels(label, known).unwrap_or(parts),
    }
}

/// Leaves out what programs write where there is no label, unless it is known as one. Returns whether there was any.
fn leave_out_missing(names: &mut Vec<String>, own_name: &dyn Fn(&str) -> Option<String>) -> bool {
    let before = names.len();
    names.retain(|name| !is_missing(name) || own_name(name).is_some());
    names.len() < before
}

/// Returns the texts in order; `None` unless all were kept.
pub fn texts(examples: &[Example]) -> Option<Vec<&str>> {
    examples.iter().map(|example| example.text.as_deref()).collect()
}

/// Gives each text its vector.
///
/// # Panics
///
/// Where there are not as many as texts.
pub fn set_vectors(examples: &mut [Example], vectors: Vec<Vector>) {
    assert_eq!(vectors.len(), examples.len(), "one a text");
    for (example, vector) in examples.iter_mut().zip(vectors) {
        example.vector = Some(vector);
    }
}

impl Collector {
    /// Starts without a text.
    pub fn new(syntax: LabelSyntax) -> Self {
        let mode = match syntax {
            LabelSyntax::Detect | LabelSyntax::One => Mode::MultiClass,
            LabelSyntax::Several(_) => Mode::MultiLabel,
        };
        Self {
            syntax,
            mode,
            label_ids: BTreeMap::new(),
            rows: Vec::new(),
            check: TrainingCheck::default(),
            repairs: Vec::new(),
            leaves_out_missing: false,
            keeps_texts_alone: false,
            cut_rows: 0,
            renamed: BTreeMap::new(),
        }
    }

    /// Adds the rows of a CSV file.
    pub fn read_csv(&mut self, reader: impl Read) -> Result<(), TrainingDataError> {
        self.read_csv_where(reader, &|_| None, &|_| true)
    }

    /// Adds the rows of a CSV file but those of texts whose labels stand elsewhere by now.
    pub fn read_csv_but(
        &mut self,
        reader: impl Read,
        is_outdated: &dyn Fn(&str) -> bool,
    ) -> Result<(), TrainingDataError> {
        let mut outdated = 0;
        self.read_rows(reader, &|_| None, &|_| true, &mut |text| {
            let leaves_out = is_outdated(text);
            outdated += u64::from(leaves_out);
            leaves_out
        })?;
        if outdated > 0 {
            let rows = counted_as(outdated, "row is", "rows are");
            self.repairs
                .push(format!("{rows} left out: a newer dataset has the text"));
        }
        Ok(())
    }

    fn read_csv_where(
        &mut self,
        reader: impl Read,
        own_name: &dyn Fn(&str) -> Option<String>,
        is_wanted: &dyn Fn(&str) -> bool,
    ) -> Result<(), TrainingDataError> {
        self.read_rows(reader, own_name, is_wanted, &mut |_| false)
    }

    fn read_rows(
        &mut self,
        reader: impl Read,
        own_name: &dyn Fn(&str) -> Option<String>,
        is_wanted: &dyn Fn(&str) -> bool,
        leaves_out: &mut dyn FnMut(&str) -> bool,
    ) -> Result<(), TrainingDataError> {
        let label_delimiter = match self.syntax {
            LabelSyntax::Detect | LabelSyntax::One => None,
            LabelSyntax::Several(delimiter) => Some(delimiter),
        };
        let mut missing = MissingLabels::default();
        let mut rows = TrainingRows::new(reader, label_delimiter)?;
        if self.syntax != LabelSyntax::Detect {
            rows = rows.taking_any_names();
        }
        for row in rows.by_ref() {
            let row = row?;
            let (label, text) = (row.label.as_str(), row.text.as_str());
            if leaves_out(text) {
                continue;
            }
            let is_wanted = is_wanted(text);
            match self.syntax {
                LabelSyntax::Detect => {
                    let mut names = names_in(label, own_name);
                    if self.leaves_out_missing && leave_out_missing(&mut names, own_name) {
                        missing.left_out(row.line);
                        if names.is_empty() {
                            continue;
                        }
                    }
                    names.iter().for_each(|name| missing.taken(name, row.line));
                    for name in &mut names {
                        self.use_own_name(name, own_name);
                    }
                    if names.len() > 1 {
                        self.mode = Mode::MultiLabel;
                        self.cut_rows += 1;
                    }
                    self.add(names.iter().map(String::as_str), text, row.line, is_wanted)?;
                }
                LabelSyntax::One => {
                    missing.taken(label, row.line);
                    self.add([label], text, row.line, is_wanted)?;
                }
                LabelSyntax::Several(delimiter) => {
                    let names = label.split(delimiter);
                    names.for_each(|name| missing.taken(name, row.line));
                    self.add(label.split(delimiter), text, row.line, is_wanted)?;
                }
            }
        }
        self.repairs.extend(rows.repairs());
        self.repairs.extend(missing.told());
        Ok(())
    }

    /// Gives a label the name that it has elsewhere, and counts it.
    fn use_own_name(&mut self, name: &mut String, own_name: &dyn Fn(&str) -> Option<String>) {
        let Some(own) = own_name(name).filter(|own| own != name) else {
            return;
        };
        let written = std::mem::replace(name, own.clone());
        *self.renamed.entry((written, own)).or_default() += 1;
    }

    /// Says of which file the lines are that were told of so far.
    pub fn name_repairs(&mut self, file: &str) {
        for repair in self
            .repairs
            .iter_mut()
            .filter(|repair| repair.starts_with("line "))
        {
            *repair = format!("{file}: {repair}");
        }
    }

    /// Returns what was read otherwise than it is written so far.
    pub fn repairs(&self) -> &[String] {
        &self.repairs
    }

    /// Adds one text.
    pub fn push<'a>(
        &mut self,
        labels: impl IntoIterator<Item = &'a str>,
        text: &str,
        line: u64,
    ) -> Result<(), TrainingDataError> {
        self.add(labels, text, line, true)
    }

    fn add<'a>(
        &mut self,
        labels: impl IntoIterator<Item = &'a str>,
        text: &str,
        line: u64,
        is_wanted: bool,
    ) -> Result<(), TrainingDataError> {
        let labels: Vec<&str> = labels.into_iter().map(str::trim).collect();
        if labels.iter().any(|label| label.is_empty()) {
            return Err(TrainingDataError::EmptyLabel { line });
        }
        if let Some(reason) = labels.iter().find_map(|label| label_problem(label)) {
            return Err(TrainingDataError::BadLabel { line, reason });
        }
        if is_blank(text) {
            return Err(TrainingDataError::EmptyText { line });
        }
        let mut ids = Vec::new();
        for label in &labels {
            let next = self.label_ids.len() as u32;
            ids.push(*self.label_ids.entry((*label).to_owned()).or_insert(next));
        }
        self.check.add(labels, text, line);
        self.rows.push(Collected {
            labels: ids.into_boxed_slice(),
            text: text_id(text),
            id: vector_id(text),
            features: (is_wanted && !self.keeps_texts_alone).then(|| Features::of(text)),
            kept: (is_wanted && (self.keeps_texts_alone || self.rows.len() < MAX_ENCODED))
                .then(|| text.into()),
        });
        if self.rows.len() == MAX_ENCODED + 1 && !self.keeps_texts_alone {
            self.rows.iter_mut().for_each(|row| row.kept = None);
        }
        if self.rows.len().is_multiple_of(PROGRESS_EVERY) {
            tracing::info!(texts = self.rows.len(), "reading training data");
        }
        Ok(())
    }

    /// Checks that no label of a file whose rows say themselves how many they have is written as others together.
    fn check_unambiguous(&self, labels: &[String]) -> Result<(), TrainingDataError> {
        if self.syntax != LabelSyntax::Detect || self.mode != Mode::MultiLabel {
            return Ok(());
        }
        let known: BTreeSet<String> = labels.iter().map(|label| label_key(label)).collect();
        let is_known = |name: &str| known.contains(&label_key(name));
        match labels.iter().find(|label| is_written_as_others(label, is_known)) {
            Some(label) => Err(TrainingDataError::AmbiguousLabel { label: label.clone() }),
            None => Ok(()),
        }
    }

    /// Joins what is one label, leaves out what has several, and numbers the labels in alphabetical order:
    /// a model does not depend on which came first.
    pub fn training_set(mut self) -> Result<TrainingSet, TrainingDataError> {
        let (findings, Joined { labels, repairs }) = self.join_to_learn()?;
        Ok(TrainingSet {
            mode: self.mode,
            examples: self.renumbered(&labels, &findings)?,
            labels,
            repairs,
            encoder: None,
            names: Vec::new(),
            unlabelled: Vec::new(),
        })
    }

    /// Joins and leaves out as [`Collector::join`] does, and refuses what a model cannot learn from.
    fn join_to_learn(&mut self) -> Result<(Findings, Joined), TrainingDataError> {
        let findings = std::mem::take(&mut self.check).finish()?;
        let joined = self.join(&findings);
        check_label_count(&joined, self.mode, &findings)?;
        self.check_unambiguous(&joined.labels)?;
        Ok((findings, joined))
    }

    /// Leaves out the texts with different labels; returns the labels that are left and what is told of all.
    fn join(&mut self, findings: &Findings) -> Joined {
        self.rows.retain(|row| !findings.is_conflicting(row.text));
        let mut rows_of = vec![0_u64; self.label_ids.len()];
        for id in self.rows.iter().flat_map(|row| &row.labels) {
            rows_of[*id as usize] += 1;
        }
        let used = self.label_ids.iter().filter(|(_, id)| rows_of[**id as usize] > 0);
        let labels: BTreeSet<String> = used
            .map(|(label, _)| findings.spelling(label).to_owned())
            .collect();
        let labels: Vec<String> = labels.into_iter().collect();
        let mut counts = vec![0; labels.len()];
        for (label, id) in &self.label_ids {
            if let Ok(number) = labels.binary_search_by(|other| other.as_str().cmp(findings.spelling(label)))
            {
                counts[number] += rows_of[*id as usize];
            }
        }
        let mut repairs = std::mem::take(&mut self.repairs);
        repairs.extend(tell_of_several_labels(self.cut_rows, self.rows.len()));
        repairs.extend(
            self.renamed
                .iter()
                .take(SHOWN_NAMES)
                .map(|((written, own), rows)| {
                    let how = look_alike(written, own).map(|how| format!("; {how}"));
                    format!(
                        "`{written}` ({}{}) is read as `{own}`, as the label set calls it",
                        counted(*rows, "row"),
                        how.unwrap_or_default()
                    )
                }),
        );
        let more = self.renamed.len().saturating_sub(SHOWN_NAMES);
        repairs.extend((more > 0).then(|| {
            let more = counted_as(more, "more label has its name", "more labels have the names");
            format!("{more} of the label set")
        }));
        repairs.extend(findings.repairs.iter().cloned());
        repairs.extend(warn_of_single_rows(labels.iter().map(String::as_str).zip(counts)));
        Joined { labels, repairs }
    }

    /// Returns the texts as a test of a model with these sorted labels, whatever their spelling. Texts with different labels are
    /// left out, and all that is read otherwise than it is written is told. Columns are held to be swapped only where most
    /// labels are none of these: a small test set may have a row for each label.
    ///
    /// # Errors
    ///
    /// [`TrainingDataError::UnusableTestSet`], or labels that are none of these.
    pub fn test_set(mut self, labels: &[String]) -> Result<TestSet, TrainingDataError> {
        let check = std::mem::take(&mut self.check);
        let findings = Findings::of_labels(labels);
        if 2 * self.unknown_labels(labels, &findings) > self.label_ids.len() {
            check
                .check_columns()
                .map_err(TrainingDataError::UnusableTestSet)?;
        }
        let own = check.finish_of_known_labels();
        let own = own.map_err(TrainingDataError::UnusableTestSet)?;
        self.rows.retain(|row| !own.is_conflicting(row.text));
        let mut repairs = std::mem::take(&mut self.repairs);
        let respelt = self.label_ids.keys().filter_map(|label| {
            let spelling = findings.spelling(label);
            let is_other = spelling != label
                && labels
                    .binary_search_by(|other| other.as_str().cmp(spelling))
                    .is_ok();
            is_other.then(|| format!("`{label}` of the test set is read as `{spelling}`"))
        });
        repairs.extend(respelt.take(SHOWN_NAMES));
        repairs.extend(
            own.conflicts
                .map(|conflicts| format!("in the test set {conflicts}")),
        );
        let examples = self.renumbered(labels, &findings)?;
        Ok(TestSet { examples, repairs })
    }

    /// Returns how many labels, as they are written, are none of these sorted ones.
    fn unknown_labels(&self, sorted_labels: &[String], findings: &Findings) -> usize {
        let spellings = self.label_ids.keys().map(|label| findings.spelling(label));
        spellings
            .filter(|spelling| {
                sorted_labels
                    .binary_search_by(|other| other.as_str().cmp(spelling))
                    .is_err()
            })
            .count()
    }

    fn renumbered(
        self,
        sorted_labels: &[String],
        findings: &Findings,
    ) -> Result<Vec<Example>, TrainingDataError> {
        let mut sorted_ids = vec![None; self.label_ids.len()];
        for (label, &id) in &self.label_ids {
            let spelling = findings.spelling(label).to_owned();
            sorted_ids[id as usize] = sorted_labels
                .binary_search(&spelling)
                .ok()
                .map(|sorted| sorted as u32);
        }
        let named: BTreeSet<u32> = self
            .rows
            .iter()
            .flat_map(|row| row.labels.iter().copied())
            .collect();
        let unknown = named
            .iter()
            .filter(|id| sorted_ids[**id as usize].is_none())
            .count();
        if unknown > 0 {
            return Err(TrainingDataError::UnknownLabels { unknown });
        }
        let wanted = self
            .rows
            .into_iter()
            .filter_map(|row| Some((row.labels, row.id, row.features?, row.kept)));
        let examples = wanted.map(|(labels, id, features, text)| {
            let mut labels: Vec<u32> = labels.iter().filter_map(|&id| sorted_ids[id as usize]).collect();
            labels.sort_unstable();
            labels.dedup();
            Example {
                labels: labels.into_boxed_slice(),
                features,
                id,
                text,
                vector: None,
                selected_by: SelectedBy::Chance,
            }
        });
        Ok(examples.collect())
    }
}

/// Tells that labels were cut at the delimiter, where most rows have one label: it may be part of a name.
fn tell_of_several_labels(cut_rows: u64, rows: usize) -> Option<String> {
    let are_few = cut_rows > 0 && 2 * cut_rows < rows as u64;
    are_few.then(|| {
        format!(
            "`{LABEL_DELIMITER}` separates several labels in {cut_rows} of {rows} rows, so that a text may get \
             several; where it belongs to a name, write `\\{LABEL_DELIMITER}`"
        )
    })
}

fn check_label_count(joined: &Joined, mode: Mode, findings: &Findings) -> Result<(), TrainingDataError> {
    let found = joined.labels.len();
    let limit = match mode {
        Mode::MultiClass => MAX_CLASSES,
        Mode::MultiLabel => MAX_LABELS,
    };
    if found < 2 {
        let (labels, repairs) = (joined.labels.clone(), joined.repairs.clone());
        return Err(match findings.conflicts.clone() {
            Some(conflicts) => TrainingDataError::TooFewLabelsLeft {
                labels,
                repairs,
                conflicts,
            },
            None => TrainingDataError::TooFewLabels { labels, repairs },
        });
    }
    if found > limit {
        return Err(TrainingDataError::TooManyLabels { found, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
