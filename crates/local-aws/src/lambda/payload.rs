//! Limits of what goes into a function and comes out of it.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

/// Most bytes of a synchronous invocation's event.
pub(super) const MAX_SYNCHRONOUS_BYTES: usize = 6_291_456;

/// Most bytes of an asynchronous invocation's event.
pub(super) const MAX_ASYNCHRONOUS_BYTES: usize = 1_048_576;

/// Most bytes of a function's answer: 6 MB and 100 bytes, as Lambda's own message says.
pub(super) const MAX_RESPONSE_BYTES: usize = 6_291_556;

/// Reads a body to its end; `None` if it is longer than `limit` or was cut off.
///
/// What is too long is read and thrown away, so that the sender gets to see the refusal.
pub(super) async fn collect(body: Body, limit: usize) -> Option<Bytes> {
    let mut collected = BytesMut::new();
    let mut length = 0usize;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        length += chunk.len();
        if length <= limit {
            collected.extend_from_slice(&chunk);
        }
    }
    (length <= limit).then(|| collected.freeze())
}
