//! Comprehend's ARNs: endpoints, classifiers, flywheels and classification jobs.
//!
//! `arn:<partition>:comprehend:<region>:<account>:<resource>`. What comes before the resource is called the
//! scope here: a function has one, and resources of any other do not exist for it. The resource is also
//! where the state of a thing lies in the bucket.

use std::{fmt, str::FromStr};

/// ARN of a document classifier endpoint, for example
/// `arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointArn {
    scope: String,
    name: String,
}

/// ARN of a document classifier, of one of its versions or of none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassifierArn {
    pub scope: String,
    pub name: String,
    pub version: Option<String>,
}

/// ARN of a flywheel, for example `arn:aws:comprehend:us-east-1:123456789012:flywheel/news`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlywheelArn {
    pub scope: String,
    pub name: String,
}

/// Not a flywheel's ARN by Comprehend's pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidFlywheelArn;

/// Not an endpoint ARN by Comprehend's pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected arn:aws:comprehend:<region>:<account>:document-classifier-endpoint/<name>")]
pub struct InvalidEndpointArn;

/// Not a classifier's ARN by Comprehend's pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidClassifierArn;

const MAX_ARN_BYTES: usize = 256;

impl FromStr for EndpointArn {
    type Err = InvalidEndpointArn;

    fn from_str(arn: &str) -> Result<Self, Self::Err> {
        let (scope, resource) = scope_and_resource(arn).ok_or(InvalidEndpointArn)?;
        let name = resource
            .strip_prefix("document-classifier-endpoint/")
            .filter(|name| is_name(name))
            .ok_or(InvalidEndpointArn)?;
        Ok(Self::new(scope, name))
    }
}

impl EndpointArn {
    pub(crate) fn new(scope: &str, name: &str) -> Self {
        Self {
            scope: scope.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Returns the endpoint's name, which is also the name of the models of its initial training files.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn scope(&self) -> &str {
        &self.scope
    }

    pub(crate) fn resource(&self) -> String {
        format!("document-classifier-endpoint/{}", self.name)
    }
}

impl fmt::Display for EndpointArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scope, self.resource())
    }
}

impl FromStr for ClassifierArn {
    type Err = InvalidClassifierArn;

    fn from_str(arn: &str) -> Result<Self, Self::Err> {
        let (scope, resource) = scope_and_resource(arn).ok_or(InvalidClassifierArn)?;
        Self::from_resource(scope, resource).ok_or(InvalidClassifierArn)
    }
}

impl ClassifierArn {
    pub(crate) fn new(scope: &str, name: &str, version: Option<&str>) -> Self {
        Self {
            scope: scope.to_owned(),
            name: name.to_owned(),
            version: version.map(str::to_owned),
        }
    }

    /// Reads what [`resource`](Self::resource) writes.
    pub(crate) fn from_resource(scope: &str, resource: &str) -> Option<Self> {
        let path = resource.strip_prefix("document-classifier/")?;
        let (name, version) = match path.split_once("/version/") {
            Some((name, version)) => (name, Some(version)),
            None => (path, None),
        };
        let ok = is_name(name) && version.is_none_or(is_name);
        ok.then(|| Self::new(scope, name, version))
    }

    pub(crate) fn resource(&self) -> String {
        match &self.version {
            Some(version) => format!("document-classifier/{}/version/{version}", self.name),
            None => format!("document-classifier/{}", self.name),
        }
    }
}

impl fmt::Display for ClassifierArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scope, self.resource())
    }
}

impl FromStr for FlywheelArn {
    type Err = InvalidFlywheelArn;

    fn from_str(arn: &str) -> Result<Self, Self::Err> {
        let (scope, resource) = scope_and_resource(arn).ok_or(InvalidFlywheelArn)?;
        let name = resource
            .strip_prefix("flywheel/")
            .filter(|name| is_name(name))
            .ok_or(InvalidFlywheelArn)?;
        Ok(Self::new(scope, name))
    }
}

impl FlywheelArn {
    pub(crate) fn new(scope: &str, name: &str) -> Self {
        Self {
            scope: scope.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Reads the ARN of a dataset: its flywheel's, and its name.
    pub(crate) fn of_dataset(arn: &str) -> Option<(Self, String)> {
        let (flywheel, name) = arn.rsplit_once("/dataset/")?;
        let flywheel = flywheel.parse().ok()?;
        is_name(name).then(|| (flywheel, name.to_owned()))
    }

    pub(crate) fn resource(&self) -> String {
        format!("flywheel/{}", self.name)
    }
}

impl fmt::Display for FlywheelArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scope, self.resource())
    }
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
pub(crate) fn is_name(name: &str) -> bool {
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
            let parsed = arn.parse::<EndpointArn>();

            assert_eq!(parsed.map(|parsed| parsed.to_string()).as_deref(), Ok(arn));
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
    fn classifiers_have_a_version_or_none() {
        let scope = "arn:aws:comprehend:us-east-1:123456789012";
        for (resource, version) in [
            ("document-classifier/news/version/7f", Some("7f")),
            ("document-classifier/news", None),
        ] {
            let arn: ClassifierArn = format!("{scope}:{resource}").parse().expect("a classifier");

            assert_eq!(arn, ClassifierArn::new(scope, "news", version));
            assert_eq!(arn.resource(), resource);
        }
        for resource in [
            "document-classifier/news/version/a/b",
            "document-classifier/news/version/",
            "document-classifier/",
            "document-classifier-endpoint/news",
        ] {
            assert!(
                format!("{scope}:{resource}").parse::<ClassifierArn>().is_err(),
                "{resource}"
            );
        }
    }
}
