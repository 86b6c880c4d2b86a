//! The guideline beside the task: what each label means, by example.
//!
//! An operator writes it in the console, or puts `guideline.json` into the review bucket. Its version is a hash of
//! its bytes; each version that was ever shown is kept, so that an answer's version can be looked up.

use std::sync::{Mutex, PoisonError};

use active_learning_aws::bucket::{Bucket, BucketError, Created, JSON, Object};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Key of the guideline in the review bucket.
pub const GUIDELINE: &str = "guideline.json";
/// Largest guideline, in bytes.
const MAX_GUIDELINE_BYTES: u64 = 256 << 10;
/// Hexadecimal digits of a version.
const VERSION_DIGITS: usize = 16;

/// What reviewers go by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Guideline {
    /// What holds for all labels.
    pub introduction: String,
    /// The labels, in the order in which they are shown.
    pub labels: Vec<LabelGuide>,
}

/// What one label means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelGuide {
    /// Its name.
    pub label: String,
    /// Its meaning.
    pub meaning: String,
    /// Texts that belong to it.
    pub good: Vec<String>,
    /// Texts that look as if they did, and do not.
    pub bad: Vec<String>,
    /// Rules for what lies at the border.
    pub edge_cases: Vec<String>,
}

/// The guideline as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its version, 16 hexadecimal digits.
    pub version: String,
    /// What it says; the reason where it cannot be read.
    pub guideline: Result<Guideline, String>,
}

/// The guidelines in the review bucket.
#[derive(Debug)]
pub struct Guidelines {
    bucket: Bucket,
    kept: Mutex<String>,
}

impl Guidelines {
    /// Returns the guidelines of a bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            kept: Mutex::default(),
        }
    }

    /// Returns the guideline of today, if there is one; a version that is shown for the first time is kept.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn current(&self) -> Result<Option<Shown>, BucketError> {
        let object = match read(&self.bucket).await? {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(None),
            Err(reason) => {
                return Ok(Some(Shown {
                    version: String::new(),
                    guideline: Err(reason),
                }));
            }
        };
        let version = version_of(&object.bytes);
        let guideline = parse(&object.bytes);

        let is_kept = *self.kept.lock().unwrap_or_else(PoisonError::into_inner) == version;
        if !is_kept {
            let key = format!("{HUMAN_REVIEW_FOLDER}guidelines/{version}.json");
            self.bucket.put(&key, JSON, object.bytes).await?;
            self.kept
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone_from(&version);
        }
        Ok(Some(Shown { version, guideline }))
    }
}

/// The guideline as it is stored, to be edited.
#[derive(Debug)]
pub struct Stored {
    /// What it says; nothing where there is none.
    pub guideline: Guideline,
    /// Its version; empty where there is none.
    pub version: String,
    /// ETag of the object.
    etag: Option<String>,
}

impl Stored {
    /// Reads the guideline of a review bucket, or why it is none.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn read(bucket: &Bucket) -> Result<Result<Self, String>, BucketError> {
        let object = match read(bucket).await? {
            Ok(object) => object,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(object) = object else {
            return Ok(Ok(Self {
                guideline: Guideline::default(),
                version: String::new(),
                etag: None,
            }));
        };
        Ok(parse(&object.bytes).map(|guideline| Self {
            guideline,
            version: version_of(&object.bytes),
            etag: Some(object.etag),
        }))
    }

    /// Puts another in its place; returns whether nobody else has done so before.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn replace(&self, bucket: &Bucket, content: Vec<u8>) -> Result<bool, BucketError> {
        match &self.etag {
            Some(etag) => Ok(bucket.replace(GUIDELINE, etag, JSON, content).await?.is_written()),
            None => Ok(bucket.create(GUIDELINE, JSON, content).await? == Created::Created),
        }
    }
}

impl Guideline {
    /// Returns what it says of a label.
    pub fn of(&self, label: &str) -> Option<&LabelGuide> {
        self.labels.iter().find(|guide| guide.label == label)
    }

    /// Puts what is said of a label in the place of what was; one of which nothing is said leaves.
    pub fn put(&mut self, guide: LabelGuide) {
        let says_nothing = LabelGuide {
            label: guide.label.clone(),
            ..LabelGuide::default()
        } == guide;
        let known = self.labels.iter().position(|known| known.label == guide.label);
        match (known, says_nothing) {
            (Some(place), true) => drop(self.labels.remove(place)),
            (Some(place), false) => self.labels[place] = guide,
            (None, true) => {}
            (None, false) => self.labels.push(guide),
        }
    }

    /// Returns it as it is stored, and its version.
    ///
    /// # Errors
    ///
    /// That it is too large.
    pub fn to_json(&self) -> Result<(Vec<u8>, String), String> {
        let content = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        if content.len() as u64 > MAX_GUIDELINE_BYTES {
            return Err(format!(
                "the guideline would have {} bytes, more than {MAX_GUIDELINE_BYTES}",
                content.len()
            ));
        }
        let version = version_of(&content);
        Ok((content, version))
    }
}

/// Reads the object, or why it is no guideline.
async fn read(bucket: &Bucket) -> Result<Result<Option<Object>, String>, BucketError> {
    match bucket.read(GUIDELINE, MAX_GUIDELINE_BYTES).await {
        Err(BucketError::TooLarge { limit, .. }) => Ok(Err(format!("more than {limit} bytes"))),
        object => object.map(Ok),
    }
}

fn parse(content: &[u8]) -> Result<Guideline, String> {
    serde_json::from_slice(content)
        .map_err(|error| format!("line {}, column {}", error.line(), error.column()))
}

fn version_of(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))[..VERSION_DIGITS].to_owned()
}

/// Returns whether a text is of the form of a version.
pub fn is_version(text: &str) -> bool {
    text.len() == VERSION_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
