//! What connections and API destinations have in common: names, times, and where they are kept.

use chrono::Utc;
use redb::TableDefinition;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::EventBridge;
use crate::aws_error::AwsError;

/// A connection or an API destination with its times.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept<T> {
    pub spec: T,
    created_ms: i64,
    modified_ms: i64,
}

impl<T> Kept<T> {
    pub(super) fn new(spec: T) -> Self {
        let now_ms = Utc::now().timestamp_millis();
        Self {
            spec,
            created_ms: now_ms,
            modified_ms: now_ms,
        }
    }

    pub(super) fn changed(self) -> Self {
        Self {
            modified_ms: Utc::now().timestamp_millis(),
            ..self
        }
    }

    /// Seconds since the epoch.
    pub(super) fn created(&self) -> f64 {
        self.created_ms as f64 / 1000.0
    }

    /// Seconds since the epoch.
    pub(super) fn modified(&self) -> f64 {
        self.modified_ms as f64 / 1000.0
    }
}

impl EventBridge {
    /// Keeps a connection or an API destination under its name.
    pub(super) fn keep_spec(
        &self,
        table: TableDefinition<&str, &[u8]>,
        name: &str,
        spec: &impl Serialize,
    ) -> Result<(), AwsError> {
        let json = serde_json::to_vec(spec).expect("it has only string keys");
        self.keep(|transaction| {
            transaction.open_table(table)?.insert(name, json.as_slice())?;
            Ok(())
        })
    }

    /// Forgets it again.
    pub(super) fn forget(&self, table: TableDefinition<&str, &[u8]>, name: &str) -> Result<(), AwsError> {
        self.keep(|transaction| {
            transaction.open_table(table)?.remove(name)?;
            Ok(())
        })
    }
}

/// Returns whether a text can be the name of a connection or an API destination.
pub(super) fn is_name(name: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(is_of_name)
}

/// Makes an id of a name, in the form of a UUID.
pub(super) fn id_of(name: &str) -> uuid::Uuid {
    let digest = Sha256::digest(name);
    uuid::Builder::from_slice(&digest[..16]).map_or_else(|_| uuid::Uuid::nil(), |it| it.into_uuid())
}
