//! How listings are asked for and shown.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Result, dto::*, s3_error};

use super::{index::Page, objects::timestamp};
use crate::ACCOUNT_ID;

/// Most entries of one page of a listing.
const MOST_KEYS: i32 = 1000;

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
    let prefixes = page.common_prefixes.iter().map(|prefix| CommonPrefix {
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
