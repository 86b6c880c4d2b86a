//! Tells reviewers that there is work again: when nothing waited and something does, at most once an hour.
//!
//! What was told is an object for each topic, changed with a conditional write: of two runs at a time one tells. It says
//! first that the topic is being told: where that is never taken back, a later run tells it again. A team
//! that `CreateWorkteam` made with a topic of its own is told there of the loops of its flow definitions and labelling
//! jobs; everybody else at the topic of the stack.

use std::collections::BTreeMap;

use active_learning_aws::bucket::{BucketError, Replaced};
use active_learning_aws::failure::{Refusal, chain};
use active_learning_aws::metrics;
use active_learning_aws::overview::Bounded;
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use chrono::{DateTime, TimeDelta, Utc};
use lambda_runtime::tracing::{info, warn};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::HumanReview;
use crate::control_plane::PRIVATE_TEAM;
use crate::flows::{Flow, Workteam};
use crate::labelling_jobs::record::{Job, short_id_of};
use crate::loop_flow::{flow_of_job, job_of_flow};
use crate::loops::LoopError;

/// Least time between two notices at a topic.
const PAUSE: TimeDelta = TimeDelta::hours(1);

/// Time after which nobody can be telling any more: longer than the function runs.
const TELLING: TimeDelta = TimeDelta::minutes(4);

/// What a topic was told last: the content of `human-review/notices/<topic>.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    /// When; never, where it is none.
    at: Option<DateTime<Utc>>,
    /// Whether of what waits now.
    of_what_waits: bool,
    /// Since when the topic is being told; none once it has taken it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    telling_since: Option<DateTime<Utc>>,
}

impl Told {
    /// Returns what is to be written down, and whether reviewers are to be told; `None` where nothing changes.
    fn next(&self, tasks: usize, now: DateTime<Utc>) -> Option<(Self, bool)> {
        let is_long_ago = self.at.is_none_or(|at| now - at >= PAUSE);
        // Whoever was at it has died before the topic took it, or just after.
        let was_broken_off = self.telling_since.is_some_and(|since| now - since >= TELLING);
        match (tasks > 0, self.of_what_waits) {
            (false, true) => Some((
                Self {
                    of_what_waits: false,
                    telling_since: None,
                    ..self.clone()
                },
                false,
            )),
            (true, before) if !before && is_long_ago || was_broken_off => Some((
                Self {
                    at: Some(now),
                    of_what_waits: true,
                    telling_since: Some(now),
                },
                true,
            )),
            _ => None,
        }
    }

    /// Returns the same once the topic has taken it.
    fn taken(self) -> Self {
        Self {
            telling_since: None,
            ..self
        }
    }
}

/// Why reviewers could not be told.
#[derive(Debug, thiserror::Error)]
enum NoticeError {
    #[error(transparent)]
    Loops(#[from] LoopError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(
        "the topic {topic} did not take the message: the function's role must be allowed to publish there"
    )]
    Topic {
        topic: String,
        #[source]
        source: Refusal,
    },
}

impl HumanReview {
    /// Tells reviewers of new work.
    #[must_use]
    pub fn with_topics(self, sns: aws_sdk_sns::Client) -> Self {
        Self {
            sns: Some(sns),
            ..self
        }
    }

    /// Looks whether there is work again, and tells it. A failure is logged and counted; the next run tries again.
    pub(crate) async fn tell_of_work(&self, tasks: Bounded, now: DateTime<Utc>) {
        let Some(sns) = &self.sns else { return };
        let waiting = match self.waiting_by_topic(tasks, now).await {
            Ok(waiting) => waiting,
            Err(error) => return lost(&error),
        };
        for (topic, tasks) in waiting {
            if let Err(error) = self.look_at(sns, &topic, tasks, now).await {
                lost(&error);
            }
        }
    }

    /// Counts the tasks in flight by the topic at which their reviewers are told, those without tasks included.
    async fn waiting_by_topic(
        &self,
        tasks: Bounded,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<String, Bounded>, NoticeError> {
        let own = &self.config.review_topic_arn;
        let teams = self.flows.all::<Workteam>().await?;
        let topics: BTreeMap<String, String> = (teams.iter())
            .filter_map(|team| {
                let arn = self.flows.arn(PRIVATE_TEAM, &team.workteam_name);
                Some((arn, topic_of(team)?))
            })
            .collect();
        if topics.is_empty() {
            return Ok(BTreeMap::from([(own.clone(), tasks)]));
        }

        let flows = self.flows.all::<Flow>().await?;
        let team_of: BTreeMap<&str, &str> = (flows.iter())
            .map(|flow| {
                let team = flow.human_loop_config.workteam_arn.as_str();
                (flow.flow_definition_name.as_str(), team)
            })
            .collect();
        let all = topics.values().chain([own]);
        let mut waiting: BTreeMap<String, Bounded> =
            all.map(|topic| (topic.clone(), Bounded::default())).collect();
        let jobs = self.open_jobs().await?;
        let of_job = |name: &str| {
            let id = short_id_of(name)?;
            let job = jobs.get(id)?;
            Some(flow_of_job(&job.name))
        };
        for (flow, count) in self.loops.in_flight_by_flow(of_job, now).await? {
            let team = match flow.as_deref().map(|flow| (flow, job_of_flow(flow))) {
                Some((_, Some(name))) => {
                    let known = jobs.values().find(|job| job.name == name);
                    known.and_then(|job| job.workteam().map(str::to_owned))
                }
                Some((flow, None)) => team_of.get(flow).map(|team| (*team).to_owned()),
                None => None,
            };
            let topic = team.and_then(|team| topics.get(&team)).unwrap_or(own);
            let at_topic = waiting.entry(topic.clone()).or_default();
            *at_topic = at_topic.and(count);
        }
        Ok(waiting)
    }

    /// Returns the labelling jobs that are not final, by what their tasks are named by.
    async fn open_jobs(&self) -> Result<BTreeMap<String, Job>, BucketError> {
        let mut jobs = BTreeMap::new();
        for name in self.jobs().open_names().await? {
            // A mark may have outlived its job.
            if let Some(job) = self.jobs().readable(&name).await? {
                jobs.insert(job.short_id(), job);
            }
        }
        Ok(jobs)
    }

    async fn look_at(
        &self,
        sns: &aws_sdk_sns::Client,
        topic: &str,
        tasks: Bounded,
        now: DateTime<Utc>,
    ) -> Result<(), NoticeError> {
        let key = key(topic);
        let read = match self.bucket.read_version::<Told>(&key).await {
            Err(reason) if reason.is_damaged() => {
                warn!(%reason, topic, "when reviewers were told last is not known: it is noted anew");
                self.bucket.delete(&key).await?;
                None
            }
            read => read?,
        };
        let (told, etag) = read.unzip();
        let told = told.unwrap_or_default();
        let Some((next, tells)) = told.next(tasks.count, now) else {
            return Ok(());
        };
        let replaced = self.bucket.replace_document(&key, etag.as_deref(), &next).await?;
        if !tells || replaced == Replaced::Changed {
            return Ok(());
        }

        if let Err(error) = self.publish(sns, topic, tasks).await {
            // The next run tells it.
            self.bucket.put_document(&key, &told).await?;
            return Err(error);
        }
        self.bucket.put_document(&key, &next.taken()).await?;
        info!(topic, %tasks, "reviewers are told that there is work");
        metrics::count("human-review", &[("Notices", 1)]);
        Ok(())
    }

    async fn publish(
        &self,
        sns: &aws_sdk_sns::Client,
        topic: &str,
        tasks: Bounded,
    ) -> Result<(), NoticeError> {
        let is_one = tasks.count == 1 && !tasks.has_more;
        let at_least = if tasks.has_more { "At least " } else { "" };
        let count = tasks.count;
        let message = format!(
            "{at_least}{count} {} for reviewers.\n\nThe portal: {}\n\nThis is told when there is work again, at most once an hour.\n",
            if is_one { "task waits" } else { "tasks wait" },
            self.config.portal_url,
        );
        let call = sns.publish().topic_arn(topic).subject("Texts wait for review");
        let published = call.message(message).send().await;
        published.map(drop).map_err(|error| NoticeError::Topic {
            topic: topic.to_owned(),
            source: error.into(),
        })
    }
}

fn lost(error: &NoticeError) {
    warn!(error = chain(error), "reviewers are not told of new work");
    metrics::count("human-review", &[("NoticesLost", 1)]);
}

fn key(topic: &str) -> String {
    let topic = hex::encode(&Sha256::digest(topic)[..8]);
    format!("{HUMAN_REVIEW_FOLDER}notices/{topic}.json")
}

/// Returns the topic that a team has of its own.
fn topic_of(team: &Workteam) -> Option<String> {
    let configuration = team.notification_configuration.as_ref()?;
    let topic = configuration["NotificationTopicArn"].as_str();
    topic.filter(|topic| !topic.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn told(minutes: Option<i64>, of_what_waits: bool) -> Told {
        Told {
            at: minutes.map(at),
            of_what_waits,
            telling_since: None,
        }
    }

    fn telling(minutes: i64) -> Told {
        Told {
            telling_since: Some(at(minutes)),
            ..told(Some(minutes), true)
        }
    }

    #[test]
    fn work_is_told_once_until_there_was_none_and_an_hour_is_over() {
        let never = Told::default();

        assert_eq!(never.next(0, at(0)), None);
        assert_eq!(never.next(3, at(0)), Some((telling(0), true)));
        assert_eq!(told(Some(0), true).next(5, at(600)), None, "they know");
        assert_eq!(
            told(Some(0), true).next(0, at(5)),
            Some((told(Some(0), false), false))
        );
        assert_eq!(told(Some(0), false).next(1, at(59)), None, "too soon");
        assert_eq!(told(Some(0), false).next(1, at(60)), Some((telling(60), true)));
    }

    #[test]
    fn what_nobody_said_was_told_is_told_again_once_nobody_can_be_at_it() {
        assert_eq!(telling(0).next(1, at(3)), None, "somebody may be at it");
        assert_eq!(telling(0).next(1, at(4)), Some((telling(4), true)));
        assert_eq!(telling(0).taken().next(1, at(4)), None);
        assert_eq!(telling(0).next(0, at(4)), Some((told(Some(0), false), false)));
    }
}
