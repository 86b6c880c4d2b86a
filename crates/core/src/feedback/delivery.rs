//! Delivered objects: feedback records one a line, read as a stream, compressed or not.

use std::{
    io::{BufRead, BufReader, Read},
    ops::ControlFlow,
};

use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;

use crate::{
    feedback::{
        FeedbackRecord, InvalidFeedback,
        batch::{BadItem, MAX_ITEM_BYTES, ReadError, io_or_damaged},
        check_texts,
    },
    labels::label_set::check_suggestion,
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
/// Whether the object is compressed is told from its first bytes. Several records on one line, as another
/// producer may put them into the stream, are read one by one. Blank lines do not count as content; a
/// damaged line becomes a bad item and reading goes on; a damaged object becomes a last bad item. At most
/// [`MAX_ITEM_BYTES`] of a line are held in memory.
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
    let mut line = Vec::new();
    let mut number = 1;
    loop {
        let complete = match read_line(&mut content, &mut line) {
            Ok(complete) => complete,
            Err(error) => return damaged(error, number, line, emit),
        };
        if complete && line.is_empty() {
            return Ok(());
        }
        let (records, used) = records(&line, complete);
        let is_too_long = !complete && records.is_empty();
        let too_long = is_too_long.then_some(&line[..]);
        for record in records.into_iter().chain(too_long) {
            let content = parse(record);
            if emit(Line { number, content }).is_break() {
                return Ok(());
            }
        }
        if is_too_long && let Err(error) = content.skip_until(b'\n') {
            return damaged(error, number, Vec::new(), emit);
        }
        number += u64::from(complete || is_too_long);
        line.drain(..if is_too_long { line.len() } else { used });
    }
}

/// Tells that an object is damaged from here on.
fn damaged(
    error: std::io::Error,
    number: u64,
    raw: Vec<u8>,
    emit: &mut dyn FnMut(Line) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let reason = io_or_damaged(error)?;
    let content = Err(BadItem { reason, raw });
    let _ = emit(Line { number, content });
    Ok(())
}

/// Cuts a line into its records: one, unless a producer has put several without a line feed between them.
///
/// What is no JSON is one piece, up to the next record, as far as there is one: it takes no other with it. Returns with
/// the pieces how many bytes are dealt with. Of a complete line that is all of them. Of the beginning of a long line it
/// is the good values, and what stands before one.
fn records(line: &[u8], complete: bool) -> (Vec<&[u8]>, usize) {
    let (mut records, mut start) = (Vec::new(), 0);
    loop {
        let before = start;
        let mut values = serde_json::Deserializer::from_slice(&line[before..]).into_iter::<IgnoredAny>();
        let is_cut_off = loop {
            match values.next() {
                Some(Ok(_)) => {
                    let end = before + values.byte_offset();
                    records.push(line[start..end].trim_ascii());
                    start = end;
                }
                Some(Err(error)) => break error.is_eof(),
                None => break false,
            }
        };
        let rest = &line[start..];
        // More of a long line is read before its rest is taken for bad.
        if !complete && (is_cut_off || start > 0) {
            return (records, start);
        }
        if rest.trim_ascii().is_empty() {
            return (records, line.len());
        }
        match next_record(rest) {
            Some(place) => {
                records.push(rest[..place].trim_ascii());
                start += place;
            }
            None if complete => {
                records.push(rest.trim_ascii());
                return (records, line.len());
            }
            None => return (records, start),
        }
    }
}

/// Finds where the next record begins, after something that is none.
fn next_record(rest: &[u8]) -> Option<usize> {
    let is_start = |place: &usize| rest[*place] == b'{';
    (1..rest.len()).filter(is_start).find(|place| {
        let mut values = serde_json::Deserializer::from_slice(&rest[*place..]).into_iter::<IgnoredAny>();
        let is_value = matches!(values.next(), Some(Ok(_)));
        is_value && parse(&rest[*place..*place + values.byte_offset()]).is_ok()
    })
}

fn parse(line: &[u8]) -> Result<FeedbackRecord, BadItem> {
    let record = if line.len() > MAX_ITEM_BYTES {
        Err(format!(
            "the line is longer than {MAX_ITEM_BYTES} bytes, with which it begins here"
        ))
    } else {
        checked(line).map_err(|error| error.to_string())
    };
    record.map_err(|reason| BadItem {
        reason,
        raw: line[..line.len().min(MAX_ITEM_BYTES)].to_vec(),
    })
}

/// Reads a record, and checks it as a request is checked: it may be another producer's.
fn checked(line: &[u8]) -> Result<FeedbackRecord, InvalidFeedback> {
    let record = FeedbackRecord::parse_strictly(line)?;
    check_texts(&record.classifier, &record.utterance)?;
    check_suggestion(&record).map_err(|_| InvalidFeedback::NoLabel("suggestedLabel"))?;
    Ok(record)
}

/// Reads on to the end of the line, or to one byte more than a line may have; false where that was not its
/// end.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    let room = (MAX_ITEM_BYTES + 1 - line.len()) as u64;
    Read::take(&mut *input, room).read_until(b'\n', line)?;
    Ok(line.len() <= MAX_ITEM_BYTES || line.last() == Some(&b'\n'))
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
            lines[1].content.as_ref().map_err(|bad| bad.raw.as_slice()),
            Err(&b"nonsense"[..])
        );
    }

    #[test]
    fn records_without_a_line_feed_between_them_are_read_one_by_one() {
        let lines = lines(format!("{RECORD}{RECORD} {RECORD}nonsense\n{RECORD}").as_bytes());

        assert_eq!(
            lines
                .iter()
                .map(|line| (line.number, line.content.is_ok()))
                .collect::<Vec<_>>(),
            [(1, true), (1, true), (1, true), (1, false), (2, true)]
        );
        let rest = lines[3].content.as_ref().map_err(|bad| bad.raw.as_slice());
        assert_eq!(rest, Err(&b"nonsense"[..]));
    }

    #[test]
    fn what_is_no_record_takes_none_of_those_beside_it_with_it() {
        for bad in [
            "nonsense",
            "{\"utterance\": \"cut o",
            "{\"utterance\": \"x\", oops}",
            "}}]{{",
            "{\"a\":[{\"utterance\":1},",
        ] {
            let lines = lines(format!("{RECORD}{bad}{RECORD}{bad}{RECORD}\n{bad}{RECORD}").as_bytes());

            let read: Vec<_> = lines
                .iter()
                .map(|line| (line.number, line.content.is_ok()))
                .collect();
            assert_eq!(
                read,
                [
                    (1, true),
                    (1, false),
                    (1, true),
                    (1, false),
                    (1, true),
                    (2, false),
                    (2, true)
                ],
                "{bad}"
            );
            let kept = lines.iter().filter_map(|line| line.content.as_ref().err());
            assert!(kept.into_iter().all(|kept| kept.raw == bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_damaged_record_in_a_long_line_costs_none_of_the_records_after_it() {
        let each = MAX_ITEM_BYTES / RECORD.len() + 1;
        let many = RECORD.repeat(each);

        for bad in ["nonsense", "{\"utterance\": oops}"] {
            let lines = lines(format!("{many}{bad}{many}{bad}{many}").as_bytes());

            let good = lines.iter().filter(|line| line.content.is_ok()).count();
            assert_eq!((good, lines.len()), (3 * each, 3 * each + 2), "{bad}");
        }
    }

    #[test]
    fn many_records_on_one_line_may_be_longer_together_than_one_may_be() {
        let content = RECORD.repeat(2 * MAX_ITEM_BYTES / RECORD.len());

        let lines = lines(format!("{content}\n{RECORD}").as_bytes());

        assert_eq!(lines.len(), content.len() / RECORD.len() + 1);
        assert!(lines.iter().all(|line| line.content.is_ok()));
        assert_eq!(lines.last().map(|line| line.number), Some(2));
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_as_they_were_found() {
        let lines = lines(b"\xff{\xfe}\n");

        let bad = lines[0].content.as_ref().expect_err("no JSON");
        assert_eq!(bad.raw, b"\xff{\xfe}");
    }

    #[test]
    fn a_delivered_text_of_which_nothing_can_be_seen_is_set_aside() {
        let lines = lines("{\"utterance\":\"\u{200b}\u{feff}\",\"classifier\":\"news\"}".as_bytes());

        assert!(
            lines[0]
                .content
                .as_ref()
                .is_err_and(|bad| bad.reason.contains("blank"))
        );
    }

    #[test]
    fn a_line_with_a_field_that_nobody_reads_is_set_aside_by_its_name() {
        let of_others = r#""classifier":"news","utterance":"Rates rise""#;
        let of_ours = r#""schemaVersion":1,"classifier":"news","utterance":"Rates rise""#;
        for (fields, name) in [
            (format!(r#"{of_others},"feedback":"like""#), "`feedback`"),
            (
                format!(r#"{of_others},"prediction":"World","feedback":"like""#),
                "`feedback`",
            ),
            (
                format!(r#"{of_others},"Signal":"like""#),
                "did you mean `signal`?",
            ),
            (format!(r#"{of_others},"label":"World""#), "`label`"),
            (format!(r#"{of_others},"rating":5"#), "`rating`"),
            (format!(r#"{of_others},"channel":"mail""#), "`channel`"),
            (format!(r#"{of_ours},"Signal":"like""#), "did you mean `signal`?"),
            (
                format!(r#"{of_ours},"suggested_label":"World""#),
                "did you mean `suggestedLabel`?",
            ),
            (format!(r#"{of_ours},"like":true"#), "`like`"),
            (
                format!(r#"{of_others},"suggestedLabel":"__none__""#),
                "`suggestedLabel`",
            ),
            (
                format!(r#"{of_ours},"suggestedLabel":"\u200b""#),
                "`suggestedLabel`",
            ),
        ] {
            let lines = lines(format!("{{{fields}}}").as_bytes());

            let bad = lines[0].content.as_ref().expect_err(&fields);
            assert!(bad.reason.contains(name), "{fields}: {}", bad.reason);
        }
    }

    #[test]
    fn a_line_of_our_own_stays_readable_with_fields_that_a_later_version_adds() {
        let own = FeedbackRecord::parse(RECORD.as_bytes())
            .expect("a record")
            .to_line();
        let later = own.replacen('{', r#"{"channelOfTheCall":"phone","#, 1);

        for line in [
            own.as_str(),
            &later,
            r#"{"classifier":"news","utterance":"x","id":"1","signal":"like"}"#,
        ] {
            assert!(lines(line.as_bytes())[0].content.is_ok(), "{line}");
        }
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
