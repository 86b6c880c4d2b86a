//! Plays the samples through a running stack and follows every item to a reviewer's answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{IsTerminal, Write},
    ops::ControlFlow,
    time::Duration,
};

use active_learning_core::{
    batch::{self, BatchFile},
    feedback::{FeedbackRequest, Source, record_id},
    human_loop::{NONE_FITS, read_answer},
};
use aws_sdk_s3::{Client as S3, error::DisplayErrorContext, primitives::ByteStream};
use serde_json::Value;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use crate::{
    boot::{self, Running, Settings},
    demo::reviewer::Reviewer,
    http_client::send,
    outputs::StackOutputs,
    run, sign_in,
};

pub mod reviewer;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Seconds of buffering during the demo, unless the user chose; the template's own default is a minute.
const BUFFER_SECONDS: &str = "1";
/// How long the last answer may take to arrive.
const PATIENCE: Duration = Duration::from_secs(180);
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// Texts with the label that the scripted reviewer gives them: `label,text`.
const TRAFFIC: &str = include_str!("../data/traffic.csv");
/// Name of the classifier that the texts of [`TRAFFIC`] are sent to.
const CLASSIFIER: &str = "news";
const CLASSIFICATIONS: [&str; 2] = [
    include_str!("../../../events/classify/confident.json"),
    include_str!("../../../events/classify/low-confidence.json"),
];
const FEEDBACK: [&str; 3] = [
    include_str!("../../../events/feedback-api/like.json"),
    include_str!("../../../events/feedback-api/dislike.json"),
    include_str!("../../../events/feedback-api/correction.json"),
];
const FILES: [(&str, &str); 3] = [
    (
        "sentences.json",
        include_str!("../../../events/batch-feedback/files/sentences.json"),
    ),
    (
        "feedback.jsonl",
        include_str!("../../../events/batch-feedback/files/feedback.jsonl"),
    ),
    (
        "feedback.csv",
        include_str!("../../../events/batch-feedback/files/feedback.csv"),
    ),
];

/// Boots the stack, plays the samples, prints what became of them, and stops the stack.
///
/// Returns whether every item that should be reviewed was answered.
///
/// # Errors
///
/// Whatever keeps the stack from running or answering.
pub async fn demo(mut settings: Settings, training_data: Option<Vec<u8>>) -> Result<bool, Failure> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    settings
        .parameters
        .entry("FeedbackBufferSeconds".to_owned())
        .or_insert_with(|| BUFFER_SECONDS.to_owned());
    println!("Starting the stack …");
    let stack = boot::start(&settings).await?;
    let outcome = tokio::select! {
        _ = terminated.recv() => Err("stopped before the end".into()),
        _ = interrupted.recv() => Err("stopped before the end".into()),
        () = stack.aws.storage_failed() => Err(run::storage_failed(&settings.state_dir)),
        outcome = async {
            let outputs = run::make_ready(&stack, &settings.state_dir, training_data).await?;
            play(&stack, &outputs).await
        } => outcome,
    };
    stack.stop().await;
    outcome
}

/// What was sent, and what must come back.
#[derive(Default)]
struct Played {
    classified: usize,
    trusted: usize,
    likes: usize,
    /// Ids of the records that must be answered.
    expected: BTreeSet<String>,
    /// How many go to review, by reason.
    reasons: BTreeMap<String, usize>,
    rejected: usize,
}

impl Played {
    fn expect(&mut self, reason: &str, id: String) {
        *self.reasons.entry(reason.to_owned()).or_default() += 1;
        self.expected.insert(id);
    }
}

async fn play(stack: &Running, outputs: &StackOutputs) -> Result<bool, Failure> {
    let s3 = S3::new(&stack.aws.sdk_config());
    let labelled = traffic()?;
    let mut played = Played::default();
    classify(outputs, &labelled, &mut played).await?;
    give_feedback(outputs, &mut played).await?;
    upload_files(&s3, outputs.output("BatchUploadS3Bucket"), &mut played).await?;
    let answered = review(&s3, outputs, &labelled, &played).await?;
    let missing = played
        .expected
        .iter()
        .filter(|id| !answered.ids.contains(*id))
        .count();
    println!("\n{}", summary(outputs, &played, &answered));
    if missing == 0 {
        println!("Every item arrived.");
    } else {
        println!("{missing} items did not arrive. The functions' logs are in the state folder, below logs/.");
    }
    Ok(missing == 0)
}

/// Reads the texts that are classified: label and text.
fn traffic() -> Result<Vec<(String, String)>, Failure> {
    let rows = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(TRAFFIC.as_bytes())
        .into_deserialize();
    Ok(rows.collect::<Result<_, _>>()?)
}

async fn classify(
    outputs: &StackOutputs,
    labelled: &[(String, String)],
    played: &mut Played,
) -> Result<(), Failure> {
    let mut requests: Vec<FeedbackRequest> = CLASSIFICATIONS
        .iter()
        .map(|event| event_body(event))
        .collect::<Result<_, _>>()?;
    requests.extend(labelled.iter().map(|(_, text)| FeedbackRequest {
        classifier: CLASSIFIER.to_owned(),
        sentence: text.clone(),
        ..FeedbackRequest::default()
    }));
    let progress = Progress::new("Classify", requests.len());
    for (done, request) in requests.iter().enumerate() {
        let body = serde_json::json!({"classifier": request.classifier, "sentence": request.sentence});
        let answer = post(outputs, "TextClassificationApiGatewayID", &body).await?;
        played.classified += 1;
        match answer["review"]["reason"].as_str() {
            Some(reason) => played.expect(reason, record_id(&request.classifier, &request.sentence)),
            None => played.trusted += 1,
        }
        progress.show(done + 1);
    }
    progress.end();
    Ok(())
}

async fn give_feedback(outputs: &StackOutputs, played: &mut Played) -> Result<(), Failure> {
    let progress = Progress::new("Like and dislike", FEEDBACK.len());
    for (done, event) in FEEDBACK.iter().enumerate() {
        let event: Value = serde_json::from_str(event)?;
        let body: Value = serde_json::from_str(event["body"].as_str().unwrap_or_default())?;
        post(outputs, "FeedbackAPIGatewayID", &body).await?;
        count(
            played,
            FeedbackRequest::parse(body.to_string().as_bytes())?,
            Source::ExplicitApi,
        );
        progress.show(done + 1);
    }
    progress.end();
    Ok(())
}

/// Notes what must become of a user's feedback.
fn count(played: &mut Played, request: FeedbackRequest, source: Source) {
    match request.into_record(source, "") {
        Ok(record) if record.signal.needs_review() => played.expect("dislike", record.id),
        Ok(_) => played.likes += 1,
        Err(_) => played.rejected += 1,
    }
}

async fn upload_files(s3: &S3, bucket: &str, played: &mut Played) -> Result<(), Failure> {
    let progress = Progress::new("Upload files", FILES.len());
    for (done, (name, content)) in FILES.iter().enumerate() {
        let file = BatchFile::from_key(name).ok_or("a sample file has an unknown suffix")?;
        batch::read(file, content.as_bytes(), None, &mut |item| {
            match item.content {
                Ok(request) => count(played, request, Source::ExplicitBatch),
                Err(_) => played.rejected += 1,
            }
            ControlFlow::Continue(())
        })?;
        let put = s3.put_object().bucket(bucket).key(format!("demo/{name}"));
        put.body(ByteStream::from_static(content.as_bytes()))
            .send()
            .await?;
        progress.show(done + 1);
    }
    progress.end();
    Ok(())
}

/// The answers in the review bucket.
#[derive(Default)]
struct Answered {
    ids: BTreeSet<String>,
    human_loops: usize,
    first_key: String,
}

/// Answers tasks as they come until every expected item has its answer, or patience ends.
async fn review(
    s3: &S3,
    outputs: &StackOutputs,
    labelled: &[(String, String)],
    played: &Played,
) -> Result<Answered, Failure> {
    let labels: BTreeMap<String, &str> = labelled
        .iter()
        .map(|(label, text)| (record_id(CLASSIFIER, text), label.as_str()))
        .collect();
    let mut reviewer = Reviewer::sign_in(&sign_in::create_link(outputs, "demo").await?).await?;
    let progress = Progress::new("Review", played.expected.len());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let choose = |id: &str, prediction: &str| match labels.get(id) {
            Some(label) => (*label).to_owned(),
            None if prediction.is_empty() => NONE_FITS.to_owned(),
            None => prediction.to_owned(),
        };
        let worked = reviewer.answer_next(choose).await?;
        let answered = answers(s3, outputs.output("ReviewS3Bucket")).await?;
        let arrived = played.expected.intersection(&answered.ids).count();
        progress.show(arrived);
        if arrived == played.expected.len() || Instant::now() > deadline {
            progress.end();
            return Ok(answered);
        }
        if !worked {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// Reads every `output.json`.
async fn answers(s3: &S3, bucket: &str) -> Result<Answered, Failure> {
    let mut answered = Answered::default();
    let mut pages = s3.list_objects_v2().bucket(bucket).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| DisplayErrorContext(error).to_string())?;
        for key in page.contents().iter().filter_map(|object| object.key()) {
            if !key.ends_with("/output.json") {
                continue;
            }
            let object = s3.get_object().bucket(bucket).key(key).send().await?;
            let output: Value = serde_json::from_slice(&object.body.collect().await?.into_bytes())?;
            answered.human_loops += 1;
            if answered.first_key.is_empty() {
                key.clone_into(&mut answered.first_key);
            }
            let workers = output["humanAnswers"].as_array().into_iter().flatten();
            let items = workers
                .filter_map(|worker| worker["answerContent"].as_object())
                .flatten();
            answered.ids.extend(
                items
                    .filter(|(_, value)| read_answer(value).is_some())
                    .map(|(id, _)| id.clone()),
            );
        }
    }
    Ok(answered)
}

async fn post(outputs: &StackOutputs, api: &str, body: &Value) -> Result<Value, Failure> {
    let request = http::Request::post(outputs.output(api))
        .header("x-api-key", &outputs.api_key_value)
        .header("content-type", "application/json")
        .body(body.to_string())?;
    let response = send(request).await?;
    if response.status() != 200 {
        return Err(format!("{api} answered {}: {}", response.status(), response.body()).into());
    }
    Ok(serde_json::from_str(response.body())?)
}

fn event_body(event: &str) -> Result<FeedbackRequest, Failure> {
    let event: Value = serde_json::from_str(event)?;
    Ok(FeedbackRequest::parse(
        event["body"].as_str().unwrap_or_default().as_bytes(),
    )?)
}

fn summary(outputs: &StackOutputs, played: &Played, answered: &Answered) -> String {
    let arrived = played.expected.intersection(&answered.ids).count();
    let reasons: Vec<String> = played
        .reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let sent: usize = played.reasons.values().sum();
    let rows = [
        (
            "classified",
            format!("{}, of which {} were trusted", played.classified, played.trusted),
        ),
        ("sent to review", format!("{sent}: {}", reasons.join(", "))),
        ("liked, not reviewed", played.likes.to_string()),
        (
            "lines set aside",
            format!(
                "{}, in s3://{}/rejected/",
                played.rejected,
                outputs.output("FeedbackS3Bucket")
            ),
        ),
        ("questions, each asked once", played.expected.len().to_string()),
        ("human loops", answered.human_loops.to_string()),
        ("answers", format!("{arrived} of {}", played.expected.len())),
        (
            "the first answer",
            format!("s3://{}/{}", outputs.output("ReviewS3Bucket"), answered.first_key),
        ),
    ];
    rows.map(|(name, value)| format!("  {name:<27} {value}\n"))
        .concat()
}

/// One stage on the terminal: a line that counts up, or its end alone where the output is a file.
struct Progress {
    stage: &'static str,
    total: usize,
    terminal: bool,
}

impl Progress {
    fn new(stage: &'static str, total: usize) -> Self {
        Self {
            stage,
            total,
            terminal: std::io::stdout().is_terminal(),
        }
    }

    fn show(&self, done: usize) {
        if self.terminal {
            print!("\r  {:<18}{done:>4} of {}", self.stage, self.total);
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stdout().flush();
        } else if done == self.total {
            print!("  {:<18}{done:>4} of {}", self.stage, self.total);
        }
    }

    fn end(&self) {
        println!();
    }
}
