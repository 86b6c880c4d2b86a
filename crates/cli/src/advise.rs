//! `advise`: which threshold keeps what is accepted without a person as accurate as was promised.

mod labelled_objects;
mod out_of_fold;
mod predictions;
mod report;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use active_learning_aws::{
    bucket::{Bucket, BucketError},
    failure::chain,
    overview,
};
use active_learning_core::model::threshold::{Judged, Verdict, advise};
use clap::Args;
use serde_json::json;
use text_model::LabelledTexts;

use crate::{encoder, labelled_texts::tell_repairs, models::Models, outputs::StackOutputs, place};

/// Template output that names the bucket of labelled objects.
const BUCKET_OUTPUT: &str = "TrainingS3Bucket";
/// Exit code where the target cannot be met; 1 is an error, 2 a wrong command line.
const NOT_MET: u8 = 3;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is asked.
#[derive(Debug, Args)]
pub struct Options {
    /// Labelled texts (label,text without a header), on which the built-in model is trained and judged out of
    /// fold; or predictions of any model, with a header line that names label, prediction and confidence
    /// [default: what reviewers of the running stack answered]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bucket", "endpoint_url"])]
    data: Option<PathBuf>,
    /// Text encoder that the models trained on --data look through: built-in, none, or a folder
    #[arg(long, value_name = "ENCODER", default_value = "built-in", conflicts_with_all = ["bucket", "endpoint_url"])]
    encoder: encoder::Choice,
    /// Training bucket with the reviewers' answers [default: that of the running stack]
    #[arg(long)]
    bucket: Option<String>,
    /// Endpoint of a local stack [default: the running stack's; with --bucket alone it is AWS]
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Accuracy that accepted predictions must have
    #[arg(long, default_value_t = 0.95, value_name = "SHARE", value_parser = accuracy)]
    target_accuracy: f64,
    /// Most predictions that may go to people
    #[arg(long, default_value_t = 0.2, value_name = "SHARE", value_parser = share)]
    max_review: f64,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Judged predictions, and in words how they came about.
#[derive(Debug, Default, PartialEq)]
struct Evidence {
    judged: Vec<Judged>,
    source: String,
    /// Whether all of them were judged because the model was in doubt: of what it is sure of nothing is known.
    is_doubtful: bool,
    /// ARN of the model that predicted, where it is one of a stack.
    model: Option<String>,
    /// What of a file was read otherwise than it is written, in sentences.
    repairs: Vec<String>,
}

/// Prints the advice. Exits with 0 if the target can be met within the share that may go to people, else with 3.
///
/// # Errors
///
/// When there is nothing to judge by, in words for the user.
pub async fn run(options: Options, state_dir: &Path) -> Result<ExitCode, Failure> {
    let evidence = match &options.data {
        Some(path) => of_file(path, &options.encoder)?,
        None => of_stack(&options, state_dir).await?,
    };
    let Some(advice) = advise(&evidence.judged, options.target_accuracy, options.max_review) else {
        return Err(format!("nothing to judge by: {}", evidence.source).into());
    };
    if options.json {
        let speaks_of = if evidence.is_doubtful { "doubtful" } else { "all" };
        let report = json!({
            "source": evidence.source, "model": evidence.model, "speaksOf": speaks_of, "advice": advice,
        });
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", evidence.source);
        let (target, max_review) = (options.target_accuracy, options.max_review);
        let report = report::write(&advice, evidence.is_doubtful, target, max_review);
        print!("{report}");
    }
    Ok(match advice.verdict {
        Verdict::Met(_) => ExitCode::SUCCESS,
        Verdict::TooLittleData { .. } | Verdict::NotGoodEnough { .. } => ExitCode::from(NOT_MET),
    })
}

fn of_file(path: &Path, encoder: &encoder::Choice) -> Result<Evidence, Failure> {
    let in_file = |error: Failure| format!("{}: {error}", path.display());
    let file = std::fs::read(path).map_err(|error| in_file(error.into()))?;
    if let Some(evidence) = predictions::judge(&file[..]).map_err(in_file)? {
        tell_repairs(path, &evidence.repairs);
        return Ok(evidence);
    }
    let texts = LabelledTexts::to_train(&file[..]).map_err(|error| in_file(error.into()))?;
    tell_repairs(path, &texts.repairs);
    Ok(out_of_fold::judge(texts, encoder.load()?).map_err(in_file)?)
}

async fn of_stack(options: &Options, state_dir: &Path) -> Result<Evidence, Failure> {
    let does_it_run = |error: BucketError| format!("does the stack run? {}", chain(&error));
    let (bucket, serving) = match &options.bucket {
        Some(bucket) => {
            let config = place::sdk_config(options.endpoint_url.as_deref()).await;
            let bucket = Bucket::new(aws_sdk_s3::Client::new(&config), bucket.clone());
            // The endpoint is not named here: what was deployed last serves.
            let serving = overview::serving(&bucket, std::time::SystemTime::now().into()).await;
            let serving = serving.map_err(does_it_run)?.map(|serving| serving.model_arn);
            (bucket, serving)
        }
        None => {
            let stack = StackOutputs::of_running(state_dir)
                .map_err(|error| format!("{error}; or name a file with --data"))?;
            let endpoint_url = options.endpoint_url.as_ref().unwrap_or(&stack.endpoint_url);
            let config = place::sdk_config(Some(endpoint_url)).await;
            let bucket = Bucket::new(aws_sdk_s3::Client::new(&config), stack.output(BUCKET_OUTPUT));
            let serving = Models::of_stack(&config, &stack).serving().await?;
            (bucket, serving)
        }
    };
    let evidence = labelled_objects::judged(&bucket, serving.as_deref()).await;
    Ok(evidence.map_err(does_it_run)?)
}

fn share(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn accuracy(text: &str) -> Result<f64, String> {
    share(text)
        .ok()
        .filter(|accuracy| *accuracy > 0.0 && *accuracy < 1.0)
        .ok_or_else(|| "expected a number between 0 and 1, such as 0.95; nobody can promise 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_outside_zero_to_one_and_a_certain_accuracy_are_refused() {
        for text in ["-0.1", "1.1", "NaN", "95%", ""] {
            assert!(share(text).is_err() && accuracy(text).is_err(), "{text}");
        }
        assert_eq!(
            (share("0"), share("1"), accuracy("0.95")),
            (Ok(0.0), Ok(1.0), Ok(0.95))
        );
        assert!(accuracy("1").is_err() && accuracy("0").is_err());
    }
}
