//! The identity token: whose signature it has, for whom and when it was made.

use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde_json::{Map, Value};

use super::OidcError;

/// How far the provider's clock may differ, in seconds.
const LEEWAY: f64 = 60.0;
/// Longest subject. Source: OpenID Connect Core 1.0, section 2.
const MAX_SUBJECT_CHARS: usize = 255;

/// What a token must say.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
}

/// Returns the key that a token was signed with, of these; `None` where it is none of them.
///
/// Only RS256 and ES256 are taken, whatever the keys could do: neither `none` nor a secret signs anybody in.
pub(super) fn key_of<'a>(token: &str, keys: &'a [Jwk]) -> Result<Option<&'a Jwk>, OidcError> {
    let header =
        decode_header(token).map_err(|_| OidcError::Untrusted("its signature is of no kind that counts"))?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(OidcError::Untrusted("its signature is of no kind that counts"));
    }
    let mut fitting = keys.iter().filter(|key| fits(key, header.alg));
    Ok(match &header.kid {
        Some(kid) => fitting.find(|key| key.common.key_id.as_ref() == Some(kid)),
        // Without a name it must be the only one.
        None => fitting.next().filter(|_| fitting.next().is_none()),
    })
}

fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let (is_kind, own) = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::RS256) => (true, KeyAlgorithm::RS256),
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES256) => {
            (curve.curve == EllipticCurve::P256, KeyAlgorithm::ES256)
        }
        _ => return false,
    };
    signs && is_kind && key.common.key_algorithm.is_none_or(|stated| stated == own)
}

/// Returns the claims of a token that the key signed, for this client and this sign-in, and that has not expired.
pub(super) fn verify(
    token: &str,
    key: &Jwk,
    expected: Expected<'_>,
    now: DateTime<Utc>,
) -> Result<Map<String, Value>, OidcError> {
    let algorithm = match key.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        _ => Algorithm::ES256,
    };
    let forged = |_| OidcError::Untrusted("its signature is not the provider's");
    let key = DecodingKey::from_jwk(key).map_err(forged)?;
    // Times and names are held against `now` and the settings below.
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let claims: Map<String, Value> = decode(token, &key, &validation).map_err(forged)?.claims;

    check(&claims, expected, now.timestamp() as f64)?;
    Ok(claims)
}

fn check(claims: &Map<String, Value>, expected: Expected<'_>, now: f64) -> Result<(), OidcError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is_for_another = text("azp").is_some_and(|party| party != expected.client_id)
        || audience.len() > 1 && text("azp").is_none();
    let subject = text("sub").unwrap_or_default();

    let problem = if text("iss") != Some(expected.issuer) {
        "it is of another issuer"
    } else if !audience.contains(&expected.client_id) || is_for_another {
        "it is for another client"
    } else if text("nonce") != Some(expected.nonce) {
        "it is of another sign-in"
    } else if time("exp").is_none_or(|end| end + LEEWAY <= now) {
        "it has expired"
    } else if ["iat", "nbf"]
        .iter()
        .any(|name| time(name).is_some_and(|begin| begin - LEEWAY > now))
    {
        "it is not valid yet: do the clocks differ?"
    } else if subject.is_empty() || subject.chars().count() > MAX_SUBJECT_CHARS {
        "it names nobody"
    } else {
        return Ok(());
    };
    Err(OidcError::Untrusted(problem))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXPECTED: Expected<'_> = Expected {
        issuer: "https://id.example.com",
        client_id: "portal",
        nonce: "n-1",
    };

    fn checked(changes: Value) -> Result<(), OidcError> {
        let mut claims = json!({
            "iss": "https://id.example.com", "aud": "portal", "nonce": "n-1", "sub": "ann",
            "exp": 1_000, "iat": 900,
        });
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        check(claims.as_object().expect("an object"), EXPECTED, 950.0)
    }

    #[test]
    fn a_token_is_of_this_issuer_for_this_client_and_this_sign_in() {
        for good in [
            json!({}),
            json!({"aud": ["portal"]}),
            json!({"aud": ["other", "portal"], "azp": "portal"}),
            json!({"exp": 891}),
            json!({"iat": 1_009, "nbf": 1_009}),
            json!({"iat": 900.5}),
        ] {
            assert_eq!(checked(good.clone()), Ok(()), "{good}");
        }
        for bad in [
            json!({"iss": "https://id.example.com/"}),
            json!({"iss": ["https://id.example.com"]}),
            json!({"aud": "other"}),
            json!({"aud": ["other", "portal"]}),
            json!({"aud": ["other", "portal"], "azp": "other"}),
            json!({"aud": null}),
            json!({"nonce": "n-2"}),
            json!({"nonce": null}),
            json!({"exp": 890}),
            json!({"exp": null}),
            json!({"exp": "1000"}),
            json!({"iat": 1_011}),
            json!({"nbf": 1_011}),
            json!({"sub": ""}),
            json!({"sub": "x".repeat(256)}),
        ] {
            assert!(checked(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_keys_that_sign_in_the_two_taken_ways_are_looked_at() {
        let keys: Vec<Jwk> = [
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "b", "use": "enc"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "c", "alg": "RS512"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "d"}),
        ]
        .into_iter()
        .map(|key| serde_json::from_value(key).expect("a key"))
        .collect();
        let token = |header: Value| {
            use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
            format!("{}.e30.AA", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()))
        };
        let key = |header: Value| {
            key_of(&token(header), &keys).map(|key| key.and_then(|key| key.common.key_id.clone()))
        };

        assert_eq!(key(json!({"alg": "RS256", "kid": "d"})), Ok(Some("d".to_owned())));
        assert_eq!(
            key(json!({"alg": "RS256"})),
            Ok(Some("d".to_owned())),
            "the only one"
        );
        for kid in ["a", "b", "c", "e"] {
            assert_eq!(key(json!({"alg": "RS256", "kid": kid})), Ok(None), "{kid}");
        }
        for algorithm in ["none", "HS256", "RS512", "EdDSA", ""] {
            assert!(key(json!({"alg": algorithm, "kid": "a"})).is_err(), "{algorithm}");
        }
    }
}
