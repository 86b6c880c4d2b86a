//! The buckets of a stack, here or on AWS.

use active_learning_aws::bucket::Bucket;
use active_learning_core::{
    dataset::Mode,
    labels::label_set::{LABEL_SET_KEY, LabelSet},
};
use aws_config::{BehaviorVersion, SdkConfig};
use local_stack::user;

use crate::outputs::StackOutputs;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Template output that says whether a text may have several labels.
const SEVERAL_LABELS: &str = "ReviewSeveralLabelsInUse";

/// Template output that names the classifier where none is named.
pub(crate) const DEFAULT_CLASSIFIER: &str = "DefaultClassifierNameInUse";

/// The buckets that hold labels and questions.
#[derive(Clone, Debug)]
pub struct Place {
    /// Labels, datasets and models.
    pub training: Bucket,
    /// Feedback, and what is remembered of it.
    pub feedback: Bucket,
    /// Whether a text may have several labels.
    pub several_labels: bool,
    /// Name of the classifier where none is named, as far as the stack tells.
    pub default_classifier: Option<String>,
}

impl Place {
    /// Finds the buckets: those that are named, on AWS, or those of the running stack. The label set tells whether texts have
    /// several labels, where training data has; of named buckets the newest dataset too, else the stack.
    ///
    /// # Errors
    ///
    /// When no stack runs, the feedback bucket cannot be told from the training bucket's name, or the newest dataset
    /// cannot be read.
    pub async fn of(
        training: Option<&str>,
        feedback: Option<&str>,
        stack: impl FnOnce() -> Result<StackOutputs, Failure>,
    ) -> Result<Self, Failure> {
        let Some(training) = training else {
            let stack = stack()?;
            let config = user::sdk_config(&stack.endpoint_url).await;
            let output = |name| stack.output(name);
            let place = Self::new(&config, output("TrainingS3Bucket"), output("FeedbackS3Bucket"));
            let default_classifier = Some(output(DEFAULT_CLASSIFIER).to_owned());
            return Ok(Self {
                several_labels: has_several_labels(&stack) || place.has_several_in_data().await,
                default_classifier: default_classifier.filter(|name| !name.is_empty()),
                ..place
            });
        };
        let config = sdk_config(None).await;
        let feedback = match feedback {
            Some(feedback) => feedback.to_owned(),
            None => feedback_bucket(training)?,
        };
        let place = Self::new(&config, training, &feedback);
        let mode = model_building::newest_mode(&place.training).await?;
        Ok(Self {
            several_labels: mode == Some(Mode::MultiLabel) || place.has_several_in_data().await,
            ..place
        })
    }

    /// Returns whether the label set says that training data has texts with several labels. One that cannot be read is left
    /// to whoever needs it.
    async fn has_several_in_data(&self) -> bool {
        let set: Result<Option<LabelSet>, _> = self.training.read_document(LABEL_SET_KEY).await;
        set.is_ok_and(|set| set.is_some_and(|set| set.has_several_in_data()))
    }

    fn new(config: &SdkConfig, training: &str, feedback: &str) -> Self {
        let training = Bucket::new(aws_sdk_s3::Client::new(config), training);
        Self {
            feedback: training.other(feedback),
            training,
            several_labels: false,
            default_classifier: None,
        }
    }
}

/// Returns whether a local stack is set to let a text have several labels.
pub fn has_several_labels(stack: &StackOutputs) -> bool {
    stack.output(SEVERAL_LABELS) == "true"
}

/// Returns a configuration of SDK clients: the user's of the local stack at an endpoint, else what the AWS CLI would use.
pub async fn sdk_config(endpoint_url: Option<&str>) -> SdkConfig {
    match endpoint_url {
        Some(url) => user::sdk_config(url).await,
        None => aws_config::load_defaults(BehaviorVersion::latest()).await,
    }
}

/// Returns the feedback bucket of the stack whose training bucket this is: they differ in the first word.
fn feedback_bucket(training: &str) -> Result<String, Failure> {
    let bucket = of_same_stack(training, "feedback");
    bucket.ok_or_else(|| "the feedback bucket is not known: name it with --feedback-bucket".into())
}

/// Returns the bucket of this kind beside a training bucket: they differ in the first word.
fn of_same_stack(training: &str, kind: &str) -> Option<String> {
    let stack = training.strip_prefix("training-")?;
    Some(format!("{kind}-{stack}"))
}

/// Returns the bucket of this kind, such as `review`, of the stack whose training bucket this is.
///
/// # Errors
///
/// When it cannot be told from the name.
pub fn sibling(training: &str, kind: &str) -> Result<String, Failure> {
    of_same_stack(training, kind).ok_or_else(|| {
        format!("`{training}` is no training bucket of a stack: its name begins with training-").into()
    })
}

/// Returns the batch bucket of the stack whose training bucket this is.
///
/// # Errors
///
/// When it cannot be told from the name.
pub fn batch_bucket(training: &str) -> Result<String, Failure> {
    let bucket = of_same_stack(training, "batch");
    bucket.ok_or_else(|| "the batch bucket is not known: name it with --batch-bucket".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feedback_bucket_is_that_of_the_same_stack() {
        assert_eq!(feedback_bucket("training-5b0c").expect("ours"), "feedback-5b0c");
        assert_eq!(batch_bucket("training-5b0c").expect("ours"), "batch-5b0c");
        assert!(feedback_bucket("mine").is_err() && batch_bucket("mine").is_err());
    }
}
