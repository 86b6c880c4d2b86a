//! How listings are asked for and shown.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Result, dto::*, s3_error};

use super::{
    backend::Backend,
    index::{Failure, ObjectRecord, Page},
    objects::timestamp,
    versions::{self, Listed, VersionListing, VersionRecord, Wanted},
};
use crate::ACCOUNT_ID;

/// Most entries of one page of a listing.
const MOST_KEYS: i32 = 1000;
/// Most buckets of one.
const MOST_BUCKETS: i32 = 10_000;

/// How names stand in a listing: as they are, or percent-encoded since XML cannot hold them all.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Plain,
    Url,
}

impl Encoding {
    pub(super) fn new(asked: Option<&EncodingType>) -> Self {
        match asked {
            Some(_) => Self::Url,
            None => Self::Plain,
        }
    }

    pub(super) fn apply(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Url => url_encoded(text),
        }
    }
}

/// Percent-encodes a key as it stands in a path.
pub(super) fn url_encoded(key: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    utf8_percent_encode(key, KEPT).to_string()
}

pub(super) fn limit(max_keys: Option<i32>) -> S3Result<i32> {
    match max_keys.unwrap_or(MOST_KEYS) {
        negative if negative < 0 => Err(s3_error!(
            InvalidArgument,
            "Argument maxKeys must be an integer between 0 and 2147483647"
        )),
        asked => Ok(asked.min(MOST_KEYS)),
    }
}

/// Makes the token of the page after a key.
pub(super) fn encode_token(key: String) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key)
}

pub(super) fn decode_token(token: &str) -> S3Result<String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

pub(super) fn contents(page: &Page, encoding: Encoding, with_owner: bool) -> Vec<Object> {
    let objects = page.objects.iter().map(|(key, record)| Object {
        checksum_algorithm: record
            .checksum
            .as_ref()
            .map(|checksum| vec![checksum.algorithm.name().to_owned().into()]),
        checksum_type: record.checksum.as_ref().map(|checksum| checksum.kind()),
        e_tag: Some(ETag::Strong(record.etag.clone())),
        key: Some(encoding.apply(key)),
        last_modified: Some(timestamp(record.modified_ms)),
        owner: with_owner.then(owner),
        restore_status: None,
        size: Some(record.size as i64),
        storage_class: Some(ObjectStorageClass::STANDARD.to_owned().into()),
    });
    objects.collect()
}

pub(super) fn common_prefixes(page: &Page, encoding: Encoding) -> Vec<CommonPrefix> {
    prefixes(&page.common_prefixes, encoding)
}

pub(super) fn prefixes(common: &[String], encoding: Encoding) -> Vec<CommonPrefix> {
    let prefixes = common.iter().map(|prefix| CommonPrefix {
        prefix: Some(encoding.apply(prefix)),
    });
    prefixes.collect()
}

pub(super) fn owner() -> Owner {
    Owner {
        display_name: None,
        id: Some(ACCOUNT_ID.to_owned()),
    }
}

impl Backend {
    /// Lists the buckets of this Region, in the order of their names.
    pub(super) fn bucket_page(&self, input: ListBucketsInput) -> S3Result<ListBucketsOutput> {
        let limit = input.max_buckets.unwrap_or(MOST_BUCKETS);
        if !(1..=MOST_BUCKETS).contains(&limit) {
            return Err(s3_error!(
                InvalidArgument,
                "Argument max-buckets must be an integer between 1 and {MOST_BUCKETS}"
            ));
        }
        let after = input
            .continuation_token
            .as_deref()
            .map(decode_token)
            .transpose()?;
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let is_here = input.bucket_region.is_none_or(|region| region == *self.region);
        let mut buckets = self.buckets(prefix).map_err(Failure::from)?;
        buckets.retain(|bucket| is_here && after.as_ref().is_none_or(|after| bucket.spec.name > *after));

        let limit = limit as usize;
        let next = (buckets.len() > limit).then(|| encode_token(buckets[limit - 1].spec.name.clone()));
        let buckets = buckets.into_iter().take(limit).map(|bucket| Bucket {
            bucket_region: Some(self.region.to_string()),
            creation_date: Some(timestamp(bucket.created_ms)),
            name: Some(bucket.spec.name),
        });
        Ok(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            continuation_token: next,
            owner: Some(owner()),
            prefix: input.prefix,
        })
    }

    pub(super) fn list_versions(&self, input: ListObjectVersionsInput) -> S3Result<ListObjectVersionsOutput> {
        let encoding = Encoding::new(input.encoding_type.as_ref());
        let limit = limit(input.max_keys)?;
        let (key_marker, version_marker) = (
            input.key_marker.unwrap_or_default(),
            input.version_id_marker.unwrap_or_default(),
        );
        if key_marker.is_empty() && !version_marker.is_empty() {
            return Err(s3_error!(
                InvalidArgument,
                "A version-id marker cannot be specified without a key marker."
            ));
        }
        let after_version = (!version_marker.is_empty())
            .then(|| Wanted::parse(&version_marker))
            .transpose()?;
        let page = self.version_page(&VersionListing {
            bucket: &input.bucket,
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref(),
            after: &key_marker,
            after_version: after_version.as_ref(),
            limit: limit as usize,
        })?;
        let is_truncated = page.next.is_some();
        let (next_key_marker, next_version_id_marker) = page.next.unzip();
        let (mut objects, mut markers) = (Vec::new(), Vec::new());
        for listed in page.versions {
            match &listed.record {
                VersionRecord::Object(record) => objects.push(version(&listed, record, encoding)),
                VersionRecord::Marker(_) => markers.push(marker(&listed, encoding)),
            }
        }
        Ok(ListObjectVersionsOutput {
            is_truncated: Some(is_truncated),
            next_key_marker: next_key_marker.map(|key| encoding.apply(&key)),
            next_version_id_marker: next_version_id_marker.flatten(),
            versions: Some(objects),
            delete_markers: Some(markers),
            common_prefixes: Some(prefixes(&page.common_prefixes, encoding)),
            prefix: Some(encoding.apply(&input.prefix.unwrap_or_default())),
            key_marker: Some(encoding.apply(&key_marker)),
            version_id_marker: Some(version_marker),
            delimiter: input.delimiter.map(|text| encoding.apply(&text)),
            max_keys: Some(limit),
            name: Some(input.bucket),
            encoding_type: input.encoding_type,
            ..ListObjectVersionsOutput::default()
        })
    }
}

fn version(listed: &Listed, record: &ObjectRecord, encoding: Encoding) -> ObjectVersion {
    ObjectVersion {
        checksum_algorithm: record
            .checksum
            .as_ref()
            .map(|checksum| vec![checksum.algorithm.name().to_owned().into()]),
        checksum_type: record.checksum.as_ref().map(|checksum| checksum.kind()),
        e_tag: Some(ETag::Strong(record.etag.clone())),
        is_latest: Some(listed.is_latest),
        key: Some(encoding.apply(&listed.key)),
        last_modified: Some(timestamp(record.modified_ms)),
        owner: Some(owner()),
        restore_status: None,
        size: Some(record.size as i64),
        storage_class: Some(ObjectVersionStorageClass::STANDARD.to_owned().into()),
        version_id: Some(versions::name(record.version.as_ref())),
    }
}

fn marker(listed: &Listed, encoding: Encoding) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        is_latest: Some(listed.is_latest),
        key: Some(encoding.apply(&listed.key)),
        last_modified: Some(timestamp(listed.record.modified_ms())),
        owner: Some(owner()),
        version_id: Some(versions::name(listed.record.version())),
    }
}
