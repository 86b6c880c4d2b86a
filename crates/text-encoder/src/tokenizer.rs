//! What cuts texts into tokens.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::{PostProcessor, PostProcessorWrapper, Tokenizer, TruncationParams};

use crate::{
    EncoderError, bounds,
    folder::{Architecture, Settings, TOKENIZER},
};

/// A tokenizer, and what puts tokens before and after those of a text.
pub(crate) struct Cutter {
    /// Without its own post-processor: of texts that it cuts off, that one makes every combination of the parts.
    tokenizer: Tokenizer,
    marks: Option<PostProcessorWrapper>,
}

impl Cutter {
    /// Reads `tokenizer.json`; nothing of what it says of padding and length counts.
    ///
    /// The library panics at some files that contradict themselves, when it reads them or at the first text.
    pub(crate) fn read(
        file: &[u8],
        settings: &Settings,
        architecture: Architecture,
    ) -> Result<Self, EncoderError> {
        let tried = catch_unwind(|| {
            let cutter = Self::of_library(file, settings, architecture)?;
            for text in ["a text", "", &"one more text, ".repeat(200)] {
                // What it says to a text is of no account here.
                drop(cutter.try_encode(text));
            }
            Ok(cutter)
        });
        tried.unwrap_or_else(|_| {
            let reason = "it contradicts itself: the `tokenizers` library cannot use it";
            Err(invalid(reason.to_owned()))
        })
    }

    fn of_library(
        file: &[u8],
        settings: &Settings,
        architecture: Architecture,
    ) -> Result<Self, EncoderError> {
        type Refusal = Box<dyn std::error::Error + Send + Sync>;
        let unknown = |error: Refusal| {
            invalid(format!(
                "it is none of the `tokenizers` library, or of a kind that is not known here ({error})"
            ))
        };
        bounds::check_file(file).map_err(invalid)?;
        let mut tokenizer = Tokenizer::from_bytes(file).map_err(unknown)?;
        bounds::check_model(tokenizer.get_model()).map_err(invalid)?;
        let marks = tokenizer.get_post_processor().cloned();
        tokenizer.with_post_processor(None::<PostProcessorWrapper>);
        tokenizer.with_padding(None);
        // Static models look neither at marks nor at the length before they leave out what they do not know.
        if matches!(architecture, Architecture::Static { .. }) {
            let refused = |error: Refusal| invalid(error.to_string());
            tokenizer.with_truncation(None).map_err(refused)?;
            return Ok(Self {
                tokenizer,
                marks: None,
            });
        }
        let count = marks.as_ref().map_or(0, |marks| marks.added_tokens(false));
        let most = settings.max_tokens;
        let max_length = most.checked_sub(count).filter(|&left| left > 0).ok_or_else(|| {
            invalid(format!(
                "it adds {count} tokens to a text, of which {most} count in all"
            ))
        })?;
        let truncation = TruncationParams {
            max_length,
            ..TruncationParams::default()
        };
        let refused = |error: Refusal| invalid(error.to_string());
        tokenizer.with_truncation(Some(truncation)).map_err(refused)?;
        Ok(Self { tokenizer, marks })
    }

    /// Returns the numbers of a text's tokens, with those that mark its start and end; none where the library
    /// cannot cut it.
    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        catch_unwind(AssertUnwindSafe(|| self.try_encode(text)))
            .ok()
            .flatten()
            .unwrap_or_default()
    }

    fn try_encode(&self, text: &str) -> Option<Vec<u32>> {
        let mut encoding = self.tokenizer.encode_fast(text, false).ok()?;
        drop(encoding.take_overflowing());
        if let Some(marks) = &self.marks {
            encoding = marks.process(encoding, None, true).ok()?;
        }
        Some(encoding.get_ids().to_vec())
    }

    /// Returns how many tokens the file names.
    pub(crate) fn named(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// Returns for how many tokens there must be weights: those that mark start and end are numbered by themselves.
    pub(crate) fn vocabulary(&self) -> usize {
        let words = self.tokenizer.get_vocab(true).into_values().max();
        let marks = self.encode("").into_iter().max();
        words.max(marks).map_or(0, |highest| highest as usize + 1)
    }

    /// Returns the token of what the vocabulary lacks.
    pub(crate) fn unknown(&self) -> Option<u32> {
        ["[UNK]", "<unk>"]
            .into_iter()
            .find_map(|token| self.tokenizer.token_to_id(token))
    }
}

fn invalid(reason: String) -> EncoderError {
    EncoderError::invalid(TOKENIZER, reason)
}
