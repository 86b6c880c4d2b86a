//! Classes that a model gave and that the label set does not know: a mark for each text, so that they are counted.
//!
//! Only a model that is hosted elsewhere answers with classes that nobody here has seen; one that says `LABEL_0` lacks a
//! synonym.

use active_learning_core::{
    keys,
    labels::label_set::{LabelSet, Resolution},
};
use serde::{Deserialize, Serialize};

use crate::{
    bucket::{Bucket, BucketError},
    overview::Bounded,
};

/// Classes that are looked at.
const CLASSES: usize = 100;

/// A class that the label set does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnknownClass {
    /// Its name, as the model gives it.
    pub name: String,
    /// Texts to which it was given, as long as claims are kept.
    pub texts: Bounded,
}

/// What a mark holds.
#[derive(Serialize, Deserialize)]
struct Mark {
    class: String,
}

/// Notes that a text was given a class that the label set does not know. Idempotent.
///
/// # Errors
///
/// [`BucketError`].
pub async fn note(feedback: &Bucket, class: &str, record_id: &str) -> Result<(), BucketError> {
    let mark = Mark {
        class: class.to_owned(),
    };
    let key = keys::unknown_class(class, record_id);
    feedback.put_document(&key, &mark).await
}

/// Returns the classes that were noted and that the set still does not know, the most frequent first.
///
/// # Errors
///
/// [`BucketError`].
pub async fn read(feedback: &Bucket, set: &LabelSet) -> Result<Vec<UnknownClass>, BucketError> {
    let mut unknown = Vec::new();
    let (folders, _) = feedback
        .folders_after(keys::UNKNOWN_CLASSES_FOLDER, "", CLASSES)
        .await?;
    for folder in folders {
        let first = feedback.list_after(&folder, "", 1).await?;
        let Some(first) = first.first() else { continue };
        let mark: Option<Mark> = feedback.read_document(&first.key).await?;
        let class = mark.map(|mark| mark.class);
        if let Some(name) = class.filter(|name| matches!(set.resolve(name), Resolution::Proposed(_))) {
            let texts = Bounded::count(feedback, &folder).await?;
            unknown.push(UnknownClass { name, texts });
        }
    }
    unknown.sort_by(|one, other| {
        let most_first = other.texts.count.cmp(&one.texts.count);
        most_first.then_with(|| one.name.cmp(&other.name))
    });
    Ok(unknown)
}
