//! One-time links into the reviewers' portal.

use std::time::SystemTime;

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use http::Request;
use human_review::session::Role;
use serde_json::{Value, json};

use crate::{http_client::send, outputs::StackOutputs};
use local_stack::{stack::REGION, user};

/// Template output that names the function of the portal.
const FUNCTION_OUTPUT: &str = "ReviewPortalFunction";

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The template does not say which function makes links.
    #[error("the template has no output {FUNCTION_OUTPUT}, so nothing makes sign-in links")]
    NoPortal,
    /// Nothing answers at the endpoint.
    #[error("no stack answers at {0}; start it first")]
    NotRunning(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The function refused, or failed.
    #[error("the function made no link: {0}")]
    Refused(String),
}

/// Makes a link that signs `reviewer` in, once. On AWS, `aws lambda invoke` does the same.
///
/// # Errors
///
/// [`SignInError`], for example when the stack does not run.
pub async fn create_link(stack: &StackOutputs, reviewer: &str) -> Result<String, SignInError> {
    create_link_as(stack, reviewer, Role::Reviewer).await
}

/// Makes a link that signs `reviewer` in, once, with this role.
///
/// # Errors
///
/// [`SignInError`], for example when the stack does not run.
pub async fn create_link_as(stack: &StackOutputs, reviewer: &str, role: Role) -> Result<String, SignInError> {
    let function = stack.output(FUNCTION_OUTPUT);
    if function.is_empty() {
        return Err(SignInError::NoPortal);
    }
    let payload = json!({
        "operation": "create-sign-in-link",
        "reviewer": reviewer,
        "portalUrl": stack.portal_url,
        "role": role,
    });
    let answer = invoke(&stack.endpoint_url, function, &payload).await?;
    match answer.get("url").and_then(Value::as_str) {
        Some(url) => Ok(url.to_owned()),
        None => {
            let reason = answer.get("errorMessage").or_else(|| answer.get("message"));
            let reason = reason.and_then(Value::as_str).unwrap_or("it gave no reason");
            Err(SignInError::Refused(reason.to_owned()))
        }
    }
}

/// Has the worker task template in use tried with a made-up task of so many items. Returns what is wrong with it, one
/// sentence each; nothing where its answers can be read, or where there is no portal.
///
/// # Errors
///
/// [`SignInError`], for example when the stack does not run.
pub async fn try_template(stack: &StackOutputs, items: usize) -> Result<Vec<String>, SignInError> {
    let function = stack.output(FUNCTION_OUTPUT);
    if function.is_empty() {
        return Ok(Vec::new());
    }
    let payload = json!({"operation": "try-template", "items": items});
    let answer = invoke(&stack.endpoint_url, function, &payload).await?;
    if answer["works"] == true {
        return Ok(Vec::new());
    }
    let notices = answer["notices"].as_array().into_iter().flatten();
    let notices: Vec<String> = notices.filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(match notices.is_empty() {
        true => vec!["It could not be tried.".to_owned()],
        false => notices,
    })
}

/// Invokes a function by Lambda's own API and returns its answer, or the error document.
async fn invoke(endpoint_url: &str, function: &str, payload: &Value) -> Result<Value, SignInError> {
    let request = signed_request(endpoint_url, function, payload.to_string());
    let response = send(request)
        .await
        .map_err(|error| SignInError::NotRunning(endpoint_url.to_owned(), error))?;
    Ok(serde_json::from_str(response.body()).unwrap_or_default())
}

fn signed_request(endpoint_url: &str, function: &str, body: String) -> Request<String> {
    const VALID: &str = "the parts of the request are known to be valid";
    let url = format!("{endpoint_url}/2015-03-31/functions/{function}/invocations");
    let authority = endpoint_url.trim_start_matches("http://");
    let identity = user::credentials().into();
    let settings = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("lambda")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .expect(VALID)
        .into();
    let signable_body = SignableBody::Bytes(body.as_bytes());
    let headers = [("host", authority)].into_iter();
    let signable = SignableRequest::new("POST", &url, headers, signable_body).expect(VALID);
    let (instructions, _) = sign(signable, &settings).expect(VALID).into_parts();
    let mut request = Request::post(&url).body(body).expect(VALID);
    instructions.apply_to_request_http1x(&mut request);
    request
}
