//! JSON documents in the training bucket.

pub(crate) use active_learning_aws::objects::Listed;

use active_learning_aws::objects;
use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata},
    primitives::ByteStream,
};
use serde::{Serialize, de::DeserializeOwned};

const JSON: &str = "application/json";

/// An object that could be neither read nor written.
#[derive(Debug, thiserror::Error)]
#[error("the object {key} of the training bucket could not be read or written")]
pub struct StorageError {
    /// Key or prefix.
    pub key: String,
    /// What S3 answered, or what is wrong with the object.
    #[source]
    pub source: BoxError,
}

/// The training bucket.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    pub s3: Client,
    pub bucket: String,
}

impl Storage {
    pub(crate) fn new(s3: Client, bucket: String) -> Self {
        Self { s3, bucket }
    }

    /// Returns the URI of an object.
    pub(crate) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// Reads a document.
    pub(crate) async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StorageError> {
        Ok(self.read_version(key).await?.map(|(document, _)| document))
    }

    /// Reads a document with its ETag, with which [`replace`](Self::replace) replaces just this one.
    pub(crate) async fn read_version<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<(T, String)>, StorageError> {
        let get = self.s3.get_object().bucket(&self.bucket).key(key);
        let object = match get.send().await {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(failed(key, error)),
        };
        let etag = object.e_tag().unwrap_or_default().to_owned();
        let body = object.body.collect().await.map_err(|error| failed(key, error))?;
        let document = serde_json::from_slice(&body.into_bytes()).map_err(|error| failed(key, error))?;
        Ok(Some((document, etag)))
    }

    /// Opens an object for reading; `None` if there is none.
    pub(crate) async fn open(&self, key: &str) -> Result<Option<ByteStream>, StorageError> {
        objects::open(&self.s3, &self.bucket, key, "")
            .await
            .map_err(|error| failed(key, error))
    }

    /// Writes a document, over one of that key.
    pub(crate) async fn put(&self, key: &str, document: &impl Serialize) -> Result<(), StorageError> {
        self.put_bytes(key, JSON, to_json(document)).await
    }

    /// Writes an object, over one of that key.
    pub(crate) async fn put_bytes(
        &self,
        key: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(), StorageError> {
        objects::put(&self.s3, &self.bucket, key, content_type, body)
            .await
            .map_err(|error| failed(key, error))
    }

    /// Writes a document unless there is one; returns whether it was written.
    pub(crate) async fn create(&self, key: &str, document: &impl Serialize) -> Result<bool, StorageError> {
        objects::create(&self.s3, &self.bucket, key, JSON, to_json(document))
            .await
            .map_err(|error| failed(key, error))
    }

    /// Writes a document over the one with this ETag, or if `etag` is `None` where there is none; returns
    /// whether it was written.
    pub(crate) async fn replace(
        &self,
        key: &str,
        etag: Option<&str>,
        document: &impl Serialize,
    ) -> Result<bool, StorageError> {
        let Some(etag) = etag else {
            return self.create(key, document).await;
        };
        objects::write_version(&self.s3, &self.bucket, key, to_json(document), Some(etag))
            .await
            .map_err(|error| failed(key, error))
    }

    /// Deletes an object, if there is one.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let delete = self.s3.delete_object().bucket(&self.bucket).key(key);
        delete.send().await.map(drop).map_err(|error| failed(key, error))
    }

    /// Lists the objects whose keys start with a prefix, in order.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StorageError> {
        objects::list(&self.s3, &self.bucket, prefix)
            .await
            .map_err(|error| failed(prefix, error))
    }

    /// Lists the folders directly below a prefix, each with its slash.
    pub(crate) async fn folders(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let list = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let mut pages = list.delimiter("/").into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let prefixes = page.map_err(|error| failed(prefix, error))?.common_prefixes;
            folders.extend(
                prefixes
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|it| it.prefix),
            );
        }
        Ok(folders)
    }
}

pub(crate) fn failed(key: &str, source: impl Into<BoxError>) -> StorageError {
    StorageError {
        key: key.to_owned(),
        source: source.into(),
    }
}

fn to_json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(document).expect("our documents have only string keys")
}
