//! Signed tokens: one-time sign-in links, sessions, and the protection of forms.
//!
//! A token is `<payload>.<signature>`: base64url of a JSON [`Claims`] and of its HMAC-SHA256. What a
//! token is for is part of what is signed, so a link is no session and a session is no form token.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

/// How long a sign-in link works.
pub const SIGN_IN_LINK_LIFETIME: Duration = Duration::minutes(60);
/// How long a session lasts.
pub const SESSION_LIFETIME: Duration = Duration::hours(12);
/// Name of the session cookie.
pub const SESSION_COOKIE: &str = "review-session";

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A one-time link.
    SignIn,
    /// A session cookie.
    Session,
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Answers tasks. Links and sessions of earlier versions are of reviewers.
    #[default]
    Reviewer,
    /// Runs the console as well.
    Admin,
}

impl Role {
    /// Returns its name, as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reviewer => "reviewer",
            Self::Admin => "admin",
        }
    }

    /// Returns the role of a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Reviewer, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it is for.
    pub purpose: Purpose,
    /// Whom it stands for.
    pub reviewer: String,
    /// What they may do.
    #[serde(default)]
    pub role: Role,
    /// Unique among all tokens.
    pub id: String,
    /// End of its validity, in seconds since 1970.
    pub expires_at: i64,
    /// Whether a provider has signed in who has this session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_provider: bool,
}

impl Claims {
    /// Returns new claims for a reviewer.
    pub fn new(purpose: Purpose, reviewer: &str, now: DateTime<Utc>) -> Self {
        let lifetime = match purpose {
            Purpose::SignIn => SIGN_IN_LINK_LIFETIME,
            Purpose::Session => SESSION_LIFETIME,
        };
        Self {
            purpose,
            reviewer: reviewer.to_owned(),
            role: Role::default(),
            id: Uuid::new_v4().simple().to_string(),
            expires_at: (now + lifetime).timestamp(),
            by_provider: false,
        }
    }

    /// Returns the same claims for somebody of this role.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Returns when a session began, in seconds since 1970.
    pub fn began_at(&self) -> i64 {
        self.expires_at - SESSION_LIFETIME.num_seconds()
    }
}

/// Returns the link into a portal that carries the token of a sign-in link.
pub fn sign_in_url(portal_url: &str, token: &str) -> String {
    format!("{}/sign-in?token={token}", portal_url.trim_end_matches('/'))
}

/// Returns whether a text may be the id of claims.
pub fn is_session_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The key that signs everything that a browser brings back.
///
/// What `Debug` prints is nothing of it: the MAC hides its state.
#[derive(Clone, Debug)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Returns the key made of a secret.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// Returns the token of some claims.
    pub fn sign(&self, claims: &Claims) -> String {
        let payload = serde_json::to_vec(claims).expect("claims are plain data");
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let signature = self.signature(&["token", &payload]);
        format!("{payload}.{signature}")
    }

    /// Returns the claims of a token that this key signed for the purpose and that has not expired.
    pub fn verify(&self, token: &str, purpose: Purpose, now: DateTime<Utc>) -> Option<Claims> {
        let (payload, signature) = token.split_once('.')?;
        self.check(&["token", payload], signature)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Claims = serde_json::from_slice(&payload).ok()?;
        (claims.purpose == purpose && now.timestamp() < claims.expires_at).then_some(claims)
    }

    /// Returns a token of what a browser keeps for a moment; `kind` says what, so that it is taken for nothing else.
    pub fn seal(&self, kind: &str, payload: &[u8]) -> String {
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let signature = self.signature(&["sealed", kind, &payload]);
        format!("{payload}.{signature}")
    }

    /// Returns what such a token of this kind holds, if this key signed it.
    pub fn open(&self, kind: &str, token: &str) -> Option<Vec<u8>> {
        let (payload, signature) = token.split_once('.')?;
        self.check(&["sealed", kind, payload], signature)?;
        URL_SAFE_NO_PAD.decode(payload).ok()
    }

    /// Returns the token that every form of a session carries.
    pub fn form_token(&self, session: &Claims) -> String {
        self.signature(&["form", &session.id])
    }

    /// Returns whether a form carries the token of its session.
    pub fn is_form_token(&self, session: &Claims, token: &str) -> bool {
        self.check(&["form", &session.id], token).is_some()
    }

    fn mac(&self, parts: &[&str]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part.as_bytes());
            mac.update(b"\0");
        }
        mac
    }

    fn signature(&self, parts: &[&str]) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(parts).finalize().into_bytes())
    }

    /// Compares in constant time.
    fn check(&self, parts: &[&str], signature: &str) -> Option<()> {
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac(parts).verify_slice(&signature).ok()
    }
}

/// Shortest secret that signs, in bytes: a shorter one could be guessed.
pub const MIN_SECRET_BYTES: usize = 16;
/// How long a key that was read is in use: a new one takes effect within it.
pub const KEY_FRESH: Duration = Duration::minutes(5);

/// The key in use, which an operator may replace in Secrets Manager.
#[derive(Debug)]
pub struct KeyInUse {
    known: Mutex<(SigningKey, Option<DateTime<Utc>>)>,
    source: Option<(aws_sdk_secretsmanager::Client, String)>,
}

impl KeyInUse {
    /// Returns a key made of a secret, which stays.
    pub fn fixed(secret: &[u8]) -> Self {
        Self {
            known: Mutex::new((SigningKey::new(secret), None)),
            source: None,
        }
    }

    /// Lets the key follow a secret of this ARN or name.
    #[must_use]
    pub fn following(self, secrets: aws_sdk_secretsmanager::Client, secret: String) -> Self {
        Self {
            source: Some((secrets, secret)),
            ..self
        }
    }

    /// Returns the key as it was within the last five minutes. While the secret cannot be read, the one before stays.
    pub async fn recent(&self, now: DateTime<Utc>) -> SigningKey {
        let (key, read_at) = self.locked().clone();
        let Some((secrets, secret)) = &self.source else {
            return key;
        };
        let Some(read_at) = read_at else {
            self.locked().1 = Some(now);
            return key;
        };
        if now - read_at < KEY_FRESH {
            return key;
        }
        let value = secrets.get_secret_value().secret_id(secret).send().await;
        let value = value.ok().and_then(|value| value.secret_string);
        let key = match value.filter(|value| value.len() >= MIN_SECRET_BYTES) {
            Some(value) => SigningKey::new(value.as_bytes()),
            None => {
                tracing::error!(
                    secret,
                    "the signing secret cannot be read or is too short; the one before stays"
                );
                key
            }
        };
        *self.locked() = (key.clone(), Some(now));
        key
    }

    fn locked(&self) -> MutexGuard<'_, (SigningKey, Option<DateTime<Utc>>)> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the value of the session cookie in a `Cookie` header.
pub fn session_cookie(header: &str) -> Option<&str> {
    cookie(header, SESSION_COOKIE)
}

/// Returns the value of a cookie in a `Cookie` header.
pub fn cookie<'a>(header: &'a str, wanted: &str) -> Option<&'a str> {
    let mut cookies = header
        .split(';')
        .filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find_map(|(name, value)| (name == wanted).then_some(value))
}

/// Returns the `Set-Cookie` header that begins a session, or ends it when the token is empty.
///
/// Without a `Path` the browser takes the folder of the page, so it fits behind any stage.
pub fn set_session_cookie(token: &str, https: bool) -> String {
    let age = if token.is_empty() {
        0
    } else {
        SESSION_LIFETIME.num_seconds()
    };
    let secure = if https { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={token}; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).expect("within range")
    }

    #[test]
    fn a_token_works_for_its_purpose_until_it_expires_and_with_its_key_only() {
        let key = SigningKey::new(b"secret");
        let token = key.sign(&Claims::new(Purpose::SignIn, "ann", now()));

        let claims = key.verify(&token, Purpose::SignIn, now()).expect("fresh");
        assert_eq!(claims.reviewer, "ann");
        assert_eq!(key.verify(&token, Purpose::Session, now()), None);
        assert_eq!(
            key.verify(&token, Purpose::SignIn, now() + SIGN_IN_LINK_LIFETIME),
            None
        );
        assert_eq!(
            SigningKey::new(b"other").verify(&token, Purpose::SignIn, now()),
            None
        );
    }

    #[test]
    fn a_token_of_an_earlier_version_is_of_a_reviewer() {
        let claims = r#"{"purpose": "session", "reviewer": "ann", "id": "1", "expires_at": 1}"#;

        let claims: Claims = serde_json::from_str(claims).expect("claims");

        assert_eq!(claims.role, Role::Reviewer);
    }

    #[test]
    fn no_changed_token_is_accepted() {
        let key = SigningKey::new(b"secret");
        let token = key.sign(&Claims::new(Purpose::Session, "ann", now()));

        for position in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_eq!(
                key.verify(&changed, Purpose::Session, now()),
                None,
                "position {position}"
            );
        }
        for nonsense in ["", ".", "a.b", "💥.💥"] {
            assert_eq!(key.verify(nonsense, Purpose::Session, now()), None);
        }
    }

    #[test]
    fn what_was_sealed_is_opened_by_its_key_as_its_kind_only() {
        let key = SigningKey::new(b"secret");
        let sealed = key.seal("a", b"payload");

        assert_eq!(key.open("a", &sealed).as_deref(), Some(&b"payload"[..]));
        assert_eq!(key.open("b", &sealed), None);
        assert_eq!(SigningKey::new(b"other").open("a", &sealed), None);
        assert_eq!(key.open("a", "cGF5bG9hZA.AA"), None);
        assert_eq!(key.verify(&sealed, Purpose::Session, now()), None);
    }

    #[test]
    fn a_form_token_belongs_to_one_session() {
        let key = SigningKey::new(b"secret");
        let mine = Claims::new(Purpose::Session, "ann", now());
        let other = Claims::new(Purpose::Session, "ann", now());

        assert!(key.is_form_token(&mine, &key.form_token(&mine)));
        assert!(!key.is_form_token(&other, &key.form_token(&mine)));
        assert!(!key.is_form_token(&mine, ""));
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        assert_eq!(session_cookie("a=b; review-session=x.y; c=d"), Some("x.y"));
        assert_eq!(session_cookie("xreview-session=x.y"), None);
    }
}
