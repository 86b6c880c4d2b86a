//! Reads a delivered object on a thread of its own, some lines at a time.

use std::ops::ControlFlow;

use active_learning_core::feedback::{
    batch::ReadError,
    delivery::{self, Line},
};
use aws_sdk_s3::primitives::ByteStream;
use tokio::{
    sync::mpsc::Sender,
    task::{JoinHandle, spawn_blocking},
};
use tokio_util::io::SyncIoBridge;

/// Lines that are asked about together: enough to fill many human loops, few enough for any memory.
///
/// A line counts a second time for every [`LINE_BYTES`] of it. The same object is always cut in the
/// same places, so that its human loops are the same.
const LINES_AT_A_TIME: usize = 1_000;

/// Size up to which a line counts once, in bytes.
const LINE_BYTES: usize = 8 << 10;

/// Starts reading; lines are sent until they are no longer wanted or the object ends.
pub(crate) fn start(body: ByteStream, sender: Sender<Vec<Line>>) -> JoinHandle<Result<(), ReadError>> {
    let body = SyncIoBridge::new(body.into_async_read());
    spawn_blocking(move || {
        let mut lines = Vec::new();
        let mut weight = 0;
        delivery::read(body, &mut |line| {
            weight += 1 + size(&line) / LINE_BYTES;
            lines.push(line);
            if weight < LINES_AT_A_TIME {
                return ControlFlow::Continue(());
            }
            weight = 0;
            match sender.blocking_send(std::mem::take(&mut lines)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
        if !lines.is_empty() {
            // Nobody to send to means that the outcome is not waited for.
            let _ = sender.blocking_send(lines);
        }
        Ok(())
    })
}

/// Waits for a reader; one that panicked has not read its object.
pub(crate) async fn finished(reading: JoinHandle<Result<(), ReadError>>) -> Result<(), ReadError> {
    let panicked = |error| Err(ReadError::Io(std::io::Error::other(error)));
    reading.await.unwrap_or_else(panicked)
}

fn size(line: &Line) -> usize {
    match &line.content {
        Ok(record) => record.utterance.len(),
        Err(bad) => bad.raw.len(),
    }
}
