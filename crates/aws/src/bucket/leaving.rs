//! What an erasure leaves of objects that functions have worked off.

use active_learning_core::erasure::{LEFT_BY_ERASURE, REWRITTEN_BY_ERASURE};
use aws_sdk_s3::{
    error::ProvideErrorMetadata, operation::list_object_versions::ListObjectVersionsOutput,
    types::BucketVersioningStatus,
};
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
        let head = match self.head(key).await {
            Ok(head) => head,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => {
                return Ok(Leaving::Changed);
            }
            Err(error) => return Err(self.refused(key, error)),
        };
        let mut metadata = head.metadata.unwrap_or_default();
        metadata.insert(REWRITTEN_BY_ERASURE.to_owned(), "true".to_owned());
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
            .send();
        match Box::pin(written).await {
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
        match self.head(key).await {
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
        let versioning = self.client.get_bucket_versioning().bucket(&self.name);
        match Box::pin(versioning.send()).await {
            Ok(answer) => Ok(matches!(
                answer.status,
                Some(BucketVersioningStatus::Enabled | BucketVersioningStatus::Suspended)
            )),
            Err(error) => Err(self.refused("", error)),
        }
    }

    /// Deletes all versions of an object but the one that is there now, and what marks a deletion; returns their number.
    ///
    /// No old version comes back meanwhile, also where it breaks off: what is there, or marks that nothing is, goes last.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn delete_old_versions(&self, key: &str) -> Result<usize, BucketError> {
        let goes = |version: &Version| version.key == key && (version.is_mark || !version.is_latest);
        self.delete_versions(key, goes).await
    }

    /// Deletes all versions of the objects whose keys begin with `prefix`; returns their number. No old version comes back
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn delete_all_versions(&self, prefix: &str) -> Result<usize, BucketError> {
        self.delete_versions(prefix, |_| true).await
    }

    /// Deletes some versions and marks below a prefix: of each object the latest last, since it hides the others.
    async fn delete_versions(
        &self,
        prefix: &str,
        goes: impl Fn(&Version) -> bool,
    ) -> Result<usize, BucketError> {
        let (mut deleted, mut after, mut latest) = (0, None, Vec::new());
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
                .send();
            let page = Box::pin(page)
                .await
                .map_err(|error| self.refused(prefix, error))?;
            let (hiding, old): (Vec<Version>, Vec<Version>) = Version::all_of(&page)
                .filter(&goes)
                .partition(|version| version.is_latest);
            latest.extend(hiding);
            deleted += self.delete_each(&old).await?;

            let next = match page.is_truncated {
                Some(true) => page.next_key_marker.zip(page.next_version_id_marker),
                Some(false) | None => None,
            };
            // Of that object there may be more.
            let is_done = |version: &mut Version| next.as_ref().is_none_or(|(key, _)| version.key != *key);
            let done: Vec<Version> = latest.extract_if(.., is_done).collect();
            deleted += self.delete_each(&done).await?;
            if next.is_none() {
                return Ok(deleted);
            }
            after = next;
        }
    }

    async fn delete_each(&self, versions: &[Version]) -> Result<usize, BucketError> {
        for Version { key, id, .. } in versions {
            let call = self.client.delete_object().bucket(&self.name).key(key);
            let call = Box::pin(call.version_id(id).send()).await;
            call.map_err(|error| self.refused(key, error))?;
        }
        Ok(versions.len())
    }
}

/// A version of an object, or a mark that it was deleted.
struct Version {
    key: String,
    id: String,
    is_latest: bool,
    is_mark: bool,
}

impl Version {
    fn all_of(page: &ListObjectVersionsOutput) -> impl Iterator<Item = Self> {
        let version = |key: Option<&str>, id: Option<&str>, is_latest: Option<bool>, is_mark| {
            Some(Self {
                key: key?.to_owned(),
                id: id?.to_owned(),
                is_latest: is_latest == Some(true),
                is_mark,
            })
        };
        let versions = page.versions().iter();
        let versions =
            versions.filter_map(move |one| version(one.key(), one.version_id(), one.is_latest(), false));
        let marks = page.delete_markers().iter();
        let marks = marks.filter_map(move |one| version(one.key(), one.version_id(), one.is_latest(), true));
        versions.chain(marks)
    }
}
