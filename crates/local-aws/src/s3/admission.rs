//! What of a request is looked at before its operation: how it is signed, for which key, and what it asks beside.

use std::borrow::Cow;

use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use s3s::{S3Result, access::S3AccessContext, path::S3Path, s3_error};

use super::versions::Wanted;
use crate::{ACCOUNT_ID, aws_error::xml_response};

/// Longest time that a presigned URL is good for, seconds.
const MAX_EXPIRY_SECONDS: u64 = 604_800;

/// Parameters that every operation takes, in any case: those of a presigned URL, and headers that SDKs put into one.
const SIGNING_PARAMETERS: [&str; 11] = [
    "x-amz-algorithm",
    "x-amz-checksum-mode",
    "x-amz-content-sha256",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-amz-user-agent",
];

/// Returns whether a parameter is of no account to the operation: of the signature, or a note for access logs.
fn is_beside(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match name.starts_with("x-amz-") {
        true => SIGNING_PARAMETERS.contains(&name.as_str()),
        false => name.starts_with("x-"),
    }
}

/// Returns the query parameters that an operation takes. The `versionId` is looked at below.
fn parameters(operation: &str) -> &'static [&'static str] {
    match operation {
        "ListBuckets" => &["prefix", "max-buckets", "continuation-token", "bucket-region"],
        "PutBucketPolicy" | "GetBucketPolicy" | "DeleteBucketPolicy" => &["policy"],
        "GetBucketLocation" => &["location"],
        "GetBucketNotificationConfiguration" => &["notification"],
        "ListObjects" => &["prefix", "delimiter", "marker", "max-keys", "encoding-type"],
        "ListObjectsV2" => &[
            "list-type",
            "prefix",
            "delimiter",
            "continuation-token",
            "start-after",
            "fetch-owner",
            "max-keys",
            "encoding-type",
        ],
        "PutBucketVersioning" | "GetBucketVersioning" => &["versioning"],
        "ListObjectVersions" => &[
            "versions",
            "prefix",
            "delimiter",
            "key-marker",
            "version-id-marker",
            "max-keys",
            "encoding-type",
        ],
        "ListMultipartUploads" => &[
            "uploads",
            "prefix",
            "delimiter",
            "key-marker",
            "upload-id-marker",
            "max-uploads",
            "encoding-type",
        ],
        "HeadObject" => &["versionId", "partNumber"],
        "GetObject" => &[
            "versionId",
            "partNumber",
            "response-cache-control",
            "response-content-disposition",
            "response-content-encoding",
            "response-content-language",
            "response-content-type",
        ],
        "DeleteObject" => &["versionId"],
        "DeleteObjects" => &["delete"],
        "CreateMultipartUpload" => &["uploads"],
        "UploadPart" | "UploadPartCopy" => &["partNumber", "uploadId"],
        "CompleteMultipartUpload" | "AbortMultipartUpload" => &["uploadId"],
        "ListParts" => &["uploadId", "max-parts", "part-number-marker"],
        _ => &[],
    }
}

/// Refuses what AWS refuses, and what would be taken for another operation than it is.
pub(super) fn check(context: &S3AccessContext<'_>) -> S3Result<()> {
    let operation = context.s3_op().name();
    // What a version before has stored may be read and deleted.
    let makes_object = matches!(operation, "PutObject" | "CopyObject" | "CreateMultipartUpload");
    if let (true, S3Path::Object { key, .. }) = (makes_object, context.s3_path()) {
        check_key(key)?;
    }
    check_owner(context.headers())?;
    check_headers(operation, context.headers())?;
    check_parameters(operation, context.uri())
}

/// Headers that make another write of one, or hold it back, and of which the library's inputs know nothing or we do not.
///
/// Source: Amazon S3 API Reference, `PutObject` (append) and `AbortMultipartUpload` (directory buckets).
const NOT_IMPLEMENTED_HEADERS: [&str; 2] = ["x-amz-write-offset-bytes", "x-amz-if-match-initiated-time"];

fn check_headers(operation: &str, headers: &HeaderMap) -> S3Result<()> {
    match NOT_IMPLEMENTED_HEADERS
        .iter()
        .find(|name| headers.contains_key(**name))
    {
        Some(name) => Err(s3_error!(
            NotImplemented,
            "{operation} with the header {name} is not implemented"
        )),
        None => Ok(()),
    }
}

/// Refuses a request about a bucket that is to be somebody else's: all are of one account here.
fn check_owner(headers: &HeaderMap) -> S3Result<()> {
    for name in [
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    ] {
        if headers.get(name).is_some_and(|owner| owner != ACCOUNT_ID) {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
    }
    Ok(())
}

/// Refuses a signature that buckets do not take: they take Signature Version 4 only, and links of at most a week.
pub(super) fn refused_signature<B>(request: &Request<B>) -> Option<Response<Body>> {
    let authorization = request.headers().get(header::AUTHORIZATION);
    let is_version_2 = authorization.is_some_and(|value| value.as_bytes().starts_with(b"AWS "));
    if is_version_2 || pairs(request.uri()).any(|(name, _)| name == "AWSAccessKeyId") {
        return Some(bad_request(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256. In boto3: \
             Config(signature_version='s3v4'); for the AWS CLI: aws configure set default.s3.signature_version s3v4.",
        ));
    }
    if let Some(refusal) = malformed_date(request) {
        return Some(refusal);
    }
    let expiry = pairs(request.uri()).find(|(name, _)| name == "X-Amz-Expires");
    let is_too_long = expiry.is_some_and(|(_, seconds)| {
        seconds
            .parse::<u64>()
            .is_ok_and(|seconds| seconds > MAX_EXPIRY_SECONDS)
    });
    is_too_long.then(|| {
        bad_request(
            "AuthorizationQueryParametersError",
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds",
        )
    })
}

/// Refuses a signature whose date is none; the library takes digits for granted.
fn malformed_date<B>(request: &Request<B>) -> Option<Response<Body>> {
    let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
    if header("x-amz-date").is_some_and(|date| !is_date(date)) {
        return Some(bad_request(
            "AuthorizationHeaderMalformed",
            "AWS authentication requires a valid Date or x-amz-date header",
        ));
    }
    let credential = header("authorization").map(String::from_utf8_lossy);
    let credential = credential
        .as_ref()
        .and_then(|value| value.split_once("Credential="));
    if credential.is_some_and(|(_, credential)| !has_day(credential)) {
        return Some(bad_request(
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the Credential is mal-formed",
        ));
    }
    let is_wrong = |(name, value): (Cow<'_, str>, Cow<'_, str>)| match &*name {
        "X-Amz-Date" => !is_date(value.as_bytes()),
        "X-Amz-Credential" => !has_day(&value),
        _ => false,
    };
    pairs(request.uri()).any(is_wrong).then(|| {
        bad_request(
            "AuthorizationQueryParametersError",
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\", and X-Amz-Credential have its day",
        )
    })
}

/// Returns whether a text is of the form `20261129T100000Z`.
fn is_date(text: &[u8]) -> bool {
    let fits = |(at, byte): (usize, &u8)| match at {
        8 => *byte == b'T',
        15 => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 16 && text.iter().enumerate().all(fits)
}

/// Returns whether the scope of a credential has a day of eight digits.
fn has_day(credential: &str) -> bool {
    let day = credential.split('/').nth(1).unwrap_or_default();
    day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit())
}

fn bad_request(code: &str, message: &str) -> Response<Body> {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    xml_response(StatusCode::BAD_REQUEST, body)
}

/// Segments `.` and `..` of a key mean nothing: they are part of its name, in policies too. But a key may not lead
/// above its bucket.
///
/// Source: Amazon S3 User Guide, "Naming Amazon S3 objects", "Object key naming guidelines".
fn check_key(key: &str) -> S3Result<()> {
    let mut depth = 0_usize;
    for segment in key.split('/') {
        match segment {
            ".." => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| s3_error!(InvalidURI, "Couldn't parse the specified URI."))?;
            }
            "." | "" => {}
            _ => depth += 1,
        }
    }
    Ok(())
}

fn check_parameters(operation: &str, uri: &Uri) -> S3Result<()> {
    for (name, value) in pairs(uri) {
        let known = parameters(operation).contains(&&*name) || is_beside(&name);
        if name == "versionId" && known {
            Wanted::parse(&value)?;
        }
        if !known {
            return Err(s3_error!(
                NotImplemented,
                "{operation} with the query parameter {name} is not implemented"
            ));
        }
    }
    Ok(())
}

fn pairs(uri: &Uri) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_may_go_up_but_not_above_their_bucket() {
        let good = [
            "a/../b",
            "a/b/../../c",
            "./a",
            "a/..",
            "..a/b",
            "a/...",
            "a//../b",
        ];
        let bad = ["..", "../a", "a/../../b", "./../a", "a/b/../../../c"];

        assert!(good.iter().all(|key| check_key(key).is_ok()));
        assert!(bad.iter().all(|key| check_key(key).is_err()));
    }

    #[test]
    fn parameters_of_another_operation_are_refused_by_name() {
        let check = |operation, query: &str| {
            let uri = format!("/b/k?{query}").parse().expect("a URI");
            check_parameters(operation, &uri).map_err(|error| error.code().as_str().to_owned())
        };

        assert_eq!(
            check(
                "PutObject",
                "x-id=PutObject&X-Amz-Expires=60&x-amz-checksum-mode=ENABLED"
            ),
            Ok(())
        );
        assert_eq!(check("GetObject", "x-campaign=autumn"), Ok(()));
        assert_eq!(check("GetObject", "versionId=null&partNumber=1"), Ok(()));
        for (operation, query) in [
            ("PutObject", "renameObject"),
            ("PutObject", "uploads"),
            ("PutObject", "x-amz-acl=public-read"),
            ("DeleteObject", "uploads"),
            ("CreateBucket", "anything=1"),
        ] {
            assert_eq!(
                check(operation, query),
                Err("NotImplemented".to_owned()),
                "{query}"
            );
        }
        assert_eq!(
            check("DeleteObject", "versionId=3"),
            Err("InvalidArgument".to_owned())
        );
    }
}
