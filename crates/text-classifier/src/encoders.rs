//! The text encoder in use, loaded when it is first needed, and the models that need it.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use text_encoder::{Encoder, FILES, Files};
use text_model::{Model, Prediction};
use tokio::sync::Mutex;

use active_learning_core::text::{Vector, vector_id};

use crate::{
    bucket::{Bucket, ENCODER_FOLDER, StoreError, Version},
    recent::Recent,
};

/// Which encoder models are trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoder {
    /// The one that is part of the program.
    BuiltIn,
    /// None: models look at n-grams alone.
    None,
    /// The one under `encoder/` in the training bucket.
    S3,
}

impl FromStr for TextEncoder {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        match value {
            "built-in" => Ok(Self::BuiltIn),
            "none" => Ok(Self::None),
            "s3" => Ok(Self::S3),
            other => Err(format!("expected built-in, none or s3, got `{other}`")),
        }
    }
}

impl TextEncoder {
    /// Returns the value of the parameter that chooses it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::None => "none",
            Self::S3 => "s3",
        }
    }
}

/// The encoder of this process.
#[derive(Clone)]
pub(crate) struct Encoders {
    choice: TextEncoder,
    bucket: Bucket,
    /// That of the bucket, once it is loaded.
    own: Arc<Mutex<Option<Own>>>,
    recent: Recent,
    /// Whether what waited for an encoder was looked at.
    were_told: Arc<AtomicBool>,
}

/// An encoder of the bucket.
struct Own {
    encoder: Arc<Encoder>,
    /// The objects that it was read from.
    versions: Vec<Version>,
}

/// A model with the encoder that it needs.
#[derive(Debug)]
pub(crate) struct Classifying {
    pub model: Model,
    encoder: Option<Arc<Encoder>>,
    recent: Recent,
}

impl Encoders {
    pub(crate) fn new(choice: TextEncoder, bucket: Bucket) -> Self {
        Self {
            choice,
            bucket,
            own: Arc::default(),
            recent: Recent::default(),
            were_told: Arc::default(),
        }
    }

    /// Returns whether what waited for an encoder is still to be looked at in this process, which may have another choice than
    /// the one before.
    pub(crate) fn are_new(&self) -> bool {
        !self.were_told.load(Ordering::Relaxed)
    }

    /// Notes that what waited was looked at.
    pub(crate) fn are_known(&self) {
        self.were_told.store(true, Ordering::Relaxed);
    }

    /// Returns which encoder was chosen.
    pub(crate) fn choice(&self) -> TextEncoder {
        self.choice
    }

    /// Returns what this process remembers of texts.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Returns the encoder to train with; `None` where models look at n-grams alone.
    ///
    /// # Errors
    ///
    /// The bucket failed, or what is under `encoder/` is none.
    pub(crate) async fn current(&self) -> Result<Option<Arc<Encoder>>, StoreError> {
        match self.choice {
            TextEncoder::None => Ok(None),
            TextEncoder::BuiltIn => {
                let loading = tokio::task::spawn_blocking(Encoder::built_in);
                Ok(Some(
                    loading.await.expect("loading neither panics nor is cancelled"),
                ))
            }
            TextEncoder::S3 => self.own(None).await.map(Some),
        }
    }

    /// Loads a model with what it needs to classify.
    ///
    /// # Errors
    ///
    /// The bucket failed, the model's file cannot be used, or it needs another encoder than the one in use.
    pub(crate) async fn model(&self, resource: &str) -> Result<Classifying, StoreError> {
        let model = self.bucket.model(resource).await?;
        let recent = self.recent.clone();
        let Some(needed) = model.encoder() else {
            let encoder = None;
            return Ok(Classifying {
                model,
                encoder,
                recent,
            });
        };
        let encoder = match self.choice {
            TextEncoder::S3 => Some(self.own(Some(needed)).await?),
            TextEncoder::BuiltIn | TextEncoder::None => self.current().await?,
        };
        let identity = encoder.as_ref().map(|encoder| match encoder.serves(needed) {
            true => needed,
            false => encoder.identity(),
        });
        model
            .check_encoder(identity)
            .map_err(|source| StoreError::Model {
                key: resource.to_owned(),
                source,
            })?;
        Ok(Classifying {
            model,
            encoder,
            recent,
        })
    }

    /// Returns the encoder of the bucket: the known one where it is what is wanted, else what lies there now. It is large, and
    /// read again only if its objects are others.
    async fn own(&self, wanted: Option<&str>) -> Result<Arc<Encoder>, StoreError> {
        let mut own = self.own.lock().await;
        let is_wanted = |own: &&Own| wanted.is_some_and(|wanted| own.encoder.serves(wanted));
        if let Some(known) = own.as_ref().filter(is_wanted) {
            return Ok(Arc::clone(&known.encoder));
        }
        let versions = self.bucket.versions(ENCODER_FOLDER).await?;
        if let Some(known) = own.as_ref().filter(|own| own.versions == versions) {
            return Ok(Arc::clone(&known.encoder));
        }

        // Two at a time are more than memory may hold.
        *own = None;
        let mut files = Files::new();
        for name in FILES {
            if let Some(file) = self.bucket.bytes(&format!("{ENCODER_FOLDER}{name}")).await? {
                files.insert(name, file.into());
            }
        }
        let loading = tokio::task::spawn_blocking(move || Encoder::from_files(files));
        let loaded = loading.await.expect("loading neither panics nor is cancelled");
        let encoder = Arc::new(loaded.map_err(StoreError::Encoder)?);
        tracing::info!(encoder = encoder.identity(), "text encoder loaded");
        *own = Some(Own {
            encoder: Arc::clone(&encoder),
            versions,
        });
        Ok(encoder)
    }
}

impl Classifying {
    /// Classifies a text: every label with its probability, best first.
    pub(crate) fn predict(&self, text: &str) -> Vec<Prediction<'_>> {
        let vector = self.encoder.as_ref().map(|encoder| self.vector(encoder, text));
        self.model.predict_with(text, vector.as_ref())
    }

    /// Returns what this process remembers of texts.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Encodes a text unless this process has done so of late.
    fn vector(&self, encoder: &Encoder, text: &str) -> Vector {
        let id = vector_id(text);
        if let Some(known) = self.recent.find(encoder.identity(), &id) {
            return known;
        }
        let vector = encode(encoder, &[text]).remove(0);
        self.recent.keep(encoder.identity(), id, vector.clone());
        vector
    }

    /// Returns the encoder whose vectors the model looks at.
    pub(crate) fn encoder(&self) -> Option<&Arc<Encoder>> {
        self.encoder.as_ref()
    }
}

/// Returns a vector for each text, in order; on all cores where there are many.
pub(crate) fn encode(encoder: &Encoder, texts: &[&str]) -> Vec<Vector> {
    let vectors = encoder.encode(texts);
    vectors.iter().map(|vector| Vector::of(vector)).collect()
}

impl fmt::Debug for Encoders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Encoders")
            .field("choice", &self.choice)
            .finish_non_exhaustive()
    }
}
