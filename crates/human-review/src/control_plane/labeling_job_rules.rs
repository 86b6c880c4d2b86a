//! Rules of single members of `CreateLabelingJob`.

use super::{ControlError, invalid, required};
use crate::labelling_jobs::audits::EXCLUDED;
use crate::labelling_jobs::split_uri;

/// Longest `LabelAttributeName`.
const MAX_ATTRIBUTE_CHARS: usize = 127;

/// Checks that a number of a request, if there is one, is in a range whose ends belong to it.
///
/// # Errors
///
/// [`ControlError`] naming the member.
pub(super) fn within<T: PartialOrd + std::fmt::Display>(
    value: Option<T>,
    member: &str,
    least: T,
    most: T,
) -> Result<(), ControlError> {
    match value {
        Some(value) if value < least => {
            let rule = format!("Member must have value greater than or equal to {least}");
            Err(invalid(&value.to_string(), member, &rule))
        }
        Some(value) if value > most => {
            let rule = format!("Member must have value less than or equal to {most}");
            Err(invalid(&value.to_string(), member, &rule))
        }
        _ => Ok(()),
    }
}

/// Returns the name of the attribute that the labels get in the output manifest.
///
/// # Errors
///
/// [`ControlError`] where it is missing, has another form than `CreateLabelingJob` says, or ends as the names do that
/// the manifest has beside it.
pub(super) fn checked_attribute(attribute: Option<String>) -> Result<String, ControlError> {
    const MEMBER: &str = "labelAttributeName";
    let attribute = required(attribute, MEMBER)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric();
    let is_name = (1..=MAX_ATTRIBUTE_CHARS).contains(&attribute.len())
        && attribute.starts_with(is_plain)
        && attribute.ends_with(is_plain)
        && attribute.chars().all(|c| is_plain(c) || c == '-');
    if !is_name {
        let rule = "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}";
        return Err(invalid(&attribute, MEMBER, rule));
    }
    let is_taken = ["source", EXCLUDED].contains(&attribute.as_str());
    if attribute.ends_with("-metadata") || attribute.ends_with("-ref") || is_taken {
        let rule = "Member must not end with -metadata or -ref, and must not be source or excluded-workers";
        return Err(invalid(&attribute, MEMBER, rule));
    }
    Ok(attribute)
}

/// Returns an address of the form `s3://<bucket>/<key>`.
///
/// # Errors
///
/// [`ControlError`] naming the member where it has another form.
pub(super) fn checked_uri(uri: String, member: &str) -> Result<String, ControlError> {
    match split_uri(&uri) {
        Some(_) => Ok(uri),
        None => Err(invalid(
            &uri,
            member,
            "Member must be s3:// with a bucket and a key",
        )),
    }
}

/// Returns the error of a member that asks for what is not here.
pub(super) fn not_supported(member: &str) -> ControlError {
    ControlError::Validation(format!("{member} is not supported: leave it out."))
}
