//! Amazon S3.

use crate::iam::PolicyDocument;

/// A bucket of the template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BucketSpec {
    /// Bucket name, 3 to 63 characters.
    pub name: String,
    /// Functions to tell of new objects.
    pub notifications: Vec<FunctionNotification>,
    /// Bucket policy.
    pub policy: Option<PolicyDocument>,
    /// Objects under a prefix that expire.
    pub expirations: Vec<Expiration>,
}

/// One function notification (`LambdaConfigurations`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionNotification {
    /// For example `s3:ObjectCreated:*`.
    pub event: String,
    /// ARN of the function.
    pub function_arn: String,
    /// Keys start with it; empty for all.
    pub prefix: String,
    /// Keys end with it; empty for all.
    pub suffix: String,
}

/// One expiration rule of the bucket's life cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiration {
    /// Keys start with it; empty for all.
    pub prefix: String,
    /// Age in days after which an object is removed.
    pub days: u32,
}
