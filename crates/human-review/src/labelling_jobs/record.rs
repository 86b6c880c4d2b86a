//! A labelling job as data: what was asked for, how far it is, and what became of each object.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use active_learning_core::labels::label_key::label_key;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::automation::Automation;
pub use super::exclusions::Exclusions;
use super::functions::UnknownAnswers;
use super::manifest::{Line, classes};
pub use super::objects::{LabelledBy, ObjectState, Part};
pub use super::settings::{Audit, AuditKind, Filter, Settings, Task, Template};
use crate::flows::Resource;

/// Objects of one part: what is read and written together.
pub const PART_OBJECTS: usize = 100;

/// Characters of [`Job::short_id`].
const SHORT_ID_CHARS: usize = 12;

/// State of a job, as SageMaker's API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobStatus {
    /// Its input has not been read.
    Initializing,
    /// Its objects are being labelled.
    InProgress,
    /// Stopped by the caller or by a stopping condition; what is answered is still collected.
    Stopping,
    /// Every object is labelled, has failed, or needed no label.
    Completed,
    /// It could not go on.
    Failed,
    /// Stopped; what is labelled is in the output.
    Stopped,
}

impl JobStatus {
    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "Initializing",
            Self::InProgress => "InProgress",
            Self::Stopping => "Stopping",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
        }
    }

    /// Returns whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Stopped)
    }
}

/// What a label category file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Categories {
    /// The labels, in the order that numbers them.
    pub labels: Vec<String>,
    /// Of a job on a level below another one: the label that each is within.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    /// Of such a job: labels of the first level that none are within.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub childless: Vec<String>,
    /// Words above the choices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// The same at length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_instructions: Option<String>,
    /// `auditLabelAttributeName`: the label that is verified or adjusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audited: Option<String>,
}

impl Categories {
    /// Returns the numbers of the labels that are within one of these, however it is spelt.
    pub fn below(&self, parents: &[String]) -> Vec<usize> {
        let wanted: Vec<String> = parents.iter().map(|name| label_key(name)).collect();
        let is_wanted = |(_, parent): &(usize, &String)| wanted.contains(&label_key(parent));
        let found = self.parents.iter().enumerate().filter(is_wanted);
        found.map(|(number, _)| number).collect()
    }

    /// Returns the keys of the labels within each label, by its key; those of the first level by an empty one.
    pub fn keys_by_parent(&self) -> BTreeMap<String, BTreeSet<String>> {
        let parents = self.parents.iter().map(|parent| label_key(parent));
        let parents = parents.chain(std::iter::repeat(String::new()));
        let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (label, parent) in self.labels.iter().zip(parents) {
            keys.entry(parent).or_default().insert(label_key(label));
        }
        keys
    }

    /// Returns the label keys of all classes that a text may have on a level above: those of the whole tree.
    pub fn keys_of_tree(&self) -> BTreeSet<String> {
        let all = self.parents.iter().chain(&self.childless).chain(&self.labels);
        all.map(|name| label_key(name)).collect()
    }
}

/// How many objects of a part, or of a job, are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Not yet asked.
    pub waiting: usize,
    /// Not in a round of automated labelling yet.
    #[serde(default)]
    pub withheld: usize,
    /// In front of reviewers.
    pub asked: usize,
    /// Labelled by people.
    pub human: usize,
    /// Labelled by the model.
    pub machine: usize,
    /// Labelled before the job.
    pub earlier: usize,
    /// Not to be labelled.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// With the text of another one, whose label they get.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub same: usize,
    /// With the text of one that is labelled here, by people or the model: their label is known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub same_labelled: usize,
    /// With the text of one that is asked here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub same_asked: usize,
}

impl Counts {
    /// Returns whether every object is done with, but for those that get the label of another one.
    pub fn is_done(&self) -> bool {
        self.waiting + self.withheld + self.asked == 0
    }

    /// Returns how many there are.
    pub fn total(&self) -> usize {
        self.waiting
            + self.withheld
            + self.asked
            + self.human
            + self.machine
            + self.earlier
            + self.passed
            + self.failed
            + self.same
    }

    /// Returns how many have a label by the job, also where it is written at the end only.
    pub fn labelled(&self) -> usize {
        self.human + self.machine + self.same_labelled
    }

    /// Returns how many the job labels, or has labelled, each by itself.
    pub fn wanted(&self) -> usize {
        self.total() - self.earlier - self.passed - self.same
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.waiting += other.waiting;
        self.withheld += other.withheld;
        self.asked += other.asked;
        self.human += other.human;
        self.machine += other.machine;
        self.earlier += other.earlier;
        self.passed += other.passed;
        self.failed += other.failed;
        self.same += other.same;
        self.same_labelled += other.same_labelled;
        self.same_asked += other.same_asked;
    }
}

/// What a job remembers of one of its parts, so that a part in which nothing is due need not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartSummary {
    /// Its objects by state.
    #[serde(flatten)]
    pub counts: Counts,
    /// When the first of its tasks is over, answered or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// How many of those asked are answered, and wait for another try to consolidate them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub paused: usize,
    /// When the first of these, or of those that could not be asked about, is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes_at: Option<DateTime<Utc>>,
}

/// The right to drive a job, of one process until it expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Made up for each.
    pub id: String,
    /// From then on another may take it.
    pub expires_at: DateTime<Utc>,
    /// Request id of the invocation that it was taken in: all attempts at one event have the same, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
}

/// How far Comprehend has looked through the lines of a manifest, whose parts are kept as it leaves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedThrough {
    /// SHA-256 of the manifest, in hexadecimal: of another one nothing is kept.
    pub manifest: String,
    /// So many parts, from the first.
    pub parts: usize,
}

/// A labelling job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Name, unique for good.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub modified_at: DateTime<Utc>,
    /// State.
    pub status: JobStatus,
    /// Why it has failed; of one that is completed, why nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Why the last run could not do all that was due: something outside the job has failed, and is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// What its consolidation function has answered to objects that it was not asked about.
    #[serde(default, skip_serializing_if = "UnknownAnswers::is_empty")]
    pub unknown_answers: UnknownAnswers,
    /// What is shown again of the request.
    pub request: Value,
    /// What the request says.
    pub settings: Settings,
    /// What the label category file says; none before it was read.
    #[serde(default)]
    pub categories: Categories,
    /// Key of the worker task template in the review bucket; empty before it is known.
    #[serde(default)]
    pub template_key: String,
    /// Its parts; empty before the input was read.
    #[serde(default)]
    pub parts: Vec<PartSummary>,
    /// How far its input was looked through for personal data, where there was no time yet for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_through: Option<LookedThrough>,
    /// The sum of its parts, once it is final and they are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Counts>,
    /// Whether its parts stay below the review bucket, since its output could not be written.
    #[serde(default, skip_serializing_if = "is_false")]
    pub keeps_parts: bool,
    /// Whether a task has ended, or the job was stopped, while a run had it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_due_again: bool,
    /// Who is not asked about its objects, as it was when the input was read.
    #[serde(default, skip_serializing_if = "Exclusions::is_empty")]
    pub exclusions: Exclusions,
    /// How far the rounds of automated labelling are; none without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automation: Option<Automation>,
    /// Who drives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

impl Resource for Job {
    const FOLDER: &'static str = "labelling-jobs/";

    fn name(&self) -> &str {
        &self.name
    }

    fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }
}

impl Job {
    /// Returns how many objects are in which state.
    pub fn counts(&self) -> Counts {
        let mut counts = self.totals.unwrap_or_default();
        self.parts.iter().for_each(|part| counts.add(part.counts));
        counts
    }

    /// Returns what is to be known of a job that is not, or not yet, as it was wanted: why it has failed, or waits, and which
    /// answers of its function are not used.
    pub fn notice(&self) -> Option<String> {
        let waits = self.waits_for.as_ref();
        let waits = waits.map(|reason| format!("The job waits, and tries again by itself: {reason}."));
        let why = self.failure.clone().or(waits);
        let told: Vec<String> = why.into_iter().chain(self.unknown_answers.told()).collect();
        (!told.is_empty()).then(|| told.join(" "))
    }

    /// Returns whether something that failed is tried again later.
    pub fn has_paused(&self) -> bool {
        self.parts.iter().any(|part| part.resumes_at.is_some())
    }

    /// Returns whether a task is over, or a pause, so that there is something to do.
    pub fn has_due(&self, now: DateTime<Utc>) -> bool {
        let times = self
            .parts
            .iter()
            .flat_map(|part| [part.expires_at, part.resumes_at]);
        times.flatten().any(|time| time <= now)
    }

    /// Returns the job with the sum of its parts in their place.
    #[must_use]
    pub fn closed(self) -> Self {
        Self {
            totals: Some(self.counts()),
            parts: Vec::new(),
            waits_for: None,
            ..self
        }
    }

    /// Returns what tells its tasks from those of every other job: `SHORT_ID_CHARS` hexadecimal characters.
    pub fn short_id(&self) -> String {
        let digest = crate::human_loop::sha256(&format!("{}\n{}", self.name, self.created_at.to_rfc3339()));
        digest[..SHORT_ID_CHARS].to_owned()
    }

    /// Returns the name of the human loop of an object.
    pub fn loop_name(&self, object: usize) -> String {
        format!("job-{}-{object:06}", self.short_id())
    }

    /// Returns the object whose human loop has this name, if it is of this job.
    pub fn object_of(&self, loop_name: &str) -> Option<usize> {
        let (id, object) = parts_of(loop_name)?;
        (id == self.short_id()).then(|| object.parse().ok())?
    }

    /// Returns the numbers of the labels that are offered for a line: on a level below another one those within its label there.
    pub fn offered(&self, line: &Line) -> Vec<usize> {
        match &self.settings.parent {
            None => (0..self.categories.labels.len()).collect(),
            Some(attribute) => self.categories.below(&classes(line, attribute)),
        }
    }

    /// Returns the Region in its ARN.
    pub fn region(&self) -> &str {
        self.arn.split(':').nth(3).unwrap_or_default()
    }

    /// Returns the ARN of the team that it was created with.
    pub fn workteam(&self) -> Option<&str> {
        self.request["HumanTaskConfig"]["WorkteamArn"].as_str()
    }

    /// Returns the folder of its output: `S3OutputPath` and its name.
    pub fn folder(&self) -> String {
        format!("{}/{}", self.settings.output, self.name)
    }

    /// Returns where its output manifest is.
    pub fn output_manifest(&self) -> String {
        format!("{}/manifests/output/output.manifest", self.folder())
    }

    /// Returns whether a stopping condition holds.
    pub fn has_enough(&self) -> bool {
        let counts = self.counts();
        let enough_people = self
            .settings
            .max_human_labelled
            .is_some_and(|most| counts.human >= most);
        let share = self.settings.max_percentage;
        enough_people || share.is_some_and(|share| counts.labelled() * 100 >= share * counts.total().max(1))
    }
}

/// Returns what a human loop's name says of the job that it is of, if it is of one: [`Job::short_id`].
pub fn short_id_of(loop_name: &str) -> Option<&str> {
    parts_of(loop_name).map(|(id, _)| id)
}

/// Returns whether a human loop's name is one that a labelling job gives: see [`Job::loop_name`].
pub fn is_named_by_job(loop_name: &str) -> bool {
    parts_of(loop_name).is_some_and(|(id, object)| {
        id.len() == SHORT_ID_CHARS
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
            && object.len() >= 6
            && object.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn parts_of(loop_name: &str) -> Option<(&str, &str)> {
    loop_name.strip_prefix("job-")?.split_once('-')
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Returns the folder of a job's input, which lies there until the job ends.
pub fn input_folder(job: &str) -> String {
    format!("{HUMAN_REVIEW_FOLDER}labelling-job-input/{job}/")
}

/// Returns the folder of what became of a job's objects, which lies there until the job ends.
pub fn part_folder(job: &str) -> String {
    format!("{HUMAN_REVIEW_FOLDER}labelling-job-objects/{job}/")
}

/// Returns the key of the mark of a job that is not final.
pub fn open_mark(job: &str) -> String {
    format!("{OPEN_FOLDER}{job}")
}

/// Folder of the marks of jobs that are not final.
pub const OPEN_FOLDER: &str = "human-review/open-labelling-jobs/";

/// Returns the key of a part of a job's input.
pub fn input_key(job: &str, part: usize) -> String {
    format!("{}{part:04}.jsonl", input_folder(job))
}

/// Returns the key of what became of a part's objects.
pub fn part_key(job: &str, part: usize) -> String {
    format!("{}{part:04}.json", part_folder(job))
}

/// Returns the key of a job.
pub fn job_key(job: &str) -> String {
    format!("{HUMAN_REVIEW_FOLDER}{}{job}.json", Job::FOLDER)
}
