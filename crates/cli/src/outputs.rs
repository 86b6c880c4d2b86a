//! `outputs.json` in the state folder: what other programs need to know of a running stack.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{TcpStream, ToSocketAddrs},
    path::Path,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use local_stack::stack::write_private;

const FILE_NAME: &str = "outputs.json";

/// Time in which a stack on this machine takes a connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What other programs need to know of a running stack. Not for logs: it holds a key and a link.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackOutputs {
    /// Where every AWS service answers.
    pub endpoint_url: String,
    /// Value of the API key; empty if the template has none.
    pub api_key_value: String,
    /// The reviewers' portal; empty if the template has none.
    pub portal_url: String,
    /// One-time link into the portal; empty if the template has none.
    pub sign_in_url: String,
    /// Every output of the template.
    pub outputs: BTreeMap<String, String>,
    /// Objects whose data is damaged or gone on the disk, and their files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged_objects: Vec<String>,
}

impl StackOutputs {
    /// Writes the file in one step; only its owner may read it.
    ///
    /// # Errors
    ///
    /// Whatever the file system reports.
    pub fn write(&self, state_dir: &Path) -> io::Result<()> {
        write_private(&state_dir.join(FILE_NAME), &serde_json::to_vec_pretty(self)?)
    }

    /// Removes the file of an earlier start: a stack that is not ready has none.
    ///
    /// # Errors
    ///
    /// Whatever the file system reports.
    pub fn forget(state_dir: &Path) -> io::Result<()> {
        match fs::remove_file(state_dir.join(FILE_NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads the file of the stack that was started last on this state folder.
    ///
    /// # Errors
    ///
    /// `NotFound` when none was; otherwise whatever the file system reports.
    pub fn read(state_dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(state_dir.join(FILE_NAME))?)?)
    }

    /// Reads the file, and sees that something answers where it says.
    ///
    /// # Errors
    ///
    /// In words for the user, when no stack was started on this state folder, or none runs.
    pub fn of_running(state_dir: &Path) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let folder = state_dir.display();
        let outputs = Self::read(state_dir).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("no stack was started on the state folder {folder}: start one first")
            }
            _ => format!(
                "{folder}/{FILE_NAME} cannot be read ({error}): the next start of the stack writes it anew"
            ),
        })?;
        let address = outputs.endpoint_url.trim_start_matches("http://");
        let answers = address.to_socket_addrs().is_ok_and(|mut all| {
            all.any(|address| TcpStream::connect_timeout(&address, ANSWER_TIMEOUT).is_ok())
        });
        match answers {
            true => Ok(outputs),
            false => Err(format!(
                "the stack of the state folder {folder} does not run: nothing answers at {}. Start it first",
                outputs.endpoint_url
            )
            .into()),
        }
    }

    /// Returns a template output, empty if there is none of this name.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_file_has_the_names_that_programs_look_for() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let stack = StackOutputs {
            endpoint_url: "http://127.0.0.1:4566".to_owned(),
            api_key_value: "key".to_owned(),
            portal_url: "http://portal/".to_owned(),
            sign_in_url: "http://portal/sign-in?token=t".to_owned(),
            outputs: BTreeMap::from([("Bucket".to_owned(), "b".to_owned())]),
            damaged_objects: Vec::new(),
        };

        stack.write(folder.path()).expect("written");

        let bytes = fs::read(folder.path().join("outputs.json")).expect("the file is there");
        let expected = json!({
            "endpointUrl": "http://127.0.0.1:4566",
            "apiKeyValue": "key",
            "portalUrl": "http://portal/",
            "signInUrl": "http://portal/sign-in?token=t",
            "outputs": { "Bucket": "b" },
        });
        assert_eq!(serde_json::from_slice::<Value>(&bytes).expect("JSON"), expected);
        assert!(StackOutputs::read(folder.path()).is_ok_and(|read| read == stack));
    }

    #[test]
    fn what_was_forgotten_is_not_found() {
        let folder = tempfile::tempdir().expect("temporary folder");

        let twice = [
            StackOutputs::forget(folder.path()),
            StackOutputs::forget(folder.path()),
        ];

        assert!(twice.iter().all(Result::is_ok));
        let read = StackOutputs::read(folder.path())
            .map_err(|error| error.kind())
            .err();
        assert_eq!(read, Some(io::ErrorKind::NotFound));
    }
}
