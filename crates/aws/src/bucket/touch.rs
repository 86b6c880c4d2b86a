//! Writing an object as it is, so that S3 tells of it once more.

use active_learning_core::erasure::REWRITTEN_BY_ERASURE;
use aws_sdk_s3::types::MetadataDirective;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Bucket, BucketError};

/// What a copy's source is encoded with: everything but what stands for itself in a path.
const SOURCE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// What became of an object that S3 was to tell of once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Touched {
    /// S3 tells of it.
    Told,
    /// There is none.
    Gone,
    /// Another one was put in its place: it is left alone.
    Replaced,
}

impl Bucket {
    /// Copies an object onto itself, as it is, so that S3 tells of it once more; returns whether there is one.
    ///
    /// S3 refuses a copy that changes nothing, hence the directive to replace the metadata, by the same.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn touch(&self, key: &str) -> Result<bool, BucketError> {
        let touched = self.touch_version(key, "").await?;
        Ok(touched == Touched::Told)
    }

    /// Does the same as [`Bucket::touch`] for the object with this ETag, without quotes, and what an erasure has left of it;
    /// an empty one is that of any.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn touch_version(&self, key: &str, etag: &str) -> Result<Touched, BucketError> {
        let head = match self.head(key).await {
            Ok(head) => head,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => {
                return Ok(Touched::Gone);
            }
            Err(error) => return Err(self.refused(key, error)),
        };
        let is_same = head.e_tag().is_some_and(|found| found.trim_matches('"') == etag);
        let is_rest = head
            .metadata()
            .is_some_and(|metadata| metadata.contains_key(REWRITTEN_BY_ERASURE));
        if !etag.is_empty() && !is_same && !is_rest {
            return Ok(Touched::Replaced);
        }

        let source = format!("{}/{key}", self.name);
        let call = self.client.copy_object().bucket(&self.name).key(key);
        let copied = call
            .copy_source(utf8_percent_encode(&source, SOURCE).to_string())
            .set_copy_source_if_match(head.e_tag)
            .metadata_directive(MetadataDirective::Replace)
            .set_metadata(head.metadata)
            .set_content_type(head.content_type)
            .set_content_encoding(head.content_encoding)
            .set_content_disposition(head.content_disposition)
            .set_content_language(head.content_language)
            .set_cache_control(head.cache_control)
            .send();
        Box::pin(copied)
            .await
            .map(|_| Touched::Told)
            .map_err(|error| self.refused(key, error))
    }
}
