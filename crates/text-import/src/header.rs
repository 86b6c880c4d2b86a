//! Whether the first row of a table names its columns: by what is known, and by what stands below it.

use std::{borrow::Cow, collections::HashSet};

use active_learning_core::{
    dataset::{HeaderRow, NamesAgain},
    feedback::prediction::split_labels,
    labels::label_key::label_key,
};

use crate::{
    Options,
    content::{Content, is_date, is_number},
    names::{find, holds_label_name, holds_text_name, is_label_name, is_text_name},
};

/// Longest cell that can be the name of a column by itself, in characters.
const MAX_NAME: usize = 40;
/// Longest question that a form has for the name of a column, in characters.
const MAX_QUESTION: usize = 200;
/// Longest abbreviation that ends in a full stop, in characters.
const MAX_SHORT: usize = 12;
/// Words of a name that holds one for texts, where it asks nothing.
const MAX_WORDS: usize = 3;
/// Rows from which labels that all come again tell what stands above them.
const MIN_ROWS: usize = 6;
/// Texts of so many characters on the average are long.
const LONG_TEXT: usize = 15;

/// Told of rows that name the columns once more, behind their number: the headers of files that were joined.
pub(crate) const NAMES_AGAIN: &str = "header lines within the file, which were skipped";
/// Told of one that names them in another order.
pub(crate) const TURNED: &str = "the header line names the columns in another order than the first one; nothing below \
    it was read: give files with other columns by themselves";

/// What the first row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstRow {
    /// The names of the columns, by a name that is known or that somebody gave.
    Names,
    /// The names of the columns, by what stands below them.
    LikeNames,
    /// A row like the others.
    Row,
}

/// Tells what the first row is.
pub(crate) fn first_row(first: &[String], rest: &[Vec<String>], options: &Options) -> FirstRow {
    let wanted = [&options.text_column, &options.label_column];
    let is_name = |name: &String| name.trim().parse::<usize>().is_err() && find(first, name).is_some();
    if wanted.into_iter().flatten().any(is_name) {
        return FirstRow::Names;
    }
    if is_of_labels(first, rest, &options.labels) {
        return FirstRow::Row;
    }
    if has_both(first, is_text_name, is_label_name) {
        return FirstRow::Names;
    }
    let all = Rows::of(first, rest);
    // The headers of files that were joined say nothing against this one.
    let others = without_repetitions(first, rest);
    let rows = Rows::of(first, &others);
    let has_known_name = match rows.filled().count() > 1 || rows.are_above_texts() {
        true => rows.has_a_known_name(),
        false => all.has_a_known_name(),
    };
    if has_known_name {
        return FirstRow::Names;
    }
    let are_like_names = (rows.are_questions() || rows.stand_above_numbers()) && !rows.go_on();
    // A short row among long ones may come twice, and is none of names then.
    match are_like_names || (all.are_unlike() || all.stands_apart()) && !all.go_on() {
        true => FirstRow::LikeNames,
        false => FirstRow::Row,
    }
}

/// Returns whether a row begins a table of labelled texts without names, such as one that was exported: it has a known label
/// where most rows have one. A label that is called as columns of labels are is a name where another cell names the texts.
fn is_of_labels(first: &[String], rest: &[Vec<String>], labels: &[String]) -> bool {
    let known: HashSet<String> = labels.iter().map(|label| label_key(label)).collect();
    let is_known = |cell: &String| {
        let parts = split_labels(cell);
        !parts.is_empty() && parts.iter().all(|part| known.contains(&label_key(part)))
    };
    let names_texts = |column: usize| {
        let mut others = first.iter().enumerate().filter(|(other, _)| *other != column);
        is_label_name(&first[column]) && others.any(|(_, cell)| is_text_name(cell))
    };
    (0..first.len()).any(|column| {
        let below = rest.iter().filter_map(|row| row.get(column));
        let below: Vec<&String> = below.filter(|cell| !cell.trim().is_empty()).collect();
        let many = below.iter().filter(|cell| is_known(cell)).count();
        is_known(&first[column]) && 2 * many >= below.len() && !names_texts(column)
    })
}

/// Returns the rows without those that are the first one again.
fn without_repetitions<'a>(first: &[String], rest: &'a [Vec<String>]) -> Cow<'a, [Vec<String>]> {
    let header = HeaderRow::of(first);
    let is_again = |row: &Vec<String>| header.again(row) == Some(NamesAgain::Same);
    match rest.iter().any(is_again) {
        true => rest.iter().filter(|row| !is_again(row)).cloned().collect(),
        false => Cow::Borrowed(rest),
    }
}

/// Returns whether one cell is a name of texts and another one of labels.
pub(crate) fn has_both(cells: &[String], is_text: fn(&str) -> bool, is_label: fn(&str) -> bool) -> bool {
    let places = |is_one: fn(&str) -> bool| -> Vec<usize> {
        let ones = cells.iter().enumerate().filter(|(_, cell)| is_one(cell));
        ones.map(|(column, _)| column).collect()
    };
    let (texts, labels) = (places(is_text), places(is_label));
    texts.iter().any(|text| labels.iter().any(|label| label != text))
}

/// The first row and what stands below it.
struct Rows<'a> {
    first: &'a [String],
    rest: &'a [Vec<String>],
    below: Vec<Content>,
}

impl<'a> Rows<'a> {
    fn of(first: &'a [String], rest: &'a [Vec<String>]) -> Self {
        let below = (0..first.len())
            .map(|column| Content::of(rest, column, &Options::default()))
            .collect();
        Self { first, rest, below }
    }

    /// Returns the columns with something in the first row.
    fn filled(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.first.len()).filter(|column| !self.first[*column].trim().is_empty())
    }

    /// Returns whether a cell names texts or labels, its column may hold them, and the other cells may be names.
    fn has_a_known_name(&self) -> bool {
        let known: Vec<usize> = self.filled().filter(|column| self.is_known(*column)).collect();
        let others = || self.filled().filter(|column| !known.contains(column));
        let is_above_texts = known
            .iter()
            .any(|column| is_text_name(&self.first[*column]) && self.is_above_texts(*column));
        if known.is_empty()
            || others().any(|column| self.goes_on(column) && !(is_above_texts && self.is_number(column)))
        {
            return false;
        }
        let are_names = || {
            let may_be =
                |column: usize| can_be_name(&self.first[column]) || is_abbreviation(&self.first[column]);
            others().all(|column| may_be(column) || is_above_texts && self.is_number(column))
                && (self.are_different() || is_above_texts)
        };
        are_names()
            || self.filled().any(|column| self.is_unlike_what_is_below(column)) && self.may_be_questions()
    }

    fn is_known(&self, column: usize) -> bool {
        let cell = &self.first[column];
        if comes_again(self.first, self.rest, column) {
            return false;
        }
        let below = &self.below[column];
        let is_longest = self.below.iter().all(|other| other.length <= 2 * below.length);
        let is_text = is_text_name(cell) && (is_longest || !below.may_be_labels(self.rest.len()));
        is_text || is_label_name(cell) && !below.are_texts()
    }

    fn is_above_texts(&self, column: usize) -> bool {
        let length = self.first[column].trim().chars().count();
        self.below[column].length >= LONG_TEXT && self.below[column].length >= 3 * length
    }

    /// Returns whether every cell stands above texts that are much longer.
    fn are_above_texts(&self) -> bool {
        self.filled().all(|column| self.is_above_texts(column))
    }

    fn is_number(&self, column: usize) -> bool {
        is_number(self.first[column].trim())
    }

    /// Returns whether a cell goes on below: it comes again, or is a number or date among such.
    fn goes_on(&self, column: usize) -> bool {
        let (cell, below) = (self.first[column].trim(), &self.below[column]);
        below.are_numbers && is_number(cell)
            || below.are_dates && is_date(cell)
            || comes_again(self.first, self.rest, column)
    }

    fn go_on(&self) -> bool {
        self.filled().any(|column| self.goes_on(column))
    }

    /// Returns whether a cell is no number above numbers, no date above dates, or none of few labels.
    fn is_unlike_what_is_below(&self, column: usize) -> bool {
        let below = &self.below[column];
        self.is_above_numbers(column, 1)
            || below.filled >= 4 && 2 * below.distinct <= below.filled && below.may_be_labels(self.rest.len())
    }

    fn is_above_numbers(&self, column: usize, rows: usize) -> bool {
        let (cell, below) = (self.first[column].trim(), &self.below[column]);
        let is_word = cell == "#" || cell.chars().any(char::is_alphabetic);
        is_word && below.filled >= rows && (below.are_numbers || below.are_dates)
    }

    /// Returns whether no cell is too long for a question of a form.
    fn may_be_questions(&self) -> bool {
        self.filled()
            .all(|column| self.first[column].trim().chars().count() <= MAX_QUESTION)
    }

    fn are_different(&self) -> bool {
        let mut seen = std::collections::HashSet::new();
        self.filled()
            .all(|column| seen.insert(self.first[column].trim().to_lowercase()))
    }

    fn are_names(&self) -> bool {
        self.filled().all(|column| can_be_name(&self.first[column]))
    }

    /// Returns whether one cell asks for a text and another one for a label: `What is the message?`, `Which category?`.
    /// Of few rows one must be a name that is known, or both be questions, of which none is below.
    fn are_questions(&self) -> bool {
        let has_both = has_both(
            self.first,
            |cell| is_text_name(cell) || holds_text_name(cell),
            holds_label_name,
        );
        let has_other = || self.filled().any(|column| self.is_unlike_what_is_below(column));
        let is_sure = || {
            let mut cells = self.filled().map(|column| self.first[column].trim());
            let is_known = |cell: &str| is_text_name(cell) || is_label_name(cell) || is_question(cell);
            cells.all(is_known) && self.asks_for_labels()
        };
        has_both
            && self.are_different()
            && self.may_be_questions()
            && (self.are_names() || has_other() || is_sure())
    }

    /// Returns whether a cell asks for labels, or names them, and none below it is a question.
    fn asks_for_labels(&self) -> bool {
        let mut columns = self.filled().filter(|column| {
            let cell = &self.first[*column];
            is_label_name(cell) || is_question(cell) && holds_label_name(cell)
        });
        columns.any(|column| {
            let below = self.rest.iter().filter_map(|row| row.get(column));
            !self.rest.is_empty() && below.clone().all(|cell| !is_question(cell))
        })
    }

    /// Returns whether the first row is much shorter than the texts below it.
    fn are_unlike(&self) -> bool {
        let is_long = |column: usize| self.is_above_texts(column);
        let is_short = |content: &Content| content.are_numbers || 2 * content.distinct <= content.filled;
        self.rest.len() >= 3
            && self.first.len() >= 2
            && self.are_names()
            && self.are_different()
            && (0..self.first.len()).any(is_long)
            && self.below.iter().any(is_short)
    }

    /// Returns whether words stand above labels that all come again, and above texts that are all longer.
    fn stands_apart(&self) -> bool {
        let cells = |column: usize| self.rest.iter().filter_map(move |row| row.get(column));
        let come_again = |column: &usize| {
            let mut times = std::collections::HashMap::<&str, usize>::new();
            cells(*column).for_each(|cell| *times.entry(cell.trim()).or_default() += 1);
            self.below[*column].may_be_labels(self.rest.len()) && times.values().all(|times| *times > 1)
        };
        let are_longer = |column: &usize| {
            let length = self.first[*column].trim().chars().count();
            let content = &self.below[*column];
            2 * content.distinct > content.filled
                && cells(*column)
                    .all(|cell| cell.trim().chars().count() > length && cell.trim().contains(' '))
        };
        self.rest.len() >= MIN_ROWS
            && self.filled().count() == self.first.len()
            && self.are_names()
            && self.are_different()
            && (0..self.first.len()).any(|column| come_again(&column))
            && (0..self.first.len()).any(|column| are_longer(&column))
    }

    /// Returns whether words stand above numbers or dates, and above the texts what is shorter or asks for them.
    fn stand_above_numbers(&self) -> bool {
        let above = self
            .filled()
            .filter(|column| self.is_above_numbers(*column, 2))
            .count();
        let others = self
            .filled()
            .filter(|column| !self.below[*column].are_numbers && !self.below[*column].are_dates);
        let Some(longest) = others.max_by_key(|column| self.below[*column].length) else {
            return false;
        };
        let cell = self.first[longest].trim();
        let is_shorter = 2 * cell.chars().count() <= self.below[longest].length;
        let may_be_name = cell.ends_with('?') || cell.split_whitespace().count() <= MAX_WORDS;
        let is_name = holds_text_name(cell) && may_be_name || above > 1 || is_shorter;
        above > 0 && is_name && self.may_be_questions() && self.are_different() && !cell.ends_with(['.', '!'])
    }
}

/// Returns whether a cell may be the name of a column: a few words that are no sentence.
pub(crate) fn can_be_name(cell: &str) -> bool {
    let cell = cell.trim().trim_start_matches('\u{feff}');
    cell.chars().count() <= MAX_NAME
        && cell.split_whitespace().count() <= 5
        && cell.chars().any(char::is_alphabetic)
        && !cell.ends_with(['.', '!', '?'])
}

fn is_question(cell: &str) -> bool {
    cell.trim_end().ends_with(['?', '？', '؟'])
}

/// Returns whether a cell is short for a name: `Nr.`, `Lfd. Nr.`, `#`.
fn is_abbreviation(cell: &str) -> bool {
    let cell = cell.trim();
    let is_short = cell.ends_with('.') && cell.split_whitespace().count() <= 2;
    cell.chars().count() <= MAX_SHORT && (is_short || !cell.chars().any(char::is_alphanumeric))
}

fn comes_again(first: &[String], rest: &[Vec<String>], column: usize) -> bool {
    let name = first[column].trim().to_lowercase();
    !name.is_empty()
        && rest
            .iter()
            .filter_map(|row| row.get(column))
            .any(|cell| cell.trim().to_lowercase() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(content: &str) -> FirstRow {
        let mut rows: Vec<Vec<String>> = content
            .lines()
            .map(|line| line.split(';').map(str::to_owned).collect())
            .collect();
        let first = rows.remove(0);
        first_row(&first, &rows, &Options::default())
    }

    const ROWS: &str = "1;This is the first text of some words;red\n2;This is another text of words;blue\n\
         3;And one more text, as long;red\n4;The last of them is here;blue";

    #[test]
    fn a_cell_that_is_no_word_makes_no_row_of_a_header_with_known_names() {
        for header in [
            "Nr.;Text;Kategorie",
            "#;Text;Label",
            "1;Text;Label",
            "2026;Text;Label",
            "Lfd. Nr.;Beschreibung;Kategorie",
            "Was?;Text;Kategorie",
            "Order No.;Did the customer call before? (yes/no);Label",
            "Ticket #;Description;Was it solved?",
            "ID;Was ist passiert?;Kategorie",
            "Nr.;Text.;Anz.",
            "1;Text;Grund",
        ] {
            assert_eq!(told(&format!("{header}\n{ROWS}")), FirstRow::Names, "{header}");
        }
    }

    #[test]
    fn a_header_without_a_known_name_is_told_by_what_stands_below_it() {
        for header in [
            "Case No.;Customer message (verbatim);Reason code",
            "tunnus;sõnum;silt",
            "Nr;Was ist Ihr Anliegen?;Welche Kategorie passt?",
        ] {
            assert_eq!(
                told(&format!("{header}\n{ROWS}")),
                FirstRow::LikeNames,
                "{header}"
            );
        }
        let dates =
            "28.11.2026 10:00;The parcel is late;delivery\n2026/11/28 10:00:00 AM MEZ;I cannot log in;login";
        let form = format!("Zeitstempel;Was ist Ihr Anliegen?;Welche Kategorie passt?\n{dates}");
        assert_eq!(told(&form), FirstRow::LikeNames);
    }

    #[test]
    fn a_header_that_asks_is_told_above_few_rows() {
        let rows = "Meine Lieferung ist nicht da;delivery\nIch kann mich nicht anmelden;login\nZu viel abgebucht;billing";
        for header in [
            "Text;Welche Kategorie passt?",
            "Nachricht;Welche Kategorie passt?",
            "Was ist Ihr Anliegen?;Welche Kategorie passt?",
            "Was ist Ihr Anliegen?;Kategorie",
            "Text;Which category fits best?",
            "What is the message?;Which label?",
            "Texte;Quelle catégorie convient ?",
            "Viesti;Mikä luokka sopii?",
            "Zpráva;Jaká kategorie to je?",
            "Mesaj;Ce categorie se potrivește?",
            "Szöveg;Melyik kategória illik rá?",
            "Nội dung;Nhãn nào phù hợp?",
        ] {
            for rows in [rows, rows.lines().next().unwrap_or_default()] {
                assert_ne!(told(&format!("{header}\n{rows}")), FirstRow::Row, "{header}");
            }
        }
    }

    #[test]
    fn a_question_above_questions_is_a_row() {
        for content in [
            "question;Which category of insurance is that?\nquestion;Which one fits?\npraise;Thank you",
            "What is a text?;Which category is it?\nHow do I log in?;Where is it?",
        ] {
            assert_eq!(told(content), FirstRow::Row, "{content}");
        }
    }

    #[test]
    fn a_first_row_with_a_label_that_is_known_above_such_is_a_row() {
        let told = |content: &str, labels: &[&str]| {
            let mut rows: Vec<Vec<String>> = content
                .lines()
                .map(|line| line.split(';').map(str::to_owned).collect())
                .collect();
            let first = rows.remove(0);
            let options = Options {
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                ..Options::default()
            };
            first_row(&first, &rows, &options)
        };
        let labels = ["Complaint", "Question", "Topic", "Praise"];
        let rows = "praise;Thank you very much for all of it\nquestion;How do I log in, and where is that?\n\
             praise|question;It is good, is it not so?";
        for first in ["complaint;It is late", "question;Category", "topic;Weather"] {
            let content = format!("{first}\n{rows}");

            assert_ne!(
                told(&content, &[]),
                FirstRow::Row,
                "{first}: nothing tells it otherwise"
            );
            assert_eq!(told(&content, &labels), FirstRow::Row, "{first}");
        }
        assert_eq!(told(&format!("Topic;Text\n{rows}"), &labels), FirstRow::Names);
        assert_ne!(
            told("topic;message\nx;A text\ny;Another text", &labels),
            FirstRow::Row
        );
    }

    #[test]
    fn a_row_that_stands_apart_from_labels_that_come_again_and_longer_texts_names_them() {
        let texts = [
            "Where is my parcel?",
            "I cannot log in",
            "Charged twice, and again",
            "It is late by a week",
        ];
        let rows = |count: usize, labels: &[&str]| {
            let row = |at: usize| format!("{} ({at});{}\n", texts[at % 4], labels[at % labels.len()]);
            (0..count).map(row).collect::<String>()
        };
        for (header, count, labels, expected) in [
            (
                "Foo och Bar;Qux",
                12,
                &["delivery", "login"][..],
                FirstRow::LikeNames,
            ),
            ("Fooooooooo;Qux", 6, &["delivery", "login"], FirstRow::LikeNames),
            ("Fooooooooo;login", 6, &["delivery", "login"], FirstRow::Row),
            (
                "It took ages, again;Qux",
                12,
                &["delivery", "login"],
                FirstRow::Row,
            ),
            (
                "Fooooooooo;Qux",
                5,
                &["delivery", "login", "a", "b", "c"],
                FirstRow::Row,
            ),
        ] {
            assert_eq!(
                told(&format!("{header}\n{}", rows(count, labels))),
                expected,
                "{header} {count}"
            );
        }
    }

    #[test]
    fn a_first_row_of_data_is_a_row() {
        for first in [
            "0;Yet another text of some words;red",
            "0;My message has no category.;blue",
            "unknown;A text of some words;green",
            "5;question;red",
        ] {
            assert_eq!(told(&format!("{first}\n{ROWS}")), FirstRow::Row, "{first}");
        }
        let intents = "question;How do I log in?\npraise;It is good, thank you all\npraise;Very good, thanks\n\
             complaint;It is bad and late\ncomplaint;Bad, bad, bad";
        assert_eq!(told(intents), FirstRow::Row);
    }
}
