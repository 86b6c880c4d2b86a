//! Errors that the protocol crate has no name for.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::{S3Error, S3ErrorCode, dto::TimestampFormat, s3_error};

use super::{
    objects::timestamp,
    versions::{self, DeleteMarker, Wanted},
};

/// Makes an error whose code `s3s` does not know.
pub(super) fn custom_error(code: &'static str, status: StatusCode, message: &'static str) -> S3Error {
    let known = S3ErrorCode::from_bytes(code.as_bytes()).expect("a code is UTF-8");
    let mut error = S3Error::with_message(known, message);
    error.set_status_code(status);
    error
}

/// Says that an object, or the version that is wanted, is not there, or only what says that it was deleted.
///
/// Source: Amazon S3 User Guide, "Working with delete markers".
pub(super) fn absent(wanted: Option<&Wanted>, marker: Option<&DeleteMarker>) -> S3Error {
    let mut error = match (wanted, marker) {
        (None, _) => s3_error!(NoSuchKey, "The specified key does not exist."),
        (Some(_), None) => s3_error!(NoSuchVersion, "The specified version does not exist."),
        (Some(_), Some(_)) => s3_error!(
            MethodNotAllowed,
            "The specified method is not allowed against this resource."
        ),
    };
    let Some(marker) = marker else {
        return error;
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(name) = HeaderValue::from_str(&versions::name(Some(&marker.version))) {
        headers.insert("x-amz-version-id", name);
    }
    if wanted.is_some() {
        headers.insert(header::ALLOW, HeaderValue::from_static("DELETE"));
        let mut date = Vec::new();
        let is_written = timestamp(marker.modified_ms).format(TimestampFormat::HttpDate, &mut date);
        if let (Ok(()), Ok(date)) = (is_written, HeaderValue::from_bytes(&date)) {
            headers.insert(header::LAST_MODIFIED, date);
        }
    }
    error.set_headers(headers);
    error
}
