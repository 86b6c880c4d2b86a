//! HTTP requests inside Lambda events: API Gateway's REST proxy event (format 1.0) and the Function URL
//! event (format 2.0).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

/// A request, whichever event brought it.
#[derive(Debug, Default)]
pub struct HttpRequest {
    /// Upper case.
    pub method: String,
    /// Path below stage or function; may be percent-encoded in a Function URL event.
    pub path: String,
    /// Decoded query parameters, the last one of a name.
    pub query: BTreeMap<String, String>,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// Decoded body.
    pub body: Vec<u8>,
    /// Path as the client sees it, with the stage; for proxy events.
    pub full_path: String,
    /// Id of the request.
    pub request_id: String,
    /// Address that API Gateway saw; for proxy events.
    pub source_ip: String,
}

impl HttpRequest {
    /// Returns a header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns whether the client asks for JSON, and not for a page: as a page's script does, or by an address with `.json` at
    /// its end.
    pub fn wants_json(&self) -> bool {
        let accepts = self.header("accept");
        self.path.ends_with(".json") || accepts.is_some_and(|accept| accept.starts_with("application/json"))
    }

    /// Returns whether the client came by HTTPS.
    pub fn is_https(&self) -> bool {
        self.header("x-forwarded-proto") == Some("https")
    }

    /// Returns the URL under which the client sees the root path, without a slash at the end.
    pub fn base_url(&self) -> String {
        let scheme = if self.is_https() { "https" } else { "http" };
        let host = self.header("host").unwrap_or_default();
        let stage = self.full_path.strip_suffix(&self.path).unwrap_or(&self.full_path);
        format!("{scheme}://{host}{}", stage.trim_end_matches('/'))
    }

    /// Returns the fields of a form body; of several with one name the last.
    pub fn form(&self) -> BTreeMap<String, String> {
        self.fields().into_iter().collect()
    }

    /// Returns all fields of a form body, in their order: a list of which several are chosen is several fields of one name.
    pub fn fields(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// A reply with a text body, good for both event formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpReply {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: BTreeMap<&'static str, String>,
    /// Body.
    pub body: String,
}

impl HttpReply {
    /// Returns the answer to a client of a network from which the portal may not be reached: as if nothing were there.
    pub fn not_found() -> Self {
        Self::plain(404, "Not Found\n")
    }

    /// Returns the answer where it cannot be told whether a client may reach the portal.
    pub fn unavailable() -> Self {
        Self::plain(503, "The storage did not answer. Please try again.\n")
    }

    fn plain(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: BTreeMap::from([
                ("content-type", "text/plain; charset=utf-8".to_owned()),
                ("cache-control", "no-store".to_owned()),
            ]),
            body: body.to_owned(),
        }
    }

    /// Returns the reply as Lambda hands it back.
    pub fn into_event(self) -> Value {
        json!({
            "statusCode": self.status,
            "headers": self.headers,
            "body": self.body,
            "isBase64Encoded": false,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxyEvent {
    http_method: String,
    path: String,
    headers: Option<BTreeMap<String, String>>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: ProxyContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxyContext {
    path: Option<String>,
    request_id: Option<String>,
    #[serde(default)]
    identity: ProxyIdentity,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxyIdentity {
    source_ip: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UrlEvent {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    headers: Option<BTreeMap<String, String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: UrlContext,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UrlContext {
    http: UrlHttp,
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct UrlHttp {
    method: String,
}

/// What invoked the function.
#[derive(Debug)]
pub enum Invocation {
    /// The Function URL: the A2I API.
    FunctionUrl(HttpRequest),
    /// API Gateway: the portal.
    Proxy(HttpRequest),
    /// Somebody with the right to invoke the function.
    Direct(Value),
}

/// An event that is neither of the kinds.
#[derive(Debug, thiserror::Error)]
#[error("the event cannot be read")]
pub struct InvalidEvent(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Invocation {
    /// Reads an event.
    ///
    /// # Errors
    ///
    /// [`InvalidEvent`] when it looks like an HTTP event and is not one.
    pub fn read(event: Value) -> Result<Self, InvalidEvent> {
        if event.get("rawPath").is_some() {
            let event: UrlEvent =
                serde_json::from_value(event).map_err(|error| InvalidEvent(Box::new(error)))?;
            Ok(Self::FunctionUrl(event.try_into()?))
        } else if event.get("httpMethod").is_some() {
            let event: ProxyEvent =
                serde_json::from_value(event).map_err(|error| InvalidEvent(Box::new(error)))?;
            Ok(Self::Proxy(event.try_into()?))
        } else {
            Ok(Self::Direct(event))
        }
    }
}

impl TryFrom<ProxyEvent> for HttpRequest {
    type Error = InvalidEvent;

    fn try_from(event: ProxyEvent) -> Result<Self, InvalidEvent> {
        Ok(Self {
            method: event.http_method,
            query: event.query_string_parameters.unwrap_or_default(),
            headers: lower_case_names(event.headers),
            body: decode_body(event.body, event.is_base64_encoded)?,
            full_path: event.request_context.path.unwrap_or_else(|| event.path.clone()),
            request_id: event.request_context.request_id.unwrap_or_default(),
            source_ip: event.request_context.identity.source_ip.unwrap_or_default(),
            path: event.path,
        })
    }
}

impl TryFrom<UrlEvent> for HttpRequest {
    type Error = InvalidEvent;

    fn try_from(event: UrlEvent) -> Result<Self, InvalidEvent> {
        let query = url::form_urlencoded::parse(event.raw_query_string.as_bytes());
        Ok(Self {
            method: event.request_context.http.method,
            query: query.into_owned().collect(),
            headers: lower_case_names(event.headers),
            body: decode_body(event.body, event.is_base64_encoded)?,
            full_path: event.raw_path.clone(),
            request_id: event.request_context.request_id.unwrap_or_default(),
            source_ip: String::new(),
            path: event.raw_path,
        })
    }
}

fn lower_case_names(headers: Option<BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let headers = headers.unwrap_or_default().into_iter();
    headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect()
}

fn decode_body(body: Option<String>, is_base64: bool) -> Result<Vec<u8>, InvalidEvent> {
    let body = body.unwrap_or_default();
    if is_base64 {
        return STANDARD
            .decode(body)
            .map_err(|error| InvalidEvent(Box::new(error)));
    }
    Ok(body.into_bytes())
}
