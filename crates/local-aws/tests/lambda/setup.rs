//! A Lambda service on a state folder, and calls of its API.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use axum::{Router, body::Body};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use local_aws::{
    iam::{Iam, Principal, RoleSpec},
    invocation_queue::InvocationQueue,
    lambda::{FunctionSpec, Lambda, Timing},
    s3::{BucketSpec, S3},
    store::Store,
    transport::sdk_config,
};
use serde_json::{Value, json};

pub const ROLE: &str = "arn:aws:iam::000000000000:role/function";

/// Waiting times that make a test quick.
pub const QUICK: Timing = Timing {
    retry_delays: [Duration::from_millis(1), Duration::from_millis(2)],
    first_throttle_delay: Duration::from_millis(5),
    last_throttle_delay: Duration::from_millis(20),
    patience: Duration::from_secs(30),
    keep_warm: Duration::from_secs(300),
    shutdown_grace: Duration::ZERO,
};

pub struct Service {
    pub lambda: Arc<Lambda>,
    pub s3: Arc<S3>,
    pub queue: InvocationQueue,
}

/// Opens the service on the folder's `state`; the functions find the folder as `FOLDER`.
pub fn open(folder: &Path, timing: Timing) -> Service {
    let store = Arc::new(Store::open(&folder.join("state")).expect("the state folder is free"));
    let iam = Arc::new(Iam::default());
    let statement = |principal: Value, action: &str| {
        json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": principal, "Action": action }
        ] })
    };
    iam.put_role(RoleSpec {
        name: "function".to_owned(),
        arn: ROLE.to_owned(),
        trust_policy: statement(json!({ "Service": "lambda.amazonaws.com" }), "sts:AssumeRole"),
        policies: vec![json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::failures/*" }
        ] })],
    })
    .expect("the policies are understood");
    let queue = InvocationQueue::new(store.clone());
    let region = "us-east-1".to_owned();
    let s3 = S3::new(store.clone(), iam.clone(), queue.clone(), region.clone());
    let s3 = Arc::new(s3.expect("the state folder is readable"));
    for name in ["failures", "closed"] {
        let name = name.to_owned();
        let bucket = BucketSpec {
            name,
            ..BucketSpec::default()
        };
        s3.put_bucket(bucket).expect("the bucket is made");
    }
    let lambda = Lambda::new(
        store,
        iam,
        queue.clone(),
        s3.clone(),
        region,
        "http://127.0.0.1:4566".to_owned(),
    );
    let lambda = Arc::new(lambda.with_timing(timing));
    lambda.put_function(spec(folder, "worker"));
    Service { lambda, s3, queue }
}

pub fn spec(folder: &Path, name: &str) -> FunctionSpec {
    let program = std::env::current_exe().expect("this program has a path");
    let arguments = [
        "function::function_process",
        "--exact",
        "--ignored",
        "--nocapture",
    ];
    let mut command = vec![program.into_os_string()];
    command.extend(arguments.map(Into::into));
    let folder = folder.to_str().expect("the path is text").to_owned();
    FunctionSpec {
        name: name.to_owned(),
        role_arn: ROLE.to_owned(),
        environment: BTreeMap::from([("FOLDER".to_owned(), folder)]),
        timeout_seconds: 60,
        memory_megabytes: 256,
        json_logs: false,
        reserved_concurrency: None,
        command,
    }
}

pub fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// Calls Invoke as `principal`.
pub async fn invoke_as(
    lambda: &Lambda,
    principal: Principal,
    function: &str,
    invocation_type: &str,
    payload: impl Into<Body>,
) -> Response<Body> {
    let request = Request::post(format!("/2015-03-31/functions/{function}/invocations"))
        .header("x-amz-invocation-type", invocation_type)
        .extension(principal)
        .body(payload.into())
        .expect("the request is well formed");
    lambda.handle(request).await
}

pub async fn invoke(lambda: &Lambda, invocation_type: &str, event: Value) -> Response<Body> {
    let event = event.to_string();
    invoke_as(lambda, Principal::Root, "worker", invocation_type, event).await
}

/// Invokes `worker` synchronously; returns the kind of function error, if any, and the payload.
pub async fn call(lambda: &Lambda, event: Value) -> (Option<String>, Value) {
    let response = invoke(lambda, "RequestResponse", event).await;
    assert_eq!(response.status(), StatusCode::OK);
    let error = response.headers().get("x-amz-function-error");
    let error = error.map(|error| error.to_str().expect("it is text").to_owned());
    (error, body(response).await)
}

pub async fn body(response: Response<Body>) -> Value {
    let body = response.into_body().collect().await.expect("it is in memory");
    serde_json::from_slice(&body.to_bytes()).expect("the body is JSON")
}

pub async fn get(lambda: &Lambda, path: &str) -> Response<Body> {
    let request = Request::get(path)
        .extension(Principal::Root)
        .body(Body::empty())
        .expect("the request is well formed");
    lambda.handle(request).await
}

/// Reads the only object under `prefix` of the bucket `failures`: its key and its JSON.
pub async fn failure_under(service: &Service, prefix: &str) -> (String, Value) {
    let s3 = service.s3.clone();
    let router = Router::new().fallback(move |request: Request<Body>| {
        let s3 = s3.clone();
        async move { s3.handle(request).await }
    });
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = aws_sdk_s3::config::Builder::from(&sdk_config(router, credentials))
        .force_path_style(true)
        .build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let list = client.list_objects_v2().bucket("failures").prefix(prefix);
    let listed = list.send().await.expect("the bucket can be listed");
    let [object] = listed.contents() else {
        panic!("not one object under {prefix}: {listed:?}");
    };
    let key = object.key().expect("an object has a key").to_owned();
    let get = client.get_object().bucket("failures").key(&key);
    let object = get.send().await.expect("the object is there");
    let record = object.body.collect().await.expect("it is in memory");
    let record = serde_json::from_slice(&record.into_bytes()).expect("the record is JSON");
    (key, record)
}

/// Asks again and again until there is an answer, for a minute at most.
pub async fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6000 {
        if let Some(answer) = ask() {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still not so after a minute: {what}");
}

/// Waits until a file has this many lines.
pub async fn lines_of(path: &Path, count: usize) -> Vec<String> {
    eventually("the function has written its lines", || {
        let text = std::fs::read_to_string(path).ok()?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    })
    .await
}
