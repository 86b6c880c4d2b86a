//! The files that a template names by their paths, say the definition of a state machine.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where the files of a template are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateFiles {
    /// In the folder of the template.
    Folder(PathBuf),
    /// In this program, as is the template: paths and contents.
    BuiltIn(&'static [(&'static str, &'static str)]),
}

impl TemplateFiles {
    /// Reads a file by its path relative to the template.
    ///
    /// # Errors
    ///
    /// When there is no such file, or it cannot be read.
    pub fn read(&self, path: &str) -> io::Result<String> {
        match self {
            Self::Folder(folder) => read(&folder.join(path)),
            Self::BuiltIn(files) => {
                let file = files.iter().find(|(name, _)| *name == path);
                let missing =
                    || io::Error::new(io::ErrorKind::NotFound, format!("{path} is not in this program"));
                file.map(|(_, text)| (*text).to_owned()).ok_or_else(missing)
            }
        }
    }
}

impl TemplateFiles {
    /// Returns the program of a function of one's own by the path of its package, relative to the template: the file
    /// itself, or `bootstrap` in the folder, as in the package of a function on AWS. None where there is neither.
    pub fn program(&self, package: &str) -> Option<PathBuf> {
        let Self::Folder(folder) = self else {
            return None;
        };
        let path = folder.join(package.strip_suffix(".zip").unwrap_or(package));
        let found = [path.join("bootstrap"), path]
            .into_iter()
            .find(|path| path.is_file())?;
        std::path::absolute(found).ok()
    }
}

/// Reads a file; an error names it.
///
/// # Errors
///
/// Whatever the file system reports.
pub fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}
