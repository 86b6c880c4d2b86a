//! The training bucket, where all state lies, and the buckets that requests name.
//!
//! ```text
//! text-classifier/<resource>.json          state of an endpoint, a classifier or a classification job; the
//!                                          resource is the last part of its ARN
//! text-classifier/models/<resource>.bin    a classifier's model
//! text-classifier/jobs/<resource>.json     there is work to do for it
//! ```
//!
//! State is written whole, each time on condition that nobody else wrote in between.

use std::error::Error;

use active_learning_aws::{label_set::LabelSets, objects};
use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata, SdkError},
    operation::{
        get_object::{GetObjectError, GetObjectOutput},
        list_objects_v2::ListObjectsV2Error,
        put_object::PutObjectError,
    },
};
use futures::{StreamExt, TryStreamExt};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use text_model::{Model, ModelError};

use crate::s3_uri::S3Uri;

const FOLDER: &str = "text-classifier/";
const JOBS_FOLDER: &str = "text-classifier/jobs/";
const STATE_SUFFIX: &str = ".json";
const JSON: &str = "application/json";
/// States that a listing reads at a time.
const READS_AT_ONCE: usize = 16;

/// Why something in the training bucket could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// S3 refused or did not answer.
    #[error("the training bucket could not be used")]
    S3(#[source] BoxError),
    /// An object of ours is not the JSON that we wrote.
    #[error("object {key} is not readable")]
    Json {
        /// Its key.
        key: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A model's file cannot be used.
    #[error("model {key} cannot be used: {source}")]
    Model {
        /// Its key.
        key: String,
        /// What is wrong.
        #[source]
        source: ModelError,
    },
}

/// Why an object that a request names could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NamedObjectError {
    /// Trying again does not help.
    #[error("{uri} cannot be used: {code}")]
    Refused { uri: String, code: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Outcome of a conditional read.
pub(crate) enum Read<T> {
    Unchanged,
    Missing,
    /// What was found, and its ETag.
    Found(T, String),
}

/// Outcome of a change of state.
pub(crate) enum Updated<T, R> {
    Missing,
    /// The state is not one to be changed so, and was left.
    Refused(R),
    Done(T),
}

/// An object that a listing found.
pub(crate) struct Listed {
    pub key: String,
    pub etag: String,
}

/// The training bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    pub(crate) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Returns the label set of this bucket.
    pub(crate) fn label_sets(&self) -> LabelSets {
        LabelSets::new(active_learning_aws::bucket::Bucket::new(
            self.client.clone(),
            &self.name,
        ))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Reads a thing's state.
    pub(crate) async fn read<T: DeserializeOwned>(&self, resource: &str) -> Result<Option<T>, StoreError> {
        match self.read_if_changed(resource, None).await? {
            Read::Found(state, _) => Ok(Some(state)),
            Read::Missing | Read::Unchanged => Ok(None),
        }
    }

    /// Reads a thing's state unless it still has the known ETag.
    pub(crate) async fn read_if_changed<T: DeserializeOwned>(
        &self,
        resource: &str,
        known_etag: Option<String>,
    ) -> Result<Read<T>, StoreError> {
        let key = state_key(resource);
        let call = self.client.get_object().bucket(&self.name).key(&key);
        match call.set_if_none_match(known_etag).send().await {
            Ok(object) => {
                // Without it, whatever somebody else writes in between would be lost.
                let etag = object.e_tag.clone();
                let etag = etag.ok_or_else(|| StoreError::S3("S3 gave no ETag".into()))?;
                let bytes = collect(object).await?;
                let state =
                    serde_json::from_slice(&bytes).map_err(|source| StoreError::Json { key, source })?;
                Ok(Read::Found(state, etag))
            }
            Err(error) if status(&error) == Some(304) => Ok(Read::Unchanged),
            Err(error) if is_missing(&error) => Ok(Read::Missing),
            Err(error) => Err(StoreError::S3(error.into())),
        }
    }

    /// Writes the state of a new thing; returns whether there was none.
    pub(crate) async fn create(&self, resource: &str, state: &impl Serialize) -> Result<bool, StoreError> {
        self.write(resource, state, None).await
    }

    /// Changes a thing's state; if somebody else writes in between, changes what they wrote.
    pub(crate) async fn update<T: Serialize + DeserializeOwned, R>(
        &self,
        resource: &str,
        mut change: impl FnMut(&mut T) -> Result<(), R>,
    ) -> Result<Updated<T, R>, StoreError> {
        loop {
            let Read::Found(mut state, etag) = self.read_if_changed(resource, None).await? else {
                return Ok(Updated::Missing);
            };
            if let Err(refusal) = change(&mut state) {
                return Ok(Updated::Refused(refusal));
            }
            if self.write(resource, &state, Some(&etag)).await? {
                return Ok(Updated::Done(state));
            }
        }
    }

    /// Writes state if it is still what was read, or if there is none; returns whether it was written.
    async fn write(
        &self,
        resource: &str,
        state: &impl Serialize,
        read_etag: Option<&str>,
    ) -> Result<bool, StoreError> {
        let key = state_key(resource);
        objects::write_version(&self.client, &self.name, &key, to_json(state), read_etag)
            .await
            .map_err(StoreError::S3)
    }

    /// Deletes a thing's state.
    pub(crate) async fn delete(&self, resource: &str) -> Result<(), StoreError> {
        self.delete_key(&state_key(resource)).await
    }

    /// Reads the states of all things whose resource starts with `kind` and a slash.
    pub(crate) async fn states<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, StoreError> {
        let folder = format!("{FOLDER}{kind}/");
        let listed = self.list(&self.name, &folder).await.map_err(StoreError::S3)?;
        let resources: Vec<String> = listed
            .iter()
            .filter_map(|object| object.key.strip_prefix(FOLDER)?.strip_suffix(STATE_SUFFIX))
            .map(str::to_owned)
            .collect();
        let reads: Vec<_> = resources.iter().map(|resource| self.read(resource)).collect();
        let states: Vec<Option<T>> = futures::stream::iter(reads)
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await?;
        // One may have been deleted since it was listed.
        Ok(states.into_iter().flatten().collect())
    }

    pub(crate) async fn model(&self, resource: &str) -> Result<Model, StoreError> {
        let key = model_key(resource);
        let file = match self.client.get_object().bucket(&self.name).key(&key).send().await {
            Ok(object) => collect(object).await?,
            Err(error) if is_missing(&error) => Vec::new(),
            Err(error) => return Err(StoreError::S3(error.into())),
        };
        Model::from_bytes(&file).map_err(|source| StoreError::Model { key, source })
    }

    pub(crate) async fn put_model(&self, resource: &str, model: &Model) -> Result<(), StoreError> {
        let (key, file) = (model_key(resource), model.to_bytes());
        objects::put(&self.client, &self.name, &key, "application/octet-stream", file)
            .await
            .map_err(StoreError::S3)
    }

    pub(crate) async fn delete_model(&self, resource: &str) -> Result<(), StoreError> {
        self.delete_key(&model_key(resource)).await
    }

    /// Has this function invoked for a thing, at least once.
    pub(crate) async fn ask_for_work(&self, resource: &str) -> Result<(), StoreError> {
        let key = job_key(resource);
        objects::put(
            &self.client,
            &self.name,
            &key,
            JSON,
            to_json(&json!({"resource": resource})),
        )
        .await
        .map_err(StoreError::S3)
    }

    /// Returns how many things of a kind have work to be done.
    pub(crate) async fn open_work(&self, kind: &str) -> Result<usize, StoreError> {
        let folder = format!("{JOBS_FOLDER}{kind}/");
        let listed = self.list(&self.name, &folder).await.map_err(StoreError::S3)?;
        Ok(listed.len())
    }

    /// Takes note that there is nothing left to do for a thing.
    pub(crate) async fn work_is_done(&self, resource: &str) -> Result<(), StoreError> {
        self.delete_key(&job_key(resource)).await
    }

    /// Reads an object if it is still the one with that ETag; `None` if not.
    pub(crate) async fn object(&self, key: &str, etag: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let opened = objects::open(&self.client, &self.name, key, etag)
            .await
            .map_err(StoreError::S3)?;
        match opened {
            Some(body) => {
                let bytes = body
                    .collect()
                    .await
                    .map_err(|error| StoreError::S3(error.into()))?;
                Ok(Some(bytes.to_vec()))
            }
            None => Ok(None),
        }
    }

    /// Lists the objects of this bucket with something in them whose keys start so, in order.
    pub(crate) async fn own_objects(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.list(&self.name, prefix).await.map_err(StoreError::S3)
    }

    /// Reads a document of this bucket that is no state.
    pub(crate) async fn read_own<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.object(key, "").await? else {
            return Ok(None);
        };
        let document = serde_json::from_slice(&bytes);
        document.map(Some).map_err(|source| StoreError::Json {
            key: key.to_owned(),
            source,
        })
    }

    /// Writes a document of this bucket that is no state.
    pub(crate) async fn put_own(&self, key: &str, document: &impl Serialize) -> Result<(), StoreError> {
        objects::put(&self.client, &self.name, key, JSON, to_json(document))
            .await
            .map_err(StoreError::S3)
    }

    /// Lists the objects with something in them whose keys start as the URI says, in order.
    pub(crate) async fn list_named(&self, uri: &S3Uri) -> Result<Vec<Listed>, NamedObjectError> {
        self.list(&uri.bucket, &uri.key)
            .await
            .map_err(|error| named_object_error(uri, error))
    }

    /// Reads an object that a request names.
    pub(crate) async fn get_named(&self, uri: &S3Uri) -> Result<Vec<u8>, NamedObjectError> {
        Ok(collect(self.open_named(uri).await?).await?)
    }

    /// Starts to read an object that a request names.
    pub(crate) async fn open_named(&self, uri: &S3Uri) -> Result<GetObjectOutput, NamedObjectError> {
        let call = self.client.get_object().bucket(&uri.bucket).key(&uri.key);
        call.send()
            .await
            .map_err(|error| named_object_error(uri, error.into()))
    }

    /// Writes an object that a request names.
    pub(crate) async fn put_named(
        &self,
        uri: &S3Uri,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(), NamedObjectError> {
        objects::put(&self.client, &uri.bucket, &uri.key, content_type, body)
            .await
            .map_err(|error| named_object_error(uri, error))
    }

    async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, BoxError> {
        let call = self.client.list_objects_v2().bucket(bucket).prefix(prefix);
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let objects = page?.contents.unwrap_or_default();
            let with_content = objects.into_iter().filter(|object| object.size != Some(0));
            found.extend(with_content.map(|object| Listed {
                key: object.key.unwrap_or_default(),
                etag: object.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
            }));
        }
        Ok(found)
    }

    async fn delete_key(&self, key: &str) -> Result<(), StoreError> {
        let call = self.client.delete_object().bucket(&self.name).key(key);
        call.send().await.map_err(|error| StoreError::S3(error.into()))?;
        Ok(())
    }
}

/// Returns the thing for which a job object asks for work.
pub(crate) fn resource_of_job(key: &str) -> Option<&str> {
    key.strip_prefix(JOBS_FOLDER)?.strip_suffix(STATE_SUFFIX)
}

fn state_key(resource: &str) -> String {
    format!("{FOLDER}{resource}{STATE_SUFFIX}")
}

fn model_key(resource: &str) -> String {
    format!("{FOLDER}models/{resource}.bin")
}

fn job_key(resource: &str) -> String {
    format!("{JOBS_FOLDER}{resource}{STATE_SUFFIX}")
}

/// Tells the requester's mistakes from S3's failures by the code, which is all that is said of either.
fn named_object_error(uri: &S3Uri, error: BoxError) -> NamedObjectError {
    let code = code_of::<GetObjectError>(&error)
        .or_else(|| code_of::<ListObjectsV2Error>(&error))
        .or_else(|| code_of::<PutObjectError>(&error));
    match code {
        Some(
            code
            @ ("NoSuchBucket" | "NoSuchKey" | "AccessDenied" | "PermanentRedirect" | "InvalidBucketName"),
        ) => NamedObjectError::Refused {
            uri: uri.to_string(),
            code: code.to_owned(),
        },
        Some(_) | None => NamedObjectError::Store(StoreError::S3(error)),
    }
}

fn code_of<E: ProvideErrorMetadata + Error + 'static>(error: &BoxError) -> Option<&str> {
    error.downcast_ref::<SdkError<E>>()?.code()
}

fn is_missing(error: &SdkError<GetObjectError>) -> bool {
    error
        .as_service_error()
        .is_some_and(GetObjectError::is_no_such_key)
}

/// "Not modified" has no modelled error.
fn status(error: &SdkError<GetObjectError>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

async fn collect(object: GetObjectOutput) -> Result<Vec<u8>, StoreError> {
    let bytes = object
        .body
        .collect()
        .await
        .map_err(|error| StoreError::S3(error.into()))?;
    Ok(bytes.to_vec())
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("our state has only string keys")
}
