//! Tables with a column for each label, and a cross where it holds, or whether it does in numbers or words.

use crate::{Refusal, names::is_label_name};

/// What people write for a cross, in lower case.
const CROSSES: [&str; 6] = ["x", "✓", "✔", "✗", "☑", "×"];

/// What people write for no and for yes, in lower case.
const NO_AND_YES: [[&str; 2]; 5] = [
    ["0", "1"],
    ["0.0", "1.0"],
    ["false", "true"],
    ["no", "yes"],
    ["n", "y"],
];

/// Rows from which such a table is told.
const MIN_ROWS: usize = 2;

const WITH_CROSSES: &str = "a table with a column for each label and a cross where it holds";
const WITH_YES_AND_NO: &str = "a table with a column for each label that says yes or no";
const ADVICE: &str = "write the names of its labels into one column, with a `|` between those of one text; \
             where the columns are no labels, name that of the texts with --text-column";

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
        true => Err(refusal(WITH_CROSSES)),
        false => Ok(()),
    }
}

/// Refuses a table in which no column holds the labels, and two or more say yes of some texts and no of others.
///
/// # Errors
///
/// [`Refusal::Format`].
pub(crate) fn refuse_yes_and_no(names: &[String], rows: &[Vec<String>]) -> Result<(), Refusal> {
    let says = |column: usize, [no, yes]: [&str; 2]| {
        let cells = rows
            .iter()
            .map(|cells| cells.get(column).map_or("", |cell| cell.trim()));
        let (mut some, mut others) = (false, false);
        for cell in cells.map(str::to_lowercase) {
            match cell.as_str() {
                cell if cell == yes => some = true,
                cell if cell == no || cell.is_empty() => others = true,
                _ => return false,
            }
        }
        some && others
    };
    let is_told = |(column, name): &(usize, &String)| {
        !name.trim().is_empty() && NO_AND_YES.into_iter().any(|words| says(*column, words))
    };
    let columns = names.iter().enumerate().filter(is_told).count();
    match rows.len() >= MIN_ROWS && columns > 1 {
        true => Err(refusal(WITH_YES_AND_NO)),
        false => Ok(()),
    }
}

fn refusal(what: &'static str) -> Refusal {
    Refusal::Format { what, advice: ADVICE }
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

    fn read(content: &str, text_column: Option<&str>) -> Result<crate::Import, Refusal> {
        let options = crate::Options {
            text_column: text_column.map(str::to_owned),
            ..crate::Options::default()
        };
        crate::read(content.as_bytes(), &options)
    }

    #[test]
    fn columns_that_say_yes_or_no_of_each_label_are_told_whatever_they_are_called() {
        for content in [
            "text,World,Sports\nThe vote was held,1,0\nThe match was won,0,1\nBoth of it here,1,1\n",
            "text,World,Sports\nThe vote was held,1,\nThe match was won,,1\n",
            "comment_text;toxic;threat\nI will find you;TRUE;TRUE\nHave a good day;FALSE;FALSE\n",
            "{\"text\": \"The vote was held\", \"World\": 1, \"Sports\": 0}\n\
             {\"text\": \"The match was won\", \"World\": 0, \"Sports\": 1}\n",
            "{\"text\": \"The vote was held\", \"World\": true, \"Sports\": false}\n\
             {\"text\": \"The match was won\", \"World\": false, \"Sports\": true}\n",
        ] {
            let refused = read(content, None).expect_err(content).to_string();
            assert!(refused.contains("a column for each label"), "{refused}");
        }
        for content in [
            "text,label,urgent\nCharged twice again,1,0\nCannot log in now,0,1\n",
            "text,label,read,urgent\nCharged twice again,Billing,1,0\nCannot log in now,Login,0,1\n",
            "text,urgent\nCharged twice again,1\nCannot log in now,0\n",
            "text,version,part\nCharged twice again,1,1\nCannot log in now,1,1\n",
        ] {
            assert!(read(content, None).is_ok(), "{content}");
        }
        let named = "text,read,urgent\nCharged twice again,1,0\nCannot log in now,0,1\n";
        assert_eq!(read(named, Some("text")).expect("texts").rows.len(), 2);
    }
}
