//! The list of texts that were erased, as functions hold what comes in against it.

use std::sync::Arc;

use active_learning_core::{erasure::ErasedTexts, keys};
use tokio::sync::Mutex;

use crate::bucket::{BINARY, Bucket, BucketError, Change, Fetched};

/// Largest list, in bytes: two million texts.
const MAX_LIST_BYTES: u64 = 64 << 20;

/// The list in the feedback bucket, or in the training bucket.
#[derive(Clone, Debug)]
pub struct ErasedList {
    bucket: Bucket,
    known: Arc<Mutex<Known>>,
}

/// The list as it was read last.
#[derive(Debug, Default)]
struct Known {
    etag: Option<String>,
    texts: Arc<ErasedTexts>,
}

impl ErasedList {
    /// Reads the list of a bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            known: Arc::default(),
        }
    }

    /// Returns the list as it is now: S3 is asked each time, and sends it only if it has changed. What was refused once is
    /// refused by everybody.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn current(&self) -> Result<Arc<ErasedTexts>, BucketError> {
        let mut known = self.known.lock().await;
        let fetched = self
            .bucket
            .read_if_changed(keys::ERASED_TEXTS, known.etag.as_deref(), MAX_LIST_BYTES)
            .await;
        let fetched = match fetched {
            // Where there is no bucket, nothing was erased from it.
            Err(BucketError::Refused { source, .. }) if source.status == Some(404) => Fetched::Missing,
            other => other?,
        };
        match fetched {
            Fetched::Unchanged => {}
            Fetched::Missing => *known = Known::default(),
            Fetched::Found(list) => {
                *known = Known {
                    etag: Some(list.etag).filter(|etag| !etag.is_empty()),
                    texts: Arc::new(ErasedTexts::read(&list.bytes)),
                };
            }
        }
        Ok(known.texts.clone())
    }

    /// Returns whether a text was erased.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn contains(&self, text: &str) -> Result<bool, BucketError> {
        Ok(self.current().await?.contains(text))
    }

    /// Adds texts, each once; returns how many hashes were not there.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn add(&self, texts: &ErasedTexts) -> Result<usize, BucketError> {
        let add = |content: Option<Vec<u8>>| {
            let mut erased = ErasedTexts::read(&content.unwrap_or_default());
            let new = erased.extend(texts);
            Ok(Change::to((new > 0).then(|| erased.write()), new))
        };
        self.bucket
            .change_bytes(keys::ERASED_TEXTS, BINARY, MAX_LIST_BYTES, add)
            .await
    }
}

#[cfg(test)]
mod tests {
    use local_aws::{LocalAws, s3::BucketSpec};

    use super::*;

    #[tokio::test]
    async fn what_was_added_is_found_at_once_and_a_missing_list_is_empty() {
        let aws = LocalAws::in_memory();
        let name = "feedback".to_owned();
        aws.s3
            .put_bucket(BucketSpec {
                name,
                ..BucketSpec::default()
            })
            .expect("the index works");
        let bucket = Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), "feedback");
        let (reader, writer) = (ErasedList::new(bucket.clone()), ErasedList::new(bucket));

        let before = reader.contains("A text").await.expect("S3 answers");
        let mut texts = ErasedTexts::default();
        for text in ["A text", "a  TEXT."] {
            texts.insert(text);
        }
        let added = writer.add(&texts).await;
        let after = reader.contains("a text").await.expect("S3 answers");
        let again = writer.add(&texts).await.expect("S3 answers");

        assert_eq!((before, after), (false, true));
        assert_eq!(added.expect("S3 answers"), 3, "one form, written in two ways");
        assert_eq!(again, 0);
        assert!(!reader.contains("Another").await.expect("S3 answers"));
    }
}
