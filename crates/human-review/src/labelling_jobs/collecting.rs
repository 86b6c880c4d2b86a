//! Collecting: what reviewers answered is written out, consolidated, and becomes the object's label.

use std::sync::PoisonError;

use active_learning_aws::bucket::{BucketError, JSON};
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use lambda_runtime::tracing::warn;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::access::AccessError;
use super::answers::labels_in;
use super::audits::{adjusted_labels, name_workers, note};
use super::consolidation::{Given, common_metadata, consolidate, content};
use super::drive::{Drive, DriveError};
use super::functions::{
    Answered, UnknownAnswers, consolidated, consolidation_request, keep_fields, payload, unknown_answers,
};
use super::manifest::{is_erased, parse};
use super::opening::{is_over, is_time, next_try, slower};
use super::record::{Job, LabelledBy, ObjectState};
use crate::human_loop::{HumanLoop, Status};
use crate::loops::LoopError;
use crate::output::{Answer, human_answer};

/// Human loops that are looked at, or answers that are written, at a time.
const CONCURRENT: usize = 16;

/// What a human loop that ended has brought.
enum Ended {
    Answers(Vec<Answer>),
    Nothing(ObjectState),
}

impl Drive<'_> {
    /// Collects what was answered to the objects of a part whose tasks have ended.
    pub(super) async fn collect(
        &self,
        number: usize,
        lines: &[Vec<u8>],
        states: &mut [ObjectState],
    ) -> Result<(), DriveError> {
        let first = self.first_object(number);
        let due: Vec<usize> = (states.iter().enumerate())
            .filter(|(at, state)| match state {
                ObjectState::Asked {
                    expires_at,
                    not_before,
                    ..
                } => {
                    let has_ended = self.is_stopping()
                        || is_over(*expires_at, self.now)
                        || !self.in_flight.contains(&(first + at));
                    has_ended && is_time(*not_before, self.now)
                }
                _ => false,
            })
            .map(|(at, _)| at)
            .collect();
        let looks: Vec<_> = due
            .iter()
            .map(|at| self.ended(first + at, is_erased(&lines[*at])))
            .collect();
        let ended: Vec<Option<Ended>> = stream::iter(looks).buffered(CONCURRENT).try_collect().await?;

        let mut answered = Vec::new();
        for (at, ended) in due.into_iter().zip(ended) {
            match ended {
                None => {}
                Some(Ended::Nothing(state)) => states[at] = state,
                Some(Ended::Answers(answers)) => {
                    let line = parse(&lines[at]).unwrap_or_default();
                    answered.push(Answered {
                        object: first + at,
                        line,
                        answers,
                    });
                }
            }
        }
        if answered.is_empty() {
            return Ok(());
        }
        self.write_responses(&answered).await?;
        self.consolidate(number, &answered, states).await
    }

    /// Returns what the human loop of an object has brought; none while it is in flight. Of one whose text was erased there is
    /// nothing to bring.
    async fn ended(&self, object: usize, is_erased: bool) -> Result<Option<Ended>, DriveError> {
        let name = self.job.loop_name(object);
        if self.is_stopping() {
            match self.jobs.loops.stop(&name, self.now).await {
                Ok(()) | Err(LoopError::NotFound | LoopError::WrongStatus(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let human_loop = match self.jobs.loops.find(&name, self.now).await {
            Ok(human_loop) if human_loop.status.is_in_flight() => return Ok(None),
            Ok(human_loop) => human_loop,
            Err(LoopError::NotFound) => {
                let is_erased = is_erased || self.jobs.loops.was_erased(&name).await?;
                let reason = "ClientError: the task was deleted.".to_owned();
                return Ok(Some(Ended::Nothing(match is_erased {
                    true => ObjectState::Erased,
                    false => ObjectState::Failed { reason, tries: 0 },
                })));
            }
            Err(error) => return unreadable(error),
        };
        let answers = match self.jobs.loops.answers_of(&human_loop).await {
            Ok(answers) => answers,
            Err(error) => return unreadable(error),
        };
        Ok(Some(match answers.is_empty() {
            false => Ended::Answers(answers),
            true => Ended::Nothing(self.unanswered(&human_loop)),
        }))
    }

    fn unanswered(&self, human_loop: &HumanLoop) -> ObjectState {
        match human_loop.status {
            Status::Stopped if self.is_stopping() => ObjectState::Passed,
            Status::Stopped => ObjectState::Failed {
                reason: "ClientError: the task was stopped before anybody answered it.".to_owned(),
                tries: 0,
            },
            _ => ObjectState::Failed {
                reason: "ClientError: nobody answered within TaskAvailabilityLifetimeInSeconds.".to_owned(),
                tries: 0,
            },
        }
    }

    /// Writes each object's answers, as they are, to `annotations/worker-response/`.
    pub(super) async fn write_responses(&self, answered: &[Answered]) -> Result<(), DriveError> {
        let writes: Vec<_> = answered
            .iter()
            .map(|answered| self.write_response(answered))
            .collect();
        let writes = stream::iter(writes).buffered(CONCURRENT);
        writes.try_collect::<Vec<()>>().await.map(drop)
    }

    async fn write_response(&self, answered: &Answered) -> Result<(), DriveError> {
        let answers: Vec<Value> = answered.answers.iter().map(human_answer).collect();
        let last = answered.answers.iter().map(|answer| answer.submitted_at).max();
        let folder = format!("{}/annotations/worker-response/iteration-1", self.job.folder());
        let time = last.unwrap_or(self.now).format("%Y-%m-%d_%H:%M:%S");
        let uri = format!("{folder}/{}/{time}.json", answered.object);
        self.write(&uri, &json!({ "answers": answers })).await
    }

    /// Turns answers into labels, and writes both sides of it to `annotations/consolidated-annotation/`.
    async fn consolidate(
        &self,
        number: usize,
        answered: &[Answered],
        states: &mut [ObjectState],
    ) -> Result<(), DriveError> {
        let folder = format!("{}/annotations/consolidated-annotation", self.job.folder());
        let file = format!(
            // Runs that follow one another at once are of the same time.
            "iteration-1/{}-{number:04}-{}.json",
            self.now.format("%Y-%m-%d_%H:%M:%S%.3f"),
            Uuid::new_v4().simple()
        );
        let request_uri = format!("{folder}/consolidation-request/{file}");
        self.write(&request_uri, &payload(answered, self.job.region()))
            .await?;

        let labelled = match &self.job.settings.consolidation {
            None => answered
                .iter()
                .map(|answered| self.by_majority(answered))
                .collect(),
            Some(function) => self.by_function(function, &request_uri, answered).await?,
        };

        let first = self.first_object(number);
        let mut response = Vec::new();
        for (answered, outcome) in answered.iter().zip(labelled) {
            let state = &mut states[answered.object - first];
            match outcome {
                Ok(content) => {
                    response.push(json!({
                        "datasetObjectId": answered.object.to_string(),
                        "consolidatedAnnotation": { "content": content },
                    }));
                    *state = ObjectState::Labelled {
                        by: LabelledBy::People,
                        content,
                    };
                }
                Err(Unlabelled::For(reason)) => *state = ObjectState::Failed { reason, tries: 0 },
                Err(Unlabelled::Slower(reason)) => {
                    self.note_failure(&reason);
                    if let ObjectState::Asked { not_before, .. } = state {
                        *not_before = Some(slower(self.now));
                    }
                }
                Err(Unlabelled::Again(reason)) => {
                    self.note_failure(&reason);
                    *state = again(state, reason, self.now);
                }
            }
        }
        let response_uri = format!("{folder}/consolidation-response/{file}");
        self.write(&response_uri, &Value::Array(response)).await
    }

    fn by_majority(&self, answered: &Answered) -> Outcome {
        majority(&self.job, answered, self.now).ok_or_else(|| {
            Unlabelled::For("ClientError: no answer names a label of the label category file.".to_owned())
        })
    }

    async fn by_function(
        &self,
        function: &str,
        request_uri: &str,
        answered: &[Answered],
    ) -> Result<Vec<Outcome>, DriveError> {
        let request = consolidation_request(&self.job, request_uri);
        let answer = match self.access.invoke(function, request).await {
            Ok(answer) => answer,
            Err(AccessError::Definite(reason)) => return Err(DriveError::Job(reason)),
            Err(AccessError::Throttled(reason)) => {
                warn!(job = self.job.name, reason, "answers are consolidated later");
                let slower = || Err(Unlabelled::Slower(reason.clone()));
                return Ok(answered.iter().map(|_| slower()).collect());
            }
            Err(AccessError::Passing(reason)) => {
                warn!(job = self.job.name, reason, "answers could not be consolidated");
                let reason = format!("ClientError: {reason}.");
                return Ok(answered
                    .iter()
                    .map(|_| Err(Unlabelled::Again(reason.clone())))
                    .collect());
            }
        };
        self.note_unknown(unknown_answers(&answer, answered));
        let attribute = &self.job.settings.attribute;
        let of_object = |answered: &Answered| -> Outcome {
            let metadata = common_metadata(&self.job, true, self.now);
            let found = consolidated(&answer, answered.object, attribute, metadata);
            let mut content = found.map_err(|reason| Unlabelled::Again(format!("ClientError: {reason}")))?;
            let kept = keep_fields(&mut content, &answered.line, attribute);
            kept.map_err(|reason| Unlabelled::Again(format!("ClientError: {reason}")))?;
            name_workers(&mut content, answered, &self.job);
            Ok(content)
        };
        Ok(answered.iter().map(of_object).collect())
    }

    /// Notes what the function has answered that is not used.
    fn note_unknown(&self, unknown: UnknownAnswers) {
        if !unknown.is_empty() {
            let count = unknown.count;
            warn!(
                job = self.job.name,
                count, "answers to objects that were not asked about are not used"
            );
        }
        let mut all = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        all.add(unknown);
    }

    async fn write(&self, uri: &str, document: &Value) -> Result<(), DriveError> {
        let body = document.to_string().into_bytes();
        Ok(self.access.write(uri, JSON, body).await?)
    }
}

/// Returns the label that most answers to an object name; `None` where none names one of the job's.
pub(super) fn majority(job: &Job, answered: &Answered, now: DateTime<Utc>) -> Option<Map<String, Value>> {
    let (labels, task) = (&job.categories.labels, job.settings.task);
    let offered = job.offered(&answered.line);
    let names: Vec<String> = offered
        .iter()
        .filter_map(|number| labels.get(*number).cloned())
        .collect();
    let read = |answer: &Answer| -> Given {
        let chosen = labels_in(answer.content.as_object()?, &answer.exclusions, &names, task).ok()?;
        Some(chosen.into_iter().map(|place| offered[place]).collect())
    };
    let given: Vec<Given> = answered.answers.iter().map(read).collect();
    let found = consolidate(&given, task, &adjusted_labels(&answered.line, job))?;
    let mut content = content(job, &found, true, now);
    note(&mut content, &answered.line, job);
    name_workers(&mut content, answered, job);
    Some(content)
}

/// What came of the answers to an object.
type Outcome = Result<Map<String, Value>, Unlabelled>;

/// Why answers became no label.
enum Unlabelled {
    /// For good.
    For(String),
    /// It is tried again.
    Again(String),
    /// The function asks to slow down.
    Slower(String),
}

fn again(state: &ObjectState, reason: String, now: DateTime<Utc>) -> ObjectState {
    let ObjectState::Asked {
        expires_at, tries, ..
    } = *state
    else {
        return state.clone();
    };
    match next_try(tries, now) {
        None => ObjectState::Failed {
            reason,
            tries: tries + 1,
        },
        not_before => ObjectState::Asked {
            expires_at,
            tries: tries + 1,
            not_before,
        },
    }
}

/// Returns what becomes of an object whose answers cannot be read later either, such as expired ones.
///
/// # Errors
///
/// The error, where they may be.
fn unreadable(error: LoopError) -> Result<Option<Ended>, DriveError> {
    match error {
        LoopError::Storage(
            error @ (BucketError::Gone { .. } | BucketError::TooLarge { .. } | BucketError::Damaged { .. }),
        ) => {
            let reason = format!("ClientError: its answers cannot be read: {error}.");
            Ok(Some(Ended::Nothing(ObjectState::Failed { reason, tries: 0 })))
        }
        error => Err(error.into()),
    }
}
