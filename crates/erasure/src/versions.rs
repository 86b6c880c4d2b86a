//! Old versions of objects, in buckets that keep them: also of objects that are gone, or hold nothing to erase any more.

use active_learning_aws::bucket::{Bucket, BucketError, OldVersion};
use active_learning_core::keys::{self, BucketName};
use futures::{Stream, StreamExt, stream};

use crate::{
    erase::{Buckets, Erase, EraseError, IN_ORDER},
    rewrite::{Left, rewrite},
    rules::{Rule, rule},
    unfinished::is_denied,
    walk::{MAX_OBJECT_BYTES, READS_AT_ONCE},
};

/// An old version that was read; an error where it could not be.
type Read = (Rule, OldVersion, Result<Option<Vec<u8>>, BucketError>);

/// Reads the old versions in a bucket that may hold texts.
async fn each_read(bucket: &Bucket, name: BucketName) -> Result<impl Stream<Item = Read>, BucketError> {
    let mut versions = Vec::new();
    let take = |version: OldVersion| {
        let rule = rule(name, &version.key);
        let may_hold = rule.shape(&version.key).is_some() || is_tally(name, &version.key);
        if may_hold && version.size > 0 {
            versions.push((rule, version));
        }
    };
    bucket.each_old_version(take).await?;
    let reads = stream::iter(versions).map(move |(rule, version)| async move {
        let content = bucket.read_old_version(&version, MAX_OBJECT_BYTES).await;
        (rule, version, content)
    });
    Ok(reads.buffered(READS_AT_ONCE))
}

/// Hands over the content of every old version that may hold texts.
pub(crate) async fn look(buckets: &Buckets, take: &mut dyn FnMut(Rule, &[u8])) -> Result<(), EraseError> {
    for name in IN_ORDER {
        let bucket = buckets.get(name);
        if !bucket.keeps_versions().await? {
            continue;
        }
        let mut reads = std::pin::pin!(each_read(bucket, name).await?);
        while let Some((rule, _, content)) = reads.next().await {
            match content {
                Ok(Some(bytes)) => take(rule, &bytes),
                // Said when it is to be deleted.
                Ok(None) | Err(BucketError::TooLarge { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// The sums over the labels hold the labels that people proposed, which may quote a text.
fn is_tally(name: BucketName, key: &str) -> bool {
    name == BucketName::Training && key == keys::TALLY
}

impl Erase<'_> {
    /// Deletes the old versions that hold some of what is to be erased; a preview counts them. What S3 does not let go,
    /// such as one under an object lock, is told.
    pub(crate) async fn old_versions(&mut self) -> Result<(), EraseError> {
        for name in IN_ORDER {
            if !self.is_versioned(name) {
                continue;
            }
            let bucket = self.buckets.get(name).clone();
            let mut reads = std::pin::pin!(each_read(&bucket, name).await?);
            while let Some((rule, version, content)) = reads.next().await {
                self.keep_hold().await?;
                let content = match content {
                    Ok(content) => content.unwrap_or_default(),
                    Err(BucketError::TooLarge { uri, .. }) => {
                        let id = &version.id;
                        self.report.too_large.insert(format!("{uri} (version {id})"));
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                let left = rule
                    .shape(&version.key)
                    .map(|shape| rewrite(shape, &content, &self.wanted));
                let holds = match left {
                    Some(Left::All) => false,
                    Some(Left::Unread { reason }) => {
                        self.unread_version(&bucket, &version, rule, reason);
                        false
                    }
                    Some(Left::Nothing { .. } | Left::Rest { .. }) => true,
                    None => self.proposes(&content),
                };
                if holds {
                    self.old_version(&bucket, &version).await?;
                }
            }
        }
        Ok(())
    }

    /// Notes that nobody knows what an old version holds.
    fn unread_version(&mut self, bucket: &Bucket, version: &OldVersion, rule: Rule, reason: String) {
        if rule.is_of_people() {
            let (uri, id) = (bucket.uri(&version.key), &version.id);
            self.report.unread.insert(format!("{uri} (version {id})"), reason);
        }
    }

    async fn old_version(&mut self, bucket: &Bucket, version: &OldVersion) -> Result<(), EraseError> {
        if self.is_preview {
            self.report.in_old_versions += 1;
            return Ok(());
        }
        match bucket.delete_old_version(version).await {
            Ok(()) => self.report.old_versions += 1,
            Err(error) if is_denied(&error) => {
                let (uri, id) = (bucket.uri(&version.key), &version.id);
                self.report.kept_versions.insert(format!("{uri} (version {id})"));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Deletes what an object that was changed or deleted was before, where its bucket keeps it. What S3 does not let go is
    /// found again in the end.
    pub(crate) async fn forget_versions(&mut self, name: BucketName, key: &str) -> Result<(), EraseError> {
        if !self.is_versioned(name) {
            return Ok(());
        }
        match self.buckets.get(name).delete_old_versions(key).await {
            Ok(deleted) => self.report.old_versions += deleted as u64,
            Err(error) if is_denied(&error) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The same for all objects whose keys begin with `prefix`, and what is there now; what S3 does not let go is told.
    pub(crate) async fn forget_all_versions(
        &mut self,
        name: BucketName,
        prefix: &str,
    ) -> Result<(), EraseError> {
        if !self.is_versioned(name) {
            return Ok(());
        }
        let bucket = self.buckets.get(name);
        match bucket.delete_all_versions(prefix).await {
            Ok(deleted) => self.report.old_versions += deleted as u64,
            Err(error) if is_denied(&error) => {
                let uri = bucket.uri(prefix);
                self.report.kept_versions.insert(format!("{uri} (old versions)"));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
