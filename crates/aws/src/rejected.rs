//! Bad lines set aside: as objects of bounded size below `rejected/`, each line with its reason.

use active_learning_core::feedback::batch::BadItem;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;

use crate::bucket::{Bucket, BucketError, JSON_LINES};

/// Size from which an object of rejected lines is written and the next one is begun, in bytes.
pub const MAX_OBJECT_BYTES: usize = 5 << 20;

/// Collects bad lines into objects in JSON Lines: `{"line": …, "reason": "…", "raw": "…"}`.
///
/// A line that is not valid UTF-8 has its bytes as `rawBase64` in place of `raw`: what is set aside is what was found.
#[derive(Debug, Default)]
pub struct RejectedLines {
    /// How many lines were collected since the beginning.
    pub count: u64,
    object: Vec<u8>,
    objects: usize,
}

/// A full or last object of bad lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedObject {
    /// Its number, from 1.
    pub number: usize,
    /// Its content.
    pub content: Vec<u8>,
}

#[derive(Serialize)]
struct RejectedLine<'a> {
    line: u64,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    #[serde(rename = "rawBase64", skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
}

impl RejectedLines {
    /// Adds a line; returns an object when one is full.
    pub fn push(&mut self, number: u64, bad: &BadItem) -> Option<RejectedObject> {
        let raw = std::str::from_utf8(&bad.raw).ok();
        let line = RejectedLine {
            line: number,
            reason: &bad.reason,
            raw,
            raw_base64: raw.is_none().then(|| BASE64_STANDARD.encode(&bad.raw)),
        };
        serde_json::to_writer(&mut self.object, &line).expect("a vector takes all, the keys are strings");
        self.object.push(b'\n');
        self.count += 1;
        (self.object.len() >= MAX_OBJECT_BYTES).then(|| self.take())
    }

    /// Returns the last object, if there are lines left.
    pub fn finish(&mut self) -> Option<RejectedObject> {
        (!self.object.is_empty()).then(|| self.take())
    }

    /// Returns the number of objects so far.
    pub fn objects(&self) -> usize {
        self.objects
    }

    fn take(&mut self) -> RejectedObject {
        self.objects += 1;
        RejectedObject {
            number: self.objects,
            content: std::mem::take(&mut self.object),
        }
    }
}

/// Returns the key of an object of rejected lines; `name` is that of [`result_name`](active_learning_core::keys::result_name).
///
/// The same lines have the same key, so that a repeated event writes them over with the same content.
pub fn key(function: &str, name: &str, number: usize) -> String {
    format!("rejected/{function}/{name}-{number:05}.jsonl")
}

/// Writes an object of rejected lines.
///
/// # Errors
///
/// [`BucketError`].
pub async fn put(
    bucket: &Bucket,
    function: &str,
    name: &str,
    object: RejectedObject,
) -> Result<(), BucketError> {
    let key = key(function, name, object.number);
    bucket.put(&key, JSON_LINES, object.content).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_with_number_and_reason_in_objects_of_bounded_size() {
        let mut lines = RejectedLines::default();
        let bad = BadItem {
            reason: "too odd".into(),
            raw: vec![b'x'; 1 << 20],
        };

        let full: Vec<_> = (1..=7).filter_map(|number| lines.push(number, &bad)).collect();
        let last = lines.finish().expect("two lines are left");

        assert_eq!(
            (full.len(), full[0].number, last.number, lines.count),
            (1, 1, 2, 7)
        );
        assert!(
            full[0]
                .content
                .starts_with(br#"{"line":1,"reason":"too odd","raw":"xxx"#)
        );
        assert_eq!(last.content.iter().filter(|byte| **byte == b'\n').count(), 2);
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn what_is_no_text_is_set_aside_byte_by_byte() {
        let mut lines = RejectedLines::default();
        let bad = BadItem {
            reason: "not UTF-8".into(),
            raw: b"caf\xe9".to_vec(),
        };

        lines.push(3, &bad);

        let object = lines.finish().expect("a line is left");
        let line = br#"{"line":3,"reason":"not UTF-8","rawBase64":"Y2Fm6Q=="}"#;
        assert_eq!(object.content.trim_ascii_end(), line);
    }
}
