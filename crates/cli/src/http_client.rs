//! Plain HTTP requests to this machine.

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// Sends a request to an absolute URL and reads the whole answer as text.
///
/// Redirects are answers, not followed.
///
/// # Errors
///
/// When nothing answers at the URL, or the connection breaks.
pub async fn send(
    request: Request<String>,
) -> Result<Response<String>, Box<dyn std::error::Error + Send + Sync>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.map(Full::<Bytes>::from)).await?;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok(Response::from_parts(
        parts,
        String::from_utf8_lossy(&bytes).into_owned(),
    ))
}
