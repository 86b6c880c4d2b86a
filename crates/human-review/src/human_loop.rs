//! One human loop as data: its state, who holds it, who answered, and what is due at a given time.
//!
//! Nothing here touches S3; [`crate::loops`] stores what these functions decide.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::labelling_jobs::audits::worker_id;
pub use crate::loop_end::Due;
pub use crate::loop_flow::{FlowRules, LoopFlow};
use crate::numbers;
use crate::output::Answer;
pub use crate::refusal::Refusal;
pub use crate::worker::Worker;

/// State of a loop: the five of the A2I API, and the mark of a deleted loop whose name is free again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Reviewers may answer.
    InProgress,
    /// Stopped by the caller; reviewers who already started may finish.
    Stopping,
    /// Stopped.
    Stopped,
    /// All answers are in.
    Completed,
    /// Not answered in time.
    Failed,
    /// Deleted: unknown to callers, its name may be used again.
    Deleted,
}

impl Status {
    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Deleted => "Deleted",
        }
    }

    /// Returns whether the loop counts against the quota of loops in flight.
    pub fn is_in_flight(self) -> bool {
        matches!(self, Self::InProgress | Self::Stopping)
    }
}

/// The right of one reviewer to answer a loop until it expires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Worker id.
    pub worker_id: String,
    /// When the reviewer opened the task.
    pub accepted_at: DateTime<Utc>,
    /// From then on somebody else may take it.
    pub expires_at: DateTime<Utc>,
    /// Whether it was fetched ahead and not opened yet: then it is held for a short time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_ahead: bool,
}

/// How long a loop is held that was fetched ahead, at most, until its page says that it is open: who left before the reply
/// came holds it no longer.
pub const AHEAD_LIMIT: Duration = Duration::minutes(3);

/// Largest input that a state holds itself, in bytes: it is written whenever the state is.
pub const MAX_HELD_INPUT_BYTES: usize = 8_192;
/// Levels of arrays and objects that a state holds in an input or an answer at most: it nests them deeper, and a document of
/// 128 levels cannot be read.
const MAX_HELD_LEVELS: usize = 64;

/// Returns whether a document is nested so little that it can be read within a state.
pub fn can_be_held(document: &Value) -> bool {
    let mut level = vec![document];
    for _ in 0..=MAX_HELD_LEVELS {
        level = level
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(values) => values.iter().collect::<Vec<_>>(),
                Value::Object(members) => members.values().collect(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
            })
            .collect();
        if level.is_empty() {
            return true;
        }
    }
    false
}

/// A stored answer of one reviewer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerEntry {
    /// Worker id.
    pub worker_id: String,
    /// Names the answer, and the object that holds it where the state does not.
    pub answer_id: String,
    /// The answer; none where it is an object of its own, as those of versions before are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// The state of one human loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HumanLoop {
    /// Made at start and never used again, so that a reused name is another loop.
    pub id: String,
    /// Name, unique among the loops that are not deleted.
    pub name: String,
    /// When it was started, to the millisecond.
    pub created_at: DateTime<Utc>,
    /// When it fails for lack of answers.
    pub expires_at: DateTime<Utc>,
    /// Answers that complete it.
    pub task_count: usize,
    /// SHA-256 of the input content, which tells a repeated start from a conflicting one.
    pub input_sha256: String,
    /// What it asks; none where that is an object of its own: of more than [`MAX_HELD_INPUT_BYTES`], nested too deep, or of a
    /// version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Number of items in the input, if it is of our own kind.
    pub item_count: Option<usize>,
    /// Smallest confidence among the items, 0 to 1.
    pub lowest_confidence: Option<f64>,
    /// State.
    pub status: Status,
    /// Reviewers who opened it, also those whose time is over while nobody took their place.
    pub leases: Vec<Lease>,
    /// The last lease of each reviewer whose place somebody took, or who had it open when it ended: they may still answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended_leases: Vec<Lease>,
    /// Answers, in the order in which they came.
    pub answers: Vec<AnswerEntry>,
    /// Worker ids that skipped it.
    pub skipped_by: Vec<String>,
    /// Why they did, where they said so, by worker id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skip_reasons: BTreeMap<String, String>,
    /// Worker ids that have answered one of its texts in another loop: it is not offered to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_workers: Vec<String>,
    /// The flow definition that it was started in; none for that of the stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<LoopFlow>,
    /// Why its output could not be written, where it failed for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Worker ids that ever had it open: what they answer is a vote, also when somebody took their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened_by: Vec<String>,
    /// Whether it was deleted since what it asked was erased at a person's wish.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_erased: bool,
    /// When it ended: with the last answer that it needs, or without. The output is written after this, so it may lack for a
    /// moment. None of a loop that a version before stopped or failed, whose output was written first.
    #[serde(default, rename = "completed_at", skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Returns whether whom an input of the stack's own flow definition excludes is a list of workers, or nobody.
pub fn excludes_workers(input: &Value) -> bool {
    match &input["excludedWorkers"] {
        Value::Null => true,
        Value::Array(workers) => workers.iter().all(Value::is_string),
        _ => false,
    }
}

impl HumanLoop {
    /// Returns a new loop in progress, of the stack's own flow definition: its input may ask for fewer answers, one more
    /// opinion, say, and for nobody who has given theirs.
    pub fn start(id: String, name: &str, input: &str, now: DateTime<Utc>, rules: &FlowRules) -> Self {
        let human_loop = Self::of_opaque_input(id, name, input, now, rules);
        let input: Value = serde_json::from_str(input).unwrap_or_default();
        let excluded = input["excludedWorkers"].as_array().into_iter().flatten();
        let wanted = input["taskCount"]
            .as_u64()
            .and_then(|count| usize::try_from(count).ok());
        Self {
            task_count: wanted.map_or(rules.task_count, |wanted| wanted.clamp(1, rules.task_count)),
            excluded_workers: excluded.filter_map(worker_id).collect(),
            ..human_loop
        }
    }

    /// Returns a new loop in progress of a flow definition or a labelling job of one's own: how many are asked, and who not,
    /// its rules say alone.
    pub fn start_in(
        flow: LoopFlow,
        id: String,
        name: &str,
        input: &str,
        now: DateTime<Utc>,
        rules: &FlowRules,
    ) -> Self {
        Self {
            flow: Some(flow),
            ..Self::of_opaque_input(id, name, input, now, rules)
        }
    }

    fn of_opaque_input(id: String, name: &str, input: &str, now: DateTime<Utc>, rules: &FlowRules) -> Self {
        let created_at = DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now);
        let (input_sha256, input_bytes) = (sha256(input), input.len());
        let are_numbers_kept = numbers::are_kept(input);
        let input: Value = serde_json::from_str(input).unwrap_or_default();
        let items = input["comprehendPredictions"].as_array();
        Self {
            id,
            name: name.to_owned(),
            created_at,
            expires_at: created_at + rules.availability,
            task_count: rules.task_count,
            input_sha256,
            item_count: items.map(Vec::len),
            lowest_confidence: items.and_then(|items| lowest_confidence(items)),
            status: Status::InProgress,
            leases: Vec::new(),
            ended_leases: Vec::new(),
            answers: Vec::new(),
            skipped_by: Vec::new(),
            skip_reasons: BTreeMap::new(),
            opened_by: Vec::new(),
            flow: None,
            failure: None,
            is_erased: false,
            ended_at: None,
            excluded_workers: rules.excluded_workers.clone(),
            input: (input_bytes <= MAX_HELD_INPUT_BYTES
                && are_numbers_kept
                && !input.is_null()
                && can_be_held(&input))
            .then_some(input),
        }
    }

    /// Returns whether its input and answers are nobody's business here: it is of a flow definition or a labelling job of
    /// one's own, as whose pages show it.
    pub fn is_opaque(&self) -> bool {
        self.flow.is_some()
    }

    /// Returns whether it is a task of a labelling job.
    pub fn is_of_labelling_job(&self) -> bool {
        self.flow.as_ref().is_some_and(LoopFlow::is_labelling_job)
    }

    /// Returns the work team whose members may take it; none for everybody.
    pub fn team(&self) -> Option<&str> {
        self.flow.as_ref().and_then(|flow| flow.team.as_deref())
    }

    /// Returns whether a reviewer may see it: who is in its team, and who had it open while they were.
    pub fn is_for(&self, worker: &Worker) -> bool {
        worker.teams.have(self.team()) || self.had_it_open(&worker.id)
    }

    /// Returns the ARN of its flow definition, given that of the stack.
    pub fn flow_arn<'a>(&'a self, own: &'a str) -> &'a str {
        self.flow.as_ref().map_or(own, |flow| &flow.arn)
    }

    /// Returns how long one reviewer may hold it, given the rules of the stack's flow definition.
    pub fn time_limit(&self, own: &FlowRules) -> Duration {
        match &self.flow {
            Some(flow) => Duration::seconds(flow.time_limit_seconds),
            None => own.time_limit,
        }
    }

    /// Gives the reviewer a lease; one that they still hold stays as it is, unless the loop lay ready for them only.
    ///
    /// # Errors
    ///
    /// As [`HumanLoop::may_answer`].
    pub fn take(&mut self, worker_id: &str, now: DateTime<Utc>, time_limit: Duration) -> Result<(), Refusal> {
        self.hold(worker_id, now, time_limit, false)?;
        let is_own_ahead = |lease: &&mut Lease| lease.worker_id == worker_id && lease.is_ahead;
        if let Some(lease) = self.leases.iter_mut().find(is_own_ahead) {
            lease.is_ahead = false;
            lease.expires_at = now + time_limit;
        }
        Ok(())
    }

    /// Does the same for a loop that is fetched ahead: it is held for [`AHEAD_LIMIT`] at most.
    ///
    /// # Errors
    ///
    /// As [`HumanLoop::may_answer`].
    pub fn take_ahead(
        &mut self,
        worker_id: &str,
        now: DateTime<Utc>,
        time_limit: Duration,
    ) -> Result<(), Refusal> {
        self.hold(
            worker_id,
            now,
            time_limit.min(AHEAD_LIMIT),
            time_limit > AHEAD_LIMIT,
        )
    }

    fn hold(
        &mut self,
        worker_id: &str,
        now: DateTime<Utc>,
        time_limit: Duration,
        is_ahead: bool,
    ) -> Result<(), Refusal> {
        self.may_answer(worker_id, now)?;
        if self.live_lease(worker_id, now).is_none() {
            self.end_leases(|lease| lease.expires_at <= now);
            self.ended_leases.retain(|lease| lease.worker_id != worker_id);
            self.leases.push(Lease {
                worker_id: worker_id.to_owned(),
                accepted_at: now,
                expires_at: now + time_limit,
                is_ahead,
            });
        }
        if !self.opened_by.iter().any(|opened| opened == worker_id) {
            self.opened_by.push(worker_id.to_owned());
        }
        Ok(())
    }

    /// Puts leases aside that end: who had one may still answer.
    pub(crate) fn end_leases(&mut self, ends: impl Fn(&Lease) -> bool) {
        let leases = std::mem::take(&mut self.leases);
        let (ended, live): (Vec<Lease>, Vec<Lease>) = leases.into_iter().partition(ends);
        let is_newer = |lease: &Lease| ended.iter().any(|ended| ended.worker_id == lease.worker_id);
        self.ended_leases.retain(|lease| !is_newer(lease));
        self.ended_leases.extend(ended);
        self.leases = live;
    }

    /// Lets the reviewer's lease run from now on; one that has ended begins again, unless somebody took
    /// their place.
    ///
    /// # Errors
    ///
    /// As [`HumanLoop::may_answer`].
    pub fn renew(
        &mut self,
        worker_id: &str,
        now: DateTime<Utc>,
        time_limit: Duration,
    ) -> Result<(), Refusal> {
        self.may_answer(worker_id, now)?;
        match self.leases.iter_mut().find(|lease| lease.worker_id == worker_id) {
            Some(lease) => {
                lease.expires_at = now + time_limit;
                lease.is_ahead = false;
            }
            None => self.take(worker_id, now, time_limit)?,
        }
        Ok(())
    }

    /// Ends the reviewer's lease, as if they had not opened the loop.
    pub fn give_back(&mut self, worker_id: &str) {
        self.leases.retain(|lease| lease.worker_id != worker_id);
    }

    /// Returns whether the reviewer may open the loop now, and answer it: also after their lease has
    /// expired, as long as nobody took their place.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] that applies.
    pub fn may_answer(&self, worker_id: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        if self.has_answered(worker_id) {
            let counts = self.is_of_labelling_job() && !self.status.is_in_flight();
            return Err(if counts {
                Refusal::Counted
            } else {
                Refusal::Answered
            });
        }
        if self.excluded_workers.iter().any(|excluded| excluded == worker_id) {
            return Err(Refusal::Excluded);
        }
        let holds = self.live_lease(worker_id, now).is_some();
        match self.status {
            Status::InProgress => {}
            Status::Stopping if holds => {}
            _ => return Err(Refusal::Closed),
        }
        let others = self
            .leases
            .iter()
            .filter(|lease| lease.expires_at > now && lease.worker_id != worker_id);
        if self.answers.len() + others.count() >= self.task_count {
            return Err(Refusal::Held);
        }
        Ok(())
    }

    /// Returns whether an answer of the reviewer is taken now: also where somebody else took their place.
    ///
    /// Who had the loop open has worked on it, and an opinion is a vote. Once the loop is completed the
    /// answer is [late](HumanLoop::takes_late_answer).
    ///
    /// # Errors
    ///
    /// As [`HumanLoop::may_answer`].
    pub fn may_submit(&self, worker_id: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        match self.may_answer(worker_id, now) {
            Err(Refusal::Held) if self.status == Status::InProgress && self.had_it_open(worker_id) => Ok(()),
            other => other,
        }
    }

    /// Returns whether the reviewer has answered, and may answer again. Answers to a task of a labelling job become a label
    /// as soon as all of them are there.
    pub fn may_correct(&self, worker_id: &str, now: DateTime<Utc>) -> bool {
        let is_answered = self.may_submit(worker_id, now) == Err(Refusal::Answered);
        is_answered || self.takes_late_answer(worker_id)
    }

    /// Returns whether an answer of the reviewer still counts, beside the output that is written.
    pub fn takes_late_answer(&self, worker_id: &str) -> bool {
        self.status == Status::Completed && self.had_it_open(worker_id) && !self.is_of_labelling_job()
    }

    /// Returns whether there is an answer of the reviewer.
    pub fn has_answered(&self, worker_id: &str) -> bool {
        self.answers.iter().any(|answer| answer.worker_id == worker_id)
    }

    /// Returns whether the reviewer had it open, or gave it back.
    pub fn has_seen(&self, worker_id: &str) -> bool {
        let holds = self.leases.iter().any(|lease| lease.worker_id == worker_id);
        holds || self.had_it_open(worker_id) || self.skipped_by.iter().any(|skipped| skipped == worker_id)
    }

    fn had_it_open(&self, worker_id: &str) -> bool {
        self.opened_by.iter().any(|opened| opened == worker_id)
    }

    /// Notes the stored answer of a reviewer and ends their lease; with the last one that it needs it is completed.
    ///
    /// # Errors
    ///
    /// As [`HumanLoop::may_submit`].
    pub fn answer(&mut self, entry: AnswerEntry, now: DateTime<Utc>) -> Result<(), Refusal> {
        self.may_submit(&entry.worker_id, now)?;
        self.leases.retain(|lease| lease.worker_id != entry.worker_id);
        self.answers.push(entry);
        if self.due(now) == Some(Due::Complete) {
            self.end(Status::Completed, now);
        }
        Ok(())
    }

    /// Puts a reviewer's newer answer in the place of their own, while answers are still collected; returns
    /// whether it did.
    pub fn replace_answer(&mut self, entry: AnswerEntry) -> bool {
        let open = self.status.is_in_flight();
        let own = self
            .answers
            .iter_mut()
            .find(|answer| answer.worker_id == entry.worker_id);
        let Some(own) = own.filter(|_| open) else {
            return false;
        };
        *own = entry;
        true
    }

    /// Gives the task back and remembers who skipped it, and why; returns whether they had not skipped it before.
    pub fn skip(&mut self, worker_id: &str, reason: Option<&str>) -> bool {
        if !self.status.is_in_flight() {
            return false;
        }
        if let Some(reason) = reason {
            self.skip_reasons.insert(worker_id.to_owned(), reason.to_owned());
        }
        self.leases.retain(|lease| lease.worker_id != worker_id);
        let is_first = !self.skipped_by.iter().any(|skipped| skipped == worker_id);
        if is_first {
            self.skipped_by.push(worker_id.to_owned());
        }
        is_first
    }

    /// Returns when the reviewer opened the task, also if their time is over, and somebody took their place.
    pub fn accepted_at(&self, worker_id: &str) -> Option<DateTime<Utc>> {
        let mut leases = self.leases.iter().chain(&self.ended_leases);
        let lease = leases.find(|lease| lease.worker_id == worker_id)?;
        Some(lease.accepted_at)
    }

    /// Returns when the reviewer's right to answer ends.
    pub fn lease_expires_at(&self, worker_id: &str) -> Option<DateTime<Utc>> {
        let lease = self.leases.iter().find(|lease| lease.worker_id == worker_id)?;
        Some(lease.expires_at)
    }

    /// Returns whether the loop lies ready for the reviewer, who has not opened it.
    pub fn is_ahead(&self, worker_id: &str) -> bool {
        let mut leases = self.leases.iter();
        leases.any(|lease| lease.worker_id == worker_id && lease.is_ahead)
    }

    fn live_lease(&self, worker_id: &str, now: DateTime<Utc>) -> Option<&Lease> {
        self.leases
            .iter()
            .find(|lease| lease.worker_id == worker_id && lease.expires_at > now)
    }
}

/// Returns the SHA-256 of a text in hexadecimal.
pub fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn lowest_confidence(items: &[Value]) -> Option<f64> {
    items
        .iter()
        .filter_map(|item| item.get("confidence")?.as_f64())
        .min_by(f64::total_cmp)
}
