//! Whether the columns of a file are exchanged: what stands where texts should are labels, and the other way round.

use active_learning_core::{dataset::TrainingCheck, labels::label_set::LabelSet};
use text_import::{Import, Role};

use super::{File, Options};

/// Rows from which texts that are names of labels tell it.
const SOME_ROWS: usize = 3;
/// Votes from which labels that nobody knows tell it. A training file is refused with fewer: it has to hold more.
const MANY_VOTES: usize = 10;

/// Returns why nothing of the files is stored: the columns of one look exchanged, and nobody says which holds the texts.
pub(super) fn refusal(files: &[File], set: Option<&LabelSet>, options: &Options) -> Option<String> {
    if options.text_column.is_some() {
        return None;
    }
    let file = files.iter().find(|file| are_swapped(&file.import, set))?;
    Some(format!(
        "{}: the texts look like labels, and the labels like texts; are the columns swapped? Name that of the texts with \
         --text-column, and that of the labels with --label-column",
        file.name
    ))
}

fn are_swapped(import: &Import, set: Option<&LabelSet>) -> bool {
    // What has no columns has its texts in a place of their own.
    if import.columns.len() < 2 || import.columns.iter().all(|column| column.role != Role::Text) {
        return false;
    }
    let is_label = |name: &str| set.is_some_and(|set| set.names(name).is_some());
    let votes = || import.rows.iter().flat_map(|row| &row.votes);
    let known = votes().filter(|vote| vote.labels.iter().all(|label| is_label(label)));
    let (known, all) = (known.count(), votes().count());
    if 2 * known > all {
        return false;
    }
    let texts = import.rows.iter().filter(|row| is_label(&row.text)).count();
    if texts >= SOME_ROWS && 2 * texts > import.rows.len() {
        return true;
    }
    let mut check = TrainingCheck::default();
    for row in &import.rows {
        for vote in &row.votes {
            check.add(vote.labels.iter().map(String::as_str), &row.text, row.line);
        }
    }
    all >= MANY_VOTES && check.check_columns().is_err()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{files, options, set};
    use super::*;

    fn rows(row: impl Fn(&str) -> String) -> String {
        let words = [
            "over", "under", "beside", "before", "behind", "within", "above", "near", "far off", "along",
        ];
        let rows = words.iter().map(|word| row(word) + "\n");
        format!("text,label\n{}", rows.collect::<String>())
    }

    fn is_refused(content: &str, labels: &[&str], arguments: &[&str]) -> bool {
        refusal(&files(&[content]), Some(&set(labels)), &options(arguments)).is_some()
    }

    #[test]
    fn texts_that_are_names_of_labels_are_refused_unless_somebody_names_their_column() {
        let content = "label,text\nIt is late,World\nIt was won,Sports\nIt was sold,World\n";
        let labels = ["World", "Sports"];

        let words = refusal(&files(&[content]), Some(&set(&labels)), &options(&[])).expect("refused");

        assert!(words.contains("are the columns swapped?"), "{words}");
        assert!(!is_refused(content, &["Business"], &[]));
        assert!(!is_refused(content, &labels, &["--text-column", "text"]));
    }

    #[test]
    fn a_label_of_its_own_for_each_text_is_taken_where_the_labels_are_known_and_in_a_short_file() {
        let each = rows(|word| format!("It lies {word} the table,{word}"));
        let names = [
            "over", "under", "beside", "before", "behind", "within", "above", "near", "far off", "along",
        ];

        assert!(is_refused(&each, &[], &[]));
        assert!(!is_refused(&each, &names, &[]));
        assert!(!is_refused(
            "text,label\nIt is late,World\nIt was won,Sports\n",
            &[],
            &[]
        ));
    }
}
