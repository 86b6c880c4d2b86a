//! The check of labelled texts as a whole: what is joined, what is left out, and what cannot be meant.

mod unusable;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sha2::{Digest, Sha256};
pub use unusable::Unusable;

use super::WordsBeside;
use crate::{
    labels::label_key::{dotless_key, has_open_capital, label_key, whole_number},
    text::{look_alike, normal_form},
};

/// Rows from which a file in which nearly every row is its own class is refused, whatever the columns look
/// like.
const MANY_ROWS: u64 = 10;

/// Rows from which such a file is refused where its texts repeat and its labels do not.
const SOME_ROWS: u64 = 3;

/// Things that are told one by one; the rest is counted.
const TOLD: usize = 5;

/// Longest part of a class name that is told, in characters.
const SHOWN_CHARACTERS: usize = 60;

/// Collects what must be known of all rows before they can be used.
#[derive(Clone, Debug, Default)]
pub struct TrainingCheck {
    rows: u64,
    label_bytes: u64,
    text_bytes: u64,
    spellings: Spellings,
    /// Keys of the labels so far, since the same ones come again and again.
    keys: HashMap<String, String>,
    texts: HashMap<u64, Seen>,
    /// Keys of the labels of a row, by their number.
    meant: HashMap<u64, Vec<String>>,
    /// Numbers of the labels that follow other ones of the same text, with the first line of each.
    conflicts: BTreeMap<u64, BTreeMap<u64, u64>>,
    /// What may be labels within the texts.
    words: WordsBeside,
}

/// A text that was seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    labels: u64,
    line: u64,
    rows: u32,
}

/// How often each spelling of a class occurs, by its key.
#[derive(Clone, Debug, Default)]
pub struct Spellings(BTreeMap<String, BTreeMap<String, u64>>, WithPoint);

/// The one spelling of each class that is used, by its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelling(HashMap<String, String>, WithPoint);

/// Keys of the labels that are called like `1.0`: where there are such, they are no other way to write `1`.
type WithPoint = BTreeSet<String>;

impl Spellings {
    /// Begins with the labels that there are: one that is called `1.0` is not the class `1`.
    pub fn knowing<'a>(labels: impl IntoIterator<Item = &'a str>) -> Self {
        let with_point = labels.into_iter().filter(|label| whole_number(label).is_some());
        Self(BTreeMap::new(), with_point.map(label_key).collect())
    }

    /// Counts a label as it is written, of so many rows.
    pub fn add(&mut self, label: &str, rows: u64) {
        self.add_keyed(known_key(label, &self.1), label, rows);
    }

    fn add_keyed(&mut self, key: String, label: &str, rows: u64) {
        let spellings = self.0.entry(key).or_default();
        match spellings.get_mut(label.trim()) {
            Some(count) => *count += rows,
            None => {
                spellings.insert(label.trim().to_owned(), rows);
            }
        }
    }

    /// Chooses the most frequent spelling of each class, and tells which others it replaces.
    pub fn finish(mut self) -> (Spelling, Vec<String>) {
        let (mut chosen, mut joined) = (HashMap::new(), Vec::new());
        let capitals = self.open_capitals();
        for (key, class) in &capitals {
            for (spelling, rows) in self.0.remove(key).unwrap_or_default() {
                let spellings = self.0.entry(class.clone()).or_default();
                *spellings.entry(spelling).or_default() += rows;
            }
        }
        for (key, spellings) in self.0 {
            // Of those that are as frequent the first in the order of characters: a capital comes before a
            // small letter.
            let Some((most, _)) = spellings.iter().rev().max_by_key(|(_, count)| **count) else {
                continue;
            };
            if spellings.len() > 1 {
                let others = spellings.iter().filter(|(spelling, _)| *spelling != most);
                let others: Vec<String> = others
                    .map(|(spelling, count)| match look_alike(spelling, most) {
                        Some(how) => format!("{} ({count}; {how})", shown(spelling)),
                        None => format!("{} ({count})", shown(spelling)),
                    })
                    .collect();
                let are = if others.len() == 1 { "is" } else { "are" };
                joined.push(format!("{} {are} read as {}", others.join(", "), shown(most)));
            }
            for key in capitals
                .iter()
                .filter(|(_, other)| *other == key)
                .map(|(key, _)| key)
            {
                chosen.insert(key.clone(), most.clone());
            }
            chosen.insert(key, most.clone());
        }
        (
            Spelling(chosen, self.1),
            told(joined, "class names in several spellings"),
        )
    }
}

impl Spellings {
    /// Returns the keys of what is written only with capitals that leave it open, `SINIR`, each with that of the class that it
    /// is joined with: the one that has an `ı` there, `sınır`, or another of such.
    fn open_capitals(&self) -> Vec<(String, String)> {
        let mut readings: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, spellings) in &self.0 {
            let is_open = spellings.keys().all(|name| has_open_capital(name));
            if let Some(first) = spellings.keys().next().filter(|_| is_open) {
                readings.entry(dotless_key(first)).or_default().push(key.clone());
            }
        }
        let mut joined = Vec::new();
        for (reading, keys) in readings {
            let others = keys.into_iter().filter(|key| *key != reading);
            let mut others: Vec<String> = others.collect();
            let class = match self.0.contains_key(&reading) || others.is_empty() {
                true => reading,
                false => others.remove(0),
            };
            joined.extend(others.into_iter().map(|key| (key, class.clone())));
        }
        joined
    }
}

impl Spelling {
    /// Returns the spelling of a label that is used.
    pub fn of<'a>(&'a self, label: &'a str) -> &'a str {
        self.0
            .get(&known_key(label, &self.1))
            .map_or(label.trim(), String::as_str)
    }
}

/// What is done with labelled texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    spellings: Spelling,
    /// Texts with different labels, by [`text_id`].
    conflicting: HashSet<u64>,
    /// What is read otherwise than it is written, in sentences. They name classes and lines, never a text.
    pub repairs: Vec<String>,
    /// Of these, what says which texts have different labels.
    pub conflicts: Option<String>,
}

/// Returns the key of a class: numbers that were written as `1.0` are the class `1`.
fn class_key(label: &str) -> String {
    label_key(whole_number(label).unwrap_or(label))
}

/// Returns the key of a class beside labels that are called like `1.0`.
fn known_key(label: &str, with_point: &WithPoint) -> String {
    let key = label_key(label);
    if with_point.contains(&key) {
        key
    } else {
        class_key(label)
    }
}

/// Returns a number for a text, the same for all texts of its [normal form](normal_form): they are one question.
pub fn text_id(text: &str) -> u64 {
    number(&normal_form(text))
}

fn number(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
}

impl TrainingCheck {
    /// Takes a row into account.
    pub fn add<'a>(&mut self, labels: impl IntoIterator<Item = &'a str>, text: &str, line: u64) {
        self.add_meaning(labels, |label| label, text, line);
    }

    /// Takes a row into account whose labels mean those of a label set: synonyms and merged labels are no conflict.
    pub fn add_meaning<'a>(
        &mut self,
        labels: impl IntoIterator<Item = &'a str>,
        meaning: impl Fn(&'a str) -> &'a str,
        text: &str,
        line: u64,
    ) {
        self.rows += 1;
        self.text_bytes += text.len() as u64;
        self.words.add(text);
        let mut keys = Vec::new();
        for label in labels {
            self.label_bytes += label.len() as u64;
            let key = self.key(label);
            self.spellings.add_keyed(key.clone(), label, 1);
            let meant = meaning(label);
            keys.push(if meant == label { key } else { self.key(meant) });
        }
        keys.sort_unstable();
        keys.dedup();
        let labels = number(&keys.join("\0"));
        self.meant.entry(labels).or_insert(keys);
        let id = text_id(text);
        let seen = self.texts.entry(id).or_insert(Seen {
            labels,
            line,
            rows: 0,
        });
        seen.rows += 1;
        if seen.labels != labels {
            let others = self.conflicts.entry(id).or_default();
            others.entry(labels).or_insert(line);
        }
    }

    fn key(&mut self, label: &str) -> String {
        if let Some(key) = self.keys.get(label) {
            return key.clone();
        }
        let key = class_key(label);
        self.keys.insert(label.to_owned(), key.clone());
        key
    }

    /// Returns the texts, by their [`text_id`], to which the rows so far give different labels.
    pub fn conflicting(&self) -> HashSet<u64> {
        self.conflicting_lines().into_keys().collect()
    }

    /// Returns the texts with labels that are not joined into one, each with two lines that contradict each other.
    fn conflicting_lines(&self) -> BTreeMap<u64, [u64; 2]> {
        let joined: HashMap<String, String> = self.spellings.open_capitals().into_iter().collect();
        let classes = |labels: u64| -> BTreeSet<&String> {
            let keys = self.meant.get(&labels).into_iter().flatten();
            keys.map(|key| joined.get(key).unwrap_or(key)).collect()
        };
        let conflicts = self.conflicts.iter().filter_map(|(id, others)| {
            let first = self.texts.get(id)?;
            let meant = classes(first.labels);
            let others = others.iter().filter(|(labels, _)| classes(**labels) != meant);
            let line = others.map(|(_, line)| *line).min()?;
            Some((*id, [first.line, line]))
        });
        conflicts.collect()
    }

    /// Decides what is done with the rows.
    ///
    /// # Errors
    ///
    /// [`Unusable`].
    pub fn finish(self) -> Result<Findings, Unusable> {
        self.check_columns()?;
        let words = self.words.told();
        let mut findings = self.finish_of_known_labels()?;
        findings.repairs.extend(words.map(|words| {
            format!(
                "warning: each text {words}, which are read as part of it: if these are labels, take them out of the texts, \
                 since those to classify do not have them"
            )
        }));
        Ok(findings)
    }

    /// Decides what is done with rows whose labels are known as labels: how many there are beside how many texts says nothing
    /// of them.
    ///
    /// # Errors
    ///
    /// [`Unusable::OnlyConflicts`].
    pub fn finish_of_known_labels(self) -> Result<Findings, Unusable> {
        let conflicts = self.conflicting_lines();
        self.check_any_left(&conflicts)?;
        let told = self.tell_conflicts(&conflicts);
        let (spellings, mut repairs) = self.spellings.finish();
        repairs.extend(told.clone());
        Ok(Findings {
            spellings,
            conflicting: conflicts.into_keys().collect(),
            repairs,
            conflicts: told,
        })
    }

    /// Refuses rows of which none is left.
    fn check_any_left(&self, conflicts: &BTreeMap<u64, [u64; 2]>) -> Result<(), Unusable> {
        let (texts, rows) = (self.texts.len() as u64, self.rows);
        match first_conflict(conflicts) {
            Some([other, line]) if conflicts.len() as u64 == texts => Err(Unusable::OnlyConflicts {
                line,
                other,
                texts,
                rows,
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses rows whose texts come again and again, as labels do.
    fn check_repeated_texts(&self) -> Result<(), Unusable> {
        let Some([other, line]) = first_conflict(&self.conflicting_lines()) else {
            return Ok(());
        };
        let (labels, texts, rows) = (self.meant.len() as u64, self.texts.len() as u64, self.rows);
        // Where each text has its labels there are as many texts as sets of labels, and texts are longer.
        if labels > texts && self.label_bytes > self.text_bytes && rows >= SOME_ROWS {
            return Err(Unusable::RepeatedTexts {
                line,
                other,
                labels,
                texts,
                rows,
            });
        }
        Ok(())
    }

    /// Refuses rows whose texts look like labels, and their labels like texts.
    ///
    /// # Errors
    ///
    /// [`Unusable::SwappedColumns`] and [`Unusable::RepeatedTexts`].
    pub fn check_columns(&self) -> Result<(), Unusable> {
        let (classes, rows, texts) = (self.spellings.0.len() as u64, self.rows, self.texts.len() as u64);
        let nearly_all = 10 * classes >= 9 * rows;
        let texts_repeat = 2 * texts <= rows;
        let looks_swapped = texts_repeat || self.label_bytes > self.text_bytes;
        if nearly_all && (rows >= MANY_ROWS || rows >= SOME_ROWS && looks_swapped) {
            return Err(Unusable::SwappedColumns { classes, rows });
        }
        self.check_repeated_texts()
    }

    fn tell_conflicts(&self, conflicts: &BTreeMap<u64, [u64; 2]>) -> Option<String> {
        if conflicts.is_empty() {
            return None;
        }
        let rows: u64 = conflicts.keys().map(|id| u64::from(self.texts[id].rows)).sum();
        let mut lines: Vec<[u64; 2]> = conflicts.values().copied().collect();
        lines.sort_unstable();
        let pairs = lines
            .iter()
            .take(TOLD)
            .map(|[one, other]| format!("{one} and {other}"));
        let pairs = pairs.collect::<Vec<_>>().join(", ");
        let more = if lines.len() > TOLD { ", …" } else { "" };
        let count = lines.len();
        let (texts, their) = if count == 1 {
            ("1 text has different labels and is".to_owned(), "its")
        } else {
            (format!("{count} texts have different labels and are"), "their")
        };
        Some(format!(
            "{texts} left out, with all {their} {rows} rows (lines {pairs}{more})"
        ))
    }
}

impl Findings {
    /// Takes the spelling of these labels, and finds nothing else.
    pub fn of_labels(labels: &[String]) -> Self {
        let spellings = labels.iter().map(|label| (class_key(label), label.clone()));
        Self {
            spellings: Spelling(spellings.collect(), WithPoint::new()),
            ..Self::default()
        }
    }

    /// Returns the spelling of a label that is used.
    pub fn spelling<'a>(&'a self, label: &'a str) -> &'a str {
        self.spellings.of(label)
    }

    /// Returns whether a text has different labels, and is left out.
    pub fn is_conflicting(&self, text: u64) -> bool {
        self.conflicting.contains(&text)
    }
}

/// Returns the two lines that contradict each other of which the second one comes first.
fn first_conflict(conflicts: &BTreeMap<u64, [u64; 2]>) -> Option<[u64; 2]> {
    conflicts.values().min_by_key(|[_, line]| *line).copied()
}

/// Warns of classes with a single row; `counts` are the rows of each class.
pub fn warn_of_single_rows<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> Option<String> {
    let single = counts.into_iter().filter(|(_, rows)| *rows == 1);
    let names: Vec<String> = single.map(|(class, _)| shown(class)).collect();
    if names.is_empty() {
        return None;
    }
    let first = names.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > TOLD { ", …" } else { "" };
    let count = names.len();
    let classes = if count == 1 {
        "1 class has".to_owned()
    } else {
        format!("{count} classes have")
    };
    Some(format!(
        "warning: {classes} a single row ({first}{more}): a model can hardly learn from it, and not be measured by it"
    ))
}

/// Tells the first few things one by one, and how many there are more.
fn told(mut things: Vec<String>, what: &str) -> Vec<String> {
    if things.len() > TOLD {
        let more = things.len() - TOLD;
        things.truncate(TOLD);
        things.push(format!("{more} more {what}"));
    }
    things
}

/// Quotes a class name for a message, cut to a readable length.
fn shown(class: &str) -> String {
    let start: String = class.chars().take(SHOWN_CHARACTERS).collect();
    let dots = if start.len() < class.len() { "…" } else { "" };
    format!("`{}{dots}`", escaped(&start))
}

/// Writes what cannot be seen as its escape, and all else as it is: a name is copied from a message.
pub(super) fn escaped(name: &str) -> String {
    let as_it_is = ['\'', '"', '\\'];
    let mut escaped = String::new();
    for piece in name.split_inclusive(as_it_is) {
        let rest = piece.strip_suffix(as_it_is).unwrap_or(piece);
        // Of a whole text, since a mark that stands on a letter is seen.
        escaped.extend(rest.escape_debug());
        escaped.push_str(&piece[rest.len()..]);
    }
    escaped
}

#[cfg(test)]
mod tests;
