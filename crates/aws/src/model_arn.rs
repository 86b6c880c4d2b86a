//! Which model the endpoint runs: asked seldom, and never in the way of an answer.

use std::time::Duration;

use aws_sdk_comprehend::Client;
use lambda_runtime::tracing::debug;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::failure::Refusal;

/// How long an answer, also that there is none, is remembered.
const RETENTION: Duration = Duration::from_secs(60);

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The ARN of the model behind an endpoint.
#[derive(Debug)]
pub struct ModelArn {
    client: Client,
    endpoint_arn: String,
    known: Mutex<Option<(Instant, Option<String>)>>,
}

impl ModelArn {
    /// Asks `client` about an endpoint.
    pub fn new(client: Client, endpoint_arn: String) -> Self {
        Self {
            client,
            endpoint_arn,
            known: Mutex::default(),
        }
    }

    /// Returns the ARN, or nothing when the service does not say.
    pub async fn get(&self) -> Option<String> {
        let mut known = self.known.lock().await;
        if let Some((since, arn)) = &*known
            && since.elapsed() < RETENTION
        {
            return arn.clone();
        }
        let arn = self.describe().await;
        *known = Some((Instant::now(), arn.clone()));
        arn
    }

    /// Asks now, whatever is remembered.
    pub async fn describe(&self) -> Option<String> {
        let call = self
            .client
            .describe_endpoint()
            .endpoint_arn(&self.endpoint_arn)
            .send();
        let answer = match timeout(TIMEOUT, call).await {
            Ok(answer) => answer.map_err(Refusal::from),
            Err(_) => Err(Refusal::no_answer_in_time()),
        };
        match answer {
            Ok(answer) => Some(answer.endpoint_properties()?.model_arn()?.to_owned()),
            Err(refusal) => {
                debug!(%refusal, "the model of the endpoint is unknown");
                None
            }
        }
    }
}
