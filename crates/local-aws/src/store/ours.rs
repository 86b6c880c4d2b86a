//! What in the state folder is ours, and closed to others. Files of the user's own stay as they are.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{BLOBS, INDEX, LOGS, is_blob};

/// What else lies in the folder: identity, outputs, both as they are written, and what a run with faults has.
const OTHERS: [&str; 5] = [
    "stack.json",
    "stack.tmp",
    "outputs.json",
    "outputs.tmp",
    "fault-run",
];
/// Beginning of the names of notes of faults.
const FAULT_NOTES: &str = "faults-";

/// Bits of a mode that let others do something.
const OTHERS_BITS: u32 = 0o077;
/// That which lets everybody make and remove files.
const EVERYBODY_WRITES: u32 = 0o002;

fn is_ours(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    [INDEX, BLOBS, LOGS].contains(&name) || OTHERS.contains(&name) || name.starts_with(FAULT_NOTES)
}

/// `<name>.log`, or `<name>.log.<number>`.
fn is_log(name: &OsStr) -> bool {
    let Some((_, end)) = name.to_str().and_then(|name| name.rsplit_once(".log")) else {
        return false;
    };
    let number = end.strip_prefix('.').unwrap_or(end);
    end.is_empty() || number.len() < end.len() && number.parse::<u32>().is_ok()
}

/// Returns something in the folder that is not ours.
fn foreign(folder: &Path, is_ours: fn(&OsStr) -> bool) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !is_ours(&entry.file_name()) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// Returns whether everybody may change the folder, and it cannot be closed, since it has other files than ours.
pub(super) fn is_open_to_changes(folder: &Path) -> io::Result<bool> {
    let mode = fs::metadata(folder)?.permissions().mode();
    Ok(mode & EVERYBODY_WRITES != 0 && foreign(folder, is_ours)?.is_some())
}

/// Takes from others what an earlier version, or whoever made the folder, let them do with what is ours.
pub(super) fn close_to_others(folder: &Path) -> io::Result<()> {
    close_with_files(folder, is_ours)?;
    let blobs = folder.join(BLOBS);
    if blobs.is_dir() {
        close(&blobs)?;
        close_files(&blobs, is_blob)?;
    }
    let logs = folder.join(LOGS);
    if logs.is_dir() {
        // Others have folders of this name too.
        close_with_files(&logs, is_log)?;
    }
    Ok(())
}

/// Closes our files in a folder, and the folder itself if it has no others.
fn close_with_files(folder: &Path, is_ours: fn(&OsStr) -> bool) -> io::Result<()> {
    match foreign(folder, is_ours)? {
        None => close(folder)?,
        Some(_) if fs::metadata(folder)?.permissions().mode() & OTHERS_BITS == 0 => {}
        Some(foreign) => tracing::warn!(
            "the folder {} holds other files than those of the stack, such as {}: they, and the folder itself, stay open to \
             others as they are; what the stack stores is closed",
            folder.display(),
            foreign.display()
        ),
    }
    close_files(folder, is_ours)
}

fn close_files(folder: &Path, is_ours: fn(&OsStr) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_ours(&entry.file_name()) && entry.file_type()?.is_file() {
            close(&entry.path())?;
        }
    }
    Ok(())
}

fn close(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    let mode = permissions.mode();
    if mode & OTHERS_BITS == 0 {
        return Ok(());
    }
    permissions.set_mode(mode & !OTHERS_BITS);
    fs::set_permissions(path, permissions)
}
