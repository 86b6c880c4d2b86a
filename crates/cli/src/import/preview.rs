//! What was understood of files, and what was done, for a person or a program.

use std::fmt::Write;

use serde_json::{Value, json};
use text_import::{Conflict, Import, LabelCount, Role, Row, Summary};

use super::{
    File,
    fates::{by_name, fates, known},
    known::Known,
    plan::{Fate, Plan},
    store::Done,
};
use crate::{
    labels::Added,
    personal_data,
    wording::{counted, counted_as, listed},
};

/// Things that are shown one by one; the rest is counted.
const SHOWN: usize = 10;
/// Characters of a text that are shown.
const SHOWN_CHARACTERS: usize = 70;

/// Says what was understood of files, and what will be done; `known` is what the stack knows of it, where there is one.
pub(super) fn in_words(files: &[File], plan: &Plan, known: Option<&Known>) -> String {
    let mut text = String::new();
    for file in files {
        text += &file_in_words(file);
    }
    text.push('\n');
    if plan.looks_swapped {
        line(
            &mut text,
            "warning",
            "labels and texts look exchanged, or nearly every text has a label of its own: are the columns swapped? \
             See --text-column",
        );
    }
    if plan.contradictory > 0 {
        let reason = format!(
            "different labels of {}, and the file does not say whose: people are asked",
            counted(plan.contradictory, "text")
        );
        line(&mut text, "conflicts", reason);
    }
    for joined in &plan.joined {
        line(&mut text, "joined", joined);
    }
    if known.is_some() && !plan.new_labels.is_empty() {
        line(
            &mut text,
            "new labels",
            listed(&plan.new_labels, |label| {
                format!("{} {}", label.name, label.votes)
            }),
        );
        let what = match plan.adds_labels {
            true => "they become labels",
            false => {
                "they are proposed: --add-labels, or `active-learning labels accept NAME`, makes them labels"
            }
        };
        line(&mut text, "", what);
    }
    if plan.keeps_what_the_stack_masks {
        line(
            &mut text,
            "warning",
            "the stack masks personal data, and these texts are stored as they are: imported without \
             --personal-data keep they are other texts",
        );
    }
    if !plan.masked.is_empty() {
        line(&mut text, "masked", personal_data::in_words(&plan.masked));
    }
    let (labelled, pool) = (plan.labelled.len(), plan.pool.len());
    line(
        &mut text,
        "to do",
        format!(
            "labels for {}, questions about {}",
            counted(labelled, "text"),
            counted(pool, "text")
        ),
    );
    for (place, fate) in fates(plan, known).iter().enumerate() {
        line(&mut text, if place == 0 { "of these" } else { "" }, fate);
    }
    for (name, said) in known.map(self::known).unwrap_or_default() {
        line(&mut text, name, said);
    }
    text
}

/// Says what becomes of the votes that there are when new labels are labels; nothing where they stay as they are.
pub(super) fn votes_in_words(added: Option<&Added>) -> String {
    let said = added.map(Added::in_words).filter(|said| !said.is_empty());
    let mut text = String::new();
    said.into_iter()
        .for_each(|said| line(&mut text, "by the new", said));
    text
}

fn file_in_words(File { name, import }: &File) -> String {
    let mut text = format!("{name}\n");
    let mut say = |name: &str, value: String| line(&mut text, name, value);
    say("format", format(import));
    if !import.columns.is_empty() {
        say("columns", columns(import));
    }
    let summary = import.summary();
    say("texts", texts(&summary));
    if let Some(Row { text: first, .. }) = import.rows.first() {
        say("the first", shown(first));
    }
    if !summary.labels.is_empty() {
        let label = |label: &LabelCount| format!("{} {}", label.name, label.votes);
        say("labels", listed(&summary.labels, label));
    }
    for joined in &summary.joined {
        say("joined", joined.clone());
    }
    if summary.annotators.keys().any(|name| !name.is_empty()) {
        say("annotators", annotators(&summary));
    }
    if !summary.conflicts.is_empty() {
        let conflicts = listed(&summary.conflicts, conflict);
        say("different", format!("labels of one text: {conflicts}"));
    }
    for note in &import.notes {
        say("note", note.clone());
    }
    if !import.rejected.is_empty() {
        say("rejected", counted(import.rejected.len(), "row"));
        rejected(import).into_iter().for_each(|row| say("", row));
    }
    text
}

fn texts(summary: &Summary) -> String {
    let (labelled, unlabelled) = (summary.labelled, summary.unlabelled);
    format!(
        "{}: {labelled} with labels ({}), {unlabelled} without; {}",
        labelled + unlabelled,
        counted(summary.votes, "vote"),
        counted(summary.duplicates, "duplicate")
    )
}

fn annotators(summary: &Summary) -> String {
    let named: Vec<_> = summary.annotators.iter().collect();
    listed(&named, |(name, votes)| {
        let name = if name.is_empty() {
            "not named"
        } else {
            name.as_str()
        };
        format!("{name} {votes}")
    })
}

fn conflict(conflict: &Conflict) -> String {
    format!(
        "lines {} ({})",
        numbers(&conflict.lines),
        one_of(&conflict.labels)
    )
}

/// Lists the first rows that were rejected.
fn rejected(import: &Import) -> Vec<String> {
    let shown = import.rejected.iter().take(SHOWN);
    let shown = shown.map(|row| format!("line {}: {}", row.line, row.reason));
    let more = import.rejected.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("… and {more} more; --json lists all"));
    shown.chain(more).collect()
}

fn line(text: &mut String, name: &str, value: impl AsRef<str>) {
    let _ = writeln!(text, "  {name:<11} {}", value.as_ref());
}

fn format(import: &Import) -> String {
    let mut words = vec![import.format.name().to_owned()];
    words.extend(import.tool.map(|tool| format!("export of {}", tool.name())));
    words.extend(import.gzip.then(|| "gzip".to_owned()));
    words.extend(import.encoding.clone());
    words.extend(import.delimiter.map(|delimiter| match delimiter {
        '\t' => "separated by tabs".to_owned(),
        other => format!("separated by `{other}`"),
    }));
    if !import.sheets.is_empty() {
        words.push(format!("sheets {}", import.sheets.join(", ")));
    }
    words.join(", ")
}

fn columns(import: &Import) -> String {
    listed(&import.columns, |column| match column.role {
        Role::Text => format!("{} = text", column.name),
        Role::Label => format!("{} = label", column.name),
        Role::Annotator => format!("{} = annotator", column.name),
        Role::Classifier => format!("{} = classifier", column.name),
        Role::Unused => column.name.clone(),
    })
}

/// Names the first few of several labels.
fn one_of(labels: &[String]) -> String {
    let mut names: Vec<&str> = labels.iter().take(SHOWN / 2).map(String::as_str).collect();
    if names.len() < labels.len() {
        names.push("…");
    }
    names.join(" / ")
}

fn numbers(lines: &[u64]) -> String {
    listed(lines, u64::to_string)
}

/// Shortens a text to a line of the terminal.
fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Returns the same for a program.
pub(super) fn as_json(files: &[File], plan: &Plan, known: Option<&Known>) -> Value {
    let file = |File { name, import }: &File| {
        json!({
            "name": name,
            "format": import.format,
            "tool": import.tool.map(text_import::Tool::name),
            "gzip": import.gzip,
            "encoding": import.encoding,
            "delimiter": import.delimiter,
            "sheets": import.sheets,
            "columns": import.columns,
            "classifier": import.classifier,
            "rows": import.rows.len(),
            "summary": import.summary(),
            "rejected": import.rejected,
            "notes": import.notes,
        })
    };
    json!({
        "files": files.iter().map(file).collect::<Vec<_>>(),
        "toLabel": plan.labelled.len(),
        "toAsk": plan.pool.len(),
        "toTrain": plan.count(&Fate::Trains) - known.map_or(0, |known| known.tied() + known.outvoted()),
        "tieWithAnswers": known.map(Known::tied),
        "outvotedByAnswers": known.map(Known::outvoted),
        "contradictory": plan.contradictory,
        "tied": plan.count(&Fate::Tied),
        "unusable": plan.unusable,
        "newLabels": plan.new_labels,
        "joined": plan.joined,
        "waitForAcceptance": by_name(plan, |fate| match fate { Fate::Waits(name) => Some(name), _ => None }),
        "severalLabels": by_name(plan, |fate| match fate { Fate::Several(name) => Some(name), _ => None }),
        "split": by_name(plan, |fate| match fate { Fate::Split(name) => Some(name), _ => None }),
        "retired": by_name(plan, |fate| match fate { Fate::Retired(name) => Some(name), _ => None }),
        "known": known.map(|known| json!({"labels": known.labelled(), "questions": known.asked()})),
        "changed": known.map(Known::changed),
        "knownInAnotherSpelling": known.map(Known::spelt_otherwise),
        "addsLabels": plan.adds_labels,
        "masked": plan.masked,
        "keepsWhatTheStackMasks": plan.keeps_what_the_stack_masks,
        "looksSwapped": plan.looks_swapped,
    })
}

/// Says what was done.
pub(super) fn done_in_words(done: &Done, plan: &Plan) -> String {
    let mut text = String::new();
    if !plan.labelled.is_empty() {
        let known = also(plan.labelled.len() - done.labelled, "with known labels");
        let new = done.labelled - done.changed.min(done.labelled);
        let _ = writeln!(text, "Labels for {}{known}.", counted(new, "new text"));
    }
    if done.changed > 0 {
        let _ = writeln!(
            text,
            "Another label for {}: it counts, the older one stays in the record.",
            counted(done.changed, "known text")
        );
    }
    if !plan.pool.is_empty() {
        let sent = done.asked + done.on_their_way;
        let known = also(plan.pool.len() - sent, "known already");
        let on_their_way = also(done.on_their_way, "that an import sent a moment ago");
        let _ = writeln!(
            text,
            "Questions about {}{known}{on_their_way}.",
            counted(done.asked, "new text")
        );
    }
    if done.disputed > 0 {
        let _ = writeln!(
            text,
            "{} for an adjudicator: active-learning disputed",
            counted(done.disputed, "text")
        );
    }
    if done.training > 0 {
        let _ = writeln!(
            text,
            "{} the next model; `active-learning build` builds it now.",
            counted_as(done.training, "label trains", "labels train")
        );
    }
    text
}

fn also(count: usize, what: &str) -> String {
    match count {
        0 => String::new(),
        count => format!(", beside {} {what}", counted(count, "text")),
    }
}
