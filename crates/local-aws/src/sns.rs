//! Amazon SNS: topics whose messages are shown to the people of this machine.
//!
//! A published message is a line of the log (target `sns`) and of `logs/<topic>.log` in the state
//! folder, with its attributes. Topics that the API makes are kept; the template alone changes its own. Differs from SNS:
//! there are no subscriptions, tags or FIFO topics, of attributes only `DisplayName` and `Policy`, and a topic without a
//! policy shows none.

mod topics;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::body::Body;
use chrono::Utc;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use serde_json::json;

use crate::{
    ACCOUNT_ID,
    aws_error::{AwsError, Envelope, escape_xml, xml_response},
    iam::{Denied, Iam, Principal},
    json_protocol,
    service::{Protocol, Service},
    store::Store,
};
use topics::Topics;

const MAX_BODY_BYTES: usize = 1024 * 1024;
const MAX_MESSAGE_BYTES: usize = 262_144;
const MAX_SUBJECT_CHARS: usize = 100;

/// A topic of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Topic name.
    pub name: String,
}

/// Returns the ARN of a topic.
pub fn topic_arn(region: &str, name: &str) -> String {
    format!("arn:aws:sns:{region}:{ACCOUNT_ID}:{name}")
}

/// The service. A clone is another handle to the same topics.
#[derive(Debug, Clone)]
pub struct Sns {
    store: Arc<Store>,
    iam: Arc<Iam>,
    region: String,
    topics: Arc<Mutex<Topics>>,
}

/// Why a message was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// There is no such topic.
    #[error("Topic does not exist")]
    TopicDoesNotExist,
    /// The message or the subject is not one.
    #[error("Invalid parameter: {0}")]
    Invalid(&'static str),
    /// The log of the topic cannot be written.
    #[error("the log of the topic cannot be written")]
    Log(#[source] std::io::Error),
}

impl Service for Sns {
    fn name(&self) -> &'static str {
        "sns"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Query
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(Sns::handle(self, request))
    }
}

impl Sns {
    /// Opens the topics that the API made in `store`.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn new(store: Arc<Store>, iam: Arc<Iam>, region: String) -> Result<Self, redb::Error> {
        let topics = Arc::new(Mutex::new(topics::load(&store)?));
        Ok(Self {
            store,
            iam,
            region,
            topics,
        })
    }

    /// Adds a topic of the template, unless it is there already.
    pub fn put_topic(&self, spec: TopicSpec) {
        self.put(spec.name);
    }

    /// Publishes a message; returns its id once the message is in the topic's log.
    ///
    /// Limits: a message has 1 to 262,144 bytes, a subject 1 to 100 printable ASCII characters.
    ///
    /// # Errors
    ///
    /// [`PublishError`].
    pub fn publish(
        &self,
        caller: &Principal,
        topic_arn: &str,
        subject: Option<&str>,
        message: &str,
    ) -> Result<String, PublishError> {
        self.publish_with(caller, topic_arn, subject, message, &BTreeMap::new())
    }

    fn publish_with(
        &self,
        caller: &Principal,
        topic_arn: &str,
        subject: Option<&str>,
        message: &str,
        attributes: &Attributes,
    ) -> Result<String, PublishError> {
        self.authorize(caller, "sns:Publish", topic_arn)?;
        let (topic, _) = self.topic(topic_arn).ok_or(PublishError::TopicDoesNotExist)?;
        if message.is_empty() {
            return Err(PublishError::Invalid("Empty message"));
        } else if message.len() > MAX_MESSAGE_BYTES {
            return Err(PublishError::Invalid("Message too long"));
        }
        let is_subject = |text: &str| {
            (1..=MAX_SUBJECT_CHARS).contains(&text.len()) && text.chars().all(|c| matches!(c, ' '..='~'))
        };
        if subject.is_some_and(|subject| !is_subject(subject)) {
            return Err(PublishError::Invalid("Subject"));
        }
        let id = uuid::Uuid::new_v4().to_string();
        let mut line = json!({
            "time": Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "messageId": id,
            "subject": subject,
            "message": message,
        });
        if !attributes.is_empty() {
            line["attributes"] = json!(attributes);
        }
        let appended = self.store.append_log(&topic, &format!("{line}\n"));
        appended.map_err(PublishError::Log)?;
        tracing::info!(target: "sns", topic, subject, "{message}");
        Ok(id)
    }

    /// Answers one request, whose caller the gateway has put into its extensions.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        match self.answer(request).await {
            Ok(response) => response,
            Err(error) => error.into_response(Envelope::Query),
        }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, AwsError> {
        let caller = json_protocol::caller(&request)?;
        let body = axum::body::to_bytes(request.into_body(), MAX_BODY_BYTES).await;
        let body = body.map_err(|_| invalid(&format!("the body exceeds {MAX_BODY_BYTES} bytes")))?;
        let mut members: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
        members.remove("Version");
        let action = members.remove("Action").unwrap_or_default();
        match action.as_str() {
            "CreateTopic" | "SetTopicAttributes" | "GetTopicAttributes" | "DeleteTopic" => {
                let (sns, caller) = (self.clone(), caller.clone());
                let about = move || sns.about_topics(&caller, &action, members);
                let answered = tokio::task::spawn_blocking(about).await;
                answered.expect("it does not panic and is not aborted")
            }
            "Publish" => {
                let topic_arn = members.remove("TopicArn").unwrap_or_default();
                let message = members.remove("Message").unwrap_or_default();
                let subject = members.remove("Subject");
                let attributes = attributes(&mut members)?;
                if let Some(member) = members.keys().next() {
                    return Err(AwsError::not_implemented(
                        "sns",
                        &format!("Publish with {member}"),
                    ));
                }
                let (sns, caller) = (self.clone(), caller.clone());
                let publish =
                    move || sns.publish_with(&caller, &topic_arn, subject.as_deref(), &message, &attributes);
                let published = tokio::task::spawn_blocking(publish).await;
                let id = published.expect("publishing does not panic and is not aborted")?;
                Ok(reply("Publish", &format!("<MessageId>{id}</MessageId>")))
            }
            "ListTopics" => {
                self.authorize(&caller, "sns:ListTopics", "*")?;
                // All are in one page, so no token is given out.
                if members.get("NextToken").is_some_and(|token| !token.is_empty()) {
                    return Err(invalid("Invalid parameter: NextToken"));
                }
                let topics = self
                    .arns()
                    .into_iter()
                    .map(|arn| format!("<member><TopicArn>{}</TopicArn></member>", escape_xml(&arn)));
                Ok(reply(
                    "ListTopics",
                    &format!("<Topics>{}</Topics>", topics.collect::<String>()),
                ))
            }
            "ListTagsForResource" => {
                let arn = members.remove("ResourceArn").unwrap_or_default();
                self.authorize(&caller, "sns:ListTagsForResource", &arn)?;
                match self.topic(&arn) {
                    Some(_) => Ok(reply("ListTagsForResource", "<Tags></Tags>")),
                    None => Err(AwsError::new(404, "ResourceNotFound", "Resource does not exist")),
                }
            }
            other => Err(AwsError::not_implemented("sns", other)),
        }
    }

    /// Answers a request that makes, changes, shows or removes a topic.
    fn about_topics(
        &self,
        caller: &Principal,
        action: &str,
        mut members: BTreeMap<String, String>,
    ) -> Result<Response<Body>, AwsError> {
        let mut take = |name: &str| members.remove(name).unwrap_or_default();
        let arn = take("TopicArn");
        let result = match action {
            "CreateTopic" => {
                let name = take("Name");
                let given = topic_attributes(&mut members);
                let unknown = members.keys().next();
                if let Some(member) = unknown {
                    return Err(AwsError::not_implemented(
                        "sns",
                        &format!("CreateTopic with {member}"),
                    ));
                }
                let arn = self.create(caller, &name, &given)?;
                format!("<TopicArn>{}</TopicArn>", escape_xml(&arn))
            }
            "SetTopicAttributes" => {
                let (name, value) = (take("AttributeName"), take("AttributeValue"));
                self.set(caller, &arn, &name, &value)?;
                String::new()
            }
            "GetTopicAttributes" => self.attributes_of(caller, &arn)?,
            _ => {
                self.remove(caller, &arn)?;
                String::new()
            }
        };
        Ok(reply(action, &result))
    }
}

/// Takes the attributes of a topic out of the members of a request: `Attributes.entry.<n>.key` and `.value`.
fn topic_attributes(members: &mut BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    for number in 1.. {
        let start = format!("Attributes.entry.{number}.");
        let Some(name) = members.remove(&format!("{start}key")) else {
            break;
        };
        let value = members.remove(&format!("{start}value")).unwrap_or_default();
        attributes.insert(name, value);
    }
    attributes
}

/// Attributes of a message by name, each with its type and value.
type Attributes = BTreeMap<String, BTreeMap<&'static str, String>>;

/// Takes the attributes of a message out of the members of a request: `MessageAttributes.entry.<n>.…`.
fn attributes(members: &mut BTreeMap<String, String>) -> Result<Attributes, AwsError> {
    const PARTS: [(&str, &str); 3] = [
        ("Value.DataType", "type"),
        ("Value.StringValue", "value"),
        ("Value.BinaryValue", "binaryValue"),
    ];
    let mut attributes = Attributes::new();
    for number in 1.. {
        let start = format!("MessageAttributes.entry.{number}.");
        let Some(name) = members.remove(&format!("{start}Name")) else {
            break;
        };
        let parts = PARTS.into_iter();
        let attribute: BTreeMap<_, _> = parts
            .filter_map(|(member, shown)| Some((shown, members.remove(&format!("{start}{member}"))?)))
            .collect();
        if !attribute.contains_key("type") || attribute.len() != 2 {
            return Err(invalid(&format!(
                "The message attribute '{name}' must contain a type and one non-empty value"
            )));
        }
        check_attribute(&name, &attribute)?;
        attributes.insert(name, attribute);
    }
    Ok(attributes)
}

/// Refuses an attribute whose type is none, or whose value is none of its type.
fn check_attribute(name: &str, attribute: &BTreeMap<&'static str, String>) -> Result<(), AwsError> {
    let data_type = attribute.get("type").map_or("", String::as_str);
    let text = attribute.get("value").map(String::as_str);
    // A type may have one's own name behind a point.
    let is_of = |kind: &str| {
        let own = data_type.strip_prefix(kind);
        own.is_some_and(|own| own.is_empty() || own.starts_with('.'))
    };
    let fits = match text {
        _ if is_of("Binary") => text.is_none(),
        Some(text) if is_of("Number") => text.parse::<f64>().is_ok_and(f64::is_finite),
        Some(text) => is_of("String") && !text.is_empty(),
        None => false,
    };
    match fits {
        true => Ok(()),
        false => Err(AwsError::new(
            400,
            "ParameterValueInvalid",
            format!("The message attribute '{name}' has an invalid value or type: '{data_type}'."),
        )),
    }
}

fn reply(action: &str, result: &str) -> Response<Body> {
    let body = format!(
        "<{action}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{action}Response>",
        uuid::Uuid::new_v4(),
    );
    xml_response(StatusCode::OK, body)
}

fn invalid(message: &str) -> AwsError {
    AwsError::new(400, "InvalidParameter", message)
}

impl From<PublishError> for AwsError {
    fn from(error: PublishError) -> Self {
        match &error {
            PublishError::Denied(_) => Self::new(403, "AuthorizationError", error.to_string()),
            PublishError::TopicDoesNotExist => Self::new(404, "NotFound", error.to_string()),
            PublishError::Invalid(_) => invalid(&error.to_string()),
            PublishError::Log(cause) => {
                tracing::error!(%cause, "the log of a topic cannot be written");
                Self::new(500, "InternalError", error.to_string())
            }
        }
    }
}
