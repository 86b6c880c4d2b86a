//! The storage services over a state folder of their own.

use std::{path::PathBuf, sync::Arc};

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use axum::{Router, body::Body};
use http::Request;
use local_aws::{
    iam::Iam,
    invocation_queue::InvocationQueue,
    s3::{BucketSpec, FunctionNotification, S3},
    store::Store,
    transport::sdk_config,
};
use serde_json::Value;

pub const REGION: &str = "us-east-1";

pub struct Storage {
    services: Option<Services>,
    folder: tempfile::TempDir,
}

pub struct Services {
    pub iam: Arc<Iam>,
    pub queue: InvocationQueue,
    pub s3: S3,
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
        let s3 = self.services().s3.clone();
        Router::new()
            .fallback(move |request: Request<Body>| async move { s3.handle(request).await })
    }

    pub fn config_as(&self, access_key: &str, secret: &str) -> SdkConfig {
        sdk_config(
            self.router(),
            Credentials::from_keys(access_key, secret, None),
        )
    }

    pub fn s3_as(&self, access_key: &str, secret: &str) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.config_as(access_key, secret))
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        self.s3_as("test", "test")
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
        let s3 = S3::new(store, iam.clone(), queue.clone(), REGION.into()).expect("s3");
        Self { iam, queue, s3 }
    }
}
