//! What a job does outside the review bucket: with the rights of its role, as Ground Truth does.

use std::time::Duration;

use active_learning_aws::bucket::{Bucket, BucketError, Created};
use active_learning_aws::failure::Refusal;
use active_learning_aws::role::assume;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::operation::invoke::{InvokeOutput, builders::InvokeFluentBuilder};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;
use tokio::time::timeout;

/// Name of the sessions, in the account's logs.
const SESSION_NAME: &str = "labelling-job";
/// How long a function may take.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection to Lambda may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Why something outside could not be had.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// It will not be had later either: the request, or a right, must be changed.
    #[error("{0}")]
    Definite(String),
    /// It may be had later.
    #[error("{0}")]
    Passing(String),
    /// It may be had later: the service asks to slow down.
    #[error("{0}")]
    Throttled(String),
}

/// The rights of a job's role.
#[derive(Debug)]
pub struct Access {
    s3: Bucket,
    lambda: Option<aws_sdk_lambda::Client>,
}

impl Access {
    /// Assumes a role; without a configuration of clients the service uses its own.
    ///
    /// # Errors
    ///
    /// [`AccessError::Definite`] where the role may not be assumed; whatever else STS answers, or does not, is passing.
    pub async fn of(own: &Bucket, sdk: Option<&SdkConfig>, role: &str) -> Result<Self, AccessError> {
        let Some(sdk) = sdk else {
            return Ok(Self {
                s3: own.clone(),
                lambda: None,
            });
        };
        let sdk = Box::pin(assume(sdk, role, SESSION_NAME))
            .await
            .map_err(|refused| match refused.is_definite() {
                true => AccessError::Definite(format!(
                    "{refused}: its trust policy must allow sts:AssumeRole to this service"
                )),
                false => AccessError::Passing(refused.to_string()),
            })?;
        Ok(Self {
            s3: Bucket::new(aws_sdk_s3::Client::new(&sdk), own.name()),
            lambda: Some(functions(&sdk)),
        })
    }

    /// Reads an object of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`AccessError`]; one that is not there is definite.
    pub async fn read(&self, uri: &str, limit: u64) -> Result<Vec<u8>, AccessError> {
        let (bucket, key) = self.place(uri)?;
        match bucket.read(key, limit).await {
            Ok(Some(object)) => Ok(object.bytes),
            Ok(None) => Err(AccessError::Definite(format!("{uri} does not exist"))),
            Err(error) => Err(of_bucket(&error)),
        }
    }

    /// Writes an object, over one that is there.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub async fn write(&self, uri: &str, media_type: &str, body: Vec<u8>) -> Result<(), AccessError> {
        let (bucket, key) = self.place(uri)?;
        bucket
            .put(key, media_type, body)
            .await
            .map_err(|error| of_bucket(&error))
    }

    /// Writes an object unless one is there.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub async fn write_once(
        &self,
        uri: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Result<Created, AccessError> {
        let (bucket, key) = self.place(uri)?;
        let created = bucket.create(key, media_type, body).await;
        created.map_err(|error| of_bucket(&error))
    }

    /// Invokes a function with a request, which is JSON, and waits for its answer.
    ///
    /// # Errors
    ///
    /// [`AccessError::Definite`] where it may not be invoked or does not exist; a function that fails is passing: it is
    /// tried again.
    pub async fn invoke(&self, function: &str, request: String) -> Result<Value, AccessError> {
        let call = |call: InvokeFluentBuilder| call.payload(Blob::new(request));
        let answer = self.call(function, call).await?;
        if answer.function_error.is_some() {
            // Its message may quote the object: what it says is in its own log.
            return Err(AccessError::Passing(format!(
                "{function} has failed: see its log"
            )));
        }
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        let reason = || AccessError::Passing(format!("{function} did not answer with JSON"));
        serde_json::from_slice(&payload).map_err(|_| reason())
    }

    /// Looks whether a function is there and may be invoked, and does not run it.
    ///
    /// # Errors
    ///
    /// As [`invoke`](Self::invoke).
    pub async fn may_invoke(&self, function: &str) -> Result<(), AccessError> {
        let call = |call: InvokeFluentBuilder| call.invocation_type(InvocationType::DryRun);
        self.call(function, call).await.map(drop)
    }

    async fn call(
        &self,
        function: &str,
        call: impl FnOnce(InvokeFluentBuilder) -> InvokeFluentBuilder,
    ) -> Result<InvokeOutput, AccessError> {
        let Some(lambda) = &self.lambda else {
            let reason = format!("{function} cannot be invoked: this service has no client of Lambda");
            return Err(AccessError::Definite(reason));
        };
        let call = call(lambda.invoke().function_name(function)).send();
        let answered = timeout(FUNCTION_TIMEOUT, call).await.map_err(|_| {
            let seconds = FUNCTION_TIMEOUT.as_secs();
            AccessError::Passing(format!("{function} did not answer within {seconds} s"))
        })?;
        answered.map_err(|error| {
            let refusal = Refusal::from(error);
            let reason = format!("{function} could not be invoked: {refusal}");
            match refusal.code.as_deref() {
                Some("AccessDeniedException" | "ResourceNotFoundException") => AccessError::Definite(reason),
                _ if refusal.is_throttling() => AccessError::Throttled(reason),
                _ => AccessError::Passing(reason),
            }
        })
    }

    fn place<'a>(&self, uri: &'a str) -> Result<(Bucket, &'a str), AccessError> {
        let (bucket, key) = split_uri(uri)
            .ok_or_else(|| AccessError::Definite(format!("{uri} is not s3:// with a bucket and a key")))?;
        if bucket == self.s3.name() {
            let reason = format!("{uri} is in the bucket of the review service: use one of your own");
            return Err(AccessError::Definite(reason));
        }
        Ok((self.s3.other(bucket), key))
    }
}

/// Makes a client of Lambda that waits for a function as long as it may take, and calls it once: what a function did
/// before it failed, or before the connection broke, is not done again at once.
fn functions(sdk: &SdkConfig) -> aws_sdk_lambda::Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(FUNCTION_TIMEOUT)
        .operation_attempt_timeout(FUNCTION_TIMEOUT)
        .operation_timeout(FUNCTION_TIMEOUT)
        .build();
    let config = aws_sdk_lambda::config::Builder::from(sdk)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    aws_sdk_lambda::Client::from_conf(config.build())
}

/// Returns bucket and key of a URI.
pub fn split_uri(uri: &str) -> Option<(&str, &str)> {
    let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

fn of_bucket(error: &BucketError) -> AccessError {
    match (error, error.code()) {
        (BucketError::TooLarge { .. }, _) => AccessError::Definite(error.to_string()),
        _ if error.is_throttling() => AccessError::Throttled(error.to_string()),
        (_, Some(code)) if error.is_definite() => AccessError::Definite(format!("{error} ({code})")),
        (_, Some(code)) => AccessError::Passing(format!("{error} ({code})")),
        (_, None) => AccessError::Passing(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;

    use super::*;

    #[test]
    fn a_function_has_its_minute_and_is_called_once_whatever_the_other_clients_do() {
        let short = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(10))
            .operation_timeout(Duration::from_secs(25))
            .build();
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .timeout_config(short)
            .retry_config(RetryConfig::standard())
            .build();

        let client = functions(&sdk);

        let config = client.config();
        let timeouts = config.timeout_config().expect("timeouts");
        assert_eq!(timeouts.operation_attempt_timeout(), Some(FUNCTION_TIMEOUT));
        assert_eq!(timeouts.operation_timeout(), Some(FUNCTION_TIMEOUT));
        let retries = config.retry_config().expect("a retry configuration");
        assert_eq!(retries.max_attempts(), 1);
    }
}
