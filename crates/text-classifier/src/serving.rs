//! The models that serve, kept in memory and exchanged when their endpoint's state says so.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_s3::error::DisplayErrorContext;
use tokio::sync::Mutex;

use text_model::ModelError;

use crate::{
    arn::{ClassifierArn, EndpointArn},
    bucket::{Bucket, Read, StoreError},
    encoders::{Classifying, Encoders},
    endpoint::Endpoint,
};

/// How long a change of an endpoint may take to be noticed.
pub const STATE_MAX_AGE: Duration = Duration::from_secs(1);
/// Most endpoints whose models a process keeps: a model takes up to 64 MB.
const MAX_LOADED: usize = 8;

/// The endpoints in service as this process knows them.
#[derive(Debug)]
pub(crate) struct Serving {
    bucket: Bucket,
    encoders: Encoders,
    /// The one used last at the end.
    loaded: Mutex<Vec<Loaded>>,
}

#[derive(Debug, Clone)]
struct Loaded {
    resource: String,
    checked: Instant,
    etag: String,
    model_arn: String,
    model: Arc<Classifying>,
}

impl Serving {
    pub(crate) fn new(bucket: Bucket, encoders: Encoders) -> Self {
        Self {
            bucket,
            encoders,
            loaded: Mutex::default(),
        }
    }

    /// Returns the model of an endpoint, as of at most [`STATE_MAX_AGE`] ago; `None` if none is in service.
    ///
    /// A known model goes on serving while the bucket fails or a new model's file cannot be used.
    ///
    /// # Errors
    ///
    /// The bucket failed before there was a model to serve.
    pub(crate) async fn model(&self, arn: &EndpointArn) -> Result<Option<Arc<Classifying>>, StoreError> {
        let resource = arn.resource();
        let mut loaded = self.loaded.lock().await;
        let known = loaded.iter().position(|loaded| loaded.resource == resource);
        let known = known.map(|index| loaded.remove(index));
        let fresh = match known {
            Some(known) if known.checked.elapsed() < STATE_MAX_AGE => Some(known),
            known => self.refresh(&resource, known).await?,
        };
        let Some(fresh) = fresh else { return Ok(None) };
        let model = Arc::clone(&fresh.model);
        if loaded.len() == MAX_LOADED {
            loaded.remove(0);
        }
        loaded.push(fresh);
        Ok(Some(model))
    }

    async fn refresh(&self, resource: &str, known: Option<Loaded>) -> Result<Option<Loaded>, StoreError> {
        let checked = Instant::now();
        match (self.read(resource, known.as_ref(), checked).await, known) {
            (Err(error), Some(known)) => {
                tracing::error!(error = %DisplayErrorContext(&error), "the known model goes on serving");
                Ok(Some(Loaded { checked, ..known }))
            }
            (read, _) => read,
        }
    }

    async fn read(
        &self,
        resource: &str,
        known: Option<&Loaded>,
        checked: Instant,
    ) -> Result<Option<Loaded>, StoreError> {
        let known_etag = known.map(|known| known.etag.as_str());
        let (state, etag): (Endpoint, _) = match self.bucket.read_if_changed(resource, known_etag).await? {
            Read::Unchanged => {
                return Ok(known.map(|known| Loaded {
                    checked,
                    ..known.clone()
                }));
            }
            Read::Missing => return Ok(None),
            Read::Found(state, etag) => (state, etag),
        };
        let Some(model_arn) = state.serving_model() else {
            return Ok(None);
        };
        let model = match known {
            Some(known) if known.model_arn == model_arn => Arc::clone(&known.model),
            _ => Arc::new(self.load(model_arn).await?),
        };
        Ok(Some(Loaded {
            resource: resource.to_owned(),
            checked,
            etag,
            model_arn: model_arn.to_owned(),
            model,
        }))
    }

    async fn load(&self, model_arn: &str) -> Result<Classifying, StoreError> {
        let arn: ClassifierArn = model_arn.parse().map_err(|_| StoreError::Model {
            key: model_arn.to_owned(),
            source: ModelError::NotAModel,
        })?;
        self.encoders.model(&arn.resource()).await
    }
}
