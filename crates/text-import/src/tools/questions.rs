//! Which question of a tool's export gives the labels, where several were asked about each text.

use std::collections::BTreeMap;

use crate::{
    Refusal,
    draft::{Answer, Draft},
    labels::Written,
    names::{is_label_name, is_text_name},
};

/// Answers of so many characters on the average are texts that people wrote.
const LONG_ANSWER: usize = 50;

/// What was answered to one question.
#[derive(Default)]
struct Asked {
    /// Its place among the questions.
    place: usize,
    answers: usize,
    ratings: usize,
    /// Characters of all answers.
    length: usize,
}

impl Asked {
    /// Returns whether all answers are numbers that rate.
    fn are_ratings(&self) -> bool {
        self.ratings == self.answers
    }

    /// Returns whether the answers to a question of this name are texts that people wrote.
    fn are_texts(&self, name: &str) -> bool {
        is_text_name(name) || self.length > LONG_ANSWER * self.answers
    }
}

/// Makes votes of the answers to one question: the one that is named, or else the one that looks most like labels in the
/// whole file; numbers that rate are taken only where nothing else was asked. Says which were not read.
///
/// # Errors
///
/// [`Refusal::NoColumn`] where the one that is named was not asked.
pub(crate) fn choose<'a>(
    drafts: impl Iterator<Item = &'a mut Draft>,
    wanted: Option<&str>,
) -> Result<Option<String>, Refusal> {
    let drafts: Vec<&mut Draft> = drafts.filter(|draft| !draft.answers.is_empty()).collect();
    let asked = asked(drafts.iter().flat_map(|draft| &draft.answers));
    let names: Vec<String> = asked.iter().map(|(name, _)| name.clone()).collect();
    let chosen = match wanted {
        _ if names.is_empty() => return Ok(None),
        Some(wanted) if names.iter().any(|name| name == wanted) => wanted.to_owned(),
        Some(wanted) => {
            return Err(Refusal::NoColumn {
                name: wanted.to_owned(),
                columns: names,
            });
        }
        None => names[0].clone(),
    };
    for draft in drafts {
        take(draft, &chosen);
    }
    let others: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| *name != chosen)
        .collect();
    Ok((!others.is_empty() && wanted.is_none()).then(|| note(&chosen, &others)))
}

/// Says which question was read, and how the others are.
pub(crate) fn note(chosen: &str, others: &[&str]) -> String {
    let listed: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
    format!(
        "labels are the answers to `{chosen}`; those to {} were not read: --label-column {} reads them",
        listed.join(", "),
        others[0]
    )
}

/// Makes votes of the answers to the only question about one text; ratings beside it are none.
///
/// # Errors
///
/// The questions, where there are several: nobody says which is meant.
pub(crate) fn only(mut draft: Draft) -> Result<Draft, String> {
    let asked = asked(draft.answers.iter());
    let is_label = |(name, asked): &&(String, Asked)| !asked.are_ratings() && !asked.are_texts(name);
    let labels = asked.iter().filter(is_label).count();
    let Some((first, _)) = asked.first() else {
        return Ok(draft);
    };
    if labels > 1 || labels == 0 && asked.len() > 1 {
        let names: Vec<String> = asked.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(format!(
            "several questions are answered ({}): keep the one whose answers are labels",
            names.join(", ")
        ));
    }
    let first = first.clone();
    take(&mut draft, &first);
    Ok(draft)
}

fn take(draft: &mut Draft, question: &str) {
    for answer in std::mem::take(&mut draft.answers) {
        match answer.said {
            _ if answer.question != question => {}
            Ok(vote) => draft.votes.push(vote),
            Err(aside) => draft.aside = Some(aside),
        }
    }
}

/// Returns the characters of the longest label.
fn longest<'a>(labels: impl Iterator<Item = &'a String>) -> usize {
    labels.map(|label| label.chars().count()).max().unwrap_or(0)
}

/// Returns the questions, the one that looks most like labels first.
fn asked<'a>(answers: impl Iterator<Item = &'a Answer>) -> Vec<(String, Asked)> {
    let mut asked: BTreeMap<&str, Asked> = BTreeMap::new();
    for answer in answers {
        let place = asked.len();
        let counted = asked.entry(&answer.question).or_insert_with(|| Asked {
            place,
            ..Asked::default()
        });
        counted.answers += 1;
        counted.ratings += usize::from(answer.is_rating);
        if let Ok(vote) = &answer.said {
            counted.length += match &vote.written {
                Written::Cell(cell) => cell.chars().count(),
                Written::List(labels) => longest(labels.iter()),
                Written::Paths(paths) => longest(paths.iter().filter_map(|path| path.last())),
            };
        }
    }
    let mut asked: Vec<(String, Asked)> = asked
        .into_iter()
        .map(|(name, asked)| (name.to_owned(), asked))
        .collect();
    asked.sort_by_key(|(name, asked)| {
        (
            asked.are_ratings(),
            asked.are_texts(name),
            !is_label_name(name),
            std::cmp::Reverse(asked.answers),
            asked.place,
        )
    });
    asked
}
