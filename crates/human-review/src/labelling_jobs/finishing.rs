//! The end of a job: its output manifest, and what it leaves behind.

use std::collections::BTreeMap;
use std::pin::pin;

use active_learning_aws::bucket::{BucketError, JSON_LINES};
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use lambda_runtime::tracing::warn;
use serde_json::Map;

use super::Jobs;
use super::audit_results::Found;
use super::census::{ONLY_WHERE_TAG, SHARE_TAG};
use super::consolidation::failed;
use super::drive::{Drive, DriveError, Left};
use super::manifest::{is_erased, output_line, parse};
use super::record::{Filter, Job, JobStatus, ObjectState, Part, input_folder, open_mark, part_folder};
use crate::loops::LoopError;

/// Parts that are read, or removed, at a time.
const CONCURRENT: usize = 8;

impl Drive<'_> {
    /// Writes the output manifest: every input line in its order, with what was added to it.
    pub(super) async fn finish(&mut self) -> Result<(), DriveError> {
        let jobs = self.jobs;
        jobs.label_same(&mut self.job).await?;
        let (failures, erased) = self.write_output().await?;
        let counts = self.job.counts();
        let is_labelled = counts.human + counts.machine > 0;
        self.job.status = match self.job.status {
            JobStatus::Stopping => JobStatus::Stopped,
            _ if counts.failed > 0 && !is_labelled => JobStatus::Failed,
            _ => JobStatus::Completed,
        };
        self.job.failure = match self.job.status {
            JobStatus::Failed => Some(all_failed(&failures)),
            JobStatus::Completed if !is_labelled => Some(nothing_to_label(&self.job, erased)),
            _ => None,
        };
        if erased > 0 {
            let told = left_out(erased);
            self.job.failure = Some(match &self.job.failure {
                Some(failure) => format!("{failure} {told}"),
                None => told,
            });
        }
        Ok(())
    }

    /// Writes the output, and what an audit has found; returns why objects have failed, how many for each reason, and how many lines are not in it since
    /// their texts were erased.
    async fn write_output(&self) -> Result<(BTreeMap<String, usize>, usize), DriveError> {
        let reads: Vec<_> = (0..self.job.parts.len())
            .map(|number| self.output_of(number))
            .collect();
        let (mut manifest, mut failures, mut erased) = (String::new(), BTreeMap::new(), 0);
        let mut found = Found::of(&self.job);
        // In one piece: there is not memory for all parts beside it.
        let mut parts = pin!(stream::iter(reads).buffered(CONCURRENT));
        while let Some(part) = parts.try_next().await? {
            manifest.push_str(&part.lines);
            if let Some(found) = &mut found {
                found.add(part.lines.as_bytes());
            }
            erased += part.erased;
            for reason in part.reasons {
                *failures.entry(reason).or_default() += 1;
            }
        }
        self.access
            .write(&self.job.output_manifest(), JSON_LINES, manifest.into_bytes())
            .await?;
        if let Some(found) = &found {
            self.jobs.keep_found(&self.job, found).await?;
        }
        Ok((failures, erased))
    }

    async fn output_of(&self, number: usize) -> Result<Output, DriveError> {
        let lines = self.lines(number).await?;
        let (Part { objects: states, .. }, _) = self.part(number).await?;
        let mut output = Output::default();
        for (line, state) in lines.iter().zip(states) {
            if is_erased(line) || state == ObjectState::Erased {
                output.erased += 1;
                continue;
            }
            let line = parse(line).unwrap_or_default();
            let added = match state {
                ObjectState::Labelled { content, .. } => content,
                ObjectState::Failed { reason, tries } => {
                    let added = failed(&self.job, &reason, tries, self.now);
                    output.reasons.push(reason);
                    added
                }
                ObjectState::Waiting { .. }
                | ObjectState::Withheld
                | ObjectState::Asked { .. }
                | ObjectState::Same { .. }
                | ObjectState::Erased
                | ObjectState::Passed => Map::new(),
            };
            output.lines.push_str(&output_line(&line, &added));
        }
        Ok(output)
    }
}

/// What a part comes to.
#[derive(Debug, Default)]
struct Output {
    /// Its lines.
    lines: String,
    /// Why objects have failed.
    reasons: Vec<String>,
    /// How many lines are not in it, since their texts were erased.
    erased: usize,
}

/// Says how many lines are not in the output, so that nobody looks for them by their numbers.
fn left_out(erased: usize) -> String {
    let (texts, are) = match erased {
        1 => ("text was".to_owned(), "is"),
        _ => ("texts were".to_owned(), "are"),
    };
    format!("{erased} {texts} erased at a person's wish and {are} not in the output.")
}

/// Says why a job has no label: of all objects that failed, for what most did.
fn all_failed(failures: &BTreeMap<String, usize>) -> String {
    let all: usize = failures.values().sum();
    let (reason, count) = failures
        .iter()
        // The first of equals.
        .rev()
        .max_by_key(|(_, count)| **count)
        .map(|(reason, count)| (reason.as_str(), *count))
        .unwrap_or_default();
    format!("ClientError: no object was labelled, and {all} failed, {count} of them for this: {reason}")
}

/// Says how many labels the function of a job has not made that is to.
fn by_majority(labelled: usize) -> String {
    match labelled {
        1 => " The label of 1 object, which its function did not consolidate, is that of most answers."
            .to_owned(),
        _ => format!(
            " The labels of {labelled} objects, which its function did not consolidate, are those of most answers."
        ),
    }
}

/// Says why there was nothing to label, which is no failure. What was erased is told beside it.
fn nothing_to_label(job: &Job, erased: usize) -> String {
    let counts = job.counts();
    let passed = counts.passed.saturating_sub(erased);
    let settings = &job.settings;
    let mut left_out_by = Vec::new();
    if let Some(filter) = &settings.only_where {
        let Filter { attribute, class } = filter;
        left_out_by.push(format!("{ONLY_WHERE_TAG}={attribute}={class}"));
    }
    if let Some(parent) = &settings.parent {
        left_out_by.push(format!("the lack of labels within that of {parent}"));
    }
    if let Some(share) = settings.share {
        left_out_by.push(format!("{SHARE_TAG}={share}"));
    }
    if let Some(audit) = &settings.audit {
        left_out_by.push(format!("the lack of the label {}", audit.attribute));
    }
    left_out_by.extend(settings.pre_annotation.clone());
    let by = match left_out_by.is_empty() {
        true => String::new(),
        // Which of them left out how many is not kept.
        false => format!(" by {}", left_out_by.join(" or ")),
    };
    let was = if passed == 1 { "was" } else { "were" };
    let objects = if counts.total() == 1 { "object" } else { "objects" };
    format!(
        "Nothing was left to label: of {} {objects} {} had the label {} already, and {passed} {was} left out{by}.",
        counts.total(),
        counts.earlier,
        settings.attribute,
    )
}

impl Jobs<'_> {
    /// Fails a job: takes its tasks from the reviewers, has what they answered labelled, and writes what is labelled. Where that
    /// cannot be written, the parts with the labels stay, and the reason says where. Where answers cannot be read now, the job
    /// waits, and fails in a later run.
    ///
    /// # Errors
    ///
    /// [`BucketError`] where the review bucket fails.
    pub(super) async fn fail(
        &self,
        job: &mut Job,
        reason: &str,
        drive: Option<&Drive<'_>>,
        now: DateTime<Utc>,
    ) -> Result<Left, BucketError> {
        self.give_up(job, now).await;
        // Boxed: the SDK's futures would else be nested deeper than the compiler follows.
        let labelled = match Box::pin(self.label_what_was_answered(job, drive, now)).await {
            Ok(labelled) => labelled,
            Err(DriveError::Storage(error)) => return Err(error),
            Err(error) => {
                let error = error.to_string();
                warn!(job = job.name, error, reason, "a labelling job that fails waits");
                job.waits_for = Some(error);
                return Ok(Left::Waits);
            }
        };

        let mut failure = format!("ClientError: {reason}.");
        if labelled > 0 && job.settings.consolidation.is_some() {
            failure.push_str(&by_majority(labelled));
        }
        if !job.parts.is_empty() {
            let written = match drive {
                Some(drive) => (drive.write_output().await.map(drop)).map_err(|error| error.to_string()),
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
        Ok(Left::Nothing)
    }

    /// Takes the tasks of a job that fails from the reviewers, also from those who are at one: an answer would be for
    /// nothing, and they hear so. Returns whether none is left.
    async fn give_up(&self, job: &Job, now: DateTime<Utc>) -> bool {
        let shut = self.shut_tasks(job, now).await;
        if let Err(error) = &shut {
            let reason = error.to_string();
            warn!(job = job.name, reason, "tasks of a failed job are stopped later");
        }
        shut.is_ok()
    }

    async fn shut_tasks(&self, job: &Job, now: DateTime<Utc>) -> Result<(), LoopError> {
        let shuts: Vec<_> = (self.in_flight(job).await?.into_iter())
            .map(|object| job.loop_name(object))
            .map(|name| async move { self.loops.shut(&name, now).await })
            .collect();
        let shuts = stream::iter(shuts).buffered(CONCURRENT);
        shuts.try_collect::<Vec<()>>().await.map(drop)
    }

    /// Removes what a job that is final no longer needs, tasks of one that has failed too; its mark last, so that it is tried
    /// again.
    pub(super) async fn clean(&self, job: &Job, now: DateTime<Utc>) -> Result<(), BucketError> {
        if job.status == JobStatus::Failed && !self.give_up(job, now).await {
            return Ok(());
        }
        if !job.keeps_parts {
            let mut parts = self.bucket.list(&input_folder(&job.name)).await?;
            parts.extend(self.bucket.list(&part_folder(&job.name)).await?);
            let removals: Vec<_> = parts.iter().map(|part| self.bucket.delete(&part.key)).collect();
            let removals = stream::iter(removals).buffered(CONCURRENT);
            removals.try_collect::<Vec<()>>().await?;
        }
        self.note_time(job).await?;
        self.bucket.delete(&open_mark(&job.name)).await
    }
}
