//! What may be said of a failed call: codes and causes, never the text that was sent.

use std::{error::Error, fmt};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// Codes that mean "slow down", in the spellings that services use: those by which the SDK knows it, the short form
/// of two, and the other of S3's.
const THROTTLING: [&str; 17] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottleException",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// A service's refusal, reduced to what identifies it.
///
/// Services quote what they refuse, so their message, body and headers are left out: this is safe for
/// logs and for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Error code, if the service gave one.
    pub code: Option<String>,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Id of the request, if the service gave one.
    pub request_id: Option<String>,
    /// What went wrong in the SDK's words.
    kind: &'static str,
}

impl<E: ProvideErrorMetadata> From<SdkError<E>> for Refusal {
    fn from(error: SdkError<E>) -> Self {
        let response = error.raw_response();
        let header = |name| response.and_then(|response| response.headers().get(name));
        Self {
            code: error.code().map(str::to_owned),
            status: response.map(|response| response.status().as_u16()),
            request_id: header("x-amzn-requestid")
                .or_else(|| header("x-amz-request-id"))
                .map(str::to_owned),
            kind: match &error {
                SdkError::ConstructionFailure(_) => "the request could not be made",
                SdkError::TimeoutError(_) => "no answer in time",
                SdkError::DispatchFailure(_) => "no connection",
                SdkError::ResponseError(_) => "the answer could not be read",
                _ => "refused",
            },
        }
    }
}

impl Refusal {
    /// Says that no answer came within the caller's own time limit.
    pub fn no_answer_in_time() -> Self {
        Self {
            code: None,
            status: None,
            request_id: None,
            kind: "no answer in time",
        }
    }

    /// Returns whether the service asks to slow down.
    pub fn is_throttling(&self) -> bool {
        self.status == Some(429)
            || self
                .code
                .as_deref()
                .is_some_and(|code| THROTTLING.contains(&code))
    }

    /// Returns whether the same call may succeed soon: throttled, failed inside, or never answered.
    pub fn is_transient(&self) -> bool {
        self.is_throttling()
            || self.code.as_deref() == Some("ServiceUnavailableException")
            || self.status.is_none_or(|status| status >= 500)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind)?;
        if let Some(code) = &self.code {
            write!(formatter, " with {code}")?;
        }
        if let Some(status) = self.status {
            write!(formatter, ", HTTP {status}")?;
        }
        if let Some(id) = &self.request_id {
            write!(formatter, ", request {id}")?;
        }
        Ok(())
    }
}

impl Error for Refusal {}

/// Writes an error with its causes, for the log.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use axum::{Router, http::StatusCode};

    use super::*;

    async fn refusal(status: StatusCode, body: &'static str) -> Refusal {
        let router =
            Router::new().fallback(move || async move { (status, [("x-amzn-requestid", "r-1")], body) });
        let config = local_aws::transport::sdk_config(router, Credentials::from_keys("test", "test", None));
        let call = crate::clients::comprehend(&config, None).classify_document();
        let error = call.endpoint_arn("arn").text("secret").send().await;
        Refusal::from(error.expect_err("refused"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_names_code_status_and_request_but_not_the_message() {
        let body = r#"{"__type":"ValidationException","message":"Value 'secret' at 'text' is wrong"}"#;

        let refusal = refusal(StatusCode::BAD_REQUEST, body).await;

        assert_eq!(
            refusal.to_string(),
            "refused with ValidationException, HTTP 400, request r-1"
        );
        assert!(!format!("{refusal:?}").contains("secret"));
        assert!(!refusal.is_transient());
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_is_known_by_code_whatever_the_status() {
        let refusal = refusal(StatusCode::BAD_REQUEST, r#"{"__type":"ThrottlingException"}"#).await;

        assert!(refusal.is_throttling() && refusal.is_transient());
    }

    #[test]
    fn a_chain_names_every_cause() {
        let cause = std::io::Error::other("broken pipe");
        let error = crate::bucket::BucketError::Broken {
            uri: "s3://feedback/claims/1".into(),
            source: cause.into(),
        };

        let error = crate::claims::ClaimError::from(error);

        assert_eq!(
            chain(&error),
            "a claim could not be made or given back: \
             s3://feedback/claims/1 could not be read or sent to its end: broken pipe"
        );
    }
}
