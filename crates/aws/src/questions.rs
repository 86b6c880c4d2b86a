//! Questions and disputes: one object for each record that people were asked about.

use active_learning_core::{
    keys,
    labels::{label_set::LabelSet, question::Question},
};
use lambda_runtime::tracing::error;

use crate::{
    bucket::{Bucket, BucketError, Change, JSON},
    label_set::LabelSets,
    metrics,
};

/// Largest question that is read, in bytes: a record and some dozens of votes.
const MAX_BYTES: u64 = 4 << 20;

/// Reads a question of a feedback bucket; `None` if people were not asked, or by a version that kept none, or where it is
/// damaged.
///
/// # Errors
///
/// [`BucketError`].
pub async fn read(feedback: &Bucket, record_id: &str) -> Result<Option<Question>, BucketError> {
    let question = feedback.read(&keys::question(record_id), MAX_BYTES).await?;
    Ok(question.and_then(|question| Question::parse(&question.bytes)))
}

/// The questions of a feedback bucket, and the disputes of a training bucket.
#[derive(Clone, Debug)]
pub struct Questions {
    /// Who counts what is damaged.
    function: &'static str,
    feedback: Bucket,
    training: Bucket,
}

impl Questions {
    /// Keeps questions in the one bucket and disputes in the other; `function` counts those that are damaged.
    pub fn new(function: &'static str, feedback: Bucket, training: Bucket) -> Self {
        Self {
            function,
            feedback,
            training,
        }
    }

    /// Reads a question: see [`read`].
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read(&self, record_id: &str) -> Result<Option<Question>, BucketError> {
        read(&self.feedback, record_id).await
    }

    /// Changes a question, or makes it; `change` may run several times. What it leaves as it is, or as `None`, is not
    /// written.
    ///
    /// A question that cannot be read is kept aside as it was found (`questions/damaged/`), said in the log and counted
    /// before it is begun anew.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn change<T>(
        &self,
        record_id: &str,
        mut change: impl FnMut(&mut Option<Question>) -> T,
    ) -> Result<T, BucketError> {
        let key = keys::question(record_id);
        let mut kept_aside: Option<Vec<u8>> = None;
        loop {
            let change = |content: Option<Vec<u8>>| {
                let before = content.as_deref().and_then(Question::parse);
                if let (Some(damaged), None) = (&content, &before)
                    && kept_aside.as_ref() != Some(damaged)
                {
                    return Ok(Change::Leave(Err(damaged.clone())));
                }
                let mut after = before.clone();
                let value = change(&mut after);
                let new = after.filter(|after| Some(after) != before.as_ref());
                Ok(Change::to(new.map(|question| question.to_json()), Ok(value)))
            };
            let changed = self.feedback.change_bytes(&key, JSON, MAX_BYTES, change).await?;
            match changed {
                Ok(value) => return Ok(value),
                Err(damaged) => {
                    self.keep_aside(record_id, &damaged).await?;
                    kept_aside = Some(damaged);
                }
            }
        }
    }

    /// Changes a question as [`Questions::change`] does, by the label set; `None` where there is none. A set that is kept since
    /// before the one by which somebody else has decided the question is read anew first.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn change_by<T>(
        &self,
        sets: &LabelSets,
        record_id: &str,
        mut change: impl FnMut(&mut Option<Question>, Option<&LabelSet>) -> T,
    ) -> Result<T, BucketError> {
        let (mut set, mut is_newest) = (sets.current().await?, false);
        loop {
            let by = set.as_deref();
            let version = by.map_or(0, LabelSet::version);
            let change = |question: &mut Option<Question>| {
                let is_outdated = question.as_ref().is_some_and(|known| known.label_set > version);
                // A bucket that was brought back has an older set, and no other.
                (!is_outdated || is_newest).then(|| changed_by(version, question, |known| change(known, by)))
            };
            match self.change(record_id, change).await? {
                Some(value) => return Ok(value),
                None => (set, is_newest) = (sets.newest().await?, true),
            }
        }
    }

    async fn keep_aside(&self, record_id: &str, damaged: &[u8]) -> Result<(), BucketError> {
        let aside = keys::damaged_question(record_id, damaged);
        self.feedback.put(&aside, JSON, damaged.to_vec()).await?;
        error!(
            record.id = record_id,
            kept_as = aside,
            "a question cannot be read: it is kept aside and begun anew, its votes are in `labelled/`"
        );
        metrics::count(self.function, &[("DamagedQuestions", 1)]);
        Ok(())
    }

    /// Puts a question where an adjudicator finds it. Idempotent.
    ///
    /// It is there then if it is disputed still, as it is by then: who has changed it meanwhile may have been faster.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn dispute(&self, question: &Question) -> Result<(), BucketError> {
        self.show(&question.record.id, Some(question.clone())).await
    }

    /// Takes a question from where an adjudicator finds it, unless it is disputed again by then. Idempotent.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn settle(&self, record_id: &str) -> Result<(), BucketError> {
        self.show(record_id, None).await
    }

    /// Writes what an adjudicator finds of a question, or that there is nothing, until the question says the same that is read
    /// afterwards. Whoever writes last has read last: so what they leave is what the question has come to.
    async fn show(&self, record_id: &str, mut shown: Option<Question>) -> Result<(), BucketError> {
        let key = keys::disputed(record_id);
        loop {
            match &shown {
                Some(question) => self.training.put(&key, JSON, question.to_json()).await?,
                None => self.training.delete(&key).await?,
            }
            let current = self.read(record_id).await?;
            let disputed = current.filter(Question::is_for_adjudicators);
            if disputed == shown {
                return Ok(());
            }
            shown = disputed;
        }
    }
}

/// Makes a change by this version of the label set, which the question notes where anything else is another one by it.
fn changed_by<T>(
    version: u64,
    question: &mut Option<Question>,
    change: impl FnOnce(&mut Option<Question>) -> T,
) -> T {
    let before = question.clone();
    // Also in what the change hands out.
    if let Some(known) = question {
        known.label_set = version;
    }
    let value = change(question);
    if let Some(known) = question {
        known.label_set = version;
        let is_same = |before: &Question| {
            let label_set = version;
            Question {
                label_set,
                ..before.clone()
            } == *known
        };
        if before.as_ref().is_some_and(is_same) {
            *question = before;
        }
    }
    value
}
