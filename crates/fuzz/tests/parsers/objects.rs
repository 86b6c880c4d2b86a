//! Requests for objects: their bodies in XML, their ranges and conditions, and links.

use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use base64::{Engine, prelude::BASE64_STANDARD};
use fuzz::{corpus, fuzz};
use sha2::{Digest, Sha256};

use crate::{
    requests::Services,
    wire::{HOST, Unsigned, read},
};

const TEXT: &[u8] = b"hello world";

/// A request of the user `test` to S3.
fn to_s3<'a>(method: &'a str, target: &'a str, headers: &'a [(&str, &str)], body: &'a [u8]) -> Unsigned<'a> {
    Unsigned {
        method,
        target,
        service: "s3",
        headers,
        payload: None,
        body,
    }
}

/// The services with an object of this text under each of these keys.
fn services_with(keys: &[(&str, &[u8])]) -> std::panic::AssertUnwindSafe<Services> {
    let services = Services::open();
    for (key, text) in keys {
        let target = format!("/bucket/{key}");
        let (status, _) = send(&services, &to_s3("PUT", &target, &[], text));
        assert_eq!(status, StatusCode::OK);
    }
    services
}

fn send(services: &Services, request: &Unsigned<'_>) -> (StatusCode, Vec<u8>) {
    services.ask(read(&request.signed(false)).expect("a request"))
}

/// What a body is sent to; the first character of an input says where.
const TARGETS: [(&str, &str); 5] = [
    ("POST", "/bucket?delete"),
    ("POST", "/bucket/large?uploadId="),
    ("PUT", "/bucket?versioning"),
    ("PUT", "/bucket?lifecycle"),
    ("PUT", "/bucket?tagging"),
];

const BODIES: &[&[u8]] = &[
    b"0<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>false</Quiet><Object><Key>a &amp; b/&#233;</Key>\
      <VersionId>null</VersionId></Object><Object><Key>c</Key><ETag>\"1\"</ETag></Object></Delete>",
    b"1<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>1</PartNumber>\
      <ETag>\"5eb63bbbe01eeed093cb22bb8f5acdc3\"</ETag></Part></CompleteMultipartUpload>",
    b"2<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>",
    b"3<LifecycleConfiguration><Rule><ID>a</ID><Filter><Prefix>a/</Prefix></Filter><Status>Enabled</Status><Expiration>\
      <Days>1</Days></Expiration></Rule></LifecycleConfiguration>",
    b"4<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
];

#[test]
fn a_body_in_xml_is_done_or_refused_and_takes_nothing_that_it_does_not_name() {
    let services = services_with(&[("kept", TEXT)]);
    // Begins an upload of one part and returns its id.
    let begin = || {
        let (_, begun) = send(&services, &to_s3("POST", "/bucket/large?uploads", &[], b""));
        let begun = String::from_utf8(begun).expect("XML");
        let (_, id) = begun.split_once("<UploadId>").expect("an id");
        let id = id.split('<').next().unwrap_or_default().to_owned();
        let part = format!("/bucket/large?partNumber=1&uploadId={id}");
        let (status, _) = send(&services, &to_s3("PUT", &part, &[], TEXT));
        assert_eq!(status, StatusCode::OK);
        id
    };
    let upload = std::sync::Mutex::new(begin());
    fuzz(BODIES, |bytes| {
        let (place, body) = bytes.split_first().unwrap_or((&b'0', b""));
        let (method, target) = TARGETS[usize::from(*place) % TARGETS.len()];
        let mut upload = upload.lock().expect("no other thread");
        let is_upload = target.ends_with('=');
        let target = match is_upload {
            true => format!("{target}{upload}"),
            false => target.to_owned(),
        };
        let sum = BASE64_STANDARD.encode(Sha256::digest(body));
        let headers = [("x-amz-checksum-sha256", sum.as_str())];
        // Of a whole upload it would be the sum of the object.
        let headers = if is_upload { &[][..] } else { &headers[..] };
        let (status, answer) = send(&services, &to_s3(method, &target, headers, body));
        if is_upload && status.is_success() {
            *upload = begin();
        }

        let answer = String::from_utf8_lossy(&answer);
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{answer}");
        assert!(
            status.is_success() || answer.contains("<Message>"),
            "{status}: {answer}"
        );
        if !String::from_utf8_lossy(body).contains("kept") {
            let (status, kept) = send(&services, &to_s3("GET", "/bucket/kept", &[], b""));
            assert_eq!((status, kept.as_slice()), (StatusCode::OK, TEXT));
        }
    });
}

const CONDITIONS: &[&[u8]] = &[
    b"range: bytes=0-3\nif-none-match: \"e\"",
    b"range: bytes=-5\nif-match: \"5eb63bbbe01eeed093cb22bb8f5acdc3\", W/\"x\"",
    b"range: bytes=6-\nif-modified-since: Thu, 20 Nov 2026 10:00:00 GMT",
    b"range: bytes=0-1,3-4\nif-unmodified-since: Sun, 06 Nov 2094 08:49:37 GMT",
    b"if-range: \"e\"\nif-none-match: *\nx-amz-checksum-mode: ENABLED",
];

#[test]
fn ranges_and_conditions_give_a_piece_of_the_object_or_none() {
    let services = services_with(&[("key", TEXT)]);
    fuzz(CONDITIONS, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        let headers: Vec<(&str, &str)> = lines
            .filter(|(name, value)| {
                let is_asked = ["range", "x-amz-checksum-mode"].contains(name) || name.starts_with("if-");
                is_asked && HeaderName::try_from(*name).is_ok() && HeaderValue::try_from(*value).is_ok()
            })
            .collect();
        let request = to_s3("GET", "/bucket/key", &[], b"").signed(false);
        let mut request = read(&request).expect("a request");
        for (name, value) in &headers {
            let name = HeaderName::try_from(*name).expect("it was looked at");
            let value = HeaderValue::try_from(*value).expect("it was looked at");
            request.headers_mut().append(name, value);
        }
        let (status, answer) = services.ask(request);

        match status {
            StatusCode::OK => assert_eq!(answer, TEXT),
            StatusCode::PARTIAL_CONTENT => {
                assert!(!answer.is_empty() && TEXT.windows(answer.len()).any(|piece| piece == answer));
            }
            StatusCode::NOT_MODIFIED => assert!(answer.is_empty()),
            StatusCode::BAD_REQUEST
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::RANGE_NOT_SATISFIABLE
            | StatusCode::NOT_IMPLEMENTED => {}
            other => panic!("{other} to {headers:?}: {}", String::from_utf8_lossy(&answer)),
        }
    });
}

#[test]
fn a_changed_link_opens_nothing_but_what_it_was_made_for() {
    const SECRET: &[u8] = b"of somebody else";
    let services = services_with(&[("key", TEXT), ("other", SECRET)]);
    let plain = |target: &'static str| to_s3("GET", target, &[], b"").signed(true);
    let date = "20261120T100000Z";
    let old =
        format!("GET /bucket/key?AWSAccessKeyId=test&Expires=4000000000&Signature=abc%3D\nhost: {HOST}\n\n");
    let long = format!(
        "GET /bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F20261120%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date={date}&X-Amz-Expires=604801&X-Amz-SignedHeaders=host&X-Amz-Signature=00\nhost: {HOST}\n\n"
    );
    let seeds = corpus([
        plain("/bucket/key"),
        plain("/bucket/key?response-content-type=text%2Fplain&versionId=null"),
        old.into_bytes(),
        long.into_bytes(),
    ]);
    let ask = |bytes: &[u8]| {
        let request = read(bytes)?;
        let is_of_bucket = request.uri().path().starts_with("/bucket/");
        let method = request.method().clone();
        is_of_bucket.then(|| (method, services.ask(request)))
    };
    let opened = |seed: &[u8]| ask(seed).is_some_and(|(_, answer)| answer == (StatusCode::OK, TEXT.to_vec()));
    assert!(opened(seeds[0]) && opened(seeds[1]) && !opened(seeds[2]) && !opened(seeds[3]));
    fuzz(seeds, |bytes| {
        let Some((method, (status, answer))) = ask(bytes) else {
            return;
        };

        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_ne!(answer, SECRET);
        assert!(!status.is_success() || method == Method::GET, "{method}");
        if status == StatusCode::OK {
            assert_eq!(answer, TEXT);
        }
    });
}
