//! AWS Step Functions: standard workflows in the Amazon States Language (JSONPath), run durably.
//!
//! Every turn of an execution is committed, state and history together, before its calls are made; after
//! a crash an execution goes on where it was, and a task that was under way is called again. A wait keeps
//! its absolute time. What a machine calls, it calls with its role.
//!
//! Differences from AWS:
//!
//! * Tasks call functions (by ARN, `lambda:invoke`, `lambda:invoke.waitForTaskToken`) and `sns:publish`;
//!   what else a definition uses and is not here (JSONata, other integrations, distributed maps, paths
//!   that name several places, some intrinsic functions) is refused when the machine is put.
//! * A call that the role may not make fails with `States.Permissions`.
//! * A running call is not stopped when its execution is, or when another branch fails.
//! * A machine is as old as this process, as far as `creationDate` says.
//! * No express workflows, versions, aliases, redrive, activities or tags.

mod api;
mod calls;
mod choice;
mod definition;
mod events;
mod execution;
mod expression;
mod failure;
mod path;
mod records;
mod runner;
mod states;
mod turn;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    definition::Machine,
    execution::{Execution, MAX_DATA_BYTES, Start, Status},
    records::{Created, Records},
    runner::Message,
};
use crate::{ACCOUNT_ID, iam::Iam, invocation_queue::epoch_millis, lambda::Lambda, sns::Sns, store::Store};

/// Largest definition, bytes.
const MAX_DEFINITION_BYTES: usize = 1_048_576;

/// Longest name of a machine or an execution, characters.
const MAX_NAME_CHARS: usize = 80;

/// How long executions that have ended are kept: 90 days.
const RETENTION_MS: u64 = 90 * 24 * 60 * 60 * 1000;

/// A state machine of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateMachineSpec {
    /// Name, at most 80 characters.
    pub name: String,
    /// The definition, JSON text, its substitutions made.
    pub definition: String,
    /// Role that it calls with; `states.amazonaws.com` must be able to assume it.
    pub role_arn: String,
}

/// Returns the ARN of a state machine.
pub fn state_machine_arn(region: &str, name: &str) -> String {
    format!("arn:aws:states:{region}:{ACCOUNT_ID}:stateMachine:{name}")
}

/// The service.
#[derive(Debug)]
pub struct StepFunctions {
    records: Records,
    iam: Arc<Iam>,
    lambda: Arc<Lambda>,
    sns: Sns,
    region: String,
    machines: RwLock<BTreeMap<String, Provisioned>>,
    running: Mutex<HashMap<String, mpsc::Sender<Message>>>,
    /// Executions that ran when the service was last stopped.
    unfinished: Mutex<Vec<Execution>>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug, Clone)]
struct Provisioned {
    spec: StateMachineSpec,
    machine: Arc<Machine>,
    created_ms: u64,
}

/// An execution that was started, now or by the same call before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedExecution {
    /// ARN of the execution.
    pub arn: String,
    /// When it started, milliseconds since the epoch.
    pub started_ms: u64,
}

/// Why an execution was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such machine; holds its ARN.
    #[error("State Machine Does Not Exist: '{0}'")]
    MachineDoesNotExist(String),
    /// The name is too long or has characters that names do not have.
    #[error("Invalid Name: '{0}'")]
    InvalidName(String),
    /// The input is no JSON or too large.
    #[error("Invalid State Machine Execution Input: '{0}'")]
    InvalidInput(String),
    /// An execution of this name has another input or has ended; holds its ARN.
    #[error("Execution Already Exists: '{0}'")]
    AlreadyExists(String),
    /// The index cannot be read or written.
    #[error("the execution cannot be stored")]
    Index(#[from] redb::Error),
}

impl StepFunctions {
    /// Opens the executions in `store`. Those that have not ended go on at [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        lambda: Arc<Lambda>,
        sns: Sns,
        region: String,
    ) -> Result<Self, redb::Error> {
        let records = Records::open(store)?;
        records.remove_ended_before(epoch_millis().saturating_sub(RETENTION_MS))?;
        let unfinished = records.list(|execution| execution.status == Status::Running)?;
        Ok(Self {
            records,
            iam,
            lambda,
            sns,
            region,
            machines: RwLock::default(),
            running: Mutex::default(),
            unfinished: Mutex::new(unfinished),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// Checks that a definition uses only what is implemented.
    ///
    /// # Errors
    ///
    /// Names the state, and what of it is wrong or not supported.
    pub fn validate_definition(definition: &str) -> Result<(), String> {
        Machine::parse(definition).map(|_| ())
    }

    /// Runs a definition in memory until it ends, or waits for a call or a time; calls nothing and stores nothing.
    ///
    /// Returns its output, as JSON text; `None` where it waits, or has failed.
    ///
    /// # Errors
    ///
    /// Names the state, and what of it is wrong or not supported; or says that the input is no JSON.
    pub fn rehearse(definition: &str, input: &str) -> Result<Option<String>, String> {
        let machine = Machine::parse(definition)?;
        let data = serde_json::from_str(input).map_err(|error| format!("the input is not JSON: {error}"))?;
        let start = Start {
            arn: "arn:aws:states:us-east-1:000000000000:execution:rehearsal:rehearsal".to_owned(),
            name: "rehearsal".to_owned(),
            machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:rehearsal".to_owned(),
            role_arn: String::new(),
            definition: String::new(),
            input: input.to_owned(),
        };
        let now_ms = epoch_millis();
        let (mut execution, _) = Execution::start(start, &machine.start_at, data, now_ms);
        execution.advance(&machine, now_ms);
        execution.due(&machine);
        Ok(execution.output)
    }

    /// Adds or replaces a state machine. Executions that run go on with the definition and the role
    /// they were started with.
    ///
    /// # Errors
    ///
    /// Names the state, and what of it is wrong or not supported.
    pub fn put_state_machine(&self, spec: StateMachineSpec) -> Result<(), String> {
        let refused = |reason: String| format!("state machine {}: {reason}", spec.name);
        if !is_name(&spec.name) {
            return Err(refused("the name is not one".to_owned()));
        }
        if spec.definition.len() > MAX_DEFINITION_BYTES {
            return Err(refused("the definition is larger than 1 MB".to_owned()));
        }
        let machine = Machine::parse(&spec.definition).map_err(refused)?;
        let mut machines = self.machines.write().unwrap_or_else(PoisonError::into_inner);
        let arn = state_machine_arn(&self.region, &spec.name);
        let created_ms = machines.get(&arn).map_or_else(epoch_millis, |it| it.created_ms);
        let provisioned = Provisioned {
            spec,
            machine: Arc::new(machine),
            created_ms,
        };
        machines.insert(arn, provisioned);
        Ok(())
    }

    /// Goes on with the executions that had not ended. Provision everything before.
    pub fn start(self: &Arc<Self>) {
        let unfinished = std::mem::take(&mut *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner));
        for mut execution in unfinished {
            let definition = self.records.definition(&execution.definition);
            let definition = definition.map_err(|error| error.to_string());
            match definition.and_then(|definition| Machine::parse(&definition)) {
                Ok(machine) => self.launch(execution, Arc::new(machine)),
                Err(reason) => {
                    tracing::error!(execution = execution.arn, reason, "an execution cannot go on");
                    let events = execution.abort(failure::Failure::runtime(reason), epoch_millis());
                    if let Err(error) = self.records.save(&execution, &events) {
                        tracing::error!(%error, "an execution cannot be stored");
                    }
                }
            }
        }
    }

    /// Stops. Executions that have not ended go on after the next start.
    pub async fn shutdown(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Starts an execution, durably. Whether the caller may is the caller's question.
    ///
    /// Idempotent: the same name and input again, while the execution runs, starts nothing new. It
    /// waits for the disk.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start_execution(
        self: &Arc<Self>,
        machine_arn: &str,
        name: Option<String>,
        input: String,
    ) -> Result<StartedExecution, StartError> {
        let provisioned = self
            .machine(machine_arn)
            .ok_or_else(|| StartError::MachineDoesNotExist(machine_arn.to_owned()))?;
        let name = name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        if !is_name(&name) {
            return Err(StartError::InvalidName(name));
        }
        if input.len() > MAX_DATA_BYTES {
            let reason = format!("it is larger than {MAX_DATA_BYTES} bytes");
            return Err(StartError::InvalidInput(reason));
        }
        let data = serde_json::from_str(&input)
            .map_err(|error| StartError::InvalidInput(format!("no JSON at column {}", error.column())))?;
        let arn = format!(
            "arn:aws:states:{}:{ACCOUNT_ID}:execution:{}:{name}",
            self.region, provisioned.spec.name
        );
        let definition = &provisioned.spec.definition;
        let start = Start {
            arn: arn.clone(),
            name,
            machine_arn: machine_arn.to_owned(),
            role_arn: provisioned.spec.role_arn.clone(),
            definition: hex::encode(Sha256::digest(definition)),
            input,
        };
        let now_ms = epoch_millis();
        let (execution, event) = Execution::start(start, &provisioned.machine.start_at, data, now_ms);
        match self.records.create(&execution, &event, definition)? {
            Created::New => {
                self.launch(execution, provisioned.machine);
                let started_ms = now_ms;
                Ok(StartedExecution { arn, started_ms })
            }
            Created::Before(other) if other.status == Status::Running && other.input == execution.input => {
                let started_ms = other.started_ms;
                Ok(StartedExecution { arn, started_ms })
            }
            Created::Before(_) => Err(StartError::AlreadyExists(arn)),
        }
    }

    fn machine(&self, arn: &str) -> Option<Provisioned> {
        let machines = self.machines.read().unwrap_or_else(PoisonError::into_inner);
        machines.get(arn).cloned()
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Message>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether a text can be the name of a machine or an execution.
fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    (1..=MAX_NAME_CHARS).contains(&name.chars().count()) && !name.contains(forbidden)
}

#[cfg(test)]
mod tests;
