//! Errors in the forms that AWS's protocols give them.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{iam::Denied, sigv4::Refusal};

/// How a service writes its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envelope {
    /// JSON 1.0 or 1.1: `__type` and `message` in the body.
    Json {
        /// Content type of the answer.
        content_type: &'static str,
        /// `message`, or `Message` with some services.
        message_member: &'static str,
    },
    /// REST with JSON: the code in `x-amzn-errortype`, `message` in the body.
    RestJson,
    /// Query: XML.
    Query,
}

/// An error of AWS: what an SDK reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AwsError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl AwsError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("statuses are literals"),
            code,
            message: message.into(),
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The operation exists on AWS, or may, but not here.
    pub(crate) fn not_implemented(service: &str, operation: &str) -> Self {
        let message = format!("{service}: {operation} is not implemented by the local services");
        Self::new(501, "NotImplemented", message)
    }

    pub(crate) fn unsigned() -> Self {
        Self::new(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    }

    pub(crate) fn into_response(self, envelope: Envelope) -> Response<Body> {
        let request_id = Uuid::new_v4().to_string();
        let mut response = match envelope {
            Envelope::Json {
                content_type,
                message_member,
            } => {
                // A client's fault is 400 in the JSON protocols, whatever it is.
                let client_fault = self.status.is_client_error();
                let status = if client_fault {
                    StatusCode::BAD_REQUEST
                } else {
                    self.status
                };
                let body = json!({ "__type": self.code, message_member: self.message });
                json_response(status, content_type, &body)
            }
            Envelope::RestJson => {
                // The services differ in the spelling of the member; SDKs read either.
                let body = json!({ "message": self.message, "Message": self.message });
                json_response(self.status, "application/json", &body)
            }
            Envelope::Query => {
                let code = query_code(self.code);
                let body = format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                     <Code>{code}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                    escape_xml(&self.message),
                );
                xml_response(self.status, body)
            }
        };
        let headers = response.headers_mut();
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.code));
        let request_id = request_id.parse().expect("an id is ASCII");
        headers.insert("x-amzn-requestid", request_id);
        response
    }
}

impl From<Refusal> for AwsError {
    fn from(refusal: Refusal) -> Self {
        Self::new(403, refusal.code, refusal.message)
    }
}

impl From<Denied> for AwsError {
    fn from(denied: Denied) -> Self {
        Self::new(403, "AccessDeniedException", denied.to_string())
    }
}

/// The Query protocol has older names for the same errors.
fn query_code(code: &str) -> &str {
    match code {
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        other => other.strip_suffix("Exception").unwrap_or(other),
    }
}

/// Makes an answer of a JSON document.
pub(crate) fn json_response(status: StatusCode, content_type: &'static str, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Makes an answer of an XML document.
pub(crate) fn xml_response(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("text/xml");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Writes a text so that XML takes it as text.
pub(crate) fn escape_xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
