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

use active_learning_aws::objects;
use active_learning_core::dataset::{ContentId, HeldOut};
use aws_sdk_s3::{
    Client,
    error::{BoxError, ProvideErrorMetadata},
    primitives::ByteStream,
};
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
    pub(super) async fn read(s3: &Client, bucket: &str) -> Result<Self, AssembleError> {
        let failed = |source| AssembleError::S3 {
            key: KEY.to_owned(),
            source,
        };
        let (lists, etag) = match s3.get_object().bucket(bucket).key(KEY).send().await {
            Ok(object) => {
                let etag = object.e_tag.clone();
                let json = object
                    .body
                    .collect()
                    .await
                    .map_err(|error| failed(error.into()))?;
                let lists = serde_json::from_slice(&json.into_bytes());
                let json = |source| AssembleError::Json {
                    key: KEY.to_owned(),
                    source,
                };
                (lists.map_err(json)?, etag)
            }
            Err(error) if error.code() == Some("NoSuchKey") => (Lists::default(), None),
            Err(error) => return Err(failed(error.into())),
        };
        let held_out = lines(s3, bucket, &lists.held_out, |lines| {
            let mut held_out = HeldOut::default();
            lines.for_each(|text| {
                held_out.insert(&text);
            });
            held_out
        });
        let held_out = held_out.await?;
        let trained = lines(s3, bucket, &lists.trained, |lines| {
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
        s3: &Client,
        bucket: &str,
        mut candidates: HeldOut,
    ) -> Result<HeldOut, AssembleError> {
        if candidates.is_empty() {
            return Ok(candidates);
        }
        lines(s3, bucket, &self.lists.trained, |lines| {
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
        s3: &Client,
        bucket: &str,
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
            let written = objects::create(s3, bucket, &key, files::TEXT, file).await;
            written.map_err(|source| AssembleError::S3 {
                key: key.clone(),
                source,
            })?;
            lists.held_out.push(key);
        }
        if trained.count > 0 {
            let key = format!("{FOLDER}trained-{}.txt", trained.hash);
            files::upload(s3, bucket, &key, files::TEXT, &trained.file).await?;
            lists.trained.push(key);
        }
        let json = serde_json::to_vec_pretty(&lists).expect("keys are strings");
        let call = s3.put_object().bucket(bucket).key(KEY).content_type(files::JSON);
        let call = match &self.etag {
            Some(etag) => call.if_match(etag),
            None => call.if_none_match("*"),
        };
        match call.body(ByteStream::from(json)).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(
                    error.code(),
                    Some("PreconditionFailed" | "ConditionalRequestConflict")
                ) =>
            {
                Err(AssembleError::Busy)
            }
            Err(error) => Err(AssembleError::S3 {
                key: KEY.to_owned(),
                source: error.into(),
            }),
        }
    }
}

/// A line of a list, or which list could not be read and why.
type Line = Result<String, (String, BoxError)>;

/// Hands the lines of all these objects, one after the other, to a function on a thread of its own.
async fn lines<T: Send + 'static>(
    s3: &Client,
    bucket: &str,
    keys: &[String],
    take: impl FnOnce(&mut dyn Iterator<Item = String>) -> T + Send + 'static,
) -> Result<T, AssembleError> {
    let (s3, bucket, keys) = (s3.clone(), bucket.to_owned(), keys.to_vec());
    let runtime = Handle::current();
    let reading = spawn_blocking(move || {
        let lines_of = |key: String| -> Box<dyn Iterator<Item = Line>> {
            match runtime.block_on(objects::open(&s3, &bucket, &key, "")) {
                Ok(Some(body)) => {
                    let body = SyncIoBridge::new_with_handle(body.into_async_read(), runtime.clone());
                    let lines = BufReader::new(body).lines();
                    Box::new(lines.map(move |line| line.map_err(|error| (key.clone(), error.into()))))
                }
                // Without it, test texts could be trained on.
                Ok(None) => Box::new(once(Err((key, "a list of the split is gone".into())))),
                Err(error) => Box::new(once(Err((key, error)))),
            }
        };
        let mut lines = keys.into_iter().flat_map(lines_of);
        let mut failure = None;
        // After a failure there are no further lines, and the result is not used.
        let mut good = from_fn(|| lines.next()?.map_err(|error| failure = Some(error)).ok()).fuse();
        let taken = take(&mut good);
        match failure {
            None => Ok(taken),
            Some((key, source)) => Err(AssembleError::S3 { key, source }),
        }
    });
    reading.await.expect("reading neither panics nor is cancelled")
}
