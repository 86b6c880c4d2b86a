//! An erasure from its beginning to its end.

use std::{
    collections::{BTreeSet, HashSet},
    time::Instant,
};

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    claims::ClaimError,
    erased::ErasedList,
    rfc3339,
};
use active_learning_core::{
    erasure::ErasedTexts,
    keys::{self, BucketName, COUNTED_COPIES, Packs},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    collect::{Owners, Spellings},
    wanted::Wanted,
};
pub use crate::{
    notes::{hold_builds, release_builds},
    report::{Count, Report},
};

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
    /// Texts that are looked for as the stack masks them too.
    #[serde(default)]
    pub masked: usize,
    /// The texts in all their spellings.
    pub texts: BTreeSet<String>,
    /// Names of the users.
    pub users: Vec<String>,
    /// Ids of the texts' records.
    pub records: BTreeSet<String>,
    /// Human loops that asked some of it and were not done with, as far as they were found.
    #[serde(default)]
    pub asked: BTreeSet<String>,
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
    /// Human loops of which nothing is left, whose state held what they asked.
    pub(crate) ended_by_name: BTreeSet<String>,
    pub(crate) held_at: Option<Instant>,
    /// Where the review service writes to outside of the buckets: bucket and beginning of the keys.
    pub(crate) places: BTreeSet<(String, String)>,
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
        masked: 0,
        texts: spellings.texts,
        users: users.to_vec(),
        records: spellings.records,
        asked: BTreeSet::new(),
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

/// Counts what an erasure would take out, and changes nothing.
///
/// # Errors
///
/// [`EraseError`].
pub async fn preview(buckets: &Buckets, job: Job) -> Result<Report, EraseError> {
    let mut erase = Erase::new(buckets, job, true).await?;
    erase.note_places().await?;
    erase.pass(None).await?;
    erase.old_versions().await?;
    erase.name_unfinished_uploads().await?;
    erase.look_elsewhere().await?;
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
    refuse(buckets, &job).await?;

    let mut erase = Erase::new(buckets, job, false).await?;
    erase.note_places().await?;
    let mut since = None;
    for number in 1.. {
        let begin = Utc::now();
        let before = erase.report.total();
        erase.pass(since).await?;
        erase.end_loops().await?;
        erase.end_predictions().await?;
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

    erase.forget_proposals().await?;
    erase.delete_packs().await?;
    erase.old_versions().await?;
    erase.name_unfinished_uploads().await?;
    erase.look_elsewhere().await?;
    buckets.feedback.delete(&key).await?;
    // After this nothing looks for it again.
    erase.forget_all_versions(BucketName::Feedback, &key).await?;
    Ok(erase.report)
}

/// Has the texts refused from now on, and those of earlier erasures too: both buckets get what either has, since one may have
/// been brought back from a copy of before.
async fn refuse(buckets: &Buckets, job: &Job) -> Result<(), EraseError> {
    let lists = [&buckets.feedback, &buckets.training].map(|bucket| ErasedList::new(bucket.clone()));
    let mut all = ErasedTexts::default();
    for list in &lists {
        all.extend(&*list.current().await?);
    }
    for text in &job.texts {
        all.insert(text);
    }
    for list in &lists {
        list.add(&all).await?;
    }
    Ok(())
}

impl<'a> Erase<'a> {
    async fn new(buckets: &'a Buckets, job: Job, is_preview: bool) -> Result<Self, EraseError> {
        let mut before = ErasedTexts::default();
        for bucket in [&buckets.feedback, &buckets.training] {
            before.extend(&*ErasedList::new(bucket.clone()).current().await?);
        }
        let alias = format!("erased-{}", job.id.get(..6).unwrap_or_default());
        let wanted = Wanted::new(&job.texts, before).of_users(&job.users, &alias);
        let report = Report {
            texts: job.count,
            users: job.users.len(),
            shared: job.shared,
            masked: job.masked,
            ..Report::default()
        };
        let mut versioned = Vec::new();
        for name in IN_ORDER {
            if buckets.get(name).keeps_versions().await? {
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
            ended_by_name: BTreeSet::new(),
            held_at: None,
            places: BTreeSet::new(),
        })
    }

    /// Goes through everything once, or through what was written since.
    async fn pass(&mut self, since: Option<DateTime<Utc>>) -> Result<(), EraseError> {
        for name in IN_ORDER {
            self.bucket(name, since).await?;
        }
        self.datasets().await
    }

    /// Deletes the packs of labels, of people and of machines, and the list of copies; the next build makes them from what is
    /// left.
    async fn delete_packs(&mut self) -> Result<(), EraseError> {
        for Packs { index, folder, .. } in Packs::ALL {
            let training = &self.buckets.training;
            // Where nothing is deleted no mark of it is made.
            if training.exists(index).await? {
                training.delete(index).await?;
            }
            for pack in training.list(folder).await? {
                training.delete(&pack.key).await?;
            }
            for prefix in [index, folder] {
                self.forget_all_versions(BucketName::Training, prefix).await?;
            }
        }
        // Ids of texts: the next build counts the copies that are left.
        let training = &self.buckets.training;
        if training.exists(COUNTED_COPIES).await? {
            training.delete(COUNTED_COPIES).await?;
        }
        self.forget_all_versions(BucketName::Training, COUNTED_COPIES)
            .await?;
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
}
