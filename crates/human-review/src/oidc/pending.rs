//! A sign-in that was begun at the provider: what the browser keeps until it comes back.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::session::SigningKey;

/// How long somebody may take to sign in at the provider.
pub const PENDING_LIFETIME: Duration = Duration::minutes(10);

/// Name of the cookie that keeps it.
pub const LOGIN_COOKIE: &str = "review-login";

/// What is signed, so that no other token is taken for it.
const KIND: &str = "provider-login";

/// A sign-in that was begun. Only the browser that began it can end it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What the provider's answer must repeat.
    pub state: String,
    /// What the identity token must repeat.
    pub nonce: String,
    /// Shown to the provider with the code (PKCE).
    pub verifier: String,
    /// End of its validity, in seconds since 1970.
    pub expires_at: i64,
}

impl Pending {
    /// Begins a sign-in.
    pub fn new(now: DateTime<Utc>) -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        Self {
            state: random(),
            nonce: random(),
            verifier: random() + &random(),
            expires_at: (now + PENDING_LIFETIME).timestamp(),
        }
    }

    /// Returns what the provider is shown of the verifier.
    pub fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }

    /// Returns the `Set-Cookie` header that keeps it. The browser comes back from another site, so the cookie is not
    /// `Strict`.
    pub fn set_cookie(&self, key: &SigningKey, https: bool) -> String {
        let payload = serde_json::to_vec(self).expect("it is plain data");
        let value = key.seal(KIND, &payload);
        let secure = if https { "; Secure" } else { "" };
        let age = PENDING_LIFETIME.num_seconds();
        format!("{LOGIN_COOKIE}={value}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}")
    }

    /// Reads the value of the cookie; `None` unless this service began it, not too long ago, with this state.
    pub fn read(value: &str, state: &str, key: &SigningKey, now: DateTime<Utc>) -> Option<Self> {
        let pending: Self = serde_json::from_slice(&key.open(KIND, value)?).ok()?;
        (pending.state == state && now.timestamp() < pending.expires_at).then_some(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).expect("within range")
    }

    fn value(cookie: &str) -> &str {
        let (_, value) = cookie.split_once('=').expect("a cookie");
        value.split(';').next().expect("a value")
    }

    #[test]
    fn a_sign_in_is_ended_by_the_browser_that_began_it_with_its_state_and_in_time() {
        let (key, pending) = (SigningKey::new(b"secret"), Pending::new(now()));
        let cookie = pending.set_cookie(&key, true);
        let read = |state: &str, key: &SigningKey, at| Pending::read(value(&cookie), state, key, at);

        assert_eq!(read(&pending.state, &key, now()), Some(pending.clone()));
        assert_eq!(read("other", &key, now()), None);
        assert_eq!(read("", &key, now()), None);
        assert_eq!(read(&pending.state, &SigningKey::new(b"other"), now()), None);
        assert_eq!(read(&pending.state, &key, now() + PENDING_LIFETIME), None);
        assert!(
            cookie.ends_with("; Max-Age=600; HttpOnly; SameSite=Lax; Secure"),
            "{cookie}"
        );
    }

    #[test]
    fn no_two_sign_ins_are_alike_and_the_challenge_is_that_of_the_rfc() {
        let pending = Pending {
            verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(),
            ..Pending::new(now())
        };

        assert_eq!(pending.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_ne!(Pending::new(now()), Pending::new(now()));
        assert_eq!(Pending::new(now()).verifier.len(), 64);
    }
}
