//! What an import comes to: each text once, its votes by the label set, and what people are to be asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use active_learning_aws as aws;
use active_learning_core::{
    dataset::{Spellings, TextId, one_line},
    feedback::prediction::LABEL_DELIMITER,
    labels::{
        human_loop::Answer,
        label_key::label_key,
        label_set::{LabelSet, Resolution},
        vote::{Vote, VoteSource},
    },
};
use serde::Serialize;
use text_import::{Summary, Tool};

use super::{DEFAULT_CLASSIFIER, File, Options};

/// Worker of a vote of which the file does not say whose it is.
const UNNAMED: &str = "import";

/// A label that is new, or no longer in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Counted {
    pub name: String,
    /// Votes for it.
    pub votes: u64,
}

/// A text with labels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Labelled {
    pub classifier: String,
    pub text: String,
    pub votes: Vec<Vote>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub summary: Summary,
    pub labelled: Vec<Labelled>,
    /// Texts that people are to be asked about, each with its classifier.
    pub pool: Vec<(String, String)>,
    /// Texts of the pool that have different labels, and nobody knows whose.
    pub contradictory: usize,
    /// Texts on which the people who are named do not agree, in equal numbers.
    pub tied: usize,
    pub new_labels: Vec<Counted>,
    pub outdated_labels: Vec<Counted>,
    /// Whether nearly every text has a label of its own.
    pub looks_swapped: bool,
}

/// What is said of one text.
struct Said {
    classifier: String,
    text: String,
    /// By who said it; the last word of each.
    named: BTreeMap<String, (String, Vec<String>)>,
    /// What unnamed people said, by the keys of the labels.
    unnamed: BTreeMap<Vec<String>, (String, Vec<String>)>,
}

impl Plan {
    /// Plans an import of files.
    pub(super) fn of(files: &[File], set: &LabelSet, options: &Options) -> Self {
        let now = aws::now();
        let rows = files.iter().flat_map(|file| &file.import.rows);
        let summary = match options.ignore_labels {
            true => Summary {
                unlabelled: Summary::of(rows.clone()).unlabelled,
                ..Summary::default()
            },
            false => Summary::of(rows.clone()),
        };
        let mut spellings = Spellings::default();
        let votes = || {
            files
                .iter()
                .flat_map(|file| &file.import.rows)
                .flat_map(|row| &row.votes)
        };
        votes()
            .flat_map(|vote| &vote.labels)
            .for_each(|label| spellings.add(label, 1));
        let (spelling, _) = spellings.finish();
        let mut plan = Self {
            looks_swapped: summary.votes >= 10 && 10 * summary.labels.len() >= 9 * summary.votes,
            summary,
            ..Self::default()
        };
        plan.count_labels(set);

        for said in said(files, options) {
            let answer = |labels: &[String]| answer(set, labels.iter().map(|label| spelling.of(label)));
            let mut votes: Vec<Vote> = Vec::new();
            for (worker, (at, labels)) in &said.named {
                votes.push(vote(worker, at, &now, answer(labels)));
            }
            match said.unnamed.values().collect::<Vec<_>>()[..] {
                [] => {}
                [(at, labels)] => votes.push(vote(UNNAMED, at, &now, answer(labels))),
                _ if votes.is_empty() => plan.contradictory += 1,
                _ => {}
            }
            if votes.is_empty() {
                plan.pool.push((said.classifier, said.text));
            } else {
                plan.labelled.push(Labelled {
                    classifier: said.classifier,
                    text: said.text,
                    votes,
                });
            }
        }
        plan.tied = plan.labelled.iter().filter(|labelled| labelled.is_tied()).count();
        plan
    }

    pub(super) fn is_empty(&self) -> bool {
        self.labelled.is_empty() && self.pool.is_empty()
    }

    fn count_labels(&mut self, set: &LabelSet) {
        for label in &self.summary.labels {
            let counted = |name: &str| Counted {
                name: name.to_owned(),
                votes: label.votes,
            };
            // A name that joins labels of the set is no label of its own.
            let is_known = set.names(&label.name).is_some();
            match set.resolve(&label.name) {
                Resolution::Label(_) => {}
                Resolution::Proposed(_) if is_known => {}
                Resolution::Proposed(name) => self.new_labels.push(counted(name)),
                Resolution::Retired(name) | Resolution::Split(name) => {
                    self.outdated_labels.push(counted(name))
                }
            }
        }
    }
}

impl Labelled {
    fn is_tied(&self) -> bool {
        use active_learning_core::labels::consolidation::Consensus;
        matches!(Consensus::by_majority(&self.votes).0, Consensus::Tie)
    }
}

/// Gathers what is said of each text, in the order of the texts.
fn said(files: &[File], options: &Options) -> Vec<Said> {
    let mut places: HashMap<TextId, usize> = HashMap::new();
    let mut texts: Vec<Said> = Vec::new();
    for file in files {
        let import = &file.import;
        let classifier = options.classifier.as_ref().or(import.classifier.as_ref());
        let classifier = classifier.map_or(DEFAULT_CLASSIFIER, String::as_str);
        for row in &import.rows {
            let place = *places.entry(TextId::of(&one_line(&row.text))).or_insert_with(|| {
                texts.push(Said {
                    classifier: classifier.to_owned(),
                    text: row.text.clone(),
                    named: BTreeMap::new(),
                    unnamed: BTreeMap::new(),
                });
                texts.len() - 1
            });
            let said = &mut texts[place];
            for vote in row.votes.iter().filter(|_| !options.ignore_labels) {
                let (at, labels) = (vote.at.clone().unwrap_or_default(), vote.labels.clone());
                match &vote.by {
                    Some(by) => {
                        let last = said
                            .named
                            .entry(worker(import.tool, by))
                            .or_insert_with(|| (at.clone(), labels.clone()));
                        if last.0 <= at {
                            *last = (at, labels);
                        }
                    }
                    None => {
                        let keys: BTreeSet<String> = labels.iter().map(|label| label_key(label)).collect();
                        said.unnamed.insert(keys.into_iter().collect(), (at, labels));
                    }
                }
            }
        }
    }
    texts
}

/// Names a person of another tool: told apart from the reviewers of this stack.
fn worker(tool: Option<Tool>, by: &str) -> String {
    let tool = tool.map_or_else(
        || UNNAMED.to_owned(),
        |tool| tool.name().to_lowercase().replace(' ', "-"),
    );
    format!("{tool}:{by}")
}

fn vote(worker: &str, at: &str, now: &str, answer: Answer) -> Vote {
    let is_known = !at.is_empty() && at <= now;
    Vote {
        worker: worker.to_owned(),
        answer,
        source: VoteSource::Import,
        at: if is_known { at.to_owned() } else { now.to_owned() },
        seconds: None,
        note: Default::default(),
    }
}

/// Returns the answer that labels are: those of the set by its names; with one that it does not know, a
/// proposal.
fn answer<'a>(set: &LabelSet, labels: impl Iterator<Item = &'a str>) -> Answer {
    let mut names = Vec::new();
    let mut is_known = true;
    for label in labels {
        match set.names(label) {
            Some(known) => names.extend(known),
            None => {
                is_known = false;
                names.push(label.to_owned());
            }
        }
    }
    match is_known {
        true => Answer::labels(names),
        false => Answer::NewLabel {
            label: names.join(&LABEL_DELIMITER.to_string()),
        },
    }
}
