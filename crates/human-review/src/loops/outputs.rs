//! Where the output of loops goes: into the review bucket, or as the flow definition that the API made says.

use active_learning_aws::bucket::{Bucket, BucketError, Created, JSON};
use active_learning_aws::role::s3_as;
use aws_config::SdkConfig;
use serde_json::Value;

use super::{LoopError, Loops};
use crate::human_loop::{HumanLoop, Status};
use crate::output::{Answer, output_document, output_key};

/// S3's codes that say that an output will not be taken later either.
const DEFINITE: [&str; 4] = [
    "AccessDenied",
    "NoSuchBucket",
    "PermanentRedirect",
    "InvalidBucketName",
];

/// Name of the sessions in which outputs are written, in the account's logs.
const SESSION_NAME: &str = "human-review";

/// The buckets of outputs.
#[derive(Debug, Clone)]
pub(super) struct Outputs {
    own: Bucket,
    /// Assumes the roles of flow definitions.
    sdk: Option<SdkConfig>,
}

impl Outputs {
    pub(super) fn new(own: Bucket) -> Self {
        Self { own, sdk: None }
    }

    /// Returns the bucket of a loop's output, with the rights of its flow definition's role.
    async fn of(&self, human_loop: &HumanLoop) -> Result<Bucket, LoopError> {
        let Some(flow) = &human_loop.flow else {
            return Ok(self.own.clone());
        };
        let Some(sdk) = &self.sdk else {
            return Ok(self.own.other(&flow.output_bucket));
        };
        let client = s3_as(sdk, &flow.role_arn, SESSION_NAME).await;
        let client = client.map_err(|error| LoopError::Output {
            uri: format!("s3://{}/{}", flow.output_bucket, flow.output_prefix),
            reason: error.to_string(),
        })?;
        Ok(Bucket::new(client, &flow.output_bucket))
    }
}

impl Loops {
    /// Writes outputs elsewhere with the rights of the roles that flow definitions name.
    #[must_use]
    pub fn assuming_roles(mut self, sdk: SdkConfig) -> Self {
        self.outputs.sdk = Some(sdk);
        self
    }

    /// Writes the answers of a loop that ends; those so far where it expired or was stopped before all were
    /// in. An answer that was taken is a vote. Returns whether nobody had written them before, as far as that is known.
    pub(super) async fn write_output(
        &self,
        human_loop: &HumanLoop,
        at_hand: &[(&str, &Answer)],
    ) -> Result<bool, LoopError> {
        if human_loop.answers.is_empty() || human_loop.is_of_labelling_job() {
            return Ok(true);
        }
        let input = self.input_now(human_loop).await?;
        let answers = self.records.answers(human_loop, at_hand).await?;
        let flow = human_loop.flow_arn(&self.flow_definition_arn);
        let document = output_document(flow, &human_loop.name, input, &answers);
        let key = output_key(&self.flow_definition_arn, human_loop);
        let bucket = self.outputs.of(human_loop).await?;

        let written = match human_loop.status {
            // Once: a second attempt would bring the same bytes.
            Status::Completed => {
                let created = bucket.create(&key, JSON, document).await;
                created.map(|created| created == Created::Created)
            }
            // Also over those of an attempt that lost a race.
            _ => bucket.put(&key, JSON, document).await.map(|()| true),
        };
        written.map_err(|error| failed(error, human_loop, &bucket, &key))
    }

    /// Writes what a reviewer corrected after the end of a loop, beside its output.
    pub(super) async fn write_correction(
        &self,
        human_loop: &HumanLoop,
        key: &str,
        document: String,
    ) -> Result<(), LoopError> {
        let bucket = self.outputs.of(human_loop).await?;
        let written = bucket.create(key, JSON, document).await.map(drop);
        written.map_err(|error| failed(error, human_loop, &bucket, key))
    }

    /// Reads the latest correction of one reviewer, whose keys begin so.
    pub(super) async fn latest_correction(
        &self,
        human_loop: &HumanLoop,
        prefix: &str,
    ) -> Result<Option<Value>, LoopError> {
        if human_loop.status.is_in_flight() || human_loop.is_of_labelling_job() {
            return Ok(None);
        }
        let bucket = self.outputs.of(human_loop).await?;
        Ok(match bucket.list(prefix).await?.last() {
            Some(last) => bucket.read_document(&last.key).await?,
            None => None,
        })
    }
}

/// Returns what a write that failed means: an output of somebody else's bucket that is refused for good ends its loop.
fn failed(error: BucketError, human_loop: &HumanLoop, bucket: &Bucket, key: &str) -> LoopError {
    match error.code().filter(|code| DEFINITE.contains(code)) {
        Some(code) if human_loop.flow.is_some() => LoopError::Output {
            uri: bucket.uri(key),
            reason: code.to_owned(),
        },
        _ => error.into(),
    }
}
