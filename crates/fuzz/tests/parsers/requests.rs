//! Requests to the local services: their signatures, their bodies, and what functions are told of them.

use std::{collections::BTreeMap, panic::AssertUnwindSafe};

use axum::{Router, body::Body};
use chrono::{DateTime, Utc};
use fuzz::{corpus, fuzz};
use http::{Request, StatusCode};
use local_aws::{
    LocalAws,
    apigateway::{Integration, MethodSpec, RestApiSpec},
    iam::{Iam, Principal},
    lambda::{FunctionUrlSpec, PermissionSpec},
    s3::BucketSpec,
    sigv4,
};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

use crate::wire::{HOST, Unsigned, read};

/// Signed by botocore.
const SIGNED: &[&[u8]] = &[
    b"POST /\nhost: 127.0.0.1:4566\ncontent-type: application/x-amz-json-1.1\nx-amz-target: AWSEvents.ListRules\n\
      x-amz-date: 20261129T100000Z\nauthorization: AWS4-HMAC-SHA256 \
      Credential=test/20261129/us-east-1/events/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
      Signature=8d0ff392205f5c1f58f119f719bc2111970346296b2bdc0365b556c9d8f80a41\n\n{\"NamePrefix\": \"a\"}",
    b"GET /2015-03-31/functions/caf%C3%A9/?b=2&a=%20x&a=1\nhost: 127.0.0.1:4566\nx-many: one  two\n\
      x-amz-date: 20261129T100000Z\nauthorization: AWS4-HMAC-SHA256 \
      Credential=test/20261129/us-east-1/events/aws4_request, SignedHeaders=host;x-amz-date;x-many, \
      Signature=e7108876ff69868bd95d40853f6ebfe44aaea8e531ee95bdd33424964423d451\n\n",
];

#[test]
fn only_what_was_signed_is_taken() {
    let iam = AssertUnwindSafe(Iam::default());
    let now: DateTime<Utc> = "2026-11-29T10:00:00Z".parse().expect("a time");
    let verify = move |bytes: &[u8]| {
        let (parts, body) = read(bytes)?.into_parts();
        let caller = sigv4::verify(&iam, &parts, &body, "events", "us-east-1", now).ok()?;
        Some((caller.principal, parts.method.to_string(), body))
    };
    let signed = [("POST", &b"{\"NamePrefix\": \"a\"}"[..]), ("GET", b"")];
    assert!(SIGNED.iter().all(|bytes| verify(bytes).is_some()));
    fuzz(SIGNED, |bytes| {
        if let Some((principal, method, body)) = verify(bytes) {
            assert_eq!(principal, Principal::Root);
            assert!(
                signed.contains(&(method.as_str(), body.as_slice())),
                "{method} {body:?}"
            );
        }
    });
}

/// The services with a bucket, an API and a function URL, whose function is not there.
pub struct Services {
    router: Router,
    runtime: Runtime,
    pub aws: LocalAws,
}

const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:worker";

impl Services {
    pub fn open() -> AssertUnwindSafe<Self> {
        let aws = LocalAws::in_memory();
        let bucket = BucketSpec {
            name: "bucket".to_owned(),
            ..BucketSpec::default()
        };
        aws.s3.put_bucket(bucket).expect("a good name");
        for (action, principal) in [
            ("lambda:InvokeFunction", "apigateway.amazonaws.com"),
            ("lambda:InvokeFunction", "*"),
            ("lambda:InvokeFunctionUrl", "*"),
        ] {
            aws.lambda.add_permission(PermissionSpec {
                function_name: "worker".to_owned(),
                action: action.to_owned(),
                principal: principal.to_owned(),
                source_arn: None,
                source_account: None,
            });
        }
        aws.lambda.put_url(FunctionUrlSpec {
            id: "url1".to_owned(),
            function_name: "worker".to_owned(),
            iam_auth: false,
        });
        aws.api_gateway.put_rest_api(api()).expect("a good API");
        let runtime = Builder::new_current_thread().enable_all().build();
        AssertUnwindSafe(Self {
            router: aws.router(),
            runtime: runtime.expect("a runtime"),
            aws,
        })
    }

    /// Returns status and body of the answer.
    pub fn ask(&self, request: Request<Vec<u8>>) -> (StatusCode, Vec<u8>) {
        let answer = async {
            let answer = self.router.clone().oneshot(request.map(Body::from)).await;
            let (head, body) = answer.unwrap_or_else(|never| match never {}).into_parts();
            let body = axum::body::to_bytes(body, usize::MAX)
                .await
                .expect("a whole body");
            (head.status, body.to_vec())
        };
        self.runtime.block_on(answer)
    }
}

fn api() -> RestApiSpec {
    let schema = serde_json::json!({"type": "object", "required": ["sentence"], "properties": {
        "sentence": {"type": "string", "minLength": 1}
    }});
    let method = |path: &str, integration| MethodSpec {
        path: path.to_owned(),
        http_method: "ANY".to_owned(),
        api_key_required: false,
        request_models: BTreeMap::from([("application/json".to_owned(), schema.clone())]),
        validate_body: true,
        required_parameters: vec!["method.request.querystring.q".to_owned()],
        integration,
    };
    let function = Integration::LambdaProxy {
        function_arn: FUNCTION_ARN.to_owned(),
        timeout_ms: 1_000,
    };
    let fixed = Integration::Mock {
        status: 204,
        headers: BTreeMap::new(),
    };
    RestApiSpec {
        id: "api1".to_owned(),
        name: "texts".to_owned(),
        stage: "dev".to_owned(),
        methods: vec![method("/{proxy+}", function), method("/items/{id}", fixed)],
        gateway_responses: BTreeMap::new(),
        throttle: None,
    }
}

fn plain(head: &str, body: &str) -> Vec<u8> {
    format!("{head}\nhost: {HOST}\nuser-agent: test\ncontent-type: application/json\n\n{body}").into_bytes()
}

#[test]
fn no_request_to_the_one_port_is_answered_with_a_fault_of_the_services() {
    let services = Services::open();
    let request = |method, target, service, headers, body| Unsigned {
        method,
        target,
        service,
        headers,
        payload: None,
        body,
    };
    let range: &[_] = &[("range", "bytes=0-3"), ("if-none-match", "\"e\"")];
    let target: &[_] = &[
        ("x-amz-target", "AWSEvents.ListRules"),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    let form: &[_] = &[("content-type", "application/x-www-form-urlencoded")];
    let identity = b"Action=GetCallerIdentity&Version=2011-06-15";
    let seeds = corpus([
        request("GET", "/bucket/a%20key?versionId=null", "s3", &[], b"").signed(true),
        request("GET", "/bucket/key", "s3", range, b"").signed(false),
        request("GET", "/bucket?list-type=2&prefix=a&max-keys=2", "s3", &[], b"").signed(false),
        request("POST", "/", "events", target, b"{\"NamePrefix\": \"a\"}").signed(false),
        request("POST", "/", "sts", form, identity).signed(false),
        plain(
            "POST /_aws/execute-api/api1/dev/a/b%2Fc?q=1&q=%20&r",
            "{\"sentence\": \"one\"}",
        ),
        plain(
            "PUT /_aws/execute-api/api1/dev/items/%C3%A9?q=",
            "{\"sentence\": \"one\"}",
        ),
        plain("POST /_aws/lambda-url/url1/a/../b?x=1&x=2", "{\"text\": \"one\"}"),
    ]);
    assert_eq!(services.ask(read(seeds[2]).expect("a request")).0, StatusCode::OK);
    fuzz(seeds, |bytes| {
        let Some(request) = read(bytes) else { return };
        // That its function is not there is the API's fault.
        let is_of_api = request.uri().path().starts_with("/_aws/execute-api/");
        let (status, body) = services.ask(request);

        let is_fault = status == StatusCode::INTERNAL_SERVER_ERROR && !is_of_api;
        assert!(!is_fault, "{}", String::from_utf8_lossy(&body));
    });
}

const TEXT: &[u8] = b"hello world";

/// Returns a body in one chunk that is signed after its head was.
fn signed_chunk(head: &str) -> Vec<u8> {
    let field = |name: &str, end: char| {
        let (_, rest) = head.split_once(name).expect("it is there");
        rest.split(end).next().unwrap_or_default().trim().to_owned()
    };
    let (date, seed) = (field("x-amz-date:", '\n'), field("Signature=", '\n'));
    let scope = format!("{}/us-east-1/s3/aws4_request", &date[..8]);
    let time: DateTime<Utc> = chrono::NaiveDateTime::parse_from_str(&date, "%Y%m%dT%H%M%SZ")
        .expect("a time")
        .and_utc();
    let sign = |previous: &str, chunk: &[u8]| {
        let key = aws_sigv4::sign::v4::generate_signing_key("test", time.into(), "us-east-1", "s3");
        let [nothing, data] = [b"", chunk].map(|data| hex::encode(Sha256::digest(data)));
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{date}\n{scope}\n{previous}\n{nothing}\n{data}");
        aws_sigv4::sign::v4::calculate_signature(key, text.as_bytes())
    };
    let first = sign(&seed, TEXT);
    let last = sign(&first, b"");
    let text = String::from_utf8_lossy(TEXT);
    format!("b;chunk-signature={first}\r\n{text}\r\n0;chunk-signature={last}\r\n\r\n").into_bytes()
}

#[test]
fn an_object_in_chunks_is_stored_whole_or_not_at_all() {
    let services = Services::open();
    let head = |payload, trailer| {
        let request = Unsigned {
            method: "PUT",
            target: "/bucket/key",
            service: "s3",
            headers: &[
                ("content-encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "11"),
                trailer,
            ],
            payload: Some(payload),
            body: b"",
        };
        request.signed(false)
    };
    let heads = [
        head("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ("x-amz-meta-a", "b")),
        head(
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ),
    ];
    let seeds = corpus([
        signed_chunk(std::str::from_utf8(&heads[0]).expect("a text")),
        b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n".to_vec(),
        b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n".to_vec(),
    ]);
    let link = Unsigned {
        method: "GET",
        target: "/bucket/key",
        service: "s3",
        headers: &[],
        payload: None,
        body: b"",
    };
    let link = link.signed(true);
    let put = |head: &[u8], body: &[u8]| {
        let request = read(&[head, body].concat()).expect("a request");
        services.ask(request).0
    };
    assert_eq!(put(&heads[0], seeds[0]), StatusCode::OK);
    assert_eq!(put(&heads[1], seeds[1]), StatusCode::OK);
    fuzz(seeds, |bytes| {
        for head in &heads {
            let status = put(head, bytes);
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
            if status.is_success() {
                let (_, stored) = services.ask(read(&link).expect("a request"));
                assert_eq!(stored, TEXT);
            }
        }
    });
}
