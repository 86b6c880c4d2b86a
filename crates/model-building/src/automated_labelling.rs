//! Keeps the promises of automated labelling, from what audits say at every tick and before every dataset.

use active_learning_aws::{self as aws, bucket::Change, metrics};
use active_learning_core::model::accuracy_guarantee::{PROMISES_KEY, PromiseState, Promises};
use chrono::{DateTime, Utc};
use tracing::{info, warn};

use crate::{ModelBuilding, deployment::token, error::StepError, message, tally::Tally};

impl ModelBuilding {
    /// Looks at the newest audits before a dataset is made. Does nothing where automated labelling is off.
    pub(crate) async fn keep_promises(&self, now: DateTime<Utc>) -> Result<(), StepError> {
        let Some(target) = self.config.automated_labelling.get() else {
            return Ok(());
        };
        let serving = self.serving().await?;
        let tally = self.tally().await?;
        self.look_at_promises(serving.as_deref(), target, &tally, now)
            .await
    }

    /// Looks at the audits again and writes down what changed; tells people of what was switched on or is broken.
    ///
    /// Idempotent, and safe to run many times at once.
    pub(crate) async fn look_at_promises(
        &self,
        serving: Option<&str>,
        target: f64,
        tally: &Tally,
        now: DateTime<Utc>,
    ) -> Result<(), StepError> {
        let now = aws::rfc3339(now);
        let look = |promises: &mut Promises| promises.look(serving, target, tally.audits(), &now);
        // Broken promises are written before anybody is told: that nothing more is accepted comes first.
        for (model, promise) in &self.change_promises(look).await?.0 {
            if promise.told {
                continue;
            }
            let reason = &promise.reason;
            match promise.state {
                PromiseState::Broken => {
                    warn!(model.arn = model, reason, "automated labelling is off");
                    metrics::count("model-building", &[("GuaranteesRevoked", 1)]);
                }
                PromiseState::On | PromiseState::Waiting => {
                    info!(model.arn = model, reason, "automated labelling is on");
                }
            }
            let name = format!("promise-{}", token(&[model, &promise.since, reason]));
            self.tell(&name, &message::promise(model, promise)).await?;
            let told = |promises: &mut Promises| {
                let same = promises.0.get_mut(model).filter(|now| now.state == promise.state);
                same.into_iter().for_each(|promise| promise.told = true);
            };
            self.change_promises(told).await?;
        }
        Ok(())
    }

    /// Reads the promises, changes them, and writes them back if that changed any.
    async fn change_promises(&self, change: impl Fn(&mut Promises)) -> Result<Promises, StepError> {
        let change = |before: Option<Promises>| {
            let before = before.unwrap_or_default();
            let mut promises = before.clone();
            change(&mut promises);
            Change::to((promises != before).then(|| promises.clone()), promises)
        };
        Ok(self.bucket.change(PROMISES_KEY, change).await?)
    }
}
