//! Uploads in parts that are not completed: nobody can read what they hold, so they are named.

use active_learning_aws::bucket::BucketError;

use crate::{
    erase::{Erase, EraseError, IN_ORDER},
    rules::rule,
};

/// Why such an upload is not looked through.
const UNFINISHED: &str = "an upload in parts is not completed: complete it, or abort it";
/// Why those of a bucket are not.
const UNKNOWN: &str = "its uploads in parts cannot be listed: that takes s3:ListBucketMultipartUploads";

/// Returns whether S3 says that the caller has no right to something.
pub(crate) fn is_denied(error: &BucketError) -> bool {
    matches!(error, BucketError::Refused { source, .. } if source.code.as_deref() == Some("AccessDenied"))
}

impl Erase<'_> {
    /// Names the uploads that are not completed, of what people put into the buckets.
    pub(crate) async fn name_unfinished_uploads(&mut self) -> Result<(), EraseError> {
        for name in IN_ORDER {
            let bucket = self.buckets.get(name);
            let mut told = |key: &str, reason: &str| {
                self.report.unread.insert(bucket.uri(key), reason.to_owned());
            };
            match bucket.unfinished_uploads().await {
                Ok(keys) => {
                    let of_people = keys.iter().filter(|key| rule(name, key).is_of_people());
                    of_people.for_each(|key| told(key, UNFINISHED));
                }
                Err(error) if is_denied(&error) => told("", UNKNOWN),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
