//! The endpoint and the models around it, as Comprehend describes them.

use std::{fmt, str::FromStr};

use active_learning_aws::env::{ConfigError, Env};
use aws_sdk_comprehend::{
    Client,
    types::{DocumentClassifierProperties, EndpointStatus, ModelStatus},
};

use crate::{ModelBuilding, error::StepError};

/// ARN of the endpoint that serves; models are of the same partition, Region and account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointArn {
    arn: String,
    /// `arn:aws:comprehend:<region>:<account>`.
    scope: String,
    name: String,
}

/// Not the ARN of a document classifier endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected arn:aws:comprehend:<region>:<account>:document-classifier-endpoint/<name>")]
pub struct InvalidEndpointArn;

impl FromStr for EndpointArn {
    type Err = InvalidEndpointArn;

    fn from_str(arn: &str) -> Result<Self, Self::Err> {
        let (scope, name) = arn
            .split_once(":document-classifier-endpoint/")
            .filter(|(scope, name)| scope.split(':').count() == 5 && !name.is_empty())
            .ok_or(InvalidEndpointArn)?;
        Ok(Self {
            arn: arn.to_owned(),
            scope: scope.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for EndpointArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.arn)
    }
}

impl EndpointArn {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the ARN of a model version.
    pub(crate) fn model_arn(&self, name: &str, version: &str) -> String {
        format!("{}:document-classifier/{name}/version/{version}", self.scope)
    }
}

/// What serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServingEndpoint {
    /// An endpoint of Comprehend or of the built-in classifier, whose models are built here.
    Comprehend(EndpointArn),
    /// A SageMaker endpoint, by its ARN: its model is made and deployed elsewhere.
    Hosted(String),
}

impl ServingEndpoint {
    /// Reads which of the two a function's environment names.
    pub(crate) fn from_env(env: &Env) -> Result<Self, ConfigError> {
        match env.optional("SAGEMAKER_ENDPOINT_ARN")? {
            Some(arn) => {
                env.optional::<String>("COMPREHEND_ENDPOINT_ARN")?;
                Ok(Self::Hosted(arn))
            }
            None => env.required("COMPREHEND_ENDPOINT_ARN").map(Self::Comprehend),
        }
    }

    /// Returns the ARN of the hosted endpoint, if it is one.
    pub(crate) fn hosted(&self) -> Option<&str> {
        match self {
            Self::Hosted(arn) => Some(arn),
            Self::Comprehend(_) => None,
        }
    }

    /// Returns the endpoint whose models are built here.
    ///
    /// # Errors
    ///
    /// [`StepError::Failed`] where the model is hosted elsewhere.
    pub(crate) fn of_built_models(&self) -> Result<&EndpointArn, StepError> {
        match self {
            Self::Comprehend(endpoint) => Ok(endpoint),
            Self::Hosted(arn) => Err(StepError::Failed(format!(
                "the model behind {arn} is hosted elsewhere: it is trained, deployed and rolled back there"
            ))),
        }
    }
}

/// What Comprehend says of the endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub status: EndpointStatus,
    pub model: Option<String>,
    pub desired: Option<String>,
    pub message: Option<String>,
}

impl Endpoint {
    /// Returns whether this model serves and no other is to.
    pub(crate) fn serves(&self, model: &str) -> bool {
        self.status == EndpointStatus::InService
            && self.model.as_deref() == Some(model)
            && self.desired.as_deref().is_none_or(|desired| desired == model)
    }

    /// Returns whether the endpoint is being changed.
    pub(crate) fn is_changing(&self) -> bool {
        matches!(self.status, EndpointStatus::Creating | EndpointStatus::Updating)
    }

    /// Returns whether this is the built-in endpoint before its first model.
    pub(crate) fn is_without_model(&self) -> bool {
        self.status == EndpointStatus::Creating && self.model.is_none() && self.desired.is_none()
    }
}

async fn describe(client: &Client, arn: &str) -> Result<Option<Endpoint>, StepError> {
    let properties = match client.describe_endpoint().endpoint_arn(arn).send().await {
        Ok(described) => described.endpoint_properties,
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            return Ok(None);
        }
        Err(error) => {
            let what = format!("the endpoint {arn} could not be described");
            return Err(StepError::refused(&what, error));
        }
    };
    Ok(properties.map(|properties| Endpoint {
        status: properties.status.unwrap_or(EndpointStatus::Failed),
        model: properties.model_arn,
        desired: properties.desired_model_arn,
        message: properties.message,
    }))
}

/// Returns the ARN of the model that serves at an endpoint; `None` without an endpoint or a model in service.
///
/// # Errors
///
/// [`StepError`], what Comprehend answered.
pub async fn serving_model(client: &Client, endpoint_arn: &str) -> Result<Option<String>, StepError> {
    let endpoint = describe(client, endpoint_arn).await?;
    Ok(endpoint.and_then(|endpoint| match endpoint.status {
        EndpointStatus::InService | EndpointStatus::Updating => endpoint.model,
        _ => None,
    }))
}

impl ModelBuilding {
    /// Describes the endpoint; `None` if there is none.
    pub(crate) async fn endpoint(&self) -> Result<Option<Endpoint>, StepError> {
        describe(&self.comprehend, &self.config.endpoint.of_built_models()?.arn).await
    }

    /// Returns the ARN of the model that serves, if one does; a hosted one is known by its endpoint.
    pub(crate) async fn serving(&self) -> Result<Option<String>, StepError> {
        match &self.config.endpoint {
            ServingEndpoint::Hosted(arn) => Ok(Some(arn.clone())),
            ServingEndpoint::Comprehend(endpoint) => serving_model(&self.comprehend, &endpoint.arn).await,
        }
    }

    /// Returns the model that serves; `None` at the built-in endpoint before its first model.
    pub(crate) async fn champion(&self) -> Result<Option<String>, StepError> {
        let arn = match &self.config.endpoint {
            ServingEndpoint::Hosted(arn) => return Ok(Some(arn.clone())),
            ServingEndpoint::Comprehend(endpoint) => endpoint,
        };
        let Some(endpoint) = self.endpoint().await? else {
            return Err(StepError::Failed(format!(
                "there is no endpoint {arn}: create it with a first model (it is billed from then on, so nothing \
                 here creates one), or use the built-in classifier"
            )));
        };
        match &endpoint.status {
            EndpointStatus::InService => Ok(endpoint.model),
            _ if endpoint.is_without_model() => Ok(None),
            EndpointStatus::Creating | EndpointStatus::Updating => {
                Err(StepError::NotNow(format!("the endpoint {arn} is being changed")))
            }
            status => Err(StepError::Failed(format!(
                "the endpoint {arn} is not in service but {status}: {}",
                endpoint.message.as_deref().unwrap_or("no reason is given")
            ))),
        }
    }

    /// Describes a model; `None` if there is none.
    pub(crate) async fn model(&self, arn: &str) -> Result<Option<DocumentClassifierProperties>, StepError> {
        let describe = self.comprehend.describe_document_classifier();
        match describe.document_classifier_arn(arn).send().await {
            Ok(described) => Ok(described.document_classifier_properties),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => {
                let what = format!("the model {arn} could not be described");
                Err(StepError::refused(&what, error))
            }
        }
    }

    /// Checks that a model can serve.
    pub(crate) async fn check_usable(&self, arn: &str) -> Result<(), StepError> {
        let status = self.model(arn).await?.and_then(|model| model.status);
        match status {
            Some(ModelStatus::Trained | ModelStatus::TrainedWithWarning) => Ok(()),
            Some(status) => Err(StepError::Failed(format!(
                "the model {arn} cannot serve: its status is {status}"
            ))),
            None => Err(StepError::Failed(format!("there is no model {arn} any more"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_the_scope_of_the_endpoint() {
        let arn = "arn:aws-us-gov:comprehend:us-gov-west-1:123456789012:document-classifier-endpoint/news";

        let endpoint: EndpointArn = arn.parse().expect("an ARN");

        assert_eq!((endpoint.to_string().as_str(), endpoint.name()), (arn, "news"));
        assert_eq!(
            endpoint.model_arn("news", "v1"),
            "arn:aws-us-gov:comprehend:us-gov-west-1:123456789012:document-classifier/news/version/v1"
        );
        for wrong in [
            "news",
            "arn:aws:comprehend:us-east-1:1:endpoint/x",
            "a:document-classifier-endpoint/x",
        ] {
            assert!(wrong.parse::<EndpointArn>().is_err(), "{wrong}");
        }
    }
}
