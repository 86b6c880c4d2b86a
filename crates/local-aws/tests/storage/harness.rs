//! The storage services over a state folder of their own.

use std::{path::PathBuf, sync::Arc};

use aws_credential_types::Credentials;
use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use aws_types::SdkConfig;
use axum::{Router, body::Body};
use http::Request;
use local_aws::{
    faults::Faults,
    firehose::{DeliveryStreamSpec, Firehose},
    iam::{Iam, Principal, RoleSpec},
    invocation_queue::InvocationQueue,
    s3::{BucketSpec, FunctionNotification, S3},
    secretsmanager::SecretsManager,
    store::Store,
    transport::sdk_config,
};
use serde_json::{Value, json};

pub const REGION: &str = "us-east-1";

pub struct Storage {
    services: Option<Services>,
    folder: tempfile::TempDir,
}

pub struct Services {
    pub store: Arc<Store>,
    pub iam: Arc<Iam>,
    pub queue: InvocationQueue,
    pub s3: S3,
    pub firehose: Firehose,
    pub secrets: SecretsManager,
}

impl Storage {
    /// One bucket, `bucket`, that tells nobody.
    pub fn with_bucket() -> Self {
        Self::notifying(Vec::new())
    }

    /// One bucket, `bucket`, with notifications.
    pub fn notifying(notifications: Vec<FunctionNotification>) -> Self {
        Self::with(BucketSpec {
            name: "bucket".into(),
            notifications,
            ..BucketSpec::default()
        })
    }

    pub fn with(bucket: BucketSpec) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let services = Services::open(&folder);
        services.s3.put_bucket(bucket).expect("bucket");
        Self {
            services: Some(services),
            folder,
        }
    }

    /// Forgets everything in memory, as a killed process does, and starts again.
    pub fn reopen(&mut self) {
        self.services = None;
        self.services = Some(Services::open(&self.folder));
    }

    pub fn services(&self) -> &Services {
        self.services.as_ref().expect("open")
    }

    pub fn router(&self) -> Router {
        let Services {
            s3,
            firehose,
            secrets,
            ..
        } = self.services();
        let (s3, firehose, secrets) = (s3.clone(), firehose.clone(), secrets.clone());
        Router::new().fallback(move |mut request: Request<Body>| async move {
            let target = request.headers().get("x-amz-target").cloned();
            // As the gateway does for all but S3.
            request.extensions_mut().insert(Principal::Root);
            match target.as_ref().and_then(|target| target.to_str().ok()) {
                Some(target) if target.starts_with("Firehose") => firehose.handle(request).await,
                Some(_) => secrets.handle(request).await,
                None => s3.handle(request).await,
            }
        })
    }

    /// Makes a role with these statements and returns an S3 client with its credentials.
    pub fn s3_as_role(&self, name: &str, statements: Value) -> aws_sdk_s3::Client {
        let arn = self.put_role(name, statements);
        let keys = self.services().iam.role_credentials(&arn).expect("role");
        let token = Some(keys.session_token);
        let credentials = Credentials::from_keys(keys.access_key_id, keys.secret_access_key, token);
        aws_sdk_s3::Client::new(&sdk_config(self.router(), credentials))
    }

    /// Makes, or replaces, a role with these statements and returns its ARN.
    pub fn put_role(&self, name: &str, statements: Value) -> String {
        let arn = format!("arn:aws:iam::000000000000:role/{name}");
        let role = RoleSpec {
            name: name.into(),
            arn: arn.clone(),
            trust_policy: json!({"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": "firehose.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }]}),
            policies: vec![json!({"Version": "2012-10-17", "Statement": statements})],
        };
        self.services().iam.put_role(role).expect("role");
        arn
    }

    pub fn config_as(&self, access_key: &str, secret: &str) -> SdkConfig {
        sdk_config(self.router(), Credentials::from_keys(access_key, secret, None))
    }

    pub fn s3_as(&self, access_key: &str, secret: &str) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.config_as(access_key, secret))
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        self.s3_as("test", "test")
    }

    pub fn firehose(&self) -> aws_sdk_firehose::Client {
        aws_sdk_firehose::Client::new(&self.config_as("test", "test"))
    }

    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.config_as("test", "test"))
    }

    pub async fn put(&self, key: &str, body: &[u8]) {
        let body = ByteStream::from(body.to_vec());
        let put = self.s3().put_object().bucket("bucket").key(key).body(body);
        put.send().await.expect("put");
    }

    pub async fn get(&self, key: &str) -> Vec<u8> {
        let get = self.s3().get_object().bucket("bucket").key(key);
        let body = get.send().await.expect("get").body;
        body.collect().await.expect("body").to_vec()
    }

    /// Keys and bodies of the objects under a prefix.
    pub async fn objects(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let s3 = self.s3();
        let list = s3.list_objects_v2().bucket("bucket").prefix(prefix);
        let mut objects = Vec::new();
        for object in list.send().await.expect("list").contents() {
            let key = object.key().expect("key");
            let got = s3.get_object().bucket("bucket").key(key).send().await;
            let body = got.expect("get").body.collect().await.expect("body");
            objects.push((key.to_owned(), body.to_vec()));
        }
        objects
    }

    /// Records of the events that wait for their functions, oldest first.
    pub fn events(&self) -> Vec<Value> {
        let queued = self.services().queue.list().expect("queue");
        queued
            .into_iter()
            .flat_map(|(_, event)| {
                let payload: Value = serde_json::from_str(&event.payload).expect("JSON");
                payload["Records"].as_array().expect("records").clone()
            })
            .collect()
    }

    pub fn blobs(&self) -> PathBuf {
        self.folder.path().join("blobs")
    }

    pub fn blob_count(&self) -> usize {
        std::fs::read_dir(self.blobs()).expect("blobs").count()
    }
}

impl Services {
    fn open(folder: &tempfile::TempDir) -> Self {
        let store = Arc::new(Store::open(folder.path()).expect("store"));
        let iam = Arc::new(Iam::default());
        let queue = InvocationQueue::new(store.clone());
        let s3 = S3::new(store.clone(), iam.clone(), queue.clone(), REGION.into()).expect("s3");
        let firehose = Firehose::new(
            store.clone(),
            iam.clone(),
            s3.clone(),
            REGION.into(),
            Faults::default(),
        );
        let secrets = SecretsManager::new(store.clone(), iam.clone(), REGION.into());
        Self {
            store,
            iam,
            queue,
            s3,
            firehose: firehose.expect("firehose"),
            secrets: secrets.expect("secrets"),
        }
    }
}

/// A stream into `bucket` that flushes at one MiB or after 900 seconds.
pub fn stream() -> DeliveryStreamSpec {
    DeliveryStreamSpec {
        name: "feedback-stream".into(),
        role_arn: "arn:aws:iam::000000000000:role/delivery".into(),
        bucket_arn: "arn:aws:s3:::bucket".into(),
        prefix: "feedback/".into(),
        error_output_prefix: String::new(),
        buffer_seconds: 900,
        buffer_mebibytes: 1,
        gzip: false,
        delimiter: None,
        file_extension: None,
    }
}

/// Bytes that differ from place to place, so that a wrong range shows.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

/// The code by which clients tell errors apart.
pub fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.code().unwrap_or("none")
}
