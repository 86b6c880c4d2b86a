//! The row that names the columns, where it comes again.

use unicode_normalization::UnicodeNormalization;

/// The row that names the columns of a table. In files that were joined it comes again, and is no text there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRow {
    names: Vec<String>,
    /// Bytes of the names.
    bytes: usize,
}

/// How a later row names the columns once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamesAgain {
    /// In the same order.
    Same,
    /// In another order: what stands below it would be read wrongly.
    Turned,
}

impl HeaderRow {
    /// Takes the cells of the row that names the columns.
    pub fn of<T: AsRef<str>>(cells: &[T]) -> Self {
        let names = folded(cells);
        Self {
            bytes: names.iter().map(String::len).sum(),
            names,
        }
    }

    /// Returns how a later row names the columns once more, if it does: whatever the case, and the white space around names.
    pub fn again<T: AsRef<str>>(&self, cells: &[T]) -> Option<NamesAgain> {
        // Most rows are longer than names: nothing of those is folded. A letter has at most four bytes.
        let bytes: usize = cells.iter().map(|cell| bare(cell.as_ref()).len()).sum();
        if self.bytes == 0 || bytes > 4 * self.bytes {
            return None;
        }
        let mut names = folded(cells);
        if names == self.names {
            return Some(NamesAgain::Same);
        }
        let mut known = self.names.clone();
        known.sort_unstable();
        names.sort_unstable();
        (names == known).then_some(NamesAgain::Turned)
    }
}

/// Returns a cell without white space, and without a byte-order mark: a file that was put behind another one begins with it.
fn bare(cell: &str) -> &str {
    cell.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Folds the cells of a row, without the empty ones at its end.
fn folded<T: AsRef<str>>(cells: &[T]) -> Vec<String> {
    let fold = |cell: &T| bare(cell.as_ref()).nfc().collect::<String>().to_lowercase();
    let mut names: Vec<String> = cells.iter().map(fold).collect();
    while names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_the_columns_again_only_where_every_cell_is_one_of_the_names() {
        let header = HeaderRow::of(&["Text", "label", "Ve\u{e9}"]);

        for (cells, expected) in [
            (&["text", "label", "ve\u{e9}"][..], Some(NamesAgain::Same)),
            (
                &["\u{feff}TEXT ", " Label", "Vee\u{301}", ""],
                Some(NamesAgain::Same),
            ),
            (&["label", "text", "ve\u{e9}"], Some(NamesAgain::Turned)),
            (&["text", "label"], None),
            (&["text", "label", "x"], None),
            (&["text", "text", "ve\u{e9}"], None),
            (&["text", "label", "a text that is longer than all names"], None),
            (&["", "", ""], None),
        ] {
            assert_eq!(header.again(cells), expected, "{cells:?}");
        }
        assert_eq!(HeaderRow::of(&[""]).again(&[""]), None);
    }
}
