//! Objects that requests name: in the training bucket, or in others with the rights of a role.

use std::{ops::Range, path::Path};

use active_learning_aws::{
    bucket::{self, BucketError, Listed},
    role::s3_as,
};
use aws_sdk_s3::primitives::ByteStream;

use super::{Bucket, StoreError, collect};
use crate::s3_uri::S3Uri;

/// Why an object that a request names could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NamedObjectError {
    /// Trying again does not help.
    #[error("{uri} cannot be used: {code}")]
    Refused { uri: String, code: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Bucket {
    /// Returns the same bucket, beside which other buckets are used with the rights of a request's
    /// `DataAccessRoleArn`, if it names any.
    pub(crate) async fn as_role(
        &self,
        role: Option<&str>,
        uris: impl IntoIterator<Item = &S3Uri>,
    ) -> Result<Self, NamedObjectError> {
        let elsewhere = uris.into_iter().find(|uri| uri.bucket != self.own.name());
        let (Some(elsewhere), Some(role), Some(sdk)) = (elsewhere, role, &self.sdk) else {
            return Ok(self.clone());
        };
        let client = s3_as(sdk, role, "text-classifier").await;
        let client = client.map_err(|error| refused(elsewhere, &error.to_string()))?;
        Ok(Self {
            of_role: Some((role.to_owned(), client)),
            ..self.clone()
        })
    }

    /// Returns a bucket that a request names.
    fn named(&self, name: &str) -> bucket::Bucket {
        match &self.of_role {
            Some((_, client)) if name != self.own.name() => bucket::Bucket::new(client.clone(), name),
            _ => self.own.other(name),
        }
    }

    /// Lists the objects with something in them whose keys start as the URI says, in order.
    pub(crate) async fn list_named(&self, uri: &S3Uri) -> Result<Vec<Listed>, NamedObjectError> {
        let listed = self.named(&uri.bucket).list(&uri.key).await;
        let mut listed = listed.map_err(|error| self.refusal(uri, error))?;
        listed.retain(|object| object.size > 0);
        Ok(listed)
    }

    /// As [`list_named`](Self::list_named), with empty files; what stands for a folder is none.
    pub(crate) async fn list_files(&self, uri: &S3Uri) -> Result<Vec<Listed>, NamedObjectError> {
        let listed = self.named(&uri.bucket).list(&uri.key).await;
        let mut listed = listed.map_err(|error| self.refusal(uri, error))?;
        listed.retain(|object| object.size > 0 || !object.key.ends_with('/'));
        Ok(listed)
    }

    /// Reads an object of a listing; refused where it is another one by now.
    pub(crate) async fn get_listed(&self, uri: &S3Uri, etag: &str) -> Result<Vec<u8>, NamedObjectError> {
        let opened = self.named(&uri.bucket).open_version(&uri.key, etag).await;
        let opened = opened.map_err(|error| self.refusal(uri, error))?;
        Ok(collect(opened.ok_or_else(|| changed(uri))?).await?)
    }

    /// Reads bytes of an object of a listing; refused where it is another one by now.
    pub(crate) async fn get_range(
        &self,
        uri: &S3Uri,
        etag: &str,
        range: Range<u64>,
    ) -> Result<Vec<u8>, NamedObjectError> {
        let read = self.named(&uri.bucket).read_range(&uri.key, etag, range).await;
        let read = read.map_err(|error| self.refusal(uri, error))?;
        read.ok_or_else(|| changed(uri))
    }

    /// Reads an object that a request names.
    pub(crate) async fn get_named(&self, uri: &S3Uri) -> Result<Vec<u8>, NamedObjectError> {
        Ok(collect(self.open_named(uri).await?).await?)
    }

    /// Starts to read an object that a request names.
    pub(crate) async fn open_named(&self, uri: &S3Uri) -> Result<ByteStream, NamedObjectError> {
        let opened = self.named(&uri.bucket).open(&uri.key).await;
        let opened = opened.map_err(|error| self.refusal(uri, error))?;
        opened.ok_or_else(|| refused(uri, "NoSuchKey"))
    }

    /// Writes an object that a request names.
    pub(crate) async fn put_named(
        &self,
        uri: &S3Uri,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(), NamedObjectError> {
        let put = self.named(&uri.bucket).put(&uri.key, content_type, body).await;
        put.map_err(|error| self.refusal(uri, error))
    }

    /// Sends a file to an object that a request names.
    pub(crate) async fn put_named_file(
        &self,
        uri: &S3Uri,
        content_type: &str,
        file: &Path,
    ) -> Result<(), NamedObjectError> {
        let bucket = self.named(&uri.bucket);
        let put = bucket.overwrite_with_file(&uri.key, content_type, file).await;
        put.map_err(|error| self.refusal(uri, error))
    }

    /// Tells the requester's mistakes from S3's failures by the code, which is all that is said of either; of a missing right
    /// also who lacks it.
    fn refusal(&self, uri: &S3Uri, error: BucketError) -> NamedObjectError {
        match (error.code(), &self.of_role) {
            (Some("AccessDenied"), Some((role, _))) if uri.bucket != self.own.name() => {
                refused(uri, &format!("AccessDenied with the rights of {role}"))
            }
            (Some("AccessDenied"), _) => {
                refused(uri, "AccessDenied with the rights of the function's own role")
            }
            (Some(code @ ("NoSuchBucket" | "NoSuchKey" | "PermanentRedirect" | "InvalidBucketName")), _) => {
                refused(uri, code)
            }
            (Some(_) | None, _) => NamedObjectError::Store(error.into()),
        }
    }
}

/// Says that an object was replaced or deleted under a job that reads it.
fn changed(uri: &S3Uri) -> NamedObjectError {
    refused(
        uri,
        "it was replaced or deleted while the job read it; start the job again once it stays as it is",
    )
}

fn refused(uri: &S3Uri, code: &str) -> NamedObjectError {
    NamedObjectError::Refused {
        uri: uri.to_string(),
        code: code.to_owned(),
    }
}
