use bytes::Bytes;
use http::{Request, request::Parts};

use super::*;
use crate::{iam::Principal, sigv4::Caller};

fn event_of(request: Request<()>, path: &str, body: &'static [u8], caller: Option<&Caller>) -> Value {
    let parts: Parts = request.into_parts().0;
    let request = UrlRequest {
        url_id: "url1",
        path,
        parts: &parts,
        body: Bytes::from_static(body),
        caller,
        request_id: "request-1",
    };
    event(
        &request,
        "2026-03-04T19:15:17.042Z".parse().expect("it is a time"),
    )
}

fn request(method: &str, uri: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "127.0.0.1:4566")
}

#[test]
fn a_request_becomes_an_event_of_format_2() {
    let request = request("POST", "/_aws/lambda-url/url1/human-loops?a=1&a=2&b=%20")
        .header("content-type", "application/json")
        .header("cookie", "x=1; y=2")
        .header("authorization", "AWS4-HMAC-SHA256 …")
        .header("x-amz-security-token", "token")
        .header("accept", "a")
        .header("accept", "b")
        .body(())
        .expect("the request is well formed");
    let caller = Caller {
        principal: Principal::Root,
        access_key_id: "test".to_owned(),
    };

    let event = event_of(request, "/human-loops", b"{}", Some(&caller));

    let expected = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/human-loops",
        "rawQueryString": "a=1&a=2&b=%20",
        "cookies": ["x=1", "y=2"],
        "headers": {
            "accept": "a,b",
            "content-type": "application/json",
            "host": "127.0.0.1:4566",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "4566",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"a": "1,2", "b": " "},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "url1",
            "authorizer": {"iam": {
                "accessKey": "test",
                "accountId": "000000000000",
                "callerId": "test",
                "userArn": "arn:aws:iam::000000000000:root",
                "userId": "test",
            }},
            "domainName": "127.0.0.1",
            "domainPrefix": "url1",
            "http": {
                "method": "POST",
                "path": "/human-loops",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": null,
            },
            "requestId": "request-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "04/Mar/2026:19:15:17 +0000",
            "timeEpoch": 1_772_651_717_042_i64,
        },
        "body": "{}",
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
}

#[test]
fn a_body_of_the_aws_json_protocol_is_sent_as_base64() {
    let request = request("POST", "/")
        .header("content-type", "application/x-amz-json-1.1")
        .body(())
        .expect("the request is well formed");

    let event = event_of(request, "/", b"{}", None);

    assert_eq!(event["body"], "e30=");
    assert_eq!(event["isBase64Encoded"], true);
    assert_eq!(event["requestContext"]["accountId"], "anonymous");
}

#[test]
fn the_rust_lambda_runtime_reads_the_event() {
    let request = request("DELETE", "/human-loops/a?x=1")
        .header("content-type", "application/x-amz-json-1.1")
        .header("cookie", "x=1")
        .body(())
        .expect("the request is well formed");
    let event = event_of(request, "/human-loops/a", b"{\"a\":1}", None).to_string();

    let request = lambda_http::request::from_str(&event).expect("it is an event");

    assert_eq!(request.method(), "DELETE");
    assert_eq!(request.uri(), "http://127.0.0.1:4566/human-loops/a?x=1");
    assert_eq!(request.headers()["cookie"], "x=1");
    assert_eq!(&request.body()[..], b"{\"a\":1}");
}

async fn read(response: Response<Body>) -> (u16, http::HeaderMap, Vec<u8>) {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("the body is in memory");
    (parts.status.as_u16(), parts.headers, body.to_vec())
}

#[tokio::test]
async fn an_answer_becomes_a_response() {
    let answer = json!({
        "statusCode": 404,
        "headers": {"X-Amzn-ErrorType": "ResourceNotFoundException", "content-type": "text/plain"},
        "cookies": ["a=1", "b=2"],
        "body": "aGk=",
        "isBase64Encoded": true,
    });

    let (status, headers, body) = read(response(answer.to_string().as_bytes()).expect("well formed")).await;

    assert_eq!(status, 404);
    assert_eq!(headers["x-amzn-errortype"], "ResourceNotFoundException");
    assert_eq!(headers["content-type"], "text/plain");
    assert_eq!(
        headers.get_all("set-cookie").iter().collect::<Vec<_>>(),
        ["a=1", "b=2"]
    );
    assert_eq!(body, b"hi");
}

#[tokio::test]
async fn an_answer_without_a_status_is_the_body() {
    for (answer, expected) in [
        (r#"{"Classes":[]}"#, r#"{"Classes":[]}"#),
        (r#""hello""#, "hello"),
        ("[1]", "[1]"),
        ("null", "null"),
    ] {
        let (status, headers, body) = read(response(answer.as_bytes()).expect("it is JSON")).await;

        assert_eq!(status, 200);
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(body, expected.as_bytes());
    }
}

#[test]
fn malformed_answers_are_refused() {
    for answer in [
        "not JSON",
        r#"{"statusCode":"x"}"#,
        r#"{"statusCode":99}"#,
        r#"{"statusCode":200,"headers":{"x":["a"]}}"#,
        r#"{"statusCode":200,"headers":{"bad name":"x"}}"#,
        r#"{"statusCode":200,"body":"*","isBase64Encoded":true}"#,
    ] {
        assert!(response(answer.as_bytes()).is_err(), "{answer}");
    }
}
