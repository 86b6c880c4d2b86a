//! The row of totals below a table, as spreadsheets have it: no text.

use std::collections::HashSet;

use crate::{columns::Roles, content::is_number, names::folded};

/// Why such a row is not read.
pub(crate) const TOTALS: &str = "the last row holds totals, and no text";

/// What the row of totals is called, folded: see [`folded`].
const WORDS: [&str; 32] = [
    "total",
    "totals",
    "grandtotal",
    "subtotal",
    "sum",
    "summe",
    "gesamt",
    "gesamtsumme",
    "gesamtergebnis",
    "insgesamt",
    "somme",
    "totalgénéral",
    "totale",
    "totalecomplessivo",
    "somma",
    "suma",
    "sumatotal",
    "totalgeneral",
    "totalgeral",
    "soma",
    "totaal",
    "eindtotaal",
    "summa",
    "totalt",
    "yhteensä",
    "razem",
    "celkem",
    "összesen",
    "toplam",
    "итого",
    "всего",
    "合計",
];

/// Returns whether a row has a word for totals and otherwise numbers only, of which none is a label of another row, and one at
/// least does not go on from the row above it, as the numbers of rows do.
pub(crate) fn are_totals(
    cells: &[String],
    above: &[String],
    roles: &Roles,
    labels: &HashSet<String>,
) -> bool {
    let is_word = |cell: &str| WORDS.contains(&folded(cell.trim_end_matches([':', '.', ' '])).as_str());
    let filled = cells
        .iter()
        .enumerate()
        .map(|(column, cell)| (column, cell.trim()))
        .filter(|(_, cell)| !cell.is_empty());
    let (words, others): (Vec<_>, Vec<_>) = filled.partition(|(_, cell)| is_word(cell));
    let is_total = |(column, cell): &(usize, &str)| {
        is_number(cell) && (Some(*column) != roles.label || !labels.contains(*cell))
    };
    let number = |cell: &str| cell.trim().parse::<i64>().ok();
    let goes_on = |(column, cell): &(usize, &str)| {
        let before = above.get(*column).and_then(|cell| number(cell)?.checked_add(1));
        before.is_some() && before == number(cell)
    };
    words.len() == 1 && others.iter().all(is_total) && !others.iter().all(goes_on)
}

#[cfg(test)]
mod tests {
    use crate::{Options, read};

    fn told(content: &str) -> (usize, Vec<u64>) {
        let import = read(content.as_bytes(), &Options::default()).expect("a table");
        let rejected = import.rejected.iter().map(|rejected| rejected.line).collect();
        (import.rows.len(), rejected)
    }

    #[test]
    fn the_row_of_totals_is_no_text_and_is_told_with_its_line() {
        let rows = "The invoice is wrong;Billing\nI cannot log in;Login\nCharged twice;Billing\n";
        for last in ["Total;120", "Summe: ;3", "Gesamt;1,5", "Grand Total;3", "ИТОГО;3"] {
            assert_eq!(
                told(&format!("Text;Kategorie\n{rows}{last}\n")),
                (3, vec![5]),
                "{last}"
            );
        }
        let counted = "Text;Label;Count\nThe invoice is wrong;Billing;3\nI cannot log in;Login;4\nTotal;;7\n";
        assert_eq!(told(counted), (2, vec![4]));
    }

    #[test]
    fn a_text_that_says_total_is_a_text() {
        let rows = "The invoice is wrong;Billing\nI cannot log in;Login\n";
        for last in ["Total;Billing", "The total is wrong;120", "Total;"] {
            assert_eq!(
                told(&format!("Text;Kategorie\n{rows}{last}\n")),
                (3, vec![]),
                "{last}"
            );
        }
        let rated = "Text;Label\nVery good;5\nNot good;1\nTotal;5\n";
        assert_eq!(told(rated), (3, vec![]), "its number is a label");
        let numbered = "Nr;Text\n1;Very good\n2;Not good\n3;Total\n";
        assert_eq!(told(numbered), (3, vec![]), "its number is that of the row");
    }
}
