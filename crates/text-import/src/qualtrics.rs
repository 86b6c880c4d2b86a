//! The headings of exports of Qualtrics: ids of the columns, their questions, and their ids once more as JSON.
//!
//! Source: Qualtrics, "Understanding Your Dataset", rows 1 to 3 of an exported CSV file.

use crate::Options;

/// Begins each cell of the last of these lines.
const ID: &str = "{\"ImportId\":";
/// Most lines above the first answer.
const MAX_HEADINGS: usize = 3;

/// Takes the headings together to one row of names, the questions; or the ids where a column is asked for by one of these.
/// Returns what is said of it.
pub(crate) fn join_headings(rows: &mut Vec<(u64, Vec<String>)>, options: &Options) -> Option<String> {
    let are_ids = |cells: &[String]| {
        let mut filled = cells.iter().filter(|cell| !cell.trim().is_empty()).peekable();
        filled.peek().is_some() && filled.all(|cell| cell.trim_start().starts_with(ID))
    };
    let ids = rows
        .iter()
        .take(MAX_HEADINGS)
        .position(|(_, cells)| are_ids(cells))
        .filter(|ids| *ids > 0)?;
    let asked = [&options.text_column, &options.label_column];
    let is_asked = |name: &String| asked.iter().any(|asked| asked.as_deref() == Some(name.trim()));
    let names = match rows[0].1.iter().any(is_asked) {
        true => 0,
        false => ids - 1,
    };
    let (line, last) = (rows[names].0, rows[ids].0);
    rows.swap(0, names);
    rows.drain(1..=ids);
    Some(format!(
        "the columns are named in line {line}; the other headings of Qualtrics down to line {last} were not read"
    ))
}

#[cfg(test)]
mod tests {
    use crate::{Options, read};

    #[test]
    fn of_the_three_headings_of_qualtrics_none_is_a_text() {
        let content = "StartDate,ResponseId,Q1,Q2\n\
            Start Date,Response ID,Describe your issue,Topic\n\
            \"{\"\"ImportId\"\":\"\"startDate\"\"}\",\"{\"\"ImportId\"\":\"\"_recordId\"\"}\",\"{\"\"ImportId\"\":\"\"QID1_TEXT\"\"}\",\"{\"\"ImportId\"\":\"\"QID2\"\"}\"\n\
            2026-01-01 10:00:00,R_1,I was charged twice,Billing\n\
            2026-01-01 10:01:00,R_2,I cannot log in,Login\n\
            2026-01-01 10:02:00,R_3,No invoice came,Billing\n";
        let by_id = Options {
            text_column: Some("Q1".to_owned()),
            label_column: Some("Q2".to_owned()),
            ..Options::default()
        };
        for (options, line) in [(Options::default(), 2), (by_id, 1)] {
            let import = read(content.as_bytes(), &options).expect("an export");
            let rows: Vec<(&str, String)> = import
                .rows
                .iter()
                .map(|row| (row.text.as_str(), row.votes[0].labels.join("|")))
                .collect();
            let expected = [
                ("I was charged twice", "Billing"),
                ("I cannot log in", "Login"),
                ("No invoice came", "Billing"),
            ];
            assert_eq!(rows, expected.map(|(text, label)| (text, label.to_owned())));
            let told = format!("the columns are named in line {line}; the other headings of Qualtrics");
            assert!(
                import.notes.iter().any(|note| note.starts_with(&told)),
                "{:?}",
                import.notes
            );
        }
    }
}
