//! Training the challenger.

use active_learning_core::{
    dataset::{DatasetManifest, Mode},
    feedback::prediction::LABEL_DELIMITER,
};
use aws_sdk_comprehend::types::{
    DocumentClassifierDataFormat, DocumentClassifierInputDataConfig, DocumentClassifierMode,
    DocumentClassifierOutputDataConfig, ModelStatus,
};
use chrono::Utc;
use tracing::warn;

use crate::{
    ModelBuilding,
    build::{Build, Status},
    deployment::token,
    error::StepError,
};

impl ModelBuilding {
    /// Begins to train on the dataset, unless a model of this version exists: no dataset is trained on twice.
    pub(crate) async fn train(&self, mut build: Build) -> Result<Build, StepError> {
        if let Some(flywheel) = &self.config.flywheel_arn {
            return self.feed_flywheel(build, flywheel).await;
        }
        let model = build.challenger()?;
        if self.model(model).await?.is_none() {
            let manifest = self.manifest(build.dataset()?).await?;
            self.create_classifier(&build, &manifest).await?;
        }
        build.begin_to_wait(Utc::now());
        Ok(build)
    }

    async fn create_classifier(&self, build: &Build, manifest: &DatasetManifest) -> Result<(), StepError> {
        let (mode, delimiter) = match manifest.mode {
            Mode::MultiClass => (DocumentClassifierMode::MultiClass, None),
            Mode::MultiLabel => (
                DocumentClassifierMode::MultiLabel,
                Some(manifest.label_delimiter.unwrap_or(LABEL_DELIMITER).to_string()),
            ),
        };
        let has_test_rows = manifest.test.summary.rows > 0;
        let input = DocumentClassifierInputDataConfig::builder()
            .data_format(DocumentClassifierDataFormat::ComprehendCsv)
            .s3_uri(self.bucket.uri(manifest.training_prefix()))
            .set_test_s3_uri(has_test_rows.then(|| self.bucket.uri(&manifest.test.key)))
            .set_label_delimiter(delimiter)
            .build();
        let output = DocumentClassifierOutputDataConfig::builder()
            .s3_uri(self.bucket.uri(&build.key("training/")))
            .build();
        let create = self.comprehend.create_document_classifier();
        let create = create
            .document_classifier_name(&self.config.classifier_name)
            .version_name(&manifest.version)
            .client_request_token(token(&[&self.config.classifier_name, &manifest.version]))
            .data_access_role_arn(&self.config.data_access_role_arn)
            .language_code(self.config.language_code.as_str().into())
            .mode(mode)
            .input_data_config(input)
            .output_data_config(output);
        match create.send().await {
            Ok(_) => Ok(()),
            // It was made since it was looked for: describing it says what becomes of it.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_in_use_exception()) =>
            {
                Ok(())
            }
            Err(error) => {
                let what = format!("the model version {} could not be made", manifest.version);
                Err(StepError::refused(&what, error))
            }
        }
    }

    /// Asks whether the challenger is trained.
    pub(crate) async fn describe_training(&self, mut build: Build) -> Result<Build, StepError> {
        if let (Some(flywheel), Some(turn)) = (&self.config.flywheel_arn, build.flywheel.take()) {
            return self.describe_turn(build, flywheel, turn).await;
        }
        let arn = build.challenger()?.to_owned();
        let Some(model) = self.model(&arn).await? else {
            return Err(StepError::Failed(format!(
                "the model {arn} was deleted while it was trained"
            )));
        };
        let message = model.message.as_deref().unwrap_or("no reason is given");
        match model.status {
            Some(ModelStatus::Trained) => build.status = Status::Trained,
            Some(ModelStatus::TrainedWithWarning) => {
                warn!(model.arn = arn, message, "trained with a warning");
                build.status = Status::Trained;
            }
            Some(ModelStatus::InError) => {
                return Err(StepError::Failed(format!(
                    "the training of {arn} ended in an error: {message}; delete this model version to train on \
                     the same data again"
                )));
            }
            Some(status @ (ModelStatus::Stopped | ModelStatus::StopRequested | ModelStatus::Deleting)) => {
                return Err(StepError::Failed(format!(
                    "the training of {arn} was ended by somebody: its status is {status}"
                )));
            }
            // Submitted, training, or a status that is newer than this program.
            _ => build.wait_on(Utc::now()),
        }
        Ok(build)
    }
}
