use bytes::Bytes;
use http::{Request, request::Parts};
use lambda_http::RequestExt;

use super::*;
use crate::apigateway::{
    ApiKeySpec, Integration, MethodSpec, RestApiSpec,
    methods::{self, Resource},
};

fn api(path: &str) -> (RestApiSpec, Vec<Resource>) {
    let method = MethodSpec {
        path: path.to_owned(),
        http_method: "ANY".to_owned(),
        api_key_required: false,
        request_models: BTreeMap::new(),
        validate_body: false,
        required_parameters: vec![],
        integration: Integration::Mock {
            status: 200,
            headers: BTreeMap::new(),
        },
    };
    let resources = methods::resources(std::slice::from_ref(&method)).expect("the path is well formed");
    let api = RestApiSpec {
        id: "api1234567".to_owned(),
        name: "texts".to_owned(),
        stage: "dev".to_owned(),
        methods: vec![method],
        gateway_responses: BTreeMap::new(),
        throttle: None,
    };
    (api, resources)
}

fn event_of(resource: &str, path: &str, request: Request<()>, body: &[u8], key: Option<ApiKeySpec>) -> Value {
    let parts: Parts = request.into_parts().0;
    let (api, resources) = api(resource);
    let (method, path_parameters) = methods::find(&resources, &parts.method, path).expect("the path matches");
    let exchange = Exchange {
        api: &api,
        method,
        path,
        path_parameters,
        api_key: key,
        parts: &parts,
        body: Bytes::copy_from_slice(body),
        request_id: "request-1",
        extended_request_id: "extended-1",
    };
    event(
        &exchange,
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
fn a_request_becomes_a_proxy_event() {
    let request = request("POST", "/_aws/execute-api/api1234567/dev/classify")
        .header("content-type", "application/json")
        .header("user-agent", "curl/8")
        .body(())
        .expect("the request is well formed");
    let key = ApiKeySpec {
        id: "key1".to_owned(),
        name: "users".to_owned(),
        value: "a-secret-value-of-a-key".to_owned(),
        enabled: true,
    };

    let event = event_of(
        "/classify",
        "/classify",
        request,
        br#"{"sentence":"a"}"#,
        Some(key),
    );

    let headers = json!({
        "content-type": "application/json",
        "host": "127.0.0.1:4566",
        "user-agent": "curl/8",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-port": "4566",
        "x-forwarded-proto": "http",
    });
    let expected = json!({
        "resource": "/classify",
        "path": "/classify",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {
            "content-type": ["application/json"],
            "host": ["127.0.0.1:4566"],
            "user-agent": ["curl/8"],
            "x-forwarded-for": ["127.0.0.1"],
            "x-forwarded-port": ["4566"],
            "x-forwarded-proto": ["http"],
        },
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": null,
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api1234567",
            "deploymentId": event["requestContext"]["deploymentId"],
            "domainName": "127.0.0.1",
            "domainPrefix": "api1234567",
            "extendedRequestId": "extended-1",
            "httpMethod": "POST",
            "identity": {
                "accessKey": null,
                "accountId": null,
                "apiKey": "a-secret-value-of-a-key",
                "apiKeyId": "key1",
                "caller": null,
                "cognitoAuthenticationProvider": null,
                "cognitoAuthenticationType": null,
                "cognitoIdentityId": null,
                "cognitoIdentityPoolId": null,
                "principalOrgId": null,
                "sourceIp": "127.0.0.1",
                "user": null,
                "userAgent": "curl/8",
                "userArn": null,
            },
            "path": "/dev/classify",
            "protocol": "HTTP/1.1",
            "requestId": "request-1",
            "requestTime": "04/Mar/2026:19:15:17 +0000",
            "requestTimeEpoch": 1_772_651_717_042_i64,
            "resourceId": event["requestContext"]["resourceId"],
            "resourcePath": "/classify",
            "stage": "dev",
        },
        "body": r#"{"sentence":"a"}"#,
        "isBase64Encoded": false,
    });
    assert_eq!(event, expected);
    assert_eq!(
        event["requestContext"]["resourceId"].as_str().map(str::len),
        Some(6)
    );
}

#[test]
fn several_values_of_a_name_are_all_kept() {
    let request = request("GET", "/x?tag=a&tag=b%20c&flag")
        .header("accept", "text/html")
        .header("accept", "text/plain")
        .body(())
        .expect("the request is well formed");

    let event = event_of("/{proxy+}", "/tasks/a%20b", request, b"", None);

    assert_eq!(event["queryStringParameters"], json!({"tag": "b c", "flag": ""}));
    assert_eq!(
        event["multiValueQueryStringParameters"],
        json!({"tag": ["a", "b c"], "flag": [""]})
    );
    assert_eq!(event["headers"]["accept"], "text/plain");
    assert_eq!(
        event["multiValueHeaders"]["accept"],
        json!(["text/html", "text/plain"])
    );
    assert_eq!(event["path"], "/tasks/a b");
    assert_eq!(event["pathParameters"], json!({"proxy": "tasks/a b"}));
    assert_eq!(event["body"], Value::Null);
    assert!(event["requestContext"]["identity"].get("apiKey").is_none());
}

#[test]
fn a_binary_body_is_sent_as_base64() {
    let request = request("POST", "/x")
        .body(())
        .expect("the request is well formed");

    let event = event_of("/x", "/x", request, &[0xff, 0x00], None);

    assert_eq!(event["body"], "/wA=");
    assert_eq!(event["isBase64Encoded"], true);
}

#[test]
fn the_rust_lambda_runtime_reads_the_event() {
    let request = request("PUT", "/_aws/execute-api/api1234567/dev/items/7?q=1")
        .header("cookie", "a=b")
        .body(())
        .expect("the request is well formed");
    let event = event_of("/items/{id}", "/items/7", request, b"text", None).to_string();

    let request = lambda_http::request::from_str(&event).expect("it is an event");

    assert_eq!(request.method(), "PUT");
    assert_eq!(request.raw_http_path(), "/items/7");
    assert_eq!(request.path_parameters().first("id"), Some("7"));
    assert_eq!(request.query_string_parameters().first("q"), Some("1"));
    assert_eq!(request.headers()["cookie"], "a=b");
    assert_eq!(&request.body()[..], b"text");
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
        "statusCode": 201,
        "headers": {"x-one": "1", "x-number": 2, "X-Both": "single", "content-length": "999"},
        "multiValueHeaders": {"x-both": ["a", "b"]},
        "body": "{}",
        "isBase64Encoded": false,
    });

    let response = response(answer.to_string().as_bytes()).expect("it is well formed");

    let (status, headers, body) = read(response).await;
    assert_eq!(status, 201);
    assert_eq!(headers["x-one"], "1");
    assert_eq!(headers["x-number"], "2");
    assert_eq!(headers.get_all("x-both").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(headers["content-type"], "application/json");
    assert!(headers.get("content-length").is_none());
    assert_eq!(body, b"{}");
}

#[tokio::test]
async fn an_answer_in_base64_is_decoded() {
    let answer = json!({
        "statusCode": "200", "headers": {"Content-Type": "image/png"}, "body": "/wA=", "isBase64Encoded": true,
    });

    let (_, headers, body) = read(response(answer.to_string().as_bytes()).expect("well formed")).await;

    assert_eq!(headers["content-type"], "image/png");
    assert_eq!(body, [0xff, 0x00]);
}

#[tokio::test]
async fn every_member_of_an_answer_may_be_left_out() {
    let (status, _, body) = read(response(b"{\"headers\":null}").expect("well formed")).await;

    assert_eq!(status, 200);
    assert!(body.is_empty());
}

#[test]
fn malformed_answers_are_refused() {
    for answer in [
        r#"null"#,
        r#""text""#,
        r#"{"statusCode":200,"message":"not a member"}"#,
        r#"{"statusCode":200,"body":{"not":"text"}}"#,
        r#"{"statusCode":"two hundred"}"#,
        r#"{"statusCode":42}"#,
        r#"{"statusCode":200,"headers":{"bad name":"x"}}"#,
        r#"{"statusCode":200,"headers":{"x":"a\nb"}}"#,
        r#"{"statusCode":200,"body":"*","isBase64Encoded":true}"#,
        r#"not JSON"#,
    ] {
        assert!(response(answer.as_bytes()).is_err(), "{answer}");
    }
}
