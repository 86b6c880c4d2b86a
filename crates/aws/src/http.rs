//! HTTP requests to servers that are none of AWS's: receivers of webhooks, providers that sign people in.
//!
//! Not by the client of the SDK, to which an answer with a header that is not UTF-8 is none: HTTP allows such headers (RFC
//! 9110, `obs-text`). Redirects are answers, not followed.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lambda_runtime::tracing::warn;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

/// Why there is no answer. Names neither server nor request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nothing listens, its certificate is not trusted, or the connection broke.
    #[error("no connection")]
    Connection,
    /// None came in time.
    #[error("no answer in time")]
    InTime,
    /// What came is not HTTP.
    #[error("an answer that is not HTTP")]
    Unreadable,
}

/// A client.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Time to connect and for the head of the answer.
    limit: Duration,
}

impl HttpClient {
    /// Makes a client that trusts the certificates of the system, with a time to connect and one for an answer after that.
    pub fn new(to_connect: Duration, for_an_answer: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(to_connect));
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls())
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self {
            client,
            limit: to_connect + for_an_answer,
        }
    }

    /// Sends a request to an absolute URL; its body is still to be read.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`]; the request may have arrived.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Incoming>, NoAnswer> {
        let answer = self.client.request(request.map(Full::new));
        let answer = timeout(self.limit, answer).await.map_err(|_| NoAnswer::InTime)?;
        answer.map_err(|error| match is_unreadable(&error) {
            true => NoAnswer::Unreadable,
            false => NoAnswer::Connection,
        })
    }
}

fn is_unreadable(error: &dyn Error) -> bool {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(error) = source.downcast_ref::<hyper::Error>() {
            return error.is_parse();
        }
        next = source.source();
    }
    false
}

fn tls() -> ClientConfig {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (trusted, _) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        warn!(errors = ?found.errors, "there is no certificate that the system trusts");
    }
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows the versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A server that answers once with these bytes.
    async fn answering(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(answer).await;
        });
        url
    }

    async fn status(url: &str) -> Result<u16, NoAnswer> {
        let client = HttpClient::new(SECOND, SECOND);
        let request = Request::post(url).body(Bytes::from_static(b"{}"));
        let answer = client.send(request.expect("a request")).await;
        answer.map(|answer| answer.status().as_u16())
    }

    #[tokio::test]
    async fn an_answer_counts_whatever_bytes_its_headers_hold() {
        let url = answering(b"HTTP/1.1 204 No Content\r\nx-place: M\xfcnchen\r\n\r\n").await;

        assert_eq!(status(&url).await, Ok(204));
    }

    #[tokio::test]
    async fn why_there_is_no_answer_is_told() {
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let nowhere = format!("http://{}/", free.local_addr().expect("an address"));
        drop(free);

        assert_eq!(status(&nowhere).await, Err(NoAnswer::Connection));
        assert_eq!(
            status(&answering(b"SSH-2.0-x\r\n\r\n").await).await,
            Err(NoAnswer::Unreadable)
        );
    }
}
