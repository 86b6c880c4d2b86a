//! Classifying the held-out texts with champion and challenger, in Comprehend's asynchronous jobs.

use active_learning_aws::bucket::TEXT;
use active_learning_core::{
    dataset::{DatasetManifest, Row, one_line, read_delimited_csv},
    feedback::prediction::LABEL_DELIMITER,
    model::{
        CANNOT_BE_LOADED,
        evaluation::{LabelNames, TestPrediction},
    },
    text::counted,
};
use aws_sdk_comprehend::types::{InputDataConfig, InputFormat, JobStatus, OutputDataConfig};
use chrono::Utc;
use tokio::task::spawn_blocking;
use tokio_util::io::SyncIoBridge;

use crate::{
    ModelBuilding,
    build::{Build, Job, Status},
    deployment::token,
    error::StepError,
    predictions::{self, Predictions},
};

/// Label of a row of which the model said nothing: it counts as wrong.
const NO_ANSWER: &str = "(no answer)";

impl ModelBuilding {
    /// Begins to classify the held-out texts with both models.
    pub(crate) async fn start_evaluation(&self, mut build: Build) -> Result<Build, StepError> {
        let manifest = self.manifest(build.dataset()?).await?;
        let rows = self.test_rows(&manifest).await?;
        build.begin_to_wait(Utc::now());
        let turn = build.flywheel.as_ref();
        let is_measured = turn.is_some_and(|turn| turn.measured(build.champion.as_deref()).is_some());
        if rows.is_empty() || is_measured {
            return Ok(build); // It was measured when it was trained.
        }

        let texts: String = rows.iter().map(|row| one_line(&row.text) + "\n").collect();
        let key = build.key("evaluation/texts.txt");
        self.bucket.put(&key, TEXT, texts).await?;
        let models = [Some(build.challenger()?.to_owned()), build.champion.clone()];
        let mut jobs = Vec::new();
        for model in models.into_iter().flatten() {
            let job_id = self.start_job(&build, &key, &model).await?;
            jobs.push(Job {
                model_arn: model,
                job_id,
                output: None,
                unusable: None,
            });
        }
        build.jobs = jobs;
        Ok(build)
    }

    /// Idempotent: the same build and model make the same job.
    async fn start_job(&self, build: &Build, texts: &str, model: &str) -> Result<String, StepError> {
        let what = || format!("the held-out texts could not be classified with {model}");
        let unusable = |error| StepError::Failed(format!("{}: {error}", what()));
        let input = InputDataConfig::builder()
            .s3_uri(self.bucket.uri(texts))
            .input_format(InputFormat::OneDocPerLine)
            .build()
            .map_err(unusable)?;
        let output = OutputDataConfig::builder()
            .s3_uri(self.bucket.uri(&build.key("evaluation/")))
            .build()
            .map_err(unusable)?;
        let start = self.comprehend.start_document_classification_job();
        let start = start
            .job_name(format!("evaluation-{}", build.id))
            .client_request_token(token(&[&build.execution_arn, model]))
            .document_classifier_arn(model)
            .input_data_config(input)
            .output_data_config(output)
            .data_access_role_arn(&self.config.data_access_role_arn);
        let started = start.send().await;
        let started = started.map_err(|error| StepError::refused(&what(), error))?;
        started
            .job_id
            .ok_or_else(|| StepError::Failed(format!("{}: the service gave the job no id", what())))
    }

    /// Asks whether the jobs are done. A champion that cannot be used as it is, such as after a change of the text encoder,
    /// would fail in every build: what was trained is not thrown away for it.
    pub(crate) async fn describe_evaluation(&self, mut build: Build) -> Result<Build, StepError> {
        let challenger = build.challenger()?.to_owned();
        for job in build.jobs.iter_mut().filter(|job| !job.is_done()) {
            match self.job_output(job).await? {
                Ok(output) => job.output = output,
                Err(reason) if job.model_arn != challenger && reason.starts_with(CANNOT_BE_LOADED) => {
                    job.unusable = Some(reason);
                }
                Err(reason) => {
                    let model = &job.model_arn;
                    return Err(StepError::Failed(format!(
                        "the evaluation of {model} failed: {reason}"
                    )));
                }
            }
        }
        if build.jobs.iter().all(Job::is_done) {
            build.status = Status::Evaluated;
        } else {
            build.wait_on(Utc::now());
        }
        Ok(build)
    }

    /// Returns the URI of a job's output once it is completed, or why it has failed.
    async fn job_output(&self, job: &Job) -> Result<Result<Option<String>, String>, StepError> {
        let what = format!("the evaluation of {}", job.model_arn);
        let describe = self.comprehend.describe_document_classification_job();
        let described = describe.job_id(&job.job_id).send().await;
        let described = described
            .map_err(|error| StepError::refused(&format!("{what} could not be described"), error))?;
        let Some(properties) = described.document_classification_job_properties else {
            return Err(StepError::Failed(format!("{what} has no description")));
        };
        let message = properties.message.as_deref().unwrap_or("no reason is given");
        match properties.job_status {
            Some(JobStatus::Completed) => {
                let output = properties.output_data_config.map(|output| output.s3_uri);
                output
                    .map(|output| Ok(Some(output)))
                    .ok_or_else(|| StepError::Failed(format!("{what} completed without an output")))
            }
            Some(JobStatus::Failed) => Ok(Err(message.to_owned())),
            Some(JobStatus::Stopped | JobStatus::StopRequested) => {
                Err(StepError::Failed(format!("{what} was stopped by somebody")))
            }
            _ => Ok(Ok(None)),
        }
    }

    /// Reads the held-out rows in the order in which they were classified.
    pub(crate) async fn test_rows(&self, manifest: &DatasetManifest) -> Result<Vec<Row>, StepError> {
        let key = &manifest.test.key;
        let Some(body) = self.bucket.open(key).await? else {
            return Err(StepError::Failed(format!("the test rows {key} are gone")));
        };
        let (body, mode) = (SyncIoBridge::new(body.into_async_read()), manifest.mode);
        let delimiter = manifest.label_delimiter.unwrap_or(LABEL_DELIMITER);
        let reading = spawn_blocking(move || {
            read_delimited_csv(body, mode, delimiter).collect::<Result<Vec<Row>, _>>()
        });
        let rows = reading.await.expect("reading neither panics nor is cancelled");
        rows.map_err(|bad| StepError::Failed(format!("the test rows {key} cannot be read: {bad}")))
    }

    /// Reads what was said of training rows by a model that had not seen them, which the built-in classifier leaves
    /// beside its confusion matrix.
    pub(crate) async fn cross_validation(&self, model_arn: &str) -> Result<Vec<TestPrediction>, StepError> {
        let failed = |what: &str| StepError::Failed(format!("the cross-validation of {model_arn} {what}"));
        let model = self.model(model_arn).await?;
        let output = model
            .and_then(|model| model.output_data_config?.s3_uri)
            .ok_or_else(|| failed("has no output"))?;
        let key = output
            .strip_prefix(&self.bucket.uri(""))
            .ok_or_else(|| failed("is not in the training bucket"))?;
        let Some(body) = self.bucket.open(key).await? else {
            return Err(failed("is gone"));
        };
        let body = SyncIoBridge::new(body.into_async_read());
        let reading = spawn_blocking(move || predictions::read_cross_validation(body));
        let read = reading.await.expect("reading neither panics nor is cancelled");
        let read = read.map_err(|error| failed(&format!("cannot be read: {error}")))?;
        match read.is_empty() {
            true => Err(failed("says nothing")),
            false => Ok(read),
        }
    }

    /// Reads what a job's model said of the test rows, in their order.
    pub(crate) async fn job_predictions(
        &self,
        job: &Job,
        rows: &[Row],
    ) -> Result<(Vec<TestPrediction>, Predictions), StepError> {
        let uri = job.output.as_deref().unwrap_or_default();
        let key = uri
            .strip_prefix(&self.bucket.uri(""))
            .ok_or_else(|| StepError::Failed(format!("the output {uri} is not in the training bucket")))?;
        let Some(body) = self.bucket.open(key).await? else {
            return Err(StepError::Failed(format!("the output {uri} is gone")));
        };
        let body = SyncIoBridge::new(body.into_async_read());
        let reading = spawn_blocking(move || predictions::read(body));
        let read = reading.await.expect("reading neither panics nor is cancelled");
        let read =
            read.map_err(|error| StepError::Failed(format!("the output {uri} cannot be read: {error}")))?;
        if read.by_line.is_empty() {
            return Err(StepError::Failed(format!(
                "the evaluation of {} has no prediction for any of {}",
                job.model_arn,
                counted(rows.len(), "row")
            )));
        }
        let predicted = rows.iter().enumerate().map(|(line, row)| {
            let (predicted, confidence) = match read.by_line.get(&line) {
                Some(prediction) => {
                    let labels = LabelNames::of(prediction.labels.iter().cloned());
                    (labels, f64::from(prediction.confidence))
                }
                None => (LabelNames::from(NO_ANSWER), 0.0),
            };
            TestPrediction {
                actual: LabelNames::of(row.labels.iter().cloned()),
                predicted,
                confidence,
            }
        });
        Ok((predicted.collect(), read))
    }
}
