//! Comprehend's ARNs: the endpoint that this function serves and the models that it trains.

use std::str::FromStr;

/// ARN of a document classifier endpoint, for example
/// `arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointArn {
    arn: String,
    /// `arn:<partition>:comprehend:<region>:<account>`.
    scope: String,
    name: String,
}

/// Not an endpoint ARN by Comprehend's pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected arn:aws:comprehend:<region>:<account>:document-classifier-endpoint/<name>")]
pub struct InvalidEndpointArn;

const MAX_ARN_BYTES: usize = 256;

impl FromStr for EndpointArn {
    type Err = InvalidEndpointArn;

    fn from_str(arn: &str) -> Result<Self, Self::Err> {
        let (scope, resource) = scope_and_resource(arn).ok_or(InvalidEndpointArn)?;
        let name = resource
            .strip_prefix("document-classifier-endpoint/")
            .filter(|name| is_name(name))
            .ok_or(InvalidEndpointArn)?;
        Ok(Self {
            arn: arn.to_owned(),
            scope: scope.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl EndpointArn {
    /// Returns the whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// Returns the endpoint's name, which is also the name of its models.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn model_arn(&self, version: &str) -> String {
        format!(
            "{}:document-classifier/{}/version/{version}",
            self.scope, self.name
        )
    }

    /// Returns the version in the ARN of one of this endpoint's models.
    pub(crate) fn model_version<'a>(&self, model_arn: &'a str) -> Option<&'a str> {
        let (scope, resource) = scope_and_resource(model_arn)?;
        let (name, version) = resource
            .strip_prefix("document-classifier/")?
            .split_once("/version/")?;
        (scope == self.scope && name == self.name && is_name(version)).then_some(version)
    }
}

/// Returns whether the text is a classifier's ARN by Comprehend's pattern, with or without version.
pub(crate) fn is_classifier_arn(arn: &str) -> bool {
    scope_and_resource(arn)
        .and_then(|(_, resource)| resource.strip_prefix("document-classifier/"))
        .is_some_and(|resource| match resource.split_once("/version/") {
            Some((name, version)) => is_name(name) && is_name(version),
            None => is_name(resource),
        })
}

fn scope_and_resource(arn: &str) -> Option<(&str, &str)> {
    let resource_start = arn.match_indices(':').nth(4)?.0;
    let scope = &arn[..resource_start];
    let [arn_word, partition, service, region, account] =
        scope.split(':').collect::<Vec<_>>().try_into().ok()?;
    let partition_ok = partition == "aws"
        || partition
            .strip_prefix("aws-")
            .is_some_and(|rest| !rest.is_empty());
    let region_ok = region
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let account_ok =
        account == "aws" || account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let ok = arn.len() <= MAX_ARN_BYTES
        && arn_word == "arn"
        && service == "comprehend"
        && partition_ok
        && region_ok
        && account_ok;
    ok.then_some((scope, &arn[resource_start + 1..]))
}

/// Comprehend's pattern for names: letters and digits, with hyphens between.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: &str = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news";

    #[test]
    fn arns_of_other_partitions_and_of_aws_itself_are_endpoints() {
        for arn in [
            ENDPOINT,
            "arn:aws-us-gov:comprehend:us-gov-west-1:123456789012:document-classifier-endpoint/a-b--c",
            "arn:aws:comprehend:us-east-1:aws:document-classifier-endpoint/prompt-safety",
        ] {
            assert!(arn.parse::<EndpointArn>().is_ok(), "{arn}");
        }
    }

    #[test]
    fn anything_else_is_not_an_endpoint() {
        let long = format!("{ENDPOINT}{}", "x".repeat(256));
        for arn in [
            "",
            "news",
            "arn:aws:comprehend:us-east-1:123456789012",
            "arn:aws:comprehend:us-east-1:12345678901:document-classifier-endpoint/news",
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/",
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news-",
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/ne_ws",
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/../x",
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news",
            "arn:aws:sagemaker:us-east-1:123456789012:document-classifier-endpoint/news",
            &long,
        ] {
            assert!(arn.parse::<EndpointArn>().is_err(), "{arn}");
        }
    }

    #[test]
    fn version_is_read_only_from_own_models() {
        let endpoint: EndpointArn = ENDPOINT.parse().expect("endpoint ARN");

        assert_eq!(endpoint.model_version(&endpoint.model_arn("7f")), Some("7f"));
        for other in [
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier/other/version/7f",
            "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/news/version/7f",
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news/version/a/b",
            "arn:aws:comprehend:us-east-1:123456789012:document-classifier/news",
        ] {
            assert_eq!(endpoint.model_version(other), None, "{other}");
        }
    }
}
