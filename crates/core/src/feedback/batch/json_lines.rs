//! JSON Lines: one object a line.

use std::io::{BufRead, Read};

use super::{MAX_ITEM_BYTES, ReadError, Sink, io_or_damaged, without_line_end};
use crate::feedback::FeedbackRequest;

/// Reads one object a line.
pub(super) fn read(mut input: Box<dyn BufRead + '_>, sink: &mut Sink<'_>) -> Result<(), ReadError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = MAX_ITEM_BYTES as u64 + 1;
        let read = match input.by_ref().take(limit).read_until(b'\n', &mut line) {
            Ok(read) => read,
            Err(error) => {
                sink.bad(number, io_or_damaged(error)?, b"");
                return Ok(());
            }
        };
        if read == 0 {
            return Ok(());
        }
        let text = line.trim_ascii();
        let goes_on = if line.len() > MAX_ITEM_BYTES {
            let reason = format!("the line is longer than {MAX_ITEM_BYTES} bytes, with which it begins here");
            let goes_on = sink.bad(number, reason, &line[..MAX_ITEM_BYTES]);
            skip_line(&mut input, sink)? && goes_on
        } else if text.is_empty() {
            sink.budget.set(0);
            true
        } else {
            match FeedbackRequest::parse(text) {
                Ok(request) => sink.put(number, Ok(request), without_line_end(&line)),
                Err(error) => sink.bad(number, error, without_line_end(&line)),
            }
        };
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

/// Passes over the rest of a line; false at a damaged place.
fn skip_line(input: &mut Box<dyn BufRead + '_>, sink: &mut Sink<'_>) -> Result<bool, ReadError> {
    loop {
        sink.budget.set(0);
        let (used, done) = match input.fill_buf() {
            Ok([]) => return Ok(true),
            Ok(block) => match block.iter().position(|&byte| byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (block.len(), false),
            },
            Err(error) => {
                sink.bad(sink.number, io_or_damaged(error)?, b"");
                return Ok(false);
            }
        };
        input.consume(used);
        if done {
            return Ok(true);
        }
    }
}
