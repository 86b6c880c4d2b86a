//! `redrive`: events that failed to the end are sent again, here or on AWS.

use active_learning_aws::{
    bucket::Bucket,
    failure::chain,
    overview::is_correction,
    redrive::{self, Outcome},
};
use clap::Args;

use crate::{confirm::confirmed, outputs::StackOutputs, place, wording::counted};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The command `redrive`.
#[derive(Debug, Args)]
pub struct Options {
    /// Bucket with the failure records [default: the feedback bucket of the running stack]
    #[arg(long)]
    bucket: Option<String>,
    /// Endpoint of a local stack [default: the running stack's; with --bucket alone it is AWS]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Asks nothing
    #[arg(long)]
    yes: bool,
    /// Prints JSON; asks nothing, and does nothing without --yes
    #[arg(long)]
    json: bool,
}

/// Sends failed events again, once whoever asked has agreed. Returns whether none of them is left.
///
/// # Errors
///
/// When no stack runs, or the bucket cannot be read.
pub async fn redrive(
    options: Options,
    stack: impl FnOnce() -> Result<StackOutputs, Failure>,
) -> Result<bool, Failure> {
    let (bucket, endpoint_url) = match options.bucket {
        Some(bucket) => (bucket, options.endpoint_url),
        None => {
            let stack = stack()?;
            let bucket = stack.output("FeedbackS3Bucket").to_owned();
            (bucket, options.endpoint_url.or(Some(stack.endpoint_url)))
        }
    };
    let config = place::sdk_config(endpoint_url.as_deref()).await;
    let bucket = Bucket::new(aws_sdk_s3::Client::new(&config), bucket);
    let keys = redrive::list(&bucket).await;
    let keys = keys.map_err(|error| format!("does the stack run? {}", chain(&error)))?;

    if options.json {
        if !options.yes {
            println!("{}", serde_json::json!({ "failed": keys }));
            return Ok(keys.is_empty());
        }
        let outcome = redrive::redrive(&bucket, keys).await;
        println!("{}", serde_json::to_string_pretty(&outcome)?);
        return Ok(outcome.kept.is_empty());
    }
    if keys.is_empty() {
        println!("No failed events in {}.", bucket.name());
        return Ok(true);
    }
    if !options.yes && !confirmed(&question(&keys))? {
        return Ok(true);
    }
    Ok(report(&redrive::redrive(&bucket, keys).await))
}

/// Returns what is asked before events are sent again.
fn question(keys: &[String]) -> String {
    let (set_aside, failed): (Vec<&str>, Vec<&str>) = keys
        .iter()
        .map(String::as_str)
        .partition(|key| redrive::is_given_up(key));
    let (unreadable, given_up): (Vec<&str>, Vec<&str>) =
        set_aside.into_iter().partition(|key| is_correction(key));
    let (events, loops) = (
        counted(failed.len(), "failed event"),
        counted(given_up.len(), "human loop"),
    );
    let corrections = counted(unreadable.len(), "correction");
    let parts = [
        (failed.len(), format!("send {events} again")),
        (
            given_up.len(),
            format!("ask the questions of {loops} anew that were given up"),
        ),
        (
            unreadable.len(),
            format!("read {corrections} again that could not be read"),
        ),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(_, part)| part).collect();
    let mut question = format!("{}?", parts.join(", and "));
    if let Some(first) = question.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    question
}

fn report(outcome: &Outcome) -> bool {
    for (operation, count) in &outcome.scheduled {
        println!(
            "{} of `{operation}` by its schedule removed: it calls again by itself.",
            counted(*count, "call")
        );
    }
    println!("{} sent again, {} kept.", outcome.redriven, outcome.kept.len());
    for kept in &outcome.kept {
        eprintln!("kept {}: {}", kept.key, kept.reason);
    }
    outcome.kept.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_before_events_are_sent_again_hears_that_people_are_asked_anew() {
        let (failed, given_up) = (
            "aws/lambda/async/f/x",
            "rejected/training-data/review-1-00001.jsonl",
        );
        let asked = |keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
            question(&keys)
        };

        let correction = "rejected/training-data/review-1-corrected-w1-1-00001.jsonl";

        assert_eq!(asked(&[failed]), "Send 1 failed event again?");
        assert_eq!(
            asked(&[correction]),
            "Read 1 correction again that could not be read?",
            "nobody is asked anew"
        );
        assert_eq!(
            asked(&[failed, given_up, correction]),
            "Send 1 failed event again, and ask the questions of 1 human loop anew that were given up, and read 1 \
             correction again that could not be read?"
        );
        for keys in [&[given_up][..], &[failed, given_up]] {
            assert!(
                asked(keys).contains("the questions of 1 human loop anew"),
                "{keys:?}"
            );
        }
    }
}
