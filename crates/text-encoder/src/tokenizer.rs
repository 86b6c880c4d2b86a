//! What cuts texts into tokens.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::{Tokenizer, TruncationParams};

use crate::{
    EncoderError,
    folder::{Architecture, Settings, TOKENIZER},
};

/// Reads `tokenizer.json`; nothing of what it says of padding and length counts.
///
/// The library panics at some files that contradict themselves, when it reads them or at the first text.
pub(crate) fn read(
    file: &[u8],
    settings: &Settings,
    architecture: Architecture,
) -> Result<Tokenizer, EncoderError> {
    let tried = catch_unwind(|| {
        let tokenizer = of_library(file, settings, architecture)?;
        // What it says to a text is of no account here.
        drop(tokenizer.encode_fast("a text", true));
        Ok(tokenizer)
    });
    tried.unwrap_or_else(|_| {
        let reason = "it contradicts itself: the `tokenizers` library cannot use it";
        Err(EncoderError::invalid(TOKENIZER, reason.to_owned()))
    })
}

/// Returns the numbers of a text's tokens, with those that mark start and end or without; none where there is no such text.
pub(crate) fn encode(tokenizer: &Tokenizer, text: &str, with_marks: bool) -> Vec<u32> {
    let encoded = catch_unwind(AssertUnwindSafe(|| tokenizer.encode_fast(text, with_marks)));
    match encoded {
        Ok(Ok(encoding)) => encoding.get_ids().to_vec(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

fn of_library(
    file: &[u8],
    settings: &Settings,
    architecture: Architecture,
) -> Result<Tokenizer, EncoderError> {
    type Refusal = Box<dyn std::error::Error + Send + Sync>;
    let unknown = |error: Refusal| {
        let reason =
            format!("it is none of the `tokenizers` library, or of a kind that is not known here ({error})");
        EncoderError::invalid(TOKENIZER, reason)
    };
    let refused = |error: Refusal| EncoderError::invalid(TOKENIZER, error.to_string());
    let mut tokenizer = Tokenizer::from_bytes(file).map_err(unknown)?;
    tokenizer.with_padding(None);
    let truncation = (architecture == Architecture::Bert).then(|| TruncationParams {
        max_length: settings.max_tokens,
        ..TruncationParams::default()
    });
    tokenizer.with_truncation(truncation).map_err(refused)?;
    Ok(tokenizer)
}

/// Returns for how many tokens there must be weights: those that mark start and end are numbered by themselves.
pub(crate) fn vocabulary(tokenizer: &Tokenizer) -> usize {
    let words = tokenizer.get_vocab(true).into_values().max();
    let marks = encode(tokenizer, "", true).into_iter().max();
    words.max(marks).map_or(0, |highest| highest as usize + 1)
}
