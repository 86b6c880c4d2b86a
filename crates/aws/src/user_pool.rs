//! A user pool of Amazon Cognito: who is in a group of it, and new people in it.
//!
//! Cognito speaks the protocol that Comprehend speaks: the client of that signs, sends and tries again.

use aws_config::SdkConfig;
use aws_sdk_comprehend::Client;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    clients,
    env::{ConfigError, Env},
    failure::Refusal,
    own_operation,
};

const TARGET_PREFIX: &str = "AWSCognitoIdentityProviderService.";
/// Name of the service in signatures and in its address.
const SERVICE: &str = "cognito-idp";
/// Environment variable of the SDKs with another address of the service.
const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER";
/// Users of a page. Source: Amazon Cognito, `ListUsersInGroup`.
const PAGE: u32 = 60;

/// A user pool, by its id.
#[derive(Debug)]
pub struct UserPool {
    client: Client,
    id: String,
}

/// Somebody in a user pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolUser {
    /// By which the pool knows them.
    pub username: String,
    /// Their e-mail address, where the pool has verified one.
    pub email: Option<String>,
    /// Whether they may sign in.
    pub is_enabled: bool,
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invited {
    /// Cognito sends them a mail with a first password.
    ByMail,
    /// They were in the pool before: no mail is sent.
    Known,
}

/// Why a user pool did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum UserPoolError {
    /// It is no id of one.
    #[error("`{0}` is no id of a user pool, such as us-east-1_AbCdEfGhI")]
    InvalidId(String),
    /// The address of the service cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Cognito refused, or did not answer.
    #[error("Cognito refused {operation}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// Why.
        #[source]
        source: Refusal,
    },
    /// Its answer is none.
    #[error("the answer of Cognito to {0} cannot be read")]
    Unreadable(&'static str, #[source] serde_json::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    users: Vec<User>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct User {
    username: String,
    #[serde(default)]
    attributes: Vec<Attribute>,
    enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    name: String,
    value: Option<String>,
}

impl UserPool {
    /// Returns the pool of an id, in the Region that the id begins with.
    ///
    /// # Errors
    ///
    /// [`UserPoolError::InvalidId`]; [`UserPoolError::Config`].
    pub fn new(config: &SdkConfig, id: &str, env: &Env) -> Result<Self, UserPoolError> {
        let is_word = |text: &str| {
            let mut letters = text.chars();
            !text.is_empty() && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        };
        let region = match id.split_once('_') {
            Some((region, rest)) if is_word(region) && is_word(rest) => region,
            _ => return Err(UserPoolError::InvalidId(id.to_owned())),
        };
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let url: Option<String> = env.optional(ENDPOINT_URL)?;
        let url = url.unwrap_or_else(|| format!("https://{SERVICE}.{region}.amazonaws.com{suffix}"));
        Ok(Self {
            client: clients::of_service(config, &url, SERVICE, region),
            id: id.to_owned(),
        })
    }

    /// Returns everybody in a group.
    ///
    /// # Errors
    ///
    /// [`UserPoolError`].
    pub async fn users_of(&self, group: &str) -> Result<Vec<PoolUser>, UserPoolError> {
        let mut users = Vec::new();
        let mut question = json!({ "UserPoolId": self.id, "GroupName": group, "Limit": PAGE });
        loop {
            let page: Page = self.call("ListUsersInGroup", &question).await?;
            users.extend(page.users.into_iter().map(PoolUser::from));
            match page.next_token.filter(|token| !token.is_empty()) {
                Some(token) => question["NextToken"] = token.into(),
                None => return Ok(users),
            }
        }
    }

    /// Makes a user with a verified address, to whom Cognito sends a first password; puts them into a group where one is
    /// named. Idempotent.
    ///
    /// # Errors
    ///
    /// [`UserPoolError`].
    pub async fn invite(&self, email: &str, group: Option<&str>) -> Result<Invited, UserPoolError> {
        const CREATE: &str = "AdminCreateUser";
        let attributes = [("email", email), ("email_verified", "true")];
        let attributes = attributes.map(|(name, value)| json!({ "Name": name, "Value": value }));
        let question = json!({
            "UserPoolId": self.id,
            "Username": email,
            "UserAttributes": attributes,
            "DesiredDeliveryMediums": ["EMAIL"],
        });
        let invited = match self.call::<Value>(CREATE, &question).await {
            Ok(_) => Invited::ByMail,
            Err(UserPoolError::Refused { source, .. })
                if source.code.as_deref() == Some("UsernameExistsException") =>
            {
                Invited::Known
            }
            Err(error) => return Err(error),
        };
        if let Some(group) = group {
            let question = json!({ "UserPoolId": self.id, "Username": email, "GroupName": group });
            self.call::<Value>("AdminAddUserToGroup", &question).await?;
        }
        Ok(invited)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        question: &Value,
    ) -> Result<T, UserPoolError> {
        let target = format!("{TARGET_PREFIX}{operation}");
        let answer = Box::pin(own_operation::call(&self.client, target, question)).await;
        let answer = answer.map_err(|source| UserPoolError::Refused { operation, source })?;
        // Some operations answer with nothing.
        let answer: &[u8] = if answer.is_empty() { b"{}" } else { &answer };
        serde_json::from_slice(answer).map_err(|error| UserPoolError::Unreadable(operation, error))
    }
}

impl From<User> for PoolUser {
    fn from(user: User) -> Self {
        let attribute = |name: &str| {
            let found = user.attributes.iter().find(|attribute| attribute.name == name);
            found.and_then(|attribute| attribute.value.clone())
        };
        let is_verified = attribute("email_verified").is_some_and(|verified| verified == "true");
        Self {
            email: attribute("email").filter(|_| is_verified),
            is_enabled: user.enabled.unwrap_or(true),
            username: user.username,
        }
    }
}
