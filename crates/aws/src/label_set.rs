//! The label set in the training bucket: read often, changed seldom, by one writer at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use active_learning_core::labels::label_set::{LABEL_SET_KEY, LabelSet, LabelSetError, Origin, version_key};
use chrono::{DateTime, TimeDelta};
use tokio::sync::Mutex;

use crate::{
    backoff::Tries,
    bucket::{Bucket, BucketError, Created, JSON},
    rfc3339,
};

#[cfg(test)]
mod tests;

/// How long a set that was read is taken for the current one.
const FRESH: Duration = Duration::from_secs(10);

/// The label set of a training bucket.
#[derive(Clone, Debug)]
pub struct LabelSets {
    bucket: Bucket,
    known: Arc<Mutex<Option<Known>>>,
    /// Whether a text may have several labels.
    several: bool,
}

/// A set that was read.
#[derive(Clone, Debug)]
struct Known {
    set: Arc<LabelSet>,
    read_at: Instant,
}

/// Why the set was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The change is not allowed; nothing was written.
    #[error(transparent)]
    Refused(#[from] LabelSetError),
    /// Somebody else has changed the set since it was said what the change does; nothing was written.
    #[error(
        "somebody else has changed the label set since it was said what this does (it was version {counted}, and is {now} now): \
         nothing was changed; do it again to see what it does now"
    )]
    ChangedSince {
        /// The version of which it was said.
        counted: u64,
        /// The version of now.
        now: u64,
    },
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

/// Returns the time of a change that is made of a set at a time: later than the change before it, also where the clock of whoever
/// makes it is behind. So nothing that was answered by the set before is younger than what the change asks about it.
pub fn time_of_change(set: &LabelSet, now: &str) -> String {
    if now > set.updated_at() {
        return now.to_owned();
    }
    match DateTime::parse_from_rfc3339(set.updated_at()) {
        Ok(before) => rfc3339(before.to_utc() + TimeDelta::milliseconds(1)),
        Err(_) => now.to_owned(),
    }
}

/// Returns the set that data made, which refuses nothing.
fn taken(written: Result<LabelSet, ChangeError>) -> Result<LabelSet, BucketError> {
    match written {
        Ok(set) => Ok(set),
        Err(ChangeError::Bucket(error)) => Err(error),
        Err(ChangeError::Refused(_) | ChangeError::ChangedSince { .. }) => {
            unreachable!("taking in data refuses nothing")
        }
    }
}

/// Makes a change; returns whether anything is another one by it.
fn edited(
    set: &mut LabelSet,
    at: &str,
    change: &mut impl FnMut(&mut LabelSet) -> Result<(), LabelSetError>,
) -> Result<bool, ChangeError> {
    let before = set.clone();
    change(set)?;
    let is_new = *set != before;
    if is_new {
        set.edited(at);
    }
    Ok(is_new)
}

impl LabelSets {
    /// Keeps the set in a training bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            known: Arc::default(),
            several: true,
        }
    }

    /// Says whether a text may have several labels: see [`LabelSet::with_several_labels`].
    #[must_use]
    pub fn with_several_labels(self, several: bool) -> Self {
        Self { several, ..self }
    }

    /// Returns the set as it was within the last ten seconds; `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// [`BucketError`], also where the set is damaged: labels are not guessed.
    pub async fn current(&self) -> Result<Option<Arc<LabelSet>>, BucketError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.read_at.elapsed() < FRESH) {
            return Ok(Some(known.set.clone()));
        }
        let read: Option<LabelSet> = self.bucket.read_document(LABEL_SET_KEY).await?;
        *known = read.map(|set| Known {
            set: Arc::new(set.with_several_labels(self.several)),
            read_at: Instant::now(),
        });
        Ok(known.as_ref().map(|known| known.set.clone()))
    }

    /// Returns the set as it is now; `None` if there is none yet.
    ///
    /// # Errors
    ///
    /// As [`LabelSets::current`].
    pub async fn newest(&self) -> Result<Option<Arc<LabelSet>>, BucketError> {
        self.forget().await;
        self.current().await
    }

    /// Forgets what was read: the next reader gets the set as it is now.
    pub async fn forget(&self) {
        *self.known.lock().await = None;
    }

    /// Returns the set; where there is none, makes one of these names first.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn current_or_seed(&self, names: &[String], at: &str) -> Result<Arc<LabelSet>, BucketError> {
        if let Some(set) = self.current().await? {
            return Ok(set);
        }
        let seed = LabelSet::seed(names, Origin::Parameter, at).with_several_labels(self.several);
        let created = self.bucket.create(LABEL_SET_KEY, JSON, seed.to_json()).await?;
        if created == Created::Created {
            self.keep_version(&seed).await?;
        }
        // Somebody else may have been faster.
        Ok(self.current().await?.unwrap_or_else(|| Arc::new(seed)))
    }

    /// Takes in the labels of a training file, whose texts may have `several`; returns the set that is current then.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn take_data(
        &self,
        names: &[String],
        several: bool,
        at: &str,
    ) -> Result<LabelSet, BucketError> {
        let names = || names.iter().map(String::as_str);
        let seed = || LabelSet::seed(names(), Origin::InitialData, at).with_several_in_data(several);
        let take = |set: &mut LabelSet| Ok(set.take_data(names(), several, at));
        taken(self.write(seed, take).await)
    }

    /// Notes in the set, which must be there, that training data has texts with several labels.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn take_several_labels(&self, at: &str) -> Result<LabelSet, BucketError> {
        let take = |set: &mut LabelSet| Ok(set.take_several_labels(at));
        taken(self.write(LabelSet::none, take).await)
    }

    /// Changes the set for a person, and all over again if somebody else has changed it meanwhile. Without a set, the
    /// change begins with an empty one. Returns the new set.
    ///
    /// # Errors
    ///
    /// [`ChangeError`].
    pub async fn edit(
        &self,
        at: &str,
        mut change: impl FnMut(&mut LabelSet) -> Result<(), LabelSetError>,
    ) -> Result<LabelSet, ChangeError> {
        self.write(LabelSet::none, |set| edited(set, at, &mut change))
            .await
    }

    /// Changes the set as [`LabelSets::edit`] does, if it still is the one of which it was said what the change does: by
    /// another one, rows may be mapped or asked again that nobody has counted.
    ///
    /// # Errors
    ///
    /// [`ChangeError`].
    pub async fn edit_counted(
        &self,
        counted: &LabelSet,
        at: &str,
        mut change: impl FnMut(&mut LabelSet) -> Result<(), LabelSetError>,
    ) -> Result<LabelSet, ChangeError> {
        let mut made = counted.clone().with_several_labels(self.several);
        edited(&mut made, at, &mut change)?;
        let (made, counted) = (made.to_json(), counted.version());
        let edit = |set: &mut LabelSet| {
            if set.version() != counted && set.to_json() == made {
                // An answer of S3 was lost: it is made.
                return Ok(false);
            }
            if set.version() != counted {
                let now = set.version();
                return Err(ChangeError::ChangedSince { counted, now });
            }
            edited(set, at, &mut change)
        };
        self.write(LabelSet::none, edit).await
    }

    /// Writes what a change makes of the set, or of `new` where there is none.
    async fn write(
        &self,
        new: impl Fn() -> LabelSet,
        mut change: impl FnMut(&mut LabelSet) -> Result<bool, ChangeError>,
    ) -> Result<LabelSet, ChangeError> {
        let mut tries = Tries::default();
        while tries.again().await {
            let read = self.bucket.read_version::<LabelSet>(LABEL_SET_KEY).await?;
            let (set, etag) = match read {
                Some((set, etag)) => (set, Some(etag)),
                None => (new(), None),
            };
            let mut set = set.with_several_labels(self.several);
            if etag.is_some() {
                // Whoever wrote it may have been stopped before its version was kept.
                self.keep_version(&set).await?;
            }
            if !change(&mut set)? && etag.is_some() {
                return Ok(set);
            }

            let written = match &etag {
                Some(etag) => {
                    let replaced = self.bucket.replace(LABEL_SET_KEY, etag, JSON, set.to_json());
                    replaced.await?.is_written()
                }
                None => {
                    let created = self.bucket.create(LABEL_SET_KEY, JSON, set.to_json());
                    created.await? == Created::Created
                }
            };
            if written {
                self.keep_version(&set).await?;
                self.forget().await;
                return Ok(set);
            }
        }
        Err(ChangeError::Bucket(BucketError::Contended {
            uri: self.bucket.uri(LABEL_SET_KEY),
        }))
    }

    /// Keeps a version for good.
    async fn keep_version(&self, set: &LabelSet) -> Result<(), BucketError> {
        let key = version_key(set.version());
        // One that is there is the same.
        let _ = self.bucket.create(&key, JSON, set.to_json()).await?;
        Ok(())
    }
}
