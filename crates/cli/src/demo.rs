//! Plays samples through a running stack, follows every item to a person's answer, and the answers to a new model.

use std::{num::NonZeroUsize, path::PathBuf};

use active_learning_aws::bucket::Bucket;
use active_learning_core::model::comparison::Decision;
use tokio::signal::unix::{SignalKind, signal};

use self::{
    review::{Answers, review},
    samples::{Labelled, Samples, are_labels},
    traffic::{Played, Seen, ask_again, classify, classify_samples, give_feedback, upload_files},
};
use local_stack::boot::{Running, Settings};

use crate::{
    beginning::Beginning, encoder, models::Models, outputs::StackOutputs, report, run, wording::counted,
};

mod progress;
mod review;
pub mod reviewer;
mod samples;
mod traffic;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Template parameters of the demo, where the user chose nothing else.
const PARAMETERS: [(&str, &str); 8] = [
    ("FeedbackBufferSeconds", "1"),
    // Builds are started by the demo, so that every run is alike.
    ("NewLabelsToBuild", "1000000000"),
    ("MaxDaysBetweenBuilds", "0"),
    // The samples are few: a comparison wants more of them than usual.
    ("TestShare", "0.4"),
    // With the encoder the first model makes hardly a mistake that a build could mend.
    ("TextEncoder", "none"),
    ("UsagePlanMonthlyQuota", "1000000000"),
    ("UsagePlanRateLimit", "10000"),
    ("UsagePlanBurstLimit", "10000"),
];

/// What is played.
#[derive(Debug)]
pub struct Options {
    /// What the first model learns from; the first rows of the shipped samples if absent.
    pub training_data: Option<Vec<u8>>,
    /// Text encoder of the classifier; none if absent.
    pub encoder: Option<encoder::Choice>,
    /// Labelled texts to send; the shipped samples if absent.
    pub traffic: Option<PathBuf>,
    /// Parts that the traffic is sent in; a model is built after each.
    pub rounds: NonZeroUsize,
}

/// What became of one round.
struct Round {
    labels: usize,
    decision: Option<Decision>,
    deployed: bool,
    exam: Option<f64>,
}

/// Boots the stack, plays the samples, prints what became of them, and stops the stack.
///
/// Returns whether every item that should be reviewed became a labelled record and every build ended with a
/// decision, whichever way it went.
///
/// # Errors
///
/// Whatever keeps the stack from running or answering.
pub async fn demo(mut settings: Settings, options: Options) -> Result<bool, Failure> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let samples = match &options.traffic {
        Some(file) => Samples::of_file(file)?,
        None => Samples::shipped()?,
    };
    for (name, value) in PARAMETERS {
        let parameters = &mut settings.parameters;
        parameters
            .entry(name.to_owned())
            .or_insert_with(|| value.to_owned());
    }
    println!("Starting the stack …");
    let stack = run::boot(&settings).await?;
    let outcome = tokio::select! {
        _ = terminated.recv() => Err("stopped before the end".into()),
        _ = interrupted.recv() => Err("stopped before the end".into()),
        () = stack.aws.storage_failed() => Err(run::storage_failed(&settings.state_dir)),
        outcome = async {
            let data = options.training_data;
            let beginning = Beginning::default().with_encoder(options.encoder.clone());
            let outputs =
                run::make_ready(&stack, &settings.state_dir, data, &beginning, &samples.initial).await?;
            play(&stack, &outputs, &samples, options.rounds).await
        } => outcome,
    };
    stack.stop().await;
    outcome
}

async fn play(
    stack: &Running,
    outputs: &StackOutputs,
    samples: &Samples,
    rounds: NonZeroUsize,
) -> Result<bool, Failure> {
    let config = stack.aws.sdk_config();
    let training = Bucket::new(
        aws_sdk_s3::Client::new(&config),
        outputs.output("TrainingS3Bucket"),
    );
    let uploads = training.other(outputs.output("BatchUploadS3Bucket"));
    let models = Models::of_stack(&config, outputs);
    let mut played = Played::default();
    let mut answers = Answers::default();
    let mut history = vec![Round {
        labels: 0,
        decision: None,
        deployed: true,
        exam: examine(&models, &samples.exam).await?,
    }];
    let mut complete = true;
    let part = samples.traffic.len().div_ceil(rounds.get()).max(1);
    for (round, part) in samples.traffic.chunks(part).enumerate() {
        if rounds.get() > 1 {
            println!("\nRound {} of {rounds}", round + 1);
        }
        played.doubtful = None;
        let has_feedback = round == 0 && samples.has_feedback;
        if has_feedback {
            classify_samples(outputs, &mut played).await?;
        }
        classify(outputs, part, &mut played).await?;
        if has_feedback {
            give_feedback(outputs, &mut played).await?;
            upload_files(&uploads, &mut played).await?;
        }
        review(&training, outputs, &played, &mut answers).await?;
        let missing = played.expected.len() - answers.of(&played.expected);
        if round == 0 || missing > 0 {
            println!("\n{}", summary(outputs, &played, &answers));
        }
        if missing > 0 {
            println!(
                "{} did not arrive. The functions' logs are in the state folder, below logs/.",
                counted(missing, "item")
            );
            return Ok(false);
        }
        let unlearnt = answers.of(&played.expected) - answers.agreed(&played.expected);
        if unlearnt > 0 && !samples.has_feedback {
            println!(
                "{} that no model learns from: labels that the label set lacks are proposed ones (`active-learning labels \
                 proposed`).",
                counted(unlearnt, "answer")
            );
        }
        let (built, decided) = build(outputs, &models, &played, &answers, &samples.exam).await?;
        history.push(built);
        complete &= decided;
    }
    if rounds.get() > 1 {
        println!("\n{}", table(&history));
    }
    if complete {
        println!("Every item arrived.");
    }
    Ok(complete)
}

/// Builds a model from all labels, and shows what became of it. Returns whether it came to a decision as well.
async fn build(
    outputs: &StackOutputs,
    models: &Models,
    played: &Played,
    answers: &Answers,
    exam: &[Labelled],
) -> Result<(Round, bool), Failure> {
    println!(
        "Building a model from {} …",
        counted(answers.agreed(&played.expected), "label")
    );
    let built = models.build().await?;
    println!("\n{}", built.describe());
    if let (true, Some(before)) = (built.deployed, &played.doubtful) {
        let after = ask_again(outputs, &before.text).await?;
        println!("  {}", before.text);
        println!("  {:<24}{}", "before", shown(before));
        println!("  {:<24}{}\n", "now", shown(&after));
    }
    let round = Round {
        labels: answers.agreed(&played.expected),
        deployed: built.deployed,
        exam: examine(models, exam).await?,
        decision: built.decision,
    };
    Ok((round, built.decided))
}

fn shown(seen: &Seen) -> String {
    format!("{} ({:.2})", seen.prediction, seen.confidence)
}

/// Returns the serving model's accuracy on texts that nothing has been learnt from; nothing without any.
async fn examine(models: &Models, exam: &[Labelled]) -> Result<Option<f64>, Failure> {
    let mut right = 0_usize;
    for (label, text) in exam {
        right += usize::from(are_labels(label, &models.classify(text).await?));
    }
    Ok((!exam.is_empty()).then(|| right as f64 / exam.len() as f64))
}

fn summary(outputs: &StackOutputs, played: &Played, answers: &Answers) -> String {
    let reasons: Vec<String> = played
        .reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let sent: usize = played.reasons.values().sum();
    let bucket = |name| format!("s3://{}", outputs.output(name));
    let rows = [
        (
            "classified",
            format!("{}, of which {} were trusted", played.classified, played.trusted),
        ),
        ("sent to review", format!("{sent}: {}", reasons.join(", "))),
        ("liked, not reviewed", played.likes.to_string()),
        (
            "lines set aside",
            format!("{}, in {}/rejected/", played.rejected, bucket("FeedbackS3Bucket")),
        ),
        ("questions, each asked once", played.expected.len().to_string()),
        ("human loops", answers.human_loops().to_string()),
        (
            "answers",
            format!("{} of {}", answers.of(&played.expected), played.expected.len()),
        ),
        (
            "the first answers",
            format!("{}/{}", bucket("TrainingS3Bucket"), answers.first_key),
        ),
    ];
    rows.map(|(name, value)| format!("  {name:<27} {value}\n"))
        .concat()
}

fn table(history: &[Round]) -> String {
    let mut text = format!(
        "  {:>5}  {:>7}  {:>9}  {:>10}  {:<12}  {:>8}\n",
        "round", "labels", "champion", "challenger", "", "exam"
    );
    for (number, round) in history.iter().enumerate() {
        let decision = round.decision.as_ref();
        let champion = decision.and_then(|decision| decision.champion.as_ref());
        let challenger = decision.map(|decision| &decision.challenger);
        let verdict = match (number, round.deployed) {
            (0, _) => "first model",
            (_, true) => "deployed",
            (_, false) => "not deployed",
        };
        let exam = round
            .exam
            .map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share));
        text += &format!(
            "  {number:>5}  {:>7}  {:>9}  {:>10}  {verdict:<12}  {exam:>8}\n",
            round.labels,
            report::accuracy(champion),
            report::accuracy(challenger),
        );
    }
    text
}
