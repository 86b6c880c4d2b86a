//! Who reviews, as outputs and votes name them.

use std::collections::BTreeSet;

use active_learning_aws::bucket::BucketError;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::human_loop::HumanLoop;
use crate::members::Members;

/// A reviewer as the output names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// 16 hexadecimal characters, the same for the same reviewer for ever.
    pub id: String,
    /// The name that the sign-in link was made for.
    pub reviewer: String,
    /// Ids that they had in earlier versions, which told spellings of an e-mail address apart.
    #[serde(skip)]
    earlier: Vec<String>,
    /// The work teams that they are in now.
    #[serde(skip)]
    pub teams: Teams,
}

/// The work teams of a reviewer, beside that of the stack, which everybody is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Teams {
    /// None.
    #[default]
    None,
    /// Those of these names.
    Named(BTreeSet<String>),
    /// All: admins.
    All,
}

impl Teams {
    /// Returns whether a task of this team, if it is of one, is for them.
    pub fn have(&self, team: Option<&str>) -> bool {
        match (team, self) {
            (None, _) | (Some(_), Self::All) => true,
            (Some(_), Self::None) => false,
            (Some(team), Self::Named(names)) => names.contains(team),
        }
    }
}

impl Worker {
    /// Returns the worker of a reviewer's name. Of an e-mail address the case does not count, as for whoever delivers to it.
    pub fn of(reviewer: &str) -> Self {
        let identity = match reviewer.contains('@') {
            true => reviewer.to_lowercase(),
            false => reviewer.to_owned(),
        };
        let earlier = (identity != reviewer).then(|| id_of(reviewer));
        Self {
            id: id_of(&identity),
            reviewer: reviewer.to_owned(),
            earlier: earlier.into_iter().collect(),
            teams: Teams::None,
        }
    }

    /// Returns the same worker, who is in these teams.
    #[must_use]
    pub fn in_teams(self, teams: Teams) -> Self {
        Self { teams, ..self }
    }

    /// Returns the worker with what is known of their earlier ids.
    #[must_use]
    pub fn with_earlier(mut self, ids: &[String]) -> Self {
        let new = ids.iter().filter(|id| **id != self.id);
        let new: Vec<String> = new.filter(|id| !self.earlier.contains(id)).cloned().collect();
        self.earlier.extend(new);
        self
    }

    /// Returns the ids that they had in earlier versions.
    pub fn earlier_ids(&self) -> &[String] {
        &self.earlier
    }

    /// Returns the worker by the id under which a loop knows them: what they did by an earlier one is theirs.
    #[must_use]
    pub fn in_loop(&self, human_loop: &HumanLoop) -> Self {
        let mut ids = std::iter::once(&self.id).chain(&self.earlier);
        let known = || std::iter::once(&self.id).chain(&self.earlier);
        let refused = ids.find(|id| human_loop.has_answered(id) || human_loop.excluded_workers.contains(id));
        let id = refused.or_else(|| known().find(|id| human_loop.has_seen(id)));
        Self {
            id: id.unwrap_or(&self.id).clone(),
            ..self.clone()
        }
    }

    /// Returns the worker of somebody who signs in, with all their earlier ids: they are looked for once.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn signing_in(
        reviewer: &str,
        members: &Members,
        now: DateTime<Utc>,
    ) -> Result<Self, BucketError> {
        let worker = Self::of(reviewer);
        if !reviewer.contains('@') {
            return Ok(worker);
        }
        let member = members.recent(&worker.id, now).await?;
        match member.and_then(|member| member.earlier_ids) {
            Some(known) => Ok(worker.with_earlier(&known)),
            None => {
                let found = members.other_ids_of(&worker).await?;
                Ok(worker.with_earlier(&found))
            }
        }
    }
}

fn id_of(identity: &str) -> String {
    let digest = Sha256::digest(format!("reviewer:{identity}"));
    hex::encode(&digest[..8])
}
