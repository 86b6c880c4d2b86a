//! The lines of a file, whatever ends them.

use std::{
    collections::VecDeque,
    io::{self, BufRead},
};

use active_learning_core::feedback::batch::MAX_ITEM_BYTES;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub number: u64,
    /// What it holds, without its end; of a line that is too long, its beginning.
    pub bytes: Vec<u8>,
    /// `\n`, `\r\n`, `\r`, or nothing at the end of the file.
    pub end: &'static [u8],
    /// Whether it is longer than [`MAX_ITEM_BYTES`].
    pub is_too_long: bool,
}

/// Reads lines, and takes back what was read too far.
pub(crate) struct Lines<R> {
    inner: R,
    number: u64,
    returned: VecDeque<Line>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            number: 0,
            returned: VecDeque::new(),
        }
    }

    /// Returns the next line; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.returned.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let mut length = 0_usize;
        let end: &'static [u8] = loop {
            let block = self.inner.fill_buf()?;
            if block.is_empty() {
                break b"";
            }
            let found = block.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &block[..found.unwrap_or(block.len())];
            let room = MAX_ITEM_BYTES.saturating_sub(bytes.len());
            bytes.extend_from_slice(&part[..part.len().min(room)]);
            length += part.len();
            let used = part.len();
            match found.map(|at| block[at]) {
                None => self.inner.consume(used),
                Some(b'\n') => {
                    self.inner.consume(used + 1);
                    break b"\n";
                }
                Some(_) => {
                    self.inner.consume(used + 1);
                    if self.inner.fill_buf()?.first() != Some(&b'\n') {
                        break b"\r";
                    }
                    self.inner.consume(1);
                    break b"\r\n";
                }
            }
        };
        if length == 0 && end.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        // The mark of a file that was put behind another one, or a second one.
        while bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
        }
        Ok(Some(Line {
            number: self.number,
            bytes,
            end,
            is_too_long: length > MAX_ITEM_BYTES,
        }))
    }

    /// Takes lines back: they come again, in this order.
    pub(crate) fn give_back(&mut self, lines: impl DoubleEndedIterator<Item = Line>) {
        for line in lines.rev() {
            self.returned.push_front(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_ends_a_line_and_a_hidden_mark_is_no_part_of_one() {
        let mut lines = Lines::new(&b"a\nb\r\nc\rd\n\n\xEF\xBB\xBFe"[..]);
        let mut read = Vec::new();
        while let Some(line) = lines.next().expect("memory") {
            read.push((
                line.number,
                String::from_utf8(line.bytes).expect("UTF-8"),
                line.end,
            ));
        }

        let expected: [(u64, &str, &[u8]); 6] = [
            (1, "a", b"\n"),
            (2, "b", b"\r\n"),
            (3, "c", b"\r"),
            (4, "d", b"\n"),
            (5, "", b"\n"),
            (6, "e", b""),
        ];
        assert_eq!(
            read,
            expected.map(|(number, text, end)| (number, text.to_owned(), end))
        );
    }

    #[test]
    fn a_line_beyond_the_limit_is_not_held() {
        let mut content = vec![b'x'; 3 * MAX_ITEM_BYTES];
        content.extend_from_slice(b"\nnext");
        let mut lines = Lines::new(io::BufReader::new(&content[..]));

        let long = lines.next().expect("memory").expect("a line");
        let next = lines.next().expect("memory").expect("a line");

        assert!(long.is_too_long && long.bytes.len() == MAX_ITEM_BYTES);
        assert_eq!((next.number, next.bytes.as_slice()), (2, &b"next"[..]));
    }
}
