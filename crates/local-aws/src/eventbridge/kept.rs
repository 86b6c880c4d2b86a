//! What connections and API destinations have in common: names, times, and where they are kept.

use std::{collections::BTreeMap, sync::PoisonError};

use chrono::Utc;
use redb::{ReadTransaction, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    EventBridge, State,
    api::{ListRequest, named},
};
use crate::{aws_error::AwsError, iam::Principal};

/// A connection or an API destination, as far as they are made, found and forgotten alike.
pub(super) trait Resource: Clone + Serialize {
    /// Where they are kept.
    const TABLE: TableDefinition<'static, &'static str, &'static [u8]>;
    /// What the operations call one: `Create<KIND>`.
    const KIND: &'static str;

    fn name(&self) -> &str;

    fn arn(region: &str, name: &str) -> String;

    /// Begins the sentence that it is there already, or is not.
    fn titled(name: &str) -> String;

    fn all(state: &State) -> &BTreeMap<String, Kept<Self>>;

    fn all_mut(state: &mut State) -> &mut BTreeMap<String, Kept<Self>>;
}

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

/// Reads what the API has made.
pub(super) fn load<R: Resource + DeserializeOwned>(
    reader: &ReadTransaction,
    state: &mut State,
) -> Result<(), redb::Error> {
    for entry in reader.open_table(R::TABLE)?.iter()? {
        let kept: Kept<R> = super::read(entry?.1.value())?;
        R::all_mut(state).insert(kept.spec.name().to_owned(), kept);
    }
    Ok(())
}

impl EventBridge {
    /// Returns the name in a request whose caller may do this with it.
    pub(super) fn permitted<R: Resource>(
        &self,
        caller: &Principal,
        verb: &str,
        name: Option<String>,
    ) -> Result<String, AwsError> {
        let name = named(name, "Name")?;
        let action = format!("events:{verb}{}", R::KIND);
        self.authorize(caller, &action, &R::arn(&self.region, &name))?;
        Ok(name)
    }

    pub(super) fn find<R: Resource>(&self, name: &str) -> Result<Kept<R>, AwsError> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let kept = R::all(&state).get(name).cloned();
        kept.ok_or_else(|| {
            let message = format!("{} does not exist.", R::titled(name));
            AwsError::new(400, "ResourceNotFoundException", message)
        })
    }

    /// Returns what is to be changed, or what `make` begins where a new one is wanted.
    pub(super) fn to_change<R: Resource>(
        &self,
        caller: &Principal,
        (name, is_new): (Option<String>, bool),
        make: impl FnOnce(String) -> Result<R, AwsError>,
    ) -> Result<Kept<R>, AwsError> {
        let verb = if is_new { "Create" } else { "Update" };
        let name = self.permitted::<R>(caller, verb, name)?;
        match self.find::<R>(&name) {
            Ok(_) if is_new => {
                let message = format!("{} already exists.", R::titled(&name));
                Err(AwsError::new(400, "ResourceAlreadyExistsException", message))
            }
            Err(_) if is_new => make(name).map(Kept::new),
            found => found,
        }
    }

    /// Keeps what was changed, as of now.
    pub(super) fn keep_changed<R: Resource>(&self, kept: Kept<R>) -> Result<Kept<R>, AwsError> {
        let kept = kept.changed();
        let name = kept.spec.name().to_owned();
        let json = serde_json::to_vec(&kept).expect("it has only string keys");
        self.keep(|transaction| {
            let mut table = transaction.open_table(R::TABLE)?;
            table.insert(name.as_str(), json.as_slice())?;
            Ok(())
        })?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        R::all_mut(&mut state).insert(name, kept.clone());
        Ok(kept)
    }

    /// Forgets one; returns what it was.
    pub(super) fn forget<R: Resource>(
        &self,
        caller: &Principal,
        name: Option<String>,
    ) -> Result<Kept<R>, AwsError> {
        let name = self.permitted::<R>(caller, "Delete", name)?;
        let kept = self.find::<R>(&name)?;
        self.keep(|transaction| {
            transaction.open_table(R::TABLE)?.remove(name.as_str())?;
            Ok(())
        })?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        R::all_mut(&mut state).remove(&name);
        Ok(kept)
    }

    /// Returns those that a request lists, by their names.
    pub(super) fn listed<R: Resource>(
        &self,
        caller: &Principal,
        request: &ListRequest,
    ) -> Result<Vec<Kept<R>>, AwsError> {
        self.authorize(caller, &format!("events:List{}s", R::KIND), "*")?;
        let prefix = request.name_prefix.as_deref().unwrap_or_default();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let all = R::all(&state).iter();
        let found = all.filter(|(name, _)| name.starts_with(prefix));
        Ok(found.map(|(_, kept)| kept.clone()).collect())
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
