//! Makes rows of what a file gives: labels cut, texts checked, repairs counted.

use active_learning_core::{
    MAX_CLASSIFIER_BYTES, MAX_UTTERANCE_BYTES,
    dataset::holds_fast_text_label,
    labels::{
        label_key::whole_number,
        missing::{MissingLabels, is_missing},
    },
    text::is_blank,
};

use crate::{
    Import, LabelDelimiter, Refusal, Role, Row, Vote,
    collected::Collected,
    draft::Draft,
    encoding::reason,
    labels::{Cut, Written},
    tools::{
        NUMBERED, fast_text,
        ground_truth::{ADJUSTED, FAILED, NOT_RIGHT},
        questions,
    },
    written::name_paths,
};

/// Told of texts with NUL characters, behind their number.
const NUL: &str = "texts with NUL characters, which were removed";

/// Told of labels that are none, behind their number.
const NO_LABEL: &str = "texts with a label such as `NULL`, `NaN` or `n/a`, which was read as none";

/// Told of labels that are whole numbers with a point, behind their number.
const WHOLE_NUMBERS: &str = "labels such as `1.0`, which were read as `1`";
/// The same where a comma stands for the point.
const WITH_COMMA: &str = "labels such as `1,0`, which were read as `1` (--label-delimiter , cuts there)";

/// Told of a file whose labels are all numbers.
const NUMBERS: &str =
    "all labels are numbers: if they are ids, put the names in a column and name it by --label-column";

impl Collected<'_> {
    /// Cuts labels, checks texts, and sums up.
    pub(crate) fn finish(mut self, mut import: Import) -> Result<Import, Refusal> {
        let drafts = self.drafts.iter_mut().map(|(_, draft)| draft);
        self.notes
            .extend(questions::choose(drafts, self.options.label_column.as_deref())?);
        self.notes
            .extend(name_paths(self.drafts.iter_mut().map(|(_, draft)| draft)));
        self.whole_numbers();
        let cells: Vec<String> = self
            .drafts
            .iter()
            .flat_map(|(_, draft)| &draft.votes)
            .filter_map(|vote| match &vote.written {
                Written::Cell(cell) => Some(cell.clone()),
                Written::List(_) | Written::Paths(_) => None,
            })
            .collect();
        let is_list = self
            .columns
            .iter()
            .any(|column| column.role == Role::Label && column.name.to_lowercase().ends_with('s'));
        let cut = Cut::of(
            cells.iter().map(String::as_str),
            self.options.label_delimiter,
            is_list,
            self.options.several_labels_of.as_deref(),
        );
        let mut drafts = std::mem::take(&mut self.drafts);
        drafts.sort_by_key(|(line, _)| *line);
        for (line, draft) in drafts {
            match self.row(line, draft, &cut) {
                Ok(row) => import.rows.push(row),
                Err(reason) => self.reject(line, reason),
            }
        }
        if import.rows.is_empty() && self.rejected.is_empty() {
            return Err(match self.has_names {
                true => Refusal::NoRows,
                false => Refusal::Empty,
            });
        }
        let mut labels = import
            .rows
            .iter()
            .flat_map(|row| &row.votes)
            .flat_map(|vote| &vote.labels);
        if labels.clone().count() > 1 && labels.all(|label| label.trim().parse::<u64>().is_ok()) {
            self.notes.push(NUMBERS.to_owned());
        }
        self.notes.extend(told_of_doubtful(&import.rows));
        self.rejected.sort_by_key(|rejected| rejected.line);
        import.rejected = self.rejected;
        import.columns = self.columns;
        import.known_labels.clone_from(&self.options.labels);
        import.tool = self.tool;
        import.notes = self.notes;
        import.notes.extend(cut.note);
        import.notes.extend(cut.note_of_known);
        import.notes.extend(self.counted.notes());
        Ok(import)
    }

    /// Reads labels such as `1.0` as `1` where all labels are whole numbers, unless the labels that there are have the point.
    /// A comma stands for the point where nothing but `0` follows it; if `0` is a label by itself, it may stand between two.
    fn whole_numbers(&mut self) {
        let is_written_so = |label: &String| whole(label, true).is_some();
        if self.options.labels.iter().any(is_written_so) {
            return;
        }
        let votes = self.drafts.iter().flat_map(|(_, draft)| &draft.votes);
        let cells = votes.filter_map(|vote| match &vote.written {
            Written::Cell(cell) => Some(cell.trim()),
            Written::List(_) | Written::Paths(_) => None,
        });
        let cells: Vec<&str> = cells.collect();
        let with_comma = !cells.contains(&"0") && self.options.label_delimiter == LabelDelimiter::Auto;
        let is_whole = |cell: &&str| {
            let cell = whole(cell, with_comma).unwrap_or(cell);
            is_missing(cell) || cell.parse::<i64>().is_ok()
        };
        if !cells.iter().all(is_whole) {
            return;
        }
        for (line, draft) in &mut self.drafts {
            for vote in &mut draft.votes {
                let Written::Cell(cell) = &mut vote.written else {
                    continue;
                };
                if let Some(whole) = whole(cell, with_comma).map(str::to_owned) {
                    let note = if cell.contains(',') {
                        WITH_COMMA
                    } else {
                        WHOLE_NUMBERS
                    };
                    *cell = whole;
                    self.counted.add(note, *line);
                }
            }
        }
    }

    fn row(&mut self, line: u64, draft: Draft, cut: &Cut) -> Result<Row, String> {
        if let Some(encoding) = self.damaged_encoding
            && draft.is_damaged()
        {
            return Err(reason(encoding));
        }
        let mut text = draft.text;
        if text.contains('\0') {
            text.retain(|c| c != '\0');
            self.counted.add(NUL, line);
        }
        if is_blank(&text) {
            return Err("the text is empty".to_owned());
        }
        if holds_fast_text_label(&text) {
            return Err(fast_text::WITHIN.to_owned());
        }
        if let Some(repair) = draft.repair {
            self.counted.add(repair, line);
        }
        if text.len() > MAX_UTTERANCE_BYTES {
            return Err(format!(
                "the text has {} bytes, more than {MAX_UTTERANCE_BYTES}",
                text.len()
            ));
        }
        if let Some(aside) = draft.aside {
            self.counted.add(aside_note(aside), line);
        }
        if (draft.classifier.as_ref()).is_some_and(|name| name.len() > MAX_CLASSIFIER_BYTES) {
            return Err(format!(
                "the name of the classifier has more than {MAX_CLASSIFIER_BYTES} bytes"
            ));
        }
        let mut is_told = false;
        let mut votes = Vec::new();
        for vote in draft.votes {
            let written = cut.labels(vote.written);
            let count = written.len();
            // One of control characters alone is none.
            let labels = written.into_iter().map(without_controls);
            let labels: Vec<String> = labels
                .filter(|label| !is_blank(label) && !is_missing(label))
                .collect();
            if labels.len() < count && !std::mem::replace(&mut is_told, true) {
                self.counted.add(NO_LABEL, line);
            }
            if !labels.is_empty() {
                votes.push(Vote {
                    labels,
                    by: vote.by,
                    at: vote.at,
                });
            }
        }
        Ok(Row {
            line,
            text: text.trim().to_owned(),
            classifier: draft.classifier,
            votes,
        })
    }
}

/// Returns the whole number that a cell such as `1.0` is, or `1,0` as programs write it where a comma stands for the point.
fn whole(cell: &str, with_comma: bool) -> Option<&str> {
    let of_comma = || {
        let whole = cell.trim().strip_suffix(",0").filter(|_| with_comma)?;
        whole.parse::<i64>().is_ok().then_some(whole)
    };
    whole_number(cell).or_else(of_comma)
}

/// Tells of labels that count, and may say that there is none.
fn told_of_doubtful(rows: &[Row]) -> Vec<String> {
    let mut doubtful = MissingLabels::default();
    for row in rows {
        for label in row.votes.iter().flat_map(|vote| &vote.labels) {
            doubtful.taken(label, row.line);
        }
    }
    doubtful.told()
}

fn without_controls(label: String) -> String {
    match label.contains(char::is_control) {
        true => label
            .split(char::is_control)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" "),
        false => label,
    }
}

/// Says of how many texts an answer does not count; they stay in the pool unless somebody else labelled them.
pub(crate) fn aside_note(aside: &'static str) -> &'static str {
    match aside {
        "was skipped by its annotator" => {
            "texts with an annotation that its annotator skipped, which does not count"
        }
        "was ignored by its annotator" => "texts that their annotator ignored, which have no label",
        "is a label that was rejected, which says nothing of the right one" => {
            "texts with a label that was rejected, which does not say the right one"
        }
        "was discarded or is a draft" => {
            "texts with an answer that was discarded or is a draft, which does not count"
        }
        NUMBERED => {
            "texts whose labels are numbers of doccano's own, which were not read: export as `JSONL(Text label)`, or with \
             doccano 1.0 or later, so that they have their names"
        }
        "was labelled by a machine" => "texts that a machine labelled, which have no label of a person",
        ADJUSTED => "texts whose label another job adjusted: the adjusted label counts",
        NOT_RIGHT => "texts whose label a verification did not find right, which have no label",
        FAILED => "texts of objects that failed in their job, which have no label",
        _ => "texts with a label without its name, which does not count",
    }
}
