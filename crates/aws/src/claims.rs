//! Claims in S3: who of several runs may do something once.

use std::{str::FromStr, time::Duration};

use active_learning_core::keys;
use serde::{Deserialize, Serialize};

use crate::{
    backoff::Tries,
    bucket::{Bucket, BucketError, Created},
};

/// Claims by conditional writes below `claims/` of a bucket.
///
/// A claim names its owner, so that the owner recognises it when the same event comes again, and
/// everybody else leaves the matter alone.
#[derive(Clone, Debug)]
pub struct Claims {
    bucket: Bucket,
    retention: Duration,
}

/// How long claims count (`CLAIM_RETENTION_DAYS`): the least of some numbers of days, of which 0 says nothing. A claim that
/// outlived the question of its text would say that people are asked, and nothing would tell what they answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimRetention(Duration);

/// Why a setting was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected days, or several numbers of days separated by commas, one of them above 0, got `{0}`")]
pub struct NotARetention(String);

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

impl ClaimRetention {
    /// Returns the time for which a claim counts.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for ClaimRetention {
    type Err = NotARetention;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let days: Result<Vec<u32>, _> = text.split(',').map(|days| days.trim().parse()).collect();
        let least = days
            .ok()
            .and_then(|days| days.into_iter().filter(|days| *days > 0).min());
        let least = least.ok_or_else(|| NotARetention(text.to_owned()))?;
        Ok(Self(Duration::from_secs(u64::from(least) * SECONDS_A_DAY)))
    }
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

    /// Returns whether it is too old to count; one of the future, by another clock, is not.
    fn has_expired(&self, retention: Duration) -> bool {
        let age = chrono::Utc::now().signed_duration_since(self.claimed_at);
        age.to_std().is_ok_and(|age| age >= retention)
    }
}

/// A claim that could not be made, read or given back.
#[derive(Debug, thiserror::Error)]
#[error("a claim could not be made or given back")]
pub struct ClaimError(#[from] BucketError);

impl From<ClaimError> for BucketError {
    fn from(ClaimError(error): ClaimError) -> Self {
        error
    }
}

impl Claims {
    /// Keeps claims in `bucket`; after `retention` a claim may be taken over.
    pub fn new(bucket: Bucket, retention: Duration) -> Self {
        Self { bucket, retention }
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
        let key = keys::claim(name);
        let mut tries = Tries::default();

        while tries.again().await {
            let claim = Claim::of(owner);
            if self.bucket.create_document(&key, &claim).await? == Created::Created {
                return Ok(claim.owner);
            }

            let Some((found, etag)) = self.bucket.read_version::<Claim>(&key).await? else {
                continue; // It was given back between the two calls.
            };
            if found.owner == owner || !found.has_expired(self.retention) {
                return Ok(found.owner);
            }

            let taken_over = self.bucket.replace_document(&key, Some(&etag), &claim).await?;
            if taken_over.is_written() {
                return Ok(claim.owner);
            }
        }
        let uri = self.bucket.uri(&key);
        Err(BucketError::Contended { uri }.into())
    }

    /// Returns whose claim `name` is, if anybody's.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when S3 does not answer.
    pub async fn owner(&self, name: &str) -> Result<Option<String>, ClaimError> {
        let claim: Option<Claim> = self.bucket.read_document(&keys::claim(name)).await?;
        Ok(claim.map(|claim| claim.owner))
    }

    /// Returns whose claim `name` is while nobody else may take it over.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when S3 does not answer.
    pub async fn holder(&self, name: &str) -> Result<Option<String>, ClaimError> {
        let claim: Option<Claim> = self.bucket.read_document(&keys::claim(name)).await?;
        let held = claim.filter(|claim| !claim.has_expired(self.retention));
        Ok(held.map(|claim| claim.owner))
    }

    /// Makes the claim `name` that of `owner`, whoever had it.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] when S3 does not answer.
    pub async fn hand_over(&self, name: &str, owner: &str) -> Result<(), ClaimError> {
        Ok(self
            .bucket
            .put_document(&keys::claim(name), &Claim::of(owner))
            .await?)
    }
}

/// Gives a claim back if it is the owner's, so that whoever comes next may claim the name.
///
/// # Errors
///
/// [`ClaimError`] when S3 does not answer.
pub async fn release(bucket: &Bucket, name: &str, owner: &str) -> Result<(), ClaimError> {
    let key = keys::claim(name);
    let claim: Option<Claim> = bucket.read_document(&key).await?;
    if claim.is_some_and(|claim| claim.owner == owner) {
        bucket.delete(&key).await?;
    }
    Ok(())
}

/// Gives a claim back whoever has it, so that whoever comes next may claim the name.
///
/// # Errors
///
/// [`ClaimError`] when S3 does not answer.
pub async fn withdraw(bucket: &Bucket, name: &str) -> Result<(), ClaimError> {
    Ok(bucket.delete(&keys::claim(name)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_count_no_longer_than_texts_are_kept() {
        let days = |text: &str| {
            text.parse()
                .map(|retention: ClaimRetention| retention.get().as_secs() / SECONDS_A_DAY)
        };

        assert_eq!(days("90"), Ok(90));
        assert_eq!(days("90,0"), Ok(90), "texts are kept for good");
        assert_eq!(days("90,30"), Ok(30));
        assert_eq!(days("30, 365"), Ok(30));
        for wrong in ["", "0", "0,0", "90,", "90,ten", "-1"] {
            assert_eq!(days(wrong), Err(NotARetention(wrong.to_owned())));
        }
    }
}
