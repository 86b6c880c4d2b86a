//! Headers of a write that would have to be kept or obeyed, and are not.

use s3s::{S3Result, s3_error};

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
