//! Work teams.

use active_learning_aws::bucket::Created;
use serde::Deserialize;
use serde_json::{Value, json};

use super::listing::ListRequest;
use super::tags::{Tag, checked_tags};
use super::workforces::{WORKFORCE, no_workforce};
use super::{ControlError, ControlPlane, checked_name, checked_text, epoch, invalid, required};
use crate::flows::{Resource, Tags, Workteam};

/// Work teams of a Region. Source: SageMaker quotas.
const MAX_WORKTEAMS: usize = 25;
const MAX_MEMBERS: usize = 10;
const MAX_GROUPS: usize = 10;
const MAX_GROUP_CHARS: usize = 63;
const MAX_DESCRIPTION_CHARS: usize = 200;
/// Kind in the ARN of a private team.
pub(crate) const PRIVATE_TEAM: &str = "workteam/private-crowd";
/// The same of teams that are somebody else's: Amazon Mechanical Turk's.
const PUBLIC_TEAM: &str = ":workteam/public-crowd/";
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TeamRequest {
    workteam_name: Option<String>,
    workforce_name: Option<String>,
    member_definitions: Option<Vec<Value>>,
    description: Option<String>,
    notification_configuration: Option<Value>,
    worker_access_configuration: Option<Value>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneTeam {
    workteam_name: Option<String>,
}

impl ControlPlane<'_> {
    pub(super) async fn create_workteam(&self, request: TeamRequest) -> Result<Value, ControlError> {
        let name = checked_name(request.workteam_name, "workteamName", true)?;
        if let Some(force) = request.workforce_name.filter(|force| force != WORKFORCE) {
            return Err(no_workforce(&force));
        }
        let team = Workteam {
            member_definitions: checked_members(required(request.member_definitions, "memberDefinitions")?)?,
            description: checked_text(request.description, "description", MAX_DESCRIPTION_CHARS)?,
            notification_configuration: checked_topic(request.notification_configuration)?,
            worker_access_configuration: checked_access(request.worker_access_configuration)?,
            tags: checked_tags(request.tags.unwrap_or_default())?,
            create_date: self.now,
            last_updated_date: self.now,
            workteam_name: name.clone(),
        };
        let taken = || ControlError::InUse(format!("A Workteam with the name {name} already exists."));
        if name == self.flows.own_name() || self.flows.find::<Workteam>(&name).await?.is_some() {
            return Err(taken());
        }
        if self.flows.all::<Workteam>().await?.len() >= MAX_WORKTEAMS {
            let message = format!("There are {MAX_WORKTEAMS} work teams already.");
            return Err(ControlError::LimitExceeded(message));
        }
        match self.flows.create(&team).await? {
            Created::Created => Ok(json!({ "WorkteamArn": self.flows.arn(PRIVATE_TEAM, &name) })),
            Created::Exists => Err(taken()),
        }
    }

    pub(super) async fn describe_workteam(&self, request: OneTeam) -> Result<Value, ControlError> {
        let name = checked_name(request.workteam_name, "workteamName", true)?;
        Ok(json!({ "Workteam": self.team_document(&self.workteam(&name).await?) }))
    }

    pub(super) async fn list_workteams(&self, request: ListRequest) -> Result<Value, ControlError> {
        let mut all = self.flows.all::<Workteam>().await?;
        all.push(self.own_team());
        let request = request.sorted_by(&["Name", "CreateDate"])?;
        let page = request.oldest_first().page(all)?;
        let teams: Vec<Value> = page.items.iter().map(|team| self.team_document(team)).collect();
        Ok(json!({ "Workteams": teams, "NextToken": page.next_token }))
    }

    pub(super) async fn update_workteam(&self, request: TeamRequest) -> Result<Value, ControlError> {
        let name = checked_name(request.workteam_name, "workteamName", true)?;
        self.refuse_own(&name)?;
        let before = self.workteam(&name).await?;
        let members = request.member_definitions.map(checked_members).transpose()?;
        let description = request.description;
        let description = description
            .map(|text| checked_text(Some(text), "description", MAX_DESCRIPTION_CHARS))
            .transpose()?;
        let team = Workteam {
            member_definitions: members.unwrap_or(before.member_definitions),
            description: description.unwrap_or(before.description),
            notification_configuration: checked_topic(request.notification_configuration)?
                .or(before.notification_configuration),
            worker_access_configuration: checked_access(request.worker_access_configuration)?
                .or(before.worker_access_configuration),
            last_updated_date: self.now,
            ..before
        };
        self.flows.put(&team).await?;
        Ok(json!({ "Workteam": self.team_document(&team) }))
    }

    pub(super) async fn delete_workteam(&self, request: OneTeam) -> Result<Value, ControlError> {
        let name = checked_name(request.workteam_name, "workteamName", true)?;
        self.refuse_own(&name)?;
        self.workteam(&name).await?;
        self.flows.delete::<Workteam>(&name).await?;
        Ok(json!({ "Success": true }))
    }

    /// Checks that a team of this ARN exists.
    pub(super) async fn check_workteam(&self, arn: &str) -> Result<(), ControlError> {
        let exists = match self.flows.name_in(PRIVATE_TEAM, arn) {
            None => false,
            Some(name) if name == self.flows.own_name() => true,
            Some(name) => self.flows.find::<Workteam>(name).await?.is_some(),
        };
        let reason = match arn.contains(PUBLIC_TEAM) {
            true => {
                "is that of the public workforce, which there is not here: answers come from people of yours"
            }
            false => "does not exist or you do not have access to it",
        };
        let message = format!(
            "The specified Workteam '{arn}' {reason}. That of the stack is '{}'.",
            self.flows.arn(PRIVATE_TEAM, self.flows.own_name())
        );
        exists.then_some(()).ok_or(ControlError::Validation(message))
    }

    async fn workteam(&self, name: &str) -> Result<Workteam, ControlError> {
        if name == self.flows.own_name() {
            return Ok(self.own_team());
        }
        let found = self.flows.find::<Workteam>(name).await?;
        // The operation has no error of its own for it.
        found.ok_or_else(|| ControlError::Validation(format!("The Workteam {name} does not exist.")))
    }

    /// Returns the team of the stack: everybody who may sign in.
    fn own_team(&self) -> Workteam {
        let made = chrono::DateTime::UNIX_EPOCH;
        Workteam {
            workteam_name: self.flows.own_name().to_owned(),
            // When the stack made it is not known here.
            create_date: made,
            last_updated_date: made,
            member_definitions: vec![json!({ "OidcMemberDefinition": { "Groups": ["reviewers"] } })],
            description: "Everybody who may sign in to the portal".to_owned(),
            notification_configuration: None,
            worker_access_configuration: None,
            tags: Tags::new(),
        }
    }

    fn refuse_own(&self, name: &str) -> Result<(), ControlError> {
        match name == self.flows.own_name() {
            true => Err(ControlError::Validation(format!(
                "The Workteam {name} is that of the stack and cannot be changed."
            ))),
            false => Ok(()),
        }
    }

    fn team_document(&self, team: &Workteam) -> Value {
        let mut document = json!({
            "WorkteamName": team.name(),
            "WorkteamArn": self.flows.arn(PRIVATE_TEAM, team.name()),
            "WorkforceArn": self.flows.arn("workforce", WORKFORCE),
            "MemberDefinitions": team.member_definitions,
            "Description": team.description,
            "SubDomain": self.sub_domain(),
            "CreateDate": epoch(team.create_date),
            "LastUpdatedDate": epoch(team.last_updated_date),
        });
        let given = [
            ("NotificationConfiguration", &team.notification_configuration),
            ("WorkerAccessConfiguration", &team.worker_access_configuration),
        ];
        for (member, value) in given {
            if let Some(value) = value {
                document[member] = value.clone();
            }
        }
        document
    }

    /// Returns where the portal is, without a scheme, as SageMaker names it.
    pub(super) fn sub_domain(&self) -> &str {
        let url = self.portal_url.trim_end_matches('/');
        url.split_once("://").map_or(url, |(_, place)| place)
    }
}

/// Checks that the topic of a notification configuration, if it names one, has the form of a topic's ARN; whether there is
/// such a topic shows when it is told something.
fn checked_topic(configuration: Option<Value>) -> Result<Option<Value>, ControlError> {
    const MEMBER: &str = "notificationConfiguration.notificationTopicArn";
    let topic = configuration
        .as_ref()
        .and_then(|configuration| configuration.get("NotificationTopicArn"))
        .filter(|topic| !topic.is_null());
    let is_topic =
        topic.is_none_or(|topic| topic.as_str().is_some_and(|arn| arn.is_empty() || is_topic(arn)));
    match (is_topic, topic) {
        (false, Some(topic)) => {
            let rule = r"Member must satisfy regular expression pattern: arn:aws[a-z\-]*:sns:[a-z0-9\-]*:[0-9]{12}:[a-zA-Z0-9_.-]*";
            Err(invalid(topic.as_str().unwrap_or("no text"), MEMBER, rule))
        }
        _ => Ok(configuration),
    }
}

fn is_topic(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    let &["arn", partition, "sns", region, account, name] = parts.as_slice() else {
        return false;
    };
    let is_of = |text: &str, others: &str| {
        let is_known = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        !text.is_empty() && text.chars().all(is_known)
    };
    let is_account = account.len() == 12 && account.bytes().all(|c| c.is_ascii_digit());
    partition.starts_with("aws")
        && is_of(partition, "-")
        && is_of(region, "-")
        && is_account
        && is_of(name, "_-.")
}

/// Checks how workers get at objects: links are not bound to an address here.
fn checked_access(configuration: Option<Value>) -> Result<Option<Value>, ControlError> {
    let constraints = configuration
        .as_ref()
        .map(|configuration| &configuration["S3Presign"]["IamPolicyConstraints"]);
    for member in ["SourceIp", "VpcSourceIp"] {
        match constraints.and_then(|constraints| constraints[member].as_str()) {
            None | Some("Disabled") => {}
            Some("Enabled") => {
                return Err(ControlError::Validation(format!(
                    "WorkerAccessConfiguration.S3Presign.IamPolicyConstraints.{member} is not supported: links to objects \
                     are not bound to an address. Give Disabled, and say by UpdateWorkforce from where the portal may be \
                     reached."
                )));
            }
            Some(other) => {
                let rule = "Member must satisfy enum value set: [Enabled, Disabled]";
                return Err(invalid(other, "workerAccessConfiguration", rule));
            }
        }
    }
    Ok(configuration)
}

/// Checks member definitions: 1 to 10, each of Cognito or of OpenID Connect, never mixed, and each names its groups.
fn checked_members(members: Vec<Value>) -> Result<Vec<Value>, ControlError> {
    const MEMBER: &str = "memberDefinitions";
    if !(1..=MAX_MEMBERS).contains(&members.len()) {
        let rule = "Member must have length from 1 to 10";
        return Err(invalid(&members.len().to_string(), MEMBER, rule));
    }
    let (mut cognito, mut oidc) = (0, 0);
    for member in &members {
        let [of_cognito, of_oidc] =
            ["CognitoMemberDefinition", "OidcMemberDefinition"].map(|kind| member.get(kind));
        if let Some(definition) = of_cognito.filter(|definition| definition.is_object()) {
            cognito += 1;
            checked_cognito(definition)?;
        }
        if let Some(definition) = of_oidc.filter(|definition| definition.is_object()) {
            oidc += 1;
            checked_groups(&definition["Groups"])?;
        }
    }
    if (cognito, oidc) != (members.len(), 0) && (cognito, oidc) != (0, members.len()) {
        let rule = "Members must all be CognitoMemberDefinition or all be OidcMemberDefinition";
        return Err(ControlError::Validation(format!("{MEMBER}: {rule}.")));
    }
    Ok(members)
}

/// Checks the members of a definition of Cognito. Source: SageMaker API, `CognitoMemberDefinition`.
fn checked_cognito(definition: &Value) -> Result<(), ControlError> {
    for (name, most) in [("UserPool", 55), ("UserGroup", 128), ("ClientId", 1_024)] {
        let member = format!("memberDefinitions.cognitoMemberDefinition.{name}");
        checked_text(definition[name].as_str().map(str::to_owned), &member, most)?;
    }
    Ok(())
}

/// Checks the groups of a provider: nobody is in a team that has none. Source: SageMaker API, `OidcMemberDefinition`.
fn checked_groups(groups: &Value) -> Result<(), ControlError> {
    const MEMBER: &str = "memberDefinitions.oidcMemberDefinition.groups";
    let groups = required(groups.as_array(), MEMBER)?;
    let is_group = |group: &str| {
        (1..=MAX_GROUP_CHARS).contains(&group.chars().count())
            && !group.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    if !(1..=MAX_GROUPS).contains(&groups.len()) {
        let rule = "Member must have length from 1 to 10";
        return Err(invalid(&groups.len().to_string(), MEMBER, rule));
    }
    for group in groups {
        let group = group.as_str().unwrap_or_default();
        if !is_group(group) {
            let rule = "Member must have length from 1 to 63, without white space or control characters";
            return Err(invalid(group, MEMBER, rule));
        }
    }
    Ok(())
}
