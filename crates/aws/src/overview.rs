//! How a stack is doing, in figures: the same for the console and for the command line.
//!
//! Reads small objects that the functions write anyway, and at most one page of keys of each folder: it costs the same
//! whatever the stack has behind it. What one page does not hold is said to be more, and is not counted.

mod activity;
mod documents;
mod words;

use active_learning_core::{
    dataset::{INITIAL_PREFIX, TrainingFileReport, TrainingFileState},
    feedback::arrivals::Arrivals,
    keys,
    labels::human_loop::LoopName,
    model::{audit::AuditedAccuracy, first_model::FirstModel},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

pub use activity::{Activity, ActivityDay, ActivityHour, Burndown, SentToPeople};
pub use documents::{Build, Serving, Switch, Tally, lasting, model_before, serving, switch_keys, switches};
pub use words::age;

use crate::{
    bucket::{Bucket, BucketError},
    training_files,
};

/// Keys of a page. Source: Amazon S3, `ListObjectsV2`.
const PAGE: usize = 1_000;
/// Training files whose reports are read.
const FILES: usize = 100;
/// Where questions wait for the review budget, in the feedback bucket.
const BACKLOG: [&str; 3] = ["backlog/1-audit/", "backlog/2-exploration/", "backlog/3-ranked/"];
/// Where texts to label wait, in the feedback bucket.
const POOL: &str = "backlog/4-pool/";
/// Largest request for an approval, in bytes: a task token.
const MAX_APPROVAL_BYTES: u64 = 1 << 16;
/// Where Lambda puts events that a function failed on to the end, in the feedback bucket.
pub const FAILED_EVENTS: &str = "aws/lambda/async/";

/// Where Firehose puts what the stream could not deliver, in the feedback bucket.
pub const UNDELIVERED: &str = "firehose-errors/";

/// Where events are that the receiver of the webhook refused for good, in the feedback bucket.
pub const REFUSED_WEBHOOKS: &str = "rejected/review-events/";

/// Where lines are that cannot be used, in the feedback bucket.
pub const REJECTED_LINES: &str = "rejected/";
/// The functions that set lines aside, by their folders of [`REJECTED_LINES`].
const REJECTED_BY: [&str; 2] = ["a2i-trigger/", "batch-feedback/"];

/// Where questions are that nobody answered, in the feedback bucket: an object for each human loop that was given up, and one
/// for each correction that cannot be read, see [`is_correction`].
pub const GIVEN_UP: &str = "rejected/training-data/";

/// The buckets that the figures are read from.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// Labels, datasets and models.
    pub training: &'a Bucket,
    /// Feedback, and what waits.
    pub feedback: &'a Bucket,
    /// The built-in review service's own; none where Amazon A2I keeps the queue.
    pub review: Option<&'a Bucket>,
}

/// A number of objects, as far as one page of keys tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounded {
    /// So many, at least.
    pub count: usize,
    /// Whether there may be more.
    pub has_more: bool,
}

/// What waits for reviewers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Tasks in flight, those that somebody has open included.
    pub tasks: Bounded,
    /// When the oldest of them was started.
    pub oldest_at: Option<DateTime<Utc>>,
    /// Its age in seconds. Where there are more tasks than were looked at, one of those may be older.
    pub oldest_age_seconds: Option<i64>,
    /// Tasks among those that were looked at which ask for one more opinion: who has answered before is not asked.
    #[serde(default)]
    pub for_somebody_else: usize,
    /// Tasks of the stack that were started within the last 24 hours, finished or not; none of labelling jobs, nor of
    /// flow definitions that the API made.
    #[serde(default)]
    pub started_last_day: Bounded,
}

/// What people have labelled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reviewed {
    /// Texts on whose label people agree, as of the last tick of the function that builds models.
    pub texts: u64,
    /// When the first of them came.
    pub since: Option<DateTime<Utc>>,
}

/// How far it is to the first model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FirstModelProgress {
    /// Labels that count.
    pub have: u64,
    /// Labels that are needed.
    pub need: u64,
    /// The same in words, with what is missing.
    pub text: String,
}

/// A training file that was refused, or that waits for the text encoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedFile {
    /// Its key.
    pub key: String,
    /// Why.
    pub reason: String,
    /// Whether nothing is wrong with it, and it is taken as soon as the text encoder can be used.
    #[serde(default, skip_serializing_if = "is_false")]
    pub waits: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// What the trial of the worker task template in use found, with a made-up answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateTrial {
    /// Key of the template in the review bucket.
    pub template: String,
    /// ETag of what was tried; empty where there was none of that key.
    pub etag: String,
    /// Version of the label set whose labels were tried; 0 without one.
    pub label_set: u64,
    /// Items of the made-up task.
    pub items: usize,
    /// Version of the rules by which it was tried; 0 of those before they had one.
    #[serde(default)]
    pub rules: u32,
    /// When it was tried.
    pub at: DateTime<Utc>,
    /// Whether its answers can be labels; otherwise its pages have no Submit, or every answer is a proposal.
    pub works: bool,
    /// Whether none of its choices is a label, so that every answer is a proposal.
    #[serde(default)]
    pub proposes_only: bool,
    /// What is to be known of it, one sentence each.
    pub notices: Vec<String>,
}

/// How a stack is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// When this was looked at.
    pub at: DateTime<Utc>,
    /// What waits for reviewers; none where Amazon A2I keeps the queue.
    pub waiting: Option<Waiting>,
    /// What people have labelled.
    pub reviewed: Reviewed,
    /// The model that was put in service last; none where no switch is on record.
    pub serving: Option<Serving>,
    /// What audits say of it, as of the last tick; none while no prediction that it is sure of was audited.
    pub live_accuracy: Option<AuditedAccuracy>,
    /// How far it is to the first model; none once one serves.
    pub first_model: Option<FirstModelProgress>,
    /// Texts to label that wait until reviewers have room.
    pub pool: Bounded,
    /// Questions that wait for the review budget.
    pub backlog: Bounded,
    /// Questions on which people do not agree: they wait for an adjudicator.
    pub disputed: Bounded,
    /// Events that a function failed on to the end.
    pub failed_events: Bounded,
    /// Events that the receiver of the webhook refused for good.
    #[serde(default)]
    pub refused_webhooks: Bounded,
    /// Objects of lines that cannot be used, each line with its reason; they lie under [`REJECTED_LINES`].
    #[serde(default)]
    pub rejected_lines: Bounded,
    /// Human loops that were given up: stopped, not answered in time, or with answers that cannot be read.
    #[serde(default)]
    pub given_up: Bounded,
    /// Corrections that cannot be read: they lie where human loops do that were given up.
    #[serde(default)]
    pub unreadable_corrections: Bounded,
    /// Training files that were refused.
    pub refused_files: Vec<RefusedFile>,
    /// What the trial of the worker task template in use found; none of the shipped one.
    #[serde(default)]
    pub worker_template: Option<TemplateTrial>,
    /// The build that began last.
    pub last_build: Option<Build>,
    /// Objects of the built-in review service that cannot be read; its console names them.
    #[serde(default)]
    pub damaged_objects: Bounded,
    /// What came and what was answered by day, as of the last tick; none where what came cannot be read.
    #[serde(default)]
    pub activity: Option<Activity>,
    /// Figures that are missing here since their object cannot be read: which one, and where it is damaged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

impl Overview {
    /// Reads the build that began last.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn last_build(places: Places<'_>) -> Result<Option<Build>, BucketError> {
        documents::last_build(places.training).await
    }

    /// Reads the figures as of `now`.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read(places: Places<'_>, now: DateTime<Utc>) -> Result<Self, BucketError> {
        let Places {
            training, feedback, ..
        } = places;
        let waiting = match places.review {
            Some(review) => Some(Waiting::read(review, now).await?),
            None => None,
        };
        let mut unreadable = Vec::new();
        let worker_template = match places.review {
            Some(review) => {
                let trial = review.read_document(keys::TEMPLATE_TRIAL).await;
                passed_over(&mut unreadable, trial)?
            }
            None => None,
        };
        let damaged_objects = match places.review {
            Some(review) => Bounded::count(review, keys::DAMAGED_FOLDER).await?,
            None => Bounded::default(),
        };
        let tally = passed_over(&mut unreadable, documents::Tally::read(training).await)?;
        let serving = passed_over(&mut unreadable, documents::serving(training, now).await)?;
        let accuracy = serving
            .as_ref()
            .and_then(|serving| tally.accuracy(&serving.model_arn));
        let first_model = match &serving {
            None => {
                let progress = training.read_document::<FirstModel>(keys::FIRST_MODEL).await;
                passed_over(&mut unreadable, progress)?
            }
            Some(_) => None,
        };
        let refused_files = passed_over(&mut unreadable, refused_files(training).await)?;
        let last_build = passed_over(&mut unreadable, documents::last_build(training).await)?;
        let arrivals = feedback.read_document::<Arrivals>(keys::ARRIVALS).await;
        let arrivals = passed_over(
            &mut unreadable,
            arrivals.map(|read| Some(read.unwrap_or_default())),
        )?;
        let (pool, backlog) = (Bounded::count(feedback, POOL).await?, backlog(feedback).await?);
        let (given_up, unreadable_corrections) = given_up(feedback).await?;
        let activity = arrivals.map(|arrivals| {
            let answers = (&tally.answered, tally.labels);
            Activity::of(&arrivals, answers, waiting.as_ref(), pool.and(backlog), now)
        });

        Ok(Self {
            at: now,
            waiting,
            reviewed: Reviewed {
                texts: tally.labels,
                since: tally.since,
            },
            live_accuracy: accuracy,
            serving,
            first_model: first_model.map(|progress| FirstModelProgress {
                have: progress.have(),
                need: progress.need(),
                text: progress.describe(),
            }),
            pool,
            backlog,
            disputed: Bounded::count(training, keys::DISPUTED_FOLDER).await?,
            failed_events: Bounded::count(feedback, FAILED_EVENTS).await?,
            refused_webhooks: Bounded::count(feedback, REFUSED_WEBHOOKS).await?,
            rejected_lines: rejected_lines(feedback).await?,
            given_up,
            unreadable_corrections,
            refused_files,
            worker_template,
            last_build,
            damaged_objects,
            activity,
            unreadable,
        })
    }
}

/// Returns whether a key of [`GIVEN_UP`] is that of a correction that cannot be read: sent again, it is read again, and nobody
/// is asked.
pub fn is_correction(key: &str) -> bool {
    key.contains("-corrected-")
}

/// Leaves out what cannot be read, and notes which object it is: the other figures are told all the same.
fn passed_over<T: Default>(
    unreadable: &mut Vec<String>,
    read: Result<T, BucketError>,
) -> Result<T, BucketError> {
    match read {
        Err(reason) if reason.is_damaged() => {
            unreadable.push(reason.to_string());
            Ok(T::default())
        }
        read => read,
    }
}

/// Reads how far it is to the first model; none once one serves, also where it came of a training file and the function that
/// builds models has not seen it yet.
///
/// # Errors
///
/// [`BucketError`].
pub async fn first_model(training: &Bucket) -> Result<Option<FirstModel>, BucketError> {
    let progress: Option<FirstModel> = training.read_document(keys::FIRST_MODEL).await?;
    if progress.is_none() || serving(training, Utc::now()).await?.is_some() {
        return Ok(None);
    }
    Ok(progress)
}

impl Bounded {
    /// Counts the objects below a prefix: one page of keys, whatever there is.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn count(bucket: &Bucket, prefix: &str) -> Result<Self, BucketError> {
        Ok(Self::of(bucket.list_after(prefix, "", PAGE).await?.len()))
    }

    fn of(count: usize) -> Self {
        Self {
            count,
            has_more: count >= PAGE,
        }
    }

    /// Returns both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            has_more: self.has_more || other.has_more,
        }
    }
}

impl Waiting {
    /// Reads the marks of the tasks in flight and of those of the last day: a page of each.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read(review: &Bucket, now: DateTime<Utc>) -> Result<Self, BucketError> {
        let marks = review.list_after(keys::QUEUE_FOLDER, "", PAGE).await?;
        let day_ago = (now - TimeDelta::days(1)).timestamp_millis();
        let after = format!("{day_ago:013}");
        let started = review.list_after(keys::STARTED_FOLDER, &after, PAGE).await?;
        let oldest = marks.iter().filter_map(|mark| keys::queued_at(&mark.key)).min();
        let oldest_at = oldest.and_then(DateTime::from_timestamp_millis);
        let names = marks.iter().filter_map(|mark| keys::queued_loop(&mark.key));
        let is_further = |name: &&str| LoopName::parse(name).is_some_and(|name| name.is_further_round());
        Ok(Self {
            tasks: Bounded::of(marks.len()),
            for_somebody_else: names.filter(is_further).count(),
            oldest_at,
            started_last_day: Bounded::of(started.len()),
            oldest_age_seconds: oldest_at.map(|at| (now - at).max(TimeDelta::zero()).num_seconds()),
        })
    }
}

async fn backlog(feedback: &Bucket) -> Result<Bounded, BucketError> {
    let mut backlog = Bounded::default();
    for folder in BACKLOG {
        backlog = backlog.and(Bounded::count(feedback, folder).await?);
    }
    Ok(backlog)
}

/// Counts the human loops that were given up, and the corrections that cannot be read, of one page of keys.
async fn given_up(feedback: &Bucket) -> Result<(Bounded, Bounded), BucketError> {
    let listed = feedback.list_after(GIVEN_UP, "", PAGE).await?;
    let corrections = listed.iter().filter(|object| is_correction(&object.key)).count();
    let has_more = listed.len() >= PAGE;
    let bounded = |count| Bounded { count, has_more };
    Ok((bounded(listed.len() - corrections), bounded(corrections)))
}

async fn rejected_lines(feedback: &Bucket) -> Result<Bounded, BucketError> {
    let mut rejected = Bounded::default();
    for folder in REJECTED_BY {
        let folder = format!("{REJECTED_LINES}{folder}");
        rejected = rejected.and(Bounded::count(feedback, &folder).await?);
    }
    Ok(rejected)
}

/// Returns the files under `initial/` that were refused as they are now, of the first [`FILES`].
async fn refused_files(training: &Bucket) -> Result<Vec<RefusedFile>, BucketError> {
    let files = training.list_after(INITIAL_PREFIX, "", FILES).await?;
    Ok(RefusedFile::of(&training_files::reports(training, files).await?))
}

impl RefusedFile {
    /// Returns those of the training files that were refused, or wait.
    pub fn of(reports: &[TrainingFileReport]) -> Vec<Self> {
        let refused = reports.iter().filter(|report| {
            matches!(
                report.state,
                TrainingFileState::Refused | TrainingFileState::Waiting
            )
        });
        let refused = refused.map(|report| Self {
            key: report.key.clone(),
            reason: report.reason.clone().unwrap_or_default(),
            waits: report.state == TrainingFileState::Waiting,
        });
        refused.collect()
    }
}
