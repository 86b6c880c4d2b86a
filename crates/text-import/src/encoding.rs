//! Which encoding a file's texts have, and how they become UTF-8.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Bytes by which UTF-16 without a mark is told.
const LOOKED_AT: usize = 4_096;
/// Bytes that are decoded at a time.
const BLOCK: usize = 16 << 10;

/// The encoding of a file, as far as its beginning tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Detected {
    /// UTF-8 is only the beginning: a line that is none is read as Windows-1252.
    pub encoding: &'static Encoding,
    /// Length of the byte-order mark.
    pub mark: usize,
    /// Whether somebody named it.
    named: bool,
}

impl Detected {
    /// Tells the encoding by a mark, by the zero bytes of UTF-16, or takes UTF-8.
    pub(crate) fn of(sample: &[u8], named: Option<&'static Encoding>) -> Self {
        let marked = Encoding::for_bom(sample);
        if let Some(encoding) = named {
            let mark = marked
                .filter(|(other, _)| *other == encoding)
                .map_or(0, |(_, mark)| mark);
            return Self {
                encoding,
                mark,
                named: true,
            };
        }
        let (encoding, mark) = marked.unwrap_or_else(|| (without_mark(sample), 0));
        Self {
            encoding,
            mark,
            named: false,
        }
    }

    /// Returns whether lines are UTF-8 already, or will be decoded one by one.
    pub(crate) fn is_by_line(&self) -> bool {
        self.encoding == UTF_8 && !self.named
    }

    /// Returns the name that people know.
    pub(crate) fn name(&self) -> &'static str {
        match (self.encoding, self.mark) {
            (encoding, 3) if encoding == UTF_8 => "UTF-8 with a byte-order mark",
            (encoding, _) => display_name(encoding),
        }
    }
}

pub(crate) fn display_name(encoding: &'static Encoding) -> &'static str {
    match encoding.name() {
        "windows-1252" => "Windows-1252",
        name => name,
    }
}

/// Tells UTF-16 by its zero bytes: every other byte of most letters is one.
fn without_mark(sample: &[u8]) -> &'static Encoding {
    let start = &sample[..sample.len().min(LOOKED_AT)];
    let zeros = |odd: usize| {
        start
            .iter()
            .skip(odd)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let many = start.len() / 8;
    if start.len() < 8 {
        return UTF_8;
    }
    match (even > many && even > 8 * odd, odd > many && odd > 8 * even) {
        (true, _) => UTF_16BE,
        (_, true) => UTF_16LE,
        _ => UTF_8,
    }
}

/// Decodes one line or cell: UTF-8, or else Windows-1252; says whether it was the latter.
pub(crate) fn decode_line(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (WINDOWS_1252.decode_without_bom_handling(bytes).0, true),
    }
}

/// Makes UTF-8 of what is read.
pub(crate) struct Transcoded<R> {
    inner: R,
    decoder: Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    /// How much of the output was handed out.
    taken: usize,
    ended: bool,
}

impl<R: Read> Transcoded<R> {
    pub(crate) fn new(inner: R, encoding: &'static Encoding) -> Self {
        Self {
            inner,
            decoder: encoding.new_decoder_with_bom_removal(),
            input: Vec::new(),
            output: Vec::new(),
            taken: 0,
            ended: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.output.clear();
        self.taken = 0;
        let mut block = [0; BLOCK];
        let read = self.inner.read(&mut block)?;
        self.input.extend_from_slice(&block[..read]);
        self.ended = read == 0;

        let room = self
            .decoder
            .max_utf8_buffer_length(self.input.len())
            .unwrap_or(4 * BLOCK);
        self.output.resize(room, 0);
        let (mut used, mut written) = (0, 0);
        loop {
            let out = &mut self.output[written..];
            let (result, read, wrote, _) = self.decoder.decode_to_utf8(&self.input[used..], out, self.ended);
            used += read;
            written += wrote;
            match result {
                CoderResult::InputEmpty => break,
                CoderResult::OutputFull => self.output.resize(self.output.len() + BLOCK, 0),
            }
        }
        self.output.truncate(written);
        self.input.clear();
        Ok(())
    }
}

impl<R: Read> Read for Transcoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.output.len() {
            if self.ended {
                return Ok(0);
            }
            self.fill()?;
        }
        let count = buffer.len().min(self.output.len() - self.taken);
        buffer[..count].copy_from_slice(&self.output[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16(text: &str, bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf_16_is_told_with_and_without_its_mark_in_both_orders() {
        let text = "Etikett;Text\r\nGebühr;Zu hoch 😀\r\n".repeat(2_000);
        for (bytes, name) in [
            (
                [b"\xFF\xFE".to_vec(), utf_16(&text, u16::to_le_bytes)].concat(),
                "UTF-16LE",
            ),
            (
                [b"\xFE\xFF".to_vec(), utf_16(&text, u16::to_be_bytes)].concat(),
                "UTF-16BE",
            ),
            (utf_16(&text, u16::to_le_bytes), "UTF-16LE"),
            (utf_16(&text, u16::to_be_bytes), "UTF-16BE"),
        ] {
            let detected = Detected::of(&bytes, None);
            let mut read = String::new();
            let decoded = Transcoded::new(&bytes[..], detected.encoding).read_to_string(&mut read);

            assert_eq!(detected.name(), name);
            assert!(decoded.is_ok() && read == text, "{name}");
        }
    }

    #[test]
    fn a_line_that_is_no_utf_8_is_windows_1252() {
        assert_eq!(
            decode_line(b"caf\xe9 \x80"),
            (Cow::Owned("café €".to_owned()), true)
        );
        assert_eq!(decode_line("café".as_bytes()), (Cow::Borrowed("café"), false));
    }
}
