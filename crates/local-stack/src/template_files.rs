//! The files that a template names by their paths, say the definition of a state machine.

use std::{io, path::PathBuf};

use crate::run;

/// Where the files of a template are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateFiles {
    /// In the folder of the template.
    Folder(PathBuf),
    /// In this program, as is the template.
    BuiltIn,
}

/// Files of `infra` that this program was built with, by their paths there.
const BUILT_IN: &[(&str, &str)] = &[(
    "model-building.asl.json",
    include_str!("../../../infra/model-building.asl.json"),
)];

impl TemplateFiles {
    /// Reads a file by its path relative to the template.
    ///
    /// # Errors
    ///
    /// When there is no such file, or it cannot be read.
    pub fn read(&self, path: &str) -> io::Result<String> {
        match self {
            Self::Folder(folder) => run::read(&folder.join(path)),
            Self::BuiltIn => {
                let file = BUILT_IN.iter().find(|(name, _)| *name == path);
                let missing =
                    || io::Error::new(io::ErrorKind::NotFound, format!("{path} is not in this program"));
                file.map(|(_, text)| (*text).to_owned()).ok_or_else(missing)
            }
        }
    }
}
