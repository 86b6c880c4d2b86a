//! What the review service has written into buckets that are not the stack's: outputs of flow definitions that the API made,
//! and of labelling jobs. It is read and named, and stays: these buckets are somebody else's.

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    failure::chain,
};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use futures::{StreamExt, stream};
use human_review::{
    flows::{Flow, Resource},
    human_loop::LoopFlow,
    labelling_jobs::record::Job,
};

use crate::{
    erase::{Erase, EraseError, IN_ORDER},
    rewrite::{Shape, rewrite},
    walk::{READS_AT_ONCE, read},
    wanted::Wanted,
};

/// Code of S3 where a bucket was deleted: nothing is left there.
const NO_BUCKET: &str = "NoSuchBucket";

/// How what is written there is read: what people were asked and answered, and manifests with whatever somebody put in.
const SHAPES: [Shape; 2] = [Shape::Task, Shape::Upload];

/// Reads what the control plane has made of one kind; what is damaged says nothing.
async fn made<T: Resource>(review: &Bucket) -> Result<Vec<T>, EraseError> {
    let mut made = Vec::new();
    let folder = format!("{HUMAN_REVIEW_FOLDER}{}", T::FOLDER);
    for object in review.list(&folder).await? {
        match review.read_document(&object.key).await {
            Ok(document) => made.extend(document),
            Err(BucketError::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(made)
}

impl Erase<'_> {
    /// Notes where flow definitions and labelling jobs write to, as long as they are known.
    pub(crate) async fn note_places(&mut self) -> Result<(), EraseError> {
        for flow in made::<Flow>(&self.buckets.review).await? {
            self.note_place_of(&flow.of_loop());
        }
        for job in made::<Job>(&self.buckets.review).await? {
            let folder = job.folder();
            if let Some((bucket, prefix)) = folder
                .strip_prefix("s3://")
                .and_then(|place| place.split_once('/'))
            {
                self.note_place(bucket, format!("{prefix}/"));
            }
        }
        Ok(())
    }

    /// Notes where the outputs of human loops are written to; those of a labelling job have none.
    pub(crate) fn note_place_of(&mut self, flow: &LoopFlow) {
        if !flow.is_labelling_job() {
            let prefix = format!("{}{}/", flow.output_prefix, flow.name());
            self.note_place(&flow.output_bucket, prefix);
        }
    }

    fn note_place(&mut self, bucket: &str, prefix: String) {
        let is_own = |name| self.buckets.get(name).name() == bucket;
        // What is in the stack's own is gone through with all the rest.
        if !IN_ORDER.into_iter().any(is_own) {
            self.places.insert((bucket.to_owned(), prefix));
        }
    }

    /// Names what is found in the places that were noted, and places of which nothing can be said.
    pub(crate) async fn look_elsewhere(&mut self) -> Result<(), EraseError> {
        let own = self.wanted.without_earlier();
        for (bucket, prefix) in std::mem::take(&mut self.places) {
            let bucket = self.buckets.review.other(bucket);
            if let Err(error) = self.look_into(&bucket, &prefix, &own).await? {
                if error.code() == Some(NO_BUCKET) {
                    continue;
                }
                let reason = chain(&error);
                self.report.unread_elsewhere.insert(bucket.uri(&prefix), reason);
            }
        }
        Ok(())
    }

    /// Looks through a place, also for what is to be erased now alone; within is why it cannot be.
    async fn look_into(
        &mut self,
        bucket: &Bucket,
        prefix: &str,
        own: &Wanted,
    ) -> Result<Result<(), BucketError>, EraseError> {
        let objects = match bucket.list(prefix).await {
            Ok(objects) => objects,
            Err(error) => return Ok(Err(error)),
        };
        let mut reads = stream::iter(objects)
            .map(|object| read(bucket, object))
            .buffered(READS_AT_ONCE);
        while let Some((listed, content)) = reads.next().await {
            self.keep_hold().await?;
            match content {
                Ok(Some(object)) if is_held_by(&object.bytes, own) => {
                    self.report.elsewhere.insert(bucket.uri(&listed.key));
                }
                Ok(Some(object)) if is_held_by(&object.bytes, &self.wanted) => {
                    let uri = bucket.uri(&listed.key);
                    self.report.of_earlier_elsewhere.insert(uri);
                }
                Ok(_) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }
}

fn is_held_by(content: &[u8], wanted: &Wanted) -> bool {
    let holds = |shape| rewrite(shape, content, wanted).pieces() > 0;
    SHAPES.into_iter().any(holds)
}
