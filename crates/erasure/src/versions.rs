//! Old versions of objects, in buckets that keep them: also of objects that are gone, or hold nothing to erase any more.

use active_learning_aws::bucket::BucketError;
use futures::{StreamExt, stream};

use crate::{
    erase::{Erase, EraseError, IN_ORDER},
    rewrite::{Left, rewrite},
    rules::rule,
    walk::{MAX_OBJECT_BYTES, READS_AT_ONCE},
};

impl Erase<'_> {
    /// Deletes the old versions that hold some of what is to be erased.
    pub(crate) async fn old_versions(&mut self) -> Result<(), EraseError> {
        for name in IN_ORDER {
            if !self.is_versioned(name) {
                continue;
            }
            let bucket = self.buckets.get(name).clone();
            let mut versions = Vec::new();
            bucket.each_old_version(|version| versions.push(version)).await?;
            let shapes = versions.into_iter().filter_map(|version| {
                let shape = rule(name, &version.key).shape(&version.key);
                Some((shape.filter(|_| version.size > 0)?, version))
            });
            let shapes: Vec<_> = shapes.collect();
            let mut reads = stream::iter(shapes)
                .map(async |(shape, version)| {
                    let content = bucket.read_old_version(&version, MAX_OBJECT_BYTES).await;
                    (shape, version, content)
                })
                .buffered(READS_AT_ONCE);
            while let Some((shape, version, content)) = reads.next().await {
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
                if rewrite(shape, &content, &self.wanted) != Left::All {
                    bucket.delete_old_version(&version).await?;
                    self.report.old_versions += 1;
                }
            }
        }
        Ok(())
    }
}
