//! Amazon S3: buckets and objects, durable, with function notifications.
//!
//! The protocol is the crate `s3s`; the storage is ours. The index is in the state folder's database,
//! data above 16 KiB is in blob files that are complete and synced before the index names them, so an
//! acknowledged object survives `kill -9` and a refused or broken upload leaves nothing.
//!
//! Differs from S3:
//! - No ACLs, tags, object locks, storage classes, KMS or customer keys: a request that needs one is refused,
//!   as is every operation, and every query parameter of an operation, that is not implemented (501 `NotImplemented`).
//!   What says what holds anyway is taken: the ACLs `private` and `bucket-owner-full-control`, the class `STANDARD`,
//!   and the encryption `AES256`, which is that of the disk here.
//! - Data is checked against its `ETag` where a whole object is read, and its length always; a reader of a damaged one
//!   does not get its end. Before the first part of a blob file is handed out, all of it is read and checked once.
//!   What was seen to be damaged is refused from then on (500 `InternalError`, with its name).
//! - Conditional writes are decided when the data has arrived, one at a time, so the loser of a race is
//!   told 412 `PreconditionFailed`, never 409 `ConditionalRequestConflict`.
//! - Notifications go to functions only.
//! - A listing without `encoding-type=url` holds a carriage return in a key as it is, so that XML readers
//!   take it for a line feed.
//! - Objects, old versions and uploads expire when they reach the age of their rule, not at the next midnight UTC.
//! - In a bucket that keeps versions `DeleteObject` takes either a version or a condition, and there is no MFA delete.

mod access;
mod admission;
mod backend;
mod blobs;
mod buckets;
mod checked;
mod checksum;
mod conditions;
mod damage;
mod deletion;
mod error;
mod events;
mod filled;
mod index;
mod lifecycle;
mod listing;
mod multipart;
mod objects;
mod operations;
mod unsupported;
mod versions;

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use chrono::{DateTime, Utc};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use redb::WriteTransaction;
use s3s::{
    S3Result,
    host::{S3Host, VirtualHost},
    service::{S3Service, S3ServiceBuilder},
};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;

use crate::{
    aws_error::xml_response,
    iam::{Denied, Iam, PolicyDocument, Principal},
    invocation_queue::InvocationQueue,
    store::Store,
};
use backend::Backend;
pub use damage::DamagedObject;
use events::Origin;

/// Longest object key, bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 1024;

/// Longest document of an error, bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// A bucket of the template.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BucketSpec {
    /// Bucket name, 3 to 63 characters.
    pub name: String,
    /// Functions to tell of new objects.
    pub notifications: Vec<FunctionNotification>,
    /// Bucket policy.
    pub policy: Option<PolicyDocument>,
    /// Objects under a prefix that expire.
    pub expirations: Vec<Expiration>,
    /// Uploads in parts under a prefix that are given up at that age (`AbortIncompleteMultipartUpload`).
    #[serde(default)]
    pub upload_expirations: Vec<Expiration>,
    /// Whether the bucket keeps what is written over or deleted. Without one it does not, unless it once did: then it
    /// keeps what there is, and no more.
    #[serde(default)]
    pub versioning: Option<Versioning>,
    /// Old versions under a prefix that expire.
    #[serde(default)]
    pub version_expirations: Vec<VersionExpiration>,
}

/// Whether a bucket keeps what is written over or deleted (`VersioningConfiguration`). A bucket that never had one
/// keeps nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// All of it.
    Enabled,
    /// What was kept before stays, and of what is written now the last.
    Suspended,
}

/// One function notification (`LambdaConfigurations`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiration {
    /// Keys start with it; empty for all.
    pub prefix: String,
    /// Age in days after which an object, or an upload, is removed.
    pub days: u32,
}

/// One rule of the bucket's life cycle about old versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionExpiration {
    /// Keys start with it; empty for all.
    pub prefix: String,
    /// Days after which a version is removed, from when a newer one came (`NoncurrentDays`).
    pub noncurrent_days: Option<u32>,
    /// Newest old versions that stay all the same (`NewerNoncurrentVersions`).
    pub kept_versions: u32,
    /// Whether a delete marker goes that hides no version (`ExpiredObjectDeleteMarker`).
    pub lone_markers: bool,
}

/// Why a bucket of the template cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The name breaks the rules of bucket names.
    #[error("{0} is not a bucket name")]
    Name(String),
    /// The policy uses what is not implemented.
    #[error("policy of bucket {0}: {1}")]
    Policy(String, String),
    /// The index failed.
    #[error("the index of the state folder failed")]
    Index(#[from] redb::Error),
}

/// Why an object could not be put on behalf of another service.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The bucket does not exist.
    #[error("the bucket {0} does not exist")]
    NoSuchBucket(String),
    /// The index failed.
    #[error("the index of the state folder failed")]
    Index(#[from] redb::Error),
    /// A blob file failed.
    #[error("a blob file of the state folder failed")]
    Disk(#[from] std::io::Error),
}

/// An object of another service, with its data on the disk, ready to be put in a transaction.
pub struct StagedObject {
    bucket: String,
    key: String,
    record: index::ObjectRecord,
    content: blobs::Content,
}

/// The service.
#[derive(Debug, Clone)]
pub struct S3 {
    backend: Backend,
    service: S3Service,
}

/// Gives an error that says only its code a message, as each of S3's has one.
async fn with_message(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_ERROR_BYTES)
        .await
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let Some(code) = between(&text, "<Code>", "</Code>").filter(|_| !text.contains("<Message>")) else {
        return Response::from_parts(head, Body::from(body));
    };
    let message = match code {
        "InternalError" => "We encountered an internal error. Please try again.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method."
        }
        "AccessDenied" => "Access Denied",
        "InvalidRange" => "The requested range is not satisfiable",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "NoSuchKey" => "The specified key does not exist.",
        "NoSuchBucket" => "The specified bucket does not exist",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "RequestTimeTooSkewed" => {
            "The difference between the request time and the server's time is too large."
        }
        _ => "The request is not one that the operation takes.",
    };
    let text = text.replacen("</Code>", &format!("</Code><Message>{message}</Message>"), 1);
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(text))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

/// Any host is the service's own but `<bucket>.localhost`, which names a bucket.
struct LocalHost;

impl S3Host for LocalHost {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.split_once(':').map_or(host, |(name, _)| name);
        let bucket = name.strip_suffix(".localhost").filter(|bucket| *bucket != "s3");
        let domain = VirtualHost::new("localhost");
        Ok(match bucket {
            Some(bucket) => domain.with_bucket(bucket),
            None => domain,
        })
    }
}

impl S3 {
    /// Opens the buckets in `store` and removes what a killed process left half done.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        queue: InvocationQueue,
        region: String,
    ) -> Result<Self, redb::Error> {
        let backend = Backend::open(store, iam, queue, region)?;
        let mut builder = S3ServiceBuilder::new(backend.clone());
        builder.set_auth(backend.clone());
        builder.set_access(backend.clone());
        builder.set_host(LocalHost);
        Ok(Self {
            backend,
            service: builder.build(),
        })
    }

    /// Makes a bucket, or gives it this configuration and keeps its objects.
    ///
    /// # Errors
    ///
    /// Names what of the configuration is wrong or not implemented.
    pub fn put_bucket(&self, spec: BucketSpec) -> Result<(), BucketError> {
        if !s3s::path::check_bucket_name(&spec.name) {
            return Err(BucketError::Name(spec.name));
        }
        if let Some(policy) = &spec.policy {
            Iam::validate_resource_policy(policy)
                .map_err(|problem| BucketError::Policy(spec.name.clone(), problem))?;
        }
        Ok(self.backend.put_bucket(spec)?)
    }

    /// Returns the names of the buckets that there are.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn bucket_names(&self) -> Result<Vec<String>, redb::Error> {
        self.backend.bucket_names()
    }

    /// Returns the objects that were seen to be damaged, at the start or where they were read, by bucket and key.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn damaged_objects(&self) -> Result<Vec<DamagedObject>, redb::Error> {
        self.backend.damaged_objects()
    }

    /// Waits until an object was seen to be damaged; not at all where one was that may still be.
    pub async fn damage_seen(&self) {
        self.backend.damage_seen().await;
    }

    /// Answers one request. Verifies its signature and its caller's rights.
    pub async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let request_id = format!("{:016X}", rand::random::<u64>());
        let is_head = request.method() == Method::HEAD;
        request.extensions_mut().insert(Origin {
            request_id: request_id.clone(),
        });
        let mut response = match admission::refused_signature(&request) {
            Some(refused) => refused,
            None => match unsupported::without_bucket_tags(request).await {
                Ok(request) => self.answer(request).await,
                Err(refused) => *refused,
            },
        };
        if response.status().is_client_error() || response.status().is_server_error() {
            response = with_message(response).await;
        }
        // The protocol crate says so of `GetObject` only.
        let is_of_part = response.headers().contains_key(header::CONTENT_RANGE);
        if is_head && is_of_part && response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if is_head || response.status() == StatusCode::NOT_MODIFIED {
            *response.body_mut() = Body::empty();
            if !response.status().is_success() {
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
        }
        let id = HeaderValue::from_str(&request_id).expect("hexadecimal digits");
        response.headers_mut().insert("x-amz-id-2", id.clone());
        response.headers_mut().insert("x-amz-request-id", id);
        response
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        match self.service.clone().oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                let error: s3s::StdError = error.into();
                tracing::error!(%error, "an S3 request could not be answered");
                let body = "<Error><Code>InternalError</Code></Error>".to_owned();
                xml_response(StatusCode::INTERNAL_SERVER_ERROR, body)
            }
        }
    }

    /// Removes the objects that have expired at `now`.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub async fn sweep(&self, now: DateTime<Utc>) -> Result<(), redb::Error> {
        self.backend.sweep(now).await
    }

    /// Sweeps at once and then every hour, for ever.
    pub async fn run(&self) {
        let mut hour = tokio::time::interval(Duration::from_secs(60 * 60));
        loop {
            hour.tick().await;
            if let Err(error) = self.sweep(Utc::now()).await {
                tracing::error!(%error, "expired objects could not be removed");
            }
        }
    }

    /// Decides whether `principal` may do `action` with an object, by its policies and the bucket's.
    ///
    /// # Errors
    ///
    /// [`Denied`], in the words AWS uses.
    pub fn authorize_object(
        &self,
        principal: &Principal,
        action: &str,
        bucket: &str,
        key: &str,
    ) -> Result<(), Denied> {
        let resource = access::object_arn(bucket, key);
        self.backend
            .decide(principal, action, &resource, &Default::default(), Some(bucket))
    }

    /// Writes the data of an object that another service is about to put. Blocks on the disk.
    ///
    /// # Errors
    ///
    /// [`PutError::Disk`].
    pub fn stage(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> Result<StagedObject, PutError> {
        self.backend.stage(bucket, key, content_type, bytes)
    }

    /// Puts an object, and the events it causes, as part of the caller's `transaction`.
    ///
    /// Call [`wake`](Self::wake) after its commit.
    ///
    /// # Errors
    ///
    /// [`PutError::NoSuchBucket`] and whatever index and disk report; do not commit then.
    pub fn put(&self, transaction: &WriteTransaction, object: StagedObject) -> Result<(), PutError> {
        self.backend.put_staged(transaction, object)
    }

    /// Tells the dispatcher that events were committed.
    pub fn wake(&self) {
        self.backend.queue.wake();
    }
}
