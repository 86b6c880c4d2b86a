//! Operations that the SDK of Comprehend does not have: of the built-in classifier, and of services that speak the same
//! protocol.
//!
//! The SDK signs, sends and tries again as it does for `ClassifyDocument`; an interceptor exchanges what is asked
//! and keeps the answer.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_comprehend::{
    Client,
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut},
    },
    error::BoxError,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use serde_json::Value;

use crate::failure::Refusal;

const TARGET_PREFIX: &str = "Comprehend_20171127.";

/// Asks, and returns the body of the answer.
///
/// # Errors
///
/// [`Refusal`]: the classifier refused, or did not answer. Comprehend refuses every such operation.
pub(crate) async fn ask(
    client: &Client,
    operation: &'static str,
    question: &Value,
) -> Result<Bytes, Refusal> {
    call(client, format!("{TARGET_PREFIX}{operation}"), question).await
}

/// Calls what a target names, and returns the body of the answer.
///
/// # Errors
///
/// [`Refusal`]: the service refused, or did not answer.
pub(crate) async fn call(client: &Client, target: String, question: &Value) -> Result<Bytes, Refusal> {
    let exchange = Exchange {
        target,
        question: question.to_string(),
        answer: Arc::default(),
    };
    let asking = client
        .classify_document()
        .customize()
        .interceptor(exchange.clone());
    asking.send().await?;
    let answer = exchange
        .answer
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    Ok(answer.unwrap_or_default())
}

/// Makes another operation's call of `ClassifyDocument`.
#[derive(Clone, Debug)]
struct Exchange {
    target: String,
    question: String,
    answer: Arc<Mutex<Option<Bytes>>>,
}

impl Intercept for Exchange {
    fn name(&self) -> &'static str {
        "Exchange"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let target = self.target.clone();
        let length = self.question.len().to_string();
        request.headers_mut().insert("x-amz-target", target);
        request.headers_mut().insert("content-length", length);
        *request.body_mut() = SdkBody::from(self.question.clone());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().map(Bytes::copy_from_slice);
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = body;
        Ok(())
    }
}
