//! What was understood of files, and what was done, for a person or a program.

use std::fmt::Write;

use serde_json::{Value, json};
use text_import::{Conflict, Import, LabelCount, Role, Row, Summary};

use super::{
    File,
    fates::{by_name, do_what, fates, known},
    plan::{Fate, Plan},
    store::{Done, Known},
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
            "nearly every text has a label of its own: are the columns swapped? See --text-column",
        );
    }
    if plan.contradictory > 0 {
        let reason = format!(
            "different labels of {}, and the file does not say whose: people are asked",
            counted(plan.contradictory, "text")
        );
        line(&mut text, "conflicts", reason);
    }
    if known.is_some() && !plan.new_labels.is_empty() {
        line(
            &mut text,
            "new labels",
            listed(&plan.new_labels, |label| {
                format!("{} {}", label.name, label.votes)
            }),
        );
        line(
            &mut text,
            "",
            "they are proposed: --add-labels, or `active-learning labels accept NAME`, makes them labels",
        );
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

fn file_in_words(File { name, import }: &File) -> String {
    let mut text = format!("{name}\n");
    line(&mut text, "format", format(import));
    if !import.columns.is_empty() {
        line(&mut text, "columns", columns(import));
    }
    let summary = Summary::of(&import.rows);
    let Summary {
        labelled,
        unlabelled,
        votes,
        duplicates,
        ..
    } = summary;
    let texts = labelled + unlabelled;
    line(
        &mut text,
        "texts",
        format!(
            "{texts}: {labelled} with labels ({}), {unlabelled} without; {}",
            counted(votes, "vote"),
            counted(duplicates, "duplicate")
        ),
    );
    if let Some(Row { text: first, .. }) = import.rows.first() {
        line(&mut text, "the first", shown(first));
    }
    if !summary.labels.is_empty() {
        line(
            &mut text,
            "labels",
            listed(&summary.labels, |label: &LabelCount| {
                format!("{} {}", label.name, label.votes)
            }),
        );
    }
    summary
        .joined
        .iter()
        .for_each(|joined| line(&mut text, "joined", joined));
    if summary.annotators.keys().any(|name| !name.is_empty()) {
        let named: Vec<_> = summary.annotators.iter().collect();
        line(
            &mut text,
            "annotators",
            listed(&named, |(name, votes)| {
                format!(
                    "{} {votes}",
                    if name.is_empty() {
                        "not named"
                    } else {
                        name.as_str()
                    }
                )
            }),
        );
    }
    if !summary.conflicts.is_empty() {
        let told = |conflict: &Conflict| {
            format!(
                "lines {} ({})",
                numbers(&conflict.lines),
                one_of(&conflict.labels)
            )
        };
        line(
            &mut text,
            "different",
            format!("labels of one text: {}", listed(&summary.conflicts, told)),
        );
    }
    for note in &import.notes {
        line(&mut text, "note", note);
    }
    if !import.rejected.is_empty() {
        line(&mut text, "rejected", counted(import.rejected.len(), "row"));
        for rejected in import.rejected.iter().take(SHOWN) {
            line(
                &mut text,
                "",
                format!("line {}: {}", rejected.line, rejected.reason),
            );
        }
        if let Some(more) = import.rejected.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            line(&mut text, "", format!("… and {more} more; --json lists all"));
        }
    }
    text
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
        Role::Unused => column.name.clone(),
    })
}

pub(super) fn listed<T>(things: &[T], name: impl Fn(&T) -> String) -> String {
    let mut names: Vec<String> = things.iter().take(2 * SHOWN).map(name).collect();
    if things.len() > names.len() {
        names.push(format!("… and {} more", things.len() - names.len()));
    }
    names.join(", ")
}

/// Names the first few of several labels.
fn one_of(labels: &[String]) -> String {
    let mut names: Vec<&str> = labels.iter().take(SHOWN / 2).map(String::as_str).collect();
    if names.len() < labels.len() {
        names.push("…");
    }
    names.join(" / ")
}

/// Counts things in words.
pub(super) fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    }
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
            "summary": Summary::of(&import.rows),
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
        "waitForAcceptance": by_name(plan, |fate| match fate { Fate::Waits(name) => Some(name), _ => None }),
        "severalLabels": by_name(plan, |fate| match fate { Fate::Several(name) => Some(name), _ => None }),
        "split": by_name(plan, |fate| match fate { Fate::Split(name) => Some(name), _ => None }),
        "retired": by_name(plan, |fate| match fate { Fate::Retired(name) => Some(name), _ => None }),
        "known": known.map(|known| json!({"labels": known.labelled(), "questions": known.asked()})),
        "changed": known.map(Known::changed),
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
        let known = also(plan.pool.len() - done.asked, "known already");
        let _ = writeln!(
            text,
            "Questions about {}{known}.",
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
            do_what(done.training, "label trains", "labels train")
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
