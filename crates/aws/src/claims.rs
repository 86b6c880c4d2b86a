//! Claims in S3: who of several runs may do something once.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata},
    primitives::ByteStream,
};
use serde::{Deserialize, Serialize};

/// Claims by conditional writes below `claims/` of a bucket.
///
/// A claim names its owner, so that the owner recognises it when the same event comes again, and
/// everybody else leaves the matter alone.
#[derive(Clone, Debug)]
pub struct Claims {
    client: Client,
    bucket: String,
    retention: Duration,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claim {
    owner: String,
    claimed_at: chrono::DateTime<chrono::Utc>,
}

/// A claim that could not be made, read or given back.
#[derive(Debug, thiserror::Error)]
#[error("the claim {key} could not be made or given back")]
pub struct ClaimError {
    /// Key of the claim.
    pub key: String,
    /// What S3 answered.
    #[source]
    pub source: BoxError,
}

/// Outcome of one conditional write.
enum Write {
    Done,
    Exists,
}

impl Claims {
    /// Keeps claims in `bucket`; after `retention` a claim may be taken over.
    pub fn new(client: Client, bucket: String, retention: Duration) -> Self {
        Self {
            client,
            bucket,
            retention,
        }
    }

    /// Claims `name` for `owner` and returns whether it is the owner's.
    ///
    /// Idempotent: the owner may ask any number of times.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when S3 does not answer, or keeps answering that somebody else writes.
    pub async fn claim(&self, name: &str, owner: &str) -> Result<bool, ClaimError> {
        let key = format!("claims/{name}");
        self.try_claim(&key, owner)
            .await
            .map_err(|source| ClaimError { key, source })
    }

    async fn try_claim(&self, key: &str, owner: &str) -> Result<bool, BoxError> {
        for _ in 0..5 {
            if let Write::Done = self.write(key, owner, None).await? {
                return Ok(true);
            }
            let Some((claim, etag)) = read(&self.client, &self.bucket, key).await? else {
                continue; // It expired between the two calls.
            };
            let age = chrono::Utc::now().signed_duration_since(claim.claimed_at);
            if claim.owner == owner {
                return Ok(true);
            }
            if age.to_std().is_ok_and(|age| age < self.retention) || age < chrono::TimeDelta::zero() {
                return Ok(false);
            }
            if let Write::Done = self.write(key, owner, Some(etag)).await? {
                return Ok(true);
            }
        }
        Err("others kept writing it".into())
    }

    /// Writes the claim if there is none, or if the one with `replaces` as its ETag is still there.
    async fn write(&self, key: &str, owner: &str, replaces: Option<String>) -> Result<Write, BoxError> {
        let claim = Claim {
            owner: owner.to_owned(),
            claimed_at: chrono::Utc::now(),
        };
        let call = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(serde_json::to_vec(&claim)?));
        let call = match replaces {
            Some(etag) => call.if_match(etag),
            None => call.if_none_match("*"),
        };
        match call.send().await {
            Ok(_) => Ok(Write::Done),
            // 412: the condition does not hold. 409: another conditional write is under way.
            Err(error)
                if matches!(
                    error.code(),
                    Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")
                ) =>
            {
                Ok(Write::Exists)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Gives a claim back if it is the owner's, so that whoever comes next may claim the name.
///
/// # Errors
///
/// [`ClaimError`] when S3 does not answer.
pub async fn release(client: &Client, bucket: &str, name: &str, owner: &str) -> Result<(), ClaimError> {
    let key = format!("claims/{name}");
    let outcome = async {
        let claim = read(client, bucket, &key).await?;
        if claim.is_some_and(|(claim, _)| claim.owner == owner) {
            client.delete_object().bucket(bucket).key(&key).send().await?;
        }
        Ok(())
    };
    outcome.await.map_err(|source| ClaimError {
        key: key.clone(),
        source,
    })
}

/// Reads a claim and its ETag.
async fn read(client: &Client, bucket: &str, key: &str) -> Result<Option<(Claim, String)>, BoxError> {
    let answer = match client.get_object().bucket(bucket).key(key).send().await {
        Ok(answer) => answer,
        Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let etag = answer.e_tag().unwrap_or_default().to_owned();
    let body = answer.body.collect().await?.into_bytes();
    Ok(Some((serde_json::from_slice(&body)?, etag)))
}
