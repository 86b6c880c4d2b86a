//! AWS Secrets Manager: secrets whose value is made once and stays until somebody puts another.
//!
//! Differs from Secrets Manager: one version of each secret, no rotation by functions, no key of the caller's; only
//! `GetSecretValue`, `PutSecretValue`, `DescribeSecret` and `ListSecrets` answer.

use std::{collections::BTreeMap, sync::Arc};

use axum::body::Body;
use chrono::Utc;
use futures::future::BoxFuture;
use http::{Request, Response};
use rand::seq::IndexedRandom;
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    ACCOUNT_ID,
    aws_error::AwsError,
    iam::{Iam, Principal},
    json_protocol,
    service::{Protocol, Service},
    store::Store,
};

const SECRETS: TableDefinition<&str, &[u8]> = TableDefinition::new("secretsmanager-secrets");

const MAX_BODY_BYTES: usize = 512 * 1024;
/// Longest value of a secret, bytes.
const MAX_SECRET_BYTES: usize = 65_536;
/// Most secrets in one answer.
const MAX_PAGE: usize = 100;
const LETTERS_AND_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const PUNCTUATION: &[u8] = br##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##;

/// A secret of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSpec {
    /// Secret name.
    pub name: String,
    /// How its value is made the first time; the value then stays.
    pub generate: GenerateSecretString,
}

/// `GenerateSecretString`, as far as it is implemented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateSecretString {
    /// Length in characters.
    pub length: u32,
    /// Leaves punctuation out.
    pub exclude_punctuation: bool,
}

/// Returns the ARN of a secret. Its six last characters, random on AWS, come from the name.
pub fn secret_arn(region: &str, name: &str) -> String {
    let suffix = hex::encode(Sha256::digest(name.as_bytes()));
    format!(
        "arn:aws:secretsmanager:{region}:{ACCOUNT_ID}:secret:{name}-{}",
        &suffix[..6]
    )
}

/// The service.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    store: Arc<Store>,
    iam: Arc<Iam>,
    region: String,
}

#[derive(Serialize, Deserialize)]
struct SecretRecord {
    value: String,
    version_id: String,
    created_ms: i64,
    /// When another value was put last.
    #[serde(default)]
    changed_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretRequest {
    secret_id: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest {
    secret_id: Option<String>,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<Value>,
    version_stages: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListRequest {
    #[serde(default)]
    filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    values: Vec<String>,
}

impl Filter {
    /// Returns whether a name begins as one of the values says, or, behind an exclamation mark, does not.
    fn fits(&self, name: &str) -> bool {
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(value) => !name.starts_with(value),
            None => name.starts_with(value.as_str()),
        })
    }
}

async fn known_members<T: DeserializeOwned>(
    body: Body,
    operation: &str,
    known: &[&str],
) -> Result<T, AwsError> {
    json_protocol::parse_known(body, MAX_BODY_BYTES, ("secretsmanager", operation), known).await
}

impl Service for SecretsManager {
    fn name(&self) -> &'static str {
        "secretsmanager"
    }

    fn protocol(&self) -> Protocol {
        Protocol::Json {
            prefix: "secretsmanager",
            content_type: json_protocol::JSON_1_1,
        }
    }

    fn serve(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>> {
        Box::pin(SecretsManager::handle(self, request))
    }
}

impl SecretsManager {
    /// Opens the secrets in `store`.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn new(store: Arc<Store>, iam: Arc<Iam>, region: String) -> Result<Self, redb::Error> {
        let transaction = store.index.begin_write()?;
        transaction.open_table(SECRETS)?;
        transaction.commit()?;
        Ok(Self { store, iam, region })
    }

    /// Makes a secret, unless it is there already.
    ///
    /// # Errors
    ///
    /// Whatever the index reports.
    pub fn put_secret(&self, spec: &SecretSpec) -> Result<(), redb::Error> {
        let transaction = self.store.index.begin_write()?;
        {
            let mut table = transaction.open_table(SECRETS)?;
            if table.get(spec.name.as_str())?.is_some() {
                return Ok(());
            }
            let record = SecretRecord {
                value: generate(&spec.generate),
                version_id: uuid::Uuid::new_v4().to_string(),
                created_ms: Utc::now().timestamp_millis(),
                changed_ms: None,
            };
            let json = serde_json::to_vec(&record).expect("a record has only string keys");
            table.insert(spec.name.as_str(), json.as_slice())?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Answers one request, whose caller the gateway has put into its extensions.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        json_protocol::reply(self.answer(request).await)
    }

    async fn answer(&self, request: Request<Body>) -> Result<Value, AwsError> {
        let caller = json_protocol::caller(&request)?;
        let operation = json_protocol::operation(request.headers(), "secretsmanager.");
        let body = request.into_body();
        match operation.as_str() {
            "GetSecretValue" => self.get(&caller, json_protocol::parse(body, MAX_BODY_BYTES).await?),
            "PutSecretValue" => {
                let known = [
                    "SecretId",
                    "ClientRequestToken",
                    "SecretString",
                    "SecretBinary",
                    "VersionStages",
                ];
                self.put(&caller, known_members(body, &operation, &known).await?)
            }
            "DescribeSecret" => self.describe(&caller, json_protocol::parse(body, MAX_BODY_BYTES).await?),
            "ListSecrets" => {
                let known = ["Filters", "MaxResults", "NextToken", "IncludePlannedDeletion"];
                self.list(&caller, &known_members(body, &operation, &known).await?)
            }
            other => Err(AwsError::not_implemented("secretsmanager", other)),
        }
    }

    fn get(&self, caller: &Principal, request: SecretRequest) -> Result<Value, AwsError> {
        let (name, secret) = self.find(caller, "secretsmanager:GetSecretValue", request.secret_id)?;
        let stage = request.version_stage.as_deref();
        let version = request.version_id.as_deref();
        if stage.is_some_and(|stage| stage != "AWSCURRENT")
            || version.is_some_and(|version| version != secret.version_id)
        {
            return Err(not_found(
                "Secrets Manager can't find the specified secret value.",
            ));
        }
        Ok(json!({
            "ARN": secret_arn(&self.region, &name),
            "Name": name,
            "VersionId": secret.version_id,
            "SecretString": secret.value,
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": seconds(secret.created_ms),
        }))
    }

    fn put(&self, caller: &Principal, request: PutRequest) -> Result<Value, AwsError> {
        let invalid = |message: &str| AwsError::new(400, "InvalidParameterException", message);
        let (name, before) = self.find(caller, "secretsmanager:PutSecretValue", request.secret_id)?;
        if request.secret_binary.is_some() || request.version_stages.is_some() {
            return Err(AwsError::not_implemented(
                "secretsmanager",
                "PutSecretValue with SecretBinary or VersionStages",
            ));
        }
        let value = request
            .secret_string
            .ok_or_else(|| invalid("You must provide either SecretString or SecretBinary."))?;
        if value.is_empty() || value.len() > MAX_SECRET_BYTES {
            return Err(invalid("SecretString must have 1 to 65536 bytes."));
        }
        let secret = SecretRecord {
            value,
            version_id: request
                .client_request_token
                .unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            changed_ms: Some(Utc::now().timestamp_millis()),
            ..before
        };
        self.store_secret(&name, &secret).map_err(unavailable)?;
        Ok(json!({
            "ARN": secret_arn(&self.region, &name),
            "Name": name,
            "VersionId": secret.version_id,
            "VersionStages": ["AWSCURRENT"],
        }))
    }

    fn store_secret(&self, name: &str, secret: &SecretRecord) -> Result<(), redb::Error> {
        let transaction = self.store.index.begin_write()?;
        let json = serde_json::to_vec(secret).expect("a record has only string keys");
        transaction.open_table(SECRETS)?.insert(name, json.as_slice())?;
        transaction.commit()?;
        Ok(())
    }

    fn describe(&self, caller: &Principal, request: SecretRequest) -> Result<Value, AwsError> {
        let (name, secret) = self.find(caller, "secretsmanager:DescribeSecret", request.secret_id)?;
        let mut description = self.summary(&name, &secret);
        description["VersionIdsToStages"] = json!({secret.version_id: ["AWSCURRENT"]});
        Ok(description)
    }

    fn list(&self, caller: &Principal, request: &ListRequest) -> Result<Value, AwsError> {
        self.authorize(caller, "secretsmanager:ListSecrets", "*")?;
        let size = request.max_results.unwrap_or(MAX_PAGE);
        if !(1..=MAX_PAGE).contains(&size) {
            let message = format!("MaxResults must be from 1 to {MAX_PAGE}, not {size}.");
            return Err(AwsError::new(400, "InvalidParameterException", message));
        }
        if let Some(filter) = request.filters.iter().find(|filter| filter.key != "name") {
            let what = format!("ListSecrets with a filter by {}", filter.key);
            return Err(AwsError::not_implemented("secretsmanager", &what));
        }
        let secrets = self.all().map_err(unavailable)?;
        let list: Vec<_> = secrets
            .iter()
            .filter(|(name, _)| request.filters.iter().all(|filter| filter.fits(name)))
            .map(|(name, secret)| self.summary(name, secret))
            .collect();
        let page = json_protocol::page(list, request.next_token.as_deref(), size);
        let (list, next) = page.ok_or_else(|| {
            let message = "The NextToken value is invalid.";
            AwsError::new(400, "InvalidNextTokenException", message)
        })?;
        let mut answer = json!({"SecretList": list});
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    }

    fn summary(&self, name: &str, secret: &SecretRecord) -> Value {
        json!({
            "ARN": secret_arn(&self.region, name),
            "Name": name,
            "CreatedDate": seconds(secret.created_ms),
            "LastChangedDate": seconds(secret.changed_ms.unwrap_or(secret.created_ms)),
        })
    }

    /// Finds the secret that a caller names, by name or ARN, and may use for `action`.
    fn find(
        &self,
        caller: &Principal,
        action: &str,
        id: Option<String>,
    ) -> Result<(String, SecretRecord), AwsError> {
        let id = id.filter(|id| !id.is_empty()).ok_or_else(|| {
            AwsError::new(
                400,
                "InvalidParameterException",
                "You must provide a value for the SecretId parameter.",
            )
        })?;
        let secrets = self.all().map_err(unavailable)?;
        let found = secrets
            .into_iter()
            .find(|(name, _)| *name == id || secret_arn(&self.region, name) == id);
        let arn = match &found {
            Some((name, _)) => secret_arn(&self.region, name),
            None if id.starts_with("arn:") => id,
            None => secret_arn(&self.region, &id),
        };
        self.authorize(caller, action, &arn)?;
        found.ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))
    }

    fn all(&self) -> Result<BTreeMap<String, SecretRecord>, redb::Error> {
        let reader = self.store.index.begin_read()?;
        let table = reader.open_table(SECRETS)?;
        let mut secrets = BTreeMap::new();
        for entry in table.iter()? {
            let (name, json) = entry?;
            let record = serde_json::from_slice(json.value())
                .map_err(|error| redb::Error::Corrupted(format!("a secret cannot be read: {error}")))?;
            secrets.insert(name.value().to_owned(), record);
        }
        Ok(secrets)
    }

    fn authorize(&self, caller: &Principal, action: &str, resource: &str) -> Result<(), AwsError> {
        Ok(self.iam.permit(caller, action, resource)?)
    }
}

fn generate(how: &GenerateSecretString) -> String {
    let mut alphabet = LETTERS_AND_DIGITS.to_vec();
    if !how.exclude_punctuation {
        alphabet.extend_from_slice(PUNCTUATION);
    }
    let mut random = rand::rng();
    (0..how.length)
        .filter_map(|_| alphabet.choose(&mut random))
        .map(|byte| char::from(*byte))
        .collect()
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

fn not_found(message: &str) -> AwsError {
    AwsError::new(400, "ResourceNotFoundException", message)
}

fn unavailable(error: redb::Error) -> AwsError {
    tracing::error!(%error, "the secrets could not be read");
    AwsError::new(
        500,
        "InternalServiceError",
        "An error occurred on the server side.",
    )
}
