//! The model that serves, kept in memory and exchanged when the endpoint's state says so.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_s3::error::DisplayErrorContext;
use tokio::sync::Mutex;

use crate::{
    Model,
    model_store::{EndpointState, ModelStore, StateRead, StoreError, Versioned},
};

/// How long a new model may take to be noticed.
const STATE_MAX_AGE: Duration = Duration::from_secs(1);

/// The endpoint as this process knows it.
#[derive(Debug)]
pub(crate) struct Serving {
    store: ModelStore,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    checked: Option<Instant>,
    etag: Option<String>,
    endpoint: Option<Endpoint>,
}

/// An endpoint in service.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub state: EndpointState,
    pub model: Arc<Model>,
}

impl Serving {
    pub(crate) fn new(store: ModelStore) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// Returns the endpoint with its model, at most [`STATE_MAX_AGE`] old; `None` before the first model.
    ///
    /// A known model goes on serving while the bucket fails or a new model's file cannot be used.
    ///
    /// # Errors
    ///
    /// The bucket failed before there was a model to serve.
    pub(crate) async fn endpoint(&self) -> Result<Option<Endpoint>, StoreError> {
        let mut known = self.known.lock().await;
        if known
            .checked
            .is_some_and(|checked| checked.elapsed() < STATE_MAX_AGE)
        {
            return Ok(known.endpoint.clone());
        }
        match self.refresh(&mut known).await {
            Ok(()) => known.checked = Some(Instant::now()),
            Err(error) if known.endpoint.is_some() => {
                tracing::error!(error = %DisplayErrorContext(&error), "the known model goes on serving");
                known.checked = Some(Instant::now());
            }
            Err(error) => return Err(error),
        }
        Ok(known.endpoint.clone())
    }

    async fn refresh(&self, known: &mut Known) -> Result<(), StoreError> {
        match self.store.endpoint_state(known.etag.clone()).await? {
            StateRead::Unchanged => {}
            StateRead::Missing => *known = Known::default(),
            StateRead::Found(Versioned { state, etag }) => {
                let model = self.model_of(known.endpoint.as_ref(), &state).await?;
                known.endpoint = Some(Endpoint { state, model });
                known.etag = etag;
            }
        }
        Ok(())
    }

    async fn model_of(
        &self,
        known: Option<&Endpoint>,
        state: &EndpointState,
    ) -> Result<Arc<Model>, StoreError> {
        if let Some(known) = known.filter(|known| known.state.model_arn == state.model_arn) {
            return Ok(Arc::clone(&known.model));
        }
        let version = self
            .store
            .endpoint()
            .model_version(&state.model_arn)
            .ok_or_else(|| StoreError::ForeignModel(state.model_arn.clone()))?;
        Ok(Arc::new(self.store.model(version).await?))
    }
}
