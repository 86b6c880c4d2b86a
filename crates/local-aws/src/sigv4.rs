//! Signature Version 4 in the `Authorization` header, as all services but S3 check it.
//!
//! Not implemented: signatures in the query string, unsigned payloads, SigV4A.

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::{HeaderMap, header, request::Parts};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::iam::{Iam, Principal};

/// How far the clocks of client and service may be apart.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// Who has signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose access key it is.
    pub principal: Principal,
    /// Id of that access key.
    pub access_key_id: String,
}

/// Why a signature is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// AWS's error code.
    pub code: &'static str,
    /// AWS's error message.
    pub message: String,
}

impl Refusal {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    fn invalid_signature(message: impl Into<String>) -> Self {
        Self::new("InvalidSignatureException", message)
    }
}

/// Checks the signature of a request to `service` in `region`.
///
/// # Errors
///
/// [`Refusal`] where it is not signed, not by a key of `iam`, for another service or Region, or more than five minutes
/// before or after `now`.
pub fn verify(
    iam: &Iam,
    request: &Parts,
    body: &[u8],
    service: &str,
    region: &str,
    now: DateTime<Utc>,
) -> Result<Caller, Refusal> {
    let authorization = Authorization::of(&request.headers)?;
    let unknown = || {
        let message = "The security token included in the request is invalid.";
        Refusal::new("UnrecognizedClientException", message)
    };
    let key_id = authorization.access_key_id;
    let (secret, principal) = iam.access_key(key_id).ok_or_else(unknown)?;
    let token = text(&request.headers, "x-amz-security-token");
    if !iam.has_session_token(key_id, token) {
        return Err(unknown());
    }
    if iam.has_expired(key_id, now) {
        let message = "The security token included in the request is expired";
        return Err(Refusal::new("ExpiredTokenException", message));
    }
    if authorization.service != service {
        let message = format!("Credential should be scoped to correct service: '{service}'. ");
        return Err(Refusal::invalid_signature(message));
    }
    if authorization.region != region {
        let message = format!(
            "Credential should be scoped to a valid region, not '{}'; the services here are in {region}. ",
            authorization.region
        );
        return Err(Refusal::invalid_signature(message));
    }
    let signed_at = signing_time(&request.headers, &authorization, now)?;

    let canonical = canonical_request(request, body, authorization.signed_headers)?;
    let string_to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{}\n{}",
        signed_at.format("%Y%m%dT%H%M%SZ"),
        authorization.scope,
        hex::encode(Sha256::digest(canonical)),
    );
    let key = generate_signing_key(&secret, signed_at.into(), region, service);
    if calculate_signature(key, string_to_sign.as_bytes()) != authorization.signature {
        return Err(Refusal::invalid_signature(
            "The request signature we calculated does not match the signature you provided. \
             Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ));
    }
    Ok(Caller {
        principal,
        access_key_id: key_id.to_owned(),
    })
}

/// Returns the service in the credential scope of a request, signed by header, without checking
/// anything.
pub(crate) fn signing_service(headers: &HeaderMap) -> Option<&str> {
    Authorization::of(headers)
        .ok()
        .map(|authorization| authorization.service)
}

/// The parts of the `Authorization` header.
struct Authorization<'a> {
    access_key_id: &'a str,
    /// `date/region/service/aws4_request`.
    scope: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn of(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let value = text(headers, "authorization").ok_or_else(|| {
            Refusal::new(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            )
        })?;
        let incomplete = |what: &str| {
            let message = format!("Authorization header requires {what}.");
            Refusal::new("IncompleteSignatureException", message)
        };
        let parameters = value
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .ok_or_else(|| incomplete("the algorithm AWS4-HMAC-SHA256"))?;
        let parameter = |name: &str| {
            parameters
                .split(',')
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
                .ok_or_else(|| incomplete(&format!("'{name}' parameter")))
        };
        let credential = parameter("Credential")?;
        let (access_key_id, scope) = credential
            .split_once('/')
            .ok_or_else(|| incomplete("a credential scope"))?;
        let [date, region, service, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else {
            return Err(incomplete("a scope of date/region/service/aws4_request"));
        };
        Ok(Self {
            access_key_id,
            scope,
            date,
            region,
            service,
            signed_headers: parameter("SignedHeaders")?,
            signature: parameter("Signature")?,
        })
    }
}

fn signing_time(
    headers: &HeaderMap,
    authorization: &Authorization<'_>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Refusal> {
    let date = text(headers, "x-amz-date").unwrap_or_default();
    let signed_at = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ")
        .map(|time| time.and_utc())
        .map_err(|_| {
            let message = "Authorization header requires existence of a 'X-Amz-Date' header.";
            Refusal::new("IncompleteSignatureException", message)
        })?;
    if !date.starts_with(authorization.date) {
        let message =
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP";
        return Err(Refusal::invalid_signature(message));
    }
    let format = "%Y%m%dT%H%M%SZ";
    let (earliest, latest) = (now - MAX_CLOCK_SKEW, now + MAX_CLOCK_SKEW);
    let compare = |problem: &str, limit: DateTime<Utc>, sign: char| {
        Err(Refusal::invalid_signature(format!(
            "{problem} {} ({} {sign} 5 min.)",
            limit.format(format),
            now.format(format),
        )))
    };
    if signed_at < earliest {
        return compare(
            &format!("Signature expired: {date} is now earlier than"),
            earliest,
            '-',
        );
    }
    if signed_at > latest {
        return compare(
            &format!("Signature not yet current: {date} is still later than"),
            latest,
            '+',
        );
    }
    Ok(signed_at)
}

fn canonical_request(request: &Parts, body: &[u8], signed_headers: &str) -> Result<String, Refusal> {
    if !signed_headers.split(';').any(|name| name == "host") {
        let message = "'Host' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(Refusal::invalid_signature(message));
    }
    let headers: String = signed_headers
        .split(';')
        .map(|name| format!("{name}:{}\n", canonical_header(request, name)))
        .collect();
    Ok(format!(
        "{}\n{}\n{}\n{headers}\n{signed_headers}\n{}",
        request.method,
        canonical_path(request.uri.path()),
        canonical_query(request.uri.query().unwrap_or_default()),
        hex::encode(Sha256::digest(body)),
    ))
}

/// The path as sent, dot segments and doubled slashes removed, encoded once more.
fn canonical_path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    let path = format!("/{}{end}", segments.join("/"));
    utf8_percent_encode(&path, RESERVED_IN_PATH).to_string()
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (encode(&name), encode(&value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn canonical_header(request: &Parts, name: &str) -> String {
    let values: Vec<String> = request
        .headers
        .get_all(name)
        .iter()
        .map(|value| {
            let value = String::from_utf8_lossy(value.as_bytes());
            value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect();
    if values.is_empty() && name == header::HOST {
        return request
            .uri
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default();
    }
    values.join(",")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
