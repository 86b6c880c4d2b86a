//! Tables with a column for each label, and a cross where it holds.

use crate::{Refusal, names::is_label_name};

/// What people write for a cross, in lower case.
const CROSSES: [&str; 6] = ["x", "✓", "✔", "✗", "☑", "×"];

/// Rows from which such a table is told.
const MIN_ROWS: usize = 2;

const REFUSED: Refusal = Refusal::Format {
    what: "a table with a column for each label and a cross where it holds",
    advice: "write the names of its labels into one column, with a `|` between those of one text",
};

/// Refuses a table whose first row names columns of crosses, of which there are two or more, and no column that holds the
/// labels.
///
/// # Errors
///
/// [`Refusal::Format`].
pub(crate) fn refuse(rows: &[(u64, Vec<String>)]) -> Result<(), Refusal> {
    let Some(((_, names), rows)) = rows.split_first() else {
        return Ok(());
    };
    let is_of_crosses = |column: &usize| {
        let cells = rows.iter().filter_map(|(_, cells)| cells.get(*column));
        let mut filled = cells.map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
        let name = names[*column].trim();
        let is_name = !name.is_empty() && !is_cross(name);
        is_name && filled.next().is_some_and(is_cross) && filled.all(is_cross)
    };
    let holds_labels = |column: usize| {
        let mut cells = rows.iter().filter_map(|(_, cells)| cells.get(column));
        is_label_name(&names[column]) && !is_of_crosses(&column) && cells.any(|cell| !cell.trim().is_empty())
    };
    let columns = (0..names.len()).filter(is_of_crosses).count();
    let has_labels = (0..names.len()).any(holds_labels);
    match rows.len() >= MIN_ROWS && columns > 1 && !has_labels {
        true => Err(REFUSED),
        false => Ok(()),
    }
}

fn is_cross(cell: &str) -> bool {
    CROSSES.contains(&cell.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(content: &str) -> bool {
        let lines = (1..).zip(content.lines());
        let rows = lines.map(|(line, cells)| (line, cells.split(';').map(str::to_owned).collect()));
        refuse(&rows.collect::<Vec<_>>()).is_err()
    }

    #[test]
    fn columns_of_crosses_are_told_and_labels_that_are_called_x_are_not() {
        for content in [
            "Ticket text;Billing;Login\nCharged twice;x;\nCannot log in;;X\n",
            "Billing;Login;Text\n✓;;Charged twice\n;✓;Cannot log in\n✓;✓;Both of it\n",
            "text;label;Billing;Login\nCharged twice;;x;\nCannot log in;;;x\n",
        ] {
            assert!(is_refused(content), "{content}");
        }
        for content in [
            "text;label\nCharged twice;x\nCannot log in;y\n",
            "text;label\nCharged twice;x\nCannot log in;x\n",
            "Ticket text;Billing;Login\nCharged twice;x;\n",
            "x;x;Charged twice\n;x;Cannot log in\nx;;Both of it\n",
            "text;urgent;label\nCharged twice;x;Billing\nCannot log in;;Login\n",
            "text;label;reviewed;urgent\nCharged twice;Billing;x;x\nCannot log in;Login;x;\n",
        ] {
            assert!(!is_refused(content), "{content}");
        }
    }
}
