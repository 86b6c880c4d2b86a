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

use crate::HumanReview;
use crate::task_template::MAX_TEMPLATE_BYTES;

impl HumanReview {
    /// Tries the worker task template in use with a made-up answer, unless it was tried as it is.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub(crate) async fn watch_template(&self, now: DateTime<Utc>) -> Result<(), BucketError> {
        let template = self.template();
        let known: Option<TemplateTrial> = self.bucket.read_document(keys::TEMPLATE_TRIAL).await?;
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
            known.template == template.key && known.label_set == label_set && known.items == items
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

        let labels = set.iter().flat_map(|set| set.active()).map(str::to_owned);
        let labels: Vec<String> = labels.collect();
        let trial = template.try_now(None, Some(items), &labels).await;
        if trial.is_withheld {
            warn!(template.key, "the worker task template cannot be used");
        } else {
            info!(template.key, "the worker task template can be used");
        }
        let found = TemplateTrial {
            template: template.key.to_owned(),
            etag,
            label_set,
            items,
            at: now,
            works: !trial.is_withheld,
            notices: trial.notices,
        };
        self.bucket.put_document(keys::TEMPLATE_TRIAL, &found).await
    }
}
