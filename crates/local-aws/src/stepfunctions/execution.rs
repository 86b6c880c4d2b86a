//! One execution: what it has come to, and how it goes on.
//!
//! Nothing here waits, calls or stores: time and answers come in, events and calls go out. Whoever
//! stores the execution with its events before it acts on the calls can go on after a crash; a call
//! that was under way is then made again.

use std::{collections::BTreeMap, mem};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    definition::{Machine, Resource},
    events::Event,
    failure::Failure,
    turn::Turn,
};

/// Most bytes of a state's data.
pub(super) const MAX_DATA_BYTES: usize = 262_144;

/// An execution, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Execution {
    pub arn: String,
    pub name: String,
    pub machine_arn: String,
    pub role_arn: String,
    /// Key of the definition that it runs.
    pub definition: String,
    pub input: String,
    pub started_ms: u64,
    pub ended_ms: Option<u64>,
    pub status: Status,
    pub output: Option<String>,
    pub error: Option<String>,
    pub cause: Option<String>,
    /// Number of events so far, which is the id of the last.
    pub events: u64,
    /// Where it stands; `None` once it has ended.
    pub(super) root: Option<Frame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

/// Where a machine, or a branch of one, stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Frame {
    pub state: String,
    pub input: Value,
    pub entered_ms: u64,
    /// Retries so far, by the index of the retrier.
    pub retries: BTreeMap<usize, u32>,
    /// Id of the event before.
    pub previous: u64,
    pub phase: Phase,
    /// The item of the `Map` state around it.
    pub item: Option<Item>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item {
    pub index: usize,
    pub value: Value,
}

/// How far the current state has come. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) enum Phase {
    #[default]
    New,
    Until(u64),
    RetryAt(u64),
    Task(Box<RunningTask>),
    Branches(Vec<Branch>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunningTask {
    pub id: String,
    pub resource: Resource,
    pub request: Value,
    pub timeout_at: Option<u64>,
    pub heartbeat_ms: Option<u64>,
    pub heartbeat_at: Option<u64>,
    /// The call has been made and its outcome comes by token.
    pub submitted: bool,
    /// What the call answered.
    #[serde(skip)]
    pub answer: Option<Result<Value, Failure>>,
    /// What came by token.
    #[serde(skip)]
    pub outcome: Option<Result<Value, Failure>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Branch {
    Pending { input: Value, item: Option<Item> },
    Running(Box<Frame>),
    Done(Value),
}

/// A call that a task makes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub task_id: String,
    pub resource: Resource,
    pub request: Value,
}

/// News of a task.
#[derive(Debug)]
pub(super) enum News {
    /// The call has ended.
    Answer(Result<Value, Failure>),
    /// `SendTaskSuccess` or `SendTaskFailure`.
    Outcome(Result<Value, Failure>),
    /// `SendTaskHeartbeat`.
    Heartbeat,
}

/// What a new execution is made of.
pub(super) struct Start {
    pub arn: String,
    pub name: String,
    pub machine_arn: String,
    pub role_arn: String,
    pub definition: String,
    pub input: String,
}

impl Execution {
    /// Makes an execution and its first event. `data` is the input, parsed.
    pub(super) fn start(start: Start, start_at: &str, data: Value, now_ms: u64) -> (Self, Event) {
        let event = Event::execution_started(now_ms, &start.input, &start.role_arn);
        let execution = Self {
            arn: start.arn,
            name: start.name,
            machine_arn: start.machine_arn,
            role_arn: start.role_arn,
            definition: start.definition,
            input: start.input,
            started_ms: now_ms,
            ended_ms: None,
            status: Status::Running,
            output: None,
            error: None,
            cause: None,
            events: 1,
            root: Some(Frame::new(start_at, data, 1, None)),
        };
        (execution, event)
    }

    /// Goes on until everything waits or the execution has ended; returns what happened.
    pub(super) fn advance(&mut self, machine: &Machine, now_ms: u64) -> Vec<Event> {
        let Some(mut root) = self.root.take() else {
            return Vec::new();
        };
        let overdue = machine
            .timeout_seconds
            .is_some_and(|seconds| now_ms >= self.started_ms + seconds * 1000);
        let mut turn = Turn::new(self, now_ms);
        if overdue {
            let failure = Failure::new(Failure::TIMEOUT, "");
            turn.end(Status::TimedOut, root.previous, Err(failure));
            return turn.events;
        }
        match turn.run(machine, &mut root) {
            None => {
                let events = turn.events;
                self.root = Some(root);
                events
            }
            Some(outcome) => {
                let status = match &outcome {
                    Ok(_) => Status::Succeeded,
                    Err(_) => Status::Failed,
                };
                turn.end(status, root.previous, outcome);
                turn.events
            }
        }
    }

    /// Ends the execution at someone's wish.
    pub(super) fn abort(&mut self, failure: Failure, now_ms: u64) -> Vec<Event> {
        let Some(root) = self.root.take() else {
            return Vec::new();
        };
        let mut turn = Turn::new(self, now_ms);
        turn.end(Status::Aborted, root.previous, Err(failure));
        turn.events
    }

    /// Notes news of a task, for the next [`advance`](Self::advance); returns whether the task runs.
    pub(super) fn note(&mut self, task_id: &str, news: News, now_ms: u64) -> bool {
        let Some(task) = self.root.as_mut().and_then(|root| root.task(task_id)) else {
            return false;
        };
        match news {
            News::Answer(answer) => task.answer = Some(answer),
            News::Outcome(_) | News::Heartbeat if !task.waits_for_token() => return false,
            News::Outcome(outcome) => task.outcome = Some(outcome),
            News::Heartbeat => task.heartbeat_at = task.heartbeat_ms.map(|every| now_ms + every),
        }
        true
    }

    /// Returns the calls that are under way, or should be.
    pub(super) fn calls(&self) -> Vec<Call> {
        let mut calls = Vec::new();
        if let Some(root) = &self.root {
            root.visit(&mut |phase| {
                if let Phase::Task(task) = phase
                    && !task.submitted
                {
                    calls.push(Call {
                        task_id: task.id.clone(),
                        resource: task.resource.clone(),
                        request: task.request.clone(),
                    });
                }
            });
        }
        calls
    }

    /// Returns when it goes on by itself, milliseconds since the epoch.
    pub(super) fn due(&self, machine: &Machine) -> Option<u64> {
        let root = self.root.as_ref()?;
        let mut due = machine
            .timeout_seconds
            .map(|seconds| self.started_ms + seconds * 1000);
        root.visit(&mut |phase| {
            let times = match phase {
                Phase::Until(at) | Phase::RetryAt(at) => [Some(*at), None],
                Phase::Task(task) => [task.timeout_at, task.heartbeat_at],
                Phase::New | Phase::Branches(_) => [None, None],
            };
            due = times.into_iter().flatten().chain(due).min();
        });
        due
    }
}

impl Frame {
    pub(super) fn new(state: &str, input: Value, previous: u64, item: Option<Item>) -> Self {
        Self {
            state: state.to_owned(),
            input,
            entered_ms: 0,
            retries: BTreeMap::new(),
            previous,
            phase: Phase::New,
            item,
        }
    }

    /// Goes on to another state.
    pub(super) fn enter(&mut self, state: &str, input: Value) {
        *self = Self::new(state, input, self.previous, mem::take(&mut self.item));
    }

    fn visit(&self, see: &mut impl FnMut(&Phase)) {
        see(&self.phase);
        if let Phase::Branches(branches) = &self.phase {
            for branch in branches {
                if let Branch::Running(frame) = branch {
                    frame.visit(&mut *see);
                }
            }
        }
    }

    fn task(&mut self, id: &str) -> Option<&mut RunningTask> {
        match &mut self.phase {
            Phase::Task(task) if task.id == id => Some(task),
            Phase::Branches(branches) => branches.iter_mut().find_map(|branch| match branch {
                Branch::Running(frame) => frame.task(id),
                Branch::Pending { .. } | Branch::Done(_) => None,
            }),
            Phase::Task(_) | Phase::New | Phase::Until(_) | Phase::RetryAt(_) => None,
        }
    }
}

impl RunningTask {
    pub(super) fn waits_for_token(&self) -> bool {
        self.resource == Resource::LambdaInvokeAndWait
    }
}

/// Makes the token of a task.
pub(super) fn task_token(execution_arn: &str, task_id: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{execution_arn}#{task_id}"))
}

/// Returns the ARN of the execution and the id of the task that a token is of.
pub(super) fn parse_token(token: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (execution_arn, task_id) = text.split_once('#')?;
    Some((execution_arn.to_owned(), task_id.to_owned()))
}
