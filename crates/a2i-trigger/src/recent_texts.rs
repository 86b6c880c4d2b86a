//! Texts that were asked about lately, in small parts: each text in one by its first words and in one by its last.
//!
//! Copies by a small change share the ones or the others, so they meet in one of two parts, and few of many deliveries at
//! once write the same one. First the parts by first words are changed, then those by last words. What is found to be a copy
//! in the latter is taken out of the former again: people are not asked about it, so nothing else is a copy of it.

use std::{
    collections::{BTreeMap, HashMap},
    future::ready,
};

use active_learning_aws::{
    bucket::{BucketError, Change, JSON_LINES},
    metrics,
};
use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    sampling::duplicates::{MAX_BYTES_OF_PART, RecentTexts, parts_of},
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::warn;

use crate::{A2iTrigger, A2iTriggerError, CALLS_IN_FLIGHT, FUNCTION, plan::may_be_copy};

/// Largest object of recent texts that is read, in bytes: with every character escaped, what
/// [`RecentTexts`] writes still fits.
const MAX_RECENT_BYTES: u64 = 16 << 20;

/// Records by the key of the part in which their texts are remembered.
type ByKey<'a> = BTreeMap<String, Vec<&'a FeedbackRecord>>;

/// What a text is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Copies are found, and what is none is remembered.
    ForOriginals,
    /// All are remembered: they are asked although they are like others.
    Nowhere,
    /// All are forgotten: they are not asked.
    Forgotten,
}

impl A2iTrigger {
    /// Remembers what is to be asked among the recent texts, and finds what is a copy of one of them.
    pub(crate) async fn add_originals_by_small_change(
        &self,
        records: &[&FeedbackRecord],
        originals: &mut HashMap<String, String>,
    ) -> Result<(), A2iTriggerError> {
        let new: Vec<&FeedbackRecord> = records
            .iter()
            .copied()
            .filter(|record| !originals.contains_key(&record.id))
            .collect();
        let mut found = self.copies_of_before(&new).await?;
        while self.find_copies(&new, &mut found).await? {}

        let mut apart = Vec::new();
        for record in new {
            let original = found.get(&record.id);
            if let Some(original) = original
                && self.is_contradicted(record, original).await?
            {
                found.remove(&record.id);
                apart.push(record);
            }
        }
        for end in 0..2 {
            let parts = by_part(apart.iter().copied(), end);
            self.change_recent(parts, Look::Nowhere).await?;
        }
        originals.extend(found);
        Ok(())
    }

    /// Looks for the originals of all records that have none yet, by their first words and then by their last ones. Returns
    /// whether some are left, that were found to be copies of what turned out to be a copy.
    async fn find_copies(
        &self,
        records: &[&FeedbackRecord],
        found: &mut HashMap<String, String>,
    ) -> Result<bool, A2iTriggerError> {
        let without = |found: &HashMap<String, String>| {
            let left = records.iter().filter(|record| !found.contains_key(&record.id));
            left.copied().collect::<Vec<&FeedbackRecord>>()
        };
        let left = without(found).into_iter();
        let by_first = self.change_recent(by_part(left, 0), Look::ForOriginals).await?;
        found.extend(by_first.clone());
        let left = without(found).into_iter();
        let by_last = self.change_recent(by_part(left, 1), Look::ForOriginals).await?;

        // They are not asked, so nothing is a copy of theirs; by their first words they are remembered already.
        let copies = records.iter().filter(|record| by_last.contains_key(&record.id));
        self.change_recent(by_part(copies.copied(), 0), Look::Forgotten)
            .await?;
        let of_copies = by_first
            .iter()
            .filter(|(_, original)| by_last.contains_key(*original));
        let mut is_left = false;
        for (record, _) in of_copies {
            is_left |= found.remove(record).is_some();
        }
        found.extend(by_last);
        Ok(is_left)
    }

    /// Finds copies among the texts that a release before remembered, all in one object. Nothing is added to it.
    async fn copies_of_before(
        &self,
        records: &[&FeedbackRecord],
    ) -> Result<HashMap<String, String>, A2iTriggerError> {
        let mut long = records
            .iter()
            .filter(|record| parts_of(record).is_some())
            .peekable();
        if long.peek().is_none() {
            return Ok(HashMap::new());
        }
        let before = self.feedback.read(keys::RECENT_TEXTS, MAX_RECENT_BYTES).await;
        let before = before.map_err(A2iTriggerError::Store)?;
        let recent = read_recent(keys::RECENT_TEXTS, before.map(|object| object.bytes));
        let found = long.filter_map(|record| Some((record.id.clone(), original(&recent, record)?)));
        Ok(found.collect())
    }

    /// Changes some parts, several at a time; returns the originals of what is a copy.
    async fn change_recent(
        &self,
        by_key: ByKey<'_>,
        look: Look,
    ) -> Result<HashMap<String, String>, A2iTriggerError> {
        stream::iter(by_key)
            .map(async |(key, records)| self.change_recent_of(&key, &records, look).await)
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_fold(HashMap::new(), |mut all, found| {
                all.extend(found);
                ready(Ok(all))
            })
            .await
    }

    /// Changes a part. Where too many deliveries write it at once, one of them remembers and finds nothing: its texts
    /// are asked, which is one question too many and not one too few.
    async fn change_recent_of(
        &self,
        key: &str,
        records: &[&FeedbackRecord],
        look: Look,
    ) -> Result<HashMap<String, String>, A2iTriggerError> {
        let change = |content: Option<Vec<u8>>| {
            let mut recent = read_recent(key, content);
            let (mut found, mut changed) = (HashMap::new(), false);
            for record in records {
                let original = match look {
                    Look::ForOriginals => original(&recent, record),
                    Look::Nowhere => None,
                    Look::Forgotten => {
                        changed |= recent.forget(&record.id);
                        continue;
                    }
                };
                match original {
                    Some(original) => {
                        found.insert(record.id.clone(), original);
                    }
                    None => changed |= recent.insert(record),
                }
            }
            let content = changed.then(|| recent.write_within(MAX_BYTES_OF_PART));
            Ok(Change::to(content, found))
        };
        let changed = self
            .feedback
            .change_bytes(key, JSON_LINES, MAX_RECENT_BYTES, change)
            .await;
        match changed {
            Err(error @ BucketError::Contended { .. }) => {
                warn!(%error, "texts are asked without a look at others like them");
                metrics::count(FUNCTION, &[("TextsNotCompared", records.len() as u64)]);
                Ok(HashMap::new())
            }
            changed => changed.map_err(A2iTriggerError::Store),
        }
    }
}

/// Sorts records by the part of their first words, or of their last ones; texts too short to have copies are left out.
fn by_part<'a>(records: impl Iterator<Item = &'a FeedbackRecord>, end: usize) -> ByKey<'a> {
    let mut by_key = ByKey::new();
    for record in records {
        if let Some(parts) = parts_of(record) {
            let key = keys::recent_texts(&parts[end]);
            by_key.entry(key).or_default().push(record);
        }
    }
    by_key
}

/// Returns the id of a text of which this one is a copy. What an earlier run of the same event remembered is no copy of
/// itself.
fn original(recent: &RecentTexts, record: &FeedbackRecord) -> Option<String> {
    let may_be_copy = may_be_copy(record) && !recent.contains(record);
    let original = recent.original(record).filter(|_| may_be_copy);
    original.map(str::to_owned)
}

/// Reads recent texts; damaged ones are begun anew, since they only save questions.
fn read_recent(key: &str, content: Option<Vec<u8>>) -> RecentTexts {
    let read = content.map(|content| RecentTexts::read(&content));
    read.transpose()
        .unwrap_or_else(|damage| {
            warn!(%damage, "{key} is begun anew");
            metrics::count(FUNCTION, &[("BegunAnew", 1)]);
            None
        })
        .unwrap_or_default()
}
