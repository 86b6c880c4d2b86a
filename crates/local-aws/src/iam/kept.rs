//! Roles and policies that the API made: where they are kept, and what they become for the decisions.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{PolicyDocument, RoleSpec};
use crate::{ACCOUNT_ID, store::Store};

type Table = TableDefinition<'static, &'static str, &'static [u8]>;

pub(super) const ROLES: Table = TableDefinition::new("iam-roles");
pub(super) const POLICIES: Table = TableDefinition::new("iam-policies");

/// Policies of AWS that are known here, by the end of their ARNs, each with the actions that it allows on everything.
/// Source: AWS Managed Policy Reference Guide.
const OF_AWS: [(&str, &[&str]); 2] = [
    ("AmazonS3FullAccess", &["s3:*", "s3-object-lambda:*"]),
    (
        "AmazonS3ReadOnlyAccess",
        &[
            "s3:Get*",
            "s3:List*",
            "s3:Describe*",
            "s3-object-lambda:Get*",
            "s3-object-lambda:List*",
        ],
    ),
];

/// A role that the API made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptRole {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created_ms: i64,
    pub description: Option<String>,
    pub max_session_seconds: u32,
    pub trust: PolicyDocument,
    /// Inline policies by name.
    pub inline: BTreeMap<String, PolicyDocument>,
    /// ARNs of the policies that are attached.
    pub attached: BTreeSet<String>,
}

/// A policy that the API made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptPolicy {
    pub name: String,
    pub path: String,
    pub id: String,
    pub created_ms: i64,
    pub description: Option<String>,
    pub document: PolicyDocument,
}

/// All that the API made.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// By name, which is unique whatever the path.
    pub roles: BTreeMap<String, KeptRole>,
    /// By ARN.
    pub policies: BTreeMap<String, KeptPolicy>,
}

impl KeptRole {
    pub(super) fn arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT_ID}:role{}{}", self.path, self.name)
    }
}

impl KeptPolicy {
    pub(super) fn arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT_ID}:policy{}{}", self.path, self.name)
    }
}

impl Made {
    /// Reads what an earlier process has kept.
    pub(super) fn load(store: &Store) -> Result<Self, redb::Error> {
        let transaction = store.index.begin_write()?;
        transaction.open_table(ROLES)?;
        transaction.open_table(POLICIES)?;
        transaction.commit()?;
        let roles: Vec<KeptRole> = all(store, ROLES)?;
        let policies: Vec<KeptPolicy> = all(store, POLICIES)?;
        Ok(Self {
            roles: roles.into_iter().map(|role| (role.name.clone(), role)).collect(),
            policies: policies
                .into_iter()
                .map(|policy| (policy.arn(), policy))
                .collect(),
        })
    }

    /// Returns the document of a policy, of the API's or of AWS.
    pub(super) fn document(&self, arn: &str) -> Option<PolicyDocument> {
        let made = self.policies.get(arn).map(|policy| policy.document.clone());
        made.or_else(|| {
            let name = arn.strip_prefix("arn:aws:iam::aws:policy/")?;
            let (_, actions) = OF_AWS.iter().find(|(known, _)| *known == name)?;
            Some(serde_json::json!({
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
            }))
        })
    }

    /// Returns what a role is for the decisions.
    pub(super) fn spec(&self, role: &KeptRole) -> RoleSpec {
        let attached = role.attached.iter().filter_map(|arn| self.document(arn));
        RoleSpec {
            name: role.name.clone(),
            arn: role.arn(),
            trust_policy: role.trust.clone(),
            policies: role.inline.values().cloned().chain(attached).collect(),
        }
    }
}

fn all<T: DeserializeOwned>(store: &Store, table: Table) -> Result<Vec<T>, redb::Error> {
    let reader = store.index.begin_read()?;
    let mut found = Vec::new();
    for entry in reader.open_table(table)?.iter()? {
        let read = serde_json::from_slice(entry?.1.value());
        found.push(read.map_err(|error| {
            redb::Error::Corrupted(format!("a role or a policy cannot be read: {error}"))
        })?);
    }
    Ok(found)
}

/// Writes what the API made, or takes it away.
pub(super) fn keep<T: Serialize>(
    store: &Store,
    table: Table,
    key: &str,
    value: Option<&T>,
) -> Result<(), redb::Error> {
    let transaction = store.index.begin_write()?;
    {
        let mut table = transaction.open_table(table)?;
        match value {
            Some(value) => {
                let json = serde_json::to_vec(value).expect("it has only string keys");
                table.insert(key, json.as_slice())?;
            }
            None => drop(table.remove(key)?),
        }
    }
    Ok(transaction.commit()?)
}
