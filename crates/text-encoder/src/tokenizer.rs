//! What cuts texts into tokens.

use tokenizers::{Tokenizer, TruncationParams};

use crate::{
    EncoderError,
    folder::{Architecture, Settings, TOKENIZER},
};

/// Reads `tokenizer.json`; nothing of what it says of padding and length counts.
pub(crate) fn read(
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
    let marks = tokenizer.encode_fast("", true).ok();
    let marks = marks.and_then(|marks| marks.get_ids().iter().copied().max());
    words.max(marks).map_or(0, |highest| highest as usize + 1)
}
