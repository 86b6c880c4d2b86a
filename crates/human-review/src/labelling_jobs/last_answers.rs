//! What reviewers have answered of a job that fails, and no run has collected: an opinion that was taken is a vote.

use active_learning_aws::bucket::BucketError;
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use lambda_runtime::tracing::warn;

use super::Jobs;
use super::collecting::majority;
use super::drive::{Drive, DriveError};
use super::functions::Answered;
use super::manifest::{is_erased, parse};
use super::record::{Job, LabelledBy, ObjectState, PART_OBJECTS};
use crate::loops::LoopError;
use crate::output::Answer;

/// Human loops that are looked at at a time.
const CONCURRENT: usize = 16;

impl Jobs<'_> {
    /// Labels objects whose answers no run has collected, by the majority of their answers: also where a function was to
    /// consolidate them, since nothing calls it any more. Returns how many. What cannot be read by the job's labels stays
    /// without one; where the job's output can be written, the answers are there all the same.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; a part that is gone is none.
    pub(super) async fn label_what_was_answered(
        &self,
        job: &mut Job,
        drive: Option<&Drive<'_>>,
        now: DateTime<Utc>,
    ) -> Result<usize, DriveError> {
        let mut labelled = 0;
        for number in 0..job.parts.len() {
            if !job.parts[number].counts.is_done() {
                labelled += self.label_part(job, number, drive, now).await?;
            }
        }
        self.label_same(job).await?;
        Ok(labelled)
    }

    async fn label_part(
        &self,
        job: &mut Job,
        number: usize,
        drive: Option<&Drive<'_>>,
        now: DateTime<Utc>,
    ) -> Result<usize, DriveError> {
        let found = self.find_part(&job.name, number).await?;
        let (Some((mut part, etag)), Some(lines)) = (found, self.find_lines(&job.name, number).await?) else {
            return Ok(0);
        };
        let first = number * PART_OBJECTS;
        let shared: &Job = job;
        let asked = (part.objects.iter().zip(&lines).enumerate())
            .filter(|(_, (state, line))| matches!(state, ObjectState::Asked { .. }) && !is_erased(line));
        let looks: Vec<_> = asked
            .map(|(at, (_, line))| self.answered(shared, first + at, line, now))
            .collect();
        let answered: Vec<Option<Answered>> = stream::iter(looks).buffered(CONCURRENT).try_collect().await?;
        let answered: Vec<Answered> = answered.into_iter().flatten().collect();
        if let Some(drive) = drive
            && let Err(error) = drive.write_responses(&answered).await
        {
            let reason = error.to_string();
            warn!(job = job.name, reason, "answers of a failed job are not written");
        }

        let mut labelled = 0;
        for answered in &answered {
            if let Some(content) = majority(job, answered, now) {
                let by = LabelledBy::People;
                part.objects[answered.object - first] = ObjectState::Labelled { by, content };
                labelled += 1;
            }
        }
        if labelled > 0 {
            job.parts[number] = self.write_part(&job.name, number, &etag, &part).await?;
        }
        Ok(labelled)
    }

    /// Returns what was answered to an object; `None` where nothing was, or its answers cannot be read later either.
    async fn answered(
        &self,
        job: &Job,
        object: usize,
        line: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Option<Answered>, DriveError> {
        let answers = match self.answers_to(&job.loop_name(object), now).await {
            Ok(answers) => answers,
            Err(LoopError::NotFound) => return Ok(None),
            Err(LoopError::Storage(
                BucketError::Gone { .. } | BucketError::TooLarge { .. } | BucketError::Damaged { .. },
            )) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let line = parse(line).unwrap_or_default();
        Ok((!answers.is_empty()).then_some(Answered {
            object,
            line,
            answers,
        }))
    }

    async fn answers_to(&self, name: &str, now: DateTime<Utc>) -> Result<Vec<Answer>, LoopError> {
        let human_loop = self.loops.find(name, now).await?;
        self.loops.answers_of(&human_loop).await
    }
}
