//! What is held out and what was ever trained on, for good.
//!
//! `datasets/split.json` names immutable lists of normalised texts, one a line: held-out ones, and those that are in
//! the training file of any version, also where they have left it since. Before a build writes a training file it
//! adds its new texts to both, with one conditional write of `split.json`. So of two builds at a time the second
//! begins anew with what the first has added, and a build that breaks off leaves at most texts that count as
//! trained on and are not.
//!
//! The lists of all versions together are as long as all different texts that were ever trained on. A build reads
//! them once, and twice if something new is to be held out.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    iter::{from_fn, once},
};

use active_learning_aws::bucket::{Bucket, BucketError, Replaced, TEXT};
use active_learning_core::dataset::{ContentId, HeldOut};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::{runtime::Handle, task::spawn_blocking};
use tokio_util::io::SyncIoBridge;

use super::{AssembleError, files};

const KEY: &str = "datasets/split.json";
const FOLDER: &str = "datasets/split/";

/// Keys of the lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lists {
    held_out: Vec<String>,
    trained: Vec<String>,
}

/// The split so far.
pub(super) struct Split {
    lists: Lists,
    /// Of `split.json` as it was read, if there is one.
    etag: Option<String>,
    pub held_out: HeldOut,
    /// Every text that is in the training file of any version.
    pub trained: HashSet<ContentId>,
}

impl Split {
    pub(super) async fn read(bucket: &Bucket) -> Result<Self, AssembleError> {
        let stored = bucket.read_version::<Lists>(KEY).await?;
        let (lists, etag) = stored.unzip();
        let lists = lists.unwrap_or_default();
        let held_out = lines(bucket, &lists.held_out, |lines| {
            let mut held_out = HeldOut::default();
            lines.for_each(|text| {
                held_out.insert(&text);
            });
            held_out
        });
        let held_out = held_out.await?;
        let trained = lines(bucket, &lists.trained, |lines| {
            lines.map(|text| ContentId::of_normalised(&text)).collect()
        });
        Ok(Self {
            trained: trained.await?,
            lists,
            etag,
            held_out,
        })
    }

    /// Drops the candidates that are near copies of a text that was ever trained on.
    pub(super) async fn remove_near_copies_of_trained(
        &self,
        bucket: &Bucket,
        mut candidates: HeldOut,
    ) -> Result<HeldOut, AssembleError> {
        if candidates.is_empty() {
            return Ok(candidates);
        }
        lines(bucket, &self.lists.trained, |lines| {
            candidates.remove_near_copies_of(lines);
            candidates
        })
        .await
    }

    /// Adds texts for good; a list without any is not written.
    ///
    /// # Errors
    ///
    /// [`AssembleError::Busy`] if another build has added some since this split was read.
    pub(super) async fn add(
        &self,
        bucket: &Bucket,
        held_out: &HeldOut,
        trained: &files::List,
    ) -> Result<(), AssembleError> {
        if held_out.is_empty() && trained.count == 0 {
            return Ok(());
        }
        let mut lists = self.lists.clone();
        if !held_out.is_empty() {
            let mut file = Vec::new();
            held_out.write(&mut file).expect("memory takes what is written");
            let key = format!(
                "{FOLDER}held-out-{}.txt",
                hex::encode(&Sha256::digest(&file)[..8])
            );
            let _ = bucket.create(&key, TEXT, file).await?;
            lists.held_out.push(key);
        }
        if trained.count > 0 {
            let key = format!("{FOLDER}trained-{}.txt", trained.hash);
            let _ = bucket.put_file(&key, TEXT, trained.file.path()).await?;
            lists.trained.push(key);
        }
        match bucket.replace_document(KEY, self.etag.as_deref(), &lists).await? {
            Replaced::Written { .. } => Ok(()),
            Replaced::Changed => Err(AssembleError::Busy),
        }
    }
}

/// Hands the lines of all these objects, one after the other, to a function on a thread of its own.
async fn lines<T: Send + 'static>(
    bucket: &Bucket,
    keys: &[String],
    take: impl FnOnce(&mut dyn Iterator<Item = String>) -> T + Send + 'static,
) -> Result<T, AssembleError> {
    let (bucket, keys) = (bucket.clone(), keys.to_vec());
    let runtime = Handle::current();
    let reading = spawn_blocking(move || {
        let mut lines = keys.into_iter().flat_map(|key| lines_of(&bucket, &key, &runtime));
        let mut failure = None;
        // After a failure there are no further lines, and the result is not used.
        let mut good = from_fn(|| lines.next()?.map_err(|error| failure = Some(error)).ok()).fuse();
        let taken = take(&mut good);
        match failure {
            None => Ok(taken),
            Some(error) => Err(error.into()),
        }
    });
    reading.await.expect("reading neither panics nor is cancelled")
}

/// Returns the lines of a list. One that is gone is a failure: without it, test texts could be trained on.
fn lines_of(
    bucket: &Bucket,
    key: &str,
    runtime: &Handle,
) -> Box<dyn Iterator<Item = Result<String, BucketError>>> {
    let uri = bucket.uri(key);
    match runtime.block_on(bucket.open(key)) {
        Ok(Some(body)) => {
            let body = SyncIoBridge::new_with_handle(body.into_async_read(), runtime.clone());
            let lines = BufReader::new(body).lines();
            Box::new(lines.map(move |line| {
                line.map_err(|error| BucketError::Broken {
                    uri: uri.clone(),
                    source: error.into(),
                })
            }))
        }
        Ok(None) => Box::new(once(Err(BucketError::Gone { uri }))),
        Err(error) => Box::new(once(Err(error))),
    }
}
