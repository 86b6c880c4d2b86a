//! What the control plane makes: flow definitions, worker task templates, work teams, and the workforce.
//!
//! Each is a small document below `human-review/` in the review bucket. The flow definition of the stack, its template
//! and its team are what the function's settings say and cannot be changed here. They are described and listed with the
//! others; template and team may be named where a flow definition is made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use active_learning_aws::bucket::{Bucket, BucketError, Change, Created};
use active_learning_core::keys::HUMAN_REVIEW_FOLDER;
use chrono::{DateTime, Duration, Utc};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::damaged::Damaged;
use crate::human_loop::{FlowRules, LoopFlow};
use crate::loop_flow::team_of_arn;
use crate::networks::AllowedNetworks;

/// Default of `TaskAvailabilityLifetimeInSeconds`: Ground Truth's longest for a private team, 30 days.
const DEFAULT_AVAILABILITY_SECONDS: i64 = 2_592_000;
/// Default of `TaskTimeLimitInSeconds`. Source: SageMaker API, `HumanLoopConfig`.
const DEFAULT_TIME_LIMIT_SECONDS: i64 = 3_600;
/// How long the workforce that was read is taken for true: a change takes effect within it.
const FRESH: Duration = Duration::seconds(30);
/// Documents read at a time.
const CONCURRENT_READS: usize = 16;

/// Tags of a resource: values by key.
pub type Tags = BTreeMap<String, String>;

/// A kind of thing that the control plane makes.
pub trait Resource: Serialize + DeserializeOwned {
    /// Folder of its documents.
    const FOLDER: &'static str;

    /// Returns its name, unique in its kind.
    fn name(&self) -> &str;

    /// Returns when it was made.
    fn created_at(&self) -> DateTime<Utc>;
}

/// A kind of thing that has tags.
pub trait HasTags: Resource {
    /// Returns its tags.
    fn tags(&self) -> &Tags;

    /// Returns its tags, to be changed.
    fn tags_mut(&mut self) -> &mut Tags;
}

/// A flow definition, by the members of SageMaker's API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Flow {
    /// `FlowDefinitionName`.
    pub flow_definition_name: String,
    /// `FlowDefinitionArn`.
    pub flow_definition_arn: String,
    /// `CreationTime`.
    pub creation_time: DateTime<Utc>,
    /// `HumanLoopConfig`.
    pub human_loop_config: HumanLoopConfig,
    /// `OutputConfig`.
    pub output_config: OutputConfig,
    /// `RoleArn`.
    pub role_arn: String,
    /// Key of its worker task template in the review bucket.
    pub template_key: String,
    /// Bucket of its output.
    pub output_bucket: String,
    /// What keys of its output begin with: empty, or with a slash at the end.
    pub output_prefix: String,
    /// Why no loop can be started in it: its status is `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// `Tags`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Tags,
}

/// How the tasks of a flow definition are given to reviewers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HumanLoopConfig {
    /// The work team.
    pub workteam_arn: String,
    /// The worker task template.
    pub human_task_ui_arn: String,
    /// What the task is.
    pub task_title: String,
    /// The same at length.
    pub task_description: String,
    /// Answers that complete a loop, 1 to 3.
    pub task_count: u8,
    /// How long a loop waits for its answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_availability_lifetime_in_seconds: Option<u32>,
    /// How long one reviewer may hold a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_time_limit_in_seconds: Option<u32>,
    /// Words about the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_keywords: Option<Vec<String>>,
}

/// Where the output of a flow definition goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OutputConfig {
    /// `s3://` with bucket and prefix.
    pub s3_output_path: String,
}

impl HumanLoopConfig {
    /// Returns how long a task waits, in seconds.
    pub fn availability_seconds(&self) -> i64 {
        let given = self.task_availability_lifetime_in_seconds;
        given.map_or(DEFAULT_AVAILABILITY_SECONDS, i64::from)
    }
}

impl Resource for Flow {
    const FOLDER: &'static str = "flow-definitions/";

    fn name(&self) -> &str {
        &self.flow_definition_name
    }

    fn created_at(&self) -> DateTime<Utc> {
        self.creation_time
    }
}

impl HasTags for Flow {
    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

impl Flow {
    /// Returns what a loop that is started in it keeps of it.
    pub fn of_loop(&self) -> LoopFlow {
        let config = &self.human_loop_config;
        LoopFlow {
            arn: self.flow_definition_arn.clone(),
            title: config.task_title.clone(),
            description: config.task_description.clone(),
            template_key: self.template_key.clone(),
            output_bucket: self.output_bucket.clone(),
            output_prefix: self.output_prefix.clone(),
            role_arn: self.role_arn.clone(),
            time_limit_seconds: config
                .task_time_limit_in_seconds
                .map_or(DEFAULT_TIME_LIMIT_SECONDS, i64::from),
            team: team_of_arn(&config.workteam_arn),
        }
    }

    /// Returns the rules of its loops.
    pub fn rules(&self) -> FlowRules {
        let config = &self.human_loop_config;
        let availability = config.availability_seconds();
        FlowRules {
            task_count: config.task_count.into(),
            availability: Duration::seconds(availability),
            time_limit: Duration::seconds(self.of_loop().time_limit_seconds),
            excluded_workers: Vec::new(),
        }
    }
}

/// A worker task template ("human task UI"); its content is an object of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskUi {
    /// `HumanTaskUiName`.
    pub human_task_ui_name: String,
    /// `CreationTime`.
    pub creation_time: DateTime<Utc>,
    /// SHA-256 of the content, in hexadecimal.
    pub content_sha256: String,
    /// `Tags`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Tags,
}

impl Resource for TaskUi {
    const FOLDER: &'static str = "human-task-uis/";

    fn name(&self) -> &str {
        &self.human_task_ui_name
    }

    fn created_at(&self) -> DateTime<Utc> {
        self.creation_time
    }
}

impl HasTags for TaskUi {
    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

impl TaskUi {
    /// Returns the key of its content in the review bucket.
    pub fn content_key(&self) -> String {
        format!("{HUMAN_REVIEW_FOLDER}ui-templates/{}.html", self.content_sha256)
    }
}

/// A work team.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Workteam {
    /// `WorkteamName`.
    pub workteam_name: String,
    /// `CreateDate`.
    pub create_date: DateTime<Utc>,
    /// `LastUpdatedDate`.
    pub last_updated_date: DateTime<Utc>,
    /// `MemberDefinitions`.
    pub member_definitions: Vec<Value>,
    /// `Description`.
    pub description: String,
    /// `NotificationConfiguration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_configuration: Option<Value>,
    /// `WorkerAccessConfiguration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_access_configuration: Option<Value>,
    /// `Tags`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Tags,
}

impl Workteam {
    /// Returns whether one of its groups is among these: of a provider of OpenID Connect, or of a Cognito user pool.
    pub fn has_any(&self, groups: &[String]) -> bool {
        let oidc = self.member_definitions.iter().flat_map(|member| {
            let groups = member["OidcMemberDefinition"]["Groups"].as_array();
            groups.into_iter().flatten()
        });
        let cognito = self.member_definitions.iter();
        let cognito = cognito.map(|member| &member["CognitoMemberDefinition"]["UserGroup"]);
        let mut own = oidc.chain(cognito).filter_map(Value::as_str);
        own.any(|own| groups.iter().any(|group| group == own))
    }
}

impl Resource for Workteam {
    const FOLDER: &'static str = "workteams/";

    fn name(&self) -> &str {
        &self.workteam_name
    }

    fn created_at(&self) -> DateTime<Utc> {
        self.create_date
    }
}

impl HasTags for Workteam {
    fn tags(&self) -> &Tags {
        &self.tags
    }

    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
}

/// The one workforce: everybody who may sign in to the portal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Workforce {
    /// When it was changed last; none while it is as it was made.
    pub last_updated_date: Option<DateTime<Utc>>,
    /// `SourceIpConfig.Cidrs`: networks from which the portal may be reached; empty for all.
    pub cidrs: Vec<String>,
}

/// What was read, and when.
type ReadAt<T> = Arc<Mutex<Option<(DateTime<Utc>, T)>>>;

/// All of them. A clone is another handle to the same.
#[derive(Debug, Clone)]
pub struct Flows {
    bucket: Bucket,
    damaged: Damaged,
    own_arn: String,
    networks: ReadAt<AllowedNetworks>,
    teams: ReadAt<Arc<Vec<Workteam>>>,
}

impl Flows {
    /// Returns what lies in a review bucket, beside the flow definition of the stack.
    pub fn new(bucket: Bucket, own_arn: &str) -> Self {
        Self {
            damaged: Damaged::new(bucket.clone()),
            bucket,
            own_arn: own_arn.to_owned(),
            networks: Arc::default(),
            teams: Arc::default(),
        }
    }

    /// Returns the review bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Returns the name of the flow definition of the stack; its template and its team have the same.
    pub fn own_name(&self) -> &str {
        self.own_arn.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the ARN of a resource of the same account and Region: `kind` is for example `human-task-ui`.
    pub fn arn(&self, kind: &str, name: &str) -> String {
        let scope = self.own_arn.split(":flow-definition/").next();
        format!("{}:{kind}/{name}", scope.unwrap_or_default())
    }

    /// Returns the name in an ARN of a kind, if it is of the same account and Region.
    pub fn name_in<'a>(&self, kind: &str, arn: &'a str) -> Option<&'a str> {
        arn.strip_prefix(&self.arn(kind, ""))
            .filter(|name| !name.is_empty() && !name.contains('/'))
    }

    /// Returns a flow definition that the API made.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn find_arn(&self, arn: &str) -> Result<Option<Flow>, BucketError> {
        match self.name_in("flow-definition", arn) {
            Some(name) => self.find(name).await,
            None => Ok(None),
        }
    }

    /// Returns a resource by its name.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn find<T: Resource>(&self, name: &str) -> Result<Option<T>, BucketError> {
        self.bucket.read_document(&key::<T>(name)).await
    }

    /// Writes a resource whose name none of its kind has.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn create<T: Resource>(&self, resource: &T) -> Result<Created, BucketError> {
        let key = key::<T>(resource.name());
        self.forget_teams();
        self.bucket.create_document(&key, resource).await
    }

    /// Writes a resource over the one of its name.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn put<T: Resource>(&self, resource: &T) -> Result<(), BucketError> {
        let key = key::<T>(resource.name());
        self.bucket.put_document(&key, resource).await?;
        self.forget_teams();
        Ok(())
    }

    /// Changes the tags of a resource, unless `change` says that they are not to be kept so; returns them, or none where there
    /// is no such resource.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn change_tags<T: HasTags>(
        &self,
        name: &str,
        change: impl Fn(&mut Tags) -> bool,
    ) -> Result<Option<Tags>, BucketError> {
        let change = |before: Option<T>| {
            let Some(mut resource) = before else {
                return Change::Leave(None);
            };
            let is_kept = change(resource.tags_mut());
            let tags = resource.tags().clone();
            Change::to(is_kept.then_some(resource), Some(tags))
        };
        self.bucket.change(&key::<T>(name), change).await
    }

    /// Removes a resource.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn delete<T: Resource>(&self, name: &str) -> Result<(), BucketError> {
        self.bucket.delete(&key::<T>(name)).await?;
        self.forget_teams();
        Ok(())
    }

    /// Returns all resources of a kind, each by a request: some hundreds at most.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn all<T: Resource>(&self) -> Result<Vec<T>, BucketError> {
        let prefix = format!("{HUMAN_REVIEW_FOLDER}{}", T::FOLDER);
        let listed = self.bucket.list(&prefix).await?;
        let reads: Vec<_> = listed.iter().map(|listed| self.readable(&listed.key)).collect();
        let read: Vec<Option<T>> = stream::iter(reads)
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Reads one of all: what cannot be read keeps none of the others from whoever wants them.
    async fn readable<T: Resource>(&self, key: &str) -> Result<Option<T>, BucketError> {
        let read = self.bucket.read_document(key).await;
        self.damaged.pass_over(key, read).await
    }

    /// Returns the workforce.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn workforce(&self) -> Result<Workforce, BucketError> {
        let found = self.bucket.read_document(&workforce_key()).await?;
        Ok(found.unwrap_or_default())
    }

    /// Writes the workforce.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn put_workforce(&self, workforce: &Workforce) -> Result<(), BucketError> {
        self.bucket.put_document(&workforce_key(), workforce).await?;
        *self.networks.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Returns the networks of the workforce, as they were within the last half minute.
    ///
    /// # Errors
    ///
    /// [`BucketError`], also where an entry is no network: taken for none, it would let everybody in.
    pub async fn networks(&self, now: DateTime<Utc>) -> Result<AllowedNetworks, BucketError> {
        if let Some(known) = self.known_networks(now) {
            return Ok(known);
        }
        let workforce = self.workforce().await?;
        let networks = workforce.cidrs.join(",").parse::<AllowedNetworks>();
        let networks = networks.map_err(|error| BucketError::Broken {
            uri: self.bucket.uri(&workforce_key()),
            source: error.into(),
        })?;
        let read = Some((now, networks.clone()));
        *self.networks.lock().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(networks)
    }

    /// Returns the work teams that the API made, as they were within the last half minute.
    ///
    /// # Errors
    ///
    /// [`BucketError`].
    pub async fn teams(&self, now: DateTime<Utc>) -> Result<Arc<Vec<Workteam>>, BucketError> {
        let known = self.known_teams();
        if let Some((at, teams)) = known
            && (at..at + FRESH).contains(&now)
        {
            return Ok(teams);
        }
        let teams = Arc::new(self.all::<Workteam>().await?);
        *self.teams.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, teams.clone()));
        Ok(teams)
    }

    fn known_teams(&self) -> Option<(DateTime<Utc>, Arc<Vec<Workteam>>)> {
        self.teams.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget_teams(&self) {
        *self.teams.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn known_networks(&self, now: DateTime<Utc>) -> Option<AllowedNetworks> {
        let read = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, networks) = read.as_ref()?;
        (*at..*at + FRESH).contains(&now).then(|| networks.clone())
    }
}

fn key<T: Resource>(name: &str) -> String {
    format!("{HUMAN_REVIEW_FOLDER}{}{name}.json", T::FOLDER)
}

fn workforce_key() -> String {
    format!("{HUMAN_REVIEW_FOLDER}workforce.json")
}
