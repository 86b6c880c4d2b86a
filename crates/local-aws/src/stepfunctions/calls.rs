//! The calls that tasks make, with the role of their machine.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{StepFunctions, definition::Resource, failure::Failure};
use crate::{
    iam::{Call, PolicyDocument, Principal},
    lambda::InvokeError,
    sns::PublishError,
};

/// Why a call has no result.
enum NoResult {
    Failed(Failure),
    /// The services stop: the call is to be made again.
    Stopping,
}

impl From<Failure> for NoResult {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl StepFunctions {
    /// Makes a call; `None` if the services stop meanwhile.
    pub(super) async fn call(
        &self,
        role_arn: &str,
        resource: Resource,
        request: Value,
    ) -> Option<Result<Value, Failure>> {
        let outcome = match resource {
            Resource::Function(arn) => self.invoke(role_arn, &arn, request).await,
            Resource::LambdaInvoke | Resource::LambdaInvokeAndWait => {
                self.lambda_invoke(role_arn, request).await
            }
            Resource::SnsPublish => self.sns_publish(role_arn, &request).map_err(NoResult::Failed),
        };
        match outcome {
            Ok(result) => Some(Ok(result)),
            Err(NoResult::Failed(failure)) => Some(Err(failure)),
            Err(NoResult::Stopping) => None,
        }
    }

    async fn lambda_invoke(&self, role_arn: &str, mut request: Value) -> Result<Value, NoResult> {
        let payload = request.get_mut("Payload").map_or_else(|| json!({}), Value::take);
        let Some(function) = request["FunctionName"].as_str() else {
            return Err(Failure::runtime("The parameter FunctionName is not a text.").into());
        };
        let answer = self.invoke(role_arn, function, payload).await?;
        Ok(sdk_result(
            json!({"ExecutedVersion": "$LATEST", "Payload": answer, "StatusCode": 200}),
        ))
    }

    async fn invoke(&self, role_arn: &str, function: &str, payload: Value) -> Result<Value, NoResult> {
        let arn = self.lambda.function_arn(function);
        let policy = self.lambda.policy(function);
        self.authorize(role_arn, "lambda:InvokeFunction", &arn, policy.as_ref())?;
        let failure = match self.lambda.invoke(function, payload.to_string().into()).await {
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.payload).into_owned();
                if output.function_error.is_none() {
                    return Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)));
                }
                let document: Value = serde_json::from_str(&text).unwrap_or_default();
                let error = document["errorType"].as_str().unwrap_or("Lambda.Unknown");
                Failure::new(error, text)
            }
            Err(error @ InvokeError::NotFound(_)) => {
                Failure::new("Lambda.ResourceNotFoundException", error.to_string())
            }
            Err(error @ InvokeError::Throttled) => {
                Failure::new("Lambda.TooManyRequestsException", error.to_string())
            }
            Err(InvokeError::Stopping) => return Err(NoResult::Stopping),
        };
        Err(failure.into())
    }

    fn sns_publish(&self, role_arn: &str, request: &Value) -> Result<Value, Failure> {
        let Some(topic_arn) = request["TopicArn"].as_str() else {
            return Err(Failure::runtime("The parameter TopicArn is not a text."));
        };
        let message = match &request["Message"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            document => document.to_string(),
        };
        self.assume(role_arn, "sns:Publish")?;
        let role = Principal::Role {
            arn: role_arn.to_owned(),
        };
        let published = self
            .sns
            .publish(&role, topic_arn, request["Subject"].as_str(), &message);
        let message_id = published.map_err(|error| match &error {
            PublishError::Denied(_) => Failure::new("States.Permissions", error.to_string()),
            PublishError::TopicDoesNotExist => Failure::new("SNS.NotFoundException", error.to_string()),
            PublishError::Invalid(_) => Failure::new("SNS.InvalidParameterException", error.to_string()),
            PublishError::Log(_) => Failure::new("SNS.InternalErrorException", error.to_string()),
        })?;
        Ok(sdk_result(json!({"MessageId": message_id})))
    }

    fn authorize(
        &self,
        role_arn: &str,
        action: &str,
        resource: &str,
        resource_policy: Option<&PolicyDocument>,
    ) -> Result<(), Failure> {
        self.assume(role_arn, action)?;
        let call = Call {
            principal: &Principal::Role {
                arn: role_arn.to_owned(),
            },
            action,
            resource,
            context: &BTreeMap::new(),
            resource_policy,
        };
        let decision = self.iam.authorize(&call);
        decision.map_err(|denied| Failure::new("States.Permissions", denied.to_string()))
    }

    fn assume(&self, role_arn: &str, action: &str) -> Result<(), Failure> {
        if self.iam.may_assume("states.amazonaws.com", role_arn) {
            return Ok(());
        }
        let cause = format!("states.amazonaws.com cannot assume {role_arn} to perform {action}");
        Err(Failure::new("States.Permissions", cause))
    }
}

/// Adds what the results of integrations have besides the service's answer.
fn sdk_result(mut result: Value) -> Value {
    let request_id = uuid::Uuid::new_v4().to_string();
    result["SdkHttpMetadata"] = json!({"HttpStatusCode": 200});
    result["SdkResponseMetadata"] = json!({"RequestId": request_id});
    result
}
