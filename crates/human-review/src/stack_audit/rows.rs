//! The labelled texts of a stack, and a random share of them.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_aws::adjudication::ADJUDICATOR;
use active_learning_core::{
    feedback::prediction::split_labels,
    labels::{
        human_loop::Answer,
        label_set::{LabelSet, Resolution},
        labelled::LabelledRecord,
        vote::{Vote, VoteSource},
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::BEFORE;
use crate::worker_id;

/// Hexadecimal characters of a worker id.
const WORKER_ID_CHARS: usize = 16;
/// Stands between the names of several people who looked at one label.
pub const SEPARATOR: &str = ", ";

/// A text with its label, or its labels where texts may have several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Id of its record.
    pub record: String,
    /// The text.
    pub text: String,
    /// Its labels, by the names of now.
    pub labels: Vec<String>,
    /// What the model predicted that asked about it first, if one did.
    pub predicted: Vec<String>,
    /// When it got the label, in RFC 3339.
    pub labelled_at: String,
    /// Workers who gave the text this label in the portal, as far as that is their last word.
    pub reviewers: BTreeSet<String>,
    /// All who have voted on the text in the portal or decided on it: nobody of them is asked again.
    pub voters: BTreeSet<String>,
}

impl Row {
    /// Returns its line of the manifest; with several labels where texts may have several.
    pub fn line(&self, labels: &[&str], several: bool) -> Value {
        let numbers: Vec<usize> = (labels.iter().enumerate())
            .filter(|(_, label)| self.labels.iter().any(|own| own.as_str() == **label))
            .map(|(number, _)| number)
            .collect();
        let (value, metadata) = if several {
            let map = numbers.iter().map(|number| (number.to_string(), labels[*number]));
            let map: BTreeMap<String, &str> = map.collect();
            let kind = "groundtruth/text-classification-multilabel";
            (json!(numbers), json!({ "class-map": map, "type": kind }))
        } else {
            let kind = "groundtruth/text-classification";
            (
                json!(numbers.first()),
                json!({ "class-name": self.labels.first(), "type": kind }),
            )
        };
        json!({
            "source": self.text,
            "record": self.record,
            BEFORE: value,
            format!("{BEFORE}-metadata"): metadata,
            "reviewers": self.reviewers,
            "excluded-workers": self.voters,
        })
    }
}

/// What the labelled objects of a stack hold.
#[derive(Debug, Default)]
pub struct Labelled {
    /// Records, as far as they can be read.
    pub records: Vec<LabelledRecord>,
    /// How many lines cannot be.
    pub unreadable: usize,
}

impl Labelled {
    /// Adds the lines of an object; blank ones are none.
    pub fn add(&mut self, content: &[u8]) {
        let lines = content.split(|byte| *byte == b'\n');
        for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
            match LabelledRecord::parse(line) {
                Ok(labelled) => self.records.push(labelled),
                Err(_) => self.unreadable += 1,
            }
        }
    }
}

/// What is known of a text.
struct Known {
    newest: LabelledRecord,
    /// Votes in the portal, of all human loops.
    votes: Vec<Vote>,
    /// Workers who voted there, and adjudicators, as the portal knows them.
    voters: BTreeSet<String>,
}

/// Returns the texts on which people agree, by the newest word on each: on one label that is in use, or, where texts may have
/// several, on labels of which each is.
pub fn rows_of(all: impl Iterator<Item = LabelledRecord>, set: &LabelSet, several: bool) -> Vec<Row> {
    let mut texts: BTreeMap<String, Known> = BTreeMap::new();
    for labelled in all {
        add(&mut texts, labelled);
    }
    (texts.into_values())
        .filter_map(|known| row(known, set, several))
        .collect()
}

fn add(texts: &mut BTreeMap<String, Known>, labelled: LabelledRecord) {
    let votes = labelled.votes.iter();
    let votes = votes
        .filter(|vote| vote.source == VoteSource::HumanReview)
        .cloned();
    let voters = labelled.votes.iter().flat_map(voters);
    match texts.get_mut(&labelled.record.id) {
        None => {
            let (votes, voters) = (votes.collect(), voters.collect());
            let known = Known {
                newest: labelled,
                votes,
                voters,
            };
            texts.insert(known.newest.record.id.clone(), known);
        }
        Some(known) => {
            known.votes.extend(votes);
            known.voters.extend(voters);
            if labelled.supersedes(&known.newest) {
                known.newest = labelled;
            }
        }
    }
}

/// Returns the workers of the portal who gave a vote there. Adjudicators are known by name, and so are those who looked at a
/// label in an audit: who reviews under the same name does not look at their own decision.
fn voters(vote: &Vote) -> Vec<String> {
    match vote.source {
        VoteSource::HumanReview => vec![vote.worker.clone()],
        VoteSource::Adjudicator => {
            let names = vote.worker.strip_prefix(ADJUDICATOR).unwrap_or(&vote.worker);
            let each = names.split(SEPARATOR).filter(|name| *name != names);
            std::iter::once(names).chain(each).map(id_of).collect()
        }
        VoteSource::Feedback | VoteSource::Import => Vec::new(),
    }
}

/// Returns the id of a worker by their name; where that is not known, it is the id.
pub fn id_of(name: &str) -> String {
    let is_id = name.len() == WORKER_ID_CHARS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_id {
        true => name.to_owned(),
        false => worker_id(name),
    }
}

fn row(known: Known, set: &LabelSet, several: bool) -> Option<Row> {
    let agreed = known.newest.consensus.labels()?;
    if agreed.is_empty() || (!several && agreed.len() > 1) {
        return None;
    }
    let in_use = agreed.iter().map(|label| match set.resolve(label) {
        Resolution::Label(label) => Some(label.to_owned()),
        _ => None,
    });
    // Two of them may have become one.
    let labels: BTreeSet<String> = in_use.collect::<Option<_>>()?;
    let prediction = known.newest.record.prediction.as_deref();
    let predicted = prediction.map(|prediction| match several {
        true => split_labels(prediction),
        false => vec![prediction.to_owned()],
    });
    Some(Row {
        reviewers: who_gave(&labels, &known, set),
        voters: known.voters.clone(),
        record: known.newest.record.id.clone(),
        text: known.newest.record.utterance.clone(),
        labels: labels.into_iter().collect(),
        predicted: predicted.unwrap_or_default(),
        labelled_at: known.newest.labelled_at.clone(),
    })
}

/// Returns the workers whose last vote is for these labels and no other, by the names that labels have now.
fn who_gave(labels: &BTreeSet<String>, known: &Known, set: &LabelSet) -> BTreeSet<String> {
    let mut last: BTreeMap<&str, &Vote> = BTreeMap::new();
    for vote in &known.votes {
        let kept = last.entry(&vote.worker).or_insert(vote);
        if (&vote.at, &vote.answer) > (&kept.at, &kept.answer) {
            *kept = vote;
        }
    }
    let label = Answer::labels(labels);
    let gave = |vote: &&Vote| set.canonical(&known.newest.record, (*vote).clone()).answer == label;
    last.into_values()
        .filter(gave)
        .map(|vote| vote.worker.clone())
        .collect()
}

/// Draws a share of the rows, one at least: the same ones for the same name.
pub fn draw(rows: &[Row], share: f64, name: &str) -> Vec<Row> {
    let place = |row: &&Row| Sha256::digest(format!("audit:{name}:{}", row.record)).to_vec();
    let mut drawn: Vec<&Row> = rows.iter().collect();
    drawn.sort_by_cached_key(place);
    // No more than there are.
    drawn.truncate((rows.len() as f64 * share).ceil() as usize);
    drawn.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use active_learning_core::labels::label_set::Origin;

    use super::*;

    fn rows(count: usize) -> Vec<Row> {
        let row = |number| Row {
            record: format!("r-{number}"),
            text: "text".to_owned(),
            labels: vec!["World".to_owned()],
            predicted: Vec::new(),
            labelled_at: String::new(),
            reviewers: BTreeSet::new(),
            voters: BTreeSet::new(),
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn another_name_draws_other_rows_and_the_same_name_the_same() {
        let all = rows(100);

        let drawn = draw(&all, 0.1, "spring");

        assert_eq!(drawn.len(), 10);
        assert_eq!(drawn, draw(&all, 0.1, "spring"));
        assert_ne!(drawn, draw(&all, 0.1, "summer"));
        assert_eq!(draw(&all, 0.001, "spring").len(), 1);
        assert_eq!(draw(&all, 1.0, "spring").len(), 100);
    }

    /// A human loop about one text, in which workers answered as given at this time.
    fn looped(human_loop: &str, at: &str, answers: &[(&str, Answer)]) -> LabelledRecord {
        let vote = |(worker, answer): &(&str, Answer)| Vote {
            worker: (*worker).to_owned(),
            answer: answer.clone(),
            source: VoteSource::HumanReview,
            at: at.to_owned(),
            seconds: None,
            note: Default::default(),
        };
        let record = json!({
            "schemaVersion": 1, "id": "r-1", "classifier": "news", "utterance": "A text", "source": "implicit",
            "signal": "audit", "receivedAt": "2026-11-20T10:00:00.000Z",
        });
        let record = serde_json::from_value(record).expect("a record");
        LabelledRecord::new(record, answers.iter().map(vote).collect(), human_loop, "arn")
    }

    fn workers(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn who_held_another_label_right_or_could_not_tell_did_not_give_the_label_and_is_not_asked_again() {
        let set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
        let label = |name: &str| Answer::labels([name]);
        let answers = [
            ("ann", label("World")),
            ("bob", label("World")),
            ("cy", label("Sports")),
            ("dan", Answer::Unsure),
            ("eve", Answer::NoneFits),
        ];

        let rows = rows_of(
            [looped("l-1", "2026-11-20T11:00:00.000Z", &answers)].into_iter(),
            &set,
            false,
        );

        assert_eq!((rows.len(), &rows[0].labels[..]), (1, &["World".to_owned()][..]));
        assert_eq!(rows[0].reviewers, workers(&["ann", "bob"]));
        assert_eq!(rows[0].voters, workers(&["ann", "bob", "cy", "dan", "eve"]));
        let line = rows[0].line(&["World", "Sports"], false);
        assert_eq!(line["label"], 0);
        assert_eq!(line["label-metadata"]["class-name"], "World");
        assert_eq!(line["reviewers"], json!(["ann", "bob"]));
        assert_eq!(
            line["excluded-workers"],
            json!(["ann", "bob", "cy", "dan", "eve"])
        );
    }

    #[test]
    fn the_last_word_of_a_reviewer_says_whether_they_gave_the_label_by_the_names_of_now() {
        let mut set = LabelSet::seed(
            ["World", "Sports", "Racing"],
            Origin::Parameter,
            "2026-11-19T10:00:00.000Z",
        );
        set.merge("Racing", "Sports").expect("merged");
        let label = |name: &str| Answer::labels([name]);
        let (first, later) = ("2026-11-20T11:00:00.000Z", "2026-11-20T12:00:00.000Z");
        let loops = [
            looped("l-1-corrected-2", later, &[("bob", label("Racing"))]),
            looped(
                "l-1",
                first,
                &[
                    ("ann", label("World")),
                    ("bob", label("World")),
                    ("cy", label("sports")),
                ],
            ),
        ];

        let rows = rows_of(loops.into_iter(), &set, false);

        assert_eq!(rows[0].labels, ["Sports"]);
        assert_eq!(rows[0].reviewers, workers(&["bob", "cy"]));
    }

    #[test]
    fn who_decided_on_a_text_does_not_look_at_their_own_decision_as_a_reviewer() {
        let set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
        let label = |name: &str| Answer::labels([name]);
        let mut decision = looped(
            "adjudication-r-1",
            "2026-11-20T12:00:00.000Z",
            &[("adjudicator:Eve@example.org", label("Sports"))],
        );
        decision.votes[0].source = VoteSource::Adjudicator;
        let answers = [("ann", label("World")), ("bob", label("Sports"))];
        let loops = [looped("l-1", "2026-11-20T11:00:00.000Z", &answers), decision];

        let rows = rows_of(loops.into_iter(), &set, false);

        let eve = worker_id("eve@example.org");
        assert_eq!(rows[0].labels, ["Sports"]);
        assert_eq!(rows[0].voters, workers(&["ann", "bob", &eve]));
        assert_eq!(rows[0].reviewers, workers(&["bob"]));
    }

    #[test]
    fn who_adjusted_a_label_in_an_audit_does_not_look_at_it_again() {
        let set = LabelSet::seed(["World", "Sports"], Origin::Parameter, "2026-11-19T10:00:00.000Z");
        let (id, answer) = ("0123456789abcdef", Answer::labels(["Sports"]));
        let by = format!("adjudicator:bob, {id}");
        let mut adjusted = looped(
            "adjudication-r-1-audit-spring",
            "2026-11-20T12:00:00.000Z",
            &[(&by, answer)],
        );
        adjusted.votes[0].source = VoteSource::Adjudicator;

        let rows = rows_of([adjusted].into_iter(), &set, false);

        assert!(
            rows[0].voters.contains(id) && rows[0].voters.contains(&worker_id("bob")),
            "{rows:?}"
        );
    }

    #[test]
    fn a_text_of_several_labels_is_looked_at_with_all_of_them_and_given_by_who_gave_just_these() {
        let set = LabelSet::seed(
            ["World", "Sports", "Tech"],
            Origin::Parameter,
            "2026-11-19T10:00:00.000Z",
        );
        let both = Answer::labels(["Tech", "World"]);
        let answers = [
            ("ann", both.clone()),
            ("bob", Answer::labels(["World"])),
            ("cy", both),
        ];
        let looped = || [looped("l-1", "2026-11-20T11:00:00.000Z", &answers)].into_iter();

        let rows = rows_of(looped(), &set, true);

        assert!(rows_of(looped(), &set, false).is_empty());
        assert_eq!(rows[0].labels, ["Tech", "World"]);
        assert_eq!(rows[0].reviewers, workers(&["ann", "cy"]));
        let line = rows[0].line(&["World", "Sports", "Tech"], true);
        assert_eq!(line["label"], json!([0, 2]));
        assert_eq!(
            line["label-metadata"],
            json!({ "class-map": { "0": "World", "2": "Tech" }, "type": "groundtruth/text-classification-multilabel" })
        );
    }
}
