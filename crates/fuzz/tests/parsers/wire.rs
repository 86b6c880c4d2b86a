//! Requests as they are sent, read and signed.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
        SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use http::{HeaderName, HeaderValue, Method, Request, Uri};

/// Where the local services are asked.
pub const HOST: &str = "127.0.0.1:4566";

/// Reads a request: a line with method and target, headers, an empty line, a body. None where a server would not have
/// one either.
pub fn read(bytes: &[u8]) -> Option<Request<Vec<u8>>> {
    let end = bytes.windows(2).position(|two| two == b"\n\n")?;
    let (head, body) = (&bytes[..end], &bytes[end + 2..]);
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.splitn(2, |byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let target = Uri::try_from(words.next()?).ok()?;

    let mut request = Request::new(body.to_vec());
    *request.method_mut() = method;
    *request.uri_mut() = target;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        request.headers_mut().append(name, value);
    }
    Some(request)
}

/// What is to be signed, by the user `test`.
pub struct Unsigned<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub service: &'a str,
    /// Headers beside `host`.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is said of the body where it is not signed itself.
    pub payload: Option<&'a str>,
    pub body: &'a [u8],
}

impl Unsigned<'_> {
    /// Signs it now, in the query where it is a link, and writes it as it is sent.
    pub fn signed(&self, is_link: bool) -> Vec<u8> {
        let mut settings = SigningSettings::default();
        if is_link {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(3_600));
        }
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = match is_link {
                true => PayloadChecksumKind::NoHeader,
                false => PayloadChecksumKind::XAmzSha256,
            };
        }
        let identity = Credentials::from_keys("test", "test", None).into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(self.service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .expect("complete")
            .into();
        let url = format!("http://{HOST}{}", self.target);
        let headers = [("host", HOST)].into_iter().chain(self.headers.iter().copied());
        let body = match self.payload {
            Some(payload) => SignableBody::Precomputed(payload.to_owned()),
            None if is_link => SignableBody::UnsignedPayload,
            None => SignableBody::Bytes(self.body),
        };
        let request = SignableRequest::new(self.method, &url, headers.clone(), body).expect("signable");
        let (instructions, _) = sign(request, &parameters).expect("signed").into_parts();
        let mut request = Request::new(());
        *request.uri_mut() = url.parse().expect("a URL");
        instructions.apply_to_request_http1x(&mut request);

        let target = request.uri().path_and_query().expect("a target");
        let mut written = format!("{} {target}", self.method);
        for (name, value) in headers {
            written += &format!("\n{name}: {value}");
        }
        for (name, value) in request.headers() {
            written += &format!("\n{name}: {}", value.to_str().expect("ASCII"));
        }
        [written.as_bytes(), b"\n\n", self.body].concat()
    }
}
