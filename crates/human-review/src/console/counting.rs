//! What a change of the label set will do, counted before it is confirmed: by the function that builds models, which reads all
//! answers as the command does.

use std::time::Duration;

use active_learning_core::labels::label_set::{ChangeCount, ChangeCounted, LabelChange};
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use serde_json::json;
use tracing::warn;

/// How long a page waits for a count: API Gateway ends a request after 29 seconds.
const LONGEST_COUNT: Duration = Duration::from_secs(20);
/// How long the function may count: it has to start before, and to answer then.
const COUNTS_WITHIN_SECONDS: u64 = 15;

/// Asks for counts.
#[derive(Clone, Copy, Debug)]
pub struct ChangeCounter<'a> {
    /// Invokes the function.
    pub lambda: &'a aws_sdk_lambda::Client,
    /// Name of the function that builds models.
    pub function: &'a str,
    /// Bucket of the questions.
    pub feedback_bucket: &'a str,
}

impl ChangeCounter<'_> {
    /// Returns what a change will do; `None` where the count does not come in time, or fails, as the log says.
    pub(super) async fn count(&self, change: &LabelChange) -> Option<ChangeCounted> {
        let request = json!({
            "operation": "count-label-change",
            "feedbackBucket": self.feedback_bucket,
            "change": change,
            "withinSeconds": COUNTS_WITHIN_SECONDS,
        });
        let request = Blob::new(request.to_string());
        let call = self.lambda.invoke().function_name(self.function).payload(request);
        let call = call.customize().config_override(waiting());
        let answer = match tokio::time::timeout(LONGEST_COUNT, call.send()).await {
            Ok(Ok(answer)) if answer.function_error.is_none() => answer,
            Ok(Ok(_)) => return not_counted("the function has failed: see its log"),
            Ok(Err(error)) => return not_counted(&error.into_service_error().to_string()),
            Err(_) => return not_counted("it takes longer than a page may wait"),
        };
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        match serde_json::from_slice(&payload) {
            Ok(ChangeCount::Counted(counted)) => Some(counted),
            Ok(ChangeCount::NotCounted(reason)) => not_counted(&reason),
            Err(_) => not_counted("the function did not answer with a count"),
        }
    }
}

/// Lets a call wait as long as the page does, and makes it once: a count is long, and a second one beside it is no faster.
fn waiting() -> aws_sdk_lambda::config::Builder {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(LONGEST_COUNT)
        .operation_timeout(LONGEST_COUNT)
        .build();
    aws_sdk_lambda::config::Builder::new()
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
}

fn not_counted(reason: &str) -> Option<ChangeCounted> {
    warn!(reason, "what a change of the label set does was not counted");
    None
}
