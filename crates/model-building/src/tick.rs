//! What starts executions: enough new labels, a long time since the last build, a model that is worse in service.

use active_learning_aws::approval::approval_key;
use active_learning_core::{
    erasure::{Erasing, LearntAndErased},
    keys,
};
use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use crate::{
    ModelBuilding,
    begin::LastBuild,
    build::{Action, Notification, Reason, Request},
    build_record::RECORD,
    deployment::{self, Deployment, SwitchedBy, token},
    error::StepError,
    executions::{self, ExecutionError},
    message,
    tally::Tally,
};

/// Messages that one tick tells at most.
const MAX_NOTICES: usize = 10;

/// When a build is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildPolicy {
    /// New labels that start a build.
    pub new_labels: u64,
    /// Least time between the starts of two builds, minutes.
    pub min_minutes: u32,
    /// Time after which any new label starts a build, days; 0 turns this rule off.
    pub max_days: u32,
}

impl BuildPolicy {
    /// Returns whether the last build is long enough ago for another.
    fn may_build(&self, last: Option<&LastBuild>, now: DateTime<Utc>) -> bool {
        let pause = TimeDelta::minutes(self.min_minutes.into());
        last.is_none_or(|last| now - last.started_at >= pause)
    }

    /// Returns why a build is due, if it is.
    fn due(&self, last: Option<&LastBuild>, tally: &Tally, now: DateTime<Utc>) -> Option<Reason> {
        let new = tally.labels.saturating_sub(last.map_or(0, |last| last.labels));
        if new == 0 || !self.may_build(last, now) {
            return None;
        }
        if new >= self.new_labels {
            return Some(Reason::NewLabels);
        }
        let since = last.map(|last| last.started_at).or(tally.since)?;
        let long_ago = now - since >= TimeDelta::days(self.max_days.into());
        (self.max_days > 0 && long_ago).then_some(Reason::Schedule)
    }
}

impl ModelBuilding {
    /// Watches the serving model, its confidence and what is promised of it, and considers a build; one does not hold
    /// back the other.
    pub(crate) async fn tick(&self, now: DateTime<Utc>) -> Result<(), StepError> {
        let tally = self.tally().await?;
        let serving = self.serving().await?;
        let considered = match self.last_build().await {
            Ok(last) => {
                let forgotten = self.forget_stopped_approval(last.as_ref()).await;
                let started = self.start_if_due(last, &tally, serving.as_deref(), now).await;
                forgotten.and(started)
            }
            Err(error) => Err(error),
        };
        let watched = match deployment::read_newest(&self.bucket, now).await {
            Ok(switches) => {
                let noted = self.note_host(&switches, serving.as_deref(), now).await;
                noted.and(self.watch(&switches, serving.as_deref(), &tally, now).await)
            }
            Err(error) => Err(error.into()),
        };
        let told = self.tell_notices().await;
        considered.and(watched).and(told)
    }

    /// Forgets that the last build waits for a person where its execution was stopped, or failed: nobody can approve it any
    /// more, and it writes no record.
    async fn forget_stopped_approval(&self, last: Option<&LastBuild>) -> Result<(), StepError> {
        let Some(LastBuild { id, .. }) = last else {
            return Ok(());
        };
        let wanted = approval_key(id);
        if !self.bucket.exists(&wanted).await?
            || self.bucket.exists(&format!("builds/{id}/{RECORD}")).await?
            || self.running_build().await?.is_some()
        {
            return Ok(());
        }
        warn!(
            build = id,
            "a build that waited for an approval was ended from outside"
        );
        Ok(self.bucket.delete(&wanted).await?)
    }

    /// Tells people what other functions have left for them, each once.
    async fn tell_notices(&self) -> Result<(), StepError> {
        for object in self
            .bucket
            .list_after(keys::NOTICES_FOLDER, "", MAX_NOTICES)
            .await?
        {
            let Some(name) = keys::name_of_notice(&object.key) else {
                continue;
            };
            let notification: Option<Notification> = self.bucket.read_document(&object.key).await?;
            if let Some(notification) = notification {
                self.tell(name, &notification).await?;
                // Removed last: what breaks off before is told again, under a name that was taken.
                self.bucket.delete(&object.key).await?;
            }
        }
        Ok(())
    }

    /// Starts a build if the policy says so. The same moment twice, and two at a time, start one.
    pub(crate) async fn consider(&self, now: DateTime<Utc>) -> Result<(), StepError> {
        let last = self.last_build().await?;
        if self.config.build_policy.may_build(last.as_ref(), now) || self.waits_for_first_model().await? {
            let (tally, serving) = (self.tally().await?, self.serving().await?);
            self.start_if_due(last, &tally, serving.as_deref(), now).await?;
        }
        Ok(())
    }

    async fn start_if_due(
        &self,
        last: Option<LastBuild>,
        tally: &Tally,
        serving: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), StepError> {
        if self.erasing(now).await?.is_some() {
            return Ok(()); // A later tick builds.
        }
        let due = match self.first_model(serving, tally).await? {
            Some(first) => self.first_model_is_due(&first, last.as_ref(), tally),
            None => self.config.build_policy.due(last.as_ref(), tally, now),
        };
        let due = match due {
            None => self.erasure_is_due(last.as_ref(), serving).await?,
            due => due,
        };
        let Some(reason) = due else {
            return Ok(());
        };
        if self.running_build().await?.is_some() {
            return Ok(());
        }
        // The hour lets a build that never began be tried again.
        let number = last.map_or(1, |last| last.number + 1);
        let name = format!("build-{number:06}-{}", now.format("%Y%m%dT%H"));
        let request = Request {
            action: Action::Build,
            reason,
            model_arn: None,
        };
        self.start(&name, &request).await
    }

    /// Returns why a build is due, if the serving model has learnt from texts that were erased since the last build began.
    async fn erasure_is_due(
        &self,
        last: Option<&LastBuild>,
        serving: Option<&str>,
    ) -> Result<Option<Reason>, StepError> {
        let Some(serving) = serving else {
            return Ok(None);
        };
        let learnt: Option<LearntAndErased> = self.bucket.read_document(keys::LEARNT_AND_ERASED).await?;
        let is_due = learnt.is_some_and(|learnt| {
            let is_newer = last.is_none_or(|last| active_learning_aws::rfc3339(last.started_at) < learnt.at);
            is_newer && learnt.of_model(serving).is_some()
        });
        Ok(is_due.then_some(Reason::Erasure))
    }

    /// Returns until when an erasure is under way, during which no build begins.
    pub(crate) async fn erasing(&self, now: DateTime<Utc>) -> Result<Option<String>, StepError> {
        let erasing: Option<Erasing> = self.bucket.read_document(keys::ERASING).await?;
        let until = erasing.map(|erasing| erasing.until);
        Ok(until.filter(|until| *until > active_learning_aws::rfc3339(now)))
    }

    async fn watch(
        &self,
        switches: &[Deployment],
        serving: Option<&str>,
        tally: &Tally,
        now: DateTime<Utc>,
    ) -> Result<(), StepError> {
        let accuracy = self.watch_accuracy(switches, serving, tally, now).await;
        let confidence = self.watch_confidence(serving, tally).await;
        let promises = match self.config.automated_labelling.get() {
            Some(target) => self.look_at_promises(serving, target, tally, now).await,
            None => Ok(()),
        };
        accuracy.and(confidence).and(promises)
    }

    /// Rolls the serving model back if audits show that it is significantly worse than the one before was.
    ///
    /// Once for each deployment, and again each hour as long as that came to nothing: what a roll-back brings into service is
    /// not watched.
    async fn watch_accuracy(
        &self,
        switches: &[Deployment],
        serving: Option<&str>,
        tally: &Tally,
        now: DateTime<Utc>,
    ) -> Result<(), StepError> {
        let lasting = deployment::lasting(switches);
        let Some(last) = lasting.last().filter(|last| last.by == SwitchedBy::Build) else {
            return Ok(());
        };
        let Some(previous) = &last.previous_model_arn else {
            return Ok(());
        };
        if serving != Some(last.model_arn.as_str()) {
            return Ok(());
        }
        let accuracies = tally.accuracy(&last.model_arn).zip(tally.accuracy(previous));
        let Some((new, old)) = accuracies else {
            return Ok(());
        };
        if !self.config.rollback.is_significantly_worse(&new, &old) {
            return Ok(());
        }
        warn!(
            model.arn = last.model_arn,
            accuracy = new.accuracy,
            audited = new.audited,
            accuracy_before = old.accuracy,
            "the serving model is significantly worse than the one before"
        );
        let name = roll_back_name(last, now);
        let request = Request {
            action: Action::RollBack,
            reason: Reason::Accuracy,
            model_arn: Some(previous.clone()),
        };
        self.start(&name, &request).await
    }

    /// Warns, once for each model, if audits show that the confidence of the serving model does not rank.
    async fn watch_confidence(&self, serving: Option<&str>, tally: &Tally) -> Result<(), StepError> {
        let Some(model) = serving else {
            return Ok(());
        };
        let quality = tally.confidence(model);
        let Some(warning) = quality.and_then(|quality| quality.warning()) else {
            return Ok(());
        };
        let name = format!("confidence-warning-{}", token(&[model]));
        let key = format!("builds/{name}.json");
        if self.bucket.read_document::<Notification>(&key).await?.is_some() {
            return Ok(());
        }
        warn!(model.arn = model, warning);
        let notification = message::confidence_warning(model, &warning);
        self.tell(&name, &notification).await?;
        // Written last: what breaks off before is told again, under a name that was taken.
        self.bucket.create_document(&key, &notification).await.map(drop)?;
        Ok(())
    }

    /// Tells people something, once for each name.
    pub(crate) async fn tell(&self, name: &str, notification: &Notification) -> Result<(), StepError> {
        executions::tell(&self.sfn, &self.config.state_machine_arn, name, notification)
            .await
            .map_err(|error| StepError::NotNow(error.to_string()))
    }

    async fn start(&self, name: &str, request: &Request) -> Result<(), StepError> {
        let machine = &self.config.state_machine_arn;
        match executions::start(&self.sfn, machine, Some(name), request).await {
            Ok(execution) => {
                info!(execution, action = ?request.action, reason = ?request.reason, "started");
                Ok(())
            }
            Err(ExecutionError::Started(_)) => Ok(()),
            Err(error) => Err(StepError::NotNow(format!("{error}"))),
        }
    }
}

/// Names the execution that rolls a deployment back. The hour lets one that failed be tried again.
fn roll_back_name(last: &Deployment, now: DateTime<Utc>) -> String {
    let token = token(&[&last.build_id, &last.at.to_rfc3339()]);
    format!("roll-back-{token}-{}", now.format("%Y%m%dT%H"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: BuildPolicy = BuildPolicy {
        new_labels: 100,
        min_minutes: 30,
        max_days: 7,
    };

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn last(labels: u64) -> LastBuild {
        LastBuild {
            id: "b".to_owned(),
            started_at: at(0),
            number: 3,
            labels,
            decided_dataset: None,
        }
    }

    fn tally(labels: u64) -> Tally {
        let mut tally = Tally::default();
        tally.labels = labels;
        tally.since = Some(at(0));
        tally
    }

    #[test]
    fn a_build_is_due_with_enough_new_labels_and_not_too_soon() {
        let due = |labels, minutes| POLICY.due(Some(&last(50)), &tally(labels), at(minutes));

        assert_eq!(due(149, 60), None);
        assert_eq!(due(150, 60), Some(Reason::NewLabels));
        assert_eq!(due(150, 29), None);
        assert_eq!(POLICY.due(None, &tally(100), at(0)), Some(Reason::NewLabels));
    }

    #[test]
    fn a_roll_back_that_failed_is_tried_again_an_hour_later_and_not_at_each_tick() {
        let deployment = Deployment {
            at: at(0),
            model_arn: "new".to_owned(),
            previous_model_arn: Some("old".to_owned()),
            by: SwitchedBy::Build,
            reason: String::new(),
            build_id: "build".to_owned(),
        };
        let name = |minutes| roll_back_name(&deployment, at(minutes));

        assert_eq!(name(0), name(55));
        assert_ne!(name(0), name(60));
        assert!(name(0).len() <= 80, "as long as Step Functions takes");
    }

    #[test]
    fn after_the_longest_time_any_new_label_is_enough_unless_the_rule_is_off() {
        let week = 7 * 24 * 60;
        let due =
            |policy: BuildPolicy, labels, minutes| policy.due(Some(&last(50)), &tally(labels), at(minutes));

        assert_eq!(due(POLICY, 51, week), Some(Reason::Schedule));
        assert_eq!(due(POLICY, 51, week - 1), None);
        assert_eq!(due(POLICY, 50, week), None, "nothing is new");
        let off = BuildPolicy {
            max_days: 0,
            ..POLICY
        };
        assert_eq!(due(off, 51, week), None);
        assert_eq!(POLICY.due(None, &tally(1), at(week)), Some(Reason::Schedule));
    }
}
