//! Delivered objects: feedback records one a line, read as a stream, compressed or not.

use std::{
    io::{BufRead, BufReader, Read},
    ops::ControlFlow,
};

use flate2::bufread::MultiGzDecoder;

use crate::feedback::{
    FeedbackRecord,
    batch::{BadItem, MAX_ITEM_BYTES, ReadError, io_or_damaged},
};

/// First bytes of a gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// One line of a delivered object.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// What it holds.
    pub content: Result<FeedbackRecord, BadItem>,
}

/// Reads the lines of `input` and hands them to `emit` until it breaks or the object ends.
///
/// Whether the object is compressed is told from its first bytes. Blank lines do not count as
/// content; a damaged line becomes a bad item and reading goes on; a damaged object becomes a last
/// bad item. At most [`MAX_ITEM_BYTES`] of a line are held in memory.
///
/// # Errors
///
/// [`ReadError::Io`] when the object cannot be fetched, never for what it holds.
pub fn read(input: impl Read, emit: &mut dyn FnMut(Line) -> ControlFlow<()>) -> Result<(), ReadError> {
    let mut input = BufReader::new(input);
    let mut start = Vec::new();
    (&mut input)
        .take(2)
        .read_to_end(&mut start)
        .map_err(ReadError::Io)?;
    let gzip = start == GZIP_MAGIC;
    let input = start.as_slice().chain(input);
    let mut content: Box<dyn BufRead + '_> = if gzip {
        Box::new(BufReader::new(MultiGzDecoder::new(input)))
    } else {
        Box::new(input)
    };
    for number in 1.. {
        let content = match next_line(&mut content) {
            Ok(None) => return Ok(()),
            Ok(Some(line)) if line.trim_ascii().is_empty() => continue,
            Ok(Some(line)) => parse(&line),
            Err(error) => {
                let reason = io_or_damaged(error)?;
                let raw = String::new();
                let _ = emit(Line {
                    number,
                    content: Err(BadItem { reason, raw }),
                });
                return Ok(());
            }
        };
        if emit(Line { number, content }).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn parse(line: &[u8]) -> Result<FeedbackRecord, BadItem> {
    if line.len() > MAX_ITEM_BYTES {
        let reason = format!("the line is longer than {MAX_ITEM_BYTES} bytes");
        let raw = String::new();
        return Err(BadItem { reason, raw });
    }
    FeedbackRecord::parse(line).map_err(|error| BadItem {
        reason: error.to_string(),
        raw: String::from_utf8_lossy(line.trim_ascii()).into_owned(),
    })
}

/// Returns the next line; of one that is too long, one byte more than is allowed.
fn next_line(input: &mut dyn BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut limited = Read::take(&mut *input, MAX_ITEM_BYTES as u64 + 1);
    if limited.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() > MAX_ITEM_BYTES && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const RECORD: &str =
        r#"{"utterance":"Rates rise","prediction":"World","confidence":0.4,"classifier":"news"}"#;

    fn lines(content: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        read(content, &mut |line| {
            lines.push(line);
            ControlFlow::Continue(())
        })
        .expect("a slice has no transport errors");
        lines
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).expect("a vector takes everything");
        encoder.finish().expect("a vector takes everything")
    }

    #[test]
    fn a_bad_line_is_set_aside_with_its_number_and_the_next_one_is_read() {
        let lines = lines(format!("{RECORD}\r\n\nnonsense\n{RECORD}").as_bytes());

        assert_eq!(
            lines
                .iter()
                .map(|line| (line.number, line.content.is_ok()))
                .collect::<Vec<_>>(),
            [(1, true), (3, false), (4, true)]
        );
        assert_eq!(
            lines[1].content.as_ref().map_err(|bad| bad.raw.as_str()),
            Err("nonsense")
        );
    }

    #[test]
    fn compressed_objects_joined_to_one_read_like_plain_ones() {
        let joined = [gzip(format!("{RECORD}\n").as_bytes()), gzip(RECORD.as_bytes())].concat();

        assert_eq!(lines(&joined), lines(format!("{RECORD}\n{RECORD}").as_bytes()));
    }

    #[test]
    fn a_cut_off_compressed_object_keeps_what_came_before_the_damage() {
        let whole = gzip(format!("{RECORD}\n").repeat(3).as_bytes());

        let lines = lines(&whole[..whole.len() - 4]);

        assert_eq!(lines.iter().filter(|line| line.content.is_ok()).count(), 3);
        let last = lines
            .last()
            .expect("lines")
            .content
            .as_ref()
            .expect_err("damaged");
        assert!(last.reason.starts_with("the file is damaged"), "{}", last.reason);
    }

    #[test]
    fn a_line_beyond_the_limit_is_skipped_to_its_end() {
        let content = format!("{}\n{RECORD}\n", "x".repeat(3 * MAX_ITEM_BYTES));

        let lines = lines(content.as_bytes());

        assert_eq!(lines.len(), 2);
        assert!(lines[0].content.is_err());
        assert_eq!((lines[1].number, lines[1].content.is_ok()), (2, true));
    }

    #[test]
    fn an_empty_object_has_no_lines() {
        assert_eq!(lines(b""), []);
    }
}
