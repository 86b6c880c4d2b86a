//! Asking: each object becomes a human loop, prepared by the pre-annotation function or by the built-in rule.

use active_learning_core::erasure::holds_erased;
use active_learning_core::text::is_blank;
use chrono::{DateTime, Duration, Utc};
use futures::stream::{self, StreamExt};
use lambda_runtime::tracing::warn;
use serde_json::Value;

use super::audits;
use super::drive::{Drive, DriveError};
use super::functions::Prepared;
use super::manifest::{is_erased, parse};
use super::preparing::Unprepared;
use super::record::{Job, ObjectState, Part, Template};
use super::room::Room;
use crate::human_loop::{FlowRules, LoopFlow};
use crate::loop_flow::team_of_arn;
use crate::loops::LoopError;
use crate::task_template::{NO_NONCE, TaskError, TaskTemplate};
use crate::trial::why_unreadable;
use crate::validation::MAX_INPUT_CONTENT_CHARS;
use crate::worker_template::{TemplateError, render_html};

/// Times that a call for an object is made, at most.
pub const MAX_TRIES: u32 = 3;
/// Pause after the first try that failed; after each later one it is three times as long. So three tries outlast an
/// outage of a quarter of an hour.
const PAUSE: Duration = Duration::minutes(5);
/// Pause after a refusal by a service that asks to slow down, which counts as no try.
const SLOWER: Duration = Duration::minutes(1);
/// Objects that are prepared at a time.
const CONCURRENT: usize = 8;

/// What came of asking about an object.
enum Asked {
    /// Its new state.
    State(ObjectState),
    /// There is no room for more human loops now.
    NoRoom,
}

impl Drive<'_> {
    /// Asks about objects of a part that wait, as far as there is room; returns how many are asked now.
    pub(super) async fn open(
        &self,
        number: usize,
        lines: &[Vec<u8>],
        part: &mut Part,
        mut room: Room,
    ) -> Result<Opened, DriveError> {
        let Part {
            objects: states,
            excluded,
            copies,
        } = part;
        let labels_of = |at: &usize| 1 + copies.get(at).copied().unwrap_or_default();
        let waiting: Vec<(usize, u32)> = (states.iter().enumerate())
            .filter_map(|(at, state)| match state {
                ObjectState::Waiting { tries, not_before } if is_time(*not_before, self.now) => {
                    Some((at, *tries))
                }
                _ => None,
            })
            .collect();
        let mut opened = Opened::default();
        for some in waiting.chunks(CONCURRENT) {
            if room.is_none() || opened.is_full {
                break;
            }
            if self.is_over() {
                opened.goes_on = true;
                break;
            }
            let mut left = room;
            let fits = some
                .iter()
                .take_while(|(at, _)| left.takes(labels_of(at)))
                .count();
            let some = &some[..fits];
            let asks: Vec<_> = some
                .iter()
                .map(|(at, tries)| {
                    let object = self.first_object(number) + at;
                    self.ask(object, &lines[*at], *tries, excluded.get(at))
                })
                .collect();
            let asked: Vec<_> = stream::iter(asks).buffered(CONCURRENT).collect().await;
            for ((at, _), outcome) in some.iter().zip(asked) {
                match outcome? {
                    Asked::State(state) => {
                        if matches!(state, ObjectState::Asked { .. }) {
                            room.takes(labels_of(at));
                        }
                        states[*at] = state;
                    }
                    Asked::NoRoom => opened.is_full = true,
                }
            }
        }
        Ok(opened)
    }

    async fn ask(
        &self,
        object: usize,
        line: &[u8],
        tries: u32,
        excluded: Option<&Vec<String>>,
    ) -> Result<Asked, DriveError> {
        if is_erased(line) {
            return Ok(Asked::State(ObjectState::Erased));
        }
        let line = parse(line).unwrap_or_default();
        let input = match self.prepare(&line).await {
            Ok(Prepared::Ask(input)) => input,
            Ok(Prepared::Pass) => return Ok(Asked::State(ObjectState::Passed)),
            Err(unprepared) => return self.unprepared(unprepared, object, tries).map(Asked::State),
        };
        let erased = self.jobs.erased.current().await?;
        if holds_erased(&input, &erased) {
            return Ok(Asked::State(ObjectState::Erased));
        }
        let text = input.to_string();
        if let Some(reason) = self.refusal(&input, &text).await? {
            return Ok(Asked::State(failed(format!("ClientError: {reason}."), tries)));
        }
        let excluded = excluded
            .cloned()
            .unwrap_or_else(|| audits::excluded(&line, &self.job));
        self.start(object, &text, excluded).await
    }

    /// Returns the state of an object that could not be prepared.
    fn unprepared(
        &self,
        unprepared: Unprepared,
        object: usize,
        tries: u32,
    ) -> Result<ObjectState, DriveError> {
        let job = &self.job.name;
        match unprepared {
            Unprepared::Job(reason) => Err(DriveError::Job(reason)),
            Unprepared::Object(reason) => Ok(failed(reason, tries)),
            Unprepared::Erased => Ok(ObjectState::Erased),
            Unprepared::Slower(reason) => {
                warn!(job, object, reason, "an object is prepared later");
                self.note_failure(&reason);
                let not_before = Some(slower(self.now));
                Ok(ObjectState::Waiting { tries, not_before })
            }
            Unprepared::Again(reason) => {
                warn!(job, object, reason, tries, "an object could not be prepared");
                self.note_failure(&reason);
                Ok(again(reason, tries, self.now))
            }
        }
    }

    /// Returns why nobody could answer a task of this input, if nobody could.
    async fn refusal(&self, input: &Value, text: &str) -> Result<Option<String>, DriveError> {
        if text.chars().count() > MAX_INPUT_CONTENT_CHARS {
            return Ok(Some("taskInput is longer than 3 MiB".to_owned()));
        }
        let settings = &self.job.settings;
        // Instructions, or the label so far, would stand beside nothing.
        if settings.pre_annotation.is_none() && input["taskObject"].as_str().is_some_and(is_blank) {
            let reason = "the task would be empty: the text holds nothing that can be seen";
            return Ok(Some(reason.to_owned()));
        }
        let template = TaskTemplate {
            bucket: self.jobs.bucket,
            key: &self.job.template_key,
            is_opaque: true,
        };
        if let Some(reason) = template.refusal(input).await? {
            return Ok(Some(format!("the task would be empty: {reason}")));
        }
        if settings.template == Template::BuiltIn && settings.pre_annotation.is_none() {
            return Ok(None);
        }
        let content = match template.content().await {
            Ok(content) => content,
            Err(TaskError::Template(TemplateError::Storage(error))) => return Err(error.into()),
            Err(error) => return Ok(Some(error.to_string())),
        };
        // What cannot be rendered was refused above.
        let page = render_html(&content, input, NO_NONCE).ok();
        let why = page.and_then(|(html, _)| why_unreadable(&html, self.labels_that_count()));
        Ok(why.map(|why| format!("the page of the task takes no answer: {why}")))
    }

    /// Returns the labels that answers must name; none where a function of the job's own reads them.
    pub(super) fn labels_that_count(&self) -> &[String] {
        match self.job.settings.consolidation {
            None => &self.job.categories.labels,
            Some(_) => &[],
        }
    }

    async fn start(&self, object: usize, input: &str, excluded: Vec<String>) -> Result<Asked, DriveError> {
        let rules = rules(&self.job, excluded);
        let expires_at = self.now + rules.availability;
        let flow = Some((flow(&self.job), rules));
        let name = self.job.loop_name(object);
        match self.jobs.loops.start(flow, &name, input, self.now).await {
            // A run before this one has started it, for which the function has said something else; or it has ended since.
            Ok(()) | Err(LoopError::Conflict | LoopError::WrongStatus(_)) => {
                Ok(Asked::State(ObjectState::Asked {
                    expires_at,
                    tries: 0,
                    not_before: None,
                }))
            }
            Err(LoopError::QuotaExceeded) => Ok(Asked::NoRoom),
            Err(error) => Err(error.into()),
        }
    }
}

/// What came of asking about some objects.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// There is no room for more.
    pub is_full: bool,
    /// There was no time for more.
    pub goes_on: bool,
}

fn failed(reason: String, tries: u32) -> ObjectState {
    ObjectState::Failed { reason, tries }
}

fn again(reason: String, tries: u32, now: DateTime<Utc>) -> ObjectState {
    match next_try(tries, now) {
        None => failed(reason, tries + 1),
        not_before => ObjectState::Waiting {
            tries: tries + 1,
            not_before,
        },
    }
}

/// Returns when a call is made again that failed now, as it did so many times before; none where it is not.
pub(super) fn next_try(failed_before: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let factor = 3_i32.pow(failed_before.min(MAX_TRIES));
    (failed_before + 1 < MAX_TRIES).then(|| now + PAUSE * factor)
}

/// Returns when a call is made again to a service that asks to slow down.
pub(super) fn slower(now: DateTime<Utc>) -> DateTime<Utc> {
    now + SLOWER
}

/// Returns whether the pause after a try that failed is over.
pub(super) fn is_time(not_before: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    not_before.is_none_or(|time| is_over(time, now))
}

/// Returns what the human loops of a job keep of it.
pub(super) fn flow(job: &Job) -> LoopFlow {
    LoopFlow {
        arn: job.arn.clone(),
        title: job.settings.title.clone(),
        description: job.settings.description.clone(),
        template_key: job.template_key.clone(),
        output_bucket: String::new(),
        output_prefix: String::new(),
        role_arn: String::new(),
        time_limit_seconds: job.settings.time_limit_seconds,
        team: job.workteam().and_then(team_of_arn),
    }
}

fn rules(job: &Job, excluded_workers: Vec<String>) -> FlowRules {
    FlowRules {
        task_count: job.settings.workers,
        availability: Duration::seconds(job.settings.availability_seconds),
        time_limit: Duration::seconds(job.settings.time_limit_seconds),
        excluded_workers,
    }
}

/// Returns whether a task of this end is over.
pub(super) fn is_over(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now >= expires_at
}
