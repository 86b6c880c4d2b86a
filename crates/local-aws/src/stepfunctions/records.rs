//! Executions and their histories in the index.

use std::sync::Arc;

use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde_json::Value;

use super::{
    events::Event,
    execution::{Execution, Status},
};
use crate::store::Store;

const EXECUTIONS: TableDefinition<&str, &[u8]> = TableDefinition::new("states-executions");

/// Events by the execution's ARN and their id.
const EVENTS: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("states-events");

/// Definitions by their hash: executions keep the one that they were started with.
const DEFINITIONS: TableDefinition<&str, &str> = TableDefinition::new("states-definitions");

#[derive(Debug)]
pub(super) struct Records {
    store: Arc<Store>,
}

/// What came of creating an execution.
pub(super) enum Created {
    New,
    /// There is one of this name.
    Before(Box<Execution>),
}

impl Records {
    pub(super) fn open(store: Arc<Store>) -> Result<Self, redb::Error> {
        let transaction = store.index.begin_write()?;
        transaction.open_table(EXECUTIONS)?;
        transaction.open_table(EVENTS)?;
        transaction.open_table(DEFINITIONS)?;
        transaction.commit()?;
        Ok(Self { store })
    }

    /// Stores a new execution, unless there is one of its name.
    pub(super) fn create(
        &self,
        execution: &Execution,
        event: &Event,
        definition: &str,
    ) -> Result<Created, redb::Error> {
        let transaction = self.store.index.begin_write()?;
        if let Some(present) = transaction.open_table(EXECUTIONS)?.get(execution.arn.as_str())? {
            return Ok(Created::Before(Box::new(decode(present.value())?)));
        }
        transaction
            .open_table(DEFINITIONS)?
            .insert(execution.definition.as_str(), definition)?;
        write(&transaction, execution, std::slice::from_ref(event))?;
        transaction.commit()?;
        self.log(execution, std::slice::from_ref(event));
        Ok(Created::New)
    }

    /// Stores what an execution has come to, with its new events.
    pub(super) fn save(&self, execution: &Execution, events: &[Event]) -> Result<(), redb::Error> {
        let transaction = self.store.index.begin_write()?;
        write(&transaction, execution, events)?;
        transaction.commit()?;
        self.log(execution, events);
        Ok(())
    }

    /// Tells people: a line for each event, without data.
    fn log(&self, execution: &Execution, events: &[Event]) {
        let machine = execution.machine_arn.rsplit(':').next().unwrap_or_default();
        let mut lines = String::new();
        for event in events {
            let line = event.line(&execution.name);
            tracing::info!(target: "states", machine, "{line}");
            let time = i64::try_from(event.at_ms)
                .ok()
                .and_then(chrono::DateTime::from_timestamp_millis);
            let time = time
                .unwrap_or_default()
                .to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            lines += &format!("{time} {line}\n");
        }
        if let Err(error) = self.store.append_log(machine, &lines) {
            tracing::warn!(machine, %error, "the log of a state machine cannot be written");
        }
    }

    pub(super) fn get(&self, arn: &str) -> Result<Option<Execution>, redb::Error> {
        let table = self.store.index.begin_read()?.open_table(EXECUTIONS)?;
        table.get(arn)?.map(|json| decode(json.value())).transpose()
    }

    /// Returns the executions that fit.
    pub(super) fn list(&self, fits: impl Fn(&Execution) -> bool) -> Result<Vec<Execution>, redb::Error> {
        let table = self.store.index.begin_read()?.open_table(EXECUTIONS)?;
        let mut executions = Vec::new();
        for entry in table.iter()? {
            let execution = decode(entry?.1.value())?;
            if fits(&execution) {
                executions.push(execution);
            }
        }
        Ok(executions)
    }

    /// Returns the events of an execution, in their form on the wire, oldest first.
    pub(super) fn events(&self, arn: &str) -> Result<Vec<Value>, redb::Error> {
        let table = self.store.index.begin_read()?.open_table(EVENTS)?;
        let events = table.range((arn, 0)..=(arn, u64::MAX))?;
        events.map(|entry| decode(entry?.1.value())).collect()
    }

    /// Returns a definition by its hash.
    pub(super) fn definition(&self, hash: &str) -> Result<String, redb::Error> {
        let table = self.store.index.begin_read()?.open_table(DEFINITIONS)?;
        let definition = table.get(hash)?;
        let missing = || redb::Error::Corrupted(format!("the definition {hash} is missing"));
        definition.map(|it| it.value().to_owned()).ok_or_else(missing)
    }

    /// Forgets the executions that ended before a time.
    pub(super) fn remove_ended_before(&self, limit_ms: u64) -> Result<(), redb::Error> {
        let ended = |execution: &Execution| {
            execution.status != Status::Running && execution.ended_ms.is_some_and(|ended| ended < limit_ms)
        };
        let old = self.list(ended)?;
        if old.is_empty() {
            return Ok(());
        }
        let transaction = self.store.index.begin_write()?;
        for Execution { arn, .. } in &old {
            let arn = arn.as_str();
            transaction.open_table(EXECUTIONS)?.remove(arn)?;
            let mut events = transaction.open_table(EVENTS)?;
            events.retain_in((arn, 0)..=(arn, u64::MAX), |_, _| false)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn write(transaction: &WriteTransaction, execution: &Execution, events: &[Event]) -> Result<(), redb::Error> {
    let json = serde_json::to_vec(execution).expect("an execution has only string keys");
    transaction
        .open_table(EXECUTIONS)?
        .insert(execution.arn.as_str(), json.as_slice())?;
    let mut table = transaction.open_table(EVENTS)?;
    for event in events {
        let json = event.wire.to_string();
        table.insert((execution.arn.as_str(), event.id), json.as_bytes())?;
    }
    Ok(())
}

fn decode<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, redb::Error> {
    // The message of serde_json may quote the data.
    serde_json::from_slice(json).map_err(|error| {
        let message = format!("an execution cannot be read, at column {}", error.column());
        redb::Error::Corrupted(message)
    })
}
