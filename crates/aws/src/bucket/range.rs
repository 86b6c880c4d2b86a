//! Reads of a part of an object.

use std::ops::Range;

use super::{Bucket, BucketError, is_no_such_version, only_version};

impl Bucket {
    /// Reads these bytes of an object; `None` when it is gone, or is no longer the one with this ETag.
    ///
    /// The ETag stands without quotes, as listings have it; an empty one reads whatever is there. The range is not empty and
    /// ends at the object's end at the latest.
    ///
    /// # Errors
    ///
    /// [`BucketError`], also where S3 sends more bytes or fewer.
    pub async fn read_range(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<Option<Vec<u8>>, BucketError> {
        let length = range.end.saturating_sub(range.start);
        let bytes = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        let call = self.get(key).set_if_match(only_version(etag)).range(bytes);
        let answer = match Box::pin(call.send()).await {
            Ok(answer) => answer,
            Err(error) if is_no_such_version(&error) => return Ok(None),
            Err(error) => return Err(self.refused(key, error)),
        };
        let content = self.collect(key, answer.body, Some(length), length).await?;
        match content.len() as u64 == length {
            true => Ok(Some(content)),
            false => Err(self.broken(key, "S3 sent fewer bytes than were asked for")),
        }
    }
}
