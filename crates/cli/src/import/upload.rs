//! The file of texts to ask about, uploaded as anybody's would be.

use active_learning_aws::bucket::{Bucket, BucketError, Created, JSON_LINES};
use chrono::{DateTime, TimeDelta, Utc};

use super::store::digest;

/// Time within which the texts of an upload are claimed, at the latest. For so long the same texts are not uploaded again.
const ON_THEIR_WAY: TimeDelta = TimeDelta::hours(1);

/// Whether texts were uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uploaded {
    /// By this import.
    Now,
    /// By one a moment ago.
    Before,
}

/// Uploads texts, of which people were not asked; again too where an earlier upload of them came to nothing, since its
/// questions were given up, its claims are over or its event was lost.
pub(super) async fn upload(
    batch: &Bucket,
    lines: String,
    now: DateTime<Utc>,
) -> Result<Uploaded, BucketError> {
    // In no folder, which would name a classifier.
    let name = format!("import-{}", digest(&lines));
    let created = batch
        .create(&format!("{name}.jsonl"), JSON_LINES, lines.clone())
        .await?;
    if created == Created::Created {
        return Ok(Uploaded::Now);
    }

    let earlier = batch.list(&name).await?;
    if earlier.iter().any(|upload| now - upload.modified < ON_THEIR_WAY) {
        return Ok(Uploaded::Before);
    }
    let key = format!("{name}-{}.jsonl", now.format("%Y%m%dT%H%M%SZ"));
    let created = batch.create(&key, JSON_LINES, lines).await?;
    Ok(match created {
        Created::Created => Uploaded::Now,
        Created::Exists => Uploaded::Before,
    })
}

#[cfg(test)]
mod tests {
    use local_aws::{LocalAws, s3::BucketSpec};

    use super::*;

    #[tokio::test]
    async fn texts_whose_questions_came_to_nothing_are_uploaded_again_and_those_on_their_way_are_not() {
        let aws = LocalAws::in_memory();
        let spec = BucketSpec {
            name: "batch".to_owned(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(spec).expect("a bucket");
        let batch = Bucket::new(aws_sdk_s3::Client::new(&aws.sdk_config()), "batch");
        let lines = "{\"sentence\":\"Rates rise\"}\n";
        let (now, later) = (Utc::now(), Utc::now() + TimeDelta::hours(3));
        let mut uploaded = Vec::new();

        for time in [now, now, later, later] {
            uploaded.push(upload(&batch, lines.to_owned(), time).await.expect("stored"));
        }

        let keys = batch.list("import-").await.expect("a list");
        let [first, again] = &keys[..] else {
            panic!("two uploads: {keys:?}");
        };
        use Uploaded::{Before, Now};
        assert_eq!(uploaded, [Now, Before, Now, Before]);
        assert_ne!(first.key, again.key);
        assert_eq!(first.etag, again.etag, "the same texts");
    }
}
