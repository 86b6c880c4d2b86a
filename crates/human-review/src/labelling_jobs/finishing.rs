//! The end of a job: its output manifest, and what it leaves behind.

use active_learning_aws::bucket::{BucketError, JSON_LINES};
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use lambda_runtime::tracing::warn;
use serde_json::Map;

use super::Jobs;
use super::consolidation::failed;
use super::drive::{Drive, DriveError};
use super::manifest::{output_line, parse};
use super::record::{Job, JobStatus, ObjectState, Part, input_folder, open_mark, part_folder};

/// Parts that are read, or removed, at a time.
const CONCURRENT: usize = 8;

impl Drive<'_> {
    /// Writes the output manifest: every input line in its order, with what was added to it.
    pub(super) async fn finish(&mut self) -> Result<(), DriveError> {
        self.write_output().await?;
        self.job.status = match self.job.status {
            JobStatus::Stopping => JobStatus::Stopped,
            _ => JobStatus::Completed,
        };
        Ok(())
    }

    async fn write_output(&self) -> Result<(), DriveError> {
        let reads: Vec<_> = (0..self.job.parts.len())
            .map(|number| self.output_of(number))
            .collect();
        let parts: Vec<String> = stream::iter(reads).buffered(CONCURRENT).try_collect().await?;
        let manifest = parts.concat().into_bytes();
        self.access
            .write(&self.job.output_manifest(), JSON_LINES, manifest)
            .await?;
        Ok(())
    }

    async fn output_of(&self, number: usize) -> Result<String, DriveError> {
        let lines = self.lines(number).await?;
        let (Part { objects: states }, _) = self.part(number).await?;
        let mut output = String::new();
        for (line, state) in lines.iter().zip(states) {
            let line = parse(line).unwrap_or_default();
            let added = match state {
                ObjectState::Labelled { content, .. } => content,
                ObjectState::Failed { reason, tries } => failed(&self.job, &reason, tries, self.now),
                ObjectState::Waiting { .. }
                | ObjectState::Withheld
                | ObjectState::Asked { .. }
                | ObjectState::Passed => Map::new(),
            };
            output.push_str(&output_line(line, added));
        }
        Ok(output)
    }
}

impl Jobs<'_> {
    /// Fails a job: takes its tasks from the reviewers and writes what is labelled. Where that cannot be written, the
    /// parts with the labels stay, and the reason says where.
    pub(super) async fn fail(
        &self,
        job: &mut Job,
        reason: &str,
        drive: Option<&Drive<'_>>,
        now: DateTime<Utc>,
    ) {
        self.give_up(job, now).await;

        let mut failure = format!("ClientError: {reason}.");
        if !job.parts.is_empty() {
            let written = match drive {
                Some(drive) => drive.write_output().await.map_err(|error| error.to_string()),
                None => Err(reason.to_owned()),
            };
            if let Err(reason) = written {
                warn!(
                    job = job.name,
                    reason, "the output of a failed job is not written"
                );
                job.keeps_parts = true;
                let kept = part_folder(&job.name);
                failure.push_str(&format!(
                    " Its labels are kept in the review bucket below {kept}."
                ));
            }
        }
        job.status = JobStatus::Failed;
        job.failure = Some(failure);
    }

    /// Takes the tasks of a job that failed from the reviewers; what cannot be taken now ends by itself.
    async fn give_up(&self, job: &Job, now: DateTime<Utc>) {
        for object in self.in_flight(job).await.unwrap_or_default() {
            let name = job.loop_name(object);
            if let Err(error) = self.loops.stop(&name, now).await {
                let reason = error.to_string();
                warn!(
                    job = job.name,
                    human_loop.name = name,
                    reason,
                    "a task of a failed job was not stopped"
                );
            }
        }
    }

    /// Removes what a job that is final no longer needs; its mark last, so that it is tried again.
    pub(super) async fn clean(&self, job: &Job) -> Result<(), BucketError> {
        if !job.keeps_parts {
            let mut parts = self.bucket.list(&input_folder(&job.name)).await?;
            parts.extend(self.bucket.list(&part_folder(&job.name)).await?);
            let removals: Vec<_> = parts.iter().map(|part| self.bucket.delete(&part.key)).collect();
            let removals = stream::iter(removals).buffered(CONCURRENT);
            removals.try_collect::<Vec<()>>().await?;
        }
        self.bucket.delete(&open_mark(&job.name)).await
    }
}
