//! The training bucket, where all state lies, and the buckets that requests name.
//!
//! ```text
//! text-classifier/<resource>.json          state of an endpoint, a classifier or a classification job; the
//!                                          resource is the last part of its ARN
//! text-classifier/models/<resource>.bin    a classifier's model
//! text-classifier/jobs/<resource>.json     there is work to do for it
//! text-classifier/vectors/<encoder>/<pack>.bin   vectors of texts, see [`crate::vectors`]
//! text-classifier/parts/<job>/<part>.jsonl       output of a classification job that goes on
//! encoder/<path>                           an own text encoder
//! ```
//!
//! State is written whole, each time on condition that nobody else wrote in between.

mod named;

use std::sync::Arc;

use active_learning_aws::{
    backoff::Tries,
    bucket::{self, BINARY, BucketError, Created, Fetched, Listed},
    erased::ErasedList,
    label_set::LabelSets,
};
use active_learning_core::erasure::ErasedTexts;
use aws_config::SdkConfig;
use aws_sdk_s3::{Client, error::BoxError, primitives::ByteStream};
use futures::{StreamExt, TryStreamExt};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use text_encoder::EncoderError;
use text_model::{Model, ModelError};

pub(crate) use self::named::NamedObjectError;

const FOLDER: &str = "text-classifier/";
/// Folder of an own text encoder.
pub(crate) const ENCODER_FOLDER: &str = "encoder/";
const JOBS_FOLDER: &str = "text-classifier/jobs/";
const STATE_SUFFIX: &str = ".json";
/// Largest model, and largest document of a classification job, that is read, in bytes: as much as memory holds.
const MAX_BYTES: u64 = 1 << 30;
/// States that a listing reads at a time.
const READS_AT_ONCE: usize = 16;

/// Why something in the training bucket could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The bucket refused, did not answer, or holds something else than what this function writes.
    #[error("the training bucket could not be used")]
    Bucket(#[from] BucketError),
    /// An object was not read to its end.
    #[error("an object in S3 could not be read to its end")]
    Read(#[source] BoxError),
    /// A model's file cannot be used.
    #[error("model {key} cannot be used: {source}")]
    Model {
        /// Its key.
        key: String,
        /// What is wrong.
        #[source]
        source: ModelError,
    },
    /// What is under `encoder/` cannot be used.
    #[error("{}", unusable_encoder(.0))]
    Encoder(#[source] EncoderError),
}

/// Says what is wrong with the encoder under `encoder/`, for people.
pub(crate) fn unusable_encoder(error: &EncoderError) -> String {
    format!("the text encoder under {ENCODER_FOLDER} of the training bucket cannot be used: {error}")
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

/// An object as it is now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Version {
    key: String,
    etag: String,
}

/// The training bucket.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    own: bucket::Bucket,
    /// What other roles are assumed with; none in tests that need no others.
    sdk: Option<SdkConfig>,
    /// The role that a request names, and a client with its rights for all other buckets.
    of_role: Option<(String, Client)>,
}

impl Bucket {
    pub(crate) fn new(client: Client, name: String) -> Self {
        Self {
            own: bucket::Bucket::new(client, name),
            sdk: None,
            of_role: None,
        }
    }

    pub(crate) fn assuming_roles(mut self, sdk: SdkConfig) -> Self {
        self.sdk = Some(sdk);
        self
    }

    /// Returns the texts of this bucket that were erased and are not learnt again.
    pub(crate) async fn erased(&self) -> Result<Arc<ErasedTexts>, StoreError> {
        Ok(ErasedList::new(self.own.clone()).current().await?)
    }

    /// Returns whether an object is what an erasure has left of one that was worked off.
    pub(crate) async fn is_left(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.own.is_left(key).await?)
    }

    /// Returns the label set of this bucket.
    pub(crate) fn label_sets(&self) -> LabelSets {
        LabelSets::new(self.own.clone())
    }

    pub(crate) fn name(&self) -> &str {
        self.own.name()
    }

    /// Reads a thing's state.
    pub(crate) async fn read<T: DeserializeOwned>(&self, resource: &str) -> Result<Option<T>, StoreError> {
        Ok(self.own.read_document(&state_key(resource)).await?)
    }

    /// Reads a thing's state unless it still has the known ETag.
    pub(crate) async fn read_if_changed<T: DeserializeOwned>(
        &self,
        resource: &str,
        known_etag: Option<&str>,
    ) -> Result<Read<T>, StoreError> {
        let key = state_key(resource);
        let fetched = self.own.read_if_changed(&key, known_etag, MAX_BYTES).await?;
        Ok(match fetched {
            Fetched::Unchanged => Read::Unchanged,
            Fetched::Missing => Read::Missing,
            Fetched::Found(object) => Read::Found(self.own.parse(&key, &object.bytes)?, object.etag),
        })
    }

    /// Writes the state of a new thing; returns whether there was none.
    pub(crate) async fn create(&self, resource: &str, state: &impl Serialize) -> Result<bool, StoreError> {
        let created = self.own.create_document(&state_key(resource), state).await?;
        Ok(created == Created::Created)
    }

    /// Changes a thing's state; if somebody else writes in between, changes what they wrote.
    pub(crate) async fn update<T: Serialize + DeserializeOwned, R>(
        &self,
        resource: &str,
        mut change: impl FnMut(&mut T) -> Result<(), R>,
    ) -> Result<Updated<T, R>, StoreError> {
        let key = state_key(resource);
        let mut tries = Tries::default();
        while tries.again().await {
            let Some((mut state, etag)) = self.own.read_version(&key).await? else {
                return Ok(Updated::Missing);
            };
            if let Err(refusal) = change(&mut state) {
                return Ok(Updated::Refused(refusal));
            }
            let replaced = self.own.replace_document(&key, Some(&etag), &state).await?;
            if replaced.is_written() {
                return Ok(Updated::Done(state));
            }
        }
        let uri = self.own.uri(&key);
        Err(BucketError::Contended { uri }.into())
    }

    /// Deletes a thing's state.
    pub(crate) async fn delete(&self, resource: &str) -> Result<(), StoreError> {
        Ok(self.own.delete(&state_key(resource)).await?)
    }

    /// Returns which versions of the objects below a prefix there are, by key.
    pub(crate) async fn versions(&self, prefix: &str) -> Result<Vec<Version>, StoreError> {
        let listed = self.own.list(prefix).await?;
        let versions = listed.into_iter().map(|object| Version {
            key: object.key,
            etag: object.etag,
        });
        Ok(versions.collect())
    }

    /// Reads the states of all things whose resource starts with `kind` and a slash.
    pub(crate) async fn states<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, StoreError> {
        let listed = self.own.list(&format!("{FOLDER}{kind}/")).await?;
        let resources = listed.iter().filter_map(|object| {
            let resource = object.key.strip_prefix(FOLDER)?;
            resource.strip_suffix(STATE_SUFFIX)
        });
        self.read_all(resources.map(str::to_owned).collect()).await
    }

    /// Reads the states of those of a kind that have work to be done, however many others there are.
    pub(crate) async fn states_at_work<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, StoreError> {
        let listed = self.own.list(&format!("{JOBS_FOLDER}{kind}/")).await?;
        let resources = listed.iter().filter_map(|object| resource_of_job(&object.key));
        self.read_all(resources.map(str::to_owned).collect()).await
    }

    async fn read_all<T: DeserializeOwned>(&self, resources: Vec<String>) -> Result<Vec<T>, StoreError> {
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
        let file = self.own.read(&key, MAX_BYTES).await?;
        let file = file.map(|file| file.bytes).unwrap_or_default();
        Model::from_bytes(&file).map_err(|source| StoreError::Model { key, source })
    }

    pub(crate) async fn put_model(&self, resource: &str, model: &Model) -> Result<(), StoreError> {
        Ok(self
            .own
            .put(&model_key(resource), BINARY, model.to_bytes())
            .await?)
    }

    pub(crate) async fn delete_model(&self, resource: &str) -> Result<(), StoreError> {
        Ok(self.own.delete(&model_key(resource)).await?)
    }

    /// Has this function invoked for a thing, at least once.
    pub(crate) async fn ask_for_work(&self, resource: &str) -> Result<(), StoreError> {
        let job = json!({"resource": resource});
        Ok(self.own.put_document(&job_key(resource), &job).await?)
    }

    /// Returns how many things of a kind have work to be done.
    pub(crate) async fn open_work(&self, kind: &str) -> Result<usize, StoreError> {
        let listed = self.own.list(&format!("{JOBS_FOLDER}{kind}/")).await?;
        Ok(listed.len())
    }

    /// Takes note that there is nothing left to do for a thing.
    pub(crate) async fn work_is_done(&self, resource: &str) -> Result<(), StoreError> {
        Ok(self.own.delete(&job_key(resource)).await?)
    }

    /// Reads an object if it is still the one with that ETag; `None` if not.
    pub(crate) async fn object(&self, key: &str, etag: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.own.open_version(key, etag).await? {
            Some(body) => collect(body).await.map(Some),
            None => Ok(None),
        }
    }

    /// Lists the objects of this bucket with something in them whose keys start so, in order.
    pub(crate) async fn own_objects(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let mut listed = self.own.list(prefix).await?;
        listed.retain(|object| object.size > 0);
        Ok(listed)
    }

    /// Reads an object of this bucket.
    pub(crate) async fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let object = self.own.read(key, MAX_BYTES).await?;
        Ok(object.map(|object| object.bytes))
    }

    /// Writes an object of this bucket.
    pub(crate) async fn put_bytes(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        Ok(self.own.put(key, BINARY, bytes).await?)
    }

    /// Deletes an object of this bucket.
    pub(crate) async fn delete_bytes(&self, key: &str) -> Result<(), StoreError> {
        Ok(self.own.delete(key).await?)
    }

    /// Reads a document of this bucket that is no state.
    pub(crate) async fn read_own<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        Ok(self.own.read_document(key).await?)
    }

    /// Writes a document of this bucket that is no state.
    pub(crate) async fn put_own(&self, key: &str, document: &impl Serialize) -> Result<(), StoreError> {
        Ok(self.own.put_document(key, document).await?)
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

async fn collect(body: ByteStream) -> Result<Vec<u8>, StoreError> {
    let bytes = body.collect().await;
    Ok(bytes.map_err(|error| StoreError::Read(error.into()))?.to_vec())
}
