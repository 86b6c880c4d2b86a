//! Trying a worker task template when it is put in place, and not when a reviewer first meets it.
//!
//! Every look of the schedule compares the template, the label set and the size of a task with what was tried last; what
//! has changed is tried again, and what was found is kept where the operator looks: the console's overview and `status`.

use active_learning_aws::{
    bucket::{BucketError, Fetched},
    overview::TemplateTrial,
};
use active_learning_core::keys;
use chrono::{DateTime, Utc};
use lambda_runtime::tracing::{info, warn};
use serde_json::Value;

use crate::HumanReview;
use crate::task_template::MAX_TEMPLATE_BYTES;
use crate::trial::Trial;

/// Version of the rules by which templates are tried. Where a release tries something else, what was tried by the one before
/// is tried again.
const TRIAL_RULES: u32 = 3;

impl HumanReview {
    /// Tries the worker task template in use with a made-up answer, unless it was tried as it is.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub(crate) async fn watch_template(&self, now: DateTime<Utc>) -> Result<(), BucketError> {
        let template = self.template();
        let known: Option<TemplateTrial> = match self.bucket.read_document(keys::TEMPLATE_TRIAL).await {
            Err(reason) if reason.is_damaged() => {
                warn!(%reason, "what the last trial of the worker task template found is not known: it is tried again");
                self.bucket.delete(keys::TEMPLATE_TRIAL).await?;
                None
            }
            known => known?,
        };
        if template.is_shipped() {
            return match known {
                Some(_) => self.bucket.delete(keys::TEMPLATE_TRIAL).await,
                None => Ok(()),
            };
        }

        let set = self.label_sets.current().await?;
        let label_set = set.as_ref().map_or(0, |set| set.version());
        let items = self.config.items_per_task;
        let same = |known: &&TemplateTrial| {
            let is_as_before = known.template == template.key && known.label_set == label_set;
            is_as_before && known.items == items && known.rules == TRIAL_RULES
        };
        let tried = known.as_ref().filter(same).map(|known| known.etag.as_str());
        // A template that was missing has none.
        let etag = tried.filter(|etag| !etag.is_empty());
        let read = self
            .bucket
            .read_if_changed(template.key, etag, MAX_TEMPLATE_BYTES);
        let etag = match read.await? {
            Fetched::Unchanged => return Ok(()),
            Fetched::Found(object) => object.etag,
            Fetched::Missing if tried == Some("") => return Ok(()),
            Fetched::Missing => String::new(),
        };

        let trial = template.try_now(None, Some(items), set.as_deref()).await;
        match trial.works() {
            true => info!(template.key, "the worker task template can be used"),
            false => warn!(template.key, "the worker task template cannot be used"),
        }
        self.keep_trial(&trial, etag, label_set, now).await
    }

    /// Tries the worker task template in use because somebody asks: with an input of theirs, or with so many made-up items.
    /// Tried as the schedule tries it, it is what `status` and the console say from then on.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub(crate) async fn try_template(
        &self,
        input: Option<Value>,
        items: Option<usize>,
        now: DateTime<Utc>,
    ) -> Result<Trial, BucketError> {
        let template = self.template();
        // A label set that is a moment old would be tried again by the next look of the schedule.
        let set = self.label_sets.current().await?;
        let items = items.unwrap_or(self.config.items_per_task);
        let is_as_scheduled =
            input.is_none() && items == self.config.items_per_task && !template.is_shipped();
        let found = match is_as_scheduled {
            true => self.bucket.read(template.key, MAX_TEMPLATE_BYTES).await?,
            false => None,
        };

        let trial = template.try_now(input, Some(items), set.as_deref()).await;
        if is_as_scheduled {
            let etag = found.map(|found| found.etag).unwrap_or_default();
            let label_set = set.as_ref().map_or(0, |set| set.version());
            self.keep_trial(&trial, etag, label_set, now).await?;
        }
        Ok(trial)
    }

    /// Keeps what a trial found where the operator looks.
    async fn keep_trial(
        &self,
        trial: &Trial,
        etag: String,
        label_set: u64,
        now: DateTime<Utc>,
    ) -> Result<(), BucketError> {
        let found = TemplateTrial {
            template: self.template().key.to_owned(),
            etag,
            label_set,
            items: self.config.items_per_task,
            rules: TRIAL_RULES,
            at: now,
            works: trial.works(),
            proposes_only: trial.proposes_only,
            notices: trial.notices.clone(),
        };
        self.bucket.put_document(keys::TEMPLATE_TRIAL, &found).await
    }
}
