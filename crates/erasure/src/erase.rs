//! An erasure from its beginning to its end.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::{Duration, Instant},
};

use active_learning_aws::{
    self as aws,
    bucket::{Bucket, BucketError},
    claims::ClaimError,
    erased::ErasedList,
    rfc3339,
};
use active_learning_core::{
    erasure::{Erasing, LearntAndErased},
    keys::{self, BucketName},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    collect::{Owners, Spellings},
    wanted::Wanted,
};

/// How long no build begins after the last word of an erasure: it may have been ended.
const HOLD: TimeDelta = TimeDelta::minutes(15);
/// How often that is renewed.
const RENEWED_AFTER: Duration = Duration::from_secs(120);
/// Times that everything is looked through, at most: until nothing is found that came in between.
const MAX_PASSES: usize = 5;

/// Why an erasure was broken off; another run ends it.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// A bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// A claim could not be given back.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Others keep writing what is to be rewritten.
    #[error("new objects keep coming with what is to be erased; run it again in a moment")]
    Busy,
}

/// The buckets of a stack.
#[derive(Clone, Debug)]
pub struct Buckets {
    /// Where clients upload files.
    pub batch: Bucket,
    /// Feedback, and what is remembered of it.
    pub feedback: Bucket,
    /// The review service's state, and the answers of people.
    pub review: Bucket,
    /// Labels, datasets and models.
    pub training: Bucket,
}

impl Buckets {
    /// Returns a bucket by what it is for.
    pub fn get(&self, name: BucketName) -> &Bucket {
        match name {
            BucketName::Batch => &self.batch,
            BucketName::Feedback => &self.feedback,
            BucketName::Review => &self.review,
            BucketName::Training => &self.training,
        }
    }
}

/// All buckets, in the order in which they are gone through: what is waited for goes before what is made of it.
pub(crate) const IN_ORDER: [BucketName; 4] = [
    BucketName::Feedback,
    BucketName::Review,
    BucketName::Training,
    BucketName::Batch,
];

/// What an erasure removes: the content of `erasures/<id>.json` until it is done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Made up for each.
    pub id: String,
    /// When it began, RFC 3339 in UTC.
    pub at: String,
    /// Number of texts, however they are written.
    pub count: usize,
    /// Texts of the users that somebody else has sent as well: they stay, without the users' names.
    pub shared: usize,
    /// The texts in all their spellings.
    pub texts: BTreeSet<String>,
    /// Names of the users.
    pub users: Vec<String>,
    /// Ids of the texts' records.
    pub records: BTreeSet<String>,
}

/// What was found under the beginning of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Objects that held some of it.
    pub objects: u64,
    /// Records, rows and names in them.
    pub pieces: u64,
}

/// What an erasure came to; without texts and names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Texts, however they are written.
    pub texts: usize,
    /// Users.
    pub users: usize,
    /// Texts of the users that somebody else has sent as well: they stay, without the users' names.
    pub shared: usize,
    /// By bucket and beginning of the keys.
    pub found: BTreeMap<String, Count>,
    /// Human loops that were ended, since all that they asked is gone.
    pub loops: u64,
    /// Loops of Amazon A2I that still show some of it: only their owner can stop them.
    pub loops_elsewhere: BTreeSet<String>,
    /// Texts of others that waited for an answer to one that is gone, and are asked by themselves.
    pub asked_themselves: u64,
    /// Objects that had not been worked off: what is left of them is delivered again.
    pub delivered_again: u64,
    /// Old versions of objects that were deleted.
    pub old_versions: u64,
    /// Objects that are too large to be read: they stay as they are.
    pub too_large: BTreeSet<String>,
    /// Rows that model versions have learnt from, by version.
    pub learnt: BTreeMap<String, u64>,
}

impl Report {
    /// Returns whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns all that was found.
    pub fn total(&self) -> Count {
        let counts = self.found.values();
        counts.fold(Count::default(), |sum, count| Count {
            objects: sum.objects + count.objects,
            pieces: sum.pieces + count.pieces,
        })
    }
}

/// An erasure that is being made, or only tried.
pub struct Erase<'a> {
    pub(crate) buckets: &'a Buckets,
    pub(crate) job: Job,
    pub(crate) wanted: Wanted,
    /// Whether nothing is to be changed.
    pub(crate) is_preview: bool,
    pub(crate) report: Report,
    /// Objects of events that a function failed on to the end.
    pub(crate) failed: HashSet<(String, String)>,
    /// Buckets that keep old versions.
    pub(crate) versioned: Vec<BucketName>,
    /// Inputs of human loops of which nothing is left, by the loop's id.
    pub(crate) ended: BTreeSet<String>,
    /// Human loops that asked some of it and were not done with.
    pub(crate) asked: BTreeSet<String>,
    held_at: Option<Instant>,
}

/// Looks for what is to be erased, of texts and of users, by the hashes of earlier erasures too.
///
/// # Errors
///
/// [`EraseError`].
pub async fn find(
    buckets: &Buckets,
    texts: &[String],
    users: &[String],
    now: DateTime<Utc>,
) -> Result<Job, EraseError> {
    let mut owners = Owners::of(users);
    if !users.is_empty() {
        crate::walk::look(buckets, &mut |rule, bytes| owners.look(rule, bytes)).await?;
    }
    let mut spellings = Spellings::of(owners.alone(), texts);
    crate::walk::look(buckets, &mut |rule, bytes| spellings.look(rule, bytes)).await?;
    Ok(Job {
        id: uuid::Uuid::new_v4().simple().to_string(),
        at: rfc3339(now),
        count: spellings.count(),
        shared: owners.shared(),
        texts: spellings.texts,
        users: users.to_vec(),
        records: spellings.records,
    })
}

/// Returns the erasures that were broken off, the oldest first.
///
/// # Errors
///
/// [`EraseError`].
pub async fn unfinished(buckets: &Buckets) -> Result<Vec<Job>, EraseError> {
    let mut jobs: Vec<Job> = Vec::new();
    for object in buckets.feedback.list(keys::ERASURES_FOLDER).await? {
        jobs.extend(buckets.feedback.read_document(&object.key).await?);
    }
    jobs.sort_by(|one, other| one.at.cmp(&other.at));
    Ok(jobs)
}

/// Keeps builds from beginning for a while.
///
/// # Errors
///
/// [`EraseError`].
pub async fn hold_builds(buckets: &Buckets) -> Result<(), EraseError> {
    let until = rfc3339(Utc::now() + HOLD);
    Ok(buckets
        .training
        .put_document(keys::ERASING, &Erasing { until })
        .await?)
}

/// Lets builds begin again.
///
/// # Errors
///
/// [`EraseError`].
pub async fn release_builds(buckets: &Buckets) -> Result<(), EraseError> {
    Ok(buckets.training.delete(keys::ERASING).await?)
}

/// Counts what an erasure would take out, and changes nothing.
///
/// # Errors
///
/// [`EraseError`].
pub async fn preview(buckets: &Buckets, job: Job) -> Result<Report, EraseError> {
    let mut erase = Erase::new(buckets, job, true).await?;
    erase.pass(None).await?;
    Ok(erase.report)
}

/// Erases. Whoever calls has seen to it that no build runs, and that none begins: see [`hold_builds`].
///
/// The texts are refused from now on, before anything is taken out. Twice is once; one that was broken off is ended by
/// another call with the same job, which [`unfinished`] returns.
///
/// # Errors
///
/// [`EraseError`].
pub async fn erase(buckets: &Buckets, job: Job) -> Result<Report, EraseError> {
    let key = keys::erasure(&job.id);
    buckets.feedback.put_document(&key, &job).await?;
    let texts: Vec<String> = job.texts.iter().cloned().collect();
    for bucket in [&buckets.feedback, &buckets.training] {
        ErasedList::new(bucket.clone()).add(&texts).await?;
    }

    let mut erase = Erase::new(buckets, job, false).await?;
    let mut since = None;
    for number in 1.. {
        let begin = Utc::now();
        let before = erase.report.total();
        erase.pass(since).await?;
        erase.end_loops().await?;
        erase.deliver_copies().await?;
        // What came while this pass was made is found by the next one.
        if number > 1 && erase.report.total() == before {
            break;
        }
        if number == MAX_PASSES {
            return Err(EraseError::Busy);
        }
        since = Some(begin - TimeDelta::minutes(1));
    }

    // Its sums are made anew from what is left.
    buckets.training.delete(keys::TALLY).await?;
    buckets.feedback.delete(&key).await?;
    if erase.is_versioned(BucketName::Feedback) {
        erase.report.old_versions += buckets.feedback.delete_old_versions(&key).await? as u64;
    }
    Ok(erase.report)
}

impl<'a> Erase<'a> {
    async fn new(buckets: &'a Buckets, job: Job, is_preview: bool) -> Result<Self, EraseError> {
        let before = ErasedList::new(buckets.feedback.clone()).current().await?;
        let alias = format!("erased-{}", job.id.get(..6).unwrap_or_default());
        let wanted = Wanted::new(&job.texts, before.as_ref().clone()).of_users(&job.users, &alias);
        let report = Report {
            texts: job.count,
            users: job.users.len(),
            shared: job.shared,
            ..Report::default()
        };
        let mut versioned = Vec::new();
        for name in IN_ORDER {
            if !is_preview && buckets.get(name).keeps_versions().await? {
                versioned.push(name);
            }
        }
        Ok(Self {
            failed: crate::walk::failed(&buckets.feedback).await?,
            buckets,
            job,
            wanted,
            is_preview,
            report,
            versioned,
            ended: BTreeSet::new(),
            asked: BTreeSet::new(),
            held_at: None,
        })
    }

    /// Goes through everything once, or through what was written since.
    async fn pass(&mut self, since: Option<DateTime<Utc>>) -> Result<(), EraseError> {
        for name in IN_ORDER {
            self.bucket(name, since).await?;
        }
        self.datasets().await
    }

    /// Says that builds are held back for some time more.
    pub(crate) async fn keep_hold(&mut self) -> Result<(), EraseError> {
        let is_fresh = self.held_at.is_some_and(|at| at.elapsed() < RENEWED_AFTER);
        if self.is_preview || is_fresh {
            return Ok(());
        }
        hold_builds(self.buckets).await?;
        self.held_at = Some(Instant::now());
        Ok(())
    }

    pub(crate) fn is_versioned(&self, bucket: BucketName) -> bool {
        self.versioned.contains(&bucket)
    }

    /// Counts what was found in an object.
    pub(crate) fn count(&mut self, bucket: BucketName, key: &str, pieces: u64) {
        let name = match bucket {
            BucketName::Batch => "batch",
            BucketName::Feedback => "feedback",
            BucketName::Review => "review",
            BucketName::Training => "training",
        };
        let place = format!("{name}:{}", crate::rules::folder(key));
        let count = self.report.found.entry(place).or_default();
        count.objects += 1;
        count.pieces += pieces;
    }

    /// Notes that a model version has learnt from rows that are about to go. A run that is broken off between the note and the
    /// rows counts them twice.
    pub(crate) async fn note_learnt(&mut self, version: &str, rows: u64) -> Result<(), EraseError> {
        *self.report.learnt.entry(version.to_owned()).or_default() += rows;
        if self.is_preview {
            return Ok(());
        }
        let at = aws::now();
        let note = |before: Option<LearntAndErased>| {
            let mut learnt = before.unwrap_or_default();
            learnt.at.clone_from(&at);
            *learnt.versions.entry(version.to_owned()).or_default() += rows;
            aws::bucket::Change::Write(learnt, ())
        };
        Ok(self
            .buckets
            .training
            .change(keys::LEARNT_AND_ERASED, note)
            .await?)
    }
}
