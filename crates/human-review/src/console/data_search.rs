//! Looking through labelled texts: a page of objects at a time, since there is no index.
//!
//! A word that is looked for comes by a form and stays out of every address; all else may stand in one.

use std::collections::BTreeMap;

use active_learning_core::keys::LABELLED_FOLDER;
use active_learning_core::labels::consolidation::Consensus;
use active_learning_core::labels::human_loop::Answer;
use active_learning_core::labels::label_key::{broad_key, label_key};
use active_learning_core::labels::label_set::LabelSet;
use active_learning_core::labels::labelled::LabelledRecord;
use active_learning_core::labels::vote::VoteSource;
use futures::{StreamExt, stream};
use serde::Serialize;

use super::data::MAX_BYTES;
use super::quality::in_words;
use super::{Console, ConsoleError};

/// Labelled objects that are looked through at a time.
const OBJECTS: usize = 100;
/// Bytes that these may have together.
const MAX_BYTES_AT_A_TIME: u64 = 16 << 20;
/// Objects that are read at a time.
const READS_IN_FLIGHT: usize = 8;
/// Texts that are shown at a time.
const SHOWN: usize = 100;
/// Characters of what is looked for.
const MAX_CHARS: usize = 200;

/// The fields of a search, but for the word.
const FIELDS: [&str; 6] = ["label", "answer", "predicted", "reviewer", "source", "after"];

/// What is looked for; what is empty does not matter.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Search {
    /// What the text has in it, whatever its case.
    pub word: String,
    /// A label that people gave.
    pub label: String,
    /// What else they said: [`NONE`] or [`OPEN`].
    pub answer: String,
    /// A label that was predicted.
    pub predicted: String,
    /// Who voted: a name, or what stands for one.
    pub reviewer: String,
    /// How it came, as it is written in records.
    pub source: String,
    /// Where to go on: see [`Place`].
    #[serde(skip)]
    pub after: Place,
}

/// That no label fits, or a new one would.
pub(super) const NONE: &str = "none";
/// That nothing is decided.
pub(super) const OPEN: &str = "open";

/// Where a search goes on: behind some lines of an object, or behind the object where it is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    object: String,
    lines: usize,
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let (lines, object) = text.split_once('/')?;
        Some(Self {
            object: object.to_owned(),
            lines: lines.parse().ok()?,
        })
    }

    /// Writes it for an address.
    pub(super) fn to_text(&self) -> String {
        match self.object.is_empty() {
            true => String::new(),
            false => format!("{}/{}", self.lines, self.object),
        }
    }
}

impl Search {
    /// Reads what is looked for from the fields of an address or a form.
    pub(super) fn read(fields: &BTreeMap<String, String>) -> Result<Self, ConsoleError> {
        let field = |name: &str| fields.get(name).map(|value| value.trim()).unwrap_or_default();
        let is_too_long = |name: &&str| field(name).chars().count() > MAX_CHARS;
        if ["word"].iter().chain(&FIELDS[..5]).any(is_too_long) {
            return Err(ConsoleError::Invalid(format!(
                "what is looked for is longer than {MAX_CHARS} characters"
            )));
        }
        let after = Place::parse(field("after"));
        let invalid = || ConsoleError::Invalid("this is no place to go on from".to_owned());
        Ok(Self {
            word: field("word").to_lowercase(),
            label: field("label").to_owned(),
            answer: field("answer").to_owned(),
            predicted: field("predicted").to_owned(),
            reviewer: field("reviewer").to_owned(),
            source: field("source").to_owned(),
            after: after.ok_or_else(invalid)?,
        })
    }

    /// Returns whether an address looks for something.
    pub(super) fn is_asked_by(query: &BTreeMap<String, String>) -> bool {
        FIELDS.iter().any(|name| query.contains_key(*name))
    }

    /// Returns the fields with what is in them, but for the word, where it goes on as `after` says.
    pub(super) fn fields(&self, after: &Place) -> Vec<(&'static str, String)> {
        let values = [
            self.label.clone(),
            self.answer.clone(),
            self.predicted.clone(),
            self.reviewer.clone(),
            self.source.clone(),
            after.to_text(),
        ];
        let fields = FIELDS.into_iter().zip(values);
        fields.filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Returns the address of a page that looks so, without the word, where it goes on as `after` says.
    pub(super) fn address(&self, page: &str, after: &Place) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        // An address that names nothing looks for nothing.
        query.append_pair("source", &self.source);
        for (name, value) in self.fields(after) {
            if name != "source" {
                query.append_pair(name, &value);
            }
        }
        format!("{page}?{}", query.finish())
    }

    /// Names the labels that are looked for as they are called now, by whatever name.
    fn by_names_of(&self, set: &LabelSet) -> Self {
        Self {
            label: set.own_name(&self.label).to_owned(),
            predicted: set.own_name(&self.predicted).to_owned(),
            ..self.clone()
        }
    }

    /// Returns whether a labelled record is looked for, by all but who voted.
    fn finds(&self, labelled: &LabelledRecord) -> bool {
        let record = &labelled.record;
        let is_source =
            || serde_json::to_value(record.source).is_ok_and(|source| source == self.source.as_str());
        (self.word.is_empty() || record.utterance.to_lowercase().contains(&self.word))
            && (self.source.is_empty() || is_source())
            && (self.predicted.is_empty() || has(&record.predicted_labels(), &self.predicted))
            && self.finds_answer(&labelled.consensus)
    }

    fn finds_answer(&self, consensus: &Consensus) -> bool {
        let answer = match consensus {
            Consensus::Agreed { answer, .. } => Some(answer),
            Consensus::Tie | Consensus::Unanswered => None,
        };
        let (labels, is_none): (&[String], bool) = match answer {
            Some(Answer::Labels { labels }) => (labels, false),
            Some(Answer::NoneFits | Answer::NewLabel { .. }) => (&[], true),
            Some(Answer::Unsure) | None => (&[], false),
        };
        let is_label = self.label.is_empty() || has(labels, &self.label);
        is_label
            && match self.answer.as_str() {
                NONE => is_none,
                OPEN => labels.is_empty() && !is_none,
                _ => true,
            }
    }

    fn finds_voter(&self, names: &[String]) -> bool {
        let wanted = broad_key(&self.reviewer);
        let is_wanted = |name: &String| {
            let bare = name.split_once(':').map_or(name.as_str(), |(_, name)| name);
            broad_key(name) == wanted || broad_key(bare) == wanted
        };
        self.reviewer.is_empty() || names.iter().any(is_wanted)
    }
}

/// Writes what was predicted and what people came to by the names that labels have now; both as they were without a set.
fn by_names_of(set: Option<&LabelSet>, mut labelled: LabelledRecord) -> LabelledRecord {
    let Some(set) = set else { return labelled };
    if let Consensus::Agreed { answer, .. } = &mut labelled.consensus {
        *answer = set.answer_now(answer);
    }
    labelled.record = set.with_own_names(labelled.record);
    labelled
}

fn has(labels: &[String], wanted: &str) -> bool {
    labels.iter().any(|label| label_key(label) == label_key(wanted))
}

/// A text that was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FoundText {
    pub id: String,
    pub utterance: String,
    pub classifier: String,
    pub predicted: Option<String>,
    pub confidence: Option<f32>,
    /// What people came to, in words.
    pub said: String,
    /// Who voted.
    pub reviewers: Vec<String>,
    pub source: serde_json::Value,
    pub signal: serde_json::Value,
    pub labelled_at: String,
    pub human_loop: String,
}

/// What a look through some objects came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub texts: Vec<FoundText>,
    /// Texts that were looked at.
    pub looked_at: usize,
    /// Objects that are too large to be read here, or lines that cannot be read.
    pub passed_over: Vec<String>,
    /// Where to look further; none at the end.
    pub next: Option<Place>,
}

impl Console<'_> {
    /// Looks through the next labelled objects.
    pub(super) async fn look(&self, search: &Search) -> Result<Found, ConsoleError> {
        let set = self.label_sets.current().await?;
        let named = set.as_deref().map(|set| search.by_names_of(set));
        let search = named.as_ref().unwrap_or(search);
        let mut found = Found::default();
        let (objects, end) = self.objects_after(&search.after, &mut found).await?;
        let mut names = BTreeMap::new();
        let mut before = search.after.clone();
        let mut reads = stream::iter(objects)
            .map(async |(name, skipped)| {
                let read = self
                    .training
                    .read(&format!("{LABELLED_FOLDER}{name}"), MAX_BYTES)
                    .await;
                (name, skipped, read)
            })
            .buffered(READS_IN_FLIGHT);
        while let Some((object, skipped, read)) = reads.next().await {
            let bytes = read?.map(|object| object.bytes).unwrap_or_default();
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            for (number, line) in lines.enumerate().skip(skipped) {
                if found.texts.len() == SHOWN {
                    found.next = Some(match number {
                        0 => before,
                        lines => Place { object, lines },
                    });
                    return Ok(found);
                }
                found.looked_at += 1;
                let labelled =
                    LabelledRecord::parse(line).map(|labelled| by_names_of(set.as_deref(), labelled));
                match labelled {
                    Ok(labelled) if search.finds(&labelled) => {
                        let voters = self.voters(&labelled, &mut names).await?;
                        if search.finds_voter(&voters) {
                            found.texts.push(FoundText::of(labelled, voters));
                        }
                    }
                    Ok(_) => {}
                    Err(error) => found
                        .passed_over
                        .push(format!("a line of {LABELLED_FOLDER}{object}: {error}")),
                }
            }
            before = Place { object, lines: 0 };
        }
        found.next = end;
        Ok(found)
    }

    /// Returns the objects to look through, each with the lines that were looked at, and where to go on behind them.
    async fn objects_after(
        &self,
        place: &Place,
        found: &mut Found,
    ) -> Result<(Vec<(String, usize)>, Option<Place>), ConsoleError> {
        let listed = self
            .training
            .list_after(LABELLED_FOLDER, &place.object, OBJECTS)
            .await?;
        let mut is_all = listed.len() < OBJECTS;
        let mut objects = Vec::new();
        if place.lines > 0 {
            objects.push((place.object.clone(), place.lines));
        }
        let (mut bytes, mut last) = (0, place.object.clone());
        for object in listed {
            let name = object.key[LABELLED_FOLDER.len()..].to_owned();
            if object.size > MAX_BYTES {
                found
                    .passed_over
                    .push(format!("{}, which is too large", object.key));
            } else if bytes + object.size > MAX_BYTES_AT_A_TIME {
                is_all = false;
                break;
            } else {
                bytes += object.size;
                objects.push((name.clone(), 0));
            }
            last = name;
        }
        let end = Place {
            object: last,
            lines: 0,
        };
        Ok((objects, (!is_all).then_some(end)))
    }

    /// Returns the names of those who voted on a text.
    async fn voters(
        &self,
        labelled: &LabelledRecord,
        names: &mut BTreeMap<String, String>,
    ) -> Result<Vec<String>, ConsoleError> {
        let mut voters = Vec::new();
        for vote in &labelled.votes {
            let name = match names.get(&vote.worker) {
                Some(name) => name.clone(),
                None => self.name_of(&vote.worker).await?,
            };
            names.insert(vote.worker.clone(), name.clone());
            if !voters.contains(&name) {
                voters.push(name);
            }
        }
        Ok(voters)
    }
}

/// What is said of a row that no reviewer has answered, but on which somebody has voted.
const VOTE: &str = "a vote by itself, which decides nothing";

/// Returns whether a row holds what users said, and no answer.
fn has_only_votes(labelled: &LabelledRecord) -> bool {
    let mut votes = labelled.votes.iter();
    !labelled.votes.is_empty() && votes.all(|vote| vote.source == VoteSource::Feedback)
}

impl FoundText {
    fn of(labelled: LabelledRecord, reviewers: Vec<String>) -> Self {
        let said = match &labelled.consensus {
            Consensus::Agreed { answer, .. } => in_words(answer),
            Consensus::Tie => "people do not agree".to_owned(),
            Consensus::Unanswered if has_only_votes(&labelled) => VOTE.to_owned(),
            Consensus::Unanswered => "nobody has answered".to_owned(),
        };
        let record = labelled.record;
        Self {
            said,
            reviewers,
            source: super::to_json(&record.source),
            signal: super::to_json(&record.signal),
            labelled_at: labelled.labelled_at,
            human_loop: labelled.human_loop,
            id: record.id,
            utterance: record.utterance,
            classifier: record.classifier,
            predicted: record.prediction,
            confidence: record.confidence,
        }
    }

    /// Writes it as a line of CSV.
    fn to_csv(&self) -> String {
        let words = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let cells = [
            self.id.clone(),
            self.utterance.clone(),
            self.classifier.clone(),
            self.predicted.clone().unwrap_or_default(),
            self.confidence
                .map_or_else(String::new, |share| share.to_string()),
            self.said.clone(),
            self.reviewers.join("; "),
            words(&self.source),
            words(&self.signal),
            self.labelled_at.clone(),
            self.human_loop.clone(),
        ];
        csv_line(&cells)
    }
}

/// Writes what was found as CSV with a header.
pub(super) fn to_csv(texts: &[FoundText]) -> String {
    const HEADER: [&str; 11] = [
        "id",
        "utterance",
        "classifier",
        "predicted",
        "confidence",
        "said",
        "reviewers",
        "source",
        "signal",
        "labelledAt",
        "humanLoop",
    ];
    let header = csv_line(&HEADER.map(str::to_owned));
    header + &texts.iter().map(FoundText::to_csv).collect::<String>()
}

/// Writes what was found as JSON Lines.
pub(super) fn to_json_lines(texts: &[FoundText]) -> String {
    texts
        .iter()
        .map(|text| format!("{}\n", super::to_json(text)))
        .collect()
}

/// Writes cells as RFC 4180 has them. One that a spreadsheet would take for a formula begins with an apostrophe.
fn csv_line(cells: &[String]) -> String {
    let cell = |cell: &String| {
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
        let mark = if is_formula { "'" } else { "" };
        format!("\"{mark}{}\"", cell.replace('"', "\"\""))
    };
    let cells: Vec<String> = cells.iter().map(cell).collect();
    cells.join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_written() {
        for place in ["", "0/review-1.jsonl", "17/import-a/b.jsonl"] {
            assert_eq!(
                Place::parse(place).map(|place| place.to_text()).as_deref(),
                Some(place)
            );
        }
        assert_eq!(Place::parse("review-1"), None);
        assert_eq!(Place::parse("-1/review-1"), None);
    }

    #[test]
    fn a_cell_is_quoted_and_no_formula() {
        let cells = ["=1+1", "say \"no\"", "two\nlines", "-"].map(str::to_owned);

        assert_eq!(
            csv_line(&cells),
            "\"'=1+1\",\"say \"\"no\"\"\",\"two\nlines\",\"'-\"\r\n"
        );
    }

    #[test]
    fn no_address_has_the_word_that_is_looked_for() {
        let search = Search {
            word: "ann".to_owned(),
            label: "Wörld & more".to_owned(),
            ..Search::default()
        };

        let address = search.address("data", &Place::default());

        assert_eq!(address, "data?source=&label=W%C3%B6rld+%26+more");
    }
}
