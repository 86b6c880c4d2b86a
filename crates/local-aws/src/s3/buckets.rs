//! Buckets: made, found, and given policies.

use redb::ReadableTable;
use s3s::{S3Result, s3_error};

use super::{
    BucketSpec, Versioning,
    backend::{Backend, now_ms},
    index::{self, BUCKETS, BucketRecord, Failure, Listing, OBJECTS, Page, Tables, UPLOADS},
    versions::{self, VersionListing, VersionPage},
};
use crate::iam::PolicyDocument;

impl Backend {
    /// Gives a bucket a policy, or none. That of a template's bucket is the template's again at the next start.
    pub(super) async fn set_policy(&self, bucket: String, policy: Option<PolicyDocument>) -> S3Result<()> {
        self.alter(bucket, move |record| record.spec.policy = policy)
            .await
    }

    /// Has a bucket keep versions, or no more than it has. It stays so until the template says something else.
    pub(super) async fn set_versioning(&self, bucket: String, versioning: Versioning) -> S3Result<()> {
        self.alter(bucket, move |record| record.versioning = Some(versioning))
            .await
    }

    async fn alter(
        &self,
        bucket: String,
        alter: impl FnOnce(&mut BucketRecord) + Send + 'static,
    ) -> S3Result<()> {
        let change = self.write(move |_, change| {
            let mut record = index::bucket(change.transaction, &bucket)?;
            alter(&mut record);
            let mut table = change
                .transaction
                .open_table(BUCKETS)
                .map_err(redb::Error::from)?;
            let json = index::encode(&record);
            table
                .insert(bucket.as_str(), json.as_slice())
                .map_err(redb::Error::from)?;
            Ok(())
        });
        Ok(change.await?)
    }

    pub(super) fn existing(&self, bucket: &str) -> Result<BucketRecord, Failure> {
        index::bucket(&self.reader()?, bucket)
    }

    pub(super) fn buckets(&self, prefix: &str) -> Result<Vec<BucketRecord>, redb::Error> {
        let reader = self.reader()?;
        let table = reader.table(BUCKETS)?;
        let mut buckets = Vec::new();
        for entry in table.range(prefix..)? {
            let (name, json) = entry?;
            if name.value().starts_with(prefix) {
                buckets.push(index::decode(json.value())?);
            }
        }
        Ok(buckets)
    }

    pub(super) fn create(&self, transaction: &redb::WriteTransaction, name: String) -> Result<(), Failure> {
        let mut table = transaction.open_table(BUCKETS).map_err(redb::Error::from)?;
        let exists = table.get(name.as_str()).map_err(redb::Error::from)?.is_some();
        match (exists, &*self.region) {
            // Where S3 began, making one's own bucket again succeeds.
            (true, "us-east-1") => Ok(()),
            (true, _) => Err(s3_error!(
                BucketAlreadyOwnedByYou,
                "Your previous request to create the named bucket succeeded and you already own it."
            )
            .into()),
            (false, _) => {
                let record = BucketRecord {
                    versioning: None,
                    created_ms: now_ms(),
                    spec: BucketSpec {
                        name: name.clone(),
                        ..BucketSpec::default()
                    },
                };
                let json = index::encode(&record);
                table
                    .insert(name.as_str(), json.as_slice())
                    .map_err(redb::Error::from)?;
                Ok(())
            }
        }
    }

    pub(super) fn version_page(&self, listing: &VersionListing<'_>) -> Result<VersionPage, Failure> {
        let reader = self.reader()?;
        index::bucket(&reader, listing.bucket)?;
        Ok(versions::list(&reader, listing)?)
    }

    pub(super) fn page(&self, listing: &Listing<'_>) -> Result<Page, Failure> {
        let reader = self.reader()?;
        index::bucket(&reader, listing.bucket)?;
        Ok(index::list(&reader, listing)?)
    }
}

pub(super) fn is_empty(tables: &impl Tables, bucket: &str) -> Result<bool, redb::Error> {
    let table = tables.table(OBJECTS)?;
    let first = table.range::<(&str, &str)>((bucket, "")..)?.next().transpose()?;
    let has_objects = first.is_some_and(|(key, _)| key.value().0 == bucket);
    Ok(!has_objects && !versions::has_any(tables, bucket)?)
}

/// Returns key and id of each upload to a bucket.
pub(super) fn uploads(tables: &impl Tables, bucket: &str) -> Result<Vec<(String, String)>, redb::Error> {
    let table = tables.table(UPLOADS)?;
    let mut uploads = Vec::new();
    for entry in table.range::<(&str, &str, &str)>((bucket, "", "")..)? {
        let (guard, _) = entry?;
        let (found, key, id) = guard.value();
        if found != bucket {
            break;
        }
        uploads.push((key.to_owned(), id.to_owned()));
    }
    Ok(uploads)
}
