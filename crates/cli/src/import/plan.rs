//! What an import comes to: each text once, its votes by the label set, and what people are to be asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use active_learning_aws as aws;
use active_learning_core::{
    dataset::{Spellings, TextId, one_line},
    feedback::prediction::for_people,
    labels::{
        consolidation::Consensus,
        human_loop::Answer,
        label_key::{broad_key, label_key, may_be_one},
        label_set::{LabelSet, LabelSetError, Resolution, can_be_label},
        vote::{UNSIGNED, Vote, VoteSource},
    },
    text::look_alike,
};
use serde::Serialize;
use text_import::{Summary, Tool};

use super::{Counts, DEFAULT_CLASSIFIER, File, Options};

/// A label that is new.
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
    pub fate: Fate,
}

/// What becomes of a text with labels, as the label set is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It trains the next model.
    Trains,
    /// An adjudicator decides.
    Tied,
    /// Its label is a proposal: it trains once somebody accepts it, and people are asked meanwhile.
    Waits(String),
    /// It names several labels where a text has one: a proposal too.
    Several(String),
    /// Its label was split: people are asked which of the parts it is.
    Split(String),
    /// Its label is retired: it is kept, and left out.
    Retired(String),
    /// What it names can be no label: people are asked.
    NoLabel,
}

impl Fate {
    /// Returns whether people are asked about the text.
    fn is_asked(&self) -> bool {
        match self {
            Self::Waits(_) | Self::Several(_) | Self::Split(_) | Self::NoLabel => true,
            Self::Trains | Self::Tied | Self::Retired(_) => false,
        }
    }
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
    /// Texts whose only label can be none.
    pub unusable: usize,
    pub new_labels: Vec<Counted>,
    /// Labels of several files, or of a file and the label set, that are one label, in sentences.
    pub joined: Vec<String>,
    /// Whether the new labels become labels: the fates are those of then.
    pub adds_labels: bool,
    /// In how many texts personal data was replaced, by its kind.
    pub masked: Counts,
    /// Whether texts are stored as they are though the stack masks them.
    pub keeps_what_the_stack_masks: bool,
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
            false => Summary::knowing(&names_of(set), rows.clone()),
        };
        let names = names_of(set);
        let mut spellings = Spellings::knowing(names.iter().map(String::as_str));
        let votes = || {
            files
                .iter()
                .flat_map(|file| &file.import.rows)
                .flat_map(|row| &row.votes)
        };
        votes()
            .flat_map(|vote| &vote.labels)
            .for_each(|label| spellings.add(label, 1));
        let (spelling, joined) = spellings.finish();
        let mut plan = Self {
            joined: joined_across(files, joined),
            looks_swapped: summary.votes >= 10 && 10 * summary.labels.len() >= 9 * summary.votes,
            summary,
            ..Self::default()
        };
        plan.count_labels(set);

        for said in said(files, set, options) {
            let answer = |labels: &[String]| answer(set, labels.iter().map(|label| spelling.of(label)));
            let mut votes: Vec<Vote> = Vec::new();
            for (worker, (at, labels)) in &said.named {
                votes.extend(answer(labels).map(|answer| vote(set, worker, (at, &now), answer)));
            }
            match said.unnamed.values().collect::<Vec<_>>()[..] {
                [] => {}
                [(at, labels)] => {
                    votes.extend(answer(labels).map(|answer| vote(set, UNSIGNED, (at, &now), answer)))
                }
                _ if votes.is_empty() => plan.contradictory += 1,
                _ => {}
            }
            let has_labels = !said.named.is_empty() || said.unnamed.len() == 1;
            plan.unusable += usize::from(has_labels && votes.is_empty());
            let fate = fate(set, &votes);
            if votes.is_empty() || fate.is_asked() {
                plan.pool.push((said.classifier.clone(), said.text.clone()));
            }
            if !votes.is_empty() {
                plan.labelled.push(Labelled {
                    classifier: said.classifier,
                    text: said.text,
                    votes,
                    fate,
                });
            }
        }
        plan
    }

    /// Plans an import by which the new labels become labels of the set.
    ///
    /// # Errors
    ///
    /// In words, where a new label can be none.
    pub(super) fn adding_labels(
        self,
        files: &[File],
        set: &LabelSet,
        options: &Options,
    ) -> Result<(Self, LabelSet), LabelSetError> {
        let mut set = set.clone();
        self.add_labels_to(&mut set)?;
        let plan = self.again(files, &set, options);
        Ok((plan, set))
    }

    /// Plans the import again, now that its new labels are labels of the set.
    pub(super) fn again(self, files: &[File], set: &LabelSet, options: &Options) -> Self {
        Self {
            new_labels: self.new_labels,
            adds_labels: true,
            masked: self.masked,
            keeps_what_the_stack_masks: self.keeps_what_the_stack_masks,
            ..Self::of(files, set, options)
        }
    }

    /// Adds the new labels to a set.
    pub(super) fn add_labels_to(&self, set: &mut LabelSet) -> Result<(), LabelSetError> {
        let mut names = self.new_labels.iter().map(|label| &label.name);
        names.try_for_each(|name| set.add(name, ""))
    }

    /// Counts the texts of a fate by the name that it carries.
    pub(super) fn named(&self, name: impl Fn(&Fate) -> Option<&String>) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let names = self.labelled.iter().filter_map(|labelled| name(&labelled.fate));
        names.for_each(|name| *counts.entry(name.clone()).or_default() += 1);
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts
    }

    /// Counts the texts that have a fate.
    pub(super) fn count(&self, fate: &Fate) -> usize {
        let of_fate = self.labelled.iter().filter(|labelled| labelled.fate == *fate);
        of_fate.count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.labelled.is_empty() && self.pool.is_empty()
    }

    fn count_labels(&mut self, set: &LabelSet) {
        let mut new_labels: Vec<Counted> = Vec::new();
        for label in &self.summary.labels {
            self.joined.extend(read_as(set, &label.name));
            for name in new_names(set, &label.name) {
                match new_labels.iter_mut().find(|other| may_be_one(&other.name, &name)) {
                    Some(same) => same.votes += label.votes,
                    None => new_labels.push(Counted {
                        name,
                        votes: label.votes,
                    }),
                }
            }
        }
        self.new_labels = new_labels;
    }
}

/// Returns all names of the labels of a set.
fn names_of(set: &LabelSet) -> Vec<String> {
    let names = set
        .labels()
        .iter()
        .flat_map(|label| std::iter::once(&label.name).chain(&label.synonyms));
    names.cloned().collect()
}

/// Returns the names that are no labels of a name that a file has as one.
fn new_names(set: &LabelSet, name: &str) -> Vec<String> {
    // A name that joins labels of the set is no label of its own, nor is one that can be none.
    if set.names(name).is_some() || !can_be_label(name) {
        return Vec::new();
    }
    match set.joins_labels(name) {
        true => set.proposed_names(name),
        false => vec![name.trim().to_owned()],
    }
}

/// Returns the spellings that are joined across files: those within one are told with it.
fn joined_across(files: &[File], joined: Vec<String>) -> Vec<String> {
    let of_files: Vec<String> = (files.iter())
        .flat_map(|file| file.import.summary().joined)
        .collect();
    let across = joined.into_iter().filter(|joined| !of_files.contains(joined));
    across.collect()
}

/// Says which label of the set a name is that is spelt otherwise.
fn read_as(set: &LabelSet, name: &str) -> Option<String> {
    let own = &set.find(name)?.name;
    if own == name {
        return None;
    }
    let how = look_alike(name, own).map(|how| format!(" ({how})"));
    Some(format!(
        "`{name}` is the label `{own}`{}",
        how.unwrap_or_default()
    ))
}

/// Returns what becomes of a text with these votes.
fn fate(set: &LabelSet, votes: &[Vote]) -> Fate {
    match Consensus::by_majority(votes).0 {
        Consensus::Agreed { .. } => return Fate::Trains,
        Consensus::Tie => return Fate::Tied,
        Consensus::Unanswered => {}
    }
    let proposed = votes.iter().find_map(|vote| match &vote.answer {
        Answer::NewLabel { label } => Some(label),
        Answer::Labels { .. } | Answer::NoneFits | Answer::Unsure => None,
    });
    let Some(proposed) = proposed else {
        return Fate::NoLabel;
    };
    let names = set.names(proposed).unwrap_or_else(|| vec![proposed.clone()]);
    let resolved: Vec<Resolution<'_>> = names.iter().map(|name| set.resolve(name)).collect();
    let split = resolved.iter().find_map(|label| match label {
        Resolution::Split(name) => Some(Fate::Split((*name).to_owned())),
        _ => None,
    });
    let retired = resolved.iter().find_map(|label| match label {
        Resolution::Retired(name) => Some(Fate::Retired((*name).to_owned())),
        _ => None,
    });
    let other = || match names.len() > 1 {
        true => Fate::Several(proposed.clone()),
        false => Fate::Waits(for_people(proposed)),
    };
    split.or(retired).unwrap_or_else(other)
}

/// Gathers what is said of each text, in the order of the texts. A text is another one under each classifier, as records are
/// told apart.
fn said(files: &[File], set: &LabelSet, options: &Options) -> Vec<Said> {
    let mut places: HashMap<(&str, TextId), usize> = HashMap::new();
    let mut texts: Vec<Said> = Vec::new();
    for file in files {
        let import = &file.import;
        for row in &import.rows {
            let named = [
                &options.classifier,
                &row.classifier,
                &import.classifier,
                &options.default_classifier,
            ];
            let classifier = named.into_iter().flatten().next();
            let classifier = classifier.map_or(DEFAULT_CLASSIFIER, String::as_str);
            let id = TextId::of(&one_line(&row.text));
            let place = *places.entry((classifier, id)).or_insert_with(|| {
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
                        // Two names of one label contradict nothing.
                        let key = |label: &String| match set.resolve(label) {
                            Resolution::Label(own) => label_key(own),
                            _ => label_key(label),
                        };
                        let keys: BTreeSet<String> = labels.iter().map(key).collect();
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
        || UNSIGNED.to_owned(),
        |tool| tool.name().to_lowercase().replace(' ', "-"),
    );
    format!("{tool}:{}", broad_key(by))
}

/// Makes the vote of a file, which says when it was given, if it does. A label that was refused since is proposed here by
/// the import: who refused it had not seen it.
fn vote(set: &LabelSet, worker: &str, (at, now): (&str, &str), answer: Answer) -> Vote {
    let is_refused =
        matches!(&answer, Answer::NewLabel { label } if set.was_refused_since(&for_people(label), at));
    let is_known = !at.is_empty() && at <= now && !is_refused;
    Vote {
        worker: worker.to_owned(),
        answer,
        source: VoteSource::Import,
        at: if is_known { at.to_owned() } else { now.to_owned() },
        seconds: None,
        note: Default::default(),
    }
}

/// Returns the answer that labels are: those of the set by its names. With one that it does not know, or that is no
/// longer in use, or with more than a text may have, they are a proposal, by which nobody is bound; `None` where they can
/// be no label.
fn answer<'a>(set: &LabelSet, labels: impl Iterator<Item = &'a str>) -> Option<Answer> {
    let mut names: Vec<String> = Vec::new();
    let mut is_known = true;
    for label in labels.filter(|label| can_be_label(label)) {
        match set.names(label) {
            Some(known) => names.extend(known.iter().map(|name| set.own_name(name).to_owned())),
            None => {
                is_known = false;
                names.push(label.to_owned());
            }
        }
    }
    // What is named twice is named once.
    names.sort();
    names.dedup();
    let is_in_use = |name: &String| matches!(set.resolve(name), Resolution::Label(_));
    match is_known && names.iter().all(is_in_use) && set.allows(&names) {
        _ if names.is_empty() => None,
        true => Some(Answer::labels(names)),
        false => Some(set.proposal(names)),
    }
}
