//! Headers of a write that would have to be kept or obeyed, and are not.

use axum::body::Body;
use http::{Method, Request, Response, StatusCode, header};
use s3s::{S3Result, dto::*, s3_error};

use crate::aws_error::xml_response;

/// Most bytes of the configuration of a new bucket.
const MAX_CONFIGURATION_BYTES: usize = 64 * 1024;

/// Refuses a request that asks for what is not implemented, instead of ignoring it.
macro_rules! refuse_unsupported {
    ($input:expr) => {
        if $input.tagging.is_some()
            || $input.sse_customer_algorithm.is_some()
            || $input.object_lock_mode.is_some()
            || $input.object_lock_legal_hold_status.is_some()
            || $input.website_redirect_location.is_some()
        {
            return Err(s3s::s3_error!(
                NotImplemented,
                "tags, customer keys, object locks and redirects are not implemented"
            ));
        }
        $crate::s3::unsupported::refuse_other_than(
            "x-amz-acl",
            &["private", "bucket-owner-full-control"],
            $input.acl.as_ref().map(|it| it.as_str()),
        )?;
        $crate::s3::unsupported::refuse_other_than(
            "x-amz-storage-class",
            &["STANDARD"],
            $input.storage_class.as_ref().map(|it| it.as_str()),
        )?;
        $crate::s3::unsupported::refuse_other_than(
            "x-amz-server-side-encryption",
            &["AES256"],
            $input.server_side_encryption.as_ref().map(|it| it.as_str()),
        )?;
        for (name, is_given) in [
            ("x-amz-grant-full-control", $input.grant_full_control.is_some()),
            ("x-amz-grant-read", $input.grant_read.is_some()),
            ("x-amz-grant-read-acp", $input.grant_read_acp.is_some()),
            ("x-amz-grant-write-acp", $input.grant_write_acp.is_some()),
            (
                "x-amz-server-side-encryption-aws-kms-key-id",
                $input.ssekms_key_id.is_some(),
            ),
            (
                "x-amz-server-side-encryption-context",
                $input.ssekms_encryption_context.is_some(),
            ),
            ("Expires", $input.expires.is_some()),
        ] {
            if is_given {
                return Err(s3s::s3_error!(
                    NotImplemented,
                    "the header {name} is not implemented"
                ));
            }
        }
    };
}
pub(super) use refuse_unsupported;

/// Refuses a new bucket that is to be another than all are: private, of its owner alone, in this Region, without locks.
pub(super) fn check_new_bucket(input: &CreateBucketInput, region: &str) -> S3Result<()> {
    let acl = input.acl.as_ref().map(BucketCannedACL::as_str);
    refuse_other_than("x-amz-acl", &[BucketCannedACL::PRIVATE], acl)?;
    let ownership = input.object_ownership.as_ref().map(ObjectOwnership::as_str);
    let taken = [ObjectOwnership::BUCKET_OWNER_ENFORCED];
    refuse_other_than("x-amz-object-ownership", &taken, ownership)?;
    for (name, is_given) in [
        ("x-amz-grant-full-control", input.grant_full_control.is_some()),
        ("x-amz-grant-read", input.grant_read.is_some()),
        ("x-amz-grant-read-acp", input.grant_read_acp.is_some()),
        ("x-amz-grant-write", input.grant_write.is_some()),
        ("x-amz-grant-write-acp", input.grant_write_acp.is_some()),
        (
            "x-amz-bucket-object-lock-enabled",
            input.object_lock_enabled_for_bucket == Some(true),
        ),
    ] {
        if is_given {
            return Err(s3_error!(NotImplemented, "the header {name} is not implemented"));
        }
    }
    let Some(configuration) = &input.create_bucket_configuration else {
        return Ok(());
    };
    if configuration.bucket.is_some() || configuration.location.is_some() {
        return Err(s3_error!(NotImplemented, "directory buckets are not implemented"));
    }
    let wanted = configuration.location_constraint.as_ref();
    match wanted.map(BucketLocationConstraint::as_str) {
        Some(wanted) if !wanted.is_empty() && wanted != region => Err(s3_error!(
            IllegalLocationConstraintException,
            "The {wanted} location constraint is incompatible for the region specific endpoint this request was sent to."
        )),
        _ => Ok(()),
    }
}

/// Refuses a new bucket that is to have tags, of which the protocol crate knows nothing: it would skip them.
///
/// # Errors
///
/// The refusal.
pub(super) async fn without_bucket_tags(
    request: Request<Body>,
) -> Result<Request<Body>, Box<Response<Body>>> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length: Option<usize> = length.and_then(|it| it.to_str().ok()?.parse().ok());
    let is_short = length.is_some_and(|length| (1..=MAX_CONFIGURATION_BYTES).contains(&length));
    let is_bucket = request.method() == Method::PUT
        && request.uri().query().is_none()
        && !request.uri().path().trim_matches('/').contains('/');
    if !is_short || !is_bucket {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let refuse = |status, code: &str, message: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        Err(Box::new(xml_response(status, body)))
    };
    let Ok(body) = axum::body::to_bytes(body, MAX_CONFIGURATION_BYTES).await else {
        let message = "The request body terminated unexpectedly";
        return refuse(StatusCode::BAD_REQUEST, "IncompleteBody", message);
    };
    let text = String::from_utf8_lossy(&body);
    if text.contains("CreateBucketConfiguration") && text.contains("<Tag>") {
        let message = "CreateBucket with Tags is not implemented";
        return refuse(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message);
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Takes a header that says what holds anyway and refuses any other.
pub(super) fn refuse_other_than(header: &str, taken: &[&str], value: Option<&str>) -> S3Result<()> {
    match value {
        Some(value) if !taken.contains(&value) => Err(s3_error!(
            NotImplemented,
            "{value} in the header {header} is not implemented"
        )),
        _ => Ok(()),
    }
}
