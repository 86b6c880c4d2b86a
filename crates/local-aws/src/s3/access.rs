//! Who calls, and whether the call is allowed.

use std::collections::BTreeMap;

use s3s::{
    S3Error, S3Request, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    path::S3Path,
    s3_error,
};

use super::{
    admission,
    backend::Backend,
    index::{self, Failure},
};
use crate::iam::{Call, Denied, PolicyDocument, Principal};

pub(super) fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

pub(super) fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// What an operation needs to be allowed.
enum Needs {
    Action(&'static str),
    /// Decided by the operation, for each object.
    EachObject,
}

/// Returns what an operation needs; `None` for the operations that are not implemented.
fn needs(operation: &str, is_of_version: bool) -> Option<Needs> {
    let action = match operation {
        "ListBuckets" => "s3:ListAllMyBuckets",
        "CreateBucket" => "s3:CreateBucket",
        "DeleteBucket" => "s3:DeleteBucket",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "s3:ListBucket",
        "PutBucketPolicy" => "s3:PutBucketPolicy",
        "GetBucketPolicy" => "s3:GetBucketPolicy",
        "DeleteBucketPolicy" => "s3:DeleteBucketPolicy",
        "GetBucketLocation" => "s3:GetBucketLocation",
        "GetBucketNotificationConfiguration" => "s3:GetBucketNotification",
        "PutBucketVersioning" => "s3:PutBucketVersioning",
        "GetBucketVersioning" => "s3:GetBucketVersioning",
        "ListObjectVersions" => "s3:ListBucketVersions",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "GetObject" | "HeadObject" if is_of_version => "s3:GetObjectVersion",
        "GetObject" | "HeadObject" => "s3:GetObject",
        "DeleteObject" if is_of_version => "s3:DeleteObjectVersion",
        "PutObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => "s3:PutObject",
        "DeleteObject" => "s3:DeleteObject",
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "ListParts" => "s3:ListMultipartUploadParts",
        "DeleteObjects" => return Some(Needs::EachObject),
        _ => return None,
    };
    Some(Needs::Action(action))
}

impl Backend {
    /// Decides a call by the caller's policies and the bucket's.
    pub(super) fn decide(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        context: &BTreeMap<String, String>,
        bucket: Option<&str>,
    ) -> Result<(), Denied> {
        let policy = match bucket.map(|name| self.policy(name)).transpose() {
            Ok(policy) => policy.flatten(),
            Err(reason) => {
                return Err(Denied {
                    principal: principal.caller_arn(),
                    action: action.to_owned(),
                    resource: resource.to_owned(),
                    reason: format!("because the bucket policy cannot be read: {reason}"),
                });
            }
        };
        self.iam.authorize(&Call {
            principal,
            action,
            resource,
            context,
            resource_policy: policy.as_ref(),
        })
    }

    fn policy(&self, bucket: &str) -> Result<Option<PolicyDocument>, redb::Error> {
        match index::bucket(&self.reader()?, bucket) {
            Ok(bucket) => Ok(bucket.spec.policy),
            Err(Failure::Refused(_)) => Ok(None),
            Err(Failure::Index(error)) => Err(error),
            Err(Failure::Disk(error)) => Err(error.into()),
        }
    }

    /// Decides a call on an object whose caller is known.
    pub(super) fn allow_object<T>(
        &self,
        request: &S3Request<T>,
        action: &str,
        bucket: &str,
        key: &str,
    ) -> S3Result<()> {
        let resource = object_arn(bucket, key);
        self.decide(
            caller(request)?,
            action,
            &resource,
            &BTreeMap::new(),
            Some(bucket),
        )
        .map_err(denied)
    }

    /// Decides whether a caller may know that an object is missing: those may that may list the bucket.
    pub(super) fn may_know<T>(&self, request: &S3Request<T>, bucket: &str) -> S3Result<()> {
        let resource = bucket_arn(bucket);
        self.decide(
            caller(request)?,
            "s3:ListBucket",
            &resource,
            &BTreeMap::new(),
            Some(bucket),
        )
        .map_err(denied)
    }
}

fn caller<T>(request: &S3Request<T>) -> S3Result<&Principal> {
    let caller = request.extensions.get::<Principal>();
    caller.ok_or_else(|| s3_error!(AccessDenied, "Access Denied"))
}

pub(super) fn denied(denied: Denied) -> S3Error {
    s3_error!(AccessDenied, "{denied}")
}

#[async_trait::async_trait]
impl S3Auth for Backend {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.iam.access_key(access_key) {
            Some((secret, _)) => Ok(SecretKey::from(secret)),
            None => Err(s3_error!(
                InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records."
            )),
        }
    }
}

#[async_trait::async_trait]
impl S3Access for Backend {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = context.s3_op().name();
        let is_of_version = parameter(context, "versionId").is_some();
        let Some(needs) = needs(operation, is_of_version) else {
            return Err(s3_error!(NotImplemented, "{operation} is not implemented"));
        };
        admission::check(context)?;
        let key = context.credentials().map(|credentials| &credentials.access_key);
        let known = key.and_then(|key| Some((key, self.iam.access_key(key)?.1)));
        let Some((key, principal)) = known else {
            return Err(s3_error!(AccessDenied, "Anonymous requests are not allowed"));
        };
        if !self.iam.has_session_token(key, session_token(context).as_deref()) {
            return Err(s3_error!(
                InvalidToken,
                "The provided token is malformed or otherwise invalid."
            ));
        }
        if self.iam.has_expired(key, chrono::Utc::now()) {
            return Err(s3_error!(ExpiredToken, "The provided token has expired."));
        }
        if let Needs::Action(action) = needs {
            let resource = match context.s3_path() {
                S3Path::Root => "arn:aws:s3:::*".to_owned(),
                S3Path::Bucket { bucket } => bucket_arn(bucket),
                S3Path::Object { bucket, key } => object_arn(bucket, key),
            };
            let conditions = conditions(context);
            let bucket = context.s3_path().get_bucket_name();
            self.decide(&principal, action, &resource, &conditions, bucket)
                .map_err(denied)?;
        }
        context.extensions_mut().insert(principal);
        Ok(())
    }
}

/// Returns the session token of a signed request, or of a presigned URL.
fn session_token(context: &S3AccessContext<'_>) -> Option<String> {
    let header = context.headers().get("x-amz-security-token");
    if let Some(token) = header {
        return token.to_str().ok().map(str::to_owned);
    }
    parameter(context, "X-Amz-Security-Token")
}

fn parameter(context: &S3AccessContext<'_>, wanted: &str) -> Option<String> {
    let query = context.uri().query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == wanted)
        .map(|(_, value)| value.into_owned())
}

/// Returns the condition keys of a call: the parameters of a listing, and the headers that make a call conditional.
fn conditions(context: &S3AccessContext<'_>) -> BTreeMap<String, String> {
    let query = context.uri().query().unwrap_or_default();
    let parameters = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| matches!(&**name, "prefix" | "delimiter" | "max-keys"))
        .map(|(name, value)| (format!("s3:{name}"), value.into_owned()));
    let headers = ["if-match", "if-none-match"].into_iter().filter_map(|name| {
        let value = context.headers().get(name)?.to_str().ok()?;
        Some((format!("s3:{name}"), value.to_owned()))
    });
    parameters.chain(headers).collect()
}
