//! Vectors of texts, made once: packs of them lie in the training bucket by the identity of their encoder.
//!
//! A training or a job reads the latest packs, encodes what they lack and writes a pack of all that it needed: the
//! next one mostly needs the same and a little more. Packs expire; one that is not there or cannot be used costs time
//! only. What requests have had encoded of late is in memory, see [`crate::recent`].

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use active_learning_aws::bucket::Listed;
use active_learning_core::text::{Vector, VectorId, pack_vectors, unpack_vectors, vector_id};
use aws_sdk_s3::error::DisplayErrorContext;
use sha2::{Digest, Sha256};
use text_encoder::Encoder;
use text_model::{
    MAX_ENCODED, MAX_UNLABELLED, TrainingSet,
    training_data::{self, Example},
};

use crate::{
    bucket::{Bucket, StoreError},
    encoders::encode,
    recent::Recent,
};

/// Folder of the packs, in the training bucket.
const FOLDER: &str = "text-classifier/vectors/";
/// Most packs that are read: those before hold little that these do not.
const PACKS: usize = 4;
/// Missing texts from which the largest packs are read too: those of trainings, however many others came after them.
const WORTH_THE_LARGEST: usize = 200;
/// The same where other texts are looked for.
const PACKS_OF_OTHERS: usize = 24;
/// Fewer texts than this are encoded sooner than a pack is read. Only this process remembers them.
const WORTH_A_PACK: usize = 32;
/// Bytes of a pack's digest in its name.
const NAME_BYTES: usize = 16;

/// How the name of a pack of a job begins.
const OF_A_JOB: &str = "job-";

/// What texts are encoded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// A request, whose texts others ask about next: this process remembers them.
    Request,
    /// A training or a measurement.
    Training,
    /// A classification job, of any number of texts: its packs do not stand before those of trainings.
    Job,
}

type Known = BTreeMap<VectorId, Vector>;

/// Returns a vector for each text, in order.
pub(crate) async fn of(
    bucket: &Bucket,
    encoder: &Arc<Encoder>,
    recent: &Recent,
    purpose: For,
    texts: Vec<String>,
) -> Vec<Vector> {
    let ids: Vec<VectorId> = texts.iter().map(|text| vector_id(text)).collect();
    let wanted: BTreeSet<VectorId> = ids.iter().copied().collect();
    let folder = format!("{FOLDER}{}/", encoder.identity());
    let keeps = wanted.len() >= WORTH_A_PACK;

    let mut known = Known::new();
    if keeps && let Err(error) = read(bucket, &folder, encoder.dimensions(), &wanted, &mut known).await {
        tracing::warn!(error = %DisplayErrorContext(&error), "vectors are made anew");
    }
    let packed = known.len();
    for id in &wanted {
        if !known.contains_key(id)
            && let Some(vector) = recent.find(encoder.identity(), id)
        {
            known.insert(*id, vector);
        }
    }
    let reused = known.len();
    let (known, working) = (Arc::new(known), Arc::clone(encoder));
    let encoding = tokio::task::spawn_blocking(move || complete(&working, known, ids, &texts));
    let (vectors, all) = encoding.await.expect("encoding neither panics nor is cancelled");

    tracing::info!(texts = vectors.len(), reused, "vectors are at hand");
    if purpose == For::Request {
        for (id, vector) in &all {
            recent.keep(encoder.identity(), *id, vector.clone());
        }
    }
    if keeps
        && all.len() > packed
        && let Err(error) = write(bucket, &folder, purpose, encoder.dimensions(), &all).await
    {
        tracing::warn!(error = %DisplayErrorContext(&error), "vectors are not kept");
    }
    vectors
}

/// Gives a training all that an encoder makes of it: vectors of its texts and of those of its test, of its labels' names,
/// and of texts that nobody has labelled. Of too many texts nothing is made, and that is told.
pub(crate) async fn give_to(
    bucket: &Bucket,
    encoder: &Arc<Encoder>,
    recent: &Recent,
    set: &mut TrainingSet,
    test: &mut [Example],
) {
    let (Some(texts), Some(test_texts)) = (set.texts(), training_data::texts(test)) else {
        set.repairs.push(too_many());
        return;
    };
    let texts: Vec<&str> = texts.into_iter().chain(test_texts).collect();
    let unlabelled = of_others(bucket, encoder, &texts, MAX_UNLABELLED).await;
    let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
    let mut all = of(bucket, encoder, recent, For::Training, texts).await;
    training_data::set_vectors(test, all.split_off(set.len()));
    set.set_vectors(encoder.identity(), all);
    let names = of_names(encoder, &set.labels).await;
    set.set_name_vectors(names);
    set.unlabelled = unlabelled;
}

/// Returns a vector for each name of a label, in order. They are made anew each time: names are few and short.
async fn of_names(encoder: &Arc<Encoder>, names: &[String]) -> Vec<Vector> {
    let (encoder, names) = (Arc::clone(encoder), names.to_vec());
    let encoding = tokio::task::spawn_blocking(move || {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        encode(&encoder, &names)
    });
    encoding.await.expect("encoding neither panics nor is cancelled")
}

/// Returns vectors that are kept of other texts than these, at most so many: what came in and has no label.
///
/// Those of the latest packs; none where these cannot be read, which costs a model of few labels some accuracy.
async fn of_others(bucket: &Bucket, encoder: &Encoder, texts: &[&str], most: usize) -> Vec<Vector> {
    let own: BTreeSet<VectorId> = texts.iter().map(|text| vector_id(text)).collect();
    let folder = format!("{FOLDER}{}/", encoder.identity());
    let mut others = Known::new();
    if let Err(error) = read_others(bucket, &folder, encoder.dimensions(), &own, most, &mut others).await {
        tracing::warn!(error = %DisplayErrorContext(&error), "labels are not spread over texts without one");
    }
    others.into_values().take(most).collect()
}

async fn read_others(
    bucket: &Bucket,
    folder: &str,
    dimensions: usize,
    own: &BTreeSet<VectorId>,
    most: usize,
    others: &mut Known,
) -> Result<(), StoreError> {
    for pack in packs(bucket, folder).await?.into_iter().take(PACKS_OF_OTHERS) {
        if others.len() >= most {
            break;
        }
        if let Some(file) = bucket.bytes(&pack.key).await? {
            let found = unpack_vectors(&file);
            others
                .extend(found.filter(|(id, vector)| vector.dimensions() == dimensions && !own.contains(id)));
        }
    }
    Ok(())
}

/// Returns all packs, the latest first. Each is read whole.
async fn packs(bucket: &Bucket, folder: &str) -> Result<Vec<Listed>, StoreError> {
    let mut packs = bucket.own_objects(folder).await?;
    packs.sort_by_key(|pack| Reverse((pack.modified, pack.size)));
    Ok(packs)
}

/// Says that a training had more texts than it makes vectors of.
fn too_many() -> String {
    format!("more than {MAX_ENCODED} texts: trained without the text encoder, which adds little to so many")
}

/// Encodes the texts that are not known; returns all in order, and by id.
fn complete(
    encoder: &Encoder,
    known: Arc<Known>,
    ids: Vec<VectorId>,
    texts: &[String],
) -> (Vec<Vector>, Known) {
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
    wanted: &BTreeSet<VectorId>,
    known: &mut Known,
) -> Result<(), StoreError> {
    let mut latest = packs(bucket, folder).await?;
    let mut largest = latest.split_off(PACKS.min(latest.len()));
    let job = format!("{folder}{OF_A_JOB}");
    largest.retain(|pack| !pack.key.starts_with(&job));
    largest.sort_by_key(|pack| Reverse(pack.size));
    largest.truncate(PACKS);
    for (number, pack) in latest.into_iter().chain(largest).enumerate() {
        let missing = wanted.len() - known.len();
        let is_worth_it = number < PACKS || missing >= WORTH_THE_LARGEST;
        if missing == 0 || !is_worth_it {
            break;
        }
        if let Some(file) = bucket.bytes(&pack.key).await? {
            let found = unpack_vectors(&file)
                .filter(|(id, vector)| vector.dimensions() == dimensions && wanted.contains(id));
            known.extend(found);
        }
    }
    Ok(())
}

async fn write(
    bucket: &Bucket,
    folder: &str,
    purpose: For,
    dimensions: usize,
    all: &Known,
) -> Result<(), StoreError> {
    let pack = pack_vectors(dimensions, all);
    let kind = match purpose {
        For::Job => OF_A_JOB,
        For::Request | For::Training => "",
    };
    let name = hex::encode(&Sha256::digest(&pack)[..NAME_BYTES]);
    bucket.put_bytes(&format!("{folder}{kind}{name}.bin"), pack).await
}
