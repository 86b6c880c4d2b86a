//! Vectors of the texts that are chosen among, and of those that were selected lately: what is alike is told by them.
//!
//! The built-in classifier makes them, also before there is a model; those of the latest choices are kept, so that
//! no text is encoded twice while it waits. Without them texts are compared by their words.

use std::collections::{BTreeMap, HashMap};

use active_learning_aws::{
    bucket::BINARY,
    text_vectors::{MAX_TEXTS, TextVectors, TextVectorsError, text_vectors},
};
use active_learning_core::text::{Vector, VectorId, pack_vectors, unpack_vectors, vector_id};
use futures::{StreamExt, TryStreamExt, stream};
use lambda_runtime::tracing::{info, warn};

use crate::A2iTrigger;

/// Where the vectors lie, by the identity of their encoder.
const FOLDER: &str = "backlog/vectors/";

/// Largest pack that is read, in bytes: it holds two thousand vectors of a thousand dimensions.
const MAX_PACK_BYTES: u64 = 4 << 20;

/// Calls that are under way to the classifier at a time: each keeps a core busy.
const CALLS_AT_ONCE: usize = 4;

pub(crate) type Vectors = HashMap<VectorId, Vector>;

impl A2iTrigger {
    /// Returns vectors of all these texts, or none at all, where there is no encoder or it fails: that is logged.
    pub(crate) async fn vectors_of(&self, texts: &[&str], asked_before: &[&str]) -> Vectors {
        if self.config.classifier.url.is_none() || texts.is_empty() {
            return Vectors::new();
        }
        match self.find_vectors(texts, asked_before).await {
            Ok(Some(vectors)) => vectors,
            Ok(None) => {
                info!("there is no text encoder: texts are compared by their words");
                Vectors::new()
            }
            Err(error) => {
                warn!(%error, "the text encoder did not answer: texts are compared by their words");
                Vectors::new()
            }
        }
    }

    async fn find_vectors(
        &self,
        texts: &[&str],
        asked_before: &[&str],
    ) -> Result<Option<Vectors>, TextVectorsError> {
        // Without texts it only says which encoder it is.
        let Some(TextVectors { encoder, .. }) = text_vectors(&self.comprehend, &[]).await? else {
            return Ok(None);
        };
        let key = format!("{FOLDER}{encoder}.bin");
        let wanted: BTreeMap<VectorId, &str> = texts
            .iter()
            .chain(asked_before)
            .map(|text| (vector_id(text), *text))
            .collect();
        let mut known = self.kept_vectors(&key).await;
        known.retain(|id, _| wanted.contains_key(id));

        let missing: Vec<&str> = wanted
            .iter()
            .filter(|(id, _)| !known.contains_key(*id))
            .map(|(_, text)| *text)
            .collect();
        let made: Vec<Option<TextVectors>> = stream::iter(missing.chunks(MAX_TEXTS))
            .map(|texts| text_vectors(&self.comprehend, texts))
            .buffer_unordered(CALLS_AT_ONCE)
            .try_collect()
            .await?;
        for made in made.into_iter().flatten().filter(|made| made.encoder == encoder) {
            known.extend(made.by_id);
        }
        info!(
            texts = wanted.len(),
            encoded = missing.len(),
            "vectors are at hand"
        );
        if !missing.is_empty() {
            self.keep_vectors(&key, &known).await;
        }
        Ok(Some(known))
    }

    /// Reads what was kept; nothing where that fails, which costs time only.
    async fn kept_vectors(&self, key: &str) -> Vectors {
        match self.feedback.read(key, MAX_PACK_BYTES).await {
            Ok(pack) => pack.map_or_else(Vectors::new, |pack| unpack_vectors(&pack.bytes).collect()),
            Err(error) => {
                warn!(%error, "vectors are made anew");
                Vectors::new()
            }
        }
    }

    async fn keep_vectors(&self, key: &str, vectors: &Vectors) {
        let sorted: BTreeMap<&VectorId, &Vector> = vectors.iter().collect();
        let dimensions = vectors.values().next().map_or(0, Vector::dimensions);
        let pack = pack_vectors(dimensions, sorted);
        if let Err(error) = self.feedback.put(key, BINARY, pack).await {
            warn!(%error, "vectors are not kept");
        }
    }
}
