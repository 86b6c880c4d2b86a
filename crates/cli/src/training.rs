//! The first model: puts training data where the classifier looks for it, and waits for its answer.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use active_learning_aws::{
    bucket::{Bucket, BucketError, CSV},
    label_set::LabelSets,
};
use active_learning_core::dataset::TrainingFileState;
use aws_sdk_comprehend::{
    error::DisplayErrorContext, operation::classify_document::ClassifyDocumentError, primitives::DateTime,
};
use text_model::{TrainingDataError, TrainingSet};

use local_stack::boot::Running;

/// The sample data that is shipped: news in four categories, Comprehend CSV.
pub const SAMPLE_DATA: &[u8] = include_bytes!("../data/news.csv");

/// Template output that names the bucket of training data.
const BUCKET_OUTPUT: &str = "TrainingS3Bucket";
/// Template output with the ARN of the endpoint that classifies.
const ENDPOINT_OUTPUT: &str = "ComprehendEndpointArnInUse";
/// Signing name of the built-in classifier.
const SIGNING_NAME: &str = "comprehend";

const FOLDER: &str = "initial/";
const KEY: &str = "initial/training-data.csv";
/// Where the sample is put: its name says that it is one, so that data of the user's own replaces it.
const SAMPLE_KEY: &str = "initial/sample-news.csv";

const READY_WITHIN: Duration = Duration::from_secs(120);
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// Whether a model serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasModel(pub bool);

/// Why there is no first model.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The user's file cannot be read.
    #[error("the training data {0} cannot be read")]
    File(PathBuf, #[source] io::Error),
    /// The classifier would not take the user's file.
    #[error("the training data {0} cannot be used")]
    Data(PathBuf, #[source] TrainingDataError),
    /// The bucket cannot be read or written.
    #[error("the training data cannot be stored")]
    Storage(#[from] BucketError),
    /// The classifier does not answer in time.
    #[error("the classifier did not answer within {within} s: {reason}", within = READY_WITHIN.as_secs())]
    NotReady {
        /// What it said last.
        reason: String,
    },
}

/// Reads the user's training data, checks it as the classifier will, and tells what is read otherwise than
/// it is written.
///
/// # Errors
///
/// [`TrainingError::File`] and [`TrainingError::Data`].
pub fn read(path: &Path) -> Result<Vec<u8>, TrainingError> {
    let data = std::fs::read(path).map_err(|error| TrainingError::File(path.to_owned(), error))?;
    let set = TrainingSet::read_csv(&data[..]);
    let set = set.map_err(|error| TrainingError::Data(path.to_owned(), error))?;
    for repair in &set.repairs {
        eprintln!("{}: {repair}", path.display());
    }
    Ok(data)
}

/// Makes the built-in classifier ready: `data`, if given, replaces what it learned from; without it
/// `sample` is used the first time, unless the stack begins, or began, with labels and no data. Does nothing for a
/// template without that classifier.
///
/// # Errors
///
/// [`TrainingError`].
pub async fn prepare(
    stack: &Running,
    data: Option<Vec<u8>>,
    sample: &[u8],
) -> Result<HasModel, TrainingError> {
    let built_in = (stack.plan.signing_names.iter()).any(|(name, _)| name == SIGNING_NAME);
    let (Some(bucket), true) = (stack.outputs.get(BUCKET_OUTPUT), built_in) else {
        return Ok(HasModel(true));
    };
    let bucket = Bucket::new(aws_sdk_s3::Client::new(&stack.aws.sdk_config()), bucket);
    let data = match data {
        Some(data) => Some((KEY, data)),
        None if !bucket.list_after(FOLDER, "", 1).await?.is_empty() => None,
        None if LabelSets::new(bucket.clone()).current().await?.is_some() => {
            return wait_until_it_answers(stack).await;
        }
        None => Some((SAMPLE_KEY, sample.to_vec())),
    };
    let mut replaced = None;
    if let Some((key, data)) = data {
        replaced = last_change(stack).await;
        bucket.put(key, CSV, data).await?;
    }
    wait_until_ready(stack, replaced).await?;
    for file in model_building::training_files(&bucket).await? {
        if file.state != TrainingFileState::Taken {
            eprintln!("{}", model_building::describe_training_file(&file));
        }
    }
    Ok(HasModel(true))
}

/// Asks the classifier itself: a request to the API would leave a record for review. The model that
/// was in service until `replaced` is not the one that is waited for.
async fn wait_until_ready(stack: &Running, replaced: Option<DateTime>) -> Result<(), TrainingError> {
    let comprehend = aws_sdk_comprehend::Client::new(&stack.aws.sdk_config());
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    loop {
        let question = comprehend.classify_document().endpoint_arn(endpoint(stack));
        let reason = match question.text("Ready?").send().await {
            Ok(_) if replaced.is_none() || last_change(stack).await > replaced => return Ok(()),
            Ok(_) => "it still has its earlier model".to_owned(),
            Err(error) => DisplayErrorContext(error).to_string(),
        };
        if tokio::time::Instant::now() > deadline {
            return Err(TrainingError::NotReady { reason });
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// Waits until the classifier answers, be it that it has no model yet.
async fn wait_until_it_answers(stack: &Running) -> Result<HasModel, TrainingError> {
    let comprehend = aws_sdk_comprehend::Client::new(&stack.aws.sdk_config());
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    loop {
        let question = comprehend.classify_document().endpoint_arn(endpoint(stack));
        let error = match question.text("Ready?").send().await {
            Ok(_) => return Ok(HasModel(true)),
            Err(error) => error,
        };
        let has_no_model = |error: &ClassifyDocumentError| error.is_resource_unavailable_exception();
        if error.as_service_error().is_some_and(has_no_model) {
            return Ok(HasModel(false));
        }
        if tokio::time::Instant::now() > deadline {
            let reason = DisplayErrorContext(error).to_string();
            return Err(TrainingError::NotReady { reason });
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// Returns when the classifier's model was last put in service; `None` if there is none yet.
async fn last_change(stack: &Running) -> Option<DateTime> {
    let comprehend = aws_sdk_comprehend::Client::new(&stack.aws.sdk_config());
    let description = comprehend.describe_endpoint().endpoint_arn(endpoint(stack));
    let description = description.send().await.ok()?;
    description.endpoint_properties()?.last_modified_time().copied()
}

fn endpoint(stack: &Running) -> &str {
    stack.outputs.get(ENDPOINT_OUTPUT).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use active_learning_core::dataset::is_shipped_sample;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_shipped_sample_is_known_by_its_key_and_in_older_states_by_its_content() {
        let sha256 = hex::encode(Sha256::digest(SAMPLE_DATA));

        assert!(is_shipped_sample(SAMPLE_KEY, "") && is_shipped_sample(KEY, &sha256));
        assert!(!is_shipped_sample(KEY, ""));
    }
}
