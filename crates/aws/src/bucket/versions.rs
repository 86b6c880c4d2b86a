//! Versions of objects that a bucket keeps after they were written over or deleted.

use aws_sdk_s3::{error::ProvideErrorMetadata, types::ObjectVersion};

use super::{Bucket, BucketError, is_missing};

/// A version of an object that is no longer the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldVersion {
    /// Key of the object.
    pub key: String,
    /// Id of the version.
    pub id: String,
    /// Its size, in bytes.
    pub size: u64,
}

impl OldVersion {
    fn of(version: &ObjectVersion) -> Option<Self> {
        let is_old = version.is_latest() == Some(false);
        Some(Self {
            key: version.key().filter(|_| is_old)?.to_owned(),
            id: version.version_id()?.to_owned(),
            size: u64::try_from(version.size().unwrap_or_default()).unwrap_or_default(),
        })
    }
}

impl Bucket {
    /// Lists the old versions of all objects, also of those that are deleted.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn each_old_version(&self, mut take: impl FnMut(OldVersion)) -> Result<(), BucketError> {
        let mut after = None;
        loop {
            let (key, version): (Option<String>, Option<String>) = Option::unzip(after.take());
            let call = self.client.list_object_versions().bucket(&self.name);
            let page = call.set_key_marker(key).set_version_id_marker(version).send();
            let page = Box::pin(page).await.map_err(|error| self.refused("", error))?;
            page.versions()
                .iter()
                .filter_map(OldVersion::of)
                .for_each(&mut take);
            match (
                page.is_truncated,
                page.next_key_marker,
                page.next_version_id_marker,
            ) {
                (Some(true), Some(key), Some(version)) => after = Some((key, version)),
                _ => return Ok(()),
            }
        }
    }

    /// Reads an old version of at most `limit` bytes; `None` if it is gone.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read_old_version(
        &self,
        version: &OldVersion,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, BucketError> {
        let key = &version.key;
        match Box::pin(self.get(key).version_id(&version.id).send()).await {
            Ok(answer) => {
                let length = answer
                    .content_length
                    .and_then(|length| u64::try_from(length).ok());
                self.collect(key, answer.body, length, limit).await.map(Some)
            }
            Err(error) if is_missing(&error) || error.code() == Some("NoSuchVersion") => Ok(None),
            Err(error) => Err(self.refused(key, error)),
        }
    }

    /// Deletes an old version for good.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn delete_old_version(&self, version: &OldVersion) -> Result<(), BucketError> {
        let key = &version.key;
        let call = self.client.delete_object().bucket(&self.name).key(key);
        let deleted = Box::pin(call.version_id(&version.id).send()).await;
        deleted.map(drop).map_err(|error| self.refused(key, error))
    }
}
