//! Which model the endpoint runs: asked seldom, and never in the way of an answer.

use std::time::Duration;

use lambda_runtime::tracing::debug;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::{classifier::Classifier, failure::Refusal};

/// How long an answer, also that there is none, is remembered.
const RETENTION: Duration = Duration::from_secs(60);

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The ARN of the model behind an endpoint; of a hosted one that of its endpoint.
#[derive(Debug)]
pub struct ModelArn {
    classifier: Classifier,
    known: Mutex<Option<(Instant, Option<String>)>>,
}

impl ModelArn {
    /// Asks about the model of a classifier.
    pub fn new(classifier: Classifier) -> Self {
        Self {
            classifier,
            known: Mutex::default(),
        }
    }

    /// Returns the ARN, or nothing when the service does not say.
    pub async fn get(&self) -> Option<String> {
        if let Classifier::Hosted(model) = &self.classifier {
            return Some(model.endpoint_arn().to_owned());
        }
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

    /// Asks now, whatever is remembered. A hosted model counts only if it answers.
    pub async fn describe(&self) -> Option<String> {
        let (client, endpoint_arn) = match &self.classifier {
            Classifier::Comprehend {
                client, endpoint_arn, ..
            } => (client, endpoint_arn),
            Classifier::Hosted(model) => {
                let answers = timeout(TIMEOUT, model.answers()).await.unwrap_or(false);
                return answers.then(|| model.endpoint_arn().to_owned());
            }
        };
        let call = Box::pin(client.describe_endpoint().endpoint_arn(endpoint_arn).send());
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
