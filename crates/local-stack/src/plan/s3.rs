//! `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`.

use local_aws::{
    ACCOUNT_ID,
    iam::{Iam, PolicyDocument},
    lambda::PermissionSpec,
    s3::{BucketSpec, Expiration, FunctionNotification, VersionExpiration, Versioning},
};

use super::{Plan, Properties, lambda};
use crate::{
    problems::Problems,
    template::{Resolved, Resource, attributes::function_arn, join},
};

/// A bucket policy and the bucket that it is for.
pub(super) struct BucketPolicy {
    path: String,
    bucket: String,
    document: PolicyDocument,
}

pub(super) fn bucket(resource: &Resource, mut properties: Properties<'_>) -> BucketSpec {
    // One user on one machine: nothing is public, and nothing is encrypted beyond the disk.
    properties.ignore(&[
        "BucketEncryption",
        "BucketName",
        "OwnershipControls",
        "PublicAccessBlockConfiguration",
        "Tags",
    ]);
    let name = resource.reference.clone();
    let allowed = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || ".-".contains(char);
    if !(3..=63).contains(&name.len()) || !name.chars().all(allowed) {
        properties.report(
            "BucketName",
            "Bucket name must be 3 to 63 lower-case letters, digits, dots and hyphens",
        );
    }
    let mut notifications = Vec::new();
    if let Some(mut configuration) = properties.nested("NotificationConfiguration") {
        for notification in configuration.list("LambdaConfigurations") {
            notifications.push(function_notification(notification));
        }
    }
    let mut rules = Rules::default();
    if let Some(mut configuration) = properties.nested("LifecycleConfiguration") {
        for rule in configuration.list("Rules") {
            rules.add(rule);
        }
    }
    let versioning = properties.nested("VersioningConfiguration");
    BucketSpec {
        name,
        notifications,
        policy: None,
        expirations: rules.objects,
        upload_expirations: rules.uploads,
        versioning: versioning.and_then(self::versioning),
        version_expirations: rules.versions,
    }
}

fn versioning(mut properties: Properties<'_>) -> Option<Versioning> {
    properties.require("Status");
    let status = properties.one_of("Status", &["Enabled", "Suspended"])?;
    Some(match status.as_str() {
        "Enabled" => Versioning::Enabled,
        _ => Versioning::Suspended,
    })
}

fn function_notification(mut properties: Properties<'_>) -> FunctionNotification {
    let mut notification = FunctionNotification {
        event: properties.required_text("Event"),
        function_arn: function_arn(&properties.required_text("Function")),
        prefix: String::new(),
        suffix: String::new(),
    };
    let mut filter = properties.nested("Filter");
    let mut key = filter.as_mut().and_then(|filter| filter.nested("S3Key"));
    for mut rule in key.iter_mut().flat_map(|key| key.list("Rules")) {
        let value = rule.required_text("Value");
        match rule.required_text("Name").to_lowercase().as_str() {
            "prefix" => notification.prefix = value,
            "suffix" => notification.suffix = value,
            _ => rule.report("Name", "filter rule name must be either prefix or suffix"),
        }
    }
    notification
}

/// What the rules of a bucket's life cycle remove.
#[derive(Default)]
struct Rules {
    objects: Vec<Expiration>,
    uploads: Vec<Expiration>,
    versions: Vec<VersionExpiration>,
}

impl Rules {
    /// Reads what a rule says of objects, of uploads and of old versions.
    fn add(&mut self, mut rule: Properties<'_>) {
        rule.ignore(&["Id"]);
        let is_enabled = rule.one_of("Status", &["Enabled", "Disabled"]).as_deref() == Some("Enabled");
        let prefix = rule.text("Prefix").unwrap_or_default();
        let days = rule.integer("ExpirationInDays", 1..=u32::MAX);
        let lone_markers = rule.flag("ExpiredObjectDeleteMarker").unwrap_or(false);
        let mut upload_days = None;
        if let Some(mut uploads) = rule.nested("AbortIncompleteMultipartUpload") {
            uploads.require("DaysAfterInitiation");
            upload_days = uploads.integer("DaysAfterInitiation", 1..=u32::MAX);
        }
        let mut noncurrent_days = rule.integer("NoncurrentVersionExpirationInDays", 1..=u32::MAX);
        let mut kept_versions = 0;
        if let Some(mut versions) = rule.nested("NoncurrentVersionExpiration") {
            versions.require("NoncurrentDays");
            noncurrent_days = versions.integer("NoncurrentDays", 1..=u32::MAX);
            kept_versions = versions.integer("NewerNoncurrentVersions", 1..=100).unwrap_or(0);
        }
        if days.is_some() && lone_markers {
            rule.report(
                "ExpiredObjectDeleteMarker",
                "cannot be specified with ExpirationInDays",
            );
        }
        if !is_enabled {
            return;
        }
        let after = |days| Expiration {
            prefix: prefix.clone(),
            days,
        };
        self.objects.extend(days.map(after));
        self.uploads.extend(upload_days.map(after));
        if noncurrent_days.is_some() || lone_markers {
            self.versions.push(VersionExpiration {
                prefix,
                noncurrent_days,
                kept_versions,
                lone_markers,
            });
        }
    }
}

pub(super) fn bucket_policy(mut properties: Properties<'_>) -> BucketPolicy {
    let document = properties.required_json("PolicyDocument");
    if let Err(reason) = Iam::validate_resource_policy(&document) {
        properties.report("PolicyDocument", &reason);
    }
    BucketPolicy {
        path: properties.path.clone(),
        bucket: properties.required_text("Bucket"),
        document,
    }
}

pub(super) fn attach_policies(buckets: &mut [BucketSpec], policies: Vec<BucketPolicy>, problems: &Problems) {
    for policy in policies {
        match buckets.iter_mut().find(|bucket| bucket.name == policy.bucket) {
            Some(bucket) if bucket.policy.is_none() => bucket.policy = Some(policy.document),
            Some(_) => problems.report(policy.path, "the bucket has a policy already"),
            None => problems.report(
                join(&policy.path, "Bucket"),
                format!("the bucket {} is not in this stack", policy.bucket),
            ),
        }
    }
}

/// Refuses a notification as S3 does when the bucket may not invoke the function, or not yet:
/// a permission that the bucket does not depend on may be made after it.
pub(super) fn check_permissions(resolved: &Resolved, plan: &Plan, problems: &Problems) {
    for resource in resolved.resources.values() {
        let Some(bucket) = (plan.buckets.iter())
            .filter(|_| resource.type_name == "AWS::S3::Bucket")
            .find(|bucket| bucket.name == resource.reference)
        else {
            continue;
        };
        for notification in &bucket.notifications {
            let permitted = resolved
                .resources
                .values()
                .filter(|it| it.type_name == "AWS::Lambda::Permission")
                .filter(|it| resolved.depends_on(&resource.logical_id, &it.logical_id))
                .any(|it| {
                    let unheard = Problems::default();
                    let permission = lambda::permission(Properties::of(it, &unheard));
                    permits(&permission, bucket, &notification.function_arn)
                });
            if !permitted {
                problems.report(
                    join(&resource.path(), "Properties.NotificationConfiguration"),
                    format!(
                        "Unable to validate the following destination configurations: {} (the bucket must depend on an AWS::Lambda::Permission for it)",
                        notification.function_arn
                    ),
                );
            }
        }
    }
}

fn permits(permission: &PermissionSpec, bucket: &BucketSpec, called_arn: &str) -> bool {
    let bucket_arn = format!("arn:aws:s3:::{}", bucket.name);
    let matches_arn = |pattern: &String| match pattern.split_once('*') {
        Some((start, _)) => bucket_arn.starts_with(start),
        None => *pattern == bucket_arn,
    };
    function_arn(&permission.function_name) == called_arn
        && ["lambda:InvokeFunction", "lambda:*"].contains(&permission.action.as_str())
        && permission.principal == "s3.amazonaws.com"
        && permission.source_arn.as_ref().is_none_or(matches_arn)
        && permission
            .source_account
            .as_ref()
            .is_none_or(|account| account == ACCOUNT_ID)
}
