//! Where cells with several labels are cut.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::written::path_name;
pub(crate) use crate::written::{Written, name};
use active_learning_core::{
    feedback::prediction::{LABEL_DELIMITER, cut_names, single_label, split_labels},
    labels::label_key::label_key,
    text::counted,
};

/// What stands between labels in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelDelimiter {
    /// What cuts cells into labels that come again elsewhere: `|`, `;`, `,` or `#`.
    #[default]
    Auto,
    /// Nothing: a cell is one label.
    None,
    /// This.
    Char(char),
}

/// Delimiters that are tried.
const TRIED: [char; 4] = [LABEL_DELIMITER, ';', ',', '#'];

/// How a bar is written that is part of a name, as this program exports it.
const ESCAPED: &str = "\\|";

/// How the cells of a file are cut, and what is said of it.
#[derive(Default)]
pub(crate) struct Cut {
    delimiter: Option<char>,
    /// Labels that are known, by their keys: one that holds the delimiter is one.
    known: BTreeSet<String>,
    /// Whether a cell is cut wherever each part is a label that is known.
    cuts_known: bool,
    /// What was cut, or what was not.
    pub note: Option<String>,
    /// What was cut since each part is known.
    pub note_of_known: Option<String>,
}

/// What may stand between labels that are all known: people write all of these.
const BETWEEN_KNOWN: [char; 5] = [';', ',', '\n', '/', '+'];

impl Cut {
    /// Decides how cells are cut; of a column that is called like a list, more readily. Where texts may have several of these
    /// labels, a bar cuts wherever it is no part of one.
    pub(crate) fn of<'a>(
        cells: impl Iterator<Item = &'a str>,
        wanted: LabelDelimiter,
        is_list: bool,
        several: Option<&[String]>,
    ) -> Self {
        let known = several.unwrap_or_default().iter().map(|label| label_key(label));
        let cut = Self {
            known: known.collect(),
            ..Self::default()
        };
        match wanted {
            LabelDelimiter::None => cut,
            LabelDelimiter::Char(delimiter) => Self {
                delimiter: Some(delimiter),
                ..cut
            },
            LabelDelimiter::Auto => {
                let cells: BTreeSet<&str> = cells.map(str::trim).collect();
                let known = cells
                    .iter()
                    .filter(|cell| cut.known_parts(cell).is_some())
                    .count();
                let delimiter = cut.found(&cells, is_list, several.is_some());
                Self {
                    delimiter,
                    cuts_known: true,
                    note: cut.note(&cells, delimiter, is_list),
                    note_of_known: (known > 0).then(|| {
                        format!(
                            "several labels in one cell were cut where each part is a label ({}); --label-delimiter none \
                             keeps them whole",
                            counted(known, "different cell")
                        )
                    }),
                    ..cut
                }
            }
        }
    }

    /// Finds what cells are cut at.
    fn found(&self, cells: &BTreeSet<&str>, is_list: bool, is_several: bool) -> Option<char> {
        // Whoever escapes bars within names means the others.
        let is_escaped = cells.iter().any(|cell| cell.contains(ESCAPED));
        if is_escaped || is_several && cells.iter().any(|cell| self.holds_bar(cell)) {
            let holds_bar = cells.iter().any(|cell| self.holds_bar(cell));
            return holds_bar.then_some(LABEL_DELIMITER);
        }
        TRIED
            .into_iter()
            .find(|delimiter| cuts(cells, *delimiter, is_list))
    }

    fn holds_bar(&self, cell: &str) -> bool {
        self.parts(cell, LABEL_DELIMITER).len() > 1
    }

    fn note(&self, cells: &BTreeSet<&str>, found: Option<char>, is_list: bool) -> Option<String> {
        let holding = |delimiter| {
            let holding = cells.iter().filter(|cell| self.parts(cell, delimiter).len() > 1);
            holding.count()
        };
        let left = || {
            let shared = |delimiter: &char| match *delimiter {
                LABEL_DELIMITER => true,
                other => share_parts(cells, other),
            };
            let left = TRIED
                .into_iter()
                .filter(shared)
                .map(|delimiter| (delimiter, holding(delimiter)));
            left.into_iter().find(|(_, count)| *count > 0)
        };
        match found {
            Some(delimiter) => Some(format!(
                "several labels in one cell were cut at `{delimiter}` ({}); --label-delimiter none keeps them whole",
                counted(holding(delimiter), "different cell")
            )),
            None => left()
                .map(|(delimiter, count)| {
                    format!(
                        "a `{delimiter}` within a label was read as part of its name ({}); \
                         --label-delimiter '{delimiter}' cuts there",
                        counted(count, "different label")
                    )
                })
                .or_else(|| {
                    (is_list && cuts(cells, ' ', true)).then(|| {
                        "labels with spaces were read as one label each; --label-delimiter ' ' cuts them"
                            .to_owned()
                    })
                }),
        }
    }

    /// Cuts a cell that is no label, and of which each part is one, whatever stands between them.
    fn known_parts(&self, cell: &str) -> Option<Vec<String>> {
        let is_known = |name: &str| self.known.contains(&label_key(name));
        if self.known.is_empty() || is_known(cell) {
            return None;
        }
        let mut ways = BETWEEN_KNOWN
            .iter()
            .map(|delimiter| cell.split(*delimiter).map(str::trim));
        let parts = ways.find(|parts| parts.clone().count() > 1 && parts.clone().all(is_known))?;
        Some(parts.map(str::to_owned).collect())
    }

    /// Returns the labels, each once.
    pub(crate) fn labels(&self, written: Written) -> Vec<String> {
        let known = match &written {
            Written::Cell(cell) if self.cuts_known => self.known_parts(cell),
            Written::Cell(_) | Written::List(_) | Written::Paths(_) => None,
        };
        let labels = match (known.map_or(written, Written::List), self.delimiter) {
            (Written::List(labels), _) => labels,
            (Written::Paths(paths), _) => paths.iter().map(|path| path_name(path)).collect(),
            (Written::Cell(cell), None) => vec![unescaped(&cell)],
            (Written::Cell(cell), Some(delimiter)) => self.parts(&cell, delimiter),
        };
        let mut seen = HashSet::new();
        labels
            .into_iter()
            .map(|label| label.trim().to_owned())
            .filter(|label| !label.is_empty() && seen.insert(label.clone()))
            .collect()
    }

    /// Cuts a cell; an escaped bar is part of a name.
    fn parts(&self, cell: &str, delimiter: char) -> Vec<String> {
        let known = |name: &str| self.known.contains(&label_key(name)).then(|| name.to_owned());
        match delimiter {
            LABEL_DELIMITER if self.known.is_empty() => split_labels(cell),
            LABEL_DELIMITER => {
                let names = cut_names(cell, known).into_iter();
                names
                    .map(|name| match known(&name) {
                        Some(known) => known,
                        None => single_label(&name),
                    })
                    .collect()
            }
            other => cell.split(other).map(|part| unescaped(part.trim())).collect(),
        }
    }
}

fn unescaped(name: &str) -> String {
    name.replace(ESCAPED, &LABEL_DELIMITER.to_string())
}

/// Returns whether two cells have a part in common where a delimiter cuts them.
fn share_parts(cells: &BTreeSet<&str>, delimiter: char) -> bool {
    let mut seen = HashSet::new();
    let holding = cells.iter().filter(|cell| cell.contains(delimiter));
    let mut parts = holding.flat_map(|cell| {
        let parts: BTreeSet<&str> = cell.split(delimiter).map(str::trim).collect();
        parts.into_iter().filter(|part| !part.is_empty())
    });
    parts.any(|part| !seen.insert(part))
}

/// Returns whether a delimiter cuts cells into labels that come again: half of the parts for the customary
/// one, and otherwise most of them, some of which stand alone.
fn cuts(cells: &BTreeSet<&str>, delimiter: char, is_list: bool) -> bool {
    let holding: Vec<&&str> = cells.iter().filter(|cell| cell.contains(delimiter)).collect();
    if holding.is_empty() {
        return false;
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells {
        for part in cell.split(delimiter).map(str::trim) {
            *times.entry(part).or_default() += 1;
        }
    }
    let parts: BTreeSet<&str> = holding
        .iter()
        .flat_map(|cell| cell.split(delimiter))
        .map(str::trim)
        .collect();
    if parts.contains("") {
        return false;
    }
    let again = parts.iter().filter(|part| times[*part] > 1).count();
    let alone = parts.iter().any(|part| cells.contains(part));
    match delimiter {
        LABEL_DELIMITER => 2 * again >= parts.len() && again > 0,
        _ if is_list => alone && 2 * again >= parts.len(),
        _ => alone && 5 * again >= 4 * parts.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(cells: &[&str]) -> Vec<Vec<String>> {
        let cut = Cut::of(cells.iter().copied(), LabelDelimiter::Auto, false, None);
        cells
            .iter()
            .map(|cell| cut.labels(Written::Cell((*cell).to_owned())))
            .collect()
    }

    #[test]
    fn cells_are_cut_where_the_parts_come_again() {
        assert_eq!(cut(&["A|B", "A", "B"])[0], ["A", "B"]);
        assert_eq!(cut(&["A|B", "B|C", "A|C"])[2], ["A", "C"]);
        assert_eq!(cut(&["vip, refund", "refund", "vip"])[0], ["vip", "refund"]);
        assert_eq!(cut(&["pos#neg", "pos", "neg"])[0], ["pos", "neg"]);
    }

    #[test]
    fn an_escaped_bar_is_part_of_a_name_and_the_others_cut() {
        assert_eq!(cut(&[r"A\|B", "A", "B"]), [["A|B"], ["A"], ["B"]]);
        assert_eq!(cut(&[r"A\|B|C", "D, E"]), [vec!["A|B", "C"], vec!["D, E"]]);
        let commas = Cut::of([r"A\|B,C"].into_iter(), LabelDelimiter::Char(','), false, None);
        assert_eq!(commas.labels(Written::Cell(r"A\|B,C".into())), ["A|B", "C"]);
    }

    #[test]
    fn where_texts_may_have_several_labels_a_bar_cuts_unless_a_label_holds_it() {
        let cells = ["Negativa|Ruido", "Negativa", "Home|Garden", r"Sol\|Luna"];
        let known = ["Negativa", "Home|Garden"].map(str::to_owned);
        let labels = |several: Option<&[String]>| {
            let cut = Cut::of(cells.into_iter(), LabelDelimiter::Auto, false, several);
            let read = cells.map(|cell| cut.labels(Written::Cell(cell.to_owned())).join(" + "));
            (read, cut.note.unwrap_or_default())
        };

        let (read, note) = labels(Some(&known));
        let whole = Cut::of(
            ["A|B", "C"].into_iter(),
            LabelDelimiter::None,
            false,
            Some(&known),
        );
        let only_known = Cut::of(
            ["Home|Garden"].into_iter(),
            LabelDelimiter::Auto,
            false,
            Some(&known),
        );

        assert_eq!(read, ["Negativa + Ruido", "Negativa", "Home|Garden", "Sol|Luna"]);
        assert!(note.contains("cut at `|` (1 different cell)"), "{note}");
        assert_eq!(whole.labels(Written::Cell("A|B".into())), ["A|B"]);
        assert_eq!(only_known.note, None);
        assert_eq!(
            only_known.labels(Written::Cell("Home|Garden".into())),
            ["Home|Garden"]
        );
    }

    #[test]
    fn a_cell_is_cut_where_each_part_is_a_label_of_the_stack_and_that_is_told() {
        let cells = [
            "Billing, login",
            "Billing;Login",
            "Login\nBilling",
            "Rock + Roll",
            "Billing, payments",
        ];
        let known = ["Billing", "Login", "Rock + Roll", "Rock", "Roll"].map(str::to_owned);
        let read = |wanted| {
            let cut = Cut::of(cells.into_iter(), wanted, false, Some(&known));
            let labels = cells.map(|cell| cut.labels(Written::Cell(cell.to_owned())).len());
            (
                labels,
                cut.note_of_known
                    .is_some_and(|note| note.contains("3 different cells")),
            )
        };

        assert_eq!(read(LabelDelimiter::Auto), ([2, 2, 2, 1, 1], true));
        assert_eq!(read(LabelDelimiter::None), ([1; 5], false));
    }

    #[test]
    fn a_sign_that_may_stand_between_labels_and_cuts_nothing_is_told() {
        let note = |cells: &[&str]| Cut::of(cells.iter().copied(), LabelDelimiter::Auto, false, None).note;
        let told = |sign: char, count| {
            Some(format!(
                "a `{sign}` within a label was read as part of its name ({count} different labels); \
                 --label-delimiter '{sign}' cuts there"
            ))
        };

        assert_eq!(note(&["Delivery, Urgent", "Login, Urgent", "Bug"]), told(',', 2));
        assert_eq!(note(&["Delivery; Urgent", "Login; Urgent"]), told(';', 2));
        assert_eq!(note(&["Sci/Tech; IT", "World", "Food, drink"]), None);
    }

    #[test]
    fn a_sign_within_one_label_cuts_nothing() {
        for cells in [
            ["C#", "C"],
            ["Billing, payments", "Billing"],
            ["A|B", "C"],
            ["Sci/Tech; IT", "World"],
        ] {
            assert!(cut(&cells).iter().all(|labels| labels.len() == 1), "{cells:?}");
        }
    }
}
