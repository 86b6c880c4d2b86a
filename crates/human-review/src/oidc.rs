//! Sign-in by an OpenID Connect provider: authorization code with PKCE, state and nonce.
//!
//! The provider says who somebody is and in which groups; everything after is a session as a one-time link begins it.
//! Sources: OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0, RFC 7636 (PKCE), RFC 9207 (issuer of an answer).

mod http;
mod id_token;
mod metadata;
mod pending;
mod person;
mod sign_out;
mod signature;

use std::fmt;

use active_learning_aws::env::{ConfigError, Env};
use aws_config::SdkConfig;
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::form_urlencoded::{Serializer, byte_serialize};

use self::http::Http;
use self::metadata::{Known, Metadata};
pub use self::pending::{LOGIN_COOKIE, PENDING_LIFETIME, Pending};
pub use self::person::Person;

/// How long the client secret that was read is in use.
const SECRET_FRESH: Duration = Duration::minutes(5);
/// What is asked to know of somebody. Providers that know no groups leave them out.
const SCOPES: &str = "openid email profile";

/// What an operator says of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// The issuer, an https URL, or an http URL of this machine (`OIDC_ISSUER`).
    pub issuer: String,
    /// Name of this client there (`OIDC_CLIENT_ID`).
    pub client_id: String,
    /// ARN of the client's secret; none for a public client (`OIDC_CLIENT_SECRET_ARN`).
    pub client_secret_arn: Option<String>,
    /// Scopes beside the usual ones, such as `groups` (`OIDC_SCOPES`).
    pub more_scopes: Option<String>,
    /// Claim with the groups of a person (`OIDC_GROUPS_CLAIM`).
    pub groups_claim: String,
    /// Group of the admins; without one, roles are those of the console (`OIDC_ADMIN_GROUP`).
    pub admin_group: Option<String>,
    /// Group of the reviewers; without one, everybody whom the provider signs in (`OIDC_REVIEWER_GROUP`).
    pub reviewer_group: Option<String>,
}

impl OidcSettings {
    /// Reads the settings from the function's environment; `None` where no issuer is named.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let issuer: Option<String> = env.optional("OIDC_ISSUER")?;
        let client_id: Option<String> = env.optional("OIDC_CLIENT_ID")?;
        let settings = Self {
            issuer: issuer.clone().unwrap_or_default(),
            client_id: client_id.clone().unwrap_or_default(),
            client_secret_arn: env.optional("OIDC_CLIENT_SECRET_ARN")?,
            more_scopes: env.optional("OIDC_SCOPES")?,
            groups_claim: env.required("OIDC_GROUPS_CLAIM")?,
            admin_group: env.optional("OIDC_ADMIN_GROUP")?,
            reviewer_group: env.optional("OIDC_REVIEWER_GROUP")?,
        };
        let Some(issuer) = issuer else {
            return Ok(None);
        };
        metadata::checked_url(&issuer, &issuer).map_err(|_| ConfigError::Invalid {
            name: "OIDC_ISSUER".to_owned(),
            reason: "expected an https URL without query, or an http URL of this machine".to_owned(),
        })?;
        match client_id {
            Some(_) => Ok(Some(settings)),
            None => Err(ConfigError::Missing("OIDC_CLIENT_ID".to_owned())),
        }
    }
}

/// Why nobody is signed in. Never holds a token, a code or a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// The provider does not answer.
    #[error("the provider's {0} did not answer")]
    Unavailable(&'static str),
    /// The provider says of itself what cannot be used.
    #[error("the provider is not set up as it must be: {0}")]
    Metadata(&'static str),
    /// The client secret cannot be read.
    #[error("the client secret cannot be read")]
    Secret,
    /// The provider did not sign in: the person cancelled it, or may not.
    #[error("the provider did not sign in")]
    Denied,
    /// The sign-in was not begun in this browser, or too long ago.
    #[error("no sign-in of this browser waits for the answer")]
    NotBegun,
    /// The answer of a sign-in was brought before.
    #[error("the answer was brought before")]
    Replayed,
    /// The provider does not take the code.
    #[error("the provider refused the code or the client")]
    CodeRefused,
    /// What the provider says cannot be trusted.
    #[error("the identity token is refused: {0}")]
    Untrusted(&'static str),
    /// The person is in none of the groups that may review.
    #[error("the person is in no group that may come in")]
    NotInGroup,
}

/// A provider.
pub struct Provider {
    settings: OidcSettings,
    http: Http,
    secrets: Option<aws_sdk_secretsmanager::Client>,
    known: Mutex<Known>,
    secret: Mutex<Option<(DateTime<Utc>, String)>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Provider")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What a token endpoint answers.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    #[serde(default)]
    access_token: Option<String>,
}

/// Returns who an identity token is of, by what a provider has published and with nothing asked: its discovery document, the
/// list of its keys, and the token that it made for this sign-in.
///
/// # Errors
///
/// [`OidcError`].
pub fn read_person(
    (discovery, keys, token): (&[u8], &[u8], &str),
    settings: &OidcSettings,
    nonce: &str,
    now: DateTime<Utc>,
) -> Result<Person, OidcError> {
    signature::install();
    Metadata::parse(discovery, &settings.issuer)?;
    let keys = metadata::read_keys(keys)?;
    let unknown = OidcError::Untrusted("its key is not one of the provider's");
    let key = id_token::key_of(token, &keys)?.ok_or(unknown)?;
    let expected = id_token::Expected {
        issuer: &settings.issuer,
        client_id: &settings.client_id,
        nonce,
    };
    Person::of(&id_token::verify(token, key, expected, now)?, settings)
}

impl Provider {
    /// Asks the provider of the settings; the client secret is read from Secrets Manager.
    pub fn new(settings: OidcSettings, sdk: &SdkConfig) -> Self {
        signature::install();
        let secrets = settings.client_secret_arn.as_ref();
        Self {
            secrets: secrets.map(|_| aws_sdk_secretsmanager::Client::new(sdk)),
            settings,
            http: Http::new(),
            known: Mutex::default(),
            secret: Mutex::default(),
        }
    }

    /// Returns where a browser is sent to sign in; the provider sends it back to `redirect_uri`.
    ///
    /// # Errors
    ///
    /// [`OidcError`] where the provider does not say where.
    pub async fn authorization_url(
        &self,
        pending: &Pending,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> Result<String, OidcError> {
        let metadata = self.metadata(now).await?;
        let mut url = url::Url::parse(&metadata.authorization_endpoint)
            .map_err(|_| OidcError::Metadata("its authorization endpoint is no URL"))?;
        let scopes = match &self.settings.more_scopes {
            Some(more) => format!("{SCOPES} {more}"),
            None => SCOPES.to_owned(),
        };
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &scopes)
            .append_pair("state", &pending.state)
            .append_pair("nonce", &pending.nonce)
            .append_pair("code_challenge", &pending.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Returns whether an answer is of this provider, where it says whose it is.
    pub fn is_issuer(&self, issuer: &str) -> bool {
        issuer == self.settings.issuer
    }

    /// Returns who brings a code.
    ///
    /// # Errors
    ///
    /// [`OidcError`].
    pub async fn person(
        &self,
        code: &str,
        pending: &Pending,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> Result<Person, OidcError> {
        let metadata = self.metadata(now).await?;
        let tokens = self.redeem(&metadata, code, pending, redirect_uri, now).await?;
        let key = self.key(&metadata, &tokens.id_token, now).await?;
        let expected = id_token::Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &pending.nonce,
        };
        let mut claims = id_token::verify(&tokens.id_token, &key, expected, now)?;

        let is_complete = person::is_complete(&claims, &self.settings);
        if let (false, Some(endpoint), Some(token)) =
            (is_complete, &metadata.userinfo_endpoint, &tokens.access_token)
        {
            let more = self.user_info(endpoint, token, &claims).await?;
            person::add(&mut claims, more);
        }
        Person::of(&claims, &self.settings)
    }

    /// Exchanges a code for tokens.
    async fn redeem(
        &self,
        metadata: &Metadata,
        code: &str,
        pending: &Pending,
        redirect_uri: &str,
        now: DateTime<Utc>,
    ) -> Result<Tokens, OidcError> {
        let client_id = self.settings.client_id.as_str();
        let secret = self.client_secret(now).await?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", &pending.verifier),
        ];
        let authorization = match &secret {
            Some(secret) if metadata.takes_basic() => {
                let part = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", part(client_id), part(secret));
                Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
            }
            secret => {
                fields.push(("client_id", client_id));
                fields.extend(secret.as_ref().map(|secret| ("client_secret", secret.as_str())));
                None
            }
        };
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();

        let what = "token endpoint";
        let answer = self
            .http
            .post_form(&metadata.token_endpoint, authorization, form)
            .await;
        match answer.ok_or(OidcError::Unavailable(what))? {
            (200..=299, body) => serde_json::from_slice(&body)
                .map_err(|_| OidcError::Untrusted("there is none in the answer to the code")),
            (429 | 500..=599, _) => Err(OidcError::Unavailable(what)),
            _ => Err(OidcError::CodeRefused),
        }
    }

    /// Asks for the claims that the identity token leaves out.
    async fn user_info(
        &self,
        endpoint: &str,
        access_token: &str,
        claims: &Map<String, Value>,
    ) -> Result<Map<String, Value>, OidcError> {
        let what = "user information";
        let answer = self.http.get(endpoint, Some(access_token)).await;
        match answer.ok_or(OidcError::Unavailable(what))? {
            (200..=299, body) => {
                // One that is signed or encrypted was not asked for.
                let Ok(info) = serde_json::from_slice::<Map<String, Value>>(&body) else {
                    return Ok(Map::new());
                };
                match info.get("sub") == claims.get("sub") {
                    true => Ok(info),
                    false => Err(OidcError::Untrusted("the user information is of somebody else")),
                }
            }
            (429 | 500..=599, _) => Err(OidcError::Unavailable(what)),
            // What may not be asked is left out.
            _ => Ok(Map::new()),
        }
    }

    async fn client_secret(&self, now: DateTime<Utc>) -> Result<Option<String>, OidcError> {
        let (Some(arn), Some(secrets)) = (&self.settings.client_secret_arn, &self.secrets) else {
            return Ok(None);
        };
        let mut known = self.secret.lock().await;
        if let Some((_, secret)) = known
            .as_ref()
            .filter(|(read_at, _)| now - *read_at < SECRET_FRESH)
        {
            return Ok(Some(secret.clone()));
        }
        let read = secrets.get_secret_value().secret_id(arn).send().await;
        let secret = read
            .ok()
            .and_then(|read| read.secret_string)
            .ok_or(OidcError::Secret)?;
        let secret = secret.trim().to_owned();
        if secret.is_empty() {
            return Err(OidcError::Secret);
        }
        *known = Some((now, secret.clone()));
        Ok(Some(secret))
    }
}
