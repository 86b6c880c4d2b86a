//! The models of a stack, here or on AWS: they are built, compared and rolled back.

use std::{io, pin::pin, time::Duration};

use active_learning_aws::{
    bucket::Bucket,
    encoder_in_use::{encoder_in_use, encoder_of_model},
    human_loops::without_room,
    label_set::LabelSets,
    model_classes::label_differences,
    overview::{self, Overview, Places},
    predictions,
    unknown_classes::{self, UnknownClass},
};
use active_learning_core::{
    dataset::TrainingFileReport, erasure::LearntAndErased, keys, model::comparison::Decision,
};
use aws_config::SdkConfig;
use aws_sdk_comprehend::error::DisplayErrorContext;
use model_building::{
    BuildRecord, DecisionRecord, Followed, Outcome, VersionSummary,
    export::{ExportSummary, Format, export},
};
use serde::Serialize;

use crate::{
    encoder,
    outputs::StackOutputs,
    phases::Phases,
    place::{self, sibling},
    report,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The models of one stack.
pub struct Models {
    sfn: aws_sdk_sfn::Client,
    comprehend: aws_sdk_comprehend::Client,
    bucket: Bucket,
    feedback: Bucket,
    review: Bucket,
    state_machine: String,
    /// ARN of the endpoint, where its service answers at the one endpoint; empty on AWS.
    endpoint: String,
    /// ARN of the SageMaker endpoint of a local stack whose model is hosted elsewhere.
    hosted: Option<String>,
    /// Whether a text may have several labels, as far as the stack says so.
    several_labels: bool,
    /// Whether the classifier is the built-in one, as far as the stack says so.
    has_built_in: bool,
    /// Whether the stack has the built-in review service, as far as it says so.
    has_portal: bool,
}

/// What an execution came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Built {
    /// Its record; none if another execution was under way.
    pub record: Option<BuildRecord>,
    /// Champion against challenger, if they were compared.
    pub decision: Option<Decision>,
    /// Whether the new model serves.
    pub deployed: bool,
    /// Whether it came to a decision, whichever way, or there was nothing to decide.
    pub decided: bool,
    /// Why, in words.
    why: String,
}

impl Models {
    /// Takes the models of a local stack.
    pub fn of_stack(config: &SdkConfig, stack: &StackOutputs) -> Self {
        let output = |name| stack.output(name).to_owned();
        let models = Self::new(
            config,
            output("TrainingS3Bucket"),
            output("ModelBuildingStateMachineArn"),
            output("ComprehendEndpointArnInUse"),
        );
        let hosted = output("SageMakerEndpointArnInUse");
        Self {
            hosted: (!hosted.is_empty()).then_some(hosted),
            several_labels: place::has_several_labels(stack),
            has_built_in: !output("TextClassifierRoleArn").is_empty(),
            has_portal: !output("ReviewPortalUrl").is_empty(),
            ..models.with_buckets(&output("FeedbackS3Bucket"), &output("ReviewS3Bucket"))
        }
    }

    /// Takes the models of a stack on AWS, by its training bucket.
    ///
    /// # Errors
    ///
    /// When the other buckets cannot be told from its name.
    pub async fn on_aws(bucket: String, state_machine: String) -> Result<Self, Failure> {
        let (feedback, review) = (sibling(&bucket, "feedback")?, sibling(&bucket, "review")?);
        let config = place::sdk_config(None).await;
        let models = Self::new(&config, bucket, state_machine, String::new());
        Ok(models.with_buckets(&feedback, &review))
    }

    fn with_buckets(self, feedback: &str, review: &str) -> Self {
        Self {
            feedback: self.bucket.other(feedback),
            review: self.bucket.other(review),
            ..self
        }
    }

    fn new(config: &SdkConfig, bucket: String, state_machine: String, endpoint: String) -> Self {
        let bucket = Bucket::new(aws_sdk_s3::Client::new(config), bucket);
        Self {
            sfn: aws_sdk_sfn::Client::new(config),
            comprehend: aws_sdk_comprehend::Client::new(config),
            feedback: bucket.clone(),
            review: bucket.clone(),
            bucket,
            state_machine,
            endpoint,
            hosted: None,
            several_labels: false,
            has_built_in: false,
            has_portal: false,
        }
    }

    /// Builds a model and waits for the end.
    ///
    /// # Errors
    ///
    /// When the execution cannot be started or followed.
    pub async fn build(&self) -> Result<Built, Failure> {
        self.follow(model_building::start_build(&self.sfn, &self.state_machine).await?)
            .await
    }

    /// Rolls back and waits for the end.
    ///
    /// # Errors
    ///
    /// When the execution cannot be started or followed.
    pub async fn roll_back(&self, to: Option<&str>) -> Result<Built, Failure> {
        let arn = match to {
            Some(version) if !version.starts_with("arn:") => Some(self.arn_of(version).await?),
            arn => arn.map(str::to_owned),
        };
        let to = arn.as_deref();
        self.follow(model_building::start_roll_back(&self.sfn, &self.state_machine, to).await?)
            .await
    }

    /// Approves the deployment of a build, or rejects it with a reason.
    ///
    /// # Errors
    ///
    /// When the build waits for nothing, or the state machine cannot be told.
    pub async fn decide(&self, build: &str, reject: Option<&str>) -> Result<(), Failure> {
        match reject {
            None => model_building::approve(&self.bucket, &self.sfn, build, &whoami()).await?,
            Some(reason) => model_building::reject(&self.bucket, &self.sfn, build, reason).await?,
        }
        Ok(())
    }

    /// Writes what people labelled.
    ///
    /// # Errors
    ///
    /// When the bucket cannot be read, or the output not be written.
    pub async fn export(&self, format: Format, output: impl io::Write) -> Result<ExportSummary, Failure> {
        Ok(export(&self.bucket, format, self.several_labels, output).await?)
    }

    /// Returns the ARN of a model by the name of its version, as `versions` shows it.
    async fn arn_of(&self, version: &str) -> Result<String, Failure> {
        let versions = self.versions().await?;
        let found = versions.iter().rev().find(|known| known.version == version);
        found
            .map(|known| known.model_arn.clone())
            .ok_or_else(|| format!("there is no model version `{version}`: `versions` lists them").into())
    }

    async fn follow(&self, execution: String) -> Result<Built, Failure> {
        let phases = Phases::default();
        let enter = |state: &str| phases.enter(state);
        let mut following = pin!(model_building::follow(&self.bucket, &self.sfn, &execution, enter));
        let mut second = tokio::time::interval(Duration::from_secs(1));
        let followed = loop {
            tokio::select! {
                followed = &mut following => break followed,
                _ = second.tick() => phases.show(),
            }
        };
        phases.end();
        let followed = followed?;
        let record = match followed {
            Followed::Recorded(record) => *record,
            Followed::AnotherBuildRuns(why) | Followed::Unrecorded(why) => {
                return Ok(Built {
                    record: None,
                    decision: None,
                    deployed: false,
                    decided: false,
                    why,
                });
            }
        };
        let decision: Option<DecisionRecord> = match &record.decision {
            None => None,
            Some(key) => self.bucket.read_document(key).await?,
        };
        Ok(Built {
            deployed: record.outcome == Outcome::Deployed,
            decided: record.outcome != Outcome::Failed,
            decision: decision.map(|decision| decision.decision),
            why: record.why.clone(),
            record: Some(record),
        })
    }

    /// Counts the questions for which the built-in review service had no room.
    ///
    /// # Errors
    ///
    /// When a bucket cannot be read.
    pub async fn without_room(&self) -> Result<usize, Failure> {
        Ok(without_room(&self.feedback, &self.review).await?)
    }

    /// Reads how the stack is doing.
    ///
    /// # Errors
    ///
    /// When a bucket cannot be read.
    pub async fn overview(&self) -> Result<Overview, Failure> {
        // On AWS, where the built-in review service has never asked anything, the queue may be that of Amazon A2I.
        let is_built_in =
            self.has_portal || !self.review.list_after("human-review/", "", 1).await?.is_empty();
        let places = Places {
            training: &self.bucket,
            feedback: &self.feedback,
            review: is_built_in.then_some(&self.review),
        };
        let now = std::time::SystemTime::now().into();
        let mut overview = Overview::read(places, now).await?;
        if let Some(hosted) = &self.hosted
            && overview.serving.as_ref().map(|serving| &serving.model_arn) != Some(hosted)
        {
            // A tick notes it; until then nothing in S3 says so.
            overview.serving = Some(overview::Serving::hosted(hosted, now));
            (overview.live_accuracy, overview.first_model) = (None, None);
        }
        Ok(overview)
    }

    /// Returns through which encoder the stack looks, and which one its serving model was trained with; `None` where the
    /// classifier is another service, or nothing says that it is not. `on_record` is the model that was put in service last:
    /// it serves where the endpoint is not at hand. What cannot be asked is not known, with the reason.
    pub async fn encoders(&self, on_record: Option<&str>) -> Option<encoder::OfStack> {
        match Box::pin(self.ask_encoders(on_record)).await {
            Ok(encoders) => encoders,
            Err(error) => Some(encoder::OfStack::unknown(error.to_string())),
        }
    }

    async fn ask_encoders(&self, on_record: Option<&str>) -> Result<Option<encoder::OfStack>, Failure> {
        let serving = self.serving().await?.or(on_record.map(str::to_owned));
        let of_model = match &serving {
            Some(model) => Some(encoder_of_model(&self.bucket, model).await?),
            None => None,
        };
        let asked = match self.has_built_in {
            true => Some(Box::pin(encoder_in_use(&self.comprehend)).await),
            // On AWS the classifier answers its own functions alone.
            false if of_model.as_ref().is_none_or(Option::is_none) => return Ok(None),
            false => None,
        };
        Ok(Some(encoder::OfStack::of(of_model, asked)))
    }

    /// Returns the classes that a hosted model gave and that the label set does not know.
    ///
    /// # Errors
    ///
    /// When a bucket cannot be read.
    pub async fn unknown_classes(&self) -> Result<Vec<UnknownClass>, Failure> {
        match LabelSets::new(self.bucket.clone()).current().await? {
            Some(set) => Ok(unknown_classes::read(&self.feedback, &set).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Returns the ARN of the model that serves on a local stack; `None` if there is none, or on AWS.
    ///
    /// # Errors
    ///
    /// When the endpoint cannot be described.
    pub async fn serving(&self) -> Result<Option<String>, Failure> {
        if self.hosted.is_some() {
            return Ok(self.hosted.clone());
        }
        match self.endpoint.as_str() {
            "" => Ok(None),
            endpoint => Ok(model_building::serving_model(&self.comprehend, endpoint).await?),
        }
    }

    /// Returns where the label set and the serving model differ, in words.
    ///
    /// # Errors
    ///
    /// When the bucket cannot be read.
    pub async fn label_differences(&self, serving: Option<String>) -> Result<Vec<String>, Failure> {
        match serving {
            Some(model) => Ok(label_differences(&self.bucket, &model).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Returns what is to be said of the serving model, if it has learnt from texts that were erased since.
    ///
    /// # Errors
    ///
    /// When the endpoint cannot be described, or the bucket not be read.
    pub async fn erased_from_serving(&self) -> Result<Option<String>, Failure> {
        let learnt: Option<LearntAndErased> = self.bucket.read_document(keys::LEARNT_AND_ERASED).await?;
        let Some(learnt) = learnt else { return Ok(None) };
        let versions = self.versions().await?;
        let serving = versions.iter().find(|version| version.serving);
        Ok(serving.and_then(|version| learnt.describe(&version.model_arn)))
    }

    /// Returns what of the labels the dataset leaves out that was assembled last, in words.
    ///
    /// # Errors
    ///
    /// When the bucket cannot be read.
    pub async fn dataset_warnings(&self) -> Result<Vec<String>, Failure> {
        Ok(model_building::assemble::warnings(&self.bucket).await?)
    }

    /// Lists the model versions, oldest first.
    ///
    /// # Errors
    ///
    /// When the endpoint cannot be described, or the bucket not be read.
    pub async fn versions(&self) -> Result<Vec<VersionSummary>, Failure> {
        let serving = self.serving().await?;
        let mut versions = model_building::versions(&self.bucket, serving.as_deref()).await?;
        if serving.is_none() {
            // The endpoint is behind a function on AWS: what was deployed last serves.
            let last = overview::serving(&self.bucket, std::time::SystemTime::now().into()).await?;
            let last = last.map(|serving| serving.model_arn);
            let is_last = |version: &&mut VersionSummary| Some(&version.model_arn) == last.as_ref();
            if let Some(version) = versions.iter_mut().find(is_last) {
                version.serving = true;
            }
        }
        Ok(versions)
    }

    /// Returns what became of the training files under `initial/`.
    ///
    /// # Errors
    ///
    /// When the bucket cannot be read.
    pub async fn training_files(&self) -> Result<Vec<TrainingFileReport>, Failure> {
        Ok(model_building::training_files(&self.bucket).await?)
    }

    /// Asks the endpoint of a local stack itself for the labels of a text: no feedback comes of it.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn classify(&self, text: &str) -> Result<Vec<String>, Failure> {
        let question = self
            .comprehend
            .classify_document()
            .endpoint_arn(&self.endpoint)
            .text(text);
        let answer = question
            .send()
            .await
            .map_err(|error| DisplayErrorContext(error).to_string())?;
        let prediction = predictions::read(&answer).prediction();
        Ok(prediction.map(|prediction| prediction.labels).unwrap_or_default())
    }
}

impl Built {
    /// Prints it, as JSON or for people.
    ///
    /// # Errors
    ///
    /// When it is no JSON, which cannot be.
    pub fn print(&self, json: bool) -> serde_json::Result<()> {
        match json {
            true => println!("{}", serde_json::to_string_pretty(self)?),
            false => print!("{}", self.describe()),
        }
        Ok(())
    }

    /// Describes it for people.
    pub fn describe(&self) -> String {
        let table = self.decision.as_ref().map(report::decision).unwrap_or_default();
        let Some(record) = &self.record else {
            return format!("Nothing was done: {}\n", self.why);
        };
        let verdict = report::verdict(record.outcome);
        let serving = record.serving.as_deref().unwrap_or("no model");
        // The table has the reasons already.
        let is_in_table = |decision: &Decision| match record.outcome {
            Outcome::Deployed => true,
            Outcome::Refused => !decision.deploy,
            Outcome::NothingNew
            | Outcome::DatasetReady
            | Outcome::RolledBack
            | Outcome::NothingToDo
            | Outcome::Failed => false,
        };
        let why = match self.why.is_empty() || self.decision.as_ref().is_some_and(is_in_table) {
            true => String::new(),
            false => format!(": {}", self.why),
        };
        format!("{table}  {verdict}{why}\n  {serving} serves\n")
    }
}

fn whoami() -> String {
    std::env::var("USER").unwrap_or_else(|_| "somebody at the command line".to_owned())
}
