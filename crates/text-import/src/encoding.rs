//! Which encoding a file's texts have, and how they become UTF-8.

mod guess;

mod no_letters;

use std::{
    borrow::Cow,
    io::{self, Read},
};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
pub(crate) use no_letters::{NO_LETTER, NoLetters, holds_no_letter, reason, shown, shown_bytes};

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
    /// Whether it is told by its letters only.
    guessed: bool,
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
                guessed: false,
            };
        }
        let (encoding, mark) = marked.unwrap_or_else(|| (without_mark(sample), 0));
        let guess = (encoding == UTF_8 && mark == 0)
            .then(|| guess::by_letters(sample))
            .flatten();
        Self {
            encoding: guess.unwrap_or(encoding),
            mark,
            named: false,
            guessed: guess.is_some(),
        }
    }

    /// Returns the encoding that a file has for sure where somebody named another: UTF-16, by its mark or its zeros.
    pub(crate) fn other(sample: &[u8], named: &'static Encoding) -> Option<&'static Encoding> {
        let marked = Encoding::for_bom(sample).map(|(encoding, _)| encoding);
        let found = marked.unwrap_or_else(|| without_mark(sample));
        ([UTF_16LE, UTF_16BE].contains(&found) && found != named).then_some(found)
    }

    /// Says that the encoding is told by the letters only, where it is.
    pub(crate) fn note(&self) -> Option<String> {
        self.guessed.then(|| {
            format!(
                "the file is no UTF-8; by its letters it was read as {}, and converted",
                self.name()
            )
        })
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

/// Decodes one line or cell: UTF-8, or else Windows-1252; says whether it was the latter. Where bytes are no letters of that
/// stands [`NO_LETTER`].
pub(crate) fn decode_line(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => {
            let text = WINDOWS_1252.decode_without_bom_handling(bytes).0;
            let text = match text.contains(is_control_of_c1) {
                true => Cow::Owned(text.replace(is_control_of_c1, NO_LETTER.encode_utf8(&mut [0; 4]))),
                false => text,
            };
            (text, true)
        }
    }
}

/// Returns whether a character is what decoders make of a byte that is none of an encoding of one byte a letter, such as 0x81
/// of Windows-1252 (WHATWG Encoding Standard, index windows-1252).
fn is_control_of_c1(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}')
}

/// Makes UTF-8 of what is read. Where bytes are no letters of the encoding stands [`NO_LETTER`].
pub(crate) struct Transcoded<R> {
    inner: R,
    decoder: Decoder,
    /// Whether control characters stand for bytes that are no letters.
    has_controls: bool,
    no_letters: NoLetters,
    input: Vec<u8>,
    output: Vec<u8>,
    /// How much of the output was handed out.
    taken: usize,
    ended: bool,
}

impl<R: Read> Transcoded<R> {
    /// Decodes what is read; bytes that are no letters are counted in `no_letters`.
    pub(crate) fn new(inner: R, encoding: &'static Encoding, no_letters: NoLetters) -> Self {
        Self {
            inner,
            decoder: encoding.new_decoder_with_bom_removal(),
            has_controls: ![UTF_8, UTF_16LE, UTF_16BE].contains(&encoding),
            no_letters,
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
            .max_utf8_buffer_length_without_replacement(self.input.len())
            .unwrap_or(4 * BLOCK);
        self.output.resize(room, 0);
        let (mut used, mut written) = (0, 0);
        loop {
            let out = &mut self.output[written..];
            let input = &self.input[used..];
            let (result, read, wrote) = self
                .decoder
                .decode_to_utf8_without_replacement(input, out, self.ended);
            used += read;
            let decoded = std::str::from_utf8(&out[..wrote]).unwrap_or_default();
            if self.has_controls && decoded.contains(is_control_of_c1) {
                let decoded = marked(decoded, &self.no_letters);
                self.output.truncate(written);
                self.output.extend_from_slice(decoded.as_bytes());
                written = self.output.len();
                self.output.resize(written + room, 0);
            } else {
                self.no_letters.pass(&out[..wrote]);
                written += wrote;
            }
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => self.output.resize(self.output.len() + BLOCK, 0),
                DecoderResult::Malformed(..) => {
                    self.no_letters.add();
                    self.output.truncate(written);
                    self.output
                        .extend_from_slice(NO_LETTER.encode_utf8(&mut [0; 4]).as_bytes());
                    written = self.output.len();
                    self.output.resize(written + room, 0);
                }
            }
        }
        self.output.truncate(written);
        self.input.clear();
        Ok(())
    }
}

/// Puts [`NO_LETTER`] where control characters stand for bytes that are none, and counts them.
fn marked(decoded: &str, no_letters: &NoLetters) -> String {
    let mut marked = String::with_capacity(decoded.len() + NO_LETTER.len_utf8());
    let mut pieces = decoded.split(is_control_of_c1);
    let first = pieces.next().unwrap_or_default();
    no_letters.pass(first.as_bytes());
    marked.push_str(first);
    for piece in pieces {
        no_letters.add();
        marked.push(NO_LETTER);
        no_letters.pass(piece.as_bytes());
        marked.push_str(piece);
    }
    marked
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
            let decoded = Transcoded::new(&bytes[..], detected.encoding, NoLetters::default())
                .read_to_string(&mut read);

            assert_eq!(detected.name(), name);
            assert!(decoded.is_ok() && read == text, "{name}");
        }
    }

    #[test]
    fn encodings_of_east_asia_and_cyrillic_are_told_by_their_letters() {
        let chinese = "text,label\n发票金额不对，请帮我检查一下,账单\n包裹还没有送到,物流\n";
        let japanese = "text,label\n請求書の金額が間違っています,請求\nログインできません,ログイン\n";
        let korean = "text,label\n청구서 금액이 잘못되었습니다,청구\n로그인이 안 됩니다,로그인\n";
        let russian = "text,label\nСчёт неверный,оплата\nПосылка не пришла,доставка\n";
        for (text, encoding) in [
            (chinese, encoding_rs::GBK),
            (japanese, encoding_rs::SHIFT_JIS),
            (japanese, encoding_rs::EUC_JP),
            (korean, encoding_rs::EUC_KR),
            (russian, encoding_rs::WINDOWS_1251),
        ] {
            let (bytes, ..) = encoding.encode(text);

            let detected = Detected::of(&bytes, None);
            let mut read = String::new();
            let decoded = Transcoded::new(&bytes[..], detected.encoding, NoLetters::default())
                .read_to_string(&mut read);

            assert_eq!(detected.name(), display_name(encoding));
            assert!(decoded.is_ok() && read == text, "{}", encoding.name());
            assert!(detected.note().is_some_and(|note| note.contains(encoding.name())));
        }
    }

    #[test]
    fn what_is_western_or_mostly_utf_8_is_told_line_by_line() {
        let (western, ..) =
            WINDOWS_1252.encode("text;label\nDie Gebühr ist zu hoch, für mich;Gebühr\nÜber €5;Gebühr\n");
        let mixed = [
            "Gebühr\nзаказ\n発票\n".as_bytes(),
            b"caf\xe9\n",
            "ещё\n".as_bytes(),
        ]
        .concat();

        for sample in [&western[..], &mixed, "発票の金額".as_bytes(), b"plain"] {
            let detected = Detected::of(sample, None);

            assert!(detected.is_by_line() && detected.note().is_none());
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
