//! The function of the reviewers' portal, invoked by an operator: here or on AWS.

use active_learning_aws::failure::chain;
use aws_sdk_lambda::{Client, error::SdkError, primitives::Blob};
use human_review::operations::Operation;
use serde_json::Value;

use crate::{outputs::StackOutputs, place::sdk_config};

/// Template output that names the function of the portal.
const FUNCTION_OUTPUT: &str = "ReviewPortalFunction";
/// What the function calls a payload that it does not know.
const UNKNOWN_OPERATION: &str = "InvalidOperation";

/// Why the function did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PortalError {
    /// The template does not say which function it is.
    #[error("the template has no output {FUNCTION_OUTPUT}: there is no reviewers' portal")]
    NoPortal,
    /// Nothing answers at the endpoint.
    #[error("no stack answers at {0}; start it first")]
    NotRunning(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// Lambda did not invoke it, or its answer did not come.
    #[error("the function {0} could not be invoked: {1}")]
    NotInvoked(String, String),
    /// The function refused, or failed.
    #[error("the portal's function refused: {0}")]
    Refused(String),
    /// The function does not know what was asked of it.
    #[error("the function {0} is of an earlier version: deploy the stack again")]
    Outdated(String),
}

/// The function.
#[derive(Debug)]
pub struct PortalFunction {
    lambda: Client,
    name: String,
    /// Where the local stack answers; none on AWS.
    endpoint_url: Option<String>,
    /// Where the portal of a local stack is; the function on AWS knows it.
    portal_url: Option<String>,
}

impl PortalFunction {
    /// Returns the function of a local stack.
    ///
    /// # Errors
    ///
    /// [`PortalError::NoPortal`].
    pub async fn of_stack(stack: &StackOutputs) -> Result<Self, PortalError> {
        let name = stack.output(FUNCTION_OUTPUT);
        if name.is_empty() {
            return Err(PortalError::NoPortal);
        }
        Ok(Self {
            lambda: Client::new(&sdk_config(Some(&stack.endpoint_url)).await),
            name: name.to_owned(),
            endpoint_url: Some(stack.endpoint_url.clone()),
            portal_url: Some(stack.portal_url.clone()),
        })
    }

    /// Returns a function on AWS, by name or ARN.
    pub async fn on_aws(name: String) -> Self {
        Self {
            lambda: Client::new(&sdk_config(None).await),
            name,
            endpoint_url: None,
            portal_url: None,
        }
    }

    /// Returns where the portal is, if the function does not know it.
    pub fn portal_url(&self) -> Option<String> {
        self.portal_url.clone()
    }

    /// Invokes the function, and returns its answer.
    ///
    /// # Errors
    ///
    /// [`PortalError`].
    pub async fn call(&self, operation: &Operation) -> Result<Value, PortalError> {
        let payload = serde_json::to_vec(operation).expect("an operation has string keys");
        let invoked = self
            .lambda
            .invoke()
            .function_name(&self.name)
            .payload(Blob::new(payload))
            .send()
            .await;

        let invoked = match (invoked, &self.endpoint_url) {
            (Ok(invoked), _) => invoked,
            (Err(SdkError::DispatchFailure(failure)), Some(url)) => {
                let cause = failure
                    .as_connector_error()
                    .map_or("it broke off".to_owned(), |error| chain(error));
                return Err(PortalError::NotRunning(url.clone(), cause.into()));
            }
            (Err(error), _) => return Err(PortalError::NotInvoked(self.name.clone(), chain(&error))),
        };
        let answer = invoked.payload.unwrap_or_else(|| Blob::new(Vec::new()));
        let answer: Value = serde_json::from_slice(answer.as_ref()).unwrap_or_default();
        if invoked.function_error.is_none() {
            return Ok(answer);
        }
        if answer["errorType"] == UNKNOWN_OPERATION {
            return Err(PortalError::Outdated(self.name.clone()));
        }
        let reason = answer["errorMessage"].as_str().unwrap_or("it gave no reason");
        Err(PortalError::Refused(reason.to_owned()))
    }
}
