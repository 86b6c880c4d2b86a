//! Which columns hold texts and labels: by what somebody said, by their names, or by what is in them.

use std::collections::HashSet;

use crate::{
    Options, Refusal,
    names::{find, folded, is_annotator_name, is_label_name, is_text_name, label_place, text_place},
};

/// Longest cell that can be the name of a column, in characters.
const MAX_NAME: usize = 40;
/// Longest label on the average, in characters, where only its content tells a column.
const MAX_LABEL: usize = 50;

/// Rows up to which labels need not come again.
const FEW_ROWS: usize = 10;

/// What the columns of a table are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    pub text: usize,
    pub label: Option<usize>,
    pub annotator: Option<usize>,
    /// Whether somebody or a name says so, not only the content.
    pub is_sure: bool,
    /// What was guessed.
    pub notes: Vec<String>,
}

/// Returns whether the first row names the columns.
pub(crate) fn is_header(first: &[String], rest: &[Vec<String>], options: &Options) -> bool {
    let wanted = [&options.text_column, &options.label_column];
    let is_name = |name: &String| name.trim().parse::<usize>().is_err() && find(first, name).is_some();
    if wanted.into_iter().flatten().any(is_name) {
        return true;
    }
    let names: Vec<&String> = first.iter().filter(|cell| !cell.trim().is_empty()).collect();
    let mut seen = HashSet::new();
    let is_known =
        names.iter().any(|name| is_text_name(name)) && names.iter().any(|name| is_label_name(name));
    let are_names = !names.is_empty()
        && names
            .iter()
            .all(|name| can_be_name(name) && (seen.insert(name.trim().to_lowercase()) || is_known))
        && (0..first.len()).all(|column| !comes_again(first, rest, column));
    are_names
        && (names.iter().any(|name| is_text_name(name) || is_label_name(name)) || is_unlike(first, rest))
}

fn can_be_name(cell: &str) -> bool {
    let cell = cell.trim().trim_start_matches('\u{feff}');
    cell.chars().count() <= MAX_NAME
        && cell.split_whitespace().count() <= 5
        && cell.chars().any(char::is_alphabetic)
        && !cell.ends_with(['.', '!', '?'])
}

fn comes_again(first: &[String], rest: &[Vec<String>], column: usize) -> bool {
    let name = first[column].trim().to_lowercase();
    !name.is_empty()
        && rest
            .iter()
            .filter_map(|row| row.get(column))
            .any(|cell| cell.trim().to_lowercase() == name)
}

/// Returns whether the first row is unlike the others: much shorter than the texts, and no number among
/// numbers.
fn is_unlike(first: &[String], rest: &[Vec<String>]) -> bool {
    if rest.len() < 3 || first.len() < 2 {
        return false;
    }
    let columns: Vec<Content> = (0..first.len()).map(|column| Content::of(rest, column)).collect();
    let is_long = |(name, content): (&String, &Content)| {
        content.length >= 15 && content.length >= 3 * name.trim().chars().count()
    };
    let is_short = |content: &Content| content.are_numbers || 2 * content.distinct <= content.filled;
    first.iter().zip(&columns).any(is_long) && columns.iter().any(is_short)
}

/// What is in a column.
struct Content {
    filled: usize,
    distinct: usize,
    /// Characters on the average.
    length: usize,
    /// Words in all cells.
    words: usize,
    are_numbers: bool,
    are_dates: bool,
}

impl Content {
    fn of(rows: &[Vec<String>], column: usize) -> Self {
        let cells = || {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.trim())
                .filter(|cell| !cell.is_empty())
        };
        let filled = cells().count();
        Self {
            filled,
            distinct: cells().collect::<HashSet<_>>().len(),
            length: cells().map(|cell| cell.chars().count()).sum::<usize>() / filled.max(1),
            words: cells().map(|cell| cell.split_whitespace().count()).sum(),
            are_numbers: filled > 0 && cells().all(|cell| cell.replace(',', ".").parse::<f64>().is_ok()),
            are_dates: filled > 0 && cells().all(is_date),
        }
    }

    /// Returns whether it holds long texts, which hardly come again.
    fn are_texts(&self) -> bool {
        self.length > MAX_LABEL && 2 * self.distinct > self.filled
    }

    /// Returns whether it may hold labels: short words that come again.
    fn may_be_labels(&self, rows: usize) -> bool {
        let come_again = self.distinct < self.filled && 2 * self.distinct <= rows.max(4);
        2 * self.filled >= rows && self.length <= MAX_LABEL && !self.are_dates && come_again
    }
}

fn is_date(cell: &str) -> bool {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let signs = cell
        .bytes()
        .filter(|byte| matches!(byte, b'-' | b'/' | b'.' | b':' | b'T' | b'Z' | b' ' | b'+'))
        .count();
    digits >= 6 && signs >= 2 && digits + signs == cell.len()
}

/// Decides which columns hold texts and labels. `names` are empty where no row names them.
///
/// # Errors
///
/// [`Refusal`] where a column that somebody named is not there, or no column can hold texts.
pub(crate) fn roles(names: &[String], rows: &[Vec<String>], options: &Options) -> Result<Roles, Refusal> {
    let width = rows.iter().map(Vec::len).chain([names.len()]).max().unwrap_or(0);
    let numbered: Vec<String> = (1..=width).map(|number| number.to_string()).collect();
    let columns: &[String] = if names.is_empty() { &numbered } else { names };
    let mut notes = Vec::new();
    let known = Known::of(names, columns, rows, options, &mut notes)?;

    let contents: Vec<Content> = (0..width).map(|column| Content::of(rows, column)).collect();
    let text = match known.text {
        Some(text) => text,
        None => guess_text(&contents, known.label).ok_or(Refusal::NoText)?,
    };
    let label = match known.label {
        Some(label) => Some(label),
        // Where the texts have a name, labels have one too.
        None if known.text.is_some() && !names.is_empty() && width > 1 => {
            notes.push(no_label_of(names, text));
            None
        }
        None if text_was_named(&options.text_column, names) => None,
        None => guess_label(&contents, text, rows.len()),
    };

    let guessed = |what: &str, column| {
        let column = shown(columns, column);
        format!("{what} were taken from column {column}, by what is in it")
    };
    if known.text.is_none() && width > 1 {
        notes.push(guessed("texts", text));
    }
    if let (None, Some(label)) = (known.label, label) {
        notes.push(guessed("labels", label));
    }
    for column in [Some(text), label].into_iter().flatten() {
        notes.extend(names.get(column).and_then(|name| same_names(names, name)));
    }
    Ok(Roles {
        text,
        label,
        annotator: known.annotator.filter(|column| Some(*column) != label),
        is_sure: known.text.is_some() || width == 1,
        notes,
    })
}

/// The columns that somebody named, or whose names say what they hold.
struct Known {
    text: Option<usize>,
    label: Option<usize>,
    annotator: Option<usize>,
}

impl Known {
    fn of(
        names: &[String],
        columns: &[String],
        rows: &[Vec<String>],
        options: &Options,
        notes: &mut Vec<String>,
    ) -> Result<Self, Refusal> {
        let (text, label) = (
            named(columns, options.text_column.as_ref())?,
            named(columns, options.label_column.as_ref())?,
        );
        let text = text.or_else(|| surest(names, text_place, label));
        let by_name = surest(names, label_place, text);
        let are_texts = |column: &usize| Content::of(rows, *column).are_texts();
        if let Some(column) = by_name.filter(|column| label.is_none() && are_texts(column)) {
            let name = names[column].trim();
            notes.push(format!(
                "column `{name}` holds long texts, which are no labels; --label-column {name} takes them"
            ));
        }
        let annotator = names.iter().position(|name| is_annotator_name(name));
        Ok(Self {
            text,
            label: label.or_else(|| by_name.filter(|column| !are_texts(column))),
            annotator: annotator.filter(|column| text != Some(*column)),
        })
    }
}

/// Finds the column that somebody named, if one is named.
fn named(columns: &[String], wanted: Option<&String>) -> Result<Option<usize>, Refusal> {
    let Some(name) = wanted else {
        return Ok(None);
    };
    let missing = || Refusal::NoColumn {
        name: name.clone(),
        columns: columns.to_vec(),
    };
    find(columns, name).ok_or_else(missing).map(Some)
}

/// Returns the column whose name says most surely what it holds, other than one.
fn surest(names: &[String], place: fn(&str) -> Option<usize>, not: Option<usize>) -> Option<usize> {
    let known = names
        .iter()
        .enumerate()
        .filter_map(|(column, name)| Some((place(name)?, column)));
    let others = known.filter(|(_, column)| Some(*column) != not);
    others.min().map(|(_, column)| column)
}

/// Says that no column is called like one of labels, and which others there are.
fn no_label_of(names: &[String], text: usize) -> String {
    let others = names.iter().enumerate().filter(|(at, _)| *at != text);
    let others: Vec<&str> = others.map(|(_, name)| name.trim()).collect();
    format!(
        "no column is called like one of labels; name one with --label-column if it is ({})",
        others.join(", ")
    )
}

/// Says which of several columns of one name is read.
fn same_names(names: &[String], name: &str) -> Option<String> {
    let count = names.iter().filter(|other| folded(other) == folded(name)).count();
    let name = name.trim();
    (count > 1).then(|| format!("{count} columns are called `{name}`: one is read, which a number names"))
}

fn text_was_named(wanted: &Option<String>, names: &[String]) -> bool {
    wanted.is_some() && !names.is_empty()
}

fn shown(columns: &[String], column: usize) -> String {
    columns
        .get(column)
        .map_or_else(|| (column + 1).to_string(), |name| format!("`{}`", name.trim()))
}

/// Takes the column of the longest cells; of two as long the last.
fn guess_text(contents: &[Content], label: Option<usize>) -> Option<usize> {
    let candidates = contents
        .iter()
        .enumerate()
        .filter(|(column, content)| Some(*column) != label && content.filled > 0 && !content.are_dates);
    candidates
        .max_by_key(|(_, content)| (!content.are_numbers, content.length))
        .map(|(column, _)| column)
}

/// Takes the column of the fewest different words that come again; of two columns without a sign the first,
/// as Amazon Comprehend does.
fn guess_label(contents: &[Content], text: usize, rows: usize) -> Option<usize> {
    let candidates = contents
        .iter()
        .enumerate()
        .filter(|(column, content)| *column != text && content.may_be_labels(rows));
    let fewest = candidates
        .min_by_key(|(_, content)| content.distinct)
        .map(|(column, _)| column);
    let first_of_two = || {
        let label = contents.first()?;
        let is_second = text == 1;
        let text = &contents[text];
        let is_short = 2 * label.length <= text.length.max(8) || 2 * label.words <= text.words;
        let is_short = is_short && label.length <= MAX_LABEL;
        (contents.len() == 2 && is_second && rows < FEW_ROWS && is_short && !label.are_dates).then_some(0)
    };
    fewest.or_else(first_of_two)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(content: &str) -> Vec<Vec<String>> {
        content
            .lines()
            .map(|line| line.split(';').map(str::to_owned).collect())
            .collect()
    }

    fn told(content: &str) -> (bool, usize, Option<usize>) {
        let mut rows = rows(content);
        let first = rows.remove(0);
        let options = Options::default();
        let is_header = is_header(&first, &rows, &options);
        let names = if is_header {
            first
        } else {
            rows.insert(0, first);
            Vec::new()
        };
        let roles = roles(&names, &rows, &options).expect("columns");
        (is_header, roles.text, roles.label)
    }

    #[test]
    fn columns_are_told_by_their_names_in_several_languages() {
        assert_eq!(told("Texto;Etiqueta\nhola;a\nadiós;b"), (true, 0, Some(1)));
        assert_eq!(told("Kategorie;Beschreibung\na;hallo"), (true, 1, Some(0)));
        assert_eq!(
            told("id;Subject;Description;Tags;Created\n1;a;a long text;x;2026-01-01"),
            (true, 2, Some(3))
        );
        assert_eq!(told("ラベル;本文\na;b"), (true, 1, Some(0)));
    }

    #[test]
    fn a_first_row_that_comes_again_or_is_a_sentence_names_nothing() {
        assert!(!told("World;text\nWorld;one\nSports;two").0);
        assert!(!told("label;a text about labels, and much more.\nlabel;one").0);
    }

    #[test]
    fn columns_without_names_are_told_by_what_is_in_them() {
        let content = "1;This is the first text;red\n2;This is another text;blue\n\
             3;And one more text;red\n4;The last of them;blue";
        assert_eq!(told(content), (false, 1, Some(2)));
        let foreign = format!("azonosító;szöveg;címke\n{content}");
        assert_eq!(told(&foreign), (true, 1, Some(2)));
        let both_long = "A first long text of some words;Another long text of more words than that\n"
            .to_owned()
            + "One more text of some words;And its translation into other words, longer\n\
               The third one here is long as well;This is its other half, long too\n\
               The fourth one;And its half that is really long";
        assert_eq!(told(&both_long), (false, 1, None));
        assert_eq!(
            told("World;Some text here\nSports;Another text there"),
            (false, 1, Some(0))
        );
    }
}
