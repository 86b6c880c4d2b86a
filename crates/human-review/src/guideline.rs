//! The guideline beside the task: what each label means, by example.
//!
//! An operator puts `guideline.json` into the review bucket. Its version is a hash of its bytes; each
//! version that was ever shown is kept, so that an answer's version can be looked up.

use std::sync::{Mutex, PoisonError};

use active_learning_aws::bucket::{Bucket, BucketError, JSON};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Key of the guideline in the review bucket.
pub const GUIDELINE: &str = "guideline.json";
/// Largest guideline, in bytes.
const MAX_GUIDELINE_BYTES: u64 = 256 << 10;
/// Hexadecimal digits of a version.
const VERSION_DIGITS: usize = 16;

/// What reviewers go by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Guideline {
    /// What holds for all labels.
    pub introduction: String,
    /// The labels, in the order in which they are shown.
    pub labels: Vec<LabelGuide>,
}

/// What one label means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
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
        let object = match self.bucket.read(GUIDELINE, MAX_GUIDELINE_BYTES).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(None),
            Err(BucketError::TooLarge { limit, .. }) => {
                return Ok(Some(Shown {
                    version: String::new(),
                    guideline: Err(format!("more than {limit} bytes")),
                }));
            }
            Err(error) => return Err(error),
        };
        let version = hex::encode(Sha256::digest(&object.bytes))[..VERSION_DIGITS].to_owned();
        let guideline = serde_json::from_slice(&object.bytes)
            .map_err(|error| format!("line {}, column {}", error.line(), error.column()));

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

/// Returns whether a text is of the form of a version.
pub fn is_version(text: &str) -> bool {
    text.len() == VERSION_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
