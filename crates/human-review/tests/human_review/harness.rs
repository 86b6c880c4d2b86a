//! A review service over a bucket of its own, with a clock that the test sets.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use active_learning_aws::personal_data::Masking;
use aws_credential_types::Credentials;
use axum::Router;
use axum::body::Body;
use chrono::{DateTime, Duration, Utc};
use human_review::{Config, HumanReview};
use local_aws::iam::{Iam, Principal, SessionSpec};
use local_aws::invocation_queue::InvocationQueue;
use local_aws::s3::{BucketSpec, S3};
use local_aws::store::Store;
use local_aws::transport::sdk_config;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tower::ServiceExt;

pub const FLOW: &str = "arn:aws:sagemaker:us-east-1:123456789012:flow-definition/tc-review";
pub const BUCKET: &str = "review-bucket";
pub const TRAINING_BUCKET: &str = "training-bucket";
pub const FEEDBACK_BUCKET: &str = "feedback-bucket";
/// Topic of the stack.
pub const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:reviewers";
pub const PORTAL_URL: &str = "https://portal.example/dev";

/// Returns what STS answers to whoever assumes a role.
fn assumed(iam: &Iam) -> String {
    let role = "arn:aws:iam::123456789012:role/labels";
    let session = SessionSpec {
        name: "b",
        external_id: None,
        policy: None,
        expires: Utc::now() + Duration::days(1),
    };
    let credentials = iam
        .assume_role(&Principal::Root, role, &session)
        .expect("a role of the user");
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId><Arn>{role}</Arn></AssumedRoleUser>\
         </AssumeRoleResult></AssumeRoleResponse>",
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token,
    )
}

fn sdk(router: Router) -> aws_config::SdkConfig {
    sdk_config(router, Credentials::from_keys("test", "test", None))
}

/// Returns the function, for which Comprehend is behind a router.
fn masked(config: Config, s3: &aws_sdk_s3::Client, comprehend: Router) -> HumanReview {
    let masking = Masking::new(config.personal_data.clone(), &sdk(comprehend));
    HumanReview::new(config, s3.clone(), b"a secret of the test").with_masking(masking)
}

/// Returns a configuration with which roles can be assumed, which takes the time.
async fn assuming(router: Router) -> aws_config::SdkConfig {
    let plain = sdk(router);
    let loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(plain.region().cloned())
        .credentials_provider(plain.credentials_provider().expect("credentials"))
        .endpoint_url(local_aws::transport::ENDPOINT_URL)
        .http_client(plain.http_client().expect("a client"));
    loader.load().await
}

pub fn config() -> Config {
    Config {
        flow_definition_arn: FLOW.to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/human-review".to_owned(),
        bucket: BUCKET.to_owned(),
        training_bucket: TRAINING_BUCKET.to_owned(),
        feedback_bucket: FEEDBACK_BUCKET.to_owned(),
        model_building_function: "model-building".to_owned(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:model-building".to_owned(),
        event_bus: "active-learning".to_owned(),
        review_topic_arn: TOPIC.to_owned(),
        portal_url: PORTAL_URL.to_owned(),
        signing_secret_arn: "arn:aws:secretsmanager:us-east-1:123456789012:secret:signing".to_owned(),
        task_count: 1,
        task_availability_seconds: 86_400,
        text_retention: Default::default(),
        personal_data: Default::default(),
        task_time_limit_seconds: 600,
        show_rules: human_review::portal::ShowRules::default(),
        allowed_networks: Default::default(),
        audit_roles: vec!["arn:aws:iam::123456789012:role/audits".to_owned()],
        oidc: None,
        items_per_task: 2,
        confidence_threshold: "0.7".parse().expect("a share"),
        template_key: String::new(),
    }
}

pub fn two_items() -> Value {
    json!({
        "comprehendPredictions": [
            { "id": "r-2", "utterance": "Rates rise again", "prediction": "Business", "confidence": 0.41, "classifier": "news" },
            { "id": "r-10", "utterance": "Cup final tonight", "prediction": "World", "confidence": 0.5, "classifier": "news" },
        ],
        "labels": ["World", "Sports", "Business"],
        "rowCount": 2, "bucketName": "feedback", "keyName": "feedback/x",
    })
}

pub struct Review {
    pub function: Arc<HumanReview>,
    pub s3: aws_sdk_s3::Client,
    pub reads: Arc<AtomicUsize>,
    pub lists: Arc<AtomicUsize>,
    pub requests: Arc<AtomicUsize>,
    /// Requests for what a process keeps for some seconds: listings, and the label set.
    pub now_and_then: Arc<AtomicUsize>,
    store: Arc<Store>,
    service: S3,
    router: Router,
    iam: Arc<Iam>,
    lost: Arc<Mutex<Option<&'static str>>>,
    denied: Arc<Mutex<Option<Denied>>>,
    unread: Arc<Mutex<Option<Denied>>>,
    held: Arc<Mutex<Option<Held>>>,
    no_role: Arc<Mutex<Option<&'static str>>>,
    clock: Cell<DateTime<Utc>>,
    _folder: tempfile::TempDir,
}

impl Review {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let store = Arc::new(Store::open(folder.path()).expect("store"));
        let queue = InvocationQueue::new(store.clone());
        let iam = Arc::new(Iam::default());
        let service = S3::new(store.clone(), iam.clone(), queue, "us-east-1".into()).expect("s3");
        let own = service.clone();
        for name in [BUCKET, TRAINING_BUCKET, FEEDBACK_BUCKET] {
            let bucket = BucketSpec {
                name: name.into(),
                ..BucketSpec::default()
            };
            service.put_bucket(bucket).expect("bucket");
        }
        let reads = Arc::new(AtomicUsize::new(0));
        let lists = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(AtomicUsize::new(0));
        let counters = [reads.clone(), lists.clone()];
        let count = requests.clone();
        let now_and_then = Arc::new(AtomicUsize::new(0));
        let seldom = now_and_then.clone();
        let lost = Arc::new(Mutex::new(None));
        let losses = lost.clone();
        let denied: Arc<Mutex<Option<Denied>>> = Arc::default();
        let denials = denied.clone();
        let unread: Arc<Mutex<Option<Denied>>> = Arc::default();
        let unreadable = unread.clone();
        let held: Arc<Mutex<Option<Held>>> = Arc::default();
        let holds = held.clone();
        let router = Router::new().fallback(move |request: http::Request<Body>| {
            count.fetch_add(1, Ordering::Relaxed);
            if request.method() == "GET" {
                let is_list = request.uri().query().unwrap_or_default().contains("list-type");
                counters[usize::from(is_list)].fetch_add(1, Ordering::Relaxed);
                let is_kept = is_list || request.uri().path().ends_with("/label-set.json");
                seldom.fetch_add(usize::from(is_kept), Ordering::Relaxed);
            }
            let is_lost = request.method() == "PUT" && take_if_in(&losses, request.uri().path());
            let is_put = request.method() == "PUT";
            let is_get = request.method() == "GET";
            let denied = match (is_put, is_get) {
                (true, _) => denial(&denials, request.uri().path()),
                (_, true) => denial(&unreadable, &request.uri().to_string()),
                _ => None,
            };
            let hold = is_put.then(|| hold(&holds, request.uri().path())).flatten();
            let service = service.clone();
            async move {
                if let Some(code) = denied {
                    return refused(403, &format!("<Error><Code>{code}</Code></Error>"));
                }
                if let Some(hold) = hold {
                    hold.await.expect("let go");
                }
                let response = service.handle(request).await;
                if is_lost {
                    return refused(500, "<Error><Code>InternalError</Code></Error>");
                }
                response
            }
        });
        let s3 = aws_sdk_s3::Client::new(&sdk(router.clone()));
        Self {
            store,
            service: own,
            router: router.clone(),
            iam,
            function: Arc::new(masked(config, &s3, router)),
            s3,
            reads,
            lists,
            requests,
            now_and_then,
            lost,
            denied,
            unread,
            held,
            no_role: Arc::default(),
            clock: Cell::new("2026-11-20T09:59:00.123Z".parse().expect("a time")),
            _folder: folder,
        }
    }

    /// As [`with`](Self::with), with Comprehend behind a router.
    pub fn with_comprehend(config: Config, comprehend: Router) -> Self {
        let review = Self::with(config.clone());
        let function = masked(config, &review.s3, comprehend);
        Self {
            function: Arc::new(function),
            ..review
        }
    }

    /// As [`with`](Self::with), with a signing secret that may be replaced.
    pub fn following(config: Config, secrets: aws_sdk_secretsmanager::Client) -> Self {
        let review = Self::with(config.clone());
        let function = HumanReview::new(config, review.s3.clone(), b"a secret of the test");
        Self {
            function: Arc::new(function.with_signing_secret(secrets)),
            ..review
        }
    }

    /// Puts many empty objects into the review bucket with one write to the disk.
    pub fn put_marks(&self, keys: impl IntoIterator<Item = String>) {
        let transaction = self.store.index.begin_write().expect("begun");
        for key in keys {
            let staged = self.service.stage(BUCKET, &key, "text/plain", Vec::new());
            let put = self.service.put(&transaction, staged.expect("staged"));
            put.expect("put");
        }
        transaction.commit().expect("committed");
    }

    /// As [`with`](Self::with), telling a bus of these services when a loop has ended.
    pub fn telling(config: Config, sdk: &aws_config::SdkConfig) -> Self {
        let review = Self::with(config.clone());
        let bus = active_learning_aws::event_bus::EventBus::new(sdk, &config.event_bus);
        let function = HumanReview::new(config, review.s3.clone(), b"a secret of the test");
        Self {
            function: Arc::new(function.with_event_bus(bus)),
            ..review
        }
    }

    /// As [`with`](Self::with), in an account whose roles may be assumed and whose functions answer so; one that answers
    /// with nothing has failed, and instead of one that answers with a text Lambda has, by this code.
    pub async fn with_functions(
        config: Config,
        answer: impl Fn(&str, Value) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        let review = Self::with(config.clone());
        let (s3, answer, iam) = (review.router.clone(), Arc::new(answer), review.iam.clone());
        let no_role = review.no_role.clone();
        let router = Router::new().fallback(move |request: http::Request<Body>| {
            let (s3, answer, iam) = (s3.clone(), answer.clone(), iam.clone());
            let no_role = *no_role.lock().expect("not poisoned");
            async move {
                let path = request.uri().path().to_owned();
                if let Some(code) = no_role.filter(|_| path == "/") {
                    let error = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
                    return refused(403, &error);
                }
                if path == "/" {
                    return http::Response::new(Body::from(assumed(&iam)));
                }
                let Some(function) = path.strip_prefix("/2015-03-31/functions/") else {
                    let response: Result<_, std::convert::Infallible> = s3.oneshot(request).await;
                    return response.unwrap_or_else(|never| match never {});
                };
                let bytes = axum::body::to_bytes(request.into_body(), usize::MAX)
                    .await
                    .expect("a body");
                let is_dry_run = bytes.is_empty();
                let event = match is_dry_run {
                    true => Value::Null,
                    false => serde_json::from_slice(&bytes).expect("an event"),
                };
                let function =
                    percent_encoding::percent_decode_str(function.trim_end_matches("/invocations"));
                match answer(&function.decode_utf8_lossy(), event) {
                    Some(Value::String(code)) => {
                        let refused = http::Response::builder().status(404);
                        let refused = refused.header("x-amzn-errortype", code);
                        refused.body(Body::from("{}")).expect("a response")
                    }
                    _ if is_dry_run => http::Response::new(Body::empty()),
                    Some(answer) => http::Response::new(Body::from(answer.to_string())),
                    None => {
                        let failed = http::Response::builder().header("x-amz-function-error", "Unhandled");
                        failed.body(Body::from("{}")).expect("a response")
                    }
                }
            }
        });
        let function = HumanReview::new(config, review.s3.clone(), b"a secret of the test");
        Self {
            function: Arc::new(function.assuming_roles(assuming(router).await)),
            ..review
        }
    }

    /// As [`with`](Self::with), signing people in by the provider of the configuration.
    pub fn with_provider(config: Config, sdk: &aws_config::SdkConfig) -> Self {
        let review = Self::with(config.clone());
        let function = HumanReview::new(config, review.s3.clone(), b"a secret of the test");
        Self {
            function: Arc::new(function.with_provider(sdk)),
            ..review
        }
    }

    /// A service that tells its reviewers at topics of other services.
    pub fn with_topics(config: Config, sdk: &aws_config::SdkConfig) -> Self {
        let review = Self::with(config.clone());
        let function = HumanReview::new(config, review.s3.clone(), b"a secret of the test");
        Self {
            function: Arc::new(function.with_topics(aws_sdk_sns::Client::new(sdk))),
            ..review
        }
    }

    /// A service that has changes of the label set counted by functions behind this router.
    pub fn with_counts(functions: Router) -> Self {
        let review = Self::new();
        let function = HumanReview::new(config(), review.s3.clone(), b"a secret of the test");
        let lambda = aws_sdk_lambda::Client::new(&sdk(functions));
        Self {
            function: Arc::new(function.with_counts(lambda)),
            ..review
        }
    }

    /// Returns a function of another process over the same objects.
    pub fn restarted(self, config: Config) -> Self {
        let function = HumanReview::new(config, self.s3.clone(), b"a secret of the test");
        Self {
            function: Arc::new(function),
            ..self
        }
    }

    /// Returns the number of requests to S3 so far, but for those that depend on how fast the machine is.
    pub fn asked(&self) -> usize {
        self.requests.load(Ordering::Relaxed) - self.now_and_then.load(Ordering::Relaxed)
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.get()
    }

    pub fn wait(&self, duration: Duration) {
        self.clock.set(self.clock.get() + duration);
    }

    /// Carries out the next put whose path holds `part`, and answers it with an error.
    pub fn lose_next_answer_to(&self, part: &'static str) {
        *self.lost.lock().expect("not poisoned") = Some(part);
    }

    /// Refuses every put whose path holds `part`, or none again.
    pub fn deny_puts_to(&self, part: Option<&'static str>) {
        self.fail_puts_to(part.map(|part| (part, "AccessDenied")));
    }

    /// Answers every put whose path holds a part with a code, or none again.
    pub fn fail_puts_to(&self, denied: Option<Denied>) {
        *self.denied.lock().expect("not poisoned") = denied;
    }

    /// Answers every read or listing whose address holds a part with a code, or none again.
    pub fn fail_gets_to(&self, unread: Option<Denied>) {
        *self.unread.lock().expect("not poisoned") = unread;
    }

    /// Holds the next put whose path holds `part` until something is sent.
    pub fn hold_next_put_to(&self, part: &'static str) -> oneshot::Sender<()> {
        let (release, held) = oneshot::channel();
        *self.held.lock().expect("not poisoned") = Some((part, held));
        release
    }

    /// Returns whether the put is held that was to be.
    pub fn is_holding(&self) -> bool {
        self.held.lock().expect("not poisoned").is_none()
    }

    /// Answers whoever assumes a role with an error, or with credentials again.
    pub fn deny_roles(&self, code: Option<&'static str>) {
        *self.no_role.lock().expect("not poisoned") = code;
    }

    pub async fn handle(&self, event: Value) -> Value {
        self.function
            .handle(event, self.now())
            .await
            .expect("HTTP events are answered")
    }

    /// Sends a request to the API by Function URL event.
    pub async fn api(&self, method: &str, path_and_query: &str, body: &str) -> Reply {
        Reply(self.handle(url_event(method, path_and_query, body)).await)
    }

    pub async fn start(&self, name: &str, input: &Value) -> Reply {
        self.api("POST", "/human-loops", &start_body(name, input)).await
    }

    pub async fn status(&self, name: &str) -> String {
        let reply = self.api("GET", &format!("/human-loops/{name}"), "").await;
        assert_eq!(reply.status(), 200, "{reply:?}");
        reply.json()["HumanLoopStatus"]
            .as_str()
            .expect("a status")
            .to_owned()
    }

    pub async fn stop(&self, name: &str) -> Reply {
        self.api(
            "POST",
            "/human-loops/stop",
            &json!({ "HumanLoopName": name }).to_string(),
        )
        .await
    }

    pub async fn delete(&self, name: &str) -> Reply {
        self.api("DELETE", &format!("/human-loops/{name}"), "").await
    }

    pub async fn list_names(&self, query: &str) -> Vec<String> {
        let flow = FLOW.replace(':', "%3A").replace('/', "%2F");
        let reply = self
            .api(
                "GET",
                &format!("/human-loops?FlowDefinitionArn={flow}{query}"),
                "",
            )
            .await;
        assert_eq!(reply.status(), 200, "{reply:?}");
        let summaries = reply.json()["HumanLoopSummaries"]
            .as_array()
            .expect("summaries")
            .clone();
        summaries
            .iter()
            .map(|summary| summary["HumanLoopName"].as_str().expect("a name").to_owned())
            .collect()
    }

    /// Returns the sign-in token of a new link.
    pub async fn link_token(&self, reviewer: &str) -> String {
        let link = self
            .handle(json!({ "operation": "create-sign-in-link", "reviewer": reviewer }))
            .await;
        let url = link["url"].as_str().expect("a URL");
        url.split_once("sign-in?token=").expect("a token").1.to_owned()
    }

    pub async fn sign_in(&self, reviewer: &str) -> Session<'_> {
        let token = self.link_token(reviewer).await;
        self.sign_in_by(&token).await
    }

    pub async fn sign_in_admin(&self, name: &str) -> Session<'_> {
        let payload = json!({ "operation": "create-sign-in-link", "reviewer": name, "role": "admin" });
        let link = self.handle(payload).await;
        let url = link["url"].as_str().expect("a URL").to_owned();
        let token = url.split_once("sign-in?token=").expect("a token").1;
        self.sign_in_by(token).await
    }

    async fn sign_in_by(&self, token: &str) -> Session<'_> {
        let reply = self.portal("POST", "sign-in", None, &[("token", token)]).await;
        assert_eq!(reply.status(), 303, "{reply:?}");
        let cookie = reply
            .header("set-cookie")
            .split(';')
            .next()
            .expect("a cookie")
            .to_owned();
        Session { review: self, cookie }
    }

    /// Sends a request to the portal by REST proxy event.
    pub async fn portal(
        &self,
        method: &str,
        page: &str,
        cookie: Option<&str>,
        form: &[(&str, &str)],
    ) -> Reply {
        Reply(self.handle(proxy_event(method, page, cookie, form)).await)
    }

    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let page = self
            .s3
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix(prefix)
            .send()
            .await
            .expect("a list");
        page.contents()
            .iter()
            .filter_map(|object| object.key().map(str::to_owned))
            .collect()
    }

    pub async fn object(&self, key: &str) -> String {
        let object = self
            .s3
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .expect("an object");
        let body = object.body.collect().await.expect("a body").to_vec();
        String::from_utf8(body).expect("text")
    }

    pub async fn put(&self, key: &str, body: &str) {
        let body = aws_sdk_s3::primitives::ByteStream::from(body.as_bytes().to_vec());
        self.s3
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(body)
            .send()
            .await
            .expect("stored");
    }

    pub async fn remove(&self, key: &str) {
        self.s3
            .delete_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .expect("deleted");
    }
}

/// Part of a path, and the code that what is asked of it is refused with.
pub type Denied = (&'static str, &'static str);
/// Part of a path, and what ends the waiting of a put there.
type Held = (&'static str, oneshot::Receiver<()>);

fn denial(denied: &Mutex<Option<Denied>>, path: &str) -> Option<&'static str> {
    let denied = denied.lock().expect("not poisoned");
    denied
        .filter(|(part, _)| path.contains(part))
        .map(|(_, code)| code)
}

fn hold(held: &Mutex<Option<Held>>, path: &str) -> Option<oneshot::Receiver<()>> {
    let mut held = held.lock().expect("not poisoned");
    held.take_if(|(part, _)| path.contains(*part))
        .map(|(_, held)| held)
}

fn refused(status: u16, body: &str) -> http::Response<Body> {
    let refused = http::Response::builder().status(status);
    refused.body(Body::from(body.to_owned())).expect("a response")
}

/// Returns whether the part that waits is in the path; then it waits no longer.
fn take_if_in(waiting: &Mutex<Option<&'static str>>, path: &str) -> bool {
    let mut waiting = waiting.lock().expect("not poisoned");
    waiting.take_if(|part| path.contains(*part)).is_some()
}

pub fn start_body(name: &str, input: &Value) -> String {
    json!({
        "HumanLoopName": name,
        "FlowDefinitionArn": FLOW,
        "HumanLoopInput": { "InputContent": input.to_string() },
    })
    .to_string()
}

pub fn url_event(method: &str, path_and_query: &str, body: &str) -> Value {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": { "host": "abc.lambda-url.us-east-1.on.aws", "content-type": "application/json" },
        "requestContext": { "http": { "method": method, "path": path }, "requestId": "req-1", "timeEpoch": 1 },
        "body": body, "isBase64Encoded": false,
    })
}

pub fn proxy_event(method: &str, page: &str, cookie: Option<&str>, form: &[(&str, &str)]) -> Value {
    let (path, query) = page.split_once('?').unwrap_or((page, ""));
    let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    json!({
        "resource": "/{proxy+}", "path": format!("/{path}"), "httpMethod": method,
        "headers": { "Host": "portal.example", "X-Forwarded-Proto": "https", "Cookie": cookie.unwrap_or_default() },
        "queryStringParameters": if query.is_empty() { Value::Null } else { json!(query) },
        "requestContext": { "path": format!("/dev/{path}"), "stage": "dev", "requestId": "req-2" },
        "body": body, "isBase64Encoded": false,
    })
}

#[derive(Debug, Clone)]
pub struct Reply(pub Value);

impl Reply {
    pub fn status(&self) -> u64 {
        self.0["statusCode"].as_u64().expect("a status")
    }

    pub fn header(&self, name: &str) -> &str {
        self.0["headers"][name].as_str().unwrap_or_default()
    }

    pub fn body(&self) -> &str {
        self.0["body"].as_str().expect("a body")
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(self.body()).expect("JSON")
    }

    /// Returns the value of a hidden field of the page.
    pub fn field(&self, name: &str) -> String {
        let (_, after) = self
            .body()
            .split_once(&format!("name=\"{name}\" value=\""))
            .expect("the field");
        after.split('"').next().expect("a value").to_owned()
    }

    /// Returns the stable code of a message, be it a page or JSON.
    pub fn code(&self) -> &str {
        let page = self.body().split_once("data-code=\"");
        let said = page.or_else(|| self.body().split_once("\"code\":\""));
        let after = said.map_or("", |(_, after)| after);
        after.split('"').next().unwrap_or_default()
    }
}

/// A signed-in reviewer's browser.
pub struct Session<'r> {
    pub review: &'r Review,
    pub cookie: String,
}

impl Session<'_> {
    pub async fn get(&self, page: &str) -> Reply {
        self.review.portal("GET", page, Some(&self.cookie), &[]).await
    }

    pub async fn post(&self, page: &str, form: &[(&str, &str)]) -> Reply {
        self.review.portal("POST", page, Some(&self.cookie), form).await
    }

    pub async fn open(&self, name: &str) -> Reply {
        self.get(&format!("task?loop={name}")).await
    }

    /// Sends the answer of an opened task page.
    pub async fn submit(&self, task: &Reply, answer: &Value) -> Reply {
        let answer = answer.to_string();
        let fields = ["portal:csrf", "portal:loop", "portal:loop-id"].map(|name| (name, task.field(name)));
        let mut form: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        form.push(("portal:answer", &answer));
        self.post("submit", &form).await
    }

    /// Sends it as the page's script does, which reads JSON.
    pub async fn submit_by_script(&self, task: &Reply, answer: &Value) -> Reply {
        let answer = answer.to_string();
        let fields = ["portal:csrf", "portal:loop", "portal:loop-id"].map(|name| (name, task.field(name)));
        let mut form: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        form.push(("portal:answer", &answer));
        let mut event = proxy_event("POST", "submit", Some(&self.cookie), &form);
        event["headers"]["accept"] = json!("application/json");
        Reply(self.review.handle(event).await)
    }

    pub async fn release(&self, task: &Reply) -> Reply {
        let (token, name) = (task.field("portal:csrf"), task.field("portal:loop"));
        self.post("release", &[("portal:csrf", &token), ("portal:loop", &name)])
            .await
    }
}
