//! Everything that needs no function: a `MOCK` integration answers in its place.

use axum::response::Response;
use http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::LocalAws;

const KEY: &str = "a-key-value-of-twenty-characters";

fn method(http_method: &str, path: &str) -> MethodSpec {
    MethodSpec {
        path: path.to_owned(),
        http_method: http_method.to_owned(),
        api_key_required: false,
        request_models: BTreeMap::new(),
        validate_body: false,
        required_parameters: vec![],
        integration: mock(&[("x-answered-by", &format!("{http_method} {path}"))]),
    }
}

fn mock(headers: &[(&str, &str)]) -> Integration {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Integration::Mock {
        status: 200,
        headers: headers.collect(),
    }
}

fn api(methods: Vec<MethodSpec>) -> RestApiSpec {
    RestApiSpec {
        id: "api1".to_owned(),
        name: "texts".to_owned(),
        stage: "dev".to_owned(),
        methods,
        gateway_responses: BTreeMap::new(),
        throttle: None,
    }
}

fn serving(api: RestApiSpec) -> LocalAws {
    let aws = LocalAws::in_memory();
    aws.api_gateway.put_rest_api(api).expect("the API is well formed");
    aws
}

/// An API whose `POST /classify` needs the key, in a plan.
fn with_key(quota: Option<Quota>, throttle: Option<Throttle>) -> LocalAws {
    let aws = serving(api(vec![MethodSpec {
        api_key_required: true,
        ..method("POST", "/classify")
    }]));
    for (id, value, enabled) in [
        ("key1", KEY, true),
        ("off", "a-disabled-key-of-twenty-characters", false),
        ("lone", "a-key-in-no-plan-of-twenty-characters", true),
    ] {
        let key = ApiKeySpec {
            id: id.to_owned(),
            name: id.to_owned(),
            value: value.to_owned(),
            enabled,
        };
        aws.api_gateway.put_api_key(key).expect("the key is long enough");
    }
    let plan = UsagePlanSpec {
        id: "plan1".to_owned(),
        stages: vec![("api1".to_owned(), "dev".to_owned())],
        key_ids: vec!["key1".to_owned(), "off".to_owned()],
        throttle,
        quota,
    };
    aws.api_gateway
        .put_usage_plan(plan)
        .expect("the throttle is in range");
    aws
}

async fn send(
    aws: &LocalAws,
    request: http::request::Builder,
    body: impl Into<Body>,
) -> (u16, HeaderMap, String) {
    let request = request.body(body.into()).expect("the request is well formed");
    let response: Response = aws.api_gateway.handle(request).await;
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("the body is in memory");
    (
        parts.status.as_u16(),
        parts.headers,
        String::from_utf8_lossy(&body).into_owned(),
    )
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("/_aws/execute-api/api1/{path}"))
}

fn classify(key: &str) -> http::request::Builder {
    request("POST", "dev/classify").header("x-api-key", key)
}

#[tokio::test]
async fn the_most_specific_path_answers_then_the_method() {
    let aws = serving(api(vec![
        method("ANY", "/{proxy+}"),
        method("GET", "/tasks/{id}"),
        method("GET", "/tasks/next"),
        method("ANY", "/tasks/next"),
        method("GET", "/"),
    ]));
    for (http_method, path, expected) in [
        ("GET", "dev/tasks/next", "GET /tasks/next"),
        ("POST", "dev/tasks/next", "ANY /tasks/next"),
        ("GET", "dev/tasks/n%65xt/", "GET /tasks/next"),
        ("GET", "dev/tasks/7", "GET /tasks/{id}"),
        ("GET", "dev/tasks/7/answer", "ANY /{proxy+}"),
        ("GET", "dev/", "GET /"),
        ("GET", "dev", "GET /"),
    ] {
        let (status, headers, _) = send(&aws, request(http_method, path), "").await;

        assert_eq!(status, 200, "{path}");
        assert_eq!(headers["x-answered-by"], expected, "{path}");
    }
}

#[tokio::test]
async fn an_unknown_route_misses_an_authentication_token() {
    let aws = serving(api(vec![method("POST", "/classify")]));
    for (http_method, path) in [
        ("GET", "dev/classify"),
        ("POST", "dev/other"),
        ("POST", "dev/classify/more"),
        ("POST", "dev"),
    ] {
        let (status, headers, body) = send(&aws, request(http_method, path), "").await;

        assert_eq!(
            (status, body.as_str()),
            (403, r#"{"message":"Missing Authentication Token"}"#)
        );
        assert_eq!(headers["x-amzn-errortype"], "MissingAuthenticationTokenException");
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["x-amzn-requestid"].len(), 36);
        assert_eq!(headers["x-amz-apigw-id"].len(), 16);
    }
}

#[tokio::test]
async fn an_unknown_stage_or_api_is_forbidden() {
    let aws = serving(api(vec![method("POST", "/classify")]));
    let other_api = Request::post("/_aws/execute-api/other/dev/classify");

    for request in [request("POST", "prod/classify"), request("POST", ""), other_api] {
        let (status, _, body) = send(&aws, request, "").await;

        assert_eq!((status, body.as_str()), (403, r#"{"message":"Forbidden"}"#));
    }
}

#[tokio::test]
async fn a_key_opens_what_its_plan_covers() {
    let aws = with_key(None, None);

    assert_eq!(send(&aws, classify(KEY), "").await.0, 200);
    for request in [
        request("POST", "dev/classify"),
        classify("wrong"),
        classify("a-disabled-key-of-twenty-characters"),
        classify("a-key-in-no-plan-of-twenty-characters"),
    ] {
        let (status, headers, body) = send(&aws, request, "").await;

        assert_eq!((status, body.as_str()), (403, r#"{"message":"Forbidden"}"#));
        assert_eq!(headers["x-amzn-errortype"], "ForbiddenException");
    }
}

#[tokio::test]
async fn a_used_up_quota_is_a_limit_exceeded() {
    let aws = with_key(
        Some(Quota {
            limit: 2,
            period: Period::Month,
        }),
        None,
    );

    let statuses = [
        send(&aws, classify(KEY), "").await.0,
        send(&aws, classify("wrong"), "").await.0,
        send(&aws, classify(KEY), "").await.0,
    ];
    let (status, headers, body) = send(&aws, classify(KEY), "").await;

    assert_eq!(statuses, [200, 403, 200]);
    assert_eq!((status, body.as_str()), (429, r#"{"message":"Limit Exceeded"}"#));
    assert_eq!(headers["x-amzn-errortype"], "LimitExceededException");
}

#[tokio::test]
async fn more_than_the_burst_at_once_are_too_many_requests() {
    let aws = with_key(
        None,
        Some(Throttle {
            rate: 0.001,
            burst: 1,
        }),
    );

    assert_eq!(send(&aws, classify(KEY), "").await.0, 200);
    let (status, headers, body) = send(&aws, classify(KEY), "").await;

    assert_eq!(
        (status, body.as_str()),
        (429, r#"{"message":"Too Many Requests"}"#)
    );
    assert_eq!(headers["x-amzn-errortype"], "TooManyRequestsException");
}

#[tokio::test]
async fn a_stage_throttles_all_its_requests() {
    let throttle = Some(Throttle {
        rate: 0.001,
        burst: 1,
    });
    let aws = serving(RestApiSpec {
        throttle,
        ..api(vec![method("GET", "/")])
    });

    assert_eq!(send(&aws, request("GET", "dev"), "").await.0, 200);
    assert_eq!(send(&aws, request("GET", "dev"), "").await.0, 429);
}

fn validating(content_type: &str) -> MethodSpec {
    let model = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "required": ["classifier", "sentence"],
        "properties": {"sentence": {"type": "string", "minLength": 1}},
    });
    MethodSpec {
        validate_body: true,
        request_models: BTreeMap::from([(content_type.to_owned(), model)]),
        required_parameters: vec![],
        ..method("POST", "/classify")
    }
}

#[tokio::test]
async fn a_body_must_be_as_its_model_says() {
    let aws = serving(api(vec![validating("application/json")]));
    let post = || request("POST", "dev/classify").header("content-type", "application/json; charset=utf-8");

    assert_eq!(
        send(&aws, post(), r#"{"classifier":"c","sentence":"s"}"#).await.0,
        200
    );
    for body in [
        r#"{"classifier":"c"}"#,
        r#"{"classifier":"c","sentence":""}"#,
        "[]",
        "{",
        "",
    ] {
        let (status, headers, answer) = send(&aws, post(), body).await;

        assert_eq!(
            (status, answer.as_str()),
            (400, r#"{"message":"Invalid request body"}"#),
            "{body}"
        );
        assert_eq!(headers["x-amzn-errortype"], "BadRequestException");
    }
}

#[tokio::test]
async fn a_body_of_a_type_without_a_model_is_not_checked() {
    let post = || request("POST", "dev/classify").header("content-type", "text/plain");
    let only_json = serving(api(vec![validating("application/json")]));
    let any_type = serving(api(vec![validating("$default")]));

    assert_eq!(send(&only_json, post(), "not JSON").await.0, 200);
    assert_eq!(
        send(&only_json, request("POST", "dev/classify"), "not JSON")
            .await
            .0,
        400
    );
    assert_eq!(send(&any_type, post(), "not JSON").await.0, 400);
}

#[tokio::test]
async fn missing_parameters_are_named() {
    let names = ["method.request.header.x-user", "method.request.querystring.q"];
    let required_parameters = names.map(str::to_owned).to_vec();
    let aws = serving(api(vec![MethodSpec {
        required_parameters,
        ..method("GET", "/")
    }]));

    let (status, _, body) = send(&aws, request("GET", "dev/?p=1"), "").await;

    assert_eq!(status, 400);
    assert_eq!(
        body,
        r#"{"message":"Missing required request parameters: [x-user, q]"}"#
    );
    assert_eq!(
        send(&aws, request("GET", "dev/?q=1").header("X-User", "u"), "")
            .await
            .0,
        200
    );
}

#[tokio::test]
async fn gateway_responses_are_customised() {
    let bad_body = GatewayResponseSpec {
        status: Some(422),
        headers: BTreeMap::from([("access-control-allow-origin".to_owned(), "*".to_owned())]),
        template: Some(
            r#"{"title":$context.error.messageString,"detail":"$context.error.validationErrorString.","id":"$context.requestId","type":"$context.error.responseType"}"#
                .to_owned(),
        ),
    };
    let any = GatewayResponseSpec {
        headers: BTreeMap::from([("x-any".to_owned(), "1".to_owned())]),
        ..GatewayResponseSpec::default()
    };
    let gateway_responses = BTreeMap::from([
        ("BAD_REQUEST_BODY".to_owned(), bad_body),
        ("DEFAULT_4XX".to_owned(), any),
    ]);
    let aws = serving(RestApiSpec {
        gateway_responses,
        ..api(vec![validating("$default")])
    });

    let (status, headers, body) = send(&aws, request("POST", "dev/classify"), r#"{"classifier":"a"}"#).await;
    let (other_status, other_headers, _) = send(&aws, request("GET", "dev/classify"), "").await;

    let body: Value = serde_json::from_str(&body).expect("the template makes JSON");
    assert_eq!(status, 422);
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(body["title"], "Invalid request body");
    assert_eq!(body["detail"], "[\"sentence\" is a required property].");
    assert_eq!(body["type"], "BAD_REQUEST_BODY");
    assert_eq!(body["id"].as_str(), headers["x-amzn-requestid"].to_str().ok());
    assert_eq!(
        (other_status, &other_headers["x-any"]),
        (403, &"1".parse().expect("ASCII"))
    );
}

#[tokio::test]
async fn the_detail_of_a_refusal_does_not_repeat_the_text() {
    let template = Some("$context.error.validationErrorString".to_owned());
    let response = GatewayResponseSpec {
        template,
        ..GatewayResponseSpec::default()
    };
    let gateway_responses = BTreeMap::from([("BAD_REQUEST_BODY".to_owned(), response)]);
    let aws = serving(RestApiSpec {
        gateway_responses,
        ..api(vec![validating("$default")])
    });

    let (_, _, body) = send(&aws, request("POST", "dev/classify"), r#"["a private text"]"#).await;

    assert!(body.starts_with('[') && !body.contains("private"), "{body}");
}

#[tokio::test]
async fn a_preflight_needs_no_key() {
    let cors = [("Access-Control-Allow-Origin", "https://example.com")];
    let preflight = MethodSpec {
        integration: mock(&cors),
        ..method("OPTIONS", "/classify")
    };
    let aws = serving(api(vec![
        preflight,
        MethodSpec {
            api_key_required: true,
            ..method("POST", "/classify")
        },
    ]));

    let (status, headers, body) = send(&aws, request("OPTIONS", "dev/classify"), "").await;

    assert_eq!((status, body.as_str()), (200, ""));
    assert_eq!(headers["access-control-allow-origin"], "https://example.com");
}

#[tokio::test]
async fn a_body_over_10_mb_is_too_large() {
    let aws = serving(api(vec![method("POST", "/")]));

    let (at_limit, ..) = send(&aws, request("POST", "dev"), vec![b'a'; MAX_BODY_BYTES]).await;
    let (over, ..) = send(&aws, request("POST", "dev"), vec![b'a'; MAX_BODY_BYTES + 1]).await;

    assert_eq!((at_limit, over), (200, 413));
}

#[tokio::test]
async fn a_function_without_a_permission_is_a_server_error() {
    let integration = Integration::LambdaProxy {
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned(),
        timeout_ms: 29_000,
    };
    let aws = serving(api(vec![MethodSpec {
        integration,
        ..method("POST", "/")
    }]));

    let (status, headers, body) = send(&aws, request("POST", "dev"), "").await;

    assert_eq!(
        (status, body.as_str()),
        (500, r#"{"message":"Internal server error"}"#)
    );
    assert_eq!(headers["x-amzn-errortype"], "InternalServerErrorException");
}

#[test]
fn what_cannot_be_served_is_refused_by_name() {
    let refusal = |api: RestApiSpec| {
        let aws = LocalAws::in_memory();
        aws.api_gateway
            .put_rest_api(api)
            .expect_err("it is not implemented")
    };
    let with_template = |template: &str| {
        let response = GatewayResponseSpec {
            template: Some(template.to_owned()),
            ..GatewayResponseSpec::default()
        };
        let gateway_responses = BTreeMap::from([("THROTTLED".to_owned(), response)]);
        refusal(RestApiSpec {
            gateway_responses,
            ..api(vec![])
        })
    };
    let model = BTreeMap::from([("$default".to_owned(), json!({"type": "no such type"}))]);
    let parameter = vec!["method.request.cookie.a".to_owned()];

    assert!(with_template("$util.escapeJavaScript($x)").contains("$util.escapeJavaScript"));
    assert!(with_template("$context.identity.sourceIp").contains("$context.identity.sourceIp"));
    assert!(with_template("costs 5 $").contains('$'));
    assert!(
        refusal(api(vec![MethodSpec {
            request_models: model,
            ..method("POST", "/a")
        }]))
        .contains("POST /a")
    );
    assert!(
        refusal(api(vec![MethodSpec {
            required_parameters: parameter,
            ..method("GET", "/")
        }]))
        .contains("method.request.cookie.a")
    );
    assert!(refusal(api(vec![method("GET", "/{all+}/more")])).contains("{all+}"));
    let throttle = Some(Throttle { rate: 0.0, burst: 1 });
    assert!(
        refusal(RestApiSpec {
            throttle,
            ..api(vec![])
        })
        .contains("throttle")
    );
}

#[test]
fn a_short_key_is_refused() {
    let key = ApiKeySpec {
        id: "k".to_owned(),
        name: "k".to_owned(),
        value: "short".to_owned(),
        enabled: true,
    };

    let error = LocalAws::in_memory()
        .api_gateway
        .put_api_key(key)
        .expect_err("it is too short");

    assert!(!error.contains("short"));
}
