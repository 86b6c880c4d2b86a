//! The marks of labelled objects that are to be counted: what is looked at grows with what is new only.
//!
//! A mark is written before its object and removed after the sums are stored, so that whatever breaks off in between is
//! made good. It bears the id of the write that it announces: one whose write came to nothing, or found the object there,
//! counts nothing. An object that was counted is remembered until its mark is seen to be gone.

use std::collections::{BTreeMap, BTreeSet};

use active_learning_aws::{
    backoff::Tries,
    bucket::{Bucket, BucketError, Listed},
};
use active_learning_core::keys::{self, NEW_LABELS_FOLDER, TALLY};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};

use super::{READS_IN_FLIGHT, Tally};
use crate::{ModelBuilding, error::StepError};

/// Marks that are looked at before the sums are stored: a page of a listing.
const MARKS_AT_A_TIME: usize = 1_000;
/// Age from which a mark without its object is of a writer that broke off: no function runs longer than a quarter of an
/// hour, and no command waits so long between two writes.
const BROKEN_OFF_AFTER: TimeDelta = TimeDelta::hours(24);

/// A page of marks, by the key of the object that they are about.
struct Page {
    by_object: BTreeMap<String, Vec<Mark>>,
    /// Where the next page begins; none where there is none.
    next: Option<String>,
    /// Whether these are all marks that there are.
    is_whole: bool,
}

struct Mark {
    key: String,
    /// The id of the write that it announces.
    write: String,
    modified: DateTime<Utc>,
}

impl Page {
    async fn list(bucket: &Bucket, after: &str) -> Result<Self, BucketError> {
        let listed = bucket
            .list_after(NEW_LABELS_FOLDER, after, MARKS_AT_A_TIME)
            .await?;
        let is_full = listed.len() == MARKS_AT_A_TIME;
        let last = listed.last().filter(|_| is_full);
        let next = last.and_then(|mark| mark.key.strip_prefix(NEW_LABELS_FOLDER));
        let next = next.map(str::to_owned);
        let mut by_object: BTreeMap<String, Vec<Mark>> = BTreeMap::new();
        for Listed { key, modified, .. } in listed {
            if let Some((object, write)) = keys::labelled_of_mark(&key) {
                let write = write.to_owned();
                let mark = Mark { key, write, modified };
                by_object.entry(object).or_default().push(mark);
            }
        }
        Ok(Self {
            by_object,
            is_whole: next.is_none() && after.is_empty(),
            next,
        })
    }
}

/// Lists the objects that are marked, all of them.
pub(super) async fn pending(bucket: &Bucket) -> Result<BTreeSet<String>, BucketError> {
    let mut pending = BTreeSet::new();
    let take = |mark: Listed| pending.extend(keys::labelled_of_mark(&mark.key).map(|(object, _)| object));
    bucket.list_each(NEW_LABELS_FOLDER, take).await?;
    Ok(pending)
}

impl ModelBuilding {
    /// Adds the objects that are marked to sums that are `fit` for it; `None` where they are not.
    pub(super) async fn tally_marked(
        &self,
        fit: impl Fn(&Tally, DateTime<Utc>) -> bool,
    ) -> Result<Option<Tally>, StepError> {
        let mut after = String::new();
        loop {
            let page = Page::list(&self.bucket, &after).await?;
            let tally = self.tally_page(&page, &fit).await?;
            match page.next {
                Some(next) if tally.is_some() => after = next,
                _ => return Ok(tally),
            }
        }
    }

    async fn tally_page(
        &self,
        page: &Page,
        fit: &impl Fn(&Tally, DateTime<Utc>) -> bool,
    ) -> Result<Option<Tally>, StepError> {
        let mut tries = Tries::default();
        while tries.again().await {
            let stored = self.bucket.read_version::<Tally>(TALLY).await?;
            let fit = stored.filter(|(tally, _)| fit(tally, Utc::now()));
            let Some((mut tally, etag)) = fit else {
                return Ok(None);
            };
            let before = tally.clone();
            let done = self.add_page(page, &mut tally).await?;
            if page.is_whole {
                tally.forget_old(&page.by_object.keys().cloned().collect());
            }
            let is_stored = tally == before || {
                let replaced = self.bucket.replace_document(TALLY, Some(&etag), &tally);
                replaced.await?.is_written()
            };
            if is_stored {
                stream::iter(done)
                    .map(|mark| self.bucket.delete(mark))
                    .buffer_unordered(READS_IN_FLIGHT)
                    .try_collect::<()>()
                    .await?;
                return Ok(Some(tally));
            }
        }
        Err(StepError::NotNow(format!("others keep writing {TALLY}")))
    }

    /// Adds the objects of a page to the sums; returns the keys of the marks that are done with once these are stored.
    async fn add_page<'a>(&self, page: &'a Page, tally: &mut Tally) -> Result<Vec<&'a str>, BucketError> {
        let now = Utc::now();
        let mut done = Vec::new();
        let (counted, mut new): (Vec<_>, Vec<_>) = page
            .by_object
            .iter()
            .partition(|(object, _)| tally.recent.contains_key(*object));
        done.extend(counted.into_iter().flat_map(|(_, marks)| marks));
        // What takes the place of another comes after it.
        new.sort_by_key(|(_, marks)| marks.iter().map(|mark| mark.modified).min());
        let mut reads = stream::iter(new)
            .map(async |(object, marks)| {
                let read = self.labelled_records(object).await?;
                Ok::<_, BucketError>((object, marks, read))
            })
            .buffered(READS_IN_FLIGHT);
        while let Some((object, marks, read)) = reads.try_next().await? {
            let Some(read) = read else {
                done.extend(marks.iter().filter(|mark| mark.modified < now - BROKEN_OFF_AFTER));
                continue;
            };
            let made_it = |mark: &&Mark| read.write_id.as_ref().is_none_or(|id| *id == mark.write);
            if let Some(mark) = marks.iter().find(made_it) {
                tally.add(object, mark.modified, &read.records, now);
            }
            done.extend(marks);
        }
        Ok(done.into_iter().map(|mark| mark.key.as_str()).collect())
    }
}
