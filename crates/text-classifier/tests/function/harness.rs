//! One function with a training bucket of its own.

use std::{
    io::Read,
    sync::{Arc, Mutex},
};

use aws_credential_types::Credentials;
use axum::{Router, body::Body};
use http::{Request, Response};
use lambda_runtime::{Context, LambdaEvent};
use local_aws::{
    iam::Iam,
    invocation_queue::InvocationQueue,
    s3::{BucketSpec, FunctionNotification, S3},
    store::Store,
    transport::sdk_config,
};
use serde_json::{Value, json};
use text_classifier::{Config, Event, EventError, TextClassifier, TextEncoder};

pub const BUCKET: &str = "example-training";
pub const ENDPOINT_ARN: &str = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/news";
pub const STATE_KEY: &str = "text-classifier/document-classifier-endpoint/news.json";

pub const SCOPE: &str = "arn:aws:comprehend:us-east-1:123456789012";
pub const ROLE_ARN: &str = "arn:aws:iam::123456789012:role/comprehend-data";

/// Two classes, told apart by any of their words.
pub const PETS_CSV: &str = "Cat,the cat purrs on the sofa\nDog,the dog barks at the gate\n\
    Cat,a kitten that purrs\nDog,a puppy that barks\n";
pub const WEATHER_CSV: &str = "Rain,umbrella and puddles\nSun,beach and sunglasses\n\
    Rain,puddles in the street\nSun,a day at the beach\n";

pub struct Function {
    pub classifier: Arc<TextClassifier>,
    pub s3: aws_sdk_s3::Client,
    queue: InvocationQueue,
    deletion: Arc<Mutex<Option<Deletion>>>,
    refusal: Arc<Mutex<Option<&'static str>>>,
    encoder: TextEncoder,
    _folder: tempfile::TempDir,
}

/// Part of the path of a put, and what is deleted before it.
type Deletion = (&'static str, String);

pub struct Answer {
    pub status: u64,
    pub headers: Value,
    pub body: Value,
}

impl Function {
    /// One whose models look at n-grams alone.
    pub fn new() -> Self {
        Self::with_encoder(TextEncoder::None)
    }

    /// One of a stack where a text may have several labels.
    pub fn with_several_labels() -> Self {
        Self::with(TextEncoder::None, true)
    }

    /// One of a stack where a text may have several labels, which looks through the encoder of the program.
    pub fn with_several_labels_and_encoder() -> Self {
        Self::with(TextEncoder::BuiltIn, true)
    }

    pub fn with_encoder(encoder: TextEncoder) -> Self {
        Self::with(encoder, false)
    }

    fn with(encoder: TextEncoder, several_labels: bool) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let store = Arc::new(Store::open(folder.path()).expect("store"));
        let queue = InvocationQueue::new(store.clone());
        let service =
            S3::new(store, Arc::new(Iam::default()), queue.clone(), "us-east-1".into()).expect("s3");
        let notification = |prefix: &str| FunctionNotification {
            event: "s3:ObjectCreated:*".into(),
            function_arn: "arn:aws:lambda:us-east-1:000000000000:function:text-classifier".into(),
            prefix: prefix.into(),
            suffix: String::new(),
        };
        let bucket = BucketSpec {
            name: BUCKET.into(),
            notifications: ["initial/", "encoder/", "text-classifier/jobs/"]
                .map(notification)
                .into(),
            ..BucketSpec::default()
        };
        service.put_bucket(bucket).expect("bucket");
        let plain = service.clone();
        let plain = Router::new().fallback(move |request: Request<Body>| {
            let service = plain.clone();
            async move { service.handle(request).await }
        });
        let plain = aws_sdk_s3::Client::new(&sdk_config(plain, credentials()));
        let deletion: Arc<Mutex<Option<Deletion>>> = Arc::default();
        let next = deletion.clone();
        let refusal: Arc<Mutex<Option<&'static str>>> = Arc::default();
        let next_refused = refusal.clone();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let (service, plain) = (service.clone(), plain.clone());
            let is_before =
                |(part, _): &mut Deletion| request.method() == "PUT" && request.uri().path().contains(*part);
            let deleted = next.lock().expect("not poisoned").take_if(is_before);
            let is_refused =
                |part: &mut &str| request.method() == "PUT" && request.uri().path().contains(*part);
            let refused = next_refused.lock().expect("not poisoned").take_if(is_refused);
            async move {
                if refused.is_some() {
                    let denied = "<Error><Code>AccessDenied</Code></Error>";
                    return Response::builder()
                        .status(403)
                        .body(Body::from(denied))
                        .expect("a response");
                }
                if let Some((_, key)) = deleted {
                    let delete = plain.delete_object().bucket(BUCKET).key(key);
                    delete.send().await.expect("deleted");
                }
                service.handle(request).await
            }
        });
        let s3 = aws_sdk_s3::Client::new(&sdk_config(router, credentials()));
        Self {
            classifier: Arc::new(classifier(&s3, encoder, several_labels)),
            s3,
            queue,
            deletion,
            refusal,
            encoder,
            _folder: folder,
        }
    }

    /// Has somebody delete an object just before the next put whose path holds `part`.
    pub fn delete_before_put(&self, part: &'static str, key: String) {
        *self.deletion.lock().expect("not poisoned") = Some((part, key));
    }

    /// Refuses the next put whose path holds `part`: whatever was at it has failed.
    pub fn refuse_put(&self, part: &'static str) {
        *self.refusal.lock().expect("not poisoned") = Some(part);
    }

    /// The same function, whose classification jobs put down their output after so many documents.
    pub fn with_parts_of(self, documents: usize) -> Self {
        let classifier = classifier(&self.s3, self.encoder, false).with_parts_of(documents);
        Self {
            classifier: Arc::new(classifier),
            ..self
        }
    }

    /// The same function in a new process.
    pub fn restarted(&self) -> TextClassifier {
        classifier(&self.s3, TextEncoder::None, false)
    }

    /// The same function after an operator changed its encoder.
    pub fn with_other_encoder(self, encoder: TextEncoder) -> Self {
        Self {
            classifier: Arc::new(classifier(&self.s3, encoder, false)),
            encoder,
            ..self
        }
    }

    /// Puts an object and returns the event that S3 sends for it.
    pub async fn put(&self, key: &str, content: impl Into<Vec<u8>>) -> Value {
        let body = content.into().into();
        self.s3
            .put_object()
            .bucket(BUCKET)
            .key(key)
            .body(body)
            .send()
            .await
            .expect("put");
        let (_, event) = self.queue.list().expect("queue").pop().expect("notification");
        serde_json::from_str(&event.payload).expect("JSON")
    }

    /// Puts an object of which nobody is told.
    pub async fn put_quietly(&self, key: &str, content: &str) {
        self.put_bytes_quietly(key, content.as_bytes().to_vec()).await;
    }

    pub async fn put_bytes_quietly(&self, key: &str, content: Vec<u8>) {
        let put = self.s3.put_object().bucket(BUCKET).key(key);
        put.body(content.into()).send().await.expect("put");
    }

    /// Takes the events that wait, oldest first, as Lambda would deliver them: request id and event.
    pub fn waiting_events(&self) -> Vec<(String, Value)> {
        let waiting = self.queue.list().expect("queue");
        waiting
            .into_iter()
            .map(|(key, event)| {
                self.queue.complete(key).expect("queue");
                let payload = serde_json::from_str(&event.payload).expect("JSON");
                (event.request_id, payload)
            })
            .collect()
    }

    /// Asks for a classifier `news` of this version, trained on this CSV.
    pub async fn create_classifier(&self, version: &str, csv: &str) -> String {
        self.create_classifier_on(version, &format!("train/{version}.csv"), csv)
            .await
    }

    async fn create_classifier_on(&self, version: &str, key: &str, csv: &str) -> String {
        self.put_quietly(key, csv).await;
        let request = json!({
            "DocumentClassifierName": "news",
            "VersionName": version,
            "DataAccessRoleArn": ROLE_ARN,
            "LanguageCode": "en",
            "InputDataConfig": {"S3Uri": format!("s3://{BUCKET}/{key}")},
        });
        let created = self.call("CreateDocumentClassifier", &request).await;
        assert_eq!(created.status, 200, "{}", created.body);
        created.body["DocumentClassifierArn"]
            .as_str()
            .expect("ARN")
            .to_owned()
    }

    /// Returns a trained classifier `news` of this version.
    pub async fn trained_classifier(&self, version: &str, csv: &str) -> String {
        let arn = self.create_classifier(version, csv).await;
        self.work().await;
        arn
    }

    /// Returns a trained classifier `news` of this version, whose training file has this key.
    pub async fn trained_on(&self, version: &str, key: &str, csv: &str) -> String {
        let arn = self.create_classifier_on(version, key, csv).await;
        self.work().await;
        arn
    }

    pub async fn classifier(&self, arn: &str) -> Value {
        let request = json!({"DocumentClassifierArn": arn});
        let described = self.call("DescribeDocumentClassifier", &request).await;
        described.body["DocumentClassifierProperties"].clone()
    }

    pub async fn endpoint(&self, arn: &str) -> Value {
        let described = self.call("DescribeEndpoint", &json!({"EndpointArn": arn})).await;
        described.body["EndpointProperties"].clone()
    }

    /// Returns an endpoint in service.
    pub async fn endpoint_of(&self, name: &str, model_arn: &str) -> String {
        let request = json!({"EndpointName": name, "ModelArn": model_arn, "DesiredInferenceUnits": 1});
        let created = self.call("CreateEndpoint", &request).await;
        self.work().await;
        created.body["EndpointArn"].as_str().expect("ARN").to_owned()
    }

    /// Changes a thing's state behind the function's back.
    pub async fn edit_state(&self, resource: &str, edit: impl FnOnce(&mut Value)) {
        let key = format!("text-classifier/{resource}.json");
        let state = self.object(&key).await.expect("state");
        let mut state = serde_json::from_slice(&state).expect("JSON");
        edit(&mut state);
        self.put_quietly(&key, &state.to_string()).await;
    }

    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(BUCKET).prefix(prefix);
        let listed = list.send().await.expect("list");
        listed
            .contents()
            .iter()
            .filter_map(|object| object.key().map(str::to_owned))
            .collect()
    }

    /// Returns the content of the one file in an `output.tar.gz`, and its name.
    pub async fn output(&self, uri: &str) -> (String, String) {
        let key = uri.strip_prefix(&format!("s3://{BUCKET}/")).expect("our bucket");
        let archive = self.object(key).await.expect("output");
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&archive[..]));
        let mut file = archive
            .entries()
            .expect("tar")
            .next()
            .expect("a file")
            .expect("tar");
        let name = file.path().expect("path").display().to_string();
        let mut content = String::new();
        file.read_to_string(&mut content).expect("UTF-8");
        (name, content)
    }

    /// Does all work that waits.
    pub async fn work(&self) {
        for (request_id, event) in self.waiting_events() {
            // A test awaits it several times, and a future of this size does not fit so often on the stack of its thread.
            let answer = Box::pin(self.classifier.handle(delivery(&event, &request_id, 60))).await;
            assert_eq!(answer.expect("work is done"), None);
        }
    }

    /// Puts a training file and delivers its event once.
    pub async fn train(&self, key: &str, csv: &str) -> Result<(), EventError> {
        let event = self.put(key, csv).await;
        self.deliver(&event).await
    }

    pub async fn deliver(&self, event: &Value) -> Result<(), EventError> {
        let answer = self.classifier.handle(invocation(event)).await?;
        assert_eq!(answer, None, "an S3 event has no answer");
        Ok(())
    }

    /// Sends a request to the function URL.
    pub async fn call(&self, operation: &str, body: &Value) -> Answer {
        self.call_raw(&format!("Comprehend_20171127.{operation}"), &body.to_string())
            .await
    }

    pub async fn call_raw(&self, target: &str, body: &str) -> Answer {
        answer(&self.classifier, &url_event(target, body, false)).await
    }

    pub async fn object(&self, key: &str) -> Option<Vec<u8>> {
        let object = self.s3.get_object().bucket(BUCKET).key(key).send().await.ok()?;
        Some(object.body.collect().await.expect("body").to_vec())
    }

    /// Comprehend's client, with this function behind its endpoint.
    pub fn comprehend(&self) -> aws_sdk_comprehend::Client {
        let classifier = self.classifier.clone();
        let router = Router::new().fallback(move |request: Request<Body>| {
            let classifier = classifier.clone();
            async move { through_function_url(&classifier, request).await }
        });
        aws_sdk_comprehend::Client::new(&sdk_config(router, credentials()))
    }
}

pub async fn answer(classifier: &TextClassifier, event: &Value) -> Answer {
    let answer = classifier
        .handle(invocation(event))
        .await
        .expect("requests never fail the invocation");
    let answer = serde_json::to_value(answer).expect("JSON");
    Answer {
        status: answer["statusCode"].as_u64().expect("status"),
        headers: answer["headers"].clone(),
        body: serde_json::from_str(answer["body"].as_str().expect("body")).expect("JSON"),
    }
}

pub fn url_event(target: &str, body: &str, is_base64: bool) -> Value {
    json!({
        "version": "2.0",
        "rawPath": "/",
        "headers": {"content-type": "application/x-amz-json-1.1", "x-amz-target": target},
        "requestContext": {"timeEpoch": 0, "http": {"method": "POST", "path": "/"}},
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

fn invocation(event: &Value) -> LambdaEvent<Event> {
    delivery(event, "6f1c2f2e", 60)
}

/// An invocation that may take so many seconds.
pub fn delivery(event: &Value, request_id: &str, seconds: i64) -> LambdaEvent<Event> {
    let event = serde_json::from_value(event.clone()).expect("an event of this function");
    let mut context = Context::default();
    context.request_id = request_id.into();
    let deadline = chrono::Utc::now() + chrono::TimeDelta::seconds(seconds);
    context.deadline = deadline.timestamp_millis().try_into().expect("after 1970");
    LambdaEvent::new(event, context)
}

async fn through_function_url(classifier: &TextClassifier, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("body");
    let target = parts.headers["x-amz-target"].to_str().expect("ASCII");
    let event = url_event(target, std::str::from_utf8(&body).expect("UTF-8"), false);
    let answer = answer(classifier, &event).await;
    let mut response = Response::builder().status(u16::try_from(answer.status).expect("status"));
    for (name, value) in answer.headers.as_object().expect("headers") {
        response = response.header(name, value.as_str().expect("text"));
    }
    response
        .body(Body::from(answer.body.to_string()))
        .expect("response")
}

fn classifier(s3: &aws_sdk_s3::Client, text_encoder: TextEncoder, several_labels: bool) -> TextClassifier {
    let config = Config {
        training_bucket: BUCKET.into(),
        endpoint_arn: ENDPOINT_ARN.parse().expect("endpoint ARN"),
        test_share: 0.0,
        classes: ["World", "Sports", "Business", "SciTech"]
            .map(str::to_owned)
            .to_vec(),
        several_labels,
        text_encoder,
    };
    TextClassifier::new(config, s3.clone())
}

fn credentials() -> Credentials {
    Credentials::from_keys("test", "test", None)
}
