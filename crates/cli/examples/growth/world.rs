//! The functions of the shipped template over services in this process, and the events that call them.

use active_learning_aws::event_bus::EventBus;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use chrono::Utc;
use human_review::HumanReview;
use lambda_http::Request;
use local_aws::transport::sdk_config;
use serde_json::{Value, json};

use crate::{memory::Memory, services::Services, stack::Shipped};

/// Rows that the first model learns from.
const NEWS: &str = include_str!("../../data/news.csv");

/// A stack, and what is asked of it.
pub struct World {
    pub shipped: Shipped,
    pub memory: Memory,
    pub services: Services,
    pub sdk: SdkConfig,
}

impl World {
    /// Makes a stack with a first model.
    pub async fn new() -> Self {
        let memory = Memory::default();
        let services = Services::new(memory.clone());
        let sdk = sdk_config(services.router(), Credentials::from_keys("test", "test", None));
        let world = Self {
            shipped: Shipped::read(),
            memory,
            services,
            sdk,
        };
        world
            .services
            .serve(world.text_classifier(), world.human_review());
        world.train().await;
        world
    }

    async fn train(&self) {
        let key = "initial/news.csv";
        self.memory
            .place(self.path("training", key), NEWS.as_bytes().to_vec());
        let event = serde_json::from_value(self.stored("training", key)).expect("an event");
        let context = lambda_runtime::Context::default();
        let trained = self
            .text_classifier()
            .handle(lambda_runtime::LambdaEvent::new(event, context))
            .await;
        assert!(trained.is_ok(), "{trained:?}");
    }

    /// Returns the name of one of the buckets: `feedback`, `review` or `training`.
    pub fn bucket(&self, kind: &str) -> &str {
        let variable = format!("{}_BUCKET_NAME", kind.to_uppercase());
        self.shipped.variable("label-collection", &variable)
    }

    /// Returns the path of an object.
    pub fn path(&self, kind: &str, key: &str) -> String {
        match kind {
            "batch" => format!("/batch/{key}"),
            kind => format!("/{}/{key}", self.bucket(kind)),
        }
    }

    pub fn classify(&self) -> classify::Classify {
        let config = classify::Config::from_env(&self.shipped.env("classify"));
        classify::Classify::new(config.expect("configured"), &self.sdk)
    }

    pub fn feedback_api(&self) -> feedback_api::FeedbackApi {
        let config = feedback_api::Config::from_env(&self.shipped.env("feedback-api"));
        feedback_api::FeedbackApi::new(config.expect("configured"), &self.sdk)
    }

    pub fn batch_feedback(&self) -> batch_feedback::BatchFeedback {
        let config = batch_feedback::Config::from_env(&self.shipped.env("batch-feedback"));
        batch_feedback::BatchFeedback::new(config.expect("configured"), &self.sdk)
    }

    pub fn a2i_trigger(&self) -> a2i_trigger::A2iTrigger {
        let config = a2i_trigger::Config::from_env(&self.shipped.env("a2i-trigger"));
        a2i_trigger::A2iTrigger::new(config.expect("configured"), &self.sdk)
    }

    pub fn human_review(&self) -> HumanReview {
        let config = human_review::Config::from_env(&self.shipped.env("human-review")).expect("configured");
        let bus = EventBus::new(&self.sdk, self.shipped.variable("human-review", "EVENT_BUS_NAME"));
        HumanReview::new(
            config,
            aws_sdk_s3::Client::new(&self.sdk),
            b"a secret of the benchmark",
        )
        .with_event_bus(bus)
    }

    pub fn label_collection(&self) -> label_collection::LabelCollection {
        let config = label_collection::Config::from_env(&self.shipped.env("label-collection"));
        label_collection::LabelCollection::new(config.expect("configured"), &self.sdk)
    }

    pub fn review_events(&self) -> review_events::ReviewEvents {
        let config = review_events::Config::from_env(&self.shipped.env("review-events"));
        review_events::ReviewEvents::new(config.expect("configured"), &self.sdk)
    }

    pub fn model_building(&self) -> model_building::ModelBuilding {
        let config = model_building::Config::from_env(&self.shipped.env("model-building"));
        model_building::ModelBuilding::new(config.expect("configured"), &self.sdk)
    }

    pub fn text_classifier(&self) -> text_classifier::TextClassifier {
        let config = text_classifier::Config::from_env(&self.shipped.env("text-classifier"));
        text_classifier::TextClassifier::new(config.expect("configured"), aws_sdk_s3::Client::new(&self.sdk))
    }

    /// Returns the event of S3 that an object was stored.
    pub fn stored(&self, kind: &str, key: &str) -> Value {
        self.event("ObjectCreated:Put", kind, key)
    }

    /// Returns the event of S3 that an object was removed.
    pub fn removed(&self, kind: &str, key: &str) -> Value {
        self.event("ObjectRemoved:Delete", kind, key)
    }

    fn event(&self, name: &str, kind: &str, key: &str) -> Value {
        let event = include_str!("../../../../events/a2i-trigger/object-created.json");
        let mut event: Value = serde_json::from_str(event).expect("an event");
        let path = self.path(kind, key);
        let (_, rest) = path.split_at(1);
        let bucket = rest.split('/').next().unwrap_or_default();
        let record = &mut event["Records"][0];
        record["eventName"] = json!(name);
        record["eventTime"] = json!(active_learning_aws::rfc3339(Utc::now()));
        record["s3"]["bucket"]["name"] = json!(bucket);
        record["s3"]["object"]["key"] = json!(key);
        let etag = self.memory.etag(&path).unwrap_or_default();
        record["s3"]["object"]["eTag"] = json!(etag.trim_matches('"'));
        event
    }

    /// Returns a request of API Gateway.
    pub fn request(&self, method: &str, body: Option<&Value>, prediction: Option<&str>) -> Request {
        let event = include_str!("../../../../events/classify/confident.json");
        let mut event: Value = serde_json::from_str(event).expect("an event");
        event["httpMethod"] = json!(method);
        event["requestContext"]["httpMethod"] = json!(method);
        event["body"] = body.map_or(Value::Null, |body| json!(body.to_string()));
        event["pathParameters"] = prediction.map_or(Value::Null, |id| json!({ "predictionId": id }));
        lambda_http::request::from_str(&event.to_string()).expect("an event of API Gateway")
    }

    /// Returns the ids of the records that a human loop asks about.
    pub fn records_of(&self, human_loop: &str) -> Vec<String> {
        let path = self.path("feedback", &active_learning_core::keys::asked(human_loop));
        let input = self.memory.body(&path).expect("it is asked");
        let input: Value = serde_json::from_slice(&input).expect("JSON");
        let records = input["comprehendPredictions"].as_array().expect("records").iter();
        records
            .map(|record| record["id"].as_str().expect("an id").to_owned())
            .collect()
    }
}

/// Returns a text of some 100 characters, another for each number, of which none is a near duplicate of another.
pub fn text(number: u64) -> String {
    let mut state = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut words = Vec::new();
    for _ in 0..14 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let word: String = (0..6)
            .map(|letter| char::from(b'a' + (state >> (20 + 5 * letter)) as u8 % 26))
            .collect();
        words.push(word);
    }
    words.join(" ")
}
