//! The rows that a dataset is made of: of each text one, with the label that counts.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    sync::Arc,
};

use active_learning_core::{
    dataset::{self, ContentId, Mode, TextId},
    feedback::prediction::split_labels,
    labels::{
        agreement::{AgreementReport, ReviewerReport, agreement, reviewers},
        consolidation::{Method, Settings, consolidate},
        label_set::{LabelSet, Origin, delimiter},
    },
};
use serde::Serialize;

use super::initial::InitialRows;
use crate::{
    labels::{Labels, LastAnswers, Line, Outcome},
    spool::{Piece, Texts},
};

/// A text with its labels; 64 bytes.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub id: TextId,
    /// Decides on which side of the split it is.
    pub content: ContentId,
    pub text: Piece,
    /// Number of its set of labels.
    pub labels: u32,
    pub source: Source,
    /// Whether it may be held out: its text is an initial row or an imported one, or chance selected it from the traffic.
    pub candidate: bool,
    /// Whether doubt chose it.
    pub is_chosen: bool,
    /// Copies of the text that its answer serves.
    pub copies: u64,
}

/// Where a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Initial,
    /// An imported file, and nobody here has answered.
    Import,
    HumanReview,
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Import => "import",
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
pub(super) struct LabelSets(HashMap<String, u32>);

impl LabelSets {
    pub(super) fn number(&mut self, joined: String) -> u32 {
        let next = u32::try_from(self.0.len()).expect("fewer label sets than rows");
        *self.0.entry(joined).or_insert(next)
    }

    /// Returns the sets as they are written, by number.
    pub(super) fn by_number(&self) -> Vec<String> {
        let mut sets = vec![String::new(); self.0.len()];
        for (joined, number) in &self.0 {
            sets[*number as usize].clone_from(joined);
        }
        sets
    }

    /// Returns whether a label of a file names several, by the label set and otherwise by the delimiter.
    pub(super) fn any_of_several(&self, set: &LabelSet) -> bool {
        let is_several = |label: &String| match set.names(label) {
            Some(names) => names.len() > 1,
            None => split_labels(label).len() > 1,
        };
        self.0.keys().any(is_several)
    }
}

/// The classes of rows, numbered.
#[derive(Default)]
struct Classes(HashMap<Vec<String>, u32>);

impl Classes {
    fn number(&mut self, classes: Vec<String>) -> u32 {
        let next = u32::try_from(self.0.len()).expect("fewer label sets than rows");
        *self.0.entry(classes).or_insert(next)
    }

    fn by_number(self) -> Vec<Vec<String>> {
        let mut sets = vec![Vec::new(); self.0.len()];
        for (classes, number) in self.0 {
            sets[number as usize] = classes;
        }
        sets
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
    pub(super) fn choose(initial: InitialRows, labels: Labels) -> io::Result<Self> {
        let InitialRows {
            mut rows,
            label_sets: written,
            texts,
            mode,
            left_out,
        } = initial;
        let no_set = || Arc::new(LabelSet::seed(Vec::<String>::new(), Origin::Parameter, ""));
        let set = labels.set.clone().unwrap_or_else(no_set);
        let mut classes = Classes::default();
        let consolidated = consolidate(&labels.votes, Settings::default());
        let multi_label = match mode {
            Some(mode) => mode == Mode::MultiLabel,
            None => written.any_of_several(&set),
        };
        let mode = if multi_label {
            Mode::MultiLabel
        } else {
            Mode::MultiClass
        };
        let outcome =
            |record: &[Line]| Outcome::of(record, consolidated.of(record[0].id), mode, labels.set.as_deref());
        let last_answers = LastAnswers::of(labels.records().filter(|record| outcome(record).counts()));
        let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
        let mut counts = Counts::default();
        counts.add("unreadable-line", labels.unreadable);
        left_out
            .into_iter()
            .for_each(|(why, count)| counts.add(why, count));
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
                    let source = source_of(record);
                    let is_import = source == Source::Import;
                    let row = Row {
                        id: last.text_id,
                        content: last.content,
                        text: last.kept,
                        labels: classes.number(labels.to_vec()),
                        source,
                        candidate: is_import || record.iter().any(|line| line.is_sample),
                        is_chosen: record.iter().all(|line| line.is_chosen),
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
        // What the labels of files mean now: a class, or why their rows are left out.
        let meanings: Vec<Result<u32, &str>> = written
            .by_number()
            .iter()
            .map(|label| Ok(classes.number(set.classes_of_row(label, mode)?)))
            .collect();
        let mut last_of: HashMap<TextId, u32> = HashMap::with_capacity(rows.len());
        for (row, number) in rows.iter().zip(0..) {
            last_of.insert(row.id, number);
        }
        let mut number = 0..;
        rows.retain_mut(|row| {
            let is_last = number.next() == last_of.get(&row.id).copied();
            let answer = answered.get_mut(&row.id);
            let reason = match (is_last, answer) {
                (false, _) => "duplicate-initial-row",
                (true, Some(answer)) => {
                    answer.iter_mut().for_each(|answer| {
                        answer.candidate = true;
                        answer.is_chosen = false;
                    });
                    "initial-row-answered-since"
                }
                (true, None) => match meanings[row.labels as usize] {
                    Ok(classes) => {
                        row.labels = classes;
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
        answered.sort_unstable_by_key(|row| (row.content, row.id));
        rows.append(&mut answered);
        Ok(Self {
            rows,
            label_sets: classes.by_number(),
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
            Source::Import | Source::HumanReview => self.labelled_texts.read(row.text),
        }
    }

    pub(super) fn labels(&self, row: &Row) -> &[String] {
        &self.label_sets[row.labels as usize]
    }

    /// Returns a delimiter that no label holds; none where texts have one label.
    pub(super) fn delimiter(&self) -> io::Result<Option<char>> {
        if self.mode == Mode::MultiClass {
            return Ok(None);
        }
        let names = self.label_sets.iter().flatten().map(String::as_str);
        let none_left = || io::Error::other("the labels hold every delimiter that there is");
        delimiter(names).map(Some).ok_or_else(none_left)
    }

    pub(super) fn with_text(&self, row: &Row) -> io::Result<dataset::Row> {
        Ok(dataset::Row {
            labels: self.labels(row).to_vec(),
            text: self.text(row)?,
        })
    }
}

/// Returns where the answer to a record comes from.
fn source_of(record: &[Line]) -> Source {
    let mut reviewed = record.iter().filter(|line| line.reviewed);
    match reviewed.all(|line| line.is_import) {
        true => Source::Import,
        false => Source::HumanReview,
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
