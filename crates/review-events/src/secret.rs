//! The secret of the webhook, which an operator may replace at any time.

use std::time::Duration;

use active_learning_aws::failure::Refusal;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use tokio::{sync::Mutex, time::Instant};

use crate::signature::{InvalidSecret, SigningKey};

/// How long a key is used before the secret is looked at again.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// A key that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager does not answer.
    #[error("the secret of the webhook could not be read")]
    Read(#[source] Refusal),
    /// It is no key.
    #[error(transparent)]
    Invalid(#[from] InvalidSecret),
}

/// A secret of Secrets Manager.
#[derive(Debug)]
pub struct Secret {
    client: Client,
    arn: String,
    kept: Mutex<Option<(Instant, SigningKey)>>,
}

impl Secret {
    /// Reads the secret of this ARN, when it is needed.
    pub fn new(sdk: &SdkConfig, arn: String) -> Self {
        Self {
            client: Client::new(sdk),
            arn,
            kept: Mutex::new(None),
        }
    }

    /// Returns the key, not older than five minutes.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub async fn key(&self, now: Instant) -> Result<SigningKey, SecretError> {
        let mut kept = self.kept.lock().await;
        if let Some((read_at, key)) = kept.as_ref()
            && now.duration_since(*read_at) < KEPT_FOR
        {
            return Ok(key.clone());
        }
        let secret = self.client.get_secret_value().secret_id(&self.arn).send().await;
        let secret = secret.map_err(|error| SecretError::Read(error.into()))?;
        let key = SigningKey::read(secret.secret_string().unwrap_or_default())?;
        *kept = Some((now, key.clone()));
        Ok(key)
    }
}
