//! Conditions of writes and reads.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::{S3Error, S3ErrorCode, S3Result, dto::*, s3_error};

use super::{
    index::{self, Failure, ObjectRecord},
    objects::timestamp,
};

/// Conditions of a write, decided in its transaction.
pub(super) struct WriteConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) only_new: bool,
}

impl WriteConditions {
    pub(super) fn new(
        if_match: Option<ETagCondition>,
        if_none_match: Option<ETagCondition>,
    ) -> S3Result<Self> {
        let only_new = match if_none_match {
            None => false,
            Some(ETagCondition::Any) => true,
            Some(ETagCondition::ETag(_)) => {
                return Err(s3_error!(
                    NotImplemented,
                    "A header you provided implies functionality that is not implemented: If-None-Match with an ETag"
                ));
            }
        };
        Ok(Self { if_match, only_new })
    }

    /// Reads the conditions of an operation in whose input the library has none: `CopyObject`.
    pub(super) fn of_headers(headers: &HeaderMap) -> S3Result<Self> {
        let condition = |name: HeaderName| {
            let value = headers.get(&name).map(HeaderValue::as_bytes);
            let parsed = value.map(ETagCondition::parse_http_header).transpose();
            parsed.map_err(|_| s3_error!(InvalidArgument, "The header {name} is neither * nor an ETag"))
        };
        Self::new(condition(header::IF_MATCH)?, condition(header::IF_NONE_MATCH)?)
    }

    pub(super) fn check(&self, tables: &impl index::Tables, bucket: &str, key: &str) -> Result<(), Failure> {
        if self.if_match.is_none() && !self.only_new {
            return Ok(());
        }
        let existing = index::object(tables, bucket, key)?;
        match (&self.if_match, existing) {
            (Some(_), None) => Err(s3_error!(NoSuchKey, "The specified key does not exist.").into()),
            (Some(condition), Some((record, _))) if !holds(condition, &record.etag) => {
                Err(precondition_failed().into())
            }
            (None, Some(_)) => Err(precondition_failed().into()),
            _ => Ok(()),
        }
    }
}

/// Conditions of a read, by RFC 9110: `If-Match` and `If-None-Match` go before the dates.
pub(super) struct ReadConditions<'a> {
    pub(super) if_match: Option<&'a ETagCondition>,
    pub(super) if_none_match: Option<&'a ETagCondition>,
    pub(super) if_modified_since: Option<&'a Timestamp>,
    pub(super) if_unmodified_since: Option<&'a Timestamp>,
}

impl ReadConditions<'_> {
    pub(super) fn check(&self, record: &ObjectRecord) -> S3Result<()> {
        // Dates in headers have whole seconds.
        let modified = timestamp(record.modified_ms / 1000 * 1000);
        let refused = match (self.if_match, self.if_unmodified_since) {
            (Some(condition), _) => !holds(condition, &record.etag),
            (None, Some(date)) => modified > *date,
            (None, None) => false,
        };
        if refused {
            return Err(precondition_failed());
        }
        let unchanged = match (self.if_none_match, self.if_modified_since) {
            (Some(condition), _) => holds(condition, &record.etag),
            (None, Some(date)) => modified <= *date,
            (None, None) => false,
        };
        if unchanged {
            let mut headers = http::HeaderMap::new();
            if let Ok(etag) = ETag::Strong(record.etag.clone()).to_http_header() {
                headers.insert(http::header::ETAG, etag);
            }
            let mut not_modified = S3Error::new(S3ErrorCode::NotModified);
            not_modified.set_headers(headers);
            return Err(not_modified);
        }
        Ok(())
    }
}

fn holds(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    }
}

pub(super) fn precondition_failed() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}
