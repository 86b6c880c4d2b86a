//! The rows that a dataset is made of: of each text one, with the label that counts.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    io::{self, Read},
    rc::Rc,
};

use active_learning_aws::bucket::BucketError;
use active_learning_core::{
    dataset::{self, ContentId, Mode, TextId, one_line, read_csv},
    feedback::prediction::LABEL_DELIMITER,
    labels::{
        agreement::{AgreementReport, ReviewerReport, agreement, reviewers},
        consolidation::{Method, Settings, consolidate},
    },
};
use serde::Serialize;

use super::AssembleError;
use crate::{
    labels::{Labels, LastAnswers, Line, Outcome},
    spool::{Piece, Spool, Texts},
};

/// A text with its labels; 64 bytes.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub id: TextId,
    /// Decides on which side of the split it is.
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

/// The different sets of labels, numbered.
#[derive(Default)]
struct LabelSets(HashMap<String, u32>);

impl LabelSets {
    fn number(&mut self, joined: String) -> u32 {
        let next = u32::try_from(self.0.len()).expect("fewer label sets than rows");
        *self.0.entry(joined).or_insert(next)
    }

    /// Returns each set's labels, by number.
    fn split(self, mode: Mode) -> Vec<Vec<String>> {
        let mut sets = vec![Vec::new(); self.0.len()];
        for (joined, number) in self.0 {
            sets[number as usize] = match mode {
                Mode::MultiClass => vec![joined],
                Mode::MultiLabel => {
                    let mut labels: Vec<String> = joined
                        .split(LABEL_DELIMITER)
                        .map(|label| label.trim().to_owned())
                        .collect();
                    labels.sort();
                    labels.dedup();
                    labels
                }
            };
        }
        sets
    }
}

/// The rows of the files under `initial/`, in order.
pub(super) struct Initial {
    rows: Vec<Row>,
    label_sets: LabelSets,
    texts: Spool,
    mode: Option<Mode>,
    has_delimiter: bool,
}

impl Initial {
    /// Starts without rows; where no mode is given, labels with a delimiter make it multi-label.
    pub(super) fn new(mode: Option<Mode>) -> io::Result<Self> {
        Ok(Self {
            rows: Vec::new(),
            label_sets: LabelSets::default(),
            texts: Spool::new()?,
            mode,
            has_delimiter: false,
        })
    }

    /// Adds the rows of a file. A row that cannot be used refuses the file: half of it would train a wrong model.
    pub(super) fn read(&mut self, key: &str, uri: &str, file: impl Read) -> Result<(), AssembleError> {
        let failure = Rc::new(RefCell::new(None));
        let watched = Watched {
            file,
            failure: failure.clone(),
        };
        // Labels are split later, once the mode is known.
        for (row, number) in read_csv(watched, Mode::MultiClass).zip(1..) {
            if let Some(source) = failure.take() {
                let uri = uri.to_owned();
                let source = source.into();
                return Err(BucketError::Broken { uri, source }.into());
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
            self.has_delimiter |= label.contains(LABEL_DELIMITER);
            let row = Row {
                id: TextId::of(&text),
                content: ContentId::of(&text),
                text: self.texts.push(&text).map_err(AssembleError::Disk)?,
                labels: self.label_sets.number(label),
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
    pub asked: HashSet<TextId>,
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
            mut label_sets,
            texts,
            mode,
            has_delimiter,
        } = initial;
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
            None => has_delimiter,
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
        let mut answered: HashMap<TextId, Option<Row>> = HashMap::new();
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
                        id: last.text_id,
                        content: last.content,
                        text: last.kept,
                        labels: label_sets.number(labels.join(&LABEL_DELIMITER.to_string())),
                        source: Source::HumanReview,
                        candidate: record.iter().any(|line| line.audited),
                        copies: copies.get(&last.text_id).copied().unwrap_or_default(),
                    };
                    answered.insert(last.text_id, Some(row));
                }
                Outcome::NoClass(name) => {
                    answered.insert(last.text_id, None);
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
        let mut last_of: HashMap<TextId, u32> = HashMap::with_capacity(rows.len());
        for (row, number) in rows.iter().zip(0..) {
            last_of.insert(row.id, number);
        }
        let mut number = 0..;
        rows.retain(|row| {
            let is_last = number.next() == last_of.get(&row.id).copied();
            let answer = answered.get_mut(&row.id);
            let reason = match (is_last, answer) {
                (false, _) => "duplicate-initial-row",
                (true, Some(answer)) => {
                    answer.iter_mut().for_each(|answer| answer.candidate = true);
                    "initial-row-answered-since"
                }
                (true, None) => return true,
            };
            counts.add(reason, 1);
            false
        });
        drop(last_of);
        // In the order of their content: the same answers make the same file, in whatever loops they were given.
        let mut answered: Vec<Row> = answered.into_values().flatten().collect();
        answered.sort_unstable_by_key(|row| (row.content, row.id));
        rows.append(&mut answered);
        Ok(Self {
            rows,
            label_sets: label_sets.split(mode),
            mode,
            report,
            asked: labels.lines.iter().map(|line| line.text_id).collect(),
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
