//! What the function that builds models writes, as far as the overview shows it.

use std::collections::BTreeMap;

use active_learning_core::dataset::{INITIAL_PREFIX, TrainingFileReport, is_initial_file, report_key};
use active_learning_core::keys;
use active_learning_core::labels::answered_days::AnsweredDays;
use active_learning_core::model::{
    accuracy_by_week::AccuracyByWeek,
    accuracy_guarantee::AuditGrid,
    audit::{AuditTally, AuditedAccuracy},
    confidence::ConfidenceTally,
    confusion::{Confusions, ModelConfusion},
};
use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};

use super::{FILES, PAGE};
use crate::bucket::{Bucket, BucketError};

/// Switches of the endpoint, whose keys begin with the time.
const DEPLOYMENTS: &str = "deployments/";
/// How far back the newest switch is looked for first, in days, and then further.
const LOOK_BACK: [u64; 3] = [1, 30, 365];
/// What puts a model in service that a parameter names.
const BY_PARAMETER: &str = "parameter";
/// Newest switches among which is looked for one that lasted.
const NEWEST: usize = 8;

/// The model that was put in service last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Serving {
    /// ARN of the model.
    pub model_arn: String,
    /// Since when it serves.
    pub at: DateTime<Utc>,
    /// What put it there: `build`, `initial-file`, `roll-back`, `automatic-roll-back` or `parameter`.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// ARN of the model that served before.
    #[serde(default)]
    pub previous_model_arn: Option<String>,
    /// Name of the execution that switched.
    #[serde(default)]
    pub build_id: String,
}

impl Serving {
    /// Returns the model that a training file made, if it made one.
    fn made_of(report: &TrainingFileReport) -> Option<Self> {
        Some(Self {
            model_arn: report.model_arn.clone()?,
            at: report.at.parse().ok()?,
            by: "initial-file".to_owned(),
            reason: format!("the training file {} was put there", report.key),
            previous_model_arn: None,
            build_id: String::new(),
        })
    }

    /// Returns the model behind a SageMaker endpoint that a parameter names, before anything has noted since when.
    pub fn hosted(endpoint_arn: &str, now: DateTime<Utc>) -> Self {
        Self {
            model_arn: endpoint_arn.to_owned(),
            at: now,
            by: BY_PARAMETER.to_owned(),
            reason: String::new(),
            previous_model_arn: None,
            build_id: String::new(),
        }
    }

    /// Returns the time since when it serves, if something has noted it.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        let is_noted = self.by != BY_PARAMETER || !self.build_id.is_empty();
        is_noted.then_some(self.at)
    }

    /// Returns what tells the switch from another.
    pub fn switch(&self) -> Switch<'_> {
        Switch {
            build_id: &self.build_id,
            model_arn: &self.model_arn,
            previous_model_arn: self.previous_model_arn.as_deref(),
        }
    }

    /// Returns the name of the version: the end of the ARN.
    pub fn version(&self) -> &str {
        self.model_arn.rsplit('/').next().unwrap_or_default()
    }
}

/// A build, as far as it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// Name of the execution.
    pub id: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended; none while it has no record.
    pub ended_at: Option<DateTime<Utc>>,
    /// What it came to, such as `deployed` or `refused`.
    pub outcome: Option<String>,
    /// Why, in words.
    pub why: String,
    /// Whether a person must approve its deployment.
    pub waits_for_approval: bool,
}

/// The sums over all labels, as far as the overview needs them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Records on whose labels people agreed.
    #[serde(default)]
    pub labels: u64,
    /// When the first of them came.
    pub since: Option<DateTime<Utc>>,
    /// Votes that propose a new label, by its name; not those that an earlier release has summed.
    #[serde(default)]
    pub proposed: BTreeMap<String, u64>,
    /// When the newest of these votes was given; not of those that an earlier release has summed.
    #[serde(default)]
    pub proposed_at: BTreeMap<String, String>,
    /// What reviewers answered by day; not what an earlier release has summed.
    #[serde(default)]
    pub answered: AnsweredDays,
    /// Records that no label fitted; not what an earlier release has summed.
    #[serde(default)]
    pub none_fits: u64,
    #[serde(default)]
    confusions: Confusions,
    #[serde(default)]
    models: BTreeMap<String, AuditTally>,
    #[serde(default)]
    confidence: BTreeMap<String, ConfidenceTally>,
    #[serde(default)]
    audits: BTreeMap<String, AuditGrid>,
    /// Judged predictions by the week in which they were made; not what an earlier release has summed.
    #[serde(default)]
    pub by_week: AccuracyByWeek,
}

impl Tally {
    /// Reads the sums as of the last tick; nothing is counted where there are none.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read(training: &Bucket) -> Result<Self, BucketError> {
        let tally: Option<Self> = training.read_document(keys::TALLY).await?;
        Ok(tally.unwrap_or_default())
    }

    /// Returns what judged predictions say of a model's confidence.
    pub fn confidence(&self, model_arn: &str) -> Option<&ConfidenceTally> {
        self.confidence.get(model_arn)
    }

    /// Returns the audited predictions of a model.
    pub fn audits(&self, model_arn: &str) -> Option<&AuditGrid> {
        self.audits.get(model_arn)
    }

    /// Returns what people said of a model's predictions, by label.
    pub fn confusion(&self, model_arn: &str) -> Option<&ModelConfusion> {
        self.confusions.of(model_arn)
    }

    /// Returns what audits say of a model's accuracy; nothing before the first of them.
    pub fn accuracy(&self, model_arn: &str) -> Option<AuditedAccuracy> {
        self.models.get(model_arn)?.estimate()
    }
}

/// What tells a switch of the endpoint from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch<'a> {
    /// Name of the execution.
    pub build_id: &'a str,
    /// ARN of the model that came into service.
    pub model_arn: &'a str,
    /// ARN of the model that served before.
    pub previous_model_arn: Option<&'a str>,
}

impl Switch<'_> {
    /// Returns whether a later switch of the same execution has brought the model before back.
    pub fn is_undone_by(&self, later: &Self) -> bool {
        self.build_id == later.build_id
            && self.previous_model_arn == Some(later.model_arn)
            && later.previous_model_arn == Some(self.model_arn)
    }
}

/// Leaves out the switches that their own execution has undone, and what undid them: the model before is taken to have
/// served all along. `describe` says what a switch is; they are in order, the oldest first.
pub fn lasting<T>(switches: Vec<T>, describe: impl Fn(&T) -> Switch<'_>) -> Vec<T> {
    let mut lasting: Vec<T> = Vec::new();
    for switch in switches {
        let undone = |before: &T| describe(before).is_undone_by(&describe(&switch));
        match lasting.iter().rposition(undone) {
            Some(before) => drop(lasting.remove(before)),
            None => lasting.push(switch),
        }
    }
    lasting
}

/// Returns the model that served before the one that serves now was put in service as a new one.
pub fn model_before(switches: &[Serving]) -> Option<&str> {
    let lasting = lasting(switches.iter().collect(), |switch| switch.switch());
    let serving = &lasting.last()?.model_arn;
    let is_new = |switch: &&&Serving| matches!(switch.by.as_str(), "build" | "initial-file");
    let as_new = lasting
        .iter()
        .filter(is_new)
        .rfind(|switch| switch.model_arn == *serving);
    as_new?.previous_model_arn.as_deref()
}

/// Finds the newest switch of the endpoint that lasted, or the first model, which came without one.
///
/// # Errors
///
/// [`BucketError`].
pub async fn serving(training: &Bucket, now: DateTime<Utc>) -> Result<Option<Serving>, BucketError> {
    let newest = switches(training, now, NEWEST).await?;
    match lasting(newest, Serving::switch).pop() {
        Some(switch) => Ok(Some(switch)),
        None => first_model(training).await,
    }
}

/// Finds the model of the newest training file: it serves where no switch is on record, which the first model is not.
async fn first_model(training: &Bucket) -> Result<Option<Serving>, BucketError> {
    let mut newest: Option<Serving> = None;
    let files = training.list_after(INITIAL_PREFIX, "", FILES).await?;
    for file in files.into_iter().filter(|file| is_initial_file(&file.key)) {
        let report: Option<TrainingFileReport> = training.read_document(&report_key(&file.key)).await?;
        let made = report.and_then(|report| Serving::made_of(&report));
        newest = made.into_iter().chain(newest).max_by_key(|serving| serving.at);
    }
    Ok(newest)
}

/// Finds the newest switches of the endpoint by their keys, at most `count`, the oldest first. Looks at few keys, the
/// longer ago they were the more.
///
/// # Errors
///
/// [`BucketError`].
pub async fn switches(
    training: &Bucket,
    now: DateTime<Utc>,
    count: usize,
) -> Result<Vec<Serving>, BucketError> {
    let mut switches = Vec::new();
    for key in switch_keys(training, now, count).await? {
        switches.extend(training.read_document::<Serving>(&key).await?);
    }
    Ok(switches)
}

/// Finds the keys of the newest switches as [`switches`] does.
///
/// # Errors
///
/// [`BucketError`].
pub async fn switch_keys(
    training: &Bucket,
    now: DateTime<Utc>,
    count: usize,
) -> Result<Vec<String>, BucketError> {
    let mut keys = Vec::new();
    for days in LOOK_BACK.into_iter().chain([0]) {
        let from = now.checked_sub_days(Days::new(days)).filter(|_| days > 0);
        let from = from.map_or_else(String::new, |from| from.format("%Y-%m-%d").to_string());
        keys = last_keys(training, from, count).await?;
        if keys.len() >= count {
            break;
        }
    }
    Ok(keys)
}

/// Returns the last keys of switches from a day on.
async fn last_keys(training: &Bucket, from: String, count: usize) -> Result<Vec<String>, BucketError> {
    let (mut keys, mut after) = (Vec::new(), from);
    loop {
        let page = training.list_after(DEPLOYMENTS, &after, PAGE).await?;
        let is_full = page.len() == PAGE;
        keys.extend(page.into_iter().map(|object| object.key));
        keys.drain(..keys.len().saturating_sub(count));
        match keys.last() {
            Some(last) if is_full => after = last[DEPLOYMENTS.len()..].to_owned(),
            _ => return Ok(keys),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Last {
    id: String,
    started_at: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    outcome: String,
    why: String,
    ended_at: DateTime<Utc>,
}

/// Reads the build that began last.
pub(super) async fn last_build(training: &Bucket) -> Result<Option<Build>, BucketError> {
    let Some(last) = training.read_document::<Last>("builds/last.json").await? else {
        return Ok(None);
    };
    let folder = format!("builds/{}/", last.id);
    let record: Option<Record> = training.read_document(&format!("{folder}record.json")).await?;
    let asked = match &record {
        Some(_) => false,
        None => training
            .read(&format!("{folder}approval.json"), super::MAX_APPROVAL_BYTES)
            .await?
            .is_some(),
    };
    Ok(Some(Build {
        id: last.id,
        started_at: last.started_at,
        ended_at: record.as_ref().map(|record| record.ended_at),
        outcome: record.as_ref().map(|record| record.outcome.clone()),
        why: record.map(|record| record.why).unwrap_or_default(),
        waits_for_approval: asked,
    }))
}
