//! What the plan of a change of the label set says.

use active_learning_core::{
    labels::label_set::{LabelSet, Resolution, State as LabelState},
    text::counted,
};

use super::plan::texts;
use crate::relabel::Rows;

/// Says that a label has lost another name, by which this many rows of training files are called.
pub(super) fn without_synonym(name: &str, synonym: &str, initial: usize) -> String {
    let synonym = synonym.trim();
    format!(
        "`{synonym}` means `{name}` no more. What is proposed by that name is a proposal again. What reviewers chose while it \
         was the label's own name, and {} of training files, are of a class `{synonym}` from then on, as what a model \
         predicts by it is: make it a label, or another name of one.",
        counted(initial, "row")
    )
}

/// Says that a name still means a label which has lost it: it is another way to write one of its other names.
pub(super) fn still_means(label: &str, synonym: &str) -> String {
    format!(
        "`{}` is no name of `{label}` any more. It means `{label}` all the same while no label is called so, since it only \
         writes its name in another way; a label of its own can be called so now.",
        synonym.trim()
    )
}

/// Says which rows a label gets since they are called by its new name already; nothing where none are. `before` are those that
/// it has without that, `after` all of them.
pub(super) fn taken_over(label: &str, name: &str, before: &Rows, after: &Rows) -> String {
    let answers = after.answers.len().saturating_sub(before.answers.len());
    let initial = after.initial.len().saturating_sub(before.initial.len());
    match answers + initial {
        0 => String::new(),
        _ => format!(
            " {} and {} of training files are called `{}` already, as a proposal or since another label was called so: they \
             are rows of `{label}` from now on.",
            counted(answers, "answer"),
            counted(initial, "row"),
            name.trim()
        ),
    }
}

/// Says what becomes of the rows of a label that is added, or that is a label again.
pub(super) fn becomes(set: &LabelSet, name: &str, rows: &Rows) -> String {
    let counts = counts(rows);
    let Some(label) = set.brought_back(name) else {
        return format!(
            "`{}` becomes a label, and votes that proposed it count for it: {counts}",
            name.trim()
        );
    };
    let moves = match &label.state {
        LabelState::MergedInto(into) => match set.resolve(into) {
            Resolution::Label(now) => format!("{counts} move from `{now}` to it"),
            _ => format!("{counts} count again"),
        },
        LabelState::Retired => format!("{counts} that were left out count again"),
        LabelState::Split { .. } | LabelState::Active => counts,
    };
    format!(
        "`{}` is a label again, and rows that name it are its rows: {moves}",
        label.name
    )
}

/// Says how many texts that no label fitted are asked again by a new label, and of how many an earlier change asks.
pub(super) fn none_fitted(again: usize, open: usize) -> String {
    let mut text = format!(
        " Of the texts that no label fitted {} will be asked again, the most doubtful first.",
        texts(again)
    );
    if open > 0 {
        text += &format!(" An earlier change asks about {} already.", texts(open));
    }
    text
}

pub(super) fn made_synonym(name: &str, label: &str) -> String {
    format!(
        "`{}` is no label, so that there is nothing to merge: it becomes another name of `{label}`, as by \
         `labels synonym`. Votes that proposed it count for that.",
        name.trim()
    )
}

pub(super) fn mapped(rows: &Rows) -> String {
    format!("{} are mapped, nobody is asked", counts(rows))
}

fn counts(rows: &Rows) -> String {
    let (answers, initial) = (
        counted(rows.answers.len(), "answer"),
        counted(rows.initial.len(), "row"),
    );
    format!("{answers} and {initial} of training files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_called_so_already_are_told_and_without_any_nothing_is() {
        let rows = |texts: &[&str]| Rows {
            initial: texts.iter().map(|text| (*text).to_owned()).collect(),
            ..Rows::default()
        };
        let (before, after) = (rows(&["a"]), rows(&["a", "b", "c"]));

        assert_eq!(
            taken_over("Billing", " Payments", &before, &after),
            " 0 answers and 2 rows of training files are called `Payments` already, as a proposal or since another label \
             was called so: they are rows of `Billing` from now on."
        );
        assert_eq!(taken_over("Billing", "Payments", &after, &after), "");
    }
}
