//! What a provider of identities publishes and signs, and what a browser brings back.

use std::panic::AssertUnwindSafe;

use chrono::{DateTime, Utc};
use fuzz::{corpus, fuzz};
use human_review::{
    oidc::{OidcError, OidcSettings, Person, read_person},
    session::{Claims, Purpose, SigningKey, session_cookie, set_session_cookie},
};

/// A discovery document, a list of keys and a token, one a line.
const ANSWERS: &[&[u8]] = &[b"{\"issuer\":\"https://id.example.com\",\
    \"authorization_endpoint\":\"https://id.example.com/auth\",\"token_endpoint\":\"https://id.example.com/token\",\
    \"jwks_uri\":\"https://id.example.com/keys\",\"userinfo_endpoint\":\"https://id.example.com/me\",\
    \"code_challenge_methods_supported\":[\"S256\"],\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]}\n\
    {\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"-evkZBR8wQLZIyTQmdknwaUOQtV6CKEW_-wKKYGdjGU\",\
    \"y\":\"cLr30SiIkCpqDB1nrdEDEjyFmrab-OlDHJOEkw1Lfu4\",\"kid\":\"k\",\"alg\":\"ES256\",\"use\":\"sig\"},\
    {\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"kid\":\"r\"}]}\n\
    eyJhbGciOiJFUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwiYXVkIjoicG9ydGFsIiwi\
    bm9uY2UiOiJuIiwic3ViIjoiYW5uIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDAsImVtYWlsIjoiYW5uQGV4YW1wbGUuY29tIiwiZW1haW\
    xfdmVyaWZpZWQiOnRydWUsImdyb3VwcyI6WyJyZXZpZXdlcnMiXX0.6HhRNB4Es_cu_vlyIewdnhhZXli7RGnoknpyqQ7XnL0Gx2Ff4vSD90flLVfI4Me\
    q4AgNQTBf8vX4LieHB5c92w"];

fn read(bytes: &[u8], settings: &OidcSettings) -> Result<Person, OidcError> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let [discovery, keys, token] = [(); 3].map(|()| lines.next().unwrap_or_default());
    let token = String::from_utf8_lossy(token);
    let now = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).expect("a time");
    read_person((discovery, keys, &token), settings, "n", now)
}

#[test]
fn a_provider_signs_in_whom_it_has_signed_and_nobody_else() {
    let settings = OidcSettings {
        issuer: "https://id.example.com".to_owned(),
        client_id: "portal".to_owned(),
        client_secret_arn: None,
        more_scopes: None,
        groups_claim: "groups".to_owned(),
        admin_group: Some("admins".to_owned()),
        reviewer_group: Some("reviewers".to_owned()),
    };
    let signed = read(ANSWERS[0], &settings);
    assert_eq!(
        signed.as_ref().map(|ann| ann.name.as_str()),
        Ok("ann@example.com")
    );
    fuzz(ANSWERS, |bytes| {
        if let Ok(person) = read(bytes, &settings) {
            assert_eq!(signed.as_ref(), Ok(&person));
        }
    });
}

#[test]
fn a_cookie_opens_no_session_but_the_one_that_was_signed() {
    let now = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).expect("a time");
    let key = AssertUnwindSafe(SigningKey::new(b"a secret of this test"));
    let signed = [Purpose::Session, Purpose::SignIn].map(|purpose| Claims::new(purpose, "ann", now));
    let tokens = signed.each_ref().map(|claims| key.sign(claims));
    let sealed = key.seal("state", b"what a browser keeps");
    let cookie = set_session_cookie(&tokens[0], true);
    let cookie = cookie.split(';').next().expect("a name and a value");
    let header = format!("a=b; {cookie}; c");
    assert_eq!(session_cookie(&header), Some(tokens[0].as_str()));
    let seeds = [header, tokens[1].clone(), sealed].map(String::into_bytes);
    let open = move |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let token = session_cookie(&text).unwrap_or(&text);
        let sessions = [Purpose::Session, Purpose::SignIn].map(|purpose| key.verify(token, purpose, now));
        (sessions, key.open("state", token))
    };

    fuzz(corpus(seeds), |bytes| {
        let (sessions, kept) = open(bytes);

        for (session, signed) in sessions.iter().zip(&signed) {
            assert!(
                session.is_none() || session.as_ref() == Some(signed),
                "{session:?}"
            );
        }
        assert!(kept.is_none_or(|kept| kept == b"what a browser keeps"));
    });
}
