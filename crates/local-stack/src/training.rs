//! The first model: puts training data where the classifier looks for it, and waits for its answer.

use std::time::Duration;

use aws_sdk_comprehend::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;

use crate::{boot::Running, user};

/// The sample data that is shipped: news in four categories, Comprehend CSV.
const SAMPLE_DATA: &[u8] = include_bytes!("../data/news.csv");

/// Template output that names the bucket of training data.
const BUCKET_OUTPUT: &str = "TrainingS3Bucket";
/// Template output with the ARN of the endpoint that classifies.
const ENDPOINT_OUTPUT: &str = "ComprehendEndpointArnInUse";
/// Signing name of the built-in classifier.
const SIGNING_NAME: &str = "comprehend";

const FOLDER: &str = "initial/";
const KEY: &str = "initial/training-data.csv";

const READY_WITHIN: Duration = Duration::from_secs(120);
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// Why there is no first model.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The bucket cannot be read or written.
    #[error("the training data cannot be stored: {0}")]
    Storage(String),
    /// The classifier does not answer in time.
    #[error("the classifier did not answer within {within} s: {reason}", within = READY_WITHIN.as_secs())]
    NotReady {
        /// What it said last.
        reason: String,
    },
}

/// Makes the built-in classifier ready: `data`, if given, replaces what it learned from; without it
/// the shipped sample is used the first time. Does nothing for a template without that classifier.
///
/// # Errors
///
/// [`TrainingError`].
pub async fn prepare(stack: &Running, data: Option<Vec<u8>>) -> Result<(), TrainingError> {
    let built_in = (stack.plan.signing_names.iter()).any(|(name, _)| name == SIGNING_NAME);
    let (Some(bucket), true) = (stack.outputs.get(BUCKET_OUTPUT), built_in) else {
        return Ok(());
    };
    let s3 = aws_sdk_s3::Client::new(&user::sdk_config(&stack.endpoint_url).await);
    let storage = |error: String| TrainingError::Storage(error);
    let data = match data {
        Some(data) => Some(data),
        None => {
            let present = s3.list_objects_v2().bucket(bucket).prefix(FOLDER).send();
            let present = present
                .await
                .map_err(|error| storage(DisplayErrorContext(error).to_string()))?;
            present.contents().is_empty().then(|| SAMPLE_DATA.to_vec())
        }
    };
    if let Some(data) = data {
        let put = s3.put_object().bucket(bucket).key(KEY).content_type("text/csv");
        put.body(ByteStream::from(data))
            .send()
            .await
            .map_err(|error| storage(DisplayErrorContext(error).to_string()))?;
    }
    wait_until_ready(stack).await
}

/// Asks the classifier itself: a request to the API would leave a record for review.
async fn wait_until_ready(stack: &Running) -> Result<(), TrainingError> {
    let comprehend = aws_sdk_comprehend::Client::new(&user::sdk_config(&stack.endpoint_url).await);
    let endpoint = stack.outputs.get(ENDPOINT_OUTPUT).map_or("", String::as_str);
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    loop {
        let question = comprehend.classify_document().endpoint_arn(endpoint);
        let Err(error) = question.text("Ready?").send().await else {
            return Ok(());
        };
        if tokio::time::Instant::now() > deadline {
            let reason = DisplayErrorContext(error).to_string();
            return Err(TrainingError::NotReady { reason });
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}
