//! JSON values one behind another, each over as many lines as it takes: a damaged one does not hold the next ones back.

use std::io::{self, BufRead};

use active_learning_core::feedback::batch::MAX_ITEM_BYTES;

/// What stands in such a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An object, a list or a text, as it is written; its brackets match.
    Value(Vec<u8>),
    /// The rest of a line, which begins with none of them.
    Rest(Vec<u8>),
    /// One that does not end in this file, or is longer than [`MAX_ITEM_BYTES`], as far as it was read: nothing behind it is.
    Endless(Vec<u8>),
}

/// Reads the values of a file.
pub(crate) struct Objects<R> {
    inner: R,
    /// Whether a comma stood before the last value, as in a list.
    pub had_comma: bool,
    is_over: bool,
}

impl<R: BufRead> Objects<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            had_comma: false,
            is_over: false,
        }
    }

    /// Returns what comes next; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        self.had_comma = false;
        if self.is_over {
            return Ok(None);
        }
        let first = loop {
            match self.peek()? {
                None => return Ok(None),
                Some(byte) if byte.is_ascii_whitespace() || byte == b',' => {
                    self.had_comma |= byte == b',';
                    self.inner.consume(1);
                }
                Some(byte) => break byte,
            }
        };
        let mut bytes = Vec::new();
        let is_whole = match first {
            b'{' | b'[' | b'"' => self.value(&mut bytes)?,
            _ => self.line(&mut bytes).map(|()| true)?,
        };
        Ok(Some(match first {
            _ if !is_whole || bytes.len() > MAX_ITEM_BYTES => {
                bytes.truncate(MAX_ITEM_BYTES);
                self.is_over = true;
                Found::Endless(bytes)
            }
            b'{' | b'[' | b'"' => Found::Value(bytes),
            _ => Found::Rest(bytes),
        }))
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.inner.fill_buf()?.first().copied())
    }

    /// Reads a value up to the bracket or quote that ends it; false where there is none.
    fn value(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
        while bytes.len() <= MAX_ITEM_BYTES {
            let Some(byte) = self.peek()? else {
                return Ok(false);
            };
            self.inner.consume(1);
            bytes.push(byte);
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_text => is_escaped = true,
                b'"' => is_text = !is_text,
                _ if is_text => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && !is_text {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads up to the end of the line, which is no part of it.
    fn line(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        while bytes.len() <= MAX_ITEM_BYTES {
            match self.peek()? {
                None | Some(b'\n' | b'\r') => break,
                Some(byte) => bytes.push(byte),
            }
            self.inner.consume(1);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(content: &str) -> Vec<(Found, bool)> {
        let mut objects = Objects::new(content.as_bytes());
        let mut all = Vec::new();
        while let Some(found) = objects.next().expect("memory") {
            all.push((found, objects.had_comma));
        }
        all
    }

    #[test]
    fn what_is_damaged_between_values_costs_only_itself() {
        let value = |json: &str| Found::Value(json.as_bytes().to_vec());

        assert_eq!(
            found("{\n\"a\": \"}\\\"{\"\n},\n{\"b\": [1]} nonsense\n{\"c\": 1}\n\"d\""),
            [
                (value("{\n\"a\": \"}\\\"{\"\n}"), false),
                (value("{\"b\": [1]}"), true),
                (Found::Rest(b"nonsense".to_vec()), false),
                (value("{\"c\": 1}"), false),
                (value("\"d\""), false),
            ]
        );
        assert_eq!(
            found("{\"a\": 1}\n{\"b\": \n"),
            [
                (value("{\"a\": 1}"), false),
                (Found::Endless(b"{\"b\": \n".to_vec()), false)
            ]
        );
    }

    #[test]
    fn nothing_within_or_behind_an_object_that_is_too_long_is_read() {
        let long = "x".repeat(MAX_ITEM_BYTES);
        let content = format!("{{\"a\": \"{long}\",\n\"label\": \"Billing\"\n}}\n{{\"c\": 1}}");

        let found = found(&content);

        assert!(matches!(&found[..], [(Found::Endless(_), false)]));
    }
}
