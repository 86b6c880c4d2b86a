//! Stacks for the tests of the whole loop.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use active_learning_cli::{
    demo::reviewer::Reviewer, functions, http_client, outputs::StackOutputs, run::BUILT_IN, sign_in,
};
use active_learning_core::labels::human_loop::NONE_FITS;
use local_aws::store::OpenError;
use local_stack::{
    boot::{BootError, Running, Settings, start},
    plan::Programs,
    template_files::TemplateFiles,
};
use serde_json::{Value, json};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_active-learning");
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The template that is deployed.
pub fn template() -> &'static str {
    include_str!("../../../../infra/template.yaml")
}

/// What tests leave out that are not about it: each would encode its texts, which takes seconds.
const TEXT_ENCODER: (&str, &str) = ("TextEncoder", "none");

/// Starts a stack in this process, with functions from the program; without text encoder unless a parameter says so.
pub async fn boot(state_dir: &Path, template: &str, parameters: &[(&str, &str)]) -> Running {
    let parameters = std::iter::once(&TEXT_ENCODER)
        .filter(|(name, _)| template.contains(name))
        .chain(parameters)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let settings = Settings {
        port: 0,
        allowed_hosts: Vec::new(),
        state_dir: state_dir.to_owned(),
        template: template.to_owned(),
        template_files: TemplateFiles::BuiltIn(BUILT_IN),
        parameters: parameters.collect::<BTreeMap<_, _>>(),
        programs: Programs {
            executable: PROGRAM.into(),
            names: functions::NAMES,
            check: functions::check,
        },
        model_endpoints: BTreeMap::new(),
    };
    // A blocking write that nobody waits for may hold the folder a moment longer than the stack before.
    let deadline = Instant::now() + PATIENCE;
    loop {
        match start(&settings).await {
            Err(BootError::State(OpenError::InUse(_))) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome.expect("it starts"),
        }
    }
}

/// Runs the demo to its end, with template parameters, `KEY=VALUE`, and returns what it printed.
pub fn demo(state_dir: &Path, parameters: &[&str]) -> String {
    // A random audit would make every run another.
    let parameters = [&["AuditSampleRate=0"], parameters].concat();
    let output = Command::new(PROGRAM)
        .args(["demo", "--port", "0", "--state-dir"])
        .arg(state_dir)
        .args(parameters.iter().flat_map(|parameter| ["--param", parameter]))
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Runs a command of the program on a stack that is ready; returns whether it succeeded, and what it printed.
pub async fn command(state_dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = output_of(state_dir, arguments).await;
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Runs a command; returns what it prints as its result, without what it says beside.
pub async fn printed(state_dir: &Path, arguments: &[&str]) -> String {
    let output = output_of(state_dir, arguments).await;
    String::from_utf8(output.stdout).expect("UTF-8")
}

async fn output_of(state_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).arg("--state-dir").arg(state_dir);
    let output = tokio::task::spawn_blocking(move || command.output());
    output
        .await
        .expect("it does not panic")
        .expect("the program runs")
}

/// Exports the rows of a stack that is ready; returns the labels of each text, as often as it is there.
pub async fn exported_labels(state_dir: &Path) -> BTreeMap<String, Vec<String>> {
    let output = output_of(state_dir, &["export", "--format", "csv"]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(&output.stdout[..]);
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in reader.deserialize() {
        let (label, text): (String, String) = row.expect("label and text");
        labels.entry(text).or_default().push(label);
    }
    labels
}

/// A stack in a process of its own, that can be killed.
pub struct Killable {
    child: Child,
    /// What it wrote when it was ready.
    pub outputs: StackOutputs,
}

impl Killable {
    /// Starts it and waits until it is ready.
    pub fn start(state_dir: &Path, buffer_seconds: &str) -> Self {
        Self::start_with(state_dir, &[&format!("FeedbackBufferSeconds={buffer_seconds}")])
    }

    /// Starts it with template parameters, `KEY=VALUE`, and waits until it is ready.
    pub fn start_with(state_dir: &Path, parameters: &[&str]) -> Self {
        Self::run(state_dir, &[], parameters)
    }

    /// Starts it with a command and template parameters, and waits until it is ready.
    pub fn run(state_dir: &Path, command: &[&str], parameters: &[&str]) -> Self {
        Self::run_saying(state_dir, command, parameters, Stdio::inherit())
    }

    /// As [`run`](Self::run), with a place for what it says on standard error.
    pub fn run_saying(state_dir: &Path, command: &[&str], parameters: &[&str], errors: Stdio) -> Self {
        // The file of the process before would be taken for this one's.
        let _ = std::fs::remove_file(state_dir.join("outputs.json"));
        let child = Command::new(PROGRAM)
            .args(command)
            .args(["--port", "0", "--state-dir"])
            .arg(state_dir)
            .args(["--param", &format!("{}={}", TEXT_ENCODER.0, TEXT_ENCODER.1)])
            .args(parameters.iter().flat_map(|parameter| ["--param", parameter]))
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("the program runs");
        let deadline = Instant::now() + PATIENCE;
        loop {
            match StackOutputs::read(state_dir) {
                Ok(outputs) => return Self { child, outputs },
                Err(error) => assert!(Instant::now() < deadline, "not ready: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Posts a dislike, which must be acknowledged.
    pub async fn dislike(&self, text: &str) {
        let url = self.outputs.output("FeedbackAPIGatewayID");
        let (status, body) = post(
            url,
            &self.outputs.api_key_value,
            &json!({"classifier": "news", "sentence": text}),
        )
        .await;
        assert_eq!(status, 200, "{body}");
    }

    /// Returns a configuration of clients of it.
    pub async fn sdk_config(&self) -> aws_config::SdkConfig {
        local_stack::user::sdk_config(&self.outputs.endpoint_url).await
    }

    /// Returns a client of its S3.
    pub async fn s3(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(&self.sdk_config().await)
    }

    /// Answers tasks in the portal until `count` items are answered and no task waits; returns the ids
    /// of all items of all answered tasks, sorted, as often as they occur.
    pub async fn review_everything(&self, count: usize) -> Vec<String> {
        let link = sign_in::create_link(&self.outputs, "test").await.expect("a link");
        let mut reviewer = Reviewer::sign_in(&link).await.expect("signed in");
        let (s3, bucket) = (self.s3().await, self.outputs.output("ReviewS3Bucket"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let worked = reviewer
                .answer_next(|_, _| Some(NONE_FITS.to_owned()))
                .await
                .expect("the portal answers");
            let mut items = answered_items(&s3, bucket).await;
            if !worked && items.len() >= count {
                items.sort();
                return items;
            }
            assert!(
                Instant::now() < deadline,
                "{} of {count} items were answered",
                items.len()
            );
        }
    }

    /// Ends it as a power failure would.
    pub fn kill(mut self) {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Posts JSON to an API and returns status and body.
pub async fn post(url: &str, api_key: &str, body: &Value) -> (u16, Value) {
    let request = http::Request::post(url)
        .header("x-api-key", api_key)
        .header("content-type", "application/json")
        .body(body.to_string())
        .expect("a valid URL");
    let response = http_client::send(request).await.expect("an answer");
    (
        response.status().as_u16(),
        serde_json::from_str(response.body()).unwrap_or_default(),
    )
}

/// Returns the ids of all items that the review service was given, as often as they occur.
pub async fn items_of_loops(s3: &aws_sdk_s3::Client, bucket: &str) -> Vec<String> {
    let mut inputs = json_objects(s3, bucket, "human-review/inputs/", "").await;
    // The state of a loop holds its input where that is small.
    let states = json_objects(s3, bucket, "human-review/loops/", "").await;
    inputs.extend(
        states
            .into_iter()
            .filter_map(|mut state| Some(state.get_mut("input")?.take())),
    );
    let items = inputs
        .iter()
        .flat_map(|input| input["comprehendPredictions"].as_array().expect("items"));
    items
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// Reads the JSON objects below a prefix whose keys end with `suffix`.
pub async fn json_objects(s3: &aws_sdk_s3::Client, bucket: &str, prefix: &str, suffix: &str) -> Vec<Value> {
    let mut values = Vec::new();
    let mut pages = s3
        .list_objects_v2()
        .bucket(bucket)
        .prefix(prefix)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        for key in page
            .expect("listed")
            .contents()
            .iter()
            .filter_map(|object| object.key())
        {
            if key.ends_with(suffix) {
                let object = s3
                    .get_object()
                    .bucket(bucket)
                    .key(key)
                    .send()
                    .await
                    .expect("there");
                let bytes = object.body.collect().await.expect("readable").to_vec();
                let documents = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
                values.extend(documents.map(|document| document.expect("JSON")));
            }
        }
    }
    values
}

/// Returns the ids of all items of all answered tasks.
async fn answered_items(s3: &aws_sdk_s3::Client, bucket: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for output in json_objects(s3, bucket, "", "/output.json").await {
        let answers = output["humanAnswers"][0]["answerContent"]
            .as_object()
            .expect("an answer");
        ids.extend(answers.keys().cloned());
    }
    ids
}

/// Waits until something holds.
pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(
            Instant::now() < deadline,
            "it did not come to hold in {PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
