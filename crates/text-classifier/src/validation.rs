//! Checks of the members of requests, by Comprehend's service model.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    api_error::ApiError,
    arn::{ClassifierArn, EndpointArn, is_name},
    s3_uri::S3Uri,
};

/// Longest name of a classifier or version.
pub(crate) const MAX_NAME: usize = 63;
/// Longest name of an endpoint.
pub(crate) const MAX_ENDPOINT_NAME: usize = 40;
const MAX_TAGS: usize = 50;

/// One tag of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tag {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl Tag {
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

/// Recognises the request that made a resource when it comes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Origin {
    token: Option<String>,
    /// SHA-256 of the request's members.
    request: String,
}

impl Origin {
    pub(crate) fn new(token: Option<String>, members: &impl Serialize) -> Self {
        let members = serde_json::to_vec(members).expect("members have only string keys");
        Self {
            token,
            request: hex::encode(Sha256::digest(members)),
        }
    }

    /// Tells a request that comes again from another one that wants the same name.
    pub(crate) fn repeats(&self, first: &Self, in_use: &'static str) -> Result<(), ApiError> {
        if self.token.is_none() || self.token != first.token {
            Err(ApiError::ResourceInUse(in_use))
        } else if self.request != first.request {
            Err(ApiError::InvalidRequest(
                "the ClientRequestToken belongs to a request with other members",
            ))
        } else {
            Ok(())
        }
    }
}

pub(crate) fn invalid(member: &'static str, constraint: impl Into<String>) -> ApiError {
    ApiError::Validation {
        member,
        constraint: constraint.into(),
    }
}

fn check(ok: bool, member: &'static str, constraint: &str) -> Result<(), ApiError> {
    if ok {
        Ok(())
    } else {
        Err(invalid(member, constraint))
    }
}

pub(crate) fn required<T>(member: &'static str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| invalid(member, "Member must not be null"))
}

pub(crate) fn length(
    member: &'static str,
    value: &str,
    range: std::ops::RangeInclusive<usize>,
) -> Result<(), ApiError> {
    let (min, max, length) = (range.start(), range.end(), value.chars().count());
    let too_short = format!("Member must have length greater than or equal to {min}");
    check(length >= *min, member, &too_short)?;
    let too_long = format!("Member must have length less than or equal to {max}");
    check(length <= *max, member, &too_long)
}

fn pattern(ok: bool, member: &'static str, pattern: &str) -> Result<(), ApiError> {
    check(
        ok,
        member,
        &format!("Member must satisfy regular expression pattern: {pattern}"),
    )
}

pub(crate) fn name(member: &'static str, value: &str, max: usize) -> Result<(), ApiError> {
    length(member, value, 0..=max)?;
    pattern(is_name(value), member, "^[a-zA-Z0-9](-*[a-zA-Z0-9])*$")
}

pub(crate) fn endpoint_arn(value: Option<String>) -> Result<EndpointArn, ApiError> {
    let arn = required("endpointArn", value)?;
    arn.parse()
        .map_err(|_| invalid("endpointArn", "Member must satisfy the pattern of its ARN"))
}

pub(crate) fn classifier_arn(member: &'static str, value: &str) -> Result<ClassifierArn, ApiError> {
    value
        .parse()
        .map_err(|_| invalid(member, "Member must satisfy the pattern of its ARN"))
}

pub(crate) fn s3_uri(member: &'static str, value: &str) -> Result<S3Uri, ApiError> {
    length(member, value, 0..=1_024)?;
    value.parse().map_err(|_| {
        invalid(
            member,
            r"Member must satisfy regular expression pattern: s3://[a-z0-9][\.\-a-z0-9]{1,61}[a-z0-9](/.*)?",
        )
    })
}

pub(crate) fn data_access_role(value: &str) -> Result<(), ApiError> {
    let member = "dataAccessRoleArn";
    length(member, value, 20..=2_048)?;
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    let ok = match parts[..] {
        ["arn", partition, "iam", "", account, role] => {
            (partition == "aws"
                || partition
                    .strip_prefix("aws-")
                    .is_some_and(|rest| !rest.is_empty()))
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && role.strip_prefix("role/").is_some_and(|name| !name.is_empty())
        }
        _ => false,
    };
    pattern(ok, member, "arn:aws(-[^:]+)?:iam::[0-9]{12}:role/.+")
}

pub(crate) fn client_request_token(token: Option<&str>) -> Result<(), ApiError> {
    let Some(token) = token else { return Ok(()) };
    let member = "clientRequestToken";
    length(member, token, 1..=64)?;
    let ok = token
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    pattern(ok, member, "^[a-zA-Z0-9-]+$")
}

/// Source: pattern `^([\p{L}\p{Z}\p{N}_.:/=+\-%@]*)$`.
pub(crate) fn job_name(value: &str) -> Result<(), ApiError> {
    let member = "jobName";
    length(member, value, 1..=256)?;
    let ok = value.chars().all(|character| {
        character.is_alphanumeric()
            || character == ' '
            || (character.is_whitespace() && !character.is_control())
            || "_.:/=+-%@".contains(character)
    });
    pattern(ok, member, r"^([\p{L}\p{Z}\p{N}_.:/=+\-%@]*)$")
}

pub(crate) fn tags(tags: &[Tag]) -> Result<(), ApiError> {
    for tag in tags {
        length("tags.key", &tag.key, 1..=128)?;
        length("tags.value", tag.value.as_deref().unwrap_or_default(), 0..=256)?;
    }
    if tags.len() > MAX_TAGS {
        Err(ApiError::TooManyTags)
    } else {
        Ok(())
    }
}

/// Refuses keys: what the caller thinks encrypted with them would not be.
pub(crate) fn no_kms_key(keys: &[Option<&str>]) -> Result<(), ApiError> {
    if keys.iter().any(Option::is_some) {
        Err(ApiError::KmsKeyValidation)
    } else {
        Ok(())
    }
}

/// Refuses a member that would change what happens and is not supported.
pub(crate) fn unsupported(member: Option<&Value>, message: &'static str) -> Result<(), ApiError> {
    match member {
        Some(_) => Err(ApiError::InvalidRequest(message)),
        None => Ok(()),
    }
}

/// Reads the value of an enumeration by its name on the wire.
pub(crate) fn enumeration<T: DeserializeOwned>(member: &'static str, value: &str) -> Result<T, ApiError> {
    T::deserialize(Value::from(value)).map_err(|_| invalid(member, "Member must satisfy enum value set"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<(), ApiError>) -> &'static str {
        result.err().map_or("none", |error| error.code())
    }

    #[test]
    fn names_are_letters_and_digits_with_hyphens_between_up_to_their_length() {
        for (value, code_expected) in [
            ("a", "none"),
            ("a--B-9", "none"),
            (&"x".repeat(40), "none"),
            ("", "ValidationException"),
            ("-a", "ValidationException"),
            ("a-", "ValidationException"),
            ("a_b", "ValidationException"),
            ("é", "ValidationException"),
            (&"x".repeat(41), "ValidationException"),
        ] {
            assert_eq!(
                code(name("endpointName", value, MAX_ENDPOINT_NAME)),
                code_expected,
                "{value}"
            );
        }
    }

    #[test]
    fn roles_are_iam_roles_of_any_partition() {
        for (value, expected) in [
            ("arn:aws:iam::123456789012:role/comprehend", "none"),
            ("arn:aws-cn:iam::123456789012:role/a/b", "none"),
            ("arn:aws:iam::123456789012:role/", "ValidationException"),
            ("arn:aws:iam::123456789012:user/somebody", "ValidationException"),
            ("arn:aws:iam::12345678901:role/comprehend", "ValidationException"),
            ("role/comprehend", "ValidationException"),
        ] {
            assert_eq!(code(data_access_role(value)), expected, "{value}");
        }
    }

    #[test]
    fn tokens_and_job_names_follow_their_patterns() {
        for (token, expected) in [
            (None, "none"),
            (Some("0f-A"), "none"),
            (Some(""), "ValidationException"),
            (Some("a b"), "ValidationException"),
        ] {
            assert_eq!(code(client_request_token(token)), expected, "{token:?}");
        }
        for (name, expected) in [
            ("news of the day: 5 % @ é", "none"),
            ("", "ValidationException"),
            ("a\nb", "ValidationException"),
            ("a!", "ValidationException"),
        ] {
            assert_eq!(code(job_name(name)), expected, "{name:?}");
        }
    }

    #[test]
    fn more_than_fifty_tags_are_too_many() {
        let tag = |key: &str| Tag {
            key: key.to_owned(),
            value: None,
        };

        assert_eq!(code(tags(&vec![tag("team"); 50])), "none");
        assert_eq!(code(tags(&vec![tag("team"); 51])), "TooManyTagsException");
        assert_eq!(code(tags(&[tag("")])), "ValidationException");
    }

    #[test]
    fn a_request_is_repeated_by_the_same_token_and_members_only() {
        let origin = |token: Option<&str>, members: &str| Origin::new(token.map(str::to_owned), &members);
        let first = origin(Some("t"), "a");

        assert_eq!(code(origin(Some("t"), "a").repeats(&first, "exists")), "none");
        assert_eq!(
            code(origin(Some("t"), "b").repeats(&first, "exists")),
            "InvalidRequestException"
        );
        assert_eq!(
            code(origin(Some("u"), "a").repeats(&first, "exists")),
            "ResourceInUseException"
        );
        assert_eq!(
            code(origin(None, "a").repeats(&origin(None, "a"), "exists")),
            "ResourceInUseException"
        );
    }
}
