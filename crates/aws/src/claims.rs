//! Claims in S3: who of several runs may do something once.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata},
};
use serde::{Deserialize, Serialize};

use crate::objects;

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

impl Claim {
    fn of(owner: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            claimed_at: chrono::Utc::now(),
        }
    }

    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and times are always JSON")
    }
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
        Ok(self.claim_or_owner(name, owner).await? == owner)
    }

    /// Claims `name` for `owner` and returns whose it is.
    ///
    /// # Errors
    ///
    /// As [`Claims::claim`].
    pub async fn claim_or_owner(&self, name: &str, owner: &str) -> Result<String, ClaimError> {
        let key = format!("claims/{name}");
        self.try_claim(&key, owner)
            .await
            .map_err(|source| ClaimError { key, source })
    }

    /// Returns whose claim `name` is, if anybody's.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when S3 does not answer.
    pub async fn owner(&self, name: &str) -> Result<Option<String>, ClaimError> {
        let key = format!("claims/{name}");
        match read(&self.client, &self.bucket, &key).await {
            Ok(claim) => Ok(claim.map(|(claim, _)| claim.owner)),
            Err(source) => Err(ClaimError { key, source }),
        }
    }

    /// Returns whose claim `name` is while nobody else may take it over.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when S3 does not answer.
    pub async fn holder(&self, name: &str) -> Result<Option<String>, ClaimError> {
        let key = format!("claims/{name}");
        match read(&self.client, &self.bucket, &key).await {
            Ok(claim) => Ok(claim
                .filter(|(claim, _)| self.is_held(claim))
                .map(|(claim, _)| claim.owner)),
            Err(source) => Err(ClaimError { key, source }),
        }
    }

    fn is_held(&self, claim: &Claim) -> bool {
        let age = chrono::Utc::now().signed_duration_since(claim.claimed_at);
        age < chrono::TimeDelta::zero() || age.to_std().is_ok_and(|age| age < self.retention)
    }

    /// Makes the claim `name` that of `owner`, whoever had it.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when S3 does not answer.
    pub async fn hand_over(&self, name: &str, owner: &str) -> Result<(), ClaimError> {
        let key = format!("claims/{name}");
        let content = Claim::of(owner).to_json();
        let outcome = objects::put(&self.client, &self.bucket, &key, "application/json", content).await;
        outcome.map_err(|source| ClaimError { key, source })
    }

    async fn try_claim(&self, key: &str, owner: &str) -> Result<String, BoxError> {
        for _ in 0..5 {
            if self.write(key, owner, None).await? {
                return Ok(owner.to_owned());
            }
            let Some((claim, etag)) = read(&self.client, &self.bucket, key).await? else {
                continue; // It expired between the two calls.
            };
            if claim.owner == owner || self.is_held(&claim) {
                return Ok(claim.owner);
            }
            if self.write(key, owner, Some(&etag)).await? {
                return Ok(owner.to_owned());
            }
        }
        Err("others kept writing it".into())
    }

    /// Writes the claim if there is none, or if the one with `replaces` as its ETag is still there.
    async fn write(&self, key: &str, owner: &str, replaces: Option<&str>) -> Result<bool, BoxError> {
        let content = Claim::of(owner).to_json();
        objects::write_version(&self.client, &self.bucket, key, content, replaces).await
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

/// Gives a claim back whoever has it, so that whoever comes next may claim the name.
///
/// # Errors
///
/// [`ClaimError`] when S3 does not answer.
pub async fn withdraw(client: &Client, bucket: &str, name: &str) -> Result<(), ClaimError> {
    let key = format!("claims/{name}");
    let removed = objects::remove(client, bucket, &key).await;
    removed.map_err(|source| ClaimError { key, source })
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
