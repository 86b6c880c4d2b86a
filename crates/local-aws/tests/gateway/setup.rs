//! Services with one function behind an API and behind a URL, and signed requests to them.

use std::{collections::BTreeMap, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use local_aws::{
    LocalAws,
    apigateway::{ApiKeySpec, Integration, MethodSpec, Period, Quota, RestApiSpec, UsagePlanSpec},
    iam::RoleSpec,
    lambda::{FunctionSpec, FunctionUrlSpec, PermissionSpec},
};
use serde_json::{Value, json};
use tower::ServiceExt;

pub const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:worker";
pub const KEY: &str = "a-key-value-of-twenty-characters";
pub const ENDPOINT: &str = "http://127.0.0.1:4566";

/// Opens services with the function `worker`, which API Gateway may invoke.
pub fn services() -> LocalAws {
    let aws = LocalAws::in_memory();
    put_role(&aws, "worker", vec![]);
    let program = std::env::current_exe().expect("this program has a path");
    let arguments = [
        "function::function_process",
        "--exact",
        "--ignored",
        "--nocapture",
    ];
    let mut command = vec![program.into_os_string()];
    command.extend(arguments.map(Into::into));
    aws.lambda.put_function(FunctionSpec {
        name: "worker".to_owned(),
        role_arn: role_arn("worker"),
        environment: BTreeMap::new(),
        timeout_seconds: 60,
        memory_megabytes: 256,
        json_logs: false,
        reserved_concurrency: None,
        command,
    });
    aws.lambda.add_permission(PermissionSpec {
        function_name: "worker".to_owned(),
        action: "lambda:InvokeFunction".to_owned(),
        principal: "apigateway.amazonaws.com".to_owned(),
        source_arn: Some("arn:aws:execute-api:us-east-1:000000000000:api1/*/POST/*".to_owned()),
        source_account: None,
    });
    aws.lambda.put_url(FunctionUrlSpec {
        id: "url1".to_owned(),
        function_name: "worker".to_owned(),
        iam_auth: true,
    });
    aws
}

/// Adds an API whose every path is answered by the function; `POST /keyed` needs the key.
pub fn put_api(aws: &LocalAws, timeout_ms: u32) {
    let method = |http_method: &str, path: &str, api_key_required| MethodSpec {
        path: path.to_owned(),
        http_method: http_method.to_owned(),
        api_key_required,
        request_models: BTreeMap::new(),
        validate_body: false,
        required_parameters: vec![],
        integration: Integration::LambdaProxy {
            function_arn: FUNCTION_ARN.to_owned(),
            timeout_ms,
        },
    };
    let api = RestApiSpec {
        id: "api1".to_owned(),
        name: "texts".to_owned(),
        stage: "dev".to_owned(),
        methods: vec![method("ANY", "/{proxy+}", false), method("POST", "/keyed", true)],
        gateway_responses: BTreeMap::new(),
        throttle: None,
    };
    aws.api_gateway.put_rest_api(api).expect("the API is well formed");
    let key = ApiKeySpec {
        id: "key1".to_owned(),
        name: "users".to_owned(),
        value: KEY.to_owned(),
        enabled: true,
    };
    aws.api_gateway.put_api_key(key).expect("the key is long enough");
    let plan = UsagePlanSpec {
        id: "plan1".to_owned(),
        stages: vec![("api1".to_owned(), "dev".to_owned())],
        key_ids: vec!["key1".to_owned()],
        throttle: None,
        quota: Some(Quota {
            limit: 2,
            period: Period::Month,
        }),
    };
    aws.api_gateway
        .put_usage_plan(plan)
        .expect("there is no throttle");
}

pub fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::000000000000:role/{name}")
}

/// Adds a role with these statements.
pub fn put_role(aws: &LocalAws, name: &str, statements: Vec<Value>) {
    let trust_policy = json!({"Statement": {
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
    }});
    let role = RoleSpec {
        name: name.to_owned(),
        arn: role_arn(name),
        trust_policy,
        policies: vec![json!({"Version": "2012-10-17", "Statement": statements})],
    };
    aws.iam.put_role(role).expect("the policies are implemented");
}

pub fn user() -> Credentials {
    Credentials::new("test", "test", None, None, "test")
}

pub fn session(aws: &LocalAws, role: &str) -> Credentials {
    let session = aws
        .iam
        .role_credentials(&role_arn(role))
        .expect("the role exists");
    Credentials::new(
        session.access_key_id,
        session.secret_access_key,
        Some(session.session_token),
        None,
        "test",
    )
}

/// A request to be signed and sent.
pub struct Call<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a str,
}

impl Call<'_> {
    /// Sends the request, signed for `service`.
    pub async fn send_as(&self, aws: &LocalAws, service: &str, credentials: Credentials) -> Answer {
        let uri = format!("{ENDPOINT}{}", self.path);
        let mut request = self.request();
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .expect("all parameters are set")
            .into();
        let body = SignableBody::Bytes(self.body.as_bytes());
        let signable = SignableRequest::new(self.method, &uri, self.headers.iter().copied(), body)
            .expect("the request can be signed");
        let (instructions, _) = sign(signable, &params)
            .expect("the request can be signed")
            .into_parts();
        instructions.apply_to_request_http1x(&mut request);
        send(aws, request).await
    }

    /// Sends the request without a signature.
    pub async fn send(&self, aws: &LocalAws) -> Answer {
        send(aws, self.request()).await
    }

    fn request(&self) -> Request<Body> {
        let request = Request::builder()
            .method(self.method)
            .uri(format!("{ENDPOINT}{}", self.path));
        let headers = self.headers.iter();
        headers
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .body(Body::from(self.body.to_owned()))
            .expect("the request is well formed")
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

async fn send(aws: &LocalAws, request: Request<Body>) -> Answer {
    let response = aws
        .router()
        .oneshot(request)
        .await
        .expect("the router is infallible");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("the body is in memory").to_bytes();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

pub fn get(path: &str) -> Call<'_> {
    Call {
        method: "GET",
        path,
        headers: &[],
        body: "",
    }
}

pub fn post<'a>(path: &'a str, body: &'a str) -> Call<'a> {
    Call {
        method: "POST",
        path,
        headers: &[],
        body,
    }
}
