//! The functions of the shipped template, each as its Lambda environment calls it.

use active_learning_aws::event_bus::EventBus;
use aws_config::SdkConfig;
use chrono::Utc;
use human_review::HumanReview;
use lambda_http::{Body, Request, Response};
use serde_json::{Value, json};

use crate::stack::Shipped;

/// What signs the sessions of the portal.
const SECRET: &[u8] = b"a secret of this run";

/// A function in one of its processes.
pub enum Function {
    Classify(Box<classify::Classify>),
    FeedbackApi(Box<feedback_api::FeedbackApi>),
    BatchFeedback(Box<batch_feedback::BatchFeedback>),
    A2iTrigger(Box<a2i_trigger::A2iTrigger>),
    HumanReview(Box<HumanReview>),
    LabelCollection(Box<label_collection::LabelCollection>),
    ReviewEvents(Box<review_events::ReviewEvents>),
    ModelBuilding(Box<model_building::ModelBuilding>),
}

impl Function {
    /// Starts a function by the name of its program.
    pub fn start(name: &str, shipped: &Shipped, sdk: &SdkConfig) -> Self {
        let env = shipped.env(name);
        let configured = "the template configures it";
        match name {
            "classify" => {
                let config = classify::Config::from_env(&env).expect(configured);
                Self::Classify(Box::new(classify::Classify::new(config, sdk)))
            }
            "feedback-api" => {
                let config = feedback_api::Config::from_env(&env).expect(configured);
                Self::FeedbackApi(Box::new(feedback_api::FeedbackApi::new(config, sdk)))
            }
            "batch-feedback" => {
                let config = batch_feedback::Config::from_env(&env).expect(configured);
                Self::BatchFeedback(Box::new(batch_feedback::BatchFeedback::new(config, sdk)))
            }
            "a2i-trigger" => {
                let config = a2i_trigger::Config::from_env(&env).expect(configured);
                Self::A2iTrigger(Box::new(a2i_trigger::A2iTrigger::new(config, sdk)))
            }
            "human-review" => {
                let config = human_review::Config::from_env(&env).expect(configured);
                let bus = EventBus::new(sdk, shipped.variable(name, "EVENT_BUS_NAME"));
                let s3 = aws_sdk_s3::Client::new(sdk);
                let function = HumanReview::new(config, s3, SECRET).with_event_bus(bus);
                Self::HumanReview(Box::new(function))
            }
            "label-collection" => {
                let config = label_collection::Config::from_env(&env).expect(configured);
                Self::LabelCollection(Box::new(label_collection::LabelCollection::new(config, sdk)))
            }
            "review-events" => {
                let config = review_events::Config::from_env(&env).expect(configured);
                Self::ReviewEvents(Box::new(review_events::ReviewEvents::new(config, sdk)))
            }
            "model-building" => {
                let config = model_building::Config::from_env(&env).expect(configured);
                Self::ModelBuilding(Box::new(model_building::ModelBuilding::new(config, sdk)))
            }
            other => panic!("{other} is none of the functions that are tried"),
        }
    }

    /// Has the review service handle an event; other functions call it too.
    ///
    /// # Panics
    ///
    /// Where it is another function.
    pub async fn review(&self, event: Value) -> Result<Value, String> {
        let Self::HumanReview(function) = self else {
            panic!("only the review service is called by others");
        };
        let handled = Box::pin(function.handle(event, Utc::now())).await;
        handled.map_err(|error| said(&error))
    }

    /// Has it handle an event; returns its answer, or what its error says.
    pub async fn handle(&self, event: Value) -> Result<Value, String> {
        match self {
            Self::Classify(function) => Ok(answer(Box::pin(function.handle(request(&event))).await)),
            Self::FeedbackApi(function) => Ok(answer(Box::pin(function.handle(request(&event))).await)),
            Self::BatchFeedback(function) => without_answer(Box::pin(function.handle(event)).await),
            Self::A2iTrigger(function) => without_answer(Box::pin(function.handle(event)).await),
            Self::HumanReview(_) => Box::pin(self.review(event)).await,
            Self::LabelCollection(function) => without_answer(Box::pin(function.handle(event)).await),
            Self::ReviewEvents(function) => without_answer(Box::pin(function.handle(event)).await),
            Self::ModelBuilding(function) => {
                let handled = Box::pin(function.handle(event)).await;
                handled.map_err(|error| said(&error))
            }
        }
    }
}

fn without_answer<T, E: std::error::Error>(handled: Result<T, E>) -> Result<Value, String> {
    handled.map(|_| Value::Null).map_err(|error| said(&error))
}

fn said(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

fn request(event: &Value) -> Request {
    lambda_http::request::from_str(&event.to_string()).expect("an event of API Gateway")
}

fn answer(response: Response<Body>) -> Value {
    let body = match response.body() {
        Body::Text(text) => text.clone(),
        _ => String::new(),
    };
    json!({ "statusCode": response.status().as_u16(), "body": body })
}
