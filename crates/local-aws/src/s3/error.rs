//! Errors that the protocol crate has no name for.

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

/// Makes an error whose code `s3s` does not know.
pub(super) fn custom_error(code: &'static str, status: StatusCode, message: &'static str) -> S3Error {
    let known = S3ErrorCode::from_bytes(code.as_bytes()).expect("a code is UTF-8");
    let mut error = S3Error::with_message(known, message);
    error.set_status_code(status);
    error
}
