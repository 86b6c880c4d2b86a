//! `EncodeDocuments`: vectors of texts for those that choose among them. An operation of our own; Comprehend has none
//! like it, and nobody needs a model for it.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use active_learning_core::text::{pack_vectors, vector_id};

use crate::{
    api_error::ApiError,
    bucket::Bucket,
    encoders::Encoders,
    vectors::{self, For},
};

/// Most texts of a request: they take about a second.
const MAX_TEXTS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EncodeRequest {
    text_list: Option<Vec<String>>,
}

/// Returns which encoder is chosen, its identity and the texts' vectors as a pack; no identity where there is no encoder. Of no
/// texts the encoder alone, with the identities that earlier releases gave it: it serves their models.
pub(crate) async fn encode(
    bucket: &Bucket,
    encoders: &Encoders,
    request: EncodeRequest,
) -> Result<Value, ApiError> {
    let texts = request
        .text_list
        .ok_or(ApiError::InvalidRequest("TextList must be given"))?;
    if texts.len() > MAX_TEXTS {
        return Err(ApiError::InvalidRequest("TextList has more than 100 texts"));
    }
    let choice = encoders.choice().name();
    let Some(encoder) = encoders.current().await? else {
        return Ok(json!({"TextEncoder": choice, "Encoder": null}));
    };
    if texts.is_empty() {
        let (identity, earlier) = (encoder.identity(), encoder.earlier());
        let earlier: Vec<&str> = earlier.collect();
        return Ok(json!({"TextEncoder": choice, "Encoder": identity, "Earlier": earlier, "Vectors": ""}));
    }
    let ids: Vec<_> = texts.iter().map(|text| vector_id(text)).collect();
    let vectors = vectors::of(bucket, &encoder, encoders.recent(), For::Request, texts).await;
    let pack = pack_vectors(encoder.dimensions(), ids.iter().zip(&vectors));
    let vectors = BASE64_STANDARD.encode(pack);
    Ok(json!({"TextEncoder": choice, "Encoder": encoder.identity(), "Vectors": vectors}))
}
