//! Topics: those of the template, and those that the API makes, which are kept.

use std::{
    collections::BTreeMap,
    sync::{MutexGuard, PoisonError},
};

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{Sns, invalid, topic_arn};
use crate::{
    ACCOUNT_ID,
    aws_error::{AwsError, escape_xml},
    iam::{Call, Denied, Iam, PolicyDocument, Principal},
    store::Store,
};

/// Topics that the API made, by name.
const TOPICS: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("sns-topics");
/// Longest name of a topic. Source: Amazon SNS, `CreateTopic`.
const MAX_NAME: usize = 256;
/// Longest name that is shown of a topic. Source: Amazon SNS, `SetTopicAttributes`.
const MAX_DISPLAY_NAME: usize = 100;

/// All topics by name.
pub(super) type Topics = BTreeMap<String, Topic>;

/// What there is of a topic beside its name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Topic {
    display_name: String,
    /// Who may publish beside those whose own policies allow it.
    policy: Option<PolicyDocument>,
    /// The template alone changes it.
    #[serde(skip)]
    is_of_template: bool,
}

impl Topic {
    /// Makes one of the template.
    pub(super) fn of_template() -> Self {
        Self {
            is_of_template: true,
            ..Self::default()
        }
    }

    /// Gives an attribute, by its name in the API.
    fn set(&mut self, name: &str, value: &str) -> Result<(), AwsError> {
        match name {
            "DisplayName" if value.chars().count() <= MAX_DISPLAY_NAME => {
                value.clone_into(&mut self.display_name)
            }
            "DisplayName" => {
                return Err(invalid(
                    "Invalid parameter: DisplayName must be 100 characters or less",
                ));
            }
            "Policy" => {
                let policy: PolicyDocument = serde_json::from_str(value)
                    .map_err(|_| invalid("Invalid parameter: Policy failed to parse JSON"))?;
                Iam::validate_resource_policy(&policy)
                    .map_err(|reason| invalid(&format!("Invalid parameter: Policy: {reason}")))?;
                self.policy = Some(policy);
            }
            other => {
                return Err(AwsError::not_implemented(
                    "sns",
                    &format!("the attribute {other} of a topic"),
                ));
            }
        }
        Ok(())
    }
}

/// Reads what an earlier process has kept.
pub(super) fn load(store: &Store) -> Result<Topics, redb::Error> {
    let transaction = store.index.begin_write()?;
    transaction.open_table(TOPICS)?;
    transaction.commit()?;
    let reader = store.index.begin_read()?;
    let mut topics = Topics::new();
    for entry in reader.open_table(TOPICS)?.iter()? {
        let (name, topic) = entry?;
        let read = serde_json::from_slice(topic.value());
        let topic =
            read.map_err(|error| redb::Error::Corrupted(format!("a topic cannot be read: {error}")))?;
        topics.insert(name.value().to_owned(), topic);
    }
    Ok(topics)
}

fn keep(store: &Store, name: &str, topic: Option<&Topic>) -> Result<(), AwsError> {
    let kept = (|| -> Result<(), redb::Error> {
        let transaction = store.index.begin_write()?;
        {
            let mut table = transaction.open_table(TOPICS)?;
            match topic {
                Some(topic) => {
                    let json = serde_json::to_vec(topic).expect("it has only string keys");
                    table.insert(name, json.as_slice())?;
                }
                None => drop(table.remove(name)?),
            }
        }
        Ok(transaction.commit()?)
    })();
    kept.map_err(|error| {
        tracing::error!(%error, "a topic cannot be kept");
        AwsError::new(
            500,
            "InternalError",
            "The state of this machine cannot be written",
        )
    })
}

impl Sns {
    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a topic of the template, in place of one of its name.
    pub(super) fn put(&self, name: String) {
        self.topics().insert(name, Topic::of_template());
    }

    /// Returns the ARNs of all topics.
    pub(super) fn arns(&self) -> Vec<String> {
        let topics = self.topics();
        topics.keys().map(|name| topic_arn(&self.region, name)).collect()
    }

    /// Returns a topic that there is, with its name.
    pub(super) fn topic(&self, arn: &str) -> Option<(String, Topic)> {
        self.find(&self.topics(), arn)
    }

    fn find(&self, topics: &Topics, arn: &str) -> Option<(String, Topic)> {
        let found = topics
            .iter()
            .find(|(name, _)| topic_arn(&self.region, name) == arn);
        found.map(|(name, topic)| (name.clone(), topic.clone()))
    }

    /// Decides a call about a topic, by the policies of the caller and of the topic.
    pub(super) fn authorize(&self, caller: &Principal, action: &str, arn: &str) -> Result<(), Denied> {
        let policy = self.topic(arn).and_then(|(_, topic)| topic.policy);
        self.iam.authorize(&Call {
            principal: caller,
            action,
            resource: arn,
            context: &BTreeMap::new(),
            resource_policy: policy.as_ref(),
        })
    }

    /// Makes a topic, unless it is there; returns its ARN.
    pub(super) fn create(
        &self,
        caller: &Principal,
        name: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<String, AwsError> {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        if !(1..=MAX_NAME).contains(&name.len()) || !name.chars().all(is_letter) {
            return Err(invalid("Invalid parameter: Topic Name"));
        }
        let arn = topic_arn(&self.region, name);
        self.authorize(caller, "sns:CreateTopic", &arn)?;
        let mut topics = self.topics();
        let is_new = !topics.contains_key(name);
        let mut topic = topics.get(name).cloned().unwrap_or_default();
        let before = topic.clone();
        for (attribute, value) in attributes {
            topic.set(attribute, value)?;
        }
        let is_same = before.display_name == topic.display_name && before.policy == topic.policy;
        if !is_new && !is_same {
            return Err(invalid(
                "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
            ));
        }
        if is_new {
            keep(&self.store, name, Some(&topic))?;
            topics.insert(name.to_owned(), topic);
        }
        Ok(arn)
    }

    /// Changes an attribute of a topic that the API made.
    pub(super) fn set(&self, caller: &Principal, arn: &str, name: &str, value: &str) -> Result<(), AwsError> {
        self.authorize(caller, "sns:SetTopicAttributes", arn)?;
        // Held until it is kept: of two changes at once neither is lost, and none brings back a topic that is removed.
        let mut topics = self.topics();
        let (topic_name, mut topic) = self.own(&topics, arn)?.ok_or_else(not_found)?;
        topic.set(name, value)?;
        keep(&self.store, &topic_name, Some(&topic))?;
        topics.insert(topic_name, topic);
        Ok(())
    }

    /// Removes a topic that the API made; none there is fine.
    pub(super) fn remove(&self, caller: &Principal, arn: &str) -> Result<(), AwsError> {
        self.authorize(caller, "sns:DeleteTopic", arn)?;
        let mut topics = self.topics();
        let Some((name, _)) = self.own(&topics, arn)? else {
            return Ok(());
        };
        keep(&self.store, &name, None)?;
        topics.remove(&name);
        Ok(())
    }

    /// Returns a topic unless it is the template's, which is not changed here.
    fn own(&self, topics: &Topics, arn: &str) -> Result<Option<(String, Topic)>, AwsError> {
        match self.find(topics, arn) {
            Some((_, topic)) if topic.is_of_template => Err(invalid(
                "Invalid parameter: TopicArn Reason: the template alone changes this topic",
            )),
            topic => Ok(topic),
        }
    }

    /// Returns the attributes of a topic, as the API shows them.
    pub(super) fn attributes_of(&self, caller: &Principal, arn: &str) -> Result<String, AwsError> {
        self.authorize(caller, "sns:GetTopicAttributes", arn)?;
        let (_, topic) = self.topic(arn).ok_or_else(not_found)?;
        let mut attributes = vec![
            ("TopicArn", arn.to_owned()),
            ("Owner", ACCOUNT_ID.to_owned()),
            ("DisplayName", topic.display_name),
        ];
        attributes.extend(topic.policy.map(|policy| ("Policy", policy.to_string())));
        for state in [
            "SubscriptionsConfirmed",
            "SubscriptionsPending",
            "SubscriptionsDeleted",
        ] {
            attributes.push((state, "0".to_owned()));
        }
        let entries = attributes.iter().map(|(name, value)| {
            format!(
                "<entry><key>{name}</key><value>{}</value></entry>",
                escape_xml(value)
            )
        });
        Ok(format!(
            "<Attributes>{}</Attributes>",
            entries.collect::<String>()
        ))
    }
}

fn not_found() -> AwsError {
    AwsError::new(404, "NotFound", "Topic does not exist")
}
