//! Bytes of a file that are no letters of the encoding that it is read in.

use std::{borrow::Cow, cell::Cell, rc::Rc};

/// Stands in a text where bytes were that are no letters of the file's encoding. No text has it: it is no character, other
/// than the sign that is shown in its place, which a text may hold itself.
pub(crate) const NO_LETTER: char = '\u{FFFF}';

/// Bytes that are no letters, as far as a file was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct NoLetters(Rc<Cell<Counts>>);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Places with such bytes.
    places: u64,
    /// Line of the first one, from 1.
    first: u64,
    /// Line ends so far.
    ends: u64,
    after_return: bool,
}

impl NoLetters {
    /// Takes what was decoded, for the numbers of its lines.
    pub(super) fn pass(&self, decoded: &[u8]) {
        let mut counts = self.0.get();
        for &byte in decoded {
            let is_second_half = byte == b'\n' && counts.after_return;
            counts.after_return = byte == b'\r';
            counts.ends += u64::from(matches!(byte, b'\n' | b'\r') && !is_second_half);
        }
        self.0.set(counts);
    }

    /// Counts a place with bytes that are no letters.
    pub(super) fn add(&self) {
        let mut counts = self.0.get();
        counts.places += 1;
        if counts.places == 1 {
            counts.first = counts.ends + 1;
        }
        self.0.set(counts);
    }

    /// Returns whether there was none so far.
    pub(crate) fn is_none(&self) -> bool {
        self.0.get().places == 0
    }

    /// Says where there were some, and how many; none where there was none.
    pub(crate) fn note(&self, encoding: &str) -> Option<String> {
        let Counts { places, first, .. } = self.0.get();
        (places > 0).then(|| {
            format!(
                "places with bytes that are no letters of {encoding}: {places}, the first in line {first}"
            )
        })
    }
}

/// Says why a row with such bytes cannot be used.
pub(crate) fn reason(encoding: &str) -> String {
    format!(
        "it has bytes that are no letters of {encoding}, in which the file was read; save the file as UTF-8"
    )
}

/// Returns whether bytes were replaced in a text.
pub(crate) fn holds_no_letter(text: &[u8]) -> bool {
    let mut sign = [0; 4];
    let sign = NO_LETTER.encode_utf8(&mut sign).as_bytes();
    text.windows(sign.len()).any(|bytes| bytes == sign)
}

/// Returns a text as it is shown: with the usual sign where bytes were replaced.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    match text.contains(NO_LETTER) {
        true => Cow::Owned(text.replace(NO_LETTER, "\u{FFFD}")),
        false => Cow::Borrowed(text),
    }
}

/// Returns the same of bytes.
pub(crate) fn shown_bytes(text: &[u8]) -> Vec<u8> {
    match holds_no_letter(text) {
        true => shown(&String::from_utf8_lossy(text)).into_owned().into_bytes(),
        false => text.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use encoding_rs::UTF_8;

    use super::*;
    use crate::encoding::Transcoded;

    #[test]
    fn bytes_that_are_no_letters_are_counted_with_their_first_line_and_told_from_the_sign_of_a_text() {
        let no_letters = NoLetters::default();
        let bytes = "ok\r\nthe sign \u{FFFD}\rcaf".as_bytes().to_vec();
        let bytes = [bytes, b"\xe9\n\xff\xe9".to_vec()].concat();

        let mut read = String::new();
        let decoded = Transcoded::new(&bytes[..], UTF_8, no_letters.clone()).read_to_string(&mut read);

        assert!(decoded.is_ok());
        assert_eq!(read, "ok\r\nthe sign \u{FFFD}\rcaf\u{FFFF}\n\u{FFFF}\u{FFFF}");
        let note = "places with bytes that are no letters of UTF-8: 3, the first in line 3";
        assert_eq!(no_letters.note("UTF-8").as_deref(), Some(note));
    }
}
