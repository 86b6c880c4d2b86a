//! What is said of files of feedback, whoever reads them: their limits, and what of them cannot be used.

use std::io::ErrorKind;

/// Longest line, CSV record or JSON element, in bytes; a longer one is rejected, not held in memory.
pub const MAX_ITEM_BYTES: usize = 1 << 20;

/// An item that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadItem {
    /// Why; safe to show.
    pub reason: String,
    /// The item as it was found, byte by byte, as far as it could be read.
    pub raw: Vec<u8>,
}

/// Why reading ended before the end of the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be fetched; worth another try.
    #[error("the file could not be read")]
    Io(#[source] std::io::Error),
}

/// Tells a transport error, which another try may mend, from a damaged file, and says of the latter what is wrong.
///
/// # Errors
///
/// [`ReadError::Io`], the former.
pub fn io_or_damaged(error: std::io::Error) -> Result<String, ReadError> {
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof => {
            Ok(format!("the file is damaged from here on: {error}"))
        }
        _ => Err(ReadError::Io(error)),
    }
}
