//! The right to drive a job: one run at a time has it.

use active_learning_aws::bucket::{BucketError, Change};
use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::Jobs;
use super::record::{Job, JobStatus, Lease, job_key};

/// How long a run has the job to itself: its time, and that of the calls that it waits for.
const LEASE: Duration = Duration::seconds(170);

impl Jobs<'_> {
    /// Takes the lease of a job; none where another run has it, or there is no such job.
    pub(super) async fn claim(
        &self,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(Job, Lease)>, BucketError> {
        let lease = Lease {
            id: Uuid::new_v4().simple().to_string(),
            expires_at: now + LEASE,
        };
        let claim = |job: Option<Job>| {
            let Some(mut job) = job else {
                return Change::Leave(None);
            };
            if job
                .lease
                .as_ref()
                .is_some_and(|held| held.expires_at > now && held.id != lease.id)
            {
                return Change::Leave(None);
            }
            if job.status.is_final() {
                return Change::Leave(Some(job));
            }
            job.lease = Some(lease.clone());
            Change::Write(job.clone(), Some(job))
        };
        let claimed = self.bucket.change(&job_key(name), claim).await?;
        Ok(claimed.map(|job| (job, lease)))
    }

    /// Writes what a run has made of a job, unless another has taken it over; a stop that came meanwhile stays.
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
                ..job.clone()
            };
            Change::Write(after.clone(), Some(after))
        };
        self.bucket.change(&job_key(&job.name), give_back).await
    }
}
