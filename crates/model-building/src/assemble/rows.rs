//! The rows that a dataset is made of: of each text one, with the label that counts.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    sync::Arc,
};

use active_learning_core::{
    dataset::{self, Mode, TextId},
    labels::{
        agreement::{AgreementReport, ReviewerReport, agreement, reviewers},
        consolidation::{Consolidated, Method, Settings, consolidate},
        label_set::{LabelSet, Origin, delimiter},
    },
    sampling::selection::SelectedBy,
};
use serde::Serialize;

use super::{
    initial::InitialRows,
    row::{LabelSets, Row, Source},
};
use crate::{
    labels::{Labels, LastAnswers, Line, Outcome},
    spool::Texts,
};

/// How far people agree, and what their votes came to: `agreement.json` of a dataset version.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelReport {
    /// How it was found how sure labels are.
    pub method: Method,
    /// Rows whose label is more probably wrong than right, by the error rates of those who gave it: it is theirs all the
    /// same.
    pub doubtful: u64,
    /// Records by what their votes came to.
    pub outcomes: BTreeMap<String, u64>,
    /// Agreement over all answers and on each label.
    #[serde(flatten)]
    pub agreement: AgreementReport,
    /// Each reviewer's work, by worker id.
    pub reviewers: BTreeMap<String, ReviewerReport>,
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
    /// Says what names of labels mean by now.
    pub set: Arc<LabelSet>,
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
    /// Consolidates votes and takes of each text the row that counts: the last human answer before older ones, a reviewer's
    /// before that of a file, an adjudicator's before both, and all of them before initial rows; of initial rows the last.
    ///
    /// That none of the labels fits, or only one that is no class yet, is an answer too: the text has no row then.
    /// Where people do not agree or cannot tell, what was known before stays.
    pub(super) fn choose(initial: InitialRows, labels: Labels) -> io::Result<Self> {
        let set = labels.set.clone().unwrap_or_else(no_set);
        let mode = initial.mode.unwrap_or_else(|| initial.label_sets.mode(&set));
        let consolidated = consolidate(&labels.votes, Settings::default());
        let mut classes = Classes::default();
        let mut counts = Counts::default();
        counts.add("unreadable-line", labels.unreadable);
        counts.add("erased", labels.erased);
        for (why, count) in &initial.left_out {
            counts.add(why, *count);
        }

        let mut answers = Answers::read(&labels, &consolidated, mode, &mut classes, &mut counts);
        let report = LabelReport {
            method: consolidated.method,
            doubtful: answers.doubtful,
            outcomes: std::mem::take(&mut answers.outcomes),
            agreement: agreement(&labels.votes),
            reviewers: reviewers(&labels.votes, &consolidated),
        };

        let meanings = meanings(&initial.label_sets, &set, mode, &mut classes);
        let mut rows = initial.rows;
        keep_what_counts(&mut rows, &mut answers, &meanings, &mut counts);
        rows.append(&mut answers.into_rows());
        Ok(Self {
            rows,
            label_sets: classes.by_number(),
            set,
            mode,
            report,
            asked: labels.lines.iter().map(|line| line.text_id).collect(),
            served: labels.served,
            left_out: counts.0,
            initial_texts: initial.texts.finish()?,
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

/// What people answered, of each text the last answer.
struct Answers {
    /// The row of each text; none where it has no class.
    rows: HashMap<TextId, Option<Row>>,
    /// Records by what their votes came to.
    outcomes: BTreeMap<String, u64>,
    /// Rows that are more probably wrong than right.
    doubtful: u64,
}

impl Answers {
    fn read(
        labels: &Labels,
        consolidated: &Consolidated,
        mode: Mode,
        classes: &mut Classes,
        counts: &mut Counts,
    ) -> Self {
        let outcome =
            |record: &[Line]| Outcome::of(record, consolidated.of(record[0].id), mode, labels.set.as_deref());
        let counting = labels.records().filter(|record| outcome(record).counts());
        let last_answers = LastAnswers::of(counting, consolidated);
        let copies = labels.copies_by_text();
        let (mut rows, mut outcomes, mut doubtful) = (HashMap::new(), BTreeMap::new(), 0);
        for record in labels.records() {
            let outcome = outcome(record);
            *outcomes.entry(outcome.name().to_owned()).or_default() += 1;
            let text = record[record.len() - 1].text_id;
            let counts_not = outcome.counts().then(|| last_answers.why_not(record)).flatten();
            match (counts_not, outcome) {
                (Some(reason), _) => counts.add(reason, 1),
                (None, Outcome::Labels(labels)) => {
                    let copies = copies.get(&text).copied().unwrap_or_default();
                    let row = row_of(record, classes.number(labels.to_vec()), copies);
                    rows.insert(text, Some(row));
                    doubtful += u64::from(consolidated.is_doubtful(record[0].id));
                }
                (None, Outcome::NoClass(name)) => {
                    rows.insert(text, None);
                    counts.add(name, 1);
                }
                (None, Outcome::Open(name)) => counts.add(name, 1),
            }
        }
        Self {
            rows,
            outcomes,
            doubtful,
        }
    }

    /// Returns whether people have answered a text.
    fn has(&self, text: &TextId) -> bool {
        self.rows.contains_key(text)
    }

    /// Notes that an initial row had a text; returns whether it was answered since.
    ///
    /// The answer may be held out as that row could have been.
    fn replace(&mut self, initial: &Row) -> bool {
        let Some(answer) = self.rows.get_mut(&initial.id) else {
            return false;
        };
        if let Some(row) = answer {
            row.candidate = true;
            row.selected_by = SelectedBy::Chance;
        }
        true
    }

    /// Returns the rows in the order of their content: the same answers make the same file, in whatever loops they were
    /// given.
    fn into_rows(self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.rows.into_values().flatten().collect();
        rows.sort_unstable_by_key(|row| (row.content, row.id));
        rows
    }
}

/// Returns the row of a record that was answered, with the number of its classes.
fn row_of(record: &[Line], labels: u32, copies: u64) -> Row {
    let last = &record[record.len() - 1];
    let source = source_of(record);
    let is_import = source == Source::Import;
    Row {
        id: last.text_id,
        content: last.content,
        text: last.kept,
        labels,
        source,
        candidate: is_import || record.iter().any(|line| line.is_sample),
        selected_by: selected_by(record),
        copies,
    }
}

/// Returns how a record was selected: as it was asked first, of what says for how many texts it stands.
fn selected_by(record: &[Line]) -> SelectedBy {
    let mut lines = record.iter().map(|line| line.selected_by);
    lines
        .find(|selected| *selected != SelectedBy::Choice)
        .unwrap_or(SelectedBy::Choice)
}

/// Returns what the labels of files mean now, by number: a class, or why their rows are left out.
fn meanings(
    written: &LabelSets,
    set: &LabelSet,
    mode: Mode,
    classes: &mut Classes,
) -> Vec<Result<u32, &'static str>> {
    let written = written.by_number();
    let meaning = |label: &String| Ok(classes.number(set.classes_of_row(label, mode)?));
    written.iter().map(meaning).collect()
}

/// Keeps the initial rows that count: of each text the last, unless people answered it since, and with a class. Where files
/// contradict one another and people have not answered, that is counted.
fn keep_what_counts(
    rows: &mut Vec<Row>,
    answers: &mut Answers,
    meanings: &[Result<u32, &'static str>],
    counts: &mut Counts,
) {
    let mut last_of: HashMap<TextId, (u32, u32)> = HashMap::with_capacity(rows.len());
    for (row, number) in rows.iter().zip(0..) {
        last_of.insert(row.id, (number, row.labels));
    }

    let mut numbers = 0..;
    rows.retain_mut(|row| {
        let number = numbers.next();
        let last = last_of.get(&row.id);
        let is_last = last.is_some_and(|(last, _)| number == Some(*last));
        let says_otherwise = |(_, labels): &(u32, u32)| {
            meanings[*labels as usize] != meanings[row.labels as usize] && !answers.has(&row.id)
        };
        let reason = match meanings[row.labels as usize] {
            _ if !is_last && last.is_some_and(says_otherwise) => "overruled-initial-row",
            _ if !is_last => "duplicate-initial-row",
            _ if answers.replace(row) => "initial-row-answered-since",
            Err(reason) => reason,
            Ok(classes) => {
                row.labels = classes;
                return true;
            }
        };
        counts.add(reason, 1);
        false
    });
}

/// Returns the label set of a stack that has none.
fn no_set() -> Arc<LabelSet> {
    Arc::new(LabelSet::seed(Vec::<String>::new(), Origin::Parameter, ""))
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
