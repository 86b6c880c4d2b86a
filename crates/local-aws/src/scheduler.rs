//! Amazon EventBridge Scheduler: schedules at a rate, whose targets are state machines and functions.
//!
//! The next time of a schedule is kept in the index. Differs from EventBridge Scheduler: a rate counts
//! from the first start with it, so that the target is first called after one interval; times that have
//! passed while the service was stopped are made up for by one call; a target that refuses is not
//! called again before the next time; no cron, one-time or windowed schedules, and no API.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, SecondsFormat};
use redb::{ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    ACCOUNT_ID,
    iam::{Call, Iam, Principal},
    invocation_queue::{InvocationQueue, QueuedEvent, epoch_millis},
    lambda::Lambda,
    stepfunctions::{StartError, StepFunctions},
    store::Store,
};

const SCHEDULES: TableDefinition<&str, &[u8]> = TableDefinition::new("scheduler-schedules");

/// Longest sleep, after which the clock is looked at again: a laptop may have slept meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// A schedule of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// Schedule name.
    pub name: String,
    /// For example `rate(5 minutes)`.
    pub expression: String,
    /// `State: ENABLED`.
    pub enabled: bool,
    /// ARN of the state machine or the function.
    pub target_arn: String,
    /// Role that calls the target; `scheduler.amazonaws.com` must be able to assume it.
    pub role_arn: String,
    /// What the target gets, text; `None` for the event that describes the schedule.
    pub input: Option<String>,
}

/// The service. A clone is another handle to the same schedules.
#[derive(Debug, Clone)]
pub struct Scheduler {
    store: Arc<Store>,
    iam: Arc<Iam>,
    queue: InvocationQueue,
    lambda: Arc<Lambda>,
    step_functions: Arc<StepFunctions>,
    region: String,
    schedules: Arc<RwLock<BTreeMap<String, Schedule>>>,
}

#[derive(Debug, Clone)]
struct Schedule {
    spec: ScheduleSpec,
    next_ms: u64,
    every_ms: u64,
}

impl Schedule {
    /// Returns whether its time has come; also where the time is so far away that a clock which was ahead has set it.
    fn is_due(&self, now_ms: u64) -> bool {
        let is_of_future = self.next_ms > now_ms.saturating_add(2 * self.every_ms);
        self.spec.enabled && (self.next_ms <= now_ms || is_of_future)
    }
}

/// What is kept of a schedule.
#[derive(Serialize, Deserialize)]
struct Kept {
    expression: String,
    next_ms: u64,
}

impl Scheduler {
    /// Opens the schedules in `store`.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        queue: InvocationQueue,
        lambda: Arc<Lambda>,
        step_functions: Arc<StepFunctions>,
        region: String,
    ) -> Result<Self, redb::Error> {
        let transaction = store.index.begin_write()?;
        transaction.open_table(SCHEDULES)?;
        transaction.commit()?;
        Ok(Self {
            store,
            iam,
            queue,
            lambda,
            step_functions,
            region,
            schedules: Arc::default(),
        })
    }

    /// Adds or replaces a schedule. One that was there with the same expression keeps its next time.
    ///
    /// # Errors
    ///
    /// Names what is wrong or not implemented.
    pub fn put_schedule(&self, spec: ScheduleSpec) -> Result<(), String> {
        self.put_schedule_at(spec, epoch_millis())
    }

    fn put_schedule_at(&self, spec: ScheduleSpec, now_ms: u64) -> Result<(), String> {
        let refused = |reason: String| format!("schedule {}: {reason}", spec.name);
        let every_ms = parse_rate(&spec.expression).map_err(refused)?;
        if !is_machine(&spec.target_arn) && !is_function(&spec.target_arn) {
            let reason = format!("the target {} is no state machine or function", spec.target_arn);
            return Err(refused(reason));
        }
        let next_ms = self
            .keep(&spec, now_ms + every_ms)
            .map_err(|error| refused(error.to_string()))?;
        let mut schedules = self.schedules.write().unwrap_or_else(PoisonError::into_inner);
        let schedule = Schedule {
            next_ms,
            every_ms,
            spec,
        };
        schedules.insert(schedule.spec.name.clone(), schedule);
        Ok(())
    }

    /// Returns the next time of a schedule: the kept one, else `first_ms`.
    fn keep(&self, spec: &ScheduleSpec, first_ms: u64) -> Result<u64, redb::Error> {
        let transaction = self.store.index.begin_write()?;
        let next_ms = {
            let mut table = transaction.open_table(SCHEDULES)?;
            let kept: Option<Kept> = table
                .get(spec.name.as_str())?
                .and_then(|json| serde_json::from_slice(json.value()).ok());
            match kept {
                _ if !spec.enabled => {
                    table.remove(spec.name.as_str())?;
                    u64::MAX
                }
                Some(kept) if kept.expression == spec.expression => kept.next_ms,
                _ => {
                    table.insert(spec.name.as_str(), kept_json(spec, first_ms).as_slice())?;
                    first_ms
                }
            }
        };
        transaction.commit()?;
        Ok(next_ms)
    }

    /// Calls the targets at their times, for ever. Provision everything before.
    pub async fn run(&self) {
        loop {
            let scheduler = self.clone();
            let due = tokio::task::spawn_blocking(move || scheduler.run_due(epoch_millis())).await;
            let next_ms = due.expect("calling targets does not panic and is not aborted");
            let sleep = Duration::from_millis(next_ms.saturating_sub(epoch_millis()));
            // A time that the disk did not take stays due.
            tokio::time::sleep(sleep.clamp(Duration::from_millis(100), LONGEST_SLEEP)).await;
        }
    }

    /// Calls the targets that are due; returns the next time.
    fn run_due(&self, now_ms: u64) -> u64 {
        let schedules = self.schedules.read().unwrap_or_else(PoisonError::into_inner);
        let due: Vec<Schedule> = schedules
            .values()
            .filter(|it| it.is_due(now_ms))
            .cloned()
            .collect();
        drop(schedules);
        for mut schedule in due {
            schedule.next_ms = schedule.next_ms.min(now_ms);
            let missed = (now_ms - schedule.next_ms) / schedule.every_ms;
            let next_ms = schedule.next_ms + (missed + 1) * schedule.every_ms;
            if let Err(error) = self.call(&schedule, next_ms) {
                let schedule = schedule.spec.name;
                tracing::error!(%error, schedule, "the time of a schedule cannot be stored");
                continue;
            }
            let mut schedules = self.schedules.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(schedule) = schedules.get_mut(&schedule.spec.name) {
                schedule.next_ms = next_ms;
            }
        }
        let schedules = self.schedules.read().unwrap_or_else(PoisonError::into_inner);
        schedules.values().map(|it| it.next_ms).min().unwrap_or(u64::MAX)
    }

    /// Calls a target once for a time, also if this process ends in between: a state machine by a name
    /// that is made of the time, a function in the same commit as the schedule's next time.
    fn call(&self, schedule: &Schedule, next_ms: u64) -> Result<(), redb::Error> {
        let spec = &schedule.spec;
        let input = self.input(schedule);
        let mut event = None;
        let outcome = self.may_call(spec).and_then(|()| {
            if is_function(&spec.target_arn) {
                let arn = self.lambda.function_arn(&spec.target_arn);
                event = Some(QueuedEvent::new(arn, input));
                return Ok(());
            }
            let name = format!("{}-{:.60}", schedule.next_ms, spec.name);
            match self
                .step_functions
                .start_execution(&spec.target_arn, Some(name), input)
            {
                Ok(_) | Err(StartError::AlreadyExists(_)) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        });
        if let Err(reason) = outcome {
            tracing::error!(
                schedule = spec.name,
                reason,
                "the target of a schedule was not called"
            );
        }
        let transaction = self.store.index.begin_write()?;
        transaction
            .open_table(SCHEDULES)?
            .insert(spec.name.as_str(), kept_json(spec, next_ms).as_slice())?;
        if let Some(event) = &event {
            self.queue.put(&transaction, event)?;
        }
        transaction.commit()?;
        self.queue.wake();
        Ok(())
    }

    fn may_call(&self, spec: &ScheduleSpec) -> Result<(), String> {
        if !self.iam.may_assume("scheduler.amazonaws.com", &spec.role_arn) {
            return Err(format!("scheduler.amazonaws.com cannot assume {}", spec.role_arn));
        }
        let is_function = is_function(&spec.target_arn);
        let policy = is_function
            .then(|| self.lambda.policy(&spec.target_arn))
            .flatten();
        let call = Call {
            principal: &Principal::Role {
                arn: spec.role_arn.clone(),
            },
            action: if is_function {
                "lambda:InvokeFunction"
            } else {
                "states:StartExecution"
            },
            resource: &spec.target_arn,
            context: &BTreeMap::new(),
            resource_policy: policy.as_ref(),
        };
        self.iam.authorize(&call).map_err(|denied| denied.to_string())
    }

    fn input(&self, schedule: &Schedule) -> String {
        let arn = format!(
            "arn:aws:scheduler:{}:{ACCOUNT_ID}:schedule/default/{}",
            self.region, schedule.spec.name
        );
        let time = i64::try_from(schedule.next_ms)
            .ok()
            .and_then(DateTime::from_timestamp_millis);
        let time = time
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Secs, true);
        let id = uuid::Uuid::new_v4().to_string();
        match &schedule.spec.input {
            Some(input) => input
                .replace("<aws.scheduler.schedule-arn>", &arn)
                .replace("<aws.scheduler.scheduled-time>", &time)
                .replace("<aws.scheduler.execution-id>", &id)
                .replace("<aws.scheduler.attempt-number>", "1"),
            None => json!({
                "version": "0",
                "id": id,
                "detail-type": "Scheduled Event",
                "source": "aws.scheduler",
                "account": ACCOUNT_ID,
                "time": time,
                "region": self.region,
                "resources": [arn],
                "detail": "{}",
            })
            .to_string(),
        }
    }
}

fn kept_json(spec: &ScheduleSpec, next_ms: u64) -> Vec<u8> {
    let kept = Kept {
        expression: spec.expression.clone(),
        next_ms,
    };
    serde_json::to_vec(&kept).expect("what is kept has only string keys")
}

fn is_machine(arn: &str) -> bool {
    arn.starts_with("arn:aws:states:") && arn.contains(":stateMachine:")
}

fn is_function(arn: &str) -> bool {
    arn.starts_with("arn:aws:lambda:") && arn.contains(":function:")
}

/// Returns the milliseconds of `rate(5 minutes)`.
fn parse_rate(expression: &str) -> Result<u64, String> {
    let unsupported =
        || format!("`{expression}` is not supported, only rate(<number> minutes, hours or days)");
    let rate = expression
        .strip_prefix("rate(")
        .and_then(|rate| rate.strip_suffix(')'));
    let (number, unit) = rate
        .and_then(|rate| rate.split_once(' '))
        .ok_or_else(unsupported)?;
    let minutes = match unit {
        "minute" | "minutes" => 1,
        "hour" | "hours" => 60,
        "day" | "days" => 24 * 60,
        _ => return Err(unsupported()),
    };
    let number: u32 = number.parse().map_err(|_| unsupported())?;
    match number {
        0 => Err(unsupported()),
        number => Ok(u64::from(number) * minutes * 60_000),
    }
}

#[cfg(test)]
mod tests;
