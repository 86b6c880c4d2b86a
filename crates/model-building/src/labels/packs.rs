//! Packs of labels, of people and of machines: what a build has read, the next one need not fetch object by object.
//!
//! A pack is immutable and named by its hash: many objects, each behind a line with its key, ETag and length, compressed.
//! `datasets/labels.json` or `datasets/machine-labels.json` names the packs that count. An object is taken from a pack only where the listing still shows it
//! with the same ETag. A pack that holds others, or that is small, is made anew with what is new; so there is one small
//! pack at most, and what is gone from its folder is gone from the packs with the next build.
//!
//! Packs are written first, then the document that names them, on the condition that it is the one that was read, and then
//! those that it does not name are removed. What breaks off in between costs reads only: a pack that is missing or damaged
//! is made anew from its objects.

#[cfg(test)]
mod tests;
mod writer;

use std::{
    borrow::Cow,
    collections::BTreeSet,
    io::{self, Read},
    pin::pin,
};

use active_learning_aws::bucket::{Bucket, BucketError, MAX_DOCUMENT_BYTES, Object};
use active_learning_core::keys::Packs;
use flate2::bufread::GzDecoder;
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use writer::Writer;

use super::LabelsError;

/// How the keys of objects with labels end.
const SUFFIX: &str = ".jsonl";
/// Labels of people that are fetched at a time: a human loop's are few, most of the time is waiting.
const READS_AT_ONCE: usize = 32;
/// Labels of machines that are fetched at a time: an object has at most some 10 MB.
const LARGE_READS_AT_ONCE: usize = 4;
/// Bytes of objects from which a pack is full.
const PACK_BYTES: usize = 16 << 20;
/// Most bytes of a pack, compressed: an object more than a full one has, of the greatest size that is read.
const MAX_PACK_BYTES: u64 = 2 * MAX_DOCUMENT_BYTES;
/// Version of the format of packs and of the document that names them.
const FORMAT: u32 = 1;

/// What becomes of the packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// They are read and stay as they are.
    AsItIs,
    /// What they lack is added.
    Renewed,
}

/// Which packs of a folder there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    format: u32,
    packs: Vec<Pack>,
}

/// A pack that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pack {
    /// Of its bytes as they are stored.
    sha256: String,
    objects: u64,
    /// Of its objects.
    bytes: u64,
}

/// Stands before each object of a pack.
#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    etag: Cow<'a, str>,
    bytes: usize,
}

/// An object of a pack.
struct Packed<'a> {
    header: Header<'a>,
    content: &'a [u8],
}

/// The objects of a folder that there are, by their keys; 80 bytes and a key each.
struct Listing(Vec<ListedLabels>);

struct ListedLabels {
    key: Box<str>,
    etag: u128,
    is_taken: bool,
}

impl Listing {
    async fn of(bucket: &Bucket, folder: &str) -> Result<Self, BucketError> {
        let mut listed = Vec::new();
        bucket
            .list_each(folder, |object| {
                if object.size > 0 && object.key.ends_with(SUFFIX) {
                    listed.push(ListedLabels {
                        etag: digest(&object.etag),
                        key: object.key.into(),
                        is_taken: false,
                    });
                }
            })
            .await?;
        Ok(Self(listed))
    }

    /// Returns the place of an object if it still is the one with this ETag and was not taken yet.
    fn place(&self, key: &str, etag: &str) -> Option<u32> {
        let place = self.0.binary_search_by(|listed| (*listed.key).cmp(key)).ok()?;
        let listed = &self.0[place];
        let is_it = listed.etag == digest(etag) && !listed.is_taken;
        is_it.then(|| number(place))
    }

    fn take(&mut self, place: u32) {
        self.0[place as usize].is_taken = true;
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("fewer objects than memory holds")
}

/// Stands for an ETag, which has 32 digits mostly.
fn digest(etag: &str) -> u128 {
    let hash = Sha256::digest(etag.trim_matches('"'));
    u128::from_be_bytes(hash[..16].try_into().expect("16 bytes"))
}

/// Hands over all objects of a folder, each with its place by its key and once, in any order.
///
/// Memory: the listing and two packs.
pub(crate) async fn read(
    bucket: &Bucket,
    packs: Packs,
    packing: Packing,
    take: impl FnMut(u32, &str, &[u8]) -> io::Result<()>,
) -> Result<(), LabelsError> {
    read_sized(bucket, packs, packing, PACK_BYTES, take).await
}

/// The same with packs that are full from so many bytes on.
async fn read_sized(
    bucket: &Bucket,
    packs: Packs,
    packing: Packing,
    pack_bytes: usize,
    mut take: impl FnMut(u32, &str, &[u8]) -> io::Result<()>,
) -> Result<(), LabelsError> {
    let mut listing = Listing::of(bucket, packs.objects).await?;
    let (index, etag) = read_index(bucket, packs).await?;
    let mut writer = Writer::new(bucket, packs, packing, pack_bytes);
    let mut kept = Vec::new();
    for pack in &index.packs {
        let Some(content) = read_pack(bucket, packs, pack).await? else {
            writer.forget(pack).await?;
            continue;
        };
        writer.there.insert(pack.sha256.clone());
        let packed = unpack(&content);
        let places: Vec<Option<u32>> = (packed.iter())
            .map(|Packed { header, .. }| listing.place(&header.key, &header.etag))
            .collect();
        let is_kept = pack.bytes >= pack_bytes as u64 && places.iter().all(Option::is_some);
        for (Packed { header, content }, place) in packed.iter().zip(places) {
            let Some(place) = place else { continue };
            listing.take(place);
            take(place, &header.key, content).map_err(LabelsError::Disk)?;
            if !is_kept {
                writer.add(&header.key, &header.etag, content).await?;
            }
        }
        if is_kept {
            kept.push(pack.clone());
        }
    }
    let at_once = match packs == Packs::LABELLED {
        true => READS_AT_ONCE,
        false => LARGE_READS_AT_ONCE,
    };
    read_new(bucket, &listing, at_once, &mut writer, take).await?;
    let whole = [kept, writer.finish().await?].concat();
    match packing {
        Packing::AsItIs => Ok(()),
        Packing::Renewed => Ok(renew(bucket, packs, &index, etag.as_deref(), whole).await?),
    }
}

/// Hands over the objects that are in no pack, and packs them.
async fn read_new(
    bucket: &Bucket,
    listing: &Listing,
    at_once: usize,
    writer: &mut Writer<'_>,
    mut take: impl FnMut(u32, &str, &[u8]) -> io::Result<()>,
) -> Result<(), LabelsError> {
    let new = listing
        .0
        .iter()
        .enumerate()
        .filter(|(_, listed)| !listed.is_taken);
    let reads = stream::iter(new)
        .map(async |(place, listed)| {
            let object = bucket.read(&listed.key, MAX_DOCUMENT_BYTES).await?;
            Ok::<_, BucketError>((number(place), &*listed.key, object))
        })
        .buffered(at_once);
    let mut reads = pin!(reads);
    while let Some((place, key, object)) = reads.try_next().await? {
        // One that is gone is empty.
        let Some(Object { bytes, etag, .. }) = object else {
            continue;
        };
        take(place, key, &bytes).map_err(LabelsError::Disk)?;
        writer.add(key, etag.trim_matches('"'), &bytes).await?;
    }
    Ok(())
}

/// Reads which packs count, with the ETag of the document; none where it is missing or cannot be used.
async fn read_index(bucket: &Bucket, packs: Packs) -> Result<(Index, Option<String>), BucketError> {
    let none = Index {
        format: FORMAT,
        packs: Vec::new(),
    };
    let Some(object) = bucket.read(packs.index, MAX_DOCUMENT_BYTES).await? else {
        return Ok((none, None));
    };
    let index = serde_json::from_slice(&object.bytes).ok();
    let index = index.filter(|index: &Index| index.format == FORMAT);
    if index.is_none() {
        warn!(
            key = packs.index,
            "damaged or of another version: all labels are read anew"
        );
    }
    Ok((index.unwrap_or(none), Some(object.etag)))
}

/// Reads a pack and unfolds it; `None` where it is gone or damaged.
async fn read_pack(bucket: &Bucket, packs: Packs, pack: &Pack) -> Result<Option<Vec<u8>>, BucketError> {
    let key = packs.pack(&pack.sha256);
    let stored = match bucket.read(&key, MAX_PACK_BYTES).await {
        Err(BucketError::TooLarge { .. }) => None,
        read => read?,
    };
    let content = stored
        .filter(|stored| hex::encode(Sha256::digest(&stored.bytes)) == pack.sha256)
        .and_then(|stored| {
            let mut content = Vec::new();
            GzDecoder::new(&stored.bytes[..]).read_to_end(&mut content).ok()?;
            Some(content)
        });
    if content.is_none() {
        warn!(key, "gone or damaged: its labels are read anew, object by object");
    }
    Ok(content)
}

/// Returns the objects of a pack; those up to the first that cannot be read.
fn unpack(mut content: &[u8]) -> Vec<Packed<'_>> {
    let mut packed = Vec::new();
    while let Some(end) = content.iter().position(|byte| *byte == b'\n') {
        let Ok(header) = serde_json::from_slice::<Header>(&content[..end]) else {
            break;
        };
        let rest = &content[end + 1..];
        let Some((object, rest)) = rest.split_at_checked(header.bytes) else {
            break;
        };
        packed.push(Packed {
            header,
            content: object,
        });
        content = rest;
    }
    packed
}

/// Makes these the packs that count, and removes all others. Where somebody else did so meanwhile, theirs stay.
async fn renew(
    bucket: &Bucket,
    packs: Packs,
    before: &Index,
    etag: Option<&str>,
    whole: Vec<Pack>,
) -> Result<(), BucketError> {
    let index = Index {
        format: FORMAT,
        packs: whole,
    };
    if index == *before {
        return Ok(());
    }
    let replaced = bucket.replace_document(packs.index, etag, &index).await?;
    if !replaced.is_written() {
        info!("another build has packed the labels at the same time");
        return Ok(());
    }
    let named: BTreeSet<String> = index.packs.iter().map(|pack| packs.pack(&pack.sha256)).collect();
    let mut unused = Vec::new();
    bucket
        .list_each(packs.folder, |object| {
            if !named.contains(&object.key) {
                unused.push(object.key);
            }
        })
        .await?;
    for key in unused {
        bucket.delete(&key).await?;
    }
    Ok(())
}
