//! Vectors of texts, made once: packs of them lie in the training bucket by the identity of their encoder.
//!
//! A training or a job reads the latest packs, encodes what they lack and writes a pack of all that it needed: the
//! next one mostly needs the same and a little more. A pack is `u32` dimensions, then for each text the first 16
//! bytes of its SHA-256 and its vector in a byte a dimension, little-endian. Packs expire; one that is not there or
//! cannot be used costs time only.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use active_learning_core::text::Vector;
use aws_sdk_s3::error::DisplayErrorContext;
use sha2::{Digest, Sha256};
use text_encoder::Encoder;
use text_model::MAX_ENCODED;

use crate::{
    bucket::{Bucket, StoreError},
    encoders::encode,
};

/// Folder of the packs, in the training bucket.
const FOLDER: &str = "text-classifier/vectors/";
/// Most packs that are read: those before hold little that these do not.
const PACKS: usize = 4;
/// Fewer texts than this are encoded sooner than a pack is read.
const WORTH_A_PACK: usize = 32;
const ID_BYTES: usize = 16;

type Id = [u8; ID_BYTES];
type Known = BTreeMap<Id, Vector>;

/// Returns a vector for each text, in order.
pub(crate) async fn of(bucket: &Bucket, encoder: &Arc<Encoder>, texts: Vec<String>) -> Vec<Vector> {
    let ids: Vec<Id> = texts.iter().map(|text| id(text)).collect();
    let wanted: BTreeSet<Id> = ids.iter().copied().collect();
    let folder = format!("{FOLDER}{}/", encoder.identity());
    let keeps = wanted.len() >= WORTH_A_PACK;

    let mut known = Known::new();
    if keeps && let Err(error) = read(bucket, &folder, encoder.dimensions(), &wanted, &mut known).await {
        tracing::warn!(error = %DisplayErrorContext(&error), "vectors are made anew");
    }
    let reused = known.len();
    let (known, working) = (Arc::new(known), Arc::clone(encoder));
    let encoding = tokio::task::spawn_blocking(move || complete(&working, known, ids, &texts));
    let (vectors, all) = encoding.await.expect("encoding neither panics nor is cancelled");

    tracing::info!(texts = vectors.len(), reused, "vectors are at hand");
    if keeps
        && all.len() > reused
        && let Err(error) = write(bucket, &folder, encoder.dimensions(), &all).await
    {
        tracing::warn!(error = %DisplayErrorContext(&error), "vectors are not kept");
    }
    vectors
}

/// Says that a training had more texts than it makes vectors of.
pub(crate) fn too_many() -> String {
    format!("more than {MAX_ENCODED} texts: trained without the text encoder, which adds little to so many")
}

/// Encodes the texts that are not known; returns all in order, and by id.
fn complete(encoder: &Encoder, known: Arc<Known>, ids: Vec<Id>, texts: &[String]) -> (Vec<Vector>, Known) {
    let mut all = Arc::unwrap_or_clone(known);
    let mut missing = BTreeMap::new();
    for (id, text) in ids.iter().zip(texts) {
        if !all.contains_key(id) {
            missing.insert(*id, text.as_str());
        }
    }
    let made = encode(encoder, &missing.values().copied().collect::<Vec<_>>());
    all.extend(missing.into_keys().zip(made));
    let vectors = ids.iter().map(|id| all[id].clone()).collect();
    (vectors, all)
}

async fn read(
    bucket: &Bucket,
    folder: &str,
    dimensions: usize,
    wanted: &BTreeSet<Id>,
    known: &mut Known,
) -> Result<(), StoreError> {
    let mut packs = bucket.own_objects(folder).await?;
    packs.sort_by_key(|pack| std::cmp::Reverse((pack.modified, pack.size)));
    for pack in packs.into_iter().take(PACKS) {
        if known.len() == wanted.len() {
            break;
        }
        if let Some(file) = bucket.bytes(&pack.key).await? {
            let found = unpack(&file, dimensions).filter(|(id, _)| wanted.contains(id));
            known.extend(found);
        }
    }
    Ok(())
}

async fn write(bucket: &Bucket, folder: &str, dimensions: usize, all: &Known) -> Result<(), StoreError> {
    let mut pack = (dimensions as u32).to_le_bytes().to_vec();
    for (id, vector) in all {
        pack.extend(id);
        pack.extend(vector.bytes());
    }
    let name = hex::encode(&Sha256::digest(&pack)[..ID_BYTES]);
    bucket.put_bytes(&format!("{folder}{name}.bin"), pack).await
}

/// Returns what a pack holds; nothing of one with other dimensions.
fn unpack(file: &[u8], dimensions: usize) -> impl Iterator<Item = (Id, Vector)> {
    let (start, rows) = file.split_at_checked(size_of::<u32>()).unwrap_or_default();
    let rows = if start == (dimensions as u32).to_le_bytes() {
        rows
    } else {
        &[]
    };
    rows.chunks_exact(ID_BYTES + dimensions).filter_map(|row| {
        let (id, vector) = row.split_first_chunk()?;
        Some((*id, Vector::from_bytes(vector)))
    })
}

fn id(text: &str) -> Id {
    let hash: [u8; 32] = Sha256::digest(text).into();
    std::array::from_fn(|at| hash[at])
}
