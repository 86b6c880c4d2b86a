//! The right to drive a job: one run at a time has it.

use std::time::Instant;

use active_learning_aws::bucket::{BucketError, Change};
use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::Jobs;
use super::record::{Job, JobStatus, Lease, job_key};

/// How long a run has the job to itself: its time, and that of the calls that it waits for.
const LEASE: Duration = Duration::seconds(170);

/// The time as it goes on during an invocation, which may drive one job after another.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// When the invocation began.
    began: DateTime<Utc>,
    since: Instant,
}

impl Clock {
    /// Returns the clock of an invocation that begins now.
    pub fn starting(now: DateTime<Utc>) -> Self {
        Self {
            began: now,
            since: Instant::now(),
        }
    }

    /// Returns when the invocation began.
    pub fn began(&self) -> DateTime<Utc> {
        self.began
    }

    /// Returns the time now.
    pub fn now(&self) -> DateTime<Utc> {
        self.began + self.since.elapsed()
    }
}

impl Lease {
    /// Returns whether another run must wait for this one.
    fn keeps_out(&self, other: &Self, now: DateTime<Utc>) -> bool {
        let was_cut_off = self.invocation.is_some() && self.invocation == other.invocation;
        self.expires_at > now && self.id != other.id && !was_cut_off
    }
}

impl Jobs<'_> {
    /// Takes the lease of a job; none where another run has it, or there is no such job. The other is told that there is
    /// more to do. What an earlier attempt at the same event holds is taken over: it was cut off.
    pub(super) async fn claim(
        &self,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(Job, Lease)>, BucketError> {
        let lease = Lease {
            id: Uuid::new_v4().simple().to_string(),
            expires_at: now + LEASE,
            invocation: self.invocation.map(str::to_owned),
        };
        let claim = |job: Option<Job>| {
            let Some(mut job) = job else {
                return Change::Leave(None);
            };
            if job.lease.as_ref().is_some_and(|held| held.keeps_out(&lease, now)) {
                if job.is_due_again {
                    return Change::Leave(None);
                }
                job.is_due_again = true;
                return Change::Write(job, None);
            }
            if job.status.is_final() {
                return Change::Leave(Some(job));
            }
            (job.lease, job.is_due_again) = (Some(lease.clone()), false);
            Change::Write(job.clone(), Some(job))
        };
        let claimed = self.bucket.change(&job_key(name), claim).await?;
        Ok(claimed.map(|job| (job, lease)))
    }

    /// Writes what a run has made of a job, unless another has taken it over; a stop that came meanwhile stays.
    /// Of a job that is final only the sums of its parts are kept.
    pub(super) async fn give_back(
        &self,
        job: Job,
        lease: &Lease,
        now: DateTime<Utc>,
    ) -> Result<Option<Job>, BucketError> {
        let give_back = |current: Option<Job>| {
            let Some(current) = current.filter(|current| current.lease.as_ref() == Some(lease)) else {
                return Change::Leave(None);
            };
            let is_stopping = current.status == JobStatus::Stopping && !job.status.is_final();
            let after = Job {
                status: if is_stopping {
                    JobStatus::Stopping
                } else {
                    job.status
                },
                lease: None,
                modified_at: if current.parts == job.parts && current.status == job.status {
                    current.modified_at
                } else {
                    now
                },
                is_due_again: current.is_due_again,
                ..job.clone()
            };
            let after = if after.status.is_final() {
                after.closed()
            } else {
                after
            };
            Change::Write(after.clone(), Some(after))
        };
        self.bucket.change(&job_key(&job.name), give_back).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_taken_late_in_an_invocation_lasts_as_long_as_one_taken_early() {
        let began: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().expect("a time");
        let since = Instant::now() - std::time::Duration::from_secs(150);

        let clock = Clock { began, since };

        assert_eq!(clock.began(), began);
        assert!(clock.now() >= began + Duration::seconds(150));
    }
}
