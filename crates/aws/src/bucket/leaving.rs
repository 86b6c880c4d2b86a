//! What an erasure leaves of objects that functions have worked off.

use active_learning_core::erasure::LEFT_BY_ERASURE;
use aws_sdk_s3::{error::ProvideErrorMetadata, types::BucketVersioningStatus};
use bytes::Bytes;

use super::{Bucket, BucketError};

/// What became of an object over which its rest was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Leaving {
    /// What is left is there.
    Written {
        /// Whether the bucket keeps what was there, as an old version.
        keeps_old: bool,
    },
    /// Somebody else wrote or removed it; what they did stays.
    Changed,
}

impl Bucket {
    /// Writes what is left of an object over the one with this ETag, with the same media type and metadata.
    ///
    /// With `is_worked_off` it is marked, so that those whom S3 tells of it leave it alone: see [`Bucket::is_left`].
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn leave(
        &self,
        key: &str,
        etag: &str,
        rest: impl Into<Bytes>,
        is_worked_off: bool,
    ) -> Result<Leaving, BucketError> {
        let head = match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(head) => head,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => {
                return Ok(Leaving::Changed);
            }
            Err(error) => return Err(self.refused(key, error)),
        };
        let mut metadata = head.metadata.unwrap_or_default();
        if is_worked_off {
            metadata.insert(LEFT_BY_ERASURE.to_owned(), "true".to_owned());
        }

        let call = self.client.put_object().bucket(&self.name).key(key);
        let written = call
            .if_match(etag)
            .set_metadata(Some(metadata))
            .set_content_type(head.content_type)
            .set_content_encoding(head.content_encoding)
            .set_content_disposition(head.content_disposition)
            .set_content_language(head.content_language)
            .set_cache_control(head.cache_control)
            .body(rest.into().into())
            .send()
            .await;
        match written {
            Ok(written) => Ok(Leaving::Written {
                keeps_old: written.version_id.is_some(),
            }),
            Err(error) if matches!(error.code(), Some("PreconditionFailed" | "NoSuchKey")) => {
                Ok(Leaving::Changed)
            }
            Err(error) => Err(self.refused(key, error)),
        }
    }

    /// Returns whether an object is what an erasure has left of one that had been worked off: there is nothing to do for it.
    /// One that is gone is not.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn is_left(&self, key: &str) -> Result<bool, BucketError> {
        match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(head) => Ok(head
                .metadata
                .is_some_and(|metadata| metadata.contains_key(LEFT_BY_ERASURE))),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(false),
            Err(error) => Err(self.refused(key, error)),
        }
    }

    /// Returns whether the bucket keeps what was written over or deleted: versioning is on, or was.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn keeps_versions(&self) -> Result<bool, BucketError> {
        match self
            .client
            .get_bucket_versioning()
            .bucket(&self.name)
            .send()
            .await
        {
            Ok(answer) => Ok(matches!(
                answer.status,
                Some(BucketVersioningStatus::Enabled | BucketVersioningStatus::Suspended)
            )),
            Err(error) => Err(self.refused("", error)),
        }
    }

    /// Deletes all versions of an object but the one that is there now, and what marks a deletion; returns their number.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn delete_old_versions(&self, key: &str) -> Result<usize, BucketError> {
        let is_old = |of: &str, is_latest: Option<bool>| of == key && is_latest == Some(false);
        self.delete_versions(key, is_old, |of| of == key).await
    }

    /// Deletes all versions of the objects whose keys begin with `prefix`; returns their number.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn delete_all_versions(&self, prefix: &str) -> Result<usize, BucketError> {
        self.delete_versions(prefix, |_, _| true, |_| true).await
    }

    /// Deletes some versions below a prefix, by key and by whether it is the one that is there, and some marks.
    async fn delete_versions(
        &self,
        prefix: &str,
        version_goes: impl Fn(&str, Option<bool>) -> bool,
        mark_goes: impl Fn(&str) -> bool,
    ) -> Result<usize, BucketError> {
        let (mut deleted, mut after) = (0, None);
        loop {
            let listing = self
                .client
                .list_object_versions()
                .bucket(&self.name)
                .prefix(prefix);
            let (key_marker, version_marker) = Option::unzip(after.take());
            let page = listing
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker)
                .send()
                .await
                .map_err(|error| self.refused(prefix, error))?;
            let versions = page.versions().iter().filter_map(|version| {
                let goes = version_goes(version.key()?, version.is_latest());
                version.key().zip(version.version_id()).filter(|_| goes)
            });
            let marks = page.delete_markers().iter().filter_map(|mark| {
                let goes = mark_goes(mark.key()?);
                mark.key().zip(mark.version_id()).filter(|_| goes)
            });
            for (key, version) in versions.chain(marks) {
                let call = self.client.delete_object().bucket(&self.name).key(key);
                let call = call.version_id(version).send().await;
                call.map_err(|error| self.refused(key, error))?;
                deleted += 1;
            }
            match (
                page.is_truncated,
                page.next_key_marker,
                page.next_version_id_marker,
            ) {
                (Some(true), Some(key), Some(version)) => after = Some((key, version)),
                _ => return Ok(deleted),
            }
        }
    }
}
