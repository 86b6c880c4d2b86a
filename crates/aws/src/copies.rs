//! Copies of a question that nobody will answer: what waited for its answer goes on.

use std::{collections::BTreeSet, future::ready};

use active_learning_core::{
    feedback::FeedbackRecord,
    keys,
    labels::{
        question::{Question, State},
        review_event::MAX_PREDICTIONS,
    },
    sampling::duplicates::{
        Becomes, COPIES_PREFIX, Duplicate, KeptCopy, MAX_BYTES_OF_PART, RecentTexts, parts_of, same_form,
    },
};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{info, warn};
use sha2::{Digest, Sha256};

use crate::{
    bucket::{BINARY, Bucket, BucketError, Change, JSON, JSON_LINES},
    claims, copy_changes,
    originals::{NearDuplicate, is_with_people},
    questions,
};

/// Largest object of recent texts that is read, in bytes.
const MAX_RECENT_BYTES: u64 = 16 << 20;

/// Largest copy that is read, in bytes: one record.
const MAX_COPY_BYTES: u64 = 1 << 20;

/// Copies that are delivered again in one object.
const COPIES_PER_OBJECT: usize = 500;

/// Spellings of copies, those with a small change too, that are looked at, at most.
const MAX_SPELLINGS: usize = 100;

/// Calls to S3 that are under way at a time.
const CALLS_IN_FLIGHT: usize = 8;

/// What becomes of a copy whose question nobody will answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is delivered again, as feedback of its own.
    Delivered,
    /// It is dropped: its user has taken back what it says.
    Dropped,
    /// It stays where it is.
    Kept,
}

/// Where copies are kept, and where they go on.
#[derive(Clone, Copy, Debug)]
pub struct Copies<'a> {
    /// What is delivered, claimed and asked.
    pub feedback: &'a Bucket,
    /// The copies.
    pub training: &'a Bucket,
}

/// A copy that was read.
struct Read {
    key: String,
    content: Vec<u8>,
    record: FeedbackRecord,
}

impl Copies<'_> {
    /// Releases what a question holds beside its claim, its form and its place among the recent texts, and delivers its
    /// copies again, but for those that its like takes back too. Idempotent.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn let_go_on(&self, cause: &str, question: &Question) -> Result<(), BucketError> {
        let record = &question.record;
        let form = format!("text-{}", same_form(record));
        claims::release(self.feedback, &form, &record.id).await?;
        self.forget_text(record).await?;
        // Who has taken a complaint back waits for no answer.
        if question.state != State::Withdrawn {
            self.carry_predictions(question).await?;
        }

        let next = |copy: &FeedbackRecord| match question.takes_back(copy) {
            true => Next::Dropped,
            false => Next::Delivered,
        };
        self.deliver(cause, &record.id, next).await.map(drop)
    }

    /// Takes a text from among those that were asked lately.
    async fn forget_text(&self, record: &FeedbackRecord) -> Result<(), BucketError> {
        let forget = |content: Option<Vec<u8>>| {
            // Damaged ones are begun anew by whoever adds to them.
            let recent = content.and_then(|content| RecentTexts::read(&content).ok());
            recent.and_then(|mut recent| recent.forget(&record.id).then_some(recent))
        };
        for part in parts_of(record).into_iter().flatten() {
            let key = keys::recent_texts(&part);
            let forget = |content| {
                let without = forget(content).map(|recent| recent.write_within(MAX_BYTES_OF_PART));
                Ok(Change::to(without, ()))
            };
            self.feedback
                .change_bytes(&key, JSON_LINES, MAX_RECENT_BYTES, forget)
                .await?;
        }
        let forget = |content| Ok(Change::to(forget(content).map(|recent| recent.write()), ()));
        self.feedback
            .change_bytes(keys::RECENT_TEXTS, JSON_LINES, MAX_RECENT_BYTES, forget)
            .await
    }

    /// Delivers the copies of a question as new feedback, of which the first is asked; `cause` is part of their objects'
    /// names. Returns the keys of those that were delivered, which are gone. Idempotent.
    ///
    /// A copy that is spelt otherwise has a claim of its own. It is released, and the copies of that copy go on with it,
    /// unless people answer it by itself.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn deliver(
        &self,
        cause: &str,
        record_id: &str,
        next: impl Fn(&FeedbackRecord) -> Next,
    ) -> Result<Vec<String>, BucketError> {
        let mut delivered = Vec::new();
        let mut seen = BTreeSet::from([record_id.to_owned()]);
        let mut originals = vec![record_id.to_owned()];
        while let Some(original) = originals.pop() {
            let listed = self.training.list(&format!("{COPIES_PREFIX}{original}/")).await?;
            for (copies, part) in listed.chunks(COPIES_PER_OBJECT).zip(1..) {
                let copies = stream::iter(copies)
                    .map(|copy| self.read(&copy.key))
                    .buffered(CALLS_IN_FLIGHT);
                let copies: Vec<Read> = copies
                    .try_filter_map(|copy| ready(Ok(copy)))
                    .try_collect()
                    .await?;
                let (again, others): (Vec<_>, Vec<_>) = copies
                    .into_iter()
                    .partition(|copy| next(&copy.record) == Next::Delivered);
                for Read { record, .. } in &again {
                    if seen.insert(record.id.clone()) && self.free(&record.id).await? {
                        originals.push(record.id.clone());
                    }
                }
                self.deliver_part(&format!("{cause}-{original}-{part}"), &again)
                    .await?;
                let dropped = others.iter().filter(|copy| next(&copy.record) == Next::Dropped);
                self.remove(again.iter().chain(dropped)).await?;
                delivered.extend(again.into_iter().map(|copy| copy.key));
            }
        }
        if !delivered.is_empty() {
            let copies = delivered.len();
            info!(
                record_id,
                cause, copies, "copies of a question that nobody will answer go on"
            );
        }
        Ok(delivered)
    }

    /// Marks that the first copy in another spelling, which people may be asked about now, is asked for the predictions of its
    /// original too: their clients are told what people answer then. Where all copies differ by a small change, so is the first of
    /// them, and it is noted whose answer the original gets; not where somebody has said something of it, which may be another
    /// thing than what is said of the copy.
    async fn carry_predictions(&self, question: &Question) -> Result<(), BucketError> {
        let record = &question.record;
        let others = self.other_texts(record).await?;
        let spelt_otherwise = others.iter().find(|copy| same_form(copy) == same_form(record));
        if let Some(copy) = spelt_otherwise {
            return self.mark_predictions(&record.id, &copy.id).await;
        }
        let Some(near) = others.first().filter(|_| question.is_silent()) else {
            return Ok(());
        };
        let original = near.id.clone();
        let of_near = &Duplicate { original };
        self.feedback
            .put_document(&keys::duplicate(&record.id), of_near)
            .await?;
        self.mark_predictions(&record.id, &near.id).await
    }

    async fn mark_predictions(&self, original: &str, copy: &str) -> Result<(), BucketError> {
        let folder = keys::predictions_of(original);
        // One more than an event names: so it says that there are more.
        let marks = self.feedback.list_after(&folder, "", MAX_PREDICTIONS + 1).await?;
        let predictions = marks
            .iter()
            .filter_map(|mark| keys::prediction_of_mark(&mark.key));
        stream::iter(predictions.map(|prediction| keys::prediction_of(copy, prediction)))
            .map(async |mark| self.feedback.put(&mark, BINARY, Vec::new()).await)
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await
    }

    /// Returns the texts that get the answer to a question by a small change, the first copy of each.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn near_duplicates(&self, asked: &FeedbackRecord) -> Result<Vec<FeedbackRecord>, BucketError> {
        let mut others = self.other_texts(asked).await?;
        others.retain(|copy| same_form(copy) != same_form(asked));
        Ok(others)
    }

    /// Returns the first copy of each text that gets the answer to a question and is written otherwise, of [`MAX_SPELLINGS`] at
    /// most: however often one of them came.
    async fn other_texts(&self, asked: &FeedbackRecord) -> Result<Vec<FeedbackRecord>, BucketError> {
        let folder = format!("{COPIES_PREFIX}{}/", asked.id);
        let texts = self.training.beginnings(&folder, "-", MAX_SPELLINGS).await?;
        if texts.len() == MAX_SPELLINGS {
            warn!(
                asked.id,
                "a text has copies in {MAX_SPELLINGS} spellings: of further ones none is looked at"
            );
        }
        let own = format!("{folder}{}-", asked.id);
        let others: Vec<String> = texts.into_iter().filter(|text| *text != own).collect();
        stream::iter(others)
            .map(async |text| {
                let first = self.training.list_after(&text, "", 1).await?;
                match first.first() {
                    Some(first) => self.read(&first.key).await,
                    None => Ok(None),
                }
            })
            .buffered(CALLS_IN_FLIGHT)
            .try_filter_map(|copy| ready(Ok(copy.map(|copy| copy.record))))
            .try_collect()
            .await
    }

    /// Makes a near duplicate a question of its own, since what `record` says of it speaks against the answer that it gets: it is
    /// delivered again and asked then, and what came of its text before is a copy of it. A like asks nobody itself: the text is
    /// asked as it came, or stays given up. Returns whether it is one of its own then; not where no object tells as what a liked
    /// text came.
    ///
    /// Idempotent: where it breaks off before its end, it is done again.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn set_apart(
        &self,
        near: &NearDuplicate,
        record: &FeedbackRecord,
    ) -> Result<bool, BucketError> {
        let prefix = format!("{COPIES_PREFIX}{}/{}-", near.original, near.id);
        let kept = self.training.list(&prefix).await?;
        let mut copies = Vec::new();
        for copy in &kept {
            copies.extend(self.read(&copy.key).await?);
        }
        let (asked, line) = match (record.signal.needs_review(), copies.first()) {
            (true, _) => (record, record.to_line().into_bytes()),
            (false, Some(first)) => (&first.record, first.content.clone()),
            (false, None) => {
                if near.was_given_up {
                    self.feedback.delete(&keys::duplicate(&near.id)).await?;
                }
                return Ok(near.was_given_up);
            }
        };
        let form = format!("text-{}", same_form(asked));
        claims::withdraw(self.feedback, &form).await?;
        claims::withdraw(self.feedback, &asked.id).await?;
        let again = Read {
            key: String::new(),
            content: line,
            record: asked.clone(),
        };
        self.deliver_part(&format!("contradicted-{}", asked.id), &[again])
            .await?;

        let keys = copies.iter().map(|copy| KeptCopy::key(&asked.id, &copy.record));
        let keys: Vec<Option<String>> = keys.collect();
        let announced: Vec<String> = keys.iter().flatten().cloned().collect();
        copy_changes::announce(self.training, Becomes::Kept, &announced).await?;
        for (copy, key) in copies.iter().zip(keys) {
            if let Some(key) = key {
                self.training.put(&key, JSON, copy.content.clone()).await?;
            }
        }
        self.remove(copies.iter()).await?;
        // Last, since it is what tells that all this is to be done.
        self.feedback.delete(&keys::duplicate(&asked.id)).await?;
        if near.id != asked.id {
            let original = asked.id.clone();
            let of_asked = &Duplicate { original };
            self.feedback
                .put_document(&keys::duplicate(&near.id), of_asked)
                .await?;
        }
        info!(
            record.id,
            "a near duplicate is contradicted: it is a question of its own"
        );
        Ok(true)
    }

    /// Reads a copy; `None` where it is gone, or damaged and stays.
    async fn read(&self, key: &str) -> Result<Option<Read>, BucketError> {
        let Some(copy) = self.training.read(key, MAX_COPY_BYTES).await? else {
            return Ok(None);
        };
        let record = FeedbackRecord::parse(&copy.bytes)
            .inspect_err(|reason| warn!(key, %reason, "a copy is damaged, and stays where it is"));
        Ok(record.ok().map(|record| Read {
            key: key.to_owned(),
            record,
            content: copy.bytes,
        }))
    }

    /// Releases the claim of a copy, so that whoever delivers it may ask; not where people answer it by itself. Returns
    /// whether it was released.
    async fn free(&self, id: &str) -> Result<bool, BucketError> {
        let question = questions::read(self.feedback, id).await?;
        if question.is_some_and(|question| is_with_people(&question)) {
            return Ok(false);
        }
        claims::withdraw(self.feedback, id).await?;
        self.feedback.delete(&keys::duplicate(id)).await?;
        Ok(true)
    }

    /// Delivers copies as an object whose name tells what is in it: a run that was broken off is not written over.
    async fn deliver_part(&self, name: &str, copies: &[Read]) -> Result<(), BucketError> {
        if copies.is_empty() {
            return Ok(());
        }
        let lines: Vec<u8> = copies.iter().flat_map(|copy| copy.content.clone()).collect();
        let content = &hex::encode(Sha256::digest(&lines))[..12];
        let key = keys::released_feedback(name, content);
        self.feedback.put(&key, JSON_LINES, lines).await
    }

    async fn remove(&self, copies: impl Iterator<Item = &Read>) -> Result<(), BucketError> {
        let keys: Vec<String> = copies.map(|copy| copy.key.clone()).collect();
        copy_changes::announce(self.training, Becomes::Removed, &keys).await?;
        stream::iter(&keys)
            .map(|key| self.training.delete(key))
            .buffer_unordered(CALLS_IN_FLIGHT)
            .try_for_each(|()| ready(Ok(())))
            .await
    }
}
