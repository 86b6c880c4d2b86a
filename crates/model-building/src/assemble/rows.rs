//! The rows that a dataset is made of: of each text one, with the label that counts.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
    io::{self, Read},
    rc::Rc,
    sync::Arc,
};

use active_learning_core::{
    dataset::{self, ContentId, Mode, one_line, read_csv},
    feedback::prediction::LABEL_DELIMITER,
    labels::{
        agreement::{AgreementReport, ReviewerReport, agreement, reviewers},
        consolidation::{Method, Settings, consolidate},
        label_set::{LabelSet, Origin},
    },
};
use serde::Serialize;

use super::AssembleError;
use crate::{
    labels::{Labels, LastAnswers, Line, Outcome},
    spool::{Piece, Spool, Texts},
};

/// A text with its labels; 48 bytes.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub content: ContentId,
    text: Piece,
    /// Number of its set of labels.
    pub labels: u32,
    pub source: Source,
    /// Whether it may be held out: its text is an initial row, or chance selected it from the traffic.
    pub candidate: bool,
    /// Copies of the text that its answer serves.
    pub copies: u64,
}

/// Where a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Initial,
    HumanReview,
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::HumanReview => "human-review",
        }
    }
}

/// How far people agree, and what their votes came to: `agreement.json` of a dataset version.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelReport {
    /// How votes became consensus.
    pub method: Method,
    /// Records by what their votes came to.
    pub outcomes: BTreeMap<String, u64>,
    /// Agreement over all answers and on each label.
    #[serde(flatten)]
    pub agreement: AgreementReport,
    /// Each reviewer's work, by worker id.
    pub reviewers: BTreeMap<String, ReviewerReport>,
}

/// Different labels or sets of them, numbered.
struct Numbered<T>(HashMap<T, u32>);

impl<T: Eq + Hash> Default for Numbered<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Numbered<T> {
    fn number(&mut self, labels: T) -> u32 {
        let next = u32::try_from(self.0.len()).expect("fewer label sets than rows");
        *self.0.entry(labels).or_insert(next)
    }

    /// Returns them by number.
    fn in_order(self) -> Vec<T> {
        let mut in_order: Vec<(T, u32)> = self.0.into_iter().collect();
        in_order.sort_unstable_by_key(|(_, number)| *number);
        in_order.into_iter().map(|(labels, _)| labels).collect()
    }
}

impl Numbered<String> {
    /// Returns whether a label of a file names several, by the label set and otherwise by the delimiter.
    fn any_of_several(&self, set: &LabelSet) -> bool {
        let is_several = |label: &String| match set.names(label) {
            Some(names) => names.len() > 1,
            None => label.contains(LABEL_DELIMITER),
        };
        self.0.keys().any(is_several)
    }
}

/// The rows of the files under `initial/`, in order.
pub(super) struct Initial {
    rows: Vec<Row>,
    /// Labels as the files have them.
    labels: Numbered<String>,
    texts: Spool,
    mode: Option<Mode>,
}

impl Initial {
    /// Starts without rows; where no mode is given, labels with a delimiter make it multi-label.
    pub(super) fn new(mode: Option<Mode>) -> io::Result<Self> {
        Ok(Self {
            rows: Vec::new(),
            labels: Numbered::default(),
            texts: Spool::new()?,
            mode,
        })
    }

    /// Adds the rows of a file. A row that cannot be used refuses the file: half of it would train a wrong model.
    pub(super) fn read(&mut self, key: &str, file: impl Read) -> Result<(), AssembleError> {
        let failure = Rc::new(RefCell::new(None));
        let watched = Watched {
            file,
            failure: failure.clone(),
        };
        // Labels are split later, once the mode is known.
        for (row, number) in read_csv(watched, Mode::MultiClass).zip(1..) {
            if let Some(source) = failure.take() {
                return Err(AssembleError::S3 {
                    key: key.to_owned(),
                    source: source.into(),
                });
            }
            let bad = |row, reason| AssembleError::InitialRow {
                key: key.to_owned(),
                row,
                reason,
            };
            let row = row.map_err(|error| bad(error.row, error.reason))?;
            let text = one_line(&row.text);
            let label = row.labels.concat().trim().to_owned();
            self.check(&label, &text)
                .map_err(|reason| bad(number, reason.to_owned()))?;
            let row = Row {
                content: ContentId::of(&text),
                text: self.texts.push(&text).map_err(AssembleError::Disk)?,
                labels: self.labels.number(label),
                source: Source::Initial,
                candidate: true,
                copies: 0,
            };
            self.rows.push(row);
        }
        Ok(())
    }

    fn check(&self, label: &str, text: &str) -> Result<(), &'static str> {
        if text.is_empty() {
            return Err("the text is empty");
        }
        if label.contains(char::is_control) {
            return Err("the label holds a line break or another control character");
        }
        if label.split(LABEL_DELIMITER).any(|label| label.trim().is_empty()) {
            return Err("the label is empty");
        }
        if self.mode == Some(Mode::MultiClass) && label.contains(LABEL_DELIMITER) {
            return Err("the label holds the delimiter `|`, but texts have one class each");
        }
        Ok(())
    }
}

/// Remembers why a file could not be read: to the reader of rows one failure is like another.
struct Watched<R> {
    file: R,
    failure: Rc<RefCell<Option<io::Error>>>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer).map_err(|error| {
            let kind = error.kind();
            // Asked for again, not failed.
            if kind != io::ErrorKind::Interrupted {
                self.failure.replace(Some(error));
            }
            kind.into()
        })
    }
}

/// The rows of a dataset, of each text one.
pub(super) struct Rows {
    pub rows: Vec<Row>,
    /// Labels of each set, by number; sorted.
    pub label_sets: Vec<Vec<String>>,
    pub mode: Mode,
    pub report: LabelReport,
    /// Texts that people were asked about, also those without an answer.
    pub asked: HashSet<ContentId>,
    /// Ids of copies of these, by form or a small change: their answer serves them.
    pub served: HashSet<u128>,
    /// Rows and answers that were left out so far, by why.
    pub left_out: BTreeMap<String, u64>,
    initial_texts: Texts,
    labelled_texts: Texts,
}

impl Rows {
    /// Consolidates votes and takes of each text the row that counts: the last human answer before older ones,
    /// and those before initial rows; of initial rows the last.
    ///
    /// That none of the labels fits, or only one that is no class yet, is an answer too: the text has no row then.
    /// Where people do not agree or cannot tell, what was known before stays.
    pub(super) fn choose(initial: Initial, labels: Labels) -> io::Result<Self> {
        let Initial {
            mut rows,
            labels: initial_labels,
            texts,
            mode,
        } = initial;
        let no_set = || Arc::new(LabelSet::seed(Vec::<String>::new(), Origin::Parameter, ""));
        let set = labels.set.clone().unwrap_or_else(no_set);
        let mut label_sets: Numbered<Vec<String>> = Numbered::default();
        let consolidated = consolidate(&labels.votes, Settings::default());
        let several = |line: &Line| {
            consolidated
                .of(line.id)
                .labels()
                .is_some_and(|labels| labels.len() > 1)
        };
        let multi_label = match mode {
            Some(mode) => mode == Mode::MultiLabel,
            None if rows.is_empty() => labels.lines.iter().any(several),
            None => initial_labels.any_of_several(&set),
        };
        let mode = if multi_label {
            Mode::MultiLabel
        } else {
            Mode::MultiClass
        };
        let outcome = |record: &[Line]| Outcome::of(record, consolidated.of(record[0].id), mode);
        let last_answers = LastAnswers::of(labels.records().filter(|record| outcome(record).counts()));
        let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
        let mut counts = Counts::default();
        counts.add("unreadable-line", labels.unreadable);
        let copies = labels.copies_by_text();
        let mut answered: HashMap<ContentId, Option<Row>> = HashMap::new();
        for record in labels.records() {
            let outcome = outcome(record);
            *outcomes.entry(outcome.name().to_owned()).or_default() += 1;
            let last = &record[record.len() - 1];
            match outcome {
                Outcome::Labels(_) | Outcome::NoClass(_) if !last_answers.is_last(record) => {
                    counts.add("older-answer", 1);
                }
                Outcome::Labels(labels) => {
                    let row = Row {
                        content: last.content,
                        text: last.kept,
                        labels: label_sets.number(labels.to_vec()),
                        source: Source::HumanReview,
                        candidate: record.iter().any(|line| line.audited),
                        copies: copies.get(&last.content).copied().unwrap_or_default(),
                    };
                    answered.insert(last.content, Some(row));
                }
                Outcome::NoClass(name) => {
                    answered.insert(last.content, None);
                    counts.add(name, 1);
                }
                Outcome::Open(name) => counts.add(name, 1),
            }
        }
        let report = LabelReport {
            method: consolidated.method,
            outcomes,
            agreement: agreement(&labels.votes),
            reviewers: reviewers(&labels.votes, &consolidated),
        };
        let meanings: Vec<Result<u32, &str>> = initial_labels
            .in_order()
            .iter()
            .map(|label| {
                let classes = set.classes_of_row(label, mode)?;
                Ok(label_sets.number(classes))
            })
            .collect();
        let mut last_of: HashMap<ContentId, u32> = HashMap::with_capacity(rows.len());
        for (row, number) in rows.iter().zip(0..) {
            last_of.insert(row.content, number);
        }
        let mut number = 0..;
        rows.retain_mut(|row| {
            let is_last = number.next() == last_of.get(&row.content).copied();
            let answer = answered.get_mut(&row.content);
            let reason = match (is_last, answer) {
                (false, _) => "duplicate-initial-row",
                (true, Some(answer)) => {
                    answer.iter_mut().for_each(|answer| answer.candidate = true);
                    "initial-row-answered-since"
                }
                (true, None) => match meanings[row.labels as usize] {
                    Ok(labels) => {
                        row.labels = labels;
                        return true;
                    }
                    Err(reason) => reason,
                },
            };
            counts.add(reason, 1);
            false
        });
        drop(last_of);
        // In the order of their content: the same answers make the same file, in whatever loops they were given.
        let mut answered: Vec<Row> = answered.into_values().flatten().collect();
        answered.sort_unstable_by_key(|row| row.content);
        rows.append(&mut answered);
        Ok(Self {
            rows,
            label_sets: label_sets.in_order(),
            mode,
            report,
            asked: labels.lines.iter().map(|line| line.content).collect(),
            served: labels.served,
            left_out: counts.0,
            initial_texts: texts.finish()?,
            labelled_texts: labels.kept,
        })
    }

    pub(super) fn text(&self, row: &Row) -> io::Result<String> {
        match row.source {
            Source::Initial => self.initial_texts.read(row.text),
            Source::HumanReview => self.labelled_texts.read(row.text),
        }
    }

    pub(super) fn labels(&self, row: &Row) -> &[String] {
        &self.label_sets[row.labels as usize]
    }

    pub(super) fn with_text(&self, row: &Row) -> io::Result<dataset::Row> {
        Ok(dataset::Row {
            labels: self.labels(row).to_vec(),
            text: self.text(row)?,
        })
    }
}

/// Counts by reason.
#[derive(Default)]
struct Counts(BTreeMap<String, u64>);

impl Counts {
    fn add(&mut self, reason: &str, count: u64) {
        if count > 0 {
            *self.0.entry(reason.to_owned()).or_default() += count;
        }
    }
}
