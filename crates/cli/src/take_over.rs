//! What a stack on this machine was about to do when it was killed, and that nobody would go on with for minutes.

use active_learning_aws::bucket::Bucket;
use aws_sdk_lambda::{primitives::Blob, types::InvocationType};
use local_stack::boot::Running;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The function whose runs take turns, as `Code` of the template ends with it.
const SELECTOR: &str = "a2i-trigger";

/// Has the backlog selected from at once, if a run that was to do it was killed with the stack: its turn lasts minutes, and
/// who comes meanwhile leaves it to that run. Returns whether there was one.
///
/// # Errors
///
/// The bucket, or the function cannot be invoked.
pub async fn go_on_selecting(stack: &Running, feedback: &Bucket) -> Result<bool, Failure> {
    let is_selector = |command: &[std::ffi::OsString]| command.last().is_some_and(|name| name == SELECTOR);
    let mut functions = stack.plan.functions.iter();
    let Some(function) = functions.find(|function| is_selector(&function.command)) else {
        return Ok(false);
    };
    // All functions are processes of this stack, so that none that was there before it started lives.
    if !a2i_trigger::free_turn(feedback, stack.started_at.into()).await? {
        return Ok(false);
    }
    let lambda = aws_sdk_lambda::Client::new(&stack.aws.sdk_config());
    let invoke = lambda
        .invoke()
        .function_name(&function.name)
        .invocation_type(InvocationType::Event);
    invoke
        .payload(Blob::new(r#"{"operation": "select"}"#))
        .send()
        .await?;
    Ok(true)
}
