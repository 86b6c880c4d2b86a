//! Who the stack is: the ids that stay the same from start to start.

use std::{fs, io, path::Path};

use chrono::{DateTime, Utc};
use local_aws::ACCOUNT_ID;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Region of everything local.
pub const REGION: &str = "us-east-1";

/// File in the state folder that says who the stack is.
pub const IDENTITY: &str = "stack.json";

/// Name of the local stack.
pub const STACK_NAME: &str = "local";

/// The identity of one stack, and the names that follow from it.
///
/// Every id is derived from the stack's own, so one small file that is written once keeps them all.
pub struct Stack {
    identity: Identity,
    created: DateTime<Utc>,
    endpoint_url: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Identity {
    /// The last part of the stack's ARN.
    stack_uuid: String,
    /// What secret values are derived from; never shown.
    seed: String,
}

impl Stack {
    /// Returns whether the state folder has an identity.
    pub fn is_known(state_dir: &Path) -> bool {
        state_dir.join(IDENTITY).exists()
    }

    /// Reads the identity in the state folder, making it the first time.
    ///
    /// `endpoint_url` is the base of every local URL, without a slash at the end.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written; `InvalidData` when it is damaged.
    pub fn open(state_dir: &Path, endpoint_url: &str) -> io::Result<Self> {
        let path = state_dir.join(IDENTITY);
        let identity = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let identity = Identity {
                    stack_uuid: uuid::Uuid::new_v4().to_string(),
                    seed: hex::encode(rand::random::<[u8; 32]>()),
                };
                write_private(&path, &serde_json::to_vec_pretty(&identity)?)?;
                identity
            }
            Err(error) => return Err(error),
        };
        // The file is written once.
        let created = fs::metadata(&path)?.modified()?;
        Ok(Self {
            identity,
            created: created.into(),
            endpoint_url: endpoint_url.to_owned(),
        })
    }

    /// Returns the base of every local URL, without a slash at the end.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// Returns when the stack was first started.
    pub fn created(&self) -> DateTime<Utc> {
        self.created
    }

    /// Returns the value of `AWS::StackId`.
    pub fn id(&self) -> String {
        format!(
            "arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{STACK_NAME}/{}",
            self.identity.stack_uuid
        )
    }

    /// Makes a physical name of at most `limit` characters: stack, logical id and a stable hash.
    pub fn physical_name(&self, logical_id: &str, limit: usize) -> String {
        let hash = self.short_id(logical_id, 12);
        let readable: String = format!("{STACK_NAME}-{logical_id}")
            .chars()
            .take(limit - hash.len() - 1)
            .collect();
        format!("{readable}-{hash}")
    }

    /// Makes a stable id of `length` (at most 32) lower-case letters and digits.
    pub fn short_id(&self, logical_id: &str, length: usize) -> String {
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        digest(&self.identity.stack_uuid, logical_id)
            .iter()
            .take(length)
            .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
            .collect()
    }

    /// Makes a secret of 40 characters that stays the same from start to start.
    pub fn secret(&self, logical_id: &str) -> String {
        let mut secret = hex::encode(digest(&self.identity.seed, logical_id));
        secret.truncate(40);
        secret
    }
}

fn digest(seed: &str, logical_id: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(seed)
        .chain_update("/")
        .chain_update(logical_id)
        .finalize()
        .into()
}

/// Replaces a file in one step with one that only its owner reads.
///
/// # Errors
///
/// Whatever the file system reports.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};

    let temporary = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn stack(folder: &Path) -> Stack {
        Stack::open(folder, "http://127.0.0.1:4566").expect("the folder is writable")
    }

    #[test]
    fn ids_and_secrets_survive_a_restart() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = stack(folder.path());

        let second = stack(folder.path());

        assert_eq!(first.id(), second.id());
        assert_eq!(first.short_id("Api", 10), second.short_id("Api", 10));
        assert_eq!(first.secret("ApiKey"), second.secret("ApiKey"));
    }

    #[test]
    fn two_stacks_share_no_id_and_no_secret() {
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("temporary folder"));
        let [first, second] = [stack(folders[0].path()), stack(folders[1].path())];

        assert_ne!(first.id(), second.id());
        assert_ne!(first.short_id("Api", 10), second.short_id("Api", 10));
        assert_ne!(first.secret("ApiKey"), second.secret("ApiKey"));
        assert_ne!(first.secret("ApiKey"), first.secret("OtherKey"));
    }

    #[test]
    fn the_identity_is_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().expect("temporary folder");

        stack(folder.path());

        let metadata = fs::metadata(folder.path().join("stack.json")).expect("the file is there");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_identity_is_an_error_and_not_a_new_stack() {
        let folder = tempfile::tempdir().expect("temporary folder");
        fs::write(folder.path().join("stack.json"), "{").expect("the folder is writable");

        let outcome = Stack::open(folder.path(), "http://127.0.0.1:4566");

        let kind = outcome.err().map(|error| error.kind());
        assert_eq!(kind, Some(io::ErrorKind::InvalidData));
    }

    proptest! {
        #[test]
        fn physical_names_stay_within_the_limit_and_differ(
            first in "[A-Za-z0-9]{1,255}", second in "[A-Za-z0-9]{1,255}", limit in 20usize..=256,
        ) {
            let folder = tempfile::tempdir().expect("temporary folder");
            let stack = stack(folder.path());

            let names = [&first, &second].map(|id| stack.physical_name(id, limit));

            prop_assert!(names.iter().all(|name| name.len() <= limit && name.starts_with("local-")));
            prop_assert_eq!(names[0] == names[1], first == second);
        }
    }
}
