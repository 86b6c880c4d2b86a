//! A table: rows of cells, from columns of a file, a sheet, or fields of objects.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use active_learning_core::{
    dataset::{FAST_TEXT_MARK, HeaderRow, NamesAgain, VECTOR},
    text::counted,
};
use serde_json::Value;

use crate::{
    Column, Options, Refusal, Role, beside,
    collected::Collected,
    columns::{Roles, roles},
    content::Content,
    crosses,
    draft::{Draft, DraftVote, Fields, text_of},
    encoding::shown as as_shown,
    fields,
    header::{FirstRow, NAMES_AGAIN, TURNED, can_be_name, first_row},
    labels::Written,
    named::is_nothing,
    names::{is_annotator_name, is_classifier_name, is_label_name, is_text_name},
    qualtrics, signed,
    tools::{Tool, fast_text, label_studio_answers, questions},
    totals::{TOTALS, are_totals},
    verdict::{self, aside},
    workbook::{ERROR, is_error},
    written::{ZERO_AND_ONE, are_ids, are_vectors, is_zero_and_one},
};

/// Rows by which columns are told.
pub(crate) const LOOKED_AT: usize = 1_000;

/// Rows of one cell that may stand before the row that names the columns.
pub(crate) const MAX_TITLES: usize = 5;

/// Most fields of objects that are columns: rows whose names all differ would fill the memory.
const MAX_NAMES: usize = 1_000;

/// Objects within objects whose fields are columns.
const MAX_DEPTH: usize = 4;

/// What a column of Argilla's is called that says whose each answer of a cell is.
const ANSWERS: &str = ".responses.users";

/// Stands in a cell that holds a formula of which the file has no value. No text begins so: it is no character.
pub(crate) const NO_VALUE: &str = "\u{FFFE}formula";
/// Told of a row whose text or label is such a cell.
pub(crate) const FORMULA: &str = "a cell holds a formula without its value: open the workbook in Excel or \
    LibreOffice, save it, and take the saved file";

/// A table.
pub(crate) struct Table {
    /// Names of the columns; none where no row names them.
    names: Vec<String>,
    rows: Vec<(u64, Vec<Value>)>,
}

impl Table {
    /// Makes a table of rows of cells, of which the first may name the columns. Rows with another number of
    /// cells are rejected, but for empty ones at their end.
    pub(crate) fn of_cells(
        rows: Vec<(u64, Vec<String>)>,
        columns: usize,
        collected: &mut Collected<'_>,
    ) -> Result<Self, Refusal> {
        let mut good = Vec::new();
        for (line, mut cells) in rows {
            while cells.len() > columns && cells.last().is_some_and(|cell| cell.trim().is_empty()) {
                cells.pop();
            }
            if cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            if columns > 1 && is_rule(&cells) {
                collected
                    .notes
                    .push(format!("line {line} only rules the table off and was not read"));
                continue;
            }
            // The row that names the columns may name fewer of them.
            if cells.len() < columns && cells.len() > 1 && good.is_empty() {
                cells.resize(columns, String::new());
            }
            if cells.len() == columns {
                good.push((line, cells));
            } else {
                let found = cells.len();
                let reason = format!(
                    "{} where the others have {columns} (a text with the delimiter needs quotes)",
                    counted(found, "column")
                );
                collected.reject(line, reason);
            }
        }
        let headings = qualtrics::join_headings(&mut good, collected.options);
        collected.notes.extend(headings);
        let titles = titles(&good, collected.options);
        if let (1.., Some((line, _))) = (titles, good.get(titles)) {
            let note = format!("the columns are named in line {line}; what stands above it was not read");
            collected.notes.push(note);
            good.drain(..titles);
        }
        if collected.options.label_column.is_none() && collected.options.text_column.is_none() {
            crosses::refuse(&good)?;
        }
        let kind = names_columns(&good, collected.options);
        if let Some((line, first)) = good.first() {
            collected
                .notes
                .extend(first_row_note(kind, *line, first, &good[1..]));
        }
        let names = match kind {
            FirstRow::Names | FirstRow::LikeNames => {
                collected.has_names = true;
                let names = good.remove(0).1;
                good = without_names(&names, good, collected);
                names
            }
            FirstRow::Row => Vec::new(),
        };
        let value =
            |(line, cells): (u64, Vec<String>)| (line, cells.into_iter().map(Value::String).collect());
        Ok(Self {
            names,
            rows: good.into_iter().map(value).collect(),
        })
    }

    /// Reads its rows.
    pub(crate) fn read(mut self, collected: &mut Collected<'_>) -> Result<(), Refusal> {
        for name in &mut self.names {
            *name = as_shown(name).into_owned();
        }
        if self.rows.is_empty() {
            return Ok(());
        }
        if self.names.iter().any(|name| name.trim().ends_with(ANSWERS)) {
            return Err(Refusal::Format {
                what: "a dataset of Argilla as CSV, in which the answers of all annotators are one cell",
                advice: "export it as JSON, such as by Dataset.to_json(…)",
            });
        }
        let looked_at: Vec<Vec<String>> = self
            .rows
            .iter()
            .take(LOOKED_AT)
            .map(|(_, cells)| cells.iter().map(shown).collect())
            .collect();
        let mut roles = roles(&self.names, &looked_at, collected.options)?;
        if looked_at[0].len() == 1 {
            let lines = looked_at.iter().filter_map(|row| row.first());
            let lines: Vec<&str> = lines.map(|line| line.trim()).collect();
            roles.notes.extend(beside::note(&lines));
        }
        let classifier = self.classifier(&roles);
        let tool = Tool::of_columns(&self.names);
        if tool == Some(Tool::LabelStudio) && collected.options.label_column.is_none() {
            roles.notes.clear();
            self.answers(&looked_at, &mut roles);
        }
        let is_named = collected.options.label_column.is_some() || collected.options.text_column.is_some();
        if tool.is_none() && !is_named {
            crosses::refuse_yes_and_no(&self.names, &looked_at, &roles)?;
        }
        let labels = roles
            .label
            .into_iter()
            .flat_map(|label| looked_at.iter().filter_map(move |row| row.get(label)));
        let labels: Vec<&String> = labels.collect();
        roles.has_ids = labels.iter().any(|cell| are_ids(cell));
        roles.has_vectors = are_vectors(&labels);
        if let Some(line) = self.totals(&roles) {
            collected.reject(line, TOTALS);
        }
        let verdict = verdict::column(&self.names, &looked_at, &roles);
        roles.notes.extend(verdict::note(&self.names, &looked_at, &roles));
        collected.tool = collected.tool.or(tool);
        collected.notes.append(&mut roles.notes);
        if collected.columns.is_empty() {
            collected.columns = described(&self.names, looked_at[0].len(), &roles, classifier);
        }
        for (line, cells) in self.rows {
            match draft(&cells, &roles) {
                Ok(mut draft) => {
                    let cell = verdict.and_then(|column| cells.get(column)).map(shown);
                    if let (false, Some(aside)) = (draft.votes.is_empty(), cell.as_deref().and_then(aside)) {
                        draft.votes.clear();
                        draft.aside = Some(aside);
                    }
                    let classifier = classifier.and_then(|column| text_of(cells.get(column)));
                    collected.drafts.push((line, Draft { classifier, ..draft }));
                }
                Err(reason) => collected.reject(line, reason),
            }
        }
        Ok(())
    }
}

impl Table {
    /// Takes the last row out where it holds the totals of a spreadsheet; returns its line.
    fn totals(&mut self, roles: &Roles) -> Option<u64> {
        let ((line, last), others) = self.rows.split_last()?;
        let cells = |cells: &[Value]| -> Vec<String> { cells.iter().map(shown).collect() };
        let labels = roles.label.into_iter();
        let labels = labels.flat_map(|label| others.iter().filter_map(move |(_, cells)| cells.get(label)));
        let labels: HashSet<String> = labels.map(shown).collect();
        let line = *line;
        let above = others.last().map(|(_, above)| cells(above));
        let is_one = above.is_some_and(|above| are_totals(&cells(last), &above, roles, &labels));
        is_one.then(|| {
            self.rows.pop();
            line
        })
    }

    /// Returns the column that names the classifier of each text, as batch files have it.
    fn classifier(&self, roles: &Roles) -> Option<usize> {
        let used = [Some(roles.text), roles.label, roles.annotator];
        let mut columns = (0..self.names.len()).filter(|column| !used.contains(&Some(*column)));
        columns.find(|column| is_classifier_name(&self.names[*column]))
    }

    /// Takes labels from the columns of Label Studio's answers: the first that is no rating, date or long text.
    fn answers(&self, rows: &[Vec<String>], roles: &mut Roles) {
        let content = |column: usize| Content::of(rows, column, &Options::default());
        let is_answer = |column: &usize| {
            let content = content(*column);
            content.filled > 0 && !content.are_dates && !content.are_texts()
        };
        let answers = label_studio_answers(&self.names, &|column| column == roles.text);
        let mut answers: Vec<usize> = answers.into_iter().filter(is_answer).collect();
        answers.sort_by_key(|column| content(*column).are_numbers);
        roles.label = answers.first().copied();
        let names: Vec<&str> = answers.iter().map(|column| self.names[*column].trim()).collect();
        if let [chosen, others @ ..] = &names[..]
            && !others.is_empty()
        {
            roles.notes.push(questions::note(chosen, others));
        }
    }
}

/// Leaves the rows out that name the columns once more, as in files that were joined, and counts them. What stands below one
/// that names them in another order is left out too.
fn without_names(
    names: &[String],
    rows: Vec<(u64, Vec<String>)>,
    collected: &mut Collected<'_>,
) -> Vec<(u64, Vec<String>)> {
    let header = HeaderRow::of(names);
    let mut left = Vec::with_capacity(rows.len());
    for (line, cells) in rows {
        match header.again(&cells) {
            None => left.push((line, cells)),
            Some(NamesAgain::Same) => collected.counted.add(NAMES_AGAIN, line),
            Some(NamesAgain::Turned) => {
                collected.reject(line, TURNED);
                break;
            }
        }
    }
    left
}

/// Returns whether a row is the one below the names of a Markdown table: `|---|:---:|`.
pub(crate) fn is_rule(cells: &[String]) -> bool {
    let is_dashes = |cell: &str| cell.len() > 2 && cell.trim_matches(':').bytes().all(|byte| byte == b'-');
    let mut filled = cells
        .iter()
        .map(|cell| cell.trim())
        .filter(|cell| !cell.is_empty())
        .peekable();
    filled.peek().is_some() && filled.all(is_dashes)
}

/// Tells whether the first row names the columns.
fn names_columns(rows: &[(u64, Vec<String>)], options: &Options) -> FirstRow {
    let rest = rows.iter().skip(1).take(LOOKED_AT);
    let rest: Vec<Vec<String>> = rest.map(|(_, cells)| cells.clone()).collect();
    rows.first()
        .map_or(FirstRow::Row, |(_, first)| first_row(first, &rest, options))
}

/// Says for what the first row was taken, where no name that is known tells it.
fn first_row_note(
    kind: FirstRow,
    line: u64,
    first: &[String],
    rest: &[(u64, Vec<String>)],
) -> Option<String> {
    let length = |cells: &[String]| cells.first().map_or(0, |cell| cell.trim().chars().count());
    // One word above a list of sentences.
    let may_be_name = || {
        let all: usize = rest.iter().map(|(_, cells)| length(cells)).sum();
        can_be_name(&first[0]) && rest.len() > 1 && all >= 3 * length(first) * rest.len()
    };
    match kind {
        FirstRow::Names => None,
        FirstRow::LikeNames => Some(format!(
            "line {line} was read as the names of the columns, by what stands below it"
        )),
        FirstRow::Row if first.len() > 1 => Some(format!(
            "line {line} was read as a row: nothing tells that it names the columns"
        )),
        FirstRow::Row => {
            may_be_name().then(|| format!("line {line} was read as a text, not as a name of the column"))
        }
    }
}

/// Returns how many rows of one cell, such as a title, stand before the one that names the columns.
fn titles(rows: &[(u64, Vec<String>)], options: &Options) -> usize {
    let filled = |cells: &[String]| cells.iter().filter(|cell| !cell.trim().is_empty()).count();
    let titles = rows
        .iter()
        .take(MAX_TITLES + 1)
        .take_while(|(_, cells)| filled(cells) == 1);
    let titles = titles.count();
    let is_header = |(_, cells): &(u64, Vec<String>)| {
        filled(cells) > 1
            && cells.iter().any(|cell| is_text_name(cell))
            && names_columns(&rows[titles..], options) != FirstRow::Row
    };
    match rows.get(titles) {
        Some(row) if titles <= MAX_TITLES && is_header(row) => titles,
        Some(_) | None => 0,
    }
}

pub(crate) fn draft(cells: &[Value], roles: &Roles) -> Result<Draft, String> {
    let label = roles.label.and_then(|column| cells.get(column));
    let is_formula = |cell: Option<&Value>| cell.and_then(Value::as_str) == Some(NO_VALUE);
    if is_formula(label) || is_formula(cells.get(roles.text)) {
        return Err(FORMULA.to_owned());
    }
    if cells
        .get(roles.text)
        .and_then(Value::as_str)
        .is_some_and(is_error)
    {
        return Err(ERROR.to_owned());
    }
    if matches!(cells.get(roles.text), Some(Value::Array(_) | Value::Object(_))) {
        return Err("the text is a list or an object".to_owned());
    }
    let signed = label.map(signed::votes).transpose()?.flatten();
    let written = match label {
        Some(_) if signed.is_some() => Ok(None),
        Some(Value::String(cell)) if roles.has_vectors && is_zero_and_one(cell) => Err(VECTOR),
        Some(Value::String(cell)) => Written::of_cell(cell),
        Some(value) => Written::of_value(value),
        None => Ok(None),
    };
    let written = match (written, label) {
        // Elsewhere in the column stand ids.
        (Err(ZERO_AND_ONE), Some(ids)) if roles.has_ids => Written::of_ids(ids),
        (written, _) => written?,
    };
    let is_marked = label
        .map(shown)
        .is_some_and(|cell| cell.trim_start().starts_with(FAST_TEXT_MARK));
    let by = roles
        .annotator
        .and_then(|column| cells.get(column))
        .map(shown)
        .filter(|name| !name.trim().is_empty());
    let vote = written.map(|written| DraftVote {
        written,
        by,
        at: None,
    });
    Ok(Draft {
        text: cells.get(roles.text).map(shown).unwrap_or_default(),
        votes: signed.unwrap_or_else(|| vote.into_iter().collect()),
        repair: is_marked.then_some(fast_text::MARKED),
        ..Draft::default()
    })
}

fn described(names: &[String], width: usize, roles: &Roles, classifier: Option<usize>) -> Vec<Column> {
    let role = |column: usize| match column {
        column if column == roles.text => Role::Text,
        column if Some(column) == classifier => Role::Classifier,
        column if Some(column) == roles.label => Role::Label,
        column if Some(column) == roles.annotator => Role::Annotator,
        _ => Role::Unused,
    };
    let name = |column: usize| match names.get(column).map(|name| name.trim()) {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => (column + 1).to_string(),
    };
    (0..width.max(names.len()))
        .map(|column| Column {
            name: name(column),
            role: role(column),
        })
        .collect()
}

/// Returns a cell as a text.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) if is_nothing(value) => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Reads objects as the rows of a table whose columns are their fields, those of inner objects too:
/// `data.text`.
pub(crate) fn of_objects(objects: Vec<(u64, Fields)>, collected: &mut Collected<'_>) -> Result<(), Refusal> {
    if objects.is_empty() {
        return Ok(());
    }
    let objects: Vec<(u64, Fields)> = objects
        .into_iter()
        .map(|(line, fields)| (line, flat(fields)))
        .collect();
    let objects = fields::alike(objects, collected);
    let mut rows_with: BTreeMap<&String, usize> = BTreeMap::new();
    let all = objects.iter().flat_map(|(_, fields)| fields.keys());
    all.for_each(|name| *rows_with.entry(name).or_default() += 1);
    if rows_with.len() > MAX_NAMES {
        collected.notes.push(format!(
            "the rows have {} different fields: all but the {MAX_NAMES} that most rows have were left out",
            rows_with.len()
        ));
        let mut most: Vec<(&String, usize)> = rows_with.into_iter().collect();
        most.sort_by_key(|(_, rows)| Reverse(*rows));
        rows_with = most.into_iter().take(MAX_NAMES).collect();
    }
    let names: Vec<String> = rows_with.into_keys().cloned().collect();
    let has_texts = names.iter().any(|name| name == "text");
    if has_texts
        && objects[0].1.get("label").is_some_and(Value::is_array)
        && names.iter().any(|name| name == "id")
    {
        collected.tool.get_or_insert(Tool::Doccano);
    }
    let row = |(line, fields): &(u64, Fields)| {
        (
            *line,
            names
                .iter()
                .map(|name| fields.get(name).cloned().unwrap_or_default())
                .collect(),
        )
    };
    let rows = objects.iter().map(row).collect();
    Table { names, rows }.read(collected)
}

/// Takes the fields of inner objects out, by their path; objects that are labels stay.
fn flat(fields: Fields) -> Fields {
    let mut flat = Fields::new();
    add_flat(String::new(), fields, MAX_DEPTH, &mut flat);
    flat
}

fn add_flat(path: String, fields: Fields, depth: usize, flat: &mut Fields) {
    for (name, value) in fields {
        let is_label = is_label_name(&name);
        let name = format!("{path}{name}");
        match value {
            Value::Object(inner) if depth > 0 && !is_label => {
                add_flat(format!("{name}."), inner, depth - 1, flat)
            }
            value => {
                if let Value::Object(inner) = &value {
                    add_annotators(&name, inner, flat);
                }
                flat.insert(name, value);
            }
        }
    }
}

/// Takes out who gave a label that is an object, such as `{"label": "World", "by": "ann"}`.
fn add_annotators(path: &str, label: &Fields, flat: &mut Fields) {
    let names = label
        .iter()
        .map(|(name, value)| (format!("{path}.{name}"), value));
    let annotators =
        names.filter(|(name, value)| is_annotator_name(name) && (value.is_string() || value.is_number()));
    flat.extend(annotators.map(|(name, value)| (name, value.clone())));
}
