//! A text as it is searched: without what makes no difference to people.

use std::borrow::Cow;
use std::ops::Range;

/// The text, and where its bytes come from.
pub(super) struct Searched<'a> {
    given: &'a str,
    text: Cow<'a, str>,
    /// For each byte the place of its character in the text that was given; empty where nothing was changed.
    places: Vec<usize>,
}

impl<'a> Searched<'a> {
    pub(super) fn of(given: &'a str) -> Self {
        if given.chars().all(|c| folded(c) == Some(c)) {
            return Self {
                given,
                text: Cow::Borrowed(given),
                places: Vec::new(),
            };
        }
        let (mut text, mut places) = (
            String::with_capacity(given.len()),
            Vec::with_capacity(given.len()),
        );
        for (place, c) in given.char_indices() {
            if let Some(c) = folded(c) {
                text.push(c);
                places.resize(text.len(), place);
            }
        }
        Self {
            given,
            text: Cow::Owned(text),
            places,
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns begin and end of a piece in the text that was given.
    pub(super) fn given(&self, piece: Range<usize>) -> (usize, usize) {
        let place = |at: usize| self.places.get(at).copied();
        match (place(piece.start), piece.end.checked_sub(1).and_then(place)) {
            (Some(begin), Some(last)) => {
                let length = self.given[last..].chars().next().map_or(0, char::len_utf8);
                (begin, last + length)
            }
            _ => (piece.start, piece.end),
        }
    }
}

/// Returns a character as it is searched; none for one that is not seen.
fn folded(c: char) -> Option<char> {
    match c {
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}' => None,
        // Full-width forms stand in the order of ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0),
        '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\t' => Some(' '),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        // Digits of Arabic, Persian and Devanagari.
        '\u{660}'..='\u{669}' => char::from_digit(c as u32 - 0x660, 10),
        '\u{6f0}'..='\u{6f9}' => char::from_digit(c as u32 - 0x6f0, 10),
        '\u{966}'..='\u{96f}' => char::from_digit(c as u32 - 0x966, 10),
        c => Some(c),
    }
}
