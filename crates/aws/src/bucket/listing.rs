//! What a bucket holds below a prefix.

use aws_sdk_s3::types;
use chrono::{DateTime, Utc};

use super::{Bucket, BucketError};

/// Objects on a full page of a listing. Source: Amazon S3, `ListObjectsV2`.
const PAGE: usize = 1_000;

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its ETag without quotes.
    pub etag: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written last.
    pub modified: DateTime<Utc>,
}

impl Listed {
    /// S3 names all of these; an object without one of them is none.
    fn of(object: types::Object) -> Option<Self> {
        let modified = object.last_modified?;
        Some(Self {
            key: object.key?,
            etag: object.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
            size: u64::try_from(object.size?).ok()?,
            modified: DateTime::from_timestamp(modified.secs(), modified.subsec_nanos())?,
        })
    }
}

impl Bucket {
    /// Lists the objects whose keys begin with `prefix`, in the order of their keys.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, BucketError> {
        let mut listed = Vec::new();
        self.list_each(prefix, |object| listed.push(object)).await?;
        Ok(listed)
    }

    /// Hands over the objects whose keys begin with `prefix`, in the order of their keys, however many there are.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn list_each(&self, prefix: &str, take: impl FnMut(Listed)) -> Result<(), BucketError> {
        let call = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let mut pages = call.into_paginator().send();
        let mut take = take;

        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.refused(prefix, error))?;
            let objects = page.contents.unwrap_or_default();
            objects.into_iter().filter_map(Listed::of).for_each(&mut take);
        }
        Ok(())
    }

    /// Returns the keys of uploads in parts that are not completed.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn unfinished_uploads(&self) -> Result<Vec<String>, BucketError> {
        let (mut keys, mut key_marker, mut id_marker) = (Vec::new(), None, None);
        loop {
            let call = self.client.list_multipart_uploads().bucket(&self.name);
            let call = call.set_key_marker(key_marker).set_upload_id_marker(id_marker);
            let page = Box::pin(call.send())
                .await
                .map_err(|error| self.refused("", error))?;
            let uploads = page.uploads().iter();
            keys.extend(uploads.filter_map(|upload| upload.key()).map(str::to_owned));
            match (page.is_truncated, page.next_key_marker) {
                (Some(true), Some(key)) => (key_marker, id_marker) = (Some(key), page.next_upload_id_marker),
                _ => return Ok(keys),
            }
        }
    }

    /// Lists the first objects whose keys begin with `prefix` and come after `after`, which is without the prefix;
    /// at most `count`, and at most 1,000.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn list_after(
        &self,
        prefix: &str,
        after: &str,
        count: usize,
    ) -> Result<Vec<Listed>, BucketError> {
        let call = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let call = match after {
            "" => call,
            after => call.start_after(format!("{prefix}{after}")),
        };
        let count = i32::try_from(count.min(PAGE)).unwrap_or(i32::MAX);

        let page = Box::pin(call.max_keys(count).send()).await;
        let page = page.map_err(|error| self.refused(prefix, error))?;
        let objects = page.contents.unwrap_or_default();
        Ok(objects.into_iter().filter_map(Listed::of).collect())
    }

    /// Lists the first folders directly below `prefix`, each with its slash, whose names come after `after`: one page of
    /// at most `count` folders and objects. Returns whether there are more, too.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn folders_after(
        &self,
        prefix: &str,
        after: &str,
        count: usize,
    ) -> Result<(Vec<String>, bool), BucketError> {
        let call = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(prefix)
            .delimiter("/");
        let call = match after {
            "" => call,
            // The character after the slash: all that is in the folder comes before.
            after => call.start_after(format!("{prefix}{after}0")),
        };
        let count = i32::try_from(count.min(PAGE)).unwrap_or(i32::MAX);

        let page = Box::pin(call.max_keys(count).send()).await;
        let page = page.map_err(|error| self.refused(prefix, error))?;
        let has_more = page.is_truncated == Some(true);
        let folders = page.common_prefixes.unwrap_or_default().into_iter();
        Ok((folders.filter_map(|folder| folder.prefix).collect(), has_more))
    }

    /// Lists what keys below `prefix` begin with, up to and with `delimiter`, each beginning once: the first `count`, at
    /// most 1,000.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn beginnings(
        &self,
        prefix: &str,
        delimiter: &str,
        count: usize,
    ) -> Result<Vec<String>, BucketError> {
        let call = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let count = i32::try_from(count.min(PAGE)).unwrap_or(i32::MAX);

        let page = Box::pin(call.delimiter(delimiter).max_keys(count).send()).await;
        let page = page.map_err(|error| self.refused(prefix, error))?;
        let beginnings = page.common_prefixes.unwrap_or_default().into_iter();
        Ok(beginnings.filter_map(|beginning| beginning.prefix).collect())
    }

    /// Lists the folders directly below `prefix`, each with its slash.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`].
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, BucketError> {
        let call = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let mut pages = call.delimiter("/").into_paginator().send();
        let mut folders = Vec::new();

        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.refused(prefix, error))?;
            let prefixes = page.common_prefixes.unwrap_or_default();
            folders.extend(prefixes.into_iter().filter_map(|folder| folder.prefix));
        }
        Ok(folders)
    }
}
