//! What a provider says of itself: its endpoints and its keys.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use super::{OidcError, Provider, id_token};

/// How long what was read is taken for true.
const FRESH: Duration = Duration::hours(1);
/// Least time between two looks for a key that is not known: anybody can bring a token with an unknown one.
const KEY_PAUSE: Duration = Duration::seconds(30);

/// A provider's discovery document, as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    #[serde(default)]
    pub(super) userinfo_endpoint: Option<String>,
    #[serde(default)]
    pub(super) end_session_endpoint: Option<String>,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// What was read of a provider.
#[derive(Default)]
pub(super) struct Known {
    metadata: Option<(DateTime<Utc>, Arc<Metadata>)>,
    keys: Option<(DateTime<Utc>, Vec<Jwk>)>,
}

/// Returns a URL that a provider may name: https, or http where the issuer is on this machine as well.
pub(super) fn checked_url(url: &str, issuer: &str) -> Result<Url, OidcError> {
    let wrong = OidcError::Metadata("one of its addresses is no https URL");
    let parsed = Url::parse(url).map_err(|_| wrong)?;
    let is_plain = parsed.username().is_empty() && parsed.password().is_none() && parsed.fragment().is_none();
    let is_safe = match parsed.scheme() {
        "https" => true,
        "http" => is_loopback(&parsed) && Url::parse(issuer).is_ok_and(|issuer| is_loopback(&issuer)),
        _ => false,
    };
    let is_issuer_without_query = url != issuer || parsed.query().is_none();
    match is_plain && is_safe && is_issuer_without_query {
        true => Ok(parsed),
        false => Err(wrong),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl Metadata {
    pub(super) fn parse(body: &[u8], issuer: &str) -> Result<Self, OidcError> {
        let metadata: Self = serde_json::from_slice(body)
            .map_err(|_| OidcError::Metadata("its discovery document cannot be read"))?;
        if metadata.issuer != issuer {
            return Err(OidcError::Metadata("its discovery document names another issuer"));
        }
        let needed = [
            &metadata.authorization_endpoint,
            &metadata.token_endpoint,
            &metadata.jwks_uri,
        ];
        let others = metadata
            .userinfo_endpoint
            .iter()
            .chain(&metadata.end_session_endpoint);
        for url in needed.into_iter().chain(others) {
            checked_url(url, issuer)?;
        }
        let methods = metadata.code_challenge_methods_supported.as_ref();
        if methods.is_some_and(|methods| !methods.iter().any(|method| method == "S256")) {
            return Err(OidcError::Metadata("it does not take PKCE with S256"));
        }
        Ok(metadata)
    }

    /// Returns whether a client with a secret shows it in a header: the default, where the provider says nothing.
    pub(super) fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
    }
}

/// Reads a list of keys; those of kinds that nobody here knows do no harm.
pub(super) fn read_keys(body: &[u8]) -> Result<Vec<Jwk>, OidcError> {
    let set: KeySet =
        serde_json::from_slice(body).map_err(|_| OidcError::Metadata("its keys cannot be read"))?;
    let keys = set
        .keys
        .into_iter()
        .filter_map(|key| serde_json::from_value(key).ok());
    Ok(keys.collect())
}

impl Provider {
    /// Returns the discovery document as it was within the last hour.
    pub(super) async fn metadata(&self, now: DateTime<Utc>) -> Result<Arc<Metadata>, OidcError> {
        let mut known = self.known.lock().await;
        if let Some((_, metadata)) = known.metadata.as_ref().filter(|(at, _)| now - *at < FRESH) {
            return Ok(metadata.clone());
        }
        let issuer = &self.settings.issuer;
        let url = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let body = self.document(&url, "discovery document").await?;
        let metadata = Arc::new(Metadata::parse(&body, issuer)?);
        known.metadata = Some((now, metadata.clone()));
        Ok(metadata)
    }

    /// Returns the key that a token names, once looked for again where it is not known.
    pub(super) async fn key(
        &self,
        metadata: &Metadata,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Jwk, OidcError> {
        let mut known = self.known.lock().await;
        let (read_at, found) = match &known.keys {
            Some((read_at, keys)) if now - *read_at < FRESH => {
                (Some(*read_at), id_token::key_of(token, keys)?.cloned())
            }
            _ => (None, None),
        };
        if let Some(key) = found {
            return Ok(key);
        }
        let unknown = OidcError::Untrusted("its key is not one of the provider's");
        if read_at.is_some_and(|read_at| now - read_at < KEY_PAUSE) {
            return Err(unknown);
        }

        let body = self.document(&metadata.jwks_uri, "list of keys").await?;
        let keys = read_keys(&body)?;
        let found = id_token::key_of(token, &keys)?.cloned();
        known.keys = Some((now, keys));
        found.ok_or(unknown)
    }

    async fn document(&self, url: &str, what: &'static str) -> Result<Vec<u8>, OidcError> {
        match self.http.get(url, None).await {
            Some((200, body)) => Ok(body),
            _ => Err(OidcError::Unavailable(what)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://id.example.com/realm";

    fn document(changed: (&str, Value)) -> Vec<u8> {
        let mut document = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://id.example.com/auth",
            "token_endpoint": "https://id.example.com/token",
            "jwks_uri": "https://keys.example.com/jwks",
        });
        document[changed.0] = changed.1;
        document.to_string().into_bytes()
    }

    #[test]
    fn a_discovery_document_of_another_issuer_or_with_unsafe_addresses_is_refused() {
        let parse = |name: &str, value: Value| Metadata::parse(&document((name, value)), ISSUER);

        assert!(parse("issuer", json!(ISSUER)).is_ok());
        for (name, value) in [
            ("issuer", json!("https://id.example.com")),
            ("token_endpoint", json!("http://id.example.com/token")),
            ("jwks_uri", json!("http://127.0.0.1/jwks")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("userinfo_endpoint", json!("https://a@id.example.com/me")),
            ("end_session_endpoint", json!("javascript:alert(1)")),
            ("code_challenge_methods_supported", json!(["plain"])),
            ("jwks_uri", Value::Null),
        ] {
            assert!(parse(name, value).is_err(), "{name}");
        }
    }

    #[test]
    fn an_issuer_without_encryption_is_one_of_this_machine() {
        for url in [
            "https://id.example.com",
            "http://127.0.0.1:3000",
            "http://localhost:3000/a",
            "http://[::1]",
        ] {
            assert!(checked_url(url, url).is_ok(), "{url}");
        }
        for url in [
            "http://id.example.com",
            "http://127.0.0.1.example.com",
            "ftp://a",
            "https://a?b",
            "https://u@a",
        ] {
            assert!(checked_url(url, url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_secret_is_shown_in_a_header_unless_the_provider_wants_it_otherwise() {
        let takes_basic = |value: Value| {
            let document = document(("token_endpoint_auth_methods_supported", value));
            Metadata::parse(&document, ISSUER).expect("usable").takes_basic()
        };

        assert!(takes_basic(Value::Null) && takes_basic(json!(["client_secret_basic"])));
        assert!(!takes_basic(json!(["client_secret_post"])));
    }
}
