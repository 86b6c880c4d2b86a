//! A model behind a SageMaker endpoint: what it is asked, and what it answers.

use active_learning_core::feedback::{
    hosted_model::{self, AnswerPaths, RequestTemplate},
    prediction::{ClassScore, Prediction},
};
use aws_config::SdkConfig;
use aws_sdk_sagemakerruntime::{Client, error::ProvideErrorMetadata, primitives::Blob};
use lambda_runtime::tracing::debug;

use crate::{
    class_names::ClassNames,
    classifier::ClassifierError,
    env::{ConfigError, Env},
    failure::{Refusal, chain},
};

/// What is asked where only it matters whether there is an answer.
const ANY_TEXT: &str = "Is this model in service?";

/// What an operator says of a model behind a SageMaker endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedSettings {
    endpoint_arn: String,
    content_type: String,
    request: RequestTemplate,
    /// Where the answer has label and score; none for the usual shapes.
    paths: Option<AnswerPaths>,
    several_labels: bool,
}

impl HostedSettings {
    /// Reads the settings from a function's environment; `None` where no endpoint is named.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let endpoint_arn: Option<String> = env.optional("SAGEMAKER_ENDPOINT_ARN")?;
        let content_type: String = env.required("SAGEMAKER_CONTENT_TYPE")?;
        let template: String = env.required("SAGEMAKER_REQUEST_TEMPLATE")?;
        let label = env.optional("SAGEMAKER_LABEL_PATH")?;
        let score = env.optional("SAGEMAKER_SCORE_PATH")?;
        let several_labels = env.required("SEVERAL_LABELS")?;
        let Some(endpoint_arn) = endpoint_arn else {
            return Ok(None);
        };

        let invalid = |name: &str, reason: String| ConfigError::Invalid {
            name: name.to_owned(),
            reason,
        };
        let request = RequestTemplate::new(&template, &content_type)
            .map_err(|error| invalid("SAGEMAKER_REQUEST_TEMPLATE", error.to_string()))?;
        let paths = match (label, score) {
            (Some(label), Some(score)) => Some(AnswerPaths { label, score }),
            (None, None) => None,
            _ => {
                let reason = "the paths of label and score belong together: give both or neither";
                return Err(invalid("SAGEMAKER_LABEL_PATH", reason.to_owned()));
            }
        };
        Ok(Some(Self {
            endpoint_arn,
            content_type,
            request,
            paths,
            several_labels,
        }))
    }
}

/// A model behind a SageMaker endpoint.
#[derive(Clone, Debug)]
pub struct HostedModel {
    client: Client,
    settings: HostedSettings,
    names: ClassNames,
}

impl HostedModel {
    /// Asks the endpoint of the settings, whose classes have other names here.
    pub(crate) fn new(sdk: &SdkConfig, settings: HostedSettings, names: ClassNames) -> Self {
        Self {
            client: Client::new(sdk),
            names,
            settings,
        }
    }

    /// Returns the ARN of the endpoint, which stands for its model: which one that is, nobody here knows.
    pub(crate) fn endpoint_arn(&self) -> &str {
        &self.settings.endpoint_arn
    }

    pub(crate) fn names(&self) -> &ClassNames {
        &self.names
    }

    /// Classifies a text.
    ///
    /// # Errors
    ///
    /// [`ClassifierError`].
    pub(crate) async fn classify(&self, text: &str) -> Result<Prediction, ClassifierError> {
        let classes = self.ask(text).await?;
        let prediction = Prediction::of_labels(self.names.name(classes).await, self.settings.several_labels);
        prediction.ok_or(ClassifierError::NoPrediction)
    }

    /// Returns whether the endpoint answers.
    pub(crate) async fn answers(&self) -> bool {
        match self.ask(ANY_TEXT).await {
            Ok(_) => true,
            Err(error) => {
                debug!(error = chain(&error), "the endpoint does not answer");
                false
            }
        }
    }

    async fn ask(&self, text: &str) -> Result<Vec<ClassScore>, ClassifierError> {
        let arn = &self.settings.endpoint_arn;
        let name = arn.rsplit('/').next().unwrap_or(arn);
        let invoke = self
            .client
            .invoke_endpoint()
            .endpoint_name(name)
            .content_type(&self.settings.content_type)
            .accept("application/json")
            .body(Blob::new(self.settings.request.fill(text)));
        let answer = invoke.send().await.map_err(|error| {
            let model_error = error.as_service_error().and_then(|error| match error {
                aws_sdk_sagemakerruntime::operation::invoke_endpoint::InvokeEndpointError::ModelError(
                    error,
                ) => Some(error.original_status_code()),
                _ => None,
            });
            let is_missing = error.code() == Some("ValidationError")
                && error.message().is_some_and(says_that_there_is_none);
            let refusal = Refusal::from(error);
            match model_error {
                Some(status) => ClassifierError::ModelFailed { status, refusal },
                None if is_missing => ClassifierError::NoEndpoint(refusal),
                None => ClassifierError::Refused(refusal),
            }
        })?;
        let body = answer.body().map(AsRef::as_ref).unwrap_or_default();
        hosted_model::read_answer(body, self.settings.paths.as_ref()).map_err(ClassifierError::Unreadable)
    }
}

/// Returns whether a `ValidationError` is about the endpoint, `Endpoint <name> of account <account> not found.`, and not
/// about the request.
fn says_that_there_is_none(message: &str) -> bool {
    message.starts_with("Endpoint ") && message.contains("not found")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(changed: &[(&str, &str)]) -> Result<Option<HostedSettings>, ConfigError> {
        let mut variables = vec![
            (
                "SAGEMAKER_ENDPOINT_ARN",
                "arn:aws:sagemaker:us-east-1:123456789012:endpoint/news",
            ),
            ("SAGEMAKER_CONTENT_TYPE", "application/json"),
            ("SAGEMAKER_REQUEST_TEMPLATE", r#"{"inputs": {{text}}}"#),
            ("SAGEMAKER_LABEL_PATH", ""),
            ("SAGEMAKER_SCORE_PATH", ""),
            ("SEVERAL_LABELS", "false"),
        ];
        for variable in &mut variables {
            if let Some(change) = changed.iter().find(|change| change.0 == variable.0) {
                *variable = *change;
            }
        }
        let env: Env = variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        HostedSettings::from_env(&env)
    }

    #[test]
    fn without_an_endpoint_no_setting_matters_and_with_one_each_is_checked() {
        let wrong = [
            ("SAGEMAKER_REQUEST_TEMPLATE", "no text"),
            ("SAGEMAKER_LABEL_PATH", "$[0].label"),
            ("SAGEMAKER_SCORE_PATH", "score"),
        ];

        assert!(settings(&[]).expect("complete").is_some());
        for (name, value) in wrong {
            assert!(settings(&[(name, value)]).is_err(), "{name}");
        }
        assert_eq!(
            settings(&[
                ("SAGEMAKER_ENDPOINT_ARN", ""),
                ("SAGEMAKER_REQUEST_TEMPLATE", "no text")
            ]),
            Ok(None)
        );
    }
}
