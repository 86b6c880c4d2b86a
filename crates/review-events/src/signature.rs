//! Signatures of webhooks, as the specification Standard Webhooks has them.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Beginning of a secret, which may be left out.
const PREFIX: &str = "whsec_";
/// Fewest bytes of a key.
const MIN_BYTES: usize = 24;

/// A secret that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secret of the webhook must be base64 of at least {MIN_BYTES} bytes, with or without whsec_ before it"
)]
pub struct InvalidSecret;

/// The key of a receiver.
///
/// What `Debug` prints is nothing of it: the MAC hides its state.
#[derive(Clone, Debug)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Reads a secret: base64, with or without `whsec_` before it.
    ///
    /// # Errors
    ///
    /// [`InvalidSecret`], which does not quote it.
    pub fn read(secret: &str) -> Result<Self, InvalidSecret> {
        let secret = secret.trim();
        let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
        let key = BASE64_STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if key.len() < MIN_BYTES {
            return Err(InvalidSecret);
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| InvalidSecret)
    }

    /// Returns the header `webhook-signature` of a message; `timestamp` is in seconds since 1970.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_of_a_key_is_the_same_for_every_key() {
        let printed = [b'a', b'b'].map(|byte| {
            let secret = BASE64_STANDARD.encode([byte; MIN_BYTES]);
            format!("{:?}", SigningKey::read(&secret).expect("long enough"))
        });

        assert_eq!(printed[0], printed[1]);
    }

    /// The example of the specification's own libraries.
    #[test]
    fn a_message_is_signed_as_the_libraries_of_the_specification_do() {
        let key = SigningKey::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");

        let signature = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );

        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_may_lack_its_prefix_and_is_refused_where_it_is_no_base64_or_short() {
        let with = SigningKey::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let without = SigningKey::read("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");

        assert_eq!(with.sign("m", 1, "b"), without.sign("m", 1, "b"));
        for wrong in ["", "whsec_", "whsec_!!", "c2hvcnQ="] {
            assert_eq!(SigningKey::read(wrong).map(drop), Err(InvalidSecret), "{wrong}");
        }
    }
}
