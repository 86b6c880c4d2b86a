//! Where the output of loops goes: into the review bucket, or as the flow definition that the API made says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use active_learning_aws::bucket::{Bucket, BucketError, Created, JSON};
use active_learning_aws::failure::chain;
use active_learning_aws::role::s3_as;
use aws_config::SdkConfig;
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::ending::Delivery;
use super::{LoopError, Loops};
use crate::erased_items::forget_erased;
use crate::human_loop::{HumanLoop, LoopFlow, Status};
use crate::output::{output_document, output_key};

/// A bucket or a role that failed is left alone for so long: reviewers do not wait for it at each of their steps.
const PAUSE: Duration = Duration::seconds(30);

/// Name of the sessions in which outputs are written, in the account's logs.
const SESSION_NAME: &str = "human-review";

/// The buckets of outputs.
#[derive(Debug, Clone)]
pub(super) struct Outputs {
    own: Bucket,
    /// Assumes the roles of flow definitions.
    sdk: Option<SdkConfig>,
    /// When a bucket could not be written last, by its name.
    failed: Arc<Mutex<BTreeMap<String, DateTime<Utc>>>>,
}

impl Outputs {
    pub(super) fn new(own: Bucket) -> Self {
        Self {
            own,
            sdk: None,
            failed: Arc::default(),
        }
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
        let client = client.map_err(|error| {
            let (uri, reason) = (folder(flow), error.to_string());
            match error.is_definite() {
                true => LoopError::Output { uri, reason },
                false => LoopError::OutputLater { uri, reason },
            }
        })?;
        Ok(Bucket::new(client, &flow.output_bucket))
    }

    /// Refuses to write where that failed a moment ago.
    fn check_pause(&self, human_loop: &HumanLoop, now: DateTime<Utc>) -> Result<(), LoopError> {
        let Some(flow) = &human_loop.flow else {
            return Ok(());
        };
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let failed_at = failed.get(&flow.output_bucket);
        match failed_at.is_some_and(|at| (*at..*at + PAUSE).contains(&now)) {
            true => Err(LoopError::OutputLater {
                uri: folder(flow),
                reason: "it failed a moment ago".to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// Notes whether an output could be written.
    fn note<T>(&self, human_loop: &HumanLoop, written: &Result<T, LoopError>, now: DateTime<Utc>) {
        let Some(flow) = &human_loop.flow else {
            return;
        };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match written {
            Err(LoopError::OutputLater { .. }) => drop(failed.insert(flow.output_bucket.clone(), now)),
            _ => drop(failed.remove(&flow.output_bucket)),
        }
    }
}

fn folder(flow: &LoopFlow) -> String {
    format!("s3://{}/{}", flow.output_bucket, flow.output_prefix)
}

impl Loops {
    /// Writes outputs elsewhere with the rights of the roles that flow definitions name.
    #[must_use]
    pub fn assuming_roles(mut self, sdk: SdkConfig) -> Self {
        self.outputs.sdk = Some(sdk);
        self
    }

    /// Writes the answers of a loop that has ended; those so far where it expired or was stopped before all were
    /// in. An answer that was taken is a vote. Returns whether its end is to be told: nobody had written them before, as far
    /// as that is known.
    pub(super) async fn write_output(
        &self,
        human_loop: &HumanLoop,
        delivery: Delivery,
        now: DateTime<Utc>,
    ) -> Result<bool, LoopError> {
        if !human_loop.has_output() {
            return Ok(delivery.is_first());
        }
        self.outputs.check_pause(human_loop, now)?;
        let input = self.input_now(human_loop).await?;
        let mut answers = self.records.answers(human_loop).await?;
        // Of a text that was erased since it was answered, nothing is told.
        for content in answers
            .iter_mut()
            .filter_map(|answer| answer.content.as_object_mut())
        {
            forget_erased(content, &input);
        }
        let flow = human_loop.flow_arn(&self.flow_definition_arn);
        let input = self.input_written(human_loop, input).await?;
        let document = output_document(flow, &human_loop.name, &input, &answers);

        let written = self.put_output(human_loop, delivery, document).await;
        self.outputs.note(human_loop, &written, now);
        written
    }

    async fn put_output(
        &self,
        human_loop: &HumanLoop,
        delivery: Delivery,
        document: String,
    ) -> Result<bool, LoopError> {
        let key = output_key(&self.flow_definition_arn, human_loop);
        let bucket = self.outputs.of(human_loop).await?;
        let written = match (human_loop.status, delivery) {
            // Also over those of a process of the version before, which wrote them before the end was decided.
            (Status::Failed | Status::Stopped, Delivery::First) => {
                bucket.put(&key, JSON, document).await.map(|()| true)
            }
            // Once: a second attempt would bring the same bytes.
            _ => {
                let created = bucket.create(&key, JSON, document).await;
                created.map(|created| created == Created::Created)
            }
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

    /// Reads the latest correction of one reviewer, whose keys begin so. A role that may write there need not be one that may
    /// read.
    pub(super) async fn latest_correction(
        &self,
        human_loop: &HumanLoop,
        prefix: &str,
    ) -> Result<Option<Value>, LoopError> {
        if human_loop.status.is_in_flight() || human_loop.is_of_labelling_job() {
            return Ok(None);
        }
        let bucket = self.outputs.of(human_loop).await?;
        let refused = |error: BucketError| failed(error, human_loop, &bucket, prefix);
        match bucket.list(prefix).await.map_err(refused)?.last() {
            Some(last) => bucket.read_document(&last.key).await.map_err(refused),
            None => Ok(None),
        }
    }
}

/// Returns what it means that an output could not be written, or what is beside it not be read: an output that somebody
/// else's bucket refuses for good ends its loop.
fn failed(error: BucketError, human_loop: &HumanLoop, bucket: &Bucket, key: &str) -> LoopError {
    if human_loop.flow.is_none() {
        return error.into();
    }
    let uri = bucket.uri(key);
    match error.code() {
        Some(code) if error.is_definite() => LoopError::Output {
            uri,
            reason: code.to_owned(),
        },
        _ => LoopError::OutputLater {
            uri,
            reason: chain(&error),
        },
    }
}
