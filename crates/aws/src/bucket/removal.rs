//! Removing many objects at once.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{Bucket, BucketError};

/// Objects that one request removes at most. Source: Amazon S3, `DeleteObjects`.
const REMOVED_AT_ONCE: usize = 1_000;

impl Bucket {
    /// Removes objects, up to 1,000 with one request; none of a key is fine. What S3 does not remove with the others is
    /// removed alone, or says why not.
    ///
    /// # Errors
    ///
    /// [`BucketError::Refused`]; others may be removed then.
    pub async fn delete_all(&self, keys: &[String]) -> Result<(), BucketError> {
        for some in keys.chunks(REMOVED_AT_ONCE) {
            for left in self.delete_together(some).await {
                self.delete(left).await?;
            }
        }
        Ok(())
    }

    /// Removes objects with one request; returns those that may still be there.
    async fn delete_together<'k>(&self, keys: &'k [String]) -> Vec<&'k String> {
        let all = || keys.iter().collect();
        let [_, _, ..] = keys else {
            return all();
        };
        let objects: Result<Vec<_>, _> = keys
            .iter()
            .map(|key| ObjectIdentifier::builder().key(key).build())
            .collect();
        let Ok(objects) = objects else {
            return all();
        };
        let Ok(delete) = Delete::builder().set_objects(Some(objects)).quiet(true).build() else {
            return all();
        };

        let call = self.client.delete_objects().bucket(&self.name).delete(delete);
        match Box::pin(call.send()).await {
            Ok(answer) => {
                let failed = |key: &&String| {
                    answer
                        .errors()
                        .iter()
                        .any(|error| error.key() == Some(key.as_str()))
                };
                keys.iter().filter(failed).collect()
            }
            // Each alone is tried again, and its refusal names it.
            Err(_) => all(),
        }
    }
}
